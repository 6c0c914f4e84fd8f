//! From a header to a [`Spec`], or a line that says what this version cannot run.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::borrow::Cow;
use std::collections::HashSet;

use crate::hyper::{
    attention_radius, attention_scale, check_pattern, context_length, is_full, pooling,
    rope_divisor,
};
use crate::keys::Keys;
use crate::split;
use crate::tensors::{Tensors, dimensions};
use crate::{Attention, BuildOptions, FileShape, Layer, Spec, Tensor, TokenizerSpec};
use monomorph_gguf::{Error, Header, Metadata, TensorInfo, Vocabulary, printable};

/// Widths are whole Q8_0 blocks, so that a row of any of them is.
pub(crate) const WIDTH_MULTIPLE: usize = 32;

/// Limits on what a model may ask for, far above any embedding model; with those of `hyper` they bound every
/// product of sizes below 2^63.
const MAX_LAYERS: usize = 1024;
pub(crate) const MAX_WIDTH: usize = 1 << 20;

pub(crate) fn spec(header: &Header<'_>, choices: BuildOptions) -> Result<Spec, Error> {
    let metadata = &header.metadata;
    split::refuse_parts(metadata)?;
    let architecture = metadata.str("general.architecture")?;
    let shape = file_shape(header, architecture)?;
    let causal = shape == FileShape::LanguageModel;
    let keys = Keys { metadata, architecture };

    let n_layer = keys.size("block_count", MAX_LAYERS)?;
    check_pattern(&keys, n_layer)?;
    let sizes = sizes(&keys)?;
    let n_embd = sizes.n_embd;
    let vocabulary = Vocabulary::unchecked(header)?;
    let text = |key: &str| -> Result<Option<Cow<'static, str>>, Error> {
        Ok(metadata.optional(key)?.map(|text| printable(text).into()))
    };
    let mut tensors = Tensors { header, used: 0 };
    let spec = Spec {
        name: printable(metadata.optional("general.name")?.unwrap_or("unnamed")).into(),
        architecture: architecture.to_owned().into(),
        license: text("general.license")?,
        license_name: text("general.license.name")?,
        license_link: text("general.license.link")?,
        shape,
        choices,
        n_embd,
        n_ff: sizes.n_ff,
        n_head: sizes.n_head,
        n_head_kv: sizes.n_head_kv,
        head_dim: sizes.head_dim,
        n_vocab: vocabulary.len(),
        n_ctx: context_length(&keys, choices, sizes.head_dim)?,
        rms_eps: keys.positive("attention.layer_norm_rms_epsilon")?,
        causal,
        attention_radius: attention_radius(&keys, causal)?,
        attention_scale: attention_scale(&sizes, n_layer, causal),
        pooling: pooling(&keys, choices, causal)?,
        rope_base_full: keys.positive("rope.freq_base")?,
        rope_base_sliding: keys.positive_or("rope.freq_base_swa", 10_000.0)?,
        rope_divisor_full: rope_divisor(&keys)?,
        token_embd: tensors.matrix("token_embd.weight", vocabulary.len(), n_embd)?,
        layers: (0..n_layer)
            .map(|i| layer(&mut tensors, i, &sizes))
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        output_norm: tensors.norm(shape.output_norm_name(), n_embd)?,
        dense: dense(&mut tensors, &keys, shape, n_embd)?.into(),
        tokenizer: tokenizer(metadata, vocabulary.len())?,
    };
    refuse_unknown_tensors(header, &spec, tensors.used)?;
    check_data(header)?;
    Ok(spec)
}

/// Counts of heads, and widths that tensors must have.
pub(crate) struct Sizes {
    pub n_embd: usize,
    pub n_ff: usize,
    pub n_head: usize,
    pub n_head_kv: usize,
    pub head_dim: usize,
    pub n_q: usize,
    pub n_kv: usize,
}

