"""Every key of the configuration arrives, and every bad value of it is refused in one line."""

import re
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bog import config, keys
from bog.errors import ConfigError
from bog.settings import Settings

DEFAULTS = dict(config._leaves(tomllib.loads((config.FOLDER / "default.toml").read_text())))
LIGHTER = "feed.lighter."
SPREAD = "strategy.simple_spread."
INVENTORY = "strategy.inventory."
BUS_KEY = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"  # public, of ZeroMQ's own documents

# key: (a good value that is not the default, which function it reaches, {field: what arrives})
ARRIVES: dict[str, tuple[object, str, dict[str, object]]] = {
    "risk.max_position": ("0.07", "limits", {"max_long": 7000}),
    "risk.max_short": ("0.06", "limits", {"max_short": 6000}),
    "risk.max_order_size": ("0.04", "limits", {"max_order": 4000}),
    "risk.min_order_size": ("0.0003", "limits", {"min_order": 30}),
    "risk.max_daily_loss": ("499.999999", "limits", {"max_daily_loss": 499_999_999}),
    "risk.max_drawdown": ("0.25", "limits", {"drawdown_ppm": 250_000}),
    "risk.drawdown_min_peak": ("10", "limits", {"drawdown_min_peak": 10_000_000}),
    "risk.max_open_orders": (2, "limits", {"max_open_orders": 2}),
    "risk.rate_limit_preset": ("conservative", "get", {"risk.rate_limit_preset": "conservative"}),
    "risk.rate_limit_orders_per_sec": (7, "limits", {"rate_per_min": 420}),
    "risk.rate_limit_burst": (8, "limits", {"rate_burst": 8}),
    "risk.rate_limit_reserve": (3, "limits", {"rate_reserve": 3}),
    "risk.collar": ("0.005", "limits", {"collar_ppm": 5000}),
    "risk.max_notional": ("7000", "limits", {"max_notional": 7_000_000_000}),
    "risk.max_exposure_quote": ("9000", "limits", {"max_exposure": 9_000_000_000}),
    "risk.min_price": ("1000.5", "limits", {"min_px": 10_005}),
    "risk.max_price": ("500000", "limits", {"max_px": 5_000_000}),
    "risk.balance": ("12345", "limits", {"balance": 12_345_000_000}),
    "risk.max_leverage": ("2.5", "limits", {"max_leverage_ppm": 2_500_000}),
    "risk.stale_after_ms": ("750", "limits", {"stale_after_ns": 750_000_000}),
    "portfolio.max_exposure_quote": ("9000", "portfolio", {"limit": 9_000_000_000}),
    "breaker.max_spread_bps": ("99.99", "limits", {"breaker_spread_ppm": 9999}),
    "breaker.max_move": ("0.05", "limits", {"breaker_move_ppm": 50_000}),
    "breaker.violations": (2, "limits", {"breaker_violations": 2}),
    "breaker.max_fills": (7, "limits", {"max_fills": 7}),
    "breaker.fills_window_sec": ("2.5", "limits", {"fills_window_ns": 2_500_000_000}),
    "breaker.max_rejects": (8, "limits", {"max_rejects": 8}),
    "breaker.rejects_window_sec": ("3", "limits", {"rejects_window_ns": 3_000_000_000}),
    "breaker.max_feed_delay_ms": ("250", "limits", {"max_feed_delay_ns": 250_000_000}),
    "breaker.warm_up_books": (9, "limits", {"warm_up_books": 9}),
    "breaker.warm_up_ms": ("1500", "limits", {"warm_up_ns": 1_500_000_000}),
    SPREAD + "spread_bps": ("10", "strategy", {"half_ppm": 500}),
    SPREAD + "order_size": ("0.02", "strategy", {"order_qty": 2000}),
    SPREAD + "min_spread_bps": ("0.1", "strategy", {"min_spread_ppm": 10}),
    SPREAD + "max_spread_bps": ("40", "strategy", {"max_spread_ppm": 4000}),
    SPREAD + "min_valid_price": ("20000", "strategy", {"min_valid_px": 200_000}),
    SPREAD + "max_valid_price": ("300000", "strategy", {"max_valid_px": 3_000_000}),
    SPREAD + "min_size_threshold": ("0.001", "strategy", {"min_touch_qty": 100}),
    SPREAD + "max_inventory_base": ("0.03", "strategy", {"max_pos": 3000}),
    SPREAD + "skew_bps": ("3", "strategy", {"skew_ppm": 300}),
    SPREAD + "edge_bps": ("0.1", "strategy", {"edge_ppm": 10}),
    SPREAD + "requote_ticks": (6, "strategy", {"requote_ticks": 6}),
    SPREAD + "resize_fraction": ("0.5", "strategy", {"size_off_ppm": 500_000}),
    SPREAD + "min_interval_ms": ("100", "strategy", {"min_interval_ns": 100_000_000}),
    SPREAD + "order_life_sec": ("300", "strategy", {"order_life_ns": 300_000_000_000}),
    SPREAD + "expiry_margin_sec": ("30", "strategy", {"expiry_margin_ns": 30_000_000_000}),
    SPREAD + "quota_reserve": (200, "strategy", {"quota_reserve": 200}),
    INVENTORY + "model": ("as_tau", "strategy", {"model": 1}),
    INVENTORY + "grid_orders": (2, "strategy", {"grid_orders": 2}),
    INVENTORY + "gamma": ("0.000000002", "strategy", {"gamma_e9": 2}),
    INVENTORY + "tau_sec": ("1.5", "strategy", {"tau_ns": 1_500_000_000}),
    INVENTORY + "arrivals": ("0.6", "strategy", {"arrivals_e6": 600_000}),
    INVENTORY + "decay": ("0.028", "strategy", {"decay_e9": 28_000_000}),
    INVENTORY + "calibrate": ("false", "strategy", {"calibrate": 0}),
    INVENTORY + "model_interval_ms": ("500", "strategy", {"model_ns": 500_000_000}),
    INVENTORY + "volatility": ("parkinson", "strategy", {"volatility": 2}),
    INVENTORY + "ewma_shift": (12, "strategy", {"volatility_shift": 12}),
    INVENTORY + "volatility_samples": (1024, "strategy", {"volatility_samples": 1024}),
    INVENTORY + "warm_samples": (1, "strategy", {"warm_samples": 1}),
    INVENTORY + "imbalance_ticks": ("-2.5", "strategy", {"imbalance_q16": -163_840}),
    INVENTORY + "microprice": (
        "1 2 3 4 5/-6 7 8 9 10 / 0 0 0 0 0 / 11 12 13 14 15", "strategy",
        {"micro_q8": [1, 2, 3, 4, 5, -6, 7, 8, 9, 10, 0, 0, 0, 0, 0, 11, 12, 13, 14, 15]}),
    INVENTORY + "edge_bps": ("0.1", "strategy", {"edge_ppm": 10}),
    "execution.mode": ("simulated", "get", {"execution.mode": "paper"}),
    "execution.dry_run": ("false", "get", {"execution.dry_run": False}),
    "execution.tier": ("premium", "strategy", {"maker_ppm": 40}),
    "venue.net_latency_ms": ("25.5", "venue", {"net_ns": 25_500_000}),
    "venue.response_latency_ms": ("20", "venue", {"response_ns": 20_000_000}),
    "venue.reconcile_window_ms": ("300", "venue", {"window_ns": 300_000_000}),
    "venue.queue_model": ("square", "venue", {"model": 2}),
    "venue.through_full": (True, "venue", {"through_full": 1}),
    "venue.shrink_keeps_place": ("true", "venue", {"shrink_keeps_place": 1}),
    "feed.source": ("replay:tape.csv", "get", {"feed.source": "replay:tape.csv"}),
    "feed.preset": ("toxic", "get", {"feed.preset": "toxic"}),
    "feed.seed": (2**64 - 1, "venue", {"seed": 2**64 - 1}),
    "feed.speed": ("20.0", "speed", {"ppm": 20_000_000}),
    "feed.directory": ("/tmp/shm", "get", {"feed.directory": "/tmp/shm"}),
    LIGHTER + "url": ("ws://127.0.0.1:1/s", "get", {LIGHTER + "url": "ws://127.0.0.1:1/s"}),
    LIGHTER + "rest_url": ("https://venue.test/", "get", {LIGHTER + "rest_url": "https://venue.test"}),
    LIGHTER + "connect_timeout_sec": ("2.5", "lighter", {"connect_ns": 2_500_000_000}),
    LIGHTER + "ack_timeout_sec": ("3", "lighter", {"ack_ns": 3_000_000_000}),
    LIGHTER + "silence_sec": ("4", "lighter", {"silence_ns": 4_000_000_000}),
    LIGHTER + "quiet_ms": ("300", "lighter", {"quiet_ns": 300_000_000}),
    LIGHTER + "keepalive_sec": ("20", "lighter", {"keepalive_ns": 20_000_000_000}),
    LIGHTER + "backoff_first_ms": ("250", "lighter", {"backoff_first_ns": 250_000_000}),
    LIGHTER + "backoff_most_sec": ("60", "lighter", {"backoff_most_ns": 60_000_000_000}),
    LIGHTER + "connects_per_min": (10, "lighter", {"connects_per_min": 10}),
    LIGHTER + "messages_per_min": (100, "lighter", {"messages_per_min": 100}),
    LIGHTER + "message_max_kb": (64, "get", {LIGHTER + "message_max_kb": 64}),
    LIGHTER + "metadata_interval_sec": ("30", "get", {LIGHTER + "metadata_interval_sec": 30}),
    LIGHTER + "metadata_timeout_sec": ("5", "get", {LIGHTER + "metadata_timeout_sec": 5}),
    LIGHTER + "metadata_directory": ("/tmp/m", "get", {LIGHTER + "metadata_directory": "/tmp/m"}),
    "journal.directory": ("/tmp/journal", "get", {"journal.directory": "/tmp/journal"}),
    "live.account_index": (281474976710654, "get", {"live.account_index": 281474976710654}),
    "live.chain_id": ("304", "get", {"live.chain_id": 304}),
    "live.rest_url": ("http://127.0.0.1:1/", "get", {"live.rest_url": "http://127.0.0.1:1"}),
    "live.ws_url": ("ws://localhost/stream", "get", {"live.ws_url": "ws://localhost/stream"}),
    "live.quoting_credential": ("bog-quoting", "get", {"live.quoting_credential": "bog-quoting"}),
    "live.quoting_index": (254, "get", {"live.quoting_index": 254}),
    "live.taking_credential": ("/k/t", "get", {"live.taking_credential": "/k/t"}),
    "live.taking_index": ("5", "get", {"live.taking_index": 5}),
    "live.guardian_credential": ("./g", "get", {"live.guardian_credential": "./g"}),
    "live.guardian_index": (6, "get", {"live.guardian_index": 6}),
    "live.gateway": ("tests.rig.gateway", "get", {"live.gateway": "tests.rig.gateway"}),
    "live.daily_signed_quote": ("5000", "get", {"live.daily_signed_quote": 5000}),
    "live.clock_skew_ms": (1500, "get", {"live.clock_skew_ms": 1500}),
    "live.engine_silent_ms": (700, "get", {"live.engine_silent_ms": 700}),
    "live.poll_us": (0, "get", {"live.poll_us": 0}),
    "live.max_decision_age_ms": ("99", "get", {"live.max_decision_age_ms": 99}),
    "live.tx_expiry_sec": (20, "get", {"live.tx_expiry_sec": 20}),
    "live.dead_man_sec": (600, "get", {"live.dead_man_sec": 600}),
    "live.arm_directory": ("/tmp/arm", "get", {"live.arm_directory": "/tmp/arm"}),
    "host.awake": ("true", "get", {"host.awake": True}),
    "host.strict": ("true", "get", {"host.strict": True}),
    "journal.rotate_mb": (7, "get", {"journal.rotate_mb": 7}),
    "monitoring.prometheus_port": (9464, "get", {"monitoring.prometheus_port": 9464}),
    "monitoring.prometheus_host": ("::1", "get", {"monitoring.prometheus_host": "::1"}),
    "monitoring.prometheus_required": ("true", "get", {"monitoring.prometheus_required": True}),
    "monitoring.metrics_interval_sec": ("2", "get", {"monitoring.metrics_interval_sec": 2}),
    "monitoring.log_file": ("", "get", {"monitoring.log_file": ""}),
    "monitoring.log_level": ("debug", "get", {"monitoring.log_level": "debug"}),
    "monitoring.log_rotation_mb": (5, "get", {"monitoring.log_rotation_mb": 5}),
    "monitoring.log_retention_files": (3, "get", {"monitoring.log_retention_files": 3}),
    "monitoring.alert_webhook_url": ("https://hooks.test/x", "secret", {"": "https://hooks.test/x"}),
    "monitoring.alert_file": ("a.log", "get", {"monitoring.alert_file": "a.log"}),
    "monitoring.bus.endpoint": ("", "get", {"monitoring.bus.endpoint": ""}),
    "monitoring.bus.server_credential": (
        "/k/bus", "get", {"monitoring.bus.server_credential": "/k/bus"}),
    "monitoring.bus.clients": (
        f"{BUS_KEY}  {BUS_KEY}", "get", {"monitoring.bus.clients": f"{BUS_KEY} {BUS_KEY}"}),
    "monitoring.slack_credential": ("/etc/s", "get", {"monitoring.slack_credential": "/etc/s"}),
    "monitoring.pagerduty_credential": ("/etc/p", "get", {"monitoring.pagerduty_credential": "/etc/p"}),
    "monitoring.pagerduty_url": ("https://pd.test/x", "get", {"monitoring.pagerduty_url": "https://pd.test/x"}),
    "monitoring.alerts.spread_threshold_bps": (
        "30", "get", {"monitoring.alerts.spread_threshold_bps": 30}),
    "monitoring.alerts.latency_threshold_ns": (
        2000, "get", {"monitoring.alerts.latency_threshold_ns": 2000}),
    "monitoring.alerts.huginn_disconnect_threshold_sec": (
        "2.5", "get", {"monitoring.alerts.huginn_disconnect_threshold_sec": Decimal("2.5")}),
    "monitoring.alerts.daily_loss_alert_threshold": (
        "99", "get", {"monitoring.alerts.daily_loss_alert_threshold": 99}),
    "monitoring.alerts.spread_warning_bps": (
        "20", "get", {"monitoring.alerts.spread_warning_bps": 20}),
    "monitoring.alerts.guardian_silent_threshold_sec": (
        "3.5", "get", {"monitoring.alerts.guardian_silent_threshold_sec": Decimal("3.5")}),
    "monitoring.alerts.fill_rate_expected": (
        "0.03", "get", {"monitoring.alerts.fill_rate_expected": Decimal("0.03")}),
    "monitoring.alerts.fill_rate_threshold": (
        "0.7", "get", {"monitoring.alerts.fill_rate_threshold": Decimal("0.7")}),
    "monitoring.alerts.rate_limit_rejections_threshold": (
        "0.3", "get", {"monitoring.alerts.rate_limit_rejections_threshold": Decimal("0.3")}),
}  # fmt: skip
# the keys that both strategies have arrive in the same fields
ARRIVES |= {
    INVENTORY + key: ARRIVES[SPREAD + key]
    for key in keys.Quoting.model_fields
    if INVENTORY + key not in ARRIVES
}
TIER: dict[str, tuple[object, str, dict[str, object]]] = {
    "as_of": ("2027-01-02", "tier", {"as_of": "2027-01-02"}),
    "maker_fee_ppm": (-5, "venue", {"maker_ppm": -5}),
    "taker_fee_ppm": (77, "venue", {"taker_ppm": 77}),
    "maker_delay_ms": ("1.5", "venue", {"maker_ns": 1_500_000}),
    "cancel_amend_delay_ms": ("2", "venue", {"cancel_ns": 2_000_000, "amend_ns": 2_000_000}),
    "taker_delay_ms": ("3", "venue", {"taker_ns": 3_000_000}),
    "requests_per_min": (120, "venue", {"requests_per_min": 120}),
    "reads_per_min": (9000, "tier", {"reads_per_min": 9000}),
    "max_open_orders": (3, "venue", {"max_open_orders": 3}),
    "volume_quota": (777, "strategy", {"quota_start": 777}),
    "quota_per_quote": ("7", "strategy", {"quota_quanta": 7_000_000}),
}
MARKET: dict[str, tuple[object, str, dict[str, object]]] = {
    "symbol": ("XBT", "market", {"symbol": "XBT"}),
    "price_decimals": (3, "market", {"price_decimals": 3}),
    "size_decimals": (6, "market", {"size_decimals": 6}),
    "min_base_amount": ("0.0004", "venue", {"min_qty": {"0": 4, "1": 40}}),
    "min_quote_amount": ("11", "venue", {"min_notional": 11_000_000}),
}


