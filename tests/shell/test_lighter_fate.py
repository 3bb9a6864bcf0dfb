"""The fate of orders: receipts are no verdicts, unknown is live, each fill counts once."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog._core.orders import OrdersProbe
from bog._core.types import FillReason, OrderState, Reject, ReportKind, Side
from bog.lighter.codes import meaning
from bog.lighter.fate import KEEP, READS, READS_TAKEN, Fates, Order
from bog.lighter.once import Once
from bog.lighter.rows import OrderView, TradeView, TxView

S = 1_000_000_000
M, PX, QTY = 1_000_001, 583_000, 100
INDEX = 2 * 2**48 + 5
SKEW = 2000


class Rig:
    """Fates with one order in them, and a clock."""

    def __init__(self, place: bool = True) -> None:
        self.fates = Fates(Once(), 2 * S)
        self.now = 1000 * S
        if place:
            self.place()

    def place(self, id: int = 7, hash: str = "create") -> Order:
        self.fates.place(id, M, Side.BID, PX, QTY, hash, 15_000, self.now)
        return self.fates.orders[id]

    def saw(self, status: str = "open", filled: int = 0, us: int = 0, *, id: int = 7,
            px: int = PX, qty: int = QTY) -> None:  # fmt: skip
        view = OrderView(id, INDEX, M, Side.BID, px, qty, filled, status, us)
        self.fates.saw_order(view, self.now)

    def asked(self, status: str = "open", filled: int = 0, *, after_s: float = 2, id: int = 7,
              px: int = PX, qty: int = QTY) -> None:  # fmt: skip
        """An answer shows the order; the question left `after_s` from now, and time is then."""
        self.wait(after_s)
        view = OrderView(id, INDEX, M, Side.BID, px, qty, filled, status, 0)
        self.fates.saw_order(view, self.now, self.now)

    def trade(self, id: int, qty: int, *, client: int = 7, px: int = PX, side: int = 0,
              us: int = 1) -> None:  # fmt: skip
        view = TradeView(id, M, client, INDEX, side, px, qty, 3, True, us)
        self.fates.saw_trade(view, self.now)

    def told(self) -> list[tuple[str, int]]:
        """Return what the engine was told since the last call: kind, and size or reason."""
        reports, self.fates.reports = self.fates.reports, []
        return [
            (ReportKind(r.kind).name[4:], r.qty if r.kind == ReportKind.REP_FILL else r.reason)
            for r in reports
        ]

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * S)
        self.fates.overdue(self.now)


def test_a_receipt_tells_the_engine_nothing() -> None:
    rig = Rig()
    rig.fates.taken("create")
    assert rig.told() == [] and not rig.fates.orders[7].acked
    rig.saw()
    assert rig.told() == [("ACK", 0)]


def test_fills_are_told_once_and_the_end_when_they_add_up() -> None:
    rig = Rig()
    rig.saw()
    rig.trade(1, 30)
    rig.trade(1, 30)
    rig.saw("canceled", 50, 9)
    assert rig.told() == [("ACK", 0), ("FILL", 30)]
    assert rig.fates.orders[7].ended is False
    rig.trade(2, 20)
    assert rig.told() == [("FILL", 20), ("CANCELED", 0)]
    assert rig.fates.duplicates == 1 and rig.fates.faults == []


def test_a_late_fill_of_an_order_that_ended_counts_once() -> None:
    rig = Rig()
    rig.saw("canceled")
    assert rig.told() == [("CANCELED", 0)]
    rig.trade(4, 100)
    rig.trade(4, 100)
    assert rig.told() == [("FILL", 100)]


def test_a_fill_made_after_its_order_was_canceled_is_a_fault_however_late_its_word_is_not() -> None:
    rig = Rig()
    rig.saw("canceled", us=5_000_000)
    rig.trade(4, 40, us=5_900_000)  # by two clocks of the venue
    rig.wait(60)
    rig.trade(5, 30, us=4_000_000)
    assert rig.fates.faults == []
    rig.trade(6, 30, us=6_100_000)
    assert rig.told()[-1] == ("FILL", 30)  # it counts all the same
    assert rig.fates.faults == ["order 7 was canceled, and trade 6 filled 30 of it 1.100 s later"]


def test_a_post_only_order_that_crossed_was_refused() -> None:
    rig = Rig()
    rig.fates.taken("create")
    rig.saw("canceled-post-only")
    assert rig.told() == [("REJECT", Reject.REJ_POST_ONLY)]


@pytest.mark.parametrize(
    "status, kind, reason",
    [
        ("canceled-expired", "EXPIRED", Reject.REJ_NONE),
        ("canceled-self-trade", "CANCELED", Reject.REJ_SELF_TRADE),
        ("canceled-margin-not-allowed", "CANCELED", Reject.REJ_MARGIN),
        ("canceled-liquidation", "CANCELED", Reject.REJ_OTHER),
        ("canceled-by-comet", "CANCELED", Reject.REJ_OTHER),
    ],
)
def test_each_end_of_a_resting_order(status: str, kind: str, reason: int) -> None:
    rig = Rig()
    rig.saw()
    rig.saw(status, us=5)
    assert rig.told() == [("ACK", 0), (kind, reason)]


@pytest.mark.parametrize(
    "code, reason",
    [
        (21104, Reject.REJ_OTHER), (21739, Reject.REJ_MARGIN), (21706, Reject.REJ_MIN_SIZE),
        (21734, Reject.REJ_PRICE), (21718, Reject.REJ_OPEN_ORDERS), (23000, Reject.REJ_RATE),
        (21712, Reject.REJ_HALTED),
    ],
)  # fmt: skip
def test_a_refusal_by_a_code_is_the_end(code: int, reason: int) -> None:
    rig = Rig()
    rig.fates.refused("create", meaning(code))
    assert rig.told() == [("REJECT", reason)]
    rig.fates.refused("create", meaning(code))
    rig.wait(60)
    assert rig.told() == []


def test_the_applications_refusal_is_a_verdict_and_its_silence_is_none() -> None:
    rig = Rig()
    rig.fates.taken("create")
    rig.fates.ran(TxView("create", 14, 0, 2))
    assert rig.told() == []
    other = rig.place(8, "second")
    rig.fates.ran(TxView("second", 14, 21739, 2))
    assert rig.told() == [("REJECT", Reject.REJ_MARGIN)] and other.ended


def test_an_id_in_use_is_asked_for_not_refused() -> None:
    rig = Rig()
    rig.fates.ran(TxView("create", 14, 21728, 2))
    assert rig.told() == [("UNKNOWN", 0)]
    assert [o.id for o in rig.fates.asks(rig.now)] == [7]


def test_no_word_in_time_makes_it_unknown_and_live_until_proven_dead() -> None:
    rig = Rig()
    rig.wait(1.9)
    assert rig.told() == [] and rig.fates.asks(rig.now) == []
    rig.wait(0.2)
    assert rig.told() == [("UNKNOWN", 0)]
    assert [o.id for o in rig.fates.asks(rig.now)] == [7]
    for _ in range(50):  # nowhere to be seen, but it could still be run
        rig.fates.nowhere(7, 15_000 + SKEW, SKEW)
    assert rig.told() == [] and not rig.fates.orders[7].ended
    rig.fates.nowhere(7, 15_001 + SKEW, SKEW)
    assert rig.told() == [("REJECT", Reject.REJ_OTHER)]


def test_answers_have_to_agree_and_more_of_them_when_the_venue_took_it() -> None:
    for taken, enough in ((False, READS), (True, READS_TAKEN)):
        rig = Rig()
        if taken:
            rig.fates.taken("create")
        rig.wait(3)
        rig.told()
        for n in range(enough):
            assert not rig.fates.orders[7].ended, n
            rig.fates.nowhere(7, 60_000, SKEW)
        assert rig.told() == [("REJECT", Reject.REJ_OTHER)]


def test_a_change_that_waited_at_the_venue_until_it_was_too_late_had_no_effect() -> None:
    rig = Rig()
    rig.saw()
    rig.fates.amend(7, PX + 1, 120, "amend", 15_000, rig.now)
    rig.told()
    rig.fates.ran(TxView("amend", 17, 0, 1))
    assert rig.told() == [], "it waits"
    rig.fates.ran(TxView("amend", 17, 0, 0))
    assert rig.told() == [("UNKNOWN", 0)], "it is not taken for one that took effect"
    for _ in range(READS_TAKEN):
        rig.fates.unknown_tx("amend", 60_000, SKEW)
    assert rig.told() == [("AMEND_REJECT", Reject.REJ_OTHER)]
    assert (rig.fates.orders[7].px, rig.fates.faults) == (PX, [])


def test_an_unknown_order_that_is_found_stands() -> None:
    rig = Rig()
    rig.wait(3)
    rig.saw()
    assert rig.told() == [("UNKNOWN", 0), ("ACK", 0)]
    assert rig.fates.asks(rig.now) == []


def test_a_proven_dead_transaction_ends_its_order() -> None:
    rig = Rig()
    rig.wait(3)
    rig.fates.dead("create")
    assert rig.told() == [("UNKNOWN", 0), ("REJECT", Reject.REJ_OTHER)]


def test_what_was_proven_dead_and_lives_is_a_fault_and_to_be_canceled() -> None:
    rig = Rig()
    rig.fates.dead("create")
    rig.saw()
    rig.saw()
    assert [o.id for o in rig.fates.revenants] == [7]
    assert rig.fates.faults == ["order 7 was proven dead and stands at the venue"]


def test_an_order_that_ended_and_stands_again_is_a_fault_and_canceled_until_it_is_dead() -> None:
    rig = Rig()
    rig.saw()
    rig.trade(1, 30)
    rig.saw("canceled", 30, us=9)
    rig.told()
    rig.saw()  # a frame may be an older word
    rig.asked(after_s=0.5)  # so may an answer
    assert rig.fates.returned == {} and rig.fates.faults == []
    rig.asked()
    assert [o.id for o in rig.fates.asks(rig.now)] == [7], "one answer may be wrong"
    assert rig.fates.faults == []
    rig.asked(filled=10)
    assert rig.fates.faults == [
        f"order 7 was canceled, and stands at the venue again: {PX} x {QTY}, 10 of it filled"
    ]
    assert rig.fates.live[7].stray and rig.fates.returned == {} and rig.told() == []
    rig.asked(filled=10)
    assert len(rig.fates.faults) == 1
    rig.trade(2, 5)
    rig.saw("canceled", 15)
    rig.fates.swept(rig.now, rig.now)
    assert rig.told() == [("FILL", 5), ("CANCELED", 0)] and not rig.fates.live


def test_an_order_that_ended_and_is_in_one_answer_only_did_not_come_back() -> None:
    rig = Rig()
    rig.saw()
    rig.saw("canceled")
    for _ in range(3):
        rig.asked()
        rig.asked("canceled")
    assert rig.fates.faults == [] and not rig.fates.live and not rig.fates.asks(rig.now)


def test_an_order_that_stands_as_it_was_before_its_change_is_a_fault_and_canceled() -> None:
    rig = Rig()
    rig.saw()
    rig.fates.amend(7, PX + 1, 120, "amend", 15_000, rig.now)
    rig.asked()  # the change is under way
    rig.fates.ran(TxView("amend", 17, 0, 2))
    rig.asked(px=PX + 1, qty=120)
    rig.asked()
    assert rig.fates.faults == []
    rig.asked()
    assert rig.fates.faults == [
        f"order 7 was {PX + 1} x 120, and stands at the venue again: {PX} x {QTY}, 0 of it filled"
    ]
    assert rig.fates.live[7].stray


def test_an_order_that_was_forgotten_since_is_still_no_stranger() -> None:
    rig = Rig()
    for id in range(8, 8 + 2 * KEEP + 1):
        rig.place(id, f"create {id}")
        rig.saw(id=id)
        rig.saw("canceled", id=id)
    assert 8 not in rig.fates.orders
    rig.saw(id=8)
    assert rig.fates.faults == ["order 8 ended long ago and stands at the venue again"]
    assert rig.fates.live[8].stray and rig.fates.foreign == {}
    rig.saw(id=8 + 4 * KEEP)
    assert len(rig.fates.foreign) == 1


def test_an_order_that_stood_and_vanished_is_a_fault_after_answers_agree() -> None:
    rig = Rig()
    rig.saw()
    rig.told()
    for _ in range(READS_TAKEN):
        rig.fates.nowhere(7, 60_000, SKEW)
    assert rig.told() == [("CANCELED", Reject.REJ_OTHER)]
    assert rig.fates.faults == ["order 7 stood at the venue and is gone without a word"]


def test_a_refused_cancel_leaves_the_order_and_asks_for_it() -> None:
    rig = Rig()
    rig.saw()
    rig.fates.cancel(7, "cancel", 15_000, rig.now)
    rig.told()
    rig.fates.refused("cancel", meaning(21600))
    assert rig.told() == [("CANCEL_REJECT", Reject.REJ_NOT_FOUND)]
    assert [o.id for o in rig.fates.asks(rig.now)] == [7]


def test_an_amend_is_settled_by_its_verdict_or_by_the_orders_frame() -> None:
    for by_frame in (True, False):
        rig = Rig()
        rig.saw()
        rig.fates.amend(7, PX + 1, 120, "amend", 15_000, rig.now)
        if by_frame:
            rig.saw(px=PX + 1, qty=120, us=8)
            rig.fates.ran(TxView("amend", 17, 0, 2))
        else:
            rig.fates.ran(TxView("amend", 17, 0, 2))
            rig.saw(us=7)  # an older word
            rig.saw(px=PX + 1, qty=120, us=8)
        assert rig.told() == [("ACK", 0), ("AMENDED", 0)]
        assert rig.fates.faults == []
        assert (rig.fates.orders[7].px, rig.fates.orders[7].qty) == (PX + 1, 120)


def test_an_amend_without_a_word_is_unknown_until_its_hash_says() -> None:
    rig = Rig()
    rig.saw()
    rig.fates.amend(7, PX + 1, 120, "amend", 15_000, rig.now)
    rig.wait(3)
    assert rig.told() == [("ACK", 0), ("UNKNOWN", 0)]
    assert [t.hash for t in rig.fates.asks_txs()] == ["amend"]
    rig.fates.unknown_tx("amend", 15_000, SKEW)
    assert rig.told() == []
    rig.fates.unknown_tx("amend", 18_000, SKEW)
    assert rig.told() == [("AMEND_REJECT", Reject.REJ_OTHER)]


def test_a_price_that_nobody_asked_for_is_a_fault() -> None:
    rig = Rig()
    rig.saw(px=PX + 5)
    assert rig.fates.faults == ["order 7 stands at 583005 x 100, never asked for"]


@pytest.mark.parametrize(
    "trade, fault",
    [
        ({"qty": 101}, "order 7 of 100 lots has filled 101"),
        ({"qty": 5, "px": PX + 1}, "trade 1 of order 7 is at 583001, past 583000"),
        ({"qty": 5, "client": 9}, "trade 1 is of order 9, which this gateway never sent"),
        ({"qty": 5, "client": 0}, "trade 1 is of order 0, which this gateway never sent"),
        ({"qty": 5, "side": 1}, "trade 1 is of order 7, which this gateway never sent"),
    ],
)
def test_an_impossible_fill_is_handed_on_with_its_evidence(trade: dict, fault: str) -> None:
    rig = Rig()
    rig.trade(1, **trade)
    assert rig.told()[-1] == ("FILL", trade["qty"])
    assert rig.fates.faults == [fault]


def test_a_fill_that_is_told_after_its_order_moved_is_judged_by_the_price_it_had() -> None:
    """It was judged by the price after the move, and halted: fills and amends are told in any order."""
    rig = Rig()
    rig.saw()
    rig.fates.amend(7, PX - 3, QTY, "amend", 16_000, rig.now)
    rig.saw(px=PX - 3)
    rig.trade(1, 5, px=PX)
    assert rig.fates.faults == []
    rig.trade(2, 5, px=PX + 1)
    assert rig.fates.faults == ["trade 2 of order 7 is at 583001, past 583000"]


def test_foreign_orders_are_counted_and_left_alone() -> None:
    rig = Rig(place=False)
    rig.saw(id=99)
    assert list(rig.fates.foreign) == [INDEX] and rig.told() == []
    rig.saw("canceled", id=99)
    assert rig.fates.foreign == {}


def test_missing_trades_are_swept_and_what_still_does_not_add_up_is_a_fault() -> None:
    rig = Rig()
    rig.saw("canceled", 40)
    assert not rig.fates.wants_trades(rig.now)
    rig.wait(1)
    assert rig.fates.wants_trades(rig.now)
    began = rig.now
    rig.fates.swept(began, rig.now)
    assert rig.fates.faults == []  # it may have been under way when that was asked
    rig.wait(2)
    rig.fates.swept(rig.now, rig.now)
    assert rig.fates.faults == ["order 7 has filled 40, its trades 0"]
    rig.trade(3, 40)
    assert rig.told() == [("ACK", 0), ("FILL", 40), ("CANCELED", 0)]


def test_an_adopted_order_ends_after_its_trades_were_asked_for() -> None:
    rig = Rig(place=False)
    rig.fates.adopt(7, M, Side.BID, PX, rig.now, 20_000)
    rig.saw("canceled", 40)
    assert rig.told() == [] and rig.fates.wants_trades(rig.now)
    rig.trade(3, 15)
    rig.fates.swept(rig.now, rig.now)
    assert rig.told() == [("ACK", 0), ("FILL", 15), ("CANCELED", 0)]
    assert rig.fates.faults == []


def test_an_adopted_order_that_was_told_of_counts_from_there_and_may_have_been_amended() -> None:
    rig = Rig(place=False)
    rig.fates.adopt(7, M, Side.BID, PX, rig.now, 20_000, filled=10)
    rig.trade(3, 15, px=PX + 5)  # an amend that nobody had answered was run
    rig.saw("canceled", 25, px=PX + 5)
    rig.fates.swept(rig.now, rig.now)
    assert rig.told() == [("ACK", 0), ("FILL", 15), ("CANCELED", 0)]
    assert rig.fates.faults == []


def test_an_adopted_order_that_is_nowhere_is_dead() -> None:
    rig = Rig(place=False)
    rig.fates.adopt(7, M, Side.BID, PX, rig.now, 20_000)
    for _ in range(READS_TAKEN):
        rig.fates.nowhere(7, 60_000, SKEW)
    assert rig.told() == [("CANCELED", Reject.REJ_OTHER)]


LIFE = ("receipt", "verdict", "open", "fill 30", "fill 20", "canceled 50")


def tell(rig: Rig, word: str) -> None:
    what, _, size = word.partition(" ")
    if what == "receipt":
        rig.fates.taken("create")
    elif what == "verdict":
        rig.fates.ran(TxView("create", 14, 0, 2))
    elif what == "open":
        rig.saw(us=1)
    elif what == "fill":
        rig.trade(int(size), int(size))
    else:
        rig.saw("canceled", int(size), us=9)


def engine_of(rig: Rig) -> OrdersProbe:
    """Return the engine's order room with order 7 sent, and every report given to it."""
    engine = OrdersProbe(7, M, linger_ns=S)
    _, slot = engine.place(Side.BID, PX, QTY)
    assert engine.sent(slot)
    hear(engine, rig)
    return engine


