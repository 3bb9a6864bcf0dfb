"""Boxes: amends of which the gate is known to allow every one, because it allows the corners.

A box is a range of prices and a range of mids for one side and one size. Whatever risk_weigh asks of an
amend is a bound on a sum of price and mid, on one of them, or on a product that grows with them: so an
amend between corners that pass passes. What a box cannot know (the touch, our order on the other side,
tokens) engine_boxed asks each time. A "no" here says nothing: then the gate is asked in full.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset

from bog._core.apart cimport apart_void
from bog._core.engine_state cimport Box, Engine, engine_mark2
from bog._core.exposure cimport Exposure
from bog._core.fixed cimport add_near
from bog._core.orders cimport count_bits, orders_best
from bog._core.position cimport position_equity2
from bog._core.risk cimport Moment, Risk, risk_bucket, risk_paid, risk_weigh
from bog._core.types cimport ALLOW, BID, Order, Record, px_t, qty_t


cdef inline int engine_boxed(
    Engine *e, int side, const Order *order, px_t px, qty_t qty
) noexcept nogil:
    """Return 1 when the gate surely allows to amend the one order of `side`, which the venue took, to
    `qty` lots open at `px`, at a moment at which something may stand. 0: ask it.
    """
    cdef const Box *box = &e.calm.box[side]
    cdef px_t other
    if (
        qty != box.qty or order.qty != qty or order.filled != 0 or order.late_qty > qty
        or <uint64_t>(px - box.low) > box.span or <uint64_t>(order.px - box.low) > box.span
        or <uint64_t>(e.book.bid + e.book.ask - box.low2) > box.span2
        or (px >= e.book.ask if side == BID else px <= e.book.bid)
        or e.orders.late or count_bits(e.orders.live) > box.live or e.room < box.room
    ):
        return 0
    if e.limits.max_leverage_ppm != 0 and (
        position_equity2(&e.position, engine_mark2(e)) < box.equity2
    ):
        return 0
    other = orders_best(&e.orders, 1 - side)
    if px >= other > 0 if side == BID else px <= other:
        return 0
    return risk_paid(&e.risk, &e.limits, e.now_ns, count_bits(e.orders.live))


cdef inline apart_void engine_draw(
    Engine *e, int side, const Order *order, px_t px, qty_t qty, const Moment *now
) noexcept nogil:
    """Draw the box of `side` around an amend that the gate has just allowed, if it holds at its corners.

    A thousandth of the mid each way. Only for an order of which nothing is filled, alone on its side,
    that keeps its size: the usual one.
    """
    cdef Box *box = &e.calm.box[side]
    cdef px_t mid2 = e.book.bid + e.book.ask, reach = mid2 >> 10
    cdef px_t low = px - reach, high = px + reach, corner2
    cdef Exposure open
    cdef Moment m
    cdef Record book
    cdef Risk risk
    cdef int i
    box.qty = 0
    if order.filled != 0 or order.qty != qty or e.limits.px_step != 1 or low <= 0:
        return
    memcpy(&m, now, sizeof(Moment))
    memcpy(&risk, &e.risk, sizeof(Risk))
    risk.tokens = risk_bucket(&e.limits)
    memset(&book, 0, sizeof(Record))
    memset(&open, 0, sizeof(Exposure))
    open.live = count_bits(e.orders.live)
    open.own_rem = qty
    open.own_top = high
    # the account may lose some of it before the box is void
    m.equity2 = add_near(m.equity2, -(e.limits.balance // 64))
    for i in range(4):
        # a book of that mid which no price of the box would cross
        corner2 = mid2 - reach if i & 1 else mid2 + reach
        book.bid = corner2 - high - 1 if side == BID else low - 1
        book.ask = corner2 - book.bid
        if risk_weigh(
            &e.limits, &risk, &book, &m, &open, side, low if i & 2 else high, qty, 1
        ) != ALLOW:
            return
    box.low = low
    box.span = <uint64_t>(high - low)
    box.low2 = mid2 - reach
    box.span2 = 2 * <uint64_t>reach
    box.room = m.room
    box.equity2 = m.equity2
    box.live = open.live
    box.qty = qty
