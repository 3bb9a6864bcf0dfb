"""Quotes that manage inventory: the published vectors through the compiled rooms, and their laws."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bog import models
from bog._core import coefficients
from bog._core.inventory import InventoryProbe, snap
from bog._core.strategy import Quiet
from bog._core.types import ModelKind, ModelNumber, StrategyState

VECTORS = json.loads(
    (Path(__file__).parent.parent / "data" / "market-making-vectors.json").read_text()
)["values"]
Q16 = 1 << 16
MID = 1_210_443
INFINITE, TAU, GLFT, GRID = (
    ModelKind.MODEL_AS_INFINITE,
    ModelKind.MODEL_AS_TAU,
    ModelKind.MODEL_GLFT,
    ModelKind.MODEL_GRID,
)
UNIT = 100  # lots an order
BASE = {
    "order_qty": UNIT, "max_pos": 5 * UNIT, "min_order": 1, "max_valid_px": 1 << 39,
    "max_spread_ppm": 1_000_000, "gamma_e9": 1_000_000, "tau_ns": 1_000_000_000, "kind": 1,
}  # fmt: skip


def quoting(
    model: int, sigma: float = 29, arrivals: float = 1.54, k: float = 0.0557, **changed: Any
) -> InventoryProbe:
    """Return the quote verb with the model's numbers, on the book of the vectors."""
    params = BASE | {"model": model} | changed
    half, shifts, _ = coefficients.model(params, sigma, arrivals, k)
    probe = InventoryProbe(params)
    probe.model(half, shifts)
    probe.book([(MID - 7, 1500)], [(MID + 7, 1500)])
    return probe


def pair(quote: dict[str, Any]) -> list[int]:
    return [quote["bid_px"], quote["ask_px"]]


# the published vectors


def test_vector_v9_avellaneda_stoikov() -> None:
    probe = quoting(TAU)
    seen = [pair(probe.quote(q * UNIT)) for q in (0, 3, -3)]
    seen.append(pair(quoting(TAU, tau_ns=0).quote(3 * UNIT)))
    assert seen == VECTORS["V9"]


def test_vector_v10_avellaneda_stoikov_without_end() -> None:
    probe = quoting(INFINITE)
    assert [round(probe.shift_q16(q * UNIT) / Q16, 2) for q in (0, 2, -2)] == VECTORS["V10"]
    assert [round(coefficients.infinite(0.001, 5, q), 2) for q in (0, 2, -2)] == VECTORS["V10"]


def test_vectors_v11_and_v12_glft() -> None:
    for gamma, q, expected in (
        (0.001, 0, VECTORS["V11"][0]), (0.001, 3, VECTORS["V11"][1]), (0.01, 1, VECTORS["V12"][0]),
    ):  # fmt: skip
        c1, c2 = coefficients.glft(gamma, 1.54, 0.0557)
        assert (round(c1, 4), round(c2, 6)) == (expected["c1"], expected["c2"])
        probe = quoting(GLFT, gamma_e9=round(gamma * 1e9))
        assert pair(probe.quote(q * UNIT)) == expected["quotes"]


def test_vector_v13_the_fee_floor_holds_for_a_model_that_stands_nearer() -> None:
    for (maker, edge), ticks in zip(
        ((0, 0), (28, 0), (40, 0), (40, 10), (0, 10)), VECTORS["V13"], strict=True
    ):
        probe = quoting(GLFT, maker_ppm=maker, edge_ppm=edge)
        probe.model(0, [0, 0, 0])
        quote = probe.quote()
        assert quote["floor_ticks"] == quote["half_ticks"] == ticks
        assert pair(quote) == [MID - max(ticks, 1), MID + max(ticks, 1)]


def test_vector_v1_an_imbalance_leans_both_quotes() -> None:
    probe = quoting(GLFT, imbalance_q16=7 * Q16)
    probe.book([(MID - 7, 1500)], [(MID + 7, 500)])
    # 3.5 ticks at an imbalance of a half
    assert pair(probe.quote()) == [MID - 17, MID + 24]


# the models in Python say the same


