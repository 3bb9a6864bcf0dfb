"""FAULT-33 and 40 at their counts, on a whole bot: 10,000 lost acks, 100,000 faults of nonces.

A wave makes twelve orders expire, so that as many creates leave at once, and loses everything that is
said of them; every other message is taken. Nonces are refused four in a row, so that the fifth keeps the
connection's breaker closed. While that goes on the exchange is asked what is true (bog.nemesis).
"""

import random
import time
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from bog.nemesis import ORDERS, TXS, Nemesis
from bog.rehearsal import Progress
from tests.rig.fault import Repeats
from tests.rig.gateway import ACCOUNT
from tests.rig.live import wait_for
from tests.rig.spoiled import MOST_LOTS, Stage, pause_s

WIDE = {"venue__tiers__premium__requests_per_min": 1_000_000,
        "venue__tiers__premium__reads_per_min": 10_000_000}  # fmt: skip
GRID = WIDE | {
    "strategy__name": "inventory", "strategy__inventory__model": "grid",
    "strategy__inventory__grid_orders": 6, "strategy__inventory__order_size": "0.001",
    "strategy__inventory__calibrate": "false", "strategy__inventory__min_interval_ms": 200,
    "risk__max_open_orders": 12,  # as many as a key may have under way
}  # fmt: skip
QUICK = WIDE | {
    "strategy__simple_spread__min_interval_ms": 10, "risk__rate_limit_orders_per_sec": 1000,
    "risk__rate_limit_burst": 2000,
}  # fmt: skip
IN_A_ROW = 4  # one less than opens the breaker
CALM_S = 300.0  # to quote again, on a machine that is asked for ten times what it has
WAVE_S = 3.0
EMPTY_S = 60.0


class Watched:
    """A bot on an exchange without limits of its own, and the watch over both."""

    def __init__(self, stage: Stage) -> None:
        self.on = stage
        stage.ask(do="rule", name="limits", value=False)
        self.watch = Nemesis([], stage.ask, ACCOUNT, MOST_LOTS)
        self.progress = Progress(stage.bot.folder, 1)

    def look(self) -> None:
        """See that nothing is twice, forgotten or past the limit."""
        self.watch.look(time.monotonic(), self.progress.look().dead)
        assert self.watch.wrong == []
        assert self.on.halted() == ""

    def happened(self) -> list[dict[str, Any]]:
        found = self.on.ask(do="faults")
        return [*found["script"], *found["refuse"]]

    def wave(self, when: str) -> int:
        """Lose every word about the creates of one moment; return how many those were.

        None, when the machine held the bot up: a socket that it opened meanwhile would stay silent.
        """
        on = self.on
        wait_for(lambda: on.is_quoting() and len(on.god()["orders"]) >= 4, CALM_S)
        on.ask(do="expire", account=ACCOUNT)
        for channel in (ORDERS, TXS):
            on.spoil("frame", "drop", channel=channel, count=-1, account=ACCOUNT)
        on.spoil("ws", "silent", type="create", when=when, count=-1)
        until = time.monotonic() + WAVE_S
        while not self.happened()[-1]["hit"] and time.monotonic() < until:
            pause_s(0.02)
        pause_s(0.2)  # the rest of them
        lost = self.happened()[-1]["hit"]
        self.look()
        on.ask(do="clear")
        self.look()
        return int(lost)

    def refuse_nonces(self, rng: random.Random) -> int:
        """Refuse the nonces of some messages in a row, or use them up; return how many."""
        count = rng.randint(1, IN_A_ROW)
        wait_for(self.on.is_quoting, CALM_S)
        if rng.random() < 0.1:
            self.on.ask(do="refuse", where="api", code=21711, consume=True, skip=1, count=count)
        else:
            self.on.spoil("ws", "error", code=21104, skip=1, count=count)
        wait_for(lambda: self.happened()[-1]["left"] == 0, CALM_S)
        hit = self.happened()[-1].get("hit", count)
        self.on.ask(do="clear")
        return int(hit)

    def emptied(self) -> None:
        """Empty the book while the trading key's numbers are refused, and quote again."""
        on = self.on
        on.spoil("ws", "error", code=21104, count=-1, odds=0.5)
        on.bot.signal(12)  # SIGUSR2
        wait_for(lambda: not on.god()["orders"], EMPTY_S)
        on.ask(do="clear")
        on.bot.signal(12)
        on.quoting()


@pytest.mark.timeout(1800)
def test_fault_33_lost_acks_leave_no_order_twice_and_none_forgotten(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    bot = Watched(stage(**GRID))
    each, heard = repeats(33, full=10_000, sample=20), {"after": 0, "before": 0}
    for _ in each:
        when = min(heard, key=lambda name: heard[name])  # half of them was taken
        lost = 0
        while not lost:
            lost = bot.wave(when)
        heard[when] += lost
        for _ in islice(each, lost - 1):
            pass
    bot.on.settled()
    created = bot.on.ask(do="god", account=ACCOUNT)
    assert created["twice"] == []
    repeats.note(f"{repeats.done} acks lost, {heard['after']} of them of orders that were taken")


@pytest.mark.timeout(1800)
def test_fault_40_nonce_faults_leave_a_book_that_can_be_emptied(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    bot = Watched(stage(**QUICK))
    each, emptied, begun = repeats(40, full=100_000, sample=60), 0, 0
    for n, rng in each:
        hit = bot.refuse_nonces(rng)
        for _ in islice(each, hit - 1):
            pass
        if n - begun >= 2000 or not emptied:
            begun, emptied = n, emptied + 1
            bot.look()
            bot.emptied()
    bot.look()
    bot.emptied()
    bot.on.settled()
    repeats.note(f"{repeats.done} nonces refused or used up; the book emptied {emptied + 1} times")
