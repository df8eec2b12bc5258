"""Korean subwords on the command line."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.vectors import WordVectors
from tests.cli.helpers import failed

TOPICS = [["먹는다", "먹었다", "밥", "국수", "k팝"], ["가다", "갔다", "길", "café", "바다"]]
OPTIONS = ["--vector-size", 8, "--min-count", 1, "--workers", 1, "--epochs", 2]


@pytest.fixture
def texts(tmp_path: Path) -> dict[str, Path]:
    """A text in the Unicode forms NFC and NFD."""
    random = np.random.default_rng(0)
    text = "\n".join(" ".join(random.choice(TOPICS[i % 2], size=12)) for i in range(200))
    paths = {form: tmp_path / f"{form}.txt" for form in ("NFC", "NFD")}
    for form, path in paths.items():
        path.write_text(unicodedata.normalize(form, text), encoding="utf-8")  # type: ignore[arg-type]
    return paths


@pytest.mark.parametrize("units", ["syllables", "jamo"])
def test_both_forms_give_the_same_vectors(run: Any, texts: dict[str, Path], tmp_path: Path, units: str):
    found = {}
    for form, text in texts.items():
        output = tmp_path / f"{form}.safetensors"
        assert run("train", text, "-o", output, "--subwords", "3-6", "--units", units, *OPTIONS).status == 0
        found[form] = WordVectors.load(output)
        assert f"3 to 6 {units}, " in run("info", output).out
    a, b = found.values()
    assert b.index_to_key == [unicodedata.normalize("NFD", word) for word in a.index_to_key]
    assert a.index_to_key != b.index_to_key
    for name in ("vectors", "input_vectors", "context_vectors"):
        assert getattr(a, name).tobytes() == getattr(b, name).tobytes()
    for word in (*TOPICS[0], "먹는다고", "갔다고"):
        composed, decomposed = (unicodedata.normalize(form, word) for form in texts)
        shown = json.loads(run("most-similar", tmp_path / "NFC.safetensors", composed, "--json").out)
        result = run("most-similar", tmp_path / "NFC.safetensors", decomposed, "--json")
        assert json.loads(result.out) == {decomposed: shown[composed]}
        assert ("not in the vocabulary" in result.err) == (word in ("먹는다고", "갔다고"))
    (tmp_path / "pairs.tsv").write_text(unicodedata.normalize("NFD", "먹는다\t먹었다\t9\n밥\t길\t1\n국수\t바다\t2\n"))
    evaluated = [run("evaluate", tmp_path / f"{form}.safetensors", "--pairs", tmp_path / "pairs.tsv") for form in texts]
    assert evaluated[0].out.replace("NFC.", "NFD.") == evaluated[1].out
    assert "3" in evaluated[0].out


def test_align_finds_words_in_both_forms(run: Any, texts: dict[str, Path], tmp_path: Path):
    for form, text in texts.items():
        options = ["--subwords", "3-5", "--units", "jamo", *OPTIONS]
        assert run("train", text, "-o", tmp_path / f"{form}.safetensors", *options).status == 0
    files = [tmp_path / f"{form}.safetensors" for form in texts]
    result = run("align", *files, "-o", tmp_path / "x.safetensors", "--json")
    found = json.loads(result.out)
    assert found["common_words"] == sum(map(len, TOPICS))
    assert found["mean_cosine"] == pytest.approx(1, abs=1e-4)


def test_files_that_cannot_store_the_units(run: Any, texts: dict[str, Path], tmp_path: Path):
    """They are refused before the text is read."""
    for name, more in (("x.bin", ()), ("x.bin.gz", ()), ("x.floret", ("--hash-count", 2))):
        options = ["--subwords", "3-6", "--units", "jamo", *more, *OPTIONS]
        result = run("train", texts["NFC"], "-o", tmp_path / name, *options)
        failed(result, "cannot store n-grams of jamo; write .safetensors", "--to bin or --to txt")
        assert "training on" not in result.err
        assert not (tmp_path / name).exists()
    options = ["--subwords", "3-6", "--units", "jamo", "--hash-count", 2, "--bucket", 100, *OPTIONS]
    assert run("train", texts["NFC"], "-o", tmp_path / "x.bin", *options).status == 0  # a file of words alone


def test_units_need_ngrams(run: Any, texts: dict[str, Path], tmp_path: Path):
    for command in (("train", texts["NFC"], "-o", tmp_path / "x.npz"), ("plan", texts["NFC"])):
        failed(run(*command, "--units", "jamo"), "--units is 'jamo', but there are no n-grams; set --subwords as well")


def test_the_plan_counts_ngrams_of_units(run: Any, texts: dict[str, Path]):
    def rows(*units: str) -> str:
        out: str = run("plan", texts["NFC"], "--subwords", "3-6", "--min-count", 1, *units).out
        return next(line for line in out.splitlines() if "n-grams of the words" in line)

    assert rows("--units", "jamo") != rows() == rows("--units", "characters")


def test_an_interrupted_run_resumes(run: Any, texts: dict[str, Path], tmp_path: Path):
    options = ["--subwords", "3-6", "--units", "jamo", *OPTIONS]
    for name, more in (("a", ()), ("b", ("--checkpoint", tmp_path / "run"))):
        assert run("train", texts["NFC"], "-o", tmp_path / f"{name}.safetensors", *options, *more).status == 0
    assert run("resume", tmp_path / "run").status == 0
    a, b = (WordVectors.load(tmp_path / f"{name}.safetensors") for name in "ab")
    assert b.subwords is not None
    assert b.subwords.ngrams.units == "jamo"
    assert a.input_vectors.tobytes() == b.input_vectors.tobytes()
