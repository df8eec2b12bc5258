"""N-grams of words and their rows, compared with a plain loop over the characters."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastw2v.corpus.subwords import NGrams, Subwords, ngram_buckets

WORDS = ["am", "a", "singing", "ringing", "은행나무", "naïve", "😀", "👩‍👩‍👧", "e\u0301a", "</s>", "aaaa"]


def buckets_of(word: str, ngrams: NGrams) -> list[int]:
    """Return the buckets as `Dictionary::computeSubwords` of fastText computes them."""
    marked, found = f"<{word}>", []
    if word == "</s>":
        return []
    for i in range(len(marked)):
        for n in range(1, ngrams.max_n + 1):
            j = i + n
            if j > len(marked) or n < ngrams.min_n or (n == 1 and (i == 0 or j == len(marked))):
                continue
            h = 2166136261
            for byte in marked[i:j].encode("utf-8"):
                h ^= byte if byte < 128 else byte | 0xFFFFFF00  # fastText reads bytes as signed numbers
                h = h * 16777619 % 2**32
            found.append(h % ngrams.bucket)
    return found


@pytest.mark.parametrize(
    "ngrams", [NGrams(3, 6, 2_000_000), NGrams(1, 2, 50), NGrams(5, 5, 2**31 - 1), NGrams(1, 40, 7)]
)
def test_the_buckets_are_those_of_fasttext(ngrams):
    starts, buckets = ngram_buckets(WORDS, ngrams)
    for i, word in enumerate(WORDS):
        assert buckets[starts[i] : starts[i + 1]].tolist() == buckets_of(word, ngrams), word
    assert starts[0] == 0
    assert len(starts) == len(WORDS) + 1


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), min_size=1, max_size=5))
def test_the_buckets_of_any_words(words):
    ngrams = NGrams(2, 4, 1000)
    starts, buckets = ngram_buckets(words, ngrams)
    expected = [buckets_of(word, ngrams) for word in words]
    assert np.diff(starts).tolist() == [len(of_word) for of_word in expected]
    assert buckets.tolist() == list(itertools.chain(*expected))


@pytest.mark.parametrize("bucket", [2_000_000, 1000])
def test_rows_are_in_the_order_of_the_words(bucket):
    """With few buckets, they are found in a table instead of by a search."""
    ngrams = NGrams(3, 6, bucket)
    words = list(dict.fromkeys(WORDS))
    subwords = Subwords(words, ngrams)
    order = list(dict.fromkeys(itertools.chain(*(buckets_of(word, ngrams) for word in words))))
    assert subwords.buckets.tolist() == order
    for i, word in enumerate(words):
        rows = [i, *(len(words) + order.index(bucket) for bucket in buckets_of(word, ngrams))]
        assert subwords.rows_of_word(i).tolist() == rows
    starts, rows = subwords.rows_of_unseen(["ring", "zzzz"])
    expected = [
        len(words) + order.index(b) if b in order else -1 for w in ("ring", "zzzz") for b in buckets_of(w, ngrams)
    ]
    assert rows.tolist() == expected
    assert starts.tolist() == [0, len(buckets_of("ring", ngrams)), len(expected)]


def test_given_buckets_come_first():
    ngrams = NGrams(4, 4, 100)
    needed = buckets_of("sing", ngrams)
    given_buckets = np.array([99 if 99 not in needed else 98, needed[-1]])
    subwords = Subwords(["sing"], ngrams, buckets=given_buckets)
    assert subwords.buckets[:2].tolist() == given_buckets.tolist()
    assert sorted(subwords.buckets.tolist()) == sorted({*needed, *given_buckets.tolist()})


def test_rows_of_many_buckets_equal_those_of_few():
    subwords = Subwords.with_buckets(["sing"], 1, NGrams(3, 6, bucket=1000), buckets=np.array([70, 20, 999]))
    expected = {70: 1, 20: 2, 999: 3}
    every = np.arange(1000)
    assert subwords.rows_of_buckets(every).tolist() == [expected.get(bucket, -1) for bucket in range(1000)]
    for few in np.split(every, 50):
        assert subwords.rows_of_buckets(few).tolist() == [expected.get(bucket, -1) for bucket in few.tolist()]
