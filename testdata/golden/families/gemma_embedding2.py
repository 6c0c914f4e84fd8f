#!/usr/bin/env python3
"""Makes a small model of EmbeddingGemma 2's architecture with random weights, its vectors and its token ids.

    gemma_embedding2.py

needs torch, transformers (5.24), tokenizers and gguf, and writes next to itself

    gemma-embedding2-tiny.gguf              the model, as llama.cpp's converter writes it
    gemma-embedding2-tiny.embeddings.jsonl  texts, with the number of their tokens
    gemma-embedding2-tiny.embeddings.npy    their vectors: transformers' model in float32, the mean over tokens, length 1
    gemma-embedding2-tiny.tokens.jsonl      texts with their ids: transformers' GemmaTokenizer

The vocabulary is learned from texts of this repository and holds nothing of Gemma's. As in SentencePiece's lists, the merges
are all pairs of pieces that form a piece, and runs of line ends and spaces come first. Every matrix is rounded to
bfloat16 before anything is computed, so that the file holds the weights exactly.
"""

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import EmbeddingGemma2TextConfig, EmbeddingGemma2TextModel
from transformers.models.gemma.tokenization_gemma import GemmaTokenizer

HERE = Path(__file__).parent
NAME = "gemma-embedding2-tiny"
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
CONTROLS = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
VISIBLE = ["<|tool>", "<tool|>"]
LONGEST_RUN = 8


def texts_of(name):
    return [json.loads(line) for line in open(HERE / name, encoding="utf-8")]


def learn():
    """Pieces in the order of their ids, and merges."""
    corpus = [case["text"] for case in texts_of("../embeddings.jsonl")]
    learner = Tokenizer(models.BPE(unk_token="<unk>"))
    learner.normalizer = normalizers.Replace(" ", "\u2581")
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\u2581", "merged_with_next"), pre_tokenizers.Split("\n", "isolated")])
    trainer = trainers.BpeTrainer(vocab_size=900, limit_alphabet=200, show_progress=False)
    learner.train_from_iterator(corpus, trainer)
    learned = [piece for piece, _ in sorted(learner.get_vocab().items(), key=lambda item: item[1])]
    runs = [c * n for n in range(LONGEST_RUN, 1, -1) for c in "\n\u2581\t"]
    longer = runs + [piece for piece in learned if len(piece) > 1]
    characters = sorted({piece for piece in learned if len(piece) == 1} | set("\n\u2581\t"))
    known = set(longer) | set(characters)
    splits = [(piece[:at], piece[at:]) for piece in longer for at in range(len(piece) - 1, 0, -1)]
    merges = [(left, right) for left, right in splits if left in known and right in known]
    special = CONTROLS + VISIBLE + ["<unused0>", "<unused1>"]
    return special + [f"<0x{byte:02X}>" for byte in range(256)] + longer + characters, merges


def tokenizer_of(pieces, merges):
    vocabulary = {piece: id for id, piece in enumerate(pieces)}
    tokenizer = GemmaTokenizer(vocab=vocabulary, merges=merges, additional_special_tokens=VISIBLE)
    end = [("<bos>", vocabulary["<bos>"]), ("<eos>", vocabulary["<eos>"])]
    tokenizer._tokenizer.post_processor = processors.TemplateProcessing("<bos> $A <eos>", special_tokens=end)
    return tokenizer


def model_of(n_vocab):
    config = EmbeddingGemma2TextConfig(
        vocab_size=n_vocab, hidden_size=64, intermediate_size=128, num_hidden_layers=5, num_attention_heads=4,
        num_key_value_heads=2, head_dim=32, global_head_dim=64, num_global_key_value_heads=1, sliding_window=8,
        sliding_window_pattern=3, hidden_size_per_layer_input=32, embedding_dim=96, attn_implementation="eager")
    model = EmbeddingGemma2TextModel(config).eval()
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in [*model.named_parameters(), *model.named_buffers()]:
            noise = torch.randn(weight.shape, generator=random)
            if weight.dim() == 2:
                size = 0.5 if "embed_tokens" in name else 1.5 / weight.shape[1] ** 0.5
                weight.copy_((size * noise).bfloat16().float())
            elif "norm" in name:
                # Scores are not scaled: the norm of queries keeps them small.
                weight.copy_((1 + 0.2 * noise) * (2 / weight.shape[0] ** 0.5 if "q_norm" in name else 1))
            elif "layer_scalar" in name:
                weight.copy_(1 + 0.2 * noise)
    return config, model


LAYER = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "post_feedforward_layernorm": "post_ffw_norm",
    "ple_block.per_layer_input_gate": "inp_gate", "ple_block.per_layer_projection": "proj",
    "ple_block.post_per_layer_input_norm": "post_norm",
}
OTHERS = {
    "embed_tokens": "token_embd", "ple.per_layer_model_projection": "per_layer_model_proj",
    "ple.per_layer_projection_norm": "per_layer_proj_norm", "norm": "output_norm", "embedding_projection": "output",
}


