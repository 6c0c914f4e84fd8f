//! A vector's values as numbers of JSON or csv.

use monomorph::Values;
use serde::{Serialize, Serializer};

/// Written with as many digits as its precision has.
pub struct Numbers<'a>(pub &'a Values);

impl Serialize for Numbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Values::F32(values) => values.serialize(serializer),
            // The shortest float32 that reads back as the float16.
            Values::F16(values) => serializer.collect_seq(values.iter().map(|x| x.to_f32())),
            Values::I8(values) => values.serialize(serializer),
            Values::U8(values) => values.serialize(serializer),
        }
    }
}
