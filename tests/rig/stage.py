"""One market at the local venue: its tape, its book of this moment, and what it answers."""

from __future__ import annotations

from collections import deque
from typing import Any

from tests.rig.frames import Event, Tape
from tests.rig.reference import SIDES, ReferenceBook

PAST_TRADES = 50  # in the replay that answers a subscription


class Stage:
    """A market at this venue: its tape, the book so far, and where the tape stands."""

    def __init__(self, tape: Tape, details: dict[str, Any]) -> None:
        self.tape = tape
        self.details = details
        self.book = ReferenceBook()
        self.book.apply(tape.snapshot)
        self.last_frame = tape.snapshot
        self.trades: deque[Any] = deque(tape.history[:PAST_TRADES], PAST_TRADES)
        self.stats = tape.stats
        self.at = 0
        self.passing = 0  # updates that go by without anybody to send them to
        self.lost = 0  # updates still to be dropped
        self.offset_by = 0

    @property
    def over(self) -> bool:
        """Whether the tape has been played to its end."""
        return self.at >= len(self.tape.events)

    def snapshot(self) -> dict[str, Any]:
        """Return the book of this moment as a `subscribed/order_book` frame."""
        last, book = self.last_frame, self.last_frame["order_book"]
        levels = {
            side: [{"price": str(p), "size": str(q)} for p, q in self.book.levels(side)]
            for side in SIDES
        }
        head = {"offset": book["offset"] + self.offset_by} if "offset" in book else {}
        chain = {"nonce": book["nonce"], "begin_nonce": 0} if "nonce" in book else {}
        inner = {k: book[k] for k in ("last_updated_at",) if k in book}
        outer = {k: last[k] for k in ("last_updated_at",) if k in last}
        content = {"code": 0, "asks": levels["asks"], "bids": levels["bids"]} | head | chain | inner
        return (
            {"channel": f"order_book:{self.tape.market}"} | outer | head | {"order_book": content}
            | {"timestamp": last["timestamp"], "type": "subscribed/order_book"}
        )  # fmt: skip

    def take(self, event: Event) -> None:
        """Let one update happen."""
        if event.family == "order_book":
            self.book.apply(event.frame)
            self.last_frame = event.frame
        elif event.family == "trade":
            self.trades.extendleft(reversed(event.frame["trades"] or []))
        elif event.family == "market_stats":
            stats = event.frame["market_stats"]
            own = stats.get(str(self.tape.market), stats if "mark_price" in stats else None)
            self.stats = own or self.stats

    def answer(self, family: str, whole: bool) -> dict[str, Any]:
        """Return the frame that answers a subscription; `whole` is for market_stats/all."""
        if family == "order_book":
            return self.snapshot()
        market = self.tape.market
        head = {"channel": f"{family}:{'all' if whole else market}"}
        if family == "trade":
            body = {"liquidation_trades": [], "trades": list(self.trades)}
        else:
            stats = self.stats or {"market_id": market, "mark_price": "", "index_price": ""}
            body = {"market_stats": {str(market): stats} if whole else stats}
        return head | body | {"type": f"subscribed/{family}"}
