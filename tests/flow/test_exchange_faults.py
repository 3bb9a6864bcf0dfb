"""Each scripted fault of the exchange happens on the wire: rows 19 to 49 of the fault catalogue."""

import gzip
import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from websockets.exceptions import ConnectionClosed

from tests.rig.exchange import Exchange, Socket, Trader

MIDDLE = 1_210_440
FAR = MIDDLE - 5000
GOD = "/api/v1/nextNonce?account_index=1000&api_key_index=4"
OPTIONS = ("--flow", "none", "--tier-latency", "0", "--no-limits", "--account", "1000",
           "--account", "1001")  # fmt: skip


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    with Exchange(tmp_path_factory.mktemp("x"), *OPTIONS) as found:
        yield found


@pytest.fixture
def trader(exchange: Exchange) -> Iterator[Trader]:
    found = exchange.trader()
    yield found
    exchange.ask(do="clear")
    exchange.ask(do="thaw")
    found.post(found.sign("cancel_all"))


def raw(exchange: Exchange, path: str, seconds: float = 3.0) -> bytes:
    """Return everything that comes for a GET in so many seconds, head and body."""
    at = urlsplit(exchange.url)
    with socket.create_connection((at.hostname, at.port or 80), timeout=seconds) as wire:
        wire.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        got = b""
        until = time.monotonic() + seconds
        try:
            while time.monotonic() < until and (part := wire.recv(1 << 20)):
                got += part
        except TimeoutError:
            pass
        return got


def happened(exchange: Exchange) -> int:
    return sum(fault["happened"] for fault in exchange.ask(do="faults")["script"])


@pytest.mark.parametrize(
    "status", [400, 401, 403, 404, 405, 409, 418, 422, 429, 500, 502, 503, 504]
)
def test_20_and_21_any_status_on_any_path_with_json_html_or_nothing(
    exchange: Exchange, trader: Trader, status: int
) -> None:
    before = exchange.account()["nonces"]["4"]
    for do in ("status", "html", "empty"):
        exchange.ask(at="http", do=do, status=status, path="sendTx")
    signed = trader.order("bid", FAR, 100)
    bodies = []
    for _ in range(3):
        got, body = trader.post(signed)
        assert got == status
        bodies.append(body)
    assert bodies[0]["code"] == 29500 and b"<html>" in bodies[1] and bodies[2] == b""
    assert exchange.account()["nonces"]["4"] == before, "it was refused before it was taken"
    assert trader.post(signed)[0] == 200


@pytest.mark.parametrize(("when", "taken"), [("before", 0), ("after", 1)])
def test_22_an_error_before_or_after_the_transaction_was_taken(
    exchange: Exchange, trader: Trader, when: str, taken: int
) -> None:
    exchange.ask(at="http", do="status", status=504, path="sendTx", type="create", when=when)
    assert trader.post(trader.order("bid", FAR, 100))[0] == 504
    assert len(exchange.account()["orders"]) == taken


def test_22_a_late_answer_and_none_at_all(exchange: Exchange, trader: Trader) -> None:
    exchange.ask(at="http", do="delay", path="nextNonce", seconds=0.5)
    begun = time.monotonic()
    assert exchange.fetch(GOD)[0] == 200
    assert time.monotonic() - begun >= 0.5
    exchange.ask(at="http", do="hang", path="nextNonce")
    assert raw(exchange, GOD, 1.0) == b""


def test_23_reset_close_half_and_refused_connections(exchange: Exchange, trader: Trader) -> None:
    exchange.ask(at="http", do="reset", path="nextNonce")
    with pytest.raises((ConnectionResetError, URLError)):
        urlopen(exchange.url + GOD, timeout=10)
    exchange.ask(at="http", do="close", path="nextNonce")
    assert raw(exchange, GOD) == b""
    exchange.ask(at="http", do="half", path="nextNonce")
    got = raw(exchange, GOD, 1.0)
    head, _, body = got.partition(b"\r\n\r\n")
    length = int(re.search(rb"Content-Length: (\d+)", head).group(1))  # type: ignore[union-attr]
    assert 0 < len(body) < length
    exchange.ask(do="refuse-connections", seconds=1)
    time.sleep(0.2)
    with pytest.raises(URLError):
        urlopen(exchange.url + GOD, timeout=10)
    until = time.monotonic() + 30
    while True:
        try:
            assert exchange.fetch(GOD)[0] == 200
            return
        except URLError:
            assert time.monotonic() < until


