//! A line's JSON object, cut into its keys and the text of their values.
//!
//! A value is judged when somebody wants it: what Python and JavaScript write beside the texts, such as NaN, numbers that
//! no double holds or half a surrogate pair, ends no run.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::Value;

/// A key and the text of its value.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    key: &'a str,
    pub value: Raw<'a>,
}

/// The text of a value, and where it begins in its line.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    pub text: &'a str,
    at: usize,
}

/// The members of an object, in their order.
pub fn members(line: &str) -> Result<Vec<Member<'_>>, String> {
    let mut scanner = Scanner { line, at: 0 };
    scanner.skip_space();
    if scanner.peek() != Some(b'{') {
        return Err(match serde_json::from_str::<Value>(line) {
            Ok(other) => format!("{}, not an object", kind(&other)),
            Err(_) => not_json(scanner.at, "expected value"),
        });
    }
    scanner.at += 1;
    let mut members = Vec::new();
    scanner.skip_space();
    if scanner.peek() == Some(b'}') {
        scanner.at += 1;
        return scanner.end().map(|()| members);
    }
    loop {
        scanner.skip_space();
        if scanner.peek() != Some(b'"') {
            return Err(scanner.fault("expected a key in quotes"));
        }
        let key = scanner.string()?;
        scanner.skip_space();
        if scanner.next() != Some(b':') {
            return Err(scanner.fault_before("expected `:`"));
        }
        scanner.skip_space();
        members.push(Member { key, value: scanner.value()? });
        scanner.skip_space();
        match scanner.next() {
            Some(b',') => {}
            Some(b'}') => return scanner.end().map(|()| members),
            _ => return Err(scanner.fault_before("expected `,` or `}`")),
        }
    }
}

impl<'a> Member<'a> {
    /// The key, its escapes resolved.
    pub fn key(&self) -> Cow<'a, str> {
        let inner = &self.key[1..self.key.len() - 1];
        if inner.contains('\\') { Cow::Owned(lossy(self.key)) } else { Cow::Borrowed(inner) }
    }
}

impl<'a> Raw<'a> {
    /// Where it is in its line.
    pub fn range(self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }

    /// The value as JSON; the error says what is wrong with it.
    pub fn parse(self) -> Result<Value, String> {
        serde_json::from_str(self.text).map_err(|error| {
            if let (Some(half), true) = (half_pair(self.text), self.text.starts_with('"')) {
                let what =
                    "half of a surrogate pair, such as the rest of an emoji that was cut in two";
                return not_json(self.at + half, what);
            }
            let message = error.to_string();
            let reason =
                message.rsplit_once(" at line ").map_or(&message[..], |(reason, _)| reason);
            not_json(self.at + error.column().saturating_sub(1), reason)
        })
    }
}

/// The string at `raw` in a line, made of the line's own memory; none if it is no valid string.
pub fn taken(line: String, raw: Range<usize>) -> Option<String> {
    let mut bytes = line.into_bytes();
    bytes.truncate(raw.end.checked_sub(1)?);
    bytes.drain(..raw.start + 1);
    let (mut from, mut to) = (0, 0);
    while from < bytes.len() {
        let byte = bytes[from];
        if byte < 0x20 {
            return None;
        }
        if byte != b'\\' {
            bytes[to] = byte;
            (from, to) = (from + 1, to + 1);
            continue;
        }
        // What an escape stands for is never longer than the escape; two are read for a pair of surrogates.
        let end = escape_end(&bytes, from)?;
        let escape = std::str::from_utf8(&bytes[from..end]).ok()?;
        let letter: String = serde_json::from_str(&format!("\"{escape}\"")).ok()?;
        bytes[to..to + letter.len()].copy_from_slice(letter.as_bytes());
        (from, to) = (end, to + letter.len());
    }
    bytes.truncate(to);
    String::from_utf8(bytes).ok()
}

