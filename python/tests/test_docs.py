"""The examples in the documents run, with this model in place of theirs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = [
    (document, example)
    for document in ["README.md", "python/README.md"]
    for example in re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    if "import Model" in example
]


@pytest.mark.parametrize("document, example", EXAMPLES, ids=lambda value: value[:20].split()[0])
def test_examples_run(document, example, package, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(re.sub(r"monomorph_embeddinggemma\w+", package.__name__, example), {})
    assert capsys.readouterr().out


def test_both_documents_have_one():
    assert {document for document, _ in EXAMPLES} == {"README.md", "python/README.md"}
