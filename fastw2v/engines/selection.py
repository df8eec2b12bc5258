"""The choice of an engine and a device."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from fastw2v.backend import array_module, cuda_problem
from fastw2v.config import TrainingConfig, check_choice
from fastw2v.engines import cpu, eager, gpu
from fastw2v.engines.base import Engine

__all__ = ["EngineName", "Selection", "find_engine", "select_engine"]

EngineName = Literal["auto", "fused", "layers"]
UNTRIED = "there is one, but the CUDA engine has not yet been run on a GPU; device='cuda' tries it"
"""Why "auto" prefers a CPU with a fused engine to a GPU, until the GPU's engine has been run."""


class Selection(NamedTuple):
    """The device and the engine that a run uses, and why. `find_engine` returns the engine."""

    device: str
    """ "cpu", "cuda" or "cuda:N"."""
    name: str
    """ "fused" or "layers"."""
    reason: str


def select_engine(
    engine: EngineName = "auto", device: str = "auto", deterministic: bool = TrainingConfig.deterministic
) -> Selection:
    """Return the engine and device that a run would use, and why.

    Parameters
    ----------
    engine : {"auto", "fused", "layers"}
    device : {"auto", "cpu", "cuda", "cuda:N"}
    deterministic : bool
        Whether the same run must give the same bytes.

    Returns
    -------
    Selection

    Raises
    ------
    ValueError
        If a name is unknown.
    RuntimeError
        If the device or engine asked for cannot be used, with the reason.

    Examples
    --------
    >>> from fastw2v.engines.selection import select_engine
    >>> select_engine("layers", "cpu").reason
    "device 'cpu' was asked for; engine 'layers' was asked for"
    """
    check_choice("engine", engine, get_args(EngineName))
    if device == "auto":
        problem = cuda_problem() or (UNTRIED if cpu.unavailable_reason("cpu") is None else None)
        device, reason = ("cpu", f"no GPU is used: {problem}") if problem else ("cuda", "a CUDA device was found")
    else:
        array_module(device)  # raises, with the reason, if there is no such device
        reason = f"device {device!r} was asked for"
    problem = find_engine("fused", device).unavailable_reason(device)
    if deterministic and device != "cpu":
        problem = "deterministic=True was asked for, and the order of its additions is not fixed"
    if engine == "fused" and problem:
        raise RuntimeError(f"engine 'fused' cannot be used on {device}: {problem}. engine='layers' can")
    if engine == "auto" and problem:
        return Selection(device, "layers", f"{reason}; no fused engine: {problem}")
    if engine == "auto":
        return Selection(device, "fused", reason)
    return Selection(device, engine, f"{reason}; engine {engine!r} was asked for")


def find_engine(name: str, device: str) -> Engine:
    """Return the engine called "fused" or "layers" on a device.

    Examples
    --------
    >>> from fastw2v.engines.selection import find_engine
    >>> find_engine("layers", "cpu").__name__
    'fastw2v.engines.eager'
    """
    if name == "layers":
        return eager
    return cpu if device == "cpu" else gpu
