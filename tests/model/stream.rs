//! The library's stream: the vectors of `run`, in order, with memory bounded and errors in their places.

use monomorph::{Counts, EmbedOptions, Embedder, Error, Truncate, built};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn embedder() -> Embedder {
    Embedder::options().threads(2).open_built().expect("the model of the build")
}

#[test]
fn a_stream_gives_what_run_gives() {
    let embedder = embedder();
    let texts: Vec<String> = (0..50).map(|i| "word ".repeat(i % 9)).collect();
    let options = EmbedOptions { dimensions: Some(16), ..EmbedOptions::default() };
    let expected = embedder.run(&texts, &options).unwrap();
    for tokens in [0, 1, 30, 100_000] {
        let stream = embedder.stream(&texts, &options).read_ahead(tokens);
        assert_eq!(stream.map(Result::unwrap).collect::<Vec<_>>(), expected, "{tokens}");
        let pairs = embedder.stream(&texts, &options).read_ahead(tokens).with_texts();
        for (i, (text, embedding)) in pairs.enumerate() {
            assert_eq!((text, embedding.unwrap()), (&texts[i], expected[i].clone()));
        }
    }
    assert!(embedder.stream([""; 0], &options).next().is_none());
}

#[test]
fn rows_of_the_caller_hold_what_run_gives() {
    let embedder = embedder();
    let long = "long words, ".repeat(built::SPEC.n_ctx);
    let mut texts: Vec<String> = (0..50).map(|i| "word ".repeat(i % 9)).collect();
    texts.push(long);
    for dimensions in [None, Some(16)] {
        let options = EmbedOptions { dimensions, ..EmbedOptions::default() };
        let expected = embedder.run(&texts, &options).unwrap();
        let vectors: Vec<f32> = expected.iter().flat_map(|e| e.vector.clone()).collect();
        let tokens: u64 = expected.iter().map(|e| e.tokens as u64).sum();
        for read_ahead in [None, Some(0), Some(30), Some(100_000)] {
            let mut rows = vec![f32::NAN; vectors.len()];
            let mut steps = Vec::new();
            let counts =
                embedder.run_into(&texts, &options, read_ahead, &mut rows, |n| steps.push(n));
            assert_eq!(rows, vectors, "{read_ahead:?}");
            assert_eq!(counts.unwrap(), Counts { tokens, cut: 1 });
            assert!(steps.is_sorted() && steps.last() == Some(&texts.len()), "{steps:?}");
            assert_eq!(steps.len() == texts.len(), read_ahead == Some(0), "{steps:?}");
        }
    }
}

#[test]
fn rows_of_another_length_are_refused() {
    let embedder = embedder();
    let run = |dimensions, texts: &[&str], values| {
        let options = EmbedOptions { dimensions, ..EmbedOptions::default() };
        let mut rows = vec![0.0; values];
        embedder.run_into(texts, &options, None, &mut rows, |_| ()).map_err(|e| e.to_string())
    };
    assert_eq!(run(None, &[], 0), Ok(Counts::default()));
    let error = run(Some(16), &["one", "two"], 31).unwrap_err();
    assert_eq!(error, "31 values for rows, but 32 are expected");
    assert!(run(Some(0), &["one"], 0).unwrap_err().starts_with("0 dimensions requested"));
    assert!(run(Some(16), &[], 16).is_err() && run(Some(16), &["one"], 0).is_err());
}

#[test]
fn texts_are_read_ahead_only_so_far() {
    let embedder = embedder();
    let read = Cell::new(0);
    let endless = std::iter::repeat_with(|| {
        read.set(read.get() + 1);
        "one two three"
    });
    let tokens = embedder.run(&["one two three"], &EmbedOptions::default()).unwrap()[0].tokens;
    let mut stream = embedder.stream(endless, &EmbedOptions::default()).read_ahead(10 * tokens);
    assert_eq!(read.get(), 0, "nothing is read before it is asked for");
    for given in 1..=25usize {
        stream.next().unwrap().unwrap();
        assert_eq!(read.get(), given.next_multiple_of(10));
    }
}

/// An iterator that gives `None` for now is asked again, wherever the pause comes.
#[test]
fn a_pause_is_no_end() {
    let embedder = embedder();
    let texts: Vec<String> = (0..20).map(|i| "word ".repeat(i % 3 + 1)).collect();
    let expected = embedder.run(&texts, &EmbedOptions::default()).unwrap();
    for every in 1..=5 {
        for tokens in [0, 1, 10, 100_000] {
            let (mut given, mut has_paused) = (0, false);
            let pausing = std::iter::from_fn(|| {
                has_paused = given % every == 0 && !has_paused;
                if has_paused {
                    return None;
                }
                given += 1;
                texts.get(given - 1)
            });
            let stream = embedder.stream(pausing, &EmbedOptions::default()).read_ahead(tokens);
            let found: Vec<_> = stream.map(Result::unwrap).collect();
            assert_eq!(found, expected, "{every}, {tokens}");
        }
    }
}

#[test]
fn an_error_takes_the_place_of_its_text() {
    let embedder = embedder();
    let long = "long words, ".repeat(built::SPEC.n_ctx * 2);
    let texts = ["one", &long, "two", &long, "three"];
    let options = EmbedOptions { truncate: Truncate::None, ..EmbedOptions::default() };
    for tokens in [1, 100_000] {
        let results: Vec<_> = embedder.stream(texts, &options).read_ahead(tokens).collect();
        let errors: Vec<Option<usize>> =
            results.iter().map(|result| result.as_ref().err().and_then(Error::text)).collect();
        assert_eq!(errors, [None, Some(1), None, Some(3), None], "{tokens}");
        assert_eq!(
            results[4].as_ref().unwrap(),
            &embedder.run(&["three"], &options).unwrap()[0],
            "texts after it have their own vectors"
        );
    }
}

#[test]
fn cancelling_ends_a_stream() {
    let embedder = embedder();
    let cancel = Arc::new(AtomicBool::new(false));
    let options = EmbedOptions { cancel: Some(cancel.clone()), ..EmbedOptions::default() };
    let numbers = (0..).map(|i: u32| i.to_string());
    let mut stream = embedder.stream(numbers, &options).read_ahead(1).with_texts();
    assert!(stream.next().unwrap().1.is_ok());
    cancel.store(true, Ordering::Relaxed);
    let (text, result) = stream.next().unwrap();
    assert_eq!(text, "1", "the first text without a vector");
    assert!(matches!(result, Err(Error::Cancelled)));
    assert!(stream.next().is_none());
    cancel.store(false, Ordering::Relaxed);
    assert!(stream.next().is_none(), "an ended stream stays so");
    assert!(embedder.embed("again").is_ok(), "the embedder can be used");
}

#[test]
fn wrong_options_are_told_once() {
    let embedder = embedder();
    let options = EmbedOptions { dimensions: Some(1_000_000), ..EmbedOptions::default() };
    let results: Vec<_> = embedder.stream(["one", "two"], &options).collect();
    assert!(matches!(results[..], [Err(Error::Dimensions { asked: 1_000_000, .. })]));
}
