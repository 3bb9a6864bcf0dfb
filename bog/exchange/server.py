"""The exchange on a socket: one port for REST and WebSocket, one loop, one clock."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import time
from typing import Any

from aiohttp import web

from bog.exchange import wreck
from bog.exchange.faults import Faults
from bog.exchange.feed import Feed
from bog.exchange.refusal import Refusal
from bog.exchange.rest import Rest
from bog.exchange.socket import Connection
from bog.exchange.state import Batch
from bog.exchange.venue import Venue

TICK_S = 0.005  # between two looks at the public market
BOOK_S = 0.05  # between two frames of a book
PING_S = 60.0
BODY_MAX = 1 << 20


class Server:
    """Serves a venue. `flows` are the public markets, `keep` hears of every batch for the store."""

    def __init__(self, venue: Venue, seed: int) -> None:
        self.venue = venue
        self.random = random.Random(seed)
        self.faults = Faults(seed)
        self.feed = Feed(venue.state, seed)
        self.rest = Rest(venue)
        self.flows: list[Any] = []
        self.keep: list[Any] = []
        self.offset_ns = 0  # of the venue's clock against the host's
        self.silence_s = 120.0  # of a client, until it is disconnected
        self.connections: set[Connection] = set()
        self.runner: web.AppRunner | None = None
        self.site: web.TCPSite | None = None
        self.where: tuple[str, int] = ("127.0.0.1", 0)
        self.secure: ssl.SSLContext | None = None
        self.tasks: set[asyncio.Future[Any]] = set()
        venue.listener = self.on_batch

    def now_ns(self) -> int:
        """Return the venue's time, Unix ns."""
        return time.time_ns() + self.offset_ns

    def on_batch(self, batch: Batch) -> None:
        """Publish and keep what changed."""
        self.feed.publish(batch)
        for keep in self.keep:
            keep(batch)

    def soon(self) -> None:
        """Run what has been taken as soon as its delay has passed; without one, after the answer."""
        due = self.venue.due_ns()
        if due is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(max(0.0, (due - self.now_ns()) / 1e9), self.advance)

    def advance(self) -> None:
        """Run what is due."""
        self.venue.advance(self.now_ns())

    # -- life --------------------------------------------------------------------------------

    async def start(self, host: str, port: int, secure: ssl.SSLContext | None = None) -> int:
        """Listen; return the port."""
        app = web.Application(client_max_size=BODY_MAX)
        app.router.add_get("/stream", self.stream)
        app.router.add_route("*", "/{path:.*}", self.handle)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self.runner.setup()
        self.where, self.secure = (host, port), secure
        await self.listen()
        return self.where[1]

    async def listen(self) -> None:
        """Open the listening socket, at the same port as before if there was one."""
        assert self.runner is not None
        self.site = web.TCPSite(self.runner, *self.where, ssl_context=self.secure,
                                reuse_address=True)  # fmt: skip
        await self.site.start()
        self.where = (self.where[0], self.runner.addresses[0][1])

    async def refuse(self, seconds: float) -> None:
        """Refuse connections for a while; those that are open stay."""
        if self.site is not None:
            await self.site.stop()
            self.site = None
            await asyncio.sleep(seconds)
            await self.listen()

    async def stop(self) -> None:
        """Say goodbye and close everything."""
        if self.runner is not None:
            for connection in tuple(self.connections):
                wreck.reset(connection.transport)
            await self.runner.cleanup()

    async def run(self) -> None:
        """Move time until cancelled."""
        loop = asyncio.get_running_loop()
        next_book = next_second = loop.time()
        next_ping = loop.time() + PING_S
        while True:
            self.turn()
            now = loop.time()
            if now >= next_book:
                next_book = max(next_book + BOOK_S, now)
                for number in self.venue.state.markets:
                    self.feed.flush_book(number)
            if now >= next_second:
                next_second = max(next_second + 1, now)
                self.feed.second()
                await self.drop_silent()
            if now >= next_ping:
                next_ping = now + PING_S
                self.ping()
            await asyncio.sleep(TICK_S)

    def turn(self) -> None:
        """Let the public market move, and run what is due."""
        now = self.now_ns()
        self.venue.advance(now)
        for flow in self.flows:
            flow.pump(now)
        self.venue.commit()

    def ping(self) -> None:
        """Ask every client whether it is there."""
        for connection in tuple(self.connections):
            connection.send({"type": "ping"})

    async def drop_silent(self) -> None:
        """Close the connections from which nothing has come for too long."""
        oldest = self.now_ns() - int(self.silence_s * 1e9)
        for connection in tuple(self.connections):
            if connection.heard_ns < oldest:
                with contextlib.suppress(ConnectionError):
                    await connection.ws.close()

    # -- requests ----------------------------------------------------------------------------

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Serve a WebSocket."""
        await self.faults.passage()
        ws = web.WebSocketResponse(autoping=False, max_msg_size=BODY_MAX)
        if not ws.can_prepare(request):
            return web.json_response(Refusal(29404).body(), status=404)
        await ws.prepare(request)
        connection = Connection(self, ws, request.transport)
        self.connections.add(connection)
        try:
            await connection.serve()
        finally:
            self.connections.discard(connection)
        return ws

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a REST request; a connection that is gone, by script or not, is no error."""
        try:
            return await self.respond(request)
        except ConnectionError:
            return web.Response()

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Answer, or spoil the answer as the script says."""
        await self.faults.passage()
        path = request.path.removeprefix("/api/v1/").strip("/")
        try:
            form: dict[str, str] = dict(request.query)
            if request.method == "POST":
                posted = await request.post()
                form |= {name: value for name, value in posted.items() if isinstance(value, str)}
        except ValueError:
            form = {}
        fault = self.fault_of(path, form)
        if fault is not None and not fault.after:
            if fault.do != "delay":
                return await wreck.answer(request, fault, None)
            await asyncio.sleep(float(fault.what.get("seconds", 1)))
        status, body = self.answer(request.method, path, form, request)
        if path.startswith("send"):
            self.soon()
        if fault is not None and fault.after:
            if fault.do != "delay":
                return await wreck.answer(request, fault, body)
            await asyncio.sleep(float(fault.what.get("seconds", 1)))
        await self.faults.passage()
        return web.json_response(body, status=status)

    def fault_of(self, path: str, form: dict[str, str]) -> Any:
        """Return the fault that befalls a request."""
        kinds: list[int] = []
        infos: list[Any] = []
        with contextlib.suppress(ValueError):
            if path == "sendTx":
                kinds, infos = [int(form.get("tx_type", ""))], [form.get("tx_info")]
        return self.faults.sent("http", path, kinds, infos)

    def answer(
        self, method: str, path: str, form: dict[str, str], request: web.Request
    ) -> tuple[int, dict[str, Any]]:
        """Return status and body of a request's true answer."""
        state = self.venue.state
        self.venue.set_clock(self.now_ns())
        try:
            if path in ("", "info"):
                return 200, self.root(path)
            name = path.replace("-", "_")
            verbs = self.rest.methods(name)
            if not request.path.startswith("/api/v1/") or method.lower() not in verbs:
                raise Refusal(29404)
            owner = form.get("account_index", "")
            account = state.accounts.get(int(owner)) if owner.isdigit() else None
            self.venue.rates.read(account, path, state.now_ns)
            token = request.headers.get("Authorization") or form.get("auth", "")
            return 200, self.rest.answer(name, form, token)
        except Refusal as refusal:
            return refusal.status, dict(refusal.body())

    def root(self, path: str) -> dict[str, Any]:
        """Return the two answers without an envelope."""
        if path == "info":
            return {"contract_address": "0x" + "0" * 40}
        return {"status": 200, "network_id": self.venue.state.chain,
                "timestamp": self.venue.state.now_ms // 1000}  # fmt: skip
