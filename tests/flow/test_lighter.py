"""bog-feed and bog-live on the venue's stream, against a local server that plays recorded frames.

Nothing here has met the venue itself: the server speaks its protocol in real framing on loopback.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bog._core.huginn import FeedRead, FeedState
from bog._core.publisher import Publisher
from bog._core.reader import Reader
from bog._core.shm import object_path
from bog._core.types import JournalKind, RowKind, Status
from tests.rig.live import Bot, environment, of_kind, one_error, records, wait_for
from tests.rig.present import QUICK, bot, local

STATUS = int(RowKind.ROW_STATUS)
PATIENCE_S = 60.0
Shared = Callable[[str], Path]


class Feed:
    """One `bog-feed --source lighter` in `where`."""

    def __init__(self, where: Path, *arguments: object, **environ: str) -> None:
        self.where, self.shm = where, where / "shm"
        self.shm.mkdir(mode=0o700, exist_ok=True)
        self.err = where / "feed.txt"
        line = [sys.executable, "-m", "bog.cli.feed", "--source", "lighter", "--dir", self.shm]
        with self.err.open("w") as err:
            self.process = subprocess.Popen(
                [*map(str, [*line, *arguments])], cwd=where, stdin=subprocess.DEVNULL,
                env=environment(PYTHONFAULTHANDLER="1", **QUICK | environ),
                stdout=subprocess.DEVNULL, stderr=err,
            )  # fmt: skip

    @property
    def said(self) -> str:
        return self.err.read_text()

    def says(self, text: str) -> None:
        def heard() -> bool:
            assert text in self.said or self.process.poll() is None, self.said
            return text in self.said

        wait_for(heard)

    def reader(self, market: int = 1) -> Reader:
        """Attach when the feed has published its market."""
        path = Path(object_path(1, market, str(self.shm)))

        def attached() -> Reader | None:
            assert self.process.poll() is None, self.said
            try:
                return Reader(market, directory=self.shm) if path.exists() else None
            except Exception:
                return None  # half made

        return wait_for(attached)

    def ends(self, code: int = 0, number: int | None = None) -> str:
        if number is not None:
            self.process.send_signal(number)
        try:
            ended = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # where it hangs is in what it says
            self.process.wait(PATIENCE_S)
            raise AssertionError(f"did not end: {self.said}") from None
        assert ended == code, self.said
        return self.said


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Callable[..., Feed]]:
    """Return what starts a feed in the test's own folder, and leave none running."""
    started: list[Feed] = []

    def start(*arguments: object, **environ: str) -> Feed:
        started.append(Feed(tmp_path, *arguments, **environ))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()


def statuses(reader: Reader) -> list[int]:
    """Return the statuses among the rows that are there now."""
    return [row[3] for row in iter(reader.row, None) if row[1] == STATUS]


# bog-feed


def test_many_markets_on_one_connection_recorded_and_closed_cleanly(
    shared: Shared, feed: Callable[..., Feed], tmp_path: Path
) -> None:
    with local(shared, "lighter-btc-nonces", "eth-chain", "lighter-frames") as venue:
        run = feed(
            *("--market", 1, "--market", 0, "--market", 110, "--url", venue.url),
            *("--record", tmp_path / "{market}.tape"),
        )
        readers = {market: run.reader(market) for market in (1, 0, 110)}
        wait_for(lambda: all(r.header()["rows"] > 0 for r in readers.values()))
        wait_for(lambda: readers[1].header()["rows"] > 8000)
        said = run.ends(0, signal.SIGINT)
    assert venue.counts["connections"] == 1
    assert "closing" in said and "Traceback" not in said
    for market, reader in readers.items():
        assert reader.header()["state"] == FeedState.HG_CLOSED
        assert (tmp_path / f"{market}.tape").stat().st_size > 1000
    assert {r for r in venue.requests if r.startswith("subscribe")} == {
        f"subscribe {family}/{market}"
        for family in ("order_book", "trade", "market_stats") for market in (1, 0, 110)
    }  # fmt: skip


