"""Vectors and questions for tests of evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastw2v.vectors.word_vectors import WordVectors


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
