"""The log: one flat line of JSON a record, for grep and jq; written by loguru with rotation.

    {"timestamp": "2026-11-22T18:00:00.123456Z", "level": "INFO", "event": "fill", "message": ...}

Fields come from the table FIELDS only, each of its type; what is not in it is withheld, so that a
secret cannot slip in. Control and bidi characters are escaped. The file is readable by its owner.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections import Counter
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bog.errors import ConfigError, one_line

if TYPE_CHECKING:
    from loguru import Logger, Record

Value = str | int | bool | Decimal

# every field that a line may have, and its type; prices, sizes and money are exact decimals
FIELDS: dict[str, type] = {
    "age_ms": Decimal, "amount": Decimal, "command": str, "config_hash": str, "count": int, "epoch":
    int, "event_time": str, "exit_code": int, "fee": Decimal, "feed": str, "halt": int, "limit": str,
    "market": int, "missed": int, "mode": str, "order": int, "path": str, "pid": int, "position": Decimal,
    "price": Decimal, "profit": Decimal, "reason": str, "run": int, "seed": int, "side": str,
    "size": Decimal, "state": str, "strategy": str, "symbol": str, "tier": str, "traceback": str,
    "uid": int, "value": int, "venue_order": int, "version": str,
}  # fmt: skip
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_state = {"open": False}

_drops: Counter[str] = Counter()


def _logger() -> Logger:
    """Return loguru's logger, imported by the first who logs: other commands need not wait for it."""
    from loguru import logger

    return logger


def setup(
    file: str, level: str = "info", rotation_mb: int = 50, retention_files: int = 10,
    console: bool = False,
) -> None:  # fmt: skip
    """Send the log to `file` (none when ""), and short lines to stderr when `console`.

    The file is created 0600, also when it is turned over; `retention_files` older ones are kept.
    Raises ConfigError when it cannot be written.
    """
    close()
    logger = _logger()
    if console:
        logger.add(sys.stderr, level=level.upper(), format=_short, colorize=False)
    _state["open"] = True
    if not file:
        return
    try:
        Path(file).parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        logger.add(
            file,
            level=level.upper(),
            format=_line,
            rotation=rotation_mb * 1_000_000,
            retention=retention_files,
            opener=_private,
            encoding="utf-8",
            # a full disk loses log lines, not the run: emit counts them
            catch=False,
        )
    except OSError as error:
        raise ConfigError(
            f"monitoring.log_file = {file!r}: cannot be written: {error.strerror or error}"
        ) from None


def emit(level: str, event: str, message: str, **fields: Value | None) -> None:
    """Write one record. `event` is a word to filter by; fields that are None are left out.

    A record that the disk does not take is dropped and counted.
    """
    try:
        _logger().bind(event=event, fields=fields).log(level, message)
    except (OSError, ValueError):  # ValueError: a file that a failed turn-over left closed
        _drops["records"] += 1


def dropped() -> int:
    """Return how many records were dropped."""
    return _drops["records"]


def panic(error: BaseException) -> None:
    """Write the record of an error that nobody expected, with its traceback, but without values."""
    trace = "".join(traceback.format_exception(error))
    emit("ERROR", "panic", f"PANIC: {type(error).__name__}: {error}", traceback=trace)


def close() -> None:
    """Flush and close the log."""
    _state["open"] = False
    try:
        _logger().remove()
    except OSError:
        _drops["records"] += 1


def is_open() -> bool:
    """Return whether the log is set up, so that what somebody says would land there."""
    return _state["open"]


def _private(path: str, flags: int) -> int:
    """Open a log file for its owner alone, never through a link, also when it was there before."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def _json(value: Value) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"  # a JSON number keeps the decimals; a float would not
    return json.dumps(one_line(value) if isinstance(value, str) else value)


def _allowed(fields: dict[str, Any]) -> dict[str, Value]:
    """Return the fields that the table allows; the names of the others as one field."""
    kept: dict[str, Value] = {}
    withheld = []
    for name, value in fields.items():
        # by exact type: a subclass may say anything when it is printed
        if type(value) is FIELDS.get(name):
            finite = not isinstance(value, Decimal) or value.is_finite()
            kept[name] = cast(Value, value) if finite else "not a number"
        elif value is not None:
            withheld.append(name)
    if withheld:
        kept["withheld"] = " ".join(withheld)
    return kept


def _line(record: Record) -> str:
    """Return the template of a record's line, which loguru fills from `extra`."""
    when = record["time"].astimezone(UTC).isoformat(timespec="microseconds")
    head: dict[str, Value] = {
        "timestamp": when.replace("+00:00", "Z"),
        "level": record["level"].name,
        "event": record["extra"].get("event", "message"),
        "message": record["message"],
    }
    both = head | _allowed(record["extra"].get("fields", {}))
    record["extra"]["line"] = "{" + ", ".join(f'"{k}": {_json(v)}' for k, v in both.items()) + "}"
    return "{extra[line]}\n"


def _short(record: Record) -> str:
    """Return the template of a line for a person at a terminal."""
    fields = _allowed(record["extra"].get("fields", {}))
    words = [f"{k}={v}" for k, v in fields.items() if k not in ("event_time", "traceback")]
    text = one_line(" ".join([record["message"], *words]))
    record["extra"]["short"] = f"{record['time']:%H:%M:%S} {record['level'].name} {text}"
    return "{extra[short]}\n"
