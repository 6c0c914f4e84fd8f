//! Reads the hyper-parameters and checks their limits.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::borrow::Cow;

use crate::arch::{Arch, HeadRule, Known, LayerRule, ScoreScale};
use crate::heads;
use crate::keys::{Keys, MAX_WIDTH};
use crate::options::DEFAULT_CONTEXT;
use crate::place::Sizes;
use crate::{BuildOptions, Heads, Linear, Pooling, Rope, Tensor, Window};
use monomorph_gguf::{Array, Error, Value, ValueType, printable};

/// The longest context that a file may ask for, far above any embedding model's.
const MAX_CONTEXT: usize = 1 << 20;
/// The most floats in a RoPE table, which is built into the binary: 64 MiB.
const MAX_ROPE_TABLE: usize = 1 << 24;

/// The numbers of heads, and all widths. `is_full` says of each layer whether it sees the whole text.
pub(crate) fn sizes(
    keys: &Keys<'_, '_>,
    arch: &Arch,
    n_vocab: usize,
    is_full: &[bool],
) -> Result<Sizes, Error> {
    let n_embd = keys.width("embedding_length")?;
    let (heads, full_heads) = match arch.heads {
        HeadRule::Alike => (heads::alike(keys, arch, n_embd)?, None),
        HeadRule::ByWindow => heads::by_window(keys, is_full)?,
    };
    let n_layer_input = match arch.layer_inputs {
        Some(_) => keys.width("embedding_length_per_layer_input")?,
        None => 0,
    };
    let of_all_layers = n_layer_input.saturating_mul(is_full.len());
    if of_all_layers > MAX_WIDTH {
        let expected = format!("inputs that are at most {MAX_WIDTH} wide together");
        return Err(keys.error("embedding_length_per_layer_input", n_layer_input, expected));
    }
    Ok(Sizes {
        n_embd,
        n_out: width_of_vectors(keys, arch, n_embd)?,
        n_ff: keys.width("feed_forward_length")?,
        heads,
        full_heads,
        n_layer_input,
        n_vocab,
        n_positions: trained_context(keys)?,
    })
}

/// The width of the vectors. Only dense heads give vectors of another width than the residual stream's.
fn width_of_vectors(keys: &Keys<'_, '_>, arch: &Arch, n_embd: usize) -> Result<usize, Error> {
    const KEY: &str = "embedding_length_out";
    if !keys.has(KEY) {
        return Ok(n_embd);
    }
    let n_out = keys.width(KEY)?;
    if arch.dense.is_empty() && n_out != n_embd {
        return Err(keys.error(KEY, n_out, format!("{n_embd}, as embedding_length states")));
    }
    Ok(n_out)
}

/// The number of a reranker's pooling.
const RANK: u32 = 4;

/// The poolings of a causal model.
const NOT_CLS: &str = "mean, last or max";

pub(crate) fn pooling(
    keys: &Keys<'_, '_>,
    options: BuildOptions,
    arch: &Arch,
) -> Result<Pooling, Error> {
    let pooling = match (options.pooling, keys.optional::<u32>("pooling_type")?) {
        (Some(chosen), _) => chosen,
        (None, Some(1)) => Pooling::Mean,
        (None, Some(2)) => Pooling::Cls,
        (None, Some(3)) => Pooling::Last,
        (None, None) => arch.pooling,
        (None, Some(RANK)) => {
            let expected = "an embedding model; this is a reranker";
            return Err(keys.error("pooling_type", "4 (rank)", expected));
        }
        (None, Some(found)) => {
            let choice = match (arch.causal, arch.dense_per_token) {
                (true, _) => NOT_CLS,
                (false, true) => "mean, cls or last",
                (false, false) => "mean, cls, last or max",
            };
            let expected =
                format!("1 (mean), 2 (cls) or 3 (last); set MONOMORPH_POOLING to {choice}");
            return Err(keys.error("pooling_type", found, expected));
        }
    };
    if arch.dense_per_token && pooling == Pooling::Max {
        let reason = "max pooling would have to project every token of this model, which this version does not do; build \
                      with MONOMORPH_POOLING=mean, cls or last";
        return Err(Error::Unsupported { reason: reason.to_owned() });
    }
    if arch.causal && pooling == Pooling::Cls {
        let reason = format!(
            "cls pooling does not suit a causal model, whose first token sees nothing of the text; set \
             MONOMORPH_POOLING to {NOT_CLS}"
        );
        return Err(Error::Unsupported { reason });
    }
    Ok(pooling)
}

