"""The table of metrics over pages made by hand: each value, its unit, and what a dead engine leaves."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bog import keys, metrics
from bog._core.link import Link
from bog._core.stats import StatsPage
from bog._core.types import Halt, Reject, Verdict
from bog.glance import Glance, Rates, Traded, health
from bog.metrics import METRICS, Scrape
from tests.rig.metrics import ASKED, HISTOGRAMS, LIMITS, HandMade, histogram, traded
from tests.shell import factory

ROOT = Path(__file__).resolve().parents[2]


def scraped(*markets: Traded) -> dict[str, Any]:
    """Return the families of a scrape by the name that their TYPE line has."""
    _, text = Scrape(list(markets)).answer("")
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        found[family.name + ("_total" if family.type == "counter" else "")] = family
    return found


def value(found: dict[str, Any], name: str, **labels: str) -> float:
    """Return the only sample of that name with those labels."""
    name = f"bog_{name}"
    family = found.get(name) or found[re.sub(r"_(bucket|sum|count)$", "", name)]
    (sample,) = [s for s in family.samples if s.name == name and labels.items() <= s.labels.items()]
    return float(sample.value)


def test_the_names_and_labels_that_were_asked_for() -> None:
    found = scraped(traded())
    assert len(found) == len(METRICS) >= 40
    for name, labels in ASKED.items():
        kind = ("counter" if name.endswith("_total")
                else "histogram" if name in HISTOGRAMS else "gauge")  # fmt: skip
        assert found[name].type == kind, name
        has = {label for sample in found[name].samples for label in sample.labels}
        assert has - {"market", "le"} == labels - {"market"}, name
        assert all(sample.labels["market"] == "1" for sample in found[name].samples), name


def test_every_name_once_with_its_group_and_its_unit() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert re.fullmatch(r"bog_(trading|performance|risk|orderbook|system)_[a-z_]+", metric.name)
        assert (metric.kind == "counter") == metric.name.endswith("_total"), metric.name
        assert metric.unit and metric.meaning and "|" not in metric.meaning


def test_values_are_those_of_the_page_in_their_units() -> None:
    found = scraped(traded(HandMade(position=factory.position(pos=20))))
    for name, labels, expected in [
        ("trading_orders_total", {"side": "buy", "type": "post_only"}, 4),
        ("trading_orders_total", {"side": "sell", "type": "post_only"}, 2),
        ("trading_orders_total", {"side": "sell", "type": "ioc"}, 0),
        ("trading_fills_total", {"side": "buy"}, 1),
        ("trading_volume_usd_total", {}, 0.02002),  # 20_020 quanta of 1e-6
        ("trading_volume_quote_total", {}, 0.02002),
        ("trading_rejections_total", {"reason": "REJ_POST_ONLY"}, 3),
        ("trading_rejections_total", {"reason": "REJ_OTHER"}, 0),
        ("trading_cancellations_total", {}, 2),
        ("trading_fill_rate", {}, 20 / 60),
        ("trading_orders_by_status", {"status": "resting"}, 2),
        ("trading_orders_by_status", {"status": "in_flight"}, 0),
        ("trading_amends_total", {"side": "buy"}, 3),
        ("trading_quote_price_quote", {"side": "buy"}, 99.9),
        ("trading_quote_size_base", {"side": "buy"}, 0.0001),
        ("trading_markout_quote", {"horizon": "1s", "side": "buy"}, 0.000005),
        ("trading_markout_quote", {"horizon": "0.1s", "side": "sell"}, 0),
        ("risk_position_btc", {}, 0.0002),
        ("risk_position_base", {}, 0.0002),
        ("risk_position_utilization", {}, 0.5),
        ("risk_realized_pnl_usd", {}, 0.00002),
        ("risk_unrealized_pnl_usd", {}, 0.0000005),
        ("risk_daily_pnl_usd", {}, -0.0000015),
        ("risk_daily_loss_limit_quote", {}, 500),
        ("risk_violations_total", {"type": "DENY_RATE"}, 12),
        ("risk_violations_total", {"type": "DENY_PORTFOLIO"}, 0),
        ("risk_rate_limit_allowed_total", {}, 12),
        ("risk_rate_limit_rejected_total", {}, 12),
        ("risk_rate_limit_requests_total", {}, 24),
        ("risk_circuit_breaker_state", {}, 0),
        ("orderbook_spread_bps", {}, 10_000 * 3 / 1001.5),
        ("orderbook_imbalance", {}, 100 * 10 / 90),
        ("orderbook_touch_imbalance_ratio", {}, 10 / 90),
        ("orderbook_price_quote", {"side": "sell"}, 100.3),
        ("orderbook_size_base", {"side": "buy"}, 0.0005),
        ("system_huginn_connected", {}, 1),
        ("system_huginn_messages_total", {}, 9000),
        ("system_huginn_sequence_gaps_total", {}, 1),
        ("system_errors_total", {"component": "feed"}, 5),
        ("system_fill_queue_depth", {}, 1),
        ("system_report_queue_depth", {}, 1),
        ("system_journal_unsynced_records", {}, 2),
        ("system_feed_age_seconds", {}, 0.01),
        ("system_host_refusals", {}, 2),
        ("system_build_info", {"symbol": "BTC", "mode": "paper", "version": "0.1.0"}, 1),
    ]:
        assert value(found, name, **labels) == pytest.approx(expected, rel=1e-12), name
    short = scraped(traded(HandMade(position=factory.position(pos=-20))))
    assert value(short, "risk_position_utilization") == 0.25


def test_orders_and_fills_are_in_slots_and_thresholds_are_those_of_the_configuration() -> None:
    alerts = dict.fromkeys(keys.Alerts.model_fields, 0.25) | {"spread_warning_bps": 50.0}
    page = HandMade(
        recent_fills=[factory.fill(), factory.fill(side=1, px=1002, time_ns=59_500_000_000)]
    )
    found = scraped(traded(page)._replace(alerts=alerts))
    for name, labels, expected in [
        ("trading_created_size_base_total", {}, 0.0006),
        ("trading_filled_size_base_total", {}, 0.0002),
        (
            "trading_active_order_price_quote",
            {"slot": "1", "side": "buy"},
            99.8,
        ),
        ("trading_active_order_price_quote", {"slot": "3", "side": "sell"}, 100.3),
        ("trading_active_order_size_base", {"slot": "2"}, 0.0001),
        ("trading_active_order_age_seconds", {"slot": "1"}, 59.999999999),
        ("trading_recent_fill_price_quote", {"slot": "1", "side": "sell"}, 100.2),
        ("trading_recent_fill_price_quote", {"slot": "2", "side": "buy", "reason": "queue"}, 100.0),
        ("trading_recent_fill_size_base", {"slot": "2"}, 0.0001),
        ("trading_recent_fill_age_seconds", {"slot": "1"}, 0.5),
        ("orderbook_spread_warning_bps", {}, 50),
        ("trading_fill_rate_expected", {}, 0.25),
        ("system_engine_pinned", {}, 0),
    ]:
        assert value(found, name, **labels) == pytest.approx(expected, rel=1e-12), name
    thresholds = [m.name for m in METRICS if re.search("_threshold|_warning|_expected", m.name)]
    assert len(thresholds) == len(alerts) and all(found[name].samples for name in thresholds)
    assert not scraped(traded())["bog_trading_fill_rate_expected"].samples


def test_a_silent_feed_and_a_silent_gateway_have_an_age(tmp_path: Path) -> None:
    lost = scraped(traded(HandMade(stale=1, start_ns=1, alive_ns=50_000_000_000)))
    assert value(lost, "system_huginn_silent_seconds") == pytest.approx(10, abs=1)
    never = scraped(traded(HandMade(start_ns=20_000_000_000, alive_ns=0)))
    assert value(never, "system_huginn_silent_seconds") == pytest.approx(40, abs=1)
    hung = scraped(traded(HandMade(age_sec=100, start_ns=1)))
    assert value(hung, "system_huginn_silent_seconds") == pytest.approx(100, abs=5)
    live = scraped(traded(HandMade(start_ns=1)))
    assert value(live, "system_huginn_silent_seconds") == 0
    assert value(live, "system_guardian_beat_age_seconds") == 0  # on paper
    link = Link.create(str(tmp_path / "link"), 1_000_001)
    before = scraped(traded()._replace(link=link))
    assert value(before, "system_guardian_beat_age_seconds") == 0
    assert value(before, "risk_reconciliation_differences") == 0
    link.gateway_beat_ns = time.monotonic_ns() - 30 * 10**9
    link.differences = 2
    silent = scraped(traded()._replace(link=link))
    assert value(silent, "system_guardian_beat_age_seconds") == pytest.approx(30, abs=5)
    assert value(silent, "risk_reconciliation_differences") == 2


def test_every_reason_is_there_before_it_happens() -> None:
    found = scraped(traded())
    for name, label, kind, last in [
        ("bog_trading_rejections_total", "reason", Reject, "REJ_NONE"),
        ("bog_risk_violations_total", "type", Verdict, "ALLOW VERDICTS"),
    ]:
        said = {sample.labels[label] for sample in found[name].samples}
        assert said == set(kind.__members__) - set(last.split()), name
    said = {sample.labels["reason"] for sample in found["bog_risk_halt"].samples}
    assert said == {name.removeprefix("HALT_") for name in Halt.__members__} - {"NONE", "HALTS"}


def test_a_market_in_another_asset_has_no_position_in_btc() -> None:
    ether = traded(HandMade(position=factory.position(pos=-20)), symbol="ETH", market=0)
    found = scraped(ether)
    assert not found["bog_risk_position_btc"].samples
    assert value(found, "risk_position_base", market="0") == -0.0002


def test_markets_are_told_apart() -> None:
    found = scraped(
        traded(),
        traded(HandMade(gaps=7), symbol="ETH", market=0, price_decimals=2, size_decimals=4),
    )
    assert value(found, "system_huginn_sequence_gaps_total", market="1") == 1
    assert value(found, "system_huginn_sequence_gaps_total", market="0") == 7
    assert value(found, "orderbook_price_quote", market="0", side="buy") == 10.0


def test_histograms_are_cumulative_and_bounds_are_reached() -> None:
    page = HandMade()
    # 3 samples: 15 ns, 16 ns, and one past the last bound
    page.found["order_turn"] = histogram(1, 2, *[2] * 29, 3, sum=2**40, p99=2**39, p50=16)
    page.found["execution"] = histogram(1, 2, *[2] * 29, 3, sum=2500)
    found = scraped(traded(page))
    name = "performance_tick_to_trade_latency_ns"
    buckets = [s for s in found[f"bog_{name}"].samples if s.name.endswith("_bucket")]
    assert [s.labels["le"] for s in buckets][:3] == ["15", "31", "63"]
    assert [s.labels["le"] for s in buckets][-2:] == [str(2**34 - 1), "+Inf"]
    assert [s.value for s in buckets] == [1, *[2] * 30, 3]
    assert value(found, f"{name}_count") == 3
    assert value(found, f"{name}_sum") == 2**40
    assert value(found, "performance_tick_to_trade_quantile_ns", quantile="0.99") == 2**39
    name = "performance_execution_latency_us"
    buckets = [s for s in found[f"bog_{name}"].samples if s.name.endswith("_bucket")]
    assert [s.labels["le"] for s in buckets][:2] == ["0.015", "0.031"]
    assert value(found, f"{name}_sum") == 2.5
    assert value(found, "performance_execution_latency_ns_sum") == 2500


def test_rates_are_taken_over_at_least_the_interval() -> None:
    rates = Rates(1.0)
    second = 10**9
    assert rates.look(5 * second, 100, 10) == (0.0, 0.0)
    # a scraper in a hurry is told the last rates, and does not disturb the measurement
    assert rates.look(5 * second + second // 2, 1000, 20) == (0.0, 0.0)
    assert rates.look(7 * second, 300, 14) == (100.0, 2.0)
    assert rates.look(7 * second + 1, 301, 14) == (100.0, 2.0)
    assert rates.look(17 * second, 300, 14) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (HandMade(), ""),
        (HandMade(state=0), "starting"),
        (HandMade(age_sec=60), "engine dead"),
        (HandMade(state=3), "ended"),
        (HandMade(stale=1), "feed lost"),
        (HandMade(alive_ns=0), "feed lost"),
        (HandMade(halt=int(Halt.HALT_DAILY_LOSS), halt_id=4), "halted: DAILY_LOSS"),
    ],
)
def test_health_says_what_ails(page: HandMade, why: str) -> None:
    if why != "engine dead":  # it was made when the tests were collected
        page.changed["beat_mono"] = time.monotonic_ns()
    found = health([traded(page)])
    assert found["ok"] is (why == "")
    assert found["why"] == ([f"market 1: {why}"] if why else [])
    assert found["markets"]["1"]["connected"] is (not why or why.startswith("halted"))


def test_one_sick_market_makes_the_bot_sick() -> None:
    found = health([traded(), traded(HandMade(stale=1), market=0)])
    assert not found["ok"] and found["why"] == ["market 0: feed lost"]
    assert health([]) == {"ok": False, "why": ["starting"], "markets": {}}


def test_a_dead_engine_leaves_its_last_values() -> None:
    found = scraped(traded(HandMade(age_sec=60, halt=1, halt_id=1)))
    assert value(found, "system_huginn_connected") == value(found, "system_engine_up") == 0
    assert value(found, "system_engine_beat_age_seconds") == pytest.approx(60, abs=5)
    assert value(found, "trading_fills_total", side="buy") == 1
    assert value(found, "orderbook_price_quote", side="buy") == 100.0
    assert value(found, "risk_circuit_breaker_state") == 1
    assert value(found, "risk_halt", reason="DAILY_LOSS") == 1


def test_a_page_that_nobody_wrote_to_is_all_zeros(tmp_path: Path) -> None:
    empty = Traded(
        StatsPage.create(str(tmp_path / "page"), 1_000_001), factory.about(), LIMITS, Rates(1.0),
        lambda: 0,
    )  # fmt: skip
    assert Glance(empty).ails() == "starting"
    for family in scraped(empty).values():
        for sample in family.samples:
            limit = sample.name in (
                "bog_risk_position_limit_base",
                "bog_risk_daily_loss_limit_quote",
            )
            assert (sample.value == 0) != (limit or sample.name == "bog_system_build_info"), sample


def test_openmetrics_is_spoken_to_who_asks_for_it() -> None:
    kind, text = Scrape([traded()]).answer("application/openmetrics-text; version=1.0.0, */*;q=0.1")
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith(b"# EOF\n") and b"\nbog_trading_fills_total{" in text


def test_who_asks_in_a_loop_is_told_the_same_for_a_while() -> None:
    page = HandMade(gaps=1)
    scrape = Scrape([traded(page)])
    _, first = scrape.answer("")
    page.changed["gaps"] = 2
    asked, until = 0, time.monotonic() + 10
    while (text := scrape.answer("")[1]) is first:
        asked += 1
        assert time.monotonic() < until
    assert asked > 0
    assert b'huginn_sequence_gaps_total{market="1"} 1.0' in first
    assert b'huginn_sequence_gaps_total{market="1"} 2.0' in text
    # another format is another text
    assert scrape.answer("application/openmetrics-text; version=1.0.0")[1].endswith(b"# EOF\n")


def test_the_documented_table_is_the_table() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    assert metrics.table() in text, "run: python tools/metrics.py"
