"""What an operator asks of the engine: a limit is only tightened, and flattening ends with nothing held."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bog._core.engine import EngineProbe
from bog._core.types import (
    Aside,
    Asked,
    CommandKind,
    Flattened,
    Halt,
    JournalKind,
    Level,
    Limit,
    ReportKind,
    Verdict,
)
from tests.core.test_calm import KINDS, Pair
from tests.core.test_engine import (
    AMEND,
    CANCEL,
    MS,
    PLACE,
    SECOND,
    ack,
    around,
    engine,
    kinds,
    quoting,
    said,
)

K = JournalKind
UID = 1000
TIGHTENED = {
    Limit.LIMIT_MAX_POSITION: (5, Verdict.DENY_POSITION, [0]),
    Limit.LIMIT_MAX_SHORT: (5, Verdict.DENY_POSITION, [1]),
    Limit.LIMIT_MAX_ORDER_SIZE: (9, Verdict.DENY_MAX_SIZE, [0, 1]),
    Limit.LIMIT_MAX_NOTIONAL: (100_000, Verdict.DENY_NOTIONAL, [1]),  # 10 at 9,990 passes, at 10,010 not
    Limit.LIMIT_MAX_EXPOSURE_QUOTE: (99_999, Verdict.DENY_NOTIONAL, [0, 1]),
    Limit.LIMIT_MAX_OPEN_ORDERS: (1, Verdict.DENY_OPEN_ORDERS, [0, 1]),
    Limit.LIMIT_COLLAR: (999, Verdict.DENY_COLLAR, [0, 1]),
}  # fmt: skip


def tighten(probe: EngineProbe, now: int, limit: int, value: int) -> Any:
    return probe.ask(now, Asked.ASKED_LIMIT, limit, value, UID)


def of_kind(turn: Any, kind: int) -> list[dict[str, Any]]:
    return [record for record in turn[0] if record["kind"] == kind]


# limits


@pytest.mark.parametrize("limit", list(TIGHTENED), ids=lambda limit: limit.name)
def test_a_tightened_limit_pulls_what_it_would_not_allow_and_refuses_it_from_then_on(
    limit: Limit,
) -> None:
    value, verdict, sides = TIGHTENED[limit]
    probe = quoting()
    before = probe.limits()[limit]
    turn = tighten(probe, SECOND + MS, limit, value)
    (record,) = of_kind(turn, K.J_LIMIT)
    told = [record[name] for name in ("reason", "val", "qty", "px", "aux", "state")]
    assert told == [limit, value, before, before, UID, 0]
    assert probe.limits()[limit] == value and probe.tightened() == {limit: (before, UID)}
    assert [c[:2] for c in said(turn)] == [(CANCEL, side) for side in sides]
    ack(probe, turn, SECOND + 2 * MS)
    again = probe.book(SECOND + 3 * MS, *around(10_001))
    ack(probe, again, SECOND + 4 * MS)
    if limit == Limit.LIMIT_MAX_OPEN_ORDERS:
        assert len(probe.orders()) == 1  # one of the two that were pulled stands again
    else:
        assert said(again) == []
        assert [o["side"] for o in probe.orders()] == [side for side in (0, 1) if side not in sides]
    assert probe.denied()[verdict] > 0
    assert probe.under_way() == 0


def test_what_a_tightened_limit_allows_keeps_its_place_in_the_queue() -> None:
    probe = quoting()
    before = probe.orders()
    turn = tighten(probe, SECOND + MS, Limit.LIMIT_MAX_POSITION, 10)
    assert said(turn) == [] and probe.orders() == before
    assert probe.under_way() == 0


def test_a_tightened_rate_leaves_fewer_changes() -> None:
    def changes(rate: int) -> int:
        probe = quoting(rate_burst=8)
        if rate:
            tighten(probe, SECOND, Limit.LIMIT_RATE_LIMIT_ORDERS_PER_SEC, rate)
        count = 0
        for n in range(1, 40):
            turn = probe.book(SECOND + n * 10 * MS, *around(10_000 + 5 * (n % 2)))
            count += len(turn[1])
            ack(probe, turn, SECOND + n * 10 * MS)
        return count

    assert changes(60) < 10 < 70 < changes(0)


def test_a_loss_beyond_a_tightened_limit_halts_at_once() -> None:
    probe = holding(10)
    probe.stats(SECOND + MS, 9_980)  # a loss of 100
    assert probe.halted()[0] == Halt.HALT_NONE
    turn = tighten(probe, SECOND + 2 * MS, Limit.LIMIT_MAX_DAILY_LOSS, 99)
    assert probe.halted()[0] == Halt.HALT_DAILY_LOSS
    assert {c["kind"] for c in turn[1]} == {CANCEL}


def test_a_fall_beyond_a_tightened_drawdown_halts_at_once() -> None:
    probe = holding(10, drawdown_min_peak=10)
    probe.stats(SECOND + MS, 10_010)  # a profit of 200
    probe.timer(2 * SECOND)
    probe.stats(2 * SECOND + MS, 10_000)  # half of it is left
    assert probe.halted()[0] == Halt.HALT_NONE
    tighten(probe, 2 * SECOND + 2 * MS, Limit.LIMIT_MAX_DRAWDOWN, 499_999)
    assert probe.halted()[0] == Halt.HALT_DRAWDOWN


def test_beyond_a_tightened_position_only_quotes_that_reduce_are_left() -> None:
    probe = holding(10)
    turn = tighten(probe, SECOND + MS, Limit.LIMIT_MAX_POSITION, 5)
    assert [c[:2] for c in said(turn)] == [(CANCEL, 0)]
    ack(probe, turn, SECOND + 2 * MS)
    for n in range(3, 8):
        turn = probe.book(SECOND + n * MS, *around(10_000 + 5 * n))
        assert [c[:2] for c in said(turn)] == [(AMEND, 1)]
        ack(probe, turn, SECOND + n * MS)
    assert {o["side"] for o in probe.orders()} == {1}


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        (Limit.LIMIT_MAX_POSITION, 100), (Limit.LIMIT_MAX_POSITION, 101),
        (Limit.LIMIT_MAX_POSITION, 2**63 - 1), (Limit.LIMIT_MAX_POSITION, 0),
        (Limit.LIMIT_MAX_POSITION, -1), (Limit.LIMIT_NONE, 1), (Limit.LIMITS, 1), (2**40, 1),
    ],
)  # fmt: skip
def test_what_is_not_tighter_changes_nothing(limit: int, value: int) -> None:
    probe = quoting()
    before = probe.limits()
    turn = tighten(probe, SECOND + MS, limit, value)
    assert not of_kind(turn, K.J_LIMIT) and said(turn) == []
    assert probe.limits() == before and probe.tightened() == {} and probe.under_way() == 0


def test_an_order_without_a_token_for_its_cancel_is_pulled_as_soon_as_there_is_one() -> None:
    probe = quoting(rate_burst=4, rate_per_min=60, rate_reserve=0)
    # the bucket held four: two are gone with the quotes, two with these cancels that are refused
    for n in (1, 2):
        turn = probe.level(SECOND, Level.LEVEL_PAUSED if n == 1 else Level.LEVEL_RUN)
        for c in turn[1]:
            probe.report(SECOND, ReportKind.REP_CANCEL_REJECT, c["order_id"], c["side"])
    turn = tighten(probe, SECOND + MS, Limit.LIMIT_MAX_ORDER_SIZE, 5)
    assert said(turn) == [] and probe.under_way() == Aside.ASIDE_JUDGE
    gone = []
    for n in range(1, 40):
        turn = probe.timer(SECOND + n * 100 * MS)
        gone += [c["order_id"] for c in turn[1] if c["kind"] == CANCEL]
        ack(probe, turn, SECOND + n * 100 * MS)
    assert sorted(gone) == [1, 2]
    assert probe.under_way() == 0


def test_a_limit_of_the_run_before_stays_while_the_same_is_configured() -> None:
    probe = engine()
    assert not probe.keep_limit(Limit.LIMIT_MAX_POSITION, 5, 99, UID)  # 100 is configured now
    assert not probe.keep_limit(Limit.LIMIT_MAX_POSITION, 100, 100, UID)
    assert not probe.keep_limit(2**30, 1, 0, UID)
    assert probe.tightened() == {}
    assert probe.keep_limit(Limit.LIMIT_MAX_POSITION, 25, 100, UID)
    assert probe.tightened() == {Limit.LIMIT_MAX_POSITION: (100, UID)}
    # and is tightened further, from what was configured
    (record,) = of_kind(tighten(probe, SECOND, Limit.LIMIT_MAX_POSITION, 20), K.J_LIMIT)
    assert (record["val"], record["qty"], record["px"]) == (20, 25, 100)


requests = st.lists(
    st.tuples(st.integers(0, 12), st.integers(-5, 120) | st.integers(-(2**63), 2**63 - 1)),
    max_size=30,
)


@given(requests)
def test_law_in_force_is_the_least_of_all_that_were_asked(asked: list[tuple[int, int]]) -> None:
    probe = quoting()
    least = probe.limits()
    for n, (limit, value) in enumerate(asked):
        turn = tighten(probe, SECOND + n * MS, limit, value)
        tighter = 0 < limit < Limit.LIMITS and 0 < value < least[limit]
        assert len(of_kind(turn, K.J_LIMIT)) == tighter
        if tighter:
            least[limit] = value
        assert probe.limits() == least


def gate_holds(probe: EngineProbe, turn: Any) -> None:
    """AssertionError unless every order that a turn sends is within the limits in force."""
    limits, pos, orders = probe.limits(), probe.position()["pos"], probe.orders()
    for c in turn[1]:
        if c["kind"] not in (PLACE, AMEND):
            continue
        assert c["qty"] <= limits[Limit.LIMIT_MAX_ORDER_SIZE]
        assert c["kind"] == AMEND or len(orders) <= limits[Limit.LIMIT_MAX_OPEN_ORDERS]
        open_lots = sum(
            max(o["qty"], o["amend_qty"]) - o["filled"] for o in orders if o["side"] == c["side"]
        )
        worst = open_lots + (-pos if c["side"] else pos)
        most = limits[Limit.LIMIT_MAX_SHORT if c["side"] else Limit.LIMIT_MAX_POSITION]
        assert worst <= max(0, most)
        if worst > 0:
            assert c["px"] * c["qty"] <= limits[Limit.LIMIT_MAX_NOTIONAL]
            assert worst * c["px"] <= limits[Limit.LIMIT_MAX_EXPOSURE_QUOTE]


class Operated(Pair):
    """The two engines, and an operator who asks for things now and then."""

    def both(self, event: str, *args: Any, **named: Any) -> None:
        super().both(event, *args, **named)
        least = self.short.limits()
        assert all(a <= b for a, b in zip(least, self.least, strict=True))
        self.least = least

    def __init__(self, kind: str, seed: int) -> None:
        super().__init__(kind, seed)
        self.least = self.short.limits()

    def book(self) -> None:
        asked = len(self.asked)
        super().book()
        gate_holds(self.short, ((), self.asked[asked:]))

    def other(self) -> None:
        r = self.random
        what = r.randrange(8)
        if what == 0:
            limit = r.randrange(Limit.LIMITS)
            now = self.short.limits()[limit]
            value = r.choice([now * r.randint(50, 110) // 100, now - 1, 0, -now])
            self.both("ask", Asked.ASKED_LIMIT, limit, value, UID)
        elif what == 1:
            self.both("ask", Asked.ASKED_FLATTEN, uid=UID)
            self.both("level", Level.LEVEL_PAUSED)
        elif what == 2:
            self.both("ask", r.choice([Asked.ASKED_HOLD, Asked.ASKED_CANCEL_ALL]), uid=UID)
        else:
            super().other()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(KINDS)), st.integers(0, 2**32))
def test_law_no_order_passes_the_limits_in_force_whatever_an_operator_asks(
    kind: str, seed: int
) -> None:
    Operated(kind, seed).play(200)


# flattening


def holding(lots: int, now: int = SECOND, **changed: int) -> EngineProbe:
    """Return an engine that quotes and holds `lots`, up to ten of either sign."""
    probe = quoting(now, **changed)
    number, side, px = (1, 0, 9_990) if lots > 0 else (2, 1, 10_010)
    turn = probe.report(now, ReportKind.REP_FILL, number, side, px, abs(lots), 0, 500)
    ack(probe, turn, now)
    assert probe.position()["pos"] == lots
    return probe


def emptied(probe: EngineProbe, now: int) -> Any:
    """Ask for flattening as bog-live does, prove every cancel; return the turn of the last proof."""
    turn = probe.ask(now, Asked.ASKED_FLATTEN, uid=UID)
    (record,) = of_kind(turn, K.J_ASKED)
    told = [record[name] for name in ("reason", "qty", "aux")]
    assert told == [Asked.ASKED_FLATTEN, probe.position()["pos"], UID]
    turn = probe.level(now, Level.LEVEL_PAUSED)
    assert {c["kind"] for c in turn[1]} == {CANCEL}
    for c in turn[1]:
        last = probe.report(now, ReportKind.REP_CANCELED, c["order_id"], c["side"])
    return last


@pytest.mark.parametrize("lots", [7, -7])
def test_flattening_empties_the_book_then_only_reduces_at_the_touch_until_flat(lots: int) -> None:
    probe = holding(lots)
    side, px = (1, 10_001) if lots > 0 else (0, 9_999)
    turn = emptied(probe, SECOND + MS)
    (order,) = turn[1]
    assert [order[name] for name in ("kind", "side", "px", "qty", "reduce_only")] == [
        *(PLACE, side, px, 7, 1),
    ]
    ack(probe, turn, SECOND + 2 * MS)
    # it follows the touch
    turn = probe.book(SECOND + 3 * MS, *around(10_010))
    assert [c[:3] for c in said(turn)] == [(AMEND, side, px + 10)]
    ack(probe, turn, SECOND + 4 * MS)
    turn = probe.report(
        SECOND + 5 * MS, ReportKind.REP_FILL, order["order_id"], side, px + 10, 3, 0, 501
    )
    assert said(turn) == [] and probe.under_way() == Aside.ASIDE_REDUCE
    turn = probe.report(
        SECOND + 6 * MS, ReportKind.REP_FILL, order["order_id"], side, px + 10, 4, 0, 502
    )
    turns = [turn, *(probe.timer(SECOND + n * 500 * MS) for n in range(1, 10))]
    (over,) = [record for turn in turns for record in of_kind(turn, K.J_FLATTENED)]
    assert (over["reason"], over["qty"]) == (Flattened.FLATTENED_FLAT, 0)
    assert probe.position()["pos"] == 0 and probe.orders() == [] and probe.under_way() == 0
    # and stays paused
    assert said(probe.book(9 * SECOND, *around(10_020))) == []
    assert {c["kind"] for c in probe.level(9 * SECOND, Level.LEVEL_RUN)[1]} == {PLACE}


def test_flattening_never_asks_for_more_than_the_largest_order() -> None:
    probe = holding(10)
    tighten(probe, SECOND + MS, Limit.LIMIT_MAX_ORDER_SIZE, 4)
    for o in probe.orders():
        probe.report(SECOND + MS, ReportKind.REP_CANCELED, o["id"], o["side"])
    probe.ask(SECOND + 2 * MS, Asked.ASKED_FLATTEN, uid=UID)
    turn = probe.level(SECOND + 2 * MS, Level.LEVEL_PAUSED)
    assert [c[:2] + c[3:] for c in said(turn)] == [(PLACE, 1, 4)]


def test_flattening_ends_at_less_than_the_smallest_order_and_says_so() -> None:
    probe = holding(3, min_order=5)
    turn = emptied(probe, SECOND + MS)
    assert said(turn) == []
    turns = [turn, *(probe.timer(SECOND + n * 500 * MS) for n in range(1, 10))]
    (over,) = [record for turn in turns for record in of_kind(turn, K.J_FLATTENED)]
    assert (over["reason"], over["qty"]) == (Flattened.FLATTENED_DUST, 3)
    assert probe.under_way() == 0


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("hold", Flattened.FLATTENED_HELD), ("cancel_all", Flattened.FLATTENED_HELD),
        ("resume", Flattened.FLATTENED_HELD), ("drain", Flattened.FLATTENED_HELD),
        ("kill", Flattened.FLATTENED_HELD), ("halt", Flattened.FLATTENED_HALTED),
    ],
)  # fmt: skip
def test_flattening_is_ended_by_any_other_word(how: str, why: Flattened) -> None:
    probe = holding(7)
    ack(probe, emptied(probe, SECOND + MS), SECOND + 2 * MS)
    now = SECOND + 3 * MS
    levels = {"resume": Level.LEVEL_RUN, "drain": Level.LEVEL_DRAIN, "kill": Level.LEVEL_KILLED}
    if how in levels:
        turn = probe.level(now, levels[how])
    elif how == "halt":
        pulled = probe.stats(now, 5_000)  # a loss beyond the day's limit
        turn = probe.timer(now + MS)
        ack(probe, pulled, now + MS)
    else:
        turn = probe.ask(now, Asked["ASKED_" + how.upper()], uid=UID)
    (over,) = of_kind(turn, K.J_FLATTENED)
    assert (over["reason"], over["qty"]) == (why, 7) and probe.under_way() == 0
    reducing = [c for c in turn[1] if c["kind"] == CANCEL]
    assert reducing or how in ("resume", "halt")
    ack(probe, turn, now + MS)
    if how != "resume":
        assert probe.orders() == []


def test_flattening_at_a_drain_does_nothing() -> None:
    probe = holding(7)
    probe.level(SECOND, Level.LEVEL_DRAIN)
    turn = probe.ask(SECOND + MS, Asked.ASKED_FLATTEN, uid=UID)
    assert probe.under_way() == 0 and kinds(turn).count(K.J_ASKED) == 1


@pytest.mark.parametrize("kind", [Asked.ASKED_NONE, Asked.ASKED_BUSY, 77])
def test_an_unknown_request_does_nothing(kind: int) -> None:
    probe = quoting()
    assert probe.ask(SECOND + MS, kind, 1, 1, UID)[1] == [] and probe.under_way() == 0


def test_on_a_book_with_our_own_orders_flattening_joins_the_others() -> None:
    probe = holding(7, own_in_book=1)
    turn = emptied(probe, SECOND + MS)
    (order,) = turn[1]
    assert order["px"] == 10_001
    ack(probe, turn, SECOND + 2 * MS)
    # the others have left the touch, where only we stand now
    bids, asks = around(10_000)
    asks = [(10_001, 7), (10_005, 9)]
    turn = probe.book(SECOND + 3 * MS, bids, asks)
    assert [c[:3] for c in said(turn)] == [(AMEND, 1, 10_005)]
    assert CommandKind.CMD_PLACE not in {c["kind"] for c in turn[1]}
