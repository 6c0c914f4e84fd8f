//! Every kernel in the shapes of EmbeddingGemma-300M, with its dimensions compiled in and read at run time.
//!
//! `cargo bench -p monomorph-benches` runs all of them, `cargo bench -p monomorph-benches -- 'matmul.*m=12'` some.
//! benches/README.md explains the output and lists results.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use monomorph_encoder::dim::{Const, Dim, Dyn};
use monomorph_encoder::kernels::activation::{Activate, GeluTanh};
use monomorph_encoder::kernels::attention::{
    AttentionScratch, Heads, KeysValues, Visible, attention,
};
use monomorph_encoder::kernels::columns::ColumnsMut;
use monomorph_encoder::kernels::exp::exp;
use monomorph_encoder::kernels::matmul::{Rows, matmul, matmul_gated};
use monomorph_encoder::kernels::matrix::{Matrix, PanelScratch};
use monomorph_encoder::kernels::quantize::{block_sums, quantize};
use monomorph_encoder::kernels::rms_norm::{add_rms_norm, rms_norm_in_place, rms_norm_quantize};
use monomorph_encoder::kernels::rope::rope;
use monomorph_encoder::kernels::softmax::softmax_columns;
use monomorph_encoder::kernels::tile::BlockSums;
use monomorph_gguf::TensorType;
use monomorph_quant::{AnyType, BLOCK, Line, panel_kind, repack};
use monomorph_simd::{Isa, LANES, Scalar, with_vector_isas};
use std::hint::black_box;
use std::time::{Duration, Instant};

const N_EMBD: usize = 768;
const N_FF: usize = 1152;
const HEAD_DIM: usize = 256;
const N_HEAD: usize = 3;

/// Numbers of rows: the lengths of the texts that the documentation uses.
const ROWS: [usize; 4] = [1, 12, 56, 222];

/// Deterministic values between -1 and 1.
fn noise(n: usize) -> Vec<f32> {
    let mixed = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    (0..n as u64).map(|i| mixed(i) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// The formats whose products are timed: one of each kind of panel.
const FORMATS: [TensorType; 4] =
    [TensorType::Q8_0, TensorType::Q4_K, TensorType::Q6_K, TensorType::Q2_K];

/// A matrix of n outputs by k inputs, with small scales and arbitrary weights.
fn weights(kind: TensorType, n: usize, k: usize) -> Vec<u8> {
    let byte = |i: usize| ((i * 37) >> 3) as u8 & 0x9f;
    (0..n * k / kind.block_len() as usize * kind.block_bytes() as usize).map(byte).collect()
}

/// The clock rate in GHz, from a chain of multiplications and additions that takes four cycles per link on every x86-64
/// CPU of the last decade.
fn clock() -> f64 {
    const LINKS: u32 = 20_000_000;
    let mut best = f64::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        let mut x = black_box(3u64);
        for _ in 0..LINKS {
            x = x.wrapping_mul(x).wrapping_add(12_345);
        }
        black_box(x);
        best = best.min(begun.elapsed().as_secs_f64());
    }
    4.0 * f64::from(LINKS) / best / 1e9
}

/// The pair products of a tile with sums and weights in registers and no other work, which no product can outrun.
fn ceiling<I: Isa>(group: &mut BenchmarkGroup<'_, WallTime>, isa: I) {
    if I::WIDE { ceiling_of::<I, 12, 1>(group, isa) } else { ceiling_of::<I, 5, 5>(group, isa) }
}

/// As many sums as leave registers for the operands. Where products are intrinsics, each sum needs an input of its own,
/// and each step other inputs: of equal products the compiler makes one, and only adds.
fn ceiling_of<I: Isa, const SUMS: usize, const INPUTS: usize>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    isa: I,
) {
    const STEPS: usize = 10_000;
    group.throughput(Throughput::Elements((STEPS * SUMS * LANES * 2) as u64));
    group.bench_function("ceiling, weights in registers", |b| {
        let inputs: [[i16; 2]; 40] = black_box(std::array::from_fn(|i| [i as i16, -7]));
        b.iter(|| {
            isa.vectorize(
                #[inline(always)]
                || {
                    let w = isa.widen(black_box(&[3; 32]));
                    let mut sums = [isa.zero(); SUMS];
                    for step in 0..STEPS {
                        let inputs = &inputs[step % 8 * INPUTS..][..INPUTS];
                        for (i, sum) in sums.iter_mut().enumerate() {
                            *sum = isa.dot_pairs(*sum, w, inputs[i % INPUTS]);
                        }
                    }
                    for sum in sums {
                        let mut lanes = [0.0; LANES];
                        isa.store(isa.to_f32(sum), &mut lanes);
                        black_box(lanes);
                    }
                },
            )
        })
    });
}

