//! Streams: an iterator of texts becomes an iterator of vectors, with bounded memory.

use crate::embedder::Embedder;
use crate::error::Error;
use crate::options::EmbedOptions;
use crate::request::{Embedding, Request};
use crate::tokenizer::Encoding;
use std::collections::VecDeque;
use std::iter::FusedIterator;

/// Tokens read ahead per thread: enough that the last bundles of a read-ahead leave a thread idle for only a few
/// percent of its time, and few enough that it takes seconds, not minutes.
const TOKENS_PER_THREAD: usize = 8192;

/// Vectors of an iterator's texts, in order: made by [`Embedder::stream`].
///
/// It takes texts from the iterator until they have so many tokens ([`Stream::read_ahead`]), embeds them together on
/// all threads, and gives their vectors out one by one. Memory is bounded by this read-ahead, however many texts there
/// are: the texts themselves, their ids and one vector each. An iterator may return `None` to have what was
/// taken embedded; it is asked again then, and `None` without a text since the last is the end.
///
/// An error of one text ([`Error::text`] is its index in the stream, from 0) takes that text's place, and the next
/// texts follow. Any other error, such as [`Error::Cancelled`], ends the stream.
pub struct Stream<'a, I: Iterator> {
    embedder: &'a Embedder,
    texts: I,
    state: State,
    /// Tokens of a read-ahead.
    read_ahead: usize,
    /// Texts taken from the iterator.
    taken: usize,
    ready: VecDeque<(I::Item, Result<Embedding, Error>)>,
    /// Rows of the last read-ahead, kept for their memory.
    rows: Vec<f32>,
}

enum State {
    Open(Box<Request>),
    /// The options were wrong, and the error has not been returned yet.
    Refused(Error),
    Ended,
}

/// What [`Embedder::run_into`] made vectors of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tokens of all texts, prompts and special tokens included.
    pub tokens: u64,
    /// Texts that were longer than the context and were cut.
    pub cut: usize,
}

/// A [`Stream`] that gives each text back with its vector: made by [`Stream::with_texts`].
pub struct WithTexts<'a, I: Iterator>(Stream<'a, I>);

impl Embedder {
    /// Embeds the texts of an iterator on demand, with bounded memory. See [`Stream`].
    ///
    /// The iterator may read a file or a channel; with another thread at the channel's other end, reading and embedding
    /// overlap. Setting [`EmbedOptions::cancel`] ends the stream within milliseconds.
    ///
    /// ```
    /// use monomorph::{EmbedOptions, Embedder};
    ///
    /// # fn main() -> Result<(), monomorph::Error> {
    /// let embedder = Embedder::open_built()?;
    /// let notes = (1..=1000).map(|day| format!("Day {day}: rain."));
    /// let mut values = 0;
    /// for embedding in embedder.stream(notes, &EmbedOptions::default()) {
    ///     values += embedding?.vector.len();
    /// }
    /// assert_eq!(values, 1000 * embedder.info().dimensions);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream<I>(&self, texts: I, options: &EmbedOptions) -> Stream<'_, I::IntoIter>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let state = match self.request(options) {
            Ok(request) => State::Open(Box::new(request)),
            Err(error) => State::Refused(error),
        };
        Stream {
            embedder: self,
            texts: texts.into_iter(),
            state,
            read_ahead: TOKENS_PER_THREAD * self.info().threads,
            taken: 0,
            ready: VecDeque::new(),
            rows: Vec::new(),
        }
    }

    /// Embeds texts, in order, into the caller's memory: a row for each, as long as the options make vectors. It takes
    /// the texts as [`Stream`] does, `read_ahead` tokens at a time, so that little other memory is needed, and after each
    /// such step tells `progress` how many texts are done.
    ///
    /// ```
    /// use monomorph::{EmbedOptions, Embedder};
    ///
    /// # fn main() -> Result<(), monomorph::Error> {
    /// let embedder = Embedder::open_built()?;
    /// let options = EmbedOptions { dimensions: Some(16), ..Default::default() };
    /// let mut rows = vec![0.0; 2 * 16];
    /// let counts = embedder.run_into(&["one", "two"], &options, None, &mut rows, |_| ())?;
    /// assert_eq!(rows[16..], embedder.run(&["two"], &options)?[0].vector);
    /// assert_eq!(counts.cut, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The first text's that has one, as [`Embedder::run`]; earlier rows are written by then. [`Error::Rows`] where `out`
    /// is not as long as all rows; nothing has been computed then.
    pub fn run_into(
        &self,
        texts: &[impl AsRef<str>],
        options: &EmbedOptions,
        read_ahead: Option<usize>,
        out: &mut [f32],
        mut progress: impl FnMut(usize),
    ) -> Result<Counts, Error> {
        // A length that no vector of the model has is refused here.
        self.request(options)?;
        let dimensions = options.dimensions.unwrap_or(self.info().dimensions);
        let expected = texts.len().saturating_mul(dimensions);
        if out.len() != expected {
            return Err(Error::Rows { values: out.len(), expected });
        }
        let mut stream = self.stream(texts, options);
        stream.read_ahead = read_ahead.unwrap_or(stream.read_ahead);
        let mut counts = Counts::default();
        for (done, row) in out.chunks_exact_mut(dimensions).enumerate() {
            let Some(embedding) = stream.next() else { break };
            let embedding = embedding?;
            row.copy_from_slice(&embedding.vector);
            counts.tokens += embedding.tokens as u64;
            counts.cut += usize::from(embedding.dropped > 0);
            if stream.ready.is_empty() {
                progress(done + 1);
            }
        }
        Ok(counts)
    }
}

