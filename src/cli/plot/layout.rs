//! Positions in two dimensions: principal components, and t-SNE that begins with them.

use bhtsne::{Neighbor, tSNE};
use monomorph_encoder::compare::Compare;
use monomorph_encoder::threads::Threads;

use super::Rows;
use super::products::for_each_row;
use crate::cli::failure::Failure;

/// Rounds of the iteration for the principal components. Their directions settle long before; exact ones need not be.
const ROUNDS: usize = 40;
/// The accuracy of Barnes-Hut, and the rounds of t-SNE: the values of scikit-learn.
const THETA: f32 = 0.5;
const EPOCHS: usize = 1000;
/// The standard deviation of the positions that t-SNE begins with.
const BEGIN: f32 = 1e-4;
/// Vectors of length one that deviate less from each other are the same but for rounding.
const SAME: f32 = 1e-6;

/// The positions of the rows: by t-SNE if there is a perplexity, by principal components otherwise.
pub fn places(
    rows: &Rows,
    perplexity: Option<usize>,
    compare: &dyn Compare,
    threads: &Threads,
) -> Result<Vec<[f32; 2]>, Failure> {
    let n = rows.names.len();
    let components = components(rows);
    // t-SNE looks at three times as many neighbours.
    let perplexity = perplexity.map(|perplexity| perplexity.min(n.saturating_sub(1) / 3));
    let Some(perplexity) = perplexity.filter(|perplexity| *perplexity >= 2) else {
        return Ok(components);
    };
    let squares: f32 = components.iter().map(|[x, _]| x * x).sum();
    let deviation = (squares / n as f32).sqrt();
    // Rows that do not differ have no neighbours that are nearer than others.
    if deviation < SAME {
        return Ok(components);
    }
    let neighbors = neighbors(rows, 3 * perplexity, compare, threads);
    let scale = BEGIN / deviation;
    let begin: Vec<f32> = components.iter().flatten().map(|x| x * scale).collect();
    let samples: Vec<u32> = (0..n as u32).collect();
    let mut tsne: tSNE<'_, f32, u32, 2> = tSNE::new(&samples);
    tsne.perplexity(perplexity as f32)
        .epochs(EPOCHS)
        .learning_rate((n as f32 / 12.0).max(50.0))
        .initial_embedding(begin)
        .barnes_hut_with_neighbors(THETA, &neighbors);
    let places: Vec<[f32; 2]> = tsne.embedding().as_chunks().0.to_vec();
    match places.iter().flatten().all(|x| x.is_finite()) {
        true => Ok(places),
        false => Err(Failure::Failed("t-SNE found no positions; --method pca does".into())),
    }
}

/// The coordinates of the rows in the two directions in which they differ most, by orthogonal iteration.
fn components(rows: &Rows) -> Vec<[f32; 2]> {
    let (n, d) = (rows.names.len(), rows.dimensions);
    let mut mean = vec![0.0_f64; d];
    for row in rows.vectors.chunks_exact(d) {
        mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += f64::from(*x) / n as f64);
    }
    // Any directions that are not orthogonal to those that are sought.
    let mut directions = [1.0, 2.0].map(|seed: f64| -> Vec<f64> {
        (0..d).map(|i| (seed * (i as f64 + 1.0) * 12.9898).sin()).collect()
    });
    let centred = |row: &[f32], direction: &[f64]| -> f64 {
        let values = row.iter().zip(&mean).zip(direction);
        values.map(|((x, mean), y)| (f64::from(*x) - mean) * y).sum()
    };
    for _ in 0..ROUNDS {
        orthonormalize(&mut directions);
        let mut next = [vec![0.0; d], vec![0.0; d]];
        for row in rows.vectors.chunks_exact(d) {
            for (next, direction) in next.iter_mut().zip(&directions) {
                let along = centred(row, direction);
                let values = next.iter_mut().zip(row).zip(&mean);
                values.for_each(|((next, x), mean)| *next += along * (f64::from(*x) - mean));
            }
        }
        directions = next;
    }
    orthonormalize(&mut directions);
    let [first, second] = &directions;
    let rows = rows.vectors.chunks_exact(d);
    rows.map(|row| [centred(row, first) as f32, centred(row, second) as f32]).collect()
}

