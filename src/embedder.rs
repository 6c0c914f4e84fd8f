//! The library's front: text in, vectors out.

use crate::built::{self, Built, FINGERPRINT, SPEC};
use crate::error::Error;
use crate::gate;
use crate::image;
use crate::options::{EmbedOptions, Kernels, OpenOptions};
use crate::pass::Pass;
use crate::prompt::prompt_by_name;
use crate::request::{Embedding, Request};
use crate::tokenizer::{Encoding, Tokenizer};
use crate::watch::Watch;
use monomorph_encoder::threads::{Threads, default_threads};
use monomorph_encoder::weights::Weights;
use monomorph_encoder::{
    Cancelled, Forward, Resting, Scheduler, Stop, select, select_generic, workspace_bytes,
};
use monomorph_quant::image::{Form, layout};
use monomorph_spec::{Prompt, Spec};
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// An open model. It can be shared between threads; requests run one after another, each on all threads of the
/// embedder.
///
/// ```
/// use monomorph::{EmbedOptions, Embedder, cosine};
///
/// # fn main() -> Result<(), monomorph::Error> {
/// let embedder = Embedder::open_built()?;
/// // None for a model that was trained without prompts, such as a language model.
/// let prompt = embedder.prompt("document").ok();
/// let options = EmbedOptions { prompt, ..Default::default() };
/// let embeddings = embedder.run(&["Mars is red.", "Venus is hot."], &options)?;
/// let alike = cosine(&embeddings[0].vector, &embeddings[1].vector);
/// assert!((-1.0..=1.0).contains(&alike));
/// # Ok(())
/// # }
/// ```
pub struct Embedder {
    threads: Threads,
    encoder: Box<dyn Forward>,
    scheduler: Scheduler,
    /// What the model is, and its vocabulary.
    spec: &'static Spec,
    tokenizer: Tokenizer,
    info: Info,
    /// The file that the weights are mapped from; none if they are inside the binary, or were given as bytes.
    file: Option<Watch>,
}

/// What an embedder runs on.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// The instruction set in use.
    pub isa: &'static str,
    /// `specialized` or `generic`, see [`Kernels`].
    pub path: &'static str,
    /// Number of threads that a request uses.
    pub threads: usize,
    /// Dimensions of a full vector.
    pub dimensions: usize,
    /// The longest text, in tokens.
    pub n_ctx: usize,
    /// Private memory used by kept panels, in bytes.
    pub kept_bytes: usize,
}

/// Memory that a model needs, in bytes, where its weights are in a file. Not counted is the beginning that texts of a
/// causal model share: keys and values of at most 256 tokens in every layer.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Mapped from the file and shared with other processes.
    pub mapped: u64,
    /// Workspace of a pass over one text that fills the context.
    pub workspace: u64,
    /// Panels, where [`OpenOptions::keep_panels`] asks for them.
    pub kept_panels: u64,
}

impl Embedder {
    /// Opens the model file that this binary was built for, with default options.
    ///
    /// The file is mapped, not read, and must not be modified in place while the embedder exists. Each request checks
    /// the file's length and modification time at its start and end, and fails with [`Error::Changed`] if they differ;
    /// a file that is truncated in the middle of a request ends the process with SIGBUS. Replace model files by
    /// renaming.
    pub fn open(path: impl AsRef<Path>) -> Result<Embedder, Error> {
        Embedder::options().open(path)
    }

    /// Opens the model of the build, with default options: from inside the binary, where the build put it there
    /// ([`built::IS_EMBEDDED`]), else from the path that the build was given ([`built::SOURCE`]).
    pub fn open_built() -> Result<Embedder, Error> {
        Embedder::options().open_built()
    }

    /// Options to open with.
    pub fn options() -> OpenOptions {
        OpenOptions::default()
    }

    /// Checks that a file is byte for byte the one of the build.
    pub fn verify(path: impl AsRef<Path>) -> Result<(), Error> {
        gate::verify(path.as_ref(), &SPEC, &FINGERPRINT)
    }

    /// Checks that the weights inside this binary are byte for byte those that the build put there. Where they are in a
    /// file, there is nothing to check.
    pub fn verify_embedded() -> Result<(), Error> {
        gate::verify_embedded()
    }

