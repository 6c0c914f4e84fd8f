//! The library's front: text in, vectors out.

use crate::built::{self, Built, FINGERPRINT, SPEC};
use crate::error::Error;
use crate::gate;
use crate::image;
use crate::prompt::Prompt;
use crate::request::Request;
use crate::tokenizer::{Encoding, Tokenizer};
use crate::unicode::Unicode;
use crate::watch::Watch;
use monomorph_encoder::threads::{Threads, default_threads};
use monomorph_encoder::weights::Weights;
use monomorph_encoder::{Forward, Scheduler, select, select_generic, workspace_bytes};
use monomorph_quant::image::layout;
use monomorph_spec::Spec;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The built model, opened: embeds texts on any thread. Requests run one after another, each on all threads.
///
/// ```
/// use monomorph::{EmbedOptions, Embedder, Prompt};
///
/// # fn main() -> Result<(), monomorph::Error> {
/// let embedder = Embedder::open_built()?;
/// let options = EmbedOptions { prompt: Some(Prompt::Document), ..Default::default() };
/// let embeddings = embedder.run(&["Mars is red.", "Venus is hot."], &options)?;
/// let cosine: f32 = embeddings[0].vector.iter().zip(&embeddings[1].vector).map(|(a, b)| a * b).sum();
/// assert!((-1.0..=1.0).contains(&cosine));
/// # Ok(())
/// # }
/// ```
pub struct Embedder {
    threads: Threads,
    encoder: Box<dyn Forward>,
    scheduler: Scheduler,
    info: Info,
    /// The file that the encoder's weights are mapped from; none if they are inside the binary.
    file: Option<Watch>,
}

/// What an embedder runs on.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// The instruction set in use.
    pub isa: &'static str,
    /// `specialized` or `generic`, see [`Kernels`].
    pub path: &'static str,
    /// Threads of a request.
    pub threads: usize,
    /// Dimensions of a whole vector.
    pub dimensions: usize,
    /// The longest text in tokens.
    pub n_ctx: usize,
    /// Private memory that kept panels use, in bytes.
    pub kept_bytes: usize,
}

/// Which compilation of the kernels runs. Both give the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kernels {
    /// With the model's dimensions as constants.
    #[default]
    Specialized,
    /// With dimensions read at run time, to compare.
    Generic,
}

/// How to open the model.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    threads: Option<usize>,
    keep_panels: bool,
    kernels: Kernels,
    isa: Option<String>,
}

/// What to do with texts that are longer than the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Truncate {
    /// Leave out what does not fit, and say so in [`Embedding::dropped`].
    #[default]
    End,
    /// Fail with [`Error::TooLong`].
    None,
}

/// How to embed.
#[derive(Clone, Debug)]
pub struct EmbedOptions {
    /// A prompt to put before each text, of a model that was trained with them.
    pub prompt: Option<Prompt>,
    /// Any text to put before each text, after the prompt.
    pub prefix: Option<String>,
    /// Keep only so many values of each vector. The model was trained for 768, 512, 256 and 128.
    pub dimensions: Option<usize>,
    /// Scale vectors to length one.
    pub normalize: bool,
    /// What to do with long texts.
    pub truncate: Truncate,
    /// Bring texts to a Unicode normalisation form first.
    pub unicode: Unicode,
    /// Once set, the request ends with [`Error::Cancelled`].
    pub cancel: Option<Arc<AtomicBool>>,
}

impl Default for EmbedOptions {
    fn default() -> Self {
        EmbedOptions {
            prompt: None,
            prefix: None,
            dimensions: None,
            normalize: true,
            truncate: Truncate::default(),
            unicode: Unicode::default(),
            cancel: None,
        }
    }
}

/// A text's vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// The vector.
    pub vector: Vec<f32>,
    /// Tokens it was made from, prompt and special tokens included.
    pub tokens: usize,
    /// Tokens that were left out because the text was longer than the window.
    pub dropped: usize,
    /// Whether `dropped` is exact; of huge texts only the beginning is tokenized, and it is the least there can be.
    pub dropped_is_exact: bool,
}

/// Memory that a model needs, in bytes, where its weights are in a file.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Mapped from the file and shared with other processes.
    pub mapped: u64,
    /// Workspace of a pass over one text that fills the window.
    pub workspace: u64,
    /// Panels, where [`OpenOptions::keep_panels`] asks for them.
    pub kept_panels: u64,
}