def tree(key: str, value: object) -> dict[str, Any]:
    """Return {"a": {"b": value}} for "a.b"."""
    for part in reversed(key.split(".")):
        value = {part: value}
    assert isinstance(value, dict)
    return value


def merged(*trees: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for one in trees:
        for key, value in one.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def context(key: str) -> tuple[int, dict[str, Any]]:
    """Return the market, and the flags, under which a key of a tier or market is in use."""
    tier = tree("execution.tier", key.split(".")[2]) if key.startswith("venue.tiers.") else {}
    market = int(key.split(".")[1]) if key.startswith("markets.") else 1
    if key.startswith(INVENTORY):
        tier = tree("strategy.name", "inventory")
    if key == INVENTORY + "grid_orders":
        tier = merged(tier, tree(INVENTORY + "model", "grid"))  # the only model that has several
    if key == "risk.rate_limit_orders_per_sec":
        tier = tree("execution.tier", "plus")  # standard allows less than any value of this key
    return market, tier


def use(settings: Settings, market: int) -> dict[str, Any]:
    """Return all that the core gets, which is when decimals meet the market's ticks."""
    return {
        "limits": settings.limits(market),
        "strategy": settings.strategy_params(market),
        "venue": settings.venue_params(market),
        "lighter": settings.lighter_pace(),
        "get": config.effective(settings),
        "portfolio": {"limit": settings.portfolio_limit([market])},
        "speed": {"ppm": settings.speed_ppm()},
        "tier": dict(settings.tier),
        "market": dict(settings.market(market)),
        "secret": {"": settings.monitoring.alert_webhook_url.get_secret_value()},
    }


def arriving(key: str) -> tuple[object, str, dict[str, object]]:
    if key.startswith("venue.tiers."):
        return TIER[key.split(".")[3]]
    return MARKET[key.split(".")[2]] if key.startswith("markets.") else ARRIVES[key]


@pytest.mark.parametrize("key", [k for k in DEFAULTS if k != "strategy.name"])
def test_every_key_arrives(key: str) -> None:
    good, where, fields = arriving(key)
    market, flags = context(key)
    if key.startswith("markets.") and key.endswith("_decimals"):
        flags = tree("feed.source", "huginn")  # another scale than Lighter's
    before = use(config.load(flags=flags, environ={}), market)[where]
    settings = config.load(flags=merged(flags, tree(key, good)), environ={})
    after = use(settings, market)[where]
    for field, expected in fields.items():
        if isinstance(expected, dict):
            expected = expected[str(market)]
        assert after[field] == expected
        if key != "execution.mode":  # its synonym arrives as what it means
            assert before[field] != expected
    name = "BOG_" + key.upper().replace(".", "__")
    by_variable = config.load(flags=flags, environ={name: str(good).replace("True", "true")})
    assert use(by_variable, market)[where] == after
    assert by_variable.origins[key] == f"variable {name}"


BAD: dict[str, object] = {
    "list": ["1"],
    "lists": [["1"], ["2"]],
    "date": date(2026, 1, 1),
    "table": {"x": 1},
    "nothing": None,
    "bool": True,
    "nan": Decimal("NaN"),
    "inf": Decimal("Infinity"),
    "-inf": Decimal("-Infinity"),
    "nan text": "nan",
    "inf text": "inf",
    "empty": "",
    "word": "wörd",
    "control": "a\x1b[2Jb\nc",
    "negative": -1,
    "zero": 0,
    "huge": Decimal("1E+30"),
    "float": 0.5,
    "off step": Decimal("0.123456789012"),
    "long": Decimal("0.05000000000000000000000000000000000001"),
}
TEXTS = {
    "feed.directory", "journal.directory", "monitoring.log_file", "monitoring.alert_file",
    LIGHTER + "metadata_directory",
    "live.arm_directory",
}  # fmt: skip
CREDENTIALS = {f"live.{name}_credential" for name in ("quoting", "taking", "guardian")} | {
    "monitoring.slack_credential", "monitoring.pagerduty_credential",
    "monitoring.bus.server_credential",
}  # fmt: skip
ALERTS = "monitoring.alerts."
THRESHOLDS = {ALERTS + key for key in keys.Alerts.model_fields if key != "latency_threshold_ns"}
# what of the table above is a good value of a key, and why it is
LEGITIMATE: dict[str, set[str]] = {
    "bool": {
        INVENTORY + "calibrate", "host.awake", "host.strict", "execution.dry_run", "venue.through_full",
        "venue.shrink_keeps_place", "monitoring.prometheus_required",
    },
    "nan text": {*TEXTS, *CREDENTIALS, "live.gateway", "markets.0.symbol", "markets.1.symbol"},
    "inf text": {*TEXTS, *CREDENTIALS, "live.gateway", "markets.0.symbol", "markets.1.symbol"},
    "word": TEXTS,
    "empty": {  # none wanted
        "monitoring.log_file", "monitoring.alert_webhook_url", INVENTORY + "microprice",
        *CREDENTIALS, "monitoring.bus.endpoint", "monitoring.bus.clients",
    },
    "negative": {
        "*.maker_fee_ppm", "*.taker_fee_ppm",  # a rebate
        INVENTORY + "imbalance_ticks",  # away from the heavier side
        "live.account_index",  # none
    },
    "zero": {
        "monitoring.prometheus_port",  # no metrics
        "live.account_index",  # the venue's first account
        "risk.rate_limit_reserve",  # nothing kept back
        "breaker.warm_up_ms",  # the good books alone
        SPREAD + "min_spread_bps", SPREAD + "skew_bps", SPREAD + "edge_bps",  # rule not wanted
        SPREAD + "requote_ticks", SPREAD + "order_life_sec",  # 0 has its own meaning
        SPREAD + "min_interval_ms", SPREAD + "expiry_margin_sec", SPREAD + "quota_reserve",
        *(INVENTORY + key for key in (
            "min_spread_bps", "edge_bps", "requote_ticks", "order_life_sec", "min_interval_ms",
            "expiry_margin_sec", "quota_reserve", "imbalance_ticks")),
        "*.volume_quota",  # the tier has none
        "*.reads_per_min",  # they count among the requests
        "live.poll_us",  # spin
        "venue.net_latency_ms", "venue.response_latency_ms", "venue.reconcile_window_ms",
        "*.maker_delay_ms", "*.cancel_amend_delay_ms", "*.taker_delay_ms",
        "*.maker_fee_ppm", "*.taker_fee_ppm", "feed.seed",
    },
    # used as decimals, never as steps
    "off step": {"monitoring.metrics_interval_sec", *THRESHOLDS,
                 LIGHTER + "metadata_interval_sec", LIGHTER + "metadata_timeout_sec"},
    "long": {"monitoring.metrics_interval_sec", *THRESHOLDS, LIGHTER + "metadata_interval_sec"},
}  # fmt: skip


def is_legitimate(bad: str, key: str) -> bool:
    allowed = LEGITIMATE.get(bad, set())
    return key in allowed or (
        key.startswith("venue.tiers.") and f"*.{key.split('.')[3]}" in allowed
    )


@pytest.mark.parametrize("key", DEFAULTS)
def test_every_bad_value_of_every_key_is_refused_in_one_line(key: str) -> None:
    market, flags = context(key)
    for name, value in BAD.items():
        wanted = merged(flags, tree(key, value))
        if is_legitimate(name, key):
            use(config.load(flags=wanted, environ={}), market)
            continue
        with pytest.raises(ConfigError) as refused:
            use(config.load(flags=wanted, environ={}), market)
        line = str(refused.value)
        assert line.startswith(key), (name, line)
        assert line.isprintable(), (name, line)
        assert "want" in line or "unknown key" in line, (name, line)
        assert "(flag)" in line, (name, line)
        if "webhook" in key:
            assert config.MASK in line
        elif isinstance(value, int | float | Decimal) and value is not True:
            assert str(value)[:50] in line, (name, line)


@pytest.mark.parametrize(
    ("preset", "rate", "burst", "reserve"),
    [("conservative", 600, 20, 5), ("standard", 6000, 200, 50), ("aggressive", 46_000, 2000, 500)],
)
def test_a_preset_of_the_rate_limiter_is_cut_by_the_tier_alone(
    preset: str, rate: int, burst: int, reserve: int
) -> None:
    flags = merged(tree("risk.rate_limit_preset", preset), tree("execution.tier", "premium_500k"))
    limits = config.load(flags=flags, environ={}).limits(1)
    assert (limits["rate_per_min"], limits["rate_burst"], limits["rate_reserve"]) == (
        rate, burst, reserve,
    )  # fmt: skip
    small = config.load(flags=tree("risk.rate_limit_preset", preset), environ={}).limits(1)
    assert small["rate_per_min"] + small["rate_burst"] <= 60
    assert small["rate_reserve"] < small["rate_burst"]


def test_a_preset_and_a_rate_of_ones_own_contradict_each_other() -> None:
    flags = {"risk": {"rate_limit_preset": "standard", "rate_limit_burst": 30}}
    with pytest.raises(ConfigError, match=r"rate_limit_burst = 30.*want it unset, or .*'custom'"):
        config.load(flags=flags, environ={})


def test_every_key_has_one_line_with_its_meaning() -> None:
    table = ""
    seen: dict[str, str] = {}
    for line in (config.FOLDER / "default.toml").read_text().splitlines():
        if line.startswith("["):
            table = line.split("]")[0][1:] + "."
        elif line and not line.startswith("#"):
            key = table + line.split("=")[0].strip()
            assert key not in seen
            seen[key] = line
    assert seen.keys() == DEFAULTS.keys()
    # a tier and a market explain their keys once
    explained = [k for k in seen if not k.startswith(("venue.tiers.", "markets.", "strategy.name"))]
    assert [k for k in explained if "#" not in seen[k]] == []


def test_flags_beat_variables_beat_the_file_beat_the_default(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[risk]\nmax_position = 0.09\nmax_short = 0.09\ncollar = 0.04\n")
    variables = {"BOG_RISK__MAX_SHORT": "0.08", "BOG_RISK__COLLAR": "0.03", "PATH": "/bin"}
    settings = config.load(str(file), {"risk": {"collar": "0.02"}}, variables)
    limits = settings.limits(1)
    assert (limits["max_long"], limits["max_short"]) == (9000, 8000)
    assert (limits["collar_ppm"], limits["max_order"]) == (20_000, 5000)
    origins = [settings.origins["risk." + k] for k in ("max_order_size", "max_position", "collar")]
    assert origins == ["default.toml", "mine.toml", "flag"]
    assert settings.origins["risk.max_short"] == "variable BOG_RISK__MAX_SHORT"


@pytest.mark.parametrize("name", [None, "development", "production", "binance"])
def test_every_file_that_ships_loads_for_bitcoin(name: str | None) -> None:
    source = {"feed": {"source": "replay:x"}}
    assert use(config.load(name, source, environ={}), 1)["strategy"]["order_qty"] > 0


def test_ether_trades_with_the_defaults_too() -> None:
    assert use(config.load(environ={}), 0)["strategy"]["order_qty"] == 100


def test_a_recording_of_another_scale_has_a_file() -> None:
    m = config.load("binance", {"feed": {"source": "replay:x"}}, {}).market(1)
    assert (m.price_decimals, m.size_decimals) == (1, 3)
    assert "want 6 decimals" in refusal({}, name="binance")  # the built-in market is Lighter's


GUIDE = """
[risk]
max_position = 1.0
max_short = 1.0
max_order_size = 0.5
min_order_size = 0.01
max_daily_loss = 5000.0
rate_limit_orders_per_sec = 10
rate_limit_burst = 20
[strategy.simple_spread]
spread_bps = 10
order_size = 0.1
min_spread_bps = 2
min_valid_price = 1.0
max_valid_price = 1000000.0
max_spread_bps = 50
min_size_threshold = 0.001
[monitoring]
prometheus_port = 9090
metrics_interval_sec = 1
alert_webhook_url = "https://hooks.slack.com/..."
log_file = "/var/log/bog/bog.log"
[monitoring.alerts]
spread_threshold_bps = 100
latency_threshold_ns = 1000
huginn_disconnect_threshold_sec = 5
daily_loss_alert_threshold = 500.0
[execution]
mode = "simulated"
dry_run = true
"""


def test_the_files_of_the_operations_guide_load_as_printed(tmp_path: Path) -> None:
    file = tmp_path / "production.toml"
    file.write_text(GUIDE)
    core = use(config.load(str(file), environ={}), 1)
    assert core["limits"]["max_long"] == 100_000
    assert core["strategy"]["half_ppm"] == 500
    # its order is not refused by a limit that the guide does not know
    worth = core["strategy"]["order_qty"] * 1_210_436
    assert worth < core["limits"]["max_notional"]
    assert worth < core["limits"]["max_exposure"]


def test_shipped_files_hold_only_keys_that_exist_and_live_limits_are_all_in_production() -> None:
    shipped = {p.stem: tomllib.loads(p.read_text()) for p in config.FOLDER.glob("*.toml")}
    assert set(shipped) == {"default", "development", "production", "binance", "rehearsal"}
    for one in shipped.values():
        assert {key for key, _ in config._leaves(one)} <= DEFAULTS.keys()
    assert shipped["production"]["risk"].keys() == keys.Risk.model_fields.keys()


def refusal(flags: dict[str, Any], **kw: Any) -> str:
    with pytest.raises(ConfigError) as refused:
        use(config.load(kw.pop("name", None), flags, kw.pop("environ", {})), kw.pop("market", 1))
    line = str(refused.value)
    assert line.isprintable()
    return line


ACCOUNT: dict[str, Any] = {
    "live": {
        "account_index": 17, "chain_id": 300, "rest_url": "https://v.test", "ws_url": "wss://v.test/s",
        "quoting_credential": "quoting", "quoting_index": 2, "guardian_credential": "guardian",
        "guardian_index": 4,
    },
}  # fmt: skip


def test_live_needs_every_limit_said() -> None:
    live: dict[str, Any] = {"execution": {"mode": "live"}}
    line = refusal(live)
    assert line.startswith("execution.mode = 'live' (flag)")
    assert all(f"risk.{key}" in line for key in keys.Risk.model_fields)
    go = merged(live, ACCOUNT)
    settings = config.load("production", go, {})
    assert settings.strategy_params(1)["own_in_book"] == 1
    for key in keys.Risk.model_fields:  # one limit that only the default names is enough to refuse
        file, _ = config._file_layer(config.FOLDER / "production.toml")
        del file["risk"][key]
        assert refusal(merged(file, go)).endswith(f"set risk.{key}")


def test_live_needs_the_account_said_and_two_keys() -> None:
    go = merged({"execution": {"mode": "live"}}, ACCOUNT)
    for key in config.LIVE_KEYS:
        name = key.removeprefix("live.")
        live = {k: v for k, v in ACCOUNT["live"].items() if k != name}
        line = refusal({"execution": {"mode": "live"}, "live": live}, name="production")
        assert line.endswith(f"live has no default account: set {key}"), line
    for flags, says in [
        ({"account_index": -1}, "live.account_index = -1 (flag): want the number of the account"),
        ({"guardian_credential": ""}, "live.guardian_credential = '' (flag): want the name"),
        ({"guardian_index": 2}, "live.quoting_index = 2 (flag): want another number for each key"),
        ({"ws_url": "wss://w.test/s"}, "live.ws_url = 'wss://w.test/s' (flag): want the host of"),
    ]:
        assert says in refusal(merged(go, {"live": flags}), name="production")
    # the third key counts only where there is one
    config.load("production", merged(go, {"live": {"taking_index": 2}}), {})
    both = merged(go, {"live": {"taking_index": 2, "taking_credential": "taking"}})
    assert "live.quoting_index = 2" in refusal(both, name="production")


@pytest.mark.parametrize("key", sorted(CREDENTIALS))
def test_a_key_itself_in_its_place_is_refused_and_never_shown(key: str) -> None:
    secret = "5d" * 40
    for value in (secret, "0x" + secret, "key=" + secret.upper()):
        line = refusal(tree(key, value))
        assert line.startswith(f"{key} = {config.MASK}") and "never the secret itself" in line
        assert "5d5d" not in line.lower()
    by_variable = {"BOG_" + key.upper().replace(".", "__"): secret}
    assert "5d5d" not in refusal({}, environ=by_variable)


GRID = merged(tree("strategy.name", "inventory"), tree(INVENTORY + "model", "grid"))


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"risk": {"min_order_size": "0.05"}}, "risk.min_order_size = 0.05 (flag): want less than"),
        ({"risk": {"min_price": "1000000"}}, "risk.min_price = 1000000 (flag): want less than"),
        ({"risk": {"rate_limit_reserve": 20}}, "want less than risk.rate_limit_burst, 20"),
        (tree(SPREAD + "min_spread_bps", "50"), "want less than " + SPREAD + "max_spread_bps, 50"),
        (tree(SPREAD + "min_valid_price", "2000000"), "max_valid_price, 1000000"),
        (tree(SPREAD + "order_size", "0.06"), "want from 0.00020 to 0.05000"),
        (tree(SPREAD + "order_size", "0.0001"), "want from 0.00020 to 0.05000"),
        (tree(SPREAD + "max_inventory_base", "0.2"), "want at most 0.10000, the position limit"),
        (tree(SPREAD + "expiry_margin_sec", "600"), "want less than"),
        (merged(tree(SPREAD + "quota_reserve", 1000), tree("execution.tier", "premium")),
         "want less than venue.tiers.premium.volume_quota, 1000"),
        (merged(tree("strategy.name", "inventory"), tree(INVENTORY + "max_inventory_base", "0.005")),
         "strategy.inventory.max_inventory_base = 0.005 (flag): want at least 0.01000, one order"),
        (tree(INVENTORY + "microprice", "1 2 3"), "want \"\", or 4 rows of 5 whole numbers"),
        (tree(INVENTORY + "model", "glfd"), "want 'as_infinite', 'as_tau', 'glft' or 'grid'"),
        (merged(GRID, tree(INVENTORY + "grid_orders", 3)),
         "grid_orders = 3 (flag): want at most 2: two sides within risk.max_open_orders"),
        (merged(GRID, tree(INVENTORY + "grid_orders", 8), tree("risk.max_open_orders", 16),
                tree("risk.rate_limit_burst", 16)),
         "grid_orders = 8 (flag): want at most 7: two sides within risk.rate_limit_burst"),
        (merged(GRID, tree(INVENTORY + "grid_orders", 9)), "want a whole number from 1 to 8"),
        (merged(tree("strategy.name", "inventory"), tree(INVENTORY + "order_size", "0.06")),
         "strategy.inventory.order_size = 0.06 (flag): want from 0.00020 to 0.05000"),
        (merged(tree("strategy.name", "inventory"), tree(INVENTORY + "min_spread_bps", "50")),
         "want less than " + INVENTORY + "max_spread_bps, 50"),
        (tree(SPREAD + "spread_bps", "0.03"), "want a multiple of 0.02"),
        (tree(SPREAD + "spread_bps", "0"), "want a number above 0"),
        ({"risk": {"max_order_size": "0.0001", "min_order_size": "0.00005"}}, "at least 0.00020"),
        ({"risk": {"max_price": "0.5"}}, "risk.max_price = 0.5 (flag): want more than"),
        ({"risk": {"min_price": "1.05"}}, "risk.min_price = 1.05 (flag): want a multiple of 0.1"),
        ({"execution": {"tier": "gold"}}, "want one of standard, plus, premium, premium_500k"),
        (tree("risk.max_positon", 1), "unknown key, did you mean risk.max_position?"),
        (tree("markets.01.symbol", "X"), "want a market id from 0 to 999999"),
        (tree("markets.1000000.symbol", "X"), "want a market id from 0 to 999999"),
        (tree("markets.3.symbol", "X"), "markets.3.price_decimals is missing"),
        (tree("markets.1.size_decimals", 4), "want 6 decimals of price and size together"),
        ({"feed": {"source": "replay:"}}, "want sim, huginn, lighter, replay:FILE or loop:FILE"),
        ({"risk": 5}, "risk = 5 (flag): want a table of keys"),
    ],
)  # fmt: skip
def test_keys_that_contradict_are_refused(flags: dict[str, Any], says: str) -> None:
    assert says in refusal(flags)


