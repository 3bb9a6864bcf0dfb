"""FAULT-50 to 53 and 59: what the bot does when the disk of its journal is full, fails, is slow, or
was damaged, and when the journal grows for a year.

A failing disk is a library in front of the C library's calls (tests/rig/disk_fault.c) that fails the
call it is told to, of the running engine; a full one is RLIMIT_FSIZE, which needs no mount.
"""

import contextlib
import errno
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bog._core.fold import Fold
from bog._core.journal import PAGE, JournalFile, file_name, verify
from bog._core.lane import Lane
from bog._core.loop import Session
from bog._core.source import open_source
from bog._core.stats import StatsPage
from bog._core.types import Halt, StateWord
from bog._core.types import JournalKind as K
from bog.journal import RECORD, read
from bog.recovery import WORDS, recover, run_files
from tests.rig.canary import Canary
from tests.rig.fault import Repeats, percentile
from tests.rig.herd import CANCEL_NS, Herd, Pair
from tests.rig.journal_layout import HEADER
from tests.rig.kill_engine import core_spec, make_tape
from tests.rig.live import PATIENCE_S, Bot, one_error, runs

MS = 1_000_000
RAW = 1_000_001
PWRITE, SYNC, BOTH = 1, 2, 3


@pytest.fixture
def herd(tmp_path: Path, canary: Canary) -> Iterator[Herd]:
    found = Herd(tmp_path, canary)
    yield found
    found.close()


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the library of the failing disk."""
    library = tmp_path_factory.mktemp("disk") / "disk_fault.so"
    source = Path(__file__).parents[1] / "rig" / "disk_fault.c"
    subprocess.run(
        ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"],
        check=True,
    )
    return library


def fail(pair: Pair, calls: int, after: int, error: int, ever: bool = False) -> None:
    """Let the disk of this pair's bot fail after so many calls."""
    with (pair.where / "disk").open("r+b") as file:
        file.write(struct.pack("<qqqq", calls, after, error, ever))


def with_disk(pair: Pair, shim: Path) -> Pair:
    """Start the bot on a disk that can fail."""
    disk = pair.where / "disk"
    disk.write_bytes(bytes(4096))
    return pair.begin(LD_PRELOAD=str(shim), DISK_FAULT=str(disk))


def stopped(pair: Pair, failed_ns: int) -> np.ndarray[Any, Any]:
    """A bot whose journal failed halts, pulls its quotes, sends nothing unjournaled, and ends.

    Return what was recovered.
    """
    assert pair.bot.process.wait(PATIENCE_S) == 1, pair.bot.said
    assert "the journal failed: its disk is full or refuses writes" in pair.bot.said
    assert pair.bot.said.count("error: ") == 1 and "Traceback" not in pair.bot.said
    records = recovered(pair)
    halted = int(records[records["kind"] == K.J_HALT]["time_ns"][0])
    pair.within(failed_ns, halted, 2_000 * MS, "from the failure to the halt")
    return records


def recovered(pair: Pair) -> np.ndarray[Any, Any]:
    """Recover the failed run's file; it ends drained and halted, with every command before it."""
    path = runs(pair.bot.folder)[-1]
    found = recover(pair.bot.folder, RAW, segments=pair.bot.shm)
    assert found.words[StateWord.W_HALT] == Halt.HALT_JOURNAL
    records = read(path).records
    halts = records[records["kind"] == K.J_HALT]
    assert halts["reason"].tolist() == [Halt.HALT_JOURNAL]
    after = records[records["seq"] > halts["seq"][0]]
    assert not np.isin(after["kind"], (K.J_PLACE, K.J_AMEND)).any()
    assert found.open_orders == ()  # each was asked to go, and the proof is in the memory
    fold = Fold()
    doubts = [fold.apply(record.tobytes()) for record in records]
    assert not any(doubts), [d for d in doubts if d][:3]
    assert fold.adds_up
    return records


def again(pair: Pair, shim: Path | None) -> None:
    """Start anew: halted until an operator clears it, then cleared."""
    halt = recover(pair.bot.folder, RAW, segments=pair.bot.shm).words[StateWord.W_HALT_ID]
    pair.flags = ("--clear-halt", halt)
    if shim is None:
        pair.begin()
    else:
        with_disk(pair, shim)
    pair.ready()


