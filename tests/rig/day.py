"""A day of the market as fast as possible: memory, drift and time of a long run: `make soak-day`.

python -m tests.rig.day [--hours N]

Starts bog-live for N hours (24) of market time, on the built-in market and on a recording looped,
watches the memory and the open files of both its processes, and holds what it reports against the
journal, folded here in plain Python, file by file. Losses do not halt it: a halted bot is no day's
work.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import median

import numpy as np

from bog._core.types import JournalKind, Level, StateWord
from bog.journal import read
from tests.rig.live import Bot, environment, runs

SHARED = Path(__file__).resolve().parents[3] / "shared/market-data"
RECORDING = SHARED / "binance-btcusdt-perp/events.csv.gz"
OF_RECORDING = ("--config", "binance")
# no loss halts it, and its journal is turned over many times
ENVIRON = {
    "BOG_RISK__MAX_DAILY_LOSS": "1000000",
    "BOG_RISK__MAX_DRAWDOWN": "0.99",
    "BOG_JOURNAL__ROTATE_MB": "1",
}
EVERY_S = 0.1  # between two looks at the processes
WARM = 4  # the first sample in so many is warm-up
GROWTH_KB = 1024  # that is not: pages that the allocator keeps, a table that grew once
TIMER_NS = 100_000_000  # event time moves at least this often
K, W = JournalKind, StateWord


@dataclass
class Watched:
    """What was seen of one process, sample by sample."""

    name: str
    anonymous_kb: list[int] = field(default_factory=list)  # its own memory: what can leak
    resident_kb: list[int] = field(
        default_factory=list
    )  # with files and rings, as they are touched
    files: list[int] = field(default_factory=list)

    def look(self, pid: int) -> None:
        """Take one sample; none of a process that is gone."""
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            files = len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            return
        status = {name: rest for name, _, rest in (line.partition(":") for line in lines)}
        if "RssAnon" not in status:  # it ended, and its parent has not heard yet
            return
        self.anonymous_kb.append(int(status["RssAnon"].split()[0]))
        self.resident_kb.append(int(status["VmRSS"].split()[0]))
        self.files.append(files)

    def growth_kb(self) -> int:
        """Return by how much its own memory grew behind the warm-up: last quarter against second."""
        quarter = len(self.anonymous_kb) // WARM
        assert quarter > 0, f"{self.name}: {len(self.anonymous_kb)} samples are too few"
        second, last = self.anonymous_kb[quarter : 2 * quarter], self.anonymous_kb[-quarter:]
        return round(median(last) - median(second))


@dataclass
class Folded:
    """What a journal adds up to, by the definitions of docs/formats.md and by nobody else's code."""

    pos: int = 0
    cost: int = 0
    cash: int = 0
    realized: int = 0
    fees: int = 0
    funding: int = 0
    volume: int = 0
    fills: list[int] = field(default_factory=lambda: [0, 0])
    counts: dict[int, int] = field(default_factory=dict)
    records: int = 0
    files: int = 0
    begun_ns: int = 0
    drained_ns: int = 0
    wrong: list[str] = field(default_factory=list)

    def fill(self, side: int, px: int, qty: int, fee: int) -> None:
        """Book one fill: a reduction takes cost in proportion, rounded down."""
        sign = 1 if side == 0 else -1
        held = abs(self.pos)
        closed = min(qty, held) if self.pos * sign < 0 else 0
        removed = self.cost * closed // held if closed else 0
        self.realized += -sign * px * closed - removed
        self.cost += -removed + sign * px * (qty - closed)
        self.cash -= sign * px * qty + fee
        self.pos += sign * qty
        self.fees += fee
        self.volume += px * qty
        self.fills[side] += 1

    def state(self, path: Path, word: int, value: int) -> None:
        """Hold what a file says it begins with against what the files before it came to."""
        mine = {W.W_POS: self.pos, W.W_COST: self.cost, W.W_CASH: self.cash,
                W.W_REALIZED: self.realized, W.W_FEES: self.fees, W.W_FUNDING: self.funding,
                W.W_VOLUME: self.volume, W.W_FILLS: sum(self.fills)}  # fmt: skip
        if word in mine and mine[StateWord(word)] != value:
            name = StateWord(word).name
            self.wrong.append(f"{path.name}: {name} is {value}, the fold {mine[StateWord(word)]}")

    def take(self, path: Path) -> None:
        """Go on with the next file."""
        rows = read(path).records
        self.files += 1
        self.records += len(rows)
        kinds, counts = np.unique(rows["kind"], return_counts=True)
        for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True):
            self.counts[kind] = self.counts.get(kind, 0) + count
        moving = np.isin(rows["kind"], (K.J_STATE, K.J_FILL, K.J_FUNDING, K.J_LEVEL))
        for row in rows[moving].tolist():
            one = dict(zip(rows.dtype.names or (), row, strict=True))
            if one["kind"] == K.J_STATE:
                self.state(path, one["reason"], one["val"])
            elif one["kind"] == K.J_FILL:
                self.fill(one["side"], one["px"], one["qty"], one["val"])
            elif one["kind"] == K.J_FUNDING:
                self.cash -= one["val"]
                self.funding -= one["val"]
            elif one["state"] == Level.LEVEL_DRAIN and not self.drained_ns:
                self.drained_ns = one["time_ns"]
        if not self.begun_ns:
            self.begun_ns = int(rows["time_ns"][rows["time_ns"] > 0].min())