/// The longest text in tokens: as built, and as the model was trained.
pub(crate) struct ContextLength {
    pub n_ctx: usize,
    pub trained: usize,
}

fn trained_context(keys: &Keys<'_, '_>) -> Result<usize, Error> {
    match keys.size("context_length", MAX_CONTEXT)? {
        1 => Err(keys.error("context_length", 1, "at least 2")),
        trained => Ok(trained),
    }
}

/// The longest text: what the build chose or the default, within what the model was trained for.
pub(crate) fn context_length(
    keys: &Keys<'_, '_>,
    options: BuildOptions,
    arch: &Arch,
    sizes: &Sizes,
) -> Result<ContextLength, Error> {
    let trained = trained_context(keys)?;
    let trained = arch.trained_context.map_or(trained, |most| most.min(trained));
    let n_ctx = options.n_ctx.unwrap_or(DEFAULT_CONTEXT.min(trained));
    if n_ctx < 2 {
        let reason =
            format!("a context of {n_ctx} tokens (MONOMORPH_CONTEXT); expected at least 2");
        return Err(Error::Unsupported { reason });
    }
    if n_ctx > trained {
        let reason = format!(
            "MONOMORPH_CONTEXT is {n_ctx}; this model was trained for at most {trained} tokens"
        );
        return Err(Error::Unsupported { reason });
    }
    let head_dim = [sizes.heads_of(false), sizes.heads_of(true)].map(|heads| heads.head_dim);
    let head_dim = head_dim.into_iter().fold(1, usize::max);
    if !arch.ropes.is_empty() && n_ctx.saturating_mul(head_dim) > MAX_ROPE_TABLE {
        let most = MAX_ROPE_TABLE.checked_div(head_dim).unwrap_or_default();
        let reason = format!(
            "a context of {n_ctx} tokens is too long for this build; set MONOMORPH_CONTEXT to at most {most} (for heads \
             of {head_dim})"
        );
        return Err(Error::Unsupported { reason });
    }
    Ok(ContextLength { n_ctx, trained })
}

/// The factor of attention scores.
pub(crate) fn score_scale(sizes: &Sizes, arch: &Arch, n_layer: usize) -> f32 {
    let Heads { n_head, head_dim, .. } = sizes.heads;
    let share = sizes.n_embd.checked_div(n_head).filter(|&share| share > 0);
    let width = match arch.score_scale {
        ScoreScale::One => 1,
        ScoreScale::RootOfHeadUnless { layers } if layers == n_layer => share.unwrap_or(head_dim),
        ScoreScale::RootOfHead | ScoreScale::RootOfHeadUnless { .. } => head_dim,
    };
    1.0 / (width as f32).sqrt()
}

/// Keys of computations that no architecture here has; a file that states 0 has none of them either.
const FOREIGN_KEYS: [&str; 3] =
    ["attn_logit_softcapping", "attention.clamp_kqv", "attention.max_alibi_bias"];

