"""How orders, fills, positions and accounts look on the wire, quirks included.

`side` is always empty, `timestamp` of an order is in seconds and `transaction_time` in microseconds,
the integrator's fields are empty in a snapshot and "0" in an update, a fee of zero is left out, a
position is unsigned with its sign beside it.
"""

from __future__ import annotations

from typing import Any

from bog.exchange import margin
from bog.exchange.accounts import Account, Position
from bog.exchange.orders import KINDS, STATUSES, TIMES, Order
from bog.exchange.spec import decimal, usd
from bog.exchange.state import DAY_MS, Market, State, Trade, TxRecord

Json = dict[str, Any]


def order(state: State, found: Order, snapshot: bool) -> Json:
    """Return an order as the private channels and the REST lists show it."""
    spec = state.markets[found.market].spec
    none = "" if snapshot else "0"
    return {
        "order_index": found.index,
        "client_order_index": found.client,
        "order_id": str(found.index),
        "client_order_id": str(found.client),
        "market_index": found.market,
        "owner_account_index": found.owner,
        "initial_base_amount": spec.size(found.size),
        "price": spec.price(found.px),
        "nonce": found.nonce,
        "remaining_base_amount": spec.size(found.left),
        "is_ask": found.is_ask,
        "base_size": found.left,
        "base_price": found.px,
        "filled_base_amount": spec.size(found.filled),
        "filled_quote_amount": usd(found.quote),
        "side": "",
        "type": KINDS[found.kind],
        "time_in_force": TIMES[found.tif],
        "reduce_only": found.reduce_only,
        "trigger_price": spec.price(0),
        "order_expiry": found.expiry_ms,
        "status": STATUSES[found.status],
        "trigger_status": "na",
        "trigger_time": 0,
        "parent_order_index": 0,
        "parent_order_id": "0",
        "to_trigger_order_id_0": "0",
        "to_trigger_order_id_1": "0",
        "to_cancel_order_id_0": "0",
        "integrator_fee_collector_index": none,
        "integrator_taker_fee": none,
        "integrator_maker_fee": none,
        "order_flags": 0,
        "order_version": found.version,
        "market_symbol": spec.symbol,
        "market_kind": "perps",
        "block_height": found.block,
        "timestamp": found.updated_s,
        "created_at": found.created_s,
        "updated_at": found.updated_s,
        "transaction_time": found.time_us,
    }


def trade(state: State, found: Trade) -> Json:
    """Return a fill as every trade list shows it."""
    spec = state.markets[found.market].spec
    shown: Json = {
        "trade_id": found.id,
        "trade_id_str": str(found.id),
        "tx_hash": trade_hash(found),
        "type": found.kind,
        "market_id": found.market,
        "size": spec.size(found.lots),
        "price": spec.price(found.px),
        "usd_amount": usd(found.notional),
        "ask_account_id": found.ask[2],
        "bid_account_id": found.bid[2],
        "is_maker_ask": found.is_maker_ask,
        "block_height": found.block,
        "timestamp": found.time_us // 1000,
        "transaction_time": found.time_us,
        "ask_account_pnl": usd(
            found.maker_realized if found.is_maker_ask else found.taker_realized
        ),
        "bid_account_pnl": usd(
            found.taker_realized if found.is_maker_ask else found.maker_realized
        ),
        "market_symbol": spec.symbol,
        "market_kind": "perps",
    }
    for side, (index, client, _) in (("ask", found.ask), ("bid", found.bid)):
        shown |= {f"{side}_id": index, f"{side}_id_str": str(index), f"{side}_client_id": client,
                  f"{side}_client_id_str": str(client), f"{side}_order_version": 0}  # fmt: skip
    for who, ppm, (lots, cost, fraction), after in (
        ("taker", found.taker_ppm, found.taker_before, found.taker_after),
        ("maker", found.maker_ppm, found.maker_before, found.maker_after),
    ):
        if ppm:
            shown[f"{who}_fee"] = ppm
        shown |= {
            f"{who}_position_size_before": spec.size(lots),
            f"{who}_entry_quote_before": usd(abs(cost)),
            f"{who}_initial_margin_fraction_before": fraction,
            f"{who}_position_sign_changed": (lots > 0) != (after > 0) or lots == 0,
            f"{who}_allocated_margin_usdc_before": 0,
            f"{who}_allocated_margin_usdc_after": 0,
            f"integrator_{who}_fee": 0,
            f"integrator_{who}_fee_collector_index": 0,
        }
    return shown