def quanta(amount: str, decimals: int) -> Decimal:
    """Return money as the report writes it in quanta: a whole or a half number of them."""
    return Decimal(amount).scaleb(decimals)


@dataclass
class Day:
    """One run that is over: what it said, what was seen of it, what is wrong with it."""

    name: str
    hours: float
    wall_s: float
    report: dict
    processes: list[Watched]
    fold: Folded

    def findings(self) -> list[str]:
        """Return what does not hold, one line each; none when the day is sound."""
        run, fold, report = self.report["run"], self.fold, self.report
        about = report["about"]
        money = about["price_decimals"] + about["size_decimals"]
        span_ns = round(self.hours * 3_600_000_000_000)
        wrong = list(fold.wrong)

        def equal(what: str, reported: object, folded: object) -> None:
            if reported != folded:
                wrong.append(f"{what} is {reported} in the report, {folded} by the journal")

        equal("end", (run["ended"], run["exit_code"], run["open_orders"]), ("duration", 0, 0))
        equal("gaps and laps", (run["gaps"], run["laps"]), (0, 0))
        lag_ns = span_ns - (fold.drained_ns - fold.begun_ns)
        if not 0 <= lag_ns <= TIMER_NS:
            wrong.append(f"the drain began {lag_ns} ns before the end of the day, want 0 to 100 ms")
        position = Decimal(report["inventory"]["position"]).scaleb(about["size_decimals"])
        equal("position", position, fold.pos)
        account = report["pnl"]["account"]
        for name, mine in (("realized", fold.realized), ("fees", fold.fees),
                           ("funding", fold.funding)):  # fmt: skip
            equal(name, quanta(account[name], money), mine)
        if fold.cash != fold.realized - fold.cost - fold.fees + fold.funding:
            wrong.append(f"cash {fold.cash} is not what the fold's parts make")
        # 2 * profit = 2 * cash + position * mid in half ticks: the mid must come out whole
        twice = 2 * quanta(report["pnl"]["total"], money) - 2 * fold.cash
        whole = twice == 0 if fold.pos == 0 else twice % fold.pos == 0 and twice / fold.pos > 0
        if not whole:
            wrong.append(f"profit {report['pnl']['total']} is not cash and position at any mid")
        fills = report["fills"]
        equal("fills", [fills["by_side"]["bid"], fills["by_side"]["ask"]], fold.fills)
        equal("volume", quanta(fills["volume"], money), fold.volume)
        asked = report["requests"]
        for name, kind in (("place", K.J_PLACE), ("amend", K.J_AMEND)):
            equal(f"requests {name}", asked[name], fold.counts.get(kind, 0))
        canceled = fold.counts.get(K.J_CANCEL, 0) + fold.counts.get(K.J_CANCEL_ALL, 0)
        equal("requests cancel", asked["cancel"], canceled)
        if fold.counts.get(K.J_HALT):
            wrong.append("it halted")
        for one in self.processes:
            if one.growth_kb() > GROWTH_KB:
                wrong.append(
                    f"{one.name}: its own memory grew by {one.growth_kb()} kB, want {GROWTH_KB}"
                )
            if one.files[-1] > one.files[len(one.files) // WARM]:
                wrong.append(f"{one.name}: open files went from {one.files[0]} to {one.files[-1]}")
        return wrong

    def lines(self) -> list[str]:
        """Return what is to be said of it."""
        run, fold = self.report["run"], self.fold
        events = run["books"] + run["prints"]
        text = [
            f"{self.name}: {self.hours:g} h of market time in {self.wall_s:.1f} s, "
            f"{self.hours * 3600 / self.wall_s:.0f} times real time; {run['books']} books, "
            f"{run['prints']} prints, {events / self.wall_s:.0f} a second",
            f"  {sum(fold.fills)} fills, {self.report['requests']['count']} requests, "
            f"{fold.records} journal records in {fold.files} files; profit "
            f"{self.report['pnl']['total']}, position {self.report['inventory']['position']}",
        ]
        for one in self.processes:
            quarter = len(one.anonymous_kb) // WARM
            text.append(
                f"  {one.name}: own memory {one.anonymous_kb[quarter]} kB after a quarter, "
                f"{round(median(one.anonymous_kb[-quarter:]))} kB in the last quarter; resident at "
                f"most {max(one.resident_kb)} kB; {one.files[-1]} files; {len(one.files)} samples"
            )
        return text


def spend(
    where: Path, name: str, source: str, hours: float, *flags: str, every_s: float = EVERY_S
) -> Day:
    """Run a day on a feed to its end and return it."""
    began = time.monotonic()
    seconds = round(hours * 3600)
    bot = Bot(
        where, "--feed", source, "--speed", "max", "--duration", f"{seconds}s", *flags, **ENVIRON
    )
    engine, shell = Watched("engine"), Watched("bog-live")
    try:
        while bot.process.poll() is None:
            if "\njournal " not in bot.said:  # it starts: its memory is still to come
                time.sleep(every_s)
                continue
            children = Path(f"/proc/{bot.pid}/task/{bot.pid}/children").read_text().split()
            if children:
                engine.look(int(children[0]))
            shell.look(bot.pid)
            time.sleep(every_s)
        wall_s = time.monotonic() - began
        assert bot.process.returncode == 0, f"exit code {bot.process.returncode}: {bot.said}"
    finally:
        bot.kill()
    fold = Folded()
    for path in runs(bot.folder):
        fold.take(path)
    check = "from bog.cli.journal import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", check, "check", bot.folder], env=environment(), cwd=where,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        fold.wrong.append(f"bog-journal check: {done.stderr.strip()}")
    return Day(name, hours, wall_s, bot.report, [engine, shell], fold)


def main() -> None:
    """Spend a day on each feed; exit code 1 when one of them is not sound."""
    parser = argparse.ArgumentParser(prog="tests.rig.day", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    given = parser.parse_args()
    if not RECORDING.exists():
        sys.exit(f"day: no recording {RECORDING}: want the recordings beside the project")
    feeds: dict[str, tuple[str, ...]] = {
        "built-in market": ("sim",),
        f"{RECORDING.parent.name}, looped": (f"loop:{RECORDING}", *OF_RECORDING),
    }
    found: list[str] = []
    for name, (source, *flags) in feeds.items():
        with tempfile.TemporaryDirectory(prefix="bog-day-") as where:
            day = spend(Path(where), name, source, given.hours, *flags)
        wrong = day.findings()
        print("\n".join([*day.lines(), *(f"  WRONG: {line}" for line in wrong)]), flush=True)
        if not wrong:
            print("  sound: memory flat, position, cash, profit and counters as in the journal")
        found += wrong
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
