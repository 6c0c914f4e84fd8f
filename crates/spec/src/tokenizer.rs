//! The tokenizer: its algorithm, flags and special pieces.

use crate::arch::{Marks, TokenizerRule};
use crate::fields::described;
use monomorph_gguf::{Error, MERGES, Metadata, PieceKind, ValueType, Vocabulary, printable};
use std::borrow::Cow;

described! {
    /// The tokenizer's algorithm, flags and special pieces.
    #[derive(Copy, Eq)]
    pub struct TokenizerSpec {
        /// How a text becomes pieces.
        pub algorithm: Algorithm,
        /// Id of the piece that begins a text.
        pub bos: u32,
        /// Id of the piece that ends a text.
        pub eos: u32,
        /// Id of the piece that stands for text that no piece covers.
        pub unknown: Option<u32>,
        /// Whether texts begin with `bos`.
        pub add_bos: bool,
        /// Whether texts end with `eos`.
        pub add_eos: bool,
        /// Whether a space is put before the text.
        pub add_space_prefix: bool,
    }
}

described! {
    /// How a text becomes pieces.
    #[derive(Eq)]
    pub enum Algorithm {
        /// SentencePiece's byte-pair encoding: neighbours are merged, the pair with the best score first.
        ScoredBpe,
        /// WordPiece: each word is cut from the left, the longest piece first.
        WordPiece(WordNormalizer),
        /// SentencePiece's unigram language model: of all ways to cut a word, the one with the highest sum of scores.
        Unigram,
        /// Byte-level BPE: the text is composed (NFC) and split into words, and the bytes of each are merged, the pair
        /// that is listed first before all others.
        ByteLevel(Split),
        /// Byte-pair encoding of characters: neighbours are merged, the pair that is listed first before all others. A
        /// character without a piece becomes the pieces of its bytes.
        ListedMerges,
    }
}

described! {
    /// The pattern by which byte-level BPE splits a text into words.
    #[derive(Eq)]
    pub enum Split {
        /// GPT-2's: letters, digits or signs, with the space before them.
        Gpt2,
        /// Qwen2's: also letters with any character before them, single digits, and signs with the line ends after them.
        Qwen2,
    }
}

described! {
    /// What happens to a text's characters before WordPiece (`BertNormalizer` in Hugging Face's `tokenizers`).
    #[derive(Copy, Eq)]
    pub struct WordNormalizer {
        /// Whether letters become lower case.
        pub lowercase: bool,
        /// Whether accents are removed: characters are decomposed (NFD), and non-spacing marks are dropped.
        pub strip_accents: bool,
    }
}

impl Algorithm {
    /// Whether the vocabulary's pieces are written in the alphabet of bytes.
    pub fn is_byte_level(self) -> bool {
        matches!(self, Algorithm::ByteLevel(_))
    }
}

impl TokenizerRule {
    /// The value of `tokenizer.ggml.model`.
    pub(crate) fn model(self) -> &'static str {
        match self {
            TokenizerRule::ScoredBpe { .. } => "llama",
            TokenizerRule::WordPiece => "bert",
            TokenizerRule::Unigram => "t5",
            TokenizerRule::ByteLevel { .. } => "gpt2",
            TokenizerRule::ListedMerges => "gemma4",
        }
    }
}

/// What the metadata say about the tokenizer of this vocabulary, which must be of one of the kinds that the architecture
/// has.
pub(crate) fn judge(
    metadata: &Metadata<'_>,
    vocabulary: &Vocabulary<'_>,
    rules: &[TokenizerRule],
) -> Result<TokenizerSpec, Error> {
    let rule = applicable(metadata, rules)?;
    let keys = Keys { metadata, vocabulary };
    keys.id("padding")?;
    match rule {
        TokenizerRule::ScoredBpe { space_prefix } => scored_bpe(&keys, space_prefix),
        TokenizerRule::WordPiece => word_piece(&keys),
        TokenizerRule::Unigram => unigram(&keys),
        TokenizerRule::ByteLevel { split, marks, .. } => byte_level(&keys, split, marks),
        TokenizerRule::ListedMerges => listed_merges(&keys),
    }
}

/// The rule for this file's tokenizer.
fn applicable(metadata: &Metadata<'_>, rules: &[TokenizerRule]) -> Result<TokenizerRule, Error> {
    let model = metadata.str("tokenizer.ggml.model")?;
    let mut patterns = Vec::new();
    for &rule in rules.iter().filter(|rule| rule.model() == model) {
        match rule {
            TokenizerRule::ByteLevel { pre, .. } if metadata.str(PRE)? != pre => patterns.push(pre),
            _ => return Ok(rule),
        }
    }
    if !patterns.is_empty() {
        let found = format!("\"{}\"", printable(metadata.str(PRE)?));
        let expected =
            format!("one that this version knows for this architecture: {}", patterns.join(", "));
        return Err(Error::key(PRE, found, expected));
    }
    let mut names: Vec<&str> = rules.iter().map(|rule| rule.model()).collect();
    names.dedup();
    Err(Error::Unsupported {
        reason: format!(
            "tokenizer.ggml.model is {}, which this version does not run with this architecture; supported: {}",
            printable(model),
            names.join(", ")
        ),
    })
}

