"""Compilation of the CPU kernels by Numba, and the folder that keeps their machine code for later processes.

Numba's own cache identifies a function by the path of its file, so each environment of a user would compile the
kernels again. It also recompiles a function only if that file changes, but not if an imported module changes. The files
of this cache are identified by a hash of everything that the machine code depends on.

The files are pickles, which can run any code when they are loaded. The folder is therefore used only if it belongs to
the user and no one else can write to it.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import logging
import os
import pickle
import platform
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import caching, codegen, event
from numba.core.compiler import CompilerBase, CompileResult, DefaultPassBuilder
from numba.core.runtime import rtsys
from numba.core.serialize import dumps
from numba.extending import register_jitable
from numba.misc.appdirs import AppDirs

from fastw2v.utils.atomic_write import atomic_write
from fastw2v.utils.progress import waiting

__all__ = ["SOURCES", "cache_folder", "cache_folders", "compiled", "inlined"]

log = logging.getLogger("fastw2v")

SOURCES = (
    *("kernels/changes_numba.py", "kernels/compilation.py", "kernels/hierarchical_numba.py"),
    *(
        "kernels/knn_prefilter.py",
        "kernels/rows_numba.py",
        "kernels/simd.py",
        "kernels/subwords_numba.py",
        "kernels/tokenizer.py",
    ),
    *("kernels/word2vec_numba.py", "sampling/rng.py", "config.py"),
)
"""Files of the package on which the machine code depends."""
MAX_FILES = 64
"""Maximum number of files in the cache. A kernel is a file of 50 to 400 kB; the files used last are kept."""
_SUFFIX = ".kernel"
_OPTIONS = {"nogil": True, "no_cfunc_wrapper": True}
"""Options of all functions. If they differed, Numba would compile NumPy's functions again for each combination."""


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function with Numba when it is first called. The machine code of the kernels is kept in `cache_folder`.

    Parameters
    ----------
    function : callable
        A function without a closure. If it is in one of the `SOURCES`, its machine code is kept.

    Examples
    --------
    >>> from fastw2v.kernels.compilation import compiled
    >>> @compiled
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    42
    """
    dispatcher = numba.njit(**_OPTIONS)(function)
    if function.__module__.startswith("fastw2v.kernels."):
        dispatcher._cache = _Cache(function)
    _kernels.add(dispatcher)
    return dispatcher


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function as a part of the compiled functions that call it. A call from Python runs it uncompiled.

    Numba by itself would also generate machine code and wrappers for the function, which nobody would call.

    Parameters
    ----------
    function : callable
        A function without a closure.

    Examples
    --------
    >>> from fastw2v.kernels.compilation import compiled, inlined
    >>> @inlined
    ... def double(x):
    ...     return 2 * x
    >>> @compiled
    ... def quadruple(x):
    ...     return double(double(x))
    >>> quadruple(21)
    84
    """
    return register_jitable(**_OPTIONS, forceinline=True, no_cpython_wrapper=False, pipeline_class=_InlinedCompiler)(
        function
    )


class _InlinedLibrary(codegen.JITCodeLibrary):  # type: ignore[misc]
    """The optimised code of an inlined function, which is linked into its callers and never executed by itself."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()
        return 0

    @property
    def codegen(self) -> Any:
        """Numba calls ``codegen.set_env`` with the constants that the wrapper for Python would need."""
        return self

    def set_env(self, name: str, env: Any) -> None:
        """Do nothing."""


class _InlinedCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's compiler with an `_InlinedLibrary`."""

    def define_pipelines(self) -> list[Any]:
        self.state.flags.no_cpython_wrapper = True
        self.state.library = _InlinedLibrary(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]


def cache_folders() -> list[Path]:
    """Return the folders that can keep the machine code, in the order in which they are tried.

    Examples
    --------
    >>> from fastw2v.kernels.compilation import cache_folders
    >>> cache_folders()[-1].parent.name
    '__pycache__'
    """
    chosen = [Path(numba.config.CACHE_DIR, "fastw2v")] if numba.config.CACHE_DIR else []
    own = Path(AppDirs("fastw2v").user_cache_dir, "kernels")
    return [*chosen, own, Path(__file__).parent / "__pycache__" / "kernels"]


@functools.cache
def cache_folder() -> Path | None:
    """Return the folder that keeps the machine code, or None if there is none.

    It is the first of `cache_folders` to which only this user can write. A folder that contains machine code may also
    be read-only, as in a container. The folder is created if necessary.

    Examples
    --------
    >>> from fastw2v.kernels.compilation import cache_folder
    >>> folder = cache_folder()
    >>> folder is None or folder.is_dir()
    True
    """
    return next(filter(_is_usable, cache_folders()), None)


