"""The house: imports run downward only, and importing the library loads nothing optional."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fastw2v"

# A module may import, anywhere in its text, only modules of floors below its own.
FLOORS = [
    {"backend", "replacement", "ctool", "terminal", "kernels.schedule"},
    {"draws", "gradient", "keys", "vocab", "progress", "text", "store", "kernels.simd"},
    {"scan", "screen", "encoded", "kernels.arguments", "kernels.crowd"},
    {"numbering", "search"},
    {"approximate", "gensim_names", "matrix_queries"},
    {"sampling", "corpus", "vectors", "optim"},
    {"layers", "formats.files", "datasets", "kernels.stretch"},
    {"evaluate", "phrases", "plan", "plot", "models", "kernels.cpu", "kernels.gpu", "trainer"},
    {"formats.decimals", "formats.header", "formats.pickles", "formats.tensors", "formats.fasttext"},
    {"formats.binary", "formats.plain_text", "formats.npz", "formats.textbook", "formats.keyed_vectors"},
    {"formats.projector", "formats.static_embedding"},
    {"formats.kinds"},
    {"kernels.naive", "engine"},
    {"word2vec"},
    {"doctor"},
    {"cli", "textbook"},
]
# gensim's names for scores are methods that hand over to evaluate. So do save and load to the package formats, of
# which only the parts have floors.
EXCEPTIONS = {("gensim_names", "evaluate"), ("kernels.cpu", "kernels.stretch")}
QUERIES = {"keys", "screen", "search", "approximate", "gensim_names", "matrix_queries", "vectors", "evaluate"}
TRAINING = {"sampling", "layers", "models", "optim", "trainer", "engine", "word2vec", "gradient", "draws", "corpus"}


def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
        for path in PACKAGE.rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py")
    }


def imports(path: Path) -> tuple[set[str], set[str]]:
    """Return the modules of this package, and the top-level names of all others, that a file imports anywhere."""
    inside, outside = set(), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            base = node.module or ""
            names = (
                [f"{base}.{alias.name}" for alias in node.names] if base in ("fastw2v", "fastw2v.kernels") else [base]
            )
        else:
            continue
        for name in names:
            if name.split(".")[0] == "fastw2v":
                inside.add(name.removeprefix("fastw2v").removeprefix("."))
            else:
                outside.add(name.split(".")[0])
    return inside & (set(modules()) | {"__version__"}), outside


def floor(module: str) -> int:
    return next(i for i, names in enumerate(FLOORS) if module in names)


def test_every_module_has_a_floor():
    assert set(modules()) == set().union(*FLOORS)


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_run_downward(module):
    inside, _ = imports(modules()[module])
    for other in inside - {"__version__"}:
        assert floor(other) < floor(module) or (module, other) in EXCEPTIONS, f"{module} imports {other}"


def test_queries_never_import_training():
    for module in QUERIES | {module for module in modules() if module.startswith("formats.")}:
        assert not imports(modules()[module])[0] & TRAINING


def test_of_the_kernels_only_the_twin_knows_the_layers():
    for module in modules():
        if module.startswith("kernels.") and module != "kernels.naive":
            assert not imports(modules()[module])[0] & {"layers", "models", "trainer"}


def test_few_modules_name_an_array_library():
    named = {"cupy": set(), "cupyx": set(), "numba": set(), "llvmlite": set()}
    for module, path in modules().items():
        for name in imports(path)[1] & set(named):
            named[name].add(module)
    assert named["cupy"] | named["cupyx"] <= {"backend", "kernels.gpu", "cli"}
    assert named["numba"] | named["llvmlite"] <= {"kernels.stretch", "kernels.simd", "scan", "screen", "cli"}


def test_importing_the_library_loads_nothing_optional():
    heavy = ["numba", "cupy", "rich", "typer", "pooch", "matplotlib", "scipy", "safetensors", "gensim"]
    heavy += ["usearch", "faiss", "numpy.f2py", "numpy.testing"]  # the last two by a wrapper that takes all of NumPy
    script = f"import sys, fastw2v; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
