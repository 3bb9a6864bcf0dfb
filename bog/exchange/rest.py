"""The REST answers: each path is a method, its query a mapping of text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bog.exchange import gate, views
from bog.exchange.accounts import Account
from bog.exchange.codec import FIELDS
from bog.exchange.feed import RESOLUTIONS, candles
from bog.exchange.refusal import Refusal
from bog.exchange.spec import ORDER_QUOTE_LIMIT, decimal, usd
from bog.exchange.state import Market
from bog.exchange.tiers import TIERS
from bog.exchange.venue import Receipt, Venue

Json = dict[str, Any]
Query = Mapping[str, str]
HOUR_NS = 3_600_000_000_000
BATCH = 50


def number(query: Query, name: str, default: int | None = None) -> int:
    """Return a whole number of the query, or raise a Refusal."""
    text = query.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.removeprefix("-").isdigit():
        raise Refusal(20001, f" : {name}")
    return int(text)


class Rest:
    """Answers of one exchange. Every method returns the JSON body of a 200."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.state = venue.state

    def answer(self, path: str, query: Query, token: str) -> Json:
        """Return the answer of a path below /api/v1, or raise a Refusal."""
        found = getattr(self, f"get_{path}", None) or getattr(self, f"post_{path}", None)
        if found is None:
            raise Refusal(29404)
        body: Json = found(query, token)
        return {"code": 200, **body}

    def methods(self, path: str) -> tuple[str, ...]:
        """Return the HTTP methods of a path, none when there is no such path."""
        return tuple(verb for verb in ("get", "post") if hasattr(self, f"{verb}_{path}"))

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

    # -- markets -----------------------------------------------------------------------------

    def listed(self, query: Query) -> list[Market]:
        """Return the markets that a listing asks for."""
        wanted = number(query, "market_id", 255)
        if query.get("filter") == "spot":
            return []
        if wanted == 255:
            return list(self.state.markets.values())
        return [self.market_of(query)]

    def row(self, market: Market) -> Json:
        """Return what `orderBooks` says of a market; its fees are not the account's."""
        spec = market.spec
        return {
            "symbol": spec.symbol, "market_id": spec.market, "market_type": "perp",
            "base_asset_id": 0, "quote_asset_id": 0, "status": market.status,
            "taker_fee": "0.0000", "is_taker_fee_enabled": True, "maker_fee": "0.0000",
            "is_maker_fee_enabled": True, "liquidation_fee": "1.0000",
            "min_base_amount": spec.size(spec.min_base), "min_quote_amount": usd(spec.min_quote),
            "order_quote_limit": usd(ORDER_QUOTE_LIMIT),
            "supported_size_decimals": spec.size_decimals,
            "supported_price_decimals": spec.price_decimals, "supported_quote_decimals": 6,
            "created_at": str(self.state.first_ns // 1_000_000),
            "multiplier": "1.000000000000000000", "start_timestamp": 0, "end_timestamp": 0,
            "settlement_type": 0, "settlement_price": 0, "settlement_cap": 0, "outcome": 0,
            "default_price": 0, "operator_account_index": 0, "is_frozen": False,
        }  # fmt: skip

    def get_orderBooks(self, query: Query, _: str) -> Json:
        """Symbol to id, decimals, minimums, status."""
        rows = []
        for market in self.listed(query):
            interest = usd(views.open_interest(self.state, market.spec.market) * market.mark)
            rows.append({**self.row(market), "open_interest": interest})
        return {"order_books": rows}

    def get_orderBookDetails(self, query: Query, _: str) -> Json:
        """The same and margin, marks, the day's figures."""
        found = []
        for market in self.listed(query):
            spec = market.spec
            unit = 10.0**-spec.price_decimals
            held = views.open_interest(self.state, spec.market)
            found.append({
                **self.row(market), **views.day(self.state, market),
                "size_decimals": spec.size_decimals, "price_decimals": spec.price_decimals,
                "quote_multiplier": 1, "default_initial_margin_fraction": spec.initial_margin,
                "min_initial_margin_fraction": spec.min_initial_margin,
                "maintenance_margin_fraction": spec.maintenance_margin,
                "closeout_margin_fraction": spec.closeout_margin,
                "last_trade_price": market.last * unit,
                "mark_price": spec.price(market.mark), "index_price": spec.price(market.index),
                "daily_trades_count": sum(candle[7] for candle in market.candles.values()),
                "open_interest": held / 10**spec.size_decimals, "daily_chart": {},
                "funding_clamp_small": "0.0500", "funding_clamp_big": "4.0000",
                "base_interest_rate": "0.0100", "market_flags": 0, "strategy_index": 2,
                "funding_premium_multiplier": 1,
                "market_config": {
                    "market_margin_mode": 0, "insurance_fund_account_index": (1 << 48) - 1,
                    "liquidation_mode": 0, "force_reduce_only": market.force_reduce_only,
                    "trading_hours": "", "funding_fee_discounts_enabled": False, "hidden": False,
                    "rfq_enabled": False,
                },
            })  # fmt: skip
        return {"order_book_details": found, "spot_order_book_details": []}

    def get_orderBookOrders(self, query: Query, _: str) -> Json:
        """Single resting orders, best first, with owners; no nonce."""
        market = self.market_of(query)
        limit = number(query, "limit", 250)
        if not 1 <= limit <= 250:
            raise Refusal(20001, " : limit")
        answer: Json = {}
        for name, is_ask in (("asks", True), ("bids", False)):
            side = market.book.sides[is_ask]
            answer[f"total_{name}"] = sum(len(level) for level in side.levels.values())
            rows: list[Json] = []
            for px in side.best_first():
                for order in side.levels[px].values():
                    if len(rows) < limit:
                        rows.append({
                            "order_index": order.index, "order_id": str(order.index),
                            "owner_account_index": order.owner,
                            "initial_base_amount": market.spec.size(order.size),
                            "remaining_base_amount": market.spec.size(order.left),
                            "price": market.spec.price(order.px),
                            "order_expiry": order.expiry_ms, "transaction_time": order.time_us,
                        })  # fmt: skip
                if len(rows) >= limit:
                    break
            answer[name] = rows
        return answer

    def get_recentTrades(self, query: Query, _: str) -> Json:
        """The last public trades, newest first."""
        market = self.market_of(query)
        limit = number(query, "limit")
        found = list(market.trades)[::-1][: min(limit, 100)]
        return {"trades": [views.trade(self.state, trade) for trade in found]}

    def get_exchangeStats(self, _: Query, __: str) -> Json:
        """The day's figures of every market."""
        rows = []
        for market in self.state.markets.values():
            figures = views.day(self.state, market)
            rows.append({
                "symbol": market.spec.symbol,
                "last_trade_price": market.last * 10.0**-market.spec.price_decimals,
                "daily_trades_count": sum(candle[7] for candle in market.candles.values()),
                **{name: figures[name] for name in ("daily_base_token_volume",
                   "daily_quote_token_volume", "daily_price_change")},
            })  # fmt: skip
        return {"total": len(rows), "order_book_stats": rows,
                "daily_usd_volume": sum(row["daily_quote_token_volume"] for row in rows),
                "daily_trades_count": sum(row["daily_trades_count"] for row in rows)}  # fmt: skip

    def get_candles(self, query: Query, _: str) -> Json:
        """Candles of a market in a span of time, in ms."""
        market = self.market_of(query)
        resolution = query.get("resolution", "")
        if resolution not in RESOLUTIONS:
            raise Refusal(22402)
        start, end = number(query, "start_timestamp"), number(query, "end_timestamp")
        if start >= end:
            raise Refusal(22400)
        found = candles(self.state, market.spec.market, resolution, start, end)
        return {"r": resolution, "c": found[-number(query, "count_back") or len(found) :]}

    def get_fundings(self, query: Query, _: str) -> Json:
        """Settled funding: the last hour's, when one has passed."""
        market = self.market_of(query)
        for name in ("start_timestamp", "end_timestamp", "count_back"):
            number(query, name)
        rows = []
        if market.funding_ms:
            paid = market.mark * 10**market.spec.size_decimals * abs(market.paid_ppm)
            rows.append({
                "timestamp": market.funding_ms // 1000, "value": decimal(paid // 10**4, 8),
                "rate": views.percent(abs(market.paid_ppm)),
                "direction": "long" if market.paid_ppm >= 0 else "short",
            })  # fmt: skip
        return {"resolution": query.get("resolution", "1h"), "fundings": rows}

    def get_funding_rates(self, _: Query, __: str) -> Json:
        """The current rate of each market."""
        rows = [{"market_id": number, "exchange": "lighter", "symbol": market.spec.symbol,
                 "rate": market.funding_ppm / 1e6}
                for number, market in self.state.markets.items()]  # fmt: skip
        return {"funding_rates": rows}

    def get_announcement(self, _: Query, __: str) -> Json:
        """Nothing is announced."""
        return {"announcements": []}

    def get_currentHeight(self, _: Query, __: str) -> Json:
        """The number of the last block."""
        return {"height": self.state.block}

    def get_feeTiers(self, _: Query, __: str) -> Json:
        """What each tier pays."""
        rows = [{"name": tier.name, "level": level, "maker_fee_ticks": tier.maker_ppm,
                 "taker_fee_ticks": tier.taker_ppm, "required_lit_stakes": 0,
                 "required_volume": 0} for level, tier in enumerate(TIERS.values())]  # fmt: skip
        return {"user_tiers": rows, "bo_tiers": [], "staking_tiers": []}

    # -- accounts ----------------------------------------------------------------------------

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
        return {"total": len(found), "accounts": [views.account(self.state, a) for a in found]}

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
        """Own funding payments: their sum a market, which is all this exchange keeps."""
        account = self.owner_of(query, token)
        rows = [
            {"timestamp": self.state.markets[number].funding_ms // 1000, "market_id": number,
             "funding_id": number, "change": usd(-held.funding), "discount": "0.000000",
             "rate": views.percent(self.state.markets[number].paid_ppm),
             "position_size": self.state.markets[number].spec.size(abs(held.lots)),
             "position_side": "short" if held.lots < 0 else "long"}
            for number, held in account.positions.items() if held.funding
        ]  # fmt: skip
        return {"position_fundings": rows}

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

    # -- transactions ------------------------------------------------------------------------

    def get_nextNonce(self, query: Query, _: str) -> Json:
        """The nonce to use next; an account or key that is not known has 0."""
        account = self.state.accounts.get(number(query, "account_index"))
        key = account.keys.get(number(query, "api_key_index")) if account else None
        return {"nonce": key.nonce if key else 0}

    def get_tx(self, query: Query, _: str) -> Json:
        """One transaction's fate, by hash or sequence."""
        value = query.get("value", "")
        if query.get("by") == "hash":
            record = self.state.txs.get(value.removeprefix("0x").lower())
        elif query.get("by") == "sequence_index":
            record = next((r for r in self.state.txs.values() if str(r.sequence) == value), None)
        else:
            raise Refusal(20001, " : by")
        if record is None:
            raise Refusal(21500)
        return views.tx(record, self.state)

    def get_accountTxs(self, query: Query, token: str) -> Json:
        """Transactions of an account, newest first."""
        if query.get("by") != "account_index":
            raise Refusal(20001, " : by")
        account = self.owner_of({"account_index": query.get("value", "")}, token)
        found = [r for r in reversed(self.state.txs.values()) if r.account == account.index]
        start = number(query, "index", 0)
        return {
            "txs": [views.tx(r, self.state) for r in found[start : start + number(query, "limit")]]
        }

    def post_sendTx(self, form: Query, _: str) -> Json:
        """Take one transaction."""
        kind = number(form, "tx_type")
        if "tx_info" not in form:
            raise Refusal(20001, " : tx_info")
        receipt = self.venue.submit(self.state.now_ns, [kind], [form["tx_info"]])
        return {**said(receipt), "tx_hash": receipt.hashes[0]}

    def post_sendTxBatch(self, form: Query, _: str) -> Json:
        """Take several transactions of one key."""
        kinds, infos = lists_of(form.get("tx_types"), form.get("tx_infos"), BATCH)
        receipt = self.venue.submit(self.state.now_ns, kinds, infos, batch=True)
        return {**said(receipt), "tx_hash": receipt.hashes}


def said(receipt: Receipt) -> Json:
    """Return what a receipt says beside the hashes."""
    body: Json = {"message": receipt.message, "predicted_execution_time_ms": receipt.predicted_ms}
    if receipt.remaining is not None:
        body["volume_quota_remaining"] = receipt.remaining
    return body


def lists_of(types: Any, infos: Any, most: int) -> tuple[list[int], list[str]]:
    """Return the two lists of a batch, which come as JSON text, or raise a Refusal."""
    try:
        kinds, texts = json.loads(types), json.loads(infos)
    except (ValueError, TypeError, RecursionError):
        raise Refusal(21501) from None
    if not isinstance(kinds, list) or not isinstance(texts, list) or len(kinds) != len(texts):
        raise Refusal(21513)
    if len(kinds) > most:
        raise Refusal(21514)
    if not kinds or not all(type(kind) is int for kind in kinds):
        raise Refusal(21501)
    if not all(isinstance(text, str) for text in texts):
        raise Refusal(21501)
    if not set(kinds) <= set(FIELDS):
        raise Refusal(21505)
    return kinds, texts
