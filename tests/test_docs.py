"""The documentation: its Python runs, and its links, names, paths and tests exist."""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "fastw2v").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
"""The modules whose docstrings have examples."""

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def python_of(page: Path) -> list[str]:
    """Return the blocks of Python in a page."""
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def look_up(name: str) -> Any:
    """Return what a dotted name of the package stands for; raise ImportError or AttributeError if it is nothing."""
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
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


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


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = python_of(ROOT / "README.md")
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["vectors"]["cat"].shape == (50,)
    assert names["vectors"].most_similar("cat", topn=3)[0][0] == "dog"
    assert names["vectors"].similarity("cat", "dog") == pytest.approx(0.5, abs=0.15)
    assert (tmp_path / "vectors.safetensors").exists()


@pytest.mark.parametrize("module", EXAMPLES)
def test_examples_in_docstrings(module):
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert tried
    assert not failed


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
        assert (ROOT / path).exists(), path


@each_page
def test_names_of_the_package_exist(page):
    for name in re.findall(r"`(fastw2v(?:\.\w+)+)", page.read_text(encoding="utf-8")):
        look_up(name)
    for block in python_of(page):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "fastw2v":
                for alias in node.names:
                    look_up(f"{node.module}.{alias.name}")


@each_page
def test_tests_that_are_named_exist(page):
    named = re.findall(r"(tests/[\w/]+\.py)::(\w+(?:::\w+)?)", page.read_text(encoding="utf-8"))
    assert page.name != "mathematics.md" or len(named) > 20
    for path, name in named:
        assert name in defined_tests(path), f"{path}::{name}"
