"""The journal: its seals, its ring, its failures, and what recovery makes of a damaged file."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from bog._core.fold import Fold
from bog._core.journal import (
    PAGE,
    JournalFile,
    crc32c,
    crc32c_portable,
    file_name,
    lock,
    segment_name,
    verify,
)
from bog._core.types import Halt, JournalKind, Level, OrderState, Reject, Side, StateWord
from bog.cli.journal import cli
from bog.errors import BogError, ConfigError, JournalDamaged
from bog.journal import FIELDS, RECORD, decode, kind_name, read
from bog.recovery import WORDS, recover, run_files
from tests.rig.journal_layout import HEADER, SEGMENT

Make = Callable[..., JournalFile]


@pytest.fixture
def make(tmp_path: Path, shm: Path) -> Make:
    """Return a function that opens a run of market 1."""

    def opened(run: int = 1, **more: Any) -> JournalFile:
        values: dict[str, Any] = {"market": 1, "price_decimals": 1, "size_decimals": 5}
        values |= {"segments": shm, "capacity": 1024, "directory": tmp_path / "journal"} | more
        return JournalFile(run=run, **values)

    return opened


def begin(journal: JournalFile, words: tuple[int, ...] | list[int] | None = None) -> None:
    """Append what every run starts with."""
    journal.append(JournalKind.J_RUN, id=1)
    for word, value in enumerate(words or Fold().words):
        journal.append(JournalKind.J_STATE, reason=word, val=value)
    journal.append(JournalKind.J_READY)


def whole_file(make: Make, places: int, **more: Any) -> Path:
    """Write a closed run of `places` orders and return its path."""
    journal = make(**more)
    begin(journal)
    for n in range(places):
        journal.append(JournalKind.J_PLACE, time_ns=n, id=n + 1, px=1000 + n, qty=10, side=n % 2)
    assert journal.close()
    return Path(journal.path)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until the flusher has made `condition` true; a minute is an eternity."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def in_child(work: Callable[[], None]) -> int:
    """Run `work` in a forked process that then dies by SIGKILL; return its exit status."""
    get, put = os.pipe()  # a file would meet the child's own limits
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os.kill(os.getpid(), signal.SIGKILL)
        except BaseException:
            os.write(put, traceback.format_exc().encode())
        finally:
            os._exit(99)
    os.close(put)
    with open(get) as said:
        print(said.read())
    return os.waitpid(pid, 0)[1]


# the seal


@pytest.mark.parametrize(
    ("data", "crc"),
    [  # RFC 3720, B.4, and the catalogue's check value
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_crc32c_gives_the_published_values(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc
    assert crc32c_portable(data) == crc


@given(st.binary(min_size=60, max_size=60), st.integers(0, 2**32 - 1))
def test_law_both_crcs_agree_on_what_a_record_seals(sealed: bytes, seed: int) -> None:
    assert crc32c(sealed, seed) == crc32c_portable(sealed, seed)


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(0, 2**32 - 1))
def test_law_both_crcs_agree_and_continue(first: bytes, second: bytes, seed: int) -> None:
    assert crc32c(first, seed) == crc32c_portable(first, seed)
    assert crc32c(second, crc32c(first, seed)) == crc32c(first + second, seed)


# writing and reading


def test_every_field_comes_back_as_it_was_written(make: Make) -> None:
    journal = make(run=7, account=2**64 - 1, run_id="night", build="abc123", mode=1,
                   config_hash=bytes(range(32)), price_decimals=2, size_decimals=4)  # fmt: skip
    low, high = -(2**63), 2**63 - 1
    number = journal.append(
        255, time_ns=high, id=2**64 - 1, px=low, qty=high, val=low, side=1, reason=2, state=3,
        aux=2**32 - 1,
    )  # fmt: skip
    assert number == 1
    assert journal.append(1) == 2
    assert journal.close()
    run = read(journal.path)
    assert run.torn == 0
    assert run.records[0].item()[:-1] == (
        1, high, 2**64 - 1, low, high, low, 255, 1, 2, 3, 1, 2**32 - 1
    )  # fmt: skip
    header = run.header
    assert (header.market, header.account, header.run, header.mode) == (1, 2**64 - 1, 7, 1)
    assert (header.price_decimals, header.size_decimals) == (2, 4)
    assert (header.run_id, header.build) == ("night", "abc123")
    assert header.config_hash == bytes(range(32))


def test_the_last_crc_is_that_of_everything_before_it(make: Make) -> None:
    data = whole_file(make, 3).read_bytes()
    records = np.frombuffer(data, RECORD, offset=PAGE)
    sealed = data[: PAGE - 4] + b"".join(record.tobytes()[:60] for record in records)
    assert int(records["crc"][-1]) == crc32c_portable(sealed)


def test_the_same_run_gives_the_same_bytes(make: Make, tmp_path: Path) -> None:
    first = whole_file(make, 50, directory=tmp_path / "a")
    second = whole_file(make, 50, directory=tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()


def test_files_are_private_and_the_segment_is_gone_after_close(make: Make, shm: Path) -> None:
    journal = make()
    path, segment = Path(journal.path), Path(journal.segment)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    assert segment.stat().st_mode & 0o777 == 0o600
    journal.close()
    assert list(shm.iterdir()) == []


def test_the_flusher_brings_records_to_disk_by_itself(make: Make) -> None:
    journal = make()
    begin(journal)
    wait_for(lambda: journal.durable == journal.written)
    assert len(read(journal.path).records) == WORDS + 2
    journal.close()


def test_a_full_ring_refuses_and_takes_more_when_the_disk_has_caught_up(make: Make) -> None:
    journal = make(capacity=64)
    taken = 0
    for _ in range(200):
        more = journal.append_all(bytes(64 * 1000))
        assert more < 1000  # 64 fit, and the flusher rests a millisecond at a time
        taken += more
        assert journal.written == taken
        wait_for(lambda: journal.durable == journal.written)
        assert journal.room == 64
    assert journal.close()
    assert len(read(journal.path).records) == taken


def test_append_says_that_the_ring_is_full(make: Make) -> None:
    journal = make(capacity=64)
    with pytest.raises(BogError, match="64 records behind"):
        for _ in range(10_000_000):
            journal.append_all(bytes(64 * 64))
            journal.append(1)
    journal.close()


def test_a_closed_journal_refuses(make: Make) -> None:
    journal = make()
    begin(journal)
    assert journal.close()
    assert journal.close()
    with pytest.raises(BogError, match="it is closed"):
        journal.append(1)
    assert journal.append_all(bytes(64)) == 0
    assert (journal.written, journal.durable, journal.room) == (WORDS + 2, WORDS + 2, 0)


def test_what_does_not_fit_is_refused(make: Make, tmp_path: Path) -> None:
    for wrong in (
        {"capacity": 1000}, {"capacity": 32}, {"run": 0}, {"config_hash": b"short"},
        {"run_id": "x" * 33}, {"build": "x" * 57},
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            make(**wrong)
    for wrong in ({"market": -1}, {"market": 2**32}, {"account": -1}, {"price_decimals": 256}):
        with pytest.raises(OverflowError):
            make(**wrong)
    assert not (tmp_path / "journal").exists()


def test_a_run_is_never_opened_twice(make: Make) -> None:
    path = whole_file(make, 1)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="exists"):
        make()
    assert path.read_bytes() == before


def test_what_the_system_refuses_is_said_in_one_line(make: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot create the journal of market 1.*No such file"):
        make(segments=tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot create the journal of market 1"):
        make(directory=tmp_path / "file")
    # the file of the first attempt went again with its segment
    assert recover(tmp_path / "journal", 1).next_run == 1


def test_the_segment_of_a_directory_that_had_this_inode_is_replaced(make: Make, shm: Path) -> None:
    make().close()
    (shm / segment_name(shm.parent / "journal", 1, 2)).write_bytes(b"old")
    journal = make(run=2)
    begin(journal)
    assert journal.close()
    assert list(shm.iterdir()) == []


def test_no_link_is_followed_and_no_open_directory_used(make: Make, tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    directory.mkdir(mode=0o700)
    (directory / file_name(1, 1)).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="exists"):
        make()
    assert not (tmp_path / "elsewhere").exists()
    directory.chmod(0o777)
    with pytest.raises(ConfigError, match="mode 0777"):
        make(run=2)


def test_a_second_process_is_refused_and_told_whom_to_stop(make: Make, tmp_path: Path) -> None:
    journal = make()
    begin(journal)
    code = (
        "import sys; from bog.recovery import recover\n"
        "try: recover(sys.argv[1], 1)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    directory = str(tmp_path / "journal")
    said = subprocess.run(
        [sys.executable, "-c", code, directory], capture_output=True, text=True, check=True
    ).stdout
    assert said.startswith("ConfigError") and f"process {os.getpid()}" in said
    with pytest.raises(ConfigError, match=f"process {os.getpid()}"):
        make(run=2)
    other = make(run=1, market=2)  # another market is another journal
    assert other.close()
    journal.append(JournalKind.J_END)
    assert journal.close()
    assert recover(directory, 1).records == WORDS + 3


# disks that refuse


def child_on_a_small_disk(make: Make, limit: int, records: int) -> None:
    """Append until the file may not grow any more, and see the journal sealed."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    journal = make(capacity=64)
    begin(journal)
    wait_for(lambda: journal.durable == journal.written)
    orders = np.zeros(records, RECORD)
    orders["kind"], orders["px"], orders["qty"] = JournalKind.J_PLACE, 100, 1
    orders["id"] = orders["time_ns"] = np.arange(1, records + 1)
    # in one call: the flusher meets the limit as soon as it wakes
    assert journal.append_all(orders.view(np.uint8)) == records
    wait_for(lambda: journal.failed != 0)
    for refused in (lambda: journal.append(1), lambda: journal.append(1)):
        with pytest.raises(BogError, match="takes no records: File too large"):
            refused()
    assert journal.append_all(bytes(64)) == 0
    assert not journal.close()
    assert Path(journal.segment).exists()
    assert journal.written == WORDS + 2 + records


