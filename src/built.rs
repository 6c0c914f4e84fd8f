//! The model that this binary was built for.

use crate::tokenizer::Tokenizer;
use monomorph_encoder::RopeTables;
use monomorph_quant::image::Form;

mod generated {
    include!(concat!(env!("OUT_DIR"), "/model.rs"));
}

pub use generated::{Built, FINGERPRINT, NAME, SPEC};

/// The path that the build was given.
pub const SOURCE: &str = env!("MONOMORPH_SOURCE");

/// Whether the weights are inside the binary (`MONOMORPH_EMBED=1`, or the default model), which then needs no file.
pub const IS_EMBEDDED: bool = cfg!(monomorph_embed);

/// How the weights inside the binary are stored, if they are inside.
pub const IMAGE_FORM: Form = if cfg!(monomorph_embed_blocks) { Form::Blocks } else { Form::Panels };

/// Whether the build named no model: this is the default one, small and for English.
pub const IS_DEFAULT_MODEL: bool = matches!(env!("MONOMORPH_IS_DEFAULT").as_bytes(), b"1");

/// Makes a blob begin at a multiple of 64 bytes.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

static VOCABULARY: &Aligned<[u8]> =
    &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/vocabulary.bin")));
static ROPE: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/rope.bin")));

/// The model's tokenizer.
pub fn tokenizer() -> Tokenizer {
    Tokenizer::new(&VOCABULARY.0)
}

/// The model's RoPE tables.
pub fn rope_tables() -> RopeTables {
    let tables: &'static [f32] = bytemuck::cast_slice(&ROPE.0);
    RopeTables::new(tables, &SPEC)
}
