use crate::{EmbedOptions, Embedder, Error, Truncate};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn embedder() -> Embedder {
    Embedder::options().threads(2).open_built().expect("the model of the build")
}

#[test]
fn the_three_steps_give_what_run_gives() {
    let embedder = embedder();
    let long = "long words, ".repeat(embedder.info().n_ctx);
    let texts = ["Mars is red.", "", &long];
    for truncate in [Truncate::End, Truncate::Start] {
        let options = EmbedOptions {
            prefix: Some("about: ".into()),
            dimensions: Some(8),
            truncate,
            ..Default::default()
        };
        let expected = embedder.run(&texts, &options).unwrap();
        let encode = |text: &&str| embedder.encode(text, &options).unwrap();
        let encodings: Vec<_> = texts.iter().map(encode).collect();
        let ids: Vec<&[u32]> = encodings.iter().map(|encoding| &encoding.ids[..]).collect();
        let n_embd = embedder.info().dimensions;
        let mut rows = vec![0.0; 3 * n_embd];
        embedder.embed_ids(&ids, None, &mut rows).unwrap();
        for ((row, encoding), expected) in rows.chunks(n_embd).zip(&encodings).zip(&expected) {
            assert_eq!(embedder.finish(row, &options).unwrap(), expected.vector);
            assert_eq!(encoding.ids.len(), expected.tokens);
            assert_eq!(encoding.dropped, expected.dropped);
        }
        assert!(expected[2].dropped > 0 && expected[2].tokens == embedder.info().n_ctx);
    }
}

#[test]
fn a_long_text_keeps_the_side_that_was_asked_for() {
    let embedder = embedder();
    let text = "long words, ".repeat(embedder.info().n_ctx);
    let whole = embedder.tokenizer().encode(&text, usize::MAX).ids;
    let cut = |truncate| {
        let options = EmbedOptions { truncate, ..Default::default() };
        embedder.encode(&text, &options).map(|encoding| encoding.ids)
    };
    let (end, start) = (cut(Truncate::End).unwrap(), cut(Truncate::Start).unwrap());
    let n = embedder.info().n_ctx;
    assert_eq!((end.len(), start.len()), (n, n));
    assert_eq!(end[..n - 1], whole[..n - 1]);
    assert_eq!(start[0], whole[0]);
    assert_eq!(start[1..], whole[whole.len() - (n - 1)..]);
    assert!(matches!(cut(Truncate::None), Err(Error::TooLong { text: 0, .. })));
}

/// A text that cancels the request when it is read, and counts how many are.
struct Cancels<'a>(&'a AtomicBool, &'a Cell<usize>);

impl AsRef<str> for Cancels<'_> {
    fn as_ref(&self) -> &str {
        self.0.store(true, Ordering::Relaxed);
        self.1.set(self.1.get() + 1);
        "Mars is red."
    }
}

#[test]
fn a_request_can_be_cancelled_while_its_texts_are_tokenized() {
    let cancel = Arc::new(AtomicBool::new(false));
    let options = EmbedOptions { cancel: Some(cancel.clone()), ..Default::default() };
    let read = Cell::new(0);
    let texts: Vec<_> = (0..1000).map(|_| Cancels(&cancel, &read)).collect();
    let result = embedder().run(&texts, &options);
    assert!(matches!(result, Err(Error::Cancelled)));
    assert_eq!(read.get(), 1, "texts read");
}

#[test]
fn ids_are_checked() {
    let embedder = embedder();
    let info = embedder.info();
    let beyond = [0, embedder.spec().n_vocab as u32];
    let long = vec![0; info.n_ctx + 1];
    for (bad, reason) in [
        (&[][..], "no ids; at least one is needed".to_owned()),
        (&long, format!("{} ids, more than the context of {}", long.len(), info.n_ctx)),
        (&beyond, format!("id {0} is beyond the vocabulary of {0} pieces", beyond[1])),
    ] {
        let mut rows = vec![0.0; 2 * info.dimensions];
        let error = embedder.embed_ids(&[&[0], bad], None, &mut rows).unwrap_err();
        assert_eq!(error.text(), Some(1));
        assert_eq!(error.to_string(), format!("text 2: {reason}"));
    }
    for values in [0, info.dimensions - 1, info.dimensions + 1] {
        let error = embedder.embed_ids(&[&[0]], None, &mut vec![0.0; values]).unwrap_err();
        assert!(matches!(error, Error::Rows { .. }), "{error}");
        let error = embedder.finish(&vec![1.0; values], &EmbedOptions::default()).unwrap_err();
        assert!(matches!(error, Error::Rows { .. }), "{error}");
    }
    embedder.embed_ids(&[], None, &mut []).unwrap();
}

