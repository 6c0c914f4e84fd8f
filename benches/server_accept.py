#!/usr/bin/env python3
"""What `monomorph serve` must reach, beside the same binary's `bench` and, if asked, llama-server.

    benches/server_accept.py BINARY [--model FILE] [--threads 2] [--seconds 10] [--rounds 2] [--soak 600]
    benches/server_accept.py BINARY --llama-server URL [--model FILE] [--threads 2]

Servers and the loader share the machine's cores. What is compared runs in turn, A B B A a round. Each figure is a line:
PASS or FAIL, what was asked for, what was found. Below each rate is where the CPU time went. --soak adds so many
seconds of mixed load with clients that leave. With --llama-server only our server and the one at URL, which somebody
has started with the same file, are compared.

Where clients are timed beside a heavy load (fairness, overload), they have a process of their own, and the load another
one at a lower priority: a thread that sends and receives megabytes cannot tell when a small answer came.
"""
import argparse
import http.client
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from server_load import Group, Loop, read_texts

CASES = Path(__file__).resolve().parent / "cases"
LEAST = {"batch_long": 0.92, "batch_mixed": 0.90, "batch_short": 0.85}
PASS_SECONDS = 0.075  # --pass-ms
TIMEOUT_SECONDS = 300  # --timeout
MIB = 1 << 20
TOKENS = "monomorph_tokens_total"
failed = []


def check(good, asked, found):
    print("PASS" if good else "FAIL", f"{asked}: {found}", flush=True)
    if not good:
        failed.append(asked)


def case(name):
    return read_texts(CASES / f"{name}.jsonl")


def cpu_seconds_of(process_or_thread):
    fields = Path(process_or_thread, "stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Server:
    """`monomorph serve` at a free port, ready."""

    def __init__(self, options, *more):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [options.binary, "serve", "--port", str(self.port), "--threads", str(options.threads)]
        command += [*options.with_model, *more]
        begun = time.perf_counter()
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while not self.is_ready():
            if self.process.poll() is not None:
                sys.exit(f"the server ended: {' '.join(command)}")
            time.sleep(0.0005)
        self.start_seconds = time.perf_counter() - begun
        self.url = f"http://127.0.0.1:{self.port}"

    def is_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def metric(self, name):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    def cpu_seconds(self):
        """Those of the engine's threads, and of all others."""
        engine = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                name = (task / "comm").read_text().strip()
                if name == "engine" or name.startswith("monomorph-"):
                    engine += cpu_seconds_of(task)
            except OSError:
                pass  # Other threads end.
        return {"engine": engine, "others": cpu_seconds_of(f"/proc/{self.process.pid}") - engine}

    def memory(self, field):
        """Bytes, by a name of /proc/PID/smaps_rollup."""
        lines = open(f"/proc/{self.process.pid}/smaps_rollup").read().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))

    def forget_peak(self):
        open(f"/proc/{self.process.pid}/clear_refs", "w").write("5")

    def peak(self):
        """The most bytes of memory that it had since the last one was forgotten."""
        lines = open(f"/proc/{self.process.pid}/status").read().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()


