//! A table of pairs: two texts a row.

use std::io::{BufWriter, Write};
use std::path::Path;

use monomorph::{EmbedOptions, Embedder, cosine};
use serde::Serialize;

use super::{SimilarityArgs, Texts, vectors};
use crate::cli::failure::Failure;
use crate::cli::message;
use crate::cli::records::{Entry, Id, Records};
use crate::cli::streams::stdout;
use crate::cli::vectors::row_name;

/// Pairs that are embedded together.
const CHUNK: usize = 256;

#[derive(Serialize)]
struct Line<'a> {
    score: f32,
    row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Id>,
    texts: [&'a str; 2],
}

/// Opens a table twice, once for each column.
pub fn open(args: &SimilarityArgs, path: &Path, with: &str) -> Result<[Records; 2], Failure> {
    if !path.is_file() {
        return Err(Failure::Usage(format!(
            "--input {}: pairs are read from a file, once for each of their columns",
            path.display()
        )));
    }
    Ok([args.table(path, &args.column)?, args.table(path, with)?.quiet()])
}

/// Prints the cosine of each pair.
pub fn run(
    mut tables: [Records; 2],
    embedder: &Embedder,
    options: &EmbedOptions,
    is_json: bool,
) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| Failure::writing("standard output", error);
    let mut out = BufWriter::new(stdout());
    loop {
        let mut pairs: Vec<[Entry; 2]> = Vec::new();
        let [first, second] = &mut tables;
        while pairs.len() < CHUNK {
            let (Some(a), Some(b)) = (first.next()?, second.next()?) else { break };
            pairs.push([a, b]);
        }
        if pairs.is_empty() {
            return out.flush().map_err(|error| failed(&error));
        }
        let of = |side: usize| Texts {
            texts: pairs.iter().map(|pair| pair[side].text.clone()).collect(),
            names: pairs.iter().map(|pair| pair[side].place.clone()).collect(),
        };
        let sides = [vectors(embedder, &of(0), options)?, vectors(embedder, &of(1), options)?];
        for (i, [a, b]) in pairs.iter().enumerate() {
            let score = cosine(&sides[0][i], &sides[1][i]);
            write(&mut out, is_json, score, [a, b]).map_err(|error| failed(&error))?;
        }
    }
}

fn write(
    out: &mut impl Write,
    is_json: bool,
    score: f32,
    [a, b]: [&Entry; 2],
) -> std::io::Result<()> {
    let id = a.id.as_ref();
    if is_json {
        let line = Line { score, row: a.index, id, texts: [&a.text, &b.text] };
        serde_json::to_writer(&mut *out, &line)?;
        return out.write_all(b"\n");
    }
    let [left, right] = [a, b].map(|entry| message::one_line(&entry.text, usize::MAX));
    writeln!(out, "{score:.4}\t{}\t{left}\t{right}", row_name(a.index, id))
}
