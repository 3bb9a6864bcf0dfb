"""What each kind of transaction does when its turn comes; a Refusal here is the application's."""

from __future__ import annotations

from bog.exchange import margin
from bog.exchange.accounts import Account
from bog.exchange.codec import (
    CANCEL,
    CANCEL_ALL,
    CREATE,
    LEVERAGE,
    MODIFY,
    ONE_MARKET,
    ORDER_VERSION,
    SELF_EQUALITY,
    SELF_TRADE,
    Tx,
)
from bog.exchange.matching import affords, match
from bog.exchange.orders import (
    CANCELED,
    EXPIRE_MAKER,
    FILLED,
    IOC,
    LIQUIDATED,
    MARKET,
    NO_LIQUIDITY,
    NO_MARGIN,
    NO_POST_ONLY,
    OPEN,
    POST_ONLY,
    SLIPPAGE,
    Order,
)
from bog.exchange.refusal import Refusal
from bog.exchange.spec import PRICE_END
from bog.exchange.state import Market, State

BAND_PERCENT = 5
NOW, AT, ABORT = 0, 1, 2  # what a cancel-all asks for


def execute(state: State, tx: Tx) -> list[Order]:
    """Carry out a transaction; return the orders that it was about."""
    account = state.accounts[tx.account]
    run = {CREATE: create, CANCEL: cancel, CANCEL_ALL: cancel_all, MODIFY: modify,
           LEVERAGE: leverage}[tx.type]  # fmt: skip
    return run(state, account, tx)


def market_of(state: State, tx: Tx) -> Market:
    """Return the market that a transaction names."""
    market = state.markets.get(tx.fields["MarketIndex"])
    if market is None:
        raise Refusal(21602)
    return market


def open_market(state: State, tx: Tx) -> Market:
    """Return the market, if it takes orders now."""
    market = market_of(state, tx)
    if market.status != "active":
        raise Refusal(21605)
    return market


def find(account: Account, tx: Tx) -> Order:
    """Return the open order that a cancel or modify names: by our index or by the client's."""
    index = tx.fields["Index"]
    order = account.orders.get(index) if index >= 1 << 48 else account.clients.get(index)
    if order is None or order.market != tx.fields["MarketIndex"]:
        raise Refusal(21600)
    return order


def check_price(market: Market, is_ask: bool, px: int, kind: int) -> None:
    """Refuse a price that takes too deep to be meant."""
    other = market.book.best(not is_ask)
    if is_ask:
        far = px * 100 < max(market.mark, other) * (100 - BAND_PERCENT)
    else:
        far = px * 100 > (min(market.mark, other) if other else market.mark) * (100 + BAND_PERCENT)
    if far:
        raise Refusal(21733 if kind == MARKET else 21734)


def check_minimum(market: Market, lots: int, px: int, tif: int) -> None:
    """Refuse an order that may rest and is too small, or any that is too large."""
    spec = market.spec
    if tif != IOC and (lots < spec.min_base or lots * px < spec.min_quote):
        raise Refusal(21706)
    if lots * px >= 1 << 48:
        raise Refusal(21706)


def check_counts(account: Account, market: Market) -> None:
    """Refuse one more resting order than the tier allows."""
    if len(account.orders) >= account.tier.open_orders:
        raise Refusal(21717)
    if sum(1 for _ in account.in_market(market.spec.market)) >= account.tier.open_market:
        raise Refusal(21718)


def check_reduce_only(account: Account, market: Market, is_ask: bool, reduce_only: bool) -> None:
    """Refuse what would add to a position and must not."""
    if (reduce_only or market.force_reduce_only) and not account.reducible(
        market.spec.market, is_ask
    ):
        raise Refusal(21732)


def create(state: State, account: Account, tx: Tx) -> list[Order]:
    """A new order: refused, ended at once, traded or resting."""
    market = open_market(state, tx)
    of = tx.fields
    is_ask, tif, kind = bool(of["IsAsk"]), of["TimeInForce"], of["Type"]
    if of["ClientOrderIndex"] in account.clients:
        raise Refusal(21728)
    if tif != IOC:
        check_counts(account, market)
    check_price(market, is_ask, of["Price"], kind)
    check_reduce_only(account, market, is_ask, bool(of["ReduceOnly"]))
    size = of["BaseAmount"] or account.reducible(market.spec.market, is_ask)
    order = Order(
        market.number(is_ask), of["ClientOrderIndex"], account, account.index, market.spec.market,
        is_ask, of["Price"], size, kind=kind, tif=tif, reduce_only=bool(of["ReduceOnly"]),
        expiry_ms=of["OrderExpiry"], created_s=state.now_ms // 1000,
        self_trade=tx.attributes.get(SELF_TRADE, EXPIRE_MAKER),
        by_master=bool(tx.attributes.get(SELF_EQUALITY)), hash=tx.hash,
    )  # fmt: skip
    about = account.index, order.client
    state.created[about] = state.created.get(about, 0) + 1
    settle(state, market, order)
    return [order]


