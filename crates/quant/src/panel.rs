//! Panels: sixteen output columns of a matrix in blocks of [`BLOCK`] inputs, as the matmul kernels read them.
//!
//! An integer panel holds `q`, `scale` and `-min` of `weight = scale * q - min`. The kinds of integer panels differ in
//! how many inputs share a scale, and in whether there are minima.

use super::BLOCK;
use bytemuck::{Pod, Zeroable};
use monomorph_simd::{PANEL, Unit};

/// A cache line of panels of any kind: the element type of buffers that hold panels.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, align(64))]
pub struct Line([u8; 64]);

/// The kinds of panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanelKind {
    /// [`IntPanelBlock`]
    Int,
    /// [`MinPanelBlock`]
    Min,
    /// [`HalvesPanelBlock`]
    Halves,
    /// [`HalvesMinPanelBlock`]
    HalvesMin,
    /// [`FloatPanelBlock`]
    Float,
}

/// One block of a panel.
pub trait PanelBlock: Pod + Send + Sync {
    /// The kind of the panel.
    const KIND: PanelKind;
}

/// [`BLOCK`] inputs of sixteen columns as float32.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, align(64))]
pub struct FloatPanelBlock {
    /// `weights[i]` holds input `i`.
    pub weights: [[f32; PANEL]; BLOCK],
}

impl PanelBlock for FloatPanelBlock {
    const KIND: PanelKind = PanelKind::Float;
}

/// [`BLOCK`] inputs of sixteen columns as int8, with scales and perhaps minima.
pub trait Ints: PanelBlock {
    /// Number of groups of inputs, each with its own scale: 1 or 2.
    const GROUPS: usize;
    /// Whether the groups have minima.
    const MINS: bool;

    /// The weights, in the order of the instruction set: see [`Unit`].
    fn units(&self) -> &[Unit; BLOCK / 2];
    /// Each group's scales, one per column.
    fn scales(&self) -> &[[f32; PANEL]];
    /// Each group's negated minima, one per column; empty if there are none.
    fn mins(&self) -> &[[f32; PANEL]];
    /// Units, scales and negated minima, for writing.
    #[allow(clippy::type_complexity)] // The types of the three methods above.
    fn fields(&mut self) -> (&mut [Unit; BLOCK / 2], &mut [[f32; PANEL]], &mut [[f32; PANEL]]);
}

macro_rules! int_panel {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $groups:literal scales, $mins:literal mins) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Zeroable, Pod)]
        #[repr(C, align(64))]
        pub struct $name {
            units: [Unit; BLOCK / 2],
            scales: [[f32; PANEL]; $groups],
            mins: [[f32; PANEL]; $mins],
        }

        impl PanelBlock for $name {
            const KIND: PanelKind = PanelKind::$kind;
        }

        impl Ints for $name {
            const GROUPS: usize = $groups;
            const MINS: bool = $mins > 0;

            #[inline(always)]
            fn units(&self) -> &[Unit; BLOCK / 2] {
                &self.units
            }
            #[inline(always)]
            fn scales(&self) -> &[[f32; PANEL]] {
                &self.scales
            }
            #[inline(always)]
            fn mins(&self) -> &[[f32; PANEL]] {
                &self.mins
            }
            #[inline(always)]
            fn fields(
                &mut self,
            ) -> (&mut [Unit; BLOCK / 2], &mut [[f32; PANEL]], &mut [[f32; PANEL]]) {
                (&mut self.units, &mut self.scales, &mut self.mins)
            }
        }
    };
}

int_panel! {
    /// One scale per 32 inputs.
    IntPanelBlock, Int, 1 scales, 0 mins
}
int_panel! {
    /// One scale and one minimum per 32 inputs.
    MinPanelBlock, Min, 1 scales, 1 mins
}
int_panel! {
    /// One scale per 16 inputs.
    HalvesPanelBlock, Halves, 2 scales, 0 mins
}
int_panel! {
    /// One scale and one minimum per 16 inputs.
    HalvesMinPanelBlock, HalvesMin, 2 scales, 2 mins
}

impl PanelKind {
    /// Whether the weights are integers, which are multiplied by quantised rows.
    pub const fn is_ints(self) -> bool {
        !matches!(self, PanelKind::Float)
    }

    /// Whether the weights have minima, which are multiplied by the sums of quantised rows.
    pub const fn has_mins(self) -> bool {
        matches!(self, PanelKind::Min | PanelKind::HalvesMin)
    }

    /// Size of one block of a panel in bytes.
    pub const fn block_bytes(self) -> usize {
        match self {
            PanelKind::Int => size_of::<IntPanelBlock>(),
            PanelKind::Min => size_of::<MinPanelBlock>(),
            PanelKind::Halves => size_of::<HalvesPanelBlock>(),
            PanelKind::HalvesMin => size_of::<HalvesMinPanelBlock>(),
            PanelKind::Float => size_of::<FloatPanelBlock>(),
        }
    }

    /// Size of one block of a panel in cache lines.
    pub const fn block_lines(self) -> usize {
        self.block_bytes() / size_of::<Line>()
    }
}

/// `with_panel!(Types, kind, |P| body)` evaluates the body with `P` as the panel type of `kind`, a [`PanelKind`].
/// Nothing is compiled for kinds that none of the [`Types`](super::Types) is repacked to.
#[doc(hidden)]
#[macro_export]
macro_rules! with_panel {
    ($types:ty, $kind:expr, |$panel:ident| $body:expr) => {
        $crate::with_panel!(@ $types, $kind, $panel, $body,
            Int IntPanelBlock, Min MinPanelBlock, Halves HalvesPanelBlock, HalvesMin HalvesMinPanelBlock, Float FloatPanelBlock)
    };
    (@ $types:ty, $kind:expr, $panel:ident, $body:expr, $($name:ident $type:ident),*) => {
        match $kind {
            $($crate::PanelKind::$name
                if const { $crate::repacks_to::<$types>($crate::PanelKind::$name) } =>
            {
                type $panel = $crate::$type;
                $body
            })*
            other => unreachable!("the model has no {other:?} panels"),
        }
    };
}
