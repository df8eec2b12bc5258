"""Vector files: byte for byte, against gensim, and everything that can be wrong with one."""

from __future__ import annotations

import os
import pickle
import stat
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v.backend import to_host
from fastw2v.formats import FormatError, load_params, load_textbook_pickle, read, save_params, write
from fastw2v.vectors import WordVectors

WORDS = ["</s>", "the", "naïve", "日本", "a\u00a0b", "\u3000", "x=1"]
MATRIX = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)


def some_vectors() -> WordVectors:
    return WordVectors(WORDS, MATRIX)


def assert_same(ours: WordVectors, words: list[str], matrix: np.ndarray) -> None:
    assert ours.index_to_key == words
    assert ours.vectors.dtype == matrix.dtype
    assert ours.vectors.tobytes() == matrix.tobytes()


# The bytes

BIN_GENSIM = b"2 2\n" + b"a " + struct.pack("<2f", 1, -0.5) + "é ".encode() + struct.pack("<2f", 0.1, 3e20)
BIN_C = b"2 2\n" + b"a " + struct.pack("<2f", 1, -0.5) + "\né ".encode() + struct.pack("<2f", 0.1, 3e20) + b"\n"
TXT = "2 2\na 1.0 -0.5\né 0.1 3e+20\n".encode()
TXT_C = "2 2\na 1.000000 -0.500000 \né 0.100000 300000000000000000000.000000 \n".encode()
TXT_CRLF = "2 2\r\na 1 -0.5\r\né 0.1 3e20\r\n\r\n".encode()
TINY = np.array([[1, -0.5], [0.1, 3e20]], dtype=np.float32)


@pytest.mark.parametrize(("name", "data"), [("x.bin", BIN_GENSIM), ("x.txt", TXT), ("x.vec", TXT)])
def test_written_bytes(tmp_path: Path, name: str, data: bytes) -> None:
    WordVectors(["a", "é"], TINY).save(tmp_path / name)
    assert (tmp_path / name).read_bytes() == data
    assert_same(WordVectors.load(tmp_path / name), ["a", "é"], TINY)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.bin", BIN_GENSIM),
        ("x.bin", BIN_C),
        ("x.BIN", BIN_C.removesuffix(b"\n")),
        ("x.bin", BIN_GENSIM + b"\n"),
        ("x.txt", TXT),
        ("x.vec", TXT_C),
        ("x.txt", TXT_CRLF),
    ],
)
def test_read_bytes(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert_same(read(tmp_path / name), ["a", "é"], TINY)
    assert_same(read(str(tmp_path / name)), ["a", "é"], TINY)


def test_newline_bytes_inside_values_are_no_row_ends(tmp_path: Path) -> None:
    """Values that hold the bytes of spaces and newlines."""
    matrix = np.frombuffer(b"\n\n\n\n    \n \n ", dtype="<f4").reshape(1, 3).repeat(4, axis=0).astype(np.float32)
    for end in (b"", b"\n"):
        rows = (b"w%d " % i + matrix[i].tobytes() + end for i in range(4))
        (tmp_path / "x.bin").write_bytes(b"4 3\n" + b"".join(rows))
        assert_same(read(tmp_path / "x.bin"), ["w0", "w1", "w2", "w3"], matrix)


def test_text_is_parsed_from_the_right(tmp_path: Path) -> None:
    (tmp_path / "x.vec").write_bytes(b"3 2\nnew york 1 2\n. . . 3 4\n 5 6 7\n".replace(b"\n 5", b"\n5x y"))
    assert_same(read(tmp_path / "x.vec"), ["new york", ". . .", "5x y"], np.array([[1, 2], [3, 4], [6, 7]], "f"))


@pytest.mark.parametrize("suffix", ["bin", "txt"])
def test_gensim_reads_ours(tmp_path: Path, suffix: str) -> None:
    from gensim.models import KeyedVectors

    path = tmp_path / f"x.{suffix}"
    some_vectors().save(path)
    theirs = KeyedVectors.load_word2vec_format(str(path), binary=suffix == "bin")
    assert theirs.index_to_key == WORDS
    assert theirs.vectors.tobytes() == MATRIX.tobytes()


@pytest.mark.parametrize("suffix", ["bin", "txt"])
def test_ours_reads_gensim(tmp_path: Path, suffix: str) -> None:
    from gensim.models import KeyedVectors

    theirs = KeyedVectors(3)
    theirs.add_vectors(WORDS, MATRIX)
    theirs.save_word2vec_format(str(tmp_path / f"x.{suffix}"), binary=suffix == "bin")
    assert_same(read(tmp_path / f"x.{suffix}"), WORDS, MATRIX)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=8))
