"""The effective configuration, and the integers it becomes for the core.

`limits`, `strategy_params` and `venue_params` give the fields of the core's structs by name. This
is where decimals become ticks, lots, quanta, ppm and ns; one that does not fit is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NoReturn

from pydantic import PrivateAttr, SecretStr
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from bog import keys, units
from bog.credentials import is_curve_key
from bog.errors import ConfigError

MASK = "**********"
_SECRET = re.compile("webhook|secret|token|password|key|auth", re.IGNORECASE)
_MODELS = {"risk": 0, "linear": 1, "square": 2, "front": 3}  # enum bog_queue_model

_KINDS = {"simple_spread": 0, "inventory": 1}  # enum bog_strategy_kind
_NUMBERS = {"as_infinite": 0, "as_tau": 1, "glft": 2, "grid": 3}  # enum bog_model_kind
_VOLATILITY = {"ewma": 0, "realized": 1, "parkinson": 2}  # enum bog_volatility_kind
QUOTA_FREE_NS = 15_000_000_000  # on a tier with a quota, one transaction in so long is free
# requests per second, burst, reserve
RATES = {"conservative": (10, 20, 5), "standard": (100, 200, 50), "aggressive": (1000, 2000, 500)}

PORTFOLIO_MAX = units.INT64_MAX // 256  # BOG_HELD_MAX: the sum of all markets stays an int64

Integers = dict[str, int]


def shown(key: str, value: object) -> str:
    """Return a value as text for a message: short, and masked when the key may hold a secret."""
    password = key.endswith("url") and "@" in str(value)
    secret = _SECRET.search(key) or keys.LIKE_A_SECRET.search(str(value))
    if isinstance(value, SecretStr) or secret or password or is_curve_key(str(value)):
        return MASK
    if isinstance(value, bool):
        return str(value).lower()  # as TOML writes it
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


class Settings(BaseSettings):
    """The effective configuration, frozen. Made by `load`, which knows the origin of each key."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    risk: keys.Risk
    portfolio: keys.Portfolio
    breaker: keys.Breaker
    strategy: keys.Strategy
    execution: keys.Execution
    venue: keys.Venue
    live: keys.Live
    feed: keys.Feed
    journal: keys.Journal
    host: keys.Host
    monitoring: keys.Monitoring
    markets: keys.Markets
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _of_market: dict[int, Settings] = PrivateAttr(default_factory=dict)

    def __init__(self, layers: Sequence[dict[str, Any]]) -> None:
        """Merge trees of text and integers, the last one on top."""
        super().__init__(layers=layers)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: Any, init_settings: Any, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        layers = init_settings.init_kwargs["layers"]
        return tuple(InitSettingsSource(settings_cls, tree) for tree in reversed(layers))

    @property
    def origins(self) -> dict[str, str]:
        """Where each key was set: a file, a variable or a flag."""
        return self._origins

    def of(self, market: int) -> Settings:
        """Return what holds for one market: these settings, under what it has of its own."""
        return self._of_market.get(market, self)

    def set_own(self, market: int, settings: Settings) -> None:
        """Let `settings` hold for `market`."""
        self._of_market[market] = settings

    def portfolio_limit(self, markets: list[int]) -> int:
        """Return portfolio.max_exposure_quote in quanta of the market with the most decimals."""
        scales = [self.market(market) for market in markets]
        decimals = max(scale.price_decimals + scale.size_decimals for scale in scales)
        return self.steps("portfolio.max_exposure_quote", decimals, PORTFOLIO_MAX)

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

    @property
    def strategy_name(self) -> str:
        """The strategy in force as reports name it: simple_spread, or inventory with its model."""
        name = self.strategy.name
        return f"{name} {self.strategy.inventory.model}" if name == "inventory" else name

    def lighter_pace(self) -> Integers:
        """Return the fields of the connection's Pace: times in ns, counts in a minute."""
        keys_of = "feed.lighter."
        return {
            "connect_ns": self.steps(keys_of + "connect_timeout_sec", 9),
            "ack_ns": self.steps(keys_of + "ack_timeout_sec", 9),
            "silence_ns": self.steps(keys_of + "silence_sec", 9),
            "quiet_ns": self.steps(keys_of + "quiet_ms", 6),
            "keepalive_ns": self.steps(keys_of + "keepalive_sec", 9),
            "backoff_first_ns": self.steps(keys_of + "backoff_first_ms", 6),
            "backoff_most_ns": self.steps(keys_of + "backoff_most_sec", 9),
            "connects_per_min": self.feed.lighter.connects_per_min,
            "messages_per_min": self.feed.lighter.messages_per_min,
        }

    def lighter_urls(self) -> tuple[str, str]:
        """Return the addresses of stream and REST interface, or refuse one set without the other.

        Another host's scale would be applied to the prices of this one.
        """
        stream, rest = (self.origins[f"feed.lighter.{name}"] for name in ("url", "rest_url"))
        if stream != rest and "default.toml" in (stream, rest):
            self.refuse("feed.lighter.rest_url", "want it and feed.lighter.url set together")
        return self.feed.lighter.url, self.feed.lighter.rest_url

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

    def strategy_params(self, market: int) -> dict[str, Any]:
        """Return bog_strategy_params_t by field; micro_q8 is a list of integers, the others are one.

        own_in_book says what holds for the plugs that the configuration names: the built-in market
        and the venue publish our orders, a recording and a paper venue on data do not.
        """
        m, limits = self.market(market), self.limits(market)
        own, s = f"strategy.{self.strategy.name}.", self.strategy.chosen
        money = m.price_decimals + m.size_decimals
        tier = f"venue.tiers.{self.execution.tier}."
        params = {
            "half_ppm": 0,
            "skew_ppm": 0,
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
            "quota_start": self.tier.volume_quota,
            "quota_quanta": self.steps(tier + "quota_per_quote", money),
            "quota_reserve": s.quota_reserve,
            "quota_free_ns": QUOTA_FREE_NS,
            "kind": _KINDS[self.strategy.name],
        } | self._model_params()
        if self.strategy.name == "simple_spread":
            # half of the spread: bps * 100 / 2
            params["half_ppm"] = self.steps(own + "spread_bps", 0, times=50)
            params["skew_ppm"] = self.steps(own + "skew_bps", 2)
        least, most = limits["min_order"], limits["max_order"]
        if not least <= params["order_qty"] <= most:
            low, high = units.text(least, m.size_decimals), units.text(most, m.size_decimals)
            self.refuse(
                own + "order_size", f"want from {low} to {high}, the smallest and largest order"
            )
        if params["max_pos"] > (high_lots := min(limits["max_long"], limits["max_short"])):
            high = units.text(high_lots, m.size_decimals)
            self.refuse(own + "max_inventory_base", f"want at most {high}, the position limit")
        if self.strategy.name == "inventory" and params["max_pos"] < params["order_qty"]:
            one = units.text(params["order_qty"], m.size_decimals)
            self.refuse(own + "max_inventory_base", f"want at least {one}, one order")
        if self.strategy.name == "inventory" and params["grid_orders"] > 1:
            # each one may rest, and be canceled at once
            for key, most in (
                ("risk.max_open_orders", limits["max_open_orders"] // 2),
                ("risk.rate_limit_burst", (limits["rate_burst"] - 1) // 2),
            ):
                if params["grid_orders"] > most:
                    why = f"want at most {max(most, 1)}: two sides within {key} and the tier"
                    self.refuse(own + "grid_orders", why)
        if 0 < params["quota_start"] <= params["quota_reserve"]:
            self.refuse(
                own + "quota_reserve", f"want less than {tier}volume_quota, {params['quota_start']}"
            )
        return params

    def _model_params(self) -> dict[str, Any]:
        """Return the fields of bog_strategy_params_t that only the inventory strategy reads."""
        own, s = "strategy.inventory.", self.strategy.inventory
        table = [int(cell) for cell in s.microprice.replace("/", " ").split()]
        return {
            "model": _NUMBERS[s.model],
            "grid_orders": s.grid_orders if s.model == "grid" else 1,
            "gamma_e9": self.steps(own + "gamma", 9),
            "tau_ns": self.steps(own + "tau_sec", 9),
            "arrivals_e6": self.steps(own + "arrivals", 6),
            "decay_e9": self.steps(own + "decay", 9),
            "calibrate": int(s.calibrate),
            "model_ns": self.steps(own + "model_interval_ms", 6),
            "volatility": _VOLATILITY[s.volatility],
            "volatility_shift": s.ewma_shift,
            "volatility_samples": s.volatility_samples,
            "warm_samples": s.warm_samples,
            # a shift of the fair price, which is no order's price: to 1/1000 of a tick, then Q16
            "imbalance_q16": round(self.steps(own + "imbalance_ticks", 3) * 65536 / 1000),
            "micro_q8": table or [0] * (keys.MICRO_ROWS * keys.MICRO_COLUMNS),
        }

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
