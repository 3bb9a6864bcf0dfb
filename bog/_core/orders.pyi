from enum import IntEnum
from typing import Any, final

class OrderEvent(IntEnum):
    EV_SEND = 0
    EV_ACK = 1
    EV_REJECT = 2
    EV_PARTIAL_FILL = 3
    EV_FULL_FILL = 4
    EV_CANCEL = 5
    EV_CANCELED = 6
    EV_CANCEL_REJECT = 7
    EV_AMEND = 8
    EV_AMENDED = 9
    EV_AMEND_REJECT = 10
    EV_EXPIRED = 11
    EV_LOST = 12
    ORDER_EVENTS = 13

class OrderCell(IntEnum):
    CELL_IGNORE = 16
    CELL_BACK = 17
    CELL_LATE = 18
    CELL_FAULT = 19

class OrderFault(IntEnum):
    FAULT_NONE = 0
    FAULT_STATE = 1
    FAULT_FOREIGN = 2
    FAULT_FORGOTTEN = 3
    FAULT_OVERFILL = 4
    FAULT_SIZE = 5
    FAULT_SIDE = 6
    FAULT_MARKET = 7
    FAULT_TRADE = 8
    FAULT_AMEND = 9
    FAULT_KIND = 10
    ORDER_FAULTS = 11

class EffectFlag(IntEnum):
    EFFECT_LATE = 1
    EFFECT_DUPLICATE = 2
    EFFECT_IGNORED = 4
    EFFECT_DEAD = 8

class Change(IntEnum):
    CHANGE_KEEP = 0
    CHANGE_AMEND = 1
    CHANGE_REPLACE = 2

class PlanKind(IntEnum):
    PLAN_NONE = 0
    PLAN_PLACE = 1
    PLAN_AMEND = 2
    PLAN_CANCEL = 3
    PLAN_WAIT = 4

def cell(state: int, event: int) -> int: ...

@final
class OrdersProbe:
    def __new__(
        cls,
        next_id: int = 1,
        market: int = 0,
        keep_ns: int = 0,
        retry_ns: int = 1_000_000_000,
        linger_ns: int = 0,
    ) -> OrdersProbe: ...
    def place(
        self, side: int, px: int, qty: int, now: int = 0, expiry_ns: int = ...
    ) -> tuple[dict[str, int], int] | None: ...
    def sent(self, slot: int) -> bool: ...
    def drop(self, slot: int, reason: int = 15, now: int = 0) -> bool: ...
    def amend(self, slot: int, px: int, qty: int, now: int = 0) -> dict[str, int] | None: ...
    def cancel(self, slot: int, now: int = 0) -> dict[str, int] | None: ...
    def plan(
        self, side: int, px: int, qty: int, change: int = ..., now: int = 0
    ) -> tuple[int, int, int, int]: ...
    def report(
        self,
        kind: int,
        order_id: int,
        px: int = 0,
        qty: int = 0,
        venue_id: int = 0,
        side: int = 0,
        reason: int = 0,
        fee: int = 0,
        time_ns: int = 0,
        venue_ns: int = 0,
        market: int = 0,
    ) -> dict[str, int]: ...
    def exposure(self, now: int = 0, skip: int = -1, side: int = -1) -> dict[str, Any]: ...
    def orders(self) -> dict[int, dict[str, int]]: ...
    def live(self) -> list[int]: ...
    def counts(self) -> dict[str, int]: ...
    def churn(self, rounds: int) -> int: ...
