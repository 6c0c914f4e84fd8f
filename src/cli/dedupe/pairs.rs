//! All pairs of a file's vectors whose cosine reaches a threshold.
//!
//! ```text
//! for a block of rows                          (as many as fit the memory)
//!     for a chunk of the rows from the block's first to the file's last
//!         float32 products of the block's rows with the chunk's; those that may reach the threshold, again in float64
//! ```
//! The file is read once for each block, so that memory is bounded by the block, not by the file. A cosine is decided in
//! float64: which pairs are found depends neither on the instruction set nor on blocks and threads.

use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

use monomorph_encoder::compare::{Compare, Panels, error_bound, padded, whole_panels};
use monomorph_encoder::threads::{Team, Threads};

use super::progress::Progress;
use super::shortened;
use crate::cli::failure::Failure;
use crate::cli::message;
use crate::cli::vectors::{Label, Next, Vectors};

/// Bytes of a block's vectors. The larger, the less often the file is read.
const BLOCK_BYTES: usize = 64 << 20;
/// Rows of a chunk. Its panels, 1.5 MB for vectors of 768, are read for each part of a block's rows.
const CHUNK_ROWS: usize = 512;
/// Rows of a block that a thread multiplies by a chunk at a time.
const PART_ROWS: usize = 96;

/// Opens the file once more, from its first row on.
pub type Open<'a> = &'a dyn Fn() -> Result<Box<dyn Vectors>, Failure>;

/// Two rows, the earlier first, and their cosine.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    pub rows: [u64; 2],
    pub cosine: f64,
    pub labels: [&'a Label; 2],
}

pub struct Search<'a> {
    compare: Box<dyn Compare>,
    threads: Threads,
    threshold: f64,
    open: Open<'a>,
    path: &'a Path,
    /// Whether pairs need the rows' labels.
    is_labelled: bool,
    block_bytes: usize,
    /// Values per vector, once one has been read.
    k: usize,
    progress: Progress,
}

/// Rows of the file that have vectors.
#[derive(Default)]
struct Rows {
    rows: Vec<u64>,
    labels: Vec<Label>,
    /// Each vector, scaled by a power of two to a length from 1 to 2: no product overflows, and no bit changes.
    vectors: Vec<f32>,
    /// The squares of the scaled vectors' lengths.
    squares: Vec<f64>,
}

/// What was found in the file, besides pairs.
#[derive(Default)]
pub struct Seen {
    pub rows: u64,
    /// Rows without a vector, or with one that lacks values.
    pub passed_over: u64,
}

