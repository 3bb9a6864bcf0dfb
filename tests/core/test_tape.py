"""Tapes: what goes in comes out, a torn end is said, a damaged middle is refused."""

import stat
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bog._core.frames import MarketRow
from bog._core.recorder import TapeWriter
from bog._core.source import open_source
from bog.errors import DataError
from bog.rows import ROW_DTYPE, rows_array
from bog.tape import open_recording, record, tape_head

HEAD, ROW = 128, 64


def rows(count, start=1_700_000_000_000_000_000):
    """Messages of three levels and a print each, `count` rows in all."""
    made = []
    for i in range(count):
        kind = "RLLT"[i % 4] if i < 4 else "LLLT"[i % 4]
        px, qty = (0, 0) if kind == "R" else (1000 + i % 9, 1 + i)
        made.append(MarketRow(start + i, start - 5, kind, i % 2, px, qty, i, int(i % 4 > 1), 0))
    return made


@pytest.fixture
def tape(tmp_path):
    """Write a tape and return its path."""

    def write(items, name="x.tape", **head):
        path = tmp_path / name
        with TapeWriter(path, 7, 2, 3, created_by="test", created_ns=5, **head) as writer:
            for item in items:
                writer.append(item)
        return path

    return write


def test_what_is_written_is_read_back(tape):
    items = rows(40)
    source = open_source(tape(items))
    assert list(source) == items
    assert (source.market, source.price_decimals, source.size_decimals) == (7, 2, 3)
    assert (source.format, source.note, source.rows) == ("tape", "", 40)


def test_the_bytes_are_those_of_the_documented_layout(tape):
    path = tape([MarketRow(11, 12, "T", 1, 13, 14, -15, 1, 4)], unix_offset_ns=16)
    data = path.read_bytes()
    assert len(data) == HEAD + ROW
    head = struct.unpack("<8sIIiiqq80sII", data[:HEAD])
    assert head == (
        b"bogtape\n", 1, 7, 2, 3, 16, 5, b"test" + bytes(76), 64, zlib.crc32(data[:124]),
    )  # fmt: skip
    seal, *row = struct.unpack("<QqqqqqQBBBBI", data[HEAD:])
    assert row == [11, 12, 13, 14, -15, 0, ord("T"), 1, 1, 4, 7]
    assert seal & 0xFFFFFFFF == 1
    assert seal >> 32 == zlib.crc32(struct.pack("<I", 1) + data[HEAD + 8 :])


def test_the_file_is_the_owners_alone_and_never_replaced(tape):
    path = tape(rows(4))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        TapeWriter(path, 7, 2, 3)


def test_the_clock_of_the_tape_becomes_unix_time(tape):
    source = open_source(tape([MarketRow(100, 0, "T", 0, 1, 1, 1, 1, 0)], unix_offset_ns=1000))
    assert source.next_recv_ns() == 1100
    assert source.next_row().recv_ns == 1100


def test_a_step_back_in_time_is_not_written(tmp_path):
    with TapeWriter(tmp_path / "x.tape", 7, 2, 3) as writer:
        writer.append(MarketRow(5, 0, "T", 0, 1, 1, 1, 1, 0))
        with pytest.raises(ValueError, match="recv_ns 4 comes after 5"):
            writer.append(MarketRow(4, 0, "T", 0, 1, 1, 2, 1, 0))
    assert open_source(tmp_path / "x.tape").rows == 1


def test_flushed_rows_are_there_while_the_tape_is_still_open(tmp_path):
    writer = TapeWriter(tmp_path / "x.tape", 7, 2, 3)
    for item in rows(8):
        writer.append(item)
    writer.flush()
    assert list(open_source(tmp_path / "x.tape")) == rows(8)
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="the tape is closed"):
        writer.flush()


@pytest.mark.parametrize("cut", [1, 63, 64, 65, 100, 127, 128, 190])
def test_a_torn_end_is_cut_at_the_last_whole_message_and_said(tape, cut):
    items = rows(40)
    path = tape(items)
    data = path.read_bytes()
    path.write_bytes(data[:-cut])
    source = open_source(path)
    got = list(source)
    assert got == items[: len(got)]
    assert got[-1].eom == 1
    assert 36 <= len(got) < 40
    assert source.note.startswith(
        f"the end of the tape is torn: the last {len(data) - cut - HEAD - ROW * len(got)} bytes"
    ) or (len(data) - cut - HEAD == ROW * len(got) and source.note == "")


