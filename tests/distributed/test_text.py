"""Texts that tasks count, encode and divide are those that one machine reads, in the parts of one machine."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import itertools
import logging
import os
import pickle
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v import Corpus, Vocabulary
from fastw2v.checkpoint import fingerprint
from fastw2v.config import UNICODE_FORMS
from fastw2v.corpus import indexer, sources
from fastw2v.distributed import files, text
from fastw2v.distributed import parts as parts_module
from fastw2v.distributed.cluster import InProcess
from fastw2v.distributed.parts import put_parts
from fastw2v.distributed.text import DistributedCorpus, read_text
from fastw2v.sampling.chunks import contexts_of_lengths, mean_contexts, reach_of_lengths, window_reach
from fastw2v.utils import progress

SOME_TEXT = "the cat sat on the mat\nthe dog sat on the log\r\n\nÜber allen Gipfeln\u3000ist Ruh\n" * 20
SELECTION = ("max_vocab", "include", "exclude", "counts")


class CarefulCluster(InProcess):
    """A cluster that checks what Ray relies on: arguments and results travel, and a second run has the same results."""

    def put(self, value: Any) -> Any:
        return super().put(read_only(value))

    def submit(self, task: Any, *arguments: Any, **options: Any) -> list[Any]:
        def run(get: Any, *values: Any) -> Any:
            task_again, values = pickle.loads(pickle.dumps((task, values[0]))), values[1:]
            first = pickle.dumps(task_again[0](get, *values))
            assert pickle.dumps(task(get, *values)) == first
            return read_only(pickle.loads(first))

        return super().submit(run, len(arguments), *arguments, **options)


def read_only(value: Any) -> Any:
    """Make the arrays in a value read-only, and return the value."""
    if isinstance(value, np.ndarray):
        value.flags.writeable = False
    elif isinstance(value, tuple):
        for one in value:
            read_only(one)
    return value


@pytest.fixture(scope="module")
def cluster() -> Iterator[InProcess]:
    found = CarefulCluster(threads=2)
    yield found
    found.close()


@contextlib.contextmanager
def patched(**constants: Any) -> Iterator[None]:
    """Set constants of modules, such as ``text__RANGE_BYTES``."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in constants.items():
            module, constant = name.split("__")
            patch.setattr(globals()[module], constant, value)
        yield


def assert_same(cluster: Any, found: DistributedCorpus, corpus: Corpus, parts: int) -> None:
    """Assert that a text on a cluster is a corpus, in the parts into which one machine divides the corpus."""
    gathered = found.gather(cluster)
    assert found.vocabulary == gathered.vocabulary == corpus.vocabulary
    for own, other in ((gathered.ids, corpus.ids), (gathered.offsets, corpus.offsets)):
        np.testing.assert_array_equal(own, other)
        assert own.dtype == other.dtype
    assert (len(found), found.n_sentences) == (len(corpus), corpus.n_sentences)
    np.testing.assert_array_equal(found.word_counts(), corpus.word_counts())
    expected = put_parts(cluster, corpus, parts)
    lengths = 0
    for described, stored in zip(expected, found.parts, strict=True):
        [one, other] = cluster.get([described.reference, stored.reference])
        assert described.n_tokens == stored.n_tokens
        for array, own in zip(one, other, strict=True):
            np.testing.assert_array_equal(array, own)
            assert array.dtype == own.dtype
        part = Corpus(*other, corpus.vocabulary)
        assert (stored.n_sentences, stored.hash) == (part.n_sentences, fingerprint(part)["hash"])
        lengths += stored.lengths
        for window in (1, 3):
            assert contexts_of_lengths(window, stored.lengths) == mean_contexts(window, part.offsets)
            assert reach_of_lengths(window, stored.lengths) == window_reach(window, part.offsets)
    np.testing.assert_array_equal(found.lengths, lengths)


def read_both(cluster: Any, source: Any, parts: int = 2, min_count: int = 1, **options: Any) -> DistributedCorpus:
    """Read a text on a cluster, and compare it with the same text on one machine."""
    found = read_text(cluster, source, parts, min_count, **options)
    assert_same(cluster, found, Corpus.from_text(source, min_count, **options), parts)
    return found


