"""The report of a run: what it assumed, what it did, what it earned and why.

Money is exact: decimals as text, and a report whose parts do not add up to the last half quantum is
refused. Rates (bps, shares) are rounded for people and stand beside the numbers they come from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypedDict

from bog import facts, host
from bog.errors import BogError
from bog.facts import About, Latency, Markout, Page
from bog.host import Granted
from bog.units import half_text, plain, text

SIDES = ("bid", "ask")


class RunResult(TypedDict):
    """All that a report is made from. Made by the run, after the drain."""

    about: About
    page: Page  # the last one, with the position after the last report
    ended: str  # why: "end of data", "duration", "signal", "halt"
    exit_code: int
    open_orders: int  # not proven dead at the end
    wall_sec: float  # how long the run took
    journal: str  # path of the run's file
    host: Granted  # at the end
    refused: list[str]  # what was asked of the host and not granted, or lost


def build(result: RunResult) -> dict[str, Any]:
    """Return the report as it is written to a file. Raises BogError when it does not add up."""
    about, page = result["about"], result["page"]
    check(page)
    m, money = page["measure"], about["price_decimals"] + about["size_decimals"]
    span_ns = m["last_ns"] - m["first_ns"]
    requests = page["placed"] + page["amended"] + page["canceled"] + page["cancel_all"]
    return {
        "about": about,
        "labels": labels(about, page),
        "host": result["host"] | {"refused": result["refused"]},
        "run": {
            "number": page["run"],
            "ended": result["ended"],
            "exit_code": result["exit_code"],
            "open_orders": result["open_orders"],
            "wall_sec": round(result["wall_sec"], 3),
            "market_sec": _sec(span_ns),
            "books": page["books"],
            "prints": page["trades"],
            "gaps": page["gaps"],
            "laps": page["laps"],
            "journal": result["journal"],
        },
        "fills": {
            "count": sum(m["fills"]),
            "by_side": dict(zip(SIDES, m["fills"], strict=True)),
            "by_reason": facts.counted(m["by_reason"], facts.fill_reason),
            "per_hour": _ratio(sum(m["fills"]) * 3_600_000_000_000, span_ns, 1),
            "volume": text(m["volume"], money),
            "ratio": _ratio(sum(m["filled"]), sum(m["sent"]), 4),
        },
        "pnl": _pnl(page, money),
        "inventory": _inventory(about, page, span_ns),
        "markouts": [_markout(one, money) for one in _totals(m["markouts"]) + m["markouts"]],
        "markouts_excluded": m["markout_excluded"],
        "requests": {
            "count": requests,
            "place": page["placed"],
            "amend": page["amended"],
            "cancel": page["canceled"] + page["cancel_all"],
            "per_fill": _ratio(requests, sum(m["fills"]), 2),
        },
        "refused": {
            "gate": facts.counted(page["denied"], facts.verdict_name),
            "venue": facts.counted(page["rejected"], facts.reject_name),
        },
        "quoting": {
            "both_sides": _ratio(m["both_ns"], span_ns, 4),
            "at_touch": {
                side: _ratio(ns, span_ns, 4) for side, ns in zip(SIDES, m["touch_ns"], strict=True)
            },
            "not_quoting_sec": {
                side: {facts.why_name(w): _sec(ns) for w, ns in idle.items() if w}  # 0: quoting
                for side, idle in zip(SIDES, m["idle_ns"], strict=True)
            },
        },
        "latency_ns": {"tick": page["turn"], "with_orders": page["order_turn"]},
    }  # fmt: skip


def together(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the report of several markets: each one's own, and their exact sums."""
    return {
        "markets": reports,
        "totals": {
            "exit_code": max(one["run"]["exit_code"] for one in reports),
            "open_orders": sum(one["run"]["open_orders"] for one in reports),
            "fills": sum(one["fills"]["count"] for one in reports),
            "volume": _sum(one["fills"]["volume"] for one in reports),
            "requests": sum(one["requests"]["count"] for one in reports),
            "pnl": {
                part: _sum(one["pnl"][part] for one in reports)
                for part in ("capture", "inventory", "fees", "funding", "total")
            },
        },
    }


def totals_table(report: dict[str, Any]) -> str:
    """Return what several markets came to together, for a person."""
    t = report["totals"]
    p = t["pnl"]
    return (
        f"{'together':12}{len(report['markets'])} markets: {t['fills']} fills, volume {t['volume']},"
        f" {t['requests']} requests\n"
        f"{'pnl':12}{p['total']} = capture {p['capture']} + inventory {p['inventory']}"
        f" + fees {p['fees']} + funding {p['funding']}\n"
    )


def _sum(amounts: Iterable[str]) -> str:
    """Return the exact sum of decimals."""
    return plain(sum(map(Decimal, amounts), Decimal(0)))


