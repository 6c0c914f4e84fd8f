//! Token ids of the original tokenizer, for 4,000 texts in 43 languages, code, emoji and odd white space, and for 60
//! texts up to beyond the model's window. Gemma 3 has the same vocabulary, but its texts end without `<eos>`.
//!
//! Needs a build with MODEL_GGUF naming a file of EmbeddingGemma-300M or Gemma 3; prints a message if it was built
//! without one.

use std::fs;
use std::io::Write;
use std::path::Path;

use monomorph::built::{SOURCE, SPEC, tokenizer};
use serde::Deserialize;
use serde::de::DeserializeOwned;

const BOS: u32 = 2;

/// The token that ends this model's texts, if any.
const EOS: &[u32] = if SPEC.tokenizer.add_eos { &[1] } else { &[] };

/// Longest text of the model, in tokens.
const WINDOW: usize = 2048;

/// A text and its ids, each as three digits of base 64: 64^3 is the size of Gemma's vocabulary. Gemma's cases lack
/// `<bos>` and `<eos>`.
#[derive(Deserialize)]
pub struct Case(String, String);

/// A text with the number of its tokens in the model's window, and up to eight ids from either end.
#[derive(Deserialize)]
struct LongCase {
    text: String,
    n_tokens: usize,
    first_ids: Vec<u32>,
    last_ids: Vec<u32>,
}

#[test]
fn ids_are_those_of_the_original_tokenizer() {
    let Some(cases) = cases::<Case>("tokens.jsonl") else {
        return;
    };
    assert_eq!(cases.len(), 4000);
    for case in &cases {
        let got = tokenizer().encode(&case.0, usize::MAX);
        assert_eq!(got.ids, case.ids(), "{:?}", case.0);
        assert_eq!((got.dropped, got.dropped_is_exact), (0, true), "{:?}", case.0);
    }
}

/// Nothing before the limit depends on what comes after it.
#[test]
fn a_limit_keeps_the_first_ids() {
    let Some(cases) = cases::<Case>("tokens.jsonl") else {
        return;
    };
    for case in &cases {
        let ids = case.ids();
        for limit in [2, 3, 8, 9, (ids.len() - 1).max(2), ids.len()] {
            let got = tokenizer().encode(&case.0, limit);
            let left_out = ids.len().saturating_sub(limit);
            let kept = match left_out {
                0 => ids.clone(),
                _ => [&ids[..limit - EOS.len()], EOS].concat(),
            };
            assert_eq!(got.ids, kept, "{:?} to {limit}", case.0);
            let counted = if got.dropped_is_exact {
                got.dropped == left_out
            } else {
                got.dropped <= left_out
            };
            assert!(counted, "{:?} to {limit}: {} of {left_out}", case.0, got.dropped);
        }
    }
}

#[test]
fn long_texts_are_cut_as_the_original_does() {
    let Some(cases) = cases::<LongCase>("embeddings.jsonl") else {
        return;
    };
    assert_eq!(cases.len(), 60);
    for case in &cases {
        let got = tokenizer().encode(&case.text, WINDOW);
        // The original ends with `<eos>`. Without it, a text that was cut has a piece in its place.
        let n_pieces = case.n_tokens - 1;
        let cut = usize::from(got.dropped > 0 && EOS.is_empty());
        assert_eq!(got.ids.len(), n_pieces + cut + EOS.len(), "{:?}", case.text);
        assert!(got.ids.ends_with(EOS), "{:?}", case.text);
        let original = [&got.ids[..n_pieces], &[1]].concat();
        assert!(original.starts_with(&case.first_ids), "{:?}", case.text);
        assert!(original.ends_with(&case.last_ids), "{:?}", case.text);
    }
    assert!(cases.iter().any(|case| tokenizer().encode(&case.text, WINDOW).dropped > 0));
}

impl Case {
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The ids that the case states.
    pub fn digits(&self) -> Vec<u32> {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digit =
            |c: u8| DIGITS.iter().position(|&digit| digit == c).expect("a digit of base 64");
        let id = |digits: &[u8; 3]| digits.iter().fold(0, |id, &c| id * 64 + digit(c) as u32);
        self.1.as_bytes().as_chunks().0.iter().map(id).collect()
    }

    /// A case of Gemma with the marks around it.
    fn ids(&self) -> Vec<u32> {
        [&[BOS], &self.digits()[..], EOS].concat()
    }
}

/// The lines of a golden file, if this is a build of the model that they were made with.
fn cases<T: DeserializeOwned>(file: &str) -> Option<Vec<T>> {
    // Prints where the test harness does not capture it.
    let say = |line: String| writeln!(std::io::stderr(), "{line}").expect("stderr");
    if tokenizer().n_vocab() != 262_144 {
        say(format!(
            "SKIPPED {file}: built without the real model; set MODEL_GGUF to test its tokenizer"
        ));
        return None;
    }
    say(format!("testing the tokenizer of {SOURCE} with {file}"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden").join(file);
    let lines =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(lines.lines().map(|line| serde_json::from_str(line).expect("one case a line")).collect())
}
