"""The market breaker: what it counts, what it believes, what it forgets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog._core.breaker import BreakerProbe
from bog._core.types import Violation

NONE, SPREAD, MOVE, PRICE = (
    Violation.VIOLATION_NONE, Violation.VIOLATION_SPREAD, Violation.VIOLATION_MOVE,
    Violation.VIOLATION_PRICE,
)  # fmt: skip
MID = 1_000_000


def at(mid: int, half: int = 1) -> tuple[int, int]:
    return mid - half, mid + half


def test_two_wide_books_do_not_trip_and_the_third_does() -> None:
    probe = BreakerProbe()
    wide = at(MID, MID // 100)
    assert [probe.look(*wide) for _ in range(3)] == [SPREAD] * 3
    assert probe.state() == (0, 3, True)


def test_a_good_book_ends_the_row() -> None:
    probe = BreakerProbe()
    wide = at(MID, MID // 100)
    assert [probe.look(*b) for b in (at(MID), wide, wide, at(MID), wide, wide)] == [
        NONE, SPREAD, SPREAD, NONE, SPREAD, SPREAD,
    ]  # fmt: skip
    assert probe.state() == (2 * MID, 2, False)


def test_nine_point_nine_percent_passes_and_ten_point_one_does_not() -> None:
    assert [BreakerProbe().look(*at(MID))] == [NONE]
    for percent, want in ((99, NONE), (101, MOVE), (-99, NONE), (-101, MOVE)):
        probe = BreakerProbe()
        probe.look(*at(MID))
        assert probe.look(*at(MID + MID * percent // 1000)) == want


def test_a_lasting_step_of_twelve_percent_trips_at_the_third_tick() -> None:
    probe = BreakerProbe()
    probe.look(*at(MID))
    step = at(MID * 112 // 100)
    assert [(probe.look(*step), probe.state()[2]) for _ in range(3)] == [
        (MOVE, False), (MOVE, False), (MOVE, True),
    ]  # fmt: skip
    assert probe.state()[0] == 2 * MID, "the step never became the reference"


def test_a_spike_that_goes_back_is_one_violation() -> None:
    probe = BreakerProbe()
    assert [probe.look(*at(m)) for m in (MID, 2 * MID, MID, MID)] == [NONE, MOVE, NONE, NONE]
    assert probe.state() == (2 * MID, 0, False)


def test_a_slow_walk_of_any_length_is_no_violation() -> None:
    probe = BreakerProbe()
    mid = MID
    for _ in range(50):
        assert probe.look(*at(mid)) == NONE
        mid = mid * 109 // 100
    assert mid > 50 * MID


def test_after_a_reset_the_next_book_is_the_reference() -> None:
    probe = BreakerProbe()
    probe.look(*at(MID))
    for _ in range(3):
        probe.look(*at(2 * MID))
    probe.reset()
    assert probe.look(*at(2 * MID)) == NONE
    assert probe.state() == (4 * MID, 0, False)


def test_impossible_prices_count_like_any_violation() -> None:
    probe = BreakerProbe()
    probe.look(*at(MID))
    assert [probe.garbage(), probe.look(*at(2 * MID)), probe.garbage()] == [PRICE, MOVE, PRICE]
    assert probe.state() == (2 * MID, 3, True)


def test_a_breaker_without_limits_believes_nothing_but_a_standing_market() -> None:
    probe = BreakerProbe(0, 0, 0)
    assert probe.look(*at(MID)) == SPREAD
    assert probe.state()[2], "the first violation trips"


def test_a_book_without_a_spread_is_no_question_for_it() -> None:
    with pytest.raises(ValueError, match="is not a bid below an ask"):
        BreakerProbe().look(5, 5)


BOOKS = st.tuples(st.integers(1, 2**40 - 2), st.integers(1, 2**40 - 2)).map(
    lambda b: (min(b), max(b) + 1)
)


@given(st.lists(BOOKS, max_size=40), st.integers(0, 10**6), st.integers(0, 10**6))
def test_law_a_violating_book_never_becomes_the_reference(
    books: list[tuple[int, int]], spread_ppm: int, move_ppm: int
) -> None:
    probe = BreakerProbe(spread_ppm, move_ppm)
    mid2 = count = 0
    for bid, ask in books:
        # the rule again, in integers without a bound
        if (ask - bid) * 2 * 10**6 > spread_ppm * (bid + ask):
            want = SPREAD
        elif mid2 and abs(bid + ask - mid2) * 10**6 > move_ppm * mid2:
            want = MOVE
        else:
            want, mid2 = NONE, bid + ask
        count = 0 if want == NONE else count + 1
        assert probe.look(bid, ask) == want
        assert probe.state() == (mid2, count, count >= 3)
