"""SIMD: a vector type for Numba functions, and the vector operations that the kernels need.

LLVM vectorises loops over one or two arrays well, but it does not keep a 4 × 4 block of products in registers while a
loop runs along the rows. The kernels spend most of their time on such blocks, so their inner loops use explicit
vectors. A `Lanes` value is a vector of sixteen float32 or float64 numbers. LLVM maps sixteen float32 numbers to one
AVX-512 register, two AVX2 registers or four NEON registers. A loop that needs all registers processes vectors of
`COLUMNS` numbers instead, which fit in one register.

Array elements are addressed by their offset from the start of the data, regardless of the number of dimensions. Bounds
are not checked.
"""

# mypy: disable-error-code="untyped-decorator,misc"
from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic, lower_builtin, models, overload, register_model, type_callable

LANES = 16
"""Number of elements in a vector. Rows are padded to a multiple of this number."""


def target() -> tuple[str, set[str]]:
    """Return the target triple and the processor features for which Numba compiles, as in the keys of Numba's cache."""
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    return triple, {feature[1:] for feature in features.split(",") if feature.startswith("+")}


def _registers(triple: str, features: set[str]) -> tuple[int, int]:
    """Return the number of float32 elements in a vector register, and the number of vector registers."""
    if "avx512f" in features:
        return 16, 32
    if "avx" in features:
        return 8, 16
    return 4, 16 if triple.startswith(("x86", "i686")) else 32


COLUMNS, REGISTERS = _registers(*target())
"""Number of elements in a short vector, which fits in one register, and number of vector registers."""
UPDATE_COLUMNS = 2 * COLUMNS if REGISTERS > 16 else COLUMNS
"""Number of columns of a row that are updated at a time: two registers if there are 32 of them, or else one."""
_INT32 = ir.IntType(32)


class Lanes(types.Type):
    """Numba type of a vector of `LANES`, `COLUMNS` or `UPDATE_COLUMNS` floating-point numbers."""

    def __init__(self, dtype: Any, size: int) -> None:
        self.dtype = dtype
        self.size = size
        super().__init__(name=f"Lanes({dtype}, {size})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        super().__init__(manager, lanes, _vector_type(lanes))


def _vector_type(lanes: Lanes) -> Any:
    return ir.VectorType(ir.DoubleType() if lanes.dtype == types.float64 else ir.FloatType(), lanes.size)


def _integers(lanes: Lanes) -> Any:
    return ir.VectorType(_INT32, lanes.size)


def _element(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Return a pointer to an array element."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _constant(lanes: Lanes, value: float) -> Any:
    return ir.Constant(_vector_type(lanes), [value] * lanes.size)


def _shuffle(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INT32, len(places)), places))