/// `m` rows of `k`, quantised.
struct Input {
    ints: Vec<i16>,
    scales: Vec<f32>,
    sums: Vec<BlockSums>,
}

impl Input {
    fn new<I: Isa>(isa: I, m: usize, k: usize) -> Input {
        let ints: Vec<i16> = noise(m * k).into_iter().map(|x| (x * 32767.0) as i16).collect();
        let mut sums = vec![bytemuck::Zeroable::zeroed(); m * k / BLOCK];
        block_sums(isa, &ints, &mut sums);
        Input { ints, scales: vec![1e-4; m], sums }
    }

    fn rows(&self) -> Rows<'_> {
        let ints = bytemuck::cast_slice(&self.ints);
        let Input { scales, sums, .. } = self;
        Rows { m: scales.len(), ints, scales, sums, floats: &[] }
    }
}

/// One product in both paths, with the weights repacked on use and kept.
fn product<I: Isa, const K: usize>(
    c: &mut Criterion,
    isa: I,
    name: &str,
    kind: TensorType,
    n: usize,
) {
    let blocks = weights(kind, n, K);
    let lines = n * K / BLOCK / LANES * panel_kind(kind).block_lines();
    let mut panels: Vec<Line> = vec![bytemuck::Zeroable::zeroed(); lines];
    repack(isa, kind, K / BLOCK, &blocks, 0, &mut panels);
    let mut group = c.benchmark_group(format!("matmul {name} {kind} {n}x{K} {}", I::NAME));
    for m in ROWS {
        let input = Input::new(isa, m, K);
        let mut out = vec![0.0; m * n];
        let mut scratch = PanelScratch::default();
        group.throughput(Throughput::Elements((m * n * K) as u64));
        for (form, matrix) in
            [("kept", Matrix::panels(kind, &panels)), ("on use", Matrix::blocks(kind, &blocks))]
        {
            let mut run =
                |path: &str, run: &mut dyn FnMut(&mut PanelScratch, &mut ColumnsMut<'_>)| {
                    group.bench_function(format!("m={m} {form} {path}"), |b| {
                        b.iter(|| run(&mut scratch, &mut ColumnsMut::new(&mut out, n)))
                    });
                };
            let rows = input.rows();
            run("specialized", &mut |s, out| {
                matmul::<_, _, AnyType>(isa, Const::<K>, rows, matrix, 0, s, out)
            });
            run("generic", &mut |s, out| {
                matmul::<_, _, AnyType>(isa, Dyn(black_box(K)), rows, matrix, 0, s, out)
            });
        }
    }
    group.finish();
}

/// Repacking a matrix of every format.
fn repack_all<I: Isa>(c: &mut Criterion, isa: I) {
    let mut group = c.benchmark_group(format!("repack {}", I::NAME));
    for kind in monomorph_quant::FORMATS {
        let blocks = weights(*kind, N_EMBD, N_EMBD);
        let lines = N_EMBD * N_EMBD / BLOCK / LANES * panel_kind(*kind).block_lines();
        let mut panels: Vec<Line> = vec![bytemuck::Zeroable::zeroed(); lines];
        group.throughput(Throughput::Elements((N_EMBD * N_EMBD) as u64));
        group.bench_function(kind.name(), |b| {
            b.iter(|| repack(isa, *kind, N_EMBD / BLOCK, &blocks, 0, &mut panels))
        });
    }
    group.finish();
}

