"""What tests share."""

import os
import re
import signal
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]

MODULE = os.environ.get("MONOMORPH_MODULE", "monomorph_tiny")

TEXTS = [
    "Mars is red.",
    "",
    "Venus is hot, and clouds hide its ground: \u00fc\u00f1\u00ee \u4f60\u597d \U0001f680",
    "a",
    "one two three four five six seven eight nine ten " * 4,
    "line\nline\ttab  spaces ",
]


def same(a, b):
    """Whether two arrays have the same type, shape and bits."""
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# Engines of several processes. Each has an example in python/README.md, and a test that runs it.
ENGINES = ["dask", "ray", "pyspark"]


def examples(document):
    """The examples of a document that use the package, and the engine of each or None."""
    for example in re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(), re.DOTALL):
        if re.search(r"^from monomorph_\w+(\.\w+)? import", example, re.MULTILINE):
            imported = re.findall(r"^(?:from|import) (\w+)", example, re.MULTILINE)
            yield example, next((engine for engine in ENGINES if engine in imported), None)


def run_example(example, **replaced):
    """Runs an example with this model in place of its own, and returns its variables."""
    for own, other in replaced.items():
        assert own in example
        example = example.replace(own, other)
    variables = {"__name__": "__main__"}
    exec(re.sub(r"monomorph_embeddinggemma\w+", MODULE, example), variables)
    return variables


def run_engine_example(engine, **replaced):
    (example,) = [example for example, of in examples("python/README.md") if of == engine]
    return run_example(example, **replaced)


PASSAGES = [
    "Venus is often called Earth's twin because of its similar size and proximity.",
    "Mars, known for its reddish appearance, is often referred to as the Red Planet.",
    "Jupiter, the largest planet in our solar system, has a prominent red spot.",
]
QUESTION = "Which planet is known as the Red Planet?"


def in_child(run, timeout=60):
    """Runs a function in a fork of this process; fails if it raises or does not end."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run()
            code = 0
        finally:
            os._exit(code)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            assert status == 0, status
            return
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("the forked child did not end")
