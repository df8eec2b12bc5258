"""Every command that writes: its files stay whole if the disk is full, or if the process is killed, at any step."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import WordVectors
from fastw2v.checkpoint import Checkpoints
from fastw2v.utils import atomic_write
from tests.cli.helpers import failed

OPTIONS = "--vector-size 8 --negative 2 --epochs 1 --min-count 1 --workers 1 --output-weight 0"
WORD2VEC = "-size 8 -negative 2 -iter 1 -min-count 1 -threads 1"
CONVERTED = ["v.safetensors", "v.npz", "v.bin", "v.txt", "v.glove", "v.tsv", "v.vec.gz", "v.bin.bz2", "v.txt.xz"]
COMMANDS = {
    **{f"convert to {name}": f"convert in.safetensors OUT/{name}" for name in CONVERTED},
    "convert to a folder": "convert in.safetensors OUT/static --to static-embedding",
    "align": "align in.safetensors other.safetensors -o OUT/v.bin",
    "encode": "encode text.txt -o OUT/text.w2v --min-count 1 --vocabulary OUT/words.txt",
    "phrases": "phrases text.txt -o OUT/phrases.txt",
    "phrases, encoded": "phrases text.txt -o OUT/phrases.w2v",
    "plot a page": "plot in.safetensors -o OUT/map.html --top 100 --method pca",
    "plot an image": "plot in.safetensors -o OUT/map.png --top 30 --method pca",
    "train": f"train text.txt -o OUT/v.safetensors {OPTIONS}",
    "train, text": f"train text.txt -o OUT/v.txt --plot OUT/loss.png {OPTIONS}",
    "train with checkpoints": f"train text.txt -o OUT/v.bin.gz --checkpoint OUT/run {OPTIONS}",
    "resume": "resume OUT/run",
    "word2vec": f"word2vec -train text.txt -output OUT/v.txt -save-vocab OUT/words.txt {WORD2VEC}",
    "word2vec, binary": f"word2vec -train text.txt -output OUT/v.bin -binary 1 {WORD2VEC}",
}
"""Command lines, in which OUT stands for the folder of the output. The other files are in the current folder."""
TRAINING = {"train", "train, text", "train with checkpoints", "resume", "word2vec", "word2vec, binary"}
FEW = {"convert to v.safetensors", "convert to v.tsv", "convert to a folder", "encode"}
OLD = b"old"
NO_SPACE = os.strerror(errno.ENOSPC)

# Each job runs in a fork, because importing the package takes longer than most commands.
DRIVER = """
import itertools, json, os, signal, sys
from fastw2v.cli import main
from fastw2v.utils import atomic_write
for arguments, out, fatal in json.loads(sys.stdin.read()):
    process = os.fork()
    if process:
        killed = os.WIFSIGNALED(os.waitpid(process, 0)[1])
        assert killed, (arguments, fatal)
        continue
    steps = itertools.count()
    def step(name, path):
        if os.path.realpath(path).startswith(out) and next(steps) == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
    atomic_write._step = step
    sys.argv = ["fastw2v", *arguments]
    os.dup2(os.open(os.path.basename(out) + ".err", os.O_CREAT | os.O_WRONLY), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        main()
    except SystemExit as stop:
        os._exit(stop.code or 0)
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs os.fork")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The current folder of the commands: a text, two files of vectors, and a complete run with checkpoints."""
    folder = tmp_path_factory.mktemp("inputs")
    random = np.random.default_rng(0)
    lines = [" ".join(f"word{i}" for i in random.integers(0, 900, 12)) for _ in range(400)]
    (folder / "text.txt").write_text("\n".join([*lines, *["new york"] * 30]))
    words = [f"word{i}" for i in range(900)]
    for name in ("in", "other"):
        matrix = random.standard_normal((900, 12)).astype(np.float32)
        WordVectors(words, matrix, counts=range(900, 0, -1)).save(folder / f"{name}.safetensors")
    train = f"train text.txt -o v.bin --checkpoint run {OPTIONS}".split()
    subprocess.run([sys.executable, "-m", "fastw2v", *train], cwd=folder, env=environment(), check=True)
    (folder / "v.bin").unlink()
    return folder


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONWARNINGS": "ignore"}


def prepared(command: str, out: Path, inputs: Path) -> list[str]:
    """Create the folder of the output with old files, and return the arguments of the command."""
    out.mkdir()
    for argument in COMMANDS[command].split():
        if argument.startswith("OUT/") and "." in argument:
            (out / argument[4:]).write_bytes(OLD)
    if command == "convert to v.tsv":
        (out / "v.metadata.tsv").write_bytes(OLD)
    if command == "resume":
        shutil.copytree(inputs / "run", out / "run")
        run = json.loads((out / "run" / "run.json").read_text())
        run["task"]["output"] = str(out / "v.bin")
        (out / "run" / "run.json").write_text(json.dumps(run))
        (out / "v.bin").write_bytes(OLD)
    return COMMANDS[command].replace("OUT", str(out)).split()


def files(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files, by their names, and the names of all folders."""
    return {
        str(path.relative_to(folder)): b"folder" if path.is_dir() else path.read_bytes() for path in folder.rglob("*")
    }


def check_whole(after: dict[str, bytes], before: dict[str, bytes], new: dict[str, bytes]) -> int:
    """Check that each file and folder is the old one or the complete new one. Return how many are new."""
    n_new = 0
    for top in {Path(name).parts[0] for name in after} - {"run"}:
        found, old, complete = (
            {name: data for name, data in version.items() if Path(name).parts[0] == top}
            for version in (after, before, new)
        )
        assert found in (old, complete), top
        n_new += found == complete
    return n_new


def is_hidden(name: str) -> bool:
    return atomic_write.PREFIX in name


def check_run(folder: Path) -> None:
    """Check that a run with checkpoints is complete, if it exists."""
    if folder.exists():
        assert Checkpoints.open(folder).latest().is_file()


class Unbroken:
    """What a command writes if nothing fails, and its steps."""

    def __init__(self, run: Any, command: str, inputs: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[tuple[str, Path]] = []

        def step(name: str, path: Path) -> None:
            if inside(path, out):
                self.steps.append((name, path))

        monkeypatch.setattr(atomic_write, "_step", step)
        result = run(*prepared(command, out, inputs))
        assert result.status == 0, result.err
        self.files = files(out)
        assert OLD not in self.files.values()
        assert not any(map(is_hidden, self.files))


def inside(path: Path, folder: Path) -> bool:
    return folder.resolve() in (path.resolve(), *path.resolve().parents)


@pytest.fixture
def out_folders(tmp_path: Path) -> Iterator[Path]:
    return (tmp_path / f"out{i}" for i in itertools.count())


@pytest.mark.parametrize("command", COMMANDS)
def test_the_disk_becomes_full_at_any_step(
    run: Any, inputs: Path, tmp_path: Path, out_folders: Iterator[Path], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(inputs)
    unbroken = Unbroken(run, command, inputs, next(out_folders), monkeypatch)
    current = tmp_path / "current"
    current.mkdir()
    for argument in ("text.txt", "in.safetensors", "other.safetensors"):
        (current / argument).symlink_to(inputs / argument)
    monkeypatch.chdir(current)
    assert {name for name, _ in unbroken.steps} >= {"create folder", "open", "write", "flush", "rename", "flush folder"}
    for first in range(len(unbroken.steps)):
        out = next(out_folders)
        arguments = prepared(command, out, inputs)
        before, steps = files(out), itertools.count()
        failures: list[tuple[str, Path]] = []

        def step(
            name: str, path: Path, out: Path = out, steps: Any = steps, first: int = first, failures: Any = failures
        ) -> None:
            if inside(path, out) and next(steps) >= first:
                failures.append((name, path))
                raise OSError(errno.ENOSPC, NO_SPACE)

        monkeypatch.setattr(atomic_write, "_step", step)
        result = run(*arguments)
        after = files(out)
        assert not any(map(is_hidden, after)), first
        check_run(out / "run")
        n_new = check_whole(after, before, unbroken.files)
        assert set(after) >= set(before)
        if all(name == "flush folder" for name, _ in failures):
            assert result.status == 0, result.err
            assert n_new == len({Path(name).parts[0] for name in unbroken.files} - {"run"})
            continue
        failed(result, f": {NO_SPACE}")
        message = result.err.splitlines()[-1].removeprefix("error: ").partition(": ")[0].split()[-1]
        assert Path(message).relative_to(out).parts[0] in {Path(one).parts[0] for one in unbroken.files}, result.err
        assert "None" not in result.err
        assert "->" not in result.err
        rescued = sorted(path for path in current.iterdir() if not path.is_symlink())
        trained = command in TRAINING and "words.txt" not in message and Path(message).name != "run"
        if trained and "loss.png" not in message:
            assert result.err.splitlines()[-2] == f"the vectors were saved as {rescued[0].name}"
            assert WordVectors.load(rescued[0]).context_vectors is not None
            rescued[0].unlink()
        else:
            assert not rescued


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root on Linux; try unshare -rm python -m pytest")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_real_disk_is_full(
    run: Any, inputs: Path, tmp_path: Path, small_disk: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    current, out = tmp_path / "current", small_disk / "out"
    current.mkdir()
    for argument in ("text.txt", "in.safetensors", "other.safetensors"):
        (current / argument).symlink_to(inputs / argument)
    monkeypatch.chdir(current)
    arguments = prepared(command, out, inputs)
    with contextlib.suppress(OSError), (small_disk / "full").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    os.truncate(small_disk / "full", (small_disk / "full").stat().st_size - 4096)  # smaller than any output
    before = files(out)
    result = run(*arguments)
    failed(result, f"{out}{os.sep}", f": {NO_SPACE}")
    assert "None" not in result.err
    assert files(out) == before
    rescued = [path for path in current.iterdir() if not path.is_symlink()]
    if command in TRAINING and f"{out / 'run'}: " not in result.err and "words.txt: " not in result.err:
        assert result.err.splitlines()[-2] == f"the vectors were saved as {rescued[0].name}"
        assert WordVectors.load(rescued[0]).context_vectors is not None
    else:
        assert not rescued


def forked(jobs: list[tuple[list[str], Path, int]], folder: Path) -> None:
    """Run commands in a second process, and kill each before a step, which is given as its number."""
    text = json.dumps([(arguments, str(out.resolve()), fatal) for arguments, out, fatal in jobs])
    subprocess.run(
        [sys.executable, "-c", DRIVER], cwd=folder, env=environment(), input=text, text=True, check=True, timeout=600
    )


@pytest.mark.parametrize(
    "command", [pytest.param(one, marks=[] if one in FEW else pytest.mark.slow) for one in COMMANDS]
)
def test_the_process_is_killed_at_any_step(
    run: Any, inputs: Path, out_folders: Iterator[Path], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(inputs)
    unbroken = Unbroken(run, command, inputs, next(out_folders), monkeypatch)
    outs = [next(out_folders) for _ in unbroken.steps]
    jobs = [(prepared(command, out, inputs), out, fatal) for fatal, out in enumerate(outs)]
    before = [files(out) for out in outs]
    forked(jobs, inputs)
    counts = []
    for out, old in zip(outs, before, strict=True):
        after = files(out)
        visible = {name: data for name, data in after.items() if not is_hidden(name)}
        assert set(visible) >= set(old)
        check_run(out / "run")
        counts.append(check_whole(visible, old, unbroken.files))
    assert counts == sorted(counts)  # no later step removes a new file
    assert counts[0] == 0
