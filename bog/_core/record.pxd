"""The levels of one market record by number: 0 is the best, eight stand in a vector, two behind."""

from bog._core.types cimport BID, DEPTH, Record, px_t, qty_t


cdef inline int level_count(const Record *record, int side) noexcept nogil:
    """Return how many levels of `side` are present, at most ten whatever the record claims."""
    cdef int n = record.n_bids if side == BID else record.n_asks
    return n if n < DEPTH else DEPTH


cdef inline px_t level_px(const Record *record, int side, int i) noexcept nogil:
    """Return the price of level `i` (0 to 9) in ticks, 0 where none stands."""
    if side == BID:
        return record.bids_px[i] if i < 8 else record.bids_px_tail[i - 8]
    return record.asks_px[i] if i < 8 else record.asks_px_tail[i - 8]


cdef inline qty_t level_qty(const Record *record, int side, int i) noexcept nogil:
    """Return the size of level `i` (0 to 9) in lots, 0 where none stands."""
    if side == BID:
        return record.bids_qty[i] if i < 8 else record.bids_qty_tail[i - 8]
    return record.asks_qty[i] if i < 8 else record.asks_qty_tail[i - 8]


cdef inline void level_set(Record *record, int side, int i, px_t px, qty_t qty) noexcept nogil:
    """Store level `i` (0 to 9); the touch of the header line follows level 0."""
    if side == BID:
        if i < 8:
            record.bids_px[i] = px
            record.bids_qty[i] = qty
        else:
            record.bids_px_tail[i - 8] = px
            record.bids_qty_tail[i - 8] = qty
        if i == 0:
            record.bid = px
            record.bid_qty = qty
    else:
        if i < 8:
            record.asks_px[i] = px
            record.asks_qty[i] = qty
        else:
            record.asks_px_tail[i - 8] = px
            record.asks_qty_tail[i - 8] = qty
        if i == 0:
            record.ask = px
            record.ask_qty = qty
