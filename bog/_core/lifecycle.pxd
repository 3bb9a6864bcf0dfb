"""The life of a strategy: init, warming, active, paused, draining, stopped."""

from libc.stdint cimport uint8_t

from bog._core.types cimport STRATEGY_STATES, STRATEGY_STOPPED

cdef extern from "lifecycle.h" nogil:
    cpdef enum Truth "bog_truth":
        TRUTH_BOOK "BOG_TRUTH_BOOK"
        TRUTH_WARM "BOG_TRUTH_WARM"
        TRUTH_COLD "BOG_TRUTH_COLD"
        TRUTH_PAUSE "BOG_TRUTH_PAUSE"
        TRUTH_DRAIN "BOG_TRUTH_DRAIN"
        TRUTH_GONE "BOG_TRUTH_GONE"
        TRUTHS "BOG_TRUTHS"

    const uint8_t lifecycle_table "bog_lifecycle_next"[6][6]


cdef inline int lifecycle_next(int state, int truth) noexcept nogil:
    """Return where a strategy in `state` goes when `truth` holds (enum StrategyState).

    A state or a truth that is none reads as the strictest: stopped.
    """
    if not (0 <= state < STRATEGY_STATES and 0 <= truth < TRUTHS):
        return STRATEGY_STOPPED
    return lifecycle_table[state][truth]
