"""Reading the journal: the layout as numpy types, what a record means, recovery.

The disk file of a run is a page of HEADER and then RECORDs, each sealed by a CRC-32C that continues
the one before, so that the crc of record k vouches for the header and for records 1 to k.
docs/formats.md has the same in words.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bog._core.fold import Fold, OpenOrder
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
from bog._core.types import (
    ConnectionState,
    FillReason,
    Halt,
    JournalKind,
    Level,
    ModelNumber,
    Reject,
    Side,
    StateWord,
    StrategyState,
    Verdict,
    Violation,
)
from bog.errors import ConfigError, JournalDamaged
from bog.units import half_text, text

RECORD = np.dtype(
    [
        ("seq", "<u8"),
        ("time_ns", "<i8"),
        ("id", "<u8"),
        ("px", "<i8"),
        ("qty", "<i8"),
        ("val", "<i8"),
        ("kind", "u1"),
        ("side", "u1"),
        ("reason", "u1"),
        ("state", "u1"),
        ("market", "<u4"),
        ("aux", "<u4"),
        ("crc", "<u4"),
    ]
)
HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<u4"),
        ("market", "<u4"),
        ("account", "<u8"),
        ("run", "<u8"),
        ("price_decimals", "u1"),
        ("size_decimals", "u1"),
        ("mode", "u1"),
        ("pad", "V5"),
        ("run_id", "S32"),
        ("build", "S56"),
        ("config_hash", "V32"),
        ("zero", "V3932"),
        ("crc", "<u4"),
    ]
)
SEGMENT = np.dtype(
    {
        "names": (
            *("magic", "version", "market", "account", "run", "capacity", "header_crc", "pid"),
            *("written", "durable", "failed", "path"),
        ),
        "formats": (
            *("S8", "<u4", "<u4", "<u8", "<u8", "<u8", "<u4", "<u4"),
            *("<u8", "<u8", "<i4", "S3904"),
        ),
        "offsets": (0, 8, 12, 16, 24, 32, 40, 44, 64, 128, 136, 192),
        "itemsize": PAGE,
    }
)
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
class Run:
    """The whole records of one disk file; `torn` bytes behind them do not make a record."""

    path: Path
    header: Header
    records: np.ndarray[Any, np.dtype[np.void]]
    torn: int


@dataclass(frozen=True)
class Recovered:
    """What a market's journal says at the moment its last process died.

    `run` is the newest run that became ready, 0 when there is none; `next_run` is the number for
    the next file. `words` are the 18 of enum StateWord. `records` were read of that run; `cut`
    bytes of torn tail were dropped from its file, and a command among them is possibly sent. `void`
    counts newer runs that died before they were ready.
    """

    run: int
    next_run: int
    words: tuple[int, ...]
    open_orders: tuple[OpenOrder, ...] = ()
    records: int = 0
    cut: int = 0
    void: int = 0
    header: Header | None = None


ORDER = ("id", "order", None)
SIDE = ("side", "side", Side)
PRICE = ("px", "price", "ticks")
SIZE = ("qty", "size", "lots")
REFUSED = ("reason", "reason", Reject)
# What the fields of each kind hold: (field, name, form), a form being one of value_text(). The
# fields that a kind does not name are zero. docs/formats.md says the same.
FIELDS: dict[int, tuple[tuple[str, str, Any], ...]] = {
    JournalKind.J_RUN: (
        ("id", "run", None),
        ("val", "unix_offset_ns", None),
        ("aux", "mode", None),
    ),
    JournalKind.J_STATE: (("reason", "word", StateWord), ("val", "value", None)),
    JournalKind.J_READY: (),
    JournalKind.J_PLACE: (ORDER, SIDE, PRICE, SIZE, ("val", "expiry_ns", None)),
    JournalKind.J_AMEND: (ORDER, SIDE, PRICE, SIZE),
    JournalKind.J_CANCEL: (ORDER, SIDE),
    JournalKind.J_CANCEL_ALL: (),
    JournalKind.J_ACK: (ORDER, SIDE, ("val", "venue_id", None)),
    JournalKind.J_REJECT: (ORDER, SIDE, REFUSED),
    JournalKind.J_FILL: (
        *(ORDER, SIDE, PRICE, SIZE, ("reason", "reason", FillReason)),
        *(("val", "fee", "quanta"), ("aux", "trade_id_low", None)),
    ),
    JournalKind.J_CANCELED: (ORDER, SIDE, REFUSED),
    JournalKind.J_CANCEL_REJECT: (ORDER, SIDE, REFUSED),
    JournalKind.J_AMENDED: (ORDER, SIDE, PRICE, SIZE),
    JournalKind.J_AMEND_REJECT: (ORDER, SIDE, REFUSED),
    JournalKind.J_EXPIRED: (ORDER, SIDE, REFUSED),
    JournalKind.J_UNKNOWN: (ORDER, SIDE, REFUSED),
    JournalKind.J_FUNDING: (
        *(("val", "paid", "quanta"), ("px", "mark", "ticks"), ("qty", "position", "lots")),
    ),
    JournalKind.J_PEAK: (("val", "peak", "half quanta"), ("px", "mark", "half ticks")),
    JournalKind.J_DAY: (
        *(("id", "day", None), ("val", "equity", "half quanta"), ("px", "mark", "half ticks")),
    ),
    JournalKind.J_HALT: (
        ("id", "halt", None),
        ("reason", "reason", Halt),
        ("val", "evidence", None),
    ),
    JournalKind.J_CLEAR_HALT: (("id", "halt", None),),
    JournalKind.J_LEVEL: (("state", "level", Level), ("reason", "before", Level)),
    JournalKind.J_DENIED: (SIDE, ("reason", "verdict", Verdict), PRICE, SIZE),
    JournalKind.J_GAP: (("val", "missing", None),),
    JournalKind.J_STALE: (("state", "stale", None), ("val", "age_ns", None)),
    JournalKind.J_EPOCH: (("id", "epoch", None),),
    JournalKind.J_END: (("val", "exit_code", None),),
    JournalKind.J_MODEL: (("id", "number", ModelNumber), ("val", "value_q16", None)),
    JournalKind.J_STRATEGY: (
        ("state", "state", StrategyState),
        ("reason", "before", StrategyState),
    ),
    JournalKind.J_BREAKER: (
        *(("reason", "violation", Violation), ("val", "violations", None)),
        *(("px", "mid", "half ticks"), ("qty", "reference", "half ticks")),
    ),
    JournalKind.J_CONNECTION: (
        ("state", "state", ConnectionState),
        ("reason", "before", ConnectionState),
    ),
    JournalKind.J_ORDER: (ORDER, SIDE, PRICE, SIZE, ("val", "filled", "lots")),
}


def value_text(value: int, form: Any, header: Header) -> int | str:
    """Return a field as people read it: an enum's short name, exact decimals, or the integer."""
    price, size = header.price_decimals, header.size_decimals
    match form:
        case None:
            return value
        case "ticks":
            return text(value, price)
        case "half ticks":
            return half_text(value, price)
        case "lots":
            return text(value, size)
        case "quanta":
            return text(value, price + size)
        case "half quanta":
            return half_text(value, price + size)
    try:
        name = str(form(value).name)
    except ValueError:
        return value
    return name.lower() if form in (Side, Verdict) else name.partition("_")[2].lower()


