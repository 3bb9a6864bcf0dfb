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
from bog.errors import BogError
from bog.journal import RECORD, read
from bog.recovery import WORDS, recover, run_files
from tests.rig.canary import Canary
from tests.rig.fault import Repeats
from tests.rig.herd import CANCEL_NS, EAGER, Herd, Pair
from tests.rig.journal_layout import HEADER
from tests.rig.kill_engine import core_spec, make_tape
from tests.rig.live import PATIENCE_S, Bot, one_error, runs, wait_for

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


def plan(disk: Path, calls: int, after: int, error: int, ever: bool = False) -> None:
    """Let this disk fail after so many calls."""
    with disk.open("r+b") as file:
        file.write(struct.pack("<qqqq", calls, after, error, ever))


def fail(pair: Pair, calls: int, after: int, error: int, ever: bool = False) -> None:
    """Let the disk of this pair's bot fail after so many calls."""
    plan(pair.where / "disk", calls, after, error, ever)


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
    herd.each(repeats(50), one)
    repeats.note(f"bound 250 ms from the halt: {herd.told()}")


def test_fault_51_a_failed_write_or_sync_is_final(herd: Herd, repeats: Repeats, shim: Path) -> None:
    def one(pair: Pair, n: int, rng: random.Random) -> None:
        pair.quoting()
        after = 1 + n // 6
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
    herd.each(repeats(51), one)
    repeats.note(f"EIO, ENOSPC, short writes; once and for ever; {herd.told()}")


def test_fault_51_every_call_of_a_life_fails_once_and_for_ever(
    repeats: Repeats, tmp_path: Path, shim: Path
) -> None:
    """Call N of a short life, for all N, from its start to its end: until one is not reached."""
    kinds = [(calls, error, ever) for calls in (PWRITE, SYNC, BOTH)
             for error in (errno.EIO, errno.ENOSPC) for ever in (False, True)]  # fmt: skip
    whole, after, codes = 0, 1, Counter[int]()
    for n, rng in repeats(51):
        calls, error, ever = kinds[whole % len(kinds)]
        where = tmp_path / f"life{n}"
        where.mkdir(mode=0o700)
        disk = where / "disk"
        disk.write_bytes(struct.pack("<qqqq", calls, after, error, ever).ljust(4096, b"\0"))
        line = ["--duration", f"{1 + rng.randrange(20)}s", "--speed", "max", "--no-publish"]
        bot = Bot(where, *line, LD_PRELOAD=str(shim), DISK_FAULT=str(disk))
        code = bot.process.wait(PATIENCE_S)
        codes[code] += 1
        (reached,) = struct.unpack("<q", disk.read_bytes()[32:40])
        assert code == 0 or reached, bot.said
        if reached:
            assert code in (1, 78), (calls, after, error, ever, code, bot.said)
            assert bot.said.count("error: ") == 1 and "Traceback" not in bot.said
        recover(bot.folder, RAW, segments=bot.shm)  # what is left can be gone on with
        whole, after = (whole, after + 1) if reached else (whole + 1, 1)
        shutil.rmtree(where)
    repeats.note(
        f"{whole} times every call, {len(kinds)} kinds;"
        f" ended with {', '.join(f'{c}: {k}' for c, k in sorted(codes.items()))}"
    )


def test_a_disk_that_is_full_under_the_head_of_a_run_is_no_traceback(tmp_path: Path) -> None:
    """Row 51 met an engine that died of a bare OSError before it traded."""
    spec = core_spec()
    make_tape(tmp_path / "tape", 3)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            found = recover(tmp_path / "journal", RAW, segments=tmp_path)
            journal = JournalFile(
                tmp_path / "journal", market=RAW, run=found.next_run, price_decimals=1,
                size_decimals=5, segments=tmp_path,
            )  # fmt: skip
            page = StatsPage.create(str(tmp_path / "page"), RAW)
            tape = open_source(tmp_path / "tape")
            lane = Lane({**spec, "run": found.next_run}, page, journal, source=tape)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            most = Path(journal.path).stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            journal.append(K.J_RUN, id=found.next_run)
            time.sleep(0.2)
            lane.start(found)
        except BogError as error:
            code = 7 if "its disk is full or failing" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def between(turns: Counter[int], share: float) -> float:
    """Return the ns below which a share of the turns lies; inside a bucket it is drawn straight."""
    wanted, seen = share * turns.total(), 0
    for low, count in sorted(turns.items()):
        if seen + count >= wanted:
            width = 1 if low < 16 else 1 << (low.bit_length() - 4)  # eight buckets an octave
            return low + width * (wanted - seen) / count
        seen += count
    return float(max(turns))