HAVE_FORMS = ("E\u0301", "한", "\u1112\u1161\u11ab", "\ufdfa", "bb\u00b4a")
WORDS = st.sampled_from(["a", "bb", "ccc", "é", "世界", "A", "BB", "É", "x" * 30, "\ufeff", "a\0b", *HAVE_FORMS])
SPACES = st.sampled_from([" ", "\n", "\r\n", "\n\n", "\u3000", "\u3000 ", "\t", " \r", "\x0b", "\u2028", ""])
TEXTS = st.lists(st.tuples(WORDS, SPACES), max_size=40).map(lambda pairs: "".join(map("".join, pairs)))


any_text = given(
    texts=st.lists(st.tuples(TEXTS, st.sampled_from([b"", b"\xef\xbb\xbf"])), min_size=1, max_size=4),
    parts=st.integers(1, 5),
    min_count=st.integers(0, 3),
    lower=st.booleans(),
    normalize=st.sampled_from([None, *UNICODE_FORMS]),
    range_bytes=st.integers(1, 60),
    chunk_tokens=st.sampled_from([2, 8192]),
    is_compiled=st.booleans(),
)


def check_any(cluster, texts, parts, min_count, lower, normalize, range_bytes, chunk_tokens, is_compiled):
    """Check that a text on a cluster is that of one machine, or has the same error."""
    constants = {"text__RANGE_BYTES": range_bytes, "parts_module__CHUNK_TOKENS": chunk_tokens, "text__MERGED": 2}
    if is_compiled:
        constants["indexer__SHORT_TEXT_BYTES"] = constants["text__SHORT_LIST_BYTES"] = 0
    with tempfile.TemporaryDirectory() as folder, patched(**constants):
        for i, (content, mark) in enumerate(texts):
            (Path(folder) / f"{i}.txt").write_bytes(mark + content.encode())
        options = {"lower": lower, "normalize": normalize}
        try:
            corpus = Corpus.from_text(folder, min_count, **options)
        except ValueError as error:
            with pytest.raises(ValueError, match=f"^{re.escape(str(error))}$"):
                read_text(cluster, folder, parts, min_count, **options)
        else:
            assert_same(cluster, read_text(cluster, folder, parts, min_count, **options), corpus, parts)


test_any_text = settings(max_examples=40, deadline=None)(any_text(check_any))
test_any_text_at_length = pytest.mark.slow(settings(max_examples=1000, deadline=None)(any_text(check_any)))


