//! Smaller vectors: float16, one byte or one bit per value, as `quantize_embeddings` of sentence-transformers defines
//! them (version 6, `sentence_transformers/util/quantization.py`). Applied last, after the Matryoshka cut and the L2
//! norm.

use crate::choice::choice;
use half::f16;
use std::fmt;

/// The type that a vector's values are stored as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// The model's own values.
    #[default]
    Float32,
    /// Rounded to the nearest half-precision float.
    Float16,
    /// -128 to 127 over each dimension's range.
    Int8,
    /// 0 to 255 over each dimension's range.
    Uint8,
    /// Signs, eight per byte, 128 subtracted from each byte.
    Binary,
    /// Signs, eight per byte.
    Ubinary,
}

/// Which bit of a byte holds the first of eight signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BitOrder {
    /// The highest, as `numpy.packbits` does.
    #[default]
    Msb,
    /// The lowest, as sqlite-vec reads them.
    Lsb,
}

// The names are those of sentence-transformers.
choice! { Precision, "precision",
    Float32 "float32" "The model's own values"
    Float16 "float16" "Half-precision floats"
    Int8 "int8" "-128 to 127 over each dimension's range; needs ranges"
    Uint8 "uint8" "0 to 255 over each dimension's range; needs ranges"
    Binary "binary" "One bit per value, set if it is above zero, in signed bytes"
    Ubinary "ubinary" "The same, in unsigned bytes"
}

choice! { BitOrder, "bit order",
    Msb "msb" "The highest, as in NumPy's packbits"
    Lsb "lsb" "The lowest, as in sqlite-vec"
}

/// The minimum and maximum of each dimension, over a sample of vectors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranges {
    /// Minimums, one per dimension.
    pub least: Vec<f32>,
    /// Maximums, one per dimension.
    pub greatest: Vec<f32>,
}

/// Turns float32 vectors into another precision.
#[derive(Clone, Debug, Default)]
pub struct Quantizer {
    precision: Precision,
    bit_order: BitOrder,
    /// Each dimension's minimum and step; empty if the precision needs no ranges.
    starts: Vec<(f32, f32)>,
}

/// A vector's values in some precision.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// [`Precision::Float32`].
    F32(Vec<f32>),
    /// [`Precision::Float16`].
    F16(Vec<f16>),
    /// [`Precision::Int8`] and [`Precision::Binary`].
    I8(Vec<i8>),
    /// [`Precision::Uint8`] and [`Precision::Ubinary`].
    U8(Vec<u8>),
}

/// The error of int8 and uint8 without ranges of as many dimensions as the vectors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangesMissing {
    /// Dimensions of the vectors.
    pub dimensions: usize,
    /// Dimensions of the ranges, if there are any.
    pub found: Option<usize>,
}

impl Precision {
    /// Number of values in a stored vector of so many dimensions: an eighth, rounded up, if they are bits.
    pub fn len(self, dimensions: usize) -> usize {
        if self.is_bits() { dimensions.div_ceil(8) } else { dimensions }
    }

    /// Whether [`Ranges`] are needed.
    pub fn needs_ranges(self) -> bool {
        matches!(self, Precision::Int8 | Precision::Uint8)
    }

    /// Whether only the signs are kept.
    pub fn is_bits(self) -> bool {
        matches!(self, Precision::Binary | Precision::Ubinary)
    }
}

impl Ranges {
    /// Widens the ranges by one more vector of the sample.
    pub fn include(&mut self, vector: &[f32]) {
        if self.least.is_empty() {
            self.least = vector.to_vec();
            self.greatest = vector.to_vec();
        }
        self.least.iter_mut().zip(vector).for_each(|(least, x)| *least = least.min(*x));
        self.greatest.iter_mut().zip(vector).for_each(|(most, x)| *most = most.max(*x));
    }
}

impl Quantizer {
    /// A quantizer for vectors of so many dimensions; only int8 and uint8 use the ranges.
    ///
    /// # Errors
    /// [`RangesMissing`] if the precision needs ranges and there is not one for each dimension.
    pub fn new(
        precision: Precision,
        bit_order: BitOrder,
        ranges: Option<&Ranges>,
        dimensions: usize,
    ) -> Result<Quantizer, RangesMissing> {
        let mut starts = Vec::new();
        if precision.needs_ranges() {
            let found = ranges.map(|ranges| ranges.least.len().min(ranges.greatest.len()));
            let ranges = ranges
                .filter(|_| found == Some(dimensions))
                .ok_or(RangesMissing { dimensions, found })?;
            starts.extend(ranges.least.iter().zip(&ranges.greatest).map(|(&least, &greatest)| {
                let step = (greatest - least) / 255.0;
                (least, if step == 0.0 { 1.0 } else { step })
            }));
        }
        Ok(Quantizer { precision, bit_order, starts })
    }

