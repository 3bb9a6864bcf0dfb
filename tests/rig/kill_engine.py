"""Kills real engine processes at random moments and compares what they left with a life unharmed.

    python tests/rig/kill_engine.py FOLDER KILLS SEED

Every life is a fork of this preloaded process: it recovers the journal, trades a tape on paper as
fast as it can, and is killed with SIGKILL at a random moment: while recovering, while writing the
head of its run, while trading (so also inside a journal write), or after its end. The next life is
compared with the last: its journal must be a prefix, byte for byte, of the journal that an unharmed
life writes from the same start; what it recovers must be the fold of exactly that prefix; the
orders alive at the kill must be journaled as canceled. Prints one line of JSON.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from bog import config
from bog._core.fold import Fold
from bog._core.frames import MarketRow
from bog._core.journal import PAGE, JournalFile, file_name
from bog._core.lane import Lane
from bog._core.loop import Session
from bog._core.market import Market
from bog._core.recorder import TapeWriter
from bog._core.source import open_source
from bog._core.stats import StatsPage
from bog._core.types import JournalKind, Reject, StateWord
from bog.journal import RECORD, read
from bog.recovery import recover

RAW = 1_000_001
TAPE_SEC = 150


def make_tape(path: Path, seed: int) -> None:
    """Record the built-in market's rows."""
    market = Market(seed, "active", seconds=TAPE_SEC)
    with TapeWriter(path, 1, 1, 5) as tape:
        for recv, exch, kind, side, px, qty, number, flags, eom in market:
            tape.append(MarketRow(recv, exch, chr(kind), side, px, qty, number, eom, flags))


def core_spec() -> dict[str, object]:
    settings = config.load(
        flags={
            "feed": {"source": "replay:tape"},
            "execution": {"tier": "premium"},
            # many orders and fills a second: a life of some milliseconds must have a story
            "strategy": {"simple_spread": {"spread_bps": "0.4", "min_interval_ms": 0}},
            "risk": {"rate_limit_orders_per_sec": 60, "rate_limit_burst": 200},
        },
        environ={},
    )
    strategy = settings.strategy_params(1)
    strategy["maker_ppm"] = strategy["edge_ppm"] = 0
    return {
        "market": RAW,
        "limits": settings.limits(1),
        "strategy": strategy,
        "venue": settings.venue_params(1),
        "price_decimals": 1,
        "size_decimals": 5,
        "speed_ppm": 0,
        "duration_ns": 0,
        "spin": False,
        "mode": 0,
    }


def live(folder: Path, tape: Path, spec: dict[str, object], page: str) -> list[int]:
    """One life, from recovery to the end of the tape; return the words it ends with."""
    segments = folder / "segments"
    recovered = recover(folder / "journal", RAW, segments=segments)
    source = open_source(tape)
    journal = JournalFile(
        folder / "journal", market=RAW, run=recovered.next_run, price_decimals=1, size_decimals=5,
        segments=segments,
    )  # fmt: skip
    lane = Lane(
        {**spec, "run": recovered.next_run}, StatsPage.create(page, RAW), journal, source=source
    )
    lane.start(recovered)
    Session([lane]).run()
    journal.close()
    return lane.words()


