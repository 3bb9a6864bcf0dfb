"""The metrics of a running bot: every name, and what of the stats page it shows when it is asked.

Nothing is counted here: a scrape reads the pages that the engine writes anyway. METRICS is the one
table of names; docs/metrics.md is made from it (tools/metrics.py). Every series of a market has the
label `market` beside those of the table. A name that promises a unit or an asset that the market may
not have stays as the operations guide spells it, and has a twin that is right everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder

from bog import facts, log, out
from bog._core.types import Halt, OrderState, Reject, Tif, Verdict
from bog.facts import Fill, Order
from bog.glance import Glance, Traded

FRESH_NS = 50_000_000
NS_OF = {"ns": 1, "us": 1000}
# of the buckets that StatsPage.histograms counts: whole ns below a power of two are at most one less
BOUNDS = {
    unit: [
        *(str((2**octave - 1) / ns if ns > 1 else 2**octave - 1) for octave in range(4, 35)),
        "+Inf",
    ]
    for unit, ns in NS_OF.items()
}
STATES = [state for state in OrderState if facts.is_alive(state)]

Labels = tuple[str, ...]
Sample = tuple[Labels, float]
Reader = Callable[[Glance], Iterable[tuple[Labels, Any]]]


class Metric(NamedTuple):
    """A row of the table. Labels are those beside `market`."""

    name: str
    kind: str  # counter, gauge or histogram
    labels: Labels
    unit: str
    meaning: str
    read: Reader


def _one(read: Callable[[Glance], float]) -> Reader:
    """Return a reader of the only series of a market."""
    return lambda glance: [((), read(glance))]


def _hist(name: str, labels: Callable[[Glance], Labels] = lambda _: ()) -> Reader:
    return lambda glance: [(labels(glance), glance.histograms[name])]


def _sides(read: Callable[[Glance, int], float]) -> Reader:
    return lambda glance: [((facts.side_name(side),), read(glance, side)) for side in (0, 1)]


def _orders(glance: Glance) -> Iterator[Sample]:
    for side in (0, 1):
        for tif in (Tif.TIF_POST_ONLY, Tif.TIF_GTT, Tif.TIF_IOC):
            name = tif.name.removeprefix("TIF_").lower()
            yield (facts.side_name(side), name), glance.page["creates"][side][tif]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _fill_ratio(glance: Glance) -> float:
    measure = glance.page["measure"]
    return _ratio(sum(measure["filled"]), sum(measure["sent"]))


def _position_btc(glance: Glance) -> Iterator[Sample]:
    if glance.about["symbol"].upper().startswith(("BTC", "XBT")):
        yield (), glance.base(glance.page["position"]["pos"])


def _utilization(glance: Glance) -> float:
    pos = glance.page["position"]["pos"]
    return _ratio(abs(pos), glance.limits["max_short" if pos < 0 else "max_long"])


def _sent(glance: Glance) -> int:
    page = glance.page
    return page["placed"] + page["amended"] + page["canceled"] + page["cancel_all"]


def _spread_bps(glance: Glance) -> float:
    bid, ask = glance.page["bid"], glance.page["ask"]
    return _ratio(20_000 * (ask - bid), ask + bid) if bid > 0 and ask > 0 else 0.0


def _imbalance(glance: Glance) -> float:
    bid, ask = glance.page["bid_qty"], glance.page["ask_qty"]
    return _ratio(bid - ask, bid + ask)


def _order_age(glance: Glance, side: int) -> float:
    sent = [o["sent_ns"] for o in glance.page["orders"] if o["side"] == side]
    return _age(glance, min(sent)) if sent else 0.0


def _markouts(glance: Glance) -> Iterator[Sample]:
    sums: dict[Labels, int] = {}
    for horizon_ns in (10**8, 10**9, 10**10, 6 * 10**10):
        for side in (0, 1):
            sums[f"{horizon_ns / 1e9:g}s", facts.side_name(side)] = 0
    for m in glance.page["measure"]["markouts"]:
        sums[f"{m['horizon_ns'] / 1e9:g}s", facts.side_name(m["side"])] += m["value"]
    return ((labels, glance.half_money(value)) for labels, value in sums.items())


def _errors(glance: Glance) -> list[Sample]:
    page = glance.page
    return [
        (("feed", "warning"), page["invalid"] + page["crossed"]),
        (("orders", "error"), page["unknown"]),
        (("orders", "critical"), page["violations"]),
        (("journal", "warning"), page["journal_waits"]),
        (("log", "warning"), log.dropped()),
        (("terminal", "warning"), out.dropped()),
    ]


def _overflows(glance: Glance) -> list[Sample]:
    page = glance.page
    return [
        (("notional",), page["denied"][Verdict.DENY_OVERFLOW]),
        (("feed_ring",), page["laps"]),
        (("journal_ring",), page["journal_waits"]),
    ]


def _quantiles(glance: Glance) -> list[Sample]:
    found = glance.histograms["order_turn"]
    return [
        ((said,), found[key])
        for said, key in (("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99"), ("0.999", "p999"))
    ]


def _threshold(key: str) -> Reader:
    """Return a reader of a key of [monitoring.alerts]."""
    return lambda glance: [((), glance.alerts[key])] if key in glance.alerts else []


def _resting(read: Callable[[Glance, Order], float], named: bool = False) -> Reader:
    """Return a reader of our orders, oldest first; `named` gives side and state, too."""

    def series(glance: Glance) -> Iterator[Sample]:
        for slot, o in enumerate(sorted(glance.page["orders"], key=lambda o: o["id"]), 1):
            more = (facts.side_name(o["side"]), facts.order_state(o["state"])) if named else ()
            yield (str(slot), *more), read(glance, o)

    return series


def _filled(read: Callable[[Glance, Fill], float], named: bool = False) -> Reader:
    """Return a reader of the last fills, newest first; `named` gives side and reason, too."""

    def series(glance: Glance) -> Iterator[Sample]:
        for slot, f in enumerate(reversed(glance.page["recent_fills"]), 1):
            more = (facts.side_name(f["side"]), facts.fill_reason(f["reason"])) if named else ()
            yield (str(slot), *more), read(glance, f)

    return series


def _age(glance: Glance, since_ns: int) -> float:
    return max(0.0, (glance.page["now_ns"] - since_ns) / 1e9)


def _differences(glance: Glance) -> float:
    return glance.link.differences if glance.link is not None else 0


def _keys(name: str) -> Reader:
    """Return a reader of a field of LinkKey for both keys; nothing on paper."""

    def series(glance: Glance) -> Iterator[Sample]:
        for key in facts.KEYS if glance.link is not None else ():
            assert glance.link is not None
            yield (key,), getattr(glance.link.key(key), name)

    return series


def _budget(what: str) -> Reader:
    """Return a reader of what is `left`, or at `most` allowed, of sends and reads; nothing on paper."""

    def series(glance: Glance) -> Iterator[Sample]:
        if glance.link is not None:
            found = glance.link.budget
            for of in ("sends", "reads"):
                yield (of,), getattr(found, f"{of}_{what}")

    return series


def _quota(glance: Glance) -> list[Sample]:
    """Return the venue's own word, where there is a gateway and the tier has a quota."""
    if glance.link is None or glance.link.quota < 0:
        return []
    return [((), glance.link.quota)]


