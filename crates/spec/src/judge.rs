//! Judges a header: the result is a [`Spec`], or a line that says what this version cannot run.
//!
//! The architecture's data say which tensors and keys there are; this module reads them. Only [`place`] knows the shape
//! of each tensor.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::borrow::Cow;
use std::collections::HashSet;

use crate::arch::{Arch, EmbeddingScale, NormRule};
use crate::block::{Block, Embedding, Join, Linear, Norm, NormKind, Qkv};
use crate::hyper;
use crate::keys::Keys;
use crate::license::License;
use crate::tensors::Tensors;
use crate::{BuildOptions, Layer, Role, Spec, Tensor, split, tokenizer};
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
    let vocabulary = Vocabulary::unchecked(header)?;
    let sizes = hyper::sizes(&keys, arch, vocabulary.len())?;
    let window = hyper::context_length(&keys, options, arch, sizes.head_dim)?;
    let pooling = hyper::pooling(&keys, options, arch)?;
    let mut tensors = Tensors { header, used: 0 };
    let placed = place(arch, &sizes, n_layer, &mut |wanted| tensors.find(&wanted))?;
    hyper::check_heads(&keys, arch, &placed.heads)?;
    let layers = placed.blocks.into_iter().zip(layer_rule);
    let spec = Spec {
        name: printable(metadata.optional("general.name")?.unwrap_or("unnamed")).into(),
        architecture: architecture.to_owned().into(),
        variant: arch.variant.into(),
        license: License::from_metadata(metadata, arch.terms)?,
        options,
        notes: hyper::notes(&keys, options, arch, pooling, &window)?.into(),
        n_embd: sizes.n_embd,
        n_ff: sizes.n_ff,
        n_head: sizes.n_head,
        n_head_kv: sizes.n_head_kv,
        head_dim: sizes.head_dim,
        n_vocab: sizes.n_vocab,
        n_ctx: window.n_ctx,
        norm: match arch.norm {
            NormRule::Rms => NormKind::Rms(keys.positive("attention.layer_norm_rms_epsilon")?),
            NormRule::Layer => NormKind::Layer(keys.positive("attention.layer_norm_epsilon")?),
        },
        causal: arch.causal,
        score_scale: hyper::score_scale(&sizes, arch, n_layer),
        embedding_scale: match arch.embedding_scale {
            EmbeddingScale::One => 1.0,
            EmbeddingScale::RootOfWidth => (sizes.n_embd as f32).sqrt(),
        },
        embedding: placed.embedding,
        ropes: hyper::ropes(&keys, arch)?.into(),
        layers: layers.map(|(block, (window, rope))| Layer::new(&block, window, rope)).collect(),
        output_norm: placed.output_norm,
        pooling,
        heads: placed.heads.into(),
        tokenizer: tokenizer::judge(metadata, sizes.n_vocab, arch.tokenizer)?,
        prompts: arch.prompts.into(),
    };
    refuse_unknown_tensors(header, &spec, tensors.used)?;
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

/// The numbers of heads, and the widths that tensors must have.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // The fields are those of `Spec`.
pub struct Sizes {
    pub n_embd: usize,
    pub n_ff: usize,
    pub n_head: usize,
    pub n_head_kv: usize,
    pub head_dim: usize,
    pub n_vocab: usize,
    /// The number of positions that the model was trained for, and so of learned ones.
    pub n_positions: usize,
}

/// A tensor that a model must have.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its name in the file.
    pub full_name: &'a str,
    /// Its name in the spec: without `blk.N.`.
    pub name: &'static str,
    /// What it is used for.
    pub role: Role,
    /// Its rows; `None` if the file chooses.
    pub rows: Option<usize>,
    /// Its columns.
    pub cols: usize,
}

/// All tensors of a model.
#[derive(Debug)]
#[allow(missing_docs)] // The fields are those of `Spec`.
pub struct Placed {
    pub embedding: Embedding<Tensor>,
    pub blocks: Vec<Block<Tensor>>,
    pub output_norm: Option<Norm<Tensor>>,
    pub heads: Vec<Linear<Tensor>>,
}

