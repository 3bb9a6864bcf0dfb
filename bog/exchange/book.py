"""The queues of one market in price-time order."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from bog.exchange.orders import Order


class Side:
    """One side. `prices` are signed so that the best is always the last: bids up, asks down."""

    def __init__(self, is_ask: bool) -> None:
        self.sign = -1 if is_ask else 1
        self.prices: list[int] = []
        self.levels: dict[int, dict[int, Order]] = {}  # by price, then by order, oldest first
        self.totals: dict[int, int] = {}

    def add(self, order: Order) -> None:
        """Put an order at the end of the queue at its price."""
        if order.px not in self.levels:
            self.levels[order.px] = {}
            self.totals[order.px] = 0
            insort(self.prices, self.sign * order.px)
        self.levels[order.px][order.index] = order
        self.totals[order.px] += order.left

    def remove(self, order: Order) -> None:
        """Take an order out; what it has left must still be what it had when it was counted."""
        del self.levels[order.px][order.index]
        self.shrink(order.px, order.left)

    def shrink(self, px: int, lots: int) -> None:
        """Count `lots` fewer at a price; the last order that leaves takes the level along."""
        self.totals[px] -= lots
        if not self.levels[px]:
            del self.levels[px], self.totals[px]
            del self.prices[bisect_left(self.prices, self.sign * px)]

    def best(self) -> int:
        """Return the best price, 0 when the side is empty."""
        return self.sign * self.prices[-1] if self.prices else 0

    def best_first(self) -> Iterator[int]:
        """Return every price, the best one first."""
        return (self.sign * px for px in reversed(self.prices))


class Book:
    """Both sides, and which of their levels changed since someone last asked."""

    def __init__(self) -> None:
        self.sides = (Side(False), Side(True))  # by is_ask
        self.changed: set[tuple[bool, int]] = set()

    def add(self, order: Order) -> None:
        """Let an order rest."""
        self.sides[order.is_ask].add(order)
        self.changed.add((order.is_ask, order.px))

    def remove(self, order: Order) -> None:
        """Take a resting order out, before its status says that it ended."""
        self.sides[order.is_ask].remove(order)
        self.changed.add((order.is_ask, order.px))

    def holds(self, order: Order) -> bool:
        """Return whether the order rests."""
        return order.index in self.sides[order.is_ask].levels.get(order.px, ())

    def reduce(self, order: Order, lots: int) -> None:
        """Say that a resting order has `lots` fewer left than before."""
        side = self.sides[order.is_ask]
        side.totals[order.px] -= lots
        self.changed.add((order.is_ask, order.px))

    def best(self, is_ask: bool) -> int:
        """Return the best price of a side, 0 when it is empty."""
        return self.sides[is_ask].best()

    def crosses(self, is_ask: bool, px: int) -> bool:
        """Return whether an order of that side would take at that price."""
        other = self.best(not is_ask)
        return other != 0 and (px <= other if is_ask else px >= other)

    def first(self, is_ask: bool) -> Order | None:
        """Return the order that the next taker meets on a side."""
        px = self.best(is_ask)
        return next(iter(self.sides[is_ask].levels[px].values())) if px else None

    def size(self, is_ask: bool, px: int) -> int:
        """Return the lots at a price."""
        return self.sides[is_ask].totals.get(px, 0)