impl<'a> Search<'a> {
    pub fn new(
        path: &'a Path,
        open: Open<'a>,
        threshold: f64,
        compare: Box<dyn Compare>,
        threads: Threads,
        is_labelled: bool,
    ) -> Search<'a> {
        let block_bytes = BLOCK_BYTES;
        // Pairs with labels are printed as they are found.
        let progress = Progress::new(is_labelled);
        Search { compare, threads, threshold, open, path, is_labelled, block_bytes, k: 0, progress }
    }

    /// Calls `found` with every pair. `is_wanted` says, before the cosine is computed, whether a pair is still needed.
    pub fn run(
        &mut self,
        is_wanted: impl Fn([u64; 2]) -> bool,
        mut found: impl FnMut(Pair<'_>) -> Result<(), Failure>,
    ) -> Result<Seen, Failure> {
        let mut seen = Seen::default();
        let mut begin = 0;
        loop {
            let mut reader = Reader { vectors: (self.open)()?, row: 0, passed_over: 0 };
            reader.skip_to(begin)?;
            let block = self.read(&mut reader, None)?;
            let next = reader.row;
            for first in (0..block.len()).step_by(CHUNK_ROWS) {
                let end = (first + CHUNK_ROWS).min(block.len());
                let (before, chunk) = (block.part(0..end), block.part(first..end));
                self.compare(before, chunk, &is_wanted, &mut found)?;
            }
            loop {
                let chunk = self.read(&mut reader, Some(CHUNK_ROWS))?;
                if chunk.len() == 0 {
                    break;
                }
                self.compare(block.all(), chunk.all(), &is_wanted, &mut found)?;
                let rows = Some(seen.rows).filter(|_| begin > 0);
                self.progress.update([begin, next, reader.row], rows);
            }
            if begin == 0 {
                seen = Seen { rows: reader.row, passed_over: reader.passed_over };
            } else if reader.row != seen.rows {
                return Err(Failure::Failed(format!(
                    "{}: had {} at first and has {} now; it must not change while it is compared",
                    self.path.display(),
                    message::counted(seen.rows, "row"),
                    reader.row
                )));
            }
            self.progress.update([begin, next, reader.row], Some(seen.rows));
            if next >= seen.rows {
                self.progress.clear();
                return Ok(seen);
            }
            begin = next;
        }
    }

    /// The next rows that have vectors, at most so many, or as many as a block may have.
    fn read(&mut self, reader: &mut Reader, most: Option<usize>) -> Result<Rows, Failure> {
        let mut rows = Rows::default();
        let mut vector = Vec::new();
        while let Some(row) = reader.next(&mut vector)? {
            if self.k == 0 {
                self.k = vector.len();
            }
            if vector.len() != self.k || self.k == 0 {
                let (name, row) = (self.path.display(), row);
                return Err(Failure::Failed(match self.k {
                    0 => format!("{name}: its first vector is empty"),
                    k => format!(
                        "{name}, row {row} (from 0): {}, but the first vector has {k}",
                        message::counted(vector.len() as u64, "value")
                    ),
                }));
            }
            let label = || shortened(reader.vectors.label());
            rows.push(row, if self.is_labelled { label() } else { Label::default() }, &vector);
            let width = padded(self.k);
            if rows.len() >= most.unwrap_or((self.block_bytes / 4 / width).max(1)) {
                break;
            }
        }
        Ok(rows)
    }

    /// Finds the pairs of a row of `left` and a later row of `right`.
    fn compare(
        &self,
        left: Part<'_>,
        right: Part<'_>,
        is_wanted: &impl Fn([u64; 2]) -> bool,
        found: &mut impl FnMut(Pair<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let width = padded(self.k);
        let mut vectors = right.vectors.to_vec();
        vectors.resize(whole_panels(right.len()) * width, 0.0);
        let panels = self.compare.panels(width, &vectors);
        let near = self.threads.enter(|team| self.near(team, left, right, &panels));
        for [a, b] in near.into_iter().map(|places| places.map(|i| i as usize)) {
            let rows = [left.rows[a], right.rows[b]];
            if !is_wanted(rows) {
                continue;
            }
            let product =
                dot(&left.vectors[a * width..][..width], &right.vectors[b * width..][..width]);
            // The root of a square is exact, so equal vectors have a cosine of exactly 1.
            let cosine = product / (left.squares[a] * right.squares[b]).sqrt();
            if cosine >= self.threshold {
                let labels = [&left.labels[a], &right.labels[b]];
                found(Pair { rows, cosine, labels })?;
            }
        }
        Ok(())
    }

    /// Pairs of places whose float32 product may mean a cosine that reaches the threshold, in order.
    fn near(&self, team: &Team, left: Part<'_>, right: Part<'_>, panels: &Panels) -> Vec<[u32; 2]> {
        let width = padded(self.k);
        let least = self.threshold - error_bound(self.k);
        let inverses: Vec<f32> = right.squares.iter().map(|s| s.sqrt().recip() as f32).collect();
        let columns = whole_panels(right.len());
        let outs: Vec<Mutex<Vec<f32>>> = (0..team.threads()).map(|_| Mutex::default()).collect();
        let near = Mutex::new(Vec::new());
        team.for_each((0..left.len()).step_by(PART_ROWS), |thread, begin| {
            let end = (begin + PART_ROWS).min(left.len());
            let Ok(mut out) = outs[thread].lock() else { return };
            self.compare.products(
                width,
                &left.vectors[begin * width..end * width],
                panels,
                &mut out,
            );
            let mut here = Vec::new();
            for (a, products) in (begin..end).zip(out.chunks_exact(columns)) {
                let least = (least * left.squares[a].sqrt()) as f32;
                let products = &products[..inverses.len()];
                let reaches = |(product, inverse): (&f32, &f32)| product * inverse >= least;
                // Without a branch for each product: most rows have none.
                if products.iter().zip(&inverses).fold(false, |any, pair| any | reaches(pair)) {
                    let pairs = products.iter().zip(&inverses).enumerate();
                    here.extend(
                        pairs.filter(|(_, pair)| reaches(*pair)).map(|(b, _)| [a as u32, b as u32]),
                    );
                }
            }
            here.retain(|[a, b]| left.rows[*a as usize] < right.rows[*b as usize]);
            if let Ok(mut near) = near.lock() {
                near.append(&mut here);
            }
        });
        let mut near = near.into_inner().unwrap_or_default();
        near.sort_unstable();
        near
    }
}

/// Some neighbouring rows.
#[derive(Clone, Copy)]
struct Part<'a> {
    rows: &'a [u64],
    labels: &'a [Label],
    vectors: &'a [f32],
    squares: &'a [f64],
}

