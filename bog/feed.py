"""The day of a feed process: open what it publishes, run the pump, say how it goes, close."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from bog import config
from bog._core import feed as huginn
from bog._core.market import Market
from bog._core.pump import Lane, Pump, name_process
from bog._core.recorder import CsvWriter, TapeWriter
from bog._core.source import Source, open_source
from bog.errors import BogError, ConfigError, DataError, UsageError
from bog.settings import Settings

SLICE_NS = 100_000_000  # between two looks at signals and the clock of the status line
STATUS_S = 5.0
REPLAY = "replay:"
FASTEST = "max"
SPEED_MOST = 1_000_000


@dataclass(frozen=True)
class Plan:
    """What one feed process does, as its command line says it."""

    markets: tuple[int, ...]
    source: str  # "sim" or "replay:FILE"
    speed: tuple[int, int]  # numerator and denominator; (0, 1) is as fast as possible
    directory: str
    prefix: str = huginn.PREFIX
    seed: int = 1
    preset: str = "active"
    script: str = ""
    duration_ns: int = 0  # of the source's time; 0 for all of it
    record: str | None = None
    dump: str | None = None
    price_decimals: int | None = None
    size_decimals: int | None = None
    spin: bool = False


def parse_speed(text: str) -> tuple[int, int]:
    """Return a speed as (numerator, denominator), exactly; (0, 1) for "max".

    "2.5" is (5, 2). UsageError unless it is above 0 and at most 1000000.
    """
    if text == FASTEST:
        return 0, 1
    try:
        speed = Decimal(text)
    except InvalidOperation:
        speed = Decimal(0)
    if not speed.is_finite() or not Decimal("0.000001") <= speed <= SPEED_MOST:
        raise UsageError(
            f"--speed {text!r} is neither {FASTEST!r} nor a number from 0.000001 to {SPEED_MOST}"
        )
    return speed.as_integer_ratio()


def replay_path(plan: Plan, market: int) -> str | None:
    """Return the recording that a market replays, None for the built-in market.

    UsageError for a source that does not exist.
    """
    if plan.source.startswith(REPLAY) and len(plan.source) > len(REPLAY):
        return file_of(plan.source.removeprefix(REPLAY), market)
    if plan.source == "sim":
        return None
    if plan.source == "lighter":
        raise UsageError(
            "--source lighter: this build has no connection to the venue yet; "
            "use sim or replay:FILE"
        )
    raise UsageError(f"--source {plan.source!r} is not sim, replay:FILE or lighter")


def file_of(text: str, market: int) -> str:
    """Return a file name of the command line with its {market} filled in."""
    return text.replace("{market}", str(market))


def check(plan: Plan) -> None:
    """Refuse a plan that contradicts itself, before anything is opened or created."""
    if not plan.markets:
        raise UsageError("--market is missing: name at least one")
    for market in plan.markets:
        if not 0 <= market < 1_000_000:
            raise UsageError(f"--market {market} is not between 0 and 999999")
        replay_path(plan, market)
    if len(set(plan.markets)) != len(plan.markets):
        raise UsageError("--market names one market twice")
    for flag, name in (("--record", plan.record), ("--dump", plan.dump)):
        if name is not None and len(plan.markets) > 1 and "{market}" not in name:
            raise UsageError(f"{flag} {name}: several markets need a name with {{market}} in it")


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
        try:
            sim = Market(
                plan.seed + order,
                plan.preset,
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


def say(text: str) -> None:
    """Tell the person at the terminal one line."""
    print(f"bog-feed: {text}", file=sys.stderr, flush=True)


class Progress:
    """Says how far a long operation is, once a second at most and not in the first one."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.next_s = time.monotonic() + 1.0

    def __call__(self, done: int, whole: int) -> None:
        if whole and time.monotonic() >= self.next_s:
            self.next_s = time.monotonic() + 1.0
            say(f"{self.what}: {100 * done // whole} %")


def finish(file: TapeWriter | CsvWriter, unwritten: list[str]) -> None:
    """Close a file; when its end cannot be written, add its path to `unwritten`."""
    try:
        file.close()
    except OSError as error:
        unwritten.append(f"{file.path}: {error.strerror}")


def open_lanes(
    plan: Plan, settings: Settings, stack: ExitStack, unwritten: list[str]
) -> list[Lane]:
    """Open source, object and files of every market; `stack` closes them, the objects first."""
    opened = [open_market(plan, settings, order) for order in range(len(plan.markets))]
    lanes = []
    for market, (source, price, size) in zip(plan.markets, opened, strict=True):
        tape = dump = None
        try:
            if plan.record is not None:
                tape = TapeWriter(
                    file_of(plan.record, market), market, price, size, created_by="bog-feed"
                )
                stack.callback(finish, tape, unwritten)
            if plan.dump is not None:
                dump = CsvWriter(file_of(plan.dump, market))
                stack.callback(finish, dump, unwritten)
        except FileExistsError as error:
            raise UsageError(f"{error.filename} exists already: choose another name") from None
        except OSError as error:
            raise ConfigError(f"{error.filename}: {error.strerror}") from None
        try:
            publisher = huginn.Publisher(
                market,
                directory=plan.directory,
                prefix=plan.prefix,
                price_decimals=price,
                size_decimals=size,
            )
        except OSError as error:
            raise ConfigError(f"{plan.directory}: {error.strerror}") from None
        except huginn.FeedError as error:
            raise ConfigError(str(error)) from None
        stack.callback(publisher.close)
        say(f"market {market}: {publisher.path}, epoch {publisher.epoch}, decimals {price}/{size}")
        lanes.append(Lane(publisher, source, tape=tape, dump=dump, duration_ns=plan.duration_ns))
    return lanes


@contextmanager
def stop_on_signals() -> Iterator[list[int]]:
    """Give a list that is empty until SIGINT or SIGTERM arrives; restore the handlers after."""
    seen: list[int] = []
    before = {
        number: signal.signal(number, lambda received, _: seen.append(received))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
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


def run(plan: Plan) -> None:
    """Publish until every source ends or a signal asks to stop; close cleanly either way.

    Raises BogError or a kin of it, after closing, when a source was damaged, an object vanished
    or a file could not be written.
    """
    check(plan)
    settings = config.load()
    name_process("bog-feed")
    num, den = plan.speed
    unwritten: list[str] = []
    with stop_on_signals() as stopped, ExitStack() as stack:
        lanes = open_lanes(plan, settings, stack, unwritten)
        pump = Pump(lanes, num=num, den=den, spin=plan.spin)
        more, failed = True, set[int]()
        next_s = time.monotonic() + STATUS_S
        while more and not stopped:
            more = pump.run(SLICE_NS)
            for lane in lanes:
                if lane.file_error and lane.publisher.market not in failed:
                    # a recorder that fails must not stop what others trade on
                    failed.add(lane.publisher.market)
                    say(
                        f"market {lane.publisher.market}: recording ends at row {lane.rows}: "
                        f"{os.strerror(lane.file_error)}; the feed goes on"
                    )
            if time.monotonic() >= next_s:
                next_s = time.monotonic() + STATUS_S
                for lane in lanes:
                    say(status(lane))
                    if not lane.publisher.is_intact():
                        raise BogError(f"{lane.publisher.path} was removed or truncated")
        for lane in lanes:
            say(status(lane))
        if stopped:
            say(f"{signal.Signals(stopped[0]).name}: closing")
    trouble = [lane.trouble for lane in lanes if lane.trouble]
    if trouble:
        raise DataError("; ".join(trouble))
    if failed or unwritten:
        raise BogError(f"not everything was recorded: {'; '.join(unwritten) or 'see above'}")
