"""The desk: commands come in, signed transactions go out, answers settle numbers and fates.

It decides what leaves, under which key and number, in which message; it opens nothing and reads no
clock. A message in `out` is to be recorded first and sent then. A cancel never waits for the trading
key alone: when that cannot bind a number, the guardian's signs it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple, Protocol

from bog._core.link import LinkCommand as Command
from bog._core.signer import NotSigned, Signed, SignReason
from bog._core.types import CommandKind, Reject, ReportKind, Tif
from bog.lighter import codec
from bog.lighter.budget import Budget
from bog.lighter.codes import Act, Meaning, meaning
from bog.lighter.connection import SECOND
from bog.lighter.fate import Fates, Report
from bog.lighter.nonces import Nonces, Payload, State
from bog.lighter.rows import Scale

KEEP = 256  # of them a cancel may be on its way: as many as the ring of commands holds
NEVER = (1 << 63) - 1  # BOG_NEVER
SKIP = {4: 1}  # attribute: any later nonce will do
LEAST_LIFE_MS = 300_000  # the venue takes no shorter expiry of an order
FORCE = {Tif.TIF_POST_ONLY: 2, Tif.TIF_GTT: 1, Tif.TIF_IOC: 0}  # the venue's numbers
UNSIGNED = {
    SignReason.BAD_PRICE: Reject.REJ_PRICE, SignReason.DENY_PRICE: Reject.REJ_PRICE,
    SignReason.BAD_SIZE: Reject.REJ_LOT, SignReason.DENY_SIZE: Reject.REJ_LOT,
}  # fmt: skip


class Signing(Protocol):
    """What of the signer is used here."""

    def create_order(
        self, nonce: int, expired_at_ms: int, market: int, client_index: int, size: int, px: int,
        is_ask: bool | int, expiry_ms: int = 0, type: int = 0, time_in_force: int = 2,
        reduce_only: bool | int = False, trigger_px: int = 0,
        attributes: Mapping[int, int] | None = None, form: bool = False,
    ) -> Signed: ...  # fmt: skip
    def cancel_order(
        self, nonce: int, expired_at_ms: int, market: int, index: int,
        attributes: Mapping[int, int] | None = None, form: bool = False,
    ) -> Signed: ...  # fmt: skip
    def modify_order(
        self, nonce: int, expired_at_ms: int, market: int, index: int, size: int, px: int,
        trigger_px: int = 0, attributes: Mapping[int, int] | None = None, form: bool = False,
    ) -> Signed: ...  # fmt: skip
    def cancel_all(
        self, nonce: int, expired_at_ms: int, time_in_force: int = 0, time_ms: int = 0,
        attributes: Mapping[int, int] | None = None, form: bool = False,
    ) -> Signed: ...  # fmt: skip


@dataclass
class Key:
    """A key, its numbers, and whether its next one is being asked for."""

    name: str
    index: int
    signer: Signing
    nonces: Nonces


@dataclass(frozen=True)
class Rules:
    """How the desk sends: times in ms are the venue's, in ns ours."""

    expired_ms: int = 15_000  # a transaction that was not run by then is dead
    skew_ms: int = 2_000  # by which the venue's clock may differ from ours
    life_ms: int = 330_000  # expiry of an order without one of its own
    answer_ns: int = 2 * SECOND  # for a receipt
    verdict_ns: int = 3 * SECOND  # for an order's first word
    age_ns: int = SECOND  # a create or an amend decided longer ago is not sent
    post_only: bool = True  # refuse everything that could take
    batch: bool = True


class Message(NamedTuple):
    """What leaves at once under one id: one transaction or a batch of one key."""

    id: int
    key: Key
    payloads: tuple[Payload, ...]
    due_ns: int  # without a receipt by then, nothing is known of it

    @property
    def text(self) -> bytes:
        if len(self.payloads) == 1:
            return codec.send_one(self.id, self.payloads[0].kind, self.payloads[0].text)
        return codec.send_batch(self.id, [(p.kind, p.text) for p in self.payloads])

    @property
    def form(self) -> tuple[str, bytes]:
        """Return path and body of the same over HTTP."""
        if len(self.payloads) == 1:
            return "sendTx", codec.send_form(self.payloads[0].kind, self.payloads[0].text)
        return "sendTxBatch", codec.send_form_batch([(p.kind, p.text) for p in self.payloads])


