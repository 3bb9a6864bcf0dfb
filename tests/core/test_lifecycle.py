"""The life of a strategy: every cell of the table, and the engine that follows it."""

from typing import Any

import pytest
from test_engine import MS, SECOND, ack, around, engine, said

from bog._core.lifecycle import Truth, next_state
from bog._core.strategy import Quiet
from bog._core.types import CommandKind, JournalKind, Level, ReportKind, StrategyState

I, W, A, P, D, S = (  # noqa: E741
    StrategyState.STRATEGY_INIT,
    StrategyState.STRATEGY_WARMING,
    StrategyState.STRATEGY_ACTIVE,
    StrategyState.STRATEGY_PAUSED,
    StrategyState.STRATEGY_DRAINING,
    StrategyState.STRATEGY_STOPPED,
)
Q16 = 1 << 16
#              BOOK WARM COLD PAUSE DRAIN GONE
TABLE = {
    I: (W, W, I, P, D, D),
    W: (W, A, W, P, D, D),
    A: (W, A, W, P, D, D),
    P: (W, W, W, P, D, D),
    D: (D, D, D, D, D, S),
    S: (S, S, S, S, S, S),
}


@pytest.mark.parametrize("state", TABLE)
@pytest.mark.parametrize("truth", range(6))
def test_every_cell_of_the_table(state: int, truth: int) -> None:
    assert next_state(state, truth) == TABLE[StrategyState(state)][truth]


def test_what_is_no_state_or_no_truth_reads_as_stopped() -> None:
    for state, truth in ((-1, 0), (6, 0), (0, -1), (0, int(Truth.TRUTHS))):
        assert next_state(state, truth) == S


def states(turn: Any) -> list[tuple[int, int]]:
    """Return (before, after) of each state that a turn journals."""
    return [(r["reason"], r["state"]) for r in turn[0] if r["kind"] == JournalKind.J_STRATEGY]


def inventory(**changed: Any) -> Any:
    return engine(kind=1, model=2, warm_samples=3, volatility_shift=4, **changed)


def warmed(probe: Any, now: int = SECOND) -> int:
    """Show a book, a model and four beats; return the time after them."""
    probe.book(now, *around(10_000))
    for beat in range(4):
        probe.timer(now + beat * 100 * MS)
    probe.model(now + 301 * MS, 10 * Q16, [50 * Q16, 0, -50 * Q16], [0, 1, 2, 3, 4, 5])
    return now + 302 * MS


def test_simple_spread_needs_no_warming() -> None:
    probe = engine()
    probe.book(SECOND, *around(10_000))
    assert states(probe.timer(SECOND + MS)) == [(I, W), (W, A)]
    assert states(probe.timer(SECOND + 2 * MS)) == []


def test_inventory_quotes_nothing_before_samples_and_model_are_there() -> None:
    probe = inventory()
    assert states(probe.timer(1)) == []
    turn = probe.book(SECOND, *around(10_000))
    assert said(turn) == []
    assert probe.why() == (Quiet.QUIET_WARMING, Quiet.QUIET_WARMING)
    assert states(probe.timer(SECOND)) == [(I, W)]
    probe.model(SECOND + MS, 10 * Q16, [0, 0, 0], [0] * 6)
    for beat in (1, 2):
        turn = probe.timer(SECOND + beat * 100 * MS)
        assert (said(turn), states(turn)) == ([], [])
    # the third sample: active, and at once both quotes around the mid
    turn = probe.timer(SECOND + 300 * MS)
    assert states(turn) == [(W, A)]
    assert said(turn) == [
        (CommandKind.CMD_PLACE, 0, 9_990, 10),
        (CommandKind.CMD_PLACE, 1, 10_010, 10),
    ]
    assert probe.strategy()[:2] == (A, 3)


def test_a_lost_book_is_warmed_to_anew_and_a_pause_ends_in_what_it_finds() -> None:
    probe = inventory()
    now = warmed(probe)
    assert probe.strategy()[0] == A
    assert states(probe.gap(now, 3)) == [(A, W)]
    probe.book(now + MS, *around(10_000))
    assert states(probe.timer(now + 2 * MS)) == [(W, A)]
    assert states(probe.level(now + 3 * MS, Level.LEVEL_PAUSED)) == [(A, P)]
    assert states(probe.level(now + 4 * MS, Level.LEVEL_RUN)) == [(P, W), (W, A)]


def test_a_drain_stops_when_the_last_order_is_proven_dead() -> None:
    probe = inventory()
    now = warmed(probe)
    for o in probe.orders():
        probe.report(now, ReportKind.REP_ACK, o["id"], o["side"], venue_id=o["id"])
    turn = probe.level(now + MS, Level.LEVEL_DRAIN)
    assert states(turn) == [(A, D)]
    first, second = turn[1]
    assert states(probe.report(now + MS, ReportKind.REP_CANCELED, first["order_id"], 0)) == []
    turn = probe.report(now + MS, ReportKind.REP_CANCELED, second["order_id"], 1)
    assert states(turn) == [(D, S)]
    assert states(probe.level(now + 2 * MS, Level.LEVEL_RUN)) == []
    assert probe.strategy()[0] == S


def test_a_model_journals_the_numbers_that_changed_and_only_those() -> None:
    probe = inventory()
    first = probe.model(SECOND, Q16, [0, 0, 0], [1, 2, 3, 4, 5, 6])
    assert [(r["id"], r["val"]) for r in first[0] if r["kind"] == JournalKind.J_MODEL] == [
        (0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6),
    ]  # fmt: skip
    then = probe.model(SECOND + 1, Q16, [0, 0, 0], [1, 2, 7, 4, 5, 6])
    assert [(r["id"], r["val"]) for r in then[0] if r["kind"] == JournalKind.J_MODEL] == [(2, 7)]


def test_a_short_quota_keeps_what_rests_and_places_only_what_reduces() -> None:
    probe = engine(quota_start=3, quota_reserve=1, requote_ticks=3)
    turn = probe.book(SECOND, *around(10_000))
    assert len(said(turn)) == 2  # 3 - 2 leaves the reserve
    assert probe.strategy()[2] == 1
    ack(probe, turn, SECOND)
    # 5 ticks away: worth a move, but too dear, and not on the wrong side
    assert said(probe.book(SECOND + MS, *around(10_005))) == []
    # the bid fills: no new bid, and the ask, which reduces now, follows the price
    probe.report(SECOND + 2 * MS, ReportKind.REP_FILL, 1, 0, 9_990, 10, venue_id=7)
    assert [c[:2] for c in said(probe.book(SECOND + 3 * MS, *around(9_980)))] == [
        (CommandKind.CMD_AMEND, 1)
    ]
    assert probe.why()[0] == Quiet.QUIET_QUOTA
    assert probe.strategy()[2] == 0


def test_a_short_quota_cancels_what_stands_on_the_wrong_side() -> None:
    probe = engine(quota_start=2, quota_reserve=1, requote_ticks=3)
    turn = probe.book(SECOND, *around(10_000))
    assert len(said(turn)) == 1
    ack(probe, turn, SECOND)
    assert [c[:2] for c in said(probe.book(SECOND + MS, *around(9_985)))] == [
        (CommandKind.CMD_CANCEL, 0)
    ]
