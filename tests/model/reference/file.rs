//! Reads a model's file for the reference: every tensor by its name, decoded.

use super::{Layer, Matrix, Norm, Reference, Unstated, gelu_tanh};
use half::{bf16, f16};
use monomorph_gguf::{Array, Header, TensorType};

impl Reference {
    /// Reads a whole file of EmbeddingGemma or Gemma 3; panics if it is malformed.
    pub fn read(bytes: &[u8]) -> Reference {
        let file = File::new(bytes);
        // Gemma 3 is causal; with dense heads the same name stands for EmbeddingGemma.
        let causal = file.architecture() == "gemma3" && file.matrix("dense.0").is_none();
        let unstated = Unstated {
            causal,
            activation: gelu_tanh,
            scaled_embeddings: true,
            full_layers: (6, 5),
            scaled_scores: true,
            normed_values: false,
        };
        Reference::read_as(bytes, unstated)
    }

    /// Reads a whole file, given what it does not say about its model.
    pub fn read_as(bytes: &[u8], unstated: Unstated) -> Reference {
        let file = File::new(bytes);
        let window = file.size("attention.sliding_window");
        let size = |name: &str| file.size(name).expect("a size");
        Reference {
            n_embd: size("embedding_length"),
            n_ff: size("feed_forward_length"),
            n_head: size("attention.head_count"),
            unstated,
            window,
            layer_norm: file.float("attention.layer_norm_epsilon").is_some(),
            eps: file
                .float("attention.layer_norm_epsilon")
                .or_else(|| file.float("attention.layer_norm_rms_epsilon"))
                .expect("eps"),
            rope_base_full: file.float("rope.freq_base"),
            rope_base_sliding: file.float("rope.freq_base_swa").unwrap_or(10_000.0),
            rope_factor: file.float("rope.scaling.factor").unwrap_or(1.0),
            token_embd: file.matrix("token_embd").expect("embeddings"),
            token_types: file.matrix("token_types"),
            position_embd: file.matrix("position_embd"),
            token_embd_norm: file.norm("token_embd_norm"),
            per_layer_model_proj: file.matrix("per_layer_model_proj"),
            per_layer_proj_norm: file.norm("per_layer_proj_norm"),
            layers: (0..size("block_count"))
                .map(|i| file.layer(i, window.map(|_| unstated.full_layers)))
                .collect(),
            // Ollama's files have their own names for the last three tensors.
            output_norm: file.norm("output_norm").or_else(|| file.norm("norm")),
            dense: ["dense_2", "dense_3", "dense.0", "dense.1", "output"]
                .iter()
                .filter_map(|name| file.matrix(name))
                .collect(),
        }
        .checked()
    }

    /// Checks the shapes that the comments on the fields state.
    fn checked(self) -> Reference {
        for layer in &self.layers {
            let (n_q, n_kv) = (self.n_head * layer.head_dim, layer.n_head_kv * layer.head_dim);
            for (matrix, rows, cols) in [
                (layer.attn_qkv.as_ref(), n_q + 2 * n_kv, self.n_embd),
                (layer.attn_q.as_ref(), n_q, self.n_embd),
                (layer.attn_k.as_ref(), n_kv, self.n_embd),
                (layer.attn_v.as_ref(), n_kv, self.n_embd),
                (Some(&layer.attn_output), self.n_embd, n_q),
                (layer.ffn_gate.as_ref(), self.n_ff, self.n_embd),
                (Some(&layer.ffn_up), self.n_ff, self.n_embd),
                (Some(&layer.ffn_down), self.n_embd, self.n_ff),
            ] {
                let found = matrix.map(|matrix| (matrix.rows, matrix.cols));
                assert!(found.is_none_or(|found| found == (rows, cols)));
            }
        }
        self
    }
}

struct File<'a> {
    bytes: &'a [u8],
    header: Header<'a>,
}

