"""Distils: the student's vectors follow the original's, with its weights rounded as the file will hold them.

    train.py WORK --steps N [--rate R]

Goes on from WORK/student.npz, which is written every five minutes and at the end. The rate is constant but for a
warm-up and a linear fall to nothing over the last quarter of the N steps; N may be changed until that begins.
"""
import argparse
import json
import random
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from model import encode, keep_compiled, load, pad, rounded, save, wordpiece

parser = argparse.ArgumentParser()
parser.add_argument("work", type=Path)
parser.add_argument("--steps", type=int, required=True)
parser.add_argument("--rate", type=float, default=4e-5)
args = parser.parse_args()

# Texts are padded to one of these lengths; longer ones are left out.
LENGTHS = (16, 24, 32, 48, 80, 128)
TOKENS_A_BATCH = 1152
WARM_UP = 60
# Most rows of the token table are in few batches, so they move faster.
RATE_OF_TOKENS = 2.5
# Texts that are not trained on, of at most this many tokens.
HELD, HELD_LENGTH = 256, 32

keep_compiled(args.work)
student = args.work / "student.npz"
params, vocab, step, m, v = load(student)
params = {k: jnp.asarray(x) for k, x in params.items()}
m, v = ({k: jnp.asarray(x.get(k, jnp.zeros_like(p))) for k, p in params.items()} for x in (m, v))
goals = np.load(args.work / "original.npy", mmap_mode="r")
texts = [json.loads(line)["text"] for _, line in zip(range(len(goals)), open(args.work / "taught.jsonl"))]
tokens = [encoding.ids for encoding in wordpiece(vocab).encode_batch(texts)]
held = [i for i, t in enumerate(tokens) if len(t) <= HELD_LENGTH][-HELD:]
trained = sorted(set(range(len(tokens))) - set(held))


def loss(p, ids, mask, goal):
    """How far the vectors are from the original's, and their products with each other from the original's."""
    z = encode(p, ids, mask, rounded)
    near = ((z - goal) ** 2).sum(-1).mean()
    pairs = ((z @ z.T - goal @ goal.T) ** 2).mean()
    return near + 4 * pairs, near


@jax.jit
def update(p, m, v, step, rate, ids, mask, goal):
    """A step of Adam, with the gradient's length limited to 1."""
    (_, near), g = jax.value_and_grad(loss, has_aux=True)(p, ids, mask, goal)
    length = jnp.sqrt(sum((x * x).sum() for x in g.values()))
    g = jax.tree.map(lambda x: x * jnp.minimum(1, 1 / length), g)
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    c, d = 1 - 0.9 ** step, 1 - 0.999 ** step
    rates = {name: rate * (RATE_OF_TOKENS if name == "emb" else 1) for name in p}
    change = lambda rate, m, v: rate * (m / c) / (jnp.sqrt(v / d) + 1e-8)
    return {name: p[name] - change(rates[name], m[name], v[name]) for name in p}, m, v, near


@jax.jit
def held_cosine(p, ids, mask, goal):
    return (encode(p, ids, mask, rounded) * goal).sum(-1).mean()


def batches(epoch):
    """All batches of one pass over the texts, in an order that depends on nothing but the number of the pass."""
    rng = random.Random(epoch)
    plan, shorter = [], 0
    for length in LENGTHS:
        have = [i for i in trained if shorter < len(tokens[i]) <= length]
        rng.shuffle(have)
        size, shorter = TOKENS_A_BATCH // length, length
        plan += [(length, size, have[i:i + size]) for i in range(0, len(have) - size + 1, size)]
    rng.shuffle(plan)
    return plan


plan = batches(0)
if step >= len(plan):
    plan = batches(step // len(plan))
held_batch = (*pad(tokens, held, HELD_LENGTH, HELD), goals[held].astype(np.float32))
print(f"step {step}, cosine of held-out texts {held_cosine(params, *held_batch):.4f}", flush=True)
far, seen, begun, saved = 0.0, 0, time.time(), time.time()
while step < args.steps:
    length, size, chosen = plan[step % len(plan)]
    rate = args.rate * min(1, (step + 1) / WARM_UP, (args.steps - step) / (args.steps / 4))
    goal = goals[chosen].astype(np.float32)
    params, m, v, near = update(params, m, v, step + 1.0, rate, *pad(tokens, chosen, length, size), goal)
    far += float(near)
    seen += sum(len(tokens[i]) for i in chosen)
    step += 1
    if step % len(plan) == 0:
        plan = batches(step // len(plan))
    if step % 50 == 0:
        near, speed = held_cosine(params, *held_batch), seen / (time.time() - begun)
        print(f"step {step}, cosine {1 - far / 100:.4f}, of held-out texts {near:.4f}, {speed:.0f} tokens/s", flush=True)
        far = 0.0
    if step == args.steps or time.time() - saved > 300:
        save(student, params, vocab, step, m=m, v=v)
        saved = time.time()
print(f"{step} steps, {step / len(plan):.2f} passes over {len(texts)} texts")
