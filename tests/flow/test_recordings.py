"""The recordings beside the project, read through our own readers and book, give the numbers that
stand in their expected.json, each by the definition that its test states.
"""

import gzip
import json
import os
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from bog._core.depth import DepthProbe
from bog._core.frames import FrameError, FrameKind, FramesProbe
from bog._core.recorder import TapeWriter, dump_csv
from bog._core.source import open_source
from bog.rows import rows_array

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
SECOND = 10**9
BID, ASK = 0, 1
GAP = 3


def shared(name):
    """Return a path in the folder of recordings; skip without it, but never in CI."""
    path = SHARED / name
    if not path.exists():
        said = f"{path} is absent: these tests need the recordings beside the project"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(said)
        pytest.skip(said)
    return path


def expected(folder):
    return json.loads(shared(f"market-data/{folder}/expected.json").read_text())


@pytest.fixture(scope="module", params=["lighter-btc", "binance-btcusdt-perp"])
def replay(request):
    """Replay a recording of levels once: what it says, and what our book saw."""
    want = expected(request.param)
    source = open_source(shared(f"market-data/{request.param}/events.csv.gz"))
    book = DepthProbe()
    seen = {"want": want, "source": source, "book": book}
    seen |= {"crossed": 0, "locked": 0, "through": 0, "inside": 0}
    times, bids, asks = [], [], []
    changed = False
    for row in source:
        if row.kind == "R":
            book.reset()
        elif row.kind == "L":
            book.set(row.side, row.px, row.qty)
            changed = True
        elif row.kind == "T":
            bid, ask = book.best(BID), book.best(ASK)
            seen["through"] += row.px >= ask if row.side == BID else row.px <= bid
            seen["inside"] += bid < row.px < ask
        if row.eom and changed:
            times.append(row.recv_ns)
            bids.append(book.best(BID))
            asks.append(book.best(ASK))
            changed = False
    seen["times"] = np.array(times)
    seen["bids"], seen["asks"] = np.array(bids), np.array(asks)
    source.rewind()
    seen["rows"] = rows_array(source)
    return seen


def test_rows_messages_and_times_are_counted(replay):
    want, source = replay["want"], replay["source"]
    assert source.rows == want["rows"]
    # a message ends with a row of eom 1
    assert source.messages == want["messages"]
    for kind, number in want["rows_by_kind"].items():
        assert source.rows_by_kind.get(kind, 0) == number
    assert sum(source.rows_by_kind.values()) == source.rows
    assert source.first_recv_ns == want["first_recv_ns"]
    assert source.last_recv_ns == want["last_recv_ns"]
    span = (source.last_recv_ns - source.first_recv_ns) / SECOND
    assert round(span, 3) == want["span_s"]
    assert int((np.diff(replay["rows"]["recv_ns"]) < 0).sum()) == want["recv_steps_back"]


def test_the_content_is_the_one_that_was_counted(replay):
    assert replay["source"].sha256 == replay["want"]["csv_sha256"]


def test_traded_sides_lots_and_notional(replay):
    want, rows = replay["want"], replay["rows"]
    prints = rows[rows["kind"] == ord("T")]
    bought, sold = prints[prints["side"] == BID], prints[prints["side"] == ASK]
    assert len(prints) == want["trades_counted"]
    assert (len(bought), len(sold)) == (want["trades_buy"], want["trades_sell"])
    assert int(bought["qty"].sum()) == want["lots_buy"]
    assert int(sold["qty"].sum()) == want["lots_sell"]
    total = sum(p * q for p, q in zip(prints["px"].tolist(), prints["qty"].tolist(), strict=True))
    assert total == want["sum_price_times_size"]


def test_prints_against_the_book_known_at_that_moment(replay):
    # through: a buyer at the ask or above, a seller at the bid or below; inside: strictly between
    assert replay["through"] == replay["want"]["trades_at_or_through_touch"]
    assert replay["inside"] == replay["want"]["trades_inside_spread"]


def test_the_book_after_every_message_that_changed_levels(replay):
    want, bids, asks = replay["want"], replay["bids"], replay["asks"]
    assert int((bids > asks).sum()) == want["crossed_messages"]
    assert int((bids == asks).sum()) == want["locked_messages"]
    # linear percentiles over those messages, none weighted by time
    spreads = np.percentile(asks - bids, [5, 50, 95, 100])
    assert spreads.tolist() == want["spread_ticks_p5_p50_p95_max"]
    mids = (bids + asks) / 2
    assert mids[0] == want["mid_first"]
    assert mids[-1] == want["mid_last"]
    assert mids.min() == want["mid_min"]
    assert mids.max() == want["mid_max"]


