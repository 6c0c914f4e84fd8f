//! An engine for tests: its vectors are made of ids by a formula, it takes no time but that of a clock of its own, and
//! it can be held and made to fail.

use crate::dispatcher::Clock;
use crate::engine::{
    Between, Encoding, Engine, EngineError, Facts, Prompt, Token, TooLong, Truncate,
};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Marks around every text.
pub const MARKS: [u32; 2] = [2, 1];
/// Texts with these words make a pass fail in their ways.
pub const FAULTS: [(&str, u32); 4] =
    [("nan", 990), ("panic", 991), ("fault", 992), ("broken", 993)];
/// A text that makes whoever reads it panic.
pub const UNREADABLE: &str = "unreadable";

/// Parts of a pass that may be interrupted, each a pass to those who look.
pub const PARTS: usize = 4;

const PROMPTS: [(&str, &str); 2] = [("query", "q: "), ("document", "d: ")];

/// The engine.
pub struct Fake {
    facts: Facts,
    started: Instant,
    /// Simulated time.
    nanos: Arc<AtomicU64>,
    /// Passes, and parts of long ones, that may go on.
    allowed: Mutex<usize>,
    released: Condvar,
    /// Tokens of each text of each pass.
    passes: Mutex<Vec<Vec<usize>>>,
    /// Number of passes that have ended.
    ended: AtomicUsize,
}

impl Fake {
    pub fn new() -> Arc<Fake> {
        let text = str::to_owned;
        let prompt = |(name, prefix)| Prompt { name: text(name), prefix: text(prefix) };
        let facts = Facts {
            name: text("Fake 1"),
            architecture: text("fake"),
            format: text("F32"),
            fingerprint: text("0123456789abcdef"),
            pooling: text("mean"),
            dimensions: 8,
            n_embd: 4,
            n_ctx: 64,
            n_vocab: 1000,
            prompts: PROMPTS.into_iter().map(prompt).collect(),
            isa: text("none"),
            path: text("generic"),
            threads: 2,
            parameters: 1_234_567,
            bytes: 4_938_268,
            license: Some(text("MIT")),
            kept_bytes: 0,
            version: text("0.0.0"),
        };
        Arc::new(Fake {
            facts,
            started: Instant::now(),
            nanos: Arc::default(),
            allowed: Mutex::new(usize::MAX),
            released: Condvar::new(),
            passes: Mutex::default(),
            ended: AtomicUsize::new(0),
        })
    }

    /// Its clock.
    pub fn clock(&self) -> Clock {
        let (started, nanos) = (self.started, self.nanos.clone());
        Arc::new(move || started + Duration::from_nanos(nanos.load(Ordering::SeqCst)))
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.nanos.fetch_add(time.as_nanos() as u64, Ordering::SeqCst);
    }

    /// Passes wait from now on, or do not any more.
    pub fn hold(&self, held: bool) {
        *self.allowed.lock().unwrap() = if held { 0 } else { usize::MAX };
        self.released.notify_all();
    }

    /// Tokens of each text of each pass that has begun.
    pub fn passes(&self) -> Vec<Vec<usize>> {
        self.passes.lock().unwrap().clone()
    }

    /// Lets so many passes go on, and holds those after them.
    pub fn allow(&self, passes: usize) {
        *self.allowed.lock().unwrap() = passes;
        self.released.notify_all();
    }

    /// Number of passes that have ended well.
    pub fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }

    /// Waits until so many passes have begun.
    pub fn wait_for_passes(&self, n: usize) {
        wait_until(|| self.passes.lock().unwrap().len() >= n);
    }

    /// Waits until a pass may go on.
    fn wait(&self, cancel: &AtomicBool) -> Result<(), EngineError> {
        let mut allowed = self.allowed.lock().unwrap();
        while *allowed == 0 && !cancel.load(Ordering::SeqCst) {
            allowed = self.released.wait_timeout(allowed, Duration::from_millis(1)).unwrap().0;
        }
        if *allowed != usize::MAX {
            *allowed = allowed.saturating_sub(1);
        }
        if cancel.load(Ordering::SeqCst) { Err(EngineError::Cancelled) } else { Ok(()) }
    }

    /// The ids of a text.
    pub fn encode_ids(&self, text: &str) -> Vec<u32> {
        self.encode(text, "", Truncate::End).unwrap().ids
    }

    /// The vector of a text, by the formula.
    pub fn vector(&self, text: &str, prefix: &str, dimensions: usize) -> Vec<f32> {
        let ids = self.encode(text, prefix, Truncate::End).unwrap().ids;
        self.finish(&row(&ids), dimensions, true).unwrap()
    }
}