    /// The vector of one text, with default options: no prompt, all dimensions, length one.
    pub fn embed(&self, text: &str) -> Result<Vec<f32>, Error> {
        let embeddings = self.run(&[text], &EmbedOptions::default())?;
        Ok(embeddings.into_iter().map(|embedding| embedding.vector).next().unwrap_or_default())
    }

    /// The vectors of many texts, with default options.
    pub fn embed_batch(&self, texts: &[impl AsRef<str>]) -> Result<Vec<Vec<f32>>, Error> {
        let embeddings = self.run(texts, &EmbedOptions::default())?;
        Ok(embeddings.into_iter().map(|embedding| embedding.vector).collect())
    }

    /// Embeds texts, in order. A text's vector has the same bits alone and in any company.
    ///
    /// Its three steps are also available one by one, to batch texts of several callers: [`Embedder::encode`],
    /// [`Embedder::embed_ids`], [`Embedder::finish`].
    pub fn run(
        &self,
        texts: &[impl AsRef<str>],
        options: &EmbedOptions,
    ) -> Result<Vec<Embedding>, Error> {
        let request = self.request(options)?;
        // Many texts take seconds to tokenize, so the caller may cancel between two of them.
        let encode = |(text, input): (usize, &str)| match request.is_cancelled() {
            true => Err(Error::Cancelled),
            false => request.encode(text, input),
        };
        let texts = texts.iter().map(AsRef::as_ref).enumerate();
        let encodings: Vec<Encoding> = texts.map(encode).collect::<Result<_, _>>()?;
        let ids: Vec<&[u32]> = encodings.iter().map(|encoding| encoding.ids.as_slice()).collect();
        let mut rows = vec![0.0; ids.len() * self.spec.n_out];
        self.embed_ids(&ids, options.cancel.as_deref(), &mut rows)?;
        let rows = rows.chunks_exact(self.spec.n_out).zip(&encodings).enumerate();
        rows.map(|(text, (row, encoding))| request.embedding(text, encoding, row)).collect()
    }

    /// The ids of a text as [`Embedder::run`] would embed it: normalised, after its prompt and prefix, cut to
    /// the context. Does not wait for running requests.
    ///
    /// # Errors
    /// [`Error::TooLong`], as of text 0, where the options forbid cutting; [`Error::Dimensions`] and
    /// [`Error::NoPrompts`] for options that do not suit the model.
    pub fn encode(&self, text: &str, options: &EmbedOptions) -> Result<Encoding, Error> {
        self.request(options)?.encode(0, text)
    }

    /// Embeds texts that are ids already, and writes a row of [`Info::dimensions`] values for each into `rows`: the
    /// whole vector before it is cut or scaled, which is what [`Embedder::finish`] takes.
    ///
    /// # Errors
    /// [`Error::Ids`] for a text that has no ids, more than [`Info::n_ctx`], or one beyond the vocabulary, and
    /// [`Error::Rows`] where `rows` has another length than that of all rows; nothing has been computed then.
    /// [`Error::Cancelled`] once `cancel` is set; [`Error::Changed`] if the model file was written to or cut
    /// ([`Error::Open`] if its state cannot be read), while one that was removed or renamed over stays readable;
    /// [`Error::Panicked`] if a thread did, which is a bug.
    pub fn embed_ids(
        &self,
        ids: &[&[u32]],
        cancel: Option<&AtomicBool>,
        rows: &mut [f32],
    ) -> Result<(), Error> {
        self.check_ids(ids)?;
        let expected = ids.len() * self.spec.n_out;
        if rows.len() != expected {
            return Err(Error::Rows { values: rows.len(), expected });
        }
        let never = AtomicBool::new(false);
        let cancel = cancel.unwrap_or(&never);
        self.guarded(|| self.scheduler.run(&self.threads, self.encoder.as_ref(), ids, cancel, rows))
    }

