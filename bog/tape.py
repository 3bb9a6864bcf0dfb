"""Tapes for the shell: record a source, look at a tape's head."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bog._core.recorder import TapeWriter
from bog._core.source import HEAD, Source, open_source, read_head
from bog.errors import DataError


@dataclass(frozen=True)
class TapeHead:
    """What a tape says about itself. Times are Unix nanoseconds."""

    market: int
    price_decimals: int
    size_decimals: int
    unix_offset_ns: int
    created_ns: int
    created_by: str


def tape_head(path: str | os.PathLike[str]) -> TapeHead:
    """Return the head of a tape; raise DataError when the file is not a tape we can read."""
    with Path(path).open("rb") as file:
        try:
            return TapeHead(**read_head(os.fspath(path), file.read(HEAD)))
        except ValueError as error:
            raise DataError(str(error)) from None


def open_recording(
    path: str | os.PathLike[str],
    market: int | None = None,
    price_decimals: int | None = None,
    size_decimals: int | None = None,
) -> Source:
    """Open a recording as `open_source` does, with DataError in place of ValueError and OSError."""
    try:
        return open_source(path, market, price_decimals, size_decimals)
    except (OSError, ValueError) as error:
        raise DataError(str(error)) from None


def record(source: Source, path: str | os.PathLike[str]) -> int:
    """Write what is left of a source to a new tape and return the number of rows.

    Raise DataError when the source does not know its market and decimals: a tape must say them.
    """
    market, price, size = source.market, source.price_decimals, source.size_decimals
    if market is None or price is None or size is None:
        raise DataError(
            f"{source.path}: a tape needs market, price_decimals and size_decimals: give them, or "
            f"write them into {source.path}.toml"
        )
    with TapeWriter(path, market, price, size) as tape:
        return tape.copy(source)
