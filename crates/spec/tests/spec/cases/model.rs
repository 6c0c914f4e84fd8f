//! Faults in what a file says about its model, each made in the tiny model.

use std::sync::LazyLock;

use monomorph_gguf::writer::{Tensor, Value, Writer};

use super::{Beginning, Cases, Class};
use monomorph_testing::tiny::{self, Options};

/// Built once: learning the vocabulary takes a while.
fn model() -> Writer {
    static MODEL: LazyLock<Writer> = LazyLock::new(|| tiny::writer(Options::default()));
    MODEL.clone()
}

pub fn add(cases: &mut Cases) {
    value_types(cases);
    tensors(cases);
    spare_bytes(cases);
    vocabularies(cases);
    pieces(cases);
    hyper_parameters(cases);
}

fn with(key: &str, value: impl Into<Value>) -> Beginning {
    model().set(key, value).to_header()
}

fn with_tensor(name: &str, change: impl FnOnce(&mut Tensor)) -> Beginning {
    let mut file = model();
    change(file.tensor_mut(name).unwrap());
    file.to_header()
}

fn value_types(cases: &mut Cases) {
    let integer = "a non-negative integer";
    let n = "gemma-embedding.block_count";
    let vocabulary = ["tokens", "scores", "token_type"].map(|key| format!("tokenizer.ggml.{key}"));
    let empty_i8 = [&1u32.to_le_bytes()[..], &0u64.to_le_bytes()].concat();
    let mut all: Vec<(&str, Value, &str, &str)> = vec![
        (n, "24".into(), "string \"24\"", integer),
        (n, 24.0.into(), "f32 24.0", integer),
        (n, true.into(), "bool true", integer),
        (n, Value::Raw(5, vec![0xff; 4]), "i32 -1", integer),
        (n, Value::Raw(10, vec![0xff; 8]), "found 18446744073709551615", "1 to 1024"),
        (n, Value::I32s(vec![24]), "array of 1 i32", integer),
        ("general.architecture", 1.into(), "u32 1", "a string"),
        ("gemma-embedding.rope.freq_base", 10_000.into(), "u32 10000", "a floating-point number"),
        ("tokenizer.ggml.add_eos_token", 1.into(), "u32 1", "a bool"),
        ("tokenizer.ggml.tokens", "abc".into(), "string", "an array"),
        ("tokenizer.ggml.bos_token_id", "2".into(), "string \"2\"", integer),
    ];
    for key in &vocabulary {
        all.push((key, Value::Raw(9, empty_i8.clone()), "array of 0 i8", "an array of"));
    }
    for (key, value, found, expected) in all {
        let words = [&format!("key {key}"), found, expected];
        cases.add(Class::ValueType, format!("{found} as {key}"), with(key, value), &words);
    }
}

fn tensors(cases: &mut Cases) {
    for (type_id, name) in [(24, "I8"), (26, "I32"), (28, "F64"), (9, "Q8_1"), (15, "Q8_K")] {
        let file = with_tensor("blk.0.attn_q.weight", |tensor| {
            (tensor.type_id, tensor.data) = (type_id, vec![0; 1 << 20]);
            tensor.dims = vec![256, 96];
        });
        let words = ["blk.0.attn_q.weight", &format!("is {name}"), "supported: F32"];
        cases.add(Class::TensorType, format!("a matrix of {name}"), file, &words);
    }
    let file = with_tensor("blk.0.attn_norm.weight", |tensor| tensor.type_id = 1);
    cases.add(Class::TensorType, "a norm of F16", file, &["blk.0.attn_norm.weight", "F16", "F32"]);
    for name in ["token_embd", "blk.0.attn_q", "blk.5.ffn_down", "dense_3"] {
        let name = format!("{name}.weight");
        let file = with_tensor(&name, |tensor| tensor.dims.swap(0, 1));
        cases.add(Class::HyperParameters, format!("{name} transposed"), file, &[&name]);
    }
    let mut file = model();
    file.tensor("blk.0.attn_q.bias", monomorph_gguf::TensorType::F32, &[96], vec![0; 96 * 4]);
    let words = ["blk.0.attn_q.bias", "does not know"];
    cases.add(Class::HyperParameters, "a tensor too many", file.to_header(), &words);
    let mut file = model();
    file.tensors.retain(|tensor| tensor.name != b"blk.3.ffn_up.weight");
    let words = ["tensor blk.3.ffn_up.weight is missing"];
    cases.add(Class::HyperParameters, "a tensor too few", file.to_header(), &words);
}

fn spare_bytes(cases: &mut Cases) {
    let (bytes, file_len) = model().to_header();
    for more in [1, 31, 1 << 40] {
        let words = [&format!("{more} bytes follow the last tensor"), "the end of the file"];
        let file = (bytes.clone(), file_len + more);
        cases.add(Class::SpareBytes, format!("{more} bytes at the end"), file, &words);
    }
    let file = with_tensor("blk.0.attn_norm.weight", |tensor| tensor.offset = Some(32));
    let words = ["blk.0.attn_norm.weight", "data offset 32", "inside token_embd.weight"];
    cases.add(Class::SpareBytes, "a tensor inside another", file, &words);
    let file = with_tensor("token_embd.weight", |tensor| tensor.dims[1] = u64::MAX / 128 / 34);
    cases.add(
        Class::BeyondTheEnd,
        "a long tensor",
        file,
        &["token_embd.weight", "but the file has only"],
    );
}

