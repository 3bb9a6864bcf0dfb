"""A Python handle on the portfolio limit: some shares, what each holds, the room of each."""

cimport cython
from libc.stdlib cimport free
from libc.string cimport memset

from bog._core.exposure cimport Exposure
from bog._core.memory cimport lines
from bog._core.portfolio cimport (
    HELD_MAX, SHARES, Portfolio, Share, portfolio_hold, portfolio_room, portfolio_worst,
)

MOST = HELD_MAX


@cython.final
cdef class PortfolioProbe:
    """A limit in units over markets whose quanta are `units` units each."""

    cdef Portfolio portfolio
    cdef Share *share
    cdef readonly int n

    def __cinit__(self, long long limit, units):
        self.n = len(units)
        if not 1 <= self.n <= SHARES:
            raise ValueError(f"{self.n} markets: want 1 to {SHARES}")
        self.portfolio.limit = limit
        self.share = <Share *> lines(self.n * sizeof(Share))
        if self.share == NULL:
            raise MemoryError("no memory for shares")
        for i, unit in enumerate(units):
            self.share[i].unit = unit

    def __dealloc__(self):
        free(self.share)

    cdef Share *at(self, int market) except NULL:
        if not 0 <= market < self.n:
            raise IndexError(f"market {market} of {self.n}")
        return &self.share[market]

    def hold(self, int market, long long worst):
        """Count `worst` quanta as what `market` may come to hold."""
        portfolio_hold(&self.portfolio, self.at(market), worst)

    def room(self, int market):
        """Return how many quanta `market` may come to hold."""
        return portfolio_room(&self.portfolio, self.at(market))

    def sum(self):
        """Return the sum of the worst cases, in units."""
        return self.portfolio.sum


def worst(long long pos, rem, top, long long mid2):
    """Return portfolio_worst: `rem` and `top` by side, lots and ticks; `mid2` in half ticks."""
    cdef Exposure open
    memset(&open, 0, sizeof(Exposure))
    open.rem[0], open.rem[1] = rem
    open.top[0], open.top[1] = top
    return portfolio_worst(pos, &open, mid2)
