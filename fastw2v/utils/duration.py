"""Durations such as "10m"."""

from __future__ import annotations

import math
import numbers
import re
from typing import Any

from fastw2v.utils.quote import quote

__all__ = ["parse_duration"]

_SECONDS = {"s": 1, "m": 60, "h": 3600}


def parse_duration(name: str, value: Any) -> float:
    """Return a duration in seconds.

    Parameters
    ----------
    name : str
        Name of the parameter, for error messages.
    value : str, int or float
        A number of seconds, or a number followed by "s", "m" or "h".

    Raises
    ------
    TypeError
        If `value` is neither a string nor a number.
    ValueError
        If `value` is not a duration of more than 0 seconds.

    Examples
    --------
    >>> from fastw2v.utils.duration import parse_duration
    >>> [parse_duration("every", value) for value in ("30s", "10m", "1.5h", 5)]
    [30.0, 600.0, 5400.0, 5.0]
    """
    supported = "it must be a number of seconds, or a duration such as '30s', '10m' or '2h'"
    if isinstance(value, bool) or not isinstance(value, (str, numbers.Real)):
        raise TypeError(f"{name} is {quote(value)}; {supported}")
    if isinstance(value, str):
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", value, re.ASCII)
        seconds = float(found[1]) * _SECONDS[found[2]] if found else math.nan
    else:
        seconds = float(value)
    if not 0 < seconds < math.inf:
        raise ValueError(f"{name} is {quote(value)}; {supported}, and more than 0")
    return seconds
