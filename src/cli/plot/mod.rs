//! `monomorph plot`: a map of vectors in two dimensions, as one file that a browser opens.

mod clusters;
mod layout;
mod page;
mod picture;
mod png;
mod products;
mod svg;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use monomorph_encoder::compare::compare;
use monomorph_encoder::threads::{Threads, default_threads};

use super::failure::Failure;
use super::message::{self, shortened};
use super::output::{self, Destination};
use super::precision::StoredArgs;
use super::vectors::{self, Next, Reading, Vectors, row_name};

/// Draw a map of vectors, on which texts that mean similar things are near each other
#[derive(Args, Debug)]
#[command(after_help = "\
The page is one file without links to others: it opens from a disk, without a network. It shows a text where the mouse
is, has a search box and a legend, and follows the browser's dark mode. An .svg or .png is the picture alone.

Positions are those of t-SNE (Barnes-Hut), which begins with the two principal components: near points are similar, but
distances between far ones, and directions, mean little. More vectors than --limit are thinned evenly.

Examples:
  monomorph batch --input notes/ --chunk 256 --output notes.parquet
  monomorph plot --in notes.parquet --output map.html --color path
  monomorph plot --in notes.parquet --output map.png --clusters 8
  monomorph plot --in vectors.npy --output map.svg --method pca")]
pub struct PlotArgs {
    /// Vectors to draw: an npy, Parquet or jsonl file that batch or embed wrote
    #[arg(long = "in", value_name = "VECTORS")]
    vectors: PathBuf,

    /// Write to FILE, whose extension says what: .html, .svg or .png
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// How positions are found
    #[arg(long, value_name = "METHOD", value_enum, default_value_t = Method::Tsne)]
    method: Method,

    /// Number of neighbours that t-SNE keeps near each point
    #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u32).range(2..=500))]
    perplexity: u32,

    /// Draw at most N vectors
    #[arg(long, value_name = "N", default_value = "20000", value_parser = clap::value_parser!(u32).range(1..=200_000))]
    limit: u32,

    /// Colour the points by the values of this column of a Parquet file: one for each of the most frequent
    #[arg(long, value_name = "NAME")]
    color: Option<String>,

    /// Colour the points by N clusters (k-means), each named by the words that set its texts apart
    #[arg(long, value_name = "N", conflicts_with = "color", value_parser = clap::value_parser!(u8).range(2..=MAX_GROUPS as i64))]
    clusters: Option<u8>,

    /// Title of the page [default: the name of the file]
    #[arg(long, value_name = "STR")]
    title: Option<String>,

    /// Column of the texts in a Parquet file [default: the one that the file names, else text]
    #[arg(long, value_name = "NAME")]
    column: Option<String>,

    /// Column of the vectors in a Parquet file
    #[arg(long, value_name = "NAME", default_value = "embedding")]
    embedding_column: String,

    #[command(flatten)]
    stored: StoredArgs,

    /// Number of threads [default: one per physical core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// How positions are found.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Method {
    /// Neighbours stay neighbours
    Tsne,
    /// The two directions in which the vectors differ most
    Pca,
}

/// What is drawn.
struct Map {
    title: String,
    points: Vec<Point>,
    /// The values that have a colour, the most frequent first.
    groups: Vec<String>,
}

struct Point {
    x: f32,
    y: f32,
    name: String,
    text: String,
    /// Index of its colour; none for all other values.
    group: Option<usize>,
}

/// The vectors that are drawn, each of length one, and what is shown of them.
#[derive(Default)]
struct Rows {
    dimensions: usize,
    vectors: Vec<f32>,
    names: Vec<String>,
    texts: Vec<String>,
    colors: Vec<Option<String>>,
}

/// Letters of a text that are shown.
const SHOWN_LETTERS: usize = 300;

/// Colours; the rest of the values share one.
const MAX_GROUPS: usize = 10;

pub fn run(args: &PlotArgs) -> Result<(), Failure> {
    let extension = args.output.extension().and_then(|extension| extension.to_str());
    let draw: fn(&Map) -> Result<Vec<u8>, Failure> =
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("html" | "htm") => |map| Ok(page::html(map).into_bytes()),
            Some("svg") => |map| Ok(svg::svg(map).into_bytes()),
            Some("png") => png::png,
            _ => {
                return Err(Failure::Usage(format!(
                    "--output {}: its extension says what to write, .html, .svg or .png",
                    args.output.display()
                )));
            }
        };
    let input = ("the file of vectors", args.vectors.as_path());
    output::must_be_none_of(Some(&args.output), [input])?;
    let mut rows = args.rows()?;
    if rows.names.is_empty() {
        return Err(Failure::Failed(format!("{} has no vectors to draw", args.vectors.display())));
    }
    let count = args.threads.map_or_else(default_threads, usize::from);
    let threads = Threads::new(count).map_err(monomorph::Error::Threads)?;
    let name = monomorph_simd::preferred();
    let compare = compare(&name).ok_or(monomorph::Error::Isa { name })?;
    let perplexity = (args.method == Method::Tsne).then_some(args.perplexity as usize);
    let places = layout::places(&rows, perplexity, compare.as_ref(), &threads)?;
    if let Some(k) = args.clusters {
        let names = clusters::names(&rows, usize::from(k), compare.as_ref(), &threads);
        rows.colors = names.into_iter().map(Some).collect();
    }
    let map = args.map(rows, places);
    let drawn = draw(&map)?;
    let mut destination = Destination::file(&args.output)?;
    std::io::Write::write_all(&mut destination, &drawn)
        .map_err(|error| Failure::writing(args.output.display(), &error))?;
    destination.finish()?;
    let points = message::counted(map.points.len() as u64, "point");
    message::line(format_args!("{points} in {}", args.output.display()));
    Ok(())
}

