"""What runs in the workers of an engine, which import this file through PYTHONPATH: it notes what they do in a folder."""

import importlib
import json
import os
import signal
import time
from pathlib import Path

from support import MODULE


def note(folder, **what):
    with open(Path(folder, f"{os.getpid()}.jsonl"), "a") as file:
        file.write(json.dumps(what) + "\n")


def notes(folder):
    """The notes of each process, by its id."""
    return {int(file.stem): list(map(json.loads, file.open())) for file in Path(folder).glob("*.jsonl")}


def batches(folder):
    """The rows of each batch that each process has begun."""
    rows = {pid: [line["rows"] for line in lines if "rows" in line] for pid, lines in notes(folder).items()}
    return {pid: found for pid, found in rows.items() if found}


def is_first(folder, what):
    """Whether no process has asked for this before."""
    try:
        Path(folder, what).touch(exist_ok=False)
        return True
    except FileExistsError:
        return False


def watch(folder, one_scalar=False):
    """Notes each model that this process opens from now on."""
    model = importlib.import_module(MODULE).Model
    if hasattr(model, "watched"):
        return
    if one_scalar and is_first(folder, "scalar"):
        os.environ["MONOMORPH_ISA"] = "scalar"
    open_model = model.__init__

    def open_and_note(self, *arguments, **options):
        open_model(self, *arguments, **options)
        note(folder, opened={"threads": self.threads, "isa": self.isa})

    model.__init__ = open_and_note
    model.watched = True


def begin_batch(folder, rows, processes=1, kill=False):
    """Notes a batch. Waits until so many processes have one; one process is killed at its third, if that is wanted,
    and then one that takes its place must have one, too.
    """
    note(folder, rows=rows)
    deadline = time.monotonic() + 180
    while len(begun := batches(folder)) < processes + Path(folder, "killed").exists():
        assert time.monotonic() < deadline, f"fewer than {processes} workers have something to do"
        time.sleep(0.01)
    if kill and len(begun[os.getpid()]) == 3 and is_first(folder, "killed"):
        note(folder, killed=True)
        os.kill(os.getpid(), signal.SIGKILL)


def check(folder, rows, threads, processes, killed=0):
    """Whether so many processes opened one model each, with these threads, and embedded all rows."""
    found = notes(folder)
    opened = {pid: [line["opened"] for line in lines if "opened" in line] for pid, lines in found.items()}
    assert all(len(models) == 1 for models in opened.values()), found
    assert {model["threads"] for (model,) in opened.values()} == {threads}, found
    assert len(found) == processes + killed, found
    begun = batches(folder)
    assert begun.keys() == found.keys(), found
    # Otherwise one opening a process would say nothing.
    assert sum(map(len, begun.values())) > 3 * len(found), found
    dead = [pid for pid, lines in found.items() if {"killed": True} in lines]
    assert len(dead) == killed, found
    for pid in dead:
        assert not Path(f"/proc/{pid}").exists()
    # What a killed process had begun is done again.
    done = sum(map(sum, begun.values()))
    assert done > rows if killed else done == rows, found
    return {model["isa"] for (model,) in opened.values()}