/// Texts that rest after every layer, with others in between, have the bits that they have in one go.
#[test]
fn a_pass_can_rest() {
    let embedder = embedder();
    let encode = |text: &str| embedder.encode(text, &EmbedOptions::default()).unwrap().ids;
    let long = encode(&"long words, ".repeat(embedder.info().n_ctx));
    let (short, other) = (encode("Mars is red."), encode("Venus is hot, and Mars is red."));
    let width = embedder.info().dimensions;
    let alone = |ids: &[u32]| {
        let mut row = vec![0.0; width];
        embedder.embed_ids(&[ids], None, &mut row).unwrap();
        row
    };
    let expected = [&long, &short, &other].map(|ids| alone(ids));
    for pauses in [true, false] {
        let pause = || pauses;
        let mut row = vec![0.0; width];
        let (long, both): ([&[u32]; 1], [&[u32]; 2]) = ([&long], [&other, &short]);
        let (mut pass, mut inner) = (embedder.pass(&long).unwrap(), embedder.pass(&both).unwrap());
        let (mut rests, mut inner_rows) = (0, vec![0.0; 2 * width]);
        while !pass.resume(None, &pause, &mut row).unwrap() {
            rests += 1;
            assert!(alone(&short) == expected[1]);
            if rests < 3 {
                inner.resume(None, &pause, &mut inner_rows).unwrap();
            }
        }
        // Between the steps, of which there is one more than layers.
        assert_eq!(rests, if pauses { embedder.spec().layers.len() } else { 0 });
        assert!(row == expected[0]);
        drop(pass);
        while !inner.resume(None, &pause, &mut inner_rows).unwrap() {}
        assert!(inner_rows == [&*expected[2], &*expected[1]].concat());
    }
    assert!(embedder.pass(&[]).unwrap().resume(None, &|| true, &mut []).unwrap());
}

/// Threads have texts of their own to rest with, where there are enough.
#[test]
fn a_pass_of_many_texts_can_rest() {
    let embedder = embedder();
    let encode = |n: usize| embedder.encode(&"Mars, ".repeat(n), &EmbedOptions::default()).unwrap();
    // More tokens than two threads share a pass of, and no more than a bundle for each of them.
    let (mut texts, mut tokens) = (Vec::new(), 0);
    while tokens < 300 {
        texts.push(encode(texts.len() % 13 + 1).ids);
        tokens += texts[texts.len() - 1].len();
    }
    let texts: Vec<&[u32]> = texts.iter().map(|ids| &**ids).collect();
    let width = embedder.info().dimensions;
    let mut expected = vec![0.0; texts.len() * width];
    embedder.embed_ids(&texts, None, &mut expected).unwrap();
    let layers = embedder.spec().layers.len();
    let (cancel, mut pass) = (AtomicBool::new(false), embedder.pass(&texts).unwrap());
    for pauses in [true, false, true] {
        let mut rests = 0;
        loop {
            // What was written to another call's rows does not count.
            let mut rows = vec![f32::NAN; expected.len()];
            if pass.resume(Some(&cancel), &|| pauses, &mut rows).unwrap() {
                assert!(rows == expected);
                break;
            }
            rests += 1;
            // Others use the same memory meanwhile.
            embedder.embed_ids(&texts[..9], None, &mut rows[..9 * width]).unwrap();
            assert!(rows[..9 * width] == expected[..9 * width]);
        }
        // All threads go on each time.
        assert_eq!(rests, if pauses { layers } else { 0 });
    }
    // Its beginning is of no use once it was cancelled.
    let mut rows = vec![f32::NAN; expected.len()];
    assert!(!pass.resume(Some(&cancel), &|| true, &mut rows).unwrap());
    cancel.store(true, Ordering::Relaxed);
    let result = pass.resume(Some(&cancel), &|| true, &mut rows);
    assert!(matches!(result, Err(Error::Cancelled)));
    assert!(pass.resume(None, &|| false, &mut rows).unwrap());
    assert!(rows == expected);
}

#[test]
fn a_pass_that_rests_can_be_cancelled() {
    let embedder = embedder();
    let (cancel, pause) = (AtomicBool::new(false), || true);
    let mut row = vec![0.0; embedder.info().dimensions];
    let ids: [&[u32]; 1] = [&[2, 5, 1]];
    let mut pass = embedder.pass(&ids).unwrap();
    assert!(!pass.resume(Some(&cancel), &pause, &mut row).unwrap());
    assert!(matches!(pass.resume(Some(&cancel), &pause, &mut [0.0]), Err(Error::Rows { .. })));
    cancel.store(true, Ordering::Relaxed);
    assert!(matches!(pass.resume(Some(&cancel), &pause, &mut row), Err(Error::Cancelled)));
    assert!(matches!(embedder.pass(&[&[]]), Err(Error::Ids { .. })));
}
