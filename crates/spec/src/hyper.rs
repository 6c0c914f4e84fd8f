//! What single hyper-parameters mean, and the limits on them.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::judge::Sizes;
use crate::keys::Keys;
use crate::options::DEFAULT_WINDOW;
use crate::{BuildOptions, Pooling};
use monomorph_gguf::{Error, Value, ValueType, printable};

/// Every sixth layer sees the whole text.
const FULL_EVERY: usize = 6;

/// Layers of Gemma 3 27B.
const LAYERS_OF_27B: usize = 62;

/// Limit on what a file may ask for, far above any embedding model.
const MAX_CONTEXT: usize = 1 << 20;
/// Floats of a RoPE table, which is built into the binary: 64 MiB.
const MAX_ROPE_TABLE: usize = 1 << 24;

pub(crate) fn pooling(
    keys: &Keys<'_, '_>,
    choices: BuildOptions,
    causal: bool,
) -> Result<Pooling, Error> {
    let pooling = match (choices.pooling, keys.optional::<u32>("pooling_type")?) {
        (Some(chosen), _) => chosen,
        (None, Some(1)) => Pooling::Mean,
        (None, Some(2)) => Pooling::Cls,
        (None, Some(3)) => Pooling::Last,
        // EmbeddingGemma was trained with the mean. Files of language models do not say; sentence-transformers takes
        // the mean of such a model too. The build warns of both.
        (None, None) => Pooling::Mean,
        (None, Some(found)) => {
            return Err(keys.error("pooling_type", found, "1 (mean), 2 (cls) or 3 (last)"));
        }
    };
    if causal && pooling == Pooling::Cls {
        let key = keys.name("pooling_type");
        let reason = format!(
            "cls pooling ({key} or MONOMORPH_POOLING) of a causal model, whose first token sees nothing of the text; \
             expected mean or last"
        );
        return Err(Error::Unsupported { reason });
    }
    Ok(pooling)
}

/// The window: what the build chose, within what the model was trained for.
pub(crate) fn context_length(
    keys: &Keys<'_, '_>,
    choices: BuildOptions,
    head_dim: usize,
) -> Result<usize, Error> {
    let trained = match keys.size("context_length", MAX_CONTEXT)? {
        1 => return Err(keys.error("context_length", 1, "room for <bos> and <eos>")),
        trained => trained,
    };
    let n_ctx = choices.n_ctx.unwrap_or(DEFAULT_WINDOW.min(trained));
    if n_ctx > trained {
        let expected = format!("at least the {n_ctx} of the window chosen for the build");
        return Err(keys.error("context_length", trained, expected));
    }
    if n_ctx.saturating_mul(head_dim) > MAX_ROPE_TABLE {
        let most = MAX_ROPE_TABLE.checked_div(head_dim).unwrap_or_default();
        let key = keys.name("context_length");
        let reason = format!(
            "a window of {n_ctx} tokens ({key} or MONOMORPH_CONTEXT); expected at most {most} for heads of {head_dim}"
        );
        return Err(Error::Unsupported { reason });
    }
    Ok(n_ctx)
}

/// The file gives the window's whole width. Of a causal model's it holds a position and those before it; of an
/// encoder's half lies on each side.
pub(crate) fn attention_radius(keys: &Keys<'_, '_>, causal: bool) -> Result<usize, Error> {
    match keys.size("attention.sliding_window", MAX_CONTEXT)? {
        1 => Err(keys.error("attention.sliding_window", 1, "at least 2")),
        width if causal => Ok(width.saturating_sub(1)),
        width => Ok(width >> 1),
    }
}

/// One over the root of a head's width; the largest Gemma 3 alone was trained with another. No key says so: other
/// readers know it by its 62 layers too.
pub(crate) fn attention_scale(sizes: &Sizes, n_layer: usize, causal: bool) -> f32 {
    let width = match sizes.n_embd.checked_div(sizes.n_head) {
        Some(share) if share > 0 && causal && n_layer == LAYERS_OF_27B => share,
        _ => sizes.head_dim,
    };
    1.0 / (width as f32).sqrt()
}

/// Gemma 3 from 4B on was trained with positions divided by eight in full layers, and only there.
pub(crate) fn rope_divisor(keys: &Keys<'_, '_>) -> Result<f32, Error> {
    let factor = match keys.optional::<&str>("rope.scaling.type")? {
        Some("none") => return Ok(1.0),
        Some("linear") => keys.positive("rope.scaling.factor")?,
        // A factor alone is one of linear scaling: older writers gave no type.
        None => keys.positive_or("rope.scaling.factor", 1.0)?,
        Some(found) => {
            return Err(keys.error("rope.scaling.type", printable(found), "none or linear"));
        }
    };
    if factor < 1.0 {
        return Err(keys.error("rope.scaling.factor", factor, "at least 1"));
    }
    Ok(factor)
}

/// Newer writers say which layers slide: a period, or a flag a layer.
pub(crate) fn check_pattern(keys: &Keys<'_, '_>, n_layer: usize) -> Result<(), Error> {
    let key = "attention.sliding_window_pattern";
    let Some(found) = keys.metadata.get(&keys.name(key)) else {
        return Ok(());
    };
    let agrees = match found {
        Value::Array(flags) if flags.element_type() == ValueType::Bool => {
            let expected = (0..n_layer).map(|i| u8::from(!is_full(i)));
            flags.raw().iter().copied().eq(expected)
        }
        _ => found.integer() == Some(FULL_EVERY as i128),
    };
    let expected = format!("{FULL_EVERY}: every sixth layer full");
    if agrees { Ok(()) } else { Err(keys.error(key, found, expected)) }
}

pub(crate) fn is_full(layer: usize) -> bool {
    layer.saturating_add(1).is_multiple_of(FULL_EVERY)
}
