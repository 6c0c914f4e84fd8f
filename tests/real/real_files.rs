//! Every published file of EmbeddingGemma-300M, on the generic path: how close its vectors are to the original's,
//! compared with llama.cpp's on the same file.
//!
//! Needs MONOMORPH_REAL_FILES to name a folder of files called `embeddinggemma-300m-Q4_K_M.gguf` and so on; prints a
//! message if it does not.

use crate::golden::{Cosines, Golden, cosine, llama_cpp, no_lower};
use monomorph::built::NAME;
use monomorph::tokenizer::Tokenizer;
use monomorph_codegen::{rope, vocab};
use monomorph_encoder::threads::Threads;
use monomorph_encoder::weights::Weights;
use monomorph_encoder::{RopeTables, Scheduler, select_generic};
use monomorph_gguf::{Header, TensorType, read_prefix};
use monomorph_simd::available;
use monomorph_spec::Spec;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

#[test]
fn no_file_is_further_from_the_original_than_in_llama_cpp() {
    // The test harness does not capture what is written here.
    let mut say = stderr();
    let Some(folder) = std::env::var_os("MONOMORPH_REAL_FILES").map(PathBuf::from) else {
        writeln!(say, "SKIPPED: set MONOMORPH_REAL_FILES to a folder of real files ({NAME} build)")
            .expect("stderr");
        return;
    };
    let mut lower = Vec::new();
    let mut compared = 0;
    assert_eq!(llama_cpp().len(), 16);
    writeln!(say, "file           ours: lowest, mean     llama.cpp            matrices")
        .expect("stderr");
    for (name, (lowest, mean)) in llama_cpp() {
        let path = folder.join(format!("embeddinggemma-300m-{name}.gguf"));
        if !path.exists() {
            writeln!(say, "{name:14} NOT TESTED: there is no {}", path.display()).expect("stderr");
            continue;
        }
        let (ours, kinds) = embed(&path);
        let row = format!("{name:14} {:.6} {:.6}     {lowest:.6} {mean:.6}", ours.0, ours.1);
        writeln!(say, "{row}    {kinds}").expect("stderr");
        if !no_lower(ours, (lowest, mean)) {
            lower.push(row);
        }
        compared += 1;
    }
    assert!(compared > 0, "no file in {}", folder.display());
    assert!(lower.is_empty(), "lower than llama.cpp:\n{}", lower.join("\n"));
}

/// The file's cosines, and the types of its matrices.
fn embed(path: &Path) -> (Cosines, String) {
    let prefix = read_prefix(path).expect("a readable file");
    let header = Header::parse(&prefix.bytes, prefix.file_len).expect("a header");
    let spec = Spec::from_header(&header).expect("a model");
    let tokenizer =
        Tokenizer::new(vocab::build(&header, &spec.tokenizer).expect("a vocabulary").leak());
    let golden = Golden::of(&spec).expect("EmbeddingGemma-300M");
    let ids: Vec<Vec<u32>> =
        golden.texts.iter().map(|text| tokenizer.encode(text, spec.n_ctx).ids).collect();
    let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();

    let tables = RopeTables::new(rope::of_model(&spec).concat(), &spec);
    let weights = Weights::map(&File::open(path).expect("the file")).expect("a mapping");
    let encoder =
        select_generic(available()[0], spec.clone(), weights, tables).expect("an encoder");
    let threads = Threads::new(monomorph_encoder::threads::default_threads()).expect("threads");
    let mut vectors = vec![f32::NAN; ids.len() * spec.n_out];
    Scheduler::default()
        .run(&threads, &*encoder, &ids, &AtomicBool::new(false), &mut vectors)
        .expect("not cancelled");

    let rows = vectors.chunks(spec.n_out).zip(&golden.vectors);
    let cosines: Vec<f64> = rows.map(|(got, want)| cosine(got, want)).collect();
    let lowest = cosines.iter().copied().fold(1.0, f64::min);
    let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
    // To six digits, like llama.cpp's in the golden data.
    let rounded = |cosine: f64| (cosine * 1e6).round() / 1e6;
    ((rounded(lowest), rounded(mean)), kinds(&spec))
}

/// The types of the layers' matrices, with the number of each.
fn kinds(spec: &Spec) -> String {
    let mut counts = BTreeMap::new();
    let matrices = spec.layers.iter().flat_map(|layer| layer.matrices());
    matrices.for_each(|tensor| *counts.entry(tensor.kind as u32).or_insert(0) += 1);
    let name = |id: u32| TensorType::from_id(id).map_or_else(|unknown| unknown, |t| t.to_string());
    let counts: Vec<String> = counts.iter().map(|(id, n)| format!("{n} {}", name(*id))).collect();
    counts.join(", ")
}
