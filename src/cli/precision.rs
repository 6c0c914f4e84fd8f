//! The precision that vectors are written in, and the ranges that some of them need.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use monomorph::{BitOrder, Precision, Quantizer, Ranges};

use super::choice::choice;
use super::failure::Failure;
use super::vectors::{Npy, Vectors};

/// The arguments for the type of the values.
#[derive(Args, Debug)]
pub struct PrecisionArgs {
    /// Type of the values to write; the integers are those of sentence-transformers
    #[arg(long, value_name = "PRECISION", default_value = "float32", value_parser = choice::<Precision>())]
    precision: Precision,

    /// Range of each dimension, for int8 and uint8: an npy file made by `monomorph ranges`
    #[arg(long, value_name = "FILE")]
    ranges: Option<PathBuf>,

    /// Which bit of a byte comes first, for binary and ubinary
    #[arg(long, value_name = "ORDER", default_value = "msb", value_parser = choice::<BitOrder>())]
    bit_order: BitOrder,
}

impl PrecisionArgs {
    /// The quantizer for vectors of so many dimensions.
    pub fn quantizer(&self, dimensions: usize) -> Result<Quantizer, Failure> {
        let precision = self.precision;
        let ranges = match &self.ranges {
            Some(_) if !precision.needs_ranges() => {
                return Err(Failure::Usage(format!("--ranges: {precision} does not use ranges")));
            }
            Some(path) => Some(read(path)?),
            None if precision.needs_ranges() => {
                return Err(Failure::Usage(format!(
                    "--precision {precision} needs --ranges FILE, which monomorph ranges creates from a sample"
                )));
            }
            None => None,
        };
        Quantizer::new(precision, self.bit_order, ranges.as_ref(), dimensions)
            .map_err(|error| Failure::Usage(format!("--ranges: {error}")))
    }
}

/// Reads ranges: a NumPy array of float32, shape (2, dimensions), minimums first.
fn read(path: &Path) -> Result<Ranges, Failure> {
    let name = path.display().to_string();
    let file = fs::File::open(path).map_err(|error| Failure::reading(&name, &error))?;
    let mut rows = Npy::open(file, &name, "ranges are float32 or float16")?;
    let mut row = || -> Result<Vec<f32>, Failure> {
        let mut row = Vec::new();
        let found = rows.next(&mut row)?;
        found.then_some(row).ok_or_else(|| {
            Failure::Failed(format!("{name}: expected two rows, minimums and maximums"))
        })
    };
    Ok(Ranges { least: row()?, greatest: row()? })
}