impl<'a> File<'a> {
    fn new(bytes: &'a [u8]) -> File<'a> {
        File { bytes, header: Header::parse(bytes, bytes.len() as u64).expect("a header") }
    }

    fn layer(&self, i: usize, full: Option<(usize, usize)>) -> Layer {
        let norm = |name: &str| self.norm(&format!("blk.{i}.{name}"));
        let matrix = |name: &str| self.matrix(&format!("blk.{i}.{name}"));
        // One matrix may hold the gate's rows, then those of the up projection.
        let up = matrix("ffn_up").expect("a matrix");
        let n_ff = self.size("feed_forward_length").expect("a size");
        let (ffn_gate, ffn_up) = match up.rows == 2 * n_ff {
            true => (Some(up.part(0..n_ff)), up.part(n_ff..2 * n_ff)),
            false => (matrix("ffn_gate"), up),
        };
        let slides = self.array("attention.sliding_window_pattern");
        let slides = slides.map(|flags| flags.raw()[i] == 1);
        let by_period = || full.is_none_or(|(period, first)| i % period == first);
        let full = slides.map_or_else(by_period, |slides| !slides);
        let kv_heads = self.array("attention.head_count_kv").map(|each| each.i32s().nth(i));
        let kv_heads = kv_heads.flatten().map(|n| n as usize);
        let swa = self.size("attention.key_length_swa").filter(|_| !full);
        Layer {
            number: i,
            full,
            n_head_kv: kv_heads.or_else(|| self.size("attention.head_count_kv")).expect("a size"),
            head_dim: swa.or_else(|| self.size("attention.key_length")).expect("a size"),
            attn_norm: norm("attn_norm"),
            attn_qkv: matrix("attn_qkv"),
            attn_q: matrix("attn_q"),
            attn_k: matrix("attn_k"),
            attn_v: matrix("attn_v"),
            attn_output: matrix("attn_output").expect("a matrix"),
            attn_q_norm: norm("attn_q_norm"),
            attn_k_norm: norm("attn_k_norm"),
            post_attention_norm: norm("post_attention_norm"),
            attn_output_norm: norm("attn_output_norm"),
            ffn_norm: norm("ffn_norm"),
            ffn_gate,
            ffn_up,
            ffn_down: matrix("ffn_down").expect("a matrix"),
            post_ffw_norm: norm("post_ffw_norm"),
            layer_output_norm: norm("layer_output_norm"),
            inp_gate: matrix("inp_gate"),
            proj: matrix("proj"),
            post_norm: norm("post_norm"),
            input_output_norm: norm("input_output_norm"),
            layer_output_scale: self
                .values(&format!("blk.{i}.layer_output_scale.weight"))
                .map(|values| values[0]),
        }
    }

    /// The name of a hyper-parameter's key.
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture())
    }

    fn architecture(&self) -> &str {
        self.header.metadata.str("general.architecture").expect("an architecture")
    }

    fn size(&self, name: &str) -> Option<usize> {
        self.header.metadata.required::<u32>(&self.key(name)).ok().map(|size| size as usize)
    }

    fn array(&self, name: &str) -> Option<Array<'a>> {
        self.header.metadata.array(&self.key(name)).ok()
    }

    fn float(&self, name: &str) -> Option<f32> {
        self.header.metadata.required::<f32>(&self.key(name)).ok()
    }

    fn matrix(&self, name: &str) -> Option<Matrix> {
        let info = self.header.tensor(&format!("{name}.weight"))?;
        let [cols, rows, ..] = info.dims.map(|dim| dim as usize);
        let values = self.values(&format!("{name}.weight"))?;
        assert_eq!(values.len(), rows * cols);
        let bias = self.values(&format!("{name}.bias")).unwrap_or_else(|| vec![0.0; rows]);
        Some(Matrix { rows, cols, values, bias })
    }

    fn norm(&self, name: &str) -> Option<Norm> {
        let gain = self.values(&format!("{name}.weight"))?;
        let bias = self.values(&format!("{name}.bias")).unwrap_or_else(|| vec![0.0; gain.len()]);
        Some(Norm { gain, bias })
    }

    /// All values of a tensor.
    fn values(&self, name: &str) -> Option<Vec<f32>> {
        let info = self.header.tensor(name)?;
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
        // Tested against gguf-py, bit for bit, in crates/quant.
        other => {
            let blocks = data.len() / other.block_bytes() as usize;
            let mut values = vec![0.0; blocks * other.block_len() as usize];
            monomorph_quant::decode_blocks(other, data, &mut values);
            values
        }
    }
}
