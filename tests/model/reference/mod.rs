//! The reference encoder: the forward pass of a transformer in plain loops of float32, for testing and for reading.
//!
//! Of this project it uses only the reader of headers and the decoders of block formats. It reads hyper-parameters and
//! tensors by name, decodes every weight to float32 and follows the model's description step by step. Sums run in
//! float64, so that its own error is that of storing each result once. It is slow on purpose.

mod file;

/// How a text's rows become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    Mean,
    Cls,
    Last,
    Max,
}

/// What a file does not say about its model.
#[derive(Clone, Copy, Debug)]
pub struct Unstated {
    /// Whether a position sees only itself and those before it.
    pub causal: bool,
    /// Applied to the gate, or to the up projection if there is no gate.
    pub activation: fn(f32) -> f32,
    /// Whether the embeddings of tokens are multiplied by the root of n_embd.
    pub scaled_embeddings: bool,
    /// Where layers slide, the period of those that see the whole text, and the first of them; unless the file says which
    /// slide.
    pub full_layers: (usize, usize),
    /// Whether scores are divided by the root of the head's width.
    pub scaled_scores: bool,
    /// Whether values are normalised as keys are, without a gain.
    pub normed_values: bool,
}

/// A model with all weights decoded. Optional parts are present if the file has their tensors.
pub struct Reference {
    pub n_embd: usize,
    n_ff: usize,
    n_head: usize,
    unstated: Unstated,
    /// The whole width of sliding layers' windows, as files state it; in a causal model it includes the position
    /// itself. Without one, every layer sees the whole text.
    window: Option<usize>,
    /// Whether norms are LayerNorm, not RMSNorm.
    layer_norm: bool,
    eps: f32,
    /// RoPE's base in full layers; without one, there is no RoPE.
    rope_base_full: Option<f32>,
    rope_base_sliding: f32,
    /// What full layers divide positions by.
    rope_factor: f32,
    token_embd: Matrix,
    token_types: Option<Matrix>,
    position_embd: Option<Matrix>,
    token_embd_norm: Option<Norm>,
    /// What makes the layers' own inputs: (n_layer * n_input, n_embd) and (n_input).
    per_layer_model_proj: Option<Matrix>,
    per_layer_proj_norm: Option<Norm>,
    layers: Vec<Layer>,
    output_norm: Option<Norm>,
    /// The dense heads in the order they apply; empty if the file has none.
    dense: Vec<Matrix>,
}

/// A weight matrix with one row per output, and the bias that is added to the outputs.
struct Matrix {
    rows: usize,
    cols: usize,
    values: Vec<f32>, // (rows, cols)
    bias: Vec<f32>,   // (rows), zeros if the file has none
}

/// A norm's gains, and the bias that is added after them.
struct Norm {
    gain: Vec<f32>,
    bias: Vec<f32>, // zeros if the file has none
}

struct Layer {
    number: usize,
    full: bool,
    n_head_kv: usize,
    head_dim: usize,
    attn_norm: Option<Norm>,           // (n_embd), before attention
    attn_qkv: Option<Matrix>,          // the next three in one
    attn_q: Option<Matrix>,            // (n_head * head_dim, n_embd)
    attn_k: Option<Matrix>,            // (n_head_kv * head_dim, n_embd)
    attn_v: Option<Matrix>,            // (n_head_kv * head_dim, n_embd)
    attn_output: Matrix,               // (n_embd, n_head * head_dim)
    attn_q_norm: Option<Norm>,         // (head_dim)
    attn_k_norm: Option<Norm>,         // (head_dim)
    post_attention_norm: Option<Norm>, // (n_embd), of the branch
    attn_output_norm: Option<Norm>,    // (n_embd), of the sum
    ffn_norm: Option<Norm>,            // (n_embd), before the feed-forward network
    ffn_gate: Option<Matrix>,          // (n_ff, n_embd)
    ffn_up: Matrix,                    // (n_ff, n_embd)
    ffn_down: Matrix,                  // (n_embd, n_ff)
    post_ffw_norm: Option<Norm>,       // (n_embd), of the branch
    layer_output_norm: Option<Norm>,   // (n_embd), of the sum
    inp_gate: Option<Matrix>,          // (n_input, n_embd)
    proj: Option<Matrix>,              // (n_embd, n_input)
    post_norm: Option<Norm>,           // (n_embd), of the branch
    input_output_norm: Option<Norm>,   // (n_embd), of the sum
    layer_output_scale: Option<f32>,
}

/// A row of activations for each token.
pub type Rows = Vec<Vec<f32>>;

impl Reference {
    /// The residual stream before the first layer and after each layer: n_layer + 1 times (T, n_embd).
    pub fn states(&self, ids: &[u32]) -> Vec<Rows> {
        let mut x = self.embed(ids);
        let mut states = vec![x.clone()];
        let embedded = x.clone();
        for layer in &self.layers {
            x = self.layer(layer, x, &embedded);
            states.push(x.clone());
        }
        states
    }

