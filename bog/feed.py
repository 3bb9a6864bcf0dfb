"""The day of a feed process: open what it publishes, run the pump, say how it goes, close."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from bog import config
from bog._core.loop import follow_parent
from bog._core.market import Market
from bog._core.pump import Lane, Pump
from bog._core.source import Source, open_source
from bog._core.stats import name_process
from bog.errors import BogError, ConfigError, DataError, UsageError
from bog.outlet import Outlets, say
from bog.plan import LIGHTER, LOOP, Plan, check, replay_path
from bog.settings import Settings

SLICE_NS = 100_000_000  # between two looks at signals and the clock of the status line
STATUS_S = 5.0


def open_market(plan: Plan, settings: Settings, order: int) -> tuple[Source | Market, int, int]:
    """Return the source of a market and its price and size decimals.

    Decimals come from the flags, else from the recording or its sidecar, else from [markets.ID].
    The n-th market of a process draws from seed + n, so that two markets differ.
    """
    market = plan.markets[order]
    known = settings.markets.get(str(market))
    path = replay_path(plan, market)
    if path is None:
        if known is None:
            raise ConfigError(
                f"markets.{market} is not configured: want one of "
                f"{', '.join(sorted(settings.markets, key=int))}"
            )
        price = known.price_decimals if plan.price_decimals is None else plan.price_decimals
        size = known.size_decimals if plan.size_decimals is None else plan.size_decimals
        # in real time it has the host's date: a bot does not quote on a book of another day
        now: dict[str, Any] = {}
        if plan.speed == (1, 1):
            now["start_ns"] = time.time_ns() // 10**6 * 10**6
        try:
            sim = Market(
                plan.seed + order,
                plan.preset,
                **now,
                price_decimals=price,
                size_decimals=size,
                market_id=market,
                symbol=known.symbol,
                script=plan.script,
            )
        except ValueError as error:
            raise UsageError(f"--source sim: {error}") from None
        return sim, price, size
    recording = open_recording(path, market, plan, settings)
    if plan.source.startswith(LOOP):
        recording.loop()
    price_of, size_of = recording.price_decimals, recording.size_decimals
    if known is not None:
        price_of = known.price_decimals if price_of is None else price_of
        size_of = known.size_decimals if size_of is None else size_of
    if price_of is None or size_of is None:
        raise ConfigError(
            f"{path} does not say its decimals and markets.{market} is not configured: "
            "give --price-decimals and --size-decimals"
        )
    return recording, price_of, size_of


def open_recording(path: str, market: int, plan: Plan, settings: Settings) -> Source:
    """Open a recording; DataError, in one line, when it is missing or cannot be understood."""
    decimals = plan.price_decimals, plan.size_decimals
    known = settings.markets.get(str(market))
    progress = Progress(f"reading {path}")
    try:
        try:
            recording = open_source(path, market, *decimals, progress=progress)
        except ValueError:
            # frames cannot be read without decimals: the configuration knows them, too
            if known is None or decimals != (None, None):
                raise
            decimals = known.price_decimals, known.size_decimals
            recording = open_source(path, market, *decimals, progress=progress)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise DataError(str(error)) from None
    if recording.note:
        say(f"{path}: {recording.note}")
    return recording


class Progress:
    """Says how far a long operation is, once a second at most and not in the first one."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.next_s = time.monotonic() + 1.0

    def __call__(self, done: int, whole: int) -> None:
        if whole and time.monotonic() >= self.next_s:
            self.next_s = time.monotonic() + 1.0
            say(f"{self.what}: {100 * done // whole} %")


def open_lanes(plan: Plan, settings: Settings, outlets: Outlets) -> list[Lane]:
    """Open source, object and files of every market; the objects are closed first."""
    opened = [open_market(plan, settings, order) for order in range(len(plan.markets))]
    lanes = []
    for market, (source, price, size) in zip(plan.markets, opened, strict=True):
        tape, dump = outlets.files(market, price, size)
        publisher = outlets.publisher(market, price, size)
        lanes.append(Lane(publisher, source, tape=tape, dump=dump, duration_ns=plan.duration_ns))
    return lanes


@contextmanager
def stop_on_signals(embedded: bool) -> Iterator[list[int]]:
    """Give a list that is empty until SIGINT or SIGTERM arrives; restore the handlers after.

    USR1 and USR2 are meant for a bot: sent to every process named bog, they leave a feed alone. A
    feed that a bot has embedded leaves INT to the bot, too.
    """
    seen: list[int] = []
    stop = (signal.SIGTERM,) if embedded else (signal.SIGINT, signal.SIGTERM)
    before: dict[signal.Signals, Any] = {
        number: signal.signal(number, lambda received, _: seen.append(received)) for number in stop
    }
    for number in {signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2} - set(stop):
        before[number] = signal.signal(number, signal.SIG_IGN)
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def status(lane: Lane) -> str:
    """Return one line about a lane: what was published and how far its source is."""
    part = "" if lane.progress is None else f", {100 * lane.progress:.0f} %"
    return (
        f"market {lane.publisher.market}: {lane.rows} rows, {lane.messages} messages, "
        f"record {lane.publisher.seq}, {(lane.last_ns - lane.first_ns) / 1e9:.1f} s of market "
        f"time{part}"
    )


def pump(plan: Plan, settings: Settings, outlets: Outlets, stopped: list[int]) -> None:
    """Publish recordings or the built-in market until every one ends or a signal came."""
    num, den = plan.speed
    lanes = open_lanes(plan, settings, outlets)
    runner = Pump(lanes, num=num, den=den, spin=plan.spin)
    more, failed = True, set[int]()
    next_s = time.monotonic() + STATUS_S
    while more and not stopped:
        more = runner.run(SLICE_NS)
        for lane in lanes:
            if lane.file_error and lane.publisher.market not in failed:
                # a recorder that fails must not stop what others trade on
                failed.add(lane.publisher.market)
                why = os.strerror(lane.file_error)
                outlets.unwritten.append(f"market {lane.publisher.market}: {why}")
                say(
                    f"market {lane.publisher.market}: recording ends at row {lane.rows}: "
                    f"{why}; the feed goes on"
                )
        if time.monotonic() >= next_s:
            next_s = time.monotonic() + STATUS_S
            for lane in lanes:
                say(status(lane))
                if not lane.publisher.is_intact():
                    raise BogError(f"{lane.publisher.path} was removed or truncated")
    for lane in lanes:
        say(status(lane))
    trouble = [lane.trouble for lane in lanes if lane.trouble]
    if trouble:
        raise DataError("; ".join(trouble))


def run(plan: Plan) -> None:
    """Publish until every source ends or a signal asks to stop; close cleanly either way.

    Raises BogError or a kin of it, after closing, when a source was damaged, an object vanished
    or a file could not be written.
    """
    check(plan)
    settings = config.load()
    name_process("bog-feed")
    if plan.parent:
        follow_parent()
        if os.getppid() != plan.parent:
            raise BogError(f"process {plan.parent}, whose feed this is, died before it began")
    with stop_on_signals(bool(plan.parent)) as stopped, ExitStack() as stack:
        outlets = Outlets(plan, stack)
        if plan.source == LIGHTER:
            from bog.lighter import publish  # the WebSocket client is of no use to the others

            publish.run(plan, settings, outlets, stopped)
        else:
            pump(plan, settings, outlets, stopped)
        if stopped:
            say(f"{signal.Signals(stopped[0]).name}: closing")
    if outlets.unwritten:
        raise BogError(f"not everything was recorded: {'; '.join(outlets.unwritten)}")