def hear(engine: OrdersProbe, rig: Rig) -> None:
    """Give the engine's order room every report since the last time."""
    reports, rig.fates.reports = rig.fates.reports, []
    for r in reports:
        effect = engine.report(
            r.kind, r.order_id, px=r.px, qty=r.qty, venue_id=r.venue_id, side=r.side,
            reason=r.reason, fee=r.fee, market=r.market, time_ns=5,
        )  # fmt: skip
        assert effect["fault"] == 0, (r, effect)


@pytest.mark.parametrize("doubled", [False, True])
def test_all_720_orders_of_the_messages_of_a_life_end_in_the_same_state(doubled: bool) -> None:
    for words in permutations(LIFE):
        rig = Rig()
        for word in words:
            tell(rig, word)
            if doubled:
                tell(rig, word)
        assert rig.fates.faults == [], words
        fills = [r.qty for r in rig.fates.reports if r.kind == ReportKind.REP_FILL]
        assert sorted(fills) == [20, 30], words
        (order,) = engine_of(rig).orders().values()
        assert (order["state"], order["filled"]) == (OrderState.ORDER_CANCELED, 50), words
        assert rig.fates.orders[7].ended and rig.fates.txs == {}


@given(st.permutations(["fill 100", "filled 100", "open", "receipt"]), st.data())
def test_law_a_filled_order_ends_by_its_fills(words: list[str], data: st.DataObject) -> None:
    rig = Rig()
    for word in words:
        if word == "filled 100":
            rig.saw("filled", 100, us=4)
        else:
            tell(rig, word)
        if data.draw(st.booleans()):
            rig.wait(0.4)
    (order,) = engine_of(rig).orders().values()
    assert order["state"] == OrderState.ORDER_FILLED
    assert rig.fates.orders[7].ended and rig.fates.faults == []


