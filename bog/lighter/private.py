"""The connection for an account: the public one's state machine, with private channels and a token.

One socket carries the account's channels and all that is sent. A channel is subscribed anew before
its token ends: unsubscribe and subscribe, whose snapshot leaves no hole in the orders; the trades of
the moment between are asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

from bog._core.stream import News
from bog.lighter import codec
from bog.lighter.connection import SECOND, Connection, Pace, Request, State

ORDERS, TRADES, POSITIONS = "account_all_orders", "account_all_trades", "account_all_positions"
TXS, STATS = "account_tx", "user_stats"
CHANNELS = (TXS, ORDERS, TRADES, POSITIONS, STATS)
TOKEN_S = 600  # life of a token
RENEW_S = 420  # age at which it is replaced
PACE = Pace(
    connect_ns=10 * SECOND, ack_ns=5 * SECOND, silence_ns=4 * SECOND, quiet_ns=SECOND,
    keepalive_ns=30 * SECOND, backoff_first_ns=SECOND // 2, backoff_most_ns=30 * SECOND,
    connects_per_min=20, messages_per_min=180,
)  # fmt: skip


class Private(Connection):
    """The connection of one account. `token` makes a token; `family` is set before NEWS_BOOK is told."""

    def __init__(self, account: int, random: Random, token: Callable[[], str],
                 pace: Pace = PACE, renew_s: int = RENEW_S) -> None:  # fmt: skip
        super().__init__([account], pace, random)
        self.account, self.token, self.renew_ns = account, token, renew_s * SECOND
        self.family = ""  # of the snapshot that NEWS_BOOK is about
        self.renewed_ns = 0

    def news(self, what: int, market: int, now: int, code: int = 0) -> None:
        if what == News.NEWS_BOOK:
            self.heard_ns = max(self.heard_ns, now)
            self._acked(self.family, self.account, now)
            self._pump(now)
        else:
            super().news(what, market, now, code)

    def tick(self, now: int, heard_ns: int) -> None:
        super().tick(now, heard_ns)
        if self.state is State.LIVE and now - self.renewed_ns >= self.renew_ns:
            self.renewed_ns = now
            self.counters["renewals"] += 1
            self.waiting.extend(Request(family, self.account, True) for family in CHANNELS)
            self._pump(now)

    def _greeted(self, now: int) -> None:
        if self.state is State.CONNECTED:
            self.renewed_ns = now
            self.waiting = deque(Request(family, self.account) for family in CHANNELS)
            self._enter(State.SUBSCRIBING, now)

    def _settle(self, now: int) -> None:
        if self.state in (State.SUBSCRIBING, State.LIVE):
            missing = set(CHANNELS) - {family for family, _ in self.acked}
            self._enter(State.SUBSCRIBING if missing else State.LIVE, now)

    def subscription(self, request: Request) -> str:
        return codec.subscribe(request.channel, self.token()).decode()
