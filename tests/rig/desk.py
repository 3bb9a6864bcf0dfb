"""A venue of bog-exchange without sockets: its clock is an argument, its clients sign for real."""

from __future__ import annotations

import json
import random
from typing import Any

from bog._core import schnorr
from bog._core.signer import Signer
from bog.exchange.accounts import Account
from bog.exchange.orders import IOC, POST_ONLY, Order
from bog.exchange.refusal import Refusal
from bog.exchange.spec import spec_of
from bog.exchange.state import Batch, TxRecord
from bog.exchange.venue import Receipt, Rules, Venue

START_NS = 1_795_000_000_000_000_000
MIDDLE = 1_210_440  # ticks of market 1
MS = 1_000_000


def private_key(seed: int) -> bytes:
    """Return a key that a seed makes: for tests only."""
    return random.Random(seed).getrandbits(316).to_bytes(40, "little")


class Client:
    """One account and its key 4, with the next nonce."""

    def __init__(self, desk: Desk, index: int) -> None:
        key = private_key(index)
        self.desk = desk
        self.index = index
        self.public = schnorr.public_key(key)
        self.nonce = 0
        self.signer = Signer(
            key=bytearray(key), chain_id=300, account_index=index, key_index=4,
            markets=dict.fromkeys((0, 1, 2), (2 ** 47, 1, 2 ** 32 - 1)), daily_notional=2**62, pairs=8,
            min_margin_fraction=100,
        )  # fmt: skip

    @property
    def account(self) -> Account:
        return self.desk.venue.state.accounts[self.index]

    def sign(self, verb: str, *args: Any, nonce: int | None = None, **more: Any) -> tuple[int, str]:
        """Return type and text of a transaction; the nonce is the next one unless it is given."""
        expired = more.pop("expired", self.desk.now_ns // MS + 60_000)
        signed = getattr(self.signer, verb)(
            self.nonce if nonce is None else nonce, expired, *args, **more
        )
        return signed.type, signed.text.decode()

    def send(self, verb: str, *args: Any, **more: Any) -> Receipt:
        """Sign and submit; the nonce moves on when it was taken."""
        kind, text = self.sign(verb, *args, **more)
        receipt = self.desk.venue.submit(self.desk.now_ns, [kind], [text])
        self.nonce = self.account.keys[4].nonce
        return receipt

    def place(
        self, side: str, px: int, lots: int, client: int = 0, tif: int = POST_ONLY, **more: Any
    ) -> Order | None:
        """Create an order and let it run; return it, None when the application refused it."""
        expiry = 0 if tif == IOC else self.desk.now_ns // MS + 3_600_000
        receipt = self.send("create_order", more.pop("market", 1), client, lots, px, side == "ask",
                            more.pop("expiry_ms", expiry), time_in_force=tif, **more)  # fmt: skip
        self.desk.run()
        found = [o for o in (*self.account.orders.values(), *self.account.closed)
                 if o.hash == receipt.hashes[0]]  # fmt: skip
        return found[0] if found else None

    def cancel(self, index: int, market: int = 1) -> TxRecord:
        """Cancel by either index and let it run; return what became of it."""
        receipt = self.send("cancel_order", market, index)
        self.desk.run()
        return self.desk.venue.state.txs[receipt.hashes[0]]


class Desk:
    """A venue with clients 1000, 1001, ... and no public market; `now_ns` is moved by hand."""

    def __init__(
        self, clients: int = 2, tier: str = "premium", micro: int = 10**12, **rules: Any
    ) -> None:
        self.now_ns = START_NS
        self.venue = Venue([spec_of(1), spec_of(0)], START_NS, 300,
                           Rules(**{"delays": False, "limits": False, **rules}))  # fmt: skip
        self.batches: list[Batch] = []
        self.venue.listener = self.batches.append
        self.clients = [Client(self, 1000 + n) for n in range(clients)]
        for client in self.clients:
            self.venue.add_account(client.index, tier, micro, {4: client.public})

    @property
    def state(self) -> Any:
        return self.venue.state

    def run(self, ns: int = 0) -> None:
        """Let time pass and run what is due."""
        self.now_ns += ns
        self.venue.advance(self.now_ns)

    def refused(self, client: Client, verb: str, *args: Any, **more: Any) -> int:
        """Return the code with which the API refuses; 0 when it does not."""
        try:
            client.send(verb, *args, **more)
        except Refusal as refusal:
            return refusal.code
        return 0

    def application(self, client: Client, verb: str, *args: Any, **more: Any) -> int:
        """Return the code with which the application refuses what the API took; 0 when it does not."""
        record = self.state.txs[client.send(verb, *args, **more).hashes[0]]
        self.run()
        ae = json.loads(record.event)["ae"]
        return int(json.loads(ae)["code"]) if ae else 0
