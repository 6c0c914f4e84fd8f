//! The real model against its vectors in float32, and against itself on other paths.
//!
//! Needs a build with MODEL_GGUF naming a file of EmbeddingGemma-300M, Gemma 3 270M, all-MiniLM-L6-v2 or
//! multilingual-e5-small; prints a message if it was built without one.

use crate::golden::{Cosines, Golden, cosine, families, llama_cpp, no_lower};
use crate::support::forward;
use monomorph::built::{self, SOURCE, SPEC};
use monomorph::{EmbedOptions, Embedder, Error, Kernels, OpenOptions};
use monomorph_encoder::select_generic;
use monomorph_encoder::threads::Team;
use monomorph_encoder::weights::Weights;
use monomorph_gguf::TensorType;
use monomorph_spec::{Pooling, Spec};
use monomorph_testing::Random;
use std::fs::File;
use std::io::{Write, stderr};

/// Prints where the test harness does not capture it.
fn say(line: &str) {
    writeln!(stderr(), "{line}").expect("stderr");
}

/// The golden data, if this is a build of the real model.
fn golden() -> Option<Golden> {
    let golden = Golden::of(&SPEC);
    match golden {
        Some(_) => say(&format!(
            "real-model test on {SOURCE}, {} pooling ({})",
            SPEC.pooling,
            monomorph_simd::available().join(", ")
        )),
        None => say("SKIPPED: built without a real model; set MODEL_GGUF to run this test"),
    }
    golden
}

fn open(options: OpenOptions) -> Embedder {
    options.open_built().expect("the model of the build")
}

/// Whether the cosines are as high as this file's weights allow, which was measured with float32 activations.
fn expected(ours: Cosines) -> bool {
    let at_least = |lowest, mean| ours.0 >= lowest && ours.1 >= mean;
    let is_source = |(name, _): &(&str, _)| SOURCE.ends_with(&format!("/{name}.gguf"));
    if let Some((_, (lowest, mean))) = families().into_iter().find(is_source) {
        return at_least(lowest, mean);
    }
    match (SPEC.layers[0].block.up.weight.kind, SPEC.causal, SPEC.dense.is_empty()) {
        // Both sides have the same weights.
        (_, true, _) => at_least(0.9999, 0.99999),
        (TensorType::Q8_0, _, true) => at_least(0.99975, 0.99990),
        (TensorType::Q8_0, _, false) => at_least(0.9991, 0.99970),
        (TensorType::BF16, ..) => at_least(0.9998, 0.9999),
        (TensorType::F32 | TensorType::F16, ..) => at_least(0.9999, 0.99999),
        _ => {
            let of_file = |(name, _): &(&str, _)| SOURCE.ends_with(&format!("300m-{name}.gguf"));
            let known = llama_cpp().into_iter().find(of_file);
            no_lower(ours, known.unwrap_or_else(|| panic!("nothing is known of {SOURCE}")).1)
        }
    }
}

#[test]
fn vectors_are_those_of_the_model_in_float32() {
    let Some(golden) = golden() else { return };
    let embedder = open(Embedder::options());
    let got = embedder.run(&golden.texts, &EmbedOptions::default()).expect("vectors");
    let mut cosines = Vec::new();
    for ((embedding, want), tokens) in got.iter().zip(&golden.vectors).zip(&golden.tokens) {
        assert_eq!(golden_count(embedding.tokens), *tokens);
        cosines.push(cosine(&embedding.vector, want));
    }
    let worst = cosines.iter().copied().fold(1.0, f64::min);
    let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
    println!("{} texts: cosine to float32 at least {worst:.6}, mean {mean:.6}", cosines.len());
    assert!(expected((worst, mean)), "worst {worst}, mean {mean}");
}

/// A text's tokens, counted as the golden data does: with `<eos>`, and cut at EmbeddingGemma's window.
fn golden_count(tokens: usize) -> usize {
    (tokens + usize::from(!SPEC.tokenizer.add_eos)).min(2048)
}

