"""Kill -9 at random moments: what recovery finds is what was appended, to the last record.

A parent that has everything loaded forks each life, so that one takes milliseconds. A life
recovers, opens the next run and appends a stream of valid records that follows from the state and
the life's number alone, with the flusher running, until SIGKILL. The parent then recovers, builds
the same stream from its own model of the account, and compares bytes, state and orders. The model
shares no line with the fold that it judges.
"""

import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from bog._core.fold import Fold, OpenOrder
from bog._core.journal import PAGE, JournalFile
from bog._core.types import Halt, JournalKind, Level, OrderState, Reject, StateWord
from bog.journal import RECORD
from bog.recovery import WORDS, Recovered, recover

K = JournalKind
W = StateWord
SEALED = [name for name in RECORD.names or () if name not in ("seq", "market", "crc")]


@dataclass
class Model:
    """An account as its records add up, written for clearness: sums, and signed integers."""

    words: dict[int, int] = field(default_factory=lambda: dict(enumerate(Fold().words)))
    alive: dict[int, list[int]] = field(default_factory=dict)  # id: side, px, qty, filled

    def take(self, record: dict[str, int]) -> None:
        """Add one record of a run that is ready."""
        w, kind, id = self.words, record["kind"], record.get("id", 0)
        px, qty, val = (record.get(name, 0) for name in ("px", "qty", "val"))
        w[W.W_LAST_NS] = record["time_ns"]
        if kind in (K.J_PLACE, K.J_AMEND, K.J_CANCEL, K.J_CANCEL_ALL):
            w[W.W_COMMANDS] += 1
        if kind == K.J_PLACE:
            self.alive[id] = [record["side"], px, qty, 0]
            w[W.W_NEXT_ORDER_ID] = id + 1
        elif kind == K.J_AMENDED:
            self.alive[id][1:3] = [px, qty]
        elif kind in (K.J_REJECT, K.J_CANCELED, K.J_EXPIRED):
            del self.alive[id]
        elif kind == K.J_FILL:
            self.fill(-qty if record["side"] else qty, px, val)
            w[W.W_TRADE] = max(w[W.W_TRADE], record.get("aux", 0))
            order = self.alive.get(id, [0, 0, qty + 1, 0])
            order[3] += qty
            if order[3] == order[2]:
                del self.alive[id]
        elif kind == K.J_FUNDING:
            w[W.W_FUNDING] -= val
            w[W.W_CASH] -= val
            w[W.W_FUNDED] = max(w[W.W_FUNDED], record.get("aux", 0))
        elif kind == K.J_PEAK:
            w[W.W_PEAK], w[W.W_MARK2] = val, px
        elif kind == K.J_DAY:
            w[W.W_DAY], w[W.W_DAY_OPEN], w[W.W_PEAK], w[W.W_MARK2] = id, val, 0, px
        elif kind == K.J_HALT:
            w[W.W_HALT], w[W.W_HALT_ID] = record["reason"], id
        elif kind == K.J_CLEAR_HALT:
            w[W.W_HALT] = 0
        elif kind == K.J_LEVEL:
            w[W.W_LEVEL] = record["state"]

    def fill(self, signed: int, px: int, fee: int) -> None:
        """Trade `signed` lots: close first, at the share of the cost rounded down, then open."""
        w = self.words
        pos = w[W.W_POS]
        closing = 0 if pos * signed >= 0 else max(-abs(pos), -abs(signed)) * (1 if pos > 0 else -1)
        if closing:
            w[W.W_COST] -= (w[W.W_COST] * abs(closing)) // abs(pos)
        w[W.W_COST] += (signed - closing) * px
        w[W.W_POS] = pos + signed
        w[W.W_CASH] -= signed * px + fee
        w[W.W_FEES] += fee
        w[W.W_VOLUME] += abs(signed) * px
        w[W.W_FILLS] += 1
        w[W.W_REALIZED] = w[W.W_CASH] + w[W.W_COST] + w[W.W_FEES] - w[W.W_FUNDING]

    def state(self) -> tuple[tuple[int, ...], dict[int, tuple[int, ...]]]:
        return tuple(int(self.words[word]) for word in range(WORDS)), {
            id: tuple(order) for id, order in self.alive.items()
        }


