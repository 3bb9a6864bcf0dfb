"""The short way of a turn says what the long one says: the same events to two engines, byte for byte.

One of the two decides every turn the long way (EngineProbe.long_way).
"""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bog._core.connection import Attempt
from bog._core.engine import EngineProbe
from bog._core.types import CommandKind, Level, ReportKind, StateWord, Status, StrategyKind
from tests.core.test_engine import LIMITS, MS, SECOND, STRATEGY

ROOM = 2**63 - 1
# each makes another way through the step usual
KINDS: dict[str, dict[str, int]] = {
    "plain": {},
    "skew": {"skew_ppm": 300, "max_pos": 40},
    "own in book": {"own_in_book": 1},
    "leverage": {"max_leverage_ppm": 3_000_000, "balance": 100_000},
    "few": {"max_long": 25, "max_short": 25, "max_pos": 30, "max_exposure": 240_000},
    "loss": {"max_daily_loss": 300, "drawdown_min_peak": 10, "drawdown_ppm": 300_000},
    "breakers": {"breaker_move_ppm": 900, "breaker_spread_ppm": 900, "max_spread_ppm": 700},
    "tokens": {"rate_burst": 12, "rate_per_min": 6000},
    "collar": {"collar_ppm": 1050, "max_order": 11},
    "paced": {"min_interval_ns": 40 * MS, "order_life_ns": SECOND, "expiry_margin_ns": 300 * MS},
    "warm": {"warm_up_books": 3, "warm_up_ns": 20 * MS, "max_feed_delay_ns": 50 * MS},
    "quota": {"quota_start": 60, "quota_reserve": 5, "quota_quanta": 50_000},
    "steps": {"px_step": 2},
    "inventory": {"kind": StrategyKind.STRATEGY_INVENTORY, "warm_samples": 2, "volatility_shift": 4},
}  # fmt: skip
# nothing is settled on a tier with a quota, and no box is drawn on steps of prices or at the collar
UNBOXED = {"quota", "steps", "collar"}
EXTRA = {"kind", "warm_samples", "volatility_shift", "quota_start", "quota_reserve", "quota_quanta"}