/// Compares Gemma 3 with llama.cpp's, with both poolings whatever the build's: on the same file, where llama.cpp rounds
/// activations to 8 bits, and on its weights in float32, where only the computation could differ.
#[test]
fn gemma_3_agrees_with_llama_cpp() {
    if golden().is_none() {
        return;
    }
    if SPEC.architecture != "gemma3" || !SPEC.causal {
        return say("NOT TESTED: this is about Gemma 3");
    }
    let isa = monomorph_simd::available()[0];
    for pooling in [Pooling::Mean, Pooling::Last] {
        let spec = Spec { pooling, ..SPEC.clone() };
        let weights = Weights::map(&File::open(SOURCE).expect("the file")).expect("a mapping");
        let encoder = select_generic(isa, spec, weights, built::rope_tables()).expect("an encoder");
        let texts = Golden::gemma3("gemma3.npy", pooling).texts;
        let vectors: Vec<Vec<f32>> = texts
            .iter()
            .map(|text| built::tokenizer().encode(text, SPEC.n_ctx).ids)
            .map(|ids| forward(&*encoder, &Team::solo(), SPEC.n_out, &[&ids]).remove(0))
            .collect();
        for (name, lowest) in [
            ("gemma3.npy", 0.9999),
            ("gemma3_llama_cpp_f32.npy", 0.9999),
            ("gemma3_llama_cpp.npy", 0.993),
        ] {
            let golden = Golden::gemma3(name, pooling);
            let cosines = vectors.iter().zip(&golden.vectors).map(|(got, want)| cosine(got, want));
            let worst = cosines.fold(1.0, f64::min);
            println!("{pooling} pooling: cosine to {name} at least {worst:.6}");
            assert!(worst >= lowest, "{pooling} pooling, {name}: {worst}");
        }
    }
}

#[test]
fn the_launch_posts_similarities() {
    if golden().is_none() {
        return;
    }
    if SPEC.prompts.is_empty() {
        let found = open(Embedder::options()).prompt("query");
        assert!(matches!(found, Err(Error::NoPrompts { .. })), "{found:?}");
        return say("NOT TESTED: the launch post is about EmbeddingGemma");
    }
    if SPEC.dense.is_empty() {
        return say("NOT TESTED: similarities are known only for vectors after the dense heads");
    }
    let embedder = open(Embedder::options());
    let with = |prompt| {
        let prompt = embedder.prompt(prompt).expect("a prompt of the model");
        EmbedOptions { prompt: Some(prompt), ..Default::default() }
    };
    let query = embedder
        .run(&["Which planet is known as the Red Planet?"], &with("query"))
        .expect("a vector");
    let documents = [
        "Venus is often called Earth's twin because of its similar size and proximity.",
        "Mars, known for its reddish appearance, is often referred to as the Red Planet.",
        "Jupiter, the largest planet in our solar system, has a prominent red spot.",
        "Saturn, famous for its rings, is sometimes mistaken for the Red Planet.",
    ];
    let documents = embedder.run(&documents, &with("document")).expect("vectors");
    for (document, want) in documents.iter().zip([0.3008, 0.6361, 0.4927, 0.4889]) {
        let got = cosine(&query[0].vector, &document.vector);
        println!("{got:.4}, original {want}");
        assert!((got - want).abs() < 0.01);
    }
}

/// Texts up to this length are compared on every path: the scalar one takes a minute and a half for EmbeddingGemma's,
/// and a quarter of a minute for Gemma 3's.
const LONGEST: usize = if SPEC.causal { 40 } else { 514 };

