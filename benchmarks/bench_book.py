"""What the book room's verbs cost: `pytest benchmarks/bench_book.py`, time divided by LOOPS.

The loop runs in C inside the probe, so that Python is paid once per round. Times are printed, not
judged: they depend on the machine.
"""

import pytest

from bog._core.book import BookProbe

LOOPS = 100_000
FULL = (
    [(1210436 - 7 * i, 1500 + i) for i in range(10)],
    [(1210450 + 7 * i, 500 + i) for i in range(10)],
)


@pytest.mark.parametrize("verb", ["check", "imbalance", "microprice", "vwap"])
def test_book_verb_on_ten_levels(benchmark, verb):
    book = BookProbe(*FULL)
    total = benchmark(book.repeat, verb, LOOPS)
    # a valid book has no fault; every other verb has an answer that is not nothing
    assert (total == 0) == (verb == "check")
    benchmark.extra_info["loops"] = LOOPS
