"""A Python handle on the grid's verbs, for tests, benchmarks and notebooks."""

from enum import IntEnum
from typing import Any, final

MOST: int
CAP: int

class GridStepKind(IntEnum):
    GRID_DONE = 0
    GRID_WAIT = 1
    GRID_SOON = 2
    GRID_PLACE = 3
    GRID_AMEND = 4
    GRID_CANCEL = 5

@final
class GridProbe:
    def __new__(cls, params: dict[str, Any], fair2: int = 0, floor_ticks: int = 0) -> GridProbe: ...
    def want(
        self, side: int, px: int, interval: int, pos: int = 0, qty: int = 1
    ) -> list[tuple[int, int]]: ...
    def order(
        self,
        slot: int,
        px: int,
        qty: int,
        state: int,
        side: int = 0,
        filled: int = 0,
        amend_px: int = 0,
        amend_qty: int = 0,
        touched_ns: int = 0,
        expiry_ns: int = ...,
        id: int = 0,
    ) -> None: ...
    def gone(self, slot: int) -> None: ...
    def plan(
        self, now: int = 0, paced: bool = True, refused: int = 0, retry_ns: int = 1_000_000_000
    ) -> tuple[int, int, int, int, int, bool]: ...

def interval(had: int, half: int, threshold: int) -> int: ...
