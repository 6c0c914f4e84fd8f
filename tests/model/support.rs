//! Tiny models in files of their own, and encoders over them for every instruction set of this CPU.

#![allow(dead_code)] // Each test crate uses some of it.

use bytemuck::Zeroable;
use monomorph_codegen::{Form, image, rope};
use monomorph_encoder::threads::Team;
use monomorph_encoder::weights::Weights;
use monomorph_encoder::{Forward, RopeTables, Workspace, select_generic};
use monomorph_gguf::{Header, TensorType};
use monomorph_quant::Line;
use monomorph_simd::available;
use monomorph_spec::arch::{self, Arch, TokenizerRule};
use monomorph_spec::place::Sizes;
use monomorph_spec::{BuildOptions, Heads, Spec};
use monomorph_testing::{Random, architecture, tiny};
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// A model file.
pub struct TinyModel {
    pub bytes: Vec<u8>,
    pub path: PathBuf,
    pub spec: Spec,
}

/// An encoder and the name of its instruction set.
pub type Named = (&'static str, Box<dyn Forward>);

impl TinyModel {
    /// The tiny model with these options, written to a file for this test alone.
    pub fn new(test: &str, options: tiny::Options) -> TinyModel {
        TinyModel::from_bytes(test, tiny::tiny_with(options))
    }

    /// A model file with this content.
    pub fn from_bytes(test: &str, bytes: Vec<u8>) -> TinyModel {
        TinyModel::among(test, bytes, arch::ALL)
    }

    /// A model file with this content, of one of these architectures.
    pub fn among(test: &str, bytes: Vec<u8>, architectures: &[Arch]) -> TinyModel {
        let header = Header::parse(&bytes, bytes.len() as u64).expect("a header");
        let spec = Spec::from_header_among(&header, BuildOptions::default(), architectures);
        let spec = spec.expect("a model");
        let path = scratch_file(&format!("{test}.gguf"));
        fs::write(&path, &bytes).expect("the folder is writable");
        TinyModel { bytes, path, spec }
    }

    /// A model whose layers have inputs of their own and whose full layers have more keys than the others; its vectors are
    /// as wide as its residual stream.
    pub fn with_layer_inputs(test: &str, kind: TensorType, causal: bool) -> TinyModel {
        let inputs = arch::ALL.iter().find(|arch| arch.layer_inputs.is_some());
        let tokenizers = &[TokenizerRule::ScoredBpe { space_prefix: false }];
        let arch = Arch { causal, tokenizers, ..*inputs.expect("an architecture") };
        let sizes = Sizes {
            n_layer_input: 32,
            full_heads: Some(Heads::new(4, 4, 64)),
            ..architecture::sizes(64, 96, [4, 2, 32], 256)
        };
        let file = architecture::writer(&arch, sizes, 5, kind, &mut Random(4));
        TinyModel::among(&format!("inputs-{test}-{kind}"), file.to_bytes(), &[arch])
    }

    /// A generic encoder for each instruction set; `spec` is the file's own, as changed by the test.
    pub fn encoders(&self, spec: &Spec) -> Vec<Named> {
        let generic = |isa| {
            select_generic(isa, spec.clone(), self.weights(), self.rope()).expect("an encoder")
        };
        available().into_iter().map(|isa| (isa, generic(isa))).collect()
    }

    /// The file, mapped.
    pub fn weights(&self) -> Weights {
        Weights::map(&File::open(&self.path).expect("the file")).expect("a mapping")
    }

    /// The file's weights as a build puts them inside a binary.
    pub fn image(&self) -> Weights {
        let folder = self.path.with_extension("image");
        fs::create_dir_all(&folder).expect("the folder is writable");
        let file = image::write(&self.path, &self.spec, Form::Panels, &folder).expect("an image");
        let bytes = fs::read(&file.path).expect("what was written");
        fs::remove_file(&file.path).expect("what was written");
        let mut lines = vec![Line::zeroed(); bytes.len() / size_of::<Line>()];
        bytemuck::cast_slice_mut(&mut lines).copy_from_slice(&bytes);
        Weights::image(&self.spec, Form::Panels, bytemuck::cast_slice(lines.leak()))
    }

    /// The tables that a build for this model would hold.
    pub fn rope(&self) -> RopeTables {
        RopeTables::new(rope::of_model(&self.spec).concat(), &self.spec)
    }
}

/// A path in the folder that cargo keeps for the tests of this package.
pub fn scratch_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Vectors of texts that share one pass.
pub fn forward(
    encoder: &dyn Forward,
    team: &Team,
    n_embd: usize,
    texts: &[&[u32]],
) -> Vec<Vec<f32>> {
    // Earlier contents of the output must not matter; NaN would show if they did.
    let mut out = vec![f32::NAN; texts.len() * n_embd];
    let cancel = AtomicBool::new(false);
    encoder
        .forward(team, None, texts, &mut Workspace::default(), &cancel, &mut out)
        .expect("not cancelled");
    out.chunks(n_embd).map(<[f32]>::to_vec).collect()
}

/// The bits of vectors, to compare them exactly.
pub fn bits(vectors: &[Vec<f32>]) -> Vec<Vec<u32>> {
    let bits = |vector: &Vec<f32>| vector.iter().map(|x| x.to_bits()).collect();
    vectors.iter().map(bits).collect()
}

/// A text of `len` ids: random ones, between `<bos>` and `<eos>`.
pub fn random_ids(random: &mut Random, n_vocab: usize, len: usize) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..len).map(|_| random.below(n_vocab) as u32).collect();
    if let [first, .., last] = ids.as_mut_slice() {
        (*first, *last) = (2, 1);
    }
    ids
}
