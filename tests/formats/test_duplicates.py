"""Files that contain a word more than once: refused by default, or the first row of each word is kept."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from fastw2v.compat.gensim import KeyedVectors
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.formats.duplicates import keep_first
from fastw2v.formats.fileio import FormatError, decode_words
from fastw2v.formats.record import VectorRecord, with_vectors
from fastw2v.formats.registry import read
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import assert_same

WORDS = ["cat", "dog", "cat", "naïve", "dog", "cat", "x"]
MATRIX = np.arange(14, dtype=np.float32).reshape(7, 2) + 0.5
FIRST = [0, 1, 3, 6]


def write_file(path: Path) -> Path:
    """Write a file with duplicates in the format that the name asks for."""
    encoded = [word.encode() for word in WORDS]
    text = b"".join(word + b" %.1f %.1f\n" % tuple(row) for word, row in zip(encoded, MATRIX, strict=True))
    if path.suffix == ".bin":
        rows = (word + b" " + row.tobytes() for word, row in zip(encoded, MATRIX, strict=True))
        path.write_bytes(b"7 2\n" + b"".join(rows))
    elif path.suffix == ".txt":
        path.write_bytes(b"7 2\n" + text)
    elif path.suffix == ".glove":
        path.write_bytes(text)
    elif path.suffix == ".ftbin":
        head = struct.pack("<14id3i2q", 793712314, 12, 2, *[0] * 11, 0.0, 7, 7, 0, 3, -1)
        entries = b"".join(word + b"\0" + struct.pack("<qb", 9 - i, 0) for i, word in enumerate(encoded))
        matrix = struct.pack("<?2q", False, 7, 2) + MATRIX.tobytes()
        path.write_bytes(head + entries + matrix + matrix)
    elif path.suffix == ".tsv":
        path.write_bytes(b"".join(b"%.1f\t%.1f\n" % tuple(row) for row in MATRIX))
        lines = (word + b"\t%d\n" % (9 - i) for i, word in enumerate(encoded))
        path.with_suffix(".metadata.tsv").write_bytes(b"word\tcount\n" + b"".join(lines))
    else:
        tensors = {
            "vectors": MATRIX,
            "context_vectors": -MATRIX,
            "counts": np.arange(9, 2, -1),
            "words": np.frombuffer(b"".join(encoded), np.uint8),
            "word_offsets": np.cumsum([0, *map(len, encoded)]),
        }
        if path.suffix == ".npz":
            np.savez(path, **tensors)
        else:
            from safetensors.numpy import save_file

            save_file(tensors, path, {"format": "fastw2v", "version": "1"})
    return path


NAMES = ["x.bin", "x.txt", "x.glove", "x.ftbin", "x.tsv", "x.npz", "x.safetensors"]


@pytest.mark.parametrize("name", NAMES)
def test_the_first_rows_are_kept(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    path = write_file(tmp_path / name)
    record = read(path, duplicates="first")
    assert record.index_to_key == ["cat", "dog", "naïve", "x"]
    assert caplog.messages == [f"{path}: left out 3 of 7 rows, which repeat a word of an earlier row, such as 'cat'"]
    back = WordVectors.load(path, duplicates="first")
    assert_same(back, ["cat", "dog", "naïve", "x"], MATRIX[FIRST])
    if back.counts is not None:
        assert back.counts.tolist() == [9, 8, 6, 3]
    if back.context_vectors is not None:
        assert back.context_vectors.tolist() == (-MATRIX[FIRST]).tolist()
    assert_same(WordVectors.load(path, duplicates="first", limit=3), ["cat", "dog"], MATRIX[:2])
    caplog.clear()
    assert_same(WordVectors.load(path, duplicates="first", limit=2), ["cat", "dog"], MATRIX[:2])
    assert_same(WordVectors.load(path, limit=2), ["cat", "dog"], MATRIX[:2])
    assert not caplog.messages


@pytest.mark.parametrize("name", NAMES)
def test_duplicates_are_refused_by_default(tmp_path: Path, name: str) -> None:
    path = write_file(tmp_path / name)
    message = r"'cat' occurs twice, in rows 1 and 3, and 2 more rows repeat a word\. .*duplicates='first'"
    for load in (read, WordVectors.load, KeyedVectors.load):
        with pytest.raises(FormatError, match=message):
            load(path).index_to_key  # noqa: B018  # the words of a safetensors file are read when they are needed
    with pytest.raises(ValueError, match="duplicates is 'last'; it must be 'error' or 'first'"):
        read(path, duplicates="last")  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # gensim leaves GloVe files open
@pytest.mark.parametrize("name", ["x.bin", "x.txt", "x.glove"])
def test_word2vec_format_keeps_the_first_rows_as_gensim_does(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    from gensim.models import KeyedVectors as TheirVectors

    path = write_file(tmp_path / name)
    options = {"binary": name == "x.bin", "no_header": name == "x.glove"}
    ours, theirs = (
        KeyedVectors.load_word2vec_format(path, **options),
        TheirVectors.load_word2vec_format(path, **options),
    )
    assert ours.index_to_key == [word for word in theirs.index_to_key if word is not None]
    for word in ours:
        assert ours[word].tolist() == theirs[word].tolist()
    assert sum("left out 3 of 7 rows" in message for message in caplog.messages) == 1


def test_words_cut_by_glove(tmp_path: Path) -> None:
    word = "\ufffd" * 333
    (tmp_path / "glove.txt").write_text(f", 0.5 0.25\n{word} 0.1 0.2\ncat 0.5 0.6\n{word} 0.7 0.8\n", encoding="utf-8")
    with pytest.raises(FormatError, match="occurs twice, in rows 2 and 4") as error:
        read(tmp_path / "glove.txt")
    assert len(str(error.value)) < 400
    back = KeyedVectors.load_word2vec_format(tmp_path / "glove.txt", no_header=True)
    assert back.index_to_key == [",", word, "cat"]


@pytest.mark.parametrize("errors", ["replace", "ignore"])
def test_words_that_become_equal_by_decoding(tmp_path: Path, errors: str) -> None:
    path = tmp_path / "cut.txt"
    path.write_bytes(b"3 2\ncat 1 2\ncaf\xe9 3 4\ncaf\xe8 5 6\n")
    with pytest.raises(FormatError, match=rf"occurs twice.*errors='{errors}'.*errors='surrogateescape' keeps them"):
        read(path, errors=errors)
    back = WordVectors.load(path, errors=errors, duplicates="first")
    assert back.index_to_key == ["cat", "caf\ufffd" if errors == "replace" else "caf"]
    assert back.vectors.tolist() == [[1, 2], [3, 4]]
    assert len(WordVectors.load(path, errors="surrogateescape")) == 3
    assert WordVectors.load(path, encoding="latin-1").index_to_key == ["cat", "café", "cafè"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "gb18030", "shift_jis", "euc_jp", "big5", "latin-1", "ascii"])
@pytest.mark.parametrize("errors", ["replace", "ignore", "surrogateescape"])
def test_a_damaged_word_does_not_swallow_the_next_one(encoding: str, errors: str) -> None:
    words = [bytes([byte]) for byte in range(128, 256)]
    assert len(decode_words(b"\n".join(words), Path("x.txt"), errors, encoding)) == len(words)


def test_the_ngrams_of_words_that_are_kept() -> None:
    words = ["sun", "moon", "sun", "moons"]
    subwords = Subwords(words, NGrams(3, 4, 100))
    W_in = np.random.default_rng(0).normal(size=(subwords.n_rows, 6))
    record = VectorRecord(words, None, np.arange(4), input_vectors=W_in, subwords=subwords)
    first = keep_first(record, Path("x.bin"))
    assert first.index_to_key == ["sun", "moon", "moons"]
    assert first.counts.tolist() == [0, 1, 3]
    assert first.subwords is not None
    assert first.input_vectors.shape == (first.subwords.n_rows, 6)
    np.testing.assert_array_equal(with_vectors(first).vectors, with_vectors(record).vectors[[0, 1, 3]])