def test_a_full_disk_seals_the_journal_and_the_next_start_is_halted(
    make: Make, tmp_path: Path, shm: Path
) -> None:
    limit = max(PAGE + 64 * (WORDS + 2 + 4) + 30, PAGE + 64 * 64)  # the segment must fit, too
    status = in_child(lambda: child_on_a_small_disk(make, limit, 60))
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    found = recover(tmp_path / "journal", 1, segments=shm)
    assert found.records == WORDS + 2 + 60 + 1
    assert found.words[StateWord.W_HALT] == Halt.HALT_JOURNAL
    assert len(found.open_orders) == 60
    last = read(run_files(tmp_path / "journal")[0][2]).records[-1]
    assert (last["kind"], last["val"]) == (JournalKind.J_HALT, 27)  # EFBIG
    assert list(shm.iterdir()) == []
    again = recover(tmp_path / "journal", 1, segments=shm)
    assert again == found


@pytest.mark.parametrize(("device", "error"), [("/dev/full", 28), ("/dev/null", 22)])
def test_a_write_or_a_sync_that_fails_once_is_final(make: Make, device: str, error: int) -> None:
    journal = make()
    begin(journal)
    wait_for(lambda: journal.durable == journal.written)
    good = os.dup(descriptor(journal.path))
    refuser = os.open(device, os.O_WRONLY)
    os.dup2(refuser, descriptor(journal.path))
    journal.append(JournalKind.J_LEVEL, state=Level.LEVEL_PAUSED)
    wait_for(lambda: journal.failed != 0)
    assert journal.failed == error
    os.dup2(good, descriptor(device))  # the disk is well again, the journal is not
    with pytest.raises(BogError, match="takes no records"):
        journal.append(JournalKind.J_LEVEL)
    assert not journal.close()
    os.close(good)
    os.close(refuser)
    segments = Path(journal.segment).parent
    found = recover(Path(journal.path).parent, 1, segments=segments)
    assert found.words[StateWord.W_LEVEL] == Level.LEVEL_PAUSED
    assert found.words[StateWord.W_HALT] == Halt.HALT_JOURNAL


