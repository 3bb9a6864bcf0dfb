"""What the feed costs: rows and records published and read, a book attached to, a hand-over.

Batches say nanoseconds for one row; the hand-over prints percentiles of record ages in a second
process that waits in a busy loop, the writer's Python call included.
"""

import multiprocessing
import struct
import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bog._core.publisher import Publisher
from bog._core.reader import Reader
from bog._core.types import RowKind

ROWS = 8192
HANDOVERS = 5000
LEVEL, TRADE = int(RowKind.ROW_LEVEL), int(RowKind.ROW_TRADE)


@pytest.fixture
def shm(tmp_path: Path) -> Path:
    """Return a private directory in memory where the host has one."""
    return tmp_path


def packed(kind: int, levels: int) -> bytes:
    """Return a batch of one-row messages near the touch of a book."""
    return b"".join(
        struct.pack("<QqqqqqQBBBBI", 0, 1, 0, 1000 + side * levels + i * 7 % levels, 1 + i, 0, 0,
                    kind, side, 1, 0, 0)
        for i in range(ROWS) for side in (i & 1,)
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), [(LEVEL, "book message"), (TRADE, "print")])
def test_publish(benchmark: BenchmarkFixture, shm: Path, kind: int, name: str) -> None:
    """Publish one-row messages: row, book, record, and the page behind them."""
    with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
        batch = packed(kind, 40)
        assert benchmark(pub.put_packed, batch) == ROWS
        benchmark.extra_info["ns each"] = benchmark.stats.stats.min / ROWS * 1e9
        print(f"\n{name}: min {benchmark.stats.stats.min / ROWS * 1e9:.1f} ns each")


def test_read_rows(benchmark: BenchmarkFixture, shm: Path) -> None:
    """Read rows that are there already."""
    with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
        read = Reader(1, directory=shm)
        batch = packed(LEVEL, 40)

        def refill() -> None:
            pub.put_packed(batch)

        count = benchmark.pedantic(lambda: read.drain(ROWS), setup=refill, rounds=50)
        assert count == ROWS
        print(f"\nrow read: min {benchmark.stats.stats.min / ROWS * 1e9:.1f} ns each")


def test_snapshot(benchmark: BenchmarkFixture, shm: Path) -> None:
    """Copy a book of 6,800 levels, as large as Lighter's, into Python lists."""
    with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
        for i in range(3400):
            pub.put(LEVEL, 0, 100_000 - i, 1 + i)
            pub.put(LEVEL, 1, 100_001 + i, 1 + i)
        pub.heartbeat()
        pub.heartbeat(time.monotonic_ns() + 10**9)
        read = Reader(1, directory=shm)
        book = benchmark(read.book)
        assert book is not None and len(book[0]) == len(book[1]) == 3400


def write(shm: Path, go: "multiprocessing.synchronize.Event") -> None:
    with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
        go.set()
        time.sleep(0.3)
        for i in range(HANDOVERS):
            pub.put(TRADE, 0, 1 + i, 1, recv_ns=time.monotonic_ns())
            until = time.monotonic_ns() + 20_000
            while time.monotonic_ns() < until:
                pass


def test_handover(benchmark: BenchmarkFixture, shm: Path) -> None:
    """Publish in one process, see it in another: ages of records, p50 and p99."""
    context = multiprocessing.get_context("spawn")
    go = context.Event()
    writer = context.Process(target=write, args=(shm, go))
    writer.start()
    assert go.wait(30)
    read = Reader(1, directory=shm)
    ages = benchmark.pedantic(lambda: read.listen(HANDOVERS + 1, 10**9), rounds=1)
    writer.join()
    assert len(ages) + read.lost_records == HANDOVERS + 1  # and the status record END
    ages.sort()
    print(f"\nhand-over: p50 {ages[len(ages) // 2]} ns, p99 {ages[len(ages) * 99 // 100]} ns, "
          f"{len(ages)} seen, {read.lost_records} lost")  # fmt: skip
