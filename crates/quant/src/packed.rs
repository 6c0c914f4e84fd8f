//! A packed file: the image of a model's weights, behind a page that says which model's they are.
//!
//! `monomorph pack` writes it for programs that get their weights as bytes, from a network or out of an archive.
//! Without the header and the vocabulary of the GGUF file it is used in place, as the image inside a binary is.

use crate::image::{Form, layout, length};
use monomorph_spec::{Fingerprint, Spec};
use std::fmt;

/// Length of the page before the image. It keeps the image, and with it the token table, on a page boundary.
pub const PAGE: usize = 4096;

/// The first eight letters of the name.
const MAGIC: [u8; 8] = *b"monomorp";
const VERSION: u32 = 1;

/// What the page says. In it, after each other, in little endian: the magic (8 bytes), the version and the form (4 each);
/// at 16 the fingerprint's lengths of file and header and its hashes of header and vocabulary (8 each); at 48 `n_bytes`
/// (8); at 56 the content's hash (16) and at 72 the image's (16). The rest is zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// How matrices are stored.
    pub form: Form,
    /// Of the build that packed it, but for the content, which is that of the file that was packed.
    pub fingerprint: Fingerprint,
    /// Length of the image in bytes.
    pub n_bytes: u64,
    /// XXH3 (128 bits) of the image.
    pub hash: u128,
}

/// Why a packed file is not one for this model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Its page is cut, damaged, or of another version.
    Version,
    /// It was packed for another model.
    Model,
    /// It has another length than the model needs.
    Length {
        /// Its length in bytes.
        found: u64,
        /// The length it must have.
        expected: u64,
    },
}

impl Label {
    /// The page.
    pub fn page(&self) -> [u8; PAGE] {
        let Fingerprint { file_len, header_len, header, vocabulary, content } = self.fingerprint;
        let mut page = [0; PAGE];
        let mut rest = &mut page[..];
        let mut put = |bytes: &[u8]| {
            let Some(to) = rest.split_off_mut(..bytes.len()) else {
                unreachable!("a page is longer")
            };
            to.copy_from_slice(bytes);
        };
        put(&MAGIC);
        put(&VERSION.to_le_bytes());
        put(&(self.form as u32).to_le_bytes());
        for number in [file_len, header_len, header, vocabulary, self.n_bytes] {
            put(&number.to_le_bytes());
        }
        put(&content.to_le_bytes());
        put(&self.hash.to_le_bytes());
        page
    }

    /// The label of a packed file; none if the bytes do not begin as one does.
    pub fn of(bytes: &[u8]) -> Option<Result<Label, Unfit>> {
        bytes.starts_with(&MAGIC).then(|| Label::parse(bytes).ok_or(Unfit::Version))
    }

    fn parse(bytes: &[u8]) -> Option<Label> {
        let mut rest = bytes.get(MAGIC.len()..PAGE)?;
        let version = u32::from_le_bytes(take(&mut rest)?);
        let form = match u32::from_le_bytes(take(&mut rest)?) {
            0 => Form::Panels,
            1 => Form::Blocks,
            _ => return None,
        };
        let mut numbers = [0; 5];
        for number in &mut numbers {
            *number = u64::from_le_bytes(take(&mut rest)?);
        }
        let [file_len, header_len, header, vocabulary, n_bytes] = numbers;
        let content = u128::from_le_bytes(take(&mut rest)?);
        let hash = u128::from_le_bytes(take(&mut rest)?);
        let fingerprint = Fingerprint { file_len, header_len, header, vocabulary, content };
        (version == VERSION).then_some(Label { form, fingerprint, n_bytes, hash })
    }

    /// Checks that a file of `file_len` bytes with this label holds the weights of this model.
    pub fn check(&self, spec: &Spec, of_build: &Fingerprint, file_len: u64) -> Result<(), Unfit> {
        // Any content will do, as in a GGUF file: `monomorph verify` compares it.
        if (Fingerprint { content: of_build.content, ..self.fingerprint }) != *of_build {
            return Err(Unfit::Model);
        }
        let n_bytes = length(&layout(spec, self.form));
        if self.n_bytes != n_bytes {
            return Err(Unfit::Version);
        }
        let expected = PAGE as u64 + n_bytes;
        if file_len != expected {
            return Err(Unfit::Length { found: file_len, expected });
        }
        Ok(())
    }
}

/// Takes the first bytes.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    bytes.split_off(..N)?.try_into().ok()
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::Version => f.write_str(
                "its first page is truncated or damaged, or another version of monomorph wrote it; pack the model again",
            ),
            Unfit::Model => f.write_str(
                "it was packed for another model; pack the one that this program was built for",
            ),
            Unfit::Length { found, expected } => {
                write!(f, "it has {found} bytes instead of {expected}; fetch or pack it again")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: Label = Label {
        form: Form::Blocks,
        fingerprint: Fingerprint {
            file_len: 1,
            header_len: 2,
            header: 3,
            vocabulary: 4,
            content: 5 << 64,
        },
        n_bytes: 6,
        hash: 7 << 64,
    };

    #[test]
    fn a_page_gives_its_label() {
        for label in [LABEL, Label { form: Form::Panels, ..LABEL }] {
            assert_eq!(Label::of(&label.page()), Some(Ok(label)));
        }
    }

    #[test]
    fn other_bytes_are_no_label() {
        let page = LABEL.page();
        assert_eq!(Label::of(b"GGUF"), None);
        assert_eq!(Label::of(&[]), None);
        assert_eq!(Label::of(&page[..7]), None);
        (8..PAGE).for_each(|cut| assert_eq!(Label::of(&page[..cut]), Some(Err(Unfit::Version))));
        for (place, byte) in [(8, 2), (12, 2), (15, 1)] {
            let mut other = page;
            other[place] = byte;
            assert_eq!(Label::of(&other), Some(Err(Unfit::Version)), "{place}");
        }
    }
}
