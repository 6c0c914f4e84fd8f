//! Prints a report for people.

use std::fmt::{self, Write};

use super::own::{Own, WeightsReport};
use super::report::{ModelReport, Report, SHORT_TEXT};
use super::tensors::{TensorGroup, TypeCount};

/// Longer metadata values are cut to this many characters; --json has them whole.
const MAX_CHARS: usize = 100;

/// Lines of tensors; a model of one kind of layer has about twenty.
const MAX_GROUPS: usize = 60;

pub fn for_people(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_report(&mut out, report);
    out
}

pub fn own(own: &Own) -> String {
    let mut out = String::new();
    let _ = write_own(&mut out, own);
    out
}

fn write_own(out: &mut String, own: &Own) -> fmt::Result {
    writeln!(out, "binary      monomorph {}", own.version)?;
    writeln!(out, "            instruction sets here: {}", own.isa.join(", "))?;
    let source = without_controls(own.source);
    match own.weights {
        WeightsReport::Inside { bytes: all, panels, blocks, token_table, other } => {
            let matrices = match panels {
                0 => format!("{} of matrices as in the file", size(blocks)),
                _ => format!("{} of repacked panels", size(panels)),
            };
            let [token_table, other] = [token_table, other].map(size);
            writeln!(out, "inside      the weights, {}: no file is needed", bytes(all))?;
            writeln!(
                out,
                "            {matrices}, {token_table} of the token table, {other} of the rest"
            )?;
            writeln!(out, "            built from {source}")?;
            write_model(out, &own.model, "executable")?;
        }
        WeightsReport::File { bytes: len } => {
            writeln!(out, "needs       a file of {}: --model FILE, or", bytes(len))?;
            writeln!(out, "            MODEL_GGUF in the environment, or {source}")?;
            write_model(out, &own.model, "file")?;
        }
    }
    write_tensors(out, &own.tensor_types, &own.tensor_groups)
}

fn write_report(out: &mut String, report: &Report) -> fmt::Result {
    let (version, keys, tensors) =
        (report.gguf_version, report.metadata.len(), report.tensors.len());
    writeln!(out, "file        {} ({})", without_controls(&report.file), bytes(report.file_bytes))?;
    writeln!(
        out,
        "format      GGUF version {version}, alignment {}, {keys} keys, {tensors} tensors",
        report.alignment
    )?;
    match (&report.model, &report.unsupported) {
        (Some(model), _) => write_model(out, model, "file")?,
        (None, reason) => {
            writeln!(
                out,
                "model       none that this version can run: {}",
                reason.as_deref().unwrap_or_default()
            )?;
        }
    }
    write_binary(out, report)?;
    writeln!(out, "\nmetadata")?;
    let width =
        report.metadata.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0).min(48);
    for (key, value) in &report.metadata {
        writeln!(out, "  {:width$}  {}", one_line(key), one_line(&shown(value)))?;
    }
    write_tensors(out, &report.tensor_types, &report.tensor_groups)
}

