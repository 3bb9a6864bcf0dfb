"""The limits that an operator may tighten: their names in [risk], and their numbers as people write them.

In the core's units a rate is in requests a minute; the configuration has it in requests a second. An
account's tier may leave less than one a second, so that an operator may write a fraction there.
"""

from __future__ import annotations

from bog._core.types import Limit
from bog.errors import UsageError
from bog.units import scaled, text

BASE, QUOTE, FRACTION, COUNT, PER_SECOND = "base", "quote", "fraction", "count", "per second"
UNITS = {
    Limit.LIMIT_MAX_POSITION: BASE,
    Limit.LIMIT_MAX_SHORT: BASE,
    Limit.LIMIT_MAX_ORDER_SIZE: BASE,
    Limit.LIMIT_MAX_NOTIONAL: QUOTE,
    Limit.LIMIT_MAX_EXPOSURE_QUOTE: QUOTE,
    Limit.LIMIT_MAX_DAILY_LOSS: QUOTE,
    Limit.LIMIT_MAX_DRAWDOWN: FRACTION,
    Limit.LIMIT_MAX_OPEN_ORDERS: COUNT,
    Limit.LIMIT_RATE_LIMIT_ORDERS_PER_SEC: PER_SECOND,
    Limit.LIMIT_COLLAR: FRACTION,
}
NAMES = {limit.name.removeprefix("LIMIT_").lower(): limit for limit in UNITS}


def limit_name(code: int) -> str:
    """Return the name of a limit as the configuration spells it: max_position."""
    return next((name for name, limit in NAMES.items() if limit == code), f"limit {code}")


def _decimals(unit: str, price_decimals: int, size_decimals: int) -> int:
    of = {BASE: size_decimals, QUOTE: price_decimals + size_decimals, FRACTION: 6, PER_SECOND: 2}
    return of.get(unit, 0)


def limit_steps(name: str, value: str, price_decimals: int, size_decimals: int) -> int:
    """Return a limit as an operator writes it in the core's units, exactly.

    UsageError for another name, and for what is no number of the limit's decimals above 0.
    """
    if name not in NAMES:
        raise UsageError(f"limit {name}: want one of {', '.join(NAMES)}")
    unit = UNITS[NAMES[name]]
    decimals = _decimals(unit, price_decimals, size_decimals)
    try:
        steps = scaled(value, decimals, name)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if steps <= 0:
        raise UsageError(f"{name} {value} is not above 0: bog-ctl pause stops quoting altogether")
    if unit != PER_SECOND:
        return steps
    scale: int = 10**decimals
    a_minute, rest = divmod(60 * steps, scale)
    if rest:
        raise UsageError(f"{name} {value} is no whole number of requests a minute")
    return a_minute


def limit_text(code: int, steps: int, price_decimals: int, size_decimals: int) -> str:
    """Return a limit of the core as people read it, all decimals written out.

    A rate that is no whole number a second, as an account's tier may leave one, has two decimals and
    is rounded down. A limit that is none is the number itself.
    """
    unit = next((unit for limit, unit in UNITS.items() if limit == code), COUNT)
    if unit != PER_SECOND:
        return text(steps, _decimals(unit, price_decimals, size_decimals))
    return text(steps * 100 // 60, 2) if steps % 60 else str(steps // 60)
