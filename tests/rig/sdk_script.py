"""The official SDK, as its user would use it, against an exchange: prints one line of JSON at the end.

    python -m tests.rig.sdk_script URL WS_URL KEY_DIR

Runs in a process of its own, without bog and without a change to the SDK.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import lighter

MARKET = 1
done: list[str] = []


def check(name: str, good: object) -> None:
    """Count an operation that did what it should, or stop."""
    if not good:
        raise SystemExit(f"{name}: {good!r}")
    done.append(name)


def taken(name: str, answer: Any) -> str:
    """Count a transaction that was taken; return its hash."""
    _, response, error = answer
    check(name, error is None and response.code == 200 and len(response.tx_hash) == 80)
    return str(response.tx_hash)


def refused(name: str, answer: Any, code: str) -> None:
    """Count a transaction that was refused with a code."""
    check(name, answer[2] is not None and code in str(answer[2]))


class Listener:
    """The SDK's WsClient in a thread."""

    def __init__(self, ws_url: str, account: int) -> None:
        self.books: list[Any] = []
        self.accounts: list[Any] = []
        client = lighter.WsClient(
            ws_url=ws_url, order_book_ids=[MARKET], account_ids=[account],
            on_order_book_update=lambda market, book: self.books.append(json.dumps(book)),
            on_account_update=lambda account, state: self.accounts.append(state),
        )  # fmt: skip
        threading.Thread(target=client.run, daemon=True).start()

    def wait(self, what: Any) -> bool:
        """Return whether something comes to hold."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if what():
                return True
            time.sleep(0.01)
        return False


async def run(url: str, ws_url: str, keys: Path) -> None:
    """Do everything."""
    private = {n: (keys / f"1000-{n}.key").read_text().strip() for n in (4, 5)}
    client = lighter.SignerClient(
        url=url, account_index=1000, api_private_keys=private, chain_id=300
    )
    other = lighter.SignerClient(
        url=url, account_index=1001, chain_id=300,
        api_private_keys={4: (keys / "1001-4.key").read_text().strip()},
    )  # fmt: skip
    check("check_client", client.check_client() is None)
    api = lighter.ApiClient(lighter.Configuration(host=url))
    orders, accounts = lighter.OrderApi(api), lighter.AccountApi(api)
    txs, root = lighter.TransactionApi(api), lighter.RootApi(api)
    check("status", (await root.status()).network_id == 300)
    check("info", (await root.info()).contract_address.startswith("0x"))
    check("order_books", (await orders.order_books()).order_books[0].symbol == "BTC")
    details = (await orders.order_book_details(market_id=MARKET)).order_book_details[0]
    check("order_book_details", details.price_decimals == 1 and details.size_decimals == 5)
    mark = round(float(details.mark_price) * 10)
    listener = Listener(ws_url, 1000)
    check("ws snapshot", listener.wait(lambda: listener.books and listener.accounts))
    key = {"api_key_index": 4}
    token, error = client.create_auth_token_with_expiry(**key)
    check("auth token", error is None)
    private_call = {"account_index": 1000, "authorization": token}
    check("account_limits", (await accounts.account_limits(**private_call)).user_tier == "premium")
    common = {
        "market_index": MARKET,
        "is_ask": False,
        "trigger_price": 0,
        "reduce_only": False,
        **key,
    }
    low = mark - 5000

    # create, see, modify, cancel
    first = taken("create post-only", await client.create_order(
        client_order_index=1, base_amount=100, price=low, order_type=client.ORDER_TYPE_LIMIT,
        time_in_force=client.ORDER_TIME_IN_FORCE_POST_ONLY, **common))  # fmt: skip
    check("ws book update", listener.wait(
        lambda: any(f'"{low / 10:.1f}"' in book for book in listener.books)))  # fmt: skip
    check("tx by hash", (await txs.tx(by="hash", value=first)).status == 2)
    active = (await orders.account_active_orders(market_id=MARKET, **private_call)).orders
    check("account_active_orders", [o.client_order_index for o in active] == [1])
    taken(
        "modify",
        await client.modify_order(
            market_index=MARKET,
            order_index=1,
            base_amount=120,
            price=low + 10,
            trigger_price=0,
            **key,
        ),
    )
    active = (await orders.account_active_orders(market_id=MARKET, **private_call)).orders
    check("modified", active[0].price == f"{(low + 10) / 10:.1f}" and active[0].base_size == 120)
    taken("cancel by client index", await client.cancel_order(
        market_index=MARKET, order_index=1, **key))  # fmt: skip
    inactive = (await orders.account_inactive_orders(limit=5, **private_call)).orders
    check("account_inactive_orders", inactive[0].status == "canceled")
    taken("create limit", await client.create_order(
        client_order_index=2, base_amount=100, price=low, order_type=client.ORDER_TYPE_LIMIT,
        time_in_force=client.ORDER_TIME_IN_FORCE_GOOD_TILL_TIME, **common))  # fmt: skip
    active = (await orders.account_active_orders(market_id=MARKET, **private_call)).orders
    taken("cancel by order index", await client.cancel_order(
        market_index=MARKET, order_index=active[0].order_index, **key))  # fmt: skip

    # trade against the other account
    taken("the other's ask", await other.create_order(
        client_order_index=1, base_amount=300, price=mark, order_type=other.ORDER_TYPE_LIMIT,
        time_in_force=other.ORDER_TIME_IN_FORCE_POST_ONLY, **{**common, "is_ask": True}))  # fmt: skip
    taken("market order", await client.create_market_order(
        market_index=MARKET, client_order_index=3, base_amount=100, avg_execution_price=mark + 100,
        is_ask=False, **key))  # fmt: skip
    taken("IOC", await client.create_order(
        client_order_index=4, base_amount=100, price=mark, order_type=client.ORDER_TYPE_LIMIT,
        time_in_force=0, order_expiry=0, **common))  # fmt: skip
    check(
        "ws fills", listener.wait(lambda: any(state.get("trades") for state in listener.accounts))
    )
    found = (await accounts.account(by="index", value="1000")).accounts[0]
    check("account", found.positions[0].position == "0.00200" and found.positions[0].sign == 1)
    mine = (
        await orders.trades(sort_by="trade_id", limit=10, account_index=1000, authorization=token)
    ).trades
    check("trades", len(mine) == 2 and mine[0].taker_fee == 280 and mine[0].bid_account_id == 1000)
    check("recent_trades", len((await orders.recent_trades(market_id=MARKET, limit=5)).trades) >= 2)
    await other.create_order(
        client_order_index=2, base_amount=300, price=mark - 200, order_type=other.ORDER_TYPE_LIMIT,
        time_in_force=other.ORDER_TIME_IN_FORCE_POST_ONLY, **common)  # fmt: skip
    taken("reduce-only", await client.create_order(
        client_order_index=5, base_amount=500, price=mark - 200, order_type=client.ORDER_TYPE_LIMIT,
        time_in_force=client.ORDER_TIME_IN_FORCE_IMMEDIATE_OR_CANCEL, order_expiry=0,
        **{**common, "is_ask": True, "reduce_only": True}))  # fmt: skip
    found = (await accounts.account(by="index", value="1000")).accounts[0]
    check("reduced to flat", found.positions[0].position == "0.00000")

    # the rest of the transactions
    for number in (6, 7):
        taken(f"create {number}", await client.create_order(
            client_order_index=number, base_amount=100, price=low, time_in_force=2,
            order_type=client.ORDER_TYPE_LIMIT, **common))  # fmt: skip
    taken("cancel all", await client.cancel_all_orders(
        time_in_force=client.CANCEL_ALL_TIF_IMMEDIATE, timestamp_ms=0, **key))  # fmt: skip
    active = (await orders.account_active_orders(market_id=MARKET, **private_call)).orders
    check("nothing rests", active == [])
    at = int(time.time() * 1000) + 400_000
    taken("schedule cancel all", await client.cancel_all_orders(
        time_in_force=client.CANCEL_ALL_TIF_SCHEDULED, timestamp_ms=at, **key))  # fmt: skip
    found = (await accounts.account(by="index", value="1000")).accounts[0]
    check("cancel_all_time", found.cancel_all_time == at)
    taken("abort cancel all", await client.cancel_all_orders(
        time_in_force=client.CANCEL_ALL_TIF_ABORT, timestamp_ms=0, **key))  # fmt: skip
    taken("leverage", await client.update_leverage(
        market_index=MARKET, margin_mode=client.CROSS_MARGIN_MODE, leverage=5, **key))  # fmt: skip
    found = (await accounts.account(by="index", value="1000")).accounts[0]
    check("leverage is seen", found.positions[0].initial_margin_fraction == "20.00")
    refused(
        "too small",
        await client.create_order(
            client_order_index=8, base_amount=1, price=low, order_type=0, time_in_force=2, **common
        ),
        "21706",
    )
    refused("stop loss", await client.create_sl_order(
        market_index=MARKET, client_order_index=9, base_amount=100, trigger_price=low, price=low,
        is_ask=True, **key), "21710")  # fmt: skip
    grouped = lighter.signer_client.CreateOrderTxReq(
        MarketIndex=MARKET, ClientOrderIndex=0, BaseAmount=100, Price=low, IsAsk=0, Type=0,
        TimeInForce=1, ReduceOnly=0, TriggerPrice=0, OrderExpiry=-1)  # fmt: skip
    child = lighter.signer_client.CreateOrderTxReq(
        MarketIndex=MARKET, ClientOrderIndex=0, BaseAmount=0, Price=low, IsAsk=1, Type=2,
        TimeInForce=0, ReduceOnly=1, TriggerPrice=low, OrderExpiry=-1)  # fmt: skip
    refused(
        "groups",
        await client.create_grouped_orders(
            grouping_type=client.GROUPING_TYPE_ONE_TRIGGERS_THE_OTHER,
            orders=[grouped, child],
            **key,
        ),
        "21505",
    )

    # a batch, and what else can be asked
    nonce = (await txs.next_nonce(account_index=1000, api_key_index=5)).nonce
    check("next_nonce", nonce == 0)
    signed = [
        client.sign_create_order(
            MARKET, 20 + n, 100, low, 0, 0, 2, 0, 0, nonce=nonce + n, api_key_index=5
        )
        for n in range(3)
    ]
    batch = await client.send_tx_batch([s[0] for s in signed], [s[1] for s in signed])
    check("send_tx_batch", batch.code == 200 and [s[2] for s in signed] == batch.tx_hash)
    active = (await orders.account_active_orders(market_id=MARKET, **private_call)).orders
    check("the batch rests", sorted(o.client_order_index for o in active) == [20, 21, 22])
    found = (await orders.order_book_orders(market_id=MARKET, limit=10)).bids
    check("order_book_orders", {1000} <= {order.owner_account_index for order in found})
    check(
        "apikeys",
        len((await accounts.apikeys(account_index=1000, api_key_index=255)).api_keys) == 3,
    )
    check("exchange_stats", (await orders.exchange_stats()).order_book_stats[0].symbol == "BTC")
    now = int(time.time())
    candles = await lighter.CandlestickApi(api).candles(
        market_id=MARKET, resolution="1m", start_timestamp=(now - 600) * 1000,
        end_timestamp=(now + 60) * 1000, count_back=5)  # fmt: skip
    check("candles", candles.c and candles.c[-1].c > 0)
    check("fundings", (await lighter.CandlestickApi(api).fundings(
        market_id=MARKET, resolution="1h", start_timestamp=now - 7200, end_timestamp=now,
        count_back=2)).resolution == "1h")  # fmt: skip
    check("funding_rates", len((await lighter.FundingApi(api).funding_rates()).funding_rates) == 1)
    mine = await txs.account_txs(limit=5, by="account_index", value="1000", authorization=token)
    check("account_txs", len(mine.txs) == 5)
    check("ws positions", listener.wait(
        lambda: any(state.get("positions") for state in listener.accounts[1:])))  # fmt: skip
    for one in (client, other, api):
        await one.close()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
    print(json.dumps(done))
