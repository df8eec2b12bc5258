"""Producers of errors in the section "Corpora"."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from fastw2v import Corpus, Vocabulary
from fastw2v.corpus import as_corpus, find_phrases, w2v_file
from fastw2v.corpus.w2v_file import HEADER, START
from tests.errors.common import Producer, corpus, fastw2v, numbers, write


class Table:
    """A table, as far as the reader needs it."""

    column_names = ("id", "text")

    def __getitem__(self, name: str) -> list[str]:
        return ["the cat"]


def encoded(change: slice | int | None = None, value: bytes = b"?", length: int | None = None) -> Corpus:
    """Load an encoded corpus of which some bytes have been changed or cut off."""
    corpus().save("a.w2v")
    data = bytearray(Path("a.w2v").read_bytes())
    if change is not None:
        data[change if isinstance(change, slice) else slice(change, change + 1)] = value
    return Corpus.load(write("a.w2v", bytes(data[:length])))


def wrongly_encoded(ids: list[int], words: list[str]) -> None:
    """Load a corpus with the right checksums, but wrong ids or words."""
    vocabulary = Vocabulary._of_distinct(words, np.array([1, 1]))
    w2v_file.write(Path("a.w2v"), np.array(ids, np.int32), np.array([0, 2]), vocabulary)
    Corpus.load("a.w2v")


def with_header_field(position: int, value: int) -> None:
    """Load an encoded corpus with another value in its header, and the right checksum."""
    corpus().save("a.w2v")
    data = bytearray(Path("a.w2v").read_bytes())
    fields = list(HEADER.unpack(data[: HEADER.size]))
    fields[position] = value
    header = HEADER.pack(*fields)
    data[: HEADER.size + 4] = header + struct.pack("<I", zlib.crc32(header))
    Corpus.load(write("a.w2v", bytes(data)))


def write_text(word: str) -> None:
    Corpus.from_sentences([[word]], min_count=1).write_text("a.txt")


WALKS = np.array([[0, 1, 2], [0, 2, -1]])
WORDS = Vocabulary(["the", "cat"], [1, 1])

PRODUCERS: dict[str, list[Producer]] = {
    "sentence … is the string …; a sentence must be a list of tokens. Split it first, for example with sentence.split(), or read strings with Corpus.from_lines": [
        lambda: Corpus.from_sentences(["the cat sat"]),
    ],
    "sentence … is a row of a table with the columns …; a sentence must be a list of tokens. Choose a column first": [
        lambda: Corpus.from_sentences([{"text": "the cat", "id": 3}]),
    ],
    "sentence … is … of type …; a sentence must be a list of tokens": [
        lambda: Corpus.from_sentences([["the"], None]),
    ],
    "sentence … is … of type …; a sentence must be a list of tokens. If all integers are one sentence, pass them to Corpus.from_ids": [
        lambda: Corpus.from_sentences([1, 2, 3]),
    ],
    "token … of sentence … is … of type …; tokens must be all strings or all integers": [
        lambda: Corpus.from_sentences([["the", None]]),
    ],
    "token … of sentence … is … of type …, but the tokens before it are …; tokens must be all strings or all integers": [
        lambda: Corpus.from_sentences([["the", 7]]),
    ],
    "sentences is a …; pass an iterable of token lists, such as …, or read a file with Corpus.from_text(path)": [
        lambda: Corpus.from_sentences("a.txt"),
    ],
    "cannot make a corpus from …; pass the value of one of its keys: …": [
        lambda: as_corpus({"train": [["the"]], "test": [["cat"]]}),
    ],
    "cannot make a corpus from …; the source must be a path, token lists, a column of strings or an integer array": [
        lambda: as_corpus(7),
    ],
    "the table has … columns; choose one, for example table[…]": [
        lambda: as_corpus(Table()),
    ],
    "there are no ids; a corpus must have at least one token": [
        lambda: Corpus.from_ids(np.array([], int)),
    ],
    "id … at index … is negative; ids must be between 0 and V - 1": [
        lambda: Corpus.from_ids([0, -1]),
    ],
    "the highest id is …, but there are only … tokens. The vocabulary would need a word for every lower id, so renumber the ids first: words, ids = np.unique(ids, return_inverse=True)": [
        lambda: Corpus.from_ids([5, 1 << 40]),
    ],
    "id … at index … is outside the vocabulary of … words; pass the vocabulary from which the ids were made": [
        lambda: Corpus.from_ids([0, 5], vocabulary=WORDS),
    ],
    "offsets run from … to …; they must run from 0 to the number of ids, …, because sentence s is ids[offsets[s]:offsets[s + 1]]": [
        lambda: Corpus.from_ids([0, 1, 2], [0, 2]),
    ],
    "offsets decrease from … to … at index …; they must not decrease": [
        lambda: Corpus.from_ids([0, 1, 2], [0, 2, 1, 3]),
    ],
    "… is …; it must be a flat list of integers. Pass lists of integers, such as baskets, to Corpus.from_sentences, and a matrix of walks to Corpus.from_walks": [
        lambda: Corpus.from_ids([[0, 1], [2]]),
    ],
    "… have shape …; they must be one-dimensional. Pass lists of integers, such as baskets, to Corpus.from_sentences, and a matrix of walks to Corpus.from_walks": [
        lambda: Corpus.from_ids(WALKS),
    ],
    "… are of type …; they must be integers. Pass lists of integers, such as baskets, to Corpus.from_sentences, and a matrix of walks to Corpus.from_walks": [
        lambda: Corpus.from_ids(np.array([[0, 1], [2]], dtype=object)),
    ],
    "… are of type …; they must be integers": [
        lambda: Corpus.from_ids([0.0, 1.0]),
        lambda: Corpus.from_walks(WALKS.astype(float)),
    ],
    "walks have shape …; they must be a matrix with one walk per row": [
        lambda: Corpus.from_walks(np.array([0, 1])),
    ],
    "id … in walk … is negative; ids must be between 0 and V - 1, or -1 for padding": [
        lambda: Corpus.from_walks(np.array([[0, -2]])),
    ],
    "walk … continues after -1; padding is allowed only at the end of a walk": [
        lambda: Corpus.from_walks(np.array([[0, -1, 1]])),
        lambda: Corpus.from_walks([[0, -1, 1]]),
    ],
    "walks is …; it must be an integer matrix, or an iterable of lists of nodes": [
        lambda: Corpus.from_walks("abc"),
    ],
    "walk … is …; it must be a list of nodes": [
        lambda: Corpus.from_walks(["abc"]),
    ],
    "word … cannot be written to …: words must not be empty or contain white space": [
        lambda: write_text("new york"),
    ],
    "word … cannot be written to …: words must not contain line feeds": [
        lambda: Corpus.from_sentences([["the\ncat"]], min_count=1).save("a.w2v"),
    ],
    "word … cannot be written to …: it cannot be encoded in UTF-8 (…); replace it": [
        lambda: Corpus.from_sentences([["\ud83d"]], min_count=1).save("a.w2v"),
    ],
    "…: an encoded corpus cannot be compressed, because it is mapped into memory; remove the … from the name": [
        lambda: corpus().save("a.w2v.gz"),
    ],
    "… is not an encoded corpus: its signature is missing. To create one, run: fastw2v encode corpus.txt -o …": [
        lambda: Corpus.load(write("a.w2v", "the cat sat")),
    ],
    "… is cut short: the header is incomplete; encode the corpus again": [
        lambda: encoded(length=START - 1),
    ],
    "… is cut short: it has … bytes, but its header specifies …; encode the corpus again": [
        lambda: encoded(length=-1),
    ],
    "… is too long: it has … bytes, but its header specifies …; encode the corpus again": [
        lambda: encoded(slice(-1, None), b"\nx"),
    ],
    "… is damaged: the checksum of its … is wrong; encode the corpus again": [
        lambda: encoded(16),
        lambda: encoded(-2),
        lambda: encoded(8, b"\0"),
    ],
    "… is damaged: its … are wrong; encode the corpus again": [
        lambda: wrongly_encoded([0, 2], ["cat", "dog"]),
        lambda: wrongly_encoded([0, 1], ["cat", "cat"]),
        lambda: with_header_field(1, 0),
    ],
    "… has format version …, but the installed fastw2v reads version …; upgrade fastw2v": [
        lambda: encoded(8, b"\x09"),
        lambda: with_header_field(1, 2),
    ],
    "… has words of the unknown type …; it was written by a later version of fastw2v": [
        lambda: with_header_field(2, 9),
    ],
    "…: the name of an encoded corpus must end in .w2v": [
        lambda: fastw2v("encode", write("a.txt", "the cat\n" * 9), "-o", "a.txt.bin"),
    ],
    "threshold is …; it must be above 0 with the default scoring": [
        lambda: find_phrases(corpus(), threshold=0),
    ],
    "threshold is …; it must be between -1 and 1 with npmi scoring": [
        lambda: find_phrases(corpus(), threshold=10, scoring="npmi"),
    ],
    "delimiter is …; it must be a non-empty string without white space": [
        lambda: find_phrases(corpus(), delimiter=" "),
    ],
    "the words of the corpus are integers; phrases can be found only in words that are strings": [
        lambda: find_phrases(numbers()),
    ],
}
