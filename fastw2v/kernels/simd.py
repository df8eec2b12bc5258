"""Sixteen numbers at a time: a vector type for Numba functions, and the few operations that the kernels need.

LLVM vectorises plain loops well when they touch one or two arrays, but it will not keep a 4 × 4 block of
products in registers while it walks along the rows, and that block is where a kernel's time goes. So the inner
loops say what they mean: a `Lanes` value is sixteen float32 (or float64) numbers, one AVX-512 register or two AVX2
registers or four NEON ones, whatever the processor has: LLVM splits it. Arrays are addressed by the offset of an
element from the start of their data, whatever their number of dimensions; nothing is checked.

Numba's cache of a compiled kernel knows only the kernel's own file: after a change here, touch `stretch.py`.
"""

# mypy: disable-error-code="untyped-decorator,misc"
from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES = 16
"""Numbers in a vector. Rows are padded to a multiple of it."""

_INT32 = ir.IntType(32)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function and keep its machine code, beside its file or in the user's cache folder."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # neither can be written: compile in every process
        return njit(nogil=True)(function)


class Lanes(types.Type):
    """Numba's name for sixteen numbers of one floating type."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(name=f"Lanes({dtype})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        super().__init__(manager, lanes, _vector_type(lanes.dtype))


def _vector_type(dtype: Any) -> Any:
    return ir.VectorType(ir.DoubleType() if dtype == types.float64 else ir.FloatType(), LANES)


def _element(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Return the pointer to one element."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _constant(dtype: Any, value: float) -> Any:
    return ir.Constant(_vector_type(dtype), [value] * LANES)


def _shuffle(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INT32, len(places)), places))


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """Return the sixteen elements that start at offset `index`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, array, args[0], args[1])
        vector = _vector_type(array.dtype)
        return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=array.dtype.bitwidth // 8)

    return Lanes(array.dtype)(array, types.intp), generate


@intrinsic
def store(typing: Any, array: Any, index: Any, lanes: Any) -> Any:
    """Write sixteen elements from offset `index`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, array, args[0], args[1])
        vector = _vector_type(array.dtype)
        builder.store(args[2], builder.bitcast(pointer, vector.as_pointer()), align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@intrinsic
def spread(typing: Any, array: Any, index: Any) -> Any:
    """Return sixteen copies of the element at offset `index`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = builder.load(_element(context, builder, array, args[0], args[1]))
        return _splat(builder, value, array.dtype)

    return Lanes(array.dtype)(array, types.intp), generate


def _splat(builder: Any, value: Any, dtype: Any) -> Any:
    empty = ir.Constant(_vector_type(dtype), ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(_INT32, 0))
    return _shuffle(builder, first, empty, [0] * LANES)


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Return ``a * b + c``, in one instruction and one rounding where the processor has it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        product = builder.fmul(args[0], args[1], flags=("contract",))
        return builder.fadd(product, args[2], flags=("contract",))

    return a(a, a, a), generate


@intrinsic
def larger(typing: Any, a: Any, b: Any) -> Any:
    """Return the larger of each pair; NaN where `a` is NaN, so that nothing hides it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[1], args[0])

    return a(a, a), generate


@intrinsic
def where_positive(typing: Any, x: Any, a: Any, b: Any) -> Any:
    """Return `a` where `x` is above zero and `b` elsewhere."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        positive = builder.fcmp_ordered(">", args[0], _constant(x.dtype, 0.0))
        return builder.select(positive, args[1], args[2])

    return x(x, x, x), generate


@intrinsic
def fold_pairs(typing: Any, a: Any, b: Any) -> Any:
    """Return the sums of neighbouring numbers, group of four by group of four: a0+a1, a2+a3, b0+b1, b2+b3.

    Groups of four are what x86 shuffles cheaply: two of these per cycle instead of one.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        even = [g + k for g in range(0, LANES, 4) for k in (0, 2, LANES, LANES + 2)]
        return _fold(builder, args, even, [k + 1 for k in even])

    return a(a, a), generate


@intrinsic
def fold_groups(typing: Any, a: Any, b: Any) -> Any:
    """Return the sums of neighbouring groups of four: a's first and second, third and fourth, then b's."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        even = [g + k for g in (0, 8, LANES, LANES + 8) for k in range(4)]
        return _fold(builder, args, even, [k + 4 for k in even])

    return a(a, a), generate


def _fold(builder: Any, args: Any, even: list[int], odd: list[int]) -> Any:
    a, b = args
    return builder.fadd(_shuffle(builder, a, b, even), _shuffle(builder, a, b, odd))


