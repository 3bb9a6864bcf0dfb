"""What survives a restart, and what a snapshot holds: accounts, orders, fills, transactions.

One JSON record a line, the last of a name wins. Each batch is handed to the system before its
receipts leave, so a kill loses nothing; it is on the disk within a second, so a power cut may. The
public market is not kept: it begins anew. A start writes the file anew with what still counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import IO, Any

from bog.errors import DataError
from bog.exchange.accounts import Account, Key, Payment, Position
from bog.exchange.orders import OPEN, Order
from bog.exchange.state import Batch, State, Trade, TxRecord
from bog.exchange.tiers import TIERS

Json = dict[str, Any]
GAP = 1_000_000  # numbers that are left out after a restart, in case some were given and not kept
MONEY = ("index", "cash", "l1_address", "fees", "funding", "deposited", "cancel_all_ms", "quota",
         "free_slot_ns", "fills", "volume", "maker_only_ns", "tier_changed_s")  # fmt: skip
ORDER = [field.name for field in fields(Order) if field.name != "account"]


def of_account(account: Account) -> Json:
    """Return an account without its orders."""
    return {
        "k": "account", "tier": account.tier.name,
        **{name: getattr(account, name) for name in MONEY},
        "keys": {index: [key.public.hex(), key.nonce, key.maker_only]
                 for index, key in account.keys.items()},
        "positions": {market: asdict(held) for market, held in account.positions.items()},
        "payments": account.payments,
    }  # fmt: skip


def of_order(order: Order) -> Json:
    """Return an order, live or ended."""
    return {"k": "order", **{name: getattr(order, name) for name in ORDER}}


def of_numbers(state: State) -> Json:
    """Return what numbers have been given."""
    return {"k": "numbers", "trade": state.trade_id, "sequence": state.sequence,
            "book": state.book_nonce, "insurance": state.insurance,
            "markets": {number: [market.asks, market.bids]
                        for number, market in state.markets.items()}}  # fmt: skip


def dump(state: State) -> list[str]:
    """Return the state as records."""
    records = [of_numbers(state), {**of_account(state.public), "k": "public"}]
    for account in state.accounts.values():
        records.append(of_account(account))
        records += [of_order(order) for order in (*account.closed, *account.orders.values())]
    records += [{"k": "trade", **asdict(trade)} for trade in state.trades]
    records += [{"k": "tx", **asdict(record)} for record in state.txs.values()]
    return [json.dumps(record, separators=(",", ":")) for record in records]


def load(state: State, lines: Iterable[str]) -> None:
    """Put the accounts of records in place of those that are there; markets keep their public side."""
    for account in state.accounts.values():
        for order in tuple(account.orders.values()):
            state.leave(order)
    state.accounts.clear()
    state.trades.clear()
    state.txs.clear()
    latest: dict[tuple[str, Any], Json] = {}
    for line in lines:
        record = json.loads(line)
        kind = record.pop("k")
        name = record.get({"account": "index", "tx": "hash", "trade": "id"}.get(kind, "none"))
        if kind == "order":
            name = (record["owner"], record["index"])
        latest.pop((kind, name), None)  # order of the last word, not of the first
        latest[kind, name] = record
    for (kind, _), record in latest.items():
        if kind == "account":
            put_account(state, record)
        elif kind == "public":
            state.public = made(record)
        elif kind == "trade":
            state.trades.append(Trade(**{**record, **{
                name: tuple(record[name]) for name in ("ask", "bid", "maker_before", "taker_before")
            }}))  # fmt: skip
        elif kind == "tx":
            state.txs[record["hash"]] = TxRecord(**record)
        elif kind == "numbers":
            put_numbers(state, record)
    for (kind, _), record in latest.items():
        if kind == "order":
            put_order(state, record)


def made(record: Json) -> Account:
    """Return an account from its record."""
    account = Account(record["index"], TIERS[record["tier"]], 0, record["l1_address"])
    for name in MONEY:
        setattr(account, name, record[name])
    account.keys = {int(index): Key(bytes.fromhex(public), nonce, maker_only)
                    for index, (public, nonce, maker_only) in record["keys"].items()}  # fmt: skip
    account.payments = [Payment(*payment) for payment in record.get("payments", ())]
    account.positions = {int(m): Position(**held) for m, held in record["positions"].items()}
    return account


def put_account(state: State, record: Json) -> None:
    """Let an account be there again."""
    state.accounts[record["index"]] = made(record)


def put_numbers(state: State, record: Json) -> None:
    """Go on counting behind what has been given."""
    state.trade_id = max(state.trade_id, record["trade"] + GAP)
    state.sequence = max(state.sequence, record["sequence"] + GAP)
    state.book_nonce = max(state.book_nonce, record["book"] + GAP)
    state.insurance = record["insurance"]
    for number, (asks, bids) in record["markets"].items():
        market = state.markets.get(int(number))
        if market is not None:
            market.asks = max(market.asks, asks + GAP)
            market.bids = max(market.bids, bids + GAP)


def put_order(state: State, record: Json) -> None:
    """Let an order rest again, or be remembered as ended."""
    account = state.accounts[record["owner"]]
    order = Order(account=account, **record)
    market = state.markets.get(order.market)
    if order.status != OPEN or market is None:
        account.closed.append(order)
        return
    market.book.add(order)
    account.orders[order.index] = order
    if order.client:
        account.clients[order.client] = order


class Store:
    """The file of one exchange."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: IO[str] | None = None
        self.dirty = False

    def read(self, state: State) -> bool:
        """Load what the file holds; return False when there is none. A torn last line is left out."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return False
        lines = text.split("\n")
        whole = lines[:-1]  # what stands behind the last line end was not written whole
        try:
            load(state, whole)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"store {self.path} is no store of this version: {error!r}") from None
        return bool(whole)

    def open(self, state: State) -> None:
        """Write the file anew, in one step, and go on writing to it."""
        fresh = self.path.with_name(self.path.name + ".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self.file = os.fdopen(descriptor, "w", encoding="utf-8")
        self.file.write("".join(f"{line}\n" for line in dump(state)))
        self.file.flush()
        os.fsync(self.file.fileno())
        fresh.replace(self.path)

    def keep(self, state: State, batch: Batch) -> None:
        """Write what a batch changed of the accounts."""
        names = {order.owner for order in batch.orders.values()} | batch.accounts
        names |= {account for account, _ in batch.positions}
        names |= {record.account for record in batch.txs}
        if not names or self.file is None:
            return
        records = [of_numbers(state), {**of_account(state.public), "k": "public"}]
        records += [of_account(state.accounts[name]) for name in sorted(names)]
        records += [of_order(order) for order in batch.orders.values()]
        records += [{"k": "trade", **asdict(trade)} for trade in batch.trades
                    if any(trade.of(name) for name in names)]  # fmt: skip
        records += [{"k": "tx", **asdict(record)} for record in batch.txs]
        self.file.write("".join(json.dumps(r, separators=(",", ":")) + "\n" for r in records))
        self.file.flush()
        self.dirty = True

    def sync(self) -> None:
        """Bring what was written to the disk."""
        if self.dirty and self.file is not None:
            self.dirty = False
            os.fdatasync(self.file.fileno())

    def close(self) -> None:
        """Bring everything to the disk and close."""
        if self.file is not None:
            self.sync()
            self.file.close()
