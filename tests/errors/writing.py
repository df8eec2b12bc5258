"""Producers of errors in the section "Writing files"."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from fastw2v import WordVectors
from fastw2v.config import Units
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.utils import atomic_write
from tests.errors.common import Producer, corpus, fastw2v, vectors, write


def of_floret(units: Units = "characters") -> WordVectors:
    subwords = Subwords(["cat"], NGrams(3, 6, 10, hash_count=1, units=units))
    return WordVectors(["cat"], None, input_vectors=np.ones((10, 3), np.float32), subwords=subwords)


def of(word: str) -> WordVectors:
    return WordVectors([word], np.ones((1, 3), np.float32))


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, path: Path) -> None:
        if name == "flush":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic_write, "_step", fail)
    vectors().save("a.bin")


def no_zstd(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("compression.zstd", "backports.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    vectors().save("a.txt.zst")


def read_only_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)
    fastw2v("convert", saved(), "b.bin")


def saved() -> str:
    vectors().save("a.bin")
    return "a.bin"


def to_a_device() -> None:
    if not Path("/dev/null").exists():
        pytest.skip("needs devices with names")
    vectors().save("/dev/null", format="bin")


PRODUCERS: dict[str, list[Producer]] = {
    "[Errno …] …: …": [
        full_disk,
        lambda: vectors().save("missing/a.bin"),
    ],
    "… is a folder; pass the path of a file": [
        lambda: vectors().save(".", format="bin"),
    ],
    "… is a URL, but files are written to this machine only; pass the path of a file": [
        lambda: vectors().save("https://example.org/v.bin"),
        lambda: vectors().save_pretrained("https://example.org/cats", "user/cats", license="mit"),
    ],
    "… is a pipe or a device; pass the path of a file, because files are written in full first": [
        to_a_device,
    ],
    "…: the n-grams of these vectors are hashed as in floret, which models of fastText cannot store; write .floret or .safetensors": [
        lambda: of_floret().save("a.bin", format="fasttext"),
    ],
    "…: models of fastText and tables of floret cannot store n-grams of …; write .safetensors. To write the vectors of the vocabulary alone, use fastw2v convert --to bin or --to txt": [
        lambda: of_floret("jamo").save("a.floret"),
        lambda: of_floret("jamo").save("a.bin", format="fasttext"),
    ],
    "…: a floret table stores vectors that were trained with floret's n-grams, which these vectors do not have; write .safetensors or .txt": [
        lambda: vectors().save("a.floret"),
    ],
    "… already exists; choose the name of a new folder": [
        lambda: vectors().save(".", format="static-embedding"),
        lambda: fastw2v("convert", saved(), ".", "--to", "static-embedding"),
    ],
    "…: … files are not written; to compress the file, use a name such as …": [
        lambda: vectors().save("a.zip"),
        lambda: corpus().write_text("a.txt.tar.gz"),
    ],
    "cannot write …: .zst files need the package zstandard. Run pip install zstandard": [
        no_zstd,
    ],
    "…: … files store float32; for …, write .safetensors or .npz, or omit the dtype": [
        lambda: fastw2v("convert", saved(), "b.bin", "--dtype", "int8"),
    ],
    "…: gensim's own format can only be read; write .bin or .txt, which gensim can read": [
        lambda: vectors().save("a.kv"),
    ],
    "…: the word … contains a space or control character and cannot be written to …, because no reader could tell where the word ends. Save as .safetensors, which stores any word, or rename the word": [
        lambda: of("new york").save("a.bin"),
    ],
    "…: the word … contains a control character and cannot be written to …, because no reader could tell where the word ends. Save as .safetensors, which stores any word, or rename the word": [
        lambda: of("new\tyork").save("a.tsv"),
    ],
    "…: the word … contains the character NUL or a line feed and cannot be written to …, because no reader could tell where the word ends. Save as .safetensors, which stores any word, or rename the word": [
        lambda: of("new\nyork").save("a.bin", format="fasttext"),
    ],
    "…: the empty word cannot be written to …, because no reader could tell where the word ends. Save as .safetensors, which stores any word, or rename the word": [
        lambda: of("").save("a.txt"),
    ],
    "…: the word … is not valid Unicode: …. Rename the word": [
        lambda: of("\ud83d").save("a.txt"),
    ],
    "…: the first word, …, starts with a byte order mark, which readers of text remove. Save as .safetensors, which stores any word, or rename the word": [
        lambda: of("\ufeffcat").save("a.glove"),
    ],
    "…: some words are not UTF-8, so JSON cannot store them. Save as .safetensors instead": [
        lambda: of("caf\udce9").save("a", format="static-embedding"),
    ],
    "…: this format reserves the word … for unknown words; rename the word": [
        lambda: of("[UNK]").save("a", format="static-embedding"),
    ],
    "…: the value … in row … is too large for …, the type of this format. Save the vectors as .safetensors, which keeps …, or scale them": [
        lambda: WordVectors(["cat"], np.array([[1e300]])).save("a.bin"),
    ],
    "…: the folder … is not writable; choose another folder": [
        read_only_folder,
    ],
    "two outputs are written to …; choose another name for one of them": [
        lambda: fastw2v("word2vec", "-train", write("b.txt", "a\n"), "-output", "a.txt", "-save-vocab", "a.txt"),
    ],
    "… is an input and would be overwritten; choose another name for the output": [
        lambda: fastw2v("align", saved(), saved(), "-o", "a.bin"),
        lambda: fastw2v("convert", saved(), "a.bin"),
    ],
}
