//! Byte-level BPE's files: patterns, marks and merges.

use monomorph_gguf::writer::{Value, Writer};
use monomorph_gguf::{Error, TensorType};
use monomorph_spec::arch::{self, Arch, TokenizerRule};
use monomorph_spec::{Algorithm, BuildOptions, Spec, Split, TokenizerSpec};
use monomorph_testing::files::{parse, refused};
use monomorph_testing::{Random, architecture};

/// Any architecture, with all tokenizers of this kind.
fn arch() -> Arch {
    let rules = arch::ALL.iter().flat_map(|arch| arch.tokenizers).copied();
    let rules = rules.filter(|rule| matches!(rule, TokenizerRule::ByteLevel { .. }));
    let bert = arch::ALL.iter().rfind(|arch| arch.name == "bert").expect("an architecture");
    Arch { tokenizers: rules.collect::<Vec<_>>().leak(), ..*bert }
}

/// A tiny file as today's converter writes it: its last pieces are these, and are special.
fn file(pre: &str, specials: [&str; 3]) -> Writer {
    let sizes = architecture::sizes(64, 96, [2, 2, 32], 48);
    let mut file = architecture::writer(&arch(), sizes, 1, TensorType::F32, &mut Random(1));
    let n_vocab = monomorph_testing::tiny::vocabulary().len();
    let n_normal = n_vocab - specials.len();
    let normal = (0..n_normal).map(|id| format!("Ġ{id}"));
    let pieces = normal.chain(specials.map(str::to_owned)).map(String::into_bytes);
    let kinds = (0..n_vocab).map(|id| if id < n_normal { 1 } else { 3 });
    for key in ["scores", "add_space_prefix", "add_bos_token", "add_eos_token"] {
        file.remove(&format!("tokenizer.ggml.{key}"));
    }
    for key in ["bos", "eos", "unknown", "padding"] {
        file.remove(&format!("tokenizer.ggml.{key}_token_id"));
    }
    file.set("tokenizer.ggml.model", "gpt2")
        .set("tokenizer.ggml.pre", pre)
        .set("tokenizer.ggml.tokens", Value::Strings(pieces.collect()))
        .set("tokenizer.ggml.token_type", Value::I32s(kinds.collect()))
        .set("tokenizer.ggml.merges", Value::Strings(vec![b"a b".to_vec()]));
    file
}

fn whole(file: &Writer) -> Result<Spec, Error> {
    let bytes = file.to_bytes();
    Spec::from_header_among(&parse(&bytes)?, BuildOptions::default(), &[arch()])
}

fn judge(file: &Writer) -> Result<TokenizerSpec, Error> {
    let spec = whole(file)?.tokenizer;
    assert!(spec.algorithm.is_byte_level() && !spec.add_space_prefix);
    Ok(spec)
}

/// The id of the special piece with this number.
fn id(number: u32) -> u32 {
    monomorph_testing::tiny::vocabulary().len() as u32 - 3 + number
}

fn qwen() -> Writer {
    let mut file = file("qwen2", ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]);
    file.set("tokenizer.ggml.eos_token_id", id(0)).set("tokenizer.ggml.bos_token_id", id(0));
    file.set("tokenizer.ggml.add_bos_token", false).set("tokenizer.ggml.add_eos_token", true);
    file
}

#[test]
fn qwen_ends_a_text() {
    let spec = judge(&qwen()).unwrap();
    assert_eq!(spec.algorithm, Algorithm::ByteLevel(Split::Qwen2));
    assert_eq!((spec.eos, spec.add_bos, spec.add_eos, spec.unknown), (id(0), false, true, None));

    // A file that says so ends its texts as it says.
    let mut other = qwen();
    other.set("tokenizer.ggml.eos_token_id", id(2));
    assert_eq!(judge(&other).unwrap().eos, id(2));
    other.set("tokenizer.ggml.add_bos_token", true).set("tokenizer.ggml.bos_token_id", id(1));
    let spec = judge(&other).unwrap();
    assert_eq!((spec.bos, spec.add_bos), (id(1), true));
    assert!(!judge(other.set("tokenizer.ggml.add_eos_token", false)).unwrap().add_eos);
    other.remove("tokenizer.ggml.bos_token_id");
    refused(judge(&other), &["missing", "tokenizer.ggml.bos_token_id"]);
    refused(
        judge(qwen().set("tokenizer.ggml.add_eos_token", false)),
        &["tokenizer.ggml.add_eos_token", "false", "empty text"],
    );
}

