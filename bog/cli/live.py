"""bog-live: the bot. Paper by default; one command starts feed, engine, screen, log and report."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from bog import arming, child_feed, config, control, errors, gateway, log, report, supervise
from bog._core.types import Level
from bog.endpoint import Endpoint
from bog.errors import BogError, ConfigError, OrdersOpenError, UsageError
from bog.facts import About
from bog.glance import Rates, Traded
from bog.out import tell
from bog.settings import Settings
from bog.speaker import JournalSpeaker
from bog.spec import ProcessSpec, about_of, spec_of
from bog.status import status
from bog.view import Status, Watch

EPILOG = """\b
Examples:
  bog-live --market 1                        the built-in market, in real time
  bog-live --market 1 --feed huginn          a running `bog-feed --market 1`
  bog-live --market 1 --feed lighter         the venue's public stream, on paper
  bog-live --market 1 --feed replay:FILE --speed max --report r.json
  bog-live --market 1 --market 0             two markets in one thread
  bog-live --market 1 --config live.toml --mode live --arm TOKEN   after bog-arm
  BOG_RISK__MAX_POSITION=0.05 bog-live --market 1 --show-config

Ctrl-C (SIGINT, SIGTERM) cancels what rests, waits for proof and prints a report. SIGUSR2 pauses and
resumes. SIGUSR1 stops at once and stays stopped: the next start needs --clear-halt with the number
that it names. Exit codes: 0 done, 1 unexpected, 2 usage, 3 orders possibly open, 75 journal damaged,
78 configuration.
"""
LIVE_FEEDS = ("huginn", "lighter")  # they come through shared memory, in real time
REPORT_SEC = 5.0  # a reader of the report may take so long


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


def refuse_unarmed(origin: str) -> None:
    """Live trading needs a token of bog-arm: without one nothing else is looked at."""
    raise ConfigError(
        f'execution.mode = live ({origin}): want --arm TOKEN, which bog-arm writes; or "paper"'
    )


def refuse_report(path: str) -> None:
    """Refuse a report that could not be written at the end, before anything trades."""
    folder = Path(path).absolute().parent
    if Path(path).is_dir():
        raise UsageError(f"--report {path}: want a file, not a folder")
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"--report {path}: want a file in a folder that can be written to")


def process_spec(settings: Settings, values: dict[str, Any]) -> ProcessSpec:
    """Return what the engine process is told: a spec for each market, in their order."""
    markets, build, now_ns = values["market"], supervise.build_id(), time.time_ns()
    if len(set(markets)) < len(markets):
        raise UsageError(f"--market {markets[-1]}: want each market once")
    if values["clear_halt"] and len(markets) > 1:
        raise UsageError("--clear-halt is of one market: start that market alone to clear it")
    lanes = []
    for market in markets:
        own = settings.of(market)
        page = supervise.page_path(own.feed.directory, market)
        lanes.append(spec_of(own, market, values, config.config_hash(own), build, page, now_ns))
    live = [lane for lane in lanes if lane["feed"]["kind"] in LIVE_FEEDS]
    if 0 < len(live) < len(lanes) and lanes[0]["speed_ppm"] != 1_000_000:
        settings.refuse("feed.speed", "want 1: a feed in shared memory runs in real time")
    return ProcessSpec(lanes=lanes, portfolio_limit=settings.portfolio_limit(markets))


def trade(settings: Settings, values: dict[str, Any], name: str) -> int:
    """Run one session from start to report; return the exit code."""
    if values["report"]:
        refuse_report(values["report"])
    process = process_spec(settings, values)
    abouts = {
        spec["market"]: about_of(settings.of(spec["market"]), spec) for spec in process["lanes"]
    }
    monitoring = settings.monitoring
    log.setup(
        monitoring.log_file, monitoring.log_level, monitoring.log_rotation_mb,
        monitoring.log_retention_files,
    )  # fmt: skip
    began = time.monotonic()
    with ExitStack() as opened:
        operator = control.Server(process["lanes"][0]["journal"], values["market"])
        opened.callback(operator.close)
        endpoint = Endpoint(settings)
        opened.callback(endpoint.close)
        engine = supervise.Engine(process)
        opened.pop_all()
    executor: gateway.Gateway | None = None
    if settings.execution.mode == "live":
        executor = gateway.Gateway(settings, engine.lanes)
    try:
        operator.serve({lane.market: desk_of(engine, lane, abouts[lane.market], executor)
                        for lane in engine.lanes})  # fmt: skip
        endpoint.serve([traded_of(engine, lane, abouts[lane.market], settings)
                        for lane in engine.lanes])  # fmt: skip
        # found by its name from here on, where every signal has its meaning
        supervise.name_me(name)
        engine.wait_ready()
        engine.refused += endpoint.refused
        for lane in engine.lanes:
            say_start(lane.ready, abouts[lane.market])
        for remark in supervise.remarks(engine):
            tell(remark, sys.stderr)
            log.emit("WARNING", "host", remark)
        speakers = {
            lane.market: JournalSpeaker(lane.spec["price_decimals"], lane.spec["size_decimals"])
            for lane in engine.lanes
        }
        if executor is not None:
            executor.start()
        with Watch() as watch:

            def show(last: bool = False) -> None:
                if executor is not None and not last:
                    executor.tend()
                watch.update(
                    [state_of(lane, abouts[lane.market], engine.page.level, began)
                     for lane in engine.lanes],
                    last,
                )  # fmt: skip

            worst = engine.follow(show, speakers)
            show(last=True)
        results = [result_of(lane, abouts[lane.market], began) for lane in engine.lanes]
        if executor is not None:
            proven(executor.end(), None)
    except BogError as error:
        if executor is None or isinstance(error, OrdersOpenError):
            raise
        engine.close()
        proven(executor.end(), error)
        raise
    finally:
        endpoint.close()
        operator.close()
        engine.close()
        if executor is not None:
            executor.close()
        log.close()
    reports = [report.build(result) for result in results]
    whole = reports[0] if len(reports) == 1 else report.together(reports)
    if values["report"]:
        report.write(whole, values["report"])
    for built in reports:
        tell(report.table(built), patience_sec=REPORT_SEC)
    if len(reports) > 1:
        tell(report.totals_table(whole), patience_sec=REPORT_SEC)
    open_orders = sum(result["open_orders"] for result in results)
    for lane in engine.lanes:
        if lane.done["failed"] and len(reports) > 1:
            tell(f"{name}: market {lane.market}: {lane.done['failed']}", sys.stderr)
    if worst == OrdersOpenError.exit_code:
        raise OrdersOpenError(f"{open_orders} orders were not proven dead in 30 s")
    return worst


def proven(code: int, error: BogError | None) -> None:
    """Raise OrdersOpenError unless the gateway ended with the proof that nothing rests."""
    if code:
        why = f"{error}; " if error is not None else ""
        raise OrdersOpenError(f"{why}the gateway did not prove that every order is gone")


def desk_of(
    engine: supervise.Engine,
    lane: supervise.Lane,
    about: About,
    executor: gateway.Gateway | None,
) -> control.Desk:
    """Return where operators command one market and ask after it."""
    return control.Desk(
        lane.page,
        lambda: status(
            lane.page, about, lane.ready, supervise.remarks(engine),
            executor.status() if executor is not None else None,
        ),
    )  # fmt: skip


def traded_of(
    engine: supervise.Engine, lane: supervise.Lane, about: About, settings: Settings
) -> Traded:
    """Return what the metrics of one market are read from."""
    return Traded(
        page=lane.page, about=about, limits=lane.spec["limits"],
        rates=Rates(float(settings.monitoring.metrics_interval_sec)),
        refused=lambda: len(engine.refused),
    )  # fmt: skip


def say_start(ready: dict[str, Any], about: About) -> None:
    """Say on the terminal and in the log what one market's start found and did."""
    tell(supervise.welcome(ready, about), sys.stderr)
    log.emit("INFO", "start", "bog-live started", market=about["market"], feed=about["feed"],
             mode=about["mode"], symbol=about["symbol"], strategy=about["strategy"], tier=about["tier"],
             seed=about["seed"], config_hash=about["config_hash"], version=about["version"],
             run=ready["run"], path=ready["journal"])  # fmt: skip
    if ready["silent"]:
        log.emit("WARNING", "no_feed", f"No feed yet: {ready['silent']}", market=about["market"])


