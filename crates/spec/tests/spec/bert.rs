//! BERT's files: what newer and older ones say, and leave out.

use crate::judge;
use monomorph_gguf::TensorType;
use monomorph_gguf::writer::{Value, Writer};
use monomorph_spec::arch::{self, Arch, Known};
use monomorph_spec::{
    Algorithm, BuildOptions, Embedding, Join, NormKind, Pooling, Qkv, Spec, WordNormalizer,
};
use monomorph_testing::files::{parse, refused};
use monomorph_testing::{Random, architecture};

/// The variants of BERT: with one matrix for queries, keys and values, and with three.
fn variants() -> impl Iterator<Item = &'static Arch> {
    arch::ALL.iter().filter(|arch| arch.name == "bert")
}

/// A tiny file as today's converter writes it.
fn bert(arch: &Arch) -> Writer {
    let sizes = architecture::sizes(64, 96, [2, 2, 32], 48);
    let mut file = architecture::writer(arch, sizes, 2, TensorType::F32, &mut Random(1));
    for key in ["head_count_kv", "key_length", "value_length"] {
        file.remove(&format!("bert.attention.{key}"));
    }
    let n_vocab = monomorph_testing::tiny::vocabulary().len();
    let marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map(str::to_owned);
    let pieces = marks.into_iter().chain((4..n_vocab).map(|id| format!("▁{id}")));
    let kinds = (0..n_vocab).map(|id| if id < 4 { 3 } else { 1 });
    file.set("tokenizer.ggml.model", "bert")
        .set("tokenizer.ggml.tokens", Value::Strings(pieces.map(String::into_bytes).collect()))
        .set("tokenizer.ggml.token_type", Value::I32s(kinds.collect()))
        .set("tokenizer.ggml.bos_token_id", 2)
        .set("tokenizer.ggml.eos_token_id", 3)
        .set("tokenizer.ggml.unknown_token_id", 1)
        .set("bert.pooling_type", 2);
    for key in ["scores", "add_space_prefix", "add_bos_token", "add_eos_token"] {
        file.remove(&format!("tokenizer.ggml.{key}"));
    }
    file
}

fn split() -> Writer {
    bert(variants().last().expect("a variant"))
}

fn with(key: &str, value: impl Into<Value>) -> Result<Spec, monomorph_gguf::Error> {
    judge(&split().set(key, value).to_bytes())
}

fn marks(spec: &Spec) -> (u32, u32, Option<u32>) {
    (spec.tokenizer.bos, spec.tokenizer.eos, spec.tokenizer.unknown)
}

#[test]
fn both_variants_are_models() {
    for (arch, is_fused) in variants().zip([true, false]) {
        let spec = judge(&bert(arch).to_bytes()).unwrap();
        assert_eq!((spec.architecture.as_ref(), &*spec.variant), ("bert", arch.variant));
        assert_eq!((spec.n_head_kv, spec.head_dim, spec.n_ctx), (2, 32, 48));
        assert_eq!((spec.norm, spec.pooling), (NormKind::Layer(1e-5), Pooling::Cls));
        assert!(!spec.causal && spec.ropes.is_empty() && spec.embedding.token_types.is_some());
        let block = &spec.layers[1].block;
        assert_eq!(matches!(block.qkv, Qkv::Fused(_)), is_fused);
        assert!(matches!(block.ffn_join, Join::NormOfSum(_)));
        assert!(block.gate.is_none() && block.up.bias.is_some());
        assert_eq!(marks(&spec), (2, 3, Some(1)));
        assert!(spec.tokenizer.add_bos && spec.tokenizer.add_eos);
    }
}

