"""What may be asked of the venue now: requests of a rolling minute, and the quota that trading earns.

Cancels come first: a create or an amend is refused when after it too little would be left to cancel
every live order. On a tier that counts reads and sends together, reads give way to both.
Pure: the clock is passed in.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from bog._core.types import Reject
from bog.lighter.connection import MINUTE, SECOND

SPARE = 4  # requests kept beside one cancel for each live order: cancel-all, next nonce, a look
WEIGHTS = {
    "nextNonce": 6, "sendTx": 6, "accountOrders": 300, "accountActiveOrders": 300, "account": 300,
    "tx": 300, "trades": 600, "positionFunding": 300, "accountLimits": 300, "apikeys": 150, "": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Tier:
    """What a tier allows."""

    sends_per_min: int
    reads_per_min: int  # weighted; counted one each where `shared`
    shared: bool  # one bucket for reads and sends
    quota: int = -1  # creates, amends and cancel-alls at first; -1: the tier has none
    quota_reserve: int = 0  # of them for what reduces risk: cancel-all
    free_ns: int = 15 * SECOND  # one send in so long costs no quota


class Spent:
    """Weights spent in a rolling minute."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.sum = 0
        self.times: deque[tuple[int, int]] = deque()

    def left(self, now: int) -> int:
        while self.times and now - self.times[0][0] >= MINUTE:
            self.sum -= self.times.popleft()[1]
        return self.most - self.sum

    def use(self, now: int, weight: int) -> None:
        self.times.append((now, weight))
        self.sum += weight


class Budget:
    """One account's allowance."""

    def __init__(self, tier: Tier) -> None:
        self.tier = tier
        self.sends = Spent(tier.sends_per_min)
        self.reads = self.sends if tier.shared else Spent(tier.reads_per_min)
        self.quota = tier.quota
        self.free_at = 0  # from then on, one send costs no quota
        self.cool_until = 0
        self.cools = 0  # in a row

    def refusal(self, now: int, live: int, count: int = 1) -> int:
        """Return why so many creates or amends may not be sent now (enum bog_reject), or 0."""
        if now < self.cool_until or self.sends.left(now) - count < live + SPARE:
            return int(Reject.REJ_RATE)
        free = count == 1 and now >= self.free_at
        if self.tier.quota >= 0 and not free and self.quota - count < self.tier.quota_reserve:
            return int(Reject.REJ_QUOTA)
        return 0

    def may_cancel(self, now: int, count: int = 1) -> bool:
        """Return whether so many cancels may be sent now: to the last request, also when cooling."""
        return self.sends.left(now) >= count

    def sent(self, now: int, count: int, costs: int) -> None:
        """So many transactions leave, `costs` of them at the expense of the quota."""
        self.sends.use(now, count)
        if self.tier.quota >= 0 and costs:
            if count == 1 and now >= self.free_at:
                self.free_at = now + self.tier.free_ns
            else:
                self.quota -= costs

    def may_read(self, call: str, now: int, live: int) -> bool:
        """Return whether a read may be made now; where it shares a bucket, it leaves the cancels theirs."""
        if self.tier.shared:
            least = 1 if call == "nextNonce" else live + SPARE + 1
            return self.sends.left(now) >= least
        return self.reads.left(now) >= WEIGHTS[call]

    def read(self, call: str, now: int) -> None:
        self.reads.use(now, 1 if self.tier.shared else WEIGHTS[call])

    def said(self, quota: int) -> None:
        """The venue said how much quota remains; -1: it did not."""
        if quota >= 0:
            self.quota = quota

    def cool(self, now: int) -> None:
        """The venue refused for the rate: creates wait, twice as long each time, a minute at most."""
        self.cool_until = now + min(SECOND << self.cools, MINUTE)
        self.cools = min(self.cools + 1, 6)

    def warm(self) -> None:
        """The venue took something: the next refusal begins anew."""
        self.cools = 0
