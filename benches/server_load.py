#!/usr/bin/env python3
"""Loads a server on OpenAI's route, and says how fast, how fair and how right its answers are.

    benches/server_load.py http://127.0.0.1:8080 TEXTS.jsonl [--clients 64] [--per-request 1] [--seconds 10]

Each client sends its next request when its last one is answered, and a refused one (429, 503) again after the time that
the refusal names. A text must get the same bits each time. `server_accept.py` makes the project's own figures with it.

One thread and sockets without an HTTP library: a request costs 0.1 to 0.3 ms of CPU here, most of it in the kernel,
which a server on the same two cores is then without. Bodies are made before the time begins, and vectors are compared
when it is over, or when they fill 64 MiB.
"""
import argparse
import heapq
import json
import random
import re
import selectors
import socket
import time
from urllib.parse import urlsplit

EMBEDDING = re.compile(rb'"embedding"\s*:\s*(?:"([^"]*)"|\[([^\]]*)\])')
TOKENS = re.compile(rb'"total_tokens"\s*:\s*(\d+)')
LONGEST_WAIT = 1.0  # seconds, before a refused request is sent again
MOST_UNREAD = 64 << 20  # bytes of answers


def read_texts(path):
    return [json.loads(line)["text"] for line in open(path, encoding="utf-8") if line.strip()]


def quantile(values, q):
    """In milliseconds, from seconds; none of no values."""
    return round(sorted(values)[min(len(values) - 1, int(q * len(values)))] * 1e3, 3) if values else None


class Group:
    """Clients that send requests of one kind: what they send, and what came of it."""

    def __init__(self, texts, per_request, clients=1, leaving=0):
        """Of so many requests, one is left before its answer: the client closes its connection."""
        self.texts, self.per_request, self.clients, self.leaving = texts, per_request, clients, leaving
        self.next_text = self.sent = 0
        self.seen, self.made = {}, {}
        self.reset()

    def reset(self):
        self.latencies, self.refusals, self.timeouts, self.statuses = [], [], [], {}
        self.unread, self.unread_bytes = [], 0
        self.tokens = self.checked = self.differ = self.left = 0

    def prepare(self, url):
        """Makes all requests that there can be."""
        while self.next_text not in self.made:
            self.made[self.next_text] = self.make(url)
            self.next_text = (self.next_text + self.per_request) % len(self.texts)

    def request(self):
        """The next request, and the places of its texts."""
        made = self.made[self.next_text]
        self.next_text = (self.next_text + self.per_request) % len(self.texts)
        self.sent += 1
        return made

    def make(self, url):
        places = [(self.next_text + i) % len(self.texts) for i in range(self.per_request)]
        texts = [self.texts[i] for i in places]
        body = {"input": texts if len(texts) > 1 else texts[0], "model": "any", "encoding_format": "base64"}
        body = json.dumps(body).encode()
        head = f"POST {url.path.rstrip('/')}/v1/embeddings HTTP/1.1\r\nHost: {url.netloc}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body, places

    def answered(self, status, body, places, seconds):
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status != 200:
            (self.timeouts if status == 504 else self.refusals).append(seconds)
            return
        self.latencies.append(seconds)
        self.unread.append((body, places))
        self.unread_bytes += len(body)
        if self.unread_bytes > MOST_UNREAD:
            self.read()

    def read(self):
        """Compares the vectors of answers with those that the same texts had before."""
        for body, places in self.unread:
            self.tokens += int(TOKENS.search(body)[1])
            found = [a or b for a, b in EMBEDDING.findall(body)]
            self.differ += abs(len(found) - len(places))
            for place, vector in zip(places, found):
                self.checked += 1
                self.differ += self.seen.setdefault(place, vector) != vector
        self.unread, self.unread_bytes = [], 0

    def report(self, seconds):
        self.read()
        return {
            "requests": len(self.latencies), "statuses": self.statuses, "left": self.left,
            "requests_per_s": round(len(self.latencies) / seconds, 1), "tokens_per_s": round(self.tokens / seconds, 1),
            "ms": {f"p{q}": quantile(self.latencies, q / 100) for q in (50, 95, 99)},
            "refusal_ms": {f"p{q}": quantile(self.refusals, q / 100) for q in (50, 95, 99)},
            "timeouts_s": [round(seconds, 1) for seconds in self.timeouts],
            "vectors_compared": self.checked, "vectors_differ": self.differ,
        }


