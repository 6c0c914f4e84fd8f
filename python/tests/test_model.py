"""The open model: where its weights are, pickling, closing, and what the package says of itself."""

import hashlib
import os
import pickle
import shutil
from importlib import metadata
from pathlib import Path

import pytest
from support import TEXTS, same


def test_pickling_keeps_the_arguments(model, package):
    own = package.Model(threads=1, truncate_dim=16, prompts={"mine": "my: "}, default_prompt_name="mine")
    state = pickle.dumps(own)
    assert len(state) < 1000
    again = pickle.loads(state)
    assert again.threads == 1 and again.get_embedding_dimension() == 16
    assert same(again.encode(TEXTS), own.encode(TEXTS))
    other = state.replace(package.fingerprint.encode(), b"0" * 32)
    with pytest.raises(package.ModelMismatch, match="install the same wheel"):
        pickle.loads(other)


def test_exceptions_survive_pickling(package):
    error = pickle.loads(pickle.dumps(package.MonomorphError("broken")))
    assert type(error) is package.MonomorphError and str(error) == "broken"


def test_a_closed_model_says_so(package):
    with package.Model() as model:
        model.encode("a")
    for call in [lambda: model.encode("a"), lambda: model.tokenize(["a"]), model.info, model.verify]:
        with pytest.raises(ValueError, match="^the model is closed$"):
            call()
    model.close()


def test_threads_come_from_the_environment(package, monkeypatch):
    for ours, theirs, expected in [("3", "2", 3), ("", "2", 2), ("", " 1 ", 1), ("", "4,2", None), ("", "0", None)]:
        monkeypatch.setenv("MONOMORPH_THREADS", ours)
        monkeypatch.setenv("OMP_NUM_THREADS", theirs)
        with package.Model() as model:
            assert model.threads == (expected or model.threads)
            assert f"{model.threads} threads" in repr(model)
    monkeypatch.setenv("MONOMORPH_THREADS", "many")
    with pytest.raises(ValueError, match="MONOMORPH_THREADS is 'many'"):
        package.Model()


def test_another_file_is_refused(package, tmp_path):
    weights = Path(package.__file__).with_name("model.gguf")
    if not weights.exists():
        pytest.skip("the weights are inside")
    data = bytearray(weights.read_bytes())
    changed = tmp_path / "changed.gguf"
    data[-1] ^= 1
    changed.write_bytes(data)
    with package.Model(path=changed) as model:
        with pytest.raises(package.MonomorphError, match="its content differs.*build a wheel"):
            model.verify()
    changed.write_bytes(weights.read_bytes().replace(b"gemma-embedding.block_count", b"gemma-embedding.block_coumt"))
    with pytest.raises(package.MonomorphError) as caught:
        package.Model(path=changed)
    assert "cargo" not in str(caught.value)


def test_the_package_says_what_it_is(model, package):
    module = package.__name__
    distribution = metadata.distribution(module)
    assert distribution.version == package.__version__
    assert package.__version__.endswith("+sha" + package.model_sha256[:8])
    points = [p for p in metadata.entry_points(group="monomorph.models") if p.value == f"{module}:Model"]
    assert len(points) == 1 and points[0].load() is package.Model
    info = model.info()
    assert info["sha256"] == package.model_sha256 == model.model_sha256
    assert info["dimensions"] == model.get_sentence_embedding_dimension()
    assert info["model"] == package.model_name
    source = os.environ.get("MONOMORPH_SOURCE")
    if source:
        assert hashlib.sha256(Path(source).read_bytes()).hexdigest() == package.model_sha256
    model.verify()


def test_the_licence_is_that_of_the_binary(package, binary):
    assert package.license() == binary("--license")


def test_the_terms_are_in_the_wheel(package):
    """Some must come with every copy of the weights, as a file."""
    files = {path.name: path for path in metadata.files(package.__name__) if "licenses" in path.parts}
    assert sorted(files) == ["LICENSE-APACHE", "LICENSE-MIT", "LICENSE-MODEL"]
    terms = files["LICENSE-MODEL"].read_text()
    assert terms.startswith(f"The terms of the model {package.model_name}\n\n") and len(terms.splitlines()) > 2
    if "Gemma Terms of Use" in package.license():
        assert "Gemma Terms of Use found at ai.google.dev/gemma/terms" in terms


def test_importing_says_nothing_and_opens_nothing(python):
    out = python("import sys; print(sorted(m for m in sys.modules if m.split('.')[0] in ('pyarrow', 'polars', 'tqdm')))", "-W", "error")
    assert out == "[]\n"


def test_two_packages_work_in_one_process(python):
    """A copy of the package stands for another model's."""
    python(
        "import importlib, pathlib, shutil, sys, tempfile\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    shutil.copytree(pathlib.Path(package.__file__).parent, pathlib.Path(folder, 'other'))\n"
        "    sys.path.insert(0, folder)\n"
        "    other = importlib.import_module('other')\n"
        "    assert other._native is not package._native\n"
        "    a, b = package.Model().encode('Mars'), other.Model().encode('Mars')\n"
        "    assert a.tobytes() == b.tobytes()\n"
    )


def test_a_package_without_weights_looks_elsewhere(package, python, tmp_path):
    beside = Path(package.__file__).with_name("model.gguf")
    if not beside.exists():
        pytest.skip("the weights are inside")
    shutil.copytree(beside.parent, tmp_path / "thin", ignore=shutil.ignore_patterns("model.gguf", "__pycache__"))
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import thin\n"
        "expected = package.Model().encode('Mars').tobytes()\n"
        f"assert thin.Model(path={str(beside)!r}).encode('Mars').tobytes() == expected\n"
    )
    found = code + "model = thin.Model()\nassert model.encode('Mars').tobytes() == expected\nprint(model.info()['weights'])"
    assert python(found, environment={"MODEL_GGUF": str(beside)}) == f"{beside}\n"
    missing = code + "try:\n    thin.Model()\nexcept FileNotFoundError as error:\n    print(error.filename)"
    assert python(missing, environment={"MODEL_GGUF": "gone.gguf"}) == "gone.gguf\n"


def test_memory_stays_bounded(python):
    """A million short texts: what grows is the texts."""
    out = python(
        "import resource\n"
        "model = package.Model(threads=2)\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "model.encode(['warm'] * 2000)\n"
        "before = peak()\n"
        "count = sum(len(rows) for rows in model.encode_iter(f'text {i}' for i in range(30_000)))\n"
        "print(count, peak() - before)\n"
    )
    count, kib = map(int, out.split())
    assert count == 30_000 and kib < 20 << 10, kib
