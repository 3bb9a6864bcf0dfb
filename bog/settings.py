"""The effective configuration, and the integers it becomes for the core.

`limits`, `strategy_params` and `venue_params` give the fields of the core's structs by name. This
is where decimals become ticks, lots, quanta, ppm and ns; one that does not fit is refused.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, NoReturn

from pydantic import PrivateAttr, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from bog import keys, units
from bog.errors import ConfigError

MASK = "**********"
_SECRET = re.compile("webhook|secret|token|password|key|url|auth", re.IGNORECASE)
_MODELS = {"risk": 0, "linear": 1, "square": 2, "front": 3}  # enum bog_queue_model

# requests per second, burst, reserve
RATES = {"conservative": (10, 20, 5), "standard": (100, 200, 50), "aggressive": (1000, 2000, 500)}

Integers = dict[str, int]


def shown(key: str, value: object) -> str:
    """Return a value as text for a message: short, and masked when the key may hold a secret."""
    if isinstance(value, SecretStr) or _SECRET.search(key):
        return MASK
    if isinstance(value, bool):
        return str(value).lower()  # as TOML writes it
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


class Settings(BaseSettings):
    """The effective configuration, frozen. Made by `load`, which knows the origin of each key."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    risk: keys.Risk
    breaker: keys.Breaker
    strategy: keys.Strategy
    execution: keys.Execution
    venue: keys.Venue
    feed: keys.Feed
    journal: keys.Journal
    monitoring: keys.Monitoring
    markets: keys.Markets
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def origins(self) -> dict[str, str]:
        """Where each key was set: a file, a variable or a flag."""
        return self._origins

    def refuse(self, key: str, why: str) -> NoReturn:
        """Raise the ConfigError that names `key`, its value, its origin and what would be right."""
        origin = self.origins.get(key, "unset")
        raise ConfigError(f"{key} = {shown(key, self.value(key))} ({origin}): {why}")

    def value(self, key: str) -> Any:
        """Return the value of a dotted key."""
        value: Any = self
        for part in key.split("."):
            value = value[part] if isinstance(value, dict) else getattr(value, part)
        return value

    def market(self, market: int) -> keys.Market:
        """Return scale and smallest order of a market, or refuse one that has no [markets.ID]."""
        found = self.markets.get(str(market))
        if found is None:
            known = ", ".join(sorted(self.markets, key=int))
            raise ConfigError(f"markets.{market} is not configured: want one of {known}")
        if self.feed.source == "sim" and found.price_decimals + found.size_decimals != 6:
            price, size = (f"markets.{market}.{k}_decimals" for k in ("price", "size"))
            key = size if self.origins[price] == "default.toml" else price
            self.refuse(key, "want 6 decimals of price and size together")
        return found

    @property
    def tier(self) -> keys.Tier:
        """The account tier in force."""
        return self.venue.tiers[self.execution.tier]

    def speed_ppm(self) -> int:
        """Return millionths of real time at which a feed runs; 0 is as fast as possible."""
        return 0 if self.feed.speed == "max" else self.steps("feed.speed", 6)

    def steps(self, key: str, decimals: int, high: int = units.INT64_MAX, times: int = 1) -> int:
        """Return `times` the value of a key in whole steps of 10**-decimals, or refuse it."""
        numerator, denominator = Decimal(self.value(key)).as_integer_ratio()
        count: int = numerator * times * 10**decimals // denominator
        rest = numerator * times * 10**decimals % denominator
        if rest:
            step = Decimal(1).scaleb(-decimals) / times
            self.refuse(key, f"want a multiple of {units.plain(step)}")
        if abs(count) > high:
            self.refuse(key, f"want at most {units.text(high // times, decimals)}")
        return count

    def limits(self, market: int) -> Integers:
        """Return bog_limits_t by field. unix_offset_ns is 0: only the run knows its clock."""
        m = self.market(market)
        px, qty, money = m.price_decimals, m.size_decimals, m.price_decimals + m.size_decimals
        custom = (
            self.risk.rate_limit_orders_per_sec,
            self.risk.rate_limit_burst,
            self.risk.rate_limit_reserve,
        )
        per_sec, burst, reserve = RATES.get(self.risk.rate_limit_preset, custom)
        # burst and refill together stay within any rolling minute of the tier
        burst = min(burst, max(1, self.tier.requests_per_min // 2))
        limits = {
            "max_long": self.steps("risk.max_position", qty, units.QTY_MAX),
            "max_short": self.steps("risk.max_short", qty, units.QTY_MAX),
            "min_order": max(
                self.steps("risk.min_order_size", qty, units.QTY_MAX),
                self.steps(f"markets.{market}.min_base_amount", qty, units.QTY_MAX),
            ),
            "max_order": self.steps("risk.max_order_size", qty, units.QTY_MAX),
            "min_notional": self.steps(f"markets.{market}.min_quote_amount", money),
            "max_notional": self.steps("risk.max_notional", money),
            "max_exposure": self.steps("risk.max_exposure_quote", money),
            "min_px": self.steps("risk.min_price", px, units.PX_MAX - 1),
            "max_px": self.steps("risk.max_price", px, units.PX_MAX - 1),
            "px_step": 1,
            "qty_step": 1,
            "collar_ppm": self.steps("risk.collar", 6),
            "drawdown_ppm": self.steps("risk.max_drawdown", 6),
            "drawdown_min_peak": self.steps("risk.drawdown_min_peak", money),
            "max_daily_loss": self.steps("risk.max_daily_loss", money),
            "balance": self.steps("risk.balance", money),
            "max_leverage_ppm": self.steps("risk.max_leverage", 6),
            "max_open_orders": min(self.risk.max_open_orders, self.tier.max_open_orders),
            "rate_per_min": min(60 * per_sec, self.tier.requests_per_min - burst),
            "rate_burst": burst,
            "rate_reserve": reserve if reserve < burst else burst // 4,  # a tier cuts a burst
            "stale_after_ns": self.steps("risk.stale_after_ms", 6),
            "unix_offset_ns": 0,
            "breaker_spread_ppm": self.steps("breaker.max_spread_bps", 2),
            "breaker_move_ppm": self.steps("breaker.max_move", 6),
            "breaker_violations": self.breaker.violations,
            "max_fills": self.breaker.max_fills,
            "fills_window_ns": self.steps("breaker.fills_window_sec", 9),
            "max_rejects": self.breaker.max_rejects,
            "rejects_window_ns": self.steps("breaker.rejects_window_sec", 9),
            "max_feed_delay_ns": self.steps("breaker.max_feed_delay_ms", 6),
            "warm_up_books": self.breaker.warm_up_books,
            "warm_up_ns": self.steps("breaker.warm_up_ms", 6),
        }
        if limits["min_order"] > limits["max_order"]:
            least = units.text(limits["min_order"], qty)
            self.refuse("risk.max_order_size", f"want at least {least}, the smallest order")
        return limits

    def strategy_params(self, market: int) -> Integers:
        """Return bog_strategy_params_t by field.

        own_in_book says what holds for the plugs that the configuration names: the built-in market
        and the venue publish our orders, a recording and a paper venue on data do not.
        """
        m, limits = self.market(market), self.limits(market)
        own, s = "strategy.simple_spread.", self.strategy.simple_spread
        params = {
            # half of the spread: bps * 100 / 2
            "half_ppm": self.steps(own + "spread_bps", 0, times=50),
            "skew_ppm": self.steps(own + "skew_bps", 2),
            "maker_ppm": self.tier.maker_fee_ppm,
            "edge_ppm": self.steps(own + "edge_bps", 2),
            "min_spread_ppm": self.steps(own + "min_spread_bps", 2),
            "max_spread_ppm": self.steps(own + "max_spread_bps", 2),
            "order_qty": self.steps(own + "order_size", m.size_decimals),
            "max_pos": self.steps(own + "max_inventory_base", m.size_decimals, units.QTY_MAX),
            "min_valid_px": self.steps(own + "min_valid_price", m.price_decimals, units.PX_MAX - 1),
            "max_valid_px": self.steps(own + "max_valid_price", m.price_decimals, units.PX_MAX - 1),
            "min_order": limits["min_order"],
            "min_touch_qty": self.steps(own + "min_size_threshold", m.size_decimals, units.QTY_MAX),
            "requote_ticks": s.requote_ticks,
            "size_off_ppm": self.steps(own + "resize_fraction", 6),
            "min_interval_ns": self.steps(own + "min_interval_ms", 6),
            "order_life_ns": self.steps(own + "order_life_sec", 9),
            "expiry_margin_ns": self.steps(own + "expiry_margin_sec", 9),
            "own_in_book": int(self.execution.mode == "live" or self.feed.source == "sim"),
        }
        least, most = limits["min_order"], limits["max_order"]
        if not least <= params["order_qty"] <= most:
            low, high = units.text(least, m.size_decimals), units.text(most, m.size_decimals)
            self.refuse(
                own + "order_size", f"want from {low} to {high}, the smallest and largest order"
            )
        if params["max_pos"] > (high_lots := min(limits["max_long"], limits["max_short"])):
            high = units.text(high_lots, m.size_decimals)
            self.refuse(own + "max_inventory_base", f"want at most {high}, the position limit")
        return params

    def venue_params(self, market: int) -> Integers:
        """Return bog_venue_params_t by field, delays of the tier included."""
        m, tier = self.market(market), f"venue.tiers.{self.execution.tier}."
        money = m.price_decimals + m.size_decimals
        return {
            "net_ns": self.steps("venue.net_latency_ms", 6),
            "response_ns": self.steps("venue.response_latency_ms", 6),
            "maker_ns": self.steps(tier + "maker_delay_ms", 6),
            "cancel_ns": self.steps(tier + "cancel_amend_delay_ms", 6),
            "amend_ns": self.steps(tier + "cancel_amend_delay_ms", 6),
            "taker_ns": self.steps(tier + "taker_delay_ms", 6),
            "window_ns": self.steps("venue.reconcile_window_ms", 6),
            "maker_ppm": self.tier.maker_fee_ppm,
            "taker_ppm": self.tier.taker_fee_ppm,
            "min_qty": self.steps(f"markets.{market}.min_base_amount", m.size_decimals),
            "min_notional": self.steps(f"markets.{market}.min_quote_amount", money),
            "requests_per_min": self.tier.requests_per_min,
            "max_open_orders": self.tier.max_open_orders,
            "model": _MODELS[self.venue.queue_model],
            "through_full": int(self.venue.through_full),
            "shrink_keeps_place": int(self.venue.shrink_keeps_place),
            "seed": self.feed.seed,
        }
