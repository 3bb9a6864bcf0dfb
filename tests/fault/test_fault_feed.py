"""FAULT-01 to 18: what the bot does when its feed dies, tears, jumps, lies or floods.

Each row runs the real command on paper against a writer of shared memory that misbehaves on demand
(tests/rig/feedsim.py). The ledger is the bot's journal: intents with engine times before they leave,
the venue's word after. Deadlines are judged after what the machine withheld was subtracted.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bog._core.reader import Reader
from bog._core.types import Halt, Verdict
from bog._core.types import JournalKind as K
from bog.errors import FeedError
from tests.rig.canary import Canary
from tests.rig.fault import Repeats
from tests.rig.feedsim import (
    ASK,
    BID,
    HALF,
    LEVEL,
    LEVELS,
    RESET,
    ROOT,
    ROW,
    SIZE,
    SLOTS,
    SNAPSHOT,
    WHERE,
    RawWriter,
    levels,
)
from tests.rig.herd import CANCEL_NS, EAGER, STALE_NS, Herd, Pair

MS = 1_000_000
LATE_NS = 500 * MS  # max_feed_delay_ms of these bots
PX_MAX = 1 << 40


@pytest.fixture
def herd(tmp_path: Path, canary: Canary) -> Iterator[Herd]:
    found = Herd(tmp_path, canary)
    yield found
    found.close()


def test_fault_01_a_dead_feed_pulls_every_quote(herd: Herd, repeats: Repeats) -> None:
    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        time.sleep(rng.uniform(0, 0.02))
        if rng.random() < 0.3:  # in the middle of a message
            pair.feed.do("set", rows=False)
            pair.feed.mid += 1
            pair.feed.do("set", mid=pair.feed.mid - 1)
            pair.feed.do("rows", list=[[LEVEL, BID, pair.feed.mid - 9, 7, {"eom": 0}]])
        killed = pair.feed.kill()
        pair.pulled(killed)
        time.sleep(rng.uniform(0, 0.1))
        page = pair.bot.page()
        assert page["stale"] and not page["orders"]
        stale = pair.ledger.since(killed, K.J_STALE)
        assert stale["state"].tolist() == [1]
        back = time.monotonic_ns()
        pair.quiet(int(stale["time_ns"][0]), back)
        pair.feed.start()
        pair.quoting()  # it resumes by itself
        pair.near(back, pair.feed.mid)
        pair.sound()

    herd.start(5)
    herd.each(repeats(1), one)
    repeats.note(f"bound 750 ms: {herd.told()}")


def test_fault_02_a_restarted_feed_keeps_the_account(herd: Herd, repeats: Repeats) -> None:
    lives = 20  # of the writer in a repeat

    def one(pair: Pair, n: int, rng: random.Random) -> None:
        for _ in range(lives):
            begun = time.monotonic_ns()
            mid = 1_000_000 + rng.choice((-45_000, 0, 45_000))
            words = pair.bot.page()["position"]
            pair.feed.start(mid=mid)  # the one before is replaced alive, or was killed
            if rng.random() < 0.5:
                time.sleep(rng.uniform(0, 0.02))
            else:
                pair.feed.kill()
            after = pair.bot.page()["position"]
            if after["fills"] == words["fills"]:
                assert (after["pos"], after["cash"]) == (words["pos"], words["cash"])
            seen = pair.ledger.since(begun, K.J_EPOCH)
            if len(seen):
                pair.near(int(seen["time_ns"][0]), mid)
        pair.feed.start(mid=1_000_000)
        pair.until(lambda: pair.ledger.since(0, K.J_EPOCH)["id"][-1:].tolist() == [pair.feed.epoch])
        pair.quoting()
        pair.sound()

    herd.start(2)
    herd.each(repeats(2), one)
    epochs = sum(len(pair.ledger.since(0, K.J_EPOCH)) for pair in herd.pairs)
    repeats.note(f"{sum(p.feed.lives for p in herd.pairs)} writers, {epochs} epochs met")


def test_fault_03_a_recreated_object_is_found(herd: Herd, repeats: Repeats) -> None:
    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        old = pair.feed.orders
        pair.feed.orders = None  # the old writer goes on, into an object without a name
        zombie = pair.feed.pid
        if rng.random() < 0.5:
            os.kill(zombie, signal.SIGKILL)
        mid = pair.feed.mid + rng.choice((-1, 1)) * 40_000
        os.unlink(pair.feed.path)
        gone = time.monotonic_ns()
        pair.feed.start(mid=mid)
        made = time.monotonic_ns()
        met = pair.told(gone, K.J_EPOCH)
        pair.within(made, int(met["time_ns"][0]), STALE_NS, "until the new object was mapped")
        pair.until(lambda: pair.near(int(met["time_ns"][0]), mid) > 0)
        assert old is not None
        old.close()
        pair.sound()

    herd.start(2)
    herd.each(repeats(3), one)
    repeats.note(f"bound 500 ms: {herd.told()}")


def test_a_row_of_the_object_before_never_enters_the_new_book(herd: Herd) -> None:
    """Row 03 at its full count met a bot that waited for ever on a crossed book, half of it old."""
    (pair,) = herd.start(1)
    for _ in range(20):
        pair.quoting()
        old, begun = pair.feed.mid, time.monotonic_ns()
        writing = pair.feed.orders
        pair.feed.orders = None  # it writes on without pause, so that a row waits at every look
        assert writing is not None
        writing.sendall(b'{"do": "blast", "seconds": 0.3, "rate": 20000, "chunk": 1}\n')
        os.unlink(pair.feed.path)
        mid = 1_000_000 if old < 990_000 else old - 40_000
        pair.feed.start(mid=mid)
        pair.told(begun, K.J_EPOCH)
        pair.quoting()
        pair.near(begun + 500 * MS, mid)
        writing.close()
        pair.sound()


def test_fault_04_a_torn_row_is_never_used(herd: Herd, repeats: Repeats) -> None:
    """Before one row in ten its slot holds, for a while, another row's half; then the writer dies."""

    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        pair.feed.do("set", prints=False)
        begun = time.monotonic_ns()
        if n % 5:
            for _ in range(20):
                pair.feed.do("set", rows=False)
                number = pair.feed.peek("header.rows")
                at = WHERE["rows"][0] + number % SLOTS * ROW.size
                far = 3_000_000
                junk = ROW.pack(0, begun, 0, far, SIZE, 1, 1, LEVEL, BID, 1, 0, 1)[8:]
                pair.feed.poke(at, (2 * number + 1).to_bytes(8, "little"))
                cut = rng.randrange(1, len(junk))
                pair.feed.poke(at + 8, junk[:cut])
                time.sleep(rng.uniform(0, 0.002))
                pair.feed.do("set", rows=True)
            assert pair.bot.page()["bid"] < 2_000_000
        else:
            pair.feed.kill(signal.SIGSTOP)
            number = pair.feed.peek("header.rows")
            lock = WHERE["book.lock"][0]
            at = WHERE["rows"][0] + number % SLOTS * ROW.size
            if rng.random() < 0.5:
                pair.feed.poke(at, (2 * number + 1).to_bytes(8, "little"))
            else:
                pair.feed.poke(lock, (pair.feed.peek("book.lock") | 1).to_bytes(8, "little"))
            killed = pair.feed.kill()
            before = pair.bot.page()["timers"]
            pair.pulled(killed)
            pair.until(lambda: pair.bot.page()["timers"] > before + 2)  # it turns, it does not spin
            pair.feed.start()
        pair.quoting()
        pair.near(begun, pair.feed.mid)
        pair.sound()

    herd.start(3)
    herd.each(repeats(4), one)
    repeats.note(f"20 torn rows a repeat, every fifth dies torn; {herd.told()}")


