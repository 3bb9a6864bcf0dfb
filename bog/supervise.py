"""bog-live's own process: starts the engine, follows what it does, says how it ended.

The engine trades in a process of its own; here live the screen, the log and the report, fed by the
stats page and the journal's file. A Ctrl-C lands in C handlers that raise one shared word.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from bog import facts, host, log, out
from bog._core.journal import file_name
from bog._core.link import Link
from bog._core.stats import StatsPage, name_process
from bog._core.types import Level
from bog.errors import BogError, ConfigError, DataError, JournalDamaged, UsageError
from bog.facts import About
from bog.host import Granted
from bog.launch import Child
from bog.limits import limit_name, limit_text
from bog.recovery import NAMES, RECORD
from bog.speaker import JournalSpeaker
from bog.spec import ProcessSpec, Spec, raw_market
from bog.units import text

POLL_SEC = 0.05
START_SEC = 30.0  # an engine that is not ready by then is stuck
DRAIN_SEC = 40.0  # the engine gives up draining after 30 s of its clock
PAGE = 4096  # bytes of a journal before its first record
ERRORS = {e.exit_code: e for e in (BogError, DataError, UsageError, JournalDamaged, ConfigError)}


def page_path(directory: str, market: int) -> str:
    """Return the name of a new stats page, after removing pages and links of dead processes of ours."""
    raw = raw_market(market)
    for old in (*Path(directory).glob(f"bog_m{raw}.*"), *Path(directory).glob(f"bog_x{raw}.*")):
        pid = old.name.rpartition(".")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            with contextlib.suppress(OSError):  # another user's: theirs to remove
                old.unlink()
    return str(Path(directory) / f"bog_m{raw}.{os.getpid()}")


class JournalTail:
    """The records of a run as they become durable, from its first file on."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.file: IO[bytes] = self.path.open("rb")
        self.file.seek(PAGE)
        self.rest = b""

    def records(self) -> Iterator[dict[str, int]]:
        """Yield the fields of the whole records that were added since the last call."""
        while True:
            after = self._after()
            # a file gets its first record when the one before has its last
            over = after.exists() and after.stat().st_size > PAGE
            data = self.rest + self.file.read()
            whole = len(data) - len(data) % RECORD.size
            self.rest = data[whole:]
            for fields in RECORD.iter_unpack(data[:whole]):
                yield dict(zip(NAMES, fields, strict=True))
            if not over:
                return
            self.file.close()
            self.path, self.rest = after, b""
            self.file = after.open("rb")
            self.file.seek(PAGE)

    def _after(self) -> Path:
        """Return the file in which the run goes on when this one is turned over."""
        market, run = self.path.stem.split("-r")
        return self.path.with_name(file_name(int(market[1:]), int(run) + 1))

    def close(self) -> None:
        self.file.close()


