//! From token rows to one vector per text: output norm, pooling, dense heads.

use crate::Pass;
use crate::dim::Dyn;
use crate::inputs::Want;
use crate::kernels::columns::ColumnsMut;
use crate::kernels::matmul::matmul;
use crate::kernels::{lanes, lanes_mut};
use crate::layer::lock;
use crate::model::Model;
use crate::norm::NormView;
use crate::parts::part_sizes;
use crate::weights::Located;
use monomorph_quant::AnyType;
use monomorph_simd::{Isa, PANEL};
use monomorph_spec::{Linear, Norm, Pooling};

impl<I: Isa, M: Model> Pass<'_, I, M> {
    /// `pooled = mean (or largest, or first, or last) of norm(x)` over each text's tokens.
    pub(crate) fn pool(&mut self, norm: &Option<Norm<Located>>, pooled: &mut [f32]) {
        let (isa, n, spec) = (self.isa, self.model.n_embd(), self.model.spec());
        let d = spec.n_embd;
        let norm = norm.as_ref().map(|norm| NormView::new(spec.norm, self.weights, norm));
        let mut rest = &mut *self.rows.x;
        let rows = self.all.texts.iter().map(|text| crate::inputs::take(&mut rest, text.len * d));
        let pooled = pooled.chunks_exact_mut(d);
        self.team.for_each(rows.zip(pooled), |_, (rows, pooled)| {
            let len = rows.len() / d;
            let chosen = match spec.pooling {
                Pooling::Mean | Pooling::Max => rows,
                Pooling::Cls => &mut rows[..d],
                Pooling::Last => &mut rows[(len - 1) * d..],
            };
            isa.vectorize(
                #[inline(always)]
                || {
                    if let Some(norm) = norm {
                        for row in chosen.chunks_exact_mut(d) {
                            norm.in_place::<I, M, _>(isa, n, row);
                        }
                    }
                    if spec.pooling == Pooling::Max {
                        return largest(isa, chosen, pooled);
                    }
                    let count = chosen.len() / d;
                    pooled.fill(0.0);
                    for row in chosen.chunks_exact(d) {
                        for (sum, x) in lanes_mut(pooled).iter_mut().zip(lanes(row)) {
                            isa.store(isa.add(isa.load(sum), isa.load(x)), sum);
                        }
                    }
                    let share = isa.splat(1.0 / count as f32);
                    for sum in lanes_mut(pooled) {
                        isa.store(isa.mul(isa.load(sum), share), sum);
                    }
                },
            );
        });
    }

    /// `out = norm(x)`, every token's row.
    pub(crate) fn norm_rows(&mut self, norm: &Option<Norm<Located>>, out: &mut [f32]) {
        let (isa, n, spec) = (self.isa, self.model.n_embd(), self.model.spec());
        let norm = norm.as_ref().map(|norm| NormView::new(spec.norm, self.weights, norm));
        out.copy_from_slice(&self.rows.x[..out.len()]);
        if let Some(norm) = norm {
            let rows = out.chunks_exact_mut(spec.n_embd);
            isa.vectorize(
                #[inline(always)]
                || rows.for_each(|row| norm.in_place::<I, M, _>(isa, n, row)),
            );
        }
    }

    /// Multiplies the pooled vectors by the dense heads and writes texts x n_out to `out`.
    pub(crate) fn dense_heads(
        &mut self,
        heads: &[Linear<Located>],
        pooled: &mut [Vec<f32>; 2],
        out: &mut [f32],
    ) {
        let (isa, m) = (self.isa, self.all.texts.len());
        let mut k = self.model.spec().n_embd;
        for head in heads {
            let weights = self.weights.matrix(*head);
            let want = Want::of_kinds(std::iter::once(weights.panel_kind()));
            let [from, to] = &mut *pooled;
            for mut inputs in self.rows.inputs.parts(k, want, std::iter::once(m)) {
                let rows = from.chunks_exact(k).take(m).enumerate();
                isa.vectorize(
                    #[inline(always)]
                    || rows.for_each(|(r, row)| inputs.set(isa, Dyn(k), r, row)),
                );
            }
            let n = head.weight.rows;
            let rows = self.rows.inputs.for_product(m, k, want);
            let scratch = self.scratch;
            let parts = ColumnsMut::new(&mut to[..m * n], n)
                .parts(part_sizes(n / PANEL, self.team.threads()));
            self.team.for_each(parts, |thread, (first, mut out)| {
                let panels = &mut lock(&scratch[thread]).panels;
                // Compiled for any type, as in the generic path, so that both share the code.
                matmul::<_, _, AnyType>(isa, Dyn(k), rows, weights, first, panels, &mut out);
            });
            pooled.swap(0, 1);
            k = n;
        }
        out.copy_from_slice(&pooled[0][..m * k]);
    }
}

/// The largest value of all rows, for each column. NaN in a row becomes NaN in the result, as it does in a mean.
#[inline(always)]
fn largest<I: Isa>(isa: I, rows: &[f32], pooled: &mut [f32]) {
    let columns = pooled.len();
    for (i, most) in lanes_mut(pooled).iter_mut().enumerate() {
        let column = || rows.chunks_exact(columns).map(|row| isa.load(&lanes(row)[i]));
        let largest = column().reduce(|most, x| isa.max(most, x));
        // `x - x` is 0, or NaN for what is not finite: the maximum of NaN and a number may be either.
        let broken = column().fold(isa.splat(0.0), |sum, x| isa.add(sum, isa.sub(x, x)));
        isa.store(isa.add(largest.unwrap_or(broken), broken), most);
    }
}
