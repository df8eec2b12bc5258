"""Files written by gensim, and pickles of other objects."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.formats.fileio import FormatError
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import MATRIX, WORDS, assert_same


def keyed_vectors(words: list[Any]) -> Any:
    from gensim.models import KeyedVectors

    peer = KeyedVectors(3)
    peer.add_vectors(words, MATRIX)
    for i, word in enumerate(words):
        peer.set_vecattr(word, "count", 10 - i)
    return peer


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("sep_limit", [10 * 1024**2, 0])
def test_gensims_keyed_vectors(tmp_path: Path, sep_limit: int, protocol: int) -> None:
    path = tmp_path / "x.kv"
    keyed_vectors(WORDS).save(str(path), sep_limit=sep_limit, pickle_protocol=protocol)
    assert (tmp_path / "x.kv.vectors.npy").exists() == (sep_limit == 0)
    ours = WordVectors.load(path)
    assert_same(ours, WORDS, MATRIX)
    if sep_limit:  # otherwise, gensim stores the counts in various ways
        assert ours.counts.tolist() == list(range(10, 3, -1))
    assert_same(WordVectors.load(path)[:2], WORDS[:2], MATRIX[:2])


def test_gensims_integer_keys(tmp_path: Path) -> None:
    keyed_vectors([5, 0, 3, 1000, 2, 1, 9]).save(str(tmp_path / "x.kv"))
    assert_same(WordVectors.load(tmp_path / "x.kv"), [5, 0, 3, 1000, 2, 1, 9], MATRIX)


def test_gensims_models(tmp_path: Path) -> None:
    from gensim.models import Word2Vec

    model = Word2Vec([["a", "b", "c", "b"]] * 30, vector_size=4, min_count=1, epochs=1, workers=1)
    for sep_limit in (0, 10 * 1024**2):
        model.save(str(tmp_path / "x.model"), sep_limit=sep_limit)
        ours = WordVectors.load(tmp_path / "x.model", format="gensim")
        assert_same(ours, model.wv.index_to_key, model.wv.vectors)


class Calls:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def test_gensims_files_run_nothing(tmp_path: Path) -> None:
    peer, marker = keyed_vectors(WORDS), tmp_path / "marker"
    for name, evil in [
        ("vectors", Calls(os.system, f"touch {marker}")),
        ("index_to_key", Calls(eval, f"open({str(marker)!r}, 'w')")),
        ("more", Calls(np.load, str(marker))),
    ]:
        state = {**peer.__dict__, name: evil}
        clone = keyed_vectors(WORDS)
        clone.__dict__ = state
        for protocol in (0, 2, 4):
            (tmp_path / "x.kv").write_bytes(pickle.dumps(clone, protocol))
            with pytest.raises(FormatError, match="not a pickle of gensim"):
                WordVectors.load(tmp_path / "x.kv")
    assert not marker.exists()
    for other in ({}, [1], WORDS, None, MATRIX):
        (tmp_path / "x.kv").write_bytes(pickle.dumps(other))
        with pytest.raises(FormatError, match="neither a KeyedVectors object"):
            WordVectors.load(tmp_path / "x.kv")


def test_gensims_files_with_parts_missing(tmp_path: Path) -> None:
    path = tmp_path / "x.kv"
    keyed_vectors(WORDS).save(str(path), sep_limit=0)
    beside = tmp_path / "x.kv.vectors.npy"
    beside.write_bytes(beside.read_bytes()[:-1])
    with pytest.raises(FormatError, match="not a pickle of gensim"):
        WordVectors.load(path)
    np.save(beside, np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(FormatError, match="not a pickle of gensim"):
        WordVectors.load(path)
    beside.unlink()
    with pytest.raises(FormatError, match=r"should be in .*x\.kv\.vectors\.npy, which does not exist"):
        WordVectors.load(path)
