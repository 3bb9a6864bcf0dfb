"""The keys of the configuration: their types and ranges. The values are in configs/default.toml.

No key has a value here, so that default.toml is the only place that says one. A number arrives as
text, integer or Decimal, never as a float, and is refused with its range when it does not fit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SecretStr,
)

from bog.credentials import CURVE_KEY, is_curve_key
from bog.lighter.address import is_loopback, rest_url, stream_url
from bog.units import parse, plain

MICRO_ROWS, MICRO_COLUMNS = 4, 5  # of the microprice table: BOG_MICRO_SPREADS, _BUCKETS
LIKE_A_SECRET = re.compile(r"[0-9a-fA-F]{40}")  # a private key of the venue is 80 such digits
MARKET_MAX = 999_999  # raw ids from 1,000,000 on would read as another exchange's


@dataclass(frozen=True)
class Range:
    """A validator: the number in the value, if in [low, high], or in (low, high] when `above`."""

    low: str
    high: str
    above: bool = False
    whole: bool = False

    def __call__(self, value: object) -> Decimal:
        if isinstance(value, float):
            raise ValueError("want text or a whole number, a binary float is not exact")
        try:
            number = parse(value)
        except ValueError:
            raise ValueError(self.wanted()) from None
        low = Decimal(self.low)
        outside = number < low or number > Decimal(self.high) or (self.above and number == low)
        if outside or (self.whole and number != number.to_integral_value()):
            raise ValueError(self.wanted())
        return number

    def wanted(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"want {kind} {'above' if self.above else 'from'} {self.low} to {self.high}"


@dataclass(frozen=True)
class Pattern:
    """A validator: the text, if all of it matches."""

    regex: str
    wanted: str

    def __call__(self, value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(self.regex, value, re.ASCII):
            raise ValueError(f"want {self.wanted}")
        return value


def _switch(value: object) -> bool:
    """Return the switch in the value: true or false, as a TOML boolean or as that word."""
    words = {"true": True, "false": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in words:
        return words[value]
    raise ValueError("want true or false")


def _source(value: str) -> str:
    named = value in ("sim", "huginn", "lighter")
    kind, _, path = value.partition(":")
    if named or (kind in ("replay", "loop") and path):
        return value
    raise ValueError("want sim, huginn, lighter, replay:FILE or loop:FILE")


def _speed(value: object) -> str:
    """Return "max", or the factor to real time in one spelling."""
    if value == "max":
        return "max"
    try:
        return plain(Range("0", "1000000", above=True)(value))
    except ValueError:
        raise ValueError("want max, or a number above 0 to 1000000") from None


def _microprice(value: object) -> str:
    """Return the table when it is empty or four rows of five whole numbers, in one spelling."""
    if value == "":
        return ""
    cells = [row.split() for row in value.split("/")] if isinstance(value, str) else []
    if [len(row) for row in cells] != [MICRO_COLUMNS] * MICRO_ROWS or not all(
        re.fullmatch(r"-?\d{1,6}", cell, re.ASCII) for row in cells for cell in row
    ):
        raise ValueError(
            f'want "", or {MICRO_ROWS} rows of {MICRO_COLUMNS} whole numbers with / between the rows'
        )
    return " / ".join(" ".join(str(int(cell)) for cell in row) for row in cells)


def webhook(value: SecretStr) -> SecretStr:
    """Return the URL when it is empty, https, or http to this host; never say what it was."""
    url = value.get_secret_value()
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        good = (
            not url
            or (parts.scheme == "https" and host)
            or (parts.scheme == "http" and is_loopback(host))
        )
    except ValueError:
        good = False
    if not good or not url.isprintable():
        raise ValueError('want "", or a URL with https://')
    return value


def _open_url(value: str) -> str:
    """Return an address that is no secret, under the same rules, but for none."""
    if not value:
        raise ValueError("want a URL with https://")
    return webhook(SecretStr(value)).get_secret_value()


def _credential(value: object) -> str:
    """Return the name or the path of a credential; refuse what looks like the secret itself."""
    wanted = 'want "", the name of a systemd credential, or the path of a file of mode 0600'
    if not isinstance(value, str) or not re.fullmatch(r"[^\x00-\x1f\x7f]{0,4096}", value):
        raise ValueError(wanted)
    if LIKE_A_SECRET.search(value):
        raise ValueError(f"{wanted}; never the secret itself, which is to be replaced now")
    if "/" not in value and not re.fullmatch(r"[A-Za-z0-9_.-]*", value, re.ASCII):
        raise ValueError(wanted)
    return value


def _curve_credential(value: object) -> str:
    """Return the name or the path of a bus key; refuse what looks like the key itself."""
    if isinstance(value, str) and is_curve_key(value):
        raise ValueError("want the path of the file with the key; never the key itself")
    return _credential(value)


def _curve_keys(value: object) -> str:
    """Return public keys in one spelling: a blank between two."""
    keys = value.split() if isinstance(value, str) else [""]
    if not all(CURVE_KEY.fullmatch(key) for key in keys):
        raise ValueError('want "", or public keys of 40 characters with blanks between them')
    return " ".join(keys)


def _bus(value: object) -> str:
    """Return where telemetry is published: "", "ipc", or tcp:// with an address in its one spelling."""
    wanted = 'want "", "ipc", or tcp://ADDRESS:PORT such as tcp://127.0.0.1:9101'
    if value in ("", "ipc"):
        return str(value)
    found = re.fullmatch(
        r"tcp://(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})",
        value if isinstance(value, str) else "",
        re.ASCII,
    )
    if not found or not 0 < int(found[3]) <= 65535:
        raise ValueError(wanted)
    try:
        host = ip_address(found[1] or found[2])
    except ValueError:
        raise ValueError(wanted) from None
    return f"tcp://{f'[{host}]' if host.version == 6 else host}:{int(found[3])}"


