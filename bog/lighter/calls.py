"""Calls of the venue's REST interface: one after another, in a thread of their own.

One connection is kept and opened anew when it fails. A call that was sent is never sent again by
itself: what became of it is for the caller to find out.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import queue
import socket
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bog.lighter.address import rest_url
from bog.lighter.client import reason
from bog.lighter.rest import RestError

MOST_BYTES = 1 << 21
CHUNK = 65_536
WAITING_MOST = 64


@dataclass
class Call:
    """One request; `done` gets (status, body), or RestError when there was no whole answer."""

    method: str
    path: str
    body: bytes = b""
    token: str = ""
    done: asyncio.Future[tuple[int, bytes]] = field(default_factory=asyncio.Future)


class Caller:
    """A thread with a connection. `close` ends both."""

    def __init__(self, base: str, timeout_s: float) -> None:
        parts = urlsplit(rest_url(base))
        assert parts.hostname is not None
        self.host, self.port, self.prefix = parts.hostname, parts.port, parts.path
        self.kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self.timeout_s = timeout_s
        self.loop = asyncio.get_running_loop()
        self.calls: queue.Queue[Call | None] = queue.Queue(WAITING_MOST)
        self.connection: http.client.HTTPConnection | None = None
        self.thread = threading.Thread(target=self._work, daemon=True, name="bog-calls")
        self.thread.start()

    async def get(self, path: str, token: str = "") -> tuple[int, bytes]:
        return await self._call(Call("GET", path, token=token))

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        return await self._call(Call("POST", path, body))

    async def _call(self, call: Call) -> tuple[int, bytes]:
        try:
            self.calls.put_nowait(call)
        except queue.Full:
            raise RestError(f"{WAITING_MOST} calls are waiting already") from None
        try:
            # the look-up of a name has no time-out of its own
            return await asyncio.wait_for(call.done, 2 * self.timeout_s)
        except TimeoutError:
            self._abort()
            raise RestError(f"{call.method} {self._said(call)}: no whole answer in time") from None

    def close(self) -> None:
        self.calls.put(None)
        self._abort()

    def _abort(self) -> None:
        connection = self.connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _said(call: Call) -> str:
        return call.path.partition("?")[0]

    def _work(self) -> None:
        while (call := self.calls.get()) is not None:
            result, failed = None, None
            try:
                result = self._answer(call)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._drop()
                failed = RestError(f"{call.method} {self._said(call)}: {reason(error)}")
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self.loop.call_soon_threadsafe(self._deliver, call, result, failed)
        self._drop()

    @staticmethod
    def _deliver(call: Call, result: tuple[int, bytes] | None, failed: RestError | None) -> None:
        if call.done.done():
            return
        if failed is not None:
            call.done.set_exception(failed)
        elif result is not None:
            call.done.set_result(result)

    def _drop(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _answer(self, call: Call) -> tuple[int, bytes]:
        fresh = self.connection is None
        if self.connection is None:
            self.connection = self.kind(self.host, self.port, timeout=self.timeout_s)
        headers = {"Accept": "application/json"}
        if call.token:
            headers["Authorization"] = call.token
        if call.method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            self.connection.request(
                call.method, self.prefix + call.path, call.body or None, headers
            )
            answer = self.connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # a kept connection that the venue had closed meanwhile; a question may be asked again
            if fresh or call.method != "GET":
                raise
            self._drop()
            return self._answer(call)
        with answer:
            read = b""
            while len(read) <= MOST_BYTES and (more := answer.read(CHUNK)):
                read += more
            if len(read) > MOST_BYTES:
                raise ValueError(f"the answer is longer than {MOST_BYTES} bytes")
            if answer.length:
                raise ValueError(f"the answer was cut, {answer.length} bytes are missing")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise ValueError("the answer is packed, which was not asked for")
        if answer.will_close:
            self._drop()
        return answer.status, read
