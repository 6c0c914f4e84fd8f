"""Vectors, and what may be asked of them."""

import warnings

import numpy as np
import pytest
from support import TEXTS, same


def test_vectors_are_those_of_the_binary(model, embed):
    assert same(model.encode(TEXTS), embed(TEXTS))
    assert same(model.encode_query(TEXTS), embed(TEXTS, "--prompt", "query"))
    assert same(model.encode_document(TEXTS), embed(TEXTS, "--prompt", "document"))
    assert same(model.encode(TEXTS, prompt="a: "), embed(TEXTS, "--prefix", "a: "))
    assert same(model.encode(TEXTS, truncate_dim=32), embed(TEXTS, "--dimensions", 32))
    assert same(model.encode(TEXTS, normalize_embeddings=False), embed(TEXTS, "--no-normalize"))


def test_precisions_are_those_of_the_binary(model, embed, tmp_path):
    ranges = model.ranges(TEXTS)
    np.save(tmp_path / "ranges.npy", ranges)
    for precision in ["float16", "int8", "uint8", "binary", "ubinary"]:
        given = ["--ranges", tmp_path / "ranges.npy"] if "int8" in precision else []
        expected = embed(TEXTS, "--precision", precision, *given)
        for from_ in [ranges, tmp_path / "ranges.npy"]:
            assert same(model.encode(TEXTS, precision=precision, ranges=from_), expected), precision
    one = model.encode(TEXTS[0], precision="ubinary")
    assert same(one, np.packbits(model.encode(TEXTS[0]) > 0))


def test_shapes(model):
    d = model.get_embedding_dimension()
    assert model.encode("x").shape == (d,)
    assert model.encode(["x"]).shape == (1, d)
    assert model.encode([]).shape == (0, d)
    assert model.encode([], precision="binary").shape == (0, d // 8)
    assert same(model.encode(""), model.encode([""])[0])
    vectors = model.encode(TEXTS)
    assert vectors.flags.c_contiguous and vectors.flags.writeable
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)


def test_any_sequence_of_str_will_do(model):
    expected = model.encode(TEXTS)
    for texts in [tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, dtype=object), iter(TEXTS), (t for t in TEXTS)]:
        assert same(model.encode(texts), expected), type(texts)


def test_a_text_has_the_same_bits_alone_and_with_any_threads(model, package):
    together = model.encode(TEXTS * 20)
    for i, text in enumerate(TEXTS):
        assert same(model.encode(text), together[i])
    for threads in [1, 3]:
        with package.Model(threads=threads) as other:
            assert other.threads == threads
            assert same(other.encode(TEXTS * 20), together)
    with package.Model(isa="scalar") as scalar:
        assert scalar.isa == "scalar" and same(scalar.encode(TEXTS), together[: len(TEXTS)])


def test_prompts(model, package):
    assert model.prompts["query"] == "task: search result | query: "
    expected = model.encode("task: search result | query: Mars")
    for name in ["query", "Query", "retrieval_query", "Retrieval Query"]:
        assert same(model.encode("Mars", prompt_name=name), expected)
    assert same(model.encode_query("Mars"), expected)
    assert same(model.encode_query("Mars", prompt=""), model.encode("Mars"))
    assert same(model.encode_document("Mars", prompt_name="query"), expected)
    assert same(model.encode("Mars", prompt_name="clustering", prompt=model.prompts["query"]), expected)
    with pytest.raises(ValueError, match="unknown prompt 'poetry'; known: .*query"):
        model.encode("Mars", prompt_name="poetry")
    own = package.Model(prompts={"mine": "my: "}, default_prompt_name="mine")
    assert same(own.encode("Mars"), model.encode("my: Mars"))
    assert same(own.encode_query("Mars"), expected)
    with pytest.raises(ValueError, match="unknown prompt"):
        package.Model(default_prompt_name="mine")


def test_titles(model, embed):
    found = model.encode_document(["Red.", "Red.", "Red."], titles=["Mars", None, " "])
    assert same(found[0], embed(["Red."], "--prompt", "document", "--title", "Mars")[0])
    assert same(found[0], model.encode("title: Mars | text: Red."))
    assert same(found[1], model.encode_document("Red.")) and same(found[2], found[1])
    for texts, titles, options in [
        (["a"], ["b", "c"], {}),
        ("a", ["b"], {}),
        (["a"], ["b"], {"prompt": "c"}),
        (["a"], ["b"], {"prompt_name": "query"}),
    ]:
        with pytest.raises(ValueError, match="titles"):
            model.encode_document(texts, titles=titles, **options)


def test_long_texts_are_cut_with_a_warning(model, package, long_text, embed):
    with pytest.warns(package.TruncationWarning, match="^1 text was longer than the context of 256 tokens and cut$"):
        vectors = model.encode(["short", long_text])
    assert same(vectors, embed(["short", long_text]))
    with pytest.warns(package.TruncationWarning, match="^2 texts were"):
        start = model.encode([long_text, long_text], truncate="start")
    assert same(start[:1], embed([long_text], "--truncate", "start"))
    with pytest.raises(ValueError, match=r"^texts\[1\]: .*more than the context of 256"):
        model.encode(["short", long_text], truncate="none")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.encode("short")


