"""The grid: which levels a side wants, and the next step from what lives there to that.

An order serves a level when it stands nearer to it than the persistence of quotes asks for, and less
than an interval; one level has one order. What serves no level moves to one that has none, in place of
a cancel and a create.
"""

from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memset

from bog._core.quota cimport Quota
from bog._core.strategy cimport (
    MOVE_RENEW, MOVE_RESIZE, MOVE_WRONG_SIDE, Quote, strategy_moves, strategy_threshold,
)
from bog._core.types cimport (
    BID, ORDER_CANCEL_SENT, ORDER_CREATED, ORDER_PARTIAL, ORDER_RESTING, ORDER_UNKNOWN, PX_MAX,
    Order, StrategyParams, ns_t, px_t, qty_t,
)

cdef extern from "grid.h" nogil:
    enum: GRID_ORDERS "BOG_GRID_ORDERS"

    ctypedef struct Ladder "bog_ladder_t":
        int64_t side
        int64_t n
        int64_t most
        px_t interval
        qty_t room
        qty_t least
        uint32_t refused
        uint32_t paced
        px_t px[8]
        qty_t qty[8]

    cpdef enum GridStepKind "bog_grid_step_kind":
        GRID_DONE "BOG_GRID_DONE"
        GRID_WAIT "BOG_GRID_WAIT"
        GRID_SOON "BOG_GRID_SOON"
        GRID_PLACE "BOG_GRID_PLACE"
        GRID_AMEND "BOG_GRID_AMEND"
        GRID_CANCEL "BOG_GRID_CANCEL"

    ctypedef struct GridStep "bog_grid_step_t":
        int64_t kind
        int64_t slot
        int64_t level
        px_t px
        qty_t qty
        int64_t count
        int64_t wrong

cdef extern from * nogil:
    int lowest_bit "__builtin_ctz"(uint32_t bits)


cdef inline px_t grid_interval(px_t had, px_t half, px_t threshold) noexcept nogil:
    """Return the interval for a half spread rounded to `half` ticks: max(half, 1).

    An interval that is off by less than `threshold` stays, because another one moves every order.
    """
    cdef px_t want = half if half > 1 else 1
    cdef px_t off = had - want
    return had if had > 0 and (off if off > 0 else -off) < threshold else want


cdef inline void grid_want(
    const StrategyParams *params, const Quote *quote, int side, px_t interval, qty_t pos,
    Ladder *out,
) noexcept nogil:
    """Write the levels of `side`: the first is the quote, the next each `interval` further out.

    Each has order_qty lots, the last one what the position leaves below max_pos; none is smaller than
    min_order or has a price that no order may have. So there is none when the quote has no such side,
    as at max_pos.
    """
    cdef px_t px = quote.bid_px if side == BID else quote.ask_px
    cdef qty_t room = params.max_pos - pos if side == BID else params.max_pos + pos
    cdef qty_t qty
    memset(out, 0, sizeof(Ladder))
    out.side = side
    out.most = params.grid_orders if params.grid_orders < GRID_ORDERS else GRID_ORDERS
    out.interval = interval
    out.room = room
    out.least = params.min_order if params.min_order > 0 else 1
    if interval <= 0 or (quote.bid_qty if side == BID else quote.ask_qty) <= 0:
        return
    while out.n < out.most:
        qty = params.order_qty if params.order_qty < room else room
        if qty < out.least or px <= 0 or px >= PX_MAX:
            return
        out.px[out.n] = px
        out.qty[out.n] = qty
        out.n += 1
        room -= qty
        px += -interval if side == BID else interval


cdef inline int64_t grid_nearest(const Ladder *ladder, px_t px, px_t near) noexcept nogil:
    """Return the level nearest to px, of two the first; -1 when none is less than `near` away."""
    cdef int64_t i, found = -1
    cdef px_t off
    for i in range(ladder.n):
        off = px - ladder.px[i]
        if off < 0:
            off = -off
        if off < near:
            near = off
            found = i
    return found


cdef inline qty_t grid_open(const Order *order) noexcept nogil:
    """Return the lots of a live order that may still fill, an amend under way included."""
    return (order.amend_qty if order.amend_qty > order.qty else order.qty) - order.filled


cdef inline qty_t grid_size(
    const Ladder *ladder, qty_t open, int64_t level, const Order *order
) noexcept nogil:
    """Return the lots for `level` of an order to amend, or of a new one (NULL).

    As many as wanted, cut so that the `open` lots of the side, which may all fill, stay within the
    room; 0 when less than the smallest level is left.
    """
    cdef qty_t rest = ladder.room - open
    if order != NULL:
        rest += grid_open(order)
    if rest >= ladder.qty[level]:
        return ladder.qty[level]
    return rest if rest >= ladder.least else 0


cdef inline int grid_steady(const Order *order) noexcept nogil:
    """Return 1 when nothing of ours is under way for the order, so that it may be amended."""
    return order.state == ORDER_RESTING or order.state == ORDER_PARTIAL


cdef inline void grid_ask(
    const Ladder *ladder, int kind, int64_t slot, int64_t level, qty_t qty, GridStep *out
) noexcept nogil:
    """Write a step: cancel `slot`, amend it to `qty` lots at `level`, or place a new order there."""
    out.kind = kind
    out.slot = slot
    out.level = level
    if level >= 0:
        out.px = ladder.px[level]
        out.qty = qty