fn scored_bpe(keys: &Keys<'_, '_>, space_prefix: bool) -> Result<TokenizerSpec, Error> {
    let metadata = keys.metadata;
    if !keys.vocabulary.has_scores() {
        return Err(Error::MissingKey { key: "tokenizer.ggml.scores".into() });
    }
    let (add_bos, add_eos) = flags(metadata)?;
    Ok(TokenizerSpec {
        algorithm: Algorithm::ScoredBpe,
        bos: keys.required_id("bos")?,
        eos: keys.required_id("eos")?,
        unknown: keys.id("unknown")?,
        add_bos,
        add_eos,
        add_space_prefix: metadata
            .optional("tokenizer.ggml.add_space_prefix")?
            .unwrap_or(space_prefix),
    })
}

/// Whether texts begin with `bos` and end with `eos`.
fn flags(metadata: &Metadata<'_>) -> Result<(bool, bool), Error> {
    let add_bos = metadata.optional("tokenizer.ggml.add_bos_token")?.unwrap_or(true);
    // Readers disagree about the default, and without <eos> the vector would be wrong, so the file has to say.
    let add_eos: bool = metadata.required(ADD_EOS)?;
    if !add_bos && !add_eos {
        let expected = "true where add_bos_token is false: an empty text needs a token";
        return Err(Error::key(ADD_EOS, add_eos, expected));
    }
    Ok((add_bos, add_eos))
}

/// Texts are not split into words, and files need not say so.
fn listed_merges(keys: &Keys<'_, '_>) -> Result<TokenizerSpec, Error> {
    let metadata = keys.metadata;
    metadata.array_of(MERGES, ValueType::Str)?;
    refuse_space_prefix(metadata)?;
    if let Some(other) = metadata.optional::<&str>(PRE)?
        && !["default", "gemma4"].contains(&other)
    {
        let expected = "\"gemma4\" or \"default\", which split no text into words";
        return Err(Error::key(PRE, format!("\"{}\"", printable(other)), expected));
    }
    let (add_bos, add_eos) = flags(metadata)?;
    Ok(TokenizerSpec {
        algorithm: Algorithm::ListedMerges,
        bos: keys.required_id("bos")?,
        eos: keys.required_id("eos")?,
        unknown: keys.id("unknown")?,
        add_bos,
        add_eos,
        add_space_prefix: false,
    })
}

const PRE: &str = "tokenizer.ggml.pre";

fn refuse_space_prefix(metadata: &Metadata<'_>) -> Result<(), Error> {
    const KEY: &str = "tokenizer.ggml.add_space_prefix";
    if metadata.optional(KEY)?.unwrap_or(false) {
        return Err(Error::key(KEY, true, "false, as for the models with this tokenizer"));
    }
    Ok(())
}

/// Every text stands between `[CLS]` and `[SEP]`, whatever `add_bos_token` and `add_eos_token` say. Older files state
/// no ids for the two, or under `bos` and `eos` those of another tokenizer.
fn word_piece(keys: &Keys<'_, '_>) -> Result<TokenizerSpec, Error> {
    let flag =
        |name: &str| keys.metadata.optional::<bool>(&format!("tokenizer.ggml.normalizer.{name}"));
    // A vocabulary with upper-case letters was made for texts that keep theirs.
    let lowercase = flag("lowercase")?.unwrap_or_else(|| !keys.has_upper_case());
    let strip_accents = flag("strip_accents")?.unwrap_or(lowercase);
    Ok(TokenizerSpec {
        algorithm: Algorithm::WordPiece(WordNormalizer { lowercase, strip_accents }),
        bos: keys.id_or_piece("cls", b"[CLS]", "bos")?,
        // GGUF's own spelling.
        eos: keys.id_or_piece("seperator", b"[SEP]", "eos")?,
        unknown: Some(keys.id_or_piece("unknown", b"[UNK]", "unknown")?),
        add_bos: true,
        add_eos: true,
        add_space_prefix: false,
    })
}

/// XLM-RoBERTa's tokenizer: every text stands between `<s>` and `</s>`, and every word begins with U+2581.
fn unigram(keys: &Keys<'_, '_>) -> Result<TokenizerSpec, Error> {
    if !keys.vocabulary.has_scores() {
        return Err(Error::MissingKey { key: "tokenizer.ggml.scores".into() });
    }
    for name in ["add_space_prefix", "remove_extra_whitespaces", "add_bos_token", "add_eos_token"] {
        let key = format!("tokenizer.ggml.{name}");
        if !keys.metadata.optional(&key)?.unwrap_or(true) {
            return Err(Error::key(&key, false, "true, as for all models with this tokenizer"));
        }
    }
    Ok(TokenizerSpec {
        algorithm: Algorithm::Unigram,
        bos: keys.id_or_piece("bos", b"<s>", "bos")?,
        eos: keys.id_or_piece("eos", b"</s>", "eos")?,
        unknown: Some(keys.id_or_piece("unknown", b"<unk>", "unknown")?),
        add_bos: true,
        add_eos: true,
        add_space_prefix: true,
    })
}

