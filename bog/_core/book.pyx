"""A Python handle on one market record and what the book room says about it."""

cimport cython
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from bog._core.book cimport (
    Sweep, book_check, book_class, book_depth_ppm, book_depth_ticks, book_imbalance,
    book_microprice, book_mid2, book_notional, book_qty, book_queue_ahead, book_same_touch,
    book_spread, book_spread_above, book_spread_ppm, book_sweep, book_sweep_price,
    book_sweep_slippage, book_touch_imbalance, book_vwap, book_vwap_mid, book_weighted_mid,
)
from bog._core.fixed cimport i128
from bog._core.memory cimport lines
from bog._core.record cimport level_set
from bog._core.types cimport ASK, BID, DEPTH, REC_BOOK, Record


cdef object wide(i128 value):
    """Return 128 bits as a Python integer."""
    return (<object> (<int64_t> (value >> 64)) << 64) | <uint64_t> value


cdef int checked_side(int side) except -1:
    """Return `side`, or raise when it is neither bid nor ask."""
    if side not in (BID, ASK):
        raise ValueError(f"side {side} is neither 0 (bid) nor 1 (ask)")
    return side


@cython.final
cdef class BookProbe:
    """One market record. Prices in ticks, sizes in lots; side 0 is the bid, 1 the ask."""

    cdef Record *record

    def __cinit__(self, bids=(), asks=(), int flags=0):
        self.record = <Record *> lines(sizeof(Record))
        if self.record == NULL:
            raise MemoryError("no memory for a record")
        self.set(bids, asks, flags)

    def __dealloc__(self):
        free(self.record)

    def set(self, bids, asks, int flags=0):
        """Replace the record: up to ten (price, size) pairs a side, best first, unchecked."""
        cdef int side, i
        memset(self.record, 0, sizeof(Record))
        self.record.kind = REC_BOOK
        self.record.flags = flags
        for side, levels in enumerate((bids, asks)):
            if len(levels) > DEPTH:
                raise ValueError(f"{len(levels)} levels are more than {DEPTH}")
            for i, (px, qty) in enumerate(levels):
                level_set(self.record, side, i, px, qty)
        self.record.n_bids = len(bids)
        self.record.n_asks = len(asks)

    def corrupt(self, field, long long value):
        """Overwrite one field of the header line, as a broken feed would: kind, n_bids, n_asks,
        bid, bid_qty, ask or ask_qty."""
        if field == "kind":
            self.record.kind = value
        elif field == "n_bids":
            self.record.n_bids = value
        elif field == "n_asks":
            self.record.n_asks = value
        elif field == "bid":
            self.record.bid = value
        elif field == "bid_qty":
            self.record.bid_qty = value
        elif field == "ask":
            self.record.ask = value
        elif field == "ask_qty":
            self.record.ask_qty = value
        else:
            raise ValueError(f"{field!r} is not a field of the header line")

    def same_touch(self, BookProbe other not None):
        """Return whether best prices and sizes equal those of another record."""
        return bool(book_same_touch(self.record, other.record))

    def check(self):
        """Return why the record cannot be believed, a BookFault."""
        return book_check(self.record)

    def classify(self):
        """Return the state of the touch, a BookClass."""
        return book_class(self.record)

    def mid2(self):
        """Return bid + ask in half ticks, 0 when a side is empty."""
        return book_mid2(self.record)

    def spread(self):
        """Return ask - bid in ticks, PX_MAX when a side is empty."""
        return book_spread(self.record)

    def spread_above(self, int ppm):
        """Return whether the spread is more than `ppm` of the mid."""
        return bool(book_spread_above(self.record, ppm))

    def spread_ppm(self):
        """Return the spread in ppm of the mid, rounded down, -1 when a side is empty."""
        return book_spread_ppm(self.record)

    def qty(self, int side, int levels=DEPTH):
        """Return the lots on the best `levels` levels."""
        return book_qty(self.record, checked_side(side), levels)

    def notional(self, int side, int levels=DEPTH):
        """Return the sum of price x size over the best `levels` levels, in quanta."""
        return wide(book_notional(self.record, checked_side(side), levels))

    def vwap(self, int side, int levels=DEPTH):
        """Return the average price of the best `levels` levels in 1/65536 tick, rounded down."""
        return book_vwap(self.record, checked_side(side), levels)

    def vwap_mid(self, int levels=DEPTH):
        """Return the middle of both VWAPs in 1/65536 tick, rounded down."""
        return book_vwap_mid(self.record, levels)

    def imbalance(self, int levels=DEPTH):
        """Return the imbalance of the best `levels` levels, -100 to 100."""
        return book_imbalance(self.record, levels)

    def touch_imbalance(self):
        """Return the imbalance of the touch in ppm."""
        return book_touch_imbalance(self.record)

    def depth_ticks(self, int side, long long ticks):
        """Return the lots at most `ticks` behind the side's best price."""
        return book_depth_ticks(self.record, checked_side(side), ticks)

    def depth_ppm(self, int side, int ppm):
        """Return the lots at most `ppm` of the mid away from the mid."""
        return book_depth_ppm(self.record, checked_side(side), ppm)

    def sweep(self, int side, long long qty):
        """Return what taking `qty` lots out of `side` meets.

        filled (lots), levels, best and worst (ticks), cost and slippage (quanta), price (average,
        1/65536 tick, rounded down).
        """
        cdef Sweep out
        book_sweep(self.record, checked_side(side), qty, &out)
        return {
            "filled": out.filled,
            "levels": out.levels,
            "best": out.best,
            "worst": out.worst,
            "cost": wide(out.cost),
            "slippage": wide(book_sweep_slippage(&out)),
            "price": book_sweep_price(&out),
        }

    def microprice(self):
        """Return the microprice in 1/256 tick, 0 when there is none."""
        return book_microprice(self.record)

    def weighted_mid(self):
        """Return the size-weighted mid in 1/65536 tick, rounded down, 0 when a side is empty."""
        return book_weighted_mid(self.record)

    def queue_ahead(self, int side, long long px, long long own=0):
        """Return the most lots of others in front of us at `px`, -1 when unknown."""
        return book_queue_ahead(self.record, checked_side(side), px, own)

    def repeat(self, str verb, uint64_t times):
        """Call one verb `times` times in C on a touch that moves a lot to and fro.

        Verbs: check, imbalance, microprice, vwap. Return the sum of the answers, so that no
        compiler drops the work.
        """
        cdef uint64_t i, total = 0
        cdef int which
        cdef tuple verbs = ("check", "imbalance", "microprice", "vwap")
        if verb not in verbs:
            raise ValueError(f"{verb!r} is not one of {', '.join(verbs)}")
        which = verbs.index(verb)
        with nogil:
            for i in range(times):
                self.record.bid_qty += 1 if i & 1 == 0 else -1
                self.record.bids_qty[0] = self.record.bid_qty
                if which == 0:
                    total += book_check(self.record)
                elif which == 1:
                    total += book_imbalance(self.record, DEPTH)
                elif which == 2:
                    total += book_microprice(self.record)
                else:
                    total += book_vwap(self.record, BID, DEPTH)
        return total
