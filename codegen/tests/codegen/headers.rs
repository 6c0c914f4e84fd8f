//! testdata/headers: headers of real files, with the vocabulary cut short so that they can be committed.

use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};

use monomorph_gguf::writer::{self, Writer};
use monomorph_gguf::{Header, Value, ValueType, read_prefix};
use monomorph_spec::{Spec, Tensor};

/// Pieces that stay: enough for the special ids, the runs of spaces and every byte piece (ids 238 to 493).
const PIECES: usize = 512;

#[test]
fn embeddinggemma_is_cut_from_the_real_file() {
    is_cut_from_the_real_file("embeddinggemma-300m-Q8_0");
}

#[test]
fn gemma3_is_cut_from_the_real_file() {
    is_cut_from_the_real_file("gemma3-270m-Q4_K_M");
}

#[test]
fn minilm_is_cut_from_the_real_file() {
    is_cut_from_the_real_file("minilm-Q8_0");
}

#[test]
fn multilingual_e5_is_cut_from_the_real_file() {
    is_cut_from_the_real_file("e5-small-Q4_0");
}

#[test]
fn nomic_is_cut_from_the_real_file() {
    is_cut_from_the_real_file("nomic-tiny-F32");
}

#[test]
fn qwen3_is_cut_from_the_real_file() {
    is_cut_from_the_real_file("qwen3-tiny-F32");
}

#[test]
fn modern_bert_is_cut_from_the_real_file() {
    is_cut_from_the_real_file("modern-tiny-F32");
}

fn is_cut_from_the_real_file(name: &str) {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata/headers")
        .join(format!("{name}.header.gguf"));
    let Some(real) = find(name) else { return };
    let prefix = read_prefix(&real).unwrap();
    let header = Header::parse(&prefix.bytes, prefix.file_len).unwrap();
    let cut = cut(&header);
    assert!(cut.len() < 200_000, "{} bytes", cut.len());
    assert_same_model(&header, &cut);
    if fs::read(&committed).unwrap_or_default() != cut {
        fs::write(&committed, &cut).expect("testdata is writable");
        panic!(
            "testdata/headers/{name}.header.gguf was not what cutting the real header gives; it has been rewritten: \
             look at the change, then commit it"
        );
    }
}

/// The real file, or `None` with a line that cannot be overlooked.
fn find(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("MODEL_CACHE").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/embedding-models")
    });
    let path = folder.join(format!("{name}.gguf"));
    if !path.is_file() {
        // The macros that print would be captured by the test harness.
        writeln!(stderr(), "SKIPPED, NOT TESTED: {} is absent", path.display()).expect("stderr");
        return None;
    }
    Some(path)
}

/// The header of a file like this one with a shorter vocabulary; tensors keep their offsets. The pieces that keys name
/// by their ids stay, after the first ones.
fn cut(header: &Header<'_>) -> Vec<u8> {
    let is_id = |key: &str| key.starts_with("tokenizer.") && key.ends_with("_token_id");
    let ids = header.metadata.iter().filter(|(key, _)| is_id(key));
    let mut named: Vec<usize> =
        ids.filter_map(|(_, id)| Some(id.integer()? as usize)).filter(|id| *id >= PIECES).collect();
    named.sort_unstable();
    named.dedup();
    let first = PIECES - named.len();
    let kept: Vec<usize> = (0..first).chain(named).collect();
    let mut file = Writer::new();
    for (key, value) in header.metadata.iter() {
        match (key, value) {
            // Larger than all else, and part of no spec.
            ("tokenizer.ggml.precompiled_charsmap", _) => {}
            // Those of the pieces that stay come first.
            ("tokenizer.ggml.merges", Value::Array(merges)) => {
                let merges = merges.strings().take(first - 256).map(<[u8]>::to_vec);
                file.set(key, writer::Value::Strings(merges.collect()));
            }
            (_, Value::U32(id)) if is_id(key) => {
                let place = kept.iter().position(|kept| *kept == *id as usize);
                file.set(key, place.expect("it stays") as u32);
            }
            _ => {
                file.set(key, shortened(value, &kept));
            }
        }
    }
    for tensor in &header.tensors {
        let mut dims = tensor.shape().to_vec();
        if tensor.name == "token_embd.weight" {
            dims[1] = PIECES as u64;
        }
        file.tensor(tensor.name, tensor.kind, &dims, Vec::new());
        if let Some(written) = file.tensor_mut(tensor.name) {
            written.offset = Some(tensor.offset);
        }
    }
    file.to_bytes()
}

/// A value as it is, or of an array the elements that are kept.
fn shortened(value: &Value<'_>, kept: &[usize]) -> writer::Value {
    fn of<T: Clone>(all: impl Iterator<Item = T>, kept: &[usize]) -> Vec<T> {
        let all: Vec<T> = all.collect();
        kept.iter().filter_map(|i| all.get(*i).cloned()).collect()
    }
    match value {
        Value::U32(x) => (*x).into(),
        Value::F32(x) => (*x).into(),
        Value::Bool(x) => (*x).into(),
        Value::Str(x) => (*x).into(),
        Value::Array(array) => match array.element_type() {
            ValueType::Str => writer::Value::Strings(of(array.strings().map(<[u8]>::to_vec), kept)),
            ValueType::F32 => writer::Value::F32s(of(array.f32s(), kept)),
            ValueType::I32 => writer::Value::I32s(of(array.i32s(), kept)),
            other => panic!("an array of {other:?}"),
        },
        other => panic!("a value of type {:?}", other.value_type()),
    }
}

/// Everything but the vocabulary is the real file's; offsets move together with the data's beginning.
fn assert_same_model(real: &Header<'_>, cut: &[u8]) {
    let header = Header::parse(cut, u64::MAX).unwrap();
    let ends = header.tensors.iter().map(|t| t.absolute_offset + t.n_bytes);
    let file_len = ends.max().unwrap().next_multiple_of(header.alignment);
    let header = Header::parse(cut, file_len).unwrap();
    let mut found = Spec::from_header(&header).unwrap();
    let want = Spec::from_header(real).unwrap();
    let places = |spec: &Spec, begin: u64| -> Vec<Tensor> {
        let relative = |tensor: Tensor| Tensor { offset: tensor.offset - begin, ..tensor };
        spec.tensors().map(|(_, tensor)| relative(tensor)).collect()
    };
    let [mut here, there] = [places(&found, header.data_offset), places(&want, real.data_offset)];
    assert_eq!(here[0].rows, PIECES);
    here[0] = there[0];
    assert!(here == there);
    // What is left is not about tensors, but for the vocabulary's length.
    found.n_vocab = want.n_vocab;
    found.tokenizer = want.tokenizer;
    found.embedding = want.embedding;
    found.layers = want.layers.clone();
    found.output_norm = want.output_norm;
    found.dense = want.dense.clone();
    assert!(found == want);
}
