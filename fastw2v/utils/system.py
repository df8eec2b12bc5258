"""Facts about the machine: the processors and the memory that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["available_processors", "format_bytes", "free_memory"]

GROUP_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Files in which Linux states the memory limit and the memory use of a container, in versions 2 and 1 of cgroups."""


def available_processors() -> int:
    """Return how many processors this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> int:
    """Return how many bytes of memory this process can still allocate without swapping or reaching its limit."""
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
    """Return a number of bytes with a decimal unit.

    Examples
    --------
    >>> format_bytes(1_234_567_890)
    '1.2 GB'
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n >= factor:
            return f"{n / factor:.1f} {unit}" if n < 100 * factor else f"{n // factor:,} {unit}"
    return f"{n} bytes"


def _machine_memory() -> int:
    """Return the available memory of the machine, or its total memory if only that is known."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**63  # unknown, so that nothing is refused
