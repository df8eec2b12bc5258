"""Row-sparse gradients, which the backward pass of an embedding produces."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from fastw2v.backend import (
    WeightedRows,
    get_device,
    get_namespace,
    is_cupy,
    is_numpy,
    on_device_of,
    scatter_add,
    to_host,
    unique_inverse,
)

_NO_SHAPE = (
    "this RowSparseGradient has no shape, so it cannot be used like a dense array; create it with shape=W.shape, or "
    "call its method dense(W)"
)


def _operators(operate: Callable[[Any, Any], Any]) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """Return an operator of dense arrays as two methods of `RowSparseGradient`: for its left and its right operand."""
    return (
        lambda self, other: operate(self.dense(), _as_dense(other)),
        lambda self, other: operate(_as_dense(other), self.dense()),
    )


def _in_place(operate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return an operator of dense arrays as a method of `RowSparseGradient` that changes the gradient."""

    def change(self: RowSparseGradient, other: Any) -> RowSparseGradient:
        if operate in (operator.mul, operator.truediv) and getattr(other, "ndim", 0) == 0:
            self.assign(self.ids, operate(self.rows, other))  # a number scales the rows, so the others stay zero
        else:
            self[...] = operate(self.dense(), _as_dense(other))
        return self

    return change


class RowSparseGradient:
    """The gradient of a table, stored as the rows that may be non-zero.

    The dense gradient has shape (V, D). It is obtained from zeros by adding ``rows[i]`` to row ``ids[i]`` for each i.

    A gradient with a `shape` can be used like the dense array. The gradients of layers have one. Operators, NumPy
    functions, indexing and the methods of arrays return dense arrays, but the sum of two row-sparse gradients is
    row-sparse. Assignments and operators such as ``+=`` and ``*=`` change the gradient in place. ``np.asarray(grad)``
    and, on a GPU, ``cupy.asarray(grad)`` equal ``grad.dense()``.

    Parameters
    ----------
    ids : int array, shape (N,)
        Row indices. If an index is repeated, its rows are added. Negative indices are padding, whose rows are ignored.
    rows : float array, shape (N, D)
        The gradient to add to each of these rows.
    shape : (int, int), optional
        Shape (V, D) of the table. Without it, the gradient cannot be used like a dense array.

    Attributes
    ----------
    shape
        As passed.

    Notes
    -----
    On a GPU, the gradients of layers may contain negative ids. They are padding, and their rows are zero. On NumPy, the
    layers remove padding.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.nn import RowSparseGradient
    >>> rows = np.array([[1.0, 2.0], [5.0, 5.0], [3.0, 4.0]])
    >>> grad = RowSparseGradient(np.array([2, 0, 2]), rows, shape=(4, 2))
    >>> grad.dense()
    array([[5., 5.],
           [0., 0.],
           [4., 6.],
           [0., 0.]])

    The gradient in calculations with arrays:

    >>> W = np.zeros((4, 2))
    >>> W -= 0.5 * grad
    >>> W[2], float(np.sum(grad**2))
    (array([-2., -3.]), 102.0)
    >>> grad *= 0.1
    >>> grad
    RowSparseGradient(3 rows, shape=(4, 2), dtype=float64)
    """

    def __init__(self, ids: Any, rows: Any, shape: tuple[int, ...] | None = None) -> None:
        self._parts = [WeightedRows(ids, rows)]
        self.shape = None if shape is None else tuple(shape)
        self._is_dense = False  # whether `ids` are 0 to V − 1, so that `rows` is the dense array
        if not is_numpy(rows) and is_cupy(rows):
            # CuPy's matmul does not convert its operands. With None, CuPy leaves all operators to this class. NumPy
            # reads the attribute of the class instead.
            self.__array_ufunc__ = None  # type: ignore[assignment,method-assign]

    @classmethod
    def zeros_like(cls, W: Any) -> Self:
        """Return a gradient of zero, which a layer creates in its constructor and fills in `backward`.

        Parameters
        ----------
        W : float array, shape (V, D)
            The table.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import RowSparseGradient
        >>> grad = RowSparseGradient.zeros_like(np.ones((2, 3)))
        >>> np.asarray(grad)
        array([[0., 0., 0.],
               [0., 0., 0.]])
        """
        xp, device = get_namespace(W), get_device(W)
        with on_device_of(W):
            ids = xp.zeros((0,), dtype=xp.int64, device=device)
            return cls(ids, xp.zeros((0, W.shape[1]), dtype=W.dtype, device=device), W.shape)

    @property
    def ids(self) -> Any:
        """The row indices: int array, shape (N,).

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import RowSparseGradient
        >>> RowSparseGradient(np.array([1, 1]), np.array([[2.0], [3.0]])).ids
        array([1, 1])
        """
        return self._single_part().ids

    @ids.setter
    def ids(self, ids: Any) -> None:
        self._parts = [self._single_part()._replace(ids=ids)]
        self._is_dense = False

    @property
    def rows(self) -> Any:
        """The gradient to add to each of the rows `ids`: float array, shape (N, D).

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import RowSparseGradient
        >>> RowSparseGradient(np.array([1, 1]), np.array([[2.0], [3.0]])).rows
        array([[2.],
               [3.]])
        """
        return self._single_part().rows

    @rows.setter
    def rows(self, rows: Any) -> None:
        self._parts = [self._single_part()._replace(rows=rows)]

    def _single_part(self) -> WeightedRows:
        """Return the gradient as a row for each entry, after computing these rows if necessary."""
        if len(self._parts) > 1 or self._parts[0].weights is not None or self._repeats():
            xp = get_namespace(self._parts[0].rows)
            ids = [part.ids for part in self._parts]
            rows = [part.products() for part in self._parts]
            several = len(ids) > 1
            self._parts = [
                WeightedRows(xp.concat(ids) if several else ids[0], xp.concat(rows, axis=0) if several else rows[0])
            ]
        return self._parts[0]

    def _repeats(self) -> bool:
        """Return whether the rows of the first part are used for several entries each."""
        return self._parts[0].ids.shape[0] != self._parts[0].rows.shape[0]

    @property
    def dtype(self) -> Any:
        """The data type of the rows.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import RowSparseGradient
        >>> RowSparseGradient.zeros_like(np.zeros((2, 3), np.float32)).dtype
        dtype('float32')
        """
        return self._parts[0].rows.dtype

    def assign(self, ids: Any, rows: Any) -> None:
        """Replace the gradient in place, so lists that contain the object need not change.

        Parameters
        ----------
        ids : int array, shape (N,)
        rows : float array, shape (N, D)
            Converted to the dtype of the gradient. The gradient keeps a reference to an array of this dtype, not a
            copy.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import RowSparseGradient
        >>> grads = [RowSparseGradient.zeros_like(np.zeros((3, 1)))]
        >>> collected = [] + grads
        >>> grads[0].assign(np.array([1, 1]), np.array([[2.0], [3.0]]))
        >>> np.asarray(collected[0]).tolist()
        [[0.0], [5.0], [0.0]]
        """
        self.assign_parts([WeightedRows(ids, rows)])

    def assign_parts(self, parts: Sequence[WeightedRows]) -> None:
        """Replace the gradient in place by the sum of several parts, of which a row can be used for several entries.

        The parts are stored as they are. They must not change afterwards. If `ids` or `rows` are read, the weighted
        rows of all parts are computed. `SGD` does not compute them on a GPU.

        Parameters
        ----------
        parts : sequence of WeightedRows
            The rows are converted to the dtype of the gradient.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.backend import WeightedRows
        >>> from fastw2v.nn import RowSparseGradient
        >>> grad = RowSparseGradient.zeros_like(np.zeros((3, 1)))
        >>> grad.assign_parts([WeightedRows(np.array([0, 2]), np.array([[5.0]]), np.array([1.0, 2.0]))])
        >>> grad.rows.tolist()
        [[5.0], [10.0]]
        """
        dtype = self.dtype
        self._parts = [
            part if part.rows.dtype == dtype else part._replace(rows=get_namespace(part.rows).astype(part.rows, dtype))
            for part in parts
        ]
        self._is_dense = False

    @property
    def parts(self) -> list[WeightedRows]:
        """The parts whose sum is the gradient.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import RowSparseGradient
        >>> len(RowSparseGradient(np.array([1, 1]), np.array([[2.0], [3.0]])).parts)
        1
        """
        return self._parts

    def scatter_add(self, ids: Any, rows: Any) -> None:
        """Add rows in place. ``np.add.at(grad, ids, rows)`` calls this method.

        Parameters
        ----------
        ids : int array, any shape
            Negative ids count from the last row, as in NumPy.
        rows : float array, shape ids.shape + (D,)
            Arrays that can be broadcast to this shape are accepted.

        Raises
        ------
        IndexError
            If an id lies outside the table. This is not checked on a GPU.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import RowSparseGradient
        >>> grad = RowSparseGradient.zeros_like(np.zeros((3, 2)))
        >>> np.add.at(grad, [1, -1, 1], np.array([[1.0, 2.0], [5.0, 5.0], [3.0, 4.0]]))
        >>> np.asarray(grad)
        array([[0., 0.],
               [4., 6.],
               [5., 5.]])
        """
        V, D = self._known_shape()
        xp = get_namespace(self.rows)
        if isinstance(ids, (int, np.integer, list)):
            ids = xp.asarray(ids, device=get_device(self.rows))
        if not hasattr(ids, "dtype") or not xp.isdtype(ids.dtype, "integral"):  # slices, tuples and masks
            full = self.dense()
            np.add.at(full, ids, _as_dense(rows))
            self[...] = full
            return
        if is_numpy(ids) and ids.size and not -V <= ids.min() <= ids.max() < V:
            raise IndexError(f"ids from {ids.min()} to {ids.max()} do not all lie in a table of {V} rows")
        rows = xp.astype(xp.asarray(_as_dense(rows)), self.dtype, copy=False)
        rows = xp.reshape(xp.broadcast_to(rows, (*ids.shape, D)), (-1, D))
        ids = xp.reshape(xp.where(ids < 0, ids + V, ids), (-1,))
        self.assign(xp.concat([self.ids, ids]), xp.concat([self.rows, rows], axis=0))

    def dense(self, like: Any = None) -> Any:
        """Return the gradient as a new dense array.

        Parameters
        ----------
        like : float array, shape (V, D), optional
            The table, or any array with the same shape and dtype. Required if the gradient has no shape.

        Returns
        -------
        float array, shape (V, D)

        Raises
        ------
        ValueError
            If the gradient has no shape and `like` is not passed.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import RowSparseGradient
        >>> RowSparseGradient(np.array([1, 1]), np.array([[1.0, 2.0], [3.0, 4.0]])).dense(np.zeros((3, 2)))
        array([[0., 0.],
               [4., 6.],
               [0., 0.]])
        """
        if like is None:
            rows, shape = self._parts[0].rows, self._known_shape()
            with on_device_of(rows):
                full = get_namespace(rows).zeros(shape, dtype=self.dtype, device=get_device(rows))
        else:
            full = get_namespace(like).zeros_like(like)
        for part in self._parts:
            scatter_add(full, *part)
        return full

    def _known_shape(self) -> tuple[int, ...]:
        if self.shape is None:
            raise ValueError(_NO_SHAPE)
        return self.shape

    def coalesce(self, in_order: bool = False) -> RowSparseGradient:
        """Return an equal gradient with sorted ids, in which the rows of each id are summed.

        On NumPy, each id then occurs once. On other array libraries, the number of rows does not change. The first row
        of each id is the sum, and its other rows are zero.

        Parameters
        ----------
        in_order : bool
            Whether to sum in a fixed order, so that equal gradients give the same bytes. On a GPU, `scatter_add` has no
            fixed order, and summing in a fixed order takes log2 N passes over the rows instead of one. NumPy always
            sums in a fixed order.

        Returns
        -------
        RowSparseGradient

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import RowSparseGradient
        >>> grad = RowSparseGradient(np.array([2, 0, 2]), np.array([[1.0, 2.0], [5.0, 5.0], [3.0, 4.0]]))
        >>> grad.coalesce().ids
        array([0, 2])
        >>> grad.coalesce().rows
        array([[5., 5.],
               [4., 6.]])
        """
        return self._coalesce(in_order)[0]

    def row_sums(self) -> tuple[Any, Any]:
        """Return sorted ids and, for each of them, the sum of its rows, for assignment to a table.

        On NumPy, each id occurs once. On other array libraries, an id that occurs n times is returned n times, each
        time with the complete sum. The rows can therefore be assigned in any order.

        Returns
        -------
        ids : int array, shape (M,)
        sums : float array, shape (M, D)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import RowSparseGradient
        >>> grad = RowSparseGradient(np.array([2, 0, 2]), np.array([[1.0], [5.0], [3.0]]))
        >>> ids, sums = grad.row_sums()
        >>> ids.tolist(), sums.tolist()
        ([0, 2], [[5.0], [4.0]])
        """
        grad, first = self._coalesce()
        return grad.ids, grad.rows if first is None else get_namespace(grad.rows).take(grad.rows, first, axis=0)

    def _coalesce(self, in_order: bool = False) -> tuple[RowSparseGradient, Any]:
        """Return the coalesced gradient and, for each entry, the first index of its id (None if ids are unique)."""
        xp = get_namespace(self.rows)
        # On a GPU, the size of the result must not depend on the ids, because the host would have to wait for it.
        if is_numpy(self.ids):
            ids, inverse = unique_inverse(self.ids)
            rows = xp.zeros((ids.shape[0], self.rows.shape[1]), dtype=self.rows.dtype, device=get_device(self.rows))
            scatter_add(rows, inverse, self.rows)
            return RowSparseGradient(ids, rows, self.shape), None
        order = xp.argsort(self.ids, stable=True)
        ids, rows = xp.take(self.ids, order), xp.take(self.rows, order, axis=0)
        first = xp.searchsorted(ids, ids)
        if in_order:
            is_first = first == xp.arange(ids.shape[0], device=get_device(ids))
            rows = xp.where(is_first[:, None], _segmented_suffix_sums(ids, rows), 0.0)
            return RowSparseGradient(ids, rows, self.shape), first
        sums = xp.zeros_like(rows)
        scatter_add(sums, first, rows)
        return RowSparseGradient(ids, sums, self.shape), first

    # The interface of arrays

    __sub__, __rsub__ = _operators(operator.sub)
    __mul__, __rmul__ = _operators(operator.mul)
    __truediv__, __rtruediv__ = _operators(operator.truediv)
    __pow__, __rpow__ = _operators(operator.pow)
    __matmul__, __rmatmul__ = _operators(operator.matmul)
    __lt__, __gt__ = _operators(operator.lt)
    __le__, __ge__ = _operators(operator.le)
    __isub__ = _in_place(operator.sub)
    __imul__ = _in_place(operator.mul)
    __itruediv__ = _in_place(operator.truediv)
    __ipow__ = _in_place(operator.pow)

    def __add__(self, other: Any) -> Any:
        """Return the sum, which is row-sparse if both gradients are row-sparse."""
        if not isinstance(other, RowSparseGradient):
            return self.dense() + other
        if None not in (self.shape, other.shape) and self.shape != other.shape:
            raise ValueError(f"cannot add gradients of tables of shapes {self.shape} and {other.shape}")
        xp = get_namespace(self.rows)
        rows = xp.concat([self.rows, other.rows], axis=0)
        return RowSparseGradient(xp.concat([self.ids, other.ids]), rows, self.shape or other.shape)

    def __radd__(self, other: Any) -> Any:
        return other + self.dense()

    def __iadd__(self, other: Any) -> Self:
        total = self + other
        if isinstance(total, RowSparseGradient):
            self.assign(total.ids, total.rows)
        else:
            self[...] = total
        return self

    def __neg__(self) -> Any:
        return -self.dense()

    def __abs__(self) -> Any:
        return abs(self.dense())

    def __eq__(self, other: object) -> Any:
        """Compare the elements, as arrays do."""
        return self.dense() == _as_dense(other)

    def __ne__(self, other: object) -> Any:
        return self.dense() != _as_dense(other)

    __hash__ = None  # type: ignore[assignment]  # like arrays, whose contents can change

    def __copy__(self) -> Self:
        return type(self)(self.ids, get_namespace(self.rows).asarray(self.rows, copy=True), self.shape)

    def __len__(self) -> int:
        return self._known_shape()[0]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.dense())

    def __getitem__(self, key: Any) -> Any:
        """Return elements of the dense array. They are a copy, unless single elements have been assigned before."""
        return (self.rows if self._is_dense else self.dense())[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        everything = key is Ellipsis or (isinstance(key, slice) and key == slice(None))
        xp = get_namespace(self.rows)
        if everything and isinstance(value, (int, float, np.number)) and value == 0:
            self.assign(xp.asarray(self.ids[:0], copy=True), xp.asarray(self.rows[:0, :], copy=True))
        elif everything and isinstance(value, RowSparseGradient):
            self.assign(value.ids, xp.asarray(value.rows, copy=True))
        else:
            if not self._is_dense:
                full = self.dense()
                self.assign(xp.arange(full.shape[0], device=get_device(full)), full)
                self._is_dense = True
            self.rows[key] = _as_dense(value)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the dense array, such as `T`, `size` or `sum`."""
        if name.startswith("_") or name in ("ids", "rows", "shape"):  # absent while an object is being unpickled
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if self.shape is None:
            raise AttributeError(f"{name!r} is an attribute of arrays, but {_NO_SHAPE}")
        full = self.dense()
        if is_numpy(full):
            full.flags.writeable = False  # so that methods such as `sort` raise instead of changing a copy
        return getattr(full, name)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return the gradient as a dense NumPy array, for `numpy.asarray`."""
        if is_cupy(self._parts[0].rows):
            raise TypeError("this gradient is on a GPU; grad.dense().get() converts it to a NumPy array")
        if copy is False:
            raise ValueError("a RowSparseGradient cannot be converted to an array without a copy")
        return np.asarray(to_host(self.dense()), dtype=dtype)

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: tuple[Any, ...] = (), **kwargs: Any
    ) -> Any:
        """Apply a NumPy function to the dense arrays."""
        if method == "at" and isinstance(target := inputs[0], RowSparseGradient):
            if ufunc is np.add:
                target.scatter_add(*inputs[1:])
            else:
                full = target.dense()
                ufunc.at(full, *map(_as_dense, inputs[1:]))
                target[...] = full
            return None
        if out and not any(isinstance(array, RowSparseGradient) for array in out):
            kwargs["out"] = out
        result = getattr(ufunc, method)(*map(_as_dense, inputs), **kwargs)
        if out and "out" not in kwargs:
            out[0][...] = result
            return out[0]
        return result

    @property
    def __cupy_get_ndarray__(self) -> Callable[[], Any]:
        """The method that CuPy calls to convert other objects to its arrays."""
        if not is_cupy(self._parts[0].rows):
            raise AttributeError("this gradient is not on a GPU")
        return self.dense

    def __repr__(self) -> str:
        n = sum(part.ids.shape[0] for part in self._parts)
        return f"RowSparseGradient({n} rows, shape={self.shape}, dtype={self.dtype})"


