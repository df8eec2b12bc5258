"""The command push, and the model card that it writes."""

from __future__ import annotations

import io
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import Word2Vec, WordVectors
from fastw2v.formats import VectorRecord
from fastw2v.hub import model_card
from fastw2v.hub.card import LICENSES, score_section
from tests.cli.helpers import Run, failed
from tests.hub.hub_server import Hub

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

NAME = "user/cats"
SENTENCES = [["the", "cat", "sat"], ["the", "dog", "ran"]] * 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    vectors = Word2Vec(vector_size=4, negative=2, epochs=3, window=2, engine="layers", min_count=1).fit(SENTENCES).wv
    vectors.save(tmp_path / "v.safetensors")
    return tmp_path / "v.safetensors"


def test_the_command_pushes(run: Any, hub: Hub, file: Path):
    result: Run = run("push", NAME, file, "--license", "mit", "--message", "My vectors", "--private")
    assert (result.status, result.err) == (0, "")
    repository = hub.repositories[NAME]
    assert result.out == (f"{NAME}: 5 words, 4 dimensions\n{hub.address}/{NAME}/commit/{repository.commits[-1].sha}\n")
    assert repository.private
    assert repository.commits[-1].message == "My vectors"
    assert WordVectors.from_pretrained(NAME).settings["window"] == 2


