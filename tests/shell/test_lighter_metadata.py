"""What the venue says of a market: read exactly, kept privately, never taken over silently."""

import asyncio
import json
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bog import config
from bog.errors import ConfigError
from bog.keys import Market
from bog.lighter import metadata, rest
from bog.lighter.address import is_loopback, rest_beside, rest_url, stream_url
from bog.lighter.metadata import Details, Source
from bog.lighter.rest import RestError

ROW = {
    "symbol": "BTC", "market_id": 1, "status": "active", "supported_price_decimals": 1,
    "supported_size_decimals": 5, "min_base_amount": "0.00020", "min_quote_amount": "10.000000",
    "market_config": {"force_reduce_only": False}, "news_of_next_month": {"x": [1, 2]},
    "daily_price_change": -1.29,
}  # fmt: skip
BTC = Details(1, "BTC", 1, 5, "0.00020", "10.000000", "active")
KNOWN = Market(
    symbol="BTC", price_decimals=1, size_decimals=5, min_base_amount="0.0002", min_quote_amount=10
)


def answer(**changes: Any) -> bytes:
    row = {k: v for k, v in (ROW | changes).items() if v is not None}
    return json.dumps({"code": 200, "order_book_details": [row]}).encode()


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source("https://venue.example", tmp_path / "kept", 1.0)


# reading


def test_a_row_is_read_exactly_and_unknown_fields_are_left_alone() -> None:
    assert metadata.parse(answer(), 1) == BTC
    # a binary float would say 0.1 + 0.2
    odd = metadata.parse(answer(min_base_amount="0.30000000000000004"), 1)
    assert metadata.amount(odd.min_base_amount) == Decimal("0.30000000000000004")


def test_recorded_answers_are_read(shared: Callable[[str], Path]) -> None:
    nvda = shared("market-data/lighter-frames/rest_order_book_details.json").read_bytes()
    assert metadata.parse(nvda, 110) == Details(
        110, "NVDA", 3, 3, "0.025", "10.000000", "active",
    )  # fmt: skip
    eth = shared("lighter-samples/rest/order_book_details.json").read_bytes()
    assert metadata.parse(eth, 0) == Details(0, "ETH", 2, 4, "0.0050", "10.000000", "active")


@pytest.mark.parametrize(("body", "says"), [
    (b"<html>busy</html>", "cannot be read"),
    (b"", "cannot be read"),
    (b"[" * 100_000, "cannot be read"),
    (b'{"code":21100,"message":"no\\nsuch"}', "code 21100"),
    (b'{"code":200,"order_book_details":null}', "0 rows of market 1"),
    (answer(market_id=2), "0 rows of market 1"),
    (answer(supported_size_decimals="5"), "Expected `int`"),
    (answer(supported_size_decimals=5.5), "Expected `int`"),
    (answer(supported_size_decimals=None), "supported_size_decimals"),
    (answer(supported_price_decimals=13), "supported_price_decimals is 13, want 0 to 12"),
    (answer(supported_price_decimals=-1), "supported_price_decimals is -1"),
    (answer(min_base_amount="NaN"), "min_base_amount 'NaN' is out of range"),
    (answer(min_base_amount="-1"), "out of range"),
    (answer(min_quote_amount="ten"), "min_quote_amount 'ten' is not a number"),
    (answer(min_base_amount=0.0002), "Expected `str`"),
])  # fmt: skip
def test_what_is_not_a_description_is_refused_in_one_line(body: bytes, says: str) -> None:
    with pytest.raises(RestError) as refused:
        metadata.parse(body, 1)
    assert says in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(("changes", "says"), [
    ({"status": "inactive"}, "its status is 'inactive'"),
    ({"status": "settled"}, "its status is 'settled'"),
    ({"is_frozen": True}, "frozen"),
    ({"market_config": {"force_reduce_only": True}}, "only orders that reduce"),
])  # fmt: skip
def test_a_market_that_does_not_trade_says_why(changes: dict[str, Any], says: str) -> None:
    assert says in metadata.parse(answer(**changes), 1).halted


# comparing


