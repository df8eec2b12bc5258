"""Producers of errors in the section "Vocabularies"."""

from __future__ import annotations

from fastw2v import Corpus, Vocabulary
from tests.errors.common import SENTENCES, Producer, write

PRODUCERS: dict[str, list[Producer]] = {
    "…: no word occurs at least min_count=… times. The most frequent of …, …, occurs … in …. Lower min_count or use more text": [
        lambda: Corpus.from_sentences([["the", "cat"]]),
    ],
    "…: exclude drops all words that occur at least min_count=… times. There …; the most frequent word, …, occurs …. Lower min_count or exclude fewer words": [
        lambda: Corpus.from_sentences([["the"] * 9], exclude=["the"]),
    ],
    "word … is both in include and in exclude; remove it from one": [
        lambda: Corpus.from_sentences(SENTENCES, include=["cat"], exclude=["cat"]),
    ],
    "…: … of the … distinct words are in the given counts, but all of these are left out by min_count=…, max_vocab=… or exclude; for example, … has the count …. Lower min_count or raise max_vocab": [
        lambda: Corpus.from_sentences([["cat"]], counts={"cat": 1, "dog": 9}, min_count=5),
    ],
    "…: the given counts have no words; count the words of a text first": [
        lambda: Corpus.from_sentences([["cat"]], counts={}),
    ],
    "…: the given counts of … contain none of …. The most frequent word of the text is …, and the first word of the counts is …. Use the counts of this text, or of a text in the same language, case and type (strings or integers)": [
        lambda: Corpus.from_sentences([["Cat"]], counts={"cat": 9}),
    ],
    "word … is of type …; words must be all strings or all integers": [
        lambda: Vocabulary(["the", 7], [1, 1]),
    ],
    "… words but … counts; each word needs one count": [
        lambda: Vocabulary(["the", "cat"], [1]),
    ],
    "word … occurs twice; words must be distinct": [
        lambda: Vocabulary(["the", "the"], [1, 1]),
    ],
    "counts have shape …; they must be one-dimensional, with one count per word": [
        lambda: Vocabulary(["the"], [[1]]),
    ],
    "counts are of type …; they must be integers": [
        lambda: Vocabulary(["the"], [0.5]),
    ],
    "count … is negative; counts must be at least 0": [
        lambda: Vocabulary(["the"], [-1]),
    ],
    "…, line …: expected a word, a space and its count, found …": [
        lambda: Vocabulary.load(write("counts.txt", "the 5\ncat\n")),
    ],
    "…, line …: word … occurs a second time; remove one of its lines": [
        lambda: Vocabulary.load(write("counts.txt", "the 5\nthe 4\n")),
    ],
    "…, line …: not UTF-8: …. …": [
        lambda: Vocabulary.load(write("counts.txt", "café 5\n".encode("latin-1"))),
        lambda: Vocabulary.load(write("counts.txt", "학교에 5\n나는 4\n".encode("cp949"))),
    ],
    "word … cannot be written to …: words must not be empty or contain line feeds": [
        lambda: Vocabulary(["the\ncat"], [1]).save("counts.txt"),
    ],
}
