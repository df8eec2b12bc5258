"""Pickles of plain data, read without running anything that they hold.

A pickle is a program. This interpreter knows the few instructions that describe dictionaries, lists, strings, numbers
and arrays, builds those itself, and refuses the file at anything else. Names of classes and functions are looked up
nowhere: those on the list of the caller become `PickledObject`, which only remembers what it was given.
"""

from __future__ import annotations

import pickletools
from collections.abc import Collection
from typing import Any

import numpy as np

__all__ = ["PickledArray", "PickledObject", "unpickled"]

_ATOMS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
# Numbers only: an array of anything else could hold references.
_ELEMENTS = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}
_ARRAY_NAMES = {
    "numpy ndarray",
    "numpy dtype",
    "numpy.core.multiarray _reconstruct",
    "numpy.core.numeric _frombuffer",
}


class PickledArray:
    """An array that a pickle describes; `value` is None until it has."""

    def __init__(self) -> None:
        self.value: np.ndarray | None = None

    def set_state(self, _version: Any, shape: Any, dtype: Any, fortran: Any, data: Any) -> None:
        """Take the state that a pickle gives."""
        self.set_data(data, dtype, shape, "F" if fortran is True else "C")

    def set_data(self, data: Any, dtype: Any, shape: Any, order: Any) -> None:
        """Take the bytes, type, shape and order of the elements."""
        if type(data) not in (bytes, bytearray) or type(dtype) is not _PickledDtype or order not in ("C", "F"):
            raise ValueError("an array is not described by its bytes")
        if type(shape) is not tuple or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError("an array has no proper shape")
        flat = np.frombuffer(data, dtype=dtype.dtype)
        self.value = flat.reshape(shape, order=order).astype(dtype.dtype.newbyteorder("="))


class PickledObject:
    """What a pickle says of an object that is not made: the name of its class or maker, and its attributes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state: dict[Any, Any] = {}

    def set_state(self, state: Any) -> None:
        """Take the state that a pickle gives; of one that is no dictionary nothing is kept."""
        self.state = state if type(state) is dict else {}


class _PickledName:
    """A name that a pickle refers to, in place of what it stands for."""

    def __init__(self, name: str, known: Collection[str]) -> None:
        self.name = name.replace("numpy._core.", "numpy.core.")  # its place since NumPy 2
        if self.name not in _ARRAY_NAMES and self.name not in known:
            raise ValueError(f"it refers to {name.replace(' ', '.')}")


class _PickledDtype:
    """The type of an array's elements."""

    def __init__(self, code: Any, *_: Any) -> None:
        if type(code) is not str or code not in _ELEMENTS:
            raise ValueError(f"it holds an array of {code!r}, where only numbers are allowed")
        self.dtype = np.dtype(code)

    def set_state(self, _version: Any, byteorder: Any, *_: Any) -> None:
        if byteorder not in ("<", ">", "|"):
            raise ValueError(f"an array's byte order is {byteorder!r}")
        self.dtype = self.dtype.newbyteorder(byteorder)


def unpickled(data: bytes, known: Collection[str] = (), most: int | None = None) -> Any:
    """Return the plain data that a pickle describes.

    Parameters
    ----------
    data : bytes
    known : collection of str
        The names, ``"module name"``, that may stand for objects.
    most : int, optional
        What integers as keys of dictionaries must be below; by default the number of bytes.

    Returns
    -------
    object
        Of dictionaries, lists, tuples, strings, numbers, `PickledArray` and `PickledObject`.

    Raises
    ------
    ValueError, TypeError, LookupError, AttributeError
        If it describes anything else, or is no whole pickle.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}
    limit = len(data) if most is None else most

    def pop(n: int) -> list[Any]:
        if not 0 <= n <= len(stack):
            raise ValueError("it takes more than it has put")
        taken = stack[len(stack) - n :]
        del stack[len(stack) - n :]
        return taken

    argument: Any
    position: Any
    frame_end: int | None = None
    for opcode, argument, position in pickletools.genops(data):
        name = opcode.name
        # Since protocol 4 the instructions come in frames that tell their lengths: a byte more or less shows.
        if frame_end is not None and position >= frame_end:
            if position > frame_end:
                raise ValueError("an instruction does not end where its frame does")
            frame_end = None
        if name in _ATOMS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("MEMOIZE", "BINPUT", "LONG_BINPUT"):
            memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "MARK":
            marks.append(len(stack))
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name in ("SETITEM", "SETITEMS"):
            items = pop(2 if name == "SETITEM" else len(stack) - marks.pop())
            _set_items(stack[-1], items, limit)
        elif name in ("APPEND", "APPENDS"):
            items = pop(1 if name == "APPEND" else len(stack) - marks.pop())
            if type(stack[-1]) is not list:
                raise ValueError("it appends to something other than a list")
            stack[-1].extend(items)
        elif name in _TUPLES:
            stack.append(tuple(pop(_TUPLES[name])))
        elif name in ("TUPLE", "FROZENSET"):
            stack.append(tuple(pop(len(stack) - marks.pop())))
        elif name == "GLOBAL":
            stack.append(_PickledName(argument, known))
        elif name == "STACK_GLOBAL":
            module, attribute = pop(2)
            stack.append(_PickledName(f"{module} {attribute}", known))
        elif name in ("REDUCE", "NEWOBJ"):
            function, arguments = pop(2)
            stack.append(_called(function, arguments))
        elif name == "BUILD":
            (state,) = pop(1)
            if type(stack[-1]) is PickledObject:
                stack[-1].set_state(state)
            else:
                stack[-1].set_state(*state)
        elif name == "FRAME":
            frame_end = position + 9 + argument
        elif name == "STOP":
            if position + 1 != len(data) or frame_end not in (None, len(data)):
                raise ValueError("it does not end where the file does")
            return stack.pop()
        elif name != "PROTO":
            raise ValueError(f"it holds the instruction {name}, at byte {position}")
    raise ValueError("it is cut short")


def _set_items(target: Any, items: list[Any], limit: int) -> None:
    target = target.state if type(target) is PickledObject else target
    if type(target) is not dict or len(items) % 2:
        raise ValueError("it puts items into something other than a dictionary")
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Of other keys, and of giant integers, one can make so many with equal hashes that this never ends.
        if type(key) is not str and not (type(key) is int and 0 <= key < limit):
            raise ValueError("a key of a dictionary is neither a word nor an id")
        target[key] = value


def _called(function: Any, arguments: Any) -> _PickledDtype | PickledArray | PickledObject | bytes:
    if type(function) is not _PickledName or type(arguments) is not tuple:
        raise ValueError("it calls something that is not a function")
    if function.name == "numpy dtype":
        return _PickledDtype(*arguments)
    if function.name == "_codecs encode":  # how old protocols spell bytes
        text, encoding = arguments
        if type(text) is not str or encoding != "latin1":
            raise ValueError("it encodes something other than bytes")
        return text.encode("latin1")
    if function.name not in _ARRAY_NAMES:
        return PickledObject(function.name)
    array = PickledArray()
    if function.name == "numpy.core.numeric _frombuffer":
        array.set_data(*arguments)
    elif function.name != "numpy.core.multiarray _reconstruct":
        raise ValueError("it calls something that is not a function")
    return array
