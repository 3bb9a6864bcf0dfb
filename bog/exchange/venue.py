"""The exchange on one clock: what was accepted runs when its delay has passed, then what is due.

It does no I/O. Whoever serves it calls `submit` and, whenever time has passed, `advance`; `listener`
hears of every batch of changes. Equal calls at equal times give equal states.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bog.exchange import codec, engine, events, gate, margin
from bog.exchange.accounts import PAYMENTS, Account, Key, Payment
from bog.exchange.codec import CREATE, Tx
from bog.exchange.orders import CANCELED, EXPIRED, POST_ONLY, STATUSES
from bog.exchange.rates import Rates
from bog.exchange.refusal import Refusal
from bog.exchange.spec import MILLION, Spec
from bog.exchange.state import HOUR_MS, TXS, Batch, Market, State, TxRecord
from bog.exchange.tiers import TIERS, Tier

MS = 1_000_000
EARLIEST_CHECK_NS = 50 * MS  # between two looks at expiries and health


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the API says of what it took."""

    hashes: list[str]
    predicted_ms: int
    message: str
    remaining: int | None  # volume quota, where the tier has one and it was used


@dataclass(slots=True)
class Rules:
    """What a rehearsal may change of the venue's rules."""

    delays: bool = True  # speed bumps of the tier
    limits: bool = True  # rates and quotas
    minimum_ms: int = 300_000  # ahead: an order's expiry, a scheduled cancel-all
    token_s: int = gate.LONGEST_TOKEN_S
    frozen: bool = False  # the sequencer is down: nothing runs
    refuse: list[dict[str, Any]] = field(default_factory=list)  # scripted, see faults.py


