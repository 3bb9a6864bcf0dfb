"""Bots and their misbehaving feeds side by side, and the ledger that judges them.

Several pairs live at once, because most of a fault is waiting: a batch of repeats takes the time of
one. What a bot did is read from its journal, which it writes before it acts.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from bog._core.fold import Fold
from bog._core.journal import PAGE, verify
from bog._core.types import JournalKind as K
from bog._core.types import StateWord
from bog.journal import RECORD
from bog.recovery import parse_header
from tests.rig.canary import Canary
from tests.rig.feedsim import FeedSim
from tests.rig.live import PATIENCE_S, Bot, runs

STALE_NS = 500_000_000
CANCEL_NS = 250_000_000
INTENTS = (K.J_PLACE, K.J_AMEND)
FAR = 0.02  # of the mid: a quote farther than this was priced off another book
# a nimble account at a near venue, so that what a bot may do and does not do means something; no
# quota: it would end a row that trades for long
EAGER = """
[execution]
tier = "premium_500k"
[venue]
net_latency_ms = 2
response_latency_ms = 2
[venue.tiers.premium_500k]
volume_quota = 0
[risk]
max_position = 1
max_short = 1
max_daily_loss = 1000000000
drawdown_min_peak = 1000000000
max_order_size = 0.05
rate_limit_orders_per_sec = 400
rate_limit_burst = 800
max_exposure_quote = 1000000
[breaker]
max_fills = 255
fills_window_sec = 1
max_feed_delay_ms = 500
warm_up_books = 3
warm_up_ms = 50
[strategy.simple_spread]
min_interval_ms = 0
requote_ticks = 1
max_inventory_base = 0.5
"""


class Ledger:
    """The journal of one bot as it grows: every record is sealed, plausible, and adds up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path: Path | None = None
        self.all = np.zeros(0, RECORD)
        self.fold = Fold()
        self.doubts: list[str] = []
        self.held: dict[int, tuple[int, int]] = {}  # after so many fills: position and cash

    def read(self) -> np.ndarray[Any, Any]:
        """Take what was written since; return every record of this bot's life."""
        if self.path is None:
            self.path = runs(self.folder)[-1]
            header = parse_header(self.path.read_bytes()[:PAGE], self.path)
            assert header is not None
            self.crc = header.crc
        with self.path.open("rb") as file:
            file.seek(PAGE + len(self.all) * RECORD.itemsize)
            data = file.read()
        data = data[: len(data) - len(data) % RECORD.itemsize]
        count, self.crc = verify(data, self.crc, len(self.all) + 1)
        assert count * RECORD.itemsize == len(data), "a record on disk is not whole"
        for record in np.frombuffer(data, RECORD):
            doubt = self.fold.apply(record.tobytes())
            if doubt:
                self.doubts.append(f"record {record['seq']}: {doubt}")
            words = self.fold.words
            self.held[words[StateWord.W_FILLS]] = words[StateWord.W_POS], words[StateWord.W_CASH]
        self.all = np.concatenate([self.all, np.frombuffer(data, RECORD)])
        return self.all

    def since(self, ns: int, *kinds: int) -> np.ndarray[Any, Any]:
        """Return the records of these kinds whose engine time is `ns` or later."""
        rows = self.read()
        return rows[(rows["time_ns"] >= ns) & np.isin(rows["kind"], kinds)]


