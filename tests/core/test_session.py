"""One whole run in this process: feed, step, journal, executor, from the first row to the proof.

What `bog-live` does in processes, so that a sanitizer build sees every room at work at once.
"""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bog import config
from bog._core.frames import MarketRow
from bog._core.journal import JournalFile
from bog._core.lane import Lane
from bog._core.loop import Session
from bog._core.market import Market
from bog._core.recorder import TapeWriter
from bog._core.source import open_source
from bog._core.stats import StatsPage
from bog.recovery import recover

RAW = 1_000_001
SECONDS = 60


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "segments").mkdir(mode=0o700)
    yield tmp_path


def spec(seconds: int) -> dict[str, Any]:
    settings = config.load(environ={})
    return {
        "market": RAW, "limits": settings.limits(1), "strategy": settings.strategy_params(1),
        "venue": settings.venue_params(1), "price_decimals": 1, "size_decimals": 5,
        "speed_ppm": 0, "duration_ns": seconds * 10**9, "spin": False, "mode": 0,
    }  # fmt: skip


def trade(
    folder: Path, seconds: int, capacity: int = 65536, **plug: Any
) -> tuple[list[int], dict[str, Any], bytes]:
    """Run one session to its end; return its state words, its page and its journal's bytes."""
    recovered = recover(folder / "journal", RAW, segments=folder / "segments")
    journal = JournalFile(
        folder / "journal", market=RAW, run=recovered.next_run, price_decimals=1, size_decimals=5,
        segments=folder / "segments", capacity=capacity,
    )  # fmt: skip
    page = StatsPage.create(str(folder / f"page-{uuid.uuid4().hex}"), RAW)
    lane = Lane(spec(seconds) | {"run": recovered.next_run}, page, journal, **plug)
    lane.start(recovered)
    assert Session([lane]).run() == 0, lane.failed()
    journal.close()
    return lane.words(), page.snapshot(), Path(journal.path).read_bytes()


def record(path: Path) -> None:
    """Write the built-in market's rows to a tape."""
    with TapeWriter(path, 1, 1, 5) as tape:
        for recv, exch, kind, side, px, qty, number, flags, eom in Market(
            3, "active", seconds=SECONDS
        ):
            tape.append(MarketRow(recv, exch, chr(kind), side, px, qty, number, eom, flags))


def test_a_run_on_the_built_in_market_ends_with_every_order_proven_dead(folder: Path) -> None:
    words, page, _ = trade(folder, SECONDS, market=Market(1, "active"))
    assert page["placed"] > 0
    assert page["violations"] == 0
    assert page["orders"] == []
    # the next run goes on from there
    again, _, _ = trade(folder, 1, market=Market(1, "active"))
    assert again[7] >= words[7]


def test_a_journal_that_is_soon_full_waits_for_the_disk_and_loses_nothing(folder: Path) -> None:
    for name in ("wide", "narrow"):
        (folder / name / "segments").mkdir(mode=0o700, parents=True)
    _, page, wide = trade(folder / "wide", SECONDS, market=Market(1, "active"))
    assert page["journal_waits"] == 0
    _, page, narrow = trade(folder / "narrow", SECONDS, capacity=256, market=Market(1, "active"))
    assert page["journal_waits"] > 0
    assert narrow == wide


def test_two_runs_of_one_tape_write_the_same_journal(folder: Path) -> None:
    tape = folder / "market.tape"
    record(tape)
    journals = []
    for name in ("first", "second"):
        home = folder / name
        (home / "segments").mkdir(parents=True, mode=0o700)
        _, page, written = trade(home, 0, source=open_source(os.fspath(tape)))
        assert page["placed"] > 0
        journals.append(written)
    assert journals[0] == journals[1]
