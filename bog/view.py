"""The screen of a running bot: a page of 80 x 24, or a plain line now and then without a terminal.

Draws from one `Status`, four times a second at most. NO_COLOR is honored.
"""

from __future__ import annotations

import os
import sys
import time
from decimal import Decimal
from types import TracebackType
from typing import Self, TextIO, TypedDict

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from bog import facts
from bog.facts import About, Latency, Order, Page
from bog.out import tell
from bog.units import half_text, plain, text

WIDTH = 79  # one less than a terminal: some wrap when the last column is written
FRAME_SEC = 0.25
LINE_SEC = 5.0
FILLS = 5


class Status(TypedDict):
    """What the screen shows: settings, the engine's page, and what only the shell knows."""

    about: About
    page: Page
    elapsed_sec: float  # since the start, by the wall clock
    feed_age_ms: float  # since the feed was last known alive, by the engine's clock
    note: str  # one line for the foot: "Ctrl-C drains and prints a report"


class Watch:
    """Shows a run: a live screen on a terminal, else one plain line every few seconds.

    Use as a context manager and call `update` as often as there is something new; it keeps the pace
    itself. `now` gives seconds of a clock that never goes back.
    """

    def __init__(self, stream: TextIO | None = None, live: bool | None = None) -> None:
        self.stream = stream or sys.stdout
        terminal = self.stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.live: Live | None = None
        if terminal if live is None else live:
            console = Console(file=self.stream, highlight=False)
            self.live = Live(console=console, auto_refresh=False, screen=False)
        self.next_sec = 0.0

    def __enter__(self) -> Self:
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live is not None:
            self.live.stop()

    def update(self, states: list[Status], last: bool = False) -> bool:
        """Show the states, one a market, when it is time to, or they are the `last` ones.

        Return whether they were shown.
        """
        now = time.monotonic()
        if now < self.next_sec and not last:
            return False
        self.next_sec = now + (FRAME_SEC if self.live is not None else LINE_SEC)
        if self.live is not None:
            one = screen(states[0]) if len(states) == 1 else screen_of_many(states)
            try:
                self.live.update(one, refresh=True)
            except OSError:  # the terminal is gone: what follows goes nowhere, and trading goes on
                self.live = None
        else:
            tell("\n".join(map(line, states)), self.stream)
        return True


def duration(sec: float) -> str:
    """Return a duration as h:mm:ss."""
    minutes, seconds = divmod(int(sec), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def ns_text(ns: int) -> str:
    """Return nanoseconds in a unit that fits: 850 ns, 12.3 us, 4.0 ms."""
    for unit, scale in (("ns", 1), ("us", 1_000), ("ms", 1_000_000)):
        if ns < 1000 * scale:
            return f"{ns} ns" if scale == 1 else f"{ns / scale:.1f} {unit}"
    return f"{ns / 1_000_000_000:.1f} s"


def signed(number: str) -> str:
    """Return a decimal with a plus in front when it is above zero."""
    return f"+{number}" if number.strip("0.") and not number.startswith("-") else number


def entry_text(cost: int, pos: int, price_decimals: int) -> str:
    """Return the average entry price with one digit more than the tick, rounded; "-" when flat."""
    if pos == 0:
        return "-"
    tenths = (2 * 10 * cost + pos) // (2 * pos) if pos > 0 else (2 * 10 * -cost - pos) // (-2 * pos)
    return text(tenths, price_decimals + 1)


def line(status: Status) -> str:
    """Return the state in one plain line, for a pipe or a log."""
    about, page = status["about"], status["page"]
    money = about["price_decimals"] + about["size_decimals"]
    position = text(page["position"]["pos"], about["size_decimals"])
    quotes = "/".join(
        text(ours["px"], about["price_decimals"]) + count_text(page, side)
        if ours
        else quiet(page, side)
        for side in (0, 1)
        for ours in [best_order(page, side)]
    )
    equity = signed(half_text(page["equity2"], money))
    return (
        f"{duration(status['elapsed_sec'])} {about['symbol']} {_state(page)} position {position} "
        f"pnl {equity} quotes {quotes} fills {page['fills']} requests {requests(page)} "
        f"feed {status['feed_age_ms']:.0f} ms"
    )


def requests(page: Page) -> int:
    """Return how many commands left the engine."""
    return page["placed"] + page["amended"] + page["canceled"] + page["cancel_all"]


def own_orders(page: Page, side: int) -> list[Order]:
    """Return our orders on a side, the nearest to a fill first, dead ones aside."""
    alive = [o for o in page["orders"] if o["side"] == side and facts.is_alive(o["state"])]
    return sorted(alive, key=lambda o: o["px"] if side else -o["px"])


def best_order(page: Page, side: int) -> Order | None:
    """Return the order of ours that is nearest to a fill; None without one."""
    return next(iter(own_orders(page, side)), None)


def count_text(page: Page, side: int) -> str:
    """Return " x 3" for three orders of ours on a side, nothing for one."""
    n = len(own_orders(page, side))
    return f" x {n}" if n > 1 else ""


def quiet(page: Page, side: int) -> str:
    """Return why no order of ours stands on a side."""
    return facts.why_name(page["why"][side] or facts.WAITING)


def _state(page: Page) -> str:
    if page["halt"]:
        return f"HALTED {facts.halt_name(page['halt'])} (id {page['halt_id']})"
    return "STALE" if page["stale"] else facts.level_name(page["level"])


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
    lines += [*_fills(about, page, fills), *_health(status), Text(status["note"], style="dim")]
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


def equity(status: Status) -> Decimal:
    """Return what a market earned at its mark, in quote."""
    about, page = status["about"], status["page"]
    return Decimal(half_text(page["equity2"], about["price_decimals"] + about["size_decimals"]))


def _row(status: Status) -> Text:
    about, page = status["about"], status["page"]
    ours = [best_order(page, side) for side in (0, 1)]
    prices = [text(o["px"], about["price_decimals"]) if o else "-" for o in ours]
    state = _state(page)
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
    state = _state(page)
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


def _health(status: Status) -> list[Text]:
    page = status["page"]
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
            f"feed {'stale' if page['stale'] else 'fresh'} {status['feed_age_ms']:.0f} ms"
            f"  books {page['books']}  prints {page['trades']}  gaps {page['gaps']}"
            f"  laps {page['laps']}",
            style="yellow" if page["stale"] else "",
        ),
    ]
