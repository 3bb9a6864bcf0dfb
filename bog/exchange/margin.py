"""What an account is worth, what it must hold, what it may still do, and what liquidates it."""

from __future__ import annotations

from bog.exchange.accounts import Account, Position
from bog.exchange.state import Market, State

BASE = 10_000  # of margin fractions


def unrealized(state: State, account: Account) -> int:
    """Return the open profit at the marks, micro-USDC."""
    return sum(
        position.lots * state.markets[market].mark - position.cost
        for market, position in account.positions.items()
        if position.lots
    )


def value(state: State, account: Account) -> int:
    """Return collateral and open profit."""
    return account.collateral + unrealized(state, account)


def initial(state: State, account: Account) -> int:
    """Return what the positions lock, rounded up for each; open orders lock nothing."""
    return sum(
        -(-abs(position.lots) * market.mark * market.margin_of(account) // BASE)
        for market, position in _held(state, account)
    )


def maintenance(state: State, account: Account) -> int:
    """Return below which value the account is liquidated."""
    return sum(
        -(-abs(position.lots) * market.mark * market.spec.maintenance_margin // BASE)
        for market, position in _held(state, account)
    )


def available(state: State, account: Account) -> int:
    """Return what new positions may lock, never below 0."""
    return max(0, value(state, account) - initial(state, account))


def may_fill(state: State, account: Account, market: Market, lots: int, px: int, fee: int) -> bool:
    """Return whether the account may come to hold signed `lots` more at a price.

    A fill that only reduces is always allowed. Otherwise what the account is worth after it, at
    the marks, must cover what its positions lock then.
    """
    held = (
        account.positions[market.spec.market].lots if market.spec.market in account.positions else 0
    )
    if lots * held <= 0 and abs(lots) <= abs(held):
        return True
    fraction = market.margin_of(account)
    after = value(state, account) - fee + lots * (market.mark - px)
    locked = initial(state, account)
    locked -= -(-abs(held) * market.mark * fraction // BASE)
    locked += -(-abs(held + lots) * market.mark * fraction // BASE)
    return after >= locked


def is_liquidable(state: State, account: Account) -> bool:
    """Return whether an account with a position is worth less than it must."""
    needed = maintenance(state, account)
    return needed > 0 and value(state, account) < needed


def _held(state: State, account: Account) -> list[tuple[Market, Position]]:
    return [
        (state.markets[market], position)
        for market, position in account.positions.items()
        if position.lots
    ]
