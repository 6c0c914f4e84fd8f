//! Every block format against gguf-py, bit for bit, on the random blocks of testdata/quant/make.py.

use super::*;
use crate::isa::for_each_isa;
use bytemuck::Zeroable;
use xxhash_rust::xxh3::xxh3_64;

/// What gguf-py made of a thousand blocks of each format.
const FIXTURES: &str = include_str!("../../testdata/quant/decode.txt");

/// Blocks of each format.
const BLOCKS: usize = 1000;

#[test]
fn every_block_format_decodes_as_gguf_py_does() {
    let mut compared = Vec::new();
    let mut lines = FIXTURES.lines().filter(|line| !line.starts_with('#'));
    while let Some(header) = lines.next() {
        let fixture = Fixture::parse(header, lines.by_ref().take(4));
        with_block_format!(fixture.kind, |F| fixture.compare::<F>(), else panic!("{header}"));
        compared.push(fixture.kind);
    }
    let names: Vec<_> = compared.iter().map(|kind| kind.name()).collect();
    println!("formats equal to gguf-py's on {BLOCKS} blocks each: {}", names.join(", "));
    assert_eq!(compared, BLOCK_FORMATS, "a fixture for each format, in order");
    // A file may have matrices of these, and of the four types that have kernels of their own.
    assert_eq!(monomorph_gguf::MATRIX_TYPES[4..], *BLOCK_FORMATS);
}

/// The fixture of one format.
struct Fixture {
    kind: TensorType,
    /// The bytes of a block that lose bit 6, so that the scales that end in them are finite.
    scale_bytes: Vec<usize>,
    /// XXH3 of all weights' little-endian bytes.
    hash: u64,
    /// The weights of the first blocks.
    first: Vec<Vec<f32>>,
}

impl Fixture {
    /// Reads `Q4_1 1,3 0123456789abcdef` and the first blocks' lines.
    fn parse<'a>(header: &str, first: impl Iterator<Item = &'a str>) -> Fixture {
        let [name, scale_bytes, hash] = header.split(' ').collect::<Vec<_>>()[..] else {
            panic!("a format's header: {header}");
        };
        let weights = |line: &str| line.split(' ').map(|w| w.parse().unwrap()).collect();
        Fixture {
            kind: *TensorType::ALL.iter().find(|kind| kind.name() == name).unwrap(),
            scale_bytes: scale_bytes.split(',').map(|at| at.parse().unwrap()).collect(),
            hash: u64::from_str_radix(hash, 16).unwrap(),
            first: first.map(weights).collect(),
        }
    }

    fn compare<F: Decode>(&self) {
        let mut weights = vec![0.0; BLOCKS * F::BLOCK_LEN];
        let blocks = self.blocks::<F>();
        for (block, to) in blocks.iter().zip(weights.chunks_mut(F::BLOCK_LEN)) {
            F::decode(block, to);
        }
        assert_eq!(self.first.len(), 4);
        for (b, (want, got)) in self.first.iter().zip(weights.chunks(F::BLOCK_LEN)).enumerate() {
            assert_eq!(want.len(), got.len());
            for (i, (want, got)) in want.iter().zip(got).enumerate() {
                let name = F::TYPE;
                assert!(
                    want.to_bits() == got.to_bits(),
                    "{name}: weight {i} of block {b} is {got:?}, gguf-py has {want:?}"
                );
            }
        }
        let bytes: Vec<u8> = weights.iter().flat_map(|w| w.to_le_bytes()).collect();
        assert_eq!(xxh3_64(&bytes), self.hash, "{}: a weight after block 3 differs", F::TYPE);
    }

    /// The random blocks: SplitMix64 seeded with the type's number, its words in little-endian order.
    fn blocks<F: Decode>(&self) -> Vec<F::Block> {
        let mut blocks = vec![F::Block::zeroed(); BLOCKS];
        let mut state = F::TYPE as u64;
        for to in bytemuck::cast_slice_mut::<_, u8>(&mut blocks).chunks_mut(8) {
            to.copy_from_slice(&split_mix_64(&mut state).to_le_bytes()[..to.len()]);
        }
        for block in &mut blocks {
            for at in &self.scale_bytes {
                bytemuck::bytes_of_mut(block)[*at] &= !0x40;
            }
        }
        blocks
    }
}

/// The next number of Steele, Lea and Flood's generator.
fn split_mix_64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What a panel holds is what the blocks decode to, bit for bit, on every instruction set.
fn int_panels_hold_what_blocks_decode_to<F>()
where
    F: Decode + Format<Block = <F as Decode>::Block, Panel = IntPanel>,
{
    let mut state = 7;
    let mut blocks = [<F as Format>::Block::zeroed(); PANEL];
    for block in &mut blocks {
        let bytes = bytemuck::bytes_of_mut(block);
        bytes.iter_mut().for_each(|byte| *byte = split_mix_64(&mut state) as u8);
        bytes[1] &= 0xbf;
    }
    for_each_isa!(|isa| {
        let mut panel = IntPanel::zeroed();
        isa.vectorize(|| F::unpack(isa, blocks.each_ref(), &mut panel));
        for (c, block) in blocks.iter().enumerate() {
            let mut want = [0.0; BLOCK];
            <F as Decode>::decode(block, &mut want);
            assert_eq!(want, <F as Format>::decode(block));
            for (k, want) in want.iter().enumerate() {
                let got = panel.scales[c] * f32::from(panel.units[k / 2][2 * c + k % 2]);
                assert_eq!(got, *want, "{}: column {c}, input {k}", F::TYPE);
            }
        }
    });
}

#[test]
fn formats_that_run_as_ints_are_unpacked_exactly() {
    int_panels_hold_what_blocks_decode_to::<Q4_0>();
    int_panels_hold_what_blocks_decode_to::<Q5_0>();
    int_panels_hold_what_blocks_decode_to::<IQ4_NL>();
}
