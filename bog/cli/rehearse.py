"""bog-rehearse: live trading from end to end on this machine, and the reckoning."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from bog import errors
from bog.errors import DataError
from bog.rehearsal import Plan, rehearse

EPILOG = """\b
Examples:
  bog-rehearse                              ten minutes at most: 5000 orders, 200 fills a side
  bog-rehearse --seconds 60 --orders 100 --fills 2 --keep var/rehearsal

A bog-exchange with the built-in market, bog-arm, and bog-live with its feed, gateway and engine, on
loopback, with real signatures. At the end the bot's journal is held against the exchange: position,
cash, fees, open orders and every fill, to the micro-USDC. Exit codes: 0 equal, 1 not, 78 refused.
"""


@click.command("bog-rehearse", epilog=EPILOG)
@click.option(
    "--market", type=click.IntRange(0, 2), default=1, show_default=True, help="0 ETH, 1 BTC, 2 SOL."
)
@click.option(
    "--seconds",
    type=click.FloatRange(1, 86_400),
    default=600.0,
    show_default=True,
    help="The longest it may take.",
)
@click.option(
    "--orders",
    type=click.IntRange(0),
    default=5000,
    show_default=True,
    help="Creates and amends to send.",
)
@click.option(
    "--fills",
    type=click.IntRange(0),
    default=200,
    show_default=True,
    help="Fills to get on each side.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the exchange's market."
)
@click.option(
    "--keep",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Leave journal, logs and keys here instead of in a folder that is removed.",
)
def command(
    market: int, seconds: float, orders: int, fills: int, seed: int, keep: Path | None
) -> None:  # fmt: skip
    """Rehearse live trading on an exchange of this machine, and compare to the micro-USDC."""
    plan = Plan(market, seconds, orders, fills, seed)
    with tempfile.TemporaryDirectory(prefix="bog-rehearse-") as made:
        where = (keep or Path(made)).absolute()
        if keep is not None and keep.exists() and any(keep.iterdir()):
            raise DataError(f"--keep {keep}: want a folder that is empty or not there")
        result = rehearse(where, plan, click.echo)
    ours, theirs = result.ours, result.theirs
    click.echo(f"{result.orders} orders, {result.fills[0]} bid and {result.fills[1]} ask fills in"
               f" {result.seconds:.0f} s")  # fmt: skip
    click.echo(f"{'':12}{'journal':>16}{'exchange':>16}")
    for name, mine, its in (
        ("position", ours.position, theirs.position),
        ("cash", ours.cash, theirs.cash),
        ("fees", ours.fees, theirs.fees),
        ("open orders", len(ours.orders), len(theirs.orders)),
        ("fills", len(ours.fills), len(theirs.fills)),
    ):
        click.echo(f"{name:12}{mine:>16}{its:>16}")
    if result.wrong:
        raise DataError("; ".join(result.wrong))
    click.echo("equal to the micro-USDC")


def main() -> None:
    errors.run(command)


if __name__ == "__main__":
    main()
