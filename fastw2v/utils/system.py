"""System information: the processors and the memory available to this process."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["available_processors", "format_bytes", "free_memory"]

GROUP_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Linux files that contain the memory limit and memory usage of a container, for cgroups version 2 and version 1."""


def available_processors() -> int:
    """Return the number of processors that this process may use. The machine may have more.

    Examples
    --------
    >>> from fastw2v.utils.system import available_processors
    >>> available_processors() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> int:
    """Return the number of bytes that this process can allocate without swapping or exceeding its memory limit.

    Examples
    --------
    >>> from fastw2v.utils.system import format_bytes, free_memory
    >>> format_bytes(free_memory())
    '...B'
    """
    free = _machine_memory()
    for limit_file, usage_file in GROUP_LIMITS:
        try:
            limit, usage = Path(limit_file).read_text().strip(), Path(usage_file).read_text().strip()
        except OSError:
            continue
        if limit.isdecimal():
            free = min(free, max(0, int(limit) - int(usage)))
    return free


def format_bytes(n: int) -> str:
    """Return a number of bytes as text with a decimal unit.

    Examples
    --------
    >>> from fastw2v.utils.system import format_bytes
    >>> format_bytes(1_234_567_890), format_bytes(999)
    ('1.2 GB', '999 bytes')
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n >= factor:
            return f"{n / factor:.1f} {unit}" if n < 100 * factor else f"{n // factor:,} {unit}"
    return f"{n} bytes"


def _machine_memory() -> int:
    """Return the machine's available memory, or its total memory if the available memory is unknown."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**63  # unknown, so that no run is rejected
