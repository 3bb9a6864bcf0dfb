"""Arming: what a person agrees to before live trading, and the single-use token that says so.

bog-arm shows the Facts and writes a token of them; bog-live takes it, unlinks it, and compares every
fact with its own. A token is for one start within ten minutes, on this host and by this user. It
holds no secret: whoever can read it learns what bog-arm has shown.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
from pathlib import Path
from typing import Any

from bog import config, credentials, keys, units
from bog.errors import ConfigError
from bog.settings import Settings

VERSION = 1
LIFE_SEC = 600
TOKEN_BYTES = 65536  # a longer file is no token
NETWORKS = {304: "mainnet", 300: "testnet"}

Facts = dict[str, str]  # what is agreed to, by name, in the order in which it is shown
Adopted = dict[int, list[int]]  # by market: the journal's position, the venue's, and its cost


def facts_of(settings: Settings, markets: list[int], build: str) -> Facts:
    """Return all that a live start depends on and a person can judge."""
    live, tier = settings.live, settings.tier
    facts = {
        "account": str(live.account_index),
        "chain": f"{live.chain_id} ({NETWORKS.get(live.chain_id, 'not of Lighter')})",
        "rest_url": live.rest_url,
        "ws_url": live.ws_url,
        "sends": "nothing (dry run)" if settings.execution.dry_run else "orders",
        "gateway": live.gateway,
        "host": os.uname().nodename,
        "markets": ", ".join(f"{m} {settings.market(m).symbol}" for m in markets),
        "strategy": settings.strategy_name,
        "tier": f"{settings.execution.tier} of {tier.as_of}",
        "maker_fee_ppm": str(tier.maker_fee_ppm),
        "taker_fee_ppm": str(tier.taker_fee_ppm),
        "requests_per_min": str(tier.requests_per_min),
        "portfolio.max_exposure_quote": units.plain(settings.portfolio.max_exposure_quote),
    }
    for market in markets:
        risk = settings.of(market).risk
        for name in keys.Risk.model_fields:
            value = getattr(risk, name)
            text = value if isinstance(value, str) else units.plain(value)
            facts[f"market {market} risk.{name}"] = text
    for name in ("quoting", "taking", "guardian"):
        value = getattr(live, f"{name}_credential")
        where = kept(f"live.{name}_credential", value) if value else "none"
        facts[f"{name} key"] = (
            f"index {getattr(live, f'{name}_index')}, {where}" if value else where
        )
    facts["daily_signed_quote"] = str(live.daily_signed_quote)
    facts["max_decision_age_ms"] = units.plain(live.max_decision_age_ms)
    facts["tx_expiry_sec"], facts["dead_man_sec"] = str(live.tx_expiry_sec), str(live.dead_man_sec)
    facts["journal"] = str(Path(settings.journal.directory).absolute())
    facts["build"] = build
    for market in markets:
        facts[f"market {market} configuration"] = config.config_hash(settings.of(market))
    return facts


def kept(key: str, value: str) -> str:
    """Return where a key is kept: its path, or the name by which systemd hands it over.

    bog-arm and bog-live are units of their own, and each has its own directory of credentials.
    """
    path = credentials.find(key, value)
    return path if "/" in value else f"systemd credential {value}"


def adopts_of(settings: Settings, adopted: Adopted) -> Facts:
    """Return what is said of positions for which the venue's word is taken."""
    facts = {}
    for number, (ours, theirs, cost) in adopted.items():
        market = settings.market(number)
        before, after = (units.text(lots, market.size_decimals) for lots in (ours, theirs))
        money = units.text(cost, market.price_decimals + market.size_decimals)
        facts[f"market {number} adopts"] = (
            f"position {after} that cost {money}, in place of {before}"
        )
    return facts


def digest(facts: Facts, adopted: Adopted) -> str:
    """Return the digest that binds a token to all that was agreed to, names and order included."""
    text = json.dumps(
        [VERSION, list(facts.items()), list(adopted.items())], ensure_ascii=True,
        separators=(",", ":"),
    )  # fmt: skip
    return hashlib.sha256(text.encode()).hexdigest()


