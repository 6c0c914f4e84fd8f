//! The tiny model's generator: a complete EmbeddingGemma or Gemma 3 of less than a million bytes, whose vectors mean
//! nothing.
//!
//! The same options give the same bytes on every machine: weights come from an integer generator, and the only
//! floating-point operations are those that IEEE 754 defines to the last bit. Weights of another type are the same
//! numbers, rounded differently.

use crate::Random;
use std::collections::BTreeMap;

use monomorph_gguf::writer::{Value, Writer};
use monomorph_gguf::{PieceKind, TensorType};

/// Its name, by which tests know that it is the model of their build.
pub const NAME: &str = "Monomorph Tiny";

pub const N_EMBD: u64 = 128;
pub const N_HEAD: u64 = 3;
pub const N_HEAD_KV: u64 = 1;
pub const HEAD_DIM: u64 = 32;
pub const N_FF: u64 = 160;
pub const N_DENSE: u64 = 256;
pub const N_LAYER: u64 = 6;
pub const N_CTX: u64 = 256;
pub const SLIDING_WINDOW: u64 = 16;

/// What to vary.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Type of the matrices: Q8_0, F32, F16 or BF16.
    pub weights: TensorType,
    /// Matrices of another type, by the end of their name without `.weight`: `ffn_down` is one matrix of every layer,
    /// `2.ffn_down` that of one layer.
    pub odd: &'static [(&'static str, TensorType)],
    /// Which of the model's files to imitate.
    pub variant: Variant,
    /// The pooling: 1 is mean, 2 cls, 3 last. Files of language models do not state it.
    pub pooling: u32,
    /// Width of the residual stream.
    pub n_embd: u64,
    /// Width of the feed-forward layer.
    pub n_ff: u64,
    /// Width of a head.
    pub head_dim: u64,
    /// Number of query heads.
    pub n_head: u64,
    /// Number of key/value heads: a divisor of the query heads.
    pub n_head_kv: u64,
    /// Another seed gives another model of the same shape.
    pub seed: u64,
}

/// The variants of files that hold EmbeddingGemma or Gemma 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// `gemma-embedding` with `dense_2` and `dense_3`.
    WithDense,
    /// `gemma-embedding` without dense heads.
    WithoutDense,
    /// Ollama's: `gemma3` with `dense.0`, `dense.1` and `norm`.
    Ollama,
    /// `gemma3` without dense heads: a causal decoder.
    LanguageModel,
}

impl Variant {
    /// All of them.
    pub const ALL: [Variant; 4] =
        [Variant::WithDense, Variant::WithoutDense, Variant::Ollama, Variant::LanguageModel];

    /// The spec's words for it.
    pub fn words(self) -> &'static str {
        match self {
            Variant::WithDense => "with dense heads",
            Variant::WithoutDense => "without dense heads",
            Variant::Ollama => "with dense heads, in Ollama's names",
            Variant::LanguageModel => "a causal language model",
        }
    }

    /// Names of the dense heads in the order in which they apply.
    pub fn dense_names(self) -> &'static [&'static str] {
        match self {
            Variant::WithDense => &["dense_2.weight", "dense_3.weight"],
            Variant::Ollama => &["dense.0.weight", "dense.1.weight"],
            _ => &[],
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            weights: TensorType::Q8_0,
            odd: &[],
            variant: Variant::WithDense,
            pooling: 1,
            n_embd: N_EMBD,
            n_ff: N_FF,
            head_dim: HEAD_DIM,
            n_head: N_HEAD,
            n_head_kv: N_HEAD_KV,
            seed: 1,
        }
    }
}

impl Options {
    /// The architecture that the file states.
    pub fn architecture(&self) -> &'static str {
        match self.variant {
            Variant::WithDense | Variant::WithoutDense => "gemma-embedding",
            Variant::Ollama | Variant::LanguageModel => "gemma3",
        }
    }

    /// The type of the matrix with this name.
    fn kind_of(&self, name: &str) -> TensorType {
        let name = name.trim_end_matches(".weight");
        let odd = self.odd.iter().find(|(end, _)| name.ends_with(end));
        odd.map_or(self.weights, |&(_, kind)| kind)
    }
}

/// The tiny model with matrices of this type.
pub fn tiny(weights: TensorType) -> Vec<u8> {
    tiny_with(Options { weights, ..Options::default() })
}

