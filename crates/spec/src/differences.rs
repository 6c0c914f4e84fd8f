//! What sets two specifications apart, in words.

use crate::{Spec, Tensor};

/// More than these help nobody: a file of another model differs in everything, and the message is one line.
const MAX_LISTED: usize = 3;

pub(crate) fn between(here: &Spec, build: &Spec) -> Vec<String> {
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
        "n_embd": n_embd;
        "n_ff": n_ff;
        "n_head": n_head;
        "n_head_kv": n_head_kv;
        "head_dim": head_dim;
        "n_vocab": n_vocab;
        "n_ctx": n_ctx;
        "rms_eps": rms_eps;
        "causal": causal;
        "attention radius": attention_radius;
        "attention scale": attention_scale;
        "pooling": pooling;
        "rope base of full layers": rope_base_full;
        "rope base of sliding layers": rope_base_sliding;
        "rope divisor of full layers": rope_divisor_full;
        "id of <bos>": tokenizer.bos;
        "id of <eos>": tokenizer.eos;
        "id of <unk>": tokenizer.unknown;
        "add_bos": tokenizer.add_bos;
        "add_eos": tokenizer.add_eos;
        "add_space_prefix": tokenizer.add_space_prefix;
    );
    if here.shape != build.shape {
        out.push(format!("shape of the file: {} here, {} in the build", here.shape, build.shape));
    }
    if here.n_layer() != build.n_layer() {
        out.push(format!("n_layer: {} here, {} in the build", here.n_layer(), build.n_layer()));
    }
}

fn tensors(here: &Spec, build: &Spec, out: &mut Vec<String>) {
    // Another set of tensors was reported as a whole by the shape and the number of layers.
    let pairs = here.tensors().zip(build.tensors());
    let pairs = pairs.take_while(|((name, _), (build_name, _))| name == build_name);
    let mut moved = Vec::new();
    for ((name, a), (_, b)) in pairs {
        if let Some((a, b)) = kind_or_size(a, b) {
            out.push(format!("tensor {name}: {a} here, {b} in the build"));
        } else if a.offset != b.offset {
            let (a, b) = (a.offset, b.offset);
            moved.push(format!("tensor {name}: at byte {a} here, {b} in the build"));
        }
    }
    // Whatever else differs moves the tensors behind it.
    if out.is_empty() {
        out.append(&mut moved);
    }
}

/// The first property in which two tensors differ, on both sides.
fn kind_or_size(a: Tensor, b: Tensor) -> Option<(String, String)> {
    if a.kind != b.kind {
        return Some((a.kind.to_string(), b.kind.to_string()));
    }
    let size = |t: Tensor| format!("{} x {}", t.rows, t.cols);
    ((a.rows, a.cols) != (b.rows, b.cols)).then(|| (size(a), size(b)))
}

fn show(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}")
}
