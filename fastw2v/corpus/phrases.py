"""Phrases: join words that occur together more often than expected by chance, as in word2phrase.

Pairs of neighbouring words are counted and scored. Pairs that score above a threshold are joined from left to right. To
find longer phrases, repeat both steps on the result. Scores and joined phrases are identical to those of gensim's
``Phrases``. The corpus is processed in blocks, so memory use grows with the number of distinct pairs.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from fastw2v.config import check_choice, check_integer, check_range
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.vocabulary import Vocabulary, order_by_count
from fastw2v.utils.checks import check_items, check_type
from fastw2v.utils.quote import quote

__all__ = ["ENGLISH_CONNECTOR_WORDS", "Phrases", "Scoring", "find_phrases", "join_phrases"]

Scoring = Literal["default", "npmi"]
"""The scoring functions of `find_phrases`."""
ENGLISH_CONNECTOR_WORDS = frozenset(
    ["a", "an", "the", "for", "of", "with", "without", "at", "from", "to", "in", "on", "by", "and", "or"]
)
"""English words that may occur within a phrase but not at its beginning or end."""
BLOCK_TOKENS = 1 << 21
"""Number of tokens that are processed together."""


@dataclass(frozen=True, eq=False)
class Phrases:
    """Phrases found in a corpus by `find_phrases`, which `join_phrases` joins in the same or another corpus.

    Attributes
    ----------
    scores : dict of tuple of str to float
        Score of each phrase. The keys are tuples of words, because different phrases can have the same spelling once
        they are joined.
    parts : dict of tuple of str to str
        Joined spelling of each phrase.
    connector_words : frozenset of str
        Words that may occur within a phrase but not at its beginning or end.

    Examples
    --------
    >>> from fastw2v import Corpus
    >>> from fastw2v.corpus import find_phrases
    >>> corpus = Corpus.from_sentences([["new", "york", "is", "big"], ["in", "new", "york"]], min_count=1)
    >>> phrases = find_phrases(corpus, min_count=1, threshold=1.0)
    >>> phrases.parts
    {('new', 'york'): 'new_york'}
    """

    scores: dict[tuple[str, ...], float]
    parts: dict[tuple[str, ...], str]
    connector_words: frozenset[str]


def find_phrases(
    corpus: Corpus,
    min_count: int = 5,
    threshold: float = 10.0,
    *,
    scoring: Scoring = "default",
    connector_words: Iterable[str] = (),
    delimiter: str = "_",
) -> Phrases:
    """Return the pairs of neighbouring words that score above a threshold.

    Two words with only connector words between them also count as neighbours. The connector words become part of the
    phrase.

    Parameters
    ----------
    corpus : Corpus
        A corpus that contains all words of the text, that is, a corpus read with ``min_count=1``.
    min_count : int
        Minimum count of a pair, and the discount in the default score.
    threshold : float
        Phrases must score above this value.
    scoring : {"default", "npmi"}
        The default score is ``(n_ab − min_count) / (n_a n_b) · U`` (Mikolov et al. 2013), where the ``n`` are counts
        and ``U`` is the number of distinct words and pairs. The alternative, "npmi", is the normalised pointwise mutual
        information, between −1 and 1 (Bouma 2009).
    connector_words : iterable of str
        Words that may occur within a phrase but not at its beginning or end, such as `ENGLISH_CONNECTOR_WORDS`.
    delimiter : str
        String that joins the words of a phrase.

    Returns
    -------
    Phrases

    Raises
    ------
    TypeError
        If the words of the corpus are integers, or `connector_words` is a string.
    ValueError
        If `min_count` is below 1, `threshold` is outside the range of the score, `scoring` is unknown, or `delimiter`
        is empty or contains white space.

    See Also
    --------
    join_phrases : Join the phrases of a corpus into single words.

    Examples
    --------
    >>> from fastw2v import Corpus
    >>> from fastw2v.corpus import ENGLISH_CONNECTOR_WORDS, find_phrases
    >>> sentences = [["bank", "of", "america", "in", "new", "york"], ["new", "york", "bank", "of", "america"]]
    >>> corpus = Corpus.from_sentences(sentences, min_count=1)
    >>> find_phrases(corpus, min_count=1, threshold=1.0, connector_words=ENGLISH_CONNECTOR_WORDS).scores
    {('new', 'york'): 2.0, ('bank', 'of', 'america'): 2.0}
    """
    check_type("corpus", corpus, Corpus, "a Corpus")
    check_integer("min_count", min_count, minimum=1)
    check_range("threshold", threshold)
    check_choice("scoring", scoring, get_args(Scoring))
    check_type("delimiter", delimiter, str, "a string")
    if scoring == "default" and not threshold > 0:
        raise ValueError(f"threshold is {threshold}; it must be above 0 with the default scoring")
    if scoring == "npmi" and not -1 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}; it must be between -1 and 1 with npmi scoring")
    if not delimiter or any(character.isspace() for character in delimiter):
        raise ValueError(f"delimiter is {quote(delimiter)}; it must be a non-empty string without white space")
    check_items("connector_words", connector_words, "a list of words")
    _check_strings(corpus)
    words = corpus.vocabulary.words
    V = len(words)
    connector_words = frozenset(connector_words)
    connectors = _is_connector(corpus.vocabulary, connector_words)

    keys, counts, longer = _counted_neighbours(corpus, connectors)

    # If words contain the delimiter, a joined pair can be spelled like a word or a different pair. The counts of equal
    # spellings are added.
    unigrams = _counts(corpus.ids, V)
    spelled: defaultdict[str, int] = defaultdict(int)
    doubtful = np.fromiter((delimiter in word for word in words), dtype=bool, count=V)
    apart = doubtful[keys // V] | doubtful[keys % V]
    several: list[tuple[tuple[int, ...], int]] = [
        (divmod(key, V), n) for key, n in zip(keys[apart].tolist(), counts[apart].tolist(), strict=True)
    ]
    several += longer.items()
    for ids, n in several:
        spelled[delimiter.join([words[i] for i in ids])] += n
    for i in np.flatnonzero(doubtful & ~connectors & (unigrams > 0)).tolist():
        spelled[words[i]] += int(unigrams[i])
    keys, counts = keys[~apart], counts[~apart]
    same: dict[tuple[int, ...], str] = {}
    ids_of = corpus.vocabulary.word_to_id
    for spelling in spelled:
        first, _, second = spelling.partition(delimiter)
        a, b = ids_of.get(first), ids_of.get(second)
        if a is not None and b is not None:
            at = int(np.searchsorted(keys, a * V + b))
            if at < len(keys) and keys[at] == a * V + b:
                same[a, b] = spelling
                spelled[spelling] += int(counts[at])
    counted = unigrams.copy()
    for i in np.flatnonzero(doubtful).tolist():
        counted[i] = spelled.get(words[i], 0)
    plain_words = np.count_nonzero((unigrams > 0) & ~connectors & ~doubtful)
    size = int(plain_words) + len(keys) - len(same) + len(spelled)

    frequent = counts >= min_count
    candidates: list[tuple[tuple[int, ...], int]] = [
        (divmod(key, V), n)
        for key, n in zip(keys[frequent].tolist(), counts[frequent].tolist(), strict=True)
        if divmod(key, V) not in same
    ]
    candidates += [(pair, spelled[spelling]) for pair, spelling in same.items()]
    candidates += [(ids, spelled[delimiter.join([words[i] for i in ids])]) for ids, _ in several]
    scores: dict[tuple[str, ...], float] = {}
    parts: dict[tuple[str, ...], str] = {}
    for ids, n in candidates:
        if n < min_count:
            continue
        a, b = int(counted[ids[0]]), int(counted[ids[-1]])
        score = (n - min_count) / float(a * b) * size if scoring == "default" else _npmi(a, b, n, len(corpus))
        if score > threshold:
            phrase = tuple(words[i] for i in ids)
            parts[phrase] = delimiter.join(phrase)
            scores[phrase] = score
    return Phrases(scores, parts, connector_words)


def join_phrases(corpus: Corpus, phrases: Phrases) -> Corpus:
    """Return a corpus in which phrases are joined, from left to right, into single words.

    Parameters
    ----------
    corpus : Corpus
        The corpus in which the phrases were found, or any other corpus. Phrases are recognised by their words.
    phrases : Phrases

    Returns
    -------
    Corpus
        The joined corpus, with a new vocabulary.

    Raises
    ------
    TypeError
        If the words of the corpus are integers.

    Examples
    --------
    >>> from fastw2v import Corpus
    >>> from fastw2v.corpus import find_phrases, join_phrases
    >>> corpus = Corpus.from_sentences([["new", "york", "is", "big"], ["in", "new", "york"]], min_count=1)
    >>> joined = join_phrases(corpus, find_phrases(corpus, min_count=1, threshold=1.0))
    >>> joined.vocabulary.words
    ['new_york', 'is', 'big', 'in']
    >>> joined.ids.tolist()
    [0, 1, 2, 3, 0]
    """
    check_type("corpus", corpus, Corpus, "a Corpus")
    check_type("phrases", phrases, Phrases, "the result of find_phrases")
    _check_strings(corpus)
    words = corpus.vocabulary.words
    left, right, found = _found(corpus, phrases)

    # In a run of overlapping pairs, the first, third, fifth and so on are joined.
    follows = np.zeros(len(left), dtype=bool)
    follows[1:] = left[1:] == right[:-1]
    run = np.maximum.accumulate(np.where(follows, 0, np.arange(len(left))))
    odd = (np.arange(len(left)) - run) % 2 == 0
    left, right, found = left[odd], right[odd], found[odd]

    # A phrase that is spelled like an existing word or an earlier phrase gets the id of that word or phrase.
    spellings = list(words)
    ids_of = dict(corpus.vocabulary.word_to_id)
    new = np.empty(len(phrases.parts), dtype=np.int32)
    for i, spelling in enumerate(phrases.parts.values()):
        new[i] = ids_of.setdefault(spelling, len(spellings))
        if new[i] == len(spellings):
            spellings.append(spelling)
    joined = np.array(corpus.ids)
    joined[left] = new[found]
    kept = np.ones(len(joined), dtype=bool)
    gaps = right - left
    for gap in np.unique(gaps).tolist():
        for k in range(1, gap + 1):
            kept[left[gaps == gap] + k] = False
    joined = joined[kept]
    offsets = corpus.offsets - np.searchsorted(np.flatnonzero(~kept), corpus.offsets)

    counts = _counts(joined, len(spellings))
    first = np.empty(len(spellings), dtype=np.int64)
    for block in reversed(_blocks(len(joined))):  # backwards, so that the first position is written last
        first[joined[block][::-1]] = np.arange(block.start, block.start + len(joined[block]))[::-1]
    seen = np.flatnonzero(counts)
    seen = seen[np.argsort(first[seen])]
    seen = seen[order_by_count(counts[seen], 1)]
    final = np.full(len(spellings), -1, dtype=np.int32)
    final[seen] = np.arange(len(seen), dtype=np.int32)
    return Corpus(final[joined], offsets, Vocabulary([spellings[i] for i in seen.tolist()], counts[seen]))


def _check_strings(corpus: Corpus) -> None:
    if corpus.vocabulary.words and not isinstance(corpus.vocabulary.words[0], str):
        raise TypeError("the words of the corpus are integers; phrases can be found only in words that are strings")


def _is_connector(vocabulary: Vocabulary, connector_words: frozenset[str]) -> np.ndarray:
    """Return whether each word of a vocabulary is a connector word."""
    return np.fromiter((word in connector_words for word in vocabulary.words), dtype=bool, count=len(vocabulary))


def _blocks(n: int) -> list[slice]:
    return [slice(start, start + BLOCK_TOKENS) for start in range(0, n, BLOCK_TOKENS)]


def _counts(ids: np.ndarray, size: int) -> np.ndarray:
    """Return the count of each id; blocks limit the memory of `numpy.bincount`, which copies 8 bytes per token."""
    counts = np.zeros(size, dtype=np.int64)
    for block in _blocks(len(ids)):
        counts += np.bincount(ids[block], minlength=size)
    return counts


def _neighbours(corpus: Corpus, connectors: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the token indices of pairs of neighbouring words; connector words between two words are ignored."""
    last = np.empty(0, dtype=np.int64)  # index of the last word of the previous block
    for block in _blocks(len(corpus)):
        indices = np.concatenate((last, block.start + np.flatnonzero(~connectors[corpus.ids[block]])))
        sentence = np.searchsorted(corpus.offsets, indices, side="right")
        inside = sentence[1:] == sentence[:-1]
        yield indices[:-1][inside], indices[1:][inside]
        last = indices[-1:]


