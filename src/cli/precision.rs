//! The precision that vectors are written in, and the ranges that some of them need.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use monomorph::{BitOrder, Precision, Quantizer, Ranges};

use super::choice::choice;
use super::failure::Failure;
use super::vectors::{Decode, Next, Npy, Vectors};

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
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The file of ranges that was named.
    pub fn ranges(&self) -> Option<&Path> {
        self.ranges.as_deref()
    }

    /// What a file of vectors says of them, besides their precision, so that they can be decoded.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code))]
    pub fn said(&self) -> Result<Vec<(&'static str, String)>, Failure> {
        let mut said = Vec::new();
        if self.precision.is_bits() {
            said.push(("bit_order", self.bit_order.to_string()));
        }
        if let (true, Some(path)) = (self.precision.needs_ranges(), &self.ranges) {
            let Ranges { least, greatest } = read(path)?;
            let ranges = serde_json::to_string(&[least, greatest]);
            said.push(("ranges", ranges.map_err(|error| Failure::Failed(error.to_string()))?));
        }
        Ok(said)
    }

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

/// The arguments for values that were written so.
#[derive(Args, Debug)]
pub struct StoredArgs {
    /// Type of the stored values, where the file does not say it [default: what a Parquet file of batch says, else
    /// floats]
    #[arg(long, value_name = "PRECISION", value_parser = choice::<Precision>())]
    precision: Option<Precision>,

    /// Ranges that int8 and uint8 were made with: an npy file made by `monomorph ranges`
    #[arg(long, value_name = "FILE", requires = "precision")]
    ranges: Option<PathBuf>,

    /// Which bit of a byte comes first, for binary and ubinary
    #[arg(long, value_name = "ORDER", default_value = "msb", value_parser = choice::<BitOrder>())]
    bit_order: BitOrder,
}

impl StoredArgs {
    /// How the values become floats again, if it was said.
    pub fn decode(&self) -> Result<Option<Decode>, Failure> {
        let Some(precision) = self.precision else { return Ok(None) };
        let ranges = self.ranges.as_deref().map(read).transpose()?;
        let decode = Decode::new(precision, self.bit_order, ranges.as_ref());
        decode.map(Some).map_err(|why| Failure::Usage(format!("--precision {why}")))
    }
}

/// Reads ranges: a NumPy array of float32, shape (2, dimensions), minimums first.
fn read(path: &Path) -> Result<Ranges, Failure> {
    let name = path.display().to_string();
    let file = fs::File::open(path).map_err(|error| Failure::reading(&name, &error))?;
    let mut rows = Npy::open(file, &name, Decode::Floats)?;
    let (mut least, mut greatest, mut third) = (Vec::new(), Vec::new(), Vec::new());
    let read = [&mut least, &mut greatest, &mut third].map(|row| rows.next(row));
    let [Ok(Next::Vector), Ok(Next::Vector), Ok(Next::End)] = read else {
        let [first, second, third] = read;
        first.and(second).and(third)?;
        return Err(Failure::Failed(format!(
            "{name}: expected two rows, minimums and maximums, as monomorph ranges writes them"
        )));
    };
    let is_range = |(least, greatest): (&f32, &f32)| {
        least <= greatest && least.is_finite() && greatest.is_finite()
    };
    if let Some(dimension) = least.iter().zip(&greatest).position(|range| !is_range(range)) {
        return Err(Failure::Failed(format!(
            "{name}: no ranges: {} to {} in dimension {dimension} (from 0)",
            least[dimension], greatest[dimension]
        )));
    }
    Ok(Ranges { least, greatest })
}
