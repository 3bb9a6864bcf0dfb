"""What an engine process is told: the configuration and the flags, as integers and names.

The shell makes a Spec, the engine's process obeys it; nothing below reads a configuration.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from bog.errors import UsageError
from bog.facts import About

if TYPE_CHECKING:  # the engine's process needs no configuration, nor the time to import it
    from bog.settings import Settings

DEX = 1  # Lighter
PAPER, LIVE = 0, 1  # mode of a run, in the head of its journal
MARKETS = 1_000_000  # raw id = dex * MARKETS + market
SIM_START_NS = 1_767_225_600_000_000_000  # 2026-01-01: a virtual clock that no host clock moves
RECORDS_PER_MB = 2**20 // 64  # of a journal
UNITS = {"ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}


class FeedSpec(TypedDict):
    """Where the rows come from. `kind` is sim, replay, huginn or lighter; the others as it needs."""

    kind: str
    preset: str
    seed: int
    start_ns: int
    script: str
    path: str
    loop: bool  # a recording begins anew where it ends
    directory: str
    publish: bool


class Spec(TypedDict):
    """All that an engine process is told: what it trades, by which limits, from what, into what."""

    market: int  # as people say it; the core has dex and market in one number
    symbol: str
    price_decimals: int
    size_decimals: int
    limits: dict[str, int]
    strategy: dict[str, Any]  # integers, and a list of them for the microprice table
    venue: dict[str, int]
    balance: int
    feed: FeedSpec
    speed_ppm: int  # 1_000_000 is real time, 0 as fast as possible
    duration_ns: int  # of the feed's clock; 0: until the feed ends or someone says so
    cpu: int  # -1: wherever the kernel likes
    realtime: bool  # before all that is not real time
    awake: bool  # no core of the host may sleep
    strict: bool  # refuse a host that does not give what was asked, instead of saying so
    mode: int
    journal: str
    rotate: int  # records of one journal file
    segments: str
    run_id: str
    build: str
    config_hash: str
    account: int
    chain: int  # id of the venue's chain; 0 on paper
    clear_halt: int
    adopt: list[int]  # the journal's position, the venue's to begin with instead, its cost; or none
    page: str
    link: str  # of the gateway that executes; "": the paper venue, or the built-in market
    parent: int  # process that must live: without it the engine drains


class ProcessSpec(TypedDict):
    """What an engine process is told: its lanes in their order, and the limit over all of them."""

    lanes: list[Spec]  # pace, host and parent are the same in each
    portfolio_limit: int  # quanta of the lane with the most decimals; 0: none


def link_path(directory: str, market: int) -> str:
    """Return the name of a market's link to the gateway, of this bog-live."""
    return str(Path(directory) / f"bog_x{raw_market(market)}.{os.getpid()}")


def mode_name(settings: Settings) -> str:
    """Return how this trades, for people: paper, live, or dry run."""
    if settings.execution.mode != "live":
        return "paper"
    return "dry run" if settings.execution.dry_run else "live"


def journal_of(settings: Settings) -> str:
    """Return the folder of the journal: what was not sent is no part of an account's history."""
    directory = settings.journal.directory
    return str(Path(directory) / "dry-run") if mode_name(settings) == "dry run" else directory


def raw_market(market: int) -> int:
    """Return the number that names a market of this venue everywhere in the core."""
    return DEX * MARKETS + market


def to_ns(text: str) -> int:
    """Return a duration such as 90, 90s, 2m or 1h in ns; a bare number is seconds."""
    unit = next((u for u in ("ms", "s", "m", "h") if text.endswith(u)), "")
    number = text.removesuffix(unit)
    if not number.isdigit() or int(number) == 0:
        raise UsageError(f"--duration {text!r}: want a whole number of s, m or h, such as 120s")
    return int(number) * UNITS[unit or "s"]