#[test]
fn case_and_accents_follow_the_file() {
    let normalizer = |file: &Writer| match judge(&file.to_bytes()).unwrap().tokenizer.algorithm {
        Algorithm::WordPiece(WordNormalizer { lowercase, strip_accents }) => {
            (lowercase, strip_accents)
        }
        other => panic!("{other:?}"),
    };
    let lowercase = "tokenizer.ggml.normalizer.lowercase";
    let strip_accents = "tokenizer.ggml.normalizer.strip_accents";
    assert_eq!(normalizer(&split()), (true, true));
    assert_eq!(normalizer(split().set(lowercase, false)), (false, false));
    assert_eq!(normalizer(split().set(strip_accents, false)), (true, false));
    assert_eq!(normalizer(split().set(lowercase, false).set(strip_accents, true)), (false, true));

    // Older files do not say; pieces with upper-case letters do.
    let n_vocab = monomorph_testing::tiny::vocabulary().len();
    let pieces = (0..n_vocab).map(|id| format!("▁Word{id}").into_bytes()).collect();
    let mut cased = split();
    cased.set("tokenizer.ggml.tokens", Value::Strings(pieces));
    cased.set("tokenizer.ggml.cls_token_id", 2).set("tokenizer.ggml.seperator_token_id", 3);
    assert_eq!(normalizer(&cased), (false, false));
    assert_eq!(normalizer(cased.set(lowercase, true)), (true, true));
}

/// XLM-RoBERTa's tokenizer, as today's converter writes it.
fn xlm_roberta() -> Writer {
    let mut file = split();
    let n_vocab = monomorph_testing::tiny::vocabulary().len();
    let marks = ["<s>", "<pad>", "</s>", "<unk>"].map(str::to_owned);
    let pieces = marks.into_iter().chain((4..n_vocab).map(|id| format!("▁{id}")));
    file.set("tokenizer.ggml.model", "t5")
        .set("tokenizer.ggml.tokens", Value::Strings(pieces.map(String::into_bytes).collect()))
        .set("tokenizer.ggml.scores", Value::F32s(vec![-1.0; n_vocab]))
        .set("tokenizer.ggml.bos_token_id", 0)
        .set("tokenizer.ggml.eos_token_id", 2)
        .set("tokenizer.ggml.unknown_token_id", 3);
    file
}

#[test]
fn xlm_robertas_tokenizer_is_one_of_berts() {
    let judged = |file: &Writer| judge(&file.to_bytes());
    let spec = judged(&xlm_roberta()).unwrap();
    assert_eq!(spec.tokenizer.algorithm, Algorithm::Unigram);
    assert_eq!(marks(&spec), (0, 2, Some(3)));
    assert!(spec.tokenizer.add_bos && spec.tokenizer.add_eos && spec.tokenizer.add_space_prefix);

    // What a file does not say is found in its vocabulary.
    let mut silent = xlm_roberta();
    for key in ["bos", "eos", "unknown"] {
        silent.remove(&format!("tokenizer.ggml.{key}_token_id"));
    }
    assert_eq!(marks(&judged(&silent).unwrap()), (0, 2, Some(3)));

    let scores = judged(xlm_roberta().remove("tokenizer.ggml.scores"));
    refused(scores, &["missing", "tokenizer.ggml.scores"]);
    for key in ["add_space_prefix", "remove_extra_whitespaces", "add_bos_token", "add_eos_token"] {
        let key = format!("tokenizer.ggml.{key}");
        assert_eq!(judged(xlm_roberta().set(&key, true)).unwrap().tokenizer, spec.tokenizer);
        refused(judged(xlm_roberta().set(&key, false)), &[&key, "false", "true"]);
    }
}

/// Older files name the marks otherwise or not at all, and state ids of another tokenizer as `bos` and `eos`.
#[test]
fn marks_of_older_files_are_found() {
    let mut file = split();
    for (key, id) in [("bos", 0), ("eos", 2), ("cls", 2), ("seperator", 3)] {
        file.set(&format!("tokenizer.ggml.{key}_token_id"), id);
    }
    assert_eq!(marks(&judge(&file.to_bytes()).unwrap()), (2, 3, Some(1)));
    for key in ["cls", "seperator", "unknown"] {
        file.remove(&format!("tokenizer.ggml.{key}_token_id"));
    }
    assert_eq!(marks(&judge(&file.to_bytes()).unwrap()), (2, 3, Some(1)));
    // A vocabulary with other marks has to state them.
    let n_vocab = monomorph_testing::tiny::vocabulary().len();
    let pieces = (0..n_vocab).map(|id| format!("<{id}>").into_bytes());
    file.set("tokenizer.ggml.tokens", Value::Strings(pieces.collect()));
    refused(judge(&file.to_bytes()), &["missing", "tokenizer.ggml.unknown_token_id"]);
    file.set("tokenizer.ggml.unknown_token_id", 5);
    assert_eq!(marks(&judge(&file.to_bytes()).unwrap()), (0, 2, Some(5)));
}

