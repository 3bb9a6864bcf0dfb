"""From a frame on a socket to a command in the link: `python benchmarks/wire.py`.

A server on loopback speaks the venue's protocol, without TLS: its description of a market, the
WebSocket handshake, a subscription, then book updates, one at a time. `bog-feed --source lighter` takes
them as it takes the venue's: picows, the parser, the publisher. The product's loop with its lane is the
engine, pinned to a core of its own, and its commands go into the link. The time is from the moment
before the frame is given to the socket until the engine has stored the last command (`turned_ns` of its
page), on one clock. The feed waits for its socket in epoll, so most of it is the kernel's.
"""

import base64
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
from blocks import Cheat
from crossing import BASE, CASES, MARKET, PATIENCE_S, Case, Peer, Row, answer, check, quantiles

from bog._core.shm import object_path
from bog._core.stats import StatsPage

ROOT = Path(__file__).resolve().parents[1]
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SO_TIMESTAMPNS = 35  # Python has no name for it
MESSAGES = 1_000
SPACING_S = 0.002
DETAILS = {
    "market_id": MARKET, "symbol": "BTC", "status": "active", "supported_price_decimals": 1,
    "supported_size_decimals": 5, "min_base_amount": "0.00020", "min_quote_amount": "10.000000",
}  # fmt: skip


def frame(data: bytes) -> bytes:
    """Return one WebSocket frame of text, as a server sends it."""
    head = struct.pack(">BB", 0x81, len(data)) if len(data) < 126 else b"\x81\x7e" + struct.pack(
        ">H", len(data)
    )  # fmt: skip
    return head + data


def book(rows: list[Row], nonce: int) -> bytes:
    """Return a frame of the book channel: the snapshot where `nonce` is 0, else the change after it."""
    sides: tuple[list[dict[str, str]], ...] = ([], [])
    for side, px, qty in rows:
        sides[side].append({"price": f"{px // 10}.{px % 10}", "size": f"{qty / 10**5:.5f}"})
    now = time.time_ns() // 1000
    return frame(json.dumps({
        "channel": f"order_book:{MARKET}", "last_updated_at": now, "offset": nonce + 1,
        "order_book": {
            "code": 0, "asks": sides[1], "bids": sides[0], "offset": nonce + 1, "nonce": nonce + 1,
            "last_updated_at": now, "begin_nonce": nonce,
        },
        "timestamp": now // 1000,
        "type": "update/order_book" if nonce else "subscribed/order_book",
    }, separators=(",", ":")).encode())  # fmt: skip