def test_a_broken_chain_resyncs_on_the_same_connection(
    shared: Shared, feed: Callable[..., Feed]
) -> None:
    with local(shared, faults=[{"do": "drop", "at": 100, "count": 3}]) as venue:
        run = feed("--market", 1, "--url", venue.url)
        reader = run.reader()
        wait_for(lambda: venue.counts["snapshots"] == 2)
        wait_for(lambda: Status.STATUS_GAP in statuses(reader))
        wait_for(lambda: "live" in run.said.splitlines()[-1])
        run.ends(0, signal.SIGTERM)
    assert venue.counts["connections"] == 1
    assert [r for r in venue.requests if "order_book" in r] == [
        "subscribe order_book/1", "unsubscribe order_book/1", "subscribe order_book/1",
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["fin", "rst", "close", "shutdown"])
def test_a_lost_connection_voids_the_book_and_is_made_anew(
    shared: Shared, feed: Callable[..., Feed], how: str
) -> None:
    with local(shared, faults=[{"do": "disconnect", "at": 100, "how": how, "away": 5}]) as venue:
        run = feed("--market", 1, "--url", venue.url)
        reader = run.reader()
        seen: list[int] = []
        wait_for(lambda: seen.extend(statuses(reader)) or Status.STATUS_UP in seen)
        assert seen[:2] == [Status.STATUS_DOWN, Status.STATUS_UP]
        assert "next attempt in" in run.said
        run.ends(0, signal.SIGTERM)
    assert venue.counts["connections"] == 2


def test_a_silent_connection_gives_no_sign_of_life_and_is_replaced(
    shared: Shared, feed: Callable[..., Feed]
) -> None:
    with local(shared, faults=[{"do": "silence", "at": 100, "away": 1}]) as venue:
        run = feed("--market", 1, "--url", venue.url, BOG_FEED__LIGHTER__SILENCE_SEC="1")
        reader = run.reader()
        wait_for(lambda: venue.counts["fault_silence"])
        # nothing comes for a second: the heart must have stood still for most of it
        beats = set()
        until = time.monotonic() + 20
        while "silent for 1 s" not in run.said and time.monotonic() < until:
            beats.add(reader.header()["heartbeat_ns"])
            age = time.monotonic_ns() - max(beats)
            time.sleep(0.02)
        run.says("silent for 1 s")
        assert age > 500_000_000
        wait_for(lambda: venue.counts["connections"] == 2)
        wait_for(lambda: reader.header()["heartbeat_ns"] > max(beats))
        run.ends(0, signal.SIGTERM)


def test_a_quiet_venue_stays_alive_by_pings(shared: Shared, feed: Callable[..., Feed]) -> None:
    with local(shared, "eth-chain") as venue:
        run = feed("--market", 0, "--url", venue.url)
        reader = run.reader(0)
        wait_for(lambda: venue.over and venue.counts["ping"] >= 3)
        before = reader.header()["heartbeat_ns"]
        wait_for(lambda: reader.header()["heartbeat_ns"] > before)
        run.ends(0, signal.SIGTERM)
    assert venue.counts["connections"] == 1


def test_pings_of_both_kinds_are_answered(shared: Shared, feed: Callable[..., Feed]) -> None:
    faults = [{"do": "ping", "at": 50, "how": "json"}, {"do": "ping", "at": 60, "how": "frame"}]
    with local(shared, faults=faults) as venue:
        run = feed("--market", 1, "--url", venue.url)
        wait_for(lambda: venue.counts["pong"] == 1 and venue.counts["received_pong"] == 1)
        run.ends(0, signal.SIGTERM)
    assert venue.counts["connections"] == 1


@pytest.mark.parametrize("how", ["rst", "503", "no_greeting"])
def test_a_door_that_does_not_open_is_tried_again_and_said(
    shared: Shared, feed: Callable[..., Feed], how: str
) -> None:
    with local(shared) as venue:
        venue.doors.extend([how, how])
        run = feed("--market", 1, "--url", venue.url, BOG_FEED__LIGHTER__CONNECT_TIMEOUT_SEC="0.5")
        run.says(": live")
        assert run.said.count("next attempt in") == 2
        run.ends(0, signal.SIGINT)


def test_a_message_over_the_cap_ends_the_connection_not_the_feed(
    shared: Shared, feed: Callable[..., Feed]
) -> None:
    with local(shared) as venue:
        run = feed("--market", 1, "--url", venue.url, BOG_FEED__LIGHTER__MESSAGE_MAX_KB="64")
        run.says("next attempt in")  # the snapshot of BTC has 250 kB
        wait_for(lambda: venue.counts["connections"] >= 3)
        reader = run.reader()
        assert statuses(reader) == [Status.STATUS_DOWN]
        run.ends(0, signal.SIGTERM)


# what the venue says of its markets


