from typing import final

OFF_NS: int

@final
class ClockProbe:
    def look(self, done: bool = False) -> tuple[int, int, int]: ...
    @property
    def rate(self) -> float: ...
    def plant(self, rate: float) -> None: ...