/// Waits for a condition, not for long.
pub fn wait_until(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it never happened");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A row that depends on the ids and their order.
pub fn row(ids: &[u32]) -> Vec<f32> {
    let mut hash = 0x811c_9dc5_u32;
    let mut values = [0.0; 8];
    for (i, id) in ids.iter().enumerate() {
        hash = (hash ^ id).wrapping_mul(0x0100_0193);
        values[i % 8] += (hash >> 8) as f32 / (1 << 24) as f32 - 0.5;
    }
    values.to_vec()
}

/// The row of a token.
pub fn token_row(id: u32) -> [f32; 4] {
    [id as f32, 0.5, -0.25, 0.0]
}

/// One of [`PARTS`] of a text.
fn part_of(ids: &[u32], part: usize) -> &[u32] {
    &ids[part * ids.len() / PARTS..(part + 1) * ids.len() / PARTS]
}

fn id(word: &str) -> u32 {
    let fault = FAULTS.iter().find(|(name, _)| *name == word);
    let hash =
        word.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    fault.map_or(3 + hash % 900, |(_, id)| *id)
}

impl Engine for Fake {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn prompt(&self, name: &str) -> Result<Prompt, String> {
        let known = self.facts.prompts.iter().find(|prompt| prompt.name.eq_ignore_ascii_case(name));
        known.cloned().ok_or_else(|| format!("unknown prompt {name:?}; known: query, document"))
    }

    fn encode(&self, text: &str, prefix: &str, truncate: Truncate) -> Result<Encoding, TooLong> {
        assert!(text != UNREADABLE, "as the test asked");
        let text = format!("{prefix}{text}");
        let mut ids: Vec<u32> = text.split_whitespace().map(id).collect();
        let room = self.facts.n_ctx - MARKS.len();
        let dropped = ids.len().saturating_sub(room);
        match truncate {
            Truncate::None if dropped > 0 => {
                return Err(TooLong { reason: format!("more than {room} words") });
            }
            Truncate::Start => drop(ids.drain(..dropped)),
            _ => ids.truncate(room),
        }
        ids.insert(0, MARKS[0]);
        ids.push(MARKS[1]);
        Ok(Encoding { ids, dropped })
    }

    fn embed(
        &self,
        texts: &[&[u32]],
        cancel: &AtomicBool,
        rows: &mut [f32],
    ) -> Result<(), EngineError> {
        let tokens: Vec<usize> = texts.iter().map(|ids| ids.len()).collect();
        let total: usize = tokens.iter().sum();
        self.passes.lock().unwrap().push(tokens);
        self.wait(cancel)?;
        self.advance(Duration::from_secs_f64(2.5e-3 + total as f64 / 3222.0));
        for (ids, out) in texts.iter().zip(rows.chunks_exact_mut(8)) {
            out.copy_from_slice(&row(ids));
            match ids.iter().find_map(|id| FAULTS.iter().find(|(_, fault)| fault == id)) {
                Some(("nan", _)) => out[3] = f32::NAN,
                Some(("panic", _)) => panic!("as the test asked"),
                Some(("fault", _)) => return Err(EngineError::Failed("a fault".to_owned())),
                Some(("broken", _)) => {
                    return Err(EngineError::Broken("the file changed".to_owned()));
                }
                _ => {}
            }
        }
        self.ended.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn embed_long(
        &self,
        texts: &[&[u32]],
        cancel: &AtomicBool,
        between: Between<'_>,
        rows: &mut [f32],
    ) -> Result<(), EngineError> {
        for part in 0..PARTS {
            let parts: Vec<&[u32]> = texts.iter().map(|ids| part_of(ids, part)).collect();
            self.embed(&parts, cancel, rows)?;
            if part + 1 < PARTS && (between.wanted)() {
                (between.run)();
            }
        }
        for (ids, out) in texts.iter().zip(rows.chunks_exact_mut(8)) {
            out.copy_from_slice(&row(ids));
            if ids.contains(&FAULTS[0].1) {
                out[3] = f32::NAN;
            }
        }
        Ok(())
    }

    fn token_rows(
        &self,
        ids: &[u32],
        cancel: &AtomicBool,
        rows: &mut [f32],
    ) -> Result<(), EngineError> {
        self.embed(&[ids], cancel, &mut [0.0; 8])?;
        for (id, row) in ids.iter().zip(rows.chunks_exact_mut(4)) {
            row.copy_from_slice(&token_row(*id));
        }
        Ok(())
    }

    fn finish(&self, row: &[f32], dimensions: usize, normalize: bool) -> Option<Vec<f32>> {
        let mut vector = row[..dimensions].to_vec();
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if normalize {
            vector.iter_mut().for_each(|x| *x /= norm);
        }
        vector.iter().all(|x| x.is_finite()).then_some(vector)
    }

    fn cosine(&self, a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    fn tokens(&self, text: &str, prefix: &str, marks: bool, most: usize) -> Option<Vec<Token>> {
        let whole = format!("{prefix}{text}");
        let special = |id| Token { id, text: format!("<{id}>"), special: true, span: None };
        let mut tokens = Vec::from_iter(marks.then(|| special(MARKS[0])));
        tokens.extend(whole.split_whitespace().map(|word| {
            let start = word.as_ptr() as usize - whole.as_ptr() as usize;
            let span = Some(start..start + word.len());
            Token { id: id(word), text: word.to_owned(), special: false, span }
        }));
        tokens.extend(marks.then(|| special(MARKS[1])));
        (tokens.len() <= most).then_some(tokens)
    }

    fn decode(&self, ids: &[u32], skip_special: bool) -> String {
        let kept = ids.iter().filter(|id| !skip_special || !MARKS.contains(id));
        kept.map(u32::to_string).collect::<Vec<_>>().join(" ")
    }
}
