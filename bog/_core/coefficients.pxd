"""The numbers of the models, in double, off the path of a tick: what the step gets is integers.

Market-making.md sections 4.2 and 4.3. Avellaneda and Stoikov 2008; Gueant, Lehalle and
Fernandez-Tapia 2013; Gueant 2017, equations 4.6 and 4.7. Inventory is in orders, prices in ticks,
sigma in ticks per square root of a second. bog/models.py says the same in Python.
"""

from libc.math cimport fabs, log1p, pow, sqrt
from libc.stdint cimport int64_t
from libc.string cimport memset

from bog._core.calibrate cimport (
    CALIBRATE_FIT_NS, Calibration, calibrate_fit, calibrate_interval,
)
from bog._core.inventory cimport MODEL_STEPS, Model, StrategyMemory, inventory_shift_q16
from bog._core.types cimport (
    MODEL_AS_INFINITE, MODEL_AS_TAU, NUMBER_ARRIVALS, NUMBER_DECAY, NUMBER_FIT, NUMBER_HALF,
    NUMBER_SIGMA, NUMBER_SKEW, StrategyParams, ns_t, px_t,
)
from bog._core.volatility cimport volatility_second_q16

cdef enum:
    LARGEST_TICKS = 1 << 30  # a half spread or a shift beyond this is cut to it


cdef inline int64_t coefficients_q16(double ticks) noexcept nogil:
    """Return ticks in Q16, to the nearest; what is not a number is as wide as can be."""
    if not fabs(ticks) < LARGEST_TICKS:
        ticks = -LARGEST_TICKS if ticks < 0 else LARGEST_TICKS
    ticks *= 65536
    return <int64_t> (ticks + 0.5) if ticks >= 0 else -<int64_t> (0.5 - ticks)


cdef inline double coefficients_edge(double gamma, double decay) noexcept nogil:
    """Return ln(1 + gamma / k) / gamma in ticks: the half spread of one who fears no inventory."""
    return log1p(gamma / decay) / gamma


cdef inline double coefficients_glft_c2(
    double gamma, double arrivals, double decay
) noexcept nogil:
    """Return c2 of the closed form, for orders of one unit: square roots of seconds per unit."""
    return sqrt(gamma / (2 * arrivals * decay) * pow(1 + gamma / decay, decay / gamma + 1))


cdef inline double coefficients_reserve(
    double gamma, double most, double q, int side
) noexcept nogil:
    """Return r_a (side 1) or r_b (side 0) less the mid, ticks, of the model without an end.

    (1/gamma) ln(1 + (+-1 - 2q) gamma^2 sigma^2 / (2w - gamma^2 q^2 sigma^2)) with
    w = gamma^2 sigma^2 (most + 1)^2 / 2: gamma^2 sigma^2 is in each term, and sigma falls out.
    """
    cdef double rest = (most + 1) * (most + 1) - q * q
    return log1p(((1 if side else -1) - 2 * q) / rest) / gamma


cdef inline double coefficients_infinite(double gamma, double most, double q) noexcept nogil:
    """Return r - mid of the model without an end: the mean of r_a and r_b.

    At full inventory r_b has no price, because nothing more may be bought: r_a alone counts.
    """
    if q >= most:
        return coefficients_reserve(gamma, most, q, 1)
    return (coefficients_reserve(gamma, most, q, 0) + coefficients_reserve(gamma, most, q, 1)) / 2


cdef inline void coefficients_model(
    const StrategyParams *params, double sigma, double arrivals, double decay, Model *out
) noexcept nogil:
    """Write half spread and shifts of the configured model, at these estimates, into `out`.

    Without an end, the half spread is that of an empty inventory: half of r_a - r_b there, and the
    edge. `sigma` ticks per square root of a second, `arrivals` per second and side, `decay` per tick.
    """
    cdef double gamma = params.gamma_e9 * 1e-9, tau = params.tau_ns * 1e-9
    cdef double edge = coefficients_edge(gamma, decay)
    cdef double most = <double> params.max_pos / params.order_qty
    cdef double half, slope, q
    cdef int64_t i, steps = <int64_t> most
    memset(out, 0, sizeof(Model))
    out.steps = 1 if steps < 1 else MODEL_STEPS if steps > MODEL_STEPS else steps
    if params.model == MODEL_AS_INFINITE:
        slope = 0
        half = edge + (
            coefficients_reserve(gamma, most, 0, 1) - coefficients_reserve(gamma, most, 0, 0)
        ) / 2
    elif params.model == MODEL_AS_TAU:
        slope = gamma * sigma * sigma * tau
        half = edge + slope / 2
    else:
        slope = sigma * coefficients_glft_c2(gamma, arrivals, decay)
        half = edge + slope / 2
    out.half_q16 = coefficients_q16(half)
    for i in range(2 * out.steps + 1):
        q = most * (i - out.steps) / out.steps
        if params.model == MODEL_AS_INFINITE:
            out.shift_q16[i] = coefficients_q16(coefficients_infinite(gamma, most, q))
        else:
            out.shift_q16[i] = coefficients_q16(-slope * q)
    out.number_q16[<int> NUMBER_HALF] = out.half_q16
    out.number_q16[<int> NUMBER_SKEW] = (
        inventory_shift_q16(out, 0, params.max_pos)
        - inventory_shift_q16(out, params.order_qty, params.max_pos)
    )
    out.number_q16[<int> NUMBER_SIGMA] = coefficients_q16(sigma)
    out.number_q16[<int> NUMBER_ARRIVALS] = coefficients_q16(arrivals)
    out.number_q16[<int> NUMBER_DECAY] = coefficients_q16(decay)


cdef inline int coefficients_due(
    const StrategyParams *params, const StrategyMemory *memory, Calibration *c, px_t mid2, ns_t now,
    Model *out,
) noexcept nogil:
    """Take the beat of 100 ms; return 1 when new numbers are in `out`, 0 when they are not due.

    Ends an interval of the calibration, at `mid2` or 0 when there is none; fits once a minute, when
    configured; computes the model once in model_ns, from the first sample of volatility on.
    """
    cdef double sigma
    calibrate_interval(c, mid2)
    if c.decay == 0:
        c.arrivals = params.arrivals_e6 * 1e-6
        c.decay = params.decay_e9 * 1e-9
        c.fit_ns = now + CALIBRATE_FIT_NS
    if params.calibrate and now >= c.fit_ns:
        c.fit_ns = now + CALIBRATE_FIT_NS
        calibrate_fit(c)
    if now < c.model_ns or memory.volatility.fast.samples == 0:
        return 0
    c.model_ns = now + params.model_ns
    # a market that stands still still has a tick
    sigma = sqrt(volatility_second_q16(&memory.volatility) / 65536.0)
    coefficients_model(params, sigma if sigma > 0 else 1.0 / 256, c.arrivals, c.decay, out)
    out.number_q16[<int> NUMBER_FIT] = c.fit << 16
    return 1
