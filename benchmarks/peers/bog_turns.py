"""The turns of turns.py in bog, twice: the step alone, and the whole lane on a recording.

The step is what bench_engine.py times, here on books of one level: it checks, quotes, passes the gate
and stores journal records and commands; the answers to its commands are turns within the time. The
lane adds what a run on paper has around it: rows of a tape, the whole book, the paper venue that holds
and answers orders after a latency, a timer a turn, measures, and the journal's thread.
"""

import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from scenarios import LIMITS, SECOND, STRATEGY
from turns import HALF, KINDS, MID, OFF, ORDER, ROUNDS, TURNS, Turn, best, expect, say

from bog import config
from bog._core.engine import EngineProbe
from bog._core.frames import MarketRow
from bog._core.journal import JournalFile
from bog._core.lane import Lane
from bog._core.loop import Session
from bog._core.recorder import TapeWriter
from bog._core.source import open_source
from bog._core.stats import StatsPage
from bog._core.types import ReportKind

VERSION = version("bog-mm")
GAP_NS = (
    100_000_000  # from turn to turn of the lane: one of its timers, and longer than an answer takes
)
# the same quote by configuration: 10 ticks are 10 bps of the mid, a base of 0.0002 is 20 lots; what the
# venue would refuse, orders worth so little and 10,000 amends without a trade, is allowed here
FLAGS = {
    "feed": {"source": "replay:tape"},
    "venue": {"tiers": {"premium": {"volume_quota": 1_000_000}}},
    "markets": {"1": {"min_base_amount": "0.00001", "min_quote_amount": "0.0001"}},
    "execution": {"tier": "premium"},
    "risk": {"rate_limit_orders_per_sec": 1000, "rate_limit_burst": 1000, "stale_after_ms": 5000},
    "breaker": {"warm_up_books": 1, "warm_up_ms": 0},
    "strategy": {
        "simple_spread": {
            "spread_bps": 20, "order_size": "0.0002", "min_size_threshold": "0.00005",
            "skew_bps": 0, "requote_ticks": OFF, "min_interval_ms": 0, "order_life_sec": 0,
            "quota_reserve": 0,
        }
    },
}  # fmt: skip


def step(kind: Turn) -> None:
    """Time the step; refuse another number of commands than the turns must give."""
    probes: list[EngineProbe] = []
    counted: list[int] = []

    def prepare() -> None:
        probe = EngineProbe(LIMITS, STRATEGY | {"order_qty": ORDER})
        for c in probe.book(SECOND, *book(*kind.books(0)[0]))[1]:
            probe.report(
                SECOND, ReportKind.REP_ACK, c["order_id"], c["side"], venue_id=c["order_id"]
            )
        probes.append(probe)

    def run() -> None:
        _, first, second = kind.books(2)
        counted.append(probes[-1].alternate(TURNS, SECOND, book(*first), book(*second))[1])

    ns = best(run, prepare)
    for commands in counted:
        expect("bog, step", kind, "amends", commands, kind.amends * TURNS)
    say("bog, step", VERSION, kind, ns)


def book(mid: int, qty: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return a book of one level a side."""
    return [(mid - 1, qty)], [(mid + 1, qty)]


def record(kind: Turn, path: Path) -> None:
    """Write the turns, GAP_NS apart, to a tape: a whole book first, then the levels that change."""
    with TapeWriter(path, 1, 1, 5) as tape:

        def put(at: int, row: str, side: int, px: int, qty: int, eom: int) -> None:
            when = (at + 1) * GAP_NS
            tape.append(MarketRow(when, when, row, side, px, qty, at, eom, 0))

        put(0, "R", 0, 0, 0, 0)
        before = MID
        for i, (mid, qty) in enumerate(kind.books(TURNS)):
            if mid != before:
                put(i, "L", 0, before - 1, 0, 0)
                put(i, "L", 1, before + 1, 0, 0)
            put(i, "L", 0, mid - 1, qty, 0)
            put(i, "L", 1, mid + 1, qty, 1)
            before = mid


def lane(kind: Turn) -> None:
    """Time the lane from its first row to its end; refuse other orders than the turns must give."""
    settings = config.load(flags=FLAGS, environ={})
    spec = {
        "market": 1_000_001, "run": 1, "limits": settings.limits(1),
        "strategy": settings.strategy_params(1), "venue": settings.venue_params(1),
        "price_decimals": 1, "size_decimals": 5, "speed_ppm": 0, "duration_ns": 0, "mode": 0,
    }  # fmt: skip
    least = float("inf")
    with tempfile.TemporaryDirectory(prefix="bog-peers-") as name:
        tape = Path(name) / "tape"
        record(kind, tape)
        for number in range(ROUNDS):
            folder = Path(name) / str(number)
            folder.mkdir(mode=0o700)
            page = StatsPage.create(str(folder / "page"), spec["market"])
            journal = JournalFile(
                folder, market=spec["market"], run=1, price_decimals=1, size_decimals=5,
                segments=folder,
            )  # fmt: skip
            one = Lane(spec, page, journal, source=open_source(tape))
            one.start(None)
            session = Session([one])
            began = time.perf_counter_ns()
            session.run()
            least = min(least, (time.perf_counter_ns() - began) / TURNS)
            journal.close()
            seen = page.snapshot()
            expect("bog, lane", kind, "orders placed", seen["placed"], 2)
            expect("bog, lane", kind, "orders amended", seen["amended"], kind.amends * TURNS)
            expect("bog, lane", kind, "fills and refusals", seen["fills"] + seen["rejects"], 0)
    say("bog, lane", VERSION, kind, least)


def main() -> None:
    for kind in KINDS:
        step(kind)
        lane(kind)


if __name__ == "__main__":
    assert STRATEGY["half_ppm"] * MID == HALF * 1_000_000 and STRATEGY["requote_ticks"] == OFF
    sys.exit(main())