def check(page: Page) -> None:
    """Raise BogError when the parts of the profit do not make the change of equity, exactly.

    Both sides in half quanta: capture + inventory - fees + funding against cash and the position at
    the last mid, less the equity at which measuring began.
    """
    m, held = page["measure"], page["position"]
    parts = m["capture"] + m["inventory"] - 2 * m["fees"] + 2 * m["funding"]
    change = 2 * held["cash"] + held["pos"] * m["mid2"] - m["start"]
    if parts != change:
        raise BogError(
            f"the report does not add up: parts make {parts} half quanta, equity moved by {change}"
        )
    cash = held["realized"] - held["cost"] - held["fees"] + held["funding"]
    if cash != held["cash"]:
        raise BogError(f"the report does not add up: cash is {held['cash']} quanta, not {cash}")
    if sum(m["by_reason"]) != sum(m["fills"]):
        raise BogError(
            f"the report does not add up: {sum(m['fills'])} fills, {sum(m['by_reason'])} by reason"
        )


def labels(about: About, page: Page) -> list[str]:
    """Return what a reader must know before he compares this result with another."""
    found = []
    if page["no_prints"]:
        found.append("no prints, not comparable: this feed shows books only, so fills are crosses")
    if about["fill_model"] in ("linear", "square", "front"):
        found.append(f"fill model {about['fill_model']}: an optimistic bound, not a result")
    if about["through_full"]:
        found.append("a print through our price fills the whole order: an optimistic bound")
    if about["fill_model"] == "queue":
        found.append("built-in market: fills come from its true queues, prices are made up")
    if page["pessimistic"]:
        found.append(
            f"{page['pessimistic']} orders stood where the book was unknown: judged behind it"
        )
    if page["gaps"] or page["laps"]:
        found.append(f"the feed lost data: {page['gaps']} gaps, {page['laps']} laps")
    return found


def _ratio(part: int, whole: int, decimals: int) -> str | None:
    """Return part / whole rounded half away from zero, as text; None when there is no whole."""
    if whole == 0:
        return None
    scaled = (2 * abs(part) * 10**decimals + abs(whole)) // (2 * abs(whole))
    return text(-scaled if (part < 0) != (whole < 0) else scaled, decimals)


def _sec(ns: int) -> str:
    """Return ns as seconds, exactly."""
    return text(ns, 9)


def _pnl(page: Page, money: int) -> dict[str, Any]:
    m, held = page["measure"], page["position"]
    total = m["capture"] + m["inventory"] - 2 * m["fees"] + 2 * m["funding"]
    return {
        "capture": half_text(m["capture"], money),
        "inventory": half_text(m["inventory"], money),
        "fees": half_text(-2 * m["fees"], money),
        "funding": half_text(2 * m["funding"], money),
        "total": half_text(total, money),
        "total_bps_of_volume": _ratio(total * 10_000, 2 * m["volume"], 4),
        "worst_drawdown": half_text(m["drawdown"], money),
        "account": {  # over all runs of this journal
            "realized": text(held["realized"], money),
            "fees": text(held["fees"], money),
            "funding": text(held["funding"], money),
            "equity_at_mark": half_text(page["equity2"], money),
            "today": half_text(page["daily2"], money),
        },
    }


def _inventory(about: About, page: Page, span_ns: int) -> dict[str, Any]:
    """Return statistics of the position over time: the only ones that come from floats."""
    m, lot = page["measure"], float(Decimal(1).scaleb(-about["size_decimals"]))
    mean, mean_abs, square = (
        (m["pos_dt"] / span_ns, m["abs_dt"] / span_ns, m["sq_dt"] / span_ns)
        if span_ns
        else (0, 0, 0)
    )
    return {
        "position": text(page["position"]["pos"], about["size_decimals"]),
        "mean": round(mean * lot, about["size_decimals"] + 2),
        "mean_absolute": round(mean_abs * lot, about["size_decimals"] + 2),
        "deviation": round(max(square - mean * mean, 0.0) ** 0.5 * lot, about["size_decimals"] + 2),
        "at_limit": _ratio(m["limit_ns"], span_ns, 4),
    }


def _totals(markouts: list[Markout]) -> list[Markout]:
    """Return one markout a horizon over all sides and reasons, which are -1 in it."""
    totals: dict[int, Markout] = {}
    for one in markouts:
        empty = Markout(
            horizon_ns=one["horizon_ns"], side=-1, reason=-1, value=0, notional=0, fills=0
        )
        total = totals.setdefault(one["horizon_ns"], empty)
        total["value"] += one["value"]
        total["notional"] += one["notional"]
        total["fills"] += one["fills"]
    return list(totals.values())