def test_text_keeps_every_float32(tmp_path_factory: pytest.TempPathFactory, bits: list[int]) -> None:
    matrix = np.array([bits], dtype=np.uint32).view(np.float32)
    matrix[np.isnan(matrix)] = np.nan  # a NaN's spare bits have no text
    path = tmp_path_factory.getbasetemp() / "floats.txt"
    WordVectors(["w"], matrix).save(path)
    assert read(path).vectors.tobytes() == matrix.tobytes()


# Any word, in the format that can hold it

ANY_WORD = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@settings(max_examples=200, deadline=None)
@given(st.lists(ANY_WORD, min_size=1, max_size=5, unique=True))
def test_words_come_back_or_are_refused(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    vectors = WordVectors(words, np.arange(len(words), dtype=np.float32)[:, None] + 0.5)
    base = tmp_path_factory.getbasetemp()
    vectors.save(base / "words.safetensors")
    assert_same(read(base / "words.safetensors"), words, vectors.vectors)
    plain = all(word and not any(ord(char) <= 32 or ord(char) == 127 for char in word) for word in words)
    for suffix in ("bin", "txt"):
        if plain:
            vectors.save(base / f"words.{suffix}")
            assert_same(read(base / f"words.{suffix}"), words, vectors.vectors)
        else:
            with pytest.raises(FormatError, match=r"cannot be written to a \.\w+ file.*Save as \.safetensors"):
                vectors.save(base / f"words.{suffix}")


@pytest.mark.parametrize("suffix", ["bin", "txt"])
@pytest.mark.parametrize("word", ["new york", "a\n", "\t", "a\rb", "nul\0", ""])
def test_a_refused_word_is_named_and_nothing_is_written(tmp_path: Path, suffix: str, word: str) -> None:
    path = tmp_path / f"x.{suffix}"
    path.write_text("what was there")
    with pytest.raises(FormatError) as caught:
        WordVectors(["ok", word], np.ones((2, 2))).save(path)
    assert repr(word) in str(caught.value) or "the empty word" in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "what was there"


def test_words_that_are_no_unicode(tmp_path: Path) -> None:
    """The C tool cuts long words in the middle of a character."""
    data = b"2 1\n\xe6\x97 " + struct.pack("<f", 1) + b"\xe6 " + struct.pack("<f", 2)
    (tmp_path / "cut.bin").write_bytes(data)
    (tmp_path / "cut.txt").write_bytes(b"2 1\n\xe6\x97 1.0\n\xe6 2.0\n")
    for name in ("cut.bin", "cut.txt"):
        with pytest.raises(FormatError, match=r"row 1, .* is not UTF-8: .*surrogateescape"):
            read(tmp_path / name)
        kept = read(tmp_path / name, errors="surrogateescape")
        for copy in ("copy.safetensors", "copy" + name[-4:]):
            kept.save(tmp_path / copy)
            again = read(tmp_path / copy, errors="surrogateescape")
            assert_same(again, kept.index_to_key, kept.vectors)
        assert (tmp_path / ("copy" + name[-4:])).read_bytes() == (tmp_path / name).read_bytes()
        with pytest.raises(FormatError, match="occurs twice"):
            read(tmp_path / name, errors="replace")
    for suffix in ("bin", "txt", "safetensors"):
        with pytest.raises(FormatError, match="not valid Unicode"):
            WordVectors(["\ud800"], np.ones((1, 1))).save(tmp_path / f"x.{suffix}")


# safetensors keeps everything


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_safetensors_keeps_everything(tmp_path: Path, dtype: str) -> None:
    matrix = MATRIX.astype(dtype)
    settings = {"vector_size": 3, "alpha": 0.1, "words": ["é"], "nested": {"none": None}}
    vectors = WordVectors(WORDS, matrix, np.arange(7) + 2**40, np.asfortranarray(matrix * 2), settings)
    vectors.save(tmp_path / "x.safetensors")
    back = read(tmp_path / "x.safetensors")
    assert_same(back, WORDS, matrix)
    assert back.context_vectors.tobytes() == (matrix * 2).tobytes()
    assert back.counts.tolist() == vectors.counts.tolist()
    assert back.settings == settings


def test_safetensors_without_the_rest(tmp_path: Path) -> None:
    some_vectors().save(tmp_path / "x.safetensors")
    back = read(tmp_path / "x.safetensors")
    assert (back.counts, back.context_vectors, back.settings) == (None, None, None)
    WordVectors([""], MATRIX[:1]).save(tmp_path / "x.safetensors")
    assert read(tmp_path / "x.safetensors").index_to_key == [""]


def test_settings_must_be_json(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="settings cannot be written as JSON"):
        WordVectors(["a"], MATRIX[:1], settings={"a": object()}).save(tmp_path / "x.safetensors")
    assert not list(tmp_path.iterdir())


def test_every_array_library_is_written(xp, tmp_path: Path) -> None:
    vectors = WordVectors(WORDS, xp.asarray(MATRIX), context_vectors=xp.asarray(MATRIX + 1))
    for suffix in ("bin", "txt", "safetensors"):
        vectors.save(tmp_path / f"x.{suffix}")
        assert_same(read(tmp_path / f"x.{suffix}"), WORDS, MATRIX)
    assert to_host(read(tmp_path / "x.safetensors").context_vectors).tolist() == (MATRIX + 1).tolist()


@pytest.mark.parametrize("suffix", ["bin", "txt"])
def test_values_beyond_float32_are_refused(tmp_path: Path, suffix: str) -> None:
    matrix = np.array([[1.0, np.inf], [1e39, np.nan]])
    with pytest.raises(FormatError, match=r"the value 1e\+39 in row 1 is beyond float32.*safetensors"):
        WordVectors(["a", "b"], matrix).save(tmp_path / f"x.{suffix}")
    matrix[1, 0] = 1 / 3
    WordVectors(["a", "b"], matrix).save(tmp_path / f"x.{suffix}")
    assert_same(read(tmp_path / f"x.{suffix}"), ["a", "b"], matrix.astype(np.float32))


# Names, folders, formats


def test_format_is_chosen_by_suffix_or_by_name(tmp_path: Path) -> None:
    for format in ("safetensors", "bin", "txt"):  # the last one does not say by its bytes what it is
        write(some_vectors(), tmp_path / "model", format=format)
        assert_same(read(tmp_path / "model", format=format), WORDS, MATRIX)
    for name in ("model", "model.npy", "model.gz"):
        with pytest.raises(FormatError, match=r"Supported are \.safetensors, \.bin, \.txt, \.vec"):
            write(some_vectors(), tmp_path / name)
        with pytest.raises(FormatError, match=r"Supported are \.safetensors, \.bin, \.txt, \.vec"):
            read(tmp_path / name)
    with pytest.raises(FormatError, match="format is 'npy'"):
        write(some_vectors(), tmp_path / "model.bin", format="npy")
    for name in ("model.safetensors.gz", "model.npz.gz", "model.tsv.gz", "model.kv.gz"):
        with pytest.raises(FormatError, match="not packed with gzip"):
            write(some_vectors(), tmp_path / name)
    with pytest.raises(FormatError, match="read only"):
        write(some_vectors(), tmp_path / "model.kv")


@pytest.mark.parametrize("suffix", ["bin", "txt", "safetensors"])
def test_files_that_cannot_be_opened(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / f"x.{suffix}")
    with pytest.raises(FileNotFoundError):
        some_vectors().save(tmp_path / "no" / f"x.{suffix}")
    (tmp_path / f"folder.{suffix}").mkdir()
    with pytest.raises(IsADirectoryError):
        read(tmp_path / f"folder.{suffix}")
    with pytest.raises(IsADirectoryError):
        some_vectors().save(tmp_path / f"folder.{suffix}")
    assert [entry.name for entry in tmp_path.iterdir()] == [f"folder.{suffix}"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and links")
@pytest.mark.parametrize("suffix", ["bin", "txt", "safetensors"])
def test_a_written_file_is_an_ordinary_one(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "plain").write_text("")
    (tmp_path / f"link.{suffix}").symlink_to(f"target.{suffix}")
    some_vectors().save(tmp_path / f"link.{suffix}")
    assert (tmp_path / f"link.{suffix}").is_symlink()
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (f"target.{suffix}", "plain")]
    assert modes[0] == modes[1]


# Damage


@pytest.mark.parametrize("suffix", ["bin", "txt", "safetensors"])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    some_vectors().save(path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError, match=f"x.{suffix}"):
            read(path)


@pytest.mark.parametrize("rounds", [300, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("suffix", ["bin", "txt", "safetensors"])
def test_a_damaged_file_is_read_in_shape_or_refused(tmp_path: Path, suffix: str, rounds: int) -> None:
    path = tmp_path / f"x.{suffix}"
    some_vectors().save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(rounds):
        damaged = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            place, kind = int(rng.integers(len(damaged))), rng.integers(3)
            if kind == 0:
                damaged[place] = rng.integers(256)
            elif kind == 1:
                del damaged[place]
            else:
                damaged.insert(place, int(rng.integers(256)))
        path.write_bytes(damaged)
        try:
            back = read(path)
        except FormatError:
            continue
        assert back.vectors.shape == (len(back), back.vector_size)


@pytest.mark.parametrize("suffix", ["bin", "txt"])
@pytest.mark.parametrize(
    "header",
    [
        "-2 2",
        "2 -2",
        "2",
        "",
        "2 2 2",
        "two 2",
        "2.0 2",
        "1e9 2",
        "0 2",
        "2 0",
        "3 2",
        "999999999999 300",
        "2 999999999999",
        "999999999999999999 999999999999999999",
        "9" * 3000 + " 2",
        "\0",
    ],
)
def test_bad_headers_cost_nothing(tmp_path: Path, suffix: str, header: str) -> None:
    path = tmp_path / f"x.{suffix}"
    body = (BIN_GENSIM if suffix == "bin" else TXT).partition(b"\n")[2]
    path.write_bytes(header.encode() + b"\n" + body)
    read_dummy = tmp_path / "warm.bin"
    read_dummy.write_bytes(BIN_GENSIM)
    read(read_dummy)
    tracemalloc.start()
    with pytest.raises(FormatError, match=f"x.{suffix}: "):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.bin", b"", "the file is empty"),
        ("x.bin", b"\xba\x16\x4f\x2f\x0c\0\0\0 model", "this is a fastText model"),
        ("x.bin", pickle.dumps({}), "looks like a pickle"),
        ("x.txt", b"the 1 -2e-3 0.3\nof 1 2 3\n", "GloVe"),
        ("x.bin", BIN_GENSIM + b"more", "more follows the last of them, b'more'"),
        ("x.txt", TXT + b"b 1 2\n", "more follows the last of them"),
        ("x.bin", BIN_C.replace(b"\n\xc3", b"\n\n\xc3"), "row 2 of 2, at byte .* no word"),
        ("x.bin", BIN_C.replace(b"2 2", b"1 2"), "more follows"),
        ("x.bin", BIN_GENSIM.replace("é".encode(), b"a"), "'a' occurs twice, in rows 0 and 1"),
        ("x.txt", TXT.replace("é".encode(), b"a"), "'a' occurs twice, in rows 0 and 1"),
        ("x.txt", b"2 2\na 1 2\nb 1 x\n", "line 3 is b'b 1 x.*not a word and 2 numbers of float32"),
        ("x.txt", b"2 2\na 1 2\nb 1.25\n", "line 3"),
        ("x.txt", b"2 2\na 1 2\n\nb 1 2\n", "line 3"),
        ("x.txt", b"2 2\na 1 2\nb 1 2 3\n", "line 3"),
        ("x.txt", b"1 2\na 1 1_0\n", "line 2"),
        ("x.txt", b"1 2\na 1 1e39\n", "line 2"),
        ("x.txt", b"1 2\na 1 2\n" + b"\n" * 100 + b"b 1 2\n", "more follows"),
        ("x.bin", BIN_GENSIM + b"\n" * 100, "more follows"),
        ("x.txt", b"1 2\n 1.5 2.5\n", "line 2"),
        ("x.txt", b"2 2\na 1 2\nb 1.5 2.5", "without a newline"),
    ],
)
def test_damage_is_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FormatError, match=message):
        read(tmp_path / name)


