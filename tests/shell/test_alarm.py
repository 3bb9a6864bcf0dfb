"""Alarms: what is said when, how often, and to whom; receivers that are dead, slow or hostile."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog import alarm, config, delivery
from bog._core.types import Halt
from bog.alarm import Alarm, Alarms
from bog.delivery import Delivery, Receiver
from bog.errors import ConfigError
from bog.glance import Traded
from bog.settings import Settings
from tests.rig.live import wait_for
from tests.rig.metrics import HandMade, traded
from tests.rig.monitoring import KEY, SLACK, Receivers

THRESHOLDS = {
    "daily_loss_alert_threshold": 250.0, "huginn_disconnect_threshold_sec": 5.0,
    "guardian_silent_threshold_sec": 2.0,
}  # fmt: skip
HALTED = Alarm("CircuitBreakerTripped", 1, "halt 1, MARKET", 1.0, True)


def watched(**changed: Any) -> tuple[HandMade, Traded]:
    page = HandMade(**changed)
    return page, traded(page)._replace(alerts=THRESHOLDS)


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    found = Receivers()
    yield found
    found.close()


def settings_of(where: Path, **monitoring: Any) -> Settings:
    return config.load(
        flags={"monitoring": {"alert_file": str(where / "alerts.log")} | monitoring}, environ={}
    )


def private(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_a_condition_is_said_once_and_once_when_it_has_been_gone_for_a_while() -> None:
    page, market = watched()
    said: list[Alarm] = []
    alarms = Alarms([market], said.append, calm_sec=0.5)
    alarms.look()
    assert said == []
    page.changed |= {"halt": int(Halt.HALT_MARKET), "halt_id": 3}
    for _ in range(5):
        alarms.look()
    assert [(a.name, a.firing) for a in said] == [("CircuitBreakerTripped", True)]
    assert said[0].summary.startswith("halt 3, MARKET")
    page.changed["halt"] = 0
    alarms.look()
    page.changed["halt"] = int(Halt.HALT_MARKET)  # back within a moment: it never went
    alarms.look()
    page.changed["halt"] = 0
    alarms.look()
    assert len(said) == 1
    time.sleep(0.6)
    alarms.look()
    alarms.look()
    assert [a.firing for a in said] == [True, False]
    page.changed |= {"halt": int(Halt.HALT_MARKET), "halt_id": 4}
    alarms.look()
    page.changed |= {"halt": int(Halt.HALT_DAILY_LOSS), "halt_id": 5}
    alarms.look()  # another halt is another alarm
    assert [a.summary.split(":")[0] for a in said[2:]] == ["halt 4, MARKET", "halt 5, DAILY_LOSS"]


@given(steps=st.lists(st.booleans(), max_size=30))
def test_firing_and_resolved_alternate_whatever_a_condition_does(steps: list[bool]) -> None:
    page, market = watched()
    said: list[Alarm] = []
    alarms = Alarms([market], said.append, calm_sec=0.0)
    for wrong in steps:
        page.changed |= {"halt": int(Halt.HALT_KILLED) if wrong else 0, "halt_id": 1}
        alarms.look()
    firing = [a.firing for a in said]
    assert firing == [i % 2 == 0 for i in range(len(firing))]
    # one for each change of what is so
    assert len(firing) == sum(a != b for a, b in zip([False, *steps], steps, strict=False))


def test_every_alarm_is_in_the_runbook_and_has_the_thresholds_of_the_rules() -> None:
    root = Path(__file__).resolve().parents[2] / "monitoring"
    runbook, rules = (root / "runbook.md").read_text(), (root / "alerts.yml").read_text()
    names = {*alarm.CONDITIONS, alarm.ENGINE_DIED}
    for name in names:
        assert f"\n## {name}\n" in runbook, name
    critical = rules[rules.index("bog-critical") : rules.index("bog-warning")]
    shared = {name for name in names if f"alert: {name}\n" in critical}
    # what Prometheus alone sees: a p99; what bog-live alone sees: its own engine's end
    assert names - shared == {alarm.ENGINE_DIED}


def test_slack_and_pagerduty_get_what_they_take_and_the_file_a_line(
    receivers: Receivers, tmp_path: Path
) -> None:
    own = settings_of(
        tmp_path, slack_credential=private(tmp_path / "slack", receivers.url + SLACK + "\n"),
        pagerduty_credential=private(tmp_path / "key", KEY),
        pagerduty_url=receivers.url + "/v2/enqueue",
    )  # fmt: skip
    places = Delivery(own)
    places.say(HALTED)
    places.say(HALTED._replace(firing=False))
    places.close()
    assert receivers.refused == [] and places.dropped == 0
    assert [said["text"].split()[0] for said in receivers.slack] == ["FIRING", "RESOLVED"]
    trigger, resolve = receivers.pagerduty
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"]
    lines = [json.loads(line) for line in (tmp_path / "alerts.log").read_text().splitlines()]
    assert [(a["source"], a["status"], a["alert"]) for a in lines] == [
        ("bog-live", "firing", "CircuitBreakerTripped"),
        ("bog-live", "resolved", "CircuitBreakerTripped"),
    ]


class Hostile:
    """A receiver that takes connections and does what `act` does with each."""

    def __init__(self, act: Callable[[socket.socket], None]) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.sock.getsockname()[1]}/v2/enqueue"
        self.came = 0

        def serve() -> None:
            while True:
                try:
                    connection, _ = self.sock.accept()
                except OSError:
                    return
                self.came += 1
                threading.Thread(target=act, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()


def drip(connection: socket.socket) -> None:
    """Answer a byte at a time, for ever."""
    try:
        connection.sendall(b"HTTP/1.1 200 ")
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)
    except OSError:
        connection.close()


def redirect(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n")
    connection.close()


def garbage(connection: socket.socket) -> None:
    connection.sendall(b"\x00\xff" * 100)
    connection.close()


@pytest.mark.parametrize("act", [drip, redirect, garbage])
def test_a_hostile_receiver_costs_its_own_thread_alone(
    act: Callable[[socket.socket], None], receivers: Receivers, tmp_path: Path
) -> None:
    hostile = Hostile(act)
    own = settings_of(
        tmp_path, slack_credential=private(tmp_path / "slack", receivers.url + SLACK),
        pagerduty_credential=private(tmp_path / "key", KEY), pagerduty_url=hostile.url,
    )  # fmt: skip
    places = Delivery(own)
    places.say(HALTED)
    wait_for(lambda: len(receivers.slack) == 1)
    wait_for(lambda: places.dropped == 1)
    assert hostile.came == len(delivery.PAUSES_SEC)
    hostile.sock.close()
    places.close()


def test_a_receiver_that_hangs_makes_nobody_wait_and_what_is_too_much_is_counted() -> None:
    gate = threading.Event()
    hangs = Receiver("hangs", lambda _: gate.wait() and None)
    began = time.monotonic()
    for _ in range(delivery.WAITING + 50):
        hangs.put(HALTED)
    assert hangs.close(time.monotonic() + 0.2) == hangs.queued
    assert time.monotonic() - began < 30  # it hangs for ever
    assert hangs.dropped >= 49
    gate.set()


def test_an_error_that_nobody_expected_ends_no_thread_of_alarms() -> None:
    got: list[Alarm] = []

    def send(alarm: Alarm) -> None:
        if not alarm.firing:
            raise RuntimeError("of a bug of ours")
        got.append(alarm)

    one = Receiver("one", send)
    one.put(HALTED._replace(firing=False))
    one.put(HALTED)
    wait_for(lambda: got == [HALTED] and one.dropped == 1)
    one.close(time.monotonic() + 60)


def test_one_receiver_gets_so_many_a_minute_and_the_rest_is_counted() -> None:
    got: list[Alarm] = []
    few = Receiver("few", got.append)
    for _ in range(delivery.A_MINUTE + 7):
        few.put(HALTED)
    few.close(time.monotonic() + 60)
    assert (len(got), few.dropped) == (delivery.A_MINUTE, 7)


def test_what_is_no_secret_file_is_refused_before_anything_trades(tmp_path: Path) -> None:
    for text, why in (
        ("", "0 words"),
        ("https://a b", "2 words"),
        ("ftp://CANARY/x", "https://"),
        ("CANARY", "https://"),
    ):
        own = settings_of(tmp_path, slack_credential=private(tmp_path / "slack", text))
        with pytest.raises(ConfigError, match=r"monitoring\.slack_credential") as refused:
            Delivery(own)
        assert why in str(refused.value) and "CANARY" not in str(refused.value)
    file = Path(private(tmp_path / "open", KEY))
    file.chmod(0o644)
    with pytest.raises(ConfigError, match=r"monitoring\.pagerduty_credential.*mode 644"):
        Delivery(settings_of(tmp_path, pagerduty_credential=str(file)))
