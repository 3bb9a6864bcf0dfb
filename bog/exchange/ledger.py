"""The god view: what is true, in integers, whatever any client has been told."""

from __future__ import annotations

import json
from typing import Any

from bog.exchange import margin
from bog.exchange.accounts import Account
from bog.exchange.codec import CREATE
from bog.exchange.orders import KINDS, STATUSES, TIMES, Order
from bog.exchange.state import State, Trade, TxRecord

Json = dict[str, Any]


def god(state: State, account: int | None = None, after_trade: int = 0) -> Json:
    """Return accounts, live orders, fills above an id, and every transaction that may still run."""
    found = [a for index, a in sorted(state.accounts.items()) if account in (None, index)]
    names = {a.index for a in found}
    return {
        "now_ns": state.now_ns,
        "accounts": {str(a.index): of_account(state, a) for a in found},
        "trades": [
            of_trade(trade) for trade in state.trades
            if trade.id > after_trade and names & {trade.ask[2], trade.bid[2]}
        ],
        "could_execute": [
            of_tx(record) for record in state.txs.values()
            if record.status == 1 and record.account in names and record.expired_at > state.now_ms
        ],
        "marks": {str(number): market.mark for number, market in state.markets.items()},
        "public": {"cash": state.public.cash,
                   "positions": {str(m): p.lots for m, p in state.public.positions.items()}},
        "insurance": state.insurance,
        "last_trade": state.trade_id,
    }  # fmt: skip


def creates(state: State, account: int | None = None) -> Json:
    """Return how many creates took effect, and the client indices of which more than one did."""
    found = [
        (client, times) for (owner, client), times in state.created.items()
        if account in (None, owner)
    ]  # fmt: skip
    return {
        "created": sum(times for _, times in found),
        "twice": [client for client, times in found if client and times > 1],
    }


def of_account(state: State, account: Account) -> Json:
    """Return one account: money in micro-USDC, sizes in lots, prices in ticks."""
    return {
        "tier": account.tier.name,
        "deposited": account.deposited,
        "cash": account.cash,
        "collateral": account.collateral,
        "value": margin.value(state, account),
        "fees": account.fees,
        "funding": account.funding,
        "volume": account.volume,
        "fills": account.fills,
        "quota": account.quota,
        "cancel_all_ms": account.cancel_all_ms,
        "positions": {
            str(market): {"lots": held.lots, "cost": held.cost, "realized": held.realized,
                          "funding": held.funding}
            for market, held in sorted(account.positions.items())
        },
        "orders": [of_order(order) for order in account.orders.values()],
        "nonces": {str(index): key.nonce for index, key in account.keys.items()},
    }  # fmt: skip


def of_order(order: Order) -> Json:
    """Return one live order."""
    return {
        "index": order.index, "client": order.client, "market": order.market,
        "is_ask": order.is_ask, "px": order.px, "size": order.size, "filled": order.filled,
        "left": order.left, "kind": KINDS[order.kind], "tif": TIMES[order.tif],
        "reduce_only": order.reduce_only, "expiry_ms": order.expiry_ms,
        "status": STATUSES[order.status], "hash": order.hash,
    }  # fmt: skip


def of_trade(trade: Trade) -> Json:
    """Return one fill with both sides' fees."""
    return {
        "id": trade.id, "market": trade.market, "px": trade.px, "lots": trade.lots,
        "ask": list(trade.ask), "bid": list(trade.bid), "is_maker_ask": trade.is_maker_ask,
        "kind": trade.kind, "time_us": trade.time_us, "maker_ppm": trade.maker_ppm,
        "taker_ppm": trade.taker_ppm, "maker_fee": trade.maker_fee, "taker_fee": trade.taker_fee,
    }  # fmt: skip


def of_tx(record: TxRecord) -> Json:
    """Return one transaction that was taken and has not run; a create with its side and size."""
    of = json.loads(record.info) if record.type == CREATE else {}
    return {
        "hash": record.hash, "type": record.type, "account": record.account, "key": record.key,
        "nonce": record.nonce, "expired_at": record.expired_at, "effect_ns": record.effect_ns,
        "is_ask": bool(of.get("IsAsk")), "lots": of.get("BaseAmount", 0),
    }  # fmt: skip
