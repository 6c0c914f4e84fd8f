//! The contents of a report; printing is elsewhere.

use std::path::Path;

use monomorph::{Embedder, Memory, Prompt, built};
use monomorph_encoder::workspace_bytes;
use monomorph_gguf::{Header, Value, ValueType};
use monomorph_spec::{BuildOptions, Spec, Window};
use serde::{Serialize, Serializer};
use serde_json::json;

use super::tensors::{TensorGroup, TensorLine, TypeCount, by_name, by_type};

/// Arrays up to this length are shown whole; vocabularies are not.
const MAX_SHOWN: usize = 16;

/// Tokens of a short text, such as a query or a sentence.
pub const SHORT_TEXT: usize = 32;

/// A file, described.
#[derive(Serialize)]
pub struct Report {
    pub file: String,
    pub file_bytes: u64,
    pub gguf_version: u32,
    pub alignment: u64,
    /// In file order; long arrays as their type and length.
    #[serde(serialize_with = "in_order")]
    pub metadata: Vec<(String, serde_json::Value)>,
    pub tensor_types: Vec<TypeCount>,
    pub tensor_groups: Vec<TensorGroup>,
    pub tensors: Vec<TensorLine>,
    /// The model, if this version can run it; else `unsupported` says why not.
    pub model: Option<ModelReport>,
    pub unsupported: Option<String>,
    pub binary: BinaryReport,
}

/// A model, as its specification describes it.
#[derive(Serialize)]
pub struct ModelReport {
    pub name: String,
    pub architecture: String,
    pub license: Option<String>,
    pub license_name: Option<String>,
    pub license_link: Option<String>,
    /// What the model was made from, and how its file describes it.
    pub origin: Option<String>,
    pub description: Option<String>,
    /// Which of the architecture's files it is, in words.
    pub variant: String,
    /// What a user should know of such a file.
    pub notes: Vec<String>,
    pub n_layer: usize,
    pub n_embd: usize,
    /// Width of the vectors.
    pub n_out: usize,
    pub n_ff: usize,
    pub n_head: usize,
    pub n_head_kv: usize,
    pub head_dim: usize,
    /// The heads of layers that see the whole text, if they are others.
    pub full_heads: Option<HeadsReport>,
    pub n_vocab: usize,
    pub n_ctx: usize,
    /// Whether a token attends to none after it.
    pub causal: bool,
    /// How far sliding layers see; none where no layer slides.
    pub attention_radius: Option<usize>,
    /// Layers that see the whole text, or all of it so far.
    pub n_full_layers: usize,
    pub pooling: String,
    /// Widths from the pooled vector through the dense heads; empty where there are none.
    pub dense_widths: Vec<usize>,
    /// Number of weights in all tensors.
    pub n_weights: u64,
    /// Bytes of all tensors in the file.
    #[serde(skip)]
    pub n_bytes: u64,
    pub memory_bytes: MemoryReport,
    /// Names and prefix of each prompt; none if the model was trained without.
    pub prompts: Vec<PromptReport>,
}

#[derive(Serialize)]
pub struct MemoryReport {
    /// Shared with other processes.
    pub mapped: u64,
    /// Private, for a text of [`SHORT_TEXT`] tokens.
    pub workspace_short_text: u64,
    /// Private, for a text that fills the context.
    pub workspace: u64,
    /// Private, where repacked weights are kept.
    pub kept_panels: u64,
}

#[derive(Serialize)]
pub struct PromptReport {
    pub names: &'static [&'static str],
    pub prefix: &'static str,
}

/// This binary, and whether it fits the file.
#[derive(Serialize)]
pub struct BinaryReport {
    pub built_for: &'static str,
    pub source: &'static str,
    pub isa: Vec<&'static str>,
    pub fits: bool,
    /// Why it does not fit.
    pub misfit: Option<String>,
}

impl Report {
    pub fn new(path: &Path, header: &Header<'_>) -> Report {
        let binary = BinaryReport::new(path);
        // As this binary reads the file if it fits, else as a build without choices would.
        let options = if binary.fits { built::SPEC.options } else { BuildOptions::default() };
        let spec = Spec::from_header_with(header, options);
        let (model, unsupported) = match spec {
            Ok(mut spec) => {
                if binary.fits {
                    // The build may have been given others than those that are known of the model.
                    spec.prompts = built::SPEC.prompts.clone();
                }
                (Some(ModelReport::new(&spec)), None)
            }
            Err(error) => (None, Some(error.to_string())),
        };
        Report {
            file: path.display().to_string(),
            file_bytes: header.file_len,
            gguf_version: header.version,
            alignment: header.alignment,
            metadata: header
                .metadata
                .iter()
                .map(|(key, value)| (key.to_owned(), to_json(value)))
                .collect(),
            tensor_types: by_type(&header.tensors),
            tensor_groups: by_name(&header.tensors),
            tensors: header.tensors.iter().map(TensorLine::new).collect(),
            model,
            unsupported,
            binary,
        }
    }
}

