"""A rehearsal of live trading on this machine: exchange, feed, gateway, engine, and a reckoning.

A `bog-exchange` is started, a `bog-live` is armed on it and trades, and at the end what the bot's
journal says is held against what the exchange knows: position, cash, fees, open orders, and every
fill, to the micro-USDC. What may go wrong meanwhile is in `nemesis`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bog import config
from bog._core.journal import PAGE
from bog._core.types import JournalKind, Side, StateWord
from bog.errors import BogError, DataError
from bog.launch import MODULE
from bog.nemesis import Nemesis, script
from bog.recovery import NAMES, RECORD, recover, run_files
from bog.spec import raw_market

ACCOUNT = 1000
LOW = 1 << 32  # a journal keeps so many trade ids apart
START_SEC = 120.0
END_SEC = 90.0
POLL_SEC = 0.5
TOLD_SEC = 10.0  # between two lines of how far it is
# a fault's end is soon proven, and the limit is near enough to be reached
FAULTY = {
    "BOG_LIVE__TX_EXPIRY_SEC": "5", "BOG_RISK__MAX_POSITION": "0.06", "BOG_RISK__MAX_SHORT": "0.06",
}  # fmt: skip
ENDS = (JournalKind.J_REJECT, JournalKind.J_CANCELED, JournalKind.J_EXPIRED)
HALTS = ("halt", "gateway_halt", "gateway_difference")


class Fill(NamedTuple):
    """One fill of ours: ticks, lots, micro-USDC."""

    trade: int  # low bits of the venue's id
    side: int
    px: int
    qty: int
    fee: int


@dataclass
class Account:
    """What an account comes to, by one side's word."""

    position: int  # lots
    cash: int  # micro-USDC since the account began, funding left out
    fees: int
    orders: list[int]  # ids of those that may rest
    fills: list[Fill]


