//! Describes the differences between two specs in words.

use crate::fields::{Describe, Node};
use crate::{Spec, Tensor};

/// The most differences that are listed. A file of another model differs in everything, and the message is one line.
const MAX_LISTED: usize = 3;

/// Fields that do not affect the vectors.
const IGNORED: [&str; 5] = ["name", "license", "options", "notes", "prompts"];

pub(crate) fn between(here: &Spec, build: &Spec) -> Vec<String> {
    let mut out = Vec::new();
    let (Node::Struct(_, a), Node::Struct(_, b)) = (here.node(), build.node()) else {
        unreachable!("a spec is a struct");
    };
    for ((field, a), (_, b)) in a.iter().zip(&b).filter(|((field, _), _)| !IGNORED.contains(field))
    {
        compare(field, a, b, &mut out);
    }
    tensors(here, build, &mut out);
    if out.len() > MAX_LISTED {
        let rest = out.len() - MAX_LISTED;
        out.truncate(MAX_LISTED);
        out.push(format!("and {rest} more"));
    }
    out
}

/// Compares everything except tensors, which [`tensors`] compares.
fn compare(path: &str, here: &Node, build: &Node, out: &mut Vec<String>) {
    match (here, build) {
        (Node::Tensor(_), Node::Tensor(_)) => {}
        (Node::Struct(_, a), Node::Struct(_, b)) => {
            // Where a layer starts shows in the offsets of its tensors.
            for ((field, a), (_, b)) in a.iter().zip(b).filter(|((field, _), _)| *field != "start")
            {
                compare(&format!("{path}.{field}"), a, b, out);
            }
        }
        (Node::Variant(_, a, inner), Node::Variant(_, b, other)) if a == b => {
            inner.iter().zip(other).for_each(|(a, b)| compare(path, a, b, out));
        }
        (Node::List(a) | Node::Array(a), Node::List(b) | Node::Array(b)) if a.len() == b.len() => {
            let before = out.len();
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                // Layers tend to differ in the same way, so only the first that differs is listed.
                if out.len() == before {
                    compare(&format!("{path}[{i}]"), a, b, out);
                }
            }
        }
        (Node::List(a), Node::List(b)) => {
            let (path, a, b) = (in_words(path), a.len(), b.len());
            out.push(format!("number of {path}: {a} in this file, {b} in the build's"));
        }
        (Node::Option(Some(a)), Node::Option(Some(b))) => compare(path, a, b, out),
        _ if here == build => {}
        _ => {
            let (path, here, build) = (in_words(path), show(here), show(build));
            out.push(format!("{path}: {here} in this file, {build} in the build's"));
        }
    }
}

/// The field's name for a message, if its own is only an abbreviation.
fn in_words(path: &str) -> &str {
    match path {
        "n_embd" => "dimensions",
        "n_ff" => "feed-forward width",
        "n_head" => "attention heads",
        "n_head_kv" => "key-value heads",
        "head_dim" => "width of an attention head",
        "n_vocab" => "vocabulary",
        "n_ctx" => "context",
        "dense" => "dense heads",
        other => other,
    }
}

/// A value for a message; a part of the model is shown only as present.
fn show(node: &Node) -> String {
    match node {
        Node::Option(None) => "none".to_owned(),
        Node::Option(Some(inner)) => show(inner),
        Node::Text(text) => format!("{text:?}"),
        Node::Str(text) => format!("{text:?}"),
        Node::Integer(n) => n.to_string(),
        Node::Float(x) => format!("{x:?}"),
        Node::Bool(flag) => flag.to_string(),
        Node::Variant(_, name, inner) => match &inner[..] {
            [value @ (Node::Integer(_) | Node::Float(_))] => format!("{name}({})", show(value)),
            _ => (*name).to_owned(),
        },
        Node::Struct(..) | Node::Tensor(_) => "one".to_owned(),
        Node::List(list) | Node::Array(list) | Node::Slice(list) => list.len().to_string(),
    }
}

fn tensors(here: &Spec, build: &Spec, out: &mut Vec<String>) {
    // A different set of tensors has already been reported as such.
    let pairs = here.tensors().zip(build.tensors());
    let pairs = pairs.take_while(|((name, _), (build_name, _))| name == build_name);
    let mut moved = Vec::new();
    for ((name, a), (_, b)) in pairs {
        if let Some((a, b)) = kind_or_size(a, b) {
            out.push(format!("tensor {name}: {a} in this file, {b} in the build's"));
        } else if a.offset != b.offset {
            let (a, b) = (a.offset, b.offset);
            moved.push(format!("tensor {name}: at byte {a} in this file, {b} in the build's"));
        }
    }
    // Any other difference moves the tensors after it.
    if out.is_empty() {
        out.append(&mut moved);
    }
}

/// The first property in which two tensors differ, as each of them has it.
fn kind_or_size(a: Tensor, b: Tensor) -> Option<(String, String)> {
    if a.kind != b.kind {
        return Some((a.kind.to_string(), b.kind.to_string()));
    }
    let size = |t: Tensor| format!("{} x {}", t.rows, t.cols);
    ((a.rows, a.cols) != (b.rows, b.cols)).then(|| (size(a), size(b)))
}
