//! `--license`.

use super::support::*;

#[test]
fn the_program_and_the_model_have_their_terms() {
    let text = run(&["--license"]).text();
    let mit = include_str!("../../LICENSE-MIT");
    let spec = &monomorph::built::SPEC;
    for part in [mit, "apache.org/licenses/LICENSE-2.0", &format!("The model: {}\n", spec.name)] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    // What the Gemma Terms of Use ask for, word for word.
    let notice = "\nGemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms\n";
    match spec.license.id.as_deref() {
        Some("gemma") => assert!(text.contains(notice), "{text}"),
        Some(license) => assert!(text.contains(&format!("states the licence: {license}"))),
        None => (),
    }
    let place =
        if monomorph::built::IS_EMBEDDED { "inside this binary, re" } else { "in a separate file" };
    assert!(text.contains(&format!("weights are {place}")), "{text}");
}
