"""A recording as a file: its bytes, unpacked, and what stands beside it about its market."""

import mmap
import os
import tomllib
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

UNPACKED_MAX = 4 << 30  # bytes: a packed file is unpacked into memory
CHUNK = 1 << 22

Progress = Callable[[int, int], object]


def unpack(path: str, progress: Progress | None = None) -> bytes | mmap.mmap:
    """Return the content of a file, unpacked when it is gzip; nothing is written anywhere.

    `progress(done, total)` is called with packed bytes. Raise ValueError for a damaged or cut
    archive and for one that unpacks to more than 4 GiB.
    """
    with Path(path).open("rb") as file:
        total = os.fstat(file.fileno()).st_size
        if total == 0:
            raise ValueError(f"{path}: the file is empty: a recording holds at least one row")
        if file.read(2) != b"\x1f\x8b":
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        file.seek(0)
        parts, size, done = [], 0, 0
        inflate = zlib.decompressobj(wbits=31)
        while True:
            chunk = file.read(CHUNK)
            if not chunk:
                break
            done += len(chunk)
            while chunk:
                try:
                    piece = inflate.decompress(chunk, UNPACKED_MAX - size + 1)
                except zlib.error as error:
                    raise ValueError(
                        f"{path}: byte {done} of the gzip file is damaged: {error}"
                    ) from None
                parts.append(piece)
                size += len(piece)
                if size > UNPACKED_MAX:
                    raise ValueError(
                        f"{path}: unpacks to more than {UNPACKED_MAX} bytes: "
                        "unpack it to a file first"
                    )
                chunk = inflate.unconsumed_tail
                if inflate.eof:
                    chunk = inflate.unused_data
                    inflate = zlib.decompressobj(wbits=31)
                    if not chunk:
                        chunk = file.read(CHUNK)
                        done += len(chunk)
                        if not chunk:
                            if progress is not None:
                                progress(done, total)
                            return whole(path, parts)
            if progress is not None:
                progress(done, total)
        raise ValueError(f"{path}: the gzip file is cut short after {total} bytes")


def whole(path: str, parts: Iterable[bytes]) -> bytes:
    """Join the unpacked parts; raise ValueError when they hold nothing."""
    data = b"".join(parts)
    if not data:
        raise ValueError(f"{path}: the file is empty: a recording holds at least one row")
    return data


def sidecar(path: str | os.PathLike[str]) -> dict[str, int]:
    """Return market, price_decimals and size_decimals that stand beside a recording, as a dict.

    FILE.toml (the recording's full name and .toml), else market.toml in its folder; {} without
    either. Raise ValueError for an unknown key or a value that is no whole number in range.
    """
    for beside in (Path(str(path) + ".toml"), Path(path).parent / "market.toml"):
        if not beside.is_file():
            continue
        try:
            keys = tomllib.loads(beside.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{beside}: {error}") from None
        known = {"market": 0xFFFFFFFF, "price_decimals": 18, "size_decimals": 18}
        for key, value in keys.items():
            if key not in known:
                raise ValueError(f"{beside}: key {key!r} is not one of {', '.join(known)}")
            check_number(f"{beside}: {key}", value, known[key])
        return keys
    return {}


def check_number(what: str, value: object, most: int) -> None:
    """Raise ValueError unless `value` is a whole number from 0 to `most`."""
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{what} is {value!r}, must be a whole number from 0 to {most}")
