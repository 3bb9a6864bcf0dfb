"""The formulas of market making that run off the hot path: volatility, quotes, fits, costs.

Prices are ticks, sizes lots, money quanta, rates ppm of the notional, as in the core; whatever is a
number of the account or of the market is an integer and exact. Model parameters (gamma, sigma, k,
A) are floats: sigma in ticks per square root of a second, gamma per tick and unit of inventory, and
inventory `q` in order units. A bid is rounded down to the tick, an ask up.

Sources: Avellaneda and Stoikov 2008, "High-frequency trading in a limit order book"; Gueant,
Lehalle and Fernandez-Tapia 2013, "Dealing with the inventory risk"; Gueant 2017, "Optimal market
making", equations 4.6 and 4.7; Parkinson 1980, "The extreme value method for estimating the
variance of the rate of return"; Stoikov 2018, "The micro-price".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, exp, floor, isfinite, isqrt, log, sqrt

import numpy as np

Q16 = 1 << 16
PARKINSON_Q16 = 23637  # round(65536 / (4 ln 2))
MILLION = 1_000_000
FIT_POINTS = 30  # a fit on fewer points is refused


# volatility: variances in ticks squared per sample, Q16


def ewma(var_q16: int, move2: int, shift: int) -> int:
    """Return the moving variance after a mid change of `move2` half ticks.

    V += (d^2 - V) / 2^shift with d = move2 / 2, rounded down; `shift` 4 forgets in some 16 samples,
    12 in some 4096. Sample on a fixed clock: message counts are not time.
    """
    if not 4 <= shift <= 12:
        raise ValueError(f"shift {shift} is not between 4 and 12")
    return var_q16 + (((move2 * move2 << 14) - var_q16) >> shift)


def realized(moves2: Sequence[int]) -> int:
    """Return the mean squared mid change of the samples, in half ticks each; rounded down."""
    if not moves2:
        raise ValueError("a variance needs at least one sample")
    return (sum(move2 * move2 for move2 in moves2) << 14) // len(moves2)


def parkinson(ranges: Sequence[int]) -> int:
    """Return the variance per bar from the bars' high less low in ticks; rounded down."""
    if not ranges:
        raise ValueError("a variance needs at least one bar")
    return sum(span * span for span in ranges) * PARKINSON_Q16 // len(ranges)


def sigma_q8(var_q16: int) -> int:
    """Return the deviation of a Q16 variance in 1/256 tick, rounded down."""
    return isqrt(var_q16)


def per_second(var_q16: int, sample_ms: int) -> int:
    """Return a variance per sample as a variance per second, rounded down."""
    if sample_ms <= 0:
        raise ValueError(f"sample interval {sample_ms} ms is not positive")
    return var_q16 * 1000 // sample_ms


# quotes


@dataclass(frozen=True)
class Quotes:
    """A bid and an ask in ticks."""

    bid: int
    ask: int


def around(center: float, half: float) -> Quotes:
    """Return the quotes half a spread around a price: bid rounded down, ask up."""
    return Quotes(floor(center - half), ceil(center + half))


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (isfinite(value) and value > 0):
            raise ValueError(f"{name} {value} is not a positive number")


def avellaneda_stoikov(
    mid: float, q: float, *, gamma: float, sigma: float, k: float, tau: float
) -> Quotes:
    """Return the finite-horizon quotes with `tau` seconds left.

    r = mid - q gamma sigma^2 tau, half = gamma sigma^2 tau / 2 + ln(1 + gamma / k) / gamma. At
    tau = 0 the skew is gone: on a perpetual keep tau fixed, or use the endless form.
    """
    _positive(gamma=gamma, sigma=sigma, k=k)
    if not (isfinite(tau) and tau >= 0):
        raise ValueError(f"tau {tau} is not a number of seconds")
    risk = gamma * sigma * sigma * tau
    return around(mid - q * risk, risk / 2 + log(1 + gamma / k) / gamma)


def endless_shift(q: float, *, gamma: float, sigma: float, q_max: float) -> float:
    """Return r - mid in ticks of the infinite-horizon Avellaneda-Stoikov model.

    The mean of the two indifference prices, with w = gamma^2 sigma^2 (q_max + 1)^2 / 2. Raise when
    |q| is past q_max, where the model has no price.
    """
    _positive(gamma=gamma, sigma=sigma, q_max=q_max)
    if not abs(q) <= q_max:
        raise ValueError(f"inventory {q} is not between -{q_max} and {q_max}")
    risk = (gamma * sigma) ** 2
    rest = risk * ((q_max + 1) ** 2 - q * q)
    ask = log(1 + (1 - 2 * q) * risk / rest)
    bid = log(1 + (-1 - 2 * q) * risk / rest)
    return (ask + bid) / (2 * gamma)


