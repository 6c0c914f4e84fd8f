//! A model that is opened from bytes gives the vectors of its file, and its bytes are checked like a file.

use crate::support::bits;
use monomorph::built::SOURCE;
use monomorph::{Embedder, Error};
use monomorph_testing::tiny;
use std::borrow::Cow;
use std::fs;

const TEXTS: [&str; 3] = ["Mars is red.", "", "question planet question"];

#[test]
fn bytes_give_the_bits_of_the_file() {
    let file = fs::read(SOURCE).expect("the model of the build");
    let open = |bytes: Cow<'static, [u8]>| {
        let options = Embedder::options().threads(2);
        let kept = options.clone().keep_panels(true).open_bytes(bytes.clone()).expect("it fits");
        assert!(kept.info().kept_bytes > 0);
        [kept, options.open_bytes(bytes).expect("it fits")]
    };
    let want = Embedder::open(SOURCE).expect("it fits").embed_batch(&TEXTS).expect("vectors");
    // At several places of a cache line, and as bytes that are given away.
    let mut places: Vec<Cow<'static, [u8]>> = vec![file.clone().into()];
    for place in [0, 1, 4, 63] {
        let memory: &'static mut [u8] = vec![0; file.len() + 128].leak();
        let start = memory.as_ptr().align_offset(64) + place;
        memory[start..start + file.len()].copy_from_slice(&file);
        let memory: &'static [u8] = memory;
        places.push(memory[start..start + file.len()].into());
    }
    for bytes in places {
        for embedder in open(bytes) {
            assert_eq!(bits(&embedder.embed_batch(&TEXTS).expect("vectors")), bits(&want));
        }
    }
}

#[test]
fn bytes_that_do_not_fit_are_refused() {
    let refusal = |bytes: Vec<u8>| {
        let error = Embedder::options().open_bytes(bytes).err().expect("they do not fit");
        assert!(!error.to_string().contains('\n'));
        error
    };
    let mut file = fs::read(SOURCE).expect("the model of the build");
    file.pop();
    let error = refusal(file);
    assert!(matches!(error, Error::Gguf { .. }), "{error}");
    assert!(error.to_string().starts_with("the given bytes: "), "{error}");
    assert!(matches!(refusal(Vec::new()), Error::Gguf { .. }));
    assert!(matches!(refusal(b"<html>not found</html>".repeat(9)), Error::Gguf { .. }));

    let options = tiny::Options { variant: tiny::Variant::Ollama, ..Default::default() };
    let error = refusal(tiny::tiny_with(options));
    assert!(matches!(error, Error::WrongModel { .. }), "{error}");
    let line = error.to_string();
    assert!(
        line.starts_with("the given bytes are not those of the file this program was built for ("),
        "{line}"
    );
}
