"""Strangers stand in the exchange's book as they stand in the market that they come from."""

from collections.abc import Callable
from pathlib import Path

from bog.exchange.orders import IOC, OPEN
from bog.exchange.public import ModelFlow, RecordedFlow, open_flow
from tests.exchange.test_matching import check_laws
from tests.rig.desk import MS, START_NS, Desk


def flow_of(desk: Desk) -> ModelFlow:
    flow = open_flow(desk.venue, 1, "sim", "active", 7, START_NS)
    assert isinstance(flow, ModelFlow)
    return flow


def pump(desk: Desk, flow: ModelFlow | RecordedFlow, seconds: float) -> None:
    """Let time pass in slices of 5 ms."""
    for _ in range(round(seconds * 200)):
        desk.run(5 * MS)
        flow.pump(desk.now_ns)
        desk.venue.commit()


def shown(desk: Desk, is_ask: bool, count: int) -> list[tuple[int, int]]:
    side = desk.state.markets[1].book.sides[is_ask]
    return [(px, side.totals[px]) for px, _ in zip(side.best_first(), range(count), strict=False)]


def test_without_accounts_the_book_is_the_models_after_each_of_its_frames() -> None:
    desk = Desk()
    flow = flow_of(desk)
    for _ in range(10):
        pump(desk, flow, 0.1)
        there = [(side, row[0]) for side in (0, 1) for row in flow.model.levels(side, 1 << 20)]
        flow.follow(list(dict.fromkeys([*flow.placed, *there])))
        for side in (0, 1):
            model = [(px, lots) for px, lots, _, _ in flow.model.levels(side, 200)]
            assert shown(desk, side == 1, 200) == model
    check_laws(desk)
    assert desk.state.markets[1].trades, "nobody traded"
    assert desk.state.markets[1].mark != 0


def test_an_order_of_ours_waits_behind_those_before_it_and_is_filled_by_takers() -> None:
    desk = Desk()
    flow = flow_of(desk)
    mine = desk.clients[0]
    filled = 0
    for _ in range(12):
        book = desk.state.markets[1].book
        orders = [mine.place("bid", book.best(False), 20), mine.place("ask", book.best(True), 20)]
        pump(desk, flow, 0.25)
        check_laws(desk)
        filled += sum(order.filled for order in orders if order)
        mine.send("cancel_all")
        desk.run()
    assert filled > 0
    lots = mine.account.position(1).lots
    assert lots == sum(
        t.lots * ((t.bid[2] == 1000) - (t.ask[2] == 1000)) for t in desk.state.trades
    )


def test_what_we_take_is_gone_and_stays_gone() -> None:
    desk = Desk()
    flow = flow_of(desk)
    book = desk.state.markets[1].book
    best, size = book.best(True), book.size(True, book.best(True))
    order = desk.clients[0].place("bid", best, size, tif=IOC)
    assert order is not None and order.filled == size
    flow.follow([(1, best)])
    assert book.size(True, best) == 0, "the model still has it, and it does not come back"


def test_equal_seeds_make_equal_markets() -> None:
    desks = [Desk(), Desk()]
    for desk in desks:
        pump(desk, flow_of(desk), 0.5)
    assert shown(desks[0], True, 50) == shown(desks[1], True, 50)


def test_a_recording_plays_into_the_book(shared: Callable[[str], Path]) -> None:
    desk = Desk()
    path = shared("market-data/lighter-btc/frames.jsonl.gz")
    flow = open_flow(desk.venue, 1, "none", "active", 1, START_NS)
    assert flow is None
    del desk.state.markets[0]
    flow = open_flow(desk.venue, 1, f"replay:{path}", "active", 1, START_NS)
    assert isinstance(flow, RecordedFlow)
    pump(desk, flow, 2)
    book = desk.state.markets[1].book
    assert 0 < book.best(False) < book.best(True)
    order = desk.clients[0].place("bid", book.best(False), 20)
    assert order is not None and order.status == OPEN
    pump(desk, flow, 1)
    check_laws(desk)