def bench(options, name, mode):
    """Seconds of a pass over a case by the library, its texts and its tokens."""
    command = [options.binary, "bench", "--input", CASES / f"{name}.jsonl", "--mode", mode, "--json", *options.with_model]
    command += ["--threads", str(options.threads), "--seconds", str(options.seconds)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return statistics.median(found["seconds"]), found["texts"], found["tokens"]


def bench_rate(options, name):
    seconds, _, tokens = bench(options, name, "batch")
    return tokens / seconds


def closed(options, server, name, clients, per_request=1, tick=None):
    report = Loop(server.url).run([Group(case(name), per_request, clients)], options.seconds, tick)[0]
    options.differ += report["vectors_differ"]
    return report


def throughput(options, server, name, clients, per_request, least):
    closed(options, server, name, clients, per_request)  # warms up
    def look(now):
        cpu = {**server.cpu_seconds(), "loader": sum(os.times()[:2])}
        # By the server's own count: an answer to many texts has tokens of the time before, too.
        return {"time": now, "tokens": server.metric(TOKENS), **cpu}

    def run():
        # From the first second on: at its beginning no pass is under way, while one that is at the end does not count.
        seen = []
        closed(options, server, name, clients, per_request, lambda now: seen.append(look(now)))
        return {what: seen[-1][what] - seen[0][what] for what in seen[0]}

    library, served = [], []
    for _ in range(options.rounds):
        library.append(bench_rate(options, name))
        served += run(), run()
        library.append(bench_rate(options, name))
    rates = [found["tokens"] / found["time"] for found in served]
    ratio = sum(rates) / sum(library)
    of = f"{clients} clients of {per_request} text{'s' * (per_request > 1)}, {name}"
    check(ratio >= least, f"{of}: at least {least} of bench",
          f"{ratio:.3f} ({[round(x) for x in rates]} to {[round(x) for x in library]} tokens/s)")
    total = {what: sum(found[what] for found in served) for what in served[0]}
    shares = {what: total[what] / total["time"] / options.threads for what in ("engine", "others", "loader")}
    per_second = total["tokens"] / total["engine"] / (statistics.mean(library) / options.threads)
    print(f"     of {options.threads} cores the engine's threads had {shares['engine']:.3f}, the server's others "
          f"{shares['others']:.3f}, the loader {shares['loader']:.3f}; a second of the engine's gave {per_second:.3f} "
          "of bench's tokens", flush=True)


def one_client(options, server):
    # Many short turns: what other jobs do to the machine in one of them is more than the difference.
    short = argparse.Namespace(**{**vars(options), "seconds": options.seconds / 4})

    def library():
        seconds, texts, _ = bench(short, "single_short", "single")
        return round(seconds / texts * 1e3, 2)

    def through_server():
        return closed(short, server, "single_short", 1)["ms"]["p50"]

    times, served = [], []
    for _ in range(4 * options.rounds):
        times.append(library())
        served += through_server(), through_server()
        times.append(library())
    options.differ = short.differ
    added = statistics.median(served) - statistics.median(times)
    check(added < 1, "one client, p50: under 1 ms more than the library", f"{added:.2f} ms ({served} to {times} ms)")
    return statistics.median(served)


def load_beside(url, load, seconds, reports):
    os.nice(10)
    reports.send(Loop(url).run([load], seconds, drain=0)[0])


def beside(server, timed, load, seconds):
    """Reports of clients that are timed here and of a load in another process, and the server's tokens a second."""
    received, reports = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=load_beside, args=(server.url, load, seconds + 4, reports))
    process.start()
    time.sleep(2)
    before, begun = server.metric(TOKENS), time.perf_counter()
    report = Loop(server.url).run([timed], seconds, drain=0)[0]
    rate = (server.metric(TOKENS) - before) / (time.perf_counter() - begun)
    of_load = received.recv()
    process.join()
    return report, of_load, rate


def reached(rate, library, asked):
    ratio = rate / statistics.mean(library)
    check(ratio >= 0.85, asked, f"{ratio:.2f} ({rate:.0f} to {[round(x) for x in library]} tokens/s)")


def fairness(options, server, alone_ms):
    library = [bench_rate(options, "batch_mixed")]
    short, bulk, rate = beside(server, Group(case("single_short"), 1), Group(case("batch_mixed"), 2000), 20)
    library.append(bench_rate(options, "batch_mixed"))
    most = 2 * PASS_SECONDS * 1e3 + alone_ms
    check(short["ms"]["p95"] < most, f"one text beside a request of 2,000, p95: under {most:.0f} ms",
          f"{short['ms']}, {short['requests']} answers; bulk: {bulk['statuses'] or 'under way'}")
    reached(rate, library, "meanwhile the engine works at 0.85 of bench or more")
    options.differ += short["vectors_differ"] + bulk["vectors_differ"]


def overload(options):
    library = [bench_rate(options, "batch_short")]
    with Server(options, "--max-wait", "5") as server:
        closed(options, server, "batch_short", 1)
        before = server.memory("Rss")
        server.forget_peak()
        texts = case("batch_short")
        timed, load, rate = beside(server, Group(texts, 2000, clients=8), Group(texts, 2000, clients=56), 30)
        refused = timed["refusal_ms"]
        check(refused["p99"] is not None and refused["p99"] < 10,
              "64 clients of 2,000 texts, 8 of them timed: refused in under 10 ms, p99",
              f"{refused}; {timed['statuses']}, the others {load['statuses']}")
        grown = (server.peak() - before) / MIB
        library.append(bench_rate(options, "batch_short"))
        reached(rate, library, "meanwhile served at 0.85 of bench or more")
        check(grown < 300, "meanwhile under 300 MiB more memory", f"{grown:.0f} MiB")
        options.differ += timed["vectors_differ"] + load["vectors_differ"]