/// Attention heads.
#[derive(Serialize)]
pub struct HeadsReport {
    pub n_head: usize,
    pub n_head_kv: usize,
    pub head_dim: usize,
}

impl ModelReport {
    pub fn new(spec: &Spec) -> ModelReport {
        let memory = Memory::of(spec);
        ModelReport {
            name: spec.name.to_string(),
            architecture: spec.architecture.to_string(),
            license: spec.license.id.as_deref().map(str::to_owned),
            license_name: spec.license.name.as_deref().map(str::to_owned),
            license_link: spec.license.link.as_deref().map(str::to_owned),
            origin: spec.license.origin.as_deref().map(str::to_owned),
            description: spec.license.description.as_deref().map(str::to_owned),
            variant: spec.variant.to_string(),
            notes: spec.notes.iter().map(|note| note.to_string()).collect(),
            n_layer: spec.n_layer(),
            n_embd: spec.n_embd,
            n_out: spec.n_out,
            n_ff: spec.n_ff,
            n_head: spec.n_head,
            n_head_kv: spec.n_head_kv,
            head_dim: spec.head_dim,
            full_heads: spec.full_heads.map(|heads| HeadsReport {
                n_head: heads.n_head,
                n_head_kv: heads.n_head_kv,
                head_dim: heads.head_dim,
            }),
            n_vocab: spec.n_vocab,
            n_ctx: spec.n_ctx,
            causal: spec.causal,
            attention_radius: attention_radius(spec),
            n_full_layers: spec.layers.iter().filter(|layer| layer.window == Window::Full).count(),
            pooling: spec.pooling.to_string(),
            dense_widths: dense_widths(spec),
            n_weights: spec.tensors().map(|(_, t)| t.rows as u64 * t.cols as u64).sum(),
            n_bytes: memory.mapped,
            memory_bytes: MemoryReport {
                mapped: memory.mapped,
                workspace_short_text: workspace_bytes(spec, SHORT_TEXT.min(spec.n_ctx)) as u64,
                workspace: memory.workspace,
                kept_panels: memory.kept_panels,
            },
            prompts: spec.prompts.iter().map(PromptReport::new).collect(),
        }
    }
}

impl PromptReport {
    fn new(prompt: &Prompt) -> PromptReport {
        PromptReport { names: prompt.names, prefix: prompt.prefix }
    }
}

impl BinaryReport {
    /// Opens the file as every command does. The instruction set is fixed, so that a wrong name in the environment does
    /// not matter.
    fn new(path: &Path) -> BinaryReport {
        let opened = Embedder::options().threads(1).isa("scalar").open(path);
        let misfit = opened.err().map(|error| error.to_string());
        BinaryReport {
            built_for: built::NAME,
            source: built::SOURCE,
            isa: monomorph_simd::available(),
            fits: misfit.is_none(),
            misfit,
        }
    }
}

fn attention_radius(spec: &Spec) -> Option<usize> {
    spec.layers.iter().find_map(|layer| match layer.window {
        Window::Sliding(radius) => Some(radius),
        Window::Full => None,
    })
}

fn dense_widths(spec: &Spec) -> Vec<usize> {
    let first = spec.dense.first().map(|head| head.weight.cols);
    first.into_iter().chain(spec.dense.iter().map(|head| head.weight.rows)).collect()
}

fn to_json(value: &Value<'_>) -> serde_json::Value {
    match *value {
        Value::Str(text) => json!(text),
        Value::Bool(flag) => json!(flag),
        Value::F32(number) => float(number),
        Value::F64(number) => json!(number),
        Value::Array(array) => {
            let shown: Option<Vec<serde_json::Value>> = match array.element_type() {
                _ if array.len() > MAX_SHOWN => None,
                ValueType::Str => Some(
                    array.strings().map(|bytes| json!(String::from_utf8_lossy(bytes))).collect(),
                ),
                ValueType::I32 => Some(array.i32s().map(|number| json!(number)).collect()),
                ValueType::U32 => Some(array.u32s().map(|number| json!(number)).collect()),
                ValueType::F32 => Some(array.f32s().map(float).collect()),
                _ => None,
            };
            match shown {
                Some(elements) => json!(elements),
                None => json!({ "array_of": array.element_type().to_string(), "len": array.len() }),
            }
        }
        // Every integer of the format fits one of the two.
        _ => match value.integer().map(|number| (i64::try_from(number), number as u64)) {
            Some((Ok(number), _)) => json!(number),
            Some((Err(_), number)) => json!(number),
            None => serde_json::Value::Null,
        },
    }
}

/// With as many digits as a float32 has: widened as it is, 1e-6 would become 9.999999974752427e-7.
fn float(number: f32) -> serde_json::Value {
    json!(number.to_string().parse::<f64>().ok().filter(|number| number.is_finite()))
}

fn in_order<S: Serializer>(
    entries: &[(String, serde_json::Value)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(entries.iter().map(|(key, value)| (key, value)))
}