@pytest.mark.parametrize("phrase", ["new york", "a b", "new yor", "of the people"])
def test_a_binary_file_with_a_spaced_word_is_refused_not_shifted(tmp_path: Path, phrase: str) -> None:
    """The reader of such a file takes the first word's tail for values and finds its feet a row later."""
    from gensim.models import KeyedVectors

    words = [*WORDS, phrase, "after", "this", phrase + "er", "again"]
    matrix = np.random.default_rng(2).normal(size=(len(words), 20)).astype(np.float32)
    theirs = KeyedVectors(20)
    theirs.add_vectors(words, matrix)
    theirs.save_word2vec_format(str(tmp_path / "x.bin"), binary=True)
    for errors in ("strict", "surrogateescape", "replace"):
        with pytest.raises(FormatError, match="a word that holds a space"):
            read(tmp_path / "x.bin", errors=errors)


@pytest.mark.parametrize("rounds", [20, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("tail", ["b", "of", "yor", "york", "b c", "ét", "people of the year"])
@pytest.mark.parametrize("scale", [0.005, 0.3, 10])
def test_a_single_spaced_word_is_found(tmp_path: Path, tail: str, scale: float, rounds: int) -> None:
    """Also where the bytes that the next word gains happen to be text."""
    rng = np.random.default_rng(7)
    for _ in range(rounds):
        matrix = (rng.normal(size=(3, 16)) * scale).astype(np.float32)
        texts = matrix.view(np.uint8).reshape(3, -1).copy()
        gained = texts[:, -len(tail.encode()) - 1 :]
        gained[...] = np.where(np.arange(-gained.shape[1], 0) % 4 == 3, ord("="), rng.integers(48, 58, gained.shape))
        for values in (matrix, texts.view("<f4")):
            rows = zip(["x", "new " + tail, "after-the-war-years"], values, strict=True)
            data = b"3 16\n" + b"".join(word.encode() + b" " + row.tobytes() for word, row in rows)
            (tmp_path / "x.bin").write_bytes(data)
            with pytest.raises(FormatError, match=r"x\.bin"):
                read(tmp_path / "x.bin")


def test_values_that_look_like_text_are_no_spaced_word(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    for dims in (1, 2, 3, 50):
        matrix = rng.normal(size=(3000, dims)).astype(np.float32)
        raw = matrix.view(np.uint8).reshape(3000, dims, 4)
        raw[:, 0, 0], raw[:, 0, 1] = ord("b"), ord(" ")
        words = [f"a-rather-long-word-{i}" for i in range(3000)]
        WordVectors(words, matrix).save(tmp_path / "x.bin")
        assert_same(read(tmp_path / "x.bin"), words, matrix)


def test_words_in_another_encoding(tmp_path: Path) -> None:
    """The C tool writes whatever bytes it read."""
    rows = [word.encode("latin-1") + b" " + struct.pack("<f", 1) + b"\n" for word in ("</s>", "été", "ça")]
    (tmp_path / "x.bin").write_bytes(b"3 1\n" + b"".join(rows))
    with pytest.raises(FormatError, match=r"row 2, .* is not UTF-8"):
        read(tmp_path / "x.bin")
    kept = read(tmp_path / "x.bin", errors="surrogateescape").index_to_key
    assert [word.encode("utf-8", "surrogateescape").decode("latin-1") for word in kept] == ["</s>", "été", "ça"]


def tensors(**changes: Any) -> dict[str, np.ndarray]:
    base = {
        "vectors": MATRIX[:2],
        "words": np.frombuffer(b"abc", dtype=np.uint8),
        "word_offsets": np.array([0, 1, 3]),
    }
    return {name: array for name, array in {**base, **changes}.items() if array is not None}


@pytest.mark.parametrize(
    ("changes", "metadata", "message"),
    [
        ({}, {"format": "pt"}, "not one of word vectors written by fastw2v; it holds .*'vectors'"),
        ({}, None, "not one of word vectors"),
        ({}, {"version": "2"}, "version 2 .* upgrade"),
        ({}, {"settings": "{"}, "settings in its metadata are not JSON"),
        ({"words": None}, {}, "the file has no words"),
        ({"vectors": None, "word_offsets": None}, {}, "no vectors and no word_offsets"),
        ({"vectors": MATRIX[0]}, {}, "vectors is of type F32 and shape"),
        ({"vectors": MATRIX[:2].astype(np.int32)}, {}, "vectors is of type I32"),
        ({"vectors": MATRIX[:3]}, {}, "vectors has 3 rows, but there are 2 words"),
        ({"word_offsets": np.array([0, 1, 4])}, {}, "word_offsets do not run"),
        ({"word_offsets": np.array([0, 2**63 - 1, -(2**63), 3])}, {}, "word_offsets do not run"),
        ({"word_offsets": np.array([1, 1, 3])}, {}, "word_offsets do not run"),
        ({"word_offsets": np.array([], dtype=np.int64)}, {}, "word_offsets do not run"),
        ({"word_offsets": np.array([0, 1, 3], dtype=np.int32)}, {}, "word_offsets is of type I32"),
        ({"words": np.frombuffer(b"aa", np.uint8), "word_offsets": np.array([0, 1, 2])}, {}, "'a' occurs twice"),
        ({"counts": np.array([1, 2, 3])}, {}, "counts has shape"),
        ({"counts": np.array([1, -2])}, {}, "counts holds -2"),
        ({"context_vectors": MATRIX[:3]}, {}, "context_vectors has shape"),
    ],
)
def test_wrong_safetensors_are_refused(
    tmp_path: Path, changes: dict[str, Any], metadata: dict[str, str] | None, message: str
) -> None:
    from safetensors.numpy import save_file

    base = {"format": "fastw2v", "version": "1"}
    save_file(tensors(**changes), tmp_path / "x.safetensors", None if metadata is None else {**base, **metadata})
    with pytest.raises(FormatError, match=message):
        _ = read(tmp_path / "x.safetensors").index_to_key


def test_the_safetensors_layout_is_fixed(tmp_path: Path) -> None:
    """What another program would rely on."""
    from safetensors import safe_open

    WordVectors(["a", "日"], MATRIX[:2], [5, 3], MATRIX[2:4], {"window": 5}).save(tmp_path / "x.safetensors")
    with safe_open(tmp_path / "x.safetensors", framework="numpy") as file:
        assert file.metadata() == {"format": "fastw2v", "version": "1", "settings": '{"window": 5}'}
        assert set(file.keys()) == {"vectors", "context_vectors", "words", "word_offsets", "counts"}
        assert file.get_tensor("words").tobytes() == "a日".encode()
        assert file.get_tensor("word_offsets").tolist() == [0, 1, 4]
        assert file.get_tensor("counts").tolist() == [5, 3]
        assert file.get_tensor("context_vectors").tolist() == MATRIX[2:4].tolist()


# The textbook's parameters

WORD_TO_ID = {word: i for i, word in enumerate(WORDS)}
ID_TO_WORD = dict(enumerate(WORDS))
PARAMS = {"word_vecs": MATRIX.astype(np.float16), "word_to_id": WORD_TO_ID, "id_to_word": ID_TO_WORD}


def assert_same_params(ours: dict[str, Any]) -> None:
    assert set(ours) == {"word_vecs", "word_to_id", "id_to_word"}
    assert type(ours["word_vecs"]) is np.ndarray
    assert ours["word_vecs"].dtype == np.float16
    assert ours["word_vecs"].tolist() == PARAMS["word_vecs"].tolist()
    assert (ours["word_to_id"], ours["id_to_word"]) == (WORD_TO_ID, ID_TO_WORD)


def test_params_come_back(xp, tmp_path: Path) -> None:
    path = tmp_path / "cbow_params.safetensors"
    save_params(path, xp.asarray(MATRIX), WORD_TO_ID, ID_TO_WORD)
    assert_same_params(load_params(path))
    assert_same(read(path), WORDS, MATRIX.astype(np.float16))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"word_to_id": {"a": 0}}, "word_to_id has 1 words, id_to_word 7 and word_vecs 7 rows"),
        ({"id_to_word": {**ID_TO_WORD, 3: "other"}}, "disagree on id 3"),
        ({"id_to_word": {i + 1: word for i, word in ID_TO_WORD.items()}}, "disagree on id 0"),
        ({"word_vecs": MATRIX * 1e6}, "beyond float16"),
    ],
)
def test_params_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        save_params(tmp_path / "p.safetensors", **{**PARAMS, "word_vecs": MATRIX, **changes})
    assert not list(tmp_path.iterdir())


