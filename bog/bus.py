"""The telemetry bus: what a running bot says to programs that listen, and who may listen.

A publisher of ZeroMQ in the shell's process, fed from the stats page and from the journal as it
reaches the disk. The engine is another process and knows nothing of it. By default it is a socket
`bus-m1.sock`, named after the bot's first market, in the journal's control folder: 0600 in a folder
0700 of ours. Over TCP each end proves its key (CURVE) and only listed keys are let in.

Nothing waits for a listener: what one does not take is dropped for that one, who sees it in `seq`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bog import credentials, log, messages
from bog.out import tell
from bog.speaker import Said
from bog.view import Status

if TYPE_CHECKING:
    import zmq
    from zmq.auth.thread import ThreadAuthenticator

    from bog.settings import Settings

QUEUE = 2000  # messages that wait for one listener; more are dropped for it
BEAT_SEC = 1.0  # the longest silence of a state
# libzmq ends its process when a listener connects and no descriptor is left: the bus goes before that
SPARE = 128
HANDSHAKE_MS = 5000  # for a listener to prove its key
LAST_SEC = 1.0  # at most, for the last messages of a run to leave
BACKLOG = 16
HEARD_BYTES = 4096  # a listener says no more at once: its key, its topics
DOMAIN = "bog"


def socket_name(market: int) -> str:
    """Return the name of the socket of the bot whose first market this is."""
    return f"bus-m{market}.sock"


def _want_descriptors() -> None:
    """Raise OSError when fewer than SPARE more files could be opened."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    lowest = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)  # the number of the first that is free
    os.close(lowest)
    if limit != resource.RLIM_INFINITY and limit - lowest < SPARE:
        raise OSError(errno.EMFILE, f"want {SPARE} files more than the limit of {limit} leaves")


class Allowed:
    """The listeners that may connect over TCP, asked by the handshake."""

    def __init__(self, keys: str) -> None:
        self.keys = {key.encode() for key in keys.split()}

    def callback(self, _domain: str, key: bytes) -> bool:
        """Return whether the owner of a public key may listen."""
        return key in self.keys


