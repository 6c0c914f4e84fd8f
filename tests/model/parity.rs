//! The encoder against the plain float32 reference, element by element and layer by layer, and against itself.
//!
//! Tolerances are measured in the size of a normalised activation, which is about one. The reference's sums are exact
//! to float32, so what remains is the encoder's own rounding:
//!
//! - Float weights: sums of up to 160 terms in float32 and the kernels' exponential, some 1e-6 per product, and seven
//!   products per layer that mostly add up as a random walk.
//! - Integer weights: activations are int16 with one scale per row. A row's largest value is three to ten times its
//!   root mean square, so rounding adds noise of up to 10 / 32767 / sqrt(12) = 9e-5 to each value (one standard
//!   deviation; 3e-5 for an ordinary row), which a product passes on unchanged. Four such steps per layer make at most
//!   1e-4, and the worst of thousands of values lies four deviations out.

use crate::reference::{self, Reference, Rows};
use crate::support::{TinyModel, bits, forward, random_ids};
use monomorph_encoder::dim::Const;
use monomorph_encoder::model::Model;
use monomorph_encoder::threads::{Team, Threads};
use monomorph_encoder::{Forward, Workspace, select, select_generic};
use monomorph_gguf::TensorType;
use monomorph_quant::{AnyType, FORMATS, panel_kind};
use monomorph_spec::{NormKind, Ops, Pooling, Spec, Window};
use monomorph_testing::tiny::Variant;
use monomorph_testing::{Random, tiny};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

const LENGTHS: [usize; 6] = [1, 2, 9, 17, 40, 256];

/// Largest error of a value after `layers` layers, for weights that multiply int16 activations or floats.
fn tolerance(ints: bool, layers: usize) -> f32 {
    let (rounding, a_layer) = if ints { (2e-6, 4e-4) } else { (2e-6, 4e-6) };
    rounding + a_layer * (layers as f32).sqrt()
}

/// A model, its reference and the reference's states for a few texts.
struct Case {
    model: TinyModel,
    reference: Reference,
    texts: Vec<Vec<u32>>,
    states: Vec<Vec<Rows>>,
    /// Whether the weights are random blocks. They may be of any size, so errors are measured in the size of the
    /// vector's values. They are also not zero on average, so a sum's terms are larger than the sum, and three times
    /// the tolerance is fair.
    random_blocks: bool,
}

impl Case {
    fn new(name: &str, options: tiny::Options) -> Case {
        Case::of(TinyModel::new(&format!("parity-{name}"), options), &LENGTHS)
    }

    fn of(model: TinyModel, lengths: &[usize]) -> Case {
        let reference = Reference::read(&model.bytes);
        let mut random = Random(7);
        let texts: Vec<Vec<u32>> =
            lengths.iter().map(|len| random_ids(&mut random, model.spec.n_vocab, *len)).collect();
        let states = texts.iter().map(|ids| reference.states(ids)).collect();
        Case { model, reference, texts, states, random_blocks: false }
    }

    /// For comparisons with itself: the reference would have to be told more of it.
    fn with_layer_inputs(name: &str, kind: TensorType) -> Case {
        Case::of(TinyModel::with_layer_inputs(name, kind, false), &LENGTHS)
    }

    fn ids(&self) -> Vec<&[u32]> {
        self.texts.iter().map(Vec::as_slice).collect()
    }

    /// The file's spec, cut to its first layers.
    fn spec(&self, layers: usize, pooling: Pooling, dense: bool) -> Spec {
        let mut spec = self.model.spec.clone();
        spec.layers = spec.layers[..layers].to_vec().into();
        spec.pooling = pooling;
        if !dense {
            spec.dense = Vec::new().into();
        }
        spec
    }

    /// Whether any product of `spec` runs on int16 activations.
    fn ints(&self, spec: &Spec) -> bool {
        spec.matrices().any(|tensor| panel_kind(tensor.kind).is_ints())
    }

    /// Largest difference of any value of any text from the reference.
    fn worst(&self, encoder: &dyn Forward, layers: usize, pooling: Pooling, dense: bool) -> f32 {
        let mut worst = 0.0f32;
        for (ids, states) in self.texts.iter().zip(&self.states) {
            let n_embd = self.reference.n_embd;
            let got = &forward(encoder, &Team::solo(), n_embd, &[ids])[0];
            let want = self.reference.vector(&states[layers], plain(pooling), dense);
            let squares: f32 = want.iter().map(|x| x * x).sum();
            let root_mean_square = (squares / want.len() as f32).sqrt();
            let size = if self.random_blocks { root_mean_square.max(1.0) } else { 1.0 };
            for (got, want) in got.iter().zip(&want) {
                assert!(got.is_finite() && want.is_finite(), "{got} for {want}");
                worst = worst.max((got - want).abs() / size);
            }
        }
        worst
    }

