"""What a fault row asks for: its repeats, a canary, private places, bots and feeds."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bog._core.reader import Reader
from bog.errors import FeedError
from tests.rig.canary import Canary
from tests.rig.fault import KEY, Repeats
from tests.rig.live import Bot, environment, wait_for
from tests.rig.shim import Shim
from tests.rig.spoiled import Stage


@pytest.fixture
def repeats(request: pytest.FixtureRequest) -> Iterator[Repeats]:
    """Count the repeats of this row; its line goes into the table at the end."""
    counter = Repeats(request.node)
    yield counter
    print(f"row {counter.row}: ended in repeat {counter.done}, FAULT_SEED={counter.seed}")
    request.node.user_properties.append((KEY, counter.result()))


@pytest.fixture
def canary() -> Iterator[Canary]:
    """Measure what the host withholds from everyone while the test runs."""
    with Canary() as watching:
        yield watching


@pytest.fixture
def shim(tmp_path: Path) -> Iterator[Shim]:
    """Return an operating system that refuses or lies, for processes with its environment."""
    made = Shim(tmp_path)
    yield made
    made.clear()


@pytest.fixture
def place(tmp_path: Path) -> Callable[[], Path]:
    """Return a function to a new private directory, for one life of one bot and its feed."""
    made = 0

    def new() -> Path:
        nonlocal made
        made += 1
        path = tmp_path / f"{made}"
        path.mkdir(mode=0o700)
        return path

    return new


@pytest.fixture
def stage(place: Callable[[], Path]) -> Iterator[Callable[..., Stage]]:
    """Start live bots that quote, each on an exchange of its own, `stage(setting=value)`."""
    made: list[Stage] = []

    def new(**keys: object) -> Stage:
        made.append(Stage(place(), **keys))
        return made[-1].begin()

    yield new
    for one in made:
        one.close()


@pytest.fixture
def bots() -> Iterator[Callable[..., Bot]]:
    """Start bots, `bots(where, *arguments, NAME=value)`, that do not outlive the test."""
    started: list[Bot] = []

    def start(where: Path, *arguments: object, **more: object) -> Bot:
        started[:] = [bot for bot in started if bot.process.poll() is None]
        started.append(Bot(where, *arguments, **more))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for bot in started:
        bot.kill()


@pytest.fixture
def feeds() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start feeds of market 1, `feeds(where, *arguments)`, that do not outlive the test.

    A feed is returned when it is there to be read.
    """
    started: list[subprocess.Popen[str]] = []

    def start(where: Path, *arguments: object) -> "subprocess.Popen[str]":
        started[:] = [feed for feed in started if feed.poll() is None]
        folder = where / "shm"
        folder.mkdir(mode=0o700, exist_ok=True)
        line = [sys.executable, "-m", "bog.cli.feed", "--market", "1", "--dir", folder, *arguments]
        with (where / "feed.err").open("a") as err:
            started.append(
                subprocess.Popen(
                    [*map(str, line)], cwd=where, env=environment(), stderr=err, text=True
                )
            )
        feed = started[-1]

        def is_there() -> bool:
            assert feed.poll() is None, (where / "feed.err").read_text()
            try:
                return bool(Reader(1, directory=folder).header()["pid"] == feed.pid)
            except (FeedError, OSError):
                return False

        wait_for(is_there)
        return feed

    yield start
    for feed in started:
        if feed.poll() is None:
            feed.kill()
        feed.wait()
