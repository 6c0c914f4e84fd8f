//! The committed generated code compiles, says what the headers say, and runs.
//!
//! A test of the generator's crate (codegen/tests/codegen/golden.rs) checks that the generator writes exactly this
//! code.

#![allow(clippy::unreadable_literal)] // Offsets are generated.

mod model_tiny {
    include!("../../testdata/golden/model_tiny.rs");
}

mod model_embeddinggemma {
    include!("../../testdata/golden/model_embeddinggemma.rs");
}

mod model_minilm {
    include!("../../testdata/golden/model_minilm.rs");
}

mod model_e5 {
    include!("../../testdata/golden/model_e5.rs");
}

mod model_nomic {
    include!("../../testdata/golden/model_nomic.rs");
}

mod model_qwen3 {
    include!("../../testdata/golden/model_qwen3.rs");
}

mod model_modern_bert {
    include!("../../testdata/golden/model_modern_bert.rs");
}

mod model_gemma_embedding2 {
    include!("../../testdata/golden/model_gemma_embedding2.rs");
}

mod model_gemma3 {
    include!("../../testdata/golden/model_gemma3.rs");
}

use crate::support::{TinyModel, bits, forward, random_ids};
use monomorph_encoder::dim::{Const, Dim};
use monomorph_encoder::model::Model;
use monomorph_encoder::select;
use monomorph_encoder::threads::Team;
use monomorph_gguf::Header;
use monomorph_spec::{Algorithm, Fingerprint, Ops, Pooling, Spec, Window};
use monomorph_testing::Random;
use std::fs;
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_128;

fn testdata(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata");
    fs::read(folder.join(name)).expect("a file of testdata")
}

/// All generated constants equal those of the header.
fn assert_says_what_the_header_says(
    bytes: &[u8],
    content: u128,
    model: &impl Model,
    fingerprint: &Fingerprint,
) {
    let header = Header::parse(bytes, fingerprint.file_len).expect("a header");
    let spec = Spec::from_header(&header).expect("a model");
    assert!(*model.spec() == spec);
    assert_eq!(*fingerprint, Fingerprint::new(&header, bytes, content).expect("a vocabulary"));
    let dimensions = [
        (model.n_embd().size(), spec.n_embd),
        (model.n_ff().size(), spec.n_ff),
        (model.n_head().size(), spec.n_head),
        (model.n_head_kv().size(), spec.n_head_kv),
        (model.head_dim().size(), spec.head_dim),
        (model.n_attn().size(), spec.n_head * spec.head_dim),
        (model.full_n_head_kv().size(), spec.heads_of(Window::Full).n_head_kv),
        (model.full_head_dim().size(), spec.heads_of(Window::Full).head_dim),
        (model.full_n_attn().size(), spec.heads_of(Window::Full).n_attn()),
        (model.n_layer_input().size(), spec.n_layer_input()),
    ];
    assert!(dimensions.iter().all(|(constant, field)| constant == field));
    assert_eq!(ops_of(model), Ops::of(&spec));
}

fn ops_of<M: Model>(_: &M) -> Ops {
    M::OPS
}

#[test]
fn tiny_says_what_its_header_says() {
    use model_tiny::{Built, FINGERPRINT, NAME, SPEC};
    let bytes = testdata("tiny.gguf");
    assert_says_what_the_header_says(&bytes, xxh3_128(&bytes), &Built, &FINGERPRINT);
    assert_eq!(FINGERPRINT.file_len, bytes.len() as u64);
    assert_eq!(NAME, "Monomorph Tiny");
    let _: Const<128> = Built.n_embd();
    assert_eq!((SPEC.layers[0].window, SPEC.n_ctx), (Window::Sliding(8), 256));
}

#[test]
fn embeddinggemma_says_what_its_header_says() {
    use model_embeddinggemma::{Built, FINGERPRINT, NAME, SPEC};
    let bytes = testdata("headers/embeddinggemma-300m-Q8_0.header.gguf");
    assert_says_what_the_header_says(&bytes, 0, &Built, &FINGERPRINT);
    assert_eq!(NAME, "EmbeddingGemma 300M");
    let _: Const<768> = Built.n_embd();
    let _: Const<1152> = Built.n_ff();
    let _: Const<768> = Built.n_attn();
    let _: Const<256> = Built.head_dim();
    let full = SPEC.layers.iter().enumerate().filter(|(_, layer)| layer.window == Window::Full);
    assert_eq!(full.map(|(i, _)| i).collect::<Vec<_>>(), [5, 11, 17, 23]);
    assert_eq!((SPEC.layers.len(), SPEC.n_ctx), (24, 2048));
    assert_eq!(SPEC.layers[0].window, Window::Sliding(256));
    assert_eq!(SPEC.pooling, Pooling::Mean);
    assert_eq!(SPEC.dense.len(), 2);
    assert_eq!((SPEC.tokenizer.bos, SPEC.tokenizer.eos, SPEC.tokenizer.unknown), (2, 1, Some(3)));
}