def test_24_slow_huge_packed_and_malformed_bodies(exchange: Exchange, trader: Trader) -> None:
    exchange.ask(at="http", do="slow", path="nextNonce", seconds=0.2)
    assert 0 < len(raw(exchange, GOD, 1.5).partition(b"\r\n\r\n")[2]) < 20
    exchange.ask(at="http", do="huge", path="nextNonce", mib=8)
    assert len(raw(exchange, GOD, 30.0)) > 8 << 20
    exchange.ask(at="http", do="bomb", path="nextNonce", mib=8)
    packed = raw(exchange, GOD, 10.0).partition(b"\r\n\r\n")[2]
    assert len(packed) < 1 << 16 and len(gzip.decompress(packed)) == 8 << 20
    for do, sign in (("deep", b"[[[["), ("utf8", b"\xff"), ("number", b"1e400"),
                     ("twice", b'"code":500,"code":200'), ("types", b'"code":"200"')):  # fmt: skip
        exchange.ask(at="http", do=do, path="nextNonce")
        assert sign in raw(exchange, GOD, 10.0)
    with Socket(exchange) as ws:
        exchange.ask(at="frame", do="cut", channel="pong")
        ws.say(type="ping")
        assert ws.text() == '{"type":"p'[:7]


def test_26_tls_and_redirects(tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "1", "-subj", "/CN=elsewhere"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    with Exchange(tmp_path, *OPTIONS, "--certificate", "cert.pem", "--certificate-key",
                  "key.pem") as exchange:  # fmt: skip
        assert exchange.url.startswith("https") and exchange.ws_url.startswith("wss")
        with pytest.raises(URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urlopen(exchange.url, timeout=10)
        trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        trusting.check_hostname = False
        with urlopen(exchange.url, timeout=10, context=trusting) as answer:
            assert json.loads(answer.read())["network_id"] == 300
        exchange.ask(at="http", do="redirect", to="http://127.0.0.1:9/x")
        trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        trusting.check_hostname = False
        with pytest.raises(URLError):
            urlopen(Request(exchange.url), timeout=10, context=trusting)


def test_27_an_exhausted_quota_still_lets_single_cancels_through(tmp_path: Path) -> None:
    with Exchange(tmp_path, "--flow", "none", "--tier-latency", "0") as exchange:
        trader = exchange.trader()
        trader.post(trader.order("bid", FAR, 100, client=5))
        exchange.ask(do="quota", account=1000, left=0)
        status, body = trader.post(trader.order("bid", FAR, 100))
        assert (status, body["code"]) == (429, 23000)
        assert trader.post(trader.sign("cancel_all"))[0] == 429
        assert trader.post(trader.sign("cancel_order", 1, 5))[0] == 200
        assert exchange.account()["orders"] == []


def test_29_an_exchange_outlives_who_left_while_nothing_passed(tmp_path: Path) -> None:
    """After ten minutes more waited for a client that was gone than may: the reset of a socket that
    was closed ended the exchange."""
    with Exchange(tmp_path, *OPTIONS) as exchange:
        ws = exchange.socket()
        exchange.ask(do="partition")
        ws.say(type="ping")  # taken in, and held up there
        time.sleep(0.3)
        ws.ws.socket.shutdown(socket.SHUT_RDWR)
        time.sleep(0.3)
        exchange.ask(at="frame", do="repeat", channel="ping", times=20_000)
        exchange.ask(do="ping")
        exchange.ask(do="clear")
        assert exchange.fetch(GOD)[0] == 200


def test_28_and_29_latency_and_a_partition(exchange: Exchange, trader: Trader) -> None:
    with exchange.socket() as ws:
        exchange.ask(do="latency", seconds=0.3)
        begun = time.monotonic()
        ws.say(type="ping")
        assert ws.next() == {"type": "pong"}
        assert time.monotonic() - begun >= 0.6
        exchange.ask(do="latency")
        exchange.ask(do="partition")
        ws.say(type="ping")
        with pytest.raises(TimeoutError):
            ws.next(0.5)
        assert raw(exchange, GOD, 0.5) == b""
        exchange.ask(do="clear")
        assert ws.next() == {"type": "pong"}, "no connection broke"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("do", ["reset", "close", "silent"])
def test_30_and_33_the_socket_or_the_answer_is_lost(
    exchange: Exchange, trader: Trader, do: str, when: str
) -> None:
    exchange.ask(at="ws", do=do, type="create", when=when)
    with exchange.socket() as ws:
        trader.send(ws, trader.order("bid", FAR, 100))
        if do == "silent":
            with pytest.raises(TimeoutError):
                ws.next(0.5)
        else:
            with pytest.raises(ConnectionClosed):
                ws.next()
    assert len(exchange.account()["orders"]) == (when == "after")


def fill(exchange: Exchange, trader: Trader, lots: int = 100) -> None:
    """Let a stranger take from a resting order of ours."""
    trader.post(trader.order("bid", FAR, lots))
    exchange.ask(do="public-order", market=1, side="ask", px=FAR, lots=lots, take=True)


def test_31_a_fill_is_told_many_times(exchange: Exchange, trader: Trader) -> None:
    with exchange.socket("account_all_trades/1000") as ws:
        exchange.ask(at="frame", do="repeat", channel="account_all_trades", times=3)
        fill(exchange, trader)
        frames = [frame for frame in ws.quiet() if frame.get("trades")]
        assert len(frames) == 4 and frames[0] == frames[3]


def test_32_frames_come_out_of_order(exchange: Exchange, trader: Trader) -> None:
    token = trader.token
    with exchange.socket("account_all_orders/1000", "account_all_trades/1000", token=token) as ws:
        exchange.ask(at="frame", do="hold", channel="account_all_orders")
        fill(exchange, trader)
        kinds = [(f["type"], [o["status"] for o in f.get("orders", {}).get("1", [])])
                 for f in ws.quiet()]  # fmt: skip
        assert [statuses for _, statuses in kinds if statuses] == [["filled"], ["open"]]


def test_33_half_of_lost_answers_are_live_orders(exchange: Exchange, trader: Trader) -> None:
    exchange.ask(at="ws", do="silent", when="before", type="create", odds=0.5, count=-1)
    exchange.ask(at="ws", do="silent", when="after", type="create", count=-1)
    hashes = []
    with exchange.socket() as ws:
        for _ in range(20):
            signed = trader.order("bid", FAR, 100)
            trader.send(ws, signed)
            ws.say(type="ping")
            assert ws.next() == {"type": "pong"}, "no answer came before it"
            hashes.append(signed.hash)
    live = {order["hash"] for order in exchange.account()["orders"]}
    assert live <= set(hashes) and 0 < len(live) < 20
    for found in hashes:
        status, body = exchange.fetch(f"/api/v1/tx?by=hash&value={found}")
        assert (status, body["code"]) == ((200, 200) if found in live else (400, 21500))


def test_34_an_answer_with_anothers_hash_or_without_its_id(
    exchange: Exchange, trader: Trader
) -> None:
    with exchange.socket() as ws:
        exchange.ask(at="ws", do="swap", when="after")
        signed = trader.order("bid", FAR, 100)
        trader.send(ws, signed)
        assert ws.next()["tx_hash"] == "f" * 80 != signed.hash
        exchange.ask(at="ws", do="anonymous", code=21506)
        trader.send(ws, trader.order("bid", FAR, 100))
        answer = ws.next()
        assert answer["error"]["code"] == 21506 and "id" not in answer


def test_35_the_order_shows_a_fill_before_its_trade(exchange: Exchange, trader: Trader) -> None:
    token = trader.token
    with exchange.socket("account_all_orders/1000", "account_all_trades/1000", token=token) as ws:
        exchange.ask(at="frame", do="delay", channel="account_all_trades", seconds=1)
        fill(exchange, trader)
        order = ws.until(type="update/account_all_orders")
        order = ws.until(type="update/account_all_orders")
        assert order["orders"]["1"][0]["filled_base_amount"] == "0.00100"
        assert ws.until(type="update/account_all_trades")["trades"]["1"][0]["size"] == "0.00100"


def test_36_status_reads_fail_while_orders_live(exchange: Exchange, trader: Trader) -> None:
    trader.post(trader.order("bid", FAR, 100))
    token = trader.token
    exchange.ask(at="http", do="status", status=500, path="accountActiveOrders", count=-1)
    for _ in range(5):
        assert (
            exchange.fetch("/api/v1/accountActiveOrders?account_index=1000&market_id=1", token)[0]
            == 500
        )
    assert len(exchange.account()["orders"]) == 1
    exchange.ask(do="clear")
    assert (
        len(exchange.get("accountActiveOrders", token, account_index=1000, market_id=1)["orders"])
        == 1
    )


def test_37_a_cancel_meets_a_fill(exchange: Exchange, trader: Trader) -> None:
    trader.post(trader.order("bid", FAR, 100, client=7))
    exchange.ask(do="freeze")
    status, body = trader.post(trader.sign("cancel_order", 1, 7))
    assert status == 200
    exchange.ask(do="public-order", market=1, side="ask", px=FAR, lots=100, take=True)
    exchange.ask(do="thaw")
    tx = exchange.get("tx", by="hash", value=body["tx_hash"])
    assert tx["status"] == 2 and "21600" in json.loads(tx["event_info"])["ae"]


@pytest.mark.parametrize("values", [
    {"positions": {}}, {"positions": "none"}, {"positions.*.position": "x"}, {"positions.1": None},
])  # fmt: skip
def test_38_a_position_snapshot_is_empty_unreadable_or_short(
    exchange: Exchange, trader: Trader, values: dict[str, Any]
) -> None:
    fill(exchange, trader)
    exchange.ask(at="frame", do="set", channel="account_all_positions", values=values)
    with Socket(exchange) as ws:
        ws.subscribe("account_all_positions/1000")
        found = ws.next()["positions"]
        wrong = (
            found == values.get("positions", 0) or "1" not in found or found["1"]["position"] == "x"
        )
        assert wrong
        ws.say(type="unsubscribe", channel="account_all_positions/1000")
        ws.next()
        ws.subscribe("account_all_positions/1000")
        assert float(ws.next()["positions"]["1"]["position"]) > 0


@pytest.mark.parametrize("status", [
    "canceled-post-only", "canceled-margin-not-allowed", "canceled-too-much-slippage",
    "canceled-not-enough-liquidity", "canceled-reduce-only", "canceled-self-trade",
    "canceled-expired", "canceled-liquidation", "canceled-position-not-allowed",
])  # fmt: skip
def test_39_taken_and_ended_at_once(exchange: Exchange, trader: Trader, status: str) -> None:
    with exchange.socket("account_all_orders/1000", token=trader.token) as ws:
        exchange.ask(do="refuse", status=status, type="create")
        assert trader.post(trader.order("bid", FAR, 100))[0] == 200
        assert ws.until(type="update/account_all_orders")["orders"]["1"][0]["status"] == status


def test_39_taken_and_refused_without_a_frame(exchange: Exchange, trader: Trader) -> None:
    token = trader.token
    with exchange.socket("account_all_orders/1000", "account_tx/1000", token=token) as ws:
        exchange.ask(do="refuse", code=21739, type="create")
        assert trader.post(trader.order("bid", FAR, 100))[0] == 200
        frames = ws.quiet()
        assert [frame["type"] for frame in frames] == ["update/account_tx"]
        assert "21739" in json.loads(frames[0]["txs"][0]["event_info"])["ae"]


def test_40_nonces_jump_and_refusals_keep_or_take_them(exchange: Exchange, trader: Trader) -> None:
    nonce = trader.next_nonce()
    exchange.ask(do="nonce", account=1000, key=4, next=nonce + 5)
    status, body = trader.post(trader.order("bid", FAR, 100, nonce=nonce))
    assert (status, body["code"]) == (400, 21104)
    assert trader.next_nonce() == nonce + 5
    exchange.ask(do="refuse", where="api", code=21506, type="create")
    assert trader.post(trader.order("bid", FAR, 100))[1]["code"] == 21506
    assert trader.next_nonce() == nonce + 5
    exchange.ask(do="refuse", where="api", code=21506, type="create", consume=True)
    assert trader.post(trader.order("bid", FAR, 100))[1]["code"] == 21506
    assert trader.next_nonce() == nonce + 6


def test_41_one_key_is_broken_and_another_empties_the_book(
    exchange: Exchange, trader: Trader
) -> None:
    trader.post(trader.order("bid", FAR, 100))
    exchange.ask(do="refuse", where="api", code=21104, key=4, count=-1)
    assert trader.post(trader.sign("cancel_all"))[1]["code"] == 21104
    guardian = exchange.trader(key=6)
    assert guardian.post(guardian.sign("cancel_all"))[0] == 200
    assert exchange.account()["orders"] == []


def test_42_a_cancel_is_lost_or_refused_though_the_order_lives(
    exchange: Exchange, trader: Trader
) -> None:
    trader.post(trader.order("bid", FAR, 100, client=9))
    exchange.ask(do="refuse", code=21600, type="cancel")
    assert trader.post(trader.sign("cancel_order", 1, 9))[0] == 200
    exchange.ask(at="http", do="reset", path="sendTx", type="cancel")
    with pytest.raises((ConnectionResetError, URLError)):
        trader.post(trader.sign("cancel_order", 1, 9))
    assert len(exchange.account()["orders"]) == 1
    assert trader.post(trader.sign("cancel_order", 1, 9))[0] == 200
    assert exchange.account()["orders"] == []


@pytest.mark.parametrize("values", [
    {"trades.1.0.size": "9.00000"}, {"trades.1.0.price": "999999.9"}, {"trades.1.0.market_id": 77},
    {"trades.1.0.is_maker_ask": True}, {"trades.1.0.size": "-0.00100"}, {"trades.1.0.size": "0.00000"},
    {"trades.1.0.trade_id": 1, "trades.1.0.trade_id_str": "1"}, {"trades.1.0.maker_fee": -40},
])  # fmt: skip
def test_43_a_fill_that_cannot_be(
    exchange: Exchange, trader: Trader, values: dict[str, Any]
) -> None:
    with exchange.socket("account_all_trades/1000") as ws:
        exchange.ask(at="frame", do="set", channel="account_all_trades", values=values)
        fill(exchange, trader)
        trade = ws.until(type="update/account_all_trades")["trades"]["1"][0]
        for path, value in values.items():
            assert trade[path.split(".")[-1]] == value


def test_44_orders_and_fills_that_nobody_sent(exchange: Exchange, trader: Trader) -> None:
    token = trader.token
    before = exchange.account()["positions"].get("1", {}).get("lots", 0)
    with exchange.socket("account_all_orders/1000", "account_all_trades/1000", token=token) as ws:
        placed = exchange.ask(do="order", account=1000, market=1, side="bid", px=FAR, lots=100)
        order = ws.until(type="update/account_all_orders")["orders"]["1"][0]
        assert order["order_index"] == placed["index"] and order["client_order_index"] == 0
        exchange.ask(do="public-order", market=1, side="ask", px=FAR, lots=100, take=True)
        assert ws.until(type="update/account_all_trades")["trades"]["1"][0]["size"] == "0.00100"
        assert exchange.account()["positions"]["1"]["lots"] == before + 100
        exchange.ask(do="public-order", market=1, side="bid", px=FAR - 10, lots=100_000)
        exchange.ask(do="liquidate", account=1000)
        trade = ws.until(type="update/account_all_trades")["trades"]["1"][0]
        assert trade["type"] == "liquidation" and trade["taker_fee"] == 10_000
    assert exchange.account()["positions"]["1"]["lots"] == 0
    assert exchange.ask(do="vanish", account=1001)["orders"] == 0


def test_45_the_private_channels_fall_silent(exchange: Exchange, trader: Trader) -> None:
    with exchange.socket("account_all_orders/1000", "order_book/1", token=trader.token) as ws:
        exchange.ask(at="frame", do="drop", channel="account_all_orders", count=-1)
        trader.post(trader.order("bid", FAR - 30, 100))
        assert {frame["type"] for frame in ws.quiet()} == {"update/order_book"}
    assert happened(exchange) == 1


def test_46_sockets_close_again_and_again_pongs_stay_away_silence_ends_one(
    exchange: Exchange, trader: Trader
) -> None:
    for how in ("close", "fin", "reset"):
        with Socket(exchange) as ws:
            assert exchange.ask(do="disconnect", how=how)["connections"] >= 1
            with pytest.raises(ConnectionClosed):
                ws.next()
    with Socket(exchange) as ws:
        exchange.ask(do="shutdown", close_in_ms=100)
        assert ws.next() == {"type": "shutdown", "close_in_ms": 100}
        with pytest.raises(ConnectionClosed):
            ws.next()
    with Socket(exchange) as ws:
        exchange.ask(do="mute-pong")
        ws.say(type="ping")
        with pytest.raises(TimeoutError):
            ws.next(0.3)
        exchange.ask(do="ping")
        assert ws.next() == {"type": "ping"}
        exchange.ask(do="rule", name="silence_s", value=0.5)
        with pytest.raises(ConnectionClosed):
            ws.next()
    exchange.ask(do="rule", name="silence_s", value=120)


def test_47_tokens_expire_early(exchange: Exchange, trader: Trader) -> None:
    token = trader.token
    exchange.ask(do="rule", name="token_s", value=5)
    status, body = exchange.fetch("/api/v1/accountLimits?account_index=1000", token)
    assert (status, body["code"]) == (401, 20013)
    with Socket(exchange) as ws:
        ws.subscribe("account_all_orders/1000", token)
        assert ws.next()["error"]["code"] == 20013
    exchange.ask(do="rule", name="token_s", value=8 * 3600)


def test_48_the_sequencer_is_down_and_comes_back(exchange: Exchange, trader: Trader) -> None:
    trader.post(trader.order("bid", FAR, 100, client=8))
    exchange.ask(do="freeze")
    assert trader.post(trader.sign("cancel_order", 1, 8))[0] == 200
    late = trader.post(trader.order("bid", FAR, 100))[1]["tx_hash"]
    assert len(exchange.account()["orders"]) == 1
    waiting = exchange.ask(do="god")["could_execute"]
    assert len(waiting) == 2 and waiting[1]["hash"] == late
    exchange.ask(do="clock", seconds=4.5 * 3600)
    assert len(exchange.account()["orders"]) == 1, "nothing runs, not even an expiry"
    assert exchange.ask(do="god")["could_execute"] == []
    exchange.ask(do="thaw")
    assert exchange.account()["orders"] == []
    assert exchange.get("tx", by="hash", value=late)["status"] == 0


def test_49_the_venue_goes_back_and_tells_nobody(exchange: Exchange, trader: Trader) -> None:
    trader.post(trader.order("bid", FAR, 100, client=11))
    before = exchange.account()
    exchange.ask(do="snapshot", name="then")
    fill(exchange, trader)
    after = exchange.account()
    assert after["fills"] > before["fills"]
    with exchange.socket("account_all_orders/1000", token=trader.token) as ws:
        exchange.ask(do="rollback", name="then")
        assert ws.quiet() == []
    assert exchange.account() == before
    assert exchange.get("accountActiveOrders", trader.token, account_index=1000, market_id=1)[
        "orders"
    ]


def test_19_a_market_changes_while_it_runs(exchange: Exchange, trader: Trader) -> None:
    exchange.ask(do="market", market=1, size_decimals=4, status="inactive", force_reduce_only=True)
    row = exchange.get("orderBookDetails", market_id=1)["order_book_details"][0]
    assert row["size_decimals"] == 4 and row["status"] == "inactive"
    assert row["market_config"]["force_reduce_only"] is True
    _, body = trader.post(trader.order("bid", FAR, 1000))
    tx = exchange.get("tx", by="hash", value=body["tx_hash"])
    assert "21605" in json.loads(tx["event_info"])["ae"]
    exchange.ask(do="market", market=1, size_decimals=5, status="active", force_reduce_only=False)


def test_the_books_frames_gap_repeat_jump_and_cross(exchange: Exchange, trader: Trader) -> None:
    with exchange.socket("order_book/1") as ws:
        nonce = ws.seen[-1]["order_book"]["nonce"]
        exchange.ask(do="public-order", market=1, side="ask", px=MIDDLE + 10, lots=100)
        first = ws.until(type="update/order_book")["order_book"]
        assert first["begin_nonce"] == nonce
        exchange.ask(at="frame", do="drop", channel="order_book")
        trader.post(trader.order("bid", FAR - 1, 100))
        assert ws.quiet() == []
        trader.post(trader.order("bid", FAR - 2, 100))
        gap = ws.until(type="update/order_book")["order_book"]
        assert gap["begin_nonce"] != first["nonce"]
        exchange.ask(at="frame", do="repeat", channel="order_book")
        trader.post(trader.order("bid", FAR - 3, 100))
        assert ws.until(type="update/order_book") == ws.until(type="update/order_book")
        exchange.ask(at="frame", do="set", channel="order_book",
                     values={"offset": 5, "order_book.offset": 5})  # fmt: skip
        trader.post(trader.order("bid", FAR - 4, 100))
        assert ws.until(type="update/order_book")["offset"] == 5
        exchange.ask(do="cross", market=1)
        frame = ws.until(type="update/order_book")["order_book"]
        assert float(frame["bids"][0]["price"]) * 10 > MIDDLE + 10
        back = ws.until(type="update/order_book")["order_book"]
        assert float(back["bids"][0]["size"]) == 0 and back["begin_nonce"] == frame["nonce"]


@pytest.mark.parametrize("line", [
    "", "[]", "{", '{"do":"nothing"}', '{"at":"http","do":"nothing"}', '{"at":"moon","do":"drop"}',
    '{"do":"refuse","code":1}', '{"do":"nonce","account":7,"key":4,"next":1}',
    '{"do":"clock","seconds":-1}',
    '{"do":"rollback","name":"never"}', '{"do":"market","market":1,"colour":"red"}',
])  # fmt: skip
def test_the_control_socket_says_what_is_wrong(exchange: Exchange, line: str) -> None:
    answer = exchange.ask_raw(line)
    assert answer["ok"] is False and answer["error"]
    assert (exchange.place / "control").stat().st_mode & 0o777 == 0o600


def test_a_killed_exchange_comes_back_with_its_store(tmp_path: Path) -> None:
    options = ("--flow", "none", "--tier-latency", "0", "--store", "store")
    exchange = Exchange(tmp_path, *options)
    trader = exchange.trader()
    trader.post(trader.order("bid", FAR, 100, client=3))
    fill(exchange, trader)
    before = exchange.account()
    exchange.end(9)
    with Exchange(tmp_path, *options) as again:
        assert again.account() == before
        trader = again.trader()
        (order,) = before["orders"]  # the taker met the older one
        assert trader.post(trader.sign("cancel_order", 1, order["index"]))[0] == 200
        assert again.account()["orders"] == []
