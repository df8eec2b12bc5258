"""Vectorised conversion between decimal text and float32 numbers.

Parsing combines eight digits at a time with a few operations on 64-bit integers. Formatting looks up four digits at a
time in a table.
"""

from __future__ import annotations

import numpy as np

__all__ = ["format_floats", "parse_floats"]

_POWERS = 10.0 ** np.arange(23)  # all exact in double precision
_SLOT = 16  # bytes reserved for the text of one number
# The numbers 0 to 9999 as text of four digits, stored in the four bytes of an integer.
_FOUR_DIGITS = np.array([b"%04d" % i for i in range(10_000)]).view("<u4")
# Which bytes of a slot are used, by the number of decimals: 13 rows for positive numbers, then 13 for negative ones.
_NEEDED = np.array(
    [[True, sign, True, True, *(i < n for i in range(12))] for sign in (False, True) for n in range(13)]
).view(f"V{_SLOT}")[:, 0]


def parse_floats(raw: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parse decimal numbers such as ``-0.0625`` and ``1.5e-05``.

    Parameters
    ----------
    raw : uint8 array
        Text, with at least 16 bytes of padding at both ends.
    starts, ends : int array, shape (N,)
        Number i is ``raw[starts[i]:ends[i]]``.

    Returns
    -------
    values : float32 array, shape (N,)
    odd : int array, shape (M,)
        Indices of numbers in any other form, such as ``nan``. Their values are undefined.

    Notes
    -----
    The digits form an integer below 2⁵³, which is divided by a power of ten below 10²³. Both the integer and the power
    are exact in double precision, so the quotient is the double nearest to the number, as in Python's ``float``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.formats.float_text import parse_floats
    >>> raw = np.frombuffer(bytes(16) + b"-0.0625 2.5e-01 nan" + bytes(16), np.uint8)
    >>> values, odd = parse_floats(raw, starts=np.array([16, 24, 32]), ends=np.array([23, 31, 35]))
    >>> values[:2].tolist(), odd.tolist()
    ([-0.0625, 0.25], [2])
    """
    negative = raw[starts] == 45
    points = starts + negative + 1
    exponents = np.zeros(len(starts), dtype=np.int64)
    scaled = np.flatnonzero((raw[ends - 4] == 101) & (raw[ends - 3] == 45) & (ends - points > 5))
    if len(scaled):
        tens, ones = (raw[ends[scaled] - place].astype(np.int64) - 48 for place in (2, 1))
        digits = (tens >= 0) & (tens <= 9) & (ones >= 0) & (ones <= 9)
        scaled, exponents[scaled[digits]] = scaled[digits], (10 * tens + ones)[digits]
        ends = ends.copy()
        ends[scaled] -= 4
    n_digits = ends - points - 1
    whole = raw[points - 1] - np.uint8(48)  # wraps around to a large number for anything but a digit
    regular = (raw[points] == 46) & (whole <= 9) & (n_digits >= 1) & (n_digits <= 14)
    n_digits = np.clip(n_digits, 1, 14)
    decimals = n_digits + exponents
    regular &= decimals <= 22
    octets: np.ndarray = np.ndarray((len(raw) - 7,), "<u8", raw, strides=(1,))
    digits, good = _eight_digits(octets[ends - 8], np.minimum(n_digits, 8))
    number = digits.astype(np.int64)
    regular &= good
    long = np.flatnonzero(n_digits > 8)
    if len(long):
        digits, good = _eight_digits(octets[ends[long] - 16], n_digits[long] - 8)
        number[long] += 100_000_000 * digits.astype(np.int64)
        regular[long] &= good
    values = whole * _POWERS[n_digits] + number
    values /= _POWERS[np.minimum(decimals, 22)]
    np.negative(values, out=values, where=negative)
    return values.astype(np.float32), np.flatnonzero(~regular)


def format_floats(values: np.ndarray) -> tuple[bytes, np.ndarray]:
    """Return the shortest decimal text of each float32 value that reads back exactly, with a space before each number.

    Parameters
    ----------
    values : float32 array, shape (N,)

    Returns
    -------
    text : bytes
    lengths : int64 array, shape (N,)
        Number of bytes of each number, including the space.

    Notes
    -----
    The number of digits is found by trial. It starts at eight and is raised or lowered to the smallest number of digits
    that reads back exactly. Each trial uses the arithmetic of `parse_floats`: an integer is divided by a power of ten
    in double precision. Numbers whose magnitude is at most 0.0001 or at least 9.9 are formatted one by one.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.formats.float_text import format_floats
    >>> text, lengths = format_floats(np.array([0.1, -2.5, 1e-20], np.float32))
    >>> text, lengths.tolist()
    (b' 0.1 -2.5 1e-20', [4, 5, 6])
    """
    sizes = np.abs(values)
    regular = (sizes > 1e-4) & (sizes < 9.9)
    sizes = np.where(regular, sizes, np.float32(1))
    decimals = 7 + (sizes < 1).astype(np.int64) + (sizes < 0.1) + (sizes < 0.01) + (sizes < 0.001)
    numbers, exact = _rounded(sizes, decimals)
    longer = np.flatnonzero(~exact)
    decimals[longer] += 1
    numbers[longer], _ = _rounded(sizes[longer], decimals[longer])
    shorter = np.flatnonzero(exact)
    while len(shorter):
        fewer = decimals[shorter] - 1
        tried, exact = _rounded(sizes[shorter], fewer)
        exact &= fewer >= 1
        shorter = shorter[exact]
        numbers[shorter], decimals[shorter] = tried[exact], fewer[exact]
    slots = np.empty((len(values), 4), "<u4")
    digits = (numbers * _POWERS[12 - decimals]).astype(np.int64)
    high = (digits // 10**8).astype(np.uint32)
    low = (digits - high * np.int64(10**8)).astype(np.uint32)
    wholes, middle = high // 10_000, low // 10_000
    slots[:, 0] = (wholes << 16) + int.from_bytes(b" -0.", "little")
    slots[:, 1] = _FOUR_DIGITS[high - wholes * 10_000]
    slots[:, 2] = _FOUR_DIGITS[middle]
    slots[:, 3] = _FOUR_DIGITS[low - middle * 10_000]
    text = slots.view(np.uint8)
    negative = np.signbit(values)
    needed = _NEEDED[decimals + 13 * negative].view(bool).reshape(-1, _SLOT)
    lengths = decimals + negative + 3
    odd = np.flatnonzero(~regular)
    if len(odd):
        texts = np.array([_spelled_alone(value) for value in values[odd]], dtype=f"S{_SLOT}")
        text[odd] = texts.view(np.uint8).reshape(-1, _SLOT)
        needed[odd] = text[odd] != 0
        lengths[odd] = np.count_nonzero(needed[odd], axis=1)
    return text[needed].tobytes(), lengths


def _rounded(values: np.ndarray, decimals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values · 10**decimals, rounded to integers, and whether each integer reads back as the same float32."""
    powers = _POWERS[decimals]
    numbers = np.rint(values * powers)
    return numbers, (numbers / powers).astype(np.float32) == values


def _spelled_alone(value: np.float32) -> bytes:
    text = str(value)
    if len(text) >= _SLOT:  # for example some numbers between 10**12 and 10**16
        text = np.format_float_scientific(value, trim="0")
    return b" " + text.encode()


def _eight_digits(octets: np.ndarray, n_digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number formed by the last `n_digits` of eight characters, and whether these are all digits."""
    # The first character is the lowest byte. Shifting right and left again replaces the leading characters with zeros.
    spare = (8 * (8 - n_digits)).astype(np.uint64)
    x = ((octets ^ np.uint64(0x3030303030303030)) >> spare) << spare
    digits = ((x | (x + np.uint64(0x0606060606060606))) & np.uint64(0xF0F0F0F0F0F0F0F0)) == 0
    # Adjacent digits are combined into four pairs, and two products combine the pairs into the number.
    x = x * np.uint64(10) + (x >> np.uint64(8))
    mask = np.uint64(0x000000FF000000FF)
    high = (x & mask) * np.uint64(0x000F424000000064)
    low = ((x >> np.uint64(16)) & mask) * np.uint64(0x0000271000000001)
    return (high + low) >> np.uint64(32), digits