def test_fault_04_reads_at_full_speed_accept_no_mixture(repeats: Repeats, tmp_path: Path) -> None:
    """The list's 1e8 reads of the reader's own code, against a writer that tears one row in ten."""
    program = tmp_path / "torn"
    subprocess.run(
        ["gcc", "-std=gnu11", "-O2", "-pthread", "-I", ROOT / "bog" / "_core", "-o", program,
         ROOT / "tests" / "rig" / "torn.c"], check=True,
    )  # fmt: skip
    sums = np.zeros(5, np.int64)
    for n, _ in repeats(4):
        line = [program, "500000", str(1000 * repeats.seed + n)]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        sums += np.array([int(word) for word in done.stdout.split()])
        assert sums[4] == 0, f"repeat {n}: {done.stdout}"
    reads, accepted, torn, moved, mixed = sums.tolist()
    assert accepted and torn
    repeats.note(
        f"{reads} reads, {accepted} rows, {torn} of them torn for a while; {moved} moved while they"
        f" were read; {mixed} mixed"
    )


def test_fault_05_a_gap_waits_for_a_whole_book(herd: Herd, repeats: Repeats) -> None:
    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        before = pair.bot.page()["gaps"]
        counted = int(pair.ledger.since(0, K.J_GAP)["val"].sum())
        if n % 2:
            # the venue lost messages: changes go on, the snapshot comes later
            pair.feed.do("set", rows=False)
            told = pair.feed.do("gap")["ns"]
            for _ in range(rng.randrange(1, 20)):
                px = pair.feed.mid - HALF - rng.randrange(LEVELS)
                pair.feed.do("rows", list=[[LEVEL, BID, px, SIZE + rng.randrange(99), {}]])
            pair.feed.do("set")
            time.sleep(0.12)
            pair.empty()
            whole = time.monotonic_ns()
            pair.quiet(told + 20 * MS, whole)
            pair.feed.do("set", rows=True, mid=pair.feed.mid + 30_000, flags=SNAPSHOT)
        else:
            # the writer skips numbers, and goes on behind them
            missing = rng.choice((1, 10, 1_000_000))
            pair.feed.do("set", rows=False, beats=False)
            raw = RawWriter(pair.feed.path)
            told = time.monotonic_ns()
            raw.rows += missing
            mid = pair.feed.mid + 30_000
            raw.store("header.rows", raw.rows)
            raw.beat()
            time.sleep(rng.uniform(0, 0.05))
            raw.beat()
            pair.quiet(told + 20 * MS, time.monotonic_ns())
            raw.page(mid)
            pair.until(lambda: pair.bot.page()["gaps"] == before + 1)
            for _ in range(3):
                raw.snapshot(mid)
                raw.beat()
                time.sleep(0.01)
            pair.caught_up()
            assert counted + missing == int(pair.ledger.since(0, K.J_GAP)["val"].sum())
            pair.feed.start(mid=mid)
        pair.quoting()
        pair.sound()

    herd.start(3)
    herd.each(repeats(5), one)
    repeats.note(herd.told())


