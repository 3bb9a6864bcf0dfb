"""The telemetry bus of real bots: what is said, who may hear it, and what a sleeper costs."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from bog.messages import STATES
from bog.units import to_lots, to_quanta, to_ticks
from tests.rig.bus import Tail, check
from tests.rig.live import PATIENCE_S, Bot, K, environment, of_kind, one_error, records, runs, wait_for
from tests.rig.metrics import free_port

ENDPOINT = "BOG_MONITORING__BUS__ENDPOINT"
NOBODY = 65534


class Place:
    """Bots and listeners of one test, in one folder; none outlives it."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.started: list[Bot | Tail] = []

    def bot(self, *arguments: object, **more: object) -> Bot:
        started = Bot(self.where, *arguments, **more)  # type: ignore[arg-type]
        self.started.append(started)
        return started

    def tail(self, name: str, *arguments: object) -> Tail:
        started = Tail(self.where, name, "--journal", self.where / "journal", *arguments)
        self.started.append(started)
        return started

    def key(self, name: str) -> str:
        """Make a key in a file of that name; return the public one."""
        made = self.tail(f"key-{name}", "--new-key", self.where / name).ends(0)
        return made.out.read_text().strip()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    for each in reversed(made.started):
        each.kill()


def has_bus(bot: Bot, market: int = 1) -> Path:
    """Return the socket of a bot's bus once somebody can connect."""
    path = bot.folder / "control" / f"bus-m{market}.sock"

    def listens() -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(path)) == 0

    wait_for(listens)
    return path


def gaps(heard: list[dict[str, Any]]) -> int:
    """Return how many messages are missing between the first and the last of each topic."""
    numbers: dict[str, list[int]] = {}
    for message in heard:
        numbers.setdefault(message["topic"], []).append(message["seq"])
    for of_topic in numbers.values():
        assert of_topic == sorted(set(of_topic))
    return sum(n[-1] - n[0] + 1 - len(n) for n in numbers.values())


def told_missed(tail: Tail) -> int:
    lines = [line for line in tail.said.splitlines() if "missed" in line]
    return sum(int(line.split()[2]) for line in lines)


def test_every_message_of_a_run_is_valid_and_its_fills_are_the_journals(place: Place) -> None:
    bot = place.bot("--market", 0, "--speed", 20).ready()
    has_bus(bot)
    tail = place.tail("all", "--json")
    wait_for(lambda: len(tail.of("bog.1.fill")) >= 5 and tail.of("bog.0.book"))
    bot.stop()
    wait_for(lambda: tail.of("bog.1.end") and tail.of("bog.0.end"))
    wait_for(lambda: any(m["state"] == "DONE" for m in tail.of("bog.1.state")))
    tail.stop()
    for message in tail.heard:
        check(message.pop("topic"), message)
    heard = tail.heard
    assert gaps(heard) == told_missed(tail)
    assert {m["start"] for m in heard} == {1}
    for name in STATES:
        assert tail.of(f"bog.1.{name}") and tail.of(f"bog.0.{name}")
    for path in runs(bot.folder):
        market = int(path.name[1:8]) % 10**6
        decimals = {1: (1, 5), 0: (2, 4)}[market]
        fills = of_kind(records(bot.folder, runs(bot.folder).index(path)), K.J_FILL)
        said = tail.of(f"bog.{market}.fill")
        numbers = [m["record"] for m in said]
        written = [
            (int(r["seq"]), int(r["id"]), int(r["side"]), int(r["px"]), int(r["qty"]), int(r["val"]))
            for r in fills
            if numbers and r["seq"] >= numbers[0]
        ]
        assert written == [
            (
                m["record"], m["order"], int(m["side"] == "sell"), to_ticks(m["price"], decimals[0]),
                to_lots(m["size"], decimals[1]), to_quanta(m["fee"], *decimals),
            )
            for m in said
        ]  # fmt: skip
    assert tail.of("bog.1.pnl")[-1]["position"] == bot.report["markets"][1]["position"]["size"]
