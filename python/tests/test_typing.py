"""Whether type checkers accept the package and what uses it, in their strict modes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def examples(package):
    """The examples of uses, for the installed package."""
    typing = (Path(__file__).parent / "typing_examples.py").read_text()
    return typing.replace("monomorph_tiny", package.__name__)


def accepts(folder, *checker):
    done = subprocess.run([sys.executable, "-m", *checker], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy(package, examples, tmp_path):
    pytest.importorskip("mypy")
    accepts(tmp_path, "mypy", "--strict", "-c", examples)
    accepts(tmp_path, "mypy.stubtest", f"{package.__name__}._native")


def test_pyright(examples, tmp_path):
    pytest.importorskip("pyright")
    (tmp_path / "examples.py").write_text(examples)
    settings = {"include": ["examples.py"], "typeCheckingMode": "strict"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    accepts(tmp_path, "pyright", "--pythonpath", sys.executable)
