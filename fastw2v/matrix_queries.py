"""The textbook's questions, asked of a bare matrix and two dictionaries; `WordVectors` answers them and others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastw2v.backend import get_namespace
from fastw2v.search import at_least_single, ranked, unit_rows

__all__ = ["analogy", "cos_similarity", "most_similar"]


def cos_similarity(x: Any, y: Any, eps: float = 1e-8) -> Any:
    """Return the cosine of two vectors.

    Parameters
    ----------
    x, y : float array, shape (D,)
    eps : float
        Added to the lengths, so that a vector of zeros gives 0 and not NaN.

    Returns
    -------
    float array, shape ()
    """
    xp = get_namespace(x, y)
    nx = x / (xp.sqrt(xp.sum(x * x)) + eps)
    ny = y / (xp.sqrt(xp.sum(y * y)) + eps)
    return xp.sum(nx * ny)


def most_similar(
    query: str, word_to_id: Mapping[str, int], id_to_word: Mapping[int, str], word_matrix: Any, top: int = 5
) -> list[tuple[str, float]]:
    """Print the words nearest to a word, as the textbook does, and return them.

    Parameters
    ----------
    query : str
        An unknown word is reported in print, and the result is empty.
    word_to_id, id_to_word : dict
    word_matrix : float array, shape (V, D)
    top : int
        How many words to print.

    Returns
    -------
    list of (str, float)
        Words and cosines, nearest first.
    """
    if query not in word_to_id:
        print(f"{query} is not found")
        return []
    print(f"\n[query] {query}")
    matrix = at_least_single(word_matrix)
    xp = get_namespace(matrix)
    lengths = xp.sqrt(xp.sum(matrix * matrix, axis=1, keepdims=True))
    unit = matrix / (lengths + 1e-8)
    query_id = word_to_id[query]
    pairs = ranked(unit @ unit[query_id, :], id_to_word, {query_id}, top)
    for word, score in pairs:
        print(f" {word}: {score}")
    return pairs


def analogy(
    a: str,
    b: str,
    c: str,
    word_to_id: Mapping[str, int],
    id_to_word: Mapping[int, str],
    word_matrix: Any,
    top: int = 5,
    answer: str | None = None,
) -> list[tuple[str, float]]:
    """Print the words that are to `c` as `b` is to `a`, as the textbook does, and return them.

    Parameters
    ----------
    a, b, c : str
        They are left out of the result. An unknown word is reported in print, and the result is empty.
    word_to_id, id_to_word : dict
    word_matrix : float array, shape (V, D)
    top : int
        How many words to print.
    answer : str, optional
        A word whose score is printed first.

    Returns
    -------
    list of (str, float)
        Words and scores, highest first. The score is the textbook's: the product of the word's vector, at
        its own length, with b − a + c at unit length. `WordVectors.analogy` brings every vector to unit length.
    """
    for word in (a, b, c) if answer is None else (a, b, c, answer):
        if word not in word_to_id:
            print(f"{word} is not found")
            return []
    print(f"\n[analogy] {a}:{b} = {c}:?")
    matrix = at_least_single(word_matrix)
    query = matrix[word_to_id[b], :] - matrix[word_to_id[a], :] + matrix[word_to_id[c], :]
    scores = matrix @ unit_rows(query[None, :])[0, :]
    if answer is not None:
        print(f"==>{answer}:{float(scores[word_to_id[answer]])}")
    pairs = ranked(scores, id_to_word, {word_to_id[word] for word in (a, b, c)}, top)
    for word, score in pairs:
        print(f" {word}: {score}")
    return pairs
