"""Threads, signals and forks."""

import multiprocessing
import signal
import subprocess
import sys
import threading
import time

import pytest
from support import TEXTS, in_child, same


def test_callers_of_many_threads_get_their_own_vectors(model):
    lists = [[f"{text} {i}" for text in TEXTS * 5] for i in range(8)]
    expected = [model.encode(texts) for texts in lists]
    found = [None] * len(lists)

    def run(i):
        for _ in range(5):
            found[i] = model.encode(lists[i])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(lists))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(same(a, b) for a, b in zip(found, expected))


def test_other_threads_run_meanwhile(model):
    counted, done = 0, threading.Event()

    def count():
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    started = time.monotonic()
    model.encode(TEXTS * 800)
    took = time.monotonic() - started
    done.set()
    thread.join()
    # With the GIL held, it would have counted to one or two.
    assert took > 0.1 and counted > 10 * took, (counted, took)


def interrupt(package, body, after=0.5):
    """Runs code that prints "ready", sends it SIGINT, and returns what it printed afterwards and the time that took."""
    code = (
        f"import {package.__name__} as package, time, signal\n"
        # A shell's background job ignores SIGINT, and so would Python.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"model = package.Model(threads=2)\n{body}"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
        assert err == ""
        return out, time.monotonic() - sent
    finally:
        process.kill()
        process.wait()


def test_ctrl_c_ends_a_long_call(package):
    out, _ = interrupt(
        package,
        "texts = ['one two three four five six seven'] * 1_000_000\n"
        "print('ready', flush=True)\n"
        "before = time.monotonic()\n"
        "try:\n"
        "    model.encode(texts)\n"
        "    print('finished')\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', time.monotonic() - before)\n"
        "print(model.encode('again').shape)\n",
    )
    interrupted, again = out.splitlines()
    word, seconds = interrupted.split()
    # Half a second of it was before the signal.
    assert word == "interrupted" and float(seconds) < 3, out
    assert again.startswith("(")


def test_a_signal_that_is_pending_is_no_panic(package):
    """The handler runs at the first chance, which is after the vectors are made."""
    out, _ = interrupt(
        package,
        "import threading, os\n"
        "print('ready', flush=True)\n"
        "found = set()\n"
        "for i in range(200_000):\n"
        "    try:\n"
        "        model.encode('one short text')\n"
        "    except KeyboardInterrupt:\n"
        "        found.add('KeyboardInterrupt')\n"
        "        break\n"
        "    except BaseException as error:\n"
        "        found.add(type(error).__name__)\n"
        "        break\n"
        "print(found)\n",
        after=0.1,
    )
    assert out == "{'KeyboardInterrupt'}\n"


def test_an_error_of_the_progress_bar_ends_the_call(model, monkeypatch):
    def fail(done):
        raise RuntimeError("no more")

    options = {"prefix": "", "dimensions": None, "normalize": True, "truncate": "end"}
    with pytest.raises(RuntimeError, match="no more"):
        model._embedder.encode(["one two three"] * 5_000, options, fail)
    assert model.encode("a").shape


forks = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@forks
def test_a_forked_child_has_the_model_too(package):
    model = package.Model(threads=2)
    texts = TEXTS * 50
    expected = model.encode(texts)

    def child():
        assert same(model.encode(texts), expected)
        assert same(model.encode(TEXTS[0]), expected[0])

    for _ in range(20):
        in_child(child)
    assert same(model.encode(texts), expected)


@forks
def test_a_child_may_drop_the_model_unused(package):
    holder = [package.Model(threads=2)]
    holder[0].encode(TEXTS * 50)
    in_child(holder.clear)
    in_child(lambda: holder[0].close())
    holder[0].encode(TEXTS)


@forks
def test_a_fork_in_the_middle_of_a_call(package):
    model = package.Model(threads=2)
    expected = model.encode(TEXTS)
    done = threading.Event()

    def work():
        while not done.is_set():
            model.encode(TEXTS * 200)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(20):
            in_child(lambda: None if same(model.encode(TEXTS), expected) else 1 / 0)
    finally:
        done.set()
        thread.join()


POOL = {}


def _begin(model):
    POOL["model"] = model


def _pooled(texts):
    return POOL["model"].encode(texts)


@forks
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pools_of_processes(package, method):
    model = package.Model(threads=2)
    expected = model.encode(TEXTS)
    with multiprocessing.get_context(method).Pool(2, initializer=_begin, initargs=(model,)) as pool:
        for found in pool.map(_pooled, [TEXTS] * 6):
            assert same(found, expected)
