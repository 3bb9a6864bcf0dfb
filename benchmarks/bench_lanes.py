"""What an event costs while one thread turns over 1 to 8 markets: `python benchmarks/bench_lanes.py`.

Each market replays the same built-in market, recorded beforehand, through the paper venue: the feed
costs the same everywhere, and a figure is the whole turn of the loop, from choosing the lane to its
journal, in time of the thread. Prints the best of some rounds and its ratio to one market.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bog import config
from bog._core.frames import MarketRow
from bog._core.journal import JournalFile
from bog._core.lane import Lane
from bog._core.loop import Session
from bog._core.market import Market
from bog._core.recorder import TapeWriter
from bog._core.source import open_source
from bog._core.stats import StatsPage

SECONDS = 120  # of the market
ROUNDS = 5
COUNTS = (1, 2, 4, 8)


def record(path: Path) -> None:
    """Write the built-in market's rows to a tape."""
    with TapeWriter(path, 1, 1, 5) as tape:
        for recv, exch, kind, side, px, qty, number, flags, eom in Market(
            3, "active", seconds=SECONDS
        ):
            tape.append(MarketRow(recv, exch, chr(kind), side, px, qty, number, eom, flags))


def turn(folder: Path, tape: Path, markets: int) -> tuple[float, int]:
    """Return the seconds of this thread that so many markets take, and their turns."""
    settings = config.load(flags={"feed": {"source": "replay:tape"}}, environ={})
    lanes, pages, journals = [], [], []
    for market in range(markets):
        raw = 1_000_000 + market
        spec: dict[str, Any] = {
            "market": raw, "run": 1, "limits": settings.limits(1),
            "strategy": settings.strategy_params(1), "venue": settings.venue_params(1),
            "price_decimals": 1, "size_decimals": 5, "speed_ppm": 0, "duration_ns": 0, "mode": 0,
        }  # fmt: skip
        pages.append(StatsPage.create(str(folder / f"page{market}"), raw))
        journals.append(
            JournalFile(
                folder, market=raw, run=1, price_decimals=1, size_decimals=5, segments=folder
            )
        )
        lane = Lane(spec, pages[-1], journals[-1], source=open_source(tape))
        lane.start(None)
        lanes.append(lane)
    session = Session(lanes, limit=settings.portfolio_limit([1]))
    began = time.thread_time()
    session.run()
    took = time.thread_time() - began
    for journal in journals:
        journal.close()
    return took, sum(page.snapshot()["turns"] for page in pages)


def main() -> int:
    best: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as name:
        tape = Path(name) / "tape"
        record(tape)
        # round by round, so that a busy neighbor meets each count alike
        for number in range(ROUNDS):
            for markets in COUNTS:
                folder = Path(name) / f"{number}-{markets}"
                folder.mkdir(mode=0o700)
                took, turns = turn(folder, tape, markets)
                best[markets] = min(best.get(markets, took / turns), took / turns)
    for markets, cost in best.items():
        print(f"{markets} markets: {cost * 1e9:7.0f} ns a turn, {cost / best[1]:.2f} x one market")
    return 0


if __name__ == "__main__":
    sys.exit(main())
