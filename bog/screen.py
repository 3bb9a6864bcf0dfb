"""The live screen of a running bot: a page of 80 x 24, drawn by rich. NO_COLOR is honored."""

from __future__ import annotations

from decimal import Decimal
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from bog import facts
from bog.facts import About, Latency, Page
from bog.units import half_text, plain, text
from bog.view import (
    Status,
    best_order,
    duration,
    entry_text,
    equity,
    ns_text,
    own_orders,
    quiet,
    requests,
    signed,
    state_name,
)

WIDTH = 79  # one less than a terminal: some wrap when the last column is written
FILLS = 5


def live_on(stream: TextIO) -> Live:
    """Return a live display on `stream` that is drawn when it is told to."""
    return Live(console=Console(file=stream, highlight=False), auto_refresh=False, screen=False)


def draw(states: list[Status]) -> Group:
    """Return the screen of one market, or of several."""
    return screen(states[0]) if len(states) == 1 else screen_of_many(states)


def _strategy(about: About, page: Page) -> str:
    """Return what the strategy does and, when it has a model, by which numbers: ticks and seconds."""
    words = f"strategy {about['strategy']} {facts.strategy_state(page['strategy'])}"
    half, skew, sigma, arrivals, decay, fit = (n / 65536 for n in page["number_q16"])
    if sigma:
        words += (
            f"  half {half:.1f} skew {skew:.1f} sigma {sigma:.1f}"
            f"  A {arrivals:.2f} k {decay:.3f} {facts.fit_name(int(fit))}"
        )
    return words


def screen(status: Status) -> Group:
    """Return the whole screen, at most 23 lines of 79 columns."""
    about, page = status["about"], status["page"]
    quotes = _quotes(about, page)
    lines = [
        *_head(status),
        Text(_strategy(about, page), style="dim"),
        *_money(about, page),
        Text(),
        *quotes,
        Text(),
    ]
    fills = FILLS + 3 - len(quotes)  # a grid's further orders take their lines from the fills
    lines += [
        *_fills(about, page, fills),
        *health(page, status["feed_age_ms"]),
        Text(status["note"], style="dim"),
    ]
    for one in lines:
        one.no_wrap, one.overflow = True, "crop"
        one.truncate(WIDTH)
    return Group(*lines)


MARKETS = 16  # that fit on a screen; the rest is counted


def screen_of_many(states: list[Status]) -> Group:
    """Return the screen of several markets: a line each, and what they make together."""
    first = states[0]
    about = first["about"]
    title = f"bog {len(states)} markets  {about['mode']}  {duration(first['elapsed_sec'])}"
    head = f"{'market':10} {'position':>11} {'pnl':>12} {'bid':>11} {'ask':>11} {'fills':>6}  state"
    lines = [
        Text(title, style="bold"),
        Text(f"tier {about['tier']}  fills {about['fill_model']}", style="dim"),
        Text(),
        Text(head, style="dim"),
        *map(_row, states[:MARKETS]),
    ]
    if len(states) > MARKETS:
        lines.append(
            Text(f"and {len(states) - MARKETS} more: the log and the report have them all")
        )
    fills = sum(one["page"]["fills"] for one in states)
    sent = sum(requests(one["page"]) for one in states)
    total = signed(plain(sum(map(equity, states), Decimal(0))))
    lines.append(Text(f"together  pnl {total}  fills {fills}  requests {sent}"))
    lines.append(Text(next((s["note"] for s in states if "no feed" in s["note"]), first["note"]),
                      style="dim"))  # fmt: skip
    for one in lines:
        one.no_wrap, one.overflow = True, "crop"
        one.truncate(WIDTH)
    return Group(*lines)


def _row(status: Status) -> Text:
    about, page = status["about"], status["page"]
    ours = [best_order(page, side) for side in (0, 1)]
    prices = [text(o["px"], about["price_decimals"]) if o else "-" for o in ours]
    state = state_name(page)
    quiet_sides = {quiet(page, side) for side in (0, 1) if ours[side] is None}
    row = Text(f"{about['market']:<3} {about['symbol']:6.6} ")
    row.append(f"{text(page['position']['pos'], about['size_decimals']):>11} ")
    row.append(
        f"{signed(plain(equity(status))):>12} ", style="red" if page["equity2"] < 0 else "green"
    )
    row.append(f"{prices[0]:>11} {prices[1]:>11} {page['fills']:>6}  ")
    row.append(state, style="green" if state == "RUN" else "yellow")
    return row.append(f" {' '.join(sorted(quiet_sides))}", style="dim")


def _head(status: Status) -> list[Text]:
    about, page = status["about"], status["page"]
    state = state_name(page)
    style = "bold green" if state == "RUN" else "bold yellow" if not page["halt"] else "bold red"
    title = f"bog {about['symbol']} market {about['market']}  {about['mode']}  run {page['run']}"
    head = Text(f"{title}  {duration(status['elapsed_sec'])}  ", style="bold")
    return [
        head.append(state, style=style),
        Text(
            f"feed {about['feed']} seed {about['seed']}  tier {about['tier']}"
            f"  fills {about['fill_model']}",
            style="dim",
        ),
    ]


