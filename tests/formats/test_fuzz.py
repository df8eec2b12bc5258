"""Damaged files of every format: either an error or a consistent result, never a crash, a hang or a huge allocation."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import lzma
import pickle
import re
import shutil
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastw2v.compat.gensim import KeyedVectors
from fastw2v.compat.textbook import load_textbook_pickle
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.formats.fileio import FormatError
from fastw2v.formats.registry import format_of
from fastw2v.vectors.word_vectors import WordVectors

WORDS = ["</s>", "the", "naïve", "日本", "x=1", "of-the", "n0"]
MATRIX = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)


def make_files(folder: Path) -> dict[str, list[Path]]:
    """Write a valid file of each format, and return the files of each format to damage."""
    vectors = WordVectors(WORDS, MATRIX, counts=range(7, 0, -1), context_vectors=MATRIX * 2, settings={"window": 5})
    names = ("a.bin", "a.txt", "a.glove", "a.bin.gz", "a.vec.gz", "a.txt.bz2", "a.bin.xz", "a.safetensors", "a.npz")
    for name in (*names, "a.tsv"):
        vectors.save(folder / name)
    rows = (word.encode() + b" " + row.tobytes() + b"\n" for word, row in zip(WORDS, MATRIX, strict=True))
    (folder / "c.bin").write_bytes(b"7 5\n" + b"".join(rows))

    vectors.save(folder / "static", format="static-embedding")
    # The rows of n-grams are zeros, so that the vector of a word is that of its own row, divided by the number of rows.
    subwords = Subwords(WORDS, NGrams(2, 3, 50))
    sizes = np.diff(subwords.starts)[:, None]
    W_in = np.concatenate([MATRIX * sizes, np.zeros((len(subwords.buckets), 5), np.float32)]).astype(np.float32)
    with_subwords = WordVectors(WORDS, MATRIX, input_vectors=W_in, subwords=subwords)
    for name in ("n.safetensors", "n.npz"):
        with_subwords.save(folder / name)
    peer = keyed_vectors()
    peer.save(str(folder / "a.kv"))
    (folder / "fasttext.bin").write_bytes(fasttext_model())
    ids = {word: i for i, word in enumerate(WORDS)}
    params = {"word_vecs": MATRIX, "word_to_id": ids, "id_to_word": dict(enumerate(WORDS))}
    (folder / "textbook.pkl").write_bytes(pickle.dumps(params, 4))
    files = {path.name: [path] for path in folder.iterdir() if path.is_file()}
    files["a.tsv"].append(folder / "a.metadata.tsv")
    del files["a.metadata.tsv"]
    files["static"] = [folder / "static" / name for name in ("tokenizer.json", "model.safetensors")]
    return files


def keyed_vectors() -> Any:
    from gensim.models import KeyedVectors

    peer = KeyedVectors(5)
    peer.add_vectors(WORDS, MATRIX)
    for i, word in enumerate(WORDS):
        peer.set_vecattr(word, "count", 7 - i)
    return peer


def fasttext_model() -> bytes:
    """Build the bytes of a fastText model without n-grams."""
    head = np.array([793712314, 12, 5, 5, 5, 1, 5, 1, 2, 1, 0, 0, 0, 100], dtype="<i4").tobytes()
    head += np.array([1e-4]).tobytes() + np.array([7, 7, 0], dtype="<i4").tobytes()
    head += np.array([28, -1], dtype="<i8").tobytes()
    entries = b"".join(word.encode() + b"\0" + np.int64(7 - i).tobytes() + b"\0" for i, word in enumerate(WORDS))
    matrix = b"\0" + np.array([7, 5], dtype="<i8").tobytes() + MATRIX.tobytes()
    return head + entries + matrix + matrix


EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.floats(0, 1, exclude_max=True), st.integers(0, 255)),
        st.tuples(st.just("flip"), st.floats(0, 1, exclude_max=True), st.integers(0, 7)),
        st.tuples(st.just("insert"), st.floats(0, 1), st.binary(min_size=1, max_size=9)),
        st.tuples(st.just("delete"), st.floats(0, 1, exclude_max=True), st.integers(1, 30)),
        st.tuples(st.just("cut"), st.floats(0, 1, exclude_max=True), st.none()),
        st.tuples(st.just("copy"), st.floats(0, 1), st.floats(0, 1)),
        # Values for counts, sizes and offsets, as text and as integers of 4 and 8 bytes.
        st.tuples(st.just("digits"), st.integers(0, 20), st.sampled_from([b"-1", b"0", b"8", b"99999999", b"9" * 18])),
        st.tuples(
            st.just("number"),
            st.floats(0, 1, exclude_max=True),
            st.sampled_from([n.to_bytes(8, "little", signed=True) for n in (-1, 0, 1, 8, 2**31, 2**62, -(2**63))]),
        ),
    ),
    min_size=1,
    max_size=3,
)


def damaged(data: bytes, edits: list[tuple[str, Any, Any]]) -> bytes:
    changed = bytearray(data)
    for kind, where, what in edits:
        at = int(where * len(changed)) if isinstance(where, float) else where
        if not changed:
            break
        if kind == "set":
            changed[at] = what
        elif kind == "flip":
            changed[at] ^= 1 << what
        elif kind == "insert":
            changed[at:at] = what
        elif kind == "delete":
            del changed[at : at + what]
        elif kind == "cut":
            del changed[at:]
        elif kind == "copy":
            changed[at:at] = changed[at : at + int(what * 60)]
        elif kind == "digits":
            numbers = [i for i, byte in enumerate(changed) if 48 <= byte < 58]
            if numbers:
                place = numbers[where % len(numbers)]
                changed[place : place + 1] = what
        else:
            changed[at : at + 8] = what
    return bytes(changed)


# Parts of the messages of struct, NumPy, zlib, lzma, bz2, zipfile, pickletools and safetensors.
LIBRARY_ERROR = re.compile(
    r"unpack requires|to unpack|cannot unpack|buffer|while decompressing|Invalid data|Corrupt|corrupted|not a zip|"
    r"opcode|reshape|broadcast|deserializ|out of range|magic|object has no|'NoneType'"
)


def check(reader: Callable[[], WordVectors], hold_rows: bool) -> None:
    """Check that the result, if there is one, is consistent. With `hold_rows`, at most two rows may differ."""
    message = ""
    start = time.perf_counter()
    tracemalloc.start()
    try:
        back = reader()
        words = list(back)
        if back.has_subwords and "unseen" in back:
            with contextlib.suppress(ValueError):  # wrong buckets are found when they are needed
                assert back["unseen"].shape == (back.vector_size,)
        assert back.vectors.shape == (len(words), back.vector_size)
        assert len(set(words)) == len(words)
        assert back.counts is None or len(back.counts) == len(words)
        if back.vector_size == 5:
            kept = [word for word in words if word in WORDS]
            with np.errstate(invalid="ignore"):  # a number that became a signalling NaN
                same = [back[word].astype("f4").tobytes() == MATRIX[WORDS.index(word)].tobytes() for word in kept]
            assert not hold_rows or same.count(False) <= 2
    except FormatError as error:
        message = str(error)
    except FileNotFoundError:
        pass
    except RuntimeError as error:
        if "pip install zstandard" not in str(error):  # the damage made the beginning of a zstd file
            raise
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert len(message) < 600
    assert not LIBRARY_ERROR.search(message)
    assert peak < 2**24
    assert time.perf_counter() - start < 5


FILES = [
    *("a.bin", "c.bin", "a.txt", "a.glove", "a.bin.gz", "a.vec.gz", "a.txt.bz2", "a.bin.xz", "a.safetensors", "a.npz"),
    *("a.tsv", "a.kv", "fasttext.bin", "static", "textbook.pkl", "n.safetensors", "n.npz"),
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    return make_files(tmp_path_factory.mktemp("sound"))


def read_textbook(path: Path) -> WordVectors:
    params = load_textbook_pickle(path)
    return WordVectors(list(params["word_to_id"]), params["word_vecs"])


def fuzz(files: list[Path], which: int, edits: list[tuple[str, Any, Any]]) -> None:
    victim = files[which % len(files)]
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(shutil.copy(path, folder)) for path in files]
        target = Path(folder) / victim.name
        data = victim.read_bytes()
        # The checksum of compressed data detects a flipped bit, so the data inside it is damaged as well.
        codec = {".gz": gzip, ".bz2": bz2, ".xz": lzma}.get(target.suffix) if which % 2 else None
        target.write_bytes(
            codec.compress(damaged(codec.decompress(data), edits)) if codec is not None else damaged(data, edits)
        )
        path = Path(folder) if files[0].name == "tokenizer.json" else copies[0]
        reader = (lambda: read_textbook(path)) if path.suffix == ".pkl" else (lambda: WordVectors.load(path))
        # Two edits can compensate for each other, for example if a byte is removed from one row and another is inserted
        # later. One bit of a pickle determines the byte order of all numbers.
        lasting = path.suffix in (".pkl", ".kv") and edits[0][0] in ("set", "flip", "number", "digits")
        check(reader, hold_rows=len(edits) == 1 and not lasting)


@pytest.mark.parametrize("name", FILES)
def test_sound_files_are_read(sound: dict[str, list[Path]], name: str) -> None:
    assert set(sound) == set(FILES)
    path = sound[name][0].parent if name == "static" else sound[name][0]
    back = read_textbook(path) if name == "textbook.pkl" else WordVectors.load(path)
    assert back.index_to_key == WORDS
    assert back.vectors.tobytes() == MATRIX.tobytes()


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(0, 3), edits=EDITS)
def test_damaged_files(sound: dict[str, list[Path]], name: str, which: int, edits: list[tuple[str, Any, Any]]) -> None:
    fuzz(sound[name], which, edits)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(0, 3), edits=EDITS)
def test_damaged_files_at_length(
    sound: dict[str, list[Path]], name: str, which: int, edits: list[tuple[str, Any, Any]]
) -> None:
    fuzz(sound[name], which, edits)


@pytest.mark.parametrize("name", ["a.bin", "c.bin", "a.txt", "a.glove", "a.bin.gz", "a.txt.bz2", "fasttext.bin"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(binary=st.booleans(), no_header=st.booleans(), twice=st.integers(0, 6), edits=EDITS)
def test_damaged_files_in_word2vec_format(
    sound: dict[str, list[Path]],
    name: str,
    binary: bool,
    no_header: bool,
    twice: int,
    edits: list[tuple[str, Any, Any]],
) -> None:
    """With any `binary` and `no_header`, and with a word that occurs twice."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        codec = {".gz": gzip, ".bz2": bz2}.get(path.suffix)
        data = sound[name][0].read_bytes() if codec is None else codec.decompress(sound[name][0].read_bytes())
        data = damaged(data.replace(WORDS[twice].encode(), WORDS[0].encode()), edits)
        path.write_bytes(data if codec is None else codec.compress(data))
        check(lambda: KeyedVectors.load_word2vec_format(path, binary=binary, no_header=no_header), hold_rows=False)


