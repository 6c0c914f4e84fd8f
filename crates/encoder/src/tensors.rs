//! The model's tensors, each found once when the model is opened.

use crate::inputs::Want;
use crate::weights::{Located, Weights};
use monomorph_quant::panel_kind;
use monomorph_spec::fields::Parts;
use monomorph_spec::{Block, Embedding, LayerInputs, Linear, Norm, Spec, Tensor};

/// The description's tensors, found in the weights, and properties that follow from them.
pub struct Tensors {
    pub embedding: Embedding<Located>,
    pub layer_inputs: Option<LayerInputs<Located>>,
    /// A block for each layer.
    pub blocks: Vec<Block<Located>>,
    pub output_norm: Option<Norm<Located>>,
    pub dense: Vec<Linear<Located>>,
    /// The gains of a norm that has none, for the widest of the heads whose values are normalised.
    pub ones: Vec<f32>,
    /// Whether all matrices of the layers are panels, so that no product repacks its weights.
    pub all_panels: bool,
    /// The input forms that the model's products need, taken together.
    pub want: Want,
    /// Multiply-adds per token in the layers' products.
    pub multiply_adds: usize,
}

impl Tensors {
    /// Finds the tensors of a model in its weights.
    pub fn new(spec: &Spec, weights: &Weights) -> Tensors {
        let mut locate = |tensor: &Tensor| weights.locate(tensor);
        let matrices = || spec.layer_matrices();
        let normed = spec.layers.iter().filter(|layer| layer.block.v_norm);
        let widest = normed.map(|layer| spec.heads_of(layer.window).head_dim).max();
        Tensors {
            embedding: spec.embedding.map_tensors(&mut locate),
            layer_inputs: spec.layer_inputs.map_tensors(&mut locate),
            blocks: spec
                .layers
                .iter()
                .map(|layer| {
                    layer.block.map_tensors(&mut |tensor: &Tensor| locate(&tensor.at(layer.start)))
                })
                .collect(),
            output_norm: spec.output_norm.map_tensors(&mut locate),
            dense: spec.dense.iter().map(|head| head.map_tensors(&mut locate)).collect(),
            ones: vec![1.0; widest.unwrap_or(0)],
            all_panels: matrices()
                .all(|tensor| weights.matrix(Linear::plain(weights.locate(&tensor))).is_panels()),
            want: wanted_anywhere(spec),
            multiply_adds: matrices().map(|tensor| tensor.rows * tensor.cols).sum(),
        }
    }
}

/// The input forms that the model's products need, taken together.
pub fn wanted_anywhere(spec: &Spec) -> Want {
    Want::of_kinds(spec.matrices().map(|matrix| panel_kind(matrix.kind)))
}
