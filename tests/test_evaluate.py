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
from fastw2v.evaluate import analogies, evaluate_suite, read_analogies, read_pairs, word_pairs
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
    for scores, cosines in [(1, 2**26), (7 * len(vectors), 2**26), (2**20, 1), (2**20, 9 * len(vectors))]:
        monkeypatch.setattr(evaluate, "_SCORES", scores)
        monkeypatch.setattr(evaluate, "_COSINES", cosines)
        assert analogies(vectors, questions) == whole


def test_analogies_on_every_array_library(xp) -> None:
    vectors, questions = parallelograms(6, noise=0.4, cased=True)
    there = WordVectors(vectors.index_to_key, xp.asarray(vectors.vectors))
    for method in ("3cosadd", "3cosmul"):
        assert analogies(there, questions, method=method) == analogies(vectors, questions, method=method)


def test_3cosmul_against_the_formula() -> None:
    vectors, questions = parallelograms(12, noise=0.4, cased=False)
    unit = vectors.vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    rows = vectors.key_to_index
    correct = 0
    for a, b, c, d in questions["one"]:
        a, b, c, d = (rows[word.lower()] for word in (a, b, c, d))
        shares = (unit @ unit[[a, b, c]].T + 1) / 2
        scores = shares[:, 1] * shares[:, 2] / (shares[:, 0] + 1e-6)
        scores[[a, b, c]] = -1
        correct += int(scores.argmax() == d)
    result = analogies(vectors, questions, method="3cosmul")
    assert result.sections[0].correct == correct
    assert result != analogies(vectors, questions)


@pytest.mark.parametrize("dummy4unknown", [False, True])
@pytest.mark.parametrize("case_insensitive", [False, True])
def test_analogies_reported_as_gensim_does(tmp_path: Path, dummy4unknown: bool, case_insensitive: bool) -> None:
    vectors, questions = parallelograms(20, noise=0.4, cased=True)
    path = write_questions(tmp_path / "questions.txt", questions)
    options = {
        "restrict_vocab": len(vectors),
        "dummy4unknown": dummy4unknown,
        "case_insensitive": case_insensitive,
    }
    ours, theirs = (kind.evaluate_word_analogies(str(path), **options) for kind in (vectors, keyed_vectors(vectors)))
    assert ours == theirs
    with pytest.raises(ValueError, match="similarity_function is 'x'"):
        vectors.evaluate_word_analogies(path, similarity_function="x")


def test_unknown_methods_are_refused() -> None:
    with pytest.raises(ValueError, match="method is '3cosdiv'"):
        analogies(random_vectors(["a"]), {}, method="3cosdiv")  # type: ignore[arg-type]


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


@pytest.mark.parametrize("dummy4unknown", [False, True])
def test_pairs_reported_as_gensim_does(tmp_path: Path, dummy4unknown: bool) -> None:
    rng = np.random.default_rng(4)
    vectors = random_vectors([f"w{i}" for i in range(40)])
    lines = [f"w{a}\tW{b}\t{s}\n" for a, b, s in zip(*rng.integers(0, 50, (2, 60)), rng.random(60), strict=True)]
    (tmp_path / "pairs.tsv").write_text("".join(line for line in lines if line.split()[0] != line.split()[1].lower()))
    for restrict_vocab in (25, 300_000):
        options = {"restrict_vocab": restrict_vocab, "dummy4unknown": dummy4unknown}
        pearson, spearman, oov = vectors.evaluate_word_pairs(tmp_path / "pairs.tsv", **options)
        peers = keyed_vectors(vectors).evaluate_word_pairs(str(tmp_path / "pairs.tsv"), **options)
        assert tuple(pearson) == pytest.approx(tuple(peers[0]), abs=1e-6)
        assert tuple(spearman) == pytest.approx(tuple(peers[1]), abs=1e-6)
        assert oov == pytest.approx(peers[2])
    with pytest.raises(ValueError, match="covers 0 of"):
        random_vectors(["a"]).evaluate_word_pairs(tmp_path / "pairs.tsv")


