"""The step: events in, records and commands out, through every room at once."""

import random
from collections import deque
from typing import Any

import pytest

from bog._core.engine import EngineProbe
from bog._core.strategy import Quiet
from bog._core.types import (
    CommandKind,
    ConnectionState,
    Halt,
    JournalKind,
    Level,
    OrderState,
    ReportKind,
    StateWord,
    Status,
    Verdict,
)

MS = 1_000_000
SECOND = 1000 * MS
DAY = 86_400 * SECOND
PLACE, AMEND, CANCEL = CommandKind.CMD_PLACE, CommandKind.CMD_AMEND, CommandKind.CMD_CANCEL
INTENT = {
    JournalKind.J_PLACE: PLACE,
    JournalKind.J_AMEND: AMEND,
    JournalKind.J_CANCEL: CANCEL,
}
LIMITS = {
    "max_long": 100, "max_short": 100, "min_order": 1, "max_order": 50, "min_notional": 0,
    "max_notional": 10**12, "max_exposure": 10**12, "min_px": 1, "max_px": 1_000_000,
    "px_step": 1, "qty_step": 1, "collar_ppm": 50_000, "drawdown_ppm": 500_000,
    "drawdown_min_peak": 10**12, "max_daily_loss": 1000, "balance": 0, "max_leverage_ppm": 0,
    "max_open_orders": 8, "rate_per_min": 60_000, "rate_burst": 1000, "rate_reserve": 2,
    "stale_after_ns": 500 * MS, "unix_offset_ns": 0, "breaker_spread_ppm": 1_000_000,
    "breaker_move_ppm": 1_000_000, "breaker_violations": 3, "max_fills": 255,
    "fills_window_ns": 1, "max_rejects": 255, "rejects_window_ns": 1,
    "max_feed_delay_ns": SECOND, "warm_up_books": 0, "warm_up_ns": 0,
}  # fmt: skip
# at a mid of 10,000 half a spread is 10 ticks, and a quote moves when it is 3 ticks off
STRATEGY = {
    "half_ppm": 1000, "skew_ppm": 0, "maker_ppm": 0, "edge_ppm": 0, "min_spread_ppm": 0,
    "max_spread_ppm": 1_000_000, "order_qty": 10, "min_order": 1, "max_pos": 100,
    "min_valid_px": 1, "max_valid_px": 1_000_000, "min_touch_qty": 1, "requote_ticks": 3,
    "size_off_ppm": 250_000, "min_interval_ns": 0, "order_life_ns": 0, "expiry_margin_ns": 0,
    "own_in_book": 0,
}  # fmt: skip
# fields of a strategy that are 0 here unless a test says otherwise
MORE = {
    "kind", "model", "grid_orders", "warm_samples", "volatility_shift", "quota_start", "quota_reserve",
}  # fmt: skip


def engine(**changed: int) -> EngineProbe:
    """Return an engine; the names of limits and of strategy fields may be mixed."""
    assert changed.keys() <= LIMITS.keys() | STRATEGY.keys() | MORE
    return EngineProbe(
        LIMITS | {k: v for k, v in changed.items() if k in LIMITS},
        STRATEGY | {k: v for k, v in changed.items() if k not in LIMITS},
    )


