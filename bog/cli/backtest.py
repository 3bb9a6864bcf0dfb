"""bog-backtest: what would have filled, had these orders rested in a recorded market."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from bog import errors
from bog._core.backtest import MODELS
from bog._core.source import open_source
from bog.backtest import FAULTS_SHOWN, ScriptError, read_script, run_script, write_fills

HELP = """Replay a script of post-only orders against a recording and write their fills.

The recorded market does not react to the orders. A fill needs volume that traded against the queue
in front of an order (reason queue), volume that traded at a worse price (through), or a book whose
other side reached the order (cross). There are no fees and no account limits.

\b
A script is CSV, prices in ticks, sizes in lots, times in ns:
  time_ns,action,order,side,price,size,latency_ns
  1760041998000000000,send,1,b,1210430,500,200000000
  1760042001000000000,cancel,1,,,,200000000

An action takes effect before the first row received at or after time_ns + latency_ns; actions of
one time in script order. An order that would cross on arrival is rejected: it does not fill, and
the summary counts it.

\b
Example:
  bog-backtest --events events.csv.gz --orders script.csv --fills fills.csv

\b
The fills: time_ns,order,side,price,size,reason
  1760041999241000000,1,b,1210430,120,queue

EVENTS may be rows (events.csv.gz), orders (orders.csv.gz), Lighter frames or a tape of bog; what
it is shows from its content. Exit codes: 0 done, 1 the recording is damaged, 2 the script or the
command line has a fault.
"""


def teller(what: str) -> Callable[[int, int], None] | None:
    """Return a function that shows progress on stderr, None when nobody is looking."""
    if not sys.stderr.isatty():
        return None

    def tell(done: int, total: int) -> None:
        share = 100 * done // total if total else 100
        print(f"\r{what} {share:3d} %", end="", file=sys.stderr, flush=True)

    return tell


@click.command("bog-backtest", help=HELP)
@click.option("--events", required=True, metavar="FILE", help="The recording.")
@click.option("--orders", required=True, metavar="SCRIPT.csv", help="The script of orders.")
@click.option("--fills", required=True, metavar="OUT.csv", help="Where the fills go.")
@click.option(
    "--model",
    type=click.Choice(MODELS),
    default="risk",
    show_default=True,
    help="How cancels move the queue. Only risk is a result; the others are optimistic bounds.",
)
@click.option("--market", type=int, help="Market id, for Lighter frames without a sidecar.")
@click.option("--price-decimals", type=int, help="Decimals of a tick, likewise.")
@click.option("--size-decimals", type=int, help="Decimals of a lot, likewise.")
def command(
    events: str,
    orders: str,
    fills: str,
    model: str,
    market: int | None,
    price_decimals: int | None,
    size_decimals: int | None,
) -> None:
    try:
        actions = read_script(orders)
    except ScriptError as error:
        for fault in error.faults[:FAULTS_SHOWN]:
            print(errors.one_line(fault), file=sys.stderr)
        raise
    try:
        source = open_source(events, market, price_decimals, size_decimals, teller("reading"))
        tell = teller("replaying")
        found, counts = run_script(source, actions, model, tell)
    except OSError as error:
        raise errors.UsageError(f"{events}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise errors.DataError(str(error)) from None
    if tell is not None:
        print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    write_fills(fills, found)
    by_reason = ", ".join(f"{n} {reason}" for reason, n in counts["fills"].items())
    print(
        f"{source.rows} rows, {sum(a.side is not None for a in actions)} orders: "
        f"{len(found)} fills ({by_reason}), {counts['rejected']} rejected (post-only), "
        f"{counts['resting']} resting and {counts['on_the_way']} not arrived at the end; "
        f"model {model}{'' if model == 'risk' else ' (an optimistic bound, not a result)'}",
        file=sys.stderr,
    )
    if source.note:
        print(source.note, file=sys.stderr)
    if counts["unknown_ahead"] or counts["notes_full"]:
        print(
            f"pessimistic: {counts['unknown_ahead']} orders joined a level of unknown size, "
            f"{counts['notes_full']} times a level could not be remembered",
            file=sys.stderr,
        )


def main() -> None:
    """Run the command and leave with its exit code."""
    errors.run(command)


if __name__ == "__main__":
    main()
