"""The channels: who has subscribed to what, the snapshot of each, and the frames of what changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Protocol

from bog.exchange import views
from bog.exchange.frames import RESOLUTIONS, Frames
from bog.exchange.orders import Order
from bog.exchange.refusal import Refusal
from bog.exchange.state import Batch, State, Trade, TxRecord

Json = dict[str, Any]
PUBLIC = ("order_book", "ticker", "trade", "market_stats", "spot_market_stats", "candle",
          "mark_price_candle", "height")  # fmt: skip
TOKEN = ("account_orders", "account_all_orders", "account_market", "account_all_assets",
         "account_tx", "notification")  # fmt: skip
OPEN_TO_ALL = ("account_all", "account_all_trades", "account_all_positions", "user_stats")


class Reader(Protocol):
    """A connection that frames can be sent to."""

    def send(self, frame: Json) -> None:
        """Queue a frame, as the script of faults lets it through."""

    def write(self, text: str) -> None:
        """Queue a text as it is."""


class Feed(Frames):
    """Every subscription, by channel in the spelling of requests: `order_book/1`."""

    def __init__(self, state: State, seed: int) -> None:
        super().__init__(state, seed)
        self.readers: dict[str, list[Reader]] = defaultdict(list)

    # -- subscriptions -----------------------------------------------------------------------

    def parse(self, channel: str) -> tuple[str, list[str]]:
        """Return family and parts of a channel's name, or raise a Refusal."""
        family, *parts = channel.split("/")
        if family not in (*PUBLIC, *TOKEN, *OPEN_TO_ALL):
            raise Refusal(30005)
        want = {"height": 0, "candle": 2, "mark_price_candle": 2, "account_orders": 2,
                "account_market": 2}.get(family, 1)  # fmt: skip
        if len(parts) != want:
            raise Refusal(30005)
        number = parts[0] if parts else ""
        if family in ("market_stats", "spot_market_stats") and number == "all":
            return family, parts
        numbers = parts[:1] if family in ("candle", "mark_price_candle") else parts
        if not all(part.isascii() and part.isdigit() for part in numbers):
            raise Refusal(30005)
        if family == "spot_market_stats":
            raise Refusal(30005, ":  (marketId)")
        if (
            family in (*PUBLIC, "account_orders", "account_market")
            and parts
            and (int(number) not in self.state.markets)
        ):
            raise Refusal(30005, ":  (marketId)")
        if len(parts) == 2 and len(numbers) == 1 and parts[1] not in RESOLUTIONS:
            raise Refusal(30005)
        return family, parts

    def owner(self, family: str, parts: list[str]) -> int | None:
        """Return the account that a channel is about, None for a public one."""
        return None if family in PUBLIC else int(parts[-1])

    def add(self, channel: str, reader: Reader) -> None:
        """Subscribe; the reader gets the snapshot first."""
        family, parts = self.parse(channel)
        if family == "order_book":
            self.flush_book(int(parts[0]))  # what others see must chain to what this one sees
        reader.send(self.snapshot(family, parts))
        self.readers[channel].append(reader)

    def remove(self, channel: str, reader: Reader) -> None:
        """End a subscription."""
        if reader in self.readers.get(channel, ()):
            self.readers[channel].remove(reader)

    def say(self, channel: str, frame: Json) -> None:
        """Send a frame to everyone who has subscribed to a channel."""
        for reader in tuple(self.readers.get(channel, ())):
            reader.send(frame)

    def wanted(self, channel: str) -> bool:
        """Return whether anyone listens."""
        return bool(self.readers.get(channel))

    # -- snapshots ---------------------------------------------------------------------------

    def snapshot(self, family: str, parts: list[str]) -> Json:
        """Return the first frame of a channel."""
        state = self.state
        if family in PUBLIC:
            return self.public_snapshot(family, parts)
        number = int(parts[-1])
        account = state.accounts.get(number)
        if account is None:
            raise Refusal(21100)
        frame: Json = {"channel": f"{family}:{number}", "type": f"subscribed/{family}"}
        if family == "account_all_orders":
            frame["orders"] = self.by_market(account.orders.values(), True)
        elif family == "account_orders":
            market = int(parts[0])
            frame |= {"channel": f"{family}:{market}", "account": number, "nonce": state.book_nonce,
                      "orders": self.by_market(account.in_market(market), True)}  # fmt: skip
        elif family == "account_all_positions":
            frame |= {"positions": views.positions(state, account), "shares": []}
        elif family == "account_all_trades":
            frame |= {"trades": {}, **volumes(account.volume)}
        elif family == "account_all":
            counts = {f"{span}_trades_count": account.fills
                      for span in ("daily", "weekly", "monthly", "total")}  # fmt: skip
            frame |= {"account": number, "positions": views.positions(state, account),
                      "trades": {}, "assets": views.assets(account), "shares": [],
                      "funding_histories": {}, **volumes(account.volume), **counts}  # fmt: skip
        elif family == "account_all_assets":
            frame |= {"assets": views.assets(account), "timestamp": state.now_ms}
        elif family == "user_stats":
            frame |= {"stats": views.user_stats(state, account), "timestamp": state.now_ms}
        elif family == "account_market":
            market = int(parts[0])
            held = market in account.positions
            frame |= {"channel": f"{family}:{market}:{number}", "account": number,
                      "orders": [views.order(state, o, True) for o in account.in_market(market)],
                      "position": views.position(state, account, market) if held else None,
                      "trades": [], "assets": None, "funding_history": None}  # fmt: skip
        elif family == "notification":
            frame["notifs"] = []
        return frame

    # -- public frames -----------------------------------------------------------------------

    def flush_book(self, number: int) -> None:
        """Send the levels that changed since the last frame, if any did."""
        book = self.state.markets[number].book
        if not book.changed:
            return
        self.state.book_nonce += 1
        changed, book.changed = book.changed, set()
        self.say(f"order_book/{number}", self.book_frame(number, changed))

    def cross(self, number: int) -> None:
        """Show a bid above the best ask for one frame, by script; the next frame takes it back."""
        self.flush_book(number)
        market = self.state.markets[number]
        ask = market.book.best(True)
        if ask:
            self.state.book_nonce += 1
            px = ask + 2
            frame = self.book_frame(number, {(False, px)})
            frame["order_book"]["bids"] = [{"price": market.spec.price(px),
                                            "size": market.spec.size(market.spec.min_base)}]  # fmt: skip
            market.book.changed.add((False, px))
            self.say(f"order_book/{number}", frame)

    def second(self) -> None:
        """Send what is sent each second: statistics, candles, the height."""
        for number in self.state.markets:
            if self.wanted(f"market_stats/{number}"):
                self.say(f"market_stats/{number}", self.stats_frame(number))
            for family in ("candle", "mark_price_candle"):
                for resolution in RESOLUTIONS:
                    channel = f"{family}/{number}/{resolution}"
                    if self.wanted(channel):
                        self.say(channel, self.candle_frame(family, number, resolution, "update"))
        if self.wanted("market_stats/all"):
            self.say("market_stats/all", self.stats_frame(-1))
        if self.wanted("height"):
            self.say("height", self.height())

    # -- what a batch changed ----------------------------------------------------------------

    def publish(self, batch: Batch) -> None:
        """Send the frames of a batch: those of each account, then the public ones."""
        accounts = {order.owner for order in batch.orders.values()}
        accounts |= {account for account, _ in batch.positions} | batch.accounts
        accounts |= {record.account for record in batch.txs if record.status != 1}
        for account in sorted(accounts):
            self.publish_account(batch, account)
        for number, market in self.state.markets.items():
            trades = [trade for trade in batch.trades if trade.market == number]
            if trades and self.wanted(f"trade/{number}"):
                self.say(f"trade/{number}", self.trade_frame(
                    number, [trade for trade in trades if trade.kind == "trade"],
                    [trade for trade in trades if trade.kind != "trade"]))  # fmt: skip
            if market.book.changed and self.wanted(f"ticker/{number}"):
                self.say(f"ticker/{number}", self.ticker(number))

    def publish_account(self, batch: Batch, number: int) -> None:
        """Send what changed for one account, channel by channel, in an order that varies."""
        state = self.state
        account = state.accounts[number]
        orders = [order for order in batch.orders.values() if order.owner == number]
        markets = sorted({m for owner, m in batch.positions if owner == number})
        trades = [trade for trade in batch.trades if trade.of(number)]
        if orders:
            self.say_orders(number, orders)
        if trades and self.wanted(f"account_all/{number}"):
            self.say(f"account_all/{number}", account_all(number, {}, self.trades_by(trades)))
        if trades and self.wanted(f"account_all_trades/{number}"):
            self.say(f"account_all_trades/{number}", {
                "channel": f"account_all_trades:{number}", "trades": self.trades_by(trades),
                "type": "update/account_all_trades"})  # fmt: skip
        later = [self.say_stats, self.say_positions]
        if self.random.random() < 0.5:
            later.reverse()
        for say in later:
            say(number, markets, bool(trades) or number in batch.accounts)
        for market in markets:
            channel = f"account_market/{market}/{number}"
            if self.wanted(channel):
                self.say(channel, {
                    "account": number, "channel": f"account_market:{market}:{number}",
                    "orders": [views.order(state, o, False) for o in orders if o.market == market],
                    "position": views.position(state, account, market),
                    "trades": [views.trade(state, t) for t in trades if t.market == market],
                    "assets": None, "funding_history": None,
                    "type": "update/account_market"})  # fmt: skip
        self.say_txs(number, [r for r in batch.txs if r.account == number and r.status != 1])

    def say_orders(self, number: int, orders: list[Order]) -> None:
        """Send the orders that changed."""
        if self.wanted(f"account_all_orders/{number}"):
            self.say(f"account_all_orders/{number}", {
                "channel": f"account_all_orders:{number}", "orders": self.by_market(orders, False),
                "type": "update/account_all_orders"})  # fmt: skip
        for market in sorted({order.market for order in orders}):
            channel = f"account_orders/{market}/{number}"
            if self.wanted(channel):
                mine = [order for order in orders if order.market == market]
                self.say(channel, {
                    "account": number, "channel": f"account_orders:{market}",
                    "nonce": self.state.book_nonce, "orders": self.by_market(mine, False),
                    "type": "update/account_orders"})  # fmt: skip

    def say_stats(self, number: int, _: list[int], moved: bool) -> None:
        """Send the money, when it moved."""
        state = self.state
        if moved and self.wanted(f"user_stats/{number}"):
            self.say(f"user_stats/{number}", {
                "channel": f"user_stats:{number}",
                "stats": views.user_stats(state, state.accounts[number]),
                "timestamp": state.now_ms, "type": "update/user_stats"})  # fmt: skip
        if moved and self.wanted(f"account_all_assets/{number}"):
            self.say(f"account_all_assets/{number}", {
                "assets": views.assets(state.accounts[number]),
                "channel": f"account_all_assets:{number}", "timestamp": state.now_ms,
                "type": "update/account_all_assets"})  # fmt: skip

    def say_positions(self, number: int, markets: list[int], moved: bool) -> None:
        """Send the positions of the markets that were touched, also when only a count changed."""
        account = self.state.accounts[number]
        found = {str(m): views.position(self.state, account, m) for m in markets}
        if found and moved and self.wanted(f"account_all/{number}"):
            self.say(f"account_all/{number}", account_all(number, found, {}))
        if found and self.wanted(f"account_all_positions/{number}"):
            self.say(f"account_all_positions/{number}", {
                "channel": f"account_all_positions:{number}", "positions": found, "shares": [],
                "last_funding_round": None,
                    "last_funding_discount": None,
                    "type": "update/account_all_positions"})  # fmt: skip

    def say_txs(self, number: int, records: list[TxRecord]) -> None:
        """Send what became of transactions: the only channel that says why one was refused."""
        if records and self.wanted(f"account_tx/{number}"):
            self.say(f"account_tx/{number}", {
                "channel": f"account_tx:{number}",
                "txs": [views.tx(record, self.state) for record in records],
                "type": "update/account_tx"})  # fmt: skip

    def by_market(self, orders: Iterable[Order], snapshot: bool) -> Json:
        """Return orders as a map by market."""
        found: dict[str, list[Json]] = {}
        for order in orders:
            found.setdefault(str(order.market), []).append(views.order(self.state, order, snapshot))
        return found

    def trades_by(self, trades: list[Trade]) -> Json:
        """Return trades as a map by market, newest first."""
        found: dict[str, list[Json]] = {}
        for trade in reversed(trades):
            found.setdefault(str(trade.market), []).append(views.trade(self.state, trade))
        return found


def account_all(number: int, positions: Json, trades: Json) -> Json:
    """Return an update of `account_all`: empty means unchanged."""
    return {"account": number, "assets": None, "channel": f"account_all:{number}",
            "funding_histories": {}, "positions": positions, "shares": [], "trades": trades,
            "type": "update/account_all"}  # fmt: skip


def volumes(micro: int) -> dict[str, float]:
    """Return the volume counters of the trade channels: everything this exchange has seen."""
    return dict.fromkeys(
        ("daily_volume", "weekly_volume", "monthly_volume", "total_volume"), micro / 1e6
    )