def descriptor(path: str) -> int:
    """Return the lowest descriptor of this process that is open on `path`."""
    links = {int(link.name): link for link in Path("/proc/self/fd").iterdir()}
    return min(fd for fd, link in links.items() if os.path.realpath(link) == path)


# damage


def test_every_flipped_bit_is_found(make: Make) -> None:
    path = whole_file(make, 3)
    good = path.read_bytes()
    count = WORDS + 5
    last = len(good) - 64
    damaged = bytearray(good)
    with path.open("r+b") as file:
        for bit in range(len(good) * 8):
            at, mask = bit >> 3, 1 << (bit & 7)
            damaged[at] ^= mask
            file.seek(at)
            file.write(damaged[at : at + 1])
            file.flush()
            if at >= last:
                run = read(path)
                assert (len(run.records), run.torn) == (count - 1, 64)
            else:
                with pytest.raises(JournalDamaged):
                    read(path)
            damaged[at] ^= mask
            file.seek(at)
            file.write(damaged[at : at + 1])
            file.flush()
    assert path.read_bytes() == good


def test_recovery_refuses_a_damaged_middle_and_changes_nothing(make: Make) -> None:
    path = whole_file(make, 3)
    good = path.read_bytes()
    for at in range(PAGE, len(good) - 64, 7):
        bad = good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :]
        path.write_bytes(bad)
        with pytest.raises(JournalDamaged, match="is damaged and records follow it") as refusal:
            recover(path.parent, 1)
        assert refusal.value.exit_code == 75
        assert path.read_bytes() == bad


def test_a_torn_tail_is_cut_once_and_said(make: Make) -> None:
    path = whole_file(make, 3)
    good = path.read_bytes()
    for length in range(PAGE + 64 * (WORDS + 2), len(good) + 1):
        path.write_bytes(good[:length])
        found = recover(path.parent, 1)
        whole = (length - PAGE) // 64
        assert (found.records, found.cut) == (whole, (length - PAGE) % 64)
        assert path.read_bytes() == good[: PAGE + whole * 64]
        again = recover(path.parent, 1)
        assert (again.words, again.open_orders, again.cut) == (found.words, found.open_orders, 0)


def test_a_file_cut_before_it_was_ready_is_void(make: Make) -> None:
    path = whole_file(make, 3)
    good = path.read_bytes()
    lengths = [*range(0, PAGE, 397), *range(PAGE - 3, PAGE + 64 * (WORDS + 2), 13)]
    for length in lengths:
        path.write_bytes(good[:length])
        found = recover(path.parent, 1)
        assert (found.run, found.next_run, found.void) == (0, 2, 1)
        assert found.words == Fold().words