    /// From a residual stream (T, n_embd) to the vector (n_embd): output norm, pooling, dense heads if asked for.
    pub fn vector(&self, x: &Rows, pooling: Pooling, dense: bool) -> Vec<f32> {
        let y = self.norm_rows(x, &self.output_norm);
        let chosen = match pooling {
            Pooling::Mean | Pooling::Max => &y[..],
            Pooling::Cls => &y[..1],
            Pooling::Last => &y[y.len() - 1..],
        };
        let mut z: Vec<f32> = (0..self.n_embd)
            .map(|i| {
                if pooling == Pooling::Max {
                    return chosen.iter().map(|row| row[i]).fold(f32::MIN, f32::max);
                }
                let sum: f64 = chosen.iter().map(|row| f64::from(row[i])).sum();
                (sum / chosen.len() as f64) as f32
            })
            .collect();
        for head in self.dense.iter().filter(|_| dense) {
            z = head.times(&z);
        }
        z
    }

    /// `x = norm(token_embd[id] * sqrt(n_embd) + token_types[0] + position_embd[t])`, of which a model has some.
    fn embed(&self, ids: &[u32]) -> Rows {
        let scale = if self.unstated.scaled_embeddings { (self.n_embd as f32).sqrt() } else { 1.0 };
        let row = |(t, id): (usize, &u32)| -> Vec<f32> {
            let token = self.token_embd.row(*id as usize);
            let kind = self.token_types.as_ref().map(|types| types.row(0));
            let position = self.position_embd.as_ref().map(|positions| positions.row(t));
            let at = |row: Option<&[f32]>, i: usize| row.map_or(0.0, |row| row[i]);
            (0..self.n_embd).map(|i| token[i] * scale + at(kind, i) + at(position, i)).collect()
        };
        self.norm_rows(&ids.iter().enumerate().map(row).collect(), &self.token_embd_norm)
    }

    fn layer(&self, layer: &Layer, x: Rows, embedded: &Rows) -> Rows {
        let h = self.norm_rows(&x, &layer.attn_norm);
        let o = self.attention(layer, &h);
        let x = add(x, &self.norm_rows(&o, &layer.post_attention_norm));
        let x = self.norm_rows(&x, &layer.attn_output_norm);

        let h = self.norm_rows(&x, &layer.ffn_norm);
        let f = h.iter().map(|h| self.feed_forward(layer, h)).collect();
        let x = add(x, &self.norm_rows(&f, &layer.post_ffw_norm));
        let x = self.norm_rows(&x, &layer.layer_output_norm);

        let x = match (&layer.inp_gate, &layer.proj) {
            (Some(gate), Some(proj)) => {
                let b = x.iter().zip(embedded).map(|(x, e)| self.mix(layer, gate, proj, x, e));
                let b = self.norm_rows(&b.collect(), &layer.post_norm);
                self.norm_rows(&add(x, &b), &layer.input_output_norm)
            }
            _ => x,
        };
        let scale = layer.layer_output_scale.unwrap_or(1.0);
        x.into_iter().map(|row| row.iter().map(|x| x * scale).collect()).collect()
    }

    /// `(activation(x Wgate) * p) Wproj` with `p = norm(e W / sqrt(n_embd))`, the layer's own input: from (n_embd) to
    /// (n_embd).
    fn mix(&self, layer: &Layer, gate: &Matrix, proj: &Matrix, x: &[f32], e: &[f32]) -> Vec<f32> {
        let all = self.per_layer_model_proj.as_ref().expect("a projection");
        let own = all.part(layer.number * gate.rows..(layer.number + 1) * gate.rows);
        let root = (self.n_embd as f32).sqrt();
        let p: Vec<f32> = own.times(e).iter().map(|p| p / root).collect();
        let p = self.norm(&p, &self.per_layer_proj_norm);
        let gate = gate.times(x).into_iter().map(self.unstated.activation);
        proj.times(&gate.zip(&p).map(|(g, p)| g * p).collect::<Vec<f32>>())
    }

    /// `(activation(h Wgate) * (h Wup)) Wdown`, or `activation(h Wup) Wdown`, from (n_embd) to (n_embd).
    fn feed_forward(&self, layer: &Layer, h: &[f32]) -> Vec<f32> {
        let up = layer.ffn_up.times(h);
        let activated = |row: &[f32]| row.iter().map(|x| (self.unstated.activation)(*x)).collect();
        let hidden: Vec<f32> = match &layer.ffn_gate {
            Some(gate) => {
                let gate: Vec<f32> = activated(&gate.times(h));
                gate.iter().zip(&up).map(|(g, u)| g * u).collect()
            }
            None => activated(&up),
        };
        layer.ffn_down.times(&hidden)
    }

    /// Whether position `p` sees position `other`.
    fn sees(&self, layer: &Layer, p: usize, other: usize) -> bool {
        let within = |window: usize| match self.unstated.causal {
            true => p.abs_diff(other) < window,
            false => p.abs_diff(other) <= window / 2,
        };
        let near = layer.full || self.window.is_none_or(within);
        near && (other <= p || !self.unstated.causal)
    }

