"""A Python handle on one table of orders, for tests, benchmarks and notebooks."""

cimport cython
from libc.stdlib cimport free
from libc.string cimport memset

from bog._core.exposure cimport Exposure
from bog._core.memory cimport lines
from bog._core.orders cimport (
    CHANGE_AMEND, ORDERS_CAP, ORDER_EVENTS, Orders, OrderEffect, Plan, order_next, orders_amend,
    orders_cancel, orders_drop, orders_exposure, orders_exposure_side, orders_init,
    orders_on_report, orders_place, orders_plan, orders_sent,
)
from bog._core.types cimport (
    BID, NEVER, ORDER_FREE, REP_ACK, REP_FILL, Command, Order, Report, ns_t,
)


cdef dict command_dict(const Command *c):
    return {
        "order_id": c.order_id, "px": c.px, "qty": c.qty, "tick_ns": c.tick_ns,
        "expiry_ns": c.expiry_ns, "kind": c.kind, "side": c.side, "tif": c.tif,
        "market": c.market,
    }


cdef dict order_dict(const Order *o):
    return {
        "id": o.id, "venue_id": o.venue_id, "px": o.px, "qty": o.qty, "filled": o.filled,
        "sent_ns": o.sent_ns, "acked_ns": o.acked_ns, "side": o.side, "state": o.state,
        "before": o.before, "reason": o.reason, "market": o.market, "amend_px": o.amend_px,
        "amend_qty": o.amend_qty, "expiry_ns": o.expiry_ns, "touched_ns": o.touched_ns,
        "last_trade": o.last_trade, "amend_ns": o.amend_ns, "late_qty": o.late_qty,
        "late_ns": o.late_ns,
    }


def cell(int state, int event):
    """Return a cell of the table state x event: a state, or a member of OrderCell."""
    if not 0 <= state < 12 or not 0 <= event < ORDER_EVENTS:
        raise ValueError(f"({state}, {event}) is not a cell of the 12 x {ORDER_EVENTS} table")
    return order_next[state][event]


@cython.final
cdef class OrdersProbe:
    """One table of orders. Prices in ticks, sizes in lots, times in ns; side 0 buys, 1 sells."""

    cdef Orders *t

    def __cinit__(
        self, unsigned long long next_id=1, unsigned int market=0, ns_t keep_ns=0,
        ns_t retry_ns=1_000_000_000, ns_t linger_ns=0,
    ):
        self.t = <Orders *> lines(sizeof(Orders))
        if self.t == NULL:
            raise MemoryError("no memory for a table of orders")
        orders_init(self.t, next_id, market, keep_ns, retry_ns, linger_ns)

    def __dealloc__(self):
        free(self.t)

    def place(self, int side, long long px, long long qty, ns_t now=0, ns_t expiry_ns=NEVER):
        """Create an order; return its command and slot, or None when the table cannot take it."""
        cdef Command c
        cdef long long slot = orders_place(self.t, side, px, qty, expiry_ns, now, &c)
        return None if slot < 0 else (command_dict(&c), slot)

    def sent(self, long long slot):
        """Say that the create left; return whether that was allowed."""
        return orders_sent(self.t, slot) == 0

    def drop(self, long long slot, int reason=15, ns_t now=0):
        """Say that the create never left; return whether that was allowed."""
        return orders_drop(self.t, slot, reason, now) == 0

    def amend(self, long long slot, long long px, long long qty, ns_t now=0):
        """Ask for another price and total size; return the command or None."""
        cdef Command c
        return None if orders_amend(self.t, slot, px, qty, now, &c) else command_dict(&c)

    def cancel(self, long long slot, ns_t now=0):
        """Ask for a cancel; return the command or None."""
        cdef Command c
        return None if orders_cancel(self.t, slot, now, &c) else command_dict(&c)

    def plan(
        self, int side, long long px, long long qty, int change=CHANGE_AMEND, ns_t now=0,
    ):
        """Return (kind, slot, px, qty): the smallest step to `qty` lots open at `px`."""
        cdef Plan p
        orders_plan(self.t, side, px, qty, change, now, &p)
        return p.kind, p.slot, p.px, p.qty

    def report(
        self, int kind, unsigned long long order_id, long long px=0, long long qty=0,
        unsigned long long venue_id=0, int side=0, int reason=0, long long fee=0, ns_t time_ns=0,
        ns_t venue_ns=0, unsigned int market=0,
    ):
        """Take the venue's word; return what it did, `fault` not 0 when it cannot be true."""
        cdef Report r
        cdef OrderEffect e
        memset(&r, 0, sizeof(Report))
        r.kind = <unsigned char>kind
        r.order_id = order_id
        r.px = px
        r.qty = qty
        r.venue_id = venue_id
        r.side = <unsigned char>side
        r.reason = <unsigned char>reason
        r.fee = fee
        r.time_ns = time_ns
        r.venue_ns = venue_ns
        r.market = market
        orders_on_report(self.t, &r, &e)
        return {
            "id": e.id, "slot": e.slot, "fill_px": e.fill_px, "fill_qty": e.fill_qty, "fee": e.fee,
            "side": e.side, "was": e.was, "state": e.state, "fault": e.fault, "flags": e.flags,
        }

    def exposure(self, ns_t now=0, long long skip=-1, int side=-1):
        """Return what our orders can still do, slot `skip` apart; with a side, what the gate asks of it."""
        cdef Exposure x
        if side < 0:
            orders_exposure(self.t, now, skip, &x)
        else:
            orders_exposure_side(self.t, now, side, skip, &x)
        return {
            "rem": (x.rem[0], x.rem[1]), "live": x.live, "best": (x.best[0], x.best[1]),
            "top": (x.top[0], x.top[1]), "own_rem": x.own_rem, "own_filled": x.own_filled,
            "own_top": x.own_top,
        }

    def orders(self):
        """Return every slot in use as a dict, by slot."""
        return {
            i: order_dict(&self.t.slot[i])
            for i in range(ORDERS_CAP) if self.t.slot[i].state != ORDER_FREE
        }

    def live(self):
        """Return the slots that the table believes are not proven dead."""
        return [i for i in range(ORDERS_CAP) if self.t.live >> i & 1]

    def counts(self):
        """Return the counters of reports that were not plain."""
        return {
            "ignored": self.t.ignored, "duplicates": self.t.duplicates,
            "late_fills": self.t.late_fills, "faults": self.t.faults, "next_id": self.t.next_id,
        }

    def churn(self, long long rounds):
        """Place, ack and fill `rounds` orders, each planned first; return how many filled."""
        cdef Command c
        cdef Report r
        cdef OrderEffect e
        cdef Plan p
        cdef long long i, slot, filled = 0
        with nogil:
            memset(&r, 0, sizeof(Report))
            r.market = self.t.market
            for i in range(rounds):
                orders_plan(self.t, BID, 1000, 10, CHANGE_AMEND, i, &p)
                slot = orders_place(self.t, BID, p.px, p.qty, NEVER, i, &c)
                if slot < 0:
                    break
                orders_sent(self.t, slot)
                r.order_id = c.order_id
                r.time_ns = i
                r.kind = REP_ACK
                orders_on_report(self.t, &r, &e)
                r.kind = REP_FILL
                r.venue_id = c.order_id
                r.px = 1000
                r.qty = 10
                orders_on_report(self.t, &r, &e)
                filled += e.fill_qty == 10
        return filled
