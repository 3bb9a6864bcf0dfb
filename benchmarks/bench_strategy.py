"""What a quote and its two keep-or-move verdicts cost: `pytest benchmarks/bench_strategy.py`.

Time divided by LOOPS is one turn of the strategy on a book that moved by a tick. The loop runs in C
inside the probe. Times are printed, not judged: they depend on the machine.
"""

import pytest

from bog._core.strategy import StrategyProbe

LOOPS = 100_000


@pytest.mark.parametrize("pos", [0, 50_000], ids=["flat", "skewed"])
@pytest.mark.parametrize("own_in_book", [0, 1], ids=["others", "own"])
def test_strategy_turn(benchmark, pos, own_in_book):
    probe = StrategyProbe(
        half_ppm=500, skew_ppm=300, order_qty=100, max_pos=100_000, own_in_book=own_in_book
    )
    expected = 0
    for step in (-1, 0):
        probe.book([(1210436 + step, 1500)], [(1210450 + step, 500)])
        quote = probe.quote(pos)
        expected += LOOPS // 2 * (quote["bid_px"] + quote["ask_px"])
    probe.order(0, 0, quote["bid_px"], quote["bid_qty"])
    probe.order(1, 1, quote["ask_px"], quote["ask_qty"])
    # every turn quotes both sides, and keeps both orders: a move would add to the sum
    assert benchmark(probe.repeat, LOOPS, 2, pos) == expected
    benchmark.extra_info["loops"] = LOOPS