def test_money_that_overflows_the_core_is_refused() -> None:
    wide = {
        "markets": {"1": {"price_decimals": 8, "size_decimals": 8}},
        "feed": {"source": "huginn"},
    }
    assert "want at most 922" in refusal(merged(wide, {"risk": {"max_daily_loss": "1000"}}))


def test_a_market_without_a_table_is_refused() -> None:
    assert refusal({}, market=77) == "markets.77 is not configured: want one of 0, 1"


@pytest.mark.parametrize(
    ("variable", "says"),
    [
        ("BOG_MAX", "max = '1' (variable BOG_MAX): unknown key"),
        ("BOG_RISK__MAX_POSITON", "(variable BOG_RISK__MAX_POSITON): unknown key, did you mean"),
        ("BOG_RISK", "risk = '1' (variable BOG_RISK): want a table of keys"),
        ("BOG_", "(variable BOG_): unknown key"),
        ("BOG_RISK__", "(variable BOG_RISK__): unknown key"),
        ("BOG_RISK__MAX_POSITION__X", "want a number above 0"),
    ],
)
def test_misspelt_variables_are_refused(variable: str, says: str) -> None:
    assert says in refusal({}, environ={variable: "1"})


def test_variables_of_the_build_are_not_configuration() -> None:
    config.load(environ=dict.fromkeys(config.BUILD_VARIABLES, "x"))


