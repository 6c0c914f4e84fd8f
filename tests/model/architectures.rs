//! Tiny models of made-up architectures, which differ in everything that a description can express. Each is compared
//! with the plain float32 reference, and with itself on every path.

use crate::reference::{self, Reference, Unstated};
use crate::support::{TinyModel, bits, forward, random_ids};
use monomorph_encoder::dim::Const;
use monomorph_encoder::model::Model;
use monomorph_encoder::threads::{Team, Threads};
use monomorph_encoder::{select, select_generic};
use monomorph_gguf::TensorType;
use monomorph_quant::Types;
use monomorph_spec::arch::{
    Arch, EmbeddingScale, HeadRule, LayerRule, NormRule, RopeRule, ScoreScale, TokenizerRule,
};
use monomorph_spec::place::Sizes;
use monomorph_spec::{
    Activation, Block, Embedding, Heads, InputBranch, Join, LayerInputs, Linear, Norm, Ops,
    Pooling, Qkv, Spec,
};
use monomorph_testing::{Random, architecture};
use std::collections::HashSet;

/// Sizes of the models in turn: two heads on one of keys, as many keys as queries, wide heads, a narrow network. Where
/// layers have inputs of their own, these are narrower than the network, wider, and as wide as the residual stream.
const SIZES: [Sizes; 3] = [
    Sizes { n_layer_input: 32, ..architecture::sizes(64, 96, [4, 2, 32], 48) },
    Sizes { n_layer_input: 128, ..architecture::sizes(96, 64, [3, 3, 32], 48) },
    Sizes { n_layer_input: 64, ..architecture::sizes(64, 160, [2, 1, 64], 48) },
];

/// Other heads for the layers that see the whole text: wider ones with fewer keys, or as many, or narrower ones.
const FULL_HEADS: [Heads; 3] = [
    Heads { n_head: 4, n_head_kv: 1, head_dim: 64 },
    Heads { n_head: 3, n_head_kv: 3, head_dim: 64 },
    Heads { n_head: 2, n_head_kv: 2, head_dim: 32 },
];

/// The number of layers. Where layers slide, the sixth sees the whole text, or the first and the fourth, or the third and
/// the sixth.
const N_LAYER: usize = 6;

/// The choices that make up a model, each with its number of alternatives.
const CHOICES: [(&str, usize); 21] = [
    ("LayerNorm", 2),
    ("a norm of the embeddings", 2),
    ("positions and types", 2),
    ("a scale of the embeddings", 2),
    ("pre-norm", 2),
    ("how branches join", 3),
    ("fused projections", 2),
    ("biases", 2),
    ("norms of queries and keys", 2),
    ("RoPE tables and full layers", 5),
    ("a gate", 3),
    ("the activation", 3),
    ("an output norm", 2),
    ("causality", 2),
    ("dense heads", 3),
    ("a first layer without a norm", 2),
    ("norms of values", 2),
    ("unscaled scores", 2),
    ("other heads in full layers", 2),
    ("inputs of layers", 2),
    ("scales of layers", 2),
];

/// One model: the number of an alternative for each of [`CHOICES`].
type Choice = [usize; CHOICES.len()];

