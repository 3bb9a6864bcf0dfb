"""The limit over all markets: what each may come to hold at worst, and the room that is left.

The loop asks for the room before a turn of a market and counts its worst case after it; the gate
compares (risk_room). Says what portfolio.h says.
"""

from libc.stdint cimport INT64_MAX, int64_t

from bog._core.exposure cimport Exposure
from bog._core.fixed cimport add_overflows, mul_overflows
from bog._core.types cimport px_t, qty_t, quanta_t

cdef extern from "portfolio.h" nogil:
    enum: SHARES "BOG_SHARES"
    const int64_t HELD_MAX "BOG_HELD_MAX"

    ctypedef struct Portfolio "bog_portfolio_t":
        int64_t limit
        int64_t sum

    ctypedef struct Share "bog_share_t":
        int64_t unit
        int64_t held


cdef inline quanta_t portfolio_side(qty_t pos, qty_t rem, px_t px) noexcept nogil:
    """Return (pos + rem) x px where that is above 0, INT64_MAX where it does not fit."""
    cdef qty_t worst = 0
    cdef quanta_t value = 0
    if add_overflows(pos, rem, &worst):
        return INT64_MAX
    if worst <= 0:
        return 0
    return INT64_MAX if mul_overflows(worst, px, &value) else value


cdef inline quanta_t portfolio_worst(
    qty_t pos, const Exposure *open, px_t mid2
) noexcept nogil:
    """Return the most that a market may come to hold, in quanta: the worse of long and short.

    The position and all of a side that may still fill, at the mid rounded up or at the highest
    price of the side, whichever is more. `mid2` is in half ticks.
    """
    cdef px_t mid = (mid2 >> 1) + (mid2 & 1)
    cdef quanta_t bought, sold
    if pos < -INT64_MAX:
        return INT64_MAX
    bought = portfolio_side(pos, open.rem[0], mid if mid > open.top[0] else open.top[0])
    sold = portfolio_side(-pos, open.rem[1], mid if mid > open.top[1] else open.top[1])
    return bought if bought > sold else sold


cdef inline void portfolio_hold(Portfolio *p, Share *share, quanta_t worst) noexcept nogil:
    """Count `worst` quanta as what a market may come to hold."""
    cdef int64_t held = 0
    if worst > 0 and (mul_overflows(worst, share.unit, &held) or held > HELD_MAX):
        held = HELD_MAX
    p.sum += held - share.held
    share.held = held


cdef inline quanta_t portfolio_room(const Portfolio *p, const Share *share) noexcept nogil:
    """Return how many quanta a market may come to hold while the others hold what they do.

    Rounded down, and never below 0: worst <= room exactly when the sum would stay in the limit.
    """
    cdef int64_t room = p.limit - (p.sum - share.held)
    return room // share.unit if room > 0 else 0
