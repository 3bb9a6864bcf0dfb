"""On-line calibration of A and k: the fit, its refusals, and the window of ten minutes."""

from math import log

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from bog import models
from bog._core.calibrate import CalibrationProbe
from bog._core.types import Fit, Side

MID2 = 2_420_886
MID = MID2 // 2
BUY, SELL = Side.BID, Side.ASK


def filled(farthest: list[int]) -> CalibrationProbe:
    """Return a calibration whose intervals had these largest distances, on both sides."""
    probe = CalibrationProbe()
    probe.interval(MID2)
    for ticks in farthest:
        if ticks:
            probe.print(BUY, MID + ticks)
            probe.print(SELL, MID - ticks)
        probe.interval(MID2)
    return probe


def decaying(k: float, intervals: int = 6000) -> list[int]:
    """Return distances of which a share exp(-k d) goes beyond d, for every whole d."""
    return [int(-log((n + 0.5) / intervals) / k) + 1 for n in range(intervals)]


@pytest.mark.parametrize("k", [0.028, 0.0557])
def test_a_known_decay_is_found(k: float) -> None:
    probe = filled(decaying(k))
    fit, arrivals, decay = probe.fit()
    assert fit == Fit.FIT_GOOD
    assert decay == pytest.approx(k, rel=0.01)
    assert arrivals == pytest.approx(10, rel=0.02)  # each interval of 100 ms has one


@limits(max_examples=30)
@given(st.lists(st.integers(0, 90), min_size=1, max_size=200))
def test_law_the_room_is_the_model(farthest: list[int]) -> None:
    probe = filled(farthest)
    points = models.reach([ticks or None for ticks in farthest])
    assert [d for d in range(71) if probe.rate(d) > 0] == [d for d, _ in points]
    for distance, rate in points:
        assert probe.rate(distance) == pytest.approx(rate)
    fit, arrivals, decay = probe.fit()
    try:
        found = models.fit(points)
    except ValueError:
        assert fit in (Fit.FIT_FEW, Fit.FIT_RISING)
        assert (arrivals, decay) == (0, 0)
    else:
        assert fit == Fit.FIT_GOOD
        assert decay == pytest.approx(found.k, rel=1e-6)
        assert arrivals == pytest.approx(found.a, rel=1e-6)


@pytest.mark.parametrize(("farthest", "expected"), [(29, Fit.FIT_FEW), (30, Fit.FIT_GOOD)])
def test_thirty_points_are_enough_and_29_are_not(farthest: int, expected: int) -> None:
    # distances 1 to `farthest`, so that 0 to farthest - 1 were gone beyond
    assert filled(list(range(1, farthest + 1))).fit()[0] == expected


def test_a_rate_that_does_not_fall_is_refused_and_the_numbers_before_stay() -> None:
    probe = filled(decaying(0.05, 3000))
    good = probe.fit()
    for _ in range(6000):
        probe.print(BUY, MID + 200)
        probe.print(SELL, MID - 200)
        probe.interval(MID2)
    assert probe.fit() == (Fit.FIT_RISING, *good[1:])


def test_too_few_points_keep_the_numbers_before() -> None:
    probe = filled(decaying(0.05))
    good = probe.fit()
    for _ in range(6000):
        probe.interval(MID2)
    assert probe.intervals == 6000
    assert probe.fit() == (Fit.FIT_FEW, *good[1:])


def test_the_largest_distance_of_an_interval_counts_once_and_from_its_first_mid() -> None:
    probe = CalibrationProbe()
    probe.print(BUY, MID + 50)  # no mid yet
    probe.interval(MID2)
    for px in (MID + 3, MID + 9, MID + 9, MID - 40):  # the last is a buyer below the mid
        probe.print(BUY, px)
    probe.interval(MID2)
    assert probe.intervals == 1
    assert [probe.rate(d) for d in (0, 8, 9)] == [5.0, 5.0, 0.0]


def test_half_ticks_round_away_from_the_mid() -> None:
    # mid 1000.5: a buyer at 1003 went 2.5 ticks, beyond 2 and not beyond 3
    probe = CalibrationProbe()
    probe.interval(2001)
    probe.print(BUY, 1003)
    probe.interval(2001)
    assert (probe.rate(2) > 0, probe.rate(3) > 0) == (True, False)


def test_intervals_without_a_mid_are_not_counted() -> None:
    probe = CalibrationProbe()
    probe.interval(MID2)
    probe.interval(0)
    probe.print(SELL, MID - 5)
    probe.interval(MID2)
    assert probe.intervals == 1
    assert probe.rate(0) == 0


def test_rates_follow_the_definition() -> None:
    probe = filled([1] * 5 + [0] * 5)
    assert probe.rate(0) == 5.0
    assert probe.rate(1) == 0
    with pytest.raises(ValueError, match="distance 71"):
        probe.rate(71)
