"""Phrases equal those of gensim, with exactly equal scores."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from gensim.models.phrases import Phrases as Gensim
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v.corpus import phrases
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.phrases import ENGLISH_CONNECTOR_WORDS, find_phrases, join_phrases


def words_of(corpus: Corpus) -> list[list[str]]:
    return [[corpus.vocabulary.words[i] for i in corpus.ids[a:b]] for a, b in itertools.pairwise(corpus.offsets)]


def check(sentences: list[list[str]], passes: int = 1, **settings_: Any) -> None:
    """Compare scores, joined sentences and their vocabulary after each pass."""
    corpus = Corpus.from_sentences(sentences, min_count=1)
    sentences = [sentence for sentence in sentences if sentence]
    for _ in range(passes):
        theirs = Gensim(sentences, **settings_)
        ours = find_phrases(corpus, **settings_)
        assert set(theirs.find_phrases(sentences)) <= set(ours.parts.values())
        for words, phrase in ours.parts.items():
            assert theirs.score_candidate(words[0], words[-1], list(words[1:-1])) == (phrase, ours.scores[words])
        corpus, sentences = join_phrases(corpus, ours), [theirs[sentence] for sentence in sentences]
        assert words_of(corpus) == sentences
        assert corpus.vocabulary == Corpus.from_sentences(sentences, min_count=1).vocabulary


def test_known_scores():
    sentences = [["new", "york", "is", "new"], ["new", "york", "is", "big"]] * 5
    scores = find_phrases(Corpus.from_sentences(sentences, min_count=1), min_count=2, threshold=0.1).scores
    size = 4 + len({("new", "york"), ("york", "is"), ("is", "new"), ("is", "big")})
    assert scores["new", "york"] == (10 - 2) / (15 * 10) * size
    assert scores["is", "big"] == (5 - 2) / (10 * 5) * size


TOKENS = st.sampled_from(["a", "b", "c", "of", "the", "a_b", "b_c", "_", "a_", "_b", "of_b", "a_of_b"])


def check_any(
    sentences: list[list[str]], min_count: int, scoring: Any, connectors: tuple[str, ...], delimiter: str, block: int
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phrases, "BLOCK_TOKENS", block)
        check(
            sentences,
            passes=2,
            min_count=min_count,
            scoring=scoring[0],
            threshold=scoring[1],
            connector_words=frozenset(connectors),
            delimiter=delimiter,
        )


any_sentences = given(
    sentences=st.lists(st.lists(TOKENS, min_size=1, max_size=12), min_size=1, max_size=12),
    min_count=st.integers(1, 3),
    scoring=st.sampled_from([("default", 0.05), ("default", 1.0), ("npmi", -0.5), ("npmi", 0.3)]),
    connectors=st.sampled_from([(), ("of", "the"), ("a_b",)]),
    delimiter=st.sampled_from(["_", "~~"]),
    block=st.sampled_from([1, 2, 5, 1 << 21]),
)


test_any_sentences = settings(max_examples=100, deadline=None)(any_sentences(check_any))
test_any_sentences_at_length = pytest.mark.slow(settings(max_examples=2000, deadline=None)(any_sentences(check_any)))


def test_a_longer_text_in_three_passes():
    random = np.random.default_rng(1)
    words = np.array([f"w{i}" for i in range(60)] + ["of", "the", "and"])
    sentences = [words[random.zipf(1.4, n) % len(words)].tolist() for n in random.integers(1, 30, 1500)]
    check(sentences, passes=3, min_count=5, threshold=1.5)
    check(sentences, passes=3, min_count=5, threshold=0.5, connector_words=ENGLISH_CONNECTOR_WORDS)
    check(sentences, passes=2, min_count=3, threshold=0.2, scoring="npmi")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"min_count": 0}, "min_count is 0"),
        ({"threshold": 0}, "threshold is 0"),
        ({"threshold": 2, "scoring": "npmi"}, "between -1 and 1"),
        ({"scoring": "pmi"}, "scoring is 'pmi'"),
        ({"delimiter": " "}, "delimiter is ' '"),
    ],
)
def test_settings_that_cannot_be(choice: Any, message: str):
    with pytest.raises(ValueError, match=message):
        find_phrases(Corpus.from_sentences([["a", "b"]], min_count=1), **choice)


def test_phrases_of_another_corpus_are_joined_by_their_words():
    found = Corpus.from_sentences([["new", "york", "is", "big"]] * 5 + [["rare"]], min_count=1, max_vocab=4)
    other = Corpus.from_sentences([["we", "love", "new", "york"]] * 2 + [["x"]], min_count=1, max_vocab=4)
    assert len(found.vocabulary) == len(other.vocabulary)
    joined = join_phrases(other, find_phrases(found, min_count=1, threshold=0.1))
    assert words_of(joined)[0] == ["we", "love", "new_york"]
    assert words_of(join_phrases(Corpus.from_sentences([["x", "y"]], 1), find_phrases(found, 1, 0.1))) == [["x", "y"]]


def test_phrases_join_another_corpus_as_in_gensim():
    random = np.random.default_rng(2)
    words = np.array([f"w{i}" for i in range(30)] + ["of", "the", "and"])
    connector_words = frozenset(["of", "the", "and", "absent"])
    draw = [words[random.zipf(1.3, n) % 33].tolist() for n in random.integers(1, 20, 600)]
    one, other = draw[:400], [[*sentence, "unknown", "the"] for sentence in draw[400:]]
    theirs = Gensim(one, min_count=3, threshold=0.1, connector_words=connector_words)
    ours = find_phrases(Corpus.from_sentences(one, 1), 3, 0.1, connector_words=connector_words)
    joined = words_of(join_phrases(Corpus.from_sentences(other, 1), ours))
    assert joined == [theirs[sentence] for sentence in other]
    assert any("_" in word for sentence in joined for word in sentence)


def test_integers_have_no_phrases():
    numbers = Corpus.from_sentences([[1, 2]] * 5, min_count=1)
    words = Corpus.from_sentences([["a", "b"]] * 5, min_count=1)
    with pytest.raises(TypeError, match="the words of the corpus are integers"):
        find_phrases(numbers, 1, 0.1)
    with pytest.raises(TypeError, match="the words of the corpus are integers"):
        join_phrases(numbers, find_phrases(words, 1, 0.1))
    with pytest.raises(TypeError, match="connector_words is 'of the' of type str"):
        find_phrases(words, 1, 0.1, connector_words="of the")
