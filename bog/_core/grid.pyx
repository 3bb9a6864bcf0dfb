"""A Python handle on the grid's verbs, for tests, benchmarks and notebooks."""

cimport cython
from libc.stdint cimport uint32_t
from libc.stdlib cimport free
from libc.string cimport memset

from bog._core.grid cimport (
    GRID_ORDERS, GridStep, Ladder, grid_interval, grid_plan, grid_want,
)
from bog._core.memory cimport lines
from bog._core.quota cimport Quota, quota_init
from bog._core.strategy cimport Quote
from bog._core.types cimport NEVER, Order, StrategyParams, ns_t

MOST = GRID_ORDERS
CAP = 32


@cython.final
cdef class GridProbe:
    """One side of a grid: what it wants, what lives, and the next step.

    `params` are fields of StrategyParams, 0 if left out. The fair price is `fair2` half ticks, the fee
    floor `floor_ticks`.
    """

    cdef StrategyParams *params
    cdef Quote *quoted
    cdef Order *orders
    cdef Ladder *ladder
    cdef Quota quota
    cdef uint32_t live

    def __cinit__(self, dict params, long long fair2=0, long long floor_ticks=0):
        self.params = <StrategyParams *> lines(sizeof(StrategyParams))
        self.quoted = <Quote *> lines(sizeof(Quote))
        self.orders = <Order *> lines(CAP * sizeof(Order))
        self.ladder = <Ladder *> lines(sizeof(Ladder))
        if not (self.params and self.quoted and self.orders and self.ladder):
            raise MemoryError("no memory for a grid")
        self.params[0] = {**self.params[0], **params}
        self.quoted.fair2 = fair2
        self.quoted.floor_ticks = floor_ticks
        quota_init(&self.quota, self.params, 0)

    def __dealloc__(self):
        free(self.params)
        free(self.quoted)
        free(self.orders)
        free(self.ladder)

    def want(self, int side, long long px, long long interval, long long pos=0, long long qty=1):
        """Want a ladder on `side` from px on, at a position; return its (price, size), nearest first.

        With `qty` 0 the quote has no such side.
        """
        self.quoted.bid_px = self.quoted.ask_px = px
        self.quoted.bid_qty = self.quoted.ask_qty = qty
        self.quoted.half_ticks = interval
        grid_want(self.params, self.quoted, side, interval, pos, self.ladder)
        return [(self.ladder.px[i], self.ladder.qty[i]) for i in range(self.ladder.n)]

    def order(
        self, int slot, long long px, long long qty, int state, int side=0, long long filled=0,
        long long amend_px=0, long long amend_qty=0, ns_t touched_ns=0, ns_t expiry_ns=NEVER,
        unsigned long long id=0,
    ):
        """Let an order live in a slot; its id is the slot's number from 1 unless given."""
        cdef Order *o
        if not 0 <= slot < CAP:
            raise ValueError(f"slot {slot} is not between 0 and {CAP - 1}")
        o = &self.orders[slot]
        memset(o, 0, sizeof(Order))
        o.id = id if id else slot + 1
        o.px, o.qty, o.filled, o.side, o.state = px, qty, filled, side, state
        o.amend_px, o.amend_qty, o.touched_ns, o.expiry_ns = amend_px, amend_qty, touched_ns, expiry_ns
        self.live |= <uint32_t> 1 << slot

    def gone(self, int slot):
        """Prove the order of a slot dead."""
        self.live &= ~(<uint32_t> 1 << slot)

    def plan(self, ns_t now=0, bint paced=True, unsigned int refused=0, ns_t retry_ns=1_000_000_000):
        """Return the next step: (GridStepKind, slot, level, price, size, wrong side)."""
        cdef GridStep step
        self.ladder.paced = paced
        self.ladder.refused = refused
        grid_plan(
            self.ladder, self.params, &self.quota, self.quoted, self.orders, self.live, now,
            retry_ns, &step,
        )
        return step.kind, step.slot, step.level, step.px, step.qty, bool(step.wrong)


def interval(long long had, long long half, long long threshold):
    """Return the interval for a half spread rounded to ticks, after one of `had` (0: none)."""
    return grid_interval(had, half, threshold)
