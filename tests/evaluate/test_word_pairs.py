"""Word pairs, compared with gensim."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from fastw2v.evaluate.readers import read_pairs
from fastw2v.evaluate.word_pairs import word_pairs
from fastw2v.vectors.word_vectors import WordVectors
from tests.evaluate.common import keyed_vectors, random_vectors


@pytest.mark.parametrize("lower", [False, True])
def test_pairs_correlate_as_gensim(tmp_path: Path, lower: bool) -> None:
    rng = np.random.default_rng(1)
    words = [f"w{i}" for i in range(40)] + [f"W{i}" for i in range(20)]
    vectors = random_vectors(words)
    path = tmp_path / "pairs.tsv"
    # No word is paired with itself, because its cosine is 1 only up to rounding, so ranks would be arbitrary.
    drawn = [rng.choice(40, size=2, replace=False) for _ in range(80)]
    pairs = [(f"W{a}", f"w{b}", int(rng.integers(0, 11)) / 2) for a, b in drawn]
    path.write_text("# a comment\n" + "".join(f"{a}\t{b}\t{s}\n" for a, b, s in [*pairs, ("none", "w1", 3)]))
    result = word_pairs(vectors, read_pairs(path), lower=lower)
    pearson, spearman, oov = keyed_vectors(vectors).evaluate_word_pairs(str(path), case_insensitive=lower)
    assert result.spearman == pytest.approx(spearman[0], abs=1e-6)
    assert result.pearson == pytest.approx(pearson[0], abs=1e-6)
    assert 100 * (1 - result.coverage) == pytest.approx(oov)
    assert result.total == 81


def test_pairs_on_every_array_library(xp) -> None:
    vectors = random_vectors(["a", "b", "c", "d"])
    pairs = [("a", "b", 1.0), ("c", "D", 2.0), ("b", "d", 2.0), ("a", "x", 1.0)]
    there = WordVectors(vectors.index_to_key, xp.asarray(vectors.vectors))
    ours, host = word_pairs(there, pairs), word_pairs(vectors, pairs)
    assert (ours.covered, ours.total, ours.coverage) == (3, 4, 0.75)
    assert ours.spearman == pytest.approx(host.spearman)
    assert ours.pearson == pytest.approx(host.pearson, rel=1e-5)
    assert ours.interval == pytest.approx(host.interval)


@pytest.mark.parametrize(
    ("pairs", "covered"),
    [([], 0), ([("x", "y", 1.0)], 0), ([("a", "b", 1.0)], 1), ([("a", "b", 1.0), ("c", "b", 1.0)], 2)],
)
def test_pairs_without_a_correlation(pairs: list[tuple[str, str, float]], covered: int) -> None:
    result = word_pairs(random_vectors(["a", "b", "c"]), pairs)
    assert math.isnan(result.spearman)
    assert math.isnan(result.pearson)
    assert (result.covered, result.total) == (covered, len(pairs))


@pytest.mark.parametrize("known", [0, 1])
def test_too_few_known_pairs_are_a_warning(known: int, caplog: pytest.LogCaptureFixture) -> None:
    wv = WordVectors(["cat", "dog"], np.eye(2))
    pairs = [("cat", "dog", 9.0)] * known + [("no", "body", 1.0)] * 3
    result = word_pairs(wv, pairs)
    assert math.isnan(result.spearman)
    assert (result.covered, result.total) == (known, known + 3)
    assert f"both words are known in {known} of {known + 3} pairs; a correlation needs two" in caplog.text
    caplog.clear()
    wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
    for scores, text in ([1.0, 1.0], "all judgements of the 2 known pairs are equal"), ([1.0, 2.0], ""):
        word_pairs(wv, [("cat", "dog", scores[0]), ("dog", "car", scores[1])])
        assert text in caplog.text
        assert bool(text) == bool(caplog.text)
        caplog.clear()
    word_pairs(WordVectors(["cat", "dog", "car"], np.eye(3)), [("cat", "dog", 1.0), ("dog", "car", 2.0)])
    assert "all cosines of the 2 known pairs are equal" in caplog.text
