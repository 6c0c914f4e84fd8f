//! What an input is, from its first bytes: no file is read as something that it is not.
//!
//! What is certain is taken as it is. What is doubtful, such as lines that look like a table, is an error that names the
//! option which says what they are.

use serde::de::IgnoredAny;

use super::format::TableFormat;
use super::lines::{BYTE_ORDER_MARK, utf16_hint};
use super::object;
use super::source::Source;
use crate::cli::failure::Failure;

/// How a command is told the format of its input.
#[derive(Clone, Copy)]
pub struct Told {
    /// By its option.
    pub asked: Option<TableFormat>,
    /// By the file's name.
    pub by_name: Option<TableFormat>,
    /// Whether the command has the option. Without it, doubtful lines are lines.
    pub has_option: bool,
    /// Whether the command reads a list of texts, not any table.
    pub is_for_texts: bool,
}

/// Files that are no table of texts: how they begin, what they are, and what to do.
const OTHERS: &[(&[u8], &str)] = &[
    (b"FEA1", "a Feather 1 file, which is not read; write it again as Parquet or Feather 2"),
    (b"\x93NUMPY", "a NumPy array: numbers, not texts"),
    (b"GGUF", "a GGUF model, not a table; --model takes models"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet; unpack it, or save the sheet as csv"),
    (b"BZh", "compressed with bzip2; pipe it in with bzcat FILE | monomorph ... --input -"),
    (b"\xFD7zXZ\0", "compressed with xz; pipe it in with xzcat FILE | monomorph ... --input -"),
    (b"SQLite format 3\0", "an SQLite database; export its table as csv or jsonl"),
    (b"%PDF-", "a PDF document; convert it to text, for example with pdftotext"),
    (b"ORC", "an ORC file, which is not read; write it again as Parquet"),
    (b"Obj\x01", "an Avro file, which is not read; write it again as Parquet"),
];

/// The same for files of text.
const OTHER_TEXTS: &[(&[u8], &str)] = &[
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the file itself; git lfs pull fetches that",
    ),
    (b"<!doctype html", "a web page, not a table; perhaps the download needs a login"),
    (b"<html", "a web page, not a table; perhaps the download needs a login"),
];

/// The format of an input; `column` is that of its texts.
pub fn format(source: &Source, told: Told, column: &str) -> Result<TableFormat, Failure> {
    match find(source, told, column)? {
        format if told.is_for_texts && !format.is_of_texts() => Err(Failure::Usage(format!(
            "--input {}: this command reads lines and jsonl; monomorph batch reads tables",
            source.name
        ))),
        format => Ok(format),
    }
}

fn find(source: &Source, told: Told, column: &str) -> Result<TableFormat, Failure> {
    let start = &source.start;
    let is_other = |what: &str| Failure::Failed(format!("{} is {what}", source.name));
    let certain = match &start[..] {
        [b'P', b'A', b'R', b'1', ..] => Some(TableFormat::Parquet),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] | [0xFF, 0xFF, 0xFF, 0xFF, ..] => {
            Some(TableFormat::Arrow)
        }
        _ => None,
    };
    // A text may begin with these letters, but has no zeros.
    let is_binary = start.contains(&0);
    if let Some(format) = certain.filter(|_| is_binary) {
        return match told.asked {
            Some(asked) if asked != format => Err(Failure::Usage(format!(
                "--input-format {}: {} is {}",
                asked.name(),
                source.name,
                format.name()
            ))),
            _ => Ok(format),
        };
    }
    if let Some((_, what)) = OTHERS.iter().find(|(signature, _)| start.starts_with(signature))
        && is_binary
    {
        return Err(is_other(what));
    }
    if let Some(hint) = utf16_hint(start) {
        return Err(Failure::Failed(format!("{}: not UTF-8{hint}", source.name)));
    }
    if let Some(asked) = told.asked {
        return Ok(asked);
    }
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start).trim_ascii_start();
    let begins = |signature: &[u8]| {
        text.get(..signature.len()).is_some_and(|start| start.eq_ignore_ascii_case(signature))
    };
    if let Some((_, what)) = OTHER_TEXTS.iter().find(|(signature, _)| begins(signature)) {
        return Err(is_other(what));
    }
    match (told.by_name, json(text)) {
        (None | Some(TableFormat::Lines), Some(TableFormat::Jsonl))
            if !begins_with_object(text) =>
        {
            Err(Failure::Usage(format!(
                "{} looks like json, but its first line is no object: --input-format says what it is, jsonl, json or lines",
                source.name
            )))
        }
        (None | Some(TableFormat::Lines | TableFormat::Json | TableFormat::Jsonl), Some(json)) => {
            Ok(json)
        }
        (None | Some(TableFormat::Lines), None) => match doubt(text, column) {
            Some(what) if told.has_option => {
                let name = what.split(' ').next().unwrap_or_default();
                let how = match told.is_for_texts && name != "json" {
                    true => "monomorph batch reads tables, and --input-format lines takes each line as a text".into(),
                    false => format!("--input-format says what it is, {name} or lines"),
                };
                Err(Failure::Usage(format!("{} looks like {what}: {how}", source.name)))
            }
            _ => Ok(TableFormat::Lines),
        },
        (Some(by_name), _) => Ok(by_name),
    }
}

