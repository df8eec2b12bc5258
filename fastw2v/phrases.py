"""Phrases: words that stand side by side more often than chance has it, joined to one word, as in word2phrase.

Pairs of neighbours are counted as pairs of ids, scored, and those above a threshold joined from left to right. A
second pass over the result joins pairs to longer phrases. Scores and choices are those of gensim's ``Phrases``.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fastw2v.corpus import Corpus
from fastw2v.vocab import Vocabulary, by_falling_count

__all__ = ["ENGLISH_CONNECTOR_WORDS", "Phrases", "Scoring", "find_phrases", "join_phrases"]

Scoring = Literal["default", "npmi"]

ENGLISH_CONNECTOR_WORDS = frozenset(
    ["a", "an", "the", "for", "of", "with", "without", "at", "from", "to", "in", "on", "by", "and", "or"]
)
"""Words that can stand inside a phrase but neither begin nor end it."""


@dataclass(frozen=True, eq=False)
class Phrases:
    """Neighbours to be joined.

    Attributes
    ----------
    scores : dict of tuple of str to float
        Score of each phrase, by its words: two phrases can look the same once joined.
    parts : dict of tuple of int to str
        The ids of each phrase's words, in the vocabulary that it was found with.
    connectors : bool array, shape (V,)
        Which words are connector words.
    """

    scores: dict[tuple[str, ...], float]
    parts: dict[tuple[int, ...], str]
    connectors: np.ndarray


def find_phrases(
    corpus: Corpus,
    min_count: int = 5,
    threshold: float = 10.0,
    *,
    scoring: Scoring = "default",
    connector_words: Iterable[str] = (),
    delimiter: str = "_",
) -> Phrases:
    """Return the pairs of neighbours that score above a threshold.

    Parameters
    ----------
    corpus : Corpus
        With every word in it, that is, read with ``min_count=1``.
    min_count : int
        Least count of a pair; also the discount of the default score.
    threshold : float
        Least score, not itself included.
    scoring : {"default", "npmi"}
        ``(n_ab - min_count) / (n_a n_b) · number of different words and pairs``, of Mikolov et al. 2013, or the
        normalised pointwise mutual information, from −1 to 1, of Bouma 2009.
    connector_words : iterable of str
        Words that may stand inside a phrase but neither begin nor end it.
    delimiter : str
        Stands between the words of a phrase.

    Raises
    ------
    ValueError
        If `min_count` is below 1, or the threshold outside the range of the score.
    """
    if min_count < 1:
        raise ValueError(f"min_count is {min_count}; it must be at least 1")
    if scoring not in ("default", "npmi"):
        raise ValueError(f"scoring is {scoring!r}; it must be 'default' or 'npmi'")
    if scoring == "default" and not threshold > 0:
        raise ValueError(f"threshold is {threshold}; it must be above 0 for the default score")
    if scoring == "npmi" and not -1 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}; it must lie between -1 and 1 for npmi")
    if not delimiter or any(character.isspace() for character in delimiter):
        raise ValueError(f"delimiter is {delimiter!r}; it must be a string without white space")
    words = corpus.vocabulary.words
    V = len(words)
    connectors = np.zeros(V, dtype=bool)
    for word in connector_words:
        if word in corpus.vocabulary:
            connectors[corpus.vocabulary.word_to_id[word]] = True

    left, right = _neighbours(corpus, connectors)
    adjacent = right - left == 1
    keys, numbers = np.unique(
        corpus.ids[left[adjacent]].astype(np.int64) * V + corpus.ids[right[adjacent]], return_counts=True
    )
    longer = Counter(
        tuple(corpus.ids[a : b + 1].tolist())
        for a, b in zip(left[~adjacent].tolist(), right[~adjacent].tolist(), strict=True)
    )

    # A pair can spell the same as a word or as another pair, once words hold the delimiter; then they count as one.
    unigrams = np.bincount(corpus.ids, minlength=V)
    spelled: defaultdict[str, int] = defaultdict(int)
    doubtful = np.fromiter((delimiter in word for word in words), dtype=bool, count=V)
    pairs = np.stack([keys // V, keys % V], axis=1)
    apart = doubtful[pairs].any(axis=1)
    several = [(tuple(pair), n) for pair, n in zip(pairs[apart].tolist(), numbers[apart].tolist(), strict=True)]
    several += longer.items()
    for ids, n in several:
        spelled[delimiter.join([words[i] for i in ids])] += n
    for i in np.flatnonzero(doubtful & ~connectors & (unigrams > 0)).tolist():
        spelled[words[i]] += int(unigrams[i])
    pairs, numbers, keys = pairs[~apart], numbers[~apart], keys[~apart]
    same: dict[tuple[int, ...], str] = {}
    ids_of = corpus.vocabulary.word_to_id
    for spelling in spelled:
        first, _, second = spelling.partition(delimiter)
        a, b = ids_of.get(first), ids_of.get(second)
        if a is not None and b is not None:
            at = int(np.searchsorted(keys, a * V + b))
            if at < len(keys) and keys[at] == a * V + b:
                same[a, b] = spelling
                spelled[spelling] += int(numbers[at])
    counted = unigrams.astype(np.int64)
    for i in np.flatnonzero(doubtful).tolist():
        counted[i] = spelled.get(words[i], 0)
    plain_words = np.count_nonzero((unigrams > 0) & ~connectors & ~doubtful)
    size = int(plain_words) + len(pairs) - len(same) + len(spelled)

    frequent = numbers >= min_count
    candidates = [
        (tuple(pair), n)
        for pair, n in zip(pairs[frequent].tolist(), numbers[frequent].tolist(), strict=True)
        if tuple(pair) not in same
    ]
    candidates += [(pair, spelled[spelling]) for pair, spelling in same.items()]
    candidates += [(ids, spelled[delimiter.join([words[i] for i in ids])]) for ids, _ in several]
    scores: dict[tuple[str, ...], float] = {}
    parts: dict[tuple[int, ...], str] = {}
    for ids, n in candidates:
        if n < min_count:
            continue
        a, b = int(counted[ids[0]]), int(counted[ids[-1]])
        score = (n - min_count) / float(a * b) * size if scoring == "default" else _npmi(a, b, n, len(corpus))
        if score > threshold:
            phrase = tuple(words[i] for i in ids)
            parts[ids] = delimiter.join(phrase)
            scores[phrase] = score
    return Phrases(scores, parts, connectors)


def join_phrases(corpus: Corpus, phrases: Phrases) -> Corpus:
    """Return the corpus with its phrases joined, from left to right, and counted as words.

    Parameters
    ----------
    corpus : Corpus
        That the phrases were found in, or another with the same vocabulary.
    phrases : Phrases

    Raises
    ------
    ValueError
        If the vocabulary is not that of the phrases.
    """
    words = corpus.vocabulary.words
    V = len(words)
    if len(phrases.connectors) != V:
        raise ValueError(
            f"the phrases were found with a vocabulary of {len(phrases.connectors)} words, and the corpus has {V}; "
            "find them in this corpus"
        )
    left, right = _neighbours(corpus, phrases.connectors)
    number = {ids: i for i, ids in enumerate(phrases.parts)}
    found = np.full(len(left), -1, dtype=np.int64)
    pairs = np.array([(*ids, i) for ids, i in number.items() if len(ids) == 2], dtype=np.int64).reshape(-1, 3)
    begins, ends = np.zeros(V, dtype=bool), np.zeros(V, dtype=bool)
    begins[pairs[:, 0]], ends[pairs[:, 1]] = True, True
    maybe = np.flatnonzero((right - left == 1) & begins[corpus.ids[left]] & ends[corpus.ids[right]])
    if len(pairs):
        known = pairs[:, 0] * V + pairs[:, 1]
        order = np.argsort(known)
        keys = corpus.ids[left[maybe]].astype(np.int64) * V + corpus.ids[right[maybe]]
        at = np.minimum(np.searchsorted(known[order], keys), len(known) - 1)
        hit = known[order][at] == keys
        found[maybe[hit]] = pairs[order, 2][at[hit]]
    for i in np.flatnonzero(right - left > 1).tolist():
        found[i] = number.get(tuple(corpus.ids[left[i] : right[i] + 1].tolist()), -1)

    # Of pairs that overlap in a row, the first, third, fifth, … are joined.
    hits = np.flatnonzero(found >= 0)
    follows = np.zeros(len(hits), dtype=bool)
    follows[1:] = left[hits[1:]] == right[hits[:-1]]
    run = np.maximum.accumulate(np.where(follows, 0, np.arange(len(hits))))
    hits = hits[(np.arange(len(hits)) - run) % 2 == 0]

    # Spellings that are words already, or that two phrases share, are one word.
    spellings = list(words)
    ids_of = dict(corpus.vocabulary.word_to_id)
    new = np.empty(len(phrases.parts), dtype=np.int64)
    for spelling, i in zip(phrases.parts.values(), number.values(), strict=True):
        new[i] = ids_of.setdefault(spelling, len(spellings))
        if new[i] == len(spellings):
            spellings.append(spelling)
    joined = corpus.ids.astype(np.int64)
    joined[left[hits]] = new[found[hits]]
    kept = np.ones(len(joined), dtype=bool)
    gaps = right[hits] - left[hits]
    for gap in np.unique(gaps).tolist():
        for k in range(1, gap + 1):
            kept[left[hits[gaps == gap]] + k] = False
    joined = joined[kept]
    offsets = corpus.offsets - np.searchsorted(np.flatnonzero(~kept), corpus.offsets)

    counts = np.bincount(joined, minlength=len(spellings))
    seen, first = np.unique(joined, return_index=True)
    seen = seen[np.argsort(first)]
    seen = seen[by_falling_count(counts[seen], 1)]
    final = np.full(len(spellings), -1, dtype=np.int32)
    final[seen] = np.arange(len(seen), dtype=np.int32)
    return Corpus(final[joined], offsets, Vocabulary([spellings[i] for i in seen.tolist()], counts[seen]))


def _neighbours(corpus: Corpus, connectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of each two words of a sentence that have nothing but connector words between them."""
    places = np.flatnonzero(~connectors[corpus.ids])
    sentence = np.searchsorted(corpus.offsets, places, side="right")
    inside = sentence[1:] == sentence[:-1]
    return places[:-1][inside], places[1:][inside]


def _npmi(a: int, b: int, both: int, total: int) -> float:
    p = both / total
    return math.log(p / ((a / total) * (b / total))) / -math.log(p)
