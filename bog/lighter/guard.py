"""The guardian's judgment: when the engine counts as silent, and when the venue's timer is renewed.

Pure. The gateway cancels what this says, with the guardian's own key.
"""

from __future__ import annotations

from bog.lighter.connection import SECOND

AGAIN_NS = SECOND  # between two cancel-alls while something still rests
AHEAD_MS = 360_000  # of the scheduled cancel-all: the venue's five minutes and a margin
RENEW_NS = 60 * SECOND
CLOSE_MS = 1000  # the venue's word about the timer may differ so much from ours


class Watch:
    """One engine's pulse."""

    def __init__(self, silent_ns: int = SECOND) -> None:
        self.silent_ns = silent_ns  # an engine without a beat for so long is dead to us
        self.silent = False
        self.canceled_ns = 0
        self.seen = False  # an engine has come

    def look(self, now: int, pid: int, beat_ns: int, alive: bool) -> bool:
        """Return whether the engine is silent now; one that has not come yet is not."""
        self.seen = self.seen or pid != 0
        self.silent = self.seen and (not alive or now - beat_ns > self.silent_ns)
        return self.silent

    def cancels(self, now: int, live: bool) -> bool:
        """Return whether to cancel all now: at once, and again while something may rest."""
        if not self.silent:
            self.canceled_ns = 0
            return False
        if self.canceled_ns and (not live or now - self.canceled_ns < AGAIN_NS):
            return False
        self.canceled_ns = now
        return True


class Switch:
    """The venue's timer that cancels everything unless we push it ahead."""

    def __init__(self, ahead_ms: int = AHEAD_MS, renew_ns: int = RENEW_NS) -> None:
        self.ahead_ms, self.renew_ns = ahead_ms, renew_ns
        self.at_ms = 0  # as last asked for
        self.before_ms = 0  # and the one before, which stands until the new one is run
        self.asked_ns = 0
        self.shown_ms = 0  # as the venue says

    def due(self, now: int) -> bool:
        """Return whether to push it ahead now."""
        return self.asked_ns == 0 or now - self.asked_ns >= self.renew_ns

    def asked(self, at_ms: int, now: int) -> None:
        self.before_ms, self.at_ms, self.asked_ns = self.at_ms, at_ms, now

    def shown(self, at_ms: int, asked_ns: int) -> str:
        """Take the venue's word, asked for at `asked_ns`; return what is wrong, "" when nothing is."""
        self.shown_ms = at_ms
        if self.at_ms == 0 or asked_ns - self.asked_ns < 5 * SECOND:
            return ""  # it may not have been run yet
        if any(t and abs(at_ms - t) <= CLOSE_MS for t in (self.at_ms, self.before_ms)):
            return ""
        self.asked_ns = 0
        return f"the venue's timer stands at {at_ms}, asked for {self.at_ms}: asked again"
