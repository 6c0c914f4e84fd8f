//! Finds the tensors of a header, each with the type and shape it must have.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::keys::{MAX_WIDTH, WIDTH_MULTIPLE};
use crate::place::Wanted;
use crate::{Role, Tensor};
use monomorph_gguf::{Error, Header, TensorInfo, TensorType};

/// Types of the matrices that this version's kernels read.
pub const MATRIX_TYPES: [TensorType; 25] = [
    TensorType::F32,
    TensorType::F16,
    TensorType::BF16,
    TensorType::Q8_0,
    TensorType::Q4_0,
    TensorType::Q4_1,
    TensorType::Q5_0,
    TensorType::Q5_1,
    TensorType::IQ4_NL,
    TensorType::MXFP4,
    TensorType::Q2_K,
    TensorType::Q3_K,
    TensorType::Q4_K,
    TensorType::Q5_K,
    TensorType::Q6_K,
    TensorType::IQ4_XS,
    TensorType::IQ3_XXS,
    TensorType::IQ3_S,
    TensorType::IQ2_XXS,
    TensorType::IQ2_XS,
    TensorType::IQ2_S,
    TensorType::IQ1_S,
    TensorType::IQ1_M,
    TensorType::TQ1_0,
    TensorType::TQ2_0,
];

/// The tensors of a header, counted as they are used.
pub(crate) struct Tensors<'h, 'a> {
    pub header: &'h Header<'a>,
    pub used: usize,
}

impl Tensors<'_, '_> {
    /// The wanted tensor, if it has the right shape and a type that its role allows.
    pub fn find(&mut self, wanted: &Wanted<'_>) -> Result<Tensor, Error> {
        let name = wanted.full_name;
        let missing = || Error::MissingTensor { name: name.to_owned() };
        let info = self.header.tensor(name).ok_or_else(missing)?;
        check_type(info, wanted.role)?;
        let rows = match wanted.rows {
            Some(rows) => rows,
            None => free_rows(info, wanted.role)?,
        };
        let (rows_there, cols) = (rows as u64, wanted.cols as u64);
        // Writers differ in whether they list trailing dimensions of one.
        if info.dims != [cols, rows_there, 1, 1] {
            let expected = [cols, rows_there];
            let n_dims = if wanted.role == Role::Vector { 1 } else { 2 };
            let expected = dimensions(expected.get(..n_dims).unwrap_or(&expected));
            return Err(Error::tensor(info.name, dimensions(info.shape()), expected));
        }
        self.used = self.used.saturating_add(1);
        Ok(Tensor {
            name: wanted.name,
            role: wanted.role,
            kind: info.kind,
            rows,
            cols: wanted.cols,
            offset: info.absolute_offset,
            n_bytes: info.n_bytes,
        })
    }
}

/// Checks that a vector is float32, and that a matrix or table has a type that the kernels read.
fn check_type(info: &TensorInfo<'_>, role: Role) -> Result<(), Error> {
    match role {
        Role::Vector if info.kind != TensorType::F32 => {
            Err(Error::tensor(info.name, info.kind, TensorType::F32))
        }
        Role::Matrix | Role::Lookup if !MATRIX_TYPES.contains(&info.kind) => {
            let supported = MATRIX_TYPES.map(TensorType::name).join(", ");
            let reason = format!(
                "{} is {}, which this version cannot run; supported: {supported}",
                info.name, info.kind
            );
            Err(Error::Unsupported { reason })
        }
        _ => Ok(()),
    }
}

/// The tensor's own number of rows; a matrix must consist of whole panels.
fn free_rows(info: &TensorInfo<'_>, role: Role) -> Result<usize, Error> {
    let multiple = if role == Role::Matrix { WIDTH_MULTIPLE } else { 1 };
    let [_, rows, ..] = info.dims;
    let usable = |&n: &usize| (1..=MAX_WIDTH).contains(&n) && n.is_multiple_of(multiple);
    usize::try_from(rows).ok().filter(usable).ok_or_else(|| {
        let expected = format!("a multiple of {multiple} up to {MAX_WIDTH} outputs");
        Error::tensor(info.name, dimensions(info.shape()), expected)
    })
}

fn dimensions(shape: &[u64]) -> String {
    format!("dimensions {shape:?}")
}