def decode(header: Header, record: tuple[int, ...]) -> dict[str, int | str]:
    """Return one record with its fields named and its numbers in the market's decimals."""
    named = dict(zip(RECORD.names or (), record, strict=True))
    row: dict[str, int | str] = {
        "run": header.run,
        "seq": named["seq"],
        "time_ns": named["time_ns"],
        "market": named["market"],
        "kind": kind_name(named["kind"]),
    }
    for source, name, form in FIELDS.get(named["kind"], ()):
        row[name] = value_text(named[source], form, header)
    return row


def kind_name(kind: int) -> str:
    """Return the name of a record's kind without its prefix, or its number when it has none."""
    try:
        return str(JournalKind(kind).name).removeprefix("J_").lower()
    except ValueError:
        return f"kind {kind}"


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
    raw = np.frombuffer(page, HEADER, 1)[0]
    if raw["magic"] != HEADER_MAGIC or int(raw["crc"]) != crc32c(page[: PAGE - 4]):
        return None
    if raw["version"] != VERSION:
        raise ConfigError(f"{path} is of journal version {raw['version']}: this reads {VERSION}")
    return Header(
        market=int(raw["market"]),
        account=int(raw["account"]),
        run=int(raw["run"]),
        price_decimals=int(raw["price_decimals"]),
        size_decimals=int(raw["size_decimals"]),
        mode=int(raw["mode"]),
        run_id=bytes(raw["run_id"]).decode("utf-8", "replace"),
        build=bytes(raw["build"]).decode("utf-8", "replace"),
        config_hash=bytes(raw["config_hash"]),
        crc=int(raw["crc"]),
    )


def read(path: Path | str) -> Run:
    """Return the whole records of a disk file, changing nothing.

    Raise JournalDamaged when the header or a record before the tail is damaged.
    """
    path = Path(path)
    data = path.read_bytes()
    header = parse_header(data[:PAGE], path)
    if header is None:
        raise JournalDamaged(f"{path}: the header is damaged or missing")
    whole = verify(data[PAGE:], header.crc)[0]
    refuse_damage(path, data[PAGE:], whole)
    records = np.frombuffer(data, RECORD, whole, PAGE)
    return Run(path, header, records, len(data) - PAGE - whole * RECORD.itemsize)


