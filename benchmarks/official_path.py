"""A requote by the official SDK: `official_path.py HOST http|socket`, account, key and its index on stdin.

Its WsClient keeps the book, its SignerClient signs and sends, in one process and one loop, as its
examples do: `http` is its own modify_order, `socket` its signature sent over a WebSocket of its own. The
decision is the least that there can be: ten ticks above the mid, anew when that moved by three.
"""

import asyncio
import json
import sys
import warnings
from typing import Any

warnings.simplefilter("ignore")

import lighter  # noqa: E402
from websockets.asyncio.client import connect  # noqa: E402

AWAY, MOVED = 10, 3
SIZE, ORDER = 10, 1


class Maker:
    """One order that follows the book."""

    def __init__(self, client: Any, socket: Any) -> None:
        self.client, self.socket = client, socket
        self.px = self.sent = 0
        self.tasks: set[asyncio.Task[None]] = set()

    def on_book(self, market: str, book: Any) -> None:
        """Look at the whole book after a frame of it."""
        bid = max(float(level["price"]) for level in book["bids"])
        ask = min(float(level["price"]) for level in book["asks"])
        px = round((bid + ask) * 5) + AWAY
        if abs(px - self.px) >= MOVED:
            self.px = px
            task = asyncio.ensure_future(self.send(int(market), px))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def send(self, market: int, px: int) -> None:
        """Sign and send the order, or its change."""
        first, self.sent = self.sent == 0, self.sent + 1
        key, nonce = (
            {"api_key_index": next(iter(self.client.api_key_dict))},
            {"nonce": self.sent - 1},
        )
        order: dict[str, Any] = {"market_index": market, "base_amount": SIZE, "price": px}
        if first:
            order |= {
                "client_order_index": ORDER,
                "is_ask": True,
                "order_type": 0,
                "time_in_force": 2,
            }
        else:
            order |= {"order_index": ORDER}
        if self.socket is None:
            call = self.client.create_order if first else self.client.modify_order
            _, _, error = await call(**order, **key, **nonce)
        else:
            sign = self.client.sign_create_order if first else self.client.sign_modify_order
            kind, info, _, error = sign(**order, **key, **nonce)
            words = {"id": str(self.sent), "tx_type": kind, "tx_info": json.loads(info)}
            await self.socket.send(json.dumps({"type": "jsonapi/sendtx", "data": words}))
        if error is not None:
            raise SystemExit(f"not sent: {error}")


async def run(host: str, how: str) -> None:
    account, index, key = sys.stdin.readline().split()
    client = lighter.SignerClient(
        url=f"http://{host}", account_index=int(account), api_private_keys={int(index): key},
        chain_id=300,
    )  # fmt: skip
    socket = await connect(f"ws://{host}/stream") if how == "socket" else None
    maker = Maker(client, socket)
    books = lighter.WsClient(
        ws_url=f"ws://{host}/stream", order_book_ids=[1], on_order_book_update=maker.on_book
    )
    await books.run_async()


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