def _markout(one: Markout, money: int) -> dict[str, Any]:
    """Return a markout with its volume-weighted bps of notional: value is in half quanta."""
    return {
        "horizon_ms": one["horizon_ns"] // 1_000_000,
        "side": "all" if one["side"] < 0 else SIDES[one["side"]],
        "reason": "all" if one["reason"] < 0 else facts.fill_reason(one["reason"]),
        "fills": one["fills"],
        "notional": text(one["notional"], money),
        "value": half_text(one["value"], money),
        "bps": _ratio(one["value"] * 10_000, 2 * one["notional"], 4),
    }


def write(report: dict[str, Any], path: str) -> None:
    """Write the report as JSON, whole or not at all, readable by its owner."""
    target = Path(path)
    part = target.with_name(target.name + ".part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(json.dumps(report, indent=2) + "\n")
        part.replace(target)
    except OSError as error:
        raise BogError(f"cannot write the report {path}: {error.strerror or error}") from None


def table(report: dict[str, Any]) -> str:
    """Return the report for a person: plain text of lines that fit 100 columns, mostly."""
    a, r, f, p = report["about"], report["run"], report["fills"], report["pnl"]
    q, i, n = report["quoting"], report["inventory"], report["requests"]
    ms = ", ".join(f"{leg} {ns / 1e6:g}" for leg, ns in a["latency_ns"].items())
    rows: list[tuple[str, str]] = [
        ("data", f"{a['feed']}, {a['symbol']} (market {a['market']}), seed {a['seed']}"),
        ("time", f"{Decimal(r['market_sec']):.3f} s of the market in {r['wall_sec']} s,"
                 f" ended by {r['ended']}"),
        ("account", f"tier {a['tier']}: maker {a['maker_ppm']} ppm, taker {a['taker_ppm']} ppm"),
        ("fill model", f"{a['fill_model']}; latency in ms: {ms}"),
        ("strategy", f"{a['strategy']}, config {a['config_hash'][:12]}, version {a['version']}"),
        ("host", host.words(report["host"])),
        *(("remark", remark) for remark in report["host"]["refused"]),
        *(("note", label) for label in report["labels"]),
        ("", ""),
        ("fills", f"{f['count']}: {_words(f['by_side'])}; {_words(f['by_reason'])}"),
        ("volume", f"{f['volume']}; fill ratio {f['ratio'] or '-'},"
                   f" fills an hour {f['per_hour'] or '-'}"),
        ("pnl", f"{p['total']} = capture {p['capture']} + inventory {p['inventory']}"
                f" + fees {p['fees']} + funding {p['funding']}"),
        ("", f"{p['total_bps_of_volume'] or '-'} bps of volume, worst fall {p['worst_drawdown']}"),
        ("position", f"{i['position']}; mean {i['mean']}, mean absolute {i['mean_absolute']},"
                     f" deviation {i['deviation']}, at the limit {i['at_limit'] or '-'}"),
        ("requests", f"{n['count']}: place {n['place']} amend {n['amend']} cancel {n['cancel']},"
                     f" {n['per_fill'] or '-'} a fill"),
        ("refused", f"by the gate: {_words(report['refused']['gate'])}"),
        ("", f"by the venue: {_words(report['refused']['venue'])}"),
        ("quoting", f"both sides {q['both_sides'] or '-'} of the time; at the touch"
                    f" {_words(q['at_touch'])}"),
        *(("" if side else "not quoting", f"{name}, s: {_seconds(q['not_quoting_sec'][name])}")
          for side, name in enumerate(SIDES)),
        ("latency", f"tick {_latency(report['latency_ns']['tick'])}"),
        ("", f"with orders {_latency(report['latency_ns']['with_orders'])}"),
        ("", ""),
    ]  # fmt: skip
    lines = [f"{name:12}{words}".rstrip() for name, words in rows]
    lines.append(
        f"{'markout':12}{'horizon':>10} {'side':>5} {'reason':>8} {'fills':>7} {'bps':>10}"
    )
    for one in report["markouts"]:
        lines.append(
            f"{'':12}{one['horizon_ms']:>7} ms {one['side']:>5} {one['reason']:>8}"
            f" {one['fills']:>7} {one['bps'] or '-':>10}"
        )
    if r["open_orders"]:
        lines.append(f"WARNING: {r['open_orders']} orders may still be open at the venue")
    return "\n".join(lines) + "\n"


def _seconds(times: dict[str, str]) -> str:
    """Return the reasons, longest first, in milliseconds of precision; the file has all digits."""
    ordered = sorted(times.items(), key=lambda item: -Decimal(item[1]))
    return ", ".join(f"{name} {Decimal(sec):.3f}" for name, sec in ordered) or "none"


def _latency(h: Latency) -> str:
    if not h["count"]:
        return "none"
    return f"p50 {h['p50']} ns, p99 {h['p99']} ns, p99.9 {h['p999']} ns, most {h['max']} ns"


def _words(counts: dict[str, Any]) -> str:
    return (
        ", ".join(f"{name} {n if n is not None else '-'}" for name, n in counts.items()) or "none"
    )
