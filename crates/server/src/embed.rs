//! From inputs to vectors: what every route that embeds has in common.

use crate::answer::blocking;
use crate::app::App;
use crate::body::Held;
use crate::dispatcher::{Admission, Done, Finish};
use crate::engine::{Encoding, Prompt, Truncate};
use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::report::Report;
use crate::whole::Whole;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "grpc")]
use std::time::Duration;
use std::time::Instant;

/// Texts with fewer bytes are turned into ids by the thread that serves all connections: it takes some microseconds.
const SHORT: usize = 8 << 10;
/// Bytes of a token, roughly, for the first look at how much a request asks for.
const BYTES_PER_TOKEN: usize = 4;

/// Bytes of the rows that a request for tokens may have; as JSON, they are several times as many.
const MOST_ROWS: usize = 32 << 20;

/// How often a message of a stream asks again whether it is let in.
#[cfg(feature = "grpc")]
const AGAIN: Duration = Duration::from_millis(50);

/// What is to be embedded, and how.
#[derive(Clone)]
pub struct Asked {
    pub inputs: Inputs,
    pub prompt: Prompt,
    pub truncate: Truncate,
    pub finish: Finish,
    pub held: Arc<Held>,
}

/// Vectors, and what was done for them.
pub struct Embedded {
    pub vectors: Vec<Vec<f32>>,
    /// The texts that were cut: index, and number of tokens dropped.
    pub cuts: Vec<(usize, usize)>,
    pub report: Report,
}

/// What texts became.
struct Encoded {
    ids: Vec<Vec<u32>>,
    cuts: Vec<(usize, usize)>,
}

