"""What clients of the HTTP port cost the engine: `python benchmarks/bench_scrape.py --help`.

A real bog-live on the built-in market at many times real time. Blocks of a second alternate, with
clients and left alone, so that both see the same host; each adds what the page's histograms gained.
The clients are scrapes at an even pace or, with --crowd, as many as can be of those that idle, dawdle,
talk garbage or ask for everything and never read; these hang up at the end of the block.
Prints percentiles of a book turn and of tick-to-order for both, and their ratio, between the edges
of a bucket in proportion. The engine is pinned to the last core, all else runs on the others.
"""

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bog._core.stats import StatsPage

ROOT = Path(__file__).resolve().parents[1]
BLOCK_S = 1.0
SPEED = 40
CLIENTS = 4  # that share the scrapes, as one may have to wait for its turn on a busy host
CROWD = 900  # of a crowd that are there at once: descriptors are 1,024 by default
SAID = (b"", b"G", b"\x00\xff\r\n" * 99, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
QUANTILES = (0.5, 0.9, 0.99, 0.999)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scrape(port: int) -> int:
    """Take one scrape; return its bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        size = 0
        while piece := client.recv(1 << 20):
            size += len(piece)
    return size


def client(port: int, hertz: float) -> tuple[int, int]:
    """Scrape so often while a block passes; return scrapes and the bytes of the last one."""
    began, n, size = time.monotonic(), 0, 0
    while (passed := time.monotonic() - began) < BLOCK_S:
        if n <= passed * hertz:
            size = scrape(port)
            n += 1
        else:
            time.sleep(0.001)
    return n, size


def crowd(port: int) -> int:
    """Connect without end while a block passes, hang up at its end; return how many came."""
    until, here, came = time.monotonic() + BLOCK_S, list[socket.socket](), 0
    while time.monotonic() < until:
        one = socket.socket()
        if came % 4 == 3:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
        with contextlib.suppress(OSError):  # not there yet, or hung up on already
            one.send(SAID[came % 4])
        here.append(one)
        came += 1
        if len(here) > CROWD:
            here.pop(0).close()
        time.sleep(0.0005)
    for one in here:
        one.close()
    return came


def block(port: int, given: argparse.Namespace, pool: ThreadPoolExecutor) -> tuple[int, int]:
    """Let a block with clients pass; return how many came, and the bytes of one scrape."""
    if given.crowd:
        return crowd(port), 0
    hertz = given.hertz
    done = [pool.submit(client, port, hertz / CLIENTS) for _ in range(CLIENTS)]
    found = [one.result() for one in done]
    return sum(n for n, _ in found), found[0][1]


def quantile(samples: Counter[int], share: float) -> float:
    """Return a quantile in ns; a bucket's samples are spread evenly over it."""
    rank, seen = share * samples.total(), 0
    for floor, n in sorted(samples.items()):
        if seen + n >= rank:
            width = 1 if floor < 16 else 1 << (floor.bit_length() - 4)
            return floor + width * (rank - seen) / n
        seen += n
    return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description="What clients of the HTTP port cost the engine.")
    parser.add_argument(
        "hertz", type=float, nargs="?", default=100.0, help="scrapes a second (100)"
    )
    parser.add_argument("seconds", type=float, nargs="?", default=120.0, help="in all (120)")
    parser.add_argument("--crowd", action="store_true", help="hostile clients instead of scrapes")
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    port = free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BOG_")}
    environ |= {
        "PYTHONPATH": str(ROOT), "BOG_MONITORING__PROMETHEUS_PORT": str(port),
        "BOG_MONITORING__PROMETHEUS_REQUIRED": "true", "BOG_EXECUTION__TIER": "premium",
        "BOG_MONITORING__LOG_LEVEL": "error",
        "BOG_RISK__RATE_LIMIT_PRESET": "aggressive", "BOG_BREAKER__MAX_FILLS": "255",
        "BOG_BREAKER__FILLS_WINDOW_SEC": "0.001", "BOG_RISK__MAX_DAILY_LOSS": "1000000000",
        "BOG_RISK__DRAWDOWN_MIN_PEAK": "1000000000",
        "BOG_STRATEGY__SIMPLE_SPREAD__MIN_INTERVAL_MS": "0",
        "BOG_STRATEGY__SIMPLE_SPREAD__REQUOTE_TICKS": "1",
        "BOG_STRATEGY__SIMPLE_SPREAD__QUOTA_RESERVE": "0",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.sched_setaffinity(0, cores[:-1] or cores)
        bot = subprocess.Popen(
            [sys.executable, "-m", "bog.cli.live", "--market", "1", "--journal", f"{name}/journal",
             "--feed-dir", name, "--no-publish", "--speed", str(SPEED), "--cpu", str(cores[-1])],
            cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            path = folder / f"bog_m1000001.{bot.pid}"
            while not path.exists():
                if bot.poll() is not None:
                    raise SystemExit(bot.communicate()[1])
                time.sleep(0.05)
            time.sleep(3)
            page = StatsPage.open(str(path))
            names = ("turn", "order_turn")
            gained = {(name, on): Counter[int]() for name in names for on in (False, True)}
            came, size, blocks = 0, 0, 0
            pool = ThreadPoolExecutor(CLIENTS)
            until = time.monotonic() + given.seconds
            while time.monotonic() < until:
                # off on, on off: a drift of the host falls on both
                for on in (False, True) if blocks % 2 == 0 else (True, False):
                    before = {name: Counter(page.samples(name)) for name in names}
                    if on:
                        n, size = block(port, given, pool)
                        came += n
                    else:
                        time.sleep(BLOCK_S)
                    for name in names:
                        gained[name, on] += Counter(page.samples(name)) - before[name]
                blocks += 1
            now = page.snapshot()
        finally:
            bot.send_signal(signal.SIGTERM)
            bot.communicate(timeout=60)
    clients = f"{came} hostile clients" if given.crowd else (
        f"{came / blocks / BLOCK_S:.1f} scrapes a second of {size} bytes")  # fmt: skip
    print(f"{clients}, {blocks} pairs of blocks of {BLOCK_S:g} s, load {os.getloadavg()[0]:.1f} on"
          f" {len(cores)} cores, engine on core {cores[-1]}, {now['turns']} turns,"
          f" halt {now['halt']}")  # fmt: skip
    print(f"{'':12}{'':10}{'samples':>10}" + "".join(f"{f'p{100 * q:g}':>10}" for q in QUANTILES))
    for name in names:
        found = {on: [quantile(gained[name, on], q) for q in QUANTILES] for on in (False, True)}
        for on, word in ((False, "alone"), (True, "crowded" if given.crowd else "scraped")):
            print(f"{name:12}{word:10}{gained[name, on].total():>10}"
                  + "".join(f"{value:>10.0f}" for value in found[on]))  # fmt: skip
        ratios = [on / max(off, 1e-9) for off, on in zip(found[False], found[True], strict=True)]
        print(f"{name:12}{'ratio':10}{'':10}" + "".join(f"{ratio:>10.3f}" for ratio in ratios))


if __name__ == "__main__":
    main()