@pytest.mark.parametrize(("changes", "says"), [
    ({}, ""),
    ({"min_quote_amount": "10"}, ""),
    ({"status": "inactive"}, ""),
    ({"supported_price_decimals": 2}, "price_decimals is 2, was 1"),
    ({"supported_size_decimals": 4}, "size_decimals is 4, was 5"),
    ({"min_base_amount": "0.00021"}, "min_base_amount is 0.00021, was 0.00020"),
    ({"min_quote_amount": "10.000001"}, "min_quote_amount is 10.000001, was 10.000000"),
    ({"symbol": "WBTC"}, "symbol is WBTC, was BTC"),
])  # fmt: skip
def test_changes_are_found_as_numbers(changes: dict[str, Any], says: str) -> None:
    assert metadata.difference(metadata.parse(answer(**changes), 1), BTC) == says


@pytest.mark.parametrize(("changes", "says"), [
    ({}, ""),
    ({"min_base_amount": "0.0001"}, ""),
    ({"min_base_amount": "0.000201"}, "min_base_amount = 0.0002, but the venue takes no less"),
    ({"min_quote_amount": "10.01"}, "min_quote_amount = 10, but the venue takes no less"),
    ({"supported_size_decimals": 4}, "size_decimals = 5, but the venue says 4"),
    ({"symbol": "ETH"}, "symbol = BTC, but the venue says ETH"),
])  # fmt: skip
def test_a_stricter_configuration_passes_and_a_wrong_one_does_not(
    changes: dict[str, Any], says: str
) -> None:
    found = metadata.against_config(metadata.parse(answer(**changes), 1), KNOWN)
    assert found.endswith(says) if not says else says in found


# keeping


