"""Alerts end to end: real bots, a real Prometheus and Alertmanager, and each alert by its real cause."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bog._core.reader import Reader
from bog._core.types import Side
from tests.rig.feedsim import SLOTS
from tests.rig.gateway import ACCOUNT, Exchange, Taker
from tests.rig.live import ROOT, Bot, command, environment, feed_of, position, wait_for
from tests.rig.metrics import free_port
from tests.rig.monitoring import Stack, program
from tests.rig.rehearsal import children, configuration, live
from tools import dashboard

pytestmark = pytest.mark.xdist_group("monitoring")  # one Prometheus for all of them
CRITICAL, WARNING = "critical", "warning"
LIVE_ONLY = {"Nonce and quota budget"}  # panels of numbers that only a gateway has


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    found = Stack(tmp_path_factory.mktemp("monitoring"))
    yield found
    found.close()
    assert found.receivers.refused == []


@pytest.fixture
def start(tmp_path: Path, stack: Stack) -> Iterator[Callable[..., tuple[Bot, int]]]:
    """Start a bot that is scraped; none outlives the test."""
    started: list[Bot] = []

    def go(*arguments: object, **environ: object) -> tuple[Bot, int]:
        port = free_port()
        more = {f"BOG_{name.upper()}": str(value) for name, value in environ.items()}
        more["BOG_MONITORING__PROMETHEUS_PORT"] = str(port)
        bot = Bot(tmp_path, *arguments, **more)  # type: ignore[arg-type]
        started.append(bot)
        bot.ready()
        stack.scrape(port)
        return bot, port

    yield go
    stack.scrape()
    for bot in started:
        bot.kill()


def script(where: Path, text: str) -> Path:
    file = where / "incidents.txt"
    file.write_text(text)
    return file


def with_bool(expression: str) -> str:
    """Return the expression of an alert with a number, 0 or 1, where it would be empty."""
    return re.sub(r" (>|<|==) ", r" \1 bool ", expression)


def panels(port: int, live: bool) -> dict[str, str]:
    """Return the expressions of the panels whose numbers only a gateway has, or those of the others."""
    chosen = {"$instance": f"127.0.0.1:{port}", "$market": "1", "$__rate_interval": "5s"}
    asked = {}
    for panel in json.loads(dashboard.FILE.read_text())["panels"]:
        for target in panel["targets"] if (panel["title"] in LIVE_ONLY) == live else ():
            expression = target["expr"]
            for name, value in chosen.items():
                expression = expression.replace(name, value)
            assert "$" not in expression
            asked[f"{panel['title']} {target['refId']}"] = with_bool(expression)
    return asked


def await_data(stack: Stack, asked: dict[str, str]) -> None:
    """Wait until each expression has returned data."""
    empty = set(asked)

    def all_have_data() -> bool:
        empty.difference_update([name for name in empty if stack.query(asked[name])])
        return not empty

    try:
        wait_for(all_have_data)
    except AssertionError:
        raise AssertionError(f"no data: {[(name, asked[name]) for name in empty]}") from None


def test_every_expression_of_rules_and_panels_has_data(
    start: Callable[..., tuple[Bot, int]], stack: Stack
) -> None:
    # market time passes twenty times as fast, so that minutes of fills come in seconds
    bot, port = start("--speed", 20)
    bot.trading(fills=3)
    asked = {}
    for group in stack.api("rules")["groups"]:
        for rule in group["rules"]:
            asked[rule["name"]] = with_bool(rule["query"])
    asked |= panels(port, live=False)
    assert len(asked) > 60
    await_data(stack, asked)
    # the two tables are one row a slot: each of their three queries knows the same slots
    bot.signal(signal.SIGUSR2)
    wait_for(lambda: not bot.page()["orders"])
    for part in ("price_quote", "size_base", "age_seconds"):
        found = stack.query(f"bog_trading_recent_fill_{part}")
        slots = {series["metric"]["slot"] for series in found}
        assert {"1", "2", "3"} <= slots, part
    # a panel of a metric that nobody makes is noticed
    assert stack.query(with_bool("bog_trading_fills_made_up_total > 0")) == []
    bot.stop()


def test_a_market_that_misbehaves_and_a_strategy_that_asks_too_much(
    start: Callable[..., tuple[Bot, int]], stack: Stack, tmp_path: Path
) -> None:
    """A blow-out of the spread, a jump that trips the breaker, a limiter in the way, and no fills."""
    bot, port = start(
        "--script", script(tmp_path, "10 spread 1000 20\n14 jump 12\n"), "--preset", "quiet",
        execution__tier="premium_500k",
        risk__rate_limit_orders_per_sec=1, risk__rate_limit_burst=4, risk__rate_limit_reserve=1,
        strategy__simple_spread__min_interval_ms=0, strategy__simple_spread__requote_ticks=1,
        strategy__simple_spread__spread_bps=40,
    )  # fmt: skip
    for name in ("FillRateLow", "RateLimiterRejections", "SpreadWide"):
        stack.arrived(name, port, WARNING)
    stack.arrived("CircuitBreakerTripped", port, CRITICAL)
    bot.stop()


def test_a_position_past_a_limit_that_was_tightened_and_a_loss(
    start: Callable[..., tuple[Bot, int]], stack: Stack, tmp_path: Path
) -> None:
    shm, journal = tmp_path / "shm", tmp_path / "journal"
    shm.mkdir(mode=0o700)
    for seed in range(1, 9):
        line = command(
            "--market", 1, "--feed-dir", shm, "--journal", journal, "--seed", seed,
            "--speed", "max", "--duration", "60s", "--no-publish",
        )  # fmt: skip
        subprocess.run(line, cwd=tmp_path, env=environment(), check=True, capture_output=True)
        if abs(position(journal)) > 100:
            break
    small = {f"risk__{key}": "0.001" for key in ("max_position", "max_short", "max_order_size")} | {
        f"strategy__simple_spread__{key}": "0.001" for key in ("order_size", "max_inventory_base")
    }
    bot, port = start(
        "--script", script(tmp_path, "4 jump -3\n8 jump 5\n"),
        monitoring__alerts__daily_loss_alert_threshold="0.01", **small,
    )  # fmt: skip
    stack.arrived("PositionLimitExceeded", port, CRITICAL)
    stack.arrived("DailyLossExceeded", port, CRITICAL)
    bot.kill()  # of a bot that died nothing is known, its feed included
    stack.arrived("HuginnDisconnected", port, CRITICAL)


def test_a_feed_that_is_killed_and_a_slow_engine_with_a_core_to_itself(
    start: Callable[..., tuple[Bot, int]], stack: Stack, tmp_path: Path
) -> None:
    """Then the feed comes back, and faster than an engine takes it that stands still for a moment."""
    (tmp_path / "shm").mkdir(mode=0o700)
    feeds = [feed_of(tmp_path)]
    try:
        wait_for(lambda: list((tmp_path / "shm").glob("hg_*")))
        # no engine does it in 100 ns: a threshold that this host's core is sure to pass
        bot, port = start(
            "--feed", "huginn", "--cpu", max(os.sched_getaffinity(0)),
            strategy__simple_spread__min_interval_ms=0, strategy__simple_spread__requote_ticks=1,
            monitoring__alerts__latency_threshold_ns=100,
        )  # fmt: skip
        stack.arrived("TickToTradeSlow", port, CRITICAL)
        feeds[0].kill()
        feeds[0].wait()
        stack.arrived("HuginnDisconnected", port, CRITICAL)
        feeds.append(feed_of(tmp_path, "--speed", "200"))
        stack.resolved("HuginnDisconnected", port)
        engine, rows = bot.engine(), bot.page()["rows"]
        wait_for(lambda: bot.page()["rows"] > rows)
        reader = Reader(1, directory=str(bot.shm), price_decimals=1, size_decimals=5)
        written = reader.header()["rows"]
        os.kill(engine, signal.SIGSTOP)
        try:
            wait_for(lambda: reader.header()["rows"] > written + 2 * SLOTS)
        finally:
            os.kill(engine, signal.SIGCONT)
        stack.arrived("SequenceGaps", port, WARNING)
        bot.stop()
    finally:
        for feed in feeds:
            feed.kill()
            feed.wait()


def test_a_venue_that_differs_and_a_guardian_that_hangs(
    stack: Stack, tmp_path: Path, exchange: Exchange
) -> None:
    where, port = tmp_path / "bot", free_port()
    (where / "shm").mkdir(mode=0o700, parents=True)

    def by_hand() -> None:
        """Trade on the bot's account, as somebody else would."""
        Taker(exchange, ACCOUNT).take(exchange.ask(do="god")["marks"]["1"] + 5000, 100, Side.BID)

    keys = configuration(
        where, exchange, monitoring__prometheus_port=port,
        # bog-live replaces a gateway that is silent for a second, unless it is a young one
        monitoring__alerts__guardian_silent_threshold_sec="0.5",
    )  # fmt: skip
    bot = live(where, keys, meanwhile=by_hand)  # bog-arm would refuse the difference
    try:
        bot.ready()
        stack.scrape(port)
        stack.arrived("ReconciliationDifference", port, CRITICAL)
        asked = panels(port, live=True)
        assert len(asked) > 5
        await_data(stack, asked)
        gateway = children(bot)["bog-gateway"]
        os.kill(gateway, signal.SIGSTOP)
        stack.arrived("GuardianLost", port, CRITICAL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(gateway, signal.SIGCONT)
        stack.resolved("GuardianLost", port)
    finally:
        stack.scrape()
        bot.kill()


def test_make_monitor_starts_all_of_it_on_loopback_and_ends_it(tmp_path: Path) -> None:
    program("prometheus")
    ports = {9091: "/-/ready", 9093: "/-/ready"}
    for port in (*ports, 9096):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"port {port} of this host is in use")
    # what it writes goes below the folder of the project: so a copy of it
    for name in ("monitoring", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("bog", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    with (tmp_path / "said").open("w") as said:
        started = subprocess.Popen(
            ["tools/monitor.sh"], cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL,
            stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip

    def ready() -> bool:
        assert started.poll() is None, (tmp_path / "said").read_text()
        for port, path in ports.items():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20):
                    pass
            except OSError:
                return False
        return "port 9096" in (tmp_path / "var/monitoring/alerts.log").read_text()

    try:
        wait_for(ready)
        listening = {
            (line.split()[1].split(":")[0], int(line.split()[1].split(":")[1], 16))
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
            if line.split()[3] == "0A"
        }
        for port in (*ports, 9096):
            assert {where for where, number in listening if number == port} == {"0100007F"}
        os.killpg(started.pid, signal.SIGINT)  # as the terminal does
        assert started.wait(60) == 0
        for port in (*ports, 9096):
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0, "it is still there"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()
