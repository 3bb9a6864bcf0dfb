"""Reading the journal for people: the records as an array, and what each of them means.

docs/formats.md has the layout in words; `recovery` reads the same files at a start.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bog._core.journal import PAGE, lock, verify
from bog._core.types import (
    Asked,
    ConnectionState,
    FillReason,
    Flattened,
    Halt,
    JournalKind,
    Level,
    Limit,
    ModelNumber,
    Reject,
    Side,
    StateWord,
    StrategyState,
    Verdict,
    Violation,
)
from bog.errors import ConfigError, JournalDamaged
from bog.limits import limit_text
from bog.recovery import Header, parse_header, refuse_damage, run_files
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


@dataclass(frozen=True)
class Run:
    """The whole records of one disk file; `torn` bytes behind them do not make a record."""

    path: Path
    header: Header
    records: np.ndarray[Any, np.dtype[np.void]]
    torn: int


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
        ("aux", "paid_at", None),
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
    JournalKind.J_LIMIT: (
        *(("reason", "limit", Limit), ("val", "value", "of limit"), ("qty", "before", "of limit")),
        *(("px", "configured", "of limit"), ("aux", "uid", None), ("state", "carried", None)),
    ),
    JournalKind.J_ASKED: (
        *(("reason", "request", Asked), ("qty", "position", "lots"), ("aux", "uid", None)),
    ),
    JournalKind.J_FLATTENED: (("reason", "reason", Flattened), ("qty", "position", "lots")),
    JournalKind.J_ADOPT: (("id", "size", "lots"), SIDE, ("val", "cost", "quanta")),
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
        if form == "of limit":  # in the unit of the limit that the record is about
            scale = header.price_decimals, header.size_decimals
            row[name] = limit_text(named["reason"], named[source], *scale)
        else:
            row[name] = value_text(named[source], form, header)
    return row


def kind_name(kind: int) -> str:
    """Return the name of a record's kind without its prefix, or its number when it has none."""
    try:
        return str(JournalKind(kind).name).removeprefix("J_").lower()
    except ValueError:
        return f"kind {kind}"


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


def cut_off(path: Path) -> tuple[int, int]:
    """Cut a run's file at its first damaged record, and return its bytes before and after.

    The file as it was is kept beside it. Raise ConfigError when there is nothing to cut, when a bot
    writes the journal, or when a run follows, which began with what this one came to.
    """
    data = path.read_bytes()
    header = parse_header(data[:PAGE], path)
    if header is None:
        raise JournalDamaged(f"{path}: the header is damaged or missing: nothing can be kept")
    if run_files(path.parent, header.market)[-1][2].name != path.name:
        raise ConfigError(f"{path} is not the newest run of market {header.market}: it stays whole")
    end = PAGE + verify(data[PAGE:], header.crc)[0] * RECORD.itemsize
    if end == len(data):
        raise ConfigError(f"{path} is sound: there is nothing to cut")
    try:
        held = lock(path.parent, header.market)
        try:
            kept = path.with_name(f"{path.name}.damaged")
            with open(kept, "xb", opener=_private) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            with path.open("r+b") as file:
                file.truncate(end)
                os.fsync(file.fileno())
        finally:
            os.close(held)
    except OSError as error:
        raise ConfigError(f"{path} was not cut: {error}") from error
    return len(data), end


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