/// The choices of existing architectures: BERT's, nomic-bert's, Qwen3's, ModernBERT's, EmbeddingGemma 2's.
const KNOWN: [Choice; 5] = [
    [1, 1, 1, 0, 0, 2, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [1, 1, 0, 0, 0, 2, 1, 0, 0, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    [1, 1, 0, 0, 1, 0, 1, 0, 0, 3, 2, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0],
    [0, 0, 0, 1, 1, 1, 0, 0, 1, 4, 1, 0, 1, 0, 2, 0, 1, 1, 1, 1, 1],
];

/// Pairs of choices that no model makes, each with the alternative.
const UNSOUND: [[(usize, usize); 2]; 7] = [
    // Each layer has a norm that bounds the values. Without one, values and errors grow from layer to layer.
    [(5, 0), (4, 0)],
    // A first layer lacks only a norm that the others have.
    [(15, 1), (4, 0)],
    // Where scores are not scaled, the norm of queries keeps them small.
    [(17, 1), (8, 0)],
    // Full layers have other heads only where others slide, and one scale cannot be right for two widths.
    [(18, 1), (9, 0)],
    [(18, 1), (9, 1)],
    [(18, 1), (17, 0)],
    // That follows from the two before.
    [(18, 1), (8, 0)],
];

fn is_sound(choice: &Choice) -> bool {
    UNSOUND.iter().all(|pair| pair.iter().any(|(of, alternative)| choice[*of] != *alternative))
}

/// The known models, then random ones until every pair of choices has occurred in every combination of alternatives,
/// and twenty more.
fn models() -> Vec<Choice> {
    let mut random = Random(5);
    let mut missing: HashSet<[usize; 4]> = HashSet::new();
    for a in 0..CHOICES.len() {
        for b in 0..a {
            for (x, y) in (0..CHOICES[a].1).flat_map(|x| (0..CHOICES[b].1).map(move |y| (x, y))) {
                missing.insert([a, b, x, y]);
            }
        }
    }
    let pairs = |choice: &Choice| -> Vec<[usize; 4]> {
        let all = (0..choice.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        all.map(|(a, b)| [a, b, choice[a], choice[b]]).collect()
    };
    for [(a, x), (b, y)] in UNSOUND {
        missing.remove(&[a, b, x, y]);
    }
    let mut models = KNOWN.to_vec();
    for pair in models.iter().flat_map(pairs) {
        missing.remove(&pair);
    }
    while !missing.is_empty() {
        let candidates = (0..200).map(|_| CHOICES.map(|(_, n)| random.below(n)));
        let candidates = candidates.filter(is_sound);
        let new = |choice: &Choice| pairs(choice).iter().filter(|p| missing.contains(*p)).count();
        let best = candidates.max_by_key(new).expect("candidates");
        for pair in pairs(&best) {
            missing.remove(&pair);
        }
        models.push(best);
    }
    let more = (0..).map(|_| CHOICES.map(|(_, n)| random.below(n))).filter(is_sound);
    models.extend(more.take(20));
    models
}

/// The names of a matrix, with its bias if there are biases.
fn linear(weight: &'static str, bias: &'static str, biased: bool) -> Linear<&'static str> {
    if biased { Linear::biased(weight, bias) } else { Linear::plain(weight) }
}

fn norm(gain: &'static str, bias: &'static str, biased: bool) -> Norm<&'static str> {
    if biased { Norm::biased(gain, bias) } else { Norm::plain(gain) }
}

/// `named!(linear, "attn_q", biased)` is `linear("attn_q.weight", "attn_q.bias", biased)`.
macro_rules! named {
    ($make:ident, $name:literal, $biased:expr) => {
        $make(concat!($name, ".weight"), concat!($name, ".bias"), $biased)
    };
}

const ROPES: [RopeRule; 2] = [
    RopeRule { base: "rope.freq_base_swa", default: None, scaled: false },
    RopeRule { base: "rope.freq_base", default: None, scaled: false },
];

fn activation(choice: &Choice) -> (Activation, fn(f32) -> f32) {
    match choice[11] {
        0 => (Activation::GeluTanh, reference::gelu_tanh),
        1 => (Activation::GeluErf, reference::gelu_erf),
        _ => (Activation::Silu, reference::silu),
    }
}

fn block(choice: &Choice) -> Block<&'static str> {
    let [layer_norm, _, _, _, pre_norm, join, fused, biases, qk_norm, _, gate, ..] = *choice;
    let [.., v_norm, _, _, inputs, scales] = *choice;
    let yes = |number: usize| number == 1;
    let biased = yes(biases);
    // Only LayerNorm has biases.
    let normed = yes(layer_norm) && biased;
    let join = |branch, sum| match join {
        0 => Join::Add,
        1 => Join::AddNormed(branch),
        _ => Join::NormOfSum(sum),
    };
    Block {
        attn_norm: yes(pre_norm).then(|| named!(norm, "attn_norm", normed)),
        qkv: match yes(fused) {
            true => Qkv::Fused(named!(linear, "attn_qkv", biased)),
            false => Qkv::Split([
                named!(linear, "attn_q", biased),
                named!(linear, "attn_k", biased),
                named!(linear, "attn_v", biased),
            ]),
        },
        qk_norm: yes(qk_norm)
            .then(|| [named!(norm, "attn_q_norm", normed), named!(norm, "attn_k_norm", normed)]),
        v_norm: yes(v_norm),
        attn_output: named!(linear, "attn_output", biased),
        attn_join: join(
            named!(norm, "post_attention_norm", normed),
            named!(norm, "attn_output_norm", normed),
        ),
        ffn_norm: yes(pre_norm).then(|| named!(norm, "ffn_norm", normed)),
        gate: match gate {
            0 => None,
            1 => Some(named!(linear, "ffn_gate", biased)),
            _ => Some(named!(linear, "ffn_up", biased)),
        },
        up: named!(linear, "ffn_up", biased),
        down: named!(linear, "ffn_down", biased),
        activation: activation(choice).0,
        ffn_join: join(
            named!(norm, "post_ffw_norm", normed),
            named!(norm, "layer_output_norm", normed),
        ),
        input_branch: yes(inputs).then(|| InputBranch {
            gate: named!(linear, "inp_gate", biased),
            project: named!(linear, "proj", biased),
            join: join(
                named!(norm, "post_norm", normed),
                named!(norm, "input_output_norm", normed),
            ),
        }),
        output_scale: yes(scales).then_some("layer_output_scale.weight"),
    }
}

