"""The metrics' port: what it answers, to whom, and what a hostile client can do to it: nothing."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator

import pytest

from bog import config, endpoint
from bog.endpoint import CLIENTS, HEAD_BYTES, Endpoint
from bog.errors import ConfigError
from bog.settings import Settings
from tests.rig.metrics import HandMade, connected, free_port, occupied, traded


def settings(**changed: object) -> Settings:
    flags = {"monitoring": {f"prometheus_{key}": value for key, value in changed.items()}}
    return config.load(flags=flags, environ={})


Port = tuple[Endpoint, int, HandMade]
LONG = bytes(16_000_000)  # more than the buffers of both ends


@pytest.fixture
def port() -> Iterator[Port]:
    """Return an endpoint that answers for one market, and its port."""
    number, page = free_port(), HandMade()
    found = Endpoint(settings(port=number))
    assert found.refused == []
    found.serve([traded(page)])
    yield found, number, page
    found.close()


def told(number: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the answer to some bytes."""
    with connected(number) as client:
        client.sendall(request)
        raw = bytearray()
        while piece := client.recv(65536):
            raw += piece
    head, _, body = bytes(raw).partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


def get(path: str, host: str = "127.0.0.1:9090", method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def test_metrics_and_health(port: Port) -> None:
    _, number, page = port
    page.changed["beat_mono"] = time.monotonic_ns() + 60 * 10**9  # alive for the test's time
    status, headers, body = told(number, get("/metrics"))
    assert status == 200 and headers["Content-Type"].startswith("text/plain")
    assert int(headers["Content-Length"]) == len(body)
    assert b'bog_trading_fills_total{market="1",side="buy"} 1.0\n' in body
    status, headers, body = told(number, get("/healthz?x=1"))
    assert status == 200 and headers["Content-Type"] == "application/json"
    assert json.loads(body)["ok"] is True
    page.changed["stale"] = 1
    status, _, body = told(number, get("/healthz"))
    assert status == 503 and json.loads(body)["why"] == ["market 1: feed lost"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/"), 404),
        (get("/metrics/../healthz"), 404),
        (get("/kill", method="POST"), 404),
        (get("/metrics", method="POST"), 405),
        (get("/healthz", method="DELETE"), 405),
        (get("/metrics", method="HEAD"), 405),
        (get("/metrics", host="evil.test"), 403),
        (get("/metrics", host="127.0.0.1.evil.test:9090"), 403),
        (b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n\r\n", 403),
        (get("/metrics", host="localhost"), 200),
        (get("/metrics", host="[::1]:9090"), 200),
        (b"GET /metrics HTTP/1.0\r\n\r\n", 200),
        (b"GET /metrics HTTP/2.0\r\n\r\n", 400),
        (b"GET http://127.0.0.1/metrics HTTP/1.1\r\n\r\n", 400),
        (b"GET /metrics\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nA: b\rSet-Cookie: c\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n folded: x\r\n\r\n", 400),
        (bytes(range(256)) + b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (get("/" + "a" * 3000), 400),
        (b"GET /metrics HTTP/1.1\r\nA: " + b"b" * HEAD_BYTES, 431),
    ],
)
def test_fault_85_whatever_is_asked_for_has_one_answer(
    port: Port, request_: bytes, status: int
) -> None:
    _, number, _ = port
    found, headers, _ = told(number, request_)
    assert found == status
    assert headers["Connection"] == "close"
    assert headers.get("Allow") == ("GET" if status == 405 else None)


def test_a_request_in_pieces_is_one_request(port: Port) -> None:
    _, number, _ = port
    with connected(number) as client:
        for byte in get("/healthz"):
            client.sendall(bytes([byte]))
            time.sleep(0.001)
        assert client.recv(65536).startswith(b"HTTP/1.1 ")


def test_fault_84_idle_clients_keep_nobody_out(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    _, number, _ = port
    monkeypatch.setattr(endpoint, "CLIENT_SEC", 3600.0)
    idle = [connected(number) for _ in range(5 * CLIENTS)]
    for client in idle:
        client.sendall(b"GET /met")
    assert told(number, get("/metrics"))[0] == 200
    # the oldest made room for the newest
    assert idle[0].recv(1) == b""
    idle[-1].settimeout(0.3)
    with pytest.raises(TimeoutError):
        idle[-1].recv(1)
    for client in idle:
        client.close()


def test_fault_84_who_says_nothing_is_hung_up_on(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, number, _ = port
    monkeypatch.setattr(endpoint, "CLIENT_SEC", 0.3)
    with connected(number) as silent:
        assert silent.recv(1) == b""


def test_fault_84_a_scraper_that_never_reads_is_hung_up_on(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, number, _ = port
    monkeypatch.setattr(found, "_metrics", lambda _: endpoint.Answer("200 OK", "text/plain", LONG))
    monkeypatch.setattr(endpoint, "CLIENT_SEC", 1.0)
    with connected(number) as deaf:
        deaf.sendall(get("/metrics"))
        until = time.monotonic() + 2
        while time.monotonic() < until:  # others are answered meanwhile
            assert told(number, get("/healthz"))[0] in (200, 503)
            time.sleep(0.05)
        got = 0
        with contextlib.suppress(ConnectionResetError):
            while piece := deaf.recv(1 << 20):
                got += len(piece)
        assert got < len(LONG)  # what it did not take in time was withdrawn
    assert len(told(number, get("/metrics"))[2]) == len(LONG)


def test_a_page_that_fails_hurts_no_other_client(port: Port) -> None:
    found, number, page = port
    healthy = page.histograms
    page.histograms = dict  # type: ignore[method-assign]
    assert told(number, get("/metrics"))[0] == 500
    page.histograms = healthy  # type: ignore[method-assign]
    assert told(number, get("/metrics"))[0] == 200
    assert found.thread is not None and found.thread.is_alive()


def test_fault_67_a_port_in_use_is_a_remark_or_a_refusal_and_never_taken() -> None:
    def remark(number: int) -> None:
        found = Endpoint(settings(port=number))
        assert (
            len(found.refused) == 1 and f"port {number}: Address already in use" in found.refused[0]
        )
        found.serve([traded()])
        assert found.thread is None
        found.close()

    def refusal(number: int) -> None:
        with pytest.raises(ConfigError, match=r"Address already in use: want a free port in monit"):
            Endpoint(settings(port=number, required=True))

    occupied(remark)
    occupied(refusal)


def test_an_address_of_another_host_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match="Cannot assign requested address"):
        Endpoint(settings(host="192.0.2.1", port=free_port(), required=True))
    with pytest.raises(ConfigError, match=r"monitoring\.prometheus_host = 'localhost'.*IP address"):
        settings(host="localhost")


def test_another_interface_is_said_loudly_and_serves_any_name() -> None:
    number = free_port()
    found = Endpoint(settings(host="0.0.0.0", port=number))
    assert "anyone who reaches" in found.refused[0]
    found.serve([traded()])
    assert told(number, get("/metrics", host="bot.example"))[0] == 200
    found.close()


def test_port_0_is_no_port() -> None:
    found = Endpoint(settings(port=0, required=True))
    found.serve([traded()])
    assert found.refused == [] and found.listener is None and found.thread is None
    found.close()


def test_a_closed_endpoint_leaves_port_and_thread_free() -> None:
    number = free_port()
    for _ in range(3):
        found = Endpoint(settings(port=number, required=True))
        found.serve([traded()])
        assert told(number, get("/healthz"))[0] in (200, 503)
        found.close()
    assert "bog-metrics" not in [thread.name for thread in threading.enumerate()]
