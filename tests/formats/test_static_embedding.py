"""StaticEmbedding, compared with sentence-transformers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fastw2v.formats import static_embedding
from fastw2v.formats.fileio import FormatError
from fastw2v.vectors.word_vectors import WordVectors
from tests.formats.common import MATRIX, assert_same, some_vectors


def test_static_embedding_folders(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    words = ["the", "naïve", "日本"]
    folder = tmp_path / "static"
    WordVectors(words, MATRIX[:3]).save(folder, format="static-embedding")
    assert {path.name for path in folder.iterdir()} == {
        "model.safetensors",
        "tokenizer.json",
        "modules.json",
        "config_sentence_transformers.json",
    }
    weights = load_file(folder / "model.safetensors")["embedding.weight"]
    assert weights.tolist() == [*MATRIX[:3].tolist(), [0, 0, 0]]
    model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    assert model == {"type": "WordLevel", "vocab": {"the": 0, "naïve": 1, "日本": 2, "[UNK]": 3}, "unk_token": "[UNK]"}
    (module,) = json.loads((folder / "modules.json").read_text())
    assert module["type"] == "sentence_transformers.models.StaticEmbedding"
    assert module["path"] == "."  # versions before 5 take an empty path for that of a transformer
    assert_same(WordVectors.load(folder), words, MATRIX[:3])
    with pytest.raises(FileExistsError, match="new folder"):
        some_vectors().save(folder, format="static-embedding")
    with pytest.raises(FormatError, match="cannot be written"):
        some_vectors().save(tmp_path / "other", format="static-embedding")  # a no-break space splits words
    with pytest.raises(FormatError, match="reserves the word"):
        WordVectors(["[UNK]"], MATRIX[:1]).save(tmp_path / "other", format="static-embedding")
    assert [path.name for path in tmp_path.iterdir()] == ["static"]
    save_file({"embeddings": MATRIX[:4]}, folder / "model.safetensors")  # the other name that is in use
    assert_same(WordVectors.load(folder), [*words, "[UNK]"], MATRIX[:4])
    save_file({"weights": MATRIX[:4]}, folder / "model.safetensors")
    with pytest.raises(FormatError, match=r"has no embedding\.weight"):
        WordVectors.load(folder)


def test_words_are_refused_only_if_they_contain_white_space_or_a_control_character(tmp_path: Path) -> None:
    for code in range(0x110000):
        char = chr(code)
        refused = char.isspace() or code < 0x20 or code == 0x7F
        assert bool(static_embedding._SPACES.search(char.encode("utf-8", "surrogatepass"))) == refused, hex(code)
    words = ["감독", "독일", "…", "a\u200bb"]  # 독 is the bytes EB 8F 85, and 85 alone is white space in Latin-1
    WordVectors(words, np.eye(4)).save(tmp_path / "static", format="static-embedding")
    assert WordVectors.load(tmp_path / "static").index_to_key == words


@pytest.mark.filterwarnings("ignore")  # warnings of the libraries themselves
def test_sentence_transformers_opens_the_folder(tmp_path: Path) -> None:
    peer = pytest.importorskip("sentence_transformers")
    words = ["the", "naïve", "日本"]
    ours = WordVectors(words, MATRIX[:3])
    ours.save(tmp_path / "static", format="static-embedding")
    model = peer.SentenceTransformer(str(tmp_path / "static"), device="cpu")
    assert model.encode(words).tobytes() == MATRIX[:3].tobytes()
    expected = np.stack([(MATRIX[0] + MATRIX[2]) / 2, MATRIX[1] / 2])  # an unknown word counts as zeros
    np.testing.assert_allclose(model.encode(["the 日本", "naïve nowhere"]), expected, rtol=1e-6)
    model.save(str(tmp_path / "again"))
    assert_same(WordVectors.load(tmp_path / "again"), words, MATRIX[:3])