fn sizes(keys: &Keys<'_, '_>) -> Result<Sizes, Error> {
    let n_head = keys.size("attention.head_count", MAX_WIDTH)?;
    let n_head_kv = keys.size("attention.head_count_kv", MAX_WIDTH)?;
    if n_head.checked_rem(n_head_kv) != Some(0) {
        let expected = format!("a divisor of the {n_head} heads");
        return Err(keys.error("attention.head_count_kv", n_head_kv, expected));
    }
    let head_dim = keys.width("attention.key_length")?;
    let value_length = keys.width("attention.value_length")?;
    if value_length != head_dim {
        let expected = format!("the key length {head_dim}");
        return Err(keys.error("attention.value_length", value_length, expected));
    }
    Ok(Sizes {
        n_embd: keys.width("embedding_length")?,
        n_ff: keys.width("feed_forward_length")?,
        n_head,
        n_head_kv,
        head_dim,
        n_q: attention_width(keys, "attention.head_count", n_head, head_dim)?,
        n_kv: attention_width(keys, "attention.head_count_kv", n_head_kv, head_dim)?,
    })
}

fn file_shape(header: &Header<'_>, architecture: &str) -> Result<FileShape, Error> {
    let has = |name| header.tensor(name).is_some();
    let reason = match architecture {
        "gemma-embedding" if has("dense_2.weight") || has("dense_3.weight") => {
            return Ok(FileShape::WithDense);
        }
        "gemma-embedding" => return Ok(FileShape::WithoutDense),
        "gemma3" if has("dense.0.weight") || has("dense.1.weight") => return Ok(FileShape::Ollama),
        "gemma3" => return Ok(FileShape::LanguageModel),
        other => format!(
            "general.architecture is {}, which this version cannot run; supported: gemma-embedding and gemma3",
            printable(other)
        ),
    };
    Err(Error::Unsupported { reason })
}

fn layer(tensors: &mut Tensors<'_, '_>, i: usize, sizes: &Sizes) -> Result<Layer, Error> {
    let &Sizes { n_embd, n_ff, head_dim, n_q, n_kv, .. } = sizes;
    let name = |tensor: &str| format!("blk.{i}.{tensor}.weight");
    Ok(Layer {
        attention: if is_full(i) { Attention::Full } else { Attention::Sliding },
        attn_norm: tensors.norm(&name("attn_norm"), n_embd)?,
        attn_q: tensors.matrix(&name("attn_q"), n_q, n_embd)?,
        attn_k: tensors.matrix(&name("attn_k"), n_kv, n_embd)?,
        attn_v: tensors.matrix(&name("attn_v"), n_kv, n_embd)?,
        attn_output: tensors.matrix(&name("attn_output"), n_embd, n_q)?,
        attn_q_norm: tensors.norm(&name("attn_q_norm"), head_dim)?,
        attn_k_norm: tensors.norm(&name("attn_k_norm"), head_dim)?,
        post_attention_norm: tensors.norm(&name("post_attention_norm"), n_embd)?,
        ffn_norm: tensors.norm(&name("ffn_norm"), n_embd)?,
        ffn_gate: tensors.matrix(&name("ffn_gate"), n_ff, n_embd)?,
        ffn_up: tensors.matrix(&name("ffn_up"), n_ff, n_embd)?,
        ffn_down: tensors.matrix(&name("ffn_down"), n_embd, n_ff)?,
        post_ffw_norm: tensors.norm(&name("post_ffw_norm"), n_embd)?,
    })
}

