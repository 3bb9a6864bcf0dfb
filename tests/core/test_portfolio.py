"""The limit over all markets: the room of each, exact boundaries, and no schedule that passes it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bog import config
from bog._core.engine import EngineProbe
from bog._core.portfolio import MOST, PortfolioProbe, worst
from bog._core.types import JournalKind, Level, ReportKind, Side, Verdict

SECOND = 10**9
MID = 100_000  # ticks
UNITS = (1, 100)  # the second market's quantum is a hundred of the first one's


def test_the_room_is_what_the_others_leave() -> None:
    portfolio = PortfolioProbe(1000, UNITS)
    assert (portfolio.room(0), portfolio.room(1)) == (1000, 10)
    portfolio.hold(0, 301)
    assert portfolio.room(1) == 6  # 699 units are left: six quanta and a part of one
    portfolio.hold(1, 6)
    assert portfolio.sum() == 901 and portfolio.room(0) == 400
    # what a market holds itself is no reason against it
    assert portfolio.room(1) == 6
    portfolio.hold(0, 2000)
    assert portfolio.room(1) == 0
    portfolio.hold(0, 0)
    assert portfolio.sum() == 600


@pytest.mark.parametrize("value", [2**63 - 1, 2**62, MOST + 1])
def test_a_worst_case_beyond_counting_leaves_no_room_and_no_overflow(value: int) -> None:
    portfolio = PortfolioProbe(MOST, [1] * 256)
    for market in range(256):
        portfolio.hold(market, value)
    assert portfolio.sum() == 256 * MOST < 2**63
    assert portfolio.room(0) == 0
    for market in range(256):
        portfolio.hold(market, 0)
    assert portfolio.sum() == 0 and portfolio.room(255) == MOST


def test_the_worst_case_is_the_worse_side_at_the_higher_of_mid_and_order() -> None:
    assert worst(0, (0, 0), (0, 0), 2 * MID) == 0
    assert worst(5, (0, 0), (0, 0), 2 * MID + 1) == 5 * (MID + 1)  # a half tick rounds up
    assert worst(5, (3, 0), (MID - 2, 0), 2 * MID) == 8 * MID
    assert worst(5, (3, 9), (MID - 2, MID + 7), 2 * MID) == 8 * MID
    assert worst(-5, (3, 9), (MID - 2, MID + 7), 2 * MID) == 14 * (MID + 7)
    assert worst(2**62, (2**62, 0), (0, 0), 2 * MID) == 2**63 - 1


@given(
    st.integers(1, 10**12),
    st.lists(st.sampled_from((1, 10, 1000)), min_size=1, max_size=8),
    st.data(),
)
def test_law_a_market_that_takes_its_room_keeps_the_limit(
    limit: int, units: list[int], data: Any
) -> None:
    portfolio = PortfolioProbe(limit, units)
    held = [0] * len(units)
    for _ in range(data.draw(st.integers(1, 30))):
        market = data.draw(st.integers(0, len(units) - 1))
        room = portfolio.room(market)
        held[market] = data.draw(st.integers(0, room))
        portfolio.hold(market, held[market])
        total = sum(h * u for h, u in zip(held, units, strict=True))
        assert portfolio.sum() == total <= limit
        # one quantum more would not fit
        others = total - held[market] * units[market]
        assert others + (room + 1) * units[market] > limit


# two engines under one limit


class Venue:
    """Engines that share a limit as lanes do, and a venue that fills and cancels as it is told."""

    def __init__(self, limit: int, markets: int = 2) -> None:
        chosen = config.load(
            flags={
                "execution": {"tier": "premium"},
                "breaker": {"warm_up_books": 1, "warm_up_ms": 0, "max_fills": 255},
                "risk": {"rate_limit_orders_per_sec": 60, "rate_limit_burst": 2000},
                "strategy": {"simple_spread": {"min_interval_ms": 0, "order_size": "0.01"}},
            },
            environ={},
        )
        self.limit = limit
        self.portfolio = PortfolioProbe(limit, [1] * markets)
        self.engines = [
            EngineProbe(chosen.limits(1), chosen.strategy_params(1), market)
            for market in range(markets)
        ]
        self.mids = [0] * markets
        self.now, self.trade = SECOND, 0
        self.refused = 0

    def worst(self, market: int, mid: int) -> int:
        """Return the worst case from the orders and the position, summed here."""
        pos = self.engines[market].position()["pos"]
        sides = []
        for side, sign in ((Side.BID, 1), (Side.ASK, -1)):
            orders = [o for o in self.engines[market].orders() if o["side"] == side]
            lots = sign * pos + sum(max(o["qty"], o["amend_qty"]) - o["filled"] for o in orders)
            top = max([mid, *(max(o["px"], o["amend_px"]) for o in orders)])
            sides.append(max(lots, 0) * top)
        return max(sides)

    def turn(self, market: int, event: Any) -> list[dict[str, Any]]:
        """Let an engine take an event with the room it has; check the law; return its commands."""
        engine = self.engines[market]
        others = sum(self.worst(m, self.mids[m]) for m in range(len(self.mids)) if m != market)
        engine.room = self.portfolio.room(market)
        engine.over = self.portfolio.sum() > self.limit
        before = engine.position()["pos"]
        self.now += 10_000_000
        records, commands = event(engine)
        mine = self.worst(market, self.mids[market])
        self.portfolio.hold(market, mine)
        self.refused += sum(
            r["kind"] == JournalKind.J_DENIED and r["reason"] == Verdict.DENY_PORTFOLIO
            for r in records
        )
        grew = [c for c in commands if c["kind"] != 3]
        if grew and others + mine > self.limit:
            # whatever was sent can hold no more than what is held
            held = max(abs(before), abs(engine.position()["pos"])) * self.mids[market]
            for command in grew:
                sign = 1 if command["side"] == Side.BID else -1
                rest = sum(
                    o["qty"] - o["filled"] for o in engine.orders() if o["side"] == command["side"]
                )
                after = sign * engine.position()["pos"] + rest
                assert after * max(self.mids[market], command["px"]) <= held
        return commands

    def book(self, market: int, mid: int) -> list[dict[str, Any]]:
        self.mids[market] = mid
        bids = [(mid - 1 - i, 100_000) for i in range(10)]
        asks = [(mid + 1 + i, 100_000) for i in range(10)]
        return self.settle(market, self.turn(market, lambda e: e.book(self.now, bids, asks)))

    def settle(self, market: int, commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Answer every command with the word that it was done, and what follows from that."""
        told = list(commands)
        while commands:
            command = commands.pop(0)
            kind = {1: ReportKind.REP_ACK, 2: ReportKind.REP_AMENDED}.get(
                command["kind"], ReportKind.REP_CANCELED
            )
            more = self.turn(
                market,
                lambda e, c=command, k=kind: e.report(
                    self.now, k, c["order_id"], c["side"], c["px"], c["qty"], 0, c["order_id"]
                ),
            )
            told += more
            commands += more
        return told

    def fill(self, market: int, side: int, qty: int) -> None:
        """Fill up to `qty` lots of the first order on a side, if there is one."""
        resting = [o for o in self.engines[market].orders() if o["side"] == side]
        if resting:
            order = resting[0]
            self.trade += 1
            lots = min(qty, order["qty"] - order["filled"])
            self.settle(
                market,
                self.turn(
                    market,
                    lambda e: e.report(
                        self.now, ReportKind.REP_FILL, order["id"], side, order["px"], lots, 0,
                        self.trade,
                    ),
                ),
            )  # fmt: skip