@intrinsic
def total(typing: Any, a: Any) -> Any:
    """Return the sum of the sixteen numbers as a float64, added up in float64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = args[0]
        double = _vector_type(types.float64)
        value = value if a.dtype == types.float64 else builder.fpext(value, double)
        width = LANES
        while width > 1:
            width //= 2
            low = _shuffle(builder, value, value, list(range(width)))
            value = builder.fadd(low, _shuffle(builder, value, value, list(range(width, 2 * width))))
        return builder.extract_element(value, ir.Constant(_INT32, 0))

    return types.float64(a), generate


@intrinsic
def prefetch(typing: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of one element, which will be read and written soon."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.bitcast(_element(context, builder, array, args[0], args[1]), cgutils.voidptr_t)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, _INT32, _INT32, _INT32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        flags = [ir.Constant(_INT32, k) for k in (1, 3, 1)]  # to be written, into every level, data
        builder.call(function, [pointer, *flags])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _arithmetic(name: str) -> Any:
    @intrinsic
    def operation(typing: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, name)(*args)

        return a(a, a), generate

    return operation


def _operator(symbol: Any, name: str) -> None:
    operation = _arithmetic(name)

    @overload(symbol, strict=False)
    def _(a: Any, b: Any) -> Any:
        if isinstance(a, Lanes) and isinstance(b, Lanes):
            return lambda a, b: operation(a, b)
        return None


_operator(operator.add, "fadd")
_operator(operator.sub, "fsub")
_operator(operator.mul, "fmul")
_operator(operator.truediv, "fdiv")


def _unary(name: str) -> Any:
    @intrinsic
    def operation(typing: Any, a: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = _vector_type(a.dtype)
            full_name = f"{name}.v{LANES}f{a.dtype.bitwidth}"
            function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector]), full_name)
            return builder.call(function, args)

        return a(a), generate

    return operation


magnitude = _unary("llvm.fabs")
_rint = _unary("llvm.rint")
_library_exp = _unary("llvm.exp")
_library_log = _unary("llvm.log")


@intrinsic
def _power_of_two(typing: Any, n: Any) -> Any:
    """Return 2**n for whole n from -126 to 127, and 0 for -127, by writing float32's exponent bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integer = ir.VectorType(_INT32, LANES)
        biased = builder.add(builder.fptosi(args[0], integer), ir.Constant(integer, [127] * LANES))
        return builder.bitcast(builder.shl(biased, ir.Constant(integer, [23] * LANES)), args[0].type)

    return n(n), generate


@intrinsic
def _exponent(typing: Any, x: Any) -> Any:
    """Return n with ``x = m * 2**n`` and m from sqrt(1/2) to sqrt(2); x is float32, normal and positive."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integer = ir.VectorType(_INT32, LANES)
        bits = builder.bitcast(args[0], integer)
        # The bits of sqrt(1/2) subtracted: what is left above the 23 bits of the mantissa is the exponent.
        rest = builder.sub(bits, ir.Constant(integer, [0x3F3504F3] * LANES))
        return builder.sitofp(builder.ashr(rest, ir.Constant(integer, [23] * LANES)), args[0].type)

    return x(x), generate


def exp_minus(x: Any) -> Any:
    """Return ``exp(-x)`` for x >= 0, rounded to within 2 units in the last place; NaN stays NaN.

    float32 has a polynomial, as no vector library can be counted on; it is 0 from x = 87.7, where exp leaves the
    normal numbers. float64 is for tests and asks the C library.
    """
    raise NotImplementedError("for use inside compiled functions")


@overload(exp_minus, strict=False)
def _exp_minus(x: Any) -> Any:
    if x.dtype == types.float64:
        return lambda x: _library_exp(_negative(x))
    return lambda x: _exp_minus_float32(x)


def log(x: Any) -> Any:
    """Return the natural logarithm of x >= 1, to within 2 units in the last place or 1e-7; NaN stays NaN."""
    raise NotImplementedError("for use inside compiled functions")


@overload(log, strict=False)
def _log(x: Any) -> Any:
    if x.dtype == types.float64:
        return lambda x: _library_log(x)
    return lambda x: _log_float32(x)


@intrinsic
def _negative(typing: Any, a: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fneg(args[0])

    return a(a), generate


@intrinsic
def _at_most(typing: Any, a: Any, limit: Any) -> Any:
    """Return the smaller of `a` and a number; NaN where `a` is NaN."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bound = _splat(builder, builder.fptrunc(args[1], ir.FloatType()), a.dtype)
        return builder.select(builder.fcmp_ordered(">", args[0], bound), bound, args[0])

    return a(a, types.float64), generate


@intrinsic
def number(typing: Any, value: Any, like: Any) -> Any:
    """Return sixteen copies of a float64 number, in the type of `like`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        scalar = args[0] if like.dtype == types.float64 else builder.fptrunc(args[0], ir.FloatType())
        return _splat(builder, scalar, like.dtype)

    return like(types.float64, like), generate


@njit
def _exp_minus_float32(x: Any) -> Any:
    x = _at_most(x, 88.02)
    n = _rint(x * number(-1.4426950408889634, x))
    # exp(-x) = 2**n * exp(r); n * log(2) is taken off in two parts, so that r has no rounding error.
    r = fma(n, number(-0.693359375, x), _negative(x))
    r = fma(n, number(2.12194440e-4, x), r)
    p = number(1.0 / 5040, x)
    p = fma(p, r, number(1.0 / 720, x))
    p = fma(p, r, number(1.0 / 120, x))
    p = fma(p, r, number(1.0 / 24, x))
    p = fma(p, r, number(1.0 / 6, x))
    p = fma(p, r, number(0.5, x))
    p = fma(p, r, number(1.0, x))
    p = fma(p, r, number(1.0, x))
    return p * _power_of_two(n)


@njit
def _log_float32(x: Any) -> Any:
    n = _exponent(x)
    m = x * _power_of_two(_negative(n))
    # log(m) = 2 artanh(s), s = (m - 1) / (m + 1), |s| < 0.172: five terms of its series reach float32.
    s = (m - number(1.0, x)) / (m + number(1.0, x))
    q = s * s
    p = number(2.0 / 9, x)
    p = fma(p, q, number(2.0 / 7, x))
    p = fma(p, q, number(2.0 / 5, x))
    p = fma(p, q, number(2.0 / 3, x))
    p = fma(p, q, number(2.0, x))
    return fma(n, number(0.6931471805599453, x), p * s)
