"""Freshness: late, early and frozen times of the venue, and the warm-up after any doubt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog._core.freshness import FreshnessProbe
from bog._core.types import Verdict

MS = 1_000_000
SECOND = 1000 * MS
UNIX = 1_767_225_600 * SECOND
WARM, DELAYED, WARMING = Verdict.ALLOW, Verdict.DENY_DELAYED, Verdict.DENY_WARMING


def warm() -> FreshnessProbe:
    """Return a feed that is warm at 2 s of our clock, which is UNIX + 2 s."""
    probe = FreshnessProbe(unix_offset_ns=UNIX)
    for i in range(5):
        assert not probe.book(SECOND + i, UNIX + SECOND + i)
    assert probe.verdict(2 * SECOND) == WARM
    return probe


def test_the_start_warms_up() -> None:
    probe = FreshnessProbe()
    assert probe.verdict(10**18) == WARMING
    for i in range(5):
        probe.book(SECOND + i * MS, 0)
    assert probe.verdict(2 * SECOND - 1) == WARMING
    assert probe.verdict(2 * SECOND) == WARM


def test_time_alone_and_books_alone_do_not_warm() -> None:
    probe = FreshnessProbe()
    probe.book(0, 0)
    assert probe.verdict(3600 * SECOND) == WARMING
    probe = FreshnessProbe()
    for _ in range(1000):
        probe.book(SECOND, 0)
    assert probe.verdict(SECOND) == WARMING


def test_a_doubt_begins_anew_with_the_next_good_book() -> None:
    probe = warm()
    probe.doubt()
    assert probe.verdict(5 * SECOND) == WARMING
    for i in range(5):
        probe.book(5 * SECOND + i, UNIX + 5 * SECOND + i)
    assert probe.verdict(6 * SECOND - 1) == WARMING
    assert probe.verdict(6 * SECOND) == WARM


@pytest.mark.parametrize(
    "exch_ns", [1, -1, -(2**63), 2**63 - 1, UNIX, UNIX + 7 * SECOND, SECOND, 2 * UNIX]
)
def test_an_impossible_time_is_delayed_at_once_and_doubts_the_feed(exch_ns: int) -> None:
    probe = warm()
    assert probe.book(3 * SECOND, exch_ns)
    assert probe.verdict(3 * SECOND) == DELAYED
    assert not probe.book(3 * SECOND + MS, UNIX + 3 * SECOND)
    assert probe.verdict(3 * SECOND + MS) == WARMING, "one good book is not enough"


def test_an_unknown_time_judges_nothing() -> None:
    probe = FreshnessProbe(max_delay_ns=0)
    assert not probe.book(SECOND, 0)


def test_a_future_time_once_does_not_make_later_ones_look_frozen() -> None:
    probe = warm()
    assert probe.book(3 * SECOND, 2**62)
    for i in range(100):
        assert not probe.book(3 * SECOND + i * 50 * MS, UNIX + 3 * SECOND + i * 50 * MS)


def test_a_time_that_stands_still_while_books_come_is_frozen() -> None:
    probe = FreshnessProbe(unix_offset_ns=UNIX)
    ahead = UNIX + 1500 * MS
    delayed = [probe.book(SECOND + i * 100 * MS, ahead) for i in range(20)]
    # the age alone would allow it until 2.5 s
    assert delayed == [False] * 11 + [True] * 9


def test_a_quiet_market_is_not_frozen() -> None:
    probe = warm()
    assert not probe.book(3600 * SECOND, UNIX + 3600 * SECOND)


@given(st.integers(0, 2**61), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**40))
def test_law_a_time_further_off_than_the_limit_is_never_fresh(
    now: int, exch_ns: int, limit: int
) -> None:
    probe = FreshnessProbe(max_delay_ns=limit)
    assert probe.book(now, exch_ns) == (exch_ns != 0 and abs(now - exch_ns) > limit)


@given(st.lists(st.tuples(st.integers(0, 300 * MS), st.booleans()), max_size=60))
def test_law_nothing_is_allowed_sooner_than_the_warm_up_after_a_doubt(
    steps: list[tuple[int, bool]],
) -> None:
    probe = FreshnessProbe()
    now = good = first = 0
    for gap, doubt in steps:
        now += gap
        if doubt:
            probe.doubt()
            good = 0
        else:
            probe.book(now, 0)
            first = now if good == 0 else first
            good += 1
        fresh = good >= 5 and now - first >= SECOND
        assert (probe.verdict(now) == WARM) == fresh
