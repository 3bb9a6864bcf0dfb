"""REST answers about accounts: money, orders, fills, keys, limits."""

from __future__ import annotations

import json

from bog.exchange import views
from bog.exchange.refusal import Refusal
from bog.exchange.rest_desk import Desk, Json, Query, number
from bog.exchange.spec import usd
from bog.exchange.tiers import TIERS

HOUR_NS = 3_600_000_000_000


class Accounts(Desk):
    """What an account's token opens, and the little that is open to all."""

    def get_account(self, query: Query, _: str) -> Json:
        """Collateral, positions, margin: open to all, by index or L1 address."""
        value = query.get("value", "")
        if query.get("by") == "index" and value.isdigit():
            found = [
                account for index, account in self.state.accounts.items() if index == int(value)
            ]
        elif query.get("by") == "l1_address":
            found = [account for account in self.state.accounts.values()
                     if account.l1_address == value.lower()]  # fmt: skip
        else:
            raise Refusal(20001, " : by")
        if not found:
            raise Refusal(21100)
        return {"total": len(found), "next_cursor": "",
                "accounts": [views.account(self.state, a) for a in found]}  # fmt: skip

    def get_accountsByL1Address(self, query: Query, _: str) -> Json:
        """Account indices of an address; the first is the master."""
        address = query.get("l1_address", "").lower()
        found = [views.account(self.state, account) for account in self.state.accounts.values()
                 if account.l1_address == address]  # fmt: skip
        if not found:
            raise Refusal(21100)
        return {"l1_address": address, "sub_accounts": found}

    def get_apikeys(self, query: Query, _: str) -> Json:
        """Registered public keys; 255 asks for all."""
        account = self.account_of(query)
        wanted = number(query, "api_key_index", 255)
        if wanted != 255 and wanted not in account.keys:
            raise Refusal(21109)
        return {"api_keys": [
            {"account_index": account.index, "api_key_index": index, "nonce": key.nonce,
             "public_key": key.public.hex(), "transaction_time": 0}
            for index, key in account.keys.items() if wanted in (255, index)
        ]}  # fmt: skip

    def get_accountLimits(self, query: Query, token: str) -> Json:
        """Tier and fees: the cheapest check of a token, too."""
        account = self.owner_of(query, token)
        tier = account.tier
        return {
            "max_llp_percentage": 100, "max_llp_amount": "0.000000", "user_tier": tier.name,
            "can_create_public_pool": False, "user_tier_name": tier.name,
            "current_maker_fee_tick": tier.maker_ppm, "current_taker_fee_tick": tier.taker_ppm,
            "leased_lit": "0.00000000", "effective_lit_stakes": "0.00000000",
            "user_tier_last_update": account.tier_changed_s, "bo_user_tier_name": tier.name,
            "bo_fee_rate": 1,
        }  # fmt: skip

    def get_accountActiveOrders(self, query: Query, token: str) -> Json:
        """Open orders, as a flat list."""
        account = self.owner_of(query, token)
        market = number(query, "market_id", 255)
        found = [order for order in account.orders.values() if market in (255, order.market)]
        return {"orders": [views.order(self.state, order, True) for order in found]}

    def get_accountInactiveOrders(self, query: Query, token: str) -> Json:
        """How orders ended, the last one first; `cursor` goes on where the page before ended."""
        account = self.owner_of(query, token)
        limit = number(query, "limit")
        if not 1 <= limit <= 100:
            raise Refusal(20001, " : limit")
        market = number(query, "market_id", 255)
        start = number(query, "cursor", 0)
        span = query.get("between_timestamps", "0-99999999999").split("-")
        if len(span) != 2 or not all(part.isdigit() for part in span):
            raise Refusal(20001, " : between_timestamps")
        found = [order for order in reversed(account.closed) if market in (255, order.market)
                 and int(span[0]) <= order.updated_s <= int(span[1])]  # fmt: skip
        answer: Json = {"orders": [views.order(self.state, order, True)
                                   for order in found[start : start + limit]]}  # fmt: skip
        if start + limit < len(found):
            answer["next_cursor"] = str(start + limit)
        return answer

    def get_accountOrders(self, query: Query, token: str) -> Json:
        """The fate of up to 20 client indices."""
        account = self.owner_of(query, token)
        names = query.get("client_order_indexes", "").split(",")
        if not 1 <= len(names) <= 20 or not all(name.isdigit() for name in names):
            raise Refusal(20001, " : client_order_indexes")
        wanted = {int(name) for name in names}
        found = [order for order in (*account.orders.values(), *reversed(account.closed))
                 if order.client in wanted]  # fmt: skip
        return {"orders": [views.order(self.state, order, True) for order in found]}

    def get_trades(self, query: Query, token: str) -> Json:
        """Trades of an account, or public ones, newest first."""
        limit = number(query, "limit")
        if not 1 <= limit <= 100 or query.get("sort_by") not in (
            "block_height", "timestamp", "trade_id",
        ):  # fmt: skip
            raise Refusal(20001, " : limit or sort_by")
        market = number(query, "market_id", 255)
        account = number(query, "account_index", -1)
        start = number(query, "cursor", 0)
        if account >= 0:
            self.owner_of(query, token)
            pool = [trade for trade in self.state.trades if trade.of(account)]
        else:
            pool = [trade for m in self.state.markets.values() for trade in m.trades]
        since = number(query, "from", 0)
        order = number(query, "order_index", 0)
        found = [trade for trade in sorted(pool, key=lambda t: -t.id)
                 if market in (255, trade.market) and trade.id >= since
                 and order in (0, trade.ask[0], trade.bid[0])]  # fmt: skip
        answer: Json = {"trades": [views.trade(self.state, trade)
                                   for trade in found[start : start + limit]]}  # fmt: skip
        if start + limit < len(found):
            answer["next_cursor"] = str(start + limit)
        return answer

    def get_positionFunding(self, query: Query, token: str) -> Json:
        """Own funding payments, newest first."""
        account = self.owner_of(query, token)
        limit, start = number(query, "limit", 100), number(query, "cursor", 0)
        if not 1 <= limit <= 100:
            raise Refusal(20001, " : limit")
        market, side = number(query, "market_id", 255), query.get("side", "all")
        found = [
            p
            for p in reversed(account.payments)
            if market in (255, p.market) and side in ("all", "short" if p.lots < 0 else "long")
        ]
        answer: Json = {"position_fundings": [
            {"timestamp": p.second, "market_id": p.market, "funding_id": p.second,
             "change": usd(-p.paid), "discount": "0.000000", "rate": views.percent(p.ppm),
             "position_size": self.state.markets[p.market].spec.size(abs(p.lots)),
             "position_side": "short" if p.lots < 0 else "long"}
            for p in found[start : start + limit]
        ]}  # fmt: skip
        if start + limit < len(found):
            answer["next_cursor"] = str(start + limit)
        return answer

    def get_getMakerOnlyApiKeys(self, query: Query, token: str) -> Json:
        """The keys that may only make."""
        account = self.owner_of(query, token)
        return {"api_key_indexes": [i for i, key in account.keys.items() if key.maker_only]}

    def post_setMakerOnlyApiKeys(self, query: Query, token: str) -> Json:
        """Replace the set of keys that may only make; an hour between changes."""
        account = self.owner_of(query, token)
        try:
            wanted = json.loads(query.get("api_key_indexes", ""))
        except ValueError:
            wanted = None
        if not isinstance(wanted, list) or not set(wanted) <= set(account.keys):
            raise Refusal(20001, " : api_key_indexes")
        now = self.state.now_ns
        if account.maker_only_ns and now - account.maker_only_ns < HOUR_NS:
            raise Refusal(23000)
        account.maker_only_ns = now
        for index, key in account.keys.items():
            key.maker_only = index in wanted
        self.state.batch.accounts.add(account.index)
        return {"api_key_indexes": wanted}

    def post_changeAccountTier(self, query: Query, token: str) -> Json:
        """Another tier, without open orders or positions."""
        account = self.owner_of(query, token)
        name = query.get("new_tier", "")
        if name not in TIERS:
            raise Refusal(62002)
        if name == account.tier.name:
            raise Refusal(62003)
        if any(held.lots for held in account.positions.values()):
            raise Refusal(62004)
        if account.orders:
            raise Refusal(62005)
        account.tier = self.venue.tier(name)
        account.tier_changed_s = self.state.now_ms // 1000
        self.state.batch.accounts.add(account.index)
        return {"message": ""}
