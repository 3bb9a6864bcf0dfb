"""The protections in the step: whatever feed, market, venue or operator do, quotes are right or gone."""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from bog._core.connection import Attempt
from bog._core.engine import EngineProbe
from bog._core.types import (
    CommandKind,
    ConnectionState,
    Halt,
    JournalKind,
    Level,
    Reject,
    ReportKind,
    Side,
    StateWord,
    Status,
    Verdict,
    Violation,
)
from tests.core.test_engine import LIMITS, ack, around, engine, kinds, quoting, said
from tests.core.test_grid import quoting as grid_quoting

MS = 1_000_000
SECOND = 1000 * MS
MID = 10_000
STEP = MID * 112 // 100
PLACE, AMEND, CANCEL = CommandKind.CMD_PLACE, CommandKind.CMD_AMEND, CommandKind.CMD_CANCEL
GUARDED = {"breaker_spread_ppm": 10_000, "breaker_move_ppm": 100_000, "max_daily_loss": 10**12}
WARM = {"warm_up_books": 3, "warm_up_ns": SECOND}


def verbs(turn: Any) -> list[int]:
    return [c["kind"] for c in turn[1]]


def records(turn: Any, kind: int) -> list[dict[str, Any]]:
    return [r for r in turn[0] if r["kind"] == kind]


def denied(probe: EngineProbe) -> set[int]:
    """Return the verdicts that keep the two sides from being quoted now."""
    return {code - 32 for code in probe.why() if code >= 32}


def warmed(now: int = SECOND, **changed: int) -> EngineProbe:
    """Return an engine that has warmed up and whose quotes rest, at `now` + 1 s."""
    probe = engine(**(WARM | changed))
    for i in range(3):
        assert verbs(probe.book(now + i, *around(MID))) == []
    turn = probe.timer(now + SECOND)
    assert verbs(turn) == [PLACE, PLACE]
    ack(probe, turn, now + SECOND)
    return probe


# the market breaker


def test_a_violating_tick_is_not_quoted_on_and_a_good_one_resumes() -> None:
    probe = quoting(**GUARDED)
    turn = probe.book(SECOND + 1, *around(STEP))
    assert verbs(turn) == [CANCEL, CANCEL]
    assert denied(probe) == {Verdict.DENY_BREAKER}
    (said_so,) = records(turn, JournalKind.J_BREAKER)
    assert (said_so["reason"], said_so["val"]) == (Violation.VIOLATION_MOVE, 1)
    assert (said_so["px"], said_so["qty"]) == (2 * STEP, 2 * MID)
    ack(probe, turn, SECOND + 2)
    turn = probe.book(SECOND + 3, *around(MID))
    assert verbs(turn) == [PLACE, PLACE]
    assert records(turn, JournalKind.J_BREAKER)[0]["val"] == 0
    assert probe.halted() == (Halt.HALT_NONE, 0)


def test_a_lasting_step_of_twelve_percent_halts_at_the_third_tick() -> None:
    probe = quoting(**GUARDED)
    # the third says nothing new at the touch, and counts
    halts = [
        records(probe.book(SECOND + 1 + i, *around(STEP)), JournalKind.J_HALT) for i in range(4)
    ]
    assert [len(h) for h in halts] == [0, 0, 1, 0]
    assert halts[2][0]["reason"] == Halt.HALT_MARKET
    assert probe.halted() == (Halt.HALT_MARKET, 1)
    assert denied(probe) == {Verdict.DENY_HALTED}


def test_two_wide_books_do_not_halt_and_a_good_one_forgets_them() -> None:
    probe = quoting(**GUARDED)
    wide = [(MID - 60, 5)], [(MID + 60, 5)]
    for i in range(10):
        probe.book(SECOND + 3 * i, *wide)
        probe.book(SECOND + 3 * i + 1, *wide)
        assert denied(probe) == {Verdict.DENY_BREAKER}
        probe.book(SECOND + 3 * i + 2, *around(MID))
    assert probe.halted() == (Halt.HALT_NONE, 0)


