//! `inspect`.

use serde_json::Value;

use super::support::*;

#[test]
fn built_model_is_described_and_fits() {
    let text = run(&["inspect", monomorph::built::SOURCE]).text();
    for part in ["general.architecture", "prompts", "memory", "license", "binary      fits"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(text.lines().count() < 150, "no huge array is printed");

    let report: Value =
        serde_json::from_slice(&run(&["inspect", "--json", monomorph::built::SOURCE]).good())
            .unwrap();
    let spec = &monomorph::built::SPEC;
    assert_eq!(report["binary"]["fits"], true);
    assert_eq!(report["model"]["n_embd"], spec.n_embd);
    assert_eq!(report["model"]["shape"], spec.shape.to_string());
    let counts = report["tensor_types"]
        .as_array()
        .unwrap()
        .iter()
        .map(|count| count["tensors"].as_u64().unwrap());
    assert_eq!(counts.sum::<u64>() as usize, report["tensors"].as_array().unwrap().len());
    let tokens = &report["metadata"]["tokenizer.ggml.tokens"];
    assert!(
        tokens["len"] == spec.n_vocab
            || tokens.as_array().is_some_and(|all| all.len() == spec.n_vocab)
    );
    for memory in ["mapped", "workspace", "kept_panels"] {
        assert!(report["model"]["memory_bytes"][memory].is_u64());
    }
}

#[test]
fn other_files_are_described_as_far_as_it_goes() {
    let folder = Folder::new("inspect");
    // Well formed, with one key and no tensor: no model.
    let string = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend([0u64.to_le_bytes(), 1u64.to_le_bytes()].concat());
    bytes.extend(string("general.architecture"));
    bytes.extend(8u32.to_le_bytes());
    bytes.extend(string("poetry\x1b[31m"));
    let path = folder.write("other.gguf", &bytes);
    let text = run(&["inspect", &path]).text();
    assert!(
        text.contains("none that this version runs") && text.contains("does not fit"),
        "{text}"
    );
    assert!(!text.contains('\x1b'), "no control character of the file reaches the terminal");
    let report: Value = serde_json::from_slice(&run(&["inspect", "--json", &path]).good()).unwrap();
    assert_eq!(report["model"], Value::Null);
    assert_eq!(report["binary"]["fits"], false);
    assert_eq!(report["metadata"]["general.architecture"], "poetry\x1b[31m");
}
