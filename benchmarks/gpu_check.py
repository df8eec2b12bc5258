"""Tests and measurements on a machine with a GPU: ``make gpu-check``.

CuPy and the dependencies of the library must be installed, but no network is needed. Each step runs in a process of its
own with a time limit, and the reports ``gpu-check.json`` and ``gpu-check.md`` are updated after each step, so that a
kernel that fails or hangs costs only its own measurement. If the smoke test fails, the other steps are left out.

The steps, and what each needs:

prepare   writes the corpora that other steps read. wiki8 must be in the folder that FASTW2V_DATA names.
smoke     one block against the reference implementation, then all blocks
touch     bytes per second of copying, and of reading and adding to rows
tests     the tests marked gpu (needs pytest and pytest-xdist)
speed     words per second by setting, on generated words
ncu       what limits the first setting (needs ncu)
quality   speed and quality on wiki8 by setting, and by bound on staleness
tree      hierarchical softmax: one block against the reference implementation, speed and quality
subwords  subwords: one block against the reference implementation, speed and quality by bound on staleness
long      the default and the first setting twice, on four times as many words
layers    the layers by batch size
threads   the CPU by number of threads, and gensim if it is installed
whole     ``fastw2v train`` from text to vectors on 1 GB
compare   the first setting, with this version of fastw2v and with the one in the folder --tree, in turns

A call is a list of steps that fits in one run on a machine for which minutes count:

1   is it right, and what limits it: prepare smoke touch tests speed ncu (240 s)
2   which setting, and what it learns: prepare quality tree long layers threads whole (260 s)
3   another version of the kernel: prepare smoke compare tests quality ncu (200 s)
4   subwords: prepare smoke subwords (180 s)
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu_steps import (
    INNER_STEPS,
    ROOT,
    SETTINGS,
    STEPS,
    Options,
    Result,
    Setting,
    as_arguments,
    load,
    problem_of_smoke,
    save,
)
from benchmarks.harness import gpu_report
from fastw2v.backend import cuda_problem
from fastw2v.kernels import word2vec_cuda
from fastw2v.utils.system import available_processors

SECONDS = 600.0
"""Time limit for all steps together. The report lists everything that is left out."""
CALLS: dict[int, tuple[float, tuple[str, ...]]] = {
    1: (240, ("prepare", "smoke", "touch", "tests", "speed", "ncu")),
    2: (260, ("prepare", "quality", "tree", "long", "layers", "threads", "whole")),
    3: (200, ("prepare", "smoke", "compare", "tests", "quality", "ncu")),
    4: (180, ("prepare", "smoke", "subwords")),
}
"""Time limit and steps of each call."""
AFTER_A_FAILURE = {"variants": 40.0, "sanitize": 90.0}
"""Steps that follow a smoke test that fails, with their time limits."""
STALLED_SECONDS = 60.0
"""A measurement that takes longer is stopped, and the step goes on with the next one."""
GRACE_SECONDS = 15.0
"""A measurement that is still running at the time limit of its step may run for this time."""
MAX_CACHE_BYTES = 15_000_000
"""Maximum size of the archive of compiled kernels."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0 if all steps succeeded, and 1 otherwise."""
    given = _parser().parse_args(arguments)
    if given.merge:
        merged = gpu_report.merged([load(path) for path in given.merge])
        save(given.output, json.dumps(merged, indent=1) + "\n")
        return 0
    given.output.mkdir(parents=True, exist_ok=True)
    given.work.mkdir(parents=True, exist_ok=True)
    options = Options(
        output=given.output.absolute(), work=given.work.absolute(), device=given.device, words=given.words,
        settings=tuple(given.settings), tree=given.tree and given.tree.absolute(), done=given.done,
    )  # fmt: skip
    if given.step:
        name, seconds = given.step
        step = INNER_STEPS.get(name) or STEPS[name][0]
        for result in step(options, time.monotonic() + float(seconds)):
            save(options.output / f"{name}.json", json.dumps(result, default=str))  # numbers of NumPy, for example
        return 0
    if given.device == "cuda" and (problem := cuda_problem()):
        print(f"There is no GPU to check: {problem}. To rehearse the check on a CPU, add --device cpu", file=sys.stderr)
        return 1
    seconds, names = CALLS[given.call] if given.call else (SECONDS, tuple(given.only or STEPS))
    # Child processes must find the repository, whatever their working directory is.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    os.environ.setdefault("CUPY_CACHE_DIR", str(options.work / "cupy"))
    report = check(options, names, given.seconds or seconds, machine(given.commit, given.device))
    pack_cache(Path(os.environ["CUPY_CACHE_DIR"]), options.output / "cupy-cache.tgz")
    print((options.output / "gpu-check.md").read_text(encoding="utf-8"))
    return int(any("failed" in result for result in report["steps"].values()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_mutually_exclusive_group()
    steps.add_argument("--call", type=int, choices=CALLS, help="run the steps of a call")
    steps.add_argument("--only", nargs="+", choices=STEPS, metavar="STEP", help="run these steps (default: all)")
    steps.add_argument(
        "--merge", nargs="+", type=Path, metavar="FILE", help="do not measure; merge reports into the file --output"
    )
    steps.add_argument("--step", nargs=2, metavar=("NAME", "SECONDS"), help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=Path("gpu-check"), help="folder for the reports and logs")
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir(), "fastw2v-gpu-check"),
        help="folder for prepared corpora, which later runs use again (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--seconds", type=float, help=f"time limit (default: that of the call, or {SECONDS:.0f})")
    parser.add_argument("--words", type=int, default=Options.words, help="number of words in the generated corpus")
    parser.add_argument(
        "--settings", nargs="+", type=Setting.parse, default=list(SETTINGS), metavar="SETTING",
        help="settings to try, each written as default, TILE,WARPS,INTERVAL or TILE,WARPS,INTERVAL,RESIDENT_WARPS "
        f"(default: {' '.join(map(str, SETTINGS))})",
    )  # fmt: skip
    parser.add_argument("--tree", type=Path, help="folder that contains another version of the package fastw2v")
    parser.add_argument("--commit", help="commit to state in the report (default: from git)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: rehearse without a GPU")
    parser.add_argument("--done", type=int, default=0, help=argparse.SUPPRESS)
    return parser


