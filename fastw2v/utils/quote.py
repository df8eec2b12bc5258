"""Parts of messages: short representations of values, and numbers with nouns."""

from __future__ import annotations

import re
from array import array
from collections import deque
from collections.abc import ItemsView, KeysView, ValuesView
from itertools import islice
from typing import Any

import numpy as np

__all__ = ["counted", "quote", "shorten"]

STRINGS: Any = (str, bytes, bytearray)
CONTAINERS: Any = (list, tuple, set, frozenset, dict, deque, array, KeysView, ValuesView, ItemsView)
BRACKETS: dict[Any, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}"), dict: ("{", "}")}
ITEMS = 4
"""Number of items of a container that are shown."""
DEPTH = 3
"""Number of levels of nested containers that are shown."""


def quote(value: Any, limit: int = 80) -> str:
    """Return the `repr` of a value for an error message, with at most `limit` characters.

    Strings and containers are cut before their representation is built, so the call is fast for a value of any size.

    Parameters
    ----------
    value : object
        The value to show. If its `repr` raises an exception, its type is shown instead.
    limit : int
        Maximum number of characters.

    Examples
    --------
    >>> from fastw2v.utils.quote import quote
    >>> quote("cat"), quote(None), quote(["the", "cat"])
    ("'cat'", 'None', "['the', 'cat']")
    >>> quote("cat" * 1_000_000, limit=20)
    "'catcatca...tcatcat'"
    >>> quote(list(range(1_000_000)))
    '[0, 1, 2, 3, ...]'
    """
    try:
        text = _represent(value, limit, DEPTH)
    except Exception:  # a message about a wrong value must not fail because of that value
        text = f"<{type(value).__name__}>"
    return shorten(re.sub(r"\s*\n\s*", " ", text), limit)  # the representation of an array has several lines


def shorten(text: str, limit: int = 80) -> str:
    """Return `text` with at most `limit` characters: if it is longer, ``...`` replaces its middle.

    Examples
    --------
    >>> from fastw2v.utils.quote import shorten
    >>> shorten("a long sentence about a cat", limit=16)
    'a long ...a cat'
    >>> shorten("a cat", limit=16)
    'a cat'
    """
    if len(text) <= limit:
        return text
    kept = limit - len("...")
    return f"{text[: kept - kept // 2]}...{text[len(text) - kept // 2 :]}"


def counted(n: int, noun: str) -> str:
    """Return a number and its noun, which is in the plural unless the number is 1.

    Examples
    --------
    >>> from fastw2v.utils.quote import counted
    >>> counted(1, "word"), counted(12_345, "word")
    ('1 word', '12,345 words')
    """
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _represent(value: Any, limit: int, depth: int) -> str:
    if isinstance(value, np.generic):
        value = value.item()  # 0.5 instead of np.float64(0.5)
    if isinstance(value, STRINGS):
        return repr(value if len(value) <= 2 * limit else value[:limit] + value[-limit:])
    if not isinstance(value, CONTAINERS) or not len(value):
        return repr(value)
    if depth == 0:
        return "..."
    kind = type(value)
    items = [_represent(item, limit, depth - 1) for item in islice(value, ITEMS)]
    if isinstance(value, dict):
        items = [f"{item}: {_represent(value[key], limit, depth - 1)}" for item, key in zip(items, value, strict=False)]
    if len(value) > ITEMS:
        items.append("...")
    elif kind is tuple and len(items) == 1:
        items[0] += ","
    opening, closing = BRACKETS.get(kind, (f"{kind.__name__}(", ")"))
    return f"{opening}{', '.join(items)}{closing}"
