"""The built-in market: determinism, matching, the venue's rules, what it publishes."""

import hashlib
import itertools
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bog._core.depth import DepthProbe
from bog._core.frames import FramesProbe
from bog._core.market import Market
from bog._core.types import FillReason, Flag, Reject, ReportKind, RowKind, Status, Tif

BID, ASK = 0, 1
MS = 10**6
SECOND = 10**9
DIRECT = {"net_ns": 0, "response_ns": 0, "taker_ns": 0}
KIND, SIDE, PX, QTY, ID, FLAGS, EOM = 2, 3, 4, 5, 6, 7, 8

GOLDEN = {
    "quiet": "0f6ae7b7323bb47c737eb61df67a718b0c172041932a94fb2d2a6559c7e378f1",
    "active": "a41afc26e5058b6a4d1f34328a7730ef5210236e35473629fe032c5037fcb6b5",
    "toxic": "bb5587313c71a792fa4966cb1fa7156c2f013f7110a9d933d488ed4d57a0fe8e",
}


def direct(seed: int = 1, preset: str = "quiet", **more: Any) -> Market:
    """A market two seconds old whose venue answers within the step."""
    venue = DIRECT | more.pop("venue", {})
    market = Market(seed, preset, venue=venue, **more)
    pass_time(market, 2 * SECOND)
    return market


def pass_time(market: Market, ns: int) -> list[Any]:
    market.run(market.clock_ns + ns)
    return market.rows()


def kinds(market: Market) -> list[int]:
    return [report["kind"] for report in market.reports()]


def digest(preset: str) -> str:
    total = hashlib.sha256()
    for recv_ns, text in Market(7, preset).frames(60):
        total.update(b"%d %s\n" % (recv_ns, text))
    return total.hexdigest()


@pytest.mark.parametrize("preset", GOLDEN)
def test_the_first_minute_is_the_golden_one(preset: str) -> None:
    assert digest(preset) == GOLDEN[preset]


def test_another_process_sees_the_same_market() -> None:
    code = "from tests.core.test_market import digest; print(digest('quiet'))"
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert told.stdout.strip() == GOLDEN["quiet"]


@pytest.mark.parametrize("chunk", [1 * MS, 37 * MS, 5 * SECOND])
def test_the_content_does_not_depend_on_the_pace(chunk: int) -> None:
    whole = list(Market(3, "active", seconds=10))
    market = Market(3, "active", seconds=10)
    parts = market.rows()
    while market.clock_ns < whole[-1][0]:
        before = len(parts)
        parts += pass_time(market, chunk)
        if len(parts) == before and len(parts) >= len(whole):
            break
    assert parts == whole
    assert whole[-1][KIND] == RowKind.ROW_STATUS
    assert whole[-1][PX] == Status.STATUS_END


def test_seeds_and_presets_differ() -> None:
    firsts = [
        tuple(itertools.islice(Market(seed, preset), 5000))
        for seed, preset in [(1, "quiet"), (2, "quiet"), (1, "active"), (1, "toxic")]
    ]
    assert len(set(firsts)) == 4


def test_receive_times_never_fall_and_follow_the_venue_times() -> None:
    rows = list(Market(5, "toxic", seconds=30))
    assert all(a[0] <= b[0] for a, b in itertools.pairwise(rows))
    assert all(row[0] >= row[1] for row in rows)


@pytest.mark.parametrize(
    ("name", "px_decimals", "size_decimals", "start_px"),
    [("ETH", 2, 4, 400_000), ("CRV", 5, 1, 60_000), ("NVDA", 3, 3, 180_000)],
)
def test_other_markets_scale_with_price_and_notional(
    name: str, px_decimals: int, size_decimals: int, start_px: int
) -> None:
    market = Market(
        1,
        "quiet",
        price_decimals=px_decimals,
        size_decimals=size_decimals,
        start_px=start_px,
        symbol=name,
    )
    pass_time(market, 60 * SECOND)
    bid, ask = market.levels(BID, 1)[0][0], market.levels(ASK, 1)[0][0]
    assert bid < ask
    assert (ask - bid) / start_px < 1e-3
    depth = sum(px * qty for px, qty, _, _ in market.levels(BID, 10_000) if px > 0.999 * bid)
    # the BTC market holds 64 BTC within 10 bps, about 7.7 million dollars
    assert 1e12 < depth < 5e13


