"""Questions about one market record: what the ten levels say, exactly, in ticks and lots.

The record is read as it is; book_check says whether it can be believed. For a record that passes,
no sum or product here can overflow. `side` is the side of the book that is read.
"""

from libc.stdint cimport int64_t

from bog._core.apart cimport apart_int
from bog._core.fixed cimport i128, mul_div
from bog._core.record cimport level_count, level_px, level_qty
from bog._core.types cimport (
    ASK, BID, DEPTH, F_PARTIAL, PX_MAX, QTY_MAX, REC_BOOK, Record, ppm_t, px_t, qty_t,
)

cdef extern from "book.h" nogil:
    cpdef enum BookClass "bog_book_class":
        BOOK_EMPTY "BOG_BOOK_EMPTY"
        BOOK_BID_ONLY "BOG_BOOK_BID_ONLY"
        BOOK_ASK_ONLY "BOG_BOOK_ASK_ONLY"
        BOOK_NORMAL "BOG_BOOK_NORMAL"
        BOOK_LOCKED "BOG_BOOK_LOCKED"
        BOOK_CROSSED "BOG_BOOK_CROSSED"

    cpdef enum BookFault "bog_book_fault":
        BOOK_SOUND "BOG_BOOK_SOUND"
        BOOK_BAD_KIND "BOG_BOOK_BAD_KIND"
        BOOK_BAD_COUNT "BOG_BOOK_BAD_COUNT"
        BOOK_BAD_PX "BOG_BOOK_BAD_PX"
        BOOK_BAD_QTY "BOG_BOOK_BAD_QTY"
        BOOK_BAD_ORDER "BOG_BOOK_BAD_ORDER"
        BOOK_BAD_TOUCH "BOG_BOOK_BAD_TOUCH"

    ctypedef struct Sweep "bog_sweep_t":
        i128 cost
        qty_t filled
        px_t best
        px_t worst
        int64_t levels

    int book_full "bog_book_full"(const Record *record)
    int book_same_touch "bog_book_same_touch"(const Record *a, const Record *b)


cdef inline int book_class(const Record *record) noexcept nogil:
    """Return the state of the touch (enum BookClass)."""
    if record.bid_qty <= 0:
        return BOOK_EMPTY if record.ask_qty <= 0 else BOOK_ASK_ONLY
    if record.ask_qty <= 0:
        return BOOK_BID_ONLY
    if record.bid < record.ask:
        return BOOK_NORMAL
    return BOOK_LOCKED if record.bid == record.ask else BOOK_CROSSED


cdef inline int book_check_side(const Record *record, int side) noexcept nogil:
    """Return the first fault of one side (enum BookFault), BOOK_SOUND when there is none."""
    cdef int i, n = record.n_bids if side == BID else record.n_asks
    cdef px_t px, before = PX_MAX if side == BID else 0
    cdef qty_t qty
    if n > DEPTH:
        return BOOK_BAD_COUNT
    for i in range(n):
        px = level_px(record, side, i)
        qty = level_qty(record, side, i)
        if px <= 0 or px >= PX_MAX:
            return BOOK_BAD_PX
        if qty <= 0 or qty >= QTY_MAX:
            return BOOK_BAD_QTY
        if (px >= before) if side == BID else (px <= before):
            return BOOK_BAD_ORDER
        before = px
    for i in range(n, DEPTH):
        if level_px(record, side, i) != 0 or level_qty(record, side, i) != 0:
            return BOOK_BAD_COUNT
    return BOOK_SOUND


cdef inline apart_int book_fault(const Record *record) noexcept nogil:
    """Return what book_check returns, level by level."""
    cdef int fault
    if record.kind != REC_BOOK:
        return BOOK_BAD_KIND
    fault = book_check_side(record, BID)
    if fault == BOOK_SOUND:
        fault = book_check_side(record, ASK)
    if fault == BOOK_SOUND and (
        record.bid != record.bids_px[0] or record.bid_qty != record.bids_qty[0]
        or record.ask != record.asks_px[0] or record.ask_qty != record.asks_qty[0]
    ):
        return BOOK_BAD_TOUCH
    return fault


