"""A reader of pickles that contain plain data. It never runs code from the file.

A pickle is a program. This interpreter supports only the instructions that build dictionaries, lists, strings, numbers
and arrays, and rejects all others. It never looks up names of classes and functions. A name that the caller allows
becomes a `PickledObject`, which only records the state given in the pickle. Any other name is rejected.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from fastw2v.utils.quote import quote, shorten

__all__ = ["PickledArray", "PickledObject", "unpickled"]

_ATOMS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
# Only numbers, because an array of objects could contain references.
_ELEMENTS = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}
_ARRAY_NAMES = {
    "numpy ndarray",
    "numpy dtype",
    "numpy.core.multiarray _reconstruct",
    "numpy.core.numeric _frombuffer",
}


class PickledArray:
    """An array in a pickle. Its `value` is None until all data of the array has been read.

    Examples
    --------
    >>> import pickle
    >>> import numpy as np
    >>> from fastw2v.formats.restricted_pickle import unpickled
    >>> array = unpickled(pickle.dumps(np.eye(2)))
    >>> type(array).__name__, array.value.tolist()
    ('PickledArray', [[1.0, 0.0], [0.0, 1.0]])
    """

    def __init__(self) -> None:
        self.value: np.ndarray | None = None

    def set_state(self, _version: Any, shape: Any, dtype: Any, fortran: Any, data: Any) -> None:
        """Set the array from the arguments of ``ndarray.__setstate__``, which pickles up to protocol 4 contain.

        Examples
        --------
        >>> import pickle
        >>> import numpy as np
        >>> from fastw2v.formats.restricted_pickle import unpickled
        >>> unpickled(pickle.dumps(np.arange(3.0), protocol=4)).value.tolist()  # calls set_state
        [0.0, 1.0, 2.0]
        """
        self.set_data(data, dtype, shape, "F" if fortran is True else "C")

    def set_data(self, data: Any, dtype: Any, shape: Any, order: Any) -> None:
        """Set the array from its bytes, type, shape and order, which pickles of protocol 5 contain.

        Examples
        --------
        >>> import pickle
        >>> import numpy as np
        >>> from fastw2v.formats.restricted_pickle import unpickled
        >>> unpickled(pickle.dumps(np.arange(3.0), protocol=5)).value.tolist()  # calls set_data
        [0.0, 1.0, 2.0]
        """
        if type(data) not in (bytes, bytearray) or type(dtype) is not _PickledDtype or order not in ("C", "F"):
            raise ValueError("the description of an array is invalid")
        if type(shape) is not tuple or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError("the shape of an array is invalid")
        if len(data) != math.prod(shape) * dtype.dtype.itemsize:
            raise ValueError("the size of an array does not match its data")
        flat = np.frombuffer(data, dtype=dtype.dtype)
        self.value = flat.reshape(shape, order=order).astype(dtype.dtype.newbyteorder("="))


class PickledObject:
    """A stand-in for an object in a pickle: the name of its class or function, and its attributes.

    Examples
    --------
    >>> import pickle
    >>> from types import SimpleNamespace
    >>> from fastw2v.formats.restricted_pickle import unpickled
    >>> data = pickle.dumps(SimpleNamespace(words=["sun", "moon"]))
    >>> found = unpickled(data, known={"types SimpleNamespace"})
    >>> type(found).__name__, found.name, found.state
    ('PickledObject', 'types SimpleNamespace', {'words': ['sun', 'moon']})
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.state: dict[Any, Any] = {}

    def set_state(self, state: Any) -> None:
        """Set the attributes from a dictionary. Any other state is discarded.

        Examples
        --------
        >>> from fastw2v.formats.restricted_pickle import PickledObject
        >>> found = PickledObject("gensim.models.keyedvectors KeyedVectors")
        >>> found.set_state({"vector_size": 100})
        >>> found.state
        {'vector_size': 100}
        """
        self.state = state if type(state) is dict else {}


class _PickledName:
    """The name of a class or function in a pickle, which is never looked up."""

    def __init__(self, name: str, known: Collection[str]) -> None:
        self.name = name.replace("numpy._core.", "numpy.core.")  # the module was renamed in NumPy 2
        if self.name not in _ARRAY_NAMES and self.name not in known:
            raise ValueError(f"it refers to {shorten(name.replace(' ', '.'))}")


