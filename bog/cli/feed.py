"""The commands bog-feed and huginn: publish markets in shared memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bog import errors, feed, plan
from bog._core.market import PRESETS
from bog._core.shm import DIRECTORY, PREFIX
from bog.errors import UsageError

OPTIONS = [
    click.option("--market", "markets", type=int, multiple=True, metavar="ID",
                 help="Raw market id, 0 to 999999; 1 is BTC. Repeat it for several markets."),
    click.option("--source", default="sim", show_default=True, metavar="SOURCE",
                 help="sim: the built-in market. replay:FILE: a recording (format 1 or 2, Lighter "
                      "frames, a tape of bog; packed by gzip or not). loop:FILE: the same over and "
                      "over, 1 s apart. lighter: the venue's public stream."),
    click.option("--url", metavar="URL",
                 help="Of the venue's stream, wss://... (ws:// to this machine only). Default: "
                      "feed.lighter.url."),
    click.option("--rest-url", metavar="URL",
                 help="Where the venue describes its markets. Default: feed.lighter.rest_url, or "
                      "the host of --url."),
    click.option("--parent", type=int, default=0, hidden=True),
    click.option("--speed", default="1", show_default=True, metavar="N|max",
                 help="Times real time; max: as fast as possible."),
    click.option("--duration", type=float, default=0.0, metavar="SECONDS",
                 help="Stop after this much market time; 0: at the end of the source."),
    click.option("--record", metavar="FILE", help="Write a tape of what is published."),
    click.option("--dump", metavar="FILE.csv",
                 help="Write what was understood as rows of format 1 (kinds R, L, T, B)."),
    click.option("--seed", type=click.IntRange(0, 2**63), default=1, show_default=True,
                 help="Of the built-in market; the n-th market of a process draws from seed + n."),
    click.option("--preset", type=click.Choice(sorted(PRESETS)), default="active",
                 show_default=True, help="Of the built-in market."),
    click.option("--script", metavar="FILE", type=click.Path(exists=True, dir_okay=False),
                 help="Incidents of the built-in market, one a line: SECONDS KIND [ARGUMENTS]."),
    click.option("--price-decimals", type=click.IntRange(0, 9),
                 help="A tick is 10^-N. Default: the recording, its sidecar, then [markets.ID]."),
    click.option("--size-decimals", type=click.IntRange(0, 9), help="A lot is 10^-N; as above."),
    click.option("--dir", "directory", default=DIRECTORY, show_default=True, metavar="DIR",
                 help="Where the shared-memory objects are."),
    click.option("--prefix", default=PREFIX, show_default=True,
                 help="How their names begin; DEX * 1000000 + market follows."),
    click.option("--hft", is_flag=True,
                 help="Wait for the next message in a busy loop instead of napping: takes a whole "
                      "core, and each message leaves without the delay of a wake-up."),
]  # fmt: skip


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that both spellings of the command share."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def publish(
    markets: tuple[int, ...],
    duration: float,
    speed: str,
    script: str | None,
    hft: bool,
    **more: Any,
) -> None:
    """Turn a command line into a plan and run it."""
    if not math.isfinite(duration) or not 0 <= duration <= 1e9:
        raise UsageError(f"--duration {duration} is not between 0 and 1e9 seconds")
    if not more["prefix"] or "/" in more["prefix"]:
        raise UsageError(f"--prefix {more['prefix']!r} is not the beginning of a file name")
    feed.run(
        plan.Plan(
            markets=markets,
            speed=plan.parse_speed(speed),
            script=Path(script).read_text(encoding="utf-8") if script else "",
            duration_ns=round(duration * 1e9),
            spin=hft,
            **more,
        )
    )


@click.command("bog-feed")
@options
def bog_feed(**given: Any) -> None:
    """Publish one or more markets in shared memory, one object each, for any number of readers.

    Ctrl-C or SIGTERM ends the feed cleanly: readers see a status record END and a closed object.
    An object of a writer that died is taken over; one of a live writer is refused.
    """
    publish(**given)


@click.command("huginn")
@options
def huginn_command(**given: Any) -> None:
    """Publish one or more markets in shared memory: another spelling of bog-feed."""
    publish(**given)


def main() -> None:
    """Run bog-feed."""
    errors.run(bog_feed)


def huginn() -> None:
    """Run huginn."""
    errors.run(huginn_command)


if __name__ == "__main__":
    main()