def test_fault_06_a_sequence_that_wraps_is_no_gap(herd: Herd, repeats: Repeats) -> None:
    def one(pair: Pair, n: int, rng: random.Random) -> None:
        begun = time.monotonic_ns()
        pair.feed.start(first_seq=2**64 - rng.randrange(2, 60))
        pair.quoting()
        pair.until(lambda: 0 < pair.feed.peek("header.seq") < 2**63)
        seen = pair.bot.page()["books"]
        pair.until(lambda: pair.bot.page()["books"] > seen + 5)
        pair.quoting()
        assert len(pair.told(begun, K.J_EPOCH)) == 1  # the start of this writer
        assert len(pair.ledger.since(begun, K.J_GAP)) == 0
        pair.sound()

    herd.start(2)
    herd.each(repeats(6), one)
    repeats.note("0 gaps")


def test_fault_07_a_sequence_that_goes_back_is_a_restart(herd: Herd, repeats: Repeats) -> None:
    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        pair.feed.do("set", rows=False, beats=False)
        begun = time.monotonic_ns()
        mark = len(pair.ledger.read())
        raw = RawWriter(pair.feed.path)
        raw.rows -= rng.randrange(1, raw.rows)
        mid = pair.feed.mid + 30_000
        raw.store("header.rows", raw.rows)
        raw.page(mid)
        raw.beat()
        time.sleep(0.02)

        def resynced() -> bool:
            raw.snapshot(mid)
            raw.beat()
            return bool(pair.bot.page()["bid"] == mid - HALF)

        pair.until(resynced)
        gaps = pair.gaps(mark)
        assert not len(gaps) or 0 <= int(gaps["val"].max()) < 1_000_000  # never 2**64 less a few
        assert len(gaps) <= 3
        pair.feed.start(mid=mid)
        pair.quoting()
        # it quotes on until it has met the new writer, whose book is the same
        assert len(pair.told(begun, K.J_EPOCH)) == 1
        pair.quoting()
        pair.sound()

    herd.start(3)
    herd.each(repeats(7), one)
    repeats.note(herd.told())