def test_volatility_of_one_second_returns(replay):
    # the last mid at or before each whole second after the first message; population deviation
    times, mids = replay["times"], (replay["bids"] + replay["asks"]) / 2
    grid = np.arange(times[0], times[-1] + 1, SECOND)
    at = mids[np.searchsorted(times, grid, side="right") - 1]
    assert round(float(np.diff(np.log(at)).std()) * 10_000, 4) == replay["want"]["vol_1s_bps"]


def test_final_ten_levels(replay):
    want, book = replay["want"], replay["book"]
    bids, asks = book.top()
    assert [list(level) for level in bids] == want["final_bids"]
    assert [list(level) for level in asks] == want["final_asks"]


def test_tape_and_dump_of_a_recording_lose_nothing(replay, tmp_path):
    source = replay["source"]
    source.rewind()
    with TapeWriter(tmp_path / "x.tape", 1, 1, 5) as tape:
        assert tape.copy(source) == source.rows
    again = open_source(tmp_path / "x.tape")
    assert again.raw(again.rows) == replay["rows"].tobytes()
    again.rewind()
    dump_csv(again, tmp_path / "x.csv")
    assert open_source(tmp_path / "x.csv").sha256 == replay["want"]["csv_sha256"]


# ---- orders ----


def test_orders_of_the_l3_recording():
    want = expected("bitstamp-btcusd-l3")
    path = shared("market-data/bitstamp-btcusd-l3/orders.csv.gz")
    with gzip.open(path, "rt") as file:
        lines = [line.rstrip("\n").split(",") for line in islice(file, 1, None)]
    assert len(lines) == want["rows"]
    kinds = [line[2] for line in lines]
    assert {kind: kinds.count(kind) for kind in "ADTM"} == want["rows_by_kind"]
    assert (int(lines[0][1]), int(lines[-1][1])) == (want["first_exch_ns"], want["last_exch_ns"])
    added, brief = {}, 0
    for line in lines:
        if line[2] == "A":
            added[line[6]] = int(line[1])
        elif line[2] == "D":
            brief += int(line[1]) - added.pop(line[6]) < 2_000_000
    # from its add to its delete by the venue's clock
    assert brief == want["orders_living_under_2ms"]
    assert len(added) == want["live_orders_at_end"]


def test_book_made_from_the_l3_recording():
    want = expected("bitstamp-btcusd-l3")
    source = open_source(shared("market-data/bitstamp-btcusd-l3/orders.csv.gz"))
    assert source.format == "orders"
    assert source.rows_by_kind["T"] == want["rows_by_kind"]["T"]
    book = DepthProbe()
    traded = crossed = last = 0
    for row in source:
        assert row.recv_ns >= last
        last = row.recv_ns
        if row.kind == "R":
            book.reset()
        elif row.kind == "L":
            book.set(row.side, row.px, row.qty)
        else:
            traded += row.qty
        if row.eom:
            crossed += book.best(ASK) > 0 and book.best(BID) >= book.best(ASK)
    assert crossed == 0
    assert traded == want["traded_lots"]
    bids, asks = book.top()
    assert [list(level) for level in bids] == want["final_bids"]
    assert [list(level) for level in asks] == want["final_asks"]


# ---- frames ----


def test_recorded_frames_give_the_rows_of_their_csv(tmp_path):
    folder = shared("market-data/lighter-btc")
    source = open_source(folder / "frames.jsonl.gz", market=1, price_decimals=1, size_decimals=5)
    assert source.frame_counters["frames"] == 0
    dump_csv(source, tmp_path / "frames.csv")
    assert source.frame_counters == {
        "frames": 2700,
        "duplicates": 0,
        "gaps": 0,
        "orphans": 0,
        "inexact": 0,
    }
    assert source.rows_by_kind["S"] == 198
    with gzip.open(folder / "events.csv.gz") as file:
        assert (tmp_path / "frames.csv").read_bytes() == file.read()


def single(name):
    return shared(f"market-data/lighter-frames/{name}").read_bytes()


