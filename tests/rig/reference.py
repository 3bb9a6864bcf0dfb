"""The order book in plain Python: a dict of price to size, from frames that `json` has read.

It shares no code with the parser and the book of the product, so that the two can be compared.
Nothing in it is a float.
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


def whole(text: str, decimals: int) -> int:
    """Return the number in `text` counted in 10**-decimals; ValueError when it is not whole."""
    count = Decimal(text).scaleb(decimals)
    if count != count.to_integral_value():
        raise ValueError(f"{text} is not a whole number of 1e-{decimals}")
    return int(count)


class ReferenceBook:
    """The book of one market as its frames tell it; `id` is the last frame's.

    `sides` holds a dict of price to size each. With decimals they are whole ticks and lots, without
    they are the exact decimals of the frames.
    """

    def __init__(self, decimals: tuple[int, int] | None = None) -> None:
        self.decimals = decimals
        self.sides: dict[str, dict[Any, Any]] = {"bids": {}, "asks": {}}
        self.id = -1

    def apply(self, frame: dict[str, Any]) -> None:
        """Take one order_book frame, snapshot or update, without asking whether it follows."""
        if frame["type"].startswith("subscribed/"):
            for side in SIDES:
                self.sides[side].clear()
        for side in SIDES:
            levels = self.sides[side]
            for level in frame["order_book"][side] or ():
                price, size = self.read(level["price"], level["size"])
                if size:
                    levels[price] = size
                else:
                    levels.pop(price, None)
        self.id = chain_of(frame)[0]

    def read(self, price: str, size: str) -> tuple[Any, Any]:
        """Return a price and a size as this book counts them."""
        if self.decimals is None:
            return Decimal(price), Decimal(size)
        return whole(price, self.decimals[0]), whole(size, self.decimals[1])

    def levels(self, side: str) -> list[tuple[Any, Any]]:
        """Return one side, best first."""
        return sorted(self.sides[side].items(), reverse=side == "bids")
