//! Changes a model's header and does everything with it that a build does.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use monomorph_codegen::Generated;
use monomorph_fuzz::judge;
use monomorph_gguf::Header;
use monomorph_gguf::writer::{Tensor, Value, Writer};
use monomorph_spec::Spec;
use monomorph_testing::counting_allocator::Counting;
use monomorph_testing::tiny::{self, Options, Variant};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Number of pieces that are kept of the tiny model's vocabulary: the special tokens, the cut-out pieces, the bytes and
/// some that merge.
const PIECES: usize = 400;

/// Longest context for which tables are made; longer ones are only judged.
const MAX_CONTEXT: usize = 1 << 13;

#[derive(Debug, Arbitrary)]
struct Input {
    shape: u8,
    changes: Vec<Change>,
    /// Added to the length of the file.
    more: i32,
}

#[derive(Debug, Arbitrary)]
enum Change {
    Number { key: u8, value: u32 },
    Float { key: u8, value: f32 },
    Flag { key: u8, value: bool },
    Text { key: u8, value: String },
    Raw { key: u8, type_id: u8, bytes: Vec<u8> },
    NewKey { key: String, value: u32 },
    Split { no: u8, count: u8 },
    Remove { key: u8 },
    SwapKeys { a: u8, b: u8 },
    Dims { tensor: u8, dims: Vec<u64> },
    Dim { tensor: u8, at: u8, value: u16 },
    Kind { tensor: u8, type_id: u8 },
    Offset { tensor: u8, offset: u64 },
    Name { tensor: u8, name: Vec<u8> },
    Drop { tensor: u8 },
    Copy { tensor: u8 },
    Swap { a: u8, b: u8 },
    Piece { id: u16, text: Vec<u8>, score: f32, kind: i8 },
    CopyPiece { from: u16, to: u16 },
    Pieces { n: u16 },
    Alignment { log2: u8 },
    Version { version: u32 },
}

/// Files without data, one for each of the four variants, and the length that their data would have.
static MODELS: LazyLock<[(Writer, u64); 4]> = LazyLock::new(|| {
    use Variant::{LanguageModel, Ollama, WithDense, WithoutDense};
    [WithDense, WithoutDense, Ollama, LanguageModel].map(|variant| {
        let mut file = tiny::writer(Options { variant, ..Options::default() });
        resize_vocabulary(&mut file, PIECES);
        let mut end = 0;
        for tensor in &mut file.tensors {
            tensor.offset = Some(end);
            end += (tensor.data.len() as u64).next_multiple_of(32);
            tensor.data = Vec::new();
        }
        (file, end)
    })
});

