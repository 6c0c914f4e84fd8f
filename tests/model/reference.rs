//! The reference encoder: EmbeddingGemma's and Gemma 3's forward pass in plain loops of float32, for testing and for
//! reading.
//!
//! It knows a file's header and nothing else of this project: it reads hyper-parameters and tensors by name, decodes
//! every weight to float32 and follows the model's description step by step. Sums run in float64, so that its own error
//! is that of storing each result once. Slow, on purpose.

use half::{bf16, f16};
use monomorph_gguf::{Header, TensorType};

/// How a text's rows become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    Mean,
    Cls,
    Last,
}

/// A model, all weights decoded.
pub struct Reference {
    pub n_embd: usize,
    n_ff: usize,
    n_head: usize,
    n_head_kv: usize,
    head_dim: usize,
    /// Whether a position sees only itself and those before it.
    causal: bool,
    /// Sliding layers' window, itself included in a causal model's: the whole width, as files give it.
    window: usize,
    eps: f32,
    rope_base_full: f32,
    rope_base_sliding: f32,
    /// Full layers count positions so many times less.
    rope_factor: f32,
    token_embd: Matrix,
    layers: Vec<Layer>,
    output_norm: Vec<f32>,
    /// The dense heads in the order they apply; empty if the file has none.
    dense: Vec<Matrix>,
}

/// A weight matrix, one row an output.
struct Matrix {
    rows: usize,
    cols: usize,
    values: Vec<f32>, // (rows, cols)
}

struct Layer {
    full: bool,
    attn_norm: Vec<f32>,           // (n_embd)
    attn_q: Matrix,                // (n_head * head_dim, n_embd)
    attn_k: Matrix,                // (n_head_kv * head_dim, n_embd)
    attn_v: Matrix,                // (n_head_kv * head_dim, n_embd)
    attn_output: Matrix,           // (n_embd, n_head * head_dim)
    attn_q_norm: Vec<f32>,         // (head_dim)
    attn_k_norm: Vec<f32>,         // (head_dim)
    post_attention_norm: Vec<f32>, // (n_embd)
    ffn_norm: Vec<f32>,            // (n_embd)
    ffn_gate: Matrix,              // (n_ff, n_embd)
    ffn_up: Matrix,                // (n_ff, n_embd)
    ffn_down: Matrix,              // (n_embd, n_ff)
    post_ffw_norm: Vec<f32>,       // (n_embd)
}

/// A row of activations for each token.
pub type Rows = Vec<Vec<f32>>;

impl Reference {
    /// The residual stream before the first layer and behind each layer: n_layer + 1 times (T, n_embd).
    pub fn states(&self, ids: &[u32]) -> Vec<Rows> {
        let mut x = self.embed(ids);
        let mut states = vec![x.clone()];
        for layer in &self.layers {
            x = self.layer(layer, x);
            states.push(x.clone());
        }
        states
    }

    /// From a residual stream (T, n_embd) to the vector (n_embd): output norm, pooling, dense heads if asked for.
    pub fn vector(&self, x: &Rows, pooling: Pooling, dense: bool) -> Vec<f32> {
        let y = self.norm_rows(x, &self.output_norm);
        let chosen = match pooling {
            Pooling::Mean => &y[..],
            Pooling::Cls => &y[..1],
            Pooling::Last => &y[y.len() - 1..],
        };
        let mut z: Vec<f32> = (0..self.n_embd)
            .map(|i| {
                let sum: f64 = chosen.iter().map(|row| f64::from(row[i])).sum();
                (sum / chosen.len() as f64) as f32
            })
            .collect();
        for head in self.dense.iter().filter(|_| dense) {
            z = head.times(&z);
        }
        z
    }

    /// `x = token_embd[t] * sqrt(n_embd)`
    fn embed(&self, ids: &[u32]) -> Rows {
        let scale = (self.n_embd as f32).sqrt();
        ids.iter()
            .map(|id| self.token_embd.row(*id as usize))
            .map(|row| row.iter().map(|x| x * scale).collect())
            .collect()
    }

    fn layer(&self, layer: &Layer, x: Rows) -> Rows {
        let h = self.norm_rows(&x, &layer.attn_norm);
        let o = self.attention(layer, &h);
        let x = add(x, &self.norm_rows(&o, &layer.post_attention_norm));

        let h = self.norm_rows(&x, &layer.ffn_norm);
        let f = h.iter().map(|h| feed_forward(layer, h)).collect();
        add(x, &self.norm_rows(&f, &layer.post_ffw_norm))
    }

    /// Whether position `p` sees position `other`.
    fn sees(&self, layer: &Layer, p: usize, other: usize) -> bool {
        if self.causal {
            other <= p && (layer.full || p - other < self.window)
        } else {
            layer.full || p.abs_diff(other) <= self.window / 2
        }
    }

