"""bog-live: the bot. Paper by default; one command starts feed, engine, screen, log and report."""

from __future__ import annotations

from typing import Any

import click

from bog import errors, log

EPILOG = """\b
Examples:
  bog-live --market 1                        the built-in market, in real time
  bog-live --market 1 --feed huginn          a running `bog-feed --market 1`
  bog-live --market 1 --feed lighter         the venue's public stream, on paper
  bog-live --market 1 --feed replay:FILE --speed max --report r.json
  bog-live --market 1 --market 0             two markets in one thread
  BOG_RISK__MAX_POSITION=0.05 bog-live --market 1 --show-config

Ctrl-C (SIGINT, SIGTERM) cancels what rests, waits for proof and prints a report. SIGUSR2 pauses and
resumes. SIGUSR1 stops at once and stays stopped: the next start needs --clear-halt with the number
that it names. Exit codes: 0 done, 1 unexpected, 2 usage, 3 orders possibly open, 75 journal damaged,
78 configuration.
"""


def flags_of(values: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration tree of the flags that were given."""
    tree: dict[str, Any] = {}
    for name, path in {
        "feed": ("feed", "source"), "preset": ("feed", "preset"), "seed": ("feed", "seed"),
        "speed": ("feed", "speed"), "mode": ("execution", "mode"), "tier": ("execution", "tier"),
        "dry_run": ("execution", "dry_run"), "journal": ("journal", "directory"),
        "log_level": ("monitoring", "log_level"),
        "strategy": ("strategy", "name"), "feed_dir": ("feed", "directory"),
        **{f"{key} {market}": ("markets", str(market), key) for market in values["market"]
           for key in ("price_decimals", "size_decimals")},
    }.items():  # fmt: skip
        name = name.split()[0]
        if values.get(name) is not None:
            node = tree
            for part in path[:-1]:
                node = node.setdefault(part, {})
            node[path[-1]] = values[name]
    return tree


# what bog-arm must be told as bog-live is
DECIDING = [
    click.option("--market", type=click.IntRange(0, 999_999), required=True, multiple=True,
                 help="The market's number at the venue: 0 is ETH, 1 is BTC. Repeat it to trade "
                 "several in one thread, under one limit."),
    click.option("--config", metavar="FILE", help="TOML over the defaults; a bare name is one "
                 "that ships: development, production, binance."),
    click.option("--strategy", metavar="NAME", help="simple_spread or inventory."),
    click.option("--feed", metavar="SOURCE", help="sim, huginn, lighter, replay:FILE, or "
                 "loop:FILE: a recording over and over."),
    click.option("--tier", help="Account tier: standard, plus, premium, premium_500k."),
    click.option("--journal", metavar="DIR", help="Where position and PnL survive a restart."),
    click.option("--feed-dir", metavar="DIR", help="Where shared memory is."),
    click.option("--dry-run/--no-dry-run", default=None,
                 help="Live: everything but the send, in a journal of its own."),
]  # fmt: skip
OTHERS = [
    click.option("--preset", help="Built-in market: quiet, active or toxic."),
    click.option("--script", type=click.Path(exists=True, dir_okay=False),
                 help="Built-in market: a file of incidents."),
    click.option("--cpu", type=click.IntRange(0), help="Pin the engine here and let it spin; all "
                 "else of ours stays off this core."),
    click.option("--realtime", is_flag=True,
                 help="Run the engine's hot thread before all that is not real time."),
    click.option("--duration", metavar="TIME", help="Stop after so much market time: 120s, 2h."),
    click.option("--speed", metavar="N", help="Times real time, or max."),
    click.option("--seed", type=click.IntRange(0), help="Of the built-in market."),
    click.option("--price-decimals", type=click.IntRange(0, 9),
                 help="Scale of a recording's prices, when the market's is another."),
    click.option("--size-decimals", type=click.IntRange(0, 9),
                 help="Scale of a recording's sizes."),
    click.option("--no-publish", is_flag=True, help="Keep an embedded feed to ourselves."),
    click.option("--clear-halt", type=click.IntRange(1), metavar="ID",
                 help="Trade again after the halt of this number was understood."),
    click.option("--log-level", help="debug, info, warning or error."),
    click.option("--report", metavar="FILE.json", help="Write the report here, too."),
    click.option("--show-config", is_flag=True,
                 help="Print every setting in force and where it comes from; trade nothing."),
]  # fmt: skip
RECONCILE = click.option(
    "--reconcile-only",
    is_flag=True,
    help="Live: print how journal and venue compare; send nothing.",
)
ARM = click.option("--arm", metavar="TOKEN", help="Live: the file that bog-arm wrote.")


def deciding(command: Any) -> Any:
    """Add the options that decide what a live start would do."""
    for option in reversed(DECIDING):
        command = option(command)
    return command


def options(command: Any) -> Any:
    """Add the options that every spelling of bog-live shares."""
    for option in reversed([*DECIDING, *OTHERS]):
        command = option(command)
    return command


def start(values: dict[str, Any], name: str) -> None:
    """Load the configuration and trade, or show it."""
    flags = flags_of(values)
    if values["show_config"]:
        from bog import config

        settings = config.load(values["config"], flags)
        for market in values["market"]:
            settings.market(market)
        click.echo(config.show(settings), nl=False)
        return
    if values.get("reconcile_only"):
        from bog import reconcile

        click.get_current_context().exit(reconcile.show(values, flags))
    from bog.launch import engine_process

    # the engine's process imports what it needs while this one reads the configuration
    with engine_process() as child:
        from bog.session import session

        code = session(values, flags, name, child)
    click.get_current_context().exit(code)


@click.command("bog-live", epilog=EPILOG)
@options
@click.option("--mode", help="paper (default) or live.")
@ARM
@RECONCILE
def live_command(**values: Any) -> None:
    """Make a market: keep a bid and an ask resting, manage the inventory, report what it earned."""
    start(values, "bog-live")


@click.command("bog-simple-spread-simulated", epilog=EPILOG)
@options
def simulated_command(**values: Any) -> None:
    """bog-live with simple_spread on paper, by the name of the operations guide."""
    start(
        {**values, "mode": "paper", "strategy": "simple_spread", "arm": None}, "bog-simple-spread"
    )


@click.command("bog-simple-spread-live", epilog=EPILOG)
@options
@ARM
@RECONCILE
def simple_live_command(**values: Any) -> None:
    """bog-live with simple_spread on the venue, by the name of the operations guide."""
    start({**values, "mode": "live", "strategy": "simple_spread"}, "bog-simple-spread")


def main() -> None:
    errors.run(live_command, log.panic)


def simulated() -> None:
    errors.run(simulated_command, log.panic)


def live() -> None:
    errors.run(simple_live_command, log.panic)


if __name__ == "__main__":
    main()