/// The tiny model with these options.
pub fn tiny_with(options: Options) -> Vec<u8> {
    writer(options).to_bytes()
}

/// The tiny model before it becomes bytes, for tests that break something in it.
pub fn writer(options: Options) -> Writer {
    let mut file = Writer::new();
    let pieces = vocabulary();
    set_hyper_parameters(&mut file, &options);
    set_tokenizer(&mut file, &pieces, options.variant != Variant::LanguageModel);
    add_tensors(&mut file, &options, pieces.len() as u64);
    file
}

fn set_hyper_parameters(file: &mut Writer, options: &Options) {
    let architecture = options.architecture();
    file.set("general.architecture", architecture)
        .set("general.type", "model")
        .set("general.name", NAME)
        .set("general.license", "MIT OR Apache-2.0");
    let mut sizes = vec![
        ("block_count", N_LAYER),
        ("context_length", N_CTX),
        ("embedding_length", options.n_embd),
        ("feed_forward_length", options.n_ff),
        ("attention.head_count", options.n_head),
        ("attention.head_count_kv", options.n_head_kv),
        ("attention.key_length", options.head_dim),
        ("attention.value_length", options.head_dim),
        ("attention.sliding_window", SLIDING_WINDOW),
    ];
    if options.variant != Variant::LanguageModel {
        sizes.push(("pooling_type", options.pooling.into()));
    }
    if options.variant == Variant::WithDense {
        sizes.extend([
            ("dense_2_feat_in", options.n_embd),
            ("dense_2_feat_out", N_DENSE),
            ("dense_3_feat_in", N_DENSE),
            ("dense_3_feat_out", options.n_embd),
        ]);
    }
    for (key, size) in sizes {
        file.set(&format!("{architecture}.{key}"), size as u32);
    }
    file.set(&format!("{architecture}.attention.layer_norm_rms_epsilon"), 1e-6);
    file.set(&format!("{architecture}.rope.freq_base"), 1_000_000.0);
    if architecture == "gemma-embedding" {
        file.set(&format!("{architecture}.rope.freq_base_swa"), 10_000.0);
    }
}

pub(crate) fn set_tokenizer(file: &mut Writer, pieces: &[Piece], add_eos: bool) {
    file.set("tokenizer.ggml.model", "llama")
        .set("tokenizer.ggml.pre", "default")
        .set(
            "tokenizer.ggml.tokens",
            Value::Strings(pieces.iter().map(|p| p.text.clone().into_bytes()).collect()),
        )
        .set("tokenizer.ggml.scores", Value::F32s(pieces.iter().map(|p| p.score).collect()))
        .set(
            "tokenizer.ggml.token_type",
            Value::I32s(pieces.iter().map(|p| p.kind as i32).collect()),
        )
        .set("tokenizer.ggml.bos_token_id", 2)
        .set("tokenizer.ggml.eos_token_id", 1)
        .set("tokenizer.ggml.unknown_token_id", 3)
        .set("tokenizer.ggml.padding_token_id", 0)
        .set("tokenizer.ggml.add_bos_token", true)
        .set("tokenizer.ggml.add_eos_token", add_eos)
        .set("tokenizer.ggml.add_space_prefix", false);
}

/// Adds the tensors in the order of the real files.
fn add_tensors(file: &mut Writer, options: &Options, n_vocab: u64) {
    let mut random = Random(options.seed);
    let mut matrix = |file: &mut Writer, name: &str, cols: u64, rows: u64| {
        let kind = options.kind_of(name);
        let values: Vec<f32> = (0..rows).flat_map(|_| random_row(&mut random, cols)).collect();
        file.tensor(name, kind, &[cols, rows], encode(kind, &values));
    };
    let mut norms = Random(!options.seed);
    let mut norm = |file: &mut Writer, name: &str, len: u64| {
        let values: Vec<f32> = (0..len).map(|_| 1.0 + 0.25 * norms.signed()).collect();
        file.tensor(name, TensorType::F32, &[len], encode(TensorType::F32, &values));
    };

    matrix(file, "token_embd.weight", options.n_embd, n_vocab);
    for i in 0..N_LAYER {
        let name = |tensor: &str| format!("blk.{i}.{tensor}.weight");
        norm(file, &name("attn_norm"), options.n_embd);
        matrix(file, &name("ffn_down"), options.n_ff, options.n_embd);
        matrix(file, &name("ffn_gate"), options.n_embd, options.n_ff);
        matrix(file, &name("ffn_up"), options.n_embd, options.n_ff);
        norm(file, &name("post_attention_norm"), options.n_embd);
        norm(file, &name("post_ffw_norm"), options.n_embd);
        norm(file, &name("ffn_norm"), options.n_embd);
        norm(file, &name("attn_k_norm"), options.head_dim);
        matrix(file, &name("attn_k"), options.n_embd, options.n_head_kv * options.head_dim);
        matrix(file, &name("attn_output"), options.n_head * options.head_dim, options.n_embd);
        norm(file, &name("attn_q_norm"), options.head_dim);
        matrix(file, &name("attn_q"), options.n_embd, options.n_head * options.head_dim);
        matrix(file, &name("attn_v"), options.n_embd, options.n_head_kv * options.head_dim);
    }
    let output_norm =
        if options.variant == Variant::Ollama { "norm.weight" } else { "output_norm.weight" };
    norm(file, output_norm, options.n_embd);
    if let [first, second] = options.variant.dense_names() {
        matrix(file, first, options.n_embd, N_DENSE);
        matrix(file, second, N_DENSE, options.n_embd);
    }
}