def trade_hash(found: Trade) -> str:
    """Return a transaction's hash for its first fill; a zeroed tail marks an internal claim."""
    if found.order == 0 and found.hash:
        return found.hash
    return f"{found.block:016x}{found.id:016x}" + "0" * 48


def position(state: State, account: Account, number: int) -> Json:
    """Return a position: unsigned, its sign beside it, 1 when flat."""
    market = state.markets[number]
    held = account.positions.get(number) or Position()
    spec, mark = market.spec, market.mark
    lots = abs(held.lots)
    worth = usd(abs(lots * mark)) if lots else "-0.000000"
    return {
        "market_id": number,
        "symbol": spec.symbol,
        "initial_margin_fraction": decimal(market.margin_of(account), 2),
        "open_order_count": sum(1 for _ in account.in_market(number)),
        "pending_order_count": 0,
        "position_tied_order_count": 0,
        "sign": -1 if held.lots < 0 else 1,
        "position": spec.size(lots),
        "avg_entry_price": spec.price(abs(held.cost) // lots if lots else 0),
        "position_value": worth,
        "unrealized_pnl": usd(held.lots * mark - held.cost if lots else 0),
        "realized_pnl": usd(held.realized),
        "liquidation_price": "0",
        "total_funding_paid_out": usd(held.funding),
        "margin_mode": 0,
        "margin_set_flag": int(held.margin != 0),
        "allocated_margin": "0.000000",
        "total_discount": "0.000000",
    }


def positions(state: State, account: Account) -> Json:
    """Return the positions by market, those that were ever touched."""
    markets = {*account.positions, *(order.market for order in account.orders.values())}
    return {str(number): position(state, account, number) for number in sorted(markets)}


def user_stats(state: State, account: Account) -> Json:
    """Return the money of an account as `user_stats` has it."""
    worth = margin.value(state, account)
    locked = margin.initial(state, account)
    exposure = sum(
        abs(held.lots) * state.markets[number].mark for number, held in account.positions.items()
    )
    stats = {
        "collateral": usd(account.collateral),
        "portfolio_value": usd(worth),
        "leverage": decimal(exposure * 100 // worth if worth > 0 else 0, 2),
        "available_balance": usd(margin.available(state, account)),
        "margin_usage": decimal(locked * 10_000 // worth if worth > 0 else 0, 2),
        "buying_power": "0",
    }
    return {**stats, "account_trading_mode": 0, "cross_stats": dict(stats),
            "total_stats": dict(stats)}  # fmt: skip


def assets(account: Account) -> Json:
    """Return the spot balances: USDC alone."""
    return {
        "3": {
            "symbol": "USDC", "asset_id": 3, "balance": "0.000000", "locked_balance": "0.000000",
            "margin_mode": "disabled", "margin_balance": usd(account.collateral),
            "multiplier": "1.000000000000000000",
        }
    }  # fmt: skip


def account(state: State, found: Account) -> Json:
    """Return one account as REST shows it."""
    worth = usd(margin.value(state, found))
    return {
        "code": 0,
        "account_type": 0,
        "index": found.index,
        "l1_address": found.l1_address,
        "cancel_all_time": found.cancel_all_ms,
        "total_order_count": len(found.orders),
        "total_isolated_order_count": 0,
        "pending_order_count": 0,
        "available_balance": usd(margin.available(state, found)),
        "status": 1,
        "collateral": usd(found.collateral),
        "transaction_time": state.now_us,
        "account_trading_mode": 0,
        "account_index": found.index,
        "name": "",
        "description": "",
        "can_invite": False,
        "referral_points_percentage": "",
        "can_rfq": False,
        "can_rfq_market_ids": [],
        "agent_enabled": False,
        "created_at": 0,
        "metadata": {"color": ""},
        "positions": list(positions(state, found).values()),
        "assets": list(assets(found).values()),
        "total_asset_value": worth,
        "cross_asset_value": worth,
        "cross_initial_margin_requirement": usd(margin.initial(state, found)),
        "cross_maintenance_margin_requirement": usd(margin.maintenance(state, found)),
        "shares": [],
        "pending_unlocks": [],
        "approved_integrators": [],
        "pool_info": NO_POOL,
    }


# captured answers of accounts that are no pools have none; the official models want one
NO_POOL: Json = {
    "status": 0, "operator_fee": "0", "min_operator_share_rate": "0", "total_shares": 0,
    "operator_shares": 0, "annual_percentage_yield": 0, "daily_returns": [], "share_prices": [],
    "sharpe_ratio": 0, "strategies": [],
}  # fmt: skip


def tx(record: TxRecord, state: State) -> Json:
    """Return a transaction with what became of it; `status` 2 does not mean that an order exists."""
    return {
        "hash": record.hash,
        "type": record.type,
        "info": record.info,
        "event_info": record.event,
        "status": record.status,
        "transaction_index": record.sequence % 1000,
        "l1_address": state.accounts[record.account].l1_address,
        "account_index": record.account,
        "nonce": record.nonce,
        "expire_at": record.expired_at,
        "block_height": record.block,
        "queued_at": record.queued_ms,
        "executed_at": record.executed_us // 1000,
        "sequence_index": record.sequence,
        "parent_hash": "",
        "api_key_index": record.key,
        "transaction_time": record.executed_us,
        "committed_at": 0,
        "verified_at": 0,
    }


def day(state: State, market: Market) -> Json:
    """Return the day's figures of a market, as floats as the venue has them."""
    since = state.now_ms - DAY_MS
    candles = [candle for minute, candle in market.candles.items() if minute >= since]
    unit = 10.0**-market.spec.price_decimals
    first = candles[0][0] if candles else market.last
    return {
        "daily_base_token_volume": sum(c[4] for c in candles) / 10**market.spec.size_decimals,
        "daily_quote_token_volume": sum(c[5] for c in candles) / 1e6,
        "daily_price_low": min((c[2] for c in candles), default=market.last) * unit,
        "daily_price_high": max((c[1] for c in candles), default=market.last) * unit,
        "daily_price_change": (market.last - first) / first * 100 if first else 0.0,
    }


def open_interest(state: State, number: int) -> int:
    """Return the lots that are held long by anyone."""
    everyone = [*state.accounts.values(), state.public]
    return sum(max(0, who.positions[number].lots) for who in everyone if number in who.positions)


def percent(ppm: int) -> str:
    """Return millionths as a percentage with four decimals."""
    return decimal(ppm, 4)


def market_stats(state: State, number: int) -> Json:
    """Return the statistics of a market as its channel shows them."""
    market = state.markets[number]
    price = market.spec.price
    bid, ask = market.book.best(False), market.book.best(True)
    return {
        "symbol": market.spec.symbol,
        "market_id": number,
        "index_price": price(market.index),
        "mark_price": price(market.mark),
        "mid_price": price(market.middle()),
        "best_ask_price": price(ask) if ask else "",
        "best_bid_price": price(bid) if bid else "",
        "open_interest": usd(open_interest(state, number) * market.mark),
        "open_interest_limit": "72057594037927936.000000",
        "funding_clamp_small": "0.0500",
        "funding_clamp_big": "4.0000",
        "last_trade_price": price(market.last),
        "current_funding_rate": percent(market.funding_ppm),
        "funding_rate": percent(market.paid_ppm),
        "funding_timestamp": market.funding_ms,
        **day(state, market),
        "base_interest_rate": "0.0100",
    }
