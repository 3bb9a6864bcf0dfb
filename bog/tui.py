"""orderbook-tui's program: keys, ten frames a second, and a screen that repaints what changed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import ClassVar

from rich.console import Console
from rich.style import Style
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from bog import host
from bog.history import History
from bog.ladder import DEPTH_MOST, THEMES, Wanted, draw
from bog.sight import Looker, Sight

FRAME_SEC = 0.1


def leave_core(engine: int) -> None:
    """Keep this process off the core to which an engine is pinned, where there is another one."""
    with contextlib.suppress(OSError):  # it ended
        cpus = os.sched_getaffinity(engine)
        if len(cpus) == 1:
            host.stand_back(cpus.pop(), os.sched_getaffinity(0))


class Screen(Widget):
    """The lines of `draw`, of which only those that changed are painted again."""

    DEFAULT_CSS = "Screen { width: 100%; height: 100%; }"

    def __init__(self, base: str) -> None:
        super().__init__()
        self.lines: list[Text] = []
        self.base = Style.parse(base)
        self.pen = Console()

    def show(self, lines: list[Text]) -> None:
        """Paint the lines that differ from those on the screen."""
        before, self.lines = self.lines, lines
        if len(before) != len(lines):
            self.refresh()
            return
        changed = [
            Region(0, y, self.size.width, 1)
            for y, (old, new) in enumerate(zip(before, lines, strict=True))
            if old != new or old.spans != new.spans
        ]
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y >= len(self.lines):
            return Strip.blank(width, self.base)
        strip = Strip(self.lines[y].render(self.pen))
        return strip.adjust_cell_length(width).apply_style(self.base)


class Tui(App[None]):
    """Shows one market until it is told to quit."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", priority=True),
        Binding("ctrl+c", "quit", priority=True, system=True),
        Binding("p", "pause"),
        Binding("m", "metrics"),
        Binding("s", "chart"),
        Binding("question_mark", "help"),
        Binding("r", "reset"),
        *(Binding(str(n), f"depth({n})") for n in range(1, 10)),
        Binding("plus,equals_sign", "deeper(1)"),
        Binding("minus", "deeper(-1)"),
    ]

    def __init__(self, looker: Looker, wanted: Wanted) -> None:
        super().__init__(ansi_color=wanted.theme in ("auto", "plain"))
        self.looker, self.wanted, self.history = looker, wanted, History()
        self.sight = Sight(None, "")
        self.engine = 0  # the process of the engine whose core is left alone
        self.board = Screen(THEMES[wanted.theme]["base"])

    def compose(self) -> ComposeResult:
        yield self.board

    def on_mount(self) -> None:
        self.frame()
        self.set_interval(FRAME_SEC, self.frame)

    def on_resize(self) -> None:
        self.show()

    def frame(self) -> None:
        """Look and show, unless the screen is to stand still."""
        if self.wanted.paused:
            return
        self.sight = self.looker.look(self.wanted.depth)
        if self.sight.book is not None:
            self.history.add(self.sight.book)
        if self.sight.bot is not None and self.sight.bot.engine != self.engine:
            self.engine = self.sight.bot.engine
            leave_core(self.engine)
        self.show()

    def show(self) -> None:
        """Show what was seen last."""
        width, height = self.size
        self.board.show(draw(self.sight, self.history, self.wanted, width, height))

    # the keys

    def action_pause(self) -> None:
        self.wanted = self.wanted._replace(paused=not self.wanted.paused)
        self.show()

    def action_metrics(self) -> None:
        self.wanted = self.wanted._replace(metrics=not self.wanted.metrics)
        self.show()

    def action_chart(self) -> None:
        self.wanted = self.wanted._replace(chart=not self.wanted.chart)
        self.show()

    def action_help(self) -> None:
        self.wanted = self.wanted._replace(help=not self.wanted.help)
        self.show()

    def action_reset(self) -> None:
        self.history.reset()
        if self.sight.book is not None:
            self.history.add(self.sight.book)
        self.show()

    def action_depth(self, depth: int) -> None:
        self.wanted = self.wanted._replace(depth=min(DEPTH_MOST, max(1, depth)))
        if not self.wanted.paused:
            self.frame()
        self.show()

    def action_deeper(self, more: int) -> None:
        self.action_depth(self.wanted.depth + more)


def run(looker: Looker, wanted: Wanted) -> None:
    """Show a market on this terminal until q, Ctrl-C or a signal; leave the terminal as it was."""
    for name in ("COLUMNS", "LINES"):  # they would stand against the terminal when it is resized
        os.environ.pop(name, None)
    app = Tui(looker, wanted)

    async def until_told() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, app.exit)
        await app.run_async(mouse=False)

    asyncio.run(until_told())
