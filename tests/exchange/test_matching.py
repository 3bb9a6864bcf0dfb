"""Price, then age; self-trade, reduce-only, fees, margin: examples, then laws."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bog.exchange import margin
from bog.exchange.orders import (
    CANCELED,
    FILLED,
    GTT,
    IOC,
    MARKET,
    NO_LIQUIDITY,
    NO_MARGIN,
    NO_POST_ONLY,
    NO_REDUCE_ONLY,
    OPEN,
    POST_ONLY,
    SELF_TRADED,
    SLIPPAGE,
)
from tests.rig.desk import MIDDLE, MS, Desk


def placed(order: Any) -> Any:
    assert order is not None
    return order


def test_the_older_of_two_at_a_price_is_met_first() -> None:
    desk = Desk(3)
    old, young, taker = desk.clients
    first = placed(old.place("bid", MIDDLE, 100))
    second = placed(young.place("bid", MIDDLE, 100))
    better = placed(young.place("bid", MIDDLE + 1, 50))
    done = placed(taker.place("ask", MIDDLE, 120, tif=IOC))
    assert (better.filled, first.filled, second.filled, done.status) == (50, 70, 0, FILLED)
    assert first.index > second.index  # bids count down


def test_a_modify_loses_its_place_even_when_it_only_shrinks() -> None:
    desk = Desk(3)
    old, young, taker = desk.clients
    first = placed(old.place("ask", MIDDLE, 100, client=7))
    second = placed(young.place("ask", MIDDLE, 100))
    before = first.index
    old.send("modify_order", 1, 7, 90, MIDDLE)
    desk.run()
    assert first.index > before and first.version == 1
    taker.place("bid", MIDDLE, 100, tif=IOC)
    assert (first.filled, second.filled) == (0, 100)


def test_a_modify_to_what_has_filled_ends_as_filled() -> None:
    desk = Desk()
    maker, taker = desk.clients
    order = placed(maker.place("ask", MIDDLE, 100, client=7))
    taker.place("bid", MIDDLE, 60, tif=IOC)
    maker.send("modify_order", 1, 7, 60, MIDDLE)
    desk.run()
    assert (order.status, order.filled, order.size) == (FILLED, 60, 60)


def test_post_only_never_takes_and_a_modified_one_neither() -> None:
    desk = Desk()
    maker, other = desk.clients
    maker.place("ask", MIDDLE, 100)
    assert placed(other.place("bid", MIDDLE, 100)).status == NO_POST_ONLY
    rest = placed(other.place("bid", MIDDLE - 10, 100, client=9))
    other.send("modify_order", 1, 9, 100, MIDDLE)
    desk.run()
    assert rest.status == NO_POST_ONLY and rest.filled == 0


def test_a_plain_limit_takes_and_rests_with_what_is_left() -> None:
    desk = Desk()
    maker, other = desk.clients
    maker.place("ask", MIDDLE, 100)
    order = placed(other.place("bid", MIDDLE, 150, tif=GTT))
    assert (order.status, order.filled, order.left) == (OPEN, 100, 50)


def test_what_an_immediate_order_leaves_is_canceled_for_its_reason() -> None:
    desk = Desk()
    maker, other = desk.clients
    market = {"tif": IOC, "type": MARKET}
    assert placed(other.place("bid", MIDDLE, 10, **market)).status == NO_LIQUIDITY
    maker.place("ask", MIDDLE + 500, 100)
    assert placed(other.place("bid", MIDDLE, 10, **market)).status == SLIPPAGE
    partly = placed(other.place("bid", MIDDLE + 500, 150, tif=IOC))
    assert (partly.status, partly.filled) == (CANCELED, 100)


@pytest.mark.parametrize(
    ("mode", "maker_ends", "taker_fills"),
    [(0, SELF_TRADED, 100), (1, OPEN, 0), (2, SELF_TRADED, 0), (3, FILLED, 100)],
)
def test_self_trade_goes_the_way_the_taker_says(
    mode: int, maker_ends: int, taker_fills: int
) -> None:
    desk = Desk()
    mine, stranger = desk.clients
    own = placed(mine.place("ask", MIDDLE, 100))
    stranger.place("ask", MIDDLE, 100)
    taker = placed(mine.place("bid", MIDDLE, 100, tif=IOC, attributes={6: mode} if mode else None))
    assert (own.status, taker.filled) == (maker_ends, taker_fills)
    if mode in (1, 2):
        assert taker.status == SELF_TRADED


def test_reduce_only_is_cut_to_the_position() -> None:
    desk = Desk()
    mine, other = desk.clients
    other.place("ask", MIDDLE, 100)
    mine.place("bid", MIDDLE, 100, tif=IOC)
    other.place("bid", MIDDLE - 1, 300)
    order = placed(mine.place("ask", MIDDLE - 1, 250, tif=IOC, reduce_only=True))
    assert (order.filled, order.status) == (100, NO_REDUCE_ONLY)
    assert mine.account.positions[1].lots == 0
    assert desk.application(mine, "create_order", 1, 0, 100, MIDDLE, True, 0, time_in_force=IOC,
                            reduce_only=True) == 21732  # fmt: skip


def test_fees_are_the_tiers_rounded_up_and_cash_is_exact() -> None:
    desk = Desk()
    maker, taker = desk.clients
    maker.place("ask", MIDDLE, 33)
    taker.place("bid", MIDDLE, 33, tif=IOC)
    notional = MIDDLE * 33
    assert maker.account.fees == -(-notional * 40 // 10**6)
    assert taker.account.fees == -(-notional * 280 // 10**6)
    assert maker.account.cash == 10**12 + notional - maker.account.fees
    assert taker.account.collateral == 10**12 - taker.account.fees


def test_margin_refuses_makers_at_the_api_and_ends_takers_with_a_frame() -> None:
    desk = Desk(micro=100 * 10**6)  # 100 USDC carry 2000 at 5 %: 1652 lots
    mine, other = desk.clients
    assert desk.refused(mine, "create_order", 1, 0, 4000, MIDDLE, False,
                        desk.now_ns // MS + 3_600_000) == 21739  # fmt: skip
    desk.state.accounts[1001].cash = 10**12
    other.place("ask", MIDDLE, 4000)
    assert placed(mine.place("bid", MIDDLE, 4000, tif=IOC)).status == NO_MARGIN
    assert placed(mine.place("bid", MIDDLE, 1500, tif=IOC)).status == FILLED


def test_an_account_under_water_is_liquidated_orders_first() -> None:
    desk = Desk(micro=100 * 10**6)
    mine, other = desk.clients
    desk.state.accounts[1001].cash = 10**12
    other.place("ask", MIDDLE, 1600)
    mine.place("bid", MIDDLE, 1600, tif=IOC)
    resting = placed(mine.place("bid", MIDDLE - 5000, 20))
    other.place("bid", MIDDLE - 60_000, 2000)
    desk.state.markets[1].mark = MIDDLE - 50_000
    desk.run(100 * MS)
    assert resting.status == 15
    assert mine.account.positions[1].lots == 0
    last = desk.state.trades[-1]
    assert (last.kind, last.taker_ppm) == ("liquidation", 10_000)
    assert margin.maintenance(desk.state, mine.account) == 0


SIDES = st.sampled_from(["bid", "ask"])
ACTIONS = st.lists(
    st.tuples(
        st.integers(0, 2), SIDES, st.integers(-6, 6), st.integers(20, 60),
        st.sampled_from([IOC, GTT, POST_ONLY]), st.integers(0, 3), st.booleans(),
    ),
    max_size=25,
)  # fmt: skip


def check_laws(desk: Desk) -> None:
    """Assert what must hold whatever has happened."""
    state = desk.state
    book = state.markets[1].book
    bid, ask = book.best(False), book.best(True)
    assert not (bid and ask and bid >= ask), "the book is crossed"
    accounts = [*state.accounts.values(), state.public]
    assert sum(a.position(1).lots for a in accounts) == 0
    paid = sum(a.cash + a.fees + a.funding - a.deposited for a in accounts)
    assert paid == 0, "money came from nowhere"
    for side in book.sides:
        assert side.prices == sorted(side.prices)
        for px, level in side.levels.items():
            assert side.totals[px] == sum(order.left for order in level.values()) > 0
            ages = [order.index * side.sign for order in level.values()]
            assert ages == sorted(ages, reverse=True), "a younger order stands before"
    for account in state.accounts.values():
        traded = [t for t in state.trades if t.of(account.index)]
        lots = sum(
            t.lots * ((t.bid[2] == account.index) - (t.ask[2] == account.index)) for t in traded
        )
        assert account.position(1).lots == lots
        fees = 0
        for t in traded:
            maker, taker = (t.ask, t.bid) if t.is_maker_ask else (t.bid, t.ask)
            fees += -(-t.notional * 40 // 10**6) * (maker[2] == account.index)
            fees += -(-t.notional * 280 // 10**6) * (taker[2] == account.index)
        assert account.fees == fees
        assert {o.status for o in account.orders.values()} <= {OPEN}
        assert all(o.status > OPEN and 0 <= o.filled <= o.size for o in account.closed)


@settings(max_examples=60)
@given(ACTIONS)
def test_law_money_positions_queues_and_fees_hold(actions: list[Any]) -> None:
    desk = Desk(3)
    for who, side, away, lots, tif, mode, reduce_only in actions:
        client = desk.clients[who]
        client.place(side, MIDDLE + away, lots, tif=tif, reduce_only=reduce_only,
                     attributes={6: mode} if mode else None)  # fmt: skip
        check_laws(desk)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(20, 50)), min_size=1,
                max_size=12), st.integers(20, 400))  # fmt: skip
def test_law_a_taker_meets_the_best_price_then_the_oldest(
    makers: list[tuple[int, int, int]], lots: int
) -> None:
    desk = Desk(4)
    orders = [placed(desk.clients[who].place("ask", MIDDLE + away, size))
              for who, away, size in makers]  # fmt: skip
    taker = placed(desk.clients[3].place("bid", MIDDLE + 10, lots, tif=IOC))
    expected = lots
    for order in sorted(orders, key=lambda o: (o.px, o.index)):
        part = min(expected, order.size)
        assert order.filled == part
        expected -= part
    assert taker.filled == lots - expected
    check_laws(desk)
