//! The build's choices, as its environment states them.

use crate::error::Error;
use monomorph_quant::image::Form;
use monomorph_spec::BuildOptions;
pub use monomorph_spec::options::{CONTEXT, POOLING};
use std::env;

/// Whether the weights go inside the binary, and how: 1 (as panels), `blocks` or 0. By default those of the default model
/// do, as blocks, and no others.
pub const EMBED: &str = "MONOMORPH_EMBED";

/// Reads the variables about the model; an empty one counts as unset.
pub fn from_environment() -> Result<BuildOptions, Error> {
    parse(value(POOLING).as_deref(), value(CONTEXT).as_deref())
}

/// Where the weights go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// They stay in their file.
    File,
    /// Inside the binary, in an image of this form.
    Inside(Form),
}

/// Where the environment wants the weights; none if it leaves that to the build.
pub fn embed_from_environment() -> Result<Option<Place>, Error> {
    parse_embed(value(EMBED).as_deref())
}

fn value(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Parses the values of the variables.
pub fn parse(pooling: Option<&str>, context: Option<&str>) -> Result<BuildOptions, Error> {
    let pooling = match pooling {
        None | Some("") => None,
        Some(name) => match name.parse() {
            Ok(pooling) => Some(pooling),
            Err(_) => return Err(refuse(POOLING, name, "mean, cls, last or max")),
        },
    };
    let n_ctx = match context {
        None | Some("") => None,
        Some(text) => match text.parse::<usize>() {
            Ok(n_ctx) if n_ctx >= 2 => Some(n_ctx),
            _ => return Err(refuse(CONTEXT, text, "a number of at least 2")),
        },
    };
    Ok(BuildOptions { pooling, n_ctx })
}

/// Parses the value of [`EMBED`].
pub fn parse_embed(value: Option<&str>) -> Result<Option<Place>, Error> {
    match value {
        None | Some("") => Ok(None),
        Some("0") => Ok(Some(Place::File)),
        Some("1") => Ok(Some(Place::Inside(Form::Panels))),
        Some("blocks") => Ok(Some(Place::Inside(Form::Blocks))),
        Some(other) => Err(refuse(EMBED, other, "1, blocks, or 0 for weights in a file")),
    }
}

fn refuse(variable: &'static str, found: &str, expected: &'static str) -> Error {
    let found = found.replace(char::is_control, " ");
    Error::Choice { variable, found, expected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use monomorph_spec::Pooling;

    #[test]
    fn what_the_variables_may_say() {
        assert_eq!(parse(None, None).unwrap(), BuildOptions::default());
        assert_eq!(parse(Some(""), Some("")).unwrap(), BuildOptions::default());
        let both = BuildOptions { pooling: Some(Pooling::Last), n_ctx: Some(2) };
        assert_eq!(parse(Some("last"), Some("2")).unwrap(), both);
        for &pooling in Pooling::ALL {
            assert_eq!(parse(Some(pooling.name()), None).unwrap().pooling, Some(pooling));
            let refused = parse(Some("median"), None).unwrap_err().to_string();
            assert!(refused.contains(pooling.name()), "{refused}");
        }
    }

    #[test]
    fn weights_go_inside_where_that_is_asked_for() {
        for (value, place) in [
            (None, None),
            (Some(""), None),
            (Some("0"), Some(Place::File)),
            (Some("1"), Some(Place::Inside(Form::Panels))),
            (Some("blocks"), Some(Place::Inside(Form::Blocks))),
        ] {
            assert_eq!(parse_embed(value).unwrap(), place);
        }
        let refused = parse_embed(Some("yes")).unwrap_err().to_string();
        assert_eq!(
            refused,
            "MONOMORPH_EMBED is \"yes\"; expected 1, blocks, or 0 for weights in a file"
        );
    }

    #[test]
    fn what_else_they_say_is_refused_on_one_line() {
        for (pooling, context, want) in [
            (Some("Mean"), None, "MONOMORPH_POOLING is \"Mean\"; expected mean, cls, last or max"),
            (Some("a\nb"), None, "MONOMORPH_POOLING is \"a b\"; expected mean, cls, last or max"),
            (None, Some("1"), "MONOMORPH_CONTEXT is \"1\"; expected a number of at least 2"),
            (None, Some("8k"), "MONOMORPH_CONTEXT is \"8k\"; expected a number of at least 2"),
            (None, Some("-1"), "MONOMORPH_CONTEXT is \"-1\"; expected a number of at least 2"),
        ] {
            assert_eq!(parse(pooling, context).unwrap_err().to_string(), want);
        }
    }
}
