use super::*;

/// The marks, and between them the last ids of the whole text's.
fn last_of(whole: &[u32], limit: usize) -> Vec<u32> {
    match limit {
        _ if limit >= whole.len() => whole.to_vec(),
        0 => vec![],
        1 => vec![1],
        _ => [&whole[..1], &whole[whole.len() - (limit - 1)..]].concat(),
    }
}

#[test]
fn the_last_tokens_are_those_of_the_whole_text() {
    let mut rng = Rng(4);
    for _ in 0..100 {
        let sample = Sample::random(&mut rng);
        for _ in 0..20 {
            let n_parts = rng.below(40);
            let text: String = (0..n_parts).map(|_| part(&mut rng, &sample.pieces)).collect();
            let whole = sample.tokenizer.encode(&text, ALL).ids;
            for limit in [0, 1, 2, 3, 7, 20, whole.len() - 1, whole.len(), ALL] {
                let got = sample.tokenizer.encode_end(&text, limit);
                assert_eq!(got.ids, last_of(&whole, limit), "{text:?}, limit {limit}");
                assert_eq!(got.dropped, whole.len() - got.ids.len(), "{text:?}, limit {limit}");
                assert!(got.dropped_is_exact);
            }
        }
    }
}

/// Long stretches without a place to cut, and words of the same length in all: what is dropped on the way leaves no
/// trace.
#[test]
fn the_last_tokens_of_long_texts_are_those_of_the_whole_text() {
    let sample = words(special());
    for pattern in ["a", "th", "cat", " ", "the cats ", "日"] {
        let text = pattern.repeat(100_000) + "the cats";
        let whole = sample.tokenizer.encode(&text, ALL).ids;
        let got = sample.tokenizer.encode_end(&text, 16);
        assert_eq!(got.ids, last_of(&whole, 16), "{pattern:?}");
        assert_eq!((got.dropped, got.dropped_is_exact), (whole.len() - 16, true), "{pattern:?}");
    }
}

/// A vocabulary in which "ththth" has no place to cut, and text of it on both sides of the stated limit.
#[test]
fn of_a_stretch_beyond_the_limit_only_the_end_is_merged() {
    let marks = ["<bos>", "<eos>", "<unk>"].map(|mark| (mark, PieceKind::Control));
    let normal = ["th", "ht", "t", "h", "tht"].map(|text| (text, PieceKind::Normal));
    let pieces = marks.into_iter().chain(normal);
    let entries = (0..).zip(pieces).map(|(i, (text, kind))| (text.to_owned(), -(i as f32), kind));
    let sample = Sample::new(entries.collect(), special());
    for (n, exact) in [(1000, true), (1 << 20, false)] {
        let got = sample.tokenizer.encode_end(&"th".repeat(n), 16);
        assert_eq!(got.ids, [&[0], &[3; 14][..], &[1]].concat());
        assert_eq!(got.dropped_is_exact, exact);
        assert!(if exact { got.dropped == n - 14 } else { got.dropped >= 1 << 18 });
    }
}

#[test]
fn marks_stay_where_the_end_is_kept() {
    let bare = words(TokenizerSpec { add_bos: false, add_eos: false, ..special() });
    let whole = bare.naive.encode("the cat");
    assert_eq!(bare.tokenizer.encode_end("the cat", 1).ids, whole[whole.len() - 1..]);
    let begun = words(TokenizerSpec { add_eos: false, ..special() });
    assert_eq!(begun.tokenizer.encode_end("the cat", 2).ids, [0, whole[whole.len() - 1]]);
    assert_eq!(begun.tokenizer.encode_end("the cat", 1).ids, [0]);
}