/// Gate and up with GeGLU.
fn gated<I: Isa>(c: &mut Criterion, isa: I) {
    let kind = TensorType::Q8_0;
    let [gate, up] = [weights(kind, N_FF, N_EMBD), weights(kind, N_FF, N_EMBD)];
    let (gate, up) = (Matrix::blocks(kind, &gate), Matrix::blocks(kind, &up));
    let mut group = c.benchmark_group(format!("matmul gate, up {N_FF}x{N_EMBD} {}", I::NAME));
    for m in ROWS {
        let input = Input::new(isa, m, N_EMBD);
        let rows = input.rows();
        let mut out = vec![0.0; m * N_FF];
        let mut scratch = PanelScratch::default();
        group.throughput(Throughput::Elements((2 * m * N_FF * N_EMBD) as u64));
        group.bench_function(format!("m={m} on use specialized"), |b| {
            let k = Const::<N_EMBD>;
            b.iter(|| {
                let out = &mut ColumnsMut::new(&mut out, N_FF);
                matmul_gated::<_, _, AnyType, GeluTanh>(
                    isa,
                    k,
                    rows,
                    [gate, up],
                    0,
                    &mut scratch,
                    out,
                )
            })
        });
        group.bench_function(format!("m={m} on use generic"), |b| {
            let k = Dyn(black_box(N_EMBD));
            b.iter(|| {
                let out = &mut ColumnsMut::new(&mut out, N_FF);
                matmul_gated::<_, _, AnyType, GeluTanh>(
                    isa,
                    k,
                    rows,
                    [gate, up],
                    0,
                    &mut scratch,
                    out,
                )
            })
        });
    }
    group.finish();
}

/// Times `f` compiled for the instruction set.
#[allow(clippy::redundant_closure)] // Only a closure can be told to be inlined.
fn element_wise<I: Isa>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    isa: I,
    name: &str,
    n: usize,
    mut f: impl FnMut(),
) {
    group.throughput(Throughput::Elements(n as u64));
    group.bench_function(name, |b| {
        b.iter(|| {
            isa.vectorize(
                #[inline(always)]
                || f(),
            )
        })
    });
}

/// All operations on a row, on one path.
fn rows<I: Isa, E: Dim, F: Dim, D: Dim>(
    c: &mut Criterion,
    isa: I,
    path: &str,
    (n_embd, n_ff, head_dim): (E, F, D),
) {
    let mut group = c.benchmark_group(format!("row {} {path}", I::NAME));
    let (x, gain) = (noise(N_FF), vec![1.1; N_FF]);
    let (mut y, mut q) = (noise(N_FF), vec![0; N_FF]);
    let y = y.as_mut_slice();
    let eps = 1e-6;
    element_wise(&mut group, isa, "rms_norm_quantize 768", N_EMBD, || {
        black_box(rms_norm_quantize(isa, n_embd, &x, &gain, eps, &mut q));
    });
    element_wise(&mut group, isa, "add_rms_norm 768", N_EMBD, || {
        add_rms_norm(isa, n_embd, y, &x, &gain, eps);
    });
    element_wise(&mut group, isa, "rms_norm_in_place 256", HEAD_DIM, || {
        rms_norm_in_place(isa, head_dim, y, &gain, eps);
    });
    element_wise(&mut group, isa, "quantize 1152", N_FF, || {
        black_box(quantize(isa, n_ff, &x, &mut q));
    });
    let (cos, sin) = (vec![0.8; HEAD_DIM / 2], vec![0.6; HEAD_DIM / 2]);
    element_wise(&mut group, isa, "rope 256", HEAD_DIM, || {
        rope(isa, head_dim, y, &cos, &sin, 1.0);
    });
    group.finish();
}