impl<'a, I: Iterator<Item: AsRef<str>>> Stream<'a, I> {
    /// Number of tokens that are read ahead and embedded together; the default is 8192 per thread. Fewer give the first
    /// vector sooner and take less memory, more keep many threads busier. The last text may exceed it.
    pub fn read_ahead(mut self, tokens: usize) -> Self {
        self.read_ahead = tokens;
        self
    }

    /// Gives each text back with its vector, so that what belongs to it can travel along: any type that is
    /// `AsRef<str>` can be a text. The error that ends a stream comes with the first text that has no vector.
    ///
    /// ```
    /// # fn main() -> Result<(), monomorph::Error> {
    /// # let embedder = monomorph::Embedder::open_built()?;
    /// let stream = embedder.stream(["one", "two"], &Default::default());
    /// for (text, embedding) in stream.with_texts() {
    ///     println!("{text} has {} tokens", embedding?.tokens);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_texts(self) -> WithTexts<'a, I> {
        WithTexts(self)
    }

    /// Computes the results of the next read-ahead; none if there are no more texts or the stream has ended.
    fn fill(&mut self) {
        let request = match std::mem::replace(&mut self.state, State::Ended) {
            State::Open(request) => request,
            State::Refused(error) => {
                self.ready.extend(self.texts.next().map(|text| (text, Err(error))));
                return;
            }
            State::Ended => return,
        };
        let first = self.taken;
        let mut batch: Vec<(I::Item, Result<Encoding, Error>)> = Vec::new();
        let (mut tokens, mut has_paused) = (0, false);
        while batch.is_empty() || (tokens < self.read_ahead && !request.is_cancelled()) {
            let Some(text) = self.texts.next() else {
                if batch.is_empty() && !has_paused {
                    has_paused = true;
                    continue;
                }
                break;
            };
            let encoding = request.encode(self.taken, text.as_ref());
            self.taken += 1;
            tokens += encoding.as_ref().map_or(1, |encoding| encoding.ids.len().max(1));
            batch.push((text, encoding));
        }
        if batch.is_empty() {
            return;
        }
        let ids: Vec<&[u32]> =
            batch.iter().filter_map(|(_, e)| Some(e.as_ref().ok()?.ids.as_slice())).collect();
        let n_embd = self.embedder.info().dimensions;
        // Every value is overwritten.
        self.rows.resize(ids.len() * n_embd, 0.0);
        let run = self.embedder.embed_ids(&ids, request.options.cancel.as_deref(), &mut self.rows);
        if let Err(error) = run {
            let (text, _) = batch.swap_remove(0);
            self.ready.push_back((text, Err(error)));
            return;
        }
        let mut rows = self.rows.chunks_exact(n_embd);
        self.ready.extend(batch.into_iter().enumerate().map(|(i, (text, encoding))| {
            let embedding = encoding.and_then(|encoding| {
                let row = rows.next().unwrap_or_default();
                request.embedding(first + i, &encoding, row)
            });
            (text, embedding)
        }));
        self.state = State::Open(request);
    }

    fn next_with_text(&mut self) -> Option<(I::Item, Result<Embedding, Error>)> {
        if self.ready.is_empty() {
            self.fill();
        }
        self.ready.pop_front()
    }
}

impl<I: Iterator<Item: AsRef<str>>> Iterator for Stream<'_, I> {
    type Item = Result<Embedding, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_with_text().map(|(_, embedding)| embedding)
    }
}

impl<I: Iterator<Item: AsRef<str>>> Iterator for WithTexts<'_, I> {
    type Item = (I::Item, Result<Embedding, Error>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_with_text()
    }
}

impl<I: Iterator<Item: AsRef<str>>> FusedIterator for Stream<'_, I> {}
impl<I: Iterator<Item: AsRef<str>>> FusedIterator for WithTexts<'_, I> {}
