#!/usr/bin/env python3
"""Makes the vectors of every third text of embeddings.jsonl by Gemma 3 270M, causal and without prompts.

    python testdata/golden/gemma3.py gemma3-270m-Q4_K_M.gguf       needs numpy, gguf and llama-cpp-python 0.3.36

Each array is (2, 20, 640) float32: mean pooling, then the last token. Token ids are llama.cpp's in all.
    gemma3.npy                this script's own forward pass: float32, over the weights as gguf-py decodes them
    gemma3_llama_cpp.npy      llama.cpp's on the file: it rounds activations to 8 bits, and keys and values to float16
    gemma3_llama_cpp_f32.npy  llama.cpp's on the same weights as float32: the same graph without that rounding
"""
import ctypes, json, sys, tempfile
from pathlib import Path

import numpy as np
from gguf import GGUFReader, dequantize

HERE = Path(__file__).resolve().parent
STEP = 3


class Model:
    """Gemma 3, causal: config.json of google/gemma-3-270m, modeling_gemma3.py of transformers."""

    def __init__(self, path):
        reader = GGUFReader(path)
        value = lambda key: reader.fields[f"gemma3.{key}"].contents()
        self.tensors = {t.name.removesuffix(".weight"): t for t in reader.tensors}
        self.n_layer, self.n_embd = value("block_count"), value("embedding_length")
        self.n_head, self.d = value("attention.head_count"), value("attention.key_length")
        self.eps = np.float32(value("attention.layer_norm_rms_epsilon"))
        self.window, self.base = value("attention.sliding_window"), value("rope.freq_base")
        assert value("attention.head_count_kv") == 1 and self.n_layer != 62
        embeddings = self.tensors.pop("token_embd")
        self.embed = lambda ids: dequantize(embeddings.data[ids], embeddings.tensor_type)
        self.weights = {name: dequantize(t.data, t.tensor_type) for name, t in self.tensors.items()}

    def norm(self, x, name):
        scale = np.sqrt(np.mean(x * x, axis=-1, keepdims=True, dtype=np.float64) + self.eps)
        return (x / scale.astype(np.float32)) * self.weights[name]

    def rope(self, x, base):
        half = self.d // 2
        frequencies = (base ** (-np.arange(half) / half)).astype(np.float32)
        angles = np.arange(len(x), dtype=np.float32)[:, None, None] * frequencies
        cos, sin = np.cos(angles), np.sin(angles)
        a, b = x[..., :half], x[..., half:]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

    def states(self, ids):
        t = len(ids)
        before = np.arange(t)[:, None] - np.arange(t)[None, :]
        x = self.embed(ids) * np.float32(self.n_embd ** 0.5)
        for i in range(self.n_layer):
            w = lambda name: self.weights[f"blk.{i}.{name}"]
            norm = lambda x, name: self.norm(x, f"blk.{i}.{name}")
            full = (i + 1) % 6 == 0
            h = norm(x, "attn_norm")
            turn = lambda x: self.rope(x, self.base if full else 10_000.0)
            q = turn(norm((h @ w("attn_q").T).reshape(t, self.n_head, self.d), "attn_q_norm"))
            k = turn(norm((h @ w("attn_k").T).reshape(t, 1, self.d), "attn_k_norm"))[:, 0]
            seen = (before >= 0) & (full | (before < self.window))
            scores = np.einsum("qhd,kd->hqk", q, k) * np.float32(self.d ** -0.5)
            scores = np.where(seen, scores, -np.inf)
            weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
            weights /= weights.sum(axis=-1, keepdims=True)
            o = np.einsum("hqk,kd->qhd", weights, h @ w("attn_v").T).reshape(t, -1)
            x = x + norm(o @ w("attn_output").T, "post_attention_norm")
            h = norm(x, "ffn_norm")
            g = h @ w("ffn_gate").T
            gelu = 0.5 * g * (1 + np.tanh(np.float32((2 / np.pi) ** 0.5) * (g + np.float32(0.044715) * g**3)))
            x = x + norm((gelu * (h @ w("ffn_up").T)) @ w("ffn_down").T, "post_ffw_norm")
        return self.norm(x, "output_norm")


def llama_cpp(path, pooling, **options):
    from llama_cpp import Llama
    return Llama(path, embedding=True, pooling_type=pooling, n_ctx=4096, n_batch=4096, n_ubatch=4096,
                 n_threads=2, n_threads_batch=2, verbose=False, **options)


def in_float32(path, copy):
    import llama_cpp
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype, options.allow_requantize = llama_cpp.LLAMA_FTYPE_ALL_F32, True
    assert llama_cpp.llama_model_quantize(str(path).encode(), str(copy).encode(), ctypes.byref(options)) == 0


def main(path):
    lines = [json.loads(line) for line in open(HERE / "embeddings.jsonl")][::STEP]
    tokenizer = llama_cpp(path, 1)
    ids = [tokenizer.tokenize(line["text"].encode(), add_bos=True, special=True) for line in lines]
    # embeddings.jsonl counts EmbeddingGemma's tokens: cut at 2048, with <eos>.
    for line, tokens in zip(lines, ids):
        assert min(len(tokens) + 1, 2048) == line["n_tokens"], (line["text"], len(tokens), line["n_tokens"])
    model = Model(path)
    states = [model.states(np.array(tokens)) for tokens in ids]
    plain = [[s.mean(axis=0) for s in states], [s[-1] for s in states]]
    np.save(HERE / "gemma3.npy", np.array(plain, dtype=np.float32))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "f32.gguf"
        in_float32(path, copy)
        for name, model, options in (("", path, {}), ("_f32", str(copy), {"type_k": 0, "type_v": 0})):
            peer = [[llm.embed(line["text"], truncate=False) for line in lines]
                    for llm in (llama_cpp(model, 1, **options), llama_cpp(model, 3, **options))]
            np.save(HERE / f"gemma3_llama_cpp{name}.npy", np.array(peer, dtype=np.float32))
            a, b = np.array(plain, dtype=np.float64), np.array(peer, dtype=np.float64)
            cosines = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
            for pooling, row in zip(("mean", "last"), cosines):
                print(f"{pooling}{name}: llama.cpp's to these at least {row.min():.6f}, mean {row.mean():.6f}")


if __name__ == "__main__":
    main(sys.argv[1])
