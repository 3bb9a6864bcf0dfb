"""The keeper of the connection: one socket, the clocks, and what the state machine asks for.

picows hands each WebSocket frame over as bytes where they were received; they go to the core as they
are, and nothing here looks into a message.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bog.errors import one_line
from bog.lighter.connection import Connection, Do, State

TICK_S = 0.02
CLOSE_S = 1.0  # for the last words of a connection
PONG_NS = 100_000_000  # at least this long between two answers to pings of the protocol
READ_BYTES = 1 << 18

# what goes wrong is said by the state machine, once
_quiet = logging.getLogger("bog.picows")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class Receiver(Protocol):
    """What takes the messages of a socket: the feed's stream, or the gateway's inbox."""

    @property
    def heard_ns(self) -> int: ...
    @property
    def market(self) -> int: ...
    @property
    def code(self) -> int: ...
    def frame(self, data: bytes | bytearray | memoryview, /) -> int: ...
    def heard(self) -> None: ...
    def beat(self) -> None: ...
    def down(self) -> None: ...


class Listener(WSListener):
    """What one socket receives, until the client has given it up."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.stream = client.stream
        self.partial = bytearray()
        self.within = False  # a message of several frames is under way
        self.ponged_ns = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.client.opened(self, transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self.client.listener is not self or transport.is_close_frame_sent:
            # given up, by us or by picows, which after an error (a frame over the cap, too) still
            # delivers what comes until it has closed
            return
        kind = frame.msg_type
        if kind == WSMsgType.TEXT and frame.fin and not self.within and not frame.rsv1:
            news = self.stream.frame(frame.get_payload_as_memoryview())
            if news:
                self.client.news(news)
            return
        self.stream.heard()
        if kind == WSMsgType.PING:
            now = time.monotonic_ns()
            if now - self.ponged_ns >= PONG_NS:
                self.ponged_ns = now
                transport.send_pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            # read here: any number may stand there, also one that picows has no name for
            payload = frame.get_payload_as_bytes()
            code, words = (
                int.from_bytes(payload[:2], "big"),
                payload[2:82].decode("utf-8", "replace"),
            )
            self.client.lost(
                self, f"closed by the venue, code {code}: {one_line(words) or 'no reason'}"
            )
        elif kind in (WSMsgType.TEXT, WSMsgType.CONTINUATION, WSMsgType.BINARY):
            self.piece(frame)

    def piece(self, frame: WSFrame) -> None:
        """Take a frame that is not a whole text message of its own."""
        kind = frame.msg_type
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self.client.lost(self, "a packed frame, which was not agreed on")
        elif kind == WSMsgType.BINARY:
            self.client.lost(self, "a binary frame, want text")
        elif (kind == WSMsgType.CONTINUATION) != self.within:
            self.client.lost(self, "a message in pieces that do not fit together")
        elif len(self.partial) + frame.payload_size > self.client.most_bytes:
            self.client.lost(self, f"a message of more than {self.client.most_bytes} bytes")
        else:
            self.partial += frame.get_payload_as_memoryview()
            self.within = not frame.fin
            if frame.fin:
                whole, self.partial = self.partial, bytearray()
                news = self.stream.frame(whole)
                if news:
                    self.client.news(news)


class Client:
    """Follows the public channels of a stream's markets until asked to stop.

    `say` takes one line when something happened that a person should know. `ask` is called with a
    market when what the venue says of it may have changed.
    """

    def __init__(
        self,
        url: str,
        stream: Receiver,
        machine: Connection,
        *,
        most_bytes: int,
        say: Callable[[str], None],
        ask: Callable[[int], None],
    ) -> None:
        self.url, self.stream, self.machine = url, stream, machine
        self.most_bytes, self.say, self.ask = most_bytes, say, ask
        self.listener: Listener | None = None  # of the connection that counts
        self.transport: WSTransport | None = None
        self.opening: asyncio.Task[None] | None = None
        self.shown = State.BACKOFF

    async def follow(self, over: Callable[[], bool]) -> None:
        """Keep the connection until `over`."""
        self.machine.start(time.monotonic_ns())
        try:
            while not over():
                self.machine.tick(time.monotonic_ns(), self.stream.heard_ns)
                self.act()
                self.stream.beat()
                await asyncio.sleep(TICK_S)
        finally:
            self.machine.stop(time.monotonic_ns())
            self.act()
            if self.opening is not None:
                await asyncio.wait({self.opening}, timeout=CLOSE_S)
                self.opening.cancel()

    def resync(self, market: int) -> None:
        """Get a whole book of a market anew."""
        self.machine.resync(market, time.monotonic_ns())
        self.act()

    # what the socket says

    def opened(self, listener: Listener, transport: WSTransport) -> None:
        if listener is self.listener:
            self.transport = transport
            self.machine.opened(time.monotonic_ns())

    def news(self, what: int) -> None:
        self.machine.news(what, self.stream.market, time.monotonic_ns(), self.stream.code)
        self.act()

    def lost(self, listener: Listener, why: str) -> None:
        if listener is self.listener:
            transport = self.transport
            self.forget()
            if transport is not None:
                transport.disconnect(graceful=False)
            self.machine.lost(why, time.monotonic_ns())
            self.act()

    # what the machine asks for

    def act(self) -> None:
        """Do what is to be done, and say what changed."""
        for action in self.machine.take():
            if action.do is Do.OPEN:
                self.listener = Listener(self)
                self.opening = asyncio.ensure_future(self.open(self.listener))
            elif action.do is Do.SEND and self.transport is not None:
                self.transport.send(WSMsgType.TEXT, action.text.encode())
            elif action.do is Do.DROP:
                self.drop()
            elif action.do is Do.DOWN:
                self.stream.down()
            elif action.do is Do.ASK:
                self.ask(action.market)
        self.tell()

    def tell(self) -> None:
        """Say where the connection stands, when that is news to a person."""
        state, machine = self.machine.state, self.machine
        if state is self.shown:
            return
        before, self.shown = self.shown, state
        if state is State.BACKOFF:
            left = max(0, machine.retry_ns - time.monotonic_ns()) / 1e9
            self.say(f"{self.url}: {machine.why}; next attempt in {left:.1f} s")
        elif state is State.LIVE or (state is State.SYNCING and before is State.LIVE):
            self.say(f"{self.url}: {state.value}")

    async def open(self, listener: Listener) -> None:
        """Open the connection of a listener and stay until it is gone."""
        try:
            transport, _ = await ws_connect(
                lambda: listener,
                self.url,
                max_frame_size=self.most_bytes,
                max_redirects=0,
                websocket_handshake_timeout=self.machine.pace.connect_ns / 1e9,
                enable_auto_pong=False,
                logger_name=_quiet,
                read_buffer_init_size=READ_BYTES,
            )
        except (OSError, WSError, ValueError) as error:
            self.lost(listener, f"cannot connect: {reason(error)}")
            return
        why = "the connection was closed"
        try:
            await transport.wait_disconnected()
        except (OSError, WSError) as error:
            why = f"the connection broke: {reason(error)}"
        self.lost(listener, why)

    def drop(self) -> None:
        transport, last = self.transport, self.machine.state is State.CLOSED
        self.forget()
        if transport is not None:
            if last:
                transport.send_close()
            transport.disconnect(graceful=last)
        elif self.opening is not None:
            self.opening.cancel()

    def forget(self) -> None:
        self.listener = self.transport = None


def reason(error: BaseException) -> str:
    """Return what an error of the network says, in one short line."""
    if isinstance(error, TimeoutError):
        return "timed out"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return one_line(" ".join(str(text).split()))[:160]
