//! The image of a model that a build puts inside a binary gives the same bits as the file it was made from, whatever
//! the file's variant. `parity` tests every block format.

use crate::support::{TinyModel, bits, forward, random_ids};
use monomorph_encoder::select_generic;
use monomorph_encoder::threads::{Team, Threads};
use monomorph_gguf::TensorType;
use monomorph_testing::tiny::Variant;
use monomorph_testing::{Random, tiny};

#[test]
fn an_image_gives_the_bits_of_the_file() {
    // Every variant of the file, with only panels and with floats as well.
    let mixed: &[(&str, TensorType)] = &[("ffn_up", TensorType::F16), ("attn_q", TensorType::BF16)];
    let variants = Variant::ALL.into_iter();
    for (variant, odd) in variants.flat_map(|variant| [(variant, &[][..]), (variant, mixed)]) {
        let name = format!("{variant:?} {}", odd.len());
        let options = tiny::Options { variant, odd, ..Default::default() };
        let model = TinyModel::new(&format!("image {name}"), options);
        let mut random = Random(7);
        let texts: Vec<Vec<u32>> = [1, 17, 100]
            .iter()
            .map(|len| random_ids(&mut random, model.spec.n_vocab, *len))
            .collect();
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        for (isa, file) in model.encoders(&model.spec) {
            let inside = select_generic(isa, model.spec.clone(), model.image(), model.rope());
            let mut inside = inside.expect("an encoder");
            let run = |encoder| bits(&forward(encoder, &Team::solo(), model.spec.n_embd, &texts));
            assert_eq!(run(&*file), run(&*inside), "{name} on {isa}");
            inside.keep_panels(&Threads::new(1).expect("no thread")).expect("nothing to keep");
            assert_eq!(inside.kept_bytes(), 0, "an image is panels already");
        }
        println!("{name}: the same bits");
    }
}
