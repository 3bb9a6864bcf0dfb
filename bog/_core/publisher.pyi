from os import PathLike
from types import TracebackType
from typing import Self, final

from typing_extensions import Buffer

from bog._core.shm import DIRECTORY as DIRECTORY
from bog._core.shm import PREFIX as PREFIX

@final
class Publisher:
    rows: int
    seq: int
    refused: int
    path: str
    market: int
    def __new__(
        cls,
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
    ) -> Self: ...
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
