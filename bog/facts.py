"""What the shell knows of a run: its settings, the engine's page, and the names of its codes.

`Page` is what `StatsPage.snapshot()` returns: integers in the core's units. The screen and the
report read the same page, so that they cannot disagree.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, TypedDict

from bog._core.types import (
    Aside,
    Asked,
    ConnectionState,
    FillReason,
    Fit,
    Flattened,
    Halt,
    Level,
    ModelNumber,
    OrderState,
    Reject,
    StrategyState,
    Verdict,
    Violation,
)

# enum bog_quiet: why the strategy leaves a side empty; 0 is quoting. A test compares strategy.h
QUIET = ("quoting", "no_book", "one_sided", "crossed", "price_range", "thin", "spread_min",
         "spread_max", "inventory", "warming", "quota")  # fmt: skip
WHY_VERDICTS = 32  # from here on a reason of the page is a verdict of the gate
KEYS = ("trade", "guard")  # of a gateway, as its link names them
WAITING = 63  # a quote is wanted, and its order does not stand yet


class About(TypedDict):
    """What a result depends on; every report names all of it."""

    symbol: str
    market: int
    price_decimals: int
    size_decimals: int
    mode: str  # "paper", "live" or "dry run"
    feed: str  # "sim active", "huginn", "replay FILE": the data set
    strategy: str
    tier: str  # name and date of the tier's table
    maker_ppm: int
    taker_ppm: int
    fill_model: (
        str  # "queue" (true queue of the built-in market), "risk", "linear", "square", "front"
    )
    through_full: bool
    latency_ns: dict[str, int]  # by leg: net, response, maker, cancel, amend, taker
    seed: int
    config_hash: str
    version: str


class Position(TypedDict):
    """bog_position_t; lots, quanta, half quanta."""

    pos: int
    cost: int
    cash: int
    realized: int
    fees: int
    funding: int
    volume: int
    fills: int
    day: int
    day_open: int
    peak: int
    mark2: int
    trade: int  # low 32 bits of the newest trade id
    funded: int  # Unix second of the venue's newest funding payment that was booked


class Fill(TypedDict):
    """One of the last fills."""

    order_id: int
    trade_id: int
    side: int
    px: int
    qty: int
    fee: int
    reason: int
    time_ns: int
    venue_ns: int


class Order(TypedDict):
    """One of our orders."""

    id: int
    side: int
    state: int
    px: int
    qty: int
    filled: int
    sent_ns: int
    acked_ns: int


class Latency(TypedDict):
    """Percentiles of a histogram, ns."""

    count: int
    p50: int
    p99: int
    p999: int
    max: int


class Markout(TypedDict):
    """Sum over the fills of one horizon, side and reason: half quanta and quanta."""

    horizon_ns: int
    side: int
    reason: int
    value: int
    notional: int
    fills: int


class Measure(TypedDict):
    """bog_measure_t; half quanta for capture, inventory, start and drawdown."""

    capture: int
    inventory: int
    fees: int
    funding: int
    pos: int
    mid2: int
    start: int
    drawdown: int
    volume: int
    fills: list[int]
    filled: list[int]
    sent: list[int]
    by_reason: list[int]
    markouts: list[Markout]
    markout_excluded: list[int]
    first_ns: int
    last_ns: int
    both_ns: int
    touch_ns: list[int]
    idle_ns: list[dict[int, int]]
    limit_ns: int
    pos_dt: float
    abs_dt: float
    sq_dt: float


class Page(TypedDict):
    """StatsPage.snapshot(): the part that people read."""

    run: int
    state: int
    beat_mono: int  # CLOCK_MONOTONIC when the engine last showed itself, ns
    turns: int
    now_ns: int
    start_ns: int
    alive_ns: int
    bid: int
    bid_qty: int
    ask: int
    ask_qty: int
    mark2: int
    quote_px: list[int]
    quote_qty: list[int]
    why: list[int]
    level: int
    halt: int
    halt_id: int
    asks: int  # requests of operators that the engine has taken
    aside: int  # what an operator asked for and is under way, bits
    limit: list[int]  # in force, by Limit
    configured: list[int]  # of a limit that was tightened; else 0
    tightened_by: list[int]  # and the user who did
    stale: int
    strategy: int  # StrategyState
    connection: int  # ConnectionState
    quota: int
    sigma_q8: list[int]  # of 100 ms and of 1 s, 1/256 tick
    number_q16: list[int]  # by ModelNumber
    equity2: int
    daily2: int
    peak2: int
    unrealized2: int
    position: Position
    orders: list[Order]
    order_states: list[int]  # orders that may still fill, by OrderState
    reports_due: int
    creates: list[list[int]]  # by side and Tif
    amends: list[int]
    recent_fills: list[Fill]
    denied: list[int]
    rejected: list[int]
    turn: Latency
    order_turn: Latency
    measure: Measure
    rows: int
    books: int
    invalid: int
    crossed: int
    trades: int
    gaps: int
    laps: int
    placed: int
    amended: int
    canceled: int
    cancel_all: int
    cancels_done: int
    rejects: int
    fills: int
    expired: int
    unknown: int
    violations: int
    no_prints: int
    pessimistic: int
    journal_seq: int
    journal_durable: int
    journal_waits: int
    progress: int
    progress_of: int


def _name(kind: type[IntEnum], code: int, prefix: str) -> str:
    # by looking through the members: an enum of Cython makes a nameless member of any number
    found = (name for name, member in kind.__members__.items() if member == code)
    return next(found, f"{kind.__name__} {code}").removeprefix(prefix)


def side_name(side: int) -> str:
    """Return "buy" for a bid, "sell" for an ask."""
    return "sell" if side else "buy"


def fill_reason(code: int) -> str:
    """Return how a fill came about: queue, through, cross, taker, match."""
    return _name(FillReason, code, "FILL_").lower()


def is_alive(state: int) -> bool:
    """Return whether an order of this state may still fill: everything not proven dead."""
    return OrderState.ORDER_FREE < state < OrderState.ORDER_FILLED


def order_state(code: int) -> str:
    """Return the state of an order: resting, cancel_sent."""
    return _name(OrderState, code, "ORDER_").lower()


def verdict_name(code: int) -> str:
    """Return the gate's reason as its counter and its metric label spell it: DENY_POSITION."""
    return _name(Verdict, code, "")


