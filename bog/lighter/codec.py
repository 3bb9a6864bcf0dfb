"""The venue's wire: what is sent as bytes, what comes as one of a few messages.

A transaction goes out as the signer wrote it, byte for byte. What comes is typed here once, so that
nobody below looks into JSON; what a message cannot be is a RowError in one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from bog.errors import one_line
from bog.lighter.rows import FundingRow, OrderRow, PositionRow, RowError, TradeRow, TxRow

BATCH_MOST = 15  # transactions in one message
PING, PONG = b'{"type":"ping"}', b'{"type":"pong"}'
T = TypeVar("T")

# what is sent


def send_one(id: int, kind: int, info: bytes) -> bytes:
    """Return the message that sends one transaction; `id` comes back in its answer."""
    return b'{"type":"jsonapi/sendtx","data":{"id":"%d","tx_type":%d,"tx_info":%b}}' % (
        id, kind, info,
    )  # fmt: skip


def send_batch(id: int, txs: Sequence[tuple[int, bytes]]) -> bytes:
    """Return the message that sends several transactions in their order: lists as text, in text."""
    if not 1 <= len(txs) <= BATCH_MOST:
        raise ValueError(f"a batch of {len(txs)} transactions, want 1 to {BATCH_MOST}")
    kinds = msgspec.json.encode([kind for kind, _ in txs]).decode()
    infos = msgspec.json.encode([info.decode() for _, info in txs]).decode()
    data = {"id": str(id), "tx_types": kinds, "tx_infos": infos}
    return msgspec.json.encode({"type": "jsonapi/sendtxbatch", "data": data})


def send_form(kind: int, info: bytes) -> bytes:
    """Return the body of a POST to sendTx: base64's plus and slash are escaped."""
    return urlencode({"tx_type": kind, "tx_info": info.decode()}).encode()


def send_form_batch(txs: Sequence[tuple[int, bytes]]) -> bytes:
    """Return the body of a POST to sendTxBatch."""
    kinds = msgspec.json.encode([kind for kind, _ in txs]).decode()
    infos = msgspec.json.encode([info.decode() for _, info in txs]).decode()
    return urlencode({"tx_types": kinds, "tx_infos": infos}).encode()


def subscribe(channel: str, token: str) -> bytes:
    return msgspec.json.encode({"type": "subscribe", "channel": channel, "auth": token})


def unsubscribe(channel: str) -> bytes:
    return msgspec.json.encode({"type": "unsubscribe", "channel": channel})


# what comes over the socket


class Error(msgspec.Struct):
    code: int = 0
    message: str = ""


class Stats(msgspec.Struct):
    collateral: str = ""
    available_balance: str = ""
    portfolio_value: str = ""


class Frame(msgspec.Struct):
    """Any message of the venue: which fields are there depends on `type`."""

    type: str = ""
    channel: str = ""
    id: str | int = ""
    code: int = 200
    message: str = ""
    error: Error | None = None
    tx_hash: str | list[str] = ""
    predicted_execution_time_ms: int = 0
    volume_quota_remaining: int = -1
    close_in_ms: int = 0
    orders: dict[str, list[OrderRow] | None] | None = None
    trades: dict[str, list[TradeRow] | None] | None = None
    positions: dict[str, PositionRow] | None = None
    txs: list[TxRow] | None = None
    stats: Stats | None = None

    @property
    def family(self) -> str:
        """Return the channel's name: `account_tx` of `account_tx:7`."""
        return self.channel.partition(":")[0]

    @property
    def is_snapshot(self) -> bool:
        """Whether it holds all there is, not only what changed."""
        return self.type.startswith("subscribed/")

    @property
    def hashes(self) -> list[str]:
        """Return the transactions that an answer is about."""
        return [self.tx_hash] if isinstance(self.tx_hash, str) else self.tx_hash

    @property
    def refusal(self) -> Error | None:
        """Return the error of an answer, None when there is none."""
        if self.error is not None:
            return self.error
        # one form has the code beside the type
        return Error(self.code, self.message) if self.code != 200 else None


_FRAME = msgspec.json.Decoder(Frame)


def frame(data: bytes | memoryview) -> Frame:
    """Return a message of the socket, or raise RowError."""
    try:
        return _FRAME.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RowError(f"a frame cannot be read: {one_line(str(error))[:160]}") from None


# what comes over HTTP


class Answer(msgspec.Struct):
    """What every answer has."""

    code: int = 200
    message: str = ""


class NextNonce(Answer):
    nonce: int = -1


class Sent(Answer):
    tx_hash: str | list[str] = ""
    predicted_execution_time_ms: int = 0
    volume_quota_remaining: int = -1


class Tx(Answer):
    hash: str = ""
    type: int = 0
    status: int = -1
    event_info: str = ""


class Orders(Answer):
    orders: list[OrderRow] | None = None
    next_cursor: str = ""


class Trades(Answer):
    trades: list[TradeRow] | None = None
    next_cursor: str = ""


class Fundings(Answer):
    position_fundings: list[FundingRow] | None = None
    next_cursor: str = ""


class AccountRow(msgspec.Struct):
    index: int
    collateral: str
    cancel_all_time: int = 0
    available_balance: str = ""
    positions: list[PositionRow] | None = None


class Accounts(Answer):
    accounts: list[AccountRow] | None = None


class Limits(Answer):
    user_tier: str = ""
    current_maker_fee_tick: int = 0
    current_taker_fee_tick: int = 0


class KeyRow(msgspec.Struct):
    api_key_index: int
    public_key: str


class Keys(Answer):
    api_keys: list[KeyRow] | None = None


class Root(msgspec.Struct):
    """`GET /`: no code, and the venue's clock in seconds."""

    timestamp: int


def body(data: bytes, kind: type[T]) -> T:
    """Return an answer of a kind, or raise RowError."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        what: Any = kind.__name__
        raise RowError(f"{what} cannot be read: {one_line(str(error))[:160]}") from None