def starts(options):
    found = []
    for _ in range(20):
        with Server(options) as server:
            found.append(server.start_seconds)
    described = subprocess.run([options.binary, "inspect", "--self"], capture_output=True, text=True, check=True).stdout
    most = 40 if "\ninside " in described else 60
    check(statistics.median(found) * 1e3 <= most, f"start to the first 200 of /health: at most {most} ms",
          f"{statistics.median(found) * 1e3:.1f} ms, the median of {len(found)}")


def idle(options):
    with Server(options) as server:
        closed(options, server, "single_short", 1)
        before = sum(server.cpu_seconds().values())
        time.sleep(30)
        used = sum(server.cpu_seconds().values()) - before
        check(used == 0, "idle for 30 s: no CPU time", f"{used:.2f} s")
        private = (server.memory("Private_Clean") + server.memory("Private_Dirty")) / MIB
        print(f"     private memory after it: {private:.0f} MiB, of which kept panels as `monomorph inspect` says", flush=True)


def soak(options):
    with Server(options) as server:
        groups = [Group(case("batch_short"), 1, 16, leaving=5), Group(case("batch_mixed"), 16, 4, leaving=7),
                  Group(case("single_1500"), 1, 2, leaving=3)]
        seen = []
        look = lambda now: seen.append((now, server.memory("Rss"), server.descriptors()))
        reports = Loop(server.url).run(groups, options.soak, look)
        resident = [x for now, x, _ in seen if now > 60]
        grown = max(resident[-60:]) / max(resident[:60]) - 1
        check(grown < 0.05, f"{options.soak} s of mixed load with leaving clients: memory flat within 5 % after a minute",
              f"{grown * 100:+.1f} % of {max(resident[:60]) / MIB:.0f} MiB")
        time.sleep(1)
        at_last = server.descriptors()
        check(at_last <= seen[0][2], "descriptors as at its beginning", f"{seen[0][2]}, then {at_last}")
        statuses, left = [report["statuses"] for report in reports], sum(report["left"] for report in reports)
        # 504 is the answer to what took longer than --timeout, and to nothing else.
        timeouts = [seconds for report in reports for seconds in report["timeouts_s"]]
        check(all(set(status) <= {200, 429, 503, 504} for status in statuses)
              and all(seconds >= TIMEOUT_SECONDS for seconds in timeouts),
              "no answers but 200, refusals, and 504 after the time limit", f"{statuses}; {left} left; {timeouts} s")
        options.differ += sum(report["vectors_differ"] for report in reports)
        print(f"     {sum(report['vectors_compared'] for report in reports)} vectors compared", flush=True)


def beside_llama_server(options, server):
    theirs = argparse.Namespace(url=options.llama_server)
    for clients, name in ((64, "batch_long"), (64, "batch_short"), (1, "single_short")):
        found = {}
        for who, at in (("ours", server), ("theirs", theirs), ("theirs", theirs), ("ours", server)):
            found.setdefault(who, []).append(Loop(at.url).run([Group(case(name), 1, clients)], options.seconds)[0])
        measure = (lambda report: report["tokens_per_s"]) if clients > 1 else (lambda report: 1e3 / report["ms"]["p50"])
        rates = {who: [measure(report) for report in reports] for who, reports in found.items()}
        ratio = sum(rates["ours"]) / sum(rates["theirs"])
        unit = "tokens/s" if clients > 1 else "requests/s at the median"
        check(ratio >= 3, f"{clients} client{'s' * (clients > 1)}, {name}: at least 3 times llama-server",
              f"{ratio:.2f} ({rates['ours']} to {rates['theirs']} {unit})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--soak", type=int, default=0)
    parser.add_argument("--llama-server", metavar="URL")
    options = parser.parse_args()
    options.with_model, options.differ = ["--model", options.model] if options.model else [], 0
    with Server(options) as server:
        if options.llama_server:
            beside_llama_server(options, server)
        else:
            for name, least in LEAST.items():
                throughput(options, server, name, 64, 1, least)
            throughput(options, server, "batch_long", 4, 32, 0.94)
            fairness(options, server, one_client(options, server))
    if not options.llama_server:
        overload(options)
        starts(options)
        idle(options)
        if options.soak:
            soak(options)
    check(options.differ == 0, "no vector differs from the same text's others", options.differ)
    sys.exit(f"{len(failed)} failed" if failed else None)


if __name__ == "__main__":
    main()
