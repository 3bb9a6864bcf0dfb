"""A writer of the shared-memory feed that misbehaves on demand: for tests only.

`FeedSim(folder, seed)` starts a herder process, which has everything loaded and forks each writer,
so that a life of a writer costs milliseconds and may end by kill -9. A writer keeps a book of ten
levels a side around a mid that walks, prints trades, and gives signs of life, until told otherwise.
It is bog's Publisher; what no Publisher does is poked into the object at the offsets that
docs/formats.md gives (`FeedSim.poke`, `RawWriter`).
"""

import contextlib
import json
import mmap
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bog._core.huginn import layout
from bog._core.publisher import Publisher
from bog._core.shm import object_path
from bog._core.types import RowKind, Status
from bog.errors import FeedError
from bog.rows import ROW_DTYPE as PACKED

WHERE = layout()
ROOT = Path(__file__).resolve().parents[2]
RESET, LEVEL, TRADE, STATUS = (
    int(kind) for kind in (RowKind.ROW_RESET, RowKind.ROW_LEVEL, RowKind.ROW_TRADE, RowKind.ROW_STATUS)
)  # fmt: skip
SLOTS = 65536
SNAPSHOT, AFTER_GAP = 1, 2
BID, ASK = 0, 1
SIZE = 100_000  # lots a level
HALF = 2  # ticks from the mid to the touch
LEVELS = 10
DEPTH_HEAD = 64  # bytes of bog_depth_t before its levels
DEPTH_CAP = (WHERE["book.depth"][1] - DEPTH_HEAD) // 32  # levels a side
ROW = struct.Struct("<QqqqqqQBBBBI")  # gen recv exch px qty id seq kind side eom flags market


def levels(mid: int) -> tuple[dict[int, int], dict[int, int]]:
    """Return the bids and asks of the whole book around `mid`, price to size."""
    steps = range(HALF, HALF + LEVELS)
    return {mid - i: SIZE + i for i in steps}, {mid + i: SIZE + i for i in steps}


