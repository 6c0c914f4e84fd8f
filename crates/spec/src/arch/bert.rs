//! BERT (Devlin et al. 2019): MiniLM, bge, e5, gte, mxbai-embed, snowflake-arctic-embed and many others; and XLM-RoBERTa
//! (Conneau et al. 2020), the same with another tokenizer: multilingual-e5, bge-m3. Its positions begin at 2, but files
//! come without the first two.

use super::{
    Arch, EmbeddingScale, HeadRule, Known, LayerRule, NormRule, ScoreScale, TokenizerRule,
};
use crate::Pooling;
use crate::block::{Activation, Block, Embedding, Join, Linear, Norm, Qkv};
use crate::prompts::Prompt;

/// As nearly all files are written: queries, keys and values have a matrix each.
pub(super) const SPLIT: Arch = Arch {
    name: "bert",
    variant: "with separate attention weights",
    marks: &[],
    norm: NormRule::Layer,
    causal: false,
    embedding_scale: EmbeddingScale::One,
    embedding: Embedding {
        tokens: "token_embd.weight",
        token_types: Some("token_types.weight"),
        positions: Some("position_embd.weight"),
        norm: Some(Norm::biased("token_embd_norm.weight", "token_embd_norm.bias")),
    },
    layer_inputs: None,
    ropes: &[],
    layers: LayerRule::Alike(None),
    heads: HeadRule::Alike,
    score_scale: ScoreScale::RootOfHead,
    block: Block {
        attn_norm: None,
        qkv: Qkv::Split([
            Linear::biased("attn_q.weight", "attn_q.bias"),
            Linear::biased("attn_k.weight", "attn_k.bias"),
            Linear::biased("attn_v.weight", "attn_v.bias"),
        ]),
        qk_norm: None,
        v_norm: false,
        attn_output: Linear::biased("attn_output.weight", "attn_output.bias"),
        attn_join: Join::NormOfSum(Norm::biased(
            "attn_output_norm.weight",
            "attn_output_norm.bias",
        )),
        ffn_norm: None,
        gate: None,
        up: Linear::biased("ffn_up.weight", "ffn_up.bias"),
        down: Linear::biased("ffn_down.weight", "ffn_down.bias"),
        activation: Activation::GeluErf,
        ffn_join: Join::NormOfSum(Norm::biased(
            "layer_output_norm.weight",
            "layer_output_norm.bias",
        )),
        input_branch: None,
        output_scale: None,
    },
    bare_first_layer: false,
    optional_keys: &["attention.head_count_kv", "attention.key_length", "attention.value_length"],
    optional_tensors: &["token_types.weight"],
    unused_tensors: &[],
    agreed: &[],
    output_norm: None,
    trained_context: None,
    dense: &[],
    dense_per_token: false,
    dense_keys: &[],
    pooling: Pooling::Mean,
    pooling_reason: Some("as sentence-transformers does for a model that does not say"),
    tokenizers: &[TokenizerRule::WordPiece, TokenizerRule::Unigram],
    known: KNOWN,
    terms: None,
    notes: &[],
};

/// As newer converters can write them: one matrix for queries, keys and values.
pub(super) const FUSED: Arch = Arch {
    variant: "with fused attention weights",
    marks: &["blk.0.attn_qkv.weight"],
    block: Block {
        qkv: Qkv::Fused(Linear::biased("attn_qkv.weight", "attn_qkv.bias")),
        ..SPLIT.block
    },
    ..SPLIT
};

/// From the models' cards and, for the contexts, their `sentence_bert_config.json`. Models that are not listed, such as
/// gte and bge-m3, have no prompts.
const KNOWN: &[Known] = &[
    Known { models: &[&["all", "minilm", "l6"]], library_context: Some(256), ..Known::NOTHING },
    Known {
        models: &[&["all", "minilm", "l12"], &["paraphrase", "minilm"]],
        library_context: Some(128),
        ..Known::NOTHING
    },
    Known { models: &[&["bge", "zh"]], prompts: QUERY_IN_CHINESE, ..Known::NOTHING },
    Known { models: &[&["arctic", "embed", "v2"]], prompts: QUERY_IN_SHORT, ..Known::NOTHING },
    Known {
        models: &[&["bge", "en"], &["mxbai", "embed"], &["arctic", "embed"]],
        prompts: QUERY,
        ..Known::NOTHING
    },
    Known { models: &[&["e5", "instruct"]], prompts: INSTRUCTION, ..Known::NOTHING },
    Known { models: &[&["e5"]], prompts: E5, ..Known::NOTHING },
];

/// These models take documents as they are.
pub(super) const QUERY: &[Prompt] = &[
    Prompt::new(
        &["query", "retrieval-query"],
        "Represent this sentence for searching relevant passages: ",
    ),
    DOCUMENT,
];

const QUERY_IN_CHINESE: &[Prompt] = &[
    Prompt::new(&["query", "retrieval-query"], "为这个句子生成表示以用于检索相关文章："),
    DOCUMENT,
];

const QUERY_IN_SHORT: &[Prompt] =
    &[Prompt::new(&["query", "retrieval-query"], "query: "), DOCUMENT];

/// The card's instruction for a search; other tasks have others.
const INSTRUCTION: &[Prompt] = &[
    Prompt::new(
        &["query", "retrieval-query"],
        "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: ",
    ),
    DOCUMENT,
];

const DOCUMENT: Prompt = Prompt::new(&["document", "retrieval-document", "passage"], "");

/// The query's prompt is also for symmetric tasks, on both sides.
const E5: &[Prompt] = &[
    Prompt::new(
        &[
            "query",
            "retrieval-query",
            "bitext-mining",
            "classification",
            "clustering",
            "pair-classification",
            "sts",
        ],
        "query: ",
    ),
    Prompt::new(&["document", "retrieval-document", "passage"], "passage: "),
];
