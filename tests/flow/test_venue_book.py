"""bog-feed --source lighter against the local venue: the published book is the recorded one.

Real processes, real framing: the venue (tests/rig/venue.py) plays recorded frames with faults mixed in,
bog-feed follows it, and a reader of the shared memory compares every message with a book in plain
Python. `chained` is what the venue sent in order, message for message; all of it has to be published.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from bog._core.shm import object_path
from bog._core.types import Status
from tests.rig.follower import Follower
from tests.rig.frames import DATA, Tape
from tests.rig.hostile import HOSTILE
from tests.rig.live import ROOT, environment, wait_for
from tests.rig.venue import Venue

Shared = Callable[[str], Path]
PATIENCE_S = 180.0
NEEDS = ("order_book", "trade", "market_stats")
MIB = 1 << 20
GROWTH_MAX = 48 * MIB  # of the feed's peak, over what it had with its first book
QUICK = {
    "BOG_FEED__LIGHTER__BACKOFF_FIRST_MS": "50",
    "BOG_FEED__LIGHTER__BACKOFF_MOST_SEC": "0.1",
    "BOG_FEED__LIGHTER__CONNECTS_PER_MIN": "80",
    "BOG_FEED__LIGHTER__MESSAGES_PER_MIN": "200",
    # a loaded machine stalls: only the test of silence is about it
    "BOG_FEED__LIGHTER__SILENCE_SEC": "60",
    "BOG_FEED__LIGHTER__QUIET_MS": "2000",
    "BOG_FEED__LIGHTER__ACK_TIMEOUT_SEC": "60",
    "BOG_FEED__LIGHTER__CONNECT_TIMEOUT_SEC": "60",
}
# what a client cannot tell to be of a market: it is stepped over, and harms no book
HARMLESS = ("unknown_channel", "empty", "array", "not_json")


class Run:
    """A bog-feed process that follows a venue, and readers of what it publishes."""

    def __init__(self, venue: Venue, where: Path, **environ: str) -> None:
        self.venue, self.where = venue, where
        self.shm = where / "shm"
        self.shm.mkdir(mode=0o700)
        tapes = [stage.tape for stage in venue.stages.values()]
        start = "import sys; from bog.cli.feed import main; sys.argv[0] = 'bog-feed'; main()"
        markets = [word for tape in tapes for word in ("--market", str(tape.market))]
        ours = environment(**QUICK, BOG_FEED__LIGHTER__METADATA_DIRECTORY=str(where / "cache"))
        # dependencies of a session that are not installed yet come by the path of this process
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
        with (where / "said").open("w") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-c", start, *markets, "--source", "lighter", "--url", venue.url,
                 "--rest-url", venue.rest, "--dir", str(self.shm)],
                cwd=ROOT, env=ours | {"PYTHONPATH": path} | environ, stderr=said,
            )  # fmt: skip
        wait_for(lambda: self.alive() and all(self.object(t).exists() for t in tapes), PATIENCE_S)
        self.followers = [self.attach(tape) for tape in tapes]
        self.first_peak = 0
        venue.release()

    def object(self, tape: Tape) -> Path:
        return Path(object_path(1, tape.market, self.shm, "hg_m"))

    def attach(self, tape: Tape) -> Follower:
        """Return a reader once the writer has finished the object's header."""
        return wait_for(lambda: self.try_attach(tape), PATIENCE_S)  # type: ignore[no-any-return]

    def try_attach(self, tape: Tape) -> Follower | None:
        try:
            return Follower(tape, self.shm)
        except Exception:
            assert self.alive()
            return None

    def alive(self) -> bool:
        assert self.process.poll() is None, f"bog-feed ended: {self.said()}"
        return True

    def said(self) -> str:
        return (self.where / "said").read_text()

    def peak(self) -> int:
        """Return the most memory that the feed has had, bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def follow(self, until: Callable[[], bool]) -> None:
        """Compare what is published until `until`; nothing may stand still for PATIENCE_S."""
        end = time.monotonic() + PATIENCE_S
        while not until():
            self.alive()
            if sum(follower.follow() for follower in self.followers):
                end = time.monotonic() + PATIENCE_S
            else:
                time.sleep(0.002)
            if not self.first_peak and all(f.whole for f in self.followers):
                self.first_peak = self.peak()
            assert time.monotonic() < end, f"no row for {PATIENCE_S} s: {self.state()}"

    def to_the_end(self) -> None:
        """Follow until the tapes are over and their last books stand; then look at everything."""
        self.follow(lambda: self.venue.over and all(f.over for f in self.followers))
        for follower in self.followers:
            wait_for(partial(self.page_stands, follower), PATIENCE_S)
            follower.compare_prints()
        assert self.peak() - self.first_peak < GROWTH_MAX

    def page_stands(self, follower: Follower) -> bool:
        """The page trails the rows by a beat: it has to become the book."""
        try:
            follower.compare_page()
        except AssertionError:
            follower.follow()
            return False
        return True

    def state(self) -> str:
        followers = [(f.tape.market, f.id, f.last_id, f.whole, f.compared) for f in self.followers]
        return f"{followers} {dict(self.venue.counts)} {self.venue.requests[-6:]} {self.said()[-2000:]}"

    def end(self) -> None:
        """Ask the feed to end; it has to, cleanly."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_S) == 0, self.said()
        for follower in self.followers:
            follower.follow()
            assert follower.statuses[Status.STATUS_END] == 1


