"""Texts to distil on, and others to measure on, from Debian packages: corpus.py WORK

Needs Debian 12 and its lists of packages (`apt-get update`). Makes, in WORK,

    corpus.jsonl      texts to distil on: WordNet's definitions and examples, questions that templates make of its
                      words, the manuals of Python and PostgreSQL, and Jane Austen's novels
    held.jsonl        2,500 texts of these sources and 2,000 one-line descriptions of packages, to measure on
    packages.jsonl    4,000 packages with their descriptions, to search

The same versions of the packages give the same files. No text goes into the model.
"""
import html
import json
import lzma
import random
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

WORK = Path(sys.argv[1])
DEB = WORK / "deb"
PACKAGES = ["wordnet-base", "r-cran-janeaustenr", "python3.11-doc", "postgresql-doc-15"]
MANUALS = ["python3.11-doc", "postgresql-doc-15"]
HELD_OF_A_SOURCE = 500
HELD_PACKAGES = 4000


def fetch():
    for name in PACKAGES:
        if (DEB / name).exists():
            continue
        DEB.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", name], cwd=DEB, check=True, stderr=subprocess.DEVNULL)
        (file,) = DEB.glob(f"{name}_*.deb")
        subprocess.run(["dpkg-deb", "-x", file, DEB / name], check=True)


def is_english(text):
    letters = sum(c.isalpha() or c == " " for c in text)
    return len(text.split()) >= 3 and text.isascii() and letters >= 0.8 * len(text)


# Questions about a word of each kind, and the share of words that get one.
QUESTIONS = {
    "noun": (0.35, [
        "What is {}?", "what is the meaning of {}", "Tell me about {}.", "How does {} work?", "where can I find {}",
        "Who invented {}?", "Is {} dangerous?", "{}", "the history of {}", "What are the effects of {}?",
        "best books about {}", "Why do people need {}?", "difference between {} and {other}",
    ]),
    "verb": (0.6, [
        "How do I {}?", "how to {} something", "When should you {}?", "Can I {} it without help?",
        "a tool to {} files", "Why do people {}?", "Is it legal to {}?", "they wanted to {}",
    ]),
    "adj": (0.2, ["something {}", "What does {} mean?", "a very {} thing", "it was {}"]),
    "adv": (0.2, ["something {}", "What does {} mean?", "a very {} thing", "it was {}"]),
}


def wordnet(rng):
    """Definitions, examples and questions (the licence of WordNet 3.0 allows any use)."""
    for part, (share, templates) in QUESTIONS.items():
        for line in open(DEB / f"wordnet-base/usr/share/wordnet/data.{part}"):
            if line.startswith("  "):
                continue
            head, _, gloss = line.partition(" | ")
            fields = head.split()
            words = [fields[4 + 2 * i].split("(")[0].replace("_", " ") for i in range(int(fields[3], 16))]
            definition = re.sub(r';?\s*"[^"]*"', "", gloss).strip().rstrip(";")
            word = rng.choice(words)
            yield "wordnet", definition
            yield "wordnet", f"{word}: {definition}"
            for example in re.findall(r'"([^"]+)"', gloss):
                yield "example", example
            if rng.random() < share:
                yield "question", rng.choice(templates).format(word, other=rng.choice(words))


def austen():
    """Jane Austen's novels (public domain), in sentences: the strings of an R package's data."""
    file = DEB / "r-cran-janeaustenr/usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"
    data, at = file.read_bytes(), 0
    # Each value has its length, a letter for its compression where that is not zlib's, and a compressed stream.
    while at < len(data):
        for skipped, decompressor in (
            (4, zlib.decompressobj()),
            (5, lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2}])),
        ):
            try:
                out = decompressor.decompress(data[at + skipped:])
                break
            except (zlib.error, lzma.LZMAError):
                out = None
        if out is None:
            return
        at = len(data) - len(decompressor.unused_data)
        text = " ".join(string or "\n" for string in r_strings(out))
        for paragraph in text.split("\n"):
            yield from re.split(r"(?<=[.!?;])\"?\s+", paragraph.replace("_", "").strip())


def r_strings(data):
    """The ASCII strings of an R serialisation: flags, length, bytes."""
    end = 0
    for found in re.finditer(rb"\x00[\x00-\x04][\x00-\xff]\x09\x00\x00([\x00-\xff]{2})", data):
        (n,) = struct.unpack(">H", found[1])
        text = data[found.end():found.end() + n]
        if n and len(text) == n and found.start() >= end and all(31 < byte < 127 for byte in text):
            end = found.end()
            yield text.decode()
        elif n == 0:
            yield ""


def manual(folder):
    """Paragraphs and headings of a manual in HTML (the PSF's licence, PostgreSQL's licence)."""
    left_out = r"genindex|whatsnew|changelog|release-|py-modindex|search|features-sql"
    for file in sorted((DEB / folder).rglob("*.html")):
        if re.search(left_out, file.parent.name + file.name):
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        for paragraph, heading in re.findall(r"<p[^>]*>(.*?)</p>|<h[1-4][^>]*>(.*?)</h[1-4]>", text, re.S):
            plain = html.unescape(re.sub(r"<[^>]+>", "", paragraph or heading))
            yield plain.replace("\u00b6", "")


def packages():
    """Debian's packages and their descriptions, each under its package's own licence: to measure on, not to learn."""
    available = subprocess.run(["apt-cache", "dumpavail"], check=True, capture_output=True).stdout
    seen = set()
    for stanza in available.decode(errors="replace").split("\n\n"):
        name = re.search(r"^Package: (\S+)", stanza, re.M)
        text = re.search(r"^Description(?:-en)?: (.+)", stanza, re.M)
        if not name or not text or text[1] in seen or re.search(r"(-dbg|-dbgsym|-dev)$", name[1]):
            continue
        seen.add(text[1])
        yield name[1], text[1]


def write(name, rows):
    with open(WORK / name, "w") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


def main():
    fetch()
    rng = random.Random(1)
    found = {}

    def add(source, text):
        text = re.sub(r"\s+", " ", text).strip()[:700]
        if is_english(text):
            found.setdefault(text, source)

    for source, text in wordnet(rng):
        add(source, text)
    for text in austen():
        add("austen", text)
    for folder in MANUALS:
        for text in manual(folder):
            add("manual", text)

    items = sorted(found.items())
    rng.shuffle(items)
    by_source = {}
    for text, source in items:
        by_source.setdefault(source, []).append(text)
    held, corpus = [], []
    for source, texts in sorted(by_source.items()):
        held += texts[:HELD_OF_A_SOURCE]
        corpus += [(source, text) for text in texts[HELD_OF_A_SOURCE:]]
        print(f"{source}: {len(texts)} texts, {sum(len(text.split()) for text in texts)} words")
    rng.shuffle(corpus)

    # Those that the queries ask for come first.
    asked = json.loads((Path(__file__).parent / "queries.json").read_text())["debian"]
    asked = {name for _, right in asked for name in right}
    debian = list(packages())
    rng.shuffle(debian)
    debian.sort(key=lambda package: package[0] not in asked)
    debian = debian[:HELD_PACKAGES]
    held += [text for _, text in debian if is_english(text)][:2000]

    write("corpus.jsonl", ({"source": source, "text": text} for source, text in corpus))
    write("held.jsonl", ({"text": text} for text in held))
    write("packages.jsonl", ({"id": name, "text": text} for name, text in debian))
    print(f"corpus: {len(corpus)} texts; held: {len(held)}; packages: {len(debian)}")


main()
