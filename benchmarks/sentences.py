"""Score vectors of texts on film reviews in Korean, and write the scores of each method to a JSON file.

The tables of `docs/notebook/sentences.md` were made by this program::

    python -m benchmarks.sentences nsmc-reviews.tsv.xz --json sentences.json
    python -m benchmarks.sentences nsmc-reviews.tsv.xz --speed --json speed.json

A line of the file is a rating from 1 to 10, a tab and a review. For each seed, the distinct reviews are shuffled. The
first `TRAINING` of them are the text on which word vectors are trained, without their ratings, and the next `TEST` are
held out, so no review of the test is read in training. Two tasks score the vectors of reviews:

polarity
    The percentage of held-out reviews whose polarity is predicted: a rating of 9 or 10 against 1 or 2. The two classes
    are equally frequent, so guessing gives 50. The classifier is logistic regression on the vectors of `LABELLED`
    reviews of the training text.
halves
    The percentage of `LONG` held-out reviews of at least `LONG_WORDS` words whose second half is nearest by cosine to
    their own first half, among the first halves of all. Guessing gives 0.1. No ratings are used.

All texts of a task are passed in one call, because the common direction of "sif" depends on them. The vectors of
fastText are scored with its own get_sentence_vector. Runs that the JSON file already contains are skipped.

With ``--speed``, all systems compute the vectors of the same reviews in turn, several times.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import lzma
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from benchmarks.harness import machine
from benchmarks.sweep import write
from fastw2v import Word2Vec
from fastw2v.vectors.sentences import SentenceMethod

if TYPE_CHECKING:
    from fastw2v import WordVectors

TRAINING, TEST = 200_000, 25_000
"""Numbers of reviews to train on, and to hold out."""
LABELLED = 20_000
"""Number of reviews of the training text whose ratings the classifier sees."""
LONG, LONG_WORDS = 1000, 20
"""Number of long reviews that are divided into halves, and the fewest words of one."""
PENALTY = 1.0
"""L2 penalty of the logistic regression, whose features are standardised."""
THREADS = 12
"""fastText leaves a part of W_in uninitialised with fewer than 10 threads. 12 is its default."""
ROUNDS = 5
"""Number of times that each system computes vectors with ``--speed``."""
SYSTEMS = ["fastw2v", "fasttext", "gensim"]
"""Systems that can be compared, where they are installed. gensim uses the word vectors of fastw2v."""
SUBWORDS: dict[str, dict[str, Any]] = {
    "none": {},
    "3-6": {"subwords": (3, 6)},
    "jamo": {"subwords": (3, 6), "units": "jamo"},
}
"""Arguments of `Word2Vec` for each kind of subwords."""
FASTTEXT = {"none": {"minn": 0, "maxn": 0}, "3-6": {"minn": 3, "maxn": 6}}
"""Arguments of fastText for each kind of subwords that it has."""

Vectors = Callable[[list[str]], np.ndarray]
"""A function that returns the vectors of texts."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    given = _parser().parse_args(arguments)
    reviews = read_reviews(given.reviews)
    found: dict[str, Any] = json.loads(given.json.read_text()) if given.json.exists() else _header()
    done = {tuple(run[name] for name in ("system", "model", "subwords", "seed")) for run in found["runs"]}
    installed = [system for system in given.systems if importlib.util.find_spec(system)]
    for seed in given.seed:
        training, test = split(reviews, seed)
        for model in given.model:
            for subwords in given.subwords:
                able = [system for system in installed if system != "fasttext" or subwords in FASTTEXT]
                wanted = [system for system in able if (system, model, subwords, seed) not in done]
                if not wanted:
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    texts = Path(folder) / "reviews.txt"
                    texts.write_text("".join(f"{text}\n" for _, text in training), encoding="utf-8")
                    functions = trained(wanted, texts, model, subwords, seed)
                rows = speeds(functions, test) if given.speed else scores(functions, training, test, seed)
                for row in rows:
                    found["runs"].append({"model": model, "subwords": subwords, "seed": seed} | row)
                    print(*(f"{name} {value}" for name, value in found["runs"][-1].items()), sep=", ", flush=True)
                write(found, given.json)
    return 0


def read_reviews(path: Path) -> list[tuple[int, str]]:
    """Return the rating and the text of each review, in the order of the file. Of equal texts, the first is kept."""
    found: dict[str, int] = {}
    data = path.read_bytes()
    data = lzma.decompress(data) if path.suffix == ".xz" else data
    for line in data.decode("utf-8").split("\n"):
        rating, tab, text = line.partition("\t")
        if tab and text.strip():
            found.setdefault(text.strip(), int(rating))
    return [(rating, text) for text, rating in found.items()]


