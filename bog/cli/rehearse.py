"""bog-rehearse: live trading from end to end on this machine, and the reckoning."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from bog import errors
from bog.errors import DataError, UsageError
from bog.nemesis import KINDS
from bog.rehearsal import Plan, rehearse

# the longest it may take in seconds, orders, fills a side
CALM, FAULTS = (600.0, 5000, 200), (1800.0, 1000, 20)

EPILOG = """\b
Examples:
  bog-rehearse                              ten minutes at most: 5000 orders, 200 fills a side
  bog-rehearse --seconds 60 --orders 100 --fills 2 --keep var/rehearsal
  bog-rehearse --faults                     half an hour at most: 36 faults, 1000 orders, 20 fills a side
  bog-rehearse --faults --rounds 1 --orders 50 --fills 1
  bog-rehearse --faults --rounds 20 --only lost-answers --only nonces

A bog-exchange with the built-in market, bog-arm, and bog-live with its feed, gateway and engine, on
loopback, with real signatures. At the end the bot's journal is held against the exchange: position,
cash, fees, open orders and every fill, to the micro-USDC. Exit codes: 0 equal, 1 not, 78 refused.

With --faults the exchange spoils what passes while the bot quotes, by a script that --seed gives and
that is printed first: disconnects, lost answers of which half were taken, frames twice and in another
order, 429, refused nonces, a silent private stream, latency, failing reads, a partition, a sequencer
that stands still. No order may be created twice or forgotten, and no exposure pass its limit, at any look.
"""


@click.command("bog-rehearse", epilog=EPILOG)
@click.option(
    "--market", type=click.IntRange(0, 2), default=1, show_default=True, help="0 ETH, 1 BTC, 2 SOL."
)
@click.option(
    "--seconds",
    type=click.FloatRange(1, 86_400),
    help="The longest it may take: 600, with --faults 1800.",
)
@click.option(
    "--orders",
    type=click.IntRange(0),
    help="Creates and amends to send: 5000, with --faults 1000.",
)
@click.option(
    "--fills",
    type=click.IntRange(0),
    help="Fills to get on each side: 200, with --faults 20.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Of market and faults."
)
@click.option(
    "--faults", is_flag=True, help="Spoil what passes between bot and exchange while it quotes."
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="With --faults: of every kind of fault.",
)
@click.option(
    "--only",
    metavar="KIND",
    multiple=True,
    type=click.Choice(list(KINDS)),
    help=f"With --faults: this kind and no other; may be repeated. {', '.join(KINDS)}.",
)
@click.option(
    "--keep",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Leave journal, logs and keys here instead of in a folder that is removed.",
)
def command(
    market: int, seconds: float | None, orders: int | None, fills: int | None, seed: int,
    faults: bool, rounds: int, only: tuple[str, ...], keep: Path | None,
) -> None:  # fmt: skip
    """Rehearse live trading on an exchange of this machine, and compare to the micro-USDC."""
    if only and not faults:
        raise UsageError("--only names faults of a script: want --faults beside it")
    usual = FAULTS if faults else CALM
    given = (seconds, orders, fills)
    wanted = [normal if own is None else own for own, normal in zip(given, usual, strict=True)]
    plan = Plan(
        market, float(wanted[0]), int(wanted[1]), int(wanted[2]), seed, rounds * faults, only
    )
    with tempfile.TemporaryDirectory(prefix="bog-rehearse-") as made:
        where = (keep or Path(made)).absolute()
        if keep is not None and keep.exists() and any(keep.iterdir()):
            raise DataError(f"--keep {keep}: want a folder that is empty or not there")
        result = rehearse(where, plan, click.echo)
    ours, theirs = result.ours, result.theirs
    if faults:
        for kind, times in result.faults.items():
            click.echo(f"{times:6} times {kind}")
        click.echo(
            f"{result.lost} transactions lost their answer, {result.live} of them were taken"
        )
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
