from enum import IntEnum
from typing import NamedTuple, final

class GatewayState(IntEnum):
    GATEWAY_STARTING = 0
    GATEWAY_RECONCILING = 1
    GATEWAY_UP = 2
    GATEWAY_DOWN = 3
    GATEWAY_HALTED = 4

SIZE: int
COMMANDS: int
REPORTS: int
ORDER_IDS: int

class LinkCommand(NamedTuple):
    seq: int
    kind: int
    order_id: int
    side: int
    px: int
    qty: int
    tif: int
    reduce_only: int
    tick_ns: int
    expiry_ns: int
    market: int

class LinkReport(NamedTuple):
    kind: int
    order_id: int
    side: int
    px: int
    qty: int
    fee: int
    venue_id: int
    reason: int
    time_ns: int
    venue_ns: int
    flags: int
    market: int

class LinkKey(NamedTuple):
    next: int
    waiting: int = 0
    synced: int = 0
    refused: int = 0
    gaps: int = 0
    resyncs: int = 0

class LinkBudget(NamedTuple):
    sends_left: int = 0
    sends_most: int = 0
    reads_left: int = 0
    reads_most: int = 0

def first_order_id(market: int, next_id: int) -> int: ...
def layout() -> dict[str, tuple[int, int]]: ...

@final
class Link:
    path: str
    engine_pid: int
    engine_beat_ns: int
    engine_state: int
    gateway_pid: int
    gateway_beat_ns: int
    gateway_state: int
    failed: int
    done: int
    quota: int
    differences: int
    gateway_build: int
    budget: LinkBudget
    def __init__(self, *args: object, **kwargs: object) -> None: ...
    @staticmethod
    def create(path: str, market: int, *, chain: int = 0, account: int = 0) -> Link: ...
    @staticmethod
    def open(path: str, market: int | None = None) -> Link: ...
    @property
    def truncated(self) -> bool: ...
    @property
    def market(self) -> int: ...
    @property
    def chain(self) -> int: ...
    @property
    def account(self) -> int: ...
    @property
    def owner(self) -> int: ...
    def key(self, key: str) -> LinkKey: ...
    def show_key(self, key: str, found: LinkKey) -> None: ...
    @property
    def commands_waiting(self) -> int: ...
    @property
    def reports_waiting(self) -> int: ...
    def push_command(
        self,
        kind: int,
        order_id: int = 0,
        *,
        side: int = 0,
        px: int = 0,
        qty: int = 0,
        tif: int = 0,
        reduce_only: bool = False,
        tick_ns: int = 0,
        expiry_ns: int = ...,
    ) -> bool: ...
    def commands(self, at_most: int = 256) -> list[LinkCommand]: ...
    def report(
        self,
        kind: int,
        order_id: int = 0,
        *,
        side: int = 0,
        px: int = 0,
        qty: int = 0,
        fee: int = 0,
        venue_id: int = 0,
        reason: int = 0,
        time_ns: int = 0,
        venue_ns: int = 0,
        flags: int = 0,
    ) -> bool: ...
    def reports(self, at_most: int = 4096) -> list[LinkReport]: ...
