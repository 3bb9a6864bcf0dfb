"""A taker against the book: price first, then age; self-trade, reduce-only, margin, fees."""

from __future__ import annotations

from bog.exchange import margin
from bog.exchange.accounts import Account
from bog.exchange.orders import (
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    EXPIRED,
    NO_MARGIN,
    NO_REDUCE_ONLY,
    REDUCE,
    SELF_TRADED,
    Order,
)
from bog.exchange.spec import MILLION, ceil_ppm
from bog.exchange.state import MINUTES, Market, State, Trade

LIQUIDATION_PPM = 10_000
QUOTA_USD = 3  # dollars of volume that earn one unit of quota


def match(state: State, market: Market, taker: Order) -> None:
    """Trade a taker until it is done or meets no more; it may have ended afterwards."""
    fills = 0
    while taker.left and market.book.crosses(taker.is_ask, taker.px):
        maker = market.book.first(not taker.is_ask)
        assert maker is not None
        if maker.account is not None and maker.expiry_ms <= state.now_ms:
            state.end(maker, EXPIRED)
            continue
        if is_self(taker, maker) and taker.self_trade != REDUCE:
            if taker.self_trade in (EXPIRE_MAKER, EXPIRE_BOTH):
                state.end(maker, SELF_TRADED)
            if taker.self_trade in (EXPIRE_TAKER, EXPIRE_BOTH):
                state.end(taker, SELF_TRADED)
            continue
        lots = min(taker.left, maker.left)
        for order in (maker, taker):
            if order.reduce_only and order.account is not None:
                lots = min(lots, order.account.reducible(order.market, order.is_ask))
                if lots == 0:
                    state.end(order, NO_REDUCE_ONLY)
                    break
            if not affords(state, market, order, lots, maker.px, order is taker):
                state.end(order, NO_MARGIN)
                break
        else:
            trade(state, market, maker, taker, lots, fills)
            fills += 1


def is_self(taker: Order, maker: Order) -> bool:
    """Return whether both orders belong to one account, or to one master when the taker says so."""
    if taker.account is None or maker.account is None:
        return False
    if taker.by_master:
        return taker.account.l1_address == maker.account.l1_address
    return taker.account is maker.account


def fee_ppm(order: Order, is_taker: bool) -> int:
    """Return what a side pays, in millionths of the notional."""
    if order.account is None:
        return 0
    if order.liquidation:
        return LIQUIDATION_PPM
    tier = order.account.tier
    return tier.taker_ppm if is_taker else tier.maker_ppm


def affords(state: State, market: Market, order: Order, lots: int, px: int, is_taker: bool) -> bool:
    """Return whether margin lets an order trade so much."""
    if order.account is None or order.liquidation:
        return True
    fee = ceil_ppm(lots * px, fee_ppm(order, is_taker))
    return margin.may_fill(state, order.account, market, order.signed * lots, px, fee)


def trade(state: State, market: Market, maker: Order, taker: Order, lots: int, place: int) -> None:
    """Book one fill on both sides and say so."""
    px = maker.px
    notional = px * lots
    before, after, fees, gains = [], [], [], []
    for order, ppm in ((maker, fee_ppm(maker, False)), (taker, fee_ppm(taker, True))):
        account = order.account or state.public
        position = account.position(market.spec.market)
        before.append((position.lots, position.cost, market.margin_of(account)))
        gains.append(position.fill(order.signed * lots, px))
        after.append(position.lots)
        fee = ceil_ppm(notional, ppm)
        account.cash -= order.signed * notional + fee
        account.fees += fee
        fees.append(fee)
        earn(account, notional)
    market.book.reduce(maker, lots)
    for order in (maker, taker):
        order.filled += lots
        order.quote += notional
        state.stamp(order)
    if maker.left == 0:
        state.end(maker)
    state.trade_id += 1
    ask, bid = (maker, taker) if maker.is_ask else (taker, maker)
    found = Trade(
        state.trade_id, market.spec.market, px, lots,
        (ask.index, ask.client, ask.owner), (bid.index, bid.client, bid.owner), maker.is_ask,
        "liquidation" if taker.liquidation else "trade", state.now_us, state.block, taker.hash,
        fee_ppm(maker, False), fee_ppm(taker, True), before[0], before[1], after[0], after[1],
        fees[0], fees[1], gains[0], gains[1], place,
    )  # fmt: skip
    remember(state, market, found, maker, taker)


def earn(account: Account, notional: int) -> None:
    """Count volume, and the quota that it earns."""
    step = QUOTA_USD * MILLION
    account.quota += (account.volume % step + notional) // step
    account.volume += notional
    account.fills += 1


def remember(state: State, market: Market, found: Trade, maker: Order, taker: Order) -> None:
    """Put a fill into the lists and candles."""
    state.batch.trades.append(found)
    market.trades.append(found)
    market.last = found.px
    if maker.account is not None or taker.account is not None:
        state.trades.append(found)
    minute = state.now_ms // 60_000 * 60_000
    candle = market.candles.get(minute)
    if candle is None:
        while len(market.candles) >= MINUTES:
            del market.candles[next(iter(market.candles))]
        candle = market.candles[minute] = [found.px, found.px, found.px, found.px, 0, 0, 0, 0]
    candle[1] = max(candle[1], found.px)
    candle[2] = min(candle[2], found.px)
    candle[3] = found.px
    candle[4] += found.lots
    candle[5] += found.notional
    candle[6] = found.id
    candle[7] += 1
