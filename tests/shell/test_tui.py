"""orderbook-tui's keys, one by one, on a feed of our own: what each does to the screen."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from bog._core.publisher import Publisher
from bog._core.types import Flag, RowKind
from bog.ladder import Wanted
from bog.sight import Looker
from bog.tui import Tui

RESET, LEVEL = int(RowKind.ROW_RESET), int(RowKind.ROW_LEVEL)
SOON_S = 60.0  # a loaded machine's


@pytest.fixture
def pub(shm: Path) -> Iterator[Publisher]:
    """A feed with 30 levels a side around 1000.5."""
    with Publisher(1, directory=shm, price_decimals=1, size_decimals=5) as made:
        made.put(RESET, eom=0, flags=int(Flag.F_SNAPSHOT))
        for i in range(30):
            made.put(LEVEL, 0, 10_000 - i, 1000 + i, eom=0)
            made.put(LEVEL, 1, 10_010 + i, 2000 + i, eom=i == 29)
        yield made


def lines(app: Tui) -> list[str]:
    """Return what the terminal shows, as the widget paints it."""
    return [app.board.render_line(y).text.rstrip() for y in range(app.board.size.height)]


def asks(app: Tui) -> int:
    return sum(line.startswith("ask ") for line in lines(app))


def has(app: Tui, words: str) -> bool:
    return any(words in line for line in lines(app))


async def until(what: Callable[[], bool], pilot: Pilot[None]) -> None:
    """Return when `what` holds; AssertionError when it does not in time."""
    async with asyncio.timeout(SOON_S):
        while not what():
            await pilot.pause(0.02)


Scenario = Callable[[Tui, Pilot[None]], Awaitable[None]]


def play(
    shm: Path, scenario: Scenario, width: int = 80, height: int = 40, wanted: Wanted | None = None
) -> Tui:
    """Run the program without a terminal, play the scenario, and return it."""
    app = Tui(Looker(1, shm, stale_ms=60_000), wanted or Wanted())

    async def run() -> None:
        async with app.run_test(size=(width, height)) as pilot:
            await until(lambda: asks(app) > 0 or has(app, "NO FEED"), pilot)
            await scenario(app, pilot)

    asyncio.run(run())
    return app


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_q_and_ctrl_c_quit(key: str, shm: Path, pub: Publisher) -> None:
    async def scenario(app: Tui, pilot: Pilot[None]) -> None:
        assert app.is_running
        await pilot.press(key)
        await until(lambda: not app.is_running, pilot)

    assert play(shm, scenario).return_code == 0


def test_p_makes_the_screen_stand_still_and_go_on(shm: Path, pub: Publisher) -> None:
    async def scenario(app: Tui, pilot: Pilot[None]) -> None:
        await pilot.press("p")
        await until(lambda: has(app, "PAUSED"), pilot)
        still = lines(app)
        pub.put(LEVEL, 0, 10_000, 77)
        await pilot.pause(0.5)
        assert lines(app) == still
        await pilot.press("p")
        await until(lambda: has(app, "bid        1000.0       0.00077"), pilot)
        assert not has(app, "PAUSED")

    play(shm, scenario)


@pytest.mark.parametrize(("key", "words"), [("m", "frames "), ("s", "spread, bps"),
                                            ("question_mark", "this help; again: back")])  # fmt: skip
def test_m_s_and_help_show_and_hide_their_panel(
    key: str, words: str, shm: Path, pub: Publisher
) -> None:
    async def scenario(app: Tui, pilot: Pilot[None]) -> None:
        for shown in (True, False, True):
            assert has(app, words) != shown
            await pilot.press(key)
            await until(lambda shown=shown: has(app, words) == shown, pilot)

    play(shm, scenario)


def test_r_resets_the_statistics(shm: Path, pub: Publisher) -> None:
    async def scenario(app: Tui, pilot: Pilot[None]) -> None:
        await until(lambda: has(app, "spread     least 9.9950 mean 9.9950"), pilot)
        pub.put(LEVEL, 0, 10_000, 0)
        await until(lambda: has(app, "most 10.9951"), pilot)
        assert has(app, "least 9.9950")
        frames = app.history.frames
        await pilot.press("r")
        await until(lambda: has(app, "least 10.9951 mean 10.9951 most 10.9951"), pilot)
        assert app.history.frames < frames or app.history.updates == 0

    play(shm, scenario)


@pytest.mark.parametrize("depth", range(1, 10))
def test_a_digit_sets_the_depth(depth: int, shm: Path, pub: Publisher) -> None:
    async def scenario(app: Tui, pilot: Pilot[None]) -> None:
        await pilot.press(str(depth))
        await until(lambda: asks(app) == depth, pilot)
        assert has(app, f"depth {depth}")

    play(shm, scenario)


def test_plus_and_minus_change_the_depth_by_one(shm: Path, pub: Publisher) -> None:
    async def scenario(app: Tui, pilot: Pilot[None]) -> None:
        assert asks(app) == 5
        for key, depth in (("plus", 6), ("equals_sign", 7), ("minus", 6), ("minus", 5)):
            await pilot.press(key)
            await until(lambda depth=depth: asks(app) == depth, pilot)
        for _ in range(9):
            await pilot.press("minus")
        await until(lambda: asks(app) == 1, pilot)
        assert app.wanted.depth == 1

    play(shm, scenario)


def test_a_smaller_terminal_shows_the_levels_that_fit(shm: Path, pub: Publisher) -> None:
    async def scenario(app: Tui, pilot: Pilot[None]) -> None:
        await pilot.press("9")
        await until(lambda: asks(app) == 9, pilot)
        await pilot.resize_terminal(80, 20)
        await until(lambda: has(app, "depth 9, 6 fit"), pilot)
        assert len(lines(app)) == 20
        assert lines(app)[-1].startswith("q quit")

    play(shm, scenario)


def test_it_waits_for_a_feed_follows_it_and_says_when_it_ends(shm: Path) -> None:
    async def scenario(app: Tui, pilot: Pilot[None]) -> None:
        assert has(app, "no feed of market 1") and has(app, "bog-feed --market 1")
        for px in (1000, 2000):
            with Publisher(1, directory=shm, price_decimals=0, size_decimals=0) as pub:
                pub.put(RESET, eom=0, flags=int(Flag.F_SNAPSHOT))
                pub.put(LEVEL, 0, px, 7, eom=0)
                pub.put(LEVEL, 1, px + 2, 7)
                await until(lambda px=px: has(app, f"mid {px + 1:>13}  spread 2 USD"), pilot)
                assert has(app, "FRESH")
            await until(lambda: has(app, "STALE") and has(app, "its writer has ended"), pilot)

    play(shm, scenario)


@pytest.mark.parametrize("theme", ["auto", "dark", "light", "plain"])
def test_every_theme_paints_the_whole_screen(theme: str, shm: Path, pub: Publisher) -> None:
    async def scenario(app: Tui, pilot: Pilot[None]) -> None:
        grounds = {
            segment.style.bgcolor.name if segment.style and segment.style.bgcolor else ""
            for y in range(app.board.size.height)
            for segment in app.board.render_line(y)
        }
        assert grounds == {{"dark": "#121212", "light": "#ffffff"}.get(theme, "")}
        colors = {
            segment.style.color.name
            for y in range(app.board.size.height)
            for segment in app.board.render_line(y)
            if segment.style and segment.style.color
        }
        wanted = {"auto": {"green", "red", "yellow"}, "dark": {"#5fd787", "#ff8787", "#ffd75f"},
                  "light": {"#006b2d", "#b00020", "#7a5500"}, "plain": set()}[theme]  # fmt: skip
        assert wanted <= colors and bool(wanted) == bool(colors)

    play(shm, scenario, wanted=Wanted(theme=theme))


def test_a_screenshot_shows_what_the_terminal_does(shm: Path, pub: Publisher) -> None:
    async def scenario(app: Tui, pilot: Pilot[None]) -> None:
        picture = app.export_screenshot()
        assert picture.startswith("<svg")
        for words in ("1000.0", "1001.0", "imbalance", "quit"):
            assert words in picture

    play(shm, scenario)