def test_fault_52_a_slow_disk_is_not_felt_by_the_quotes(
    repeats: Repeats, tmp_path: Path, shim: Path
) -> None:
    """One engine whose disk is slow and fast by turns: the p99 of its turns that send an order.

    The market is inside the engine, so that a turn waits for no other process, and its thread goes
    before all others where that is allowed. In a full run it also spins on a core of its own; a
    sample leaves the core to the tests beside it.
    """
    disk, config = tmp_path / "disk", tmp_path / "bot.toml"
    disk.write_bytes(bytes(4096))
    config.write_text(EAGER)
    spin = ["--cpu", max(os.sched_getaffinity(0))] if repeats.mode == "full" else []
    line = ["--feed", "sim", "--speed", "40", "--config", config, *spin]
    more = {"LD_PRELOAD": str(shim), "DISK_FAULT": str(disk)}
    bot = Bot(tmp_path, *line, **more, BOG_BREAKER__MAX_FEED_DELAY_MS="10000").trading()
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(bot.engine(), os.SCHED_FIFO, os.sched_param(1))
    stats = StatsPage.open(str(bot.shm / f"bog_m{bot.raw}.{bot.pid}"))
    lags, ratios = [], []
    all_turns = {True: Counter[int](), False: Counter[int]()}

    def window(slow: bool) -> Counter[int]:
        written = bot.page()["journal_seq"]
        plan(disk, SYNC, 1, -500, True) if slow else plan(disk, 0, 0, 0)
        wait_for(lambda: slow or bot.page()["journal_durable"] > written)  # the last sync is over
        before = Counter(stats.samples("order_turn"))
        time.sleep(0.4)
        turns = Counter(stats.samples("order_turn")) - before
        if slow:
            page = bot.page()
            # its journal is behind, and nothing waits for it
            lags.append(page["journal_seq"] - page["journal_durable"])
            assert lags[-1] > 0 and page["journal_waits"] == 0 and page["halt"] == 0
        assert turns.total() > 0, "it does not go on quoting"
        all_turns[slow] += turns
        return turns

    try:
        for _, rng in repeats(52):
            order = rng.random() < 0.5
            p99 = {slow: between(window(slow), 0.99) for slow in (order, not order)}
            ratios.append(p99[True] / p99[False])
        plan(disk, 0, 0, 0)
        assert bot.page()["halt"] == 0
    finally:
        bot.kill()
    # the median of the windows, between the ranks that hold it in 95 of 100 cases
    ratios.sort()
    half = 0.98 * len(ratios) ** 0.5
    middle = len(ratios) / 2
    low, high = (ratios[int(min(max(rank, 0), len(ratios) - 1))] for rank in
                 (middle - half, middle + half))  # fmt: skip
    told = "; ".join(
        f"{'slow' if slow else 'fast'} {turns.total()} turns, p50 {between(turns, 0.5) / 1000:.1f} us,"
        f" p99 {between(turns, 0.99) / 1000:.1f} us"
        for slow, turns in all_turns.items()
    )
    repeats.note(
        f"p99 slow to fast, median of the windows {ratios[int(middle)]:.3f} in"
        f" [{low:.3f}, {high:.3f}], bound 1.05; {told}; at most {max(lags)} records behind"
    )
    assert low <= 1.05, "a slow disk is felt"
    assert repeats.mode != "full" or high <= 1.05, "not shown: too few windows or too much noise"


def test_fault_53_a_damaged_journal_is_cut_or_refused(herd: Herd, repeats: Repeats) -> None:
    """Flip, zero, swap, truncate: the next start cuts a torn tail or refuses with exit code 75."""
    pair = herd.start(1)[0]
    pair.quoting()
    (good,) = runs(pair.bot.folder)
    least = 2**20 if repeats.mode == "full" else 2**16
    pair.until(lambda: good.stat().st_size >= least, patience_s=300)
    pair.bot.stop()
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
    herd.each(repeats(53), one)
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
    repeats.note(
        f"{len(data)} bytes: {seen[75]} refused, {seen[0]} cut; {bits} single bits flipped, all found"
    )


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
    for n, rng in repeats(59):
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
    for _n, _rng in repeats(59, sample=5):
        began = time.monotonic_ns()
        found = recover(folder, RAW, segments=memory)
        ended = time.monotonic_ns()
        took = (ended - began - canary.stalled_ns(began, ended)) / 1e9
        worst = max(worst, took)
        assert (found.run, found.records) == (files + 1, done + WORDS + 2)
        assert took <= 2.0, f"recovery took {took:.2f} s"
    records = sum((path.stat().st_size - PAGE) // 64 for path in runs(folder))
    repeats.note(f"{records} records in {files + 1} files; worst {worst:.2f} s, bound 2 s")