def _build(glance: Glance) -> list[Sample]:
    a = glance.about
    return [((a["version"], a["config_hash"], a["mode"], a["strategy"], a["symbol"], a["feed"]), 1)]


def _rejected(glance: Glance) -> list[Sample]:
    counts = glance.page["rejected"]
    return [((facts.reject_name(code),), counts[code]) for code in range(1, Reject.REJ_OTHER + 1)]


def _denied(glance: Glance) -> list[Sample]:
    counts = glance.page["denied"]
    return [((facts.verdict_name(code),), counts[code]) for code in range(1, Verdict.VERDICTS)]


def _by_status(glance: Glance) -> list[Sample]:
    return [((facts.order_state(s),), glance.page["order_states"][s]) for s in STATES]


def _halts(glance: Glance) -> list[Sample]:
    return [
        ((facts.halt_name(code),), float(glance.page["halt"] == code))
        for code in range(1, Halt.HALTS)
    ]


T, P, R, B, S = (
    f"bog_{group}_" for group in ("trading", "performance", "risk", "orderbook", "system")
)
C, G, H = "counter", "gauge", "histogram"

# fmt: off
METRICS: list[Metric] = [
    # as the operations guide spells them
    Metric(T + "orders_total", C, ("side", "type"), "orders",
           "creates sent, by time in force", _orders),
    Metric(T + "fills_total", C, ("side",), "fills",
           "executions, partial ones too", _sides(lambda g, s: g.page["measure"]["fills"][s])),
    Metric(T + "volume_usd_total", C, (), "quote currency",
           "traded volume; USDC on Lighter", _one(lambda g: g.money(g.page["measure"]["volume"]))),
    Metric(T + "rejections_total", C, ("reason",), "requests",
           "refusals by the venue", _rejected),
    Metric(T + "cancellations_total", C, (), "orders",
           "orders that the venue said are canceled", _one(lambda g: g.page["cancels_done"])),
    Metric(T + "fill_rate", G, (), "ratio",
           "size filled of size created, 0 to 1", _one(_fill_ratio)),
    Metric(T + "orders_by_status", G, ("status",), "orders",
           "orders that may still fill", _by_status),
    Metric(P + "tick_to_trade_latency_ns", H, (), "ns",
           "a book message that led to commands: taken up to commands with the executor",
           _hist("order_turn")),
    Metric(P + "strategy_latency_ns", H, ("strategy",), "ns",
           "the strategy's quote, sampled", _hist("strategy", lambda g: (g.about["strategy"],))),
    Metric(P + "risk_validation_latency_ns", H, (), "ns",
           "the gate on one side, sampled", _hist("risk")),
    Metric(P + "execution_latency_us", H, (), "us",
           "a turn's records to the journal and commands to the executor, sampled",
           _hist("execution")),
    Metric(P + "ticks_per_second", G, (), "books/s",
           "book messages, between two looks", _one(lambda g: g.rates[0])),
    Metric(P + "orders_per_second", G, (), "requests/s",
           "creates and amends, between two looks", _one(lambda g: g.rates[1])),
    Metric(R + "position_btc", G, (), "BTC",
           "position, short is negative; of markets in BTC alone", _position_btc),
    Metric(R + "position_utilization", G, (), "ratio",
           "position of its limit on that side, 0 to 1", _one(_utilization)),
    Metric(R + "realized_pnl_usd", G, (), "quote currency",
           "profit of what was closed, before fees and funding",
           _one(lambda g: g.money(g.page["position"]["realized"]))),
    Metric(R + "unrealized_pnl_usd", G, (), "quote currency",
           "profit of the open position at the mark",
           _one(lambda g: g.half_money(g.page["unrealized2"]))),
    Metric(R + "daily_pnl_usd", G, (), "quote currency",
           "profit of the UTC day, fees and funding included",
           _one(lambda g: g.half_money(g.page["daily2"]))),
    Metric(R + "violations_total", C, ("type",), "episodes",
           "refusals by our own gate", _denied),
    Metric(R + "rate_limit_requests_total", C, (), "requests",
           "asked of the limiter: allowed and rejected",
           _one(lambda g: _sent(g) + g.page["denied"][Verdict.DENY_RATE])),
    Metric(R + "rate_limit_allowed_total", C, (), "requests",
           "let go by the limiter: all that was sent", _one(_sent)),
    Metric(R + "rate_limit_rejected_total", C, (), "episodes",
           "creates and amends held back for want of a token",
           _one(lambda g: g.page["denied"][Verdict.DENY_RATE])),
    Metric(R + "circuit_breaker_state", G, (), "state",
           "0 trading is allowed, 1 a halt stands", _one(lambda g: g.page["halt"] != 0)),
    Metric(B + "spread_bps", G, (), "bps",
           "best ask less best bid, of the mid; 0 without both", _one(_spread_bps)),
    Metric(B + "imbalance", G, (), "percent",
           "(bid - ask) / (bid + ask) of the sizes at the touch, -100 to 100",
           _one(lambda g: 100 * _imbalance(g))),
    Metric(S + "huginn_connected", G, (), "state",
           "1 the engine turns and its feed lives, else 0", _one(lambda g: g.connected)),
    Metric(S + "huginn_messages_total", C, (), "rows",
           "rows taken from the feed, of every kind", _one(lambda g: g.page["rows"])),
    Metric(S + "huginn_sequence_gaps_total", C, (), "gaps",
           "places where rows of the feed were lost", _one(lambda g: g.page["gaps"])),
    Metric(S + "errors_total", C, ("component", "severity"), "errors",
           "impossible or crossed books, lost outcomes, impossible reports, waits for the journal's"
           " disk, dropped lines", _errors),
    Metric(S + "overflow_errors_total", C, ("type",), "errors",
           "an amount that does not fit, rows overwritten before they were read, waits for a full"
           " journal", _overflows),
    Metric(S + "fill_queue_depth", G, (), "reports",
           "reports, fills among them, that the executor holds until their time",
           _one(lambda g: g.page["reports_due"])),
    # twins: the same under a name that misleads nobody
    Metric(T + "volume_quote_total", C, (), "quote currency",
           "traded volume", _one(lambda g: g.money(g.page["measure"]["volume"]))),
    Metric(T + "fill_size_ratio", G, (), "ratio",
           "size filled of size created, 0 to 1", _one(_fill_ratio)),
    Metric(P + "execution_latency_ns", H, (), "ns",
           "a turn's records to the journal and commands to the executor, sampled",
           _hist("execution")),
    Metric(R + "position_base", G, (), "base asset",
           "position, short is negative", _one(lambda g: g.base(g.page["position"]["pos"]))),
    Metric(R + "realized_pnl_quote", G, (), "quote currency",
           "profit of what was closed, before fees and funding",
           _one(lambda g: g.money(g.page["position"]["realized"]))),
    Metric(R + "unrealized_pnl_quote", G, (), "quote currency",
           "profit of the open position at the mark",
           _one(lambda g: g.half_money(g.page["unrealized2"]))),
    Metric(R + "daily_pnl_quote", G, (), "quote currency",
           "profit of the UTC day, fees and funding included",
           _one(lambda g: g.half_money(g.page["daily2"]))),
    Metric(B + "touch_imbalance_ratio", G, (), "ratio",
           "(bid - ask) / (bid + ask) of the sizes at the touch, -1 to 1", _one(_imbalance)),
    Metric(S + "report_queue_depth", G, (), "reports",
           "reports that the executor holds until their time",
           _one(lambda g: g.page["reports_due"])),
    # what an operator needs besides
    Metric(T + "amends_total", C, ("side",), "requests",
           "amends sent", _sides(lambda g, s: g.page["amends"][s])),
    Metric(T + "cancel_requests_total", C, (), "requests",
           "cancels sent", _one(lambda g: g.page["canceled"] + g.page["cancel_all"])),
    Metric(T + "expirations_total", C, (), "orders",
           "orders that the venue let go at their time", _one(lambda g: g.page["expired"])),
    Metric(T + "quote_price_quote", G, ("side",), "quote currency",
           "price that the strategy wants; 0 none",
           _sides(lambda g, s: g.price(g.page["quote_px"][s]))),
    Metric(T + "quote_size_base", G, ("side",), "base asset",
           "size that the strategy wants; 0 none",
           _sides(lambda g, s: g.base(g.page["quote_qty"][s]))),
    Metric(T + "order_age_seconds", G, ("side",), "s",
           "age of the oldest order, on the engine's clock; 0 none", _sides(_order_age)),
    Metric(T + "fees_quote", G, (), "quote currency",
           "fees paid, rebates are negative", _one(lambda g: g.money(g.page["position"]["fees"]))),
    Metric(T + "funding_quote", G, (), "quote currency",
           "funding received, paid is negative",
           _one(lambda g: g.money(g.page["position"]["funding"]))),
    Metric(T + "markout_quote", G, ("horizon", "side"), "quote currency",
           "what fills were worth at the mid so long after them, summed", _markouts),
    Metric(P + "tick_to_trade_quantile_ns", G, ("quantile",), "ns",
           "of the run, to an eighth of an octave; finer than the histogram", _quantiles),
    Metric(P + "book_turn_latency_ns", H, (), "ns",
           "a book message of any outcome, taken up to done", _hist("turn")),
    Metric(P + "huginn_read_latency_ns", H, (), "ns",
           "a row out of shared memory, sampled; none with an embedded feed", _hist("read")),
    Metric(P + "orderbook_sync_latency_ns", H, (), "ns",
           "the ten best levels for the engine, sampled", _hist("book")),
    Metric(P + "turns_total", C, (), "turns",
           "events that the engine took", _one(lambda g: g.page["turns"])),
    Metric(R + "halt", G, ("reason",), "state", "1 this halt stands", _halts),
    Metric(R + "run_level", G, (), "state",
           "0 RUN, 1 PAUSED, 2 DRAIN, 3 KILLED", _one(lambda g: g.page["level"])),
    Metric(R + "position_limit_base", G, ("side",), "base asset",
           "largest long (buy) and short (sell) position",
           _sides(lambda g, s: g.base(g.limits["max_short" if s else "max_long"]))),
    Metric(R + "daily_loss_limit_quote", G, (), "quote currency",
           "loss of a day beyond which trading halts",
           _one(lambda g: g.money(g.limits["max_daily_loss"]))),
    Metric(R + "peak_pnl_quote", G, (), "quote currency",
           "highest profit of the UTC day", _one(lambda g: g.half_money(g.page["peak2"]))),
    Metric(R + "quota_left", G, (), "requests",
           "creates and amends left of the volume quota, where the tier has one",
           _one(lambda g: g.page["quota"])),
    Metric(B + "price_quote", G, ("side",), "quote currency",
           "best bid (buy) and best ask (sell); 0 none",
           _sides(lambda g, s: g.price(g.page["ask" if s else "bid"]))),
    Metric(B + "size_base", G, ("side",), "base asset",
           "size at the best bid (buy) and best ask (sell)",
           _sides(lambda g, s: g.base(g.page["ask_qty" if s else "bid_qty"]))),
    Metric(S + "engine_up", G, (), "state",
           "1 the engine turns, else 0", _one(lambda g: g.alive)),
    Metric(S + "engine_beat_age_seconds", G, (), "s",
           "since the engine last showed itself", _one(lambda g: g.beat_age_sec)),
    Metric(S + "feed_age_seconds", G, (), "s",
           "since the feed was last known alive, on the engine's clock",
           _one(lambda g: g.feed_age_sec)),
    Metric(S + "feed_books_total", C, (), "books",
           "book messages", _one(lambda g: g.page["books"])),
    Metric(S + "feed_trades_total", C, (), "prints",
           "trades of the market", _one(lambda g: g.page["trades"])),
    Metric(S + "feed_rows_lost_total", C, (), "rows",
           "rows overwritten before they were read", _one(lambda g: g.page["laps"])),
    Metric(S + "journal_records_total", C, (), "records",
           "records written", _one(lambda g: g.page["journal_seq"])),
    Metric(S + "journal_unsynced_records", G, (), "records",
           "records that are not on the disk yet",
           _one(lambda g: max(0, g.page["journal_seq"] - g.page["journal_durable"]))),
    Metric(S + "host_refusals", G, (), "things",
           "what the host did not grant: memory, a core, a port", _one(lambda g: g.refused)),
    Metric(S + "run_number", G, (), "number",
           "number of the run in the journal", _one(lambda g: g.page["run"])),
    Metric(S + "build_info", G,
           ("version", "config_hash", "mode", "strategy", "symbol", "feed"), "1",
           "what runs: always 1", _build),
    # what the dashboard shows and the rules compare
    Metric(T + "created_size_base_total", C, (), "base asset",
           "size of the orders created", _one(lambda g: g.base(sum(g.page["measure"]["sent"])))),
    Metric(T + "filled_size_base_total", C, (), "base asset",
           "size of the fills", _one(lambda g: g.base(sum(g.page["measure"]["filled"])))),
    Metric(T + "active_order_price_quote", G, ("slot", "side", "state"), "quote currency",
           "price of an order that may still fill, oldest in slot 1",
           _resting(lambda g, o: g.price(o["px"]), named=True)),
    Metric(T + "active_order_size_base", G, ("slot",), "base asset",
           "what of it may still fill", _resting(lambda g, o: g.base(o["qty"] - o["filled"]))),
    Metric(T + "active_order_age_seconds", G, ("slot",), "s",
           "since it was sent, on the engine's clock",
           _resting(lambda g, o: _age(g, o["sent_ns"]))),
    Metric(T + "recent_fill_price_quote", G, ("slot", "side", "reason"), "quote currency",
           "price of one of the last fills, newest in slot 1",
           _filled(lambda g, f: g.price(f["px"]), named=True)),
    Metric(T + "recent_fill_size_base", G, ("slot",), "base asset",
           "its size", _filled(lambda g, f: g.base(f["qty"]))),
    Metric(T + "recent_fill_age_seconds", G, ("slot",), "s",
           "since it was booked, on the engine's clock",
           _filled(lambda g, f: _age(g, f["time_ns"]))),
    Metric(R + "reconciliation_differences", G, (), "differences",
           "between journal and venue, found by the gateway that runs; 0 on paper",
           _one(_differences)),
    Metric(S + "guardian_beat_age_seconds", G, (), "s",
           "since the gateway, which cancels all when the engine dies, last showed itself; 0 on"
           " paper", _one(lambda g: g.guardian_silent_sec)),
    Metric(R + "nonce_next", G, ("key",), "number",
           "nonce of the next transaction of a key; -1 before the venue has said; live only",
           _keys("next")),
    Metric(R + "nonces_waiting", G, ("key",), "transactions",
           "sent with a key, and the venue may still execute them; at most 16", _keys("waiting")),
    Metric(R + "nonce_synced", G, ("key",), "state",
           "1 the next transaction of a key may leave, 0 the venue is asked for the nonce first",
           _keys("synced")),
    Metric(R + "nonce_refusals_total", C, ("key",), "transactions",
           "refused by the venue for their nonce", _keys("refused")),
    Metric(R + "nonce_gaps_total", C, ("key",), "transactions",
           "that had to skip over numbers of which nothing is known", _keys("gaps")),
    Metric(R + "nonce_resyncs_total", C, ("key",), "answers",
           "of the venue to what nonce is next", _keys("resyncs")),
    Metric(R + "venue_budget_left", G, ("of",), "requests",
           "that may be made in this rolling minute: sends are transactions, reads count by weight",
           _budget("left")),
    Metric(R + "venue_budget_limit", G, ("of",), "requests",
           "that the tier allows in a rolling minute", _budget("most")),
    Metric(R + "venue_quota_left", G, (), "requests",
           "creates and amends left of the volume quota, in the venue's own words; live only",
           _quota),
    Metric(S + "huginn_silent_seconds", G, (), "s",
           "since a feed that is lost was last known alive; 0 while it lives",
           _one(lambda g: g.feed_silent_sec)),
    Metric(S + "engine_pinned", G, (), "state",
           "1 the hot thread has a core to spin on, 0 it naps", _one(lambda g: g.pinned)),
    # thresholds of the alerts, as [monitoring.alerts] says
    Metric(B + "spread_threshold_bps", G, (), "bps",
           "red line of the dashboard", _threshold("spread_threshold_bps")),
    Metric(B + "spread_warning_bps", G, (), "bps",
           "a wider market is an alert", _threshold("spread_warning_bps")),
    Metric(P + "tick_to_trade_threshold_ns", G, (), "ns",
           "a longer p99 is an alert", _threshold("latency_threshold_ns")),
    Metric(S + "huginn_disconnect_threshold_seconds", G, (), "s",
           "a longer silence of the feed is an alert",
           _threshold("huginn_disconnect_threshold_sec")),
    Metric(S + "guardian_silent_threshold_seconds", G, (), "s",
           "a longer silence of the gateway is an alert",
           _threshold("guardian_silent_threshold_sec")),
    Metric(R + "daily_loss_threshold_quote", G, (), "quote currency",
           "a greater loss of the UTC day is an alert", _threshold("daily_loss_alert_threshold")),
    Metric(T + "fill_rate_expected", G, (), "ratio",
           "size filled of size created that is expected", _threshold("fill_rate_expected")),
    Metric(T + "fill_rate_threshold", G, (), "ratio",
           "less than this part of it is an alert", _threshold("fill_rate_threshold")),
    Metric(R + "rate_limit_rejections_threshold", G, (), "ratio",
           "more rejections of all requests are an alert",
           _threshold("rate_limit_rejections_threshold")),
]
# fmt: on


