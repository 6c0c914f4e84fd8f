//! What waits for the engine, and who is next. It knows no time and no threads.
//!
//! A pass has a budget of tokens. The engine is faster over more, so that a pass has a larger budget where nobody has
//! to wait for all of it.
//!
//! - *Short* requests, those whose tokens all fit the budget, wait in order of arrival, and a pass takes whole ones
//!   while they fit. Where many wait, a pass may have an eighth of the tokens that a newcomer waits for anyway.
//! - *Long* requests take turns, so that one of two thousand texts is not in the way of one of two hundred: deficit
//!   round robin (M. Shreedhar, G. Varghese, *Efficient Fair Queuing Using Deficit Round Robin*, 1995). Each turn adds
//!   a budget to what a request may take, and what it cannot use yet is kept for its next turn; so all get the same
//!   number of tokens, whether their texts are short or long. Their passes may be interrupted between two of the
//!   model's layers, and so have the larger budget. A text over that is a pass of its own.
//! - A pass holds one kind: a short text does not wait for a pass that is filled up with others' bulk.
//! - While both kinds wait, each gets half of the tokens. A credit of the long ones grows by half of what short ones
//!   take, and shrinks by half of what they take themselves. It is their turn while it is above zero, and it starts at
//!   zero when both begin to wait.
//! - A pass of long ones is interrupted for one of short requests by the same credit: it counts as if it were taken
//!   while both waited. It is not where so many short ones wait that they wait for longer than a pass anyway, unless it
//!   is a text longer than any pass.

use std::collections::{BTreeMap, VecDeque};

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

/// A pass may have one part in so many of the tokens that a new short request would wait for.
const CROWD: usize = 8;

/// Requests that wait, each with a value of its owner's. Numbers of requests grow in order of arrival.
pub struct Queue<J> {
    short: BTreeMap<u64, Waiting<J>>,
    /// In order of their turns.
    long: VecDeque<(u64, Waiting<J>)>,
    /// Twice what the long ones may take before it is the short ones' turn.
    credit: i64,
    /// Tokens of the last pass of long ones, if no short one waited when it was taken.
    uncounted: i64,
    /// Tokens of the last pass.
    last: usize,
    next: u64,
    short_size: Size,
    long_size: Size,
}

struct Waiting<J> {
    job: J,
    texts: VecDeque<Text>,
    /// Tokens of all of them.
    tokens: usize,
    /// Tokens that it may take before its turn ends, if it is a long one.
    deficit: usize,
    /// Whether a pass with its texts may be large.
    may_rest: bool,
}

/// Tokens that a pass may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Most passes.
    pub pass: usize,
    /// Those that may be interrupted, and those of many short requests; no fewer.
    pub large: usize,
}

/// The texts of a pass.
#[derive(Debug)]
pub struct Pass<J> {
    /// None if nothing waits.
    pub texts: Vec<Taken<J>>,
    /// Whether it is one of long requests that has more tokens than most, and may be interrupted.
    pub may_rest: bool,
}

impl Budget {
    /// Whatever waits.
    pub const UNLIMITED: Budget = Budget { pass: usize::MAX, large: usize::MAX };
}

/// One text of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Its place in the request.
    pub index: usize,
    /// Its ids.
    pub ids: Vec<u32>,
}

/// A text that is part of a pass.
#[derive(Clone, Debug)]
pub struct Taken<J> {
    /// The number of its request.
    pub request: u64,
    /// What the request's owner gave with it.
    pub job: J,
    /// The text.
    pub text: Text,
}

/// Which line a request stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All its tokens fit one pass.
    Short,
    /// They do not.
    Long,
}

impl Kind {
    /// The kind of a request with so many tokens.
    pub fn of(tokens: usize, budget: usize) -> Kind {
        if tokens <= budget { Kind::Short } else { Kind::Long }
    }
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Requests.
    pub requests: usize,
    /// Texts.
    pub texts: usize,
    /// Tokens.
    pub tokens: usize,
}

impl<J: Clone> Queue<J> {
    /// A queue in which nothing waits.
    pub fn new() -> Queue<J> {
        Queue {
            short: BTreeMap::new(),
            long: VecDeque::new(),
            credit: 0,
            uncounted: 0,
            last: 0,
            next: 0,
            short_size: Size::default(),
            long_size: Size::default(),
        }
    }

    /// Adds a request, at least one text, and returns its number. `budget` is that of most passes; `may_rest` says
    /// whether the engine can interrupt a pass with its texts, and is faster over many of them.
    pub fn push(&mut self, texts: Vec<Text>, job: J, may_rest: bool, budget: usize) -> u64 {
        let tokens = texts.iter().map(|text| text.ids.len()).sum();
        let number = self.next;
        self.next += 1;
        let size = Size { requests: 1, texts: texts.len(), tokens };
        let waiting = Waiting { job, texts: texts.into(), tokens, deficit: budget, may_rest };
        match Kind::of(tokens, budget) {
            Kind::Short => {
                self.short_size.add(size);
                self.short.insert(number, waiting);
            }
            Kind::Long => {
                self.long_size.add(size);
                self.long.push_back((number, waiting));
            }
        }
        number
    }

