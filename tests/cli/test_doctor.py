"""fastw2v doctor."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastw2v
from fastw2v.cli import doctor

PACKAGE = Path(fastw2v.__file__).parent
PYPROJECT = PACKAGE.parent / "pyproject.toml"


def test_doctor(run: Any):
    result = run("doctor")
    assert result.status == 0, result.out
    for part in (f"fastw2v {fastw2v.__version__}", "numpy", np.__version__, "training would use"):
        assert part.split()[0] in result.out
        assert part.split()[-1] in result.out
    assert ["cpu", "layers", "correct"] in [line.split() for line in result.out.splitlines()]


def test_doctor_shows_where_the_compiled_kernels_are_kept(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    compilation = pytest.importorskip("fastw2v.kernels.compilation")
    (tmp_path / "a.kernel").write_bytes(bytes(2000))
    for folder, text in ((tmp_path, f"2.0 kB in {tmp_path}"), (None, "set NUMBA_CACHE_DIR")):
        monkeypatch.setattr(compilation, "cache_folder", lambda folder=folder: folder)
        (line,) = [line for line in run("doctor").out.splitlines() if line.startswith("compiled kernels")]
        assert text in line


def test_doctor_reports_an_engine_that_computes_wrongly(run: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fastw2v.cli.doctor.tiny_training", lambda device, engine: "wrong: the loss did not fall")
    result = run("doctor")
    assert result.status == 1
    assert "the loss did not fall" in result.out


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    if not PYPROJECT.exists():
        pytest.skip("pyproject.toml is not beside the package")
    return tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]


def names(requirements: list[str]) -> set[str]:
    """Return the names of the packages in requirements."""
    return {re.match(r"[\w-]+", one).group() for one in requirements}  # type: ignore[union-attr]


def imported_modules() -> set[str]:
    """Return the top-level names of all modules that the package imports, also those that it names in strings."""
    found = set()
    importers = {"import_module", "find_spec", "_package", "_Library"}
    for path in PACKAGE.rglob("*.py"):
        if path == Path(doctor.__file__):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module))
            elif isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple):  # for name in ("a", "b"): import it
                inner = {call for call in calls if call in set(ast.walk(node))}
                if any(ast.unparse(call.func).rpartition(".")[2] == "import_module" for call in inner):
                    found |= {one.value for one in node.iter.elts if isinstance(one, ast.Constant)}
        for call in calls:
            if ast.unparse(call.func).rpartition(".")[2] in importers:
                arguments = [one.value for one in call.args if isinstance(one, ast.Constant)]
                found |= {one for one in arguments if isinstance(one, str) and one.replace(".", "").isidentifier()}
    return {name.partition(".")[0] for name in found} - set(sys.stdlib_module_names) - {"fastw2v"}


def test_doctor_lists_every_optional_import():
    """A module that comes with a listed package, or replaces it, counts as that package."""
    parts = {"cupyx": "cupy", "llvmlite": "numba", "backports": "zstandard", "compression": "zstandard"}
    parts |= {"requests": "pooch"}  # pooch downloads with it
    required = {name.replace("-", "_") for name in doctor.REQUIRED_PACKAGES}
    listed = {package.module for package in doctor.OPTIONAL_PACKAGES}
    imported = {parts.get(name, name) for name in imported_modules()}
    assert imported - required <= listed
    # These are given by the caller, so nothing imports them.
    assert listed - imported == {"pandas", "polars", "pyarrow", "datasets", "tensorboardX"}


def test_doctor_lists_the_dependencies_and_extras_of_the_project(project: dict[str, Any]):
    from release.clean_install import FOR_DEVELOPERS

    requirements = {package.requirement for package in doctor.OPTIONAL_PACKAGES}
    assert names(project["dependencies"]) == {*doctor.REQUIRED_PACKAGES, "numba"}
    extras = set(project["optional-dependencies"]) - FOR_DEVELOPERS
    assert {f"fastw2v[{extra}]" for extra in extras} - requirements == {"fastw2v[cuda13]"}
    named = {one.partition("[")[2].removesuffix("]") for one in requirements if "[" in one}
    assert named <= extras
    # The tests use every other package that users install, if it has wheels for all platforms.
    tested = names(project["optional-dependencies"]["integrations"] + project["optional-dependencies"]["dev"])
    without_extra = {one for one in requirements if "[" not in one}
    assert without_extra - tested - names(project["dependencies"]) == {"ipython"}


def test_a_row_per_optional_package_shows_its_version_or_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    distributions = {"cupy": ["cupy-cuda12x"], "sklearn": ["scikit-learn"], "ray": ["ray", "ray"]}
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: distributions)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: f"1.{len(name)}")
    monkeypatch.setattr(doctor, "_is_installed", lambda module: False)
    rows = {name: state for name, state, _ in doctor.optional_packages()}
    assert len(rows) == len(doctor.OPTIONAL_PACKAGES)
    assert rows["cupy"] == "1.12 (cupy-cuda12x)"
    assert rows["scikit-learn"] == "1.12"
    assert rows["ray"] == "1.3"
    assert rows["matplotlib"] == "pip install 'fastw2v[plot]'"
    assert rows["fsspec"] == "pip install fsspec"
    assert rows["zstandard"] == "pip install 'fastw2v[zstd]'"
    monkeypatch.setattr(doctor, "_is_installed", lambda module: module == "compression.zstd")
    assert {name: state for name, state, _ in doctor.optional_packages()}["zstandard"] == "compression.zstd instead"


def test_rows_of_missing_packages_fit_into_a_terminal(run: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.metadata, "packages_distributions", dict)
    monkeypatch.setattr(doctor, "_is_installed", lambda module: False)
    rows = doctor.optional_packages()
    lines = run("doctor").out.splitlines()
    for name, state, purpose in rows:
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert state in line
        assert purpose in line
        assert len(line.rstrip()) <= 80


def install(folder: Path, module: str, metadata: bytes | None) -> None:
    """Write a package with one module and the given metadata, as pip would install it."""
    (folder / module).mkdir()
    (folder / module / "__init__.py").touch()
    information = folder / f"{module}-1.0.dist-info"
    information.mkdir()
    (information / "top_level.txt").write_text(module, encoding="utf-8")
    if metadata is not None:
        (information / "METADATA").write_bytes(metadata)


@pytest.mark.parametrize(
    "metadata",
    [
        b"Metadata-Version: 2.1\nName: damaged\n",  # no version
        b"Metadata-Version: 2.1\nVersion: 1.0\nSummary: \xff\n",  # not UTF-8
        b"",
        None,
    ],
)
def test_doctor_goes_on_after_damaged_metadata(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, metadata: bytes | None
):
    install(tmp_path, "damaged", metadata)
    package = doctor.Package("damaged", "damaged", "this test")
    monkeypatch.setattr(doctor, "OPTIONAL_PACKAGES", (*doctor.OPTIONAL_PACKAGES, package))
    monkeypatch.syspath_prepend(tmp_path)
    assert doctor.version_of("damaged") == "unknown version"
    rows = {name: state for name, state, _ in doctor.optional_packages()}
    assert rows["damaged"] == "unknown version"
    assert rows["numba"] == importlib.metadata.version("numba")
    result = run("doctor")
    assert result.status == 0, result.out
    (line,) = [line for line in result.out.splitlines() if line.split()[:1] == ["damaged"]]
    assert "unknown version" in line


def test_doctor_goes_on_if_a_dependency_has_no_metadata(run: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "REQUIRED_PACKAGES", (*doctor.REQUIRED_PACKAGES, "no-such-package"))
    result = run("doctor")
    assert result.status == 0, result.out
    assert "no-such-package unknown version" in " ".join(result.out.split())


def test_a_folder_is_not_a_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "folder").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not doctor._is_installed("folder")
