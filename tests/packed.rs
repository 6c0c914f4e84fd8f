//! Weights as a build puts them inside a binary give the same bits as the file they were packed from, whatever its
//! shape; `parity` has every block format.

mod support;

use monomorph::encoder::select_generic;
use monomorph::pool::{Pool, Team};
use monomorph_gguf::{FileShape, TensorType};
use support::{Random, TinyModel, bits, forward, random_ids, tiny};

#[test]
fn packed_weights_give_the_bits_of_the_file() {
    // Panels alone, floats beside them, and every shape of file.
    let mixed: &[(&str, TensorType)] = &[("ffn_up", TensorType::F16), ("attn_q", TensorType::BF16)];
    let shapes = [
        FileShape::WithDense,
        FileShape::WithoutDense,
        FileShape::Ollama,
        FileShape::LanguageModel,
    ];
    for (shape, odd) in shapes.into_iter().flat_map(|shape| [(shape, &[][..]), (shape, mixed)]) {
        let name = format!("{shape:?} {}", odd.len());
        let options = tiny::Options { shape, odd, ..Default::default() };
        let model = TinyModel::new(&format!("packed {name}"), options);
        let mut random = Random(7);
        let texts: Vec<Vec<u32>> = [1, 17, 100]
            .iter()
            .map(|len| random_ids(&mut random, model.spec.n_vocab, *len))
            .collect();
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        for (isa, file) in model.encoders(&model.spec) {
            let inside = select_generic(isa, model.spec.clone(), model.packed(), model.rope());
            let mut inside = inside.expect("an encoder");
            let run = |encoder| bits(&forward(encoder, &Team::solo(), model.spec.n_embd, &texts));
            assert_eq!(run(&*file), run(&*inside), "{name} on {isa}");
            inside.keep_panels(&Pool::new(1).expect("no thread")).expect("nothing to keep");
            assert_eq!(inside.kept_bytes(), 0, "they are unpacked already");
        }
        println!("{name}: the same bits");
    }
}
