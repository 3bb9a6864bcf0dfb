"""bog-live: the bot. Paper by default; one command starts feed, engine, screen, log and report."""

from __future__ import annotations

import time
from typing import Any

import click

from bog import child_feed, config, errors, log, report, supervise
from bog._core.types import Level
from bog.errors import ConfigError, OrdersOpenError
from bog.settings import Settings
from bog.speaker import JournalSpeaker
from bog.spec import about_of, spec_of
from bog.view import Status, Watch

EPILOG = """\b
Examples:
  bog-live --market 1                        the built-in market, in real time
  bog-live --market 1 --feed huginn          a running `bog-feed --market 1`
  bog-live --market 1 --feed lighter         the venue's public stream, on paper
  bog-live --market 1 --feed replay:FILE --speed max --report r.json
  BOG_RISK__MAX_POSITION=0.05 bog-live --market 1 --show-config

Ctrl-C (SIGINT, SIGTERM) cancels what rests, waits for proof and prints a report. SIGUSR2 pauses and
resumes. SIGUSR1 stops at once and stays stopped: the next start needs --clear-halt with the number
that it names. Exit codes: 0 done, 1 unexpected, 2 usage, 3 orders possibly open, 75 journal damaged,
78 configuration.
"""
MISSING_LIVE = "the gateway that signs and sends, and the arming that permits it"