@pytest.mark.parametrize(
    "name", [name for name in FILES if name not in ("static", "textbook.pkl", "a.npz", "n.npz", "a.tsv")]
)
def test_files_under_another_name(sound: dict[str, list[Path]], name: str, tmp_path: Path) -> None:
    data = sound[name][0].read_bytes()
    for other in ("x.txt", "x.bin", "x.safetensors", "x.npz", "x.foo", "x"):
        (tmp_path / other).write_bytes(data)
        if name == "a.kv":  # a pickle is read only by its name
            with pytest.raises(FormatError, match="this is a pickle; if gensim wrote it, use format='gensim'"):
                WordVectors.load(tmp_path / other)
            continue
        back = WordVectors.load(tmp_path / other)
        assert back.index_to_key == WORDS
        assert back.vectors.tobytes() == MATRIX.tobytes()


BODY = st.lists(st.sampled_from([b"a", b"bc", b" ", b"\n", b"\0", b"\xc3\xa9", b"\x80", b"1234"]), max_size=24)


def read_plainly(body: bytes, n_words: int, n_dims: int) -> list[tuple[bytes, bytes]]:
    """Read rows one after another, like the C tools."""
    rows = []
    for _ in range(n_words):
        word, _, body = body.partition(b" ")
        rows.append((word.removeprefix(b"\n") if rows else word, body[: 4 * n_dims]))
        body = body[4 * n_dims :]
    return rows