def test_fault_08_repeated_rows_are_not_fresh(herd: Herd, repeats: Repeats) -> None:
    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        asked = time.monotonic_ns()
        pair.feed.do("set", rows=False, beats=False)  # a starved writer may fall silent before it
        begun = time.monotonic_ns()
        rows = pair.bot.page()["rows"]
        raw = RawWriter(pair.feed.path)
        last = raw.rows - 1
        times = 0
        while time.monotonic_ns() - begun < 600 * MS:
            for _ in range(500):  # the same number again, received now
                raw.rows = last
                raw.row(LEVEL, BID, pair.feed.mid - HALF, SIZE, 1)
            times += 500
            time.sleep(0.001)
        pair.pulled(begun)
        stale = pair.ledger.since(asked, K.J_STALE)
        assert stale["state"].tolist() == [1]
        # what was under way when it fell silent; of the repeated rows, thousands, none
        assert pair.bot.page()["rows"] - rows <= 500 < times
        pair.times = getattr(pair, "times", 0) + times  # type: ignore[attr-defined]
        pair.feed.start()
        pair.quoting()
        pair.sound()

    herd.start(5)
    herd.each(repeats(8), one)
    total = sum(getattr(pair, "times", 0) for pair in herd.pairs)
    assert repeats.mode != "full" or total >= 1_000_000
    repeats.note(f"{total} repeated rows; bound 750 ms: {herd.told()}")


def test_fault_09_a_lap_is_counted_exactly(herd: Herd, repeats: Repeats) -> None:
    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        pair.feed.do("set", prints=False)
        engine = pair.bot.engine()
        begun = time.monotonic_ns()
        before = pair.bot.page()
        pair.caught_up()
        mark = len(pair.ledger.all)
        lost = int(pair.ledger.since(0, K.J_GAP)["val"].sum())
        os.kill(engine, signal.SIGSTOP)
        try:
            sent = pair.feed.do("blast", seconds=rng.uniform(0.001, 0.5), rate=0)["is"]
        finally:
            os.kill(engine, signal.SIGCONT)
        pair.quoting()
        pair.feed.do("set", rows=False)
        whole = pair.feed.peek("header.rows")
        pair.until(lambda: pair.bot.page()["rows"] + pair.lost(0) == whole)  # type: ignore[attr-defined]
        gaps = pair.gaps(mark)
        if sent > SLOTS + 1000 or sent < SLOTS - 1000:  # what comes with it is about a hundred rows
            assert (len(gaps) > 0) == (sent > SLOTS), sent
        assert pair.bot.page()["gaps"] - before["gaps"] == len(gaps)
        assert int(pair.ledger.since(0, K.J_GAP)["val"].sum()) >= lost
        pair.feed.do("set", rows=True)
        pair.quoting()
        pair.near(begun, pair.feed.mid)
        pair.laps = getattr(pair, "laps", 0) + len(gaps)  # type: ignore[attr-defined]
        pair.sound()

    for pair in herd.start(2):
        # it attached to the page: rows before that are neither read nor lost
        pair.quoting()
        pair.feed.do("set", rows=False)
        time.sleep(0.1)
        start = pair.feed.peek("header.rows") - pair.bot.page()["rows"]
        pair.lost = lambda ns, p=pair, s=start: s + int(p.ledger.since(ns, K.J_GAP)["val"].sum())  # type: ignore[attr-defined]
        pair.feed.do("set", rows=True)
    herd.each(repeats(9), one)
    laps = sum(getattr(pair, "laps", 0) for pair in herd.pairs)
    assert laps > 0
    repeats.note(f"{laps} laps, rows read plus rows lost = rows written after each repeat")


