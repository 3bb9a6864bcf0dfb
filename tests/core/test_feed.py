"""The Huginn object: its layout, what is refused, what a reader sees, what a writer may take."""

import errno
import fcntl
import mmap
import os
import re
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog._core.huginn import FeedRead, FeedState, Step, layout, sequence_step
from bog._core.publisher import Publisher
from bog._core.reader import Reader
from bog._core.shm import decode, encode, object_path, process_start
from bog._core.types import Flag, RecordKind, RowKind, Side, Status
from bog.errors import FeedError

ROOT = Path(__file__).resolve().parents[2]
RESET, LEVEL, TRADE = int(RowKind.ROW_RESET), int(RowKind.ROW_LEVEL), int(RowKind.ROW_TRADE)
TOUCH, STATS, STATUS = int(RowKind.ROW_TOUCH), int(RowKind.ROW_STATS), int(RowKind.ROW_STATUS)
BID, ASK = int(Side.BID), int(Side.ASK)
TOP = 2**64 - 1
ROWS = 65536
PX_MAX, QTY_MAX = 1 << 40, 1 << 48
WHERE = layout()


def publisher(shm: Path, market: int = 1, **more: int) -> Publisher:
    return Publisher(market, directory=shm, price_decimals=1, size_decimals=5, **more)


def reader(shm: Path, market: int = 1, **more: int) -> Reader:
    return Reader(market, directory=shm, **more)


@pytest.fixture
def pub(shm: Path) -> Iterator[Publisher]:
    with publisher(shm) as made:
        yield made


def poke(path: str | Path, offset: int, data: bytes) -> None:
    with Path(path).open("r+b") as file:
        file.seek(offset)
        file.write(data)


def peek(path: str | Path, offset: int, size: int) -> bytes:
    with Path(path).open("rb") as file:
        file.seek(offset)
        return file.read(size)


def drain(read: Reader) -> list[tuple[int, ...]]:
    rows = []
    while (row := read.row()) is not None:
        rows.append(row)
    return rows


def replay(
    rows: list[tuple[int, ...]], book: tuple[list[tuple[int, int]], ...] = ((), ())
) -> tuple[dict[int, int], dict[int, int]]:
    """Return the book that rows make of a book, as {price: size} a side."""
    sides = (dict(book[0]), dict(book[1]))
    for _, kind, side, px, qty, *_ in rows:
        if kind == RESET:
            sides[0].clear()
            sides[1].clear()
        elif kind == LEVEL:
            if qty:
                sides[side][px] = qty
            else:
                sides[side].pop(px, None)
    return sides


# identity


def test_name_is_a_million_a_dex_plus_the_market(shm: Path) -> None:
    assert encode(1, 1) == 1_000_001
    assert encode(1, 25) == 1_000_025
    assert decode(2_000_042) == (2, 42)
    assert object_path(1, 25) == "/dev/shm/hg_m1000025"
    assert object_path(1, 0, shm, "x_") == f"{shm}/x_1000000"


@pytest.mark.parametrize("market", [1_000_000, 1_000_001, -1])
def test_raw_id_out_of_range_is_refused(market: int, shm: Path) -> None:
    with pytest.raises(ValueError, match="is not between 0 and 999999"):
        encode(1, market)
    with pytest.raises(ValueError, match="is not between 0 and 999999"):
        publisher(shm, market)
    with pytest.raises(ValueError, match="DEX 0 is not 1 or more"):
        encode(0, 1)


@pytest.mark.parametrize("key", [999_999, 1, 0, -1])
def test_a_raw_id_is_no_object_number(key: int) -> None:
    with pytest.raises(ValueError, match="raw market id"):
        decode(key)


@given(st.integers(1, 1000), st.integers(0, 999_999))
def test_law_decode_undoes_encode(dex: int, market: int) -> None:
    assert decode(encode(dex, market)) == (dex, market)


# sequence


@pytest.mark.parametrize(
    ("last", "seq", "step", "missing"),
    [
        (1, 2, Step.STEP_NEXT, 0),
        (2, 5, Step.STEP_GAP, 2),
        (5, 5, Step.STEP_SAME, 0),
        (TOP - 1, TOP, Step.STEP_NEXT, 0),
        (TOP, 0, Step.STEP_NEXT, 0),
        (TOP - 2, 5, Step.STEP_GAP, 7),
        (100, 1200, Step.STEP_GAP, 1099),
        (100, 99, Step.STEP_BACK, 0),
        (1200, 100, Step.STEP_BACK, 0),
        (0, TOP, Step.STEP_BACK, 0),
        (0, 2**63 - 1, Step.STEP_GAP, 2**63 - 2),
        (0, 2**63, Step.STEP_BACK, 0),
    ],
)
def test_how_a_sequence_goes_on(last: int, seq: int, step: int, missing: int) -> None:
    assert sequence_step(last, seq) == (step, missing)


def test_a_recovered_gap_leaves_no_trace() -> None:
    total, last = 0, 1
    for seq in (2, 5, 5, 6, 7):
        step, missing = sequence_step(last, seq)
        total += missing
        if step != Step.STEP_SAME:
            last = seq
    assert total == 2


@given(st.integers(0, TOP), st.integers(1, 2**63 - 1))
def test_law_a_gap_is_counted_across_the_wrap(last: int, ahead: int) -> None:
    step, missing = sequence_step(last, (last + ahead) & TOP)
    assert missing == ahead - 1
    assert step == (Step.STEP_NEXT if ahead == 1 else Step.STEP_GAP)
    assert sequence_step((last + ahead) & TOP, last) == (Step.STEP_BACK, 0)


# layout