    /// The precision of the result.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The vector in this precision.
    pub fn quantize(&self, vector: &[f32]) -> Values {
        let levels = || vector.iter().zip(&self.starts).map(|(x, start)| level(*x, *start));
        match self.precision {
            Precision::Float32 => Values::F32(vector.to_vec()),
            Precision::Float16 => Values::F16(vector.iter().map(|x| f16::from_f32(*x)).collect()),
            Precision::Uint8 => Values::U8(levels().collect()),
            Precision::Int8 => Values::I8(levels().map(minus_128).collect()),
            Precision::Ubinary => Values::U8(self.signs(vector).collect()),
            Precision::Binary => Values::I8(self.signs(vector).map(minus_128).collect()),
        }
    }

    /// One bit per value, set if it is above zero; the last byte is padded with zeros.
    fn signs<'a>(&self, vector: &'a [f32]) -> impl Iterator<Item = u8> + use<'a> {
        let order = self.bit_order;
        vector.chunks(8).map(move |eight| {
            let bits = eight.iter().enumerate();
            bits.fold(0, |byte, (i, x)| {
                let place = if order == BitOrder::Msb { 7 - i } else { i };
                byte | u8::from(*x > 0.0) << place
            })
        })
    }
}

/// The index of the step of its range that a value falls on; values outside the range are clamped.
fn level(x: f32, (least, step): (f32, f32)) -> u8 {
    ((x - least) / step).floor().clamp(0.0, 255.0) as u8
}

fn minus_128(byte: u8) -> i8 {
    (i16::from(byte) - 128) as i8
}

impl Values {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Values::F32(values) => values.len(),
            Values::F16(values) => values.len(),
            Values::I8(values) => values.len(),
            Values::U8(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values one after another, little-endian.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        match self {
            Values::F32(values) => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Values::F16(values) => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Values::I8(values) => values.iter().map(|x| *x as u8).collect(),
            Values::U8(values) => values.clone(),
        }
    }
}

impl fmt::Display for RangesMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found {
            None => f.write_str("int8 and uint8 need the ranges of each dimension"),
            Some(found) => write!(
                f,
                "the ranges are of {found} dimensions, the vectors have {}; make them with the same dimensions",
                self.dimensions
            ),
        }
    }
}

impl std::error::Error for RangesMissing {}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantize(precision: Precision, bit_order: BitOrder, vector: &[f32]) -> Values {
        let mut ranges = Ranges::default();
        // Steps of exactly one.
        ranges.include(&vec![-128.0; vector.len()]);
        ranges.include(&vec![127.0; vector.len()]);
        Quantizer::new(precision, bit_order, Some(&ranges), vector.len()).unwrap().quantize(vector)
    }

    #[test]
    fn levels_end_where_the_range_ends() {
        let vector = [-900.0, -128.0, -127.5, -0.5, 127.0, 900.0];
        assert_eq!(
            quantize(Precision::Uint8, BitOrder::Msb, &vector),
            Values::U8(vec![0, 0, 0, 127, 255, 255])
        );
        assert_eq!(
            quantize(Precision::Int8, BitOrder::Msb, &vector),
            Values::I8(vec![-128, -128, -128, -1, 127, 127])
        );
    }

    #[test]
    fn signs_are_packed_from_either_end() {
        let vector = [1.0, 0.0, -1.0, -0.0, 1.0, 1.0, 1.0, 1.0, 1e-30];
        let bits = |precision, order| quantize(precision, order, &vector);
        assert_eq!(bits(Precision::Ubinary, BitOrder::Msb), Values::U8(vec![0b1000_1111, 0x80]));
        assert_eq!(bits(Precision::Ubinary, BitOrder::Lsb), Values::U8(vec![0b1111_0001, 1]));
        assert_eq!(bits(Precision::Binary, BitOrder::Msb), Values::I8(vec![15, 0]));
        assert_eq!(Precision::Binary.len(9), 2);
    }

    #[test]
    fn ranges_must_fit() {
        let ranges = Ranges { least: vec![0.0; 3], greatest: vec![0.0; 3] };
        let new =
            |ranges, dimensions| Quantizer::new(Precision::Int8, BitOrder::Msb, ranges, dimensions);
        assert!(new(None, 3).is_err() && new(Some(&ranges), 4).is_err());
        // A dimension that never changes has a step of one, not of zero.
        assert_eq!(new(Some(&ranges), 3).unwrap().quantize(&[0.0, 2.0, -1.0]), {
            Values::I8(vec![-128, -126, -128])
        });
        assert!(Quantizer::new(Precision::Binary, BitOrder::Msb, None, 3).is_ok());
    }
}