/// A matrix row of standard deviation 1 / sqrt(cols), so that products keep the size of their inputs.
pub(crate) fn random_row(random: &mut Random, cols: u64) -> Vec<f32> {
    let limit = (3.0 / cols as f32).sqrt();
    (0..cols).map(|_| limit * random.signed()).collect()
}

/// The bytes of these values in a tensor of this type.
pub(crate) fn encode(kind: TensorType, values: &[f32]) -> Vec<u8> {
    match kind {
        TensorType::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        TensorType::F16 => values.iter().flat_map(|&x| f16_bits(x).to_le_bytes()).collect(),
        TensorType::BF16 => values.iter().flat_map(|&x| bf16_bits(x).to_le_bytes()).collect(),
        TensorType::Q8_0 => values.chunks(32).flat_map(q8_0_block).collect(),
        other => panic!("the tiny model is not written in {other}"),
    }
}

/// A float16 scale, then 32 signed bytes.
fn q8_0_block(values: &[f32]) -> Vec<u8> {
    let largest = values.iter().fold(0.0f32, |max, x| max.max(x.abs()));
    let scale = largest / 127.0;
    let quantized = values.iter().map(|x| (x / scale).round() as i8 as u8);
    f16_bits(scale).to_le_bytes().into_iter().chain(quantized).collect()
}

/// Round to nearest, ties to even. Values are below 65504.
fn f16_bits(x: f32) -> u16 {
    let (sign, magnitude) = ((x.to_bits() >> 16) as u16 & 0x8000, x.to_bits() & 0x7fff_ffff);
    let rebased = magnitude.saturating_sub((127 - 15) << 23);
    if rebased < 1 << 23 {
        // Below the smallest normal number. One step of float32 at 0.5 is one step of float16 here, so the addition
        // itself rounds.
        return sign | ((f32::from_bits(magnitude) + 0.5).to_bits() - 0.5f32.to_bits()) as u16;
    }
    sign | ((rebased + 0x0fff + (rebased >> 13 & 1)) >> 13) as u16
}

/// Round to nearest, ties to even.
fn bf16_bits(x: f32) -> u16 {
    ((x.to_bits() + 0x7fff + (x.to_bits() >> 16 & 1)) >> 16) as u16
}

/// An entry of the vocabulary.
pub struct Piece {
    pub text: String,
    pub score: f32,
    pub kind: PieceKind,
}

/// The vocabulary, about 700 pieces in the order of the real one: control pieces, cut-out pieces, bytes, merges,
/// characters.
pub fn vocabulary() -> Vec<Piece> {
    let mut out = Vec::new();
    let mut add =
        |kind, score: f32, text: &str| out.push(Piece { text: text.to_owned(), score, kind });
    for mark in ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"] {
        add(PieceKind::Control, -1000.0, mark);
    }
    add(PieceKind::UserDefined, -1000.0, "[multimodal]");
    (0..8).for_each(|i| add(PieceKind::Control, -1000.0, &format!("<unused{i}>")));
    add(PieceKind::Control, -1000.0, "<start_of_turn>");
    add(PieceKind::Control, -1000.0, "<end_of_turn>");
    (1..=8).for_each(|n| add(PieceKind::UserDefined, -1000.0, &"\n".repeat(n)));
    (2..=31).for_each(|n| add(PieceKind::UserDefined, -1000.0, &" ".repeat(n)));
    (1..=6).for_each(|n| add(PieceKind::UserDefined, -1000.0, &"\t".repeat(n)));
    for tag in ["<table>", "</table>", "<tr>", "</tr>", "<b>", "</b>", "<strong>"] {
        add(PieceKind::UserDefined, -1000.0, tag);
    }
    (0..=255).for_each(|byte| add(PieceKind::Byte, 0.0, &format!("<0x{byte:02X}>")));

    let (merges, characters) = train();
    for (rank, text) in merges.iter().chain(&characters).enumerate() {
        add(PieceKind::Normal, -(rank as f32), text);
    }
    out
}

