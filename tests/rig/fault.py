"""The frame of the fault rows: how often each is repeated, from which seed, and what came of it.

    def test_fault_70_sigterm_drains(repeats, bots):
        for n, rng in repeats(70, full=1_000):
            ...
        repeats.note("p99 3 ms")

FAULT_REPEATS is `sample` (50 of each row, the default), `full` (what the row says) or a number.
FAULT_SEED is the seed, 1 by default. FAULT_ROW_S ends a row after so many seconds, but never before
its sample is done. FAULT_TABLE names a file that takes the table at the end as Markdown.
"""

import os
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

SAMPLE = 50
BUDGET_S = 720  # of a sample of every row, all processes of the test run together
KEY = "fault row"


def percentile(values: list[float], share: float) -> float:
    """Return the value at `share` of the way from the smallest to the largest, rounded down."""
    return sorted(values)[int(share * (len(values) - 1))]


class Repeats:
    """The repeats of one row; call it once a test and iterate."""

    def __init__(self) -> None:
        self.seed = int(os.environ.get("FAULT_SEED", "1"))
        self.mode = os.environ.get("FAULT_REPEATS", "sample")
        self.row_s = float(os.environ.get("FAULT_ROW_S", "0"))
        self.row = self.wanted = self.full = self.done = 0
        self.notes: list[str] = []
        self.began = time.monotonic()

    def __call__(
        self, row: int, full: int, sample: int = SAMPLE
    ) -> Iterator[tuple[int, random.Random]]:
        """Yield (number, random source) for each repeat; the source depends on seed, row, number."""
        self.row, self.full = row, full
        self.wanted = {"sample": sample, "full": full}.get(self.mode) or int(self.mode)
        while self.done < self.wanted:
            late = self.row_s and time.monotonic() - self.began > self.row_s
            if late and self.done >= min(sample, self.wanted):
                return
            yield self.done, random.Random(f"{self.seed} {row} {self.done}")
            self.done += 1

    def note(self, text: str) -> None:
        """Keep what this row measured, for the table."""
        self.notes.append(text)

    def result(self) -> dict[str, Any]:
        return {
            "row": self.row, "done": self.done, "wanted": self.wanted, "full": self.full,
            "seconds": time.monotonic() - self.began, "seed": self.seed,
            "notes": "; ".join(self.notes),
        }  # fmt: skip


# hooks, for tests/conftest.py: with xdist the table is printed where no test runs

_rows: list[dict[str, Any]] = []
_outcomes: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call":
        _outcomes[report.nodeid] = report.outcome
    if report.when == "teardown":
        for name, value in report.user_properties:
            if name == KEY and isinstance(value, dict):
                test = report.nodeid.rpartition("::")[2]
                outcome = _outcomes.get(report.nodeid, "failed")
                _rows.append({**value, "test": test, "outcome": outcome})


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _rows:
        return
    rows = sorted(_rows, key=lambda r: (r["row"], r["test"]))
    spent = sum(r["seconds"] for r in rows)
    terminalreporter.section("fault rows")
    terminalreporter.write_line(
        f"seed {rows[0]['seed']}; {spent:.0f} s in tests; the budget of a sample is {BUDGET_S} s"
        " of two cores"
    )
    terminalreporter.write_line("row repeats    of      s")
    for r in rows:
        terminalreporter.write_line(
            f"{r['row']:3d} {r['done']:7d} {r['full']:5d} {r['seconds']:6.1f}  {r['outcome']}"
            f"  {r['test']}" + (f": {r['notes']}" if r["notes"] else "")
        )
    table = os.environ.get("FAULT_TABLE")
    if table:
        Path(table).write_text(_markdown(rows))


def _markdown(rows: list[dict[str, Any]]) -> str:
    cpu = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), "unknown",
    )  # fmt: skip
    variables = " ".join(
        f"{name}={os.environ[name]}"
        for name in ("FAULT_REPEATS", "FAULT_SEED", "FAULT_ROW_S")
        if name in os.environ
    )
    failed = sum(r["outcome"] != "passed" for r in rows)
    lines = [
        "# Soak",
        "",
        "What `make soak` printed: each row of the fault list, with how often it was repeated, of how"
        " many that a full run has. A row that ran out of its time says how far it came.",
        "",
        "```sh",
        f"{variables} make soak".strip(),
        "```",
        "",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores of {cpu}, seed"
        f" {rows[0]['seed']}; {sum(r['done'] for r in rows)} repeats in"
        f" {sum(r['seconds'] for r in rows):.0f} s of tests; {failed} rows failed.",
        "",
        "| row | test | repeats | of | s | outcome | measured |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['row']:02d} | `{r['test']}` | {r['done']} | {r['full']} | {r['seconds']:.0f} |"
        f" {r['outcome']} | {r['notes'].replace('|', '/')} |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"