def test_fault_50_a_full_disk_halts_and_pulls(herd: Herd, repeats: Repeats) -> None:
    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        (path,) = [p for p in runs(pair.bot.folder) if p == runs(pair.bot.folder)[-1]]
        most = path.stat().st_size + rng.randrange(2000)
        resource.prlimit(pair.bot.engine(), resource.RLIMIT_FSIZE, (most, most))
        full = time.monotonic_ns()
        told = pair.until(lambda: path.stat().st_size >= most - most % 64 and time.monotonic_ns())
        records = stopped(pair, told)
        halt = records[records["kind"] == K.J_HALT][0]
        assert int(halt["val"]) == errno.EFBIG
        last = records[np.isin(records["kind"], (K.J_CANCELED, K.J_FILL))][-1]
        pair.within(int(halt["time_ns"]), int(last["time_ns"]), CANCEL_NS, "until all were gone")
        assert int(halt["time_ns"]) > full
        again(pair, None)

    herd.start(3)
    herd.each(repeats(50, full=1000), one)
    repeats.note(f"bound 250 ms from the halt: {herd.told()}")


def test_fault_51_a_failed_write_or_sync_is_final(herd: Herd, repeats: Repeats, shim: Path) -> None:
    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        after = 1 + n // 6  # call N, for all N
        calls, error, ever = (
            (PWRITE, errno.EIO, False), (PWRITE, errno.EIO, True), (SYNC, errno.EIO, False),
            (SYNC, errno.EIO, True), (BOTH, errno.ENOSPC, False), (PWRITE, 0, True),
        )[n % 6]  # fmt: skip
        begun = time.monotonic_ns()
        fail(pair, calls, after, error, ever)
        if error == 0:  # a short write is no error: the rest follows
            time.sleep(0.1)
            fail(pair, 0, 0, 0)
            pair.quoting()
            pair.sound()
            return
        records = stopped(pair, begun)
        halt = records[records["kind"] == K.J_HALT][0]
        assert int(halt["val"]) == error
        last = records[np.isin(records["kind"], (K.J_CANCELED, K.J_FILL))][-1]
        pair.within(int(halt["time_ns"]), int(last["time_ns"]), CANCEL_NS, "until all were gone")
        again(pair, shim)

    for pair in herd.start(3, begin=False):
        with_disk(pair, shim)
    for pair in herd.pairs:
        pair.ready()
    herd.each(repeats(51, full=1200), one)
    repeats.note(f"EIO, ENOSPC, short writes; once and for ever; {herd.told()}")


def test_fault_52_a_slow_disk_is_not_felt_by_the_quotes(
    herd: Herd, repeats: Repeats, shim: Path
) -> None:
    turns = {"fast": Counter[int](), "slow": Counter[int]()}
    lock = threading.Lock()
    lags = []

    def seen(pair: Pair) -> Counter[int]:
        return Counter(StatsPage.open(pair.page_path).samples("order_turn"))

    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        first = seen(pair)
        time.sleep(0.5)
        before, second = pair.bot.page(), seen(pair)
        slow = time.monotonic_ns()
        fail(pair, SYNC, 1, -500, True)
        time.sleep(rng.uniform(0.3, 0.7))
        during, third = pair.bot.page(), seen(pair)
        fail(pair, 0, 0, 0)
        # it went on quoting while one sync took half a second, and its journal was behind
        assert during["order_turn"]["count"] > before["order_turn"]["count"]
        assert during["journal_waits"] == before["journal_waits"] == 0
        assert 0 < during["journal_seq"] - during["journal_durable"] < 65536
        pair.until(lambda: pair.bot.page()["journal_durable"] > during["journal_seq"])
        assert len(pair.ledger.since(slow, K.J_HALT)) == 0
        with lock:
            turns["fast"] += second - first
            turns["slow"] += third - second
            lags.append(during["journal_seq"] - during["journal_durable"])
        pair.sound()

    pairs = herd.start(3, begin=False)
    for pair in pairs:
        with_disk(pair, shim)
    for pair in pairs:
        pair.ready()
    herd.each(repeats(52, full=1000), one)
    told = []
    for name, found in turns.items():
        times = sorted(found.elements())
        told.append(
            f"{name} {len(times)} turns, p50 {percentile(times, 0.5) / 1000:.1f} us,"
            f" p99 {percentile(times, 0.99) / 1000:.1f} us"
        )
    repeats.note(f"at most {max(lags)} records behind; turns with an order: {', '.join(told)}")


