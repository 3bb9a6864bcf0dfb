"""What goes wrong in a rehearsal with faults: a script made from a seed, and what has to hold in it.

An act spoils what passes between bot and exchange for some seconds, by requests to the exchange's
control socket; the next one waits until orders of the bot rest again. Meanwhile the exchange is asked
again and again what is true: no order twice, no exposure past the limit, nothing that rests there
and is dead by the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

Json = dict[str, Any]
Asks = list[Json]
LOST = 8  # pairs of answers that are lost at once
CALM_S = 1.0  # of quoting between two acts
ORDERS, TRADES, TXS = "account_all_orders", "account_all_trades", "account_tx"
PRIVATE = (ORDERS, TRADES, TXS, "account_all_positions")
READS = ("nextNonce", "accountOrders", "accountActiveOrders", "account", "trades", "tx")
NO_TRADES = 1 << 62  # above every trade's id


class Act(NamedTuple):
    """One fault: what is asked of the exchange at its begin, and after how long it is taken back."""

    kind: str
    seconds: float
    asks: Asks


def _disconnect(rng: Random) -> Asks:
    how = rng.choice(("fin", "reset", "close"))
    refuse: Asks = [{"do": "refuse-connections", "seconds": 1}] if rng.random() < 0.5 else []
    return [*refuse, {"do": "disconnect", "how": how}]


def _no_words(*channels: str) -> Asks:
    return [{"at": "frame", "do": "drop", "channel": name, "count": -1} for name in channels]


def _lost_acks(rng: Random) -> Asks:
    """What rested expires; of what follows it answers and words are lost, and every other was taken."""
    lost = [{"at": "ws", "do": "silent", "when": when} for when in ("before", "after")]
    return [{"do": "expire"}, *_no_words(ORDERS, TXS), *rng.sample(lost, 2) * LOST]


def _broken_in_between(rng: Random) -> Asks:
    return [{"at": "ws", "do": rng.choice(("close", "reset")), "when": rng.choice(("before", "after")),
             "type": rng.choice(("create", "modify", "cancel"))}]  # fmt: skip


def _duplicates(rng: Random) -> Asks:
    return [
        {"at": "frame", "do": "repeat", "channel": name, "times": rng.randint(1, 9), "count": -1}
        for name in (*PRIVATE, "answer")
    ]


def _reordered(rng: Random) -> Asks:
    held, late = rng.sample(PRIVATE, 2)
    return [
        {"at": "frame", "do": "hold", "channel": held, "count": rng.randint(3, 20)},
        {"at": "frame", "do": "delay", "channel": late, "seconds": rng.uniform(0.05, 1), "count": -1},
    ]  # fmt: skip


def _too_many(rng: Random) -> Asks:
    return [
        {"at": "http", "do": "status", "status": 429, "code": 23000, "count": rng.randint(2, 6)},
        {"at": "ws", "do": "error", "code": 23000, "count": rng.randint(1, 4)},
    ]


def _nonces(rng: Random) -> Asks:
    """Refusals for the nonce that leave it, and refusals for something else that use it up."""
    return [
        {"at": "ws", "do": "error", "code": 21104, "count": rng.randint(2, 10), "odds": 0.3},
        {"do": "refuse", "where": "api", "code": 21711, "count": rng.randint(1, 3), "consume": True,
         "type": rng.choice(("create", "modify"))},
    ]  # fmt: skip


def _silence(_: Random) -> Asks:
    return _no_words(*PRIVATE)


def _latency(rng: Random) -> Asks:
    return [{"do": "latency", "seconds": rng.uniform(0, 0.3), "jitter": rng.uniform(0.1, 0.4)}]


def _reads_fail(rng: Random) -> Asks:
    """Everything is asked anew after a disconnect, and the answers are none."""
    do, status = rng.choice((("status", 500), ("status", 503), ("html", 502), ("empty", 200)))
    fails = {"at": "http", "do": do, "status": status, "count": 2}
    return [*({**fails, "path": path} for path in READS), {"do": "disconnect", "how": "fin"}]


def _partition(rng: Random) -> Asks:
    return [{"do": "partition", "seconds": rng.uniform(0.5, 3)}]


def _standstill(rng: Random) -> Asks:
    return [{"do": "freeze", "seconds": rng.uniform(0.5, 2)}]


# by name: the shortest and the longest that it lasts, in seconds, and what is asked
KINDS: dict[str, tuple[float, float, Callable[[Random], Asks]]] = {
    "disconnect": (0.5, 1, _disconnect),
    "lost-answers": (3.5, 4, _lost_acks),
    "disconnect-in-between": (1, 2, _broken_in_between),
    "duplicates": (2, 4, _duplicates),
    "reorder": (2, 4, _reordered),
    "429": (1, 2, _too_many),
    "nonces": (2, 4, _nonces),
    "silence": (2, 6, _silence),
    "latency": (2, 5, _latency),
    "reads-fail": (2, 4, _reads_fail),
    "partition": (3, 4, _partition),
    "standstill": (2, 3, _standstill),
}


def script(seed: int, rounds: int, only: Sequence[str] = ()) -> list[Act]:
    """Return so many rounds of every kind, or `only` of some, each round in an order of its own."""
    kinds = only or list(KINDS)
    rng = Random(f"nemesis {seed}")
    return [
        Act(kind, rng.uniform(*KINDS[kind][:2]), KINDS[kind][2](rng))
        for _ in range(rounds)
        for kind in rng.sample(kinds, len(kinds))
    ]


class Nemesis:
    """Plays a script on an exchange, a look at a time, and keeps what must not be."""

    def __init__(
        self, acts: list[Act], ask: Callable[..., Json], account: int, most_lots: int
    ) -> None:
        """`most_lots` is the largest position that all orders together may come to, either way."""
        self.acts, self.ask, self.account, self.most_lots = acts, ask, account, most_lots
        self.played = 0
        self.until: float | None = None  # end of the act that is on
        self.calm: float | None = None  # since when orders rest again
        self.happened: dict[str, int] = {}  # by kind, how often something was spoiled
        self.lost = self.live = 0  # transactions whose answer was lost; of them, taken by the venue
        self.wrong: list[str] = []

    @property
    def done(self) -> bool:
        """Whether every act was played, and the bot quotes after the last."""
        return self.played == len(self.acts) and self.until is None and self.calm is not None

    def look(self, now: float, dead: set[int]) -> None:
        """See what is true at the exchange; begin or end an act when it is time.

        `dead` are the orders that have ended by the journal, as it was before this look.
        """
        god = self.ask(do="god", account=self.account, after=NO_TRADES)
        self.judge(god, dead)
        if self.until is not None:
            if now >= self.until:
                self.end()
            return
        if not god["accounts"][str(self.account)]["orders"]:
            self.calm = None
        elif self.calm is None:
            self.calm = now
        elif now - self.calm >= CALM_S and self.played < len(self.acts):
            self.begin(now)

    def begin(self, now: float) -> None:
        """Begin the next act."""
        act = self.acts[self.played]
        for asked in act.asks:
            said = self.ask(**{"account": self.account} if asked["do"] == "expire" else {}, **asked)
            if "at" not in asked and asked["do"] != "refuse":
                self.count(act.kind, int(said.get("connections", said.get("orders", 1)) or 0))
        self.until = now + act.seconds

    def end(self) -> None:
        """Take the act that is on back, and count what it did."""
        if self.until is None:
            return
        act, found = self.acts[self.played], self.ask(do="faults")
        for fault in (*found["script"], *found["refuse"]):
            self.count(act.kind, fault.get("happened", 0))
            if fault.get("do") == "silent":
                self.lost += fault["hit"]
                self.live += fault["hit"] * (fault["when"] == "after")
        self.ask(do="clear")
        self.played += 1
        self.until = self.calm = None

    def count(self, kind: str, times: int) -> None:
        self.happened[kind] = self.happened.get(kind, 0) + times

    def judge(self, god: Json, dead: set[int]) -> None:
        """Note what must not be in what the exchange says; `dead` is older than that."""
        account = god["accounts"][str(self.account)]
        for client in god["twice"]:
            self.say(f"order {client} was created twice")
        for client in {order["client"] for order in account["orders"]} & dead:
            self.say(f"order {client} has ended by the journal and rests at the exchange")
        lots = sum(held["lots"] for held in account["positions"].values())
        for sign, is_ask in ((1, False), (-1, True)):
            may_fill = sum(o["left"] for o in account["orders"] if o["is_ask"] == is_ask)
            may_fill += sum(tx["lots"] for tx in god["could_execute"] if tx["is_ask"] == is_ask)
            if sign * lots + may_fill > self.most_lots:
                side = "asks" if is_ask else "bids"
                self.say(f"position {lots} and {side} of {may_fill} pass {self.most_lots} lots")

    def say(self, text: str) -> None:
        if text not in self.wrong:
            self.wrong.append(text)