def test_pages_out_of_order_or_zeroed_are_refused_and_a_zeroed_end_is_cut(make: Make) -> None:
    path = whole_file(make, 64 * 5 - WORDS - 2)
    good = path.read_bytes()
    pages = [good[at : at + 4096] for at in range(0, len(good), 4096)]
    assert len(pages) == 6
    for one in range(1, 6):
        for two in range(one + 1, 6):
            swapped = pages.copy()
            swapped[one], swapped[two] = pages[two], pages[one]
            path.write_bytes(b"".join(swapped))
            with pytest.raises(JournalDamaged):
                read(path)
        zeroed = pages.copy()
        zeroed[one] = bytes(4096)
        path.write_bytes(b"".join(zeroed))
        if one < 5:
            with pytest.raises(JournalDamaged):
                read(path)
        else:
            assert recover(path.parent, 1).cut == 4096
            assert path.read_bytes() == b"".join(pages[:5])


def test_another_market_account_or_version_is_refused(make: Make) -> None:
    path = whole_file(make, 1, account=5)
    directory = path.parent
    assert recover(directory, 1, account=5).run == 1
    with pytest.raises(ConfigError, match="belongs to account 5, not 6"):
        recover(directory, 1, account=6)
    renamed = directory / file_name(2, 1)
    shutil.copy(path, renamed)
    with pytest.raises(ConfigError, match="is run 1 of market 1"):
        recover(directory, 2)
    data = bytearray(path.read_bytes())
    data[8] += 1
    data[PAGE - 4 : PAGE] = crc32c(data[: PAGE - 4]).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="journal version 4"):
        recover(directory, 1)


# a killed process's segment


def test_what_was_appended_survives_the_process_that_never_flushed(
    make: Make, tmp_path: Path, shm: Path
) -> None:
    def work() -> None:
        journal = make()
        begin(journal)
        for n in range(500):
            journal.append(JournalKind.J_PLACE, time_ns=n, id=n + 1, px=100, qty=1)

    in_child(work)
    found = recover(tmp_path / "journal", 1, segments=shm)
    assert found.records == WORDS + 2 + 500
    assert [order.id for order in found.open_orders] == list(range(1, 501))
    assert list(shm.iterdir()) == []
    assert recover(tmp_path / "journal", 1, segments=shm) == found


def killed(make: Make, shm: Path) -> tuple[Path, Path]:
    """Leave a killed run with durable records and newer ones; return its file and segment."""

    def work() -> None:
        journal = make()
        begin(journal)
        wait_for(lambda: journal.durable == journal.written)
        for n in range(5):
            journal.append(JournalKind.J_PLACE, time_ns=n, id=n + 1, px=100, qty=1)

    in_child(work)
    (segment,) = shm.iterdir()
    return run_files(shm.parent / "journal")[0][2], segment


def test_a_segment_that_does_not_continue_its_file_is_refused(make: Make, shm: Path) -> None:
    path, segment = killed(make, shm)
    data = bytearray(segment.read_bytes())
    data[PAGE + 64 * (WORDS + 2 + 4) + 24] ^= 1  # the price of the newest record
    data[128:136] = (WORDS + 2).to_bytes(8, "little")  # of which none was durable
    segment.write_bytes(data)
    with pytest.raises(JournalDamaged, match="does not continue"):
        recover(path.parent, 1, segments=shm)
    assert segment.exists()


def test_a_durable_record_that_is_gone_is_refused(make: Make, shm: Path) -> None:
    path, segment = killed(make, shm)
    os.truncate(path, PAGE + 64 * (WORDS + 1))
    with pytest.raises(JournalDamaged, match="durable ones is damaged or missing"):
        recover(path.parent, 1, segments=shm)
    assert segment.exists()


def test_a_segment_of_another_file_is_left_alone(make: Make, shm: Path) -> None:
    path, segment = killed(make, shm)
    data = bytearray(segment.read_bytes())
    data[40] ^= 1  # the header crc of its file
    segment.write_bytes(data)
    assert recover(path.parent, 1, segments=shm).records >= WORDS + 2
    assert segment.exists()


def test_a_torn_disk_tail_is_healed_from_the_segment(make: Make, shm: Path) -> None:
    path, segment = killed(make, shm)
    data = bytearray(segment.read_bytes())
    data[128:136] = (WORDS + 2).to_bytes(8, "little")
    segment.write_bytes(data)
    for torn in (0, 30, 64, 70):
        (shm / "copy").write_bytes(data)
        (shm / "copy").rename(segment)
        os.truncate(path, PAGE + 64 * (WORDS + 2) + torn)
        found = recover(path.parent, 1, segments=shm)
        assert (found.records, found.cut) == (WORDS + 2 + 5, 0)


def test_the_newest_ready_run_counts(make: Make) -> None:
    whole_file(make, 3)
    second = make(run=2)
    begin(second, [*range(100, 100 + WORDS)])
    second.close()
    third = make(run=3)
    third.append(JournalKind.J_RUN, id=3)
    third.close()
    found = recover(Path(third.path).parent, 1)
    assert (found.run, found.next_run, found.void) == (2, 4, 1)
    assert found.words == tuple(range(100, 100 + WORDS))


