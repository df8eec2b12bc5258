"""Producers of errors in the section "Files of word2vec, GloVe and fastText"."""

from __future__ import annotations

import struct
from pathlib import Path

from fastw2v import WordVectors
from tests.errors.common import Producer, write

ROW = struct.pack("<2f", 0.5, 0.25)


def load(content: str | bytes, name: str = "a.txt", **settings: str) -> WordVectors:
    return WordVectors.load(write(name, content), **settings)


def too_many_dimensions() -> None:
    with Path("a.bin").open("wb") as file:
        file.write(b"1 600000000\na ")
        file.truncate(2_400_000_100)  # a hole, which takes no space on disk
    WordVectors.load("a.bin")


def text_in_values() -> WordVectors:
    """Load a binary file with the word "new york city", which a reader takes for "new" and values."""
    rows = [b"x " + struct.pack("<8f", *[0.3] * 8), b"new york city " + struct.pack("<8f", *[0.2] * 8)]
    return load(b"3 8\n" + b"".join(rows) + b"y " + struct.pack("<8f", *[0.1] * 8), "a.bin")


def fasttext(
    version: int = 12,
    words: int = 1,
    pruned: int = -1,
    count: int = 3,
    quantised: int = 0,
    width: int = 2,
    rows: int = 1,
    longest: int = 0,
    outputs: int = 1,
    cut: int | None = None,
) -> WordVectors:
    """Load a model of fastText with one word and two dimensions, of which something is wrong."""
    settings = [0] * 7 + [5, 1, longest, 0]
    head = struct.pack("<14id3i2q", 793712314, version, 2, *settings, 0.0, words, words, 0, 3, pruned)
    entry = b"sun\0" + struct.pack("<qb", count, 0)
    matrix = struct.pack("<?2q", bool(quantised), rows, width) + ROW * rows
    second = struct.pack("<?2q", False, outputs, 2) + ROW
    return load((head + entry + matrix + second)[:cut], "a.bin")


def dictionary_without_end() -> WordVectors:
    """Load a model of fastText with one dimension whose dictionary has no end."""
    head = struct.pack("<14id3i2q", 793712314, 12, 1, *[0] * 11, 0.0, 1, 1, 0, 3, -1)
    return load(head + b"x" * 200, "a.bin")


PRODUCERS: dict[str, list[Producer]] = {
    "…: the first line is …, not the number of words and the number of dimensions; check the format": [
        lambda: load(b"\x01\x02\n\x03", "a.bin", format="bin"),
    ],
    "…: the first line is …, not the number of words and the number of dimensions; if this is a GloVe file, which has no header line, use format='glove'": [
        lambda: load("cat 0.5 0.25", "a.bin", format="bin"),
    ],
    "…: the first line is …, not a word and numbers; check the format": [
        lambda: load("1\n2\n", "a.glove"),
    ],
    "…: the header gives … words of … dimensions; both numbers must be at least 1": [
        lambda: load("0 2\ncat 0.5 0.25\n"),
    ],
    "…: the header gives … dimensions; at most … are supported": [
        too_many_dimensions,
    ],
    "…: … words of … dimensions need at least … bytes, but only … follow the header. The file is truncated or its header is wrong; fetch or write it again": [
        lambda: load("99 300\ncat 0.5\n"),
    ],
    "…: more data follows the last row, …. The header, which gives the number of words as …, is wrong, or the file is damaged": [
        lambda: load("1 2\ncat 0.5 0.25\ndog 0.5 0.25\n"),
    ],
    "…: line … is …, not a word and … float32 numbers. The file is damaged or the number of dimensions is wrong": [
        lambda: load("2 2\ncat 0.5 0.25\ndog 0.5\n"),
        lambda: load("2 2\ncat 0.5 0.25\ndog 0.5 0.25 1\n"),
        lambda: load("2 2\ncat 0.5 0.25\n 0.5 0.25\n"),
        lambda: load("2 2\ncat 0.5 0.25\ndog 0.5 x\n"),
        lambda: load("2 2\ncat 0.5 0.25\ndog 0.5 1e39\n"),
        lambda: load("2 2\ncat 0.5 0.25\ndog 0.5 1e999\n"),
    ],
    "…: line … is …, not a word and … float32 numbers. The word and the numbers must be separated by spaces, not by tabs": [
        lambda: load("2 2\ncat 0.5 0.25\ndog\t0.5\t0.25\n"),
    ],
    "…: line … of … is missing or does not end with a newline. The file is truncated; fetch or write it again. If only the newline is missing, add it at the end": [
        lambda: load("2 2\ncat 0.5 0.25\ndog 0.5 0.25"),
    ],
    "…: row … of … starts at byte … and extends beyond the end of the file at … bytes. The file is truncated or damaged; fetch or write it again": [
        lambda: load(b"2 2\ncat " + ROW + b"doggy " + ROW[:-2], "a.bin"),
    ],
    "…: row … of …, at byte …, starts with …, which is not a word. The file is damaged, or was written with a word that contains a space; write it again": [
        lambda: load(b"2 2\ncat " + ROW + b"\x01\x02 " + ROW, "a.bin"),
    ],
    "…: row … of …, …, has text instead of values, …. The file is damaged, or was written with a word that contains a space; write it again": [
        text_in_values,
    ],
    "…: row … of … does not end with a newline at byte …. The file is damaged, or was written with a word that contains a space; write it again": [
        lambda: (
            load(b"3 2\ncat " + ROW + b"\ndog " + ROW + b"\nsun " + ROW, "a.bin")
            and load(b"3 2\ncat " + ROW + b"\ndog " + ROW + b"sun " + ROW + b"\n", "a.bin")
        ),
    ],
    "…: cannot read this fastText model: it does not begin like one. Models of before 2017 are not supported; use their .vec files": [
        lambda: WordVectors.load(write("a.bin", bytes(200)), format="fasttext"),
    ],
    "…: cannot read this fastText model: it ends after … bytes, before the end of its dictionary or of its matrices. The file is truncated or damaged; fetch or write it again": [
        lambda: fasttext(cut=140),
    ],
    "…: a floret table contains no words, so it can only be written; read it in floret or spaCy": [
        lambda: load("1 1 3 6 1 2166136261 < >\n0 0.5\n", "a.floret"),
    ],
    "…: cannot read this fastText model: it is truncated within its dictionary; fetch or write it again": [
        dictionary_without_end,
    ],
    "…: cannot read this fastText model: quantised and pruned models are not supported; use the .bin or .vec file of the model": [
        lambda: fasttext(pruned=1),
        lambda: fasttext(quantised=1),
    ],
    "…: cannot read this fastText model: version … with … words of … dimensions is not supported; convert it to .vec": [
        lambda: fasttext(version=99),
    ],
    "…: cannot read this fastText model: its matrix of shape (…, …) does not match the header or the file size; fetch it again": [
        lambda: fasttext(width=3),
    ],
    "…: cannot read this fastText model: its second matrix does not end at the end of the file; the file is truncated or damaged": [
        lambda: fasttext(outputs=2),
    ],
    "…: cannot read this fastText model: its matrix has … rows, but there are … words and … buckets for n-grams of … to … characters; fetch it again": [
        lambda: fasttext(longest=3),
    ],
    "…: cannot read this fastText model: its dictionary has … words instead of …, or a negative count; fetch it again": [
        lambda: fasttext(count=-1),
    ],
}
