"""The gateway's process as bog-live sees it: told what to do, watched, started anew when it is gone.

The gateway watches the engine and cancels all when that dies; bog-live watches the gateway. Without
one nobody can cancel, so a new one starts at once: it begins with a cancel-all and reconciliation.
The engine sees by itself, in the link, that no gateway is up, and pulls its quotes meanwhile.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from typing import Any

from bog import credentials, log
from bog._core.link import GatewayState
from bog.errors import BogError
from bog.settings import Settings
from bog.spec import GatewayMarket, GatewaySpec, KeySpec, RestingSpec, journal_of
from bog.supervise import ERRORS, Lane

SILENT_SEC = 0.5  # a gateway that did not beat for so long is dead
START_SEC = 20.0  # to its first beat
END_SEC = 40.0  # to prove that nothing rests any more
PAUSES_SEC = (0.0, 0.25, 1.0, 5.0)  # before a new one, when the last ones did not live for long
LASTED_SEC = 30.0
LEVELS = {"difference": "ERROR", "halt": "ERROR", "error": "ERROR", "warning": "WARNING"}


def refuse_missing(settings: Settings) -> None:
    """Refuse live trading where the gateway's module is not there."""
    try:
        found = find_spec(settings.live.gateway)
    except (ImportError, ValueError):
        found = None
    if found is None:
        settings.refuse("live.gateway", "this build lacks the gateway: there is no such module")


def key_of(settings: Settings, name: str) -> KeySpec:
    """Return index and checked path of one key."""
    credential = getattr(settings.live, f"{name}_credential")
    path = credentials.find(f"live.{name}_credential", credential) if credential else ""
    return KeySpec(index=getattr(settings.live, f"{name}_index"), credential=path)


def spec_of(settings: Settings, lanes: list[Lane]) -> GatewaySpec:
    """Return what the gateway is told at its start; orders and positions change before another one."""
    live, tier = settings.live, settings.tier
    return GatewaySpec(
        account_index=live.account_index,
        chain_id=live.chain_id,
        rest_url=live.rest_url,
        ws_url=live.ws_url,
        quoting=key_of(settings, "quoting"),
        taking=key_of(settings, "taking"),
        guardian=key_of(settings, "guardian"),
        dry_run=settings.execution.dry_run,
        reconcile_only=False,
        ending=False,
        tier=settings.execution.tier,
        maker_ppm=tier.maker_fee_ppm,
        taker_ppm=tier.taker_fee_ppm,
        requests_per_min=tier.requests_per_min,
        volume_quota=tier.volume_quota,
        max_decision_age_ns=settings.steps("live.max_decision_age_ms", 6),
        tx_expiry_ns=live.tx_expiry_sec * 10**9,
        dead_man_ns=live.dead_man_sec * 10**9,
        journal=journal_of(settings),
        build=lanes[0].spec["build"],
        config_hash=lanes[0].spec["config_hash"],
        parent=os.getpid(),
        markets=[],
    )


