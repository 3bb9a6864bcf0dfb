"""The formulas off the hot path against published vectors, definitions and laws."""

import json
import random
from fractions import Fraction
from math import ceil, exp, floor, isclose
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog import models

VECTORS = json.loads(
    (Path(__file__).parent.parent / "data" / "market-making-vectors.json").read_text()
)["values"]
MOVES = [3, -4, 0, 5, -1]
AS = {"gamma": 0.001, "sigma": 29, "k": 0.0557}
GLFT = {"arrivals": 1.54, "k": 0.0557, "sigma": 29}


def pair(quotes):
    return [quotes.bid, quotes.ask]


# published vectors


def test_vector_v2_moving_variance():
    var, seen = 0, []
    for move in MOVES:
        var = models.ewma(var, 2 * move, 4)
        seen.append([var, models.sigma_q8(var)])
    assert seen == VECTORS["V2"]
    assert seen[-1] == [182572, 427]


def test_vector_v3_realized_variance():
    var = models.realized([2 * move for move in MOVES])
    assert models.sigma_q8(var) == VECTORS["V3"] == 817


def test_vector_v4_parkinson_variance():
    var = models.parkinson([12, 9, 15, 10])
    assert [var, models.sigma_q8(var)] == VECTORS["V4"] == [3250087, 1802]


def test_vector_v9_avellaneda_stoikov():
    cases = [(0, 1), (3, 1), (-3, 1), (3, 0)]
    seen = [pair(models.avellaneda_stoikov(1210443, q, tau=tau, **AS)) for q, tau in cases]
    assert seen == VECTORS["V9"]
    assert seen[0] == [1210424, 1210462]


def test_vector_v10_avellaneda_stoikov_without_end():
    seen = [round(models.endless_shift(q, gamma=0.001, sigma=29, q_max=5), 2) for q in (0, 2, -2)]
    assert seen == VECTORS["V10"] == [-0.39, -134.17, 117.4]


def test_vectors_v11_and_v12_glft():
    for gamma, q, expected in (
        (0.001, 0, VECTORS["V11"][0]),
        (0.001, 3, VECTORS["V11"][1]),
        (0.01, 1, VECTORS["V12"][0]),
    ):
        model = models.glft(gamma=gamma, **GLFT)
        assert round(model.c1, 4) == expected["c1"]
        assert round(model.c2, 6) == expected["c2"]
        assert pair(model.quotes(1210443, q)) == expected["quotes"]


def test_vector_v13_fee_floor():
    rates = ((0, 0), (28, 0), (40, 0), (40, 10), (0, 10))
    assert [models.fee_floor(2420886, *pair) for pair in rates] == VECTORS["V13"]


def test_vector_v14_fee():
    cases = ((1000, 40), (1000, 28), (1000, 280), (1, 28))
    assert [models.fee(1210436, qty, ppm) for qty, ppm in cases] == VECTORS["V14"]


def test_a_rebate_rounds_down():
    assert models.fee(1210436, 1, -28) == -33
    assert models.fee(50_000, 1, -20) == -1


def test_vector_v15_a_round_trip_after_fees():
    size, bought, sold = 2000, 1210400, 1210460
    gross = (sold - bought) * size
    fees = models.fee(bought, size, 40) + models.fee(sold, size, 40)
    expected = VECTORS["V15"]
    assert (gross, fees, gross - fees) == (expected["gross"], expected["fees"], expected["net"])
    assert ceil(Fraction(fees, size)) == expected["breakeven_ticks"] == 97


def test_vector_v17_volume_quota():
    after_fill = models.quota_after(1000, traded=605_218_000, per_usdc=7)
    assert [after_fill, models.quota_after(after_fill, creates=2)] == VECTORS["V17"]
    assert models.quota_after(1, creates=2) == 0


def test_vector_v38_funding():
    assert [models.funding(pos, 1210440, 12) for pos in (50_000, -50_000)] == VECTORS["V38"]


def test_vector_v39_liquidation():
    mark = models.liquidation_px(100_000, 1_210_000, 5 * 10**9, 12_000)
    assert mark == VECTORS["V39"] == 1174089


# examples


def test_variance_per_second_of_a_100_ms_clock():
    assert models.per_second(1000, 100) == 10_000


def test_grid_stands_still_while_the_fair_price_moves_inside_a_cell():
    model = models.glft(gamma=0.001, **GLFT)
    assert round(model.half) == 20
    bids, asks = models.grid(model, 1210443, 0, orders=3, q_max=5)
    assert bids == [1210420, 1210400, 1210380]
    assert asks == [1210480, 1210500, 1210520]
    assert models.grid(model, 1210445, 0, orders=3, q_max=5) == (bids, asks)