/// The two heads lead from `n_embd` to some width and back.
fn dense(
    tensors: &mut Tensors<'_, '_>,
    keys: &Keys<'_, '_>,
    shape: FileShape,
    n_embd: usize,
) -> Result<Vec<Tensor>, Error> {
    if !shape.has_dense() {
        return Ok(Vec::new());
    }
    let [first, second] = shape.dense_names();
    let info = tensors.find(first)?;
    let [_, width, ..] = info.dims;
    let width =
        usize::try_from(width).ok().filter(|&n| n <= MAX_WIDTH && n.is_multiple_of(WIDTH_MULTIPLE));
    let Some(width) = width else {
        let expected = format!("a multiple of {WIDTH_MULTIPLE} up to {MAX_WIDTH} outputs");
        return Err(Error::tensor(first, dimensions(info.shape()), expected));
    };
    for (key, expected) in [
        ("dense_2_feat_in", n_embd),
        ("dense_2_feat_out", width),
        ("dense_3_feat_in", width),
        ("dense_3_feat_out", n_embd),
    ] {
        let found = keys.optional::<usize>(key)?.unwrap_or(expected);
        if found != expected {
            return Err(keys.error(key, found, format!("{expected}, as the tensors say")));
        }
    }
    Ok(vec![tensors.matrix(first, width, n_embd)?, tensors.matrix(second, n_embd, width)?])
}

fn tokenizer(metadata: &Metadata<'_>, n_vocab: usize) -> Result<TokenizerSpec, Error> {
    let model = metadata.str("tokenizer.ggml.model")?;
    if model != "llama" {
        let found = format!("\"{}\"", printable(model));
        return Err(Error::key(
            "tokenizer.ggml.model",
            found,
            "\"llama\", the only tokenizer of this version",
        ));
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
    // Readers disagree about the default, and a vector without <eos> is a wrong one: the file has to say.
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
        // Gemma's tokenizers put no space before the text; files that leave the key out mean that.
        add_space_prefix: metadata.optional("tokenizer.ggml.add_space_prefix")?.unwrap_or(false),
    })
}

fn attention_width(
    keys: &Keys<'_, '_>,
    key: &str,
    heads: usize,
    head_dim: usize,
) -> Result<usize, Error> {
    match heads.checked_mul(head_dim).filter(|&width| width <= MAX_WIDTH) {
        Some(width) => Ok(width),
        None => Err(keys.error(
            key,
            heads,
            format!("heads of {head_dim} that are at most {MAX_WIDTH} wide together"),
        )),
    }
}

/// A tensor that nobody reads means that the file is not what it seems.
fn refuse_unknown_tensors(header: &Header<'_>, spec: &Spec, used: usize) -> Result<(), Error> {
    if used == header.tensors.len() {
        return Ok(());
    }
    let known: HashSet<String> = spec.tensors().map(|(name, _)| name).collect();
    let unknown = header.tensors.iter().find(|tensor| !known.contains(tensor.name));
    let name = unknown.map_or("of the file", |tensor| tensor.name);
    let expected = format!("only the tensors of {} {}", spec.architecture, spec.shape);
    Err(Error::tensor(printable(name), "a tensor that this version does not know", expected))
}

/// So do tensors that share bytes, and bytes behind the last of them.
fn check_data(header: &Header<'_>) -> Result<(), Error> {
    let end = |tensor: &TensorInfo<'_>| tensor.absolute_offset.saturating_add(tensor.n_bytes);
    let mut in_order: Vec<&TensorInfo<'_>> = header.tensors.iter().collect();
    in_order.sort_unstable_by_key(|tensor| tensor.absolute_offset);
    for (before, after) in in_order.iter().zip(in_order.iter().skip(1)) {
        if end(before) > after.absolute_offset {
            let found = format!("data offset {}, inside {}", after.offset, printable(before.name));
            return Err(Error::tensor(printable(after.name), found, "bytes of its own"));
        }
    }
    let last = in_order.last().map_or(header.data_offset, |tensor| end(tensor));
    let padded = last.checked_next_multiple_of(header.alignment).unwrap_or(last);
    if header.file_len > padded {
        let more = header.file_len.saturating_sub(padded);
        let reason = format!(
            "{more} bytes follow the last tensor, at byte {padded}; expected the end of the file"
        );
        return Err(Error::Unsupported { reason });
    }
    Ok(())
}
