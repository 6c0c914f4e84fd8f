//! The instruction sets of CPU families, each in a file: the same sixteen virtual lanes as [`Scalar`]'s, spelled in
//! intrinsics. What they are is said once, where build and run share it: [`Isa`].
//!
//! Invariant: a CPU's intrinsics are used in this folder only.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
pub use monomorph_quant::isa::{Isa, LANES, PANEL, Scalar, Unit, each};

/// The names of the instruction sets that this CPU has, best first.
pub fn available() -> Vec<&'static str> {
    let mut names = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        names.extend(Avx512::detect().map(|_| Avx512::NAME));
        names.extend(Avx2::detect().map(|_| Avx2::NAME));
    }
    names.push(Scalar::NAME);
    names
}

/// Runs a test body once for each instruction set of this CPU, and prints which.
#[cfg(test)]
macro_rules! for_each_isa {
    (|$isa:ident| $body:expr) => {{
        use $crate::isa::Isa as _;
        let mut ran = Vec::new();
        macro_rules! on {
            ($t:ty) => {
                if let Some($isa) = <$t>::detect() {
                    ran.push(<$t as $crate::isa::Isa>::NAME);
                    $body
                }
            };
        }
        on!($crate::isa::Scalar);
        #[cfg(target_arch = "x86_64")]
        {
            on!($crate::isa::Avx2);
            on!($crate::isa::Avx512);
        }
        println!("instruction sets tested: {}", ran.join(", "));
    }};
}
#[cfg(test)]
pub(crate) use for_each_isa;

#[cfg(test)]
mod tests {
    use super::*;

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
}
