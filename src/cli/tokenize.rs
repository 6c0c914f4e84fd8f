//! `monomorph tokenize`: the token ids of texts, from the vocabulary in the binary. No model file is opened.

use std::io::{self, BufWriter, Write};

use clap::Args;
use monomorph::{Unicode, built};
use serde::Serialize;

use super::choice::choice;
use super::failure::Failure;
use super::input::InputArgs;
use super::model::note_default_model;
use super::records::Id;
use super::streams::stdout;

/// Print the token ids of texts, one JSON object per text: {"ids": [...]}
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  monomorph tokenize --pieces \"Hello world\"
  monomorph tokenize --input passages.jsonl | jq '.ids | length'")]
pub struct TokenizeArgs {
    #[command(flatten)]
    input: InputArgs,

    /// Add the pieces that the ids stand for
    #[arg(long)]
    pieces: bool,

    /// Cut to N tokens, as embed does at the end of the model's context [default: all tokens]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    limit: Option<u32>,

    /// Apply this Unicode normalisation form to each text before tokenizing it
    #[arg(long, value_name = "FORM", default_value = "none", value_parser = choice::<Unicode>())]
    unicode: Unicode,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Id>,
    ids: &'a [u32],
    #[serde(skip_serializing_if = "Option::is_none")]
    pieces: Option<Vec<String>>,
}

pub fn run(args: TokenizeArgs) -> Result<(), Failure> {
    let mut source = args.input.open()?;
    note_default_model();
    let tokenizer = built::tokenizer();
    // At most, each byte of the text becomes three tokens (a space is U+2581, three bytes); begin and end tokens are
    // added.
    let limit = |text: &str| args.limit.map_or(3 * text.len() + 5, |limit| limit as usize);
    let piece =
        |&id: &u32| String::from_utf8_lossy(tokenizer.piece(id).unwrap_or_default()).into_owned();

    let mut out = BufWriter::with_capacity(64 << 10, stdout());
    let failed = |error: io::Error| Failure::writing("standard output", &error);
    let mut chunk = Vec::new();
    loop {
        source.next_chunk(&mut chunk)?;
        if chunk.is_empty() {
            return out.flush().map_err(failed);
        }
        for text in &chunk {
            let prepared = args.unicode.apply(&text.text);
            let encoding = tokenizer.encode(&prepared, limit(&prepared));
            let pieces = args.pieces.then(|| encoding.ids.iter().map(piece).collect());
            let line = Line { id: text.id.as_ref(), ids: &encoding.ids, pieces };
            serde_json::to_writer(&mut out, &line).map_err(|error| failed(error.into()))?;
            out.write_all(b"\n").map_err(failed)?;
        }
        out.flush().map_err(failed)?;
    }
}
