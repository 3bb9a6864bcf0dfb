"""Where the price leans: shifts of the fair price that the sizes at the touch suggest."""

from libc.stdint cimport int64_t

from bog._core.fixed cimport i128
from bog._core.types cimport (
    MICRO_BUCKETS, MICRO_SPREADS, StrategyParams, ppm_t, px_t, qty_t,
)


cdef inline ppm_t signals_imbalance(qty_t bid_qty, qty_t ask_qty) noexcept nogil:
    """Return (bid - ask) / (bid + ask) in ppm, rounded towards zero; 0 when there is no size.

    The sizes are the others': our own are taken out before.
    """
    if bid_qty + ask_qty <= 0:
        return 0
    return <ppm_t> (<i128> (bid_qty - ask_qty) * 1000000 // (bid_qty + ask_qty))


cdef inline int64_t signals_weighted_mid_q16(
    px_t bid, qty_t bid_qty, px_t ask, qty_t ask_qty
) noexcept nogil:
    """Return (bid * ask_qty + ask * bid_qty) / (bid_qty + ask_qty) in Q16 ticks, rounded down.

    Return 0 when there is no size.
    """
    if bid_qty + ask_qty <= 0:
        return 0
    return <int64_t> (
        ((<i128> bid * ask_qty + <i128> ask * bid_qty) << 16) // (bid_qty + ask_qty)
    )


cdef inline int64_t signals_micro_q16(
    const int64_t *table_q8, ppm_t imbalance, px_t spread
) noexcept nogil:
    """Return the microprice less the mid in Q16 ticks, from a table in 1/256 tick.

    A row a spread (1, 2, 3, 4 or more ticks), five columns for the imbalance from 0 to 1; the table
    is symmetric: a book that leans the other way has the opposite sign.
    """
    cdef int64_t row = MICRO_SPREADS if spread > MICRO_SPREADS else spread
    cdef int64_t size = imbalance if imbalance > 0 else -imbalance
    cdef int64_t column = size * MICRO_BUCKETS // 1000000
    cdef int64_t shift
    if row < 1:
        return 0
    if column >= MICRO_BUCKETS:
        column = MICRO_BUCKETS - 1
    shift = table_q8[(row - 1) * MICRO_BUCKETS + column] * 256
    return shift if imbalance > 0 else -shift if imbalance < 0 else 0


cdef inline int64_t signals_shift_q16(
    const StrategyParams *params, px_t bid, qty_t bid_qty, px_t ask, qty_t ask_qty
) noexcept nogil:
    """Return the shift of the fair price from the mid in Q16 ticks, within half the spread.

    c * I of the imbalance, rounded towards zero, and the microprice table.
    """
    cdef ppm_t imbalance = signals_imbalance(bid_qty, ask_qty)
    cdef int64_t bound = (ask - bid) << 15
    cdef int64_t shift = <int64_t> (<i128> params.imbalance_q16 * imbalance // 1000000)
    shift += signals_micro_q16(params.micro_q8, imbalance, ask - bid)
    return bound if shift > bound else -bound if shift < -bound else shift
