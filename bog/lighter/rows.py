"""What the venue says of an account, row by row, in the core's units.

Decimals become ticks, lots and quanta exactly or not at all; a field of a wrong type refuses the
whole message in one line, because half a message could flatten a position. Unknown fields are
passed over: they appear every month.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from bog import units
from bog._core.types import Side
from bog.errors import DataError, one_line

MICRO = 1_000_000


class RowError(DataError):
    """A message of the venue that cannot be understood."""


class Scale(NamedTuple):
    """What a tick and a lot of a market are."""

    market: int
    price_decimals: int
    size_decimals: int


class OrderRow(msgspec.Struct):
    order_index: int
    client_order_index: int
    market_index: int
    initial_base_amount: str
    price: str
    remaining_base_amount: str
    filled_base_amount: str
    is_ask: bool
    status: str
    time_in_force: str = ""
    reduce_only: bool = False
    order_expiry: int = 0
    transaction_time: int = 0


class TradeRow(msgspec.Struct):
    trade_id: int
    market_id: int
    size: str
    price: str
    ask_id: int
    bid_id: int
    ask_account_id: int
    bid_account_id: int
    is_maker_ask: bool
    type: str = "trade"
    ask_client_id: int = 0
    bid_client_id: int = 0
    maker_fee: int = 0
    taker_fee: int = 0
    timestamp: int = 0
    transaction_time: int = 0


class PositionRow(msgspec.Struct):
    market_id: int
    sign: int
    position: str
    open_order_count: int = 0
    avg_entry_price: str = "0"
    unrealized_pnl: str = "0"


class FundingRow(msgspec.Struct):
    timestamp: int  # s
    market_id: int
    change: str  # of the collateral, USDC


class TxRow(msgspec.Struct):
    hash: str
    type: int
    status: int = -1
    event_info: str = ""
    nonce: int = -1
    api_key_index: int = -1
    executed_at: int = 0


class OrderView(NamedTuple):
    """One order as the venue has it."""

    client: int  # our order id; 0: none
    order_index: int  # the venue's
    market: int
    side: int  # enum bog_side
    px: int
    qty: int  # total, what is filled included
    filled: int
    status: str
    version_us: int  # orders two words about one order; 0: unknown


class TradeView(NamedTuple):
    """One fill of ours."""

    id: int
    market: int
    client: int
    order_index: int
    side: int  # ours, enum bog_side
    px: int
    qty: int
    fee: int  # quanta, rounded against us
    is_maker: bool
    time_us: int


class PositionView(NamedTuple):
    market: int
    pos: int  # lots, signed
    cost: int  # quanta, of its size at the average entry price, rounded against us; -1: not known
    open_orders: int


class TxView(NamedTuple):
    """A transaction that the sequencer has run. `code` 0: it took effect."""

    hash: str
    kind: int
    code: int
    status: int


def _number(text: str, decimals: int, what: str, high: int = units.INT64_MAX) -> int:
    try:
        return units.scaled(text, decimals, what, high)
    except ValueError as error:
        raise RowError(one_line(str(error))[:160]) from None


def order_view(row: OrderRow, scale: Scale) -> OrderView:
    """Return an order in ticks and lots."""
    qty = _number(row.initial_base_amount, scale.size_decimals, "initial_base_amount")
    filled = _number(row.filled_base_amount, scale.size_decimals, "filled_base_amount")
    if filled < 0:
        raise RowError(f"filled_base_amount {row.filled_base_amount} is negative")
    return OrderView(
        row.client_order_index, row.order_index, row.market_index,
        int(Side.ASK if row.is_ask else Side.BID),
        _number(row.price, scale.price_decimals, "price", units.PX_MAX),
        qty, filled, row.status, row.transaction_time,
    )  # fmt: skip


def fee(px: int, qty: int, ppm: int) -> int:
    """Return the fee of a fill in quanta: a fraction counts against us, also in a rebate."""
    return -(-px * qty * ppm // MICRO)


def micro(text: str, what: str) -> int:
    """Return an amount of USDC in millionths."""
    return _number(text, 6, what)


def quanta_paid(paid: int, scale: Scale) -> int:
    """Return what was paid, in micro-USDC, in quanta of a market: a fraction counts against us."""
    steps: int = 10 ** (scale.price_decimals + scale.size_decimals)
    return -(-paid * steps // MICRO)


def trade_views(row: TradeRow, account: int, scale: Scale) -> list[TradeView]:
    """Return what a trade is to the account: nothing, one fill, or two when it met itself."""
    px = _number(row.price, scale.price_decimals, "price", units.PX_MAX)
    qty = _number(row.size, scale.size_decimals, "size")
    if row.trade_id <= 0 or px <= 0 or qty <= 0:
        raise RowError(f"trade {row.trade_id} of {row.size} at {row.price}: want all positive")
    time_us = row.transaction_time or row.timestamp * 1000
    found = []
    for side, owner, client, index in (
        (Side.BID, row.bid_account_id, row.bid_client_id, row.bid_id),
        (Side.ASK, row.ask_account_id, row.ask_client_id, row.ask_id),
    ):
        if owner != account:
            continue
        is_maker = row.is_maker_ask == (side == Side.ASK)
        ppm = row.maker_fee if is_maker else row.taker_fee
        found.append(TradeView(
            row.trade_id, row.market_id, client, index, int(side), px, qty,
            fee(px, qty, ppm), is_maker, time_us,
        ))  # fmt: skip
    return found


def _cost(row: PositionRow, size: int, scale: Scale) -> int:
    """Return what a position cost; the price is an average, with any number of decimals."""
    try:
        above, below = units.parse(row.avg_entry_price).as_integer_ratio()
    except ValueError:
        return -1
    steps: int = size * above * 10**scale.price_decimals
    return max(-1, steps // below if row.sign < 0 else -(-steps // below))


def position_view(row: PositionRow, scale: Scale) -> PositionView:
    """Return a signed position: the venue sends its size without a sign."""
    size = _number(row.position, scale.size_decimals, "position")
    if size < 0 or row.sign not in (-1, 0, 1) or (row.sign == 0 and size):
        raise RowError(f"position {row.position} of sign {row.sign}: want a size and 1 or -1")
    cost = _cost(row, size, scale)
    return PositionView(row.market_id, size * (row.sign or 1), cost, row.open_order_count)


class _Event(msgspec.Struct):
    ae: str = ""


class _AppError(msgspec.Struct):
    code: int


def app_code(event_info: str) -> int:
    """Return the code of the application's refusal in `event_info`, 0 when it says none."""
    if not event_info:
        return 0
    try:
        said = msgspec.json.decode(event_info, type=_Event).ae
        return msgspec.json.decode(said, type=_AppError).code if said else 0
    except (msgspec.DecodeError, ValueError) as error:
        raise RowError(f"event_info cannot be read: {one_line(str(error))[:120]}") from None


def tx_view(row: TxRow) -> TxView:
    """Return what became of a transaction that was run."""
    return TxView(row.hash, row.type, app_code(row.event_info), row.status)
