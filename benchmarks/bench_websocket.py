"""What a WebSocket client costs: 500-byte frames over loopback, without TLS.

`python benchmarks/bench_websocket.py` prints, for each client that is installed, frames a second
and CPU a frame when the frames come as fast as they are read, and the age of frames that come one at
a time, p50 and p99, with a reader that sleeps between them. The server is a process of its own that
sends ready-made bytes; the client hands each frame's bytes to the parser and to a publisher, as
bog-feed does.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from typing import Any

from bog._core.publisher import Publisher
from bog._core.stream import MarketStream, Stream

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SIZE = 500
BATCH = 64  # frames in one send while flooding
END = b"\x88\x02\x03\xe8"


def update(nonce: int) -> dict[str, Any]:
    """Return one book update in the venue's form; nonce 0 is the snapshot."""
    levels = [{"price": f"{1000 + nonce % 7 + i}.5", "size": f"{1 + i}.00{nonce % 90 + 10}"}
              for i in range(4)]  # fmt: skip
    return {
        "channel": "order_book:1", "last_updated_at": 0, "offset": nonce + 1,
        "order_book": {
            "code": 0, "asks": [], "bids": levels, "offset": nonce + 1, "nonce": nonce + 1,
            "last_updated_at": 1_785_252_530_170_379, "begin_nonce": nonce,
        },
        "timestamp": 0, "pad": "",
        "type": "update/order_book" if nonce else "subscribed/order_book",
    }  # fmt: skip


def wire(nonce: int, sent_us: int = 0) -> bytes:
    """Return one WebSocket frame of a 500-byte update; `sent_us` is its `last_updated_at`."""
    frame = update(nonce)
    frame["order_book"]["last_updated_at"] = sent_us or 1_785_252_530_170_379
    text = json.dumps(frame, separators=(",", ":"))
    frame["pad"] = "x" * (SIZE - len(text))
    text = json.dumps(frame, separators=(",", ":"))
    assert len(text) == SIZE
    return b"\x81\x7e" + struct.pack(">H", SIZE) + text.encode()


def serve(listening: socket.socket, frames: int, pause_s: float) -> None:
    """Answer one handshake, send, close. With a pause the frames carry the time of their sending."""
    listening.settimeout(60)
    peer, _ = listening.accept()
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = b""
    while b"\r\n\r\n" not in head:
        head += peer.recv(65536)
    (key,) = [
        line.split(b":", 1)[1].strip().decode()
        for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
    ]  # fmt: skip
    accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
    peer.sendall(
        f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )
    if pause_s:
        for nonce in range(frames):
            time.sleep(pause_s)
            peer.sendall(wire(nonce, time.monotonic_ns() // 1000))
    else:
        batches = [
            b"".join(wire(nonce) for nonce in range(at, at + BATCH))
            for at in range(0, frames, BATCH)
        ]
        for batch in batches:
            peer.sendall(batch)
    peer.sendall(END)
    peer.settimeout(2)
    try:
        while peer.recv(65536):
            pass
    except OSError:
        pass
    peer.close()


# the clients: each calls `take` with the bytes of every message until the server closes


async def picows(url: str, take: Callable[[Any], Any]) -> None:
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

    class Listener(WSListener):  # type: ignore[misc]
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type == WSMsgType.TEXT and frame.fin and not frame.rsv1:
                take(frame.get_payload_as_memoryview())
            elif frame.msg_type == WSMsgType.CLOSE:
                transport.disconnect()

    transport, _ = await ws_connect(Listener, url, read_buffer_init_size=1 << 18)
    await transport.wait_disconnected()


async def websockets(url: str, take: Callable[[Any], Any]) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    async with connect(url, compression=None, proxy=None) as connection:
        try:
            while True:
                take(await connection.recv(decode=False))
        except ConnectionClosed:
            pass


async def aiohttp(url: str, take: Callable[[Any], Any]) -> None:
    from aiohttp import ClientSession, WSMsgType

    async with ClientSession() as session, session.ws_connect(url, decode_text=False) as ws:
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                take(message.data)


CLIENTS: dict[str, Callable[[str, Callable[[Any], Any]], Awaitable[None]]] = {
    "picows": picows, "websockets": websockets, "aiohttp": aiohttp,
}  # fmt: skip


def run(name: str, frames: int, pause_s: float) -> tuple[float, float, list[int]]:
    """Return seconds, CPU seconds and the ages of the frames in ns (empty when flooded)."""
    with socket.create_server(("127.0.0.1", 0)) as listening, tempfile.TemporaryDirectory() as d:
        url = f"ws://127.0.0.1:{listening.getsockname()[1]}/stream"
        with Publisher(1, directory=d, price_decimals=1, size_decimals=5) as publisher:
            market = MarketStream(publisher, 1, 5)
            stream = Stream([market])
            ages: list[int] = []
            begin: list[tuple[float, float]] = []

            def take(data: Any) -> None:
                if not begin:
                    begin.append((time.perf_counter(), time.process_time()))
                if pause_s:
                    stamp = bytes(data).split(b'"last_updated_at":')[2].split(b",")[0]
                    ages.append(time.monotonic_ns() - int(stamp) * 1000)
                stream.frame(data)

            server = get_context("fork").Process(target=serve, args=(listening, frames, pause_s))
            server.start()
            asyncio.run(CLIENTS[name](url, take))  # type: ignore[arg-type]
            seconds = time.perf_counter() - begin[0][0]
            cpu = time.process_time() - begin[0][1]
            server.join()
            assert market.messages == frames, f"{name}: {market.messages} of {frames} published"
    return seconds, cpu, ages


def main() -> None:
    """Measure every client that is installed."""
    parser = argparse.ArgumentParser(description="Compare WebSocket clients over loopback.")
    parser.add_argument("--frames", type=int, default=102_400, help="in the flood")
    parser.add_argument("--paced", type=int, default=4000, help="frames that come one at a time")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(f"python {sys.version.split()[0]}, frames of {SIZE} bytes")
    for name in CLIENTS:
        try:
            release = version(name)
        except PackageNotFoundError:
            print(f"{name:10} is not installed")
            continue
        floods = [run(name, given.frames // BATCH * BATCH, 0.0) for _ in range(given.rounds)]
        seconds, cpu = min(f[0] for f in floods), min(f[1] for f in floods)
        ages = sorted(min((run(name, given.paced, 0.001)[2] for _ in range(given.rounds)),
                          key=lambda a: sorted(a)[len(a) * 99 // 100]))  # fmt: skip
        print(
            f"{name:10} {release:8} {given.frames / seconds:9,.0f} frames/s"
            f" {cpu / given.frames * 1e6:6.2f} us CPU a frame;"
            f" age p50 {ages[len(ages) // 2] / 1e3:6.1f} us p99 {ages[len(ages) * 99 // 100] / 1e3:7.1f} us"
        )


if __name__ == "__main__":
    main()
