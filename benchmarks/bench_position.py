"""What one fill costs the position: `pytest benchmarks/bench_position.py`, time / ROUNDS each."""

from typing import Any

from bog._core.position import PositionProbe

ROUNDS = 100_000


def test_book_a_fill(benchmark: Any) -> None:
    def run() -> int:
        return PositionProbe().churn(ROUNDS)

    assert benchmark(run) == 0