impl Part<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }
}

impl Rows {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn all(&self) -> Part<'_> {
        self.part(0..self.len())
    }

    fn part(&self, of: Range<usize>) -> Part<'_> {
        let width = self.vectors.len() / self.len().max(1);
        Part {
            rows: &self.rows[of.clone()],
            labels: &self.labels[of.clone()],
            vectors: &self.vectors[of.start * width..of.end * width],
            squares: &self.squares[of],
        }
    }

    /// Adds a row with a finite vector. A vector of zeros has a square of infinity, so that all its cosines are zero.
    fn push(&mut self, row: u64, label: Label, vector: &[f32]) {
        let square: f64 = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        // The length is below 2^e, and at least 2^(e - 1).
        let scale = if square > 0.0 { (-square.sqrt().log2().floor()).exp2() } else { 1.0 };
        let begin = self.vectors.len();
        self.vectors.extend(vector.iter().map(|x| (f64::from(*x) * scale) as f32));
        self.vectors.resize(begin + padded(vector.len()), 0.0);
        let scaled = &self.vectors[begin..];
        let square = dot(scaled, scaled);
        self.rows.push(row);
        self.labels.push(label);
        self.squares.push(if square > 0.0 { square } else { f64::INFINITY });
    }
}

/// Reads a file of vectors and counts its rows.
struct Reader {
    vectors: Box<dyn Vectors>,
    /// Rows that have been read.
    row: u64,
    passed_over: u64,
}

impl Reader {
    /// The number of the next row with a finite vector, which it reads.
    fn next(&mut self, vector: &mut Vec<f32>) -> Result<Option<u64>, Failure> {
        loop {
            match self.vectors.next(vector)? {
                Next::End => return Ok(None),
                Next::Vector if vector.iter().all(|x| x.is_finite()) => {
                    self.row += 1;
                    return Ok(Some(self.row - 1));
                }
                Next::Vector | Next::Null => {
                    self.row += 1;
                    self.passed_over += 1;
                }
            }
        }
    }

    /// Reads up to a row.
    fn skip_to(&mut self, row: u64) -> Result<(), Failure> {
        let mut vector = Vec::new();
        while self.row < row && self.vectors.next(&mut vector)? != Next::End {
            self.row += 1;
        }
        Ok(())
    }
}

