"""Text to integers and back: the one boundary between the decimals of people and the core's units.

Every conversion is exact or a ValueError; nothing is rounded. Floats are refused: 0.1 as a binary
float is not 0.1, and whoever has only a float has lost the number already.
"""

from __future__ import annotations

import re
from decimal import Decimal

PX_MAX = 1 << 40  # BOG_PX_MAX: a price at or above this many ticks is garbage
QTY_MAX = 1 << 48  # BOG_QTY_MAX: the venue's own bound on a base amount, lots
INT64_MAX = (1 << 63) - 1
# digits on either side of the point beyond which a number is a typing error, and its integer huge
_DIGITS_MAX = 40
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)

Number = str | int | Decimal


def parse(value: object) -> Decimal:
    """Return `value` as an exact Decimal.

    Takes an int, a Decimal, or text such as "0.05", "-3", "1e-5". Raises ValueError for everything
    else: float, bool, NaN, infinity, "1_000", "", and numbers of more than 40 digits.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("not a decimal number")
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("not a decimal number")
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError("not a decimal number")
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_DIGITS_MAX or number.adjusted() > _DIGITS_MAX:
        raise ValueError("a number with too many digits")
    return number


def scaled(value: Number, decimals: int, what: str = "number", high: int = INT64_MAX) -> int:
    """Return `value` as a whole number of steps of 10**-decimals.

    Raises ValueError when it is not a number, not a whole number of steps, or beyond `high` steps
    in either direction. Works on ratios of integers: Decimal's own scaling rounds to 28 digits.
    """
    try:
        numerator, denominator = parse(value).as_integer_ratio()
    except ValueError as error:
        raise ValueError(f"{what} {value!s} is {error}") from None
    steps: int = numerator * 10**decimals // denominator
    if numerator * 10**decimals % denominator:
        raise ValueError(f"{what} {value!s} is not a multiple of {text(1, decimals)}")
    if abs(steps) > high:
        raise ValueError(f"{what} {value!s} is too large, at most {text(high, decimals)}")
    return steps


def to_ticks(value: Number, price_decimals: int) -> int:
    """Return a price in ticks: with one decimal "121043.6" is 1_210_436, "121043.65" an error."""
    return scaled(value, price_decimals, "price", PX_MAX - 1)


def to_lots(value: Number, size_decimals: int) -> int:
    """Return a size in lots: with five decimals "0.001" is 100."""
    return scaled(value, size_decimals, "size", QTY_MAX)


def to_quanta(value: Number, price_decimals: int, size_decimals: int) -> int:
    """Return an amount of quote money in quanta of one tick x one lot."""
    return scaled(value, price_decimals + size_decimals, "amount")


def bps_to_ppm(value: Number) -> int:
    """Return basis points as millionths: "0.25" is 25. Below 0.01 bp there is no ppm: an error."""
    return scaled(value, 2, "rate in bps", 2**31 - 1)


def fraction_to_ppm(value: Number) -> int:
    """Return a fraction as millionths: "0.05" is 50_000."""
    return scaled(value, 6, "fraction")


def ms_to_ns(value: Number) -> int:
    """Return milliseconds as nanoseconds."""
    return scaled(value, 6, "duration in ms")


def sec_to_ns(value: Number) -> int:
    """Return seconds as nanoseconds."""
    return scaled(value, 9, "duration in s")


def text(steps: int, decimals: int) -> str:
    """Return `steps` of 10**-decimals as a decimal number, all decimals written out.

    text(1210436, 1) is "121043.6", text(-5, 3) "-0.005", text(7, 0) "7".
    """
    digits = str(abs(steps)).rjust(decimals + 1, "0")
    sign = "-" if steps < 0 else ""
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else sign + digits


def half_text(halves: int, decimals: int) -> str:
    """Return `halves` half steps of 10**-decimals exactly, with one decimal more when it is odd.

    half_text(3, 1) is "0.15", half_text(4, 1) "0.2".
    """
    return text(halves * 5, decimals + 1) if halves % 2 else text(halves // 2, decimals)


def plain(number: Decimal) -> str:
    """Return a Decimal in one canonical spelling: no exponent, no trailing zeros; 1.50 is "1.5"."""
    digits = f"{number:f}"
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "0" if digits in ("-0", "") else digits
