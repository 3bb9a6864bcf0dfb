"""The control socket of a running bot: what an operator may ask, who may ask, what is answered.

A sequenced-packet unix socket for each market, `control/m1.sock` in the journal's directory: 0600 in
a folder 0700 of ours, so that the socket and the account it acts on are found, and taken, together.
One packet asks (REQUEST, fixed size), one answers (JSON). Nothing listens on a network. A file named
`kill` in that folder is the kill command for hosts where nothing else works.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from bog import log
from bog._core.journal import private_directory
from bog._core.stats import StatsPage
from bog._core.types import Asked, Level
from bog.errors import BogError, ConfigError
from bog.limits import NAMES, limit_name

REQUEST = struct.Struct("<4sHHIIQ")  # magic, version, command, market, limit, halt id or value
MAGIC, VERSION = b"bogc", 1
ANSWER_BYTES = 65536
CLIENTS = 8  # that may wait at once; one more pushes out the oldest
CLIENT_SEC = 1.0  # to say what it wants
KILL_FILE = "kill"
POLL_SEC = 0.02  # between two looks for the kill file
ASK_SEC = 2.0


class Command(IntEnum):
    """All that can be asked. Anything else is refused."""

    STATUS = 1
    PAUSE = 2
    RESUME = 3
    DRAIN = 4
    KILL = 5
    RESET_BREAKER = 6
    SET_LIMIT = 7
    CANCEL_ALL = 8
    FLATTEN = 9


Answer = dict[str, Any]
BUSY = "another request is under way: ask again"


class Desk(NamedTuple):
    """One market of the bot: the page whose level is raised, and what it says of itself."""

    page: StatsPage
    status: Callable[[], Answer]


def folder_of(journal: str | Path) -> Path:
    """Return the control folder of the account whose journal is in `journal`."""
    return Path(journal) / "control"


def _open_folder(path: Path) -> int:
    """Return a descriptor of a control folder, or raise ConfigError when it is not private."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    seen = os.fstat(fd)
    mine = seen.st_uid == os.geteuid() or os.geteuid() == 0
    if not mine or stat.S_IMODE(seen.st_mode) & 0o077:
        os.close(fd)
        raise ConfigError(
            f"control folder {path} has owner {seen.st_uid} and mode"
            f" {stat.S_IMODE(seen.st_mode):04o}: want ours ({os.geteuid()}) and 0700"
        )
    return fd


def _path(folder: int, market: int) -> str:
    """Return a socket's path through its open folder: short, and of the folder that was checked."""
    return f"/proc/self/fd/{folder}/m{market}.sock"


