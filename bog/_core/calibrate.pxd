"""On-line calibration: A and k of the rate at which aggressors reach a distance from the mid.

Market-making.md section 4.3; Gueant, Lehalle and Fernandez-Tapia 2013. Cold: the loop calls it
between turns, and only integers go to the step.
"""

from libc.math cimport exp, log
from libc.stdint cimport int64_t, uint8_t

from bog._core.types cimport ASK, BID, FIT_FEW, FIT_GOOD, FIT_RISING, ns_t, px_t

cdef extern from "calibrate.h" nogil:
    enum: CALIBRATE_INTERVALS "BOG_CALIBRATE_INTERVALS"
    enum: CALIBRATE_LAST "BOG_CALIBRATE_LAST"
    enum: CALIBRATE_BINS "BOG_CALIBRATE_BINS"
    enum: CALIBRATE_POINTS "BOG_CALIBRATE_POINTS"
    const ns_t CALIBRATE_FIT_NS "BOG_CALIBRATE_FIT_NS"

    ctypedef struct Calibration "bog_calibration_t":
        px_t mid2
        int64_t far[2]
        int64_t n
        int64_t at
        int64_t count[2][72]
        uint8_t ring[6000][2]
        ns_t fit_ns
        ns_t model_ns
        double arrivals
        double decay
        int64_t fit


cdef inline void calibrate_print(Calibration *c, int side, px_t px) noexcept nogil:
    """Note a print of an aggressor on `side`: how far past the interval's first mid it went."""
    cdef px_t past2 = 2 * px - c.mid2 if side == BID else c.mid2 - 2 * px
    cdef int64_t ticks
    if c.mid2 <= 0 or past2 <= 0 or (side != BID and side != ASK):
        return
    # beyond d ticks is the same as at least d + 1 when rounded up; past the last is one bin
    ticks = (past2 + 1) >> 1
    if ticks > CALIBRATE_LAST:
        ticks = CALIBRATE_LAST + 1
    if ticks > c.far[side]:
        c.far[side] = ticks


cdef inline void calibrate_interval(Calibration *c, px_t mid2) noexcept nogil:
    """End an interval of 100 ms and begin the next at `mid2`; 0 when there is no mid."""
    cdef int side
    cdef int64_t bin
    if c.mid2 > 0:
        for side in range(2):
            if c.n == CALIBRATE_INTERVALS:
                c.count[side][c.ring[c.at][side]] -= 1
            bin = c.far[side]
            c.ring[c.at][side] = <uint8_t> bin
            c.count[side][bin] += 1
        if c.n < CALIBRATE_INTERVALS:
            c.n += 1
        c.at = c.at + 1 if c.at + 1 < CALIBRATE_INTERVALS else 0
    c.far[0] = c.far[1] = 0
    c.mid2 = mid2


cdef inline double calibrate_rate(const Calibration *c, int64_t distance) noexcept nogil:
    """Return how often a second, per side, an aggressor went beyond `distance` ticks."""
    cdef int64_t bin, beyond = 0
    if c.n == 0:
        return 0.0
    for bin in range(distance + 1, CALIBRATE_BINS):
        beyond += c.count[0][bin] + c.count[1][bin]
    return 10.0 * beyond / (2 * c.n)


cdef inline int calibrate_fit(Calibration *c) noexcept nogil:
    """Fit ln rate on distance over 0 to 70 ticks by least squares; return what came of it (Fit).

    Distances that nobody went beyond have no logarithm and are left out. A fit on fewer than 30
    points, or one that does not fall, is refused: A and k stay as they were.
    """
    cdef double n = 0, sum_d = 0, sum_y = 0, sum_dd = 0, sum_dy = 0, rate, y, k
    cdef int64_t distance
    for distance in range(CALIBRATE_LAST + 1):
        rate = calibrate_rate(c, distance)
        if rate > 0:
            y = log(rate)
            n += 1
            sum_d += distance
            sum_y += y
            sum_dd += distance * distance
            sum_dy += distance * y
    if n < CALIBRATE_POINTS:
        c.fit = FIT_FEW
        return FIT_FEW
    k = -(n * sum_dy - sum_d * sum_y) / (n * sum_dd - sum_d * sum_d)
    # a slope of rounding errors alone is none: e^(-70 k) would be 1 to nine digits
    if not k > 1e-11:
        c.fit = FIT_RISING
        return FIT_RISING
    c.decay = k
    c.arrivals = exp((sum_y + k * sum_d) / n)
    c.fit = FIT_GOOD
    return FIT_GOOD