/// The functions of single vectors, which do not depend on a dimension.
fn lanes<I: Isa>(c: &mut Criterion, isa: I) {
    let mut group = c.benchmark_group(format!("lanes {}", I::NAME));
    let x: Vec<[f32; LANES]> = bytemuck::cast_slice(&noise(N_FF)).to_vec();
    let mut y = x.clone();
    element_wise(&mut group, isa, "exp 1152", N_FF, || {
        x.iter().zip(&mut y).for_each(|(x, y)| isa.store(exp(isa, isa.load(x)), y));
    });
    element_wise(&mut group, isa, "gelu 1152", N_FF, || {
        let gate = |x| GeluTanh::activate(isa, isa.load(x));
        x.iter().zip(&mut y).for_each(|(x, y)| isa.store(gate(x), y));
    });
    let mut scores: Vec<[f32; LANES]> = bytemuck::cast_slice(&noise(222 * LANES)).to_vec();
    element_wise(&mut group, isa, "softmax, 222 keys of 16 queries", 222 * LANES, || {
        black_box(softmax_columns(isa, &mut scores));
    });
    group.finish();
}

/// Attention of sixteen tokens to a whole text, in a full layer.
fn attend<I: Isa, H: Dim, G: Dim, D: Dim>(
    c: &mut Criterion,
    isa: I,
    path: &str,
    heads: Heads<H, G, D>,
) {
    let mut group = c.benchmark_group(format!("attention {} {path}", I::NAME));
    let width = (N_HEAD + 2) * HEAD_DIM;
    for n in [56, 222, 443, 1664] {
        let (queries, keys, values) =
            (noise(LANES * width), noise(n * HEAD_DIM), noise(n * HEAD_DIM));
        let kv = [KeysValues { n, keys: &keys, values: &values }];
        let mut scratch = AttentionScratch::default();
        let mut out = vec![0.0; LANES * N_HEAD * HEAD_DIM];
        group.throughput(Throughput::Elements((2 * LANES * n * N_HEAD * HEAD_DIM) as u64));
        group.bench_function(format!("16 tokens, {n} keys"), |b| {
            let s = &mut scratch;
            b.iter(|| {
                attention(isa, heads, &queries, width, 0..LANES, kv, Visible::ALL, s, &mut out)
            })
        });
    }
    group.finish();
}

fn all<I: Isa>(c: &mut Criterion) {
    let Some(isa) = I::detect() else {
        println!("{}: this CPU does not have it", I::NAME);
        return;
    };
    let mut group = c.benchmark_group(format!("matmul {}", I::NAME));
    // The others multiply no pairs.
    if I::STEP == 2 {
        ceiling(&mut group, isa);
    }
    group.finish();
    repack_all(c, isa);
    for kind in FORMATS {
        product::<I, N_EMBD>(c, isa, "q", kind, N_EMBD);
    }
    product::<I, N_EMBD>(c, isa, "k", TensorType::Q8_0, HEAD_DIM);
    product::<I, N_FF>(c, isa, "down", TensorType::Q8_0, N_EMBD);
    gated(c, isa);
    let (e, f, d) = (Const::<N_EMBD>, Const::<N_FF>, Const::<HEAD_DIM>);
    rows(c, isa, "specialized", (e, f, d));
    rows(
        c,
        isa,
        "generic",
        (Dyn(black_box(N_EMBD)), Dyn(black_box(N_FF)), Dyn(black_box(HEAD_DIM))),
    );
    lanes(c, isa);
    let constant = Heads { n_head: Const::<N_HEAD>, n_head_kv: Const::<1>, head_dim: d };
    attend(c, isa, "specialized", constant);
    let [n_head, n_head_kv, head_dim] = [N_HEAD, 1, HEAD_DIM].map(|n| Dyn(black_box(n)));
    attend(c, isa, "generic", Heads { n_head, n_head_kv, head_dim });
}

fn kernels(c: &mut Criterion) {
    println!("clock: {:.2} GHz, one core", clock());
    macro_rules! all_of {
        ($isa:ty, $c:expr) => {
            all::<$isa>($c);
        };
    }
    with_vector_isas!(all_of!(c));
    if std::env::var_os("MONOMORPH_ISA").is_some_and(|isa| isa == Scalar::NAME) {
        all::<Scalar>(c);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    targets = kernels
}
criterion_main!(benches);
