"""Recovery: what a market's journal says at the moment its last process died.

The engine's process runs this at each start, so it reads bytes and needs no array. The disk file of a
run is a page of HEADER and then RECORDs, each sealed by a CRC-32C that continues the one before, so
that the crc of record k vouches for the header and for records 1 to k. docs/formats.md has the same
in words; `journal` reads the same files for people.
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from bog._core.fold import Fold, OpenOrder, Tightened
from bog._core.journal import (
    HEADER_MAGIC,
    PAGE,
    SEGMENT_MAGIC,
    SEGMENTS,
    VERSION,
    crc32c,
    lock,
    segment_name,
    verify,
)
from bog._core.types import Halt, JournalKind, StateWord
from bog.errors import ConfigError, JournalDamaged

# bog_journal_rec_t
NAMES = (
    *("seq", "time_ns", "id", "px", "qty", "val", "kind", "side", "reason", "state", "market"),
    *("aux", "crc"),
)
RECORD = struct.Struct("<QqQqqqBBBBIII")
SEQ = struct.Struct("<Q56x")  # of a record: its number
# magic, version, market, account, run, decimals of price and size, mode, run id, build, hash, crc
HEADER = struct.Struct("<8sIIQQBBB5x32s56s32s3932xI")
# magic, -, -, -, -, capacity, crc of the header, pid, written, durable, errno of the disk
SEGMENT = struct.Struct("<8sIIQQQII16xQ56xQi")
WORDS = len(StateWord) - 1  # the last member counts them


@dataclass(frozen=True)
class Header:
    """What the first page of a run's file says."""

    market: int
    account: int
    run: int
    price_decimals: int
    size_decimals: int
    mode: int
    run_id: str
    build: str
    config_hash: bytes
    crc: int


@dataclass(frozen=True)
class Recovered:
    """What a market's journal says at the moment its last process died.

    `run` is the newest run that became ready, 0 when there is none; `next_run` is the number for
    the next file. `words` are the 19 of enum StateWord. `records` were read of that run; `cut`
    bytes of torn tail were dropped from its file, and a command among them is possibly sent. `void`
    counts newer runs that died before they were ready. `limits` are those that an operator tightened.
    """

    run: int
    next_run: int
    words: tuple[int, ...]
    open_orders: tuple[OpenOrder, ...] = ()
    records: int = 0
    cut: int = 0
    void: int = 0
    header: Header | None = None
    limits: tuple[Tightened, ...] = ()


class Resting(TypedDict):
    """An order that may live at the venue, as the engine knows it. Prices in ticks, sizes in lots."""

    id: int
    side: int
    px: int
    qty: int  # total size, filled part included; the larger one while an amend is unanswered
    filled: int  # fills beyond it have not been told


@dataclass(frozen=True)
class Finished:
    """A run's file after it was made whole: how many records it has, and what they come to."""

    header: Header
    records: int
    torn: int  # bytes that were cut
    fold: Fold


def run_files(directory: Path | str, market: int | None = None) -> list[tuple[int, int, Path]]:
    """Return (market, run, path) of every run file in `directory`, oldest run first."""
    found = []
    for path in Path(directory).glob("m*-r*.journal"):
        with contextlib.suppress(ValueError):
            of, run = (int(part[1:]) for part in path.stem.split("-"))
            if market is None or of == market:
                found.append((of, run, path))
    return sorted(found)


def parse_header(page: bytes, path: Path) -> Header | None:
    """Return the header in `page`, None when it is not whole; refuse another version."""
    if len(page) < PAGE:
        return None
    magic, version, market, account, run, price, size, mode, run_id, build, config_hash, crc = (
        HEADER.unpack_from(page)
    )
    if magic != HEADER_MAGIC or crc != crc32c(page[: PAGE - 4]):
        return None
    if version != VERSION:
        raise ConfigError(f"{path} is of journal version {version}: this reads {VERSION}")
    return Header(
        market=market,
        account=account,
        run=run,
        price_decimals=price,
        size_decimals=size,
        mode=mode,
        run_id=run_id.rstrip(b"\0").decode("utf-8", "replace"),
        build=build.rstrip(b"\0").decode("utf-8", "replace"),
        config_hash=config_hash,
        crc=crc,
    )