def test_fault_53_a_damaged_journal_is_cut_or_refused(herd: Herd, repeats: Repeats) -> None:
    """Flip, zero, swap, truncate: the next start cuts a torn tail or refuses with exit code 75."""
    pair = herd.start(1)[0]
    pair.quoting()
    time.sleep(1)
    pair.bot.stop()
    (good,) = runs(pair.bot.folder)
    data = good.read_bytes()
    count = (len(data) - PAGE) // RECORD.itemsize
    seen = {75: 0, 0: 0}

    def damaged(n: int, rng: random.Random) -> tuple[bytes, int | None]:
        """Return damaged bytes and the exit code that is right for them."""
        out = bytearray(data)
        ready = WORDS + 2
        at = rng.randrange(PAGE, len(out))
        last = PAGE + (count - 1) * RECORD.itemsize
        kind = n % 5
        if kind == 0:  # a bit
            at = rng.choice((at, rng.randrange(PAGE), rng.randrange(last, len(out))))
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:  # a page of zeros
            at -= at % 512
            if out[at : at + 512] == bytes(512):
                at = PAGE
            out[at : at + 512] = bytes(len(out[at : at + 512]))
        elif kind == 2:  # two blocks change places
            a, b = sorted(rng.sample(range(PAGE, len(out) - 512, 512), 2))
            out[a : a + 512], out[b : b + 512] = out[b : b + 512], out[a : a + 512]
            return bytes(out), 75
        elif kind == 3:  # cut
            del out[at:]
            return bytes(out), 0
        else:  # a torn tail: half a record, of another time
            out += bytes(rng.randrange(256) for _ in range(rng.randrange(1, 63)))
            return bytes(out), 0
        touched = (at - PAGE) // RECORD.itemsize if at >= PAGE else -1
        end = (at + 511 - PAGE) // RECORD.itemsize if kind == 1 else touched
        assert ready < count
        return bytes(out), 0 if end >= count - 1 else 75

    def one(_: Pair, n: int, rng: random.Random) -> None:
        where = pair.where / f"copy{n}"
        shutil.copytree(pair.bot.folder, where / "journal")
        path = runs(where / "journal")[0]
        left, code = damaged(n, rng)
        path.write_bytes(left)
        line = ["--duration", "1s", "--feed", "sim", "--speed", "max", "--no-publish"]
        bot = Bot(where, *line)
        ended = bot.process.wait(60)
        assert ended == code, (n, ended, bot.said)
        if code == 75:
            assert path.name in one_error(bot.said) and path.read_bytes() == left
            assert len(runs(bot.folder)) == 1
        seen[ended] += 1
        shutil.rmtree(where)

    herd.pairs.append(pair)  # two at once
    herd.each(repeats(53, full=1000), one)
    herd.pairs.pop()
    # every single bit, by the check that the restart uses
    step = 1 if repeats.mode == "full" else 97
    crc = int(np.frombuffer(data[:PAGE], HEADER)["crc"][0])
    found = bits = 0
    for number in range(count):
        start = PAGE + number * RECORD.itemsize
        for bit in range(number % step, 8 * RECORD.itemsize, step):
            record = bytearray(data[start : start + RECORD.itemsize])
            record[bit // 8] ^= 1 << bit % 8
            bits += 1
            found += verify(record, crc, number + 1)[0] == 0
        crc = int(np.frombuffer(data[start : start + RECORD.itemsize], RECORD)["crc"][0])
    assert found == bits > 0
    repeats.note(f"{seen[75]} refused, {seen[0]} cut; {bits} single bits flipped, all found")


# rotation


@pytest.fixture
def memory() -> Iterator[Path]:
    """Return a private folder in memory for segments, as a real run has them, if possible."""
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="bog-test-", dir=parent) as path:
        yield Path(path)


def life(folder: Path, segments: Path, tape: Path, spec: dict[str, Any], rotate: int) -> None:
    """Recover, trade the tape as fast as possible with files of `rotate` records, and end."""
    found = recover(folder, RAW, segments=segments)
    journal = JournalFile(
        folder, market=RAW, run=found.next_run, price_decimals=1, size_decimals=5,
        segments=segments, rotate=rotate, capacity=4096,
    )  # fmt: skip
    page = StatsPage.create(str(folder.parent / f"page{os.getpid()}"), RAW)
    lane = Lane({**spec, "run": found.next_run}, page, journal, source=open_source(tape))
    lane.start(found)
    assert Session([lane]).run() == 0
    assert journal.close()


def forked(*arguments: Any, kill_after_s: float | None = None) -> bool:
    """Live in a process of its own; return whether it was killed."""
    pid = os.fork()
    if pid == 0:
        code = 9
        try:
            life(*arguments)
            code = 0
        finally:
            os._exit(code)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def chain(folder: Path) -> tuple[bytes, list[Fold]]:
    """Return what all files of a journal say, without their heads, and the fold of each."""
    said, folds = b"", []
    for _, _, path in run_files(folder, RAW):
        if path.stat().st_size <= PAGE:
            continue
        records = read(path).records
        ready = np.flatnonzero(records["kind"] == K.J_READY)
        if not len(ready):
            continue
        fold = Fold()
        for record in records:
            doubt = fold.apply(record.tobytes())
            assert not doubt, f"{path.name} record {record['seq']}: {doubt}"
        assert fold.adds_up
        folds.append(fold)
        body = records[int(ready[0]) + 1 :].copy()
        body["seq"] = body["crc"] = 0
        said += body.tobytes()
    return said, folds


