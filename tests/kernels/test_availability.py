"""States of Numba in which nothing can be compiled: everything works without it, and messages give the reason."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")

PROGRAM = """
import sys
import numpy as np
import fastw2v
from fastw2v.corpus import indexer
from fastw2v.vectors import WordVectors, neighbors

model = fastw2v.Word2Vec(vector_size=4, negative=1, epochs=1, device="cpu").fit([["a", "b", "c"]] * 40)
assert model.engine_ == "layers"
print(model.report_)
try:
    fastw2v.Word2Vec(vector_size=4, engine="fused", device="cpu").fit([["a", "b", "c"]] * 40)
except RuntimeError as error:
    print(error)

indexer.SHORT_TEXT_BYTES = 10  # longer texts are indexed by compiled code
with open("corpus.txt", "w") as file:
    file.write("the cat sat\\n" * 100)
print(fastw2v.Corpus.from_text("corpus.txt").vocabulary.words)
neighbors.PREFILTER_MIN_QUERIES = neighbors.PREFILTER_MIN_PRODUCTS = 1  # more products are filtered by compiled code
vectors = WordVectors(["a", "b", "c"], np.eye(3, dtype=np.float32) + 0.1 * np.arange(3, dtype=np.float32))
print(vectors.nearest_neighbours(topn=1)[0].ravel().tolist())
"""
DISABLED = "Numba does not compile, because NUMBA_DISABLE_JIT is set; unset it"
NO_THREADS = "Numba is installed but cannot be imported: ValueError: Number of threads specified must be > 0"
OLD = "Numba is installed but cannot be imported: ImportError: Numba needs NumPy 2.0 or less. Found 2.9"


@pytest.mark.parametrize(
    ("setting", "reason"), [("NUMBA_DISABLE_JIT=1", DISABLED), ("NUMBA_NUM_THREADS=0", NO_THREADS), ("", OLD)]
)
def test_everything_works_without_compiled_code(tmp_path: Path, setting: str, reason: str):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])}
    if setting:
        environment |= [setting.split("=")]
    else:
        (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 2.0 or less.\\nFound 2.9.')")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    report, refusal, words, nearest = done.stdout.splitlines()
    assert report == f"device 'cpu' was requested; engine 'fused' cannot be used: {reason}"
    assert refusal == f"engine 'fused' cannot be used on cpu: {reason}. Use engine='layers' instead"
    assert words == "['the', 'cat', 'sat']"
    assert nearest == "[2, 2, 1]"