cdef inline void grid_plan(
    const Ladder *ladder, const StrategyParams *params, const Quota *quota, const Quote *quote,
    const Order *orders, uint32_t live, ns_t now, ns_t retry_ns, GridStep *out,
) noexcept nogil:
    """Write the next step of a side. Call again after each one, until it is none that is sent.

    First what must go: a cancel without an answer for retry_ns again; all, when no level is wanted; an
    order on the wrong side of the fair price, which moves when it may; orders that are more than the
    levels. Then what serves no level moves, and what serves one is resized or renewed, one renewal at
    a time. Last a level without an order gets one: never more than `most` live, nor more than `room`
    lots open, with what is dying.
    """
    cdef int64_t held[8]
    cdef Quote at = quote[0]
    cdef px_t near = strategy_threshold(params, quota, quote)
    cdef uint32_t bits, spares = 0, standing = 0
    cdef int64_t i, slot, level, other, dying = 0, n_spares = 0, missing = ladder.n, free = -1
    cdef int64_t mover = -1, youngest = -1
    cdef int move, fits, mover_fits = 0, soon = 0
    cdef qty_t open = 0, size
    cdef const Order *o
    memset(out, 0, sizeof(GridStep))
    out.slot = out.level = -1
    if near > ladder.interval:
        near = ladder.interval
    for i in range(GRID_ORDERS):
        held[i] = -1
    # who serves which level; of two, the older, because it has the better place in the queue
    bits = live
    while bits:
        slot = lowest_bit(bits)
        bits &= bits - 1
        o = &orders[slot]
        if o.side != ladder.side:
            continue
        out.count += 1
        open += grid_open(o)
        if o.state == ORDER_CANCEL_SENT or o.state == ORDER_UNKNOWN:
            dying += 1
            if now - o.touched_ns >= retry_ns:
                grid_ask(ladder, GRID_CANCEL, slot, -1, 0, out)
                return
            continue
        if ladder.n == 0 and o.state != ORDER_CREATED:
            grid_ask(ladder, GRID_CANCEL, slot, -1, 0, out)
            return
        standing |= <uint32_t>1 << slot
        other = slot
        level = grid_nearest(ladder, o.amend_px if o.amend_qty > 0 else o.px, near)
        if level >= 0:
            other = held[level]
            if other < 0:
                missing -= 1
                held[level] = slot
                continue
            if orders[other].id < o.id:
                other = slot
            else:
                held[level] = slot
        spares |= <uint32_t>1 << other
        n_spares += 1
    for i in range(ladder.n):
        if held[i] < 0 and not ladder.refused >> i & 1:
            free = i
            break
    # what lies past the fair price less the fee floor, unless it is on its way to a level
    if ladder.n > 0:
        at.bid_px = at.ask_px = ladder.px[0]
        at.bid_qty = at.ask_qty = ladder.qty[0]
    bits = standing if ladder.n > 0 else 0
    while bits:
        slot = lowest_bit(bits)
        bits &= bits - 1
        o = &orders[slot]
        if o.state == ORDER_CREATED or (o.amend_qty > 0 and not spares >> slot & 1):
            continue
        if strategy_moves(params, quota, &at, <int>ladder.side, o, now) == MOVE_WRONG_SIDE:
            out.wrong = 1
            level = free
            if not spares >> slot & 1:
                level = grid_nearest(ladder, o.px, near)
                if ladder.refused >> level & 1:
                    level = -1
            if level >= 0 and ladder.paced and grid_steady(o):
                size = grid_size(ladder, open, level, o)
                if size > 0:
                    grid_ask(ladder, GRID_AMEND, slot, level, size, out)
                    return
            grid_ask(ladder, GRID_CANCEL, slot, -1, 0, out)
            return
    bits = spares
    while bits:
        slot = lowest_bit(bits)
        bits &= bits - 1
        o = &orders[slot]
        if o.state != ORDER_CREATED and (youngest < 0 or o.id > orders[youngest].id):
            youngest = slot
        if not grid_steady(o):
            continue
        # the oldest, but rather one that need not grow
        fits = free >= 0 and grid_open(o) >= ladder.qty[free]
        if mover < 0 or fits > mover_fits or (fits == mover_fits and o.id < orders[mover].id):
            mover = slot
            mover_fits = fits
    if n_spares > missing and youngest >= 0:
        grid_ask(ladder, GRID_CANCEL, youngest, -1, 0, out)
        return
    # what may be moved, and what serves its level but not well
    if mover >= 0:
        soon = 1
        if ladder.paced and free >= 0:
            size = grid_size(ladder, open, free, &orders[mover])
            if size > 0:
                grid_ask(ladder, GRID_AMEND, mover, free, size, out)
                return
    for i in range(ladder.n):
        slot = held[i]
        if slot < 0 or not grid_steady(&orders[slot]):
            continue
        at.bid_px = at.ask_px = ladder.px[i]
        at.bid_qty = at.ask_qty = ladder.qty[i]
        move = strategy_moves(params, quota, &at, <int>ladder.side, &orders[slot], now)
        if move != MOVE_RESIZE and move != MOVE_RENEW:
            continue
        soon = 1
        if not ladder.paced or ladder.refused >> i & 1:
            continue
        if move == MOVE_RENEW:
            if dying == 0:
                grid_ask(ladder, GRID_CANCEL, slot, -1, 0, out)
                return
            continue
        size = grid_size(ladder, open, i, &orders[slot])
        if size > 0 and size != grid_open(&orders[slot]):
            grid_ask(ladder, GRID_AMEND, slot, i, size, out)
            return
    if free >= 0 and out.count - dying < ladder.n and out.count < ladder.most:
        size = grid_size(ladder, open, free, NULL)
        # what is dying makes room soon for a whole one
        if size == ladder.qty[free] or (size > 0 and dying == 0):
            grid_ask(ladder, GRID_PLACE, -1, free, size, out)
            return
    if soon:
        out.kind = GRID_SOON
    elif missing > 0 or n_spares > 0 or dying > 0:
        out.kind = GRID_WAIT