def test_single_frames_chain_and_the_skipped_one_is_a_gap():
    p = FramesProbe(110, 3, 3)
    rows = p.parse(single("md_order_book_snapshot.json"))
    assert [r.kind for r in rows] == ["R"] + ["L"] * 10
    assert (rows[1].px, rows[1].qty, rows[1].id) == (226338, 350, 24476893873)
    assert rows[1].exch_ns == 1791835627214899000
    (row,) = p.parse(single("md_order_book_update.json"))
    assert (row.kind, row.side, row.px, row.qty, row.id) == ("L", ASK, 226348, 0, 24476893939)
    q = FramesProbe(110, 3, 3)
    q.parse(single("md_order_book_snapshot.json"))
    q.parse(single("md_order_book_update.json"))
    (gap,) = q.parse(single("md_order_book_update_gap.json"))
    assert (gap.kind, gap.px) == ("X", GAP)
    assert len(p.parse(single("md_order_book_update2.json"))) == 3
    assert len(p.parse(single("md_order_book_update_gap.json"))) == 1
    assert p.counters()["gaps"] == 0
    assert q.counters()["gaps"] == 1


def test_single_trade_and_control_frames():
    p = FramesProbe(110, 3, 3)
    rows = p.parse(single("md_trade.json"))
    assert [(r.id, r.side, r.px, r.qty, r.exch_ns, r.eom) for r in rows] == [
        (34287672685, ASK, 226338, 350, 1791835628481064000, 0),
        (34287672686, ASK, 226336, 63, 1791835628481185000, 1),
    ]
    assert p.parse(single("md_trade_snapshot.json")) == []
    assert p.kind == FrameKind.FRAME_TRADES_PAST
    for name, kind, code in (
        ("md_ticker.json", FrameKind.FRAME_OTHER, 0),
        ("ws_connected.json", FrameKind.FRAME_CONNECTED, 0),
        ("ws_pong.json", FrameKind.FRAME_PONG, 0),
        ("ws_error_auth.json", FrameKind.FRAME_ERROR, 20013),
        ("private_account_all_trades.json", FrameKind.FRAME_OTHER, 0),
    ):
        assert p.parse(single(name)) == []
        assert (p.kind, p.code) == (kind, code)


def captured(name):
    """Return the frames of a captured session as bytes."""
    frames = json.loads(shared(f"lighter-samples/captured/{name}").read_text())
    return [json.dumps(frame).encode() for frame in frames]


def test_captured_book_chain_breaks_at_its_fifth_frame():
    p = FramesProbe(0, 2, 4)
    rows = [p.parse(frame) for frame in captured("mainnet_2026_07_28_order_book_chain_eth.json")]
    assert [len(r) for r in rows] == [5, 16, 3, 7, 1]
    assert (rows[4][0].kind, rows[4][0].px) == ("X", GAP)
    assert p.counters()["gaps"] == 1


def test_captured_public_frames():
    frames = captured("mainnet_2026_07_28_public_frames.json")
    p = FramesProbe(0, 2, 4)
    kinds, rows = [], []
    for frame in frames:
        rows += p.parse(frame)
        kinds.append(p.kind)
    assert kinds == [
        FrameKind.FRAME_OTHER,
        FrameKind.FRAME_TRADES_NEW,
        FrameKind.FRAME_STATS,
        FrameKind.FRAME_OTHER,
        FrameKind.FRAME_ELSEWHERE,
    ]
    print_, stats = rows
    assert (print_.kind, print_.side, print_.px, print_.qty) == ("T", BID, 191399, 8)
    assert print_.exch_ns == 1785252546746546000
    assert (stats.kind, stats.px, stats.qty, stats.id) == ("S", 191432, 191531, -12)


def test_captured_control_frames():
    p = FramesProbe(0, 2, 4)
    got = []
    for frame in captured("ws_control_frames.json"):
        assert p.parse(frame) == []
        got.append((p.kind, p.code))
    assert got == [
        (FrameKind.FRAME_CONNECTED, 0),
        (FrameKind.FRAME_PONG, 0),
        (FrameKind.FRAME_ERROR, 30005),
        (FrameKind.FRAME_ERROR, 30005),
        (FrameKind.FRAME_ERROR, 30003),
        (FrameKind.FRAME_ERROR, 20001),
        (FrameKind.FRAME_ERROR, 20013),
        (FrameKind.FRAME_UNSUBSCRIBED, 0),
    ]


def test_documented_public_frames_are_all_taken_whatever_the_market():
    paths = sorted(shared("lighter-samples/ws").glob("*.json"))
    assert len(paths) > 20
    for path in paths:
        for market in (0, 1):
            p = FramesProbe(market, 2, 5)
            frame = path.read_bytes()
            n = p.count(frame)
            if p.error:
                # an example of a market with other decimals than we claim
                assert p.error == FrameError.BAD_DECIMALS, (path.name, p.message())
            else:
                assert n >= 0
