//! Tensor types and descriptions.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt;

use crate::error::{Error, Limit, Place, printable};
use crate::reader::Cursor;

/// Bytes of the smallest description of a tensor: a one-byte name, number of dimensions, one dimension, type, offset.
pub(crate) const MIN_TENSOR_INFO_BYTES: u64 = 8 + 1 + 4 + 8 + 4 + 8;

/// ggml's own limit on the length of a tensor's name.
const MAX_NAME_BYTES: u64 = 64;

/// ggml's own limit on the number of a tensor's dimensions.
const MAX_DIMS: u32 = 4;

/// One tensor as the file describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TensorInfo<'a> {
    /// Its name.
    pub name: &'a str,
    /// How its values are stored.
    pub kind: TensorType,
    /// Its dimensions, fastest-varying first, padded with ones.
    pub dims: [u64; 4],
    /// How many dimensions the file lists, 1 to 4.
    pub n_dims: u32,
    /// Where its data begins, in bytes from the start of the tensor data ([`crate::Header::data_offset`]).
    pub offset: u64,
    /// Where its data begins, in bytes from the start of the file.
    pub absolute_offset: u64,
    /// Length of its data in bytes.
    pub n_bytes: u64,
}

impl<'a> TensorInfo<'a> {
    /// The dimensions that the file lists, fastest-varying first.
    pub fn shape(&self) -> &[u64] {
        self.dims.get(..self.n_dims as usize).unwrap_or(&self.dims)
    }

    /// Reads one description. Once the whole table has been read, [`TensorInfo::place`] checks where its data lies.
    pub(crate) fn parse(cursor: &mut Cursor<'a>, number: u64) -> Result<Self, Error> {
        cursor.place = Place::TensorName(number);
        let name = parse_name(cursor, number)?;
        cursor.place = Place::Tensor(name);
        let n_dims = cursor.u32()?;
        if !(1..=MAX_DIMS).contains(&n_dims) {
            return Err(Error::tensor(printable(name), format!("{n_dims} dimensions"), "1 to 4"));
        }
        let mut dims = [1; 4];
        for dim in dims.iter_mut().take(n_dims as usize) {
            *dim = cursor.u64()?;
        }
        let kind = TensorType::from_id(cursor.u32()?).map_err(|found| {
            let expected =
                "a type that this version of monomorph knows; convert the model to another type";
            Error::tensor(printable(name), found, expected)
        })?;
        let offset = cursor.u64()?;
        let n_bytes = n_bytes(name, kind, dims, n_dims)?;
        Ok(TensorInfo { name, kind, dims, n_dims, offset, absolute_offset: 0, n_bytes })
    }

    /// Checks that the data lies inside the file and sets `absolute_offset`.
    pub(crate) fn place(
        &mut self,
        data_offset: u64,
        alignment: u64,
        file_len: u64,
    ) -> Result<(), Error> {
        if self.offset.checked_rem(alignment) != Some(0) {
            let expected = format!("a multiple of the alignment {alignment}");
            return Err(Error::tensor(
                printable(self.name),
                format!("offset {}", self.offset),
                expected,
            ));
        }
        let begin = data_offset.checked_add(self.offset);
        let end = begin.and_then(|begin| begin.checked_add(self.n_bytes));
        match (begin, end) {
            (Some(begin), Some(end)) if end <= file_len => {
                self.absolute_offset = begin;
                Ok(())
            }
            _ => Err(Error::BeyondTheEnd {
                name: printable(self.name),
                // The sum of two u64 may need one bit more.
                end: u128::from(self.offset).saturating_add(self.n_bytes.into()),
                data_bytes: file_len.saturating_sub(data_offset),
            }),
        }
    }
}

fn parse_name<'a>(cursor: &mut Cursor<'a>, number: u64) -> Result<&'a str, Error> {
    let len = cursor.count(1)?;
    if len > MAX_NAME_BYTES {
        return Err(Error::too_large(cursor.place, len, Limit::Fixed(MAX_NAME_BYTES)));
    }
    let bytes = cursor.take(len)?;
    let name = std::str::from_utf8(bytes).map_err(|_| {
        Error::tensor(format!("number {number}"), "a name that is not UTF-8", "UTF-8")
    })?;
    if name.is_empty() {
        return Err(Error::tensor(format!("number {number}"), "an empty name", "1 to 64 bytes"));
    }
    Ok(name)
}

