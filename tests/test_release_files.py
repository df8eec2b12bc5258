"""Files that earlier releases wrote can be read, and contain what they contained then."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import fastw2v
from fastw2v import Corpus, Word2Vec, WordVectors
from fastw2v.formats import FORMATS
from release import sample_files
from release.sample_files import ONE_WAY, write_samples

FOLDER = Path(__file__).parent / "release_files"
RELEASES = sorted(path.name for path in FOLDER.iterdir() if not path.name.startswith("."))
EXPECTED = {name: json.loads((FOLDER / name / "expected.json").read_text(encoding="utf-8")) for name in RELEASES}


def files(kind: str) -> list[tuple[str, str]]:
    """Return the release and the name of each file of a kind."""
    return [(release, name) for release in RELEASES for name in EXPECTED[release][kind]]


def check_vectors(vectors: WordVectors, expected: dict) -> None:
    assert vectors.index_to_key == expected["words"]
    rows = np.array(expected["rows"], np.float32)
    np.testing.assert_allclose(vectors[expected["words"]], rows, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("release", "name"), files("vectors"))
def test_vectors_of_earlier_releases(release, name):
    expected = EXPECTED[release]["vectors"][name]
    check_vectors(WordVectors.load(FOLDER / release / name, format=expected["format"]), expected)


@pytest.mark.parametrize(("release", "name"), files("models"))
def test_models_of_earlier_releases(release, name):
    expected = EXPECTED[release]["models"][name]
    model = Word2Vec.load(FOLDER / release / name)
    check_vectors(model.wv, expected)
    parameters = json.loads(json.dumps(model.get_params()))
    assert {setting: parameters[setting] for setting in expected["settings"]} == expected["settings"]
    model.train([expected["words"]] * 10, epochs=1)
    assert np.isfinite(model.wv.vectors).all()


@pytest.mark.parametrize(("release", "name"), files("corpora"))
def test_corpora_of_earlier_releases(release, name):
    corpus = Corpus.load(FOLDER / release / name)
    words = [corpus.vocabulary.words[i] for i in corpus.ids]
    sentences = [words[a:b] for a, b in zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True)]
    assert sentences == EXPECTED[release]["corpora"][name]


def test_a_release_has_files_in_every_format(tmp_path):
    """The folder is written again, so that a new format is not forgotten when the next release is made."""
    write_samples(tmp_path)
    now = json.loads((tmp_path / "expected.json").read_text(encoding="utf-8"))
    assert {one["format"] for one in now["vectors"].values()} == set(FORMATS) - ONE_WAY
    if fastw2v.__version__ in EXPECTED:
        assert {kind: set(EXPECTED[fastw2v.__version__][kind]) for kind in now} == {
            kind: set(now[kind]) for kind in now
        }


def test_a_folder_of_samples_is_complete_and_is_not_replaced(monkeypatch, tmp_path):
    folder = tmp_path / "tests" / "release_files"
    folder.mkdir(parents=True)
    monkeypatch.setattr(sample_files, "FOLDER", folder)

    def interrupted(partial: Path) -> None:
        write_samples(partial)
        raise KeyboardInterrupt

    monkeypatch.setattr(sample_files, "write_samples", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sample_files.main()
    assert not list(folder.iterdir())
    monkeypatch.setattr(sample_files, "write_samples", write_samples)
    sample_files.main()
    version = fastw2v.__version__
    assert [path.name for path in folder.iterdir()] == [version]
    (folder / version / "expected.json").write_text("unchanged", encoding="utf-8")
    message = f"tests/release_files/{version} exists; set the next version in fastw2v/__init__.py"
    with pytest.raises(SystemExit, match=f"^{re.escape(message)}$"):
        sample_files.main()
    assert (folder / version / "expected.json").read_text(encoding="utf-8") == "unchanged"