def test_an_account_that_never_traded_is_fresh(tmp_path: Path) -> None:
    found = recover(tmp_path / "nowhere", 1)
    assert (found.run, found.next_run, found.open_orders) == (0, 1, ())
    assert found.words[StateWord.W_NEXT_ORDER_ID] == 1
    assert not (tmp_path / "nowhere").exists()


# the fold


def laid_out(record: dict[str, int]) -> bytes:
    """Return a record as on disk, unsealed."""
    out = np.zeros(1, RECORD)
    for name, value in record.items():
        out[name] = value
    return out.tobytes()


def folded(
    *records: dict[str, int], words: tuple[int, ...] | None = None
) -> tuple[Fold, list[str]]:
    """Return a ready fold after `records`, and its doubts about them."""
    fold = Fold()
    doubts = []
    start = [{"kind": int(JournalKind.J_RUN)}]
    for word, value in enumerate(words or Fold().words):
        start.append({"kind": int(JournalKind.J_STATE), "reason": word, "val": value})
    start.append({"kind": int(JournalKind.J_READY)})
    for record in (*start, *records):
        doubt = fold.apply(laid_out(record))
        if doubt:
            doubts.append(doubt)
    return fold, doubts


def rec(kind: JournalKind, **values: int) -> dict[str, int]:
    return {"kind": int(kind), **values}