def _as_dense(value: Any) -> Any:
    """Return a row-sparse gradient as a dense array, and anything else unchanged."""
    return value.dense() if isinstance(value, RowSparseGradient) else value


def add_gradients(a: Any, b: Any) -> Any:
    """Return the sum of two gradients of the same weight, without changing either.

    Parameters
    ----------
    a, b : RowSparseGradient or float array

    Returns
    -------
    RowSparseGradient or float array
        Row-sparse if both gradients are row-sparse, otherwise dense.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.nn import RowSparseGradient
    >>> from fastw2v.nn.sparse import add_gradients
    >>> a = RowSparseGradient(np.array([0]), np.array([[1.0, 2.0]]))
    >>> b = RowSparseGradient(np.array([1]), np.array([[3.0, 4.0]]))
    >>> add_gradients(a, b).dense(np.zeros((3, 2)))
    array([[1., 2.],
           [3., 4.],
           [0., 0.]])
    >>> add_gradients(a, np.ones((3, 2)))
    array([[2., 3.],
           [1., 1.],
           [1., 1.]])
    """
    if isinstance(a, RowSparseGradient) and not isinstance(b, RowSparseGradient):
        return a.dense(b) + b
    if isinstance(b, RowSparseGradient) and not isinstance(a, RowSparseGradient):
        return a + b.dense(a)
    return a + b


