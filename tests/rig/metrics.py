"""What tests of the metrics share: the names that were asked for, pages made by hand, ports."""

import socket
import time
from collections.abc import Callable
from typing import Any

from bog.glance import Rates, Traded
from tests.shell import factory

LIMITS = {"max_long": 40, "max_short": 80, "max_daily_loss": 500_000_000}
# as the issue that asked for them spells them, with their own labels
ASKED = {
    "bog_trading_orders_total": {"market", "side", "type"},
    "bog_trading_fills_total": {"market", "side"},
    "bog_trading_volume_usd_total": set(),
    "bog_trading_rejections_total": {"reason"},
    "bog_trading_cancellations_total": {"market"},
    "bog_trading_fill_rate": set(),
    "bog_trading_orders_by_status": {"status"},
    "bog_performance_tick_to_trade_latency_ns": set(),
    "bog_performance_strategy_latency_ns": {"strategy"},
    "bog_performance_risk_validation_latency_ns": set(),
    "bog_performance_execution_latency_us": set(),
    "bog_performance_ticks_per_second": set(),
    "bog_performance_orders_per_second": set(),
    "bog_risk_position_btc": set(),
    "bog_risk_position_utilization": set(),
    "bog_risk_realized_pnl_usd": set(),
    "bog_risk_unrealized_pnl_usd": set(),
    "bog_risk_daily_pnl_usd": set(),
    "bog_risk_violations_total": {"type"},
    "bog_risk_rate_limit_requests_total": set(),
    "bog_risk_rate_limit_allowed_total": set(),
    "bog_risk_rate_limit_rejected_total": set(),
    "bog_risk_circuit_breaker_state": set(),
    "bog_orderbook_spread_bps": set(),
    "bog_orderbook_imbalance": set(),
    "bog_system_huginn_connected": set(),
    "bog_system_huginn_messages_total": set(),
    "bog_system_huginn_sequence_gaps_total": set(),
    "bog_system_errors_total": {"component", "severity"},
    "bog_system_overflow_errors_total": {"type"},
    "bog_system_fill_queue_depth": set(),
}
HISTOGRAMS = {name for name in ASKED if "_latency_" in name}


def histogram(*below: int, **more: int) -> dict[str, Any]:
    """Return what StatsPage.histograms gives for one: counts below 16 ns, 32 ns, ... and in all."""
    rest = 32 - len(below)
    return {"below": [*below, *[below[-1]] * rest], "sum": 0, "max": 0, "p50": 0, "p95": 0, "p99": 0,
            "p999": 0} | more  # fmt: skip


class HandMade:
    """A page as StatsPage shows it, of an engine that showed itself `age_sec` ago."""

    def __init__(self, age_sec: float = 0.0, **changed: Any) -> None:
        self.changed = {"beat_mono": time.monotonic_ns() - int(age_sec * 1e9)} | changed
        self.found = {
            name: histogram(0)
            for name in ("turn", "order_turn", "read", "book", "strategy", "risk", "execution")
        }

    def snapshot(self) -> Any:
        return factory.page(**self.changed)

    def histograms(self) -> dict[str, dict[str, Any]]:
        return self.found


def traded(page: HandMade | None = None, interval_sec: float = 1.0, **about: Any) -> Traded:
    return Traded(
        page or HandMade(), factory.about(**about), LIMITS, Rates(interval_sec), lambda: 2
    )  # type: ignore[arg-type]


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def connected(number: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", number), timeout=20)
    client.settimeout(20)
    return client


def occupied(act: Callable[[int], None]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        act(other.getsockname()[1])
        # it is still the other's
        with connected(other.getsockname()[1]):
            other.accept()[0].close()
