from enum import IntEnum
from typing import final

class Violation(IntEnum):
    VIOLATION_NONE = 0
    VIOLATION_SPREAD = 1
    VIOLATION_MOVE = 2
    VIOLATION_PRICE = 3

@final
class BreakerProbe:
    def __new__(
        cls, spread_ppm: int = 10_000, move_ppm: int = 100_000, violations: int = 3
    ) -> BreakerProbe: ...
    def look(self, bid: int, ask: int) -> int: ...
    def garbage(self) -> int: ...
    def reset(self) -> None: ...
    def state(self) -> tuple[int, int, bool]: ...
