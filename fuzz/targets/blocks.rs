//! Takes any bytes as blocks of any format. They must decode without a panic, to the same weights wherever the blocks
//! are split, and to what the format's formula gives where that is short enough to be repeated here. A product with
//! them must have the same bits on every instruction set.

#![no_main]

use half::f16;
use libfuzzer_sys::fuzz_target;
use monomorph_encoder::dim::Dyn;
use monomorph_encoder::kernels::columns::ColumnsMut;
use monomorph_encoder::kernels::matmul::{Rows, matmul};
use monomorph_encoder::kernels::matrix::{Matrix, PanelScratch};
use monomorph_encoder::kernels::quantize::{block_sums, quantize};
use monomorph_gguf::TensorType;
use monomorph_quant::{AnyType, BLOCK, FORMATS, decode_blocks};
use monomorph_simd::{Isa, PANEL, Scalar, with_vector_isas};

/// The most blocks that are decoded.
const MAX_BLOCKS: usize = 8;

/// The block formats, which follow the three float formats.
const BLOCK_FORMATS: &[TensorType] = FORMATS.split_at(3).1;

// The first byte chooses the format.
fuzz_target!(|bytes: &[u8]| {
    let Some((&format, bytes)) = bytes.split_first() else { return };
    let kind = BLOCK_FORMATS[usize::from(format) % BLOCK_FORMATS.len()];
    let (block_bytes, block_len) = (kind.block_bytes() as usize, kind.block_len() as usize);
    let blocks = (bytes.len() / block_bytes).min(MAX_BLOCKS);
    let bytes = &bytes[..blocks * block_bytes];

    // Weights that are not written stay NaN with this payload.
    let unwritten = f32::from_bits(0x7fc0_1234);
    let mut together = vec![unwritten; blocks * block_len + 1];
    decode_blocks(kind, bytes, &mut together[..blocks * block_len]);
    assert_eq!(
        together.pop().map(f32::to_bits),
        Some(unwritten.to_bits()),
        "{kind}: written past the end"
    );

    for (block, together) in bytes.chunks_exact(block_bytes).zip(together.chunks_exact(block_len)) {
        let mut alone = vec![unwritten; block_len];
        decode_blocks(kind, block, &mut alone);
        assert_same(kind, &alone, together);
        assert!(
            alone.iter().all(|x| x.to_bits() != unwritten.to_bits()),
            "{kind}: a weight is unwritten"
        );
        if let Some(formula) = formula(kind, block) {
            assert_same(kind, &formula, together);
        }
    }

    if blocks > 0 {
        let want = product::<Scalar>(kind, bytes).expect("scalar code runs everywhere");
        macro_rules! compare {
            ($isa:ty,) => {
                if let Some(got) = product::<$isa>(kind, bytes) {
                    assert_same(kind, &got, &want);
                }
            };
        }
        with_vector_isas!(compare!());
    }
});

/// Multiplies some rows, which are also made from the bytes, by sixteen columns that repeat the blocks.
fn product<I: Isa>(kind: TensorType, bytes: &[u8]) -> Option<Vec<f32>> {
    const M: usize = 3;
    let isa = I::detect()?;
    let k = kind.block_len() as usize;
    let all = PANEL * kind.block_bytes() as usize;
    let weights: Vec<u8> = bytes.iter().copied().cycle().take(all).collect();
    let inputs: Vec<f32> =
        bytes.iter().cycle().take(M * k).map(|byte| f32::from(*byte as i8) * 0.37).collect();
    let mut ints = vec![0; M * k];
    let rows = inputs.chunks(k).zip(ints.chunks_mut(k));
    let scales: Vec<f32> = rows.map(|(x, q)| quantize(isa, Dyn(k), x, q)).collect();
    let mut sums = vec![bytemuck::Zeroable::zeroed(); M * k / BLOCK];
    block_sums(isa, &ints, &mut sums);
    let ints = bytemuck::cast_slice(&ints);
    let rows = Rows { m: M, ints, scales: &scales, sums: &sums, floats: &[] };
    let mut out = vec![0.0; M * PANEL];
    let columns = &mut ColumnsMut::new(&mut out, PANEL);
    let matrix = Matrix::blocks(kind, &weights);
    matmul::<_, _, AnyType>(isa, Dyn(k), rows, matrix, 0, &mut PanelScratch::default(), columns);
    Some(out)
}

/// Asserts that the bits are equal, except for the payload of NaN.
#[track_caller]
fn assert_same(kind: TensorType, a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let same = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        assert!(same, "{kind}: weight {i} is {a:?} and {b:?}");
    }
}

/// The weights of a block of 32, by ggml's definition of the format.
fn formula(kind: TensorType, block: &[u8]) -> Option<Vec<f32>> {
    let half = |at: usize| f16::from_le_bytes([block[at], block[at + 1]]).to_f32();
    let d = half(0);
    let low_then_high = |quants: usize| {
        let quants = block[quants..quants + 16].to_vec();
        let low = quants.clone().into_iter().map(|byte| byte & 15);
        low.chain(quants.into_iter().map(|byte| byte >> 4))
    };
    let fifth = |at: usize| {
        let bits = u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
        (0..32).map(move |i| (bits >> i & 1) << 4)
    };
    Some(match kind {
        TensorType::Q8_0 => block[2..].iter().map(|&q| d * f32::from(q as i8)).collect(),
        TensorType::Q4_0 => low_then_high(2).map(|q| d * (f32::from(q) - 8.0)).collect(),
        TensorType::Q4_1 => low_then_high(4).map(|q| d * f32::from(q) + half(2)).collect(),
        TensorType::Q5_0 => low_then_high(6)
            .zip(fifth(2))
            .map(|(q, high)| d * ((u32::from(q) | high) as f32 - 16.0))
            .collect(),
        TensorType::Q5_1 => low_then_high(8)
            .zip(fifth(4))
            .map(|(q, high)| d * (u32::from(q) | high) as f32 + half(2))
            .collect(),
        _ => return None,
    })
}
