#!/usr/bin/env python3
"""Embeds the texts of a Redis stream: entries with a field `text` become vectors in a hash, by the entry's id.

    queue_worker.py --redis redis://127.0.0.1:6379 --server http://127.0.0.1:8080 --stream texts --vectors vectors

A vector is little-endian float32. Entries are acknowledged together with their vectors, so that a worker that dies in
between leaves them to another one: every text is embedded at least once, and twice with the same result. Any number of
workers may read the same stream; one for each server is enough, since a server waits for nobody while it has work.

Needs the package `redis`.
"""
import argparse
import base64
import json
import os
import socket
import time
import urllib.error
import urllib.request

import redis

GROUP = "embedders"


def embed(server, key, texts):
    """The vectors of texts, as bytes. Waits while the server is busy or away; what it refuses for good is an error, but
    what is too large for it is sent in halves."""
    body = json.dumps({"input": texts, "encoding_format": "base64"}).encode()
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    while True:
        request = urllib.request.Request(f"{server}/v1/embeddings", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=330) as answer:
                return [base64.b64decode(item["embedding"]) for item in json.load(answer)["data"]]
        except urllib.error.HTTPError as error:
            if error.code == 413 and len(texts) > 1:
                half = len(texts) // 2
                return embed(server, key, texts[:half]) + embed(server, key, texts[half:])
            if error.code not in (429, 503):
                raise SystemExit(f"the server refuses the texts: {error.code} {error.read().decode()}")
            time.sleep(float(error.headers.get("Retry-After", 1)))
        except OSError:
            time.sleep(1)


def entries(client, args, name):
    """The next entries: those that a dead worker has left, else new ones."""
    # From Redis 7 on the answer has a third part. Before, deleted entries are in the second one, without their ids.
    _, left, *_ = client.xautoclaim(args.stream, GROUP, name, min_idle_time=args.claim_ms, count=args.batch)
    left = [entry for entry in left if entry[0] is not None]
    if left:
        return left
    new = client.xreadgroup(GROUP, name, {args.stream: ">"}, count=args.batch, block=args.block_ms)
    return new[0][1] if new else []


def work(args):
    client = redis.Redis.from_url(args.redis)
    try:
        client.xgroup_create(args.stream, GROUP, id="0", mkstream=True)
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise
    name = f"{socket.gethostname()}-{os.getpid()}"
    while True:
        batch = entries(client, args, name)
        # Entries that were deleted meanwhile, or have no text, are only acknowledged.
        texts = {id: fields[b"text"].decode() for id, fields in batch if fields and b"text" in fields}
        vectors = embed(args.server, os.environ.get("MONOMORPH_API_KEY"), list(texts.values())) if texts else []
        if batch:
            with client.pipeline(transaction=True) as together:
                if texts:
                    together.hset(args.vectors, mapping=dict(zip(texts, vectors)))
                together.xack(args.stream, GROUP, *(id for id, _ in batch))
                together.execute()
        elif args.once:
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redis", default="redis://127.0.0.1:6379")
    parser.add_argument("--server", default="http://127.0.0.1:8080")
    parser.add_argument("--stream", default="texts")
    parser.add_argument("--vectors", default="vectors")
    parser.add_argument("--batch", type=int, default=256, help="texts of a request")
    parser.add_argument("--claim-ms", type=int, default=60_000, help="entries are a dead worker's after so long")
    parser.add_argument("--block-ms", type=int, default=1000, help="wait so long for new entries")
    parser.add_argument("--once", action="store_true", help="end when there is nothing to do")
    work(parser.parse_args())


if __name__ == "__main__":
    main()