    /// Attention, from (T, n_embd) to (T, n_embd).
    fn attention(&self, layer: &Layer, h: &Rows) -> Rows {
        let d = layer.head_dim;
        let (base, factor) = match layer.full {
            true => (self.rope_base_full, self.rope_factor),
            false => (self.rope_base_full.map(|_| self.rope_base_sliding), 1.0),
        };
        // Normalised and rotated heads: (T, n_head * head_dim) and (T, n_head_kv * head_dim).
        let heads = |rows: Rows, norm: &Option<Norm>| -> Rows {
            let rotated = |(p, row): (usize, Vec<f32>)| {
                let heads = row.chunks(d).map(|head| {
                    let head = self.norm(head, norm);
                    base.map_or(head.clone(), |base| rope(&head, p as f32 / factor, base))
                });
                heads.flatten().collect()
            };
            rows.into_iter().enumerate().map(rotated).collect()
        };
        let [q, k, v] = self.project(layer, h);
        let (q, k) = (heads(q, &layer.attn_q_norm), heads(k, &layer.attn_k_norm));
        let ones = Norm { gain: vec![1.0; d], bias: vec![0.0; d] };
        let ones = self.unstated.normed_values.then_some(ones);
        let normed =
            |row: &Vec<f32>| row.chunks(d).flat_map(|head| self.norm(head, &ones)).collect();
        let v: Rows = v.iter().map(normed).collect();
        let root = if self.unstated.scaled_scores { (d as f32).sqrt() } else { 1.0 };

        let mut out = Rows::new();
        for p in 0..h.len() {
            let visible: Vec<usize> =
                (0..h.len()).filter(|other| self.sees(layer, p, *other)).collect();
            let mut o = Vec::new(); // (n_head * head_dim)
            for head in 0..self.n_head {
                let kv = head / (self.n_head / layer.n_head_kv);
                let q = &q[p][head * d..(head + 1) * d];
                let scores =
                    visible.iter().map(|other| dot(q, &k[*other][kv * d..(kv + 1) * d]) / root);
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

    /// Queries, keys and values: (T, n_head * head_dim) and twice (T, n_head_kv * head_dim).
    fn project(&self, layer: &Layer, h: &Rows) -> [Rows; 3] {
        let times = |weights: &Option<Matrix>| -> Rows {
            let weights = weights.as_ref().expect("a projection");
            h.iter().map(|h| weights.times(h)).collect()
        };
        if layer.attn_qkv.is_none() {
            return [&layer.attn_q, &layer.attn_k, &layer.attn_v].map(times);
        }
        let (n_q, n_kv) = (self.n_head * layer.head_dim, layer.n_head_kv * layer.head_dim);
        let all = times(&layer.attn_qkv);
        [0..n_q, n_q..n_q + n_kv, n_q + n_kv..n_q + 2 * n_kv]
            .map(|columns| all.iter().map(|row| row[columns.clone()].to_vec()).collect())
    }

    /// The rows, normalised if there is a norm.
    fn norm_rows(&self, x: &Rows, norm: &Option<Norm>) -> Rows {
        x.iter().map(|row| self.norm(row, norm)).collect()
    }

    fn norm(&self, x: &[f32], norm: &Option<Norm>) -> Vec<f32> {
        match norm {
            None => x.to_vec(),
            Some(norm) if self.layer_norm => layer_norm(x, norm, self.eps),
            Some(norm) => rms_norm(x, &norm.gain, self.eps),
        }
    }
}

/// `(x - mean) / sqrt(var + eps) * gain + bias`
fn layer_norm(x: &[f32], norm: &Norm, eps: f32) -> Vec<f32> {
    let n = x.len() as f64;
    let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
    let var = x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
    let scale = 1.0 / (var + f64::from(eps)).sqrt();
    let parameters = norm.gain.iter().zip(&norm.bias);
    x.iter()
        .zip(parameters)
        .map(|(x, (g, b))| ((f64::from(*x) - mean) * scale) as f32 * g + b)
        .collect()
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
pub fn gelu_tanh(x: f32) -> f32 {
    let z = (2.0 / std::f32::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
    0.5 * x * (1.0 + z.tanh())
}

/// `0.5 x (1 + erf(x / sqrt 2))`
pub fn gelu_erf(x: f32) -> f32 {
    let x = f64::from(x);
    (0.5 * x * (1.0 + libm::erf(x / 2f64.sqrt()))) as f32
}

/// `x / (1 + e^(-x))`
pub fn silu(x: f32) -> f32 {
    x / (1.0 + (-x).exp())
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

    /// Some of its rows.
    fn part(&self, rows: std::ops::Range<usize>) -> Matrix {
        Matrix {
            rows: rows.len(),
            cols: self.cols,
            values: self.values[rows.start * self.cols..rows.end * self.cols].to_vec(),
            bias: self.bias[rows].to_vec(),
        }
    }

    /// From (cols) to (rows).
    fn times(&self, x: &[f32]) -> Vec<f32> {
        (0..self.rows).map(|row| dot(self.row(row), x) + self.bias[row]).collect()
    }
}