@given(
    gamma=st.integers(1, 10**8), sigma=st.floats(0.1, 500), a=st.floats(0.01, 20),
    k=st.floats(0.005, 0.5), q=st.integers(-5, 5), tau=st.integers(0, 100),
)  # fmt: skip
def test_law_the_quotes_are_those_of_the_models(
    *, gamma: int, sigma: float, a: float, k: float, q: int, tau: int
) -> None:
    real = gamma * 1e-9
    closed = models.glft(gamma=real, sigma=sigma, arrivals=a, k=k)
    risk = real * sigma * sigma * tau
    for model, half, skew in (
        (GLFT, closed.half, closed.skew),
        (TAU, risk / 2 + models.log(1 + real / k) / real, risk),
    ):
        params = BASE | {"model": model, "gamma_e9": gamma, "tau_ns": tau * 10**9}
        half_q16, shifts, numbers = coefficients.model(params, sigma, a, k)
        assume(half < 1e6 and skew < 1e6)
        assert half_q16 == pytest.approx(half * Q16, rel=1e-6, abs=1)
        assert shifts[q + 5] == pytest.approx(-skew * q * Q16, rel=1e-6, abs=1)
        assert numbers[ModelNumber.NUMBER_HALF] == half_q16
        assert numbers[ModelNumber.NUMBER_SIGMA] == pytest.approx(sigma * Q16, abs=1)


@given(gamma=st.floats(1e-6, 1), most=st.integers(1, 16), q=st.integers(-15, 15))
def test_law_the_endless_shift_is_that_of_the_model_and_does_not_know_sigma(
    gamma: float, most: int, q: int
) -> None:
    assume(abs(q) < most)
    for sigma in (0.5, 29.0):
        expected = models.endless_shift(q, gamma=gamma, sigma=sigma, q_max=most)
        assert coefficients.infinite(gamma, most, q) == pytest.approx(expected, rel=1e-6, abs=1e-3)


def test_at_full_inventory_the_price_that_exists_counts() -> None:
    shifts = [coefficients.infinite(0.001, 5, q) for q in range(-5, 6)]
    assert all(one > next for one, next in pairwise(shifts))
    assert shifts[0] == pytest.approx(models.endless_shift(-5, gamma=0.001, sigma=29, q_max=5))
    assert shifts[10] == pytest.approx(1000 * models.log(1 - 9 / 11))


# laws of the quote


MARKET = st.tuples(st.integers(10_000, 10**7), st.integers(1, 200))
PARAMS = st.fixed_dictionaries(
    {
        "model": st.sampled_from([INFINITE, TAU, GLFT, GRID]),
        "gamma_e9": st.integers(1000, 10**7),
        "maker_ppm": st.sampled_from([0, 0, 28, 40]),
        "max_pos": st.integers(UNIT, 2000),
        "imbalance_q16": st.integers(-20 * Q16, 20 * Q16),
    }
)


def on(market: tuple[int, int], params: dict[str, Any], sigma: float) -> InventoryProbe:
    probe = quoting(**params, sigma=sigma)
    probe.book([(market[0], 700)], [(market[0] + market[1], 300)])
    return probe


@given(MARKET, PARAMS, st.floats(0, 300), st.integers(-3000, 3000))
def test_law_quotes_never_cross_and_never_pass_the_limit(
    market: tuple[int, int], params: dict[str, Any], sigma: float, pos: int
) -> None:
    bid, ask = market[0], market[0] + market[1]
    quote = on(market, params, sigma).quote(pos)
    if quote["bid_qty"]:
        assert 0 < quote["bid_px"] < ask
        assert pos + quote["bid_qty"] <= params["max_pos"]
        assert quote["bid_qty"] <= UNIT
    if quote["ask_qty"]:
        assert quote["ask_px"] > bid
        assert pos - quote["ask_qty"] >= -params["max_pos"]
    if quote["bid_qty"] and quote["ask_qty"]:
        assert quote["bid_px"] < quote["ask_px"]
    for side, name in enumerate(("bid", "ask")):
        assert (quote[f"{name}_qty"] == 0) == (quote["why"][side] != Quiet.QUIET_NONE)


@given(MARKET, PARAMS, st.floats(0, 300), st.lists(st.integers(-2000, 2000), min_size=2))
def test_law_more_held_never_raises_a_quote(
    market: tuple[int, int], params: dict[str, Any], sigma: float, positions: list[int]
) -> None:
    probe = on(market, params, sigma)
    quotes = [probe.quote(pos) for pos in sorted(positions)]
    for name in ("bid", "ask"):
        seen = [q[f"{name}_px"] for q in quotes if q[f"{name}_qty"]]
        assert seen == sorted(seen, reverse=True)


@given(MARKET, PARAMS, st.floats(1, 300), st.integers(1, 1999))
def test_law_long_lowers_both_quotes_and_short_raises_both(
    market: tuple[int, int], params: dict[str, Any], sigma: float, pos: int
) -> None:
    probe = on(market, params, sigma)
    flat, long, short = (probe.quote(q) for q in (0, pos, -pos))
    for name in ("bid", "ask"):
        if flat[f"{name}_qty"] and long[f"{name}_qty"]:
            assert long[f"{name}_px"] <= flat[f"{name}_px"]
        if flat[f"{name}_qty"] and short[f"{name}_qty"]:
            assert short[f"{name}_px"] >= flat[f"{name}_px"]


