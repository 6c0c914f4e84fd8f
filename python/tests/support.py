"""What tests share."""

import os
import signal
import time

import numpy as np

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