/// The text that the merges are learned from: the prompts, and a few sentences in several languages and scripts.
const CORPUS: &str = "\
task: search result | query: task: clustering | query: task: classification | query: title: none | text: \
task: sentence similarity | query: task: code retrieval | query: task: question answering | query: \
The quick brown fox jumps over the lazy dog. Which planet is known as the Red Planet? Mars is the fourth planet. \
Venus is the second planet from the Sun, and it is often called the twin of the Earth. What is the text about? \
There are many words that people use in the course of a day, and most of them are the same few words. \
All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience. \
In the end the reading of the text is the thing that the reader wants; nothing else matters to them. \
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness. \
fn main() { let x = 0; for i in 0..10 { x += i; } println!(\"{x}\"); } def f(x): return x * 2 + 1 \
Alle Menschen sind frei und gleich an Würde und Rechten geboren. Der Hund läuft über die Straße, und die Katze schläft. \
Tous les êtres humains naissent libres et égaux en dignité et en droits. Où est la bibliothèque de la ville? \
Todos los seres humanos nacen libres e iguales en dignidad y derechos. El niño come una manzana por la mañana. \
Все люди рождаются свободными и равными в своём достоинстве и правах. Где находится библиотека? \
Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια. \
人人生而自由 在尊严和权利上一律平等 火星是第四颗行星 すべての人間は 生まれながらにして 自由であり \
सभी मनुष्यों को गौरव और अधिकारों के मामले में 모든 인간은 태어날 때부터 자유로우며 \
0123456789 2024 2025 1,000 3.14159 50% $9.99 #1 a@b.org https://example.org/index.html C:\\temp <i>&amp;</i> [1] x_y 'it''s'";

/// ASCII characters without a piece of their own, so that plain text also uses byte pieces.
const WITHOUT_PIECE: [char; 3] = ['^', '`', '~'];

/// Byte-pair encoding learned from [`CORPUS`]: merges in the order they were learned, then single characters.
fn train() -> (Vec<String>, Vec<String>) {
    let mut characters: Vec<char> =
        (' '..='~').chain(CORPUS.chars()).filter(|c| !WITHOUT_PIECE.contains(c)).collect();
    characters.iter_mut().filter(|c| **c == ' ').for_each(|c| *c = '\u{2581}');
    characters.sort_unstable();
    characters.dedup();

    let mut words: Vec<Vec<String>> = CORPUS.split(' ').map(spell).collect();
    let mut merges: Vec<String> = Vec::new();
    loop {
        let mut counts = BTreeMap::new();
        for pair in words.iter().flat_map(|word| word.windows(2)) {
            *counts.entry(pair.concat()).or_insert(0) += 1;
        }
        // The most frequent pair, or of several the first in the order of code points. Pairs that occur only once are
        // not merged.
        let best = counts
            .into_iter()
            .filter(|&(_, n)| n > 1)
            .reduce(|best, next| if next.1 > best.1 { next } else { best });
        let Some((merged, _)) = best else { break };
        words.iter_mut().for_each(|word| merge(word, &merged));
        merges.push(merged);
    }
    (merges, characters.iter().map(char::to_string).collect())
}

/// A word with the space before it, as characters.
fn spell(word: &str) -> Vec<String> {
    std::iter::once('\u{2581}').chain(word.chars()).map(String::from).collect()
}

/// Joins every adjacent pair that spells `merged`, leftmost first.
fn merge(word: &mut Vec<String>, merged: &str) {
    let mut i = 0;
    while i + 1 < word.len() {
        if word[i].len() + word[i + 1].len() == merged.len() && word[i..i + 2].concat() == merged {
            word[i] = merged.to_owned();
            word.remove(i + 1);
        }
        i += 1;
    }
}
