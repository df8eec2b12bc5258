"""Doctor: what is installed, and whether each engine computes correctly here."""

from __future__ import annotations

import importlib.metadata
import os
import platform

import numpy as np

import fastw2v
from fastw2v.word2vec import Engine, Word2Vec

__all__ = ["installed", "tiny_training"]

OPTIONAL_PACKAGES = {
    "numba": "pip install numba",
    "cupy": "pip install 'fastw2v[cuda12]' (or [cuda13])",
    "matplotlib": "pip install 'fastw2v[plot]'",
}


def installed() -> dict[str, str]:
    """Return the version of each thing that training rests on, or how to install it."""
    facts = {
        "fastw2v": fastw2v.__version__,
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
    for package in ("numpy", "array-api-compat", "safetensors"):
        facts[package] = importlib.metadata.version(package)
    for package, remedy in OPTIONAL_PACKAGES.items():
        facts[package] = _version_of(package) or f"not installed: {remedy}"
    return facts


def tiny_training(device: str, engine: Engine) -> str | None:
    """Return what is wrong after training on a corpus of two topics that never meet, or None."""
    topics = [["sun", "moon", "star", "sky"], ["salt", "soup", "bread", "oil"]]
    random = np.random.default_rng(0)
    sentences = [list(random.choice(topics[i % 2], size=12)) for i in range(400)]
    word2vec = Word2Vec(
        vector_size=16, window=3, min_count=1, negative=2, sample=0, epochs=20, device=device, engine=engine
    )
    try:
        vectors = word2vec.fit(sentences, progress=lambda words, loss, rate: None).wv
    except Exception as error:  # Whatever a broken driver or compiler raises is the finding.
        return f"failed: {type(error).__name__}: {' '.join(str(error).split())}"
    for topic in topics:
        for word in topic:
            nearest = {neighbour for neighbour, _ in vectors.most_similar(word, topn=3)}
            if nearest != set(topic) - {word}:
                return f"wrong: the neighbours of {word!r} are {sorted(nearest)}"
    return None


def _version_of(package: str) -> str | None:
    """Return the version of an optional package, found without importing it."""
    names = importlib.metadata.packages_distributions().get(package, [])
    return ", ".join(f"{importlib.metadata.version(name)} ({name})" for name in sorted(set(names))) or None
