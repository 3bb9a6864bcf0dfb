"""What a tick takes from one process to another and back: `python benchmarks/crossing.py`.

The feed's process, pinned to one core, publishes messages through the product's Publisher; the engine's,
pinned to another, waits for them, decides, journals and stores its commands. Two ways are timed:

- the record: the short ring's record by the product's Reader, one look at the clock, the heartbeat, the
  step with every check, the journal's records in its shared segment, both commands pushed into a link
  (link.h) from which the feed's core takes them as a gateway does. The loop around it is the benchmark's.
- the lane: the product's loop and lane as bog-live runs them on paper today: rows of the long ring, the
  paper venue's book, the whole book and its ten levels, the step, the journal. Seen is when the feed's
  core sees both amends in the journal's shared segment.

One clock, the feed core's time stamp: before the last row of a message is given to the publisher, after
it returned, and when the command was seen. "Stored" is the engine core's stamp on the same counter. All
figures stand beside round trips of one word between the same two processes, before and after: where
these are slow or change, the host has moved a core, and it is tried again, at most five times.
"""

import json
import mmap
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import host
import numpy as np
from blocks import HONEST, Cheat, fresh
from scenarios import STRATEGY

from bog import config
from bog._core.bench import MEETING_BYTES, Meeting
from bog._core.journal import JournalFile
from bog._core.lane import Lane
from bog._core.loop import Session
from bog._core.publisher import Publisher
from bog._core.reader import Reader
from bog._core.stats import StatsPage
from bog._core.types import Level

PINGS = 20_000
PUBLISHES = 60_000
WARM = 500  # messages before that, so that caches and branches know the way
TRIES = 5
FAR_NS, DRIFT = 250, 0.20
MARKET = 1_000_000
WRITTEN = 8  # of the journal's segment: the word that counts its records
SMALLEST = {
    "net_ns": 0,
    "response_ns": 0,
    "maker_ns": 0,
    "cancel_ns": 0,
    "amend_ns": 0,
    "taker_ns": 0,
}
QUANTILES = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
# beside the round trip's p50: design.md, section 7
TARGETS = {"stored": (1.5, 2.7), "seen": (2.0, 3.6)}

Row = tuple[int, int, int]
BASE: list[Row] = [(0, 9_999 - i, 20) for i in range(15)] + [(1, 10_001 + i, 20) for i in range(15)]
UP: list[Row] = [(1, 10_001 + i, 0) for i in range(5)] + [(0, 10_000 + i, 20) for i in range(5)]
DOWN: list[Row] = [(0, 10_004 - i, 0) for i in range(5)] + [(1, 10_005 - i, 20) for i in range(5)]
CASES: dict[str, tuple[list[Row], list[Row], int]] = {
    "requote both": (UP, DOWN, 2),
    "hold": ([(1, 10_001, 0), (0, 10_000, 20)], [(0, 10_000, 0), (1, 10_001, 20)], 0),
    "unchanged": ([(0, 9_994, 21)], [(0, 9_994, 20)], 0),
}


def realtime(pid: int, on: bool) -> None:
    """Let a process go before all others for a moment, where the host allows it."""
    with suppress(OSError):
        if on:
            os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
        else:
            os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))


@contextmanager
def burst(peer: int) -> Iterator[None]:
    """Let both processes go before all others; at most some tenths of a second."""
    realtime(peer, True)
    realtime(0, True)
    try:
        yield
    finally:
        realtime(0, False)
        realtime(peer, False)


def meet(path: str) -> Meeting:
    with Path(path).open("r+b") as file:
        return Meeting(mmap.mmap(file.fileno(), MEETING_BYTES))


def engine(pipe: Connection, folder: str, core: int) -> None:
    """The engine's process: does what it is told until it is told to end."""
    meeting = meet(f"{folder}/meeting")
    number = 0
    while (order := pipe.recv())[0] != "end":
        number += 1
        try:
            if order[0] == "pong":
                os.sched_setaffinity(0, {core})
                pipe.send("ready")
                meeting.pong(order[1])
                pipe.send(None)
            elif order[0] == "trade":
                pipe.send(trade(pipe, meeting, folder, core, number, order[1]))
            else:
                pipe.send(live(pipe, folder, core, number))
        except Exception as error:
            pipe.send(error)
    pipe.close()


