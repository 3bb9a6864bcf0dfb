"""The frames of one connection as published rows: routed, chained, voided, halted."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bog._core.publisher import Publisher
from bog._core.reader import Reader
from bog._core.recorder import CsvWriter, TapeWriter
from bog._core.source import open_source
from bog._core.stream import MarketStream, News, Stream
from bog._core.types import RowKind, Status

RESET, LEVEL, TRADE = int(RowKind.ROW_RESET), int(RowKind.ROW_LEVEL), int(RowKind.ROW_TRADE)
STATUS = int(RowKind.ROW_STATUS)
SCALE = {1: (1, 5), 0: (2, 4)}


def book(market: int, nonce: int, begin: int | None = None, **sides: list[Any]) -> bytes:
    """Return a book frame; without `begin` it is a whole book."""
    levels = {
        side: [{"price": p, "size": q} for p, q in sides.get(side, [])] for side in ("asks", "bids")
    }
    return json.dumps({
        "channel": f"order_book:{market}",
        "order_book": levels | {"nonce": nonce, "begin_nonce": begin or 0, "offset": 1},
        "timestamp": 5,
        "type": "update/order_book" if begin is not None else "subscribed/order_book",
    }).encode()  # fmt: skip


def trades(market: int, *ids: int, past: bool = False) -> bytes:
    prints = [
        {"trade_id": i, "price": "10.0", "size": "1.0", "is_maker_ask": True, "market_id": market}
        for i in ids
    ]
    kind = "subscribed/trade" if past else "update/trade"
    return json.dumps({"channel": f"trade:{market}", "trades": prints, "type": kind}).encode()


class Feed:
    """A stream of markets 1 and 0 and a reader of each."""

    def __init__(self, shm: Path) -> None:
        self.publishers = {
            market: Publisher(market, directory=shm, price_decimals=p, size_decimals=q)
            for market, (p, q) in SCALE.items()
        }
        self.markets = {m: MarketStream(self.publishers[m], *SCALE[m]) for m in SCALE}
        self.stream = Stream(self.markets.values())
        self.readers = {m: Reader(m, directory=shm) for m in SCALE}

    def rows(self, market: int) -> list[tuple[int, int, int]]:
        """Return kind, price and size of what was published since the last call."""
        return [(row[1], row[3], row[4]) for row in iter(self.readers[market].row, None)]


@pytest.fixture
def feed(shm: Path) -> Iterator[Feed]:
    made = Feed(shm)
    yield made
    for publisher in made.publishers.values():
        publisher.close()


WHOLE = book(1, 7, bids=[("10.0", "1.5")], asks=[("10.1", "2")])


def test_a_frame_reaches_its_market_alone_and_news_says_whose_it_is(feed: Feed) -> None:
    assert feed.stream.frame(WHOLE) == News.NEWS_BOOK and feed.stream.market == 1
    assert feed.rows(1) == [(RESET, 0, 0), (LEVEL, 100, 150_000), (LEVEL, 101, 200_000)]
    assert feed.rows(0) == []
    assert feed.stream.frame(book(0, 9, bids=[("10.05", "1")])) == News.NEWS_BOOK
    assert feed.stream.market == 0
    assert feed.rows(0) == [(RESET, 0, 0), (LEVEL, 1005, 10_000)]
    assert feed.stream.frame(book(1, 8, 7, bids=[("9.9", "1")])) == News.NEWS_NONE
    assert feed.rows(1) == [(LEVEL, 99, 100_000)]


def test_a_memoryview_of_a_longer_buffer_is_read_where_it_is(feed: Feed) -> None:
    buffer = bytearray(b"xx" + WHOLE + b"yy")
    assert feed.stream.frame(memoryview(buffer)[2:-2]) == News.NEWS_BOOK
    assert feed.stream.frame(memoryview(b"")) == News.NEWS_NONE and feed.stream.malformed == 1


def test_frames_of_other_markets_are_counted_and_left_alone(feed: Feed) -> None:
    assert feed.stream.frame(book(5, 7, bids=[("1", "1")])) == News.NEWS_NONE
    assert feed.stream.strays == 1 and feed.rows(1) == feed.rows(0) == []


def test_statistics_of_all_markets_reach_each_of_ours(feed: Feed) -> None:
    one = {"index_price": "3.1", "mark_price": "3.2"}
    both = {str(m): one | {"market_id": m} for m in (0, 1, 2)}
    frame = {"channel": "market_stats:all", "market_stats": both, "type": "update/market_stats"}
    assert feed.stream.frame(json.dumps(frame).encode()) == News.NEWS_STATS
    assert [row[1] for row in feed.rows(1)] == [32]
    assert [row[1] for row in feed.rows(0)] == [320]


@pytest.mark.parametrize(("text", "news"), [
    ('{"session_id":"x","type":"connected"}', News.NEWS_CONNECTED),
    ('{"type":"ping"}', News.NEWS_PING),
    ('{"type":"pong"}', News.NEWS_NONE),
    ('{"type": "unsubscribed", "channel": "order_book:1"}', News.NEWS_UNSUBSCRIBED),
    ('{"type":"shutdown","close_in_ms":5}', News.NEWS_SHUTDOWN),
    ('{"error":{"code":30003,"message":"Already Subscribed"}}', News.NEWS_ERROR),
    ('{"type":"update/ticker","channel":"ticker:1"}', News.NEWS_NONE),
])  # fmt: skip
def test_news_of_control_frames(feed: Feed, text: str, news: int) -> None:
    assert feed.stream.frame(text.encode()) == news
    assert feed.stream.malformed == 0
    assert feed.stream.code == (30003 if news == News.NEWS_ERROR else 0)


def test_a_gap_empties_the_book_for_those_who_come_later_and_a_whole_one_repairs_it(
    feed: Feed, shm: Path
) -> None:
    feed.stream.frame(WHOLE)
    feed.rows(1)
    assert feed.stream.frame(book(1, 20, 19, bids=[("9", "1")])) == News.NEWS_GAP
    assert feed.rows(1) == [(RESET, 0, 0), (STATUS, Status.STATUS_GAP, 0)]
    assert feed.stream.frame(book(1, 21, 20, bids=[("9", "1")])) == News.NEWS_NONE
    assert feed.rows(1) == []
    late = Reader(1, directory=shm)
    late_book = late.book()
    late_rows = [row[1] for row in iter(late.row, None)]
    assert late_book == ([], []) or RESET in late_rows
    assert feed.stream.frame(book(1, 30, bids=[("9.5", "1")])) == News.NEWS_BOOK
    assert feed.rows(1) == [(RESET, 0, 0), (LEVEL, 95, 100_000)]
    assert feed.markets[1].counters()["gaps"] == 1


def test_duplicate_and_older_frames_publish_nothing(feed: Feed) -> None:
    feed.stream.frame(WHOLE)
    update = book(1, 9, 7, bids=[("9", "1")])
    feed.stream.frame(update)
    feed.rows(1)
    assert feed.stream.frame(update) == News.NEWS_NONE
    assert feed.stream.frame(book(1, 7, 6)) == News.NEWS_NONE
    assert feed.rows(1) == [] and feed.markets[1].counters()["duplicates"] == 2


def test_a_book_frame_that_cannot_be_read_voids_the_book_once(feed: Feed) -> None:
    feed.stream.frame(WHOLE)
    feed.rows(1)
    bad = book(1, 8, 7, bids=[("9.99", "1")])
    assert feed.stream.frame(bad) == News.NEWS_REFUSED
    assert feed.markets[1].scale_doubt and "more decimals" in feed.markets[1].trouble
    assert feed.stream.frame(bad) == News.NEWS_REFUSED
    assert feed.rows(1) == [(RESET, 0, 0), (STATUS, Status.STATUS_GAP, 0)]
    assert not feed.markets[1].has_book


def test_prints_that_cannot_be_read_leave_the_book_alone(feed: Feed) -> None:
    feed.stream.frame(WHOLE)
    assert feed.stream.frame(trades(1, 5).replace(b"10.0", b"10.05")) == News.NEWS_TRADES
    assert feed.markets[1].has_book and feed.stream.malformed == 1


def test_history_and_what_repeats_it_is_no_flow(feed: Feed) -> None:
    assert feed.stream.frame(trades(1, 50, 49, past=True)) == News.NEWS_TRADES
    assert feed.rows(1) == []
    feed.stream.frame(trades(1, 52, 50, 51))
    assert feed.rows(1) == [(TRADE, 100, 100_000)] * 2
    feed.stream.frame(trades(1, 52, 51))
    assert feed.rows(1) == []
    assert feed.stream.frame(trades(1, 60, 59, past=True)) == News.NEWS_TRADES  # a new connection
    feed.stream.frame(trades(1, 60))
    assert feed.rows(1) == []
    feed.stream.frame(trades(1, 61))
    assert len(feed.rows(1)) == 1


def test_a_lost_connection_is_said_once_and_the_next_book_says_that_it_is_up(feed: Feed) -> None:
    feed.stream.frame(WHOLE)
    feed.rows(1), feed.rows(0)
    feed.stream.down()
    feed.stream.down()
    assert feed.rows(1) == [(RESET, 0, 0), (STATUS, Status.STATUS_DOWN, 0)]
    assert feed.rows(0) == [(RESET, 0, 0), (STATUS, Status.STATUS_DOWN, 0)]
    assert feed.stream.frame(book(1, 8, 7)) == News.NEWS_NONE
    assert feed.rows(1) == [], "the chain does not go on across connections"
    feed.stream.frame(WHOLE)
    assert feed.rows(1)[:2] == [(STATUS, Status.STATUS_UP, 0), (RESET, 0, 0)]


def test_a_halted_market_publishes_nothing_until_it_is_resumed_with_a_whole_book(
    feed: Feed,
) -> None:
    feed.stream.frame(WHOLE)
    feed.rows(1)
    market = feed.markets[1]
    market.halt()
    market.halt()
    assert feed.rows(1) == [(RESET, 0, 0), (STATUS, Status.STATUS_HALTED, 0)]
    assert feed.stream.frame(book(1, 8, 7, bids=[("9", "1")])) == News.NEWS_NONE
    assert feed.stream.frame(WHOLE) == News.NEWS_BOOK, "its request is answered all the same"
    assert feed.stream.frame(book(1, 9, bids=[("9.999", "1")])) == News.NEWS_BOOK
    feed.stream.frame(trades(1, 5))
    feed.stream.down()
    feed.stream.void(1)
    assert feed.rows(1) == []
    market.resume()
    assert feed.stream.frame(book(1, 8, 7)) == News.NEWS_NONE
    assert feed.rows(1) == []
    feed.stream.frame(WHOLE)
    assert feed.rows(1)[:2] == [(STATUS, Status.STATUS_UP, 0), (RESET, 0, 0)]


def test_only_frames_give_signs_of_life_and_any_frame_gives_one_to_all(feed: Feed) -> None:
    first = [reader.header()["heartbeat_ns"] for reader in feed.readers.values()]
    feed.stream.beat()
    feed.stream.down()
    feed.stream.beat()
    assert [r.header()["heartbeat_ns"] for r in feed.readers.values()] == first
    feed.stream.frame(b'{"type":"pong"}')
    heard = feed.stream.heard_ns
    time.sleep(0.002)
    feed.stream.beat()
    assert [r.header()["heartbeat_ns"] for r in feed.readers.values()] == [heard, heard]
    feed.stream.heard()
    feed.stream.beat()
    assert all(r.header()["heartbeat_ns"] > heard for r in feed.readers.values())


def test_the_times_of_rows_are_the_hosts_monotonic_and_the_venues(feed: Feed) -> None:
    before = time.monotonic_ns()
    feed.stream.frame(WHOLE.replace(b'"timestamp": 5', b'"last_updated_at": 1785252530170379'))
    row = feed.readers[1].row()
    assert row is not None
    assert before <= row[5] <= time.monotonic_ns() and row[6] == 1_785_252_530_170_379_000


def test_files_get_the_rows_with_unix_times(shm: Path, tmp_path: Path) -> None:
    tape, dump = str(tmp_path / "a.tape"), str(tmp_path / "a.csv")
    with (
        Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as publisher,
        TapeWriter(tape, 1, 1, 5) as kept, CsvWriter(dump) as rows,
    ):  # fmt: skip
        stream = Stream([MarketStream(publisher, 1, 5, tape=kept, dump=rows)])
        before = time.time_ns()
        stream.frame(WHOLE)
        stream.frame(trades(1, 4))
    found = list(open_source(tape))
    assert [row.kind for row in found] == ["R", "L", "L", "T"]
    assert abs(found[0].recv_ns - before) < 10**9
    assert len(Path(dump).read_text().splitlines()) == 5


def test_streams_are_refused_what_they_cannot_follow(feed: Feed) -> None:
    with pytest.raises(ValueError, match="at least one market"):
        Stream([])
    with pytest.raises(TypeError, match="not a MarketStream"):
        Stream([1])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="price decimals 19"):
        MarketStream(feed.publishers[1], 19, 5)
    with pytest.raises(ValueError, match="market 7"):
        feed.stream.void(7)
