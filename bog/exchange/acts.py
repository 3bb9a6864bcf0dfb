"""What a rehearsal does to the venue at once, by the name it has on the control socket."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bog.errors import UsageError
from bog.exchange import engine, store
from bog.exchange.accounts import Account
from bog.exchange.orders import EXPIRED, GTT, IOC, OPEN, STATUSES, Order
from bog.exchange.refusal import MESSAGES
from bog.exchange.state import HOUR_MS, Market

if TYPE_CHECKING:
    from bog.exchange.server import Server

Json = dict[str, Any]
Verb = Callable[[Json], Json]
RULES = ("delays", "limits", "minimum_ms", "token_s")


def verbs(server: Server) -> dict[str, Verb]:
    """Return the acts of one server."""
    found = Acts(server)
    return {name.replace("_", "-"): getattr(found, name) for name in dir(found)
            if not name.startswith(("_", "server", "venue", "state", "saved"))}  # fmt: skip


class Acts:
    """One method a verb; its docstring is what docs/exchange.md says."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.venue = server.venue
        self.state = server.venue.state
        self.saved: dict[str, Any] = {}

    def _account(self, asked: Json) -> Account:
        found = self.state.accounts.get(int(asked["account"]))
        if found is None:
            raise UsageError(f"account {asked['account']} is not here")
        return found

    def _market(self, asked: Json) -> Market:
        found = self.state.markets.get(int(asked["market"]))
        if found is None:
            raise UsageError(f"market {asked['market']} is not here")
        return found

    def _later(self, seconds: float, then: Callable[[], Any]) -> None:
        if seconds:
            asyncio.get_running_loop().call_later(seconds, then)

    # -- connections -------------------------------------------------------------------------

    def shutdown(self, asked: Json) -> Json:
        """Say `shutdown` to every client, and close the connections after so many ms."""
        wait = int(asked.get("close_in_ms", 5000))
        for connection in tuple(self.server.connections):
            connection.send({"type": "shutdown", "close_in_ms": wait})
        self._later(max(wait, 1) / 1000, lambda: self.disconnect({"how": "close"}))
        return {}

    def disconnect(self, asked: Json) -> Json:
        """End every WebSocket: `how` is close (a close frame), fin or reset; `after` seconds."""
        how = asked.get("how", "reset")
        if how not in ("close", "fin", "reset"):
            raise UsageError(f"how {how!r}: want close, fin or reset")
        gone = tuple(self.server.connections)

        def end() -> None:
            for connection in gone:
                if how == "reset":
                    connection.abort()
                elif how == "fin" and connection.transport is not None:
                    connection.transport.close()
                else:
                    self._task(connection.ws.close())

        if asked.get("after"):
            self._later(float(asked["after"]), end)
        else:
            end()
        return {"connections": len(gone)}

    def _task(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self.server.tasks.add(task)
        task.add_done_callback(self.server.tasks.discard)

    def refuse_connections(self, asked: Json) -> Json:
        """Refuse new connections for `seconds`."""
        self._task(self.server.refuse(float(asked["seconds"])))
        return {}

    def partition(self, asked: Json) -> Json:
        """Let nothing in or out for `seconds` (0: until `clear`), and break no connection."""
        self.server.faults.open.clear()
        self._later(float(asked.get("seconds", 0)), self.server.faults.open.set)
        return {}

    def latency(self, asked: Json) -> Json:
        """Delay everything by `seconds` each way, and by up to `jitter` seconds more."""
        self.server.faults.delay_s = float(asked.get("seconds", 0))
        self.server.faults.jitter_s = float(asked.get("jitter", 0))
        return {}

    def ping(self, _: Json) -> Json:
        """Send a ping to every client."""
        self.server.ping()
        return {}

    def mute_pong(self, asked: Json) -> Json:
        """Answer no pings, or (`on` false) again."""
        self.server.faults.mute_pong = bool(asked.get("on", True))
        return {}

    def inject(self, asked: Json) -> Json:
        """Send `frame` as it is to everyone who has subscribed to `channel`."""
        channel = str(asked["channel"])
        readers = list(self.server.feed.readers.get(channel, ()))
        for reader in readers:
            reader.write(asked["text"] if "text" in asked else json.dumps(asked["frame"]))
        return {"readers": len(readers)}

    # -- the sequencer -----------------------------------------------------------------------

    def freeze(self, asked: Json) -> Json:
        """The sequencer is down: what is taken waits, nothing runs; `seconds` (0: until `thaw`)."""
        self.venue.rules.frozen = True
        self._later(float(asked.get("seconds", 0)), lambda: self.thaw({}))
        return {}

    def thaw(self, _: Json) -> Json:
        """The sequencer is up again, and what waited runs."""
        self.venue.rules.frozen = False
        self.venue.advance(self.server.now_ns())
        return {}

    def clock(self, asked: Json) -> Json:
        """Move the venue's clock by `seconds`, forward only: orders expire, timers run."""
        seconds = float(asked["seconds"])
        if seconds < 0:
            raise UsageError(f"seconds {seconds} is negative: the venue's clock only goes forward")
        self.server.offset_ns += int(seconds * 1e9)
        self.venue.advance(self.server.now_ns())
        return {"now_ns": self.server.now_ns()}

    def refuse(self, asked: Json) -> Json:
        """Refuse transactions of `type` with `code`: `at` api leaves the nonce, app takes it.

        `status` in place of `code` ends a create with that status instead.
        """
        where = asked.get("where", "app")
        if where not in ("api", "app"):
            raise UsageError(f"where {where!r}: want api or app")
        if "status" in asked:
            if asked["status"] not in STATUSES[OPEN + 1 :]:
                raise UsageError(
                    f"status {asked['status']!r}: want one of {', '.join(STATUSES[3:])}"
                )
        elif int(asked.get("code", 0)) not in MESSAGES:
            raise UsageError(f"code {asked.get('code')} is not one that this exchange knows")
        self.venue.rules.refuse.append(
            {"left": int(asked.get("count", 1)), **asked, "where": where}
        )
        return {}

    def nonce(self, asked: Json) -> Json:
        """Set the next nonce of a key, as if someone else had used it."""
        key = self._account(asked).keys[int(asked["key"])]
        before, key.nonce = key.nonce, int(asked["next"])
        self.state.batch.accounts.add(int(asked["account"]))
        return {"before": before}

    def rule(self, asked: Json) -> Json:
        """Change a rule: delays, limits, minimum_ms, token_s, silence_s."""
        name, value = asked["name"], asked["value"]
        if name == "silence_s":
            self.server.silence_s = float(value)
        elif name in RULES:
            setattr(self.venue.rules, name, value)
            self.venue.rates.enabled = self.venue.rules.limits
            self.venue.apply_tiers()
        else:
            raise UsageError(f"rule {name!r}: want one of {', '.join(RULES)}, silence_s")
        return {}

    def quota(self, asked: Json) -> Json:
        """Set the volume quota of an account; its free slot is used up."""
        account = self._account(asked)
        account.quota = int(asked["left"])
        account.free_slot_ns = self.state.now_ns
        return {}

    # -- markets and accounts ----------------------------------------------------------------

    def market(self, asked: Json) -> Json:
        """Change a market: `status`, `force_reduce_only`, `mark`, `funding_ppm`, decimals, minimums."""
        market = self._market(asked)
        for name, value in asked.items():
            if name in ("status", "force_reduce_only", "mark", "index", "funding_ppm"):
                setattr(market, name, value)
            elif name in ("price_decimals", "size_decimals", "min_base", "min_quote", "symbol"):
                market.spec = dataclasses.replace(market.spec, **{name: value})
            elif name not in ("do", "market"):
                raise UsageError(f"{name!r} of a market cannot be changed")
        return {}

    def fund(self, asked: Json) -> Json:
        """Pay the hour's funding now, at `ppm` of every market if given."""
        for market in self.state.markets.values():
            market.funding_ppm = int(asked.get("ppm", market.funding_ppm))
        self.venue.fund()
        return {}

    def position(self, asked: Json) -> Json:
        """Another position without a trade, entered at `px`, as a settlement or a lost fill makes it."""
        account, market = self._account(asked), self._market(asked)
        number = market.spec.market
        lots, px = int(asked["lots"]), int(asked["px"])
        held = account.position(number)
        more, dearer = lots - held.lots, lots * px - held.cost
        for owner, sign in ((account, 1), (self.state.public, -1)):
            held = owner.position(number)
            held.lots += sign * more
            held.cost += sign * dearer
            owner.cash -= sign * dearer
        self.state.batch.positions.add((account.index, number))
        self.state.batch.accounts.add(account.index)
        self.venue.commit()
        return {}

    def order(self, asked: Json) -> Json:
        """An order that no key of the account signed: another program, or the web site."""
        account, market = self._account(asked), self._market(asked)
        is_ask = asked["side"] == "ask"
        order = Order(
            market.number(is_ask), int(asked.get("client", 0)), account, account.index,
            market.spec.market, is_ask, int(asked["px"]), int(asked["lots"]),
            tif=IOC if asked.get("take") else GTT, expiry_ms=self.state.now_ms + HOUR_MS,
            created_s=self.state.now_ms // 1000, hash="0" * 80,
        )  # fmt: skip
        engine.settle(self.state, market, order)
        return {"index": order.index, "status": STATUSES[order.status], "filled": order.filled}

    def public_order(self, asked: Json) -> Json:
        """An order of the public market, which rests and takes like any other."""
        market = self._market(asked)
        is_ask = asked["side"] == "ask"
        order = Order(
            market.number(is_ask), 0, None, 9, market.spec.market, is_ask, int(asked["px"]),
            int(asked["lots"]), tif=IOC if asked.get("take") else GTT,
            expiry_ms=self.state.now_ms + HOUR_MS, created_s=self.state.now_ms // 1000,
        )  # fmt: skip
        engine.settle(self.state, market, order)
        return {"index": order.index, "filled": order.filled}

    def liquidate(self, asked: Json) -> Json:
        """Cancel everything of an account and close its positions at the book's prices."""
        engine.liquidate(self.state, self._account(asked))
        return {}

    def expire(self, asked: Json) -> Json:
        """Let the open orders of an account expire now."""
        account = self._account(asked)
        orders = list(account.orders.values())
        for order in orders:
            self.state.end(order, EXPIRED)
        return {"orders": len(orders)}

    def vanish(self, asked: Json) -> Json:
        """Take the open orders of an account away without any frame."""
        account = self._account(asked)
        orders = list(account.orders.values())
        for order in orders:
            self.state.leave(order)
        return {"orders": len(orders)}

    def deposit(self, asked: Json) -> Json:
        """Add `micro` to an account's money."""
        account = self._account(asked)
        account.cash += int(asked["micro"])
        account.deposited += int(asked["micro"])
        self.state.batch.accounts.add(account.index)
        return {"cash": account.cash}

    def snapshot(self, asked: Json) -> Json:
        """Remember the accounts, their orders and fills under `name`."""
        self.saved[str(asked.get("name", ""))] = store.dump(self.state)
        return {}

    def rollback(self, asked: Json) -> Json:
        """Go back to what `snapshot` remembered; nobody is told."""
        name = str(asked.get("name", ""))
        if name not in self.saved:
            raise UsageError(f"no snapshot is named {name!r}")
        store.load(self.state, self.saved[name])
        self.venue.apply_tiers()
        return {}

    def cross(self, asked: Json) -> Json:
        """Show a bid above the best ask for one frame of the book."""
        self.server.feed.cross(self._market(asked).spec.market)
        return {}
