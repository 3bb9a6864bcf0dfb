"""Recordings: what is read, what is recognized, and what is refused in one line."""

import gzip
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bog._core.frames import MarketRow
from bog._core.recorder import CsvWriter, dump_csv
from bog._core.source import LOOP_GAP_NS, open_source

HEADER = "recv_ns,exch_ns,kind,side,price,size,id,eom\n"
ORDERS = "recv_ns,exch_ns,kind,side,price,size,order_id,taker_id\n"
ROWS = (
    "100,90,R,b,0,0,7,0\n"
    "100,90,L,b,1000,5,7,0\n"
    "100,90,L,a,1001,6,7,1\n"
    "110,105,B,a,1001,4,8,1\n"
    "120,0,T,a,1000,2,55,1\n"
    "120,0,L,b,1000,0,9,1\n"
)
FRAMES = (
    '{"recv_ns":5,"frame":{"channel":"order_book:1","type":"subscribed/order_book",'
    '"order_book":{"offset":1,"bids":[{"price":"1.0","size":"2"}]}}}\n'
    '{"recv_ns":6,"frame":{"channel":"order_book:2","type":"subscribed/order_book",'
    '"order_book":{"offset":9,"asks":[{"price":"3.5","size":"4"}]}}}\n'
    '{"frame":{"channel":"order_book:1","type":"update/order_book",'
    '"order_book":{"offset":2,"bids":[{"price":"1.0","size":"0"}]}},"recv_ns":7}\n'
)


@pytest.fixture
def put(tmp_path):
    """Write a file beside nothing else and return its path."""

    def write(content, name="file"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def message(path, **given_):
    with pytest.raises(ValueError) as caught:
        open_source(path, **given_)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    "content", [HEADER + ROWS, FRAMES, ORDERS + "5,4,A,b,10,3,1,0\n9,4,A,a,11,3,2,0\n"]
)
def test_a_looped_recording_begins_again_a_gap_behind_its_end(put, content):
    given = {} if content[0] == "r" else {"market": 1, "price_decimals": 1, "size_decimals": 0}
    path = put(content)
    once = list(open_source(path, **given))
    source = open_source(path, **given)
    source.loop()
    shift = once[-1].recv_ns - once[0].recv_ns + LOOP_GAP_NS
    for turn in range(3):
        moved = turn * shift
        if turn:
            empty = MarketRow(once[0].recv_ns + moved, 0, "R", 0, 0, 0, 0, 1, 1)
            assert source.next_row() == empty
        for row in once:
            assert source.next_recv_ns() == row.recv_ns + moved
            exch_ns = row.exch_ns and row.exch_ns + moved
            assert source.next_row() == row._replace(recv_ns=row.recv_ns + moved, exch_ns=exch_ns)
    source.rewind()
    assert source.next_row() == once[0]


def test_rows_pass_through_with_every_column(put):
    source = open_source(put(HEADER + ROWS))
    assert list(source) == [
        MarketRow(100, 90, "R", 0, 0, 0, 7, 0, 1),
        MarketRow(100, 90, "L", 0, 1000, 5, 7, 0, 1),
        MarketRow(100, 90, "L", 1, 1001, 6, 7, 1, 1),
        MarketRow(110, 105, "B", 1, 1001, 4, 8, 1, 0),
        MarketRow(120, 0, "T", 1, 1000, 2, 55, 1, 0),
        MarketRow(120, 0, "L", 0, 1000, 0, 9, 1, 0),
    ]
    assert source.next_row() is None
    assert (source.rows, source.messages) == (6, 4)
    assert (source.first_recv_ns, source.last_recv_ns) == (100, 120)
    assert source.rows_by_kind == {"R": 1, "L": 3, "B": 1, "T": 1}
    assert source.format == "rows"
    assert source.error() == ""


def test_peek_shows_the_time_of_the_next_row_without_taking_it(put):
    source = open_source(put(HEADER + ROWS))
    seen = []
    while (when := source.next_recv_ns()) is not None:
        assert source.next_recv_ns() == when
        seen.append(when)
        source.next_row()
    assert seen == [100, 100, 100, 110, 120, 120]


def test_rewind_starts_over(put):
    for path, given_ in (
        (put(HEADER + ROWS, "rows"), {}),
        (put(FRAMES, "frames"), {"market": 1, "price_decimals": 1, "size_decimals": 0}),
        (put(ORDERS + "9,1,A,b,5,7,1,0\n9,2,D,b,5,7,1,0\n", "orders"), {}),
    ):
        source = open_source(path, **given_)
        first = list(source)
        assert first
        source.rewind()
        assert list(source) == first


