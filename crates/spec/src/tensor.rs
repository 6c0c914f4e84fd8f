//! A tensor's place in the file.

use monomorph_gguf::TensorType;

/// A tensor of the model, and its place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tensor {
    /// Its name in the file; for a tensor of a layer, without `blk.N.`.
    pub name: &'static str,
    /// What it is used for.
    pub role: Role,
    /// How its values are stored.
    pub kind: TensorType,
    /// Rows: outputs of a matrix (n), 1 for a vector.
    pub rows: usize,
    /// Columns: inputs of a matrix (k), the file's first dimension.
    pub cols: usize,
    /// Where its data begins, in bytes from the file's start, or from the layer's [`start`](crate::Layer::start).
    pub offset: u64,
    /// Length of its data in bytes.
    pub n_bytes: u64,
}

/// What a tensor is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Rows of activations are multiplied by it.
    Matrix,
    /// Its rows are looked up one at a time.
    Lookup,
    /// One row of float32: gains or biases.
    Vector,
}

/// A matrix of whole blocks.
pub const fn matrix(
    name: &'static str,
    kind: TensorType,
    rows: usize,
    cols: usize,
    offset: u64,
) -> Tensor {
    Tensor::new(name, Role::Matrix, kind, rows, cols, offset)
}

/// A lookup table of whole blocks.
pub const fn lookup(
    name: &'static str,
    kind: TensorType,
    rows: usize,
    cols: usize,
    offset: u64,
) -> Tensor {
    Tensor::new(name, Role::Lookup, kind, rows, cols, offset)
}

/// Gains or biases.
pub const fn vector(name: &'static str, len: usize, offset: u64) -> Tensor {
    Tensor::new(name, Role::Vector, TensorType::F32, 1, len, offset)
}

impl Tensor {
    const fn new(
        name: &'static str,
        role: Role,
        kind: TensorType,
        rows: usize,
        cols: usize,
        offset: u64,
    ) -> Tensor {
        let blocks = rows as u64 * (cols as u64 / kind.block_len() as u64);
        Tensor { name, role, kind, rows, cols, offset, n_bytes: blocks * kind.block_bytes() as u64 }
    }

    /// The first and the last half of its rows, or of a vector's values.
    pub(crate) fn halves(self) -> [Tensor; 2] {
        let (rows, cols) = match self.role {
            Role::Vector => (1, self.cols / 2),
            Role::Matrix | Role::Lookup => (self.rows / 2, self.cols),
        };
        let n_bytes = self.n_bytes / 2;
        [0, n_bytes].map(|at| Tensor {
            rows,
            cols,
            n_bytes,
            offset: self.offset.saturating_add(at),
            ..self
        })
    }

    /// This tensor with its offset increased by `start`.
    pub const fn at(mut self, start: u64) -> Tensor {
        self.offset += start;
        self
    }
}