def stillborn(state: State, account: Account, tx: Tx, status: int) -> list[Order]:
    """Let a new order end at once with a status, whatever the book says: by script."""
    market = market_of(state, tx)
    of = tx.fields
    order = Order(
        market.number(bool(of["IsAsk"])), of["ClientOrderIndex"], account, account.index,
        market.spec.market, bool(of["IsAsk"]), of["Price"], of["BaseAmount"], kind=of["Type"],
        tif=of["TimeInForce"], reduce_only=bool(of["ReduceOnly"]), expiry_ms=of["OrderExpiry"],
        created_s=state.now_ms // 1000, hash=tx.hash,
    )  # fmt: skip
    state.end(order, status)
    return [order]


def settle(state: State, market: Market, order: Order) -> None:
    """Match an order that is in no queue, then let it rest or end it."""
    if order.tif == POST_ONLY and market.book.crosses(order.is_ask, order.px):
        state.end(order, NO_POST_ONLY)
        return
    if not order.reduce_only and not affords(state, market, order, order.left, order.px,
                                             order.tif != POST_ONLY):  # fmt: skip
        state.end(order, NO_MARGIN)
        return
    match(state, market, order)
    if order.left == 0 and order.status > OPEN:
        return
    if order.left == 0:
        state.end(order, FILLED)
    elif order.tif == IOC:
        state.end(order, remainder(market, order))
    else:
        state.rest(order)


def remainder(market: Market, order: Order) -> int:
    """Return how an order that must not rest ends when something is left of it."""
    if order.kind != MARKET:
        return CANCELED
    return SLIPPAGE if market.book.best(not order.is_ask) else NO_LIQUIDITY


def modify(state: State, account: Account, tx: Tx) -> list[Order]:
    """New total size and price: out of the queue, and in again as if it had just come."""
    market = open_market(state, tx)
    order = find(account, tx)
    of = tx.fields
    version = tx.attributes.get(ORDER_VERSION, order.version + 1)
    if version <= order.version:
        raise Refusal(21743)
    if of["BaseAmount"] > order.filled:
        left = of["BaseAmount"] - order.filled
        check_price(market, order.is_ask, of["Price"], order.kind)
        check_minimum(market, left, of["Price"], order.tif)
        check_reduce_only(account, market, order.is_ask, order.reduce_only)
        if not order.reduce_only and not affords(state, market, order, left, of["Price"], False):
            raise Refusal(21739)
    state.leave(order)
    order.version = version
    order.self_trade = tx.attributes.get(SELF_TRADE, EXPIRE_MAKER)
    order.by_master = bool(tx.attributes.get(SELF_EQUALITY))
    order.hash = tx.hash
    order.size = max(of["BaseAmount"], order.filled)
    if order.size == order.filled:
        state.end(order, FILLED)
        return [order]
    order.index = market.number(order.is_ask)
    order.px = of["Price"]
    settle(state, market, order)
    return [order]


def cancel(state: State, account: Account, tx: Tx) -> list[Order]:
    """One order ends."""
    market_of(state, tx)
    order = find(account, tx)
    state.end(order, CANCELED)
    return [order]


def cancel_all(state: State, account: Account, tx: Tx) -> list[Order]:
    """Everything ends, now or at a time; or that time is taken back."""
    if tx.fields["TimeInForce"] == AT:
        account.cancel_all_ms = tx.fields["Time"]
        state.batch.accounts.add(account.index)
    elif tx.fields["TimeInForce"] == ABORT:
        account.cancel_all_ms = 0
        state.batch.accounts.add(account.index)
    else:
        market = tx.attributes.get(ONE_MARKET)
        if market is not None and market not in state.markets:
            raise Refusal(21602)
        return sweep(state, account, CANCELED, market)
    return []


def sweep(state: State, account: Account, status: int, market: int | None = None) -> list[Order]:
    """End every open order of an account, or those of one market."""
    orders = [order for order in account.orders.values() if market in (None, order.market)]
    for order in orders:
        state.end(order, status)
    return orders


def leverage(state: State, account: Account, tx: Tx) -> list[Order]:
    """Another initial margin fraction in one market; cross margin only."""
    market = market_of(state, tx)
    if tx.fields["MarginMode"]:
        raise Refusal(21613, ": isolated margin is not offered here")
    fraction = tx.fields["InitialMarginFraction"]
    if fraction < market.spec.min_initial_margin:
        raise Refusal(21113)
    position = account.position(market.spec.market)
    before, position.margin = position.margin, fraction
    if margin.initial(state, account) > margin.value(state, account):
        position.margin = before
        raise Refusal(21739)
    state.batch.positions.add((account.index, market.spec.market))
    return []


def liquidate(state: State, account: Account) -> None:
    """Cancel everything, then close every position at the book's prices; the fund pays what lacks."""
    sweep(state, account, LIQUIDATED)
    for number, position in account.positions.items():
        if position.lots:
            market = state.markets[number]
            is_ask = position.lots > 0
            order = Order(
                market.number(is_ask), 0, account, account.index, number, is_ask,
                1 if is_ask else PRICE_END - 1, abs(position.lots), kind=2, tif=IOC,
                reduce_only=True, created_s=state.now_ms // 1000, liquidation=True,
                hash="0" * 80,
            )  # fmt: skip
            match(state, market, order)
            if order.status <= OPEN:
                state.end(order, NO_LIQUIDITY)
    if account.cash < 0 and not any(p.lots for p in account.positions.values()):
        state.insurance += account.cash
        account.cash = 0
    state.batch.accounts.add(account.index)
