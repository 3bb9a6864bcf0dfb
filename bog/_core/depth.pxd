"""The whole book: set a level, ask for the size at any price, read the top ten."""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memmove

from bog._core.types cimport (
    BID, DEPTH, REC_BOOK, ROW_LEVEL, ROW_RESET, F_PARTIAL, Record, Row, px_t, qty_t,
)

cdef extern from "depth.h" nogil:
    enum: DEPTH_CAP "BOG_DEPTH_CAP"

    ctypedef struct Depth "bog_depth_t":
        uint64_t seq
        int64_t n[2]
        px_t bound[2]
        uint64_t dropped
        px_t px[2][32768]
        qty_t qty[2][32768]


cdef inline void depth_reset(Depth *depth) noexcept nogil:
    """Forget every level of both sides."""
    depth.n[0] = depth.n[1] = 0
    depth.bound[0] = depth.bound[1] = 0
    depth.dropped = 0


cdef inline int64_t depth_find(const Depth *depth, int side, px_t px) noexcept nogil:
    """Return the index of the first level that is not worse than `px` (n when all are worse).

    Bids rise and asks fall towards the best level at the end.
    """
    cdef const px_t *levels = depth.px[side]
    cdef int64_t low = 0, high = depth.n[side], mid
    # changes crowd near the touch: look at the last few levels before bisecting all of them
    if high > 16:
        mid = high - 16
        if (levels[mid] < px) if side == BID else (levels[mid] > px):
            low = mid
    while low < high:
        mid = (low + high) >> 1
        if (levels[mid] < px) if side == BID else (levels[mid] > px):
            low = mid + 1
        else:
            high = mid
    return low


cdef inline qty_t depth_qty(const Depth *depth, int side, px_t px) noexcept nogil:
    """Return the lots displayed at `px`, 0 where no level stands."""
    cdef int64_t at = depth_find(depth, side, px)
    if at < depth.n[side] and depth.px[side][at] == px:
        return depth.qty[side][at]
    return 0


cdef inline int depth_knows(const Depth *depth, int side, px_t px) noexcept nogil:
    """Return 1 when the size at `px` is known; 0 where levels were dropped for want of room."""
    cdef px_t bound = depth.bound[side]
    if bound == 0:
        return 1
    return px > bound if side == BID else px < bound


cdef inline qty_t depth_set(Depth *depth, int side, px_t px, qty_t qty) noexcept nogil:
    """Set the level at `px` to `qty` lots, 0 deletes it, and return its size before.

    A full side drops its farthest level and remembers where its knowledge ends.
    """
    cdef int64_t at = depth_find(depth, side, px), n = depth.n[side]
    cdef px_t *levels = depth.px[side]
    cdef qty_t *sizes = depth.qty[side]
    cdef qty_t old = 0
    if at < n and levels[at] == px:
        old = sizes[at]
        if qty > 0:
            sizes[at] = qty
            return old
        memmove(levels + at, levels + at + 1, <size_t>(n - at - 1) * sizeof(px_t))
        memmove(sizes + at, sizes + at + 1, <size_t>(n - at - 1) * sizeof(qty_t))
        depth.n[side] = n - 1
        return old
    if qty <= 0:
        return 0
    if n == DEPTH_CAP:
        depth.dropped += 1
        if at == 0:
            depth_bound(depth, side, px)
            return 0
        depth_bound(depth, side, levels[0])
        memmove(levels, levels + 1, <size_t>(at - 1) * sizeof(px_t))
        memmove(sizes, sizes + 1, <size_t>(at - 1) * sizeof(qty_t))
        levels[at - 1] = px
        sizes[at - 1] = qty
        return 0
    memmove(levels + at + 1, levels + at, <size_t>(n - at) * sizeof(px_t))
    memmove(sizes + at + 1, sizes + at, <size_t>(n - at) * sizeof(qty_t))
    levels[at] = px
    sizes[at] = qty
    depth.n[side] = n + 1
    return 0


cdef inline void depth_apply(Depth *depth, const Row *r) noexcept nogil:
    """Apply a row that bog_hg_row_ok has passed; only levels and resets change the book."""
    if r.kind == ROW_LEVEL:
        depth_set(depth, r.side, r.px, r.qty)
    elif r.kind == ROW_RESET:
        depth_reset(depth)


cdef inline void depth_bound(Depth *depth, int side, px_t px) noexcept nogil:
    """Remember that the size at `px` and beyond is no longer known."""
    cdef px_t bound = depth.bound[side]
    if bound == 0 or ((px > bound) if side == BID else (px < bound)):
        depth.bound[side] = px


cdef inline px_t depth_best(const Depth *depth, int side) noexcept nogil:
    """Return the best price of a side in ticks, 0 when the side is empty."""
    cdef int64_t n = depth.n[side]
    return depth.px[side][n - 1] if n > 0 else 0


cdef inline qty_t depth_through(const Depth *depth, int side, px_t px) noexcept nogil:
    """Return the lots displayed on `side` that an order of the other side at `px` would reach.

    For asks: every level at or below `px`; for bids: every level at or above it.
    """
    cdef int64_t at = depth.n[side] - 1
    cdef qty_t total = 0
    while at >= 0 and ((depth.px[side][at] >= px) if side == BID else (depth.px[side][at] <= px)):
        total += depth.qty[side][at]
        at -= 1
    return total


cdef inline void depth_top(const Depth *depth, Record *record) noexcept nogil:
    """Write the touch, ten levels and their counts into `record`; missing levels are 0 x 0."""
    cdef int64_t n, i
    cdef px_t px
    cdef qty_t qty
    record.kind = REC_BOOK
    n = depth.n[0]
    record.n_bids = <uint8_t>(n if n < DEPTH else DEPTH)
    for i in range(DEPTH):
        px = depth.px[0][n - 1 - i] if i < n else 0
        qty = depth.qty[0][n - 1 - i] if i < n else 0
        if i < 8:
            record.bids_px[i] = px
            record.bids_qty[i] = qty
        else:
            record.bids_px_tail[i - 8] = px
            record.bids_qty_tail[i - 8] = qty
    n = depth.n[1]
    record.n_asks = <uint8_t>(n if n < DEPTH else DEPTH)
    for i in range(DEPTH):
        px = depth.px[1][n - 1 - i] if i < n else 0
        qty = depth.qty[1][n - 1 - i] if i < n else 0
        if i < 8:
            record.asks_px[i] = px
            record.asks_qty[i] = qty
        else:
            record.asks_px_tail[i - 8] = px
            record.asks_qty_tail[i - 8] = qty
    record.bid = record.bids_px[0]
    record.bid_qty = record.bids_qty[0]
    record.ask = record.asks_px[0]
    record.ask_qty = record.asks_qty[0]
    if depth.dropped:
        record.flags |= F_PARTIAL
