"""The program that trains Korean vectors with many kinds of subwords."""

from __future__ import annotations

import json
import lzma
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import korean
from fastw2v import Word2Vec, WordVectors, evaluate
from fastw2v.corpus import as_corpus, to_jamo
from fastw2v.engines import cpu
from tests.test_word2vec import themes

needs_numba = pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
THEMES, ENDINGS = "가산물강", "고는도를만에와은"
QUESTIONS = ": sem1-x\n가고 가는 산고 산는\n: syn1-x\n가고 가는 물고 물는\n가고 가는 물고 없다\n가고가 가는 산고 산는\n"


def in_hangul(word: str) -> str:
    """Return a word of `themes`, such as "t0w1" or "common2", in Hangul."""
    return THEMES[int(word[1])] + ENDINGS[int(word[3])] if word.startswith("t") else "공통" + ENDINGS[int(word[6])]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    paths = {name: tmp_path / f"{name}.txt" for name in ("text", "questions", "pairs")}
    lines = ["(a) " + " 1 ".join(map(in_hangul, words)) for words in themes(200)]
    paths["text"].write_text(unicodedata.normalize("NFD", "\n".join(lines)), encoding="utf-8")
    paths["questions"].write_text(QUESTIONS, encoding="utf-8")
    pairs = [f"{THEMES[0]}{ENDINGS[i]} {THEMES[j]}{ENDINGS[i]} {j + i / 100}" for i in range(8) for j in range(4)]
    paths["pairs"].write_text("\n".join([*pairs, "가고가 가고 5", "가고가 산도 1"]), encoding="utf-8")
    return paths


def run(files: dict[str, Path], *more: str) -> Any:
    arguments = [str(files["text"]), "--analogies", str(files["questions"]), "--pairs", str(files["pairs"])]
    path = files["text"].with_name("korean.json")
    assert korean.main([*arguments, "--json", str(path), *more]) == 0
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("suffix", [".txt", ".xz"])
def test_the_text_is_reduced_to_composed_hangul(suffix: str, tmp_path: Path) -> None:
    text = "한국어(韓國語)의 word2vec\n\n" + unicodedata.normalize("NFD", "밥을 먹다.\n") + "ㅋㅋ\n"
    source = tmp_path / f"source{suffix}"
    source.write_bytes(lzma.compress(text.encode()) if suffix == ".xz" else text.encode())
    korean.write_hangul(source, tmp_path / "hangul")
    assert (tmp_path / "hangul").read_text(encoding="utf-8") == "한국어 의\n\n밥을 먹다\n\n"


def test_scores_are_separated_by_the_rarest_word(files: dict[str, Path]) -> None:
    counts = {THEMES[theme] + ENDINGS[i]: 60 - 20 * theme for i in range(2) for theme in range(4)}
    corners = np.array([[0, 1, 0], [0, 0, 1], [0, -1, 0], [0, 0, -1]])
    matrix = np.concatenate([corners, corners + np.array([1.0, 0, 0])])
    wv = WordVectors(list(counts), matrix)
    questions = evaluate.read_analogies(files["questions"])
    pairs = [("가고", "가는", 9), ("가고", "산고", 3), ("가는", "산는", 2), ("가고", "물고", 1), ("가고", "없다", 1)]
    found = korean.quality(wv, questions, pairs, counts)
    assert list(found) == ["known", "frequent", "rare"]
    assert found["known"] == found["rare"] | {
        "pairs": (pytest.approx(evaluate.word_pairs(wv, pairs).spearman, abs=1e-4), 4)
    }
    assert found["frequent"] == {}
    assert found["rare"]["semantic"] == (100.0, 1)
    assert found["rare"]["syntactic"] == (100.0, 1)
    assert found["rare"]["pairs"][1] == 3
    jamo = WordVectors(list(map(to_jamo, counts)), matrix)
    assert korean.quality(jamo, questions, pairs, counts, to_jamo) == found


@needs_numba
def test_every_combination_is_trained_once(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    found = run(files, "--subwords", "none", "jamo:3-6")
    trained, rows = capsys.readouterr().out.split("| --- | --- | --- | --- | --- |\n")
    assert trained.count("system=fastw2v") == len(rows.splitlines()) == 2
    assert found["corpus"]["vocabulary"] == 35
    plain, jamo = (one["quality"] for one in found["runs"])
    assert list(plain) == ["known", "frequent", "rare"]
    corpus = as_corpus([list(map(in_hangul, words)) for words in themes(200)], min_count=5)
    wv = Word2Vec(subwords=(3, 6), units="jamo", workers=1, device="cpu").fit(corpus).wv
    result = evaluate.word_pairs(wv, evaluate.read_pairs(files["pairs"])[-2:])
    assert jamo["unseen"]["pairs"] == [pytest.approx(result.spearman, abs=1e-4), 2]
    assert jamo["unseen"]["syntactic"][1] == 1
    again = run(files, "--subwords", "jamo:3-6", "syllables:1-2", "--seed", "1")
    assert again["runs"][:2] == found["runs"]
    assert [one["settings"]["subwords"] for one in again["runs"]] == ["none", "jamo:3-6", "syllables:1-2"]


def test_fasttext_is_asked_for_decomposed_words(files: dict[str, Path]) -> None:
    fasttext = pytest.importorskip("fasttext")
    assert fasttext
    text = files["text"].with_name("hangul.txt")
    korean.write_hangul(files["text"], text)
    settings = {"system": "fastText", "model": "cbow", "subwords": "jamo:3-4"}
    vectors, spelled = korean.train_fasttext(text, settings, workers=1)
    assert spelled("가고") == "ㄱㅏ∅ㄱㅗ∅"
    assert spelled("가고") in vectors.index_to_key
    assert spelled("가고가") not in vectors.index_to_key
    assert np.isfinite(vectors[spelled("가고가")]).all()


def test_the_table_has_the_means_of_the_seeds() -> None:
    runs = [
        {
            "settings": {"system": "fastw2v", "model": "cbow", "subwords": "jamo:3-5", "seed": seed},
            "quality": {"rare": {"semantic": (10.0 + seed, 5), "syntactic": (40.0, 5), "pairs": (0.2 * seed, 9)}},
        }
        for seed in (1, 2)
    ]
    *_, row = korean.table(runs).splitlines()
    assert row == "| fastw2v cbow jamo:3-5 | 2 |  | 11.5 / 40.0 / .300 |  |"
