"""What happens to a process if a file that it has mapped into memory is changed by another program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from fastw2v import Corpus, WordVectors
from fastw2v.corpus.subwords import NGrams, Subwords

kind, copied = sys.argv[1:]
if kind != "corpus":
    words = [str(i) for i in range(20_000)]
    if kind == "vectors":
        WordVectors(words, np.ones((20_000, 64), np.float32)).save("file.safetensors")
    else:
        subwords = Subwords(words, NGrams(3, 3, 2000))
        W_in = np.ones((subwords.n_rows, 64), np.float32)
        WordVectors(words, None, input_vectors=W_in, subwords=subwords).save("file.bin")
    vectors = WordVectors.load("file.safetensors" if kind == "vectors" else "file.bin")
    if copied == "True":
        vectors = WordVectors(vectors.index_to_key, np.array(vectors.vectors))
    total = lambda: float(vectors.vectors.sum())
else:
    Corpus.from_ids(np.arange(1_000_000) % 1000).save("file.w2v")
    corpus = Corpus.load("file.w2v")
    if copied == "True":
        corpus = Corpus(np.array(corpus.ids), np.array(corpus.offsets), corpus.vocabulary)
    total = lambda: int(corpus.ids.sum(dtype=np.int64))
print("loaded", flush=True)
input()
print(total())
"""
TOTALS = {"vectors": "1280000.0", "subwords": "1280000.0", "corpus": "499500000"}


def change(path: Path, how: str) -> None:
    if how == "rename":
        new = path.with_name("new")
        new.write_bytes(b"something else")
        new.replace(path)
    elif how == "delete":
        path.unlink()
    elif how == "overwrite":
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
    else:
        os.truncate(path, 4096)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems send other signals, or refuse the change")
@pytest.mark.parametrize("kind", ["vectors", "subwords", "corpus"])
@pytest.mark.parametrize(
    ("how", "copied"),
    [("rename", False), ("delete", False), ("overwrite", False), ("truncate", False), ("truncate", True)],
)
def test_a_mapped_file_that_changes(tmp_path: Path, kind: str, how: str, copied: bool):
    """Renaming and deleting are safe. A shorter file ends the process, unless its contents were copied."""
    command = [sys.executable, "-c", PROGRAM, kind, str(copied)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loaded\n"
        change(next(tmp_path.glob("file.*")), how)
        out, _ = process.communicate("\n", timeout=60)
    if how == "truncate" and not copied:
        assert (process.returncode, out) == (-signal.SIGBUS, "")
        return
    assert process.returncode == 0
    assert (out.strip() == TOTALS[kind]) == (how != "overwrite")
