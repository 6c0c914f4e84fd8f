//! Compares every block format but Q8_0 with gguf-py, bit for bit, on the random blocks of testdata/quant/make.py.

use super::*;
use bytemuck::Zeroable;
use monomorph_simd::{Isa, Scalar};
use monomorph_testing::random_blocks::{Fixture, fixtures, random_blocks};
use xxhash_rust::xxh3::xxh3_64;

/// Number of blocks of each format.
const BLOCKS: usize = 1000;

#[test]
fn every_block_format_decodes_as_gguf_py_does() {
    let mut compared = Vec::new();
    for fixture in fixtures() {
        compare(&fixture);
        compared.push(fixture.kind);
    }
    let names: Vec<_> = compared.iter().map(|kind| kind.name()).collect();
    println!("formats equal to gguf-py's on {BLOCKS} blocks each: {}", names.join(", "));
    // The float types are plain floats, and tests/model/reference/ has its own decoder for Q8_0.
    assert_eq!(compared, FORMATS[4..], "expected a fixture for each format, in order");
    assert_eq!(monomorph_spec::MATRIX_TYPES, FORMATS);
    assert_eq!(monomorph_spec::WIDTH_MULTIPLE, BLOCK);
}

fn compare(fixture: &Fixture) {
    let name = fixture.kind;
    let len = fixture.kind.block_len() as usize;
    let mut weights = vec![0.0; BLOCKS * len];
    let bytes = random_blocks(fixture.kind, BLOCKS, fixture.kind as u64);
    decode_blocks(fixture.kind, &bytes, &mut weights);
    assert_eq!(fixture.first.len(), 4);
    for (b, (want, got)) in fixture.first.iter().zip(weights.chunks(len)).enumerate() {
        assert_eq!(want.len(), got.len());
        for (i, (want, got)) in want.iter().zip(got).enumerate() {
            assert!(
                want.to_bits() == got.to_bits(),
                "{name}: weight {i} of block {b} is {got:?}, but {want:?} in gguf-py"
            );
        }
    }
    let bytes: Vec<u8> = weights.iter().flat_map(|w| w.to_le_bytes()).collect();
    assert_eq!(xxh3_64(&bytes), fixture.hash, "{name}: a weight after block 3 differs");
}

/// One block of a panel as floats.
trait Weights: PanelBlock {
    fn weight(&self, k: usize, c: usize) -> f32;
}

impl<P: Ints> Weights for P {
    fn weight(&self, k: usize, c: usize) -> f32 {
        let g = k * P::GROUPS / BLOCK;
        let scaled = self.scales()[g][c] * f32::from(self.units()[k / 2][2 * c + k % 2]);
        if P::MINS { scaled + self.mins()[g][c] } else { scaled }
    }
}

impl Weights for FloatPanelBlock {
    fn weight(&self, k: usize, c: usize) -> f32 {
        self.weights[k][c]
    }
}

fn repack_equals_decode<F: Format>()
where
    F::PanelBlock: Weights,
{
    let of_floats = BLOCK as u32 / F::TYPE.block_len().min(BLOCK as u32);
    let bytes = random_blocks(F::TYPE, PANEL * of_floats as usize, 7);
    let blocks: &[F::Block] = bytemuck::cast_slice(&bytes);
    let isa = Scalar::detect().expect("scalar code runs everywhere");
    for part in 0..F::PARTS {
        let mut panel = F::PanelBlock::zeroed();
        let rows = std::array::from_fn(|c| &blocks[c]);
        isa.vectorize(|| F::repack(isa, rows, part, &mut panel));
        for (c, block) in rows.into_iter().enumerate() {
            for (k, want) in F::decode(block, part).into_iter().enumerate() {
                let got = panel.weight(k, c);
                let same = got.to_bits() == want.to_bits();
                assert!(same, "{}: column {c}, input {k}: {got}, not {want}", F::TYPE);
            }
        }
    }
}

#[test]
fn panels_hold_what_blocks_decode_to() {
    for kind in FORMATS {
        with_format!(*kind, |F| repack_equals_decode::<F>());
    }
}
