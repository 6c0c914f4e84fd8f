//! A file as a record: its path, its title and its text.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::lines::{BYTE_ORDER_MARK, Fault, MAX_LINE_BYTES, utf16_hint};
use super::{Fields, Found, Id, Places, Row, TableReader, Wanted};
use crate::cli::chunk::{first_heading, header};
use crate::cli::failure::Failure;

/// The columns of documents, which all hold texts.
pub const COLUMNS: [&str; 3] = ["path", "title", "text"];

pub struct Document {
    path: PathBuf,
    places: Places,
    keep: bool,
    is_read: bool,
    bytes: u64,
}

impl Document {
    pub fn new(path: &Path, wanted: &Wanted) -> Result<Document, Failure> {
        let names = COLUMNS.map(str::to_owned);
        let places = wanted.places(&path.display().to_string(), &names, || None)?;
        // Most people's paths are ids, and no document has another.
        let id = places.id.or(Some(0));
        let places = Places { id, ..places };
        Ok(Document { path: path.to_owned(), places, keep: wanted.rest, is_read: false, bytes: 0 })
    }
}

impl TableReader for Document {
    fn next(&mut self) -> Result<Option<Fields>, Fault> {
        if self.is_read {
            return Ok(None);
        }
        self.is_read = true;
        let place = self.path.display().to_string();
        let text = match text(&self.path) {
            Ok(text) => text,
            Err(reason) => return Err(Fault::Record { place, reason }),
        };
        self.bytes = text.len() as u64;
        let title = title(&text, &self.path);
        let mut values = vec![place.clone(), title, text];
        let field = |at: usize| values[at].clone();
        let (id, title) = (self.places.id.map(field), self.places.title.map(field));
        let text = std::mem::take(&mut values[self.places.text]);
        Ok(Some(Fields {
            place,
            text,
            id: id.map_or(Found::None, |id| Found::Id(Id::String(id))),
            title,
            row: match self.keep {
                true => Row::Strings { values, gap: Some(self.places.text) },
                false => Row::None,
            },
        }))
    }

    fn position(&self) -> u64 {
        self.bytes
    }
}

/// The text of a file, without a byte order mark; the error says why there is none.
pub fn text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = File::open(path)
        .and_then(|file| file.take(MAX_LINE_BYTES as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() > MAX_LINE_BYTES {
        return Err(format!("longer than {} MiB", MAX_LINE_BYTES >> 20));
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    let hint = utf16_hint(&bytes).unwrap_or_default();
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("not valid UTF-8 at byte {} (0x{:02X}){hint}", at + 1, error.as_bytes()[at])
    })?;
    match text.contains('\0') {
        true => Err("not a text: it has bytes of zero".to_owned()),
        false => Ok(text),
    }
}

/// The title that a document gives itself, in a YAML header or by its first heading; else its file's name.
fn title(text: &str, path: &Path) -> String {
    let of_header = || {
        let mut lines = text[header(text)?].lines();
        let title = lines.find_map(|line| line.strip_prefix("title:"))?.trim();
        Some(title.trim_matches(['"', '\'']).to_owned()).filter(|title| !title.is_empty())
    };
    let of_heading = || first_heading(text).map(str::to_owned);
    let of_name = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    of_header().or_else(of_heading).unwrap_or_else(of_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_found() {
        let of = |text| title(text, Path::new("notes/2024.md"));
        assert_eq!(of("---\ntags: [a]\ntitle: \"On Mars\"\n---\n# Other\n"), "On Mars");
        assert_eq!(of("text\n\n## Dust storms ##\n"), "Dust storms");
        assert_eq!(of("text\n"), "2024");
    }
}
