//! This binary, described: the model it was built for, and where the weights are.

use monomorph::built::{self, FINGERPRINT, SPEC};
use monomorph_gguf::TensorInfo;
use monomorph_quant::image::{Stored, layout, length};
use monomorph_spec::Role;
use serde::Serialize;

use super::report::ModelReport;
use super::tensors::{TensorGroup, TypeCount, by_name, by_type};

/// A description of this binary.
#[derive(Serialize)]
pub struct Own {
    pub version: &'static str,
    pub isa: Vec<&'static str>,
    /// The path given to the build.
    pub source: &'static str,
    pub weights: WeightsReport,
    pub model: ModelReport,
    pub tensor_types: Vec<TypeCount>,
    pub tensor_groups: Vec<TensorGroup>,
}

/// Where the weights are.
#[derive(Serialize)]
#[serde(tag = "place", rename_all = "lowercase")]
pub enum WeightsReport {
    /// Inside the binary, with the bytes of each part.
    Inside { bytes: u64, panels: u64, blocks: u64, token_table: u64, other: u64 },
    /// In a file of this length, at `source` unless the command line or the environment names another.
    File { bytes: u64 },
}

impl Own {
    pub fn new() -> Own {
        let mut named: Vec<_> = SPEC.tensors().collect();
        // In file order, to be comparable with the description of a file.
        named.sort_by_key(|(_, tensor)| tensor.offset);
        let tensors: Vec<TensorInfo<'_>> = named
            .iter()
            .map(|(name, tensor)| TensorInfo {
                name,
                kind: tensor.kind,
                dims: [tensor.cols as u64, tensor.rows as u64, 1, 1],
                // A norm is a vector: one dimension.
                n_dims: if tensor.rows == 1 { 1 } else { 2 },
                offset: tensor.offset,
                absolute_offset: tensor.offset,
                n_bytes: tensor.n_bytes,
            })
            .collect();
        let mut model = ModelReport::new(&SPEC);
        let weights = WeightsReport::new();
        if let WeightsReport::Inside { bytes, panels, .. } = weights {
            model.memory_bytes.mapped = bytes;
            if panels > 0 {
                model.memory_bytes.kept_panels = 0;
            }
        }
        Own {
            version: env!("CARGO_PKG_VERSION"),
            isa: monomorph_simd::available(),
            source: built::SOURCE,
            weights,
            model,
            tensor_types: by_type(&tensors),
            tensor_groups: by_name(&tensors),
        }
    }
}

impl WeightsReport {
    fn new() -> WeightsReport {
        if !built::IS_EMBEDDED {
            return WeightsReport::File { bytes: FINGERPRINT.file_len };
        }
        let tensors = layout(&SPEC, built::IMAGE_FORM);
        let of = |part: &dyn Fn(&Stored) -> bool| -> u64 {
            tensors.iter().filter(|stored| part(stored)).map(|stored| stored.n_bytes).sum()
        };
        let bytes = length(&tensors);
        let matrices = of(&|stored| stored.tensor.role == Role::Matrix);
        let panels = of(&|stored| stored.is_panels);
        let token_table = of(&|stored| stored.tensor == SPEC.embedding.tokens);
        let other = bytes - matrices - token_table;
        WeightsReport::Inside { bytes, panels, blocks: matrices - panels, token_table, other }
    }
}