@dataclass(frozen=True)
class Glft:
    """Gueant-Lehalle-Fernandez-Tapia for an endless horizon, one order unit at a time.

    c1 in ticks, c2 in square roots of seconds per unit; the core takes them as Q16 (`q16`).
    """

    c1: float
    c2: float
    sigma: float
    unit: float

    @property
    def half(self) -> float:
        """Half spread, ticks."""
        return self.c1 + self.unit / 2 * self.sigma * self.c2

    @property
    def skew(self) -> float:
        """Shift of both quotes per unit of inventory, ticks."""
        return self.sigma * self.c2

    @property
    def q16(self) -> tuple[int, int]:
        """Half spread and skew in 1/65536 tick, to the nearest."""
        return round(self.half * Q16), round(self.skew * Q16)

    def quotes(self, fair: float, q: float) -> Quotes:
        """Return the quotes around a fair price at an inventory of `q` units."""
        return around(fair - self.skew * q, self.half)


def glft(*, gamma: float, sigma: float, arrivals: float, k: float, unit: float = 1.0) -> Glft:
    """Return the closed form for fills arriving at `arrivals` * exp(-k d) per second."""
    _positive(gamma=gamma, sigma=sigma, arrivals=arrivals, k=k, unit=unit)
    xi = gamma * unit
    c1 = log(1 + xi / k) / xi
    c2 = sqrt(gamma / (2 * arrivals * unit * k) * (1 + xi / k) ** (k / xi + 1))
    return Glft(c1, c2, sigma, unit)


