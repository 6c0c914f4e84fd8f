//! The dispatcher over an engine whose passes and clock the tests control.

use super::ticket::Ticket;
use super::*;
use crate::fake::{Fake, MARKS, PARTS, row, wait_until};
use monomorph_testing::Random;

const FINISH: Finish = Finish::Vector { dimensions: 8, normalize: false };
/// Passes that only calibrate.
const N: usize = CALIBRATION.len();

struct Bench {
    fake: Arc<Fake>,
    dispatcher: Arc<Dispatcher>,
    thread: Option<JoinHandle<()>>,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    /// A dispatcher that has calibrated itself: passes have 193 tokens at most.
    fn new() -> Bench {
        Bench::with(Duration::from_secs(30), Duration::from_secs(300))
    }

    fn with(max_wait: Duration, timeout: Duration) -> Bench {
        let fake = Fake::new();
        let settings = Settings { pass: Duration::from_millis(75), max_wait, timeout };
        let metrics = Arc::new(Metrics::new(fake.facts()).unwrap());
        let (dispatcher, thread) =
            Dispatcher::start(fake.clone(), settings, metrics, None, fake.clock()).unwrap();
        wait_until(|| fake.ended() == N && dispatcher.status().rate > 3000.0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Bench { fake, dispatcher, thread: Some(thread), runtime }
    }

    fn submit(&self, texts: Vec<Vec<u32>>) -> Result<Ticket, Failure> {
        let tokens = texts.iter().map(Vec::len).sum();
        self.dispatcher.admit(tokens)?.submit(texts, FINISH)
    }

    /// Holds the engine in a pass of one token, so that what is submitted next waits.
    fn occupied(&self) -> Ticket {
        self.fake.hold(true);
        let before = self.fake.passes().len();
        let ticket = self.submit(vec![vec![5]]).unwrap();
        self.fake.wait_for_passes(before + 1);
        ticket
    }

    fn wait(&self, ticket: Ticket) -> Result<Done, Failure> {
        self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(10), ticket.done()).await.expect("an answer")
        })
    }

    /// What the passes after the calibration had.
    fn passes(&self) -> Vec<Vec<usize>> {
        self.fake.passes().split_off(N)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.fake.hold(false);
        self.dispatcher.close();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn ids(n: usize, first: u32) -> Vec<u32> {
    let mut ids = vec![MARKS[0], first];
    ids.resize(n, 7);
    ids
}

#[test]
fn vectors_come_in_order_with_their_own_bits() {
    let bench = Bench::new();
    let texts: Vec<Vec<u32>> = (0..20).map(|i| ids(10 + i as usize, i)).collect();
    let done = bench.wait(bench.submit(texts.clone()).unwrap()).unwrap();
    for (text, vector) in texts.iter().zip(&done.vectors) {
        assert_eq!(*vector, row(text));
    }
    assert_eq!(done.vectors.len(), 20);
    assert!(done.inference > Duration::ZERO);
}

#[test]
fn what_waits_together_runs_together() {
    let bench = Bench::new();
    let first = bench.occupied();
    let tickets: Vec<Ticket> = (0..8).map(|i| bench.submit(vec![ids(48, i)]).unwrap()).collect();
    bench.fake.hold(false);
    bench.wait(first).unwrap();
    for (i, ticket) in tickets.into_iter().enumerate() {
        assert_eq!(bench.wait(ticket).unwrap().vectors, [row(&ids(48, i as u32))]);
    }
    // Four of 48 tokens fit a pass of 193.
    assert_eq!(bench.passes(), [vec![1], vec![48; 4], vec![48; 4]]);
}

#[test]
fn a_dropped_ticket_takes_its_texts_out_of_the_queue() {
    let bench = Bench::new();
    let first = bench.occupied();
    let (kept, dropped) = (bench.submit(vec![ids(20, 1)]), bench.submit(vec![ids(20, 2); 3]));
    drop(dropped.unwrap());
    assert_eq!(bench.dispatcher.status().waiting, Size { requests: 1, texts: 1, tokens: 20 });
    bench.fake.hold(false);
    bench.wait(first).unwrap();
    bench.wait(kept.unwrap()).unwrap();
    assert_eq!(bench.passes(), [vec![1], vec![20]]);
}

#[test]
fn a_pass_that_nobody_wants_is_cancelled() {
    let bench = Bench::new();
    let first = bench.occupied();
    let [a, b] = [1, 2].map(|i| bench.submit(vec![ids(20, i)]).unwrap());
    drop(first);
    // Both run in the next pass, which goes on as long as one is wanted.
    bench.fake.wait_for_passes(N + 2);
    drop(a);
    std::thread::sleep(Duration::from_millis(20));
    assert!(bench.dispatcher.lock().running.len() == 1);
    drop(b);
    wait_until(|| bench.dispatcher.lock().running.is_empty());
    // A cancelled pass is no fault, and the engine still works although nobody lets it go on.
    assert_eq!(bench.dispatcher.status().fault, None);
    bench.fake.hold(false);
    bench.wait(bench.submit(vec![ids(20, 3)]).unwrap()).unwrap();
}

/// Holds the engine in the first part of a text that takes longer than a pass should.
fn in_a_long_text(bench: &Bench) -> Ticket {
    bench.fake.hold(true);
    let long = bench.submit(vec![ids(400, 1)]).unwrap();
    bench.fake.wait_for_passes(N + 1);
    long
}

#[test]
fn a_long_text_is_interrupted_for_short_requests() {
    let bench = Bench::new();
    let long = in_a_long_text(&bench);
    let short: Vec<Ticket> = (0..3).map(|i| bench.submit(vec![ids(90, i)]).unwrap()).collect();
    assert_eq!(bench.dispatcher.status().waiting.texts, 3);
    bench.fake.hold(false);
    for (i, ticket) in short.into_iter().enumerate() {
        assert_eq!(bench.wait(ticket).unwrap().vectors, [row(&ids(90, i as u32))]);
    }
    let done = bench.wait(long).unwrap();
    assert_eq!(done.vectors, [row(&ids(400, 1))]);
    // After 58 ms of short ones it goes on for 75 ms at least.
    assert_eq!(bench.passes(), [vec![100], vec![90; 2], vec![100], vec![100], vec![100], vec![90]]);
    // What was in between is no time of its own.
    let own = PARTS as f64 * 2.5e-3 + 400.0 / 3222.0;
    let between = 2.5e-3 + 180.0 / 3222.0;
    assert!((done.inference.as_secs_f64() - own).abs() < 1e-6, "{done:?}");
    assert!((done.queue.as_secs_f64() - between).abs() < 1e-6, "{done:?}");
    wait_until(|| bench.dispatcher.lock().running.is_empty());
}

/// One of tokens that a pass may have, too, is done in one go.
#[test]
fn a_text_that_fits_a_pass_is_not_interrupted() {
    let bench = Bench::new();
    bench.fake.hold(true);
    let text = bench.submit(vec![ids(190, 1)]).unwrap();
    bench.fake.wait_for_passes(N + 1);
    let other = bench.submit(vec![ids(20, 2)]).unwrap();
    bench.fake.hold(false);
    bench.wait(text).unwrap();
    bench.wait(other).unwrap();
    assert_eq!(bench.passes(), [vec![190], vec![20]]);
}

/// A pass of bulk has twice the tokens of one in one go here, and is not in the way of a short request.
#[test]
fn a_pass_of_bulk_is_interrupted_for_short_requests() {
    let bench = Bench::new();
    bench.fake.hold(true);
    let texts: Vec<Vec<u32>> = (0..12).map(|i| ids(60, i)).collect();
    let bulk = bench.submit(texts.clone()).unwrap();
    bench.fake.wait_for_passes(N + 1);
    let short = bench.submit(vec![ids(90, 1)]).unwrap();
    bench.fake.hold(false);
    assert_eq!(bench.wait(short).unwrap().vectors, [row(&ids(90, 1))]);
    assert_eq!(
        bench.wait(bulk).unwrap().vectors,
        texts.iter().map(|ids| row(ids)).collect::<Vec<_>>()
    );
    // Six texts a pass, and a part of each in every part of it.
    let part = || vec![15; 6];
    let expected = [vec![part(), vec![90]], vec![part(); 2 * PARTS - 1]].concat();
    assert_eq!(bench.passes(), expected);
}

/// A failure in such a pass is that of one request.
#[test]
fn a_text_of_bulk_without_a_finite_vector_fails_alone() {
    let bench = Bench::new();
    bench.fake.hold(true);
    let first = bench.submit(vec![ids(400, 1)]).unwrap();
    bench.fake.wait_for_passes(N + 1);
    // Three of each make a pass.
    let fine: Vec<Vec<u32>> = (0..6).map(|i| ids(64, i)).collect();
    let kept = bench.submit(fine.clone()).unwrap();
    let bad = bench.submit((0..6).map(|i| ids(64, if i == 1 { 990 } else { i })).collect());
    bench.fake.hold(false);
    assert_eq!(bench.wait(bad.unwrap()).unwrap_err(), Failure::NotFinite { text: 1 });
    bench.wait(first).unwrap();
    let expected: Vec<Vec<f32>> = fine.iter().map(|ids| row(ids)).collect();
    assert_eq!(bench.wait(kept).unwrap().vectors, expected);
    assert_eq!(bench.passes()[PARTS], [16; 6]);
    assert_eq!(bench.dispatcher.status().waiting, Size::default());
}

/// Rows of tokens are made in one go, so that a pass with them is no larger.
#[test]
fn a_pass_of_token_rows_is_not_interrupted() {
    let bench = Bench::new();
    bench.fake.hold(true);
    let bulk = bench.dispatcher.admit(720).unwrap();
    let bulk = bulk.submit((0..12).map(|i| ids(60, i)).collect(), Finish::Tokens).unwrap();
    bench.fake.wait_for_passes(N + 1);
    let short = bench.submit(vec![ids(90, 1)]).unwrap();
    bench.fake.hold(false);
    bench.wait(short).unwrap();
    bench.wait(bulk).unwrap();
    let expected = [vec![vec![60]; 3], vec![vec![90]], vec![vec![60]; 9]].concat();
    assert_eq!(bench.passes(), expected);
}

/// A pass of few tokens is slow, so that a long text has three times its time before it is interrupted again.
#[test]
fn a_long_text_has_a_respite() {
    let bench = Bench::new();
    let long = in_a_long_text(&bench);
    let short: Vec<Ticket> = (0..3).map(|i| bench.submit(vec![ids(12, i)]).unwrap()).collect();
    bench.fake.allow(1);
    bench.fake.wait_for_passes(N + 2);
    let later = bench.submit(vec![ids(30, 9)]).unwrap();
    bench.fake.hold(false);
    for ticket in short.into_iter().chain([later, long]) {
        bench.wait(ticket).unwrap();
    }
    // 13.7 ms of short ones, 67.1 of the long one.
    assert_eq!(bench.passes(), [vec![100], vec![12; 3], vec![100], vec![100], vec![30], vec![100]]);
}

/// Short requests that never cease leave a long text its time, and it is not interrupted for bulk.
#[test]
fn a_long_text_ends_though_it_is_interrupted() {
    let bench = Bench::new();
    let long = in_a_long_text(&bench);
    let bulk = bench.submit(vec![ids(100, 2); 5]).unwrap();
    let short: Vec<Ticket> = (0..9).map(|i| bench.submit(vec![ids(190, i)]).unwrap()).collect();
    bench.fake.hold(false);
    bench.wait(long).unwrap();
    let passes = bench.passes();
    assert_eq!(passes[..5], [vec![100], vec![190], vec![100], vec![100], vec![100]]);
    for ticket in short.into_iter().chain([bulk]) {
        bench.wait(ticket).unwrap();
    }
}

#[test]
fn a_long_text_that_nobody_wants_is_cancelled_at_rest() {
    let bench = Bench::new();
    let long = in_a_long_text(&bench);
    let short = bench.submit(vec![ids(20, 3)]).unwrap();
    bench.fake.allow(1);
    bench.fake.wait_for_passes(N + 2);
    drop(long);
    bench.fake.allow(1);
    assert_eq!(bench.wait(short).unwrap().vectors, [row(&ids(20, 3))]);
    wait_until(|| bench.dispatcher.lock().running.is_empty());
    bench.fake.hold(false);
    bench.wait(bench.submit(vec![ids(20, 4)]).unwrap()).unwrap();
    // Of the long one, a second part was begun at most.
    assert!(bench.passes().iter().filter(|pass| **pass == [100]).count() <= 2);
}

/// A fault in between is the short requests', not the long text's.
#[test]
fn a_fault_in_between_is_not_the_long_texts() {
    for (word, failure) in [(991, "the engine panicked"), (992, "a fault")] {
        let bench = Bench::new();
        let long = in_a_long_text(&bench);
        let bad = bench.submit(vec![ids(20, word)]).unwrap();
        bench.fake.hold(false);
        assert_eq!(bench.wait(bad).unwrap_err(), Failure::Engine(failure.to_owned()));
        assert_eq!(bench.wait(long).unwrap().vectors, [row(&ids(400, 1))]);
    }
}

#[test]
fn a_fault_fails_its_pass_only() {
    for (word, expected) in [(991, "the engine panicked"), (992, "a fault")] {
        let bench = Bench::new();
        let first = bench.occupied();
        let bad = bench.submit(vec![ids(20, 1), ids(20, word)]).unwrap();
        let beside = bench.submit(vec![ids(20, 2)]).unwrap();
        let later = bench.submit(vec![ids(190, 3)]).unwrap();
        bench.fake.hold(false);
        bench.wait(first).unwrap();
        let failure = Failure::Engine(expected.to_owned());
        assert_eq!(bench.wait(bad).unwrap_err(), failure);
        assert_eq!(bench.wait(beside).unwrap_err(), failure);
        bench.wait(later).unwrap();
        assert_eq!(bench.dispatcher.status().fault, None);
        for _ in 0..MOST_FAULTS {
            assert_eq!(bench.wait(bench.submit(vec![ids(9, word)]).unwrap()).unwrap_err(), failure);
        }
        assert!(bench.dispatcher.status().fault.is_some());
        bench.wait(bench.submit(vec![ids(9, 1)]).unwrap()).unwrap();
        assert_eq!(bench.dispatcher.status().fault, None);
    }
}

#[test]
fn a_text_without_a_finite_vector_fails_alone_and_is_named() {
    let bench = Bench::new();
    let first = bench.occupied();
    let bad = bench.submit(vec![ids(20, 1), ids(20, 990)]).unwrap();
    let beside = bench.submit(vec![ids(20, 2)]).unwrap();
    bench.fake.hold(false);
    bench.wait(first).unwrap();
    assert_eq!(bench.wait(bad).unwrap_err(), Failure::NotFinite { text: 1 });
    assert_eq!(bench.wait(beside).unwrap().vectors, [row(&ids(20, 2))]);
}

#[test]
fn an_engine_that_is_broken_serves_nobody() {
    let bench = Bench::new();
    let failure = bench.wait(bench.submit(vec![ids(20, 993)]).unwrap()).unwrap_err();
    assert_eq!(failure, Failure::Broken("the file changed".to_owned()));
    assert_eq!(bench.dispatcher.status().fault.as_deref(), Some("the file changed"));
    assert_eq!(bench.submit(vec![ids(20, 1)]).err(), Some(failure));
}

/// A request is refused for what is before it, never for its own size.
#[test]
fn requests_are_refused_for_what_is_before_them() {
    let bench = Bench::with(Duration::from_secs(1), Duration::from_secs(300));
    let first = bench.occupied();
    // 6400 tokens take two seconds.
    let bulk = bench.submit(vec![ids(64, 1); 100]).unwrap();
    let retry = match bench.submit(vec![ids(64, 1); 10]).err() {
        Some(Failure::Overloaded { retry }) => retry,
        other => panic!("{other:?}"),
    };
    assert!((RETRY[0]..=RETRY[0] * 2).contains(&retry), "{retry:?}");
    assert!(bench.dispatcher.status().wait > Duration::from_secs(2));
    // A short one goes before the bulk.
    let short = bench.submit(vec![ids(20, 2)]).unwrap();
    bench.fake.hold(false);
    for ticket in [first, bulk, short] {
        bench.wait(ticket).unwrap();
    }
    bench.wait(bench.submit(vec![ids(64, 1); 100]).unwrap()).unwrap();
}

/// What is let in and not yet in the queue counts for those who come next.
#[test]
fn requests_under_way_to_the_queue_count() {
    let bench = Bench::with(Duration::from_secs(1), Duration::from_secs(300));
    let admission = bench.dispatcher.admit(6400).unwrap();
    assert!(matches!(bench.dispatcher.admit(6400), Err(Failure::Overloaded { .. })));
    assert!(bench.dispatcher.admit(10).is_ok());
    drop(admission);
    assert!(bench.dispatcher.admit(6400).is_ok());
}

#[test]
fn a_request_that_cannot_end_in_time_is_too_large() {
    let bench = Bench::with(Duration::from_secs(30), Duration::from_secs(1));
    match bench.submit(vec![ids(64, 1); 100]).err() {
        Some(Failure::TooLarge(reason)) => assert!(reason.contains("6400 tokens"), "{reason}"),
        other => panic!("{other:?}"),
    }
    bench.wait(bench.submit(vec![ids(64, 1); 20]).unwrap()).unwrap();
}

#[test]
fn a_closed_dispatcher_ends_when_nothing_waits() {
    let mut bench = Bench::new();
    let first = bench.occupied();
    let waiting = bench.submit(vec![ids(64, 1); 10]).unwrap();
    bench.dispatcher.close();
    assert_eq!(bench.submit(vec![ids(5, 1)]).err(), Some(Failure::Draining));
    bench.fake.hold(false);
    bench.wait(first).unwrap();
    assert_eq!(bench.wait(waiting).unwrap().vectors.len(), 10);
    bench.thread.take().unwrap().join().unwrap();
    assert_eq!(bench.dispatcher.status().fault, None);
}

#[test]
fn a_pass_that_does_not_end_is_noticed() {
    let bench = Bench::new();
    let first = bench.occupied();
    bench.fake.advance(LONGEST_PASS + Duration::from_secs(1));
    assert_eq!(bench.dispatcher.status().fault.as_deref(), Some("a pass does not end"));
    bench.fake.hold(false);
    bench.wait(first).unwrap();
    assert_eq!(bench.dispatcher.status().fault, None);
}

/// From many threads at once, some leaving: every other text gets its own bits, once.
#[test]
fn ten_thousand_requests_get_their_own_bits() {
    let bench = Bench::with(Duration::from_secs(100_000), Duration::from_secs(100_000));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let bench = &bench;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let mut random = Random(thread);
                let mut open = Vec::new();
                for _ in 0..2500 {
                    let texts: Vec<Vec<u32>> = (0..1 + random.below(5))
                        .map(|_| ids(2 + random.below(90), random.below(900) as u32))
                        .collect();
                    let ticket = bench.submit(texts.clone()).unwrap();
                    if random.below(8) > 0 {
                        open.push((texts, ticket));
                    }
                }
                for (texts, ticket) in open {
                    let done = runtime.block_on(ticket.done()).unwrap();
                    assert!(done.vectors.iter().zip(&texts).all(|(v, text)| *v == row(text)));
                    assert_eq!(done.vectors.len(), texts.len());
                }
            });
        }
    });
    wait_until(|| bench.dispatcher.lock().running.is_empty());
    assert_eq!(bench.dispatcher.status().waiting, Size::default());
    assert_eq!(bench.dispatcher.lock().arriving, [0, 0]);
}