fuzz_target!(|input: Input| {
    let (model, data_len) = &MODELS[usize::from(input.shape) % 4];
    let mut file = model.clone();
    input.changes.iter().for_each(|change| apply(change, &mut file));
    let (bytes, data_offset) = file.to_header();
    let file_len = (data_offset + data_len).saturating_add_signed(input.more.into());
    judge(&bytes, file_len);
    let Ok(header) = Header::parse(&bytes, file_len) else { return };
    // RoPE's tables are as long as the context that the file asks for, up to 64 MiB: correct, but slow.
    let spec = match Spec::from_header(&header) {
        Ok(spec) if spec.n_ctx > MAX_CONTEXT => return,
        Ok(spec) => spec,
        Err(error) => return assert!(!error.to_string().contains('\n'), "{error}"),
    };
    match Generated::new(&header, spec, &bytes, 0, "fuzz.gguf") {
        Ok(generated) => {
            assert!(generated.source.starts_with("// @generated"));
            assert!(!generated.vocabulary.is_empty() && !generated.rope.is_empty());
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
});

fn apply(change: &Change, file: &mut Writer) {
    match change {
        Change::Number { key, value } => set(file, *key, Value::U32(*value)),
        Change::Float { key, value } => set(file, *key, Value::F32(*value)),
        Change::Flag { key, value } => set(file, *key, Value::Bool(*value)),
        Change::Text { key, value } => set(file, *key, Value::Str(value.clone())),
        Change::Raw { key, type_id, bytes } => {
            set(file, *key, Value::Raw((*type_id).into(), bytes.clone()));
        }
        Change::NewKey { key, value } => file.metadata.push((key.clone(), Value::U32(*value))),
        Change::Split { no, count } => {
            file.set("split.no", u32::from(*no)).set("split.count", u32::from(*count));
        }
        Change::Remove { key } => {
            if let Some(at) = place(*key, file.metadata.len()) {
                file.metadata.remove(at);
            }
        }
        Change::SwapKeys { a, b } => {
            let n = file.metadata.len();
            if let (Some(a), Some(b)) = (place(*a, n), place(*b, n)) {
                let name = file.metadata[a].0.clone();
                file.metadata[a].0 = std::mem::replace(&mut file.metadata[b].0, name);
            }
        }
        Change::Dims { tensor, dims } => {
            at(file, *tensor, |tensor| tensor.dims = dims.iter().copied().take(8).collect());
        }
        Change::Dim { tensor, at: place, value } => at(file, *tensor, |tensor| {
            if let Some(dim) = tensor.dims.get_mut(usize::from(place % 4)) {
                *dim = (*value).into();
            }
        }),
        Change::Kind { tensor, type_id } => {
            at(file, *tensor, |tensor| tensor.type_id = (*type_id).into());
        }
        Change::Offset { tensor, offset } => {
            at(file, *tensor, |tensor| tensor.offset = Some(*offset));
        }
        Change::Name { tensor, name } => at(file, *tensor, |tensor| tensor.name = name.clone()),
        Change::Drop { tensor } => {
            if let Some(at) = place(*tensor, file.tensors.len()) {
                file.tensors.remove(at);
            }
        }
        Change::Copy { tensor } => {
            if let Some(at) = place(*tensor, file.tensors.len()) {
                file.tensors.push(file.tensors[at].clone());
            }
        }
        Change::Swap { a, b } => {
            let n = file.tensors.len();
            if let (Some(a), Some(b)) = (place(*a, n), place(*b, n)) {
                file.tensors.swap(a, b);
            }
        }
        Change::Piece { id, text, score, kind } => {
            vocabulary(file, |texts, scores, kinds| {
                let id = usize::from(*id);
                if id < texts.len().min(scores.len()).min(kinds.len()) {
                    (texts[id], scores[id], kinds[id]) = (text.clone(), *score, (*kind).into());
                }
            });
        }
        Change::CopyPiece { from, to } => vocabulary(file, |texts, _, _| {
            let (from, to) = (usize::from(*from), usize::from(*to));
            if from.max(to) < texts.len() {
                texts[to] = texts[from].clone();
            }
        }),
        Change::Pieces { n } => resize_vocabulary(file, usize::from(*n) % PIECES),
        Change::Alignment { log2 } => file.alignment = 1 << (log2 % 20),
        Change::Version { version } => file.version = *version,
    }
}

fn place(number: u8, n: usize) -> Option<usize> {
    usize::from(number).checked_rem(n)
}

fn set(file: &mut Writer, key: u8, value: Value) {
    if let Some(at) = place(key, file.metadata.len()) {
        file.metadata[at].1 = value;
    }
}

fn at(file: &mut Writer, number: u8, change: impl FnOnce(&mut Tensor)) {
    if let Some(at) = place(number, file.tensors.len()) {
        change(&mut file.tensors[at]);
    }
}

/// Changes the lists of pieces, scores and kinds, if they still are lists.
fn vocabulary(
    file: &mut Writer,
    change: impl FnOnce(&mut Vec<Vec<u8>>, &mut Vec<f32>, &mut Vec<i32>),
) {
    let (mut texts, mut scores, mut kinds) = (None, None, None);
    for (_, value) in &mut file.metadata {
        match value {
            Value::Strings(list) => texts = Some(list),
            Value::F32s(list) => scores = Some(list),
            Value::I32s(list) => kinds = Some(list),
            _ => {}
        }
    }
    if let (Some(texts), Some(scores), Some(kinds)) = (texts, scores, kinds) {
        change(texts, scores, kinds);
    }
}

/// Truncates the vocabulary, and the embeddings with it.
fn resize_vocabulary(file: &mut Writer, n: usize) {
    vocabulary(file, |texts, scores, kinds| {
        texts.truncate(n);
        scores.truncate(n);
        kinds.truncate(n);
    });
    if let Some(tensor) = file.tensor_mut("token_embd.weight") {
        if let Some(rows) = tensor.dims.get_mut(1) {
            *rows = n as u64;
        }
        tensor.data.truncate(n * 136);
    }
}
