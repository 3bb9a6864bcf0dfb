"""What a bot does when a process, a file or a disk fails under it."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bog._core.journal import PAGE
from bog._core.reader import Reader
from bog._core.types import Halt, Reject, StateWord
from bog.journal import RECORD
from tests.rig.live import (
    PATIENCE_S,
    Bot,
    K,
    environment,
    fold,
    is_drained,
    of_kind,
    one_error,
    position,
    records,
    runs,
    wait_for,
)


@pytest.fixture
def bots(tmp_path: Path) -> Iterator[Callable[..., Bot]]:
    """Start bots in one place that do not outlive the test."""
    started: list[Bot] = []

    def start(*arguments: object, where: Path = tmp_path, **more: object) -> Bot:
        started.append(Bot(where, *arguments, **more))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for bot in started:
        bot.kill()


@pytest.fixture
def feeds(shm: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start feeds of market 1 that do not outlive the test."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        line = [sys.executable, "-m", "bog.cli.feed", "--market", "1", "--dir", str(shm)]
        feed = subprocess.Popen(
            line, cwd=shm.parent, env=environment(), stderr=subprocess.DEVNULL, text=True
        )
        started.append(feed)
        return feed

    yield start
    for feed in started:
        feed.kill()
        feed.wait()


def rows_of(shm: Path) -> int:
    """Return how many rows the feed's newest life has published, 0 before it begins."""
    try:
        return int(Reader(1, directory=shm).header()["rows"])
    except Exception:
        return 0


def test_feed_dies_and_comes_back(
    bots: Callable[..., Bot], feeds: Callable[[], subprocess.Popen[str]], shm: Path
) -> None:
    feed = feeds()
    wait_for(lambda: rows_of(shm) > 2000)  # attach late: the book is in the page, not in the rows
    bot = bots("--feed", "huginn").trading()
    first = bot.page()
    assert 0 < first["bid"] < first["ask"] and not first["stale"]
    wait_for(lambda: len(bot.page()["orders"]) == 2)
    killed_ns = time.monotonic_ns()
    feed.kill()
    feed.wait()
    # what the host withholds from this loop it may have withheld from the engine
    stalled_ns, before_ns = 0, time.monotonic_ns()
    while not len(of_kind(records(bot.folder), K.J_STALE)):
        time.sleep(0.002)
        now_ns = time.monotonic_ns()
        stalled_ns += max(0, now_ns - before_ns - 20_000_000)
        before_ns = now_ns
        assert now_ns - killed_ns < PATIENCE_S * 1e9
    wait_for(lambda: not bot.page()["orders"])
    held = bot.page()["position"]["pos"]
    stale = of_kind(records(bot.folder), K.J_STALE)[-1]
    assert int(stale["state"]) == 1
    pulled = of_kind(records(bot.folder), K.J_CANCEL)
    pulled = pulled[pulled["seq"] > stale["seq"]]
    assert set(pulled["side"].tolist()) <= {0, 1} and len(pulled) >= 1
    assert int(pulled["time_ns"][-1]) - killed_ns - stalled_ns < 1_000_000_000
    time.sleep(0.5)
    assert bot.process.poll() is None and bot.page()["stale"] and not bot.page()["orders"]

    feeds()
    wait_for(lambda: not bot.page()["stale"] and bot.page()["orders"])
    rows = records(bot.folder)
    epoch = of_kind(rows, K.J_EPOCH)
    assert epoch["id"].tolist() == [2]
    fresh = of_kind(rows, K.J_STALE)[-1]
    assert int(fresh["state"]) == 0
    between = rows[(rows["seq"] > stale["seq"]) & (rows["seq"] <= fresh["seq"])]
    assert len(of_kind(between, K.J_PLACE, K.J_AMEND)) == 0
    fills = of_kind(rows[rows["seq"] <= epoch["seq"][0]], K.J_FILL)
    signed = [int(f["qty"]) * (-1 if f["side"] else 1) for f in fills]
    assert sum(signed) == held
    bot.stop()
    assert is_drained(bot.folder)
    messages = [line["message"] for line in bot.log]
    for words in ("Feed is stale", "Feed writer restarted", "Feed is fresh again"):
        assert words in messages