def test_what_was_accepted_is_kept_for_its_owner_alone(source: Source) -> None:
    assert metadata.load(source, 1) is None
    metadata.accept(source, BTC, KNOWN)
    assert metadata.load(source, 1) == BTC
    path = metadata.cache_path(source, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [p.name for p in path.parent.iterdir()] == ["venue.example-1.json"]


def test_a_change_across_a_restart_is_refused_and_changes_nothing(source: Source) -> None:
    metadata.accept(source, BTC, KNOWN)
    with pytest.raises(ConfigError) as refused:
        metadata.accept(source, metadata.parse(answer(supported_size_decimals=4), 1), None)
    said = str(refused.value)
    assert "size_decimals is 4, was 5" in said and str(metadata.cache_path(source, 1)) in said
    assert metadata.load(source, 1) == BTC


def test_what_contradicts_the_configuration_is_not_kept(source: Source) -> None:
    with pytest.raises(ConfigError, match="correct the configuration"):
        metadata.accept(source, metadata.parse(answer(supported_size_decimals=4), 1), KNOWN)
    assert metadata.load(source, 1) is None


@pytest.mark.parametrize("text", [b"", b"{", b'{"market":1}', b'{"market":2,"symbol":"BTC",'
                         b'"price_decimals":1,"size_decimals":5,"min_base_amount":"1",'
                         b'"min_quote_amount":"1","status":"active"}'])  # fmt: skip
def test_a_damaged_file_is_refused_by_name(source: Source, text: bytes) -> None:
    path = metadata.cache_path(source, 1)
    path.parent.mkdir()
    path.write_bytes(text)
    with pytest.raises(ConfigError, match="remove it"):
        metadata.load(source, 1)


def test_hosts_do_not_share_a_file(tmp_path: Path) -> None:
    paths = {
        metadata.cache_path(Source(base, tmp_path, 1.0), 1)
        for base in (
            "https://a.example",
            "https://b.example",
            "http://127.0.0.1:1",
            "http://[::1]:1",
        )
    }
    assert len(paths) == 4 and all(path.parent == tmp_path for path in paths)


# addresses


@pytest.mark.parametrize("url", [
    "wss://host.example/stream", "wss://host.example:8443/s?readonly=true", "ws://127.0.0.1:80/s",
    "ws://127.9.9.9/s", "ws://localhost:1/", "ws://[::1]:1/s",
])  # fmt: skip
def test_streams_that_may_be_followed(url: str) -> None:
    assert stream_url(url) == url


@pytest.mark.parametrize("url", [
    "", "ws://host.example/stream", "ws://10.0.0.1/", "ws://0.0.0.0/", "ws://127.0.0.1.example/",
    "ws://localhost.example/", "http://127.0.0.1/", "https://host.example/", "wss://", "wss:///s",
    "host.example", "wss://user:word@host.example/", "wss://host.example/ x", "wss://h.example/#a",
    "wss://h.example:99999/", "wss://h\n.example/", "ws://2130706433/", "file:///etc/passwd",
])  # fmt: skip
def test_streams_that_may_not_be_followed(url: str) -> None:
    with pytest.raises(ValueError, match="want wss://HOST"):
        stream_url(url)


@pytest.mark.parametrize(("url", "base"), [
    ("https://host.example", "https://host.example"), ("https://h.example/x/", "https://h.example/x"),
    ("http://localhost:5/", "http://localhost:5"),
])  # fmt: skip
def test_bases_that_may_be_asked(url: str, base: str) -> None:
    assert rest_url(url) == base


@pytest.mark.parametrize("url", ["http://host.example", "wss://h.example", "https://h.example?x=1"])
def test_bases_that_may_not_be_asked(url: str) -> None:
    with pytest.raises(ValueError, match="https://H"):
        rest_url(url)


def test_the_rest_interface_stands_beside_its_stream() -> None:
    assert rest_beside("ws://127.0.0.1:81/stream?x=1") == "http://127.0.0.1:81"
    assert rest_beside("wss://h.example/stream") == "https://h.example"
    assert is_loopback("::1") and not is_loopback("h.example") and not is_loopback("")


@pytest.mark.parametrize("name", ["url", "rest_url"])
def test_an_address_without_its_twin_is_refused(name: str) -> None:
    both = {"url": "ws://127.0.0.1:1/stream", "rest_url": "http://127.0.0.1:1"}
    half = config.load(None, {"feed": {"lighter": {name: both[name]}}}, {})
    with pytest.raises(ConfigError, match=r"want it and feed\.lighter\.url set together"):
        half.lighter_urls()
    whole = config.load(None, {"feed": {"lighter": both}}, {})
    assert whole.lighter_urls() == (both["url"], both["rest_url"])
    assert config.load(None, {}, {}).lighter_urls()[0].startswith("wss://")


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as refused:
        config.load(None, {"feed": {"lighter": {"url": "wss://me:hunter2@host.example/"}}}, {})
    assert "hunter2" not in str(refused.value) and "without a user name" in str(refused.value)


# one GET


class Server:
    """Answers each connection with given bytes, slowly if asked, and keeps what it was sent."""

    def __init__(self, reply: bytes, pause_s: float = 0.0) -> None:
        self.reply, self.pause_s = reply, pause_s
        self.heard: list[bytes] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                peer, _ = self.listening.accept()
                with peer:
                    self.heard.append(peer.recv(65536))
                    step = 1 if self.pause_s else len(self.reply) or 1
                    for at in range(0, len(self.reply), step):
                        peer.sendall(self.reply[at : at + step])
                        time.sleep(self.pause_s)
            except OSError:
                if self.listening.fileno() < 0:
                    return


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(reply: bytes, pause_s: float = 0.0) -> Server:
        servers.append(Server(reply, pause_s))
        return servers[-1]

    yield start
    for server in servers:
        server.listening.shutdown(socket.SHUT_RDWR)
        server.listening.close()


def get(base: str, most_bytes: int = 1000, timeout_s: float = 10.0) -> bytes:
    return asyncio.run(rest.get(base, "/api", most_bytes=most_bytes, timeout_s=timeout_s))


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def test_a_body_comes_back_whatever_proxy_the_environment_names(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server = serve(OK)
    assert get(server.base) == b"hello"
    assert server.heard[0].startswith(b"GET /api HTTP/1.1\r\n")
    assert b"identity" in server.heard[0]


@pytest.mark.parametrize(("reply", "says"), [
    (b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
     "answered 301, want 200"),
    (b"HTTP/1.1 429 Slow\r\nContent-Length: 6\r\n\r\n<html>", "answered 429, want 200: <html>"),
    (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001, "longer than 1000 bytes"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "4 bytes are missing"),
    (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", "packed"),
    (b"SSH-2.0-x\r\n", "SSH-2.0-x"),
    (b"", "without response"),
])  # fmt: skip
def test_other_answers_are_refused(serve: Callable[..., Server], reply: bytes, says: str) -> None:
    with pytest.raises(RestError) as refused:
        get(serve(reply).base)
    assert says in str(refused.value) and "\n" not in str(refused.value)


def test_a_server_of_a_byte_a_second_is_left_at_the_deadline(serve: Callable[..., Server]) -> None:
    began = time.monotonic()
    with pytest.raises(RestError, match=r"no whole answer within 0\.3 s"):
        get(serve(OK, 0.2).base, timeout_s=0.3)
    assert time.monotonic() - began < 5


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(RestError, match="refused"):
        get(f"http://127.0.0.1:{port}")
