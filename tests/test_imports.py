"""Import rules: a package imports only packages below it, without cycles, and no optional library at import."""

from __future__ import annotations

import ast
import functools
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fastw2v"

ROOMS = (
    *("backend", "utils", "config", "sampling", "kernels", "nn", "corpus", "formats", "hub", "vectors"),
    *("datasets", "evaluate", "plot", "explore", "engines", "distributed", "estimate", "checkpoint", "validation"),
    *("training_log", "run", "word2vec", "compat", "cli"),
)
"""From bottom to top: a room imports only those before it."""
RESTRICTED = {"compat": {"cli"}, "cli": set()}
"""Rooms that only these may import."""
FORBIDDEN = {
    **dict.fromkeys(
        ("formats", "hub", "vectors", "evaluate", "plot", "explore", "datasets"), ("sampling", "nn", "corpus")
    ),
    **dict.fromkeys(("engines.base", "engines.cpu", "engines.gpu", "engines.staleness"), ("nn",)),
}
"""Queries never import training, and of the engines only the reference and the eager one know the layers."""
SHARED = dict.fromkeys(("corpus.subwords", "nn.subwords"), ("formats", "vectors"))
"""Modules that these rooms may import all the same: they say which rows of W_in a word has, and compute their mean."""
IMPORTERS = {
    "numba": ("kernels",),
    "llvmlite": ("kernels",),
    "cupy": ("backend", "engines.gpu", "kernels.word2vec_cuda"),
    "cupyx": ("backend", "engines.gpu", "kernels.word2vec_cuda"),
    "ray": ("distributed.ray_cluster",),
    "fsspec": ("distributed.files",),
    "huggingface_hub": ("hub.access",),
    "pooch": ("utils.download", "datasets.download"),
}
"""The only modules that may import each library."""