def test_bad_texts_are_named(model):
    for texts, error, message in [
        (["a", None], TypeError, r"^texts\[1\] is of type NoneType, not str$"),
        ([b"a"], TypeError, r"^texts\[0\] is of type bytes, not str$"),
        (b"a", TypeError, "not one bytes"),
        (7, TypeError, "not int"),
        (["a", "b", "\ud800"], UnicodeEncodeError, r"texts\[2\]: surrogates not allowed"),
    ]:
        with pytest.raises(error, match=message):
            model.encode(texts)


def test_bad_options_are_refused(model, package, tmp_path):
    d = model.get_embedding_dimension()
    for options, error, message in [
        ({"truncate_dim": 0}, ValueError, f"truncate_dim is 0, but this model has 1 to {d}"),
        ({"truncate_dim": d + 1}, ValueError, "truncate_dim"),
        ({"truncate": "middle"}, ValueError, 'unknown truncation "middle"; known: end, start, none'),
        ({"precision": "int4"}, ValueError, 'unknown precision "int4"'),
        ({"precision": "int8"}, ValueError, "precision int8: int8 and uint8 need the ranges"),
        ({"precision": "int8", "ranges": np.zeros((2, 3))}, ValueError, "ranges are of 3 dimensions"),
        ({"precision": "int8", "ranges": np.zeros(d)}, ValueError, "two rows"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"device": "cuda"}, TypeError, "device='cuda' is not supported"),
        ({"convert_to_tensor": True}, TypeError, "convert_to_tensor"),
        ({"convert_to_numpy": False}, TypeError, "convert_to_numpy"),
        ({"output_value": "token_embeddings"}, TypeError, "output_value"),
        ({"sparse": True}, TypeError, "unexpected keyword argument 'sparse'"),
    ]:
        with pytest.raises(error, match=message):
            model.encode("a", **options)
    assert same(model.encode("a", batch_size=1, device="cpu", convert_to_tensor=False, pool=None), model.encode("a"))
    for options, error in [
        ({"threads": 0}, ValueError),
        ({"truncate_dim": -1}, ValueError),
        ({"isa": "mmx"}, ValueError),
        ({"similarity_fn_name": "near"}, ValueError),
        ({"path": tmp_path / "gone.gguf"}, FileNotFoundError),
        ({"path": tmp_path}, OSError),
        ({"path": __file__}, package.MonomorphError),
    ]:
        with pytest.raises(error):
            package.Model(**options)


def test_any_number_of_texts_in_windows(model):
    texts = [f"text {i}" for i in range(50)]
    expected = model.encode(texts)
    for window, sizes in [(None, [50]), (20, [20, 20, 10]), (50, [50]), (1, [1] * 50)]:
        arrays = list(model.encode_iter(iter(texts), window=window))
        assert [len(rows) for rows in arrays] == sizes
        assert same(np.concatenate(arrays), expected)
    assert list(model.encode_iter([])) == []
    with pytest.raises(TypeError):
        next(model.encode_iter("one"))


def test_ranges(model):
    vectors = model.encode(TEXTS, truncate_dim=16)
    found = model.ranges(iter(TEXTS), truncate_dim=16, window=2)
    assert same(found, np.stack([vectors.min(axis=0), vectors.max(axis=0)]))
    with pytest.raises(ValueError, match="at least one text"):
        model.ranges([])


def test_similarities(model, package):
    a, b = model.encode(TEXTS), model.encode(TEXTS[::-1])
    assert model.similarity(a, b).shape == (6, 6)
    np.testing.assert_allclose(model.similarity(a, a).diagonal(), 1, rtol=1e-5)
    # What the definitions say, written out.
    definitions = {
        "cosine": lambda x, y: x @ y / np.linalg.norm(x) / np.linalg.norm(y),
        "dot": lambda x, y: x @ y,
        "euclidean": lambda x, y: -np.sqrt(((x - y) ** 2).sum()),
        "manhattan": lambda x, y: -np.abs(x - y).sum(),
    }
    a, b = 3 * a.astype(np.float64), b.astype(np.float64)
    for name, define in definitions.items():
        with package.Model(similarity_fn_name=name) as other:
            expected = np.array([[define(x, y) for y in b] for x in a])
            np.testing.assert_allclose(other.similarity(a, b), expected, atol=1e-5)
            np.testing.assert_allclose(other.similarity_pairwise(a, b), expected.diagonal(), atol=1e-5)
    with pytest.raises(ValueError, match="cannot be paired"):
        model.similarity_pairwise(a, b[1:])


def test_tokens(model, binary, long_text):
    (ids,) = model.tokenize(["Mars is red."])
    printed = binary("tokenize", "Mars is red.")
    assert " ".join(map(str, ids)) in " ".join(printed.replace(",", " ").split()), printed
    assert model.count_tokens(["Mars is red.", ""]).tolist() == [len(ids), len(model.tokenize([""])[0])]
    assert len(model.tokenize([long_text])[0]) == model.max_seq_length
    assert model.count_tokens([long_text])[0] > 3 * model.max_seq_length
    assert len(model.tokenize(["Mars"], prompt_name="query")[0]) > len(model.tokenize(["Mars"])[0])
    with pytest.raises(TypeError, match="not one str"):
        model.tokenize("Mars")


def test_progress(model, capsys):
    vectors = model.encode(TEXTS * 500, show_progress_bar=True)
    shown = capsys.readouterr()
    assert "3000" in shown.err and shown.out == ""
    assert same(vectors[: len(TEXTS)], model.encode(TEXTS))
    model.encode(TEXTS)
    assert capsys.readouterr().err == ""