class Venue:
    """Accounts and markets, the queue of what is accepted, and the clock."""

    def __init__(
        self, specs: list[Spec], now_ns: int, chain: int = 300, rules: Rules | None = None
    ):
        self.rules = rules or Rules()
        markets = {spec.market: Market(spec, mark=spec.start_px, index=spec.start_px,
                                       last=spec.start_px) for spec in specs}  # fmt: skip
        self.state = State(chain, now_ns, markets, first_ns=now_ns)
        self.rates = Rates(self.rules.limits)
        self.queue: list[tuple[int, int, Tx]] = []
        self.listener: Callable[[Batch], None] | None = None
        self.next_check_ns = now_ns
        self.next_funding_ms = (now_ns // MS // HOUR_MS + 1) * HOUR_MS

    def add_account(
        self, index: int, tier: str, collateral: int, keys: Mapping[int, bytes]
    ) -> Account:
        """Open an account with money and keys; every account has its own L1 address."""
        account = Account(index, self.tier(tier), collateral, f"0x{index:040x}",
                          {number: Key(public) for number, public in keys.items()},
                          deposited=collateral)  # fmt: skip
        self.state.accounts[index] = account
        return account

    def tier(self, name: str) -> Tier:
        """Return a tier as the rules of this exchange have it."""
        return TIERS[name] if self.rules.delays else TIERS[name].without_delays()

    def apply_tiers(self) -> None:
        """Give every account its tier as the rules have it: a store knows only the names."""
        for account in self.state.accounts.values():
            account.tier = self.tier(account.tier.name)

    # -- the API -----------------------------------------------------------------------------

    def submit(
        self, now_ns: int, kinds: list[int], infos: list[Any], batch: bool = False
    ) -> Receipt:
        """Take transactions of one account and key, all or none; they run when their delay has passed."""
        self.set_clock(now_ns)
        state = self.state
        txs = [
            codec.decode(state.chain, kind, info) for kind, info in zip(kinds, infos, strict=True)
        ]
        account, key = gate.key_of(state, txs[0].account, txs[0].key)
        nonce = key.nonce
        for tx in txs:
            if (tx.account, tx.key) != (account.index, txs[0].key):
                raise Refusal(21121)
            if tx is not txs[0] and tx.nonce < nonce:
                raise Refusal(21105)
            gate.check(state, tx, nonce, self.rules.minimum_ms)
            nonce = tx.nonce + 1
            scripted = self.scripted("api", tx)
            if scripted is not None:
                if scripted.get("consume"):
                    key.nonce = nonce
                raise Refusal(int(scripted["code"]))
        self.rates.send(account, len(txs), now_ns)
        used = self.rates.quota(account, kinds if not batch else [*kinds, 0], now_ns)
        key.nonce = nonce
        effect = now_ns
        for tx in txs:
            effect = self.enqueue(account, key, tx)
        self.commit()  # kept before the receipt leaves
        return Receipt([tx.hash for tx in txs], effect // MS, self.say_quota(account, used),
                       account.quota if used else None)  # fmt: skip

    def scripted(self, where: str, tx: Tx) -> dict[str, Any] | None:
        """Return the scripted refusal that befalls a transaction at the API or the application."""
        for entry in self.rules.refuse:
            about = {"where": where, "account": tx.account, "key": tx.key}
            if entry["left"] == 0 or any(
                entry.get(name, is_) != is_ for name, is_ in about.items()
            ):
                continue
            if "type" in entry and codec.NAMES.get(entry["type"]) != tx.type:
                continue
            if entry.get("skip", 0) > 0:
                entry["skip"] -= 1
                continue
            entry["left"] -= entry["left"] > 0
            entry["happened"] = entry.get("happened", 0) + 1
            return entry
        return None

    def say_quota(self, account: Account, used: bool) -> str:
        """Return the text beside a receipt, which is JSON in JSON."""
        if not self.rules.limits:
            text = "Ratelimit is off"
        elif used:
            text = f"{account.quota} volume quota remaining."
        else:
            text = "didn't use volume quota"
        return json.dumps({"ratelimit": text})

    def enqueue(self, account: Account, key: Key, tx: Tx) -> int:
        """Put a transaction behind the key's last one; return when it runs."""
        state = self.state
        effect = max(state.now_ns + self.delay(account, tx), key.busy_ns)
        key.busy_ns = effect
        state.sequence += 1
        while len(state.txs) >= TXS:
            del state.txs[next(iter(state.txs))]
        record = TxRecord(
            tx.hash, tx.type, tx.info, tx.account, tx.key, tx.nonce, tx.expired_at, state.now_ms,
            effect, state.sequence,
        )  # fmt: skip
        state.txs[tx.hash] = record
        state.batch.txs.append(record)
        heapq.heappush(self.queue, (effect, state.sequence, tx))
        return effect

    def delay(self, account: Account, tx: Tx) -> int:
        """Return the speed bump of a transaction."""
        if tx.type != CREATE:
            return account.tier.cancel_ns
        if tx.fields["TimeInForce"] == POST_ONLY:
            return account.tier.maker_ns
        return account.tier.taker_ns

    # -- time --------------------------------------------------------------------------------

    def set_clock(self, now_ns: int) -> None:
        """Move the clock, forward only."""
        self.state.now_ns = max(self.state.now_ns, now_ns)

    def advance(self, now_ns: int) -> None:
        """Run everything that is due at or before `now_ns`, in order of time."""
        self.commit()
        while self.queue and self.queue[0][0] <= now_ns and not self.rules.frozen:
            effect, _, tx = heapq.heappop(self.queue)
            self.timers(effect)
            self.set_clock(effect)
            self.run(tx)
            self.commit()
        self.timers(now_ns)
        self.set_clock(now_ns)

    def due_ns(self) -> int | None:
        """Return when the next transaction runs, None when none waits."""
        return self.queue[0][0] if self.queue and not self.rules.frozen else None

    def run(self, tx: Tx) -> None:
        """Carry out one transaction and write down what became of it."""
        state = self.state
        record = state.txs.get(tx.hash)
        before = state.trade_id
        refusal = None
        about = []
        status = 2
        if tx.expired_at <= state.now_ms:
            status = 0  # too late: it is dead, and its nonce is gone
        else:
            try:
                scripted = self.scripted("app", tx)
                if scripted is None:
                    about = engine.execute(state, tx)
                elif "status" in scripted and tx.type == CREATE:
                    about = engine.stillborn(state, state.accounts[tx.account], tx,
                                             STATUSES.index(scripted["status"]))  # fmt: skip
                else:
                    raise Refusal(int(scripted.get("code", 21708)))
            except Refusal as error:
                refusal = error.body()
        if record is None:
            return
        record.status = status
        record.executed_us = state.now_us
        record.block = state.block
        record.refused = json.dumps(refusal, separators=(",", ":")) if refusal else ""
        fills = [trade for trade in state.batch.trades if trade.id > before]
        record.event = events.event_of(tx, about, fills, record.refused)
        state.batch.txs.append(record)

    def timers(self, now_ns: int) -> None:
        """Do what is due by itself: scheduled cancel-alls, expiries, funding, liquidations."""
        if now_ns < self.next_check_ns or self.rules.frozen:
            return
        self.next_check_ns = now_ns + EARLIEST_CHECK_NS
        self.set_clock(now_ns)
        state = self.state
        for account in state.accounts.values():
            if 0 < account.cancel_all_ms <= state.now_ms:
                account.cancel_all_ms = 0
                state.batch.accounts.add(account.index)
                engine.sweep(state, account, CANCELED)
            for order in [o for o in account.orders.values() if o.expiry_ms <= state.now_ms]:
                state.end(order, EXPIRED)
            self.commit()
            if margin.is_liquidable(state, account):
                engine.liquidate(state, account)
                self.commit()
        while self.next_funding_ms <= state.now_ms:
            self.fund()
            self.next_funding_ms += HOUR_MS

    def fund(self) -> None:
        """Let every position pay or receive the hour's funding at the mark."""
        state = self.state
        for number, market in state.markets.items():
            market.paid_ppm, market.funding_ms = market.funding_ppm, state.now_ms
            for account in [*state.accounts.values(), state.public]:
                position = account.positions.get(number)
                if position is None or position.lots == 0:
                    continue
                paid = -(-position.lots * market.mark * market.funding_ppm // MILLION)
                position.funding += paid
                account.funding += paid
                account.cash -= paid
                account.payments.append(
                    Payment(state.now_ms // 1000, number, paid, market.funding_ppm, position.lots)
                )
                del account.payments[:-PAYMENTS]
                if account is not state.public:
                    state.batch.positions.add((account.index, number))
                    state.batch.accounts.add(account.index)
        self.commit()

    def commit(self) -> None:
        """Hand over what has changed since the last time."""
        if not self.state.batch.is_empty():
            batch, self.state.batch = self.state.batch, Batch()
            self.state.book_nonce += 1
            if self.listener is not None:
                self.listener(batch)
