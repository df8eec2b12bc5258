"""A file appears under its name only when it is complete, and leftovers of killed processes do not accumulate."""

from __future__ import annotations

import errno
import os
import random
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.corpus.corpus import Corpus
from fastw2v.utils.atomic_write import ABANDONED, PREFIX, atomic_folder, atomic_write
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
    assert f"(there is no folder {tmp_path / 'nowhere'})" in error.value.strerror
    assert "None" not in str(error.value)
    with pytest.raises(IsADirectoryError, match="is a folder"), atomic_write(tmp_path):
        pass


@pytest.mark.parametrize("writer", [atomic_write, atomic_folder])
def test_errors_name_the_target_and_the_reason(tmp_path: Path, writer: Callable[[Path], Any]):
    (tmp_path / "file").touch()
    targets = {"nowhere/x.txt": errno.ENOENT, "file/x.txt": errno.ENOTDIR, f"{'x' * 300}.txt": errno.ENAMETOOLONG}
    for name, number in targets.items():
        if os.name == "nt" and number != errno.ENOENT:
            continue  # Windows reports other errors
        with pytest.raises(OSError) as error, writer(tmp_path / name):
            pass
        assert error.value.errno == number
        if os.name == "posix":
            assert str(error.value).startswith(f"[Errno {number}] {os.strerror(number)}")
        assert error.value.filename == str(tmp_path / name)
        assert error.value.filename2 is None
        assert PREFIX not in str(error.value)
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("writer", [atomic_write, atomic_folder])
def test_errors_of_other_files_keep_their_names(tmp_path: Path, writer: Callable[[Path], Any]):
    with pytest.raises(FileNotFoundError) as error, writer(tmp_path / "x.txt"):
        (tmp_path / "input.txt").read_bytes()
    assert error.value.filename == str(tmp_path / "input.txt")
    assert not names(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="an open folder cannot be removed on Windows")
@pytest.mark.parametrize("writer", [atomic_write, atomic_folder])
def test_a_folder_that_vanishes_is_named(tmp_path: Path, writer: Callable[[Path], Any]):
    target = tmp_path / "folder" / "x.txt"
    target.parent.mkdir()
    with (
        pytest.raises(FileNotFoundError, match=r"No such file or directory \(there is no folder") as error,
        writer(target),
    ):
        shutil.rmtree(target.parent)
    assert error.value.filename == str(target)


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices of POSIX")
def test_pipes_and_devices_are_not_replaced(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/null"), Path("/dev/stdout"), Path("/dev/fd/1")):
        with pytest.raises(OSError, match=f"^{path} is a pipe or a device"), atomic_write(path):
            pass
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_folder_appears_only_when_it_is_complete(tmp_path: Path):
    with atomic_folder(tmp_path / "folder") as partial:
        (partial / "a.txt").write_text("a")
        assert not (tmp_path / "folder").exists()
    assert names(tmp_path / "folder") == ["a.txt"]
    (tmp_path / "other").mkdir()
    assert (tmp_path / "folder").stat().st_mode == (tmp_path / "other").stat().st_mode
    with pytest.raises(FileExistsError, match="choose the name of a new folder"), atomic_folder(tmp_path / "folder"):
        pass
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "new"):
        raise KeyboardInterrupt
    assert names(tmp_path) == ["folder", "other"]


OTHER_USER = """
from pathlib import Path
import numpy as np
from fastw2v import WordVectors
vectors = WordVectors(["cat", "dog"], np.eye(2))
for name in ("x.safetensors", "x.txt", "x.tsv", "x.npz"):
    try:
        vectors.save(name)
    except PermissionError as error:
        print(error)
try:
    vectors.save("static", format="static-embedding")
except PermissionError as error:
    print(error)
"""


@pytest.mark.skipif(
    not shutil.which("setpriv") or not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="needs root and setpriv to run as another user",
)
def test_a_folder_of_another_user_is_named():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        as_other_user = ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c"]
        if subprocess.run([*as_other_user, "pass"], cwd=folder, capture_output=True, check=False).returncode:
            pytest.skip("the other user cannot run this Python")
        result = subprocess.run(
            [*as_other_user, OTHER_USER],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        written = ["x.safetensors", "x.txt", "x.tsv", "x.npz", "static"]
        assert result.stdout.splitlines() == [f"[Errno 13] Permission denied: '{name}'" for name in written], (
            result.stderr
        )
        assert not names(Path(folder))


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