/// Dense heads by whether they have biases.
const DENSE: [&[Linear<&str>]; 2] = [
    &[Linear::plain("dense_2.weight"), Linear::plain("dense_3.weight")],
    &[
        Linear::biased("dense_2.weight", "dense_2.bias"),
        Linear::biased("dense_3.weight", "dense_3.bias"),
    ],
];

fn arch(choice: &Choice) -> (Arch, Unstated) {
    let [layer_norm, embd_norm, positions, scaled, _, _, _, biases, _, ropes, ..] = *choice;
    let [.., output_norm, causal, dense, bare, v_norm, unscaled, full_heads, inputs, _] = *choice;
    let yes = |number: usize| number == 1;
    let normed = yes(layer_norm) && yes(biases);
    let arch = Arch {
        name: "made-up",
        variant: "for a test",
        marks: &[],
        norm: if yes(layer_norm) { NormRule::Layer } else { NormRule::Rms },
        causal: yes(causal),
        embedding_scale: match yes(scaled) {
            true => EmbeddingScale::RootOfWidth,
            false => EmbeddingScale::One,
        },
        embedding: Embedding {
            tokens: "token_embd.weight",
            token_types: yes(positions).then_some("token_types.weight"),
            positions: yes(positions).then_some("position_embd.weight"),
            norm: yes(embd_norm).then(|| named!(norm, "token_embd_norm", normed)),
        },
        layer_inputs: yes(inputs).then(|| LayerInputs {
            project: named!(linear, "per_layer_model_proj", yes(biases)),
            norm: named!(norm, "per_layer_proj_norm", normed),
        }),
        ropes: &ROPES[2 - ropes.min(2)..],
        layers: match ropes {
            0 => LayerRule::Alike(None),
            1 => LayerRule::Alike(Some(0)),
            2 => LayerRule::FullEvery { period: 6, first: 5 },
            3 => LayerRule::FullEvery { period: 3, first: 0 },
            _ => LayerRule::Stated,
        },
        heads: if yes(full_heads) { HeadRule::ByWindow } else { HeadRule::Alike },
        score_scale: if yes(unscaled) { ScoreScale::One } else { ScoreScale::RootOfHead },
        block: block(choice),
        bare_first_layer: yes(bare),
        optional_keys: &[],
        optional_tensors: &[],
        unused_tensors: &[],
        agreed: &[],
        output_norm: yes(output_norm).then(|| named!(norm, "output_norm", normed)),
        trained_context: None,
        dense: if dense > 0 { DENSE[biases] } else { &[] },
        dense_keys: &[],
        dense_per_token: false,
        pooling: Pooling::Mean,
        pooling_reason: None,
        tokenizers: &[TokenizerRule::ScoredBpe { space_prefix: false }],
        known: &[],
        terms: None,
        notes: &[],
    };
    let unstated = Unstated {
        causal: yes(causal),
        activation: activation(choice).1,
        scaled_embeddings: yes(scaled),
        full_layers: if ropes < 3 { (6, 5) } else { (3, 0) },
        scaled_scores: !yes(unscaled),
        normed_values: yes(v_norm),
    };
    (arch, unstated)
}

fn name(choice: &Choice) -> String {
    let chosen = CHOICES.iter().zip(choice).filter(|(_, number)| **number > 0);
    chosen.map(|((name, _), number)| format!("{name} {number}")).collect::<Vec<_>>().join(", ")
}

/// The largest difference from the reference, relative to the vector's root mean square if that is over one.
fn worst(got: &[Vec<f32>], want: &[Vec<f32>]) -> f32 {
    let mut worst = 0.0f32;
    for (got, want) in got.iter().zip(want) {
        let squares: f32 = want.iter().map(|x| x * x).sum();
        let size = (squares / want.len() as f32).sqrt().max(1.0);
        for (got, want) in got.iter().zip(want) {
            assert!(got.is_finite() && want.is_finite(), "{got} for {want}");
            worst = worst.max((got - want).abs() / size);
        }
    }
    worst
}

