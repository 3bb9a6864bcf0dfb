"""How much the mid moves: EWMA, realized or Parkinson, sampled on a clock, never per message.

Bid-ask bounce inflates fast samples, and trends hide from them: both clocks are kept, and quotes
stand on the larger.
"""

from libc.stdint cimport int64_t

from bog._core.fixed cimport i128, isqrt
from bog._core.types cimport (
    VOLATILITY_EWMA, VOLATILITY_PARKINSON, StrategyParams, ns_t, px_t,
)

cdef extern from "volatility.h" nogil:
    enum: VOLATILITY_WINDOW "BOG_VOLATILITY_WINDOW"
    enum: VOLATILITY_BEATS "BOG_VOLATILITY_BEATS"
    const int64_t VOLATILITY_MOVE "BOG_VOLATILITY_MOVE"
    const int64_t VOLATILITY_GAP_NS "BOG_VOLATILITY_GAP_NS"
    const int64_t VOLATILITY_PARKINSON_Q16 "BOG_VOLATILITY_PARKINSON_Q16"

    ctypedef struct VolatilityClock "bog_volatility_clock_t":
        px_t last2
        px_t high2
        px_t low2
        int64_t var_q16
        int64_t samples
        int64_t sum
        int64_t n
        int64_t at
        int64_t square[1024]

    ctypedef struct Volatility "bog_volatility_t":
        ns_t time_ns
        int64_t beats
        VolatilityClock fast
        VolatilityClock slow


cdef inline void volatility_clock_begin(VolatilityClock *c, px_t mid2) noexcept nogil:
    """Begin a new interval at this mid."""
    c.last2 = c.high2 = c.low2 = mid2


cdef inline void volatility_clock_sample(
    VolatilityClock *c, int64_t kind, int64_t shift, int64_t window, px_t mid2
) noexcept nogil:
    """Take one sample: the move since the last one, or for Parkinson the range between.

    EWMA: V += (d^2 - V) / 2^shift. Realized: sum d^2 / n. Parkinson: sum range^2 / (4 ln 2 n). The
    two windows hold the last `window` samples. All rounded down.
    """
    cdef px_t move = mid2 - c.last2
    if kind == VOLATILITY_PARKINSON:
        move = (c.high2 if c.high2 > mid2 else mid2) - (c.low2 if c.low2 < mid2 else mid2)
    if move < 0:
        move = -move
    if move > VOLATILITY_MOVE:
        move = VOLATILITY_MOVE
    volatility_clock_begin(c, mid2)
    c.samples += 1
    if kind == VOLATILITY_EWMA:
        # d = move / 2 ticks, so d^2 in Q16 is move^2 in Q14
        c.var_q16 += ((move * move << 14) - c.var_q16) >> shift
        return
    if c.n == window:
        c.sum -= c.square[c.at]
    else:
        c.n += 1
    c.square[c.at] = move * move
    c.sum += move * move
    c.at = c.at + 1 if c.at + 1 < window else 0
    if kind == VOLATILITY_PARKINSON:
        c.var_q16 = <int64_t> (<i128> c.sum * VOLATILITY_PARKINSON_Q16 // (4 * c.n))
    else:
        c.var_q16 = (c.sum << 14) // c.n


cdef inline void volatility_seen(Volatility *v, px_t mid2) noexcept nogil:
    """Remember how far the mid went between two samples."""
    if mid2 > v.fast.high2:
        v.fast.high2 = mid2
        if mid2 > v.slow.high2:
            v.slow.high2 = mid2
    elif mid2 < v.fast.low2:
        v.fast.low2 = mid2
        if mid2 < v.slow.low2:
            v.slow.low2 = mid2


cdef inline void volatility_sample(
    Volatility *v, const StrategyParams *params, px_t mid2, ns_t now
) noexcept nogil:
    """Take the sample that is due every 100 ms of engine time; `mid2` is 0 when there is no mid.

    After a second without a sample, or without a mid, the next one only says where the mid begins:
    what moved in the dark is a gap, not volatility. The estimates so far stay.
    """
    cdef int64_t window = params.volatility_samples
    if mid2 <= 0 or v.fast.last2 <= 0 or now - v.time_ns > VOLATILITY_GAP_NS:
        volatility_clock_begin(&v.fast, mid2)
        volatility_clock_begin(&v.slow, mid2)
        v.beats = 0
        v.time_ns = now
        return
    v.time_ns = now
    volatility_clock_sample(
        &v.fast, params.volatility, params.volatility_shift, window, mid2
    )
    v.beats += 1
    if v.beats < VOLATILITY_BEATS:
        return
    v.beats = 0
    # as much time in its memory: a tenth of the samples, 2^3 of 2^s
    window = window // VOLATILITY_BEATS
    volatility_clock_sample(
        &v.slow, params.volatility, params.volatility_shift - 3, window if window > 0 else 1, mid2
    )


cdef inline int64_t volatility_second_q16(const Volatility *v) noexcept nogil:
    """Return the variance per second, Q16: the larger of the two clocks."""
    cdef int64_t fast = v.fast.var_q16 * VOLATILITY_BEATS
    return fast if fast > v.slow.var_q16 else v.slow.var_q16


cdef inline int64_t volatility_sigma_q8(int64_t var_q16) noexcept nogil:
    """Return the deviation of a variance: 1/256 tick, rounded down."""
    return <int64_t> isqrt(<unsigned long long> var_q16)
