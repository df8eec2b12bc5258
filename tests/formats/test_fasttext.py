"""fastText's models and vectors, compared with gensim and fastText."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastw2v.formats.fileio import FormatError
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import WORDS, assert_same, some_vectors


@pytest.mark.parametrize(("shortest", "longest", "bucket"), [(3, 6, 500), (1, 2, 7), (2, 9, 1000), (0, 0, 1)])
def test_fasttext_models_as_gensim_reads_them(tmp_path: Path, shortest: int, longest: int, bucket: int) -> None:
    from gensim.models.fasttext import FastText, load_facebook_vectors, save_facebook_model

    texts = [["the", "naïve", "日本語", "the", "x", "été", "naïveté"]] * 20
    model = FastText(
        texts, vector_size=5, min_count=1, min_n=shortest, max_n=longest, bucket=bucket, epochs=1, workers=1
    )
    path = tmp_path / "model.bin"
    save_facebook_model(model, str(path))
    theirs, ours = load_facebook_vectors(str(path)), WordVectors.load(path)
    assert ours.index_to_key == theirs.index_to_key
    np.testing.assert_allclose(ours.vectors, theirs.vectors, rtol=1e-5, atol=1e-7)
    assert ours.counts.tolist() == [theirs.get_vecattr(word, "count") for word in ours]
    assert_same(WordVectors.load(path, limit=2), ours.index_to_key[:2], ours.vectors[:2])
    whole = path.read_bytes()
    for length in (*range(4, 400), len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(
            FormatError, match=r"cannot read this fastText model: .*(truncated|does not match)"
        ) as error:
            WordVectors.load(path)
        assert "unpack" not in str(error.value)
    path.write_bytes(whole[:4] + b"\x63" + whole[5:])
    with pytest.raises(FormatError, match="version 99"):
        WordVectors.load(path)


def test_fasttext_starts_from_our_vectors(tmp_path: Path) -> None:
    peer = pytest.importorskip("fasttext")
    some_vectors().save(tmp_path / "x.vec")
    words = [word for word in WORDS if not word[:1].isspace() and "\u00a0" not in word and word != "</s>"]
    (tmp_path / "corpus.txt").write_text(" ".join(words * 20) + "\n", encoding="utf-8")
    options = {
        "dim": 3,
        "minCount": 1,
        "minn": 0,
        "maxn": 0,
        "bucket": 0,
        "epoch": 1,
        "thread": 1,
        "t": 1,
        "verbose": 0,
    }
    model = peer.train_unsupervised(
        str(tmp_path / "corpus.txt"), lr=0.0, pretrainedVectors=str(tmp_path / "x.vec"), **options
    )
    for word in words:
        assert model.get_word_vector(word).tobytes() == some_vectors()[word].tobytes()
    model.save_model(str(tmp_path / "model.bin"))
    again = WordVectors.load(tmp_path / "model.bin")
    assert again.index_to_key == model.words
    assert all(again[word].tobytes() == model.get_word_vector(word).tobytes() for word in words)