/// Set when the request is not wanted any more, which a thread that encodes many texts looks at.
struct Abandoned(Arc<AtomicBool>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl App {
    /// The prefix that a request asks for: by a prompt's name, or literally; the server's own where it names none.
    pub fn prompt(&self, name: Option<&str>, literal: Option<String>) -> Result<Prompt, Failure> {
        match (name, literal) {
            (Some(_), Some(_)) => {
                Err(Failure::invalid("prompt", "a request has either a prompt or a prompt's name"))
            }
            (Some(name), None) => {
                self.engine.prompt(name).map_err(|reason| Failure::invalid("prompt_name", reason))
            }
            (None, Some(prefix)) => {
                let name = if prefix.is_empty() { "none" } else { "custom" };
                Ok(Prompt { name: name.to_owned(), prefix })
            }
            (None, None) => Ok(self.options.prompt.clone()),
        }
    }

    /// The prefix for tokens: only of a prompt that is asked for, since the answer has places in the text.
    pub fn asked_prefix(&self, name: Option<&str>) -> Result<String, Failure> {
        name.map_or(Ok(String::new()), |name| Ok(self.prompt(Some(name), None)?.prefix))
    }

    /// The number of values that a request asks for.
    pub fn dimensions(&self, asked: Option<Whole>) -> Result<usize, Failure> {
        let all = self.facts().dimensions;
        let Some(Whole(n)) = asked else { return Ok(all) };
        match usize::try_from(n) {
            Ok(n) if (1..=all).contains(&n) => Ok(n),
            _ => Err(Failure::invalid(
                "dimensions",
                format!("{n} dimensions requested, but this model has 1 to {all}"),
            )),
        }
    }

    /// Embeds what is asked for.
    pub async fn embed(self: &Arc<Self>, asked: Asked) -> Result<Embedded, Failure> {
        self.begin(&asked)?;
        let admission = self.admit(&asked)?;
        self.embed_admitted(asked, admission).await
    }

    /// The same for a message of a stream, which is not refused for what is before it: the stream is not read further
    /// meanwhile, and so the client waits.
    #[cfg(feature = "grpc")]
    pub async fn embed_patiently(self: &Arc<Self>, asked: Asked) -> Result<Embedded, Failure> {
        self.begin(&asked)?;
        loop {
            let embedded = match self.admit(&asked) {
                Ok(admission) => self.embed_admitted(asked.clone(), admission).await,
                Err(failure) => Err(failure),
            };
            match embedded {
                Err(Failure::Overloaded { .. }) => tokio::time::sleep(AGAIN).await,
                other => return other,
            }
        }
    }

    fn admit(&self, asked: &Asked) -> Result<Admission, Failure> {
        let Asked { inputs, prompt, .. } = asked;
        self.dispatcher.admit(estimate(bytes(inputs), inputs.count(), &prompt.prefix))
    }

    fn begin(&self, asked: &Asked) -> Result<(), Failure> {
        let (texts, most) = (asked.inputs.count(), self.options.limits.batch);
        match texts {
            0 => Err(Failure::NoTexts),
            _ if texts > most => Err(Failure::TooManyTexts { found: texts, most }),
            _ => {
                self.metrics.asked(texts);
                Ok(())
            }
        }
    }

    async fn embed_admitted(
        self: &Arc<Self>,
        asked: Asked,
        admission: Admission,
    ) -> Result<Embedded, Failure> {
        let Asked { inputs, prompt, truncate, finish, held } = asked;
        let limits = self.options.limits;
        let texts = inputs.count();
        let space = self.space(&prompt, finish);
        let (bytes, characters) = (bytes(&inputs), characters(&inputs));
        let begun = Instant::now();
        let abandoned = Abandoned(Arc::default());
        let (app, flag) = (self.clone(), abandoned.0.clone());
        let is_long = bytes + texts * prompt.prefix.len() > SHORT;
        let encode = move || app.encode(inputs, &prompt.prefix, truncate, &flag);
        let Encoded { ids, cuts } = blocking(is_long, encode).await??;
        let tokenization = begun.elapsed();
        let tokens: Vec<usize> = ids.iter().map(Vec::len).collect();
        let all: usize = tokens.iter().sum();
        let rows_held = match finish {
            Finish::Vector { .. } => None,
            Finish::Tokens => Some(self.hold_rows(all)?),
        };
        tokens.iter().for_each(|&tokens| self.metrics.text(tokens));

        let kept = match (&self.cache, finish) {
            (Some(cache), Finish::Vector { .. }) => cache.find(&ids),
            _ => Vec::new(),
        };
        let cached = self.cache.as_ref().map(|_| kept.iter().flatten().count());
        let done = match cached {
            Some(hits) if hits == texts => Done::default(),
            _ => {
                let is_unknown = |text: &usize| kept.get(*text).is_none_or(Option::is_none);
                let unknown: Vec<usize> = (0..texts).filter(is_unknown).collect();
                let ids = ids.into_iter().enumerate().filter(|(text, _)| is_unknown(text));
                let ticket = admission.submit(ids.map(|(_, ids)| ids).collect(), finish)?;
                let timed = tokio::time::timeout(limits.timeout, ticket.done()).await;
                timed.unwrap_or(Err(Failure::Timeout(limits.timeout))).map_err(|failure| {
                    match failure {
                        Failure::NotFinite { text } => Failure::NotFinite { text: unknown[text] },
                        failure => failure,
                    }
                })?
            }
        };
        let Done { vectors, queue, inference } = done;
        let vectors = self.merge(kept, vectors, finish)?;
        drop((held, rows_held, abandoned));
        let truncated = cuts.len();
        let report = Report {
            texts,
            characters,
            tokens: all,
            truncated,
            tokenization,
            queue,
            inference,
            cached,
            space,
        };
        Ok(Embedded { vectors, cuts, report })
    }

    /// All vectors in order: those of kept rows, and the others.
    fn merge(
        &self,
        kept: Vec<Option<Arc<[f32]>>>,
        vectors: Vec<Vec<f32>>,
        finish: Finish,
    ) -> Result<Vec<Vec<f32>>, Failure> {
        let Finish::Vector { dimensions, normalize } = finish else { return Ok(vectors) };
        if kept.is_empty() {
            return Ok(vectors);
        }
        let mut others = vectors.into_iter();
        let mut one = |(text, row): (usize, Option<Arc<[f32]>>)| {
            match row {
                Some(row) => self.engine.finish(&row, dimensions, normalize),
                None => others.next(),
            }
            .ok_or(Failure::NotFinite { text })
        };
        kept.into_iter().enumerate().map(&mut one).collect()
    }

    /// Room for the rows of so many tokens.
    fn hold_rows(&self, tokens: usize) -> Result<Held, Failure> {
        let bytes = tokens * self.facts().n_embd * size_of::<f32>();
        if bytes > MOST_ROWS {
            return Err(Failure::TooLarge(format!(
                "the rows of {tokens} tokens have {bytes} bytes, and those of a request may have {MOST_ROWS}; send \
                 fewer texts at a time"
            )));
        }
        Held::new(self, bytes)
    }

    /// What vectors can be compared with: an index that keeps this can refuse to mix.
    fn space(&self, prompt: &Prompt, finish: Finish) -> String {
        let (name, fingerprint) = (self.name(), &self.facts().fingerprint);
        let kind = match finish {
            Finish::Vector { dimensions, .. } => dimensions.to_string(),
            Finish::Tokens => "tokens".to_owned(),
        };
        format!("{name}/{fingerprint}/{kind}/{}", prompt.name)
    }

    fn encode(
        &self,
        inputs: Inputs,
        prefix: &str,
        truncate: Truncate,
        abandoned: &AtomicBool,
    ) -> Result<Encoded, Failure> {
        let (mut ids, mut cuts) = (Vec::with_capacity(inputs.count()), Vec::new());
        let most = self.options.limits.request_tokens;
        let mut tokens = 0;
        let mut add = |encoding: Encoding| {
            tokens += encoding.ids.len();
            if tokens > most {
                return Err(Failure::TooLarge(format!(
                    "the request has more than the {most} tokens that one may have; send fewer texts at a time"
                )));
            }
            if encoding.dropped > 0 {
                cuts.push((ids.len(), encoding.dropped));
            }
            ids.push(encoding.ids);
            // Nobody reads this.
            if abandoned.load(Ordering::Relaxed) { Err(Failure::Draining) } else { Ok(()) }
        };
        match inputs {
            Inputs::Texts(texts) => {
                for (text, input) in texts.iter().enumerate() {
                    let encoding = self.engine.encode(input, prefix, truncate);
                    add(encoding
                        .map_err(|error| Failure::TooLong { text, reason: error.reason })?)?;
                }
            }
            Inputs::Ids(texts) => {
                for (text, ids) in texts.into_iter().enumerate() {
                    self.check_ids(text, &ids)?;
                    add(Encoding { ids, dropped: 0 })?;
                }
            }
        }
        Ok(Encoded { ids, cuts })
    }

    fn check_ids(&self, text: usize, ids: &[u32]) -> Result<(), Failure> {
        let (n_ctx, n_vocab) = (self.facts().n_ctx, self.facts().n_vocab);
        let invalid = |reason| Failure::Invalid { field: Some("input".to_owned()), reason };
        if ids.is_empty() {
            return Err(invalid(format!("the text at index {text} has no ids")));
        }
        if let Some(id) = ids.iter().find(|&&id| id as usize >= n_vocab) {
            return Err(invalid(format!(
                "the text at index {text} has the id {id}, beyond the vocabulary of {n_vocab} pieces"
            )));
        }
        if ids.len() > n_ctx {
            let reason = format!("{} ids, more than the context of {n_ctx}", ids.len());
            return Err(Failure::TooLong { text, reason });
        }
        Ok(())
    }
}

/// About how many tokens texts of so many bytes have, with their prefixes and marks.
pub fn estimate(bytes: usize, texts: usize, prefix: &str) -> usize {
    bytes / BYTES_PER_TOKEN + texts * (2 + prefix.len() / BYTES_PER_TOKEN)
}

/// Bytes of the texts; an id stands for a few.
fn bytes(inputs: &Inputs) -> usize {
    match inputs {
        Inputs::Texts(texts) => texts.iter().map(String::len).sum(),
        Inputs::Ids(texts) => texts.iter().map(Vec::len).sum::<usize>() * BYTES_PER_TOKEN,
    }
}

/// Characters of the texts.
fn characters(inputs: &Inputs) -> usize {
    match inputs {
        Inputs::Texts(texts) => texts.iter().map(|text| text.chars().count()).sum(),
        Inputs::Ids(_) => 0,
    }
}
