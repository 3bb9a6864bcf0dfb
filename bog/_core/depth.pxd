"""The whole book: set a level, ask for the size at any price, read the top ten."""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memmove

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

    int depth_ten "bog_depth_ten"(const Depth *depth, Record *record)


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
    cdef int64_t low = 0, n = depth.n[side], count, half
    # the complement turns asks around: then a smaller number is worse on both sides
    cdef px_t turn = 0 if side == BID else -1
    px ^= turn
    if n < 16:
        while low < n and (levels[low] ^ turn) < px:
            low += 1
        return low
    # changes crowd near the touch: look at the last few levels before bisecting all of them
    if (levels[n - 16] ^ turn) < px:
        low = n - 16
    else:
        count = n - 16
        while count > 16:
            half = count >> 1
            low += half if (levels[low + half - 1] ^ turn) < px else 0
            count -= half
        low = low if low < n - 16 else n - 16
    # which of sixteen: in fours, then one by one; no step waits for a guess
    half = 4 * (
        <int64_t> ((levels[low + 3] ^ turn) < px) + <int64_t> ((levels[low + 7] ^ turn) < px)
        + <int64_t> ((levels[low + 11] ^ turn) < px) + <int64_t> ((levels[low + 15] ^ turn) < px)
    )
    low += half
    if half == 16:
        return low
    return (
        low + <int64_t> ((levels[low] ^ turn) < px) + <int64_t> ((levels[low + 1] ^ turn) < px)
        + <int64_t> ((levels[low + 2] ^ turn) < px)
    )


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
        depth.n[side] = n - 1
        if at < n - 1:
            memmove(levels + at, levels + at + 1, <size_t>(n - at - 1) * sizeof(px_t))
            memmove(sizes + at, sizes + at + 1, <size_t>(n - at - 1) * sizeof(qty_t))
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
    if at < n:
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


cdef inline void depth_copy(Depth *to, const Depth *depth) noexcept nogil:
    """Make `to` the same book; only levels that stand are copied."""
    cdef int side
    cdef size_t size
    to.dropped = depth.dropped
    for side in range(2):
        size = <size_t> depth.n[side] * sizeof(px_t)
        to.n[side] = depth.n[side]
        to.bound[side] = depth.bound[side]
        memcpy(to.px[side], depth.px[side], size)
        memcpy(to.qty[side], depth.qty[side], size)
    to.seq = depth.seq


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


cdef inline uint8_t top_side(const Depth *depth, int side, px_t *px, qty_t *qty, px_t *px_tail,
                             qty_t *qty_tail) noexcept nogil:
    """Write the best eight levels of a side and the two behind them; return how many stand."""
    cdef int64_t n = depth.n[side], i
    cdef const px_t *best_px = depth.px[side] + n - 1
    cdef const qty_t *best_qty = depth.qty[side] + n - 1
    if n >= DEPTH:
        for i in range(8):
            px[i] = best_px[-i]
            qty[i] = best_qty[-i]
        for i in range(8, DEPTH):
            px_tail[i - 8] = best_px[-i]
            qty_tail[i - 8] = best_qty[-i]
        return DEPTH
    for i in range(8):
        px[i] = best_px[-i] if i < n else 0
        qty[i] = best_qty[-i] if i < n else 0
    for i in range(8, DEPTH):
        px_tail[i - 8] = best_px[-i] if i < n else 0
        qty_tail[i - 8] = best_qty[-i] if i < n else 0
    return <uint8_t> n


cdef inline void depth_top(const Depth *depth, Record *record) noexcept nogil:
    """Write the touch, ten levels and their counts into `record`; missing levels are 0 x 0."""
    record.kind = REC_BOOK
    if depth.dropped:
        record.flags |= F_PARTIAL
    if depth_ten(depth, record):
        record.n_bids = record.n_asks = DEPTH
        return
    record.n_bids = top_side(depth, 0, record.bids_px, record.bids_qty, record.bids_px_tail,
                             record.bids_qty_tail)
    record.n_asks = top_side(depth, 1, record.asks_px, record.asks_qty, record.asks_px_tail,
                             record.asks_qty_tail)
    record.bid = record.bids_px[0]
    record.bid_qty = record.bids_qty[0]
    record.ask = record.asks_px[0]
    record.ask_qty = record.asks_qty[0]