def test_frames_chain_and_say_the_same_as_rows() -> None:
    book, read = DepthProbe(), Market(9, "active", venue={"maker_ppm": 28, "taker_ppm": 280})
    for row in itertools.islice(read, 20_000):
        if row[KIND] == RowKind.ROW_LEVEL:
            book.set(row[SIDE], row[PX], row[QTY])
    market = Market(9, "active", venue={"maker_ppm": 28, "taker_ppm": 280})
    rows = iter(Market(9, "active"))
    nonce = 0
    seen = set()
    for recv_ns, text in market.frames(20):
        told = json.loads(text)
        seen.add(told["type"])
        if told["type"].endswith("order_book"):
            body = told["order_book"]
            assert body["begin_nonce"] == nonce
            assert body["nonce"] > nonce
            nonce = body["nonce"]
            if told["type"].startswith("subscribed"):
                assert next(rows)[KIND] == RowKind.ROW_RESET
            for name, side in (("bids", BID), ("asks", ASK)):
                for level in body[name]:
                    row = next(rows)
                    price, size = level["price"], level["size"]
                    assert (row[KIND], row[SIDE], row[0]) == (RowKind.ROW_LEVEL, side, recv_ns)
                    assert f"{row[PX] / 10:.1f}" == price
                    assert f"{row[QTY] / 1e5:.5f}" == size
                    assert row[ID] == nonce
        elif told["type"] == "update/trade":
            # the venue writes the newest trade first
            for trade in reversed(told["trades"]):
                row = next(rows)
                assert row[KIND] == RowKind.ROW_TRADE
                assert row[ID] == trade["trade_id"]
                assert row[SIDE] == (BID if trade["is_maker_ask"] else ASK)
                assert trade["usd_amount"] == f"{row[PX] * row[QTY] / 1e6:.6f}"
                assert (trade["maker_fee"], trade["taker_fee"]) == (28, 280)
        else:
            row = next(rows)
            assert row[KIND] == RowKind.ROW_STATS
            stats = told["market_stats"]
            assert stats["mark_price"] == f"{row[PX] / 10:.1f}"
            assert stats["index_price"] == f"{row[QTY] / 10:.1f}"
            assert stats["current_funding_rate"] == f"{row[ID] / 1e4:.4f}"
    assert seen == {
        "subscribed/order_book",
        "update/order_book",
        "update/trade",
        "update/market_stats",
    }


def test_a_frame_parser_reads_the_rows_back() -> None:
    market, rows = Market(6, "active", venue={"taker_ppm": 280}), Market(6, "active")
    parser = FramesProbe(1, 1, 5)
    read = 0
    for recv_ns, text in market.frames(20):
        for got in parser.parse(text, recv_ns):
            row = next(rows)
            assert (*got[:2], ord(got.kind), *got[3:7], got.flags, got.eom) == row
            read += 1
    assert read > 5000
    assert parser.counters()["gaps"] == 0