def opening(run: int, words: tuple[int, ...], alive: Iterator[int]) -> list[dict[str, int]]:
    """Return what a run starts with."""
    start = [{"kind": int(K.J_RUN), "time_ns": words[W.W_LAST_NS], "id": run}]
    start += [{"kind": int(K.J_STATE), "reason": w, "val": words[w]} for w in range(WORDS)]
    start += [
        {"kind": int(K.J_CANCELED), "id": id, "reason": int(Reject.REJ_RESTART)} for id in alive
    ]
    return [*start, {"kind": int(K.J_READY)}]


def trading(run: int, words: tuple[int, ...], count: int) -> list[dict[str, int]]:
    """Return the first `count` records of the life that starts from `words`."""
    rng = random.Random(f"{run} {words}")
    model = Model(dict(enumerate(words)))
    asked: dict[int, tuple[int, int]] = {}
    now, halts, records = words[W.W_LAST_NS], words[W.W_HALT_ID], []

    def say(kind: JournalKind, **values: int) -> None:
        record = {"kind": int(kind), "time_ns": now, **values}
        model.take(record)
        if K.J_ACK <= kind <= K.J_UNKNOWN:  # the engine says how it left the order
            alive = values["id"] in model.alive
            record["state"] = int(OrderState.ORDER_PARTIAL if alive else OrderState.ORDER_CANCELED)
        records.append(record)

    while len(records) < count:
        now += rng.randrange(3) * 1000
        choice = rng.random()
        ids = list(model.alive)
        if choice < 0.25 or not ids:
            side, px, qty = rng.randrange(2), 100_000 + rng.randrange(99), rng.randrange(1, 9) * 100
            say(K.J_PLACE, id=model.words[W.W_NEXT_ORDER_ID], side=side, px=px, qty=qty, val=now)
            continue
        id = rng.choice(ids)
        side, px, qty, filled = model.alive[id]
        if choice < 0.40:
            say(K.J_ACK, id=id, side=side, val=id * 7)
        elif choice < 0.65:
            lots = qty - filled if rng.random() < 0.4 else rng.randint(1, qty - filled)
            if id not in asked:
                fee = rng.randrange(-9, 99)
                say(
                    K.J_FILL, id=id, side=side, px=px, qty=lots, val=fee, reason=1, aux=len(records)
                )
        elif choice < 0.72:
            if id in asked:
                new_px, new_qty = asked.pop(id)
                say(K.J_AMENDED, id=id, side=side, px=new_px, qty=new_qty)
            else:
                asked[id] = (px + 1, max(qty, filled + 50))
                say(K.J_AMEND, id=id, side=side, px=px + 1, qty=max(qty, filled + 50))
        elif choice < 0.88:
            say(rng.choice([K.J_CANCELED, K.J_EXPIRED, K.J_REJECT]), id=id, side=side)
            asked.pop(id, None)
        elif choice < 0.90:
            # the order is dead and a fill was under way
            say(K.J_CANCELED, id=id, side=side)
            asked.pop(id, None)
            say(K.J_FILL, id=id, side=side, px=px, qty=1, val=1, reason=1)
        elif choice < 0.92:
            say(K.J_FUNDING, val=rng.randrange(-999, 999), px=px, qty=model.words[W.W_POS])
        elif choice < 0.94:
            say(K.J_PEAK, val=rng.randrange(10**9), px=2 * px + 1)
        elif choice < 0.95:
            say(K.J_DAY, id=model.words[W.W_DAY] + 1, val=rng.randrange(-(10**9), 10**9), px=2 * px)
        elif choice < 0.97:
            say(K.J_LEVEL, state=rng.choice([Level.LEVEL_RUN, Level.LEVEL_PAUSED]))
        elif choice < 0.98:
            if model.words[W.W_HALT]:
                say(K.J_CLEAR_HALT, id=model.words[W.W_HALT_ID])
            else:
                halts += 1
                say(K.J_HALT, id=halts, reason=Halt.HALT_MARKET, val=3)
        else:
            say(rng.choice([K.J_CANCEL_ALL, K.J_DENIED, K.J_GAP, K.J_STALE]))
    return records[:count]


