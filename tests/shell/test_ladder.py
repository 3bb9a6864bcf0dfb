"""The screen of orderbook-tui as text: it fits, says what matters, and means the same without color.

The screens in tests/data/ladder are compared whole. `BOG_SNAPSHOTS=write` writes them anew.
"""

import html
import io
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from bog.history import History
from bog.ladder import HELP, KEYS, THEMES, Wanted, draw, sparkline
from bog.sight import Book, Bot, Sight
from bog.units import text
from tests.shell import factory

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "ladder"
BIDS = tuple(
    (1_210_443 - 2 * i - i * i % 3, 30_789 + 7919 * i * (i + 3) % 90_000) for i in range(50)
)
ASKS = tuple(
    (1_210_477 + 3 * i + i * i % 2, 55_499 + 6007 * i * (i + 5) % 99_000) for i in range(50)
)


def book(levels: int = 5, **changed: Any) -> Book:
    return factory.book(
        **{"bids": BIDS[:levels], "asks": ASKS[:levels], "standing": (873, 923)} | changed
    )


def bot(**changed: Any) -> Bot:
    orders = [factory.order(state=3, px=1_210_443, qty=1000, filled=0),
              factory.order(state=3, px=1_210_478, side=1, qty=1000, filled=250),
              factory.order(state=3, px=1_210_690, side=1, qty=1000, filled=0)]  # fmt: skip
    return Bot(4711, factory.page(**{"orders": orders} | changed), 12_000_000)


