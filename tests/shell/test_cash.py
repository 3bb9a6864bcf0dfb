"""What moves the venue's collateral is explained by what was booked, or it is said."""

from hypothesis import given
from hypothesis import strategies as st

from bog.cash import Cash, Earned


def begun(collateral: int) -> Cash:
    """Return what two looks agree on at the beginning."""
    cash = Cash()
    for _ in range(2):
        assert cash.look(collateral, Earned(0, 0)) == 0
    return cash


def test_a_deposit_is_said_once_when_two_looks_agree() -> None:
    cash = begun(1_000_000)
    assert cash.look(6_000_000, Earned(0, 0)) == 0, "one look may have come between two words"
    assert cash.look(6_000_000, Earned(0, 0)) == 5_000_000
    assert cash.look(6_000_000, Earned(0, 0)) == cash.look(6_000_000, Earned(0, 0)) == 0
    assert cash.moved == 5_000_000


def test_a_fill_that_only_one_of_both_knows_is_no_difference() -> None:
    cash = begun(0)
    assert cash.look(70, Earned(0, 0)) == 0
    assert cash.look(70, Earned(70, 1)) == 0
    assert cash.look(70, Earned(95, 2)) == 0
    assert cash.look(95, Earned(95, 2)) == 0 == cash.moved


def test_a_fill_that_was_under_way_at_the_first_look_is_no_transfer() -> None:
    cash = Cash()
    assert cash.look(1_000_000, Earned(0, 0)) == 0, "the venue has booked 70 that nobody told us of"
    for _ in range(5):
        assert cash.look(1_000_000, Earned(70, 1)) == 0
    assert cash.moved == 0


Steps = st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(-3, 3)), max_size=20)


@given(Steps)
def test_law_what_fills_explain_within_their_slack_is_never_said(
    fills: list[tuple[int, int]],
) -> None:
    cash, ours, theirs, slack = begun(0), 0, 0, 0
    for earned, off in fills:
        ours, theirs, slack = ours + earned, theirs + earned + off, slack + 3
        for _ in range(2):
            assert cash.look(theirs, Earned(ours, slack)) == 0


@given(Steps, st.integers(10**6, 10**9), st.booleans())
def test_law_a_transfer_among_fills_is_said_within_their_slack(
    fills: list[tuple[int, int]], amount: int, out: bool
) -> None:
    ours, slack, theirs = 0, 0, 10**12
    cash = begun(theirs)
    theirs += -amount if out else amount
    for earned, off in [*fills, (0, 0), (0, 0)]:
        ours, theirs, slack = ours + earned, theirs + earned + off, slack + 3
        cash.look(theirs, Earned(ours, slack))
    assert abs(cash.moved - (-amount if out else amount)) <= slack