def _address(value: object) -> str:
    """Return the number of a host in its one spelling: names would have to be looked up."""
    try:
        return str(ip_address(value if isinstance(value, str) else ""))
    except ValueError:
        raise ValueError("want an IP address, such as 127.0.0.1 or ::1") from None


def _market_id(value: str) -> str:
    if not (
        value.isascii()
        and value.isdigit()
        and str(int(value)) == value
        and int(value) <= MARKET_MAX
    ):
        raise ValueError(f"want a market id from 0 to {MARKET_MAX}")
    return value


Base = Annotated[Decimal, BeforeValidator(Range("0", "1000000000", above=True))]
Quote = Annotated[Decimal, BeforeValidator(Range("0", "1000000000000", above=True))]
Price = Annotated[Decimal, BeforeValidator(Range("0", "1000000000", above=True))]
Fraction = Annotated[Decimal, BeforeValidator(Range("0", "1", above=True))]
Bps = Annotated[Decimal, BeforeValidator(Range("0", "5000"))]
SpreadBps = Annotated[Decimal, BeforeValidator(Range("0", "5000", above=True))]
Ms = Annotated[Decimal, BeforeValidator(Range("0", "60000"))]
StaleMs = Annotated[Decimal, BeforeValidator(Range("1", "60000"))]
Sec = Annotated[
    Decimal, BeforeValidator(Range("0", "2419200"))
]  # the venue keeps no order for longer
PeriodSec = Annotated[Decimal, BeforeValidator(Range("0", "3600", above=True))]
PatienceSec = Annotated[Decimal, BeforeValidator(Range("0.1", "120"))]
QuietMs = Annotated[Decimal, BeforeValidator(Range("50", "60000"))]
Connects = Annotated[int, BeforeValidator(Range("1", "80", whole=True))]  # the venue's limit
Messages = Annotated[int, BeforeValidator(Range("60", "200", whole=True))]  # the venue's limit
MessageKb = Annotated[int, BeforeValidator(Range("64", "65536", whole=True))]
Leverage = Annotated[Decimal, BeforeValidator(Range("0", "100", above=True))]
Orders = Annotated[
    int, BeforeValidator(Range("2", "30", whole=True))
]  # BOG_ORDERS_CAP leaves two spare
VenueOrders = Annotated[int, BeforeValidator(Range("1", "100000", whole=True))]
PerSec = Annotated[int, BeforeValidator(Range("1", "100000", whole=True))]
PerMin = Annotated[int, BeforeValidator(Range("60", "6000000", whole=True))]
Reserve = Annotated[int, BeforeValidator(Range("0", "100000", whole=True))]
Repeats = Annotated[
    int, BeforeValidator(Range("1", "255", whole=True))
]  # BOG_REPEATS keeps one more
Ticks = Annotated[int, BeforeValidator(Range("0", "1000000000", whole=True))]
Fee = Annotated[int, BeforeValidator(Range("-1000", "100000", whole=True))]
Port = Annotated[int, BeforeValidator(Range("0", "65535", whole=True))]
Address = Annotated[str, BeforeValidator(_address)]
Decimals = Annotated[int, BeforeValidator(Range("0", "12", whole=True))]
Seed = Annotated[int, BeforeValidator(Range("0", str(2**64 - 1), whole=True))]
Ns = Annotated[int, BeforeValidator(Range("1", "60000000000", whole=True))]
Count = Annotated[int, BeforeValidator(Range("1", "1000000", whole=True))]
Gamma = Annotated[Decimal, BeforeValidator(Range("0", "1000", above=True))]
TauSec = Annotated[Decimal, BeforeValidator(Range("0", "86400", above=True))]
Arrivals = Annotated[Decimal, BeforeValidator(Range("0", "1000", above=True))]
Decay = Annotated[Decimal, BeforeValidator(Range("0", "100", above=True))]
ModelMs = Annotated[Decimal, BeforeValidator(Range("100", "60000"))]
Shift = Annotated[int, BeforeValidator(Range("4", "12", whole=True))]
GridOrders = Annotated[int, BeforeValidator(Range("1", "8", whole=True))]  # BOG_GRID_ORDERS
Samples = Annotated[int, BeforeValidator(Range("1", "1024", whole=True))]
WarmSamples = Annotated[int, BeforeValidator(Range("1", "36000", whole=True))]
SignedTicks = Annotated[Decimal, BeforeValidator(Range("-1000000", "1000000"))]
Quota = Annotated[int, BeforeValidator(Range("0", "5000000", whole=True))]
RotateMb = Annotated[int, BeforeValidator(Range("1", "4096", whole=True))]
AccountIndex = Annotated[int, BeforeValidator(Range("-1", str(2**48 - 2), whole=True))]
ChainId = Annotated[int, BeforeValidator(Range("1", str(2**32 - 1), whole=True))]
KeyIndex = Annotated[int, BeforeValidator(Range("2", "254", whole=True))]
TxSec = Annotated[int, BeforeValidator(Range("5", "600", whole=True))]
DeadManSec = Annotated[int, BeforeValidator(Range("310", "86400", whole=True))]
SignedQuote = Annotated[int, BeforeValidator(Range("1", "1000000000000", whole=True))]
SkewMs = Annotated[int, BeforeValidator(Range("100", "10000", whole=True))]
SilentMs = Annotated[int, BeforeValidator(Range("100", "60000", whole=True))]
PollUs = Annotated[int, BeforeValidator(Range("0", "1000", whole=True))]
Reads = Annotated[int, BeforeValidator(Range("0", "10000000", whole=True))]
Credential = Annotated[str, BeforeValidator(_credential)]
CurveCredential = Annotated[str, BeforeValidator(_curve_credential)]
CurveKeys = Annotated[str, BeforeValidator(_curve_keys)]
BusEndpoint = Annotated[str, BeforeValidator(_bus)]
Module = Annotated[
    str, BeforeValidator(Pattern(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*", "the name of a module"))
]
Switch = Annotated[bool, BeforeValidator(_switch)]
Text = Annotated[str, BeforeValidator(Pattern(r"[^\x00-\x1f\x7f]{1,4096}", "text on one line"))]
FreeText = Annotated[
    str, BeforeValidator(Pattern(r"[^\x00-\x1f\x7f]{0,4096}", "text on one line, or nothing"))
]
Date = Annotated[str, BeforeValidator(Pattern(r"\d{4}-\d{2}-\d{2}", "a date such as 2026-09-26"))]
Symbol = Annotated[str, BeforeValidator(Pattern(r"[A-Za-z0-9/_.-]{1,24}", "a symbol such as BTC"))]


class Section(BaseModel):
    """A table of keys: an unknown one is an error, and nothing changes after the start."""

    # built once, as a part of Settings
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Risk(Section):
    """[risk]"""

    max_position: Base
    max_short: Base
    max_order_size: Base
    min_order_size: Base
    max_daily_loss: Quote
    max_drawdown: Fraction
    drawdown_min_peak: Quote
    max_open_orders: Orders
    rate_limit_preset: Literal["conservative", "standard", "aggressive", "custom"]
    rate_limit_orders_per_sec: PerSec
    rate_limit_burst: PerSec
    rate_limit_reserve: Reserve
    collar: Fraction
    max_notional: Quote
    max_exposure_quote: Quote
    min_price: Price
    max_price: Price
    balance: Quote
    max_leverage: Leverage
    stale_after_ms: StaleMs


class Breaker(Section):
    """[breaker]"""

    max_spread_bps: SpreadBps
    max_move: Fraction
    violations: Repeats
    max_fills: Repeats
    fills_window_sec: PeriodSec
    max_rejects: Repeats
    rejects_window_sec: PeriodSec
    max_feed_delay_ms: StaleMs
    warm_up_books: Repeats
    warm_up_ms: Ms


class Quoting(Section):
    """The keys that every strategy has in its table."""

    order_size: Base
    min_spread_bps: Bps
    max_spread_bps: SpreadBps
    min_valid_price: Price
    max_valid_price: Price
    min_size_threshold: Base
    max_inventory_base: Base
    edge_bps: Bps
    requote_ticks: Ticks
    resize_fraction: Fraction
    min_interval_ms: Ms
    order_life_sec: Sec
    expiry_margin_sec: Sec
    quota_reserve: Quota


class SimpleSpread(Quoting):
    """[strategy.simple_spread]"""

    spread_bps: SpreadBps
    skew_bps: Bps


class Inventory(Quoting):
    """[strategy.inventory]"""

    model: Literal["as_infinite", "as_tau", "glft", "grid"]
    grid_orders: GridOrders
    gamma: Gamma
    tau_sec: TauSec
    arrivals: Arrivals
    decay: Decay
    calibrate: Switch
    model_interval_ms: ModelMs
    volatility: Literal["ewma", "realized", "parkinson"]
    ewma_shift: Shift
    volatility_samples: Samples
    warm_samples: WarmSamples
    imbalance_ticks: SignedTicks
    microprice: Annotated[str, BeforeValidator(_microprice)]


class Strategy(Section):
    """[strategy]"""

    name: Literal["simple_spread", "inventory"]
    simple_spread: SimpleSpread
    inventory: Inventory

    @property
    def chosen(self) -> Quoting:
        """The table of the strategy in force."""
        return self.inventory if self.name == "inventory" else self.simple_spread


class Execution(Section):
    """[execution]"""

    mode: Annotated[
        Literal["paper", "live"], BeforeValidator(lambda v: "paper" if v == "simulated" else v)
    ]
    dry_run: Switch
    tier: Text


class Tier(Section):
    """[venue.tiers.NAME]: how the venue treats one kind of account."""

    as_of: Date
    maker_fee_ppm: Fee
    taker_fee_ppm: Fee
    maker_delay_ms: Ms
    cancel_amend_delay_ms: Ms
    taker_delay_ms: Ms
    requests_per_min: PerMin
    reads_per_min: Reads
    max_open_orders: VenueOrders
    volume_quota: Quota
    quota_per_quote: Quote


class Venue(Section):
    """[venue]"""

    net_latency_ms: Ms
    response_latency_ms: Ms
    reconcile_window_ms: Ms
    queue_model: Literal["risk", "linear", "square", "front"]
    through_full: Switch
    shrink_keeps_place: Switch
    tiers: dict[str, Tier]


class Live(Section):
    """[live]"""

    account_index: AccountIndex
    chain_id: ChainId
    rest_url: Annotated[Text, AfterValidator(rest_url)]
    ws_url: Annotated[Text, AfterValidator(stream_url)]
    quoting_credential: Credential
    quoting_index: KeyIndex
    taking_credential: Credential
    taking_index: KeyIndex
    guardian_credential: Credential
    guardian_index: KeyIndex
    gateway: Module
    daily_signed_quote: SignedQuote
    clock_skew_ms: SkewMs
    engine_silent_ms: SilentMs
    poll_us: PollUs
    max_decision_age_ms: StaleMs
    tx_expiry_sec: TxSec
    dead_man_sec: DeadManSec
    arm_directory: Text


class Lighter(Section):
    """[feed.lighter]: the venue's public stream and what it says about its markets."""

    url: Annotated[Text, AfterValidator(stream_url)]
    rest_url: Annotated[Text, AfterValidator(rest_url)]
    connect_timeout_sec: PatienceSec
    ack_timeout_sec: PatienceSec
    silence_sec: PatienceSec
    quiet_ms: QuietMs
    keepalive_sec: PatienceSec
    backoff_first_ms: QuietMs
    backoff_most_sec: PatienceSec
    connects_per_min: Connects
    messages_per_min: Messages
    message_max_kb: MessageKb
    metadata_interval_sec: PeriodSec
    metadata_timeout_sec: PatienceSec
    metadata_directory: Text


class Feed(Section):
    """[feed]"""

    source: Annotated[Text, AfterValidator(_source)]
    preset: Literal["quiet", "active", "toxic"]
    seed: Seed
    speed: Annotated[str, BeforeValidator(_speed)]
    directory: Text
    lighter: Lighter


class Journal(Section):
    """[journal]"""

    directory: Text
    rotate_mb: RotateMb


class Host(Section):
    """[host]"""

    awake: Switch
    strict: Switch


class Alerts(Section):
    """[monitoring.alerts]"""

    spread_threshold_bps: SpreadBps
    spread_warning_bps: SpreadBps
    latency_threshold_ns: Ns
    huginn_disconnect_threshold_sec: PeriodSec
    guardian_silent_threshold_sec: PeriodSec
    daily_loss_alert_threshold: Quote
    fill_rate_expected: Fraction
    fill_rate_threshold: Fraction
    rate_limit_rejections_threshold: Fraction


class Bus(Section):
    """[monitoring.bus]: telemetry for other programs."""

    endpoint: BusEndpoint
    server_credential: CurveCredential
    clients: CurveKeys


class Monitoring(Section):
    """[monitoring]"""

    prometheus_port: Port
    prometheus_host: Address
    prometheus_required: Switch
    metrics_interval_sec: PeriodSec
    log_file: FreeText
    log_level: Literal["debug", "info", "warning", "error"]
    log_rotation_mb: Count
    log_retention_files: Count
    alert_webhook_url: Annotated[SecretStr, AfterValidator(webhook)]
    alert_file: Text
    slack_credential: Credential
    pagerduty_credential: Credential
    pagerduty_url: Annotated[Text, AfterValidator(_open_url)]
    alerts: Alerts
    bus: Bus


class Portfolio(Section):
    """[portfolio]"""

    max_exposure_quote: Quote


class Market(Section):
    """[markets.ID]: scale and smallest order of one market, and what it has of its own.

    `risk`, `strategy` and `feed` hold keys of those tables that differ for this market alone; they
    are checked in their place, over the general ones.
    """

    symbol: Symbol
    price_decimals: Decimals
    size_decimals: Decimals
    min_base_amount: Base
    min_quote_amount: Quote
    risk: dict[str, Any] = {}
    strategy: dict[str, Any] = {}
    feed: dict[str, Any] = {}


Markets = dict[Annotated[str, AfterValidator(_market_id)], Market]