class Bus:
    """The bus of one bot. Made before the engine starts, speaks from `open` on.

    `folder` is the control folder of its journal, already ours, `market` the bot's first market: who
    holds that market's control socket may replace its bus. Raise ConfigError for a key file that is
    not there or not private. What goes wrong later costs the telemetry and never the run.
    """

    def __init__(self, settings: Settings, folder: Path, market: int) -> None:
        own = settings.monitoring.bus
        self.endpoint, self.clients = own.endpoint, own.clients
        self.secret = ""
        if self.endpoint.startswith("tcp:"):
            self.secret = credentials.curve_key(
                "monitoring.bus.server_credential", own.server_credential
            )
        self.path = folder / socket_name(market)
        self.starts: Mapping[int, int] = {}
        self.remarks: list[str] = []
        self.context: zmq.Context[zmq.Socket[bytes]] | None = None
        self.publisher: zmq.Socket[bytes] | None = None
        self.doorman: ThreadAuthenticator | None = None
        self.numbers: Counter[str] = Counter()
        self.said: dict[str, tuple[float, dict[str, Any]]] = {}  # when, and what of it counts

    def open(self, starts: Mapping[int, int], remarks: list[str]) -> None:
        """Speak from now on; where that cannot be, or ends early, say why and add it to `remarks`.

        `starts` has each market's run.
        """
        self.starts, self.remarks = starts, remarks
        if not self.endpoint:
            return
        try:
            _want_descriptors()
            # only now: the engine trades already
            import zmq

            self.context = zmq.Context()
            self.publisher = self.context.socket(zmq.PUB)
            self.publisher.set_hwm(QUEUE)
            self.publisher.linger = 0
            self.publisher.setsockopt(zmq.MAXMSGSIZE, HEARD_BYTES)
            self.publisher.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
            if self.secret:
                self._lock(self.publisher)
                self.publisher.ipv6 = True
                self.publisher.bind(self.endpoint)
            else:
                self._bind_private(self.publisher)
        except Exception as error:  # a port in use, no package
            self._end(error)

    def _end(self, error: Exception) -> None:
        """Close at once and say why: whatever it is, the run goes on."""
        self.close(0.0)
        where = self.endpoint if self.secret else self.path
        why = f"no telemetry on {where}: {getattr(error, 'strerror', None) or error}"
        self.remarks.append(why)
        tell(why, sys.stderr)
        log.emit("WARNING", "bus", why)

    def _bind_private(self, publisher: zmq.Socket[bytes]) -> None:
        """Listen on a unix socket that was 0600 before anybody could connect."""
        import zmq

        folder = os.open(self.path.parent, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            # through the open folder: a path of any length, and of the folder that is private
            place = f"/proc/self/fd/{folder}/{self.path.name}"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path.name, dir_fd=folder)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                listener.bind(place)
                os.chmod(self.path.name, 0o600, dir_fd=folder)
                listener.listen(BACKLOG)
                listener.setblocking(False)
                publisher.setsockopt(zmq.USE_FD, listener.fileno())
                publisher.bind(f"ipc://{place}")
                listener.detach()  # the publisher's now
            finally:
                listener.close()
        finally:
            os.close(folder)

    def _lock(self, publisher: zmq.Socket[bytes]) -> None:
        """Let in over the network only who proves a listed key; nobody when nobody can judge."""
        import zmq
        from zmq.auth.thread import ThreadAuthenticator

        self.doorman = ThreadAuthenticator(self.context)
        self.doorman.start()
        self.doorman.pipe.sndtimeo = int(LAST_SEC * 1000)  # should its thread be gone at the end
        self.doorman.configure_curve_callback(DOMAIN, Allowed(self.clients))
        publisher.zap_domain = DOMAIN.encode()
        publisher.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        publisher.curve_server = True
        publisher.curve_secretkey = self.secret.encode()

    def look(self, shown: list[Status]) -> None:
        """Say what the pages say, where it has changed or was said a second ago."""
        if self.publisher is None:
            return
        mono_ns = time.monotonic_ns()
        with self._harmless():
            _want_descriptors()
            for each in shown:
                market = each["about"]["market"]
                for name, body in messages.states(each["page"], each["about"], mono_ns).items():
                    topic = messages.topic(market, name)
                    core = {k: v for k, v in body.items() if k not in messages.AGES}
                    when, before = self.said.get(topic, (0.0, {}))
                    if core != before or mono_ns / 1e9 - when >= BEAT_SEC:
                        self.said[topic] = mono_ns / 1e9, core
                        self._send(market, topic, body)

    def heard(self, record: Mapping[str, int], said: Said, event_time: str | None) -> None:
        """Say a record of the journal, given as the log says it."""
        if self.publisher is None:
            return
        market = record["market"] % 10**6
        with self._harmless():
            body = messages.event(record["seq"], said, event_time)
            self._send(market, messages.topic(market, said[1]), body)

    @contextlib.contextmanager
    def _harmless(self) -> Any:
        try:
            yield
        except OSError as error:
            self._end(error)
        except Exception as error:  # one that nobody expected
            log.panic(error)
            self._end(error)

    def _send(self, market: int, topic: str, body: dict[str, Any]) -> None:
        import zmq

        assert self.publisher is not None
        self.numbers[topic] += 1
        head = messages.Head(
            v=messages.VERSION,
            seq=self.numbers[topic],
            start=self.starts[market],
            time=messages.Time(
                datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
            ),
            market=market,
        )
        whole = json.dumps({**head, **body}, separators=(",", ":")).encode()
        with contextlib.suppress(zmq.Again):
            self.publisher.send_multipart([topic.encode(), whole], zmq.NOBLOCK)

    def close(self, patience_sec: float = LAST_SEC) -> None:
        """End: what was said last has so long to leave. Leave no socket."""
        if self.publisher is not None:
            self.publisher.close(linger=int(patience_sec * 1000))
            self.publisher = None
            if not self.secret:
                with contextlib.suppress(OSError):
                    self.path.unlink()
        if self.doorman is not None:
            with contextlib.suppress(Exception):  # its thread is gone
                self.doorman.stop()
            self.doorman = None
        if self.context is not None:
            self.context.destroy(linger=0)
            self.context = None
