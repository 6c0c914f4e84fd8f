//! What JavaScript asks for: options, which are strings `name=value`, and texts.
//!
//! A request begins with the number of options and the number of texts, and the length of each in bytes. These are
//! 32-bit integers; then come the strings themselves, in UTF-8.

use monomorph::{EmbedOptions, Embedder, OpenOptions};
use std::fmt::Display;
use std::str::FromStr;

/// A request, read.
#[derive(Default)]
pub struct Request<'a> {
    /// Names and values.
    pub options: Vec<(&'a str, &'a str)>,
    /// The texts.
    pub texts: Vec<&'a str>,
}

impl<'a> Request<'a> {
    /// Reads a request.
    pub fn read(bytes: &'a [u8]) -> Result<Request<'a>, String> {
        Request::parse(bytes).ok_or_else(|| {
            "malformed request: monomorph.js and monomorph.wasm are of different builds".to_owned()
        })
    }

    fn parse(bytes: &'a [u8]) -> Option<Request<'a>> {
        if bytes.is_empty() {
            return Some(Request::default());
        }
        let number = |at: usize| {
            let bytes = bytes.get(4 * at..4 * at + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
        };
        let (n_options, n_texts) = (number(0)?, number(1)?);
        let count = n_options.checked_add(n_texts)?;
        let mut rest = bytes.get(4 * count.checked_add(2)?..)?;
        let mut strings = Vec::new();
        for i in 0..count {
            strings.push(std::str::from_utf8(rest.split_off(..number(2 + i)?)?).ok()?);
        }
        let texts = strings.split_off(n_options);
        let options = strings.into_iter().map(|option| option.split_once('='));
        Some(Request { options: options.collect::<Option<_>>()?, texts })
    }

    /// How to open a model.
    pub fn open_options(&self) -> Result<OpenOptions, String> {
        let mut options = Embedder::options().threads(1).keep_panels(true);
        for &(name, value) in &self.options {
            options = match name {
                "isa" => options.isa(value),
                "keepPanels" => options.keep_panels(parsed(name, value)?),
                _ => return Err(unknown(name)),
            };
        }
        Ok(options)
    }

    /// How to embed the texts.
    pub fn embed_options(&self, embedder: &Embedder) -> Result<EmbedOptions, String> {
        let mut options = EmbedOptions::default();
        for &(name, value) in &self.options {
            match name {
                "prompt" => {
                    let prompt = embedder.prompt(value).map_err(|error| error.to_string())?;
                    options.prompt = Some(prompt);
                }
                "prefix" => options.prefix = Some(value.to_owned()),
                "dimensions" => options.dimensions = Some(parsed(name, value)?),
                "normalize" => options.normalize = parsed(name, value)?,
                "truncate" => options.truncate = parsed(name, value)?,
                "unicode" => options.unicode = parsed(name, value)?,
                _ => return Err(unknown(name)),
            }
        }
        Ok(options)
    }
}

fn parsed<T: FromStr<Err: Display>>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("option {name}: {value:?}: {error}"))
}

fn unknown(name: &str) -> String {
    format!("unknown option {name:?}")
}
