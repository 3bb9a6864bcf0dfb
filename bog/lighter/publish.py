"""bog-feed --source lighter: describe the markets, follow them, publish, watch what changes.

One asyncio loop. A market that the venue stops, or describes in another way than at the start, is
published as halted: its numbers might mean something else.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bog._core.stream import MarketStream, Stream
from bog.errors import BogError, ConfigError
from bog.lighter import metadata
from bog.lighter.address import rest_beside, rest_url, stream_url
from bog.lighter.client import Client
from bog.lighter.connection import Connection, Pace
from bog.lighter.metadata import Details, Source
from bog.lighter.rest import RestError
from bog.outlet import Outlets, say
from bog.plan import Plan
from bog.settings import Settings

STATUS_S = 5.0
START_TRIES = 3  # at the metadata, a second apart
ASK_S = 5.0  # at least between two unplanned looks at the metadata of a market
POLL_S = 0.05


@dataclass
class Followed:
    """One market: what it was at the start, what is published of it, and why it is halted."""

    details: Details
    stream: MarketStream
    for_good: bool = False  # halted until a person has looked
    looked_s: float = 0.0
    silent: bool = False  # the last look had no answer


def addresses(plan: Plan, settings: Settings) -> tuple[str, str]:
    """Return the addresses of the stream and of the REST interface; ConfigError when they are bad."""
    if plan.url is None and plan.rest_url is None:
        return settings.lighter_urls()
    keys = settings.feed.lighter
    try:
        stream = keys.url if plan.url is None else stream_url(plan.url)
    except ValueError as error:
        raise ConfigError(f"--url {plan.url!r}: {error}") from None
    try:
        return stream, rest_beside(stream) if plan.rest_url is None else rest_url(plan.rest_url)
    except ValueError as error:
        raise ConfigError(f"--rest-url {plan.rest_url!r}: {error}") from None


async def describe(source: Source, market: int) -> Details:
    """Return what the venue says of a market, or what it said last time when it does not answer."""
    said = ""
    for attempt in range(START_TRIES):
        if attempt:
            await asyncio.sleep(1.0)
        try:
            return await metadata.fetch(source, market)
        except RestError as error:
            said = str(error)
    kept = metadata.load(source, market)
    if kept is None:
        raise ConfigError(f"market {market} cannot be described: {said}")
    say(f"market {market}: {said}; goes by {metadata.cache_path(source, market)} until it answers")
    return kept


async def open_markets(
    plan: Plan, settings: Settings, source: Source, outlets: Outlets
) -> list[Followed]:
    """Return every market, described, compared and published; nothing is opened when one differs."""
    said = [await describe(source, market) for market in plan.markets]
    for details in said:
        metadata.accept(source, details, settings.markets.get(str(details.market)))
        for what in ("price_decimals", "size_decimals"):
            given, true = getattr(plan, what), getattr(details, what)
            if given is not None and given != true:
                raise ConfigError(f"--{what.replace('_', '-')} {given}: the venue says {true}")
    followed = []
    for details in said:
        scale = details.market, details.price_decimals, details.size_decimals
        tape, dump = outlets.files(*scale)
        publisher = outlets.publisher(*scale)
        followed.append(
            Followed(details, MarketStream(publisher, *scale[1:], tape=tape, dump=dump))
        )
    return followed


class Watch:
    """Looks at the descriptions now and then, and halts and resumes markets by them."""

    def __init__(self, source: Source, followed: list[Followed], client: Client, every_s: float):
        self.source, self.client, self.every_s = source, client, every_s
        self.by_market = {one.details.market: one for one in followed}
        now = time.monotonic()
        for one in followed:
            one.looked_s = now
            if one.details.halted:
                self.halt(one, one.details.halted, for_good=False)

    def halt(self, one: Followed, why: str, for_good: bool) -> None:
        one.for_good = one.for_good or for_good
        if not one.stream.halted:
            one.stream.halt()
            say(f"market {one.details.market}: HALTED: {why}")

    def soon(self, market: int) -> None:
        """Look at a market before its time: what it sends does not fit its description."""
        one = self.by_market.get(market)
        if one is not None:
            one.looked_s = min(one.looked_s, time.monotonic() - self.every_s + ASK_S)

    async def look(self, one: Followed) -> None:
        """Fetch what the venue says now and act on it."""
        market = one.details.market
        try:
            new = await metadata.fetch(self.source, market)
        except RestError as error:
            if not one.silent:
                say(f"market {market}: not described any more: {error}")
            one.silent = True
            return
        if one.silent:
            say(f"market {market}: described again")
        one.silent = False
        changed = metadata.difference(new, one.details)
        if changed:
            again = metadata.cache_path(self.source, market)
            self.halt(
                one,
                f"the venue changed it: {changed}; look, then remove {again} and start anew",
                for_good=True,
            )
        elif new.halted:
            self.halt(one, new.halted, for_good=False)
        elif one.stream.halted and not one.for_good:
            say(f"market {market}: trades again")
            one.stream.resume()
            self.client.resync(market)

    async def follow(self) -> None:
        """Look at each market when it is due."""
        while True:
            await asyncio.sleep(POLL_S)
            for one in self.by_market.values():
                if time.monotonic() - one.looked_s >= self.every_s:
                    await self.look(one)
                    one.looked_s = time.monotonic()


def status(one: Followed) -> str:
    """Return one line about a market."""
    stream, counts = one.stream, one.stream.counters()
    book = "halted" if stream.halted else "whole book" if stream.has_book else "no book"
    odd = "".join(
        f", {counts[name]} {name}" for name in ("gaps", "duplicates", "refused") if counts[name]
    )
    return (
        f"market {one.details.market}: {stream.rows} rows, {stream.messages} messages, "
        f"record {stream.publisher.seq}, {book}{odd}"
    )


def connection_status(client: Client, stream: Stream) -> str:
    """Return one line about the connection."""
    machine = client.machine
    counts = machine.counters
    return (
        f"{machine.state.value}, {stream.frames} frames, {stream.size / 1e6:.1f} MB, "
        f"{counts['connects']} connects, {counts['resyncs']} resyncs, "
        f"{stream.malformed} unreadable frames"
    )


async def follow(plan: Plan, settings: Settings, outlets: Outlets, stopped: list[int]) -> None:
    """Publish until the duration is over or a signal came."""
    keys = settings.feed.lighter
    url, base = addresses(plan, settings)
    source = Source(base, Path(keys.metadata_directory), float(keys.metadata_timeout_sec))
    followed = await unless_stopped(open_markets(plan, settings, source, outlets), stopped)
    if followed is None:
        return
    stream = Stream([one.stream for one in followed])
    machine = Connection(list(plan.markets), Pace(**settings.lighter_pace()), Random())

    def ask(market: int) -> None:
        watch.soon(market)

    client = Client(
        url, stream, machine, most_bytes=keys.message_max_kb * 1024, say=say, ask=ask
    )  # fmt: skip
    watch = Watch(source, followed, client, float(keys.metadata_interval_sec))
    end_s = time.monotonic() + plan.duration_ns / 1e9 if plan.duration_ns else float("inf")
    next_s = time.monotonic() + STATUS_S
    failed: set[int] = set()

    def tell() -> None:
        say(connection_status(client, stream))
        for one in followed:
            say(status(one))

    def over() -> bool:
        nonlocal next_s
        for market, why in stream.file_errors().items():
            if market not in failed:
                failed.add(market)
                outlets.unwritten.append(f"market {market}: {why}")
                say(f"market {market}: recording ends: {why}; the feed goes on")
        if time.monotonic() >= next_s:
            next_s = time.monotonic() + STATUS_S
            tell()
            for one in followed:
                if not one.stream.publisher.is_intact():
                    raise BogError(f"{one.stream.publisher.path} was removed or truncated")
        if watching.done():
            watching.result()
        return bool(stopped) or time.monotonic() >= end_s

    say(f"{url}: connecting")
    watching = asyncio.ensure_future(watch.follow())
    try:
        await client.follow(over)
    finally:
        watching.cancel()
    tell()


async def unless_stopped(work, stopped: list[int]):  # type: ignore[no-untyped-def]
    """Return what `work` returns, None when a signal came before it was done."""
    task = asyncio.ensure_future(work)
    while not task.done() and not stopped:
        await asyncio.wait({task}, timeout=POLL_S)
    if task.done():
        return task.result()
    task.cancel()
    return None


def run(plan: Plan, settings: Settings, outlets: Outlets, stopped: list[int]) -> None:
    """Publish the venue's markets until the duration is over or a signal came."""
    asyncio.run(follow(plan, settings, outlets, stopped))
