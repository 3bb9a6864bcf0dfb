"""A Python handle on the freshness of a feed, for tests and notebooks."""

cimport cython
from libc.string cimport memset

from bog._core.freshness cimport (
    Freshness, freshness_book, freshness_doubt, freshness_good, freshness_verdict,
)
from bog._core.types cimport Limits


@cython.final
cdef class FreshnessProbe:
    """One feed's freshness. Times in ns: `now` on our clock, `exch_ns` the venue's, Unix."""

    cdef Freshness freshness
    cdef Limits limits

    def __cinit__(
        self, long long max_delay_ns=1_000_000_000, long long books=5,
        long long warm_up_ns=1_000_000_000, long long unix_offset_ns=0,
    ):
        memset(&self.limits, 0, sizeof(Limits))
        memset(&self.freshness, 0, sizeof(Freshness))
        self.limits.max_feed_delay_ns = max_delay_ns
        self.limits.warm_up_books = books
        self.limits.warm_up_ns = warm_up_ns
        self.limits.unix_offset_ns = unix_offset_ns

    def book(self, long long now, long long exch_ns):
        """Show a book's times; count it as good unless it is delayed. Return whether it is."""
        if freshness_book(&self.freshness, &self.limits, now, exch_ns):
            return True
        freshness_good(&self.freshness, now)
        return False

    def doubt(self):
        """Begin to warm up anew."""
        freshness_doubt(&self.freshness)

    def verdict(self, long long now):
        """Return ALLOW, DENY_DELAYED or DENY_WARMING."""
        return freshness_verdict(&self.freshness, &self.limits, now)
