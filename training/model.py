"""The encoder in JAX, for the original, the student and the evaluation: BERT, WordPiece, and Q4_0 as gguf rounds it."""
import json
import os
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
import gguf
import jax
import jax.numpy as jnp
import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

HEADS = 12
EPSILON = 1e-12
# sentence-transformers cuts the original's texts at this many tokens.
CONTEXT = 256
CONTROL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Our short name of a part of a layer: its names in the original's file and in GGUF.
LAYER = {
    "q": ("attention.self.query", "attn_q"),
    "k": ("attention.self.key", "attn_k"),
    "v": ("attention.self.value", "attn_v"),
    "o": ("attention.output.dense", "attn_output"),
    "n1": ("attention.output.LayerNorm", "attn_output_norm"),
    "up": ("intermediate.dense", "ffn_up"),
    "down": ("output.dense", "ffn_down"),
    "n2": ("output.LayerNorm", "layer_output_norm"),
}
MATRICES = tuple(name for name in LAYER if not name.startswith("n"))
# The parts outside the layers: our name and GGUF's.
OUTSIDE = {
    "emb": "token_embd.weight", "pos": "position_embd.weight", "type": "token_types.weight",
    "n0.w": "token_embd_norm.weight", "n0.b": "token_embd_norm.bias",
}


def read_original(folder):
    """Parameters of all-MiniLM-L6-v2 ({name: array}, layers stacked, matrices [out, in]) and its vocabulary."""
    from safetensors.numpy import load_file
    t = load_file(Path(folder) / "model.safetensors")
    t = {k.removeprefix("bert."): v.astype(np.float32) for k, v in t.items() if v.dtype != np.int64}
    p = {
        "emb": t["embeddings.word_embeddings.weight"],
        "pos": t["embeddings.position_embeddings.weight"][:CONTEXT],
        "type": t["embeddings.token_type_embeddings.weight"],
        "n0.w": t["embeddings.LayerNorm.weight"],
        "n0.b": t["embeddings.LayerNorm.bias"],
    }
    layers = 1 + max(int(k.split(".")[2]) for k in t if k.startswith("encoder.layer."))
    for name, (long, _) in LAYER.items():
        p[name + ".w"] = np.stack([t[f"encoder.layer.{i}.{long}.weight"] for i in range(layers)])
        p[name + ".b"] = np.stack([t[f"encoder.layer.{i}.{long}.bias"] for i in range(layers)])
    return p, [line.rstrip("\n") for line in open(Path(folder) / "vocab.txt", encoding="utf-8")]


def read_gguf(path):
    """The same of a GGUF file, its weights dequantised."""
    reader = gguf.GGUFReader(path)
    t = {x.name: gguf.quants.dequantize(x.data, x.tensor_type).astype(np.float32) for x in reader.tensors}
    layers = reader.fields["bert.block_count"].contents()
    p = {name: t[long] for name, long in OUTSIDE.items()}
    for name, (_, long) in LAYER.items():
        p[name + ".w"] = np.stack([t[f"blk.{i}.{long}.weight"] for i in range(layers)])
        p[name + ".b"] = np.stack([t[f"blk.{i}.{long}.bias"] for i in range(layers)])
    pieces = reader.fields["tokenizer.ggml.tokens"].contents()
    vocab = [x if x in CONTROL else x[1:] if x.startswith("\u2581") else "##" + x for x in pieces]
    return p, vocab


def save(path, params, vocab, step, **moments):
    """A student with the state of its training, written beside its old file and then put in its place."""
    arrays = {"p." + k: np.asarray(v) for k, v in params.items()}
    for letter, values in moments.items():
        arrays |= {f"{letter}.{k}": np.asarray(v) for k, v in values.items()}
    new = Path(path).with_suffix(".new.npz")
    np.savez(new, vocab=json.dumps(vocab), step=step, **arrays)
    new.replace(path)


def load(path):
    """What `save` wrote: parameters, vocabulary, step, and the moments of Adam (empty before the first step)."""
    with np.load(path) as file:
        part = lambda letter: {k[2:]: file[k] for k in file.files if k.startswith(letter + ".")}
        return part("p"), json.loads(str(file["vocab"])), int(file["step"]), part("m"), part("v")