    /// Compares every value on every instruction set, for the model cut to each of these numbers of layers.
    fn check(&self, name: &str, layers: impl Iterator<Item = usize>, poolings: &[Pooling]) {
        let mut ran = Vec::new();
        for layers in layers {
            let mut line = format!("{name}, {layers} layers:");
            for pooling in poolings {
                let heads: &[bool] =
                    if self.model.spec.dense.is_empty() { &[false] } else { &[false, true] };
                for dense in heads.iter().copied() {
                    let spec = self.spec(layers, *pooling, dense);
                    let steps = layers + usize::from(dense);
                    let share = if self.random_blocks { 3.0 } else { 1.0 };
                    let limit = share * tolerance(self.ints(&spec), steps);
                    let encoders = self.model.encoders(&spec);
                    ran = encoders.iter().map(|(isa, _)| *isa).collect();
                    for (isa, encoder) in encoders {
                        let worst = self.worst(&*encoder, layers, *pooling, dense);
                        line += &format!(" {worst:.1e}");
                        assert!(
                            worst <= limit,
                            "{name} on {isa}, {layers} layers, {pooling}, dense {dense}: off by {worst:e}, \
                             tolerance {limit:e}"
                        );
                    }
                }
            }
            println!("{line}");
        }
        println!("instruction sets tested: {}", ran.join(", "));
    }
}

/// The reference's own type for a pooling.
fn plain(pooling: Pooling) -> reference::Pooling {
    match pooling {
        Pooling::Mean => reference::Pooling::Mean,
        Pooling::Cls => reference::Pooling::Cls,
        Pooling::Last => reference::Pooling::Last,
        Pooling::Max => reference::Pooling::Max,
    }
}

/// Some matrices have another type than the rest, so that products read both forms of activations.
const MIXED: [&[(&str, TensorType)]; 7] = [
    &[("ffn_down", TensorType::BF16)],
    &[("ffn_up", TensorType::F16)],
    &[("ffn_gate", TensorType::F32), ("2.ffn_up", TensorType::BF16)],
    &[("attn_q", TensorType::F16), ("attn_v", TensorType::F32)],
    &[("attn_k", TensorType::BF16), ("attn_output", TensorType::F16)],
    &[("token_embd", TensorType::F16), ("4.attn_output", TensorType::F32)],
    &[("dense_2", TensorType::BF16), ("5.ffn_down", TensorType::F16)],
];

fn options(weights: TensorType) -> tiny::Options {
    tiny::Options { weights, ..Default::default() }
}

fn causal() -> tiny::Options {
    tiny::Options { variant: Variant::LanguageModel, ..Default::default() }
}

#[test]
fn q8_0_equals_the_reference_behind_every_layer() {
    Case::new("Q8_0", options(TensorType::Q8_0)).check("Q8_0", 0..=6, Pooling::ALL);
}

#[test]
fn float_types_equal_the_reference() {
    for kind in [TensorType::F32, TensorType::F16, TensorType::BF16] {
        let name = kind.name();
        Case::new(name, options(kind)).check(name, 0..=6, &[Pooling::Mean, Pooling::Last]);
    }
}

#[test]
fn files_of_mixed_types_equal_the_reference() {
    for (i, odd) in MIXED.into_iter().enumerate() {
        let mixed = tiny::Options { odd, ..Default::default() };
        Case::new(&format!("mixed-{i}"), mixed).check(
            &format!("{odd:?}"),
            [1, 3, 6].into_iter(),
            &[Pooling::Mean],
        );
    }
    let ints_among_floats = tiny::Options {
        odd: &[("attn_q", TensorType::Q8_0), ("ffn_up", TensorType::Q8_0)],
        ..options(TensorType::F32)
    };
    Case::new("mixed-F32", ints_among_floats).check(
        "F32 with Q8_0",
        [1, 3, 6].into_iter(),
        &[Pooling::Mean],
    );
}

#[test]
fn other_shapes_equal_the_reference() {
    let ollama = tiny::Options { variant: Variant::Ollama, ..Default::default() };
    Case::new("ollama", ollama).check("Ollama's names", 6..=6, Pooling::ALL);
    let many_heads = tiny::Options { n_head_kv: 3, ..Default::default() };
    Case::new("kv-heads", many_heads).check("three key/value heads", 1..=6, Pooling::ALL);
}

