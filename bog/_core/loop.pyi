from typing import Self, final

from bog._core.lane import Lane

LANES: int

def follow_parent() -> None: ...

@final
class Session:
    def __new__(
        cls,
        lanes: list[Lane],
        speed_ppm: int = 0,
        spin: bool = False,
        limit: int = 0,
        rests: bool = False,
    ) -> Self: ...
    def run(self) -> int: ...
    def codes(self) -> list[int]: ...
