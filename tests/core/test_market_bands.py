"""The built-in market is lifelike: every statistic lies in the band of its specification.

Each preset runs for 5 seeds, 10 s of warm-up and then 240 s, read through its rows as any
client would; the mean over the seeds must lie in the band. Volatility and spread are sampled every
100 ms on the venue's clock. A day instead of four minutes, outside CI:
`BOG_BANDS_SECONDS=86400 BOG_BANDS_SEEDS=1 pytest -s --timeout 0 tests/core/test_market_bands.py`.
"""

import os
from array import array
from typing import Any

import numpy as np
import pytest

from bog._core.depth import DepthProbe
from bog._core.market import Market

SECONDS = int(os.environ.get("BOG_BANDS_SECONDS", "240"))
SEEDS = range(1, 1 + int(os.environ.get("BOG_BANDS_SEEDS", "5")))
WARM_NS = 10 * 10**9
GRID_NS = 100 * 10**6
BTC = 100_000
ROW_RESET, ROW_LEVEL, ROW_TRADE = ord("R"), ord("L"), ord("T")
DISTANCES_BPS = (0.5, 1, 2, 5, 10)

# statistic: lowest, highest
QUIET = {
    "frames_per_s": (50, 110),
    "spread_mean": (10, 25),
    "spread_median": (8, 20),
    "spread_90": (20, 50),
    "vol_1s_bps": (0.12, 0.45),
    "vol_100ms_bps": (0.04, 0.12),
    "kurtosis_100ms": (10, float("inf")),
    "takers_per_s": (2, 10),
    "taker_25": (0.0010 / 2.5, 0.0010 * 2.5),
    "taker_50": (0.0055 / 2.5, 0.0055 * 2.5),
    "taker_75": (0.0185 / 2.5, 0.0185 * 2.5),
    "taker_95": (0.068 / 2.5, 0.068 * 2.5),
    "count_dispersion": (1, 12),
    "sign_lag_1": (0.05, 0.5),
    "touch_25": (0.008 / 3, 0.008 * 3),
    "touch_50": (0.019 / 3, 0.019 * 3),
    "touch_75": (0.100 / 3, 0.100 * 3),
    "depth_0.5": (3.1 / 2, 3.1 * 2),
    "depth_1": (10 / 2, 10 * 2),
    "depth_2": (23 / 2, 23 * 2),
    "depth_5": (43 / 2, 43 * 2),
    "depth_10": (83 / 2, 83 * 2),
    "imbalance_100ms": (0.05, 0.35),
    "imbalance_1s": (0.03, 0.35),
    "markout_1s_bps": (-0.3, 0.1),
    "crossed": (0, 0),
}
ACTIVE = {
    "vol_1s_bps": (0.4, 1.0),
    "takers_per_s": (8, 25),
    "sign_lag_1": (0.15, 0.55),
    "count_dispersion": (4, 40),
    "markout_1s_bps": (-0.45, -0.05),
    "crossed": (0, 0),
}
TOXIC = {
    "vol_1s_bps": (0.8, 2.0),
    "markout_1s_bps": (float("-inf"), -0.4),
    "crossed": (0, 0),
}


def observe(preset: str, seed: int, seconds: int) -> dict[str, Any]:
    """Return what a client of one market sees: book frames, first fills, samples of depth."""
    market = Market(seed, preset, seconds=seconds + 12)
    book = DepthProbe()
    start = market.clock_ns + WARM_NS
    end = start + seconds * 10**9
    times, bids, asks, bid_qty, ask_qty = (array("q") for _ in range(5))
    fills, depth = [], []
    crossed = 0
    next_depth = start
    burst = 0
    for _, at, kind, side, px, qty, _, _, eom in market:
        if kind == ROW_LEVEL:
            book.set(side, px, qty)
        elif kind == ROW_RESET:
            book.reset()
        elif kind == ROW_TRADE:
            if burst == 0:
                fills.append([at, side, px, 0])
            fills[-1][3] += qty
            burst = 0 if eom else 1
            continue
        else:
            continue
        if not eom:
            continue
        bid, ask = book.best(0), book.best(1)
        if not bid or not ask:
            continue
        times.append(at)
        bids.append(bid)
        asks.append(ask)
        bid_qty.append(book.qty(0, bid))
        ask_qty.append(book.qty(1, ask))
        crossed += bid >= ask
        if at >= next_depth and at < end:
            next_depth = at + 10**9
            mid = (bid + ask) / 2
            depth.append(
                [
                    book.through(0, int(np.ceil(mid * (1 - d / 1e4))))
                    + book.through(1, int(mid * (1 + d / 1e4)))
                    for d in DISTANCES_BPS
                ]
            )
    seen = [f for f in fills if start <= f[0] < end]
    return {
        "start": start,
        "end": end,
        "t": np.frombuffer(times, dtype=np.int64),
        "bid": np.frombuffer(bids, dtype=np.int64),
        "ask": np.frombuffer(asks, dtype=np.int64),
        "bid_qty": np.frombuffer(bid_qty, dtype=np.int64),
        "ask_qty": np.frombuffer(ask_qty, dtype=np.int64),
        "fills": np.array(seen),
        "depth": np.array(depth) / 2 / BTC,
        "crossed": crossed,
    }


