//! All vectors of a file against the queries' vectors, on several threads where the file can be read in parts.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::thread;

use monomorph::cosine;

use super::hits::{Best, Hit};
use crate::cli::failure::Failure;
use crate::cli::message;
use crate::cli::vectors::{Block, Part, Vectors};

/// What was found.
pub struct Found {
    /// The best hits of each query, best first.
    pub hits: Vec<Vec<Hit>>,
    /// Rows, and those without a vector or with one that lacks values.
    pub rows: u64,
    passed_over: u64,
}

/// Compares all vectors. `queries` makes those of the queries, once it is known how many values they must have.
pub fn nearest(
    name: &str,
    mut parts: Vec<Part<'_>>,
    top: usize,
    queries: impl FnOnce(usize) -> Result<Vec<Vec<f32>>, Failure>,
) -> Result<Found, Failure> {
    let mut found = Found { hits: Vec::new(), rows: 0, passed_over: 0 };
    // Up to the first vector of all.
    let mut block = Block::default();
    let mut first = parts.remove(0);
    loop {
        if !first.vectors.next_block(&mut block)? {
            if parts.is_empty() {
                return Ok(found);
            }
            first = parts.remove(0);
        } else if block.has_vector.contains(&true) {
            break;
        } else {
            found.rows += block.has_vector.len() as u64;
            found.passed_over += block.has_vector.len() as u64;
        }
    }
    let queries = queries(block.dimensions)?;
    let (begin, dimensions) = (found.rows, block.dimensions);
    let scan = |begin: u64| {
        let mut scan = Scan { name, queries: &queries, dimensions, row: begin, found: Vec::new() };
        scan.found = queries.iter().map(|_| Best::new(top)).collect();
        scan
    };
    let done = thread::scope(|scope| {
        let others: Vec<_> = parts
            .into_iter()
            .map(|part| {
                let (mut scan, mut vectors) = (scan(part.first), part.vectors);
                scope.spawn(move || {
                    scan.run(vectors.as_mut(), Block::default()).map(|passed| (scan, passed))
                })
            })
            .collect();
        let (mut own, mut vectors) = (scan(begin), first.vectors);
        let passed = own.see(vectors.as_ref(), &block)? + own.run(vectors.as_mut(), block)?;
        let mut done = vec![(own, passed)];
        for other in others {
            let panicked = || Failure::Failed("a thread of the search panicked".to_owned());
            done.push(other.join().map_err(|_| panicked())??);
        }
        Ok::<_, Failure>(done)
    })?;
    found.hits = queries.iter().map(|_| Vec::new()).collect();
    for (scan, passed_over) in done {
        found.rows = found.rows.max(scan.row);
        found.passed_over += passed_over;
        for (all, best) in found.hits.iter_mut().zip(scan.found) {
            all.extend(best.hits);
        }
    }
    found.hits.iter_mut().for_each(|hits| sort(hits, top));
    Ok(found)
}

/// Gives hits the scores of other vectors for the same rows, and keeps the best.
pub fn rescored(
    name: &str,
    mut vectors: Box<dyn Vectors + Send>,
    top: usize,
    found: &mut Found,
    queries: impl FnOnce(usize) -> Result<Vec<Vec<f32>>, Failure>,
) -> Result<(), Failure> {
    let mut wanted: BTreeMap<u64, Vec<(usize, usize)>> = BTreeMap::new();
    for (query, hits) in found.hits.iter().enumerate() {
        for (place, hit) in hits.iter().enumerate() {
            wanted.entry(hit.row).or_default().push((query, place));
        }
    }
    let (mut block, mut row, mut asked) = (Block::default(), 0, Vec::new());
    let mut queries = Some(queries);
    while vectors.next_block(&mut block)? {
        let mut values = block.values.chunks_exact(block.dimensions.max(1));
        for has_vector in &block.has_vector {
            let vector = if *has_vector { values.next() } else { None };
            for (query, place) in wanted.remove(&row).unwrap_or_default() {
                let vector = vector.ok_or_else(|| {
                    Failure::Failed(format!("{name}, row {row} (from 0): no vector"))
                })?;
                if let Some(queries) = queries.take() {
                    asked = queries(vector.len())?;
                }
                found.hits[query][place].score = cosine(&asked[query], vector);
            }
            row += 1;
        }
    }
    if row != found.rows {
        return Err(Failure::Failed(format!(
            "{name} has {}, but the vectors that were searched {}; --rescore takes the same rows in more digits",
            message::counted(row, "row"),
            found.rows
        )));
    }
    found.hits.iter_mut().for_each(|hits| sort(hits, top));
    Ok(())
}

/// The best first; of equal ones, the earlier row.
fn sort(hits: &mut Vec<Hit>, top: usize) {
    let order = |a: &Hit, b: &Hit| match b.score.total_cmp(&a.score) {
        Ordering::Equal => a.row.cmp(&b.row),
        order => order,
    };
    hits.sort_by(order);
    hits.truncate(top);
}

/// A thread's work.
struct Scan<'a> {
    name: &'a str,
    queries: &'a [Vec<f32>],
    dimensions: usize,
    /// The next row.
    row: u64,
    found: Vec<Best>,
}

impl Scan<'_> {
    /// Compares the rest of the vectors. Returns the number of rows passed over.
    fn run(&mut self, vectors: &mut dyn Vectors, mut block: Block) -> Result<u64, Failure> {
        let mut passed_over = 0;
        while vectors.next_block(&mut block)? {
            passed_over += self.see(vectors, &block)?;
        }
        Ok(passed_over)
    }

    fn see(&mut self, vectors: &dyn Vectors, block: &Block) -> Result<u64, Failure> {
        let mut passed_over = 0;
        let mut values = block.values.chunks_exact(block.dimensions.max(1));
        for (i, has_vector) in block.has_vector.iter().enumerate() {
            let row = self.row;
            self.row += 1;
            let Some(vector) = (if *has_vector { values.next() } else { None }) else {
                passed_over += 1;
                continue;
            };
            if vector.len() != self.dimensions {
                return Err(Failure::Failed(format!(
                    "{}, row {row} (from 0): {}, but the first vector has {}",
                    self.name,
                    message::counted(vector.len() as u64, "value"),
                    self.dimensions
                )));
            }
            let mut is_finite = None;
            for (query, best) in self.queries.iter().zip(&mut self.found) {
                let score = cosine(query, vector);
                // Only zero and NaN come of values that are not finite.
                if (score == 0.0 || score.is_nan())
                    && !*is_finite.get_or_insert_with(|| vector.iter().all(|x| x.is_finite()))
                {
                    break;
                }
                if best.takes(score) {
                    best.add(Hit { score, row, label: vectors.label_of(i) });
                }
            }
            passed_over += u64::from(is_finite == Some(false));
        }
        Ok(passed_over)
    }
}

impl Found {
    /// Says that there were rows without a vector, if there were.
    pub fn warn(&self, name: &str) {
        if self.passed_over > 0 {
            let rows = message::counted(self.passed_over, "row");
            message::warning(format_args!(
                "{name}: {rows} without a vector, or with one that lacks values, passed over"
            ));
        }
    }
}
