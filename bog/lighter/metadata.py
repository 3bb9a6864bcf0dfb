"""What the venue says about a market: its scale, its smallest order, whether it trades.

Read from `orderBookDetails`, kept in a file, and compared: with that file, with the configuration,
and with every later answer. A difference is never taken over silently, because each price and size
would then mean something else.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from bog.errors import ConfigError, one_line
from bog.keys import Market
from bog.lighter import rest
from bog.lighter.rest import RestError

MOST_BYTES = 1 << 20  # one market is about 2 kB
DECIMALS_MOST = 12
ACTIVE = "active"


class _Config(msgspec.Struct):
    force_reduce_only: bool = False


class _Row(msgspec.Struct):
    """The fields of a row that count here; the venue adds others every month."""

    market_id: int
    symbol: str
    status: str
    supported_price_decimals: int
    supported_size_decimals: int
    min_base_amount: str
    min_quote_amount: str
    is_frozen: bool = False
    market_config: _Config | None = None


class _Answer(msgspec.Struct):
    code: int
    message: str = ""
    order_book_details: list[_Row] | None = None
    spot_order_book_details: list[_Row] | None = None


class Details(msgspec.Struct, frozen=True):
    """One market as the venue describes it. Amounts are exact decimals, kept as its text."""

    market: int
    symbol: str
    price_decimals: int  # one tick is 10**-this
    size_decimals: int  # one lot is 10**-this
    min_base_amount: str
    min_quote_amount: str
    status: str
    halted: str = ""  # why it does not trade, "" while it does


# a change of one of these changes what a number means, or which orders the venue takes
SCALE = ("symbol", "price_decimals", "size_decimals", "min_base_amount", "min_quote_amount")


@dataclass(frozen=True)
class Source:
    """Where metadata comes from, and where it is kept."""

    base: str  # of the REST interface
    folder: Path
    timeout_s: float


def amount(text: str) -> Decimal:
    """Return an amount of the venue, exactly, or raise ValueError."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not number.is_finite() or not 0 <= number < 10**15:
        raise ValueError(f"{text!r} is out of range")
    return number


def parse(body: bytes, market: int) -> Details:
    """Return the market's row of an answer, or raise RestError with what is wrong in it."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RestError(f"orderBookDetails cannot be read: {one_line(str(error))[:200]}") from None
    if answer.code != 200:
        said = one_line(answer.message)[:120]
        raise RestError(f"orderBookDetails answered code {answer.code}, want 200: {said}")
    rows = [*(answer.order_book_details or []), *(answer.spot_order_book_details or [])]
    found = [row for row in rows if row.market_id == market]
    if len(found) != 1:
        raise RestError(f"orderBookDetails has {len(found)} rows of market {market}, want 1")
    (row,) = found
    for name in ("supported_price_decimals", "supported_size_decimals"):
        if not 0 <= getattr(row, name) <= DECIMALS_MOST:
            raise RestError(
                f"market {market}: {name} is {getattr(row, name)}, want 0 to {DECIMALS_MOST}"
            )
    for name in ("min_base_amount", "min_quote_amount"):
        try:
            amount(getattr(row, name))
        except ValueError as error:
            raise RestError(f"market {market}: {name} {one_line(str(error))[:80]}") from None
    halted = ""
    if row.status != ACTIVE:
        halted = f"its status is {one_line(row.status)[:40]!r}, want {ACTIVE!r}"
    elif row.is_frozen:
        halted = "it is frozen"
    elif row.market_config is not None and row.market_config.force_reduce_only:
        halted = "it takes only orders that reduce a position"
    return Details(
        market, row.symbol, row.supported_price_decimals, row.supported_size_decimals,
        row.min_base_amount, row.min_quote_amount, row.status, halted,
    )  # fmt: skip


async def fetch(source: Source, market: int) -> Details:
    """Return what the venue says now, or raise RestError."""
    path = f"/api/v1/orderBookDetails?market_id={market}"
    body = await rest.get(source.base, path, most_bytes=MOST_BYTES, timeout_s=source.timeout_s)
    return parse(body, market)


def difference(new: Details, old: Details) -> str:
    """Return the first thing that changed between two answers in words, "" when nothing did.

    Amounts are compared as numbers: "10" and "10.000000" are one.
    """
    for name in SCALE:
        now, before = getattr(new, name), getattr(old, name)
        same = amount(now) == amount(before) if name.endswith("amount") else now == before
        if not same:
            return f"{name} is {now}, was {before}"
    return ""


def against_config(details: Details, known: Market) -> str:
    """Return in words what the configuration has wrong about a market, "" when it may be traded."""
    where = f"markets.{details.market}"
    for name in ("symbol", "price_decimals", "size_decimals"):
        ours, theirs = getattr(known, name), getattr(details, name)
        if ours != theirs:
            return f"{where}.{name} = {ours}, but the venue says {theirs}"
    for name in ("min_base_amount", "min_quote_amount"):
        least = amount(getattr(details, name))
        if getattr(known, name) < least:
            return (
                f"{where}.{name} = {getattr(known, name)}, but the venue takes no less than {least}"
            )
    return ""


# the file


def cache_path(source: Source, market: int) -> Path:
    """Return the file of a market; each host has its own, as their scales differ."""
    host = "".join(c if c.isalnum() or c in ".-" else "_" for c in urlsplit(source.base).netloc)
    return source.folder / f"{host}-{market}.json"


def load(source: Source, market: int) -> Details | None:
    """Return what was kept of a market, None when nothing was; ConfigError when it is unreadable."""
    path = cache_path(source, market)
    try:
        with path.open("rb") as file:
            kept = msgspec.json.decode(file.read(CACHE_MOST), type=Details)
        amount(kept.min_base_amount), amount(kept.min_quote_amount)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise ConfigError(f"{path} is damaged ({error}): remove it if nobody edited it") from None
    if kept.market != market:
        raise ConfigError(f"{path} is about market {kept.market}, want {market}: remove it")
    return kept


def store(source: Source, details: Details) -> None:
    """Keep what the venue says of a market: a new file, for its owner alone, all or nothing."""
    path = cache_path(source, details.market)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        source.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(details)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise ConfigError(f"{path}: {error.strerror}") from None


CACHE_MOST = 65_536


def accept(source: Source, details: Details, known: Market | None) -> None:
    """Compare what the venue says with what was kept and configured, and keep it.

    Raises ConfigError, in one line, when anything differs: a scale is never changed silently.
    """
    kept = load(source, details.market)
    changed = difference(details, kept) if kept is not None else ""
    if changed:
        raise ConfigError(
            f"market {details.market}: the venue changed it: {changed}; "
            f"look, then remove {cache_path(source, details.market)} to accept it"
        )
    wrong = against_config(details, known) if known is not None else ""
    if wrong:
        raise ConfigError(f"{wrong}: correct the configuration")
    if kept is None:
        store(source, details)