def test_two_variables_for_one_key_are_refused() -> None:
    assert "contradicts" in refusal({}, environ={"BOG_RISK": "1", "BOG_RISK__COLLAR": "1"})


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal({}, name="nosuch")
    assert "No such file" in refusal({}, name=str(tmp_path / "nosuch.toml"))
    broken = tmp_path / "broken.toml"
    broken.write_text("[risk]\nmax_position = = 1\n")
    assert "(at line 2, column 16)" in refusal({}, name=str(broken))
    broken.write_bytes(b"\xff\xfe")
    assert "is not TOML" in refusal({}, name=str(broken))
    broken.write_text("[risk]\ncollar = 0.1\ncollar = 0.2\n")
    assert "is not TOML" in refusal({}, name=str(broken))


def test_fractions_in_a_file_stay_exact(tmp_path: Path) -> None:
    file = tmp_path / "exact.toml"
    file.write_text("[risk]\nbalance = 12345678901.123456\n[monitoring]\n")
    assert config.load(str(file), environ={}).limits(1)["balance"] == 12_345_678_901_123_456


def test_show_is_a_file_that_loads_to_the_same(tmp_path: Path) -> None:
    settings = config.load("production", {"risk": {"collar": "0.020"}}, {})
    file = tmp_path / "shown.toml"
    file.write_text(config.show(settings))
    again = config.load(str(file), environ={})
    assert config.config_hash(again) == config.config_hash(settings)
    assert config.effective(again) == config.effective(settings)
    lines = config.show(settings).splitlines()
    assert len(lines) == len(DEFAULTS)
    assert next(x for x in lines if x.startswith("risk.collar =")).split() == [
        "risk.collar", "=", "0.02", "#", "flag"]  # fmt: skip


