"""The program that compares units of Korean text."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import morphemes, sentences
from benchmarks.korean import write_hangul
from fastw2v.engines import cpu

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
TAGGED = "영화/NNG 를/JKO 보다/VV 었/EP 다/EF ./SF /SP 1//2/SN 고맙다/VA-I"


def test_forms_are_those_of_the_tags() -> None:
    assert morphemes.forms(TAGGED) == ["영화", "를", "보다", "었", "다", "고맙다"]
    assert morphemes.forms(TAGGED, morphemes.CONTENT) == ["영화", "보다", "고맙다"]
    assert morphemes.forms("") == []


def test_morphemes_of_kiwi_are_one_line_for_each_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("kiwipiepy")
    texts = ["영화를 봤다.", "", "크리스토퍼 놀란의 영화"]
    path = tmp_path / "tokens" / "texts.tokens"
    found = morphemes.morphemes(texts, path)
    assert found[:2] == ["영화/NNG 를/JKO 보다/VV 었/EP 다/EF ./SF", ""]
    assert len(found) == 3
    assert morphemes.forms(found[2])[-2:] == ["의", "영화"]
    monkeypatch.setattr("kiwipiepy.Kiwi", None)
    assert morphemes.morphemes(texts, path) == found  # read from the file
    assert [one.name for one in path.parent.iterdir()] == ["texts.tokens"]


def test_a_file_of_other_texts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "texts.tokens"
    path.write_text(f"{TAGGED}\n\n", encoding="utf-8")
    assert morphemes.morphemes(["one", ""], path) == [TAGGED, ""]
    with pytest.raises(ValueError, match=r"texts\.tokens has 2 lines, but there are 3 texts; delete the file"):
        morphemes.morphemes(["one", "", "three"], path)


def test_a_failed_write_leaves_no_file(tmp_path: Path) -> None:
    source, path = tmp_path / "source.txt", tmp_path / "hangul.txt"
    source.write_bytes("가나 다\n".encode() + b"\xff\n")
    with pytest.raises(UnicodeDecodeError):
        write_hangul(source, path)
    assert [one.name for one in tmp_path.iterdir()] == ["source.txt"]


@needs_numba
def test_both_tasks_on_written_morphemes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    kinds = {10: ["좋다", "최고", "감동"], 1: ["나쁘다", "최악", "졸작"]}
    lines = []
    for i in range(400):
        rating = (10, 1)[i % 2]
        lines.append((rating, " ".join(rng.choice([*kinds[rating], "영화", "배우", f"글{i % 7}"], size=12))))
    reviews, text, tokens = tmp_path / "reviews.tsv", tmp_path / "text.txt", tmp_path / "tokens"
    reviews.write_text("".join(f"{rating}\t{line}\n" for rating, line in lines), encoding="utf-8")
    text.write_text("".join(f"{line}\n" for _, line in lines), encoding="utf-8")
    tokens.mkdir()

    def tag(texts: list[str]) -> str:
        return "".join(" ".join(f"{word}/NNG" for word in one.split()) + " ./SF\n" for one in texts)

    digests = {one: hashlib.sha256(one.read_bytes()).hexdigest() for one in (reviews, text)}
    (tokens / f"text.txt.{digests[text][:12]}.tokens").write_text(tag([line for _, line in lines]), encoding="utf-8")
    training, test = sentences.split(sentences.read_reviews(reviews), 1)
    written = tokens / f"reviews-{digests[reviews][:12]}-1.tokens"
    written.write_text(tag([one for _, one in training + test]), encoding="utf-8")
    pairs, questions = tmp_path / "pairs.tsv", tmp_path / "questions.txt"
    pairs.write_text("좋다\t최고\t9\n좋다\t최악\t1\n영화\t배우\t5\n없다\t영화\t3\n", encoding="utf-8")
    questions.write_text(": sem-opposites\n좋다 나쁘다 최고 최악\n없다 나쁘다 최고 최악\n", encoding="utf-8")
    path = tmp_path / "found.json"
    arguments = [f"--text={text}", f"--pairs={pairs}", f"--analogies={questions}", f"--reviews={reviews}"]
    arguments += [f"--tokens={tokens}", f"--json={path}", "--seed=1", "--units", "words", "morphemes"]
    assert morphemes.main(arguments) == 0

    found = json.loads(path.read_text())
    (call,) = found["calls"]
    assert call["sha256"]["text"] == digests[text]
    assert call["sha256"]["reviews"] == digests[reviews]
    assert sorted(call["sha256"]) == ["analogies", "pairs", "reviews", "text"]
    assert call["arguments"]["text"] == "text.txt"
    assert (call["arguments"]["seed"], call["arguments"]["workers"]) == ([1], 1)
    assert str(tmp_path) not in path.read_text()

    runs: list[dict[str, Any]] = found["runs"]
    assert [(run["task"], run["units"]) for run in runs] == [
        (task, units) for task in ("similarity", "polarity") for units in ("words", "morphemes")
    ]
    assert runs[0]["tokens"] == runs[1]["tokens"] == 400 * 12
    assert runs[0]["common"]["semantic"][1] == 1  # the other question has an unknown word
    assert runs[0]["common"]["pairs"][1] == 3
    assert runs[2]["polarity"] > 90
    assert runs[2]["unknown"] == runs[3]["unknown"] == 0
    assert runs[3]["polarity"] == runs[2]["polarity"]  # the morphemes are the words
    capsys.readouterr()
    assert morphemes.main(arguments) == 0  # nothing is left to do
    assert capsys.readouterr().out == ""
