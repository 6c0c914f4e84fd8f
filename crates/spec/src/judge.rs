//! Judges a header: the result is a [`Spec`], or a line that says what this version cannot run.
//!
//! The architecture's data say which tensors and keys there are; this module reads them.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::borrow::Cow;
use std::collections::HashSet;

use crate::arch::{Arch, EmbeddingScale, NormRule};
use crate::block::NormKind;
use crate::hyper;
use crate::keys::Keys;
use crate::license::License;
use crate::place::place;
use crate::tensors::Tensors;
use crate::{BuildOptions, Layer, Spec, known, split, tokenizer};
use monomorph_gguf::{Error, Header, TensorInfo, Vocabulary, printable};

/// The most layers that a file may ask for, far above any embedding model's. Together with the limits in `keys` and
/// `hyper`, it keeps every product of sizes below 2^63.
const MAX_LAYERS: usize = 1024;

pub(crate) fn spec(
    header: &Header<'_>,
    options: BuildOptions,
    architectures: &[Arch],
) -> Result<Spec, Error> {
    let metadata = &header.metadata;
    split::refuse_parts(metadata)?;
    let architecture = metadata.str("general.architecture")?;
    let arch = find(header, architecture, architectures)?;
    let keys = Keys { metadata, architecture };

    let n_layer = keys.size("block_count", MAX_LAYERS)?;
    let layer_rule = hyper::layers(&keys, arch, n_layer)?;
    let is_full = layer_rule.is_full();
    let vocabulary = Vocabulary::unchecked(header)?;
    let sizes = hyper::sizes(&keys, arch, vocabulary.len(), &is_full)?;
    let score_scale = hyper::score_scale(&sizes, arch, n_layer);
    hyper::check_agreement(&keys, arch, &sizes, score_scale)?;
    let context = hyper::context_length(&keys, options, arch, &sizes)?;
    let pooling = hyper::pooling(&keys, options, arch)?;
    let known = known::of(metadata, arch)?;
    let mut tensors = Tensors { header, used: 0 };
    let placed = place(arch, &sizes, &is_full, &mut |wanted| tensors.find(&wanted))?;
    hyper::check_dense(&keys, arch, &placed.dense)?;
    let layers = placed.blocks.iter().zip(layer_rule.iter());
    let mut spec = Spec {
        name: printable(metadata.optional("general.name")?.unwrap_or("unnamed")).into(),
        architecture: architecture.to_owned().into(),
        variant: arch.variant.into(),
        license: License::from_metadata(
            metadata,
            arch.terms,
            architectures.iter().filter_map(|arch| arch.terms),
        )?,
        options,
        notes: hyper::notes(&keys, options, arch, known, pooling, &context)?.into(),
        n_embd: sizes.n_embd,
        n_out: sizes.n_out,
        n_ff: sizes.n_ff,
        n_head: sizes.heads.n_head,
        n_head_kv: sizes.heads.n_head_kv,
        head_dim: sizes.heads.head_dim,
        full_heads: sizes.full_heads,
        n_vocab: sizes.n_vocab,
        n_ctx: context.n_ctx,
        norm: match arch.norm {
            NormRule::Rms => NormKind::Rms(keys.positive("attention.layer_norm_rms_epsilon")?),
            NormRule::Layer => NormKind::Layer(keys.positive("attention.layer_norm_epsilon")?),
        },
        causal: arch.causal,
        score_scale,
        embedding_scale: match arch.embedding_scale {
            EmbeddingScale::One => 1.0,
            EmbeddingScale::RootOfWidth => (sizes.n_embd as f32).sqrt(),
        },
        embedding: placed.embedding,
        layer_inputs: placed.layer_inputs,
        ropes: hyper::ropes(&keys, arch, &sizes)?.into(),
        layers: layers.map(|(block, (window, rope))| Layer::new(block, window, rope)).collect(),
        output_norm: placed.output_norm,
        pooling,
        dense: placed.dense.into(),
        tokenizer: tokenizer::judge(metadata, &vocabulary, arch.tokenizers)?,
        prompts: known.prompts.into(),
        shortening: known.shortening,
    };
    spec.notes.to_mut().extend(tokenizer::note(metadata, arch.tokenizers, &spec.tokenizer)?);
    refuse_unknown_tensors(header, &spec, arch, tensors.used)?;
    check_data(header)?;
    Ok(spec)
}

/// The variant that a file belongs to.
fn find<'a>(
    header: &Header<'_>,
    architecture: &str,
    architectures: &'a [Arch],
) -> Result<&'a Arch, Error> {
    let has = |name: &&str| header.tensor(name).is_some();
    let fits = |arch: &&Arch| {
        arch.name == architecture && (arch.marks.is_empty() || arch.marks.iter().any(has))
    };
    architectures.iter().find(fits).ok_or_else(|| {
        let mut names: Vec<&str> = architectures.iter().map(|arch| arch.name).collect();
        names.dedup();
        let reason = format!(
            "general.architecture is {}, which this version cannot run; supported: {}",
            printable(architecture),
            names.join(", ")
        );
        Error::Unsupported { reason }
    })
}

/// Refuses a file with a tensor that the model does not use: such a file is not what it seems.
fn refuse_unknown_tensors(
    header: &Header<'_>,
    spec: &Spec,
    arch: &Arch,
    used: usize,
) -> Result<(), Error> {
    let unused = arch.unused_tensors.iter().filter(|name| header.tensor(name).is_some());
    if used.saturating_add(unused.count()) == header.tensors.len() {
        return Ok(());
    }
    let unused = arch.unused_tensors.iter().map(|name| Cow::Borrowed(*name));
    let known: HashSet<Cow<'_, str>> = spec.tensors().map(|(name, _)| name).chain(unused).collect();
    let unknown = header.tensors.iter().find(|tensor| !known.contains(tensor.name));
    let name = unknown.map_or("of the file", |tensor| tensor.name);
    let expected = format!("only the tensors of {} ({})", spec.architecture, spec.variant);
    Err(Error::tensor(printable(name), "a tensor that this version does not know", expected))
}

/// Refuses tensors that share bytes, and bytes after the last tensor.
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
