"""Alarms of a real bot-live at real receivers: each by its cause, soon, and none in the bot's way."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rig.canary import Canary
from tests.rig.live import Bot, feed_of, wait_for
from tests.rig.monitoring import KEY, SLACK, Receivers

DEADLINE_SEC = 0.25  # from the event to the receiver


def places(where: Path, receivers: Receivers) -> dict[str, str]:
    found = {}
    for name, text in (("slack_credential", receivers.url + SLACK), ("pagerduty_credential", KEY)):
        file = where / name
        file.write_text(text)
        file.chmod(0o600)
        found[f"BOG_MONITORING__{name.upper()}"] = str(file)
    return found | {"BOG_MONITORING__PAGERDUTY_URL": receivers.url + "/v2/enqueue"}


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    found = Receivers()
    yield found
    found.close()
    assert found.refused == []


@pytest.fixture
def bots() -> Iterator[list[Bot]]:
    """Bots that are started in a test; none outlives it."""
    started: list[Bot] = []
    yield started
    for bot in started:
        bot.kill()


def fires(receivers: Receivers, name: str) -> dict[str, Any]:
    """Return the page that an alarm brought, once both receivers have it."""

    def found() -> Any:
        pages = [
            said
            for said in receivers.pagerduty
            if said["event_action"] == "trigger" and said["payload"]["class"] == name
        ]
        slack = [said for said in receivers.slack if f"FIRING critical {name}" in said["text"]]
        return pages[0] if pages and slack else None

    page: dict[str, Any] = wait_for(found)
    return page


def soon(receivers: Receivers, canary: Canary, name: str, event_ns: int) -> dict[str, Any]:
    """Return the page of an alarm that was everywhere within DEADLINE_SEC of its event."""
    page = fires(receivers, name)
    came_ns = max(receivers.came_ns[:2])
    took = (came_ns - event_ns - canary.stalled_ns(event_ns, came_ns)) / 1e9
    print(f"{name}: {took * 1000:.0f} ms to both receivers; {canary.total()}")
    assert 0 < took < DEADLINE_SEC
    return page


def test_a_kill_is_at_every_receiver_within_a_quarter_of_a_second(
    tmp_path: Path, receivers: Receivers, bots: list[Bot]
) -> None:
    with Canary() as canary:
        bot = Bot(tmp_path, **places(tmp_path, receivers))
        bots.append(bot)
        bot.trading()
        killed_ns = time.monotonic_ns()
        bot.signal(signal.SIGUSR1)
        page = soon(receivers, canary, "CircuitBreakerTripped", killed_ns)
    assert page["payload"]["summary"].startswith("CircuitBreakerTripped, market 1: halt 1, KILLED")
    bot.process.wait(120)
    (line,) = map(json.loads, (tmp_path / "var" / "alerts.log").read_text().splitlines())
    assert (line["source"], line["status"], line["severity"]) == ("bog-live", "firing", "critical")
    assert (tmp_path / "var" / "alerts.log").stat().st_mode & 0o137 == 0


def test_an_engine_that_dies_is_said_before_bog_live_ends(
    tmp_path: Path, receivers: Receivers, bots: list[Bot]
) -> None:
    with Canary() as canary:
        bot = Bot(tmp_path, **places(tmp_path, receivers))
        bots.append(bot)
        bot.trading()
        engine = bot.engine()
        died_ns = time.monotonic_ns()
        os.kill(engine, signal.SIGKILL)
        page = soon(receivers, canary, "EngineDied", died_ns)
    assert "by signal SIGKILL" in page["payload"]["summary"]
    bot.ends(1)


def test_a_feed_that_dies_and_comes_back_is_resolved(
    tmp_path: Path, receivers: Receivers, bots: list[Bot]
) -> None:
    (tmp_path / "shm").mkdir(mode=0o700)
    feeds = [feed_of(tmp_path)]
    try:
        wait_for(lambda: list((tmp_path / "shm").glob("hg_*")))
        bot = Bot(
            tmp_path, "--feed", "huginn", **places(tmp_path, receivers),
            BOG_MONITORING__ALERTS__HUGINN_DISCONNECT_THRESHOLD_SEC="1.5",
        )  # fmt: skip
        bots.append(bot)
        bot.trading()
        feeds[0].kill()
        feeds[0].wait()
        page = fires(receivers, "HuginnDisconnected")
        feeds.append(feed_of(tmp_path))
        wait_for(lambda: any(said["event_action"] == "resolve"
                             and said["dedup_key"] == page["dedup_key"]
                             for said in receivers.pagerduty))  # fmt: skip
        wait_for(lambda: any("RESOLVED" in said["text"] for said in receivers.slack))
        bot.stop()
    finally:
        for feed in feeds:
            feed.kill()
            feed.wait()


def test_receivers_that_are_dead_or_hang_cost_the_bot_nothing_and_keep_their_secrets(
    tmp_path: Path, receivers: Receivers, bots: list[Bot]
) -> None:
    """One refuses every connection, one takes them and never answers."""
    hangs = socket.create_server(("127.0.0.1", 0), backlog=64)
    told = places(tmp_path, receivers)
    (tmp_path / "slack_credential").write_text("http://127.0.0.1:1/services/CANARY-slack")
    (tmp_path / "pagerduty_credential").write_text("CANARY-key")
    told["BOG_MONITORING__PAGERDUTY_URL"] = f"http://127.0.0.1:{hangs.getsockname()[1]}/v2/enqueue"
    bot = Bot(tmp_path, **told, BOG_MONITORING__ALERTS__DAILY_LOSS_ALERT_THRESHOLD="0.000001")
    bots.append(bot)
    bot.trading(fills=3)
    wait_for(lambda: [line for line in bot.log if line["event"] == "alarm_lost"])
    page = bot.page()
    wait_for(lambda: bot.page()["amended"] > page["amended"])
    bot.stop()
    assert bot.process.returncode == 0
    hangs.close()
    for file in (
        f for f in tmp_path.rglob("*") if f.is_file() and not f.name.endswith("_credential")
    ):
        assert b"CANARY" not in file.read_bytes(), file


def test_a_full_disk_under_the_alarms_is_said_at_the_end(tmp_path: Path, bots: list[Bot]) -> None:
    """The bot ended before the last attempt at its file: nobody was told that the alarm is in none."""
    bot = Bot(tmp_path, BOG_MONITORING__ALERT_FILE="/dev/full")
    bots.append(bot)
    bot.trading()
    bot.signal(signal.SIGUSR1)
    bot.process.wait(120)
    assert "1 alarms were not taken by file before the end" in bot.err.read_text()
    assert [line for line in bot.log if line["event"] == "alarm_lost"]