def test_grid_stops_the_growing_side_at_the_limit():
    model = models.glft(gamma=0.001, **GLFT)
    assert models.grid(model, 1210443, 5, orders=2, q_max=5)[0] == []
    assert len(models.grid(model, 1210443, 5, orders=2, q_max=5)[1]) == 2
    assert models.grid(model, 1210443, -5, orders=2, q_max=5)[1] == []


def test_glft_reaches_the_core_as_q16():
    model = models.Glft(c1=2.0, c2=0.25, sigma=4.0, unit=1.0)
    assert (model.half, model.skew) == (2.5, 1.0)
    assert model.q16 == (163840, 65536)


def test_reach_counts_the_intervals_beyond_each_distance():
    points = models.reach([None, 0, 1, 2.5], sample_ms=100, last=5)
    assert points == [(0, 5.0), (1, 2.5), (2, 2.5)]


def test_fit_finds_the_parameters_it_was_made_from():
    points = [(d, 1.54 * exp(-0.0557 * d)) for d in range(71)]
    found = models.fit(points)
    assert isclose(found.a, 1.54)
    assert isclose(found.k, 0.0557)
    assert isclose(found.at(10), points[10][1])


def test_fit_refuses_what_is_no_fit():
    falling = [(d, exp(-0.05 * d)) for d in range(30)]
    assert models.fit(falling).k > 0
    for points, message in (
        (falling[:29], "fewer than 30"),
        ([(d, exp(0.05 * d)) for d in range(30)], "not positive"),
        ([(d, 1.0) for d in range(30)], "not positive"),
        ([(7, 1.0)] * 30, "one distance"),
        ([*falling[:29], (29, 0.0)], "not a positive number"),
    ):
        with pytest.raises(ValueError, match=message):
            models.fit(points)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.ewma(0, 1, 3), "shift 3"),
        (lambda: models.ewma(0, 1, 13), "shift 13"),
        (lambda: models.realized([]), "at least one sample"),
        (lambda: models.parkinson([]), "at least one bar"),
        (lambda: models.per_second(1, 0), "not positive"),
        (lambda: models.glft(gamma=0, **GLFT), "gamma 0"),
        (lambda: models.glft(gamma=float("nan"), **GLFT), "gamma nan"),
        (lambda: models.avellaneda_stoikov(1, 0, tau=-1, **AS), "tau -1"),
        (lambda: models.endless_shift(6, gamma=0.001, sigma=29, q_max=5), "inventory 6"),
        (lambda: models.grid(models.glft(gamma=0.1, **GLFT), 1, 0, orders=0, q_max=1), "0 orders"),
        (lambda: models.reach([]), "no intervals"),
        (lambda: models.reach([1], sample_ms=0), "not positive"),
        (lambda: models.quota_after(1, traded=-1), "not negative"),
        (lambda: models.quota_after(1, per_usdc=0), "per_usdc 0"),
        (lambda: models.liquidation_px(1, 1, 1, 1_000_000), "maintenance 1000000"),
    ],
)
def test_nonsense_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# laws


@given(st.lists(st.integers(-2000, 2000), min_size=1, max_size=200), st.integers(4, 12))
def test_law_the_moving_variance_stays_between_zero_and_the_largest_square(moves2, shift):
    var = 0
    for move2 in moves2:
        var = models.ewma(var, move2, shift)
        assert 0 <= var <= max(move * move for move in moves2) << 14
    assert models.sigma_q8(var) ** 2 <= var < (models.sigma_q8(var) + 1) ** 2


@given(st.integers(1, 1 << 40), st.integers(1, 1 << 40), st.integers(-300, 300))
def test_law_fees_round_against_us(px, qty, ppm):
    exact = Fraction(px * qty * ppm, 10**6)
    assert 0 <= models.fee(px, qty, ppm) - exact < 1
    assert models.fee_floor(px, abs(ppm)) == ceil(Fraction(px, 2) * Fraction(abs(ppm), 10**6))


@given(st.integers(-(1 << 40), 1 << 40), st.integers(1, 1 << 40), st.integers(-5000, 5000))
def test_law_funding_rounds_against_us_and_cancels_between_two_sides(pos, mark, rate):
    assert models.funding(pos, mark, rate) == floor(Fraction(-pos * mark * rate, 10**6))
    assert -1 <= models.funding(pos, mark, rate) + models.funding(-pos, mark, rate) <= 0


