"""A Python handle on one position, for tests, benchmarks and notebooks."""

cimport cython
from libc.stdlib cimport free

from bog._core.memory cimport lines
from bog._core.position cimport (
    position_adopt, position_daily2, position_equity2, position_fill, position_funding,
    position_funding_due, position_holds, position_roll, position_sample_peak, position_unrealized2,
)
from bog._core.types cimport Position


@cython.final
cdef class PositionProbe:
    """One position. Prices in ticks, sizes in lots, money in quanta; at a mark, half quanta."""

    cdef Position *p

    def __cinit__(self):
        self.p = <Position *> lines(sizeof(Position))
        if self.p == NULL:
            raise MemoryError("no memory for a position")

    def __dealloc__(self):
        free(self.p)

    def fill(self, int side, long long px, long long qty, long long fee=0):
        """Book a fill; return False, with nothing changed, for one that is none or does not fit."""
        return position_fill(self.p, side, px, qty, fee) == 0

    def funding(self, long long paid):
        """Book a funding payment; return False, with nothing changed, when it does not fit."""
        return position_funding(self.p, paid) == 0

    def adopt(self, int side, long long lots, long long cost):
        """Hold what the venue says; return False, with nothing changed, when it does not fit."""
        return position_adopt(self.p, side, lots, cost) == 0

    def funding_due(self, long long mark, int rate_ppm):
        """Return what an hour at this mark and rate costs us, rounded against us."""
        return position_funding_due(self.p, mark, rate_ppm)

    def unrealized2(self, long long mark2):
        """Return the profit of the open part at a mark in half ticks."""
        return position_unrealized2(self.p, mark2)

    def equity2(self, long long mark2):
        """Return what the account earned since it began, at a mark in half ticks."""
        return position_equity2(self.p, mark2)

    def daily2(self, long long mark2):
        """Return what it earned since the day began."""
        return position_daily2(self.p, mark2)

    def roll(self, long long day, long long mark2):
        """Begin a UTC day; return False when it is not later than the current one."""
        return bool(position_roll(self.p, day, mark2))

    def sample_peak(self, long long mark2):
        """Raise the day's peak profit; return whether it rose."""
        return bool(position_sample_peak(self.p, mark2))

    def holds(self):
        """Return whether cash = realized - cost - fees + funding."""
        return bool(position_holds(self.p))

    def state(self):
        """Return every field by name."""
        return {
            "pos": self.p.pos, "cost": self.p.cost, "cash": self.p.cash,
            "realized": self.p.realized, "fees": self.p.fees, "funding": self.p.funding,
            "volume": self.p.volume, "fills": self.p.fills, "day": self.p.day,
            "day_open": self.p.day_open, "peak": self.p.peak, "mark2": self.p.mark2,
        }

    def load(self, **fields):
        """Set fields by name, as a restart does from the words of a journal."""
        for name, value in fields.items():
            if name == "pos":
                self.p.pos = value
            elif name == "cost":
                self.p.cost = value
            elif name == "cash":
                self.p.cash = value
            elif name == "realized":
                self.p.realized = value
            elif name == "fees":
                self.p.fees = value
            elif name == "funding":
                self.p.funding = value
            elif name == "volume":
                self.p.volume = value
            elif name == "day_open":
                self.p.day_open = value
            elif name == "peak":
                self.p.peak = value
            elif name == "day":
                self.p.day = value
            else:
                raise ValueError(f"{name!r} is not a field of a position")

    def churn(self, long long rounds):
        """Book `rounds` fills, alternately bought and sold, and return how many were refused."""
        cdef long long i
        cdef long long refused = 0
        with nogil:
            for i in range(rounds):
                refused += position_fill(self.p, i & 1, 1_210_400 + (i & 63), 1000 + (i & 7), 34)
        return refused
