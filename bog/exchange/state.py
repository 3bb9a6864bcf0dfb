"""The whole state of the exchange, and what one transaction changed of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from bog.exchange.accounts import Account
from bog.exchange.book import Book
from bog.exchange.orders import CANCELED, FILLED, OPEN, Order
from bog.exchange.spec import Spec
from bog.exchange.tiers import TIERS

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
PUBLIC_TRADES = 1000
TXS = 100_000  # that can be asked for by their hash
MINUTES = 1500  # candles of one minute that are kept: a day


@dataclass(slots=True)
class Trade:
    """One fill between two orders, as both were when it happened."""

    id: int
    market: int
    px: int
    lots: int
    ask: tuple[int, int, int]  # order index, client index, account
    bid: tuple[int, int, int]
    is_maker_ask: bool
    kind: str
    time_us: int
    block: int
    hash: str
    maker_ppm: int
    taker_ppm: int
    maker_before: tuple[int, int, int]  # lots, cost, initial margin fraction
    taker_before: tuple[int, int, int]
    maker_after: int  # lots
    taker_after: int
    maker_fee: int  # micro-USDC
    taker_fee: int
    maker_realized: int
    taker_realized: int
    order: int = 0  # place in its transaction: the first one carries its hash

    @property
    def notional(self) -> int:
        """Micro-USDC."""
        return self.px * self.lots

    def of(self, account: int) -> bool:
        """Return whether the account is on either side."""
        return account in (self.ask[2], self.bid[2])


@dataclass(slots=True)
class TxRecord:
    """What became of one transaction that the API took."""

    hash: str
    type: int
    info: str
    account: int
    key: int
    nonce: int
    expired_at: int
    queued_ms: int
    effect_ns: int
    sequence: int
    status: int = 1  # 0 failed, 1 pending, 2 executed
    event: str = ""
    refused: str = ""  # JSON of the application's refusal
    executed_us: int = 0
    block: int = 0


@dataclass(slots=True)
class Market:
    """One market while it runs."""

    spec: Spec
    book: Book = field(default_factory=Book)
    mark: int = 0
    index: int = 0
    last: int = 0
    funding_ppm: int = 12  # of the coming payment
    paid_ppm: int = 12
    funding_ms: int = 0
    status: str = "active"
    force_reduce_only: bool = False
    asks: int = 0  # order numbers given so far, a side
    bids: int = 0
    nonce: int = 0
    trades: deque[Trade] = field(default_factory=lambda: deque(maxlen=PUBLIC_TRADES))
    # minute (ms): open, high, low, close, lots, quote, last trade id, fills
    candles: dict[int, list[int]] = field(default_factory=dict)

    def number(self, is_ask: bool) -> int:
        """Return the index of the next order: asks count up from 0, bids down from 2**48."""
        if is_ask:
            self.asks += 1
            return ((self.spec.market + 1) << 48) + self.asks - 1
        self.bids += 1
        return ((self.spec.market + 2) << 48) - self.bids

    def middle(self) -> int:
        """Return the middle of the touch, rounded down; the mark when a side is empty."""
        bid, ask = self.book.best(False), self.book.best(True)
        return (bid + ask) // 2 if bid and ask else self.mark

    def margin_of(self, account: Account) -> int:
        """Return the initial margin fraction that holds for an account here."""
        position = account.positions.get(self.spec.market)
        return (position.margin if position else 0) or self.spec.initial_margin


@dataclass(slots=True)
class Batch:
    """What one event changed, for those who publish it and those who keep it."""

    orders: dict[int, Order] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    positions: set[tuple[int, int]] = field(default_factory=set)  # account, market
    accounts: set[int] = field(default_factory=set)
    txs: list[TxRecord] = field(default_factory=list)

    def is_empty(self) -> bool:
        """Return whether nothing happened."""
        return not (self.orders or self.trades or self.positions or self.accounts or self.txs)


@dataclass(slots=True)
class State:
    """Everything that is true at this exchange. Time is the venue's own, Unix ns."""

    chain: int
    now_ns: int
    markets: dict[int, Market]
    accounts: dict[int, Account] = field(default_factory=dict)
    batch: Batch = field(default_factory=Batch)
    first_ns: int = 0
    trade_id: int = 0
    sequence: int = 0
    book_nonce: int = 0
    insurance: int = 0  # micro-USDC that the fund has gained
    txs: dict[str, TxRecord] = field(default_factory=dict)
    trades: deque[Trade] = field(default_factory=lambda: deque(maxlen=200_000))  # of accounts
    # creates that took effect, by account and client index: a rollback does not undo them
    created: dict[tuple[int, int], int] = field(default_factory=dict)
    # anonymous participants of the public market, as one
    public: Account = field(default_factory=lambda: Account(0, TIERS["standard"], 0, "0x0"))

    @property
    def now_ms(self) -> int:
        """Milliseconds."""
        return self.now_ns // 1_000_000

    @property
    def now_us(self) -> int:
        """Microseconds."""
        return self.now_ns // 1000

    @property
    def block(self) -> int:
        """Ten blocks a second, from 1."""
        return (self.now_ns - self.first_ns) // 100_000_000 + 1

    def stamp(self, order: Order) -> None:
        """Say that an order changed now."""
        order.updated_s = self.now_ms // 1000
        order.time_us = self.now_us
        order.block = self.block
        if order.account is not None:
            self.batch.orders[order.index] = order
            self.batch.positions.add((order.account.index, order.market))

    def rest(self, order: Order) -> None:
        """Let an order stand in its queue."""
        order.status = OPEN
        self.markets[order.market].book.add(order)
        if order.account is not None:
            order.account.orders[order.index] = order
            if order.client:
                order.account.clients[order.client] = order
        self.stamp(order)

    def leave(self, order: Order) -> None:
        """Take an order out of its queue and out of its account's open ones."""
        book = self.markets[order.market].book
        if book.holds(order):
            book.remove(order)
        if order.account is not None:
            order.account.orders.pop(order.index, None)
            if order.account.clients.get(order.client) is order:
                del order.account.clients[order.client]

    def end(self, order: Order, status: int = CANCELED) -> None:
        """End an order; one that is filled whole ends as filled whatever was asked."""
        self.leave(order)
        order.status = FILLED if order.filled == order.size else status
        if order.account is not None:
            order.account.closed.append(order)
        self.stamp(order)
