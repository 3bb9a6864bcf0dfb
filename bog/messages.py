"""What the telemetry bus says: the type of every message, and how a page or a record becomes one.

A message has a topic, `bog.MARKET.NAME`, and one JSON object: `Head`, then the fields of its name in
STATES or EVENTS. docs/formats.md has the same tables. Prices, sizes and money are exact decimals in
text; nothing is a binary float. VERSION grows when a field goes or changes its meaning, not when one
is added.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NewType, NotRequired, TypedDict

from bog import facts
from bog._core.stats import RunState
from bog.facts import About, Page
from bog.speaker import Said
from bog.status import orders_of, pnl_of, quotes_of
from bog.units import half_text, text

VERSION = 1
PREFIX = "bog"
# what moves at each look by itself: no reason to say the rest again
AGES = ("feed_age_ms", "beat_age_ms")

Exact = NewType("Exact", str)  # a decimal number, all its digits
Time = NewType("Time", str)  # UTC, microseconds: 2026-11-22T18:00:00.123456Z


class Head(TypedDict):
    """What every message begins with."""

    v: int
    seq: int
    start: int
    time: Time
    market: int


class Book(TypedDict):
    """`book`: the touch as the engine sees it; null where a side is empty."""

    bid: Exact | None
    bid_size: Exact
    ask: Exact | None
    ask_size: Exact
    mid: Exact | None
    spread: Exact | None
    imbalance_ppm: int | None


class Quote(TypedDict):
    """One side of `quotes`."""

    price: Exact
    size: Exact
    why_not: str


class Quotes(TypedDict):
    """`quotes`: what is wanted on each side, or why nothing is."""

    buy: Quote
    sell: Quote


class Order(TypedDict):
    """One order of `orders`."""

    id: int
    side: str
    state: str
    price: Exact
    size: Exact
    filled: Exact


class Orders(TypedDict):
    """`orders`: everything not proven dead."""

    orders: list[Order]


class Pnl(TypedDict):
    """`pnl`: position and profit, in base and quote."""

    position: Exact
    pnl: Exact
    pnl_today: Exact
    realized: Exact
    unrealized: Exact
    fees: Exact
    funding: Exact
    mark: Exact
    fills: int


class State(TypedDict):
    """`state`: how the run does. Said each second at least, also when nothing trades."""

    run: int
    state: str
    level: str
    halt: str
    halt_id: int
    strategy: str
    connection: str
    feed_stale: bool
    feed_age_ms: int
    beat_age_ms: int
    gaps: int


class Event(TypedDict):
    """What every record of the journal begins with, after `Head`."""

    record: int
    event_time: Time | None
    severity: str
    message: str


class NoMore(Event):
    """A record that says all by its name."""


class OfOrder(Event):
    order: int
    side: str


class Refused(OfOrder):
    reason: NotRequired[str]


class Sized(OfOrder):
    price: Exact
    size: Exact


class Ack(OfOrder):
    venue_order: int


class Fill(Sized):
    fee: Exact
    reason: str
    position: Exact


class Allowed(Event):
    side: str


class Denied(Event):
    side: str
    reason: str
    price: NotRequired[Exact]
    size: NotRequired[Exact]


class Run(Event):
    run: int


class Ready(Event):
    position: Exact


class Adopt(Event):
    """A run began with the venue's position instead of the journal's."""

    position: Exact
    cost: Exact


class Funding(Event):
    amount: Exact
    price: Exact
    position: Exact


class Peak(Event):
    profit: Exact


class Day(Event):
    amount: Exact


class Halted(Event):
    halt: int
    reason: str
    value: int


class ClearHalt(Event):
    halt: int


class LevelSet(Event):
    state: str


class Gap(Event):
    missed: int


class Stale(Event):
    age_ms: Exact


class Epoch(Event):
    epoch: int


class Breaker(Event):
    reason: str
    violations: int
    mid: Exact
    reference: Exact


class Changed(Event):
    state: str
    before: str


class Fit(Event):
    reason: str


class Model(Event):
    number: str
    value: Exact


class LimitSet(Event):
    limit: str
    amount: Exact
    uid: int


class Asked(Event):
    command: str
    uid: int


class Flattened(Event):
    reason: str
    position: Exact


class End(Event):
    exit_code: int


# from the stats page: said when they change, and each second
STATES: dict[str, type] = {
    "book": Book, "quotes": Quotes, "orders": Orders, "pnl": Pnl, "state": State,
}  # fmt: skip
# from the journal: said when they are on disk, once
EVENTS: dict[str, type] = {
    "place": Sized, "amend": Sized, "amended": Sized, "cancel": OfOrder, "cancel_all": NoMore,
    "ack": Ack, "reject": Refused, "fill": Fill, "canceled": Refused, "expired": OfOrder,
    "unknown": OfOrder, "allowed": Allowed, "denied": Denied, "run": Run, "ready": Ready,
    "adopt": Adopt, "funding": Funding, "peak": Peak, "day": Day, "halt": Halted, "clear_halt": ClearHalt,
    "level": LevelSet, "gap": Gap, "stale": Stale, "fresh": NoMore, "epoch": Epoch,
    "breaker": Breaker, "connection": Changed, "strategy": Changed, "fit": Fit, "model": Model,
    "limit": LimitSet, "asked": Asked, "flattened": Flattened, "end": End, "unknown_record": NoMore,
}  # fmt: skip
MESSAGES = STATES | EVENTS


def topic(market: int, name: str) -> str:
    """Return the first frame of a message."""
    return f"{PREFIX}.{market}.{name}"


def states(page: Page, about: About, mono_ns: int) -> dict[str, dict[str, Any]]:
    """Return what the page says at CLOCK_MONOTONIC `mono_ns`, by the names in STATES."""
    return {
        "book": {**book(page, about)},
        "quotes": quotes_of(page, about),
        "orders": {"orders": orders_of(page, about)},
        "pnl": {
            **pnl_of(page, about),
            "mark": half_text(page["mark2"], about["price_decimals"]),
            "fills": page["fills"],
        },
        "state": {**_state(page, mono_ns)},
    }


def book(page: Page, about: About) -> Book:
    """Return the touch. Mid, spread and imbalance are null unless both sides stand, uncrossed.

    `imbalance_ppm` is the bid's share of the size at the touch in millionths, rounded down.
    """
    px, qty = about["price_decimals"], about["size_decimals"]
    bid, ask, bid_qty, ask_qty = page["bid"], page["ask"], page["bid_qty"], page["ask_qty"]
    whole = bid_qty > 0 and ask_qty > 0 and bid < ask
    return Book(
        bid=Exact(text(bid, px)) if bid_qty > 0 else None,
        bid_size=Exact(text(bid_qty, qty)),
        ask=Exact(text(ask, px)) if ask_qty > 0 else None,
        ask_size=Exact(text(ask_qty, qty)),
        mid=Exact(half_text(bid + ask, px)) if whole else None,
        spread=Exact(text(ask - bid, px)) if whole else None,
        imbalance_ppm=bid_qty * 10**6 // (bid_qty + ask_qty) if whole else None,
    )


def _state(page: Page, mono_ns: int) -> State:
    alive, beat = page["alive_ns"], page["beat_mono"]
    return State(
        run=page["run"],
        state=RunState(page["state"]).name.removeprefix("RUN_"),
        level=facts.level_name(page["level"]),
        halt=facts.halt_name(page["halt"]) if page["halt"] else "",
        halt_id=page["halt_id"] if page["halt"] else 0,
        strategy=facts.strategy_state(page["strategy"]),
        connection=facts.connection_name(page["connection"]),
        feed_stale=bool(page["stale"]),
        feed_age_ms=max(0, page["now_ns"] - alive) // 10**6 if alive else 0,
        beat_age_ms=max(0, mono_ns - beat) // 10**6 if beat else 0,
        gaps=page["gaps"],
    )


def event(record: int, said: Said, event_time: str | None) -> dict[str, Any]:
    """Return what a record of the journal says, its decimals as text with all their digits."""
    severity, name, message, fields = said
    if name == "model":  # its one field is named after the number
        ((number, value),) = fields.items()
        fields = {"number": number, "value": value}
    return {
        "record": record,
        "event_time": event_time,
        "severity": severity,
        "message": message,
        **{k: f"{v:f}" if isinstance(v, Decimal) else v for k, v in fields.items()},
    }
