//! From the values that a file stores to floats.

use monomorph::{BitOrder, Precision, Ranges};

/// How the values of a vector are stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stored {
    Half,
    Single,
    Double,
    /// Whole numbers of a byte.
    Signed,
    Unsigned,
}

/// How whole numbers of a byte become floats again.
#[derive(Clone, Debug, Default)]
pub enum Decode {
    /// Not at all: the values are floats.
    #[default]
    Floats,
    /// Each is a step within the range of its dimension, from this least value on in steps of this size.
    Steps { steps: Vec<(f32, f32)>, stored: Stored },
    /// Each holds eight signs.
    Signs { order: BitOrder, stored: Stored },
}

impl Stored {
    /// Bytes of a value.
    pub fn bytes(self) -> usize {
        match self {
            Stored::Half => 2,
            Stored::Single => 4,
            Stored::Double => 8,
            Stored::Signed | Stored::Unsigned => 1,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Stored::Half => "float16",
            Stored::Single => "float32",
            Stored::Double => "float64",
            Stored::Signed => "int8",
            Stored::Unsigned => "uint8",
        }
    }

    pub fn is_float(self) -> bool {
        !matches!(self, Stored::Signed | Stored::Unsigned)
    }
}

impl Decode {
    /// How values of this precision are decoded. Steps need the ranges that they were made with.
    pub fn new(
        precision: Precision,
        order: BitOrder,
        ranges: Option<&Ranges>,
    ) -> Result<Decode, String> {
        let stored = match precision {
            Precision::Int8 | Precision::Binary => Stored::Signed,
            _ => Stored::Unsigned,
        };
        if precision.is_bits() {
            return Ok(Decode::Signs { order, stored });
        }
        if !precision.needs_ranges() {
            return Ok(Decode::Floats);
        }
        let Some(Ranges { least, greatest }) = ranges else {
            return Err(format!(
                "{precision} needs the ranges that it was made with: --ranges FILE"
            ));
        };
        let steps = least.iter().zip(greatest).map(|(least, greatest)| {
            let step = (greatest - least) / 255.0;
            (*least, if step == 0.0 { 1.0 } else { step })
        });
        Ok(Decode::Steps { steps: steps.collect(), stored })
    }

    /// Checks that it is for values that are stored so, in rows of this length; the error says why not.
    pub fn check(&self, stored: Stored, length: usize) -> Result<(), String> {
        let name = stored.name();
        let told = match self {
            Decode::Floats => stored,
            Decode::Steps { stored, .. } | Decode::Signs { stored, .. } => *stored,
        };
        match self {
            Decode::Floats if stored.is_float() => Ok(()),
            Decode::Floats => Err(format!(
                "its values are {name}: search reads them with --precision {name} and the --ranges that they were made \
                 with, or with --precision {} if they are bits",
                if stored == Stored::Signed { "binary" } else { "ubinary" }
            )),
            _ if stored.is_float() => {
                Err(format!("its values are {name}, which are read without --precision"))
            }
            _ if told != stored => Err(format!("its values are {name}, not {}", told.name())),
            Decode::Steps { steps, .. } if steps.len() != length => Err(format!(
                "its vectors have {length} values, but the ranges {}; if they are bits, give --precision binary",
                steps.len()
            )),
            _ => Ok(()),
        }
    }

    /// Values of a vector that is stored in so many.
    pub fn dimensions(&self, length: usize) -> usize {
        if matches!(self, Decode::Signs { .. }) { 8 * length } else { length }
    }

    /// How whole numbers are stored; none for floats.
    pub fn stored(&self) -> Option<Stored> {
        match self {
            Decode::Floats => None,
            Decode::Steps { stored, .. } | Decode::Signs { stored, .. } => Some(*stored),
        }
    }

    /// Appends the floats of a vector's bytes; signed ones come with 128 added.
    pub fn extend(&self, bytes: impl Iterator<Item = u8>, values: &mut Vec<f32>) {
        match self {
            Decode::Floats => {}
            // The middle of what the step stands for.
            Decode::Steps { steps, .. } => values.extend(
                bytes
                    .zip(steps)
                    .map(|(byte, (least, step))| least + (f32::from(byte) + 0.5) * step),
            ),
            Decode::Signs { order, .. } => values.extend(bytes.flat_map(|byte| {
                let byte = if *order == BitOrder::Msb { byte.reverse_bits() } else { byte };
                (0..8).map(move |bit| if byte >> bit & 1 == 1 { 1.0 } else { -1.0 })
            })),
        }
    }
}

/// A signed byte as [`Decode::extend`] takes it.
pub fn plus_128(byte: i8) -> u8 {
    byte.cast_unsigned() ^ 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use monomorph::{Quantizer, Values};

    #[test]
    fn what_was_quantized_comes_back() {
        let vector = [0.5, -0.25, 0.0, 0.75, -1.0, 0.1, 0.2, -0.3];
        let ranges = Ranges { least: vec![-1.0; 8], greatest: vec![1.0; 8] };
        for order in [BitOrder::Msb, BitOrder::Lsb] {
            for precision in
                [Precision::Int8, Precision::Uint8, Precision::Binary, Precision::Ubinary]
            {
                let quantizer = Quantizer::new(precision, order, Some(&ranges), 8).unwrap();
                let bytes: Vec<u8> = match quantizer.quantize(&vector) {
                    Values::I8(values) => values.into_iter().map(plus_128).collect(),
                    Values::U8(values) => values,
                    other => panic!("{other:?}"),
                };
                let mut values = Vec::new();
                let decode = Decode::new(precision, order, Some(&ranges)).unwrap();
                decode.extend(bytes.into_iter(), &mut values);
                for (value, expected) in values.iter().zip(vector) {
                    match precision.is_bits() {
                        true => assert_eq!(*value, if expected > 0.0 { 1.0 } else { -1.0 }),
                        false => assert!((value - expected).abs() < 1.001 / 255.0),
                    }
                }
            }
        }
    }
}