def refuse_damage(path: Path, data: bytes, whole: int) -> None:
    """Raise JournalDamaged when a later record stands behind the first `whole` ones of `data`.

    What follows the last whole record is a torn tail only if no record number of the file's later
    part appears in it: after a torn write there is nothing behind.
    """
    count = len(data) // RECORD.size
    rest = data[whole * RECORD.size : count * RECORD.size]
    if any(whole + 1 < seq <= count for (seq,) in SEQ.iter_unpack(rest)):
        raise JournalDamaged(
            f"{path}: record {whole + 1} at byte {PAGE + whole * RECORD.size} is damaged and "
            f"records follow it ({whole} before it are whole): restore the file, or after a loss of "
            "power let `bog-journal cut` end it there, and the venue say what followed"
        )


def recover(
    directory: Path | str,
    market: int,
    *,
    account: int | None = None,
    segments: Path | str = SEGMENTS,
) -> Recovered:
    """Return the state of a market's account as its last process left it.

    Finishes the disk files from the memory segments of a killed process, cuts a torn tail, and folds
    the newest file that became ready, however many came before it. May itself be killed anywhere and
    run again: the result is the same. An empty or missing directory is an account that never traded.

    Raise JournalDamaged when records are damaged or missing that had been durable; ConfigError when
    the journal is in use, of another account or version, not ours, or its disk refuses.
    """
    directory = Path(directory)
    files = run_files(directory, market) if directory.is_dir() else []
    if not files:
        return Recovered(0, 1, Fold().words)
    try:
        held = lock(directory, market)
    except OSError as error:
        raise ConfigError(f"cannot recover {directory}: {error}") from error
    try:
        next_run = files[-1][1] + 1
        void = 0
        for _, run, path in reversed(files):
            segment = Path(segments) / segment_name(directory, market, run)
            finished = _finish(path, segment, market, run, account)
            if finished is not None and finished.fold.ready:
                # killed just after it turned to a new file: the end of the old one is in memory
                for _, older, old in files:
                    rest = Path(segments) / segment_name(directory, market, older)
                    if older < run and rest.exists():
                        _finish(old, rest, market, older, account, newest=False)
                return Recovered(
                    run,
                    next_run,
                    finished.fold.words,
                    tuple(finished.fold.orders.values()),
                    finished.records,
                    finished.torn,
                    void,
                    finished.header,
                    tuple(finished.fold.limits.values()),
                )
            void += 1
        return Recovered(0, next_run, Fold().words, void=void)
    except OSError as error:
        raise ConfigError(f"cannot recover {directory}: {error}") from error
    finally:
        os.close(held)


def resting_of(recovered: Recovered) -> list[Resting]:
    """Return the orders of the last run of which the venue must say what became of them."""
    found = []
    for order in recovered.open_orders:
        px, qty = order.worst()
        found.append(Resting(id=order.id, side=order.side, px=px, qty=qty, filled=order.filled))
    return found


