"""The gateway's process as bog-live sees it: told what to do, watched, started anew when it is gone.

The gateway watches the engine and cancels all when that dies; bog-live watches the gateway. Without
one nobody can cancel, so a new one starts at once: it takes over the engine's orders and compares.
The engine sees by itself, in the link, that no gateway is up, and pulls its quotes meanwhile.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bog import credentials, log, signed
from bog._core.link import GatewayState, Link, first_order_id
from bog._core.types import StateWord
from bog.build import digest_of
from bog.cash import Cash, Earned
from bog.errors import BogError, ConfigError
from bog.launch import MODULE
from bog.recovery import Resting, recover, resting_of
from bog.settings import Settings
from bog.spec import MARKETS, Spec, journal_of, link_path, raw_market
from bog.supervise import ERRORS, Lane
from bog.units import scaled, text

if TYPE_CHECKING:
    from bog.lighter.hello import GatewaySpec, KeySpec, MarketSpec

SETTLED = (GatewayState.GATEWAY_UP, GatewayState.GATEWAY_HALTED)
SILENT_SEC = 1.0  # a gateway that did not beat for so long is dead
START_SEC = 30.0  # to its first beat
SETTLE_SEC = 20.0  # a gateway that is to end may take so long to see what there is
END_SEC = 40.0  # to prove that nothing rests any more
PAUSES_SEC = (0.0, 0.25, 1.0, 5.0)  # before a new one, when the last ones did not live for long
LASTED_SEC = 30.0
COMPARED = ("positions", "ours", "orders", "foreign", "fills", "collateral", "moved")
LEVELS = {"difference": "ERROR", "halt": "ERROR", "error": "ERROR", "guard": "ERROR"}


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
    key = f"live.{name}_credential"
    credential = settings.value(key)
    if not credential:
        settings.refuse(key, "live trading needs this key: want the path of its file")
    path = credentials.find(key, credential)
    return {"index": settings.value(f"live.{name}_index"), "path": path}


def spec_of(settings: Settings, markets: list[int], build: str) -> GatewaySpec:
    """Return what the gateway is told at its start, all but what the engine holds."""
    live, tier = settings.live, settings.tier
    decimals = {m.price_decimals + m.size_decimals for m in map(settings.market, markets)}
    return {
        "url": live.ws_url,
        "rest": live.rest_url,
        "chain": live.chain_id,
        "account": live.account_index,
        "markets": [],
        "trade": key_of(settings, "quoting"),
        "guard": key_of(settings, "guardian"),
        "daily_notional": settings.steps("live.daily_signed_quote", max(decimals)),
        "sends_per_min": tier.requests_per_min,
        "reads_per_min": tier.reads_per_min or tier.requests_per_min,
        "shared_bucket": not tier.reads_per_min,
        "quota": tier.volume_quota or -1,
        "quota_reserve": settings.strategy.chosen.quota_reserve if tier.volume_quota else 0,
        "post_only": True,
        "age_ms": settings.steps("live.max_decision_age_ms", 0),
        "expired_ms": live.tx_expiry_sec * 1000,
        "skew_ms": live.clock_skew_ms,
        "silent_ms": live.engine_silent_ms,
        "switch_ms": live.dead_man_sec * 1000,
        "signed": "",
        "dry_run": settings.execution.dry_run,
        "compare_only": False,
        "takes_over": False,
        "nap_us": live.poll_us,
        "parent": os.getpid(),
        "build": digest_of(build),
    }


class Gateway:
    """One gateway after another, from the first one's start to the last one's proof."""

    def __init__(self, settings: Settings, lanes: list[Lane]) -> None:
        self.lanes, self.settings = lanes, settings
        self.spec = spec_of(settings, [lane.market for lane in lanes], lanes[0].spec["build"])
        self.module = settings.live.gateway
        self.child: subprocess.Popen[bytes] | None = None
        self.unread = b""
        self.facts: dict[str, Any] = {}  # what this one said of the account, and at its end
        self.cash = Cash()
        self.came = False  # one was ready
        self.compared = 0.0  # when it last said how ours and the venue's compare
        self.why = ""  # its newest alarm
        self.ended = False
        self.starts = 0
        self.since = self.again = 0.0

    def start(self) -> None:
        """Start a gateway that knows what the engine holds by now."""
        first = self.starts == 0
        self.spec["markets"] = [market_of(lane, first) for lane in self.lanes]
        self.spec["takes_over"] = not first
        self.spec["signed"] = str(signed.beside(Path(self.lanes[0].ready["journal"])))
        self.unread, self.facts = b"", {}
        self.starts += 1
        self.since = time.monotonic()
        self.child = subprocess.Popen(
            [*MODULE, self.module],
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

    def end(self) -> list[int]:
        """End the gateway once the engine is gone; return the orders that it could not prove dead.

        When there is none to be told, one is started once more, to cancel and to prove.
        """
        until = time.monotonic() + END_SEC
        self.ended, told = True, None
        while time.monotonic() < until:
            if self.child is None:
                self.start()
            assert self.child is not None
            patient = time.monotonic() - self.since < SETTLE_SEC
            if told is not self.child and (self._settled() or not patient):
                told = self.child
                told.terminate()
            code = self.child.poll()
            self._listen()
            if "live" in self.facts:
                return list(self.facts["live"])
            if code is not None and code > 0:
                break  # it cannot even start: nobody can
            if code is not None:
                self._drop()
            time.sleep(0.02)
        return [order["id"] for lane in self.lanes for order in orders_of(lane)]

    def close(self) -> None:
        """Leave no process behind."""
        self._drop()

    def status(self) -> dict[str, Any]:
        """Return what operators are shown of it."""
        link = self.lanes[0].link
        assert link is not None
        compared = {name: self.facts[name] for name in COMPARED if name in self.facts}
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
            "differences": link.differences,  # of the account: each link has the same number
            "compared": compared,
            "table": table(compared, self.settings) if compared else "",
            "compared_age_sec": round(time.monotonic() - (self.compared or self.since), 1),
            "alarm": self.why,
        }

    def _settled(self) -> bool:
        """Whether the gateway has seen what the venue holds, and can be asked to leave nothing."""
        assert self.child is not None
        return all(
            link.gateway_pid == self.child.pid and link.gateway_state in SETTLED
            for link in self._links()
        )

    def _links(self) -> list[Link]:
        return [lane.link for lane in self.lanes if lane.link is not None]

    def _silent(self) -> bool:
        """Whether the gateway that runs does not beat on each of its links."""
        assert self.child is not None
        now = time.monotonic()
        links = self._links()
        if any(link.gateway_pid != self.child.pid or not link.gateway_beat_ns for link in links):
            return now - self.since > START_SEC
        late = any(now - link.gateway_beat_ns / 1e9 > SILENT_SEC for link in links)
        # the beat of the one before may still stand there, and the checks of a start beat no more
        return late and now - self.since > START_SEC

    def _listen(self) -> None:
        """Log what the gateway says; before it was ready for the first time its error is ours."""
        assert self.child is not None and self.child.stdout is not None
        self.unread += self.child.stdout.read() or b""
        *said, self.unread = self.unread.split(b"\n")
        for each in said:
            try:
                line: dict[str, Any] = json.loads(each)
                event, words = str(line["event"]), str(line.get("text", ""))
            except (ValueError, KeyError, TypeError):
                event, line, words = "say", {}, f"says what is no event: {each[:200]!r}"
            self.came = self.came or event == "ready"
            if event in ("ready", "compared", "end", "tier"):
                self.facts |= line
                self.compared = time.monotonic() if event == "compared" else self.compared
            if event == "error" and not self.came and not self.ended:
                raise ERRORS.get(line.get("code", 1), BogError)(f"the gateway: {words}")
            if event == "compared":
                self._count_cash(str(line["collateral"]))
            if event in LEVELS:
                self.why = words
            level = "DEBUG" if event == "compared" else LEVELS.get(event, "INFO")
            log.emit(level, f"gateway_{event}", f"Gateway: {words or event}")

    def _count_cash(self, collateral: str) -> None:
        """Say what moved the venue's collateral that the engines have not booked."""
        moved = self.cash.look(scaled(collateral, 6, "collateral"), earned_by(self.lanes))
        if self.cash.apart is not None:
            self.facts["moved"] = self.cash.moved
        if moved:
            self.why = (
                f"the collateral moved by {text(moved, 6)} USDC that no fill, fee or funding explains: a"
                " transfer, or trades of somebody else"
            )
            log.emit("ERROR", "gateway_cash", f"Gateway: {self.why}")

    def _gone(self, why: str) -> None:
        if time.monotonic() - self.since > LASTED_SEC:
            self.starts = 1
        pause = PAUSES_SEC[min(self.starts - 1, len(PAUSES_SEC) - 1)]
        self.again = time.monotonic() + pause
        self.why = f"the gateway {why}"
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