class Client:
    """One connection, one request at a time."""

    def __init__(self, loop, group):
        self.loop, self.group, self.socket, self.busy = loop, group, None, False

    def start(self, again=None):
        if self.socket is None:
            self.socket = socket.create_connection((self.loop.url.hostname, self.loop.url.port or 80), timeout=10)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.setblocking(False)
            self.loop.selector.register(self.socket, selectors.EVENT_READ, self)
        self.whole, self.places = again or self.group.request()
        self.unsent, self.inbox, self.head = memoryview(self.whole), bytearray(), None
        self.busy, self.begun = True, time.perf_counter()
        self.write()
        if self.group.leaving and self.group.sent % self.group.leaving == 0:
            self.loop.at(0.01 * (self.group.sent % 7), self.leave, self.begun)

    def leave(self, begun):
        if self.busy and self.begun == begun:
            self.group.left += 1
            self.close()
            self.loop.at(0, self.start)

    def close(self):
        self.loop.selector.unregister(self.socket)
        self.socket.close()
        self.socket, self.busy = None, False

    def write(self):
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent):]
        except BlockingIOError:
            pass
        except ConnectionError:
            self.unsent = b""  # what was answered, if anything, is read
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.unsent else 0)
        self.loop.selector.modify(self.socket, events, self)

    def read(self):
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            if self.busy:
                self.group.statuses["closed"] = self.group.statuses.get("closed", 0) + 1
                self.loop.at(0.05, self.start)
            self.close()
            return
        self.inbox += data
        if self.head is None:
            if b"\r\n\r\n" not in self.inbox:
                return
            head, _, self.inbox = self.inbox.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            self.status = int(first.split()[1])
            self.head = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if len(self.inbox) < int(self.head["content-length"]):
            return
        self.busy = False
        self.group.answered(self.status, self.inbox, self.places, time.perf_counter() - self.begun)
        if self.head.get("connection", "").lower() == "close":
            self.close()
        if self.status in (429, 503):
            seconds = min(float(self.head.get("retry-after-ms", 100)) / 1e3, LONGEST_WAIT)
            # As OpenAI's client does it, lest all come again at once.
            seconds *= 1 - 0.25 * random.random()
            self.loop.at(seconds, self.start, (self.whole, self.places))
        else:
            self.loop.at(0, self.start)


class Loop:
    """All clients, on one thread."""

    def __init__(self, url):
        self.url, self.selector = urlsplit(url), selectors.DefaultSelector()

    def at(self, seconds, call, *arguments):
        """Calls after so many seconds, unless the time is over."""
        if not self.over:
            self.serial += 1
            heapq.heappush(self.later, (time.perf_counter() + seconds, self.serial, call, arguments))

    def run(self, groups, seconds, tick=None, drain=120):
        """Reports what was answered within the time, group by group. Calls `tick` once a second.

        What is under way then may take `drain` seconds more; connections are closed after that.
        """
        self.over, self.later, self.serial = False, [], 0
        for group in groups:
            group.reset()
            group.prepare(self.url)
        clients = [Client(self, group) for group in groups for _ in range(group.clients)]
        for client in clients:
            self.at(0, client.start)
        begun = last = time.perf_counter()
        while (now := time.perf_counter()) < begun + seconds:
            if tick and now >= last + 1:
                last = now
                tick(now - begun)
            while self.later and self.later[0][0] <= now:
                _, _, call, arguments = heapq.heappop(self.later)
                call(*arguments)
            until = min(begun + seconds, now + 0.2, *(when for when, *_ in self.later[:1]))
            self.serve(max(0.0, until - time.perf_counter()))
        reports = [group.report(now - begun) for group in groups]
        self.over, end = True, time.perf_counter() + drain
        while any(client.busy for client in clients) and time.perf_counter() < end:
            self.serve(0.2)
        for client in clients:
            if client.socket:
                client.close()
        return reports

    def serve(self, seconds):
        for key, events in self.selector.select(seconds):
            client = key.data
            if events & selectors.EVENT_WRITE and client.socket:
                client.write()
            if events & selectors.EVENT_READ and client.socket:
                client.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("texts")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--per-request", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    group = Group(read_texts(options.texts), options.per_request, options.clients)
    print(json.dumps(Loop(options.url).run([group], options.seconds)[0]))


if __name__ == "__main__":
    main()