def test_progress_runs_from_the_first_byte_to_the_last(put):
    source = open_source(put(HEADER + ROWS))
    done, total = source.progress
    assert total == len(HEADER + ROWS)
    while source.next_row() is not None:
        assert source.progress[0] > done
        done = source.progress[0]
    assert done == total


def test_gzip_is_unpacked_also_in_several_members(put):
    plain = (HEADER + ROWS).encode()
    packed = gzip.compress(plain[:70]) + gzip.compress(plain[70:])
    source = open_source(put(packed))
    assert list(source) == list(open_source(put(plain, "plain")))
    assert source.sha256 == hashlib.sha256(plain).hexdigest()


def test_unpacking_reports_its_progress(put):
    path = put(gzip.compress((HEADER + ROWS).encode()))
    calls = []
    open_source(path, progress=lambda done, total: calls.append((done, total)))
    size = path.stat().st_size
    assert calls[-1] == (size, size)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("100,90,L,b", "x,90,L,b", "line 3: recv_ns is 'x', must be a time in nanoseconds"),
        ("110,105,B", "99,105,B", "line 5: recv_ns is '99', must be a time in nanoseconds"),
        ("110,105,B", "110,-5,B", "line 5: exch_ns is '-5', must be a time"),
        ("110,105,B", "110,105,Q", "line 5: kind is 'Q', must be R, L, T or B"),
        ("110,105,B,a", "110,105,B,c", "line 5: side is 'c', must be b or a"),
        ("B,a,1001", "B,a,0", "line 5: price is '0', must be whole ticks"),
        ("B,a,1001", "B,a,1099511627776", "line 5: price is '1099511627776', must be whole"),
        ("B,a,1001", "B,a,1001.5", "line 5: price is '1001.5', must be whole ticks"),
        ("B,a,1001", "B,a,99999999999999999999999", "line 5: price is '99999999999999999999999'"),
        ("B,a,1001", "B,a,", "line 5: price is '', must be whole ticks"),
        ("T,a,1000,2", "T,a,1000,0", "line 6: size is '0', must be whole lots"),
        ("R,b,0,0", "R,b,1,0", "line 2: price is '1', must be 0 in a reset row"),
        ("55,1\n", "55,2\n", "line 6: eom is '2', must be 0 or 1 and the end of the line"),
        ("55,1\n", "55,1,9\n", "line 6: eom is '1', must be 0 or 1 and the end of the line"),
        ("55,1\n", "55,1\r\n", "line 6: eom is '1\\r', must be"),
        ("55,1\n", "55\n", "line 6: id is '55', must be a number below 2**63"),
        ("55,1\n", "9223372036854775808,1\n", "line 6: id is '9223372036854775808', must be"),
        ("9,1\n", "9,0\n", "line 7: eom is '', must be 1 on the last row"),
        ("0,9,1\n", "0,9,1", "line 7: line is '120,0,L,b,1000,0,9,1', must be a line feed"),
        ("120,0,L", "\n120,0,L", "line 7: recv_ns is '', must be a time"),
    ],
)
def test_a_bad_row_is_named_with_line_value_and_what_would_be_right(put, old, new, said):
    assert ROWS.count(old) == 1 or new == "0,9,1"
    at = ROWS.rindex(old)
    assert message(put(HEADER + ROWS[:at] + new + ROWS[at + len(old) :])).startswith(said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (HEADER, "no rows in it"),
        ("time,price\n", "line 1: header is 'time,price', must be 'recv_ns,exch_ns,kind"),
        (b"\x00\xff", "line 1: header is '\\x00ÿ', must be"),
        (gzip.compress((HEADER + ROWS).encode(), mtime=0)[:-9], "the gzip file is cut short after"),
        (
            gzip.compress((HEADER + ROWS).encode(), mtime=0)[:-8] + b"\0" * 8,
            "byte",
        ),
        (gzip.compress((HEADER + ROWS).encode(), mtime=0) + b"xx", "byte"),
    ],
)
def test_a_file_that_is_no_recording_is_refused(put, content, said):
    assert message(put(content)).startswith(said)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_source(tmp_path / "none.csv")


def test_frames_of_the_asked_market_are_read_from_a_file_with_several(put):
    path = put(FRAMES)
    one = open_source(path, 1, 1, 0)
    assert [(r.recv_ns, r.kind, r.px, r.qty) for r in one] == [
        (5, "R", 0, 0),
        (5, "L", 10, 2),
        (7, "L", 10, 0),
    ]
    assert one.frame_counters == {
        "frames": 3,
        "duplicates": 0,
        "gaps": 0,
        "orphans": 0,
        "inexact": 0,
    }
    two = open_source(path, 2, 1, 0)
    assert [(r.recv_ns, r.px) for r in two] == [(6, 0), (6, 35)]
    assert message(path, market=3, price_decimals=1, size_decimals=0).startswith(
        "no rows of market 3 in it"
    )


