//! Random blocks of a format, and what gguf-py makes of them.

use crate::Random;
use monomorph_gguf::TensorType;

/// What gguf-py made of a thousand blocks of each format, seeded with the type's number.
const FIXTURES: &str = include_str!("../../../testdata/quant/decode.txt");

/// The fixture of one format.
pub struct Fixture {
    /// The format.
    pub kind: TensorType,
    /// The bytes of a block that lose bit 6, so that the scales that end in them are finite.
    scale_bytes: Vec<usize>,
    /// XXH3 of all weights' little-endian bytes.
    pub hash: u64,
    /// The weights of the first blocks.
    pub first: Vec<Vec<f32>>,
}

/// All fixtures, in the order of the file.
pub fn fixtures() -> Vec<Fixture> {
    let mut fixtures = Vec::new();
    let mut lines = FIXTURES.lines().filter(|line| !line.starts_with('#'));
    while let Some(header) = lines.next() {
        fixtures.push(Fixture::parse(header, lines.by_ref().take(4)));
    }
    fixtures
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
}

/// Blocks of SplitMix64's words in little-endian order, their scales finite.
pub fn random_blocks(kind: TensorType, count: usize, seed: u64) -> Vec<u8> {
    let size = kind.block_bytes() as usize;
    let mut bytes = vec![0; count * size];
    let mut random = Random(seed);
    for to in bytes.chunks_mut(8) {
        to.copy_from_slice(&random.bits().to_le_bytes()[..to.len()]);
    }
    // Q8_0, F16, BF16 and F32, which no fixture has, end their scales or themselves with such a byte too.
    let last = if kind == TensorType::Q8_0 { 1 } else { size - 1 };
    let fixture = fixtures().into_iter().find(|fixture| fixture.kind == kind);
    let scale_bytes = fixture.map_or(vec![last], |fixture| fixture.scale_bytes);
    for block in bytes.chunks_mut(size) {
        for at in &scale_bytes {
            block[*at] &= !0x40;
        }
    }
    bytes
}
