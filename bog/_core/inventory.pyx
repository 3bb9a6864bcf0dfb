"""A Python handle on the inventory strategy's quote verb, for tests, benchmarks and notebooks."""

cimport cython
from libc.stdlib cimport free
from libc.string cimport memset

from bog._core.inventory cimport (
    MODEL_STEPS, Model, StrategyMemory, inventory_quote, inventory_shift_q16, inventory_snap,
)
from bog._core.memory cimport lines
from bog._core.record cimport level_set
from bog._core.strategy cimport Quote
from bog._core.types cimport (
    DEPTH, REC_BOOK, STRATEGY_ACTIVE, Order, Record, StrategyParams,
)


@cython.final
cdef class InventoryProbe:
    """The quote verb with a book and a model; `params` are fields of StrategyParams, 0 if left out."""

    cdef StrategyParams *params
    cdef StrategyMemory *memory
    cdef Record *record
    cdef Quote *quoted

    def __cinit__(self, dict params):
        self.params = <StrategyParams *> lines(sizeof(StrategyParams))
        self.memory = <StrategyMemory *> lines(sizeof(StrategyMemory))
        self.record = <Record *> lines(sizeof(Record))
        self.quoted = <Quote *> lines(sizeof(Quote))
        if not (self.params and self.memory and self.record and self.quoted):
            raise MemoryError("no memory for a strategy")
        self.params[0] = {**self.params[0], **params}
        self.memory.state = STRATEGY_ACTIVE

    def __dealloc__(self):
        free(self.params)
        free(self.memory)
        free(self.record)
        free(self.quoted)

    def book(self, bids, asks):
        """Replace the book: up to ten (price, size) pairs a side, best first, taken as they are."""
        cdef int side, i
        memset(self.record, 0, sizeof(Record))
        self.record.kind = REC_BOOK
        for side, levels in enumerate((bids, asks)):
            if len(levels) > DEPTH:
                raise ValueError(f"{len(levels)} levels are more than {DEPTH}")
            for i, (px, qty) in enumerate(levels):
                level_set(self.record, side, i, px, qty)
        self.record.n_bids, self.record.n_asks = len(bids), len(asks)

    def model(self, long long half_q16, list shift_q16):
        """Set the model: half spread, and an odd number of shifts from short to long, 3 to 33."""
        cdef Model *model = &self.memory.model
        steps = len(shift_q16) // 2
        if len(shift_q16) != 2 * steps + 1 or not 1 <= steps <= MODEL_STEPS:
            raise ValueError(f"{len(shift_q16)} shifts: want an odd number from 3 to 33")
        model.half_q16 = half_q16
        model.steps = steps
        for i, shift in enumerate(shift_q16):
            model.shift_q16[i] = shift

    def state(self, int state):
        """Set the strategy's state, a StrategyState."""
        self.memory.state = state

    def shift_q16(self, long long pos):
        """Return the shift of both quotes at a position, Q16 ticks."""
        return inventory_shift_q16(&self.memory.model, pos, self.params.max_pos)

    def quote(self, long long pos=0):
        """Quote at a signed position and return the fields of Quote as a dictionary."""
        inventory_quote(
            self.params, self.memory, self.record, <const Order *> NULL, 0, pos, self.quoted
        )
        return {
            "bid_px": self.quoted.bid_px,
            "bid_qty": self.quoted.bid_qty,
            "ask_px": self.quoted.ask_px,
            "ask_qty": self.quoted.ask_qty,
            "fair2": self.quoted.fair2,
            "half_ticks": self.quoted.half_ticks,
            "floor_ticks": self.quoted.floor_ticks,
            "why": (self.quoted.why[0], self.quoted.why[1]),
        }


def snap(long long px, long long interval):
    """Return the largest multiple of `interval` at or below px."""
    if interval <= 0:
        raise ValueError(f"interval {interval} is not positive")
    return inventory_snap(px, interval)