/// Finds every tensor that a model of these sizes has, each in the shape it must have.
pub fn place(
    arch: &Arch,
    sizes: &Sizes,
    n_layer: usize,
    find: &mut dyn FnMut(Wanted<'_>) -> Result<Tensor, Error>,
) -> Result<Placed, Error> {
    let &Sizes { n_embd, n_vocab, n_positions, .. } = sizes;
    let mut all = Finder { find, prefix: String::new() };
    let Embedding { tokens, token_types, positions, norm } = arch.embedding;
    let embedding = Embedding {
        tokens: all.lookup(tokens, Some(n_vocab), n_embd)?,
        token_types: token_types.map(|name| all.lookup(name, None, n_embd)).transpose()?,
        positions: positions.map(|name| all.lookup(name, Some(n_positions), n_embd)).transpose()?,
        norm: all.norm(norm, n_embd)?,
    };
    let mut blocks = Vec::with_capacity(n_layer);
    for i in 0..n_layer {
        all.prefix = format!("blk.{i}.");
        blocks.push(block(&mut all, &arch.block, sizes)?);
    }
    all.prefix.clear();
    let output_norm = all.norm(arch.output_norm, n_embd)?;
    let mut heads = Vec::new();
    let mut width = n_embd;
    for (i, head) in (1..).zip(arch.heads) {
        let rows = if i == arch.heads.len() { Some(n_embd) } else { None };
        let head = all.linear_of(*head, rows, width)?;
        width = head.weight.rows;
        heads.push(head);
    }
    Ok(Placed { embedding, blocks, output_norm, heads })
}

fn block(
    all: &mut Finder<'_>,
    names: &Block<&'static str>,
    sizes: &Sizes,
) -> Result<Block<Tensor>, Error> {
    let &Sizes { n_embd, n_ff, head_dim, .. } = sizes;
    // `hyper::sizes` has checked the products.
    let n_attn = sizes.n_head.saturating_mul(head_dim);
    let n_kv = sizes.n_head_kv.saturating_mul(head_dim);
    let n_qkv = n_attn.saturating_add(n_kv).saturating_add(n_kv);
    Ok(Block {
        attn_norm: all.norm(names.attn_norm, n_embd)?,
        qkv: match names.qkv {
            Qkv::Fused(fused) => Qkv::Fused(all.linear(fused, n_qkv, n_embd)?),
            Qkv::Split([q, k, v]) => Qkv::Split([
                all.linear(q, n_attn, n_embd)?,
                all.linear(k, n_kv, n_embd)?,
                all.linear(v, n_kv, n_embd)?,
            ]),
        },
        qk_norm: match names.qk_norm {
            Some([q, k]) => Some([all.norm_of(q, head_dim)?, all.norm_of(k, head_dim)?]),
            None => None,
        },
        attn_output: all.linear(names.attn_output, n_embd, n_attn)?,
        attn_join: all.join(names.attn_join, n_embd)?,
        ffn_norm: all.norm(names.ffn_norm, n_embd)?,
        gate: names.gate.map(|gate| all.linear(gate, n_ff, n_embd)).transpose()?,
        up: all.linear(names.up, n_ff, n_embd)?,
        down: all.linear(names.down, n_embd, n_ff)?,
        activation: names.activation,
        ffn_join: all.join(names.ffn_join, n_embd)?,
    })
}

/// Finds tensors whose names in the file begin with `prefix`.
struct Finder<'f> {
    find: &'f mut dyn FnMut(Wanted<'_>) -> Result<Tensor, Error>,
    prefix: String,
}

impl Finder<'_> {
    fn tensor(
        &mut self,
        name: &'static str,
        role: Role,
        rows: Option<usize>,
        cols: usize,
    ) -> Result<Tensor, Error> {
        let full_name = format!("{}{name}", self.prefix);
        (self.find)(Wanted { full_name: &full_name, name, role, rows, cols })
    }

    fn lookup(
        &mut self,
        name: &'static str,
        rows: Option<usize>,
        cols: usize,
    ) -> Result<Tensor, Error> {
        self.tensor(name, Role::Lookup, rows, cols)
    }

    fn vector(&mut self, name: &'static str, len: usize) -> Result<Tensor, Error> {
        self.tensor(name, Role::Vector, Some(1), len)
    }

    fn linear(
        &mut self,
        names: Linear<&'static str>,
        rows: usize,
        cols: usize,
    ) -> Result<Linear<Tensor>, Error> {
        self.linear_of(names, Some(rows), cols)
    }

    fn linear_of(
        &mut self,
        names: Linear<&'static str>,
        rows: Option<usize>,
        cols: usize,
    ) -> Result<Linear<Tensor>, Error> {
        let weight = self.tensor(names.weight, Role::Matrix, rows, cols)?;
        let bias = names.bias.map(|name| self.vector(name, weight.rows)).transpose()?;
        Ok(Linear { weight, bias })
    }

    fn norm_of(&mut self, names: Norm<&'static str>, len: usize) -> Result<Norm<Tensor>, Error> {
        let gain = self.vector(names.gain, len)?;
        Ok(Norm { gain, bias: names.bias.map(|name| self.vector(name, len)).transpose()? })
    }

    fn norm(
        &mut self,
        names: Option<Norm<&'static str>>,
        len: usize,
    ) -> Result<Option<Norm<Tensor>>, Error> {
        names.map(|names| self.norm_of(names, len)).transpose()
    }

    fn join(&mut self, names: Join<&'static str>, len: usize) -> Result<Join<Tensor>, Error> {
        Ok(match names {
            Join::Add => Join::Add,
            Join::AddNormed(norm) => Join::AddNormed(self.norm_of(norm, len)?),
            Join::NormOfSum(norm) => Join::NormOfSum(self.norm_of(norm, len)?),
        })
    }
}

/// Refuses a file with a tensor that the model does not use: such a file is not what it seems.
fn refuse_unknown_tensors(header: &Header<'_>, spec: &Spec, used: usize) -> Result<(), Error> {
    if used == header.tensors.len() {
        return Ok(());
    }
    let known: HashSet<Cow<'_, str>> = spec.tensors().map(|(name, _)| name).collect();
    let unknown = header.tensors.iter().find(|tensor| !known.contains(tensor.name));
    let name = unknown.map_or("of the file", |tensor| tensor.name);
    let expected = format!("only the tensors of {} {}", spec.architecture, spec.variant);
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