/// The same bits whatever the threads, the other texts, the path and the instruction set.
#[test]
fn bits_are_the_same_on_every_path() {
    let Some(golden) = golden() else { return };
    let embedder = open(Embedder::options().threads(2));
    let all = golden.up_to(2048);
    let want = embedder.run(&golden.texts, &EmbedOptions::default()).expect("vectors");
    let check = |what: &str, embedder: &Embedder, indices: &[usize], at_once: usize| {
        for indices in indices.chunks(at_once) {
            let texts: Vec<&str> = indices.iter().map(|i| golden.texts[*i].as_str()).collect();
            let got = embedder.run(&texts, &EmbedOptions::default()).expect("vectors");
            for (got, i) in got.iter().zip(indices) {
                assert!(*got == want[*i], "{what}: text {i}");
            }
        }
        println!("{what}: {} texts have the same bits", indices.len());
    };
    check("alone, 2 threads", &embedder, &all, 1);
    let short = golden.up_to(LONGEST);
    for isa in monomorph_simd::available() {
        check(isa, &open(Embedder::options().isa(isa)), &short, short.len());
    }
    if built::IS_EMBEDDED {
        let from_file = Embedder::open(SOURCE).expect("the file of the build");
        check("from the file, not from inside", &from_file, &short, short.len());
    }
    check("kept panels", &open(Embedder::options().keep_panels(true)), &short, 1);
    let generic = open(Embedder::options().kernels(Kernels::Generic));
    check("generic kernels", &generic, &short, short.len());
    let mut random = Random(1);
    for threads in 1..=4 {
        let embedder = open(Embedder::options().threads(threads));
        check(&format!("alone, {threads} threads"), &embedder, &short, 1);
        let mut shuffled = short.clone();
        random.shuffle(&mut shuffled);
        let at_once = 2 + random.below(20);
        let what = format!("{threads} threads, shuffled, {at_once} at once");
        check(&what, &embedder, &shuffled, at_once);
    }
}

/// Questions, and the amendment to the constitution of the United States that answers each.
const QUESTIONS: [(&str, &str); 10] = [
    ("Can the army make me put up troops in my home?", "III"),
    ("Do I have to testify against myself?", "V"),
    ("When did women get the vote?", "XIX"),
    ("the end of slavery", "XIII"),
    ("prohibition of alcohol", "XVIII"),
    ("How many times can someone be elected president?", "XXII"),
    ("freedom of religion and of the press", "I"),
    ("May the police search my house without a warrant?", "IV"),
    ("income tax", "XVI"),
    ("Is torture allowed as a sentence?", "VIII"),
];

#[test]
fn search_finds_the_right_passage() {
    if golden().is_none() {
        return;
    }
    if SPEC.causal {
        return say("NOT TESTED: search is for models that were trained to embed");
    }
    let prompt: &[&str] = if SPEC.prompts.is_empty() { &[] } else { &["--prompt", "document"] };
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let vectors = folder.join(format!("search-{}.jsonl", std::process::id()));
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_monomorph"));
        let output = command.args(arguments).output().expect("the binary starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let best = |texts: &std::path::Path, questions: &[(&str, &str)]| {
        let (texts, vectors) = (texts.to_str().expect("UTF-8"), vectors.to_str().expect("UTF-8"));
        let files = ["batch", "--restart", "--input", texts, "--output", vectors];
        run(&[&files[..], prompt].concat());
        let found = |(question, id): &(&str, &str)| {
            let answer = run(&["search", question, "--in", vectors, "--top", "1"]);
            println!("{question} {id}: {}", answer.trim_end());
            answer.split('\t').nth(1).map(str::trim) == Some(id)
        };
        questions.iter().filter(|question| found(question)).count()
    };
    let amendments =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/amendments.jsonl");
    let found = best(&amendments, &QUESTIONS);
    let planets = folder.join(format!("planets-{}.txt", std::process::id()));
    let lines = "Venus is often called Earth's twin because of its similar size and proximity.\n\
        Mars, known for its reddish appearance, is often referred to as the Red Planet.\n\
        Jupiter, the largest planet in our solar system, has a prominent red spot.\n\
        Saturn, famous for its rings, is sometimes mistaken for the Red Planet.\n";
    std::fs::write(&planets, lines).expect("a file for the test");
    let mars = best(&planets, &[("Which planet is known as the Red Planet?", "1")]);
    let _ = (std::fs::remove_file(&planets), std::fs::remove_file(&vectors));
    assert!(found >= 8, "{found} of {}", QUESTIONS.len());
    assert_eq!(mars, 1);
}