class Pair:
    """Two engines and one venue: what both say is compared after every event."""

    def __init__(self, kind: str, seed: int):
        changed = {"max_daily_loss": 10**9} | KINDS[kind]
        limits = LIMITS | {k: v for k, v in changed.items() if k in LIMITS}
        strategy = STRATEGY | {k: v for k, v in changed.items() if k in STRATEGY.keys() | EXTRA}
        self.short = EngineProbe(limits, strategy)
        self.long = EngineProbe(limits, strategy)
        self.long.long_way = True
        self.random = random.Random(f"{kind} {seed}")
        self.now, self.mid, self.trade = SECOND, 10_000, 0
        self.orders: dict[int, list[int]] = {}  # id: side, px, lots, filled lots
        self.asked: list[dict[str, Any]] = []
        self.quiet = False  # a market that moves little, a venue that answers at once
        self.books = self.commands = 0

    def both(self, event: str, *args: Any, **named: Any) -> None:
        said = getattr(self.short, event)(self.now, *args, **named)
        assert getattr(self.long, event)(self.now, *args, **named) == said, event
        assert self.long.image() == self.short.image(), event
        self.asked += said[1]
        self.commands += len(said[1])

    def book(self) -> None:
        """Show a book: most often a full one whose mid moves little."""
        r = self.random
        far = r.randint(-3, 3) if self.quiet else r.randint(-90, 90)
        self.mid += r.choice([0, 0, 0, 1, -1, 1, -1, 2, -2, 4, -4, 3, -3, far])
        self.mid = min(max(self.mid, 9000), 11_000)
        half, n = r.choice([1, 1, 1, 1, 1, 2, 3, 5]), r.choice([10, 10, 10, 10, 10, 10, 3, 1])
        bids = [(self.mid - half - i, 5 + i) for i in range(n)]
        asks = [(self.mid + half + i, 5 + i) for i in range(n)]
        odd = r.random()
        if odd < 0.01:
            bids[0] = (asks[0][0] + 1, 5)
        elif odd < 0.02:
            asks = []
        elif odd < 0.03:
            bids[n - 1] = (0, 5)
        exch_ns = 0 if r.random() < 0.7 else self.now - r.choice([0, MS, 60 * MS])
        late = r.choice([0] * 30 + [499 * MS, 501 * MS, -2 * SECOND])
        self.books += 1
        self.both("book", bids, asks, alive_ns=self.now - late, exch_ns=exch_ns)

    def answer(self) -> None:
        """Let the venue answer a command, or fill some of an order that stands."""
        r = self.random
        if self.asked and r.random() < 0.85:
            c = self.asked.pop(0)
            oid, side, no = c["order_id"], c["side"], r.random() < (0.01 if self.quiet else 0.1)
            told = {"venue_id": oid}
            if c["kind"] == CommandKind.CMD_PLACE:
                if not no:
                    self.orders[oid] = [side, c["px"], c["qty"], 0]
                kind = ReportKind.REP_REJECT if no else ReportKind.REP_ACK
            elif oid not in self.orders:
                return
            elif c["kind"] == CommandKind.CMD_AMEND:
                if not no:
                    self.orders[oid][1:3] = [c["px"], c["qty"]]
                told |= {"px": c["px"], "qty": c["qty"]}
                kind = ReportKind.REP_AMEND_REJECT if no else ReportKind.REP_AMENDED
            else:
                kind = ReportKind.REP_CANCEL_REJECT if no else ReportKind.REP_CANCELED
                if not no:
                    del self.orders[oid]
            self.both("report", kind, oid, side, **told)
        elif self.orders:
            oid = r.choice(list(self.orders))
            side, px, whole, filled = self.orders[oid]
            # now and then more than the order ever had, which halts
            qty = r.randint(1, max(1, whole - filled + r.choice([0] * 20 + [1])))
            self.orders[oid][3] += qty
            if filled + qty >= whole:
                del self.orders[oid]
            self.trade += 1
            self.both("report", ReportKind.REP_FILL, oid, side, px, qty, r.randint(-2, 2),
                      self.trade)  # fmt: skip

    def other(self) -> None:
        """Let anything else happen."""
        r = self.random
        what = r.randrange(12)
        if what < 4:
            self.both("timer")
        elif what < 7:
            self.both("stats", self.mid + r.randint(-3, 3))
        elif what == 7:
            self.both("level", r.choice([Level.LEVEL_RUN, Level.LEVEL_PAUSED, Level.LEVEL_RUN]))
        elif what == 8:
            self.both("gap", 1)
        elif what == 9:
            self.both("connection", r.choice([Attempt.ATTEMPT_FAILED, Attempt.ATTEMPT_DONE]))
        elif what == 10:
            self.both("status", r.choice([Status.STATUS_UP, Status.STATUS_GAP]))
        else:
            self.clear()

    def clear(self) -> None:
        """Let an operator clear what halted, and go on."""
        self.both("clear_halt", self.short.halted()[1])
        self.both("level", Level.LEVEL_RUN)

    def play(self, events: int) -> None:
        r = self.random
        if self.short.strategy()[0] == 0:
            self.both("model", 10 << 16, [3 << 16, 0, -3 << 16], [10 << 16, 0, 0, 0, 0, 0])
        for _ in range(events):
            self.now += r.choice([0, 1000, MS, MS, 5 * MS, 30 * MS, 200 * MS] + [MS] * 20)
            if r.random() < 0.02:
                self.now += r.choice([SECOND, 6 * SECOND])
            room = r.choice([ROOM] * 20 + [150_000, 300_000, 0])
            over = r.random() < 0.02
            for probe in (self.short, self.long):
                probe.room, probe.over = room, over
            if r.random() < 0.01:
                self.quiet = not self.quiet
            if self.short.halted()[0] and r.random() < 0.1:
                self.clear()
            pick = r.random()
            if self.quiet and self.asked:
                self.answer()
            elif pick < (0.95 if self.quiet else 0.6):
                self.book()
            elif pick < (0.98 if self.quiet else 0.95):
                self.answer()
            else:
                self.other()


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_short_way_says_what_the_long_one_says(kind: str) -> None:
    pairs = [Pair(kind, seed) for seed in range(3)]
    for pair in pairs:
        pair.play(1500)
    # both ways are gone, and there is something to compare
    books, commands = sum(p.books for p in pairs), sum(p.commands for p in pairs)
    turns, moves = (sum(p.short.calm()[i] for p in pairs) for i in (1, 2))
    print(f"{kind}: {books} books, {turns} the short way, {commands} commands, {moves} in boxes")
    assert all(p.long.calm()[1:] == (0, 0) for p in pairs)
    assert books / 40 < turns < books
    assert commands > 60
    assert moves > commands / 40 or kind in UNBOXED


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(KINDS)), st.integers(0, 2**32))
def test_law_both_ways_say_the_same(kind: str, seed: int) -> None:
    Pair(kind, seed).play(200)


def test_a_word_restored_between_two_turns_is_seen() -> None:
    probe = EngineProbe(LIMITS, STRATEGY)
    book = [(9999 - i, 5) for i in range(10)], [(10_001 + i, 5) for i in range(10)]
    probe.book(SECOND, *book)
    assert probe.calm()[0] > SECOND
    probe.restore(StateWord.W_CASH, -2000)
    assert probe.calm()[0] == 0