def spec_of(
    settings: Settings,
    market: int,
    values: dict[str, Any],
    config_hash: str,
    build: str,
    page: str,
    now_ns: int,
) -> Spec:
    """Return the spec of one market's session: `settings` are those of this market.

    `values` are the flags, `page` is its new stats page, `now_ns` the host's date.
    """
    live = settings.execution.mode == "live"
    scale = settings.market(market)
    source = settings.feed.source
    kind, _, path = source.partition(":")
    loop = kind == "loop"
    kind = "replay" if loop else kind
    speed_ppm = settings.speed_ppm()
    real_time = kind == "sim" and speed_ppm == 1_000_000
    limits, strategy = settings.limits(market), settings.strategy_params(market)
    if live and kind not in ("huginn", "lighter"):
        settings.refuse(
            "feed.source", "want huginn or lighter: live trading needs the venue's book"
        )
    if (kind == "sim" or loop) and speed_ppm == 0 and not values["duration"]:
        what = "a recording looped" if loop else "the built-in market"
        raise UsageError(f"--speed max on {what} never ends: give a --duration")
    return Spec(
        market=market,
        symbol=scale.symbol,
        price_decimals=scale.price_decimals,
        size_decimals=scale.size_decimals,
        limits=limits,
        strategy=strategy,
        venue=settings.venue_params(market),
        balance=limits["balance"],
        feed=FeedSpec(
            kind=kind,
            preset=settings.feed.preset,
            seed=settings.feed.seed,
            # real time has the host's date; any other pace must give the same journal tomorrow
            start_ns=now_ns // 10**9 * 10**9 if real_time else SIM_START_NS,
            script=Path(values["script"]).read_text() if values["script"] else "",
            path=path,
            loop=loop,
            directory=settings.feed.directory,
            publish=kind in ("sim", "replay") and speed_ppm > 0 and not values["no_publish"],
        ),
        speed_ppm=speed_ppm,
        duration_ns=to_ns(values["duration"]) if values["duration"] else 0,
        cpu=-1 if values["cpu"] is None else values["cpu"],
        realtime=values["realtime"],
        awake=settings.host.awake,
        strict=settings.host.strict,
        mode=LIVE if live else PAPER,
        journal=journal_of(settings),
        rotate=settings.journal.rotate_mb * RECORDS_PER_MB,
        segments=settings.feed.directory,
        run_id=f"{scale.symbol}-live"
        if live
        else f"{scale.symbol}-{kind}-seed{settings.feed.seed}",
        build=build,
        config_hash=config_hash,
        account=settings.live.account_index if live else 0,
        chain=settings.live.chain_id if live else 0,
        clear_halt=values["clear_halt"] or 0,
        adopt=[],
        page=page,
        link=link_path(settings.feed.directory, market) if live else "",
        parent=os.getpid(),
    )


def about_of(settings: Settings, spec: Spec) -> About:
    """Return what a result depends on, for screen and report."""
    feed, venue = spec["feed"], spec["venue"]
    names = {
        "sim": f"sim {feed['preset']}",
        "replay": f"{'loop' if feed['loop'] else 'replay'} {feed['path']}",
    }
    return About(
        symbol=spec["symbol"],
        market=spec["market"],
        price_decimals=spec["price_decimals"],
        size_decimals=spec["size_decimals"],
        mode=mode_name(settings),
        feed=names.get(feed["kind"], feed["kind"]),
        strategy=settings.strategy_name,
        tier=f"{settings.execution.tier} ({settings.tier.as_of})",
        maker_ppm=venue["maker_ppm"],
        taker_ppm=venue["taker_ppm"],
        fill_model="venue"
        if spec["link"]
        else "queue"
        if feed["kind"] == "sim"
        else settings.venue.queue_model,
        through_full=bool(venue["through_full"]) and feed["kind"] != "sim",
        latency_ns={
            leg: venue[f"{leg}_ns"]
            for leg in ("net", "response", "maker", "cancel", "amend", "taker")
        },
        seed=feed["seed"],
        config_hash=spec["config_hash"],
        version=spec["build"],
    )
