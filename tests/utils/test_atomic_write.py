"""A file appears under its name only when it is complete, and leftovers of killed processes do not accumulate."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fastw2v.corpus.corpus import Corpus
from fastw2v.utils.atomic_write import ABANDONED, PREFIX, atomic_write
from fastw2v.vectors.word_vectors import WordVectors


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_new_file_takes_the_place_of_the_old_one(tmp_path: Path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with atomic_write(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["file.txt"]


def test_a_failure_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write(failure: BaseException) -> None:
        with atomic_write(path) as partial:
            partial.write_text("ne")
            raise failure

    with pytest.raises(OSError, match="No space left") as error:
        write(OSError(28, "No space left on device"))
    assert error.value.filename == str(path)
    with pytest.raises(KeyboardInterrupt):
        write(KeyboardInterrupt())
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_places_that_cannot_be_written_are_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError) as error, atomic_write(tmp_path / "nowhere" / "file.txt"):
        pass
    assert error.value.filename == str(tmp_path / "nowhere" / "file.txt")
    with pytest.raises(IsADirectoryError, match="is a folder"), atomic_write(tmp_path):
        pass


@pytest.mark.skipif(os.name != "posix", reason="links and permissions of POSIX")
def test_a_link_stays_a_link_and_permissions_are_those_of_any_new_file(tmp_path: Path):
    path, link = tmp_path / "file.txt", tmp_path / "link.txt"
    link.symlink_to(path)
    with atomic_write(link) as partial:
        partial.unlink()
        partial.touch(mode=0o600)
    assert link.is_symlink()
    (tmp_path / "other.txt").touch()
    assert path.stat().st_mode == (tmp_path / "other.txt").stat().st_mode


def test_only_what_was_left_long_ago_is_removed(tmp_path: Path):
    for name, age in (("old", 2 * ABANDONED), ("young", ABANDONED / 2)):
        folder = tmp_path / f"{PREFIX}{name}"
        folder.mkdir()
        (folder / "file.txt").write_text("half of")
        then = time.time() - age
        for path in (folder / "file.txt", folder):
            os.utime(path, (then, then))
    with atomic_write(tmp_path / "file.txt"):
        pass
    assert names(tmp_path) == [f"{PREFIX}young", "file.txt"]


def killed(command: list[str], seconds: float) -> None:
    """Run a command in a separate process, and kill the process if it still runs after `seconds`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fastw2v", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def check_killed_commands(tmp_path: Path, words: int, kills: int) -> None:
    """Kill `encode` and `train` at various moments, and check that their output is complete or does not exist."""
    folder = tmp_path / "text"
    folder.mkdir()
    corpus = folder / "corpus.txt"
    ids = np.random.default_rng(1).zipf(1.3, words) % 30_000
    corpus.write_text("\n".join(" ".join(f"w{i}" for i in part) for part in np.array_split(ids, words // 20)))
    encoded, vectors = folder / "corpus.w2v", folder / "vectors.safetensors"
    encode = ["encode", str(corpus), "-o", str(encoded), "--min-count", "1"]
    train = ["train", str(corpus), "-o", str(vectors), "--epochs", "1", "--min-count", "1", "--vector-size", "64"]
    expected = Corpus.from_text(corpus, min_count=1)
    moments = random.Random(1)
    for command, path in ((encode, encoded), (train, vectors)):
        start = time.perf_counter()
        killed(command, 600)
        whole = time.perf_counter() - start
        assert path.exists()
        path.unlink()
        for i in range(kills):
            killed(command, whole * (0.2 + 0.9 * moments.random() if i else 0.95))
            # Sometimes the command finishes before it is killed.
            if path == encoded and path.exists():
                again = Corpus.load(path)
                np.testing.assert_array_equal(again.ids, expected.ids)
                assert again.vocabulary == expected.vocabulary
            elif path.exists():
                trained = WordVectors.load(path)
                assert trained.index_to_key == expected.vocabulary.words
                assert np.isfinite(trained.vectors).all()
            path.unlink(missing_ok=True)
        # Leftovers are not read as text and do not disturb the next run, which removes them if they are old.
        assert len(Corpus.from_text(folder, min_count=1)) == len(expected)
        for left in folder.glob(f"{PREFIX}*/*"):
            os.utime(left, (0, 0))
        for left in folder.glob(f"{PREFIX}*"):
            os.utime(left, (0, 0))
        killed(command, 600)
        assert names(folder) == sorted([corpus.name, path.name])
        path.unlink()


def test_killed_commands(tmp_path: Path):
    check_killed_commands(tmp_path, 2000, 1)


@pytest.mark.slow
def test_commands_killed_at_many_moments(tmp_path: Path):
    check_killed_commands(tmp_path, 3_000_000, 15)
