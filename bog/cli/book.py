"""print-orderbook: one look at a feed, for people, in a line, or as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click

from bog import errors
from bog._core.shm import DIRECTORY, PREFIX
from bog.errors import FeedError
from bog.sight import STALE_MS, Looker

WAIT_SEC = 1.0  # a feed that has just started has its first book by then
EPILOG = """\b
Examples:
  bog-feed --market 1                                   in another terminal: the feed
  print-orderbook --market 1 --levels 10
  print-orderbook --market 1 --format compact
  print-orderbook --market 1 --format json | jq .mid_price

Prices and sizes are exact. age is the time since the feed's last sign of life; imbalance is 100 for a
book of bids alone, -100 for one of asks. Exit codes: 0 printed, 1 no feed, a stale one, or no book in
it (one line says which), 2 usage.
"""
FEED = [
    click.option("--market", type=click.IntRange(0, 999_999), default=1, show_default=True,
                 metavar="ID", help="The market's number at the venue: 1 is BTC."),
    click.option("--dir", "directory", default=DIRECTORY, show_default=True, metavar="DIR",
                 help="Where the shared-memory objects are: the --dir of bog-feed, the --feed-dir "
                 "of bog-live."),
    click.option("--prefix", default=PREFIX, show_default=True,
                 help="How their names begin, as in bog-feed."),
    click.option("--stale-after", "stale_ms", type=click.IntRange(1, 3_600_000), default=STALE_MS,
                 show_default=True, metavar="MS",
                 help="Silence of the feed after which its book is not that of now."),
]  # fmt: skip


def of_a_feed(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which feed is looked at."""
    for option in reversed(FEED):
        command = option(command)
    return command


@click.command("print-orderbook", epilog=EPILOG)
@of_a_feed
@click.option("--levels", type=click.IntRange(1, 1000), default=10, show_default=True,
              help="Levels a side.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["pretty", "compact", "json"]),
              default="pretty", show_default=True, help="A ladder, a line, or JSON.")  # fmt: skip
def command(
    market: int, directory: str, prefix: str, stale_ms: int, levels: int, form: str
) -> None:
    """Print the book that a running feed publishes, once."""
    from bog import snapshot

    looker = Looker(market, directory, prefix, stale_ms)
    until = time.monotonic() + WAIT_SEC
    while True:
        book, trouble, *_ = looker.look(levels)
        if book is None:
            raise FeedError(trouble)
        if book.stale:
            raise FeedError(
                f"feed of market {market} is stale: {book.stale}; start it again: bog-feed --market"
                f" {market}"
            )
        if book.bids or book.asks:
            break
        if time.monotonic() > until:
            raise FeedError(f"feed of market {market} has no book yet: {book.path}")
        time.sleep(0.02)
    click.echo({"pretty": snapshot.pretty, "compact": snapshot.compact,
                "json": snapshot.as_json}[form](book))  # fmt: skip


def main() -> None:
    """Run print-orderbook."""
    errors.run(command)


if __name__ == "__main__":
    main()
