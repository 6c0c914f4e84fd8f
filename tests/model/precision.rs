//! Every precision against what sentence-transformers makes of the original model's vectors (testdata/precision).

use monomorph::{BitOrder, Precision, Quantizer, Ranges, Values};
use std::fs;
use std::path::Path;

/// The bytes of the values, which follow the 128 bytes of a NumPy header.
fn npy(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(path);
    fs::read(path).expect("a file of testdata").split_off(128)
}

fn floats(path: &str) -> Vec<f32> {
    npy(path).as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

const DIMENSIONS: usize = 768;

#[test]
fn precisions_are_those_of_sentence_transformers() {
    let vectors = floats("golden/embeddings.npy");
    let ranges = floats("precision/ranges.npy");
    let (least, greatest) = ranges.split_at(DIMENSIONS);

    let mut own = Ranges::default();
    let sample = &vectors[..vectors.len() / 2];
    sample.chunks(DIMENSIONS).for_each(|vector| own.include(vector));
    assert_eq!((&own.least[..], &own.greatest[..]), (least, greatest));

    for precision in [
        Precision::Float16,
        Precision::Int8,
        Precision::Uint8,
        Precision::Binary,
        Precision::Ubinary,
    ] {
        let quantizer =
            Quantizer::new(precision, BitOrder::Msb, Some(&own), DIMENSIONS).expect("ranges");
        let expected = npy(&format!("precision/{precision}.npy"));
        let found: Vec<u8> = vectors
            .chunks(DIMENSIONS)
            .flat_map(|vector| quantizer.quantize(vector).to_le_bytes())
            .collect();
        assert!(found == expected, "{precision}");
    }
}

#[test]
fn float32_is_left_alone() {
    let values = Quantizer::default().quantize(&[0.1, -0.0]);
    assert_eq!(values, Values::F32(vec![0.1, -0.0]));
}
