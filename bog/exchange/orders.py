"""One order, from its creation to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bog.exchange.accounts import Account

LIMIT, MARKET = 0, 1
IOC, GTT, POST_ONLY = 0, 1, 2
EXPIRE_MAKER, EXPIRE_TAKER, EXPIRE_BOTH, REDUCE = 0, 1, 2, 3

IN_PROGRESS, PENDING, OPEN, FILLED, CANCELED = 0, 1, 2, 3, 4
NO_POST_ONLY, NO_REDUCE_ONLY, NO_POSITION, NO_MARGIN = 5, 6, 7, 8
SLIPPAGE, NO_LIQUIDITY, SELF_TRADED, EXPIRED = 9, 10, 11, 12
LIQUIDATED, INVALID_BALANCE = 15, 16
STATUSES = (
    "in-progress", "pending", "open", "filled", "canceled", "canceled-post-only",
    "canceled-reduce-only", "canceled-position-not-allowed", "canceled-margin-not-allowed",
    "canceled-too-much-slippage", "canceled-not-enough-liquidity", "canceled-self-trade",
    "canceled-expired", "canceled-oco", "canceled-child", "canceled-liquidation",
    "canceled-invalid-balance",
)  # fmt: skip
KINDS = ("limit", "market", "liquidation")
TIMES = ("immediate-or-cancel", "good-till-time", "post-only")


@dataclass(slots=True, eq=False)
class Order:
    """Sizes in lots, prices in ticks. `account` is None for an order of the public market."""

    index: int
    client: int
    account: Account | None
    owner: int  # the account's index as the venue shows it
    market: int
    is_ask: bool
    px: int
    size: int  # as sent, what is filled included
    filled: int = 0
    quote: int = 0  # micro-USDC of the fills
    kind: int = LIMIT
    tif: int = GTT
    reduce_only: bool = False
    expiry_ms: int = 0
    status: int = IN_PROGRESS
    created_s: int = 0
    updated_s: int = 0
    time_us: int = 0
    block: int = 0
    version: int = 0
    self_trade: int = EXPIRE_MAKER
    by_master: bool = False
    hash: str = ""  # of the transaction that last shaped it
    liquidation: bool = False

    @property
    def left(self) -> int:
        """Lots that are open: none once the order has ended."""
        return self.size - self.filled if self.status <= OPEN else 0

    @property
    def nonce(self) -> int:
        """The order's number inside its market."""
        return self.index % (1 << 48)

    @property
    def signed(self) -> int:
        """1 for a bid, -1 for an ask."""
        return -1 if self.is_ask else 1
