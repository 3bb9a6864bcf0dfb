"""A canary: a process that only sleeps and says when the machine did not wake it.

A deadline of the bot is judged after what the host withheld from everyone was subtracted. A canary
is a process of its own, so that this one's interpreter lock does not count as a stall.
"""

import os
import struct
import subprocess
import sys
import tempfile
import time
from types import TracebackType

STALL_NS = 2_000_000  # oversleeping by more than this is a stall
PAIR = struct.Struct("=qq")
PROGRAM = f"""
import os, struct, sys, time
os.sched_setaffinity(0, {{{{int(sys.argv[1])}}}})
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
    """`with Canary() as canary:` ... `canary.stalled_ns(begin, end)`, all CLOCK_MONOTONIC.

    One sleeper a core; a core that is withheld may be the one that the bot waits for.
    """

    def __enter__(self) -> "Canary":
        self.stalls: list[tuple[int, int]] = []
        # a file, not a pipe: a canary that waits for its reader would call that a stall
        self._file = tempfile.TemporaryFile()
        self._read = 0
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-S", "-c", PROGRAM.format(parent=os.getpid()), str(core)],
                stdout=self._file,
            )
            for core in sorted(os.sched_getaffinity(0))
        ]
        until = time.monotonic() + 60
        while len(self._pairs()) < len(self._processes):  # they run
            assert time.monotonic() < until, "a canary did not start"
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        for process in self._processes:
            process.kill()
            process.wait()
        self._file.close()

    def saw(self, begin_ns: int, end_ns: int) -> None:
        """Add a stall that somebody else noticed of itself."""
        self.stalls.append((begin_ns, end_ns))

    def stalled_ns(self, begin_ns: int, end_ns: int) -> int:
        """Return for how long of [begin, end] some sleeper should have run and did not."""
        time.sleep(0.002)  # a stall that ends now is written now
        self._listen()
        total, reached = 0, begin_ns
        for begin, end in sorted(self.stalls):
            total += max(0, min(end_ns, end) - max(reached, begin))
            reached = max(reached, min(end_ns, end))
        return total

    def total(self) -> str:
        """Return what was withheld so far, in words."""
        self._listen()
        longest = max((end - begin for begin, end in self.stalls), default=0)
        return f"{len(self.stalls)} stalls of the machine, longest {longest / 1e6:.0f} ms"

    def _listen(self) -> None:
        found = self._pairs()
        self.stalls += found[self._read :]
        self._read = len(found)

    def _pairs(self) -> list[tuple[int, int]]:
        """Return all that the canaries wrote."""
        descriptor = self._file.fileno()
        raw = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        return list(PAIR.iter_unpack(raw[: len(raw) - len(raw) % PAIR.size]))