def test_the_folder_is_written_without_the_hub(run: Any, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # the package is not needed
    result: Run = run("push", NAME, file, "--license", "mit", "--output", tmp_path / "folder")
    assert (result.status, result.out, result.err) == (0, f"{tmp_path / 'folder'}: 5 words, 4 dimensions\n", "")
    assert (tmp_path / "folder" / "README.md").read_text(encoding="utf-8").startswith("---\nlicense: mit\n")
    failed(run("push", NAME, file, "--license", "mit", "--output", tmp_path / "folder"), "folder already exists")
    failed(run("push", NAME, file, "--license", "mit"), "pip install 'fastw2v[hub]'")


def test_what_cannot_be_stored_is_said(run: Any, hub: Hub, tmp_path: Path):
    WordVectors([7, 42], np.eye(2)).save(tmp_path / "v.safetensors")
    result: Run = run("push", NAME, tmp_path / "v.safetensors", "--license", "mit")
    assert result.status == 0
    assert result.err == (
        f"warning: {NAME}: the files for sentence-transformers were left out, because the words are integers\n"
    )


def test_the_licence_is_asked_for(run: Any, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    failed(run("push", NAME, file, "-o", tmp_path / "x"), "a repository needs a licence; add --license ID")
    monkeypatch.setattr("sys.stdin", Terminal("cc-by-sa-4.0\n"))
    result: Run = run("push", NAME, file, "-o", tmp_path / "folder")
    assert result.status == 0
    assert "Licence of the vectors" in result.err
    assert "license: cc-by-sa-4.0\n" in (tmp_path / "folder" / "README.md").read_text(encoding="utf-8")
    monkeypatch.setattr("sys.stdin", Terminal("my own\n"))
    result = run("push", NAME, file, "-o", tmp_path / "x")
    assert result.status == 2
    assert "error: --license is 'my own'; it must be an identifier of the Hub" in result.err


def test_errors_are_one_line(run: Any, hub: Hub, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "text.bin").write_text("the cat sat on the mat, and the dog ran away\n" * 9)
    arguments = ("--license", "mit")
    failed(run("push", "cats", file, *arguments), "'cats' is not the name of a repository")
    failed(run("push", NAME, tmp_path / "text.bin", *arguments), "text.bin: this is")
    failed(run("push", NAME, tmp_path / "nothing.bin", *arguments), "nothing.bin: No such file")
    failed(
        run("push", NAME, file, *arguments, "-o", tmp_path / "x", "--private"), "--private has no effect with --output"
    )
    assert not hub.requests
    hub.failures["/commit/main"] = None
    failed(run("push", NAME, file, *arguments), f"error: {NAME}: ")
    monkeypatch.delenv("HF_TOKEN")
    failed(run("push", NAME, file, *arguments), "log in with `hf auth login`", "HF_TOKEN")


def test_the_scores_are_those_of_evaluate(run: Any, file: Path, tmp_path: Path):
    (tmp_path / "questions.txt").write_text(": all\nthe cat the dog\nthe cat the unheard-of\n")
    (tmp_path / "pairs.csv").write_text("the,cat,1\nthe,dog,2\ncat,dog,3\ncat,sat,4\ncat,unheard-of,5\n")
    files = ("--analogies", tmp_path / "questions.txt", "--pairs", tmp_path / "pairs.csv")
    scores = tmp_path / "scores.json"
    scores.write_text(run("evaluate", file, *files, "--json").out)
    result: Run = run("push", NAME, file, "--license", "mit", "--scores", scores, "-o", tmp_path / "folder")
    assert result.status == 0, result.err
    card = (tmp_path / "folder" / "README.md").read_text(encoding="utf-8")
    measured = json.loads(scores.read_text())
    spearman, accuracy = measured["pairs"][0]["spearman"], measured["analogies"][-1]["accuracy"]
    assert f"| analogies, % correct | {100 * accuracy:.1f} | 1 of 2 |" in card
    assert f"| pairs.csv, Spearman's correlation | {spearman:.3f} | 4 of 5 |" in card
    assert str(tmp_path) not in card


def test_the_card_describes_the_vectors(file: Path):
    record = WordVectors.load(file)._record()
    card = model_card(record, NAME, license="mit", language=["en", "ko"], corpus="Text of [mine](https://example.org).")
    header, text = re.fullmatch(r"---\n(.*?)\n---\n(.*)", card, re.DOTALL).groups()
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(header) == {
        "license": "mit",
        "language": ["en", "ko"],
        "library_name": "fastw2v",
        "pipeline_tag": "feature-extraction",
        "tags": ["word2vec", "word-embeddings", "sentence-transformers"],
    }
    for part in (
        "# cats\n",
        "5 words, 4 dimensions, float32.",
        f'WordVectors.from_pretrained("{NAME}")',
        'KeyedVectors.load_word2vec_format("vectors.bin", binary=True)',
        f'SentenceTransformer("{NAME}")',
        "Text of [mine](https://example.org).",
        "| words in the corpus | 120 |",
        "| epochs | 3 |",
        "| window | 2 |",
        "| model | cbow |",
        "No scores are given.",
        "## Intended use and limits",
        "Words outside the vocabulary have no vector.",
    ):
        assert part in text


def test_the_python_in_the_card_runs(hub: Hub, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("gensim")
    WordVectors.load(file).push_to_hub(NAME, license="mit")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    card = hub.repositories[NAME].files["README.md"].decode()
    blocks = re.findall("```python\n(.*?)```", card, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks[:2]:
        exec(block, names)
    np.testing.assert_array_equal(names["keyed_vectors"].vectors, names["vectors"].vectors)
    assert names["keyed_vectors"].index_to_key == names["vectors"].index_to_key


def test_the_card_shows_settings_as_text():
    hostile = "a|b <script>`*\n\n# heading [x](y)"
    record = VectorRecord(["do```g\n<b>", "cat"], np.eye(2), settings={"model": hostile, "loss": ["x"], "window": True})
    card = model_card(record, NAME, license="mit")
    (row,) = (line for line in card.splitlines() if line.startswith("| model |"))
    assert row == r"| model | a\|b \<script\>\`\* \# heading \[x\](y) |"
    assert r"vectors.most_similar('do```g\n\x3cb>')" in card.splitlines()
    assert "loss" not in card
    assert "| window |" not in card
    card = model_card(VectorRecord(["cat"], np.eye(1, 2), settings="text"), NAME, license="mit")
    assert "The file of the vectors contains no settings of their training." in card


def test_the_card_of_words_that_gensim_cannot_have():
    assert "gensim" not in model_card(VectorRecord(["new york"], np.eye(1, 2)), NAME, license="mit", without_static="x")


def test_scores_that_cannot_be_right(tmp_path: Path):
    path = tmp_path / "scores.json"

    def section(accuracy: object = 0.5, spearman: object = 0.5, covered: object = 3, total: object = 4) -> str:
        counts = {"covered": covered, "total": total}
        analogies, pairs = [{"accuracy": accuracy} | counts], [{"name": "x", "spearman": spearman} | counts]
        path.write_text(json.dumps({"suite": None, "analogies": analogies, "pairs": pairs}))
        return score_section(path)

    assert "| 50.0 | 3 of 4 |" in section()
    assert "| - | 3 of 4 |" in section(None, -1)
    for wrong in (
        *({"accuracy": value} for value in (7, -0.5, math.nan, math.inf, True, "0.5")),
        *({"spearman": value} for value in (1.5, -1.5, math.nan, True, [])),
        *({"covered": value} for value in (-1, 5, math.inf, 1.5, True, None)),
    ):
        with pytest.raises(ValueError, match=r"scores\.json does not contain scores; write it with fastw2v evaluate"):
            section(**wrong)
    path.write_text(json.dumps({"suite": None, "analogies": [], "pairs": []}))
    with pytest.raises(ValueError, match=r"scores\.json does not contain scores"):
        score_section(path)


def test_licences_are_sorted_and_distinct():
    assert list(LICENSES) == sorted(set(LICENSES))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("license", 7),
        ("license", ["mit"]),
        ("language", 7),
        ("corpus", 7),
        ("scores", 7),
        ("private", "no"),
        ("commit_message", 7),
        ("commit_message", " "),
    ],
)
def test_wrong_types(hub: Hub, file: Path, parameter: str, value: object):
    with pytest.raises((TypeError, ValueError), match=rf"\b{parameter} is "):
        WordVectors.load(file).push_to_hub(NAME, **{"license": "mit"} | {parameter: value})
    assert not hub.requests
