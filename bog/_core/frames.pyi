from enum import IntEnum
from typing import NamedTuple, Self, final

class FrameError(IntEnum):
    BAD_SYNTAX = -1
    BAD_DEPTH = -2
    BAD_UTF8 = -3
    BAD_ESCAPE = -4
    BAD_DUPLICATE = -5
    BAD_MISSING = -6
    BAD_VALUE = -7
    BAD_DECIMALS = -8
    BAD_RANGE = -9
    BAD_ROOM = -10
    BAD_MARKET = -11
    BAD_CONFLICT = -12
    BAD_CHAIN = -13

class FrameKind(IntEnum):
    FRAME_OTHER = 0
    FRAME_SNAPSHOT = 1
    FRAME_UPDATE = 2
    FRAME_TRADES_NEW = 3
    FRAME_TRADES_PAST = 4
    FRAME_STATS = 5
    FRAME_ELSEWHERE = 6
    FRAME_CONNECTED = 7
    FRAME_PING = 8
    FRAME_PONG = 9
    FRAME_UNSUBSCRIBED = 10
    FRAME_SHUTDOWN = 11
    FRAME_ERROR = 12

class FrameChain(IntEnum):
    CHAIN_NONE = 0
    CHAIN_OFFSET = 1
    CHAIN_NONCE = 2

REASONS: dict[int, str]

class MarketRow(NamedTuple):
    recv_ns: int
    exch_ns: int
    kind: str
    side: int
    px: int
    qty: int
    id: int
    eom: int
    flags: int

@final
class FramesProbe:
    def __new__(
        cls, market: int, price_decimals: int, size_decimals: int, cap: int = ...
    ) -> Self: ...
    def parse(self, text: bytes | bytearray | memoryview, recv_ns: int = 0) -> list[MarketRow]: ...
    def count(self, text: bytes | bytearray | memoryview, times: int = 1) -> int: ...
    def message(self) -> str: ...
    @property
    def kind(self) -> int: ...
    @property
    def error(self) -> int: ...
    @property
    def code(self) -> int: ...
    @property
    def has_book(self) -> bool: ...
    def counters(self) -> dict[str, int]: ...
