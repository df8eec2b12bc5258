"""Vectors at URLs, which are read like files after they are downloaded."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from fastw2v import WordVectors, formats
from fastw2v.formats import FormatError
from fastw2v.utils.download import DownloadError, cached_path
from tests.web_server import Server

WORDS = ["sun", "moon", "soup"]
MATRIX = np.array([[1.0, 0.5], [0.75, 0.5], [-1.0, 0.25]], np.float32)


@pytest.fixture
def vectors() -> WordVectors:
    return WordVectors(WORDS, MATRIX, counts=[3, 2, 1], context_vectors=-MATRIX, settings={"window": 5})


def served(web: Server, vectors: WordVectors, folder: Path, name: str, address: str | None = None) -> str:
    """Save vectors, serve the file, and return its URL with the checksum."""
    vectors.save(folder / name)
    content = (folder / name).read_bytes()
    return f"{web.serve(address or f'/{name}', content)}#sha256={hashlib.sha256(content).hexdigest()}"


@pytest.mark.parametrize(
    "name",
    ["v.safetensors", "v.npz", "v.bin", "v.txt", "v.vec.gz", "v.glove.xz", "v.bin.bz2"],
)
def test_every_format_is_read(web: Server, vectors: WordVectors, tmp_path: Path, name: str):
    read = WordVectors.load(served(web, vectors, tmp_path, name))
    assert read.index_to_key == WORDS
    np.testing.assert_array_equal(read.vectors, MATRIX)
    if name in ("v.safetensors", "v.npz"):
        assert read.counts.tolist() == [3, 2, 1]
        np.testing.assert_array_equal(read.context_vectors, -MATRIX)
        assert read.settings == {"window": 5}


def test_the_suffix_is_that_of_the_path_in_the_url(web: Server, vectors: WordVectors, tmp_path: Path):
    glove = served(web, vectors, tmp_path, "v.glove", "/files/v.glove?download=true&name=v.bin")
    assert WordVectors.load(glove, limit=2).index_to_key == ["sun", "moon"]
    without = served(web, vectors, tmp_path, "v.bin", "/download.php?id=7")  # recognised by the contents
    assert WordVectors.load(without).index_to_key == WORDS
    text = web.serve("/download.php?id=8", gzip.compress(b"sun 1 2\n"))
    assert WordVectors.load(text, format="glove").index_to_key == ["sun"]


def test_the_parameter_sha256(web: Server, vectors: WordVectors, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    url, _, sha256 = served(web, vectors, tmp_path, "v.bin").partition("#sha256=")
    assert formats.read(url, sha256=sha256).index_to_key == WORDS
    assert not caplog.messages
    with pytest.raises(DownloadError, match=f"checksum {sha256}, but {'0' * 64} was expected"):
        WordVectors.load(url, sha256="0" * 64)
    with pytest.raises(ValueError, match="sha256 is given, but only downloaded files are verified"):
        WordVectors.load(tmp_path / "v.bin", sha256=sha256)


def test_a_file_that_is_not_one_of_vectors(web: Server):
    url = web.serve("/v.bin?key=secret", b'{"error": "not found"}')
    with pytest.raises(FormatError) as caught:
        WordVectors.load(url)
    assert str(caught.value).startswith(f"{web.address}/v.bin: ")
    assert str(caught.value).endswith(f"The downloaded file is {cached_path(url)}")
    with pytest.raises(FormatError, match="format is 'nothing'"):
        WordVectors.load(url, format="nothing")


def test_malformed_urls_are_named():
    with pytest.raises(ValueError, match=r"^http://\[::1/x is not a valid URL; it must be like https://example\.org"):
        WordVectors.load("http://[::1/x")


def test_nothing_is_written_to_urls(vectors: WordVectors):
    with pytest.raises(OSError, match="is a URL, but files are written to this machine only; pass the path of a file"):
        vectors.save("https://example.org/v.vec")


def test_a_wrong_shape_names_the_url(web: Server, tmp_path: Path):
    formats.write(formats.VectorRecord(WORDS, MATRIX), tmp_path / "v.npz")
    with np.load(tmp_path / "v.npz") as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "v.npz", **arrays | {"counts": np.array([1, 2])})
    url = web.serve("/v.npz?key=secret", (tmp_path / "v.npz").read_bytes())
    with pytest.raises(FormatError, match=r"^http://127\.0\.0\.1:\d+/v\.npz: counts"):
        WordVectors.load(url)


def test_pickles_are_read_only_if_the_format_is_named(web: Server, tmp_path: Path):
    gensim = pytest.importorskip("gensim.models")
    kv = gensim.KeyedVectors(vector_size=2)
    kv.add_vectors(WORDS, MATRIX)
    kv.save(str(tmp_path / "v.kv"))
    content = (tmp_path / "v.kv").read_bytes()
    url = web.serve("/v.kv", content)
    with pytest.raises(FormatError, match=r"/v\.kv: this is the name of a pickle of gensim; if you trust its source"):
        WordVectors.load(url)
    assert not web.requests
    with pytest.raises(FormatError, match=r"/v\.bin: this is .*pickle"):
        WordVectors.load(web.serve("/v.bin", content))
    assert WordVectors.load(f"{url}#sha256={hashlib.sha256(content).hexdigest()}", "gensim").index_to_key == WORDS