/// Length of a tensor's data in bytes; every step is checked for overflow.
fn n_bytes(name: &str, kind: TensorType, dims: [u64; 4], n_dims: u32) -> Result<u64, Error> {
    let shape = dims.get(..n_dims as usize).unwrap_or(&dims);
    let [row, rows @ ..] = dims;
    if dims.contains(&0) {
        return Err(Error::tensor(
            printable(name),
            format!("dimensions {shape:?}"),
            "dimensions of at least 1",
        ));
    }
    let block_len = u64::from(kind.block_len());
    if row.checked_rem(block_len) != Some(0) {
        let expected = format!("a multiple of {block_len}, the block length of {kind}");
        return Err(Error::tensor(printable(name), format!("rows of {row} values"), expected));
    }
    row.checked_div(block_len)
        .and_then(|blocks| blocks.checked_mul(u64::from(kind.block_bytes())))
        .and_then(|bytes| rows.iter().try_fold(bytes, |bytes, &n| bytes.checked_mul(n)))
        .ok_or_else(|| {
            Error::tensor(
                printable(name),
                format!("dimensions {shape:?}"),
                "a size that fits in 64 bits",
            )
        })
}

macro_rules! tensor_types {
    ($($variant:ident = $id:literal, $len:literal, $bytes:literal;)*) => {
        /// How a tensor's values are stored: ggml's types, with ggml's names and numbers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(non_camel_case_types, missing_docs)]
        #[repr(u32)]
        pub enum TensorType { $($variant = $id,)* }

        impl TensorType {
            /// All types, in the order of their numbers.
            pub const ALL: &'static [TensorType] = &[$(TensorType::$variant,)*];

            /// ggml's name, as in `Q8_0`.
            pub const fn name(self) -> &'static str {
                match self { $(TensorType::$variant => stringify!($variant),)* }
            }

            /// Number of values in a block; a row is a whole number of blocks.
            pub const fn block_len(self) -> u32 {
                match self { $(TensorType::$variant => $len,)* }
            }

            /// Size of a block in bytes.
            pub const fn block_bytes(self) -> u32 {
                match self { $(TensorType::$variant => $bytes,)* }
            }

            /// The type with ggml's number `id`, or a description of the number for an error message.
            pub fn from_id(id: u32) -> Result<TensorType, String> {
                match id {
                    $($id => Ok(TensorType::$variant),)*
                    _ => Err(describe_unknown(id)),
                }
            }
        }
    };
}

// Number, values per block, bytes per block.
tensor_types! {
    F32 = 0, 1, 4;
    F16 = 1, 1, 2;
    Q4_0 = 2, 32, 18;
    Q4_1 = 3, 32, 20;
    Q5_0 = 6, 32, 22;
    Q5_1 = 7, 32, 24;
    Q8_0 = 8, 32, 34;
    // 36 bytes, because ggml now stores scale and sum as float16; gguf-py's table still says 40. No file holds this
    // type.
    Q8_1 = 9, 32, 36;
    Q2_K = 10, 256, 84;
    Q3_K = 11, 256, 110;
    Q4_K = 12, 256, 144;
    Q5_K = 13, 256, 176;
    Q6_K = 14, 256, 210;
    Q8_K = 15, 256, 292;
    IQ2_XXS = 16, 256, 66;
    IQ2_XS = 17, 256, 74;
    IQ3_XXS = 18, 256, 98;
    IQ1_S = 19, 256, 50;
    IQ4_NL = 20, 32, 18;
    IQ3_S = 21, 256, 110;
    IQ2_S = 22, 256, 82;
    IQ4_XS = 23, 256, 136;
    I8 = 24, 1, 1;
    I16 = 25, 1, 2;
    I32 = 26, 1, 4;
    I64 = 27, 1, 8;
    F64 = 28, 1, 8;
    IQ1_M = 29, 256, 56;
    BF16 = 30, 1, 2;
    TQ1_0 = 34, 256, 54;
    TQ2_0 = 35, 256, 66;
    MXFP4 = 39, 32, 17;
    NVFP4 = 40, 64, 36;
    Q1_0 = 41, 128, 18;
}

/// Describes a number without a type. It names the types that ggml once had, so that the message says which tool to
/// blame.
fn describe_unknown(id: u32) -> String {
    let removed = match id {
        4 => "Q4_2",
        5 => "Q4_3",
        31 => "Q4_0_4_4",
        32 => "Q4_0_4_8",
        33 => "Q4_0_8_8",
        36 => "IQ4_NL_4_4",
        37 => "IQ4_NL_4_8",
        38 => "IQ4_NL_8_8",
        _ => return format!("unknown tensor type {id}"),
    };
    format!("tensor type {id} ({removed}), which ggml removed")
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