class Desk:
    """One account's trading. `markets` is by raw market id; `out` and `said` are taken by the caller."""

    def __init__(
        self, rules: Rules, markets: dict[int, Scale], trade: Key, guard: Key, budget: Budget,
        fates: Fates,
    ) -> None:  # fmt: skip
        self.rules, self.markets, self.budget, self.fates = rules, markets, budget, fates
        self.trade, self.guard = trade, guard
        self.keys = [trade, guard]
        self.open = False  # orders may go: connected, reconciled, not halted
        self.connected = False  # something may go
        self.halted = ""  # why nothing but cancels goes until a person has looked
        self.pending: dict[int, Message] = {}
        self.never: deque[int] = deque(maxlen=KEEP)  # creates of which nothing left
        # by order: cancels that no key could take, or that are early
        self.waiting: dict[int, Command] = {}
        self.out: list[Message] = []
        self.said: list[str] = []  # for a person
        self.done = self.failed = 0  # attempts to reach the venue
        self.numbers = count(1)
        self.fresh: list[tuple[Key, Payload, bool]] = []  # signed, not yet in a message
        self.now = self.venue_ms = 0

    # commands

    def take(self, commands: Iterable[Command], now: int, venue_ms: int) -> None:
        """Act on commands; `venue_ms` is the venue's time as we know it."""
        self.now, self.venue_ms = now, venue_ms
        for c in commands:
            if c.kind == CommandKind.CMD_PLACE:
                self._place(c)
            elif c.kind == CommandKind.CMD_CANCEL:
                self._cancel(c)
            elif c.kind == CommandKind.CMD_AMEND:
                self._amend(c)
            elif c.kind == CommandKind.CMD_CANCEL_ALL:
                self.cancel_market(c.market)
            else:
                self.halt(f"a command of unknown kind {c.kind}")
        self._send()

    def _refusal(self, c: Command) -> int:
        """Return why a create or an amend may not leave now (enum bog_reject), or 0."""
        if c.market not in self.markets or self.halted or not self.open:
            return int(Reject.REJ_HALTED)
        if self.now - c.tick_ns > self.rules.age_ns:
            return int(Reject.REJ_OTHER)
        if self.rules.post_only and c.tif != Tif.TIF_POST_ONLY:
            return int(Reject.REJ_OTHER)
        if not self.trade.nonces.may_bind(cancels=False):
            return int(Reject.REJ_RATE)
        return self.budget.refusal(self.now, len(self.fates.live))

    def _tell(self, c: Command, kind: int, reason: int) -> None:
        self.fates.reports.append(
            Report(c.market, int(kind), c.order_id, c.side, c.px, reason=int(reason))
        )

    def _place(self, c: Command) -> None:
        reason = self._refusal(c)
        if not reason and (c.order_id in self.fates.orders or not 0 < c.order_id < 1 << 48):
            reason = int(Reject.REJ_DUPLICATE)
        force = FORCE.get(Tif(c.tif)) if c.tif in list(Tif) else None
        if reason or force is None:
            self._never(c, reason or int(Reject.REJ_OTHER))
            return
        expired, key = self.venue_ms + self.rules.expired_ms, self.trade
        try:
            signed = key.signer.create_order(
                key.nonces.next, expired, self.markets[c.market].market, c.order_id, c.qty, c.px,
                c.side, self._order_expiry(c) if force else 0, 0, force, c.reduce_only, 0,
                SKIP if key.nonces.skipping else None,
            )  # fmt: skip
        except NotSigned as refused:
            self._never(c, self._unsigned(c, refused))
            return
        self.fates.place(c.order_id, c.market, c.side, c.px, c.qty, signed.hash, expired, self.now)
        self._bind(key, signed, expired, costs=True)

    def _amend(self, c: Command) -> None:
        """Change an order in one transaction: it never costs more than a cancel and a create."""
        order = self.fates.orders.get(c.order_id)
        reason = self._refusal(c)
        if not reason and (order is None or order.ended):
            reason = int(Reject.REJ_NOT_FOUND)
        if not reason and order is not None and order.amend is not None:
            reason = int(Reject.REJ_OTHER)  # one change of an order is under way at a time
        if reason:
            self._tell(c, ReportKind.REP_AMEND_REJECT, reason)
            return
        expired, key = self.venue_ms + self.rules.expired_ms, self.trade
        try:
            signed = key.signer.modify_order(
                key.nonces.next, expired, self.markets[c.market].market, c.order_id, c.qty, c.px,
                0, SKIP if key.nonces.skipping else None,
            )  # fmt: skip
        except NotSigned as refused:
            self._tell(c, ReportKind.REP_AMEND_REJECT, self._unsigned(c, refused))
            return
        self.fates.amend(c.order_id, c.px, c.qty, signed.hash, expired, self.now)
        self._bind(key, signed, expired, costs=True)

    def _cancel(self, c: Command) -> None:
        order = self.fates.orders.get(c.order_id)
        if order is None and c.order_id in self.never:
            self._tell(c, ReportKind.REP_CANCEL_REJECT, Reject.REJ_NOT_FOUND)
            return
        if order is None:
            # an order of a gateway before this one: live until proven dead
            gone_ms = self.venue_ms + self.rules.expired_ms + self.rules.skew_ms
            order = self.fates.adopt(c.order_id, c.market, c.side, c.px, self.now, gone_ms)
        elif order.ended:
            self._tell(c, ReportKind.REP_CANCEL_REJECT, Reject.REJ_NOT_FOUND)
            return
        if order.unfound:  # what became of the order is asked first
            order.unfound, order.cancel_ns = False, self.now + SECOND
        if self.now < order.cancel_ns or not self._cancel_one(order.id, order.market):
            self.waiting[c.order_id] = c

    def _cancel_one(self, id: int, market: int) -> bool:
        """Sign a cancel with the first key that has a number for it."""
        if not self.connected or not self.budget.may_cancel(self.now):
            return False
        for key in self.keys:
            if not key.nonces.may_bind(cancels=True):
                continue
            expired = self.venue_ms + self.rules.expired_ms
            try:
                signed = key.signer.cancel_order(
                    key.nonces.next, expired, self.markets[market].market, id,
                    SKIP if key.nonces.skipping else None,
                )  # fmt: skip
            except NotSigned as refused:
                self.halt(f"a cancel with the {key.name} key was not signed: {refused}")
                continue
            self.fates.cancel(id, signed.hash, expired, self.now)
            self._bind(key, signed, expired, costs=False)
            return True
        return False

    def cancel_market(self, market: int) -> bool:
        """Cancel all orders of one market: attribute 5 spares the others."""
        return self._cancel_all({5: self.markets[market].market}, 0, 0)

    def cancel_account(self) -> bool:
        """Cancel all orders of the account, whoever sent them; return whether that is on its way."""
        done = self._cancel_all({}, 0, 0)
        self._send()
        return done

    def schedule(self, at_ms: int) -> str:
        """Have the venue cancel everything at a time of its clock, 0: not any more.

        Return the transaction's hash, "" when none could be sent.
        """
        before = set(self.guard.nonces.payloads)
        if not self._cancel_all({}, 1 if at_ms else 2, at_ms):
            return ""
        self._send()
        return next(iter(set(self.guard.nonces.payloads) - before), "")

    def _cancel_all(self, attributes: dict[int, int], force: int, at_ms: int) -> bool:
        """Sign a cancel-all, with the guardian's key where it can."""
        keys = [self.guard] if force else [self.guard, self.trade]
        for key in keys:
            if not self.connected or not key.nonces.may_bind(cancels=True):
                continue
            expired = self.venue_ms + self.rules.expired_ms
            skip = SKIP if key.nonces.skipping else {}
            try:
                signed = key.signer.cancel_all(
                    key.nonces.next, expired, force, at_ms, {**attributes, **skip} or None
                )
            except NotSigned as refused:
                self.halt(f"a cancel-all with the {key.name} key was not signed: {refused}")
                continue
            self.fates.cancel_all(signed.hash, expired, self.now)
            self._bind(key, signed, expired, costs=True)
            return True
        return False

    def _order_expiry(self, c: Command) -> int:
        """Return the venue's time at which an order ends by itself: not before five minutes."""
        least = self.venue_ms + LEAST_LIFE_MS + self.rules.skew_ms
        if c.expiry_ns >= NEVER:
            return self.venue_ms + self.rules.life_ms
        return max(least, self.venue_ms + (c.expiry_ns - self.now) // 1_000_000)

    def _unsigned(self, c: Command, refused: NotSigned) -> int:
        self.said.append(f"order {c.order_id} was not signed: {refused}")
        return int(UNSIGNED.get(refused.reason, Reject.REJ_OTHER))

    def _never(self, c: Command, reason: int) -> None:
        """Refuse a create of which nothing left: the engine may cancel it before it hears of that."""
        if c.order_id not in self.fates.orders:
            self.never.append(c.order_id)
        self._tell(c, ReportKind.REP_REJECT, reason)

    def _bind(self, key: Key, signed: Signed, expired: int, costs: bool) -> None:
        payload = key.nonces.bind(signed.hash, signed.text, signed.type, expired)
        self.fresh.append((key, payload, costs))
        self.budget.sent(self.now, 1, int(costs))

    def _send(self) -> None:
        """Put what was signed into messages: several at once in a batch, where that costs no more."""
        fresh, self.fresh = self.fresh, []
        for key in self.keys:
            mine = [(p, costs) for k, p, costs in fresh if k is key]
            whole = self.rules.batch and (
                self.budget.tier.quota < 0 or all(costs for _, costs in mine)
            )
            step = codec.BATCH_MOST if whole else 1
            for at in range(0, len(mine), step):
                payloads = tuple(p for p, _ in mine[at : at + step])
                message = Message(
                    next(self.numbers), key, payloads, self.now + self.rules.answer_ns
                )
                self.pending[message.id] = message
                self.out.append(message)

    # what comes back

    def answered(
        self, id: str | int, hashes: list[str], error: codec.Error | None, quota: int
    ) -> None:
        """Take the venue's answer to a message: a receipt, or a refusal by a code."""
        number = int(id) if str(id).isascii() and str(id).isdigit() else 0
        message = self.pending.get(number)
        if message is None:
            self.said.append(
                f"an answer to no message of ours: id {str(id)[:20]!r}"
                + (f", code {error.code}" if error is not None else "")
            )
            return
        self.budget.said(quota)
        if error is not None:
            del self.pending[number]
            self._refused(message, meaning(error.code), error)
            return
        if set(hashes) != {p.hash for p in message.payloads}:
            # nothing moves on what names others: the deadline will call it lost
            self.said.append(
                f"the answer to message {number} names other transactions than it sent"
            )
            return
        del self.pending[number]
        self.done += 1
        self.budget.warm()
        for payload in message.payloads:
            self.settle(message.key.nonces.accepted(payload.hash))

    def refused(self, message: Message, said: Meaning, error: codec.Error) -> None:
        """Take a refusal that came over HTTP, where the status counts as well."""
        if self.pending.pop(message.id, None) is not None:
            self._refused(message, said, error)

    def _refused(self, message: Message, said: Meaning, error: codec.Error) -> None:
        nonces = message.key.nonces
        self.failed += 1
        if said.act is Act.SLOW:
            self.budget.cool(self.now)
        if said.act is Act.RESYNC:
            nonces.refusals += len(message.payloads)
        if said.act is Act.HALT:
            self.halt(f"the venue refuses the {message.key.name} key: {error.code} {error.message}")
        if len(message.payloads) == 1 and said.refuses:
            (payload,) = message.payloads
            if nonces.refused(payload.hash):
                self.fates.refused(payload.hash, said)
                return
        # of a batch it is not known which numbers were used; of an unknown code nothing is
        nonces.lost()

    def settle(self, changed: Iterable[Payload]) -> None:
        """Say of transactions what their numbers say."""
        for payload in changed:
            if payload.state is State.USED:
                self.fates.taken(payload.hash)
            elif payload.state is State.DEAD:
                self.fates.dead(payload.hash)
            elif payload.state is State.OVERTAKEN:
                self.fates.overtaken(payload.hash)

    def resynced(self, key: Key, venue_next: int) -> None:
        """Take the venue's next nonce of a key."""
        self.settle(key.nonces.resync(venue_next, self.venue_ms))
        for fault in key.nonces.faults:
            self.halt(f"{key.name} key: {fault}")
        key.nonces.faults.clear()

    def dropped(self, now: int) -> None:
        """The connection is gone: what was not answered is unknown."""
        self.now = now
        self.connected = self.open = False
        self.failed += 1
        for message in self.pending.values():
            message.key.nonces.lost()
        self.pending.clear()

    def tick(self, now: int, venue_ms: int) -> None:
        """Look at the clocks: answers that did not come, cancels that waited."""
        self.now, self.venue_ms = now, venue_ms
        for message in [m for m in self.pending.values() if now >= m.due_ns]:
            del self.pending[message.id]
            message.key.nonces.lost()
            self.failed += 1
        for key in self.keys:
            key.nonces.expire(venue_ms)
        self.fates.overdue(now)
        for order in self.fates.revenants:
            self.fates.revive(order, order.filled, now)
        self.fates.revenants.clear()
        self._cancel_strays()
        for id, c in list(self.waiting.items()):
            target = self.fates.orders.get(id)
            early = target is not None and not target.ended and now < target.cancel_ns
            if target is None or target.ended or (not early and self._cancel_one(id, c.market)):
                del self.waiting[id]
        self._send()

    def _cancel_strays(self) -> None:
        """Cancel what rests and no engine knows, until it is proven dead."""
        strays = [order for order in self.fates.live.values() if order.stray]
        under_way = {tx.order_id for tx in self.fates.txs.values()} if strays else set()
        for order in strays:
            if order.id not in under_way and self._cancel_one(order.id, order.market):
                self.said.append(
                    f"order {order.id} rests and the engine does not know it: canceled"
                )

    def halt(self, why: str) -> None:
        """Stop everything but cancels, for a person to look."""
        if not self.halted:
            self.halted = why
        self.said.append(f"HALTED: {why}")