cdef inline int book_check(const Record *record) noexcept nogil:
    """Return why the record cannot be believed (enum BookFault), BOOK_SOUND when it can.

    A locked or crossed touch is no fault of the record: book_class says that.
    """
    return BOOK_SOUND if book_full(record) else book_fault(record)


cdef inline px_t book_mid2(const Record *record) noexcept nogil:
    """Return bid + ask, the mid in half ticks; 0 when a side is empty."""
    if record.bid_qty <= 0 or record.ask_qty <= 0:
        return 0
    return record.bid + record.ask


cdef inline px_t book_spread(const Record *record) noexcept nogil:
    """Return ask - bid in ticks, negative when crossed; PX_MAX when a side is empty."""
    if record.bid_qty <= 0 or record.ask_qty <= 0:
        return PX_MAX
    return record.ask - record.bid


cdef inline int book_spread_above(const Record *record, ppm_t ppm) noexcept nogil:
    """Return 1 when the spread is more than `ppm` of the mid; 1 when a side is empty.

    Exactly `ppm` is not above. Compared crosswise: spread * 2e6 against ppm * (bid + ask).
    """
    return <i128> book_spread(record) * 2000000 > <i128> ppm * book_mid2(record)


cdef inline px_t book_spread_ppm(const Record *record) noexcept nogil:
    """Return the spread in millionths of the mid, rounded down; -1 when a side is empty."""
    cdef px_t mid2 = book_mid2(record)
    return mul_div(book_spread(record), 2000000, mid2) if mid2 > 0 else -1


cdef inline qty_t book_qty(const Record *record, int side, int levels) noexcept nogil:
    """Return the lots on the best `levels` levels of a side."""
    cdef int i, n = level_count(record, side)
    cdef qty_t total = 0
    for i in range(n if n < levels else levels):
        total += level_qty(record, side, i)
    return total


cdef inline i128 book_notional(const Record *record, int side, int levels) noexcept nogil:
    """Return the sum of price x size over the best `levels` levels, exactly, in quanta."""
    cdef int i, n = level_count(record, side)
    cdef i128 total = 0
    for i in range(n if n < levels else levels):
        total += <i128> level_px(record, side, i) * level_qty(record, side, i)
    return total


