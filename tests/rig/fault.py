"""The frame of the fault rows: how often each is repeated, from which seed, and what came of it.

    def test_fault_70_sigterm_drains(repeats, bots):
        for n, rng in repeats(70, full=1_000):
            ...
        repeats.note("p99 3 ms")

How often is a full run? What the text of the row says: its count, or the whole matrix where it says
each, every, all. Where it says neither, 200.

FAULT_REPEATS is `sample` (50 of each row, the default), `full` or a number. FAULT_SEED is the seed, 1
by default. FAULT_ROW_S ends a row after so many seconds, but never before its sample is done.
FAULT_KEEP names a folder whose results.jsonl takes the result of each row when it ends: a row that
passed there at its full count, with the same test and the same code of the product, is skipped, unless
FAULT_AGAIN=1 or `-k` asks for it. FAULT_TABLE names a file that takes the newest result of every row
as Markdown.
"""

import hashlib
import inspect
import json
import os
import random
import re
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = 50
FULL = 200  # of a row that states no count
BUDGET_S = 1000  # of a sample of every row, all processes of the test run together
KEY = "fault row"


def percentile(values: list[float], share: float) -> float:
    """Return the value at `share` of the way from the smallest to the largest, rounded down."""
    return sorted(values)[int(share * (len(values) - 1))]


