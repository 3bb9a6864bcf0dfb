"""The tools that look at a feed, on real feeds and bots: what they print, and how they refuse."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bog._core.huginn import layout
from bog._core.publisher import Publisher
from bog._core.shm import object_path
from bog._core.types import Flag, RowKind
from bog.sight import Looker
from tests.rig.live import PATIENCE_S, Bot, environment, wait_for

RESET, LEVEL = int(RowKind.ROW_RESET), int(RowKind.ROW_LEVEL)
WHERE = layout()
Feeds = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def feeds(shm: Path) -> Iterator[Feeds]:
    """Start feeds of the built-in market in `shm`; none is left running."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: object) -> subprocess.Popen[bytes]:
        line = ["bog.cli.feed", "--market", "1", "--dir", shm, *arguments]
        process = subprocess.Popen([sys.executable, "-m", *map(str, line)], env=environment(),
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        started.append(process)
        wait_for(lambda: (book := Looker(1, shm, stale_ms=60_000).look(5).book) and book.mid2
                 and not book.stale)  # fmt: skip
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def look(shm: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run print-orderbook."""
    line = [sys.executable, "-m", "bog.cli.book", "--dir", shm, *arguments]
    return subprocess.run(
        [*map(str, line)], env=environment(), capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip


def refused(answer: subprocess.CompletedProcess[str]) -> str:
    """Return the one line of a refusal with exit code 1 and nothing on standard output."""
    assert (answer.returncode, answer.stdout) == (1, ""), answer
    (line,) = answer.stderr.splitlines()
    return line


def test_every_format_shows_the_running_feed(shm: Path, feeds: Feeds) -> None:
    feeds()
    slow = ("--stale-after", 60_000)  # of a loaded machine
    pretty = look(shm, "--levels", 3, *slow)
    assert pretty.returncode == 0, pretty.stderr
    sides = [line.split()[0] for line in pretty.stdout.splitlines()[2:-1]]
    assert sides == ["ask"] * 3 + ["mid"] + ["bid"] * 3
    compact = look(shm, "--market", 1, "--format", "compact", *slow).stdout
    assert re.fullmatch(r"market 1 seq \d+ bid [\d.]+ x [\d.]+ ask .* age \d+.*\n", compact)
    before = time.time_ns()
    first, second = (json.loads(look(shm, "--format", "json", *slow).stdout) for _ in range(2))
    assert first["market_id"] == 1 and second["sequence"] > first["sequence"] > 0
    assert len(first["bids"]) == len(first["asks"]) == 10
    bids, asks = ([level["price"] for level in first[side]] for side in ("bids", "asks"))
    assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0]
    times = first["timestamps"]
    assert before < times["read_ns"] < time.time_ns()
    assert abs(times["received_ns"] - times["read_ns"]) < PATIENCE_S * 1e9
    assert abs(times["exchange_ns"] - times["read_ns"]) < PATIENCE_S * 1e9
    assert 0 <= first["age_ms"] < 60_000


def test_no_feed_is_one_line_that_says_how_to_start_one(shm: Path) -> None:
    line = refused(look(shm))
    assert line == (
        f"print-orderbook: error: no feed of market 1: {shm}/hg_m1000001 does not exist;"
        " start one: bog-feed --market 1"
    )


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (signal.SIGKILL, r"its writer, process \d+, died, [\d.]+ m?s ago"),
        (signal.SIGTERM, r"its writer has ended, [\d.]+ m?s ago"),
        (signal.SIGSTOP, r"its writer, process \d+, has been silent for [\d.]+ m?s"),
    ],
)
def test_a_stale_feed_is_one_line_that_says_why(
    number: signal.Signals, why: str, shm: Path, feeds: Feeds
) -> None:
    feed = feeds()
    feed.send_signal(number)
    if number != signal.SIGSTOP:
        feed.wait(PATIENCE_S)
    looker = Looker(1, shm)
    wait_for(lambda: (book := looker.look(1).book) and book.stale)
    line = refused(look(shm))
    assert re.search(f"feed of market 1 is stale: {why}; start it again: bog-feed", line), line


def test_a_feed_without_a_book_is_one_line(shm: Path) -> None:
    with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
        pub.put(RESET)
        line = refused(look(shm, "--stale-after", 60_000))
    assert f"feed of market 1 has no book yet: {shm}/hg_m1000001" in line


def test_a_feed_of_another_build_is_one_line(shm: Path) -> None:
    with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
        with Path(pub.path).open("r+b") as file:
            file.seek(WHERE["header.version"][0])
            file.write((9).to_bytes(4, "little"))
        line = refused(look(shm))
    assert "has layout version 9, this build reads 1" in line


def test_a_looker_follows_a_feed_that_starts_anew(shm: Path) -> None:
    looker = Looker(1, shm)
    assert looker.look(5).book is None
    for epoch in (1, 2):
        with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
            pub.put(RESET, eom=0, flags=int(Flag.F_SNAPSHOT))
            pub.put(LEVEL, 0, 1000 * epoch, 7)
            book = looker.look(5).book
            assert book is not None and not book.stale
            assert (book.epoch, book.bids) == (epoch, ((1000 * epoch, 7),))
    book = looker.look(5).book
    assert book is not None and "has ended" in book.stale
    Path(object_path(1, 1, shm)).unlink()
    assert looker.look(5).book is not None  # what is mapped stays to be seen, as stale


def test_a_looker_writes_nothing_and_leaves_the_writer_alone(shm: Path) -> None:
    with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
        pub.put(RESET, eom=0, flags=int(Flag.F_SNAPSHOT))
        pub.put(LEVEL, 0, 1000, 7)
        before = Path(pub.path).read_bytes()
        Path(pub.path).chmod(0o400)  # the looker could not write if it would
        looker = Looker(1, shm)
        for _ in range(100):
            assert looker.look(5).book is not None
        assert Path(pub.path).read_bytes() == before


def test_a_bot_is_seen_beside_its_feed_while_it_lives(tmp_path: Path) -> None:
    bot = Bot(tmp_path)
    try:
        looker = Looker(1, bot.shm, stale_ms=60_000)
        bot.trading()
        wait_for(lambda: (seen := looker.look(5).bot) and seen.pid == bot.pid
                 and seen.page["orders"])  # fmt: skip
        bot.stop()
    finally:
        bot.kill()
    wait_for(lambda: looker.look(5).bot is None)


def test_a_page_of_another_build_is_one_line(shm: Path) -> None:
    with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as pub:
        pub.put(RESET, eom=0, flags=int(Flag.F_SNAPSHOT))
        pub.put(LEVEL, 0, 1000, 7)
        sleeper = subprocess.Popen(["sleep", str(PATIENCE_S)])
        try:
            (shm / f"bog_m1000001.{sleeper.pid}").write_bytes(bytes(4096))
            sight = Looker(1, shm).look(5)
        finally:
            sleeper.kill()
            sleeper.wait()
    assert sight.book is not None and sight.bot is None
    assert "its page is not read" in sight.bot_trouble
    assert "another version" in sight.bot_trouble