def other_numpy(data: bytes) -> bytes:
    """Make of a pickle from one major version of NumPy one from the other, short strings and lines alike."""
    old, new = b"numpy.core.", b"numpy._core."
    here, there = (new, old) if new in data else (old, new)
    for module in (b"multiarray", b"numeric"):
        was, becomes = here + module, there + module
        data = data.replace(b"\x8c" + bytes([len(was)]) + was, b"\x8c" + bytes([len(becomes)]) + becomes)
        data = data.replace(b"c" + was + b"\n", b"c" + becomes + b"\n")
    assert there in data
    assert here not in data
    if data[2:3] == b"\x95":  # the frame, of which the length has changed
        data = data[:3] + struct.pack("<Q", len(data) - 11) + data[11:]
    return data


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_textbooks_pickle_is_read(tmp_path: Path, protocol: int, order: Any) -> None:
    params = {**PARAMS, "word_vecs": np.array(PARAMS["word_vecs"], order=order)}
    data = pickle.dumps(params, protocol)
    for pickled in (data, other_numpy(data)):
        (tmp_path / "cbow_params.pkl").write_bytes(pickled)
        assert_same_params(load_textbook_pickle(tmp_path / "cbow_params.pkl"))


def test_other_floats_in_a_pickle_are_read(tmp_path: Path) -> None:
    for dtype in ("<f2", ">f2", "<f4", ">f8"):
        params = {**PARAMS, "word_vecs": MATRIX.astype(dtype)}
        (tmp_path / "p.pkl").write_bytes(pickle.dumps(params, 4))
        back = load_textbook_pickle(tmp_path / "p.pkl")["word_vecs"]
        assert back.dtype == np.dtype(dtype).newbyteorder("=")
        assert back.tolist() == params["word_vecs"].tolist()


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class DictWithCode(dict):
    def __setstate__(self, state: Any) -> None:
        raise AssertionError("code of the pickle was run")

    def __reduce__(self) -> Any:
        return (DictWithCode, (), {"a": 1}, None, iter(self.items()))