def gguf_name(name):
    name = name.removesuffix(".weight")
    if not name.startswith("layers."):
        return OTHERS[name] + ".weight"
    _, number, rest = name.split(".", 2)
    return f"blk.{number}.{'layer_output_scale' if rest == 'layer_scalar' else LAYER[rest]}.weight"


def write(path, config, model, pieces, merges):
    writer = gguf.GGUFWriter(path, "gemma-embedding2")
    slides = [kind == "sliding_attention" for kind in config.layer_types]
    writer.add_type("model")
    writer.add_name("EmbeddingGemma 2 Tiny")
    writer.add_license("MIT OR Apache-2.0")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["full_attention"]["rope_theta"])
    writer.add_float32("gemma-embedding2.rope.freq_base_swa", config.rope_parameters["sliding_attention"]["rope_theta"])
    writer.add_uint32("gemma-embedding2.attention.shared_kv_layers", 0)
    writer.add_embedding_length_per_layer_input(config.hidden_size_per_layer_input)
    writer.add_sliding_window_pattern(slides)
    for suffix, kind in [("", "full_attention"), ("_swa", "sliding_attention")]:
        for of in ["attention.key_length", "attention.value_length", "rope.dimension_count"]:
            writer.add_uint32(f"gemma-embedding2.{of}{suffix}", config.per_layer_config[kind].head_dim)
    writer.add_head_count_kv([config.per_layer_config[kind].num_key_value_heads for kind in config.layer_types])
    writer.add_sliding_window(2 * config.sliding_window)
    writer.add_embedding_length_out(config.embedding_dim)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)

    kind = {piece: gguf.TokenType.CONTROL for piece in CONTROLS}
    kind |= {piece: gguf.TokenType.USER_DEFINED for piece in VISIBLE}
    kind |= {f"<0x{byte:02X}>": gguf.TokenType.BYTE for byte in range(256)}
    writer.add_tokenizer_model("gemma4")
    writer.add_token_list(pieces)
    writer.add_token_scores([-1000.0] * len(pieces))
    writer.add_token_types([kind.get(piece, gguf.TokenType.NORMAL) for piece in pieces])
    writer.add_token_merges([f"{left} {right}" for left, right in merges])
    for name in ["pad", "eos", "bos", "unk", "mask"]:
        getattr(writer, f"add_{name}_token_id")(pieces.index(f"<{name}>"))
    writer.add_add_space_prefix(False)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)

    for name, weight in model.state_dict().items():
        values = weight.detach().float().numpy()
        if values.ndim == 2:
            values = gguf.quants.quantize(values, gguf.GGMLQuantizationType.BF16)
            writer.add_tensor(gguf_name(name), values, raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            writer.add_tensor(gguf_name(name), values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def base64(number):
    return DIGITS[number >> 12] + DIGITS[number >> 6 & 63] + DIGITS[number & 63]


def lines(name, values):
    with open(HERE / f"{NAME}.{name}", "w", encoding="utf-8") as file:
        for value in values:
            file.write(json.dumps(value, ensure_ascii=False, separators=(", ", ": ")) + "\n")


def chosen(tokenizer):
    """Texts of 2 to 200 tokens."""
    texts = ["", "a", "\n", "Mars is red."] + [case["text"] for case in texts_of("../embeddings.jsonl")]
    out = []
    for number, text in enumerate(texts):
        most = [200, 30, 90][number % 3]
        while len(tokenizer(text)["input_ids"]) > most:
            text = text[:len(text) * 7 // 8]
        out.append(text)
    return list(dict.fromkeys(out))[:40]


def main():
    pieces, merges = learn()
    tokenizer = tokenizer_of(pieces, merges)
    config, model = model_of(len(pieces))
    write(HERE / f"{NAME}.gguf", config, model, pieces, merges)

    texts = chosen(tokenizer)
    ids = [tokenizer(text)["input_ids"] for text in texts]
    vectors = []
    with torch.no_grad():
        for of_text in ids:
            states = model(input_ids=torch.tensor([of_text])).last_hidden_state[0]
            vectors.append(torch.nn.functional.normalize(states.mean(0), dim=0).numpy())
    lines("embeddings.jsonl", [{"text": text, "n_tokens": len(of)} for text, of in zip(texts, ids)])
    np.save(HERE / f"{NAME}.embeddings.npy", np.stack(vectors))

    cases = [text for text, _ in texts_of("xlmr-tiny.tokens.jsonl")]
    marked = [text + "<|tool>" + text[:9] + "<eos>\n\n\n <unused0>" for text in cases[::50]]
    lines("tokens.jsonl", [[text, "".join(map(base64, tokenizer(text)["input_ids"]))] for text in cases + marked])
    print(len(pieces), "pieces,", len(merges), "merges, texts of", sorted(map(len, ids)), "tokens")


main()
