"""The screen of orderbook-tui as lines of text: a pure function of what is seen and what is wanted.

Colors are by name and repeat what words, order and bars say; the theme `plain` has none.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text

from bog import facts
from bog._core.types import Reject, Verdict
from bog.glance import BEAT_SEC
from bog.history import History
from bog.screen import health
from bog.sight import Book, Bot, Sight, seconds
from bog.snapshot import bar, signed, spread_words
from bog.units import half_text, text
from bog.view import duration, entry_text, ns_text, own_orders, quiet, state_name
from bog.view import signed as plus

DEPTH, DEPTH_MOST = 5, 50
TALL = 30  # lines from which the chart has five
SPARK = "▁▂▃▄▅▆▇█"
SPARKS = 30  # seconds of delay that are shown
KEYS = "q quit  p pause  m metrics  s spread  r reset  1-9 + - depth  ? help"
HELP = """\
q, Ctrl-C   quit
p           pause: the screen stands still; again: go on
m           metrics: counts of the feed; latency, requests, refusals of the bot
s           spread chart: a column a second, the widest spread in it
r           reset the statistics: spread, delay, counts, chart
1 to 9      levels a side
+ -         one level more, one fewer
?           this help; again: back

size and total are in the base asset, total adds up from the touch, ours is
what rests of the bot's orders. The bar is the size beside the largest shown.
imbalance   100 * (bids - asks) / (bids + asks) of the sizes shown
delay       from the venue's clock to the receipt here, longest of each second
feed        time since the feed's last sign of life; STALE: the past, and why"""

Style = dict[str, str]
_ROLES = ("bid", "ask", "mid", "own", "dim", "bold", "bad", "base")
THEMES: dict[str, Style] = {
    # the terminal's own palette and background
    "auto": dict(zip(_ROLES, ("green", "red", "bold yellow", "bold cyan", "dim", "bold",
                              "bold red", ""), strict=True)),
    "dark": dict(zip(_ROLES, ("#5fd787", "#ff8787", "bold #ffd75f", "bold #87d7ff", "#9e9e9e",
                              "bold #ffffff", "bold #ff5f5f", "#d0d0d0 on #121212"), strict=True)),
    "light": dict(zip(_ROLES, ("#006b2d", "#b00020", "bold #7a5500", "bold #004c99", "#5c5c5c",
                               "bold #000000", "bold #b00020", "#202020 on #ffffff"),
                      strict=True)),
    "plain": dict(zip(_ROLES, ("", "", "bold", "bold", "", "bold", "bold reverse", ""),
                      strict=True)),
}  # fmt: skip


class Wanted(NamedTuple):
    """What the person at the keyboard wants to see."""

    depth: int = DEPTH
    paused: bool = False
    metrics: bool = False
    chart: bool = False
    help: bool = False
    theme: str = "auto"


def draw(sight: Sight, history: History, wanted: Wanted, width: int, height: int) -> list[Text]:
    """Return exactly `height` lines of at most `width` columns; the last one names the keys."""
    style = THEMES[wanted.theme]
    if wanted.help:
        lines = [_words("orderbook-tui", style["bold"]), Text(), *map(Text, HELP.splitlines())]
    elif sight.book is None:
        lines = [_head(sight, wanted, style), Text()]
        lines += [_words(line, style["bad"]) for line in textwrap.wrap(sight.trouble, width - 1)]
        lines += [Text(), _words("waiting for one", style["dim"])]
    else:
        lines = _market(sight, sight.book, history, wanted, width, height)
    lines = [
        *lines[: height - 1],
        *[Text()] * (height - 1 - len(lines)),
        _words(KEYS, style["dim"]),
    ]
    for line in lines:
        line.no_wrap, line.overflow = True, "crop"
        line.truncate(width)
    return lines[-height:]


def _words(words: str, style: str) -> Text:
    """Return styled text. Not Text(words, style): a renderer may leave out the style of a whole."""
    return Text().append(words, style)


