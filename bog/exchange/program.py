"""The day of an exchange process: open what was asked for, say where it is, serve, close."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from bog import out
from bog.errors import BogError, UsageError
from bog.exchange import identity
from bog.exchange.accounts import Key
from bog.exchange.control import Control
from bog.exchange.public import Flow, open_flow
from bog.exchange.server import Server
from bog.exchange.spec import spec_of
from bog.exchange.store import Store
from bog.exchange.venue import Rules, Venue


@dataclass(frozen=True)
class Plan:
    """What the command line asks for."""

    host: str
    port: int
    chain: int
    markets: tuple[int, ...]
    flow: str
    preset: str
    seed: int
    accounts: tuple[str, ...]
    tier: str
    collateral: int
    keys: tuple[str, ...]
    key_directory: Path
    control: Path
    store: Path | None
    delays: bool
    limits: bool
    minimum_ms: int
    certificate: str | None
    certificate_key: str | None


def run(plan: Plan) -> None:
    """Serve until a signal ends it."""
    people = [identity.read_account(text, plan.tier, plan.collateral * 10**6)
              for text in plan.accounts]  # fmt: skip
    if len({person.index for person in people}) < len(people):
        raise UsageError("--account: an index is there twice")
    if len(set(plan.markets)) < len(plan.markets):
        raise UsageError("--market: an id is there twice")
    for text in plan.keys:
        identity.read_key(text, people)
    files = identity.make_keys(people, plan.key_directory)
    now = time.time_ns()
    rules = Rules(delays=plan.delays, limits=plan.limits, minimum_ms=plan.minimum_ms)
    venue = Venue([spec_of(market) for market in plan.markets], now, plan.chain, rules)
    store = Store(plan.store) if plan.store else None
    if store is not None:
        plan.store.parent.mkdir(parents=True, exist_ok=True)  # type: ignore[union-attr]
        store.read(venue.state)
    for person in people:
        known = venue.state.accounts.get(person.index)
        if known is None:
            venue.add_account(person.index, person.tier, person.micro, person.keys)
            continue
        for index, public in person.keys.items():
            if index not in known.keys or known.keys[index].public != public:
                known.keys[index] = Key(public)
    venue.apply_tiers()
    flows = [open_flow(venue, market, plan.flow, plan.preset, plan.seed + order, now)
             for order, market in enumerate(plan.markets)]  # fmt: skip
    if store is not None:
        store.open(venue.state)
    asyncio.run(serve(plan, venue, [flow for flow in flows if flow], store, files))


def secure(plan: Plan) -> ssl.SSLContext | None:
    """Return the TLS context that was asked for."""
    if plan.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(plan.certificate, plan.certificate_key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--certificate {plan.certificate}: {error}") from None
    return context


async def serve(
    plan: Plan, venue: Venue, flows: list[Flow], store: Store | None, files: list[Path]
) -> None:
    """Serve until SIGINT or SIGTERM."""
    server = Server(venue, plan.seed)
    server.flows = flows
    if store is not None:
        server.keep.append(lambda batch: store.keep(venue.state, batch))
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    plan.control.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    control = Control(server)
    context = secure(plan)
    try:
        port = await server.start(plan.host, plan.port, context)
    except OSError as error:
        raise BogError(f"--port {plan.port}: {error.strerror or error}") from None
    await control.start(plan.control)
    letter = "s" if context else ""
    out.tell(json.dumps({
        "url": f"http{letter}://{plan.host}:{port}", "ws": f"ws{letter}://{plan.host}:{port}/stream",
        "chain": plan.chain, "control": str(plan.control),
        "markets": sorted(venue.state.markets),
        "accounts": {str(a.index): {"tier": a.tier.name, "keys": sorted(a.keys)}
                     for a in venue.state.accounts.values()},
        "keys": [str(path) for path in files],
    }))  # fmt: skip
    work = [loop.create_task(server.run())]
    if store is not None:
        work.append(loop.create_task(sync(store)))
    ended = loop.create_task(end.wait())
    done, _ = await asyncio.wait([*work, ended], return_when=asyncio.FIRST_COMPLETED)
    for task in (*work, ended):
        task.cancel()
    await control.stop()
    await server.stop()
    if store is not None:
        store.close()
    for task in done - {ended}:
        with contextlib.suppress(asyncio.CancelledError):
            task.result()  # a server that ended by itself has failed: say why


async def sync(store: Store) -> None:
    """Bring the store to the disk once a second, beside the loop."""
    while True:
        await asyncio.sleep(1)
        await asyncio.to_thread(store.sync)