@given(
    st.integers(-(10**6), 10**6).filter(bool),
    st.integers(1, 10**7),
    st.integers(-(10**9), 10**12),
    st.integers(0, 200_000),
)
def test_law_the_liquidation_price_is_the_boundary(pos, entry, collateral, maintenance):
    def below(mark):
        value = collateral + pos * (mark - entry)
        return value * 10**6 < maintenance * abs(pos) * mark

    mark = models.liquidation_px(pos, entry, collateral, maintenance)
    if mark is None:
        assert pos > 0
        assert not below(1)
    else:
        assert mark >= 1
        assert below(mark)
        inward = mark + 1 if pos > 0 else mark - 1
        assert inward < 1 or not below(inward)


@given(st.floats(-5, 5), st.floats(0, 10))
def test_law_inventory_shifts_finite_quotes_against_itself(q, tau):
    flat = models.avellaneda_stoikov(1210443, 0, tau=tau, **AS)
    held = models.avellaneda_stoikov(1210443, q, tau=tau, **AS)
    assert flat.bid < flat.ask
    assert (
        (held.bid <= flat.bid and held.ask <= flat.ask)
        if q >= 0
        else (held.bid >= flat.bid and held.ask >= flat.ask)
    )


@given(st.floats(1e-4, 0.1), st.floats(1, 100), st.floats(0.01, 10), st.floats(0.005, 0.5))
def test_law_glft_holds_the_two_equations(gamma, sigma, arrivals, k):
    model = models.glft(gamma=gamma, sigma=sigma, arrivals=arrivals, k=k)
    # solved for the constants: exp(c1 gamma) = 1 + gamma / k, and the square of c2
    assert isclose(exp(model.c1 * gamma), 1 + gamma / k, rel_tol=1e-9)
    power = (1 + gamma / k) * exp(k * model.c1)
    assert isclose(model.c2**2 * 2 * arrivals * k, gamma * power, rel_tol=1e-6)
    assert model.half > model.skew / 2 > 0


@given(st.floats(0.01, 5), st.floats(0.005, 0.2), st.integers(30, 71), st.integers(0, 50))
def test_law_fit_recovers_any_exponential(a, k, count, start):
    points = [(d, a * exp(-k * d)) for d in range(start, start + count)]
    found = models.fit(points)
    assert isclose(found.a, a, rel_tol=1e-6)
    assert isclose(found.k, k, rel_tol=1e-6)


# the microprice


def walk_of(rule, steps=40_000):
    """Return samples of a touch one tick wide whose next move `rule` decides by the imbalance."""
    draw = random.Random(5)
    mid2, samples = 20_001, []
    for _ in range(steps):
        imbalance = draw.choice((-900_000, -500_000, 500_000, 900_000))
        samples.append((imbalance, 1, mid2))
        up = rule[abs(imbalance)]
        heavy = 1 if imbalance > 0 else -1
        mid2 += 2 * (heavy if draw.random() < up else -heavy)
    return samples


def test_microprice_finds_the_drift_of_each_imbalance():
    # every step moves a tick; the heavier side wins with the given chance, then all is forgotten:
    # g = 2 p - 1 ticks, and the later terms vanish by symmetry
    table = models.microprice(walk_of({500_000: 0.6, 900_000: 0.9}))
    assert table[0][2] == pytest.approx(0.2 * 256, abs=5)
    assert table[0][4] == pytest.approx(0.8 * 256, abs=5)
    assert table[0][:2] == [0, 0]
    assert table[1:] == [[0] * 5] * 3


def test_microprice_of_a_market_that_does_not_lean_is_the_mid():
    table = models.microprice(walk_of({500_000: 0.5, 900_000: 0.5}))
    assert all(abs(entry) <= 5 for entry in table[0])


def test_microprice_waits_through_books_that_do_not_move():
    # a heavy bid always wins, but only after a book that stands still at an even size
    samples, mid2 = [], 20_001
    for _ in range(50):
        samples += [(900_000, 1, mid2), (100_000, 1, mid2)]
        mid2 += 2
        samples += [(-900_000, 1, mid2), (-100_000, 1, mid2)]
        mid2 -= 2
    table = models.microprice(samples, terms=1)
    assert table[0][4] == table[0][0] == 256


def test_microprice_needs_a_transition():
    with pytest.raises(ValueError, match="1 samples"):
        models.microprice([(0, 1, 3)])