class _PickledDtype:
    """The element type of an array in a pickle."""

    def __init__(self, code: Any, *_: Any) -> None:
        if type(code) is not str or code not in _ELEMENTS:
            raise ValueError(f"it contains an array of type {quote(code)}; only numbers are supported")
        self.dtype = np.dtype(code)

    def set_state(self, _version: Any, byteorder: Any, *_: Any) -> None:
        if byteorder not in ("<", ">", "|"):
            raise ValueError(f"the byte order {quote(byteorder)} of an array is invalid")
        self.dtype = self.dtype.newbyteorder(byteorder)


def unpickled(data: bytes, known: Collection[str] = (), most: int | None = None) -> Any:
    """Return the plain data in a pickle.

    Parameters
    ----------
    data : bytes
    known : collection of str
        Names of classes and functions, such as ``"collections defaultdict"``, that may occur in the pickle. They are
        returned as `PickledObject`.
    most : int, optional
        Exclusive upper bound for the integer keys of dictionaries. By default, the length of `data`.

    Returns
    -------
    object
        Data built from dictionaries, lists, tuples, strings, bytes, numbers, `PickledArray` and `PickledObject`.

    Raises
    ------
    ValueError
        If the pickle contains anything else, is truncated or is damaged.

    Examples
    --------
    >>> import pickle
    >>> from fastw2v.formats.restricted_pickle import unpickled
    >>> unpickled(pickle.dumps({"words": ["sun", "moon"], "window": 5}))
    {'words': ['sun', 'moon'], 'window': 5}
    >>> unpickled(pickle.dumps(print))
    Traceback (most recent call last):
        ...
    ValueError: it refers to builtins.print
    """
    try:
        return _run(data, known, len(data) if most is None else most)
    except (TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ValueError("its instructions do not fit together; the file is damaged") from error


def _run(data: bytes, known: Collection[str], limit: int) -> Any:
    """Run the instructions of a pickle, and return the object that they build."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def pop(n: int) -> list[Any]:
        if not 0 <= n <= len(stack):
            raise ValueError("it removes more items than the stack contains")
        taken = stack[len(stack) - n :]
        del stack[len(stack) - n :]
        return taken

    argument: Any
    position: Any
    frame_end: int | None = None
    for opcode, argument, position in _instructions(data):
        name = opcode.name
        # Since protocol 4, instructions are grouped in frames. The length of a frame reveals inserted or lost bytes.
        if frame_end is not None and position >= frame_end:
            if position > frame_end:
                raise ValueError("an instruction extends beyond its frame")
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
                raise ValueError("it does not end at the end of the file")
            return stack.pop()
        elif name != "PROTO":
            raise ValueError(f"it contains the unsupported instruction {name} at byte {position}")
    raise ValueError("it is truncated")


def _instructions(data: bytes) -> Iterator[tuple[pickletools.OpcodeInfo, Any, Any]]:
    position: Any = 0
    try:
        for opcode, argument, position in pickletools.genops(data):
            yield opcode, argument, position
    except Exception as error:  # pickletools raises errors of many types, with messages about its own workings
        raise ValueError(f"it is truncated or damaged after byte {position:,}; fetch or write it again") from error


def _set_items(target: Any, items: list[Any], limit: int) -> None:
    target = target.state if type(target) is PickledObject else target
    if type(target) is not dict or len(items) % 2:
        raise ValueError("it adds items to something other than a dictionary")
    for key, value in zip(items[::2], items[1::2], strict=True):
        # An attacker could choose huge integers or other keys with equal hashes, which would make this loop extremely
        # slow.
        if type(key) is not str and not (type(key) is int and 0 <= key < limit):
            raise ValueError("a dictionary key is neither a string nor an id")
        target[key] = value


def _called(function: Any, arguments: Any) -> _PickledDtype | PickledArray | PickledObject | bytes:
    if type(function) is not _PickledName or type(arguments) is not tuple:
        raise ValueError("it calls something that is not a function")
    if function.name == "numpy dtype":
        return _PickledDtype(*arguments)
    if function.name == "_codecs encode":  # old protocols store bytes as encoded text
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