def _new_socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """Return (pid, uid) of the other end, as the kernel knows them."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid, uid, _ = struct.unpack("=iII", raw)
    return pid, uid


def _claim(folder: int, where: Path, market: int) -> socket.socket:
    """Return a listening socket under the market's name.

    A socket file that nobody listens on was left by a dead bot and is replaced; one that somebody
    listens on is never taken, and neither is anything that is no socket.
    """
    name = f"m{market}.sock"
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise ConfigError(f"{where / name} is no socket: remove it if nothing needs it")
        with _new_socket() as probe:
            probe.setblocking(False)
            try:
                probe.connect(_path(folder, market))
            except ConnectionRefusedError:
                os.unlink(name, dir_fd=folder)
            except BlockingIOError:
                raise ConfigError(f"{where / name} belongs to a live bot: stop it first") from None
            else:
                raise ConfigError(
                    f"market {market} of the journal in {where.parent} is in use by process"
                    f" {peer_of(probe)[0]}: stop it, or give this one another directory"
                )
    listener = _new_socket()
    try:
        listener.bind(_path(folder, market))
        os.chmod(name, 0o600, dir_fd=folder)
        listener.listen(CLIENTS)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


class Server:
    """The sockets of one bot, and the thread that answers on them.

    Made before the engine starts, so that a second bot on one account goes no further; `serve`
    begins to answer. `allowed` are the users who may command: ours and root. Raise ConfigError when
    a market is in use, or the folder is not private or cannot be made.
    """

    def __init__(self, journal: str, markets: list[int]) -> None:
        self.where = folder_of(journal)
        self.allowed = {os.geteuid(), 0}
        self.listeners: dict[int, socket.socket] = {}
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None
        self.desks: Mapping[int, Desk] = {}
        self.folder = -1
        try:
            private_directory(journal)
            self.where.mkdir(mode=0o700, exist_ok=True)
            self.folder = _open_folder(self.where)
            fcntl.flock(self.folder, fcntl.LOCK_EX)  # two bots that start at once
            for market in markets:
                self.listeners[market] = _claim(self.folder, self.where, market)
            fcntl.flock(self.folder, fcntl.LOCK_UN)
        except OSError as error:
            self.close()
            raise ConfigError(
                f"journal.directory = {journal!r}: the control socket in {self.where} cannot be"
                f" made: {error.strerror}: want a directory that user {os.geteuid()} may write to"
            ) from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def serve(self, desks: Mapping[int, Desk]) -> None:
        """Answer from now on, for each market at its desk."""
        self.desks = desks
        self.thread = threading.Thread(target=self._run, name="bog-control", daemon=True)
        self.thread.start()

    def close(self) -> None:
        """Stop answering and leave no socket."""
        self.stopping.set()
        if self.thread is not None:
            self.thread.join()
            self.thread = None
        for market, listener in self.listeners.items():
            listener.close()
            with contextlib.suppress(OSError):
                os.unlink(f"m{market}.sock", dir_fd=self.folder)
        self.listeners = {}
        if self.folder >= 0:
            os.close(self.folder)
            self.folder = -1

    # the thread

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for listener in self.listeners.values():
                selector.register(listener, selectors.EVENT_READ)
            waiting: dict[socket.socket, float] = {}  # since when, oldest first
            while not self.stopping.is_set():
                try:
                    self._turn(selector, waiting)
                except Exception as error:  # whatever a client did, the next one is answered
                    log.panic(error)
                    time.sleep(POLL_SEC)
            for client in waiting:
                client.close()

    def _turn(self, selector: selectors.BaseSelector, waiting: dict[socket.socket, float]) -> None:
        ready = [key.fileobj for key, _ in selector.select(POLL_SEC)]
        self._look_for_kill_file()
        for one in ready:
            assert isinstance(one, socket.socket)
            if one in waiting:
                selector.unregister(one)
                del waiting[one]
                with one:
                    self._answer(one)
            else:
                try:
                    client, _ = one.accept()
                except BlockingIOError:
                    continue
                except OSError:  # no descriptor is left: the file and the signals still work
                    time.sleep(POLL_SEC)
                    continue
                client.setblocking(False)
                selector.register(client, selectors.EVENT_READ)
                waiting[client] = time.monotonic()
        old = time.monotonic() - CLIENT_SEC
        for client in [c for n, c in enumerate(waiting) if n < len(waiting) - CLIENTS
                       or waiting[c] < old]:  # fmt: skip
            selector.unregister(client)
            del waiting[client]
            client.close()

    def _look_for_kill_file(self) -> None:
        try:
            seen = os.stat(KILL_FILE, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return
        for desk in self.desks.values():
            desk.page.raise_level(Level.LEVEL_KILLED)
        # used up, so that the next start is held by the halt, which has a number, not by a file
        os.unlink(KILL_FILE, dir_fd=self.folder)
        log.emit("WARNING", "control", "Kill file seen", command="KILL", uid=seen.st_uid)

    def _answer(self, client: socket.socket) -> None:
        pid, uid = peer_of(client)
        try:
            packet = client.recv(REQUEST.size + 1)
        except OSError:
            return
        if not packet:  # it only looked whether somebody listens
            return
        command = "-"
        if uid not in self.allowed:
            answer = _no(f"user {uid} may not command this bot")
        else:
            command, answer = self._obey(packet, uid)
        with contextlib.suppress(OSError):  # a client that does not wait was obeyed all the same
            client.send(json.dumps(answer).encode())
        log.emit(
            "DEBUG" if command == Command.STATUS.name else "WARNING",
            "control",
            "Operator command" if answer["ok"] else f"Operator refused: {answer['message']}",
            command=command,
            uid=uid,
            pid=pid,
        )

    def _obey(self, packet: bytes, uid: int) -> tuple[str, Answer]:
        """Do what a request of user `uid` says; return the command's name and the answer."""
        if len(packet) != REQUEST.size:
            return "-", _no(f"a request has {REQUEST.size} bytes")
        magic, version, code, market, limit, number = REQUEST.unpack(packet)
        if magic != MAGIC or version != VERSION:
            return "-", _no(f"a request begins with {MAGIC.decode()} and version {VERSION}")
        if code not in list(Command):
            return "-", _no(f"command {code} does not exist")
        if market not in self.desks:
            return Command(code).name, _no(f"market {market} is not traded here")
        command, desk = Command(code), self.desks[market]
        match command:
            case Command.SET_LIMIT:
                return command.name, _tighten(desk, limit, number, uid)
            case Command.RESET_BREAKER:
                return command.name, _reset(desk, number, uid)
        return command.name, _act(command, desk, uid)


