"""The documentation: its Python runs, its links lead somewhere, its tests exist."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["vectors"]["cat"].shape == (50,)
    assert (tmp_path / "vectors.safetensors").exists()


@pytest.mark.parametrize("module", ["fastw2v", "fastw2v.word2vec", "fastw2v.progress"])
def test_examples_in_docstrings(module):
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert tried
    assert not failed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_tests_that_the_mathematics_names_exist():
    text = (ROOT / "docs" / "mathematics.md").read_text(encoding="utf-8")
    defined = {
        match
        for path in (ROOT / "tests").glob("test_*.py")
        for match in re.findall(r"(?:def|class) (test_\w+|Test\w+)", path.read_text(encoding="utf-8"))
    } | {path.stem for path in (ROOT / "tests").glob("test_*.py")}
    named = re.findall(r"\b([tT]est_\w+|Test\w+)", text)
    assert len(named) > 20
    assert [name for name in named if name not in defined] == []
