"""The official signer, a Go library inside the lighter-sdk package, called through ctypes.

The package is found without being imported. Its C interface changes between versions, so the
prototypes below are compared with the header that lies beside the library.
"""

import ctypes
import importlib.metadata
import platform
import random
from ctypes import c_char_p, c_int, c_longlong, c_uint8, c_void_p
from pathlib import Path

CHAIN = 300
ACCOUNT = (4, 123456)
CREATE = (
    "long long int cMarketIndex, long long int cClientOrderIndex, long long int cBaseAmount, "
    "int cPrice, int cIsAsk, int cOrderType, int cTimeInForce, int cReduceOnly, int cTriggerPrice, "
    "long long int cOrderExpiry, long long int cIntegratorAccountIndex, int cIntegratorTakerFee, "
    "int cIntegratorMakerFee, uint8_t cSelfTradeBehaviorMode, uint8_t cSelfTradeEqualityMode, "
    "uint8_t cSkipNonce, long long int cNonce, int cApiKeyIndex, long long int cAccountIndex"
)


def shared_object() -> Path | None:
    """Return the path of the library for this machine, None where the package is not installed."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "")
    try:
        files = importlib.metadata.files("lighter-sdk") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == f"lighter-signer-linux-{machine}.so":
            return Path(str(file.locate()))
    return None


class Answer(ctypes.Structure):
    _fields_ = [
        ("type", c_uint8), ("info", c_void_p), ("hash", c_void_p), ("message", c_void_p),
        ("error", c_void_p),
    ]  # fmt: skip


class Sdk:
    """One key in the official signer."""

    def __init__(self, key: bytes) -> None:
        path = shared_object()
        assert path is not None
        header = path.with_suffix(".h").read_text()
        assert f"SignCreateOrder({CREATE});" in header, "the signer has another interface"
        self.lib = ctypes.CDLL(str(path))
        self.free = ctypes.CDLL(None).free
        self.free.argtypes = [c_void_p]
        self.lib.CreateClient.argtypes = [c_char_p, c_char_p, c_int, c_int, c_longlong]
        self.lib.CreateClient.restype = c_void_p
        long, small, byte = c_longlong, c_int, c_uint8
        fields = {
            "SignCreateOrder": [long] * 3 + [small] * 6 + [long] * 2 + [small] * 2 + [byte] * 3,
            "SignCancelOrder": [long, long, byte],
            "SignModifyOrder": [long] * 6 + [small] * 2 + [byte] * 3,
            "SignCancelAllOrders": [small, long, long, byte],
            "SignUpdateLeverage": [long, small, small, byte],
        }
        for name, types in fields.items():
            function = getattr(self.lib, name)
            last = [long, long] if name == "SignModifyOrder" else [long]
            function.argtypes = [*types, *last, small, long]
            function.restype = Answer
        bad = self.lib.CreateClient(b"", key.hex().encode(), CHAIN, *ACCOUNT)
        assert not bad, self.text(bad)

    def text(self, at: int | None) -> str:
        if not at:
            return ""
        found = ctypes.string_at(at).decode()
        self.free(at)
        return found

    def taken(self, answer: Answer) -> tuple[int, str, str]:
        info, digest = self.text(answer.info), self.text(answer.hash)
        self.text(answer.message)
        error = self.text(answer.error)
        assert not error, error
        return answer.type, digest, info

    def create(self, nonce: int, market: int, client: int, size: int, px: int, ask: int,
               kind: int, force: int, reduce: int, trigger: int, expiry: int, behavior: int = 0,
               equality: int = 0, skip: int = 0) -> tuple[int, str, str]:  # fmt: skip
        return self.taken(
            self.lib.SignCreateOrder(
                market, client, size, px, ask, kind, force, reduce, trigger, expiry, 0, 0, 0,
                behavior, equality, skip, nonce, *ACCOUNT,
            )
        )  # fmt: skip

    def random_signed(self, rng: random.Random) -> tuple[int, str, str]:
        """Return (type, hash, tx_info) of any transaction."""
        from tests.rig.signing import random_order

        nonce, skip = rng.randrange(2**47 - 2), int(rng.random() < 0.2)
        match rng.choice([14, 14, 14, 15, 16, 17, 20]):
            case 14:
                order = random_order(rng, rng.choice([0, 1, 254]))
                order["Price"] %= 2**31
                order["TriggerPrice"] %= 2**31
                order["Price"] += order["Price"] == 0
                if order["Type"] in (2, 3, 4, 5):
                    order["TriggerPrice"] += order["TriggerPrice"] == 0
                return self.create(nonce, *order.values(), rng.randrange(3), rng.randrange(2), skip)
            case 15:
                return self.taken(
                    self.lib.SignCancelOrder(1, rng.randrange(1, 2**60), skip, nonce, *ACCOUNT)
                )
            case 16:
                return self.taken(
                    self.lib.SignCancelAllOrders(
                        0, 0, rng.choice([255, rng.randrange(255)]), skip, nonce, *ACCOUNT
                    )
                )
            case 17:
                return self.taken(
                    self.lib.SignModifyOrder(
                        2, rng.randrange(1, 2**60), rng.randrange(1, 2**48), rng.randrange(1, 2**32),
                        0, 0, 0, 0, 0, 0, skip, nonce, rng.choice([0, rng.randrange(2**48)]),
                        *ACCOUNT,
                    )
                )  # fmt: skip
        return self.taken(
            self.lib.SignUpdateLeverage(
                1, rng.randrange(1, 10001), rng.randrange(2), skip, nonce, *ACCOUNT
            )
        )