def _act(command: Command, desk: Desk, uid: int) -> Answer:
    page = desk.page
    match command:
        case Command.KILL:
            page.raise_level(Level.LEVEL_KILLED)
        case Command.DRAIN:
            page.raise_level(Level.LEVEL_DRAIN)
        case Command.PAUSE:
            page.raise_level(Level.LEVEL_PAUSED)
            return _hold(desk, uid)
        case Command.CANCEL_ALL:
            # first the level: what the engine is told besides only says who asked
            page.raise_level(Level.LEVEL_PAUSED)
            page.withdraw(Asked.ASKED_FLATTEN)
            if not page.ask(Asked.ASKED_CANCEL_ALL, uid=uid):
                return _no(f"{BUSY}; it is paused")
        case Command.FLATTEN:
            return _flatten(desk, uid)
        case Command.RESUME:
            page.withdraw(Asked.ASKED_FLATTEN)
            if not page.resume():
                return _no("it drains already, which is not undone: start it again")
        case Command.STATUS:
            return {"ok": True, "message": "", "status": desk.status()}
    return {"ok": True, "message": ""}


def _hold(desk: Desk, uid: int) -> Answer:
    """Let a pause end what flattens: it stands at the same level."""
    if desk.page.withdraw(Asked.ASKED_FLATTEN) or not desk.status().get("flattening"):
        return {"ok": True, "message": ""}
    if not desk.page.ask(Asked.ASKED_HOLD, uid=uid):
        return _no(f"{BUSY}; until then it flattens")
    return {"ok": True, "message": ""}


def _flatten(desk: Desk, uid: int) -> Answer:
    status = desk.status()
    if status["halt"]:
        return _no(
            f"halt {status['halt_id']}, {status['halt']}, stands, under which nothing is quoted:"
            " reset-breaker clears it once it is understood"
        )
    if desk.page.level >= Level.LEVEL_DRAIN:
        return _no("it drains already: nothing is quoted any more")
    if not desk.page.ask(Asked.ASKED_FLATTEN, uid=uid):
        return _no(BUSY)
    desk.page.raise_level(Level.LEVEL_PAUSED)
    return {"ok": True, "message": ""}


def _tighten(desk: Desk, code: int, value: int, uid: int) -> Answer:
    if code not in NAMES.values():
        return _no(f"limit {code} does not exist")
    name = limit_name(code)
    now: dict[str, Any] = desk.status()["limits"][name]
    if not 0 < value < now["steps"]:
        return _no(f"{name} is {now['value']} now: want a tighter one, the configuration loosens")
    if not desk.page.ask(Asked.ASKED_LIMIT, code, value, uid):
        return _no(BUSY)
    return {"ok": True, "message": ""}


def _reset(desk: Desk, halt_id: int, uid: int) -> Answer:
    status = desk.status()
    if not status["halt"]:
        return _no("no halt stands")
    if status["halt_id"] != halt_id:
        return _no(f"no halt {halt_id} stands: halt {status['halt_id']}, {status['halt']}, does")
    if not desk.page.ask(Asked.ASKED_CLEAR_HALT, halt_id, uid=uid):
        return _no("another request to clear a halt is under way")
    return {"ok": True, "message": ""}


def _no(message: str) -> Answer:
    return {"ok": False, "message": message}


# the other end


class Client:
    """The control folder of one account, as an operator's command sees it.

    Raise BogError when there is none: no bot has run on that journal.
    """

    def __init__(self, journal: str) -> None:
        self.where = folder_of(journal)
        try:
            self.folder = _open_folder(self.where)
        except OSError as error:
            raise BogError(
                f"no bot runs on the journal in {journal}: {self.where}: {error.strerror}"
            ) from None

    def close(self) -> None:
        os.close(self.folder)

    def markets(self) -> list[int]:
        """Return the markets that a bot listens for."""
        return sorted(market for market in self._named() if self._connect(market) is not None)

    def _named(self) -> Iterator[int]:
        for name in os.listdir(self.folder):  # noqa: PTH208 - of the folder that was checked
            number = name.removeprefix("m").removesuffix(".sock")
            if name == f"m{number}.sock" and number.isdigit():
                yield int(number)

    def _connect(self, market: int) -> socket.socket | None:
        connection = _new_socket()
        connection.settimeout(ASK_SEC)
        try:
            connection.connect(_path(self.folder, market))
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            return None
        return connection

    def ask(self, market: int, command: Command, number: int = 0, limit: int = 0) -> Answer:
        """Return the bot's answer; raise BogError when there is no bot, no answer, or a refusal.

        `number` is a halt's, or the new value of `limit` in the core's units.
        """
        connection = self._connect(market)
        if connection is None:
            raise BogError(f"no bot trades market {market} on the journal in {self.where.parent}")
        with connection:
            try:
                connection.send(REQUEST.pack(MAGIC, VERSION, command, market, limit, number))
                raw = connection.recv(ANSWER_BYTES)
            except TimeoutError:
                raise BogError(
                    f"the bot of market {market} does not answer within {ASK_SEC:.0f} s: "
                    "send it a signal"
                ) from None
            except OSError as error:
                raise BogError(f"the bot of market {market} is gone: {error.strerror}") from None
        if not raw:
            raise BogError(f"the bot of market {market} hung up: it may be ending")
        answer: Answer = json.loads(raw)
        if not answer["ok"]:
            raise BogError(f"market {market}: {answer['message']}")
        return answer
