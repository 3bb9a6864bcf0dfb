"""One WebSocket connection: subscriptions, transactions, pings, limits; frames leave in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections import deque
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from bog.exchange import gate, wreck
from bog.exchange.feed import TOKEN
from bog.exchange.refusal import Refusal
from bog.exchange.rest import lists_of, said

if TYPE_CHECKING:
    from bog.exchange.server import Server

Json = dict[str, Any]
MESSAGES = 200  # a minute, transactions not counted
SUBSCRIPTIONS = 100
WAITING = 20_000  # frames that a slow reader may be behind
SOCKET_BATCH = 15
SINGLE, BATCH = "jsonapi/sendtx", "jsonapi/sendtxbatch"


class Connection:
    """One client. `send` queues; one task writes, so that order is kept."""

    def __init__(self, server: Server, ws: web.WebSocketResponse, transport: Any) -> None:
        self.server = server
        self.ws = ws
        self.transport = transport
        self.session = str(uuid.UUID(int=server.random.getrandbits(128), version=4))
        self.waiting: asyncio.Queue[str] = asyncio.Queue(WAITING)
        self.channels: list[str] = []
        self.messages: deque[int] = deque()
        self.heard_ns = server.now_ns()

    def send(self, frame: Json) -> None:
        """Queue a frame, as the script of faults lets it through."""
        for shown in self.server.faults.frames(self, frame):
            self.write(
                shown if isinstance(shown, str) else json.dumps(shown, separators=(",", ":"))
            )

    def write(self, text: str) -> None:
        """Queue a text as it is; a reader who is too slow is disconnected."""
        try:
            self.waiting.put_nowait(text)
        except asyncio.QueueFull:
            self.abort()

    def abort(self) -> None:
        """Reset the connection."""
        wreck.reset(self.transport)

    async def serve(self) -> None:
        """Read until the client is gone."""
        self.send({"session_id": self.session, "type": "connected"})
        writer = asyncio.create_task(self.run_writer())
        try:
            async for message in self.ws:
                await self.server.faults.passage()
                self.heard_ns = self.server.now_ns()
                if message.type == WSMsgType.PING and not self.server.faults.mute_pong:
                    await self.ws.pong(message.data)
                elif message.type == WSMsgType.TEXT:
                    await self.hear(message.data)
        finally:
            writer.cancel()
            for channel in self.channels:
                self.server.feed.remove(channel, self)

    async def run_writer(self) -> None:
        """Write what waits, one after another."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            while True:
                text = await self.waiting.get()
                await self.server.faults.passage()
                await self.ws.send_str(text)

    async def hear(self, text: str) -> None:
        """Answer one message; a refusal has no type and no channel, and closes nothing."""
        request: Any = None
        try:
            try:
                request = json.loads(text)
            except (ValueError, RecursionError):
                raise Refusal(30000) from None
            if not isinstance(request, dict):
                raise Refusal(30000)
            kind = request.get("type")
            if kind in (SINGLE, BATCH):
                await self.transact(kind, request.get("data"))
                return
            self.count()
            if kind == "subscribe":
                self.subscribe(request.get("channel"), request.get("auth"))
            elif kind == "unsubscribe":
                self.unsubscribe(request.get("channel"))
            elif kind == "ping":
                if not self.server.faults.mute_pong:
                    self.send({"type": "pong"})
            elif kind != "pong":
                raise Refusal(30001)
        except Refusal as refusal:
            self.send({"error": refusal.body()})

    def count(self) -> None:
        """Count a message of the client that is no transaction."""
        if self.server.venue.rules.limits:
            now = self.server.now_ns()
            while self.messages and self.messages[0] <= now - 60_000_000_000:
                self.messages.popleft()
            self.messages.append(now)
            if len(self.messages) > MESSAGES:
                raise Refusal(30009)

    def subscribe(self, channel: Any, auth: Any) -> None:
        """Check and subscribe; the snapshot is the answer."""
        if not isinstance(channel, str):
            raise Refusal(30005)
        feed = self.server.feed
        family, parts = feed.parse(channel)
        name = channel.replace("/", ":")
        owner = feed.owner(family, parts)
        if owner is not None and family in TOKEN:
            if not auth:
                raise Refusal(20001, f" : auth field is required: {name}")
            try:
                gate.check_token(self.server.venue.state, str(auth), owner,
                                 self.server.venue.rules.token_s)  # fmt: skip
            except Refusal as refusal:
                raise Refusal(
                    20013, f"{refusal.message.removeprefix('invalid auth')}: {name}"
                ) from None
        if channel in self.channels:
            raise Refusal(30003, f": {name}")
        if len(self.channels) >= SUBSCRIPTIONS:
            raise Refusal(23001)
        feed.add(channel, self)
        self.channels.append(channel)

    def unsubscribe(self, channel: Any) -> None:
        """End a subscription; this one answer is written with blanks, as the venue does."""
        name = str(channel).replace("/", ":")
        if channel not in self.channels:
            raise Refusal(30002, f": {name}")
        self.channels.remove(channel)
        self.server.feed.remove(channel, self)
        self.write(json.dumps({"type": "unsubscribed", "channel": name}))

    async def transact(self, kind: str, data: Any) -> None:
        """Take transactions; the answer echoes the id."""
        asked = data.get("id") if isinstance(data, dict) else None
        echo = {} if asked is None else {"id": asked}
        try:
            if not isinstance(data, dict):
                raise Refusal(30007)
            kinds, infos = self.read(kind, data)
            fault = self.server.faults.sent("ws", "", kinds, infos)
            if fault and not fault.after and await wreck.on_socket(self, fault, echo, None):
                return
            receipt = self.server.venue.submit(self.server.now_ns(), kinds, infos, kind == BATCH)
            told = said(receipt)
            del told["message"]
            hashes: Any = receipt.hashes if kind == BATCH else receipt.hashes[0]
            answer = {"type": kind, **echo, "code": 200, "tx_hash": hashes, **told}
            self.server.soon()
            if fault and fault.after and await wreck.on_socket(self, fault, echo, answer):
                return
            self.send(answer)
        except Refusal as refusal:
            self.send({"error": refusal.body(), **echo})

    def read(self, kind: str, data: Json) -> tuple[list[int], list[Any]]:
        """Return types and infos of a message: an object in the single form, text in the batch."""
        if kind == BATCH:
            return lists_of(data.get("tx_types"), data.get("tx_infos"), SOCKET_BATCH)
        if type(data.get("tx_type")) is not int or not isinstance(data.get("tx_info"), (dict, str)):
            raise Refusal(30007)
        return [data["tx_type"]], [data["tx_info"]]
