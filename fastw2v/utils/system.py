"""System information: the processors and the memory available to this process."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    import resource as _resource
except ImportError:  # on Windows
    resource: Any = None
else:
    resource = _resource

__all__ = ["available_processors", "format_bytes", "free_memory"]

PROC = Path("/proc")
"""Folder in which Linux describes the machine and the processes."""
THREAD_STACK = 8 << 20
"""Address space of a thread's stack in bytes, if the system does not limit stacks."""
THREAD_ARENA = 64 << 20
"""Address space that the allocator of the C library reserves for each thread in bytes."""
CODE_BYTES = 64 << 20
"""Address space of the libraries and the machine code that are loaded later, in bytes."""
GROUP_FILES = {
    "cgroup2": (("memory.max", "memory.high"), "memory.current", "inactive_file"),
    "cgroup": (("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"),
}
"""Files of a control group, by the type of its file system: limits and usage of memory.

The last name is the entry in `memory.stat` for the cached pages of files that the kernel can drop. They count as usage.
A group that exceeds `memory.high` is not killed, but slowed down so much that training would not finish.
"""


def available_processors() -> int:
    """Return the number of processors that this process may use. The machine may have more.

    Examples
    --------
    >>> from fastw2v.utils.system import available_processors
    >>> available_processors() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory(threads: int = 0) -> int:
    """Return the number of bytes that this process can allocate without swapping or exceeding a limit.

    The limits are those of the machine, of the control groups of the process, such as those of a container, and of the
    process itself (``ulimit -v`` and ``ulimit -d``).

    Parameters
    ----------
    threads : int
        Number of threads that will be started. If the process has a limit of its own, the address space that they and
        the machine code of the kernels will take is subtracted, but at most half of what is left.

    Examples
    --------
    >>> from fastw2v.utils.system import format_bytes, free_memory
    >>> format_bytes(free_memory())
    '...B'
    """
    return max(0, min([_machine_memory(), *_group_memory(), *_process_memory(threads)]))


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
    if (available := _kilobytes(PROC / "meminfo", "MemAvailable")) is not None:
        return available
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**63  # unknown, so that no run is rejected


def _group_memory() -> Iterator[int]:
    """Yield the bytes that each limited control group of this process, and each group above it, can still allocate."""
    for kind, folder in _groups():
        limits, usage, cached = GROUP_FILES[kind]
        try:
            used = int(_read(folder / usage))
            found = re.search(rf"^{cached} (\d+)$", _read(folder / "memory.stat"), re.MULTILINE)
        except (OSError, ValueError):  # the root group has no such files
            continue
        used -= min(used, int(found[1])) if found else 0
        for limit in limits:
            try:
                value = _read(folder / limit).strip()
            except OSError:
                continue
            if value.isdecimal():  # otherwise it is "max"
                yield int(value) - used


def _groups() -> Iterator[tuple[str, Path]]:
    """Yield the type and the folder of each control group that limits the memory of this process."""
    try:
        own, mounts = _read(PROC / "self" / "cgroup"), _read(PROC / "self" / "mountinfo")
    except OSError:
        return
    paths = {}
    for line in own.splitlines():  # number:controllers:path
        _, controllers, path = line.split(":", 2)
        if not controllers or "memory" in controllers.split(","):
            paths["cgroup" if controllers else "cgroup2"] = path
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        root, mount = (_unescaped(field) for field in left.split(" ")[3:5])
        kind, _, options = [*right.split(" "), "", ""][:3]
        if kind not in paths or (kind == "cgroup" and "memory" not in options.split(",")):
            continue
        # In a container, only the group of the container may be mounted, and the path of the process starts with it.
        path = paths[kind]
        inside = path == root or path.startswith(root.rstrip("/") + "/")
        parts = Path(path[len(root) :] if inside else path).parts
        folder = top = Path(mount)
        if ".." not in parts:  # a group outside the namespace of this process
            folder = top.joinpath(*(part for part in parts if part != "/"))
        if not folder.is_dir():
            folder = top
        yield kind, folder
        while folder != top:
            folder = folder.parent
            yield kind, folder


def _process_memory(threads: int) -> Iterator[int]:
    """Yield the bytes that this process can still allocate under each of its own limits."""
    if resource is None:
        return
    for name, used, reserved in (("RLIMIT_AS", "VmSize", THREAD_ARENA), ("RLIMIT_DATA", "VmData", 0)):
        limit = resource.getrlimit(getattr(resource, name))[0]
        if limit != resource.RLIM_INFINITY:
            stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
            stack = THREAD_STACK if stack == resource.RLIM_INFINITY else stack
            left = limit - (_kilobytes(PROC / "self" / "status", used) or 0)
            yield left - min(left // 2, CODE_BYTES + threads * (stack + reserved))


def _kilobytes(path: Path, name: str) -> int | None:
    """Return an entry of a file of /proc in bytes, or None if there is none."""
    try:
        found = re.search(rf"^{name}:\s*(\d+) kB$", _read(path), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="surrogateescape")


def _unescaped(field: str) -> str:
    r"""Return a field of mountinfo, in which a space is written as \040."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