cdef inline px_t book_vwap(const Record *record, int side, int levels) noexcept nogil:
    """Return the average price of the best `levels` levels in 1/65536 tick, rounded down.

    Weighted by size; 0 when the side is empty.
    """
    cdef qty_t qty = book_qty(record, side, levels)
    return <px_t> ((book_notional(record, side, levels) << 16) // qty) if qty > 0 else 0


cdef inline px_t book_vwap_mid(const Record *record, int levels) noexcept nogil:
    """Return the middle of both sides' VWAPs in 1/65536 tick, rounded down; 0 without two sides."""
    cdef px_t bid = book_vwap(record, BID, levels), ask = book_vwap(record, ASK, levels)
    return (bid + ask) >> 1 if bid > 0 and ask > 0 else 0


cdef inline int book_imbalance(const Record *record, int levels) noexcept nogil:
    """Return (bids - asks) * 100 / (bids + asks) over the best `levels`, -100 to 100.

    Rounded towards zero, so that mirrored books have opposite numbers; 0 when both are empty.
    """
    cdef qty_t bids = book_qty(record, BID, levels), asks = book_qty(record, ASK, levels)
    return <int> ((bids - asks) * 100 // (bids + asks)) if bids + asks > 0 else 0


cdef inline ppm_t book_touch_imbalance(const Record *record) noexcept nogil:
    """Return the imbalance at the touch in ppm, -1e6 to 1e6, rounded towards zero; 0 when empty."""
    cdef qty_t total = record.bid_qty + record.ask_qty
    if total <= 0:
        return 0
    return <ppm_t> (<i128> (record.bid_qty - record.ask_qty) * 1000000 // total)


cdef inline qty_t book_depth_ticks(const Record *record, int side, px_t ticks) noexcept nogil:
    """Return the lots of a side that stand at most `ticks` behind its own best price."""
    cdef int i
    cdef px_t best = level_px(record, side, 0), off
    cdef qty_t total = 0
    for i in range(level_count(record, side)):
        off = level_px(record, side, i) - best
        if (-off if side == BID else off) > ticks:
            break
        total += level_qty(record, side, i)
    return total


cdef inline qty_t book_depth_ppm(const Record *record, int side, ppm_t ppm) noexcept nogil:
    """Return the lots of a side that stand at most `ppm` of the mid away from the mid.

    0 when the book has no mid. Compared crosswise: |2 px - mid2| * 1e6 against ppm * mid2.
    """
    cdef int i
    cdef px_t mid2 = book_mid2(record), off
    cdef qty_t total = 0
    if mid2 <= 0:
        return 0
    for i in range(level_count(record, side)):
        off = 2 * level_px(record, side, i) - mid2
        if <i128> (off if off > 0 else -off) * 1000000 > <i128> ppm * mid2:
            break
        total += level_qty(record, side, i)
    return total


cdef inline void book_sweep(const Record *record, int side, qty_t qty, Sweep *out) noexcept nogil:
    """Write what taking `qty` lots out of `side` meets: a buyer takes asks, a seller bids.

    When fewer lots are shown, all of them are taken and `filled` says how many.
    """
    cdef int i
    cdef qty_t here
    out.cost = 0
    out.filled = 0
    out.best = out.worst = 0
    out.levels = 0
    for i in range(level_count(record, side)):
        if out.filled >= qty:
            break
        here = level_qty(record, side, i)
        if here > qty - out.filled:
            here = qty - out.filled
        out.worst = level_px(record, side, i)
        out.cost += <i128> out.worst * here
        out.filled += here
        out.levels += 1
    if out.levels > 0:
        out.best = level_px(record, side, 0)


cdef inline px_t book_sweep_price(const Sweep *sweep) noexcept nogil:
    """Return the average price of a sweep in 1/65536 tick, rounded down; 0 when nothing filled."""
    return <px_t> ((sweep.cost << 16) // sweep.filled) if sweep.filled > 0 else 0


cdef inline i128 book_sweep_slippage(const Sweep *sweep) noexcept nogil:
    """Return what a sweep costs more than its size at the best price, in quanta; never negative."""
    cdef i128 off = sweep.cost - <i128> sweep.best * sweep.filled
    return off if off > 0 else -off


cdef inline px_t book_microprice(const Record *record) noexcept nogil:
    """Return the fair price that the touch implies, in 1/256 tick.

    bid + spread * bid_qty / (bid_qty + ask_qty), rounded down: the heavier side pushes the price
    away from itself. Return 0 when a side is empty or the book is locked or crossed, so that a
    caller can tell "no price" from any real one.
    """
    cdef px_t bid = record.bid, ask = record.ask
    cdef qty_t bid_qty = record.bid_qty, ask_qty = record.ask_qty
    if bid_qty <= 0 or ask_qty <= 0 or bid >= ask:
        return 0
    return 256 * bid + mul_div(256 * (ask - bid), bid_qty, bid_qty + ask_qty)


cdef inline px_t book_weighted_mid(const Record *record) noexcept nogil:
    """Return (bid * ask_qty + ask * bid_qty) / (bid_qty + ask_qty) in 1/65536 tick, rounded down.

    0 when a side is empty; a locked or crossed touch is averaged like any other.
    """
    cdef qty_t bid_qty = record.bid_qty, ask_qty = record.ask_qty
    cdef i128 both
    if bid_qty <= 0 or ask_qty <= 0:
        return 0
    both = <i128> record.bid * ask_qty + <i128> record.ask * bid_qty
    return <px_t> ((both << 16) // (bid_qty + ask_qty))


cdef inline qty_t book_queue_ahead(
    const Record *record, int side, px_t px, qty_t own
) noexcept nogil:
    """Return the most lots of others that can stand in front of us at `px`, -1 when unknown.

    `own` lots of the displayed size are ours (0 when the order is not in the book yet). A price
    where nothing stands has nobody in front; beyond the last level it is unknown when ten levels
    are shown or when the book is not known to its end.
    """
    cdef int i, n = level_count(record, side)
    cdef px_t here
    cdef qty_t ahead
    for i in range(n):
        here = level_px(record, side, i)
        if here == px:
            ahead = level_qty(record, side, i) - own
            return ahead if ahead > 0 else 0
        if (here < px) if side == BID else (here > px):
            return 0
    return -1 if n == DEPTH or record.flags & F_PARTIAL else 0
