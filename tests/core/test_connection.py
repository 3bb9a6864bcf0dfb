"""The resilience breaker: its table, row by row, and its 30 seconds."""

from hypothesis import given
from hypothesis import strategies as st

from bog._core.connection import Attempt, ConnectionProbe
from bog._core.types import ConnectionState

SECOND = 1_000_000_000
FAILED, DONE = Attempt.ATTEMPT_FAILED, Attempt.ATTEMPT_DONE
CLOSED, OPEN, HALF = (
    ConnectionState.CONNECTION_CLOSED, ConnectionState.CONNECTION_OPEN,
    ConnectionState.CONNECTION_HALF_OPEN,
)  # fmt: skip


def states(*words: tuple[int, int]) -> list[int]:
    probe = ConnectionProbe()
    return [probe.on(at * SECOND, word) for at, word in words]


def test_the_fifth_failure_in_a_row_opens() -> None:
    assert states(*[(0, FAILED)] * 5) == [CLOSED] * 4 + [OPEN]


def test_a_success_begins_the_row_anew() -> None:
    words = [*[(0, FAILED)] * 4, (0, DONE), *[(0, FAILED)] * 4]
    assert states(*words) == [CLOSED] * 9


def test_two_successes_close_it_after_thirty_seconds() -> None:
    words = [*[(0, FAILED)] * 5, (30, DONE), (30, DONE)]
    assert states(*words)[4:] == [OPEN, HALF, CLOSED]


def test_a_failure_while_half_open_opens_it_for_another_thirty() -> None:
    words = [*[(0, FAILED)] * 5, (30, DONE), (40, FAILED), (69, DONE), (70, DONE), (70, DONE)]
    assert states(*words)[4:] == [OPEN, HALF, OPEN, OPEN, HALF, CLOSED]


def test_late_words_while_open_change_nothing() -> None:
    words = [*[(0, FAILED)] * 5, (1, DONE), (2, DONE), (29, FAILED), (30, DONE), (30, DONE)]
    assert states(*words)[4:] == [OPEN, OPEN, OPEN, OPEN, HALF, CLOSED]


def test_an_unknown_word_is_a_failure() -> None:
    assert states(*[(0, 77)] * 5)[-1] == OPEN


def test_closed_again_it_takes_five_failures_again() -> None:
    words = [*[(0, FAILED)] * 5, (30, DONE), (30, DONE), *[(31, FAILED)] * 5]
    assert states(*words)[6:] == [CLOSED] * 5 + [OPEN]


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=80))
def test_law_it_closes_only_by_two_successes_in_a_row_after_thirty_seconds(
    steps: list[tuple[int, bool]],
) -> None:
    probe = ConnectionProbe()
    now = opened = row = 0
    before = CLOSED
    for gap, done in steps:
        now += gap * SECOND
        state = probe.on(now, DONE if done else FAILED)
        row = row + 1 if done else 0
        if state == OPEN and before != OPEN:
            assert not done
            opened = now
        if state == CLOSED and before != CLOSED:
            assert row >= 2 and now - opened >= 30 * SECOND
        before = ConnectionState(state)
