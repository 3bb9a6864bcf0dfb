"""A canary: a process that only sleeps and says when the machine did not wake it.

A deadline of the bot is judged after what the host withheld from everyone was subtracted. The canary
is a process of its own, so that this one's interpreter lock does not count as a stall.
"""

import os
import select
import struct
import subprocess
import sys
import time
from types import TracebackType

STALL_NS = 2_000_000  # oversleeping by more than this is a stall
PAIR = struct.Struct("=qq")
PROGRAM = f"""
import os, struct, time
nap, limit, pair = 0.0005, {STALL_NS}, struct.Struct("=qq")
before = time.monotonic_ns()
os.write(1, pair.pack(before, before))
while os.getppid() == {{parent}}:
    time.sleep(nap)
    now = time.monotonic_ns()
    if now - before - 500_000 > limit:
        os.write(1, pair.pack(before + 500_000, now))
    before = now
"""


class Canary:
    """`with Canary() as canary:` ... `canary.stalled_ns(begin, end)`, all CLOCK_MONOTONIC."""

    def __enter__(self) -> "Canary":
        self.stalls: list[tuple[int, int]] = []
        self._unread = b""
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", PROGRAM.format(parent=os.getpid())],
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        first = self._process.stdout.read(PAIR.size)  # it runs
        assert len(first) == PAIR.size, "the canary did not start"
        os.set_blocking(self._process.stdout.fileno(), False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def stalled_ns(self, begin_ns: int, end_ns: int) -> int:
        """Return for how long of [begin, end] the canary should have run and did not."""
        time.sleep(0.002)  # a stall that ends now is written now
        self._listen()
        return sum(max(0, min(end_ns, end) - max(begin_ns, begin)) for begin, end in self.stalls)

    def total(self) -> str:
        """Return what was withheld so far, in words."""
        self._listen()
        longest = max((end - begin for begin, end in self.stalls), default=0)
        spent = sum(end - begin for begin, end in self.stalls)
        return f"{len(self.stalls)} stalls, {spent / 1e6:.0f} ms, longest {longest / 1e6:.0f} ms"

    def _listen(self) -> None:
        assert self._process.stdout is not None
        assert self._process.poll() is None, "the canary died"
        self._unread += os.read(self._process.stdout.fileno(), 1 << 20) if self._ready() else b""
        whole = len(self._unread) - len(self._unread) % PAIR.size
        self.stalls += PAIR.iter_unpack(self._unread[:whole])  # type: ignore[arg-type]
        self._unread = self._unread[whole:]

    def _ready(self) -> bool:
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], 0)[0])
