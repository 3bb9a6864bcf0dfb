"""A local Lighter: public WebSocket channels and market details, in real framing, on loopback.

It plays tapes of recorded frames. Time at this venue is the tape: each update changes the venue's own
book (tests/rig/reference.py) and then goes to whoever has subscribed, so that a snapshot on a later
subscribe is the book of that moment, as at the real one. A script of faults says what goes wrong at
which update. `Venue` runs in a thread of its own; as a program it prints its addresses as one line
of JSON, serves until SIGTERM, and prints its counts:

    python -m tests.rig.venue --data lighter-btc --faults faults.json

A fault is `{"do": NAME, "market": M, "at": N, ...}`: before update N (from 0) of market M's tape
(tests/rig/venue_faults.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import struct
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from tests.rig import frames
from tests.rig.frames import Event, Tape, packed
from tests.rig.hostile import HOSTILE
from tests.rig.reference import chain_of
from tests.rig.stage import Stage
from tests.rig.venue_faults import BOOK_ONLY, check_faults

# what `orderBooks` says of a market; `orderBookDetails` says more
ROW = (
    "symbol", "market_id", "market_type", "base_asset_id", "quote_asset_id", "status", "taker_fee",
    "is_taker_fee_enabled", "maker_fee", "is_maker_fee_enabled", "liquidation_fee",
    "min_base_amount", "min_quote_amount", "order_quote_limit", "supported_size_decimals",
    "supported_price_decimals", "supported_quote_decimals", "created_at", "multiplier",
)  # fmt: skip
HEAD_MAX = 1 << 14


@dataclass
class Subscription:
    """One channel on one connection. `last` is the last id that chained; None before a snapshot."""

    channel: str
    last: int | None = None
    broken: bool = False
    since: int = 0  # updates sent while broken
    late: int = 0


class Client:
    """One connection that has become a WebSocket."""

    def __init__(self, venue: Venue, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.venue = venue
        self.reader = reader
        self.writer = writer
        self.subscriptions: dict[str, Subscription] = {}
        self.silent = False
        self.gone = False
        self.lock = asyncio.Lock()
        extensions = [ServerPerMessageDeflateFactory()] if venue.deflate else None
        self.protocol = ServerProtocol(extensions=extensions, max_size=1 << 20)

    def flush(self) -> None:
        """Write what the protocol has to say, unless this connection has fallen silent."""
        for data in self.protocol.data_to_send():
            if not self.silent and not self.gone:
                if data:
                    self.writer.write(data)
                elif self.writer.can_write_eof() and not self.writer.is_closing():
                    self.writer.write_eof()

    def put(self, message: bytes, binary: bool = False) -> None:
        """Write one message."""
        if self.protocol.state is State.OPEN:
            (self.protocol.send_binary if binary else self.protocol.send_text)(message)
            self.flush()

    async def drain(self) -> None:
        """Wait until the client has read nearly everything."""
        try:
            await self.writer.drain()
        except ConnectionError:
            self.gone = True

    def reset(self) -> None:
        """Close with RST, as a crashed host does."""
        self.gone = True
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def end(self, how: str) -> None:
        """End the connection: fin, rst, close (with a close frame) or shutdown (announced)."""
        if how == "rst":
            self.reset()
            return
        if how == "shutdown":
            self.put(b'{"type":"shutdown","close_in_ms":0}')
        if how in ("close", "shutdown") and self.protocol.state is State.OPEN:
            self.protocol.send_close(1001, "going away")
            self.flush()
        self.gone = True
        await self.drain()
        self.writer.close()


class Venue:
    """The server. Enter it to start, leave it to stop.

    `rate` is in updates a second, 0 for as fast as the clients read, None for the pace at which the
    tapes were recorded. A market's tape stands still until a client has subscribed the channels of
    `needs`; an empty `needs` lets it run. It also waits for a client that has not asked for a new
    book `patience` updates after its own broke; None lets it run. `deflate` offers
    permessage-deflate. `idle_s` is how long a client may say nothing. With `held` nobody is greeted
    before `release`. `counts` and `requests` may be read at any time.
    """

    def __init__(
        self,
        tapes: list[Tape],
        find: Callable[[str], Path],
        faults: list[dict[str, Any]] | None = None,
        rate: float | None = 0,
        needs: tuple[str, ...] = ("order_book",),
        patience: int | None = None,
        deflate: bool = False,
        idle_s: float = 120.0,
        held: bool = False,
        port: int = 0,
    ) -> None:
        self.stages = {tape.market: Stage(tape, frames.details(find, tape)) for tape in tapes}
        self.script: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
        for fault in check_faults(faults or []):
            market, at = fault.get("market", tapes[0].market), fault.get("at", 0)
            events = self.stages[market].tape.events
            while fault["do"] in BOOK_ONLY and events[at].family != "order_book":
                at += 1
            self.script[market, at].append(fault)
        self.rate, self.needs, self.patience = rate, needs, patience
        self.deflate, self.idle_s = deflate, idle_s
        self.port = port
        self.held = held
        self.clients: list[Client] = []
        self.counts: Counter[str] = Counter()
        self.requests: list[str] = []
        self.doors: deque[str] = deque()
        self.rest_answers: deque[tuple[int, str]] = deque()
        self.late = 0  # updates that the next book snapshot comes after its subscription
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- in a thread ----

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main(ready)), daemon=True)
        self._thread.start()
        if not ready.wait(30):
            raise TimeoutError("the venue did not start within 30 s")
        return self

    def __exit__(self, *error: object) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(30)

    @property
    def url(self) -> str:
        """The address of the WebSocket."""
        return f"ws://127.0.0.1:{self.port}/stream"

    @property
    def rest(self) -> str:
        """The base address of the requests."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def over(self) -> bool:
        """Whether every tape has been played to its end."""
        return all(stage.over for stage in self.stages.values())

    def release(self) -> None:
        """Greet whoever is connected, and who comes."""
        self.held = False

    def call(self, act: Callable[[], Any]) -> Any:
        """Run `act` in the venue's thread and return what it returns."""
        done: list[Any] = []
        event = threading.Event()

        def run() -> None:
            done.append(act())
            event.set()

        if self._loop is None:
            raise RuntimeError("the venue does not run")
        self._loop.call_soon_threadsafe(run)
        if not event.wait(30):
            raise TimeoutError("the venue did not answer within 30 s")
        return done[0]

    async def _main(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.moved = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=1 << 16)
        self.port = server.sockets[0].getsockname()[1]
        for stage in self.stages.values():
            self._spawn(self._play(stage))
        ready.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work

        task = asyncio.ensure_future(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- the door ----

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            if b"upgrade: websocket" in head.lower():
                await self._socket(head, reader, writer)
            else:
                await self._rest(head, writer)
        except (
            ConnectionError,
            TimeoutError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
        ):
            self.counts["broken_requests"] += 1
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _rest(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        target = head.split(b" ", 2)[1].decode("latin-1")
        self.requests.append(f"GET {target}")
        self.counts["requests"] += 1
        status, body = self.rest_answers.popleft() if self.rest_answers else self._answer(target)
        if status == 0:
            await self._stop.wait()
        kind = "application/json" if body.startswith("{") else "text/html"
        data = body.encode()
        lines = [f"HTTP/1.1 {status} -", f"Content-Type: {kind}", f"Content-Length: {len(data)}"]
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + data)
        await writer.drain()

    def _answer(self, target: str) -> tuple[int, str]:
        url = urlsplit(target)
        if url.path == "/":
            now = int(time.time())
            return 200, packed({"status": 200, "network_id": 1, "timestamp": now}).decode()
        rows = [stage.details for stage in self.stages.values()]
        asked = parse_qs(url.query).get("market_id")
        if asked and asked[0] != "255":
            rows = [row for row in rows if str(row["market_id"]) == asked[0]]
            if not rows:
                return 400, '{"code":20001,"message":"invalid param : market_id"}'
        if url.path == "/api/v1/orderBookDetails":
            content = {"order_book_details": rows, "spot_order_book_details": []}
        elif url.path == "/api/v1/orderBooks":
            content = {"order_books": [{n: row[n] for n in ROW if n in row} for row in rows]}
        else:
            return 404, "<html><body>404 Not Found</body></html>"
        return 200, packed({"code": 200} | content).decode()

    async def _socket(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        door = self.doors.popleft() if self.doors else ""
        self.counts["connections"] += 1
        self.requests.append("connect")
        client = Client(self, reader, writer)
        writer.transport.set_write_buffer_limits(1 << 16)
        if door == "rst":
            client.reset()
            return
        if door == "hang":
            await self._stop.wait()
        client.protocol.receive_data(head)
        (request,) = client.protocol.events_received()
        assert isinstance(request, Request)
        path = urlsplit(request.path).path
        if door == "503" or path != "/stream":
            response = client.protocol.reject(503 if door else 404, "no\n")
        else:
            response = client.protocol.accept(request)
        client.protocol.send_response(response)
        client.flush()
        if client.protocol.state is not State.OPEN:
            await client.drain()
            return
        while self.held:
            await asyncio.sleep(0.01)
        if door != "no_greeting":
            session = f"00000000-0000-4000-8000-{self.counts['connections']:012d}"
            client.put(packed({"session_id": session, "type": "connected"}))
        self.clients.append(client)
        try:
            await self._listen(client)
        finally:
            client.gone = True
            self.clients.remove(client)
            self.counts["ended"] += 1
            self.moved.set()

    # ---- what clients say ----

    async def _listen(self, client: Client) -> None:
        while not client.gone:
            try:
                data = await asyncio.wait_for(client.reader.read(1 << 16), self.idle_s)
            except TimeoutError:
                self.counts["idle"] += 1
                await client.end("close")
                return
            if not data:
                self.counts["eof"] += 1
                client.protocol.receive_eof()
                client.flush()
                return
            if client.silent:
                self.counts["unheard"] += 1
                continue
            client.protocol.receive_data(data)
            for event in client.protocol.events_received():
                assert isinstance(event, WireFrame)
                self.counts[f"received_{event.opcode.name.lower()}"] += 1
                if event.opcode is Opcode.TEXT:
                    async with client.lock:
                        self._heard(client, bytes(event.data))
            client.flush()
            await client.drain()
            if client.protocol.close_expected():
                return

    def _heard(self, client: Client, text: bytes) -> None:
        """Do what one message asks for."""
        try:
            message = json.loads(text)
            kind, channel = message["type"], str(message.get("channel", ""))
        except (ValueError, KeyError, TypeError):
            self._error(client, 30000, "Invalid Json")
            return
        self.requests.append(f"{kind} {channel}".strip())
        self.counts[kind] += 1
        if kind == "ping":
            client.put(b'{"type":"pong"}')
        elif kind == "subscribe":
            self._subscribe(client, channel)
        elif kind == "unsubscribe":
            if client.subscriptions.pop(channel, None) is None:
                self._error(client, 30002, f"Not Subscribed to : {channel.replace('/', ':')}")
            else:
                # the one frame that the venue sends with spaces
                said = {"type": "unsubscribed", "channel": channel.replace("/", ":")}
                client.put(json.dumps(said).encode())
        elif kind != "pong":
            self._error(client, 30001, "Invalid Type")

    def _error(self, client: Client, code: int, message: str) -> None:
        self.counts[f"error_{code}"] += 1
        client.put(packed({"error": {"code": code, "message": message}}))

    def _subscribe(self, client: Client, channel: str) -> None:
        family, _, rest = channel.partition("/")
        whole = family == "market_stats" and rest == "all"
        if family not in ("order_book", "trade", "market_stats"):
            self._error(client, 30005, "Invalid Channel")
        elif not whole and (not rest.isdigit() or int(rest) not in self.stages):
            self._error(client, 30005, "Invalid Channel:  (marketId)")
        elif channel in client.subscriptions:
            self._error(client, 30003, f"Already Subscribed to : {family}:{rest}")
        else:
            sub = client.subscriptions[channel] = Subscription(channel)
            stages = self.stages.values() if whole else [self.stages[int(rest)]]
            if family == "order_book" and self.late:
                sub.late, self.late = self.late, 0
            else:
                for stage in stages:
                    self._snapshot(client, sub, stage)
            self.moved.set()

    def _snapshot(self, client: Client, sub: Subscription, stage: Stage) -> None:
        """Answer a subscription with the state of this moment."""
        family = sub.channel.partition("/")[0]
        if family == "order_book":
            sub.last, sub.broken, sub.since, sub.late = stage.book.id, False, 0, 0
            self.counts["snapshots"] += 1  # before anybody can have received it
        client.put(packed(stage.answer(family, sub.channel.endswith("/all"))))

    # ---- the tape ----

    def _audience(self, market: int) -> list[Client]:
        """Return the clients that listen to a market's book and can be heard by it."""
        return [
            c
            for c in self.clients
            if not c.gone and not c.silent and c.protocol.state is State.OPEN
            and f"order_book/{market}" in c.subscriptions
        ]  # fmt: skip

    def _wanted(self, stage: Stage) -> bool:
        """Whether the tape may go on: somebody has subscribed everything in `needs`."""
        if not self.needs or stage.passing:
            return True
        market = stage.tape.market
        if any(c.subscriptions[f"order_book/{market}"].late for c in self._audience(market)):
            return True  # a snapshot that waits for updates to pass
        if self.patience is not None and any(
            c.subscriptions[f"order_book/{market}"].since > self.patience
            for c in self._audience(market)
        ):
            return False
        return any(
            all(
                f"{family}/{market}" in c.subscriptions
                or (family == "market_stats" and "market_stats/all" in c.subscriptions)
                for family in self.needs
            )
            for c in self.clients
            if not c.gone and not c.silent and c.protocol.state is State.OPEN
        )

    async def _play(self, stage: Stage) -> None:
        events = stage.tape.events
        start = stage.tape.events[0].at_ns if events else 0
        began = time.monotonic()
        while not stage.over:
            while not self._wanted(stage):
                self.moved.clear()
                paused = time.monotonic()
                await self.moved.wait()
                began += time.monotonic() - paused
            event = events[stage.at]
            if self.rate is None:
                due = began + (event.at_ns - start) / 1e9
            else:
                due = began + stage.at / self.rate if self.rate else 0.0
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._step(stage, event)

    async def _step(self, stage: Stage, event: Event) -> None:
        """Let one update happen, with whatever the script says of it."""
        market = stage.tape.market
        faults = self.script.pop((market, stage.at), [])
        for fault in faults:
            await self._before(stage, event, fault)
        if faults and not self._wanted(stage):
            return  # nobody is left to send this one to: it waits for the next subscriber
        stage.at += 1
        stage.take(event)
        stage.passing = max(0, stage.passing - 1)
        lost = stage.lost > 0
        stage.lost -= lost
        special = [fault for fault in faults if fault["do"] in BOOK_ONLY]
        for client in list(self.clients):
            if client.gone or client.silent or client.protocol.state is not State.OPEN:
                continue
            async with client.lock:
                if not lost:
                    await self._deliver(client, stage, event, special)
                sub = client.subscriptions.get(f"order_book/{market}")
                if sub is not None and sub.last is None and sub.late:
                    sub.late -= 1
                    if not sub.late:
                        self._snapshot(client, sub, stage)
            await client.drain()

    async def _before(self, stage: Stage, event: Event, fault: dict[str, Any]) -> None:
        do = fault["do"]
        self.counts[f"fault_{do}"] += 1
        audience = self._audience(stage.tape.market)
        if do == "drop":
            stage.lost = fault.get("count", 1)
        elif do == "inject":
            hostile = HOSTILE[fault["name"]]
            for client in audience:
                async with client.lock:
                    client.put(hostile.make(event.raw), hostile.binary)
        elif do == "text":
            for client in audience:
                client.put(fault["text"].encode())
        elif do == "disconnect":
            stage.passing = fault.get("away", 0)
            for client in audience:
                await client.end(fault.get("how", "fin"))
        elif do == "silence":
            stage.passing = fault.get("away", 0)
            for client in audience:
                client.silent = True
        elif do == "late":
            self.late = fault.get("away", 1)
        elif do == "offset":
            stage.offset_by += fault["by"]
        elif do == "ping":
            for client in audience:
                if fault.get("how", "json") == "json":
                    client.put(b'{"type":"ping"}')
                else:
                    client.protocol.send_ping(b"venue")
                    client.flush()
        elif do == "door":
            self.doors.extend([fault["how"]] * fault.get("count", 1))
        elif do == "details":
            stage.details = stage.details | fault["set"]
        elif do == "rest":
            answer = fault["status"], fault.get("body", "")
            self.rest_answers.extend([answer] * fault.get("count", 1))

    async def _deliver(
        self, client: Client, stage: Stage, event: Event, special: list[dict[str, Any]]
    ) -> None:
        """Send one update to one client on the channels that it has."""
        market = stage.tape.market
        if event.family != "order_book":
            self._deliver_other(client, market, event)
            return
        sub = client.subscriptions.get(f"order_book/{market}")
        if sub is None or sub.last is None:
            return
        raw, good, binary, slow = event.raw, True, False, None
        if stage.offset_by:
            raw = packed(self._shifted(event.frame, stage.offset_by))
        here, begin = chain_of(event.frame)
        if here <= sub.last:
            return  # a snapshot of this moment has it already
        follows = here == sub.last + 1 if begin is None else begin == sub.last
        again: list[bytes] = []
        for fault in special:
            do = fault["do"]
            if do == "duplicate":
                again.append(raw)
            elif do == "older":
                past = [e for e in stage.tape.events[: stage.at - 1] if e.family == "order_book"]
                again += [past[-fault.get("back", 1)].raw] if past else []
            elif do == "nonce":
                raw, good = packed(self._unlinked(event.frame, fault["by"])), False
            elif do == "hostile":
                hostile = HOSTILE[fault["name"]]
                raw, good = hostile.make(raw), hostile.taken
                binary = hostile.binary
            elif do == "cut_wire":
                head = b"\x81\x7e" + struct.pack(">H", len(raw)) + raw[: len(raw) // 2]
                client.writer.write(head)
                await client.end("fin")
                return
            elif do == "loris":
                slow = fault
        # counted before anybody can have received it
        self.counts["updates"] += good
        book = event.frame["order_book"]
        if good and follows and not sub.broken:
            sub.last = here
            self.counts["chained"] += bool(book["asks"] or book["bids"])
        else:
            self.counts["breaks"] += not sub.broken
            sub.broken = True
            sub.since += 1
        if slow is not None:
            await self._loris(client, raw, slow)
        else:
            client.put(raw, binary)
        for more in again:
            client.put(more)

    def _deliver_other(self, client: Client, market: int, event: Event) -> None:
        own = f"{event.family}/{market}"
        if own in client.subscriptions:
            raw = event.raw
            stats = event.frame.get("market_stats")
            if event.family == "market_stats" and str(market) in stats:
                # recorded on `all`; here it is the market's own channel
                one = {"channel": f"market_stats:{market}", "market_stats": stats[str(market)]}
                raw = packed(event.frame | one)
            client.put(raw)
            self.counts[event.family] += 1
        elif event.family == "market_stats" and "market_stats/all" in client.subscriptions:
            client.put(event.raw)
            self.counts[event.family] += 1

    async def _loris(self, client: Client, raw: bytes, fault: dict[str, Any]) -> None:
        """Send one message in the slowest way: some bytes at a time."""
        head = b"\x81" + (
            bytes([len(raw)]) if len(raw) < 126 else b"\x7e" + struct.pack(">H", len(raw))
        )
        wire = head + raw
        slow = min(fault.get("bytes", 20), len(wire))
        for n in range(slow):
            client.writer.write(wire[n : n + 1])
            await client.drain()
            await asyncio.sleep(fault.get("delay_ms", 5) / 1000)
        client.writer.write(wire[slow:])

    @staticmethod
    def _shifted(frame: dict[str, Any], by: int) -> dict[str, Any]:
        book = frame["order_book"]
        moved = {"offset": book["offset"] + by}
        return frame | moved | {"order_book": book | moved}

    @staticmethod
    def _unlinked(frame: dict[str, Any], by: int) -> dict[str, Any]:
        """Return the update with its link to the one before moved by `by`."""
        book = frame["order_book"]
        if "nonce" in book:
            return frame | {"order_book": book | {"begin_nonce": book["begin_nonce"] + by}}
        return Venue._shifted(frame, by)


def main() -> None:
    """Serve until SIGTERM or SIGINT; print the addresses, and at the end the counts."""
    parser = argparse.ArgumentParser(description="A local Lighter that plays recorded frames.")
    parser.add_argument("--data", action="append", choices=sorted(frames.DATA), required=True)
    parser.add_argument("--shared", type=Path, help="folder of recordings; ../shared by default")
    parser.add_argument("--faults", type=Path, help="JSON list of faults")
    parser.add_argument("--rate", type=float, help="updates a second; 0: as fast as clients read")
    parser.add_argument("--deflate", action="store_true", help="offer permessage-deflate")
    parser.add_argument("--needs", action="append", help="channels without which a tape waits")
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args()
    folder = args.shared or Path(__file__).resolve().parents[2].parent / "shared"
    faults = json.loads(args.faults.read_text()) if args.faults else []
    tapes = [frames.DATA[name](folder.joinpath) for name in args.data]
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    needs = tuple(args.needs or ["order_book"])
    with Venue(
        tapes, folder.joinpath, faults, args.rate, needs, deflate=args.deflate, port=args.port
    ) as venue:
        print(json.dumps({"ws": venue.url, "rest": venue.rest}), flush=True)
        stop.wait()
    print(json.dumps(venue.counts), flush=True)


if __name__ == "__main__":
    main()
