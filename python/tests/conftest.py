"""The tests run against an installed wheel: MONOMORPH_MODULE names its module, MONOMORPH_BINARY the `monomorph` that was
built from the same file, whose vectors all of Python's must equal.
"""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import MODULE

BINARY = os.environ.get("MONOMORPH_BINARY")

@pytest.fixture(scope="session")
def package():
    return importlib.import_module(MODULE)


@pytest.fixture(scope="session")
def model(package):
    with package.Model(threads=2) as model:
        yield model


@pytest.fixture(scope="session")
def long_text(model):
    """A text of more tokens than the context holds."""
    return "long words, " * model.max_seq_length


@pytest.fixture(scope="session")
def binary():
    """Runs the `monomorph` of the same model."""
    if not BINARY:
        pytest.fail("MONOMORPH_BINARY must name the monomorph that was built from the same model")

    def run(*arguments, input=None):
        done = subprocess.run([BINARY, *map(str, arguments)], input=input, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def embed(binary, tmp_path_factory):
    """The vectors that `monomorph embed` makes of texts."""

    def embed(texts, *arguments):
        folder = tmp_path_factory.mktemp("embed")
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        (folder / "in.jsonl").write_text(lines, encoding="utf-8")
        binary("embed", *arguments, "--input", folder / "in.jsonl", "--output", folder / "out.npy")
        return np.load(folder / "out.npy")

    return embed


@pytest.fixture
def python(package):
    """Runs Python code in a process of its own, where `package` is the module, and returns what it prints."""

    def run(code, *options, timeout=60, environment=None):
        code = f"import {package.__name__} as package\n" + code
        done = subprocess.run(
            [sys.executable, *options, "-c", code],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **(environment or {})},
            cwd=Path(__file__).parent,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return done.stdout

    return run
