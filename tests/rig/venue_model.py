"""A venue in virtual time, as small as it can be: numbers, orders, trades, and what gets lost.

It reads the very bytes that the desk sends and answers in the venue's own JSON, so that everything of
the gateway but its sockets runs against it. What it knows to be true is `orders` and `trades`.
"""

import json
import random
from dataclasses import dataclass, field
from urllib.parse import parse_qs

ACCOUNT = 123456
BASE = 2 * 2**48


@dataclass
class Placed:
    """One order as it truly is."""

    client: int
    index: int
    market: int
    is_ask: bool
    px: int
    qty: int
    filled: int = 0
    status: str = "open"
    us: int = 0


@dataclass
class Odds:
    """What goes wrong, each with its chance."""

    request_lost: float = 0.0
    answer_lost: float = 0.0
    frames_lost: float = 0.0
    refused: float = 0.0
    failed: float = 0.0  # when run: `ae`
    rest_error: float = 0.0
    filled: float = 0.0
    late_ms: int = 0  # a request may arrive so much later
    nonce_fault: float = 0.0  # refused with 21104, rightly or not


@dataclass
class VenueModel:
    """One market, one account, several keys."""

    rng: random.Random
    odds: Odds = field(default_factory=Odds)
    ms: int = 1_000_000
    nonces: dict[int, int] = field(default_factory=dict)
    orders: dict[int, Placed] = field(default_factory=dict)  # every one that ever was, by index
    trades: list[dict] = field(default_factory=list)
    txs: dict[str, dict] = field(default_factory=dict)  # run, by hash
    creates: list[int] = field(default_factory=list)  # client ids in the order of execution
    coming: list[tuple[int, int, dict]] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)  # and frames, for the gateway
    count: int = 0
    scheduled_ms: int = 0

    # in

    def send(self, text: bytes, hashes: list[str]) -> None:
        """Take a message of the socket; it arrives later, or never."""
        data = json.loads(text)
        if self.rng.random() < self.odds.request_lost:
            return
        self.count += 1
        late = self.rng.randrange(self.odds.late_ms + 1)
        self.coming.append((self.ms + late, self.count, {"hashes": hashes, **data}))

    def step(self, ms: int) -> None:
        """Let time pass and run what has arrived."""
        self.ms += ms
        due = sorted(x for x in self.coming if x[0] <= self.ms)
        self.coming = [x for x in self.coming if x[0] > self.ms]
        for _, _, message in due:
            self.arrive(message)

    def arrive(self, message: dict) -> None:
        data = message["data"]
        if "tx_info" in data:
            txs = [(data["tx_type"], data["tx_info"])]
        else:
            txs = [(k, json.loads(i)) for k, i in zip(
                json.loads(data["tx_types"]), json.loads(data["tx_infos"]), strict=True)]  # fmt: skip
        code = 0
        for (kind, info), hash in zip(txs, message["hashes"], strict=True):
            code = self.door(info)
            if code:
                break
            self.run(kind, info, hash)
        if self.rng.random() < self.odds.answer_lost:
            return
        if code:
            answer = {"error": {"code": code, "message": "no"}, "id": data["id"]}
        else:
            hashes = message["hashes"]
            answer = {
                "type": message["type"], "id": data["id"], "code": 200,
                "tx_hash": hashes if "tx_infos" in data else hashes[0],
            }  # fmt: skip
        self.answers.append(json.dumps(answer).encode())

    def door(self, info: dict) -> int:
        """Return the code with which the API refuses, 0 when the number is used up."""
        key, nonce = info["ApiKeyIndex"], info["Nonce"]
        want = self.nonces.setdefault(key, 0)
        skips = (info["L2TxAttributes"] or {}).get("4") == 1
        if not (nonce >= want if skips else nonce == want):
            return 21104
        if self.ms > info["ExpiredAt"]:
            return 21711
        if self.rng.random() < self.odds.nonce_fault:
            return 21104
        if self.rng.random() < self.odds.refused:
            return 21739
        self.nonces[key] = nonce + 1
        return 0

    # the sequencer

    def run(self, kind: int, info: dict, hash: str) -> None:
        code, touched = 0, []
        if self.rng.random() < self.odds.failed:
            code = 21739
        elif kind == 14:
            code, touched = self.create(info)
        elif kind == 15:
            touched = [o for o in self.live() if info["Index"] in (o.client, o.index)]
            code = 0 if touched else 21600
            for order in touched:
                self.end(order, "canceled")
        elif kind == 16:
            if info["TimeInForce"] == 0:
                touched = self.live()
                for order in touched:
                    self.end(order, "canceled")
            else:
                self.scheduled_ms = info["Time"]
        elif kind == 17:
            touched = [o for o in self.live() if info["Index"] == o.client]
            code = 0 if touched else 21600
            for order in touched:
                order.px, order.qty, order.us = info["Price"], info["BaseAmount"], self.tick()
        ae = json.dumps({"code": code, "message": "no"}) if code else ""
        tx = {
            "hash": hash, "type": kind, "status": 2, "nonce": info["Nonce"],
            "event_info": json.dumps({"ae": ae}),
        }  # fmt: skip
        self.txs[hash] = tx
        self.frame({"channel": f"account_tx:{ACCOUNT}", "type": "update/account_tx", "txs": [tx]})
        self.show(touched)

    def create(self, info: dict) -> tuple[int, list[Placed]]:
        client = info["ClientOrderIndex"]
        if any(o.client == client for o in self.live()):
            return 21728, []
        self.creates.append(client)
        order = Placed(
            client, BASE + len(self.orders), info["MarketIndex"], bool(info["IsAsk"]),
            info["Price"], info["BaseAmount"], us=self.tick(),
        )  # fmt: skip
        self.orders[order.index] = order
        if self.rng.random() < self.odds.filled:
            self.fill(order, self.rng.randint(1, order.qty))
        return 0, [order]

    def live(self) -> list[Placed]:
        return [o for o in self.orders.values() if o.status == "open"]

    def tick(self) -> int:
        self.count += 1
        return self.ms * 1000 + self.count % 1000

    def end(self, order: Placed, status: str) -> None:
        order.status, order.us = status, self.tick()

    def fill(self, order: Placed, qty: int) -> None:
        """A stranger takes part of an order."""
        order.filled += qty
        if order.filled >= order.qty:
            order.status = "filled"
        order.us = self.tick()
        ours, theirs = ("ask", "bid") if order.is_ask else ("bid", "ask")
        trade = {
            "trade_id": len(self.trades) + 1, "market_id": order.market,
            "size": f"{qty / 1e5:.5f}", "price": f"{order.px / 10:.1f}",
            f"{ours}_id": order.index, f"{theirs}_id": 1, f"{ours}_client_id": order.client,
            f"{theirs}_client_id": 9, f"{ours}_account_id": ACCOUNT, f"{theirs}_account_id": 5,
            "is_maker_ask": order.is_ask, "maker_fee": 28, "transaction_time": order.us,
        }  # fmt: skip
        self.trades.append(trade)
        self.frame({
            "channel": f"account_all_trades:{ACCOUNT}", "type": "update/account_all_trades",
            "trades": {str(order.market): [trade]},
        })  # fmt: skip
        self.show([order])

    def row(self, order: Placed) -> dict:
        left = order.qty - order.filled if order.status == "open" else 0
        return {
            "order_index": order.index, "client_order_index": order.client,
            "market_index": order.market, "initial_base_amount": f"{order.qty / 1e5:.5f}",
            "price": f"{order.px / 10:.1f}", "remaining_base_amount": f"{left / 1e5:.5f}",
            "filled_base_amount": f"{order.filled / 1e5:.5f}", "is_ask": order.is_ask,
            "status": order.status, "transaction_time": order.us,
        }  # fmt: skip

    def show(self, orders: list[Placed]) -> None:
        if orders:
            self.frame({
                "channel": f"account_all_orders:{ACCOUNT}", "type": "update/account_all_orders",
                "orders": {str(orders[0].market): [self.row(o) for o in orders]},
            })  # fmt: skip

    def frame(self, data: dict) -> None:
        if self.rng.random() >= self.odds.frames_lost:
            self.answers.append(json.dumps(data).encode())

    # REST

    def get(self, path: str) -> tuple[int, bytes]:
        """Answer a question as the venue does."""
        if self.rng.random() < self.odds.rest_error:
            return self.rng.choice([(502, b"<html>"), (429, b""), (500, b'{"code":29500}')])
        call, _, query = path.removeprefix("/api/v1/").partition("?")
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        status, answer = 200, {}
        if call == "nextNonce":
            answer = {"nonce": self.nonces.setdefault(int(asked["api_key_index"]), 0)}
        elif call == "accountOrders":
            ids = {int(x) for x in asked["client_order_indexes"].split(",")}
            answer = {"orders": [self.row(o) for o in self.orders.values() if o.client in ids]}
        elif call == "accountActiveOrders":
            answer = {"orders": [self.row(o) for o in self.live()]}
        elif call == "tx":
            found = self.txs.get(asked["value"])
            status = 200 if found else 400
            answer = found or {"code": 21500, "message": "transaction not found"}
        elif call == "trades":
            end = int(asked.get("cursor", len(self.trades)))
            page = self.trades[max(0, end - 100) : end][::-1]
            more = {"next_cursor": str(end - 100)} if end > 100 else {}
            answer = {"trades": page, **more}
        elif call == "account":
            answer = {"accounts": [{
                "index": ACCOUNT, "collateral": "100.0", "cancel_all_time": self.scheduled_ms,
                "positions": [],
            }]}  # fmt: skip
        return status, json.dumps({"code": 200, **answer}).encode()
