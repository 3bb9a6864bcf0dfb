"""Frames and REST answers of bog-exchange have the keys and types of the captured ones."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.rig.exchange import ROOT, Exchange, Socket, Trader

Json = dict[str, Any]
FAR = 1_205_000  # below the market, within the band
CHANNELS = ("order_book/1", "ticker/1", "trade/1", "market_stats/1", "market_stats/all",
            "candle/1/1m", "height", "spot_market_stats/all")  # fmt: skip
PRIVATE = ("account_all/1000", "account_orders/1/1000", "account_all_orders/1000",
           "account_market/1/1000", "account_all_trades/1000", "account_all_positions/1000",
           "account_all_assets/1000", "account_tx/1000", "user_stats/1000",
           "notification/1000")  # fmt: skip
LEFT_OUT = {"maker_fee", "taker_fee"}  # where it is zero, as the venue does
# there is no spot market here
NO_SPOT = {"ws/spot_market_stats_subscribed_single.json", "ws/spot_market_stats_update_all.json",
           "ws/spot_market_stats_update_single.json"}  # fmt: skip


def missing(sample: Any, ours: Any, path: str = "") -> list[str]:
    """Return where `ours` lacks a key of the sample or has another type; null stands for any."""
    if sample is None or ours is None:
        return []
    if isinstance(sample, bool) or isinstance(ours, bool):
        return [] if type(sample) is type(ours) else [f"{path}: {ours!r} is no bool"]
    if isinstance(sample, (int, float)):
        whole = path.endswith(("_id", "_index", "nonce", "timestamp", "_at", "height"))
        good = isinstance(ours, int if whole else (int, float))
        return [] if good else [f"{path}: {ours!r} is no number like {sample!r}"]
    if isinstance(sample, str):
        return [] if isinstance(ours, str) else [f"{path}: {ours!r} is no text"]
    if isinstance(sample, list):
        if not isinstance(ours, list):
            return [f"{path}: {ours!r} is no list"]
        if sample and not ours:
            return [f"{path}: is empty"]
        return missing(sample[0], ours[0], f"{path}[]") if sample else []
    if not isinstance(ours, dict):
        return [f"{path}: {ours!r} is no object"]
    found = []
    for key, value in sample.items():
        if key.isdigit():  # a map by market or asset
            other = next((ours[k] for k in ours if k.isdigit()), "none")
            found += (
                missing(value, other, f"{path}.N") if other != "none" else [f"{path}: is empty"]
            )
        elif key not in ours and key in LEFT_OUT:
            continue
        elif key not in ours:
            found.append(f"{path}.{key} is not there")
        else:
            found += missing(value, ours[key], f"{path}.{key}")
    return found


def samples(folder: Path) -> Iterator[tuple[str, Json]]:
    """Yield every frame of the samples with the file it comes from."""
    for path in sorted([*folder.glob("captured/*.json"), *folder.glob("ws/*.json")]):
        name = f"{path.parent.name}/{path.name}"
        if path.name.startswith("rest_"):
            continue
        content = json.loads(path.read_text())
        for entry in content if isinstance(content, list) else [content]:
            frame = entry.get("frame") or entry.get("ws") or entry
            if "type" in frame or "error" in frame:
                yield name, frame


def trade(exchange: Exchange, trader: Trader) -> None:
    """Do what the captured sessions did: rest, refuse, take, cancel, cancel all."""
    for number in (1, 2):
        assert trader.post(trader.order("bid", FAR, 100, client=number))[0] == 200
    assert trader.post(trader.order("bid", FAR, 100, client=1))[0] == 200  # a duplicate
    book = exchange.get("orderBookOrders", market_id=1, limit=1)
    ask = round(float(book["asks"][0]["price"]) * 10)
    trader.post(trader.order("bid", ask + 500, 100, client=3))  # post-only that crosses
    trader.post(trader.order("bid", ask + 500, 100, client=4, tif=0, type=1))
    trader.post(trader.sign("cancel_order", 1, 1))
    trader.post(trader.sign("cancel_all"))
    trader.post(trader.order("ask", ask - 500, 100, client=5, tif=0, reduce_only=True))


@pytest.fixture(scope="module")
def session(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Exchange, Trader, list[Json]]]:
    place = tmp_path_factory.mktemp("x")
    with Exchange(place, "--tier-latency", "0", "--account", "1000") as exchange:
        trader = exchange.trader()
        token = trader.token
        trader.post(trader.order("bid", 1_250_000, 100, tif=0, type=1))
        exchange.ask(do="liquidate", account=1000)
        with Socket(exchange) as ws:
            for channel in (*CHANNELS, *PRIVATE):
                ws.subscribe(channel, token if channel in PRIVATE else "")
                ws.until(type=re.compile("subscribed/"))
            ws.say(type="ping")
            ws.say(type="subscribe", channel="order_book/1")
            ws.say(type="subscribe", channel="order_book/77")
            ws.say(type="subscribe", channel="nothing/1")
            ws.say(type="subscribe", channel="account_all_orders/1")
            ws.say(type="subscribe", channel="account_all_orders/1000", auth="1:1000:4:00")
            trade(exchange, trader)
            until = time.monotonic() + 120
            while time.monotonic() < until:
                ws.next()
                kinds = {frame.get("type") for frame in ws.seen}
                if {"update/trade", "update/height", "update/candle", "update/market_stats",
                    "update/account_tx", "update/ticker"} <= kinds and sum(
                        frame.get("type") == "update/account_tx" for frame in ws.seen) >= 8:  # fmt: skip
                    break
            ws.say(type="unsubscribe", channel="order_book/1")
            ws.until(type="unsubscribed")
            trader.post(trader.order("bid", FAR, 100, client=21))  # rests while the next one comes
            with exchange.socket(*PRIVATE, token=token) as later:
                seen = ws.seen + later.seen
        yield exchange, trader, seen


def test_every_captured_frame_has_one_of_ours_with_its_keys(
    session: Any, shared: Callable[[str], Path]
) -> None:
    _, _, seen = session
    compared = 0
    for name, sample in samples(shared("lighter-samples")):
        if name in NO_SPOT:
            continue
        kind = "error" if "error" in sample else sample["type"]
        ours = [frame for frame in seen if ("error" if "error" in frame else frame["type"]) == kind]
        assert ours, f"{name}: no {kind} was sent"
        best = min((missing(sample, frame) for frame in ours), key=len)
        assert not best, f"{name} {kind}: {best}"
        compared += 1
    assert compared > 50


def test_the_control_frames_are_the_venues_to_the_byte(
    session: Any, shared: Callable[[str], Path]
) -> None:
    _, _, seen = session
    errors = [frame["error"] for frame in seen if "error" in frame]
    assert {"code": 30003, "message": "Already Subscribed to : order_book:1"} in errors
    assert {"code": 30005, "message": "Invalid Channel:  (marketId)"} in errors
    assert {"code": 30005, "message": "Invalid Channel"} in errors
    for code, message in (
        (20001, "invalid param : auth field is required: account_all_orders:1"),
        (20013, "invalid auth: expired token: account_all_orders:1000"),
    ):
        assert {"code": code, "message": message} in errors
    exchange, _, _ = session
    with exchange.socket("ticker/1") as ws:
        ws.say(type="unsubscribe", channel="ticker/1")
        while not (text := ws.text()).startswith('{"type": "unsubscribed"'):
            pass
        assert text == '{"type": "unsubscribed", "channel": "ticker:1"}'


def test_the_book_frames_chain_and_trades_come_newest_first(session: Any) -> None:
    _, _, seen = session
    books = [
        f["order_book"] for f in seen if f.get("channel") == "order_book:1" and "order_book" in f
    ]
    assert len(books) > 3 and books[0]["begin_nonce"] == 0
    for before, after in pairwise(books):
        assert after["begin_nonce"] == before["nonce"] < after["nonce"]
        assert after["offset"] > before["offset"]
    for frame in seen:
        if frame.get("type") == "update/trade":
            ids = [trade["trade_id"] for trade in frame["trades"]]
            assert ids == sorted(ids, reverse=True)


def test_the_private_frames_keep_the_venues_quirks(session: Any) -> None:
    _, _, seen = session
    updates = [f["orders"] for f in seen if f.get("type") == "update/account_all_orders"]
    orders = [o for found in updates for o in found["1"]]
    statuses = {o["status"] for o in orders}
    assert {"open", "filled", "canceled", "canceled-post-only"} <= statuses
    for o in orders:
        assert o["side"] == "" and o["integrator_taker_fee"] == "0"
        assert o["timestamp"] < 10**11 < 10**15 < o["transaction_time"]
        assert o["order_index"] == (1 << 49) + o["nonce"]
    refused = [tx for f in seen for tx in f.get("txs", [])
               if "21728" in json.loads(tx["event_info"])["ae"]]  # fmt: skip
    assert refused and refused[0]["status"] == 2
    fills = [f for f in seen if f.get("type") == "update/account_all"]
    assert any(f["trades"] and f["positions"] == {} for f in fills)
    assert any(f["positions"] and f["trades"] == {} for f in fills)


def rest(exchange: Exchange, trader: Trader) -> dict[str, tuple[str, Any]]:
    """Return answers by the sample that they are compared with: the SDK's model, the body."""
    trader.post(trader.order("bid", FAR, 100, client=11))
    token = trader.token
    now = int(time.time())
    mine = {"account_index": 1000}
    get = exchange.get
    return {
        "rest/order_books.json": ("OrderBooks", get("orderBooks")),
        "rest/order_book_details.json": ("OrderBookDetails", get("orderBookDetails", market_id=1)),
        "rest/order_book_orders.json": ("OrderBookOrders", get("orderBookOrders", market_id=1, limit=2)),
        "rest/recent_trades.json": ("", get("recentTrades", market_id=1, limit=3)),
        "rest/account.json": ("", get("account", by="index", value=1000)),
        "rest/next_nonce.json": ("NextNonce", get("nextNonce", api_key_index=4, **mine)),
        "rest/candles.json": ("Candles", get(
            "candles", market_id=1, resolution="1m", start_timestamp=(now - 600) * 1000,
            end_timestamp=(now + 60) * 1000, count_back=2)),
        "rest/orders.json": ("Orders", get("accountActiveOrders", token, market_id=1, **mine)),
        "captured/rest_account_active_orders.json": (
            "Orders", get("accountInactiveOrders", token, limit=5, **mine)),
        "captured/rest_account_limits.json": ("AccountLimits", get("accountLimits", token, **mine)),
        "captured/rest_testnet_order_books.json": ("OrderBooks", get("orderBooks")),
        "trades": ("Trades", get("trades", token, sort_by="trade_id", limit=5, **mine)),
        "accounts": ("DetailedAccounts", get("account", by="index", value=1000)),
        "keys": ("AccountApiKeys", get("apikeys", api_key_index=255, **mine)),
        "rates": ("FundingRates", get("funding-rates")),
        "payments": ("PositionFundings", get("positionFunding", token, limit=5, **mine)),
        "stats": ("ExchangeStats", get("exchangeStats")),
        "status": ("Status", exchange.fetch("/")[1]),
        "info": ("ZkLighterInfo", exchange.fetch("/info")[1]),
        "txs": ("Txs", get("accountTxs", token, by="account_index", value=1000, limit=3)),
    }  # fmt: skip