def _load(array: Any, size: int, *like: Any) -> Any:
    lanes = Lanes(array.dtype, size)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, array, args[0], args[1])
        pointer = builder.bitcast(pointer, _vector_type(lanes).as_pointer())
        return builder.load(pointer, align=array.dtype.bitwidth // 8)

    return lanes(array, types.intp, *like), generate


def _loading(size: int) -> Any:
    @intrinsic
    def load(typing: Any, array: Any, index: Any) -> Any:
        return _load(array, size)

    return load


load, load_columns, load_update = _loading(LANES), _loading(COLUMNS), _loading(UPDATE_COLUMNS)
"""``load(array, index)`` returns `LANES` elements from offset `index` on; `load_columns` returns `COLUMNS` elements and
`load_update` `UPDATE_COLUMNS`."""


@intrinsic
def load_like(typing: Any, array: Any, index: Any, like: Any) -> Any:
    """Return as many elements as the vector `like` has, from offset `index` on."""
    return _load(array, like.size, like)


@intrinsic
def borrowed(typing: Any, value: Any) -> Any:
    """Return an array, or a tuple with all of its arrays, as views that are not counted as references.

    Otherwise, passing an array to a function increases its reference count with an atomic instruction, and threads that
    share the array wait for each other at its count. The arrays must live longer than the views, like the arguments of
    a kernel, or the arrays of a later call of `keep_alive`. Other values are returned as they are.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _without_owner(context, builder, value, args[0])

    return value(value), generate


@intrinsic
def keep_alive(typing: Any, arrays: Any) -> Any:
    """Keep the arrays of a tuple in memory until this call, so that their `borrowed` views can be used up to it."""
    return types.void(arrays), lambda context, builder, signature, args: context.get_dummy_value()


def _without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    if isinstance(kind, types.BaseTuple):
        for i, element in enumerate(kind):
            view = _without_owner(context, builder, element, builder.extract_value(value, i))
            value = builder.insert_value(value, view, i)
    elif isinstance(kind, types.Array):
        view = context.make_array(kind)(context, builder, value)
        view.meminfo = cgutils.get_null_value(view.meminfo.type)
        view.parent = cgutils.get_null_value(view.parent.type)
        value = view._getvalue()
    return value


@intrinsic
def store(typing: Any, array: Any, index: Any, lanes: Any) -> Any:
    """Write a vector to an array from offset `index` on."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, array, args[0], args[1])
        pointer = builder.bitcast(pointer, _vector_type(lanes).as_pointer())
        builder.store(args[2], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@intrinsic
def load_rows(typing: Any, table: Any, offsets: Any, first: Any, j: Any, size: Any) -> Any:
    """Return `COLUMNS` columns, from column j, of as many rows as the tuple `size` has elements.

    ``offsets[first]`` is the offset of the first row, and its next elements are those of the next rows.
    """
    lanes = Lanes(table.dtype, COLUMNS)
    vectors = types.UniTuple(lanes, len(size))

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointers = _row_pointers(context, builder, signature.args, args, lanes, len(size))
        loaded = [builder.load(pointer, align=table.dtype.bitwidth // 8) for pointer in pointers]
        return context.make_tuple(builder, vectors, loaded)

    return vectors(table, offsets, types.intp, types.intp, size), generate


@intrinsic
def store_rows(typing: Any, table: Any, offsets: Any, first: Any, j: Any, vectors: Any) -> Any:
    """Write a tuple of vectors to the places from which `load_rows` reads them."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointers = _row_pointers(context, builder, signature.args, args, vectors[0], len(vectors))
        for pointer, vector in zip(pointers, cgutils.unpack_tuple(builder, args[4]), strict=True):
            builder.store(vector, pointer, align=table.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(table, offsets, types.intp, types.intp, vectors), generate


def _row_pointers(context: Any, builder: Any, kinds: Any, args: Any, lanes: Lanes, count: int) -> Any:
    table, offsets, first, j = args[:4]
    for k in range(count):
        index = builder.add(first, ir.Constant(first.type, k))
        offset = builder.load(_element(context, builder, kinds[1], offsets, index))
        pointer = _element(context, builder, kinds[0], table, builder.add(offset, j))
        yield builder.bitcast(pointer, _vector_type(lanes).as_pointer())


@intrinsic
def add_products(typing: Any, coefficients: Any, first: Any, step: Any, v: Any, h: Any, d: Any, s: Any) -> Any:
    """Add ``g[k] * v`` to each element k of the tuple d, and ``g[k] * h[k]`` for all k to the vector s. Return both.

    The coefficients g are in groups of four: ``g[k]`` is the element ``first + k // 4 * step + k % 4 * 4``.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, first, step, v, h, d, s = args
        sums = []
        for k, (row, total) in enumerate(zip(*(cgutils.unpack_tuple(builder, each) for each in (h, d)), strict=True)):
            index = builder.add(first, builder.mul(step, ir.Constant(step.type, k // 4)))
            index = builder.add(index, ir.Constant(step.type, k % 4 * 4))
            g = _splat(builder, builder.load(_element(context, builder, coefficients, args[0], index)), v_type)
            sums.append(_multiply_add(builder, g, v, total))
            s = _multiply_add(builder, g, row, s)
        return context.make_tuple(builder, signature.return_type, [context.make_tuple(builder, d_type, sums), s])

    v_type, d_type = v, d
    return types.Tuple((d, s))(coefficients, types.intp, types.intp, v, h, d, s), generate


def _broadcast_load(array: Any, size: int, *like: Any) -> Any:
    lanes = Lanes(array.dtype, size)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _splat(builder, builder.load(_element(context, builder, array, args[0], args[1])), lanes)

    return lanes(array, types.intp, *like), generate


def _broadcasting(size: int) -> Any:
    @intrinsic
    def spread(typing: Any, array: Any, index: Any) -> Any:
        return _broadcast_load(array, size)

    return spread


broadcast_load, broadcast_load_columns = _broadcasting(LANES), _broadcasting(COLUMNS)
"""``broadcast_load(array, index)`` returns `LANES` copies of an element; `broadcast_load_columns` returns `COLUMNS`."""


@intrinsic
def broadcast_load_like(typing: Any, array: Any, index: Any, like: Any) -> Any:
    """Return as many copies of an element as the vector `like` has elements."""
    return _broadcast_load(array, like.size, like)


def _splat(builder: Any, value: Any, lanes: Lanes) -> Any:
    empty = ir.Constant(_vector_type(lanes), ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(_INT32, 0))
    return _shuffle(builder, first, empty, [0] * lanes.size)


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Return ``a * b + c``, with one instruction and one rounding if the processor supports it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _multiply_add(builder, *args)

    return a(a, a, a), generate


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


@intrinsic
def maximum(typing: Any, a: Any, b: Any) -> Any:
    """Return the element-wise maximum, or NaN where `a` is NaN, so that NaN is propagated."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[1], args[0])

    return a(a, a), generate


@intrinsic
def where_positive(typing: Any, x: Any, a: Any, b: Any) -> Any:
    """Return the elements of `a` where `x` is positive, and the elements of `b` elsewhere."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        positive = builder.fcmp_ordered(">", args[0], _constant(x, 0.0))
        return builder.select(positive, args[1], args[2])

    return x(x, x, x), generate


@intrinsic
def hadd(typing: Any, a: Any, b: Any) -> Any:
    """Return the sums of adjacent elements in groups of four: a0+a1, a2+a3, b0+b1, b2+b3.

    On x86, shuffles within groups of four elements are cheap: two per cycle instead of one.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        even = [g + k for g in range(0, a.size, 4) for k in (0, 2, a.size, a.size + 2)]
        return _fold(builder, args[0], args[1], even, 1)

    return a(a, a), generate


@intrinsic
def hadd_groups(typing: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Split each vector into groups of four elements, and add the groups element-wise.

    The result has the four sums for `a`, followed by those for `b`, `c` and `d`.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors, groups = list(args), a.size // 4
        even = [g + k for g in range(0, 2 * a.size, 8) for k in range(4)]
        while groups > 1:
            vectors = [_fold(builder, *pair, even, 4) for pair in zip(vectors[::2], vectors[1::2], strict=True)]
            groups //= 2
        while len(vectors) > 1:  # the vectors have sixteen elements in total
            places = list(range(2 * vectors[0].type.count))
            vectors = [_shuffle(builder, *pair, places) for pair in zip(vectors[::2], vectors[1::2], strict=True)]
        return vectors[0]

    return Lanes(a.dtype, LANES)(a, a, a, a), generate


def _fold(builder: Any, a: Any, b: Any, even: list[int], apart: int) -> Any:
    odd = [k + apart for k in even]
    return builder.fadd(_shuffle(builder, a, b, even), _shuffle(builder, a, b, odd))


@intrinsic
def reduce_add(typing: Any, a: Any) -> Any:
    """Return the sum of the elements, computed in float64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = args[0]
        double = _vector_type(Lanes(types.float64, a.size))
        value = value if a.dtype == types.float64 else builder.fpext(value, double)
        width = a.size
        while width > 1:
            width //= 2
            low = _shuffle(builder, value, value, list(range(width)))
            value = builder.fadd(low, _shuffle(builder, value, value, list(range(width, 2 * width))))
        return builder.extract_element(value, ir.Constant(_INT32, 0))

    return types.float64(a), generate


def _prefetching(for_writing: int, locality: int) -> Any:
    @intrinsic
    def prefetch(typing: Any, array: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = builder.bitcast(_element(context, builder, array, args[0], args[1]), cgutils.voidptr_t)
            kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, _INT32, _INT32, _INT32])
            function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            flags = [ir.Constant(_INT32, k) for k in (for_writing, locality, 1)]  # 1 is the data cache
            builder.call(function, [pointer, *flags])
            return context.get_dummy_value()

        return types.void(array, types.intp), generate

    return prefetch


prefetch, prefetch_second_level = _prefetching(1, 3), _prefetching(0, 2)
"""``prefetch(array, index)`` prefetches the cache line of an element that will soon be read and written. It is loaded
into all levels of the cache, or by `prefetch_second_level` not into the first level, which is small."""


@intrinsic
def matches(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Return a bit mask of the sixteen int32 elements from offset `index` on that equal `value`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integers = ir.VectorType(_INT32, LANES)
        pointer = _element(context, builder, array, args[0], args[1])
        found = builder.load(builder.bitcast(pointer, integers.as_pointer()), align=4)
        first = builder.insert_element(ir.Constant(integers, ir.Undefined), args[2], ir.Constant(_INT32, 0))
        equal = builder.icmp_signed("==", found, _shuffle(builder, first, first, [0] * LANES))
        return builder.zext(builder.bitcast(equal, ir.IntType(LANES)), args[1].type)

    return types.intp(array, types.intp, types.int32), generate


@intrinsic
def parity_signs(typing: Any, array: Any, index: Any, like: Any) -> Any:
    """Return 1 for even and -1 for odd elements of an int32 array, in `LANES` elements from offset `index` on."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, array, args[0], args[1])
        numbers = builder.load(builder.bitcast(pointer, ir.VectorType(_INT32, LANES).as_pointer()), align=4)
        odd = builder.trunc(numbers, ir.VectorType(ir.IntType(1), LANES))
        return builder.select(odd, _constant(like, -1.0), _constant(like, 1.0))

    return like(array, types.intp, like), generate


@intrinsic
def first_lanes(typing: Any, count: Any, like: Any) -> Any:
    """Return a vector with the type of `like` whose first `count` elements are 1 and whose other elements are 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integers = ir.VectorType(_INT32, like.size)
        number = builder.trunc(args[0], _INT32)
        first = builder.insert_element(ir.Constant(integers, ir.Undefined), number, ir.Constant(_INT32, 0))
        limit = _shuffle(builder, first, first, [0] * like.size)
        inside = builder.icmp_signed("<", ir.Constant(integers, list(range(like.size))), limit)
        return builder.select(inside, _constant(like, 1.0), _constant(like, 0.0))

    return like(types.intp, like), generate


@intrinsic
def repeat_group(typing: Any, array: Any, index: Any) -> Any:
    """Return a vector that repeats the four elements from offset `index` on."""
    lanes = Lanes(array.dtype, LANES)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, array, args[0], args[1])
        pointer = builder.bitcast(pointer, _vector_type(Lanes(array.dtype, 4)).as_pointer())
        group = builder.load(pointer, align=array.dtype.bitwidth // 8)
        return _shuffle(builder, group, group, [0, 1, 2, 3] * (LANES // 4))

    return lanes(array, types.intp), generate


@intrinsic
def lowest_bit(typing: Any, bits: Any) -> Any:
    """Return the index of the lowest set bit; `bits` must not be 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.intp(types.intp), generate


def _operator(symbol: Any, name: str) -> None:
    # An overload would be compiled as a function of its own for each type of vector.
    @type_callable(symbol)
    def _(context: Any) -> Any:
        return lambda a, b: a if isinstance(a, Lanes) and a == b else None

    @lower_builtin(symbol, Lanes, Lanes)
    def _(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return getattr(builder, name)(*args)


_operator(operator.add, "fadd")
_operator(operator.sub, "fsub")
_operator(operator.mul, "fmul")
_operator(operator.truediv, "fdiv")


def _unary(name: str) -> Any:
    @intrinsic
    def operation(typing: Any, a: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = _vector_type(a)
            full_name = f"{name}.v{a.size}f{a.dtype.bitwidth}"
            function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector]), full_name)
            return builder.call(function, args)

        return a(a), generate

    return operation


absolute = _unary("llvm.fabs")
_rint = _unary("llvm.rint")
_library_exp = _unary("llvm.exp")
_library_log = _unary("llvm.log")


@intrinsic
def _power_of_two(typing: Any, n: Any) -> Any:
    """Return 2**n in float32 for whole n from -126 to 127, and 0 for -127, by setting the exponent bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integer = _integers(n)
        biased = builder.add(builder.fptosi(args[0], integer), ir.Constant(integer, [127] * n.size))
        return builder.bitcast(builder.shl(biased, ir.Constant(integer, [23] * n.size)), args[0].type)

    return n(n), generate


@intrinsic
def _exponent(typing: Any, x: Any) -> Any:
    """Return n such that ``x = m * 2**n``, with m between sqrt(1/2) and sqrt(2), for normal, positive float32 x."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integer = _integers(x)
        bits = builder.bitcast(args[0], integer)
        # After the bits of sqrt(1/2) are subtracted, the bits above the 23 bits of the mantissa are the exponent.
        rest = builder.sub(bits, ir.Constant(integer, [0x3F3504F3] * x.size))
        return builder.sitofp(builder.ashr(rest, ir.Constant(integer, [23] * x.size)), args[0].type)

    return x(x), generate


def exp_minus(x: Any) -> Any:
    """Return ``exp(-x)`` for x >= 0, with an error of at most 2 units in the last place; NaN is propagated.

    The float32 version is a polynomial, because a vector maths library may not be installed. It returns 0 from x = 87.7
    on, where the result would be subnormal. The float64 version is used only by tests and calls the C library.
    """
    raise NotImplementedError("exp_minus can be called only from compiled functions")


@overload(exp_minus, strict=False)
def _exp_minus(x: Any) -> Any:
    if x.dtype == types.float64:
        return lambda x: _library_exp(_negative(x))
    return _exp_minus_float32


def log(x: Any) -> Any:
    """Return the natural logarithm of x >= 1, with a relative error of 2 ulp or an absolute error of 1e-7 at most."""
    raise NotImplementedError("log can be called only from compiled functions")


@overload(log, strict=False)
def _log(x: Any) -> Any:
    if x.dtype == types.float64:
        return lambda x: _library_log(x)
    return _log_float32


@intrinsic
def _negative(typing: Any, a: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fneg(args[0])

    return a(a), generate


@intrinsic
def _at_most(typing: Any, a: Any, limit: Any) -> Any:
    """Return the element-wise minimum of `a` and a number, or NaN where `a` is NaN."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bound = _splat(builder, builder.fptrunc(args[1], ir.FloatType()), a)
        return builder.select(builder.fcmp_ordered(">", args[0], bound), bound, args[0])

    return a(a, types.float64), generate


@intrinsic
def splat(typing: Any, value: Any, like: Any) -> Any:
    """Return a vector of copies of a float64 number, with the type of `like`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        scalar = args[0] if like.dtype == types.float64 else builder.fptrunc(args[0], ir.FloatType())
        return _splat(builder, scalar, like)

    return like(types.float64, like), generate


def _exp_minus_float32(x: Any) -> Any:
    x = _at_most(x, 88.02)
    n = _rint(x * splat(-1.4426950408889634, x))
    # exp(-x) = 2**n * exp(r). n * log(2) is subtracted in two parts, so that r has no rounding error.
    r = fma(n, splat(-0.693359375, x), _negative(x))
    r = fma(n, splat(2.12194440e-4, x), r)
    p = splat(1.0 / 5040, x)
    p = fma(p, r, splat(1.0 / 720, x))
    p = fma(p, r, splat(1.0 / 120, x))
    p = fma(p, r, splat(1.0 / 24, x))
    p = fma(p, r, splat(1.0 / 6, x))
    p = fma(p, r, splat(0.5, x))
    p = fma(p, r, splat(1.0, x))
    p = fma(p, r, splat(1.0, x))
    return p * _power_of_two(n)


def _log_float32(x: Any) -> Any:
    n = _exponent(x)
    m = x * _power_of_two(_negative(n))
    # log(m) = 2 artanh(s) with s = (m - 1) / (m + 1), |s| < 0.172. Five terms of the series suffice for float32.
    s = (m - splat(1.0, x)) / (m + splat(1.0, x))
    q = s * s
    p = splat(2.0 / 9, x)
    p = fma(p, q, splat(2.0 / 7, x))
    p = fma(p, q, splat(2.0 / 5, x))
    p = fma(p, q, splat(2.0 / 3, x))
    p = fma(p, q, splat(2.0, x))
    return fma(n, splat(0.6931471805599453, x), p * s)
