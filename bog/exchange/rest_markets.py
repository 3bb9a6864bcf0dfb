"""REST answers about markets: lists, books, trades, candles, funding, fees."""

from __future__ import annotations

from bog.exchange import views
from bog.exchange.frames import RESOLUTIONS, candles
from bog.exchange.refusal import Refusal
from bog.exchange.rest_desk import Desk, Json, Query, number
from bog.exchange.spec import ORDER_QUOTE_LIMIT, decimal, usd
from bog.exchange.state import Market
from bog.exchange.tiers import TIERS


class Markets(Desk):
    """What anyone may ask."""

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
