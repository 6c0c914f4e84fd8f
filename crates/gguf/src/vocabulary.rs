//! The vocabulary: pieces, their scores and kinds, as the file lists them.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::error::Error;
use crate::header::Header;
use crate::value::{Array, ValueType};

pub(crate) const TOKENS: &str = "tokenizer.ggml.tokens";
const SCORES: &str = "tokenizer.ggml.scores";
const KINDS: &str = "tokenizer.ggml.token_type";

/// The key of the pairs that byte-level BPE merges: two pieces with a space between them, the first merge first.
pub const MERGES: &str = "tokenizer.ggml.merges";

/// The key of SentencePiece's precompiled map of characters.
pub const CHARSMAP: &str = "tokenizer.ggml.precompiled_charsmap";

/// The key of the mask's id.
pub const MASK: &str = "tokenizer.ggml.mask_token_id";

/// Longest accepted piece in bytes. llama.cpp's readers once kept the length in 32 bits and were attacked through that.
const MAX_PIECE_BYTES: usize = 1 << 16;

/// A vocabulary with as many kinds as pieces, and as many scores if it has any. [`Self::from_header`] also checks that no
/// piece is empty, that all scores are finite and that all kinds are known.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary<'a> {
    pieces: Array<'a>,
    scores: Option<Array<'a>>,
    kinds: Array<'a>,
}

/// One entry of the vocabulary; its id is its position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece<'a> {
    /// The piece as the file stores it, usually UTF-8; normal pieces write a space as U+2581.
    pub bytes: &'a [u8],
    /// Merges into a piece with a higher score come first; 0 in a vocabulary without scores.
    pub score: f32,
    /// What the piece is for.
    pub kind: PieceKind,
}

/// What a piece is for, numbered as in the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PieceKind {
    /// Ordinary text.
    Normal = 1,
    /// Stands for text that no piece covers.
    Unknown = 2,
    /// A special token such as `<bos>`.
    Control = 3,
    /// Cut out of the text before anything is merged.
    UserDefined = 4,
    /// Never produced.
    Unused = 5,
    /// One byte, written `<0x0A>`.
    Byte = 6,
}

impl<'a> Vocabulary<'a> {
    /// The vocabulary of a file, with every entry checked. This takes a pass over all entries, so it is meant for the
    /// build, not for every start of the program.
    pub fn from_header(header: &Header<'a>) -> Result<Self, Error> {
        let vocabulary = Self::unchecked(header)?;
        vocabulary.check_pieces()?;
        Ok(vocabulary)
    }

    /// The vocabulary of a file, with its lengths and types checked but not its entries.
    pub fn unchecked(header: &Header<'a>) -> Result<Self, Error> {
        let metadata = &header.metadata;
        let pieces = metadata.array_of(TOKENS, ValueType::Str)?;
        // Only some kinds of tokenizer have scores.
        let scores = match metadata.get(SCORES) {
            Some(_) => Some(metadata.array_of(SCORES, ValueType::F32)?),
            None => None,
        };
        // The kinds have no default: if every piece were normal, special tokens, bytes and runs of spaces would be read
        // as plain text.
        let kinds = metadata.array_of(KINDS, ValueType::I32)?;
        for (key, array) in
            scores.map(|scores| (SCORES, scores)).into_iter().chain([(KINDS, kinds)])
        {
            if array.len() != pieces.len() {
                let expected = format!("{}, one for each of {TOKENS}", pieces.len());
                return Err(Error::key(key, format!("{} entries", array.len()), expected));
            }
        }
        if pieces.is_empty() || u32::try_from(pieces.len()).is_err() {
            return Err(Error::key(TOKENS, format!("{} pieces", pieces.len()), "1 to 2^32 - 1"));
        }
        Ok(Vocabulary { pieces, scores, kinds })
    }

    fn check_pieces(&self) -> Result<(), Error> {
        let entries = self.pieces.strings().zip(self.scores()).zip(self.kinds.i32s());
        for (id, ((bytes, score), kind)) in entries.enumerate() {
            if bytes.is_empty() || bytes.len() > MAX_PIECE_BYTES {
                let found = format!("piece {id} of {} bytes", bytes.len());
                return Err(Error::key(TOKENS, found, format!("1 to {MAX_PIECE_BYTES}")));
            }
            if !score.is_finite() {
                return Err(Error::key(
                    SCORES,
                    format!("{score} for piece {id}"),
                    "a finite number",
                ));
            }
            let Some(kind) = PieceKind::from_id(kind) else {
                return Err(Error::key(
                    KINDS,
                    format!("{kind} for piece {id}"),
                    "a kind from 1 to 6",
                ));
            };
            if kind == PieceKind::Byte && byte_of(bytes).is_none() {
                let found = format!("piece {id}, \"{}\", of kind byte", bytes.escape_ascii());
                return Err(Error::key(TOKENS, found, "<0x00> to <0xFF>"));
            }
        }
        Ok(())
    }

    /// Whether the file has scores.
    pub fn has_scores(&self) -> bool {
        self.scores.is_some()
    }

    /// The score of each piece; zeros if the file has none.
    fn scores(&self) -> impl Iterator<Item = f32> + Clone + use<'a> {
        let none = if self.scores.is_none() { self.pieces.len() } else { 0 };
        let scores = self.scores.into_iter().flat_map(|scores| scores.f32s());
        scores.chain(std::iter::repeat_n(0.0, none))
    }

    /// Number of pieces.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Always false: a file without pieces is refused.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The pieces in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = Piece<'a>> + Clone + use<'a> {
        let entries = self.pieces.strings().zip(self.scores()).zip(self.kinds.i32s());
        entries.map(|((bytes, score), kind)| Piece {
            bytes,
            score,
            // `from_header` has checked the kinds; `unchecked` has not, and an unknown kind counts as unused.
            kind: PieceKind::from_id(kind).unwrap_or(PieceKind::Unused),
        })
    }
}

impl Piece<'_> {
    /// The byte that a byte piece stands for.
    pub fn byte(&self) -> Option<u8> {
        if self.kind == PieceKind::Byte { byte_of(self.bytes) } else { None }
    }
}

impl PieceKind {
    fn from_id(id: i32) -> Option<Self> {
        Some(match id {
            1 => PieceKind::Normal,
            2 => PieceKind::Unknown,
            3 => PieceKind::Control,
            4 => PieceKind::UserDefined,
            5 => PieceKind::Unused,
            6 => PieceKind::Byte,
            _ => return None,
        })
    }
}

fn byte_of(piece: &[u8]) -> Option<u8> {
    let digits = piece.strip_prefix(b"<0x")?.strip_suffix(b">")?;
    let all_hex = digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit);
    u8::from_str_radix(std::str::from_utf8(digits).ok().filter(|_| all_hex)?, 16).ok()
}
