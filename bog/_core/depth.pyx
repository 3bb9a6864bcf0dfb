"""A Python handle on one whole book, for tests, tools and notebooks."""

cimport cython
from libc.stdlib cimport free
from libc.string cimport memset

from bog._core.depth cimport (
    Depth, depth_best, depth_knows, depth_qty, depth_reset, depth_set, depth_through, depth_top,
)
from bog._core.memory cimport lines
from bog._core.types cimport ASK, BID, DEPTH, PX_MAX, QTY_MAX, Record


@cython.final
cdef class DepthProbe:
    """One whole book. Prices in ticks, sizes in lots; side 0 is the bid, 1 the ask."""

    cdef Depth *book

    def __cinit__(self):
        self.book = <Depth *> lines(sizeof(Depth))
        if self.book == NULL:
            raise MemoryError("no memory for a book")

    def __dealloc__(self):
        free(self.book)

    def reset(self):
        """Forget every level."""
        depth_reset(self.book)

    def set(self, int side, long long px, long long qty):
        """Set a level to an absolute size, 0 deletes it; return its size before."""
        if side not in (BID, ASK):
            raise ValueError(f"side {side} is neither 0 (bid) nor 1 (ask)")
        if not 0 < px < PX_MAX:
            raise ValueError(f"price {px} is not between 1 and {PX_MAX - 1} ticks")
        if not 0 <= qty < QTY_MAX:
            raise ValueError(f"size {qty} is not between 0 and {QTY_MAX - 1} lots")
        return depth_set(self.book, side, px, qty)

    def qty(self, int side, long long px):
        """Return the lots displayed at a price, 0 where no level stands."""
        return depth_qty(self.book, side, px)

    def knows(self, int side, long long px):
        """Return whether the size at a price is known."""
        return bool(depth_knows(self.book, side, px))

    def best(self, int side):
        """Return the best price of a side, 0 when it is empty."""
        return depth_best(self.book, side)

    def through(self, int side, long long px):
        """Return the lots on `side` that an order of the other side at `px` would reach."""
        return depth_through(self.book, side, px)

    def levels(self, int side):
        """Return every level of a side as (price, size), best first."""
        cdef long long i, n = self.book.n[side]
        return [(self.book.px[side][n - 1 - i], self.book.qty[side][n - 1 - i]) for i in range(n)]

    def top(self):
        """Return (bids, asks): the ten best levels a side as the short ring's record has them."""
        cdef Record record
        memset(&record, 0, sizeof(Record))
        depth_top(self.book, &record)
        bids = [(record.bids_px[i], record.bids_qty[i]) for i in range(8)]
        bids += [(record.bids_px_tail[i], record.bids_qty_tail[i]) for i in range(DEPTH - 8)]
        asks = [(record.asks_px[i], record.asks_qty[i]) for i in range(8)]
        asks += [(record.asks_px_tail[i], record.asks_qty_tail[i]) for i in range(DEPTH - 8)]
        return bids[:record.n_bids], asks[:record.n_asks]
