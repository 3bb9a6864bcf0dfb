"""What the API checks before it says 200. A refusal here leaves the nonce unused."""

from __future__ import annotations

from bog.exchange import codec, engine
from bog.exchange.accounts import Account, Key
from bog.exchange.codec import CANCEL, CANCEL_ALL, CREATE, LEVERAGE, MODIFY, ONE_MARKET, Tx
from bog.exchange.matching import affords
from bog.exchange.orders import GTT, IOC, LIMIT, MARKET, POST_ONLY, Order
from bog.exchange.refusal import Refusal
from bog.exchange.state import DAY_MS, State

LONGEST_ORDER_MS = 30 * DAY_MS
LONGEST_TIMER_MS = 15 * DAY_MS
LONGEST_TOKEN_S = 8 * 3600
NONCE_END = (1 << 47) - 1  # with skip-nonce


def key_of(state: State, account_index: int, key_index: int) -> tuple[Account, Key]:
    """Return an account and one of its keys, or raise a Refusal."""
    account = state.accounts.get(account_index)
    if account is None:
        raise Refusal(21100)
    key = account.keys.get(key_index)
    if key is None:
        raise Refusal(21109)
    return account, key


def check(state: State, tx: Tx, nonce: int | None = None, minimum_ms: int = 300_000) -> None:
    """Refuse a transaction for what can be seen without the book. `nonce`: another one in force.

    `minimum_ms` is how far ahead an order's expiry and a scheduled cancel-all must be.
    """
    account, key = key_of(state, tx.account, tx.key)
    if not tx.is_signed_by(key.public):
        raise Refusal(21120)
    if tx.expired_at <= state.now_ms:
        raise Refusal(21711)
    expected = key.nonce if nonce is None else nonce
    if not (expected <= tx.nonce < NONCE_END if tx.skips else tx.nonce == expected):
        raise Refusal(21104)
    if tx.type == CREATE:
        check_create(state, account, tx, minimum_ms)
        if key.maker_only and tx.fields["TimeInForce"] != POST_ONLY:
            raise Refusal(21511)
    elif tx.type == MODIFY:
        check_trigger(tx)
        market = engine.market_of(state, tx)
        if tx.fields["BaseAmount"] * tx.fields["Price"] >= 1 << 48:
            raise Refusal(21706)
        if key.maker_only:
            order = find_quietly(account, tx, market.spec.market)
            if order is not None and order.tif != POST_ONLY:
                raise Refusal(21511)
    elif tx.type == CANCEL_ALL:
        check_cancel_all(state, tx, minimum_ms)
    elif tx.type == LEVERAGE and key.maker_only:
        raise Refusal(21511)
    if tx.type == CANCEL:
        engine.market_of(state, tx)


def find_quietly(account: Account, tx: Tx, market: int) -> Order | None:
    """Return the order that a modify names, None when there is none."""
    index = tx.fields["Index"]
    order = account.orders.get(index) if index >= 1 << 48 else account.clients.get(index)
    return order if order is not None and order.market == market else None


def check_trigger(tx: Tx) -> None:
    """Refuse a trigger price on an order without a trigger."""
    if tx.fields["TriggerPrice"]:
        raise Refusal(21729)


def check_create(state: State, account: Account, tx: Tx, minimum_ms: int) -> None:
    """Refuse an order whose fields make no sense together, and a maker's for size or margin."""
    of = tx.fields
    market = engine.market_of(state, tx)
    kind, tif = of["Type"], of["TimeInForce"]
    if kind not in (LIMIT, MARKET):
        raise Refusal(21710)  # triggers and TWAP are not offered
    check_trigger(tx)
    if kind == MARKET and tif != IOC:
        raise Refusal(21705)
    if tif == IOC and of["OrderExpiry"]:
        raise Refusal(21711)
    if tif in (GTT, POST_ONLY):
        ahead = of["OrderExpiry"] - state.now_ms
        if not minimum_ms <= ahead <= LONGEST_ORDER_MS:
            raise Refusal(21711)
    if of["BaseAmount"] == 0 and not of["ReduceOnly"]:
        raise Refusal(21701)
    if of["BaseAmount"]:
        engine.check_minimum(market, of["BaseAmount"], of["Price"], tif)
    if tif == POST_ONLY and not of["ReduceOnly"]:
        order = Order(0, 0, account, account.index, market.spec.market, bool(of["IsAsk"]),
                      of["Price"], of["BaseAmount"], tif=POST_ONLY)  # fmt: skip
        if not affords(state, market, order, order.left, order.px, False):
            raise Refusal(21739)


def check_cancel_all(state: State, tx: Tx, minimum_ms: int) -> None:
    """Refuse a cancel-all whose time does not fit its kind."""
    when, at = tx.fields["TimeInForce"], tx.fields["Time"]
    if when == engine.AT:
        if not minimum_ms <= at - state.now_ms <= LONGEST_TIMER_MS:
            raise Refusal(21714)
        if ONE_MARKET in tx.attributes:
            raise Refusal(21713)
    elif at:
        raise Refusal(21714)
    market = tx.attributes.get(ONE_MARKET)
    if market is not None and market not in state.markets:
        raise Refusal(21602)


def check_token(state: State, token: str, account: int, life_s: int = LONGEST_TOKEN_S) -> None:
    """Refuse a token that is malformed, expired, too long, not signed by a key, or of another account."""
    parts = token.split(":")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts[:3]):
        raise Refusal(20013, ": invalid auth string")
    deadline, owner, index = (int(part) for part in parts[:3])
    now_s = state.now_ns / 1e9
    if deadline <= now_s:
        raise Refusal(20013, ": expired token")
    if deadline > now_s + life_s:
        raise Refusal(20013, ": invalid deadline")
    try:
        _, key = key_of(state, owner, index)
    except Refusal:
        raise Refusal(20013, ": invalid signature") from None
    if not codec.is_token_of(key.public, ":".join(parts[:3]), parts[3]):
        raise Refusal(20013, ": invalid signature")
    if owner != account:
        raise Refusal(20013, ": account index does not match")
