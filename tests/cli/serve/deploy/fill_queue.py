"""Fills a Redis stream, kills two workers in the middle, and looks whether the third one completes it.

    fill_queue.py WORKER.py REDIS SERVER
"""

import base64
import json
import subprocess
import sys
import time
import urllib.request

import redis

worker, address, server = sys.argv[1:]
TEXTS = [f"text number {i}, " + "word " * (i % 20) for i in range(600)]
client = redis.Redis.from_url(address)
ids = [client.xadd("texts", {"text": text}) for text in TEXTS]
client.xadd("texts", {"other": "not a text"})
command = [sys.executable, worker, "--redis", address, "--server", server, "--batch", "16", "--claim-ms", "500"]
done = []
for _ in range(2):
    before = client.hlen("vectors")
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 30
    while client.hlen("vectors") < before + 48:
        assert time.monotonic() < deadline and process.poll() is None, "the worker does nothing"
    process.kill()
    process.wait()
    done.append(client.hlen("vectors"))
# What the dead ones had taken is theirs for half a second.
deadline = time.monotonic() + 60
while client.xpending("texts", "embedders")["pending"] or client.hlen("vectors") < len(TEXTS):
    subprocess.run([*command, "--once"], check=True, timeout=60)
    assert time.monotonic() < deadline, "texts are left"
for id, text in zip(ids, TEXTS):
    body = json.dumps({"input": text, "encoding_format": "base64"}).encode()
    (item,) = json.load(urllib.request.urlopen(f"{server}/v1/embeddings", body))["data"]
    assert client.hget("vectors", id) == base64.b64decode(item["embedding"]), "other bits"
assert client.hlen("vectors") == len(TEXTS)
metrics = urllib.request.urlopen(f"{server}/metrics").read().decode()
assert 'route="/v1/embeddings",status="413"' in metrics, "no batch was too large"
print(f"workers were killed after {done[0]} and {done[1]} texts; all {len(TEXTS)} have their vectors")