def unmasked(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the payloads of a client's whole frames, and what is left."""
    found = []
    while len(data) >= 6:
        length, at = data[1] & 127, 2
        if length >= 126:
            at += 2 if length == 126 else 8
            length = int.from_bytes(data[2:at], "big")
        if len(data) < at + 4 + length:
            break
        mask, body = data[at : at + 4], data[at + 4 : at + 4 + length]
        whole = int.from_bytes(body, "big") ^ int.from_bytes(
            (mask * (length // 4 + 1))[:length], "big"
        )
        found.append(whole.to_bytes(length, "big"))
        data = data[at + 4 + length :]
    return found, data


def arrived(peer: socket.socket) -> tuple[bytes, int]:
    """Return what came, and CLOCK_MONOTONIC of when the kernel had the last of it in this socket.

    Its stamp is Unix time, of the same oscillator: the offset is read beside it.
    """
    data, extra, _, _ = peer.recvmsg(65536, 64)
    took = 10_000
    while took > 5_000:  # nobody was in between
        before, unix = time.monotonic_ns(), time.time_ns()
        took = time.monotonic_ns() - before
    for _, kind, stamp in extra:
        if kind == SO_TIMESTAMPNS:
            seconds, ns = struct.unpack("qq", stamp)
            return data, seconds * 10**9 + ns - (unix - before - took // 2)
    return data, before


class Server:
    """The venue's side of one connection; the description of the market for whoever asks."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self.peer: socket.socket | None = None
        self.subscribed = threading.Event()
        self.nonce = 0
        self.bids = {px: qty for side, px, qty in BASE if side == 0}
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self) -> None:
        self.listening.close()
        if self.peer is not None:
            self.peer.close()

    def accept(self) -> None:
        while True:
            try:
                peer, _ = self.listening.accept()
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer: socket.socket) -> None:
        """Answer requests until one of them becomes a WebSocket, then what is said over that."""
        data = b""
        with peer, suppress(OSError):
            while True:
                while b"\r\n\r\n" not in data:
                    piece, now = arrived(peer)
                    if not piece:
                        return
                    data += piece
                head, data = data.split(b"\r\n\r\n", 1)
                request, *rows = head.decode().split("\r\n")
                fields = {n.lower(): v.strip() for n, _, v in (row.partition(":") for row in rows)}
                if "sec-websocket-key" in fields:
                    self.talk(peer, fields["sec-websocket-key"], data)
                    return
                size = int(fields.get("content-length", 0))
                while len(data) < size:
                    piece, now = arrived(peer)
                    data += piece
                said, data = data[:size], data[size:]
                body = json.dumps(self.rest(request.split()[1], said, now)).encode()
                peer.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
                )

    def rest(self, _path: str, _said: bytes, _now: int) -> dict[str, Any]:
        """Return the answer to a request: its path, its body, and when it was whole."""
        return {"code": 200, "order_book_details": [DETAILS]}

    def talk(self, peer: socket.socket, key: str, data: bytes) -> None:
        """Speak over a WebSocket until it is closed."""
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        peer.sendall(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
            + frame(b'{"session_id":"1","type":"connected"}')
        )
        piece, now = arrived(peer)
        while piece:
            messages, data = unmasked(data + piece)
            for message in messages:
                with suppress(ValueError):  # a frame of the protocol itself
                    self.said(peer, json.loads(message), now)
            piece, now = arrived(peer)

    def said(self, peer: socket.socket, said: dict[str, Any], _now: int) -> None:
        """Answer what a client has said."""
        channel = str(said.get("channel", "")).replace("/", ":")
        if said.get("type") == "ping":
            peer.sendall(frame(b'{"type":"pong"}'))
        elif channel.startswith("order_book"):
            self.peer = peer
            peer.sendall(book(BASE, 0))
            self.nonce = 1
            self.subscribed.set()
        elif said.get("type") == "subscribe":
            family = channel.partition(":")[0]
            content = {"trades": []} if family == "trade" else {family: {}}
            peer.sendall(frame(json.dumps(
                {"channel": channel, "type": f"subscribed/{family}"} | content
            ).encode()))  # fmt: skip

    def send(self, rows: list[Row]) -> int:
        """Send one change of the book; return CLOCK_MONOTONIC of the moment before."""
        assert self.peer is not None
        data = book(rows, self.nonce)
        self.nonce += 1
        self.bids |= {px: qty for side, px, qty in rows if side == 0}
        now = time.monotonic_ns()
        self.peer.sendall(data)
        return now


def feed(folder: str, server: Server) -> subprocess.Popen[bytes]:
    """Start bog-feed on the server; it keeps to the cores that this process may use."""
    url = f"127.0.0.1:{server.port}"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BOG_")}
    with Path(folder, "feed.txt").open("wb") as err:
        return subprocess.Popen(
            [sys.executable, "-m", "bog.cli.feed", "--source", "lighter", "--market", str(MARKET),
             "--dir", folder, "--url", f"ws://{url}/stream", "--rest-url", f"http://{url}"],
            cwd=folder, env=environ | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=err,
        )  # fmt: skip


def one(server: Server, page: StatsPage, rows: list[Row]) -> int:
    """Send one frame; return the ns until the engine had stored what it does of it."""
    turned = page.snapshot()["turned_ns"]
    sent, until = server.send(rows), time.monotonic() + 5
    best = max(px for px, qty in server.bids.items() if qty)
    time.sleep(SPACING_S)
    # its page says of which book the last turn was, a millisecond later
    while (now := page.snapshot())["turned_ns"] == turned or now["bid"] != best:
        if time.monotonic() > until:
            raise Cheat("a frame was answered by no turn of the engine")
        time.sleep(SPACING_S)
    return int(now["turned_ns"]) - sent


def measure(case: Case = CASES[0], messages: int = MESSAGES, warm: int = 50) -> dict[str, float]:
    """Return quantiles in ns from socket to command; Cheat when there were not as many as is said."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    took = []
    with (
        tempfile.TemporaryDirectory(dir=place) as folder, closing(Server()) as server,
        closing(Peer(folder)) as peer,
    ):  # fmt: skip
        process = feed(folder, server)
        try:
            ring = Path(object_path(1, MARKET, folder))
            until = time.monotonic() + PATIENCE_S
            while not (server.subscribed.is_set() and ring.exists()):
                if process.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"bench: no feed: {Path(folder, 'feed.txt').read_text()}")
                time.sleep(0.01)
            link, page = peer.trade(case)
            try:
                before = peer.quotes(case, link, page, lambda: one(server, page, BASE) and None)
                for number in range(warm + messages):
                    ns = one(server, page, case.odd if number & 1 else case.even)
                    commands = answer(link)
                    if commands != case.commands:
                        raise Cheat(
                            f"{case.name}: {commands} commands for a frame, not {case.commands}"
                        )
                    if number >= warm:
                        took.append(ns)
            finally:
                found = peer.drain(link, page)
            check(case, before, found["page"], warm + messages)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)
    return quantiles(np.array(took))


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=1)
