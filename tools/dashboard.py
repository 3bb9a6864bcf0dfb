"""Writes monitoring/dashboards/orderbook_dashboard.json: `python tools/dashboard.py`.

PANELS is what there is to see, a row a panel. In an expression `@` is the selector of the chosen bots and
markets, `&` the same within braces that say more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

FILE = Path(__file__).resolve().parents[1] / "monitoring/dashboards/orderbook_dashboard.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
CHOSEN = 'instance=~"$instance",market=~"$market"'
WIDTH, HEIGHT, COLUMNS = 8, 8, 24

Json = dict[str, Any]
NONE: Mapping[str, Any] = MappingProxyType({})


class Query(NamedTuple):
    """An expression, and the name of its series."""

    expr: str
    legend: str


class Panel(NamedTuple):
    """One panel. `more` is what its field configuration says besides the unit."""

    title: str
    kind: str
    says: str
    unit: str
    queries: list[Query]
    more: Mapping[str, Any] = NONE
    overrides: Sequence[Json] = ()
    options: Mapping[str, Any] = NONE
    transformations: Sequence[Json] = ()


def by_name(name: str, **properties: Any) -> Json:
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [
            {"id": key.replace("__", "."), "value": value} for key, value in properties.items()
        ],
    }


def line(name: str, color: str) -> Json:
    """A threshold: drawn as a dashed line."""
    return by_name(
        name,
        color={"mode": "fixed", "fixedColor": color},
        custom__lineStyle={"fill": "dash", "dash": [10, 10]},
    )


def states(*names: tuple[str, str]) -> Json:
    """A number that means a word, in a color."""
    return {
        "mappings": [{
            "type": "value",
            "options": {
                str(value): {"text": text, "color": color, "index": value}
                for value, (text, color) in enumerate(names)
            },
        }],
        "color": {"mode": "thresholds"},
    }  # fmt: skip


def steps(*colors: tuple[float | None, str]) -> Json:
    return {
        "mode": "absolute",
        "steps": [{"value": value, "color": color} for value, color in colors],
    }


def p99(metric: str) -> str:
    return f"histogram_quantile(0.99, sum by (instance, market, le) (rate({metric}_bucket@[5m])))"


def listed(metric: str, *more: str) -> list[Query]:
    """Price, size and age of what stands in slots; without the name, so that they make one row."""
    of = "instance, market, slot"
    parts = (("price_quote", ", ".join((of, *more))), ("size_base", of), ("age_seconds", of))
    return [Query(f"sum by ({by}) (bog_trading_{metric}_{part}@)", "") for part, by in parts]


ONE_TABLE: list[Json] = [
    {"id": "merge", "options": {}},
    {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True, "instance": True},
            "renameByName": {"Value #A": "price", "Value #B": "size", "Value #C": "age, s"},
        },
    },
]


PANELS = [
    Panel("Spread", "timeseries",
          "Best ask less best bid. The orange line is an alert, the red one the guide's 100 bps.",
          "none",
          [Query("bog_orderbook_spread_bps@", "spread {{market}}"),
           Query("max(bog_orderbook_spread_warning_bps@)", "warning"),
           Query("max(bog_orderbook_spread_threshold_bps@)", "threshold")],
          {"custom": {"axisLabel": "bps"}}, [line("warning", "orange"), line("threshold", "red")]),
    Panel("Position and PnL", "timeseries",
          "Position on the right. Profit of the UTC day with fees and funding; the red line alerts.",
          "none",
          [Query("bog_risk_position_base@", "position {{market}}"),
           Query("bog_risk_daily_pnl_quote@", "today {{market}}"),
           Query("bog_risk_realized_pnl_quote@", "realized {{market}}"),
           Query("bog_risk_unrealized_pnl_quote@", "unrealized {{market}}"),
           Query("-max(bog_risk_daily_loss_threshold_quote@)", "loss that alerts")],
          {"custom": {"axisLabel": "quote"}},
          [{"matcher": {"id": "byRegexp", "options": "/^position/"},
            "properties": [{"id": "custom.axisPlacement", "value": "right"},
                           {"id": "custom.axisLabel", "value": "base"}]},
           line("loss that alerts", "red")]),
    Panel("Order status", "piechart", "Orders that may still fill, by where they are.", "none",
          [Query("sum by (status) (bog_trading_orders_by_status@)", "{{status}}")]),
    Panel("Tick-to-trade", "timeseries",
          "A book message taken up to commands with the executor, within five minutes.", "ns",
          [Query("bog:tick_to_trade_ns:p50_5m@", "p50 {{market}}"),
           Query("bog:tick_to_trade_ns:p95_5m@", "p95 {{market}}"),
           Query("bog:tick_to_trade_ns:p99_5m@", "p99 {{market}}"),
           Query("max(bog_performance_tick_to_trade_threshold_ns@)", "threshold")],
          {"custom": {"scaleDistribution": {"type": "log", "log": 10}}}, [line("threshold", "red")]),
    Panel("Tick-to-trade, histogram", "heatmap", "How many took how long.", "ns",
          [Query("sum by (le) (rate(bog_performance_tick_to_trade_latency_ns_bucket@[$__rate_interval]))",
                 "{{le}}")],
          options={"calculate": False, "yAxis": {"unit": "ns", "axisPlacement": "left"},
                   "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "fill": "orange",
                             "exponent": 0.5, "reverse": False},
                   "cellGap": 1, "legend": {"show": True},
                   "tooltip": {"mode": "single", "yHistogram": False}}),
    Panel("Fills and rejections", "gauge",
          "Of the size created in half an hour, what was filled; of the orders, what the venue refused.",
          "percentunit",
          [Query("bog:fill_rate:ratio_30m@", "filled {{market}}"),
           Query("bog:fill_rate:wanted@", "wanted {{market}}"),
           Query("bog:rejection_rate:ratio_30m@", "rejected {{market}}")],
          {"min": 0, "max": 1}),
    Panel("Imbalance", "timeseries", "Bid less ask of the sizes at the touch, of both.", "percent",
          [Query("bog_orderbook_imbalance@", "{{market}}")], {"min": -100, "max": 100}),
    Panel("Active orders", "table", "Oldest first.", "none",
          listed("active_order", "side", "state"), transformations=ONE_TABLE),
    Panel("Recent fills", "table", "Newest first.", "none",
          listed("recent_fill", "side", "reason"), transformations=ONE_TABLE),
    Panel("Circuit breaker", "stat", "A halt stands until an operator clears it.", "none",
          [Query("bog_risk_circuit_breaker_state@", "market {{market}}"),
           Query("bog_risk_run_level@", "level {{market}}")],
          {**states(("Normal", "green"), ("HALTED", "red")),
           "thresholds": steps((None, "green"), (1, "red"))},
          [{"matcher": {"id": "byRegexp", "options": "/^level/"}, "properties": [
              {"id": "mappings", "value": states(
                  ("RUN", "green"), ("PAUSED", "yellow"), ("DRAIN", "orange"), ("KILLED", "red")
              )["mappings"]}]}]),
    Panel("Rate limiter", "timeseries", "Requests let go and held back a second; the share on the right.",
          "reqps",
          [Query("rate(bog_risk_rate_limit_allowed_total@[$__rate_interval])", "let go {{market}}"),
           Query("rate(bog_risk_rate_limit_rejected_total@[$__rate_interval])", "held back {{market}}"),
           Query("bog:rate_limit_rejections:ratio_5m@", "share {{market}}"),
           Query("max(bog_risk_rate_limit_rejections_threshold@)", "share that alerts")],
          overrides=[{"matcher": {"id": "byRegexp", "options": "/^share/"}, "properties": [
              {"id": "custom.axisPlacement", "value": "right"}, {"id": "unit", "value": "percentunit"}]},
              line("share that alerts", "orange")]),
    Panel("Huginn", "stat", "Whether the engine turns and its feed lives, and how long it was silent.",
          "none",
          [Query("bog_system_huginn_connected@", "market {{market}}"),
           Query("bog_system_huginn_silent_seconds@", "silent {{market}}")],
          {**states(("LOST", "red"), ("connected", "green")),
           "thresholds": steps((None, "red"), (1, "green"))},
          [{"matcher": {"id": "byRegexp", "options": "/^silent/"}, "properties": [
              {"id": "mappings", "value": []}, {"id": "unit", "value": "s"},
              {"id": "thresholds", "value": steps((None, "green"), (1, "red"))}]}]),
    Panel("Feed", "timeseries", "Rows a second, and places where rows were lost.", "none",
          [Query("rate(bog_system_huginn_messages_total@[$__rate_interval])", "rows/s {{market}}"),
           Query("bog:sequence_gaps:increase_5m@", "gaps in 5 min {{market}}")]),
    Panel("Age of the quotes", "timeseries", "Since the oldest order of a side was sent.", "s",
          [Query("bog_trading_order_age_seconds@", "{{side}} {{market}}")]),
    Panel("Markouts", "timeseries",
          "What fills were worth so long after them, summed: below 0 we were run over.",
          "none",
          [Query("sum by (instance, market, horizon) (bog_trading_markout_quote@)",
                 "{{horizon}} {{market}}")], {"custom": {"axisLabel": "quote"}}),
    Panel("Reconciliation and guardian", "stat",
          "Live only: on paper there is no venue to differ from and no gateway.", "none",
          [Query("bog_risk_reconciliation_differences@", "differences {{market}}"),
           Query("bog_system_guardian_beat_age_seconds@", "gateway silent, s {{market}}")],
          {"thresholds": steps((None, "green"), (1, "red")), "color": {"mode": "thresholds"},
           "decimals": 0}),
    Panel("Volume quota", "timeseries", "Creates and amends left, where the tier has a quota.", "none",
          [Query("bog_risk_quota_left@", "left {{market}}"),
           Query("bog_performance_orders_per_second@", "asked/s {{market}}")]),
    Panel("Nonce and quota budget", "timeseries",
          "Live only. Transactions of a key that the venue may still execute, numbers refused and skipped"
          " within five minutes; on the right the share left of a minute's requests and the quota that the"
          " venue says.", "none",
          [Query("bog_risk_nonces_waiting@", "waiting {{key}} {{market}}"),
           Query("increase(bog_risk_nonce_refusals_total@[5m])", "refused {{key}} {{market}}"),
           Query("increase(bog_risk_nonce_gaps_total@[5m])", "skipped {{key}} {{market}}"),
           Query("bog_risk_nonce_synced@ == 0", "asks for its nonce: {{key}} {{market}}"),
           Query("bog_risk_venue_budget_left@ / bog_risk_venue_budget_limit@",
                 "share of {{of}} {{market}}"),
           Query("bog_risk_venue_quota_left@", "quota {{market}}")],
          overrides=[{"matcher": {"id": "byRegexp", "options": "/^share/"}, "properties": [
              {"id": "custom.axisPlacement", "value": "right"}, {"id": "unit", "value": "percentunit"},
              {"id": "min", "value": 0}, {"id": "max", "value": 1}]},
              {"matcher": {"id": "byRegexp", "options": "/^quota/"}, "properties": [
                  {"id": "custom.axisPlacement", "value": "right"}]}]),
    Panel("Stages of a turn, p99", "timeseries", "Sampled, within five minutes.", "ns",
          [Query(p99("bog_performance_huginn_read_latency_ns"), "read {{market}}"),
           Query(p99("bog_performance_orderbook_sync_latency_ns"), "book {{market}}"),
           Query(p99("bog_performance_strategy_latency_ns"), "strategy {{market}}"),
           Query(p99("bog_performance_risk_validation_latency_ns"), "gate {{market}}"),
           Query(p99("bog_performance_execution_latency_ns"), "execution {{market}}"),
           Query(p99("bog_performance_book_turn_latency_ns"), "whole turn {{market}}")],
          {"custom": {"scaleDistribution": {"type": "log", "log": 10}}}),
    Panel("Refusals", "timeseries", "By our own gate, and by the venue, within five minutes.", "none",
          [Query("increase(bog_risk_violations_total@[5m]) > 0", "{{type}} {{market}}"),
           Query("increase(bog_trading_rejections_total@[5m]) > 0", "{{reason}} {{market}}"),
           Query("sum by (instance, market) (increase(bog_system_errors_total@[5m]))",
                 "errors {{market}}")]),
]  # fmt: skip

LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
TOOLTIP = {"mode": "multi", "sort": "none"}
LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}
OPTIONS: dict[str, Json] = {
    "timeseries": {"legend": LEGEND, "tooltip": TOOLTIP},
    "piechart": {
        "pieType": "donut", "displayLabels": ["name", "value"], "reduceOptions": LAST,
        "legend": LEGEND | {"values": ["value"]}, "tooltip": TOOLTIP, "orientation": "auto",
    },
    "gauge": {
        "reduceOptions": LAST, "orientation": "auto", "showThresholdLabels": False,
        "showThresholdMarkers": True, "sizing": "auto",
    },
    "table": {"showHeader": True, "cellHeight": "sm", "frameIndex": 0},
    "stat": {
        "reduceOptions": LAST, "orientation": "auto", "textMode": "auto", "colorMode": "background",
        "graphMode": "none", "justifyMode": "auto", "wideLayout": True,
    },
    "heatmap": {},
}  # fmt: skip


def chosen(expr: str) -> str:
    return expr.replace("@", "{" + CHOSEN + "}").replace("&", CHOSEN)


def panel(n: int, said: Panel) -> Json:
    """Return the JSON of the n-th panel."""
    across = COLUMNS // WIDTH
    table = said.kind == "table"
    custom = said.more.get("custom", {})
    if said.kind == "timeseries":
        custom = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 0,
            "showPoints": "never",
            **custom,
        }
    return {
        "id": n + 1,
        "type": said.kind,
        "title": said.title,
        "description": said.says,
        "datasource": SOURCE,
        "gridPos": {
            "x": n % across * WIDTH, "y": n // across * HEIGHT, "w": WIDTH, "h": HEIGHT,
        },
        "targets": [
            {
                "refId": chr(ord("A") + i),
                "datasource": SOURCE,
                "expr": chosen(query.expr),
                **({"legendFormat": query.legend} if query.legend else {}),
                **({"instant": True, "format": "table"} if table
                   else {"format": "heatmap"} if said.kind == "heatmap" else {}),
            }
            for i, query in enumerate(said.queries)
        ],
        "fieldConfig": {
            "defaults": {"unit": said.unit, **said.more, **({"custom": custom} if custom else {})},
            "overrides": list(said.overrides),
        },
        "options": OPTIONS[said.kind] | dict(said.options),
        "transformations": list(said.transformations),
    }  # fmt: skip


def variable(name: str, asked: str) -> Json:
    return {
        "name": name, "type": "query", "datasource": SOURCE, "label": name, "hide": 0,
        "query": {"query": asked, "refId": name}, "refresh": 2, "includeAll": True, "multi": True,
        "sort": 1, "current": {"text": "All", "value": "$__all"}, "allValue": ".*",
    }  # fmt: skip


def dashboard() -> Json:
    """Return the whole dashboard."""
    return {
        "uid": "bog-orderbook",
        "title": "bog: order book and trading",
        "description": "What each alert means: monitoring/runbook.md.",
        "tags": ["bog"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "utc",
        "refresh": "5s",
        "time": {"from": "now-30m", "to": "now"},
        "links": [],
        "annotations": {"list": []},
        "templating": {
            "list": [
                {
                    "name": "datasource", "type": "datasource", "query": "prometheus", "hide": 0,
                    "label": "Prometheus", "refresh": 1,
                },
                variable("instance", "label_values(bog_system_build_info, instance)"),
                variable("market", "label_values(bog_system_build_info, market)"),
            ]
        },
        "panels": [panel(n, said) for n, said in enumerate(PANELS)],
    }  # fmt: skip


def text() -> str:
    return json.dumps(dashboard(), indent=2) + "\n"


def main() -> None:
    """Write the file anew."""
    FILE.write_text(text())


if __name__ == "__main__":
    main()