def test_a_reduction_takes_cost_in_proportion_rounded_down() -> None:
    buy, sell = (
        lambda px, qty, side=side: rec(JournalKind.J_FILL, id=9, px=px, qty=qty, side=side, val=2)
        for side in (Side.BID, Side.ASK)
    )
    fold, _ = folded(buy(10, 2), buy(11, 1), sell(20, 1))
    words = fold.words
    assert words[StateWord.W_POS] == 2
    assert words[StateWord.W_COST] == 31 - 31 * 1 // 3
    assert words[StateWord.W_REALIZED] == 20 - 31 * 1 // 3
    assert words[StateWord.W_FEES] == 6
    assert words[StateWord.W_VOLUME] == 20 + 11 + 20
    fold, _ = folded(sell(10, 2), sell(11, 1), buy(5, 1))
    assert fold.words[StateWord.W_COST] == -31 - (-31 * 1 // 3)  # floor of a negative: -11
    fold, _ = folded(buy(10, 3), sell(12, 5))
    assert fold.words[StateWord.W_POS] == -2
    assert fold.words[StateWord.W_COST] == -24
    assert fold.words[StateWord.W_REALIZED] == 6


FILLS = st.lists(
    st.tuples(
        st.integers(0, 1), st.integers(1, 10**6), st.integers(1, 10**6), st.integers(-99, 99)
    ),
    max_size=40,
)


@given(FILLS)
def test_law_the_fold_keeps_the_identity_and_no_cost_when_flat(
    fills: list[tuple[int, int, int, int]],
) -> None:
    records = [
        rec(JournalKind.J_FILL, id=1, side=side, px=px, qty=qty, val=fee)
        for side, px, qty, fee in fills
    ]
    for n in range(len(records) + 1):
        words = folded(*records[:n])[0].words
        cash, realized = words[StateWord.W_CASH], words[StateWord.W_REALIZED]
        assert cash == realized - words[StateWord.W_COST] - words[StateWord.W_FEES]
        assert words[StateWord.W_FILLS] == n
        if words[StateWord.W_POS] == 0:
            assert words[StateWord.W_COST] == 0
    assert words[StateWord.W_POS] == sum(q if s == 0 else -q for s, _, q, _ in fills)
    assert cash == sum((-p * q if s == 0 else p * q) - f for s, p, q, f in fills)


@given(FILLS, st.integers(0, 40))
def test_law_folding_in_two_runs_is_folding_in_one(
    fills: list[tuple[int, int, int, int]], cut: int
) -> None:
    records = [
        rec(JournalKind.J_FILL, id=1, side=side, px=px, qty=qty, val=fee)
        for side, px, qty, fee in fills
    ]
    whole = folded(*records)[0].words
    first = folded(*records[:cut])[0].words
    assert folded(*records[cut:], words=first)[0].words == whole


def test_an_order_is_in_the_state_that_the_record_says() -> None:
    k, states = JournalKind, OrderState
    place = rec(k.J_PLACE, id=5, px=100, qty=10, side=1, val=77)

    def alive(*records: dict[str, int]) -> list[tuple[int, int, int, int]]:
        fold, doubts = folded(place, *records)
        assert not doubts
        return [(o.px, o.qty, o.filled, o.state) for o in fold.orders.values()]

    ack = rec(k.J_ACK, id=5, val=900, state=states.ORDER_RESTING)
    fill = rec(k.J_FILL, id=5, px=100, qty=4, side=1, state=states.ORDER_PARTIAL)
    assert alive() == [(100, 10, 0, states.ORDER_IN_FLIGHT)]
    assert alive(ack) == [(100, 10, 0, states.ORDER_RESTING)]
    assert alive(ack, fill) == [(100, 10, 4, states.ORDER_PARTIAL)]
    assert alive(ack, rec(k.J_CANCEL, id=5)) == [(100, 10, 0, states.ORDER_CANCEL_SENT)]
    amend = rec(k.J_AMEND, id=5, px=101, qty=12)
    assert alive(ack, amend) == [(100, 10, 0, states.ORDER_AMEND_SENT)]
    amended = rec(k.J_AMENDED, id=5, px=101, qty=12, state=states.ORDER_PARTIAL)
    assert alive(ack, amend, fill, amended) == [(101, 12, 4, states.ORDER_PARTIAL)]
    for state in OrderState:
        standing = alive(rec(k.J_UNKNOWN, id=5, state=state)) if state else [0]
        assert bool(standing) == (state < states.ORDER_FILLED)
    canceled = rec(k.J_CANCELED, id=5, state=states.ORDER_CANCELED)
    # a fill that was under way when the order died still moves the position
    fold, doubts = folded(place, ack, canceled, {**fill, "state": states.ORDER_CANCELED})
    assert not doubts and not fold.orders
    assert fold.words[StateWord.W_POS] == -4


def test_an_adopted_position_is_carried_and_one_that_cannot_be_is_a_doubt() -> None:
    k = JournalKind
    fold, doubts = folded(
        rec(k.J_ADOPT, id=30, side=1, val=3000), rec(k.J_FUNDING, val=5, aux=3600)
    )
    assert not doubts
    assert fold.words[StateWord.W_POS] == -30 and fold.words[StateWord.W_COST] == -3000
    assert fold.words[StateWord.W_CASH] == 2995 and fold.words[StateWord.W_FUNDED] == 3600
    assert folded(rec(k.J_ADOPT, id=0, side=1, val=3000))[1]
    again = folded(rec(k.J_FUNDING, val=5, aux=3600), rec(k.J_FUNDING, val=5, aux=3600))
    assert "booked again" in str(again[1])


def test_day_peak_halt_level_and_funding_are_carried() -> None:
    k = JournalKind
    fold, doubts = folded(
        rec(k.J_DAY, id=20_000, val=-50, px=201),
        rec(k.J_PEAK, val=33, px=203),
        rec(k.J_HALT, id=4, reason=Halt.HALT_DAILY_LOSS, val=9),
        rec(k.J_LEVEL, state=Level.LEVEL_PAUSED),
        rec(k.J_FUNDING, val=-7, px=100, qty=3),
        rec(k.J_DENIED, reason=4),
        rec(k.J_CANCEL_ALL, time_ns=12),
    )
    assert not doubts
    words = {word: fold.words[word] for word in range(WORDS) if fold.words[word]}
    assert words == {
        StateWord.W_DAY: 20_000, StateWord.W_DAY_OPEN: -50, StateWord.W_PEAK: 33,
        StateWord.W_MARK2: 203, StateWord.W_HALT: Halt.HALT_DAILY_LOSS, StateWord.W_HALT_ID: 4,
        StateWord.W_LEVEL: Level.LEVEL_PAUSED, StateWord.W_FUNDING: 7, StateWord.W_CASH: 7,
        StateWord.W_NEXT_ORDER_ID: 1, StateWord.W_COMMANDS: 1, StateWord.W_LAST_NS: 12,
    }  # fmt: skip
    fold, _ = folded(rec(k.J_DAY, id=20_001, val=1, px=5), words=fold.words)
    assert fold.words[StateWord.W_PEAK] == 0
    fold, _ = folded(rec(k.J_CLEAR_HALT, id=4), words=fold.words)
    assert fold.words[StateWord.W_HALT] == Halt.HALT_NONE


def test_what_no_sound_engine_writes_is_doubted() -> None:
    k = JournalKind
    place = rec(k.J_PLACE, id=5, px=100, qty=10, time_ns=10)
    for records in (
        (place, place),
        (rec(k.J_ACK, id=5),),
        (rec(k.J_FILL, id=5, px=1, qty=1),),
        (place, rec(k.J_FILL, id=5, px=1, qty=1, side=1, state=4, time_ns=10)),
        (place, rec(k.J_ACK, id=5, state=3, time_ns=9)),
        (place, rec(k.J_ACK, id=5, time_ns=10)),
        (place, rec(k.J_CANCELED, id=5, state=9, time_ns=10), rec(k.J_CANCEL, id=5, time_ns=10)),
        (rec(k.J_CLEAR_HALT, id=1),),
        (rec(k.J_DAY, id=5), rec(k.J_DAY, id=4)),
        ({"kind": 200},),
        (rec(k.J_STATE, reason=3),),
        (rec(k.J_READY),),
        (place, rec(k.J_FILL, id=5, px=2**40, qty=2**40, state=8, time_ns=10)),
        (place, rec(k.J_FILL, id=5, px=0, qty=1, state=4, time_ns=10)),
    ):
        assert len(folded(*records)[1]) == 1, records


# the command


def test_every_kind_has_named_fields(make: Make) -> None:
    assert set(FIELDS) == set(JournalKind)
    journal = make()
    for kind in JournalKind:
        journal.append(kind, id=3, px=25, qty=4, val=1, side=1, reason=1, state=1, aux=9)
    journal.close()
    run = read(journal.path)
    rows = {row["kind"]: row for row in (decode(run.header, r) for r in run.records.tolist())}
    assert rows["fill"] == {
        "run": 1, "seq": 10, "time_ns": 0, "market": 1, "kind": "fill", "order": 3, "side": "ask",
        "price": "2.5", "size": "0.00004", "reason": "queue", "fee": "0.000001", "trade_id_low": 9,
    }  # fmt: skip
    assert rows["peak"]["mark"] == "1.25"
    assert rows["denied"]["verdict"] == "deny_killed"
    assert rows["level"]["level"] == "paused"
    assert rows["state"]["word"] == "cost"


def command(*args: object) -> tuple[list[str], str, BaseException | None]:
    """Run bog-journal; return its lines, what it said on stderr, and what it raised."""
    result = CliRunner().invoke(cli, [str(arg) for arg in args])
    return result.stdout.splitlines(), result.stderr, result.exception


def test_show_filters_by_kind_and_order(make: Make) -> None:
    path = whole_file(make, 6)
    lines, _, error = command("show", path.parent)
    assert error is None and len(lines) == WORDS + 2 + 6
    lines, _, _ = command("show", path, "--kind", "place", "--order", "3")
    (row,) = map(json.loads, lines)
    assert (row["order"], row["price"], row["size"], row["side"]) == (3, "100.2", "0.00010", "bid")


def test_check_passes_a_sound_journal_and_refuses_a_damaged_one(make: Make) -> None:
    path = whole_file(make, 3)
    lines, _, error = command("check", path)
    assert error is None
    assert lines == [f"{path}: sound: 1 runs, {WORDS + 5} records, 0 torn bytes"]
    data = path.read_bytes()
    path.write_bytes(data[:-10])
    lines, said, _ = command("check", path)
    assert "54 torn bytes" in lines[0] and "torn tail of 54 bytes" in said
    path.write_bytes(data[: PAGE + 70] + b"x" + data[PAGE + 71 :])
    error = command("check", path)[2]
    assert isinstance(error, JournalDamaged)


def test_cut_ends_the_newest_file_where_its_damage_begins_and_keeps_it_as_it_was(
    make: Make,
) -> None:
    path = whole_file(make, 200)
    good = path.read_bytes()
    at = PAGE + 64 * 100
    bad = good[:at] + bytes(4096) + good[at + 4096 :]
    path.write_bytes(bad)
    (line,), _, error = command("cut", path)
    assert error is None and "cut after record 100" in line
    assert path.read_bytes() == good[:at] and recover(path.parent, 1).records == 100
    kept = path.with_name(f"{path.name}.damaged")
    assert kept.read_bytes() == bad and kept.stat().st_mode & 0o777 == 0o600
    error = command("cut", path)[2]
    assert isinstance(error, ConfigError) and "nothing to cut" in str(error)
    path.write_bytes(bad)
    error = command("cut", path)[2]
    assert isinstance(error, ConfigError) and path.read_bytes() == bad, "what is kept stays"
    kept.unlink()
    second = make(run=2)
    error = command("cut", path)[2]
    assert isinstance(error, ConfigError) and "not the newest" in str(error)
    second.close()


def test_cut_leaves_a_journal_alone_that_a_bot_writes(make: Make) -> None:
    path = whole_file(make, 3)
    bad = path.read_bytes()[:-70] + bytes(6) + path.read_bytes()[-64:]
    path.write_bytes(bad)
    held = lock(path.parent, 1)
    error = command("cut", path)[2]
    assert isinstance(error, ConfigError) and "in use" in str(error)
    os.close(held)
    assert (
        path.read_bytes() == bad and [p.name for p in path.parent.iterdir()].count(path.name) == 1
    )


def test_check_finds_money_that_does_not_add_up_and_state_not_carried(make: Make) -> None:
    journal = make()
    words = list(Fold().words)
    words[StateWord.W_CASH] = 1
    begin(journal, words)
    journal.close()
    _, said, error = command("check", journal.path)
    assert isinstance(error, JournalDamaged) and "do not add up" in said
    second = make(run=2)
    begin(second)
    second.close()
    _, said, _ = command("check", Path(journal.path).parent)
    assert "differs from the end of the run before in W_CASH" in said


def test_the_process_exits_with_75_on_damage(make: Make) -> None:
    path = whole_file(make, 3)
    data = path.read_bytes()
    path.write_bytes(data[: PAGE + 70] + b"x" + data[PAGE + 71 :])
    done = subprocess.run(
        [sys.executable, "-m", "bog.cli.journal", "check", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 75
    assert len(done.stderr.splitlines()) == 1 and "record 2" in done.stderr


def test_exports_hold_every_record(make: Make, tmp_path: Path) -> None:
    path = whole_file(make, 6)
    count = WORDS + 2 + 6
    out = tmp_path / "out"
    assert command("export", path, "--format", "jsonl", "--out", out)[2] is None
    assert out.read_text().splitlines() == command("show", path)[0]
    assert command("export", path, "--format", "csv", "--out", out)[2] is None
    lines = out.read_text().splitlines()
    assert len(lines) == count + 1
    assert lines[-1].startswith("1,place,1,5,28,5,6,1005,10,0,4,1,0,0,1,0,")
    from pyarrow import parquet  # of an extra that the tests install: its absence is a failure

    assert command("export", path, "--format", "parquet", "--out", out)[2] is None
    columns = parquet.read_table(out).to_pydict()
    assert len(columns["seq"]) == count
    assert columns["name"][-1] == "place"
    records = read(path).records
    for name in RECORD.names or ():
        assert columns[name] == records[name].tolist()


def test_export_names_what_is_missing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = whole_file(make, 1)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    error = command("export", path, "--format", "parquet", "--out", path.parent / "x")[2]
    assert isinstance(error, ConfigError) and "pip install 'bog-mm[data]'" in str(error)


def test_verify_stops_at_the_first_break() -> None:
    assert verify(bytes(64), 0) == (0, 0)
    assert verify(b"", 5) == (0, 5)
    record = np.zeros(2, RECORD)
    record["seq"] = [8, 9]
    record["crc"][0] = crc32c(record[0].tobytes()[:60], 3)
    record["crc"][1] = crc32c(record[1].tobytes()[:60], int(record["crc"][0]))
    assert verify(record.tobytes() + b"more", 3, 8) == (2, int(record["crc"][1]))
    assert verify(record.tobytes(), 3, 7) == (0, 3)


def test_restart_cancels_are_not_doubted() -> None:
    fold, doubts = Fold(), []
    states = [(JournalKind.J_STATE, word) for word in range(WORDS)]
    restart = (JournalKind.J_CANCELED, int(Reject.REJ_RESTART))
    for kind, reason in [(JournalKind.J_RUN, 0), *states, restart, (JournalKind.J_READY, 0)]:
        values = {"kind": int(kind), "reason": reason, "id": 4}
        doubts.append(fold.apply(laid_out(values)))
    assert not any(doubts)


def test_the_documented_tables_are_those_of_the_code() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text()
    section = text.partition("\n## Journal\n")[2].partition("\n## ")[0]
    for layout in (HEADER, RECORD, SEGMENT):
        for name, (kind, offset, *_) in (layout.fields or {}).items():
            assert f"| {offset} | {kind.itemsize} | `{name}` |" in section, name
    for kind, fields in FIELDS.items():
        (row,) = re.findall(rf"^\| {int(kind)} \| {kind_name(kind)} \| (.*) \|$", section, re.M)
        named = re.findall(r"`(\w+)` (\w+)", row)
        assert named == [(field, name) for field, name, _ in fields], kind


# the thread that brings them to disk

PINNED = """
import os, sys, time
from pathlib import Path
from bog._core.journal import JournalFile

cores = sorted(os.sched_getaffinity(0))
os.sched_setaffinity(0, {cores[-1]})
before = set(os.listdir("/proc/self/task"))
journals = [
    JournalFile(sys.argv[1], market=market, run=1, price_decimals=1, size_decimals=5,
                segments=sys.argv[2], capacity=64)
    for market in range(40)
]
(thread,) = set(os.listdir("/proc/self/task")) - before
until = time.monotonic() + 30
while os.sched_getaffinity(int(thread)) == {cores[-1]} != set(cores) and time.monotonic() < until:
    time.sleep(0.001)
print(sorted(os.sched_getaffinity(int(thread))), cores)
for journal in journals:
    journal.append(1)
assert [journal.close() for journal in journals] == [True] * 40
assert set(os.listdir("/proc/self/task")) == before
"""


def test_one_thread_serves_all_journals_and_keeps_off_a_pinned_core(
    tmp_path: Path, shm: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PINNED, tmp_path / "journal", shm], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    mine, cores = (json.loads(part) for part in re.findall(r"\[[^]]*\]", done.stdout))
    assert mine == (cores[:-1] or cores)


def test_a_journal_that_fails_leaves_the_others_their_disk(
    make: Make, tmp_path: Path, shm: Path
) -> None:
    sick, sound = make(market=1), make(market=2)
    size = os.path.getsize(sick.path)
    begin(sick)
    begin(sound)
    wait_for(lambda: sick.durable == sick.written and sound.durable == sound.written)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        # only the file that has grown beyond this fails
        for _ in range(200):
            sick.append(JournalKind.J_READY)
        wait_for(lambda: sick.durable == sick.written)
        resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(sick.path), hard))
        sick.append(JournalKind.J_READY)
        wait_for(lambda: sick.failed != 0)
        sound.append(JournalKind.J_READY)
        wait_for(lambda: sound.durable == sound.written)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert sound.failed == 0 and size < os.path.getsize(sick.path)
    assert (sick.close(), sound.close()) == (False, True)