fn byte_level(keys: &Keys<'_, '_>, split: Split, marks: Marks) -> Result<TokenizerSpec, Error> {
    keys.metadata.array_of(MERGES, ValueType::Str)?;
    refuse_space_prefix(keys.metadata)?;
    let (bos, eos, add_bos, add_eos) = match marks {
        Marks::Around([first, last]) => {
            let bos = keys.id_or_piece("cls", first.as_bytes(), "bos")?;
            (bos, keys.id_or_piece("seperator", last.as_bytes(), "eos")?, true, true)
        }
        Marks::Stated { last, .. } => stated(keys, last)?,
    };
    let (algorithm, unknown) = (Algorithm::ByteLevel(split), keys.id("unknown")?);
    Ok(TokenizerSpec { algorithm, bos, eos, unknown, add_bos, add_eos, add_space_prefix: false })
}

const ADD_EOS: &str = "tokenizer.ggml.add_eos_token";

/// The marks that the file states, and whether they are added. Where it does not say how texts end, they end with the
/// piece `last`.
fn stated(keys: &Keys<'_, '_>, last: &str) -> Result<(u32, u32, bool, bool), Error> {
    let add_bos = keys.metadata.optional("tokenizer.ggml.add_bos_token")?.unwrap_or(false);
    let add_eos = keys.metadata.optional(ADD_EOS)?;
    let eos = match (add_eos, keys.piece(last.as_bytes())) {
        (None, Some(id)) => id,
        _ => keys.required_id("eos")?,
    };
    let add_eos = add_eos.unwrap_or(true);
    if !add_bos && !add_eos {
        let expected = "true where add_bos_token is false: an empty text needs a token";
        return Err(Error::key(ADD_EOS, add_eos, expected));
    }
    let bos = if add_bos { keys.required_id("bos")? } else { keys.id("bos")?.unwrap_or(eos) };
    Ok((bos, eos, add_bos, add_eos))
}

/// What a user should know about the tokenizer of this file.
pub(crate) fn note(
    metadata: &Metadata<'_>,
    rules: &[TokenizerRule],
    tokenizer: &TokenizerSpec,
) -> Result<Option<Cow<'static, str>>, Error> {
    let is_stated = metadata.optional::<bool>(ADD_EOS)?.is_some();
    Ok(match applicable(metadata, rules)? {
        TokenizerRule::ByteLevel { marks: Marks::Stated { reason, .. }, .. } if !is_stated => {
            let eos = tokenizer.eos;
            let note = format!(
                "the file does not say how texts end ({ADD_EOS}): token {eos} is appended, {reason}"
            );
            Some(note.into())
        }
        _ => None,
    })
}

/// The ids of special pieces.
struct Keys<'m, 'a> {
    metadata: &'m Metadata<'a>,
    vocabulary: &'m Vocabulary<'a>,
}

impl Keys<'_, '_> {
    /// The id that `tokenizer.ggml.NAME_token_id` states, if the file has it.
    fn id(&self, name: &str) -> Result<Option<u32>, Error> {
        let key = format!("tokenizer.ggml.{name}_token_id");
        let n_vocab = self.vocabulary.len();
        match self.metadata.optional::<u32>(&key)? {
            Some(id) if id as usize >= n_vocab => {
                Err(Error::key(&key, id, format!("an id of the vocabulary's {n_vocab} pieces")))
            }
            id => Ok(id),
        }
    }

    fn required_id(&self, name: &str) -> Result<u32, Error> {
        let missing = || Error::MissingKey { key: format!("tokenizer.ggml.{name}_token_id") };
        self.id(name)?.ok_or_else(missing)
    }

    /// The id that the file states under `name`; if it does not, the id of this piece; if there is none, the id under
    /// `other`.
    fn id_or_piece(&self, name: &str, piece: &[u8], other: &str) -> Result<u32, Error> {
        match self.id(name)?.or_else(|| self.piece(piece)) {
            Some(id) => Ok(id),
            None => self.required_id(other),
        }
    }

    /// Whether an ordinary piece has an upper-case letter.
    fn has_upper_case(&self) -> bool {
        let mut pieces = self.vocabulary.iter().filter(|piece| piece.kind == PieceKind::Normal);
        pieces.any(|piece| piece.bytes.iter().any(u8::is_ascii_uppercase))
    }

    /// The id of this piece.
    fn piece(&self, bytes: &[u8]) -> Option<u32> {
        (0..).zip(self.vocabulary.iter()).find(|(_, piece)| piece.bytes == bytes).map(|(id, _)| id)
    }
}
