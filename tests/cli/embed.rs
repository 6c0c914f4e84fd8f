//! What `embed` does to a text.

use super::support::*;

#[test]
fn one_text_gives_one_vector_of_length_one() {
    let lines = run(&["embed", "Hello world"]).json_lines();
    assert_eq!(lines.len(), 1);
    assert!(lines[0]["tokens"].as_u64().unwrap() > 0);
    assert!(lines[0].get("id").is_none() && lines[0].get("dropped").is_none());
    let vector = vector(&lines[0]["embedding"]);
    assert_eq!(vector.len(), dimensions());
    let norm: f64 = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    assert!((norm - 1.0).abs() < 1e-5, "{norm}");
}

#[test]
fn texts_are_the_same_alone_and_together_on_any_number_of_threads() {
    let together = run(&["embed", "one", "two words", ""]).json_lines();
    for (i, text) in ["one", "two words", ""].into_iter().enumerate() {
        let alone = run(&["embed", "--threads", "1", text]).json_lines();
        assert_eq!(alone[0], together[i]);
    }
}

#[test]
fn odd_texts_have_vectors() {
    for text in ["", " ", "\u{301}\u{302}", "\u{FEFF}", &"\u{1F600}".repeat(300)] {
        let lines = run(&["embed", text]).json_lines();
        assert_eq!(vector(&lines[0]["embedding"]).len(), dimensions(), "{text:?}");
    }
}

#[test]
fn prompts_are_prefixes() {
    let with = |arguments: &[&str]| run(&[&["embed"], arguments, &["Mars"]].concat()).json_lines();
    assert_eq!(with(&["--prompt", "query"]), with(&["--prefix", "task: search result | query: "]));
    assert_eq!(
        with(&["--prompt", "Retrieval_Document"]),
        with(&["--prefix", "title: none | text: "])
    );
    assert_eq!(
        with(&["--prompt", "document", "--title", "Planets"]),
        with(&["--prefix", "title: Planets | text: "])
    );
    assert_ne!(with(&["--prompt", "query"]), with(&[]));
}

#[test]
fn unicode_forms_are_applied() {
    let embed = |form, text| run(&["embed", "--unicode", form, text]).json_lines();
    assert_eq!(embed("nfc", "e\u{301}"), embed("none", "\u{e9}"));
    assert_eq!(embed("nfkc", "\u{FB01}"), embed("none", "fi"));
}

#[test]
fn vectors_are_cut_and_normalised() {
    let raw = vectors(&run(&["embed", "--no-normalize", "Mars"]).json_lines()).remove(0);
    let half = dimensions() / 2;
    let cut =
        vectors(&run(&["embed", "--dimensions", &half.to_string(), "Mars"]).json_lines()).remove(0);
    assert_eq!(cut.len(), half);
    let norm = raw[..half].iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    for (cut, raw) in cut.iter().zip(&raw) {
        assert!((f64::from(*cut) - f64::from(*raw) / norm).abs() < 1e-6);
    }
}

#[test]
fn long_texts_are_cut_and_reported() {
    let folder = Folder::new("long");
    let long = serde_json::json!({ "text": long_text(), "id": "x" });
    let input = folder.write("in.jsonl", format!("{{\"text\":\"short\"}}\n{long}\n").as_bytes());
    let outcome = run(&["embed", "--input", &input]);
    let warning =
        outcome.stderr.lines().find(|line| line.starts_with("warning: ")).unwrap().to_owned();
    let lines = outcome.json_lines();
    let (tokens, dropped) =
        (lines[1]["tokens"].as_u64().unwrap(), lines[1]["dropped"].as_u64().unwrap());
    assert_eq!(tokens, monomorph::built::SPEC.n_ctx as u64);
    let at_least = if lines[1].get("dropped_is_exact").is_none() { "" } else { "at least " };
    assert_eq!(
        warning,
        format!(
            "warning: {input}, line 2 (id \"x\"): cut to {tokens} tokens, {at_least}{dropped} dropped"
        )
    );
}

#[test]
fn many_cuts_are_summed_up() {
    if skip_on_large_model() {
        return;
    }
    let text = long_text();
    let arguments: Vec<&str> = ["embed"].into_iter().chain([text.as_str(); 12]).collect();
    let outcome = run(&arguments);
    let warnings: Vec<&str> =
        outcome.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 11);
    assert_eq!(warnings[10], "warning: 2 more texts were cut");
}

#[test]
fn stats_go_to_standard_error() {
    let outcome = run(&["embed", "--stats", "one", "two"]);
    let stats = outcome.stderr.lines().last().unwrap().to_owned();
    for part in ["texts 2, tokens ", "tokens/s ", "isa ", "threads ", "path "] {
        assert!(stats.contains(part), "{stats}");
    }
    assert_eq!(outcome.json_lines().len(), 2);
}

#[test]
fn a_model_that_was_chosen_is_not_announced() {
    let outcome = run(&["embed", "one"]);
    // That it is announced, .ci/run checks.
    assert!(!outcome.stderr.contains("the default model"), "{}", outcome.stderr);
}