def _market(
    sight: Sight, book: Book, history: History, wanted: Wanted, width: int, height: int
) -> list[Text]:
    style = THEMES[wanted.theme]
    below = [_numbers(book, history, style), *_bot(sight, book, style, width)]
    if wanted.metrics:
        below.append(_metrics(sight, book, history, style, width))
    if wanted.chart:
        below.append(_chart(history, style, width, 5 if height >= TALL else 3))
    # a blank line above each part, where the levels leave room for it
    lines = height - 4 - sum(map(len, below))  # head, heading, middle and keys aside
    spaced = lines - len(below) >= 2 * wanted.depth
    room = lines - len(below) * spaced
    rows = [_head(sight, wanted, style)]
    rows += _ladder(sight, book, history, wanted, style, width, max(1, room // 2))
    for part in below:
        rows += [Text()] * spaced + part
    return rows


def _head(sight: Sight, wanted: Wanted, style: Style) -> Text:
    book = sight.book
    if book is None:
        return _words("NO FEED", style["bad"])
    line = _words(f"market {book.market}  sequence {book.sequence}  ", style["bold"])
    if book.stale:
        line.append(f"STALE {seconds(book.age_ns)}: {book.stale}", style["bad"])
    else:
        line.append(f"feed {seconds(book.age_ns)}  FRESH", style["bid"])
    if wanted.paused:
        line.append("  PAUSED", style["mid"])
    return line


# the ladder


def _ladder(
    sight: Sight, book: Book, history: History, wanted: Wanted, style: Style, width: int, fits: int
) -> list[Text]:
    """Return the heading, asks, middle and bids: the levels that are wanted, as many as fit."""
    depth = min(wanted.depth, fits)
    px, qty = book.price_decimals, book.size_decimals
    sides = [
        _side(sight.bot, side, levels, depth) for side, levels in ((0, book.bids), (1, book.asks))
    ]
    most = max((lots for rows in sides for _, lots, _ in rows), default=0)
    fewer = f", {depth} fit" if depth < wanted.depth else ""
    heading = f"    {'price':>13}{'size':>14}{'total':>14}{'ours':>12}  depth {wanted.depth}{fewer}"
    lines = [_words(heading, style["dim"])]
    asks = _rows("ask", sides[1], book, style, most, width)
    lines += [Text()] * (depth - len(asks)) + asks[::-1]
    middle = half_text(book.mid2, px) if book.mid2 else "-"
    line = _words(f"mid {middle:>13}  {spread_words(book)}", style["mid"])
    if history.trade:
        price, lots, side = history.trade
        line.append(f"   last {text(price, px)} {facts.side_name(side)} {text(lots, qty)}")
    bids = _rows("bid", sides[0], book, style, most, width)
    return [*lines, line, *bids, *[Text()] * (depth - len(bids))]


Row = tuple[int, int, int]  # price, size in the book, size of ours


def _side(bot: Bot | None, side: int, levels: Sequence[tuple[int, int]], depth: int) -> list[Row]:
    """Return the best levels of a side, and between them prices at which only orders of ours stand."""
    ours: dict[int, int] = {}
    for order in own_orders(bot.page, side) if bot else ():
        ours[order["px"]] = ours.get(order["px"], 0) + order["qty"] - order["filled"]
    book = dict(levels)
    prices = sorted(book.keys() | ours.keys(), reverse=side == 0)
    return [(price, book.get(price, 0), ours.get(price, 0)) for price in prices[:depth]]


def _rows(
    name: str, rows: list[Row], book: Book, style: Style, most: int, width: int
) -> list[Text]:
    px, qty, total, lines = book.price_decimals, book.size_decimals, 0, []
    for price, lots, own in rows:
        total += lots
        line = _words(f"{name} {text(price, px):>13}", style[name])
        size = text(lots, qty) if lots else "-"  # a price at which we alone stand, on paper
        line.append(f"{size:>14}{text(total, qty):>14}", style["base"])
        line.append(f"{text(own, qty) if own else '':>12}  ", style["own"])
        lines.append(line.append(bar(lots, most, max(1, width - 60)), style[name]))
    return lines


# what is made of it


def _numbers(book: Book, history: History, style: Style) -> list[Text]:
    """Return imbalance, depth, spread and delay, a line each."""
    px, qty = book.price_decimals, book.size_decimals
    depth = Text(f"{'depth':11}")
    for name, levels in (("bid", book.bids), ("ask", book.asks)):
        usd = sum(p * q for p, q in levels) // 10 ** (px + qty)
        depth.append(f"{name}s {text(sum(q for _, q in levels), qty)} ({usd} USD)  ", style[name])
    depth.append(f"of {book.standing[0]}/{book.standing[1]}", style["dim"])
    least, mean, most = (
        text(n, 4) for n in (history.spread_least, history.spread_mean_e4, history.spread_most)
    )
    spread = f"{'spread':11}least {least} mean {mean} most {most} bps"
    watched = Text(f"{spread}  in {duration(history.elapsed_sec)}")
    if history.delay_ns is None:
        unknown = f"{'delay':11}not known: no message with a venue's time yet"
        return [_balance(book, style), depth, watched, _words(unknown, style["dim"])]
    delays = history.delays(SPARKS)
    longest = max((delay for delay in delays if delay is not None), default=0)
    delay = Text(f"{'delay':11}{ns_text(max(0, history.delay_ns)):>8}  ")
    delay.append(sparkline(delays), style["mid"])
    delay.append(f"  most {ns_text(max(0, longest))} in {SPARKS} s")
    return [_balance(book, style), depth, watched, delay]


def _balance(book: Book, style: Style) -> Text:
    """Return the imbalance as a number and a gauge: bids grow from its left, asks from its right."""
    line = Text(f"{'imbalance':11}{signed(book.imbalance):>6} %  bids ")
    bid, ask = book.total
    if not bid + ask:
        return line
    share = (20 * bid + (bid + ask) // 2) // (bid + ask)
    line.append("█" * share, style["bid"]).append("░" * (20 - share), style["ask"])
    return line.append(" asks")


def sparkline(values: Sequence[int | None]) -> str:
    """Return a column for each value, from 0 to the largest; a blank where there is none."""
    most = max((value for value in values if value is not None), default=0)
    return "".join(
        " " if value is None else SPARK[min(7, max(0, value) * 8 // most if most > 0 else 0)]
        for value in values
    )


def _chart(history: History, style: Style, width: int, height: int) -> list[Text]:
    """Return the widest spread of each second as columns over a common zero."""
    columns = history.spreads(max(10, width - 12))
    most = max((value for value in columns if value is not None), default=0)
    lines = [
        _words("spread, bps: the widest of each second, the newest on the right", style["dim"])
    ]
    for row in reversed(range(height)):
        cells = []
        for value in columns:
            eighths = (value or 0) * height * 8 // most - 8 * row if most > 0 else 0
            cells.append((" " + SPARK)[max(0, min(8, eighths))])
        line = _words(f"{text(most * (row + 1) // height, 4):>10} ", style["dim"])
        lines.append(line.append("".join(cells), style["mid"]))
    return lines


# the bot


def _bot(sight: Sight, book: Book, style: Style, width: int) -> list[list[Text]]:
    """Return what a running bot says of itself: state, money, breakers and limiter, orders."""
    if sight.bot is None:
        return [[_words(sight.bot_trouble, style["bad"])]] if sight.bot_trouble else []
    px, qty = book.price_decimals, book.size_decimals
    page, money = sight.bot.page, px + qty
    state = state_name(page)
    if sight.bot.beat_age_ns > BEAT_SEC * 1e9:
        state = f"ENGINE SILENT {seconds(sight.bot.beat_age_ns)}"
    head = _words(f"bot {sight.bot.pid}  run {page['run']}  ", style["bold"])
    head.append(state, style["bid"] if state == "RUN" else style["bad"])
    head.append(f"  strategy {facts.strategy_state(page['strategy'])}")
    if sight.bot_trouble:
        head.append(f"  and {sight.bot_trouble}", style["mid"])
    held = page["position"]
    halt = f"HALTED {facts.halt_name(page['halt'])}" if page["halt"] else "no halt"
    quota = f" quota {page['quota']}" if page["quota"] else ""
    here = page["denied"][Verdict.DENY_RATE]
    venue = page["rejected"][Reject.REJ_RATE] + page["rejected"][Reject.REJ_QUOTA]
    return [
        [
            head,
            Text(
                f"position   {text(held['pos'], qty)} at {entry_text(held['cost'], held['pos'], px)}"
                f"  pnl {plus(half_text(page['equity2'], money))}"
                f"  today {plus(half_text(page['daily2'], money))}  fills {page['fills']}"
            ),
            Text(
                f"breaker    {halt}, violations {page['violations']}  connection"
                f" {facts.connection_name(page['connection'])}  limiter{quota} refused {here + venue}"
            ),
            _orders(page, 1, "ask", book, style, width),
            _orders(page, 0, "bid", book, style, width),
        ]
    ]


def _orders(page: facts.Page, side: int, name: str, book: Book, style: Style, width: int) -> Text:
    """Return our orders on a side, the nearest to a fill first, or why there are none."""
    px, qty = book.price_decimals, book.size_decimals
    line = _words(f"our {name:7}", style[name])
    orders = own_orders(page, side)
    if not orders:
        return line.append(f"none: {quiet(page, side)}", style["mid"])
    for i, order in enumerate(orders):
        words = f"{text(order['qty'] - order['filled'], qty)} at {text(order['px'], px)}"
        words += f" {facts.order_state(order['state'])}"
        if i and len(line) + len(words) > width - 12:
            return line.append(f"  and {len(orders) - i} more")
        line.append(("  " if i else "") + words, style["own"])
    return line


def _metrics(sight: Sight, book: Book, history: History, style: Style, width: int) -> list[Text]:
    """Return the panel that `m` shows: the feed as seen from here, and the bot's own figures."""
    rate = history.updates / history.elapsed_sec if history.elapsed_sec > 0 else 0.0
    lines = [
        Text(
            f"frames {history.frames}  messages {history.updates} at {rate:.1f}/s"
            f"  epoch {book.epoch}  restarts {history.restarts}"
            f"  unchanged {seconds(book.still_ns)}"
        )
    ]
    if sight.bot is not None:
        page = sight.bot.page
        age = max(0, page["now_ns"] - page["alive_ns"]) / 1e6 if page["alive_ns"] else 0.0
        for line in health(page, age):
            parts = line.plain.split("; ") if len(line) > width else [line.plain]
            lines += [_words(part, style["mid"] if line.style else "") for part in parts]
    return lines
