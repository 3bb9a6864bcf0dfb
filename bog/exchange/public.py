"""The public market: orders of strangers, placed into the exchange's own book.

The built-in market (bog/_core/market.pyx) holds one account of a bot, so it is not the exchange's book:
its participants are. Each of its orders is placed here when it rests there and taken away when it
is gone there; each of its takers takes here, whoever stands first in the queue. So orders of accounts
have a true place in the queues; what they take from the public, or spare it, does not change what the
model does next. A recording knows sizes at prices: what a level gains joins the end of its queue,
what it loses leaves from the end, and each print takes.
"""

from __future__ import annotations

from bog._core.market import Market as Model
from bog._core.source import Source, open_source
from bog._core.types import RowKind
from bog.errors import UsageError
from bog.exchange.matching import match
from bog.exchange.orders import IOC, OPEN, Order
from bog.exchange.spec import PRICE_END
from bog.exchange.state import DAY_MS
from bog.exchange.venue import Venue

STEP_NS = 1_000_000
STRANGERS = 5000
FIRST_STRANGER = 100_000
BEHIND_NS = 2_000_000_000  # the model is not caught up over a longer gap: its time is left out


class Flow:
    """Strangers of one market. `pump` lets their time pass."""

    def __init__(self, venue: Venue, number: int) -> None:
        self.venue = venue
        self.state = venue.state
        self.number = number
        self.market = venue.state.markets[number]
        self.strangers = 0

    def pump(self, now_ns: int) -> None:
        """Do what strangers have done until now."""

    def stranger(self, is_ask: bool, px: int, lots: int, tif: int) -> Order:
        """Return an order of one of them, in no queue yet."""
        self.strangers += 1
        state = self.state
        return Order(
            self.market.number(is_ask), 0, None, FIRST_STRANGER + self.strangers % STRANGERS,
            self.number, is_ask, px, lots, tif=tif, expiry_ms=state.now_ms + DAY_MS,
            created_s=state.now_ms // 1000,
        )  # fmt: skip

    def take(self, is_ask: bool, px: int, lots: int) -> None:
        """Let a stranger take at a limit."""
        if self.market.status == "active":
            match(self.state, self.market, self.stranger(is_ask, px, lots, IOC))

    def join(self, is_ask: bool, px: int, lots: int) -> Order:
        """Let a stranger's order come: what it does not take from accounts rests."""
        order = self.stranger(is_ask, px, lots, 1)
        match(self.state, self.market, order)
        if order.left:
            self.state.rest(order)
        return order

    def shrink(self, order: Order, lots: int) -> None:
        """Take `lots` of an order away, all of it when that is what it has."""
        if lots >= order.left:
            self.state.end(order)
        else:
            self.market.book.reduce(order, lots)
            order.size -= lots


class ModelFlow(Flow):
    """The built-in market, step by step of its virtual clock."""

    def __init__(self, venue: Venue, number: int, preset: str, seed: int, now_ns: int) -> None:
        super().__init__(venue, number)
        spec = self.market.spec
        self.model = Model(
            seed, preset, price_decimals=spec.price_decimals, size_decimals=spec.size_decimals,
            start_px=spec.start_px, start_ns=now_ns // STEP_NS * STEP_NS, market_id=number,
            symbol=spec.symbol, venue={"feed_ns": 0, "feed_sigma_ppm": 0},
        )  # fmt: skip
        self.lag_ns = 0  # what was left out
        self.last_fill = 0
        self.placed: dict[tuple[int, int], dict[int, Order]] = {}
        for side in (0, 1):
            self.follow([(side, row[0]) for row in self.model.levels(side, 1 << 20)])

    def pump(self, now_ns: int) -> None:
        """Let the model's time pass, a step at a time, and do here what was done there."""
        until = now_ns - self.lag_ns
        if until - self.model.clock_ns > BEHIND_NS:
            self.lag_ns += until - self.model.clock_ns - STEP_NS
            until = now_ns - self.lag_ns
        while self.model.clock_ns < until:
            self.model.run(self.model.clock_ns + STEP_NS)
            self.step()

    def step(self) -> None:
        """Do what one step of the model did: takers first, then what came and went."""
        rows = self.model.rows()
        fills = {row[0]: row[1:] for row in self.model.fills(self.last_fill)}
        levels = {}
        for _, _, kind, side, px, qty, number, _, _ in rows:
            if kind == RowKind.ROW_LEVEL:
                levels[side, px] = True
            elif kind == RowKind.ROW_TRADE and number > self.last_fill:
                fills[number] = (side, px, qty)
            elif kind == RowKind.ROW_STATS:
                self.market.mark, self.market.index, self.market.funding_ppm = px, qty, number
        if fills:
            self.take_all(fills)
        if levels:
            self.follow(list(levels))

    def take_all(self, fills: dict[int, tuple[int, int, int]]) -> None:
        """Let one taker take for each run of fills of one side."""
        side, px, lots = -1, 0, 0
        for number in sorted(fills):
            if fills[number][0] != side:
                if lots:
                    self.take(side == 1, px, lots)
                side, lots = fills[number][0], 0
            px = fills[number][1]
            lots += fills[number][2]
        self.take(side == 1, px, lots)
        self.last_fill = max(fills)

    def follow(self, levels: list[tuple[int, int]]) -> None:
        """Make the strangers at some prices those of the model: first who left, then who came."""
        came = []
        for level in levels:
            wanted = {number: lots for number, lots, _ in self.model.queue(*level)}
            placed = self.placed.setdefault(level, {})
            for number in [n for n in placed if n not in wanted]:
                order = placed.pop(number)
                if order.status <= OPEN:
                    self.state.end(order)
            for number, lots in wanted.items():
                if number not in placed:
                    came.append((level, number, lots))
                elif lots < placed[number].left:
                    self.shrink(placed[number], placed[number].left - lots)
            if not wanted:
                del self.placed[level]
        for level, number, lots in came:
            placed = self.placed.setdefault(level, {})
            placed[number] = self.join(level[0] == 1, level[1], lots)