class Scrape:
    """The table over the markets of a bot: a collector of prometheus-client."""

    def __init__(self, markets: list[Traded]) -> None:
        self.markets = markets
        self.last = ("", b"")
        self.last_ns = 0

    def answer(self, accept: str) -> tuple[str, bytes]:
        """Return content type and text of a scrape, in the best format that `accept` names.

        A text is given again for FRESH_NS: whoever asks in a loop costs no more than that.
        """
        encode, kind = choose_encoder(accept)
        now_ns = time.monotonic_ns()
        if kind != self.last[0] or now_ns - self.last_ns > FRESH_NS:
            self.last = kind, encode(self)
            self.last_ns = now_ns
        return self.last

    def collect(self) -> Iterator[Family]:
        """Yield every metric, with the series of each market, as of now."""
        glances = [Glance(traded) for traded in self.markets]
        for metric in METRICS:
            yield _family(metric, glances)


def _family(metric: Metric, glances: list[Glance]) -> Family:
    names, text = ("market", *metric.labels), f"{metric.meaning} [{metric.unit}]"
    if metric.kind == H:
        histogram = HistogramMetricFamily(metric.name, text, labels=names)
        for glance in glances:
            for labels, found in metric.read(glance):
                buckets = list(zip(BOUNDS[metric.unit], found["below"], strict=True))
                histogram.add_metric(
                    (str(glance.about["market"]), *labels), buckets,
                    found["sum"] / NS_OF[metric.unit],
                )  # fmt: skip
        return histogram
    kind = CounterMetricFamily if metric.kind == C else GaugeMetricFamily
    family = kind(metric.name, text, labels=names)
    for glance in glances:
        for labels, value in metric.read(glance):
            family.add_metric((str(glance.about["market"]), *labels), float(value))
    return family


def table() -> str:
    """Return the table of docs/metrics.md."""
    rows = [
        f"| `{m.name}` | {m.kind} | {', '.join(('market', *m.labels))} | {m.unit} | {m.meaning} |"
        for m in METRICS
    ]
    head = ["| name | type | labels | unit | meaning |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"
