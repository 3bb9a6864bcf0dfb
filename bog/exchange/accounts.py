"""Accounts: keys with their nonces, cash, positions, open orders, and what they have used up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from bog.exchange.orders import Order
from bog.exchange.spec import cut
from bog.exchange.tiers import Tier

CLOSED_ORDERS = 1000  # that the venue remembers
TRADES = 1000
PAYMENTS = 1000
KEYS_FROM = 4  # lower indices belong to the venue's own apps


@dataclass(slots=True)
class Key:
    """One API key: its public half, the nonce it must use next, when its last transaction runs."""

    public: bytes
    nonce: int = 0
    maker_only: bool = False
    busy_ns: int = 0


@dataclass(slots=True)
class Position:
    """Net lots in one market. `cost` is what the open part was bought for, negative when short."""

    lots: int = 0
    cost: int = 0  # micro-USDC
    realized: int = 0
    funding: int = 0  # paid out
    margin: int = (
        0  # initial margin fraction that the account set, ten-thousandths; 0: the market's
    )

    def fill(self, lots: int, px: int) -> int:
        """Book signed lots at a price; return what was realized, micro-USDC."""
        realized = 0
        closing = min(abs(lots), abs(self.lots)) if lots * self.lots < 0 else 0
        if closing:
            released = cut(self.cost, closing, abs(self.lots))
            realized = (closing if self.lots > 0 else -closing) * px - released
            self.cost -= released
            self.realized += realized
        opening = abs(lots) - closing
        self.cost += (opening if lots > 0 else -opening) * px
        self.lots += lots
        return realized


class Payment(NamedTuple):
    """One hour's funding of a position."""

    second: int  # Unix time
    market: int
    paid: int  # micro-USDC out of the account
    ppm: int  # rate
    lots: int  # held, signed


@dataclass(slots=True, eq=False)
class Account:
    """One sub-account. Money in micro-USDC. `cash` falls by what is bought and rises by what is sold."""

    index: int
    tier: Tier
    cash: int
    l1_address: str
    keys: dict[int, Key] = field(default_factory=dict)
    fees: int = 0
    funding: int = 0
    payments: list[Payment] = field(default_factory=list)  # of funding, the newest last
    deposited: int = 0
    positions: dict[int, Position] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)  # open ones, by the venue's index
    clients: dict[int, Order] = field(default_factory=dict)  # the same by the client's, where given
    closed: deque[Order] = field(default_factory=lambda: deque(maxlen=CLOSED_ORDERS))
    cancel_all_ms: int = 0
    quota: int = 1000
    free_slot_ns: int = 0
    fills: int = 0
    volume: int = 0  # micro-USDC
    maker_only_ns: int = 0  # when the set of maker-only keys last changed
    tier_changed_s: int = 0

    def position(self, market: int) -> Position:
        """Return the position in a market, flat when there is none."""
        return self.positions.setdefault(market, Position())

    @property
    def collateral(self) -> int:
        """What the account holds without its open profit or loss."""
        return self.cash + sum(position.cost for position in self.positions.values())

    def in_market(self, market: int) -> Iterator[Order]:
        """Return the open orders of one market."""
        return (order for order in self.orders.values() if order.market == market)

    def reducible(self, market: int, is_ask: bool) -> int:
        """Return how many lots an order of that side may trade without adding to the position."""
        lots = self.positions[market].lots if market in self.positions else 0
        return max(0, lots if is_ask else -lots)
