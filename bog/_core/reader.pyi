from os import PathLike
from typing import Any, Self, final

from bog._core.shm import DIRECTORY as DIRECTORY
from bog._core.shm import PREFIX as PREFIX

@final
class Reader:
    dex: int
    market: int
    path: str
    next: int
    next_seq: int
    epoch: int
    epochs: int
    laps: int
    lost_rows: int
    lost_records: int
    gaps: int
    torn: int
    garbage: int
    code: int
    def __new__(
        cls,
        market: int,
        *,
        dex: int = ...,
        directory: str | PathLike[str] = ...,
        prefix: str = ...,
        owner: int | None = ...,
        price_decimals: int = ...,
        size_decimals: int = ...,
    ) -> Self: ...
    def why(self) -> str: ...
    def row(self) -> tuple[int, int, int, int, int, int, int, int, int, int, int] | None: ...
    def record(self) -> dict[str, Any] | None: ...
    def book(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]] | None: ...
    def top(self, levels: int) -> dict[str, Any] | None: ...
    def drain(self, most: int) -> int: ...
    def listen(self, count: int, patience_ns: int) -> list[int]: ...
    def refresh(self) -> bool: ...
    def header(self) -> dict[str, int]: ...
