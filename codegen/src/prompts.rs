//! Prompts from the file that sentence-transformers keeps with a model, `config_sentence_transformers.json`. They
//! replace those that are known by the model's name.

use crate::error::Error;
use monomorph_spec::Prompt;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The variable that names such a file.
pub const PROMPTS: &str = "MONOMORPH_PROMPTS";

/// The prompts of a file, in the order of the bytes of their names.
///
/// # Errors
/// [`Error::Prompts`] if it cannot be read or is not such a file.
pub fn read(path: &Path) -> Result<Vec<Prompt>, Error> {
    let refuse = |reason: String| Error::Prompts { variable: PROMPTS, path: path.into(), reason };
    let text = fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    parse(&text).map_err(refuse)
}

fn parse(text: &str) -> Result<Vec<Prompt>, String> {
    let file: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Some(prompts) = file.get("prompts").and_then(Value::as_object) else {
        return Err("it has no object `prompts`, as config_sentence_transformers.json does".into());
    };
    let mut found: Vec<Prompt> = Vec::new();
    for (name, prefix) in prompts {
        let Some(prefix) = prefix.as_str() else {
            return Err(format!("the prompt {name:?} is not a string"));
        };
        let plain = Prompt::plain_name(name);
        if plain.is_empty() {
            return Err(format!("the name {name:?} of a prompt is blank"));
        }
        if found.iter().any(|prompt| prompt.names.contains(&&*plain)) {
            return Err(format!(
                "two prompts have the name {plain:?}, but for case, spaces and underscores"
            ));
        }
        // A build script reads one file and ends.
        found.push(Prompt::new(vec![&*plain.leak()].leak(), prefix.to_owned().leak()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_read_under_plain_names() {
        let text = r#"{"__version__": {"pytorch": "2.8.0"}, "default_prompt_name": null,
            "prompts": {"query": "search_query: ", "Retrieval_document": "search_document: ", "STS": ""}}"#;
        let prompts = parse(text).unwrap();
        let found: Vec<_> = prompts.iter().map(|prompt| (prompt.name(), prompt.prefix)).collect();
        assert_eq!(
            found,
            [("retrieval-document", "search_document: "), ("sts", ""), ("query", "search_query: ")]
        );
        assert_eq!(Prompt::by_name(&prompts, "retrieval document"), Some(prompts[0]));
        assert_eq!(parse(r#"{"prompts": {}}"#).unwrap(), []);
    }

    #[test]
    fn other_files_are_refused() {
        for (text, reason) in [
            ("{", "EOF while parsing an object at line 1 column 1"),
            ("[]", "it has no object `prompts`, as config_sentence_transformers.json does"),
            (r#"{"prompts": {"query": 1}}"#, "the prompt \"query\" is not a string"),
            (r#"{"prompts": {" ": ""}}"#, "the name \" \" of a prompt is blank"),
            (
                r#"{"prompts": {"a b": "", "a_b": ""}}"#,
                "two prompts have the name \"a-b\", but for case, spaces and underscores",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), reason);
        }
    }
}
