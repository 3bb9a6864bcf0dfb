"""What one verdict of the whole gate costs: `pytest benchmarks/bench_risk.py`, time / ROUNDS."""

from typing import Any

from bog._core.risk import RiskProbe

ROUNDS = 100_000
LIMITS = {
    "max_long": 1_000_000, "max_short": 1_000_000, "min_order": 1, "max_order": 500_000,
    "max_notional": 10**13, "max_exposure": 10**14, "min_px": 1, "max_px": 10_000_000,
    "px_step": 1, "qty_step": 1, "collar_ppm": 50_000, "drawdown_ppm": 50_000,
    "drawdown_min_peak": 10**7, "max_daily_loss": 10**9, "balance": 10**12,
    "max_leverage_ppm": 5_000_000, "max_open_orders": 10, "rate_per_min": 600, "rate_burst": 20,
    "rate_reserve": 2, "stale_after_ns": 500_000_000,
}  # fmt: skip


def test_judge_a_bid_that_passes(benchmark: Any) -> None:
    gate = RiskProbe(**LIMITS)
    gate.touch(500_000, 500_010)
    gate.moment(connected=1)
    assert benchmark(gate.churn, ROUNDS) == ROUNDS