    /// Attention, from (T, n_embd) to (T, n_embd).
    fn attention(&self, layer: &Layer, h: &Rows) -> Rows {
        let d = self.head_dim;
        let (base, factor) = match layer.full {
            true => (self.rope_base_full, self.rope_factor),
            false => (self.rope_base_sliding, 1.0),
        };
        // Normalised and rotated heads: (T, n_head * head_dim) and (T, n_head_kv * head_dim).
        let heads = |weights: &Matrix, gain: &[f32]| -> Rows {
            let rotated = |(p, h): (usize, &Vec<f32>)| {
                let row = weights.times(h);
                let heads = row
                    .chunks(d)
                    .map(|head| rope(&rms_norm(head, gain, self.eps), p as f32 / factor, base));
                heads.flatten().collect()
            };
            h.iter().enumerate().map(rotated).collect()
        };
        let q = heads(&layer.attn_q, &layer.attn_q_norm);
        let k = heads(&layer.attn_k, &layer.attn_k_norm);
        let v: Rows = h.iter().map(|h| layer.attn_v.times(h)).collect();

        let mut out = Rows::new();
        for p in 0..h.len() {
            let visible: Vec<usize> =
                (0..h.len()).filter(|other| self.sees(layer, p, *other)).collect();
            let mut o = Vec::new(); // (n_head * head_dim)
            for head in 0..self.n_head {
                let kv = head / (self.n_head / self.n_head_kv);
                let q = &q[p][head * d..(head + 1) * d];
                let scores = visible
                    .iter()
                    .map(|other| dot(q, &k[*other][kv * d..(kv + 1) * d]) / (d as f32).sqrt());
                let weights = softmax(&scores.collect::<Vec<f32>>());
                o.extend((kv * d..(kv + 1) * d).map(|j| {
                    let terms = visible.iter().zip(&weights);
                    let sum: f64 =
                        terms.map(|(other, w)| f64::from(*w) * f64::from(v[*other][j])).sum();
                    sum as f32
                }));
            }
            out.push(layer.attn_output.times(&o));
        }
        out
    }

    fn norm_rows(&self, x: &Rows, gain: &[f32]) -> Rows {
        x.iter().map(|row| rms_norm(row, gain, self.eps)).collect()
    }
}

/// `(gelu_tanh(h Wgate) * (h Wup)) Wdown`, from (n_embd) to (n_embd).
fn feed_forward(layer: &Layer, h: &[f32]) -> Vec<f32> {
    let gate = layer.ffn_gate.times(h);
    let up = layer.ffn_up.times(h);
    let gated: Vec<f32> = gate.iter().zip(&up).map(|(g, u)| gelu_tanh(*g) * u).collect();
    layer.ffn_down.times(&gated)
}

/// `x / sqrt(mean(x^2) + eps) * gain`
fn rms_norm(x: &[f32], gain: &[f32], eps: f32) -> Vec<f32> {
    let mean = dot(x, x) / x.len() as f32;
    let scale = 1.0 / (mean + eps).sqrt();
    x.iter().zip(gain).map(|(x, g)| x * scale * g).collect()
}

/// Rotates the pairs `(j, j + d / 2)` of one head by `position * base^(-2 j / d)`.
fn rope(x: &[f32], position: f32, base: f32) -> Vec<f32> {
    let half = x.len() / 2;
    let mut rotated = x.to_vec();
    for j in 0..half {
        let frequency = base.powf(-2.0 * j as f32 / x.len() as f32);
        let (sin, cos) = (position * frequency).sin_cos();
        rotated[j] = x[j] * cos - x[j + half] * sin;
        rotated[j + half] = x[j] * sin + x[j + half] * cos;
    }
    rotated
}

fn softmax(scores: &[f32]) -> Vec<f32> {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f32> = scores.iter().map(|s| (s - max).exp()).collect();
    let sum: f64 = weights.iter().map(|w| f64::from(*w)).sum();
    weights.iter().map(|w| w / sum as f32).collect()
}

/// `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`
fn gelu_tanh(x: f32) -> f32 {
    let z = (2.0 / std::f32::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
    0.5 * x * (1.0 + z.tanh())
}

fn add(mut x: Rows, y: &Rows) -> Rows {
    for (x, y) in x.iter_mut().flatten().zip(y.iter().flatten()) {
        *x += y;
    }
    x
}

fn dot(x: &[f32], y: &[f32]) -> f32 {
    assert_eq!(x.len(), y.len());
    let products = x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y));
    products.sum::<f64>() as f32
}

impl Matrix {
    fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.cols..(row + 1) * self.cols]
    }

    /// From (cols) to (rows).
    fn times(&self, x: &[f32]) -> Vec<f32> {
        (0..self.rows).map(|row| dot(self.row(row), x)).collect()
    }
}

// From here on: reading the file.

