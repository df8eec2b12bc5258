"""The promises of SECURITY.md that no other test holds."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import WordVectors
from fastw2v.datasets.download import SOURCES
from fastw2v.formats import FormatError
from fastw2v.formats.npz import write_npz
from fastw2v.formats.record import VectorRecord

PACKAGE = Path(__file__).parents[1] / "fastw2v"


class Touch:
    """An object whose pickle creates a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["vectors", "counts", "settings", "words", "word_offsets", "context_vectors", "more"])
def test_arrays_of_objects_are_refused_without_unpickling(tmp_path: Path, name: str) -> None:
    path, marker = tmp_path / "v.npz", tmp_path / "marker"
    write_npz(VectorRecord(["cat", "dog"], np.eye(2, dtype=np.float32), counts=np.array([2, 1])), path)
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays | {name: np.array([Touch(marker), None], dtype=object)})
    if name == "more":  # arrays of other names are not read
        assert len(WordVectors.load(path)) == 2
    else:
        with pytest.raises(FormatError, match=rf"'{name}(\.npy)?' of the archive is damaged"):
            WordVectors.load(path)
    assert not marker.exists()
    with np.load(path, allow_pickle=True) as archive:
        archive[name]
    assert marker.exists()  # the file is dangerous


def test_no_module_can_run_data() -> None:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            imported = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                imported = [str(node.module)]
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            risky = {"pickle", "_pickle", "dill", "joblib", "marshal", "shelve", "cloudpickle"}.intersection(imported)
            risky |= {"eval", "exec"}.intersection([called])
            found |= {(path.relative_to(PACKAGE).as_posix(), one) for one in risky}
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert ast.literal_eval(node.value) is False
    assert found == {("kernels/compilation.py", "pickle")}


def test_downloads_use_tls() -> None:
    for url, checksum in SOURCES.items():
        assert url.startswith("https://")
        assert re.fullmatch("[0-9a-f]{64}", checksum)
