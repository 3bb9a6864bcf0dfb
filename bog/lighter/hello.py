"""What the gateway is told, and what it asks the venue before anything else: are we who we think?

The clock, the key's public half, the market's scale and state, the account's tier. A definite
mismatch ends the start in one line; a venue that does not answer is asked again.
"""

from __future__ import annotations

from typing import TypedDict

import msgspec

from bog.errors import ConfigError
from bog.lighter import codec, metadata
from bog.lighter.calls import Caller
from bog.lighter.rest import RestError
from bog.lighter.rows import RowError, Scale
from bog.recovery import Resting


class MarketSpec(TypedDict):
    """One market: its link, the bounds of what may be signed for it, and what the engine holds."""

    market: int  # as the venue counts
    link: str  # path of the object in shared memory
    price_decimals: int
    size_decimals: int
    max_order: int  # lots
    min_px: int  # ticks
    max_px: int
    position: int  # lots; the venue has to say the same before anything is quoted
    trade: int  # low 32 bits of the newest trade that the engine has booked; 0: none
    funded: int  # Unix second of the newest funding payment that it has booked; 0: none
    first: int  # id of this run's first order: one below it that nobody knows is of a run before
    orders: list[Resting]  # each is unknown until the venue says what became of it


class KeySpec(TypedDict):
    """A key: its number, and the file that holds its private half."""

    index: int
    path: str


class GatewaySpec(TypedDict):
    """All that a gateway process is told. No secret is in it."""

    url: str  # of the stream
    rest: str
    chain: int
    account: int
    markets: list[MarketSpec]
    trade: KeySpec
    guard: KeySpec
    daily_notional: int  # quanta that may be signed in a UTC day
    sends_per_min: int
    reads_per_min: int
    shared_bucket: bool
    quota: int  # -1: the tier has none
    quota_reserve: int
    post_only: bool
    age_ms: int  # a create or an amend decided longer ago is not sent
    expired_ms: int
    skew_ms: int
    silent_ms: int  # an engine without a beat for so long is dead to us
    switch_ms: int  # the venue's timer is set so far ahead; 0: it is not used
    signed: str  # file of what the trading key signs; the guardian's stands beside it
    dry_run: bool
    takes_over: bool  # from a gateway before it, whose orders may rest
    compare_only: bool  # ask what is true, say it, and end: nothing is sent
    nap_us: int  # between two looks at the commands; 0: none
    parent: int  # process that must live: without it the gateway cancels and ends
    build: int  # of bog-live


def spec_of(text: bytes) -> GatewaySpec:
    """Return the spec in `text`, JSON; ConfigError names the field that is wrong or missing."""
    try:
        return msgspec.json.decode(text, type=GatewaySpec)
    except msgspec.DecodeError as error:
        raise ConfigError(f"the gateway's spec: {error}") from None


async def ask(caller: Caller, path: str, token: str = "") -> bytes:
    """Return the body of a 200, or raise RestError with the venue's own words."""
    status, body = await caller.get(path, token)
    if status == 200:
        return body
    said = ""
    if body[:1] == b"{":
        answer = codec.body(body, codec.Answer)
        said = f", code {answer.code} {answer.message[:80]!r}"
    raise RestError(f"GET {path.partition('?')[0]} answered {status}{said}")


def clock_offset_ms(said_s: int, before_ms: int, after_ms: int) -> int:
    """Return by how much the venue's clock is ahead of ours at least, ms; 0 when it may be right.

    It says whole seconds, somewhere between our question and the answer.
    """
    low, high = said_s * 1000 - after_ms, said_s * 1000 + 999 - before_ms
    return low if low > 0 else high if high < 0 else 0


async def check_key(caller: Caller, account: int, key: KeySpec, public: bytes) -> None:
    """Raise ConfigError when the venue knows another key under this number."""
    path = f"/api/v1/apikeys?account_index={account}&api_key_index={key['index']}"
    found = codec.body(await ask(caller, path), codec.Keys).api_keys or []
    there = {row.api_key_index: row.public_key.removeprefix("0x").lower() for row in found}
    if there.get(key["index"]) != public.hex():
        raise ConfigError(
            f"key {key['index']} of account {account} is another at the venue than that of "
            f"{key['path']}: want the private half of the registered one"
        )


async def check_market(caller: Caller, market: MarketSpec) -> None:
    """Raise ConfigError when the venue counts prices or sizes otherwise, or does not trade."""
    number = market["market"]
    body = await ask(caller, f"/api/v1/orderBookDetails?market_id={number}")
    details = metadata.parse(body, number)
    for name in ("price_decimals", "size_decimals"):
        ours, theirs = market[name], getattr(details, name)
        if ours != theirs:
            raise ConfigError(f"market {number}: {name} is {theirs} at the venue, ours is {ours}")
    if details.halted:
        raise ConfigError(f"market {number} does not trade: {details.halted}")


async def limits_of(caller: Caller, account: int, token: str) -> codec.Limits:
    """Return tier and fees of the account: the check of the token as well."""
    path = f"/api/v1/accountLimits?account_index={account}"
    return codec.body(await ask(caller, path, token), codec.Limits)


async def account_of(caller: Caller, account: int) -> codec.AccountRow:
    """Return the account's own row."""
    path = f"/api/v1/account?by=index&value={account}"
    for row in codec.body(await ask(caller, path), codec.Accounts).accounts or []:
        if row.index == account:
            return row
    raise RowError(f"the venue has no account {account}")


def scale_of(market: MarketSpec) -> Scale:
    return Scale(market["market"], market["price_decimals"], market["size_decimals"])
