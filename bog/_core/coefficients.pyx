"""The numbers of the models, for tests and notebooks."""

from libc.string cimport memset

from bog._core.coefficients cimport (
    coefficients_edge, coefficients_glft_c2, coefficients_infinite, coefficients_model,
)
from bog._core.inventory cimport Model
from bog._core.types cimport StrategyParams


def glft(double gamma, double arrivals, double decay):
    """Return (c1 in ticks, c2 in square roots of seconds per unit) for orders of one unit."""
    return coefficients_edge(gamma, decay), coefficients_glft_c2(gamma, arrivals, decay)


def infinite(double gamma, double most, double q):
    """Return r - mid of Avellaneda-Stoikov without an end, ticks; q and most in orders."""
    return coefficients_infinite(gamma, most, q)


def model(dict params, double sigma, double arrivals, double decay):
    """Return (half spread, shifts from short to long, numbers), Q16, of the model in `params`.

    `params` are fields of StrategyParams, 0 if left out; order_qty and gamma_e9 must be positive.
    """
    cdef StrategyParams p
    cdef Model out
    memset(&p, 0, sizeof(StrategyParams))
    p = {**p, **params}
    if p.order_qty <= 0 or p.gamma_e9 <= 0 or not decay > 0 or not arrivals > 0:
        raise ValueError("order_qty, gamma_e9, arrivals and decay must be positive")
    coefficients_model(&p, sigma, arrivals, decay, &out)
    shifts = [out.shift_q16[i] for i in range(2 * out.steps + 1)]
    return out.half_q16, shifts, list(out.number_q16)
