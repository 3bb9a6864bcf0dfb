"""What became of each order, from its intent to the proof of its end.

A receipt is no verdict: an order lives from the moment its bytes may have left until it is proven
dead, and until then nothing takes its place. Proof is a word of the venue about the order itself, or
that its transaction was refused, failed when it was run, or can never be run. Fills come from trades
by their ids, once each; what an order frame says of its filled size only tells which trades are
still under way, and an end is told when they add up.

Pure: time is passed in, reports are left in a list for the engine, faults for a person.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from bog._core.types import CommandKind, FillReason, Reject, ReportKind, Side
from bog.lighter.codes import Act, Meaning, end_of, meaning
from bog.lighter.once import Once
from bog.lighter.rows import OrderView, TradeView, TxView

KEEP = 4096  # orders remembered after their end
READS = 2  # answers in a row that have to agree that an order is nowhere
READS_TAKEN = 3  # the same for one whose transaction the venue had taken
MISSING_NS = 1_000_000_000  # a fill that an order frame counts may be so long under way
FAILED, PENDING = 0, 1  # status of a transaction that was taken: never run, not run yet
SETTLED_NS = 1_000_000_000  # a question that left so long after a word is answered in its light


class Report(NamedTuple):
    """A word for the engine: bog_report_t without its clocks."""

    market: int
    kind: int
    order_id: int
    side: int
    px: int = 0
    qty: int = 0
    fee: int = 0
    venue_id: int = 0
    reason: int = Reject.REJ_NONE
    venue_us: int = 0  # when it happened, by the venue's clock; 0: unknown


@dataclass(slots=True)
class Tx:
    """One transaction about orders, and what is known of it."""

    hash: str
    kind: int  # enum bog_command_kind
    order_id: int
    px: int
    qty: int
    expired_ms: int
    due_ns: int  # without a verdict by then, its fate is unknown
    taken: bool = False  # the venue gave a receipt, or its nonce is used
    gone: bool = False  # cannot be run any more, if it was not
    settled: bool = False
    overdue: bool = False
    absent: int = 0  # answers that knew no such transaction, after it could be run


@dataclass(slots=True)
class Order:
    """One order of ours."""

    id: int
    market: int
    side: int
    px: int
    qty: int  # total, as it stands
    create: Tx | None  # None: sent by a gateway before this one
    amend: Tx | None = None
    top_qty: int = 0  # largest total that it had or was asked to have
    asked: set[tuple[int, int]] = field(default_factory=set)  # prices and totals asked for
    filled: int = 0  # sum of its trades
    venue_filled: int = 0  # most that a frame said
    index: int = 0  # the venue's; 0 until its first word
    version_us: int = 0
    acked: bool = False
    acked_ns: int = 0  # when, by our clock
    unknown: bool = False  # the engine was told so
    status: str = ""  # the venue's last word of an end, "" before
    end_us: int = 0  # when that was, by the venue's clock; 0: unknown
    ended: bool = False  # the engine was told
    dead: bool = False  # ended by proof that it never was
    look: bool = False  # its own state at the venue has to be asked for
    look_ns: int = 0  # not before
    absent: int = 0  # answers in a row without it
    missing_ns: int = 0  # since when trades are missing
    swept: bool = True  # its trades before this gateway were asked for
    counted: bool = True  # `filled` is all that was told of it, also by gateways before this one
    gone_ms: int = 0  # of an adopted one: from then on no create of it can be run
    stray: bool = False  # rests, and the engine does not know it: to be canceled
    changed_ns: int = 0  # when the last word about its price, size or end was sent or heard
    doubts: int = 0  # answers in a row, asked for after that, by which it stands otherwise
    unfound: bool = False  # its last cancel found no such order, and nothing was seen of it since
    cancel_ns: int = 0  # the next cancel leaves not before


class Fates:
    """Every order of ours. `reports` and `faults` are taken by the caller."""

    def __init__(self, once: Once, verdict_ns: int) -> None:
        self.once = once
        self.verdict_ns = verdict_ns
        self.orders: dict[int, Order] = {}
        self.live: dict[int, Order] = {}  # those of them that are not proven dead
        self.txs: dict[str, Tx] = {}  # not settled
        self.foreign: dict[int, OrderView] = {}  # live orders that are not ours, by index
        self.reports: list[Report] = []
        self.faults: list[str] = []
        self.before: dict[int, range] = {}  # by market: ids of the runs before this one
        self.revenants: list[Order] = []  # proven dead, and seen alive: to be canceled
        self.returned: dict[int, Order] = {}  # ended, and once more in an answer: asked for again
        self.placed = range(0)  # ids from the first to the last that this gateway sent
        self.now = 0
        self.duplicates = 0
        self.foreign_fills = 0

    # what we do

    def place(
        self, id: int, market: int, side: int, px: int, qty: int, hash: str, expired_ms: int, now: int
    ) -> None:  # fmt: skip
        """An order's create is about to leave."""
        tx = Tx(hash, CommandKind.CMD_PLACE, id, px, qty, expired_ms, now + self.verdict_ns)
        self.txs[hash] = tx
        self.orders[id] = self.live[id] = Order(
            id, market, side, px, qty, tx, top_qty=qty, asked={(px, qty)}, changed_ns=now
        )
        self.placed = range(self.placed.start or id, max(self.placed.stop, id + 1))
        if len(self.orders) > 2 * KEEP:
            ended = [o.id for o in self.orders.values() if o.ended]
            for old in ended[: max(0, len(self.orders) - KEEP)]:
                del self.orders[old]

    def amend(self, id: int, px: int, qty: int, hash: str, expired_ms: int, now: int) -> None:
        """A change of an order is about to leave; `qty` is its new total."""
        order = self.orders[id]
        tx = Tx(hash, CommandKind.CMD_AMEND, id, px, qty, expired_ms, now + self.verdict_ns)
        self.txs[hash] = tx
        order.amend, order.changed_ns = tx, now
        order.top_qty = max(order.top_qty, qty)
        order.asked.add((px, qty))

    def cancel(self, id: int, hash: str, expired_ms: int, now: int) -> None:
        """A cancel of an order is about to leave."""
        kind = CommandKind.CMD_CANCEL
        self.txs[hash] = Tx(hash, kind, id, 0, 0, expired_ms, now + self.verdict_ns)

    def cancel_all(self, hash: str, expired_ms: int, now: int) -> None:
        """A cancel of all orders is about to leave."""
        kind = CommandKind.CMD_CANCEL_ALL
        self.txs[hash] = Tx(hash, kind, 0, 0, 0, expired_ms, now + self.verdict_ns)

    def adopt(
        self, id: int, market: int, side: int, px: int, now: int, gone_ms: int, filled: int = -1
    ) -> Order:  # fmt: skip
        """Take over an order that a gateway before this one may have sent: unknown until proven.

        `filled` is what the engine was told of its fills, -1 when that is not known.
        """
        order = self.orders[id] = self.live[id] = Order(
            id, market, side, px, 0, None, unknown=True, look=True, look_ns=now, swept=False,
            gone_ms=gone_ms, filled=max(filled, 0), counted=filled >= 0,
        )  # fmt: skip
        return order

    # what is learned of transactions

    def taken(self, hash: str) -> None:
        """The venue gave a receipt, or has used the nonce: no verdict, but it will be run."""
        tx = self.txs.get(hash)
        if tx is not None:
            tx.taken = True

    def refused(self, hash: str, said: Meaning) -> None:
        """A transaction was refused, by the API or when it was run: it had no effect."""
        tx = self.txs.get(hash)
        if tx is None or tx.settled:
            return
        order = self.orders.get(tx.order_id)
        if order is not None and said.act is Act.LOOK:
            order.look = True
            order.unfound = tx.kind == CommandKind.CMD_CANCEL
            if tx.kind == CommandKind.CMD_PLACE:
                # an order of this id stands there: which one, it has to say itself
                self._unknown(order, tx)
                tx.gone = True
                return
        self._fail(tx, said.reject)

    def ran(self, view: TxView) -> None:
        """The sequencer has run a transaction: that is its verdict, an order's own is its frame."""
        tx = self.txs.get(view.hash)
        if tx is None or tx.settled:
            return
        tx.taken = True
        if view.code:
            self.refused(view.hash, meaning(view.code))
            return
        if view.status == PENDING:
            return
        if view.status == FAILED:
            self._overdue(tx)  # asked for until it cannot be run any more
            return
        order = self.orders.get(tx.order_id)
        if tx.kind == CommandKind.CMD_AMEND and order is not None:
            self._amended(order, tx)
        elif tx.kind == CommandKind.CMD_CANCEL_ALL:
            self._settle_tx(tx)

    def dead(self, hash: str) -> None:
        """A transaction was never run and never will be."""
        tx = self.txs.get(hash)
        if tx is not None and not tx.settled:
            tx.gone = True
            self._fail(tx, Reject.REJ_OTHER)

    def overtaken(self, hash: str) -> None:
        """A transaction was run long ago or never will be: its order says which."""
        tx = self.txs.get(hash)
        if tx is not None and not tx.settled:
            tx.gone = True
            self._overdue(tx)

    def _fail(self, tx: Tx, reason: int) -> None:
        """A transaction had no effect: say so of what it was about."""
        self._settle_tx(tx)
        order = self.orders.get(tx.order_id)
        if order is None:
            return
        if tx.kind == CommandKind.CMD_PLACE:
            if order.acked or order.status:
                self._fault(f"order {order.id} stands at the venue, and its create had no effect")
            else:
                self._end(order, ReportKind.REP_REJECT, reason)
                order.dead = True
        elif order.ended:
            return
        elif tx.kind == CommandKind.CMD_CANCEL:
            self._say(order, ReportKind.REP_CANCEL_REJECT, reason=reason, px=order.px)
        elif tx.kind == CommandKind.CMD_AMEND and order.amend is tx:
            order.amend, order.changed_ns = None, self.now
            self._say(order, ReportKind.REP_AMEND_REJECT, reason=reason, px=tx.px)

    def _settle_tx(self, tx: Tx) -> None:
        tx.settled = True
        self.txs.pop(tx.hash, None)

    # what is learned of orders

    def saw_order(self, view: OrderView, now: int, asked_ns: int = 0) -> None:
        """The venue said how an order stands, on a stream or when it was asked, at `asked_ns`."""
        self.now = max(self.now, now)
        order = self.orders.get(view.client)
        end = end_of(view.status)
        if order is None and end is None and view.client in self.before.get(view.market, ()):
            order = self.adopt(view.client, view.market, view.side, view.px, now, 0)
            order.stray = True
        elif order is None and end is None and view.client in self.placed:
            self._fault(f"order {view.client} ended long ago and stands at the venue again")
            order = self.adopt(view.client, view.market, view.side, view.px, now, 0, view.filled)
            order.stray = True
        if order is None:
            if end is None:
                self.foreign[view.order_index] = view
            else:
                self.foreign.pop(view.order_index, None)
            return
        if (view.market, view.side) != (order.market, order.side):
            self._fault(f"order {order.id} is said to be of market {view.market}, side {view.side}")
            return
        order.look, order.absent = False, 0
        if asked_ns:
            order = self._doubt(order, view, end, now, asked_ns)
        order.venue_filled = max(order.venue_filled, view.filled)
        order.version_us = max(order.version_us, view.version_us)
        if order.create is None and order.qty == 0:
            order.qty = order.top_qty = view.qty
            order.px = view.px
        if end is None:
            if order.dead:
                if order not in self.revenants:
                    self._fault(f"order {order.id} was proven dead and stands at the venue")
                    self.revenants.append(order)
                return
            if order.status:
                return  # an older word: an end is for good
            order.unfound, order.cancel_ns = False, 0
            self._ack(order, view.order_index, view.version_us, now)
            self._stands(order, view)
        else:
            order.index = order.index or view.order_index
            if not order.status:
                order.status, order.end_us = view.status, view.version_us
            if order.dead and view.filled:
                self._fault(f"order {order.id} was proven dead and has filled {view.filled}")
            self._stands(order, view)
        self._try_to_end(order, now)

    def _doubt(
        self, order: Order, view: OrderView, end: int | None, now: int, asked_ns: int
    ) -> Order:  # fmt: skip
        """See in an answer whether an order stands as we know it: what ended is gone, what was changed
        stays changed. A venue that went back says otherwise again and again: that is a fault, and the
        order is canceled whatever else becomes of it. Return the order as it is from now on.
        """
        ended = order.ended and not order.dead
        changed = order.create is not None and (view.px, view.qty) != (order.px, order.qty)
        if end is not None or order.dead or not (ended or (order.acked and changed)):
            order.doubts = 0
            self.returned.pop(order.id, None)
            return order
        if order.amend is not None or asked_ns - order.changed_ns < SETTLED_NS:
            return order  # the answer may be the older word
        order.doubts += 1
        if ended:
            self.returned[order.id] = order
        if order.doubts < READS:
            order.look, order.look_ns = True, now
            return order
        self.returned.pop(order.id, None)
        was = (order.status or "gone") if ended else f"{order.px} x {order.qty}"
        self._fault(
            f"order {order.id} was {was}, and stands at the venue again: {view.px} x {view.qty},"
            f" {view.filled} of it filled"
        )
        # what was told and is true no more is not counted
        return self.revive(order, min(order.filled, view.filled), now)

    def revive(self, order: Order, filled: int, now: int) -> Order:
        """Return an order that ended and lives, `filled` of it told: to be canceled until it is dead."""
        order = self.adopt(order.id, order.market, order.side, order.px, now, 0, filled)
        order.stray = order.acked = True
        return order

    def saw_trade(self, view: TradeView, now: int) -> None:
        """A fill of ours: counted once, whatever else is known of its order."""
        if not self.once.is_new(view.id, view.side):
            self.duplicates += 1
            return
        order = self.orders.get(view.client) if view.client else None
        if order is None or (order.market, order.side) != (view.market, view.side):
            self.foreign_fills += 1
            self._fault(f"trade {view.id} is of order {view.client}, which this gateway never sent")
            self.reports.append(Report(
                view.market, ReportKind.REP_FILL, view.client, view.side, view.px, view.qty,
                view.fee, view.id, self._filled_by(view), view.time_us,
            ))  # fmt: skip
            return
        if order.dead:
            self._fault(f"order {order.id} was proven dead and has filled {view.qty}")
        late_us = view.time_us - order.end_us
        if order.end_us and late_us > SETTLED_NS // 1000:
            self._fault(
                f"order {order.id} was {order.status}, and trade {view.id} filled {view.qty} of it"
                f" {late_us / 1e6:.3f} s later"
            )
        self._ack(order, view.order_index, view.time_us, now)
        order.filled += view.qty
        if order.create is not None and order.filled > order.top_qty:
            self._fault(f"order {order.id} of {order.top_qty} lots has filled {order.filled}")
        if order.create is not None:  # of one taken over, it is not known what was asked for
            # it may have been filled at any price that was asked for before, and be told late
            prices = [px for px, _ in order.asked]
            limit = max(prices) if view.side == Side.BID else min(prices)
            past = view.px > limit if view.side == Side.BID else view.px < limit
            if past:
                self._fault(f"trade {view.id} of order {order.id} is at {view.px}, past {limit}")
        self.reports.append(Report(
            order.market, ReportKind.REP_FILL, order.id, order.side, view.px, view.qty,
            view.fee, view.id, self._filled_by(view), view.time_us,
        ))  # fmt: skip
        self._try_to_end(order, now)

    def nowhere(self, id: int, asked_ms: int, skew_ms: int) -> None:
        """An order is in no list of the venue, and its transaction is not known there.

        `asked_ms` is when that was asked, by the venue's clock. It is dead when its transaction
        could not be run after that, and enough answers agree.
        """
        order = self.orders.get(id)
        if order is None or order.ended:
            return
        tx = order.create
        order.absent += 1
        if tx is not None:
            tx.gone = tx.gone or asked_ms > tx.expired_ms + skew_ms
            gone, enough = tx.gone, READS_TAKEN if tx.taken else READS
        else:
            gone, enough = asked_ms > order.gone_ms, READS_TAKEN
        if order.acked:
            gone, enough = True, READS_TAKEN  # its create was run
        if not gone or order.absent < enough:
            return
        if order.acked:
            self._fault(f"order {order.id} stood at the venue and is gone without a word")
            self._end(order, ReportKind.REP_CANCELED, Reject.REJ_OTHER)
        elif tx is not None:
            self._settle_tx(tx)
            self._end(order, ReportKind.REP_REJECT, Reject.REJ_OTHER)
            order.dead = True
        else:
            self._end(order, ReportKind.REP_CANCELED, Reject.REJ_OTHER)
            order.dead = True

    def unknown_tx(self, hash: str, asked_ms: int, skew_ms: int) -> None:
        """The venue knows no transaction of this hash; asked for at `asked_ms` of its clock."""
        tx = self.txs.get(hash)
        if tx is None:
            return
        tx.gone = tx.gone or asked_ms > tx.expired_ms + skew_ms
        if not tx.gone or tx.kind == CommandKind.CMD_PLACE:
            return  # a create is settled by its order's absence
        tx.absent += 1
        if tx.absent >= (READS_TAKEN if tx.taken else 1):
            self.dead(hash)

    def swept(self, since_ns: int, now: int) -> None:
        """Every trade up to `since_ns` has been asked for and told."""
        for order in list(self.live.values()):
            if not order.swept and order.index:
                order.swept = True
                if not order.counted:  # what it filled before this gateway is not in its own sum
                    order.filled = max(order.filled, order.venue_filled)
            elif order.missing_ns and order.missing_ns < since_ns - MISSING_NS:
                self._fault(
                    f"order {order.id} has filled {order.venue_filled}, its trades {order.filled}"
                )
                order.missing_ns = now
            self._try_to_end(order, now)

    # what is asked for

    def overdue(self, now: int) -> None:
        """Look at the clock: what has no verdict in time is unknown, and has to be asked for."""
        self.now = now
        for tx in list(self.txs.values()):
            if now >= tx.due_ns and not tx.overdue:
                self._overdue(tx)

    def asks(self, now: int) -> list[Order]:
        """Return the orders whose own state has to be asked for."""
        known = [*self.live.values(), *self.returned.values()]
        return [o for o in known if o.look and now >= o.look_ns]

    def asks_txs(self) -> list[Tx]:
        """Return the changes of orders whose fate has to be asked for by their hash."""
        return [t for t in self.txs.values() if t.overdue and t.kind != CommandKind.CMD_PLACE]

    def wants_trades(self, now: int) -> bool:
        """Return whether fills are missing that a frame counted, for longer than they may."""
        return any(
            (o.missing_ns and now - o.missing_ns >= MISSING_NS) or (not o.swept and o.status)
            for o in self.live.values()
        )  # fmt: skip

    def _overdue(self, tx: Tx) -> None:
        tx.overdue = True
        order = self.orders.get(tx.order_id)
        if order is None or order.ended:
            self._settle_tx(tx)
            return
        order.look = True
        if tx.kind == CommandKind.CMD_PLACE and (order.acked or order.status):
            order.look = False
            self._settle_tx(tx)
        elif tx.kind != CommandKind.CMD_CANCEL:
            self._unknown(order, tx)

    def _unknown(self, order: Order, tx: Tx) -> None:
        if not order.unknown and not order.ended:
            order.unknown = True
            self._say(order, ReportKind.REP_UNKNOWN, px=tx.px)

    # what follows

    def _ack(self, order: Order, index: int, venue_us: int, now: int) -> None:
        """The venue has, or had, the order: its create was run."""
        if order.create is not None and not order.create.settled:
            order.create.taken = True
            self._settle_tx(order.create)
        order.index = index or order.index
        if order.acked or order.ended:
            return
        order.acked, order.acked_ns = True, now
        order.unknown = False
        self._say(order, ReportKind.REP_ACK, px=order.px, venue_id=index, venue_us=venue_us)

    def _stands(self, order: Order, view: OrderView) -> None:
        """Settle an amend that the order's own price and size show."""
        tx = order.amend
        if tx is not None and (view.px, view.qty) == (tx.px, tx.qty):
            self._amended(order, tx)
        elif order.create is not None and (view.px, view.qty) not in order.asked:
            self._fault(f"order {order.id} stands at {view.px} x {view.qty}, never asked for")

    def _amended(self, order: Order, tx: Tx) -> None:
        self._settle_tx(tx)
        if order.amend is not tx:
            return
        order.amend, order.changed_ns = None, self.now
        order.px, order.qty = tx.px, tx.qty
        order.unknown = False
        if not order.ended:
            self._say(order, ReportKind.REP_AMENDED, px=tx.px, qty=tx.qty)

    def _try_to_end(self, order: Order, now: int) -> None:
        """Tell the end of an order that has one, once its trades add up."""
        if order.filled < order.venue_filled:
            order.missing_ns = order.missing_ns or now
        else:
            order.missing_ns = 0
        if not order.status or order.ended or order.missing_ns or not order.swept:
            return
        reason = end_of(order.status) or 0
        if order.status == "canceled-expired":
            self._end(order, ReportKind.REP_EXPIRED, reason)
        elif order.status == "filled" and order.filled >= order.qty:
            # its last fill said it, but for an engine that waits for the answer to a change
            if order.amend is not None:
                self._fail(order.amend, Reject.REJ_NOT_FOUND)
            self._close(order)
        elif not order.acked and not order.filled and reason:
            self._end(order, ReportKind.REP_REJECT, reason)
        else:
            self._end(order, ReportKind.REP_CANCELED, reason)

    def _end(self, order: Order, kind: int, reason: int) -> None:
        self._say(order, kind, px=order.px, reason=reason, venue_id=order.index)
        self._close(order)

    def _close(self, order: Order) -> None:
        order.ended, order.look, order.changed_ns = True, False, self.now
        self.live.pop(order.id, None)
        for tx in [t for t in self.txs.values() if t.order_id == order.id]:
            self._settle_tx(tx)

    def _say(
        self, order: Order, kind: int, *, px: int = 0, qty: int = 0, venue_id: int = 0,
        reason: int = Reject.REJ_NONE, venue_us: int = 0,
    ) -> None:  # fmt: skip
        self.reports.append(Report(
            order.market, int(kind), order.id, order.side, px, qty, 0, venue_id, int(reason),
            venue_us,
        ))  # fmt: skip

    def _filled_by(self, view: TradeView) -> int:
        return int(FillReason.FILL_MATCH if view.is_maker else FillReason.FILL_TAKER)

    def _fault(self, text: str) -> None:
        self.faults.append(text)
