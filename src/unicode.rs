//! Unicode normalisation of a text before it is tokenized.

use crate::choice::choice;
use std::borrow::Cow;

use unicode_normalization_alignments::{
    IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfkc_quick,
};

/// The normalisation form that a text is brought to before it is tokenized.
///
/// The same word may be written with composed or with combining characters and then tokenizes
/// differently, unless the model's tokenizer normalises by itself. By default nothing is done before it. The tables are
/// those of Unicode 9.0, which Hugging Face's tokenizers use: characters that were added since stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unicode {
    /// Leave the text as it is; the tokenizer does what the model's original does.
    #[default]
    None,
    /// Canonical composition: `e` followed by a combining acute becomes `é`.
    Nfc,
    /// Compatibility composition: as NFC, and ligatures, full-width and other variants become plain characters.
    Nfkc,
}

choice! { Unicode, "Unicode form",
    None "none" "Leave the text as it is"
    Nfc "nfc" "Canonical composition"
    Nfkc "nfkc" "Compatibility composition"
}

impl Unicode {
    /// The text in this form; borrowed if a quick scan finds that it already is.
    ///
    /// ```
    /// use monomorph::Unicode;
    ///
    /// assert_eq!(Unicode::Nfc.apply("e\u{301}"), "\u{e9}");
    /// assert_eq!(Unicode::Nfkc.apply("ﬁn"), "fin");
    /// assert_eq!(Unicode::None.apply("ﬁn"), "ﬁn");
    /// ```
    pub fn apply(self, text: &str) -> Cow<'_, str> {
        match self {
            Unicode::None => Cow::Borrowed(text),
            Unicode::Nfc => match is_nfc_quick(text.chars()) {
                IsNormalized::Yes => Cow::Borrowed(text),
                _ => Cow::Owned(text.nfc().map(|(c, _)| c).collect()),
            },
            Unicode::Nfkc => match is_nfkc_quick(text.chars()) {
                IsNormalized::Yes => Cow::Borrowed(text),
                _ => Cow::Owned(text.nfkc().map(|(c, _)| c).collect()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_text_is_borrowed() {
        for form in [Unicode::None, Unicode::Nfc, Unicode::Nfkc] {
            for text in ["", "plain", "d\u{e9}j\u{e0} vu", "\0\u{1F600}"] {
                assert!(
                    matches!(form.apply(text), Cow::Borrowed(same) if same == text),
                    "{form:?} {text:?}"
                );
            }
        }
    }

    #[test]
    fn forms_differ_where_unicode_says_so() {
        let text = "Ame\u{301}lie \u{FB01}n \u{FF21}";
        assert_eq!(Unicode::None.apply(text), text);
        assert_eq!(Unicode::Nfc.apply(text), "Am\u{e9}lie \u{FB01}n \u{FF21}");
        assert_eq!(Unicode::Nfkc.apply(text), "Am\u{e9}lie fin A");
    }

    #[test]
    fn lone_marks_are_kept() {
        assert_eq!(Unicode::Nfc.apply("\u{301}\u{302}"), "\u{301}\u{302}");
    }
}
