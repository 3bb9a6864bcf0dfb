"""Rolling-minute limits and the volume quota, as the venue counts them."""

from __future__ import annotations

from collections import deque

from bog.exchange.accounts import Account
from bog.exchange.codec import CANCEL_ALL, CREATE, MODIFY
from bog.exchange.refusal import Refusal

MINUTE_NS = 60_000_000_000
FREE_SLOT_NS = 15_000_000_000
PAID = {CREATE, MODIFY, CANCEL_ALL}  # transactions that use volume quota
# weights of reads for Plus and Premium; what is not listed weighs 300
WEIGHTS = {
    "nextNonce": 6, "sendTx": 6, "sendTxBatch": 6, "apikeys": 150, "accountInactiveOrders": 100,
    "accountActiveOrders": 100, "accountOrders": 100, "recentTrades": 200, "trades": 200,
    "setMakerOnlyApiKeys": 3000, "changeAccountTier": 3000,
}  # fmt: skip
WEIGHT = 300


class Window:
    """What was used in the last minute, of one budget; afterwards a cool-down."""

    def __init__(self) -> None:
        self.used: deque[tuple[int, int]] = deque()
        self.total = 0
        self.closed_ns = 0

    def take(self, now_ns: int, weight: int, limit: int) -> bool:
        """Count `weight` and return True, or return False when it does not fit."""
        while self.used and self.used[0][0] <= now_ns - MINUTE_NS:
            self.total -= self.used.popleft()[1]
        if now_ns < self.closed_ns:
            return False
        if self.total + weight > limit:
            self.closed_ns = now_ns + MINUTE_NS * weight // max(1, limit)
            return False
        self.used.append((now_ns, weight))
        self.total += weight
        return True


class Rates:
    """The budgets of every account. `enabled` False is the testnet: nothing is counted."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self.reads: dict[int, Window] = {}
        self.sends: dict[int, Window] = {}

    def read(self, account: Account | None, path: str, now_ns: int) -> None:
        """Count a read; those without a known account share one budget of the address, as Premium."""
        if not self.enabled or path in ("sendTx", "sendTxBatch"):
            return
        weighted = account is None or account.tier.weighted
        limit = 24_000 if account is None else account.tier.reads
        weight = WEIGHTS.get(path, WEIGHT) if weighted else 1
        window = self.reads.setdefault(account.index if account else -1, Window())
        if not window.take(now_ns, weight, limit):
            raise Refusal(23000)

    def send(self, account: Account, count: int, now_ns: int) -> None:
        """Count transactions; on Standard they share the budget of the reads."""
        if not self.enabled:
            return
        pool = self.sends if account.tier.weighted else self.reads
        window = pool.setdefault(account.index, Window())
        if not window.take(now_ns, count, account.tier.sends):
            raise Refusal(23000)

    def quota(self, account: Account, kinds: list[int], now_ns: int) -> bool:
        """Use volume quota; return False when the free slot, or nothing, was used."""
        paid = sum(1 for kind in kinds if kind in PAID)
        if not self.enabled or not account.tier.quota or paid == 0:
            return False
        if len(kinds) == 1 and now_ns - account.free_slot_ns >= FREE_SLOT_NS:
            account.free_slot_ns = now_ns
            return False
        if account.quota < paid:
            raise Refusal(23000, " (volume quota)", status=429)
        account.quota -= paid
        return True
