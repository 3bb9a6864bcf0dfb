from collections.abc import Iterable
from enum import IntEnum
from typing import Self, final

from bog._core.publisher import Publisher
from bog._core.recorder import CsvWriter, TapeWriter

class News(IntEnum):
    NEWS_NONE = 0
    NEWS_CONNECTED = 1
    NEWS_BOOK = 2
    NEWS_TRADES = 3
    NEWS_STATS = 4
    NEWS_GAP = 5
    NEWS_REFUSED = 6
    NEWS_PING = 7
    NEWS_UNSUBSCRIBED = 8
    NEWS_SHUTDOWN = 9
    NEWS_ERROR = 10

@final
class MarketStream:
    publisher: Publisher
    tape: TapeWriter | None
    dump: CsvWriter | None
    file_error: int
    lost: int
    halted: int
    status: int
    rows: int
    messages: int
    refused: int
    def __new__(
        cls,
        publisher: Publisher,
        price_decimals: int,
        size_decimals: int,
        *,
        tape: TapeWriter | None = None,
        dump: CsvWriter | None = None,
    ) -> Self: ...
    def halt(self) -> None: ...
    def resume(self) -> None: ...
    @property
    def has_book(self) -> bool: ...
    @property
    def scale_doubt(self) -> bool: ...
    @property
    def trouble(self) -> str: ...
    def counters(self) -> dict[str, int]: ...

@final
class Stream:
    markets: list[MarketStream]
    frames: int
    size: int
    strays: int
    malformed: int
    heard_ns: int
    market: int
    code: int
    def __new__(cls, markets: Iterable[MarketStream]) -> Self: ...
    def frame(self, data: bytes | bytearray | memoryview) -> int: ...
    def heard(self) -> None: ...
    def beat(self) -> None: ...
    def down(self) -> None: ...
    def void(self, market: int) -> None: ...
    @property
    def trouble(self) -> str: ...
    def file_errors(self) -> dict[int, str]: ...
