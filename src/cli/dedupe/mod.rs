//! `monomorph dedupe`: texts that say almost the same, by comparing all pairs of their vectors.

mod groups;
mod pairs;
mod progress;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use monomorph_encoder::compare::compare;
use monomorph_encoder::threads::{Threads, default_threads};
use serde::Serialize;

use super::failure::Failure;
use super::message;
use super::records::Id;
use super::streams::{Stdout, stdout};
use super::vectors::{self, Label, Next, Reading, Vectors, row_name};
use groups::Groups;
use pairs::{Search, Seen};

/// Find near-duplicates: texts whose vectors have a cosine of at least a threshold
#[derive(Args, Debug)]
#[command(after_help = "\
Rows form a group if they are duplicates of each other, or are linked by others that are; of each group, the first row
is kept. The search is exact: all pairs are compared, which takes four times as long for twice as many rows. The file is
read several times if it is large, so it cannot be a pipe. A row has the id that the file gives it, else its number,
from 0.

  --show groups    a line for each row of a group: the first row's id, the row's id and the beginning of its text
  --show pairs     a line for each pair: its cosine, both ids and the beginnings of both texts
  --show kept      the ids of the rows that remain if of each group only the first is kept
  --show dropped   the ids of the others

Examples:
  monomorph batch --input notes.jsonl --output notes.parquet
  monomorph dedupe --in notes.parquet --show pairs --threshold 0.9
  monomorph dedupe --in notes.parquet --show dropped > duplicates.txt")]
pub struct DedupeArgs {
    /// Vectors to compare: an npy, Parquet or jsonl file of float32, float16 or float64 values
    #[arg(long = "in", value_name = "VECTORS")]
    vectors: PathBuf,

    /// The least cosine of duplicates, above 0 and at most 1
    #[arg(long, value_name = "COSINE", default_value = "0.95", value_parser = threshold)]
    threshold: f64,

    /// What to print
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Show::Groups)]
    show: Show,

    /// Print one JSON object a line: {"group", "row", "id", "text"}, {"cosine", "rows", "ids", "texts"} or {"row", "id"}
    #[arg(long)]
    json: bool,

    /// Column of the texts in a Parquet file [default: the one that the file names, else text]
    #[arg(long, value_name = "NAME")]
    column: Option<String>,

    /// Column of the vectors in a Parquet file
    #[arg(long, value_name = "NAME", default_value = "embedding")]
    embedding_column: String,

    /// Number of threads [default: one per physical core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// What `dedupe` prints.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Show {
    Groups,
    Pairs,
    Kept,
    Dropped,
}

/// Letters of a text that are shown and held in memory.
const SHOWN_LETTERS: usize = 100;

fn threshold(given: &str) -> Result<f64, String> {
    let value: f64 = given.parse().map_err(|_| "not a number".to_owned())?;
    if value > 0.0 && value <= 1.0 {
        Ok(value)
    } else {
        Err("must be above 0 and at most 1".to_owned())
    }
}

pub fn run(args: &DedupeArgs) -> Result<(), Failure> {
    let is_other = fs::metadata(&args.vectors).is_ok_and(|found| !found.is_file());
    if is_other {
        return Err(Failure::Usage(format!(
            "--in {}: not a regular file; its vectors are read more than once",
            args.vectors.display()
        )));
    }
    let count = args.threads.map_or_else(default_threads, usize::from);
    let threads = Threads::new(count).map_err(monomorph::Error::Threads)?;
    let open = || args.open();
    let is_pairs = args.show == Show::Pairs;
    let name = monomorph_simd::preferred();
    let Some(compare) = compare(&name) else {
        return Err(monomorph::Error::Isa { name }.into());
    };
    let mut search = Search::new(&args.vectors, &open, args.threshold, compare, threads, is_pairs);
    let mut out = Lines { out: BufWriter::new(stdout()), is_json: args.json };
    let groups = RefCell::new(Groups::default());
    let seen = if is_pairs {
        search.run(|_| true, |pair| out.pair(&pair))?
    } else {
        let is_apart = |rows| groups.borrow_mut().are_apart(rows);
        search.run(is_apart, |pair| {
            groups.borrow_mut().join(pair.rows);
            Ok(())
        })?
    };
    if !is_pairs {
        args.show(&mut groups.into_inner(), &seen, &mut out)?;
    }
    out.finish()?;
    if seen.passed_over > 0 {
        let rows = message::counted(seen.passed_over, "row");
        message::warning(format_args!(
            "{}: {rows} without a vector, or with one that lacks values, passed over",
            args.vectors.display()
        ));
    }
    Ok(())
}

impl DedupeArgs {
    fn open(&self) -> Result<Box<dyn Vectors>, Failure> {
        let (column, text_column) = (self.embedding_column.as_str(), self.column.as_deref());
        Ok(vectors::open(
            &self.vectors,
            &Reading { column, text_column, color_column: None, told: None },
        )?)
    }

