from collections.abc import Sequence
from enum import IntEnum
from typing import Any, final

class Quiet(IntEnum):
    QUIET_NONE = 0
    QUIET_NO_BOOK = 1
    QUIET_ONE_SIDED = 2
    QUIET_CROSSED = 3
    QUIET_PRICE_RANGE = 4
    QUIET_THIN = 5
    QUIET_SPREAD_MIN = 6
    QUIET_SPREAD_MAX = 7
    QUIET_INVENTORY = 8
    QUIET_WARMING = 9
    QUIET_QUOTA = 10
    QUIETS = 11

class Move(IntEnum):
    MOVE_KEEP = 0
    MOVE_PRICE = 1
    MOVE_WRONG_SIDE = 2
    MOVE_RESIZE = 3
    MOVE_RENEW = 4
    MOVE_PULL = 5

RATES: tuple[str, ...]

@final
class StrategyProbe:
    def __new__(cls, **params: int) -> StrategyProbe: ...
    def configure(self, **params: int) -> None: ...
    def left(self, left: int) -> None: ...
    def book(
        self,
        bids: Sequence[tuple[int, int]],
        asks: Sequence[tuple[int, int]],
        kind: int = ...,
    ) -> None: ...
    def order(
        self,
        slot: int,
        side: int,
        px: int,
        qty: int,
        filled: int = 0,
        state: int = 3,
        expiry_ns: int = ...,
    ) -> None: ...
    def own(self, side: int, px: int) -> int: ...
    def quote(self, pos: int = 0) -> dict[str, Any]: ...
    def want(
        self,
        side: int,
        px: int,
        qty: int,
        fair2: int = 0,
        half_ticks: int = 0,
        floor_ticks: int = 0,
    ) -> None: ...
    def threshold(self) -> int: ...
    def moves(self, slot: int, now: int = 0) -> int: ...
    def paced(self, last_ns: int, now: int) -> bool: ...
    def repeat(self, times: int, orders: int = 2, pos: int = 0) -> int: ...

def floor_ratio(num: int, den: int) -> int: ...
