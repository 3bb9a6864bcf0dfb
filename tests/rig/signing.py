"""Keys, signers and transactions for tests; the keys are worth nothing."""

import random
from pathlib import Path
from typing import Any

from bog._core import schnorr
from bog._core.journal import crc32c
from bog._core.signer import Signed, Signer

ORDER = 0x7FFFFFFD800000077FFFFFF1000000167FFFFFE6CFB80639E8885C39D724A09CE80FD996948BFFE1
CHAIN = 300
NOW_MS = 1_795_361_019_000
# what the signing limits of a test's signer are, unless it says otherwise
OPEN = {
    "chain_id": CHAIN,
    "account_index": 123456,
    "key_index": 4,
    "markets": dict.fromkeys((0, 1, 2, 24, 254, 2048), (2**48 - 1, 1, 2**32 - 1)),
    "daily_notional": 2**62,
    "min_margin_fraction": 1,
    "vmclock": "/nonexistent",
}


def key_of(number: int) -> bytes:
    """Return a private key that a number stands for."""
    return pow(5, 10_000 + number, ORDER).to_bytes(40, "little")


def signer_of(number: int = 1, key: bytes = b"", **settings: Any) -> Signer:
    return Signer(key=bytearray(key or key_of(number)), **{**OPEN, **settings})


def public_of(number: int = 1) -> bytes:
    return schnorr.public_key(key_of(number))


def random_order(rng: random.Random, market: int = 1) -> dict[str, int]:
    """Return the ten fields of an order that the venue could take, by the venue's names."""
    kind = rng.choice([0, 0, 0, 1, 2, 3, 4, 5, 6])
    force = {1: 0, 2: 0, 4: 0, 6: 1}.get(kind, rng.randrange(3))
    trigger = kind in (2, 3, 4, 5)
    return {
        "MarketIndex": market,
        "ClientOrderIndex": rng.choice([0, rng.randrange(2**48)]),
        "BaseAmount": rng.choice([1, rng.randrange(1, 10**4)]),
        "Price": rng.choice([1, rng.randrange(1, 10**6), 2**32 - 1]),
        "IsAsk": rng.randrange(2),
        "Type": kind,
        "TimeInForce": force,
        "ReduceOnly": rng.randrange(2),
        "TriggerPrice": rng.randrange(1, 2**32) if trigger else 0,
        "OrderExpiry": NOW_MS + rng.randrange(10**9) if force or trigger else 0,
    }


def random_group(rng: random.Random) -> tuple[int, list[dict[str, int]]]:
    """Return a grouping type and its orders."""
    grouping = rng.choice([1, 2, 3])
    orders = [random_order(rng) for _ in range(3 if grouping == 3 else 2)]
    for child in orders[1:] if grouping != 2 else []:
        child.update(BaseAmount=0, ReduceOnly=1)
    return grouping, orders


def random_signed(signer: Signer, rng: random.Random, form: bool = False) -> Signed:
    """Return any transaction that there is, signed."""
    base = (rng.randrange(2**47), NOW_MS + rng.randrange(10**9))
    some = {4: 1} if rng.random() < 0.2 else {}
    own = some | ({6: rng.randrange(4), 7: rng.randrange(2)} if rng.random() < 0.2 else {})
    index = rng.choice([rng.randrange(1, 2**48), rng.randrange(2**48, 2**60)])
    match rng.choice([14, 14, 14, 14, 15, 15, 16, 17, 17, 20, 28]):
        case 14:
            market, client, size, px, ask, kind, force, reduce, trigger, expiry = random_order(
                rng, rng.choice([0, 1, 254, 2048])
            ).values()
            return signer.create_order(
                *base,
                market,
                client,
                size,
                px,
                ask,
                expiry,
                kind,
                force,
                reduce,
                trigger,
                own,
                form,
            )
        case 15:
            return signer.cancel_order(*base, 1, index, some, form)
        case 16:
            force = rng.randrange(3)
            time = NOW_MS + rng.randrange(10**9) if force == 1 else 0
            return signer.cancel_all(
                *base, force, time, some | ({5: rng.randrange(256)} if force == 0 else {}), form
            )
        case 17:
            size, px = rng.randrange(1, 10**4), rng.randrange(1, 2**32)
            version = {8: rng.randrange(2**48)} if rng.random() < 0.2 else own
            return signer.modify_order(*base, 2, index, size, px, 0, version, form)
        case 20:
            return signer.update_leverage(
                *base, 1, rng.randrange(1, 10001), rng.randrange(2), some, form
            )
        case _:
            return signer.create_group(*base, *random_group(rng), own, form)


def key_file(folder: Path, number: int = 1, mode: int = 0o600) -> Path:
    """Write a private key as the venue prints it, and return its file."""
    path = folder / "key"
    path.write_text("0x" + key_of(number).hex() + "\n")
    path.chmod(mode)
    return path


def signed_lines(signer: Signer, made: list[Signed], public_key: bytes = b"") -> list[str]:
    """Return what a file of signed transactions holds, without seals; docs/formats.md has it."""
    owner = (OPEN["chain_id"], OPEN["account_index"], OPEN["key_index"])
    head = " ".join(map(str, ("bogsigned", 1, *owner, (public_key or signer.public_key).hex())))
    return [head, *(f"{NOW_MS}000000 {tx.type} {tx.hash} {tx.text.decode()}" for tx in made)]


def seal(lines: list[str]) -> bytes:
    """Return lines as the bytes of a file, each with the CRC-32C of all up to it."""
    crc, out = 0, b""
    for line in lines:
        crc = crc32c(line.encode(), crc)
        out += b"%s %08x\n" % (line.encode(), crc)
    return out
