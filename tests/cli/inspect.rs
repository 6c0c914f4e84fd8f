//! `inspect`.

use monomorph_gguf::TensorType;
use monomorph_gguf::writer::Writer;
use serde_json::Value;

use super::support::*;
use super::transcripts;
use monomorph_testing::tiny::{self, Options, Variant};

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
    assert_eq!(report["model"]["variant"], spec.variant.as_ref());
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

/// Of the model built in, the binary says the same as of its file; and where the weights are.
#[test]
fn this_binary_describes_itself() {
    let (source, inside) = (monomorph::built::SOURCE, monomorph::built::IS_EMBEDDED);
    let json = |arguments: &[&str]| -> Value {
        serde_json::from_slice(&run(arguments).good()).expect("JSON")
    };
    let (own, file) =
        (json(&["inspect", "--self", "--json"]), json(&["inspect", "--json", source]));
    for field in ["tensor_types", "tensor_groups"] {
        assert_eq!(own[field], file[field], "{field}");
    }
    for (key, value) in own["model"].as_object().expect("a model") {
        assert!(key == "memory_bytes" && inside || *value == file["model"][key], "{key}");
    }
    let weights = &own["weights"];
    let bytes = weights["bytes"].as_u64().expect("a size");
    let text = run(&["inspect", "--self"]).text();
    assert!(text.contains(source) && !text.contains("metadata"), "{text}");
    if inside {
        let part = |name: &str| weights[name].as_u64().expect(name);
        let matrices = part("panels") + part("blocks");
        assert_eq!(bytes, matrices + part("token_table") + part("other"));
        assert!((part("panels") > 0) != (part("blocks") > 0), "all matrices have one form");
        assert_eq!(weights["place"], "inside");
        assert!(text.contains("no file is needed"), "{text}");
    } else {
        assert_eq!(
            (bytes, &weights["place"]),
            (file["file_bytes"].as_u64().unwrap(), &"file".into())
        );
        assert!(text.contains("needs       a file of"), "{text}");
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
        text.contains("none that this version can run") && text.contains("does not fit"),
        "{text}"
    );
    assert!(!text.contains('\x1b'), "no control character of the file reaches the terminal");
    let report: Value = serde_json::from_slice(&run(&["inspect", "--json", &path]).good()).unwrap();
    assert_eq!(report["model"], Value::Null);
    assert_eq!(report["binary"]["fits"], false);
    assert_eq!(report["metadata"]["general.architecture"], "poetry\x1b[31m");
}

/// The files of the transcript, in a folder of their own: one type, and several types without dense heads.
fn samples(test: &str) -> Folder {
    let folder = Folder::new(&format!("inspect-{test}"));
    folder.write("plain.gguf", &tiny::tiny(TensorType::Q8_0));
    let mixed = Options {
        variant: Variant::WithoutDense,
        odd: &[("ffn_up", TensorType::F16), ("2.attn_v", TensorType::BF16)],
        ..Options::default()
    };
    let mixed = tiny::tiny_with(mixed);
    folder.write("mixed.gguf", &mixed);
    folder.write("cut.gguf", &mixed[..mixed.len() - 100]);
    // All that the second part says of itself.
    let mut part = Writer::new();
    part.set("split.no", 1).set("split.count", 3);
    folder.write("part.gguf", &part.to_bytes());
    folder
}

/// What people see, word for word, but for the lines about this binary, which depend on its model and this CPU, and for
/// the sizes of private memory, which are the kernels' affair.
#[test]
fn transcript() {
    let folder = samples("transcript");
    let files = ["plain.gguf", "mixed.gguf", "part.gguf", "cut.gguf"];
    let run = |name| without_binary(&transcripts::transcript(&folder.path(""), &["inspect", name]));
    transcripts::compare("inspect.txt", files.into_iter().map(run));
}

fn without_binary(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    if let Some(from) = lines.iter().position(|line| line.starts_with("binary ")) {
        let len = lines[from..].iter().position(|line| line.is_empty()).expect("its end");
        lines.splice(from..from + len, ["binary      ..."]);
    }
    lines.iter().map(|line| format!("{}\n", without_private_sizes(line))).collect()
}

fn without_private_sizes(line: &str) -> String {
    let words = line.split(' ').map(|word| match word.parse::<f64>() {
        Ok(_) if word.contains('.') && line.contains(" private ") => "#",
        _ if matches!(word, "KiB" | "MiB") && line.contains(" private ") => "bytes",
        _ => word,
    });
    words.collect::<Vec<&str>>().join(" ")
}

/// Machines read the same facts as people.
#[test]
fn json_has_what_people_see() {
    let folder = samples("json");
    for name in ["plain.gguf", "mixed.gguf"] {
        let path = folder.argument(name);
        let text = run(&["inspect", &path]).text();
        let report: Value =
            serde_json::from_slice(&run(&["inspect", "--json", &path]).good()).expect("JSON");
        let groups = report["tensor_groups"].as_array().expect("groups");
        let sum =
            |field: &str| groups.iter().map(|group| group[field].as_u64().expect(field)).sum();
        let (tensors, bytes): (u64, u64) = (sum("tensors"), sum("bytes"));
        assert_eq!(tensors as usize, report["tensors"].as_array().expect("tensors").len());
        assert_eq!(report["model"]["memory_bytes"]["mapped"], bytes);
        for group in groups {
            let shown = text.lines().any(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                let count = group["tensors"].to_string();
                words.first().copied() == group["name"].as_str()
                    && words.get(1).copied() == group["type"].as_str()
                    && words.get(2).copied() == Some(count.as_str())
            });
            assert!(shown, "{group} is not in {text}");
        }
        let model = &report["model"];
        let mib = model["n_weights"].as_f64().expect("a number") / 1e6;
        assert!(text.contains(&format!("weights     {mib:.1} million")), "{text}");
        let heads: &[u64] = if name == "plain.gguf" { &[128, 256, 128] } else { &[] };
        assert_eq!(model["dense_widths"], serde_json::json!(heads));
        let short = model["memory_bytes"]["workspace_short_text"].as_u64();
        assert!(short > Some(0) && short < model["memory_bytes"]["workspace"].as_u64());
    }
}