def wordpiece(vocab):
    ids = {w: i for i, w in enumerate(vocab)}
    t = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.add_special_tokens(list(CONTROL))
    special = [(x, ids[x]) for x in ("[CLS]", "[SEP]")]
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
    return t


def q4_0(w):
    """The values that gguf's Q4_0 keeps of w, in blocks of 32 along the last axis."""
    b = w.reshape(*w.shape[:-1], -1, 32)
    most, least = b.max(-1, keepdims=True), b.min(-1, keepdims=True)
    d = jnp.where(most > -least, most, least) / -8
    inverse = jnp.where(d == 0, 0, 1 / jnp.where(d == 0, 1, d))
    q = jnp.clip(jnp.floor(b * inverse + 8.5), 0, 15) - 8
    return (q * d.astype(jnp.float16).astype(jnp.float32)).reshape(w.shape)


def rounded(w):
    """w as the file will hold it; the gradient passes straight through."""
    return w + jax.lax.stop_gradient(q4_0(w) - w)


def norm(x, w, b):
    x = x - x.mean(-1, keepdims=True)
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + EPSILON) * w + b


def encode(p, ids, mask, weights=lambda w: w):
    """Unit vectors of token ids [n, t]; mask is 1 for tokens and 0 for padding. `weights` is done to each matrix."""
    n, t = ids.shape
    x = norm(weights(p["emb"][ids]) + p["pos"][:t] + p["type"][0], p["n0.w"], p["n0.b"])
    bias = jnp.where(mask[:, None, None, :] > 0, 0.0, -1e9)
    width = x.shape[-1]

    def layer(x, w):
        linear = lambda x, name: x @ weights(w[name + ".w"]).T + w[name + ".b"]
        q, k, v = (linear(x, name).reshape(n, t, HEADS, width // HEADS) for name in "qkv")
        scores = jnp.einsum("nqhd,nkhd->nhqk", q, k) * (width // HEADS) ** -0.5 + bias
        mixed = jnp.einsum("nhqk,nkhd->nqhd", jax.nn.softmax(scores, -1), v).reshape(n, t, width)
        x = norm(x + linear(mixed, "o"), w["n1.w"], w["n1.b"])
        return norm(x + linear(jax.nn.gelu(linear(x, "up"), approximate=False), "down"), w["n2.w"], w["n2.b"]), None

    x, _ = jax.lax.scan(layer, x, {f"{name}.{kind}": p[f"{name}.{kind}"] for name in LAYER for kind in "wb"})
    x = (x * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def keep_compiled(work):
    """Keeps compiled code in WORK/xla, since each length of text is compiled by itself."""
    jax.config.update("jax_compilation_cache_dir", str(Path(work) / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def pad(tokens, chosen, length, size):
    """The chosen texts as a batch of `size` rows, and its mask. A row without a text is one token of padding."""
    ids = np.zeros((size, length), np.int32)
    mask = np.zeros((size, length), np.float32)
    mask[:, 0] = 1
    for row, i in enumerate(chosen):
        ids[row, :len(tokens[i])] = tokens[i]
        mask[row, :len(tokens[i])] = 1
    return ids, mask


def embed(p, vocab, texts):
    """The texts' vectors in float32."""
    tokenizer = wordpiece(vocab)
    tokenizer.enable_truncation(CONTEXT)
    tokens = [e.ids for e in tokenizer.encode_batch(texts)]
    run = jax.jit(encode)
    p = {k: jnp.asarray(v) for k, v in p.items()}
    out = np.zeros((len(texts), p["emb"].shape[1]), np.float32)
    shorter = 0
    for length in (8, 16, 32, 64, 128, CONTEXT):
        have = [i for i, t in enumerate(tokens) if shorter < len(t) <= length]
        size, shorter = 4096 // length, length
        for at in range(0, len(have), size):
            chosen = have[at:at + size]
            out[chosen] = np.asarray(run(p, *pad(tokens, chosen, length, size)))[:len(chosen)]
    return out
