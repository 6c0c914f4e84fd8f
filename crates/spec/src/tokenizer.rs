//! The tokenizer's flags and special pieces.

use crate::arch::Arch;
use crate::fields::described;
use monomorph_gguf::{Error, Metadata, printable};

described! {
    /// The tokenizer's flags and special pieces.
    #[derive(Copy, Eq)]
    pub struct TokenizerSpec {
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

/// What the metadata say about a tokenizer with `n_vocab` pieces, whose model must be `expected`.
pub(crate) fn judge(
    metadata: &Metadata<'_>,
    n_vocab: usize,
    arch: &Arch,
) -> Result<TokenizerSpec, Error> {
    let model = metadata.str("tokenizer.ggml.model")?;
    if model != arch.tokenizer {
        let found = format!("\"{}\"", printable(model));
        let expected = format!("\"{}\", the tokenizer of this architecture", arch.tokenizer);
        return Err(Error::key("tokenizer.ggml.model", found, expected));
    }
    let id = |name: &str| {
        let key = format!("tokenizer.ggml.{name}_token_id");
        match metadata.optional::<u32>(&key)? {
            Some(id) if id as usize >= n_vocab => {
                Err(Error::key(&key, id, format!("an id of the vocabulary's {n_vocab} pieces")))
            }
            Some(id) => Ok(Ok(id)),
            None => Ok(Err(Error::MissingKey { key })),
        }
    };
    id("padding")?.ok();
    let add_bos = metadata.optional("tokenizer.ggml.add_bos_token")?.unwrap_or(true);
    // Readers disagree about the default, and without <eos> the vector would be wrong, so the file has to say.
    let add_eos: bool = metadata.required("tokenizer.ggml.add_eos_token")?;
    if !add_bos && !add_eos {
        let expected = "true where add_bos_token is false: an empty text needs a token";
        return Err(Error::key("tokenizer.ggml.add_eos_token", add_eos, expected));
    }
    Ok(TokenizerSpec {
        bos: id("bos")??,
        eos: id("eos")??,
        unknown: id("unknown")?.ok(),
        add_bos,
        add_eos,
        add_space_prefix: metadata
            .optional("tokenizer.ggml.add_space_prefix")?
            .unwrap_or(arch.space_prefix),
    })
}