class Writer:
    """One life of a writer, in a process of its own; `line` carries its orders."""

    def __init__(self, folder: str, line: socket.socket, seed: int, **how: Any) -> None:
        self.line = line
        self.chance = random.Random(seed)
        self.mid = how.get("mid", 1_000_000)
        self.period_s = how.get("period_s", 0.002)
        self.prints = how.get("prints", True)
        self.walks = how.get("walks", True)
        self.beats = self.rows = True
        self.exch_ns: int | None = None  # of every row; None: the time of day
        self.recv_ns: int | None = None
        self.number = 0
        self.book: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.pub = Publisher(
            1, directory=folder, price_decimals=1, size_decimals=5,
            first_seq=how.get("first_seq", 1),
        )  # fmt: skip

    def put(self, kind: int, side: int = 0, px: int = 0, qty: int = 0, **more: int) -> None:
        self.number += 1
        recv = time.monotonic_ns() if self.recv_ns is None else self.recv_ns
        exch = time.time_ns() if self.exch_ns is None else self.exch_ns
        values = {"recv_ns": recv, "exch_ns": exch, "id": self.number} | more
        self.pub.put(kind, side, px, qty, **values)

    def message(self, flags: int = 0, end: int = 1) -> None:
        """Bring the published book to the one around the mid; `end` 0 leaves the message open."""
        rows = [(RESET, 0, 0, 0)] if flags & SNAPSHOT or not self.book[0] else []
        before = ({}, {}) if rows else self.book
        after = levels(self.mid)
        for side in (BID, ASK):
            gone = [(LEVEL, side, px, 0) for px in before[side] if px not in after[side]]
            new = [
                (LEVEL, side, px, qty)
                for px, qty in after[side].items()
                if before[side].get(px) != qty
            ]
            rows += gone + new
        if not rows:  # a message says something: the size of the worst bid
            px = min(after[BID])
            after[BID][px] += 1 + self.number % 7
            rows = [(LEVEL, BID, px, after[BID][px])]
        for n, row in enumerate(rows):
            self.put(*row, eom=int(end and n == len(rows) - 1), flags=flags if end else 0)
        self.book = after

    def turn(self) -> None:
        if self.rows:
            if self.walks:
                self.mid += self.chance.choice((-1, 0, 0, 1))
            self.message()
            if self.prints and self.number % 16 == 0:
                side = self.chance.randrange(2)  # a print through a quote of ours fills it
                px = self.mid + (400 if side == BID else -400)
                self.put(TRADE, side, px, 500)
        if self.beats:
            self.pub.heartbeat()

    def obey(self, order: dict[str, Any]) -> Any:
        """Do what is asked, and answer."""
        do = order.pop("do")
        if do == "set":
            flags = order.pop("flags", 0)
            for name, value in order.items():
                assert hasattr(self, name), name
                setattr(self, name, value)
            if "mid" in order:
                self.message(flags)
        elif do == "rows":
            for row in order["list"]:
                self.put(*row[:4], **row[4])
        elif do == "message":
            self.message(order.get("flags", 0), order.get("end", 1))
        elif do == "die":
            os._exit(9)
        elif do == "blast":
            return self.blast(order["seconds"], order["rate"], order.get("chunk", 1000))
        elif do == "gap":
            self.put(STATUS, 0, int(Status.STATUS_GAP))
        return None

    def blast(self, seconds: float, rate: int, chunk: int) -> int:
        """Publish messages of one row at `rate` a second, `chunk` at once; return how many."""
        data = np.zeros(chunk, PACKED)
        data["kind"], data["side"], data["eom"] = LEVEL, BID, 1
        data["px"] = self.mid - HALF - LEVELS + 1
        begun, done = time.monotonic(), 0
        while (passed := time.monotonic() - begun) < seconds:
            if rate and done >= passed * rate:
                time.sleep(0.0002)
                continue
            data["recv_ns"], data["exch_ns"] = time.monotonic_ns(), time.time_ns()
            data["qty"] = SIZE + (np.arange(chunk) + done) % 1000
            done += self.pub.put_packed(data.view(np.uint8))
            self.pub.heartbeat()
        self.message(SNAPSHOT)
        return done

    def live(self) -> None:
        self.message(SNAPSHOT)
        self.pub.heartbeat()
        self.answer({"pid": os.getpid(), "epoch": self.pub.epoch})
        rest = b""
        due = time.monotonic()
        while True:
            due = max(due + self.period_s, time.monotonic() - 0.05)
            wait = max(0.0, due - time.monotonic())
            if select.select([self.line], [], [], wait)[0]:
                rest += self.line.recv(1 << 20)
                if not rest:
                    os._exit(0)
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    self.answer(self.obey(json.loads(line)))
            else:
                self.turn()

    def answer(self, value: Any) -> None:
        said = {"is": value, "ns": time.monotonic_ns(), "mid": self.mid}
        self.line.sendall(json.dumps(said).encode() + b"\n")