def write(directory: str, facts: Facts, now_ns: int, adopted: Adopted | None = None) -> str:
    """Write a token (0600, a new file) and return its path."""
    folder = Path(directory)
    token = {
        "version": VERSION,
        "made_ns": now_ns,
        "until_ns": now_ns + LIFE_SEC * 10**9,
        "facts": facts,
        "adopted": [[market, *held] for market, held in (adopted or {}).items()],
        "digest": digest(facts, adopted or {}),
    }
    path = folder / f"{facts['account']}-{secrets.token_hex(8)}.token"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise ConfigError(f"live.arm_directory: others may write to {folder}: want mode 700")
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            json.dump(token, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(f"live.arm_directory: {path}: {error.strerror}") from None
    return str(path)


def take(path: str) -> dict[str, Any]:
    """Unlink a token and return what it says: of two starts with one token, one gets it.

    It is gone before it is read as anything, whatever follows. ConfigError when there is none, or
    when it is not a private file of ours.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                raise ConfigError(f"--arm {path}: not a regular file of one name")
            if found.st_uid != os.geteuid():
                raise ConfigError(
                    f"--arm {path}: belongs to uid {found.st_uid}, want {os.geteuid()}"
                )
            if stat.S_IMODE(found.st_mode) != 0o600:
                mode = stat.S_IMODE(found.st_mode)
                raise ConfigError(f"--arm {path}: has mode {mode:03o}, want 600")
            Path(path).unlink()
            if os.fstat(file.fileno()).st_nlink != 0:
                raise ConfigError(
                    f"--arm {path}: was replaced while it was read: run bog-arm again"
                )
            text = file.read(TOKEN_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"--arm {path}: {error.strerror}; a token is good for one start, bog-arm makes a new one"
        ) from None
    try:
        token = json.loads(text) if len(text) <= TOKEN_BYTES else None
    except ValueError:
        token = None
    if not isinstance(token, dict) or token.get("version") != VERSION:
        raise ConfigError(f"--arm {path}: not a token of version {VERSION}")
    return token


def adopted_in(token: dict[str, Any]) -> Adopted:
    """Return the positions for which a token takes the venue's word; a wrong form is none of them."""
    rows = token.get("adopted")
    if not isinstance(rows, list) or not all(
        isinstance(row, list) and len(row) == 4 and all(type(n) is int for n in row) for row in rows
    ):
        return {}
    return {market: held for market, *held in rows}


def check(path: str, token: dict[str, Any], facts: Facts, now_ns: int) -> None:
    """Refuse a token that is not of these facts, or not of the last ten minutes."""
    made, until, agreed = token.get("made_ns"), token.get("until_ns"), token.get("facts")
    if not isinstance(made, int) or not isinstance(until, int) or not isinstance(agreed, dict):
        raise ConfigError(f"--arm {path}: not a token of version {VERSION}")
    if not made <= now_ns < until or until - made > LIFE_SEC * 10**9:
        age = (now_ns - made) / 1e9
        raise ConfigError(
            f"--arm {path}: made {age:.0f} s ago, want 0 to {LIFE_SEC}: run bog-arm again"
        )
    for name, value in facts.items():
        if agreed.get(name) != value:
            raise ConfigError(
                f"--arm {path}: {name} is {value!r} now and was {agreed.get(name)!r} when bog-arm"
                " asked: run bog-arm again"
            )
    if token.get("digest") != digest(facts, adopted_in(token)):
        more = ", ".join(sorted(set(agreed) - set(facts))) or "their order"
        raise ConfigError(
            f"--arm {path}: its digest is not of these facts ({more}): run bog-arm again"
        )


def consume(path: str, settings: Settings, markets: list[int], build: str, now_ns: int) -> Adopted:
    """Take a token and check it against this start; return the positions that it adopts."""
    token = take(path)
    check(path, token, facts_of(settings, markets, build), now_ns)
    return adopted_in(token)
