"""The whole book against a dict, and its edges: capacity, the end of knowledge, odd input."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bog._core.depth import DepthProbe

CAP = 32768
BID, ASK = 0, 1
ROW = st.tuples(st.integers(0, 1), st.integers(1, 60), st.integers(0, 5))


def best_first(book, side):
    return sorted(book.items(), reverse=side == BID)


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(ROW, max_size=200))
def test_law_equal_to_a_dict(rows):
    probe = DepthProbe()
    book = ({}, {})
    for side, px, qty in rows:
        assert probe.set(side, px, qty) == book[side].pop(px, 0)
        if qty:
            book[side][px] = qty
        assert probe.qty(side, px) == qty
    for side in (BID, ASK):
        levels = best_first(book[side], side)
        assert probe.levels(side) == levels
        assert probe.best(side) == (levels[0][0] if levels else 0)
        assert probe.top()[side] == levels[:10]
        for px in range(62):
            at_or_better = [q for p, q in levels if (p >= px if side == BID else p <= px)]
            assert probe.through(side, px) == sum(at_or_better)
            assert probe.knows(side, px)


def test_reset_forgets_both_sides():
    probe = DepthProbe()
    probe.set(BID, 10, 1)
    probe.set(ASK, 12, 1)
    probe.reset()
    assert probe.levels(BID) == probe.levels(ASK) == []
    assert probe.top() == ([], [])


def test_deleting_a_level_that_is_not_there_changes_nothing():
    probe = DepthProbe()
    probe.set(BID, 10, 3)
    assert probe.set(BID, 11, 0) == 0
    assert probe.levels(BID) == [(10, 3)]


def full(side):
    """Return a book whose side holds all it can: prices 100000 .. 132767."""
    probe = DepthProbe()
    prices = range(100_000, 100_000 + CAP)
    for px in prices if side == BID else reversed(prices):
        probe.set(side, px, 7)
    assert len(probe.levels(side)) == CAP
    return probe


@pytest.mark.parametrize(
    ("side", "farthest", "next_far", "better"),
    [(BID, 100_000, 100_001, 140_000), (ASK, 132_767, 132_766, 90_000)],
)
def test_a_full_side_drops_its_farthest_level_and_knows_where_its_knowledge_ends(
    side, farthest, next_far, better
):
    probe = full(side)
    assert probe.knows(side, farthest)
    assert probe.set(side, better, 5) == 0
    levels = probe.levels(side)
    assert len(levels) == CAP
    assert levels[0] == (better, 5)
    assert levels[-1] == (next_far, 7)
    assert not probe.knows(side, farthest)
    assert probe.knows(side, next_far)
    assert probe.knows(1 - side, farthest)


@pytest.mark.parametrize(("side", "beyond"), [(BID, 99_000), (ASK, 133_000)])
def test_a_level_beyond_a_full_side_is_not_taken_and_not_known(side, beyond):
    probe = full(side)
    levels = probe.levels(side)
    assert probe.set(side, beyond, 5) == 0
    assert probe.levels(side) == levels
    assert not probe.knows(side, beyond)


def test_a_full_side_still_changes_and_deletes_levels():
    probe = full(BID)
    assert probe.set(BID, 100_005, 9) == 7
    assert probe.set(BID, 100_006, 0) == 7
    assert len(probe.levels(BID)) == CAP - 1
    assert probe.set(BID, 140_000, 1) == 0
    assert probe.levels(BID)[-1] == (100_000, 7)
    assert probe.knows(BID, 100_000)


def test_a_reset_book_knows_everything_again():
    probe = full(BID)
    probe.set(BID, 140_000, 1)
    probe.reset()
    assert probe.knows(BID, 100_000)


@pytest.mark.parametrize(
    ("side", "px", "qty", "said"),
    [
        (2, 10, 1, "side 2"),
        (-1, 10, 1, "side -1"),
        (0, 0, 1, "price 0"),
        (0, 1 << 40, 1, "price 1099511627776"),
        (0, 10, -1, "size -1"),
        (0, 10, 1 << 48, "size 281474976710656"),
    ],
)
def test_values_out_of_bounds_are_refused(side, px, qty, said):
    with pytest.raises(ValueError, match=said):
        DepthProbe().set(side, px, qty)