def split(reviews: list[tuple[int, str]], seed: int) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Return reviews to train on, and reviews for the test."""
    order = np.random.default_rng(seed).permutation(len(reviews))[: TRAINING + TEST]
    chosen = [reviews[i] for i in order]
    test = min(TEST, len(chosen) // 4)
    return chosen[: len(chosen) - test], chosen[len(chosen) - test :]


def trained(systems: list[str], texts: Path, model: Any, subwords: str, seed: int) -> dict[str, dict[str, Vectors]]:
    """Train word vectors; return the functions of each system and method that compute vectors of texts."""
    functions: dict[str, dict[str, Vectors]] = {}
    if "fastw2v" in systems or "gensim" in systems:
        wv = Word2Vec(model=model, seed=seed, **SUBWORDS[subwords]).fit(texts).wv
        functions["fastw2v"] = {
            method: partial(wv.sentence_vectors, method=method) for method in get_args(SentenceMethod)
        }
        if "gensim" in systems:
            functions["gensim"] = {"fasttext": _gensim(wv)}
    if "fasttext" in systems:
        functions["fasttext"] = {"fasttext": _fasttext(texts, model, subwords)}
    return {system: functions[system] for system in systems}


def scores(
    functions: dict[str, dict[str, Vectors]], training: list[tuple[int, str]], test: list[tuple[int, str]], seed: int
) -> list[dict[str, Any]]:
    """Return the scores of each system and method in both tasks."""
    labelled, held_out = balanced(training)[:LABELLED], balanced(test)
    texts = [text for _, text in labelled + held_out]
    positive = np.array([rating >= 9 for rating, _ in labelled + held_out])
    n = len(labelled)
    words = [text.split() for _, text in test]
    long = [one for one in words if len(one) >= LONG_WORDS][:LONG]
    halves = [" ".join(one[: len(one) // 2]) for one in long] + [" ".join(one[len(one) // 2 :]) for one in long]
    rows = []
    for system, methods in functions.items():
        for method, vectors_of in methods.items():
            X = vectors_of(texts).astype(float)
            correct = logistic_regression(X[:n], positive[:n], X[n:]) == positive[n:]
            first, second = np.split(vectors_of(halves).astype(float), 2)
            nearest = np.argmax(_unit(second) @ _unit(first).T, axis=1)
            rows.append(
                {
                    "system": system,
                    "method": method,
                    "polarity": round(100 * float(correct.mean()), 2),
                    "halves": round(100 * float((nearest == np.arange(len(long))).mean()), 2),
                    "reviews": [n, len(held_out), len(long)],
                }
            )
    return rows


def balanced(reviews: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the reviews with a clear rating, as many good as bad ones, in turn."""
    good = [review for review in reviews if review[0] >= 9]
    bad = [review for review in reviews if review[0] <= 2]
    return [review for pair in zip(good, bad, strict=False) for review in pair]


def logistic_regression(X: np.ndarray, y: np.ndarray, X_test: np.ndarray) -> np.ndarray:
    """Fit logistic regression by Newton's method, and return whether each row of `X_test` is positive."""
    mean, scale = X.mean(axis=0), X.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    X, X_test = (np.column_stack([(one - mean) / scale, np.ones(len(one))]) for one in (X, X_test))
    penalty = np.append(np.full(X.shape[1] - 1, PENALTY), 0.0)
    w = np.zeros(X.shape[1])
    for _ in range(25):
        p = 1 / (1 + np.exp(-X @ w))
        gradient = X.T @ (p - y) + penalty * w
        hessian = (X * (p * (1 - p))[:, None]).T @ X + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        w -= step
        if np.abs(step).max() < 1e-8:
            break
    return X_test @ w > 0


def speeds(functions: dict[str, dict[str, Vectors]], test: list[tuple[int, str]]) -> list[dict[str, Any]]:
    """Return the number of reviews per second of each system and method in each of several rounds, in turn."""
    texts = [text for _, text in test]
    found: dict[tuple[str, str], list[int]] = {}
    for number in range(ROUNDS + 1):
        for system, methods in functions.items():
            for method, vectors_of in methods.items():
                start = time.perf_counter()
                vectors_of(texts)
                if number:  # the first round loads code and computes vectors of the vocabulary
                    found.setdefault((system, method), []).append(round(len(texts) / (time.perf_counter() - start)))
    return [{"system": s, "method": m, "reviews per second": rounds} for (s, m), rounds in found.items()]


def _header() -> dict[str, Any]:
    return {"machine": machine.describe(), "runs": []}


def _fasttext(texts: Path, model: str, subwords: str) -> Vectors:
    """Train with fastText and return its function, in a loop over the texts."""
    import fasttext

    peer = fasttext.train_unsupervised(str(texts), model, thread=THREADS, verbose=0, **FASTTEXT[subwords])
    return lambda texts: np.array([peer.get_sentence_vector(text) for text in texts])


def _gensim(wv: WordVectors) -> Vectors:
    """Return gensim's mean of unit vectors, for the vocabulary alone."""
    from gensim.models import KeyedVectors

    peer = KeyedVectors(wv.vector_size)
    peer.add_vectors(wv.index_to_key, np.asarray(wv.vectors))
    zeros = np.zeros(wv.vector_size, np.float32)

    def vectors_of(texts: list[str]) -> np.ndarray:
        return np.array([peer.get_mean_vector(words) if (words := text.split()) else zeros for text in texts])

    return vectors_of


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)


def _parser() -> argparse.ArgumentParser:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sentences", description=__doc__.split("\n\n")[0])
    parser.add_argument("reviews", type=Path, help="lines of a rating, a tab and a text, plain or compressed")
    parser.add_argument("--model", nargs="+", default=["cbow", "skipgram"], help="models to train")
    parser.add_argument("--subwords", nargs="+", default=list(SUBWORDS), choices=list(SUBWORDS), help="kinds to train")
    parser.add_argument(
        "--systems", nargs="+", default=["fastw2v", "fasttext"], choices=["fastw2v", "fasttext", "gensim"]
    )
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3], help="seeds of the split and of fastw2v")
    parser.add_argument("--speed", action="store_true", help="measure reviews per second instead of scores")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE", help="file to write the results to")
    return parser


if __name__ == "__main__":
    logging.getLogger("fastw2v").setLevel(logging.ERROR)  # reviews without a known word are expected
    sys.exit(main())
