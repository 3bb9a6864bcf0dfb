"""A transaction as it arrives: its fields, their ranges, its hash, its signature; auth tokens.

The hash is computed here from the list of fields, with the native Poseidon2 alone: the signer's own
layout (bog/_core/sign/tx.h) is the other implementation.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bog._core import schnorr
from bog.exchange.refusal import Refusal
from bog.exchange.spec import PRICE_END, SIZE_END

CREATE, CANCEL, CANCEL_ALL, MODIFY, LEVERAGE = 14, 15, 16, 17, 20
NAMES = {"create": CREATE, "cancel": CANCEL, "cancel-all": CANCEL_ALL, "modify": MODIFY,
         "leverage": LEVERAGE}  # fmt: skip
HEAD = ("AccountIndex", "ApiKeyIndex", "ExpiredAt", "Nonce")
FIELDS = {
    CREATE: ("MarketIndex", "ClientOrderIndex", "BaseAmount", "Price", "IsAsk", "Type",
             "TimeInForce", "ReduceOnly", "TriggerPrice", "OrderExpiry"),
    CANCEL: ("MarketIndex", "Index"),
    CANCEL_ALL: ("TimeInForce", "Time"),
    MODIFY: ("MarketIndex", "Index", "BaseAmount", "Price", "TriggerPrice"),
    LEVERAGE: ("MarketIndex", "InitialMarginFraction", "MarginMode"),
}  # fmt: skip
# the first value that is out of range, and what the venue says then
RANGES = {
    "AccountIndex": (0, (1 << 48) - 1, 21102),
    "ApiKeyIndex": (0, 255, 21110),
    "ExpiredAt": (0, 1 << 48, 21711),
    "Nonce": (0, 1 << 48, 21104),
    "MarketIndex": (0, 4095, 21602),
    "ClientOrderIndex": (0, 1 << 48, 21727),
    "Index": (1, 1 << 60, 21700),
    "BaseAmount": (0, SIZE_END, 21701),
    "Price": (1, PRICE_END, 21702),
    "IsAsk": (0, 2, 21703),
    "Type": (0, 7, 21704),
    "TimeInForce": (0, 3, 21705),
    "ReduceOnly": (0, 2, 21740),
    "TriggerPrice": (0, PRICE_END, 21729),
    "OrderExpiry": (0, 1 << 48, 21711),
    "Time": (0, 1 << 48, 21714),
    "InitialMarginFraction": (1, 10_001, 21113),
    "MarginMode": (0, 2, 21613),
}

# attributes: the value that means "not given"
SKIP_NONCE, ONE_MARKET, SELF_TRADE, SELF_EQUALITY, ORDER_VERSION = 4, 5, 6, 7, 8
NIL = {1: 0, 2: 0, 3: 0, SKIP_NONCE: 0, ONE_MARKET: 255, SELF_TRADE: 0, SELF_EQUALITY: 0,
       ORDER_VERSION: 0}  # fmt: skip
LIMITS = {1: 1 << 48, 2: 1_000_000, 3: 1_000_000, SKIP_NONCE: 2, ONE_MARKET: 256, SELF_TRADE: 4,
          SELF_EQUALITY: 2, ORDER_VERSION: 1 << 48}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tx:
    """One decoded transaction. `fields` are those of its type, `attributes` those that are not nil."""

    type: int
    account: int
    key: int
    nonce: int
    expired_at: int  # ms
    fields: Mapping[str, int]
    attributes: Mapping[int, int]
    hash: str
    signature: bytes
    info: str

    @property
    def skips(self) -> bool:
        """Any larger nonce is as good as the next one."""
        return SKIP_NONCE in self.attributes

    def is_signed_by(self, public_key: bytes) -> bool:
        """Return whether the signature is that key's."""
        return schnorr.verify(public_key, bytes.fromhex(self.hash), self.signature)


def decode(chain: int, kind: int, info: str | Mapping[str, Any]) -> Tx:
    """Return the transaction of a `tx_info`, as text or as an object, or raise a Refusal."""
    if kind not in FIELDS:
        raise Refusal(21505)
    if isinstance(info, str):
        try:
            given = json.loads(info)
        except (ValueError, RecursionError):
            raise Refusal(21501) from None
        text = info
    else:
        given, text = info, json.dumps(info, separators=(",", ":"))
    if not isinstance(given, Mapping):
        raise Refusal(21501)
    values = {}
    for name in (*HEAD, *FIELDS[kind]):
        value = given.get(name)
        low, end, code = RANGES[name]
        if type(value) is not int:
            raise Refusal(21501, f": {name} is not a number")
        if not low <= value < end:
            raise Refusal(code)
        values[name] = value
    attributes = read_attributes(given.get("L2TxAttributes"))
    head = [values.pop(name) for name in HEAD]
    account, key, expired_at, nonce = head
    elements = [chain, kind, nonce, expired_at, account, key, *values.values()]
    return Tx(kind, account, key, nonce, expired_at, values, attributes,
              message(elements, attributes).hex(), read_signature(given.get("Sig")), text)  # fmt: skip


def read_attributes(given: Any) -> dict[int, int]:
    """Return the attributes that are not nil, sorted by type."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise Refusal(21501, ": L2TxAttributes is no object")
    found = {}
    for name, value in given.items():
        kind = int(name) if isinstance(name, str) and name.isascii() and name.isdigit() else 0
        if kind not in NIL or type(value) is not int or not 0 <= value < LIMITS[kind]:
            raise Refusal(21501, f": attribute {name}")
        if value != NIL[kind]:
            found[kind] = value
    if len(found) > 4:
        raise Refusal(21501, ": more than 4 attributes")
    return dict(sorted(found.items()))


def read_signature(given: Any) -> bytes:
    """Return the 80 bytes of a signature, or raise a Refusal."""
    try:
        found = base64.b64decode(given, validate=True) if isinstance(given, str) else b""
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != 80:
        raise Refusal(21120)
    return found


def message(elements: list[int], attributes: Mapping[int, int]) -> bytes:
    """Return what is signed, which is the transaction's hash: 40 bytes."""
    limbs = schnorr.hash_of(elements)
    if attributes:
        pairs = [number for pair in attributes.items() for number in pair]
        limbs = schnorr.hash_of(limbs + schnorr.hash_of(pairs + [0] * (8 - len(pairs))))
    return b"".join(limb.to_bytes(8, "little") for limb in limbs)


def is_token_of(public_key: bytes, text: str, signature: str) -> bool:
    """Return whether the key signed the first three parts of an auth token."""
    raw = text.encode()
    raw += bytes(-len(raw) % 8)
    words = [int.from_bytes(raw[at : at + 8], "little") for at in range(0, len(raw), 8)]
    try:
        found = bytes.fromhex(signature)
    except ValueError:
        return False
    return len(found) == 80 and schnorr.verify(public_key, message(words, {}), found)
