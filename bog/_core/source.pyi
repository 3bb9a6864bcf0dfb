from collections.abc import Callable, Iterator
from os import PathLike
from typing import Any, Self, final

from bog._core.frames import MarketRow

FORMATS: dict[int, str]
HEAD: int
LOOP_GAP_NS: int

@final
class Source:
    path: str
    name: str
    format: str
    note: str
    market: int | None
    price_decimals: int | None
    size_decimals: int | None
    rows_by_kind: dict[str, int]
    rows: int
    messages: int
    first_recv_ns: int
    last_recv_ns: int
    def __new__(
        cls,
        path: str,
        data: Any,
        kind: int,
        market: int | None,
        price_decimals: int | None,
        size_decimals: int | None,
    ) -> Self: ...
    def measure_tape(self) -> None: ...
    def scan(self) -> None: ...
    def error(self) -> str: ...
    def rewind(self) -> None: ...
    def loop(self) -> None: ...
    def next_row(self) -> MarketRow | None: ...
    def __iter__(self) -> Iterator[MarketRow]: ...
    def raw(self, count: int) -> bytes: ...
    def next_recv_ns(self) -> int | None: ...
    @property
    def progress(self) -> tuple[int, int]: ...
    @property
    def sha256(self) -> str: ...
    @property
    def frame_counters(self) -> dict[str, int] | None: ...

def open_source(
    path: str | PathLike[str],
    market: int | None = None,
    price_decimals: int | None = None,
    size_decimals: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Source: ...
def read_head(path: str, data: Any) -> dict[str, Any]: ...
