"""One look at a running bot: what its pages say now, for the metrics and for its health."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from bog import facts
from bog._core.link import Link
from bog._core.stats import RunState, StatsPage
from bog._core.types import Limit
from bog.facts import About, Page

# of the limits that stand in metrics and alarms
LIMIT_FIELDS = {
    Limit.LIMIT_MAX_POSITION: "max_long",
    Limit.LIMIT_MAX_SHORT: "max_short",
    Limit.LIMIT_MAX_DAILY_LOSS: "max_daily_loss",
}
BEAT_SEC = 1.0  # an engine that has not shown itself for longer is dead or stopped


class Traded(NamedTuple):
    """One market of the bot, for as long as it runs."""

    page: StatsPage
    about: About
    limits: dict[str, int]  # bog_limits_t by field
    rates: Rates
    refused: Callable[[], int]  # how much the host did not grant
    pinned: Callable[[], bool] = lambda: False  # whether the hot thread has a core to itself
    alerts: Mapping[str, float] = MappingProxyType({})  # [monitoring.alerts]
    link: Link | None = None  # to the gateway; none on paper


class Rates:
    """Ticks and orders a second between two looks that are at least `interval_sec` apart."""

    def __init__(self, interval_sec: float) -> None:
        self.interval_ns = int(interval_sec * 1e9)
        self.looked: tuple[int, int, int] | None = None
        self.found = (0.0, 0.0)

    def look(self, now_ns: int, ticks: int, orders: int) -> tuple[float, float]:
        """Return both rates at `now_ns` of any clock; 0 until the second look."""
        if self.looked is None:
            self.looked = now_ns, ticks, orders
            return self.found
        then_ns, ticks_then, orders_then = self.looked
        if now_ns - then_ns >= max(1, self.interval_ns):
            per_sec = 1e9 / (now_ns - then_ns)
            self.found = (ticks - ticks_then) * per_sec, (orders - orders_then) * per_sec
            self.looked = now_ns, ticks, orders
        return self.found


class Glance:
    """One market at one moment: what the readers of the metrics' table read."""

    def __init__(self, traded: Traded) -> None:
        self.about = traded.about
        self.page = page = cast(Page, traded.page.snapshot())
        self.limits = traded.limits | tightened(page)
        self.traded = traded
        self.now_ns = time.monotonic_ns()
        self.rates = traded.rates.look(self.now_ns, page["books"], page["placed"] + page["amended"])
        self.refused, self.pinned = traded.refused(), traded.pinned()
        self.alerts, self.link = traded.alerts, traded.link
        self.px, self.qty = self.about["price_decimals"], self.about["size_decimals"]

    @cached_property
    def histograms(self) -> dict[str, Any]:
        """Latencies; read when they are asked for: alarms look often, and at none of them."""
        return self.traded.page.histograms()

    @property
    def beat_age_sec(self) -> float:
        """Seconds since the engine last showed itself; 0 before it ever did."""
        beat = self.page["beat_mono"]
        return max(0.0, (self.now_ns - beat) / 1e9) if beat else 0.0

    @property
    def alive(self) -> bool:
        """Whether the engine turns."""
        running = self.page["state"] in (RunState.RUN_TRADING, RunState.RUN_DRAINING)
        return running and self.beat_age_sec <= BEAT_SEC

    @property
    def connected(self) -> bool:
        """Whether the engine turns and its feed lives."""
        return self.alive and self.page["alive_ns"] > 0 and not self.page["stale"]

    @property
    def feed_age_sec(self) -> float:
        """Seconds since the feed was last known alive, on the engine's clock; 0 before it was."""
        alive_ns = self.page["alive_ns"]
        return max(0.0, (self.page["now_ns"] - alive_ns) / 1e9) if alive_ns else 0.0

    @property
    def feed_silent_sec(self) -> float:
        """Seconds since the feed was last known alive, of a lost one; 0 while it lives.

        An engine that hangs or died knows of no feed: its own silence is added.
        """
        if self.connected or not self.page["start_ns"]:
            return 0.0
        since = self.page["alive_ns"] or self.page["start_ns"]
        return max(0.0, (self.page["now_ns"] - since) / 1e9) + self.beat_age_sec

    @property
    def guardian_silent_sec(self) -> float:
        """Seconds since the gateway last showed itself; 0 on paper and before it ever did."""
        beat = self.link.gateway_beat_ns if self.link is not None else 0
        return max(0.0, (self.now_ns - beat) / 1e9) if beat else 0.0

    def price(self, ticks: int) -> float:
        """Return a price in the quote currency."""
        return ticks / 10.0**self.px

    def base(self, lots: int) -> float:
        """Return a size in the base asset."""
        return lots / 10.0**self.qty

    def money(self, quanta: int) -> float:
        """Return an amount in the quote currency."""
        return quanta / 10.0 ** (self.px + self.qty)

    def half_money(self, half_quanta: int) -> float:
        """Return an amount in the quote currency."""
        return half_quanta / 2 / 10.0 ** (self.px + self.qty)

    def ails(self) -> str:
        """Return in a word what is wrong, "" when nothing is."""
        if self.page["state"] == RunState.RUN_STARTING:
            return "starting"
        if self.page["state"] == RunState.RUN_DONE:
            return "ended"
        if not self.alive:
            return "engine dead"
        if self.page["halt"]:
            return f"halted: {facts.halt_name(self.page['halt'])}"
        return "" if self.connected else "feed lost"


def tightened(page: Page) -> dict[str, int]:
    """Return the limits that an operator tightened, by their fields of bog_limits_t."""
    return {
        field: page["limit"][limit]
        for limit, field in LIMIT_FIELDS.items()
        if page["configured"][limit]
    }


def health(markets: Iterable[Traded]) -> dict[str, Any]:
    """Return whether every market is traded as it should be, and why not; for /healthz."""
    found = {str(traded.about["market"]): Glance(traded) for traded in markets}
    ails = {market: glance.ails() for market, glance in found.items()}
    return {
        "ok": bool(found) and not any(ails.values()),
        "why": [f"market {market}: {ail}" for market, ail in ails.items() if ail]
        or ([] if found else ["starting"]),
        "markets": {
            market: {
                "symbol": glance.about["symbol"],
                "state": RunState(glance.page["state"]).name.removeprefix("RUN_"),
                "level": facts.level_name(glance.page["level"]),
                "halt": facts.halt_name(glance.page["halt"]) if glance.page["halt"] else "",
                "connected": glance.connected,
                "feed_age_ms": round(glance.feed_age_sec * 1000),
                "engine_beat_age_ms": round(glance.beat_age_sec * 1000),
                "version": glance.about["version"],
                "config_hash": glance.about["config_hash"],
            }
            for market, glance in found.items()
        },
    }