/// Older files do not say that a text ends with a token, and name the one that ends a turn of a chat.
#[test]
fn older_files_of_qwen_end_a_text_too() {
    let mut old = qwen();
    old.remove("tokenizer.ggml.add_eos_token");
    old.remove("tokenizer.ggml.add_bos_token");
    old.set("tokenizer.ggml.eos_token_id", id(2));
    let spec = judge(&old).unwrap();
    assert_eq!((spec.eos, spec.add_bos, spec.add_eos), (id(0), false, true));
    let notes = whole(&old).unwrap().notes;
    assert!(notes.iter().any(|note| note.contains("does not say how texts end")), "{notes:?}");
    assert!(whole(&qwen()).unwrap().notes.iter().all(|note| !note.contains("texts end")));

    // Without the token that ends a text, it is the one that the file names.
    let mut old = file("qwen2", ["<a>", "<b>", "<c>"]);
    old.set("tokenizer.ggml.eos_token_id", id(2));
    let spec = judge(&old).unwrap();
    assert_eq!((spec.bos, spec.eos, spec.add_eos), (id(2), id(2), true));
    old.remove("tokenizer.ggml.eos_token_id");
    refused(judge(&old), &["missing", "tokenizer.ggml.eos_token_id"]);
}

#[test]
fn modern_bert_has_the_marks_of_bert() {
    let mut modern = file("modern-bert", ["[CLS]", "[SEP]", "[MASK]"]);
    let marks = |spec: TokenizerSpec| (spec.bos, spec.eos, spec.add_bos, spec.add_eos);
    let spec = judge(&modern).unwrap();
    assert_eq!(spec.algorithm, Algorithm::ByteLevel(Split::Gpt2));
    assert_eq!(marks(spec), (id(0), id(1), true, true));
    modern.set("tokenizer.ggml.add_eos_token", false).set("tokenizer.ggml.eos_token_id", 7);
    assert_eq!(marks(judge(&modern).unwrap()), (id(0), id(1), true, true));
    modern.set("tokenizer.ggml.cls_token_id", 5).set("tokenizer.ggml.seperator_token_id", 6);
    assert_eq!(marks(judge(&modern).unwrap()), (5, 6, true, true));

    let mut named = file("modern-bert", ["<s>", "</s>", "<mask>"]);
    refused(judge(&named), &["missing", "tokenizer.ggml.bos_token_id"]);
    named.set("tokenizer.ggml.bos_token_id", id(0)).set("tokenizer.ggml.eos_token_id", id(1));
    assert_eq!(marks(judge(&named).unwrap()), (id(0), id(1), true, true));
}

#[test]
fn what_this_version_cannot_split_is_refused() {
    let key = "tokenizer.ggml.pre";
    refused(judge(qwen().set(key, "llama-bpe")), &[key, "llama-bpe", "qwen2", "modern-bert"]);
    refused(judge(qwen().remove(key)), &["missing", key]);
    let key = "tokenizer.ggml.merges";
    refused(judge(qwen().remove(key)), &["missing", key]);
    refused(judge(qwen().set(key, 3)), &[key, "3", "array"]);
    refused(judge(qwen().set(key, Value::I32s(vec![1]))), &[key, "array of string"]);
    let key = "tokenizer.ggml.add_space_prefix";
    refused(judge(qwen().set(key, true)), &[key, "true", "false"]);
    assert!(judge(qwen().set(key, false)).is_ok());
}
