"""Producers of errors in the section "Files of fastw2v, gensim, projector and StaticEmbedding"."""

from __future__ import annotations

import json
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import WordVectors
from tests.errors.common import Producer, vectors, write

MATRIX = np.ones((2, 3), np.float32)
TENSORS = {"vectors": MATRIX, "words": np.frombuffer(b"abc", np.uint8), "word_offsets": np.array([0, 1, 3])}


def safetensors(metadata: dict[str, str] | None = None, **changes: Any) -> None:
    """Load a safetensors file with other tensors or metadata; None removes a tensor."""
    from safetensors.numpy import save_file

    tensors = {name: tensor for name, tensor in (TENSORS | changes).items() if tensor is not None}
    save_file(tensors, "a.safetensors", {"format": "fastw2v", "version": "1"} | (metadata or {}))
    _ = WordVectors.load("a.safetensors").index_to_key


def npz(**changes: Any) -> None:
    """Load an archive with other arrays; None removes an array."""
    np.savez("a.npz", **{name: array for name, array in (TENSORS | changes).items() if array is not None})
    WordVectors.load("a.npz")


def damaged_npz(length: int) -> None:
    np.savez("a.npz", **TENSORS)
    WordVectors.load(write("a.npz", Path("a.npz").read_bytes()[:length]))


def large_npz() -> None:
    """Load an archive whose array is longer than its header says."""
    import io
    import zipfile

    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, MATRIX)
    with zipfile.ZipFile("a.npz", "w") as archive:
        for name in TENSORS:
            archive.writestr(f"{name}.npy", buffer.getvalue() + b"more")
    WordVectors.load("a.npz")


def save(vectors: WordVectors, name: str, settings: Any = None) -> None:
    vectors.settings = settings
    vectors.save(name)