@given(st.permutations(["fill 60", "fill 40", "filled 100"]))
def test_an_order_that_filled_before_its_change_is_told_that_there_is_no_change(
    words: list[str],
) -> None:
    rig, engine = Rig(), OrdersProbe(7, M, linger_ns=S)
    _, slot = engine.place(Side.BID, PX, QTY)
    assert engine.sent(slot)
    rig.saw()
    hear(engine, rig)
    assert engine.amend(slot, PX - 8, QTY + 30)
    rig.fates.amend(7, PX - 8, QTY + 30, "amend", 15_000, rig.now)
    for word in words:
        if word == "filled 100":
            rig.saw("filled", 100, us=4)
        else:
            tell(rig, word)
    hear(engine, rig)
    assert rig.fates.orders[7].ended and rig.fates.txs == {} and rig.fates.faults == []
    (order,) = engine.orders().values()
    assert order["state"] == OrderState.ORDER_FILLED


def test_a_taken_fill_has_the_takers_reason() -> None:
    rig = Rig()
    rig.fates.saw_trade(TradeView(1, M, 7, INDEX, 0, PX, 5, 3, False, 1), rig.now)
    assert rig.fates.reports[-1].reason == FillReason.FILL_TAKER


# the ids of trades


def test_ids_below_the_mark_were_seen() -> None:
    once = Once(mark=10)
    assert not once.is_new(10, 0) and once.is_new(11, 0) and not once.is_new(11, 0)
    assert once.is_new(11, 1), "a trade with oneself is two fills"


@given(st.lists(st.integers(1, 400), max_size=300))
def test_law_within_its_memory_each_id_is_new_once(ids: list[int]) -> None:
    once, seen = Once(keep=64), set()
    for id in ids:
        new = once.is_new(id, 0)
        assert not (new and id in seen)
        if not new:
            assert id in seen or id <= once.mark
        seen.add(id)
    assert len(once.seen) <= 64 and len(once.order) <= 64
