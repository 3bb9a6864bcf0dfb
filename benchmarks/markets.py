"""What an event costs while one thread turns over 1 to 256 markets: `python benchmarks/markets.py`.

Each market is a lane of its own in one loop, as bog-live has them: a recording of messages that come at
the same moments everywhere, the whole book, the step with every check, the journal, the paper venue and
its answers. So the lanes take turns, and each finds in the nearest cache only what all others have left
there. A figure is the time of this thread for a message with everything that follows from it, from the
difference of a long and a short run, so that neither start, end nor first touches count; the lowest of
some rounds, because what else runs makes it longer, never shorter.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from blocks import HONEST, Cheat
from crossing import BASE, Case, refusals
from crossing import CASES as EVERY
from scenarios import SECOND, STRATEGY

from bog import config
from bog._core.frames import MarketRow
from bog._core.journal import JournalFile
from bog._core.lane import Lane
from bog._core.loop import Session
from bog._core.recorder import TapeWriter
from bog._core.source import open_source
from bog._core.stats import StatsPage

CASES = EVERY[:2]
COUNTS = (1, 8, 64, 256)
MESSAGES = 200_000  # over all markets, in the longer run; at least LEAST a market
LEAST = 800
ROUNDS = 3
MOST = 1.5  # times the cost of one market
CAPACITY = 1 << 14  # records of a journal in memory: more than the nearest caches hold
APART_NS = 1_000_000
# the venue answers at once, so that each message finds its quotes at rest
PROMPT = dict.fromkeys(
    ("net_ns", "response_ns", "maker_ns", "cancel_ns", "amend_ns", "taker_ns", "requests_per_min",
     "min_qty", "min_notional"),
    0,
)  # fmt: skip


def record(path: Path, case: Case, messages: int) -> None:
    """Write a book and so many messages after it, a millisecond apart, to a tape."""
    with TapeWriter(path, 1, 1, 5) as tape:
        for number in range(messages + 1):
            rows = BASE if number == 0 else case.odd if number % 2 == 0 else case.even
            now = SECOND + number * APART_NS
            for i, (side, px, qty) in enumerate(rows):
                tape.append(
                    MarketRow(now, now, "L", side, px, qty, number, int(i + 1 == len(rows)), 0)
                )


def run(folder: Path, tape: Path, case: Case, markets: int, messages: int) -> int:
    """Return the ns of this thread that so many messages of so many markets take together."""
    folder.mkdir(mode=0o700)
    settings = config.load(flags={"feed": {"source": "replay:tape"}}, environ={})
    scale = {"price_decimals": 1, "size_decimals": 5}
    lanes, pages, journals = [], [], []
    for market in range(markets):
        raw = 1_000_000 + market
        spec: dict[str, Any] = {
            "market": raw, "run": 1, "limits": HONEST | case.limits,
            "strategy": settings.strategy_params(1) | STRATEGY,
            "venue": settings.venue_params(1) | PROMPT, **scale, "speed_ppm": 0,
            "duration_ns": messages * APART_NS, "mode": 0,
        }  # fmt: skip
        pages.append(StatsPage.create(str(folder / f"page{market}"), raw))
        journals.append(
            JournalFile(folder, market=raw, run=1, segments=folder, capacity=CAPACITY, **scale)
        )
        lane = Lane(spec, pages[-1], journals[-1], source=open_source(tape))
        lane.start(None)
        lanes.append(lane)
    session = Session(lanes, limit=10**15)
    began = time.thread_time_ns()
    session.run()
    took = time.thread_time_ns() - began
    for journal in journals:
        journal.close()
    for market, page in enumerate(pages):
        check(case, market, page.snapshot(), messages)
    return took


def check(case: Case, market: int, page: dict[str, Any], messages: int) -> None:
    """Cheat unless each message was a book with another touch and gave its commands."""
    name = f"{case.name}, market {market}"
    if why := refusals(page):
        raise Cheat(f"{name}: quotes were{why[1:]}")
    # the book that is quoted on comes first; the last message may be cut off by the end
    books = page["books"] - 1
    if abs(books - messages) > 1 or page["unchanged"]:
        raise Cheat(f"{name}: {books} books for {messages} messages, {page['unchanged']} unchanged")
    if page["amended"] != case.commands * books:
        raise Cheat(f"{name}: {page['amended']} amends, not {case.commands * books}")


def collect(
    rounds: int = ROUNDS, counts: tuple[int, ...] = COUNTS, messages: int = MESSAGES
) -> dict[str, dict[str, float]]:
    """Return for each case the ns of a message by the number of markets.

    Of the long runs the quickest, less the quickest of the short ones: what disturbs one run of a pair
    must not come out as a gain.
    """
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    quickest: dict[tuple[str, int], tuple[int, int]] = {}
    with tempfile.TemporaryDirectory(dir=place) as name:
        for number in range(rounds):
            # round by round, so that a busy neighbor meets each count alike
            for case in CASES:
                tape = Path(name, f"{case.name}.tape")
                if not number:
                    record(tape, case, max(messages, LEAST))
                for markets in counts:
                    long = max(messages // markets, LEAST)
                    folder = Path(name, f"{case.name}-{number}-{markets}")
                    whole = run(folder.with_suffix(".long"), tape, case, markets, long)
                    part = run(folder.with_suffix(".short"), tape, case, markets, long // 4)
                    before = quickest.get((case.name, markets), (whole, part))
                    quickest[case.name, markets] = min(whole, before[0]), min(part, before[1])
    cost: dict[str, dict[str, float]] = {case.name: {} for case in CASES}
    for (name, markets), (whole, part) in quickest.items():
        long = max(messages // markets, LEAST)
        cost[name][str(markets)] = (whole - part) / (markets * (long - long // 4))
    return cost


if __name__ == "__main__":
    json.dump(collect(), sys.stdout, indent=1)