def test_an_end_of_zeros_is_torn_too(tape):
    items = rows(40)
    path = tape(items)
    data = path.read_bytes()
    path.write_bytes(data[: -ROW * 2] + bytes(ROW * 2))
    source = open_source(path)
    assert list(source) == items[:36]
    assert "torn" in source.note


@settings(max_examples=80, deadline=None)
@given(st.integers(0, ROW * 36 - 1), st.integers(0, 7))
def test_law_any_flipped_bit_before_the_end_is_refused(tmp_path_factory, at, bit):
    path = tmp_path_factory.mktemp("tape") / "x.tape"
    with TapeWriter(path, 7, 2, 3) as writer:
        for item in rows(40):
            writer.append(item)
    data = bytearray(path.read_bytes())
    data[HEAD + at] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"row {at // ROW + 1} is damaged and row \d+ behind it"):
        open_source(path)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, HEAD - 1), st.integers(0, 7))
def test_law_any_flipped_bit_of_the_head_is_refused(tmp_path_factory, at, bit):
    path = tmp_path_factory.mktemp("tape") / "x.tape"
    with TapeWriter(path, 7, 2, 3) as writer:
        writer.append(rows(4)[3])
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(ValueError):
        open_source(path)


def test_swapped_rows_are_refused(tape):
    path = tape(rows(40))
    data = bytearray(path.read_bytes())
    a, b = slice(HEAD, HEAD + ROW), slice(HEAD + ROW, HEAD + 2 * ROW)
    data[a], data[b] = data[b], data[a]
    path.write_bytes(data)
    with pytest.raises(ValueError, match="row 1 is damaged"):
        open_source(path)


def test_a_tape_of_another_version_is_refused(tape):
    path = tape(rows(4))
    data = bytearray(path.read_bytes())
    data[8] = 2
    data[124:128] = struct.pack("<I", zlib.crc32(data[:124]))
    path.write_bytes(data)
    with pytest.raises(ValueError, match="tape version 2 with rows of 64 bytes, must be 1 with 64"):
        open_source(path)


def test_a_tape_knows_its_market_and_refuses_another(tape):
    path = tape(rows(4))
    with pytest.raises(ValueError, match="market is 7 on the tape, 8 was asked for"):
        open_source(path, market=8)
    with pytest.raises(ValueError, match="price_decimals is 2 on the tape, 3 was asked for"):
        open_source(path, market=7, price_decimals=3)


def test_tapes_of_tapes_are_equal(tape, tmp_path):
    path = tape(rows(40))
    source = open_source(path)
    assert record(source, tmp_path / "again.tape") == 40
    again = open_source(tmp_path / "again.tape")
    source.rewind()
    assert again.raw(1000) == source.raw(1000)
    assert again.raw(1) == b""


def test_a_source_without_decimals_makes_no_tape(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("recv_ns,exch_ns,kind,side,price,size,id,eom\n1,1,T,b,1,1,1,1\n")
    with pytest.raises(DataError, match="a tape needs market, price_decimals and size_decimals"):
        record(open_source(path, market=1), tmp_path / "x.tape")
    assert not (tmp_path / "x.tape").exists()


def test_the_shell_sees_head_rows_and_data_errors(tape, tmp_path):
    path = tape(rows(8))
    head = tape_head(path)
    assert (head.market, head.price_decimals, head.size_decimals) == (7, 2, 3)
    assert (head.created_by, head.created_ns, head.unix_offset_ns) == ("test", 5, 0)
    table = rows_array(open_recording(path))
    assert ROW_DTYPE.itemsize == ROW
    assert table["recv_ns"].tolist() == [r.recv_ns for r in rows(8)]
    assert table["qty"].tolist() == [r.qty for r in rows(8)]
    assert not table["gen"].any()
    (tmp_path / "no.tape").write_bytes(b"bogtape\n" + bytes(10))
    with pytest.raises(DataError, match="too few for the head of a tape"):
        tape_head(tmp_path / "no.tape")
    with pytest.raises(DataError):
        open_recording(tmp_path / "none.tape")