def is_text(body: bytes, n_words: int, n_dims: int) -> bool:
    """Return whether a file is text: every line ends, and is a word and numbers without a control character."""
    *lines, end = body.split(b"\n")
    form = re.compile(rb"[^\0]+" + rb" [0-9]+" * n_dims)
    return not end and len(lines) >= n_words and all(form.fullmatch(line.rstrip()) for line in lines[:n_words])


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 3), st.integers(1, 2), BODY.map(b"".join))
def test_small_binary_files_are_read_as_a_plain_reader_does_or_refused(n_words: int, n_dims: int, body: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.bin"
        path.write_bytes(b"%d %d\n" % (n_words, n_dims) + body)
        try:
            back = WordVectors.load(path, errors="surrogateescape")
        except FormatError:
            return
        rows = [
            (word.encode("utf-8", "surrogateescape"), row.tobytes())
            for word, row in zip(back.index_to_key, back.vectors, strict=True)
        ]
        if is_text(body, n_words, n_dims):
            assert back.vectors.tolist() == [
                [float(number) for number in line.split()[-n_dims:]] for line in body.split(b"\n")[:n_words]
            ]
            return
        assert rows == read_plainly(body, n_words, n_dims)


# Words that are hard to store

HOSTILE = [
    "new york",
    "a\nb",
    "nul\0",
    "x" * 200,
    "\u0301",
    "",
    "\u2028",
    "a\u00a0b",
    "日" * 70,
    "\ufeff",
    "-1.5",
    "1",
    "\t",
]
ANY_WORD = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=6))