@pytest.mark.parametrize("range_bytes", [50, 300, 1 << 25])
def test_compressed_files_and_other_encodings(cluster, tmp_path, monkeypatch, range_bytes):
    monkeypatch.setattr(text, "RANGE_BYTES", range_bytes)
    contents = {
        "a.txt": SOME_TEXT.encode(),
        "b.txt.gz": gzip.compress(SOME_TEXT.encode()),
        "c.txt": b"",
        "d.txt": bz2.compress(SOME_TEXT.encode("utf-8-sig")),
        "e.txt": SOME_TEXT.encode("utf-16"),
        "f.txt": SOME_TEXT.encode("utf-8-sig"),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    read_both(cluster, tmp_path, parts=3)
    monkeypatch.chdir(tmp_path)
    read_both(cluster, ["f.txt", Path("a.txt"), "?.txt"], parts=3)
    Path("latin.txt").write_bytes(SOME_TEXT.replace("\u3000", "\xa0").encode("latin-1"))
    read_both(cluster, "latin.txt", encoding="latin-1", lower=True)
    read_both(cluster, "latin.txt", encoding="latin-1", normalize="NFD")
    for errors in ("replace", "ignore"):
        read_both(cluster, "latin.txt", errors=errors)


@pytest.mark.parametrize("is_compiled", [False, True])
@pytest.mark.parametrize(
    "selection",
    [
        {"max_vocab": 3},
        {"min_count": 30, "include": ["Ruh", "cat"]},
        {"exclude": ["the", "sat"]},
        {"counts": {"sat": 1, "dog": 5, "fish": 3}},
        {"counts": Vocabulary(["on", "new york", "mat"], [2, 9, 9]), "min_count": 2},
    ],
)
def test_the_vocabulary_is_selected_as_on_one_machine(cluster, tmp_path, monkeypatch, selection, is_compiled):
    monkeypatch.setattr(text, "RANGE_BYTES", 40)
    if is_compiled:
        monkeypatch.setattr(indexer, "SHORT_TEXT_BYTES", 0)
        monkeypatch.setattr(text, "SHORT_LIST_BYTES", 0)
    path = tmp_path / "a.txt"
    path.write_text(SOME_TEXT, encoding="utf-8")
    read_both(cluster, path, **selection)


def test_parts_do_not_depend_on_the_ranges_or_the_cluster(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text(SOME_TEXT, encoding="utf-8")
    found = []
    for range_bytes, threads in itertools.product((10, 55, 1 << 25), (1, 4)):
        monkeypatch.setattr(text, "RANGE_BYTES", range_bytes)
        cluster = InProcess(threads)
        corpus = read_text(cluster, path, parts=3, min_count=1)
        found.append(([part.hash for part in corpus.parts], [part.n_tokens for part in corpus.parts], corpus.bounds))
        cluster.close()
    assert all(one == found[0] for one in found)


def test_a_sentence_that_is_longer_than_a_piece(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(parts_module, "CHUNK_TOKENS", 50)
    monkeypatch.setattr(text, "RANGE_BYTES", 100)
    path = tmp_path / "a.txt"
    path.write_text("the cat\n" * 30 + "a b c d e f g " * 400 + "\nthe dog\n" * 30, encoding="utf-8")
    found = read_both(cluster, path, parts=2)
    assert len(found.cut) > 10


def test_a_part_has_text_of_the_whole_corpus(cluster, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("".join(f"word{i // 100}\n" for i in range(3200)), encoding="utf-8")
    found = read_text(cluster, path, parts=4, min_count=1)
    assert [part.n_tokens for part in found.parts] == [800] * 4
    for part in cluster.get([one.reference for one in found.parts]):
        assert len(np.unique(part.ids)) >= 16


def test_small_files_are_read_together_and_large_ones_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "RANGE_BYTES", 100)
    for i, size in enumerate([30, 30, 30, 30, 250, 0, 30]):
        (tmp_path / f"{i}.txt").write_bytes(b"x " * (size // 2))
    found = list(text._ranges(files.find_files(tmp_path), "utf-8"))
    spans = [[(Path(span.file.name).stem, span.begin, span.end) for span in one] for one in found]
    assert spans == [
        [("0", 0, 30), ("1", 0, 30), ("2", 0, 30)],
        [("3", 0, 30)],
        [("4", 0, 100)],
        [("4", 100, 200)],
        [("4", 200, 250), ("6", 0, 30)],
    ]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ({"a.txt": b""}, {}),
        ({"a.txt": b" \n\n"}, {}),
        ({"a.txt": SOME_TEXT.encode()}, {"min_count": 1000}),
        ({"a.txt": SOME_TEXT.encode()}, {"exclude": ["the", "sat", "on"], "min_count": 25}),
        ({"a.txt": SOME_TEXT.encode()}, {"counts": {"un": 5, "chat": 2}}),
        ({"a.txt": SOME_TEXT.encode()}, {"counts": {1: 5, 2: 2}}),
        ({"a.txt": SOME_TEXT.encode(), "b.txt": b"%PDF-1.7 " + b"x " * 500}, {}),
        ({"a.txt": b"%PDF-1.7"}, {}),
        ({"a.txt": SOME_TEXT.encode(), "b.txt": gzip.compress(os.urandom(3000))[:-100]}, {}),
        ({"a.txt": SOME_TEXT.encode() + b"caf\xe9 noir \n" + SOME_TEXT.encode()}, {}),
        ({"a.txt": SOME_TEXT.encode() * 2 + b"caf\xe9"}, {}),
        ({"a.txt": SOME_TEXT.encode() + b"x" * 5000}, {}),
        ({"a.txt": b"x" * 5000 + SOME_TEXT.encode()}, {}),
        ({"a.txt": SOME_TEXT.encode()}, {"encoding": "ascii"}),
        ({"a.txt": SOME_TEXT.encode()}, {"encoding": "base64"}),
        ({"a.txt": SOME_TEXT.encode()}, {"errors": "skip"}),
        ({"a.txt": SOME_TEXT.encode()}, {"include": ["cat"], "exclude": ["cat"]}),
        ({"a.txt": SOME_TEXT.encode()}, {"lower": "no"}),
        ({"a.txt": SOME_TEXT.encode()}, {"normalize": "nfc"}),
        ({"a.txt": SOME_TEXT.encode()}, {"min_count": -1}),
        ({}, {}),
        ({"a.txt": b"the cat"}, {"source": []}),
        ({"a.txt": b"the cat"}, {"source": ["a.txt", "nowhere.txt"]}),
        ({"a.txt": b"the cat"}, {"source": "*.csv"}),
        ({"a.txt": b"the cat"}, {"source": ""}),
        ({"a.txt": b"the cat"}, {"source": b"a.txt"}),
        ({"a.txt": b"the cat"}, {"source": 5}),
        ({"a.txt": b"the cat"}, {"source": [["the", "cat"]]}),
    ],
)
def test_errors_are_those_of_one_machine(tmp_path, monkeypatch, content, options):
    """Blocks, and ranges of two blocks, begin at the same bytes as those of large files."""
    monkeypatch.setattr(sources, "BLOCK_BYTES", 64)
    monkeypatch.setattr(sources, "LONGEST_WORD", 1000)
    monkeypatch.setattr(text, "RANGE_BYTES", 128)
    folder = tmp_path / "texts"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name, data in content.items():
        Path(name).write_bytes(data)
    options = {"source": ".", **options}
    with pytest.raises(Exception) as expected:
        Corpus.from_text(**options)
    cluster = InProcess(threads=2)
    with pytest.raises(Exception) as found:
        read_text(cluster, parts=2, **options)
    cluster.close()
    assert (type(found.value), str(found.value)) == (type(expected.value), str(expected.value))


@pytest.mark.parametrize(
    ("contents", "options"),
    [
        ([SOME_TEXT, ""], {}),
        ([SOME_TEXT], {"include": ["fish"]}),
        ([SOME_TEXT], {"counts": {"Ruh": 5}}),
        (["the cat sat \ufeffon\n" * 300], {}),
        (["a b c d " * 300], {}),
        (["cat\ndog\n" * 600 + "c d\n"], {}),
        (["the cat " * 1000], {}),
        (["".join(f"w{i} " for i in range(2000))], {}),
    ],
)
def test_warnings_are_those_of_one_machine(cluster, tmp_path, monkeypatch, caplog, contents, options):
    monkeypatch.setattr(text, "RANGE_BYTES", 500)
    caplog.set_level(logging.WARNING, logger="fastw2v")
    for i, content in enumerate(contents):
        (tmp_path / f"{i}.txt").write_text(content, encoding="utf-8")
    Corpus.from_text(tmp_path, 1, **options)
    expected = caplog.messages.copy()
    assert expected
    caplog.clear()
    read_text(cluster, tmp_path, 3, 1, **options)
    assert caplog.messages == expected


def test_progress_counts_the_bytes_of_all_files(cluster, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(progress, "_now", itertools.count(0, 12).__next__)
    monkeypatch.setattr(text, "RANGE_BYTES", 500)
    caplog.set_level(logging.INFO, logger="fastw2v")
    data = gzip.compress(SOME_TEXT.encode())
    (tmp_path / "a.txt").write_text(SOME_TEXT, encoding="utf-8", newline="")
    (tmp_path / "b.txt.gz").write_bytes(data)
    read_text(cluster, tmp_path, parts=2)
    for verb in ("reading", "encoding"):
        *under_way, end = [message for message in caplog.messages if message.startswith(verb)]
        percentages = [int(re.match(rf"{verb}: (\d+)%, .* left$", line)[1]) for line in under_way]
        assert len(percentages) >= 3
        assert percentages == sorted(percentages)
        assert re.match(rf"{verb}: 100%, {len(SOME_TEXT.encode()) + len(data):,} bytes in ", end)


class FilesChange(InProcess):
    """A cluster on which something happens before each task is submitted."""

    def __init__(self, happens: Any) -> None:
        super().__init__(threads=1)
        self._happens = happens

    def submit(self, *arguments: Any, **options: Any) -> list[Any]:
        self._happens()
        return super().submit(*arguments, **options)


@pytest.mark.parametrize("range_bytes", [200, 1 << 25])
def test_a_file_that_changes_or_that_a_node_cannot_see(tmp_path, monkeypatch, range_bytes):
    monkeypatch.setattr(text, "RANGE_BYTES", range_bytes)
    monkeypatch.setattr(files.platform, "node", lambda: "node-7")
    path = tmp_path / "a.txt"
    size = len(SOME_TEXT.encode())
    for new_size in (size - 1, size + 1, 3, 0):
        path.write_text(SOME_TEXT, encoding="utf-8", newline="")
        cluster = FilesChange(lambda: os.truncate(path, new_size))  # noqa: B023
        with pytest.raises(OSError, match=rf"a\.txt has changed .*, from {size:,} to {new_size:,} bytes"):
            read_text(cluster, path, parts=2)
        cluster.close()
    path.write_text(SOME_TEXT, encoding="utf-8", newline="")
    cluster = FilesChange(lambda: path.unlink(missing_ok=True))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"the node node-7 cannot find a\.txt \(.*a\.txt\)\. .* a URL, such"):
        read_text(cluster, "a.txt", parts=2)
    cluster.close()


def test_a_file_that_changes_while_it_is_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(SOME_TEXT, encoding="utf-8", newline="")
    [file] = files.find_files(path)
    [span] = files.spans_of(file, "utf-8", 1 << 25)
    with pytest.raises(OSError, match="has changed"):  # noqa: PT012
        for _ in files.blocks_of_span(span, "utf-8", "strict"):
            with path.open("a", encoding="utf-8") as opened:
                opened.write("more")


def test_what_can_be_read_only_once_is_refused(cluster, tmp_path, monkeypatch):
    for source in ("-", ["-"], [Path("-")]):
        with pytest.raises(ValueError, match=r"^standard input can be read only once, .* Write the text to a file"):
            read_text(cluster, source, parts=2)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ValueError, match="pipe can be read only once"):
            read_text(cluster, tmp_path / "pipe", parts=2)


def test_parts_must_be_a_positive_integer(cluster, tmp_path):
    with pytest.raises(ValueError, match="parts"):
        read_text(cluster, tmp_path, parts=0)
    with pytest.raises(TypeError, match="parts"):
        read_text(cluster, tmp_path, parts="two")


class TestURLs:
    """Files at URLs are read through fsspec; its file system ``memory`` is in this process."""

    @pytest.fixture(autouse=True)
    def texts(self, tmp_path, monkeypatch) -> Iterator[None]:
        fsspec = pytest.importorskip("fsspec")
        monkeypatch.setattr(text, "RANGE_BYTES", 200)
        monkeypatch.setattr(sources, "BLOCK_BYTES", 64)
        self.memory = fsspec.filesystem("memory")
        contents = {
            "a.txt": SOME_TEXT.encode(),
            "b.txt.gz": gzip.compress(SOME_TEXT.encode()),
            "deep/c.txt": "BOM\u3000here\n".encode("utf-8-sig") * 20,
            ".hidden.txt": b"hidden",
            "deep/.git/d.txt": b"hidden",
        }
        for name, content in contents.items():
            self.memory.pipe(f"/texts/{name}", content)
            path = tmp_path / "texts" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        monkeypatch.chdir(tmp_path)
        yield
        self.memory.store.clear()

    @pytest.mark.parametrize(
        "pattern",
        ["texts", "texts/", "texts/*.txt", "texts/a.txt", "texts/b.txt.gz", "texts/**/c.txt", "texts/[ab]*", "te*"],
    )
    def test_files_folders_and_patterns(self, cluster, tmp_path, pattern):
        corpus = Corpus.from_text(pattern)
        assert_same(cluster, read_text(cluster, f"memory://{pattern}", 2), corpus, 2)
        assert_same(cluster, read_text(cluster, f"file://{tmp_path}/{pattern}", 2), corpus, 2)

    def test_a_list_of_paths_and_urls(self, cluster):
        given = ["memory://texts/deep/c.txt", "texts/a.txt", Path("texts/b.txt.gz"), "memory://texts/a.txt"]
        corpus = Corpus.from_text(["texts/deep/c.txt", "texts/a.txt", "texts/b.txt.gz", "texts/a.txt"])
        assert_same(cluster, read_text(cluster, given, 2), corpus, 2)

    def test_missing_files(self, cluster):
        with pytest.raises(FileNotFoundError, match=r"^there is no corpus file memory://texts/nowhere\.txt$"):
            read_text(cluster, "memory://texts/nowhere.txt", 2)
        with pytest.raises(FileNotFoundError, match=r"^no file matches memory://texts/\*\.csv$"):
            read_text(cluster, ["texts/a.txt", "memory://texts/*.csv"], 2)
        self.memory.mkdir("/texts/empty")
        with pytest.raises(FileNotFoundError, match="there are no files in the folder memory://texts/empty or"):
            read_text(cluster, "memory://texts/empty", 2)

    def test_errors_of_the_text_name_the_url(self, cluster):
        data = SOME_TEXT.encode() + b"caf\xe9 noir\n" + SOME_TEXT.encode()
        self.memory.pipe("/texts/latin.txt", data)
        position = len(SOME_TEXT.encode()) + 3
        with pytest.raises(ValueError, match=f"memory://.*latin.txt is not UTF-8: byte {position} is 0xe9"):
            read_text(cluster, "memory://texts/latin.txt", 2)

    def test_a_file_that_is_gone_or_has_changed(self, monkeypatch):
        monkeypatch.setattr(files.platform, "node", lambda: "node-7")
        changing = FilesChange(lambda: self.memory.pipe("/texts/a.txt", b"the cat"))
        with pytest.raises(OSError, match=r"memory://.*a\.txt has changed .* to 7 bytes"):
            read_text(changing, "memory://texts/a.txt", 2)
        changing.close()
        vanishing = FilesChange(lambda: self.memory.exists("/texts/b.txt.gz") and self.memory.rm("/texts/b.txt.gz"))
        with pytest.raises(FileNotFoundError, match=r"the node node-7 cannot find memory://.*b\.txt\.gz"):
            read_text(vanishing, "memory://texts/b.txt.gz", 2)
        vanishing.close()

    def test_a_server_that_fails(self, cluster, monkeypatch):
        class NoCredentialsError(Exception):
            pass

        def fail(*_: Any, **__: Any) -> None:
            raise NoCredentialsError("Unable to locate credentials")

        monkeypatch.setattr(files.platform, "node", lambda: "node-7")
        message = (
            r"the node node-7 cannot read memory://.*a\.txt: NoCredentialsError: Unable to locate credentials\. Check"
        )
        for method in ("cat_file", "info"):
            with monkeypatch.context() as patch:
                patch.setattr(type(self.memory), method, fail)
                with pytest.raises(OSError, match=message):
                    read_text(cluster, "memory://texts/a.txt", 2)

    def test_a_server_that_does_not_tell_sizes(self, cluster, monkeypatch):
        monkeypatch.setattr(type(self.memory), "info", lambda _, path: {"name": path, "type": "file", "size": None})
        with pytest.raises(OSError, match=r"the server does not tell the size of memory://.*a\.txt"):
            read_text(cluster, "memory://texts/a.txt", 2)

    def test_packages_that_are_not_installed(self, cluster, monkeypatch):
        monkeypatch.setattr(files.platform, "node", lambda: "node-7")
        monkeypatch.setitem(sys.modules, "s3fs", None)
        with pytest.raises(
            ImportError, match=r"s3://bucket/a\.txt cannot be read on the node node-7, .* Install s3fs .* on"
        ):
            read_text(cluster, "s3://bucket/a.txt", 2)
        with pytest.raises(ValueError, match=r"nothing://a.txt cannot be read: .*nothing.*\. Pass a path, or a URL"):
            read_text(cluster, "nothing://a.txt", 2)
        monkeypatch.setitem(sys.modules, "fsspec", None)
        with pytest.raises(ImportError, match=r"s3://bucket/a\.txt is a URL, .* fsspec is not installed on the node n"):
            read_text(cluster, ["texts/a.txt", "s3://bucket/a.txt"], 2)


def test_ray_reads_the_text_of_one_machine(tmp_path, monkeypatch):
    """Processes of Ray read a plain and a compressed file, and their errors arrive as those of one machine."""
    pytest.importorskip("ray")
    from fastw2v.distributed.ray_cluster import connect

    monkeypatch.setattr(text, "RANGE_BYTES", 1000)
    (tmp_path / "a.txt").write_text(SOME_TEXT * 2, encoding="utf-8")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(SOME_TEXT.encode()))
    monkeypatch.chdir(tmp_path)
    ray_cluster = connect("local", processors=1, local_processors=2)
    try:
        read_both(ray_cluster, ["a.txt", "b.txt.gz"], parts=3, min_count=2, lower=True, normalize="NFD")
        Path("b.txt").write_bytes(SOME_TEXT.encode() + b"caf\xe9")
        with pytest.raises(ValueError) as expected:
            Corpus.from_text("*.txt")
        with pytest.raises(ValueError, match=f"^{re.escape(str(expected.value))}$"):
            read_text(ray_cluster, "*.txt", parts=3)
        files_found = files.find_files("a.txt")
        Path("a.txt").unlink()
        monkeypatch.setattr(text, "find_files", lambda _: files_found)
        with pytest.raises(FileNotFoundError, match=r"the node .* cannot find a\.txt .* same file on every node"):
            read_text(ray_cluster, "a.txt", parts=3)
    finally:
        ray_cluster.close()