def sides(venue: Venue, market: int) -> set[int]:
    return {order["side"] for order in venue.engines[market].orders()}


def test_a_market_without_room_is_refused_and_quotes_when_there_is_room_again() -> None:
    # each market rests 1000 lots a side: 10^8 quanta; the limit has room for one and a half
    venue = Venue(150_000_000)
    venue.book(0, MID)
    assert sides(venue, 0) == {Side.BID, Side.ASK}
    venue.book(1, MID)
    assert sides(venue, 1) == set() and venue.refused == 2
    why = venue.engines[1].why()
    assert why == (32 + Verdict.DENY_PORTFOLIO, 32 + Verdict.DENY_PORTFOLIO)
    venue.settle(0, venue.turn(0, lambda e: e.level(venue.now, Level.LEVEL_DRAIN)))
    venue.book(1, MID + 1)
    assert sides(venue, 1) == {Side.BID, Side.ASK}


def test_a_rise_past_the_limit_pulls_the_growing_side_and_leaves_the_reducing_one() -> None:
    venue = Venue(305_000_000)
    venue.book(1, MID)
    venue.fill(1, Side.BID, 1000)
    # market 1 holds 10^8 quanta and quotes no more; market 0 holds as much, and bids for more
    venue.settle(1, venue.turn(1, lambda e: e.level(venue.now, Level.LEVEL_PAUSED)))
    venue.book(0, MID)
    venue.fill(0, Side.BID, 1000)
    venue.book(0, MID + 2)
    assert sides(venue, 0) == {Side.BID, Side.ASK} and venue.refused == 0
    assert venue.portfolio.sum() <= venue.limit
    # market 1 rises by nine hundredths: both together are past the limit
    for step in range(1, 6):
        venue.book(1, MID + 1800 * step)
    assert venue.portfolio.sum() > venue.limit
    venue.book(0, MID + 4)
    assert sides(venue, 0) == {Side.ASK}
    assert venue.engines[0].why()[Side.BID] == 32 + Verdict.DENY_PORTFOLIO
    assert venue.engines[0].denied()[Verdict.DENY_PORTFOLIO] > 0


def test_an_order_may_fill_the_room_exactly_and_not_a_quantum_more() -> None:
    for spare, allowed in ((0, True), (-1, False)):
        venue = Venue(10**12, markets=1)
        venue.book(0, MID)
        bid = next(o for o in venue.engines[0].orders() if o["side"] == Side.BID)
        exact = bid["qty"] * max(MID, bid["px"])
        again = Venue(exact + spare, markets=1)
        again.book(0, MID)
        assert (Side.BID in sides(again, 0)) is allowed


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.data())
def test_law_no_schedule_grows_past_the_limit(limit: int, data: Any) -> None:
    venue = Venue(limit, markets=3)
    for _ in range(data.draw(st.integers(1, 40))):
        market = data.draw(st.integers(0, 2))
        if data.draw(st.booleans()) or not venue.mids[market]:
            last = venue.mids[market] or MID
            venue.book(market, last + data.draw(st.integers(-400, 400)))
        else:
            venue.fill(market, data.draw(st.sampled_from((0, 1))), data.draw(st.integers(1, 1000)))
