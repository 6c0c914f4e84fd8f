//! Files that attack a reader, grouped by classes of faults that were published for other readers.
//!
//! `malformed.rs` asserts that each is refused in words, `allocations.rs` that none makes the reader allocate much. A
//! file is given by its beginning, up to the tensor data, and its length.

#![allow(dead_code)] // Each test crate uses some of it.

mod form;
mod model;

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A number of tensors, of keys, of elements or of bytes that is -1, 2^63 or more than the file holds.
    /// CVE-2024-23605, CVE-2024-21825, CVE-2024-21836, CVE-2025-0315.
    AbsurdCount,
    /// A product of dimensions, or an offset plus a size, that wraps.
    /// CVE-2024-21802, CVE-2025-53630, CVE-2026-27940, CVE-2026-33298.
    WrappingSize,
    /// A tensor whose data does not lie inside the file. CVE-2026-7482.
    BeyondTheEnd,
    /// An alignment that is 0, not a power of two, too large or of the wrong type. CVE-2025-0317.
    Alignment,
    /// A value of the wrong type for its key, or of an unknown type. CVE-2024-8063.
    ValueType,
    /// Dimensions that would divide by zero or index out of bounds.
    Dimensions,
    /// Types that ggml removed or never had, or that weights cannot have.
    TensorType,
    /// Names of tensors and keys that occur twice, are empty, too long or not UTF-8.
    Names,
    /// A wrong magic number or version, or a file that ends inside them. CVE-2024-39720.
    Version,
    /// Bytes that belong to no tensor, and bytes that belong to two.
    SpareBytes,
    /// Sizes of the vocabulary that disagree, special ids beyond it, impossible pieces. CVE-2025-49847.
    Vocabulary,
    /// Hyper-parameters that are absurd or disagree with the tensors.
    HyperParameters,
}

impl Class {
    pub const ALL: [Class; 12] = [
        Class::AbsurdCount,
        Class::WrappingSize,
        Class::BeyondTheEnd,
        Class::Alignment,
        Class::ValueType,
        Class::Dimensions,
        Class::TensorType,
        Class::Names,
        Class::Version,
        Class::SpareBytes,
        Class::Vocabulary,
        Class::HyperParameters,
    ];
}

/// A file that must be refused.
pub struct Case {
    pub class: Class,
    /// What was changed in the file.
    pub what: String,
    pub bytes: Vec<u8>,
    /// Length of the whole file.
    pub file_len: u64,
    /// What the message must contain: the key or tensor, what was found, what was expected.
    pub words: Vec<String>,
}

/// A file's beginning, and the length of the whole file.
type Beginning = (Vec<u8>, u64);

/// Collects the cases.
#[derive(Default)]
struct Cases(Vec<Case>);

impl Cases {
    fn add(
        &mut self,
        class: Class,
        what: impl Into<String>,
        (bytes, file_len): Beginning,
        words: &[&str],
    ) {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        self.0.push(Case { class, what: what.into(), bytes, file_len, words });
    }
}

/// Every case.
pub fn all() -> Vec<Case> {
    let mut cases = Cases::default();
    form::add(&mut cases);
    model::add(&mut cases);
    cases.0
}