def state_of(lane: supervise.Lane, about: About, level: int, began: float) -> Status:
    """Return what the screen shows of one market."""
    page: Any = lane.page.snapshot()
    note = "Ctrl-C drains and prints a report"
    if level >= Level.LEVEL_DRAIN:
        note = "draining: waiting for proof that every order is gone"
    elif lane.ready["silent"] and not page["books"]:
        note = f"no feed yet: {lane.ready['silent']}; waiting for one"
    age = (page["now_ns"] - page["alive_ns"]) / 1e6 if page["alive_ns"] else 0.0
    return Status(
        about=about, page=page, elapsed_sec=time.monotonic() - began, feed_age_ms=age, note=note
    )


def result_of(lane: supervise.Lane, about: About, began: float) -> report.RunResult:
    """Return all that one market's report is made from."""
    page: Any = lane.page.snapshot()
    return report.RunResult(
        about=about,
        page=page,
        ended="halt" if page["halt"] else lane.done["ended"],
        exit_code=lane.done["code"],
        open_orders=len(page["orders"]),
        wall_sec=time.monotonic() - began,
        journal=lane.ready["journal"],
    )


# what bog-arm must be told as bog-live is
DECIDING = [
    click.option("--market", type=click.IntRange(0, 999_999), required=True, multiple=True,
                 help="The market's number at the venue: 0 is ETH, 1 is BTC. Repeat it to trade "
                 "several in one thread, under one limit."),
    click.option("--config", metavar="FILE", help="TOML over the defaults; a bare name is one "
                 "that ships: development, production, binance."),
    click.option("--strategy", metavar="NAME", help="simple_spread or inventory."),
    click.option("--feed", metavar="SOURCE", help="sim, huginn, lighter, or replay:FILE."),
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
    click.option("--cpu", type=click.IntRange(0), help="Pin the engine here and let it spin."),
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
    mode, origin = config.said("execution.mode", values["config"], flags)
    if mode == "live" and not values["show_config"] and not values.get("arm"):
        # before anything else that is wrong with a configuration for it
        refuse_unarmed(origin)
    settings = config.load(values["config"], flags)
    if values["show_config"]:
        for market in values["market"]:
            settings.market(market)
        click.echo(config.show(settings), nl=False)
        return
    for market in values["market"]:
        settings.market(market)
    if settings.execution.mode == "live":
        gateway.refuse_missing(settings)
        arming.consume(
            values["arm"], settings, list(values["market"]), supervise.build_id(), time.time_ns()
        )
    elif values.get("arm"):
        raise UsageError(f"--arm {values['arm']}: a token is for --mode live alone")
    with child_feed.embedded(settings, values["market"]):
        code = trade(settings, values, name)
    click.get_current_context().exit(code)


@click.command("bog-live", epilog=EPILOG)
@options
@click.option("--mode", help="paper (default) or live.")
@ARM
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
@ARM
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
