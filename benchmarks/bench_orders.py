"""What an order's whole life costs: plan, place, ack, fill; time / ROUNDS each.

`pytest benchmarks/bench_orders.py`
"""

from typing import Any

from bog._core.orders import OrdersProbe

ROUNDS = 100_000


def test_plan_place_ack_and_fill_an_order(benchmark: Any) -> None:
    def run() -> int:
        return OrdersProbe().churn(ROUNDS)

    assert benchmark(run) == ROUNDS
