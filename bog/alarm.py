"""What cannot wait for a scrape: the conditions that bog-live looks at with every poll, and says at once.

The names are those of monitoring/alerts.yml, where Prometheus looks at the same; the thresholds are the
same keys. An alarm is said once when its condition begins, and once when it has been gone for a while. No
amount of money stands in one: others read it on the way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from bog import facts
from bog.glance import Glance, Traded

CALM_SEC = 5.0  # a condition that comes back within this never went
RUNBOOK = "monitoring/runbook.md#"


class Alarm(NamedTuple):
    """One thing that is wrong, or is so no more. `since` is Unix time in s."""

    name: str
    market: int
    summary: str
    since: float
    firing: bool

    @property
    def key(self) -> tuple[str, int]:
        """What makes it the same one."""
        return self.name, self.market

    @property
    def runbook(self) -> str:
        """Where the runbook says what to do."""
        return RUNBOOK + self.name.lower()


def _halted(glance: Glance) -> str:
    page = glance.page
    if not page["halt"]:
        return ""
    return f"halt {page['halt_id']}, {facts.halt_name(page['halt'])}: nothing is quoted until it is cleared"


def _loss(glance: Glance) -> str:
    lost = -glance.half_money(glance.page["daily2"])
    over = lost > glance.alerts["daily_loss_alert_threshold"]
    return "the loss since midnight UTC is beyond its threshold" if over else ""


def _position(glance: Glance) -> str:
    pos = glance.page["position"]["pos"]
    limit = glance.limits["max_short" if pos < 0 else "max_long"]
    return "the position is beyond its limit" if abs(pos) > limit else ""


def _feed(glance: Glance) -> str:
    silent = glance.feed_silent_sec
    if silent <= glance.alerts["huginn_disconnect_threshold_sec"]:
        return ""
    return "no sign of life of the feed"


def _differs(glance: Glance) -> str:
    link = glance.link
    if link is None or not link.differences:
        return ""
    return "journal and venue differ, nothing but cancels leaves"


def _guardian(glance: Glance) -> str:
    silent = glance.guardian_silent_sec
    if silent <= glance.alerts["guardian_silent_threshold_sec"]:
        return ""
    return "the gateway, our guardian, is silent"


# what is wrong, in words without numbers that change from look to look; "" when it is not
CONDITIONS: dict[str, Callable[[Glance], str]] = {
    "CircuitBreakerTripped": _halted,
    "DailyLossExceeded": _loss,
    "PositionLimitExceeded": _position,
    "HuginnDisconnected": _feed,
    "ReconciliationDifference": _differs,
    "GuardianLost": _guardian,
}
ENGINE_DIED = "EngineDied"


class Alarms:
    """Looks at the markets of a bot and says each alarm once; `say` must not block."""

    def __init__(
        self, markets: Iterable[Traded], say: Callable[[Alarm], None], calm_sec: float = CALM_SEC
    ) -> None:
        self.markets = list(markets)
        self.say, self.calm_sec = say, calm_sec
        self.firing: dict[tuple[str, int], Alarm] = {}
        self.gone: dict[
            tuple[str, int], float
        ] = {}  # since when a condition does not hold any more

    def look(self) -> None:
        """Say what began since the last look, and what has been over for a while."""
        for traded in self.markets:
            glance = Glance(traded)
            for name, condition in CONDITIONS.items():
                self._judge(name, glance.about["market"], condition(glance))

    def died(self, why: str) -> None:
        """Say that the engine ended as it should not have."""
        for traded in self.markets:
            self._judge(ENGINE_DIED, traded.about["market"], why)

    def _judge(self, name: str, market: int, summary: str) -> None:
        key, now = (name, market), time.monotonic()
        standing = self.firing.get(key)
        if summary:
            self.gone.pop(key, None)
            # another halt is another alarm
            if standing is None or standing.summary != summary:
                self.firing[key] = Alarm(name, market, summary, time.time(), True)
                self.say(self.firing[key])
        elif standing is not None and now - self.gone.setdefault(key, now) >= self.calm_sec:
            del self.firing[key], self.gone[key]
            self.say(standing._replace(firing=False))
