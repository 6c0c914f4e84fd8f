//! Random blocks of a format, and the weights that gguf-py decodes them to.

use crate::Random;
use monomorph_gguf::TensorType;

/// The results of gguf-py for a thousand random blocks of each format, with the type's number as the seed.
const FIXTURES: &str = include_str!("../../../testdata/quant/decode.txt");

/// The fixture of one format.
pub struct Fixture {
    /// The format.
    pub kind: TensorType,
    /// The bytes of a block whose bit 6 is cleared, so that the scales that end in them are finite.
    scale_bytes: Vec<usize>,
    /// XXH3 (64 bits) of the little-endian bytes of all weights.
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
    /// Parses a header such as `Q4_1 1,3 0123456789abcdef` and the lines of the first blocks.
    fn parse<'a>(header: &str, first: impl Iterator<Item = &'a str>) -> Fixture {
        let [name, scale_bytes, hash] = header.split(' ').collect::<Vec<_>>()[..] else {
            panic!("not the header of a format: {header}");
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

/// Blocks filled with SplitMix64's words in little-endian order, with finite scales.
pub fn random_blocks(kind: TensorType, count: usize, seed: u64) -> Vec<u8> {
    let size = kind.block_bytes() as usize;
    let mut bytes = vec![0; count * size];
    let mut random = Random(seed);
    for to in bytes.chunks_mut(8) {
        to.copy_from_slice(&random.bits().to_le_bytes()[..to.len()]);
    }
    // Q8_0, F16, BF16 and F32 have no fixture. The byte to clear is the last one of Q8_0's scale, or of the float
    // itself.
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
