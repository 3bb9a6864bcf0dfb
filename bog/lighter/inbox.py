"""What the venue says over the account's socket, handed to whom it concerns.

A message is read whole before any of it counts. One that cannot be read may have been about our
orders, so that everything is asked for anew.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from bog._core.stream import News
from bog.lighter import codec, rows
from bog.lighter.asks import Asks
from bog.lighter.private import ORDERS, POSITIONS, TRADES, TXS, Private
from bog.lighter.reconcile import Books
from bog.lighter.rows import RowError

PLAIN = {
    "connected": News.NEWS_CONNECTED, "ping": News.NEWS_PING, "pong": News.NEWS_NONE,
    "unsubscribed": News.NEWS_UNSUBSCRIBED, "shutdown": News.NEWS_SHUTDOWN,
}  # fmt: skip


class Inbox:
    """A receiver of frames, as the keeper of a connection wants one. `after` is called after each."""

    def __init__(
        self, machine: Private, asks: Asks, books: Books, say: Callable[[str], None],
        after: Callable[[], None],
    ) -> None:  # fmt: skip
        self.machine, self.asks, self.books, self.say, self.after = machine, asks, books, say, after
        self.desk, self.fates = asks.desk, asks.desk.fates
        self.heard_ns = 0
        self.market = -1
        self.code = 0
        self.counters: Counter[str] = Counter()
        self.available = ""  # collateral as the venue said last
        self.by_market = {scale.market: (raw, scale) for raw, scale in self.desk.markets.items()}

    def heard(self) -> None:
        self.heard_ns = time.monotonic_ns()

    def beat(self) -> None:
        """The gateway's own loop beats."""

    def down(self) -> None:
        """The connection is gone: what was on its way is unknown."""
        self.desk.dropped(time.monotonic_ns())

    def frame(self, data: bytes | bytearray | memoryview, /) -> int:
        """Take one message; return what it means for the connection."""
        now = self.heard_ns = time.monotonic_ns()
        self.desk.now = now
        self.counters["frames"] += 1
        try:
            frame = codec.frame(bytes(data) if isinstance(data, bytearray) else data)
            if frame.id != "":
                self.desk.answered(
                    frame.id, frame.hashes, frame.refusal, frame.volume_quota_remaining
                )
                return News.NEWS_NONE
            if frame.type in PLAIN:
                return PLAIN[frame.type]
            if frame.refusal is not None:
                return self._error(frame.refusal)
            return self._channel(frame, now)
        except RowError as error:
            self.counters["malformed"] += 1
            self.say(str(error))
            self.asks.begin_round()
            return News.NEWS_NONE
        finally:
            self.after()

    def _error(self, error: codec.Error) -> int:
        """An error that names nothing: it moves no order."""
        self.code = error.code
        self.counters["errors"] += 1
        self.say(f"the venue says {error.code} {error.message[:80]!r}")
        return News.NEWS_ERROR

    def _channel(self, frame: codec.Frame, now: int) -> int:
        family, _, account = frame.channel.partition(":")
        if account != str(self.machine.account):
            self.counters["strays"] += 1
            return News.NEWS_NONE
        if family == ORDERS:
            self._orders(frame, now)
        elif family == TRADES and not frame.is_snapshot:
            for trades in (frame.trades or {}).values():
                for trade in sorted(trades or [], key=lambda row: row.trade_id):
                    self.asks.trade(trade, now)
        elif family == TXS:
            for view in [rows.tx_view(row) for row in frame.txs or []]:
                self.fates.ran(view)
        elif family == POSITIONS:
            for position in (frame.positions or {}).values():
                if position.market_id in self.by_market:
                    raw, scale = self.by_market[position.market_id]
                    self.books.shown(raw, rows.position_view(position, scale).pos)
        elif frame.stats is not None:
            self.available = frame.stats.available_balance
        if not frame.is_snapshot:
            return News.NEWS_NONE
        if family == TRADES:
            self.asks.want_trades()  # what happened before it is not in any update
        self.machine.family = family
        return News.NEWS_BOOK

    def _orders(self, frame: codec.Frame, now: int) -> None:
        views = []
        for orders in (frame.orders or {}).values():
            for row in orders or []:
                if row.market_index in self.by_market:
                    raw, scale = self.by_market[row.market_index]
                    views.append(rows.order_view(row, scale)._replace(market=raw))
        for view in views:
            self.fates.saw_order(view, now)
        if frame.is_snapshot:
            there = {view.client for view in views}
            for order in self.fates.live.values():
                if order.id not in there and order.acked and not order.status:
                    order.look = True
