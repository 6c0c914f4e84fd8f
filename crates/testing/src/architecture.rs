//! Tiny models of any architecture, including one that a test makes up: every tensor that its data name, with random
//! values.

use crate::Random;
use crate::tiny::{encode, random_row, set_tokenizer, vocabulary};
use monomorph_gguf::TensorType;
use monomorph_gguf::writer::{Value, Writer};
use monomorph_spec::arch::{Arch, HeadRule, LayerRule, NormRule, ScoreScale};
use monomorph_spec::place::{Sizes, Wanted, place};
use monomorph_spec::{Heads, Role, Tensor};

/// Width of sliding windows.
const SLIDING_WINDOW: u32 = 16;

/// Sizes of a model whose layers have the same heads (query heads, key/value heads and their width), and no input of their
/// own.
pub const fn sizes(
    n_embd: usize,
    n_ff: usize,
    [n_head, n_head_kv, head_dim]: [usize; 3],
    n_positions: usize,
) -> Sizes {
    Sizes {
        n_embd,
        n_out: n_embd,
        n_ff,
        heads: Heads { n_head, n_head_kv, head_dim },
        full_heads: None,
        n_layer_input: 0,
        n_vocab: 0,
        n_positions,
    }
}

/// A model of these sizes with matrices and tables of this type; `sizes.n_vocab` is that of the tiny vocabulary.
pub fn writer(
    arch: &Arch,
    sizes: Sizes,
    n_layer: usize,
    kind: TensorType,
    random: &mut Random,
) -> Writer {
    let pieces = vocabulary();
    let sizes = Sizes { n_vocab: pieces.len(), ..sizes };
    let is_full = is_full(arch, n_layer);
    let mut file = Writer::new();
    set_keys(&mut file, arch, &sizes, &is_full);
    set_tokenizer(&mut file, &pieces, true);
    let mut add = |wanted: Wanted<'_>| {
        let rows = wanted.rows.unwrap_or(2 * sizes.n_embd);
        let (dims, kind) = match wanted.role {
            Role::Vector => (vec![wanted.cols as u64], TensorType::F32),
            _ => (vec![wanted.cols as u64, rows as u64], kind),
        };
        let values: Vec<f32> = match wanted.role {
            Role::Matrix => {
                (0..rows).flat_map(|_| random_row(random, wanted.cols as u64)).collect()
            }
            // Embeddings as large as what the layers add, so that none of the terms is lost.
            Role::Lookup => (0..rows * wanted.cols).map(|_| random.signed()).collect(),
            Role::Vector if wanted.full_name.ends_with(".bias") => {
                (0..wanted.cols).map(|_| 0.5 * random.signed()).collect()
            }
            Role::Vector => {
                // Where scores are not scaled, the norm of the queries keeps them small.
                let scales =
                    arch.score_scale == ScoreScale::One && wanted.name == "attn_q_norm.weight";
                let size = if scales { 1.0 / (wanted.cols as f32).sqrt() } else { 1.0 };
                (0..wanted.cols).map(|_| size * (1.0 + 0.25 * random.signed())).collect()
            }
        };
        file.tensor(wanted.full_name, kind, &dims, encode(kind, &values));
        let (name, role, cols) = (wanted.name, wanted.role, wanted.cols);
        Ok(Tensor { name, role, kind, rows, cols, offset: 0, n_bytes: 0 })
    };
    place(arch, &sizes, &is_full, &mut add).expect("nothing is refused");
    file
}

/// Whether each layer sees the whole text. Where files state it, every third one does, and the last.
fn is_full(arch: &Arch, n_layer: usize) -> Vec<bool> {
    let of = |i: usize| match arch.layers {
        LayerRule::Alike(_) => true,
        LayerRule::FullEvery { period, first } => i % period == first,
        LayerRule::Stated => i % 3 == 2 || i + 1 == n_layer,
    };
    (0..n_layer).map(of).collect()
}

fn set_keys(file: &mut Writer, arch: &Arch, sizes: &Sizes, is_full: &[bool]) {
    file.set("general.architecture", arch.name);
    let mut set = |key: &str, value: usize| {
        file.set(&format!("{}.{key}", arch.name), value as u32);
    };
    set("block_count", is_full.len());
    set("context_length", sizes.n_positions);
    set("embedding_length", sizes.n_embd);
    if sizes.n_out != sizes.n_embd {
        set("embedding_length_out", sizes.n_out);
    }
    if arch.layer_inputs.is_some() {
        set("embedding_length_per_layer_input", sizes.n_layer_input);
    }
    set("feed_forward_length", sizes.n_ff);
    set("attention.head_count", sizes.heads.n_head);
    let suffixes: &[(&str, bool)] = match arch.heads {
        HeadRule::Alike => &[("", false)],
        HeadRule::ByWindow => &[("", true), ("_swa", false)],
    };
    for (suffix, of_full) in suffixes {
        let Heads { head_dim, .. } = sizes.heads_of(*of_full);
        set(&format!("attention.key_length{suffix}"), head_dim);
        set(&format!("attention.value_length{suffix}"), head_dim);
    }
    if arch.layers.slides() {
        set("attention.sliding_window", SLIDING_WINDOW as usize);
    }
    let each = is_full.iter().map(|is_full| sizes.heads_of(*is_full).n_head_kv as i32).collect();
    let n_head_kv = match arch.heads {
        HeadRule::Alike => Value::U32(sizes.heads.n_head_kv as u32),
        HeadRule::ByWindow => Value::I32s(each),
    };
    file.set(&format!("{}.attention.head_count_kv", arch.name), n_head_kv);
    if let LayerRule::Stated = arch.layers {
        let key = format!("{}.attention.sliding_window_pattern", arch.name);
        file.set(&key, flags(is_full.iter().map(|is_full| !is_full)));
    }
    let eps = match arch.norm {
        NormRule::Rms => "attention.layer_norm_rms_epsilon",
        NormRule::Layer => "attention.layer_norm_epsilon",
    };
    file.set(&format!("{}.{eps}", arch.name), 1e-5);
    for (number, rope) in arch.ropes.iter().enumerate() {
        file.set(&format!("{}.{}", arch.name, rope.base), 10_000.0 * (1 + 99 * number) as f32);
    }
}

/// An array of flags.
pub fn flags(flags: impl ExactSizeIterator<Item = bool>) -> Value {
    const ARRAY: u32 = 9;
    const BOOL: u32 = 7;
    let mut raw = BOOL.to_le_bytes().to_vec();
    raw.extend((flags.len() as u64).to_le_bytes());
    raw.extend(flags.map(u8::from));
    Value::Raw(ARRAY, raw)
}