def earned_by(lanes: list[Lane]) -> Earned:
    """Return what the engines have booked since their accounts began."""
    micro = slack = 0
    for lane in lanes:
        page: Any = lane.page.snapshot()
        held = page["position"]
        quanta: int = 10 ** (lane.spec["price_decimals"] + lane.spec["size_decimals"])
        micro += (held["realized"] - held["fees"] + held["funding"]) * 10**6 // quanta
        slack += held["fills"] + sum(page["measure"]["filled"]) * 10**6 // (2 * quanta)
    return Earned(micro, slack)


def how(code: int) -> str:
    """Return how a process ended, in words."""
    return f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def orders_of(lane: Lane) -> list[Resting]:
    """Return the orders that the engine counts as alive, at the worst that each may be."""
    page: Any = lane.page.snapshot()
    return [
        Resting(id=o["id"], side=o["side"], px=o["px"], qty=o["qty"], filled=o["filled"])
        for o in page["orders"]
    ]


def market_of(lane: Lane, first: bool) -> MarketSpec:
    """Return what a gateway must know of one market: of the last run at first, then of this one."""
    spec, limits = lane.spec, lane.spec["limits"]
    booked = Booked(lane.ready["position"], lane.ready["trade"], lane.ready["funded"])
    orders: list[Resting] = lane.ready["orders"]
    if lane.done:
        booked = booked_by(lane.done["words"])
        orders = orders_of(lane)
    elif not first:
        page: Any = lane.page.snapshot()
        booked = Booked(*(page["position"][name] for name in ("pos", "trade", "funded")))
        orders = orders_of(lane)
    return market_spec(
        spec["market"], spec["link"], scale_of(spec), limits, booked, orders, lane.ready["first"]
    )


