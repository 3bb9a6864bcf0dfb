"""Hostile schedules: no true exposure past a limit, no lost lot, no false alarm, in 10^6 events.

The venue of bog/_core/adversary.pyx keeps the true position and orders and compares after every
event. A planted bug must show, else the comparison would prove nothing.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bog._core.adversary import Planted, Why, play

EVENTS = 1_200_000
LENGTH = 3000


@pytest.mark.timeout(120)
def test_a_million_hostile_events_break_nothing():
    told = play(20_260_801, EVENTS // LENGTH, LENGTH)
    print(f"hostile schedules: {told}")
    assert (told["violations"], told["why"], told["fault"]) == (0, Why.WHY_NOTHING, (0, 0, 0))
    assert told["events"] >= 1_000_000
    # and the schedules went where it matters
    floors = {
        "places": 10_000, "amends": 2000, "cancels": 10_000, "fills": 10_000, "refused": 10_000,
        "at_limit": 10_000, "self_matches": 1000, "late_fills": 500, "duplicates": 1000,
        "unknowns": 1000,
    }  # fmt: skip
    assert {name: told[name] for name, floor in floors.items() if told[name] < floor} == {}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("orders", [3, 8])
def test_a_million_hostile_events_break_no_grid(orders):
    told = play(20_261_122, EVENTS // 2 // LENGTH, LENGTH, grid=orders)
    print(f"hostile schedules, {orders} orders a side: {told}")
    assert (told["violations"], told["why"], told["fault"]) == (0, Why.WHY_NOTHING, (0, 0, 0))
    floors = {
        "events": 500_000, "places": 10_000, "amends": 2000, "cancels": 5000, "fills": 10_000,
        "refused": 5000, "at_limit": 5000, "self_matches": 500, "late_fills": 100,
        "duplicates": 1000, "unknowns": 1000, "full": 200,
    }  # fmt: skip
    assert {name: told[name] for name, floor in floors.items() if told[name] < floor} == {}


@pytest.mark.parametrize("grid", [0, 4])
@pytest.mark.parametrize(
    ("bug", "why"),
    [
        (Planted.PLANT_FORGET_CANCEL_SENT, {Why.WHY_LIMIT}),
        (Planted.PLANT_FORGET_UNKNOWN, {Why.WHY_LIMIT}),
        (Planted.PLANT_FORGET_AMEND, {Why.WHY_LIMIT}),
        (Planted.PLANT_NO_LINGER, {Why.WHY_LIMIT, Why.WHY_BELIEF}),
        (Planted.PLANT_COUNT_TWICE, {Why.WHY_BELIEF, Why.WHY_TRUTH}),
        (Planted.PLANT_OWN_LIMIT, {Why.WHY_LIMIT}),
    ],
)
def test_a_planted_bug_is_found(bug, why, grid):
    assert play(7, 100, 2000, grid=grid)["violations"] == 0
    told = play(7, 100, 2000, bug, grid)
    assert told["violations"] > 0
    assert told["why"] in why


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**63), st.integers(1, 8000), st.integers(0, 8))
def test_law_any_schedule_holds_and_repeats(seed, length, grid):
    told = play(seed, 1, length, grid=grid)
    assert told["violations"] == 0
    assert play(seed, 1, length, grid=grid) == told


def test_a_schedule_too_long_for_the_table_is_refused():
    with pytest.raises(ValueError, match="1 to 8192 events"):
        play(1, 1, 8193)
    with pytest.raises(ValueError, match="0 schedules"):
        play(1, 0, 10)
    with pytest.raises(ValueError, match="9 orders a side"):
        play(1, 1, 10, grid=9)
