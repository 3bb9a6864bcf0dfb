"""The screen fits a terminal, says what matters, and a pipe gets plain lines."""

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bog import screen, view
from tests.shell import factory

ROOT = Path(__file__).resolve().parents[2]


def status(**changed: Any) -> view.Status:
    return view.Status(
        about=factory.about(),
        page=factory.page(**changed),
        elapsed_sec=3723.4,
        feed_age_ms=12.3,
        note="Ctrl-C drains and prints a report",
    )


def drawn(one: view.Status, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=24, color_system=None)
    console.print(screen.screen(one))
    assert isinstance(console.file, io.StringIO)
    return [text.rstrip() for text in console.file.getvalue().splitlines()]


def test_the_screen_says_what_matters() -> None:
    text = "\n".join(drawn(status()))
    for part in (
        "bog BTC market 1  paper  run 3  1:02:03  RUN",
        "feed sim active seed 1  tier standard 2026-09-26  fills queue",
        "entry            -   mark       100.15",
        "pnl          +0.0000205   realized +0.000020  unrealized +0.0000005",
        "today        -0.0000015   fees 0.000000  funding 0.000000",
        "capture +0.000030  inventory -0.000010",
        "ask         100.3     0.00040         none: inventory",
        "bid         100.0     0.00050          99.9     0.00010  +1 ticks  resting",
        "last fills (model: queue)",
        "0:00:01 ago  sell     0.00010 at        100.2  through  fee 0.000000",
        "tick 850 ns / 12.3 us / 4.0 ms; with orders none yet",
        "requests 12 (place 6 amend 4 cancel 2)  fills 2  journal 88/90",
        "refused DENY_RATE 12  REJ_POST_ONLY 3",
        "feed fresh 12 ms  books 4000  prints 300  gaps 1  laps 0",
        "Ctrl-C drains",
    ):
        assert part in text, (part, text)


def ladder(n: int, px: int = 2000, interval: int = 10) -> list[dict[str, Any]]:
    """Return n orders a side of a grid, in the order of their slots."""
    return [
        factory.order(px=px + sign * interval * (i + 1), side=side)
        for i in reversed(range(n))
        for side, sign in ((0, -1), (1, 1))
    ]


def test_a_grid_shows_all_its_orders() -> None:
    text = drawn(status(orders=ladder(3)))
    top = next(i for i, one in enumerate(text) if one.startswith("     and"))
    assert text[top] == "     and 2 more, 0.00020: 202.0 203.0"
    assert text[top + 1].split()[3:5] == ["201.0", "0.00010"]
    assert text[top + 2].split()[3:5] == ["199.0", "0.00010"]
    assert text[top + 3] == "     and 2 more, 0.00020: 198.0 197.0"
    assert " quotes 199.0 x 3/201.0 x 3 " in view.line(status(orders=ladder(3)))
    # too many for a line: the first and the last
    many = drawn(status(orders=ladder(8, px=1_210_440_0)))
    assert "     and 7 more, 0.00070: 1210442.0 to 1210448.0" in many


def test_the_screen_fits_80_by_24_whatever_it_shows() -> None:
    big = 2**62
    pages = [
        status(),
        status(orders=ladder(3)),
        status(orders=ladder(8, px=2**40), recent_fills=[factory.fill()] * 16),
        status(
            equity2=-big, daily2=-big, unrealized2=-big, bid=2**40, ask=2**40, bid_qty=2**48,
            denied=[10**9] * 25,
            orders=[factory.order(px=2**40, qty=2**48, state=5, side=s) for s in (0, 1)],
            rejected=[10**9] * 16, books=2**63, trades=2**63, gaps=2**63, laps=2**63, halt=3,
            halt_id=2**63, position=factory.position(pos=-(2**47), cost=-big),
            recent_fills=[factory.fill(px=2**40, qty=2**48, fee=-big)] * 16,
        ),
        status(recent_fills=[], position=factory.position()),
    ]  # fmt: skip
    for one in pages:
        one["about"]["feed"] = "replay " + "x" * 200
        lines = drawn(one)
        assert len(lines) == 23
        assert max(map(len, lines)) <= screen.WIDTH


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"level": 1}, "PAUSED"),
        ({"level": 2}, "DRAIN"),
        ({"level": 3}, "KILLED"),
        ({"stale": 1}, "STALE"),
        ({"halt": 3, "halt_id": 5, "level": 1}, "HALTED MARKET (id 5)"),
    ],
)
def test_the_head_says_why_it_does_not_trade(changed: dict[str, Any], word: str) -> None:
    assert drawn(status(**changed))[0].endswith(word)
    assert f" {word} " in view.line(status(**changed))


