from collections.abc import Callable, Sequence
from typing import TypedDict, final

from bog._core.source import Source

MODELS: tuple[str, ...]
REASONS: tuple[str, ...]
WINDOW_NS: int

class Counts(TypedDict):
    rejected: int
    resting: int
    on_the_way: int
    fills: dict[str, int]
    unknown_ahead: int
    notes_full: int

@final
class Backtest:
    def __init__(
        self,
        sends: Sequence[tuple[int, int, int, int, int]],
        cancels: Sequence[tuple[int, int, int]],
        model: str = "risk",
    ) -> None: ...
    def run(
        self, source: Source, progress: Callable[[int, int], object] | None = None
    ) -> list[tuple[int, int, int, int, str]]: ...
    def counts(self) -> Counts: ...