def _counted_neighbours(
    corpus: Corpus, connectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Counter[tuple[int, ...]]]:
    """Return the sorted keys ``a * V + b`` of adjacent words and their counts, and the counts of longer phrases."""
    V = len(corpus.vocabulary)
    tables: list[tuple[np.ndarray, np.ndarray]] = []
    longer: Counter[tuple[int, ...]] = Counter()
    for left, right in _neighbours(corpus, connectors):
        adjacent = right - left == 1
        keys = corpus.ids[left[adjacent]].astype(np.int64) * V + corpus.ids[right[adjacent]]
        table = np.unique(keys, return_counts=True)
        # Only tables of similar size are merged, so each pair is copied only a few times even if there are many blocks.
        while tables and len(tables[-1][0]) < 2 * len(table[0]):
            table = _merge(tables.pop(), table)
        tables.append(table)
        apart = zip(left[~adjacent].tolist(), right[~adjacent].tolist(), strict=True)
        longer.update(tuple(corpus.ids[a : b + 1].tolist()) for a, b in apart)
    table = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    for larger in reversed(tables):
        table = _merge(larger, table)
    return *table, longer


def _merge(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    (keys, counts), (other_keys, other_counts) = one, other
    at = np.searchsorted(keys, other_keys)
    known = at < len(keys)
    known[known] = keys[at[known]] == other_keys[known]
    counts[at[known]] += other_counts[known]
    at, other_keys, other_counts = at[~known], other_keys[~known], other_counts[~known]
    return np.insert(keys, at, other_keys), np.insert(counts, at, other_counts)


def _found(corpus: Corpus, phrases: Phrases) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for each phrase occurrence, the indices of its first and last token and its index in `phrases.parts`."""
    V = len(corpus.vocabulary)
    ids_of = corpus.vocabulary.word_to_id
    known_phrases = ((i, phrase) for i, phrase in enumerate(phrases.parts) if all(word in ids_of for word in phrase))
    index_of = {tuple(ids_of[word] for word in phrase): i for i, phrase in known_phrases}
    pairs = np.array([(*ids, i) for ids, i in index_of.items() if len(ids) == 2], dtype=np.int64).reshape(-1, 3)
    pairs = pairs[np.argsort(pairs[:, 0] * V + pairs[:, 1])]
    known = pairs[:, 0] * V + pairs[:, 1]
    begins, ends = np.zeros(V, dtype=bool), np.zeros(V, dtype=bool)
    begins[pairs[:, 0]], ends[pairs[:, 1]] = True, True
    matches = [(np.empty(0, dtype=np.int64),) * 3]
    for left, right in _neighbours(corpus, _is_connector(corpus.vocabulary, phrases.connector_words)):
        found = np.full(len(left), -1, dtype=np.int64)
        maybe = np.flatnonzero((right - left == 1) & begins[corpus.ids[left]] & ends[corpus.ids[right]])
        if len(maybe):
            keys = corpus.ids[left[maybe]].astype(np.int64) * V + corpus.ids[right[maybe]]
            at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
            hit = known[at] == keys
            found[maybe[hit]] = pairs[at[hit], 2]
        for i in np.flatnonzero(right - left > 1).tolist():
            found[i] = index_of.get(tuple(corpus.ids[left[i] : right[i] + 1].tolist()), -1)
        hits = np.flatnonzero(found >= 0)
        matches.append((left[hits], right[hits], found[hits]))
    left, right, found = (np.concatenate(parts) for parts in zip(*matches, strict=True))
    return left, right, found


def _npmi(a: int, b: int, both: int, total: int) -> float:
    p = both / total
    return math.log(p / ((a / total) * (b / total))) / -math.log(p)