def test_fault_59_a_journal_turned_over_loses_nothing(
    tmp_path: Path, memory: Path, repeats: Repeats
) -> None:
    """Killed anywhere, also while it turns: the files say what one long file says, to the record."""
    spec, tape = core_spec(), tmp_path / "tape"
    make_tape(tape, 3)
    rotate = 300
    (tmp_path / "whole").mkdir()
    began = time.monotonic()
    forked(tmp_path / "whole" / "journal", memory, tape, spec, 0)
    whole_s = time.monotonic() - began
    whole, (end,) = chain(tmp_path / "whole" / "journal")
    turned = tmp_path / "turned"
    turned.mkdir()
    forked(turned / "journal", memory, tape, spec, rotate)
    said, folds = chain(turned / "journal")
    assert said == whole and folds[-1].words == end.words and len(folds) > 5
    first = [path.read_bytes() for path in runs(turned / "journal")]
    kills = deep = 0
    for n, rng in repeats(59, full=1000):
        folder = tmp_path / f"killed{n}" / "journal"
        folder.parent.mkdir()
        killed = forked(
            folder, memory, tape, spec, rotate, kill_after_s=rng.uniform(0.1, 1.1) * whole_s
        )
        kills += killed
        found = recover(folder, RAW, segments=memory)
        twice = recover(folder, RAW, segments=memory)
        assert (found.run, found.words, found.open_orders) == (
            twice.run, twice.words, twice.open_orders
        )  # fmt: skip
        if folder.exists():
            said, folds = chain(folder)
            assert whole.startswith(said)
            deep += len(folds) > 1
            for path, other in zip(runs(folder), first, strict=False):
                assert other.startswith(path.read_bytes()), "equal runs have equal bytes"
            if folds:
                assert found.words == folds[-1].words
                assert {o.id for o in found.open_orders} == set(folds[-1].orders)
        assert not list(memory.iterdir())
        shutil.rmtree(folder.parent)
    assert kills > 0 and deep > 0
    repeats.note(f"{kills} kills, {deep} behind a turn, {len(first)} files unharmed")


def test_fault_59_a_long_history_does_not_slow_the_start(
    tmp_path: Path, memory: Path, canary: Canary, repeats: Repeats
) -> None:
    """A history of 1e9 records, as files of which only the newest is read: recovery within 2 s."""
    folder = tmp_path / "journal"
    folder.mkdir(mode=0o700)
    each = 32 * 2**20 // 64  # rotate_mb = 32
    files = 10**9 // each
    journal = JournalFile(
        folder, market=RAW, run=files + 1, price_decimals=1, size_decimals=5, segments=memory
    )
    with contextlib.closing(journal):
        journal.append(K.J_RUN, id=files + 1)
        for word in range(WORDS):
            journal.append(
                K.J_STATE, reason=word, val=7 if word == StateWord.W_NEXT_ORDER_ID else 0
            )
        journal.append(K.J_READY)
        block = np.zeros(3000, RECORD)
        block["kind"] = np.resize([K.J_PLACE, K.J_ACK, K.J_CANCELED], 3000)
        block["px"], block["qty"], block["state"] = 1_000_000, 1000, np.resize([0, 3, 9], 3000)
        done = 0
        while done < each:
            block["id"] = 7 + done // 3 + np.arange(3000) // 3
            block["time_ns"] = done
            data, at = block.tobytes(), 0
            while at < len(data):
                at += 64 * journal.append_all(data[at:])
            done += len(block)
    newest = runs(folder)[-1]
    head = newest.read_bytes()[:PAGE]
    for run in range(1, files + 1):
        path = folder / file_name(RAW, run)
        with path.open("wb") as file:
            file.write(head)  # what an old file says is not looked at
            file.truncate(PAGE + 64 * each)  # and takes no room on this disk
        path.chmod(0o600)
    worst = 0.0
    for _n, _rng in repeats(59, full=50, sample=5):
        began = time.monotonic_ns()
        found = recover(folder, RAW, segments=memory)
        ended = time.monotonic_ns()
        took = (ended - began - canary.stalled_ns(began, ended)) / 1e9
        worst = max(worst, took)
        assert (found.run, found.records) == (files + 1, done + WORDS + 2)
        assert took <= 2.0, f"recovery took {took:.2f} s"
    records = sum((path.stat().st_size - PAGE) // 64 for path in runs(folder))
    repeats.note(f"{records} records in {files + 1} files; worst {worst:.2f} s, bound 2 s")