/// Refuses a file that asks for another computation than its architecture's: its vectors would be wrong without any
/// other sign of it. Files may state these keys, but need not.
pub(crate) fn check_agreement(
    keys: &Keys<'_, '_>,
    arch: &Arch,
    sizes: &Sizes,
    score_scale: f32,
) -> Result<(), Error> {
    let key = "attention.causal";
    if let Some(found) = keys.optional::<bool>(key)?
        && found != arch.causal
    {
        let expected = format!("{} for the variant \"{}\"", arch.causal, arch.variant);
        return Err(keys.error(key, found, expected));
    }
    for (key, expected) in arch.agreed {
        if let Some(found) = keys.optional::<&str>(key)?
            && found != *expected
        {
            let expected = format!("{expected}: this version does not compute another");
            return Err(keys.error(key, printable(found), expected));
        }
    }
    for (key, is_full) in [("rope.dimension_count", true), ("rope.dimension_count_swa", false)] {
        let head_dim = sizes.heads_of(is_full).head_dim;
        if !arch.ropes.is_empty()
            && let Some(found) = keys.optional::<usize>(key)?
            && found != head_dim
        {
            return Err(keys.error(key, found, format!("{head_dim}, the width of a head")));
        }
    }
    let key = "attention.shared_kv_layers";
    let found = keys.optional::<u32>(key)?.unwrap_or_default();
    if found != 0 {
        return Err(keys.error(key, found, "0: here each layer has keys and values of its own"));
    }
    let key = "attention.scale";
    let found = keys.optional::<f32>(key)?.unwrap_or_default();
    // Writers round the root in their own way.
    let agrees = (found - score_scale).abs() <= 1e-6 * score_scale;
    if found != 0.0 && !agrees {
        return Err(keys.error(key, found, format!("{score_scale}, this model's scale")));
    }
    for key in FOREIGN_KEYS {
        let found = keys.optional::<f32>(key)?.unwrap_or_default();
        if found != 0.0 {
            return Err(keys.error(key, found, "0: this version does not compute it"));
        }
    }
    Ok(())
}

/// The RoPE tables. Where layers slide, the second is that of the others.
pub(crate) fn ropes(keys: &Keys<'_, '_>, arch: &Arch, sizes: &Sizes) -> Result<Vec<Rope>, Error> {
    let table = |(number, rule): (usize, &crate::arch::RopeRule)| {
        Ok(Rope {
            head_dim: sizes.heads_of(number > 0).head_dim,
            base: match rule.default {
                Some(base) => keys.positive_or(rule.base, base)?,
                None => keys.positive(rule.base)?,
            },
            divisor: if rule.scaled { rope_divisor(keys)? } else { 1.0 },
        })
    };
    arch.ropes.iter().enumerate().map(table).collect()
}

