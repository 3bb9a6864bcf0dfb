"""What a turn takes in one process, in blocks beside a reference kernel: `python benchmarks/blocks.py`.

A pair is 128 times the reference (100 multiplications and additions, each waiting for the last), then
256 turns: some tens of microseconds, so that most pairs are left alone by the scheduler. A figure is
the lowest block of turns over the lowest of the references, and of five processes the lowest: what
else runs on the machine makes blocks longer, never shorter. A turn is `timed_turn` of
bog/_core/bench.pyx: the step, and the journal's append of each record.

Nothing counts that its checks do not cover: inputs must differ, the touch must move as the case says,
each turn must give its commands, and nothing may be refused. Before that each check of the gate must
refuse what is past its limit, from the very limits that are timed.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from scenarios import LIMITS, STRATEGY, Book, around, touch

from bog._core.bench import Blocks
from bog._core.connection import Attempt
from bog._core.engine import EngineProbe
from bog._core.types import Halt, Level, ReportKind, StateWord, Verdict

SECOND = 10**9
PAIRS = 4000
PROCESSES = 5
TURNS, REFERENCES = 256, 128
SLOWER = 1.10  # a ratio above this many times its baseline fails
# every check on: the counted scenarios leave the leverage out
HONEST = LIMITS | {"balance": 10**9, "max_leverage_ppm": 10_000_000}


class Cheat(SystemExit):
    """The benchmark caught itself measuring something else than it says."""

    def __init__(self, what: str) -> None:
        super().__init__(f"bench: {what}")


def fresh(**limits: int) -> EngineProbe:
    """Return an engine that has seen nothing."""
    return EngineProbe(HONEST | limits, STRATEGY)


def quoting(book: Book = around, **limits: int) -> EngineProbe:
    """Return an engine whose two orders rest around 10,000."""
    probe = fresh(**limits)
    for c in probe.book(SECOND, *book(10_000), exch_ns=SECOND)[1]:
        probe.report(SECOND, ReportKind.REP_ACK, c["order_id"], c["side"], venue_id=c["order_id"])
    return probe


@dataclass(frozen=True)
class Case:
    """One kind of turn: books around `first` and around 10,000 in turn."""

    name: str
    first: int
    commands: int  # a turn must give
    book: Book = around
    target_ns: float | None = None  # design.md, section 7
    limits: dict[str, int] = field(default_factory=dict)


CASES = [
    Case("unchanged", 10_000, 0, target_ns=8),
    Case("hold", 10_001, 0, target_ns=25),
    Case("requote both", 10_005, 2, target_ns=45),
    Case("hold, touch only", 10_001, 0, touch),
    Case("requote both, touch only", 10_005, 2, touch),
]


def as_it_is(_probe: EngineProbe) -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Proof:
    """A first book that one check of the gate must refuse on both sides."""

    verdict: Verdict
    limits: dict[str, int] = field(default_factory=dict)
    prepare: Callable[[EngineProbe], Any] = as_it_is
    show: dict[str, int] = field(default_factory=dict)


def word(**words: int) -> Callable[[EngineProbe], None]:
    """Return what restores words of state."""

    def prepare(probe: EngineProbe) -> None:
        for name, value in words.items():
            probe.restore(StateWord[name], value)

    return prepare


def at_level(level: Level) -> Callable[[EngineProbe], Any]:
    return lambda probe: probe.level(1, level)


def disconnect(probe: EngineProbe) -> None:
    for i in range(5):
        probe.connection(i + 1, Attempt.ATTEMPT_FAILED)


# what a strategy never asks for is not among them: a price of 0, a cross, a match with ourselves
PROOFS = [
    Proof(Verdict.DENY_KILLED, prepare=at_level(Level.LEVEL_DRAIN)),
    Proof(Verdict.DENY_PAUSED, prepare=at_level(Level.LEVEL_PAUSED)),
    Proof(Verdict.DENY_HALTED, prepare=word(W_HALT=int(Halt.HALT_MARKET))),
    Proof(Verdict.DENY_STALE, show={"alive_ns": 1}, prepare=lambda probe: probe.timer(SECOND)),
    Proof(Verdict.DENY_DELAYED, show={"exch_ns": 1}, prepare=lambda probe: probe.timer(2 * SECOND)),
    Proof(Verdict.DENY_WARMING, {"warm_up_books": 5}),
    Proof(Verdict.DENY_BREAKER, {"breaker_spread_ppm": 1}),
    Proof(Verdict.DENY_TICK, {"px_step": 4}),
    Proof(Verdict.DENY_LOT, {"qty_step": 7}),
    Proof(Verdict.DENY_BAND, {"max_px": 9_000}),
    Proof(Verdict.DENY_COLLAR, {"collar_ppm": 10}),
    Proof(Verdict.DENY_MIN_SIZE, {"min_order": 20}),
    Proof(Verdict.DENY_MAX_SIZE, {"max_order": 5}),
    Proof(Verdict.DENY_POSITION, {"max_long": 5, "max_short": 5}),
    Proof(Verdict.DENY_OPEN_ORDERS, {"max_open_orders": 0}),
    Proof(Verdict.DENY_NOTIONAL, {"max_notional": 1}),
    Proof(Verdict.DENY_NOTIONAL, {"max_exposure": 1}),
    Proof(Verdict.DENY_NOTIONAL, {"min_notional": 10**9}),
    Proof(Verdict.DENY_RATE, {"rate_burst": 1}),
    Proof(Verdict.DENY_DAILY_LOSS, {"max_daily_loss": 1}, word(W_CASH=-1000)),
    Proof(
        Verdict.DENY_DRAWDOWN, {"drawdown_min_peak": 1, "drawdown_ppm": 1}, word(W_PEAK=10**6)
    ),
    Proof(Verdict.DENY_CONNECTION, prepare=disconnect),
    Proof(Verdict.DENY_BALANCE, {"max_leverage_ppm": 1}),
    Proof(Verdict.DENY_PORTFOLIO, show={"room": 1}),
]  # fmt: skip


def prove(limits: dict[str, int] | None = None) -> int:
    """Let each check refuse once, from `limits`, by default those that are timed; return how many did.

    Cheat names the check that let an order pass.
    """
    for proof in PROOFS:
        probe = EngineProbe((HONEST if limits is None else limits) | proof.limits, STRATEGY)
        proof.prepare(probe)
        blocks = Blocks(probe.image(), around(10_000), around(10_000), 1)
        commands = blocks.once(**proof.show)
        refused = {i for i, n in enumerate(blocks.denied()) if n} - {int(Verdict.ALLOW)}
        # an operator's level is no refusal, and counts as none
        level = proof.verdict in (Verdict.DENY_KILLED, Verdict.DENY_PAUSED)
        if commands or refused != (set() if level else {int(proof.verdict)}):
            raise Cheat(
                f"{proof.verdict.name} was not the answer to {commands} commands past it"
                f" (refused for {names(refused) or 'nothing'}): is a check skipped?"
            )
    return len(PROOFS)


def names(verdicts: Any) -> str:
    return ", ".join(Verdict(v).name for v in sorted(verdicts))


def measure(case: Case, pairs: int) -> dict[str, float]:
    """Return the ticks of one reference and one turn, lowest and at the 5th percentile.

    Cheat says what was measured instead of the case, if anything was.
    """
    even, odd = case.book(case.first), case.book(10_000)
    probe = quoting(case.book, **case.limits)
    loud = case.commands > 0
    # eight engines in turn, where commands have to be answered between two rounds
    blocks = Blocks(probe.image(), even, odd, 8 if loud else 1)
    if repeated := blocks.repeated():
        raise Cheat(f"{case.name}: {repeated} of 16 inputs repeat the one before them")
    moves = 16 if case.first != 10_000 else 0
    if blocks.moved() != moves:
        raise Cheat(
            f"{case.name}: the touch moved {blocks.moved()} times in 16 inputs, not {moves}"
        )
    # the first block brings the caches, the branches, and the first quote
    blocks.pairs(20, loud, REFERENCES, TURNS)
    before = blocks.commands
    found = blocks.pairs(pairs, loud, REFERENCES, TURNS)
    commands, wanted = blocks.commands - before, case.commands * pairs * TURNS
    # a refusal that goes on is counted once, when it begins: perhaps with the first quote
    both = zip(probe.denied(), blocks.denied(), strict=True)
    refused = {i for i, n in enumerate(both) if any(n)} - {int(Verdict.ALLOW)}
    if refused:
        raise Cheat(f"{case.name}: quotes were refused for {names(refused)}")
    if commands != wanted:
        raise Cheat(f"{case.name}: {commands} commands, not {wanted}: {case.commands} a turn")
    references, turns = sorted(r for r, _ in found), sorted(t for _, t in found)
    at = pairs // 20
    return {
        "reference": references[0] / REFERENCES, "turn": turns[0] / TURNS,
        "reference_p5": references[at] / REFERENCES, "turn_p5": turns[at] / TURNS,
    }  # fmt: skip


def here(pairs: int) -> dict[str, dict[str, float]]:
    """Measure every case in this process."""
    return {case.name: measure(case, pairs) for case in CASES}


def processes(n: int, pairs: int) -> Iterator[dict[str, dict[str, float]]]:
    """Measure every case in `n` processes, one after the other: each has its own places in memory."""
    for _ in range(n):
        done = subprocess.run(
            [sys.executable, __file__, "--one", str(pairs)], capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(done.stderr.strip() or f"bench: exit code {done.returncode}")
        yield json.loads(done.stdout)


def collect(n: int = PROCESSES, pairs: int = PAIRS) -> dict[str, dict[str, float]]:
    """Return for each case its lowest ratio of minimums over `n` processes, and what it was made of."""
    best: dict[str, dict[str, float]] = {}
    for found in processes(n, pairs):
        for name, one in found.items():
            one["ratio"] = one["turn"] / one["reference"]
            one["ratio_p5"] = one["turn_p5"] / one["reference_p5"]
            if name not in best or one["ratio"] < best[name]["ratio"]:
                best[name] = one
    return best


def slower(table: dict[str, float], found: dict[str, float]) -> list[str]:
    """Return one line for each case that is more than a tenth slower than the table, or not in it."""
    lines = [f"{name}: not in the baseline" for name in found.keys() - table]
    lines += [f"{name}: in the baseline, not measured" for name in table.keys() - found]
    for name in found.keys() & table:
        if found[name] > SLOWER * table[name]:
            lines.append(
                f"{name}: ratio {found[name]:.3f}, more than {SLOWER:.2f} x the baseline's"
                f" {table[name]:.3f}"
            )
    return sorted(lines)


if __name__ == "__main__":
    if "--one" in sys.argv:
        prove()
        print(json.dumps(here(int(sys.argv[sys.argv.index("--one") + 1]))))
    else:
        print(json.dumps(collect(), indent=1))