def test_the_hash_follows_the_values_and_not_their_spelling() -> None:
    def digest(**risk: str) -> str:
        return config.config_hash(config.load(flags={"risk": risk}, environ={}))

    assert digest(max_daily_loss="500.00") == digest() == digest(max_daily_loss="5e2")
    assert digest(max_daily_loss="500.01") != digest()
    assert len(digest()) == 64


def test_a_secret_is_shown_nowhere() -> None:
    canary = "https://hooks.test/CANARY"
    settings = config.load(environ={"BOG_MONITORING__ALERT_WEBHOOK_URL": canary})
    plain = config.load(environ={})
    for text in (
        config.show(settings),
        repr(settings),
        str(settings),
        str(config.effective(settings)),
    ):
        assert "CANARY" not in text
    assert config.MASK in config.show(settings)
    assert config.config_hash(settings) == config.config_hash(plain)
    for value in ("ftp://CANARY", "http://example.test/CANARY", ["CANARY"], "https://a\nCANARY"):
        line = refusal({"monitoring": {"alert_webhook_url": value}})
        assert "CANARY" not in line
    assert "CANARY" not in refusal({"monitoring": {"alert_webhook_ur": canary}})


def test_a_webhook_on_this_host_may_be_plain_http() -> None:
    for url in ("http://127.0.0.1:9/x", "http://localhost/x", "https://hooks.test/x", ""):
        config.load(flags={"monitoring": {"alert_webhook_url": url}}, environ={})