def gensim(monkeypatch: pytest.MonkeyPatch, kind_name: str = "KeyedVectors", **state: Any) -> None:
    """Load a pickle like those of gensim's KeyedVectors, with other attributes; None removes one."""
    module = types.ModuleType("gensim.models.keyedvectors")
    kind = type(kind_name, (), {"__module__": module.__name__})
    monkeypatch.setattr(module, kind_name, kind, raising=False)
    for name in ("gensim", "gensim.models"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    keyed_vectors = kind()
    words = {"index_to_key": ["cat", "dog"], "key_to_index": {"cat": 0, "dog": 1}, "vectors": MATRIX}
    vars(keyed_vectors).update({name: value for name, value in (words | state).items() if value is not None})
    WordVectors.load(write("a.kv", pickle.dumps(keyed_vectors)))


def gensim_fasttext(monkeypatch: pytest.MonkeyPatch, **state: Any) -> None:
    """Load a pickle like those of gensim's FastTextKeyedVectors."""
    ngrams = {"min_n": 3, "max_n": 6, "bucket": 4, "vectors_ngrams": np.ones((4, 3), np.float32)}
    given = {"vectors": None, "vectors_vocab": MATRIX, "compatible_hash": True} | ngrams | state
    gensim(monkeypatch, "FastTextKeyedVectors", **given)


def beside(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    write("a.kv.vectors.npy", content)
    gensim(monkeypatch, vectors=None, __numpys=["vectors"])


def kv(content: Any) -> None:
    WordVectors.load(write("a.kv", content if isinstance(content, bytes) else pickle.dumps(content)))


def projector(numbers: str, words: str) -> None:
    write("a.metadata.tsv", words)
    WordVectors.load(write("a.tsv", numbers))


def static(tokenizer: Any = None, tensor: str | None = None, rows: int = 2) -> None:
    """Load a folder of StaticEmbedding with another tokenizer or other tensors."""
    from safetensors.numpy import save_file

    WordVectors(["cat", "dog"], MATRIX).save("a", format="static-embedding")
    if tokenizer is not None:
        write("a/tokenizer.json", json.dumps(tokenizer))
    if tensor is not None:
        save_file({tensor: MATRIX[:rows]}, "a/model.safetensors")
    WordVectors.load("a")


PRODUCERS: dict[str, list[Producer]] = {
    "…: not a complete safetensors file: …. The file is truncated, damaged or in a different format; fetch or write it again": [
        lambda: WordVectors.load(write("a.safetensors", b"\x10" + bytes(7) + b"{}"), format="safetensors"),
    ],
    "…: this safetensors file does not contain fastw2v word vectors; its tensors are …": [
        lambda: safetensors({"format": "pt"}),
    ],
    "…: the file has version … of the fastw2v format, but the installed fastw2v reads versions up to …; upgrade fastw2v": [
        lambda: safetensors({"version": "9"}),
    ],
    "…: the file has no valid version of the fastw2v format, so it is damaged": [
        lambda: safetensors({"version": "0"}),
    ],
    "…: the file has no …, so it is damaged": [
        lambda: safetensors(words=None),
    ],
    "…: … has type … and shape …; it must have type … and …": [
        lambda: safetensors(vectors=MATRIX[0]),
        lambda: safetensors(word_offsets=np.array([0, 1, 3], np.int32)),
    ],
    "…: vectors has … rows, but there are … words; the file is damaged": [
        lambda: safetensors(vectors=np.ones((3, 3), np.float32)),
    ],
    "…: word_offsets does not run from 0 to the length of words; the file is damaged": [
        lambda: safetensors(word_offsets=np.array([0, 1, 4])),
        lambda: npz(word_offsets=np.array([0, 1, 4])),
    ],
    "…: the words are not all …; the file is damaged": [
        lambda: safetensors({"keys": "integers"}),
    ],
    "…: the settings are not valid JSON; the file is damaged": [
        lambda: safetensors({"settings": "{"}),
    ],
    "…: the settings of n-grams, …, are invalid, or do not match the buckets and input_vectors. The file is damaged; write it again": [
        lambda: safetensors({"min_n": "3", "max_n": "2", "bucket": "9"}),
        lambda: npz(ngrams=np.array([3, 6, 1000, -1])),
    ],
    "…: … has type …, but the file has … …_scales, which belongs to int8. The file is damaged; write it again": [
        lambda: safetensors(vectors=np.ones((2, 3), np.int8)),
        lambda: npz(vectors_scales=np.ones(2, np.float32)),
    ],
    "…: …. The file is damaged; write it again": [
        lambda: safetensors(vectors=np.ones((2, 3), np.int8), vectors_scales=np.full(2, np.inf, np.float32)),
        lambda: npz(vectors=np.ones((2, 3), np.int8), vectors_scales=np.ones(3, np.float32)),
    ],
    "…: buckets is not an array of int32, so fastw2v did not write it": [
        lambda: npz(ngrams=np.array([3, 6, 1000, -1]), buckets=np.ones(2)),
    ],
    "…: the settings cannot be represented in JSON: …": [
        lambda: save(vectors(), "a.safetensors", {"matrix": MATRIX}),
    ],
    "…: the archive has no …, so fastw2v did not write it": [
        lambda: npz(words=None),
    ],
    "…: not a complete NumPy archive; the file is truncated or damaged. Fetch or write it again": [
        lambda: damaged_npz(-30),
    ],
    "…: the array … of the archive is damaged or is no array of numbers. Fetch or write the file again": [
        lambda: npz(vectors=np.array([None])),
        large_npz,
    ],
    "…: words is not an array of bytes, or word_offsets is not an array of int64, so fastw2v did not write it": [
        lambda: npz(words=np.array(["a", "bc"])),
    ],
    "…: not a pickle of gensim's word vectors: it contains neither a KeyedVectors object nor a Word2Vec model. Write another file in gensim, with save_word2vec_format": [
        lambda: kv({"cat": 1}),
    ],
    "…: not a pickle of gensim's word vectors: it refers to …. Write another file in gensim, with save_word2vec_format": [
        lambda: kv(print),
    ],
    "…: not a pickle of gensim's word vectors: it contains an array of type …; only numbers are supported. Write another file in gensim, with save_word2vec_format": [
        lambda monkeypatch: gensim(monkeypatch, vectors=np.array([None])),
    ],
    "…: not a pickle of gensim's word vectors: its … should be in …, which does not exist. Write another file in gensim, with save_word2vec_format": [
        lambda monkeypatch: gensim(monkeypatch, vectors=None, __numpys=["vectors"]),
    ],
    "…: not a pickle of gensim's word vectors: its … in … are truncated, damaged or not numbers. Write another file in gensim, with save_word2vec_format": [
        lambda monkeypatch: beside(monkeypatch, b"\x93NUMPY"),
    ],
    "…: not a pickle of gensim's word vectors: it has no …. Write another file in gensim, with save_word2vec_format": [
        lambda monkeypatch: gensim(monkeypatch, index_to_key=None),
        lambda monkeypatch: gensim(monkeypatch, vectors=None),
        lambda monkeypatch: gensim_fasttext(monkeypatch, vectors_vocab=None),
    ],
    "…: not a pickle of gensim's word vectors: its key_to_index does not match its list of words. Write another file in gensim, with save_word2vec_format": [
        lambda monkeypatch: gensim(monkeypatch, key_to_index={"cat": 1, "dog": 0}),
    ],
    "…: not a pickle of gensim's word vectors: its attributes have wrong types. Write another file in gensim, with save_word2vec_format": [
        lambda monkeypatch: gensim(monkeypatch, __numpys=3, vectors=None),
        lambda monkeypatch: gensim_fasttext(monkeypatch, min_n="3"),
    ],
    "…: not a pickle of gensim's word vectors: its n-grams are hashed in a way of their own, as in gensim before 3.8. Write another file in gensim, with save_word2vec_format": [
        lambda monkeypatch: gensim_fasttext(monkeypatch, compatible_hash=False),
    ],
    "…: not a pickle of gensim's word vectors: its matrices do not have one row for each word and each bucket. Write another file in gensim, with save_word2vec_format": [
        lambda monkeypatch: gensim_fasttext(monkeypatch, bucket=5),
    ],
    "…: not a pickle of gensim's word vectors: …. Write another file in gensim, with save_word2vec_format": [
        lambda: kv(b"\x80\x04"),
    ],
    "…: there is no file … in the same folder. A .tsv file contains only the vectors; their words are read from this second file": [
        lambda: WordVectors.load(write("a.tsv", "0.5\t1\n")),
    ],
    "… or … is truncated: the file is empty, or its last line has no newline. Write it again": [
        lambda: projector("0.5\t1\n", "cat"),
    ],
    "…: the lines differ in their number of columns; the file is damaged": [
        lambda: projector("0.5\t1\n0.5\t1\n", "word\tcount\ncat\t1\ndog\n"),
    ],
    "…: line … does not contain … tab-separated numbers; the file is damaged": [
        lambda: projector("0.5\t1\n0.5\n", "cat\ndog\n"),
    ],
    "…: the count … is not an integer; the file is damaged": [
        lambda: projector("0.5\t1\n", "word\tcount\ncat\tx\n"),
    ],
    "…: not a complete StaticEmbedding folder: tokenizer.json or model.safetensors is truncated, damaged or of another model": [
        lambda: static({"model": 1}),
    ],
    "…: model.safetensors has no embedding.weight; its tensors are …": [
        lambda: static(tensor="weights"),
    ],
    "…: tokenizer.json does not have one word for each of the … vectors; fetch the folder again": [
        lambda: static(tensor="embedding.weight", rows=1),
    ],
}