def scale_of(spec: Spec) -> tuple[int, int]:
    return spec["price_decimals"], spec["size_decimals"]


class Unexplained(NamedTuple):
    """A position of the venue to which the journal and the trades since do not lead."""

    market: int
    ours: int  # lots
    theirs: int
    cost: int  # of theirs, quanta


class Booked(NamedTuple):
    """What an engine has booked: its position, and up to where."""

    position: int  # lots
    trade: int  # low 32 bits of the newest trade's id
    funded: int  # Unix second of the newest funding payment


def booked_by(words: Sequence[int]) -> Booked:
    """Return what the carried words of a run say."""
    return Booked(*(words[at] for at in (StateWord.W_POS, StateWord.W_TRADE, StateWord.W_FUNDED)))


def market_spec(
    market: int, link: str, scale: tuple[int, int], limits: dict[str, int], booked: Booked,
    orders: list[Resting], first: int,
) -> MarketSpec:  # fmt: skip
    return {
        "market": market,
        "link": link,
        "price_decimals": scale[0],
        "size_decimals": scale[1],
        "max_order": limits["max_order"],
        "min_px": limits["min_px"],
        "max_px": limits["max_px"],
        "position": booked.position,
        "trade": booked.trade,
        "funded": booked.funded,
        "first": first,
        "orders": orders,
    }


def first_of(market: int, next_id: int) -> int:
    """Return the first order id of a run after one whose journal says `next_id`."""
    try:
        return int(first_order_id(market, next_id))
    except ValueError as error:
        raise ConfigError(str(error)) from None


def compare(settings: Settings, markets: list[int], build: str) -> dict[str, Any]:
    """Ask the venue once, beside no bot, and return how the journals compare with it.

    Nothing is sent. Raise BogError when a bot runs on the journal or the venue does not answer.
    """
    spec = spec_of(settings, markets, build)
    folder = journal_of(settings)
    spec["compare_only"] = True
    links: list[str] = []
    try:
        for market in markets:
            own, raw = settings.of(market), raw_market(market)
            found = recover(
                folder, raw, account=settings.live.account_index, segments=own.feed.directory
            )
            link = link_path(own.feed.directory, market)
            Link.create(link, raw, chain=spec["chain"], account=spec["account"])
            links.append(link)
            scale = own.market(market)
            spec["markets"].append(market_spec(
                market, link, (scale.price_decimals, scale.size_decimals), own.limits(market),
                booked_by(found.words), resting_of(found),
                first_of(market, found.words[StateWord.W_NEXT_ORDER_ID]),
            ))  # fmt: skip
        spec["signed"] = str(Path(folder) / "none.signed")  # nothing is signed but a token
        done = subprocess.run(
            [*MODULE, settings.live.gateway], input=json.dumps(spec).encode(),
            stdout=subprocess.PIPE, check=False, process_group=0,
        )  # fmt: skip
    finally:
        for link in links:
            Path(link).unlink(missing_ok=True)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    for line in said:
        if line["event"] == "error":
            raise ERRORS.get(line["code"], BogError)(f"the gateway: {line['text']}")
    compared = [line for line in said if line["event"] == "compared"]
    if not compared:
        raise BogError(f"the gateway ended {how(done.returncode)} and compared nothing")
    result = dict(compared[-1])
    result["unexplained"] = [
        Unexplained(int(raw) % MARKETS, ours, theirs, result["costs"][raw])
        for raw, (ours, theirs) in result["positions"].items()
        if ours != theirs
    ]
    for one in spec["markets"]:  # what it told of fills is in no journal
        result["positions"][str(raw_market(one["market"]))][0] = one["position"]
    return result


def table(compared: dict[str, Any], settings: Settings) -> str:
    """Return a comparison for people, a line each."""
    lines = []
    for raw, (ours, theirs) in compared["positions"].items():
        market = settings.market(int(raw) % MARKETS)
        lines.append(
            f"position {market.symbol}: journal {text(ours, market.size_decimals)}, venue"
            f" {text(theirs, market.size_decimals)}{'' if ours == theirs else '  DIFFERENT'}"
        )
    lines += [
        f"orders: {len(compared['orders'])} of ours rest, {compared['ours']} not proven dead,"
        f" {compared['foreign']} foreign",
        f"fills not in the journal: {compared['fills']}",
        f"collateral: {compared['collateral']}",
    ]
    if "moved" in compared:
        lines.append(f"of it moved by no fill, fee or funding: {text(compared['moved'], 6)}")
    return "\n".join(lines)