class RecordedFlow(Flow):
    """A recording of levels and prints, from its first row on, once."""

    def __init__(self, venue: Venue, number: int, source: Source, now_ns: int) -> None:
        super().__init__(venue, number)
        self.source = source
        self.shift_ns: int | None = None
        self.begin_ns = now_ns
        self.placed: dict[tuple[int, int], list[Order]] = {}

    def pump(self, now_ns: int) -> None:
        """Take every row whose time has come."""
        while True:
            due = self.source.next_recv_ns()
            if due is None:
                return
            if self.shift_ns is None:
                self.shift_ns = self.begin_ns - due
            if due + self.shift_ns > now_ns:
                return
            self.message()

    def message(self) -> None:
        """Take the rows of one message: prints as they come, then what levels lost, then gained."""
        wanted: dict[tuple[int, int], int] = {}
        while (row := self.source.next_row()) is not None:
            if row.kind == "R":
                wanted = dict.fromkeys(self.placed, 0)
            elif row.kind == "L":
                wanted[row.side, row.px] = row.qty
            elif row.kind == "T":
                self.take(row.side == 1, row.px, row.qty)
            elif row.kind == "S" and 0 < row.px < PRICE_END:
                self.market.mark, self.market.index = row.px, row.qty or row.px
            if row.eom:
                break
        for grow in (False, True):
            for level, lots in wanted.items():
                orders = self.placed.setdefault(level, [])
                orders[:] = [order for order in orders if order.status <= OPEN]
                there = sum(order.left for order in orders)
                if not grow and lots < there:
                    self.lose(orders, there - lots)
                elif grow and lots > there:
                    orders.append(self.join(level[0] == 1, level[1], lots - there))
        if not self.market.mark or self.market.mark == self.market.spec.start_px:
            self.market.mark = self.market.index = self.market.middle()

    def lose(self, orders: list[Order], lots: int) -> None:
        """Let the last in the queue leave first."""
        for order in reversed(orders):
            part = min(lots, order.left)
            if part:
                self.shrink(order, part)
                lots -= part


def open_flow(
    venue: Venue, number: int, flow: str, preset: str, seed: int, now_ns: int
) -> Flow | None:
    """Return the public market that was asked for, None when there is none."""
    if flow == "none":
        return None
    if flow == "sim":
        return ModelFlow(venue, number, preset, seed, now_ns)
    kind, _, path = flow.partition(":")
    if kind != "replay" or not path:
        raise UsageError(f"--flow {flow!r}: want sim, none or replay:FILE")
    if len(venue.state.markets) > 1:
        raise UsageError("--flow replay:FILE is one market's: give one --market")
    spec = venue.state.markets[number].spec
    source = open_source(path, number, spec.price_decimals, spec.size_decimals)
    have = source.price_decimals, source.size_decimals
    if have != (spec.price_decimals, spec.size_decimals):
        raise UsageError(f"--flow {path} has decimals {have}, market {number} has "
                         f"{(spec.price_decimals, spec.size_decimals)}")  # fmt: skip
    return RecordedFlow(venue, number, source, now_ns)
