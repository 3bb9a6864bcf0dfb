"""What every REST answer needs: the query's numbers, and whom or what it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bog.exchange import gate
from bog.exchange.accounts import Account
from bog.exchange.refusal import Refusal
from bog.exchange.state import Market
from bog.exchange.venue import Venue

Json = dict[str, Any]
Query = Mapping[str, str]


def number(query: Query, name: str, default: int | None = None) -> int:
    """Return a whole number of the query, or raise a Refusal."""
    text = query.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.removeprefix("-").isdigit():
        raise Refusal(20001, f" : {name}")
    return int(text)


class Desk:
    """Look-ups of one exchange."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.state = venue.state

    def account_of(self, query: Query) -> Account:
        """Return the account that the query names."""
        found = self.state.accounts.get(number(query, "account_index"))
        if found is None:
            raise Refusal(21100)
        return found

    def owner_of(self, query: Query, token: str) -> Account:
        """Return the account that the query names and the token proves."""
        if not token:
            raise Refusal(20001, " : auth query param and Authorization header are empty", 401)
        found = self.account_of(query)
        gate.check_token(self.state, token, found.index, self.venue.rules.token_s)
        return found

    def market_of(self, query: Query) -> Market:
        """Return the market that the query names."""
        found = self.state.markets.get(number(query, "market_id"))
        if found is None:
            raise Refusal(21602)
        return found
