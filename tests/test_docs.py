"""The documentation: its Python runs, and its links, names, paths and tests exist."""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.util
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.translations import anchor_of

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "README.ko.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "fastw2v").rglob("*.py"))
}
EXAMPLES = [module for module, path in MODULES.items() if ">>> " in path.read_text(encoding="utf-8")]
"""The modules whose docstrings have examples."""
WITHOUT_EXAMPLES = {
    "fastw2v.cli": "a command; its help shows shell lines, which tests/cli/test_help.py runs",
    "fastw2v.kernels.hierarchical_numba": "called from compiled code only",
    "fastw2v.kernels.rows_numba": "called from compiled code only",
    "fastw2v.kernels.simd": "called from compiled code only",
    "fastw2v.kernels.subwords_numba": "called from compiled code only",
    "fastw2v.kernels.word2vec_numba": "called from compiled code only",
    "fastw2v.kernels.knn_prefilter.candidates": "needs a processor with AVX2",
    **dict.fromkeys(
        (
            "fastw2v.backend.free_device_memory",
            "fastw2v.backend.subtract_row_sums",
            "fastw2v.engines.gpu.allocate",
            "fastw2v.engines.gpu.train",
            "fastw2v.engines.gpu.unavailable_reason",
            "fastw2v.kernels.word2vec_cuda.Arguments.as_struct",
            "fastw2v.kernels.word2vec_cuda.compile_kernel",
            "fastw2v.kernels.word2vec_cuda.device_kernel",
            "fastw2v.kernels.word2vec_cuda.launch",
            "fastw2v.kernels.word2vec_cuda.resident_blocks",
            "fastw2v.kernels.word2vec_cuda.unavailable_reason",
        ),
        "needs a GPU",
    ),
    "fastw2v.corpus.sources.RandomAccessFile": "a protocol",
    "fastw2v.distributed.cluster.Cluster": "a protocol",
    "fastw2v.distributed.cluster.InProcess": "methods of the protocol Cluster; the class has an example",
    "fastw2v.distributed.ray_cluster.RayCluster": "the example of connect uses its methods",
    **dict.fromkeys(
        (
            "fastw2v.distributed.connection.Connection.place",
            "fastw2v.distributed.connection.Connection.state",
            "fastw2v.distributed.replica",
            "fastw2v.distributed.training.Replicas",
        ),
        "parts of Word2Vec.fit, whose examples use them",
    ),
    "fastw2v.engines.base.Engine": "a protocol",
    "fastw2v.engines.base.Pauses": "a protocol",
    **dict.fromkeys(
        (
            "fastw2v.hub.upload.push_folder",
            "fastw2v.hub.upload.push_record",
            "fastw2v.vectors.word_vectors.WordVectors.push_to_hub",
        ),
        "needs an account on the Hugging Face Hub",
    ),
    "fastw2v.nn.initializers.PretrainedVectors": "a protocol",
    "fastw2v.run": "parts of Word2Vec.fit, whose examples use them",
    "fastw2v.vectors.query.VectorTable": "a protocol",
}
"""Modules, functions and methods that need no example in their docstrings, and why; a package covers its modules."""
OPTIONAL = {
    "fastw2v.corpus.indexer": "numba",
    "fastw2v.distributed.ray_cluster": "ray",
    "fastw2v.engines.cpu": "numba",
    "fastw2v.hub.access.hub_package": "huggingface_hub",
    "fastw2v.hub.access.hub_errors": "huggingface_hub",
    "fastw2v.hub.upload.check_token": "huggingface_hub",
    "fastw2v.kernels": "numba",
    "fastw2v.vectors.hnsw": "usearch",
    "fastw2v.vectors.word_vectors.WordVectors.index": "usearch",
}
"""Packages that examples need: the examples of these modules and methods run only if the package is installed."""
DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def python_of(page: Path) -> list[str]:
    """Return the Python code blocks of a page."""
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def look_up(name: str) -> Any:
    """Return the object with a dotted name in the package. Raise ImportError or AttributeError if it does not exist."""
    module, parts = importlib.import_module("fastw2v"), name.split(".")[1:]
    while parts and hasattr(module, "__path__") and importlib.util.find_spec(f"{module.__name__}.{parts[0]}"):
        module = importlib.import_module(f"{module.__name__}.{parts.pop(0)}")
    found: Any = module
    for part in parts:
        found = getattr(found, part)
    return found


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {anchor_of(heading) for heading in headings}


