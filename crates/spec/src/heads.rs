//! Reads the attention heads: their numbers and widths.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::Heads;
use crate::arch::Arch;
use crate::keys::{Keys, MAX_WIDTH};
use monomorph_gguf::Error;

/// The heads of all layers.
pub(crate) fn alike(keys: &Keys<'_, '_>, arch: &Arch, n_embd: usize) -> Result<Heads, Error> {
    let may_miss = |key: &str| arch.optional_keys.contains(&key) && !keys.has(key);
    let n_head = keys.size("attention.head_count", MAX_WIDTH)?;
    let n_head_kv = match may_miss("attention.head_count_kv") {
        true => n_head,
        false => keys.size("attention.head_count_kv", MAX_WIDTH)?,
    };
    check_divides(keys, n_head, n_head_kv)?;
    let head_dim = match may_miss("attention.key_length") {
        true => share_of_width(keys, n_embd, n_head)?,
        false => keys.width("attention.key_length")?,
    };
    let value_length = match may_miss("attention.value_length") {
        true => head_dim,
        false => keys.width("attention.value_length")?,
    };
    check_heads(keys, Heads { n_head, n_head_kv, head_dim }, value_length, "")
}

/// The heads of layers that slide and of those that see the whole text; none of the latter if they are the same. Where all
/// layers are of one kind, the heads are those of that kind.
pub(crate) fn by_window(
    keys: &Keys<'_, '_>,
    is_full: &[bool],
) -> Result<(Heads, Option<Heads>), Error> {
    const KV: &str = "attention.head_count_kv";
    let n_head = keys.size("attention.head_count", MAX_WIDTH)?;
    let each = keys.sizes(KV, MAX_WIDTH, is_full.len())?;
    let of_kind = |suffix: &str, full: bool| {
        let mut of_layers = is_full.iter().zip(&each).filter(|(is_full, _)| **is_full == full);
        let Some((_, &n_head_kv)) = of_layers.next() else { return Ok(None) };
        if let Some((_, other)) = of_layers.find(|(_, other)| **other != n_head_kv) {
            let expected = "one number for all layers that slide, and one for all others";
            return Err(keys.error(KV, format!("{n_head_kv} and {other}"), expected));
        }
        check_divides(keys, n_head, n_head_kv)?;
        let [head_dim, value_length] =
            ["key", "value"].map(|of| keys.width(&format!("attention.{of}_length{suffix}")));
        let heads = Heads { n_head, n_head_kv, head_dim: head_dim? };
        check_heads(keys, heads, value_length?, suffix).map(Some)
    };
    Ok(match (of_kind("_swa", false)?, of_kind("", true)?) {
        (Some(sliding), full) => (sliding, full.filter(|full| *full != sliding)),
        (None, Some(full)) => (full, None),
        (None, None) => unreachable!("a model has layers"),
    })
}

fn check_divides(keys: &Keys<'_, '_>, n_head: usize, n_head_kv: usize) -> Result<(), Error> {
    if n_head.checked_rem(n_head_kv) != Some(0) {
        let expected = format!("a divisor of the {n_head} heads");
        return Err(keys.error("attention.head_count_kv", n_head_kv, expected));
    }
    Ok(())
}

/// Checks widths. The keys that state them end in `suffix`.
fn check_heads(
    keys: &Keys<'_, '_>,
    heads: Heads,
    value_length: usize,
    suffix: &str,
) -> Result<Heads, Error> {
    let Heads { n_head, n_head_kv, head_dim } = heads;
    if value_length != head_dim {
        let expected = format!("the key length {head_dim}");
        return Err(keys.error(&format!("attention.value_length{suffix}"), value_length, expected));
    }
    for (key, heads) in [("attention.head_count", n_head), ("attention.head_count_kv", n_head_kv)] {
        if heads.checked_mul(head_dim).is_none_or(|width| width > MAX_WIDTH) {
            let expected =
                format!("heads of {head_dim} that are at most {MAX_WIDTH} wide together");
            return Err(keys.error(key, heads, expected));
        }
    }
    Ok(heads)
}

/// The width of a head if the file does not state it.
fn share_of_width(keys: &Keys<'_, '_>, n_embd: usize, n_head: usize) -> Result<usize, Error> {
    let share = n_embd.checked_div(n_head).unwrap_or_default();
    if share.checked_mul(n_head) != Some(n_embd) || !keys.is_width(share) {
        let expected = format!(
            "a divisor of embedding_length {n_embd} that gives heads whose width is a multiple of 32"
        );
        return Err(keys.error("attention.head_count", n_head, expected));
    }
    Ok(share)
}
