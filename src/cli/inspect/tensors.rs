//! A file's tensors: each, by name over all layers, and by type.

use std::collections::{BTreeMap, HashMap};

use monomorph_gguf::TensorInfo;
use serde::Serialize;

/// Tensors of one type.
#[derive(Serialize)]
pub struct TypeCount {
    pub r#type: &'static str,
    pub tensors: usize,
    pub bytes: u64,
}

/// Tensors of all layers that share a name, a type and dimensions.
#[derive(Serialize)]
pub struct TensorGroup {
    /// With `*` for the layer's number.
    pub name: String,
    pub r#type: &'static str,
    /// As GGUF lists them, fastest first.
    pub dims: Vec<u64>,
    pub tensors: usize,
    pub bytes: u64,
}

#[derive(Serialize)]
pub struct TensorLine {
    pub name: String,
    pub r#type: &'static str,
    /// As GGUF lists them, fastest first.
    pub dims: Vec<u64>,
    /// In the file.
    pub offset: u64,
    pub bytes: u64,
}

impl TensorLine {
    pub fn new(tensor: &TensorInfo<'_>) -> TensorLine {
        TensorLine {
            name: tensor.name.to_owned(),
            r#type: tensor.kind.name(),
            dims: tensor.shape().to_vec(),
            offset: tensor.absolute_offset,
            bytes: tensor.n_bytes,
        }
    }
}

/// In the order of each name's first tensor; the types of a name follow each other.
pub fn by_name(tensors: &[TensorInfo<'_>]) -> Vec<TensorGroup> {
    let mut groups: BTreeMap<(usize, &str, &[u64]), TensorGroup> = BTreeMap::new();
    let mut first: HashMap<String, usize> = HashMap::new();
    for (place, tensor) in tensors.iter().enumerate() {
        let name = without_layer(tensor.name);
        let first = *first.entry(name.clone()).or_insert(place);
        let key = (first, tensor.kind.name(), tensor.shape());
        let group = groups.entry(key).or_insert_with(|| TensorGroup {
            name,
            r#type: tensor.kind.name(),
            dims: tensor.shape().to_vec(),
            tensors: 0,
            bytes: 0,
        });
        group.tensors += 1;
        group.bytes += tensor.n_bytes;
    }
    groups.into_values().collect()
}

/// `blk.7.attn_q.weight` as `blk.*.attn_q.weight`.
fn without_layer(name: &str) -> String {
    match name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) {
        Some((layer, rest)) if layer.bytes().all(|b| b.is_ascii_digit()) => format!("blk.*.{rest}"),
        _ => name.to_owned(),
    }
}

/// Most bytes first.
pub fn by_type(tensors: &[TensorInfo<'_>]) -> Vec<TypeCount> {
    let mut counts: BTreeMap<&'static str, (usize, u64)> = BTreeMap::new();
    for tensor in tensors {
        let (tensors, bytes) = counts.entry(tensor.kind.name()).or_default();
        *tensors += 1;
        *bytes += tensor.n_bytes;
    }
    let mut counts: Vec<TypeCount> = counts
        .into_iter()
        .map(|(r#type, (tensors, bytes))| TypeCount { r#type, tensors, bytes })
        .collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.bytes));
    counts
}
