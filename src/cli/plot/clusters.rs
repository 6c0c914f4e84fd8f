//! Clusters of vectors, by spherical k-means, and names for them.

use std::collections::{HashMap, HashSet};

use monomorph_encoder::compare::Compare;
use monomorph_encoder::threads::Threads;
use unicode_segmentation::UnicodeSegmentation;

use super::Rows;
use super::products::for_each_row;

/// Starts that are tried; the best counts.
const BEGINNINGS: u64 = 4;
/// Most rounds of a start; nearly all settle within thirty.
const ROUNDS: usize = 60;
/// Words of a name.
const WORDS: usize = 3;

/// The name of each row's cluster: its number, from the largest on, and the words that set it apart.
pub fn names(rows: &Rows, k: usize, compare: &dyn Compare, threads: &Threads) -> Vec<String> {
    let k = k.min(rows.names.len());
    let tries = (0..BEGINNINGS).map(|seed| cluster(rows, k, seed, compare, threads));
    let best = tries.max_by(|(_, a), (_, b)| a.total_cmp(b));
    let (clusters, _) = best.unwrap_or_default();
    let mut sizes: Vec<(usize, usize)> = (0..k).map(|cluster| (0, cluster)).collect();
    clusters.iter().for_each(|cluster| sizes[*cluster].0 += 1);
    sizes.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    let words = words(&rows.texts, &clusters, k);
    let mut names = vec![String::new(); k];
    for (number, (_, cluster)) in sizes.into_iter().enumerate() {
        let words = words[cluster].join(", ");
        let between = if words.is_empty() { "" } else { ": " };
        names[cluster] = format!("{}{between}{words}", number + 1);
    }
    clusters.into_iter().map(|cluster| names[cluster].clone()).collect()
}

/// The cluster of each row, and the sum of the cosines with the centres.
fn cluster(
    rows: &Rows,
    k: usize,
    seed: u64,
    compare: &dyn Compare,
    threads: &Threads,
) -> (Vec<usize>, f64) {
    let mut centres = beginning(rows, k, seed, compare, threads);
    let (mut clusters, mut sum) = (Vec::new(), 0.0);
    for _ in 0..ROUNDS {
        let nearest = for_each_row(rows, &centres, compare, threads, |_, products| {
            let best = (0..k).max_by(|a, b| products[*a].total_cmp(&products[*b]));
            best.map(|best| (best, products[best]))
        });
        let (found, cosines): (Vec<usize>, Vec<f32>) = nearest.into_iter().flatten().unzip();
        sum = cosines.into_iter().map(f64::from).sum();
        if found == clusters {
            break;
        }
        clusters = found;
        move_centres(rows, &clusters, &mut centres);
    }
    (clusters, sum)
}

/// Rows as the first centres, each drawn with a chance that grows with its distance from those before (k-means++).
fn beginning(
    rows: &Rows,
    k: usize,
    seed: u64,
    compare: &dyn Compare,
    threads: &Threads,
) -> Vec<f32> {
    let (d, mut random) = (rows.dimensions, Random(seed));
    let mut distances = vec![1.0_f64; rows.names.len()];
    let mut centres: Vec<f32> = Vec::new();
    for _ in 0..k {
        let mut point = random.next() * distances.iter().sum::<f64>();
        let drawn = distances.iter().position(|distance| {
            point -= distance;
            point < 0.0
        });
        let drawn = drawn.unwrap_or(0) * d;
        let centre = &rows.vectors[drawn..drawn + d];
        centres.extend_from_slice(centre);
        let products = for_each_row(rows, centre, compare, threads, |_, products| products[0]);
        for (distance, product) in distances.iter_mut().zip(products) {
            *distance = distance.min((1.0 - f64::from(product)).max(0.0));
        }
    }
    centres
}

/// Moves each centre into the direction of its rows' mean. One without rows, or whose rows cancel out, stays.
fn move_centres(rows: &Rows, clusters: &[usize], centres: &mut [f32]) {
    let d = rows.dimensions;
    let mut sums = vec![0.0_f64; centres.len()];
    for (row, cluster) in rows.vectors.chunks_exact(d).zip(clusters) {
        let sum = &mut sums[cluster * d..(cluster + 1) * d];
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    for (centre, sum) in centres.chunks_exact_mut(d).zip(sums.chunks_exact(d)) {
        let norm = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm > 1e-9 {
            centre.iter_mut().zip(sum).for_each(|(x, sum)| *x = (sum / norm) as f32);
        }
    }
}

/// The words of each cluster with the highest c-TF-IDF (Grootendorst, *BERTopic*): frequent in its texts, and rare in
/// those of others.
fn words(texts: &[String], clusters: &[usize], k: usize) -> Vec<Vec<String>> {
    let (mut inside, mut overall) = (vec![HashMap::<String, f64>::new(); k], HashMap::new());
    for (text, cluster) in texts.iter().zip(clusters) {
        let text = text.to_lowercase();
        let words: HashSet<&str> = text.unicode_words().filter(|word| is_telling(word)).collect();
        for word in words {
            *inside[*cluster].entry(word.to_owned()).or_default() += 1.0;
            *overall.entry(word.to_owned()).or_insert(0.0) += 1.0;
        }
    }
    let average = overall.values().sum::<f64>() / k.max(1) as f64;
    let mut best = Vec::new();
    for inside in inside {
        let value = |word: &String, count: f64| count * (1.0 + average / overall[word]).ln();
        let mut words: Vec<(f64, String)> =
            inside.into_iter().map(|(word, count)| (value(&word, count), word)).collect();
        words.sort_by(|(a, first), (b, second)| b.total_cmp(a).then_with(|| first.cmp(second)));
        best.push(words.into_iter().take(WORDS).map(|(_, word)| word).collect());
    }
    best
}

/// Neither a number nor one of the short words that every text has. Words of three letters or fewer count only in
/// scripts of three bytes a letter, such as Chinese.
fn is_telling(word: &str) -> bool {
    let letters = word.chars().count();
    word.chars().all(char::is_alphabetic) && (letters > 3 || word.len() > 2 * letters)
}

/// SplitMix64 (Steele et al., 2014), seeded: the same map each time.
struct Random(u64);

impl Random {
    /// From 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
