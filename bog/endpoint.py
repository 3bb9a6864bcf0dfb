"""The HTTP port of a running bot: GET /metrics and GET /healthz, and nothing that commands it.

One thread of the shell's process answers all clients, one answer a connection. What a client may
cost is bounded: its head in bytes, its time, and how many there may be. The engine is another
process and knows nothing of it.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from bog import log
from bog.errors import ConfigError
from bog.glance import Traded, health
from bog.lighter.address import is_loopback

if TYPE_CHECKING:
    from bog.metrics import Scrape
    from bog.settings import Settings

CLIENTS = 32  # at once; one more pushes out the oldest
CLIENT_SEC = 5.0  # from its connection to the last byte of its answer
HEAD_BYTES = 8192
TURN_SEC = 0.2  # between two looks at who is late
_LINE = re.compile(rb"([A-Z]{1,16}) (/[!-~]{0,2048}) HTTP/1\.[01]")
_HEADER = re.compile(rb"([!#-'*+.^-z|~0-9A-Z-]{1,128}):[ \t]*([ -~\t]*)")


class Answer(NamedTuple):
    """What a client gets."""

    status: str
    kind: str
    body: bytes


def _refusal(status: str, why: str) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", f"{why}\n".encode())


class Client:
    """One connection: what it said so far, and what it has still to be told."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.until = time.monotonic() + CLIENT_SEC
        self.said = b""
        self.rest: memoryview | None = None


