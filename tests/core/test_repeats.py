"""Repeats in a window: the exact count of any span, against a plain list."""

from hypothesis import given
from hypothesis import strategies as st

from bog._core.repeats import RepeatsProbe


def test_one_more_than_allowed_within_the_window_is_too_many() -> None:
    probe = RepeatsProbe(3, 10)
    assert [probe.note(t) for t in (0, 1, 2, 9)] == [False, False, False, True]


def test_the_window_slides() -> None:
    probe = RepeatsProbe(2, 10)
    assert not any(probe.note(t) for t in range(0, 1000, 5))
    assert probe.note(999)


def test_nothing_is_allowed_by_a_limit_that_was_never_set() -> None:
    assert RepeatsProbe(0, 1).note(0)
    assert RepeatsProbe(-5, 1).note(0)


def test_a_limit_past_the_memory_counts_as_the_largest_that_fits() -> None:
    probe = RepeatsProbe(10**6, 10**6)
    assert [probe.note(0) for _ in range(256)] == [False] * 255 + [True]


@given(
    st.integers(1, 12), st.integers(1, 50), st.lists(st.integers(0, 20), min_size=1, max_size=400)
)
def test_law_it_says_what_a_list_of_all_times_says(most: int, span: int, gaps: list[int]) -> None:
    probe = RepeatsProbe(most, span)
    times: list[int] = []
    now = 0
    for gap in gaps:
        now += gap
        times.append(now)
        assert probe.note(now) == (sum(t > now - span for t in times) > most)