def refuse_damage(path: Path, data: bytes, whole: int) -> None:
    """Raise JournalDamaged when a later record stands behind the first `whole` ones of `data`.

    What follows the last whole record is a torn tail only if no record number of the file's later
    part appears in it: after a torn write there is nothing behind.
    """
    count = len(data) // RECORD.itemsize
    rest = np.frombuffer(data, RECORD, count - whole, whole * RECORD.itemsize)["seq"]
    if np.any((rest > whole + 1) & (rest <= count)):
        raise JournalDamaged(
            f"{path}: record {whole + 1} at byte {PAGE + whole * RECORD.itemsize} is damaged and "
            f"records follow it ({whole} before it are whole): restore the file, or move it away "
            "to start without it"
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
            if finished is not None:
                whole, fold = finished
                if fold.ready:
                    # killed just after it turned to a new file: the end of the old one is in memory
                    for _, older, old in files:
                        rest = Path(segments) / segment_name(directory, market, older)
                        if older < run and rest.exists():
                            _finish(old, rest, market, older, account, newest=False)
                    return Recovered(
                        run,
                        next_run,
                        fold.words,
                        tuple(fold.orders.values()),
                        len(whole.records),
                        whole.torn,
                        void,
                        whole.header,
                    )
            void += 1
        return Recovered(0, next_run, Fold().words, void=void)
    except OSError as error:
        raise ConfigError(f"cannot recover {directory}: {error}") from error
    finally:
        os.close(held)


def _finish(
    path: Path, segment: Path, market: int, run: int, account: int | None, *, newest: bool = True
) -> tuple[Run, Fold] | None:
    """Make a run's file whole on disk and return it with its fold; None when it never began.

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
            crc = _last_crc(data[: whole * RECORD.itemsize], header)
            good, crc = verify(tail, crc, durable + 1)
            if good * RECORD.itemsize != len(tail):
                raise JournalDamaged(f"{segment} does not continue {path} at record {durable + 1}")
        kept = data[: whole * RECORD.itemsize]
        folded = Fold()
        folded.extend(kept + tail)
        halted = (
            folded.words[StateWord.W_HALT] == Halt.HALT_JOURNAL
        )  # the engine had time to say so
        if newest and failed and folded.ready and not halted:
            tail += _seal(folded, header, whole + len(tail) // RECORD.itemsize + 1, crc, failed)
        _write(fd, tail, PAGE + len(kept))
        os.ftruncate(fd, PAGE + len(kept) + len(tail))
        os.fdatasync(fd)
        if ring is not None or _half_made(segment):
            segment.unlink()
        torn = len(data) - len(kept) if ring is None else 0
        return Run(path, header, np.frombuffer(kept + tail, RECORD), torn), folded


def _seal(folded: Fold, header: Header, seq: int, crc: int, error: int) -> bytes:
    """Return the halt that ends the file of a journal whose disk failed, and fold it.

    The engine could not write it any more; what follows needs an operator who clears it.
    """
    record = np.zeros(1, RECORD)
    record["seq"] = seq
    record["time_ns"] = folded.words[StateWord.W_LAST_NS]
    record["id"] = folded.words[StateWord.W_HALT_ID] + 1
    record["kind"] = JournalKind.J_HALT
    record["reason"] = Halt.HALT_JOURNAL
    record["val"] = error
    record["market"] = header.market
    record["crc"] = crc32c(record.tobytes()[:60], crc)
    sealed = record.tobytes()
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
    page = np.frombuffer(data, SEGMENT, 1)[0]
    if page["magic"] != SEGMENT_MAGIC or int(page["header_crc"]) != header.crc:
        return None
    written, durable = int(page["written"]), int(page["durable"])
    capacity = (len(data) - PAGE) // RECORD.itemsize
    if capacity != page["capacity"] or not 0 <= written - durable <= capacity:
        raise JournalDamaged(
            f"{segment}: {written} records written, {durable} durable do not fit its ring"
        )
    slots = np.frombuffer(data, RECORD, capacity, PAGE)
    tail = slots[np.arange(durable, written) % capacity] if written > durable else slots[:0]
    return durable, tail.tobytes(), int(page["failed"])


def _half_made(segment: Path) -> bool:
    """Return whether a killed start had only begun to make this segment: its magic is stored last."""
    try:
        with _ours(segment, os.O_RDONLY) as fd:
            return _contents(fd)[: len(SEGMENT_MAGIC)].rstrip(b"\0") == b""
    except FileNotFoundError:
        return False


def _last_crc(kept: bytes, header: Header) -> int:
    """Return the crc that the record behind `kept` continues."""
    return int(np.frombuffer(kept, RECORD)["crc"][-1]) if kept else header.crc


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