class ArrayWithCode(np.ndarray):
    def __setstate__(self, state: Any) -> None:
        raise AssertionError("code of the pickle was run")


def refused_objects(marker: Path) -> dict[str, Any]:
    shell = Calls(os.system, f"touch {marker}")
    evaluated = Calls(eval, f"open({str(marker)!r}, 'w')")
    objects = np.empty((7, 3), dtype=object)
    objects[0, 0] = shell
    return {
        "a call in place of everything": shell,
        "a call as the vectors": {**PARAMS, "word_vecs": shell},
        "a call as a dictionary": {**PARAMS, "word_to_id": evaluated},
        "a call within a dictionary": {**PARAMS, "id_to_word": {**ID_TO_WORD, 6: shell}},
        "a call as a key": {**PARAMS, "word_to_id": {**WORD_TO_ID, evaluated: 7}},
        "a call beside the rest": {**PARAMS, "more": shell},
        "a call within a call": {**PARAMS, "word_vecs": Calls(np.array, shell)},
        "an array of objects": {**PARAMS, "word_vecs": objects},
        "an empty array of objects": {**PARAMS, "word_vecs": np.empty((0, 3), dtype=object)},
        "an array of records": {**PARAMS, "word_vecs": np.zeros((7, 3), dtype=[("a", "O"), ("b", "f4")])},
        "an array of integers": {**PARAMS, "word_vecs": np.zeros((7, 3), dtype=np.int64)},
        "an array of one dimension": {**PARAMS, "word_vecs": np.zeros(7)},
        "an array with code": {**PARAMS, "word_vecs": MATRIX.view(ArrayWithCode)},
        "a matrix": {**PARAMS, "word_vecs": MATRIX.view(np.recarray)},
        "a dictionary with code": DictWithCode(PARAMS),
        "a dictionary with code inside": {**PARAMS, "word_to_id": DictWithCode(WORD_TO_ID)},
        "NumPy's own loader": {**PARAMS, "word_vecs": Calls(np.load, str(marker))},
        "a scalar": {**PARAMS, "word_to_id": {**WORD_TO_ID, "x": np.int64(3)}},
        "a list": {**PARAMS, "word_vecs": MATRIX.tolist()},
        "a class": {**PARAMS, "word_vecs": np.ndarray},
        "a type of elements": {**PARAMS, "word_vecs": np.dtype("f4")},
        "words that are numbers": {**PARAMS, "id_to_word": {i: i for i in range(7)}},
        "too few words": {**PARAMS, "id_to_word": {0: "the"}},
        "no dictionary": [PARAMS],
        "nothing": None,
        "other keys": {"vectors": MATRIX},
        "keys with equal hashes": {"word_vecs": {i * (2**61 - 1): 0 for i in range(100)}},
        "a tuple as a key": {**PARAMS, "word_to_id": {("a", "b"): 0}},
    }


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("what", list(refused_objects(Path("x"))))
def test_pickles_of_anything_else_are_refused(tmp_path: Path, protocol: int, what: str) -> None:
    path, marker = tmp_path / "evil.pkl", tmp_path / "marker"
    path.write_bytes(pickle.dumps(refused_objects(marker)[what], protocol))
    with pytest.raises(FormatError, match="refused"):
        load_textbook_pickle(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04.",
        b"hello",
        b"cos\nsystem\n(S'true'\ntR.",
        b"(S'true'\nios\nsystem\n.",
        b"\x80\x02cnumpy\nndarray\n(K\x01tR.",  # the array's class called
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n}\x8c\x08__code__K\x01sb.",  # the state of a function set
        b"\x80\x04\x8c\x05numpy\x8c\x0ccore.os.path\x93.",
        b"\x80\x04\x8c\x0bnumpy dtype\x8c\x00\x93.",
        b"\x80\x02\x82\x01.",  # a name from the extension registry
        b"\x80\x04Phello\n.",  # a persistent id
        b"\x80\x05\x97.",  # a buffer from elsewhere
        b"\x80\x04\x8e" + b"\xff" * 7 + b"\x0f.",  # bytes of absurd length
        b"\x80\x05\x96" + b"\xff" * 7 + b"\x0f.",
        b"\x80\x04K\x01r\xff\xff\xff\xff.",  # a memo of absurd size
        b"\x80\x04(((t(00.",
        b"\x80\x04(1(K\x01((u.",
    ],
)
def test_hand_made_pickles_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.pkl").write_bytes(data)
    tracemalloc.start()
    with pytest.raises(FormatError, match="refused"):
        load_textbook_pickle(tmp_path / "x.pkl")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("rounds", [300, pytest.param(1500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_damaged_pickles_are_refused_or_read(tmp_path: Path, protocol: int, rounds: int) -> None:
    whole = pickle.dumps(PARAMS, protocol)
    path = tmp_path / "x.pkl"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError):
            load_textbook_pickle(path)
    rng = np.random.default_rng(protocol)
    for _ in range(rounds):
        damaged = bytearray(whole)
        damaged[int(rng.integers(len(whole)))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            back = load_textbook_pickle(path)
        except FormatError:
            continue
        assert back["word_vecs"].shape[0] == len(back["word_to_id"]) == 7


def test_load_params_points_to_the_pickle_reader(tmp_path: Path) -> None:
    (tmp_path / "cbow_params.pkl").write_bytes(pickle.dumps(PARAMS, -1))
    with pytest.raises(FormatError, match="load_textbook_pickle"):
        load_params(tmp_path / "cbow_params.pkl")
    (tmp_path / "x.pkl").write_text("hello")
    with pytest.raises(FormatError, match="safetensors"):
        load_params(tmp_path / "x.pkl")


@pytest.mark.parametrize("name", ["vectors.kv", "word2vec.wordvectors", "vectors"])
def test_a_name_of_the_users_own_holds_everything(tmp_path: Path, name: str) -> None:
    some_vectors().save(tmp_path / name)
    assert_same(WordVectors.load(tmp_path / name, mmap="r"), WORDS, MATRIX)
    assert (tmp_path / name).read_bytes()[8:9] == b"{"


def test_a_name_of_the_users_own_is_refused_where_its_bytes_are_of_no_known_format(tmp_path: Path) -> None:
    for content in (b"", b"\x80\x04}", b"a 1 2\n", b"\xff" * 8 + b"{"):
        (tmp_path / "x.wordvectors").write_bytes(content)
        with pytest.raises(FormatError, match="names no known format"):
            WordVectors.load(tmp_path / "x.wordvectors")
    with pytest.raises(FormatError, match="names no known format"):
        write(some_vectors(), tmp_path / "new.wordvectors")
