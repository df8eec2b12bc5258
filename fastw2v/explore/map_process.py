"""A process that computes a map while the page is already in use.

The projections that show neighbourhoods best take up to minutes for a large vocabulary. In another process, they delay
no answers, and they can be stopped at any time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fastw2v.plot import Method, plane

__all__ = ["MapProcess", "place_rows"]

# The page must remain fast, so the process has a low priority.
CODE = """
import os, shutil, sys, threading
if hasattr(os, "nice"):
    os.nice(10)


def end_with_parent():
    os.read(0, 1)  # standard input ends when the parent ends, however that happens
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    os._exit(1)


threading.Thread(target=end_with_parent, daemon=True).start()
from fastw2v.explore.map_process import place_rows
place_rows(*sys.argv[1:])
"""


class MapProcess:
    """A projection of a matrix in another process.

    Parameters
    ----------
    matrix : float array, shape (n, D)
        At least three rows.
    method : Method
    on_end : callable
        Called from another thread with the coordinates, a float64 array of shape (n, 2), or with the last line that the
        process printed if it failed. It is not called after `stop`.

    Examples
    --------
    >>> import numpy as np
    >>> from threading import Event
    >>> from fastw2v.explore.map_process import MapProcess
    >>> ended, results = Event(), []
    >>> process = MapProcess(np.eye(3), "pca", lambda result: (results.append(result), ended.set()))
    >>> ended.wait(60), results[0].shape
    (True, (3, 2))
    """

    def __init__(self, matrix: np.ndarray, method: Method, on_end: Callable[[np.ndarray | str], object]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fastw2v-map-", ignore_cleanup_errors=True)
        self._stopped = threading.Event()
        np.save(Path(self._folder.name, "rows.npy"), matrix)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", CODE, self._folder.name, method],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # The modules of this process are found in the same places. Ctrl-C is for this process only.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )
        threading.Thread(target=self._wait, args=(on_end,), daemon=True, name="fastw2v-map").start()

    def stop(self) -> None:
        """End the process without a result.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.explore.map_process import MapProcess
        >>> MapProcess(np.eye(3), "pca", print).stop()
        """
        self._stopped.set()
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def _wait(self, on_end: Callable[[np.ndarray | str], object]) -> None:
        stdin, stderr = self._process.stdin, self._process.stderr
        assert stdin is not None
        assert stderr is not None
        with stdin, stderr:
            errors = stderr.read()
            self._process.wait()
        if self._stopped.is_set():
            return
        lines = errors.decode(errors="replace").strip().splitlines()
        if self._process.returncode:
            on_end(lines[-1] if lines else f"the process ended with status {self._process.returncode}")
        else:
            on_end(np.load(Path(self._folder.name, "places.npy")))
        self._folder.cleanup()


def place_rows(folder: str, method: Method) -> None:
    """Read the matrix rows.npy from a folder, and write its projection there as places.npy.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.explore.map_process import place_rows
    >>> np.save("rows.npy", np.eye(3))
    >>> place_rows(".", "pca")
    >>> np.load("places.npy").shape
    (3, 2)
    """
    np.save(Path(folder, "places.npy"), plane(np.load(Path(folder, "rows.npy")), method))