def test_layout_names_every_field_of_the_header_file() -> None:
    text = re.sub(r"/\*.*?\*/", "", (ROOT / "bog/_core/huginn.h").read_text(), flags=re.S)
    for struct_name, prefix in (("bog_hg_header", "header."), ("bog_hg_book", "book.")):
        body = re.search(rf"typedef struct {struct_name} \{{(.*?)\}} {struct_name}_t", text, re.S)
        assert body is not None
        lines = [line for line in body[1].split(";") if line.strip()]
        fields = {prefix + re.sub(r"\[.*", "", line).split()[-1] for line in lines}
        assert fields == {name for name in WHERE if name.startswith(prefix)}


def test_header_fields_fill_the_page_without_holes() -> None:
    at = 0
    for name, (offset, size) in WHERE.items():
        if name.startswith("header."):
            assert offset == at, name
            at += size
    assert at == 4096 == WHERE["records"][0]
    assert WHERE["rows"] == (12288, ROWS * 64)
    assert WHERE["records"][1] == 16 * 384
    assert WHERE["object"][1] % 4096 == 0


def test_document_and_compiler_agree_on_every_offset() -> None:
    section = (ROOT / "docs/formats.md").read_text().split("## Huginn shared memory")[1]
    section = section.split("\n## ")[0]
    found = re.findall(r"^\| (\d+) \| (\d+) \| `([\w.]+)` \|", section, re.M)
    assert {name: (int(at), int(size)) for at, size, name in found} == WHERE


# what a reader sees


