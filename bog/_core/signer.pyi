from collections.abc import Mapping, Sequence
from enum import IntEnum
from os import PathLike
from typing import NamedTuple, NoReturn, Self, final

_Bytes = bytes | bytearray | memoryview

class TxType(IntEnum):
    CREATE = 14
    CANCEL = 15
    CANCEL_ALL = 16
    MODIFY = 17
    LEVERAGE = 20
    GROUP = 28

class SignReason(IntEnum):
    SIGN_OK = 0
    BAD_TYPE = 1
    BAD_NONCE = 2
    BAD_EXPIRED_AT = 3
    BAD_MARKET = 4
    BAD_CLIENT_INDEX = 5
    BAD_INDEX = 6
    BAD_SIZE = 7
    BAD_PRICE = 8
    BAD_TRIGGER = 9
    BAD_KIND = 10
    BAD_ORDER_EXPIRY = 11
    BAD_TIME = 12
    BAD_GROUP = 13
    BAD_MARGIN = 14
    BAD_ATTRIBUTE = 15
    DENY_MARKET = 16
    DENY_SIZE = 17
    DENY_PRICE = 18
    DENY_DAILY = 19
    DENY_LEVERAGE = 20
    DENY_INTEGRATOR = 21
    DENY_DEADLINE = 22
    FAIL_ROOM = 23
    FAIL_KEY = 24
    FAIL_BUSY = 25
    FAIL_RANDOM = 26
    SIGN_REASONS = 27

VMCLOCK: str
WHY: dict[int, str]

class Signed(NamedTuple):
    type: int
    hash: str
    text: bytes

class View(NamedTuple):
    type: int
    nonce: int
    expired_at_ms: int
    market: int
    client_index: int
    index: int  # type: ignore[assignment]
    size: int
    px: int
    trigger_px: int
    kind: int
    time_in_force: int
    expiry_ms: int
    time_ms: int
    grouping: int
    n_orders: int
    margin_fraction: int
    margin_mode: int

class NotSigned(ValueError):
    reason: SignReason
    def __init__(self, reason: SignReason, text: str) -> None: ...

def transaction_hash(chain_id: int, kind: int, info: str | bytes) -> bytes: ...
def verify_transaction(public_key: _Bytes, chain_id: int, kind: int, info: str | bytes) -> bool: ...
def verify_token(public_key: _Bytes, token: str) -> bool: ...
def harden() -> None: ...

@final
class Signer:
    def __new__(
        cls,
        *,
        key: bytearray | None = None,
        path: str | PathLike[str] | None = None,
        chain_id: int,
        account_index: int,
        key_index: int,
        markets: Mapping[int, tuple[int, int, int]],
        daily_notional: int,
        spent_today: int = 0,
        min_margin_fraction: int = 10001,
        integrator: int = 0,
        pairs: int = 256,
        vmclock: str = ...,
    ) -> Self: ...
    @staticmethod
    def from_file(path: str | PathLike[str], **settings: object) -> Signer: ...
    def close(self) -> None: ...
    def create_order(
        self,
        nonce: int,
        expired_at_ms: int,
        market: int,
        client_index: int,
        size: int,
        px: int,
        is_ask: bool | int,
        expiry_ms: int = 0,
        type: int = 0,
        time_in_force: int = 2,
        reduce_only: bool | int = False,
        trigger_px: int = 0,
        attributes: Mapping[int, int] | None = None,
        form: bool = False,
    ) -> Signed: ...
    def cancel_order(
        self,
        nonce: int,
        expired_at_ms: int,
        market: int,
        index: int,
        attributes: Mapping[int, int] | None = None,
        form: bool = False,
    ) -> Signed: ...
    def modify_order(
        self,
        nonce: int,
        expired_at_ms: int,
        market: int,
        index: int,
        size: int,
        px: int,
        trigger_px: int = 0,
        attributes: Mapping[int, int] | None = None,
        form: bool = False,
    ) -> Signed: ...
    def cancel_all(
        self,
        nonce: int,
        expired_at_ms: int,
        time_in_force: int = 0,
        time_ms: int = 0,
        attributes: Mapping[int, int] | None = None,
        form: bool = False,
    ) -> Signed: ...
    def update_leverage(
        self,
        nonce: int,
        expired_at_ms: int,
        market: int,
        margin_fraction: int,
        margin_mode: int = 0,
        attributes: Mapping[int, int] | None = None,
        form: bool = False,
    ) -> Signed: ...
    def create_group(
        self,
        nonce: int,
        expired_at_ms: int,
        grouping: int,
        orders: Sequence[dict[str, int]],
        attributes: Mapping[int, int] | None = None,
        form: bool = False,
    ) -> Signed: ...
    def auth_token(self, deadline_s: int) -> str: ...
    def fill(self, want: int = ...) -> int: ...
    @property
    def ready(self) -> int: ...
    @property
    def public_key(self) -> bytes: ...
    @property
    def spent_today(self) -> int: ...
    def counters(self) -> dict[str, int]: ...
    def __reduce__(self) -> NoReturn: ...
