"""bog-live, armed, on a local exchange: real sockets, real signatures, real queues."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bog._core.types import JournalKind as K
from bog._core.types import StateWord
from bog.recovery import recover
from tests.rig.gateway import ACCOUNT, Exchange
from tests.rig.live import Bot, wait_for
from tests.rig.rehearsal import arm, children, configuration, live


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    folder = tmp_path / "exchange"
    folder.mkdir()
    found = Exchange(folder, "--flow", "sim")
    yield found
    found.close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    where = tmp_path / "bot"
    (where / "shm").mkdir(mode=0o700, parents=True)
    return where


@pytest.fixture
def start(place: Path, exchange: Exchange) -> Iterator[Callable[..., Bot]]:
    """Start a live bot; none outlives the test."""
    bots: list[Bot] = []

    def go(*options: object, **keys: object) -> Bot:
        bots.append(live(place, configuration(place, exchange, **keys), *options))
        return bots[-1]

    yield go
    for bot in bots:
        bot.kill()


def held(bot: Bot) -> int:
    """Return the position in lots that the bot's journal comes to."""
    return recover(bot.folder, bot.raw, segments=bot.shm).words[StateWord.W_POS]


def test_an_armed_bot_quotes_fills_and_leaves_nothing(
    start: Callable[..., Bot], exchange: Exchange
) -> None:
    bot = start().trading(fills=2)
    assert children(bot).keys() >= {"bog-engine", "bog-gateway"}
    bot.stop()
    true = exchange.god()
    assert true["orders"] == []
    assert bot.report["run"]["open_orders"] == 0
    assert true["positions"].get("1", {"lots": 0})["lots"] == held(bot)
