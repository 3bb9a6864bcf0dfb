"""What a record costs: sealed and stored, sealed alone, and folded back into the account."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bog._core.fold import Fold
from bog._core.journal import JournalFile, crc32c, crc32c_portable
from bog._core.types import JournalKind as K
from bog.journal import RECORD

BATCH = 1000
RECORDS = bytes(64 * BATCH)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[JournalFile]:
    """Open a journal whose ring holds all records of a benchmark, however slow the disk is."""
    opened = JournalFile(
        tmp_path / "journal", market=1, run=1, price_decimals=1, size_decimals=5, capacity=1 << 20
    )
    yield opened
    opened.close()


def test_append_a_thousand_records(benchmark: BenchmarkFixture, journal: JournalFile) -> None:
    taken = benchmark.pedantic(journal.append_all, (RECORDS,), rounds=900, warmup_rounds=50)
    assert taken == BATCH


@pytest.mark.parametrize("crc", [crc32c, crc32c_portable], ids=["hardware", "table"])
def test_seal_a_record(benchmark: BenchmarkFixture, crc: Callable[[bytes], int]) -> None:
    benchmark(crc, RECORDS[:60])


def test_fold_a_thousand_records(benchmark: BenchmarkFixture) -> None:
    lives = np.zeros(BATCH, RECORD)
    lives["kind"] = np.tile([K.J_PLACE, K.J_ACK, K.J_FILL, K.J_CANCELED], BATCH // 4)
    lives["state"] = np.tile([0, 3, 4, 9], BATCH // 4)
    lives["id"] = np.repeat(np.arange(1, BATCH // 4 + 1), 4)
    lives["px"], lives["qty"] = 100, 5
    benchmark(lambda: Fold().extend(lives.tobytes()))
