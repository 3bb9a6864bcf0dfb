"""Volatility on two clocks: the published vectors, the models in Python, and what gaps do."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog import models
from bog._core.types import VolatilityKind
from bog._core.volatility import VolatilityProbe, sigma_q8

VECTORS = json.loads(
    (Path(__file__).parent.parent / "data" / "market-making-vectors.json").read_text()
)["values"]
BEAT = 100_000_000  # ns
MID2 = 2_420_886
MOVES = [3, -4, 0, 5, -1]  # ticks
EWMA, REALIZED, PARKINSON = (
    VolatilityKind.VOLATILITY_EWMA,
    VolatilityKind.VOLATILITY_REALIZED,
    VolatilityKind.VOLATILITY_PARKINSON,
)


def walk(probe: VolatilityProbe, moves2: list[int]) -> list[int]:
    """Sample a mid that moves so many half ticks each 100 ms; return the variances."""
    mid2, seen = MID2, []
    probe.sample(mid2, 0)
    for beat, move2 in enumerate(moves2, 1):
        mid2 += move2
        probe.sample(mid2, beat * BEAT)
        seen.append(probe.clocks()[0][0])
    return seen


def test_vector_v2_moving_variance() -> None:
    seen = walk(VolatilityProbe(EWMA, shift=4), [2 * move for move in MOVES])
    assert [[var, sigma_q8(var)] for var in seen] == VECTORS["V2"]


def test_vector_v3_realized_variance() -> None:
    assert sigma_q8(walk(VolatilityProbe(REALIZED), [2 * move for move in MOVES])[-1]) == 817


def test_vector_v4_parkinson_variance() -> None:
    probe = VolatilityProbe(PARKINSON)
    probe.sample(MID2, 0)
    for bar, ticks in enumerate((12, 9, 15, 10), 1):
        # up by a third, down by the rest, and back: the range is what counts
        probe.seen(MID2 + 2 * (ticks // 3))
        probe.seen(MID2 + 2 * (ticks // 3) - 2 * ticks)
        probe.sample(MID2, bar * BEAT)
    var = probe.clocks()[0][0]
    assert (var, sigma_q8(var)) == (3_250_087, 1802)


@given(st.lists(st.integers(-4000, 4000), min_size=1, max_size=60), st.integers(4, 12))
def test_law_the_room_is_the_model(moves2: list[int], shift: int) -> None:
    var, expected = 0, []
    for move2 in moves2:
        var = models.ewma(var, move2, shift)
        expected.append(var)
    assert walk(VolatilityProbe(EWMA, shift=shift), moves2) == expected
    window = 7
    assert walk(VolatilityProbe(REALIZED, samples=window), moves2) == [
        models.realized(moves2[max(0, n - window) : n]) for n in range(1, len(moves2) + 1)
    ]


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=40))
def test_law_parkinson_is_the_model_on_whole_ticks(bars: list[tuple[int, int]]) -> None:
    probe = VolatilityProbe(PARKINSON, samples=5)
    probe.sample(MID2, 0)
    for beat, (up, down) in enumerate(bars, 1):
        probe.seen(MID2 + 2 * up)
        probe.seen(MID2 - 2 * down)
        probe.sample(MID2, beat * BEAT)
        last = bars[max(0, beat - 5) : beat]
        assert probe.clocks()[0][0] == models.parkinson([sum(bar) for bar in last])


def test_ten_beats_make_one_of_a_second_and_the_larger_estimate_counts() -> None:
    probe = VolatilityProbe(REALIZED)
    walk(probe, [2] * 10)  # a trend: each beat 1 tick, the second 10
    assert probe.clocks() == ((1 << 16, 10), (100 << 16, 1))
    assert probe.second_q16() == 100 << 16
    probe = VolatilityProbe(REALIZED)
    walk(probe, [2, -2] * 5)  # a bounce: the second shows nothing
    assert probe.clocks() == ((1 << 16, 10), (0, 1))
    assert probe.second_q16() == 10 << 16


@pytest.mark.parametrize(
    ("mid2", "late_ns"),
    [(MID2 + 9000, 1_000_000_001), (0, BEAT)],
    ids=["after a second", "no mid"],
)
def test_what_moved_in_the_dark_is_no_volatility(mid2: int, late_ns: int) -> None:
    probe = VolatilityProbe(REALIZED)
    walk(probe, [2, 2])
    before = probe.clocks()
    probe.sample(mid2, 2 * BEAT + late_ns)
    probe.sample(MID2 + 9000, 2 * BEAT + late_ns + 1)
    if mid2 == 0:
        assert probe.clocks() == before
    # from here on it counts again
    probe.sample(MID2 + 9002, 2 * BEAT + late_ns + 2)
    assert probe.clocks()[0][1] == before[0][1] + (2 if mid2 else 1)


def test_a_sample_exactly_a_second_late_still_counts() -> None:
    probe = VolatilityProbe(REALIZED)
    probe.sample(MID2, 0)
    probe.sample(MID2 + 2, 1_000_000_000)
    assert probe.clocks()[0] == (1 << 16, 1)


def test_a_move_past_all_bounds_counts_as_the_bound() -> None:
    bound = 1 << 18
    for move2 in (bound, bound + 1, 1 << 40):
        assert walk(VolatilityProbe(REALIZED), [move2]) == [bound * bound << 14]
        assert walk(VolatilityProbe(EWMA, shift=4), [move2]) == [bound * bound << 10]
    # a full window of them fits
    assert walk(VolatilityProbe(REALIZED), [bound, -bound] * 512)[-1] == bound * bound << 14


def test_the_probe_refuses_what_the_core_cannot_hold() -> None:
    for shift in (3, 13):
        with pytest.raises(ValueError, match="shift"):
            VolatilityProbe(EWMA, shift=shift)
    for samples in (0, 1025):
        with pytest.raises(ValueError, match="samples"):
            VolatilityProbe(REALIZED, samples=samples)