/// Where the escape ends that begins here, with that of its pair if it is the first half of one.
fn escape_end(bytes: &[u8], begin: usize) -> Option<usize> {
    if bytes.get(begin + 1)? != &b'u' {
        return Some(begin + 2);
    }
    let digits = std::str::from_utf8(bytes.get(begin + 2..begin + 6)?).ok()?;
    let unit = u16::from_str_radix(digits, 16).ok()?;
    let end = begin + if (0xD800..0xDC00).contains(&unit) { 12 } else { 6 };
    (end <= bytes.len()).then_some(end)
}

/// A string of JSON, with U+FFFD for half of a surrogate pair; the text itself where it is no string.
pub fn lossy(raw: &str) -> String {
    let mut text = raw.to_owned();
    while let Some(half) = half_pair(&text) {
        text.replace_range(half..half + 6, "\\ufffd");
    }
    serde_json::from_str(&text).unwrap_or(text)
}

/// Where in a string of JSON the first escape of a surrogate is that lacks the other.
fn half_pair(raw: &str) -> Option<usize> {
    let unit = |at: usize| {
        let digits = raw.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let bytes = raw.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let high = 0xD800..=0xDBFF;
        let low = 0xDC00..=0xDFFF;
        match (bytes[at], unit(at)) {
            (b'\\', Some(found)) if high.contains(&found) => match unit(at + 6) {
                Some(next) if low.contains(&next) => at += 12,
                _ => return Some(at),
            },
            (b'\\', Some(found)) if low.contains(&found) => return Some(at),
            (b'\\', _) => at += 2,
            _ => at += 1,
        }
    }
    None
}

fn not_json(at: usize, reason: &str) -> String {
    format!("not valid JSON at column {}: {reason}", at + 1)
}

/// What a value is, with its article.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