def test_killed_engine_is_told_in_one_line_and_recovered_from(bots: Callable[..., Bot]) -> None:
    bot = bots("--speed", 20).trading(fills=2)
    os.kill(bot.engine(), signal.SIGKILL)
    bot.ends(1)
    assert bot.said.count("error: ") == 1 and "Traceback" not in bot.said
    assert "the engine died by signal SIGKILL" in bot.said.splitlines()[-1]
    again = bots("--duration", "5s", "--speed", "max").ends()
    # recovery has finished the file of the killed run: read it only now
    old = fold(bot.folder, 0)
    assert len(of_kind(records(bot.folder, 0), K.J_FILL)) >= 2
    held = position(bot.folder, 0)
    assert old.words[StateWord.W_POS] == held
    rows = records(again.folder)
    carried = {int(r["reason"]): int(r["val"]) for r in of_kind(rows, K.J_STATE)}
    assert [carried[word] for word in range(len(carried))] == list(old.words)
    head = rows[: int(of_kind(rows, K.J_READY)["seq"][0])]
    canceled = of_kind(head, K.J_CANCELED)
    assert sorted(canceled["id"].tolist()) == sorted(old.orders)
    assert set(canceled["reason"].tolist()) <= {Reject.REJ_RESTART}
    assert f"recovered run 1: position {held / 100_000:.5f} BTC" in again.said
    assert f"{len(old.orders)} paper orders canceled" in again.said
    assert again.left() == []


def test_engine_leaves_when_bog_live_is_killed(bots: Callable[..., Bot]) -> None:
    bot = bots().trading()
    engine = Path(f"/proc/{bot.engine()}/comm")
    os.kill(bot.pid, signal.SIGKILL)
    bot.process.wait()
    wait_for(lambda: not engine.exists() or engine.read_text() != "bog-engine\n", 10)
    assert is_drained(bot.folder)
    assert bot.left() == [f"bog_m1000001.{bot.pid}"]
    assert bots("--duration", "1s", "--speed", "max").ends().left() == []


def test_engine_does_not_begin_without_bog_live(bots: Callable[..., Bot]) -> None:
    for _ in range(3):
        bot = bots()
        wait_for(lambda pid=bot.pid: Path(f"/proc/{pid}/comm").read_text() == "bog-live\n")
        engine = Path(f"/proc/{bot.engine()}/status")
        os.kill(bot.pid, signal.SIGKILL)
        bot.process.wait()
        wait_for(lambda path=engine: not path.exists() or "\nState:\tZ" in path.read_text(), 10)
    for path in runs(bot.folder) if bot.folder.exists() else []:
        assert K.J_PLACE not in records(bot.folder, runs(bot.folder).index(path))["kind"]


def test_second_bot_on_one_journal_is_refused(bots: Callable[..., Bot], tmp_path: Path) -> None:
    bot = bots().trading()
    turns = bot.page()["turns"]
    second = bots("--duration", "1s", "--journal", bot.folder, where=tmp_path / "other").ends(78)
    line = one_error(second.said)
    assert str(bot.engine()) in line or str(bot.pid) in line, line
    assert str(bot.folder) in line
    wait_for(lambda: bot.page()["turns"] > turns)
    bot.stop()
    assert is_drained(bot.folder) and len(runs(bot.folder)) == 1


def test_damaged_middle_of_a_journal_exits_75(bots: Callable[..., Bot]) -> None:
    bot = bots("--duration", "20s", "--speed", "max").ends()
    (path,) = runs(bot.folder)
    data = bytearray(path.read_bytes())
    at = PAGE + len(records(bot.folder)) // 2 * RECORD.itemsize + 20
    data[at] ^= 0x40
    path.write_bytes(data)
    again = bots("--duration", "1s", "--speed", "max").ends(75)
    line = one_error(again.said)
    assert path.name in line and "is damaged" in line
    assert path.read_bytes() == data and runs(bot.folder) == [path]
    assert again.left() == []


