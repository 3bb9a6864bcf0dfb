"""What a tick takes from the feed's core to the engine's and back: `python benchmarks/crossing.py`.

The feed's process, pinned to one core, publishes messages through the product's Publisher and takes
commands as a gateway does; the engine's, pinned to another, is the product's loop and lane: the reader's
rows, the whole book and its ten levels, the step with every check, the journal, the commands in the
link (link.h). One clock, CLOCK_MONOTONIC, read by both: before the last row of a message is given to
the publisher; when the engine has stored the commands (the stats page's `turned_ns`); when the feed's
core has taken the last of them.

A window of messages stands between two windows of round trips of one word between the same two cores;
figures are multiples of their p50. Where the round trips are slow, or differ before and after, the host
has moved a core: the window is taken anew, and that is said.
"""

import json
import mmap
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import host
import numpy as np
from blocks import HONEST, Cheat
from scenarios import SECOND, STRATEGY

from bog import config
from bog._core.bench import MEETING_BYTES, Meeting, cross
from bog._core.journal import JournalFile
from bog._core.lane import Lane
from bog._core.link import GatewayState, Link
from bog._core.loop import Session
from bog._core.publisher import Publisher
from bog._core.reader import Reader
from bog._core.stats import StatsPage, lock_memory
from bog._core.types import CommandKind, Level, ReportKind, StateWord, Verdict

WINDOWS = 12
MESSAGES = 5_000  # of a window
WARM = 500  # before them, so that caches and branches know the way
LAP = 8_000  # before the first window, so that every page of the long ring has been touched
PINGS = 2_000  # before and after a window
SPACING_NS = 1_000  # to twice as much from the end of a message to the next one
FAR_NS, DRIFT = 250, 0.20
TRIES = 2  # windows that are begun for one that is wanted
PATIENCE_S = 20
# a busy host may stop the feed's process for a while: what it says is judged as ever, and passes
PATIENT = {"stale_after_ns": 60 * SECOND, "max_feed_delay_ns": 60 * SECOND}
MARKET = 1
STAGES = ("read", "book", "strategy", "risk", "execution", "order_turn")
QUANTILES = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
# beside the round trip's p50: design.md, section 7
TARGETS = {"stored": (1.5, 2.7), "seen": (2.0, 3.6)}

Row = tuple[int, int, int]
# one tick wide on one side of the first level: where it leaves, the touch moves by ten ticks
BASE: list[Row] = [(0, 9_999, 20), *((0, 9_989 - i, 20) for i in range(14))] + [
    (1, 10_001 + i, 20) for i in range(15)
]
UP: list[Row] = [(1, 10_001 + i, 0) for i in range(5)] + [(0, 10_000 + i, 20) for i in range(5)]
DOWN: list[Row] = [(0, 10_004 - i, 0) for i in range(5)] + [(1, 10_005 - i, 20) for i in range(5)]
LEAVES: list[Row] = [(0, 9_999, 0)]
RETURNS: list[Row] = [(0, 9_999, 20)]


class Stopped(Cheat):
    """The link counted its other end as dead: a process stood still for half a second."""


@dataclass(frozen=True)
class Case:
    """Two messages that are published in turn, and what each must bring about."""

    name: str
    even: list[Row]
    odd: list[Row]
    commands: int
    limits: dict[str, int] = field(default_factory=dict)
    strategy: dict[str, int] = field(default_factory=dict)
    pos: int = 0  # lots held from the start


CASES = [
    Case("requote both", LEAVES, RETURNS, 2),
    Case("hold", [(0, 10_000, 20)], [(0, 10_000, 0)], 0),
    # rows that a reader takes while the others are on their way
    Case("requote both, ten rows", UP, DOWN, 2),
]


def realtime(pid: int, on: bool) -> None:
    """Let a process go before all others for a moment, where the host allows it."""
    with suppress(OSError):
        if on:
            os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
        else:
            os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))


@contextmanager
def burst(peer: int) -> Iterator[None]:
    """Let both processes go before all others; for some hundredths of a second."""
    realtime(peer, True)
    realtime(0, True)
    try:
        yield
    finally:
        realtime(0, False)
        realtime(peer, False)


