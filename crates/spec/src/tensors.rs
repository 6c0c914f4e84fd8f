//! The tensors of a header, each asked for with the type and shape it must have.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::Tensor;
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

impl<'h, 'a> Tensors<'h, 'a> {
    pub fn find(&self, name: &str) -> Result<&'h TensorInfo<'a>, Error> {
        self.header.tensor(name).ok_or_else(|| Error::MissingTensor { name: name.to_owned() })
    }

    /// A matrix of `rows` outputs and `cols` inputs, in a type that the kernels read.
    pub fn matrix(&mut self, name: &str, rows: usize, cols: usize) -> Result<Tensor, Error> {
        let info = self.find(name)?;
        if !MATRIX_TYPES.contains(&info.kind) {
            let supported = MATRIX_TYPES.map(TensorType::name).join(", ");
            let reason = format!(
                "{name} is {}, which this version cannot run; supported: {supported}",
                info.kind
            );
            return Err(Error::Unsupported { reason });
        }
        self.place(info, 2, rows, cols)
    }

    /// The weight of an RMSNorm: `len` values of float32.
    pub fn norm(&mut self, name: &str, len: usize) -> Result<Tensor, Error> {
        let info = self.find(name)?;
        if info.kind != TensorType::F32 {
            return Err(Error::tensor(name, info.kind, TensorType::F32));
        }
        self.place(info, 1, 1, len)
    }

    fn place(
        &mut self,
        info: &TensorInfo<'_>,
        n_dims: u32,
        rows: usize,
        cols: usize,
    ) -> Result<Tensor, Error> {
        // Writers differ in whether they list trailing dimensions of one.
        if info.dims != [cols as u64, rows as u64, 1, 1] {
            let expected = [cols as u64, rows as u64];
            let expected = dimensions(expected.get(..n_dims as usize).unwrap_or(&expected));
            return Err(Error::tensor(info.name, dimensions(info.shape()), expected));
        }
        self.used = self.used.saturating_add(1);
        Ok(Tensor {
            kind: info.kind,
            rows,
            cols,
            offset: info.absolute_offset,
            n_bytes: info.n_bytes,
        })
    }
}

pub(crate) fn dimensions(shape: &[u64]) -> String {
    format!("dimensions {shape:?}")
}
