"""A Python handle on simple_spread, for tests, benchmarks and notebooks."""

cimport cython
from libc.stdint cimport uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from bog._core.memory cimport lines
from bog._core.quota cimport Quota, quota_init
from bog._core.record cimport level_set
from bog._core.strategy cimport (
    Quote, strategy_floor_ratio, strategy_moves, strategy_own, strategy_paced, strategy_quote,
    strategy_threshold,
)
from bog._core.types cimport (
    BID, DEPTH, NEVER, ORDER_EXPIRED, PX_MAX, QTY_MAX, REC_BOOK, Order, Record,
    StrategyParams, px_t,
)

cdef enum:
    SLOTS = 32

RATES = ("half_ppm", "skew_ppm", "maker_ppm", "edge_ppm", "min_spread_ppm", "max_spread_ppm")


@cython.final
cdef class StrategyProbe:
    """The strategy with a book, 32 order slots and its last quote.

    Keywords are the fields of StrategyParams. Fields left out are 0, but max_valid_px is the
    largest price, max_spread_ppm a million, size_off_ppm 250_000.
    """

    cdef StrategyParams *params
    cdef Record *record
    cdef Order *orders
    cdef Quote *quoted
    cdef Quota quota

    def __cinit__(self, **params):
        self.params = <StrategyParams *> lines(sizeof(StrategyParams))
        self.record = <Record *> lines(sizeof(Record))
        self.orders = <Order *> lines(SLOTS * sizeof(Order))
        self.quoted = <Quote *> lines(sizeof(Quote))
        if not (self.params and self.record and self.orders and self.quoted):
            raise MemoryError("no memory for a strategy")
        self.params.max_valid_px = PX_MAX - 1
        self.params.max_spread_ppm = 1_000_000
        self.params.size_off_ppm = 250_000
        self.configure(**params)

    def __dealloc__(self):
        free(self.params)
        free(self.record)
        free(self.orders)
        free(self.quoted)

    def configure(self, **params):
        """Set some fields of StrategyParams; raise on an unknown field or a rate past 1e6 ppm."""
        cdef StrategyParams *p = self.params
        for name, value in params.items():
            if name in RATES and not -1_000_000 <= value <= 1_000_000:
                raise ValueError(f"{name} {value} is not between -1000000 and 1000000 ppm")
            if name == "max_pos" and not 0 <= value < QTY_MAX:
                raise ValueError(f"max_pos {value} is not between 0 and {QTY_MAX - 1} lots")
            if name == "half_ppm":
                p.half_ppm = value
            elif name == "skew_ppm":
                p.skew_ppm = value
            elif name == "maker_ppm":
                p.maker_ppm = value
            elif name == "edge_ppm":
                p.edge_ppm = value
            elif name == "min_spread_ppm":
                p.min_spread_ppm = value
            elif name == "max_spread_ppm":
                p.max_spread_ppm = value
            elif name == "order_qty":
                p.order_qty = value
            elif name == "min_order":
                p.min_order = value
            elif name == "max_pos":
                p.max_pos = value
            elif name == "min_valid_px":
                p.min_valid_px = value
            elif name == "max_valid_px":
                p.max_valid_px = value
            elif name == "min_touch_qty":
                p.min_touch_qty = value
            elif name == "requote_ticks":
                p.requote_ticks = value
            elif name == "size_off_ppm":
                p.size_off_ppm = value
            elif name == "min_interval_ns":
                p.min_interval_ns = value
            elif name == "order_life_ns":
                p.order_life_ns = value
            elif name == "expiry_margin_ns":
                p.expiry_margin_ns = value
            elif name == "own_in_book":
                p.own_in_book = value
            elif name == "quota_start":
                p.quota_start = value
            elif name == "quota_reserve":
                p.quota_reserve = value
            else:
                raise ValueError(f"{name!r} is not a field of StrategyParams that the verbs read")
        quota_init(&self.quota, p, 0)

    def left(self, long long left):
        """Set what is left of the quota."""
        self.quota.left = left

    def book(self, bids, asks, int kind=REC_BOOK):
        """Replace the book: up to ten (price, size) pairs a side, best first, taken as they are."""
        cdef int side, i
        memset(self.record, 0, sizeof(Record))
        self.record.kind = kind
        for side, levels in enumerate((bids, asks)):
            if len(levels) > DEPTH:
                raise ValueError(f"{len(levels)} levels are more than {DEPTH}")
            for i, (px, qty) in enumerate(levels):
                level_set(self.record, side, i, px, qty)
        self.record.n_bids = len(bids)
        self.record.n_asks = len(asks)

    def order(
        self, int slot, int side, long long px, long long qty, long long filled=0, int state=3,
        long long expiry_ns=NEVER,
    ):
        """Fill one of the 32 order slots; state is an OrderState, resting by default."""
        if not 0 <= slot < SLOTS:
            raise ValueError(f"slot {slot} is not between 0 and {SLOTS - 1}")
        if not 0 <= state <= ORDER_EXPIRED:
            raise ValueError(f"state {state} is not an OrderState")
        cdef Order *order = &self.orders[slot]
        memset(order, 0, sizeof(Order))
        order.id = slot + 1
        order.side = side
        order.px = px
        order.qty = qty
        order.filled = filled
        order.state = state
        order.expiry_ns = expiry_ns

    def own(self, int side, long long px):
        """Return the lots of ours that the published book holds on `side` at `px`."""
        return strategy_own(self.orders, SLOTS, side, px)

    def quote(self, long long pos=0):
        """Quote at a signed position and return the fields of Quote as a dictionary."""
        strategy_quote(self.params, self.record, self.orders, SLOTS, pos, self.quoted)
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

    def want(
        self, int side, long long px, long long qty, long long fair2=0, long long half_ticks=0,
        long long floor_ticks=0,
    ):
        """Write one side of the last quote by hand, to ask `moves` about it."""
        if side == BID:
            self.quoted.bid_px = px
            self.quoted.bid_qty = qty
        else:
            self.quoted.ask_px = px
            self.quoted.ask_qty = qty
        self.quoted.fair2 = fair2
        self.quoted.half_ticks = half_ticks
        self.quoted.floor_ticks = floor_ticks

    def threshold(self):
        """Return the ticks from which the last quote moves a resting order."""
        return strategy_threshold(self.params, &self.quota, self.quoted)

    def moves(self, int slot, long long now=0):
        """Return the Move that the last quote asks of the order in `slot`."""
        if not 0 <= slot < SLOTS:
            raise ValueError(f"slot {slot} is not between 0 and {SLOTS - 1}")
        cdef Order *order = &self.orders[slot]
        return strategy_moves(self.params, &self.quota, self.quoted, order.side, order, now)

    def paced(self, long long last_ns, long long now):
        """Return whether a side changed at `last_ns` may change again at `now`."""
        return bool(strategy_paced(self.params, last_ns, now))

    def repeat(self, uint64_t times, int orders=2, long long pos=0):
        """Quote and judge both sides `times` times on a book that moves a tick to and fro.

        Return the sum of bids, asks and moves, so that no compiler drops the work. The first two
        order slots stand for the resting bid and ask.
        """
        cdef uint64_t i, total = 0
        cdef px_t step
        if not 0 <= orders <= SLOTS:
            raise ValueError(f"{orders} orders are not between 0 and {SLOTS}")
        with nogil:
            for i in range(times):
                step = 1 if i & 1 else -1
                self.record.bid += step
                self.record.ask += step
                self.record.bids_px[0] += step
                self.record.asks_px[0] += step
                strategy_quote(self.params, self.record, self.orders, orders, pos, self.quoted)
                total += self.quoted.bid_px + self.quoted.ask_px
                total += strategy_moves(self.params, &self.quota, self.quoted, 0, &self.orders[0], i)
                total += strategy_moves(self.params, &self.quota, self.quoted, 1, &self.orders[1], i)
        return total


def floor_ratio(long long num, long long den):
    """Return floor(num / den) for den > 0, by the verb that rounds both sides of a quote."""
    if den <= 0:
        raise ValueError(f"denominator {den} is not positive")
    return strategy_floor_ratio(num, den)
