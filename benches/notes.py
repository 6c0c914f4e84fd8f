#!/usr/bin/env python3
"""2,000 Markdown notes, made up here, to a Parquet file that `search` reads: time, answers, and a SIGKILL.

    MODEL_GGUF=model.gguf cargo build --release
    benches/notes.py target/release/monomorph [--prompts] [--notes 2000]

Each check that fails ends the script. `--prompts` is for models that have them.
"""
import argparse
import json
import random
import subprocess
import tempfile
from pathlib import Path

SYLLABLES = "Alder Birk Corv Dun Elm Fen Gar Hazel Iver Jor Kel Lind Mor Nor Oak Pend Quill Rav Sel Thorn".split()
ENDS = "ford wick stead mouth ham bury dale haven by ton".split()
KINDS = "North South East West Upper Lower Great Little Old New".split()
RIVERS = "Asker Brine Calder Deva Esk Frome Gade Hull Irwell Kennet".split()
CROPS = "barley,hops,flax,rye,oats,apples,plums,sugar beet,saffron,lavender".split(",")
CRAFTS = "glass blowing,rope making,clock repair,boat building,weaving,bell founding,paper making,tanning".split(",")
EVENTS = "a flood,a great fire,a landslide,a long drought,a hard winter,an earthquake".split(",")
PEOPLE = "Ada Ashby,Bert Brook,Clara Cole,Dora Dent,Emil Eyre,Frida Flint,Gustav Grove,Hilda Hart".split(",")
# What every note says too.
OTHER = """The parish records were moved twice and some pages are missing.
Visitors mostly come by bus, since the railway closed.
The council meets on the first Tuesday of the month.
Most houses are built from local stone with slate roofs.
There is a small library next to the post office.
The school teaches about ninety children.
In autumn the fog stays in the valley until noon.
An old footpath leads over the hill to the next village.
The market hall was restored with money from a lottery.
Several families have lived here for centuries.""".splitlines()


def note(chance, title):
    """A note, and a question for each of its headings."""
    other = lambda n: " ".join(chance.sample(OTHER, n))
    mayor, event, crop, craft = (chance.choice(some) for some in (PEOPLE, EVENTS, CROPS, CRAFTS))
    text = f"""---
tags: [town]
---
# {title}

{title} is a town of {chance.randint(300, 9000)} people. {other(3)}

## Geography

The town lies on the river {chance.choice(RIVERS)}, which {chance.randint(2, 9)} bridges cross. {other(4)}

{other(3)}

## Economy

Farmers around the town mostly grow {crop}. {other(3)}

The town is known for its workshops for {craft}. {other(3)}

- market day: {chance.choice(["Monday", "Wednesday", "Friday"])}
- {other(1)}

## History

In {chance.randint(1500, 1950)} {event} destroyed a large part of {title}. {other(4)}

### Mayors

{mayor} was the longest-serving mayor of {title}. {other(2)}
"""
    return text, [
        (f"Which river flows through {title}?", "Geography"),
        (f"What do farmers grow around {title}?", "Economy"),
        (f"Which disaster destroyed {title}?", "History"),
        (f"Who was the longest-serving mayor of {title}?", "Mayors"),
        (f"Which craft is {title} known for?", "Economy"),
    ]


def write_notes(folder, count):
    """Writes the notes; gives ten questions, each with the note and the heading that answer it."""
    chance, asked = random.Random(17), []
    titles = [f"{a}{b} {kind}" for kind in KINDS for a in SYLLABLES for b in ENDS][:count]
    chosen = chance.sample(titles, 10)
    for title in titles:
        text, questions = note(chance, title)
        path = folder / title.split()[1].lower() / f"{title.lower().replace(' ', '-')}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if title in chosen:
            asked.append((*questions[chosen.index(title) % len(questions)], str(path)))
    (folder / ".gitignore").write_text("drafts/\n")
    (folder / "drafts").mkdir()
    (folder / "drafts" / "secret.md").write_text("# Secret\nDo not read.\n")
    return asked


def batch(options, notes, output, *more):
    prompt = ["--prompt", "document"] if options.prompts else []
    chunks = ["--chunk", "128", "--overlap", "16", "--progress", "json"]
    return subprocess.Popen([options.binary, "batch", "--input", notes, "--output", output, *chunks, *prompt, *more],
                            stderr=subprocess.PIPE, text=True)


def last(run):
    """What a run that succeeds says last about its progress."""
    said = run.stderr.read().splitlines()
    assert run.wait() == 0, said
    return json.loads(said[-1])


def search(options, query, output, top):
    answer = subprocess.run([options.binary, "search", query, "--in", output, "--top", str(top), "--json"],
                            capture_output=True, text=True, check=True).stdout
    return json.loads(answer)["results"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--prompts", action="store_true")
    parser.add_argument("--notes", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        notes, output, killed = (Path(folder) / name for name in ("notes", "notes.parquet", "killed.parquet"))
        asked = write_notes(notes, options.notes)

        run = batch(options, notes, output)
        whole = last(run)
        print(f"{options.notes} notes: {whole}", flush=True)

        right = 0
        for question, heading, path in asked:
            first = search(options, question, output, 1)[0]
            is_right = first["id"] == path and first["heading"].endswith(heading)
            right += is_right
            print(f"{'right' if is_right else 'WRONG'}: {question} {first['id']}, {first['heading']}", flush=True)
        assert right >= 9, f"{right} of {len(asked)}"

        run = batch(options, notes, killed)
        done = 0
        for line in run.stderr:
            done = json.loads(line)["texts"]
            if done >= whole["texts"] / 3:
                break
        assert done < whole["texts"], "it ended before it was killed"
        run.kill()
        run.wait()
        run = batch(options, notes, killed, "--resume")
        rest = last(run)
        same = all(search(options, question, killed, 50) == search(options, question, output, 50) for question, *_ in asked)
        print(f"killed after {done} texts, resumed: {rest}; the same 50 answers to each question: {same}")
        assert same
        assert rest["texts"] < whole["texts"], "it began again"


if __name__ == "__main__":
    main()
