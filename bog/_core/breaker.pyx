"""A Python handle on the market breaker, for tests and notebooks."""

cimport cython
from libc.string cimport memset

from bog._core.breaker cimport (
    Breaker, breaker_look, breaker_reset, breaker_tripped, breaker_violated,
)
from bog._core.types cimport PX_MAX, VIOLATION_PRICE, Limits


@cython.final
cdef class BreakerProbe:
    """One breaker. Prices in ticks; `spread_ppm` and `move_ppm` are the largest that pass."""

    cdef Breaker breaker
    cdef Limits limits

    def __cinit__(self, int spread_ppm=10_000, int move_ppm=100_000, long long violations=3):
        memset(&self.limits, 0, sizeof(Limits))
        self.limits.breaker_spread_ppm = spread_ppm
        self.limits.breaker_move_ppm = move_ppm
        self.limits.breaker_violations = violations
        breaker_reset(&self.breaker)

    def look(self, long long bid, long long ask):
        """Judge a book; return its Violation. ValueError for one that has no spread."""
        if not 0 < bid < ask < PX_MAX:
            raise ValueError(f"{bid} x {ask} is not a bid below an ask")
        return breaker_look(&self.breaker, &self.limits, bid, ask)

    def garbage(self):
        """Show a book with a price that cannot be; return its Violation."""
        return breaker_violated(&self.breaker, VIOLATION_PRICE)

    def reset(self):
        """Forget reference and count."""
        breaker_reset(&self.breaker)

    def state(self):
        """Return (reference in half ticks, violations in a row, whether they halt)."""
        return (
            self.breaker.mid2, self.breaker.count,
            bool(breaker_tripped(&self.breaker, &self.limits)),
        )