def coalesce_in_order(grads: Sequence[Any]) -> list[Any]:
    """Return equal gradients, prepared so that updates give the same bytes in every run, even on a GPU.

    Row-sparse gradients are coalesced with ``in_order=True``. Only one sum and zeros are then added to each row of the
    table, so the order of the additions does not matter. Dense gradients, and row-sparse gradients on NumPy, are
    returned unchanged.

    Parameters
    ----------
    grads : sequence of RowSparseGradient or float array

    Returns
    -------
    list of RowSparseGradient or float array

    Examples
    --------
    NumPy adds in a fixed order, so its gradients are returned unchanged:

    >>> import numpy as np
    >>> from fastw2v.nn import RowSparseGradient
    >>> from fastw2v.nn.sparse import coalesce_in_order
    >>> grad = RowSparseGradient(np.array([2, 0, 2]), np.ones((3, 4)))
    >>> coalesce_in_order([grad])[0] is grad
    True
    """
    return [
        grad.coalesce(in_order=True)
        if isinstance(grad, RowSparseGradient) and not is_numpy(grad.parts[0].ids)
        else grad
        for grad in grads
    ]


def _segmented_suffix_sums(ids: Any, rows: Any) -> Any:
    """Return, for each row, the sum of the row and all later rows with the same id. The ids must be sorted.

    Round k adds to each row the partial sum of the row 2^k entries later, if that row has the same id. This is the
    segmented scan of Hillis and Steele ("Data parallel algorithms", 1986). Differences of a cumulative
    sum over all rows would need fewer operations, but lose precision, because that sum mixes the rows of all ids.
    """
    xp = get_namespace(rows)
    step = 1
    while step < ids.shape[0]:
        same = (ids[:-step] == ids[step:])[:, None]
        rows = xp.concat([rows[:-step, :] + xp.where(same, rows[step:, :], 0.0), rows[-step:, :]], axis=0)
        step *= 2
    return rows