class Gateway:
    """One gateway after another, from the first one's start to the last one's proof."""

    def __init__(self, settings: Settings, lanes: list[Lane]) -> None:
        self.lanes = lanes
        self.spec = spec_of(settings, lanes)
        self.module = settings.live.gateway
        self.child: subprocess.Popen[bytes] | None = None
        self.unread = b""
        self.ready = self.ended = False
        self.starts = 0
        self.since = self.again = 0.0

    def start(self) -> None:
        """Start a gateway that knows what the engine holds by now."""
        first = self.starts == 0
        self.spec["ending"] = self.ended
        self.spec["markets"] = [market_of(lane, first) for lane in self.lanes]
        self.unread = b""
        self.starts += 1
        self.since = time.monotonic()
        self.child = subprocess.Popen(
            [sys.executable, "-m", self.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # a Ctrl-C in the terminal reaches bog-live only
        )
        assert self.child.stdin is not None and self.child.stdout is not None
        try:
            self.child.stdin.write(json.dumps(self.spec).encode())
            self.child.stdin.close()
        except BrokenPipeError:
            pass  # it died at once: tend sees it
        os.set_blocking(self.child.stdout.fileno(), False)

    def tend(self) -> None:
        """Take what the gateway says, and replace one that is dead or silent."""
        if self.child is None:
            if time.monotonic() >= self.again:
                self.start()
            return
        self._listen()
        code = self.child.poll()
        if code is not None:
            self._gone(f"ended {how(code)}")
        elif self._silent():
            self.child.kill()
            self.child.wait()
            self._gone(f"was silent for more than {SILENT_SEC} s and was killed")

    def end(self) -> int:
        """Tell the gateway that the engine is gone; return 0 when it proved that nothing rests, else 3.

        One that is not there to be told is started once more, to cancel and to prove.
        """
        until = time.monotonic() + END_SEC
        self.ended, told = True, None
        while time.monotonic() < until:
            if self.child is None:
                self.start()
            assert self.child is not None
            if told is not self.child:
                told = self.child
                if not self.spec["ending"]:  # else it knows
                    told.terminate()
            self._listen()
            code = self.child.poll()
            if code in (0, 3):
                return code
            if code is not None or self._silent():
                self._drop()
            time.sleep(0.02)
        return 3

    def close(self) -> None:
        """Leave no process behind."""
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self._drop()

    def status(self) -> dict[str, Any]:
        """Return what operators are shown of it."""
        link = self.lanes[0].link
        assert link is not None
        try:
            state = GatewayState(link.gateway_state).name.removeprefix("GATEWAY_").lower()
        except ValueError:
            state = "down"
        return {
            "state": state if self.child is not None else "down",
            "pid": self.child.pid if self.child is not None else 0,
            "starts": self.starts,
            "beat_age_ms": max(0, time.monotonic_ns() - link.gateway_beat_ns) // 10**6,
            "failed": link.failed,
            "done": link.done,
            "quota": link.quota,
            "differences": sum(
                lane.link.differences for lane in self.lanes if lane.link is not None
            ),
        }

    def _silent(self) -> bool:
        """Whether the gateway that runs does not beat on each of its links."""
        assert self.child is not None
        now = time.monotonic()
        links = [lane.link for lane in self.lanes if lane.link is not None]
        if any(link.gateway_pid != self.child.pid for link in links):
            return now - self.since > START_SEC
        return any(now - link.gateway_beat_ns / 1e9 > SILENT_SEC for link in links)

    def _listen(self) -> None:
        """Log what the gateway says; before it is ready for the first time an error of its is ours."""
        assert self.child is not None and self.child.stdout is not None
        self.unread += self.child.stdout.read() or b""
        *said, self.unread = self.unread.split(b"\n")
        for each in said:
            try:
                line = json.loads(each)
                event, message = str(line["event"]), str(line.get("message", ""))
            except (ValueError, KeyError, TypeError):
                event, message = "warning", f"says what is no event: {each[:200]!r}"
            self.ready = self.ready or event == "ready"
            if event == "error" and not self.ready and not self.ended:
                code = line.get("code")
                raise ERRORS.get(code, BogError)(f"the gateway: {message}")
            log.emit(LEVELS.get(event, "INFO"), f"gateway_{event}", f"Gateway: {message or event}")

    def _gone(self, why: str) -> None:
        lasted = time.monotonic() - self.since
        if lasted > LASTED_SEC:
            self.starts = 1
        pause = PAUSES_SEC[min(self.starts - 1, len(PAUSES_SEC) - 1)]
        self.again = time.monotonic() + pause
        log.emit("ERROR", "gateway_gone", f"The gateway {why}; another one starts in {pause} s")
        self._drop()
        if pause == 0.0:
            self.start()

    def _drop(self) -> None:
        if self.child is not None:
            if self.child.poll() is None:
                self.child.kill()
                self.child.wait()
            if self.child.stdout is not None:
                self.child.stdout.close()
        self.child = None


def how(code: int) -> str:
    """Return how a process ended, in words."""
    return f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def market_of(lane: Lane, first: bool) -> GatewayMarket:
    """Return what a gateway must know of one market: of the last run at first, then of this one."""
    spec = lane.spec
    orders: list[RestingSpec] = lane.ready["orders"]
    position = int(lane.ready["position"])
    if not first:
        page: Any = lane.page.snapshot()
        position = page["position"]["pos"]
        orders = [
            RestingSpec(id=o["id"], side=o["side"], px=o["px"], qty=o["qty"], filled=o["filled"])
            for o in page["orders"]
        ]
    return GatewayMarket(
        market=spec["market"],
        symbol=spec["symbol"],
        price_decimals=spec["price_decimals"],
        size_decimals=spec["size_decimals"],
        link=spec["link"],
        limits=spec["limits"],
        run=lane.ready["run"],
        position=position,
        orders=orders,
    )