impl Embedder {
    /// Opens the model file that this binary was built for, with default options.
    ///
    /// The file is mapped, not read. While the embedder lives, nobody may change the file in place. A request looks at
    /// its length and time of modification first and last, and fails with [`Error::Changed`]; but a file that is
    /// truncated in the middle of a request ends the process with SIGBUS. Replace model files by renaming.
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
    pub fn run(
        &self,
        texts: &[impl AsRef<str>],
        options: &EmbedOptions,
    ) -> Result<Vec<Embedding>, Error> {
        let request = Request::new(options)?;
        let texts = texts.iter().map(AsRef::as_ref).enumerate();
        let encodings: Vec<Encoding> =
            texts.map(|(text, input)| request.encode(text, input)).collect::<Result<_, _>>()?;
        let ids: Vec<&[u32]> = encodings.iter().map(|encoding| encoding.ids.as_slice()).collect();
        let mut vectors = vec![0.0; ids.len() * SPEC.n_embd];
        self.run_ids(&ids, options.cancel.as_deref(), &mut vectors)?;
        let rows = vectors.chunks_exact(SPEC.n_embd).zip(&encodings).enumerate();
        rows.map(|(text, (row, encoding))| request.finish(text, encoding, row)).collect()
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> Tokenizer {
        built::tokenizer()
    }

    /// What this embedder runs on.
    pub fn info(&self) -> Info {
        self.info
    }

    /// Embeds ids into `out`, texts x n_embd.
    pub(crate) fn run_ids(
        &self,
        ids: &[&[u32]],
        cancel: Option<&AtomicBool>,
        out: &mut [f32],
    ) -> Result<(), Error> {
        let never = AtomicBool::new(false);
        let cancel = cancel.unwrap_or(&never);
        let run = || self.scheduler.run(&self.threads, self.encoder.as_ref(), ids, cancel, out);
        let unchanged = || self.file.as_ref().map_or(Ok(()), Watch::check);
        unchanged()?;
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(result) => result.map_err(|_| Error::Cancelled)?,
            Err(_) => return Err(Error::Panicked),
        }
        // Vectors of a file that changed under way are of neither.
        unchanged()
    }
}

impl OpenOptions {
    /// Threads of a request; the default is the cores that the process may use.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Repack the matrices of block formats once and keep them in private memory ([`Memory::kept_panels`]): faster for
    /// short texts in a resident process. Float matrices stay in the file. Weights inside the binary are repacked
    /// already: they need no private memory, and nothing is done.
    pub fn keep_panels(mut self, keep: bool) -> Self {
        self.keep_panels = keep;
        self
    }

    /// Which compilation of the kernels runs.
    pub fn kernels(mut self, kernels: Kernels) -> Self {
        self.kernels = kernels;
        self
    }

    /// An instruction set by name (`scalar`, `avx2`, `avx512`); the default is the environment's `MONOMORPH_ISA`, then
    /// the best one of this CPU.
    pub fn isa(mut self, name: impl Into<String>) -> Self {
        self.isa = Some(name.into());
        self
    }

    /// Opens the model; see [`Embedder::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<Embedder, Error> {
        self.open_path(path.as_ref())
    }

    /// Opens the model of the build; see [`Embedder::open_built`].
    pub fn open_built(self) -> Result<Embedder, Error> {
        match image::bytes() {
            Some(bytes) => self.open_weights(Weights::image(&SPEC, bytes), None),
            None => self.open_path(built::SOURCE.as_ref()),
        }
    }

    fn open_path(self, path: &Path) -> Result<Embedder, Error> {
        let (weights, file) = gate::open(path, &SPEC, &FINGERPRINT)?;
        self.open_weights(weights, Some(file))
    }

    // Not generic: the kernels are compiled here, not in every crate that opens a model.
    fn open_weights(self, weights: Weights, file: Option<Watch>) -> Result<Embedder, Error> {
        let count = self.threads.unwrap_or_else(default_threads);
        let threads = Threads::new(count).map_err(Error::Threads)?;
        let from_environment =
            || std::env::var("MONOMORPH_ISA").ok().filter(|name| !name.is_empty());
        let best = || monomorph_simd::available()[0].to_owned();
        let name = self.isa.clone().or_else(from_environment).unwrap_or_else(best);
        let rope = built::rope_tables();
        let (path, encoder) = match self.kernels {
            Kernels::Specialized => ("specialized", select(&name, Built, weights, rope)),
            Kernels::Generic => ("generic", select_generic(&name, SPEC.clone(), weights, rope)),
        };
        let mut encoder = encoder.ok_or(Error::Isa { name })?;
        if self.keep_panels {
            encoder.keep_panels(&threads).map_err(Error::Memory)?;
        }
        let info = Info {
            isa: encoder.isa(),
            path,
            threads: threads.count(),
            dimensions: SPEC.n_embd,
            n_ctx: SPEC.n_ctx,
            kept_bytes: encoder.kept_bytes(),
        };
        Ok(Embedder { threads, encoder, scheduler: Scheduler::default(), info, file })
    }
}

impl Memory {
    /// What a model of this spec needs.
    pub fn of(spec: &Spec) -> Memory {
        let panels = layout(spec).into_iter().filter(|stored| stored.is_panels);
        Memory {
            mapped: spec.tensors().map(|(_, tensor)| tensor.n_bytes).sum(),
            workspace: workspace_bytes(spec, spec.n_ctx) as u64,
            kept_panels: panels.map(|stored| stored.n_bytes).sum(),
        }
    }
}
