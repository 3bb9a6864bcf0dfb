"""Where alarms go: a file of JSON lines, Slack, PagerDuty, each from a thread of its own.

Whoever says an alarm only puts it in a queue. A receiver that is dead, slow, redirects or never ends its
answer costs its own thread some seconds an attempt; what it does not take after three is counted, and
said in the log. Addresses and keys are secrets: they are read from files of ours, and stand in no message.
"""

from __future__ import annotations

import queue
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bog import alerts, credentials, log
from bog.alarm import Alarm
from bog.errors import ConfigError
from bog.keys import webhook
from bog.out import tell
from bog.post import Refused, post
from bog.settings import Settings

WAITING = 100  # alarms that a receiver may be behind
PAUSES_SEC = (0.0, 1.0, 5.0)  # before each attempt
A_MINUTE = (
    30  # alarms that one receiver gets; a bot that flaps must not be muted by who pays for it
)
LAST_SEC = 3.0  # for what is still queued when the bot ends
SEVERITY = "critical"  # what can wait is a warning, and Prometheus's to say
PAGE_BYTES = 1024  # of a summary at PagerDuty

Send = Callable[[Alarm], None]


def line_of(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm as the file has it: the fields of Alertmanager's lines, and who says it."""
    return {
        "time": alerts.stamp_of(time.time()),
        "source": "bog-live",
        "status": "firing" if alarm.firing else "resolved",
        "alert": alarm.name,
        "severity": SEVERITY,
        "market": str(alarm.market),
        "summary": alarm.summary,
        "runbook": alarm.runbook,
        "since": alerts.stamp_of(alarm.since),
    }


def slack_of(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm as an incoming webhook of Slack takes it."""
    status = "FIRING" if alarm.firing else "RESOLVED"
    text = f"{status} {SEVERITY} {alarm.name}, market {alarm.market}: {alarm.summary}"
    color = "danger" if alarm.firing else "good"
    return {"text": text, "attachments": [{"color": color, "fallback": text,
                                           "text": f"runbook: {alarm.runbook}"}]}  # fmt: skip


def page_of(alarm: Alarm, key: str) -> dict[str, Any]:
    """Return an alarm as PagerDuty's Events API, version 2, takes it."""
    host = socket.gethostname()
    said: dict[str, Any] = {
        "routing_key": key,
        "event_action": "trigger" if alarm.firing else "resolve",
        "dedup_key": f"bog {host} {alarm.market} {alarm.name}",
    }
    if alarm.firing:
        said["payload"] = {
            "summary": f"{alarm.name}, market {alarm.market}: {alarm.summary}"[:PAGE_BYTES],
            "source": host,
            "severity": SEVERITY,
            "component": "bog",
            "class": alarm.name,
            "timestamp": alerts.stamp_of(alarm.since),
            "custom_details": {"runbook": alarm.runbook},
        }
    return said


class Receiver:
    """One place and its thread. `dropped` counts what it never got."""

    def __init__(self, name: str, send: Send) -> None:
        self.name, self.send = name, send
        self.dropped = self.queued = self.done = 0
        self.queue: queue.Queue[Alarm | None] = queue.Queue(WAITING)
        self.times: list[float] = []  # of the last minute's deliveries
        # a daemon: what hangs in a system call must not keep the bot from ending
        self.thread = threading.Thread(target=self._run, name=f"alarms-{name}", daemon=True)
        self.thread.start()

    def put(self, alarm: Alarm) -> None:
        """Queue an alarm, or count it."""
        try:
            self.queue.put_nowait(alarm)
            self.queued += 1
        except queue.Full:
            self.dropped += 1

    def close(self, until: float) -> int:
        """Give what is queued until `until` of the monotonic clock; return how many are left then."""
        with suppress(queue.Full):  # it is far behind: no end of it will be seen
            self.queue.put_nowait(None)
        self.thread.join(max(0.0, until - time.monotonic()))
        return self.queued - self.done

    def _run(self) -> None:
        while (alarm := self.queue.get()) is not None:
            why = self._deliver(alarm)
            self.done += 1
            if why:
                self.dropped += 1
                log.emit("WARNING", "alarm_lost", f"Alarm {alarm.name} not taken by {self.name}: {why}",
                         market=alarm.market)  # fmt: skip

    def _deliver(self, alarm: Alarm) -> str:
        """Return why it was not taken, "" when it was."""
        now = time.monotonic()
        self.times = [then for then in self.times if now - then < 60.0]
        if len(self.times) >= A_MINUTE:
            return f"it had {A_MINUTE} within a minute"
        self.times.append(now)
        why = ""
        for pause in PAUSES_SEC:
            time.sleep(pause)
            try:
                self.send(alarm)
            except Refused as error:
                why = str(error)
            except Exception as error:  # whatever it is: the next alarm must find this thread alive
                why = getattr(error, "strerror", None) or type(error).__name__
            else:
                return ""
        return why


class Delivery:
    """All receivers that the configuration names."""

    def __init__(self, settings: Settings) -> None:
        own = settings.monitoring
        sends: dict[str, Send] = {
            "file": lambda alarm: alerts.append(own.alert_file, [line_of(alarm)])
        }
        if own.slack_credential:
            slack = address("monitoring.slack_credential", own.slack_credential)
            sends["slack"] = lambda alarm: post(slack, slack_of(alarm))
        if own.pagerduty_credential:
            key = secret("monitoring.pagerduty_credential", own.pagerduty_credential)
            url = own.pagerduty_url
            sends["pagerduty"] = lambda alarm: post(url, page_of(alarm, key))
        self.receivers = [Receiver(name, send) for name, send in sends.items()]

    def say(self, alarm: Alarm) -> None:
        """Log an alarm and hand it to every receiver; never waits."""
        state = "firing" if alarm.firing else "resolved"
        log.emit("ERROR" if alarm.firing else "INFO", "alarm",
                 f"ALERT {alarm.name} {state}: {alarm.summary}", market=alarm.market)  # fmt: skip
        for receiver in self.receivers:
            receiver.put(alarm)

    @property
    def dropped(self) -> int:
        """How many alarms some receiver never got."""
        return sum(receiver.dropped for receiver in self.receivers)

    def close(self) -> None:
        """Wait for what is queued, for LAST_SEC at most; say what nobody took until then."""
        until = time.monotonic() + LAST_SEC
        for receiver in self.receivers:
            if left := receiver.close(until):
                words = f"{left} alarms were not taken by {receiver.name} before the end"
                tell(words, sys.stderr)
                log.emit("WARNING", "alarm_lost", words, count=left)


def secret(key: str, value: str) -> str:
    """Return the one line of a file that only we may read; ConfigError names the key, not the line."""
    lines = Path(credentials.find(key, value)).read_text("utf-8", "replace").split()
    if len(lines) != 1:
        raise ConfigError(f"{key}: {len(lines)} words in the file, want one")
    return lines[0]


def address(key: str, value: str) -> str:
    """Return the address that stands alone in a private file; ConfigError does not say it."""
    try:
        return webhook(SecretStr(secret(key, value))).get_secret_value()
    except ValueError as error:
        raise ConfigError(f"{key}: {error} in the file") from None