def sources() -> dict[str, str]:
    """Return the text of each module, by its name without "fastw2v."; a room's ``__init__`` has the room's name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name not in ("", "__main__"):
            found[name] = path.read_text(encoding="utf-8")
    return found


@functools.cache
def imports(text: str, modules: frozenset[str]) -> tuple[set[str], set[str]]:
    """Return the modules of this package, and the top-level names of all others, that a text imports anywhere.

    Imports for type checking count as well.
    """
    inside, outside = set(), set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] != "fastw2v":
                outside.add(parts[0])
                continue
            while len(parts) > 1 and ".".join(parts[1:]) not in modules:  # what is left off is a name in the module
                parts.pop()
            inside.add(".".join(parts[1:]))
    return inside, outside


def violations(texts: dict[str, str]) -> list[str]:
    """Return every import that breaks a rule."""
    found = []
    modules = frozenset(texts)
    graph = {module: imports(text, modules)[0] for module, text in texts.items()}
    for module, text in texts.items():
        room = module.split(".")[0]
        if room not in ROOMS:
            found.append(f"{module} is in no room")
            continue
        for other in graph[module]:
            there = other.split(".")[0]
            if not other:  # the public names, which stand above everything but the command line
                if room != "cli":
                    found.append(f"{module} imports fastw2v itself")
                continue
            forbidden = any(module.startswith(place) and there in rooms for place, rooms in FORBIDDEN.items())
            if forbidden and room not in SHARED.get(other, ()):
                found.append(f"{module} imports {other}, which it must not know")
            if ROOMS.index(there) > ROOMS.index(room):
                found.append(f"{module} imports {other}, which is above it")
            if there in RESTRICTED and room not in {there} | RESTRICTED[there]:
                found.append(f"{module} imports {other}, which nothing below it may")
        found += [
            f"{module} imports {name}"
            for name in imports(text, modules)[1] & set(IMPORTERS)
            if not any(module == place or module.startswith(f"{place}.") for place in IMPORTERS[name])
        ]
    try:
        # The ``__init__`` of a room imports its modules, which do not import it.
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found.append(f"a cycle: {' -> '.join(error.args[1])}")
    return sorted(found)


def test_every_import_keeps_the_rules():
    assert violations(sources()) == []


@pytest.mark.parametrize(
    ("module", "line", "violation"),
    [
        ("corpus.corpus", "from fastw2v.vectors import WordVectors", "corpus.corpus imports vectors, which is above"),
        ("nn.layers", "def f():\n    from fastw2v.engines import cpu", "nn.layers imports engines.cpu, which is above"),
        ("word2vec", "import fastw2v.compat.textbook", "word2vec imports compat.textbook, which nothing below it may"),
        ("vectors.query", "from fastw2v.nn import Embedding", "vectors.query imports nn, which it must not know"),
        ("engines.cpu", "from fastw2v.nn import layers", "engines.cpu imports nn.layers, which it must not know"),
        ("utils.system", "from fastw2v import Word2Vec", "utils.system imports fastw2v itself"),
        ("vectors.neighbors", "import numba", "vectors.neighbors imports numba"),
        ("engines.cpu", "from cupy import array", "engines.cpu imports cupy"),
        ("vectors.keys", "from fastw2v.corpus.subwords import NGrams", None),
        ("vectors.keys", "from fastw2v.corpus import NGrams", "vectors.keys imports corpus, which it must not know"),
        ("plot", "from fastw2v.nn.subwords import mean_rows", "plot imports nn.subwords, which it must not know"),
        ("engines.gpu", "from fastw2v.nn.subwords import mean_rows", "engines.gpu imports nn.subwords, which it must"),
        ("utils.progress", "from fastw2v.utils.loss import require_finite_loss", None),
        ("vectors.keys", "from fastw2v.vectors.query import query_vector", "a cycle: "),
        ("new_module", "", "new_module is in no room"),
    ],
)
def test_a_broken_rule_is_noticed(module: str, line: str, violation: str | None):
    texts = sources()
    texts[module] = texts.get(module, "") + f"\n{line}\n"
    found = violations(texts)
    assert (found == []) if violation is None else any(one.startswith(violation) for one in found), found


def test_the_map_of_the_readme_is_the_folder():
    """Each line names a file or a folder; the lines below it that are indented further name its modules."""
    readme = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    told: dict[str, set[str]] = {}
    name = ""
    for line in readme.split("```text\nfastw2v/\n")[1].split("```")[0].splitlines():
        if line[2] == " ":
            told[name] |= {one.strip() for one in line.split(",") if one.strip()}
        else:
            name = line.split()[0]
            told[name] = set()
    ignored = ("__pycache__", "__main__.py", "py.typed")
    there = {f"{path.name}/" if path.is_dir() else path.name for path in PACKAGE.iterdir() if path.name not in ignored}
    assert set(told) == there
    for name in there:
        if name.endswith("/"):
            paths = [path for path in (PACKAGE / name).iterdir() if not path.name.startswith("__")]
            assert told[name] == {path.stem if path.suffix == ".py" else path.name for path in paths}, name
    order = [ROOMS.index(room) for name in told if (room := name.removesuffix("/").removesuffix(".py")) in ROOMS]
    assert order == sorted(order, reverse=True)


def loaded_by(statement: str, modules: list[str]) -> str:
    """Return which of some modules a statement loads in a new process, as Python prints a list."""
    script = f"import sys; {statement}; print([module for module in {modules} if module in sys.modules])"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_library_loads_nothing_optional():
    heavy = ["numba", "cupy", "rich", "typer", "pooch", "matplotlib", "scipy", "safetensors", "gensim"]
    heavy += [
        "usearch",
        "faiss",
        "huggingface_hub",
        "numpy.f2py",
        "numpy.testing",
    ]  # the last two by a wrapper that takes all of NumPy
    assert loaded_by("import fastw2v, fastw2v.compat.gensim", heavy) == "[]"
    # The readers of vector files would slow down every import.
    assert loaded_by("import fastw2v", ["fastw2v.formats", "fastw2v.plot", "fastw2v.evaluate", "fastw2v.cli"]) == "[]"