def test_a_violating_mid_is_no_mark_until_enough_of_them_say_so() -> None:
    probe = quoting(**(GUARDED | {"max_daily_loss": 1000}))
    fill = probe.report(SECOND, ReportKind.REP_FILL, 1, Side.BID, 9_990, 2, venue_id=1)
    ack(probe, fill, SECOND)
    before = probe.position()["daily2"]
    for i in range(2):
        probe.book(SECOND + 1 + i, *around(MID // 2))
        assert probe.position()["daily2"] == before, "one garbage tick is no loss"
    probe.book(SECOND + 3, *around(MID // 2))
    assert probe.halted()[0] == Halt.HALT_MARKET
    assert probe.position()["daily2"] == 2 * 2 * (MID // 2 - 9_990)


def test_a_market_halt_survives_a_restart_and_clears_by_its_own_id_alone() -> None:
    probe = quoting(**GUARDED)
    for i in range(3):
        probe.book(SECOND + 1 + i, *around(STEP))
    heir = engine(**GUARDED)
    for word, value in enumerate(probe.words()):
        heir.restore(word, value)
    heir.restore(StateWord.W_LAST_NS, 0)
    assert verbs(heir.book(SECOND, *around(STEP))) == []
    assert heir.halted() == (Halt.HALT_MARKET, 1)
    assert verbs(heir.clear_halt(SECOND + 1, 2)) == [] and heir.halted()[0] == Halt.HALT_MARKET
    assert verbs(heir.clear_halt(SECOND + 1, 1)) == [], "the book that was there is not quoted on"
    turn = heir.book(SECOND + 2, *around(STEP))
    assert verbs(turn) == [PLACE, PLACE]


def test_after_a_clear_the_next_book_is_the_reference() -> None:
    probe = quoting(**GUARDED)
    for i in range(3):
        ack(probe, probe.book(SECOND + 1 + i, *around(STEP)), SECOND + 1 + i)
    probe.clear_halt(SECOND + 10, 1)
    turn = probe.book(SECOND + 11, *around(STEP * 112 // 100))
    assert verbs(turn) == [PLACE, PLACE], "further than 10 % from the old reference, and taken"
    probe.book(SECOND + 12, *around(MID))
    assert denied(probe) == {Verdict.DENY_BREAKER}


@pytest.mark.parametrize("px", [0, -1, -(2**63), 2**40, 2**62])
def test_three_impossible_prices_in_a_row_halt(px: int) -> None:
    probe = quoting(**GUARDED)
    garbage = [(px, 5)], [(MID + 1, 5)]
    assert verbs(probe.book(SECOND + 1, *garbage)) == [CANCEL, CANCEL]
    probe.book(SECOND + 2, *garbage)
    assert probe.halted()[0] == Halt.HALT_NONE
    turn = probe.book(SECOND + 3, *garbage)
    assert records(turn, JournalKind.J_HALT)[0]["reason"] == Halt.HALT_MARKET


@pytest.mark.parametrize("bad", [0, 1, -(2**63), -1, 2**62, 1000 * MID, MID // 1000, MID * 9 // 10])
def test_garbage_in_any_field_never_prices_an_order(bad: int) -> None:
    """FAULT-12 and 13: each bad value in each price and size of ten levels a side."""
    for side in range(2):
        for level in range(10):
            for what in range(2):
                probe = quoting(**GUARDED)
                book = [
                    [(MID - 1 - i, 5) for i in range(10)],
                    [(MID + 1 + i, 5) for i in range(10)],
                ]
                pair = list(book[side][level])
                pair[what] = bad
                book[side][level] = (pair[0], pair[1])
                turn = probe.book(SECOND + 1, *book)
                for c in turn[1]:
                    near = 9 * MID // 10 < c["px"] < 11 * MID // 10
                    assert c["kind"] == CANCEL or near, (side, level, what)
                if verbs(turn) != [CANCEL, CANCEL]:
                    # what still stands, stands on a touch that is as good as before
                    assert denied(probe) == set()


# freshness


@pytest.mark.parametrize("what", ["gap", "epoch", "down", "stale"])
def test_after_any_doubt_quoting_waits_for_books_and_time(what: str) -> None:
    probe = warmed()
    now = 3 * SECOND
    if what == "gap":
        turn = probe.gap(now, 5)
    elif what == "epoch":
        turn = probe.epoch(now, 2)
    elif what == "down":
        turn = probe.status(now, Status.STATUS_DOWN)
    else:
        turn = probe.timer(now, alive_ns=now - 501 * MS)
    assert verbs(turn) == [CANCEL, CANCEL]
    ack(probe, turn, now)
    for i in range(10):
        assert verbs(probe.book(now + i * 100 * MS, *around(MID))) == []
        assert denied(probe) == {Verdict.DENY_WARMING}
    assert verbs(probe.timer(now + SECOND - 1)) == []
    assert verbs(probe.timer(now + SECOND)) == [PLACE, PLACE]


def test_a_price_five_percent_away_on_return_is_quoted_only_when_warm() -> None:
    """FAULT-17: dead feed, then a jump."""
    probe = warmed(**GUARDED)
    ack(probe, probe.timer(5 * SECOND, alive_ns=2 * SECOND), 5 * SECOND)
    assert probe.orders() == []
    there = around(MID * 105 // 100)
    for i in range(3):
        assert verbs(probe.book(6 * SECOND + i, *there)) == []
    turn = probe.timer(7 * SECOND)
    assert [c[0] for c in said(turn)] == [PLACE, PLACE]
    assert all(abs(c["px"] - MID * 105 // 100) < 50 for c in turn[1])


def test_a_flapping_feed_causes_no_storm() -> None:
    """FAULT-18: alive 300 ms, dead 600 ms, for ten minutes."""
    probe = warmed()
    sent = 0
    for cycle in range(667):
        start = 3 * SECOND + cycle * 900 * MS
        for at in range(0, 900, 20):
            now = start + at * MS
            alive = now if at < 300 else start + 280 * MS
            turn = probe.book(now, *around(MID), alive) if at < 300 else probe.timer(now, alive)
            ack(probe, turn, now)
            sent += len(turn[1])
    assert sent == 2, "the two quotes were pulled once"


def test_a_late_book_pulls_the_quotes_and_they_come_back_when_warm() -> None:
    probe = warmed()
    late = 3 * SECOND
    turn = probe.book(late, *around(MID), exch_ns=late - SECOND - 1)
    assert verbs(turn) == [CANCEL, CANCEL], "though the touch is unchanged"
    assert denied(probe) == {Verdict.DENY_DELAYED}
    ack(probe, turn, late)
    for i in range(3):
        now = late + MS + i
        assert verbs(probe.book(now, *around(MID), exch_ns=now)) == []
    assert verbs(probe.timer(late + MS + SECOND)) == [PLACE, PLACE]


def test_a_frozen_time_of_the_venue_pauses_within_two_seconds() -> None:
    """FAULT-10: books keep coming, their time does not move."""
    probe = warmed(now=10 * SECOND)
    pulled = None
    for at in range(0, 2000, 50):
        now = 12 * SECOND + at * MS
        turn = probe.book(now, *around(MID, 5 + at % 3), exch_ns=12 * SECOND)
        if CANCEL in verbs(turn):
            pulled = at
            break
    assert pulled == 1050
    assert denied(probe) == {Verdict.DENY_DELAYED}


def test_an_absurd_sign_of_life_is_none_and_does_not_last() -> None:
    """FAULT-11: a heartbeat of another clock is stale, and the next sound one is believed."""
    probe = quoting()
    turn = probe.timer(SECOND + 1, alive_ns=2**62)
    assert verbs(turn) == [CANCEL, CANCEL] and denied(probe) == {Verdict.DENY_STALE}
    ack(probe, turn, SECOND + 2)
    assert verbs(probe.book(SECOND + 3, *around(MID))) == [PLACE, PLACE]


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        ([], [(MID + 1, 5)]), ([(MID - 1, 5)], []), ([], []),
        ([(MID, 5)], [(MID, 5)]), ([(MID + 1, 5)], [(MID, 5)]),
        ([(MID - 1, 0)], [(MID + 1, 5)]), ([(0, 5)], [(MID + 1, 5)]),
        ([(MID - 2, 5), (MID - 1, 5)], [(MID + 1, 5)]),
        ([(MID - 1, 5), (MID - 1, 5)], [(MID + 1, 5)]),
    ],
    ids=["no bid", "no ask", "empty", "locked", "crossed", "no size", "no price", "unsorted",
         "a price twice"],
)  # fmt: skip
def test_a_book_that_is_wrong_or_one_sided_pulls_the_quotes(bids: Any, asks: Any) -> None:
    """FAULT-13. A one-sided book has no mid, so the collar has no center: neither side rests."""
    probe = quoting()
    turn = probe.book(SECOND + 1, bids, asks)
    assert verbs(turn) == [CANCEL, CANCEL]
    assert denied(probe) == {Verdict.DENY_BOOK}
    ack(probe, turn, SECOND + 2)
    assert verbs(probe.book(SECOND + 3, *around(MID))) == [PLACE, PLACE]


def test_a_market_that_the_venue_halted_halts_us() -> None:
    probe = quoting()
    turn = probe.status(SECOND + 1, Status.STATUS_HALTED)
    assert probe.halted() == (Halt.HALT_VENUE, 1)
    assert verbs(turn) == [CANCEL, CANCEL]
    probe.status(SECOND + 2, Status.STATUS_UP)
    probe.book(SECOND + 3, *around(MID))
    assert denied(probe) == {Verdict.DENY_HALTED}, "the venue's return is not our operator's word"


# repeats


def test_a_run_of_fills_halts_until_cleared_and_is_counted_anew() -> None:
    probe = quoting(max_fills=3, fills_window_ns=SECOND)
    for trade in range(1, 5):
        now = SECOND + trade
        turn = probe.report(now, ReportKind.REP_FILL, 1, Side.BID, 9_990, 1, venue_id=trade)
    assert probe.halted() == (Halt.HALT_EXECUTIONS, 1)
    assert probe.position()["pos"] == 4, "every one of them counts"
    ack(probe, turn, now)
    turn = probe.clear_halt(now + 1, 1)
    assert verbs(turn) == [PLACE, PLACE]
    order = turn[1][0]["order_id"]
    probe.report(now + 2, ReportKind.REP_FILL, order, Side.BID, 9_990, 1, venue_id=9)
    assert probe.halted()[0] == Halt.HALT_NONE


def test_a_fill_told_twice_is_one_fill() -> None:
    probe = quoting(max_fills=1, fills_window_ns=SECOND)
    for _ in range(5):
        probe.report(SECOND + 1, ReportKind.REP_FILL, 1, Side.BID, 9_990, 1, venue_id=7)
    assert probe.halted()[0] == Halt.HALT_NONE


def test_twenty_rejects_a_second_trip_within_a_second() -> None:
    """FAULT-39, with the limits that ship."""
    probe = engine(max_rejects=15, rejects_window_ns=SECOND)
    sent = probe.book(SECOND, *around(MID))[1]
    now = SECOND
    while probe.halted()[0] == Halt.HALT_NONE:
        assert sent, "a refused quote is tried again"
        now += 50 * MS
        order = sent.pop(0)
        turn = probe.report(now, ReportKind.REP_REJECT, order["order_id"], order["side"], reason=5)
        sent += turn[1]
        assert now < 2 * SECOND
    assert probe.halted()[0] == Halt.HALT_REJECTS


@pytest.mark.parametrize("reason", [Reject.REJ_RATE, Reject.REJ_QUOTA])
@pytest.mark.parametrize("quotes", [quoting, grid_quoting], ids=["spread", "grid"])
def test_a_create_that_was_refused_for_the_rate_waits_a_second_and_halts_nothing(
    quotes: Callable[..., Any], reason: Reject
) -> None:
    """A single 429, for which the gateway refuses creates for a second, halted by 15 more refusals."""
    begun = quotes(max_rejects=15, rejects_window_ns=SECOND)
    probe = begun[0] if isinstance(begun, tuple) else begun
    now, tries = 2 * SECOND, []
    heard = list(probe.book(now, *around(MID))[1])
    for order in probe.orders():
        heard += probe.report(now, ReportKind.REP_CANCELED, order["id"], order["side"])[1]
    while now < 7 * SECOND:
        sent = [one for one in heard if one["kind"] == PLACE]
        tries += [now] * len(sent)
        heard = []
        for order in sent:
            told = (now + 1, ReportKind.REP_REJECT, order["order_id"], order["side"])
            heard += probe.report(*told, reason=reason)[1]
        now += 10 * MS
        heard += probe.book(now, *around(MID))[1]
    assert probe.halted()[0] == Halt.HALT_NONE
    waves = sorted(set(tries))
    assert len(waves) in (4, 5), waves
    assert all(SECOND <= b - a <= SECOND + 20 * MS for a, b in pairwise(waves))


def test_a_cancel_that_comes_too_late_is_no_reject() -> None:
    probe = quoting(max_rejects=1, rejects_window_ns=SECOND)
    for _ in range(5):
        probe.report(SECOND + 1, ReportKind.REP_CANCEL_REJECT, 1, Side.BID, reason=9)
        probe.report(SECOND + 1, ReportKind.REP_AMEND_REJECT, 1, Side.BID, reason=9)
    assert probe.halted()[0] == Halt.HALT_NONE


# the connection


def test_a_lost_connection_pulls_the_quotes_and_two_successes_bring_them_back() -> None:
    probe = quoting()
    for _ in range(4):
        assert verbs(probe.connection(SECOND + 1, Attempt.ATTEMPT_FAILED)) == []
    turn = probe.connection(SECOND + 1, Attempt.ATTEMPT_FAILED)
    assert verbs(turn) == [CANCEL, CANCEL] and denied(probe) == {Verdict.DENY_CONNECTION}
    (change,) = records(turn, JournalKind.J_CONNECTION)
    assert (change["reason"], change["state"]) == (
        ConnectionState.CONNECTION_CLOSED, ConnectionState.CONNECTION_OPEN,
    )  # fmt: skip
    ack(probe, turn, SECOND + 2)
    assert kinds(probe.timer(31 * SECOND)) == []
    turn = probe.timer(31 * SECOND + 1)
    assert records(turn, JournalKind.J_CONNECTION)[0]["state"] == (
        ConnectionState.CONNECTION_HALF_OPEN
    )
    assert denied(probe) == {Verdict.DENY_CONNECTION}, "half-open, orders wait"
    probe.book(32 * SECOND, *around(MID))
    assert verbs(probe.connection(32 * SECOND, Attempt.ATTEMPT_DONE)) == []
    turn = probe.connection(32 * SECOND, Attempt.ATTEMPT_DONE)
    assert records(turn, JournalKind.J_CONNECTION)[0]["state"] == ConnectionState.CONNECTION_CLOSED
    assert verbs(turn) == [PLACE, PLACE]


# what is counted


def test_a_refusal_counts_once_however_many_ticks_it_lasts() -> None:
    probe = engine(rate_burst=4, rate_per_min=60, rate_reserve=0)
    ack(probe, probe.book(SECOND, *around(MID)), SECOND)
    turns = [probe.book(SECOND + 1 + i, *around(MID + 5 + i)) for i in range(5)]
    told = [r for t in turns for r in records(t, JournalKind.J_DENIED)]
    assert {r["reason"] for r in told} == {Verdict.DENY_RATE}
    assert probe.denied()[Verdict.DENY_RATE] == len(told) <= 2


def test_an_operators_level_is_no_refusal() -> None:
    probe = quoting()
    for level in (Level.LEVEL_PAUSED, Level.LEVEL_RUN, Level.LEVEL_DRAIN):
        probe.level(SECOND + 1, level)
    assert sum(probe.denied()[1:]) == 0
    assert denied(probe) == {Verdict.DENY_KILLED}


def test_law_no_order_goes_out_while_anything_speaks_against_it() -> None:
    """Random feeds of every kind of trouble; each create and amend is checked against a plain model."""
    for seed in range(40):
        rng = random.Random(seed)
        probe = engine(**(GUARDED | WARM), rate_per_min=10**6)
        now, reference, bad, good, first, mid = SECOND, 0, 0, 0, 0, MID
        for _ in range(400):
            now += rng.choice((MS, 20 * MS, 200 * MS))
            roll = rng.random()
            book_ok = None
            if roll < 0.04:
                turn = rng.choice((probe.gap, probe.epoch))(now, 1)
                good = 0
            elif roll < 0.06:
                turn = probe.status(now, Status.STATUS_DOWN)
                good = 0
            elif roll < 0.2:
                turn = probe.timer(now)
            else:
                mid = max(2000, mid + rng.randint(-20, 20))
                here = mid * 115 // 100 if rng.random() < 0.03 else mid
                late = rng.random() < 0.02
                exch = now - 2 * SECOND if late else now
                turn = probe.book(now, *around(here), exch_ns=exch)
                book_ok = not late
                if reference and abs(2 * here - reference) * 10 > reference:
                    bad, good, book_ok = bad + 1, 0, False
                else:
                    reference, bad = 2 * here, 0
                    if late:
                        good = 0
                    else:
                        first = now if good == 0 else first
                        good += 1
            wants = [c for c in turn[1] if c["kind"] != CANCEL]
            if wants:
                assert book_ok is not False and bad == 0
                assert good >= 3 and now - first >= SECOND
                assert probe.halted()[0] == Halt.HALT_NONE
            ack(probe, turn, now)
            if probe.halted()[0]:
                assert probe.halted()[0] == Halt.HALT_MARKET and bad >= 3
                probe.clear_halt(now, probe.halted()[1])
                reference = bad = good = 0


def test_limits_of_the_tests_name_every_field() -> None:
    with pytest.raises(ValueError, match="warm_up_ns"):
        EngineProbe({k: v for k, v in LIMITS.items() if k != "warm_up_ns"}, {})