/// The product in float64, always in the same order. Eight partial sums, so that additions need not wait for each other.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0; 8];
    // Vectors are padded to whole blocks, so nothing is left over.
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for i in 0..8 {
            sums[i] += f64::from(a[i]) * f64::from(b[i]);
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::records::Id;
    use monomorph_encoder::compare::compare;
    use monomorph_testing::Random;

    /// Rows in memory; `None` is a row without a vector.
    struct Made {
        rows: Vec<Option<Vec<f32>>>,
        at: usize,
    }

    impl Vectors for Made {
        fn next(&mut self, vector: &mut Vec<f32>) -> Result<Next, Failure> {
            let Some(row) = self.rows.get(self.at) else { return Ok(Next::End) };
            self.at += 1;
            let Some(values) = row else { return Ok(Next::Null) };
            vector.clone_from(values);
            Ok(Next::Vector)
        }

        fn label(&self) -> Label {
            Label { id: Some(Id::Unsigned(self.at as u64 - 1)), ..Label::default() }
        }
    }

    /// Vectors of very different lengths, each of which is near another; zeros, and rows without a vector.
    fn rows(n: usize, k: usize) -> Vec<Option<Vec<f32>>> {
        let mut random = Random(n as u64);
        let mut rows: Vec<Option<Vec<f32>>> = Vec::new();
        for i in 0..n {
            let mut noise = |most: usize| random.below(2 * most + 1) as f32 - most as f32;
            let row = match rows.get(i / 2).filter(|_| i % 3 > 0) {
                Some(Some(near)) => near.iter().map(|x| 3.0 * x + noise(300) / 1000.0).collect(),
                _ => (0..k).map(|_| noise(1000) / 300.0).collect::<Vec<f32>>(),
            };
            let size = [1.0, 1e-30, 1e25, 7.0][i % 4];
            rows.push(Some(row));
            if i % 50 == 49 {
                rows[i] = if i % 100 == 99 { None } else { Some(vec![0.0; k]) };
            } else if i % 10 == 9 {
                rows[i].iter_mut().flatten().for_each(|x| *x *= size);
            }
        }
        rows
    }

    fn expected(rows: &[Option<Vec<f32>>], threshold: f64) -> Vec<[u64; 2]> {
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let mut pairs = Vec::new();
        for (i, a) in rows.iter().enumerate() {
            for (j, b) in rows.iter().enumerate().skip(i + 1) {
                let (Some(a), Some(b)) = (a, b) else { continue };
                if dot(a, b) >= threshold * (dot(a, a) * dot(b, b)).sqrt() && dot(a, b) > 0.0 {
                    pairs.push([i as u64, j as u64]);
                }
            }
        }
        pairs
    }

    #[test]
    fn pairs_are_those_of_plain_loops() {
        for (n, k) in [(1, 5), (2, 3), (700, 20), (1100, 96)] {
            let rows = rows(n, k);
            let open = || -> Result<Box<dyn Vectors>, Failure> {
                Ok(Box::new(Made { rows: rows.clone(), at: 0 }))
            };
            for threshold in [0.3, 0.97] {
                let want = expected(&rows, threshold);
                assert!(n < 700 || (want.len() > 50 && want.len() < n * n / 8), "{}", want.len());
                for isa in monomorph_simd::available() {
                    // Blocks of one row, of some, of all.
                    for (block_rows, threads) in [(97, 1), (512, 3), (5000, 2)] {
                        let compare = compare(isa).expect("this CPU has it");
                        let threads = Threads::new(threads).expect("threads");
                        let path = Path::new("made");
                        let mut search =
                            Search::new(path, &open, threshold, compare, threads, true);
                        search.block_bytes = block_rows * 4 * padded(k);
                        let mut got = Vec::new();
                        let seen = search.run(
                            |_| true,
                            |pair| {
                                let ids = pair.rows.map(|row| Some(Id::Unsigned(row)));
                                assert_eq!(pair.labels.map(|label| label.id.clone()), ids);
                                got.push(pair.rows);
                                Ok(())
                            },
                        );
                        let Ok(seen) = seen else { panic!("it can be read") };
                        let nulls = rows.iter().filter(|row| row.is_none()).count();
                        assert_eq!((seen.rows, seen.passed_over), (n as u64, nulls as u64));
                        got.sort_unstable();
                        assert!(got == want, "{isa}, {n} x {k}, {threshold}, {block_rows}");
                    }
                }
            }
        }
    }

    #[test]
    fn equal_directions_have_a_cosine_of_one() {
        let mut random = Random(1);
        let row: Vec<f32> = (0..100).map(|_| random.below(1000) as f32 / 7.0).collect();
        let twice = row.iter().map(|x| 2.0 * x).collect();
        let rows = vec![Some(row.clone()), Some(twice), Some(row)];
        let open = || -> Result<Box<dyn Vectors>, Failure> {
            Ok(Box::new(Made { rows: rows.clone(), at: 0 }))
        };
        let compare = compare("scalar").expect("it runs everywhere");
        let threads = Threads::new(1).expect("threads");
        let mut search = Search::new(Path::new("made"), &open, 1.0, compare, threads, false);
        let mut found = 0;
        let done = search.run(
            |_| true,
            |pair| {
                assert_eq!(pair.cosine, 1.0);
                found += 1;
                Ok(())
            },
        );
        assert!(done.is_ok() && found == 3, "{found}");
    }
}
