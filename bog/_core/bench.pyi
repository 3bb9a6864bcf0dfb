from collections.abc import Sequence
from typing import Any, final

from bog._core.link import Link
from bog._core.publisher import Publisher
from bog._core.stats import StatsPage

_Levels = Sequence[tuple[int, int]]
_Book = tuple[_Levels, _Levels]
_Rows = Sequence[tuple[int, int, int]]

MEETING_BYTES: int
SIZES: dict[str, int]

def ticks() -> int: ...

@final
class Blocks:
    commands: int
    records: int
    turns: int
    y: int
    def __new__(cls, image: bytes, even: _Book, odd: _Book) -> Blocks: ...
    def repeated(self) -> int: ...
    def moved(self) -> int: ...
    def denied(self) -> list[int]: ...
    def pairs(
        self, n: int, loud: bool, references: int = 128, turns: int = 256
    ) -> list[tuple[int, int]]: ...
    def once(self, *, exch_ns: int = 0, alive_ns: int = -1, room: int = ...) -> int: ...

@final
class Meeting:
    def __new__(cls, page: Any) -> Meeting: ...
    def ping(self, out: Any, patience_ns: int = 2_000_000_000) -> None: ...
    def pong(self, n: int, patience_ns: int = 2_000_000_000) -> None: ...

def cross(
    publisher: Publisher,
    link: Link,
    page: StatsPage,
    even: _Rows,
    odd: _Rows,
    out: Any,
    *,
    commands: int,
    spacing_ns: int,
    patience_ns: int = 2_000_000_000,
) -> None: ...