def test_bootstrap_interval_against_scipy() -> None:
    """SciPy draws anew; so the bounds agree to what a thousand drawings can tell."""
    from scipy import stats

    rng = np.random.default_rng(0)
    x = rng.integers(0, 12, 80).astype(float)  # with ties
    y = x + rng.normal(size=80) * 4
    low, high = evaluate._bootstrap_interval(x, y)

    def spearman(x, y):
        return stats.spearmanr(x, y).statistic

    expected = stats.bootstrap((x, y), spearman, paired=True, vectorized=False, n_resamples=1000, method="percentile")
    assert (low, high) == pytest.approx(tuple(expected.confidence_interval), abs=0.03)
    assert low < spearman(x, y) < high
    assert (low, high) == evaluate._bootstrap_interval(x, y)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=2, max_size=20))
def test_weighted_ranks_are_the_ranks_of_repeated_values(table: list[tuple[int, int]]) -> None:
    values, times = (np.array(column, dtype=np.float64) for column in zip(*table, strict=True))
    ranks = evaluate._weighted_ranks(values, times[None])[0]
    repeated = np.repeat(values, times.astype(int))
    expected = dict(zip(repeated.tolist(), evaluate._ranks(repeated).tolist(), strict=True)) if len(repeated) else {}
    assert all(ranks[i] == expected[values[i]] for i in range(len(values)) if times[i])


def test_pairs_of_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes("\ufeffword 1,word 2,kor_score\n사랑,연애 ,6.42\n회사,주식,4.00 \n".encode())
    assert read_pairs(path) == [("사랑", "연애", 6.42), ("회사", "주식", 4.0)]
    path.write_text("sun,moon,9\nsun,soup,one\n")
    with pytest.raises(ValueError, match="line 2: 'sun,soup,one' is not two words and a number"):
        read_pairs(path)
    path.write_text("sun,moon,9\n")
    assert read_pairs(path) == [("sun", "moon", 9.0)]
    (tmp_path / "pairs.txt").write_text("word1 word2 score\nsun moon 9\n")
    with pytest.raises(ValueError, match="line 1"):
        read_pairs(tmp_path / "pairs.txt")


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


# Stability


def test_stability_against_sets(xp) -> None:
    rng = np.random.default_rng(2)
    words = [f"w{i}" for i in range(50)]
    matrices = [rng.normal(size=(50, 4)).astype(np.float32)]
    matrices += [matrices[0] + rng.normal(size=(50, 4)).astype(np.float32) * 0.3 for _ in range(2)]
    orders = [np.arange(50), rng.permutation(50), rng.permutation(50)[:45]]
    models = [
        WordVectors([words[i] for i in order], xp.asarray(matrix[order]))
        for matrix, order in zip(matrices, orders, strict=True)
    ]
    common = [word for word in words if word in models[2]]
    result = evaluate.neighbour_stability(models, topn=5, restrict_vocab=20)
    near = [
        {word: {other for other, _ in (model & common).most_similar(word, topn=5)} for word in common}
        for model in models
    ]
    expected = [
        np.mean([len(near[i][word] & near[j][word]) / 5 for i, j in ((0, 1), (0, 2), (1, 2))]) for word in common[:20]
    ]
    assert result.words == common[:20]
    assert result.overlaps.tolist() == pytest.approx(expected)
    assert result.overlap == pytest.approx(np.mean(expected))
    assert 0 < result.overlap < 1
    assert evaluate.neighbour_stability([models[0], models[0]]).overlap == 1


def test_stability_needs_something_to_compare() -> None:
    a, b = random_vectors(["a", "b", "c"]), random_vectors(["b", "c", "d"])
    with pytest.raises(ValueError, match="1 models"):
        evaluate.neighbour_stability([a])
    with pytest.raises(ValueError, match="2 words in common"):
        evaluate.neighbour_stability([a, b], topn=2)
    with pytest.raises(ValueError, match="topn is 0"):
        evaluate.neighbour_stability([a, b], topn=0)
    assert evaluate.neighbour_stability([a, b], topn=1).words == ["b", "c"]


def test_pairs_on_every_array_library(xp) -> None:
    vectors = random_vectors(["a", "b", "c", "d"])
    pairs = [("a", "b", 1.0), ("c", "D", 2.0), ("b", "d", 2.0), ("a", "x", 1.0)]
    there = WordVectors(vectors.index_to_key, xp.asarray(vectors.vectors))
    ours, host = word_pairs(there, pairs), word_pairs(vectors, pairs)
    assert (ours.covered, ours.total, ours.coverage) == (3, 4, 0.75)
    assert ours.spearman == pytest.approx(host.spearman)
    assert ours.pearson == pytest.approx(host.pearson, rel=1e-5)
    assert ours.interval == pytest.approx(host.interval)


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