fn vocabularies(cases: &mut Cases) {
    let mut add = |what: &str, file, words: &[&str]| {
        cases.add(Class::Vocabulary, what, file, words);
    };
    let n = tiny::vocabulary().len();
    let [fewer, more] = [n - 1, n + 1].map(|n| format!("{n} entries"));
    let [scores, kinds] = ["tokenizer.ggml.scores", "tokenizer.ggml.token_type"];
    let expected = format!("expected {n}");
    for (count, found) in [(n - 1, &fewer), (n + 1, &more)] {
        let file = with(scores, Value::F32s(vec![0.0; count]));
        add(&format!("{count} scores"), file, &[scores, found, &expected]);
        let file = with(kinds, Value::I32s(vec![1; count]));
        add(&format!("{count} kinds"), file, &[kinds, found, &expected]);
    }
    // llama.cpp also refuses rows without a piece: it wants as many rows of embeddings as the vocabulary has pieces.
    for rows in [n - 1, n + 1, n + 64] {
        let file = with_tensor("token_embd.weight", |tensor| {
            tensor.dims[1] = rows as u64;
            tensor.data = vec![0; rows * 136];
        });
        let [found, expected] = [rows, n].map(|rows| format!("[128, {rows}]"));
        let words = ["tensor token_embd.weight", &found, &expected];
        add(&format!("{rows} rows of embeddings"), file, &words);
    }
    for key in ["bos", "eos", "unknown", "padding"] {
        let key = format!("tokenizer.ggml.{key}_token_id");
        for id in [n as u32, u32::MAX] {
            let (found, expected) = (format!("found {id}"), format!("{n} pieces"));
            let words = [key.as_str(), &found, &expected];
            add(&format!("{id} as {key}"), with(&key, id), &words);
        }
    }
    let words = ["tokenizer.ggml.model", "gpt2", "llama"];
    add("another tokenizer", with("tokenizer.ggml.model", "gpt2"), &words);
}

fn pieces(cases: &mut Cases) {
    const ID: usize = 700;
    let written = tiny::vocabulary();
    let mut add = |what: &str, text: &[u8], score: f32, kind: i32, words: [&str; 3]| {
        let texts = written.iter().map(|piece| piece.text.clone().into_bytes());
        let (mut texts, mut scores): (Vec<_>, Vec<_>) =
            texts.zip(written.iter().map(|piece| piece.score)).unzip();
        let mut kinds: Vec<i32> = written.iter().map(|piece| piece.kind as i32).collect();
        (texts[ID], scores[ID], kinds[ID]) = (text.to_vec(), score, kind);
        let mut file = model();
        file.set("tokenizer.ggml.tokens", Value::Strings(texts))
            .set("tokenizer.ggml.scores", Value::F32s(scores))
            .set("tokenizer.ggml.token_type", Value::I32s(kinds));
        cases.add(Class::Vocabulary, what, file.to_header(), &words);
    };
    let [tokens, scores, kinds] =
        ["tokens", "scores", "token_type"].map(|key| format!("tokenizer.ggml.{key}"));
    add("an empty piece", b"", 0.0, 1, [&tokens, "piece 700 of 0 bytes", "1 to 65536"]);
    let found = "piece 700 of 65537 bytes";
    add("a long piece", &[b'x'; 65_537], 0.0, 1, [&tokens, found, "1 to 65536"]);
    for score in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let what = format!("score {score}");
        add(&what, b"x", score, 1, [&scores, "for piece 700", "a finite number"]);
    }
    for kind in [0, 7, -1, i32::MAX] {
        add(&format!("kind {kind}"), b"x", 0.0, kind, [&kinds, "for piece 700", "1 to 6"]);
    }
    for text in ["<0x0>", "<0x100>", "<0xGG>", "<0x+1>", "a", "\n"] {
        let words = [&tokens, "piece 700", "<0x00> to <0xFF>"];
        add(&format!("{text:?} as a byte"), text.as_bytes(), 0.0, 6, words);
    }
}

fn hyper_parameters(cases: &mut Cases) {
    for (key, values) in [
        ("block_count", &[0, 5, 7, 1025, u32::MAX][..]),
        ("embedding_length", &[0, 1, 127, 96, 160, 1 << 31, u32::MAX]),
        ("feed_forward_length", &[0, 159, 128, 1 << 30]),
        ("attention.head_count", &[0, 1, 2, 4, 33, 1 << 20, u32::MAX]),
        ("attention.head_count_kv", &[0, 2, 3, 4, u32::MAX]),
        ("attention.key_length", &[0, 16, 31, 64, u32::MAX]),
        ("attention.value_length", &[0, 16, 64, u32::MAX]),
        ("attention.sliding_window", &[0, 1, u32::MAX]),
        ("context_length", &[0, 1, (1 << 20) + 1, u32::MAX]),
        ("pooling_type", &[0, 4, u32::MAX]),
        ("dense_2_feat_in", &[0, 64]),
        ("dense_2_feat_out", &[0, 64]),
        ("dense_3_feat_in", &[0, 64]),
        ("dense_3_feat_out", &[0, 64]),
    ] {
        for &value in values {
            let file = with(&format!("gemma-embedding.{key}"), value);
            // The message names the key itself, or another key or a tensor that disagrees with it.
            cases.add(Class::HyperParameters, format!("{key} {value}"), file, &[]);
        }
    }
    for key in ["attention.layer_norm_rms_epsilon", "rope.freq_base", "rope.freq_base_swa"] {
        for value in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let key = format!("gemma-embedding.{key}");
            let words = [&format!("key {key}"), "a finite number above 0"];
            cases.add(Class::HyperParameters, format!("{key} {value}"), with(&key, value), &words);
        }
    }
}
