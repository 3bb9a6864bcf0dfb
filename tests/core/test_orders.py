"""The life of an order: every cell of the table, then what the table does not say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog._core.orders import (
    Change,
    EffectFlag,
    OrderCell,
    OrderEvent,
    OrderFault,
    OrdersProbe,
    PlanKind,
    cell,
)
from bog._core.types import CommandKind, OrderState, Reject, ReportKind, Tif

BUY, SELL = 0, 1
NEVER = 2**63 - 1

# Written out apart from the table in orders.h. Columns: what happens; rows: the state it meets.
# I ignored and counted; B as it stood before we asked; L late fill, applied once; X cannot be true
# (report) or not allowed (request).
STATES = [
    "FREE", "CREATED", "IN_FLIGHT", "RESTING", "PARTIAL", "CANCEL_SENT", "AMEND_SENT", "UNKNOWN",
    "FILLED", "CANCELED", "REJECTED", "EXPIRED",
]  # fmt: skip
EXPECTED = """
EVENT          FREE CREATED   IN_FLIGHT   RESTING     PARTIAL     CANCEL_SENT AMEND_SENT  UNKNOWN     FILLED CANCELED REJECTED EXPIRED
SEND           X    IN_FLIGHT X           X           X           X           X           X           X      X        X        X
ACK            X    X         RESTING     I           PARTIAL     CANCEL_SENT AMEND_SENT  RESTING     I      I        I        I
REJECT         X    REJECTED  REJECTED    X           X           REJECTED    X           REJECTED    X      I        I        I
PARTIAL_FILL   X    X         PARTIAL     PARTIAL     PARTIAL     CANCEL_SENT AMEND_SENT  UNKNOWN     L      L        L        L
FULL_FILL      X    X         FILLED      FILLED      FILLED      FILLED      FILLED      FILLED      L      L        L        L
CANCEL         X    X         CANCEL_SENT CANCEL_SENT CANCEL_SENT CANCEL_SENT CANCEL_SENT CANCEL_SENT X      X        X        X
CANCELED       X    X         CANCELED    CANCELED    CANCELED    CANCELED    CANCELED    CANCELED    I      I        I        I
CANCEL_REJECT  X    X         I           I           I           B           I           I           I      I        I        I
AMEND          X    X         X           AMEND_SENT  AMEND_SENT  X           X           X           X      X        X        X
AMENDED        X    X         X           I           I           CANCEL_SENT B           RESTING     I      I        I        I
AMEND_REJECT   X    X         I           I           I           CANCEL_SENT B           UNKNOWN     I      I        I        I
EXPIRED        X    X         EXPIRED     EXPIRED     EXPIRED     EXPIRED     EXPIRED     EXPIRED     I      I        I        I
LOST           X    UNKNOWN   UNKNOWN     UNKNOWN     UNKNOWN     UNKNOWN     UNKNOWN     UNKNOWN     I      I        I        I
"""  # noqa: E501
LETTERS = {
    "I": OrderCell.CELL_IGNORE,
    "B": OrderCell.CELL_BACK,
    "L": OrderCell.CELL_LATE,
    "X": OrderCell.CELL_FAULT,
}
CELLS = [
    (state, line.split()[0], want)
    for line in EXPECTED.strip().splitlines()[1:]
    for state, want in zip(STATES, line.split()[1:], strict=True)
]
REPORTS = {
    "ACK": ReportKind.REP_ACK,
    "REJECT": ReportKind.REP_REJECT,
    "CANCELED": ReportKind.REP_CANCELED,
    "CANCEL_REJECT": ReportKind.REP_CANCEL_REJECT,
    "AMENDED": ReportKind.REP_AMENDED,
    "AMEND_REJECT": ReportKind.REP_AMEND_REJECT,
    "EXPIRED": ReportKind.REP_EXPIRED,
    "LOST": ReportKind.REP_UNKNOWN,
}


def state_of(name: str) -> int:
    return int(getattr(OrderState, f"ORDER_{name}"))


class Desk:
    """A table with one buy of 10 at 1000, id 1 in slot 0, walked by event names."""

    def __init__(self, *events: str, place: bool = True, **kw: int):
        self.t = OrdersProbe(**kw)
        self.trade = 0
        self.now = 0
        if place:
            self.t.place(BUY, 1000, 10)
        for event in events:
            effect = self.do(event)
            assert effect is True or effect["fault"] == 0, (event, effect)

    def fill(
        self, qty: int, px: int = 1000, trade: int | None = None, side: int = BUY, oid: int = 1
    ):
        if trade is None:
            self.trade += 1
            trade = self.trade
        return self.t.report(
            ReportKind.REP_FILL, oid, px, qty, trade, side, fee=2, time_ns=self.now
        )

    def do(self, event: str):
        """Let an event happen; return True or False for a request, the effect for a report."""
        if event == "SEND":
            return self.t.sent(0)
        if event == "CANCEL":
            return self.t.cancel(0, self.now) is not None
        if event == "AMEND":
            return self.t.amend(0, 990, 10, self.now) is not None
        if event == "PARTIAL_FILL":
            return self.fill(3)
        if event == "FULL_FILL":
            return self.fill(10 - self.t.orders().get(0, {"filled": 0})["filled"] or 1)
        px, qty = (990, 10) if event == "AMENDED" else (0, 0)
        return self.t.report(REPORTS[event], 1, px, qty, time_ns=self.now)

    @property
    def order(self) -> dict[str, int]:
        return self.t.orders()[0]


def reach(state: str, event: str) -> Desk:
    """Return a desk whose order is in `state`, by the way on which `event` is news to it."""
    amending = event in ("AMENDED", "AMEND_REJECT")
    ways = {
        "FREE": None,
        "CREATED": [],
        "IN_FLIGHT": ["SEND"],
        "RESTING": ["SEND", "ACK"],
        "PARTIAL": ["SEND", "PARTIAL_FILL"],
        "CANCEL_SENT": ["SEND", "ACK", "AMEND", "CANCEL"] if amending else ["SEND", "CANCEL"],
        "AMEND_SENT": ["SEND", "PARTIAL_FILL", "AMEND"],
        "UNKNOWN": ["SEND", "ACK", "AMEND", "LOST"] if amending else ["SEND", "LOST"],
        "FILLED": ["SEND", "ACK", "FULL_FILL"],
        "CANCELED": ["SEND", "ACK", "CANCELED"],
        "REJECTED": ["SEND", "REJECT"],
        "EXPIRED": ["SEND", "ACK", "EXPIRED"],
    }
    way = ways[state]
    desk = Desk(place=False) if way is None else Desk(*way)
    if way is not None:
        assert desk.order["state"] == state_of(state)
    return desk


def test_the_test_writes_out_every_cell():
    assert len(CELLS) == len({(s, e) for s, e, _ in CELLS}) == 12 * OrderEvent.ORDER_EVENTS
    assert [state_of(s) for s in STATES] == list(range(12))


@pytest.mark.parametrize(("state", "event", "want"), CELLS)
def test_the_table_says_what_is_written_here(state, event, want):
    expected = int(LETTERS[want]) if want in LETTERS else state_of(want)
    assert cell(state_of(state), getattr(OrderEvent, f"EV_{event}")) == expected


@pytest.mark.parametrize(("state", "event", "want"), CELLS)
def test_an_order_does_what_its_cell_says(state, event, want):
    desk = reach(state, event)
    before = desk.t.orders()
    counts = desk.t.counts()
    px = before[0]["px"] if before else 1000
    if state in ("RESTING", "PARTIAL") and event == "AMENDED":
        effect = desk.t.report(ReportKind.REP_AMENDED, 1, px, 10)  # what stands already
    else:
        effect = desk.do(event)
    after = desk.t.orders()
    if want == "X":
        if event in ("SEND", "CANCEL", "AMEND"):
            assert effect is False
        else:
            assert effect["fault"] != OrderFault.FAULT_NONE
            assert desk.t.counts()["faults"] == counts["faults"] + 1
        assert after == before
    elif want == "I":
        assert effect["flags"] == EffectFlag.EFFECT_IGNORED
        assert desk.t.counts()["ignored"] == counts["ignored"] + 1
        assert after == before
    elif want == "L" and state == "FILLED":
        assert effect["fault"] == OrderFault.FAULT_OVERFILL  # nothing is left that could fit
        assert after == before
    elif want == "L":
        assert effect["flags"] == EffectFlag.EFFECT_LATE
        assert effect["fill_qty"] > 0
        assert after[0]["state"] == state_of(state)
        assert desk.t.counts()["late_fills"] == 1
    elif want == "B":
        back = "IN_FLIGHT" if event == "CANCEL_REJECT" else "PARTIAL"
        assert after[0]["state"] == state_of(back)
    else:
        assert effect is True or effect["fault"] == 0
        assert after[0]["state"] == state_of(want)
        if effect is not True and want in ("FILLED", "CANCELED", "REJECTED", "EXPIRED"):
            assert effect["flags"] == EffectFlag.EFFECT_DEAD
            assert desk.t.live() == []


def test_cell_refuses_what_is_not_in_the_table():
    with pytest.raises(ValueError, match=r"\(12, 0\) is not a cell"):
        cell(12, 0)
    with pytest.raises(ValueError, match=r"\(0, 13\) is not a cell"):
        cell(0, 13)


def test_a_fill_moves_the_order_and_is_handed_on_once():
    desk = Desk("SEND", "ACK")
    effect = desk.fill(4, trade=7)
    assert (effect["fill_qty"], effect["fill_px"], effect["fee"]) == (4, 1000, 2)
    again = desk.fill(4, trade=7)
    assert again["fill_qty"] == 0
    assert again["flags"] == EffectFlag.EFFECT_DUPLICATE
    assert desk.order["filled"] == 4
    assert desk.t.counts()["duplicates"] == 1


def test_a_repeated_fill_counts_once_also_after_later_ones_and_after_death():
    desk = Desk("SEND", "ACK")
    desk.fill(4, trade=7)
    desk.fill(2, trade=8)
    assert desk.fill(4, trade=7)["fill_qty"] == 0
    desk.do("CANCELED")
    assert desk.fill(2, trade=8)["fill_qty"] == 0
    assert desk.fill(2, trade=5)["fill_qty"] == 2  # older id, not seen before: late, and news


def test_one_trade_id_on_two_orders_counts_for_each():
    desk = Desk("SEND", "ACK")
    desk.t.place(BUY, 999, 10)
    desk.t.sent(1)
    assert desk.fill(1, trade=7)["fill_qty"] == 1
    assert desk.fill(1, px=999, trade=7, oid=2)["fill_qty"] == 1


@pytest.mark.parametrize(
    ("fill", "fault"),
    [
        ({"qty": 0}, OrderFault.FAULT_SIZE),
        ({"qty": -1}, OrderFault.FAULT_SIZE),
        ({"qty": 1, "px": 0}, OrderFault.FAULT_SIZE),
        ({"qty": 1, "side": SELL}, OrderFault.FAULT_SIDE),
        ({"qty": 1, "side": 2}, OrderFault.FAULT_SIDE),
        ({"qty": 1, "trade": 0}, OrderFault.FAULT_TRADE),
        ({"qty": 11}, OrderFault.FAULT_OVERFILL),
        ({"qty": 2**63 - 1}, OrderFault.FAULT_OVERFILL),
    ],
)
def test_a_fill_that_cannot_be_true_changes_nothing(fill, fault):
    desk = Desk("SEND", "ACK")
    before = desk.order
    effect = desk.fill(**fill)
    assert (effect["fault"], effect["fill_qty"]) == (fault, 0)
    assert desk.order == before


def test_an_overfill_by_one_is_a_fault_and_the_exact_rest_is_not():
    desk = Desk("SEND", "ACK", "PARTIAL_FILL")
    assert desk.fill(8)["fault"] == OrderFault.FAULT_OVERFILL
    assert desk.fill(7)["state"] == OrderState.ORDER_FILLED


@pytest.mark.parametrize("death", ["CANCELED", "EXPIRED"])
def test_a_late_fill_moves_the_position_once_and_must_fit_what_was_left(death):
    desk = Desk("SEND", "ACK", "PARTIAL_FILL", death)
    assert desk.fill(8)["fault"] == OrderFault.FAULT_OVERFILL
    effect = desk.fill(7, trade=50)
    assert (effect["fill_qty"], effect["flags"]) == (7, EffectFlag.EFFECT_LATE)
    assert desk.order["filled"] == 10
    assert desk.fill(7, trade=50)["fill_qty"] == 0


def test_fill_after_cancel_request_still_moves_the_position():
    desk = Desk("SEND", "ACK", "CANCEL")
    effect = desk.fill(4)
    assert (effect["fill_qty"], effect["state"]) == (4, OrderState.ORDER_CANCEL_SENT)
    assert desk.do("CANCEL_REJECT")["state"] == OrderState.ORDER_PARTIAL


def test_a_fill_of_an_order_we_never_sent_is_ours_and_a_fault():
    desk = Desk("SEND")
    effect = desk.fill(5, oid=99, side=SELL, trade=3)
    assert (effect["fault"], effect["fill_qty"], effect["side"]) == (
        OrderFault.FAULT_FOREIGN,
        5,
        SELL,
    )
    assert desk.fill(5, oid=99, side=SELL, trade=3)["fill_qty"] == 0


@pytest.mark.parametrize("kind", sorted(REPORTS.values()))
def test_word_about_an_order_we_never_sent_is_a_fault(kind):
    desk = Desk("SEND")
    assert desk.t.report(kind, 2)["fault"] == OrderFault.FAULT_FOREIGN
    assert desk.t.report(kind, 0)["fault"] == OrderFault.FAULT_FOREIGN


@pytest.mark.parametrize("kind", [0, ReportKind.REP_FUNDING, 11, 255])
def test_a_kind_that_is_no_word_about_an_order_is_a_fault(kind):
    assert Desk("SEND").t.report(kind, 1)["fault"] == OrderFault.FAULT_KIND


def test_another_market_is_a_fault():
    desk = Desk(market=3)
    assert desk.t.report(ReportKind.REP_ACK, 1, market=4)["fault"] == OrderFault.FAULT_MARKET
    desk.t.sent(0)
    assert desk.t.report(ReportKind.REP_ACK, 1, market=3)["fault"] == 0


@pytest.mark.parametrize("way", [["SEND", "ACK", "CANCEL"], ["SEND", "PARTIAL_FILL", "CANCEL"]])
def test_a_reject_of_an_order_that_stood_cannot_be_true(way):
    desk = Desk(*way)
    assert desk.do("REJECT")["fault"] == OrderFault.FAULT_STATE


def test_a_second_ack_says_nothing_new_and_proves_no_life():
    desk = Desk("SEND", "ACK", "LOST")
    assert desk.do("ACK")["flags"] == EffectFlag.EFFECT_IGNORED
    assert desk.order["state"] == OrderState.ORDER_UNKNOWN


def test_an_ack_after_the_fill_is_taken():
    desk = Desk("SEND", "PARTIAL_FILL")
    desk.t.report(ReportKind.REP_ACK, 1, venue_id=77, time_ns=5)
    assert (desk.order["venue_id"], desk.order["acked_ns"]) == (77, 5)
    assert desk.order["state"] == OrderState.ORDER_PARTIAL


def test_place_fills_the_command_and_numbers_orders_upward():
    t = OrdersProbe(next_id=41, market=9)
    command, slot = t.place(SELL, 1005, 7, now=3, expiry_ns=99)
    assert command == {
        "order_id": 41,
        "px": 1005,
        "qty": 7,
        "tick_ns": 3,
        "expiry_ns": 99,
        "side": SELL,
        "kind": CommandKind.CMD_PLACE,
        "tif": Tif.TIF_POST_ONLY,
        "market": 9,
    }
    assert t.place(SELL, 1005, 7)[0]["order_id"] == 42
    assert slot == 0


@pytest.mark.parametrize(("side", "px", "qty"), [(2, 1, 1), (0, 0, 1), (0, -1, 1), (1, 1, 0)])
def test_place_refuses_what_is_no_order(side, px, qty):
    t = OrdersProbe()
    assert t.place(side, px, qty) is None
    assert t.counts()["next_id"] == 1


def test_a_create_that_never_left_is_dead():
    desk = Desk()
    assert desk.t.drop(0, Reject.REJ_OTHER)
    assert desk.order["state"] == OrderState.ORDER_REJECTED
    assert not desk.t.drop(0)
    assert not Desk("SEND").t.drop(0)
    assert not desk.t.drop(32)


def test_an_amend_counts_at_the_worse_of_both_until_it_is_answered():
    desk = Desk("SEND", "ACK", "PARTIAL_FILL")
    assert desk.t.amend(0, 1003, 25, 5)["qty"] == 25
    assert desk.t.exposure()["rem"] == (22, 0)
    assert desk.t.exposure()["best"] == (1003, 0)
    desk.t.report(ReportKind.REP_AMENDED, 1, 1003, 25)
    assert (desk.order["px"], desk.order["qty"]) == (1003, 25)
    desk.t.amend(0, 990, 8, 6)
    assert desk.t.exposure()["rem"] == (22, 0)
    assert desk.t.exposure()["best"] == (1003, 0)
    desk.t.report(ReportKind.REP_AMENDED, 1, 990, 8)
    assert desk.t.exposure()["rem"] == (5, 0)
    assert desk.t.exposure()["best"] == (990, 0)


def test_the_lower_price_of_an_ask_in_amendment_is_the_one_to_meet():
    t = OrdersProbe()
    t.place(SELL, 1010, 5)
    t.sent(0)
    t.report(ReportKind.REP_ACK, 1)
    t.amend(0, 1005, 5)
    assert t.exposure()["best"] == (0, 1005)
    t.report(ReportKind.REP_AMEND_REJECT, 1)
    assert t.exposure()["best"] == (0, 1010)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1), st.integers(990, 1010), st.integers(1, 20), st.integers(0, 3),
            st.integers(985, 1015), st.integers(1, 30),
        ),
        max_size=6,
    ),
    st.integers(0, 1),
    st.booleans(),
)  # fmt: skip
def test_law_the_exposure_of_a_side_is_that_of_all_for_what_the_gate_asks(orders, side, amends):
    t = OrdersProbe()
    for slot, (of, px, qty, life, new_px, new_qty) in enumerate(orders):
        t.place(of, px, qty)
        t.sent(slot)
        if life:
            t.report(ReportKind.REP_ACK, slot + 1)
        if life == 2:
            t.amend(slot, new_px, new_qty)
        if life == 3:
            t.report(ReportKind.REP_CANCELED, slot + 1)
    mine = [i for i, o in t.orders().items() if o["side"] == side and i in t.live()]
    skip = mine[0] if mine and amends else -1
    whole, part = t.exposure(0, skip), t.exposure(0, skip, side)
    for name in ("live", "own_rem", "own_filled", "own_top"):
        assert part[name] == whole[name], name
    assert part["rem"][side] == whole["rem"][side]
    assert part["top"][side] == whole["top"][side]
    assert part["best"][1 - side] == whole["best"][1 - side]


def test_exposure_sets_the_amended_order_apart():
    desk = Desk("SEND", "ACK", "PARTIAL_FILL")
    desk.t.place(BUY, 1001, 5)
    desk.t.place(SELL, 1020, 6)
    x = desk.t.exposure(0, 0)
    assert (x["rem"], x["live"]) == ((5, 6), 3)
    assert (x["own_rem"], x["own_filled"], x["own_top"]) == (7, 3, 1000)
    assert x["best"] == (1001, 1020)


@pytest.mark.parametrize(("px", "qty"), [(0, 20), (1000, 3), (1000, 2), (1000, 10)])
def test_amend_refuses_what_is_filled_and_what_stands_already(px, qty):
    desk = Desk("SEND", "ACK", "PARTIAL_FILL")
    assert desk.t.amend(0, px, qty) is None
    assert desk.order["state"] == OrderState.ORDER_PARTIAL


def test_an_amend_down_to_what_was_filled_meanwhile_ends_the_order():
    desk = Desk("SEND", "ACK")
    desk.t.amend(0, 1000, 3)
    desk.fill(3)
    assert desk.order["state"] == OrderState.ORDER_AMEND_SENT
    assert desk.t.report(ReportKind.REP_AMENDED, 1, 1000, 3)["state"] == OrderState.ORDER_FILLED


def test_a_fill_of_the_old_size_waits_for_the_answer_of_a_larger_amend():
    desk = Desk("SEND", "ACK")
    desk.t.amend(0, 1000, 15)
    desk.fill(10)
    assert desk.order["state"] == OrderState.ORDER_AMEND_SENT
    assert desk.t.exposure()["rem"] == (5, 0)
    assert desk.do("AMEND_REJECT")["state"] == OrderState.ORDER_FILLED


def test_a_fill_beyond_the_old_size_proves_the_amend():
    desk = Desk("SEND", "ACK")
    desk.t.amend(0, 1001, 15)
    desk.fill(11)
    assert (desk.order["qty"], desk.order["px"]) == (15, 1001)
    assert desk.do("AMEND_REJECT")["fault"] == OrderFault.FAULT_AMEND


@pytest.mark.parametrize("way", [["AMEND"], [], ["CANCEL"], ["LOST"]])
def test_standing_at_a_price_never_asked_for_is_a_fault(way):
    desk = Desk("SEND", "ACK", *way)
    assert desk.t.report(ReportKind.REP_AMENDED, 1, 991, 10)["fault"] == OrderFault.FAULT_AMEND
    assert desk.order["px"] == 1000


def test_the_answer_to_an_earlier_amend_is_not_taken_for_this_one():
    desk = Desk("SEND", "ACK")
    desk.t.amend(0, 1001, 20, now=100)
    desk.t.report(ReportKind.REP_AMEND_REJECT, 1, time_ns=150, venue_ns=120)
    desk.t.amend(0, 1001, 20, now=200)
    effect = desk.t.report(ReportKind.REP_AMEND_REJECT, 1, time_ns=210, venue_ns=120)
    assert effect["flags"] == EffectFlag.EFFECT_IGNORED
    assert desk.t.exposure()["rem"] == (20, 0)
    effect = desk.t.report(ReportKind.REP_AMENDED, 1, 1001, 20, time_ns=220, venue_ns=120)
    assert effect["flags"] == EffectFlag.EFFECT_IGNORED
    effect = desk.t.report(ReportKind.REP_AMENDED, 1, 1001, 20, time_ns=260, venue_ns=240)
    assert effect["state"] == OrderState.ORDER_RESTING


def test_a_cancel_over_an_amend_returns_to_the_amend_when_refused():
    desk = Desk("SEND", "ACK", "AMEND", "CANCEL", "CANCEL_REJECT")
    assert desk.order["state"] == OrderState.ORDER_AMEND_SENT
    assert desk.do("AMENDED")["state"] == OrderState.ORDER_RESTING


def test_fills_may_trail_the_word_that_an_order_is_dead_for_as_long_as_we_were_told():
    desk = Desk("SEND", "ACK", "PARTIAL_FILL", linger_ns=100)
    desk.now = 1000
    desk.do("CANCELED")
    assert desk.t.exposure(1099)["rem"] == (7, 0)
    assert desk.t.exposure(1099)["live"] == 0
    assert desk.t.exposure(1099)["best"] == (0, 0)
    assert desk.t.exposure(1100)["rem"] == (0, 0)
    desk.now = 1050
    assert desk.fill(4)["flags"] == EffectFlag.EFFECT_LATE
    assert desk.t.exposure(1060)["rem"] == (3, 0)


def test_fills_may_trail_the_word_that_an_order_is_smaller():
    desk = Desk("SEND", "ACK", linger_ns=100)
    desk.t.amend(0, 1000, 4, 900)
    desk.now = 1000
    desk.t.report(ReportKind.REP_AMENDED, 1, 1000, 4, time_ns=1000)
    assert desk.t.exposure(1099)["rem"] == (10, 0)
    assert desk.t.exposure(1100)["rem"] == (4, 0)
    effect = desk.fill(6)
    assert (effect["fill_qty"], effect["state"]) == (6, OrderState.ORDER_FILLED)


def test_a_dead_order_keeps_its_slot_until_it_is_needed():
    t = OrdersProbe(keep_ns=100)
    for i in range(32):
        t.place(BUY, 1000, 1, now=i)
        t.sent(i)
    assert t.place(BUY, 1000, 1, now=40) is None
    t.report(ReportKind.REP_CANCELED, 5, time_ns=50)
    t.report(ReportKind.REP_CANCELED, 4, time_ns=60)
    assert t.place(BUY, 1000, 1, now=149) is None
    assert t.place(BUY, 1000, 1, now=150)[1] == 4  # dead for longest
    assert t.report(ReportKind.REP_CANCELED, 5)["flags"] == EffectFlag.EFFECT_IGNORED
    effect = t.report(ReportKind.REP_FILL, 5, 1000, 1, 9)
    assert (effect["fault"], effect["fill_qty"]) == (OrderFault.FAULT_FORGOTTEN, 1)
    assert t.place(BUY, 1000, 1, now=159) is None
    assert t.place(BUY, 1000, 1, now=160)[1] == 3
    t.report(ReportKind.REP_REJECT, 1, time_ns=160)
    assert t.place(BUY, 1000, 1, now=160)[1] == 0  # a rejected one has no fill to come
    assert t.counts()["next_id"] == 36


def test_the_smallest_step_is_planned():
    t = OrdersProbe(retry_ns=10)
    assert t.plan(BUY, 0, 0) == (PlanKind.PLAN_NONE, -1, 0, 0)
    assert t.plan(BUY, 1000, 5) == (PlanKind.PLAN_PLACE, -1, 1000, 5)
    t.place(BUY, 1000, 5)
    assert t.plan(BUY, 1001, 5)[0] == PlanKind.PLAN_WAIT  # created, not yet out
    assert t.plan(SELL, 1001, 5)[0] == PlanKind.PLAN_PLACE
    t.sent(0)
    assert t.plan(BUY, 1001, 5)[0] == PlanKind.PLAN_WAIT
    assert t.plan(BUY, 0, 0)[:2] == (PlanKind.PLAN_CANCEL, 0)  # pulling does not wait for the ack
    t.report(ReportKind.REP_ACK, 1)
    assert t.plan(BUY, 1001, 5, Change.CHANGE_KEEP)[0] == PlanKind.PLAN_NONE
    assert t.plan(BUY, 1000, 5, Change.CHANGE_AMEND)[0] == PlanKind.PLAN_NONE
    assert t.plan(BUY, 1001, 5, Change.CHANGE_AMEND) == (PlanKind.PLAN_AMEND, 0, 1001, 5)
    assert t.plan(BUY, 1000, 5, Change.CHANGE_REPLACE)[:2] == (PlanKind.PLAN_CANCEL, 0)
    assert t.plan(BUY, 1000, 5, 77)[:2] == (PlanKind.PLAN_CANCEL, 0)
    t.report(ReportKind.REP_FILL, 1, 1000, 2, 1)
    assert t.plan(BUY, 1001, 5) == (PlanKind.PLAN_AMEND, 0, 1001, 7)  # 5 more than filled
    assert t.plan(BUY, 1000, 3)[0] == PlanKind.PLAN_NONE
    t.amend(0, 1001, 7, 20)
    assert t.plan(BUY, 1002, 5, now=99)[0] == PlanKind.PLAN_WAIT
    assert t.plan(BUY, 0, 0, now=20)[:2] == (PlanKind.PLAN_CANCEL, 0)
    t.cancel(0, 30)
    assert t.plan(BUY, 0, 0, now=39)[0] == PlanKind.PLAN_WAIT
    assert t.plan(BUY, 0, 0, now=40)[:2] == (PlanKind.PLAN_CANCEL, 0)
    assert t.plan(BUY, 1001, 5, now=40)[:2] == (PlanKind.PLAN_CANCEL, 0)
    t.report(ReportKind.REP_CANCELED, 1)
    assert t.plan(BUY, 1001, 5, now=40)[0] == PlanKind.PLAN_PLACE


def test_an_unknown_order_is_never_doubled_and_is_pulled_after_the_timeout():
    t = OrdersProbe(retry_ns=10)
    t.place(BUY, 1000, 5)
    t.sent(0)
    t.report(ReportKind.REP_UNKNOWN, 1, time_ns=100)
    assert t.plan(BUY, 1000, 5, now=109)[0] == PlanKind.PLAN_WAIT
    assert t.plan(BUY, 1000, 5, now=110)[:2] == (PlanKind.PLAN_CANCEL, 0)
    assert t.exposure()["rem"] == (5, 0)


def test_surplus_orders_go_first_and_the_oldest_stays():
    t = OrdersProbe(retry_ns=1000)
    for _ in range(3):
        _, slot = t.place(BUY, 1000, 5)
        t.sent(slot)
        t.report(ReportKind.REP_ACK, slot + 1)
    pulled = set()
    for _ in range(2):
        kind, slot, _, _ = t.plan(BUY, 1001, 5)
        assert kind == PlanKind.PLAN_CANCEL
        t.cancel(slot)
        pulled.add(slot)
    assert pulled == {1, 2}
    assert t.plan(BUY, 1001, 5)[0] == PlanKind.PLAN_WAIT
    for slot in pulled:
        t.report(ReportKind.REP_CANCELED, slot + 1)
    assert t.plan(BUY, 1001, 5) == (PlanKind.PLAN_AMEND, 0, 1001, 5)


def test_the_last_128_fills_are_remembered():
    t = OrdersProbe()
    t.place(BUY, 1000, 1000)
    t.sent(0)
    for trade in range(1000, 872, -1):  # falling ids, so that none is new by its number
        assert t.report(ReportKind.REP_FILL, 1, 1000, 1, trade)["fill_qty"] == 1
    for trade in range(1000, 872, -1):
        assert t.report(ReportKind.REP_FILL, 1, 1000, 1, trade)["fill_qty"] == 0


EVENTS = st.lists(
    st.tuples(st.sampled_from([*REPORTS, "SEND", "CANCEL", "AMEND", "FILL"]), st.integers(1, 12)),
    max_size=25,
)


@given(EVENTS)
def test_law_death_is_final_and_fills_add_up(events):
    desk = Desk()
    filled = 0
    dead = None
    for event, qty in events:
        effect = desk.fill(qty) if event == "FILL" else desk.do(event)
        if event == "FILL":
            filled += effect["fill_qty"]
        order = desk.order
        assert order["filled"] == filled
        assert 0 <= filled <= max(order["qty"], order["amend_qty"])
        if dead is not None:
            assert order["state"] == dead
        elif order["state"] >= OrderState.ORDER_FILLED:
            dead = order["state"]
        assert desk.t.live() == ([] if dead else [0])
        rem = 0 if dead else max(order["qty"], order["amend_qty"]) - filled
        assert desk.t.exposure()["rem"] == (rem, 0)


def test_churn_fills_every_order_it_places():
    assert OrdersProbe().churn(500) == 500