def reject_name(code: int) -> str:
    """Return the venue's reason: REJ_POST_ONLY."""
    return _name(Reject, code, "")


def halt_name(code: int) -> str:
    """Return why trading is halted: DAILY_LOSS."""
    return _name(Halt, code, "HALT_")


def violation_name(code: int) -> str:
    """Return what the market breaker holds against a book: spread, move, price; none."""
    return _name(Violation, code, "VIOLATION_").lower()


def connection_name(code: int) -> str:
    """Return the state of the resilience breaker: closed, open, half_open."""
    return _name(ConnectionState, code, "CONNECTION_").lower()


def level_name(code: int) -> str:
    """Return the run level: RUN, PAUSED, DRAIN, KILLED."""
    return _name(Level, code, "LEVEL_")


def asked_name(code: int) -> str:
    """Return what an operator asked for: cancel_all, flatten, hold."""
    return _name(Asked, code, "ASKED_").lower()


def flattened_name(code: int) -> str:
    """Return why flattening is over: flat, dust, held, halted."""
    return _name(Flattened, code, "FLATTENED_").lower()


def flattening(aside: int) -> bool:
    """Return whether an operator's flattening is under way, or about to be."""
    return bool(aside & (Aside.ASIDE_FLATTEN | Aside.ASIDE_REDUCE))


def strategy_state(code: int) -> str:
    """Return where a strategy is in its life: init, warming, active, paused, draining, stopped."""
    return _name(StrategyState, code, "STRATEGY_").lower()


def model_number(code: int) -> str:
    """Return a number of the model: half, skew, sigma, arrivals, decay, fit."""
    return _name(ModelNumber, code, "NUMBER_").lower()


def fit_name(code: int) -> str:
    """Return where A and k come from, or why the newest fit is refused: few, rising."""
    return _name(Fit, code, "FIT_").lower()


def why_name(code: int) -> str:
    """Return why a side is not quoted: a word of the strategy, or a verdict of the gate."""
    if code == WAITING:
        return "waiting"
    if code >= WHY_VERDICTS:
        return verdict_name(code - WHY_VERDICTS)
    return QUIET[code] if code < len(QUIET) else f"quiet {code}"


def counted(counts: list[int], name: Any, skip: int = 1) -> dict[str, int]:
    """Return the counters that are not zero by name; the first `skip` mean nothing happened."""
    return {name(code): n for code, n in enumerate(counts) if n and code >= skip}
