"""The command doctor, which lists the packages that fastw2v uses and tests every engine on this machine."""

from __future__ import annotations

import contextlib
import importlib.util
import platform
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import typer

import fastw2v
from fastw2v.backend import cuda_problem
from fastw2v.cli.output import note, one_line, print_facts, print_table, say
from fastw2v.engines.selection import EngineName, select_engine
from fastw2v.kernels import numba_unavailable_reason
from fastw2v.utils.system import available_processors, format_bytes
from fastw2v.word2vec import Word2Vec

__all__ = ["doctor", "optional_packages", "tiny_training", "version_of"]


class Package(NamedTuple):
    """A package that the library uses if it is installed."""

    module: str
    """What is imported."""
    requirement: str
    """What pip installs if the package is missing."""
    purpose: str


REQUIRED_PACKAGES = ("numpy", "array-api-compat", "safetensors", "pooch", "typer", "rich")
OPTIONAL_PACKAGES = (
    Package("numba", "numba", "fast training on the CPU"),
    Package("cupy", "fastw2v[cuda12]", "NVIDIA GPUs (or [cuda13])"),
    Package("matplotlib", "fastw2v[plot]", "maps and loss curves"),
    Package("openTSNE", "fastw2v[maps]", "maps by t-SNE"),
    Package("pacmap", "pacmap", "maps by PaCMAP"),
    Package("umap", "umap-learn", "maps by UMAP"),
    Package("sklearn", "scikit-learn", "maps by t-SNE, pipelines"),
    Package("usearch", "fastw2v[usearch]", "approximate search"),
    Package("faiss", "fastw2v[faiss]", "approximate search"),
    Package("zstandard", "fastw2v[zstd]", ".zst files"),
    Package("ray", "fastw2v[ray]", "several machines"),
    Package("huggingface_hub", "fastw2v[hub]", "the Hugging Face Hub"),
    Package("fsspec", "fsspec", "s3:// and other addresses"),
    Package("scipy", "scipy", "evaluate_word_pairs"),
    Package("IPython", "ipython", "progress in notebooks"),
    Package("pandas", "pandas", "data frames as corpora"),
    Package("polars", "polars", "data frames as corpora"),
    Package("pyarrow", "pyarrow", "Arrow columns as corpora"),
    Package("datasets", "datasets", "Hugging Face data sets"),
    Package("tensorboardX", "tensorboardX", "logs for TensorBoard"),
)
"""The texts are short, so that a row fits into 80 columns."""
ZSTD_MODULES = ("compression.zstd", "backports.zstd")
"""Modules that make zstandard unnecessary. The first belongs to Python 3.14 and later."""
ENGINES: list[tuple[str, EngineName]] = [("cpu", "layers"), ("cpu", "fused"), ("cuda", "layers"), ("cuda", "fused")]
"""All pairs of a device and an engine."""


def doctor() -> None:
    """Show the installed packages and the engine that training would use, and test every engine."""
    machine = f"{platform.system()} {platform.machine()}, {available_processors()} cores"
    facts = {"fastw2v": fastw2v.__version__, "Python": f"{platform.python_version()} on {machine}"}
    facts["dependencies"] = ", ".join(f"{package} {version_of(package)}" for package in REQUIRED_PACKAGES)
    facts["compiled kernels"] = _kept_kernels()
    facts["CUDA"] = cuda_problem() or "available"
    selection = select_engine("auto", "auto")
    facts["training would use"] = f"{selection.name} on {selection.device}: {selection.reason}"
    print_facts(facts)

    say("\nOptional packages:")
    print_table(["package", "version, or how to install it", "used for"], optional_packages(), text_columns=3)

    say("Test run on each device with each engine:")
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


def optional_packages() -> list[tuple[str, str, str]]:
    """Return the name of each optional package, its version or the command that installs it, and its purpose.

    Nothing is imported, because a broken package must not keep the command from listing the others.
    """
    from importlib import metadata

    distributions: Mapping[str, list[str]] = {}
    # One package with damaged metadata can make this fail, with errors of many types.
    with contextlib.suppress(Exception):
        distributions = metadata.packages_distributions()
    rows = []
    for module, requirement, purpose in OPTIONAL_PACKAGES:
        extra = "[" in requirement
        package = module if extra else requirement
        # The name is None if it is missing in the metadata.
        names = sorted({name for name in distributions.get(module, []) if name})
        if not names and _is_installed(module):
            names = [package]
        # CuPy and faiss are distributed under several names, such as cupy-cuda12x.
        state = ", ".join(version_of(name) + (f" ({name})" if name != package else "") for name in names)
        if not state and module == "zstandard":
            state = next((f"{name} instead" for name in ZSTD_MODULES if _is_installed(name)), "")
        rows.append((package, state or "pip install " + (f"'{requirement}'" if extra else requirement), purpose))
    return rows


def version_of(name: str) -> str:
    """Return the version of an installed package, or ``unknown version`` if its metadata are missing or damaged."""
    from importlib import metadata

    version: str | None = None
    with contextlib.suppress(Exception):  # damaged metadata cause errors of many types
        version = metadata.version(name)
    return version or "unknown version"


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


def _is_installed(module: str) -> bool:
    """Return whether a module exists, without importing it. The packages that contain it are imported."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return False
    return spec is not None and spec.origin is not None  # any folder on the path is a module without origin
