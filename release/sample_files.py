"""Write small files in every format that fastw2v writes, for the tests of later releases.

    python -m release.sample_files

A release adds the folder ``tests/release_files/VERSION``. ``tests/test_release_files.py`` reads the folders of all
releases and compares the contents with ``expected.json``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import fastw2v
from fastw2v import Corpus, Word2Vec, WordVectors
from fastw2v.formats import FORMATS

FOLDER = Path(__file__).parents[1] / "tests" / "release_files"
WORDS = ["the", "café", "한국어", "cats", "sat"]
MODELS: dict[str, dict[str, Any]] = {
    "cbow": {},
    "skipgram": {"model": "skipgram", "loss": "hs+ns"},
    "subwords": {"subwords": (2, 3), "bucket": 20},
    "jamo": {"subwords": (2, 3), "bucket": 20, "units": "jamo"},
    "hashed": {"subwords": (2, 3), "bucket": 20, "hash_count": 2},
}
"""Settings of the models that are stored."""
ONE_WAY = {"gensim", "floret"}
"""The formats that fastw2v only reads, or only writes."""


def main() -> None:
    """Write the folder of this version. It appears under its name when it is complete."""
    folder = FOLDER / fastw2v.__version__
    if folder.exists():
        name = folder.relative_to(FOLDER.parents[1]).as_posix()
        sys.exit(f"{name} exists; set the next version in fastw2v/__init__.py")
    with tempfile.TemporaryDirectory(prefix=".", dir=FOLDER) as partial:
        samples = Path(partial, "samples")
        samples.mkdir()
        write_samples(samples)
        samples.rename(folder)


def write_samples(folder: Path) -> None:
    """Write the files and ``expected.json`` to an empty folder."""
    random = np.random.default_rng(1)
    sentences = [random.choice(WORDS, size=6).tolist() for _ in range(20)]
    expected: dict[str, Any] = {"vectors": {}, "models": {}, "corpora": {}}

    plain = WordVectors(WORDS, random.normal(size=(len(WORDS), 3)).astype(np.float32))
    for format in sorted(set(FORMATS) - ONE_WAY - {"fasttext"}):
        name = "vectors.tsv" if format == "projector" else f"vectors.{format}"
        plain.save(folder / name, format=format)
        expected["vectors"][name] = described(plain) | {"format": format}

    for name, settings in MODELS.items():
        model = Word2Vec(vector_size=3, negative=2, min_count=1, epochs=1, seed=1, workers=1, **settings)
        model.fit(sentences).save(folder / f"{name}.model")
        expected["models"][f"{name}.model"] = described(model.wv) | {"settings": settings}
        if name == "subwords":
            model.wv.save(folder / "subwords.fasttext", format="fasttext")
            expected["vectors"]["subwords.fasttext"] = described(model.wv) | {"format": "fasttext"}

    for name, tokens in (("words", sentences), ("integers", [[1, 2, 3], [2, 2, 5]])):
        Corpus.from_sentences(tokens, min_count=1).save(folder / f"{name}.w2v")
        expected["corpora"][f"{name}.w2v"] = tokens
    (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def described(vectors: WordVectors) -> dict[str, Any]:
    """Return what a reader must find: the words, and their vectors as numbers."""
    return {"words": list(vectors.index_to_key), "rows": np.asarray(vectors.vectors).tolist()}


if __name__ == "__main__":
    main()