@contextmanager
def running(
    shared: Shared, tapes: list[Tape], where: Path, faults: list[dict[str, Any]], **more: Any
) -> Iterator[Run]:
    """Start a venue and a feed; the feed has to end cleanly when all went well."""
    environ = more.pop("environ", {})
    options = {"needs": NEEDS, "patience": 3, "held": True} | more
    with Venue(tapes, shared, faults, **options) as venue:
        run = Run(venue, where, **environ)
        try:
            yield run
            run.end()
        finally:
            if run.process.poll() is None:
                run.process.kill()
                run.process.wait()


@pytest.mark.parametrize("data", sorted(DATA))
def test_the_published_book_equals_the_recording_after_every_message(
    shared: Shared, tmp_path: Path, data: str
) -> None:
    tape = DATA[data](shared)
    # paced, so that the short ring, which holds 16 records, is read before it is written again
    with running(shared, [tape], tmp_path, [], rate=500) as run:
        (follower,) = run.followers
        run.to_the_end()
        # the captured chain of ETH breaks by itself at its last frame
        breaks = int(data == "eth-chain")
        counts = run.venue.counts
        assert counts["breaks"] == breaks
        assert counts["snapshots"] == follower.snapshots == 1 + breaks
        assert counts["unsubscribe"] == follower.statuses[Status.STATUS_GAP] == breaks
        assert follower.compared == counts["chained"] + counts["snapshots"]
        assert follower.records > 0
        published = {event.frame["trades"][0]["trade_id"] for event in tape.events
                     if event.family == "trade" and event.frame["trades"]}  # fmt: skip
        past = max((trade["trade_id"] for trade in tape.history), default=0)
        due = {number for number in published if number > past}
        # prints may come behind the last book
        run.follow(lambda: due <= follower.prints.keys())
        follower.compare_prints()


