"""The metrics of real bots over real HTTP: every name, moving values, lost feeds, ports in use."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bog.metrics import METRICS
from tests.rig.gateway import Exchange
from tests.rig.live import PATIENCE_S, Bot, K, environment, of_kind, one_error, records, wait_for
from tests.rig.metrics import ASKED, HISTOGRAMS, free_port, occupied
from tests.rig.rehearsal import configuration, live

PORT = "BOG_MONITORING__PROMETHEUS_PORT"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Scraped:
    """One scrape of a bot."""

    def __init__(self, port: int) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S) as got:
            assert got.status == 200 and got.headers["Content-Type"].startswith("text/plain")
            self.text = got.read().decode()
        self.kinds: dict[str, str] = {}
        self.labels: dict[str, set[str]] = {}
        self.samples: Samples = {}
        for family in text_string_to_metric_families(self.text):
            name = family.name + ("_total" if family.type == "counter" else "")
            self.kinds[name] = family.type
            self.labels[name] = {label for s in family.samples for label in s.labels}
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in self.samples, f"{key} twice"
                self.samples[key] = sample.value

    def __call__(self, name: str, market: int = 1, **labels: str) -> float:
        """Return the sum of the series of that name with those labels."""
        wanted = {("market", str(market)), *labels.items()}
        found = [v for (n, has), v in self.samples.items() if n == f"bog_{name}" and wanted <= has]
        assert found, f"no bog_{name} with {wanted}"
        return sum(found)


def healthz(port: int) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_S) as got:
            return got.status, json.load(got)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.fixture
def bots(tmp_path: Path) -> Iterator[Callable[..., tuple[Bot, int]]]:
    """Start bots with a port of their own, that do not outlive the test."""
    started: list[Bot] = []

    def start(*arguments: object, **more: object) -> tuple[Bot, int]:
        port = free_port()
        more = {PORT: str(port), "BOG_MONITORING__PROMETHEUS_REQUIRED": "true"} | more
        started.append(Bot(tmp_path, *arguments, **more))  # type: ignore[arg-type]
        return started[-1], port

    yield start
    for bot in started:
        bot.kill()


def test_a_scrape_of_a_paper_run_has_every_name_and_values_that_move(
    bots: Callable[..., tuple[Bot, int]],
) -> None:
    # market time passes twenty times as fast, so that a minute's fills come in seconds
    bot, port = bots("--speed", 20, "--preset", "active")
    bot.trading(fills=2)
    first = Scraped(port)
    assert set(first.kinds) == {metric.name for metric in METRICS} and len(METRICS) >= 40
    for name, labels in ASKED.items():
        kind = ("counter" if name.endswith("_total")
                else "histogram" if name in HISTOGRAMS else "gauge")  # fmt: skip
        assert first.kinds[name] == kind, name
        assert first.labels[name] - {"le", "market"} == labels - {"market"}, name
        assert "market" in first.labels[name], name
    assert healthz(port)[0] == 200 and healthz(port)[1]["ok"] is True

    def moved() -> Scraped | None:
        now = Scraped(port)
        sampled = all(
            now(f"performance_{name}_count") > 0
            for name in ("strategy_latency_ns", "risk_validation_latency_ns",
                         "execution_latency_us", "orderbook_sync_latency_ns")
        )  # fmt: skip
        fills = now("trading_fills_total") > first("trading_fills_total")
        return now if sampled and fills and now("performance_ticks_per_second") > 0 else None

    last = wait_for(moved)
    # counters only grow, and these have
    for metric in METRICS:
        if metric.kind == "counter":
            for key, value in first.samples.items():
                if key[0] == metric.name:
                    assert last.samples[key] >= value, key
    for name in ("trading_orders_total", "trading_volume_usd_total", "system_huginn_messages_total",
                 "trading_cancellations_total", "risk_rate_limit_requests_total",
                 "performance_tick_to_trade_latency_ns_count", "performance_turns_total",
                 "system_journal_records_total"):  # fmt: skip
        assert last(name) > max(0, first(name)) or last(name) > 0, name
    assert last("trading_orders_total", type="post_only") == last("trading_orders_total")
    assert 0 < last("trading_fill_rate") <= 1
    assert 1 < last("performance_ticks_per_second") < 100_000
    assert 0 <= last("performance_orders_per_second") < 10_000
    assert 0 <= last("risk_position_utilization") <= 1
    assert last("risk_position_btc") == last("risk_position_base")
    assert abs(last("risk_position_btc")) <= last("risk_position_limit_base", side="buy")
    assert 0 < last("orderbook_spread_bps") < 100
    assert -100 <= last("orderbook_imbalance") <= 100
    bid, ask = (last("orderbook_price_quote", side=side) for side in ("buy", "sell"))
    assert 1000 < bid < ask < 1_000_000
    assert last("system_huginn_connected") == 1 and last("risk_circuit_breaker_state") == 0
    assert last("system_huginn_sequence_gaps_total") == 0
    requests, allowed, rejected = (
        last(f"risk_rate_limit_{what}_total") for what in ("requests", "allowed", "rejected")
    )
    assert requests == allowed + rejected and allowed > 0
    for name in sorted(HISTOGRAMS):
        name = name.removeprefix("bog_")
        count, total = last(f"{name}_count"), last(f"{name}_sum")
        assert count > 0 and 0 <= total < count * 1e9, name
        assert last(f"{name}_bucket", le="+Inf") == count
    # at rest: the metrics, the journal and the report say the same
    bot.signal(signal.SIGUSR2)
    wait_for(lambda: Scraped(port)("risk_run_level") == 1 and not bot.page()["orders"])
    wait_for(lambda: sum(Scraped(port)("trading_orders_by_status", status=s) for s in
                         ("created", "in_flight", "resting", "partial", "cancel_sent")) == 0)  # fmt: skip
    wait_for(lambda: Scraped(port)("system_report_queue_depth") == 0)
    wait_for(lambda: Scraped(port)("system_journal_unsynced_records") == 0)
    rest = Scraped(port)
    written = records(bot.folder)
    fills = of_kind(written, K.J_FILL)
    for side, name in ((0, "buy"), (1, "sell")):
        assert rest("trading_fills_total", side=name) == (fills["side"] == side).sum()
        places = of_kind(written, K.J_PLACE)
        assert rest("trading_orders_total", side=name) == (places["side"] == side).sum()
        amends = of_kind(written, K.J_AMEND)
        assert rest("trading_amends_total", side=name) == (amends["side"] == side).sum()
    assert rest("trading_cancellations_total") == len(of_kind(written, K.J_CANCELED))
    volume = int((fills["px"].astype(object) * fills["qty"].astype(object)).sum())
    assert rest("trading_volume_usd_total") == rest("trading_volume_quote_total") == volume / 1e6
    bot.stop()
    assert bot.report["fills"]["count"] == sum(
        rest("trading_fills_total", side=s) for s in ("buy", "sell")
    )
    with pytest.raises(OSError):  # the port went with the bot
        Scraped(port)


def test_markets_are_labeled(bots: Callable[..., tuple[Bot, int]]) -> None:
    bot, port = bots("--market", 0)
    bot.trading()
    wait_for(lambda: healthz(port)[0] == 200)
    found = wait_for(lambda: (s := Scraped(port))("system_feed_books_total", 0) > 0 and s)
    assert found("system_feed_books_total", 1) > 0
    ether, bitcoin = (found("orderbook_price_quote", market, side="buy") for market in (0, 1))
    assert ether != bitcoin > 0
    assert ("market", "0") not in {
        label for (name, has), _ in found.samples.items() if name == "bog_risk_position_btc"
        for label in has
    }  # fmt: skip
    assert set(healthz(port)[1]["markets"]) == {"0", "1"}
    bot.stop()


def test_a_lost_feed_and_a_hung_engine_show(
    bots: Callable[..., tuple[Bot, int]], tmp_path: Path
) -> None:
    (tmp_path / "shm").mkdir(mode=0o700)
    feed = subprocess.Popen(
        [sys.executable, "-m", "bog.cli.feed", "--market", "1", "--dir", str(tmp_path / "shm")],
        cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(lambda: list((tmp_path / "shm").glob("hg_*")))
        bot, port = bots("--feed", "huginn")
        bot.trading()
        wait_for(lambda: Scraped(port)("performance_huginn_read_latency_ns_count") > 0)
        assert Scraped(port)("system_huginn_connected") == 1 and healthz(port)[0] == 200
        # an engine that hangs: its last values stay, and it is said
        engine = bot.engine()
        os.kill(engine, signal.SIGSTOP)
        wait_for(lambda: Scraped(port)("system_huginn_connected") == 0)
        hung = Scraped(port)
        assert hung("system_engine_up") == 0 and hung("system_engine_beat_age_seconds") >= 1
        assert hung("orderbook_price_quote", side="buy") > 0
        status, health = healthz(port)
        assert status == 503 and health["why"] == ["market 1: engine dead"]
        os.kill(engine, signal.SIGCONT)
        wait_for(lambda: healthz(port)[0] == 200)
        # a feed that dies
        feed.kill()
        feed.wait()
        wait_for(lambda: Scraped(port)("system_huginn_connected") == 0)
        wait_for(lambda: healthz(port)[1]["why"] == ["market 1: feed lost"])
        lost = Scraped(port)
        assert (
            lost("system_engine_up") == 1 and lost("risk_violations_total", type="DENY_STALE") > 0
        )
        assert lost("system_feed_age_seconds") > 0
        bot.stop()
    finally:
        feed.kill()
        feed.wait()


def test_fault_67_a_port_in_use_is_refused_or_said(bots: Callable[..., tuple[Bot, int]]) -> None:
    def refused(port: int) -> None:
        bot, _ = bots(**{PORT: str(port)})
        bot.process.wait(PATIENCE_S)
        assert bot.process.returncode == 78
        assert f"no metrics on 127.0.0.1 port {port}: Address already in use" in one_error(bot.said)
        # nothing began: no run in the journal, no page, no socket
        assert not list(bot.folder.glob("*.journal")) and bot.left() == []
        assert list((bot.folder / "control").iterdir()) == []

    def said(port: int) -> None:
        bot, _ = bots(**{PORT: str(port), "BOG_MONITORING__PROMETHEUS_REQUIRED": "false"})
        bot.trading()
        assert f"no metrics on 127.0.0.1 port {port}: Address already in use" in bot.said
        assert [
            line for line in bot.log if line["event"] == "host" and "no metrics" in line["message"]
        ]
        bot.stop()

    occupied(refused)
    occupied(said)


def test_it_listens_on_loopback_alone(bots: Callable[..., tuple[Bot, int]]) -> None:
    bot, port = bots()
    bot.trading()
    inodes = {os.readlink(link) for link in Path(f"/proc/{bot.pid}/fd").iterdir()}
    listening = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
            listening[int(words[1].split(":")[1], 16)] = words[1].split(":")[0]
    assert listening == {port: "0100007F"}
    # the engine has no socket of the network at all
    engine = {os.readlink(link) for link in Path(f"/proc/{bot.engine()}/fd").iterdir()}
    assert not [name for name in engine if name.startswith("socket:")]
    bot.stop()


def test_what_a_client_sends_commands_nothing(bots: Callable[..., tuple[Bot, int]]) -> None:
    bot, port = bots()
    bot.trading()
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "GET"):
        for path in ("/kill", "/pause", "/-/quit", "/-/reload", "/metrics", "/healthz"):
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
                client.sendall(
                    f"{method} {path}?level=3 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
                )
                status = int(client.recv(64).split()[1])
            assert (status == 200) == (method == "GET" and path in ("/metrics", "/healthz"))
    time.sleep(0.2)
    assert Scraped(port)("risk_run_level") == 0
    bot.stop()
    assert not of_kind(records(bot.folder), K.J_HALT).size


def test_a_live_bot_shows_nonces_quota_and_budget_as_the_venue_has_them(
    tmp_path: Path, exchange: Exchange
) -> None:
    port, where = free_port(), tmp_path / "bot"
    (where / "shm").mkdir(mode=0o700, parents=True)
    bot = live(where, configuration(where, exchange, monitoring__prometheus_port=port))
    try:
        bot.trading()
        first = Scraped(port)
        for of, most in (("sends", 4000), ("reads", 24_000)):
            assert first("risk_venue_budget_limit", of=of) == most
            assert 0 < first("risk_venue_budget_left", of=of) < most
        for key in ("trade", "guard"):
            assert first("risk_nonce_synced", key=key) in (0, 1)
            assert first("risk_nonce_resyncs_total", key=key) >= 1
            assert first("risk_nonce_refusals_total", key=key) == 0
        exchange.ask(at="ws", do="error", code=21104, type="create", count=2)
        exchange.ask(at="ws", do="error", code=21104, type="modify", count=2)
        wait_for(lambda: Scraped(port)("risk_nonce_refusals_total", key="trade") >= 4)
        exchange.ask(at="ws", do="silent", when="before", type="modify", count=2)
        wait_for(lambda: Scraped(port)("risk_nonce_gaps_total", key="trade") >= 1)
        assert Scraped(port)("risk_nonce_resyncs_total", key="trade") >= 3
        exchange.ask(do="clear")
        bot.signal(signal.SIGUSR2)  # at rest the numbers are the venue's
        wait_for(lambda: not exchange.god()["orders"])

        def agrees() -> bool:
            now, god = Scraped(port), exchange.god()
            keys = (("trade", "4"), ("guard", "5"))
            return (
                all(now("risk_nonce_next", key=key) == god["nonces"][n] for key, n in keys)
                and not any(now("risk_nonces_waiting", key=key) for key, _ in keys)
                and abs(now("risk_venue_quota_left") - god["quota"]) <= god["volume"] / 3e6 + 2
            )

        wait_for(agrees)
        bot.stop()
    finally:
        bot.kill()