def meet(folder: str) -> Meeting:
    with Path(folder, "meeting").open("r+b") as file:
        return Meeting(mmap.mmap(file.fileno(), MEETING_BYTES))


# the engine's process


def engine(pipe: Connection, folder: str, core: int) -> None:
    """Do what is told until told to end."""
    meeting = meet(folder)
    os.sched_setaffinity(0, {core})
    while (order := pipe.recv())[0] != "end":
        try:
            if order[0] == "pong":
                pipe.send("ready")
                meeting.pong(order[1])
                pipe.send(None)
            else:
                pipe.send(trade(pipe, folder, *order[1:]))
        except Exception as error:
            pipe.send(error)
    pipe.close()


class Held:
    """What a lane starts from: a position, and no order."""

    open_orders = limits = ()

    def __init__(self, pos: int) -> None:
        paid = pos * BASE[0][1]
        known = {StateWord.W_POS: pos, StateWord.W_COST: paid, StateWord.W_CASH: -paid}
        self.words = [known.get(StateWord(i), 0) for i in range(StateWord.STATE_WORDS)]


def trade(
    pipe: Connection, folder: str, name: str, case: Case, patience_s: float
) -> dict[str, Any]:
    """Run the product's loop over one lane until its level says drain; return what its page says."""
    chosen = config.load(flags={"feed": {"source": "huginn"}}, environ={})
    reader = Reader(MARKET, directory=folder)
    raw, scale = 1_000_000 + MARKET, {"price_decimals": 1, "size_decimals": 5}
    spec = {
        "market": raw, "run": 1,
        "limits": HONEST
        | PATIENT
        | {"unix_offset_ns": reader.header()["unix_offset_ns"]}
        | case.limits,
        "strategy": chosen.strategy_params(MARKET) | STRATEGY | case.strategy,
        "venue": chosen.venue_params(MARKET),
        **scale, "speed_ppm": 1_000_000, "duration_ns": int(patience_s * 10**9), "mode": 0,
    }  # fmt: skip
    page = StatsPage.create(f"{folder}/page-{name}", raw)
    own = Path(folder, name)
    own.mkdir(mode=0o700)
    journal = JournalFile(own, market=raw, run=1, segments=folder, **scale)
    lane = Lane(spec, page, journal, reader=reader, link=Link.open(f"{folder}/link-{name}"))
    lane.start(Held(case.pos) if case.pos else None)
    lock_memory()  # as bog.run does
    pipe.send("ready")
    try:
        Session([lane], 1_000_000, True).run()
    finally:
        journal.close()
    return {"page": page.snapshot(), "samples": {stage: page.samples(stage) for stage in STAGES}}


# the feed's process


def answer(link: Link) -> int:
    """Say of each waiting command that it was done; return how many there were."""
    said = {
        CommandKind.CMD_PLACE: ReportKind.REP_ACK, CommandKind.CMD_AMEND: ReportKind.REP_AMENDED,
        CommandKind.CMD_CANCEL: ReportKind.REP_CANCELED,
    }  # fmt: skip
    link.gateway_beat_ns = time.monotonic_ns()
    commands = link.commands()
    for c in commands:
        link.report(
            said[CommandKind(c.kind)], c.order_id, side=c.side, px=c.px, qty=c.qty,
            venue_id=c.order_id, time_ns=time.monotonic_ns(),
        )  # fmt: skip
    return len(commands)


