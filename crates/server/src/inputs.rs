//! What a client wants embedded: a string, strings, ids, or arrays of ids.

use crate::whole::Whole;
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, SeqAccess, Visitor};
use std::fmt;

/// Reading stops at so many items, whatever a server's own limit is.
pub const MOST_ITEMS: usize = 1 << 16;

/// Texts, or ids that are texts already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// Texts; also what an empty array is.
    Texts(Vec<String>),
    /// The ids of each text.
    Ids(Vec<Vec<u32>>),
}

impl Inputs {
    /// Number of texts.
    pub fn count(&self) -> usize {
        match self {
            Inputs::Texts(texts) => texts.len(),
            Inputs::Ids(texts) => texts.len(),
        }
    }
}

impl<'de> Deserialize<'de> for Inputs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Inputs, D::Error> {
        deserializer.deserialize_any(InputsVisitor)
    }
}

/// Reads them.
pub struct InputsVisitor;

impl<'de> Visitor<'de> for InputsVisitor {
    type Value = Inputs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, an array of strings, an array of token ids, or an array of those")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Inputs, E> {
        Ok(Inputs::Texts(vec![text.to_owned()]))
    }

    /// The first item says what all must be.
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Inputs, A::Error> {
        match items.next_element()? {
            None => Ok(Inputs::Texts(Vec::new())),
            Some(Item::Text(first)) => Ok(Inputs::Texts(rest(first, &mut items)?)),
            Some(Item::Ids(first)) => {
                let texts = rest(Ids(first), &mut items)?;
                Ok(Inputs::Ids(texts.into_iter().map(|ids| ids.0).collect()))
            }
            Some(Item::Id(first)) => {
                let mut ids = vec![first];
                // Eight bytes of JSON at most for four of memory: the body's limit is theirs.
                while let Some(id) = items.next_element()? {
                    ids.push(self::id(id)?);
                }
                Ok(Inputs::Ids(vec![ids]))
            }
        }
    }
}

/// The other items, counted.
fn rest<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(
    first: T,
    items: &mut A,
) -> Result<Vec<T>, A::Error> {
    let mut all = vec![first];
    while let Some(item) = items.next_element()? {
        if all.len() == MOST_ITEMS {
            return Err(A::Error::custom(format_args!("more than {MOST_ITEMS} items")));
        }
        all.push(item);
    }
    Ok(all)
}

/// A token id.
fn id<E: Error>(n: Whole) -> Result<u32, E> {
    u32::try_from(n.0).map_err(|_| E::custom("a token id is at least 0 and below 2^32"))
}

/// The ids of a text.
pub struct Ids(pub Vec<u32>);

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ids, D::Error> {
        let ids = Vec::<Whole>::deserialize(deserializer)?;
        ids.into_iter().map(id).collect::<Result<_, _>>().map(Ids)
    }
}

/// The first item of an array.
enum Item {
    Text(String),
    Id(u32),
    Ids(Vec<u32>),
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Item, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a token id, or an array of token ids")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Item, E> {
        Ok(Item::Text(text.to_owned()))
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<Item, E> {
        id(Whole(n)).map(Item::Id)
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<Item, E> {
        Whole::deserialize(n.into_deserializer()).and_then(id).map(Item::Id)
    }

    fn visit_f64<E: Error>(self, n: f64) -> Result<Item, E> {
        Whole::deserialize(n.into_deserializer()).and_then(id).map(Item::Id)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Item, A::Error> {
        let mut ids = Vec::new();
        while let Some(n) = items.next_element()? {
            ids.push(id(n)?);
        }
        Ok(Item::Ids(ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Inputs, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn every_form_is_read() {
        let texts = |texts: &[&str]| Inputs::Texts(texts.iter().map(|t| (*t).to_owned()).collect());
        assert_eq!(parse(r#""a\nb""#), Ok(texts(&["a\nb"])));
        assert_eq!(parse(r#"["a", "", "c"]"#), Ok(texts(&["a", "", "c"])));
        assert_eq!(parse("[]"), Ok(texts(&[])));
        assert_eq!(parse("[1.0, 2]"), Ok(Inputs::Ids(vec![vec![1, 2]])));
        assert_eq!(parse("[1, 2, 3]"), Ok(Inputs::Ids(vec![vec![1, 2, 3]])));
        assert_eq!(parse("[[1], [], [2, 3]]"), Ok(Inputs::Ids(vec![vec![1], vec![], vec![2, 3]])));
    }

    #[test]
    fn others_are_refused() {
        for json in [
            "null",
            "1",
            "true",
            "{}",
            "[null]",
            "[true]",
            "[1.5]",
            "[-1]",
            "[4294967296]",
            r#"["a", 1]"#,
            r#"[1, "a"]"#,
            r#"[[1], "a"]"#,
            "[[[1]]]",
            r#"[["a"]]"#,
            "[1e999]",
            r#"["\ud800"]"#,
        ] {
            assert!(parse(json).is_err(), "{json}");
        }
    }

    #[test]
    fn reading_stops_at_the_limit() {
        let many = |n: usize| format!("[{}\"\"]", "\"\",".repeat(n - 1));
        assert_eq!(parse(&many(MOST_ITEMS)).unwrap().count(), MOST_ITEMS);
        assert!(parse(&many(MOST_ITEMS + 1)).unwrap_err().contains("more than 65536 items"));
    }
}