/// What linear scaling divides positions by.
fn rope_divisor(keys: &Keys<'_, '_>) -> Result<f32, Error> {
    let factor = match keys.optional::<&str>("rope.scaling.type")? {
        Some("none") => return Ok(1.0),
        Some("linear") => keys.positive("rope.scaling.factor")?,
        // A factor without a type means linear scaling: older writers stated no type.
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

/// The windows and RoPE tables of a model's layers.
pub(crate) struct Layers(Vec<(Window, Option<u8>)>);

impl Layers {
    /// Those of each layer.
    pub fn iter(&self) -> impl Iterator<Item = (Window, Option<u8>)> {
        self.0.iter().copied()
    }

    /// Whether each layer sees the whole text.
    pub fn is_full(&self) -> Vec<bool> {
        self.iter().map(|(window, _)| window == Window::Full).collect()
    }
}

/// Reads the windows of the layers.
pub(crate) fn layers(keys: &Keys<'_, '_>, arch: &Arch, n_layer: usize) -> Result<Layers, Error> {
    let is_full: Vec<bool> = match arch.layers {
        LayerRule::Alike(rope) => return Ok(Layers(vec![(Window::Full, rope); n_layer])),
        LayerRule::FullEvery { period, first } => {
            let is_full = (0..n_layer).map(|i| i.checked_rem(period) == Some(first));
            check_pattern(keys, period, &mut is_full.clone())?;
            is_full.collect()
        }
        LayerRule::Stated => stated_pattern(keys, n_layer)?,
    };
    let sliding = (sliding_window(keys, arch.causal)?, Some(0));
    let of = |is_full: bool| if is_full { (Window::Full, Some(1)) } else { sliding };
    Ok(Layers(is_full.into_iter().map(of).collect()))
}

const PATTERN: &str = "attention.sliding_window_pattern";

/// Which layers see the whole text: those that the file does not say slide.
fn stated_pattern(keys: &Keys<'_, '_>, n_layer: usize) -> Result<Vec<bool>, Error> {
    let flags: Array<'_> = keys.required(PATTERN)?;
    if flags.element_type() != ValueType::Bool || flags.len() != n_layer {
        let expected = format!("{n_layer} flags, one for each layer");
        return Err(keys.error(PATTERN, Value::Array(flags), expected));
    }
    Ok(flags.raw().iter().map(|slides| *slides == 0).collect())
}

/// The file states the whole width of the window. In a causal model the window holds a position and those before it; in
/// an encoder half of it lies on each side.
fn sliding_window(keys: &Keys<'_, '_>, causal: bool) -> Result<Window, Error> {
    match keys.size("attention.sliding_window", MAX_CONTEXT)? {
        1 => Err(keys.error("attention.sliding_window", 1, "at least 2")),
        width if causal => Ok(Window::Sliding(width.saturating_sub(1))),
        width => Ok(Window::Sliding(width >> 1)),
    }
}

/// Checks which layers slide. Newer writers state it, as a period or as a flag for each layer.
fn check_pattern(
    keys: &Keys<'_, '_>,
    period: usize,
    is_full: &mut dyn Iterator<Item = bool>,
) -> Result<(), Error> {
    let Some(found) = keys.metadata.get(&keys.name(PATTERN)) else {
        return Ok(());
    };
    let agrees = match found {
        Value::Array(flags) if flags.element_type() == ValueType::Bool => {
            flags.raw().iter().copied().eq(is_full.map(|full| u8::from(!full)))
        }
        _ => found.integer() == Some(period as i128),
    };
    let expected = format!("{period} (one layer in {period} attends to the whole text)");
    if agrees { Ok(()) } else { Err(keys.error(PATTERN, found, expected)) }
}

/// Compares the widths of the dense heads, which files may state, with the tensors.
pub(crate) fn check_dense(
    keys: &Keys<'_, '_>,
    arch: &Arch,
    dense: &[Linear<Tensor>],
) -> Result<(), Error> {
    for (names, head) in arch.dense_keys.iter().zip(dense) {
        for (key, expected) in names.iter().zip([head.weight.cols, head.weight.rows]) {
            let found = keys.optional::<usize>(key)?.unwrap_or(expected);
            if found != expected {
                return Err(keys.error(key, found, format!("{expected}, as the tensors say")));
            }
        }
    }
    Ok(())
}

/// What the user should know: about such files, about what this one leaves open, and about what the build leaves out.
pub(crate) fn notes(
    keys: &Keys<'_, '_>,
    options: BuildOptions,
    arch: &Arch,
    known: &Known,
    pooling: Pooling,
    context: &ContextLength,
) -> Result<Vec<Cow<'static, str>>, Error> {
    let pooled = pooling.to_string();
    // No news to a build that has chosen.
    let choice = match options.pooling {
        None => format!("; set MONOMORPH_POOLING to {NOT_CLS} to choose"),
        Some(_) => String::new(),
    };
    let own = arch.notes.iter().map(|note| match note.contains("{pooling}") {
        true => (note.replace("{pooling}", &pooled) + &choice).into(),
        false => Cow::Borrowed(*note),
    });
    let mut notes: Vec<Cow<'static, str>> = own.collect();
    let is_stated = keys.optional::<u32>("pooling_type")?.is_some();
    if let (Some(reason), None, false) = (arch.pooling_reason, options.pooling, is_stated) {
        let key = keys.name("pooling_type");
        notes.push(
            format!(
                "the file does not state its pooling ({key}): {pooling} pooling is used, {reason}; set \
                 MONOMORPH_POOLING to change it"
            )
            .into(),
        );
    }
    let &ContextLength { n_ctx, trained } = context;
    if options.n_ctx.is_none() && n_ctx < trained {
        notes.push(
            format!(
                "texts are cut to {n_ctx} tokens, of the {trained} that the model was trained for; \
                 build with MONOMORPH_CONTEXT=N for longer texts"
            )
            .into(),
        );
    }
    if let Some(library) =
        known.library_context.filter(|&library| options.n_ctx.is_none() && library < n_ctx)
    {
        notes.push(
            format!(
                "texts are cut to {n_ctx} tokens, as the file says; sentence-transformers cuts this model's to \
                 {library}: build with MONOMORPH_CONTEXT={library} for the same"
            )
            .into(),
        );
    }
    Ok(notes)
}