@pytest.mark.parametrize(("change", "says"), [
    ({"supported_size_decimals": 4}, "size_decimals is 4, was 5"),
    ({"supported_price_decimals": 2}, "price_decimals is 2, was 1"),
    ({"min_base_amount": "0.00100"}, "min_base_amount is 0.00100"),
    ({"status": "inactive"}, "its status is 'inactive'"),
])  # fmt: skip
def test_a_change_while_running_halts_the_market_and_publishes_nothing_after(
    shared: Shared, feed: Callable[..., Feed], change: dict[str, Any], says: str
) -> None:
    with local(shared, faults=[{"do": "details", "at": 100, "set": change}]) as venue:
        run = feed("--market", 1, "--url", venue.url)
        reader = run.reader()
        seen: list[int] = []
        wait_for(lambda: seen.extend(statuses(reader)) or seen)
        assert seen == [Status.STATUS_HALTED]
        run.says(
            f"market 1: HALTED: {says if 'status' in says else 'the venue changed it: ' + says}"
        )
        sent = venue.counts["updates"]
        wait_for(lambda: venue.counts["updates"] > sent + 20)
        assert reader.row() is None and reader.code == FeedRead.READ_NOTHING
        late = Reader(1, directory=run.shm)
        assert wait_for(lambda: late.book() == ([], []) or None)
        run.ends(0, signal.SIGTERM)


def test_a_market_that_trades_again_gets_a_whole_book(
    shared: Shared, feed: Callable[..., Feed]
) -> None:
    faults = [
        {"do": "details", "at": 50, "set": {"status": "inactive"}},
        {"do": "details", "at": 400, "set": {"status": "active"}},
    ]
    with local(shared, faults=faults) as venue:
        run = feed("--market", 1, "--url", venue.url)
        reader = run.reader()
        seen: list[int] = []
        wait_for(lambda: seen.extend(statuses(reader)) or Status.STATUS_UP in seen)
        assert seen == [Status.STATUS_HALTED, Status.STATUS_UP]
        run.says("market 1: trades again")
        run.ends(0, signal.SIGTERM)
    assert venue.counts["connections"] == 1 and venue.counts["snapshots"] == 2


def test_a_change_across_a_restart_is_refused_before_anything_is_published(
    shared: Shared, feed: Callable[..., Feed], tmp_path: Path
) -> None:
    with local(shared) as venue:
        run = feed("--market", 1, "--url", venue.url)
        run.says(": live")
        run.ends(0, signal.SIGTERM)
        (kept,) = (tmp_path / "var" / "lighter").iterdir()
        said = json.loads(kept.read_text())
        kept.write_text(json.dumps(said | {"min_quote_amount": "9"}))
        refused = feed("--market", 1, "--url", venue.url)
        line = one_error(refused.ends(78))
        assert "min_quote_amount is 10.000000, was 9" in line and str(kept.name) in line


def test_without_an_answer_the_feed_goes_by_what_it_kept_or_not_at_all(
    shared: Shared, feed: Callable[..., Feed]
) -> None:
    with local(shared) as venue:
        venue.rest_answers.extend([(500, "<html>down</html>")] * 3)
        line = one_error(feed("--market", 1, "--url", venue.url).ends(78))
        assert "market 1 cannot be described" in line and "answered 500" in line
        run = feed("--market", 1, "--url", venue.url)
        run.says(": live")
        run.ends(0, signal.SIGTERM)
        venue.rest_answers.extend([(503, "")] * 3)
        run = feed("--market", 1, "--url", venue.url)
        run.says("goes by var/lighter/")
        run.says(": live")
        run.ends(0, signal.SIGTERM)


@pytest.mark.parametrize(("arguments", "code", "says"), [
    (["--url", "ws://venue.example/stream"], 78, "want wss://HOST"),
    (["--url", "wss://u:p@venue.example/"], 78, "without a user name"),
    (["--rest-url", "http://venue.example"], 78, "want https://HOST"),
    (["--url", "ws://127.0.0.1:1/s", "--speed", "2"], 2, "--speed is for recordings"),
    (["--url", "ws://127.0.0.1:1/s", "--hft"], 2, "--hft is for recordings"),
    (["--url", "ws://127.0.0.1:1/s"], 78, "market 1 cannot be described"),
])  # fmt: skip
def test_a_command_line_that_cannot_be_is_refused_in_one_line(
    feed: Callable[..., Feed], arguments: list[str], code: int, says: str
) -> None:
    run = feed("--market", 1, *arguments)
    assert says in one_error(run.ends(code))
    assert list(run.shm.iterdir()) == []