#[test]
fn token_types_may_be_absent() {
    let arch = variants().last().expect("a variant");
    let without = |embedding| judge(&bert(&Arch { embedding, ..*arch }).to_bytes());
    let spec = without(Embedding { token_types: None, ..arch.embedding }).unwrap();
    assert!(spec.embedding.token_types.is_none() && spec.embedding.positions.is_some());
    refused(without(Embedding { positions: None, ..arch.embedding }), &["position_embd.weight"]);
}

#[test]
fn what_is_no_embedding_model_is_refused() {
    refused(with("bert.pooling_type", 4), &["bert.pooling_type", "4 (rank)", "reranker"]);
    refused(with("tokenizer.ggml.model", "gpt2"), &["tokenizer.ggml.model", "gpt2", "bert", "t5"]);
    let mut reranker = split();
    reranker.tensor("cls.weight", TensorType::F32, &[64, 64], vec![0; 4 * 64 * 64]);
    refused(judge(&reranker.to_bytes()), &["cls.weight"]);
}

#[test]
fn prompts_and_the_librarys_context_follow_the_name() {
    let named = |key: &str, name: &str| {
        judge(&split().set("bert.context_length", 48).set(key, name).to_bytes()).unwrap()
    };
    let query = |spec: &Spec| spec.prompts.first().map(|prompt| prompt.prefix);
    let sentence = Some("Represent this sentence for searching relevant passages: ");
    for (name, prefix) in [
        ("bge-small-en-v1.5", sentence),
        ("BGE Base En v1.5", sentence),
        ("mxbai-embed-large-v1", sentence),
        ("snowflake-arctic-embed-m-v1.5", sentence),
        ("bge-large-zh-v1.5", Some("为这个句子生成表示以用于检索相关文章：")),
        ("E5 Small v2", Some("query: ")),
        ("intfloat/multilingual-e5-small", Some("query: ")),
        ("snowflake-arctic-embed-l-v2.0", Some("query: ")),
        (
            "multilingual-e5-large-instruct",
            Some(
                "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: ",
            ),
        ),
        ("all-MiniLM-L6-v2", None),
        ("gte-small", None),
        ("bge-m3", None),
    ] {
        for key in ["general.name", "general.basename"] {
            let spec = named(key, name);
            assert_eq!(query(&spec), prefix, "{name}");
            // Documents have a prompt of their own, if only to say that it is empty.
            assert_eq!(spec.prompts.len(), if prefix.is_some() { 2 } else { 0 });
        }
    }
    let long = |name: &str, options| {
        let bytes = bert(&Arch { known: &[CUT_EARLY], ..*variants().last().unwrap() })
            .set("general.name", name)
            .to_bytes();
        let arch = Arch { known: &[CUT_EARLY], ..*variants().last().unwrap() };
        Spec::from_header_among(&parse(&bytes).unwrap(), options, &[arch])
            .unwrap()
            .notes
            .into_owned()
    };
    let notes = long("a cut model", BuildOptions::default());
    assert!(
        notes[0].contains("to 48 tokens") && notes[0].contains("MONOMORPH_CONTEXT=16"),
        "{notes:?}"
    );
    assert!(long("another model", BuildOptions::default()).is_empty());
    let chosen = BuildOptions { n_ctx: Some(48), ..BuildOptions::default() };
    assert!(long("a cut model", chosen).is_empty());
}

const CUT_EARLY: Known = Known { models: &[&["cut"]], library_context: Some(16), ..Known::NOTHING };
