"""Numbers as text, many at a time, to and from single precision.

Eight digits are eight bytes, and a few operations on 64-bit integers make a number of them; the other way, four digits
are looked up at a time.
"""

from __future__ import annotations

import numpy as np

__all__ = ["format_floats", "parse_floats"]

_POWERS = 10.0 ** np.arange(23)  # each exact in double precision
_SLOT = 16
# The text of 0 to 9999 in four digits, as four bytes of one number.
_FOUR_DIGITS = np.array([b"%04d" % i for i in range(10_000)]).view("<u4")
# Which bytes of a slot a number needs, by the number of its decimals; from the 13th on, of a negative one.
_NEEDED = np.array(
    [[True, sign, True, True, *(i < n for i in range(12))] for sign in (False, True) for n in range(13)]
).view(f"V{_SLOT}")[:, 0]


def parse_floats(raw: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parse numbers such as ``-0.0625``, with or without an exponent such as ``e-05``.

    Returns
    -------
    values : float32 array, shape (N,)
    odd : int array, shape (M,)
        The places of numbers in another form, whose values mean nothing.

    Notes
    -----
    The digits make an integer below 2⁵³, divided by a power of ten below 10²³: both are exact in double precision,
    so the quotient is the double nearest to the number, as Python's ``float`` gives it.
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
    whole = raw[points - 1] - np.uint8(48)  # wraps round to a large number for what is no digit
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
    """Return the shortest decimals that read back as the same float32 values, with a space before each.

    Parameters
    ----------
    values : float32 array, shape (N,)

    Returns
    -------
    text : bytes
    lengths : int64 array, shape (N,)
        How many bytes of the text each number takes.

    Notes
    -----
    The digits are tried from eight upwards or downwards: rounded to so many digits, does the number read back the same?
    This is asked in the reader's own arithmetic, an integer divided by a power of ten in double precision.
    Numbers up to 0.0001 and from 9.9 on are spelled one by one.
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
    """Return float32 values times 10 to the power of `decimals`, rounded, and whether that reads back the same."""
    powers = _POWERS[decimals]
    numbers = np.rint(values * powers)
    return numbers, (numbers / powers).astype(np.float32) == values


def _spelled_alone(value: np.float32) -> bytes:
    text = str(value)
    if len(text) >= _SLOT:  # as some between 10**12 and 10**16 are
        text = np.format_float_scientific(value, trim="0")
    return b" " + text.encode()


def _eight_digits(octets: np.ndarray, n_digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number that the last 1 to 8 of eight characters spell, and whether they are all digits."""
    # The first character is the lowest byte: shifting there and back makes zeros of those in front.
    spare = (8 * (8 - n_digits)).astype(np.uint64)
    x = ((octets ^ np.uint64(0x3030303030303030)) >> spare) << spare
    digits = ((x | (x + np.uint64(0x0606060606060606))) & np.uint64(0xF0F0F0F0F0F0F0F0)) == 0
    # Neighbours are joined: eight digits to four pairs, and these, by two products, to the whole.
    x = x * np.uint64(10) + (x >> np.uint64(8))
    mask = np.uint64(0x000000FF000000FF)
    high = (x & mask) * np.uint64(0x000F424000000064)
    low = ((x >> np.uint64(16)) & mask) * np.uint64(0x0000271000000001)
    return (high + low) >> np.uint64(32), digits
