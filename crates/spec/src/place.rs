//! Which tensors a model has, and the shape of each: known here and nowhere else.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::arch::Arch;
use crate::block::{Block, Embedding, InputBranch, Join, LayerInputs, Linear, Norm, Qkv};
use crate::{Heads, Role, Tensor};
use monomorph_gguf::Error;

/// The numbers of heads, and the widths that tensors must have.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // The fields are those of `Spec`.
pub struct Sizes {
    pub n_embd: usize,
    pub n_out: usize,
    pub n_ff: usize,
    pub heads: Heads,
    pub full_heads: Option<Heads>,
    pub n_layer_input: usize,
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
    pub layer_inputs: Option<LayerInputs<Tensor>>,
    pub blocks: Vec<Block<Tensor>>,
    pub output_norm: Option<Norm<Tensor>>,
    pub dense: Vec<Linear<Tensor>>,
}

impl Sizes {
    /// The heads of a layer that sees the whole text, or of one that does not.
    pub fn heads_of(&self, is_full: bool) -> Heads {
        self.full_heads.filter(|_| is_full).unwrap_or(self.heads)
    }
}

/// Finds every tensor that a model of these sizes has, each in the shape it must have. `is_full` says of each layer whether
/// it sees the whole text.
pub fn place(
    arch: &Arch,
    sizes: &Sizes,
    is_full: &[bool],
    find: &mut dyn FnMut(Wanted<'_>) -> Result<Tensor, Error>,
) -> Result<Placed, Error> {
    let &Sizes { n_embd, n_out, n_vocab, n_positions, n_layer_input, .. } = sizes;
    let mut all = Finder { find, prefix: String::new() };
    let Embedding { tokens, token_types, positions, norm } = arch.embedding;
    let embedding = Embedding {
        tokens: all.lookup(tokens, Some(n_vocab), n_embd)?,
        token_types: all.optional(token_types, arch, |all, name| all.lookup(name, None, n_embd))?,
        positions: positions.map(|name| all.lookup(name, Some(n_positions), n_embd)).transpose()?,
        norm: all.norm(norm, n_embd)?,
    };
    let layer_inputs = match arch.layer_inputs {
        // `hyper::sizes` has checked the product.
        Some(LayerInputs { project, norm }) => Some(LayerInputs {
            project: all.linear(project, is_full.len().saturating_mul(n_layer_input), n_embd)?,
            norm: all.norm_of(norm, n_layer_input)?,
        }),
        None => None,
    };
    let mut blocks = Vec::new();
    for (i, is_full) in is_full.iter().enumerate() {
        all.prefix = format!("blk.{i}.");
        let mut names = arch.block;
        if i == 0 && arch.bare_first_layer {
            names.attn_norm = None;
        }
        blocks.push(block(&mut all, &names, sizes, sizes.heads_of(*is_full))?);
    }
    all.prefix.clear();
    let output_norm = all.norm(arch.output_norm, n_embd)?;
    let mut dense = Vec::new();
    let mut width = n_embd;
    for (i, head) in (1..).zip(arch.dense) {
        let rows = if i == arch.dense.len() { Some(n_out) } else { None };
        let head = all.linear_of(*head, rows, width)?;
        width = head.weight.rows;
        dense.push(head);
    }
    Ok(Placed { embedding, layer_inputs, blocks, output_norm, dense })
}

fn block(
    all: &mut Finder<'_>,
    names: &Block<&'static str>,
    sizes: &Sizes,
    heads: Heads,
) -> Result<Block<Tensor>, Error> {
    let &Sizes { n_embd, n_ff, n_layer_input, .. } = sizes;
    // `hyper::sizes` has checked the products.
    let (n_attn, n_kv, head_dim) = (heads.n_attn(), heads.n_kv(), heads.head_dim);
    let n_qkv = n_attn.saturating_add(n_kv).saturating_add(n_kv);
    let (gate, up) = if names.is_gate_beside_up() {
        let [gate, up] = all.linear(names.up, n_ff.saturating_mul(2), n_embd)?.halves();
        (Some(gate), up)
    } else {
        let gate = names.gate.map(|gate| all.linear(gate, n_ff, n_embd)).transpose()?;
        (gate, all.linear(names.up, n_ff, n_embd)?)
    };
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
        v_norm: names.v_norm,
        attn_output: all.linear(names.attn_output, n_embd, n_attn)?,
        attn_join: all.join(names.attn_join, n_embd)?,
        ffn_norm: all.norm(names.ffn_norm, n_embd)?,
        gate,
        up,
        down: all.linear(names.down, n_embd, n_ff)?,
        activation: names.activation,
        ffn_join: all.join(names.ffn_join, n_embd)?,
        input_branch: match names.input_branch {
            Some(InputBranch { gate, project, join }) => Some(InputBranch {
                gate: all.linear(gate, n_layer_input, n_embd)?,
                project: all.linear(project, n_embd, n_layer_input)?,
                join: all.join(join, n_embd)?,
            }),
            None => None,
        },
        output_scale: names.output_scale.map(|name| all.vector(name, 1)).transpose()?,
    })
}

impl Linear<Tensor> {
    /// The maps that the first and the last half of the rows are.
    fn halves(self) -> [Linear<Tensor>; 2] {
        let [first, last] = self.weight.halves();
        let biases = self.bias.map(Tensor::halves);
        let [first_bias, last_bias] = match biases {
            Some(halves) => halves.map(Some),
            None => [None; 2],
        };
        [Linear { weight: first, bias: first_bias }, Linear { weight: last, bias: last_bias }]
    }
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

    /// A tensor that the architecture's files may omit if its data say so.
    fn optional(
        &mut self,
        name: Option<&'static str>,
        arch: &Arch,
        find: impl FnOnce(&mut Self, &'static str) -> Result<Tensor, Error>,
    ) -> Result<Option<Tensor>, Error> {
        let Some(name) = name else { return Ok(None) };
        match find(self, name) {
            Err(Error::MissingTensor { .. }) if arch.optional_tensors.contains(&name) => Ok(None),
            found => found.map(Some),
        }
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