def test_full_disk_ends_the_run_and_halts_the_next(bots: Callable[..., Bot]) -> None:
    bot = bots("--speed", 20).trading()
    (path,) = runs(bot.folder)
    most = path.stat().st_size + 10 * RECORD.itemsize
    resource.prlimit(bot.engine(), resource.RLIMIT_FSIZE, (most, most))
    code = bot.process.wait(PATIENCE_S)
    assert code in (1, 3)
    assert bot.said.count("error: ") == 1 and "Traceback" not in bot.said
    assert "the journal failed: its disk is full or refuses writes" in bot.said.splitlines()[-1]
    assert path.stat().st_size <= most
    again = bots("--duration", "20s", "--speed", "max").ends()
    (halt,) = of_kind(records(bot.folder, 0), K.J_HALT)
    assert int(halt["reason"]) == Halt.HALT_JOURNAL
    # the halt is journaled, then the cancels and their proof; no order was sent after it
    after = records(bot.folder, 0)
    after = after[after["seq"] > halt["seq"]]
    assert not len(of_kind(after, K.J_PLACE, K.J_AMEND)) and not fold(bot.folder, 0).orders
    assert "HALTED by JOURNAL" in again.said
    assert len(of_kind(records(again.folder), K.J_PLACE)) == 0
    assert position(again.folder) == position(bot.folder, 0)


# no allocation once it runs

MEASURE = """
import ctypes, json, sys
from pathlib import Path
from bog import config, run
from bog._core.loop import Session
from bog._core.stats import StatsPage
from bog.spec import raw_market, spec_of

values = json.loads(sys.argv[1])
settings = config.load(None, values.pop("tree"))
spec = spec_of(settings, values["market"], values, "00" * 32, "test",
               settings.feed.directory + "/page", 0)
page = StatsPage.create(spec["page"], raw_market(spec["market"]))
lane, journal, *_ = run.prepare(spec, page)
session = Session([lane])
count = ctypes.CDLL(None).bog_allocations
count.restype = ctypes.c_uint64
count()
before = count()
code = session.run()
after = count()
said = page.snapshot()
print(json.dumps({"before": before, "during": after - before, "code": code,
                  "market_ns": said["now_ns"] - said["start_ns"], "placed": said["placed"],
                  "fills": said["fills"], "books": said["books"], "written": journal.written}))
journal.close()
Path(spec["page"]).unlink()
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the library that counts the calls of the allocator in each thread."""
    library = tmp_path_factory.mktemp("malloc") / "malloc_count.so"
    source = Path(__file__).parents[1] / "rig" / "malloc_count.c"
    subprocess.run(
        ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"],
        check=True,
    )
    return library


def allocations(counter: Path, where: Path, source: str, seconds: int) -> dict[str, int]:
    """Return what one session of so much market time counted, in a process of its own."""
    shm = where / f"shm{seconds}"
    shm.mkdir(mode=0o700, parents=True)
    names = ("script", "cpu", "realtime", "clear_halt")
    values = dict.fromkeys(names) | {
        "market": 1, "duration": f"{seconds}s", "no_publish": True,
        "tree": {"feed": {"source": source, "speed": "max", "directory": str(shm)},
                 "journal": {"directory": str(where / f"journal{seconds}")}},
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, json.dumps(values)], capture_output=True, text=True,
        check=False, timeout=PATIENCE_S,
        # with its own allocator off, each object of Python is a malloc that counts
        env=environment(LD_PRELOAD=str(counter), PYTHONMALLOC="malloc"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", ["sim", "tape"])
def test_hot_loop_allocates_nothing(counter: Path, tmp_path: Path, kind: str) -> None:
    source = "sim"
    if kind == "tape":
        tape = tmp_path / "long.tape"
        line = [sys.executable, "-m", "bog.cli.feed", "--market", "1", "--dir", str(tmp_path)]
        more = ["--speed", "max", "--duration", "200", "--record", str(tape)]
        subprocess.run(
            [*line, *more], env=environment(), check=True, stderr=subprocess.DEVNULL,
            timeout=PATIENCE_S,
        )  # fmt: skip
        source = f"replay:{tape}"
    short, long = (allocations(counter, tmp_path / kind, source, s) for s in (10, 200))
    assert short["before"] > 10_000  # it counts
    assert short["code"] == long["code"] == 0
    assert long["market_ns"] > 190e9 > 15 * 1e9 > short["market_ns"] * 0.9
    assert long["books"] > 5 * short["books"] > 0
    assert long["placed"] > short["placed"] > 0 and long["fills"] > 0
    assert long["written"] > short["written"] > 0
    # starting and ending the loop makes a few objects of Python, now and then one more; thousands
    # of turns more take nothing
    assert long["books"] - short["books"] > 5_000
    assert abs(long["during"] - short["during"]) <= 4
    assert long["during"] < 1_000
