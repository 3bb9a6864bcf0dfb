"""A Python handle on the loop's clock, for tests and notebooks."""

cimport cython
from libc.stdint cimport uint64_t
from libc.string cimport memset

from bog._core.clock cimport CLOCK_OFF_NS, Clock, clock_done, clock_now, mono_ns
from bog._core.types cimport ns_t

OFF_NS = CLOCK_OFF_NS


@cython.final
cdef class ClockProbe:
    """One clock, beside the host's own. Times are CLOCK_MONOTONIC, ns."""

    cdef Clock clock

    def __cinit__(self):
        memset(&self.clock, 0, sizeof(Clock))

    def look(self, bint done=False):
        """Return (the host's clock, this one, the host's again); `done` waits for all before."""
        cdef ns_t before = mono_ns()
        cdef ns_t now = clock_done(&self.clock) if done else clock_now(&self.clock)
        return before, now, mono_ns()

    @property
    def rate(self):
        """Nanoseconds a tick; 0.0 while each look is one at the host's clock."""
        return self.clock.rate / 2**32 if self.clock.far else 0.0

    def plant(self, double rate):
        """Believe `rate` ns a tick."""
        self.clock.rate = <uint64_t> (rate * 2**32)
