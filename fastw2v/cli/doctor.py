"""The command doctor, which lists the installed packages and tests every engine on this machine."""

from __future__ import annotations

import platform

import numpy as np
import typer

import fastw2v
from fastw2v.backend import cuda_problem
from fastw2v.cli.output import note, one_line, print_facts, print_table, say
from fastw2v.engines.selection import EngineName, select_engine
from fastw2v.kernels import numba_unavailable_reason
from fastw2v.utils.system import available_processors, format_bytes
from fastw2v.word2vec import Word2Vec

__all__ = ["doctor", "installed", "tiny_training"]

OPTIONAL_PACKAGES = {
    "numba": "pip install numba",
    "cupy": "pip install 'fastw2v[cuda12]' (or [cuda13])",
    "matplotlib": "pip install 'fastw2v[plot]'",
    "ray": "pip install 'fastw2v[ray]'",
}
"""Command that installs each optional package."""
ENGINES: list[tuple[str, EngineName]] = [("cpu", "layers"), ("cpu", "fused"), ("cuda", "layers"), ("cuda", "fused")]
"""All pairs of a device and an engine."""


def doctor() -> None:
    """Show the installed packages and the engine that training would use, and test every engine."""
    facts = installed()
    facts["compiled kernels"] = _kept_kernels()
    facts["CUDA"] = cuda_problem() or "available"
    selection = select_engine("auto", "auto")
    facts["training would use"] = f"{selection.name} on {selection.device}: {selection.reason}"
    print_facts(facts)

    say("\nTest run on each device with each engine:")
    results: list[tuple[str, str, str]] = []
    failed = False
    for device, engine in ENGINES:
        try:
            select_engine(engine, device)
        except (ValueError, RuntimeError) as error:
            results.append((device, engine, f"not available: {one_line(error)}"))
            continue
        fault = tiny_training(device, engine)
        failed = failed or fault is not None
        results.append((device, engine, fault or "correct"))
    print_table(["device", "engine", "result"], results, text_columns=3)
    if failed:
        note("error: an engine gave wrong results; please report the output above")
        raise typer.Exit(1)


def installed() -> dict[str, str]:
    """Return, for each package that training uses, its version or the command that installs it."""
    from importlib import metadata

    machine = f"{platform.system()} {platform.machine()}, {available_processors()} cores"
    facts = {"fastw2v": fastw2v.__version__, "Python": f"{platform.python_version()} on {machine}"}
    for package in ("numpy", "array-api-compat", "safetensors"):
        facts[package] = metadata.version(package)
    for package, remedy in OPTIONAL_PACKAGES.items():
        facts[package] = _installed_version(package) or f"not installed: {remedy}"
    return facts


def tiny_training(device: str, engine: EngineName) -> str | None:
    """Train on two topics that never share a sentence. Return a description of the fault, or None if there is none."""
    topics = [["sun", "moon", "star", "sky"], ["salt", "soup", "bread", "oil"]]
    random = np.random.default_rng(0)
    sentences = [list(random.choice(topics[i % 2], size=12)) for i in range(400)]
    word2vec = Word2Vec(
        vector_size=16, window=3, min_count=1, negative=2, sample=0, epochs=20, device=device, engine=engine
    )
    try:
        vectors = word2vec.fit(sentences, progress=lambda words, loss, alpha: None).wv
    except Exception as error:  # report whatever a broken driver or compiler raises
        return f"failed: {type(error).__name__}: {' '.join(str(error).split())}"
    for topic in topics:
        for word in topic:
            nearest = {neighbour for neighbour, _ in vectors.most_similar(word, topn=3)}
            if nearest != set(topic) - {word}:
                return f"wrong: the neighbours of {word!r} are {sorted(nearest)}"
    return None


def _kept_kernels() -> str:
    """Return the folder that keeps the compiled CPU kernels, or why there is none."""
    if numba_unavailable_reason():
        return "none without Numba"
    from fastw2v.kernels.compilation import cache_folder, cache_folders

    if folder := cache_folder():
        sizes = [file.stat().st_size for file in folder.iterdir() if file.is_file()]
        return f"{format_bytes(sum(sizes))} in {folder}"
    tried = ", ".join(map(str, cache_folders()))
    return f"not kept, so each process compiles them; set NUMBA_CACHE_DIR to a folder of your own (tried {tried})"


def _installed_version(package: str) -> str | None:
    """Return the version of an optional package without importing it, or None if it is not installed."""
    from importlib import metadata

    names = sorted(set(metadata.packages_distributions().get(package, [])))
    # CuPy is distributed under several names, such as cupy-cuda12x.
    return ", ".join(metadata.version(name) + (f" ({name})" if name != package else "") for name in names) or None
