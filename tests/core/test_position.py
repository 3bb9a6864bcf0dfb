"""Exact accounting: examples of acceptance and market-making, then laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog._core.position import PositionProbe

BUY, SELL = 0, 1
USD = 1_000_000  # quanta: price in 0.1, size in 0.00001
MAX = 2**63 - 1


def held(*fills: tuple[int, int, int], fee: int = 0) -> PositionProbe:
    """Return a position after (side, px, qty) fills."""
    position = PositionProbe()
    for side, px, qty in fills:
        assert position.fill(side, px, qty, fee)
    return position


def test_a_round_trip_of_a_tenth_earns_one_dollar_and_ends_flat():
    position = held((BUY, 500_000, 10_000), (SELL, 500_100, 10_000))
    state = position.state()
    assert (state["realized"], state["pos"], state["cost"]) == (1 * USD, 0, 0)
    assert state["volume"] == 500_000 * 10_000 + 500_100 * 10_000
    assert state["fills"] == 2


def test_a_flip_closes_at_cost_and_opens_the_rest_at_its_price():
    state = held((BUY, 500_000, 100_000), (SELL, 600_000, 200_000)).state()
    assert state["realized"] == 10_000 * USD
    assert (state["pos"], state["cost"]) == (-100_000, -600_000 * 100_000)


def test_a_flip_from_short_closes_at_cost_and_opens_the_rest_at_its_price():
    state = held((SELL, 600, 10), (BUY, 500, 25)).state()
    assert (state["realized"], state["pos"], state["cost"]) == (1000, 15, 7500)


def test_a_partial_close_keeps_the_entry():
    state = held((BUY, 100, 10), (SELL, 130, 4)).state()
    assert (state["realized"], state["pos"], state["cost"]) == (120, 6, 600)


def test_the_entry_is_weighted_by_size():
    state = held((BUY, 100, 1), (BUY, 104, 3)).state()
    assert state["cost"] == 103 * state["pos"]


def test_cost_that_does_not_divide_is_removed_rounded_down_and_never_lost():
    position = held((BUY, 100, 1), (BUY, 101, 2), (SELL, 100, 1))
    assert position.state()["cost"] == 302 - 100  # floor(302 / 3) = 100 is removed
    assert position.fill(SELL, 100, 2)
    assert position.state()["cost"] == 0
    assert position.state()["realized"] == 300 - 302
    short = held((SELL, 100, 1), (SELL, 101, 2), (BUY, 100, 1))
    assert short.state()["cost"] == -302 + 101  # floor(-302 / 3) = -101 is removed
    assert short.fill(BUY, 100, 2)
    assert short.state()["realized"] == 302 - 300


@pytest.mark.parametrize(("side", "profit"), [(BUY, 500), (SELL, -500)])
def test_unrealized_of_half_a_coin_marked_a_thousand_higher(side, profit):
    position = held((side, 300_000, 50_000))
    assert position.unrealized2(2 * 310_000) == 2 * profit * USD


def test_unrealized_is_nothing_when_flat_or_without_a_mark():
    assert PositionProbe().unrealized2(2_000_000) == 0
    assert held((BUY, 100, 5)).unrealized2(0) == 0
    assert held((BUY, 100, 5), (SELL, 110, 5)).unrealized2(2_000_000) == 0


def test_equity_without_a_mark_counts_the_open_part_at_cost():
    position = held((BUY, 100, 5), fee=3)
    assert position.equity2(0) == -6
    assert position.equity2(201) == 2 * -503 + 5 * 201


def test_fees_are_paid_and_rebates_received():
    position = PositionProbe()
    assert position.fill(BUY, 500_000, 10_000, -1 * USD)
    assert position.state()["cash"] == -5000 * USD + 1 * USD
    assert position.state()["fees"] == -1 * USD


@pytest.mark.parametrize(("side", "paid"), [(BUY, 726_264), (SELL, -726_264)])
def test_v38_funding_of_twelve_ppm(side, paid):
    position = held((side, 1_210_440, 50_000))
    assert position.funding_due(1_210_440, 12) == paid
    before = position.state()
    assert position.funding(paid)
    assert position.state()["cash"] == before["cash"] - paid
    assert position.state()["funding"] == -paid
    assert position.holds()


def test_funding_rounds_against_us_both_ways():
    assert held((BUY, 1, 1)).funding_due(1, 1) == 1
    assert held((SELL, 1, 1)).funding_due(1, 1) == 0
    assert held((SELL, 1, 1)).funding_due(1_999_999, 1) == -1


def test_v40_earns_twenty_in_all():
    position = held((BUY, 1000, 10), (SELL, 1002, 10))
    assert position.state()["realized"] == 20
    assert position.equity2(2 * 1000 + 1) == 40  # half quanta
    early = held((BUY, 1000, 10))
    assert early.equity2(2 * 1000 + 1) == 10  # marked at 1000.5: +5


@pytest.mark.parametrize(
    ("start", "fill"),
    [
        ({"pos": MAX, "cost": MAX, "realized": 0, "cash": -MAX}, (BUY, 1, 1, 0)),
        ({"pos": -MAX, "cost": -MAX, "realized": 0, "cash": MAX}, (SELL, 1, 1, 0)),
        ({"cash": -MAX, "realized": -MAX}, (BUY, 1, 2, 0)),
        ({"cash": MAX, "realized": MAX}, (SELL, 1, 1, 0)),
        ({"fees": MAX, "cash": -MAX}, (SELL, 1, 1, 1)),
        ({"volume": MAX}, (BUY, 1, 1, 0)),
        ({}, (BUY, 2**32, 2**31, 0)),
        ({}, (BUY, 1, 1, -(2**63))),
        ({"pos": 1, "cost": -MAX, "cash": MAX}, (SELL, 100, 1, 0)),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(start, fill):
    position = PositionProbe()
    position.load(**start)
    before = position.state()
    assert not position.fill(*fill)
    assert position.state() == before


def test_the_largest_position_is_reached_and_left_again():
    position = held((BUY, 1, MAX))
    assert position.state()["pos"] == MAX
    assert not position.fill(BUY, 1, 1)
    assert not position.fill(SELL, 1, MAX)  # the volume would not fit
    assert position.state()["pos"] == MAX


@pytest.mark.parametrize("fill", [(BUY, 0, 1), (BUY, -1, 1), (BUY, 1, 0), (SELL, 1, -1), (2, 1, 1)])
def test_a_fill_that_is_none_is_refused(fill):
    position = held((BUY, 100, 3))
    before = position.state()
    assert not position.fill(*fill)
    assert position.state() == before


@pytest.mark.parametrize("paid", [-(2**63), MAX, -MAX])
def test_funding_that_does_not_fit_changes_nothing(paid):
    position = PositionProbe()
    position.load(cash=2 if paid < 0 else -2, funding=0)
    before = position.state()
    assert not position.funding(paid)
    assert position.state() == before


@given(
    st.lists(st.tuples(st.sampled_from((BUY, SELL)), st.integers(1, 10**6), st.integers(1, 10**6)),
             max_size=6),
    st.sampled_from((BUY, SELL)), st.integers(0, 10**9), st.integers(0, 10**15),
)  # fmt: skip
def test_law_an_adopted_position_keeps_what_was_earned(
    fills: list[tuple[int, int, int]], side: int, lots: int, cost: int
) -> None:
    position = held(*fills, fee=3)
    position.funding(11)
    before = position.state()
    taken = position.adopt(side, lots, cost)
    assert taken == (lots > 0 or cost == 0)
    after = position.state()
    assert position.holds()
    same = ("realized", "fees", "funding", "volume", "fills")
    assert [after[name] for name in same] == [before[name] for name in same]
    sign = -1 if side == SELL else 1
    wanted = (sign * lots, sign * cost) if taken else (before["pos"], before["cost"])
    assert (after["pos"], after["cost"]) == wanted


@pytest.mark.parametrize(
    ("side", "lots", "cost"), [(2, 1, 1), (BUY, -1, 1), (BUY, 1, -1), (SELL, 0, 1), (-1, 0, 0)]
)
def test_a_position_that_cannot_be_is_not_adopted(side: int, lots: int, cost: int) -> None:
    position = held((BUY, 100, 7))
    before = position.state()
    assert not position.adopt(side, lots, cost)
    assert position.state() == before


def test_a_cost_that_does_not_fit_the_cash_is_not_adopted() -> None:
    position = held((BUY, 100, 7))
    assert position.funding(-(MAX // 2))
    before = position.state()
    assert not position.adopt(SELL, 1, MAX)
    assert position.state() == before
    assert position.adopt(BUY, 1, MAX) and position.holds()


def test_the_day_rolls_forward_only_and_resets_open_and_peak_together():
    position = held((BUY, 100, 10))
    assert position.roll(20_000, 200)
    assert position.sample_peak(2 * 103)
    assert position.state()["peak"] == 60
    assert not position.roll(20_000, 2 * 90)
    assert not position.roll(19_999, 2 * 90)
    assert position.state()["peak"] == 60
    assert position.roll(20_001, 2 * 101)
    state = position.state()
    assert (state["day"], state["peak"], state["mark2"]) == (20_001, 0, 202)
    assert state["day_open"] == 20
    assert position.daily2(2 * 101) == 0
    assert position.daily2(2 * 100) == -20


def test_the_peak_only_rises_and_says_whether_it_did():
    position = held((BUY, 100, 10))
    assert not position.sample_peak(2 * 100)
    assert position.sample_peak(2 * 100 + 1)
    assert not position.sample_peak(2 * 100 + 1)
    assert not position.sample_peak(2 * 99)
    assert (position.state()["peak"], position.state()["mark2"]) == (10, 201)


def test_an_equity_past_int64_is_the_nearest_one():
    position = PositionProbe()
    position.load(pos=2**40, cash=0)
    assert position.equity2(2**40) == MAX
    position.load(pos=-(2**40))
    assert position.equity2(2**40) == -(2**63)


FILLS = st.lists(
    st.tuples(
        st.sampled_from([BUY, SELL]),
        st.integers(1, 2**31),
        st.integers(1, 2**24),
        st.integers(-(2**30), 2**30),
    ),
    max_size=60,
)


@given(FILLS, st.integers(1, 2**32))
def test_law_the_books_balance_at_every_mark(fills, mark2):
    position = PositionProbe()
    cash = pos = paid = 0
    for side, px, qty, fee in fills:
        assert position.fill(side, px, qty, fee)
        sign = 1 if side == BUY else -1
        pos += sign * qty
        cash -= sign * px * qty + fee
        paid += fee
        state = position.state()
        assert (state["pos"], state["cash"], state["fees"]) == (pos, cash, paid)
        assert position.holds()
        assert (state["cost"] > 0) == (pos > 0) or state["cost"] == 0
        assert position.equity2(mark2) == 2 * cash + pos * mark2
        assert position.equity2(mark2) == 2 * (state["realized"] - paid) + position.unrealized2(
            mark2
        )
        if pos == 0:
            assert state["cost"] == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from([BUY, SELL]),
            st.integers(1, MAX),
            st.integers(1, MAX),
            st.integers(-(2**63), MAX),
        ),
        max_size=20,
    )
)
def test_law_any_fill_is_booked_exactly_or_not_at_all(fills):
    position = PositionProbe()
    for side, px, qty, fee in fills:
        before = position.state()
        if position.fill(side, px, qty, fee):
            sign = 1 if side == BUY else -1
            assert position.state()["pos"] == before["pos"] + sign * qty
            assert position.state()["cash"] == before["cash"] - sign * px * qty - fee
        else:
            assert position.state() == before
        assert position.holds()


def test_load_refuses_a_name_that_is_no_field():
    with pytest.raises(ValueError, match="'entry' is not a field"):
        PositionProbe().load(entry=1)
