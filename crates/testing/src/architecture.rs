//! Tiny models of any architecture, including one that a test makes up: every tensor that its data name, with random
//! values.

use crate::Random;
use crate::tiny::{encode, random_row, set_tokenizer, vocabulary};
use monomorph_gguf::TensorType;
use monomorph_gguf::writer::Writer;
use monomorph_spec::arch::{Arch, LayerRule, NormRule};
use monomorph_spec::place::{Sizes, Wanted, place};
use monomorph_spec::{Role, Tensor};

/// Width of sliding windows.
const SLIDING_WINDOW: u32 = 16;

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
    let mut file = Writer::new();
    set_keys(&mut file, arch, &sizes, n_layer);
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
            Role::Vector => (0..wanted.cols).map(|_| 1.0 + 0.25 * random.signed()).collect(),
        };
        file.tensor(wanted.full_name, kind, &dims, encode(kind, &values));
        let (name, role, cols) = (wanted.name, wanted.role, wanted.cols);
        Ok(Tensor { name, role, kind, rows, cols, offset: 0, n_bytes: 0 })
    };
    place(arch, &sizes, n_layer, &mut add).expect("nothing is refused");
    file
}

fn set_keys(file: &mut Writer, arch: &Arch, sizes: &Sizes, n_layer: usize) {
    file.set("general.architecture", arch.name);
    let mut set = |key: &str, value: usize| {
        file.set(&format!("{}.{key}", arch.name), value as u32);
    };
    set("block_count", n_layer);
    set("context_length", sizes.n_positions);
    set("embedding_length", sizes.n_embd);
    set("feed_forward_length", sizes.n_ff);
    set("attention.head_count", sizes.n_head);
    set("attention.head_count_kv", sizes.n_head_kv);
    set("attention.key_length", sizes.head_dim);
    set("attention.value_length", sizes.head_dim);
    if let LayerRule::FullEvery { .. } = arch.layers {
        set("attention.sliding_window", SLIDING_WINDOW as usize);
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
