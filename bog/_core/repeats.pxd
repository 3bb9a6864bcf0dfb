"""Too much of the same in too short a time: fills, or refusals by the venue."""

from libc.stdint cimport int64_t, uint64_t

from bog._core.types cimport ns_t

cdef extern from "repeats.h" nogil:
    enum: REPEATS "BOG_REPEATS"

    ctypedef struct Repeats "bog_repeats_t":
        uint64_t n
        ns_t at_ns[256]


cdef inline int repeats_note(Repeats *r, ns_t now, int64_t most, ns_t window_ns) noexcept nogil:
    """Note one at `now`; return 1 when it and more than `most - 1` before lie within `window_ns`.

    Two that are exactly `window_ns` apart are not within it. `most` counts as REPEATS - 1 at most,
    below 0 as 0.
    """
    cdef uint64_t allowed = 0
    if most > 0:
        allowed = <uint64_t>most if most < REPEATS else REPEATS - 1
    r.at_ns[r.n % REPEATS] = now
    r.n += 1
    if r.n <= allowed:
        return 0
    return now - r.at_ns[(r.n - 1 - allowed) % REPEATS] < window_ns