def trade(
    pipe: Connection, meeting: Meeting, folder: str, core: int, number: int, n: int
) -> tuple[int, int]:
    """Take `n` records, as the record's way says; return (commands, refusals)."""
    reader = Reader(number, directory=folder)
    image = fresh(unix_offset_ns=reader.header()["unix_offset_ns"]).image()
    os.sched_setaffinity(0, os.sched_getaffinity(os.getppid()) | {core})  # the journal's own thread
    journal = JournalFile(
        folder, market=number, run=1, price_decimals=1, size_decimals=5, segments=folder,
        capacity=1 << 19,
    )  # fmt: skip
    os.sched_setaffinity(0, {core})
    pipe.send("ready")
    try:
        return meeting.trade(reader, journal, image, n)
    finally:
        journal.close()


def live(pipe: Connection, folder: str, core: int, number: int) -> dict[str, Any]:
    """Run the product's loop over one lane on the feed until its level says drain; return its page."""
    chosen = config.load(flags={"feed": {"source": "huginn"}}, environ={})
    reader = Reader(number, directory=folder)
    offset = reader.header()["unix_offset_ns"]
    spec = {
        "market": MARKET + number, "run": 1, "limits": HONEST | {"unix_offset_ns": offset},
        "strategy": chosen.strategy_params(1) | STRATEGY,
        "venue": chosen.venue_params(1) | SMALLEST | {"requests_per_min": 0, "min_qty": 0,
                                                      "min_notional": 0},
        "price_decimals": 1, "size_decimals": 5, "speed_ppm": 1_000_000,
        "duration_ns": 5_000_000_000, "mode": 0,
    }  # fmt: skip
    os.sched_setaffinity(0, os.sched_getaffinity(os.getppid()) | {core})
    page = StatsPage.create(f"{folder}/page", MARKET + number)
    journal = JournalFile(
        folder, market=MARKET + number, run=1, price_decimals=1, size_decimals=5, segments=folder,
        capacity=1 << 19,
    )  # fmt: skip
    lane = Lane(spec, page, journal, reader=reader)
    lane.start(None)
    os.sched_setaffinity(0, {core})
    pipe.send(journal.segment)
    try:
        Session([lane], 1_000_000, True).run()
    finally:
        journal.close()
    stages = ("read", "book", "strategy", "risk", "execution")
    return {
        "page": page.snapshot(),
        "samples": {name: page.samples(name) for name in (*stages, "order_turn")},
    }


def quantiles(ticks: Any, per_ns: float) -> dict[str, float]:
    """Return quantiles of ticks in ns."""
    return {name: float(np.quantile(ticks, q)) / per_ns for name, q in QUANTILES}


