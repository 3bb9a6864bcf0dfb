"""The volume quota: what a create or an amend costs, what trading earns, when to be frugal."""

from libc.stdint cimport int64_t

from bog._core.fixed cimport mul_div
from bog._core.types cimport StrategyParams, ns_t, px_t, quanta_t

cdef extern from "quota.h" nogil:
    enum: QUOTA_WIDEST "BOG_QUOTA_WIDEST"

    ctypedef struct Quota "bog_quota_t":
        int64_t left
        quanta_t volume
        quanta_t rest
        ns_t free_ns


cdef inline void quota_init(Quota *q, const StrategyParams *params, quanta_t volume) noexcept nogil:
    """Begin with what the tier grants, at an account that has traded `volume` quanta so far."""
    q.left = params.quota_start
    q.volume = volume
    q.rest = 0
    q.free_ns = 0


cdef inline void quota_trade(
    Quota *q, const StrategyParams *params, quanta_t volume
) noexcept nogil:
    """Credit what was traded since the last call, whole units only; the rest is kept for the next."""
    if params.quota_start <= 0 or params.quota_quanta <= 0 or volume <= q.volume:
        return
    q.rest += volume - q.volume
    q.volume = volume
    q.left += q.rest // params.quota_quanta
    q.rest %= params.quota_quanta


cdef inline void quota_spend(Quota *q, const StrategyParams *params, ns_t now) noexcept nogil:
    """Count one create or amend: free once in quota_free_ns, else one of what is left."""
    if params.quota_start <= 0:
        return
    if params.quota_free_ns > 0 and now >= q.free_ns:
        q.free_ns = now + params.quota_free_ns
    elif q.left > 0:
        q.left -= 1


cdef inline int quota_short(
    const Quota *q, const StrategyParams *params, int reducing, ns_t now
) noexcept nogil:
    """Return 1 when no create or amend may be sent now. Cancels need not ask.

    The reserve is for orders that reduce the position, the free one for whoever comes first.
    """
    if params.quota_start <= 0 or (params.quota_free_ns > 0 and now >= q.free_ns):
        return 0
    return q.left <= (0 if reducing else params.quota_reserve)


cdef inline px_t quota_widen(
    const Quota *q, const StrategyParams *params, px_t ticks
) noexcept nogil:
    """Return a threshold of persistence, wider the less is left: 1 to 4 times `ticks`, rounded down.

    Once at the grant or above, four times at the reserve or below, in proportion between.
    """
    cdef int64_t span = params.quota_start - params.quota_reserve
    cdef int64_t used = params.quota_start - q.left
    if used <= 0 or span <= 0:
        return ticks
    return ticks + mul_div((QUOTA_WIDEST - 1) * ticks, used if used < span else span, span)
