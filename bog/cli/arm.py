"""bog-arm: show what a live start would do, ask, and write the single-use token that permits it."""

from __future__ import annotations

import time
from typing import Any

import click

from bog import arming, config, errors, gateway, units
from bog.build import build_id
from bog.cli.live import deciding, flags_of
from bog.errors import ConfigError
from bog.settings import Settings

EPILOG = """\b
Examples:
  bog-arm --market 1 --config live.toml
  bog-live --market 1 --config live.toml --mode live --arm TOKEN

The token is good for one start within ten minutes, with the same options, configuration and build.
Exit codes: 0 armed, 2 usage, 78 refused.
"""


def table(facts: arming.Facts) -> str:
    """Return the facts for people, a line each."""
    width = max(map(len, facts)) + 2
    return "\n".join(f"{name:<{width}}{value}" for name, value in facts.items())


def refuse_foreign(compared: dict[str, Any]) -> None:
    """One account for each bot: refuse one on which somebody else's orders rest."""
    if compared["foreign"]:
        raise ConfigError(
            f"live.account_index: {compared['foreign']} orders rest there that are not of this journal:"
            " cancel them at the venue, or give the bot an account of its own"
        )


def unexplained(compared: dict[str, Any], settings: Settings, adopt: bool) -> arming.Adopted:
    """Return the positions to adopt; refuse where the venue holds what no trade explains."""
    found = compared["unexplained"]
    if found and not adopt:
        one = found[0]
        ours, theirs = (
            units.text(lots, settings.market(one.market).size_decimals)
            for lots in (one.ours, one.theirs)
        )
        raise ConfigError(
            f"market {one.market}: the journal and all trades since come to a position of {ours}, the"
            f" venue has {theirs}: look at the account's history there, then --adopt takes its word"
        )
    if adopt and not found:
        raise ConfigError("--adopt: journal and venue agree on every position: leave it out")
    if found and compared["fills"]:
        raise ConfigError(
            f"--adopt: {compared['fills']} fills are not in the journal yet: start without it, which"
            " books them and halts, then arm again"
        )
    for one in found:
        if one.cost < 0:
            raise ConfigError(
                f"--adopt: market {one.market}: the venue says no average entry price"
            )
    return {one.market: [one.ours, one.theirs, one.cost] for one in found}


@click.command("bog-arm", epilog=EPILOG)
@deciding
@click.option("--adopt", is_flag=True,
              help="Begin with the positions of the venue where no trade leads to them.")  # fmt: skip
def command(**values: Any) -> None:
    """Arm one live start: look at account, limits and build, and type the account's number."""
    adopt = values.pop("adopt")
    values = {**values, "mode": "live"}
    settings = config.load(values["config"], flags_of(values))
    for market in values["market"]:
        settings.market(market)
        settings.of(market).strategy_params(market)
    gateway.refuse_missing(settings)
    compared = gateway.compare(settings, values["market"], build_id())
    refuse_foreign(compared)
    adopted = unexplained(compared, settings, adopt)
    facts = arming.facts_of(settings, values["market"], build_id())
    click.echo(table(facts | arming.adopts_of(settings, adopted)))
    account = facts["account"]
    typed = click.prompt(f"Type {len(account)} digits, the account's number, to arm", default="",
                         show_default=False)  # fmt: skip
    if typed.strip() != account:
        raise ConfigError(f"typed {typed.strip()!r}, the account is {account}: nothing was armed")
    path = arming.write(settings.live.arm_directory, facts, time.time_ns(), adopted)
    click.echo(f"armed until {arming.LIFE_SEC // 60} minutes from now, for one start:\n{path}")


def main() -> None:
    errors.run(command)


if __name__ == "__main__":
    main()