/// Gemma 3: full and sliding layers that see nothing after a token, and three or four query heads per key/value head.
#[test]
fn causal_models_equal_the_reference() {
    Case::new("causal", causal()).check("causal Q8_0", 0..=6, Pooling::ALL);
    let floats = tiny::Options { weights: TensorType::F32, n_head: 4, ..causal() };
    Case::new("causal-F32", floats).check("causal F32, four heads", 0..=6, Pooling::ALL);
    let two = tiny::Options { n_head: 4, n_head_kv: 2, ..causal() };
    Case::new("causal-kv-heads", two).check("causal, two key/value heads", 6..=6, Pooling::ALL);
    let mut scaled = tiny::writer(causal());
    scaled.set("gemma3.rope.scaling.type", "linear").set("gemma3.rope.scaling.factor", 8.0);
    let scaled = TinyModel::from_bytes("parity-causal-scaled", scaled.to_bytes());
    Case::of(scaled, &LENGTHS).check("causal, positions divided", 5..=6, Pooling::ALL);
}

/// A model whose rows hold whole blocks of every format, with its dimensions as types.
struct Wide(Spec);

const WIDE: tiny::Options = tiny::Options {
    weights: TensorType::F32,
    odd: &[],
    variant: Variant::WithDense,
    pooling: 1,
    n_embd: 256,
    n_ff: 256,
    head_dim: 64,
    n_head: 4,
    n_head_kv: 1,
    seed: 1,
};

impl Model for Wide {
    type NEmbd = Const<256>;
    type NFf = Const<256>;
    type NHead = Const<4>;
    type NHeadKv = Const<1>;
    type HeadDim = Const<64>;
    type NAttn = Const<256>;
    type FullNHeadKv = Const<1>;
    type FullHeadDim = Const<64>;
    type FullNAttn = Const<256>;
    type NLayerInput = Const<0>;
    type Types = AnyType;

    const OPS: Ops = Ops::ALL;

    fn spec(&self) -> &Spec {
        &self.0
    }
}

/// A wide model with random blocks of a format in all its matrices.
fn of_random_blocks(test: &str, kind: TensorType) -> TinyModel {
    // The format's line of the fixtures says which bytes of a block end a scale.
    let mut fixtures = include_str!("../../testdata/quant/decode.txt").lines();
    let line = fixtures.find(|line| line.split(' ').next() == Some(kind.name()));
    let scales = line.and_then(|line| line.split(' ').nth(1)).expect("a fixture").split(',');
    let scales: Vec<usize> = scales.map(|at| at.parse().expect("a byte")).collect();

    let mut file = tiny::writer(WIDE);
    let mut random = Random(kind as u64);
    for tensor in file.tensors.iter_mut().filter(|tensor| tensor.dims.len() == 2) {
        let values = tensor.dims.iter().product::<u64>();
        let bytes = values / u64::from(kind.block_len()) * u64::from(kind.block_bytes());
        tensor.type_id = kind as u32;
        tensor.data = (0..bytes).map(|_| random.bits() as u8).collect();
        for block in tensor.data.chunks_mut(kind.block_bytes() as usize) {
            for at in &scales {
                // The exponents are all of one size, since otherwise a few blocks would hide the rest. Those of the
                // embeddings are small, since otherwise these would hide what the layers add. MXFP4's byte is the
                // exponent, IQ1_M's holds three of its bits.
                let (of_layers, of_embeddings, others) = match kind {
                    TensorType::MXFP4 => (0x78, 0x70, 0x07),
                    TensorType::IQ1_M => (0x20, 0x10, 0x8f),
                    _ => (0x2c, 0x0c, 0x83),
                };
                let embeddings = tensor.name == b"token_embd.weight";
                let size = if embeddings { of_embeddings } else { of_layers };
                block[*at] = size | block[*at] & others;
            }
        }
    }
    TinyModel::from_bytes(&format!("parity-{test}-{kind}"), file.to_bytes())
}

/// Models with random blocks of each format in all matrices are close to the reference. They give the same bits on
/// every instruction set, with constant and with run-time dimensions, from a file and from an image.
#[test]
fn every_block_format_equals_the_reference() {
    // The three types of floats and Q8_0 have tests of their own.
    let formats = &FORMATS[4..];
    for kind in formats {
        let name = kind.name();
        let case = Case {
            random_blocks: true,
            ..Case::of(of_random_blocks("format", *kind), &LENGTHS[..5])
        };
        case.check(name, [6].into_iter(), &[Pooling::Mean]);
        dimensions_and_an_image_change_no_bit(name, &case);
    }
    assert_eq!(formats.len(), 21);
}

