//! Products of the rows with other vectors, on several threads.

use std::sync::Mutex;

use monomorph_encoder::compare::{Compare, padded, whole_panels};
use monomorph_encoder::threads::Threads;

use super::Rows;

/// Rows whose products with all others are computed together.
const PART_ROWS: usize = 96;

/// What `take` makes of each row's number and its products with the other vectors.
pub fn for_each_row<T: Send>(
    rows: &Rows,
    others: &[f32],
    compare: &dyn Compare,
    threads: &Threads,
    take: impl Fn(usize, &[f32]) -> T + Sync,
) -> Vec<T> {
    let (d, width) = (rows.dimensions, padded(rows.dimensions));
    let n = others.len() / d;
    let mut aligned = vec![0.0; whole_panels(n) * width];
    copy_padded(others, d, &mut aligned, width);
    let panels = compare.panels(width, &aligned);
    drop(aligned);
    let parts: Vec<&[f32]> = rows.vectors.chunks(PART_ROWS * d).collect();
    let taken: Vec<Mutex<Vec<T>>> = parts.iter().map(|_| Mutex::default()).collect();
    threads.enter(|team| {
        let scratch: Vec<Mutex<(Vec<f32>, Vec<f32>)>> =
            (0..team.threads()).map(|_| Mutex::default()).collect();
        team.for_each(0..parts.len(), |thread, part| {
            let (Ok(mut scratch), Ok(mut taken)) = (scratch[thread].lock(), taken[part].lock())
            else {
                return;
            };
            let (left, out) = &mut *scratch;
            left.clear();
            left.resize(parts[part].len() / d * width, 0.0);
            copy_padded(parts[part], d, left, width);
            compare.products(width, left, &panels, out);
            let products = out.chunks_exact(whole_panels(n)).zip(part * PART_ROWS..);
            taken.extend(products.map(|(products, row)| take(row, &products[..n])));
        });
    });
    taken.into_iter().flat_map(|taken| taken.into_inner().unwrap_or_default()).collect()
}

fn copy_padded(from: &[f32], d: usize, to: &mut [f32], width: usize) {
    for (to, row) in to.chunks_exact_mut(width).zip(from.chunks_exact(d)) {
        to[..d].copy_from_slice(row);
    }
}