/// Gram and Schmidt. A direction of length zero stays so: all rows lie on a line, or are the same.
fn orthonormalize([first, second]: &mut [Vec<f64>; 2]) {
    let scale = |vector: &mut Vec<f64>| {
        let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|x| *x = if norm > 1e-12 { *x / norm } else { 0.0 });
    };
    scale(first);
    let along: f64 = first.iter().zip(second.iter()).map(|(a, b)| a * b).sum();
    second.iter_mut().zip(first.iter()).for_each(|(b, a)| *b -= along * a);
    scale(second);
}

/// The nearest rows of each row, by comparing all.
fn neighbors(
    rows: &Rows,
    k: usize,
    compare: &dyn Compare,
    threads: &Threads,
) -> Vec<Vec<Neighbor<f32>>> {
    for_each_row(rows, &rows.vectors, compare, threads, |row, products| nearest(row, products, k))
}

/// The rows with the largest products, but for the row itself.
fn nearest(row: usize, products: &[f32], k: usize) -> Vec<Neighbor<f32>> {
    let mut order: Vec<usize> = (0..products.len()).filter(|other| *other != row).collect();
    let nearer = |a: &usize, b: &usize| products[*b].total_cmp(&products[*a]).then(a.cmp(b));
    let k = k.min(order.len());
    if k < order.len() {
        order.select_nth_unstable_by(k, nearer);
        order.truncate(k);
    }
    order.sort_unstable_by(nearer);
    // The distance of two vectors of length one.
    let distance = |product: f32| (2.0 - 2.0 * product).max(0.0).sqrt();
    let neighbor = |index: usize| Neighbor { index, distance: distance(products[index]) };
    order.into_iter().map(neighbor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use monomorph_testing::Random;

    /// Three groups of vectors around three directions.
    fn grouped(n: usize, d: usize) -> Rows {
        let mut random = Random(5);
        let mut rows = Rows { dimensions: d, ..Rows::default() };
        for i in 0..n {
            let mut row: Vec<f32> =
                (0..d).map(|_| 0.02 * (random.below(201) as f32 - 100.0) / 100.0).collect();
            row[i % 3] += 1.0;
            let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            rows.vectors.extend(row.iter().map(|x| x / norm));
            rows.names.push(i.to_string());
        }
        rows
    }

    #[test]
    fn groups_lie_apart() {
        let rows = grouped(120, 40);
        let name = monomorph_simd::preferred();
        let compare = monomorph_encoder::compare::compare(&name).unwrap();
        let threads = Threads::new(2).unwrap();
        for perplexity in [None, Some(10)] {
            let places = places(&rows, perplexity, compare.as_ref(), &threads).unwrap();
            let distance = |a: usize, b: usize| {
                let [x, y] = [0, 1].map(|i| places[a][i] - places[b][i]);
                (x * x + y * y).sqrt()
            };
            for a in 0..120 {
                let others = (0..120).filter(|b| *b != a);
                let nearest = others.min_by(|b, c| distance(a, *b).total_cmp(&distance(a, *c)));
                assert_eq!(nearest.unwrap() % 3, a % 3, "{perplexity:?}");
            }
        }
        // Fewer rows than t-SNE needs, and rows that do not differ.
        for (n, d) in [(1, 4), (2, 4), (5, 4), (30, 1)] {
            let places = places(&grouped(n, d.max(3)), Some(30), compare.as_ref(), &threads);
            assert_eq!(places.unwrap().len(), n);
        }
        let same = Rows {
            dimensions: 2,
            vectors: [0.6, 0.8].repeat(20),
            names: vec![String::new(); 20],
            ..Rows::default()
        };
        assert_eq!(places(&same, Some(5), compare.as_ref(), &threads).unwrap().len(), 20);
    }
}
