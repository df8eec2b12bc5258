"""A split keeps every sentence, in order, in exactly one of its parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastw2v import Corpus
from fastw2v.config import CHUNK_TOKENS
from fastw2v.corpus import spill_buffer, split
from fastw2v.sampling import rng


def corpus_of(lengths: list[int]) -> Corpus:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = np.random.default_rng(1).integers(0, 50, int(offsets[-1]), dtype=np.int32)
    return Corpus.from_ids(ids, offsets)


def by_hand(corpus: Corpus, share: float, seed: int) -> list[list[list[int]]]:
    """Return the sentences of both parts, decided one by one."""
    parts: list[list[list[int]]] = [[], []]
    key = rng.stream_key(seed, rng.HELD_OUT, 0)
    for start, end in zip(corpus.offsets[:-1].tolist(), corpus.offsets[1:].tolist(), strict=True):
        for first in range(start, max(end, start + 1), CHUNK_TOKENS):
            held_out = int(rng.bits(key, np.array([first]))[0]) % 2**32 < round(share * 2**32)
            parts[held_out].append(corpus.ids[first : min(first + CHUNK_TOKENS, end)].tolist())
    return parts


def sentences(corpus: Corpus) -> list[list[int]]:
    return [part.tolist() for part in np.split(corpus.ids, corpus.offsets[1:-1])]


@given(st.lists(st.integers(0, 9), min_size=8, max_size=60), st.integers(0, 2**64), st.sampled_from([1, 5, 1 << 19]))
def test_each_sentence_is_in_one_part(lengths, seed, block):
    corpus = corpus_of([*lengths, 3])
    expected = by_hand(corpus, 0.5, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "BLOCK_TOKENS", block)
        if not all(any(part) for part in expected):
            with pytest.raises(ValueError, match="no sentence of the corpus is"):
                corpus.split(0.5, seed)
            return
        parts = corpus.split(0.5, seed)
    for part, there in zip(parts, expected, strict=True):
        assert sentences(part) == there
        assert (part.ids.dtype, part.offsets.dtype) == (np.int32, np.int64)
        assert part.vocabulary is corpus.vocabulary


@pytest.mark.parametrize("block", [CHUNK_TOKENS, 3 * CHUNK_TOKENS, 1 << 19])
def test_long_sentences_are_divided(monkeypatch, block):
    """A text without line breaks is divided as engines divide it. In a temporary file, it has the same content."""
    monkeypatch.setattr(split, "BLOCK_TOKENS", block)
    monkeypatch.setattr(spill_buffer, "IN_MEMORY", 1 << 12)
    corpus = corpus_of([3, 40 * CHUNK_TOKENS + 7, 0, CHUNK_TOKENS, 5])
    parts = corpus.split(0.3, seed=5)
    assert [sentences(part) for part in parts] == by_hand(corpus, 0.3, 5)
    assert 6 <= parts[1].n_sentences <= 20


def test_the_share_is_that_of_the_sentences():
    corpus = corpus_of([2] * 100_000)
    training, held_out = corpus.split(0.01)
    assert held_out.n_sentences == pytest.approx(1000, rel=0.1)
    assert training.n_sentences + held_out.n_sentences == 100_000
    assert corpus.split(0.01, seed=2)[1].n_sentences != held_out.n_sentences


@pytest.mark.parametrize(
    ("share", "error", "message"),
    [
        (0.0, ValueError, "with a share of 0.0, no sentence of the corpus is held out; choose another share"),
        (1, ValueError, "with a share of 1, no sentence of the corpus is left for training; choose another share"),
        (1.5, ValueError, "held_out is 1.5; it must lie between 0.0 and 1.0"),
        ("a", TypeError, "held_out is 'a' of type str; it must be a number"),
    ],
)
def test_shares_that_cannot_be_used(share, error, message):
    with pytest.raises(error, match=message):
        corpus_of([2] * 4).split(share)