    /// Prints the groups, or the rows that are kept or dropped, with their labels.
    fn show(&self, groups: &mut Groups, seen: &Seen, out: &mut Lines) -> Result<(), Failure> {
        let mut members: BTreeMap<u64, u64> = BTreeMap::new();
        for row in 0..seen.rows {
            let first = groups.first_of(row);
            if first != row {
                *members.entry(first).or_default() += 1;
            }
        }
        let (mut vector, mut row) = (Vec::new(), 0);
        let mut vectors = self.open()?;
        let mut shown: BTreeMap<u64, Vec<(u64, Label)>> = BTreeMap::new();
        while vectors.next(&mut vector)? != Next::End {
            let first = groups.first_of(row);
            match self.show {
                Show::Groups if members.contains_key(&first) => {
                    shown.entry(first).or_default().push((row, shortened(vectors.label())));
                }
                Show::Kept if first == row => out.row(row, &vectors.label())?,
                Show::Dropped if first != row => out.row(row, &vectors.label())?,
                _ => {}
            }
            row += 1;
        }
        for group in shown.values() {
            out.group(group)?;
        }
        let dropped: u64 = members.values().sum();
        message::note(format_args!(
            "{}, {} of duplicates: {} to drop",
            message::counted(seen.rows, "row"),
            message::counted(members.len() as u64, "group"),
            message::counted(dropped, "row"),
        ));
        Ok(())
    }
}

/// The label with as much of its text as is shown, on one line.
fn shortened(label: Label) -> Label {
    let text = label.text.map(|text| message::shortened(&text, SHOWN_LETTERS).into_owned());
    Label { text, place: None, color: None, ..label }
}

/// The answer on standard output.
struct Lines {
    out: BufWriter<Stdout>,
    is_json: bool,
}

#[derive(Serialize)]
struct GroupLine<'a> {
    group: u64,
    row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

#[derive(Serialize)]
struct PairLine<'a> {
    cosine: f64,
    rows: [u64; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<[&'a Id; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    texts: Option<[&'a str; 2]>,
}

#[derive(Serialize)]
struct RowLine<'a> {
    row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Id>,
}

impl Lines {
    fn pair(&mut self, pair: &pairs::Pair<'_>) -> Result<(), Failure> {
        let [a, b] = pair.labels;
        if self.is_json {
            let ids = a.id.as_ref().zip(b.id.as_ref()).map(|(a, b)| [a, b]);
            let texts = a.text.as_deref().zip(b.text.as_deref()).map(|(a, b)| [a, b]);
            return self.json(&PairLine { cosine: pair.cosine, rows: pair.rows, ids, texts });
        }
        let [name_a, name_b] =
            [(0, a), (1, b)].map(|(i, label)| row_name(pair.rows[i], label.id.as_ref()));
        let texts = [a, b].map(|label| label.text.as_deref().unwrap_or_default());
        let cosine = pair.cosine;
        self.line(format_args!("{cosine:.4}\t{name_a}\t{name_b}"), &texts)
    }

    /// The rows of a group, the first row first.
    fn group(&mut self, rows: &[(u64, Label)]) -> Result<(), Failure> {
        let Some((first, first_label)) = rows.first() else { return Ok(()) };
        let first_name = row_name(*first, first_label.id.as_ref());
        for (row, label) in rows {
            let text = label.text.as_deref();
            if self.is_json {
                self.json(&GroupLine { group: *first, row: *row, id: label.id.as_ref(), text })?;
            } else {
                let name = row_name(*row, label.id.as_ref());
                self.line(format_args!("{first_name}\t{name}"), &[text.unwrap_or_default()])?;
            }
        }
        Ok(())
    }

    fn row(&mut self, row: u64, label: &Label) -> Result<(), Failure> {
        match self.is_json {
            true => self.json(&RowLine { row, id: label.id.as_ref() }),
            false => self.line(format_args!("{}", row_name(row, label.id.as_ref())), &[]),
        }
    }

    /// Fields, then texts, which stay on the line.
    fn line(&mut self, fields: std::fmt::Arguments<'_>, texts: &[&str]) -> Result<(), Failure> {
        let mut line = fields.to_string();
        for text in texts {
            line.push('\t');
            line.push_str(&message::one_line(text, usize::MAX));
        }
        writeln!(self.out, "{}", line.trim_end()).map_err(failed)
    }

    fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let json = serde_json::to_string(value).map_err(|e| Failure::Failed(e.to_string()))?;
        writeln!(self.out, "{json}").map_err(failed)
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.out.flush().map_err(failed)
    }
}

fn failed(error: std::io::Error) -> Failure {
    Failure::writing("standard output", &error)
}