def around(mid: int, qty: int = 5) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return a book two ticks wide around `mid`, three levels a side."""
    return (
        [(mid - 1 - i, qty + i) for i in range(3)],
        [(mid + 1 + i, qty + i) for i in range(3)],
    )


def said(turn: Any) -> list[tuple[int, int, int, int]]:
    """Return the commands of a turn: kind, side, price, size."""
    return [(c["kind"], c["side"], c["px"], c["qty"]) for c in turn[1]]


def kinds(turn: Any) -> list[int]:
    return [record["kind"] for record in turn[0]]


def ack(probe: EngineProbe, turn: Any, now: int) -> None:
    """Let the venue take every order that the turn placed, and do every amend and cancel."""
    word = {PLACE: ReportKind.REP_ACK, AMEND: ReportKind.REP_AMENDED}
    for c in turn[1]:
        probe.report(
            now, word.get(c["kind"], ReportKind.REP_CANCELED), c["order_id"], c["side"], c["px"],
            c["qty"], venue_id=c["order_id"],
        )  # fmt: skip


def quoting(now: int = SECOND, mid: int = 10_000, **changed: int) -> EngineProbe:
    """Return an engine whose bid (order 1) and ask (order 2) rest at the venue."""
    probe = engine(**changed)
    turn = probe.book(now, *around(mid))
    assert said(turn) == [(PLACE, 0, mid - 10, 10), (PLACE, 1, mid + 10, 10)]
    ack(probe, turn, now)
    return probe


def test_an_unchanged_touch_is_not_thought_about() -> None:
    probe = quoting()
    bids, asks = around(10_000)
    deeper = [*bids[:2], (9_000, 1)]
    assert probe.book(SECOND + MS, deeper, asks) == ([], [])
    assert probe.counters()["unchanged"] == 1


def test_a_touch_that_moves_less_than_the_threshold_holds_both_quotes() -> None:
    probe = quoting()
    before = probe.orders()
    assert probe.book(SECOND + MS, *around(10_001)) == ([], [])
    assert probe.counters()["unchanged"] == 0
    assert probe.orders() == before


def test_a_touch_that_moves_past_the_threshold_replaces_both_quotes() -> None:
    probe = quoting()
    turn = probe.book(SECOND + MS, *around(10_005))
    half = 11  # 1000 ppm of 10,005, rounded away from the mid
    assert said(turn) == [(AMEND, 0, 10_005 - half, 10), (AMEND, 1, 10_005 + half, 10)]
    assert kinds(turn) == [JournalKind.J_AMEND, JournalKind.J_AMEND]


def test_a_change_that_is_under_way_is_not_asked_for_twice() -> None:
    probe = quoting()
    probe.book(SECOND + MS, *around(10_005))
    assert said(probe.book(SECOND + 2 * MS, *around(10_010))) == []
    assert {o["state"] for o in probe.orders()} == {OrderState.ORDER_AMEND_SENT}


def test_pause_pulls_both_quotes_and_resume_places_them_again() -> None:
    probe = quoting()
    turn = probe.level(SECOND + MS, Level.LEVEL_PAUSED)
    assert said(turn) == [(CANCEL, 0, 9_990, 0), (CANCEL, 1, 10_010, 0)]
    ack(probe, turn, SECOND + 2 * MS)
    assert probe.orders() == []
    assert said(probe.book(SECOND + 3 * MS, *around(10_001))) == []
    turn = probe.level(SECOND + 4 * MS, Level.LEVEL_RUN)
    assert [c[:2] for c in said(turn)] == [(PLACE, 0), (PLACE, 1)]


@pytest.mark.parametrize("asked", [Level.LEVEL_KILLED, 4, 77, 255, 2**63])
def test_an_unknown_level_reads_as_the_strictest_and_halts_for_good(asked: int) -> None:
    probe = quoting()
    turn = probe.level(SECOND + MS, asked)
    assert probe.counters()["level"] == Level.LEVEL_KILLED
    assert probe.halted() == (Halt.HALT_KILLED, 1)
    assert [c[0] for c in said(turn)] == [CANCEL, CANCEL]


def test_a_stale_feed_pulls_the_quotes_and_a_fresh_one_brings_them_back() -> None:
    probe = quoting()
    last = SECOND + 500 * MS
    assert said(probe.timer(last, alive_ns=SECOND)) == []
    turn = probe.timer(last + 1, alive_ns=SECOND)
    assert [c[:2] for c in said(turn)] == [(CANCEL, 0), (CANCEL, 1)]
    assert JournalKind.J_STALE in kinds(turn)
    ack(probe, turn, last + 2)
    # alive again, but the book is void until a whole message comes
    assert said(probe.timer(last + 3)) == []
    assert probe.why() == (32 + Verdict.DENY_BOOK, 32 + Verdict.DENY_BOOK)
    turn = probe.book(last + 4, *around(10_000))
    assert said(turn) == [(PLACE, 0, 9_990, 10), (PLACE, 1, 10_010, 10)]


def test_the_exact_daily_loss_is_allowed_and_one_quantum_more_halts_until_cleared() -> None:
    probe = quoting(max_daily_loss=1000)
    funding = ReportKind.REP_FUNDING
    assert said(probe.report(SECOND + 1, funding, fee=1000)) == []
    assert probe.position()["daily2"] == -2000
    assert probe.halted() == (Halt.HALT_NONE, 0)
    turn = probe.report(SECOND + 2, funding, fee=1)
    assert [c[:2] for c in said(turn)] == [(CANCEL, 0), (CANCEL, 1)]
    assert probe.halted() == (Halt.HALT_DAILY_LOSS, 1)
    ack(probe, turn, SECOND + 3)
    # a profit does not lift it
    assert said(probe.report(SECOND + 4, funding, fee=-100_000)) == []
    assert said(probe.book(SECOND + 5, *around(10_001))) == []
    assert said(probe.clear_halt(SECOND + 6, 2)) == []
    assert [c[0] for c in said(probe.clear_halt(SECOND + 7, 1))] == [PLACE, PLACE]


def test_a_payment_of_the_venue_is_booked_once_and_one_on_paper_each_time() -> None:
    probe = quoting()
    funding = ReportKind.REP_FUNDING
    for paid, second, total in ((7, 3600, -7), (7, 3600, -7), (9, 7200, -16), (9, 3600, -16)):
        probe.report(SECOND + 1, funding, fee=paid, venue_id=second)
        assert probe.position()["funding"] == total
    for total in (-17, -18):
        probe.report(SECOND + 2, funding, fee=1)
        assert probe.position()["funding"] == total


def test_the_daily_loss_is_judged_at_the_mark_to_half_a_quantum() -> None:
    probe = quoting(max_daily_loss=1000)
    probe.report(SECOND, ReportKind.REP_FILL, 1, 0, 9_990, 1, venue_id=1)
    # one lot bought at 9,990: at a mid of 8,990 the loss is 1000 quanta
    probe.book(SECOND + MS, [(8_989, 5)], [(8_991, 5)])
    assert probe.halted()[0] == Halt.HALT_NONE
    probe.book(SECOND + 2 * MS, [(8_989, 5)], [(8_990, 5)])
    assert probe.position()["daily2"] == -2001
    assert probe.halted()[0] == Halt.HALT_DAILY_LOSS


def test_a_new_day_forgives_the_loss_of_the_last_one_but_not_the_halt() -> None:
    probe = quoting(max_daily_loss=1000)
    probe.report(SECOND + 1, ReportKind.REP_FUNDING, fee=1001)
    turn = probe.timer(DAY)
    assert JournalKind.J_DAY in kinds(turn)
    assert probe.position()["daily2"] == 0
    assert probe.halted()[0] == Halt.HALT_DAILY_LOSS


def test_a_drawdown_past_its_share_of_the_peak_halts() -> None:
    probe = quoting(drawdown_ppm=500_000, drawdown_min_peak=1000, max_daily_loss=10**9)
    probe.report(SECOND + 1, ReportKind.REP_FUNDING, fee=-1000)
    probe.timer(2 * SECOND)  # the peak is sampled by the second
    assert probe.position()["peak"] == 2000
    probe.report(2 * SECOND + 1, ReportKind.REP_FUNDING, fee=500)
    assert probe.halted()[0] == Halt.HALT_NONE
    probe.report(2 * SECOND + 2, ReportKind.REP_FUNDING, fee=1)
    assert probe.halted()[0] == Halt.HALT_DRAWDOWN


def test_a_fill_moves_the_position_and_then_the_quote() -> None:
    probe = quoting(skew_ppm=10_000)
    turn = probe.report(SECOND + 1, ReportKind.REP_FILL, 1, 0, 9_990, 10, fee=7, venue_id=1)
    assert kinds(turn)[0] == JournalKind.J_FILL
    position = probe.position()
    assert (position["pos"], position["cash"], position["fees"]) == (10, -99_907, 7)
    # a tenth of the largest position shifts the fair price by a tenth of 10,000 ppm: 10 ticks
    assert said(turn) == [(PLACE, 0, 9_980, 10), (AMEND, 1, 10_000, 10)]


def test_a_fill_told_twice_counts_once() -> None:
    probe = quoting()
    fill = (ReportKind.REP_FILL, 1, 0, 9_990, 4)
    probe.report(SECOND + 1, *fill, venue_id=5)
    probe.report(SECOND + 2, *fill, venue_id=5)
    assert probe.position()["pos"] == 4


@pytest.mark.parametrize(
    ("order_id", "side", "px", "qty"), [(1, 0, 9_990, 11), (99, 0, 9_990, 1), (1, 1, 9_990, 1)]
)
def test_a_fill_that_cannot_be_true_halts_and_pulls(
    order_id: int, side: int, px: int, qty: int
) -> None:
    probe = quoting()
    turn = probe.report(SECOND + 1, ReportKind.REP_FILL, order_id, side, px, qty, venue_id=1)
    assert probe.halted()[0] == Halt.HALT_VENUE
    assert [c[0] for c in said(turn)] == [CANCEL, CANCEL]


def test_a_bid_that_would_meet_our_own_ask_is_refused_and_pulled() -> None:
    probe = quoting()
    turn = probe.book(SECOND + MS, *around(10_050))
    # the ask at 10,010 is still ours to be filled until the venue has moved it
    assert said(turn) == [(CANCEL, 0, 9_990, 0), (AMEND, 1, 10_061, 10)]
    assert probe.denied()[Verdict.DENY_SELF_MATCH] == 1
    ack(probe, turn, SECOND + 2 * MS)
    assert {(o["side"], o["px"]) for o in probe.orders()} == {(0, 10_039), (1, 10_061)}


@pytest.mark.parametrize("what", ["gap", "epoch"])
def test_lost_messages_void_the_book_and_leave_the_position_alone(what: str) -> None:
    probe = quoting()
    probe.report(SECOND + 1, ReportKind.REP_FILL, 1, 0, 9_990, 4, venue_id=1)
    before = probe.position()
    turn = getattr(probe, what)(SECOND + 2, 3)
    assert [c[0] for c in said(turn)] == [CANCEL, CANCEL]
    want = JournalKind.J_GAP if what == "gap" else JournalKind.J_EPOCH
    assert kinds(turn)[0] == want
    assert probe.position() == before
    assert probe.counters()["book_ok"] == 0
    ack(probe, turn, SECOND + 3)
    # the same touch again is news after a gap
    assert [c[0] for c in said(probe.book(SECOND + 4, *around(10_000)))] == [PLACE, PLACE]


@pytest.mark.parametrize("status", [Status.STATUS_DOWN, Status.STATUS_HALTED, 0, 99, -1])
def test_a_feed_that_is_not_up_pulls_the_quotes(status: int) -> None:
    probe = quoting()
    assert [c[0] for c in said(probe.status(SECOND + 1, status))] == [CANCEL, CANCEL]


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        ([(9_999, 5), (9_999, 5)], [(10_001, 5)]),
        ([(9_999, -5)], [(10_001, 5)]),
        ([(9_998, 5), (9_999, 5)], [(10_001, 5)]),
        ([(9_999, 5)], [(1 << 40, 5)]),
        ([(10_001, 5)], [(9_999, 5)]),
        ([(10_000, 5)], [(10_000, 5)]),
    ],
)
def test_quotes_do_not_rest_on_a_book_that_cannot_be(bids: Any, asks: Any) -> None:
    probe = quoting()
    assert [c[0] for c in said(probe.book(SECOND + 1, bids, asks))] == [CANCEL, CANCEL]


def test_an_empty_book_is_quoted_by_nobody() -> None:
    probe = quoting()
    assert [c[0] for c in said(probe.book(SECOND + 1, [], []))] == [CANCEL, CANCEL]
    assert probe.quote() == ((0, 0), (0, 0))


def test_the_growing_side_stops_at_the_largest_position_and_the_other_goes_on() -> None:
    probe = engine(max_pos=10)
    turn = probe.book(SECOND, *around(10_000))
    ack(probe, turn, SECOND)
    probe.report(SECOND + 1, ReportKind.REP_FILL, 1, 0, 9_990, 10, venue_id=1)
    assert probe.why() == (Quiet.QUIET_INVENTORY, 0)
    assert [o["side"] for o in probe.orders()] == [1]


def test_without_tokens_a_quote_stays_and_is_tried_again() -> None:
    # each side placed needs its token, one for its own cancel, and one for the other's
    probe = engine(rate_burst=4, rate_per_min=60, rate_reserve=0)
    turn = probe.book(SECOND, *around(10_000))
    ack(probe, turn, SECOND)
    assert len(turn[1]) == 2
    assert said(probe.book(SECOND + 1, *around(10_005))) == []
    assert probe.denied()[Verdict.DENY_RATE] >= 1
    assert len(probe.orders()) == 2
    turn = probe.timer(2 * SECOND)
    assert [c[0] for c in said(turn)] == [AMEND]


def test_time_that_runs_backwards_is_taken_at_the_present() -> None:
    probe = quoting(now=10 * SECOND)
    turn = probe.book(9 * SECOND, *around(10_050))
    assert {record["time_ns"] for record in turn[0]} == {10 * SECOND}
    assert {command["tick_ns"] for command in turn[1]} == {10 * SECOND}


def test_the_state_words_carry_an_engine_over() -> None:
    probe = quoting()
    probe.report(SECOND + 1, ReportKind.REP_FILL, 1, 0, 9_990, 4, fee=3, venue_id=1)
    probe.level(SECOND + 2, Level.LEVEL_KILLED)
    heir = engine()
    for word, value in enumerate(probe.words()):
        heir.restore(word, value)
    kept = [w for w in StateWord if w not in (StateWord.W_LEVEL, StateWord.STATE_WORDS)]
    assert [heir.words()[w] for w in kept] == [probe.words()[w] for w in kept]
    assert heir.halted()[0] == Halt.HALT_KILLED


def test_a_missing_limit_is_named() -> None:
    limits = {name: value for name, value in LIMITS.items() if name != "max_short"}
    with pytest.raises(ValueError, match="max_short"):
        EngineProbe(limits, STRATEGY)


def test_again_repeats_the_last_turn_from_the_state_before_it() -> None:
    probe = quoting()
    probe.book(SECOND + MS, *around(10_005))
    image = probe.image()
    assert probe.again(100) == (200, 200)
    assert probe.image() == image


def test_alternate_requotes_both_sides_on_every_book() -> None:
    probe = quoting(rate_per_min=10**9)
    assert probe.alternate(100, SECOND, around(10_005), around(10_000)) == (200, 200)
    assert sum(probe.denied()[1:]) == 0


class Schedule:
    """A random market, venue and operator around one engine, with the truth about our orders.

    Words about an order arrive in the order in which things happened, after any delay. No fill is
    lost. What the venue holds, or may still come to hold, is compared with the limits after every
    event.
    """

    def __init__(self, seed: int, **more: int) -> None:
        self.rng = rng = random.Random(seed)
        self.changed = {
            "max_long": rng.choice((5, 12, 40)), "max_short": rng.choice((5, 12, 40)),
            "max_pos": rng.choice((8, 40)), "order_qty": rng.choice((2, 5)),
            "max_open_orders": rng.choice((1, 2, 4)),
            "max_daily_loss": rng.choice((3000, 10**9)), "skew_ppm": rng.choice((0, 2000)),
            "rate_burst": rng.choice((6, 1000)), "rate_per_min": rng.choice((600, 60_000)),
            "min_interval_ns": rng.choice((0, 50 * MS)),
            "breaker_move_ppm": 100_000, "breaker_spread_ppm": 10_000,
            "warm_up_books": rng.choice((0, 3)), "warm_up_ns": rng.choice((0, 500 * MS)),
            "max_fills": 20, "fills_window_ns": SECOND,
            "max_rejects": 10, "rejects_window_ns": SECOND,
            "order_life_ns": rng.choice((0, 5 * SECOND)), "expiry_margin_ns": SECOND,
        } | more  # fmt: skip
        self.probe = engine(**self.changed)
        self.now = SECOND
        self.alive = SECOND
        self.mid = 10_000
        self.pos = self.cash = self.trades = 0
        self.orders: dict[int, list[int]] = {}  # alive or coming: side, px, qty, filled
        self.wire: deque[dict[str, int]] = deque()
        self.mail: deque[tuple[int, ...]] = deque()
        self.events = self.fills = self.commands = 0
        self.suspect = False  # the newest book came late or from the future
        self.halts: set[int] = set()

    def arrive(self) -> None:
        """Let the venue act on the oldest command under way."""
        c = self.wire.popleft()
        oid, order = c["order_id"], self.orders.get(c["order_id"])
        refused = self.rng.random() < 0.1
        if c["kind"] == PLACE:
            if refused:
                del self.orders[oid]
                self.mail.append((ReportKind.REP_REJECT, oid, c["side"], c["px"], 0))
            else:
                self.mail.append((ReportKind.REP_ACK, oid, c["side"], c["px"], 0))
        elif order is None or (refused and c["kind"] == AMEND):
            kind = (
                ReportKind.REP_AMEND_REJECT if c["kind"] == AMEND else ReportKind.REP_CANCEL_REJECT
            )
            self.mail.append((kind, oid, c["side"], c["px"], 0))
        elif c["kind"] == AMEND:
            order[1], order[2] = c["px"], c["qty"]
            self.mail.append((ReportKind.REP_AMENDED, oid, c["side"], c["px"], c["qty"]))
            if order[3] >= order[2]:
                del self.orders[oid]
                self.mail.append((ReportKind.REP_CANCELED, oid, c["side"], c["px"], 0))
        else:
            del self.orders[oid]
            self.mail.append((ReportKind.REP_CANCELED, oid, c["side"], c["px"], 0))

    def trade(self) -> None:
        """Fill a part of an order that the venue holds."""
        coming = {c["order_id"] for c in self.wire if c["kind"] == PLACE}
        alive = [oid for oid in self.orders if oid not in coming]
        if not alive:
            return
        oid = self.rng.choice(alive)
        side, px, qty, filled = self.orders[oid]
        size = self.rng.randint(1, qty - filled)
        sign = 1 if side == 0 else -1
        self.orders[oid][3] += size
        self.pos += sign * size
        self.cash -= sign * size * px + 1
        self.trades += 1
        self.fills += 1
        self.mail.append((ReportKind.REP_FILL, oid, side, px, size, 1, self.trades))
        if filled + size == qty:
            del self.orders[oid]

    def event(self) -> Any:
        """Let one random event reach the engine; return its turn, None when there was none."""
        rng, probe = self.rng, self.probe
        self.now += rng.choice((0, 1, MS, 20 * MS, 150 * MS))
        if rng.random() < 0.97:
            self.alive = self.now
        alive = self.alive
        if probe.halted()[0] and rng.random() < 0.05:
            return probe.clear_halt(self.now, probe.halted()[1], alive)
        if probe.counters()["connection"] and rng.random() < 0.05:
            return probe.connection(self.now, 1, alive)
        roll = rng.random()
        if roll < 0.25 and self.mail:
            return probe.report(self.now, *self.mail.popleft(), alive_ns=alive)
        if roll < 0.40 and self.wire:
            return self.arrive()
        if roll < 0.46:
            return self.trade()
        if roll < 0.85:
            self.mid = max(5_000, self.mid + rng.randint(-6, 6))
            bids, asks = around(self.mid, rng.randint(1, 9))
            if rng.random() < 0.03:
                bids, asks = rng.choice((([], asks), (bids, []), (asks, bids), ([], [])))
            elif rng.random() < 0.02:
                bids, asks = around(self.mid * rng.choice((85, 115, 1000)) // 100)
            late = rng.choice((0, 0, 0, 2 * SECOND, -2 * SECOND)) if rng.random() < 0.05 else 0
            self.suspect = bool(late)
            return probe.book(self.now, bids, asks, alive, exch_ns=self.now - late)
        if roll < 0.95:
            return probe.timer(self.now, alive)
        if roll < 0.97:
            level = Level.LEVEL_PAUSED if rng.random() < 0.3 else Level.LEVEL_RUN
            return probe.level(self.now, level, alive)
        if roll < 0.975:
            return rng.choice((probe.gap, probe.epoch))(self.now, 1, alive)
        if roll < 0.978:
            status = rng.choice((Status.STATUS_UP, Status.STATUS_DOWN, Status.STATUS_HALTED))
            return probe.status(self.now, status, alive)
        if roll < 0.98:
            reached = int(rng.random() < 0.8)
            for _ in range(5):
                self.judge(probe.connection(self.now, reached, alive))
            return probe.connection(self.now, reached, alive)
        if roll < 0.985:
            self.now += 6 * SECOND
            return probe.timer(self.now, alive)
        return probe.clear_halt(self.now, probe.halted()[1], alive)

    def judge(self, turn: Any) -> None:
        records, commands = turn
        intents = [(INTENT[r["kind"]], r["id"]) for r in records if r["kind"] in INTENT]
        assert intents == [(c["kind"], c["order_id"]) for c in commands]
        counters = self.probe.counters()
        self.commands += len(commands)
        assert counters["commands"] == self.commands
        for c in commands:
            if c["kind"] == PLACE:
                assert c["order_id"] not in self.orders
                self.orders[c["order_id"]] = [c["side"], c["px"], c["qty"], 0]
            if c["kind"] != CANCEL:
                assert counters["level"] == Level.LEVEL_RUN
                assert not counters["stale"]
                assert counters["warm"] and counters["violations"] == 0 and not self.suspect
                assert counters["connection"] == ConnectionState.CONNECTION_CLOSED
                assert self.probe.halted()[0] == Halt.HALT_NONE
            self.wire.append(c)

    def check(self) -> None:
        worst = [self.pos, -self.pos]
        amends = {c["order_id"]: c["qty"] for c in self.wire if c["kind"] == AMEND}
        for oid, (side, _, qty, filled) in self.orders.items():
            worst[side] += max(qty, amends.get(oid, 0)) - filled
        assert worst[0] <= max(self.changed["max_long"], self.pos)
        assert worst[1] <= max(self.changed["max_short"], -self.pos)
        assert -self.changed["max_short"] <= self.pos <= self.changed["max_long"]
        assert self.probe.position()["holds"]

    def run(self, events: int) -> None:
        for _ in range(events):
            turn = self.event()
            self.events += 1
            if turn is not None:
                self.judge(turn)
            self.check()
            self.halts.add(self.probe.halted()[0])
        while self.wire or self.mail:
            while self.wire:
                self.arrive()
            self.judge(self.probe.report(self.now, *self.mail.popleft(), alive_ns=self.alive))
        position = self.probe.position()
        assert (position["pos"], position["cash"]) == (self.pos, self.cash)
        assert self.halts <= {
            Halt.HALT_NONE, Halt.HALT_DAILY_LOSS, Halt.HALT_MARKET, Halt.HALT_VENUE,
            Halt.HALT_EXECUTIONS, Halt.HALT_REJECTS,
        }  # fmt: skip


@pytest.mark.parametrize("seed", range(25))
def test_law_no_schedule_passes_a_limit_or_sends_what_is_not_journaled(seed: int) -> None:
    schedule = Schedule(seed)
    schedule.run(4_000)
    assert schedule.fills > 10
    assert schedule.commands > 50


def test_law_equal_events_give_equal_bytes() -> None:
    first, second = Schedule(99), Schedule(99)
    for _ in range(2_000):
        for schedule in (first, second):
            turn = schedule.event()
            if turn is not None:
                schedule.judge(turn)
        assert first.probe.image() == second.probe.image()
