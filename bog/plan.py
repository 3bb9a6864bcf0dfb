"""What one feed process is asked to do: its command line, refused when it contradicts itself."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from bog._core.shm import PREFIX
from bog.errors import UsageError

REPLAY = "replay:"
LOOP = "loop:"
LIGHTER = "lighter"
FASTEST = "max"
SPEED_MOST = 1_000_000


@dataclass(frozen=True)
class Plan:
    """What one feed process does, as its command line says it."""

    markets: tuple[int, ...]
    source: str  # "sim", "replay:FILE", "loop:FILE" or "lighter"
    speed: tuple[int, int]  # numerator and denominator; (0, 1) is as fast as possible
    directory: str
    prefix: str = PREFIX
    seed: int = 1
    preset: str = "active"
    script: str = ""
    duration_ns: int = 0  # of the source's time; 0 for all of it
    record: str | None = None
    dump: str | None = None
    price_decimals: int | None = None
    size_decimals: int | None = None
    spin: bool = False
    url: str | None = None  # of the venue's stream; None: [feed.lighter]
    rest_url: str | None = None  # None: the configured one, or that on the host of `url`
    parent: int = 0  # process whose child this feed is: it dies with it, and only it may stop it


def parse_speed(text: str) -> tuple[int, int]:
    """Return a speed as (numerator, denominator), exactly; (0, 1) for "max".

    "2.5" is (5, 2). UsageError unless it is above 0 and at most 1000000.
    """
    if text == FASTEST:
        return 0, 1
    try:
        speed = Decimal(text)
    except InvalidOperation:
        speed = Decimal(0)
    if not speed.is_finite() or not Decimal("0.000001") <= speed <= SPEED_MOST:
        raise UsageError(
            f"--speed {text!r} is neither {FASTEST!r} nor a number from 0.000001 to {SPEED_MOST}"
        )
    return speed.as_integer_ratio()


def replay_path(plan: Plan, market: int) -> str | None:
    """Return the recording that a market replays, None for the built-in market and the venue.

    UsageError for a source that does not exist.
    """
    for prefix in (REPLAY, LOOP):
        if plan.source.startswith(prefix) and plan.source != prefix:
            return file_of(plan.source.removeprefix(prefix), market)
    if plan.source in ("sim", LIGHTER):
        return None
    raise UsageError(f"--source {plan.source!r} is not sim, replay:FILE, loop:FILE or lighter")


def file_of(text: str, market: int) -> str:
    """Return a file name of the command line with its {market} filled in."""
    return text.replace("{market}", str(market))


def check(plan: Plan) -> None:
    """Refuse a plan that contradicts itself, before anything is opened or created."""
    if not plan.markets:
        raise UsageError("--market is missing: name at least one")
    for market in plan.markets:
        if not 0 <= market < 1_000_000:
            raise UsageError(f"--market {market} is not between 0 and 999999")
        replay_path(plan, market)
    if len(set(plan.markets)) != len(plan.markets):
        raise UsageError("--market names one market twice")
    if plan.source == LIGHTER:
        if plan.speed != (1, 1):
            raise UsageError("--speed is for recordings and the built-in market, not for lighter")
        if plan.spin:
            raise UsageError("--hft is for recordings and the built-in market, not for lighter")
    elif plan.url is not None or plan.rest_url is not None:
        raise UsageError(f"--url and --rest-url are for --source lighter, not for {plan.source}")
    for flag, name in (("--record", plan.record), ("--dump", plan.dump)):
        if name is not None and len(plan.markets) > 1 and "{market}" not in name:
            raise UsageError(f"{flag} {name}: several markets need a name with {{market}} in it")
