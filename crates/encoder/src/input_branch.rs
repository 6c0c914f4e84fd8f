//! The branch of a layer that has an input of its own, in the order of [`InputBranch`](monomorph_spec::InputBranch).
//!
//! The input is made anew in each layer: for all layers together it would be as many times larger than a row.

use crate::Pass;
use crate::dim::Dim;
use crate::inputs::Want;
use crate::kernels::activation::activate_times;
use crate::kernels::columns::ColumnsMut;
use crate::kernels::residual::scale;
use crate::layer::{LACKING, with_activation};
use crate::model::Model;
use crate::parts::parts_of;
use crate::weights::Located;
use monomorph_simd::{Isa, PANEL};
use monomorph_spec::{Activation, Block, LayerInputs, Norm};

impl<I: Isa, M: Model> Pass<'_, I, M> {
    /// `x += norm(project (activation(gate x) * input))`: the layer's own input joins the residual stream.
    pub(crate) fn mix_input(
        &mut self,
        number: usize,
        block: &Block<Located>,
        inputs: &Option<LayerInputs<Located>>,
    ) {
        match (&block.input_branch, inputs) {
            (None, _) => {}
            (Some(branch), Some(inputs)) if const { M::OPS.layer_inputs } => {
                self.make_input(number, inputs);
                self.take_stream(&None, self.want(&[branch.gate]));
                self.project_hidden(self.model.n_layer_input(), &branch.gate);
                self.take_input(&inputs.norm, block.activation, self.want(&[branch.project]));
                self.project_branch(self.model.n_layer_input(), &branch.project);
                self.join(&branch.join);
            }
            (Some(_), _) => unreachable!("{LACKING}"),
        }
    }

    /// `own = x * W`, where `x` is the residual stream before the first layer and `W` has the rows of this layer
    fn make_input(&mut self, number: usize, inputs: &LayerInputs<Located>) {
        let embedded = std::mem::take(&mut self.rows.embedded);
        self.take_rows(embedded, &None, self.want(&[inputs.project]));
        self.rows.embedded = embedded;
        let (n, own) = (self.model.n_layer_input().size(), std::mem::take(&mut self.rows.own));
        let first = number * n / PANEL;
        let out = ColumnsMut::new(own, n);
        self.product_from(self.model.n_embd(), &inputs.project, first, out);
        self.rows.own = own;
    }

    /// `inputs = activation(hidden) * norm(own / sqrt(n_embd))`
    fn take_input(&mut self, norm: &Norm<Located>, activation: Activation, want: Want) {
        let (isa, n, norm) = (self.isa, self.model.n_layer_input(), self.norm(norm));
        let factor = 1.0 / (self.model.n_embd().size() as f32).sqrt();
        let per_part = self.rows_per_part();
        let part = per_part * n.size();
        let hidden = self.rows.hidden[..self.rows.range.len() * n.size()].chunks_mut(part);
        let rows = hidden.zip(self.rows.own.chunks_mut(part));
        let lengths = parts_of(self.rows.range.len(), per_part);
        let inputs = self.rows.inputs.parts(n.size(), want, lengths);
        self.team.for_each(rows.zip(inputs), |_, ((hidden, own), mut inputs)| {
            isa.vectorize(
                #[inline(always)]
                || {
                    let rows =
                        hidden.chunks_exact_mut(n.size()).zip(own.chunks_exact_mut(n.size()));
                    for (r, (hidden, own)) in rows.enumerate() {
                        scale(isa, n, own, factor);
                        norm.in_place::<I, M, _>(isa, n, own);
                        with_activation!(M, activation, |A| {
                            activate_times::<A, _>(isa, hidden, own)
                        });
                        inputs.set(isa, n, r, hidden);
                    }
                },
            );
        });
    }
}
