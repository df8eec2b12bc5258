"""Damaged files of the readers that do not read word vectors: an error that names the file, or a consistent result.

`tests/formats/test_fuzz.py` damages files of vectors, and `tests/test_checkpoint_fuzz.py` runs with checkpoints.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import importlib.util
import lzma
import struct
import tempfile
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fastw2v import Corpus, Vocabulary, Word2Vec, WordVectors
from fastw2v.cli.inputs import read_words
from fastw2v.compat.textbook import load_params
from fastw2v.corpus import w2v_file
from fastw2v.evaluate import read_analogies, read_pairs
from fastw2v.formats.safetensors import write_tensors
from fastw2v.vectors import HNSWIndex, hnsw
from tests.formats.test_fuzz import EDITS, LIBRARY_ERROR, damaged

TEXT = "".join(f"the cat {word} sat on naïve 日本 mats\nthe dog {word} ran\n" for word in "abcdefgh")
KOREAN = "고양이 가 앉았다\n개 가 달렸다\n" * 8
QUESTIONS = ": capitals\nAthens Greece Paris France\nRome Italy Oslo Norway\n: family\nboy girl king queen\n"
PAIRS = "# word1 word2 score\ntiger cat 7.35\nking queen 8.58\nnaïve 日本 0.5\n"
COUNTS = "the 120\ncat 40\nnaïve 7\n日本 5\n"
CODECS: dict[str, Any] = {".gz": gzip, ".bz2": bz2, ".xz": lzma}
MAX_BYTES = 1 << 25
"""Limit of the memory that a reader may allocate. The blocks in which text is read take most of it."""


class Reader(NamedTuple):
    """A reader, and the bytes of a valid file."""

    content: bytes
    read: Callable[[Path], Any]
    suffix: str = ""

    def __repr__(self) -> str:  # not all bytes, in the reports of Hypothesis
        return f"Reader({self.content[:10]!r}, {self.suffix!r})"


def check_corpus(corpus: Corpus) -> None:
    """Check that a corpus is consistent, and that it can be trained on, or is refused."""
    assert corpus.offsets[0] == 0
    assert corpus.offsets[-1] == len(corpus)
    assert (np.diff(corpus.offsets) >= 0).all()
    V = len(corpus.vocabulary)
    assert not len(corpus) or (corpus.ids.min() >= 0 and corpus.ids.max() < V)
    assert len(corpus.vocabulary.counts) == V
    assert (corpus.vocabulary.counts >= 0).all()


def read_corpus(path: Path) -> None:
    check_corpus(Corpus.load(path))


def read_text(encoding: str = "utf-8", errors: Any = "strict") -> Callable[[Path], None]:
    return lambda path: check_corpus(Corpus.from_text(path, 1, encoding=encoding, errors=errors, workers=1))


def read_model(path: Path) -> None:
    model = Word2Vec.load(path)
    assert model.W_in.shape == model.W_out.shape == (len(model.wv), model.wv.vector_size)
    with contextlib.suppress(FloatingPointError):  # a number of a matrix became infinite or NaN
        model.train([["the", "cat", "dog"]] * 2, epochs=1)


def read_counts(path: Path) -> None:
    vocabulary = Vocabulary.load(path)
    assert (vocabulary.counts >= 0).all()
    check_corpus(Corpus.from_sentences([vocabulary.words], 0, counts=path))


def read_index(path: Path) -> None:
    vectors = WordVectors(["cat", "dog"], np.eye(2, dtype=np.float32))
    with contextlib.suppress(ImportError):  # the checks before the graph is read were passed
        HNSWIndex.load(path, vectors)


def index_file(path: Path) -> bytes:
    """Return an index. Without usearch, its graph is any bytes, because only the checks before it can be tested."""
    if importlib.util.find_spec("usearch"):
        WordVectors(["cat", "dog"], np.eye(2, dtype=np.float32)).index(backend="usearch").save(path)
        return path.read_bytes()
    graph, matrix = np.arange(200, dtype=np.uint8), np.eye(2, dtype=np.float32)
    metadata = {"format": "fastw2v index", "version": "1", "backend": "usearch", "ef_search": "16"}
    metadata |= {"graph": hnsw._digest(graph, "usearch", "16"), "vectors": hnsw._digest(matrix)}
    with path.open("wb") as file:
        write_tensors(file, {"graph": graph}, metadata)
    return path.read_bytes()


def make_readers(folder: Path) -> dict[str, Reader]:
    Corpus.from_sentences(map(str.split, TEXT.splitlines()), 1).save(folder / "a.w2v")
    Corpus.from_ids(np.arange(30) % 7, np.array([0, 10, 30])).save(folder / "integers.w2v")
    model = Word2Vec(vector_size=4, epochs=2, min_count=1, engine="layers").fit([["the", "cat", "dog"]] * 20)
    model.save(folder / "model.safetensors")
    model.wv.save(folder / "params.safetensors")
    readers = {
        "corpus": Reader((folder / "a.w2v").read_bytes(), read_corpus, ".w2v"),
        "corpus of integers": Reader((folder / "integers.w2v").read_bytes(), read_corpus, ".w2v"),
        "model": Reader((folder / "model.safetensors").read_bytes(), read_model, ".safetensors"),
        "params": Reader((folder / "params.safetensors").read_bytes(), load_params, ".safetensors"),
        "index": Reader(index_file(folder / "index"), read_index),
        "counts": Reader(COUNTS.encode(), read_counts),
        "analogies": Reader(QUESTIONS.encode(), read_analogies, ".txt"),
        "pairs": Reader(PAIRS.encode(), read_pairs, ".txt"),
        "pairs in csv": Reader(b"a,b,score\n" + PAIRS[21:].replace(" ", ",").encode(), read_pairs, ".csv"),
        "words": Reader(QUESTIONS.encode(), read_words),
        "text": Reader(TEXT.encode(), read_text(), ".txt"),
        "text with replacements": Reader(TEXT.encode(), read_text(errors="replace"), ".txt"),
        "text in utf-16": Reader(TEXT.encode("utf-16"), read_text(), ".txt"),
        "text in cp949": Reader(KOREAN.encode("cp949"), read_text("cp949"), ".txt"),
        "text in gb18030": Reader(TEXT.encode("gb18030"), read_text("gb18030", "ignore"), ".txt"),
    }
    for name in ("counts", "analogies", "text"):
        for suffix, codec in CODECS.items():
            packed = codec.compress(readers[name].content)
            readers[name + suffix] = Reader(packed, readers[name].read, suffix)
    return readers


NAMES = (
    *("corpus", "corpus of integers", "model", "params", "index", "counts", "analogies", "pairs", "pairs in csv"),
    *("words", "text", "text with replacements", "text in utf-16", "text in cp949", "text in gb18030"),
    *(name + suffix for name in ("counts", "analogies", "text") for suffix in CODECS),
)


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    found = make_readers(tmp_path_factory.mktemp("sound"))
    assert tuple(found) == NAMES
    return found


def check(read: Callable[[Path], Any], content: bytes, suffix: str) -> None:
    """Read a file. A warning, an exception of another kind, a long message and a large allocation fail the test."""
    message = ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"file{suffix}")
        path.write_bytes(content)
        start = time.perf_counter()
        tracemalloc.start()
        try:
            read(path)
        except (ValueError, OSError) as error:
            message = str(error)
        except RuntimeError as error:
            if "pip install zstandard" not in str(error):  # the damage made the beginning of a zstd file
                raise
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert len(message) < 600
    assert read is read_index or not LIBRARY_ERROR.search(message), message  # the index passes on what safetensors says
    assert peak < MAX_BYTES
    assert time.perf_counter() - start < 5


def fuzz(reader: Reader, inside: bool, edits: list[tuple[str, Any, Any]]) -> None:
    """Damage a file. With `inside`, what a compressed file contains is damaged instead."""
    codec = CODECS.get(reader.suffix) if inside else None
    if codec is None:
        check(reader.read, damaged(reader.content, edits), reader.suffix)
    else:
        check(reader.read, codec.compress(damaged(codec.decompress(reader.content), edits)), reader.suffix)


@pytest.mark.parametrize("name", NAMES)
def test_files_that_are_not_damaged(readers: dict[str, Reader], name: str, tmp_path: Path) -> None:
    path = tmp_path / f"file{readers[name].suffix}"
    path.write_bytes(readers[name].content)
    readers[name].read(path)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(inside=st.booleans(), edits=EDITS)
@example(inside=False, edits=[("cut", 0.0, None)])
def test_damaged_files(readers: dict[str, Reader], name: str, inside: bool, edits: list[tuple[str, Any, Any]]) -> None:
    fuzz(readers[name], inside, edits)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(inside=st.booleans(), edits=EDITS)
def test_damaged_files_at_length(
    readers: dict[str, Reader], name: str, inside: bool, edits: list[tuple[str, Any, Any]]
) -> None:
    fuzz(readers[name], inside, edits)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400))
@example(content=b"")
@example(content=b"\n")
@example(content=b"\0" * 300)
def test_random_bytes(readers: dict[str, Reader], name: str, content: bytes) -> None:
    check(readers[name].read, content, readers[name].suffix)


def sealed(content: bytes) -> bytes:
    """Return a damaged corpus with the right checksums, as somebody would write it who wants to do harm."""
    if len(content) < w2v_file.START:
        return content
    head = list(w2v_file.HEADER.unpack(content[: w2v_file.HEADER.size]))
    _, _, _, tokens, sentences, size, length = head[:7]
    at, sums = w2v_file.START, []
    for n, step in (
        (4 * tokens, -(-4 * tokens // 8) * 8),
        *[(8 * k, 8 * k) for k in (sentences + 1, size)],
        (length, 0),
    ):
        sums.append(zlib.crc32(content[at : at + n]))
        at += step
    header = w2v_file.HEADER.pack(*head[:7], *sums)
    return header + struct.pack("<I", zlib.crc32(header)) + content[w2v_file.HEADER.size + 4 :]


def train_on(path: Path) -> None:
    """Train on a corpus that may be wrong. It must be refused before the kernels use it, because they do not check."""
    corpus = Corpus.load(path)
    repr(corpus)
    for engine in ("layers", "auto"):
        Word2Vec(vector_size=4, epochs=1, negative=1, engine=engine, workers=1).fit(corpus)  # type: ignore[arg-type]
    corpus.write_text(path.with_name("text.txt"))


SEALED = st.lists(
    st.tuples(
        st.just("number"),
        st.floats(0.0, 1.0, exclude_max=True),
        st.sampled_from([n.to_bytes(8, "little", signed=True) for n in (-1, 0, 1, 8, 10**6, 2**31, 2**62, -(2**63))]),
    ),
    min_size=1,
    max_size=2,
)


def check_sealed(reader: Reader, edits: list[tuple[str, Any, Any]]) -> None:
    check(train_on, sealed(damaged(reader.content, edits)), reader.suffix)


@pytest.mark.parametrize("name", ["corpus", "corpus of integers"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.one_of(SEALED, EDITS))
def test_corpora_with_wrong_numbers_and_right_checksums(
    readers: dict[str, Reader], name: str, edits: list[tuple[str, Any, Any]]
) -> None:
    check_sealed(readers[name], edits)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["corpus", "corpus of integers"])
@settings(max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.one_of(SEALED, EDITS))
def test_corpora_with_wrong_numbers_and_right_checksums_at_length(
    readers: dict[str, Reader], name: str, edits: list[tuple[str, Any, Any]]
) -> None:
    check_sealed(readers[name], edits)
