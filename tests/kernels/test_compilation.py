"""Machine code is compiled once for all environments of a user, and is never read from a folder of somebody else."""

from __future__ import annotations

import ast
import gc
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from numba.core import event

from fastw2v.kernels import compilation, tokenizer

PACKAGE = Path(compilation.__file__).parents[1]
COMPILING = "compiling the kernel counts_of, which takes a few seconds"


@pytest.fixture
def call(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call a kernel as a new process would, with a folder for the machine code, and return what was logged."""
    caplog.set_level(logging.INFO, logger="fastw2v")

    def in_new_process(folder: Path | None) -> list[str]:
        monkeypatch.setattr(compilation, "cache_folder", lambda: folder)
        caplog.clear()
        counts = np.zeros(2, np.int64)
        slots = np.zeros(16, np.uint64)
        compilation.compiled(tokenizer.counts_of.py_func)(slots, counts)
        return [record.getMessage() for record in caplog.records]

    return in_new_process


def test_an_environment_with_the_same_versions_does_not_compile_again(tmp_path):
    code = """
import logging, sys
logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stdout)
import numpy as np
import fastw2v
from fastw2v.kernels import tokenizer
tokenizer.counts_of(np.zeros(16, np.uint64), np.zeros(2, np.int64))
print(fastw2v.__file__)
"""
    for environment, change, messages in (("first", "", [COMPILING]), ("second", "", []), ("third", "#", [COMPILING])):
        package = tmp_path / environment / "fastw2v"
        shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
        with (package / "kernels" / "simd.py").open("a", encoding="utf-8") as file:
            file.write(change)
        variables = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(package.parent)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | variables,
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        )
        assert done.stdout.splitlines() == [*messages, str(package / "__init__.py")]


def test_kernels_from_the_cache_run_without_the_compiler(tmp_path):
    code = """