def test_fault_10_a_frozen_time_of_the_venue_pulls_the_quotes(herd: Herd, repeats: Repeats) -> None:
    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        late = rng.choice((0, 0, 600 * MS, 3_600_000 * MS))  # frozen now, or old at once
        told = pair.feed.do("set", exch_ns=time.time_ns() - late)["ns"]
        pair.pulled(told, (0 if late else LATE_NS) + CANCEL_NS)
        begun = time.monotonic_ns()
        time.sleep(0.05)
        pair.quiet(begun, time.monotonic_ns())
        assert not pair.bot.page()["stale"]  # the writer beats: it is the content that is old
        assert pair.bot.page()["denied"][Verdict.DENY_DELAYED] > 0
        pair.feed.do("set", exch_ns=None)
        pair.quoting()
        pair.sound()

    herd.start(5)
    herd.each(repeats(10), one)
    repeats.note(f"bound 500 + 250 ms: {herd.told()}")


def test_fault_11_an_impossible_time_is_never_fresh(herd: Herd, repeats: Repeats) -> None:
    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        now, unix = time.monotonic_ns(), time.time_ns()
        wrong = (
            {"exch_ns": unix + 3_600_000 * MS}, {"exch_ns": 2**63 - 1}, {"exch_ns": 1},
            {"exch_ns": -1}, {"exch_ns": -(2**63)}, {"exch_ns": unix + 60_000 * MS},
            {"recv_ns": now + 3_600_000 * MS}, {"recv_ns": 2**63 - 1}, {"recv_ns": 0},
            {"recv_ns": now - 3_600_000 * MS if now > 3_600_000 * MS else 1},
            {"recv_ns": now + 60_000 * MS},
        )[n % 11]  # fmt: skip
        told = pair.feed.do("set", **wrong)["ns"]
        pair.pulled(told, CANCEL_NS)
        begun = time.monotonic_ns()
        time.sleep(0.05)
        pair.quiet(begun, time.monotonic_ns())
        assert pair.bot.page()["now_ns"] <= time.monotonic_ns()  # our clock is ours
        pair.feed.do("set", exch_ns=None, recv_ns=None)
        pair.quoting()
        pair.sound()

    herd.start(5)
    herd.each(repeats(11), one)
    repeats.note(f"11 times; bound 250 ms: {herd.told()}")


GARBAGE = (0, 1, -(2**63), -1, PX_MAX, 2**63 - 1)