    /// The next pass.
    pub fn take(&mut self, budget: Budget) -> Pass<J> {
        let both = !self.short.is_empty() && !self.long.is_empty();
        if !both {
            self.credit = 0;
        }
        let kind = match self.short.is_empty() || (both && self.credit > 0) {
            true => Kind::Long,
            false => Kind::Short,
        };
        let pass = match kind {
            Kind::Short => Pass { texts: self.take_short(budget), may_rest: false },
            Kind::Long => self.take_long(budget),
        };
        let tokens = tokens(&pass.texts);
        self.last = tokens as usize;
        self.uncounted = 0;
        match kind {
            Kind::Short if both => self.credit += tokens,
            Kind::Long if both => self.credit -= tokens,
            Kind::Short => {}
            Kind::Long => self.uncounted = tokens,
        }
        pass
    }

    /// The texts of a pass of short requests for which the last pass that was taken, one of long ones, is interrupted;
    /// none if none wait, or it is the long ones' turn.
    pub fn take_between(&mut self, budget: Budget) -> Vec<Taken<J>> {
        if !self.may_interrupt(budget) {
            return Vec::new();
        }
        self.credit -= std::mem::take(&mut self.uncounted);
        let pass = self.take_short(budget);
        self.credit += tokens(&pass);
        pass
    }

    /// Whether [`Queue::take_between`] has something to give.
    pub fn may_interrupt(&self, budget: Budget) -> bool {
        // Threads wait for each other at an interruption.
        let is_crowd = self.ahead_of(Kind::Short) > CROWD * budget.pass;
        let waits = is_crowd && self.last <= budget.large;
        !self.short.is_empty() && self.credit - self.uncounted <= 0 && !waits
    }

    /// Whole requests, in order of arrival, while they fit. One that arrived under a larger budget goes alone.
    fn take_short(&mut self, budget: Budget) -> Vec<Taken<J>> {
        let crowd = (self.ahead_of(Kind::Short) / CROWD).clamp(budget.pass, budget.large);
        let mut pass = Vec::new();
        let (mut tokens, mut may_rest) = (0, true);
        while let Some(first) = self.short.first_entry() {
            tokens += first.get().tokens;
            may_rest &= first.get().may_rest;
            let most = if may_rest { crowd } else { budget.pass };
            if tokens > most && !pass.is_empty() {
                break;
            }
            let (request, waiting) = first.remove_entry();
            self.short_size.subtract(waiting.size());
            let job = waiting.job;
            let taken = |text| Taken { request, job: job.clone(), text };
            pass.extend(waiting.texts.into_iter().map(taken));
        }
        pass
    }

    /// Texts of the request whose turn it is and of the next ones, while they fit.
    fn take_long(&mut self, budget: Budget) -> Pass<J> {
        debug_assert!(budget.pass > 0, "no turn would ever be enough");
        let mut pass = Vec::new();
        let (mut tokens, mut may_rest) = (0, true);
        while let Some((request, mut waiting)) = self.long.pop_front() {
            let next = waiting.texts.front().map_or(0, |text| text.ids.len());
            if next > waiting.deficit {
                waiting.deficit = waiting.deficit.saturating_add(budget.pass);
                self.long.push_back((request, waiting));
                continue;
            }
            let most = if may_rest && waiting.may_rest { budget.large } else { budget.pass };
            if tokens + next > most && !pass.is_empty() {
                self.long.push_front((request, waiting));
                break;
            }
            tokens += next;
            may_rest &= waiting.may_rest;
            let is_last = waiting.texts.len() == 1;
            self.long_size.subtract(Size { requests: is_last.into(), texts: 1, tokens: next });
            waiting.tokens -= next;
            waiting.deficit -= next;
            if let Some(text) = waiting.texts.pop_front() {
                pass.push(Taken { request, job: waiting.job.clone(), text });
            }
            if !is_last {
                self.long.push_front((request, waiting));
            }
        }
        Pass { texts: pass, may_rest: may_rest && tokens > budget.pass }
    }

    /// Takes out what still waits of a request. Returns the number of its texts.
    pub fn remove(&mut self, request: u64) -> usize {
        if let Some(waiting) = self.short.remove(&request) {
            self.short_size.subtract(waiting.size());
            return waiting.texts.len();
        }
        let place = self.long.iter().position(|(number, _)| *number == request);
        let Some((_, waiting)) = place.and_then(|place| self.long.remove(place)) else { return 0 };
        self.long_size.subtract(waiting.size());
        waiting.texts.len()
    }

    /// Tokens that are served before a request of this kind that arrives now.
    pub fn ahead_of(&self, kind: Kind) -> usize {
        let (short, long) = (self.short_size.tokens, self.long_size.tokens);
        match kind {
            // The long ones take as much meanwhile, if they have it.
            Kind::Short => short + long.min(short),
            Kind::Long => short + long,
        }
    }

    /// How much waits.
    pub fn size(&self) -> Size {
        let mut size = self.short_size;
        size.add(self.long_size);
        size
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.short.is_empty() && self.long.is_empty()
    }
}

fn tokens<J>(pass: &[Taken<J>]) -> i64 {
    pass.iter().map(|taken| taken.text.ids.len() as i64).sum()
}

impl<J> Waiting<J> {
    fn size(&self) -> Size {
        Size { requests: 1, texts: self.texts.len(), tokens: self.tokens }
    }
}

impl Size {
    fn add(&mut self, other: Size) {
        self.requests += other.requests;
        self.texts += other.texts;
        self.tokens += other.tokens;
    }

    fn subtract(&mut self, other: Size) {
        self.requests -= other.requests;
        self.texts -= other.texts;
        self.tokens -= other.tokens;
    }
}