class Peer:
    """The engine's process, pinned to the last core; this one keeps to the first."""

    def __init__(self, folder: str) -> None:
        self.cores = sorted(os.sched_getaffinity(0))
        self.folder, self.number, self.patience_s = folder, 0, PATIENCE_S / 2
        Path(folder, "meeting").write_bytes(bytes(MEETING_BYTES))
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("spawn").Process(
            target=engine, args=(other, folder, self.cores[-1]), daemon=True
        )
        self.process.start()
        os.sched_setaffinity(0, {self.cores[0]})

    def close(self) -> None:
        os.sched_setaffinity(0, self.cores)
        with suppress(OSError):
            self.pipe.send(("end",))
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()

    def ask(self, *order: Any) -> Any:
        """Tell the engine's process what to do; return what it says before it begins."""
        self.pipe.send(order)
        return self.answer()

    def answer(self) -> Any:
        said = self.pipe.recv()
        if isinstance(said, Exception):
            raise said
        return said

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def trade(
        self, case: Case, patience_s: float = PATIENCE_S, **owner: int
    ) -> tuple[Link, StatsPage]:
        """Let the engine begin to trade; return its link, whose gateway we are, and its page."""
        self.number += 1
        name = str(self.number)
        link = Link.create(f"{self.folder}/link-{name}", 1_000_000 + MARKET, **owner)
        link.gateway_pid, link.gateway_state = os.getpid(), GatewayState.GATEWAY_UP
        link.gateway_beat_ns = time.monotonic_ns()
        self.ask("trade", name, case, patience_s)
        return link, StatsPage.open(f"{self.folder}/page-{name}", writable=True)

    def quotes(
        self, case: Case, link: Link, page: StatsPage, show: Callable[[], None]
    ) -> dict[str, Any]:
        """Show a book until both orders rest; return the page then, or Cheat."""
        until = time.monotonic() + self.patience_s
        while page.snapshot()["acks"] < 2:
            # shown again: a busy host may have taken the one before too late to act on it
            show()
            time.sleep(0.01)
            answer(link)
            if time.monotonic() > until:
                raise Cheat(f"{case.name}: no quotes{refusals(page.snapshot())}")
        return page.snapshot()

    def drain(self, link: Link, page: StatsPage) -> dict[str, Any]:
        """Let the engine end; return what it found."""
        page.raise_level(Level.LEVEL_DRAIN)
        until = time.monotonic() + PATIENCE_S
        while not self.pipe.poll(0.001) and time.monotonic() < until:
            answer(link)
        found: dict[str, Any] = self.answer()
        return found


class Pair(Peer):
    """This process as the feed and the gateway, on its core, of the engine on another."""

    def __init__(self, folder: str, per_ns: float, pings: int = PINGS) -> None:
        self.publisher = Publisher(MARKET, directory=folder, price_decimals=1, size_decimals=5)
        super().__init__(folder)
        self.per_ns, self.pings = per_ns, pings
        self.meeting = meet(folder)

    def close(self) -> None:
        super().close()
        self.publisher.close()

    def round_trips(self) -> Any:
        """Return how long a word's way there and back took each time, ns."""
        out = np.zeros(self.pings, np.uint64)
        self.ask("pong", self.pings)
        with burst(self.pid):
            self.meeting.ping(out)
        self.answer()
        return out / self.per_ns

    def show(self, rows: list[Row]) -> None:
        """Publish a message that is as old as it is new."""
        now = time.monotonic_ns()
        self.publisher.heartbeat(now)
        for i, (side, px, qty) in enumerate(rows):
            self.publisher.put(
                ord("L"), side, px, qty, recv_ns=now, exch_ns=time.time_ns(),
                eom=int(i + 1 == len(rows)),
            )  # fmt: skip

    def window(self, case: Case, messages: int, warm: int) -> dict[str, Any]:
        """Time `messages` messages after `warm` others; Cheat when they are not what the case says."""
        self.show([(side, px, 0) for side, px, _ in UP + DOWN] + BASE)
        link, page = self.trade(case)
        out = np.zeros((warm + messages, 3), np.int64)
        try:
            before = self.quotes(case, link, page, lambda: self.show(BASE))
            try:
                with burst(self.pid):
                    cross(
                        self.publisher, link, page, case.even, case.odd, out,
                        commands=case.commands, spacing_ns=SPACING_NS,
                    )  # fmt: skip
            except TimeoutError as error:
                why = refusals(page.snapshot(), before)
                raise kind_of(why)(f"{case.name}: {error}{why}") from None
        finally:
            found = self.drain(link, page)
        check(case, before, found["page"], len(out))
        found["ns"] = out[warm:]
        return found


def refusals(page: dict[str, Any], before: dict[str, Any] | None = None) -> str:
    """Return what the gate has refused since `before` for what reasons, "" when nothing."""
    known = before["denied"] if before else [0] * len(page["denied"])
    said = [
        f"{n - known[i]} times for {Verdict(i).name}"
        for i, n in enumerate(page["denied"]) if n > known[i] and i != Verdict.ALLOW
    ]  # fmt: skip
    return f", refused {', '.join(said)}" if said else ""


