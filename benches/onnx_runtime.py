#!/usr/bin/env python3
"""Our binary against ONNX Runtime on the same weights of a BERT model with mean pooling.

    python3 -m pip install onnx onnxruntime tokenizers numpy
    benches/onnx_runtime.py BINARY MODEL.gguf SOURCE CASE.jsonl... [--threads 2] [--rounds 3] [--seconds 2]

SOURCE is the folder of the original model: config.json, model.safetensors, tokenizer.json. The graph is written in ONNX
Runtime's own fused operators (Attention, SkipLayerNormalization, Gelu), once in float32 and once quantised dynamically to
int8. A case is a file of {"text": ...} lines; in one whose name begins with "single", texts run one by one. In others
ONNX Runtime runs one by one, and in batches of 8 and of 32 neighbours in length with padding; its fastest way counts, and
its better number of threads up to --threads. Tokenizing is part of both sides' time. The two run in turn; the figures are
medians of all passes.
"""
import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import tokenizers
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic


def safetensors(path):
    data = open(path, "rb").read()
    size = int.from_bytes(data[:8], "little")
    kinds = {"F32": np.float32, "F16": np.float16}
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__" or entry["dtype"] not in kinds:
            continue
        begin, end = (8 + size + at for at in entry["data_offsets"])
        values = np.frombuffer(data[begin:end], kinds[entry["dtype"]]).reshape(entry["shape"])
        tensors[name.removeprefix("bert.")] = values.astype(np.float32)
    return tensors


def graph(config, tensors):
    """The model: ids and mask (texts x tokens) in, mean-pooled vectors out."""
    nodes, constants = [], []
    heads, eps = config["num_attention_heads"], config["layer_norm_eps"]

    def constant(name, values):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(op, inputs, output, domain="", **attributes):
        nodes.append(helper.make_node(op, inputs, [output], domain=domain, **attributes))
        return output

    def linear(x, name, out):
        weight = constant(f"{out}.w", tensors[f"{name}.weight"].T)
        return node("MatMul", [x, weight], out)

    def skip_norm(x, branch, bias, name, out):
        parameters = [constant(f"{out}.{kind}", tensors[f"{name}.{kind}"]) for kind in ["weight", "bias"]]
        bias = constant(f"{out}.branch", tensors[f"{bias}.bias"])
        return node("SkipLayerNormalization", [x, branch, *parameters, bias], out, "com.microsoft", epsilon=eps)

    words = constant("words", tensors["embeddings.word_embeddings.weight"])
    places = constant("places", tensors["embeddings.position_embeddings.weight"])
    kind = constant("kind", tensors["embeddings.token_type_embeddings.weight"][0])
    x = node("Gather", [words, "ids"], "x.words")
    x = node("Add", [x, node("Gather", [places, "positions"], "x.places")], "x.placed")
    x = node("Add", [x, kind], "x.sum")
    norm = [constant(f"x.{kind}", tensors[f"embeddings.LayerNorm.{kind}"]) for kind in ["weight", "bias"]]
    x = node("LayerNormalization", [x, *norm], "x0", axis=-1, epsilon=eps)
    for i in range(config["num_hidden_layers"]):
        at, out = f"encoder.layer.{i}", f"l{i}"
        each = [f"{at}.attention.self.{part}" for part in ["query", "key", "value"]]
        weight = constant(f"{out}.qkv", np.concatenate([tensors[f"{name}.weight"].T for name in each], 1))
        bias = constant(f"{out}.qkv_bias", np.concatenate([tensors[f"{name}.bias"] for name in each]))
        a = node("Attention", [x, weight, bias, "mask"], f"{out}.a", "com.microsoft", num_heads=heads)
        a = linear(a, f"{at}.attention.output.dense", f"{out}.o")
        x = skip_norm(x, a, f"{at}.attention.output.dense", f"{at}.attention.output.LayerNorm", f"{out}.x")
        f = linear(x, f"{at}.intermediate.dense", f"{out}.up")
        f = node("Add", [f, constant(f"{out}.up_bias", tensors[f"{at}.intermediate.dense.bias"])], f"{out}.biased")
        f = node("Gelu", [f], f"{out}.gelu", "com.microsoft")
        f = linear(f, f"{at}.output.dense", f"{out}.down")
        x = skip_norm(x, f, f"{at}.output.dense", f"{at}.output.LayerNorm", f"{out}.y")
    mask = node("Cast", ["mask"], "mask.float", to=TensorProto.FLOAT)
    mask = node("Unsqueeze", [mask, constant("two", np.array([2]))], "mask.wide")
    one = constant("one", np.array([1]))
    total = node("ReduceSum", [node("Mul", [x, mask], "masked"), one], "total", keepdims=0)
    node("Div", [total, node("ReduceSum", [mask, one], "count", keepdims=0)], "vectors")

    value = helper.make_tensor_value_info
    inputs = [value("ids", TensorProto.INT64, ["b", "t"]), value("positions", TensorProto.INT64, ["t"]),
              value("mask", TensorProto.INT32, ["b", "t"])]
    outputs = [value("vectors", TensorProto.FLOAT, ["b", config["hidden_size"]])]
    made = helper.make_graph(nodes, "bert", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9)


