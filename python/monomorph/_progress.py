"""Progress of a long call: a bar of tqdm if it is installed, else a line a second."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(shown: bool | None, total: int | None) -> Iterator[Callable[[int], object] | None]:
    """A function that takes the number of texts done so far; None if nothing is shown."""
    if not shown:
        yield None
        return
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped]
    except ImportError:
        yield _lines(total)
        return
    with tqdm(total=total, desc="Texts", unit="text") as bar:
        yield lambda done: bar.update(done - bar.n)


def _lines(total: int | None) -> Callable[[int], object]:
    last = time.monotonic()

    def show(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 1 or done == total:
            last = now
            of = "" if total is None else f" of {total}"
            print(f"{done}{of} texts", file=sys.stderr)

    return show
