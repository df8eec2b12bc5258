"""Analogies and word pairs, against gensim and SciPy."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastw2v import evaluate
from fastw2v.evaluate import analogies, read_analogies, read_pairs, word_pairs
from fastw2v.vectors import WordVectors


def random_vectors(words: list[str], dims: int = 8, seed: int = 0) -> WordVectors:
    return WordVectors(words, np.random.default_rng(seed).normal(size=(len(words), dims)).astype(np.float32))


def keyed_vectors(vectors: WordVectors):
    from gensim.models import KeyedVectors

    peer = KeyedVectors(vectors.vector_size)
    peer.add_vectors(vectors.index_to_key, vectors.vectors)
    return peer


def parallelograms(n: int, noise: float, cased: bool) -> tuple[WordVectors, dict[str, list[tuple[str, str, str, str]]]]:
    """Make word pairs at nearly the same offset, so that some questions are answered and some are not."""
    rng = np.random.default_rng(5)
    base, offset = rng.normal(size=(n, 6)), rng.normal(size=6)
    words = [f"man{i}" for i in range(n)] + [f"king{i}" for i in range(n)]
    rows = np.concatenate([base, base + offset + noise * rng.normal(size=(n, 6))])
    if cased:
        # Variants in other cases, nearer to the originals than anything else, and a right answer among them.
        words += [word.upper() for word in words[: n // 2]] + [word.title() for word in words[n:]]
        rows = np.concatenate([rows, rows[: n // 2] * 1.01, rows[n:] + 0.01 * rng.normal(size=(n, 6))])
    order = rng.permutation(len(words))
    vectors = WordVectors([words[i] for i in order], rows[order].astype(np.float32))
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    questions = [(f"man{i}", f"King{i}", f"man{j}", f"king{j}") for i, j in pairs]
    questions.append(("man0", "nowhere", "man1", "king1"))
    half = len(questions) // 2
    return vectors, {"one": questions[:half], "two": questions[half:]}


def write_questions(path: Path, questions: dict[str, list[tuple[str, str, str, str]]]) -> Path:
    lines = []
    for name, asked in questions.items():
        lines += [f": {name}", *(" ".join(question) for question in asked)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("cased", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("restrict_vocab", [20, 55, 300])
def test_analogies_score_as_gensim(tmp_path: Path, cased: bool, lower: bool, restrict_vocab: int) -> None:
    vectors, questions = parallelograms(20, noise=0.4, cased=cased)
    path = write_questions(tmp_path / "questions.txt", questions)
    peer = keyed_vectors(vectors)
    # gensim slices by its limit but takes all rows for granted in one place: give it no more than there are.
    limit = min(restrict_vocab, len(vectors))
    score, sections = peer.evaluate_word_analogies(
        str(path), restrict_vocab=limit, case_insensitive=lower, dummy4unknown=False
    )
    result = analogies(vectors, read_analogies(path), restrict_vocab=restrict_vocab, lower=lower)
    assert [section.name for section in result.sections] == ["one", "two"]
    for ours, theirs in zip([*result.sections, result.overall], sections, strict=True):
        assert ours.correct == len(theirs["correct"])
        assert ours.covered == len(theirs["correct"]) + len(theirs["incorrect"])
    assert result.overall.total == sum(map(len, questions.values()))
    if result.overall.covered:
        assert result.overall.accuracy == score
        assert result.overall.coverage == result.overall.covered / result.overall.total


def test_analogies_are_neither_all_right_nor_all_wrong() -> None:
    """The comparison with gensim would mean little otherwise."""
    vectors, questions = parallelograms(20, noise=0.4, cased=True)
    overall = analogies(vectors, questions).overall
    assert 0.1 < overall.accuracy < 0.9
    assert overall.covered == overall.total - 1


def test_analogies_do_not_depend_on_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, questions = parallelograms(12, noise=0.4, cased=True)
    whole = analogies(vectors, questions)
    for block in (1, 7 * len(vectors)):
        monkeypatch.setattr(evaluate, "_BLOCK", block)
        assert analogies(vectors, questions) == whole


def test_analogies_on_every_array_library(xp) -> None:
    vectors, questions = parallelograms(6, noise=0.4, cased=True)
    there = WordVectors(vectors.index_to_key, xp.asarray(vectors.vectors))
    assert analogies(there, questions) == analogies(vectors, questions)


def test_question_words_are_no_answer() -> None:
    vectors = WordVectors(["a", "b", "c", "A"], np.eye(4, dtype=np.float32))
    result = analogies(vectors, {"": [("a", "b", "c", "b"), ("a", "a", "a", "a"), ("a", "b", "c", "A")]})
    assert (result.overall.correct, result.overall.covered) == (0, 3)


def test_uncovered_analogies_have_no_accuracy() -> None:
    result = analogies(random_vectors(["a", "b"]), {"s": [("a", "b", "c", "d")], "empty": []})
    assert math.isnan(result.overall.accuracy)
    assert (result.overall.covered, result.overall.total, result.overall.coverage) == (0, 1, 0.0)
    assert math.isnan(result.sections[1].coverage)


def test_restrict_vocab_must_be_positive() -> None:
    with pytest.raises(ValueError, match="restrict_vocab is 0"):
        analogies(random_vectors(["a"]), {}, restrict_vocab=0)


def test_read_analogies(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    path.write_bytes(
        "\ufeffe f g h\r\n: capitals \r\nAthens Greece  Paris\tFrance\r\n\r\n: \n: capitals\na b c é\n".encode()
    )
    assert read_analogies(path) == {
        "": [("e", "f", "g", "h")],
        "capitals": [("Athens", "Greece", "Paris", "France"), ("a", "b", "c", "é")],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (": s\na b c d\na b c\n", "line 3: 'a b c' is neither"),
        (": s\na b c d e\n", "line 2"),
        (":s\na b c d\n", "line 1"),
        (": s\n\n", "no questions"),
        ("", "no questions"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_malformed_analogies_are_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = tmp_path / "q.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        read_analogies(path)


@pytest.mark.parametrize("lower", [False, True])
def test_pairs_correlate_as_gensim(tmp_path: Path, lower: bool) -> None:
    rng = np.random.default_rng(1)
    words = [f"w{i}" for i in range(40)] + [f"W{i}" for i in range(20)]
    vectors = random_vectors(words)
    path = tmp_path / "pairs.tsv"
    # No word is paired with itself: its cosine is 1 up to rounding, and whose is larger would be chance.
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


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-3, 3)), min_size=3, max_size=40))
def test_rank_correlation_as_scipy(table: list[tuple[int, float]]) -> None:
    from scipy.stats import rankdata, spearmanr

    x, y = (np.array(column, dtype=np.float64) for column in zip(*table, strict=True))
    assert evaluate._ranks(x).tolist() == rankdata(x).tolist()
    ours = evaluate._correlation(evaluate._ranks(x), evaluate._ranks(y))
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(ours)
    else:
        assert ours == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)


@pytest.mark.parametrize(
    ("pairs", "covered"),
    [([], 0), ([("x", "y", 1.0)], 0), ([("a", "b", 1.0)], 1), ([("a", "b", 1.0), ("c", "b", 1.0)], 2)],
)
def test_pairs_without_a_correlation(pairs: list[tuple[str, str, float]], covered: int) -> None:
    result = word_pairs(random_vectors(["a", "b", "c"]), pairs)
    assert math.isnan(result.spearman)
    assert math.isnan(result.pearson)
    assert (result.covered, result.total) == (covered, len(pairs))


def test_read_pairs(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_bytes(b"# Word 1\tWord 2\tHuman (mean)\r\ntiger\tcat\t7.35\r\n\r\nlove sex  6\n")
    assert read_pairs(path) == [("tiger", "cat", 7.35), ("love", "sex", 6.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\t1\na\tb\n", "line 2: .* is not two words and a number"),
        ("word1\tword2\tscore\n", "line 1"),
        ("a b nan\n", "line 1"),
        ("a,b,1.0\n", "line 1"),
        ("# nothing\n", "no pairs"),
    ],
)
def test_malformed_pairs_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_pairs(path)


@pytest.fixture
def eval_folder() -> Iterator[Path]:
    folder = Path(os.environ.get("FASTW2V_DATA", "")) / "eval"
    if "FASTW2V_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("FASTW2V_DATA names no folder with evaluation sets in eval/")
    return folder


def test_public_evaluation_sets(eval_folder: Path) -> None:
    questions = read_analogies(eval_folder / "questions-words.txt")
    assert (len(questions), sum(map(len, questions.values()))) == (14, 19_544)
    assert len(read_pairs(eval_folder / "wordsim353.tsv")) == 353
    assert len(read_pairs(eval_folder / "simlex999.txt")) == 999
    sizes = {path.name: len(read_pairs(path)) for path in (eval_folder / "word-sim").glob("EN-*.txt")}
    assert sizes["EN-MEN-TR-3k.txt"] == 3000
    assert sizes["EN-WS-353-ALL.txt"] == 353
    assert sizes["EN-VERB-143.txt"] == 144
