"""The command bog-exchange: a local Lighter to rehearse on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bog import errors
from bog._core.market import PRESETS
from bog.errors import UsageError
from bog.exchange.tiers import TIERS

EPILOG = """\b
Examples:
  bog-exchange                       market 1, account 1000, keys in var/exchange/keys
  bog-exchange --market 1 --market 0 --account 1000 --account 1001:standard:5000
  bog-exchange --flow none --tier-latency 0 --no-limits     for tests: nothing moves by itself
  bog-exchange --account 1000 --key 4:HEXPUB                a key that you have made
  bog-exchange --store var/exchange/store                   survives a restart

The first line printed is JSON: url, ws, chain, control, accounts, keys. Ctrl-C or SIGTERM ends it.
`echo '{"do":"god"}' | nc -U var/exchange/control.sock` says what is true; docs/exchange.md lists
what else can be asked, and every fault that can be scripted.
"""


@click.command("bog-exchange", epilog=EPILOG)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen. It knows no real money, but its control is for this machine.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=7300,
    show_default=True,
    help="For REST and WebSocket; 0: any free one.",
)
@click.option(
    "--chain",
    type=click.IntRange(0, 2**32 - 1),
    default=300,
    show_default=True,
    help="Chain id, inside every signed hash: 300 is the testnet, 304 mainnet.",
)
@click.option(
    "--market",
    "markets",
    type=int,
    multiple=True,
    default=(1,),
    show_default=True,
    metavar="ID",
    help="0 ETH, 1 BTC, 2 SOL. Repeat it for several.",
)
@click.option(
    "--flow",
    default="sim",
    show_default=True,
    metavar="FLOW",
    help="The public market: sim, the built-in one; none; replay:FILE, a recording of the "
    "one --market.",
)
@click.option(
    "--preset",
    type=click.Choice(sorted(PRESETS)),
    default="active",
    show_default=True,
    help="Of the built-in market.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63),
    default=1,
    show_default=True,
    help="Of the market, of session ids, of the order of frames.",
)
@click.option(
    "--account",
    "accounts",
    multiple=True,
    default=("1000",),
    show_default=True,
    metavar="INDEX[:TIER[:USDC]]",
    help="An account. Repeat it for several.",
)
@click.option(
    "--tier",
    type=click.Choice(list(TIERS)),
    default="premium",
    show_default=True,
    help="Of accounts that name none.",
)
@click.option(
    "--collateral",
    type=click.IntRange(0, 10**9),
    default=100_000,
    show_default=True,
    metavar="USDC",
    help="Of accounts that name none.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="[ACCOUNT:]INDEX:HEX",
    help="Public key of an account (default: of the first). Without any, an account gets "
    "new keys 4, 5 and 6.",
)
@click.option(
    "--keys",
    "key_directory",
    default="var/exchange/keys",
    show_default=True,
    metavar="DIR",
    help="Where the private halves of new keys go, one 0600 file each.",
)
@click.option(
    "--control",
    default="var/exchange/control.sock",
    show_default=True,
    metavar="PATH",
    help="Unix socket of the god view and the faults, 0600.",
)
@click.option("--store", metavar="FILE", help="Keep accounts, orders and fills over a restart.")
@click.option(
    "--tier-latency",
    type=click.Choice(["tier", "0"]),
    default="tier",
    show_default=True,
    help="Speed bumps: those of the tier, or none.",
)
@click.option(
    "--limits/--no-limits",
    default=True,
    show_default=True,
    help="Rate limits and volume quota; without them it says so, as the testnet does.",
)
@click.option(
    "--minimum-ahead",
    type=click.FloatRange(0, 3600),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="How far ahead an expiry and a scheduled cancel-all must be: "
    "the venue's 5 minutes, less to rehearse a timer.",
)
@click.option("--certificate", metavar="FILE", help="Serve TLS with this certificate.")
@click.option("--certificate-key", metavar="FILE", help="Its private key.")
def command(**given: Any) -> None:
    """Serve a local Lighter: REST and WebSocket, real signatures, the venue's rules and quirks.

    The public market is simulated; orders of your accounts stand in its queues. Everything the
    venue or the network can do wrong is done by script, over the control socket.
    """
    try:
        from bog.exchange import program
    except ModuleNotFoundError as error:
        raise UsageError(
            f"bog-exchange needs {error.name}: pip install 'bog-mm[exchange]'"
        ) from None
    program.run(program.Plan(
        **{name: value for name, value in given.items()
           if name not in ("key_directory", "control", "store", "tier_latency", "minimum_ahead")},
        key_directory=Path(given["key_directory"]), control=Path(given["control"]),
        store=Path(given["store"]) if given["store"] else None,
        delays=given["tier_latency"] == "tier", minimum_ms=round(given["minimum_ahead"] * 1000),
    ))  # fmt: skip


def main() -> None:
    """Run bog-exchange."""
    errors.run(command)


if __name__ == "__main__":
    main()