def test_an_address_of_the_venue_makes_no_sense_for_other_sources(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bog.cli.feed", "--market", "1", "--url", "ws://127.0.0.1:1/"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "--url and --rest-url are for" in one_error(done.stderr)


# bog-live --feed lighter


def children(bot: Bot) -> dict[str, int]:
    """Return the processes that a bot has started, by name."""
    text = Path(f"/proc/{bot.pid}/task/{bot.pid}/children").read_text()
    return {Path(f"/proc/{pid}/comm").read_text().strip(): int(pid) for pid in text.split()}


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_a_bot_trades_on_paper_on_the_stream_and_one_interrupt_ends_all(
    shared: Shared, tmp_path: Path
) -> None:
    with local(shared, rate=40.0) as venue, bot(tmp_path, venue) as run:
        run.trading()
        assert "waiting for the feed of market 1" in run.said
        family = children(run)
        assert set(family) == {"bog-feed", "bog-engine"}
        groups = {os.getpgid(pid) for pid in (run.pid, *family.values())}
        assert len(groups) == 3
        for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
            os.kill(family["bog-feed"], number)  # meant for the bot
        rows = run.page()["rows"]
        wait_for(lambda: run.page()["rows"] > rows + 20)
        wait_for(lambda: any(line["event"] == "feed" for line in run.log))  # its status lines
        run.signal(signal.SIGINT)
        run.ends()
        assert is_gone(family["bog-feed"]) and is_gone(family["bog-engine"])
        assert not run.left()
        assert "lighter, BTC (market 1)" in run.out.read_text()
        assert Reader(1, directory=run.shm).header()["state"] == FeedState.HG_CLOSED


def test_a_market_that_the_venue_changes_gets_no_order_any_more(
    shared: Shared, tmp_path: Path
) -> None:
    with local(shared, rate=40.0) as venue, bot(tmp_path, venue) as run:
        run.trading()
        stage = venue.stages[1]
        venue.call(lambda: stage.details.update(supported_size_decimals=4))
        wait_for(lambda: any("HALTED" in line["message"] for line in run.log))
        wait_for(lambda: not run.page()["orders"])
        placed = len(of_kind(records(run.folder), JournalKind.J_PLACE))
        sent = venue.counts["updates"]
        wait_for(lambda: venue.counts["updates"] > sent + 40)
        assert len(of_kind(records(run.folder), JournalKind.J_PLACE)) == placed > 0
        run.signal(signal.SIGTERM)
        run.ends()


def test_the_feed_dies_with_its_bot(shared: Shared, tmp_path: Path) -> None:
    with local(shared) as venue, bot(tmp_path, venue) as run:
        run.ready()
        family = children(run)
        run.signal(signal.SIGKILL)
        run.process.wait()
        wait_for(lambda: all(is_gone(pid) for pid in family.values()))


def test_a_feed_that_dies_is_started_again(shared: Shared, tmp_path: Path) -> None:
    with local(shared, rate=40.0) as venue, bot(tmp_path, venue) as run:
        run.trading()
        os.kill(children(run)["bog-feed"], signal.SIGKILL)
        wait_for(lambda: not run.page()["orders"])
        wait_for(lambda: any("a new one in 1 s" in line["message"] for line in run.log))
        run.trading()
        wait_for(lambda: len(of_kind(records(run.folder), JournalKind.J_EPOCH)) == 1)
        run.stop()
        assert "Traceback" not in run.said


def test_a_feed_that_is_refused_is_not_started_again(shared: Shared, tmp_path: Path) -> None:
    with local(shared, rate=40.0) as venue, bot(tmp_path, venue) as run:
        run.trading()
        venue.call(lambda: venue.stages[1].details.update(min_quote_amount="99.000000"))
        os.kill(children(run)["bog-feed"], signal.SIGKILL)
        wait_for(lambda: any("the feed ended with exit code 78" in line["message"]
                             for line in run.log))  # fmt: skip
        assert not run.page()["orders"]
        assert set(children(run)) == {"bog-engine"}
        run.stop()


def test_a_feed_that_runs_already_is_named(shared: Shared, tmp_path: Path) -> None:
    (tmp_path / "shm").mkdir(mode=0o700)
    with (
        local(shared) as venue,
        Publisher(1, directory=tmp_path / "shm", price_decimals=1, size_decimals=5),
        bot(tmp_path, venue) as run,
    ):
        run.ends(78)
        line = one_error(run.said)
        assert f"process {os.getpid()}" in line and "--feed huginn" in line


def test_a_venue_that_cannot_be_reached_is_said_with_the_feeds_own_words(
    shared: Shared, tmp_path: Path
) -> None:
    with local(shared) as venue:
        rest, dead = venue.rest, "ws://127.0.0.1:1/stream"
        venue.rest_answers.extend([(403, "<html>")] * 3)
        with bot(
            tmp_path, venue, BOG_FEED__LIGHTER__URL=dead, BOG_FEED__LIGHTER__REST_URL=rest
        ) as b:
            b.ends(78)
            error = b.said.splitlines()[-1]
            assert "--feed lighter: market 1 cannot be described" in error
            assert "answered 403" in error
