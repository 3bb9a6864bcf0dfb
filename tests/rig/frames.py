"""The venue's recorded frames as tapes: for each market what stood first and what came then.

The recordings are read where they are, beside the project; nothing of them is kept.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Frame = dict[str, Any]
FRAME_NS = 50_000_000  # the venue's batch, for captures that keep no time


def packed(frame: Any) -> bytes:
    """Return a frame in the venue's spelling: no white space."""
    return json.dumps(frame, separators=(",", ":")).encode()


def family_of(frame: Frame) -> str:
    """Return what a frame is about: order_book, trade, market_stats, ..."""
    return str(frame["channel"]).partition(":")[0]


@dataclass
class Event:
    """One recorded update: when it was received, what it says, and its bytes as recorded."""

    at_ns: int
    family: str
    frame: Frame
    raw: bytes


@dataclass
class Tape:
    """One market: its decimals, the snapshot that begins it, past trades, and the updates."""

    market: int
    symbol: str
    price_decimals: int
    size_decimals: int
    snapshot: Frame
    history: list[Frame] = field(default_factory=list)
    stats: Frame | None = None
    events: list[Event] = field(default_factory=list)

    def book_frames(self) -> Iterator[Frame]:
        """Yield the snapshot and then every book update, in order."""
        yield self.snapshot
        for event in self.events:
            if event.family == "order_book":
                yield event.frame


def read_frames(path: Path) -> Iterator[tuple[int, Frame, bytes]]:
    """Yield receive time, frame and the frame's bytes of a packed recording, line by line."""
    mark = b'"frame":'
    with gzip.open(path) as file:
        for line in file:
            raw = line[line.index(mark) + len(mark) : line.rindex(b"}")]
            yield json.loads(line)["recv_ns"], json.loads(raw), raw


def lighter_btc(find: Callable[[str], Path]) -> Tape:
    """Return 28 s of BTC of 2025-10-09: the older form, whose books chain by offset."""
    tape = Tape(1, "BTC", 1, 5, {})
    for at_ns, frame, raw in read_frames(find("market-data/lighter-btc/frames.jsonl.gz")):
        family = family_of(frame)
        if not frame["type"].startswith("subscribed/"):
            tape.events.append(Event(at_ns, family, frame, raw))
        elif family == "order_book":
            tape.snapshot = frame
        elif family == "trade":
            tape.history = frame["trades"] or []
        else:
            tape.stats = frame["market_stats"]["1"]
    return tape


def with_nonces(tape: Tape, first: int = 17_926_042_877) -> Tape:
    """Return an older tape in the form of 2026: nonces that jump and chain, times in us."""
    newer = Tape(
        tape.market, tape.symbol, tape.price_decimals, tape.size_decimals, {}, tape.history,
        tape.stats,
    )  # fmt: skip
    nonce = first
    base = tape.snapshot["offset"]

    def newer_frame(frame: Frame, begin: int) -> Frame:
        stamp = frame["timestamp"] * 1000
        book = frame["order_book"] | {
            "nonce": nonce,
            "begin_nonce": begin,
            "last_updated_at": stamp,
        }
        return frame | {"last_updated_at": stamp, "order_book": book}

    newer.snapshot = newer_frame(tape.snapshot, 0)
    for event in tape.events:
        if event.family != "order_book":
            newer.events.append(event)
            continue
        # the step is the recording's own: how far this level change is from the snapshot
        before, nonce = nonce, nonce + 1 + (event.frame["offset"] - base) % 97
        frame = newer_frame(event.frame, before)
        newer.events.append(Event(event.at_ns, "order_book", frame, packed(frame)))
    return newer


def lighter_frames(find: Callable[[str], Path]) -> Tape:
    """Return the single frames of 2026-10-13: a snapshot, three updates and a trade of NVDA."""

    def one(name: str) -> tuple[Frame, bytes]:
        raw = find(f"market-data/lighter-frames/{name}.json").read_bytes().strip()
        return json.loads(raw), raw

    tape = Tape(110, "NVDA", 3, 3, one("md_order_book_snapshot")[0])
    tape.history = one("md_trade_snapshot")[0]["trades"]
    names = (
        "md_order_book_update",
        "md_order_book_update2",
        "md_trade",
        "md_order_book_update_gap",
    )
    for n, name in enumerate(names):
        frame, raw = one(name)
        tape.events.append(Event(n * FRAME_NS, family_of(frame), frame, raw))
    return tape


def eth_chain(find: Callable[[str], Path]) -> Tape:
    """Return the captured chain of ETH of 2026-07-28, whose last frame does not follow.

    Its one trade and its statistics, captured seconds apart, come after it.
    """
    folder = "lighter-samples/captured/mainnet_2026_07_28"
    chain = json.loads(find(f"{folder}_order_book_chain_eth.json").read_text())
    public = json.loads(find(f"{folder}_public_frames.json").read_text())
    tape = Tape(0, "ETH", 2, 4, chain[0])
    rest = [f for f in public if f.get("channel") in ("trade:0", "market_stats:0")]
    tape.history = [t for f in rest if f["type"] == "subscribed/trade" for t in f["trades"]]
    updates = [f for f in chain[1:] + rest if f["type"].startswith("update/")]
    for n, frame in enumerate(updates):
        tape.events.append(Event(n * FRAME_NS, family_of(frame), frame, packed(frame)))
    return tape


DATA: dict[str, Callable[[Callable[[str], Path]], Tape]] = {
    "lighter-btc": lighter_btc,
    "lighter-btc-nonces": lambda find: with_nonces(lighter_btc(find)),
    "lighter-frames": lighter_frames,
    "eth-chain": eth_chain,
}


def details(find: Callable[[str], Path], tape: Tape) -> dict[str, Any]:
    """Return the market's row of `orderBookDetails`: recorded where it was, else made from ETH's.

    For BTC the fields of the recorded testnet row stand in ETH's mainnet row.
    """
    rows = []
    for name in (
        "market-data/lighter-frames/rest_order_book_details",
        "lighter-samples/rest/order_book_details",
    ):
        rows += json.loads(find(f"{name}.json").read_text())["order_book_details"]
    testnet = json.loads(find("lighter-samples/captured/rest_testnet_order_books.json").read_text())
    by_id = {row["market_id"]: row for row in testnet["order_books"]} | {
        row["market_id"]: row for row in rows
    }
    row = rows[-1] | by_id.get(tape.market, {})
    return row | {
        "market_id": tape.market,
        "symbol": tape.symbol,
        "price_decimals": tape.price_decimals,
        "size_decimals": tape.size_decimals,
        "supported_price_decimals": tape.price_decimals,
        "supported_size_decimals": tape.size_decimals,
    }