/// Whether a text is JSON of objects: no line of prose begins so.
fn json(text: &[u8]) -> Option<TableFormat> {
    let rest = text.get(1..).unwrap_or_default().trim_ascii_start();
    match (text.first()?, rest.first()) {
        (b'{', None | Some(b'"' | b'}')) => Some(TableFormat::Jsonl),
        (b'[', Some(b'{')) => Some(TableFormat::Json),
        _ => None,
    }
}

/// Whether the first line is an object, as far as it is there.
fn begins_with_object(text: &[u8]) -> bool {
    let Some(end) = text.iter().position(|byte| *byte == b'\n') else { return true };
    std::str::from_utf8(&text[..end]).is_ok_and(|line| object::members(line).is_ok())
}

/// What lines may be instead, if they may.
fn doubt(text: &[u8], column: &str) -> Option<&'static str> {
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
    let is_array = first.starts_with(b"[") && serde_json::from_slice::<IgnoredAny>(first).is_ok();
    if is_array {
        return Some("json that is no array of objects");
    }
    [(b'\t', "tsv"), (b',', "csv"), (b';', "csv with semicolons"), (b'|', "csv with bars")]
        .into_iter()
        .find(|(delimiter, _)| is_table(text, *delimiter, column))
        .map(|(_, what)| what)
}

/// Whether lines look like a table: the first of them names the column, or all have as many delimiters as it, and it
/// consists of names.
fn is_table(text: &[u8], delimiter: u8, column: &str) -> bool {
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    // What follows the last line feed is empty, or a line that goes on.
    let (first, others) = match &lines[..] {
        [first, others @ .., _] => (*first, others),
        [first] => (*first, &[][..]),
        [] => return false,
    };
    let clean = |field: &[u8]| -> Option<String> {
        let field = field.trim_ascii();
        let unquoted = field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\""));
        String::from_utf8(unquoted.unwrap_or(field).trim_ascii().to_vec()).ok()
    };
    let split = |line: &[u8]| line.split(|byte| *byte == delimiter).count();
    let Some(names) = first.split(|byte| *byte == delimiter).map(clean).collect::<Option<Vec<_>>>()
    else {
        return false;
    };
    if names.len() < 2 {
        return false;
    }
    if names.iter().any(|name| name.eq_ignore_ascii_case(column)) {
        return true;
    }
    let even = others.iter().all(|line| split(line) == names.len());
    match delimiter {
        b'\t' => even && !others.is_empty(),
        _ => {
            let is_name = |name: &String| {
                let mut letters = name.chars();
                letters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
                    && letters.all(|c| c.is_alphanumeric() || "_-. ()".contains(c))
                    && name.len() <= 40
            };
            // Prose has a space after each comma.
            let is_tight = !first.windows(2).any(|pair| pair == [delimiter, b' ']);
            even && is_tight && others.len() >= 2 && names.iter().all(is_name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8], by_name: Option<TableFormat>) -> Result<TableFormat, String> {
        let reader = Box::new(std::io::Cursor::new(bytes.to_vec()));
        let source = Source::new(reader, "here".into()).unwrap();
        let told = Told { asked: None, by_name, has_option: true, is_for_texts: false };
        format(&source, told, "text").map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn prose_is_lines() {
        for text in [
            &b""[..],
            b"\n",
            b"Mars is red.\n",
            b"red, green\nblue, yellow\nblack, white\n",
            b"Mars, the red one, is near.\nVenus\nEarth\n",
            b"{curly} braces\n",
            b"[1] Smith, 2010\n",
            b"[[a link]]\n",
            b"\"Hello\", he said.\n",
            b"one\ttwo\nthree\n",
            b"PAR1 is a magic number\n",
            b"text\nmore\n",
            b"\0\n\x1b[31m\n\t\n",
        ] {
            assert_eq!(found(text, None), Ok(TableFormat::Lines), "{text:?}");
        }
    }

    #[test]
    fn json_is_no_prose() {
        for (text, format) in [
            (&b"{\"text\":\"a\"}\n"[..], TableFormat::Jsonl),
            (b"\xEF\xBB\xBF \n{ \"text\":\"a\"}", TableFormat::Jsonl),
            (b"[\n {\"text\":\"a\"}]", TableFormat::Json),
        ] {
            for by_name in [None, Some(TableFormat::Lines), Some(TableFormat::Json)] {
                assert_eq!(found(text, by_name), Ok(format), "{text:?}");
            }
        }
        for text in [&b"{\n \"text\": \"a\"\n}\n"[..], b"{\"a\", \"b\"} is a set.\n"] {
            let failure = found(text, None).unwrap_err();
            assert!(failure.contains("--input-format"), "{failure}");
            assert_eq!(found(text, Some(TableFormat::Jsonl)), Ok(TableFormat::Jsonl));
        }
        assert!(found(b"[\"a\", \"b\"]\n", None).unwrap_err().contains("--input-format"));
    }

    #[test]
    fn tables_are_doubtful_lines() {
        for (text, what) in [
            (&b"id,text\n1,a\n"[..], "csv"),
            (b"\xEF\xBB\xBF\"id\",\"Text\"\r\n1,a\r\n", "csv"),
            (b"id;text\n1;a\n", "csv with semicolons"),
            (b"question,answer\na,b\nc,d\n", "csv"),
            (b"1\ta b\n2\tc d\n", "tsv"),
            (b"text\tlabel", "tsv"),
        ] {
            let failure = found(text, None).unwrap_err();
            assert!(failure.contains(&format!("looks like {what}: ")), "{failure}");
            assert_eq!(found(text, Some(TableFormat::Csv)), Ok(TableFormat::Csv));
        }
    }
}