def test_a_gap_in_the_frames_is_a_status_row_and_no_damage(put):
    path = put(FRAMES.replace('"offset":2', '"offset":3'))
    source = open_source(path, 1, 1, 0)
    assert [(r.recv_ns, r.kind, r.px) for r in source] == [(5, "R", 0), (5, "L", 10), (7, "X", 3)]
    assert source.frame_counters["gaps"] == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"recv_ns":7', '"recv_ns":4', "line 3: recv_ns is out of range (byte"),
        ('"recv_ns":5,', "", "line 1: recv_ns is missing (byte 0)"),
        ('"frame":{"channel":"order_book:2"', '"x":{"a":""', "line 2: frame is missing"),
        ('"1.0","size":"0"', '"1.01","size":"0"', "line 3: price has more decimals than the"),
        ("}}\n{", "}}x\n{", "line 1: line is not JSON here"),
        ('"recv_ns":7}\n', '"recv_ns":7}', "line 3: line is "),
        ('"recv_ns":7}\n', '"recv_ns":7', "line 3: line is "),
    ],
)
def test_a_bad_frame_line_is_named(put, old, new, said):
    bad = FRAMES.replace(old, new, 1)
    assert bad != FRAMES
    assert message(put(bad), market=1, price_decimals=1, size_decimals=0).startswith(said)


def test_frames_need_market_and_decimals(put):
    path = put(FRAMES)
    assert "Lighter frames need market, size_decimals" in message(path, price_decimals=1)


def test_sidecar_fills_what_is_not_given(put):
    path = put(FRAMES, "frames.jsonl")
    put("market = 1\nprice_decimals = 1\nsize_decimals = 0\n", "market.toml")
    assert open_source(path).market == 1
    put("market = 2\nprice_decimals = 1\nsize_decimals = 0\n", "frames.jsonl.toml")
    source = open_source(path)
    assert (source.market, source.price_decimals, source.size_decimals) == (2, 1, 0)
    assert open_source(path, market=1, size_decimals=2).rows == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("price = 1", "key 'price' is not one of market, price_decimals, size_decimals"),
        ("market = -1", "market is -1, must be a whole number from 0 to 4294967295"),
        ("price_decimals = 19", "price_decimals is 19, must be a whole number from 0 to 18"),
        ("size_decimals = true", "size_decimals is True, must be"),
        ("market = ", "Invalid value"),
    ],
)
def test_a_bad_sidecar_is_refused(put, text, said):
    path = put(HEADER + ROWS, "rows.csv")
    put(text, "rows.csv.toml")
    with pytest.raises(ValueError) as caught:
        open_source(path)
    assert str(caught.value).startswith(f"{path}.toml: {said}")


def test_bad_arguments_are_refused(put):
    path = put(HEADER + ROWS)
    for given_ in ({"market": -1}, {"price_decimals": 1.0}, {"size_decimals": True}):
        with pytest.raises(ValueError, match="must be a whole number"):
            open_source(path, **given_)


# ---- format 2 ----


def orders(put, text, name="orders"):
    return [
        (r.recv_ns, r.exch_ns, r.kind, r.side, r.px, r.qty, r.id, r.eom, r.flags)
        for r in open_source(put(ORDERS + text, name))
    ]


def test_orders_become_levels_at_the_end_of_each_venue_time(put):
    rows = orders(
        put,
        "30,10,A,b,100,5,1,0\n"
        "20,10,A,b,100,7,2,0\n"
        "20,10,A,a,102,3,3,0\n"
        "25,11,T,a,100,4,1,9\n"
        "25,11,M,b,100,1,1,0\n"
        "40,12,D,b,100,7,2,0\n"
        "41,12,A,b,100,7,4,0\n"
        "42,13,D,a,102,3,3,0\n",
    )
    assert rows == [
        (30, 10, "R", 0, 0, 0, 1, 0, 1),
        (30, 10, "L", 0, 100, 12, 1, 0, 1),
        (30, 10, "L", 1, 102, 3, 1, 1, 1),
        # the clock waits: this row came at 25, after one that came at 30
        (30, 11, "T", 1, 100, 4, 1, 1, 0),
        (30, 11, "L", 0, 100, 8, 2, 1, 0),
        # the level came back to its size within 12: no row
        (42, 13, "L", 1, 102, 0, 4, 1, 0),
    ]


def test_an_order_stays_at_the_price_it_was_added_at(put):
    rows = orders(put, "1,1,A,b,100,5,1,0\n2,2,M,b,90,2,1,0\n3,3,D,b,80,0,1,0\n")
    assert [(r[4], r[5]) for r in rows] == [(0, 0), (100, 5), (100, 2), (100, 0)]


