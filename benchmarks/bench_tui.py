"""What orderbook-tui costs: CPU, frames and bytes to the terminal while a market trades.

`python benchmarks/bench_tui.py` starts bog-feed on the built-in market and bog-live on that feed, opens
orderbook-tui on a terminal of 80x24 and of 120x40, all panels shown, and prints what each took while
`--seconds` passed, besides its start. Everything lies in a private directory and ends with it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

START_S = 120.0  # on a loaded machine


def module(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"bog.cli.{name}", *map(str, arguments)]


@contextlib.contextmanager
def running(line: list[str], **more: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(line, **more)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def cpu_sec(pid: int) -> float:
    """Return the CPU time of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def appears(folder: Path, pattern: str, process: subprocess.Popen[bytes]) -> None:
    """Return when a file of `process` is there."""
    until = time.monotonic() + START_S
    while not any(folder.glob(pattern)):
        if process.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"no {pattern} within {START_S:.0f} s: {process.args!r}")
        time.sleep(0.05)


def frames(said: bytes) -> list[int]:
    return [int(n) for n in re.findall(rb"frames (\d+)", said)]


def measure(folder: Path, columns: int, lines: int, seconds: float) -> str:
    """Return a line of the table: what one terminal took."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    line = module("tui", "--dir", folder, "--metrics", "--chart")
    environ = os.environ | {"TERM": "xterm-256color"}
    with running(line, stdin=child, stdout=child, stderr=child, env=environ) as tui:
        said, began = b"", time.monotonic()

        def listen(until: float) -> int:
            """Read the terminal until then; return how many bytes came."""
            nonlocal said
            count = 0
            while time.monotonic() < until:
                if select.select([parent], [], [], 0.05)[0]:
                    got = os.read(parent, 65536)
                    count += len(got)
                    said = said[-65536:] + got
            return count

        while not frames(said):
            if time.monotonic() > began + START_S or tui.poll() is not None:
                raise SystemExit(f"no frame within {START_S:.0f} s: {said[-300:]!r}")
            listen(time.monotonic() + 0.01)
        first = time.monotonic() - began
        listen(time.monotonic() + 2)
        before, frame, at = cpu_sec(tui.pid), frames(said)[-1], time.monotonic()
        count = listen(at + seconds)
        took, passed = cpu_sec(tui.pid) - before, time.monotonic() - at
        rate = (frames(said)[-1] - frame) / passed
        return (
            f"{f'{columns}x{lines}':9}{100 * took / passed:8.1f} %{rate:11.1f}"
            f"{count / passed / 1000:9.1f}{rss_mb(tui.pid):9.1f}{first * 1000:11.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    seconds = parser.parse_args().seconds
    quiet = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        line = module("feed", "--market", 1, "--dir", folder)
        feed = stack.enter_context(running(line, **quiet))
        appears(folder, "hg_*", feed)
        line = module(
            "live", "--market", 1, "--feed", "huginn", "--feed-dir", folder,
            "--journal", folder / "journal",
        )  # fmt: skip
        environ = os.environ | {"BOG_MONITORING__PROMETHEUS_PORT": "0"}
        bot = stack.enter_context(running(line, cwd=folder, env=environ, **quiet))
        appears(folder, "bog_m*", bot)
        time.sleep(3)
        print(f"orderbook-tui for {seconds:.0f} s, load {os.getloadavg()[0]:.1f}, all panels")
        print("terminal of a core   frames/s     kB/s   RSS MB   start ms")
        for columns, lines in ((80, 24), (120, 40)):
            print(measure(folder, columns, lines, seconds), flush=True)


if __name__ == "__main__":
    main()
