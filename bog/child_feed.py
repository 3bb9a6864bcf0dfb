"""The feed that `bog-live --feed lighter` brings along: a bog-feed of its own, for as long as it runs.

The child is in a process group of its own, takes no Ctrl-C, and ends when its parent does. One that
dies while the bot trades is started again: until then the feed is stale and nothing is quoted. Readers
of other processes may follow it as any other feed.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal

import click

from bog import config, log, units
from bog._core.huginn import FeedState
from bog._core.reader import Reader
from bog._core.shm import process_start
from bog.errors import BogError, ConfigError, DataError, FeedError, UsageError, one_line
from bog.launch import MODULE
from bog.settings import Settings

START_S = 30.0  # for the venue's description of the markets and the first data
STOP_S = 5.0
AGAIN_S = (1.0, 30.0)  # wait before a new start: the first, doubled each time up to the longest
WELL_S = 60.0  # a child that lived so long begins anew with the first
POLL_S = 0.02
ERRORS = {e.exit_code: e for e in (DataError, UsageError, ConfigError)}
PASSED_ON = ("feed.lighter.", "markets.")


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of the child: what it reads of the configuration, as variables."""
    passed = {
        f"{config.PREFIX}{key.upper().replace('.', '__')}": units.plain(value)
        if isinstance(value, Decimal)
        else str(value)
        for key, value in config.effective(settings).items()
        if key.startswith(PASSED_ON)
    }
    return {**os.environ, **passed}


def running(market: int, directory: str) -> int:
    """Return the process that publishes a market already, 0 when none does."""
    try:
        header = Reader(market, directory=directory).header()
    except (FeedError, OSError):
        return 0  # absent, or not a feed: the child will say what it is
    alive = process_start(header["pid"]) == header["pid_start"] != 0
    return int(header["pid"]) if alive and header["state"] == FeedState.HG_OPEN else 0


class ChildFeed:
    """One bog-feed process and what it says."""

    def __init__(self, settings: Settings, markets: Sequence[int]) -> None:
        settings.lighter_urls()  # the child cannot tell what was set from what was not
        self.markets, self.directory = markets, settings.feed.directory
        for market in markets:
            other = running(market, self.directory)
            if other:
                raise ConfigError(
                    f"--feed lighter: market {market} has a feed already, process {other}: "
                    "trade on it with --feed huginn"
                )
        chosen = [word for market in markets for word in ("--market", str(market))]
        self.command = [
            *(*MODULE, "bog.cli.feed", "--source", "lighter", *chosen),
            *("--dir", self.directory, "--parent", str(os.getpid())),
        ]
        self.environ = environment(settings)
        self.last = ""
        self.trading = False  # before that, a child that dies ends the start
        self.ending = threading.Event()
        self.process = self._start()
        self.keeper = threading.Thread(target=self._keep, daemon=True, name="bog-feed-keeper")
        self.keeper.start()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, process_group=0, env=self.environ, text=True, errors="replace",
        )  # fmt: skip

    def _keep(self) -> None:
        """Pass on what the child says; start it again when it dies while the bot trades."""
        wait_s = AGAIN_S[0]
        while True:
            began = time.monotonic()
            code = self._listen()
            if self.ending.is_set() or not self.trading:
                return
            if code in ERRORS:
                # what it was refused for stays: an operator has to look
                self._say("ERROR", f"the feed ended with exit code {code}: {self.last}")
                return
            if time.monotonic() - began > WELL_S:
                wait_s = AGAIN_S[0]
            self._say(
                "ERROR",
                f"the feed ended with exit code {code}: {self.last}; a new one in {wait_s:.0f} s",
            )
            if self.ending.wait(wait_s):
                return
            wait_s = min(2 * wait_s, AGAIN_S[1])
            self.process = self._start()

    def _listen(self) -> int:
        """Pass on what the child says until it has ended; return its exit code."""
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.last = one_line(line.rstrip("\n")).removeprefix("bog-feed: ")
                self._say("INFO", self.last)
        return self.process.wait()

    def _say(self, level: str, text: str) -> None:
        if log.is_open():  # the screen has the terminal
            log.emit(level, "feed", text)
        elif not self.ending.is_set():
            click.echo(f"bog-feed: {text}", err=True)

    def wait_ready(self) -> None:
        """Return when every market is published and the venue has spoken; DataError after 30 s."""
        until = time.monotonic() + START_S
        click.echo(
            f"waiting for the feed of market {', '.join(map(str, self.markets))}, process "
            f"{self.process.pid}, for {START_S:.0f} s at most", err=True,
        )  # fmt: skip
        while not all(self._is_ready(market) for market in self.markets):
            code = self.process.poll()
            if code is not None:
                self.keeper.join(STOP_S)
                said = self.last.removeprefix("error: ")
                raise ERRORS.get(code, BogError)(f"--feed lighter: {said or f'exit code {code}'}")
            if time.monotonic() > until:
                raise DataError(
                    f"--feed lighter: no data from the venue within {START_S:.0f} s: {self.last}"
                )
            time.sleep(POLL_S)
        self.trading = True

    def _is_ready(self, market: int) -> bool:
        """Whether the child publishes this market: its heart beats with the venue's frames."""
        try:
            header = Reader(market, directory=self.directory).header()
        except (FeedError, OSError):
            return False
        mine = header["pid"] == self.process.pid
        return bool(mine and header["rows"] and header["heartbeat_ns"] > header["start_ns"])

    def close(self) -> None:
        """Stop the child; one that does not stop is killed."""
        self.ending.set()
        self.process.terminate()
        self.keeper.join(STOP_S)
        if self.keeper.is_alive():
            self.process.kill()
            self.keeper.join()


@contextlib.contextmanager
def embedded(settings: Settings, markets: Sequence[int]) -> Iterator[None]:
    """Run the block with a feed beside it, of those of `markets` whose source is the venue."""
    venue = [market for market in markets if settings.of(market).feed.source == "lighter"]
    if not venue:
        yield
        return
    feed = ChildFeed(settings, venue)
    try:
        feed.wait_ready()
        yield
    finally:
        feed.close()