def test_orders_below_one_tick_stand_in_no_level(put):
    rows = orders(put, "1,1,A,b,0,5,1,0\n1,1,A,b,7,5,2,0\n2,2,D,b,0,5,1,0\n")
    assert [(r[2], r[4]) for r in rows] == [("R", 0), ("L", 7)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,1,A,b,9,5,1,0\n1,1,A,b,9,5,1,0\n", "line 3: line is '1,1,A,b,9,5,1,0', must be of an"),
        ("1,1,D,b,9,5,1,0\n", "line 2: line is '1,1,D,b,9,5,1,0', must be of an order_id that was"),
        ("1,1,A,b,9,5,1,0\n1,1,M,a,9,5,1,0\n", "line 3: line is '1,1,M,a,9,5,1,0', must be on the"),
        ("1,1,A,b,9,5,1,0\n1,1,T,b,9,5,1,0\n", "line 3: trade is '1,1,T,b,9,5,1,0', must be on"),
        ("1,5,A,b,9,5,1,0\n1,4,A,b,9,5,2,0\n", "line 3: exch_ns is '4', must be"),
        ("1,1,X,b,9,5,1,0\n", "line 2: kind is 'X', must be A, M, D or T"),
        ("1,1,A,b,9,5,0,0\n", "line 2: order_id is '0', must be a number from 1"),
        ("1,1,A,b,9,5,1,0", "line 2: line is '1,1,A,b,9,5,1,0', must be a line feed"),
    ],
)
def test_a_bad_order_line_is_named(put, text, said):
    assert message(put(ORDERS + text)).startswith(said)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 2), st.integers(1, 9)), min_size=1))
def test_law_levels_are_the_sums_of_the_live_orders(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("orders") / "orders.csv"
    live, lines = {}, []
    for now, (number, gap, size) in enumerate(steps, 1):
        side = "ba"[number % 2]
        price = 100 + number % 7
        if number not in live:
            kind = "A"
            live[number] = (side, price, size)
        elif gap == 0:
            kind = "D"
            del live[number]
        else:
            kind = "M"
            live[number] = (side, price, size)
        lines.append(f"{now},{now // 3},{kind},{side},{price},{size},{number},0\n")
    path.write_text(ORDERS + "".join(lines))
    book = {}
    for row in open_source(path):
        book["ba"[row.side], row.px] = row.qty
    want = {}
    for side, price, size in live.values():
        want[side, price] = want.get((side, price), 0) + size
    assert {key: size for key, size in book.items() if size} == want


# ---- writing format 1 ----


def test_what_is_dumped_is_what_was_read(put, tmp_path):
    source = open_source(put(HEADER + ROWS))
    assert dump_csv(source, tmp_path / "out.csv") == 6
    assert (tmp_path / "out.csv").read_text() == HEADER + ROWS
    source.rewind()
    with pytest.raises(FileExistsError):
        dump_csv(source, tmp_path / "out.csv")
    assert dump_csv(source, tmp_path / "out.csv", replace=True) == 6


def test_kinds_that_format_1_lacks_are_counted(tmp_path):
    with CsvWriter(tmp_path / "out.csv") as writer:
        writer.append(MarketRow(1, 0, "X", 0, 3, 0, 0, 1, 0))
        writer.append(MarketRow(1, 0, "S", 0, 3, 4, -12, 1, 0))
        writer.append(MarketRow((1 << 63) - 1, 0, "T", 1, 3, 4, 5, 1, 0))
    assert (writer.rows, writer.left_out) == (1, 2)
    assert (tmp_path / "out.csv").read_text() == HEADER + "9223372036854775807,0,T,a,3,4,5,1\n"
    with pytest.raises(ValueError, match="the file is closed"):
        writer.append(MarketRow(1, 0, "T", 0, 3, 4, 5, 1, 0))


@pytest.mark.parametrize(
    "row",
    [
        MarketRow(1, 0, "Q", 0, 3, 4, 5, 1, 0),
        MarketRow(1, 0, "L", 2, 3, 4, 5, 1, 0),
        MarketRow(1, 0, "L", 0, 1 << 40, 4, 5, 1, 0),
        MarketRow(1, 0, "L", 0, 3, -1, 5, 1, 0),
        MarketRow(1, 0, "L", 0, 3, 4, 5, 3, 0),
    ],
)
def test_rows_out_of_bounds_are_not_written(tmp_path, row):
    with CsvWriter(tmp_path / "out.csv") as writer, pytest.raises(ValueError):
        writer.append(row)


def test_a_full_disk_is_an_error_and_not_silence(put):
    source = open_source(put(HEADER + ROWS))
    with pytest.raises(OSError, match="No space left"):
        dump_csv(source, "/dev/full", replace=True)