class Lane:
    """One market of the engine process, as the shell sees it: its page, and what is said of it."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.market = spec["market"]
        self.link: Link | None = None  # to the gateway
        raw = raw_market(spec["market"])
        try:
            self.page = StatsPage.create(spec["page"], raw)
        except OSError as error:
            raise ConfigError(f"feed.directory: {spec['page']}: {error.strerror}") from None
        if spec["link"]:
            try:
                self.link = Link.create(
                    spec["link"], raw, chain=spec["chain"], account=spec["account"]
                )
            except OSError as error:
                Path(spec["page"]).unlink()
                raise ConfigError(f"feed.directory: {spec['link']}: {error.strerror}") from None
        self.ready: dict[str, Any] = {}
        self.done: dict[str, Any] = {}

    def close(self) -> None:
        for path in filter(None, (self.spec["page"], self.spec["link"])):
            with contextlib.suppress(FileNotFoundError):
                Path(path).unlink()


class Engine:
    """One engine process and its lanes, from start to exit."""

    def __init__(self, process: ProcessSpec, child: Child) -> None:
        self.lanes: list[Lane] = []
        try:
            for spec in process["lanes"]:
                self.lanes.append(Lane(spec))
        except BogError:
            self._unlink()
            raise
        # the first page's level is that of the process
        self.page = self.lanes[0].page
        self.page.install_signals(whole=True)
        self.begins = False
        self.refused: list[str] = []  # what the host did not grant
        self.granted: Granted | None = None  # what it did, as of the last look
        self.faults_before = 0
        self.realtime = False
        self.child = child
        assert self.child.stdin is not None and self.child.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it died: wait_ready says so
            self.child.stdin.write(json.dumps(process).encode() + b"\n")
            self.child.stdin.flush()
        os.set_blocking(self.child.stdout.fileno(), False)
        self.unread = b""

    def listen(self) -> None:
        """Take what the engine says; an error of its becomes the same error here."""
        assert self.child.stdout is not None
        self.unread += self.child.stdout.read() or b""
        *said, self.unread = self.unread.split(b"\n")
        for each in said:
            line = json.loads(each)
            if line["event"] == "error":
                self.child.wait()
                raise ERRORS.get(line["code"], BogError)(line["message"])
            if line["event"] == "begins":
                self.begins, self.refused = True, line["refused"]
                self.granted, self.faults_before = line["host"], line["faults_before"]
                self.realtime = self.granted["policy"] in host.REALTIME
                continue
            lane = next(lane for lane in self.lanes if lane.market == line["market"])
            if line["event"] == "ready":
                lane.ready = line
            else:
                lane.done = line
                self.granted = line["host"]

    def wait_ready(self) -> None:
        """Return when every lane has recovered and is about to trade."""
        until = time.monotonic() + START_SEC
        while not self.begins:
            self.listen()
            if self.begins:
                return
            if self.child.poll() is not None:
                self.listen()
                if not self.begins:
                    raise BogError(f"the engine died while starting, {self.end()}")
            if time.monotonic() > until:
                raise BogError(f"the engine is not ready after {START_SEC:.0f} s")
            time.sleep(0.005)

    def end(self) -> str:
        """Return how the process ended, in words."""
        code = self.child.returncode
        return f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"

    def host(self) -> Granted | None:
        """Return what the host gives the engine now, or gave it at its end; None before it begins."""
        if self.granted and not any(lane.done for lane in self.lanes):
            with contextlib.suppress(OSError):  # it died: what it had last stands
                self.granted = host.granted(
                    self.child.pid, self.granted["idle"], self.faults_before, self.granted["awake"]
                )
        return self.granted

    def look_at_host(self) -> None:
        """Say once when the hot thread has lost real time: it ran too long without a rest."""
        granted = self.host() if self.realtime else None
        if granted and granted["policy"] not in host.REALTIME:
            self.realtime = False
            self.refused.append(host.LOST)
            log.emit("WARNING", "host", host.LOST)

    def follow(self, watch: Callable[[], None], speakers: dict[int, JournalSpeaker]) -> int:
        """Show and log until every lane has ended; return the worst exit code."""
        tails = {lane.market: JournalTail(lane.ready["journal"]) for lane in self.lanes}
        drain_since = 0.0
        try:
            while True:
                over = self.child.poll() is not None
                self.listen()
                self.look_at_host()
                for market, tail in tails.items():
                    for record in tail.records():
                        if market in speakers:
                            speakers[market].say(record)
                watch()
                if over:
                    break
                self.page.shell_beat(time.monotonic_ns())
                if self.page.level >= Level.LEVEL_DRAIN:
                    drain_since = drain_since or time.monotonic()
                    if time.monotonic() - drain_since > DRAIN_SEC:
                        self.child.kill()
                time.sleep(POLL_SEC)
        finally:
            for tail in tails.values():
                tail.close()
        if not all(lane.done for lane in self.lanes):
            whole = "its journal is whole" if len(self.lanes) == 1 else "their journals are whole"
            raise BogError(f"the engine died {self.end()}; {whole}, start again to recover")
        if len(self.lanes) == 1 and self.lanes[0].done["failed"]:
            raise DataError(self.lanes[0].done["failed"])
        return self.child.returncode

    def close(self) -> None:
        """Leave nothing behind: no process, no page."""
        if self.child.poll() is None:
            self.page.raise_level(Level.LEVEL_DRAIN)
            try:
                self.child.wait(DRAIN_SEC)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self._unlink()

    def _unlink(self) -> None:
        for lane in self.lanes:
            lane.close()


def name_me(name: str) -> None:
    """Name this process so that the operations guide's pkill and pgrep find it."""
    name_process(name)


def remarks(engine: Engine) -> list[str]:
    """Return what the host refused, and what was dropped because nobody took it, a line each."""
    lines = list(engine.refused)
    if log.dropped():
        lines.append(f"{log.dropped()} log records were dropped: the log's disk does not take them")
    if out.dropped():
        lines.append(f"{out.dropped()} lines were not taken by whoever reads standard output")
    return lines


def limits_kept(ready: dict[str, Any], about: About) -> list[str]:
    """Return what became of the limits that an operator tightened before this start, a line each."""
    lines, scale = [], (about["price_decimals"], about["size_decimals"])
    for one in ready["limits"]:
        name = limit_name(one["limit"])
        tight, configured = (
            limit_text(one["limit"], one[k], *scale) for k in ("value", "configured")
        )
        said = f"limit {name} stays {tight}, as user {one['uid']} tightened it: {configured} configured"
        if not one["kept"]:
            said = f"limit {name} is {configured}, configured anew: user {one['uid']}'s {tight} is lifted"
        lines.append(said)
    return lines


def welcome(ready: dict[str, Any], about: About, granted: Granted | None) -> str:
    """Return what the start found and did, a line each."""
    lines = [
        f"market {about['market']} {about['symbol']}, {about['feed']}, {about['strategy']},"
        f" tier {about['tier']}, fill model {about['fill_model']}",
        f"journal {ready['journal']}",
        *([f"host {host.words(granted)}"] if granted else []),
    ]
    if ready["recovered_run"]:
        position = text(ready["position"], about["size_decimals"])
        orders = f"{ready['canceled']} paper orders canceled"
        if about["mode"] != "paper":
            orders = f"{len(ready['orders'])} orders of it unknown until the gateway says more"
        lines.append(
            f"recovered run {ready['recovered_run']}: position {position}"
            f" {about['symbol']}, {orders}"
        )
    if ready["halt"]:
        lines.append(
            f"HALTED by {facts.halt_name(ready['halt'])}: nothing is quoted; --clear-halt"
            f" {ready['halt_id']} trades again, once it is understood"
        )
    lines += limits_kept(ready, about)
    if ready["silent"]:
        lines.append(f"no feed of market {about['market']} yet: {ready['silent']}; waiting for one")
    if ready["cut"]:
        lines.append(f"cut {ready['cut']} torn bytes from its end: what they said is lost")
    return "\n".join(lines)