impl PlotArgs {
    /// Reads the vectors, every so many of them if they are more than are drawn.
    fn rows(&self) -> Result<Rows, Failure> {
        let (mut file, mut rows, mut vector) = (self.open()?, Rows::default(), Vec::new());
        let (mut row, mut passed_over, mut every) = (0, 0, 1);
        loop {
            match file.next(&mut vector)? {
                Next::End => break,
                Next::Vector if row % every != 0 => {}
                Next::Vector if vector.iter().all(|x| x.is_finite()) => {
                    self.keep(&mut rows, row, &vector, file.as_ref())?;
                    if rows.names.len() > self.limit as usize {
                        rows.thin();
                        every *= 2;
                    }
                }
                Next::Vector | Next::Null => passed_over += 1,
            }
            row += 1;
        }
        let name = self.vectors.display();
        if every > 1 {
            let drawn = rows.names.len();
            message::note(format_args!(
                "{name}: {drawn} of {row} vectors are drawn; --limit draws more"
            ));
        }
        if passed_over > 0 {
            let passed = message::counted(passed_over, "row");
            message::warning(format_args!(
                "{name}: {passed} without a vector, or with one that lacks values, passed over"
            ));
        }
        Ok(rows)
    }

    fn open(&self) -> Result<Box<dyn Vectors + Send>, Failure> {
        let reading = Reading {
            column: &self.embedding_column,
            text_column: self.column.as_deref(),
            color_column: self.color.as_deref(),
            told: self.stored.decode()?,
        };
        vectors::open(&self.vectors, &reading)
    }

    fn keep(
        &self,
        rows: &mut Rows,
        row: u64,
        vector: &[f32],
        file: &dyn Vectors,
    ) -> Result<(), Failure> {
        if rows.names.is_empty() {
            rows.dimensions = vector.len();
        }
        if vector.len() != rows.dimensions || vector.is_empty() {
            return Err(Failure::Failed(format!(
                "{}, row {row} (from 0): {}, but the first vector has {}",
                self.vectors.display(),
                message::counted(vector.len() as u64, "value"),
                rows.dimensions
            )));
        }
        let square: f64 = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        // A vector of zeros has no direction, and lies in the middle.
        let scale = if square > 0.0 { square.sqrt().recip() } else { 0.0 };
        rows.vectors.extend(vector.iter().map(|x| (f64::from(*x) * scale) as f32));
        let label = file.label();
        let name = row_name(row, label.id.as_ref());
        let heading = label.place.and_then(|place| place.heading);
        rows.names.push(heading.map_or(name.clone(), |heading| format!("{name}: {heading}")));
        let text = label.text.unwrap_or_default();
        rows.texts.push(shortened(&text, SHOWN_LETTERS).into_owned());
        rows.colors.push(label.color);
        Ok(())
    }

    fn map(&self, rows: Rows, places: Vec<[f32; 2]>) -> Map {
        let groups = groups(&rows.colors);
        let group =
            |color: &Option<String>| groups.iter().position(|group| Some(group) == color.as_ref());
        let points = places.iter().zip(rows.names).zip(rows.texts).zip(&rows.colors);
        let points = points.map(|((([x, y], name), text), color)| Point {
            x: *x,
            y: *y,
            name,
            text,
            group: group(color),
        });
        let points = points.collect();
        let file = || self.vectors.file_name().unwrap_or(self.vectors.as_os_str());
        let title = self.title.clone();
        let title = title.unwrap_or_else(|| Path::new(file()).display().to_string());
        Map { title, points, groups }
    }
}

impl Rows {
    /// Keeps every second row.
    fn thin(&mut self) {
        let (mut at, d) = (0, self.dimensions);
        while at < self.names.len().div_ceil(2) {
            self.vectors.copy_within(2 * at * d..(2 * at + 1) * d, at * d);
            self.names.swap(at, 2 * at);
            self.texts.swap(at, 2 * at);
            self.colors.swap(at, 2 * at);
            at += 1;
        }
        self.vectors.truncate(at * d);
        self.names.truncate(at);
        self.texts.truncate(at);
        self.colors.truncate(at);
    }
}

/// The most frequent values.
fn groups(colors: &[Option<String>]) -> Vec<String> {
    let mut counts = std::collections::BTreeMap::<&String, usize>::new();
    colors.iter().flatten().for_each(|color| *counts.entry(color).or_default() += 1);
    let mut counts: Vec<(&String, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.into_iter().take(MAX_GROUPS).map(|(color, _)| color.clone()).collect()
}
