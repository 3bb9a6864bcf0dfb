"""The feed that bog-live publishes of the market it trades on, seen from another process."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bog._core.huginn import FeedRead
from bog._core.reader import Reader
from bog._core.stats import StatsPage
from bog._core.types import RowKind, Side
from tests.rig.live import Bot, wait_for

LEVEL, RESET = int(RowKind.ROW_LEVEL), int(RowKind.ROW_RESET)
BID, ASK = int(Side.BID), int(Side.ASK)
Levels = list[tuple[int, int]]


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    """Start a bot on the built-in market in real time, for two seconds."""
    started = Bot(tmp_path, "--feed", "sim", "--duration", "2s")
    yield started
    started.kill()


class Book:
    """A whole book as two dictionaries: what the rows say, with none of the core's code."""

    def __init__(self) -> None:
        self.side: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def take(self, row: tuple[int, ...]) -> None:
        _, kind, side, px, qty, *_ = row
        if kind == RESET:
            self.side = ({}, {})
        elif kind == LEVEL and qty:
            self.side[side][px] = qty
        elif kind == LEVEL:
            self.side[side].pop(px, None)

    def levels(self) -> tuple[Levels, Levels]:
        return sorted(self.side[BID].items(), reverse=True), sorted(self.side[ASK].items())


def unread(reader: Reader) -> list[tuple[int, ...]]:
    """Return the rows that are there now."""
    return list(iter(reader.row, None))


def test_reader_that_attaches_mid_stream_has_the_book_of_the_engine(bot: Bot) -> None:
    page = StatsPage.open(str(bot.ready().shm / f"bog_m{bot.raw}.{bot.pid}"))
    first = Reader(1, directory=bot.shm)
    rows = unread(first)
    late = []
    while bot.process.poll() is None:
        rows += unread(first)
        joined = Reader(1, directory=bot.shm)
        book = wait_for(joined.book)
        late.append((joined, joined.next, book))
        time.sleep(0.05)
    bot.ends()
    rows += unread(first)
    assert first.code == FeedRead.READ_GONE and first.lost_rows == 0
    assert len({at for _, at, _ in late}) > 10
    for joined, at, book in late:
        whole = Book()
        for row in rows[:at]:
            whole.take(row)
        assert book == whole.levels()
        assert unread(joined) == rows[at:]
    whole = Book()
    for row in rows:
        whole.take(row)
    bids, asks = whole.levels()
    seen = page.snapshot()
    assert seen["rows"] == len(rows)
    assert (seen["bid"], seen["bid_qty"], seen["ask"], seen["ask_qty"]) == (*bids[0], *asks[0])


def test_writer_that_never_rests_still_gives_signs_of_life(tmp_path: Path) -> None:
    bot = Bot(tmp_path, "--feed", "sim", "--speed", "100000", "--duration", "24h")
    try:
        bot.ready()
        read = Reader(1, directory=bot.shm)
        rows, heard = read.header()["rows"], read.header()["heartbeat_ns"]
        wait_for(lambda: read.header()["rows"] > rows + 300_000)
        assert read.header()["heartbeat_ns"] > heard
    finally:
        bot.kill()