class Endpoint:
    """The port and the thread behind it. Made before the engine starts, answers from `serve` on.

    `refused` says why there is no port, where that does not forbid the start; then nothing is
    served. Raise ConfigError when monitoring.prometheus_required and the port cannot be had: it is
    never shared and never taken from another process.
    """

    def __init__(self, settings: Settings) -> None:
        own = settings.monitoring
        self.refused: list[str] = []
        self.markets: list[Traded] = []
        self.scrape: Scrape | None = None
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None
        self.listener: socket.socket | None = None
        self.loopback = is_loopback(own.prometheus_host)
        if own.prometheus_port == 0:
            return
        family = socket.AF_INET6 if ":" in own.prometheus_host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            # a port in TIME_WAIT is free; one that somebody listens on is not
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((own.prometheus_host, own.prometheus_port))
            listener.listen(CLIENTS)
            listener.setblocking(False)
        except OSError as error:
            listener.close()
            why = (
                f"no metrics on {own.prometheus_host} port {own.prometheus_port}: {error.strerror}"
            )
            if own.prometheus_required:
                raise ConfigError(
                    f"{why}: want a free port in monitoring.prometheus_port, or"
                    " monitoring.prometheus_required = false"
                ) from None
            self.refused.append(f"{why}: set monitoring.prometheus_port to a free one")
            return
        if not self.loopback:
            self.refused.append(
                f"metrics on {own.prometheus_host} port {own.prometheus_port}: anyone who reaches"
                " it reads position and profit; want 127.0.0.1"
            )
        self.listener = listener

    def serve(self, markets: list[Traded]) -> None:
        """Answer from now on for these markets."""
        self.markets = markets
        if self.listener is not None:
            self.thread = threading.Thread(
                target=partial(self._run, self.listener), name="bog-metrics", daemon=True
            )
            self.thread.start()

    def close(self) -> None:
        """Stop answering and free the port."""
        self.stopping.set()
        if self.thread is not None:
            self.thread.join()
            self.thread = None
        if self.listener is not None:
            self.listener.close()
            self.listener = None

    # the thread

    def _run(self, listener: socket.socket) -> None:
        # prometheus_client takes long to import: not while the engine starts, and for no other command
        from bog.metrics import Scrape

        self.scrape = Scrape(self.markets)
        clients: dict[socket.socket, Client] = {}  # oldest first
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)

            def leave(client: Client) -> None:
                selector.unregister(client.connection)
                del clients[client.connection]
                client.connection.close()

            while not self.stopping.is_set():
                try:
                    for key, _ in selector.select(TURN_SEC):
                        assert isinstance(key.fileobj, socket.socket)
                        client = clients.get(key.fileobj)
                        if client is not None:
                            if not self._go_on(client, selector):
                                leave(client)
                        elif key.fileobj is listener:
                            self._welcome(listener, clients, selector)
                    now = time.monotonic()
                    late = [c for n, c in enumerate(clients.values())
                            if n < len(clients) - CLIENTS or c.until < now]  # fmt: skip
                    for client in late:
                        leave(client)
                except Exception as error:  # whatever a client did, the next one is answered
                    log.panic(error)
                    time.sleep(TURN_SEC)
            for client in list(clients.values()):
                leave(client)

    def _welcome(
        self,
        listener: socket.socket,
        clients: dict[socket.socket, Client],
        selector: selectors.BaseSelector,
    ) -> None:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return
        except OSError:  # no descriptor is left
            time.sleep(TURN_SEC)
            return
        connection.setblocking(False)
        clients[connection] = Client(connection)
        selector.register(connection, selectors.EVENT_READ)

    def _go_on(self, client: Client, selector: selectors.BaseSelector) -> bool:
        """Read or write what is possible; return whether there is more to come."""
        try:
            if client.rest is None:
                got = client.connection.recv(HEAD_BYTES)
                client.said += got
                if b"\r\n\r\n" not in client.said and len(client.said) <= HEAD_BYTES:
                    return bool(got)
                client.rest = memoryview(_wire(self.answer(client.said)))
                selector.modify(client.connection, selectors.EVENT_WRITE)
            client.rest = client.rest[client.connection.send(client.rest) :]
            if client.rest:
                return True
            client.connection.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return True
        except OSError:  # it hung up
            pass
        return False

    def answer(self, said: bytes) -> Answer:
        """Return the answer to a request's head; never raises for what a client may say."""
        head, end, _ = said.partition(b"\r\n\r\n")
        if not end or len(head) > HEAD_BYTES:
            return _refusal("431 Request Header Fields Too Large", f"want {HEAD_BYTES} bytes")
        first, *lines = head.split(b"\r\n")
        line = _LINE.fullmatch(first)
        fields = [_HEADER.fullmatch(each) for each in lines]
        if line is None or not all(fields):
            return _refusal("400 Bad Request", "want GET /metrics HTTP/1.1")
        headers = [(f[1].lower(), f[2].decode().strip()) for f in fields if f is not None]
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) > 1 or (self.loopback and not all(map(_is_local, hosts))):
            # a page in a browser that had its name resolved to this host
            return _refusal("403 Forbidden", "want a Host of this machine")
        pages: dict[bytes, Callable[[], Answer]] = {
            b"/metrics": lambda: self._metrics(dict(headers).get(b"accept", "")),
            b"/healthz": self._health,
        }
        page = pages.get(line[2].partition(b"?")[0])
        if page is None:
            return _refusal("404 Not Found", "want /metrics or /healthz")
        if line[1] != b"GET":
            return _refusal("405 Method Not Allowed", "want GET: nothing is commanded here")
        try:
            return page()
        except Exception as error:
            log.panic(error)
            return _refusal("500 Internal Server Error", "the log says why")

    def _metrics(self, accept: str) -> Answer:
        assert self.scrape is not None
        return Answer("200 OK", *self.scrape.answer(accept))

    def _health(self) -> Answer:
        found = health(self.markets)
        status = "200 OK" if found["ok"] else "503 Service Unavailable"
        return Answer(status, "application/json", json.dumps(found).encode() + b"\n")


def _is_local(host: str) -> bool:
    """Return whether a Host header names this machine, with or without a port."""
    bare = re.sub(r":\d{1,5}$", "", host) if host.count(":") == 1 or "]" in host else host
    return is_loopback(bare.strip("[]"))


def _wire(answer: Answer) -> bytes:
    """Return an answer as HTTP/1.1."""
    head = {
        "Content-Type": answer.kind,
        "Content-Length": len(answer.body),
        "Connection": "close",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    if answer.status.startswith("405"):
        head["Allow"] = "GET"
    lines = [f"HTTP/1.1 {answer.status}", *(f"{name}: {value}" for name, value in head.items())]
    return "\r\n".join([*lines, "", ""]).encode() + answer.body