class Pair:
    """This process as the feed, pinned to one core, and another one as the engine on another."""

    def __init__(self, folder: str, per_ns: float) -> None:
        self.cores = sorted(os.sched_getaffinity(0))
        self.folder, self.per_ns, self.number = folder, per_ns, 0
        (Path(folder) / "meeting").write_bytes(bytes(MEETING_BYTES))
        self.meeting = meet(f"{folder}/meeting")
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
        self.number += 1
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

    def round_trips(self) -> dict[str, float]:
        """Return quantiles of a word's way there and back, ns."""
        out = np.zeros(PINGS, np.uint64)
        self.ask("pong", PINGS)
        with burst(self.pid):
            self.meeting.ping(out)
        self.answer()
        return quantiles(out, self.per_ns)

    def begin(self) -> Publisher:
        """Return a feed of a market that nobody had before, and no book yet."""
        return Publisher(self.number + 1, directory=self.folder, price_decimals=1, size_decimals=5)

    def book(self, publisher: Publisher, rows: list[Row]) -> None:
        """Publish a message that is as old as it is new."""
        now = time.monotonic_ns()
        publisher.heartbeat(now)
        for i, (side, px, qty) in enumerate(rows):
            publisher.put(
                ord("L"), side, px, qty, recv_ns=now, exch_ns=time.time_ns(),
                eom=i + 1 == len(rows),
            )  # fmt: skip

    def record(self, name: str) -> dict[str, Any]:
        """Time the record's way; Cheat when the commands are not as many as the case says."""
        even, odd, each = CASES[name]
        publisher = self.begin()
        out = np.zeros((WARM + PUBLISHES, 3), np.uint64)
        spacing = int(1000 * self.per_ns)
        self.ask(
            "trade", len(out) + 2
        )  # the book that stands, one message to begin with, and these
        with burst(self.pid):
            self.book(publisher, BASE)  # which is quoted on
            self.meeting.publish(
                publisher, even, odd, out[:1].copy(), commands=2 + each, spacing=spacing
            )
            self.meeting.publish(publisher, odd, even, out, commands=each, spacing=spacing)
        commands, refused = self.answer()
        wanted = 2 + each * (len(out) + 1)
        if refused or commands != wanted:
            raise Cheat(f"{name}: {commands} commands, {refused} refused: want {wanted} and 0")
        out = out[WARM:]
        return {
            "publisher": quantiles(out[:, 0], self.per_ns),
            "stored": quantiles(out[:, 1], self.per_ns), "seen": quantiles(out[:, 2], self.per_ns),
            "given to stored": quantiles(out[:, 0] + out[:, 1], self.per_ns),
            "given to seen": quantiles(out[:, 0] + out[:, 2], self.per_ns),
        }  # fmt: skip

    def lane(self, name: str) -> dict[str, Any]:
        """Time the lane's way with its answers: two amends a message, two words of the venue."""
        even, odd, each = CASES[name]
        publisher = self.begin()
        segment = self.ask("live")
        with Path(segment).open("rb") as file:
            words = memoryview(mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ)).cast("Q")
        page = StatsPage.open(f"{self.folder}/page", writable=True)
        try:
            until = time.monotonic() + 10
            self.book(publisher, BASE)
            while page.snapshot()["acks"] < 2:
                # a busy host may have shown it too late
                self.book(publisher, BASE[-1:])
                if time.monotonic() > until:
                    raise Cheat(f"{name}: the lane did not quote: {page.snapshot()['why']}")
                time.sleep(0.01)
            out = np.zeros((WARM + PUBLISHES // 2, 3), np.uint64)
            with burst(self.pid):
                self.meeting.publish(
                    publisher, even, odd, out, commands=each, spacing=int(1000 * self.per_ns),
                    journal=words[WRITTEN : WRITTEN + 1], records=2 * each,
                )  # fmt: skip
        finally:
            page.raise_level(Level.LEVEL_DRAIN)
            found = self.answer()
        amended, wanted = found["page"]["amended"], each * len(out)
        if amended != wanted:
            raise Cheat(f"{name}: {amended} amends, not {wanted}")
        out = out[WARM:]
        return {
            "publisher": quantiles(out[:, 0], self.per_ns),
            "seen": quantiles(out[:, 2], self.per_ns),
            "given to seen": quantiles(out[:, 0] + out[:, 2], self.per_ns),
            "samples": found["samples"],
        }

    def near(self, what: str, way: str) -> dict[str, Any]:
        """Time one way between round trips that agree, trying again where they do not."""
        found: dict[str, Any] = {}
        for _ in range(TRIES):
            before = self.round_trips()
            found = self.record(what) if way == "record" else self.lane(what)
            after = self.round_trips()
            trip = (before["p50"] + after["p50"]) / 2
            found["round trip"] = {"before": before, "after": after}
            drift = abs(after["p50"] - before["p50"]) / before["p50"]
            found["near"] = max(before["p50"], after["p50"]) <= FAR_NS and drift <= DRIFT
            for name in ("stored", "seen"):
                if name in found:
                    for q, _ in QUANTILES:
                        found[name][f"{q} trips"] = found[name][q] / trip
            if found["near"]:
                break
            print(
                f"{what}, {way}: the two cores are far apart: round trips of {before['p50']:.0f} ns"
                f" before, {after['p50']:.0f} ns after", flush=True,
            )  # fmt: skip
        return found


def collect(per_ns: float) -> dict[str, Any]:
    """Time every case; {} where there is only one core."""
    if len(os.sched_getaffinity(0)) < 2:
        return {}
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        pair = Pair(folder, per_ns)
        try:
            found = {f"record, {name}": pair.near(name, "record") for name in CASES}
            found["lane, requote both"] = pair.near("requote both", "lane")
        finally:
            pair.close()
    return found


if __name__ == "__main__":
    json.dump(collect(host.ticks_per_ns()), sys.stdout, indent=1)