def flags_of(values: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration tree of the flags that were given."""
    tree: dict[str, Any] = {}
    market = values["market"]
    for name, path in {
        "feed": ("feed", "source"), "preset": ("feed", "preset"), "seed": ("feed", "seed"),
        "speed": ("feed", "speed"), "mode": ("execution", "mode"), "tier": ("execution", "tier"),
        "journal": ("journal", "directory"), "log_level": ("monitoring", "log_level"),
        "strategy": ("strategy", "name"), "feed_dir": ("feed", "directory"),
        "price_decimals": ("markets", str(market), "price_decimals"),
        "size_decimals": ("markets", str(market), "size_decimals"),
    }.items():  # fmt: skip
        if values.get(name) is not None:
            node = tree
            for part in path[:-1]:
                node = node.setdefault(part, {})
            node[path[-1]] = values[name]
    return tree


def refuse_live(settings: Settings) -> None:
    """Live trading does not exist in this build: say what is missing instead of pretending."""
    if settings.execution.mode == "live":
        raise ConfigError(
            f"execution.mode = live ({settings.origins['execution.mode']}): this build lacks"
            f' {MISSING_LIVE}; want "paper"'
        )


def trade(settings: Settings, values: dict[str, Any], name: str) -> int:
    """Run one paper session from start to report; return the exit code."""
    page_path = supervise.page_path(settings.feed.directory, values["market"])
    chosen = config.config_hash(settings)
    spec = spec_of(settings, values, chosen, supervise.build_id(), page_path)
    about = about_of(settings, spec)
    monitoring = settings.monitoring
    log.setup(
        monitoring.log_file, monitoring.log_level, monitoring.log_rotation_mb,
        monitoring.log_retention_files,
    )  # fmt: skip
    began = time.monotonic()
    engine = supervise.Engine(spec)
    try:
        # found by its name from here on, where every signal has its meaning
        supervise.name_me(name)
        engine.wait_ready()
        click.echo(supervise.welcome(engine.ready, about), err=True)
        log.emit("INFO", "start", "bog-live started", feed=about["feed"], mode="paper",
                 symbol=about["symbol"], strategy=about["strategy"], tier=about["tier"],
                 seed=about["seed"], config_hash=about["config_hash"], version=about["version"],
                 run=engine.ready["run"], path=engine.ready["journal"])  # fmt: skip
        speaker = JournalSpeaker(spec["price_decimals"], spec["size_decimals"])
        with Watch() as watch:

            def show(page: Any, last: bool = False) -> None:
                note = "Ctrl-C drains and prints a report"
                if engine.page.level >= Level.LEVEL_DRAIN:
                    note = "draining: waiting for proof that every order is gone"
                age = (page["now_ns"] - page["alive_ns"]) / 1e6 if page["alive_ns"] else 0.0
                watch.update(
                    Status(
                        about=about, page=page, elapsed_sec=time.monotonic() - began,
                        feed_age_ms=age, note=note,
                    ),
                    last,
                )  # fmt: skip

            code = engine.follow(show, speaker)
            show(engine.page.snapshot(), last=True)
        page: Any = engine.page.snapshot()
        result = report.RunResult(
            about=about,
            page=page,
            ended="halt" if page["halt"] else engine.done["ended"],
            exit_code=code,
            open_orders=len(page["orders"]),
            wall_sec=time.monotonic() - began,
            journal=engine.ready["journal"],
        )
    finally:
        engine.close()
        log.close()
    built = report.build(result)
    click.echo(report.table(built))
    if values["report"]:
        report.write(built, values["report"])
    if code == OrdersOpenError.exit_code:
        raise OrdersOpenError(f"{result['open_orders']} orders were not proven dead in 30 s")
    return code


def options(command: Any) -> Any:
    """Add the options that every spelling of bog-live shares."""
    for option in reversed([
        click.option("--market", type=click.IntRange(0, 999_999), required=True,
                     help="The market's number at the venue: 0 is ETH, 1 is BTC."),
        click.option("--config", metavar="FILE", help="TOML over the defaults; a bare name is one "
                     "that ships: development, production, binance."),
        click.option("--strategy", metavar="NAME", help="simple_spread."),
        click.option("--feed", metavar="SOURCE", help="sim, huginn, lighter, or replay:FILE."),
        click.option("--preset", help="Built-in market: quiet, active or toxic."),
        click.option("--script", type=click.Path(exists=True, dir_okay=False),
                     help="Built-in market: a file of incidents."),
        click.option("--cpu", type=click.IntRange(0), help="Pin the engine here and let it spin."),
        click.option("--duration", metavar="TIME", help="Stop after so much market time: 120s, 2h."),
        click.option("--speed", metavar="N", help="Times real time, or max."),
        click.option("--seed", type=click.IntRange(0), help="Of the built-in market."),
        click.option("--tier", help="Account tier: standard, plus, premium, premium_500k."),
        click.option("--price-decimals", type=click.IntRange(0, 9),
                     help="Scale of a recording's prices, when the market's is another."),
        click.option("--size-decimals", type=click.IntRange(0, 9),
                     help="Scale of a recording's sizes."),
        click.option("--journal", metavar="DIR", help="Where position and PnL survive a restart."),
        click.option("--feed-dir", metavar="DIR", help="Where shared memory is."),
        click.option("--no-publish", is_flag=True, help="Keep an embedded feed to ourselves."),
        click.option("--clear-halt", type=click.IntRange(1), metavar="ID",
                     help="Trade again after the halt of this number was understood."),
        click.option("--log-level", help="debug, info, warning or error."),
        click.option("--report", metavar="FILE.json", help="Write the report here, too."),
        click.option("--show-config", is_flag=True,
                     help="Print every setting in force and where it comes from; trade nothing."),
    ]):  # fmt: skip
        command = option(command)
    return command


def start(values: dict[str, Any], name: str) -> None:
    """Load the configuration and trade, or show it."""
    settings = config.load(values["config"], flags_of(values))
    if values["show_config"]:
        settings.market(values["market"])
        click.echo(config.show(settings), nl=False)
        return
    refuse_live(settings)
    settings.market(values["market"])
    with child_feed.embedded(settings, (values["market"],)):
        code = trade(settings, values, name)
    click.get_current_context().exit(code)


@click.command("bog-live", epilog=EPILOG)
@options
@click.option("--mode", help="paper (default) or live.")
def live_command(**values: Any) -> None:
    """Make a market: keep a bid and an ask resting, manage the inventory, report what it earned."""
    start(values, "bog-live")


@click.command("bog-simple-spread-simulated", epilog=EPILOG)
@options
def simulated_command(**values: Any) -> None:
    """bog-live with simple_spread on paper, by the name of the operations guide."""
    start({**values, "mode": "paper", "strategy": "simple_spread"}, "bog-simple-spread")


@click.command("bog-simple-spread-live", epilog=EPILOG)
@options
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
