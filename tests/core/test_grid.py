"""A grid of several orders a side: what it wants, the steps that lead there, and what never happens."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bog import models
from bog._core.engine import EngineProbe
from bog._core.grid import MOST, GridProbe, GridStepKind, interval
from bog._core.strategy import Quiet
from bog._core.types import Halt, Level, ModelKind, OrderState, ReportKind, StateWord, Verdict
from tests.core.test_engine import (
    AMEND,
    CANCEL,
    MS,
    PLACE,
    SECOND,
    Schedule,
    ack,
    around,
    engine,
    said,
)

BID, ASK = 0, 1
Q16 = 1 << 16
CREATED, IN_FLIGHT, RESTING, PARTIAL, CANCEL_SENT, AMEND_SENT, UNKNOWN = (
    OrderState.ORDER_CREATED, OrderState.ORDER_IN_FLIGHT, OrderState.ORDER_RESTING,
    OrderState.ORDER_PARTIAL, OrderState.ORDER_CANCEL_SENT, OrderState.ORDER_AMEND_SENT,
    OrderState.ORDER_UNKNOWN,
)  # fmt: skip
DONE, WAIT, SOON, TO_PLACE, TO_AMEND, TO_CANCEL = GridStepKind
PARAMS = {
    "grid_orders": 3, "order_qty": 10, "max_pos": 100, "min_order": 1, "requote_ticks": 3,
    "size_off_ppm": 250_000,
}  # fmt: skip
GRID = {
    "kind": 1, "model": int(ModelKind.MODEL_GRID), "volatility_shift": 4, "max_open_orders": 16,
    "max_daily_loss": 10**12,
}  # fmt: skip


# one side: the levels


def side(most: int = 3, fair: int = 10_010, floor: int = 0, **changed: int) -> GridProbe:
    return GridProbe(PARAMS | {"grid_orders": most} | changed, 2 * fair, floor)


def test_levels_stand_an_interval_apart_away_from_the_market() -> None:
    assert side().want(BID, 9990, 10) == [(9990, 10), (9980, 10), (9970, 10)]
    assert side().want(ASK, 10_010, 10) == [(10_010, 10), (10_020, 10), (10_030, 10)]
    assert len(side(MOST).want(BID, 9990, 10)) == MOST == 8
    assert len(side(MOST + 1).want(BID, 9990, 10)) == MOST


@pytest.mark.parametrize(
    ("pos", "bids"), [(69, [10, 10, 10]), (70, [10, 10, 10]), (71, [10, 10, 9]), (80, [10, 10]),
                      (98, [2]), (99, []), (100, []), (101, [])],
)  # fmt: skip
def test_all_levels_filled_are_max_pos_at_most_and_none_is_wanted_there(
    pos: int, bids: list[int]
) -> None:
    for where, held in ((BID, pos), (ASK, -pos)):
        wanted = side(min_order=2).want(where, 10_000, 10, held)
        assert [qty for _, qty in wanted] == bids
        assert len(side(min_order=2).want(1 - where, 10_000, 10, held)) == 3


def test_a_level_below_the_first_tick_is_not_wanted() -> None:
    assert side().want(BID, 20, 10) == [(20, 10), (10, 10)]
    assert side().want(ASK, (1 << 40) - 10, 10) == [((1 << 40) - 10, 10)]
    assert side().want(BID, 9990, 10, qty=0) == []


def test_the_interval_is_the_half_spread_until_that_is_a_threshold_off() -> None:
    assert [interval(0, half, 3) for half in (0, 1, 2, 10)] == [1, 1, 2, 10]
    assert [interval(10, half, 3) for half in (7, 8, 12, 13)] == [7, 10, 10, 13]


# one side: the steps


def test_missing_levels_are_placed_nearest_first() -> None:
    probe = side()
    probe.want(BID, 9990, 10)
    seen = []
    for slot in range(3):
        kind, none, level, px, qty, _ = probe.plan(paced=False)
        assert (kind, none, qty) == (TO_PLACE, -1, 10)
        seen.append((level, px))
        probe.order(slot, px, qty, IN_FLIGHT)
    assert seen == [(0, 9990), (1, 9980), (2, 9970)]
    assert probe.plan()[0] == DONE


def standing(*prices: int, state: int = RESTING, **changed: int) -> GridProbe:
    """Return a side that wants bids at 9990, 9980 and 9970, with orders of 10 at these prices."""
    probe = side(**changed)
    probe.want(BID, 9990, 10)
    for slot, px in enumerate(prices):
        probe.order(slot, px, 10, state)
    return probe


def test_an_order_that_rests_at_a_wanted_price_stays() -> None:
    assert standing(9970, 9990, 9980).plan()[0] == DONE
    # and one that is nearer than the threshold, too
    assert standing(9972, 9988, 9982).plan()[0] == DONE
    assert standing(9973, 9990, 9980).plan()[:4] == (TO_AMEND, 0, 2, 9970)


def test_an_order_that_serves_no_level_moves_to_one_without_an_order() -> None:
    probe = standing(9980, 9970, 9960)
    assert probe.plan() == (TO_AMEND, 2, 0, 9990, 10, False)
    assert probe.plan(paced=False)[0] == SOON
    assert probe.plan(refused=1)[0] == SOON
    probe.order(2, 9960, 10, AMEND_SENT, amend_px=9990, amend_qty=10)
    assert probe.plan()[0] == DONE


def test_an_amend_asks_for_what_is_open() -> None:
    probe = standing(9980, 9970)
    probe.order(2, 9960, 14, PARTIAL, filled=4)
    assert probe.plan() == (TO_AMEND, 2, 0, 9990, 10, False)


def test_of_two_orders_at_a_level_the_older_keeps_its_place() -> None:
    probe = standing(9990, 9980, 9980)
    assert probe.plan()[:4] == (TO_AMEND, 2, 2, 9970)
    probe.order(1, 9980, 10, RESTING, id=9)
    assert probe.plan()[:4] == (TO_AMEND, 1, 2, 9970)


def test_orders_that_are_more_than_the_levels_go_the_youngest_first() -> None:
    probe = standing(9990, 9980, 9970)
    probe.order(3, 9960, 10, RESTING)
    probe.order(4, 9950, 10, IN_FLIGHT)
    assert probe.plan(paced=False)[:2] == (TO_CANCEL, 4)
    probe.gone(4)
    assert probe.plan(paced=False)[:2] == (TO_CANCEL, 3)


@pytest.mark.parametrize("state", [IN_FLIGHT, RESTING, PARTIAL, AMEND_SENT])
def test_when_nothing_is_wanted_everything_goes_whatever_is_under_way(state: int) -> None:
    probe = standing(9990, 9980, 9970, state=state)
    probe.want(BID, 0, 10, qty=0)
    for slot in range(3):
        assert probe.plan(paced=False)[:2] == (TO_CANCEL, slot)
        probe.order(slot, 9990 - 10 * slot, 10, CANCEL_SENT)
    assert probe.plan()[0] == WAIT
    for slot in range(3):
        probe.gone(slot)
    assert probe.plan()[0] == DONE


@pytest.mark.parametrize("state", [CANCEL_SENT, UNKNOWN])
def test_a_cancel_without_an_answer_is_asked_again_to_the_nanosecond(state: int) -> None:
    probe = standing(9990, 9980)
    probe.order(2, 9970, 10, state, touched_ns=500)
    assert probe.plan(now=1499, retry_ns=1000)[0] == WAIT
    assert probe.plan(now=1500, retry_ns=1000)[:2] == (TO_CANCEL, 2)


def test_a_dying_order_counts_as_one_of_the_side() -> None:
    probe = standing(9990, 9980)
    probe.order(2, 9950, 10, CANCEL_SENT)
    assert probe.plan()[0] == WAIT
    probe.gone(2)
    assert probe.plan()[:4] == (TO_PLACE, -1, 2, 9970)


def test_what_is_dying_and_what_is_new_stay_below_max_pos_together() -> None:
    for max_pos, kind in ((49, WAIT), (50, TO_PLACE)):
        probe = side(5, max_pos=max_pos)
        probe.want(BID, 9990, 10)
        for slot, px in enumerate((9990, 9980, 9970)):
            probe.order(slot, px, 10, RESTING)
        probe.order(3, 9000, 10, CANCEL_SENT)
        assert probe.plan()[0] == kind


def test_an_order_past_the_fair_price_less_the_floor_goes_at_once() -> None:
    # the fair price is 10,010: with a floor of 15 ticks 9996 is too near, 9995 is not
    for px, kind in ((9995, SOON), (9996, TO_CANCEL)):
        assert standing(px, 9980, 9970, floor=15).plan(paced=False)[:1] == (kind,)
    assert standing(9996, 9980, 9970, floor=15).plan() == (TO_AMEND, 0, 0, 9990, 10, True)
    assert standing(9996, 9980, 9970, state=IN_FLIGHT, floor=15).plan()[:2] == (TO_CANCEL, 0)


def test_a_size_that_is_off_is_amended_in_its_place() -> None:
    probe = standing(9990, 9980)
    for filled, kind in ((2, DONE), (3, TO_AMEND)):
        probe.order(2, 9970, 10, PARTIAL, filled=filled)
        assert probe.plan()[0] == kind
    assert probe.plan()[1:5] == (2, 2, 9970, 10)
    assert probe.plan(paced=False)[0] == SOON


def test_orders_near_their_end_are_renewed_one_at_a_time() -> None:
    probe = side(expiry_margin_ns=100)
    probe.want(BID, 9990, 10)
    for slot, px in enumerate((9990, 9980, 9970)):
        probe.order(slot, px, 10, RESTING, expiry_ns=1000)
    assert probe.plan(now=900)[0] == DONE
    assert probe.plan(now=901)[:2] == (TO_CANCEL, 0)
    probe.order(0, 9990, 10, CANCEL_SENT, touched_ns=901)
    assert probe.plan(now=901)[0] == SOON
    probe.gone(0)
    assert probe.plan(now=902)[:2] == (TO_CANCEL, 1)


def test_a_level_that_was_refused_is_left_for_this_turn() -> None:
    probe = standing(9990)
    assert probe.plan(refused=0b010)[:3] == (TO_PLACE, -1, 2)
    assert probe.plan(refused=0b110)[0] == WAIT


STATES = st.sampled_from([IN_FLIGHT, RESTING, PARTIAL, CANCEL_SENT, AMEND_SENT, UNKNOWN])
ORDER = st.tuples(st.integers(9900, 10_000), st.integers(1, 20), STATES)


@given(
    orders=st.lists(ORDER, max_size=16), most=st.integers(1, 8), step=st.integers(1, 20),
    pos=st.integers(-120, 120), paced=st.booleans(), wanted=st.booleans(),
)  # fmt: skip
def test_law_steps_end_and_lead_to_the_levels(
    *, orders: list[Any], most: int, step: int, pos: int, paced: bool, wanted: bool
) -> None:
    probe = side(most)
    levels = probe.want(BID, 9950, step, pos, qty=int(wanted))
    alive: dict[int, tuple[int, int, int]] = {}
    for slot, (px, qty, state) in enumerate(orders):
        alive[slot] = (px, qty, state)
        target = {"amend_px": px, "amend_qty": qty} if state == AMEND_SENT else {}
        probe.order(slot, px, qty, state, **target)
    before, free = len(alive), 16
    open_lots = sum(qty for _, qty, _ in orders)
    for _ in range(64):
        kind, slot, level, px, qty, _ = probe.plan(paced=paced)
        if kind in (DONE, WAIT, SOON):
            break
        if kind == TO_PLACE:
            assert len(alive) < most
            slot, free = free, free + 1
        elif kind == TO_AMEND:
            assert paced and alive[slot][2] in (RESTING, PARTIAL)
        if kind == TO_CANCEL:
            assert alive[slot][2] not in (CANCEL_SENT, UNKNOWN)
            alive[slot] = (*alive[slot][:2], CANCEL_SENT)
        else:
            assert px == levels[level][0]
            assert 0 < qty <= levels[level][1]
            # the venue answers at once
            alive[slot] = (px, qty, RESTING)
        probe.order(slot, *alive[slot])
        assert len(alive) <= max(before, most)
        # what may fill never grows past the room
        assert sum(one[1] for one in alive.values()) <= max(open_lots, 100 - pos)
    else:
        raise AssertionError("a turn did not end")
    if kind == DONE:
        near = min(3, step)
        assert len(alive) == len(levels)
        for (want, _), (px, _, _) in zip(levels, sorted(alive.values(), reverse=True), strict=True):
            assert abs(px - want) < near


# through the step


def quoting(
    most: int = 3, mid: int = 10_005, half: int = 10, now: int = SECOND, pos: int = 0, skew: int = 0,
    answer: bool = True, **changed: int,
) -> tuple[EngineProbe, Any]:  # fmt: skip
    """Return an engine with a grid of `most` orders a side, and the turn in which it began."""
    probe = engine(**(GRID | {"grid_orders": most} | changed))
    probe.restore(StateWord.W_POS, pos)
    probe.book(now, *around(mid))
    # points a side, so that a shift of `skew` ticks an order is the same everywhere
    points = changed.get("max_pos", 100) // 10
    shifts = [-skew * i * Q16 for i in range(-points, points + 1)] if skew else [0, 0, 0]
    turn = probe.model(now, half * Q16, shifts, [0] * 6)
    if answer:
        ack(probe, turn, now)
    return probe, turn


def prices(probe: EngineProbe, where: int) -> list[int]:
    """Return the prices of our live orders on a side, nearest to the market first."""
    found = [o["px"] for o in probe.orders() if o["side"] == where]
    return sorted(found, reverse=where == BID)


def settle(probe: EngineProbe, turn: Any, now: int) -> int:
    """Answer each command until none comes; return how many there were."""
    sent = 0
    for _ in range(50):
        if not turn[1]:
            turn = probe.timer(now)
            if not turn[1]:
                return sent
        sent += len(turn[1])
        commands, turn = turn[1], ([], [])
        for c in commands:
            word = {PLACE: ReportKind.REP_ACK, AMEND: ReportKind.REP_AMENDED}
            more = probe.report(
                now, word.get(c["kind"], ReportKind.REP_CANCELED), c["order_id"], c["side"],
                c["px"], c["qty"], venue_id=c["order_id"],
            )  # fmt: skip
            turn = (turn[0] + more[0], turn[1] + more[1])
    raise AssertionError("never quiet")


def test_n_orders_a_side_go_out_in_one_turn() -> None:
    probe, turn = quoting()
    assert said(turn) == [(PLACE, BID, px, 10) for px in (9990, 9980, 9970)] + [
        (PLACE, ASK, px, 10) for px in (10_020, 10_030, 10_040)
    ]
    assert probe.book(SECOND + MS, *around(10_005)) == ([], [])


@pytest.mark.parametrize("most", [2, 3, 5, 8])
@pytest.mark.parametrize("q", [-4, 0, 1, 4])
def test_the_levels_are_those_of_the_published_grid(most: int, q: int) -> None:
    closed = models.glft(gamma=0.001, sigma=29, arrivals=1.54, k=0.0557)
    shifts = [round(-closed.skew * n * Q16) for n in range(-16, 17)]
    probe = engine(**(GRID | {"grid_orders": most, "max_pos": 160, "max_long": 300,
                              "max_short": 300}))  # fmt: skip
    probe.restore(StateWord.W_POS, 10 * q)
    probe.book(SECOND, *around(10_443))
    probe.model(SECOND, round(closed.half * Q16), shifts, [0] * 6)
    bids, asks = models.grid(closed, 10_443, q, orders=most, q_max=16)
    assert (prices(probe, BID), prices(probe, ASK)) == (bids, asks)


def test_nothing_moves_while_the_fair_price_moves_inside_a_cell() -> None:
    probe, _ = quoting()
    before = probe.orders()
    for i, mid in enumerate((10_001, 10_009, 10_003, 10_008)):
        assert probe.book(SECOND + (i + 1) * MS, *around(mid)) == ([], [])
    assert probe.orders() == before


def test_a_cell_further_moves_one_order_a_side_and_leaves_the_others() -> None:
    probe, _ = quoting()
    turn = probe.book(SECOND + MS, *around(10_015))
    assert said(turn) == [(AMEND, BID, 10_000, 10), (AMEND, ASK, 10_050, 10)]
    ack(probe, turn, SECOND + MS)
    assert prices(probe, BID) == [10_000, 9990, 9980]
    assert prices(probe, ASK) == [10_030, 10_040, 10_050]


def test_a_filled_level_is_filled_again_and_the_others_stay() -> None:
    probe, _ = quoting()
    turn = probe.report(SECOND + MS, ReportKind.REP_FILL, 1, BID, 9990, 10, venue_id=1)
    assert said(turn) == [(PLACE, BID, 9990, 10)]
    assert probe.position()["pos"] == 10


def test_a_skew_moves_the_whole_ladder() -> None:
    probe, _ = quoting(skew=10)
    turn = probe.report(SECOND + MS, ReportKind.REP_FILL, 1, BID, 9990, 10, venue_id=1)
    # both sides a cell lower: the bid that is missing is the lowest, the highest ask comes down
    assert said(turn) == [(PLACE, BID, 9960, 10), (AMEND, ASK, 10_010, 10)]


@pytest.mark.parametrize(
    ("pos", "bids", "asks"),
    [(0, 3, 3), (10, 2, 3), (20, 1, 3), (29, 1, 3), (30, 0, 3), (-30, 3, 0), (-29, 3, 1)],
)
def test_no_bids_at_the_largest_inventory_and_no_asks_at_its_other_end(
    pos: int, bids: int, asks: int
) -> None:
    probe, _ = quoting(max_pos=30, pos=pos)
    assert (len(prices(probe, BID)), len(prices(probe, ASK))) == (bids, asks)
    assert (probe.why()[0] == Quiet.QUIET_INVENTORY) is (bids == 0)
    assert (probe.why()[1] == Quiet.QUIET_INVENTORY) is (asks == 0)


@pytest.mark.parametrize(("limit", "bids", "denied"), [(29, 2, 1), (30, 3, 0)])
def test_every_order_counts_in_the_worst_case(limit: int, bids: int, denied: int) -> None:
    probe, _ = quoting(max_long=limit)
    assert len(prices(probe, BID)) == bids
    assert len(prices(probe, ASK)) == 3
    assert probe.denied()[Verdict.DENY_POSITION] == denied
    # and it is not said again while it lasts
    for i in range(5):
        probe.book(SECOND + (i + 1) * MS, *around(10_004 + i % 2))
    assert probe.denied()[Verdict.DENY_POSITION] == denied


@pytest.mark.parametrize(("most", "placed"), [(5, 5), (6, 6)])
def test_every_order_counts_as_open(most: int, placed: int) -> None:
    probe, turn = quoting(max_open_orders=most)
    assert len(turn[1]) == placed
    assert probe.denied()[Verdict.DENY_OPEN_ORDERS] == 6 - placed


@pytest.mark.parametrize(("burst", "placed"), [(11, 5), (12, 6)])
def test_a_create_leaves_tokens_to_cancel_every_order(burst: int, placed: int) -> None:
    # the sixth create finds burst - 5 tokens and needs 7: itself, and a cancel for each of six
    probe, turn = quoting(rate_burst=burst, rate_per_min=60, rate_reserve=0)
    assert len(turn[1]) == placed
    assert probe.denied()[Verdict.DENY_RATE] == 6 - placed
    turn = probe.level(SECOND + MS, Level.LEVEL_PAUSED)
    assert [c[0] for c in said(turn)] == [CANCEL] * placed


PULLS = {
    "pause": lambda p, t: p.level(t, Level.LEVEL_PAUSED),
    "drain": lambda p, t: p.level(t, Level.LEVEL_DRAIN),
    "kill": lambda p, t: p.level(t, Level.LEVEL_KILLED),
    "stale": lambda p, t: p.timer(t, alive_ns=t - 501 * MS),
    "gap": lambda p, t: p.gap(t, 1),
    "epoch": lambda p, t: p.epoch(t, 2),
    "down": lambda p, t: p.status(t, 2),
    "crossed": lambda p, t: p.book(t, [(10_010, 5)], [(10_005, 5)]),
    "late": lambda p, t: p.book(t, *around(10_004), exch_ns=t - 2 * SECOND),
    "portfolio": lambda p, t: p.timer(t),
}


@pytest.mark.parametrize("what", PULLS)
@pytest.mark.parametrize("answer", [True, False])
def test_whatever_pulls_quotes_pulls_every_order_at_once(what: str, answer: bool) -> None:
    probe, _ = quoting(answer=answer)
    assert len(probe.orders()) == 6
    if what == "portfolio":
        probe.over, probe.room = True, 0
    turn = PULLS[what](probe, SECOND + MS)
    assert sorted(c["order_id"] for c in turn[1]) == [1, 2, 3, 4, 5, 6]
    assert {c["kind"] for c in turn[1]} == {CANCEL}
    settle(probe, turn, SECOND + 2 * MS) if what == "drain" else ack(probe, turn, SECOND + 2 * MS)
    assert probe.orders() == [] or what in ("late", "portfolio", "down", "crossed")
    assert not {o["state"] for o in probe.orders()} & {RESTING, PARTIAL}


def test_without_tokens_the_rest_is_pulled_as_they_come() -> None:
    probe, _ = quoting(rate_burst=12, rate_per_min=60, rate_reserve=0)
    # a token a second: six are left, and each amend must leave enough for six cancels
    probe.book(SECOND + MS, *around(10_015))
    turn = probe.level(SECOND + 2 * MS, Level.LEVEL_PAUSED)
    pulled = [c["order_id"] for c in turn[1]]
    now = SECOND
    while len(pulled) < 6:
        now += SECOND
        assert now < 20 * SECOND
        pulled += [c["order_id"] for c in probe.timer(now)[1]]
    assert sorted(pulled) == [1, 2, 3, 4, 5, 6]


def test_a_jump_past_our_own_orders_never_meets_them() -> None:
    probe, _ = quoting()
    turn = probe.book(SECOND + MS, *around(10_065))
    # the bids wait until the asks have made way
    assert [c[:2] for c in said(turn)] == [(AMEND, ASK)] * 3
    assert probe.denied()[Verdict.DENY_SELF_MATCH] == 1
    assert settle(probe, turn, SECOND + 2 * MS) == 6
    assert prices(probe, BID) == [10_050, 10_040, 10_030]
    assert prices(probe, ASK) == [10_080, 10_090, 10_100]


def test_moves_wait_for_the_pace_and_a_wrong_side_does_not() -> None:
    probe, _ = quoting(min_interval_ns=SECOND, mid=10_065)
    assert prices(probe, BID) == [10_050, 10_040, 10_030]
    assert said(probe.book(SECOND + MS, *around(10_055))) == []
    # both bids above the mid go at once; the others wait
    turn = probe.book(SECOND + 2 * MS, *around(10_035))
    assert said(turn) == [(CANCEL, BID, 10_050, 0), (CANCEL, BID, 10_040, 0)]
    ack(probe, turn, SECOND + 3 * MS)
    # a level without an order gets one at once; the pace of what moves counts from there
    assert prices(probe, BID) == [10_030, 10_020, 10_010]
    assert said(probe.timer(2 * SECOND + 3 * MS - 1)) == [
        (AMEND, ASK, 10_050, 10), (AMEND, ASK, 10_060, 10), (AMEND, ASK, 10_070, 10),
    ]  # fmt: skip
    assert said(probe.timer(2 * SECOND + 3 * MS)) == [(AMEND, BID, 10_000, 10)]


def test_a_half_spread_that_flickers_keeps_the_interval() -> None:
    probe, _ = quoting()
    before = probe.orders()
    for half in (11, 9, 12, 8):
        assert said(probe.model(SECOND + half * MS, half * Q16, [0, 0, 0], [0] * 6)) == []
    assert probe.orders() == before
    # three ticks are the threshold: the whole ladder follows
    settle(probe, probe.model(2 * SECOND, 13 * Q16, [0, 0, 0], [0] * 6), 2 * SECOND)
    assert [768 * 13, 767 * 13, 766 * 13] == [9984, 9971, 9958]
    assert prices(probe, BID) == [9984, 9970, 9958]  # one was near enough
    assert prices(probe, ASK) == [10_023, 10_036, 10_049] == [13 * n for n in (771, 772, 773)]


def test_with_a_spent_quota_nothing_is_placed_and_nothing_moves() -> None:
    probe, turn = quoting(quota_start=4, quota_reserve=1)
    assert len(turn[1]) == 3
    assert said(probe.book(SECOND + MS, *around(10_015))) == []
    probe, turn = quoting(quota_start=1, quota_reserve=1)
    assert said(turn) == []
    assert probe.why() == (Quiet.QUIET_QUOTA, Quiet.QUIET_QUOTA)


def test_one_order_a_side_takes_the_path_of_one_order() -> None:
    for count in (0, 1):
        probe, turn = quoting(count)
        assert said(turn) == [(PLACE, BID, 9990, 10), (PLACE, ASK, 10_020, 10)]
        turn = probe.book(SECOND + MS, *around(10_015))
        assert said(turn) == [(AMEND, BID, 10_000, 10), (AMEND, ASK, 10_030, 10)]


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("mid"), st.integers(9_900, 10_100)),
        st.tuples(st.just("half"), st.integers(1, 30)),
        st.tuples(st.just("fill"), st.integers(0, 15)),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(moves=MOVES, most=st.integers(2, 8), max_pos=st.integers(10, 100))
def test_law_when_quiet_the_orders_are_the_levels(
    moves: list[tuple[str, int]], most: int, max_pos: int
) -> None:
    probe, turn = quoting(most, max_pos=max_pos, answer=False, requote_ticks=1)
    now, mid, half, trades = SECOND, 10_005, 10, 0
    settle(probe, turn, now)
    for what, value in moves:
        now += 4 * SECOND  # by then the slots of what was canceled are free again
        if what == "mid":
            mid = value
            turn = probe.book(now, *around(mid))
        elif what == "half":
            half = value
            turn = probe.model(now, half * Q16, [0, 0, 0], [0] * 6)
        else:
            orders = probe.orders()
            if not orders:
                continue
            o, trades = orders[value % len(orders)], trades + 1
            turn = probe.report(
                now, ReportKind.REP_FILL, o["id"], o["side"], o["px"], o["qty"] - o["filled"],
                venue_id=trades,
            )  # fmt: skip
        assert all(len(prices(probe, where)) <= most for where in (BID, ASK))
        settle(probe, turn, now)
        pos = probe.position()["pos"]
        assert abs(pos) <= max_pos
        # the book of the others ends a tick from the mid, and no level is nearer than that
        bid = min(mid - half, mid) // half * half
        ask = -(-max(mid + half, mid) // half) * half
        levels = [
            min(most, -(-(max_pos - sign * pos) // 10)) if max_pos > sign * pos else 0
            for sign in (1, -1)
        ]
        assert prices(probe, BID) == [bid - half * i for i in range(levels[0])]
        assert prices(probe, ASK) == [ask + half * i for i in range(levels[1])]


class GridSchedule(Schedule):
    """The random market of test_engine.py around a grid, whose half spread changes as well."""

    def __init__(self, seed: int, most: int) -> None:
        rng = random.Random(seed)
        super().__init__(
            seed,
            **(GRID | {
                "grid_orders": most, "max_open_orders": rng.choice((3, 2 * most, 16)),
                "rate_burst": rng.choice((20, 1000)),
            }),
        )  # fmt: skip
        self.most = most
        self.full = 0
        self.numbers()

    def numbers(self) -> Any:
        half = random.Random(self.events).randint(1, 15)
        skew = half // 2
        shifts = [-skew * n * Q16 for n in range(-4, 5)]
        return self.probe.model(self.now, half * Q16, shifts, [0] * 6, alive_ns=self.alive)

    def event(self) -> Any:
        return self.numbers() if self.events % 50 == 49 else super().event()

    def check(self) -> None:
        super().check()
        live = self.probe.orders()
        for where in (BID, ASK):
            count = sum(o["side"] == where for o in live)
            assert count <= self.most
            self.full += count == self.most
        bids = [o["px"] for o in live if o["side"] == BID]
        asks = [o["px"] for o in live if o["side"] == ASK]
        bids += [o["amend_px"] for o in live if o["side"] == BID and o["amend_qty"]]
        asks += [o["amend_px"] for o in live if o["side"] == ASK and o["amend_qty"]]
        assert not bids or not asks or max(bids) < min(asks)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("most", [3, 8])
def test_law_no_schedule_takes_a_grid_past_a_limit(seed: int, most: int) -> None:
    schedule = GridSchedule(seed, most)
    schedule.run(3_000)
    assert schedule.fills > 10
    assert schedule.commands > 50
    assert schedule.probe.halted()[0] != Halt.HALT_KILLED


def test_the_schedules_fill_whole_sides() -> None:
    full = 0
    for seed in range(4):
        schedule = GridSchedule(seed, 3)
        schedule.run(2_000)
        full += schedule.full
    assert full > 100


def test_law_equal_events_give_equal_bytes_on_a_grid() -> None:
    first, second = GridSchedule(99, 3), GridSchedule(99, 3)
    for _ in range(1_500):
        for schedule in (first, second):
            turn = schedule.event()
            schedule.events += 1
            if turn is not None:
                schedule.judge(turn)
        assert first.probe.image() == second.probe.image()
