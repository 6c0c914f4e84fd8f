//! Every instruction set against plain loops, and their integer products at the ends of the ranges.

use super::*;

/// SplitMix64 (Steele, Lea and Flood 2014).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Weights of sixteen columns, and `R` rows of inputs: random ones, or all at an end of their range.
fn block<const R: usize>(kind: usize, state: &mut u64) -> ([[i8; 32]; PANEL], [[i16; 32]; R]) {
    let weights = [(i8::MIN, i8::MAX), (i8::MIN, i8::MIN), (i8::MAX, i8::MAX)][kind % 3];
    let inputs = [(-32767, 32767), (-32767, -32767), (32767, 32767), (-1, 0)][kind / 3 % 4];
    let mut pick = |low: i32, high: i32| {
        let number = random(state);
        match kind {
            // A quarter of the blocks has only the ends.
            0..12 if number & 1 == 0 => low,
            0..12 => high,
            _ => low + (number >> 1) as i32 % (high - low + 1).max(1),
        }
    };
    let weights =
        [(); PANEL].map(|()| [(); 32].map(|()| pick(weights.0.into(), weights.1.into()) as i8));
    (weights, [(); R].map(|()| [(); 32].map(|()| pick(inputs.0, inputs.1) as i16)))
}

/// The sums that `dot` makes of `R` rows and all inputs, or of half of them, rounded to float32.
fn sums<I: Isa, const R: usize>(
    isa: I,
    weights: &[[i8; 32]; PANEL],
    inputs: &[[i16; 32]; R],
    used: Range<usize>,
) -> [[f32; LANES]; R] {
    let mut units = [[0; 32]; 16];
    isa.transpose_weights(weights.each_ref(), &mut units);
    let mut pairs = [[0; 32]; 16];
    let scalar = Scalar::detect().expect("it runs everywhere");
    scalar.transpose_weights(weights.each_ref(), &mut pairs);
    let mut arranged = [[0; 32]; 16];
    isa.arrange(&pairs, &mut arranged);
    assert_eq!(arranged, units);
    let rows = inputs.map(|row| {
        let mut stored = [[0i16; LANES]; 2];
        for (half, to) in row.as_chunks::<LANES>().0.iter().zip(&mut stored) {
            isa.store_inputs(isa.round(isa.load(&half.map(f32::from))), to);
            assert_eq!(isa.inputs(to), *half);
        }
        let all = stored.as_flattened().as_chunks::<2>().0;
        <[Pair; 16]>::try_from(all).expect("sixteen pairs")
    });
    let used = used.start / 2..used.end / 2;
    let sums = isa.dot([&units], rows.each_ref(), used);
    sums.map(|[sum]| {
        let mut lanes = [0.0; LANES];
        isa.store(isa.to_f32(sum), &mut lanes);
        lanes
    })
}

#[test]
fn dot_is_exact_at_the_ends_of_the_ranges() {
    fn check<I: Isa, const R: usize>(isa: I) {
        if R > I::INT_SUMS {
            return;
        }
        let mut state = R as u64;
        for kind in 0..48 {
            let (weights, inputs) = block::<R>(kind, &mut state);
            for used in [0..32, 0..16, 16..32] {
                let got = isa.vectorize(|| sums(isa, &weights, &inputs, used.clone()));
                for (r, got) in got.iter().enumerate() {
                    for (c, got) in got.iter().enumerate() {
                        let terms = used
                            .clone()
                            .map(|k| i32::from(weights[c][k]) * i32::from(inputs[r][k]));
                        assert_eq!(
                            *got,
                            terms.sum::<i32>() as f32,
                            "{} kind {kind}, row {r} of {R}, column {c}",
                            I::NAME
                        );
                    }
                }
            }
        }
    }
    fn check_all(isa: impl Isa) {
        check::<_, 1>(isa);
        check::<_, 2>(isa);
        check::<_, 3>(isa);
        check::<_, 4>(isa);
        check::<_, 5>(isa);
        check::<_, 6>(isa);
    }
    for_each_isa!(|isa| check_all(isa));
    #[cfg(target_arch = "x86_64")]
    if let Some(isa) = avx2::AvxVnniAsEvex::detect() {
        check_all(isa);
        println!("also tested: {}", avx2::AvxVnniAsEvex::NAME);
    }
}

#[test]
fn transposes() {
    let rows: [[f32; LANES]; LANES] =
        std::array::from_fn(|i| std::array::from_fn(|k| (16 * i + k) as f32));
    for_each_isa!(|isa| {
        let mut to = [[0.0; LANES]; LANES];
        isa.vectorize(|| isa.transpose(rows.each_ref(), &mut to));
        for (i, row) in rows.iter().enumerate() {
            assert!((0..LANES).all(|k| to[k][i] == row[k]), "row {i}");
        }
    });
}