def spawn(folder: Path, tape: Path, spec: dict[str, object], page: str, after: float | None) -> int:
    """Fork a life and kill it after so many seconds; return 1 when the kill found it alive."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            live(folder, tape, spec, page)
            code = 0
        finally:
            os._exit(code)
    if after is not None:
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("a life failed by itself; its traceback is above")
    return int(os.WIFSIGNALED(status))


def lifetime(folder: Path, tape: Path, spec: dict[str, object]) -> float:
    """Return how many seconds a forked, unharmed life takes."""
    began = time.monotonic()
    spawn(folder, tape, spec, str(folder / "page"), None)
    return time.monotonic() - began


def newest(folder: Path) -> Path:
    return max((folder / "journal").glob("*.journal"))


def reference(folder: Path, tape: Path, spec: dict[str, object]) -> Path:
    """Live unharmed from the state that `folder` holds, in a copy of it; return its journal."""
    twin = folder.parent / "twin"
    shutil.rmtree(twin, ignore_errors=True)
    shutil.copytree(folder / "journal", twin / "journal")
    (twin / "segments").mkdir()
    live(twin, tape, spec, str(twin / "page"))
    return newest(twin)


def main() -> None:
    root, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(seed)
    spec = core_spec()
    tape = root / "tape"
    make_tape(tape, seed)
    began = time.monotonic()
    # how long an unharmed life takes here and now; the busier the machine, the longer
    whole = min(lifetime(make_folder(root / f"measure{i}"), tape, spec) for i in range(3))
    counts = dict.fromkeys(
        ("kills", "ready", "void", "trading", "ended", "fills", "canceled", "records"), 0
    )
    differences: list[str] = []
    life = 0
    while counts["kills"] < kills:
        folder = make_folder(root / f"account{life}")
        twin: Path | None = None
        for _ in range(10):  # lives of one account, each from what the last one left
            life += 1
            before = recover(folder / "journal", RAW, segments=folder / "segments")
            # the unharmed life from here; a life that died before it was ready changed nothing
            twin = reference(folder, tape, spec)
            page = folder / f"page{life}"
            counts["kills"] += spawn(folder, tape, spec, str(page), rng.uniform(0.0, 1.15) * whole)
            # recovery itself is killed, too
            if rng.random() < 0.3:
                counts["kills"] += kill_recovery(folder, rng.uniform(0, 0.004))
            after = recover(folder / "journal", RAW, segments=folder / "segments")
            again = recover(folder / "journal", RAW, segments=folder / "segments")
            if after != again:
                differences.append(f"life {life}: recovering twice differs")
            if after.run == before.run:
                counts["void"] += 1
                whole *= 1.1  # the machine has become slower than it was measured
                if after.words != before.words:
                    differences.append(f"life {life}: a life that was not ready changed the state")
                continue
            counts["ready"] += 1
            ended = int(read(newest(folder)).records["kind"][-1] == JournalKind.J_END)
            counts["ended"] += ended
            whole *= 0.9 if ended else 1
            compare(life, folder, twin, before, after, counts, differences)
        shutil.rmtree(folder)
    counts["lives"] = life
    print(json.dumps({**counts, "differences": differences[:5], "differing": len(differences),
                      "seconds": round(time.monotonic() - began, 1)}))  # fmt: skip


def make_folder(folder: Path) -> Path:
    (folder / "segments").mkdir(parents=True)
    (folder / "journal").mkdir(mode=0o700)
    return folder


def kill_recovery(folder: Path, after: float) -> int:
    """Kill a process that recovers again and again; return 1: it never ends by itself."""
    pid = os.fork()
    if pid == 0:
        while True:
            recover(folder / "journal", RAW, segments=folder / "segments")
    time.sleep(after)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return 1


def compare(life, folder, twin, before, after, counts, differences) -> None:  # type: ignore[no-untyped-def]
    """Hold what a life left against the same life unharmed."""
    mine = folder / "journal" / file_name(RAW, after.run)
    data, full = mine.read_bytes(), twin.read_bytes()
    if read(twin).header != read(mine).header:
        # void runs in between raise the number of this one
        full = renumbered(full, data)
    if not same_records(data, full):
        differences.append(f"life {life}: the journal is no prefix of the unharmed one")
        return
    records = read(mine).records
    folded = fold(records)
    if tuple(folded.words) != tuple(after.words):
        differences.append(f"life {life}: recovered words differ from the fold of the prefix")
    prefix = fold(read(twin).records[: len(records)])
    for word, (a, b) in enumerate(zip(after.words, prefix.words, strict=True)):
        if a != b:
            differences.append(f"life {life}: word {StateWord(word).name} {a}, unharmed {b}")
    head = records[records["kind"] == JournalKind.J_CANCELED]
    dead = {int(r["id"]) for r in head if r["reason"] == Reject.REJ_RESTART}
    if dead != {order.id for order in before.open_orders}:
        differences.append(f"life {life}: orders alive at the kill are not journaled as canceled")
    counts["canceled"] += len(dead)
    counts["records"] += len(records)
    counts["fills"] += int((records["kind"] == JournalKind.J_FILL).sum())
    counts["trading"] += int(len(records) > 40)


def renumbered(full: bytes, data: bytes) -> bytes:
    return data[:PAGE] + full[PAGE:]


def fold(records) -> Fold:  # type: ignore[no-untyped-def]
    folded = Fold()
    folded.extend(records.tobytes())
    return folded


def same_records(data: bytes, full: bytes) -> bool:
    """Return whether all but seals and run number of the records are a prefix of the unharmed."""
    import numpy as np

    mine = np.frombuffer(data[PAGE:], RECORD)
    other = np.frombuffer(full[PAGE:], RECORD)[: len(mine)]
    if len(other) != len(mine):
        return False
    a, b = mine.copy(), other.copy()
    for part in (a, b):
        part["crc"] = 0
        part["id"][part["kind"] == JournalKind.J_RUN] = 0
    return a.tobytes() == b.tobytes()


if __name__ == "__main__":
    main()
