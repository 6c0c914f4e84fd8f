//! json: the list that OpenAI's embeddings endpoint answers, as one object on one line.

use std::io::{self, Write};

use serde::Serialize;

use monomorph::Values;

use super::destination::Destination;
use super::numbers::Numbers;
use super::{FormatWriter, Record, Summary};

/// Written piece by piece, so that memory does not grow with the number of vectors.
pub struct Json;

#[derive(Serialize)]
struct Item<'a> {
    object: &'static str,
    index: u64,
    embedding: Numbers<'a>,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

impl FormatWriter for Json {
    fn begin(&mut self, out: &mut Destination, _: &Summary) -> io::Result<()> {
        out.write_all(b"{\"object\":\"list\",\"data\":[")
    }

    fn record(
        &mut self,
        out: &mut Destination,
        record: Record<'_>,
        values: &Values,
    ) -> io::Result<()> {
        if record.index > 0 {
            out.write_all(b",")?;
        }
        let item = Item { object: "embedding", index: record.index, embedding: Numbers(values) };
        serde_json::to_writer(out, &item).map_err(io::Error::from)
    }

    fn end(&mut self, out: &mut Destination, summary: &Summary) -> io::Result<()> {
        out.write_all(b"],\"model\":")?;
        serde_json::to_writer(&mut *out, summary.model)?;
        out.write_all(b",\"usage\":")?;
        serde_json::to_writer(
            &mut *out,
            &Usage { prompt_tokens: summary.tokens, total_tokens: summary.tokens },
        )?;
        out.write_all(b"}\n")
    }
}
