"""The examples in the documents run, with this model in place of theirs; those of engines in tests/engines."""

import pytest
from support import ENGINES, ROOT, examples, run_example

FOUND = [(document, *found) for document in ["README.md", "python/README.md"] for found in examples(document)]
EXAMPLES = [(document, example) for document, example, engine in FOUND if engine is None]


@pytest.mark.parametrize("document, example", EXAMPLES, ids=lambda value: value[:20].split()[0])
def test_examples_run(document, example, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    run_example(example)
    assert capsys.readouterr().out


def test_both_documents_have_one():
    assert {document for document, _ in EXAMPLES} == {"README.md", "python/README.md"}


def test_each_engine_has_one():
    assert sorted(engine for _, _, engine in FOUND if engine) == sorted(ENGINES)