def watched(seconds: int = 40) -> History:
    """Return what a market did for a while: spreads and delays that rise and fall."""
    history = History()
    for i in range(10 * seconds):
        received = 1_769_860_800_000_000_000 + i * 100_000_000
        history.add(
            book(
                1, sequence=1000 + 8 * i, read_ns=received + 1_000_000, received_ns=received,
                exchange_ns=received - 28_000_000 - i // 10 % 7 * 9_000_000,
                asks=((1_210_477 + i // 10 % 11 * 4, 5),),
                trade=(1_210_450, 2115, 0) if i % 9 == 0 else None,
            )
        )  # fmt: skip
    return history


def screen(
    width: int,
    height: int,
    sight: Sight | None = None,
    history: History | None = None,
    **wanted: Any,
) -> list[str]:
    sight = sight or Sight(book(wanted.get("depth", 5)), "", bot())
    lines = draw(sight, history or watched(), Wanted(**wanted), width, height)
    assert len(lines) == height
    assert all(line.cell_len <= width for line in lines)
    return [line.plain.rstrip() for line in lines]


def same(name: str, found: str) -> None:
    path = DATA / name
    if os.environ.get("BOG_SNAPSHOTS") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(found)
    assert found == path.read_text(), f"{name}: see the first line of this file"


@pytest.mark.parametrize(("width", "height", "panels"), [(80, 24, False), (120, 40, True)])
@pytest.mark.parametrize("theme", THEMES)
def test_the_screen_is_the_one_on_file(width: int, height: int, panels: bool, theme: str) -> None:
    wanted = Wanted(metrics=panels, chart=panels, theme=theme, depth=9 if panels else 5)
    lines = draw(Sight(book(wanted.depth), "", bot()), watched(), wanted, width, height)
    # the words are the same in every theme, so that none of them needs its colors
    same(f"{width}x{height}.txt", "\n".join(line.plain.rstrip() for line in lines) + "\n")
    same(
        f"{width}x{height}-{theme}.markup", "\n".join(line.markup.rstrip() for line in lines) + "\n"
    )


def test_the_documents_show_the_screen_on_file() -> None:
    assert (DATA / "80x24.txt").read_text() in (ROOT / "docs" / "operations.md").read_text()


def picture(lines: list[Text]) -> str:
    """Return lines of the dark theme as an SVG that asks no network for its font."""
    pen = Console(record=True, width=120, file=io.StringIO(), force_terminal=True)
    for line in lines:
        pen.print(line, crop=False)
    title = "orderbook-tui --market 1 --levels 9 --metrics --chart"
    svg = pen.export_svg(title=title, theme=DIMMED_MONOKAI, unique_id="bog")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "monospace")
    return "".join(line.rstrip() + "\n" for line in svg.splitlines())


def words_of(svg: str) -> list[str]:
    return [html.unescape(words) for words in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def test_the_picture_in_the_documents_is_the_screen() -> None:
    wanted = Wanted(metrics=True, chart=True, theme="dark", depth=9)
    found = picture(draw(Sight(book(9), "", bot()), watched(), wanted, 120, 40))
    path = ROOT / "docs" / "orderbook-tui.svg"
    if os.environ.get("BOG_SNAPSHOTS") == "write":
        path.write_text(found)
    assert words_of(found) == words_of(path.read_text())
    assert 'url("' not in found
    for page in ("README.md", "docs/operations.md"):
        assert "orderbook-tui.svg" in (ROOT / page).read_text()


def test_the_ladder_has_asks_above_the_middle_and_bids_below() -> None:
    lines = screen(80, 24)
    assert [line.split()[0] for line in lines[2:13]] == ["ask"] * 5 + ["mid"] + ["bid"] * 5
    assert lines[7].startswith(
        "mid      121046.0  spread 3.4 USD  0.2809 bps   last 121045.0 buy 0.02115"
    )
    prices = [float(line.split()[1]) for line in lines[2:13]]
    assert prices == sorted(prices, reverse=True)


def test_our_orders_stand_in_the_ladder_even_where_nobody_else_does() -> None:
    lines = screen(80, 24)
    (bid,) = (line for line in lines if line.startswith("bid      121044.3"))
    assert bid.split()[2:5] == ["0.30789", "0.30789", "0.01000"]
    (ask,) = (line for line in lines if line.startswith("ask      121047.8"))
    assert ask.split()[2:5] == ["-", "0.55499", "0.00750"]
    assert "our ask    0.00750 at 121047.8 resting  0.01000 at 121069.0 resting" in lines
    assert "our bid    0.01000 at 121044.3 resting" in lines


def test_the_bot_says_state_money_breaker_and_limiter() -> None:
    lines = screen(80, 24)
    assert "bot 4711  run 3  RUN  strategy active" in lines
    assert "position   0.00000 at -  pnl +0.0000205  today -0.0000015  fills 2" in lines
    # 12 refused by the rate limiter of the gate
    assert "breaker    no halt, violations 0  connection closed  limiter refused 12" in lines
    halted = screen(80, 24, Sight(book(), "", bot(halt=1, halt_id=4, orders=[])))
    assert any(re.fullmatch(r"bot 4711  run 3  HALTED \w+ \(id 4\)  strategy active", line)
               for line in halted)  # fmt: skip
    assert "our ask    none: inventory" in halted
    silent = Sight(book(), "", bot()._replace(beat_age_ns=3_200_000_000))
    assert "bot 4711  run 3  ENGINE SILENT 3.2 s  strategy active" in screen(80, 24, silent)
    broken = Sight(book(), "", None, "a bot runs, and its page is not read: another version")
    assert broken.bot_trouble in screen(80, 24, broken)


def test_a_stale_feed_is_called_stale_with_its_age_and_reason() -> None:
    sight = Sight(book(stale="its writer has ended, 3.2 s ago", age_ns=3_200_000_000), "")
    assert screen(80, 24, sight)[0] == (
        "market 1  sequence 123456  STALE 3.2 s: its writer has ended, 3.2 s ago"
    )
    (head, *_) = draw(sight, History(), Wanted(theme="dark"), 80, 24)
    assert any(span.style == THEMES["dark"]["bad"] and "STALE" in head.plain[span.start : span.end]
               for span in head.spans)  # fmt: skip


def test_no_feed_says_how_to_start_one_and_still_names_the_keys() -> None:
    trouble = "no feed of market 1: hg_m1000001 does not exist; start one: bog-feed --market 1"
    lines = screen(40, 12, Sight(None, trouble))
    assert lines[0] == "NO FEED"
    assert trouble in " ".join(lines)
    assert lines[-1] == KEYS[:40].rstrip()


@pytest.mark.parametrize("metrics", [False, True])
@pytest.mark.parametrize("chart", [False, True])
def test_panels_take_their_lines_from_the_levels(metrics: bool, chart: bool) -> None:
    lines = screen(80, 24, metrics=metrics, chart=chart)
    levels = sum(line.startswith("ask ") for line in lines)
    assert (
        levels
        == {(False, False): 5, (True, False): 3, (False, True): 3, (True, True): 1}[metrics, chart]
    )
    assert (levels < 5) == (f"{levels} fit" in lines[1])
    assert any(line.startswith("frames ") for line in lines) == metrics
    assert any(line.startswith("spread, bps") for line in lines) == chart


def test_help_explains_each_key() -> None:
    lines = screen(80, 24, help=True)
    assert all(line in lines for line in HELP.splitlines())
    for key in ("q", "Ctrl-C", "p ", "m ", "s ", "r ", "1 to 9", "+ -", "?"):
        assert key in HELP


def test_a_crossed_and_an_empty_book_are_drawn() -> None:
    assert "CROSSED" in screen(80, 24, Sight(book(bids=((1_210_500, 7),)), ""))[7]
    empty = screen(80, 24, Sight(book(bids=(), asks=()), ""), History())
    assert "mid             -  no bids and no asks" in empty


@given(st.integers(1, 200), st.integers(1, 60), st.integers(1, 50), st.booleans(), st.booleans(),
       st.booleans())  # fmt: skip
def test_law_every_terminal_gets_a_screen_of_its_size(
    width: int, height: int, depth: int, metrics: bool, chart: bool, paused: bool
) -> None:
    screen(width, height, history=HISTORY, depth=depth, metrics=metrics, chart=chart,
           paused=paused)  # fmt: skip


HISTORY = watched(3)


@given(st.lists(st.none() | st.integers(0, 10**12), max_size=40))
def test_law_a_sparkline_has_a_column_for_each_value(values: list[int | None]) -> None:
    drawn = sparkline(values)
    assert len(drawn) == len(values)
    assert [column == " " for column in drawn] == [value is None for value in values]
    pairs = [
        (value, column) for value, column in zip(values, drawn, strict=True) if value is not None
    ]
    assert [column for _, column in sorted(pairs)] == sorted(column for _, column in pairs)


def test_plain_has_no_color() -> None:
    for line in draw(Sight(book(), "", bot()), watched(), Wanted(theme="plain", metrics=True,
                     chart=True), 120, 40):  # fmt: skip
        styles = [line.style, *(span.style for span in line.spans)]
        assert all(style in ("", "bold", "bold reverse") for style in styles), line


def test_colors_mean_sides() -> None:
    style = THEMES["dark"]
    lines = draw(Sight(book(), ""), History(), Wanted(theme="dark"), 80, 24)

    for name, rows in (("ask", lines[2:7]), ("mid", lines[7:8]), ("bid", lines[8:13])):
        assert {str(row.spans[0].style) for row in rows} == {style[name]}


def test_statistics_are_of_what_was_seen_and_a_reset_forgets_them() -> None:
    history = History()
    start = 1_769_860_800_000_000_000
    for i, (spread, epoch) in enumerate(((3, 1), (9, 1), (3, 1), (5, 2))):
        now = start + i * 1_000_000_000
        history.add(
            factory.book(
                bids=((1000, 1),), asks=((1000 + spread, 1),), read_ns=now, received_ns=now,
                exchange_ns=now - (i + 1) * 1_000_000, sequence=10 + 4 * i, epoch=epoch,
            )
        )  # fmt: skip
    assert text(history.spread_least, 4) == "29.9551"
    assert text(history.spread_most, 4) == "89.5968"
    assert history.elapsed_sec == 3
    assert (history.updates, history.changes, history.restarts) == (8, 3, 1)
    assert history.delays(5) == [None, 1_000_000, 2_000_000, 3_000_000, 4_000_000]
    assert history.spreads(2) == [299_551, 498_753]
    history.reset()
    assert (history.updates, history.frames, history.spread_most) == (0, 0, 0)
    assert history.spreads(2) == [None, None]
    assert history.delay_ns is None


def test_a_stale_book_adds_nothing_to_the_statistics() -> None:
    history = History()
    history.add(factory.book(stale="its writer has ended, 3 s ago"))
    assert (history.frames, history.spread_frames, history.delay_ns) == (1, 0, None)
