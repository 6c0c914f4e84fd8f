//! The golden data in testdata/golden.

use serde::Deserialize;
use std::fs;
use std::path::PathBuf;

/// Texts with the original model's token counts and vectors.
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
    /// Loads the data, with the vectors behind the dense heads or before them.
    pub fn load(dense: bool) -> Golden {
        let vectors = if dense { "embeddings.npy" } else { "embeddings_without_dense.npy" };
        let lines = fs::read_to_string(path("embeddings.jsonl")).expect("golden texts");
        let lines = lines.lines().map(|line| serde_json::from_str::<Line>(line).expect("a text"));
        let (texts, tokens) = lines.map(|line| (line.text, line.n_tokens)).unzip();
        let vectors = read_npy(&fs::read(path(vectors)).expect("golden vectors"), 768);
        Golden { texts, tokens, vectors }
    }

    /// The indices of the texts of at most so many tokens.
    pub fn up_to(&self, tokens: usize) -> Vec<usize> {
        (0..self.texts.len()).filter(|i| self.tokens[*i] <= tokens).collect()
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/golden").join(name)
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
