"""The real command as a process of its own: start it, signal it, read what it left behind.

Every bot has a directory with its journal, log, report and shared memory: tests do not meet.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bog._core.fold import Fold
from bog._core.journal import PAGE
from bog._core.stats import StatsPage
from bog._core.types import JournalKind, Level, StateWord
from bog.journal import RECORD, read

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 180.0  # a crowded machine takes a minute to start three bots
K = JournalKind
SPELLINGS = {"bog-live": "main", "bog-simple-spread-simulated": "simulated"}


def environment(**more: str) -> dict[str, str]:
    """Return an environment without settings of bog, in which the project can be imported."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BOG_")}
    # bots of tests that run beside each other would dispute the port
    return clean | {"PYTHONPATH": str(ROOT), "BOG_MONITORING__PROMETHEUS_PORT": "0"} | more


def command(*arguments: object, name: str = "bog-live") -> list[str]:
    """Return the command line of one spelling of bog-live."""
    start = f"import sys; from bog.cli.live import {SPELLINGS[name]} as main; main()"
    return [sys.executable, "-c", start, *map(str, arguments)]


def feed_of(where: Path, *options: str) -> "subprocess.Popen[bytes]":
    """Start a feed of the built-in market in a process of its own."""
    line = [sys.executable, "-m", "bog.cli.feed", "--market", "1", "--dir", str(where / "shm")]
    return subprocess.Popen(
        [*line, *options], cwd=where, env=environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def wait_for(what: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Return the first true answer; AssertionError when there is none in time."""
    until = time.monotonic() + patience_s
    while True:
        answer = what()
        if answer:
            return answer
        assert time.monotonic() < until, f"waited {patience_s} s in vain"
        time.sleep(0.02)


class Bot:
    """One bog-live in `where`: shared memory is in `where`/shm, the journal in `where`/journal.

    `before` are words in front of the command line, of a program that executes the rest.
    """

    def __init__(
        self, where: Path, *arguments: object, name: str = "bog-live", market: int = 1,
        before: Sequence[str] = (), **environ: str,
    ) -> None:  # fmt: skip
        self.where, self.shm, self.folder = where, where / "shm", where / "journal"
        self.shm.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.report_path = where / "report.json"
        self.report_path.unlink(missing_ok=True)
        self.raw = 1_000_000 + market
        self.out, self.err = where / "out.txt", where / "err.txt"
        line = command(
            "--market", market, "--feed-dir", self.shm, "--journal", self.folder,
            "--report", self.report_path, *arguments, name=name,
        )  # fmt: skip
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [*before, *line], cwd=where, env=environment(**environ), stdin=subprocess.DEVNULL,
                stdout=out, stderr=err,
            )  # fmt: skip
        self.pid = self.process.pid

    # what it says

    @property
    def said(self) -> str:
        return self.err.read_text()

    @property
    def log(self) -> list[dict[str, Any]]:
        # what follows the last newline is being written
        lines = (self.where / "var/bog.log").read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    @property
    def report(self) -> dict[str, Any]:
        return json.loads(self.report_path.read_text())

    def page(self) -> dict[str, Any]:
        """Return the stats page of the running engine."""
        return StatsPage.open(str(self.shm / f"bog_m{self.raw}.{self.pid}")).snapshot()

    def engine(self) -> int:
        """Return the process id of its only child."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        assert len(children) == 1, children
        return int(children[0])

    def left(self) -> list[str]:
        """Return what is in shared memory, but for a feed's ring, which its next writer takes."""
        return sorted(path.name for path in self.shm.iterdir() if not path.name.startswith("hg_"))

    # how it goes

    def ready(self) -> "Bot":
        """Return when the engine trades or is about to."""

        def is_ready() -> bool:
            assert self.process.poll() is None, f"exit code {self.process.returncode}: {self.said}"
            return "\njournal " in self.said and self.page()["state"] > 0

        wait_for(is_ready)
        return self

    def trading(self, fills: int = 0) -> "Bot":
        """Return when an order rests and at least `fills` happened."""
        self.ready()
        wait_for(lambda: (p := self.page())["orders"] and p["fills"] >= fills)
        return self

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ends(self, code: int = 0) -> "Bot":
        """Wait for the end; AssertionError unless it is by this exit code."""
        ended = self.process.wait(PATIENCE_S)
        assert ended == code, f"exit code {ended}: {self.said}"
        return self

    def stop(self) -> "Bot":
        self.signal(signal.SIGTERM)
        return self.ends()

    def kill(self) -> None:
        """Leave nothing running, whatever the test came to."""
        if self.process.poll() is None:
            for pid in (*self._children(), self.pid):
                os.kill(pid, signal.SIGKILL)
            self.process.wait()

    def _children(self) -> list[int]:
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in text.split()]


def runs(folder: Path) -> list[Path]:
    """Return the files of a journal, oldest first."""
    return sorted(folder.glob("*.journal"))


def records(folder: Path, run: int = -1) -> "np.ndarray[Any, Any]":
    """Return the records on disk of one run, the newest by default, also while it is written."""
    data = runs(folder)[run].read_bytes()[PAGE:]
    return np.frombuffer(data[: len(data) - len(data) % RECORD.itemsize], RECORD)


def of_kind(rows: "np.ndarray[Any, Any]", *kinds: JournalKind) -> "np.ndarray[Any, Any]":
    return rows[np.isin(rows["kind"], kinds)]


def fold(folder: Path, run: int = -1) -> Fold:
    """Return what a finished run's file adds up to."""
    found = Fold()
    found.extend(read(runs(folder)[run]).records.tobytes())
    return found


def position(folder: Path, run: int = -1) -> int:
    """Return the lots held at the end of a run, summed here: its start and its fills."""
    rows = records(folder, run)
    start = rows[(rows["kind"] == K.J_STATE) & (rows["reason"] == StateWord.W_POS)]
    fills = of_kind(rows, K.J_FILL)
    signed = np.where(fills["side"] == 0, fills["qty"], -fills["qty"])
    return int(start["val"].sum() + signed.sum())


def is_drained(folder: Path, run: int = -1) -> bool:
    """Return whether a run ended with every order proven dead, in its own words."""
    rows = records(folder, run)
    drains = rows[(rows["kind"] == K.J_LEVEL) & (rows["state"] >= Level.LEVEL_DRAIN)]
    end = rows[-1]
    return (
        bool(len(drains))
        and int(end["kind"]) == K.J_END
        and int(end["val"]) == 0
        and not fold(folder, run).orders
    )


def one_error(text: str) -> str:
    """Return the only line that a refused command may print."""
    (line,) = text.splitlines()
    assert "error: " in line and "Traceback" not in line
    return line
