"""A live bot on an exchange that a script of faults spoils, and what has to hold whatever it does."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bog._core.types import ConnectionState, StateWord
from bog.recovery import recover
from bog.rehearsal import differences, journal_says, venue_says
from tests.rig.gateway import ACCOUNT, Exchange
from tests.rig.live import wait_for
from tests.rig.rehearsal import children, configuration, live

MOST_LOTS = 50_000  # risk.max_position of rehearsal.toml
CALM_S = 100.0  # to quote again after a fault, on a crowded machine


class Stage:
    """One exchange, one bot on it. `keys` are settings, with two underscores for a dot.

    `options` are the exchange's, beside a public market that moves.
    """

    def __init__(self, where: Path, options: Sequence[object] = (), **keys: object) -> None:
        self.where = where
        (where / "exchange").mkdir()
        (where / "bot" / "shm").mkdir(mode=0o700, parents=True)
        self.exchange = Exchange(where / "exchange", "--flow", "sim", *map(str, options))
        self.keys = {"live__tx_expiry_sec": 5, **keys}
        self.environ: dict[str, str] = {}  # beside the settings
        self.before: Sequence[str] = ()  # words in front of the bot's command line
        self.bot: Any = None
        self.pids: dict[str, int] = {}

    def start(self, *options: object) -> "Stage":
        """Start a bot."""
        keys = configuration(self.where, self.exchange, **self.keys)
        self.bot = live(self.where / "bot", keys | self.environ, *options, before=self.before)
        return self

    def begin(self, *options: object) -> "Stage":
        """Start a bot, and wait until it quotes."""
        self.start(*options).bot.ready()
        self.quoting()
        return self

    def ask(self, **asked: Any) -> dict[str, Any]:
        return self.exchange.ask(**asked)

    def spoil(self, at: str, do: str, **more: Any) -> None:
        """Add a fault to the script."""
        self.exchange.ask(at=at, do=do, **{"account": ACCOUNT, **more})

    def god(self) -> dict[str, Any]:
        return self.exchange.god()

    # what the bot does

    def is_quoting(self) -> bool:
        assert self.bot.process.poll() is None, f"the bot ended: {self.bot.said}"
        page = self.bot.page()
        return bool(page["connection"] == ConnectionState.CONNECTION_CLOSED and page["orders"])

    def quoting(self) -> None:
        """Wait until orders of it rest at the exchange that it knows to rest."""
        wait_for(self.is_quoting, CALM_S)
        wait_for(lambda: self.god()["orders"], CALM_S)

    def sent(self) -> int:
        """Return how many creates and amends it has asked for."""
        page = self.bot.page()
        return int(page["placed"] + page["amended"])

    def busy(self, orders: int = 3, within_s: float = CALM_S) -> None:
        """Wait until it has sent so many more orders."""
        begun = self.sent()
        wait_for(lambda: self.sent() >= begun + orders, within_s)

    def halted(self) -> str:
        """Return why the engine or the gateway stands still, "" when neither does."""
        said = [line for line in self.bot.log if line["event"] in ("halt", "gateway_halt")]
        return str(said[-1]["message"]) if said else ""

    def lots(self) -> int:
        """Return the position at the exchange."""
        return int(self.god()["positions"].get("1", {"lots": 0})["lots"])

    def is_the_same(self) -> bool:
        """Whether the bot knows of the orders that rest at the exchange, and of no others."""
        rest = {order["client"] for order in self.god()["orders"]}
        return rest == {order["id"] for order in self.bot.page()["orders"]}

    # what has to hold

    def bounded(self) -> None:
        """At the exchange: no id twice, no more orders than may rest, no exposure past its limit."""
        true = self.god()
        ids = [order["client"] for order in true["orders"]]
        assert len(ids) == len(set(ids)) <= 4, ids
        lots = int(true["positions"].get("1", {"lots": 0})["lots"])
        bids = sum(o["left"] for o in true["orders"] if not o["is_ask"])
        asks = sum(o["left"] for o in true["orders"] if o["is_ask"])
        assert lots + bids <= MOST_LOTS and lots - asks >= -MOST_LOTS, (lots, bids, asks)

    def settled(self) -> None:
        """Stop the bot: nothing rests, and journal and exchange agree to the micro-USDC."""
        self.ask(do="clear")
        self.bot.stop()
        self.agree()

    def agree(self) -> None:
        god = self.ask(do="god", account=ACCOUNT)
        ours = journal_says(self.bot.folder, self.bot.shm, 1)
        assert differences(ours, venue_says(god, 1)) == []
        assert ours.orders == [] and not self.god()["orders"]

    def held(self) -> int:
        """Return the position in lots that the journal comes to, once no bot runs."""
        return recover(self.bot.folder, self.bot.raw, segments=self.bot.shm).words[StateWord.W_POS]

    def kill(self, *names: str) -> None:
        """Kill processes of the bot by their names."""
        self.pids = children(self.bot) | {"bog-live": self.bot.pid}
        for name in names:
            os.kill(self.pids[name], signal.SIGKILL)

    def kill_all(self) -> None:
        """Kill every process of the bot at once: nobody is left to cancel anything."""
        self.pids = children(self.bot) | {"bog-live": self.bot.pid}
        for pid in self.pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.over()

    def over(self) -> None:
        """Wait until none of the processes is left that there were at the kill."""

        def is_over() -> bool:
            self.bot.process.poll()
            return not any(Path(f"/proc/{pid}").exists() for pid in self.pids.values())

        wait_for(is_over, CALM_S)

    def gone(self) -> None:
        """Wait until the processes are gone, and what rested with them."""
        self.over()
        wait_for(lambda: not self.god()["orders"], CALM_S)

    def close(self) -> None:
        if self.bot is not None:
            self.bot.kill()
        self.exchange.close()


Spoil = Callable[[Stage, int, random.Random], None]


def pause_s(seconds: float) -> None:
    time.sleep(seconds)