def herd(folder: str) -> None:
    """Fork a writer for each line on standard input: {"seed": n, "fd": ..., ...}; say its pid."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    line = socket.socket(fileno=int(sys.argv[2]))
    while True:
        message, fds, _, _ = socket.recv_fds(line, 1 << 16, 1)
        if not message:
            return
        how = json.loads(message)
        pid = os.fork()
        if pid == 0:
            line.close()
            orders = socket.socket(fileno=fds[0])
            until = time.monotonic() + 5
            while True:
                try:
                    writer = Writer(folder, orders, **how)
                    break
                except FeedError:  # the killed one has not gone yet
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.001)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                writer.live()
            os._exit(0)
        os.close(fds[0])


class FeedSim:
    """The test's handle on its writers of market 1 in `folder`."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.folder, self.seed = folder, seed
        mine, its = socket.socketpair()
        self.herder = subprocess.Popen(
            [sys.executable, "-m", "tests.rig.feedsim", str(folder), str(its.fileno())],
            cwd=ROOT, pass_fds=[its.fileno()],
        )  # fmt: skip
        its.close()
        self.line = mine
        self.orders: socket.socket | None = None
        self.pid = self.epoch = self.lives = 0
        self.mid = 1_000_000

    @property
    def path(self) -> str:
        return object_path(1, 1, self.folder)

    def start(self, **how: Any) -> "FeedSim":
        """Begin a new life of the writer; the one before may still live, as one it replaces."""
        if self.orders is not None:
            self.orders.close()
        self.lives += 1
        how = {"mid": self.mid, "seed": self.seed * 1000 + self.lives} | how
        self.orders, its = socket.socketpair()
        self.orders.settimeout(60)
        socket.send_fds(self.line, [json.dumps(how).encode()], [its.fileno()])
        its.close()
        self.rest = b""
        said = self._answer()
        self.pid, self.epoch, self.mid = said["is"]["pid"], said["is"]["epoch"], how["mid"]
        return self

    def _answer(self) -> dict[str, Any]:
        assert self.orders is not None
        while b"\n" not in self.rest:
            more = self.orders.recv(1 << 16)
            assert more, "the writer died"
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        self.mid = answer["mid"]
        return answer

    def do(self, do: str, **more: Any) -> dict[str, Any]:
        """Let the writer do something; return its answer, `ns` being when it was done."""
        assert self.orders is not None
        self.orders.sendall(json.dumps({"do": do, **more}).encode() + b"\n")
        return self._answer()

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Signal the writer; return the CLOCK_MONOTONIC before."""
        before = time.monotonic_ns()
        os.kill(self.pid, number)
        return before

    def poke(self, at: int, data: bytes) -> None:
        """Write bytes into the object, wherever its writer is."""
        with open(self.path, "r+b") as file:
            os.pwrite(file.fileno(), data, at)

    def peek(self, name: str) -> int:
        """Return a number of the header."""
        at, size = WHERE[name]
        with open(self.path, "rb") as file:
            return int.from_bytes(os.pread(file.fileno(), size, at), "little")

    def close(self) -> None:
        if self.orders is not None:
            self.orders.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.pid:
                os.kill(self.pid, signal.SIGKILL)
        self.line.close()
        self.herder.wait()


class RawWriter:
    """Goes on writing an object whose Publisher fell silent, in ways that no Publisher has."""

    def __init__(self, path: str) -> None:
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
        self.rows = self._word("header.rows")
        self.seq = self._word("header.seq")

    def _word(self, name: str) -> int:
        at, size = WHERE[name]
        return int.from_bytes(self.map[at : at + size], "little")

    def store(self, name: str, value: int) -> None:
        at, size = WHERE[name]
        self.map[at : at + size] = value.to_bytes(size, "little")

    def row(
        self, kind: int, side: int, px: int, qty: int, eom: int, gen: int | None = None
    ) -> None:
        """Write the next row; `gen` stands in for its generation."""
        at = WHERE["rows"][0] + self.rows % SLOTS * ROW.size
        whole = 2 * (self.rows + 1)
        self.map[at : at + 8] = (whole - 1).to_bytes(8, "little")
        now = time.monotonic_ns()
        px, qty = (value - 2**64 if value >= 2**63 else value for value in (px, qty))
        body = ROW.pack(0, now, time.time_ns(), px, qty, self.rows, self.seq, kind, side, eom, 0, 1)
        self.map[at + 8 : at + ROW.size] = body[8:]
        self.map[at : at + 8] = (whole if gen is None else gen).to_bytes(8, "little")
        self.rows += 1
        if eom:
            self.store("header.rows", self.rows)

    def snapshot(self, mid: int) -> None:
        """Write a whole book as rows, and into the book page."""
        rows = [(RESET, 0, 0, 0)]
        for side, found in enumerate(levels(mid)):
            rows += [(LEVEL, side, px, qty) for px, qty in found.items()]
        self.seq += 1
        for n, row in enumerate(rows):
            self.row(*row, eom=int(n == len(rows) - 1))
        self.page(mid)
        self.store("header.seq", self.seq)

    def page(self, mid: int) -> None:
        """Write the whole-book page: the book around `mid`, up to the rows so far."""
        lock, depth = WHERE["book.lock"][0], WHERE["book.depth"][0]
        before = int.from_bytes(self.map[lock : lock + 8], "little")
        self.map[lock : lock + 8] = (before | 1).to_bytes(8, "little")
        self.store("book.rows", self.rows)
        for side, found in enumerate(levels(mid)):
            ordered = sorted(found.items(), reverse=side == ASK)  # the best level is last
            count = depth + 8 + 8 * side
            self.map[count : count + 8] = len(ordered).to_bytes(8, "little")
            for what in (0, 1):
                start = depth + DEPTH_HEAD + (2 * what + side) * 8 * DEPTH_CAP
                data = b"".join(level[what].to_bytes(8, "little") for level in ordered)
                self.map[start : start + len(data)] = data
        self.map[lock : lock + 8] = ((before | 1) + 1).to_bytes(8, "little")

    def beat(self) -> None:
        self.store("header.heartbeat_ns", time.monotonic_ns())


if __name__ == "__main__":
    herd(sys.argv[1])
