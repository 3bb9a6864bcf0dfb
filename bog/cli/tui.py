"""orderbook-tui: watch a feed, and the bot that trades on it, at ten frames a second."""

from __future__ import annotations

import os
import sys

import click

from bog import errors
from bog.cli.book import of_a_feed
from bog.errors import UsageError
from bog.sight import Looker

EPILOG = """\b
Examples:
  bog-feed --market 1              in another terminal: the feed
  orderbook-tui --market 1
  orderbook-tui --market 1 --levels 9 --metrics --chart

\b
Keys: q or Ctrl-C quit, p pause, m metrics, s spread chart, r reset the statistics, 1 to 9, + and -
levels a side, ? help.

It reads shared memory and writes none; the feed and the bot do not notice. A bot of the market is found
beside the feed, with its quotes, position, profit, orders, breakers and limiter. NO_COLOR is honored.
Exit codes: 0 quit, 2 usage or no terminal.
"""


@click.command("orderbook-tui", epilog=EPILOG)
@of_a_feed
@click.option("--levels", type=click.IntRange(1, 50), default=5, show_default=True,
              help="Levels a side, as many as fit.")  # fmt: skip
@click.option("--metrics", is_flag=True, help="Begin with the metrics panel.")
@click.option("--chart", is_flag=True, help="Begin with the spread chart.")
@click.option("--theme", type=click.Choice(["auto", "dark", "light", "plain"]), default="auto",
              show_default=True, help="auto: the terminal's own colors; dark and light bring their "
              "background; plain: none.")  # fmt: skip
def command(
    market: int, directory: str, prefix: str, stale_ms: int, levels: int, metrics: bool,
    chart: bool, theme: str,
) -> None:  # fmt: skip
    """Watch the order book of a running feed: ladder, spread, imbalance, depth, delay, and the bot."""
    try:
        from bog import tui
        from bog.ladder import Wanted
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        raise UsageError(f"orderbook-tui needs {missing}: pip install 'bog-mm[terminal]'") from None
    # the screen is drawn on stderr
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("there is no terminal here: print-orderbook prints one look")
    if os.environ.get("NO_COLOR"):
        theme = "plain"
    wanted = Wanted(depth=levels, metrics=metrics, chart=chart, theme=theme)
    tui.run(Looker(market, directory, prefix, stale_ms), wanted)


def main() -> None:
    """Run orderbook-tui."""
    errors.run(command)


if __name__ == "__main__":
    main()
