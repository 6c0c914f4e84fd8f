//! Several inputs as one table, one after another.

use std::vec;

use super::inputs::{Input, Inputs};
use super::open::{Opened, Opener};
use super::{Columns, Fault, Fields, TableReader};
use crate::cli::failure::Failure;

pub struct Parts {
    opener: Opener,
    current: Option<Box<dyn TableReader>>,
    rest: vec::IntoIter<Input>,
    /// The first of them and its columns, which all have.
    first: String,
    columns: Columns,
    /// Bytes of the files before the current one, and of that.
    before: u64,
    bytes: u64,
    /// The current one's length, in the units of its positions.
    extent: Option<u64>,
}

impl Parts {
    /// Opens the first of them.
    pub fn open(inputs: &Inputs, opener: Opener) -> Result<Opened, Failure> {
        let mut rest = inputs.0.clone().into_iter();
        let Some(input) = rest.next() else {
            return Err(Failure::Usage("--input: no file".into()));
        };
        let mut opened = opener.open(&input)?;
        if rest.len() == 0 {
            return Ok(opened);
        }
        let parts = Parts {
            opener,
            current: Some(opened.reader),
            rest,
            first: input.path.display().to_string(),
            columns: opened.columns.clone(),
            before: 0,
            bytes: bytes(&input),
            extent: opened.extent,
        };
        opened.reader = Box::new(parts);
        opened.extent = inputs.bytes();
        Ok(opened)
    }

    /// Opens the next one; false where there is none.
    fn advance(&mut self) -> Result<bool, Failure> {
        let Some(input) = self.rest.next() else {
            self.before += std::mem::take(&mut self.bytes);
            self.current = None;
            return Ok(false);
        };
        self.before += std::mem::replace(&mut self.bytes, bytes(&input));
        let opened = self.opener.open(&input)?;
        if let Some(difference) = self.columns.difference(&opened.columns) {
            return Err(Failure::Failed(format!(
                "{} has other columns than {}: {difference}; give them one by one, or write a format that keeps no \
                 columns",
                input.path.display(),
                self.first
            )));
        }
        (self.current, self.extent) = (Some(opened.reader), opened.extent);
        Ok(true)
    }
}

fn bytes(input: &Input) -> u64 {
    std::fs::metadata(&input.path).map_or(0, |found| found.len())
}

impl TableReader for Parts {
    fn next(&mut self) -> Result<Option<Fields>, Fault> {
        while let Some(current) = &mut self.current {
            if let Some(fields) = current.next()? {
                return Ok(Some(fields));
            }
            self.advance().map_err(Fault::Input)?;
        }
        Ok(None)
    }

    /// The current one's part of its bytes.
    fn position(&self) -> u64 {
        let at = self.current.as_ref().map_or(0, |current| current.position());
        let extent = self.extent.unwrap_or(self.bytes).max(1);
        let done = u128::from(self.bytes) * u128::from(at.min(extent)) / u128::from(extent);
        self.before + done as u64
    }
}
