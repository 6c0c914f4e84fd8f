//! Damaged weights: a NaN or an infinity anywhere is found in the vector, and the error names the text.

use crate::support::{TinyModel, forward, random_ids, scratch_file};
use monomorph::built::{NAME, SOURCE, SPEC, tokenizer};
use monomorph::{EmbedOptions, Embedder, Error};
use monomorph_encoder::threads::Team;
use monomorph_gguf::TensorType;
use monomorph_spec::Tensor;
use monomorph_testing::{Random, tiny};
use std::collections::HashSet;
use std::fs;
use std::io::{Write, stderr};

#[derive(Clone, Copy, Debug)]
enum Broken {
    Nan,
    Infinity,
}

/// The bytes of a broken value, or of a block's broken scale.
fn broken(kind: TensorType, broken: Broken) -> &'static [u8] {
    match (kind, broken) {
        (TensorType::F32, Broken::Nan) => &[0, 0, 0xc0, 0x7f],
        (TensorType::F32, Broken::Infinity) => &[0, 0, 0x80, 0x7f],
        (TensorType::BF16, Broken::Nan) => &[0xc0, 0x7f],
        (TensorType::BF16, Broken::Infinity) => &[0x80, 0x7f],
        // Q8_0 begins with a float16 scale.
        (_, Broken::Nan) => &[0x00, 0x7e],
        (_, Broken::Infinity) => &[0x00, 0x7c],
    }
}

/// Breaks the first value or block of a tensor's row.
fn damage(bytes: &mut [u8], tensor: Tensor, row: usize, how: Broken) {
    let patch = broken(tensor.kind, how);
    let at = tensor.offset as usize + row * (tensor.n_bytes as usize / tensor.rows);
    bytes[at..at + patch.len()].copy_from_slice(patch);
}

/// The file of the build with one row of the embeddings broken: the header is the same, so the gate lets it pass.
#[test]
fn the_error_names_the_text() {
    if NAME != tiny::NAME {
        writeln!(stderr(), "SKIPPED: the model of this build is not the tiny one").expect("stderr");
        return;
    }
    let texts = ["Mars is red.", "Which planet is known?", "the end of the day"];
    let ids = texts.map(|text| tokenizer().encode(text, SPEC.n_ctx).ids);
    let others: HashSet<u32> = ids[0].iter().chain(&ids[2]).copied().collect();
    let only_here = ids[1].iter().find(|id| !others.contains(id));
    let row = *only_here.expect("a piece of its own") as usize;

    for how in [Broken::Nan, Broken::Infinity] {
        let mut bytes = fs::read(SOURCE).expect("the file of the build");
        damage(&mut bytes, SPEC.embedding.tokens, row, how);
        let path = scratch_file(&format!("one-piece-{how:?}.gguf"));
        fs::write(&path, &bytes).expect("the folder is writable");
        for isa in monomorph_simd::available() {
            let embedder = Embedder::options().isa(isa).open(&path).expect("it fits");
            let good = Embedder::options().isa(isa).open(SOURCE).expect("it fits");
            let error = embedder.embed_batch(&texts).expect_err("a broken vector");
            assert!(matches!(error, Error::NotFinite { text: 1 }), "{error:?}");
            assert_eq!(error.text(), Some(1));
            assert!(error.to_string().starts_with("text 2: "), "{error}");
            let raw = EmbedOptions { normalize: false, ..Default::default() };
            let error = embedder.run(&texts, &raw).expect_err("a broken vector");
            assert!(matches!(error, Error::NotFinite { text: 1 }), "{error:?}");
            // The embedder still works, and the other texts have the right vectors.
            for text in [texts[0], texts[2]] {
                assert_eq!(
                    embedder.embed(text).expect("a vector"),
                    good.embed(text).expect("a vector")
                );
            }
        }
        assert!(Embedder::verify(&path).is_err(), "its content has changed");
    }
    assert!(Embedder::verify(SOURCE).is_ok());
}

/// A broken value in any tensor, of any type, must not get lost on the way to the vector.
#[test]
fn a_broken_value_in_any_tensor_reaches_the_vector() {
    for kind in [TensorType::Q8_0, TensorType::F32, TensorType::F16, TensorType::BF16] {
        let name = format!("broken-{kind}");
        let whole = TinyModel::new(&name, tiny::Options { weights: kind, ..Default::default() });
        let mut random = Random(11);
        let ids = random_ids(&mut random, whole.spec.n_vocab, 17);
        let tensors: Vec<_> = whole
            .spec
            .tensors()
            .filter(|(name, _)| !name.starts_with("blk.") || name.starts_with("blk.2."))
            .collect();
        for ((name, tensor), how) in
            tensors.iter().flat_map(|tensor| [(tensor, Broken::Nan), (tensor, Broken::Infinity)])
        {
            let mut bytes = whole.bytes.clone();
            let row = if name.starts_with("token_embd") { ids[5] as usize } else { 0 };
            damage(&mut bytes, *tensor, row, how);
            let model = TinyModel::from_bytes(&format!("broken-{kind}"), bytes);
            for (isa, encoder) in model.encoders(&model.spec) {
                let vector =
                    forward(&*encoder, &Team::solo(), model.spec.n_embd, &[&ids]).remove(0);
                assert!(
                    vector.iter().any(|x| !x.is_finite()),
                    "{how:?} in {name} ({kind}) is lost on {isa}"
                );
            }
        }
        println!("{kind}: {} tensors", tensors.len());
    }
}
