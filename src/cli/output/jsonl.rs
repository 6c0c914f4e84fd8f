//! jsonl: one object a line, complete as soon as it is written.

use std::io::{self, Write};

use serde::Serialize;

use monomorph::Values;

use super::destination::Destination;
use super::numbers::Numbers;
use super::{FormatWriter, Record, Summary};
use crate::cli::records::{Chunk, Id, Row};

pub struct Jsonl;

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Id>,
    tokens: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<usize>,
    /// False if more than `dropped` tokens may have been cut; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped_is_exact: Option<bool>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    part: Option<Part<'a>>,
    embedding: Numbers<'a>,
}

/// A chunk, under the names of Parquet's columns.
#[derive(Serialize)]
struct Part<'a> {
    text: &'a str,
    chunk: u64,
    chunk_begin: u64,
    chunk_end: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    heading: Option<&'a str>,
}

impl<'a> Part<'a> {
    fn of(row: &'a Row) -> Option<Part<'a>> {
        let Row::Chunk { text, chunk: Chunk { number, bytes, heading }, .. } = row else {
            return None;
        };
        let ([chunk_begin, chunk_end], heading) = (*bytes, heading.as_deref());
        Some(Part { text, chunk: *number, chunk_begin, chunk_end, heading })
    }
}

impl FormatWriter for Jsonl {
    fn begin(&mut self, _: &mut Destination, _: &Summary) -> io::Result<()> {
        Ok(())
    }

    fn record(
        &mut self,
        out: &mut Destination,
        record: Record<'_>,
        values: &Values,
    ) -> io::Result<()> {
        let line = Line {
            id: record.id,
            tokens: record.tokens,
            dropped: (record.dropped > 0).then_some(record.dropped),
            dropped_is_exact: (record.dropped > 0 && !record.dropped_is_exact).then_some(false),
            part: Part::of(&record.row),
            embedding: Numbers(values),
        };
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")
    }

    fn end(&mut self, _: &mut Destination, _: &Summary) -> io::Result<()> {
        Ok(())
    }
}