def check(options: Options, names: tuple[str, ...], seconds: float, facts: Result) -> Result:
    """Run steps, and write the reports after each; return the report."""
    deadline = time.monotonic() + seconds
    report: Result = gpu_report.summarized({"schema": gpu_report.SCHEMA, "machine": facts, "steps": {}})
    waiting = {name: STEPS[name][1] for name in names}
    while waiting:
        name = next(iter(waiting))
        limit = min(waiting.pop(name), deadline - time.monotonic())
        began = time.monotonic()
        result: Result = run_step(name, limit, options) if limit > 5 else {"left out": "there was not enough time"}
        result["took"] = round(time.monotonic() - began, 1)
        if name == "smoke" and (problem := problem_of_smoke(result)):
            result["failed"] = f"{problem}. The other steps would not make sense: {', '.join(waiting)}"
            waiting = dict(AFTER_A_FAILURE)
        report["steps"][name] = result
        report = gpu_report.summarized(report)
        write(options.output, report)
        problem = f", failed: {result['failed']}" if "failed" in result else ""
        print(f"{name}: {result['took']} s{problem}", flush=True)
    return report


def run_step(name: str, seconds: float, options: Options) -> Result:
    """Run a step in processes of its own; return its last result.

    If a measurement ends the process or hangs, the row of this measurement says so, and another process measures the
    rows after it.
    """
    deadline = time.monotonic() + seconds
    results: list[Result] = []
    while True:
        found, problem = _run_process(name, deadline, dataclasses.replace(options, done=len(results)))
        results += found.pop("results", [])
        attempt = found.pop("attempt", None)
        if problem and attempt is not None:
            results.append(attempt | {"failed": problem[-800:]})
            if time.monotonic() < deadline - 5:
                continue
        if problem:
            found = {"failed": problem} | found
        return found | ({"results": results} if results else {})