def kind_of(why: str) -> type[Cheat]:
    """Return what refusals mean: for the connection's sake alone, that the host stopped a process."""
    return Stopped if why.count(" times for ") == 1 and "DENY_CONNECTION" in why else Cheat


def check(case: Case, before: dict[str, Any], after: dict[str, Any], messages: int) -> None:
    """Cheat unless each message was another book, gave its commands, and nothing was refused."""
    if why := refusals(after, before):
        raise kind_of(why)(f"{case.name}: quotes were{why[1:]}")
    amended, wanted = after["amended"] - before["amended"], case.commands * messages
    if amended != wanted:
        raise Cheat(f"{case.name}: {amended} amends, not {wanted}: {case.commands} a message")
    books, same = (after[key] - before[key] for key in ("books", "unchanged"))
    if books < messages or same > books - messages:
        raise Cheat(
            f"{case.name}: {books} books for {messages} messages, {same} with the same touch"
        )


def quantiles(ns: Any) -> dict[str, float]:
    return {name: float(np.quantile(ns, q)) for name, q in QUANTILES}


def measure(
    pair: Pair, case: Case, windows: int = WINDOWS, messages: int = MESSAGES, warm: int = WARM
) -> dict[str, Any]:
    """Return quantiles in ns and in round trips over the windows whose round trips agree.

    `far` counts the windows that were given up; where too many were, `near` is false and the figures
    are those of the last ones.
    """
    kept: list[Any] = []
    trips: list[Any] = []
    samples = {stage: Counter[int]() for stage in STAGES}
    far, apart, before = 0, False, pair.round_trips()
    while len(kept) < windows:
        try:
            found = pair.window(
                case, messages, warm if pair.number else max(warm, min(LAP, messages * 2))
            )
        except Stopped as stopped:
            far += 1
            if far >= windows * (TRIES - 1):
                raise
            print(f"{stopped}: the host stopped a process; the window is taken anew", flush=True)
            before = pair.round_trips()
            continue
        after = pair.round_trips()
        ends = float(np.median(before)), float(np.median(after))
        near = max(ends) <= FAR_NS and abs(ends[1] - ends[0]) <= DRIFT * ends[0]
        if near or far >= windows * (TRIES - 1):
            apart = apart or not near
            kept.append(found["ns"])
            trips += [before, after]
            for stage in STAGES:
                samples[stage].update(found["samples"][stage])
        else:
            far += 1
            if far == 1:
                print(
                    f"{case.name}: the two cores are far apart: round trips of {ends[0]:.0f} ns before,"
                    f" {ends[1]:.0f} ns after; such windows are taken anew", flush=True,
                )  # fmt: skip
        before = after
    ns, trip = np.concatenate(kept), np.concatenate(trips)
    one: dict[str, Any] = {
        "round trip": quantiles(trip), "far": far, "near": not apart,
        "messages": len(ns), "samples": samples,
    }  # fmt: skip
    for name, column in (("published", 0), ("stored", 1), ("seen", 2)):
        if name != "seen" or case.commands:
            one[name] = quantiles(ns[:, column])
            one[name] |= {
                f"{q} trips": one[name][q] / one["round trip"]["p50"] for q, _ in QUANTILES
            }
    return one


@contextmanager
def pair_of_cores(per_ns: float, pings: int = PINGS) -> Iterator[Pair]:
    """Give a feed and an engine on two cores, in a folder in memory."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(dir=place) as folder,
        closing(Pair(folder, per_ns, pings)) as pair,
    ):
        yield pair


def collect(per_ns: float) -> dict[str, Any]:
    """Time every case; {} where there is only one core."""
    if len(os.sched_getaffinity(0)) < 2:
        return {}
    with pair_of_cores(per_ns) as pair:
        return {case.name: measure(pair, case) for case in CASES}


if __name__ == "__main__":
    json.dump(collect(host.ticks_per_ns()), sys.stdout, indent=1)