/// How many tensors have which type, then which ones.
fn write_tensors(out: &mut String, types: &[TypeCount], groups: &[TensorGroup]) -> fmt::Result {
    writeln!(out, "\ntensors")?;
    for count in types {
        writeln!(out, "  {:8} {:5}  {:>10}", count.r#type, count.tensors, size(count.bytes))?;
    }
    let shown = &groups[..groups.len().min(MAX_GROUPS)];
    let names: Vec<String> = shown.iter().map(|group| one_line(&group.name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    writeln!(out)?;
    for (name, group) in names.iter().zip(shown) {
        let dims: Vec<String> = group.dims.iter().map(u64::to_string).collect();
        writeln!(
            out,
            "  {name:width$}  {:8} {:5}  {:>10}  {}",
            group.r#type,
            group.tensors,
            size(group.bytes),
            dims.join(" x ")
        )?;
    }
    match groups.len() - shown.len() {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more lines; --json has every tensor"),
    }
}

/// A model whose weights are mapped from `place`.
fn write_model(out: &mut String, model: &ModelReport, place: &str) -> fmt::Result {
    writeln!(out, "model       {} ({})", one_line(&model.name), one_line(&model.architecture))?;
    writeln!(out, "variant     {}", model.variant)?;
    writeln!(
        out,
        "dimensions  {} layers, {} wide, {} query and {} key/value heads of {}, feed-forward {}, vocabulary {}",
        model.n_layer,
        model.n_embd,
        model.n_head,
        model.n_head_kv,
        model.head_dim,
        model.n_ff,
        model.n_vocab
    )?;
    if let Some(heads) = &model.full_heads {
        writeln!(
            out,
            "            layers that see the whole text: {} query and {} key/value heads of {}",
            heads.n_head, heads.n_head_kv, heads.head_dim
        )?;
    }
    writeln!(
        out,
        "context     {} tokens, {}, {} pooling",
        model.n_ctx,
        attention(model),
        model.pooling
    )?;
    let dense: Vec<String> = model.dense_widths.iter().map(usize::to_string).collect();
    writeln!(
        out,
        "dense heads {}",
        if dense.is_empty() { "none".to_owned() } else { dense.join(" -> ") }
    )?;
    writeln!(
        out,
        "weights     {:.1} million, {:.2} bits each on average",
        model.n_weights as f64 / 1e6,
        8.0 * model.n_bytes as f64 / model.n_weights as f64
    )?;
    let license = [&model.license, &model.license_name, &model.license_link];
    let license: Vec<String> =
        license.into_iter().filter_map(Option::as_deref).map(one_line).collect();
    writeln!(
        out,
        "license     {}",
        if license.is_empty() { "not stated".to_owned() } else { license.join(", ") }
    )?;
    if let Some(origin) = &model.origin {
        writeln!(out, "made from   {}", one_line(origin))?;
    }
    write_memory(out, model, place)?;
    for (i, prompt) in model.prompts.iter().enumerate() {
        let label = if i == 0 { "prompts" } else { "" };
        writeln!(out, "{label:11} {:?} {}", prompt.prefix, prompt.names.join(", "))?;
    }
    Ok(())
}

fn write_memory(out: &mut String, model: &ModelReport, place: &str) -> fmt::Result {
    let memory = &model.memory_bytes;
    let [mapped, short, full, kept] =
        [memory.mapped, memory.workspace_short_text, memory.workspace, memory.kept_panels]
            .map(size);
    writeln!(out, "memory      {mapped} mapped from the {place}, shared between processes")?;
    writeln!(
        out,
        "            {short} private for a text of {SHORT_TEXT} tokens, {full} for one that fills the context"
    )?;
    if memory.kept_panels > 0 {
        writeln!(
            out,
            "            {kept} more private memory if a resident process keeps repacked weights"
        )?;
    }
    Ok(())
}

fn write_binary(out: &mut String, report: &Report) -> fmt::Result {
    let binary = &report.binary;
    match &binary.misfit {
        None => writeln!(out, "binary      fits this file (verify compares every byte)")?,
        Some(misfit) => writeln!(out, "binary      does not fit: {}", without_controls(misfit))?,
    }
    writeln!(out, "            built for {} from {}", binary.built_for, binary.source)?;
    writeln!(out, "            instruction sets here: {}", binary.isa.join(", "))
}

fn attention(model: &ModelReport) -> String {
    match (model.causal, model.attention_radius) {
        (true, Some(radius)) => {
            let window = format!("causal attention over the last {}", radius + 1);
            but_in_full_layers(window, model)
        }
        (false, Some(radius)) => {
            but_in_full_layers(format!("attention to {radius} on each side"), model)
        }
        (true, None) => "causal attention".to_owned(),
        (false, None) => "attention over the whole text".to_owned(),
    }
}

/// What sliding layers see, and how many of the layers see the whole text.
fn but_in_full_layers(window: String, model: &ModelReport) -> String {
    match model.n_full_layers {
        0 => window,
        full => format!("{window} (to the whole text in {full} of {} layers)", model.n_layer),
    }
}

fn shown(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Object(array) => {
            format!("[{} of {}]", array["len"], array["array_of"].as_str().unwrap_or(""))
        }
        other => other.to_string(),
    }
}

/// Not too long, and without control characters.
fn one_line(text: &str) -> String {
    let mut line = without_controls(text);
    if let Some((cut, _)) = line.char_indices().nth(MAX_CHARS) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

/// A file could use control characters to write over the terminal.
fn without_controls(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn bytes(n: u64) -> String {
    if n < 1024 { size(n) } else { format!("{}, {n} bytes", size(n)) }
}

fn size(n: u64) -> String {
    match n {
        0..1024 => format!("{n} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", n as f64 / 1024.0),
        _ => format!("{:.1} MiB", n as f64 / 1_048_576.0),
    }
}
