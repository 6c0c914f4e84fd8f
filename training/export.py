"""Writes a GGUF file of arch bert, with the keys and names of llama.cpp's converter.

    export.py original ORIGINAL OUT     the original as it is, in float32
    export.py student STUDENT OUT       a student, its matrices in Q4_0
"""
import sys
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType, TokenType

from model import CONTEXT, CONTROL, EPSILON, HEADS, LAYER, MATRICES, OUTSIDE, load, read_original

REPOSITORY = "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2"


def write(path, params, vocab, matrices, name, description):
    w = gguf.GGUFWriter(path, "bert")
    w.add_type("model")
    w.add_name(name)
    w.add_description(description)
    w.add_license("apache-2.0")
    w.add_license_link("https://www.apache.org/licenses/LICENSE-2.0")
    w.add_base_model_count(1)
    w.add_base_model_name(0, "all-MiniLM-L6-v2")
    w.add_base_model_organization(0, "sentence-transformers")
    w.add_base_model_repo_url(0, REPOSITORY)
    layers = len(params["q.w"])
    w.add_block_count(layers)
    w.add_context_length(CONTEXT)
    w.add_embedding_length(params["emb"].shape[1])
    w.add_feed_forward_length(params["up.w"].shape[1])
    w.add_head_count(HEADS)
    w.add_layer_norm_eps(EPSILON)
    w.add_file_type({"Q4_0": 2, "F32": 0}[matrices.name])
    w.add_causal_attention(False)
    w.add_pooling_type(gguf.PoolingType.MEAN)
    w.add_quantization_version(2)
    add_vocabulary(w, vocab, len(params["type"]))

    def tensor(name, data, kind):
        w.add_tensor(name, gguf.quants.quantize(np.ascontiguousarray(data, np.float32), kind), raw_dtype=kind)

    for short, long in OUTSIDE.items():
        tensor(long, params[short], matrices if short == "emb" else GGMLQuantizationType.F32)
    for i in range(layers):
        for short, (_, long) in LAYER.items():
            kind = matrices if short in MATRICES else GGMLQuantizationType.F32
            tensor(f"blk.{i}.{long}.weight", params[short + ".w"][i], kind)
            tensor(f"blk.{i}.{long}.bias", params[short + ".b"][i], GGMLQuantizationType.F32)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    print(f"{path}: {Path(path).stat().st_size} bytes, {layers} layers, {len(vocab)} pieces, {matrices.name}")


def add_vocabulary(w, vocab, types):
    """The pieces as llama.cpp has them: U+2581 before the first of a word, nothing before the others."""
    w.add_token_type_count(types)
    w.add_tokenizer_model("bert")
    w.add_tokenizer_pre("jina-v2-en")
    w.add_token_list([t if t in CONTROL else t[2:] if t.startswith("##") else "\u2581" + t for t in vocab])
    w.add_token_types([TokenType.CONTROL if t in CONTROL else TokenType.NORMAL for t in vocab])
    # "seperator" is how the format spells it.
    keys = {"bos": "[CLS]", "eos": "[SEP]", "unknown": "[UNK]", "seperator": "[SEP]", "padding": "[PAD]", "mask": "[MASK]"}
    for key, piece in keys.items():
        w.add_uint32(f"tokenizer.ggml.{key}_token_id", vocab.index(piece))
    w.add_add_bos_token(True)
    w.add_add_eos_token(True)
    w.add_add_sep_token(False)
    w.add_bool("tokenizer.ggml.normalizer.lowercase", True)


kind, source, out = sys.argv[1:]
if kind == "original":
    params, vocab = read_original(source)
    description = "all-MiniLM-L6-v2 in float32, cut to 256 positions."
    write(out, params, vocab, GGMLQuantizationType.F32, "all-MiniLM-L6-v2", description)
else:
    params, vocab, step, *_ = load(source)
    trained = f"distilled from the original in {step} steps" if step else "not trained further"
    description = (
        "Derived from sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0) by the authors of monomorph. "
        f"Changed: {len(vocab)} of 30522 pieces and 256 of 512 positions kept, {trained}, matrices in Q4_0."
    )
    write(out, params, vocab, GGMLQuantizationType.Q4_0, "monomorph-default", description)
