//! How values are separated and quoted.

use std::fmt;

use clap::{Args, ValueEnum};

/// The arguments for csv and tsv.
#[derive(Args, Clone, Debug, Default)]
pub struct DialectArgs {
    /// What separates the values of csv: one character, or `tab` [default: what a line sep=C says, else a comma]
    #[arg(long, value_name = "C", value_parser = delimiter)]
    delimiter: Option<u8>,

    /// Whether quotes enclose values of csv and tsv [default: double, but an error where that is doubtful]
    #[arg(long, value_name = "HOW")]
    quote: Option<Quote>,

    /// The first line of csv or tsv is a record; the columns are named 1, 2 and so on
    #[arg(long)]
    no_header: bool,
}

/// What quotes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Quote {
    /// Double quotes enclose values, and are doubled inside them
    Double,
    /// Quotes are characters like any other
    None,
}

/// How a file is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    pub delimiter: u8,
    pub has_quotes: bool,
    /// Whether a quoted value may go over several lines: in tsv only where quotes were asked for, because most of what
    /// writes tsv does not quote.
    pub spans_lines: bool,
    pub has_names: bool,
    /// Whether the delimiter was asked for.
    pub is_told: bool,
}

impl DialectArgs {
    /// The dialect of a format that separates values by `delimiter` if nothing else is asked for.
    pub fn dialect(&self, delimiter: u8) -> Dialect {
        Dialect {
            delimiter: self.delimiter.unwrap_or(delimiter),
            has_quotes: self.quote != Some(Quote::None),
            spans_lines: delimiter != b'\t' || self.quote.is_some(),
            has_names: !self.no_header,
            is_told: self.delimiter.is_some(),
        }
    }

    /// The first of the options that was given.
    pub fn first_given(&self) -> Option<&'static str> {
        self.given().next().map(|(option, _)| option)
    }

    /// The options that were given, with their values.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, String)> {
        let all = [
            ("delimiter", self.delimiter.map(|byte| char::from(byte).to_string())),
            ("quote", self.quote.map(|quote| quote.to_string())),
            ("no-header", self.no_header.then(|| "true".to_owned())),
        ];
        all.into_iter().filter_map(|(option, value)| Some((option, value?)))
    }
}

impl fmt::Display for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Quote::Double => "double",
            Quote::None => "none",
        })
    }
}

fn delimiter(given: &str) -> Result<u8, String> {
    match given.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => Ok(*byte),
        _ => Err("give one ASCII character other than a quote, or `tab`".to_owned()),
    }
}