@pytest.mark.parametrize(
    ("cost", "pos", "entry"),
    [
        (0, 0, "-"),
        (20_000, 20, "100.00"),
        (20_010, 20, "100.05"),
        (-20_010, -20, "100.05"),
        (10_001, 3, "333.37"),  # 333.3666.. rounds to the nearest
        (-10_001, -3, "333.37"),
    ],
)
def test_the_entry_price_is_the_average_to_a_tenth_of_a_tick(
    cost: int, pos: int, entry: str
) -> None:
    assert view.entry_text(cost, pos, 1) == entry


def test_a_quote_that_does_not_stand_yet_is_waited_for() -> None:
    assert " quotes waiting/inventory " in view.line(status(orders=[]))


def test_a_pipe_gets_one_plain_line_at_a_time() -> None:
    out = io.StringIO()
    with view.Watch(out) as watch:
        assert watch.update([status()])
        assert not watch.update([status()])  # too soon
        assert watch.update([status()], last=True)
    lines = out.getvalue().splitlines()
    assert (
        lines
        == [
            "1:02:03 BTC RUN position 0.00000 pnl +0.0000205 quotes 99.9 x 2/inventory fills 2 "
            "requests 12 feed 12 ms"
        ]
        * 2
    )


@pytest.mark.parametrize("n", [2, 8, 30])
def test_several_markets_fit_one_screen(n: int) -> None:
    states = [status() for _ in range(n)]
    for number, one in enumerate(states):
        one["about"] = {**one["about"], "market": number}
    states[1]["note"] = "no feed yet: its writer has ended; waiting for one"
    console = Console(file=io.StringIO(), width=80, height=24, color_system=None)
    console.print(screen.screen_of_many(states))
    assert isinstance(console.file, io.StringIO)
    lines = [text.rstrip() for text in console.file.getvalue().splitlines()]
    assert len(lines) <= 23 and max(map(len, lines)) <= 79
    assert f"{n} markets" in lines[0] and lines[-1] == states[1]["note"]
    assert sum("RUN" in text for text in lines) == min(n, screen.MARKETS)
    assert any(f"and {n - screen.MARKETS} more" in text for text in lines) is (n > screen.MARKETS)
    # exact, however many: the sum of what each one earned
    total = view.signed(f"{n * 205}".rjust(8, "0")[:-7] + "." + f"{n * 205}".rjust(7, "0")[-7:])
    assert f"together  pnl {total.rstrip('0')}" in "\n".join(lines)


def test_durations_and_latencies_are_short() -> None:
    assert [view.duration(s) for s in (0, 59.9, 60, 360_000)] == [
        "0:00:00", "0:00:59", "0:01:00", "100:00:00"]  # fmt: skip
    assert [view.ns_text(n) for n in (0, 999, 1000, 12_345, 4_000_000, 2_500_000_000)] == [
        "0 ns", "999 ns", "1.0 us", "12.3 us", "4.0 ms", "2.5 s"]  # fmt: skip
    assert [view.signed(x) for x in ("0.00", "0.01", "-0.01")] == ["0.00", "+0.01", "-0.01"]


SCRIPT = """
import time
from bog import screen, view
from tests.shell.test_view import status
with view.Watch() as watch:
    for note in ("first", "last"):
        one = status()
        one["note"] = note
        watch.update([one], last=True)
"""


def on_terminal(**environ: str) -> bytes:
    """Return what the program writes to a terminal of 80 x 24."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", **environ}
    program = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=theirs, cwd=ROOT, env=environment
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    assert program.wait(60) == 0
    return written


def test_a_terminal_gets_a_screen_that_is_drawn_over_itself_in_color() -> None:
    written = on_terminal()
    assert b"first" in written
    assert b"last" in written
    assert b"\x1b[32m" in written  # green
    assert b"\x1b[1A" in written  # back up, to draw over what was there


def test_no_color_is_honored_on_a_terminal() -> None:
    written = on_terminal(NO_COLOR="1")
    assert b"last" in written
    assert b"\x1b[32m" not in written
    assert b"\x1b[1;32m" not in written


def test_a_dumb_terminal_gets_plain_lines() -> None:
    written = on_terminal(TERM="dumb")
    assert b"\x1b" not in written
    assert written.count(b"BTC RUN position") == 2