    /// Begins to embed texts that are ids already, in a way that can rest for others. Texts that were begun keep their
    /// memory while they rest, so they should be some hundred tokens for each thread, or one text.
    ///
    /// # Errors
    /// [`Error::Ids`], as of [`Embedder::embed_ids`].
    pub fn pass<'a>(&'a self, ids: &'a [&'a [u32]]) -> Result<Pass<'a>, Error> {
        self.check_ids(ids)?;
        Ok(Pass { embedder: self, ids, resting: None })
    }

    /// Goes on with a [`Pass`].
    pub(crate) fn resume(
        &self,
        ids: &[&[u32]],
        resting: &mut Option<Resting>,
        stop: Stop<'_>,
        rows: &mut [f32],
    ) -> Result<bool, Error> {
        let expected = ids.len() * self.spec.n_out;
        if rows.len() != expected {
            return Err(Error::Rows { values: rows.len(), expected });
        }
        if ids.is_empty() {
            return Ok(true);
        }
        let (threads, encoder) = (&self.threads, self.encoder.as_ref());
        let result = self.guarded(|| {
            let resting = match &mut *resting {
                Some(resting) => resting,
                none => none.insert(self.scheduler.begin(threads, encoder, ids, stop.cancel)?),
            };
            self.scheduler.resume(threads, encoder, ids, resting, stop, rows)
        });
        if !matches!(result, Ok(false)) {
            // If it is resumed all the same, it begins again.
            self.end(resting.take());
        }
        result
    }

    /// Keeps the memory of a [`Pass`] for others.
    pub(crate) fn end(&self, resting: Option<Resting>) {
        resting.into_iter().for_each(|resting| self.scheduler.end(resting));
    }

    /// A row of `spec().n_embd` values for each token of a text that is ids already: what pooling makes the text's
    /// vector of, before any dense head.
    ///
    /// # Errors
    /// As of [`Embedder::embed_ids`].
    pub fn token_rows(
        &self,
        ids: &[u32],
        cancel: Option<&AtomicBool>,
        rows: &mut [f32],
    ) -> Result<(), Error> {
        self.check_ids(&[ids])?;
        let expected = ids.len() * self.spec.n_embd;
        if rows.len() != expected {
            return Err(Error::Rows { values: rows.len(), expected });
        }
        let never = AtomicBool::new(false);
        let cancel = cancel.unwrap_or(&never);
        self.guarded(|| {
            self.scheduler.token_rows(&self.threads, self.encoder.as_ref(), ids, cancel, rows)
        })
    }

    /// Runs passes over a file that must not change meanwhile.
    fn guarded<T>(&self, run: impl FnOnce() -> Result<T, Cancelled>) -> Result<T, Error> {
        let unchanged = || self.file.as_ref().map_or(Ok(()), Watch::check);
        unchanged()?;
        let found = match catch_unwind(AssertUnwindSafe(run)) {
            Ok(result) => result.map_err(|_| Error::Cancelled)?,
            Err(_) => return Err(Error::Panicked),
        };
        // If the file changed during the request, the vectors belong to neither version.
        unchanged()?;
        Ok(found)
    }

    /// A text's vector, made of its row from [`Embedder::embed_ids`]: cut to the dimensions asked for (Matryoshka),
    /// then scaled to length one unless the options say otherwise.
    ///
    /// # Errors
    /// [`Error::NotFinite`], as of text 0, for a row whose values, as far as they are kept, hold NaN or infinity, or
    /// cannot be scaled; [`Error::Rows`]
    /// for one that has not [`Info::dimensions`] values; [`Error::Dimensions`] and [`Error::NoPrompts`] for options
    /// that do not suit the model.
    pub fn finish(&self, row: &[f32], options: &EmbedOptions) -> Result<Vec<f32>, Error> {
        self.request(options)?.finish(0, row)
    }

    /// The model's prompt of that name; [`Spec::prompts`] lists them all. Case does not matter, and `_` or a
    /// space may stand for `-`.
    ///
    /// # Errors
    /// [`Error::Prompt`] for a name that is none of the model's, [`Error::NoPrompts`] where none are known.
    pub fn prompt(&self, name: &str) -> Result<Prompt, Error> {
        prompt_by_name(self.spec, name)
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> Tokenizer {
        self.tokenizer
    }

    /// What the model is.
    pub fn spec(&self) -> &'static Spec {
        self.spec
    }

    /// What this embedder runs on.
    pub fn info(&self) -> Info {
        self.info
    }

    pub(crate) fn request(&self, options: &EmbedOptions) -> Result<Request, Error> {
        Request::new(options, self.spec, self.tokenizer)
    }

    fn check_ids(&self, ids: &[&[u32]]) -> Result<(), Error> {
        let Spec { n_ctx, n_vocab, .. } = *self.spec;
        for (text, ids) in ids.iter().enumerate() {
            let beyond = ids.iter().find(|&&id| id as usize >= n_vocab);
            let reason = match (ids.len(), beyond) {
                (0, _) => "no ids; at least one is needed".to_owned(),
                (n, _) if n > n_ctx => format!("{n} ids, more than the context of {n_ctx}"),
                (_, Some(id)) => format!("id {id} is beyond the vocabulary of {n_vocab} pieces"),
                (_, None) => continue,
            };
            return Err(Error::Ids { text, reason });
        }
        Ok(())
    }
}

