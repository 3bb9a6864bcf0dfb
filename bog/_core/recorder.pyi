from os import PathLike
from typing import Self, final

from typing_extensions import disjoint_base

from bog._core.frames import MarketRow
from bog._core.source import Source

@disjoint_base
class RowWriter:
    path: str
    rows: int
    def append(self, row: MarketRow) -> None: ...
    def copy(self, source: Source) -> int: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

@final
class TapeWriter(RowWriter):
    def __new__(
        cls,
        path: str | PathLike[str],
        market: int,
        price_decimals: int,
        size_decimals: int,
        unix_offset_ns: int = 0,
        created_by: str = "bog",
        created_ns: int | None = None,
    ) -> Self: ...
    def flush(self) -> None: ...

@final
class CsvWriter(RowWriter):
    left_out: int
    def __new__(cls, path: str | PathLike[str], replace: bool = False) -> Self: ...

def dump_csv(source: Source, path: str | PathLike[str], replace: bool = False) -> int: ...
