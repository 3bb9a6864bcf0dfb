from enum import IntEnum
from os import PathLike
from types import TracebackType
from typing import Any, Self, final

from typing_extensions import Buffer

DIRECTORY: str
PREFIX: str

class FeedError(Exception): ...

class Refusal(IntEnum):
    REFUSE_NONE = 0
    REFUSE_OPEN = 1
    REFUSE_TYPE = 2
    REFUSE_OWNER = 3
    REFUSE_MODE = 4
    REFUSE_LINKS = 5
    REFUSE_SIZE = 6
    REFUSE_MAP = 7
    REFUSE_MAGIC = 8
    REFUSE_VERSION = 9
    REFUSE_GEOMETRY = 10
    REFUSE_DEX = 11
    REFUSE_MARKET = 12
    REFUSE_DEPTH = 13
    REFUSE_PX_DECIMALS = 14
    REFUSE_QTY_DECIMALS = 15
    REFUSE_WRITER = 16
    REFUSE_EPOCH = 17
    REFUSE_STATE = 18
    REFUSE_CLOCK = 19
    REFUSE_RESERVED = 20

def encode(dex: int, market: int) -> int: ...
def decode(key: int) -> tuple[int, int]: ...
def object_path(
    dex: int, market: int, directory: str | PathLike[str] = ..., prefix: str = ...
) -> str: ...
def sequence_step(last: int, seq: int) -> tuple[int, int]: ...
def process_start(pid: int) -> int: ...
def layout() -> dict[str, tuple[int, int]]: ...

@final
class Publisher:
    rows: int
    seq: int
    refused: int
    path: str
    market: int
    def __init__(
        self,
        market: int,
        *,
        dex: int = ...,
        directory: str | PathLike[str] = ...,
        prefix: str = ...,
        price_decimals: int,
        size_decimals: int,
        start_ns: int | None = ...,
        unix_offset_ns: int | None = ...,
        first_seq: int = ...,
    ) -> None: ...
    def put(
        self,
        kind: int,
        side: int = ...,
        px: int = ...,
        qty: int = ...,
        *,
        recv_ns: int = ...,
        exch_ns: int = ...,
        id: int = ...,
        eom: int = ...,
        flags: int = ...,
    ) -> None: ...
    def put_packed(self, data: Buffer) -> int: ...
    def heartbeat(self, now_ns: int | None = ...) -> None: ...
    def is_intact(self) -> bool: ...
    @property
    def epoch(self) -> int: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

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
    refusal: int
    found: int
    wanted: int
    def __init__(
        self,
        market: int,
        *,
        dex: int = ...,
        directory: str | PathLike[str] = ...,
        prefix: str = ...,
        owner: int | None = ...,
        price_decimals: int = ...,
        size_decimals: int = ...,
    ) -> None: ...
    def why(self) -> str: ...
    def row(self) -> tuple[int, int, int, int, int, int, int, int, int, int, int] | None: ...
    def record(self) -> dict[str, Any] | None: ...
    def book(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]] | None: ...
    def drain(self, most: int) -> int: ...
    def listen(self, count: int, patience_ns: int) -> list[int]: ...
    def refresh(self) -> bool: ...
    def header(self) -> dict[str, int]: ...