def script(tape: Tape, seed: int) -> list[dict[str, Any]]:
    """Return faults of every kind in a random order, some tens of updates apart."""
    kinds: list[dict[str, Any]] = [
        {"do": "drop", "count": 1},
        {"do": "drop", "count": 7},
        {"do": "duplicate"},
        {"do": "older", "back": 1},
        {"do": "older", "back": 40},
        {"do": "nonce", "by": 3},
        {"do": "nonce", "by": -3},
        {"do": "cut_wire"},
        {"do": "loris", "delay_ms": 2, "bytes": 30},
        {"do": "disconnect", "how": "fin", "away": 5},
        {"do": "disconnect", "how": "close", "away": 0},
        {"do": "disconnect", "how": "shutdown", "away": 20},
        {"do": "ping", "how": "json"},
        {"do": "ping", "how": "frame"},
        {"do": "door", "how": "503", "count": 2},
        {"do": "door", "how": "rst", "count": 1},
        {"do": "late", "away": 9},
        *({"do": "hostile", "name": name} for name in ("malformed", "nan", "off_tick", "deep")),
        *({"do": "inject", "name": name} for name in HARMLESS),
    ]
    if "nonce" in tape.snapshot["order_book"]:
        kinds.append({"do": "offset", "by": -1_000_000})  # another server's; never the chain
    draw = random.Random(seed)
    draw.shuffle(kinds)
    room = (len(tape.events) - 100) // len(kinds)
    return [
        fault | {"market": tape.market, "at": 20 + n * room + draw.randrange(room // 2)}
        for n, fault in enumerate(kinds)
    ]


@pytest.mark.parametrize("data", ["lighter-btc", "lighter-btc-nonces"])
@pytest.mark.parametrize("seed", [1, 2])
def test_faults_of_every_kind_are_resynced_and_no_message_is_wrong(
    shared: Shared, tmp_path: Path, data: str, seed: int
) -> None:
    tape = DATA[data](shared)
    faults = script(tape, seed)
    with running(shared, [tape], tmp_path, faults) as run:
        (follower,) = run.followers
        run.to_the_end()
        counts = run.venue.counts
        assert sum(counts[f"fault_{do}"] for do in {fault["do"] for fault in faults}) == len(faults)
        assert follower.compared == counts["chained"] + counts["snapshots"]
        # what broke was asked for again, and nothing else was
        assert counts["unsubscribe"] == follower.statuses[Status.STATUS_GAP] == counts["breaks"] > 5
        cuts = [fault for fault in faults if fault["do"] in ("disconnect", "cut_wire")]
        doors = sum(fault["count"] for fault in faults if fault["do"] == "door")
        assert follower.statuses[Status.STATUS_DOWN] == len(cuts)
        assert 1 + len(cuts) <= counts["connections"] <= 1 + len(cuts) + doors
        assert counts["snapshots"] == 1 + counts["breaks"] + len(cuts)
        # an answer may have been under way when its connection was ended
        assert counts["received_pong"] <= 1
        assert counts["pong"] <= 1


def test_every_hostile_frame_is_refused_whole_and_the_book_comes_back(
    shared: Shared, tmp_path: Path
) -> None:
    tape = DATA["lighter-btc-nonces"](shared)
    names = sorted(HOSTILE)
    faults = [{"do": "hostile", "name": name, "at": 40 + 60 * n} for n, name in enumerate(names)]
    with running(shared, [tape], tmp_path, faults) as run:
        (follower,) = run.followers
        run.to_the_end()
        counts = run.venue.counts
        assert counts["fault_hostile"] == len(names)
        assert follower.compared == counts["chained"] + counts["snapshots"]
        # two of them end the connection: one is too long, one is no text
        assert counts["connections"] == 3
        taken = [name for name in names if HOSTILE[name].taken]
        assert counts["breaks"] == len(names) - len(taken)
        assert counts["unsubscribe"] == counts["breaks"] - 2


def test_several_markets_on_one_connection_break_apart(shared: Shared, tmp_path: Path) -> None:
    tapes = [DATA[name](shared) for name in ("lighter-btc-nonces", "lighter-frames", "eth-chain")]
    faults = [
        {"do": "drop", "market": 1, "at": 300},
        {"do": "hostile", "name": "nan", "market": 110, "at": 1},
        {"do": "disconnect", "how": "fin", "market": 1, "at": 900},
    ]
    with running(shared, tapes, tmp_path, faults) as run:
        run.to_the_end()
        counts = run.venue.counts
        sent = counts["chained"] + counts["snapshots"]
        assert sum(follower.compared for follower in run.followers) == sent
        assert counts["breaks"] == counts["unsubscribe"] == 3  # ETH's own is the third


def test_a_silent_connection_is_given_up_and_the_book_is_void_meanwhile(
    shared: Shared, tmp_path: Path
) -> None:
    tape = DATA["lighter-btc-nonces"](shared)
    faults = [{"do": "silence", "at": 500, "away": 30}, {"do": "silence", "at": 1500, "away": 0}]
    environ = {"BOG_FEED__LIGHTER__SILENCE_SEC": "1", "BOG_FEED__LIGHTER__QUIET_MS": "300"}
    with running(shared, [tape], tmp_path, faults, environ=environ) as run:
        (follower,) = run.followers
        run.to_the_end()
        assert run.venue.counts["fault_silence"] == 2
        assert follower.statuses[Status.STATUS_DOWN] >= 2
        assert run.venue.counts["connections"] >= 3


def test_a_reset_connection_loses_messages_and_never_publishes_a_wrong_book(
    shared: Shared, tmp_path: Path
) -> None:
    tape = DATA["lighter-btc"](shared)
    faults = [{"do": "disconnect", "how": "rst", "away": n, "at": 300 * n} for n in range(1, 8)]
    with running(shared, [tape], tmp_path, faults) as run:
        (follower,) = run.followers
        run.to_the_end()
        assert follower.statuses[Status.STATUS_DOWN] == 7
        # what was under way when the connection was reset may be lost, with its snapshot
        counts = run.venue.counts
        assert 0 < follower.compared <= counts["chained"] + counts["snapshots"]


def test_pings_of_both_kinds_are_answered(shared: Shared, tmp_path: Path) -> None:
    tape = DATA["lighter-frames"](shared)
    faults = [{"do": "ping", "how": "json", "at": 1}, {"do": "ping", "how": "frame", "at": 2}]
    with running(shared, [tape], tmp_path, faults) as run:
        run.to_the_end()
        counts = run.venue.counts
        run.follow(lambda: counts["pong"] == counts["received_pong"] == 1)


def test_a_packed_connection_is_declined_and_the_feed_goes_on(
    shared: Shared, tmp_path: Path
) -> None:
    tape = DATA["lighter-frames"](shared)
    with running(shared, [tape], tmp_path, [], deflate=True) as run:
        run.to_the_end()
        assert run.followers[0].compared == 4


def test_a_changed_scale_halts_the_market(shared: Shared, tmp_path: Path) -> None:
    tape = DATA["lighter-btc-nonces"](shared)
    faults = [
        {"do": "details", "at": 200, "set": {"size_decimals": 4, "supported_size_decimals": 4}}
    ]
    environ = {"BOG_FEED__LIGHTER__METADATA_INTERVAL_SEC": "0.2"}
    with running(shared, [tape], tmp_path, faults, environ=environ, rate=100) as run:
        (follower,) = run.followers
        run.follow(lambda: follower.statuses[Status.STATUS_HALTED] == 1)
        assert not follower.whole
        assert "size_decimals" in run.said()
        compared = follower.compared
        run.follow(lambda: run.venue.stages[1].at >= 400)
        assert follower.compared == compared


def test_the_venue_as_a_program_prints_its_addresses_and_counts(
    shared: Shared, tmp_path: Path
) -> None:
    shared("market-data/lighter-frames")
    script_ = tmp_path / "faults.json"
    script_.write_text(json.dumps([{"do": "duplicate", "at": 1}]))
    venue = subprocess.Popen(
        [sys.executable, "-m", "tests.rig.venue", "--data", "lighter-frames", "--faults", script_],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert venue.stdout is not None
    addresses = json.loads(venue.stdout.readline())
    assert addresses["ws"].startswith("ws://127.0.0.1:")
    assert psutil.pid_exists(venue.pid)
    venue.send_signal(signal.SIGTERM)
    rest, _ = venue.communicate(timeout=60)
    assert venue.returncode == 0
    assert json.loads(rest) == {}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"do": "explode"}, "fault 'explode' is not one of"),
        ({"do": "drop", "counts": 1}, "fault drop does not know 'counts'"),
        ({"do": "hostile", "name": "rude"}, "hostile frame 'rude' is not one of"),
    ],
)
def test_a_fault_that_nobody_knows_is_refused(
    shared: Shared, fault: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Venue([DATA["lighter-frames"](shared)], shared, [fault])