/// A made-up model in a file, and its reference.
fn model(number: usize, choice: &Choice, kind: TensorType) -> (TinyModel, Reference) {
    let (arch, unstated) = arch(choice);
    let mut sizes = SIZES[number % SIZES.len()];
    if arch.heads == HeadRule::ByWindow {
        sizes.full_heads = Some(FULL_HEADS[number % SIZES.len()]);
    }
    if choice[14] == 2 {
        sizes.n_out = 160;
    }
    let mut random = Random(number as u64);
    let file = architecture::writer(&arch, sizes, N_LAYER, kind, &mut random);
    let name = format!("architecture-{number}-{kind}");
    let model = TinyModel::among(&name, file.to_bytes(), &[arch]);
    let reference = Reference::read_as(&model.bytes, unstated);
    (model, reference)
}

fn texts(model: &TinyModel) -> Vec<Vec<u32>> {
    let mut random = Random(17);
    let text = |len: &usize| random_ids(&mut random, model.spec.n_vocab, *len);
    [1, 5, 18, 40].iter().map(text).collect()
}

#[test]
fn every_pair_of_choices_equals_the_reference_on_every_path() {
    let models = models();
    println!("{} models", models.len());
    let threads = Threads::new(3).expect("threads");
    for (number, choice) in models.iter().enumerate() {
        let kind = if number % 2 == 0 { TensorType::F32 } else { TensorType::Q8_0 };
        let tolerance = if kind == TensorType::F32 { 1e-5 } else { 2e-3 };
        let (model, reference) = model(number, choice, kind);
        let texts = texts(&model);
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let vector = |ids: &&[u32]| {
            let states = reference.states(ids);
            reference.vector(&states[N_LAYER], reference::Pooling::Mean, true)
        };
        let want: Vec<Vec<f32>> = texts.iter().map(vector).collect();
        let mut first = None;
        for (isa, mut encoder) in model.encoders(&model.spec) {
            let n = model.spec.n_out;
            let got = forward(&*encoder, &Team::solo(), n, &texts);
            let off = worst(&got, &want);
            assert!(off <= tolerance, "{}, {kind} on {isa}: off by {off:e}", name(choice));
            println!("{number}, {kind} on {isa}: off by {off:.1e}: {}", name(choice));
            let got = first.get_or_insert_with(|| bits(&got)).clone();
            assert_eq!(bits(&forward(&*encoder, &Team::solo(), n, &texts)), got, "{isa}");
            let image = select_generic(isa, model.spec.clone(), model.image(), model.rope());
            let image = image.expect("an encoder");
            assert_eq!(bits(&forward(&*image, &Team::solo(), n, &texts)), got, "{isa}, image");
            encoder.keep_panels(&threads).expect("memory");
            let together = threads.enter(|team| forward(&*encoder, team, n, &texts));
            assert_eq!(bits(&together), got, "{isa}, panels kept, three threads");
        }
    }
}

/// BERT's choices with its dimensions as constants and its operations alone, as a build would compile it.
struct Bert(Spec);

impl Types for Bert {
    const TYPES: &'static [TensorType] = &[TensorType::Q8_0];
}

impl Model for Bert {
    type NEmbd = Const<64>;
    type NFf = Const<96>;
    type NHead = Const<4>;
    type NHeadKv = Const<2>;
    type HeadDim = Const<32>;
    type NAttn = Const<128>;
    type FullNHeadKv = Const<2>;
    type FullHeadDim = Const<32>;
    type FullNAttn = Const<128>;
    type NLayerInput = Const<0>;
    type Types = Bert;
    const OPS: Ops =
        Ops { layer_norm: true, plain: true, gelu_erf: true, norm_of_sum: true, ..Ops::NONE };

    fn spec(&self) -> &Spec {
        &self.0
    }
}

#[test]
fn operations_that_are_cut_change_no_bit() {
    let (model, _) = model(0, &KNOWN[0], TensorType::Q8_0);
    assert_eq!(Ops::of(&model.spec), Bert::OPS);
    let texts = texts(&model);
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    for (isa, generic) in model.encoders(&model.spec) {
        let bert = select(isa, Bert(model.spec.clone()), model.weights(), model.rope());
        let bert = bert.expect("an encoder");
        let run = |encoder| bits(&forward(encoder, &Team::solo(), 64, &texts));
        assert_eq!(run(&*bert), run(&*generic), "{isa}");
    }
}