import sys
import numpy as np
from fastw2v.corpus.indexer import WordTable
from fastw2v.corpus.sources import PADDING
from fastw2v.kernels import tokenizer
table = WordTable()
ids = [table.add(b"the cat and the dog" + PADDING, base=0)[0].tolist() for _ in range(2)]
tokenizer.copy_slots(table.slots, np.zeros(2 * len(table.slots), np.uint64))
print(ids, table.counts().tolist(), "numba.np.linalg" in sys.modules)
"""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, "-c", code]
    for compiled in (True, False):
        done = subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True, text=True)
        assert done.stdout == f"[[0, 1, 2, 0, 3], [0, 1, 2, 0, 3]] [4, 2, 2, 2] {compiled}\n"


def test_an_inlined_function_gets_no_machine_code_of_its_own():
    compiled = []

    class Listener(event.Listener):
        def on_start(self, event):
            compiled.append(event.data["dispatcher"])

        def on_end(self, event):
            pass

    @compilation.inlined
    def double(x):
        return 2 * x

    @compilation.compiled
    def quadruple_and_8(x):
        return double(double(x)) + double(4)

    with event.install_listener("numba:compile", Listener()):
        assert quadruple_and_8(21) == 92
    assert double(21) == 42  # runs uncompiled
    kernel, inlined = compiled  # not compiled again for the literal 4
    assert (kernel, inlined.py_func) == (quadruple_and_8, double)
    (result,) = inlined.overloads.values()
    assert result.library.get_pointer_to_function(result.fndesc.llvm_func_name) == 0
    assert not compilation.codegen.JITCodeLibrary.get_pointer_to_function(result.library, result.fndesc.llvm_func_name)


@pytest.mark.parametrize("enabled", [True, False])
def test_no_garbage_is_collected_during_compilation(monkeypatch, enabled):
    during = []
    monkeypatch.setattr(compilation.codegen.JITCodeLibrary, "_optimize_functions", _recording(during))
    if not enabled:
        gc.disable()
    try:
        compilation.compiled(lambda x: x + 1)(1)
        assert gc.isenabled() == enabled
    finally:
        gc.enable()
    assert during
    assert not any(during)


def _recording(during):
    original = compilation.codegen.JITCodeLibrary._optimize_functions

    def record(library, module):
        during.append(gc.isenabled())
        return original(library, module)

    return record


def test_machine_code_is_kept(call, tmp_path):
    assert call(tmp_path) == [COMPILING]
    (file,) = tmp_path.iterdir()
    before = file.stat().st_mtime
    os.utime(file, (1000, 1000))
    assert call(tmp_path) == []
    assert file.stat().st_mtime >= before  # the time of the last use


def test_a_damaged_file_is_reported_and_replaced(call, tmp_path):
    call(tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for damaged in (b"", whole[:1000], b"not a pickle"):
        file.write_bytes(damaged)
        reported, compiling = call(tmp_path)
        assert f"{file} cannot be loaded" in reported
        assert compiling == COMPILING
        assert call(tmp_path) == []


@pytest.mark.parametrize("missing", [False, True])
def test_a_user_whose_kernels_cannot_be_kept_is_told_once_what_to_do(call, monkeypatch, tmp_path, missing):
    monkeypatch.setattr(compilation, "cache_folders", lambda: [Path("some", "folder")])
    folder = tmp_path / "removed" if missing else None
    compilation._warn_once.cache_clear()
    compiling, warning = call(folder)
    assert compiling == COMPILING
    assert (str(folder) if missing else f"tried {Path('some', 'folder')}") in warning
    assert "NUMBA_CACHE_DIR" in warning
    assert call(folder) == [COMPILING]


def test_without_the_sources_nothing_is_kept(call, monkeypatch, tmp_path):
    monkeypatch.setattr(compilation, "SOURCES", ("kernels/simd.py", "kernels/missing.py"))
    compilation._versions.cache_clear()
    compilation._warn_once.cache_clear()
    try:
        assert call(tmp_path)[0] == COMPILING
    finally:
        compilation._versions.cache_clear()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_that_the_user_sets_comes_first(tmp_path, monkeypatch):
    import numba

    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    own = compilation.cache_folders()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert compilation.cache_folders() == [tmp_path / "fastw2v", *own]
    assert own[-1].is_relative_to(PACKAGE)
    assert own[0].name == "kernels"
    assert "fastw2v" in own[0].parts


def test_a_folder_is_created_for_this_user_alone(tmp_path):
    folder = tmp_path / "new" / "kernels"
    assert compilation._is_usable(folder)
    if hasattr(os, "getuid"):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.iterdir()) == []
    assert compilation._is_usable(folder)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="Windows has no such permissions")
def test_a_folder_that_others_can_write_to_is_never_read(tmp_path, monkeypatch):
    folder = tmp_path / "kernels"
    folder.mkdir()
    for mode, private in ((0o700, True), (0o755, True), (0o770, False), (0o777, False), (0o702, False)):
        folder.chmod(mode)
        assert compilation._is_usable(folder) == private, oct(mode)
    folder.chmod(0o700)
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    assert not compilation._is_usable(folder)
    assert not compilation._is_usable(tmp_path)


@pytest.mark.parametrize("full", [False, True])
def test_a_folder_that_cannot_be_written_to_is_used_if_it_has_machine_code(tmp_path, monkeypatch, full):
    if full:
        (tmp_path / "a.kernel").touch()
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: (_ for _ in ()).throw(PermissionError))
    assert compilation._is_usable(tmp_path) == full


def test_the_files_that_were_used_last_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(compilation, "MAX_FILES", 3)
    for i in range(5):
        path = tmp_path / f"{i}.kernel"
        path.touch()
        os.utime(path, (1000 + i, 1000 + i))
    os.utime(tmp_path / "0.kernel", (2000, 2000))
    (tmp_path / "unknown.txt").touch()
    compilation._remove_oldest(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.kernel", "3.kernel", "4.kernel", "unknown.txt"]


def test_every_source_of_the_machine_code_is_part_of_its_key():
    """Every module of the kernels that compiles functions, and every module that such a module imports."""
    needed = set()
    for path in sorted((PACKAGE / "kernels").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        modules = {f"{node.module}.{alias.name}" for node in imports for alias in node.names}
        if any(module.startswith(("numba.", "fastw2v.kernels.compilation.")) for module in modules):
            needed.add(path)
            for module in modules:
                parts = module.split(".")[1:]
                for length in range(1, len(parts) + 1):
                    file = PACKAGE.joinpath(*parts[:length]).with_suffix(".py")
                    if module.startswith("fastw2v.") and file.is_file():
                        needed.add(file)
    used = {path.relative_to(PACKAGE).as_posix() for path in needed}
    # The machine code does not depend on how its file is written, how progress is shown or how rows are decoded.
    independent = {"utils/atomic_write.py", "utils/progress.py", "utils/scaled_rows.py"}
    assert used - independent == set(compilation.SOURCES)


def test_functions_outside_the_kernels_are_compiled_but_not_kept(call, tmp_path, caplog):
    @compilation.compiled
    def double(x):
        return 2 * x

    call(tmp_path)
    caplog.clear()
    assert (double(21), double(2)) == (42, 4)
    assert [record.getMessage() for record in caplog.records] == [COMPILING.replace("counts_of", "double")]
    assert len(list(tmp_path.iterdir())) == 1
