"""Accounts of the command line: `--account 1000`, their keys given or made, and the files of those."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from bog._core import schnorr
from bog.errors import UsageError
from bog.exchange.accounts import KEYS_FROM
from bog.exchange.tiers import TIERS

ORDER = 1067993516717146951041484916571792702745057740581727230159139685185762082554198619328292418486241
MADE = (4, 5, 6)  # for quoting, for taking, for the guardian


@dataclass
class Identity:
    """One account as it is asked for."""

    index: int
    tier: str = "premium"
    micro: int = 0
    keys: dict[int, bytes] = field(default_factory=dict)


def read_account(text: str, tier: str, micro: int) -> Identity:
    """Return the account of `INDEX`, `INDEX:TIER` or `INDEX:TIER:USDC`."""
    parts = text.split(":")
    if not parts[0].isascii() or not parts[0].isdigit() or len(parts) > 3:
        raise UsageError(f"--account {text!r}: want INDEX, INDEX:TIER or INDEX:TIER:USDC")
    index = int(parts[0])
    if not 1 <= index < (1 << 48) - 1:
        raise UsageError(f"--account {index} is not between 1 and 2**48 - 2")
    found = Identity(index, parts[1] if len(parts) > 1 else tier, micro)
    if found.tier not in TIERS:
        raise UsageError(f"--account tier {found.tier!r}: want one of {', '.join(TIERS)}")
    if len(parts) > 2:
        if not parts[2].isascii() or not parts[2].isdigit():
            raise UsageError(f"--account {text!r}: {parts[2]!r} is no whole number of USDC")
        found.micro = int(parts[2]) * 1_000_000
    return found


def read_key(text: str, accounts: list[Identity]) -> None:
    """Register the public key of `INDEX:HEX` or `ACCOUNT:INDEX:HEX` with its account."""
    parts = text.split(":")
    if len(parts) == 2:
        parts = [str(accounts[0].index), *parts]
    if len(parts) != 3 or not (parts[0].isdigit() and parts[1].isdigit()):
        raise UsageError(f"--key {text!r}: want INDEX:HEX or ACCOUNT:INDEX:HEX")
    owner = next((a for a in accounts if a.index == int(parts[0])), None)
    if owner is None:
        raise UsageError(f"--key {text!r}: there is no --account {parts[0]}")
    index = int(parts[1])
    if not KEYS_FROM <= index <= 254:
        raise UsageError(f"--key index {index} is not between {KEYS_FROM} and 254")
    try:
        public = bytes.fromhex(parts[2].removeprefix("0x"))
    except ValueError:
        public = b""
    if len(public) != 40:
        raise UsageError(f"--key {index}: a public key is 80 hex digits, not {len(parts[2])}")
    owner.keys[index] = public


def make_keys(accounts: list[Identity], directory: Path) -> list[Path]:
    """Give accounts without keys new ones; return the files of the private halves, 0600.

    A file that is there is read, so that an exchange that starts again knows its clients.
    """
    files = []
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for account in accounts:
        if account.keys:
            continue
        for index in MADE:
            path = directory / f"{account.index}-{index}.key"
            if not path.exists():
                secret = (secrets.randbelow(ORDER - 1) + 1).to_bytes(40, "little")
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as file:
                    file.write(secret.hex() + "\n")
            try:
                private = bytes.fromhex(path.read_text().strip().removeprefix("0x"))
                account.keys[index] = schnorr.public_key(private)
            except ValueError:
                raise UsageError(f"--keys: {path} holds no private key of 80 hex digits") from None
            files.append(path)
    return files
