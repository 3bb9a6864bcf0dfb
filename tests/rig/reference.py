"""The order book in plain Python: a dict of price to size, from frames that `json` has read.

It shares no code with the parser and the book of the product, so that the two can be compared.
Prices and sizes are exact decimals; `ticks()` counts them in whole ticks and lots, or says which
one is not whole.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

SIDES = ("bids", "asks")


def chain_of(frame: dict[str, Any]) -> tuple[int, int | None]:
    """Return a book frame's id and the id that it follows (None: the one before, plus one).

    The id is the nonce where the frame has one (2026), else the offset (2025).
    """
    book = frame["order_book"]
    if "nonce" in book:
        return int(book["nonce"]), int(book["begin_nonce"])
    return int(book["offset"]), None


class ReferenceBook:
    """The book of one market as its frames tell it; `id` is the last frame's."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}
        self.id = -1

    def apply(self, frame: dict[str, Any]) -> None:
        """Take one order_book frame, snapshot or update, without asking whether it follows."""
        if frame["type"].startswith("subscribed/"):
            for side in SIDES:
                self.sides[side].clear()
        for side in SIDES:
            levels = self.sides[side]
            for level in frame["order_book"][side] or ():
                price, size = Decimal(level["price"]), Decimal(level["size"])
                if size:
                    levels[price] = size
                else:
                    levels.pop(price, None)
        self.id = chain_of(frame)[0]

    def levels(self, side: str) -> list[tuple[Decimal, Decimal]]:
        """Return one side, best first."""
        return sorted(self.sides[side].items(), reverse=side == "bids")

    def ticks(self, price_decimals: int, size_decimals: int) -> tuple[dict[int, int], ...]:
        """Return bids and asks as ticks to lots; ValueError when one is not a whole number."""
        return tuple(
            {
                whole(price, price_decimals): whole(size, size_decimals)
                for price, size in self.sides[side].items()
            }
            for side in SIDES
        )


def whole(value: Decimal, decimals: int) -> int:
    """Return `value` counted in 10**-decimals; ValueError when that is not a whole number."""
    count = value.scaleb(decimals)
    if count != count.to_integral_value():
        raise ValueError(f"{value} is not a whole number of 1e-{decimals}")
    return int(count)
