"""Run the notebooks in `examples/notebooks` and update their outputs.

    FASTW2V_DATA=FOLDER python -m tests.notebooks              # or `make notebooks`
    FASTW2V_DATA=FOLDER python -m tests.notebooks graph_walks.ipynb

FOLDER contains ``ptb.train.txt``. Without it, the Penn Treebank is downloaded.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from fastw2v.utils.atomic_write import atomic_write

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
CELL_TIMEOUT = 600
"""Maximum number of seconds for a cell."""


def read(path: Path) -> Any:
    """Return the notebook in a file."""
    import nbformat

    return nbformat.read(path, as_version=4)


def run(notebook: Any, folder: Path) -> None:
    """Run the cells of a notebook in a new kernel with `folder` as its working folder, and replace its outputs.

    The kernel imports this checkout of fastw2v. The user's IPython configuration and matplotlib backend are not used.
    """
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory() as profile:
        env = os.environ | {"IPYTHONDIR": profile, "PYTHONPATH": os.pathsep.join([str(ROOT), *_python_path()])}
        env.pop("MPLBACKEND", None)  # otherwise, pictures would not be shown in the notebook
        client = NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
            record_timing=False,  # times would change the file on each run
            coalesce_streams=True,
        )
        client.execute(env=env)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    # The version of Python would change the file as well.
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def _python_path() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the notebooks in examples/notebooks and update their outputs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a notebook; by default, all of them")
    names = parser.parse_args().names
    if unknown := set(names) - {path.name for path in NOTEBOOKS}:
        parser.error(f"no such notebook: {min(unknown)}; choose from {', '.join(path.name for path in NOTEBOOKS)}")
    import nbformat

    for path in NOTEBOOKS:
        if names and path.name not in names:
            continue
        start = time.monotonic()
        notebook = read(path)
        with tempfile.TemporaryDirectory() as folder:
            run(notebook, Path(folder))
        with atomic_write(path) as temporary:
            nbformat.write(notebook, temporary)
        print(f"{path.name}: {time.monotonic() - start:.0f} s, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