@given(
    st.lists(st.integers(0, 1 << 40), min_size=2, max_size=16),
    st.integers(1, (1 << 48) - 1),
    st.data(),
)
def test_law_between_two_points_the_shift_lies_between_them(
    falls: list[int], max_pos: int, data: st.DataObject
) -> None:
    shifts = [-sum(falls[:n]) for n in range(len(falls) + 1)]
    if len(shifts) % 2 == 0:
        shifts.pop()
    probe = InventoryProbe(BASE | {"max_pos": max_pos})
    probe.model(0, shifts)
    pos = data.draw(st.integers(-max_pos, max_pos))
    steps = len(shifts) // 2
    i = min((pos + max_pos) * steps // max_pos, 2 * steps - 1)
    assert shifts[i] >= probe.shift_q16(pos) >= shifts[i + 1]
    assert probe.shift_q16(-max_pos) == probe.shift_q16(-2 * max_pos) == shifts[0]
    assert probe.shift_q16(max_pos) == probe.shift_q16(2 * max_pos) == shifts[-1]


# the grid


@given(MARKET, st.floats(1, 300), st.integers(-400, 400))
def test_law_the_grid_stands_on_multiples_of_the_half_spread_outside_the_closed_form(
    market: tuple[int, int], sigma: float, pos: int
) -> None:
    params = {"maker_ppm": 0, "gamma_e9": 1_000_000, "max_pos": 500}
    plain = on(market, {"model": GLFT, **params}, sigma).quote(pos)
    grid = on(market, {"model": GRID, **params}, sigma).quote(pos)
    half_q16 = coefficients.model(BASE | {"model": GRID} | params, sigma, 1.54, 0.0557)[0]
    interval = max((half_q16 + Q16 // 2) // Q16, 1)
    for name, sign in (("bid", -1), ("ask", 1)):
        if grid[f"{name}_qty"]:
            assert grid[f"{name}_px"] % interval == 0
            assert 0 <= sign * (grid[f"{name}_px"] - plain[f"{name}_px"]) < interval


def test_the_grid_is_that_of_the_models_and_stands_still_inside_a_cell() -> None:
    closed = models.glft(gamma=0.001, sigma=29, arrivals=1.54, k=0.0557)
    probe = quoting(GRID)
    seen = set()
    for move in range(-3, 3):
        probe.book([(MID - 7 + move, 1500)], [(MID + 7 + move, 1500)])
        bids, asks = models.grid(closed, MID + move, 2, orders=1, q_max=5)
        assert pair(probe.quote(2 * UNIT)) == [bids[0], asks[0]]
        seen.add(bids[0])
    assert len(seen) == 1


def test_snap_goes_down_to_a_multiple() -> None:
    assert [snap(px, 20) for px in (0, 19, 20, 21, -1, -20, -21)] == [0, 0, 20, 20, -20, -20, -40]


# when there is nothing to quote


def test_nothing_is_quoted_unless_active_and_with_a_model() -> None:
    probe = quoting(GLFT)
    for state in StrategyState:
        if state == StrategyState.STRATEGY_STATES:
            continue
        probe.state(state)
        quiet = probe.quote()["why"][0] == Quiet.QUIET_WARMING
        assert quiet == (state != StrategyState.STRATEGY_ACTIVE)
    bare = InventoryProbe(BASE)
    bare.book([(MID - 7, 5)], [(MID + 7, 5)])
    assert bare.quote()["why"] == (Quiet.QUIET_WARMING, Quiet.QUIET_WARMING)


def test_the_missing_side_of_a_book_is_not_quoted_and_leans_nowhere() -> None:
    probe = quoting(GLFT, imbalance_q16=100 * Q16)
    probe.book([(MID, 5)], [])
    quote = probe.quote()
    assert quote["why"] == (Quiet.QUIET_NONE, Quiet.QUIET_ONE_SIDED)
    assert quote["bid_px"] == MID - 20


def test_numbers_beyond_all_bounds_are_cut_and_stay_in_order() -> None:
    half, shifts, _ = coefficients.model(BASE | {"model": TAU}, 1e15, 1.0, 0.05)
    assert half == (1 << 30) * Q16
    assert shifts == sorted(shifts, reverse=True)
    assert max(map(abs, shifts)) == (1 << 30) * Q16
    with pytest.raises(ValueError, match="must be positive"):
        coefficients.model(BASE | {"gamma_e9": 0}, 1, 1, 1)
