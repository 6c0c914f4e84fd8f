//! The golden data in testdata/golden.

#![allow(dead_code)] // Each test crate uses some of it.

use monomorph_spec::{Pooling, Spec};
use serde::Deserialize;
use std::fs;
use std::path::PathBuf;

/// Texts with the token counts of the original EmbeddingGemma, and a model's vectors.
pub struct Golden {
    pub texts: Vec<String>,
    pub tokens: Vec<usize>,
    pub vectors: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct Line {
    text: String,
    n_tokens: usize,
}

impl Golden {
    /// The vectors that a model of this spec must have, if they are known: those of the original EmbeddingGemma, after
    /// the dense heads or before them, of Gemma 3 270M, of all-MiniLM-L6-v2, of multilingual-e5-small, or of a model of random weights that stands for a
    /// family, all in float32.
    pub fn of(spec: &Spec) -> Option<Golden> {
        let has_heads = !spec.dense.is_empty();
        match (spec.n_vocab, spec.n_embd, spec.n_layer(), spec.causal, has_heads) {
            (262_144, 768, 24, false, false) => {
                Some(Golden::load("embeddings.jsonl", "embeddings_without_dense.npy", 768))
            }
            (262_144, 768, 24, false, true) => {
                Some(Golden::load("embeddings.jsonl", "embeddings.npy", 768))
            }
            (30_522, 384, 6, false, false) => Some(Golden::family("minilm", 384)),
            (250_037, 384, 12, false, false) => Some(Golden::family("e5-small", 384)),
            (250_002, 64, 3, false, false) => Some(Golden::family("xlmr-tiny", 64)),
            (30_528, 128, 3, false, false) => Some(Golden::family("nomic-tiny", 128)),
            (50_368, 128, 4, false, false) => Some(Golden::family("modern-tiny", 128)),
            (151_669, 64, 3, true, false) => Some(Golden::family("qwen3-tiny", 64)),
            (1_187, 64, 5, false, true) => Some(Golden::family("gemma-embedding2-tiny", 96)),
            (262_144, 640, 18, true, false) => Some(Golden::gemma3("gemma3.npy", spec.pooling)),
            _ => None,
        }
    }

    /// Every third text, with one of the arrays of gemma3.py.
    pub fn gemma3(vectors: &str, pooling: Pooling) -> Golden {
        let mut golden = Golden::load("embeddings.jsonl", vectors, 640);
        golden.texts = golden.texts.into_iter().step_by(3).collect();
        golden.tokens = golden.tokens.into_iter().step_by(3).collect();
        let last = golden.vectors.split_off(golden.texts.len());
        if pooling == Pooling::Last {
            golden.vectors = last;
        }
        golden
    }

    /// At most forty texts, cut to the context that the file states. MiniLM has another, cut where its library cuts.
    fn family(name: &str, width: usize) -> Golden {
        let [texts, vectors] =
            ["jsonl", "npy"].map(|form| format!("families/{name}.embeddings.{form}"));
        let mut golden = Golden::load(&texts, &vectors, width);
        golden.texts.truncate(40);
        golden.tokens.truncate(40);
        golden.vectors.truncate(40);
        golden
    }

    fn load(texts: &str, vectors: &str, width: usize) -> Golden {
        let lines = fs::read_to_string(path(texts)).expect("golden texts");
        let lines = lines.lines().map(|line| serde_json::from_str::<Line>(line).expect("a text"));
        let (texts, tokens) = lines.map(|line| (line.text, line.n_tokens)).unzip();
        let vectors = read_npy(&fs::read(path(vectors)).expect("golden vectors"), width);
        Golden { texts, tokens, vectors }
    }

    /// The indices of the texts with at most this many tokens.
    pub fn up_to(&self, tokens: usize) -> Vec<usize> {
        (0..self.texts.len()).filter(|i| self.tokens[*i] <= tokens).collect()
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/golden").join(name)
}

/// Lowest and mean cosine with the original's vectors.
pub type Cosines = (f64, f64);

/// llama.cpp's cosines on the files of EmbeddingGemma-300M, by the part of a file's name after `300m-`.
pub fn llama_cpp() -> Vec<(&'static str, Cosines)> {
    table(include_str!("../../testdata/golden/llama_cpp.txt"))
}

/// What our cosines on files of other families must reach, by the file's name.
pub fn families() -> Vec<(&'static str, Cosines)> {
    table(include_str!("../../testdata/golden/families/cosines.txt"))
}

fn table(lines: &'static str) -> Vec<(&'static str, Cosines)> {
    let parse = |line: &'static str| {
        let [name, lowest, mean] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("a name and two cosines: {line}");
        };
        (name, (lowest.parse().expect("a cosine"), mean.parse().expect("a cosine")))
    };
    lines.lines().filter(|line| !line.starts_with('#')).map(parse).collect()
}

/// Whether our cosines are no lower than llama.cpp's on the same file.
///
/// Some texts lie closer to the original with llama.cpp, because its rounding of activations to 8 bits moves them the
/// right way by chance. Our cosines are within 0.00002 of what float32 activations give on the same weights (Q2_K, Q4_1
/// and Q5_0, written out as float32 files), so there is no such gain to be had. A fiftieth of the distance is allowed
/// for that luck.
pub fn no_lower(ours: Cosines, theirs: Cosines) -> bool {
    let luck = 2e-5 + (1.0 - theirs.0) / 50.0;
    ours.0 >= theirs.0 - luck && ours.1 >= theirs.1
}

/// Rows of a little-endian float32 npy file.
fn read_npy(bytes: &[u8], width: usize) -> Vec<Vec<f32>> {
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let floats: Vec<f32> =
        bytes[10 + header..].as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    floats.chunks(width).map(<[f32]>::to_vec).collect()
}

/// The cosine of the angle between two vectors.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
