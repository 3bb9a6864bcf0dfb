"""The gateway process: holds the keys, carries commands to the venue and its words back.

Started by bog-live with a GatewaySpec on its standard input; answers with JSON lines. One loop polls
the links' commands, one socket is kept hot, two threads make calls. It is the engine's guardian:
when an engine falls silent, it cancels everything with the guardian's own key.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections import deque
from pathlib import Path
from random import Random
from typing import Any

from picows import WSMsgType

from bog import facts, signed
from bog._core.link import GatewayState, Link, LinkBudget, LinkKey, first_order_id
from bog._core.signer import Signer, harden
from bog._core.stats import name_process
from bog.build import build_id, digest_of
from bog.errors import BogError, ConfigError, DataError
from bog.lighter import codec, codes, hello, rows
from bog.lighter.asks import Asks
from bog.lighter.budget import Budget, Tier
from bog.lighter.calls import Caller
from bog.lighter.client import Client
from bog.lighter.connection import SECOND, State
from bog.lighter.desk import Desk, Key, Message, Rules
from bog.lighter.fate import Fates, Report
from bog.lighter.funding import Funding
from bog.lighter.guard import Switch, Watch
from bog.lighter.hello import GatewaySpec, KeySpec
from bog.lighter.inbox import Inbox
from bog.lighter.nonces import Nonces
from bog.lighter.once import Once
from bog.lighter.private import TOKEN_S, Private
from bog.lighter.reconcile import Books
from bog.lighter.rest import RestError
from bog.lighter.rows import RowError
from bog.signed import Owner, Writer

CALL_S = 5.0
TICK_NS = 10_000_000
COMPARISONS = 3  # beside no bot, before a difference is one
ROUND_NS = 10 * SECOND
START_S = 20.0
LAST_S = 3.0  # for the last words
HTTP_NS = SECOND  # without a socket for so long, HTTP carries what must go
# nothing sent for so long: an answered question shows that the venue is there
QUIET_NS = 5 * SECOND
MOST_BYTES = 1 << 22
FILL = 64  # pairs made ready in an idle moment


def emit(event: str, **more: Any) -> None:
    """Say one thing to bog-live."""
    with contextlib.suppress(OSError):
        sys.stdout.write(json.dumps({"event": event, **more}) + "\n")
        sys.stdout.flush()


def say(text: str) -> None:
    emit("say", text=text[:300])


class Gateway:
    """One account's way to the venue."""

    def __init__(self, spec: GatewaySpec) -> None:
        self.spec = spec
        mine = build_id()
        other = (
            "" if digest_of(mine) == spec["build"] else f"the gateway is of {mine}, bog-live is not"
        )
        if other and not spec["takes_over"]:
            raise ConfigError(f"{other}: want one build, start anew")
        self.links: dict[int, Link] = {}
        for market in spec["markets"]:
            link = Link.open(market["link"])
            if (link.chain, link.account) != (spec["chain"], spec["account"]):
                raise ConfigError(
                    f"{market['link']} is of chain {link.chain}, account {link.account}"
                )
            link.gateway_pid, link.gateway_build = os.getpid(), digest_of(mine)
            link.gateway_state = GatewayState.GATEWAY_STARTING
            self.links[link.market] = link
        self.counted = {m: (link.failed, link.done) for m, link in self.links.items()}
        # of gateways before this one
        self.numbered = {m: {k: link.key(k) for k in facts.KEYS} for m, link in self.links.items()}
        scales = dict(zip(self.links, map(hello.scale_of, spec["markets"]), strict=True))
        tier = Tier(
            spec["sends_per_min"], spec["reads_per_min"], spec["shared_bucket"], spec["quota"],
            spec["quota_reserve"],
        )  # fmt: skip
        self.rules = Rules(
            expired_ms=spec["expired_ms"], skew_ms=spec["skew_ms"], post_only=spec["post_only"],
            age_ns=spec["age_ms"] * 1_000_000,
        )  # fmt: skip
        self.signers = {name: self._signer(spec[name]) for name in ("trade", "guard")}
        trade, guard = (
            Key(name, spec[name]["index"], self.signers[name], Nonces(self.rules.skew_ms))
            for name in ("trade", "guard")
        )
        self.desk = Desk(
            self.rules, scales, trade, guard, Budget(tier),
            Fates(Once(), self.rules.verdict_ns),
        )  # fmt: skip
        booked = {raw: m["trade"] for raw, m in zip(self.links, spec["markets"], strict=True)}
        if other:  # the code was changed under a running bot: its orders can still be canceled
            self.desk.halt(f"{other}: start anew")
        funded = {raw: m["funded"] for raw, m in zip(self.links, spec["markets"], strict=True)}
        self.funding = Funding(funded)
        self.asks = Asks(self.desk, spec["account"], booked, self.funding)
        self.books = Books()
        self.begin()
        path = Path(spec["signed"])
        self.writers: dict[str, Writer] = {}
        if not spec["compare_only"]:
            self.writers["trade"] = self._writer(path, "trade")
            self.writers["guard"] = self._writer(
                path.with_name(f"{path.stem}.guard.signed"), "guard"
            )
        self.machine = Private(spec["account"], Random(), self.token)
        self.inbox = Inbox(self.machine, self.asks, self.books, say, self.push)
        self.client = Client(
            spec["url"],
            self.inbox,
            self.machine,
            most_bytes=MOST_BYTES,
            say=say,
            ask=lambda _: None,
        )
        silent_ns = spec["silent_ms"] * 1_000_000
        self.watches = {market: Watch(silent_ns) for market in self.links}
        self.switch = Switch(spec["switch_ms"])
        self.kept: deque[Report] = deque()  # what a full ring did not take
        self.state = GatewayState.GATEWAY_STARTING
        self.made_token: tuple[str, int] = ("", 0)
        self.unanswered = ""  # why the last question was, "" when it was answered
        self.agreed = False  # the venue once held what the engines do
        self.stopped = False  # no command is taken any more
        self.ended = False  # nor is anything asked
        self.unseen = 0  # orders that REST showed and the stream did not
        self.began_round_ns = self.compared_ns = 0
        self.told_round = 0  # the last one of which a comparison was told
        self.socket_gone_ns = time.monotonic_ns()
        self.http_ok_ns = 0
        self.sent_ns = 0  # when the last transaction left
        self.rounds_wanted = 0
        self.posts: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Take over what the engines hold: positions, and orders whose fate is unknown."""
        now, gone_ms = time.monotonic_ns(), time.time_ns() // 1_000_000
        gone_ms += self.rules.expired_ms + self.rules.skew_ms
        for raw, market in zip(self.links, self.spec["markets"], strict=True):
            self.books.begin(raw, market["position"])
            ids = range(first_order_id(market["market"], 0), market["first"])
            self.desk.fates.before[raw] = ids
            for o in market["orders"]:
                self.desk.fates.adopt(o["id"], raw, o["side"], o["px"], now, gone_ms, o["filled"])
        if not self.spec["compare_only"]:
            self.desk.fates.reports += self.funding.begin(time.time_ns() // 1_000_000)

    def _signer(self, key: KeySpec) -> Signer:
        spec = self.spec
        bounds = {m["market"]: (m["max_order"], m["min_px"], m["max_px"]) for m in spec["markets"]}
        try:
            return Signer.from_file(
                key["path"], chain_id=spec["chain"], account_index=spec["account"],
                key_index=key["index"], markets=bounds, daily_notional=spec["daily_notional"],
                spent_today=signed.spent(Path(spec["signed"]).parent, time.time_ns()),
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise ConfigError(f"key {key['index']}: {error}") from None

    def _writer(self, path: Path, name: str) -> Writer:
        spec, signer = self.spec, self.signers[name]
        index = spec[name]["index"]  # type: ignore[literal-required]
        try:
            return Writer(path, Owner(spec["chain"], spec["account"], index, signer.public_key))
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from None

    def token(self) -> str:
        """Return a token of the trading key that has some minutes left."""
        text, made_s = self.made_token
        now_s = int(time.time())
        if not text or now_s - made_s > TOKEN_S // 2:
            text = self.signers["trade"].auth_token(now_s + TOKEN_S)
            self.made_token = text, now_s
        return text

    # out

    def deliver(self) -> None:
        """Record and send what the desk has signed."""
        out, self.desk.out = self.desk.out, []
        for message in out:
            now, self.sent_ns = time.time_ns(), time.monotonic_ns()
            try:
                for p in message.payloads:
                    self.writers[message.key.name].add(now, p.kind, p.hash, p.text)
            except OSError as error:
                # what is not recorded does not leave; its number is not used
                self.desk.halt(f"what was signed cannot be recorded: {error.strerror}")
                self._not_sent(message, "not recorded")
                continue
            if self.spec["dry_run"]:
                self._not_sent(message, "a dry run")
            elif self.client.transport is not None and self.machine.state is State.LIVE:
                self.client.transport.send(WSMsgType.TEXT, message.text)
            else:
                task = asyncio.ensure_future(self.post(message))
                self.posts.add(task)
                task.add_done_callback(self.posts.discard)

    def _not_sent(self, message: Message, why: str) -> None:
        for payload in message.payloads:
            if message.key.nonces.refused(payload.hash):
                self.desk.fates.refused(payload.hash, codes.Meaning(codes.Act.TELL))
        self.desk.pending.pop(message.id, None)
        say(f"{len(message.payloads)} transactions were not sent: {why}")

    async def post(self, message: Message) -> None:
        """Send a message over HTTP, where the socket cannot."""
        path, form = message.form
        try:
            status, body = await self.poster.post(f"/api/v1/{path}", form)
            if status == 200:
                said = codec.body(body, codec.Sent)
                hashes = [said.tx_hash] if isinstance(said.tx_hash, str) else said.tx_hash
                error = None if said.code == 200 else codec.Error(said.code, said.message)
                self.desk.answered(message.id, hashes, error, said.volume_quota_remaining)
                return
            answer = codec.body(body, codec.Answer) if body[:1] == b"{" else codec.Answer(0)
            error = codec.Error(answer.code, answer.message)
            self.desk.refused(message, codes.meaning_of_status(status, answer.code), error)
        except (RestError, RowError) as failed:
            say(str(failed))  # its deadline makes it unknown

    def push(self) -> None:
        """Hand reports to the engines; what a full ring does not take is kept, in order."""
        fates = self.desk.fates
        for report in fates.reports:
            self.books.told(report)
            self.kept.append(report)
        fates.reports.clear()
        if fates.faults:
            for fault in fates.faults:
                self.desk.halt(fault)
            fates.faults.clear()
        while self.kept:
            r = self.kept[0]
            now = time.monotonic_ns()
            venue_ns = r.venue_us * 1000 - (time.time_ns() - now) if r.venue_us else 0
            if not self.links[r.market].report(
                r.kind, r.order_id, side=r.side, px=r.px, qty=r.qty, fee=r.fee, venue_id=r.venue_id,
                reason=r.reason, time_ns=now, venue_ns=venue_ns,
            ):  # fmt: skip
                return
            self.kept.popleft()

    # the loop

    async def turn(self) -> None:
        """Poll the commands until stopped; look at the clocks in between."""
        desk, nap_s = self.desk, self.spec["nap_us"] / 1e6
        next_ns = 0
        while not self.stopped:
            worked = False
            for link in self.links.values():
                commands = link.commands()
                if commands:
                    worked = True
                    desk.take(commands, time.monotonic_ns(), time.time_ns() // 1_000_000)
            if desk.out:
                self.deliver()
                self.push()
            now = time.monotonic_ns()
            if now >= next_ns:
                next_ns = now + TICK_NS
                self.tick(now)
            if not worked and nap_s:
                time.sleep(nap_s)  # shorter than a timer of the loop can be
            await asyncio.sleep(0)

    def tick(self, now: int) -> None:
        """Look at the clocks."""
        desk = self.desk
        live = self.machine.state is State.LIVE
        self.socket_gone_ns = 0 if live else self.socket_gone_ns or now
        http = (
            not live and now - self.http_ok_ns < 5 * SECOND and now - self.socket_gone_ns > HTTP_NS
        )
        if live and self.state is not GatewayState.GATEWAY_UP and not self.rounds_wanted:
            # connected, for the first time or anew: what is true is asked before anything is quoted
            self.rounds_wanted = self.asks.rounds + 1
            self.asks.begin_round()
        if not live:
            self.rounds_wanted = 0
        desk.connected = live or http
        if live and self.asks.unseen > self.unseen and self.client.listener is not None:
            # the socket lives and its channels do not: what else was not shown is not known
            self.client.lost(self.client.listener, "the private channels are silent")
        self.unseen = self.asks.unseen
        self.guard(now)
        desk.tick(now, time.time_ns() // 1_000_000)
        self.asks.look_for_txs()
        self.compare(now)
        self.state = self._state(live)
        desk.open = self.state is GatewayState.GATEWAY_UP and not self.stopped
        if desk.out:
            self.deliver()
        self.push()
        for text in desk.said:
            emit("halt" if text.startswith("HALTED") else "say", text=text)
        desk.said.clear()
        for market, link in self.links.items():
            link.gateway_beat_ns, link.gateway_state = now, self.state
            failed, done = self.counted[market]
            link.failed, link.done = failed + desk.failed, done + desk.done
            link.quota, link.differences = desk.budget.quota, self.books.differences
            self.show(link, self.numbered[market], now)
        for signer in self.signers.values():
            if signer.ready < FILL:
                signer.fill(4)

    def show(self, link: Link, before: dict[str, LinkKey], now: int) -> None:
        """Show the numbers of the keys, and what may still be asked, to whoever reads the link."""
        for key in self.desk.keys:
            n, old = key.nonces, before[key.name]
            link.show_key(key.name, LinkKey(
                n.next if n.known else -1, n.waiting, int(n.synced), old.refused + n.refusals,
                old.gaps + n.gaps, old.resyncs + n.resyncs,
            ))  # fmt: skip
        budget = self.desk.budget
        link.budget = LinkBudget(
            budget.sends.left(now), budget.sends.most, budget.reads.left(now), budget.reads.most
        )

    def _state(self, live: bool) -> GatewayState:
        if self.desk.halted:
            return GatewayState.GATEWAY_HALTED
        if not live:
            return GatewayState.GATEWAY_DOWN
        if self.state is GatewayState.GATEWAY_UP:
            return self.state
        done = self.rounds_wanted and self.asks.rounds >= self.rounds_wanted
        synced = all(key.nonces.synced for key in self.desk.keys)
        if done and synced and self.asks.sweep is None and self._agrees():
            self.rounds_wanted = 0
            return GatewayState.GATEWAY_UP
        return GatewayState.GATEWAY_RECONCILING

    def _agrees(self) -> bool:
        """See that the venue holds what the engines do; say once what is there."""
        row = self.asks.accounts
        if row is None or self.books.is_open:
            return False
        if any(order.stray for order in self.desk.fates.live.values()):
            return False  # no engine counts it
        if not self.agreed:
            self.agreed = True
            emit("ready", **self.comparison(row), pid=os.getpid())
        return True

    def comparison(self, row: codec.AccountRow) -> dict[str, Any]:
        """Return ours beside the venue's, as the last round of questions has it."""
        there = [view for views in self.asks.active.values() for view in views]
        fates = self.desk.fates
        costs = {raw: view.cost for raw, view in self.positions(row).items()}
        return {
            "positions": {m: [h.pos, h.theirs] for m, h in self.books.held.items()},
            "costs": {m: costs.get(m, 0) for m in self.books.held},
            "ours": len(fates.live),
            "orders": [view._asdict() for view in there if view.client in fates.orders],
            "foreign": len([view for view in there if view.client not in fates.orders]),
            "fills": self.books.fills,
            "collateral": row.collateral,
            "differences": self.books.differences,
        }

    def positions(self, row: codec.AccountRow) -> dict[int, rows.PositionView]:
        """Return what the account holds, by market."""
        return {
            raw: rows.position_view(held, scale)
            for raw, scale in self.desk.markets.items()
            for held in row.positions or []
            if held.market_id == scale.market
        }

    def compare(self, now: int) -> None:
        """Hold ours against the venue's: the streams all the time, REST in rounds."""
        for difference in self.books.compare(now, self.asks.swept_ns):
            emit("difference", text=difference.text, what=difference.what, market=difference.market,
                 ours=difference.ours, theirs=difference.theirs)  # fmt: skip
            self.desk.halt(difference.text)
        if (
            self.asks.rounds != self.told_round
            and now - self.compared_ns > ROUND_NS
            and self.agreed
        ):
            self.told_round, self.compared_ns = self.asks.rounds, now
            assert self.asks.accounts is not None
            emit("compared", **self.comparison(self.asks.accounts))
        if self.books.is_open and self.asks.sweep is None and now - self.began_round_ns > SECOND:
            self.began_round_ns = now
            self.asks.begin_round()
        elif now - self.began_round_ns > ROUND_NS and self.machine.state is State.LIVE:
            self.began_round_ns = now
            if not self.asks.round:
                self.asks.begin_round()

    def guard(self, now: int) -> None:
        """Cancel everything when an engine fell silent; keep the venue's timer ahead."""
        desk = self.desk
        for market, link in self.links.items():
            watch, pid = self.watches[market], link.engine_pid
            was = watch.silent
            alive = pid == 0 or Path(f"/proc/{pid}").exists()
            if watch.look(now, pid, link.engine_beat_ns, alive) and not was:
                emit("guard", text=f"the engine of market {market} is silent: cancel-all", pid=pid)
            live = bool(desk.fates.live)
            if watch.cancels(now, live):
                desk.now, desk.venue_ms = now, time.time_ns() // 1_000_000
                if not desk.cancel_account():
                    watch.canceled_ns = 0  # no key could: again at once
        if self.spec["switch_ms"] and self.machine.state is State.LIVE and self.switch.due(now):
            desk.now, desk.venue_ms = now, time.time_ns() // 1_000_000
            at_ms = desk.venue_ms + self.spec["switch_ms"]
            if desk.schedule(at_ms):
                self.switch.asked(at_ms, now)

    async def question(self) -> None:
        """Ask the venue over HTTP, one question at a time."""
        wait_s = 0.0
        while not self.ended:
            await asyncio.sleep(wait_s or 0.005)
            ask = self.asks.next()
            if ask is None:
                wait_s = 0.0
                continue
            try:
                token = self.token() if ask.auth else ""
                status, body = await self.asker.get(ask.path, token)
                now = time.monotonic_ns()
                self.http_ok_ns = now
                if status == 401:
                    self.made_token = ("", 0)
                self.asks.answered(ask, status, body, now)
                self.desk.done += now - self.sent_ns > QUIET_NS
                if ask.what.value == "account" and self.asks.accounts is not None:
                    self._account(self.asks.accounts, ask.asked_ns)
                wait_s, self.unanswered = 0.0, ""
            except (RestError, RowError) as error:
                self.desk.failed += isinstance(error, RestError)
                self.unanswered = str(error)
                say(self.unanswered)
                wait_s = min(max(0.2, 2 * wait_s), 5.0)
            self.push()

    def _account(self, row: codec.AccountRow, asked_ns: int) -> None:
        """Take the account as REST shows it: positions, and the timer."""
        there = self.positions(row)
        for raw in self.desk.markets:
            self.books.shown(raw, there[raw].pos if raw in there else 0, asked_ns)
        if self.spec["switch_ms"]:
            wrong = self.switch.shown(row.cancel_all_time, asked_ns)
            if wrong:
                say(wrong)

    # life

    async def hello(self) -> None:
        """Check who we are at the venue; a venue that does not answer is asked again for a while."""
        spec = self.spec
        until = time.monotonic() + START_S
        while True:
            try:
                before = time.time_ns() // 1_000_000
                root = codec.body(await hello.ask(self.asker, "/"), codec.Root)
                after = time.time_ns() // 1_000_000
                off = hello.clock_offset_ms(root.timestamp, before, after)
                if abs(off) > spec["skew_ms"]:
                    raise ConfigError(
                        f"the venue's clock is {off} ms from ours, at most {spec['skew_ms']}: set it"
                    )
                for name in ("trade", "guard"):
                    public = self.signers[name].public_key
                    await hello.check_key(self.asker, spec["account"], spec[name], public)
                for market in spec["markets"]:
                    await hello.check_market(self.asker, market)
                limits = await hello.limits_of(self.asker, spec["account"], self.token())
                emit("tier", tier=limits.user_tier, maker_ppm=limits.current_maker_fee_tick,
                     taker_ppm=limits.current_taker_fee_tick)  # fmt: skip
                return
            except (RestError, RowError) as error:
                if time.monotonic() > until or self.stopped:
                    raise
                say(str(error))
                await asyncio.sleep(0.5)

    async def last_words(self) -> None:
        """Leave nothing resting: cancel what lives, wait for the proof, stop the venue's timer."""
        desk = self.desk
        until = time.monotonic() + LAST_S
        asked = False
        while time.monotonic() < until:
            now = time.monotonic_ns()
            live = bool(desk.fates.live)
            if not live:
                break
            if not asked:
                desk.now, desk.venue_ms = now, time.time_ns() // 1_000_000
                asked = desk.cancel_account()
            self.tick(now)
            await asyncio.sleep(0.005)
        left = list(desk.fates.live)
        if not left and self.switch.at_ms and self.machine.state is State.LIVE:
            desk.now, desk.venue_ms = time.monotonic_ns(), time.time_ns() // 1_000_000
            desk.schedule(0)
            self.deliver()
            await asyncio.sleep(0.2)
        emit("end", live=left)

    async def run(self) -> None:
        """Trade until stopped, or until the parent is gone."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        self.asker, self.poster = (Caller(self.spec["rest"], CALL_S) for _ in range(2))
        over = False
        await self.hello()
        if self.spec["compare_only"]:
            await self.compare_once()
            return
        tasks = [
            asyncio.ensure_future(self.client.follow(lambda: over)),
            asyncio.ensure_future(self.turn()),
            asyncio.ensure_future(self.question()),
            asyncio.ensure_future(self.parent()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self.stopped = True
            await self.last_words()
            for task in done:
                task.result()
        finally:
            over = self.stopped = self.ended = True
            await asyncio.wait(tasks, timeout=2.0)
            for task in tasks:
                task.cancel()
            self.asker.close()
            self.poster.close()

    async def compare_once(self) -> None:
        """Ask for everything and say what is there; DataError when the venue does not answer.

        What differs is asked for again: a fill between two answers is in one of them alone.
        """
        question = asyncio.ensure_future(self.question())
        try:
            for _ in range(COMPARISONS):
                await self.one_round(question)
                if not self.books.is_open:
                    break
            assert self.asks.accounts is not None
            emit("compared", **self.comparison(self.asks.accounts))
        finally:
            self.ended = True
            await asyncio.wait([question], timeout=CALL_S)
            question.cancel()
            self.asker.close()
            self.poster.close()

    async def one_round(self, question: asyncio.Future[None]) -> None:
        """Have a round of questions answered."""
        until, before = time.monotonic() + START_S, self.asks.rounds
        self.desk.tick(time.monotonic_ns(), time.time_ns() // 1_000_000)
        self.asks.begin_round()
        while self.asks.rounds == before or self.asks.sweep is not None:
            if time.monotonic() > until or question.done():
                why = f": {self.unanswered}" if self.unanswered else ""
                raise DataError(f"the venue did not say within {START_S:.0f} s what it holds{why}")
            self.desk.tick(time.monotonic_ns(), time.time_ns() // 1_000_000)
            await asyncio.sleep(0.01)

    async def parent(self) -> None:
        """End when the process that started us has."""
        while not self.stopped and os.getppid() == self.spec["parent"]:
            await asyncio.sleep(0.1)
        if not self.stopped:
            emit("guard", text="the parent is gone: cancel-all", pid=self.spec["parent"])
        self.stop()

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        for link in self.links.values():
            link.gateway_state = GatewayState.GATEWAY_DOWN
            link.gateway_pid = 0
        for writer in self.writers.values():
            writer.close()
        for signer in self.signers.values():
            signer.close()


def main() -> int:
    """Run a gateway as its standard input says; return the exit code."""
    harden()
    name_process("bog-gateway")
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    gateway = None
    try:
        gateway = Gateway(hello.spec_of(sys.stdin.buffer.read()))
        asyncio.run(gateway.run())
    except BogError as error:
        emit("error", code=error.exit_code, text=str(error))
        return error.exit_code
    except Exception as error:
        # a traceback could show what it must not: the type and place are enough to find it
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
        emit("error", code=1, text=f"{type(error).__name__} at {where}")
        return 1
    finally:
        if gateway is not None:
            gateway.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