def test_the_tier_table_is_the_one_of_the_protocol_document() -> None:
    # maker, taker ppm; maker, cancel, taker ms; requests a minute; open orders of a market
    table = {
        "standard": (0, 0, 0, 300, 300, 60, 30),
        "plus": (50, 50, 200, 200, 300, 4000, 250),
        "premium": (40, 280, 0, 0, 140, 4000, 1000),
        "premium_500k": (28, 196, 0, 0, 140, 48000, 1000),
    }
    for tier, numbers in table.items():
        v = config.load(flags={"execution": {"tier": tier}}, environ={}).venue_params(1)
        ms = [v[f] // 1_000_000 for f in ("maker_ns", "cancel_ns", "taker_ns")]
        found = (v["maker_ppm"], v["taker_ppm"], *ms, v["requests_per_min"], v["max_open_orders"])
        assert found == numbers
        assert v["amend_ns"] == v["cancel_ns"]


def test_as_fast_as_possible_is_speed_zero() -> None:
    assert config.load(flags={"feed": {"speed": "max"}}, environ={}).speed_ppm() == 0
    assert config.load(flags={"feed": {"speed": "0.5"}}, environ={}).speed_ppm() == 500_000


def test_the_slower_of_tier_and_limit_holds() -> None:
    assert config.load(environ={}).limits(1)["rate_per_min"] == 40
    premium = {"execution": {"tier": "premium"}, "risk": {"max_open_orders": 30}}
    limits = config.load(flags=premium, environ={}).limits(1)
    assert (limits["rate_per_min"], limits["max_open_orders"]) == (600, 30)


def fields(struct: str) -> set[str]:
    """Return the field names of a struct of types.h."""
    text = (Path(config.__file__).parent / "_core" / "types.h").read_text()
    body = text.split(f"typedef struct {struct} {{")[1].split("}")[0]
    body = re.sub(r"\[[^\]]*\]", "", body)  # an array is named by its name
    names = {line.split(";")[0].split()[-1] for line in body.splitlines() if ";" in line}
    return names - {"pad"}


@pytest.mark.parametrize(
    ("which", "struct"),
    [("limits", "bog_limits"), ("strategy", "bog_strategy_params"), ("venue", "bog_venue_params")],
)
def test_the_core_gets_every_field_of_its_struct(which: str, struct: str) -> None:
    given = use(config.load(environ={}), 1)[which]
    assert given.keys() == fields(struct)
    for value in given.values():
        assert all(type(one) is int for one in (value if isinstance(value, list) else [value]))


@pytest.mark.parametrize(
    ("endpoint", "read"),
    [
        ("ipc", "ipc"), ("tcp://127.0.0.1:9101", "tcp://127.0.0.1:9101"),
        ("tcp://[::0001]:09101", "tcp://[::1]:9101"),
    ],
)  # fmt: skip
def test_the_bus_listens_at_an_address(endpoint: str, read: str) -> None:
    bus = {"endpoint": endpoint, "server_credential": "/k/bus", "clients": BUS_KEY}
    settings = config.load(flags={"monitoring": {"bus": bus}}, environ={})
    assert settings.monitoring.bus.endpoint == read


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp://*:9101", "tcp://localhost:9101", "tcp://127.0.0.1", "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:65536", "tcp://::1:9101", "tcp://[127.0.0.1:9101", "tcp://1.2.3:9101",
        "tcp://[1.2.3]:9101", "ipc:///run/bus", "udp://127.0.0.1:9101", "tcp://127.0.0.1:9101/x",
    ],
)  # fmt: skip
def test_the_bus_listens_at_nothing_else(endpoint: str) -> None:
    line = refusal({"monitoring": {"bus": {"endpoint": endpoint}}})
    assert line.startswith("monitoring.bus.endpoint") and "want " in line


@pytest.mark.parametrize("missing", ["server_credential", "clients"])
def test_the_bus_is_never_on_a_network_without_keys(missing: str) -> None:
    bus = {"endpoint": "tcp://127.0.0.1:9101", "server_credential": "/k/bus", "clients": BUS_KEY}
    line = refusal({"monitoring": {"bus": bus | {missing: ""}}})
    assert line.startswith("monitoring.bus.endpoint") and f"monitoring.bus.{missing}" in line


def test_a_bus_key_in_the_place_of_its_file_is_refused_and_not_shown() -> None:
    line = refusal({"monitoring": {"bus": {"server_credential": BUS_KEY}}})
    assert "never the key itself" in line and config.MASK in line
    assert BUS_KEY[:10] not in line