class Exchange:
    """A bog-exchange process of ours, and its control socket."""

    def __init__(self, where: Path, market: int, *options: str) -> None:
        self.where, self.control = where, where / "control.sock"
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log = (where / "exchange.err").open("w")
        self.child = subprocess.Popen(
            [
                *MODULE, "bog.cli.exchange", "--port", "0", "--market", str(market),
                "--account", str(ACCOUNT), "--keys", str(where / "keys"),
                "--control", str(self.control), *options,
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True,
            process_group=0,
        )  # fmt: skip
        assert self.child.stdout is not None
        if not select.select([self.child.stdout], [], [], START_SEC)[0]:
            self.close()
            raise BogError(
                f"the exchange said nothing within {START_SEC:.0f} s: see {self.log.name}"
            )
        said = self.child.stdout.readline()
        if not said:
            self.close()
            raise BogError(f"the exchange ended: see {self.log.name}")
        self.hello: dict[str, Any] = json.loads(said)

    def ask(self, **asked: Any) -> dict[str, Any]:
        """Return the answer to one request; DataError when it is refused."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(START_SEC)
            sock.connect(str(self.control))
            sock.sendall(json.dumps(asked).encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                got = sock.recv(1 << 20)
                if not got:
                    raise DataError("the exchange hung up")
                answer += got
        said: dict[str, Any] = json.loads(answer)
        if not said["ok"]:
            raise DataError(f"the exchange refuses {asked}: {said['error']}")
        return said

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(20)
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        if self.child.stdout is not None:
            self.child.stdout.close()
        self.log.close()


def venue_says(god: dict[str, Any], market: int) -> Account:
    """Return our account as the exchange knows it."""
    account = god["accounts"][str(ACCOUNT)]
    fills = []
    for trade in god["trades"]:
        for side, mine in ((Side.ASK, trade["ask"]), (Side.BID, trade["bid"])):
            if trade["market"] != market or mine[2] != ACCOUNT:
                continue
            is_maker = trade["is_maker_ask"] == (side == Side.ASK)
            fee = trade["maker_fee"] if is_maker else trade["taker_fee"]
            fills.append(Fill(trade["id"] % LOW, int(side), trade["px"], trade["lots"], fee))
    held = account["positions"].get(str(market), {"lots": 0})
    cash = account["cash"] - account["deposited"] + account["funding"]
    orders = [order["client"] for order in account["orders"]]
    return Account(held["lots"], cash, account["fees"], sorted(orders), sorted(fills))


def journal_says(journal: Path, segments: Path, market: int) -> Account:
    """Return our account as the bot's journal of every run has it."""
    raw = raw_market(market)
    found = recover(journal, raw, segments=segments)
    words = found.words
    cash = words[StateWord.W_CASH] - words[StateWord.W_FUNDING]
    orders = sorted(order.id for order in found.open_orders)
    fills = [
        Fill(r["aux"], r["side"], r["px"], r["qty"], r["val"])
        for r in records(journal, raw)
        if r["kind"] == JournalKind.J_FILL
    ]
    return Account(words[StateWord.W_POS], cash, words[StateWord.W_FEES], orders, sorted(fills))


def records(
    journal: Path, raw: int, read: dict[Path, int] | None = None
) -> Iterator[dict[str, int]]:
    """Yield the records of every run, as fields by their names.

    `read` is by file how far that was done before: those records are passed over.
    """
    read = {} if read is None else read
    for _, _, path in run_files(journal, raw):
        with path.open("rb") as file:
            file.seek(read.get(path, PAGE))
            data = file.read()
        whole = len(data) - len(data) % RECORD.size
        read[path] = read.get(path, PAGE) + whole
        for fields in RECORD.iter_unpack(data[:whole]):
            yield dict(zip(NAMES, fields, strict=True))


class Progress:
    """What a journal on the disk comes to so far."""

    def __init__(self, journal: Path, market: int) -> None:
        self.journal, self.raw = journal, raw_market(market)
        self.read: dict[Path, int] = {}
        self.orders = 0  # creates and amends that were sent
        self.fills = [0, 0]  # by side
        self.dead: set[int] = set()  # orders that ended otherwise than by their fills

    def look(self) -> Progress:
        """Take what was written since the last look."""
        for r in records(self.journal, self.raw, self.read):
            self.orders += r["kind"] in (JournalKind.J_PLACE, JournalKind.J_AMEND)
            if r["kind"] == JournalKind.J_FILL:
                self.fills[r["side"] & 1] += 1
            elif r["kind"] in ENDS:
                self.dead.add(r["id"])
        return self


def differences(ours: Account, theirs: Account) -> list[str]:
    """Return in what the two differ, a line each; nothing when they are equal."""
    found = [
        f"{name}: the journal says {mine}, the exchange {its}"
        for name, mine, its in (
            ("position", ours.position, theirs.position),
            ("cash", ours.cash, theirs.cash),
            ("fees", ours.fees, theirs.fees),
            ("open orders", ours.orders, theirs.orders),
        )
        if mine != its
    ]
    missing, more = multiset(theirs.fills, ours.fills), multiset(ours.fills, theirs.fills)
    found += [f"a fill that the journal has not: {fill}" for fill in missing[:5]]
    found += [f"a fill that the exchange has not: {fill}" for fill in more[:5]]
    return found


def multiset(left: list[Fill], right: list[Fill]) -> list[Fill]:
    """Return what `left` has more of than `right`."""
    rest = list(right)
    more = []
    for fill in left:
        if fill in rest:
            rest.remove(fill)
        else:
            more.append(fill)
    return more


@dataclass
class Plan:
    """How long, and how much has to happen in it."""

    market: int = 1
    seconds: float = 600.0
    orders: int = 5000
    fills: int = 200  # on each side
    seed: int = 1
    faults: int = 0  # rounds of every kind of fault
    only: tuple[str, ...] = ()  # of these kinds, in place of every

    def is_met(self, orders: int, fills: list[int]) -> bool:
        return orders >= self.orders and min(fills) >= self.fills


@dataclass
class Result:
    """What happened. `wrong` is empty when the rehearsal passed."""

    seconds: float
    orders: int  # creates and amends that were sent
    fills: list[int]  # by side
    ours: Account
    theirs: Account
    wrong: list[str]
    faults: dict[str, int] = field(default_factory=dict)  # how often each kind spoiled something
    lost: int = 0  # transactions whose answer was lost
    live: int = 0  # of them, taken by the exchange


def environment(where: Path, exchange: Exchange) -> dict[str, str]:
    """Return the variables that point rehearsal.toml at an exchange, and all files into `where`."""
    url, ws, keys = exchange.hello["url"], exchange.hello["ws"], exchange.where / "keys"
    set_to = {
        "live__rest_url": url, "live__ws_url": ws, "live__arm_directory": where / "arm",
        "live__quoting_credential": keys / f"{ACCOUNT}-4.key",
        "live__guardian_credential": keys / f"{ACCOUNT}-5.key",
        "feed__lighter__rest_url": url, "feed__lighter__url": ws,
        "feed__lighter__metadata_directory": where / "lighter",
        "journal__directory": where / "journal", "feed__directory": where / "shm",
        "monitoring__log_file": where / "bog.log", "monitoring__prometheus_port": 0,
    }  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BOG_LIVE__")}
    return kept | {f"BOG_{name.upper()}": str(value) for name, value in set_to.items()}


def token(environ: dict[str, str], market: int) -> str:
    """Arm one start, as a person would who types the account's number."""
    done = subprocess.run(
        [*MODULE, "bog.cli.arm", "--market", str(market), "--config", "rehearsal"],
        env=environ, input=f"{ACCOUNT}\n", text=True, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BogError(f"bog-arm ended with exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout.splitlines()[-1]


def rehearse(
    where: Path, plan: Plan, say: Callable[[str], None], more: dict[str, str] | None = None
) -> Result:
    """Trade on an exchange of our own until enough has happened, stop, and compare.

    `more` are further variables of the environment of bog-arm and bog-live.
    """
    (where / "shm").mkdir(mode=0o700, parents=True, exist_ok=True)
    exchange = Exchange(where / "exchange", plan.market, "--seed", str(plan.seed))
    try:
        return _trade(where, plan, exchange, say, more or {})
    finally:
        exchange.close()


def _trade(
    where: Path,
    plan: Plan,
    exchange: Exchange,
    say: Callable[[str], None],
    more: dict[str, str],
) -> Result:
    environ = environment(where, exchange) | (FAULTY if plan.faults else {}) | more
    limits = config.load("rehearsal", environ=environ).of(plan.market).limits(plan.market)
    acts = script(plan.seed, plan.faults, plan.only)
    for number, act in enumerate(acts, 1):
        say(f"{number:3} {act.kind}, {act.seconds:.1f} s: {json.dumps(act.asks)}")
    nemesis = Nemesis(acts, exchange.ask, ACCOUNT, limits["max_long"])
    armed = token(environ, plan.market)
    began = time.monotonic()
    with (where / "bot.out").open("w") as out, (where / "bot.err").open("w") as err:
        bot = subprocess.Popen(
            [*MODULE, "bog.cli.live", "--market", str(plan.market),
             "--config", "rehearsal", "--mode", "live", "--arm", armed],
            env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
        )  # fmt: skip
        try:
            _follow(bot, plan, where, say, began, nemesis)
            nemesis.end()
        finally:
            if bot.poll() is None:
                bot.send_signal(signal.SIGTERM)
            try:
                code = bot.wait(END_SEC)
            except subprocess.TimeoutExpired:
                bot.kill()
                code = bot.wait()
    theirs = venue_says(exchange.ask(do="god", account=ACCOUNT), plan.market)
    ours = journal_says(where / "journal", where / "shm", plan.market)
    progress = Progress(where / "journal", plan.market).look()
    orders, fills = progress.orders, progress.fills
    wrong = differences(ours, theirs) + nemesis.wrong
    if code:
        last = (where / "bot.err").read_text().strip().splitlines()[-1:]
        wrong.append(f"bog-live ended with exit code {code}: {' '.join(last)}")
    if nemesis.played < len(acts):
        wrong.append(f"{nemesis.played} of {len(acts)} faults in {plan.seconds:.0f} s")
    if not plan.is_met(orders, fills):
        wrong.append(
            f"{orders} orders and {fills} fills a side in {time.monotonic() - began:.0f} s: want"
            f" {plan.orders} and {plan.fills}"
        )
    wrong += alarms(where / "bog.log")
    if theirs.orders:
        wrong.append(f"left at the exchange: orders {theirs.orders}")
    return Result(
        time.monotonic() - began, orders, fills, ours, theirs, wrong, nemesis.happened,
        nemesis.lost, nemesis.live,
    )  # fmt: skip


def alarms(path: Path) -> list[str]:
    """Return what halted the bot or its gateway: a rehearsal has no cause for either."""
    lines = path.read_text().splitlines() if path.exists() else []
    said = [json.loads(line) for line in lines]
    return [line["message"] for line in said if line["event"] in HALTS]


def _follow(
    bot: subprocess.Popen[bytes],
    plan: Plan,
    where: Path,
    say: Callable[[str], None],
    began: float,
    nemesis: Nemesis,
) -> None:
    """Wait until enough has happened, the time is over, or the bot has ended."""
    told = 0.0
    progress = Progress(where / "journal", plan.market)
    while bot.poll() is None and time.monotonic() - began < plan.seconds:
        time.sleep(POLL_SEC)
        orders, fills = progress.look().orders, progress.fills
        if nemesis.acts:
            nemesis.look(time.monotonic(), progress.dead)
        if nemesis.wrong:
            return  # what must not be is seen best at once
        if plan.is_met(orders, fills) and (nemesis.done or not nemesis.acts):
            return
        if time.monotonic() - told > TOLD_SEC:
            told = time.monotonic()
            played = f", {nemesis.played} of {len(nemesis.acts)} faults" if nemesis.acts else ""
            say(f"{told - began:.0f} s: {orders} of {plan.orders} orders, fills {fills[0]} bid,"
                f" {fills[1]} ask, of {plan.fills}{played}")  # fmt: skip