@cache
def defined_tests(path: str) -> set[str]:
    """Return the names of the test functions and classes in a file; methods as ``TestClass::test_method``."""
    found = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {node.name} | {f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return found


@pytest.mark.parametrize("readme", ["README.md", "README.ko.md"])
def test_the_python_of_the_readme_prints_what_it_says(tmp_path, monkeypatch, capsys, readme):
    monkeypatch.chdir(tmp_path)
    (code,) = python_of(ROOT / readme)
    exec(compile(code, readme, "exec"), {})
    promised = re.findall(r"^print\(.*\) +# (.*)$", code, re.MULTILINE)
    assert len(promised) == 4
    assert capsys.readouterr().out.splitlines() == promised


@pytest.mark.parametrize(("readme", "nearest"), [("README.md", "dog"), ("README.ko.md", "강아지를")])
@pytest.mark.parametrize("settings", ["workers=1", "workers=2", "engine='layers'"])
def test_what_the_readme_prints_does_not_depend_on_the_seed(tmp_path, monkeypatch, capsys, settings, readme, nearest):
    monkeypatch.chdir(tmp_path)
    (code,) = python_of(ROOT / readme)
    assert "Word2Vec(" in code
    lines = []
    for seed in range(1, 21):
        exec(compile(code.replace("Word2Vec(", f"Word2Vec(seed={seed}, {settings}, "), readme, "exec"), {})
        lines += capsys.readouterr().out.splitlines()[2:]
    assert lines == [nearest, "1"] * 20


@cache
def definitions(module: str) -> dict[str, ast.AST]:
    """Return a module and its functions, classes and methods at any depth, by dotted name."""
    found: dict[str, ast.AST] = {}

    def visit(node: ast.AST, name: str) -> None:
        if isinstance(node, DEFINITIONS):
            name = name if isinstance(node, ast.Module) else f"{name}.{node.name}"
            # Of a property, the getter comes first and has the docstring.
            found.setdefault(name, node)
        for inner in ast.iter_child_nodes(node):
            visit(inner, name)

    visit(ast.parse(MODULES[module].read_text(encoding="utf-8")), module)
    return found


def examples(node: ast.AST) -> list[doctest.Example]:
    """Return the examples in a docstring that run code: comments and skipped examples do not count.

    The docstring comes from the source, because `doctest` does not find those of cached properties.
    """
    found = doctest.DocTestParser().get_examples(ast.get_docstring(node) or "")
    return [one for one in found if not one.options.get(doctest.SKIP) and ast.parse(one.source).body]


def listed(name: str, names: Iterable[str]) -> str | None:
    """Return the name in a list that is equal to a dotted name or contains it, or None."""
    return next((one for one in names if name == one or name.startswith(f"{one}.")), None)


@pytest.mark.parametrize("module", EXAMPLES)
def test_examples_in_docstrings(module, tmp_path, monkeypatch):
    """Each docstring runs by itself, with the names of its module, in an empty folder."""
    names = vars(importlib.import_module(module))
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    missing = set()
    for number, (name, node) in enumerate(definitions(module).items()):
        if not examples(node):
            continue
        if (key := listed(name, OPTIONAL)) and not importlib.util.find_spec(OPTIONAL[key]):
            missing.add(OPTIONAL[key])
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        text = ast.get_docstring(node)
        runner.run(doctest.DocTestParser().get_doctest(text, dict(names), name, str(MODULES[module]), 0))
    assert not runner.failures
    if missing:
        pytest.skip(f"not installed, so that some examples did not run: {', '.join(missing)}")
    assert runner.tries


def public_functions(module: str) -> dict[str, ast.AST]:
    """Return a module's public functions, methods, properties and classes with a constructor, by dotted name."""
    found = definitions(module)
    functions = {name for name, node in found.items() if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}

    def is_public(name: str) -> bool:
        within = name.removeprefix(module).split(".")[1:]
        is_local = any(name.startswith(f"{one}.") for one in functions)
        is_callable = name in functions or f"{name}.__init__" in functions
        return bool(within) and is_callable and not is_local and not any(part.startswith("_") for part in within)

    return {name: node for name, node in found.items() if is_public(name)}


@pytest.mark.parametrize("module", MODULES)
def test_every_public_function_has_an_example(module):
    documented = public_functions(module)
    assert not [name for name, node in documented.items() if not examples(node) and not listed(name, WITHOUT_EXAMPLES)]


def test_exceptions_to_the_examples_are_needed():
    missing = {name for module in MODULES for name, node in public_functions(module).items() if not examples(node)}
    for one in WITHOUT_EXAMPLES:
        assert any(listed(name, [one]) for name in missing), one


@each_page
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        to = page.parent / target if target else page
        assert to.exists(), target
        assert not anchor or anchor in anchors(to), f"{target}#{anchor}"


@each_page
def test_paths_exist(page):
    for path in re.findall(r"(?<![\w/.])(?:\w+/)+\w+\.(?:py|cu|cpp|md)\b", page.read_text(encoding="utf-8")):
        assert (ROOT / path).exists() or (page.parent / path).exists(), path


@each_page
def test_names_of_the_package_exist(page):
    for name in re.findall(r"`(fastw2v(?:\.\w+)+)", page.read_text(encoding="utf-8")):
        look_up(name)
    for block in python_of(page):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "fastw2v":
                for alias in node.names:
                    look_up(f"{node.module}.{alias.name}")


@cache
def members() -> dict[str, set[str]]:
    """Return the attributes of each class of the package, by the name of the class; inherited ones included."""
    found: dict[str, set[str]] = {}
    for module in MODULES:
        for one in vars(importlib.import_module(module)).values() if module != "fastw2v.__main__" else ():
            if isinstance(one, type) and one.__module__.startswith("fastw2v"):
                names = found.setdefault(one.__name__, set())
                for base in one.__mro__:
                    names |= set(vars(base)) | set(vars(base).get("__annotations__", ()))
                    if base.__module__ in MODULES:
                        names |= set(re.findall(r"self\.(\w+)", MODULES[base.__module__].read_text(encoding="utf-8")))
    return found


@each_page
def test_attributes_of_classes_exist(page):
    for name, attribute in re.findall(r"`([A-Z]\w+)\.(\w+)", page.read_text(encoding="utf-8")):
        if name in members():
            assert attribute in members()[name], f"{name}.{attribute}"


@cache
def known_options() -> set[str]:
    """Return the options of the commands, of the benchmarks, of the examples and of other programs in the pages."""
    command = typer.main.get_command(importlib.import_module("fastw2v.cli.app").app)
    found = {option for one in [command, *command.commands.values()] for item in one.params for option in item.opts}
    for path in [
        *(ROOT / "benchmarks").rglob("*.py"),
        *(ROOT / "examples").glob("*.py"),
        ROOT / "tests/prose_sample.py",
    ]:
        found |= set(re.findall(r'"(--[\w-]+)"', path.read_text(encoding="utf-8")))
    others = {"--hook-type", "--tool", "--mode", "--device-as-default-execution-space"}
    others |= {"--address", "--block", "--head", "--node-ip-address", "--num-cpus", "--num-gpus", "--port"}  # of ray
    others |= {"--object-store-memory", "--working-dir", "--shm-size"}  # of ray and Docker
    others |= {"--cpus-per-task", "--exclude", "--ip-address", "--nodes", "--ntasks", "--ntasks-per-node"}  # of Slurm
    others |= {"--upgrade"}  # of pip
    return found | others | {"--help"}


@each_page
def test_options_exist(page):
    options = set(re.findall(r"(?<![\w-])--[a-z][\w-]+", re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8"))))
    assert options <= known_options(), options - known_options()


@each_page
def test_targets_of_make_exist(page):
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z][\w-]*)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets, named - targets


@each_page
def test_tests_that_are_named_exist(page):
    named = re.findall(r"(tests/[\w/]+\.py)::(\w+(?:::\w+)?)", page.read_text(encoding="utf-8"))
    assert page.name != "mathematics.md" or len(named) > 20
    for path, name in named:
        assert name in defined_tests(path), f"{path}::{name}"


def test_the_citation_has_the_version_of_the_package():
    (version,) = re.findall(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert version == importlib.import_module("fastw2v").__version__


REFERENCE = sorted((ROOT / "docs" / "reference").glob("*.md"))


@pytest.mark.parametrize(
    "page", [page for page in REFERENCE if "\n::: " in page.read_text(encoding="utf-8")], ids=lambda page: page.name
)
def test_the_reference_lists_the_public_names(page):
    text = page.read_text(encoding="utf-8")
    (module,) = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    assert text.startswith(f"# {module}\n")
    assert re.findall(r"^- `(\w+)`", text, re.MULTILINE) == list(importlib.import_module(module).__all__)


def test_every_public_package_is_in_the_reference():
    described = {name for page in REFERENCE for name in re.findall(r"^::: (\S+)$", page.read_text("utf-8"), re.M)}
    internal = {"cli", "engines", "kernels", "sampling", "utils", "checkpoint", "compat", "word2vec"}
    internal |= {"validation", "training_log", "run"}
    rooms = {".".join(name.split(".")[:2]) for name in MODULES} - {"fastw2v", "fastw2v.__main__"}
    assert rooms - {f"fastw2v.{name}" for name in internal} <= described
    assert {"fastw2v", "fastw2v.compat.gensim", "fastw2v.compat.textbook"} <= described


def test_the_reference_lists_every_command():
    app = importlib.import_module("fastw2v.cli.app").app
    commands = {one.name or one.callback.__name__.replace("_", "-") for one in app.registered_commands}
    page = (ROOT / "docs" / "reference" / "command_line.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)) == commands
