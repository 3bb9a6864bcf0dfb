"""How soon bog-live quotes, and what its engine holds in memory: `python benchmarks/start.py`.

A feed of this process runs; `bog-live` is started on it as a person would, pinned, without the rest
after a doubt (`warm_up_ms`, a second by default, and five books), which is meant to take time. Its
first order is the first `placed` on the stats page. Resident memory is what the kernel says of the
engine's process while it quotes.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from crossing import BASE, CASES, MARKET, PATIENCE_S

from bog._core.publisher import Publisher
from bog._core.stats import StatsPage

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5
EVERY_S = 0.02
TARGETS = {"feed to first order": 0.5, "engine resident": 40.0}  # s, MB


class Feed:
    """A market whose touch moves every few milliseconds, until closed."""

    def __init__(self, folder: str) -> None:
        self.publisher = Publisher(MARKET, directory=folder, price_decimals=1, size_decimals=5)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        number = 0
        while not self.over.wait(EVERY_S if number else 0):
            case = CASES[1]
            rows = BASE if number == 0 else case.odd if number % 2 == 0 else case.even
            now = time.monotonic_ns()
            self.publisher.heartbeat(now)
            for i, (side, px, qty) in enumerate(rows):
                self.publisher.put(
                    ord("L"), side, 100 * px, 100 * qty, recv_ns=now, exch_ns=time.time_ns(),
                    eom=int(i + 1 == len(rows)),
                )  # fmt: skip
            number += 1

    def close(self) -> None:
        self.over.set()
        self.thread.join()
        self.publisher.close()


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


MEMORY = {
    "engine resident": "VmRSS", "of it its own": "RssAnon", "libraries": "RssFile",
    "ring, journal, page": "RssShmem",
}  # fmt: skip


def resident(pid: int) -> dict[str, float]:
    """Return the resident memory of a process, MB, and what it is made of."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = dict(re.findall(r"^(\w+):\s*(\d+) kB", text, re.M))
    return {name: int(found[key]) / 1024 for name, key in MEMORY.items()}


def once(folder: str) -> dict[str, float]:
    """Start bog-live once; return s from its start and from its first look at the feed to the first
    order, and the resident memory of its engine, MB."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BOG_")}
    environ |= {
        "PYTHONPATH": str(ROOT), "BOG_BREAKER__WARM_UP_MS": "0", "BOG_BREAKER__WARM_UP_BOOKS": "1",
        "BOG_MONITORING__PROMETHEUS_PORT": "0", "BOG_MONITORING__LOG_LEVEL": "error",
    }  # fmt: skip
    core = str(sorted(os.sched_getaffinity(0))[-1])
    began = time.monotonic_ns()
    bot = subprocess.Popen(
        [sys.executable, "-m", "bog.cli.live", "--market", str(MARKET), "--feed", "huginn",
         "--feed-dir", folder, "--journal", f"{folder}/journal", "--cpu", core],
        cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    path, until = (
        Path(folder, f"bog_m{1_000_000 + MARKET}.{bot.pid}"),
        time.monotonic() + PATIENCE_S,
    )
    page = None
    try:
        while page is None or not page.snapshot()["placed"]:
            if bot.poll() is not None or time.monotonic() > until:
                bot.kill()
                raise SystemExit(f"bench: bog-live did not quote: {bot.communicate()[1]}")
            if page is None and path.exists():
                page = StatsPage.open(str(path))
            time.sleep(0.001)
        quoted = time.monotonic_ns()
        seen = page.snapshot()["start_ns"]
        (child,) = children(bot.pid)
        memory = resident(child)
    finally:
        bot.send_signal(signal.SIGTERM)
        bot.communicate(timeout=PATIENCE_S)
    return {
        "start to first order": (quoted - began) / 1e9, "feed to first order": (quoted - seen) / 1e9,
    } | memory  # fmt: skip


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Return the least time of some starts, and the most memory."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    found = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=place) as folder:
            feed = Feed(folder)
            try:
                found.append(once(folder))
            finally:
                feed.close()
    return {name: (max if name in MEMORY else min)(one[name] for one in found) for name in found[0]}


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=1)
