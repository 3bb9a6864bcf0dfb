from enum import IntEnum
from os import PathLike
from typing import Self, final

from typing_extensions import Buffer

class JournalResult(IntEnum):
    JOURNAL_OK = 0
    JOURNAL_FULL = 1
    JOURNAL_FAILED = 2

PAGE: int
VERSION: int
HEADER_MAGIC: bytes
SEGMENT_MAGIC: bytes
SEGMENTS: str

def crc32c(data: Buffer, crc: int = 0) -> int: ...
def crc32c_portable(data: Buffer, crc: int = 0) -> int: ...
def verify(data: Buffer, crc: int, first: int = 1) -> tuple[int, int]: ...
def file_name(market: int, run: int) -> str: ...
def segment_name(directory: PathLike[str] | str, market: int, run: int) -> str: ...
def lock(directory: PathLike[str] | str, market: int) -> int: ...
def private_directory(directory: PathLike[str] | str) -> None: ...

@final
class JournalFile:
    def __new__(
        cls,
        directory: PathLike[str] | str,
        *,
        market: int,
        run: int,
        price_decimals: int,
        size_decimals: int,
        account: int = 0,
        run_id: str = "",
        build: str = "",
        config_hash: bytes = ...,
        mode: int = 0,
        segments: PathLike[str] | str = ...,
        capacity: int = 65536,
        rotate: int = 0,
    ) -> Self: ...
    @property
    def path(self) -> str: ...
    @property
    def segment(self) -> str: ...
    @property
    def rotate_at(self) -> int: ...
    @property
    def written(self) -> int: ...
    @property
    def durable(self) -> int: ...
    @property
    def room(self) -> int: ...
    @property
    def failed(self) -> int: ...
    def append(
        self,
        kind: int,
        *,
        time_ns: int = 0,
        id: int = 0,
        px: int = 0,
        qty: int = 0,
        val: int = 0,
        side: int = 0,
        reason: int = 0,
        state: int = 0,
        aux: int = 0,
    ) -> int: ...
    def append_all(self, records: Buffer) -> int: ...
    def close(self) -> bool: ...
