"""The machine on which results are measured, and the share of it that other programs use."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastw2v.backend import cuda_problem
from fastw2v.utils.system import available_processors

ROOT = Path(__file__).parents[2]
"""Root of the repository."""
PACKAGES = (
    "fastw2v", "numpy", "numba", "cupy-cuda12x", "cupy-cuda13x", "scipy", "gensim", "fasttext", "torch", "safetensors",
    "ray",
)  # fmt: skip
BUSY = 0.1
"""Share of the machine used by other programs above which results are unreliable."""


def describe() -> dict[str, Any]:
    """Return a description of the hardware, the software, the commit and the date."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **_commit(),
        "processor": _cpuinfo("model name") or platform.processor() or "unknown",
        "architecture": platform.machine(),
        "cores": available_processors(),
        "caches": _caches(),
        "memory GB": _memory(),
        "system": platform.platform(),
        "BLAS": _blas(),
        "Python": platform.python_version(),
        "packages": _versions(),
        "GPU": _gpu(),
    }


class Usage(NamedTuple):
    """Processor seconds so far: available, used by all programs, and used by this process and its children."""

    capacity: float
    everyone: float
    own: float


def usage() -> Usage | None:
    """Return the processor seconds so far, or None if the system does not report them."""
    try:
        import resource

        with open("/proc/stat", encoding="ascii") as file:  # noqa: PTH123  faster, because it is read often
            ticks = [int(count) for count in file.readline().split()[1:9]]
    except (ImportError, OSError, ValueError):
        return None
    user, nice, system, idle, iowait, interrupts, soft, steal = ticks
    tick = os.sysconf("SC_CLK_TCK")
    busy = user + nice + system + interrupts + soft + steal
    own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return Usage((busy + idle + iowait) / tick, busy / tick, own)


def others_share(before: Usage | None, after: Usage | None) -> float | None:
    """Return the share of the machine that other programs used between two calls of `usage`."""
    if before is None or after is None or after.capacity <= before.capacity:
        return None
    used = (after.everyone - before.everyone) - (after.own - before.own)
    return max(0.0, used / (after.capacity - before.capacity))


def others_now(interval: float = 1.0) -> float | None:
    """Sleep for `interval` seconds, and return the share of the machine that other programs used."""
    before = usage()
    time.sleep(interval)
    return others_share(before, usage())


def _commit() -> dict[str, Any]:
    def git(*words: str) -> str | None:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            return subprocess.run(
                ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True
            ).stdout.strip()
        return None

    changed = git("status", "--porcelain", "--untracked-files=no")
    return {"commit": git("rev-parse", "HEAD") or "unknown", "changed since": bool(changed)}


def _cpuinfo(name: str) -> str | None:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(name):
                return line.split(":", 1)[1].strip()
    return None


def _caches() -> dict[str, str]:
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        with contextlib.suppress(OSError):
            level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
            found[f"L{level} {kind.lower()}"] = size
    return found


def _memory() -> float | None:
    with contextlib.suppress(ValueError, OSError, AttributeError):
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    return None


def _blas() -> str:
    try:
        config: Any = np.show_config(mode="dicts")
        found = config["Build Dependencies"]["blas"]
        return f"{found['name']} {found['version']}"
    except (KeyError, TypeError):
        return "unknown"


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _gpu() -> dict[str, Any] | str:
    if problem := cuda_problem():
        return problem
    import cupy

    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    return {
        "name": properties["name"].decode(),
        "compute capability": cupy.cuda.Device().compute_capability,
        "memory GB": round(properties["totalGlobalMem"] / 1e9, 1),
        "driver": cupy.cuda.runtime.driverGetVersion(),
        "runtime": cupy.cuda.runtime.runtimeGetVersion(),
    }
