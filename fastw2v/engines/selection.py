"""Choose the engine and the device of a training run."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from fastw2v.backend import array_module, cuda_problem
from fastw2v.config import TrainingConfig, check_choice
from fastw2v.engines import cpu, eager, gpu
from fastw2v.engines.base import Engine

__all__ = ["EngineName", "Selection", "find_engine", "select_engine"]

EngineName = Literal["auto", "fused", "layers"]


class Selection(NamedTuple):
    """The device and the name of the engine of a run. `find_engine` returns the engine itself."""

    device: str
    """ "cpu", "cuda" or "cuda:N"."""
    name: str
    """ "fused" or "layers"."""
    reason: str
    """The reason for the choice."""


def select_engine(
    engine: EngineName = "auto",
    device: str = "auto",
    deterministic: bool = TrainingConfig.deterministic,
    workers: int | None = None,
) -> Selection:
    """Choose the engine and the device of a training run.

    Parameters
    ----------
    engine : {"auto", "fused", "layers"}
        Requested engine. "auto" chooses "fused" if the device supports it, and "layers" otherwise.
    device : {"auto", "cpu", "cuda", "cuda:N"}
        Requested device. "auto" chooses a GPU if there is one, unless the CPU is faster. That is the case if only the
        CPU supports the fused engine with these settings, or if there is one worker.
    deterministic : bool
        Whether repeated runs must give the same bytes. The fused engine on a GPU does not support this.
    workers : int, optional
        Number of workers. On a GPU, a worker is a thread block, of which a device runs hundreds.

    Returns
    -------
    Selection
        The choice, and the reason for it.

    Raises
    ------
    ValueError
        If `engine` or `device` is not one of these names.
    RuntimeError
        If the requested device or engine cannot be used. The message gives the reason.

    Examples
    --------
    >>> from fastw2v.engines.selection import select_engine
    >>> selection = select_engine("layers", "cpu")
    >>> selection.device, selection.name
    ('cpu', 'layers')
    >>> selection.reason
    "device 'cpu' was requested; engine 'layers' was requested"
    """
    check_choice("engine", engine, get_args(EngineName))
    if device == "auto":
        problem = cuda_problem() or _why_a_cpu_is_faster(engine, deterministic, workers)
        device, reason = ("cpu", f"no GPU is used: {problem}") if problem else ("cuda", "a CUDA device was found")
    else:
        array_module(device)  # raises an error with the reason if the device cannot be used
        reason = f"device {device!r} was requested"
    problem = find_engine("fused", device).unavailable_reason(device)
    if deterministic and device != "cpu":
        problem = "deterministic=True requires a fixed order of additions, which this engine does not have on a GPU"
    if engine == "fused" and problem:
        raise RuntimeError(f"engine 'fused' cannot be used on {device}: {problem}. Use engine='layers' instead")
    if engine == "auto" and problem:
        return Selection(device, "layers", f"{reason}; engine 'fused' cannot be used: {problem}")
    if engine == "auto":
        return Selection(device, "fused", reason)
    return Selection(device, engine, f"{reason}; engine {engine!r} was requested")


def _why_a_cpu_is_faster(engine: EngineName, deterministic: bool, workers: int | None) -> str | None:
    """Return why training on a CPU is faster than on a GPU, or None if it is not."""
    if engine == "layers" or cpu.unavailable_reason("cpu"):
        return None
    if deterministic:
        return "with deterministic=True, engine 'fused' can only be used on a CPU"
    if workers == 1:
        return "with workers=1, a GPU would train with a single block"
    if reason := gpu.unavailable_reason("cuda"):
        return f"engine 'fused' cannot be used on it: {reason}"
    return None


def find_engine(name: str, device: str) -> Engine:
    """Return the module of an engine.

    Parameters
    ----------
    name : {"fused", "layers"}
    device : str
        "cpu", "cuda" or "cuda:N". For "fused", it determines which of the two fused engines is returned.

    Returns
    -------
    Engine

    Examples
    --------
    >>> from fastw2v.engines.selection import find_engine
    >>> find_engine("layers", "cpu").__name__
    'fastw2v.engines.eager'
    >>> find_engine("fused", "cuda:1").__name__
    'fastw2v.engines.gpu'
    """
    if name == "layers":
        return eager
    return cpu if device == "cpu" else gpu