def _is_usable(folder: Path) -> bool:
    """Return whether a folder, which is created if necessary, can keep the machine code."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if hasattr(os, "getuid"):  # on Windows, the user's folder is private by default
            status = folder.stat()
            if status.st_uid != os.getuid() or status.st_mode & 0o022:
                return False
        if not any(folder.glob(f"*{_SUFFIX}")):
            tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


class _Cache(caching._Cache):  # type: ignore[misc]
    """The machine code of one function for any number of signatures and processors, with one file for each.

    Unlike the index files of Numba's cache, these files can be written by several processes at the same time.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @property
    def cache_path(self) -> str | None:
        folder = cache_folder()
        return None if folder is None else str(folder)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return a compiled signature, or None if it is not in the cache."""
        # Machine code needs only the runtime. `target_context.refresh()`, which Numba's own cache calls, also imports
        # the rest of the compiler, and SciPy if it is installed.
        rtsys.initialize(target_context)
        try:
            path = self._path(sig, target_context.codegen())
            payload = path.read_bytes()
        except OSError:
            return None
        try:
            compiled = CompileResult._rebuild(target_context, *pickle.loads(payload))
        except Exception as error:  # a damaged file can raise anything
            log.warning("%s cannot be loaded (%s: %s); the kernel is compiled", path, type(error).__name__, error)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # the time of the last use
        return compiled

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled signature, or warn that every process has to compile it."""
        try:
            path = self._path(sig, data.codegen)
            with atomic_write(path) as temporary:
                temporary.write_bytes(dumps(data._reduce()))
            _remove_oldest(path.parent)
        except OSError as error:
            _warn_once(f"{cache_folder()}: {error.strerror}" if error.strerror else str(error))

    def _do_nothing(self) -> None:
        """Stand for methods of Numba's interface that fastw2v does not need."""

    enable = disable = flush = _do_nothing

    def _path(self, sig: Any, codegen: Any) -> Path:
        folder = cache_folder()
        if folder is None:
            raise OSError(f"no folder is writable for this user alone, tried {', '.join(map(str, cache_folders()))}")
        key = repr((_versions(), self._function.__module__, str(sig), codegen.magic_tuple()))
        name = f"{self._function.__name__}-{hashlib.sha256(key.encode()).hexdigest()[:24]}{_SUFFIX}"
        return folder / name


@functools.cache
def _warn_once(reason: str) -> None:
    log.warning(
        "compiled kernels cannot be kept, so each process compiles them again: %s. Set the environment variable "
        "NUMBA_CACHE_DIR to a folder that only you can write to",
        reason,
    )


@functools.cache
def _versions() -> tuple[str, ...]:
    """Return the versions of everything that determines the machine code, except the signature and the processor."""
    package = Path(__file__).parents[1]
    sources = hashlib.sha256(b"".join((package / name).read_bytes() for name in SOURCES)).hexdigest()
    python = (sys.implementation.cache_tag, platform.machine())
    return (sources, *python, numba.__version__, llvmlite.__version__, np.__version__)


def _remove_oldest(folder: Path) -> None:
    """Remove all but the `MAX_FILES` files that were used last."""

    def last_use(path: Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:  # another process has removed it
            return 0.0

    for path in sorted(folder.glob(f"*{_SUFFIX}"), key=last_use)[:-MAX_FILES]:
        path.unlink(missing_ok=True)


class _Listener(event.Listener):  # type: ignore[misc]
    """Shows when a kernel is compiled, whoever calls it. Meanwhile, garbage is not collected, which saves a tenth."""

    def __init__(self) -> None:
        self._waits: list[ExitStack] = []

    def on_start(self, event: Any) -> None:
        kernel = event.data["dispatcher"]
        if kernel in _kernels:
            with ExitStack() as wait:
                wait.enter_context(
                    waiting(f"compiling the kernel {kernel.py_func.__name__}, which takes a few seconds")
                )
                if gc.isenabled():
                    gc.disable()
                    wait.callback(gc.enable)
                self._waits.append(wait.pop_all())

    def on_end(self, event: Any) -> None:
        if event.data["dispatcher"] in _kernels:
            self._waits.pop().close()


_kernels: set[Any] = set()
"""All functions that `compiled` returned."""
event.register("numba:compile", _Listener())