VALIDATE = """
import json, sys, warnings
warnings.simplefilter("ignore")
import lighter.models as models
for name, body in json.loads(sys.stdin.read()):
    getattr(models, name).model_validate(body)
    print(name)
"""


def test_rest_answers_have_the_samples_keys_and_pass_the_sdks_strict_models(
    session: Any, shared: Callable[[str], Path]
) -> None:
    exchange, trader, _ = session
    answers = rest(exchange, trader)
    for name, (_, body) in answers.items():
        if "/" in name:
            sample = json.loads(shared(f"lighter-samples/{name}").read_text())
            sample.pop("next_cursor", None)  # only where there is more
            if "orders" in sample:
                sample["orders"][0].pop("next_cursor", None)
            assert not missing(sample, body), name
    pairs = [(model, body) for model, body in answers.values() if model]
    ran = subprocess.run([sys.executable, "-c", VALIDATE], input=json.dumps(pairs), cwd=ROOT,
                         capture_output=True, text=True, timeout=300, check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert len(ran.stdout.split()) == len(pairs)


def test_rest_errors_are_the_captured_ones(session: Any, shared: Callable[[str], Path]) -> None:
    exchange, trader, _ = session
    rows = json.loads(shared("lighter-samples/captured/rest_errors.json").read_text())
    now = exchange.ask(do="god")["now_ns"] // 10**9
    long = trader.signer.auth_token(now + 8 * 3600 - 5)
    exchange.ask(do="rule", name="token_s", value=60)
    asked = [
        exchange.fetch("/api/v1/accountActiveOrders?account_index=1000&market_id=1"),
        exchange.fetch("/api/v1/accountLimits?account_index=1000", long),
        exchange.fetch("/api/v1/accountLimits?account_index=1000", "garbage"),
        trader.post(trader.sign("cancel_all", nonce=99)),
    ]
    exchange.ask(do="rule", name="token_s", value=8 * 3600)
    for row, (status, body) in zip(rows, asked, strict=True):
        assert (status, body) == (row["status"], row["body"]), row["request"]


def test_what_send_says_is_what_the_venue_says(session: Any, shared: Callable[[str], Path]) -> None:
    exchange, trader, _ = session
    folder = shared("lighter-samples/constructed")
    _, free = trader.post(trader.order("bid", FAR, 100))
    _, paid = trader.post(trader.order("bid", FAR, 100))
    for name, body in (("http_sendtx_reply_standard", free), ("http_sendtx_reply_quota", paid)):
        assert not missing(json.loads((folder / f"{name}.json").read_text()), body), name
    assert re.fullmatch(r'\{"ratelimit": "\d+ volume quota remaining\."\}', paid["message"])
    with Socket(exchange) as ws:
        signed = trader.order("bid", FAR, 100)
        trader.send(ws, signed, "7")
        answer = ws.until(type="jsonapi/sendtx")
        want = json.loads((folder / "ws_sendtx_reply_ok.json").read_text())
        assert (
            not missing(want, answer) and answer["id"] == "7" and answer["tx_hash"] == signed.hash
        )
        trader.send(ws, signed, "8")
        assert ws.next() == {"error": {"code": 21104, "message": "invalid nonce"}, "id": "8"}
        nonce = trader.next_nonce()
        many = [trader.order("bid", FAR, 100, nonce=nonce + n) for n in range(16)]
        for count, code in ((16, 21514), (15, 0)):
            ws.say(type="jsonapi/sendtxbatch", data={
                "id": "9", "tx_types": json.dumps([14] * count),
                "tx_infos": json.dumps([s.text.decode() for s in many[:count]])})  # fmt: skip
            answer = ws.next()
            assert answer.get("error", {}).get("code", 0) == code
        assert answer["tx_hash"] == [s.hash for s in many[:15]]