class Pair:
    """One feed, one bot, and the account of both."""

    def __init__(
        self, where: Path, canary: Canary, lock: threading.Lock, seed: int, *flags: object,
        config: str = EAGER, **how: Any,
    ) -> None:  # fmt: skip
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.where, self.canary, self.lock = where, canary, lock
        (where / "shm").mkdir(mode=0o700, exist_ok=True)
        (where / "bot.toml").write_text(config)
        self.feed = FeedSim(where / "shm", seed)
        self.feed.start(**how)
        self.flags = flags
        self.lives = 0
        self.worst_ns = 0

    def begin(self, **environ: str) -> "Pair":
        """Start the bot; return at once."""
        self.bot = Bot(
            self.where,
            "--feed",
            "huginn",
            "--config",
            self.where / "bot.toml",
            *self.flags,
            **environ,
        )
        self.ledger = Ledger(self.bot.folder)
        self.lives += 1
        return self

    def ready(self) -> "Pair":
        self.bot.ready()
        self.page_path = str(self.bot.shm / f"bog_m{self.bot.raw}.{self.bot.pid}")
        return self

    def until(self, what: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
        """Return the first true answer of `what`."""
        end = time.monotonic() + patience_s
        while True:
            answer = what()
            if answer:
                return answer
            if time.monotonic() > end:
                page = self.bot.page()
                facts = {
                    k: page[k] for k in ("state", "stale", "halt", "level", "why", "orders", "denied",
                                         "bid", "ask", "gaps", "laps", "books", "crossed", "invalid")
                }  # fmt: skip
                raise AssertionError(f"waited {patience_s} s in vain: {facts}")
            time.sleep(0.004)

    def caught_up(self) -> None:
        """Return when everything that the bot has journaled so far is in the ledger."""
        seq = self.bot.page()["journal_seq"]
        self.until(lambda: len(self.ledger.read()) >= seq)

    def gaps(self, mark: int) -> np.ndarray[Any, Any]:
        """Return the gaps journaled behind the first `mark` records.

        A gap has the time of the last event before it, which may be before its cause.
        """
        self.caught_up()
        rows = self.ledger.all[mark:]
        return rows[rows["kind"] == K.J_GAP]

    def told(self, begin_ns: int, *kinds: int) -> np.ndarray[Any, Any]:
        """Return the records of these kinds from `begin_ns` on, once there is one."""
        self.until(lambda: len(self.ledger.since(begin_ns, *kinds)))
        return self.ledger.since(begin_ns, *kinds)

    def quoting(self) -> None:
        """Return when an order rests on both sides, near the book of now."""

        def rests() -> bool:
            page = self.bot.page()
            good = [
                o for o in page["orders"]
                if o["acked_ns"] and abs(o["px"] - self.feed.mid) < FAR * self.feed.mid
            ]  # fmt: skip
            return {0, 1} <= {o["side"] for o in good} and not page["stale"]

        self.until(rests)

    def empty(self) -> None:
        """Return when no order of ours is alive."""
        self.until(lambda: not self.bot.page()["orders"])

    def within(self, begin_ns: int, end_ns: int, bound_ns: int, what: str) -> None:
        """Hold a deadline, less what the machine withheld meanwhile."""
        with self.lock:
            stalled = self.canary.stalled_ns(begin_ns, end_ns)
        took = end_ns - begin_ns - stalled
        self.worst_ns = max(self.worst_ns, took)
        assert took <= bound_ns, (
            f"{what}: {took / 1e6:.1f} ms, bound {bound_ns / 1e6:.0f} ms, stalled {stalled / 1e6:.1f}"
        )

    def pulled(self, begin_ns: int, bound_ns: int = STALE_NS + CANCEL_NS) -> int:
        """Every order is gone within `bound_ns` of `begin_ns`; return when the last one went."""
        self.empty()
        dead = self.ledger.since(begin_ns, K.J_CANCELED, K.J_FILL, K.J_EXPIRED, K.J_REJECT)
        # the page is written before the disk: the record is there within a flush or two
        self.until(lambda: not self._open())
        dead = self.ledger.since(begin_ns, K.J_CANCELED, K.J_FILL, K.J_EXPIRED, K.J_REJECT)
        last = int(dead["time_ns"][-1]) if len(dead) else begin_ns
        self.within(begin_ns, last, bound_ns, "until the last order was gone")
        return last

    def _open(self) -> dict[int, Any]:
        self.ledger.read()
        return self.ledger.fold.orders

    def quiet(self, begin_ns: int, end_ns: int | None = None) -> None:
        """No create and no amend was made in [begin, end], by the engine's clock."""
        self.caught_up()
        made = self.ledger.since(begin_ns, *INTENTS)
        if end_ns is not None:
            made = made[made["time_ns"] < end_ns]
        assert len(made) == 0, (
            f"{len(made)} creates, the first {(int(made['time_ns'][0]) - begin_ns) / 1e6} ms on"
        )

    def sound(self) -> None:
        """The bot lives, and its books are exact: the oracle of every repeat.

        A bot that goes on trading is always ahead of its disk: the two are compared after as many
        fills.
        """
        assert self.bot.process.poll() is None, self.bot.said
        held = self.bot.page()["position"]
        self.until(lambda: self.ledger.read() is not None and held["fills"] in self.ledger.held)
        assert self.ledger.held[held["fills"]] == (held["pos"], held["cash"])
        assert not self.ledger.doubts, self.ledger.doubts[:3]
        assert self.ledger.fold.adds_up
        assert self.bot.page()["violations"] == 0
        assert abs(self.ledger.fold.words[0]) <= 100_000  # lots: max_position of 1 base

    def near(self, begin_ns: int, mid: int, end_ns: int | None = None) -> int:
        """Every quote made in [begin, end] was near `mid`; return how many there were."""
        self.caught_up()
        made = self.ledger.since(begin_ns, *INTENTS)
        if end_ns is not None:
            made = made[made["time_ns"] < end_ns]
        far = np.abs(made["px"] - mid) > FAR * mid
        assert not far.any(), f"a quote at {int(made['px'][far][0])}, the mid is {mid}"
        return len(made)

    def close(self) -> None:
        if hasattr(self, "bot"):
            self.bot.kill()
        self.feed.close()


class Herd:
    """Several pairs, and repeats given to all of them at once."""

    def __init__(self, where: Path, canary: Canary) -> None:
        self.where, self.canary = where, canary
        self.lock = threading.Lock()
        self.pairs: list[Pair] = []

    def start(self, count: int, *flags: object, begin: bool = True, **how: Any) -> list[Pair]:
        for n in range(count):
            name = self.where / f"pair{len(self.pairs)}"
            self.pairs.append(Pair(name, self.canary, self.lock, n + 1, *flags, **how))
        if begin:
            for pair in self.pairs:
                pair.begin()
            for pair in self.pairs:
                pair.ready()
        return self.pairs

    def each(self, repeats: Iterator[tuple[int, Any]], one: Callable[..., None]) -> None:
        """Give each pair one repeat, `one(pair, number, rng)`, until there are no more."""
        with ThreadPoolExecutor(len(self.pairs)) as pool:
            while True:
                batch = [r for _, r in zip(self.pairs, repeats, strict=False)]
                for done in [
                    pool.submit(one, pair, *repeat)
                    for pair, repeat in zip(self.pairs, batch, strict=False)
                ]:
                    done.result()
                if len(batch) < len(self.pairs):
                    return

    def told(self) -> str:
        """Return the worst deadline so far and what the machine withheld, in words."""
        with self.lock:
            stalls = self.canary.total()
        worst = max(pair.worst_ns for pair in self.pairs)
        return f"worst {worst / 1e6:.0f} ms; {stalls}"

    def close(self) -> None:
        for pair in self.pairs:
            pair.close()
