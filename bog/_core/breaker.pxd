"""The market breaker: is this book too wide, or too far from the last one that was believed.

Integers only: prices are below PX_MAX = 2**40 ticks and rates at most 1e6 ppm, so that each product
fits 62 bits.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from bog._core.types cimport VIOLATION_MOVE, VIOLATION_NONE, VIOLATION_SPREAD, Limits, px_t

cdef extern from "breaker.h" nogil:
    ctypedef struct Breaker "bog_breaker_t":
        px_t mid2
        int64_t count
        uint64_t violation


cdef inline void breaker_reset(Breaker *b) noexcept nogil:
    """Forget the reference and the count: the next book that is not too wide is believed."""
    memset(b, 0, sizeof(Breaker))


cdef inline int breaker_violated(Breaker *b, int violation) noexcept nogil:
    """Count a violation of a book without a mid to judge, and return it."""
    b.violation = violation
    b.count += 1
    return violation


cdef inline int breaker_judge(
    const Breaker *b, const Limits *limits, px_t bid, px_t ask
) noexcept nogil:
    """Return what is wrong with a book with 0 < bid < ask < PX_MAX (enum Violation).

    Exactly the limit passes: a spread of breaker_spread_ppm of the mid, a move of breaker_move_ppm
    of the reference.
    """
    cdef px_t mid2 = bid + ask, move = mid2 - b.mid2
    if (ask - bid) * 2_000_000 > limits.breaker_spread_ppm * mid2:
        return VIOLATION_SPREAD
    if b.mid2 > 0 and (
        (move if move > 0 else -move) * 1_000_000 > limits.breaker_move_ppm * b.mid2
    ):
        return VIOLATION_MOVE
    return VIOLATION_NONE


cdef inline int breaker_look(
    Breaker *b, const Limits *limits, px_t bid, px_t ask
) noexcept nogil:
    """Judge a book and remember it; return what breaker_judge does.

    What passes is the new reference and ends the row of violations.
    """
    cdef px_t mid2 = bid + ask
    cdef int violation = breaker_judge(b, limits, bid, ask)
    if violation != VIOLATION_NONE:
        return breaker_violated(b, violation)
    b.mid2 = mid2
    b.count = 0
    b.violation = VIOLATION_NONE
    return VIOLATION_NONE


cdef inline int breaker_tripped(const Breaker *b, const Limits *limits) noexcept nogil:
    """Return 1 when as many violations came in a row as halt the market."""
    return b.count > 0 and b.count >= limits.breaker_violations
