"""One look at a market: shared memory as a plain value, for the tools that show it.

A `Looker` reads the feed's object and the stats page of a bot, without write access, and never makes
a writer wait. It follows a feed that starts anew and says in one line why there is nothing to see.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import NamedTuple, cast

from bog._core.huginn import FeedRead, FeedState
from bog._core.reader import Reader
from bog._core.shm import DIRECTORY, PREFIX, object_path, process_start
from bog._core.stats import RunState, StatsPage
from bog.errors import FeedError
from bog.facts import Page
from bog.spec import raw_market
from bog.units import text

STALE_MS = 500  # risk.stale_after_ms of configs/default.toml
FIND_NS = 1_000_000_000  # between two searches for bots
TRIES = 50  # a message that is being written is whole within some microseconds
Levels = tuple[tuple[int, int], ...]  # (px, qty), best first


@dataclass(frozen=True, slots=True)
class Book:
    """The book of one market at one moment; ticks, lots and ns, times in Unix time."""

    market: int
    price_decimals: int
    size_decimals: int
    path: str
    epoch: int
    sequence: int
    exchange_ns: int  # 0: not known
    received_ns: int  # 0: not known
    read_ns: int
    age_ns: int  # since the feed's last sign of life
    still_ns: int  # since the message was received, 0: not known; a quiet book is not stale
    stale: str  # why this is not the market of now, "" while it is
    standing: tuple[int, int]  # levels that there are, bids and asks
    bids: Levels
    asks: Levels
    trade: tuple[int, int, int] | None = None  # newest print since the look before: px, qty, side

    @property
    def mid2(self) -> int:
        """The middle in half ticks; 0 when a side is empty."""
        return self.bids[0][0] + self.asks[0][0] if self.bids and self.asks else 0

    @property
    def spread(self) -> int:
        """The distance of the touch in ticks; 0 when a side is empty, below it when crossed."""
        return self.asks[0][0] - self.bids[0][0] if self.mid2 else 0

    @property
    def spread_e4(self) -> int:
        """The spread in ten-thousandths of a bp of the middle, rounded; 0 when a side is empty."""
        mid2 = self.mid2
        return (2 * self.spread * 10**8 + mid2 // 2) // mid2 if mid2 else 0

    @property
    def spread_bps(self) -> str:
        """The spread in bps, as text; "" when a side is empty."""
        return text(self.spread_e4, 4) if self.mid2 else ""

    @property
    def total(self) -> tuple[int, int]:
        """The lots of the bids and of the asks that are shown."""
        return sum(qty for _, qty in self.bids), sum(qty for _, qty in self.asks)

    @property
    def imbalance(self) -> str:
        """100 * (bid - ask) / (bid + ask) of the sizes shown: 100.0 is all bids; "" when empty."""
        bid, ask = self.total
        if not bid + ask:
            return ""
        tenths = (2 * 1000 * abs(bid - ask) + bid + ask) // (2 * (bid + ask))
        return text(tenths if bid >= ask else -tenths, 1)


class Bot(NamedTuple):
    """A bot of the market, as its stats page has it."""

    pid: int
    page: Page
    beat_age_ns: int  # since its engine last showed itself
    engine: int = 0  # process of its engine


class Sight(NamedTuple):
    """What there is to see. Without a book `trouble` says why; `bot` is None without a bot."""

    book: Book | None
    trouble: str
    bot: Bot | None = None
    bot_trouble: str = ""  # why a bot that is there is not shown, or that it is not alone


def seconds(ns: int) -> str:
    """Return a time for people: 12 ms, 3.2 s."""
    return f"{ns // 1_000_000} ms" if ns < 1_000_000_000 else f"{ns / 1e9:.1f} s"


def _is_there(path: str) -> bool:
    """Return whether something has this name, or may: where we may not look, the reader says so."""
    try:
        return Path(path).exists()
    except OSError:
        return True


class Looker:
    """Looks at one market again and again; the object may come, go and be replaced meanwhile."""

    def __init__(
        self,
        market: int,
        directory: str | PathLike[str] = DIRECTORY,
        prefix: str = PREFIX,
        stale_ms: int = STALE_MS,
    ) -> None:
        self.market, self.directory, self.prefix = market, Path(directory), prefix
        self.path = object_path(1, market, directory, prefix)
        self.stale_ns = stale_ms * 1_000_000
        self.reader: Reader | None = None
        self.bots = Bots(market, self.directory)

    def look(self, levels: int) -> Sight:
        """Return what there is to see, so many levels a side."""
        try:
            book = self._book(levels)
        except FeedError as error:
            self.reader = None
            return Sight(None, str(error))
        return Sight(book, "", *self.bots.look())

    def _book(self, levels: int) -> Book:
        if self.reader is None:
            if not _is_there(self.path):
                raise FeedError(
                    f"no feed of market {self.market}: {self.path} does not exist;"
                    f" start one: bog-feed --market {self.market}"
                )
            self.reader = Reader(self.market, directory=self.directory, prefix=self.prefix)
        reader, top = self.reader, None
        for _ in range(TRIES):
            reader.refresh()
            top = reader.top(levels)
            if top is not None:
                break
            time.sleep(0.0005)
        header = reader.header()
        offset, now = header["unix_offset_ns"], time.time_ns()
        # a feed whose times are Unix time has no offset
        clock = time.monotonic_ns() if offset else now
        age = clock - header["heartbeat_ns"]
        stale = self._stale(header, age)
        if top is None:
            why = FeedRead(reader.code).name.removeprefix("READ_").lower()
            raise FeedError(
                f"feed of market {self.market}: no whole book in {self.path}: {stale or why}"
            )
        received = top["recv_ns"]
        return Book(
            market=self.market,
            price_decimals=header["price_decimals"],
            size_decimals=header["size_decimals"],
            path=self.path,
            epoch=header["epoch"],
            sequence=top["seq"],
            exchange_ns=max(0, top["exch_ns"]),
            received_ns=received + offset if received else 0,
            read_ns=now,
            age_ns=max(0, age),
            still_ns=max(0, clock - received) if received else 0,
            stale=stale,
            standing=top["standing"],
            bids=tuple(top["bids"]),
            asks=tuple(top["asks"]),
            trade=top["trade"] and top["trade"][:3],
        )

    def _stale(self, header: dict[str, int], age: int) -> str:
        """Return why the book is not that of now, "" while it is."""
        if header["state"] == FeedState.HG_CLOSED:
            return f"its writer has ended, {seconds(age)} ago"
        if age <= self.stale_ns:
            return ""
        if process_start(header["pid"]) != header["pid_start"]:
            return f"its writer, process {header['pid']}, died, {seconds(age)} ago"
        return f"its writer, process {header['pid']}, has been silent for {seconds(age)}"


class Bots:
    """Finds the bot of a market by its stats page, which lies beside the feed."""

    def __init__(self, market: int, directory: Path) -> None:
        self.directory, self.name = directory, f"bog_m{raw_market(market)}"
        self.page: StatsPage | None = None
        self.pids: list[int] = []  # of bots of this market, the newest last
        self.next_ns = 0

    def look(self) -> tuple[Bot | None, str]:
        """Return the newest bot that lives, and what else there is to say of bots."""
        now = time.monotonic_ns()
        if now >= self.next_ns or not all(map(process_start, self.pids)):
            self.next_ns = now + FIND_NS
            found = (path.suffix[1:] for path in self.directory.glob(f"{self.name}.*"))
            alive = {int(pid): process_start(int(pid)) for pid in found if pid.isdecimal()}
            self.pids = sorted(filter(alive.get, alive), key=alive.__getitem__)
        if not self.pids:
            self.page = None
            return None, ""
        path = str(self.directory / f"{self.name}.{self.pids[-1]}")
        try:
            if self.page is None or self.page.path != path:
                self.page = StatsPage.open(path)
        except (ValueError, OSError) as error:
            return None, f"a bot runs, and its page is not read: {error}"
        raw = self.page.snapshot()
        page = cast(Page, raw)
        if page["state"] == RunState.RUN_STARTING:
            return None, f"a bot is starting, process {self.pids[-1]}"
        others = len(self.pids) - 1
        beat_age = max(0, now - page["beat_mono"])
        words = f"{others} more of this market" if others else ""
        return Bot(self.pids[-1], page, beat_age, raw["pid"]), words
