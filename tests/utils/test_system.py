"""The processors and the memory that this process may use, however the system states them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastw2v.utils import system
from fastw2v.utils.system import available_processors, format_bytes, free_memory


def test_processors_of_the_process_and_of_a_system_that_knows_only_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    assert available_processors() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert available_processors() == 64
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_processors() == 1


MEMINFO = "MemTotal:       2000 kB\nMemAvailable:   1000 kB\n"
V2 = "25 1 0:30 / {mount} rw,nosuid - cgroup2 cgroup rw\n"
V1 = "25 1 0:30 / /nothing rw - cgroup cgroup rw,cpu\n26 1 0:31 {root} {mount} rw shared:9 - cgroup cgroup rw,memory\n"


class Machine:
    """The folders of a machine with 1,024,000 free bytes, in which a process is in a control group."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.proc, self.groups = folder / "proc", folder / "control groups"
        (self.proc / "self").mkdir(parents=True)
        (self.proc / "meminfo").write_text(MEMINFO)
        monkeypatch.setattr(system, "PROC", self.proc)

    def process(self, groups: str, mounts: str, root: str = "/") -> None:
        mount = str(self.groups).replace(" ", r"\040")  # as Linux writes it
        (self.proc / "self" / "cgroup").write_text(groups)
        (self.proc / "self" / "mountinfo").write_text(mounts.format(mount=mount, root=root))

    def group(self, name: str, **files: str | int) -> None:
        folder = self.groups / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            (folder / file.replace("memory_", "memory.")).write_text(f"{content}\n")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_the_machine_without_groups(machine: Machine):
    assert free_memory() == 1_024_000
    (machine.proc / "meminfo").write_text("MemTotal: 2000 kB\n")  # an old kernel
    assert free_memory() > 1_024_000
    machine.process("", "")
    assert free_memory() > 1_024_000


def test_every_group_above_the_process_limits_it(machine: Machine):
    machine.process("0::/slice/job/step\n", V2)
    machine.group(".", memory_stat="inactive_file 0")  # the root group has neither limit nor usage
    machine.group("slice", memory_max="max", memory_current=800_000, memory_stat="inactive_file 0")
    machine.group("slice/job", memory_max=900_000, memory_current=700_000, memory_stat="anon 5\ninactive_file 0")
    machine.group("slice/job/step", memory_max="max", memory_current=600_000, memory_stat="inactive_file 0")
    assert free_memory() == 200_000
    machine.group("slice", memory_max=850_000)
    assert free_memory() == 50_000
    machine.group("slice/job/step", memory_high=610_000)  # above this, the process is slowed down
    assert free_memory() == 10_000
    machine.group("slice/job", memory_max=100)  # a limit below the usage
    assert free_memory() == 0


def test_cached_files_can_be_dropped(machine: Machine):
    stat = "anon 100\nfile 700000\ninactive_file 600000\nactive_file 100000"
    machine.process("0::/job\n", V2)
    machine.group("job", memory_max=900_000, memory_current=700_000, memory_stat=stat)
    assert free_memory() == 800_000


def test_groups_of_version_1(machine: Machine):
    machine.process("7:cpu,cpuacct:/elsewhere\n4:memory:/jobs/a:b\n0::/\n", V1)
    unlimited = 9223372036854771712
    stat = "inactive_file 1\ntotal_inactive_file 50000"
    machine.group(".", memory_limit_in_bytes=unlimited, memory_usage_in_bytes=900_000, memory_stat=stat)
    machine.group("jobs", memory_limit_in_bytes=800_000, memory_usage_in_bytes=500_000, memory_stat=stat)
    machine.group("jobs/a:b", memory_limit_in_bytes=700_000, memory_usage_in_bytes=300_000, memory_stat=stat)
    assert free_memory() == 350_000  # in the group above
    machine.group("jobs/a:b", memory_limit_in_bytes=400_000)
    assert free_memory() == 150_000


@pytest.mark.parametrize(
    ("path", "root"),
    [("/docker/abc", "/docker/abc"), ("/../abc", "/"), ("/docker/abc", "/")],
    ids=["the mounted group", "outside the namespace", "a group that is not mounted"],
)
def test_in_a_container_the_mounted_group_is_that_of_the_container(machine: Machine, path: str, root: str):
    machine.process(f"4:memory:{path}\n", V1, root)
    machine.group(".", memory_limit_in_bytes=800_000, memory_usage_in_bytes=500_000, memory_stat="")
    assert free_memory() == 300_000


def test_files_that_cannot_be_understood(machine: Machine):
    machine.process("0::/job\n", V2)
    machine.group("job", memory_max="what", memory_current="?", memory_stat="")
    assert free_memory() == 1_024_000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the size of a process is read from /proc")
@pytest.mark.parametrize("option", ["-v", "-d"])
def test_limits_of_the_process(option: str):
    """The limit is that of the shell, in units of 1024 bytes. What the process uses already is subtracted."""
    program = "from fastw2v.utils.system import free_memory; print(free_memory(), free_memory(threads=2))"
    command = f"ulimit -s 8192; ulimit {option} 900000; exec '{sys.executable}' -c '{program}'"
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, env=environment)
    free, with_threads = map(int, run.stdout.split())
    assert 250_000_000 < free < 921_600_000 - 10_000_000
    assert free - with_threads == 2 * (8192 * 1024 + (system.THREAD_ARENA if option == "-v" else 0))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the size of a process is read from /proc")
@pytest.mark.slow
@pytest.mark.parametrize(("words", "fits"), [(20_000, True), (100_000, False), (400_000, False)])
def test_a_run_under_ulimit_ends_well_or_is_refused_before_it_starts(tmp_path: Path, words: int, fits: bool):
    """With 800 MB of address space, the second run would train, and then lack the memory for its vectors."""
    pytest.importorskip("numba")
    program = tmp_path / "program.py"
    program.write_text(
        "import numpy as np\n"
        "from fastw2v import Corpus, Word2Vec\n"
        f"corpus = Corpus.from_ids(np.arange(2 * {words}) % {words}, np.arange(0, 2 * {words} + 1, 20))\n"
        "Word2Vec(vector_size=8, engine='fused', workers=2).fit([['a', 'b']] * 10)\n"
        "model = Word2Vec(vector_size=200, epochs=1, engine='fused', workers=2)\n"
        "try:\n"
        "    model.fit(corpus).wv.vectors\n"
        "    print('trained')\n"
        "except MemoryError as error:\n"
        "    print(hasattr(model, 'wv'), error)\n",
        encoding="utf-8",
    )
    command = f"ulimit -s 8192; ulimit -v 800000; exec '{sys.executable}' '{program}'"
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.startswith("trained" if fits else "False training needs "), run.stdout + run.stderr
    assert fits or "It would fit with vector_size=" in run.stdout


def test_sizes_in_words():
    sizes = [format_bytes(n) for n in (999, 1000, 123_456_789, 12_345_678_901)]
    assert sizes == ["999 bytes", "1.0 kB", "123 MB", "12.3 GB"]
