"""The names of formats, and properties that all formats share."""

from __future__ import annotations

import os
import stat
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v.backend import to_host
from fastw2v.cli.paths import check_vector_output
from fastw2v.compat.gensim import KeyedVectors
from fastw2v.formats.fileio import FormatError
from fastw2v.formats.registry import write
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import MATRIX, WORDS, assert_same, some_record, some_vectors

PACKED = [f"x.txt{suffix}" for suffix in (".gz", ".bz2", ".xz")]
UNKNOWN_NAMES = ("model2", "model.npy", "model.gz", "model.csv", "model.foo.xz", "model.txt.foo")
ANY_WORD = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@settings(max_examples=200, deadline=None)
@given(st.lists(ANY_WORD, min_size=1, max_size=5, unique=True))
def test_words_come_back_or_are_refused(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    vectors = WordVectors(words, np.arange(len(words), dtype=np.float32)[:, None] + 0.5)
    base = tmp_path_factory.getbasetemp()
    vectors.save(base / "words.safetensors")
    assert_same(WordVectors.load(base / "words.safetensors"), words, vectors.vectors)
    plain = all(word and not any(ord(char) <= 32 or ord(char) == 127 for char in word) for word in words)
    for suffix in ("bin", "txt"):
        if plain:
            vectors.save(base / f"words.{suffix}")
            assert_same(WordVectors.load(base / f"words.{suffix}"), words, vectors.vectors)
        else:
            with pytest.raises(FormatError, match=r"cannot be written to a \.\w+ file.*Save as \.safetensors"):
                vectors.save(base / f"words.{suffix}")


def test_every_array_library_is_written(xp, tmp_path: Path) -> None:
    vectors = WordVectors(WORDS, xp.asarray(MATRIX), context_vectors=xp.asarray(MATRIX + 1))
    for suffix in ("bin", "txt", "safetensors"):
        vectors.save(tmp_path / f"x.{suffix}")
        assert_same(WordVectors.load(tmp_path / f"x.{suffix}"), WORDS, MATRIX)
    assert to_host(WordVectors.load(tmp_path / "x.safetensors").context_vectors).tolist() == (MATRIX + 1).tolist()


def test_format_is_chosen_by_suffix_or_by_name(tmp_path: Path) -> None:
    for format in ("safetensors", "bin", "txt"):
        some_vectors().save(tmp_path / "model", format=format)
        assert_same(WordVectors.load(tmp_path / "model", format=format), WORDS, MATRIX)
    before = sorted(tmp_path.iterdir())
    for name in UNKNOWN_NAMES:
        for save in (some_vectors().save, partial(write, some_record()), check_vector_output):
            with pytest.raises(FormatError, match=r"Supported suffixes are \.safetensors, \.bin, \.txt, \.vec"):
                save(tmp_path / name)
        with pytest.raises(FileNotFoundError):
            WordVectors.load(tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(FormatError, match="format is 'npy'"):
        some_vectors().save(tmp_path / "model.bin", format="npy")
    for name in ("model.safetensors.gz", "model.npz.bz2", "model.tsv.xz", "model.kv.zst"):
        with pytest.raises(FormatError, match="files cannot be compressed; remove the"):
            write(some_record(), tmp_path / name)
    for name in ("zip", "tar", "txt.ZIP", "tgz", "tar.gz", "TAR.XZ", "tbz2", "txt.lzma", "bin.lz4", "txt.Z"):
        for format in ("txt", "bin", None):
            with pytest.raises(FormatError, match=r"\.\w+ files are not written; .* such as model(\.bin)?\.txt\.gz"):
                write(some_record(), tmp_path / f"model.{name}", format=format)
    with pytest.raises(FormatError, match="can only be read"):
        write(some_record(), tmp_path / "model.kv")


@pytest.mark.parametrize("suffix", ["bin", "txt", "safetensors"])
def test_files_that_cannot_be_opened(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(FileNotFoundError):
        WordVectors.load(tmp_path / f"x.{suffix}")
    with pytest.raises(FileNotFoundError):
        some_vectors().save(tmp_path / "no" / f"x.{suffix}")
    (tmp_path / f"folder.{suffix}").mkdir()
    with pytest.raises(IsADirectoryError):
        WordVectors.load(tmp_path / f"folder.{suffix}")
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


@pytest.mark.parametrize("suffix", ["bin", "txt", "safetensors"])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    some_vectors().save(path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError, match=f"x.{suffix}"):
            WordVectors.load(path)


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
            back = WordVectors.load(path)
        except FormatError:
            continue
        assert back.vectors.shape == (len(back), back.vector_size)


@pytest.mark.parametrize("name", ["vectors.kv", "word2vec.wordvectors", "word2vec.model", "vectors"])
def test_gensims_names_hold_everything(tmp_path: Path, name: str) -> None:
    KeyedVectors(WORDS, MATRIX).save(tmp_path / name)
    assert_same(WordVectors.load(tmp_path / name), WORDS, MATRIX)
    assert (tmp_path / name).read_bytes()[8:9] == b"{"


@pytest.mark.parametrize("name", ["w.csv", "w.npy", "w.json", "w.pkl", "w.foo", "w.xz"])
def test_no_format_is_written_by_a_name_that_promises_another(tmp_path: Path, name: str) -> None:
    for vectors in (some_vectors(), KeyedVectors(WORDS, MATRIX)):
        with pytest.raises(FormatError, match="unknown suffix"):
            vectors.save(tmp_path / name)
        assert not list(tmp_path.iterdir())
        if name != "w.xz":
            vectors.save(tmp_path / name, format="safetensors")  # the explicit way
            assert_same(WordVectors.load(tmp_path / name), WORDS, MATRIX)
            (tmp_path / name).unlink()


def test_an_unknown_name_is_refused_if_the_contents_leave_doubts(tmp_path: Path) -> None:
    for content in (b"a 1 2\n", b"\xff" * 8 + b"{", b"2 2\na 1 2", b"\0"):
        (tmp_path / "x.wordvectors").write_bytes(content)
        with pytest.raises(FormatError, match="unknown suffix"):
            WordVectors.load(tmp_path / "x.wordvectors")


@pytest.mark.parametrize("format", ["x.safetensors", "x.npz", "x.bin", "x.txt", "x.glove", "x.tsv", "static", *PACKED])
def test_equal_vectors_make_equal_files(tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = set()
    for i in range(8):
        monkeypatch.setattr(time, "time", lambda now=1e9 + 1e6 * i: now)
        monkeypatch.setattr(time, "localtime", lambda _=None, year=2020 + i: time.struct_time((year, *[1] * 8)))
        vectors = WordVectors(
            WORDS[:4], MATRIX[:4], range(4), -MATRIX[:4], settings={"window": 5, "model": "cbow", "seed": 1}
        )
        path = tmp_path / f"{i}{format}"  # the name of a file is no part of its contents
        vectors.save(path, format="static-embedding" if format == "static" else None)
        files = sorted(path.iterdir()) if path.is_dir() else [path, *tmp_path.glob(f"{i}x.metadata.tsv")]
        contents.add(b"".join(file.read_bytes() for file in files))
    assert len(contents) == 1


def test_only_the_first_words(tmp_path: Path) -> None:
    for name in ("x.bin", "x.txt.gz", "x.safetensors", "x.npz", "x.tsv"):
        some_vectors().save(tmp_path / name)
        assert_same(WordVectors.load(tmp_path / name, limit=2), WORDS[:2], MATRIX[:2])
        assert_same(WordVectors.load(tmp_path / name, limit=99), WORDS, MATRIX)
        with pytest.raises(ValueError, match="limit is 0"):
            WordVectors.load(tmp_path / name, limit=0)


@pytest.mark.parametrize("name", ["x.safetensors", "x.npz"])
def test_integer_words_stay_integers(tmp_path: Path, name: str) -> None:
    nodes = [5, 0, -3, 10**17, 2, 1, 9]
    WordVectors(nodes, MATRIX).save(tmp_path / name)
    assert_same(WordVectors.load(tmp_path / name), nodes, MATRIX)


def test_integer_words_become_digits_elsewhere(tmp_path: Path) -> None:
    for name in ("x.bin", "x.txt", "x.tsv"):
        WordVectors([5, 0, 3], MATRIX[:3]).save(tmp_path / name)
        assert_same(WordVectors.load(tmp_path / name), ["5", "0", "3"], MATRIX[:3])