fn dimensions_and_an_image_change_no_bit(name: &str, case: &Case) {
    let (texts, n, model) = (case.ids(), case.reference.n_embd, &case.model);
    let run = |encoder: &dyn Forward| bits(&forward(encoder, &Team::solo(), n, &texts));
    let mut first = None;
    for (isa, generic) in model.encoders(&model.spec) {
        let constant = select(isa, Wide(model.spec.clone()), model.weights(), model.rope());
        let want = first.get_or_insert_with(|| run(&*generic));
        assert_eq!(&run(&*generic), want, "{name} on {isa}");
        assert_eq!(&run(&*constant.expect("an encoder")), want, "{name} on {isa}, constant");
        let image = select_generic(isa, model.spec.clone(), model.image(), model.rope());
        assert_eq!(&run(&*image.expect("an encoder")), want, "{name} on {isa}, image");
    }
}

/// Widens the windows of sliding layers by some positions on each side.
fn slide(spec: &mut Spec, by: isize) {
    for layer in spec.layers.to_mut() {
        if let Window::Sliding(radius) = &mut layer.window {
            *radius = radius.saturating_add_signed(by);
        }
    }
}

/// Tests the tolerance itself: it must notice the mistakes that this code could make.
#[test]
fn the_tolerance_notices_mistakes() {
    type Change = (&'static str, fn(&mut Spec));
    let changes: [Change; 10] = [
        ("a wider window", |spec| slide(spec, 1)),
        ("a narrower window", |spec| slide(spec, -1)),
        ("a full layer that slides", |spec| {
            let sliding = spec.layers[0].window;
            spec.layers.to_mut()[5].window = sliding;
        }),
        ("positions of the other table", |spec| spec.layers.to_mut()[5].rope = Some(0)),
        ("attention of the other direction", |spec| spec.causal = !spec.causal),
        ("scores of another scale", |spec| spec.score_scale *= 1.1),
        ("another epsilon", |spec| spec.norm = NormKind::Rms(1e-3)),
        ("gate and up swapped", |spec| {
            let block = spec.layers.to_mut()[3].block.to_mut();
            let gate = block.gate.replace(block.up);
            block.up = gate.expect("a gate");
        }),
        ("norms swapped", |spec| {
            let block = spec.layers.to_mut()[3].block.to_mut();
            block.qk_norm.as_mut().expect("norms").reverse();
        }),
        ("a layer forgotten", |spec| {
            spec.layers.to_mut().remove(2);
        }),
    ];
    for (model, options) in [("encoder", options(TensorType::Q8_0)), ("causal", causal())] {
        let case = Case::new(&format!("mistakes-{model}"), options);
        for (name, change) in changes {
            let mut spec = case.spec(6, Pooling::Last, false);
            change(&mut spec);
            let (_, encoder) = case.model.encoders(&spec).pop().expect("an encoder");
            let worst = case.worst(&*encoder, 6, Pooling::Last, false);
            println!("{model}, {name}: off by {worst:.1e}");
            assert!(worst > 3.0 * tolerance(true, 6), "{model}, {name}: only {worst:e}");
        }
    }
}

/// A text's bits depend neither on the other texts in its pass nor on the number of threads.
#[test]
fn company_and_threads_change_no_bit() {
    let teams: Vec<Threads> = [2, 3, 4].map(|n| Threads::new(n).expect("threads")).into();
    let mixed = |i: usize| tiny::Options { odd: MIXED[i], ..Default::default() };
    for (name, case) in [
        ("Q8_0", Case::new("together-Q8_0", options(TensorType::Q8_0))),
        ("BF16", Case::new("together-BF16", options(TensorType::BF16))),
        ("mixed", Case::new("together-mixed", mixed(1))),
        ("dense", Case::new("together-dense", mixed(6))),
        ("causal", Case::new("together-causal", causal())),
        ("inputs", Case::with_layer_inputs("together", TensorType::Q8_0)),
        ("inputs, F32", Case::with_layer_inputs("together", TensorType::F32)),
        // Minima for 32 and for 16 inputs, which multiply the sums of the rows' blocks.
        ("Q4_K", Case::of(of_random_blocks("together", TensorType::Q4_K), &LENGTHS[..5])),
        ("Q2_K", Case::of(of_random_blocks("together", TensorType::Q2_K), &LENGTHS[..5])),
    ] {
        let (texts, n) = (case.ids(), case.reference.n_embd);
        let mut first: Option<Vec<Vec<u32>>> = None;
        for (isa, mut encoder) in case.model.encoders(&case.model.spec) {
            let solo = |texts: &[&[u32]]| forward(&*encoder, &Team::solo(), n, texts);
            let alone: Vec<_> = texts.iter().flat_map(|ids| solo(&[*ids])).collect();
            let alone = bits(&alone);
            assert_eq!(first.get_or_insert_with(|| alone.clone()), &alone, "{name} on {isa}");
            assert_eq!(bits(&solo(&texts)), alone, "{name} on {isa}, together");
            // Threads share operations or, with kept panels and enough rows, the rows.
            for keep in [false, true] {
                if keep {
                    encoder.keep_panels(&teams[0]).expect("memory");
                }
                for threads in &teams {
                    let run =
                        |texts: &[&[u32]]| threads.enter(|team| forward(&*encoder, team, n, texts));
                    let how = format!("{name} on {isa}, {} threads, kept: {keep}", threads.count());
                    assert_eq!(bits(&run(&texts)), alone, "{how}");
                    let each: Vec<_> = texts.iter().flat_map(|ids| run(&[*ids])).collect();
                    assert_eq!(bits(&each), alone, "{how}, each alone");
                }
            }
        }
    }
}

/// A workspace that other passes have used gives the same bits as a fresh one.
#[test]
fn a_used_workspace_changes_no_bit() {
    a_used_workspace_is_as_good_as_new(&Case::new("workspace", options(TensorType::Q8_0)));
    a_used_workspace_is_as_good_as_new(&Case::with_layer_inputs("workspace", TensorType::Q8_0));
    let with_minima = of_random_blocks("workspace", TensorType::Q4_K);
    a_used_workspace_is_as_good_as_new(&Case::of(with_minima, &LENGTHS[..5]));
}

fn a_used_workspace_is_as_good_as_new(case: &Case) {
    let n = case.reference.n_embd;
    let cancel = AtomicBool::new(false);
    let teams = [1, 3].map(|n| Threads::new(n).expect("threads"));
    for (isa, mut encoder) in case.model.encoders(&case.model.spec) {
        encoder.keep_panels(&teams[0]).expect("memory");
        let mut workspace = Workspace::default();
        // From the longest to the shortest and back, so that every buffer holds what another pass left in it.
        for ids in case.texts.iter().rev().chain(&case.texts) {
            let fresh = bits(&forward(&*encoder, &Team::solo(), n, &[ids]));
            for threads in &teams {
                let mut out = vec![f32::NAN; n];
                let pass = |team: &Team| {
                    encoder.forward(team, None, &[ids], &mut workspace, &cancel, &mut out)
                };
                threads.enter(pass).expect("not cancelled");
                let how = format!("{} tokens, {} threads", ids.len(), threads.count());
                assert_eq!(bits(&[out]), fresh, "{isa}, {how}");
            }
        }
    }
}

#[test]
fn a_cancelled_pass_says_so() {
    let case = Case::new("cancel", options(TensorType::Q8_0));
    for (_, encoder) in case.model.encoders(&case.model.spec) {
        let mut out = vec![0.0; case.reference.n_embd];
        let result = encoder.forward(
            &Team::solo(),
            None,
            &[&case.texts[2]],
            &mut Workspace::default(),
            &AtomicBool::new(true),
            &mut out,
        );
        assert!(result.is_err());
    }
}

/// Wherever in a layer it ends, and be it the last one, a pass gives no row that is not finished.
#[test]
fn a_pass_that_is_cancelled_on_its_way_is_whole_or_refused() {
    let case = Case::new("cancel-on-the-way", options(TensorType::Q8_0));
    let ids = case.texts.iter().max_by_key(|ids| ids.len()).expect("texts");
    let n = case.reference.n_embd;
    for (isa, encoder) in case.model.encoders(&case.model.spec) {
        let began = Instant::now();
        let expected = bits(&forward(&*encoder, &Team::solo(), n, &[ids]));
        let whole = began.elapsed();
        let mut refused = 0;
        for i in 0..100 {
            let cancel = AtomicBool::new(false);
            let (mut out, mut workspace) = (vec![0.0; n], Workspace::default());
            let result = thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(whole * i / 100);
                    cancel.store(true, Ordering::Relaxed);
                });
                encoder.forward(&Team::solo(), None, &[ids], &mut workspace, &cancel, &mut out)
            });
            refused += u32::from(result.is_err());
            assert!(result.is_err() || bits(&[out]) == expected, "{isa}, cancelled at {i} %");
        }
        assert!(refused > 0, "{isa}");
    }
}
