"""One GET at a time from the venue's REST interface, within a size and a time.

`http.client` of the standard library: it reads no proxy from the environment and follows no
redirect. It waits in a thread of its own, so that neither a slow name server nor a server that
sends a byte a second holds up anyone else.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from bog.errors import DataError, one_line
from bog.lighter.address import rest_url

CHUNK = 65_536


class RestError(DataError):
    """The venue did not answer, or answered something other than what was asked for."""


class Get:
    """One request. `body` blocks; `abort` ends it from another thread."""

    def __init__(self, base: str, path: str, *, most_bytes: int, timeout_s: float) -> None:
        parts = urlsplit(rest_url(base))
        assert parts.hostname is not None
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self.url = base + path
        self.target = parts.path + path
        self.most_bytes = most_bytes
        self.connection = kind(parts.hostname, parts.port, timeout=timeout_s)

    def body(self) -> bytes:
        """Return the body of a 200, or raise RestError."""
        try:
            self.connection.request("GET", self.target, headers={"Accept": "application/json"})
            with self.connection.getresponse() as answer:
                read = b""
                while len(read) <= self.most_bytes and (more := answer.read(CHUNK)):
                    read += more
                left = answer.length or 0  # what was promised and did not come
        except (OSError, ssl.SSLError, http.client.HTTPException) as error:
            raise RestError(f"{self.url}: {_reason(error)}") from None
        finally:
            self.connection.close()
        if len(read) > self.most_bytes:
            raise RestError(f"{self.url}: the answer is longer than {self.most_bytes} bytes")
        if left:
            raise RestError(f"{self.url}: the answer was cut, {left} bytes are missing")
        if answer.status != 200:
            said = one_line(read[:120].decode("utf-8", "replace"))
            raise RestError(f"{self.url}: answered {answer.status}, want 200: {said}")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise RestError(f"{self.url}: the answer is packed, which was not asked for")
        return read

    def abort(self) -> None:
        """Wake up a `body` that waits."""
        sock = self.connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is refused: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "timed out"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return one_line(str(text))


async def get(base: str, path: str, *, most_bytes: int, timeout_s: float) -> bytes:
    """Return the body that `base` + `path` answers, or raise RestError when it took too long."""
    request = Get(base, path, most_bytes=most_bytes, timeout_s=timeout_s)
    return await within(request.body, request.abort, timeout_s, request.url)


async def within(work: Callable[[], bytes], abort: Callable[[], None], timeout_s: float,
                 what: str) -> bytes:  # fmt: skip
    """Return what `work` returns in a thread of its own, or raise RestError after `timeout_s`.

    A thread that nothing can wake up, as in a look-up of a name, is left to itself: it is a daemon.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes] = loop.create_future()

    def deliver(result: bytes | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            assert result is not None
            done.set_result(result)

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except BaseException as error:
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(deliver, result, failed)

    threading.Thread(target=run, daemon=True, name="bog-rest").start()
    try:
        return await asyncio.wait_for(done, timeout_s)
    except TimeoutError:
        abort()
        raise RestError(f"{what}: no whole answer within {timeout_s:g} s") from None
