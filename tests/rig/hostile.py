"""Frames that no venue should send: each made from a real book update, by name.

`taken` says that a strict reader still takes it as the update that it was made from. Every other one
has to be refused as a whole, or stepped over: nothing of it may reach the book.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.rig.frames import packed

MIB = 1 << 20
HUGE = 64 * MIB


class Hostile(NamedTuple):
    """What is made of a frame; `binary` sends it as a binary message."""

    make: Callable[[bytes], bytes]
    taken: bool = False
    binary: bool = False


def _with_level(raw: bytes, level: str) -> bytes:
    """Return the update with `level`, JSON text, as its first bid."""
    head, mark, tail = raw.partition(b'"bids":[')
    comma = b"" if tail.startswith(b"]") else b","
    return head + mark + level.encode() + comma + tail


def _with_member(raw: bytes, member: bytes) -> bytes:
    """Return the update with one more member in front."""
    return b"{" + member + b"," + raw[1:]


def _levels(raw: bytes, count: int) -> bytes:
    """Return the update with `count` bids of its own."""
    frame: dict[str, Any] = json.loads(raw)
    frame["order_book"]["bids"] = [{"price": str(n + 1), "size": "1"} for n in range(count)]
    return packed(frame)


def _level(text: str) -> Hostile:
    return Hostile(lambda raw: _with_level(raw, text))


HOSTILE: dict[str, Hostile] = {
    "malformed": Hostile(lambda raw: raw[: len(raw) // 2] + b"}" + raw[len(raw) // 2 :]),
    "cut": Hostile(lambda raw: raw[: len(raw) * 2 // 3]),
    "empty": Hostile(lambda raw: b""),
    "array": Hostile(lambda raw: b"[" + raw + b"]"),
    "trailing": Hostile(lambda raw: raw + b"{}"),
    "not_json": Hostile(lambda raw: b"<html><body>502 Bad Gateway</body></html>"),
    "nul": Hostile(lambda raw: raw[:20] + b"\0" + raw[20:]),
    "invalid_utf8": Hostile(lambda raw: _with_member(raw, b'"note":"\xff\xfe\xed\xa0\x80"')),
    "binary": Hostile(lambda raw: b"\x00\x01\x02\xff" * 32, binary=True),
    "deep": Hostile(lambda raw: _with_member(raw, b'"note":' + b"[" * 100_000 + b"]" * 100_000)),
    "huge": Hostile(lambda raw: _with_member(raw, b'"note":"' + b"x" * HUGE + b'"')),
    "levels": Hostile(lambda raw: _levels(raw, 40_000)),
    "nan": _level('{"price":NaN,"size":"1"}'),
    "infinity": _level('{"price":Infinity,"size":"1"}'),
    "exponent": _level('{"price":1e400,"size":"1"}'),
    "past_int64": _level('{"price":"99999999999999999999999999","size":"1"}'),
    "negative_size": _level('{"price":"1","size":"-1"}'),
    "negative_price": _level('{"price":"-1","size":"1"}'),
    "zero_price": _level('{"price":"0","size":"1"}'),
    "off_tick": _level('{"price":"1.0000000000000000001","size":"1"}'),
    "off_lot": _level('{"price":"1","size":"1.0000000000000000001"}'),
    "no_size": _level('{"price":"1"}'),
    "null_price": _level('{"price":null,"size":"1"}'),
    "price_is_object": _level('{"price":{"value":"1"},"size":"1"}'),
    "level_is_text": _level('"1@1"'),
    "duplicate_price": _level('{"price":"1","price":"2","size":"1"}'),
    "duplicate_book": Hostile(lambda raw: raw[:-1] + b',"order_book":{"asks":[],"bids":[]}}'),
    "escaped_key": _level('{"pr\\u0069ce":"1","size":"1"}'),
    "asks_is_number": Hostile(lambda raw: raw.replace(b'"asks":[', b'"asks":0,"was":[', 1)),
    "no_book": Hostile(lambda raw: raw.replace(b'"order_book":{', b'"order_hook":{', 1)),
    "unknown_field": Hostile(
        lambda raw: _with_level(
            _with_member(raw, b'"note":{"a":[1,null,true,"\xc3\xa9\\n"]}'),
            '{"price":"1","size":"0","count":7}',
        ),
        taken=True,
    ),
    "unknown_channel": Hostile(
        lambda raw: b'{"channel":"weather:1","rain":[1.5e3,-0.0],"type":"update/weather"}'
    ),
}
