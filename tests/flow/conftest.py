"""What several flows need: bots on the built-in market that do not outlive their test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.rig.live import Bot


@pytest.fixture
def bots(tmp_path: Path) -> Iterator[Callable[..., Bot]]:
    """Start bots in one place that do not outlive the test."""
    started: list[Bot] = []

    def start(*arguments: object, **more: object) -> Bot:
        started.append(Bot(tmp_path, *arguments, **more))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for bot in started:
        bot.kill()
