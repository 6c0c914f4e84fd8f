"""Which weights a model opens, and with how many threads."""

import os

from . import _native


def weights(path: str | os.PathLike[str] | None) -> str | None:
    """The file to open: the caller's, else the one beside this module; None for what the build put inside.

    Only where there are neither, MODEL_GGUF is looked at: with two models installed it would break one of them. Without
    it, None stands for the path that the build was given.
    """
    if path is not None:
        return os.fspath(path)
    if _native.IS_EMBEDDED:
        return None
    # Not by pathlib, which would be half of the package's import.
    beside = os.path.join(os.path.dirname(__file__), "model.gguf")
    if os.path.exists(beside):
        return beside
    return os.environ.get("MODEL_GGUF") or None


def threads(asked: int | None) -> int | None:
    """The caller's number, else MONOMORPH_THREADS, else OMP_NUM_THREADS, which engines set to a worker's share of the
    cores; None for the library's default.
    """
    if asked is not None:
        if asked < 1:
            raise ValueError(f"threads must be at least 1, not {asked}")
        return asked
    ours = os.environ.get("MONOMORPH_THREADS")
    if ours:
        if not ours.isascii() or not ours.isdigit() or int(ours) < 1:
            raise ValueError(f"MONOMORPH_THREADS is {ours!r}; it must be a number of at least 1")
        return int(ours)
    # Others' variable: a list for nested levels, or anything else, is no reason to fail.
    share = os.environ.get("OMP_NUM_THREADS", "").strip()
    return int(share) if share.isascii() and share.isdigit() and int(share) > 0 else None
