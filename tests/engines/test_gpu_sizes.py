"""The sizes in the tables of `docs/guide/gpu.md` are the largest ones that the engine accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastw2v.config import TILE, TrainingConfig
from fastw2v.engines import gpu
from fastw2v.kernels import word2vec_cuda
from tests.cuda_emulator import fake_cupy
from tests.engines.test_gpu import ARCHITECTURES

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "gpu.md"
STEP = 4
"""Rows are padded to a multiple of this many numbers."""


def shared_memory(architecture: int) -> int:
    """Return the bytes of shared memory that a block can use."""
    return ARCHITECTURES[architecture] * 1024 - (word2vec_cuda.RESERVED_PER_BLOCK if architecture >= 80 else 0)


def cells(section: str) -> Iterator[tuple[int, str, int]]:
    """Yield the architecture, the title of the column and the number of each cell of the table in a section."""
    _, _, text = GUIDE.read_text(encoding="utf-8").partition(f"\n### {section}\n")
    lines = re.findall(r"^\| (.*) \|$", text.partition("\n#")[0], re.MULTILINE)
    (_, *titles), _, *rows = [line.split(" | ") for line in lines]
    for names, *numbers in rows:
        for name in names.split(", "):
            for title, number in zip(titles, numbers, strict=True):
                yield int(name.removeprefix("sm_")), title, int(number)


def settings(title: str) -> dict[str, Any]:
    """Return the settings that the title of a column names."""
    model, *others = title.split(", ")
    found: dict[str, Any] = {"model": {"CBOW": "cbow", "skip-gram": "skipgram"}[model]}
    for other in others:
        if match := re.fullmatch(r"window (\d+)", other):
            found["window"] = int(match[1])
        else:
            assert other == '`quality="fast"`'
            found["quality"] = "fast"
    return found


SIZES = list(cells("Maximum vector size"))
TILES = list(cells("Tiles of 16 targets"))


def test_the_tables_have_all_architectures():
    assert {architecture for architecture, _, _ in SIZES} == set(ARCHITECTURES)
    assert len(SIZES) == 4 * len(ARCHITECTURES)
    tensor_cores = {architecture for architecture in ARCHITECTURES if architecture >= 80}
    assert {architecture for architecture, _, _ in TILES} == tensor_cores
    assert len(TILES) == 3 * len(tensor_cores)


@pytest.mark.parametrize(("architecture", "title", "size"), SIZES)
def test_the_largest_vectors(architecture, title, size):
    def choose(vector_size: int) -> word2vec_cuda.Kernel:
        config = TrainingConfig(vector_size=vector_size, **settings(title))
        return word2vec_cuda.choose_kernel(
            config.model, False, vector_size, config.window, TILE, config.pool_size, False, shared_memory(architecture)
        )

    assert choose(size).width == size
    with pytest.raises(ValueError, match="bytes of shared memory"):
        choose(size + STEP)


@pytest.mark.parametrize(("architecture", "title", "size"), TILES)
def test_the_largest_vectors_in_tiles_of_16(architecture, title, size, monkeypatch):
    attributes = {**fake_cupy.ATTRIBUTES, "MaxSharedMemoryPerBlockOptin": shared_memory(architecture)}
    monkeypatch.setattr(fake_cupy.Device, "attributes", attributes)
    monkeypatch.setattr(fake_cupy.Device, "compute_capability", str(architecture))

    def tile(vector_size: int) -> int:
        config = TrainingConfig(vector_size=vector_size, **settings(title))
        return gpu.with_larger_tiles(config, double=False, reach=config.window).tile

    with fake_cupy.installed(lambda code, options: None):
        assert (tile(size), tile(size + 1)) == (word2vec_cuda.TENSOR_CORE_TILE, TILE)
