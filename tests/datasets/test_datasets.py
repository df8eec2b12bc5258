"""Data sets: where files are searched for, what the loaders return, and the errors when a file is missing."""

from __future__ import annotations

import hashlib
import http.server
import io
import lzma
import os
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fastw2v import datasets
from fastw2v.datasets import catalog, demo, download

TRAIN = " the cat sat \n the dog <unk> \n"
VALID = " dog sat \n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, without a data folder set by the user."""
    monkeypatch.delenv("FASTW2V_DATA", raising=False)
    monkeypatch.setattr(download, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    """A folder named by FASTW2V_DATA, without network access."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("FASTW2V_DATA", str(folder))
    monkeypatch.setattr(download, "_downloaded", lambda name: pytest.fail(f"{name} would have been downloaded"))
    return folder


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[Path]:
    """The folder of a local web server that replaces the sources."""
    root = tmp_path / "server"
    root.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root))) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        address = f"http://127.0.0.1:{running.server_port}/"
        sources = {address + url.rsplit("/", 1)[1]: sha256 for url, sha256 in download.SOURCES.items()}
        monkeypatch.setattr(download, "SOURCES", sources)
        yield root
        running.shutdown()
        thread.join()


def serve(root: Path, name: str, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a file on the server, and its checksum into the list."""
    (root / name).write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    sources = {url: sha256 if url.endswith(f"/{name}") else old for url, old in download.SOURCES.items()}
    monkeypatch.setattr(download, "SOURCES", sources)


@pytest.mark.parametrize("sub_folder", ["", "ptb", "corpora"])
def test_ptb_rows_by_hand(folder: Path, sub_folder: str):
    (folder / sub_folder).mkdir(exist_ok=True)
    (folder / sub_folder / "ptb.train.txt").write_text(TRAIN)
    (folder / sub_folder / "ptb.valid.txt").write_text(VALID)
    corpus, word_to_id, id_to_word = datasets.load_ptb()
    np.testing.assert_array_equal(corpus, [0, 1, 2, 3, 0, 4, 5, 3])
    assert corpus.dtype == np.int32
    assert id_to_word == {0: "the", 1: "cat", 2: "sat", 3: "<eos>", 4: "dog", 5: "<unk>"}
    assert word_to_id == {word: i for i, word in id_to_word.items()}
    for split in ("valid", "val"):
        valid, same_ids, _ = datasets.load_ptb(split)
        np.testing.assert_array_equal(valid, [4, 2, 3])
        assert same_ids == word_to_id


def test_ptb_refuses_wrong_splits_and_files(folder: Path):
    with pytest.raises(ValueError, match="split is 'dev'"):
        datasets.load_ptb("dev")
    (folder / "ptb.train.txt").write_text(TRAIN)
    (folder / "ptb.test.txt").write_text(" a bird \n")
    with pytest.raises(ValueError, match=r"ptb\.test\.txt contains words that are not in ptb\.train\.txt, such as 'a'"):
        datasets.load_ptb("test")
    (folder / "ptb.train.txt").write_text("")
    with pytest.raises(ValueError, match=r"ptb\.train\.txt is empty"):
        datasets.load_ptb()


def test_ptb_in_another_encoding_is_named(folder: Path):
    (folder / "ptb.train.txt").write_bytes("\ufeffa caf\xe9\n b\n".encode())
    assert list(datasets.load_ptb()[1]) == ["a", "caf\xe9", "<eos>", "b"]
    (folder / "ptb.train.txt").write_bytes("le caf\xe9 cr\xe8me\n".encode("cp1252"))
    with pytest.raises(ValueError, match=r"ptb\.train\.txt is not UTF-8: byte 6 is 0xe9 .* It is probably cp1252"):
        datasets.load_ptb()


def test_ptb_is_the_textbooks():
    root = os.environ.get("FASTW2V_DATA")
    if not root or not list(Path(root).rglob("ptb.train.txt")):
        pytest.skip("FASTW2V_DATA names no folder with the Penn Treebank")
    corpus, word_to_id, id_to_word = datasets.load_ptb()
    assert corpus.shape == (929_589,)
    assert len(word_to_id) == len(id_to_word) == 10_000
    text = next(Path(root).rglob("ptb.train.txt")).read_text()
    as_in_the_book = text.replace("\n", "<eos>").strip().split()
    assert [id_to_word[i] for i in corpus.tolist()] == as_in_the_book
    np.testing.assert_array_equal(corpus[:5], [0, 1, 2, 3, 4])
    assert len(datasets.load_ptb("valid")[0]) == 73_760
    assert len(datasets.load_ptb("test")[0]) == 82_430


def test_paths_of_evaluation_sets(folder: Path):
    for place, load in [
        ("text8", datasets.load_text8),
        ("eval/questions-words.txt", datasets.load_questions_words),
        ("eval/word-sim/EN-WS-353-ALL.txt", datasets.load_word_pairs),
        ("eval/EN-RG-65.txt", partial(datasets.load_word_pairs, "rg65")),
    ]:
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("content")
        assert load() == path
    with pytest.raises(ValueError, match=r"no set of word pairs with the name 'toefl'; the sets are mc30, men"):
        datasets.load_word_pairs("toefl")


def test_every_set_of_pairs_has_a_source():
    names = {url.rsplit("/", 1)[1] for url in download.SOURCES}
    assert names.issuperset(catalog.WORD_PAIRS.values())
    assert names.issuperset(analogies for analogies, _ in catalog.SUITES.values())
    assert set(catalog.WORD_PAIRS) == {one for _, sets in catalog.SUITES.values() for one in sets}
    assert all(url.startswith("https://") and len(sha256) == 64 for url, sha256 in download.SOURCES.items())


@pytest.mark.parametrize("name", catalog.SUITES)
def test_a_suite_is_found_in_a_folder(folder: Path, tmp_path: Path, name: str):
    analogies, sets = catalog.SUITES[name]
    given = tmp_path / "given"
    (given / "word-sim").mkdir(parents=True)
    for file in (analogies, *(catalog.WORD_PAIRS[one] for one in sets)):
        (folder / file).write_text("the environment's")
        (given / "word-sim" / file).write_text("the argument's")
    suite = datasets.load_suite(name)
    assert (suite.name, suite.analogies, list(suite.pairs)) == (name, folder / analogies, list(sets))
    suite = datasets.load_suite(name, given)
    assert {path.parent for path in (suite.analogies, *suite.pairs.values())} == {given / "word-sim"}
    assert suite.pairs[sets[0]].name == catalog.WORD_PAIRS[sets[0]]


def test_suites_that_are_not_there(tmp_path: Path, folder: Path):
    with pytest.raises(ValueError, match="no suite with the name 'french'; the suites are english, korean"):
        datasets.load_suite("french")
    with pytest.raises(NotADirectoryError, match=r"the data folder .*nowhere"):
        datasets.load_suite("korean", tmp_path / "nowhere")


def test_a_suite_is_downloaded_and_names_what_it_takes(server: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    serve(server, "word_analogy_korean.txt", b": sem1\n", monkeypatch)
    (server / "WS353_korean.csv").write_bytes(b"something else")
    with pytest.raises(OSError, match=r"WS353_korean\.csv was not .* also needs word_analogy_korean\.txt$"):
        datasets.load_suite("korean")
    serve(server, "WS353_korean.csv", b"word 1,word 2,kor_score\n", monkeypatch)
    suite = datasets.load_suite("korean")
    assert suite.analogies.read_bytes() == b": sem1\n"
    assert suite.pairs["wordsim353-korean"].parent == cache


def test_an_address_that_does_not_answer_is_told_in_few_words(cache: Path, monkeypatch: pytest.MonkeyPatch):
    url = "http://127.0.0.1:9/questions-words.txt"  # the discard port, on which nothing listens
    monkeypatch.setattr(download, "SOURCES", {url: "0" * 64})
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(OSError, match=r"questions-words.txt failed: .*refused\. Put it into a folder"):
        datasets.load_questions_words()


def test_packed_files_are_unpacked_into_the_cache_once(folder: Path, cache: Path):
    (folder / "corpora").mkdir()
    packed = folder / "corpora" / "text8.xz"
    packed.write_bytes(lzma.compress(b" anarchism originated"))
    path = datasets.load_text8()
    assert path.name == "text8"
    assert path.is_relative_to(cache)
    assert path.read_bytes() == b" anarchism originated"
    before = path.stat().st_mtime_ns
    assert datasets.load_text8().stat().st_mtime_ns == before
    packed.write_bytes(lzma.compress(b" something else now"))
    assert datasets.load_text8().read_bytes() == b" something else now"
    packed.write_bytes(packed.read_bytes()[:-4])
    with pytest.raises(ValueError, match=r"text8\.xz is cut short: its xz data is incomplete"):
        datasets.load_text8()
    assert not list(cache.rglob("*.tmp"))


def test_a_wrong_folder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("FASTW2V_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(NotADirectoryError, match=r"nowhere.*FASTW2V_DATA"):
        datasets.load_text8()


def test_download_is_checked_and_kept(server: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    serve(server, "questions-words.txt", b": capitals\n", monkeypatch)
    path = datasets.load_questions_words()
    assert path.read_bytes() == b": capitals\n"
    assert path.parent == cache
    (server / "questions-words.txt").unlink()
    assert datasets.load_questions_words() == path


def test_download_of_an_archive(server: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("text8", " anarchism originated")
    serve(server, "text8.zip", archive.getvalue(), monkeypatch)
    path = datasets.load_text8()
    assert path.name == "text8"
    assert path.read_bytes() == b" anarchism originated"


def test_another_file_than_expected_is_refused(server: Path, cache: Path):
    (server / "questions-words.txt").write_bytes(b"another file")
    with pytest.raises(OSError, match=r"checksum [0-9a-f]{64}, but 8c29b3.* was expected, so it was not kept"):
        datasets.load_questions_words()
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_no_network_says_which_file_to_put_where(server: Path):
    message = r"ptb\.train\.txt was not found.*404.*into a folder.*FASTW2V_DATA"
    with pytest.raises(OSError, match=message):
        datasets.load_ptb()


def test_demo_corpus_is_real_text_and_the_same_each_time():
    before = set(sys.modules)
    start = time.perf_counter()
    sentences = datasets.demo_corpus()
    assert time.perf_counter() - start < 15
    assert set(sys.modules) - before <= {"pydoc_data", "pydoc_data.topics"}
    words = [word for sentence in sentences for word in sentence]
    assert 600_000 < len(words) < 1_010_000
    assert all(word.isascii() and word.isalpha() and word.islower() for word in set(words))
    assert min(map(words.count, ["list", "tuple", "encode", "decode", "min", "max"])) > 50
    assert sentences == datasets.demo_corpus()


def test_names_are_split(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(demo, "_language_topics", list)
    monkeypatch.setattr(demo, "DEMO_TOKENS", 20)
    source = tmp_path / "module.py"
    source.write_text('def readHTTPHeader_lines(self):\n    """Read it, don\'t ask."""\n\n\n    \nclass A: pass\n')
    monkeypatch.setattr(demo, "_library_files", lambda: [source])
    assert datasets.demo_corpus() == [
        ["def", "read", "http", "header", "lines", "self", "read", "it", "don", "t", "ask"],
        ["class", "a", "pass"],
    ]


def test_a_python_without_sources(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(demo, "_library_files", list)
    with pytest.raises(FileNotFoundError, match="too few"):
        datasets.demo_corpus()
