"""The screen of a running bot: a page of 80 x 24, or a plain line now and then without a terminal.

Draws from one `Status`, four times a second at most. NO_COLOR is honored.
"""

from __future__ import annotations

import os
import sys
import time
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO, TypedDict

from bog import facts
from bog.facts import About, Order, Page
from bog.out import tell
from bog.units import half_text, text

if TYPE_CHECKING:
    from rich.live import Live

FRAME_SEC = 0.25
LINE_SEC = 5.0


class Status(TypedDict):
    """What the screen shows: settings, the engine's page, and what only the shell knows."""

    about: About
    page: Page
    elapsed_sec: float  # since the start, by the wall clock
    feed_age_ms: float  # since the feed was last known alive, by the engine's clock
    note: str  # one line for the foot: "Ctrl-C drains and prints a report"


class Watch:
    """Shows a run: a live screen on a terminal, else one plain line every few seconds.

    Use as a context manager and call `update` as often as there is something new; it keeps the pace
    itself. `now` gives seconds of a clock that never goes back.
    """

    def __init__(self, stream: TextIO | None = None, live: bool | None = None) -> None:
        self.stream = stream or sys.stdout
        terminal = self.stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.live: Live | None = None
        if terminal if live is None else live:
            from bog.screen import live_on  # only now: without a terminal nobody draws

            self.live = live_on(self.stream)
        self.next_sec = 0.0

    def __enter__(self) -> Self:
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live is not None:
            self.live.stop()

    def update(self, states: list[Status], last: bool = False) -> bool:
        """Show the states, one a market, when it is time to, or they are the `last` ones.

        Return whether they were shown.
        """
        now = time.monotonic()
        if now < self.next_sec and not last:
            return False
        self.next_sec = now + (FRAME_SEC if self.live is not None else LINE_SEC)
        if self.live is not None:
            from bog.screen import draw

            try:
                self.live.update(draw(states), refresh=True)
            except OSError:  # the terminal is gone: what follows goes nowhere, and trading goes on
                self.live = None
        else:
            tell("\n".join(map(line, states)), self.stream)
        return True


def duration(sec: float) -> str:
    """Return a duration as h:mm:ss."""
    minutes, seconds = divmod(int(sec), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def ns_text(ns: int) -> str:
    """Return nanoseconds in a unit that fits: 850 ns, 12.3 us, 4.0 ms."""
    for unit, scale in (("ns", 1), ("us", 1_000), ("ms", 1_000_000)):
        if ns < 1000 * scale:
            return f"{ns} ns" if scale == 1 else f"{ns / scale:.1f} {unit}"
    return f"{ns / 1_000_000_000:.1f} s"


def signed(number: str) -> str:
    """Return a decimal with a plus in front when it is above zero."""
    return f"+{number}" if number.strip("0.") and not number.startswith("-") else number


def entry_text(cost: int, pos: int, price_decimals: int) -> str:
    """Return the average entry price with one digit more than the tick, rounded; "-" when flat."""
    if pos == 0:
        return "-"
    tenths = (2 * 10 * cost + pos) // (2 * pos) if pos > 0 else (2 * 10 * -cost - pos) // (-2 * pos)
    return text(tenths, price_decimals + 1)


def line(status: Status) -> str:
    """Return the state in one plain line, for a pipe or a log."""
    about, page = status["about"], status["page"]
    money = about["price_decimals"] + about["size_decimals"]
    position = text(page["position"]["pos"], about["size_decimals"])
    quotes = "/".join(
        text(ours["px"], about["price_decimals"]) + count_text(page, side)
        if ours
        else quiet(page, side)
        for side in (0, 1)
        for ours in [best_order(page, side)]
    )
    equity = signed(half_text(page["equity2"], money))
    return (
        f"{duration(status['elapsed_sec'])} {about['symbol']} {state_name(page)} position {position} "
        f"pnl {equity} quotes {quotes} fills {page['fills']} requests {requests(page)} "
        f"feed {status['feed_age_ms']:.0f} ms"
    )


def requests(page: Page) -> int:
    """Return how many commands left the engine."""
    return page["placed"] + page["amended"] + page["canceled"] + page["cancel_all"]


def own_orders(page: Page, side: int) -> list[Order]:
    """Return our orders on a side, the nearest to a fill first, dead ones aside."""
    alive = [o for o in page["orders"] if o["side"] == side and facts.is_alive(o["state"])]
    return sorted(alive, key=lambda o: o["px"] if side else -o["px"])


def best_order(page: Page, side: int) -> Order | None:
    """Return the order of ours that is nearest to a fill; None without one."""
    return next(iter(own_orders(page, side)), None)


def count_text(page: Page, side: int) -> str:
    """Return " x 3" for three orders of ours on a side, nothing for one."""
    n = len(own_orders(page, side))
    return f" x {n}" if n > 1 else ""


def quiet(page: Page, side: int) -> str:
    """Return why no order of ours stands on a side."""
    return facts.why_name(page["why"][side] or facts.WAITING)


def state_name(page: Page) -> str:
    if page["halt"]:
        return f"HALTED {facts.halt_name(page['halt'])} (id {page['halt_id']})"
    return "STALE" if page["stale"] else facts.level_name(page["level"])


def equity(status: Status) -> Decimal:
    """Return what a market earned at its mark, in quote."""
    about, page = status["about"], status["page"]
    return Decimal(half_text(page["equity2"], about["price_decimals"] + about["size_decimals"]))