WORDS_TO_KEEP = st.lists(ANY_WORD, min_size=1, max_size=5, unique=True)
KEEPERS = ["a.bin", "a.txt", "a.glove", "a.vec.gz", "a.safetensors", "a.npz", "a.tsv", "static", "fasttext"]


@pytest.mark.parametrize("name", KEEPERS)
@settings(max_examples=60, deadline=None)
@given(words=WORDS_TO_KEEP)
def test_hostile_words_come_back_or_are_refused(name: str, words: list[str]) -> None:
    keep(name, words)


@pytest.mark.slow
@pytest.mark.parametrize("name", KEEPERS)
@settings(max_examples=2000, deadline=None)
@given(words=WORDS_TO_KEEP)
def test_hostile_words_at_length(name: str, words: list[str]) -> None:
    keep(name, words)


def keep(name: str, words: list[str]) -> None:
    vectors = WordVectors(words, np.arange(3 * len(words), dtype=np.float32).reshape(-1, 3) + 0.5)
    kind = {"static": "static-embedding", "fasttext": "fasttext"}.get(name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        refusal = None
        try:
            vectors.save(path, format=kind)
        except FormatError as error:
            refusal = str(error)
        if refusal is not None:
            assert name not in ("a.safetensors", "a.npz")
            assert any(repr(word) in refusal or (word == "" and "the empty word" in refusal) for word in words)
            assert not list(Path(folder).iterdir())
            return
        back = WordVectors.load(path, format=kind)
        assert back.index_to_key == words
        assert back.vectors.tobytes() == vectors.vectors.tobytes()
        assert format_of(path, kind) is not None


def test_json_of_great_depth_is_refused(tmp_path: Path, sound: dict[str, list[Path]]) -> None:
    for file in sound["static"]:
        shutil.copy(file, tmp_path)
    (tmp_path / "tokenizer.json").write_text("[" * 100_000)
    with pytest.raises(FormatError, match="StaticEmbedding"):
        WordVectors.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"a": 0, "b": 0}}}))
    with pytest.raises(FormatError, match="one word for each"):
        WordVectors.load(tmp_path)