impl OpenOptions {
    /// Opens the model; see [`Embedder::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<Embedder, Error> {
        self.open_path(path.as_ref())
    }

    /// Opens a model from its bytes, those of the GGUF file or of a packed one (`monomorph pack`), where there is no
    /// file to map: fetched, or out of an archive. They pass the checks of [`Embedder::open`], and errors name them as
    /// "the given bytes".
    ///
    /// The bytes are used in place if they begin at a multiple of 64 in memory, and else copied.
    pub fn open_bytes(self, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Embedder, Error> {
        let weights = gate::open_bytes(bytes.into(), &SPEC, &FINGERPRINT)?;
        self.open_weights(weights, None)
    }

    /// Opens the model of the build; see [`Embedder::open_built`].
    pub fn open_built(self) -> Result<Embedder, Error> {
        match image::bytes() {
            Some(bytes) => self.open_weights(Weights::image(&SPEC, built::IMAGE_FORM, bytes), None),
            None => self.open_path(built::SOURCE.as_ref()),
        }
    }

    fn open_path(self, path: &Path) -> Result<Embedder, Error> {
        let (weights, file) = gate::open(path, &SPEC, &FINGERPRINT)?;
        self.open_weights(weights, Some(file))
    }

    // Not generic: the kernels are compiled here, not in every crate that opens a model.
    fn open_weights(self, weights: Weights, file: Option<Watch>) -> Result<Embedder, Error> {
        let spec: &'static Spec = &SPEC;
        let count = self.threads.unwrap_or_else(default_threads);
        let threads = Threads::new(count).map_err(Error::Threads)?;
        let name = self.isa.clone().unwrap_or_else(monomorph_simd::preferred);
        let rope = built::rope_tables();
        let encoder = match self.kernels {
            Kernels::Specialized => select(&name, Built, weights, rope),
            Kernels::Generic => select_generic(&name, spec.clone(), weights, rope),
        };
        let mut encoder = encoder.ok_or(Error::Isa { name })?;
        if self.keep_panels {
            encoder.keep_panels(&threads).map_err(Error::Memory)?;
        }
        let info = Info {
            isa: encoder.isa(),
            path: if encoder.is_specialized() { "specialized" } else { "generic" },
            threads: threads.count(),
            dimensions: spec.n_out,
            n_ctx: spec.n_ctx,
            kept_bytes: encoder.kept_bytes(),
        };
        let (scheduler, tokenizer) = (Scheduler::default(), built::tokenizer());
        Ok(Embedder { threads, encoder, scheduler, spec, tokenizer, info, file })
    }
}

impl Memory {
    /// What a model of this spec needs.
    pub fn of(spec: &Spec) -> Memory {
        let panels = layout(spec, Form::Panels).into_iter().filter(|stored| stored.is_panels);
        Memory {
            mapped: spec.tensors().map(|(_, tensor)| tensor.n_bytes).sum(),
            workspace: workspace_bytes(spec, spec.n_ctx) as u64,
            kept_panels: panels.map(|stored| stored.n_bytes).sum(),
        }
    }
}

#[cfg(test)]
mod tests;