struct Scanner<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let next = self.peek();
        self.at += 1;
        next
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| b" \t\r\n".contains(&byte)) {
            self.at += 1;
        }
    }

    /// The line must be over.
    fn end(mut self) -> Result<(), String> {
        self.skip_space();
        match self.peek() {
            None => Ok(()),
            Some(_) => {
                Err(self.fault("more follows the object; each object has a line of its own"))
            }
        }
    }

    /// A string, with its quotes.
    fn string(&mut self) -> Result<&'a str, String> {
        let begin = self.at;
        self.at += 1;
        loop {
            match self.next() {
                Some(b'"') => return Ok(&self.line[begin..self.at]),
                Some(b'\\') => self.at += 1,
                Some(_) => {}
                None => return Err(self.fault("")),
            }
        }
    }

    /// A value of any kind, however deep: brackets are counted, not followed.
    fn value(&mut self) -> Result<Raw<'a>, String> {
        let begin = self.at;
        let mut open = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => drop(self.string()?),
                Some(bracket @ (b'{' | b'[')) => {
                    open.push(bracket + 2);
                    self.at += 1;
                }
                Some(bracket @ (b'}' | b']')) if open.last() == Some(&bracket) => {
                    open.pop();
                    self.at += 1;
                }
                Some(b',' | b':') if !open.is_empty() => self.at += 1,
                Some(_) => self.word()?,
                None => return Err(self.fault("")),
            }
            if open.is_empty() {
                return Ok(Raw { text: &self.line[begin..self.at], at: begin });
            }
            self.skip_space();
        }
    }

    /// A number, or one of the words of JSON, Python and JavaScript.
    fn word(&mut self) -> Result<(), String> {
        let rest = &self.line[self.at..];
        let is_part = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let word = &rest[..length];
        let known = ["true", "false", "null", "NaN", "Infinity", "-Infinity"];
        if !known.contains(&word) && serde_json::from_str::<IgnoredAny>(word).is_err() {
            return Err(self.fault("expected value"));
        }
        self.at += length;
        Ok(())
    }

    /// What is wrong at this place.
    fn fault(&self, reason: &str) -> String {
        match self.at >= self.line.len() {
            true => not_json(
                self.line.len(),
                "the line ends inside the object; each object has a line of its own",
            ),
            false => not_json(self.at, reason),
        }
    }

    /// What is wrong with the byte that was read last.
    fn fault_before(&mut self, reason: &str) -> String {
        self.at -= 1;
        self.fault(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(line: &str) -> Vec<(String, &str)> {
        let members = members(line).unwrap_or_else(|reason| panic!("{line}: {reason}"));
        members.iter().map(|member| (member.key().into_owned(), member.value.text)).collect()
    }

    #[test]
    fn objects_are_cut_into_members() {
        assert_eq!(cut("{}"), []);
        assert_eq!(cut(" { } "), []);
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let line = format!(
            r#"{{"a" : "x\"}}", "b\u0041":[1,{{"c":"]"}} , null],"n":NaN,"i":-Infinity,"e":1e999,"d":{deep}}}"#
        );
        let expected = [
            ("a", r#""x\"}""#),
            ("bA", r#"[1,{"c":"]"} , null]"#),
            ("n", "NaN"),
            ("i", "-Infinity"),
            ("e", "1e999"),
            ("d", &deep),
        ];
        assert_eq!(cut(&line), expected.map(|(key, value)| (key.to_owned(), value)));
    }

    #[test]
    fn faults_have_a_column() {
        for (line, reason) in [
            ("plain", "column 1: expected value"),
            ("[1]", "an array, not an object"),
            ("\"a\"", "a string, not an object"),
            ("{", "column 2: the line ends inside the object"),
            ("{\"a\":\"b", "the line ends inside the object"),
            ("{\"a\":[1,2", "the line ends inside the object"),
            ("{\"a\" 1}", "column 6: expected `:`"),
            ("{\"a\":1 \"b\":2}", "column 8: expected `,` or `}`"),
            ("{\"a\":01}", "column 6: expected value"),
            ("{\"a\":nul}", "column 6: expected value"),
            ("{\"a\":[1}", "column 8: expected value"),
            ("{\"a\":1,}", "column 8: expected a key"),
            ("{\"a\":1} {\"a\":2}", "column 9: more follows"),
            ("{\"a\\", "the line ends inside the object"),
        ] {
            let found = members(line).unwrap_err();
            assert!(found.contains(reason), "{line}: {found}");
        }
    }

    #[test]
    fn strings_are_taken_from_their_line() {
        for (raw, text) in [
            (r#""""#, Some("")),
            (r#""plain \u00e9""#, Some("plain \u{e9}")),
            (r#""a\n\\\"\u0041\ud83d\ude00\/z""#, Some("a\n\\\"A\u{1F600}/z")),
            (r#""\ud83d""#, None),
            (r#""\ud83d\n12345""#, None),
            (r#""\x""#, None),
            (r#""\u12""#, None),
            ("\"a\tb\"", None),
        ] {
            let line = format!("{{\"k\":{raw},\"l\":1}}");
            assert_eq!(taken(line, 5..5 + raw.len()).as_deref(), text, "{raw}");
            let parsed = serde_json::from_str::<String>(raw).ok();
            assert_eq!(parsed.as_deref(), text, "{raw}");
        }
    }

    #[test]
    fn halves_of_pairs_are_found_and_replaced() {
        for (raw, half, text) in [
            (r#""a""#, None, "a"),
            (r#""\ud83d\ude00""#, None, "\u{1F600}"),
            (r#""cut \ud83d""#, Some(5), "cut \u{FFFD}"),
            (r#""\ude00\\ud83d""#, Some(1), "\u{FFFD}\\ud83d"),
            (r#""\ud83d\n\ud83dx""#, Some(1), "\u{FFFD}\n\u{FFFD}x"),
        ] {
            assert_eq!(half_pair(raw), half, "{raw}");
            assert_eq!(lossy(raw), text, "{raw}");
        }
    }
}