def test_fault_12_garbage_prices_place_nothing(herd: Herd, repeats: Repeats) -> None:
    """Each value in each price and size of a book; every ninth repeat, three jumps halt the bot."""
    matrix = repeats.each([(value, field) for value in GARBAGE for field in range(4 * LEVELS)])

    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        begun = time.monotonic_ns()
        mid = pair.feed.mid
        if n % 9 == 8:
            pair.feed.do("set", rows=False, walks=False)
            factor = rng.choice((0.88, 1.12, 1.5, 1000))
            for _ in range(3):
                pair.feed.do("set", mid=int(mid * factor), flags=SNAPSHOT)
                pair.feed.mid = mid
            halt = pair.told(begun, K.J_HALT)
            assert halt["reason"].tolist() == [Halt.HALT_MARKET]
            pair.pulled(int(halt["time_ns"][0]), CANCEL_NS)
            pair.feed.do("set", rows=True, walks=True, mid=mid, flags=SNAPSHOT)
            time.sleep(0.1)
            pair.quiet(int(halt["time_ns"][0]))
            pair.sound()
            pair.bot.stop()
            pair.flags = ("--clear-halt", int(halt["id"][0]))
            pair.begin().ready()
        else:
            value, field = matrix[n - n // 9]
            side, level, is_size = field % 2, field // 2 % LEVELS, field >= 2 * LEVELS
            pair.feed.do("set", rows=False)
            raw = RawWriter(pair.feed.path)
            rows = [(RESET, 0, 0, 0)]
            for at, found in enumerate(levels(mid)):
                for i, (px, qty) in enumerate(found.items()):
                    hit = (at, i) == (side, level)
                    rows.append(
                        (
                            LEVEL,
                            at,
                            value if hit and not is_size else px,
                            value if hit and is_size else qty,
                        )
                    )
            for _ in range(4):
                for i, row in enumerate(rows):
                    raw.row(*row, eom=int(i == len(rows) - 1))
                time.sleep(0.01)
            pair.near(begun, mid)
            pair.feed.start(mid=mid)
        pair.quoting()
        pair.near(begun, mid)
        pair.sound()

    herd.start(3)
    herd.each(repeats(12, full=len(matrix) * 9 // 8), one)
    repeats.note("40 prices and sizes, 6 values; every ninth repeat 3 jumps halt; " + herd.told())


BOOKS: dict[str, list[tuple[int, int, int]]] = {
    # side, ticks from the mid, lots; what is not named is as it was
    "crossed": [(BID, 40, SIZE)],
    "locked": [(BID, 2, SIZE)],
    "far crossed": [(ASK, -90, SIZE)],
    "no bids": [(BID, -i, 0) for i in range(HALF, HALF + LEVELS)],
    "no asks": [(ASK, i, 0) for i in range(HALF, HALF + LEVELS)],
    "empty": [(side, i if side else -i, 0) for side in (0, 1) for i in range(HALF, HALF + LEVELS)],
}


def test_fault_13_an_unsafe_book_is_not_quoted(herd: Herd, repeats: Repeats) -> None:
    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        name = list(BOOKS)[n % len(BOOKS)]
        pair.feed.do("set", rows=False, walks=False)
        mid = pair.feed.mid
        rows: list[Any] = [
            [LEVEL, side, mid + ticks, lots, {"eom": 0}] for side, ticks, lots in BOOKS[name]
        ]
        rng.shuffle(rows)  # unsorted, and with every level twice
        rows = rows + rows
        rows[-1][4] = {"eom": 1}
        told = pair.feed.do("rows", list=rows)["ns"]
        pair.empty()
        back = time.monotonic_ns()
        pair.within(told, back, CANCEL_NS, f"{name}: until the quotes were gone")
        time.sleep(0.05)
        pair.quiet(told + 20 * MS, time.monotonic_ns())
        pair.feed.do("set", rows=True, walks=True, mid=mid, flags=SNAPSHOT)
        pair.quoting()
        pair.sound()

    herd.start(3)
    herd.each(repeats(13), one)
    repeats.note(f"{len(BOOKS)} kinds; bound 250 ms: {herd.told()}")


def test_fault_14_a_foreign_header_is_not_attached_to(
    herd: Herd, repeats: Repeats, tmp_path: Path
) -> None:
    """Each byte of the header changed: a running bot stays stale, or the object is fully valid.

    The lines that hold anything are tried by a bot byte by byte and by its reader bit by bit; the
    reserved rest of the page by the reader byte by byte.
    """
    fields = {name: where for name, where in WHERE.items() if name.startswith("header.")}
    used = sum(fields["header.reserved2"])
    places = [(name, at) for name, (start, size) in fields.items()
              for at in range(start, start + size)]  # fmt: skip
    by_bot = repeats.each([place for place in places if place[1] < used])
    harmless = {"header.pid", "header.pid_start", "header.epoch", "header.start_ns",
                "header.unix_offset_ns", "header.heartbeat_ns", "header.rows", "header.seq",
                "header.first_seq"}  # fmt: skip

    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        pair.pulled(pair.feed.kill())
        name, at = by_bot[n]
        pair.feed.start()
        mid = pair.feed.mid
        stopped = pair.feed.kill(signal.SIGSTOP)
        met = len(pair.ledger.since(0, K.J_EPOCH))
        with open(pair.feed.path, "r+b") as file:
            whole = bytearray(file.read())
        whole[at] ^= rng.randrange(1, 256)
        pair.feed.kill()
        # another object under the name, from its first byte on what it is
        fresh = Path(pair.feed.path + ".new")
        fresh.write_bytes(whole)
        fresh.chmod(0o600)
        begun = time.monotonic_ns()
        fresh.rename(pair.feed.path)
        # until its last sign of life is old, an object that is valid may be quoted on
        time.sleep(max(0.3, (stopped + STALE_NS + 100 * MS - begun) / 1e9))
        if len(pair.ledger.since(begun, K.J_EPOCH)):
            assert name in harmless, f"{name}, byte {at}"
        assert len(pair.ledger.since(0, K.J_EPOCH)) <= met + 2
        if name != "header.heartbeat_ns":
            pair.quiet(stopped + STALE_NS)
        pair.near(stopped, mid)
        os.unlink(pair.feed.path)
        pair.feed.start()
        pair.quoting()
        pair.sound()

    pairs = herd.start(5)
    herd.each(repeats(14, full=len(by_bot)), one)
    with open(pairs[0].feed.path, "rb") as file:
        whole = file.read()
    copy = tmp_path / "hg_m1000001"
    copy.write_bytes(whole)
    copy.chmod(0o600)
    tried = 0
    for name, at in places:
        for bit in range(8) if at < used else [at % 8]:
            tried += 1
            with copy.open("r+b") as file:
                os.pwrite(file.fileno(), bytes([whole[at] ^ 1 << bit]), at)
            try:
                Reader(1, directory=tmp_path, price_decimals=1, size_decimals=5)
                assert name in harmless, f"{name}, bit {bit} of byte {at}"
            except FeedError as refused:
                assert str(copy) in str(refused)
            finally:
                with copy.open("r+b") as file:
                    os.pwrite(file.fileno(), whole[at : at + 1], at)
    # and a bot that starts: one line, the exit code of a configuration
    pair = pairs[0]
    pair.bot.stop()
    for name in (
        "header.magic",
        "header.version",
        "header.dex",
        "header.market",
        "header.row_size",
    ):
        pair.feed.start()
        at = WHERE[name][0]
        pair.feed.poke(at, bytes([pair.feed.peek(name) & 0xFF ^ 0x10]))
        pair.begin()
        pair.bot.ends(78)
        assert pair.bot.said.count("error: ") == 1 and pair.feed.path in pair.bot.said
        os.unlink(pair.feed.path)
    repeats.note(f"{tried} bits tried by the reader; 5 starts refused with exit code 78")


def test_fault_15_a_truncated_object_is_a_dead_feed(herd: Herd, repeats: Repeats) -> None:
    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        engine = pair.bot.engine()
        size = rng.choice((0, 0, 4096, 12_288, rng.randrange(5_000_000) // 4096 * 4096))
        pair.feed.kill(signal.SIGSTOP)
        cut = time.monotonic_ns()
        os.truncate(pair.feed.path, size)
        pair.pulled(cut)
        assert pair.bot.engine() == engine
        stale = pair.ledger.since(cut, K.J_STALE)
        assert stale["state"].tolist() == [1]
        pair.quiet(int(stale["time_ns"][0]))
        pair.feed.kill()
        os.unlink(pair.feed.path)
        pair.feed.start()
        pair.quoting()
        pair.sound()

    herd.start(5)
    herd.each(repeats(15), one)
    repeats.note(f"bound 750 ms: {herd.told()}")


def test_fault_16_any_rate_leaves_the_latest_book(herd: Herd, repeats: Repeats) -> None:
    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        rate, chunk, seconds = (
            (1, 1, 0.3),
            (1000, 1, 0.2),
            (1_000_000, 1000, 0.3),
            (0, 20_000, 0.1),
        )[n % 4]
        begun = time.monotonic_ns()
        sent = pair.feed.do("blast", seconds=seconds, rate=rate, chunk=chunk)["is"]
        pair.feed.do("set", rows=False, mid=pair.feed.mid)
        mid = pair.feed.mid
        page = pair.until(
            lambda: (p := pair.bot.page())["bid"] == mid - HALF and p["ask"] == mid + HALF and p
        )
        assert not page["stale"]
        pair.near(begun, mid)
        pair.most = max(getattr(pair, "most", 0), int(sent / seconds))  # type: ignore[attr-defined]
        pair.feed.do("set", rows=True)
        pair.quoting()
        pair.sound()

    herd.start(2)
    herd.each(repeats(16), one)
    most = max(getattr(pair, "most", 0) for pair in herd.pairs)
    repeats.note(f"up to {most} messages a second")


def test_fault_17_a_jump_while_the_feed_was_dead_is_warmed_up_for(
    herd: Herd, repeats: Repeats
) -> None:
    warm_ns = 300 * MS

    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        begun = pair.feed.kill()
        pair.pulled(begun)
        mid = 1_000_000 if pair.feed.mid > 1_020_000 else 1_050_000
        back = time.monotonic_ns()
        pair.feed.start(mid=mid)
        pair.quoting()
        first = pair.told(back, K.J_PLACE)
        assert int(first["time_ns"][0]) - back >= warm_ns
        pair.near(back, mid)
        pair.sound()

    config = EAGER.replace("warm_up_ms = 50", f"warm_up_ms = {warm_ns // MS}")
    herd.start(5, config=config, prints=False)
    herd.each(repeats(17), one)
    repeats.note(f"warm-up 300 ms; {herd.told()}")


def test_fault_18_a_flapping_feed_makes_no_storm(herd: Herd, repeats: Repeats) -> None:
    """Up for 300 ms, down for 600 ms: each flap pulls what rests, once, within the rate.

    650 flaps are the ten minutes of the list, of each feed.
    """
    feeds = 5

    def one(pair: Pair, n: int, rng: random.Random) -> None:
        if not n // len(herd.pairs):
            pair.quoting()
        begun = time.monotonic_ns()
        pair.feed.do("set", rows=True, beats=True)
        time.sleep(0.3 * rng.uniform(0.8, 1.2))
        down = pair.feed.do("set", rows=False, beats=False)["ns"]
        time.sleep(0.62)
        pair.pulled(down)
        sent = pair.ledger.since(begun, K.J_PLACE, K.J_AMEND, K.J_CANCEL)
        seconds = (time.monotonic_ns() - begun) / 1e9
        assert len(sent) <= 800 + 400 * seconds
        cancels = pair.ledger.since(down, K.J_CANCEL)
        assert len(cancels) <= 4, "each order is asked to go once"
        pair.until(lambda: pair.bot.page()["stale"])
        stale = pair.ledger.since(down, K.J_STALE)
        stale = stale[stale["state"] == 1]
        # a starved writer may have been given up before it fell silent
        pair.quiet(int(stale["time_ns"][0]) if len(stale) else down)
        pair.sound()

    herd.start(feeds)
    begun = time.monotonic()
    herd.each(repeats(18, full=650 * feeds), one)
    repeats.note(f"{feeds} feeds for {time.monotonic() - begun:.0f} s; {herd.told()}")