impl Reference {
    /// Reads a whole file; panics if it is not a good one.
    pub fn read(bytes: &[u8]) -> Reference {
        let file =
            File { bytes, header: Header::parse(bytes, bytes.len() as u64).expect("a header") };
        Reference {
            n_embd: file.size("embedding_length"),
            n_ff: file.size("feed_forward_length"),
            n_head: file.size("attention.head_count"),
            n_head_kv: file.size("attention.head_count_kv"),
            head_dim: file.size("attention.key_length"),
            // Gemma 3 is causal; with dense heads the same name stands for EmbeddingGemma.
            causal: file.architecture() == "gemma3" && file.matrix("dense.0").is_none(),
            window: file.size("attention.sliding_window"),
            eps: file.float("attention.layer_norm_rms_epsilon").expect("eps"),
            rope_base_full: file.float("rope.freq_base").expect("a base"),
            rope_base_sliding: file.float("rope.freq_base_swa").unwrap_or(10_000.0),
            rope_factor: file.float("rope.scaling.factor").unwrap_or(1.0),
            token_embd: file.matrix("token_embd").expect("embeddings"),
            layers: (0..file.size("block_count")).map(|i| file.layer(i)).collect(),
            // Ollama's files have their own names for the last three tensors.
            output_norm: file
                .values("output_norm")
                .or_else(|| file.values("norm"))
                .expect("an output norm"),
            dense: ["dense_2", "dense_3", "dense.0", "dense.1"]
                .iter()
                .filter_map(|name| file.matrix(name))
                .collect(),
        }
        .checked()
    }

    /// The shapes that the comments above state.
    fn checked(self) -> Reference {
        let (n_q, n_kv) = (self.n_head * self.head_dim, self.n_head_kv * self.head_dim);
        for layer in &self.layers {
            for (matrix, rows, cols) in [
                (&layer.attn_q, n_q, self.n_embd),
                (&layer.attn_k, n_kv, self.n_embd),
                (&layer.attn_v, n_kv, self.n_embd),
                (&layer.attn_output, self.n_embd, n_q),
                (&layer.ffn_gate, self.n_ff, self.n_embd),
                (&layer.ffn_up, self.n_ff, self.n_embd),
                (&layer.ffn_down, self.n_embd, self.n_ff),
            ] {
                assert_eq!((matrix.rows, matrix.cols), (rows, cols));
            }
        }
        self
    }
}

struct File<'a> {
    bytes: &'a [u8],
    header: Header<'a>,
}

impl File<'_> {
    fn layer(&self, i: usize) -> Layer {
        let values = |name: &str| self.values(&format!("blk.{i}.{name}")).expect("a norm");
        let matrix = |name: &str| self.matrix(&format!("blk.{i}.{name}")).expect("a matrix");
        Layer {
            full: (i + 1).is_multiple_of(6),
            attn_norm: values("attn_norm"),
            attn_q: matrix("attn_q"),
            attn_k: matrix("attn_k"),
            attn_v: matrix("attn_v"),
            attn_output: matrix("attn_output"),
            attn_q_norm: values("attn_q_norm"),
            attn_k_norm: values("attn_k_norm"),
            post_attention_norm: values("post_attention_norm"),
            ffn_norm: values("ffn_norm"),
            ffn_gate: matrix("ffn_gate"),
            ffn_up: matrix("ffn_up"),
            ffn_down: matrix("ffn_down"),
            post_ffw_norm: values("post_ffw_norm"),
        }
    }

    /// The name of a hyper-parameter's key.
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture())
    }

    fn architecture(&self) -> &str {
        self.header.metadata.str("general.architecture").expect("an architecture")
    }

    fn size(&self, name: &str) -> usize {
        self.header.metadata.u32(&self.key(name)).expect("a size") as usize
    }

    fn float(&self, name: &str) -> Option<f32> {
        self.header.metadata.f32(&self.key(name)).ok()
    }

    fn matrix(&self, name: &str) -> Option<Matrix> {
        let info = self.header.tensor(&format!("{name}.weight"))?;
        let [cols, rows, ..] = info.dims.map(|dim| dim as usize);
        let values = self.values(name)?;
        assert_eq!(values.len(), rows * cols);
        Some(Matrix { rows, cols, values })
    }

    /// All values of a tensor.
    fn values(&self, name: &str) -> Option<Vec<f32>> {
        let info = self.header.tensor(&format!("{name}.weight"))?;
        let begin = info.absolute_offset as usize;
        let data = &self.bytes[begin..begin + info.n_bytes as usize];
        Some(decode(info.kind, data))
    }
}

/// The values of a tensor's bytes.
fn decode(kind: TensorType, data: &[u8]) -> Vec<f32> {
    let half_word = |at: &[u8]| u16::from_le_bytes([at[0], at[1]]);
    let f16_at = |at: &[u8]| f16::from_bits(half_word(at)).to_f32();
    match kind {
        TensorType::F32 => {
            data.chunks(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        }
        TensorType::F16 => data.chunks(2).map(f16_at).collect(),
        TensorType::BF16 => {
            data.chunks(2).map(|b| bf16::from_bits(half_word(b)).to_f32()).collect()
        }
        // A float16 scale and 32 signed bytes.
        TensorType::Q8_0 => data
            .chunks(34)
            .flat_map(|block| {
                let scale = f16_at(block);
                block[2..].iter().map(move |q| scale * f32::from(*q as i8))
            })
            .collect(),
        // Compared with gguf-py, bit for bit, in crates/quant.
        other => {
            let blocks = data.len() / other.block_bytes() as usize;
            let mut values = vec![0.0; blocks * other.block_len() as usize];
            monomorph_quant::decode_blocks(other, data, &mut values);
            values
        }
    }
}