def commit() -> str:
    """Return the name of the commit that is tested; a table that was rewritten is no change."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    changed = git("status", "--porcelain", "-uno", "--", "bog", "configs", "tests", "setup.py")
    return (git("describe", "--always") or "unknown") + ("-dirty" if changed else "")


def digest_of_the_product() -> str:
    """Return what changes when a source of the product does."""
    sources = [p for p in (ROOT / "bog").rglob("*") if p.suffix in (".py", ".pyx", ".pxd", ".h")]
    parts = [p.read_bytes() for p in sorted([*sources, *(ROOT / "configs").glob("*.toml")])]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def kept() -> dict[str, dict[str, Any]]:
    """Return the newest result that was kept of each test."""
    folder = os.environ.get("FAULT_KEEP")
    path = Path(folder or "") / "results.jsonl"
    if not folder or not path.exists():
        return {}
    return {r["test"]: r for r in map(json.loads, path.read_text().splitlines())}


class Repeats:
    """The repeats of one row; call it once a test and iterate."""

    def __init__(self, item: pytest.Item) -> None:
        self.seed = int(os.environ.get("FAULT_SEED", "1"))
        self.mode = os.environ.get("FAULT_REPEATS", "sample")
        self.row_s = float(os.environ.get("FAULT_ROW_S", "0"))
        self.row = self.wanted = self.full = self.done = 0
        self.notes: list[str] = []
        self.began = time.monotonic()
        source = inspect.getsource(item.function)  # type: ignore[attr-defined]
        self.what = {
            "test": item.nodeid.rpartition("::")[2], "commit": commit(),
            "product": digest_of_the_product(),
            "source": hashlib.sha256(source.encode()).hexdigest()[:16],
        }  # fmt: skip
        again = os.environ.get("FAULT_AGAIN") or item.config.option.keyword
        if self.mode == "full" and not again and self._is_known():
            pytest.skip("it passed at its full count; FAULT_AGAIN=1 repeats it")

    def _is_known(self) -> bool:
        result = kept().get(self.what["test"], {})
        return bool(
            result.get("outcome") == "passed"
            and result["done"] >= result["full"]
            and all(result[name] == self.what[name] for name in ("product", "source"))
        )

    def __call__(
        self, row: int, full: int = FULL, sample: int = SAMPLE
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

    def each(self, values: list[Any]) -> list[Any]:
        """Return a matrix in an order that the seed gives, so that a sample is one of it."""
        return random.Random(self.seed).sample(values, len(values))

    def note(self, text: str) -> None:
        """Keep what this row measured, for the table."""
        self.notes.append(text)

    def result(self) -> dict[str, Any]:
        return self.what | {
            "row": self.row, "done": self.done, "wanted": self.wanted, "full": self.full,
            "seconds": time.monotonic() - self.began, "seed": self.seed,
            "notes": "; ".join(self.notes), "when": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        }  # fmt: skip


# hooks, for tests/conftest.py: with xdist the table is printed where no test runs

_rows: list[dict[str, Any]] = []
_calls: dict[str, pytest.TestReport] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call":
        _calls[report.nodeid] = report
    if report.when == "teardown":
        call = _calls.pop(report.nodeid, report)
        for name, value in report.user_properties:
            if name == KEY and isinstance(value, dict):
                _rows.append({**value, "outcome": call.outcome, "why": call.longreprtext})
                _keep(_rows[-1])


def _keep(result: dict[str, Any]) -> None:
    folder = os.environ.get("FAULT_KEEP")
    if folder and "PYTEST_XDIST_WORKER" not in os.environ:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with (Path(folder) / "results.jsonl").open("a") as file:
            file.write(json.dumps(result) + "\n")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    table = os.environ.get("FAULT_TABLE")
    if table:
        Path(table).write_text(_markdown(kept()))
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


def _tests() -> list[str]:
    """Return the names of the tests of rows, in the order of the list."""
    text = "".join(path.read_text() for path in (ROOT / "tests" / "fault").glob("test_*.py"))
    return sorted(re.findall(r"^def (test_fault_\w+)", text, flags=re.M))


def _said(result: dict[str, Any]) -> str:
    """Return what a row measured, or what it failed with, without the folders of this machine."""
    failed = (line[1:].strip() for line in result["why"].splitlines() if line.startswith("E "))
    text = "; ".join(part for part in (next(failed, ""), result["notes"]) if part)
    return re.sub(r"(?:/[\w.-]+)+/", "", text.replace("|", "/"))[:400]


def _markdown(results: dict[str, dict[str, Any]]) -> str:
    cpu = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), "unknown",
    )  # fmt: skip
    lines, rows, missing = [], [], 0
    for test in _tests():
        found = [r for name, r in sorted(results.items()) if name.partition("[")[0] == test]
        rows += found
        lines += [
            f"| {r['row']:02} | `{r['test']}` | {r['done']} | {r['full'] or ''} |"
            f" {r['seconds']:.0f} | {r['outcome']} | {r['when']} | {r['commit']} | {r['seed']} |"
            f" {_said(r)} |"
            for r in found
        ]
        if not found:
            missing += 1
            number = re.sub(r"\D.*", "", test.removeprefix("test_fault_"))
            lines.append(f"| {number} | `{test}` | 0 | | | not run | | | | |")
    head = [
        "# Soak",
        "",
        "What `make soak` printed: the newest result of each row of the fault list. A full run of a row"
        " is what its text says: its count, or the whole matrix where it says each, every, all; where it"
        f" says neither, {FULL} repeats. A row that was stopped before says how far it came. Bounds are"
        " held after what the machine withheld, which a canary measures, was subtracted.",
        "",
        "```sh",
        "make soak                   # rows that passed with this code are not repeated",
        "make soak ARGS='-k fault_70'",
        "```",
        "",
        f"{os.cpu_count()} cores of {cpu}, shared with other work; times are UTC."
        f" {len(lines)} lines: {sum(r['outcome'] == 'passed' for r in rows)} passed,"
        f" {sum(r['outcome'] != 'passed' for r in rows)} failed, {missing} not run,"
        f" {sum(r['done'] < r['full'] for r in rows)} below the full count;"
        f" {sum(r['done'] for r in rows)} repeats in {sum(r['seconds'] for r in rows):.0f} s of tests.",
        "",
        "| row | test | repeats | of | s | outcome | when | commit | seed | measured |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    return "\n".join(head + lines) + "\n"