#[test]
fn gemma3_says_what_its_header_says() {
    use model_gemma3::{Built, FINGERPRINT, NAME, SPEC};
    let bytes = testdata("headers/gemma3-270m-Q4_K_M.header.gguf");
    assert_says_what_the_header_says(&bytes, 0, &Built, &FINGERPRINT);
    assert_eq!(NAME, "Gemma 3 270m");
    let _: Const<640> = Built.n_embd();
    let _: Const<1024> = Built.n_attn();
    assert!(SPEC.causal && SPEC.dense.is_empty() && !SPEC.tokenizer.add_eos);
    assert_eq!((SPEC.layers[0].window, SPEC.n_ctx), (Window::Sliding(511), 8192));
    assert_eq!((SPEC.pooling, SPEC.score_scale), (Pooling::Mean, 1.0 / 16.0));
}

#[test]
fn minilm_says_what_its_header_says() {
    use model_minilm::{Built, FINGERPRINT, NAME, SPEC};
    let bytes = testdata("headers/minilm-Q8_0.header.gguf");
    assert_says_what_the_header_says(&bytes, 0, &Built, &FINGERPRINT);
    assert_eq!(NAME, "minilm");
    let _: Const<384> = Built.n_embd();
    let _: Const<1536> = Built.n_ff();
    let _: Const<32> = Built.head_dim();
    assert_eq!((SPEC.layers.len(), SPEC.n_ctx, SPEC.pooling), (6, 512, Pooling::Mean));
    assert!(SPEC.ropes.is_empty() && SPEC.layers[5].rope.is_none());
    assert_eq!(
        (SPEC.tokenizer.bos, SPEC.tokenizer.eos, SPEC.tokenizer.unknown),
        (101, 102, Some(100))
    );
}

#[test]
fn multilingual_e5_says_what_its_header_says() {
    use model_e5::{Built, FINGERPRINT, NAME, SPEC};
    let bytes = testdata("headers/e5-small-Q4_0.header.gguf");
    assert_says_what_the_header_says(&bytes, 0, &Built, &FINGERPRINT);
    assert_eq!(NAME, "e5-small");
    let _: Const<384> = Built.n_embd();
    assert_eq!((SPEC.layers.len(), SPEC.n_ctx, SPEC.pooling), (12, 512, Pooling::Mean));
    assert_eq!(SPEC.tokenizer.algorithm, Algorithm::Unigram);
    assert_eq!((SPEC.tokenizer.bos, SPEC.tokenizer.eos, SPEC.tokenizer.unknown), (0, 2, Some(3)));
    assert_eq!(SPEC.prompts.len(), 2);
}

#[test]
fn other_families_say_what_their_headers_say() {
    for (file, says) in [("nomic", 0), ("qwen3", 1), ("modern", 2)] {
        let bytes = testdata(&format!("headers/{file}-tiny-F32.header.gguf"));
        match says {
            0 => assert_says_what_the_header_says(
                &bytes,
                0,
                &model_nomic::Built,
                &model_nomic::FINGERPRINT,
            ),
            1 => assert_says_what_the_header_says(
                &bytes,
                0,
                &model_qwen3::Built,
                &model_qwen3::FINGERPRINT,
            ),
            _ => assert_says_what_the_header_says(
                &bytes,
                0,
                &model_modern_bert::Built,
                &model_modern_bert::FINGERPRINT,
            ),
        }
    }
    assert_eq!(model_qwen3::SPEC.pooling, Pooling::Last);
    assert_eq!(model_nomic::SPEC.ropes.len(), 1);
    assert!(model_modern_bert::SPEC.layers[0].block.attn_norm.is_none());
}

#[test]
fn gemma_embedding2_says_what_its_header_says() {
    use model_gemma_embedding2::{Built, FINGERPRINT};
    let bytes = testdata(GEMMA_EMBEDDING2);
    assert_says_what_the_header_says(&bytes, xxh3_128(&bytes), &Built, &FINGERPRINT);
    let _: Const<32> = Built.head_dim();
    let _: Const<64> = Built.full_head_dim();
    let _: Const<256> = Built.full_n_attn();
    let _: Const<32> = Built.n_layer_input();
}

const GEMMA_EMBEDDING2: &str = "golden/families/gemma-embedding2-tiny.gguf";

/// A model's dimensions as constants and the same dimensions read at run time give the same bits.
#[test]
fn tiny_runs_and_equals_the_generic_path() {
    equals_the_generic_path("tiny.gguf", || model_tiny::Built);
}

#[test]
fn gemma_embedding2_runs_and_equals_the_generic_path() {
    equals_the_generic_path(GEMMA_EMBEDDING2, || model_gemma_embedding2::Built);
}

fn equals_the_generic_path<M: Model>(file: &str, built: fn() -> M) {
    let model = TinyModel::from_bytes(&file.replace('/', "-"), testdata(file));
    let mut random = Random(3);
    let n = model.spec.n_out;
    let texts: Vec<Vec<u32>> = [1, 2, 9, 17, 40, 256]
        .iter()
        .map(|len| random_ids(&mut random, model.spec.n_vocab, *len))
        .collect();
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    for (isa, generic) in model.encoders(&model.spec) {
        let specialised = select(isa, built(), model.weights(), model.rope());
        let specialised = specialised.expect("an encoder");
        let run = |encoder| bits(&forward(encoder, &Team::solo(), n, &texts));
        assert_eq!(run(&*specialised), run(&*generic), "{isa}");
        println!("{isa}: specialised and generic give the same bits");
    }
}