def packed(records: list[dict[str, int]]) -> bytes:
    """Return records as bytes, without their seals."""
    out = np.zeros(len(records), RECORD)
    for n, record in enumerate(records):
        for name, value in record.items():
            out[name][n] = value
    return out.tobytes()


def live(directory: Path, shm: Path, gate: int, *, fast: bool) -> None:
    """One life: recover, say through `gate` that trading starts, and append until killed."""
    found = recover(directory, 1, segments=shm)
    journal = JournalFile(
        directory, market=1, run=found.next_run, price_decimals=1, size_decimals=5, segments=shm,
        capacity=256,
    )  # fmt: skip
    journal.append_all(packed(opening(found.next_run, found.words, alive_ids(found))))
    stream = packed(trading(found.next_run, found.words, 600))
    os.write(gate, b"x")
    at = 0
    while at < len(stream):
        # as fast as the ring takes them, in C; or a handful at a time
        at += 64 * journal.append_all(stream[at:] if fast else stream[at : at + 64 * 5])
    while True:
        time.sleep(1)


def alive_ids(found: Recovered) -> Iterator[int]:
    return (order.id for order in found.open_orders)


def orders(open_orders: tuple[OpenOrder, ...]) -> dict[int, tuple[int, ...]]:
    return {order.id: (order.side, order.px, order.qty, order.filled) for order in open_orders}


def killed_after(work: object, wait_s: float) -> float:
    """Fork, run work(gate) in the child, and kill it `wait_s` after it opened its gate.

    A negative `wait_s` counts from the fork and waits for no gate. Return the seconds to the kill.
    """
    began = time.monotonic()
    started, gate = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work(gate)  # type: ignore[operator]
        finally:
            os._exit(99)
    os.close(gate)
    if wait_s >= 0:
        os.read(started, 1)  # the child is trading, or has died of an error
        time.sleep(wait_s)
    else:
        time.sleep(-wait_s)
    lived_s = time.monotonic() - began
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(started)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, (
        f"a life ended {status}"
    )
    return lived_s


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """Return a private directory in memory, as the segments of a real run are, if possible."""
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(prefix="bog-test-", dir=parent) as path:
        yield Path(path)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_hundred_kills_lose_nothing(tmp_path: Path, memory: Path, seed: int) -> None:
    rng, shm, starts_s = random.Random(seed), memory, 0.03
    directory = tmp_path / "journal"
    model, run, met = Model(), 0, {"trading": 0, "starting": 0, "recovering": 0}
    for _ in range(100):
        # one in three is killed while it starts (recovers, opens, states), the rest while it trades
        wait = -rng.uniform(0, starts_s) if rng.random() < 0.33 else rng.uniform(0, 0.004)
        fast = rng.random() < 0.5
        lived_s = killed_after(lambda gate, fast=fast: live(directory, shm, gate, fast=fast), wait)
        # how long it takes to start one: the quickest seen, so that the early kills come early
        starts_s = min(starts_s, lived_s) if wait >= 0 else starts_s
        for _ in range(rng.choice([0, 0, 0, 1, 3])):  # and recovery is killed, up to three deep
            patience = rng.uniform(0, 0.012)
            killed_after(lambda _: (recover(directory, 1, segments=shm), time.sleep(9)), -patience)
            met["recovering"] += 1
        found = recover(directory, 1, segments=shm)
        again = recover(directory, 1, segments=shm)
        assert (again.run, again.words, again.open_orders) == (
            found.run, found.words, found.open_orders
        )  # fmt: skip
        assert found.cut == 0
        if found.run != run:
            met["trading"] += 1
            words = model.state()[0]
            start = opening(found.run, words, iter(model.alive))
            length = found.records - len(start)
            stream = trading(found.run, words, length)
            data = (directory / f"m1-r{found.run:08d}.journal").read_bytes()[PAGE:]
            wanted = np.frombuffer(packed(start + stream), RECORD)
            assert np.frombuffer(data, RECORD)[SEALED].tolist() == wanted[SEALED].tolist()
            model = Model(dict(enumerate(words)))
            for record in stream:
                model.take(record)
            run = found.run
        else:
            met["starting"] += 1
        assert (found.words, orders(found.open_orders)) == model.state()
    assert met["trading"] >= 50 and met["starting"] >= 2 and met["recovering"] >= 20, met
    assert not list(shm.iterdir())
