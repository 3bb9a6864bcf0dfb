"""What a running bot says of itself when an operator asks: one dict, and the same as a table."""

from __future__ import annotations

import os
from typing import Any, cast

from bog import facts, host
from bog._core.stats import RunState, StatsPage
from bog.facts import About, Page
from bog.host import Granted
from bog.limits import NAMES, limit_text
from bog.units import half_text, text

Status = dict[str, Any]


def status(
    page: StatsPage,
    about: About,
    ready: dict[str, Any],
    granted: Granted | None,
    remarks: list[str],
    gateway: dict[str, Any] | None = None,
) -> Status:
    """Return the state of one market: prices, sizes and money as exact decimals in text.

    `ready` is what the engine said when it was, empty before; `granted` what its host gave it, None
    before; `remarks` are for people: what the host refused, what was dropped. `gateway` is what is
    known of it, None on paper.
    """
    now = cast(Page, page.snapshot())
    px = about["price_decimals"]
    return {
        "market": about["market"],
        "symbol": about["symbol"],
        "price_decimals": px,
        "size_decimals": about["size_decimals"],
        "mode": about["mode"],
        "feed": about["feed"],
        "strategy": about["strategy"],
        "version": about["version"],
        "config_hash": about["config_hash"],
        "pid": os.getpid(),
        "run": now["run"],
        "state": RunState(now["state"]).name.removeprefix("RUN_"),
        "level": facts.level_name(now["level"]),
        "level_asked": facts.level_name(page.level),
        "halt": facts.halt_name(now["halt"]) if now["halt"] else "",
        "halt_id": now["halt_id"] if now["halt"] else 0,
        "limits": limits_of(now, about),
        "flattening": facts.flattening(now["aside"]),
        "requests_taken": now["asks"],
        **pnl_of(now, about),
        "bid": text(now["bid"], px),
        "ask": text(now["ask"], px),
        "quotes": quotes_of(now, about),
        "orders": orders_of(now, about),
        "canceled": now["cancels_done"],
        "connection": facts.connection_name(now["connection"]),
        "gateway": gateway,
        "feed_stale": bool(now["stale"]),
        "feed_age_ms": (now["now_ns"] - now["alive_ns"]) // 10**6 if now["alive_ns"] else 0,
        "gaps": now["gaps"],
        "fills": now["fills"],
        "requests": now["placed"] + now["amended"] + now["canceled"] + now["cancel_all"],
        "refused": facts.counted(now["denied"], facts.verdict_name),
        "rejected": facts.counted(now["rejected"], facts.reject_name),
        "journal": ready.get("journal", ""),
        "journal_written": now["journal_seq"],
        "journal_durable": now["journal_durable"],
        "host": granted,
        "remarks": remarks,
    }


def quotes_of(page: Page, about: About) -> dict[str, Any]:
    """Return what is wanted on each side, or why nothing is."""
    px, qty = about["price_decimals"], about["size_decimals"]
    return {
        facts.side_name(side): {
            "price": text(page["quote_px"][side], px),
            "size": text(page["quote_qty"][side], qty),
            "why_not": facts.why_name(page["why"][side]) if page["why"][side] else "",
        }
        for side in (0, 1)
    }


def pnl_of(page: Page, about: About) -> dict[str, str]:
    """Return position and profit, in base and quote."""
    qty, held = about["size_decimals"], page["position"]
    money = about["price_decimals"] + qty
    return {
        "position": text(held["pos"], qty),
        "pnl": half_text(page["equity2"], money),
        "pnl_today": half_text(page["daily2"], money),
        "realized": text(held["realized"], money),
        "unrealized": half_text(page["unrealized2"], money),
        "fees": text(held["fees"], money),
        "funding": text(held["funding"], money),
    }


def limits_of(page: Page, about: About) -> dict[str, Any]:
    """Return the limits that an operator may tighten: in force, configured, and who tightened."""
    scale = about["price_decimals"], about["size_decimals"]
    found: dict[str, Any] = {}
    for name, code in NAMES.items():
        steps, configured = page["limit"][code], page["configured"][code]
        found[name] = {
            "value": limit_text(code, steps, *scale),
            "steps": steps,  # in the core's units
            "configured": limit_text(code, configured or steps, *scale),
            "tightened_by": page["tightened_by"][code] if configured else None,  # user id
        }
    return found


def orders_of(page: Page, about: About) -> list[dict[str, Any]]:
    """Return the orders that are not proven dead."""
    px, qty = about["price_decimals"], about["size_decimals"]
    return [
        {
            "id": order["id"],
            "side": facts.side_name(order["side"]),
            "state": facts.order_state(order["state"]),
            "price": text(order["px"], px),
            "size": text(order["qty"], qty),
            "filled": text(order["filled"], qty),
        }
        for order in page["orders"]
        if facts.is_alive(order["state"])
    ]


def table(status: Status) -> str:
    """Return a status for people, a line each."""
    halt = f"HALTED by {status['halt']}, id {status['halt_id']}" if status["halt"] else "no halt"
    asked = status["level_asked"]
    level = status["level"] + (f" ({asked} asked)" if asked != status["level"] else "")
    rows = [
        ("market", f"{status['market']} {status['symbol']}, {status['mode']}, {status['feed']},"
                   f" {status['strategy']}"),
        ("process", f"{status['pid']}, run {status['run']}, {status['state'].lower()}"),
        ("level", f"{level}; {halt}"),
        *((f"limit {name}", f"{limit['value']}, tightened from {limit['configured']} by user"
                            f" {limit['tightened_by']}")
          for name, limit in status["limits"].items() if limit["tightened_by"] is not None),
        *((("flattening", f"{status['position'].lstrip('-')} {status['symbol']} left"),)
          if status["flattening"] else ()),
        ("position", f"{status['position']} {status['symbol']}"),
        ("pnl", f"{status['pnl']}, today {status['pnl_today']}, unrealized {status['unrealized']}"),
        ("touch", f"{status['bid']} / {status['ask']}"),
        *((f"quote {side}", q["why_not"] or f"{q['size']} at {q['price']}")
          for side, q in status["quotes"].items()),
        *((f"order {o['id']}", f"{o['side']} {o['size']} at {o['price']}, {o['state']}")
          for o in status["orders"]),
        ("feed", f"{'stale' if status['feed_stale'] else 'fresh'}, {status['feed_age_ms']} ms,"
                 f" gaps {status['gaps']}"),
        *(("gateway", f"{g['state']}, breaker {status['connection']}, process {g['pid']}, start"
                      f" {g['starts']}, beat {g['beat_age_ms']} ms ago, differences"
                      f" {g['differences']}") for g in [status["gateway"]] if g),
        ("requests", f"{status['requests']}, fills {status['fills']}"),
        ("refused", _counts(status["refused"] | status["rejected"])),
        ("journal", f"{status['journal']}, {status['journal_durable']} of"
                    f" {status['journal_written']} records on disk"),
        *((("host", host.words(status["host"])),) if status["host"] else ()),
        *(("remark", remark) for remark in status["remarks"]),
    ]  # fmt: skip
    return "\n".join(f"{name:<11} {value}" for name, value in rows)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.items()) or "none"