class Theirs:
    def __init__(self, path, tokenizer, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.tokenizer = tokenizer

    def embed(self, texts, batch):
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        vectors = np.empty((len(ids), 0), np.float32)
        for start in range(0, len(order), batch):
            group = order[start:start + batch]
            longest = max(len(ids[i]) for i in group)
            padded = np.zeros((len(group), longest), np.int64)
            mask = np.zeros((len(group), longest), np.int32)
            for row, i in enumerate(group):
                padded[row, :len(ids[i])], mask[row, :len(ids[i])] = ids[i], 1
            got, = self.session.run(None, {"ids": padded, "mask": mask, "positions": np.arange(longest)})
            if not vectors.shape[1]:
                vectors = np.empty((len(ids), got.shape[1]), np.float32)
            vectors[group] = got / np.linalg.norm(got, axis=1, keepdims=True)
        return vectors

    def passes(self, texts, batch, seconds):
        self.embed(texts, batch)
        took, end = [], time.perf_counter() + seconds
        while not took or time.perf_counter() < end:
            began = time.perf_counter()
            self.embed(texts, batch)
            took.append(time.perf_counter() - began)
        return took


def ours(options, case, mode):
    command = [options.binary, "bench", "--input", case, "--mode", mode, "--threads", str(options.threads),
               "--seconds", str(options.seconds), "--json", "--model", options.model]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["seconds"]


def our_vectors(options, case, n):
    command = [options.binary, "embed", "--input", case, "--format", "raw", "--model", options.model]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(raw, "<f4").reshape(n, -1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("model")
    parser.add_argument("source", type=Path)
    parser.add_argument("case", nargs="+")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    config = json.load(open(options.source / "config.json"))
    tokenizer = tokenizers.Tokenizer.from_file(str(options.source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(config["max_position_embeddings"])
    with tempfile.TemporaryDirectory() as folder:
        float32, int8 = f"{folder}/float32.onnx", f"{folder}/int8.onnx"
        onnx.save(graph(config, safetensors(options.source / "model.safetensors")), float32)
        quantize_dynamic(float32, int8, weight_type=QuantType.QInt8,
                         extra_options={"DefaultTensorType": TensorProto.FLOAT})
        runs = {(kind, threads): Theirs(path, tokenizer, threads)
                for kind, path in [("float32", float32), ("int8", int8)] for threads in {1, options.threads}}
        print("| case | ours, ms | ONNX Runtime float32 | int8 | cosine float32, int8 (lowest) |\n|---|---|---|---|---|")
        for case in options.case:
            texts = [json.loads(line)["text"] for line in open(case)]
            single = Path(case).stem.startswith("single")
            batches = [1] if single else [1, 8, 32]
            # The fastest way of each kind, found first and then timed in turn with ours.
            best = {}
            for (kind, threads), run in runs.items():
                for batch in batches:
                    took = statistics.median(run.passes(texts, batch, options.seconds / 2))
                    best[kind] = min(best.get(kind, (float("inf"),)), (took, threads, batch))
            took = {"ours": [], "float32": [], "int8": []}
            for _ in range(options.rounds):
                for side in ["ours", "float32", "int8", "int8", "float32", "ours"]:
                    if side == "ours":
                        took[side] += ours(options, case, "single" if single else "batch")
                    else:
                        _, threads, batch = best[side]
                        took[side] += runs[side, threads].passes(texts, batch, options.seconds)
            median = {side: statistics.median(times) * 1e3 for side, times in took.items()}
            vectors = our_vectors(options, case, len(texts))
            cosines = [(runs[kind, 1].embed(texts, 1) * vectors).sum(1).min() for kind in ["float32", "int8"]]
            cells = [f"{median[kind]:.2f} ({median[kind] / median['ours']:.2f}x, {best[kind][1]} threads, batches of {best[kind][2]})"
                     for kind in ["float32", "int8"]]
            print(f"| {Path(case).stem} | {median['ours']:.2f} | {cells[0]} | {cells[1]} | {cosines[0]:.4f}, {cosines[1]:.4f} |", flush=True)


if __name__ == "__main__":
    main()
