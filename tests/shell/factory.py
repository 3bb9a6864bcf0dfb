"""A run as the shell sees it, in the core's units, for tests of the screen and the report."""

from typing import Any

from bog._core.types import FillReason, Verdict
from bog.facts import About, Fill, Latency, Measure, Order, Page, Position
from bog.host import Granted
from bog.sight import Book


def about(**changed: Any) -> About:
    base: dict[str, Any] = {
        "symbol": "BTC", "market": 1, "price_decimals": 1, "size_decimals": 5, "mode": "paper",
        "feed": "sim active", "strategy": "simple_spread", "tier": "standard 2026-09-26",
        "maker_ppm": 0, "taker_ppm": 0, "fill_model": "queue", "through_full": False,
        "latency_ns": {"net": 40_000_000, "response": 40_000_000, "maker": 0,
                       "cancel": 300_000_000, "amend": 300_000_000, "taker": 300_000_000},
        "seed": 1, "config_hash": "ab" * 32, "version": "0.1.0",
    }  # fmt: skip
    return About(**(base | changed))  # type: ignore[typeddict-item]


def granted(**changed: Any) -> Granted:
    base: dict[str, Any] = {
        "cpus": [1], "policy": "other", "realtime_us": [950_000, 1_000_000], "locked_bytes": 0,
        "page_faults": 0, "idle": "spin", "awake": False,
    }  # fmt: skip
    return Granted(**(base | changed))  # type: ignore[typeddict-item]


def fill(**changed: int) -> Fill:
    base = {
        "order_id": 7, "trade_id": 1, "side": 0, "px": 1000, "qty": 10, "fee": 0,
        "reason": int(FillReason.FILL_QUEUE), "time_ns": 59_000_000_000, "venue_ns": 0,
    }  # fmt: skip
    return Fill(**(base | changed))  # type: ignore[typeddict-item]


def order(**changed: int) -> Order:
    base = {
        "id": 7, "side": 0, "state": 5, "px": 999, "qty": 30, "filled": 20, "sent_ns": 1,
        "acked_ns": 2,
    }  # fmt: skip
    return Order(**(base | changed))  # type: ignore[typeddict-item]


def latency(count: int = 1000) -> Latency:
    return Latency(count=count, p50=850, p99=12_300, p999=4_000_000, max=5_000_000)


def measure(**changed: Any) -> Measure:
    """Return V40 of market-making.md: capture 15 + 15, inventory -10, no fees, total 20 quanta.

    Buy 10 at 1000 with the mid at 1001.5, the mid falls to 1000.5, sell 10 at 1002.
    """
    base: dict[str, Any] = {
        "capture": 60, "inventory": -20, "fees": 0, "funding": 0, "pos": 0, "mid2": 2001,
        "start": 0, "drawdown": 20, "volume": 20_020, "fills": [1, 1], "filled": [10, 10],
        "sent": [40, 20], "by_reason": [0, 1, 1, 0, 0, 0],
        "markouts": [
            {"horizon_ns": 1_000_000_000, "side": 0, "reason": 1, "value": 10, "notional": 10_000,
             "fills": 1},
            {"horizon_ns": 1_000_000_000, "side": 1, "reason": 2, "value": -30, "notional": 10_020,
             "fills": 1},
        ],
        "markout_excluded": [0, 0, 1, 2], "first_ns": 0, "last_ns": 60_000_000_000,
        "both_ns": 45_000_000_000, "touch_ns": [30_000_000_000, 15_000_000_000],
        "idle_ns": [
            {0: 51_000_000_000, 1: 6_000_000_000, 32 + int(Verdict.DENY_RATE): 3_000_000_000},
            {8: 15_000_000_000},
        ],
        "limit_ns": 600_000_000, "pos_dt": 3e11, "abs_dt": 3e11, "sq_dt": 3e12,
    }  # fmt: skip
    return Measure(**(base | changed))  # type: ignore[typeddict-item]


def position(**changed: int) -> Position:
    base = {
        "pos": 0, "cost": 0, "cash": 20, "realized": 20, "fees": 0, "funding": 0,
        "volume": 20_020, "fills": 2, "day": 20_414, "day_open": 0, "peak": 40, "mark2": 2001,
        "trade": 7, "funded": 0,
    }  # fmt: skip
    return Position(**(base | changed))  # type: ignore[typeddict-item]


def page(**changed: Any) -> Page:
    denied, rejected = [0] * len(Verdict.__members__), [0] * 16
    denied[int(Verdict.ALLOW)], denied[int(Verdict.DENY_RATE)], rejected[1] = 500, 12, 3
    base: dict[str, Any] = {
        "run": 3, "state": 1, "beat_mono": 1, "turns": 5000,
        "now_ns": 60_000_000_000, "start_ns": 0, "alive_ns": 59_990_000_000,
        "bid": 1000, "bid_qty": 50, "ask": 1003, "ask_qty": 40, "mark2": 2003,
        "quote_px": [999, 0], "quote_qty": [10, 0], "why": [0, 8], "level": 0, "halt": 0,
        "halt_id": 0, "stale": 0, "strategy": 2, "connection": 0,
        "asks": 0, "aside": 0, "limit": [0, 40, 80, 30, 10**9, 10**9, 500_000_000, 500_000, 4, 600, 50_000],
        "configured": [0] * 11, "tightened_by": [0] * 11,
        "quota": 0, "sigma_q8": [0, 0], "number_q16": [0, 0, 0, 0, 0, 0],
        "equity2": 41, "daily2": -3, "peak2": 40, "unrealized2": 1,
        "position": position(),
        "orders": [order(px=998), order(state=3), order(px=1003, side=1, state=9)],
        "recent_fills": [fill(), fill(side=1, px=1002, reason=2, order_id=8)],
        "denied": denied, "rejected": rejected, "turn": latency(), "order_turn": latency(0),
        "order_states": [0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0], "reports_due": 1,
        "creates": [[0, 4, 0, 0], [0, 2, 0, 0]], "amends": [3, 1],
        "measure": measure(), "rows": 9000, "books": 4000, "invalid": 2, "crossed": 3,
        "trades": 300, "gaps": 1, "laps": 0,
        "placed": 6, "amended": 4, "canceled": 2, "cancel_all": 0, "cancels_done": 2,
        "rejects": 3, "fills": 2,
        "expired": 0, "unknown": 0, "violations": 0, "no_prints": 0, "pessimistic": 0,
        "journal_seq": 90, "journal_durable": 88, "journal_waits": 0,
        "progress": 0, "progress_of": 0, "turned_ns": 0,
    }  # fmt: skip
    return Page(**(base | changed))  # type: ignore[typeddict-item]


def book(**changed: Any) -> Book:
    base: dict[str, Any] = {
        "market": 1, "price_decimals": 1, "size_decimals": 5, "path": "hg_m1000001", "epoch": 3,
        "sequence": 123_456, "exchange_ns": 1_769_860_800_100_000_000,
        "received_ns": 1_769_860_800_123_456_789, "read_ns": 1_769_860_800_200_000_000,
        "age_ns": 12_345_678, "still_ns": 76_543_211, "stale": "", "standing": (7, 9),
        "bids": ((1000, 150), (999, 1)), "asks": ((1003, 200), (1006, 300)),
    }  # fmt: skip
    return Book(**(base | changed))
