"""The frames of the public channels, as the book and the fills stand now."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from bog.exchange import views
from bog.exchange.state import State, Trade

Json = dict[str, Any]
RECENT = 50  # trades in a snapshot
RESOLUTIONS = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "12h": 720, "1d": 1440}


class Frames:
    """Public frames of one exchange; it remembers the chain of each book."""

    def __init__(self, state: State, seed: int) -> None:
        self.state = state
        self.random = random.Random(seed)
        self.shown: dict[int, int] = {}  # book nonce that each market's last frame carried
        self.offsets: dict[int, int] = {}

    def public_snapshot(self, family: str, parts: list[str]) -> Json:
        """Return the first frame of a public channel."""
        state = self.state
        number = int(parts[0]) if parts and parts[0] != "all" else -1
        if family == "order_book":
            return self.book_frame(number, None)
        if family == "ticker":
            return self.ticker(number) | {"type": "subscribed/ticker"}
        if family == "trade":
            trades = list(state.markets[number].trades)
            normal = [trade for trade in trades if trade.kind == "trade"][-RECENT:]
            forced = [trade for trade in trades if trade.kind != "trade"][-RECENT:]
            return self.trade_frame(number, normal, forced) | {"type": "subscribed/trade"}
        if family == "market_stats":
            return self.stats_frame(number) | {"type": "subscribed/market_stats"}
        if family == "spot_market_stats":
            return {"channel": "spot_market_stats:all", "spot_market_stats": {},
                    "timestamp": state.now_ms, "type": "subscribed/spot_market_stats"}  # fmt: skip
        if family == "height":
            return self.height() | {"type": "subscribed/height"}
        return self.candle_frame(family, number, parts[1], "subscribed")

    def book_frame(self, number: int, changed: set[tuple[bool, int]] | None) -> Json:
        """Return a frame of the book: the whole of it, or the changed levels, best ones first."""
        state = self.state
        market = state.markets[number]
        spec, book = market.spec, market.book
        sides = []
        for is_ask in (True, False):
            if changed is None:
                prices: Iterable[int] = book.sides[is_ask].best_first()
            else:
                prices = sorted((px for ask, px in changed if ask is is_ask), reverse=not is_ask)
            sides.append([{"price": spec.price(px), "size": spec.size(book.size(is_ask, px))}
                          for px in prices])  # fmt: skip
        before = self.shown.get(number, 0)
        if changed is None:
            nonce, begin = before or state.book_nonce, 0
            self.shown[number] = nonce
        else:
            nonce, begin = state.book_nonce, before
            self.shown[number] = nonce
            self.offsets[number] = self.offsets.get(number, 1) + self.random.randint(1, 8)
        offset = self.offsets.get(number, 1)
        inner = {"code": 0, "asks": sides[0], "bids": sides[1], "offset": offset, "nonce": nonce,
                 "last_updated_at": state.now_us, "begin_nonce": begin}  # fmt: skip
        return {"channel": f"order_book:{number}", "last_updated_at": state.now_us,
                "offset": offset, "order_book": inner, "timestamp": state.now_ms,
                "type": f"{'subscribed' if changed is None else 'update'}/order_book"}  # fmt: skip

    def ticker(self, number: int) -> Json:
        """Return the touch; an empty side has empty strings."""
        state = self.state
        market = state.markets[number]
        spec, book = market.spec, market.book
        sides = {}
        for name, is_ask in (("a", True), ("b", False)):
            px = book.best(is_ask)
            sides[name] = {"price": spec.price(px) if px else "",
                           "size": spec.size(book.size(is_ask, px)) if px else ""}  # fmt: skip
        return {"channel": f"ticker:{number}", "last_updated_at": state.now_us,
                "nonce": state.book_nonce,
                "ticker": {"s": spec.symbol, **sides, "last_updated_at": state.now_us},
                "timestamp": state.now_ms, "type": "update/ticker"}  # fmt: skip

    def trade_frame(self, number: int, normal: list[Trade], forced: list[Trade]) -> Json:
        """Return fills, newest first, liquidations apart."""
        rows = [[views.trade(self.state, trade) for trade in reversed(found)]
                for found in (normal, forced)]  # fmt: skip
        return {"channel": f"trade:{number}", "liquidation_trades": rows[1],
                "nonce": self.state.book_nonce, "trades": rows[0], "type": "update/trade"}  # fmt: skip

    def stats_frame(self, number: int) -> Json:
        """Return the statistics of one market, or of all when -1."""
        state = self.state
        if number >= 0:
            found = views.market_stats(state, number)
        else:
            found = {str(m): views.market_stats(state, m) for m in state.markets}
        return {"channel": f"market_stats:{number if number >= 0 else 'all'}",
                "market_stats": found, "timestamp": state.now_ms,
                "type": "update/market_stats"}  # fmt: skip

    def height(self) -> Json:
        """Return the number of the last block."""
        return {"channel": "height", "height": self.state.block, "timestamp": self.state.now_ms,
                "type": "update/height"}  # fmt: skip

    def candle_frame(self, family: str, number: int, resolution: str, verb: str) -> Json:
        """Return the current candle."""
        found = candles(self.state, number, resolution, 0, self.state.now_ms + 1)[-1:]
        return {"candles": found, "channel": f"{family}:{number}:{resolution}",
                "timestamp": self.state.now_ms, "type": f"{verb}/{family}"}  # fmt: skip


def candles(state: State, number: int, resolution: str, start_ms: int, end_ms: int) -> list[Json]:
    """Return the candles of a market whose start lies in [start, end)."""
    market = state.markets[number]
    span = RESOLUTIONS[resolution] * 60_000
    unit = 10.0**-market.spec.price_decimals
    found: dict[int, Json] = {}
    for minute, (first, high, low, last, lots, quote, trade_id, _) in market.candles.items():
        start = minute // span * span
        if not start_ms <= start < end_ms:
            continue
        volume = lots / 10**market.spec.size_decimals
        if start not in found:
            found[start] = {"t": start, "o": first * unit, "h": high * unit, "l": low * unit,
                            "c": last * unit, "v": volume, "V": quote / 1e6, "i": trade_id}  # fmt: skip
            continue
        candle = found[start]
        candle |= {"h": max(candle["h"], high * unit), "l": min(candle["l"], low * unit),
                   "c": last * unit, "v": candle["v"] + volume, "V": candle["V"] + quote / 1e6,
                   "i": trade_id}  # fmt: skip
    return list(found.values())
