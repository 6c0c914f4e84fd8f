//! Models that were split into several files.

use monomorph_gguf::{Error, Metadata};

/// Refuses a part of a split model. Every part has the keys that `llama-gguf-split` writes; only the first has the
/// model's own.
pub(crate) fn refuse_parts(metadata: &Metadata<'_>) -> Result<(), Error> {
    let count = metadata.optional::<u32>("split.count")?.unwrap_or(1);
    if count <= 1 {
        return Ok(());
    }
    let part = metadata.optional::<u32>("split.no")?.unwrap_or(0).saturating_add(1);
    let reason = format!(
        "metadata key split.count is {count}: this is part {part} of a model in {count} files; merge them first: \
         llama-gguf-split --merge NAME-00001-of-{count:05}.gguf NAME.gguf"
    );
    Err(Error::Unsupported { reason })
}