def grid(
    model: Glft, fair: float, q: float, *, orders: int, q_max: float
) -> tuple[list[int], list[int]]:
    """Return the bid and ask prices of a grid, nearest first, `orders` a side.

    Prices are multiples of the interval max(round(half), 1), so that an order stays where it is
    while the fair price moves inside a cell. No bids from q_max up, no asks from -q_max down.
    """
    if orders < 1:
        raise ValueError(f"{orders} orders a side are less than one")
    interval = max(round(model.half), 1)
    first = model.quotes(fair, q)
    bid = first.bid // interval * interval
    ask = -(-first.ask // interval) * interval
    steps = range(orders)
    return (
        [bid - step * interval for step in steps] if q < q_max else [],
        [ask + step * interval for step in steps] if q > -q_max else [],
    )


# how often orders are reached


@dataclass(frozen=True)
class Intensity:
    """Fills per second and side at a distance of d ticks from the mid: a * exp(-k d)."""

    a: float
    k: float

    def at(self, distance: float) -> float:
        """Return the fills per second at a distance in ticks."""
        return self.a * exp(-self.k * distance)


def reach(
    farthest: Sequence[float | None], *, sample_ms: int = 100, last: int = 70
) -> list[tuple[int, float]]:
    """Return (distance, arrivals per second) of one side for 0 to `last` ticks from the mid.

    `farthest` holds, per interval of `sample_ms`, the largest distance from the interval's first
    mid at which an aggressor traded, None where none did. The rate at d is the share of intervals
    that went beyond d; distances that nobody went beyond are left out, for they have no logarithm.
    """
    if not farthest:
        raise ValueError("no intervals to count")
    if sample_ms <= 0:
        raise ValueError(f"sample interval {sample_ms} ms is not positive")
    seen = [distance for distance in farthest if distance is not None]
    points = []
    for distance in range(last + 1):
        beyond = sum(1 for far in seen if far > distance)
        if beyond:
            points.append((distance, beyond / len(farthest) * 1000 / sample_ms))
    return points


def fit(points: Sequence[tuple[float, float]]) -> Intensity:
    """Return the least squares fit of ln rate on distance.

    Raise on fewer than 30 points, on a rate that is not positive, on one distance only, and on a
    slope that does not fall (k <= 0): such numbers quote nonsense.
    """
    if len(points) < FIT_POINTS:
        raise ValueError(f"{len(points)} points are fewer than {FIT_POINTS}")
    for _, rate in points:
        _positive(rate=rate)
    n = len(points)
    mean_d = sum(d for d, _ in points) / n
    mean_y = sum(log(rate) for _, rate in points) / n
    spread = sum((d - mean_d) ** 2 for d, _ in points)
    if spread == 0:
        raise ValueError("all points stand at one distance")
    k = -sum((d - mean_d) * (log(rate) - mean_y) for d, rate in points) / spread
    if not k > 0:
        raise ValueError(f"k {k:.6f} is not positive: trades do not thin out with distance")
    return Intensity(exp(mean_y + k * mean_d), k)


# costs and margins, exact


def fee(px: int, qty: int, ppm: int) -> int:
    """Return the fee of a fill in quanta, rounded up: a rebate (negative) comes out smaller."""
    return -(-px * qty * ppm // MILLION)


def fee_floor(mid2: int, maker_ppm: int, edge_ppm: int = 0) -> int:
    """Return the ticks from the mid (in half ticks) that a quote needs to earn fee and edge."""
    return -(-mid2 * (maker_ppm + edge_ppm) // (2 * MILLION))


def quota_after(quota: int, *, traded: int = 0, per_usdc: int = 1, creates: int = 0) -> int:
    """Return the volume quota after trading `traded` quanta and sending `creates` transactions.

    One more for each whole `per_usdc` USDC (a million quanta) traded, one less for each create or
    modify; cancels are free. Never below 0.
    """
    if traded < 0 or creates < 0:
        raise ValueError("traded volume and creates are counts, not negative")
    if per_usdc <= 0:
        raise ValueError(f"per_usdc {per_usdc} is not positive")
    return max(0, quota + traded // (per_usdc * MILLION) - creates)


def funding(pos: int, mark: int, rate_ppm: int) -> int:
    """Return the quanta that an hour's funding pays us, rounded down: longs pay a positive rate."""
    return -pos * mark * rate_ppm // MILLION


def liquidation_px(pos: int, entry: int, collateral: int, maintenance_ppm: int) -> int | None:
    """Return the first mark, in ticks, at which the account is below its maintenance margin.

    The largest such mark for a long, the smallest for a short: collateral + pos * (mark - entry) is
    less than maintenance * |pos| * mark there. None when no mark above 0 does it, or when flat.
    """
    if not 0 <= maintenance_ppm < MILLION:
        raise ValueError(f"maintenance {maintenance_ppm} is not between 0 and 999999 ppm")
    if pos == 0:
        return None
    bound = (pos * entry - collateral) * MILLION
    if pos > 0:
        mark = -(-bound // (pos * (MILLION - maintenance_ppm))) - 1
        return mark if mark > 0 else None
    return max(1, -bound // (-pos * (MILLION + maintenance_ppm)) + 1)


# the microprice


def microprice(
    samples: Sequence[tuple[int, int, int]], *, spreads: int = 4, buckets: int = 5, terms: int = 6
) -> list[list[int]]:
    """Return the microprice less the mid in 1/256 tick, a row a spread, a column a bucket of |I|.

    `samples` are (imbalance in ppm, spread in ticks, mid in half ticks) of a two-sided book, in order
    of time; a spread past the last row counts there. Stoikov 2018: with Q the transitions that leave
    the mid, R those that move it, T those that move it and where they lead,
    g = (1 + B + B^2 + ..) (1 - Q)^-1 R K with B = (1 - Q)^-1 T, cut after `terms` terms. The data
    count twice, once with the book turned over, so that g(-I) = -g(I). A state that was never left
    says 0. Raise on fewer than two samples.
    """
    if len(samples) < 2:
        raise ValueError(f"{len(samples)} samples make no transition")
    width = 2 * buckets  # buckets 0..buckets-1 are I >= 0, the others mirror them
    n = spreads * width
    stay, move, drift = np.zeros((n, n)), np.zeros((n, n)), np.zeros(n)

    def state(imbalance: int, spread: int, turned: bool) -> int:
        bucket = min(abs(imbalance) * buckets // MILLION, buckets - 1)
        other = (imbalance < 0) != turned
        return (min(max(spread, 1), spreads) - 1) * width + other * buckets + bucket

    for (i0, s0, m0), (i1, s1, m1) in pairwise(samples):
        for turned in (False, True):
            a, b = state(i0, s0, turned), state(i1, s1, turned)
            if m1 == m0:
                stay[a, b] += 1
            else:
                move[a, b] += 1
                drift[a] += (m0 - m1 if turned else m1 - m0) / 2
    left = stay.sum(axis=1) + move.sum(axis=1)
    seen = left > 0
    for part in (stay, move):
        part[seen] /= left[seen, None]
    drift[seen] /= left[seen]
    # a state that is never left by a move says nothing: least squares give it the smallest answer
    solve = np.linalg.pinv(np.eye(n) - stay)
    term = solve @ drift
    total = term.copy()
    for _ in range(terms - 1):
        term = solve @ (move @ term)
        total += term
    return [
        [round(float(total[row * width + bucket]) * 256) for bucket in range(buckets)]
        for row in range(spreads)
    ]
