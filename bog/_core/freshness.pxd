"""Is the feed's content fresh, and has the feed been good for long enough to quote on it.

A book that arrives late, early, or with a time of the venue that does not move is not quoted on
(DENY_DELAYED). After any doubt, and at the start, quoting waits for warm_up_books good books and
for warm_up_ns since the first of them (DENY_WARMING).
"""

from libc.stdint cimport int64_t, uint32_t

from bog._core.fixed cimport apart
from bog._core.types cimport ALLOW, DENY_DELAYED, DENY_WARMING, Limits, ns_t

cdef extern from "freshness.h" nogil:
    ctypedef struct Freshness "bog_freshness_t":
        ns_t exch_ns
        ns_t moved_ns
        ns_t good_ns
        int64_t good
        uint32_t delayed
        uint32_t warm


cdef inline void freshness_doubt(Freshness *f) noexcept nogil:
    """Begin to warm up anew, with the next good book."""
    f.good = 0
    f.warm = 0


cdef inline int freshness_book(
    Freshness *f, const Limits *limits, ns_t now, ns_t exch_ns
) noexcept nogil:
    """Judge the venue's time of a book that is looked at `now`; return 1 when it is delayed.

    Delayed: more than max_feed_delay_ns before or after our own Unix time, or for longer than that
    no later than one seen before (frozen). 0 is an unknown time, which judges nothing.
    """
    f.delayed = 0
    if exch_ns == 0:
        return 0
    if apart(now + limits.unix_offset_ns, exch_ns, limits.max_feed_delay_ns):
        f.delayed = 1
    elif exch_ns > f.exch_ns:
        f.exch_ns = exch_ns
        f.moved_ns = now
    elif now - f.moved_ns > limits.max_feed_delay_ns:
        f.delayed = 1
    if f.delayed:
        freshness_doubt(f)
    return f.delayed


cdef inline void freshness_good(Freshness *f, ns_t now) noexcept nogil:
    """Count a book that nothing speaks against."""
    if f.good == 0:
        f.good_ns = now
    f.good += 1


cdef inline int freshness_verdict(Freshness *f, const Limits *limits, ns_t now) noexcept nogil:
    """Return ALLOW, DENY_DELAYED or DENY_WARMING; what is warm stays so until the next doubt."""
    if f.delayed:
        return DENY_DELAYED
    if f.warm:
        return ALLOW
    if f.good < limits.warm_up_books or now - f.good_ns < limits.warm_up_ns:
        return DENY_WARMING
    f.warm = 1
    return ALLOW
