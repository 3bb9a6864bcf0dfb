"""The gateway with a bug planted: bog-live starts it as live.gateway, PLANTED_BUG names the bug.

Each is a mistake that a gateway could really make; a rehearsal has to turn red on every one.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

from bog._core.types import CommandKind, Reject, ReportKind
from bog.lighter import gateway
from bog.lighter.desk import Desk
from bog.lighter.fate import Fates, Report

PLANTS: dict[str, Callable[[], None]] = {}
FAULTY: dict[str, Callable[[], None]] = {}  # that only faults of the venue show


def plant(set_up: Callable[[], None]) -> Callable[[], None]:
    PLANTS[set_up.__name__] = set_up
    return set_up


def on_fills(change: Callable[[Report], list[Report]]) -> None:
    """Tell other fills than happened."""
    real = Fates.saw_trade

    def saw_trade(self: Fates, view: Any, now: int) -> None:
        before = len(self.reports)
        real(self, view, now)
        new, self.reports[before:] = self.reports[before:], []
        for report in new:
            self.reports += change(report) if report.kind == ReportKind.REP_FILL else [report]

    Fates.saw_trade = saw_trade  # type: ignore[method-assign]


@plant
def dropped_fill() -> None:
    on_fills(lambda report: [])


@plant
def fill_told_twice() -> None:
    on_fills(lambda report: [report, report._replace(venue_id=report.venue_id + 1)])


@plant
def wrong_fee_sign() -> None:
    on_fills(lambda report: [report._replace(fee=-report.fee)])


@plant
def fee_of_a_taker() -> None:
    on_fills(lambda report: [report._replace(fee=7 * report.fee)])


@plant
def price_off_by_a_tick() -> None:
    on_fills(lambda report: [report._replace(px=report.px + 1)])


@plant
def size_short_by_a_lot() -> None:
    on_fills(lambda report: [report._replace(qty=report.qty - 1)])


@plant
def trade_of_another_id() -> None:
    on_fills(lambda report: [report._replace(venue_id=report.venue_id + 1000)])


@plant
def reused_id() -> None:
    """Every create is signed with the id of the first one."""
    first: list[int] = []
    real = Desk._place

    class Signer:
        def __init__(self, signer: Any) -> None:
            self.signer = signer

        def __getattr__(self, name: str) -> Any:
            return getattr(self.signer, name)

        def create_order(self, nonce: int, expired: int, market: int, id: int, *more: Any) -> Any:
            first.append(id)
            return self.signer.create_order(nonce, expired, market, first[0], *more)

    def place(self: Desk, command: Any) -> None:
        if not isinstance(self.trade.signer, Signer):
            self.trade.signer = Signer(self.trade.signer)
        real(self, command)

    Desk._place = place  # type: ignore[method-assign]


@plant
def cancel_told_and_not_sent() -> None:
    def cancel(self: Desk, command: Any) -> None:
        order = self.fates.orders.get(command.order_id)
        if order is not None and not order.ended:
            self.fates._end(order, int(ReportKind.REP_CANCELED), 0)

    Desk._cancel = cancel  # type: ignore[method-assign]
    Desk.cancel_account = lambda self: True  # type: ignore[method-assign]


@plant
def created_twice() -> None:
    """A create that seemed lost is sent again under another id."""
    real = Desk._place

    def place(self: Desk, command: Any) -> None:
        real(self, command)
        twin = command.order_id + (1 << 40)
        real(self, command._replace(order_id=twin))
        self.fates.reports[:] = [r for r in self.fates.reports if r.order_id != twin]

    Desk._place = place  # type: ignore[method-assign]
    Desk.cancel_account = lambda self: True  # type: ignore[method-assign]


def lost_answer_is_a_refusal() -> None:
    """A create that was not answered in time counts as dead, whatever the venue says of it later."""
    real, real_saw = Fates._overdue, Fates.saw_order

    def overdue(self: Fates, tx: Any) -> None:
        order = self.orders.get(tx.order_id)
        if tx.kind == CommandKind.CMD_PLACE and order is not None and not order.acked:
            self._fail(tx, int(Reject.REJ_OTHER))
        else:
            real(self, tx)

    def saw_order(self: Fates, view: Any, now: int, asked_ns: int = 0) -> None:
        order = self.orders.get(view.client)
        if order is None or not order.dead:
            real_saw(self, view, now, asked_ns)

    Fates._overdue, Fates.saw_order = overdue, saw_order  # type: ignore[method-assign]


FAULTY["lost_answer_is_a_refusal"] = lost_answer_is_a_refusal


if __name__ == "__main__":
    (PLANTS | FAULTY)[os.environ["PLANTED_BUG"]]()
    sys.exit(gateway.main())