def _money(about: About, page: Page) -> list[Text]:
    decimals = about["price_decimals"], about["size_decimals"]
    money, p = sum(decimals), page["position"]
    m = page["measure"]
    equity = signed(half_text(page["equity2"], money))
    style = "red" if page["equity2"] < 0 else "green"
    first = Text(f"position {text(p['pos'], decimals[1]):>14}   ")
    first.append(f"entry {entry_text(p['cost'], p['pos'], decimals[0]):>12}   ")
    first.append(f"mark {half_text(page['mark2'], decimals[0]):>12}")
    second = Text("pnl      ").append(f"{equity:>14}", style=style)
    second.append(f"   realized {signed(text(p['realized'], money))}")
    second.append(f"  unrealized {signed(half_text(page['unrealized2'], money))}")
    third = Text(f"today    {signed(half_text(page['daily2'], money)):>14}")
    third.append(f"   fees {text(p['fees'], money)}  funding {text(p['funding'], money)}")
    fourth = Text(
        f"this run        capture {signed(half_text(m['capture'], money))}"
        f"  inventory {signed(half_text(m['inventory'], money))}"
    )
    return [first, second, third, fourth]


def _quotes(about: About, page: Page) -> list[Text]:
    px_decimals, qty_decimals = about["price_decimals"], about["size_decimals"]
    rows = [Text(f"{'':5}{'market':>12} {'size':>11}  {'ours':>12} {'size':>11}  off", style="dim")]
    for side, name, color in ((1, "ask", "red"), (0, "bid", "green")):
        px, qty = (page["ask"], page["ask_qty"]) if side else (page["bid"], page["bid_qty"])
        row = Text(f"{name:5}", style=color)
        row.append(f"{text(px, px_decimals):>12} {text(qty, qty_decimals):>11}  ")
        ours = best_order(page, side)
        if ours is not None:
            off = ours["px"] - px if side else px - ours["px"]
            row.append(f"{text(ours['px'], px_decimals):>12}", style="bold")
            row.append(f" {text(ours['qty'] - ours['filled'], qty_decimals):>11}  {off:+} ticks")
            row.append(f"  {facts.order_state(ours['state'])}", style="dim")
        else:
            row.append(f"{'none:':>12} {quiet(page, side)}", style="yellow")
        rows.append(row)
        behind = own_orders(page, side)[1:]
        if behind:
            size = text(sum(o["qty"] - o["filled"] for o in behind), qty_decimals)
            prices = [text(o["px"], px_decimals) for o in behind]
            head, all_of_them = f"     and {len(behind)} more, {size}: ", " ".join(prices)
            if len(head + all_of_them) > WIDTH:
                all_of_them = f"{prices[0]} to {prices[-1]}"
            row = Text(head + all_of_them, style=color)
            if side:
                rows.insert(1, row)  # above the ask, as in a book
            else:
                rows.append(row)
    return rows


def _fills(about: About, page: Page, count: int) -> list[Text]:
    px_decimals, qty_decimals = about["price_decimals"], about["size_decimals"]
    rows = [Text(f"last fills (model: {about['fill_model']})", style="dim")]
    for fill in page["recent_fills"][: -count - 1 : -1]:
        ago = duration((page["now_ns"] - fill["time_ns"]) / 1e9)
        row = Text(f"  {ago} ago  ")
        row.append(f"{facts.side_name(fill['side']):4}", style="red" if fill["side"] else "green")
        row.append(f" {text(fill['qty'], qty_decimals):>11} at {text(fill['px'], px_decimals):>12}")
        fee = text(fill["fee"], px_decimals + qty_decimals)
        row.append(f"  {facts.fill_reason(fill['reason'])}  fee {fee}")
        rows.append(row)
    return rows + [Text() for _ in range(count + 1 - len(rows))]


def _percentiles(name: str, h: Latency) -> str:
    if not h["count"]:
        return f"{name} none yet"
    return f"{name} {ns_text(h['p50'])} / {ns_text(h['p99'])} / {ns_text(h['p999'])}"


def health(page: Page, feed_age_ms: float) -> list[Text]:
    """Return latency, requests, refusals and the feed of a bot, a line each."""
    gate = facts.counted(page["denied"], facts.verdict_name)
    venue = facts.counted(page["rejected"], facts.reject_name)
    refused = sorted((gate | venue).items(), key=lambda item: -item[1])
    reasons = "  ".join(f"{name} {n}" for name, n in refused) or "none"
    return [
        Text(
            f"latency p50/p99/p99.9: {_percentiles('tick', page['turn'])}; "
            f"{_percentiles('with orders', page['order_turn'])}"
        ),
        Text(
            f"requests {requests(page)} (place {page['placed']} amend {page['amended']}"
            f" cancel {page['canceled']})  fills {page['fills']}  journal"
            f" {page['journal_durable']}/{page['journal_seq']}"
        ),
        Text(f"refused {reasons}", style="yellow" if refused else ""),
        Text(
            f"feed {'stale' if page['stale'] else 'fresh'} {feed_age_ms:.0f} ms"
            f"  books {page['books']}  prints {page['trades']}  gaps {page['gaps']}"
            f"  laps {page['laps']}",
            style="yellow" if page["stale"] else "",
        ),
    ]