def _finish(
    path: Path, segment: Path, market: int, run: int, account: int | None, *, newest: bool = True
) -> Finished | None:
    """Make a run's file whole on disk and return what it says; None when it never began.

    The newest file of a journal whose disk failed gets the halt that an operator has to clear.
    """
    with _ours(path, os.O_RDWR) as fd:
        data = _contents(fd)
        header = parse_header(data[:PAGE], path)
        if header is None:
            if len(data) > PAGE:
                raise JournalDamaged(f"{path}: the header is damaged and records follow it")
            return None  # killed while it was created: no record can exist
        if (header.market, header.run) != (market, run):
            raise ConfigError(
                f"{path} is run {header.run} of market {header.market}, not run {run} of "
                f"market {market}: its name is wrong"
            )
        if account is not None and header.account != account:
            raise ConfigError(
                f"{path} belongs to account {header.account}, not {account}: give each account "
                "its own directory"
            )
        ring = _ring(segment, header)
        data = data[PAGE:]
        whole, crc = verify(data, header.crc)
        tail, failed = b"", 0
        if ring is None:
            refuse_damage(path, data, whole)
        else:
            durable, tail, failed = ring
            if whole < durable:
                raise JournalDamaged(
                    f"{path}: record {whole + 1} of {durable} durable ones is damaged or missing"
                )
            whole = durable
            crc = _last_crc(data[: whole * RECORD.size], header)
            good, crc = verify(tail, crc, durable + 1)
            if good * RECORD.size != len(tail):
                raise JournalDamaged(f"{segment} does not continue {path} at record {durable + 1}")
        kept = data[: whole * RECORD.size]
        folded = Fold()
        folded.extend(kept + tail)
        halted = (
            folded.words[StateWord.W_HALT] == Halt.HALT_JOURNAL
        )  # the engine had time to say so
        if newest and failed and folded.ready and not halted:
            tail += _seal(folded, header, whole + len(tail) // RECORD.size + 1, crc, failed)
        _write(fd, tail, PAGE + len(kept))
        os.ftruncate(fd, PAGE + len(kept) + len(tail))
        os.fdatasync(fd)
        if ring is not None or _half_made(segment):
            segment.unlink()
        torn = len(data) - len(kept) if ring is None else 0
        return Finished(header, (len(kept) + len(tail)) // RECORD.size, torn, folded)


def _seal(folded: Fold, header: Header, seq: int, crc: int, error: int) -> bytes:
    """Return the halt that ends the file of a journal whose disk failed, and fold it.

    The engine could not write it any more; what follows needs an operator who clears it.
    """
    words = folded.words
    record = RECORD.pack(
        seq, words[StateWord.W_LAST_NS], words[StateWord.W_HALT_ID] + 1, 0, 0, error,
        JournalKind.J_HALT, 0, Halt.HALT_JOURNAL, 0, header.market, 0, 0,
    )[:-4]  # fmt: skip
    sealed = record + crc32c(record, crc).to_bytes(4, "little")
    folded.apply(sealed)
    return sealed


def _ring(segment: Path, header: Header) -> tuple[int, bytes, int] | None:
    """Return (durable, bytes of the records after, errno) of a killed process's segment.

    None when there is none, or one that belongs to another file.
    """
    try:
        with _ours(segment, os.O_RDONLY) as fd:
            data = _contents(fd)
    except FileNotFoundError:
        return None
    if len(data) < PAGE:
        return None
    magic, *_, size, header_crc, _, written, durable, failed = SEGMENT.unpack_from(data)
    if magic != SEGMENT_MAGIC or header_crc != header.crc:
        return None
    capacity = (len(data) - PAGE) // RECORD.size
    if capacity != size or not 0 <= written - durable <= capacity:
        raise JournalDamaged(
            f"{segment}: {written} records written, {durable} durable do not fit its ring"
        )
    if written == durable:
        return durable, b"", failed
    ring = data[PAGE : PAGE + capacity * RECORD.size]
    first, end = durable % capacity * RECORD.size, written % capacity * RECORD.size
    tail = ring[first:end] if first < end else ring[first:] + ring[:end]
    return durable, tail, failed


def _half_made(segment: Path) -> bool:
    """Return whether a killed start had only begun to make this segment: its magic is stored last."""
    try:
        with _ours(segment, os.O_RDONLY) as fd:
            return _contents(fd)[: len(SEGMENT_MAGIC)].rstrip(b"\0") == b""
    except FileNotFoundError:
        return False


def _last_crc(kept: bytes, header: Header) -> int:
    """Return the crc that the record behind `kept` continues."""
    return int.from_bytes(kept[-4:], "little") if kept else header.crc


@contextlib.contextmanager
def _ours(path: Path, flags: int) -> Iterator[int]:
    """Open a regular file of this user, following no link."""
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        seen = os.fstat(fd)
        if not stat.S_ISREG(seen.st_mode) or seen.st_uid != os.geteuid():
            raise ConfigError(f"{path} is not a regular file of user {os.geteuid()}: refused")
        yield fd
    finally:
        os.close(fd)


def _contents(fd: int) -> bytes:
    """Return the whole file behind `fd`."""
    with open(fd, "rb", closefd=False) as file:
        return file.read()


def _write(fd: int, data: bytes, offset: int) -> None:
    """Write all of `data` at `offset`."""
    while data:
        put = os.pwrite(fd, data, offset)
        data, offset = data[put:], offset + put