def test_private_frames_tell_the_life_of_our_orders() -> None:
    market = Market(1, "quiet", venue=DIRECT, script="3 cascade bid 1")
    sent = False
    told = []
    for _, text in market.frames(6):
        if not sent and market.clock_ns >= 1_760_041_998 * SECOND:
            sent = True
            bid, ask = market.levels(BID)[0][0], market.levels(ASK)[0][0]
            market.place(market.clock_ns, 11, BID, bid + 1, 700)
            market.place(market.clock_ns, 12, BID, bid - 900, 800)
            market.place(market.clock_ns, 13, BID, ask + 9, 900)
            market.cancel(market.clock_ns + SECOND // 2, 12)
        if b"/account_all" in text:
            told.append(json.loads(text))
    orders = [t["orders"]["1"][0] for t in told if "orders" in t]
    lives: dict[int, list[str]] = {}
    for order in orders:
        lives.setdefault(order["client_order_index"], []).append(order["status"])
        assert (order["order_index"] + 2**47) >> 48 == 3
        assert order["side"] == ""
        assert order["is_ask"] is False
    assert lives[11][0] == "open"
    assert lives[11][-1] == "filled"
    assert lives[12] == ["open", "canceled"]
    assert lives[13] == ["canceled-post-only"]
    done = next(o for o in orders if o["status"] == "filled")
    assert done["filled_base_amount"] == "0.00700"
    assert done["filled_quote_amount"] == f"{done['base_price'] * 700 / 1e6:.6f}"
    held = [t["positions"]["1"] for t in told if "positions" in t][-1]
    assert held["position"] == "0.00700"
    assert held["avg_entry_price"] == f"{done['base_price'] / 10:.1f}"
    assert held["realized_pnl"] == "0.000000"


def test_the_published_book_is_the_true_one_own_orders_included() -> None:
    book = DepthProbe()
    # a halt stops the flow, so that the last frame shows the book as it stands
    market = Market(1, "quiet", venue=DIRECT, script="2.1 halt 1")
    rows = pass_time(market, 2 * SECOND)
    px = market.levels(BID)[0][0] - 300
    market.place(market.clock_ns, 1, BID, px, 777)
    rows += pass_time(market, SECOND)
    for row in rows:
        if row[KIND] == RowKind.ROW_LEVEL:
            book.set(row[SIDE], row[PX], row[QTY])
    for side in (BID, ASK):
        true = market.levels(side, 100_000)
        assert book.levels(side) == [(px, qty) for px, qty, _, _ in true]
    assert (px, 777) in [(px, ours) for px, _, _, ours in market.levels(BID, 100_000)]


def test_our_order_fills_only_when_everyone_in_front_is_gone() -> None:
    fills = 0
    for seed in range(1, 6):
        market = direct(seed)
        px = market.levels(BID)[0][0]
        in_front = {order for order, _, _ in market.queue(BID, px)}
        assert in_front
        now = market.clock_ns
        market.place(now, 1, BID, px, 50)
        market.place(now, 2, BID, px, 1_000_000)
        pass_time(market, MS)
        assert kinds(market) == [ReportKind.REP_ACK, ReportKind.REP_ACK]
        for _ in range(20_000):
            pass_time(market, MS)
            told = [r for r in market.reports() if r["kind"] == ReportKind.REP_FILL]
            queue = market.queue(BID, px)
            standing = {order for order, _, _ in queue}
            for fill in told:
                fills += 1
                assert not in_front & standing
                assert fill["px"] == px
                assert fill["reason"] == FillReason.FILL_MATCH
                if fill["order_id"] == 2:
                    # the order that came first is done before
                    assert market.account["pos"] > 50
                    assert queue[0][2]
            if told:
                break
    assert fills >= 3


def test_own_prints_are_flagged_and_equal_our_fills() -> None:
    market = direct(4, "active")
    printed = filled = 0
    for turn in range(300):
        for side in (BID, ASK):
            market.place(market.clock_ns, 2 * turn + side, side, market.levels(side)[0][0], 2000)
        rows = pass_time(market, 100 * MS)
        market.cancel_all(market.clock_ns)
        rows += pass_time(market, MS)
        printed += sum(r[QTY] for r in rows if r[FLAGS] & Flag.F_OWN)
        filled += sum(r["qty"] for r in market.reports() if r["kind"] == ReportKind.REP_FILL)
    rows = pass_time(market, SECOND)
    printed += sum(r[QTY] for r in rows if r[FLAGS] & Flag.F_OWN)
    assert printed == filled > 10_000


def test_printed_volume_is_the_volume_taken_from_makers() -> None:
    market = Market(11, "toxic")
    rows = []
    for _ in range(60):
        rows += pass_time(market, SECOND)
    market_total = market.counters["traded_qty"]
    pending = market_total - market.counters["printed_qty"]
    printed = sum(r[QTY] for r in rows if r[KIND] == RowKind.ROW_TRADE)
    assert printed == market.counters["printed_qty"]
    assert pending >= 0
    assert (pending == 0) == (market.counters["waiting_trades"] == 0)
    assert market.counters["lost_prints_qty"] == 0
    ids = [r[ID] for r in rows if r[KIND] == RowKind.ROW_TRADE]
    assert ids == list(range(1, len(ids) + 1))


def test_a_trade_frame_leaves_within_20_ms_after_its_book_frame() -> None:
    market = Market(2, "active", venue={"feed_ns": 0})
    rows = list(itertools.islice(market, 60_000))
    shown_at = 0
    lags = []
    for row in rows:
        if row[KIND] == RowKind.ROW_LEVEL and row[EOM]:
            shown_at = row[0]
        elif row[KIND] == RowKind.ROW_TRADE and row[EOM]:
            # the volume left the book at the venue before this print reached anyone
            lags.append(row[0] - row[1])
            assert shown_at >= row[1]
    assert len(lags) > 1000
    # a frame gap of at most 60 ms, then at most 20 ms, in steps of 1 ms, bursts in order
    assert max(lags) <= 90 * MS
    assert max(lags) > 20 * MS


def test_post_only_that_would_cross_is_refused() -> None:
    market = direct()
    for order_id, side, other in ((1, BID, ASK), (2, ASK, BID)):
        market.place(market.clock_ns, order_id, side, market.levels(other)[0][0], 100)
        pass_time(market, MS)
        (report,) = market.reports()
        assert report["kind"] == ReportKind.REP_REJECT
        assert report["reason"] == Reject.REJ_POST_ONLY
    assert market.account["open"] == 0


def test_an_amend_goes_to_the_back_even_when_it_only_shrinks() -> None:
    market = direct()
    px = market.levels(BID)[0][0] - 1
    market.place(market.clock_ns, 1, BID, px, 300)
    market.place(market.clock_ns, 2, BID, px, 400)
    pass_time(market, MS)
    assert [q for _, q, ours in market.queue(BID, px) if ours] == [300, 400]
    market.reports()
    market.amend(market.clock_ns, 1, px, 200)
    pass_time(market, MS)
    (report,) = market.reports()
    assert report["kind"] == ReportKind.REP_AMENDED
    assert (report["px"], report["qty"]) == (px, 200)
    assert [q for _, q, ours in market.queue(BID, px) if ours] == [400, 200]
    assert market.queue(BID, px)[-1][1] == 200


def test_an_amend_that_would_cross_cancels_a_post_only_order() -> None:
    market = direct()
    market.place(market.clock_ns, 1, BID, market.levels(BID)[0][0], 300)
    pass_time(market, MS)
    market.reports()
    market.amend(market.clock_ns, 1, market.levels(ASK)[0][0], 300)
    pass_time(market, MS)
    (report,) = market.reports()
    assert report["kind"] == ReportKind.REP_CANCELED
    assert report["reason"] == Reject.REJ_POST_ONLY


def test_an_amend_to_what_has_filled_ends_the_order() -> None:
    market = direct(script="2.1 cascade bid 1")
    market.place(market.clock_ns, 1, BID, market.levels(BID)[0][0], 2_000_000)
    filled = 0
    while not filled:
        pass_time(market, MS)
        filled = sum(r["qty"] for r in market.reports() if r["kind"] == ReportKind.REP_FILL)
    market.amend(market.clock_ns, 1, market.levels(BID)[0][0], filled)
    pass_time(market, MS)
    assert ReportKind.REP_CANCELED in kinds(market)
    assert market.account["open"] == 0


def test_a_cancel_that_comes_after_the_fill_is_refused() -> None:
    market = direct(venue={"cancel_ns": 500 * MS}, script="2.1 cascade bid 1")
    market.place(market.clock_ns, 1, BID, market.levels(BID)[0][0] + 1, 100)
    market.cancel(market.clock_ns, 1)
    pass_time(market, SECOND)
    told = market.reports()
    assert [r["kind"] for r in told] == [
        ReportKind.REP_ACK,
        ReportKind.REP_FILL,
        ReportKind.REP_CANCEL_REJECT,
    ]
    assert told[2]["reason"] == Reject.REJ_NOT_FOUND
    assert market.account["pos"] == 100


def test_latencies_add_up_to_the_millisecond() -> None:
    market = Market(
        1, "quiet", venue={"net_ns": 40 * MS, "maker_ns": 200 * MS, "response_ns": 40 * MS}
    )
    pass_time(market, SECOND)
    sent = market.clock_ns
    market.place(sent, 1, BID, market.levels(BID)[0][0] - 100, 100)
    pass_time(market, SECOND)
    (report,) = market.reports()
    assert report["venue_ns"] - sent == 240 * MS
    assert report["time_ns"] - sent == 280 * MS


def test_a_reader_of_rows_knows_every_report_due_before_the_next_row() -> None:
    market = Market(1, "active")
    order_id = 0
    last = 0
    for turn in range(3000):
        now = market.next_time()
        assert now is not None
        for report in market.reports(now):
            # reports come in order and none turns up late
            assert report["time_ns"] >= last
            last = report["time_ns"]
        next(market)
        if order_id < 60 and turn % 50 == 0:
            order_id += 1
            market.place(now, order_id, BID, market.levels(BID)[0][0], 100)
    assert last > 0
    assert market.counters["commands_late"] == 0


@pytest.mark.parametrize(
    ("venue", "order", "reason"),
    [
        ({}, {"px": 0}, Reject.REJ_TICK),
        ({}, {"qty": 0}, Reject.REJ_LOT),
        ({}, {"px": 1_600_000}, Reject.REJ_PRICE),
        ({"min_qty": 200}, {"qty": 199}, Reject.REJ_MIN_SIZE),
        ({"min_notional": 121_000_000}, {"qty": 50}, Reject.REJ_MIN_SIZE),
        ({"balance": 60_000_000, "margin_ppm": 500_000}, {"qty": 1000}, Reject.REJ_MARGIN),
        ({"max_open_orders": 0}, {}, Reject.REJ_OPEN_ORDERS),
        ({}, {"reduce_only": True}, Reject.REJ_OTHER),
    ],
)
def test_an_order_is_refused_for_the_venues_reason(
    venue: dict[str, int], order: dict[str, Any], reason: Reject
) -> None:
    market = direct(venue=venue)
    fields = {"px": market.levels(BID)[0][0] - 10, "qty": 100} | order
    px, qty = fields.pop("px"), fields.pop("qty")
    market.place(market.clock_ns, 1, BID, px, qty, **fields)
    pass_time(market, MS)
    (report,) = market.reports()
    assert (report["kind"], report["reason"]) == (ReportKind.REP_REJECT, reason)


def test_margin_allows_what_it_covers() -> None:
    market = direct(venue={"balance": 62_000_000, "margin_ppm": 50_000})
    px = market.levels(BID)[0][0] - 10
    market.place(market.clock_ns, 1, BID, px, 1000)
    market.place(market.clock_ns, 2, BID, px, 100)
    pass_time(market, MS)
    assert [(r["kind"], r["reason"]) for r in market.reports()] == [
        (ReportKind.REP_ACK, Reject.REJ_NONE),
        (ReportKind.REP_REJECT, Reject.REJ_MARGIN),
    ]


def test_an_open_client_id_cannot_be_used_again() -> None:
    market = direct()
    px = market.levels(BID)[0][0] - 50
    market.place(market.clock_ns, 1, BID, px, 100)
    market.place(market.clock_ns, 1, BID, px, 100)
    pass_time(market, MS)
    told = market.reports()
    assert told[1]["reason"] == Reject.REJ_DUPLICATE
    market.cancel(market.clock_ns, 1)
    market.cancel(market.clock_ns, 1)
    pass_time(market, MS)
    assert kinds(market) == [ReportKind.REP_CANCELED, ReportKind.REP_CANCEL_REJECT]


def test_the_request_limit_is_a_rolling_minute() -> None:
    market = direct(venue={"requests_per_min": 3})
    px = market.levels(BID)[0][0] - 500
    for order_id in range(1, 5):
        market.place(market.clock_ns, order_id, BID, px, 100)
    pass_time(market, MS)
    assert [r["reason"] for r in market.reports()] == [0, 0, 0, Reject.REJ_RATE]
    pass_time(market, 60 * SECOND)
    market.reports()
    market.place(market.clock_ns, 5, BID, market.levels(BID)[0][0] - 500, 100)
    pass_time(market, MS)
    assert kinds(market) == [ReportKind.REP_ACK]


def test_an_order_expires_at_its_time() -> None:
    market = direct()
    expiry = market.clock_ns + 250 * MS
    px = market.levels(BID)[0][0] - 500
    market.place(market.clock_ns, 1, BID, px, 100, expiry_ns=expiry)
    pass_time(market, SECOND)
    told = market.reports()
    assert [r["kind"] for r in told] == [ReportKind.REP_ACK, ReportKind.REP_EXPIRED]
    assert told[1]["venue_ns"] == expiry


def test_a_taking_order_walks_the_book_and_pays_exact_fees() -> None:
    market = direct(venue={"maker_ppm": 40, "taker_ppm": 280})
    best = market.levels(ASK, 3)
    want = best[0][1] + best[1][1] + best[2][1] // 2
    market.place(market.clock_ns, 1, BID, best[2][0], want, Tif.TIF_IOC)
    # the market takes one step before ours arrives: compare with what the reports say
    pass_time(market, MS)
    fills = [r for r in market.reports() if r["kind"] == ReportKind.REP_FILL]
    assert fills
    assert all(f["reason"] == FillReason.FILL_TAKER and f["px"] <= best[2][0] for f in fills)
    assert all(f["fee"] == -(-f["px"] * f["qty"] * 280 // 10**6) for f in fills)
    account = market.account
    assert account["pos"] == sum(f["qty"] for f in fills)
    assert account["cash"] == -sum(f["px"] * f["qty"] + f["fee"] for f in fills)
    assert account["fees"] == sum(f["fee"] for f in fills)
    assert account["open"] == 0


def test_our_taker_cancels_our_maker_in_its_way() -> None:
    market = direct()
    ask = market.levels(ASK)[0][0]
    market.place(market.clock_ns, 1, ASK, ask - 1, 100)
    pass_time(market, MS)
    market.place(market.clock_ns, 2, BID, ask - 1, 100, Tif.TIF_IOC)
    pass_time(market, MS)
    told = {(r["order_id"], r["kind"], r["reason"]) for r in market.reports()}
    assert (1, ReportKind.REP_CANCELED, Reject.REJ_SELF_TRADE) in told
    assert (2, ReportKind.REP_CANCELED, Reject.REJ_NONE) in told
    assert market.account["pos"] == 0


def test_a_reducing_order_never_turns_the_position() -> None:
    market = direct()
    market.place(market.clock_ns, 1, BID, market.levels(ASK)[0][0] + 50, 500, Tif.TIF_IOC)
    pass_time(market, MS)
    assert market.account["pos"] == 500
    px = market.levels(BID)[0][0] - 50
    market.place(market.clock_ns, 2, ASK, px, 900, Tif.TIF_IOC, reduce_only=True)
    pass_time(market, MS)
    assert market.account["pos"] == 0
    assert market.reports()[-1]["kind"] == ReportKind.REP_CANCELED


def test_funding_is_paid_on_the_hour_at_the_mark() -> None:
    hour = 1_760_043_600 * SECOND
    market = Market(1, "quiet", start_ns=hour - 4 * SECOND, venue=DIRECT)
    pass_time(market, 2 * SECOND)
    market.place(market.clock_ns, 1, BID, market.levels(ASK)[0][0] + 50, 5000, Tif.TIF_IOC)
    pass_time(market, MS)
    pos = market.account["pos"]
    assert pos == 5000
    market.reports()
    rows = pass_time(market, 3 * SECOND)
    (paid,) = [r for r in market.reports() if r["kind"] == ReportKind.REP_FUNDING]
    (stats,) = [r for r in rows if r[KIND] == RowKind.ROW_STATS and r[1] == hour]
    assert paid["venue_ns"] == hour
    assert paid["px"] == stats[PX]
    assert paid["fee"] == -(-pos * stats[PX] * stats[ID] // 10**6)
    assert market.account["funding"] == -paid["fee"]


def test_memory_does_not_grow() -> None:
    market = Market(1, "toxic", venue=DIRECT)
    pass_time(market, 10 * SECOND)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for order_id in range(1, 601):
        market.place(market.clock_ns, order_id, BID, market.levels(BID)[0][0], 1000)
        pass_time(market, SECOND)
        market.reports()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 2048
    assert market.counters["pool_full"] == 0


def test_an_hour_is_fast_and_leaves_the_book_as_deep_as_it_was() -> None:
    market = Market(1, "quiet")
    began = time.process_time()
    depth = []
    for second in range(3600):
        market.run(market.clock_ns + SECOND)
        market.skip()
        if second >= 60 and second % 5 == 0:
            best = market.levels(BID, 1)[0][0]
            depth.append(sum(qty for px, qty, _, _ in market.levels(BID, 2000) if px > best - 1210))
    assert time.process_time() - began < 20
    first, last = sum(depth[:120]) / 120, sum(depth[-120:]) / 120
    assert 0.8 < last / first < 1.2


def test_rows_that_nobody_reads_are_an_error_and_not_a_loss() -> None:
    market = Market(1, "toxic")
    with pytest.raises(RuntimeError, match="nobody read"):
        market.run(market.clock_ns + 3600 * SECOND)


# -- incidents ---------------------------------------------------------------------------------


def incident(script: str, seconds: float = 8, preset: str = "quiet") -> list[Any]:
    return list(Market(1, preset, script=script, seconds=seconds))


def offsets(rows: list[Any]) -> list[float]:
    start = 1_760_041_996 * SECOND
    return [(row[0] - start) / SECOND for row in rows]


def statuses(rows: list[Any]) -> list[int]:
    return [row[PX] for row in rows if row[KIND] == RowKind.ROW_STATUS]


def tops(rows: list[Any]) -> list[tuple[int, int]]:
    book = DepthProbe()
    found = []
    for row in rows:
        if row[KIND] == RowKind.ROW_LEVEL:
            book.set(row[SIDE], row[PX], row[QTY])
        elif row[KIND] == RowKind.ROW_RESET:
            book.reset()
        if row[EOM] and row[KIND] in (RowKind.ROW_LEVEL, RowKind.ROW_RESET):
            found.append((book.best(BID), book.best(ASK)))
    return found


@pytest.mark.parametrize("name", ["gap", "malformed"])
def test_a_lost_or_broken_frame_ends_in_a_fresh_snapshot(name: str) -> None:
    rows = incident(f"3 {name} 2")
    assert statuses(rows) == [Status.STATUS_GAP, Status.STATUS_END]
    fresh = [r for r in rows if r[KIND] == RowKind.ROW_RESET]
    assert [r[FLAGS] for r in fresh] == [Flag.F_SNAPSHOT, Flag.F_SNAPSHOT | Flag.F_AFTER_GAP]
    (gap,) = [i for i, r in enumerate(rows) if r[PX] == Status.STATUS_GAP]
    following = next(r for r in rows[gap:] if r[KIND] in (RowKind.ROW_LEVEL, RowKind.ROW_RESET))
    assert following[KIND] == RowKind.ROW_RESET


def test_a_gap_breaks_the_chain_of_the_frames() -> None:
    nonce, broken = None, 0
    for _, text in Market(1, "quiet", script="3 gap 2").frames(8):
        told = json.loads(text)
        if told["type"] == "update/order_book":
            broken += nonce is not None and told["order_book"]["begin_nonce"] != nonce
        if told["type"].endswith("order_book"):
            nonce = told["order_book"]["nonce"]
    assert broken == 1


def test_malformed_frames_are_not_json() -> None:
    bad = 0
    for _, text in Market(1, "quiet", script="3 malformed 2").frames(8):
        try:
            json.loads(text)
        except ValueError:
            bad += 1
    assert bad == 2


def test_a_duplicate_frame_comes_twice() -> None:
    texts = [text for _, text in Market(1, "quiet", script="3 duplicate 3").frames(8)]
    assert sum(a == b for a, b in itertools.pairwise(texts)) == 3
    nonces = [
        (told["order_book"]["begin_nonce"], told["order_book"]["nonce"])
        for told in map(json.loads, dict.fromkeys(texts))
        if "order_book" in told
    ]
    assert all(after[0] == before[1] for before, after in itertools.pairwise(nonces))


def test_a_stall_holds_everything_back() -> None:
    at = offsets(incident("3 stall 2"))
    gap, start = max((b - a, a) for a, b in itertools.pairwise(at))
    assert 1.9 < gap < 2.2
    assert 2.9 < start < 3.1


def test_a_reconnect_brings_a_snapshot_with_another_offset() -> None:
    rows = incident("3 reconnect 1.5")
    assert statuses(rows) == [Status.STATUS_DOWN, Status.STATUS_UP, Status.STATUS_END]
    snapshots = [
        json.loads(text)
        for _, text in Market(1, "quiet", script="3 reconnect 1.5").frames(8)
        if text.endswith(b'"subscribed/order_book"}')
    ]
    assert len(snapshots) == 2
    assert abs(snapshots[1]["offset"] - snapshots[0]["offset"]) > 10_000


def test_a_side_disappears_and_comes_back() -> None:
    seen = tops(incident("3 one-sided bid 1"))
    gone = [i for i, (bid, ask) in enumerate(seen) if bid == 0 and ask > 0]
    assert gone
    assert all(bid and ask for bid, ask in seen[gone[-1] + 1 :])
    assert len(seen) > gone[-1] + 10


@pytest.mark.parametrize(("name", "ticks"), [("locked", 0), ("crossed", 2)])
def test_locked_and_crossed_frames_are_published_as_such(name: str, ticks: int) -> None:
    seen = tops(incident(f"3 {name} 4"))
    assert [bid - ask for bid, ask in seen if bid >= ask] == [ticks] * 4


def test_a_jump_moves_the_price() -> None:
    for percent in ("5", "-20"):
        seen = tops(incident(f"3 jump {percent}"))
        moved = (sum(seen[-1]) / sum(seen[0]) - 1) * 100
        assert abs(moved - float(percent)) < 0.5


def test_the_spread_blows_out_and_returns() -> None:
    market = Market(1, "quiet", script="3 spread 20 3")
    widths = []
    for _ in range(20):
        pass_time(market, SECOND // 2)
        widths.append(market.levels(ASK)[0][0] - market.levels(BID)[0][0])
    assert min(widths[8:11]) > 2 * max(widths[:5])
    assert widths[-1] < min(widths[8:11])


def test_a_burst_multiplies_the_messages() -> None:
    rows = incident("3 burst 10 2")
    start = 1_760_041_996 * SECOND
    ends = [(r[1] - start) / SECOND for r in rows if r[EOM] and r[KIND] == RowKind.ROW_LEVEL]
    before = sum(1 < at <= 3 for at in ends)
    during = sum(3 < at <= 5 for at in ends)
    # the step of 1 ms bounds the frames at 1000 per second
    assert during > 5 * before


def test_a_cascade_prints_liquidations() -> None:
    rows = incident("3 cascade bid 1")
    forced = [r for r in rows if r[FLAGS] & Flag.F_LIQUIDATION]
    assert {r[SIDE] for r in forced} == {ASK}
    assert forced[-1][PX] < forced[0][PX]
    liquidations = [
        trade
        for _, text in Market(1, "quiet", script="3 cascade bid 1").frames(8)
        if text.startswith(b'{"channel":"trade')
        for trade in json.loads(text)["liquidation_trades"]
    ]
    assert [t["trade_id"] for t in liquidations if t["type"] == "liquidation"]
    assert len(liquidations) == len(forced)


def test_a_halted_market_matches_nothing_and_refuses_orders() -> None:
    market = direct(script="3 halt 2")
    pass_time(market, 1010 * MS)
    market.place(market.clock_ns, 1, BID, market.levels(BID)[0][0], 100)
    before = market.levels(BID, 100)
    rows = pass_time(market, SECOND)
    assert market.reports()[0]["reason"] == Reject.REJ_HALTED
    assert market.levels(BID, 100) == before
    assert not [r for r in rows if r[KIND] == RowKind.ROW_TRADE and r[1] > market.clock_ns]
    assert statuses(incident("3 halt 2")) == [
        Status.STATUS_HALTED,
        Status.STATUS_UP,
        Status.STATUS_END,
    ]


def test_a_clock_step_moves_the_venue_times_against_ours() -> None:
    plain, stepped = incident(""), incident("3 clock -2.5")
    assert [r[0] for r in plain] == [r[0] for r in stepped]
    shifts = {a[1] - b[1] for a, b in zip(plain, stepped, strict=True)}
    assert shifts == {0, -2_500_000_000}


def test_refused_lost_and_late_come_to_our_orders() -> None:
    market = direct(script="2.5 refuse 1\n3.5 lose-ack 1\n4.5 late-cancel 0.3")
    px = market.levels(BID)[0][0] - 2000
    for order_id in (1, 2, 3):
        market.place(market.clock_ns, order_id, BID, px, 100)
        pass_time(market, SECOND)
    told = market.reports()
    # order 1 comes before the refusal, order 2 meets it, order 3 meets the loss
    assert [(r["order_id"], r["kind"]) for r in told] == [
        (1, ReportKind.REP_ACK),
        (2, ReportKind.REP_REJECT),
        (3, ReportKind.REP_UNKNOWN),
    ]
    assert told[2]["time_ns"] - told[2]["venue_ns"] == SECOND
    assert market.account["open"] == 2
    sent = market.clock_ns
    market.cancel(sent, 3)
    pass_time(market, SECOND)
    (canceled,) = market.reports()
    assert canceled["kind"] == ReportKind.REP_CANCELED
    assert canceled["venue_ns"] - sent == 300 * MS


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("3 gapp 1", "line 1: '3 gapp 1' is not a time and one of gap"),
        ("\n3 gap", "line 2: gap takes count, not ''"),
        ("3 gap 1.5", "line 1: count 1.5 has more than 0 decimals"),
        ("3 gap 0", "line 1: count 0 is not between 1 and 1000"),
        ("x gap 1", "line 1: 'x' is not a number"),
        ("-1 gap 1", "line 1: time -1 is not between 0 and 1000000"),
        ("3 one-sided left 2", "line 1: 'left' is neither bid nor ask"),
        ("3 jump 21", "line 1: percent 21 is not between -20 and 20"),
        ("3 stall nan", "line 1: seconds nan is not between 0 and 1000000"),
    ],
)
def test_a_script_is_read_strictly(script: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        Market(1, script=script)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"preset": "loud"}, "preset 'loud' is not one of quiet, active, toxic"),
        ({"seed": -1}, "seed -1 is not between"),
        ({"start_px": 5}, "start price 5 is not between"),
        ({"venue": {"nets": 1}}, "venue field 'nets' is not one of"),
        ({"venue": {"net_ns": -1}}, "venue field net_ns = -1 is negative"),
        ({"start_ns": 1}, "start time 1 is not a whole millisecond"),
    ],
)
def test_wrong_fields_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        Market(**({"seed": 1} | fields))
    assert message in str(error.value)