def statistics(seen: dict[str, Any]) -> dict[str, float]:
    """Return the statistics of the specification's table."""
    start, end, times = seen["start"], seen["end"], seen["t"]
    mids = (seen["bid"] + seen["ask"]) / 2
    grid = np.arange(start, end, GRID_NS)
    at = np.searchsorted(times, grid, side="right") - 1
    mid = mids[at]
    spread = (seen["ask"] - seen["bid"])[at]
    lean = ((seen["bid_qty"] - seen["ask_qty"]) / (seen["bid_qty"] + seen["ask_qty"]))[at]
    fast = np.diff(mid) / mid[:-1] * 1e4
    slow = np.diff(mid[::10]) / mid[:-10:10] * 1e4
    touch = np.concatenate([seen["bid_qty"][at], seen["ask_qty"][at]]) / BTC
    fills = seen["fills"]
    counts = np.bincount((fills[:, 0] - start) // 10**9, minlength=(end - start) // 10**9)
    signs = 1.0 - 2.0 * fills[:, 1]
    later = mids[np.searchsorted(times, fills[:, 0] + 10**9, side="right") - 1]
    # the maker stands against the taker
    markout = -signs * (later - fills[:, 2]) / fills[:, 2] * 1e4
    sizes = fills[:, 3] / BTC
    inside = (times >= start) & (times < end)
    return {
        "frames_per_s": inside.sum() / ((end - start) / 1e9),
        "spread_mean": spread.mean(),
        "spread_median": np.median(spread),
        "spread_90": np.percentile(spread, 90),
        "vol_1s_bps": slow.std(),
        "vol_100ms_bps": fast.std(),
        "kurtosis_100ms": ((fast - fast.mean()) ** 4).mean() / fast.var() ** 2,
        "takers_per_s": len(fills) / ((end - start) / 1e9),
        **{f"taker_{q}": np.percentile(sizes, q) for q in (25, 50, 75, 95)},
        "count_dispersion": counts.var() / counts.mean(),
        "sign_lag_1": np.corrcoef(signs[:-1], signs[1:])[0, 1],
        **{f"touch_{q}": np.percentile(touch, q) for q in (25, 50, 75)},
        **{
            f"depth_{d}": value
            for d, value in zip(DISTANCES_BPS, seen["depth"].mean(axis=0), strict=True)
        },
        "imbalance_100ms": np.corrcoef(lean[:-1], np.diff(mid))[0, 1],
        "imbalance_1s": np.corrcoef(lean[:-10], mid[10:] - mid[:-10])[0, 1],
        "markout_1s_bps": markout.mean(),
        "crossed": seen["crossed"],
    }


@pytest.mark.parametrize(
    ("preset", "bands"), [("quiet", QUIET), ("active", ACTIVE), ("toxic", TOXIC)]
)
def test_every_statistic_lies_in_its_band(
    preset: str, bands: dict[str, tuple[float, float]]
) -> None:
    runs = [statistics(observe(preset, seed, SECONDS)) for seed in SEEDS]
    means = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
    for name, value in means.items():
        print(f"{preset:7} {name:18} {value:9.4f}  {bands.get(name, '')}")
    missed = {
        name: (means[name], low, high)
        for name, (low, high) in bands.items()
        if not low <= means[name] <= high
    }
    assert not missed