def test_one_message_is_its_rows_and_one_record(shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    pub.put(RESET, eom=0, recv_ns=5, exch_ns=3, id=9, flags=int(Flag.F_SNAPSHOT))
    pub.put(LEVEL, BID, 100, 5, eom=0, recv_ns=5, exch_ns=3, id=9)
    pub.put(LEVEL, ASK, 101, 6, recv_ns=5, exch_ns=3, id=9)
    assert drain(read) == [
        (0, RESET, 0, 0, 0, 5, 3, 9, 1, 0, 1),
        (1, LEVEL, BID, 100, 5, 5, 3, 9, 1, 0, 0),
        (2, LEVEL, ASK, 101, 6, 5, 3, 9, 1, 1, 0),
    ]
    record = read.record()
    assert record is not None
    assert record["seq"] == 1
    assert record["kind"] == RecordKind.REC_BOOK
    assert record["flags"] & Flag.F_SNAPSHOT
    assert (record["bids"], record["asks"]) == ([(100, 5)], [(101, 6)])
    assert read.record() is None
    assert read.code == FeedRead.READ_NOTHING


def test_each_print_statistic_and_status_is_a_record_and_a_touch_is_none(
    shm: Path, pub: Publisher
) -> None:
    read = reader(shm)
    pub.put(TRADE, ASK, 100, 2, id=7, eom=0)
    pub.put(TRADE, BID, 101, 3, id=8)
    pub.put(TOUCH, BID, 100, 4)
    pub.put(STATS, 0, 1005, 1004, id=-12)
    pub.put(STATUS, 0, int(Status.STATUS_DOWN))
    assert [(row[1], row[8]) for row in drain(read)] == [
        (TRADE, 1), (TRADE, 2), (TOUCH, 2), (STATS, 3), (STATUS, 4),
    ]  # fmt: skip
    sell, buy, stats, status = (read.record() for _ in range(4))
    assert sell is not None and (sell["px"], sell["qty"], sell["id"], sell["side"]) == (
        100,
        2,
        7,
        1,
    )
    assert buy is not None and (buy["px"], buy["qty"], buy["id"], buy["side"]) == (101, 3, 8, 0)
    assert stats is not None
    assert (stats["mark_px"], stats["index_px"], stats["funding_ppm"]) == (1005, 1004, -12)
    assert status is not None and status["status"] == Status.STATUS_DOWN
    assert read.record() is None


def test_a_record_has_the_ten_best_levels(shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    for i in range(15):
        pub.put(LEVEL, BID, 100 - i, 1 + i, eom=0)
        pub.put(LEVEL, ASK, 101 + i, 1 + i, eom=i == 14)
    record = read.record()
    assert record is not None
    assert record["bids"] == [(100 - i, 1 + i) for i in range(10)]
    assert record["asks"] == [(101 + i, 1 + i) for i in range(10)]


def test_publish_delay_is_measured_and_saturates(shm: Path) -> None:
    with publisher(shm, start_ns=0, unix_offset_ns=0) as pub:
        read = reader(shm)
        delays = []
        for now, recv in ((1_000, 400), (1_000, 2_000), (10**12, 0)):
            pub.heartbeat(now)
            pub.put(TRADE, 0, 1, 1, recv_ns=recv)
            record = read.record()
            assert record is not None
            delays.append(record["pub_delta_ns"])
        assert delays == [600, 0, 2**32 - 1]


@pytest.mark.parametrize(
    "row",
    [
        (LEVEL, 2, 100, 1), (LEVEL, 0, 0, 1), (LEVEL, 0, -1, 1), (LEVEL, 0, PX_MAX, 1),
        (LEVEL, 0, 1, -1), (LEVEL, 0, 1, QTY_MAX), (TRADE, 0, 1, 0), (TRADE, 255, 1, 1),
        (TOUCH, 0, 0, 1), (STATS, 0, -1, 1), (STATS, 0, 1, PX_MAX), (0, 0, 1, 1), (65, 0, 1, 1),
    ],
)  # fmt: skip
def test_an_impossible_row_is_refused_and_leaves_nothing(
    row: tuple[int, int, int, int], shm: Path, pub: Publisher
) -> None:
    with pytest.raises(ValueError, match="is impossible"):
        pub.put(*row)
    assert (pub.rows, pub.seq, pub.refused) == (0, 0, 1)
    assert reader(shm).row() is None


def test_extreme_rows_that_are_possible_pass_whole(shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    pub.put(LEVEL, ASK, PX_MAX - 1, QTY_MAX - 1, recv_ns=2**63 - 1, exch_ns=-(2**63), id=-(2**63))
    row = read.row()
    assert row is not None
    assert row[3:8] == (PX_MAX - 1, QTY_MAX - 1, 2**63 - 1, -(2**63), -(2**63))


def test_two_markets_do_not_mix(shm: Path) -> None:
    with publisher(shm, 1) as one, publisher(shm, 0) as zero:
        first, second = reader(shm, 1), reader(shm, 0)
        for i in range(1000):
            one.put(TRADE, 0, 1000 + i, 1)
            zero.put(TRADE, 1, 5000 + i, 2)
        assert [row[3] for row in drain(first)] == list(range(1000, 2000))
        assert [row[3] for row in drain(second)] == list(range(5000, 6000))
        one.put(LEVEL, BID, 7, 7)
        one.heartbeat(2**62)
        zero.heartbeat(2**62)
        fresh_one, fresh_zero = reader(shm, 1), reader(shm, 0)
        assert fresh_one.book() == ([(7, 7)], [])
        assert fresh_zero.book() == ([], [])


def test_reader_counts_messages_after_a_gap(shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    pub.put(LEVEL, BID, 1, 1)
    pub.put(LEVEL, BID, 1, 2, flags=int(Flag.F_AFTER_GAP))
    pub.put(LEVEL, BID, 1, 3)
    assert len(drain(read)) == 3
    assert read.gaps == 1


# laps


@pytest.mark.parametrize("extra", [0, 1, 2, 1000, ROWS, 3 * ROWS + 17])
def test_rows_lost_to_a_lap_are_counted_exactly(extra: int, shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    pub.put(LEVEL, BID, 5, 1)
    pub.put(LEVEL, BID, 6, 1)
    delivered = [read.row()]
    for i in range(ROWS - 1 + extra):
        pub.put(LEVEL, i & 1, (50 if i & 1 else 10) + i % 7, 1 + i)
    if extra == 0:
        delivered += drain(read)
        assert read.laps == read.lost_rows == 0
    else:
        assert read.row() is None
        assert read.code == FeedRead.READ_LAPPED
        assert read.row() is None and read.code == FeedRead.READ_LAPPED
        assert read.book() is not None
        assert read.laps == 1
        delivered += drain(read)
    assert len(delivered) + read.lost_rows == pub.rows
    assert delivered[-1] is not None and delivered[-1][0] == pub.rows - 1


@pytest.mark.parametrize("burst", [1, 15, 16, 17, 18, 40, 1000])
def test_records_lost_to_a_lap_are_counted_exactly(burst: int, shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    seen, laps = [], 0
    for _ in range(5):
        for _ in range(burst):
            pub.put(TRADE, 0, 1 + pub.seq, 1)
        while True:
            record = read.record()
            if record is not None:
                assert record["px"] == record["seq"]
                seen.append(record["seq"])
            elif read.code == FeedRead.READ_LAPPED:
                laps += 1
            else:
                break
    assert seen == sorted(set(seen))
    assert seen[-1] == pub.seq
    assert len(seen) + read.lost_records == pub.seq
    assert read.laps == laps == (5 if burst > 16 else 0)


def test_sequence_wraps_without_gap_or_reset(shm: Path) -> None:
    with publisher(shm, first_seq=TOP - 20) as pub:
        read = reader(shm)
        seqs = []
        for i in range(60):
            pub.put(TRADE, 0, 1 + i, 1)
            record = read.record()
            assert record is not None and record["px"] == 1 + i
            seqs.append(record["seq"])
        assert seqs == [(TOP - 20 + i) & TOP for i in range(60)]
        for _ in range(300):
            assert read.record() is None
        assert read.code == FeedRead.READ_NOTHING
        assert (read.laps, read.lost_records) == (0, 0)
        late = reader(shm)
        record = late.record()
        assert record is not None and record["px"] == 60


def test_a_late_reader_begins_with_the_newest_record(shm: Path, pub: Publisher) -> None:
    for i in range(100):
        pub.put(TRADE, 0, 1 + i, 1)
    read = reader(shm)
    record = read.record()
    assert record is not None and record["px"] == 100
    assert read.record() is None
    assert read.lost_records == 0


# the whole book


@given(st.data())
def test_law_a_reader_from_anywhere_has_the_book_of_a_reader_from_the_start(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    shm = tmp_path_factory.mktemp("shm")
    shm.chmod(0o700)
    rows = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from([LEVEL] * 12 + [TRADE, RESET, TOUCH]),
                st.integers(0, 1), st.integers(1, 12), st.integers(0, 3), st.booleans(),
            ),
            max_size=60,
        )
    )  # fmt: skip
    attach = data.draw(st.integers(0, len(rows)))
    beats = data.draw(st.sets(st.integers(0, len(rows)), max_size=8))
    with publisher(shm, start_ns=0, unix_offset_ns=0) as pub:
        start = reader(shm)
        late = None
        for i, (kind, side, px, qty, eom) in enumerate(rows):
            if i in beats:
                pub.heartbeat(i * 10**9)
            if i == attach:
                late = reader(shm)
                book = late.book()
            pub.put(kind, side, px, max(qty, 1) if kind == TRADE else qty, eom=eom)
        if late is None:
            late = reader(shm)
            book = late.book()
        assert book is not None
        known = late.next
        everything = drain(start)
        rest = drain(late)
        assert rest == everything[known:]
        wanted = replay(everything)
        assert replay(rest, book) == wanted
        again = late.book()
        assert again is not None
        assert (dict(again[0]), dict(again[1])) == wanted
        assert late.next == len(everything)
        assert late.lost_rows == start.lost_rows == 0


def test_the_page_never_shows_the_middle_of_a_message(shm: Path, pub: Publisher) -> None:
    pub.put(LEVEL, BID, 1, 1)
    pub.put(RESET, eom=0)
    for i in range(30_000):
        pub.put(LEVEL, BID, 2 + i, 1, eom=0)
    pub.heartbeat(2**62)
    read = reader(shm)
    assert read.book() == ([(1, 1)], [])
    assert read.next == 1


def test_the_top_is_the_book_of_the_newest_whole_message(shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    pub.put(RESET, eom=0, flags=int(Flag.F_SNAPSHOT))
    for i in range(20):
        pub.put(LEVEL, BID, 100 - i, 1 + i, eom=0)
        pub.put(LEVEL, ASK, 101 + i, 2 + i, eom=i == 19, recv_ns=7000, exch_ns=8000)
    pub.put(TRADE, ASK, 100, 3, recv_ns=9000)
    top = read.top(3)
    assert top is not None
    assert top["bids"] == [(100, 1), (99, 2), (98, 3)]
    assert top["asks"] == [(101, 2), (102, 3), (103, 4)]
    assert top["standing"] == (20, 20)
    assert (top["recv_ns"], top["exch_ns"]) == (7000, 8000)
    assert top["trade"] == (100, 3, ASK, 9000)
    again = reader(shm).top(1)  # one that comes late sees the same, but for prints that are past
    assert again is not None
    assert {**again, "trade": None} == {
        **top, "bids": [(100, 1)], "asks": [(101, 2)], "trade": None,
    }  # fmt: skip


def test_the_top_never_shows_the_middle_of_a_message(shm: Path, pub: Publisher) -> None:
    pub.put(LEVEL, BID, 100, 1)
    read = reader(shm)
    whole = read.top(5)
    assert whole is not None and whole["bids"] == [(100, 1)]
    pub.put(LEVEL, BID, 100, 0, eom=0)
    pub.put(LEVEL, ASK, 99, 5, eom=0)
    for _ in range(3):
        assert read.top(5) is None
        assert read.code == FeedRead.READ_NOTHING
    pub.put(LEVEL, BID, 98, 2)
    after = read.top(5)
    assert after is not None
    assert (after["bids"], after["asks"]) == ([(98, 2)], [(99, 5)])
    assert after["seq"] > whole["seq"]


def test_the_top_survives_a_writer_that_laps(shm: Path, pub: Publisher) -> None:
    pub.put(LEVEL, BID, 5, 1)
    read = reader(shm)
    assert read.top(1) is not None
    for i in range(2 * ROWS):
        pub.put(LEVEL, BID, 1 + i % 9, 1 + i)
    top = read.top(9)
    assert top is not None
    assert [px for px, _ in top["bids"]] == list(range(9, 0, -1))
    assert max(qty for _, qty in top["bids"]) == 2 * ROWS
    assert read.laps == 1


def test_a_message_of_more_than_half_a_ring_arrives_whole(shm: Path, pub: Publisher) -> None:
    pub.put(LEVEL, BID, 1, 1)
    pub.put(RESET, eom=0)
    for i in range(16_000):
        pub.put(LEVEL, BID, 100_000 - i, 1 + i, eom=0)
        pub.put(LEVEL, ASK, 100_001 + i, 1 + i, eom=0)
    for i in range(3_000):
        pub.put(LEVEL, BID, 100_000 - i, 7, eom=0)
    read = reader(shm)
    assert read.book() is None
    assert read.code == FeedRead.READ_NOTHING
    pub.put(LEVEL, ASK, 100_001, 9)
    pub.heartbeat(2**62)
    book = read.book()
    assert book is not None
    assert len(book[0]) == len(book[1]) == 16_000
    assert book[0][:2] == [(100_000, 7), (99_999, 7)]
    assert book[1][0] == (100_001, 9)
    assert read.next == pub.rows


def test_the_page_follows_within_a_bounded_number_of_rows(shm: Path, pub: Publisher) -> None:
    for i in range(40_000):
        pub.put(LEVEL, BID, 1 + i % 9, 1 + i)
    read = reader(shm)
    assert read.book() is not None
    assert pub.rows - read.next <= 8192


def test_a_book_that_is_being_written_is_not_read_and_not_waited_for(
    shm: Path, pub: Publisher
) -> None:
    pub.put(LEVEL, BID, 1, 1)
    pub.heartbeat(2**62)
    read = reader(shm)
    lock = struct.unpack("<Q", peek(pub.path, WHERE["book.lock"][0], 8))[0]
    poke(pub.path, WHERE["book.lock"][0], struct.pack("<Q", lock + 1))
    assert read.book() is None
    assert read.code == FeedRead.READ_NOTHING
    poke(pub.path, WHERE["book.lock"][0], struct.pack("<Q", lock))
    assert read.book() == ([(1, 1)], [])


@pytest.mark.parametrize(
    ("at", "word"),
    [(8, -1), (8, 32769), (16, 2**62), (64, 0), (64, PX_MAX), (72, 5), (64 + 2 * 32768 * 8, 0)],
)
def test_a_page_that_is_no_book_is_refused(at: int, word: int, shm: Path, pub: Publisher) -> None:
    pub.put(LEVEL, BID, 5, 1)
    pub.put(LEVEL, BID, 6, 1)
    pub.heartbeat(2**62)
    read = reader(shm)
    poke(pub.path, WHERE["book.depth"][0] + at, struct.pack("<q", word))
    assert read.book() is None
    assert read.code == FeedRead.READ_GARBAGE
    assert read.garbage == 1


# faults of the writer


def slot(number: int) -> int:
    return WHERE["rows"][0] + (number % ROWS) * 64


def test_a_slot_that_stays_odd_is_never_delivered(shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    pub.put(TRADE, 0, 5, 5)
    poke(pub.path, slot(0), struct.pack("<Q", 1))
    said = set()
    for _ in range(1000):
        assert read.row() is None
        said.add(read.code)
    # it is counted as published: after some looks that is told as a hole
    assert said == {FeedRead.READ_NOTHING, FeedRead.READ_LAPPED}
    poke(pub.path, slot(0), struct.pack("<Q", 2))
    row = read.row()
    assert row is not None and row[3] == 5


def test_rows_that_are_counted_and_stand_nowhere_are_a_hole(shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    pub.put(LEVEL, BID, 5, 5)
    assert read.row() is not None
    at = WHERE["header.rows"][0]
    poke(pub.path, at, struct.pack("<Q", 11))  # ten more, and none of them is written
    codes = set()
    for _ in range(1000):
        assert read.row() is None
        codes.add(read.code)
    assert codes == {FeedRead.READ_NOTHING, FeedRead.READ_LAPPED}
    # a book from before the hole is no way out
    assert read.book() is None and read.code == FeedRead.READ_NOTHING
    poke(pub.path, WHERE["book.rows"][0], struct.pack("<Q", 11))
    assert read.book() is not None
    assert (read.lost_rows, read.next) == (10, 11)


def test_a_message_under_way_is_not_a_count_that_went_back(shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    pub.put(LEVEL, BID, 5, 5)
    pub.put(LEVEL, BID, 6, 5, eom=0)
    assert read.row() is not None and read.row() is not None
    for _ in range(1000):  # its writer was put to sleep in the middle
        assert read.row() is None and read.code == FeedRead.READ_NOTHING
    pub.put(LEVEL, BID, 7, 5)
    row = read.row()
    assert row is not None and row[3] == 7


def test_a_writer_asleep_before_it_counts_did_not_go_back(shm: Path, pub: Publisher) -> None:
    """Found by fault row 06 under load: the row stood, the writer slept, the count came later."""
    pub.put(LEVEL, BID, 5, 5)
    pub.put(LEVEL, BID, 6, 5)
    read = reader(shm)
    poke(pub.path, WHERE["header.rows"][0], struct.pack("<QQ", 1, 1))  # as it is in between
    assert len(drain(read)) == 2 and read.record() is not None
    for _ in range(1000):
        assert read.row() is None and read.code == FeedRead.READ_NOTHING
        assert read.record() is None and read.code == FeedRead.READ_NOTHING
    pub.put(LEVEL, BID, 7, 5)
    assert len(drain(read)) == 1 and read.record() is not None
    assert read.gaps == read.laps == 0


def test_after_a_count_that_went_back_no_old_slot_is_believed(shm: Path, pub: Publisher) -> None:
    for px in range(1, 11):
        pub.put(TRADE, 0, px, 1)
    read = reader(shm)
    while read.row() is not None:
        pass
    poke(pub.path, WHERE["header.rows"][0], struct.pack("<Q", 4))
    for n in range(1000):
        if n == 500:
            pub.heartbeat()
        if read.row() is None and read.code == FeedRead.READ_BACKWARDS:
            break
    assert read.code == FeedRead.READ_BACKWARDS
    poke(pub.path, WHERE["book.rows"][0], struct.pack("<Q", 4))
    assert read.book() is not None and read.next == 4
    for _ in range(1000):
        assert read.row() is None  # slots 4 to 9 hold what the writer said before it went back
    poke(pub.path, WHERE["header.rows"][0], struct.pack("<Q", 5))
    row = read.row()
    assert row is not None and row[0] == 4


def test_a_row_out_of_range_is_not_delivered(shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    for offset, value in ((56, b"?"), (57, b"\x02"), (58, b"\x07"), (24, b"\0" * 8), (60, b"\x09")):
        pub.put(LEVEL, 0, 5, 5)
        poke(pub.path, slot(pub.rows - 1) + offset, value)
        assert read.row() is None
        assert read.code == FeedRead.READ_GARBAGE
    assert read.garbage == 5
    pub.put(LEVEL, 0, 5, 6)
    row = read.row()
    assert row is not None and row[4] == 6


def test_a_row_damaged_after_it_was_written_stays_out_of_the_book_page(
    shm: Path, pub: Publisher
) -> None:
    """Found by UBSan: the writer read side 2 back from its own ring, past the book's two sides."""
    deep = 100  # so many levels that the page takes two rows from the ring and is not copied
    for px in range(1000, 1000 + deep):
        pub.put(LEVEL, 0, px, 5)
    pub.heartbeat(time.monotonic_ns() + 10**9)
    pub.put(LEVEL, 0, 5, 5)
    pub.put(LEVEL, 0, 4, 5)
    for offset, value in ((57, b"\x02"), (24, b"\xff" * 8)):
        poke(pub.path, slot(deep) + offset, value)
    pub.heartbeat(time.monotonic_ns() + 2 * 10**9)
    book = reader(shm).book()
    assert book is not None and book[0][deep:] == [(4, 5)]


def test_a_record_out_of_range_is_not_delivered(shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    for at, (offset, value) in enumerate(((56, 0), (56, 9), (58, 11), (59, 255)), 1):
        pub.put(LEVEL, 0, 5, 5)
        poke(pub.path, WHERE["records"][0] + at * 384 + offset, bytes([value]))
        assert read.record() is None
        assert read.code == FeedRead.READ_GARBAGE


def test_counts_that_go_back_are_a_fault_and_not_a_gap(shm: Path, pub: Publisher) -> None:
    for i in range(100):
        pub.put(TRADE, 0, 1 + i, 1)
    read = reader(shm)
    assert len(drain(read)) == 100
    while read.record() is not None:
        pass
    poke(pub.path, WHERE["header.rows"][0], struct.pack("<QQ", 3, 3))
    rows, records = [], []
    for _ in range(2):  # it is alive, and does not count on
        rows += [(read.row(), read.code)[1] for _ in range(256)]
        records += [(read.record(), read.code)[1] for _ in range(256)]
        pub.heartbeat()
    assert FeedRead.READ_BACKWARDS in rows and FeedRead.READ_BACKWARDS in records
    assert set(rows + records) == {FeedRead.READ_BACKWARDS, FeedRead.READ_NOTHING}
    assert (read.lost_rows, read.lost_records, read.laps) == (0, 0, 0)


def test_a_slot_from_the_past_is_a_fault_and_not_a_gap(shm: Path, pub: Publisher) -> None:
    for i in range(ROWS + 50):
        pub.put(TRADE, 0, 1 + i, 1)
    read = reader(shm)
    assert read.book() is not None
    drain(read)
    poke(pub.path, slot(read.next), struct.pack("<Q", 2 * 7))
    assert read.row() is None
    assert read.code == FeedRead.READ_BACKWARDS
    assert read.lost_rows == 0


def test_truncated_object_is_a_dead_feed_and_the_process_lives(shm: Path, pub: Publisher) -> None:
    pub.put(LEVEL, BID, 5, 5)
    read, other = reader(shm), reader(shm)
    os.truncate(pub.path, 0)
    assert read.row() is None
    assert other.book() is None
    assert read.row() is None and read.code == FeedRead.READ_GONE
    assert other.record() is None and other.code == FeedRead.READ_GONE
    assert read.book() is None and read.code == FeedRead.READ_GONE
    with pytest.raises(FeedError, match="has 0 bytes, expected"):
        read.refresh()
    with pytest.raises(FeedError, match="was truncated"):
        for _ in range(2):
            pub.put(LEVEL, BID, 5, 5)
    assert not pub.is_intact()


def test_a_fault_elsewhere_still_kills(shm: Path) -> None:
    script = f"""
import mmap, os
from bog._core.publisher import Publisher
from bog._core.reader import Reader
p = Publisher(1, directory={str(shm)!r}, price_decimals=1, size_decimals=5)
r = Reader(1, directory={str(shm)!r})
f = os.open({str(shm / "other")!r}, os.O_RDWR | os.O_CREAT)
os.ftruncate(f, 4096)
m = mmap.mmap(f, 4096)
os.ftruncate(f, 0)
m[0]
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == -7


# what is refused


def mutations() -> Iterator[tuple[str, int, bytes]]:
    """Yield a change of each byte of each header field: every bit flipped, and set to zero."""
    for name, (offset, size) in WHERE.items():
        if name.startswith("header."):
            step = 1 if size < 100 else 97
            for at in range(0, size, step):
                yield name, offset + at, b"\xff"
                yield name, offset + at, b"\x00"
                yield name, offset + at, b"\x01"


FREE = {"header.heartbeat_ns", "header.rows", "header.seq", "header.first_seq", "header.pid",
        "header.pid_start", "header.epoch", "header.start_ns", "header.unix_offset_ns",
        "header.state", "header.price_decimals", "header.size_decimals"}  # fmt: skip


def test_every_header_byte_is_refused_or_fully_valid(shm: Path, pub: Publisher) -> None:
    pub.put(LEVEL, BID, 5, 5)
    pub.heartbeat(2**61)
    refused = set()
    for name, offset, value in mutations():
        before = peek(pub.path, offset, 1)
        if before == value:
            continue
        poke(pub.path, offset, value)
        try:
            read = reader(shm)
        except FeedError as error:
            refused.add(name)
            assert "\n" not in str(error) and pub.path in str(error)
        else:
            assert name in FREE, f"{name} byte {offset} = {value!r} was not noticed"
            assert read.book() == ([(5, 5)], [])
            assert read.row() is None
            read.record()
        poke(pub.path, offset, before)
    never = {name for name in WHERE if name.startswith("header.")} - refused
    # counts, and a start time of which one byte differs: only another process has that
    assert never == {"header.rows", "header.seq", "header.first_seq", "header.pid_start"}
    start = peek(pub.path, WHERE["header.pid_start"][0], 8)
    poke(pub.path, WHERE["header.pid_start"][0], bytes(8))
    with pytest.raises(FeedError, match="as its writer"):
        reader(shm)
    poke(pub.path, WHERE["header.pid_start"][0], start)
    assert reader(shm).book() == ([(5, 5)], [])


@pytest.mark.usefixtures("pub")
def test_decimals_other_than_the_readers_are_refused(shm: Path) -> None:
    reader(shm, price_decimals=1, size_decimals=5)
    with pytest.raises(FeedError, match="has 1 price decimals, expected 2"):
        reader(shm, price_decimals=2)
    with pytest.raises(FeedError, match="has 5 size decimals, expected 4"):
        reader(shm, size_decimals=4)


def test_decimals_may_not_change_across_a_restart(shm: Path) -> None:
    publisher(shm).close()
    read = reader(shm)
    with Publisher(1, directory=shm, price_decimals=2, size_decimals=5):
        with pytest.raises(FeedError, match="has 2 price decimals, expected 1"):
            read.refresh()
        assert read.row() is None and read.code == FeedRead.READ_EPOCH


def test_reader_refuses_what_is_not_a_private_regular_file_of_the_owner(shm: Path) -> None:
    path = Path(object_path(1, 1, shm))
    with pytest.raises(FeedError, match=os.strerror(errno.ENOENT)):
        reader(shm)
    target = shm / "target"
    with publisher(shm):
        pass
    path.rename(target)
    path.symlink_to(target)
    with pytest.raises(FeedError, match="is a symbolic link"):
        reader(shm)
    path.unlink()
    os.link(target, path)
    with pytest.raises(FeedError, match="has 2 links, expected 1"):
        reader(shm)
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(FeedError, match="not a regular file"):
        reader(shm)
    path.unlink()
    path.mkdir()
    with pytest.raises(FeedError, match="not a regular file"):
        reader(shm)
    path.rmdir()
    target.rename(path)
    for mode in (0o620, 0o602, 0o666):
        path.chmod(mode)
        with pytest.raises(FeedError, match=f"has mode {mode:o}"):
            reader(shm)
    path.chmod(0o600)
    with pytest.raises(FeedError, match=f"belongs to uid {os.geteuid()}, expected 12345"):
        reader(shm, owner=12345)
    size = path.stat().st_size
    for wrong in (0, 64, size - 1, size + 1):
        os.truncate(path, wrong)
        with pytest.raises(FeedError, match=f"has {wrong} bytes, expected {size}"):
            reader(shm)


def test_reader_of_another_market_refuses_a_renamed_object(shm: Path) -> None:
    publisher(shm).close()
    Path(object_path(1, 1, shm)).rename(object_path(1, 2, shm))
    with pytest.raises(FeedError, match="holds market 1, expected 2"):
        reader(shm, 2)
    Path(object_path(1, 2, shm)).rename(object_path(2, 1, shm))
    with pytest.raises(FeedError, match="holds DEX 1, expected 2"):
        reader(shm, 1, dex=2)


def test_a_reader_cannot_write(shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    assert read.path == pub.path
    maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if pub.path in line]
    assert sorted(line.split()[1] for line in maps) == ["r--s", "rw-s"]


# what a writer may take


def test_object_is_private_to_its_owner_whatever_the_umask(shm: Path) -> None:
    old = os.umask(0)
    try:
        with publisher(shm) as pub:
            mode = Path(pub.path).stat().st_mode
    finally:
        os.umask(old)
    assert stat.S_IMODE(mode) == 0o600


def test_squatted_name_is_refused_and_left_alone(shm: Path) -> None:
    path = Path(object_path(1, 1, shm))
    path.write_bytes(b"somebody else's notes" * 10)
    path.chmod(0o600)
    with pytest.raises(FeedError, match="is no Huginn object"):
        publisher(shm)
    assert path.read_bytes() == b"somebody else's notes" * 10
    path.chmod(0o620)
    with pytest.raises(FeedError, match="has mode 620, expected 600"):
        publisher(shm)
    path.chmod(0o600)
    os.link(path, shm / "second")
    with pytest.raises(FeedError, match="has 2 links, expected 1"):
        publisher(shm)
    path.unlink()
    path.symlink_to(shm / "nowhere")
    with pytest.raises(FeedError, match="is a symbolic link"):
        publisher(shm)
    assert not (shm / "nowhere").exists()
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(FeedError, match="is not a regular file"):
        publisher(shm)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of another user")
def test_object_of_another_user_is_refused(shm: Path) -> None:
    with publisher(shm) as pub:
        path = pub.path
    os.chown(path, 12345, 12345)
    with pytest.raises(FeedError, match="belongs to uid 12345, expected 0"):
        publisher(shm)
    with pytest.raises(FeedError, match="belongs to uid 12345, expected 0"):
        reader(shm)
    assert reader(shm, owner=12345).header()["state"] == FeedState.HG_CLOSED


def test_folder_where_others_can_replace_files_is_refused(shm: Path) -> None:
    shm.chmod(0o777)
    with pytest.raises(FeedError, match="lets others replace files"):
        publisher(shm)
    shm.chmod(0o1777)
    publisher(shm).close()


def test_live_writer_is_refused_by_name_of_its_process(shm: Path, pub: Publisher) -> None:
    inode = Path(pub.path).stat().st_ino
    with pytest.raises(FeedError, match=f"has a live writer, process {os.getpid()}") as refused:
        publisher(shm)
    assert "\n" not in str(refused.value)
    assert Path(pub.path).stat().st_ino == inode
    pub.put(TRADE, 0, 1, 1)
    assert reader(shm).header()["state"] == FeedState.HG_OPEN


def leave_behind(shm: Path, pid: int, pid_start: int) -> Path:
    """Leave an open object as a writer with this process id and start time would."""
    with publisher(shm) as pub:
        path = Path(pub.path)
    poke(path, WHERE["header.pid"][0], struct.pack("<I", pid))
    poke(path, WHERE["header.pid_start"][0], struct.pack("<Q", pid_start))
    poke(path, WHERE["header.state"][0], struct.pack("<Q", FeedState.HG_OPEN))
    return path


def test_a_live_process_without_the_lock_is_still_a_live_writer(shm: Path) -> None:
    leave_behind(shm, os.getpid(), process_start(os.getpid()))
    with pytest.raises(FeedError, match=f"has a live writer, process {os.getpid()}"):
        publisher(shm)


def test_a_lock_alone_is_a_live_writer(shm: Path) -> None:
    path = leave_behind(shm, 4194304, 1)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(FeedError, match="has a live writer, process 4194304"):
            publisher(shm)
    publisher(shm).close()


@pytest.mark.parametrize("who", ["dead", "recycled"])
def test_object_of_a_dead_writer_is_taken_over(who: str, shm: Path) -> None:
    if who == "dead":
        child = subprocess.Popen([sys.executable, "-c", "pass"])
        start = process_start(child.pid)
        child.wait()
        path = leave_behind(shm, child.pid, start)
    else:
        path = leave_behind(shm, os.getpid(), process_start(os.getpid()) + 1)
    read = reader(shm)
    inode = path.stat().st_ino
    with publisher(shm) as pub:
        assert pub.epoch == 2
        assert path.stat().st_ino != inode
        assert read.row() is None and read.code == FeedRead.READ_EPOCH
        assert read.record() is None and read.code == FeedRead.READ_EPOCH
        assert read.book() is None and read.code == FeedRead.READ_EPOCH
        assert read.refresh()
        assert read.epoch == 2


def test_object_left_in_the_middle_of_its_creation_is_taken_over(shm: Path) -> None:
    path = Path(object_path(1, 1, shm))
    for size in (0, 10, 4096):
        path.write_bytes(b"\0" * size)
        path.chmod(0o600)
        publisher(shm).close()
        path.unlink()


def test_a_process_that_does_not_exist_has_no_start() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert process_start(child.pid) > 0
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process_start(child.pid) == 0  # a zombie writes no feed
    child.communicate()
    assert process_start(child.pid) == 0


# the life of a feed


def test_close_says_so_after_the_last_row(shm: Path) -> None:
    pub = publisher(shm)
    read = reader(shm)
    pub.put(LEVEL, BID, 5, 5, recv_ns=77)
    pub.close()
    pub.close()
    rows = drain(read)
    assert [(row[1], row[3]) for row in rows] == [(LEVEL, 5), (STATUS, Status.STATUS_END)]
    assert read.code == FeedRead.READ_GONE
    assert read.book() == ([(5, 5)], [])
    assert reader(shm).header()["state"] == FeedState.HG_CLOSED
    with pytest.raises(FeedError, match="is closed"):
        pub.put(LEVEL, BID, 5, 5)
    assert not read.refresh()


def test_each_start_is_one_epoch_more_and_begins_anew(shm: Path) -> None:
    read = None
    for epoch in range(1, 51):
        with publisher(shm) as pub:
            assert pub.epoch == epoch
            if read is None:
                read = reader(shm)
            else:
                assert read.row() is None and read.code == FeedRead.READ_EPOCH
                assert read.refresh()
                assert not read.refresh()
            pub.put(TRADE, 0, epoch, 1)
            row, record = read.row(), read.record()
            assert row is not None and row[0] == 0 and row[3] == epoch
            assert record is not None and record["seq"] == 1
    assert read is not None
    assert (read.epochs, read.lost_rows, read.lost_records, read.laps) == (50, 0, 0, 0)


def test_object_recreated_behind_our_back_is_found_by_its_inode(shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    Path(pub.path).unlink()
    assert not read.refresh()
    assert not pub.is_intact()
    with publisher(shm) as second:
        assert second.epoch == 1
        second.put(TRADE, 0, 9, 9)
        assert read.row() is None and read.code == FeedRead.READ_NOTHING
        assert read.refresh()
        row = read.row()
        assert row is not None and row[3] == 9


def test_epoch_changed_in_place_is_seen_on_the_next_read(shm: Path, pub: Publisher) -> None:
    pub.put(TRADE, 0, 1, 1)
    read = reader(shm)
    poke(pub.path, WHERE["header.epoch"][0], struct.pack("<Q", 2))
    assert read.row() is None and read.code == FeedRead.READ_EPOCH
    assert read.refresh()
    row = read.row()
    assert row is not None and row[3] == 1


def test_abandoned_publisher_closes_its_object(shm: Path) -> None:
    pub = publisher(shm)
    del pub
    assert reader(shm).header()["state"] == FeedState.HG_CLOSED


def test_heartbeat_is_the_writers(shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    first = read.header()["heartbeat_ns"]
    pub.heartbeat()
    second = read.header()["heartbeat_ns"]
    assert second > first
    pub.put(TRADE, 0, 1, 1)
    assert read.header()["heartbeat_ns"] == second


def test_full_memory_is_refused_before_a_store_can_fault(shm: Path) -> None:
    script = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from bog._core.publisher import Publisher
from bog.errors import FeedError
try:
    Publisher(1, directory={str(shm)!r}, price_decimals=1, size_decimals=5)
except FeedError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"needs {WHERE['object'][1]} bytes" in done.stdout
    assert not Path(object_path(1, 1, shm)).exists()


def test_packed_rows_are_published_as_they_are_and_read_in_one_go(
    shm: Path, pub: Publisher
) -> None:
    read = reader(shm)
    rows = [struct.pack("<QqqqqqQBBBBI", 0, i, 2, 3 + i, 4, 5, 99, LEVEL, BID, 1, 0, 77)
            for i in range(100)]  # fmt: skip
    assert pub.put_packed(b"".join(rows)) == 100
    assert read.drain(40) == 40
    row = read.row()
    assert row == (40, LEVEL, BID, 43, 4, 40, 2, 5, 41, 1, 0)
    assert read.drain(1000) == 59
    assert read.code == FeedRead.READ_NOTHING
    assert pub.put_packed(rows[0] + bytes(64) + rows[1]) == 1


def test_listening_gives_the_age_of_each_record(shm: Path, pub: Publisher) -> None:
    read = reader(shm)
    for _ in range(5):
        pub.put(TRADE, 0, 1, 1, recv_ns=time.monotonic_ns())
    ages = read.listen(9, 1_000_000)
    assert len(ages) == 5
    assert all(age > 0 for age in ages)


def test_mapping_sees_what_the_file_says(pub: Publisher) -> None:
    """The tests above poke the file: that is the same memory as the mapping."""
    pub.put(TRADE, 0, 1234, 1)
    with Path(pub.path).open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        assert mapped[slot(0) + 24 : slot(0) + 32] == struct.pack("<q", 1234)
        mapped.close()
