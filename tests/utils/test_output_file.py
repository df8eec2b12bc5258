"""Text files are compressed as their names say, in the same way by every writer."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fastw2v import Corpus, Vocabulary
from fastw2v.utils.output_file import check_compression, open_text_for_writing

PACKED: list[tuple[str, Callable[[bytes], bytes]]] = [
    (".gz", gzip.decompress),
    (".bz2", bz2.decompress),
    (".xz", lzma.decompress),
    (".XZ", lzma.decompress),
    ("", bytes),
]


@pytest.mark.parametrize(("suffix", "decompress"), PACKED)
def test_vocabularies_and_texts(tmp_path: Path, suffix: str, decompress: Callable[[bytes], bytes]):
    corpus = Corpus.from_sentences([["日本", "the", "the"], ["the", "cat"]], min_count=1)
    corpus.write_text(tmp_path / f"text.txt{suffix}")
    assert decompress((tmp_path / f"text.txt{suffix}").read_bytes()).decode() == "日本 the the\nthe cat\n"
    again = Corpus.from_text(tmp_path / f"text.txt{suffix}", min_count=1)
    assert again.vocabulary.words == corpus.vocabulary.words
    corpus.vocabulary.save(tmp_path / f"words.txt{suffix}")
    assert decompress((tmp_path / f"words.txt{suffix}").read_bytes()).startswith(b"the 3\n")
    assert Vocabulary.load(tmp_path / f"words.txt{suffix}") == corpus.vocabulary
    (tmp_path / "other-name").write_bytes((tmp_path / f"words.txt{suffix}").read_bytes())
    assert Vocabulary.load(tmp_path / "other-name") == corpus.vocabulary
    first = (tmp_path / f"words.txt{suffix}").read_bytes()
    corpus.vocabulary.save(tmp_path / f"again.txt{suffix}")
    assert (tmp_path / f"again.txt{suffix}").read_bytes() == first


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.txt.tar.gz", "x.TGZ", "x.txt.7z", "x.txt.lzma", "x.txt.Z"])
def test_other_archives_are_not_written(tmp_path: Path, name: str):
    corpus = Corpus.from_sentences([["the", "cat"]], min_count=1)
    for save in (corpus.write_text, corpus.vocabulary.save):
        with pytest.raises(ValueError, match=r"\.\w+ files are not written; .* such as x\.txt\.gz$"):
            save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_encoded_corpora_are_not_compressed(tmp_path: Path, suffix: str):
    corpus = Corpus.from_sentences([["the", "cat"]], min_count=1)
    with pytest.raises(ValueError, match=rf"corpus\.w2v\{suffix}: an encoded corpus cannot be compressed"):
        corpus.save(tmp_path / f"corpus.w2v{suffix}")
    assert not list(tmp_path.iterdir())


def test_an_error_leaves_nothing(tmp_path: Path):
    def write(path: Path) -> None:
        with open_text_for_writing(path) as file:
            file.write("the")
            raise KeyboardInterrupt

    for name in ("x.txt", "x.txt.gz", "x.txt.bz2", "x.txt.xz"):
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / name)
    with pytest.raises(UnicodeEncodeError), open_text_for_writing(tmp_path / "x.txt.gz") as file:
        file.write("\ud800")
    assert not list(tmp_path.iterdir())


def test_zst_needs_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for module in ("compression.zstd", "backports.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RuntimeError, match=r"x\.zst: .*pip install zstandard"):
        check_compression(tmp_path / "x.zst")
    check_compression(tmp_path / "x.xz")
    with pytest.raises(RuntimeError, match="pip install zstandard"):
        Vocabulary(["the"], [1]).save(tmp_path / "x.zst")
    assert not list(tmp_path.iterdir())
