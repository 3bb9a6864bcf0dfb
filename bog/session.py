"""One session of bog-live, from the configuration to the report."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bog import arming, child_feed, config, control, gateway, host, log, report, supervise
from bog._core.types import Level
from bog.alarm import Alarms
from bog.build import build_id
from bog.bus import Bus
from bog.delivery import Delivery
from bog.endpoint import Endpoint
from bog.errors import BogError, ConfigError, OrdersOpenError, UsageError
from bog.facts import About
from bog.glance import Rates, Traded
from bog.host import Granted
from bog.launch import Child
from bog.out import tell
from bog.settings import Settings
from bog.speaker import JournalSpeaker
from bog.spec import ProcessSpec, about_of, spec_of
from bog.status import status
from bog.view import Status, Watch

LIVE_FEEDS = ("huginn", "lighter")  # they come through shared memory, in real time
REPORT_SEC = 5.0  # a reader of the report may take so long


def refuse_unarmed(values: dict[str, Any], mode: str, origin: str) -> None:
    """Live trading needs a token of bog-arm: without one nothing else is looked at."""
    if mode == "live" and not values["arm"]:
        raise ConfigError(
            f'execution.mode = live ({origin}): want --arm TOKEN, which bog-arm writes; or "paper"'
        )
    if mode != "live" and values["arm"]:
        raise UsageError(f"--arm {values['arm']}: a token is for --mode live alone")


def refuse_report(path: str) -> None:
    """Refuse a report that could not be written at the end, before anything trades."""
    folder = Path(path).absolute().parent
    if Path(path).is_dir():
        raise UsageError(f"--report {path}: want a file, not a folder")
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"--report {path}: want a file in a folder that can be written to")


def process_spec(
    settings: Settings, values: dict[str, Any], adopted: arming.Adopted
) -> ProcessSpec:
    """Return what the engine process is told: a spec for each market, in their order."""
    markets, build, now_ns = values["market"], build_id(), time.time_ns()
    if len(set(markets)) < len(markets):
        raise UsageError(f"--market {markets[-1]}: want each market once")
    if values["clear_halt"] and len(markets) > 1:
        raise UsageError("--clear-halt is of one market: start that market alone to clear it")
    lanes = []
    for market in markets:
        own = settings.of(market)
        page = supervise.page_path(own.feed.directory, market)
        lanes.append(spec_of(own, market, values, config.config_hash(own), build, page, now_ns))
        lanes[-1]["adopt"] = adopted.get(market, [])
    live = [lane for lane in lanes if lane["feed"]["kind"] in LIVE_FEEDS]
    if 0 < len(live) < len(lanes) and lanes[0]["speed_ppm"] != 1_000_000:
        settings.refuse("feed.speed", "want 1: a feed in shared memory runs in real time")
    return ProcessSpec(lanes=lanes, portfolio_limit=settings.portfolio_limit(markets))


def session(values: dict[str, Any], flags: config.Tree, name: str, child: Child) -> int:
    """Load the configuration and trade on it with the engine in `child`; return the exit code."""
    mode, origin = config.said("execution.mode", values["config"], flags)
    refuse_unarmed(values, mode, origin)
    settings = config.load(values["config"], flags)
    for market in values["market"]:
        settings.market(market)
    adopted: arming.Adopted = {}
    if mode == "live":
        gateway.refuse_missing(settings)
        markets = list(values["market"])
        adopted = arming.consume(values["arm"], settings, markets, build_id(), time.time_ns())
    # the engine's process is there already, the feed is not: it stays off the hot core, too
    host.stand_back(-1 if values["cpu"] is None else values["cpu"], os.sched_getaffinity(0))
    with child_feed.embedded(settings, values["market"]):
        return trade(settings, values, adopted, name, child)


def trade(
    settings: Settings, values: dict[str, Any], adopted: arming.Adopted, name: str, child: Child
) -> int:
    """Run one session from start to report; return the exit code."""
    if values["report"]:
        refuse_report(values["report"])
    process = process_spec(settings, values, adopted)
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
        delivery = Delivery(settings)
        opened.callback(delivery.close)
        endpoint = Endpoint(settings)
        opened.callback(endpoint.close)
        bus = Bus(settings, operator.where, values["market"][0])
        engine = supervise.Engine(process, child)
        opened.callback(engine.close)
        executor = None
        if settings.execution.mode == "live":
            executor = gateway.Gateway(settings, engine.lanes)
        opened.pop_all()
    unproven: list[int] = []  # orders that may still rest at the venue
    try:
        operator.serve({lane.market: desk_of(engine, lane, abouts[lane.market], executor)
                        for lane in engine.lanes})  # fmt: skip
        traded = [traded_of(engine, lane, abouts[lane.market], settings) for lane in engine.lanes]
        endpoint.serve(traded)
        alarms = Alarms(traded, delivery.say)
        # found by its name from here on, where every signal has its meaning
        supervise.name_me(name)
        engine.wait_ready()
        engine.refused += endpoint.refused
        for lane in engine.lanes:
            say_start(lane.ready, abouts[lane.market], engine.granted)
        for remark in supervise.remarks(engine):
            tell(remark, sys.stderr)
            log.emit("WARNING", "host", remark)
        speakers = {
            lane.market: JournalSpeaker(
                lane.spec["price_decimals"], lane.spec["size_decimals"], also=bus.heard
            )
            for lane in engine.lanes
        }
        if executor is not None:
            executor.start()
        bus.open({lane.market: lane.ready["run"] for lane in engine.lanes}, engine.refused)
        with Watch() as watch:

            def show(last: bool = False) -> None:
                if executor is not None and not last:
                    executor.tend()
                alarms.look()
                states = [state_of(lane, abouts[lane.market], engine.page.level, began)
                          for lane in engine.lanes]  # fmt: skip
                bus.look(states)
                watch.update(states, last)

            try:
                worst = engine.follow(show, speakers)
            except BogError as error:
                alarms.died(str(error))
                raise
            show(last=True)
        results = [result_of(engine, lane, abouts[lane.market], began) for lane in engine.lanes]
        if executor is not None:
            unproven = executor.end()
    except BogError as error:
        if executor is None or isinstance(error, OrdersOpenError):
            raise
        engine.close()
        if unproven := executor.end():
            raise OrdersOpenError(f"{error}; {open_at_venue(unproven)}") from None
        raise
    finally:
        endpoint.close()
        operator.close()
        engine.close()
        if executor is not None:
            executor.close()
        bus.close()
        delivery.close()
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
    if unproven:
        raise OrdersOpenError(open_at_venue(unproven))
    if worst == OrdersOpenError.exit_code:
        raise OrdersOpenError(f"{open_orders} orders were not proven dead in 30 s")
    return worst


def open_at_venue(orders: list[int]) -> str:
    """Return the sentence that names orders which may still rest."""
    return f"{len(orders)} orders were not proven dead at the venue: {', '.join(map(str, orders))}"


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
            lane.page, about, lane.ready, engine.host(), supervise.remarks(engine),
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
        pinned=lambda: engine.granted is not None and engine.granted["idle"] != "nap",
        alerts={key: float(n) for key, n in settings.monitoring.alerts.model_dump().items()},
        link=lane.link,
    )  # fmt: skip


def say_start(ready: dict[str, Any], about: About, granted: Granted | None) -> None:
    """Say on the terminal and in the log what one market's start found and did."""
    tell(supervise.welcome(ready, about, granted), sys.stderr)
    log.emit("INFO", "start", "bog-live started", market=about["market"], feed=about["feed"],
             mode=about["mode"], symbol=about["symbol"], strategy=about["strategy"], tier=about["tier"],
             seed=about["seed"], config_hash=about["config_hash"], version=about["version"],
             run=ready["run"], path=ready["journal"])  # fmt: skip
    for line in supervise.limits_kept(ready, about):
        log.emit("WARNING", "limit", line, market=about["market"])
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


def result_of(
    engine: supervise.Engine, lane: supervise.Lane, about: About, began: float
) -> report.RunResult:
    """Return all that one market's report is made from."""
    page: Any = lane.page.snapshot()
    granted = engine.host()
    assert granted is not None  # it has traded
    return report.RunResult(
        about=about,
        page=page,
        ended="halt" if page["halt"] else lane.done["ended"],
        exit_code=lane.done["code"],
        open_orders=len(page["orders"]),
        wall_sec=time.monotonic() - began,
        journal=lane.ready["journal"],
        host=granted,
        refused=engine.refused,
    )
