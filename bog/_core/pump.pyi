from collections.abc import Iterable
from enum import IntEnum
from typing import Self, final

from bog._core.market import Market
from bog._core.publisher import Publisher
from bog._core.recorder import CsvWriter, TapeWriter
from bog._core.source import Source

class LaneState(IntEnum):
    LANE_RUNS = 0
    LANE_ENDED = 1
    LANE_DAMAGED = 2
    LANE_LOST = 3

@final
class Lane:
    publisher: Publisher
    source: Source | None
    market: Market | None
    tape: TapeWriter | None
    dump: CsvWriter | None
    state: int
    file_error: int
    rows: int
    messages: int
    first_ns: int
    last_ns: int
    def __new__(
        cls,
        publisher: Publisher,
        source: Source | Market,
        *,
        tape: TapeWriter | None = ...,
        dump: CsvWriter | None = ...,
        duration_ns: int = ...,
    ) -> Self: ...
    @property
    def trouble(self) -> str: ...
    @property
    def progress(self) -> float | None: ...

@final
class Pump:
    lanes: list[Lane]
    def __new__(
        cls, lanes: Iterable[Lane], *, num: int = ..., den: int = ..., spin: bool = ...
    ) -> Self: ...
    def run(self, slice_ns: int) -> bool: ...
