//! EmbeddingGemma 2's architecture against its original implementation: a small model of random weights, whose vectors and
//! token ids testdata/golden/families/gemma_embedding2.py made with transformers.

use crate::reference::{self, Reference, Unstated};
use crate::support::{TinyModel, forward};
use monomorph::tokenizer::Tokenizer;
use monomorph_codegen::vocab;
use monomorph_encoder::threads::Team;
use monomorph_gguf::Header;
use monomorph_spec::{Algorithm, Pooling, Shortening, Window};
use std::fs;
use std::path::PathBuf;

fn testdata(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/golden/families");
    fs::read(folder.join(format!("gemma-embedding2-tiny.{name}"))).expect("a file of testdata")
}

fn lines<T: serde::de::DeserializeOwned>(name: &str) -> Vec<T> {
    let lines = String::from_utf8(testdata(name)).expect("UTF-8");
    lines.lines().map(|line| serde_json::from_str(line).expect("a line")).collect()
}

#[derive(serde::Deserialize)]
struct Text {
    text: String,
    n_tokens: usize,
}

fn model(test: &str) -> (TinyModel, Tokenizer) {
    let model = TinyModel::from_bytes(&format!("gemma-embedding2-{test}"), testdata("gguf"));
    let header = Header::parse(&model.bytes, model.bytes.len() as u64).expect("a header");
    let blob = vocab::build(&header, &model.spec.tokenizer).expect("a vocabulary");
    (model, Tokenizer::new(blob.leak()))
}

#[test]
fn the_file_is_what_it_says() {
    let (model, _) = model("says");
    let spec = &model.spec;
    assert_eq!((spec.n_embd, spec.n_out, spec.n_layer_input()), (64, 96, 32));
    let windows: Vec<Window> = spec.layers.iter().map(|layer| layer.window).collect();
    let (near, full) = (Window::Sliding(8), Window::Full);
    assert_eq!(windows, [near, near, full, near, full]);
    let heads = |window| {
        let heads = spec.heads_of(window);
        (heads.n_head, heads.n_head_kv, heads.head_dim)
    };
    assert_eq!((heads(near), heads(full)), ((4, 2, 32), (4, 1, 64)));
    let ropes: Vec<(usize, f32)> = spec.ropes.iter().map(|r| (r.head_dim, r.base)).collect();
    assert_eq!(ropes, [(32, 1e4), (64, 1e6)]);
    assert_eq!((spec.score_scale, spec.embedding_scale, spec.causal), (1.0, 8.0, false));
    assert_eq!((spec.pooling, spec.shortening), (Pooling::Mean, Shortening::Cut));
    assert_eq!(spec.tokenizer.algorithm, Algorithm::ListedMerges);
    // The file states 262,144.
    assert_eq!(spec.n_ctx, 8192);
    assert!(spec.notes.is_empty());
    assert!(spec.prompts.iter().any(|prompt| prompt.names.contains(&"query")));
}

#[test]
fn ids_are_those_of_the_original_tokenizer() {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (_, tokenizer) = model("ids");
    let digit = |c: u8| DIGITS.iter().position(|&digit| digit == c).expect("a digit of base 64");
    let id = |digits: &[u8; 3]| digits.iter().fold(0, |id, &c| id * 64 + digit(c) as u32);
    let cases: Vec<(String, String)> = lines("tokens.jsonl");
    assert_eq!(cases.len(), 1530);
    for (text, digits) in cases {
        let want: Vec<u32> = digits.as_bytes().as_chunks().0.iter().map(id).collect();
        let got = tokenizer.encode(&text, usize::MAX);
        assert_eq!(got.ids, want, "{text:?}");
        assert_eq!((got.dropped, got.dropped_is_exact), (0, true), "{text:?}");
        // A text comes back, but for what cuts pieces out of it and for U+2581.
        if !text.contains(['<', '\u{2581}']) {
            assert_eq!(tokenizer.decode(&got.ids, true), text);
        }
    }
}

#[test]
fn vectors_are_those_of_the_original_model() {
    let (model, tokenizer) = model("vectors");
    let texts: Vec<Text> = lines("embeddings.jsonl");
    let ids: Vec<Vec<u32>> =
        texts.iter().map(|of| tokenizer.encode(&of.text, usize::MAX).ids).collect();
    assert!(ids.iter().map(Vec::len).eq(texts.iter().map(|of| of.n_tokens)));
    let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
    // The values follow the 128 bytes of a NumPy header.
    let floats = testdata("embeddings.npy").split_off(128);
    let floats: Vec<f32> = floats.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let want: Vec<&[f32]> = floats.chunks_exact(model.spec.n_out).collect();
    assert_eq!(want.len(), ids.len());

    for (isa, encoder) in model.encoders(&model.spec) {
        let got = forward(&*encoder, &Team::solo(), model.spec.n_out, &ids);
        let lowest = lowest_cosine(&got, &want);
        println!("{isa}: cosine to the original at least {lowest:.9}");
        assert!(lowest > 0.999_999, "{isa}: {lowest}");
    }
    // So the reference, which other tests rely on, is the original too.
    let unstated = Unstated {
        causal: false,
        activation: reference::gelu_tanh,
        scaled_embeddings: true,
        full_layers: (6, 5),
        scaled_scores: false,
        normed_values: true,
    };
    let reference = Reference::read_as(&model.bytes, unstated);
    let vector = |ids: &&[u32]| {
        let states = reference.states(ids);
        reference.vector(&states[model.spec.n_layer()], reference::Pooling::Mean, true)
    };
    let lowest = lowest_cosine(&ids.iter().map(vector).collect::<Vec<_>>(), &want);
    assert!(lowest > 0.999_999, "reference: {lowest}");
}

fn lowest_cosine(got: &[Vec<f32>], want: &[&[f32]]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let cosine = |(a, b): (&Vec<f32>, &&[f32])| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    got.iter().zip(want).map(cosine).fold(1.0, f64::min)
}