def _run_process(name: str, deadline: float, options: Options) -> tuple[Result, str | None]:
    """Run one process of a step; return its last result, and why it failed, or None."""
    output = options.output / f"{name}.json"
    output.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.gpu_check", "--step", name, f"{deadline - time.monotonic():.1f}"]
    problem = None
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            [*command, *as_arguments(options)], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        heard, stamp = time.monotonic(), 0
        whole = name in ("tests", "ncu", "sanitize")  # a step that is a single measurement may take all of its time
        while process.poll() is None:
            time.sleep(0.05)
            with contextlib.suppress(OSError):
                if stamp != (stamp := output.stat().st_mtime_ns):
                    heard = time.monotonic()
            if time.monotonic() > deadline + GRACE_SECONDS:
                problem = "stopped at the time limit"
            elif time.monotonic() > heard + STALLED_SECONDS and not whole:
                problem = f"stopped after {STALLED_SECONDS:.0f} s without a result"
            if problem:
                break
        _end(process)
        log.seek(0)
        printed = log.read().strip()
    if problem is None and process.returncode:
        problem = f"exit status {process.returncode}: {printed[-3000:]}"
    with (options.output / "gpu-check.log").open("a", encoding="utf-8") as file:
        file.write(f"==== {name}\n{printed[-500_000:]}\n")
    found: Result = {}
    if output.exists():
        found = load(output)
        output.unlink()
    return found, problem


def _end(process: subprocess.Popen[Any]) -> None:
    """End a process and what it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):  # a process that waits for a broken device cannot be ended
        process.wait(10)


def machine(commit: str | None, device: str) -> Result:
    """Return the versions and the device for the report."""
    if commit is None:
        with contextlib.suppress(OSError):  # git may not be installed
            asked = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
            commit = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    sources = sorted(word2vec_cuda.SOURCE.parent.glob("*.cu"))
    found: Result = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit or "unknown",
        "source_sha256": hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest(),
        "sources": [path.name for path in sources],
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": available_processors(),
    }
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                found["processor"] = line.partition(":")[2].strip()
                break
    for package in ("numpy", "numba", "gensim"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found | (device_facts() if device == "cuda" else {"device": "none (rehearsal on a CPU)"})


def device_facts() -> Result:
    """Return what CuPy and nvidia-smi say of the GPU."""
    import cupy

    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    found: Result = {
        "device": properties["name"].decode(),
        "compute capability": cupy.cuda.Device().compute_capability,
        "multiprocessors": properties["multiProcessorCount"],
        "memory": properties["totalGlobalMem"],
        "L2 bytes": properties.get("l2CacheSize"),
        "driver": str(cupy.cuda.runtime.driverGetVersion()),
        "runtime": cupy.cuda.runtime.runtimeGetVersion(),
        "NVRTC": ".".join(map(str, cupy.cuda.nvrtc.getVersion())),
        "cupy": cupy.__version__,
    }
    asked = [
        "nvidia-smi",
        "--query-gpu=driver_version,clocks.max.sm,clocks.max.mem,power.limit",
        "--format=csv,noheader",
    ]
    with contextlib.suppress(OSError, subprocess.SubprocessError, IndexError):
        done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=20)
        names = ("driver", "maximum SM clock", "maximum memory clock", "power limit")
        found |= dict(zip(names, (value.strip() for value in done.stdout.splitlines()[0].split(",")), strict=True))
    return found


def pack_cache(folder: Path, archive: Path) -> None:
    """Pack CuPy's compiled kernels for another machine of the same kind. If they are many, leave out the largest."""
    if not folder.is_dir():
        return
    files = sorted((path for path in folder.iterdir() if path.suffix == ".cubin"), key=lambda path: path.stat().st_size)
    total = 0
    with tarfile.open(archive, "w:gz") as packed:
        for path in files:
            total += path.stat().st_size
            if total > 3 * MAX_CACHE_BYTES:  # compiled kernels compress to less than a third
                break
            packed.add(path, path.name)


def write(output: Path, report: Result) -> None:
    """Write the report as JSON and as Markdown."""
    save(output / "gpu-check.json", json.dumps(report, indent=1) + "\n")
    save(output / "gpu-check.md", "# fastw2v on a GPU\n\n" + gpu_report.markdown(report))


if __name__ == "__main__":
    sys.exit(main())
