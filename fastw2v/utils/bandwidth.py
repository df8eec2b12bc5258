"""Bandwidths such as "10Gbit"."""

from __future__ import annotations

import re
from typing import Any

from fastw2v.utils.quote import quote

__all__ = ["format_bandwidth", "parse_bandwidth"]

_BITS = {"kbit": 10**3, "Mbit": 10**6, "Gbit": 10**9}
_SUPPORTED = "it must be a number of bits per second with a unit, such as '100Mbit' or '10Gbit'"


def parse_bandwidth(name: str, value: Any) -> float:
    """Return a bandwidth in bytes per second.

    Parameters
    ----------
    name : str
        Name of the parameter, for error messages.
    value : str
        A number followed by "kbit", "Mbit" or "Gbit": bits per second, as networks are described.

    Raises
    ------
    TypeError
        If `value` is not a string.
    ValueError
        If `value` is not a bandwidth of more than 0.

    Examples
    --------
    >>> from fastw2v.utils.bandwidth import parse_bandwidth
    >>> parse_bandwidth("bandwidth", "10Gbit"), parse_bandwidth("bandwidth", "2.5Mbit")
    (1250000000.0, 312500.0)
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} is {quote(value)}; {_SUPPORTED}")
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([kMG]bit)", value, re.ASCII)
    bits = float(found[1]) * _BITS[found[2]] if found else 0.0
    if not bits:
        raise ValueError(f"{name} is {quote(value)}; {_SUPPORTED}, and more than 0")
    return bits / 8


def format_bandwidth(value: float) -> str:
    """Return a number of bytes per second as bits per second.

    Examples
    --------
    >>> from fastw2v.utils.bandwidth import format_bandwidth
    >>> format_bandwidth(1.25e9), format_bandwidth(12_500_000)
    ('10 Gbit/s', '100 Mbit/s')
    """
    bits = 8 * value
    unit, factor = next(((unit, n) for unit, n in reversed(_BITS.items()) if bits >= n), ("kbit", 1000))
    return f"{bits / factor:.3g} {unit}/s"
