"""All public sets of a language."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastw2v.evaluate.analogies import analogies
from fastw2v.evaluate.readers import read_pairs
from fastw2v.evaluate.suites import evaluate_suite
from fastw2v.evaluate.word_pairs import word_pairs
from tests.evaluate.common import parallelograms, random_vectors, write_questions


def test_a_suite_is_all_its_sets(tmp_path: Path) -> None:
    vectors, questions = parallelograms(8, noise=0.4, cased=False)
    write_questions(tmp_path / "word_analogy_korean.txt", questions)
    (tmp_path / "WS353_korean.csv").write_text("word 1,word 2,kor_score\nman0,man1,3\nking0,man2,1\nman1,no,2\n")
    result = evaluate_suite(vectors, "korean", tmp_path, restrict_vocab=12)
    assert result.name == "korean"
    assert result.analogies == analogies(vectors, questions, restrict_vocab=12)
    assert result.pairs == {"wordsim353-korean": word_pairs(vectors, read_pairs(tmp_path / "WS353_korean.csv"))}
    assert result.pairs["wordsim353-korean"].coverage == pytest.approx(2 / 3)


@pytest.mark.parametrize("name", ["english", "korean"])
def test_the_public_sets_are_read(name: str) -> None:
    if not os.environ.get("FASTW2V_DATA"):
        pytest.skip("FASTW2V_DATA names no folder with evaluation sets")
    result = evaluate_suite(random_vectors(["왕", "여왕", "king", "queen", "man", "woman"]), name)
    sizes = {"english": (14, 19_544, 30 + 3000 + 287 + 65 + 999 + 353 + 252 + 203), "korean": (10, 10_000, 353)}
    pairs = sum(pairs.total for pairs in result.pairs.values())
    assert (len(result.analogies.sections), result.analogies.overall.total, pairs) == sizes[name]
