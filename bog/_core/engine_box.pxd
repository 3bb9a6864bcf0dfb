"""Boxes: amends of which the gate is known to allow every one, because it allows the corners.

A box is a range of prices and a range of mids for one side and one size. Whatever risk_weigh asks of an
amend is a bound on a sum of price and mid, on one of them, or on a product that grows with them: so an
amend between corners that pass passes. What a box cannot know (the touch, our order on the other side,
tokens) engine_boxed asks each time. A "no" here says nothing: then the gate is asked in full.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset

from bog._core.apart cimport apart_int
from bog._core.engine_state cimport Box, Engine, engine_mark2
from bog._core.exposure cimport Exposure
from bog._core.fixed cimport add_near
from bog._core.orders cimport count_bits
from bog._core.position cimport position_equity2
from bog._core.risk cimport Moment, Risk, risk_bucket, risk_refill, risk_weigh
from bog._core.types cimport ALLOW, BID, Order, Record, px_t, qty_t


cdef inline int engine_box_knows(
    const Engine *e, int side, const Order *order, qty_t qty
) noexcept nogil:
    """Return 1 when the box of `side` speaks of the one order there, which the venue took, at `qty`,
    and of each mid for which the last decision stands.
    """
    cdef const Box *box = &e.calm.box[side]
    return (
        qty == box.qty and order.qty == qty and order.filled == 0 and order.late_qty <= qty
        and <uint64_t>(order.px - box.low) <= box.span
        and box.low2 <= e.calm.low2
        and e.calm.low2 + <px_t>e.calm.span2 <= box.low2 + <px_t>box.span2
        and not e.orders.late and count_bits(e.orders.live) <= box.live
    )


cdef inline int engine_boxed(Engine *e, int side, px_t px) noexcept nogil:
    """Return 1 when the gate surely allows to move the order that the box of `side` knows to `px`.

    Only in a calm turn. 0: ask the gate.
    """
    cdef const Box *box = &e.calm.box[side]
    cdef px_t other = e.calm.rest[1 - side].best
    if <uint64_t>(px - box.low) > box.span or e.room < box.room:
        return 0
    if (px >= e.book.ask or px >= other) if side == BID else (px <= e.book.bid or px <= other):
        return 0
    if e.limits.max_leverage_ppm != 0 and (
        position_equity2(&e.position, engine_mark2(e)) < box.equity2
    ):
        return 0
    if e.risk.refilled_ns != e.now_ns:
        risk_refill(&e.risk, &e.limits, e.now_ns)
    return e.risk.tokens >= e.calm.tokens


cdef inline apart_int engine_draw(
    Engine *e, int side, const Order *order, qty_t qty, const Moment *now
) noexcept nogil:
    """Draw the box of `side` around the one order there, which the venue took; return 1 when it holds.

    A 128th of the mid each way, at a moment at which something may stand. Only for an order
    of which nothing is filled and that keeps its size: the usual one. Two corners bind: with the
    highest price that any fill may have told to both, all else is worst at one end of the prices
    with the other end of the mids.
    """
    cdef Box *box = &e.calm.box[side]
    cdef px_t mid2 = e.book.bid + e.book.ask, reach = mid2 >> 7
    cdef px_t low = order.px - reach, high = order.px + reach, corner2
    cdef Exposure open
    cdef Moment m
    cdef Record book
    cdef Risk risk
    cdef int i
    box.qty = 0
    if order.filled != 0 or order.qty != qty or e.limits.px_step != 1 or low <= 0:
        return 0
    memcpy(&m, now, sizeof(Moment))
    # the account may lose some of it before the box is void
    m.equity2 = add_near(m.equity2, -(e.limits.balance // 64))
    risk.tokens = risk_bucket(&e.limits)
    risk.refilled_ns = m.now
    memset(&open, 0, sizeof(Exposure))
    open.live = count_bits(e.orders.live)
    open.own_rem = qty
    open.own_top = high
    if open.own_top < (mid2 + reach + 1) >> 1:
        open.own_top = (mid2 + reach + 1) >> 1
    for i in range(2):
        corner2 = mid2 - reach if i else mid2 + reach
        # a book of that mid which no price of the box would cross
        book.bid = corner2 - high - 1 if side == BID else low - 1
        book.ask = corner2 - book.bid
        if risk_weigh(
            &e.limits, &risk, &book, &m, &open, side, high if i else low, qty, 1
        ) != ALLOW:
            return 0
    box.low = low
    box.span = <uint64_t>(high - low)
    box.low2 = mid2 - reach
    box.span2 = 2 * <uint64_t>reach
    box.room = m.room
    box.equity2 = m.equity2
    box.live = open.live
    box.qty = qty
    return 1
