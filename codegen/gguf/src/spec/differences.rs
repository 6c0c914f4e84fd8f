//! What sets two specifications apart, in words.

use super::{Spec, Tensor};

/// More than these help nobody: a file of another model differs in everything, and the message is one line.
const MAX_LISTED: usize = 3;

pub(super) fn between(here: &Spec, build: &Spec) -> Vec<String> {
    let mut out = Vec::new();
    hyper_parameters(here, build, &mut out);
    tensors(here, build, &mut out);
    if out.len() > MAX_LISTED {
        let rest = out.len() - MAX_LISTED;
        out.truncate(MAX_LISTED);
        out.push(format!("and {rest} more"));
    }
    out
}

macro_rules! compare {
    ($out:ident, $here:ident, $build:ident; $($name:literal: $($field:ident).+;)*) => {$(
        if $here.$($field).+ != $build.$($field).+ {
            $out.push(format!("{}: {} here, {} in the build", $name, show(&$here.$($field).+), show(&$build.$($field).+)));
        }
    )*};
}

fn hyper_parameters(here: &Spec, build: &Spec, out: &mut Vec<String>) {
    compare!(out, here, build;
        "architecture": architecture;
        "shape of the file": shape;
        "n_embd": n_embd;
        "n_ff": n_ff;
        "n_head": n_head;
        "n_head_kv": n_head_kv;
        "head_dim": head_dim;
        "n_vocab": n_vocab;
        "n_ctx": n_ctx;
        "rms_eps": rms_eps;
        "attention radius": attention_radius;
        "pooling": pooling;
        "rope base of full layers": rope_base_full;
        "rope base of sliding layers": rope_base_sliding;
        "id of <bos>": tokenizer.bos;
        "id of <eos>": tokenizer.eos;
        "id of <unk>": tokenizer.unknown;
        "add_bos": tokenizer.add_bos;
        "add_eos": tokenizer.add_eos;
        "add_space_prefix": tokenizer.add_space_prefix;
    );
    if here.n_layer() != build.n_layer() {
        out.push(format!("n_layer: {} here, {} in the build", here.n_layer(), build.n_layer()));
    }
}

fn tensors(here: &Spec, build: &Spec, out: &mut Vec<String>) {
    // Another set of tensors was reported as a whole by the shape and the number of layers.
    for ((name, a), (build_name, b)) in here.tensors().zip(build.tensors()) {
        if name != build_name {
            return;
        }
        if let Some((a, b)) = tensor(a, b) {
            out.push(format!("tensor {name}: {a} here, {b} in the build"));
        }
    }
}

/// The first property in which two tensors differ, on both sides.
fn tensor(a: Tensor, b: Tensor) -> Option<(String, String)> {
    if a.kind != b.kind {
        return Some((a.kind.to_string(), b.kind.to_string()));
    }
    if (a.rows, a.cols) != (b.rows, b.cols) {
        let shape = |t: Tensor| format!("{} x {}", t.rows, t.cols);
        return Some((shape(a), shape(b)));
    }
    (a.offset != b.offset)
        .then(|| (format!("at byte {}", a.offset), format!("at byte {}", b.offset)))
}

fn show(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}")
}
