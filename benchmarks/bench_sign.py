"""What a signature costs, beside the official signer: `python benchmarks/bench_sign.py`.

Under `make bench` the same numbers are printed: p50 and p99 of single calls, hash and text included,
from Python and, as the gateway will call, from C. The official signer is called in its best way, by
ctypes from one long-lived worker thread; rounds of all alternate, so that a busy machine is busy for
each. Without lighter-sdk its line is left out. What NautilusTrader publishes of its signer, for
another machine, stands below the table: docs/signing.md says what it is and where it is from.
"""

import base64
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bog._core import schnorr
from tests.rig import sdk
from tests.rig.signing import NOW_MS, key_of, signer_of

ROUNDS = int(os.environ.get("BOG_SIGN_ROUNDS", "20"))
ORDER = (1, 42, 100, 643515, 0)  # market, client index, size, price, is_ask
EXPIRY = NOW_MS + 360_000
MANY = "verify, one of 1000, CPU time"
# NautilusTrader's figures, us: nautechsystems/nautilus_trader at 648970ce, in
# crates/adapters/lighter/benches/BENCHMARKS.md; its signer takes k from the caller, writes no JSON
PUBLISHED = {"hash and sign a create": 67.8, "verify": 139.0, "the Go code's create": 283.0}


def timed(
    call: Callable[[int], Any], times: int, clock: Callable[[], int] = time.perf_counter_ns
) -> list[int]:
    """Return the ns of each of `times` calls."""
    found = []
    for turn in range(times):
        begin = clock()
        call(turn)
        found.append(clock() - begin)
    return found


def in_worker(jobs: "queue.Queue[Any]", results: "queue.Queue[list[int]]") -> None:
    while (job := jobs.get()) is not None:
        results.put(timed(*job))


def memory_kb() -> int:
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in x)
    return int(line.split()[1])


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def compiled(folder: str) -> str:
    """Build the loop in C, with the flags of setup.py, and return its path."""
    root = Path(__file__).resolve().parents[1]
    subprocess.run(
        ["gcc", "-std=gnu11", "-O3", "-Wno-unused-function", f"-I{root}/bog/_core", "-o",
         f"{folder}/bench", root / "benchmarks/bench_sign.c"],
        check=True,
    )  # fmt: skip
    return f"{folder}/bench"


def measure(rounds: int = ROUNDS) -> dict[str, list[int]]:
    """Return the times of every call, by name."""
    before = memory_kb(), threads()
    own = signer_of(pairs=256)
    own.fill()
    print(
        f"our signer: {memory_kb() - before[0]} kB more, "
        f"{threads() - before[1]} more threads, path {schnorr.path()}"
    )
    made = own.create_order(1, EXPIRY, *ORDER, EXPIRY)
    message = bytes.fromhex(made.hash)
    signature = base64.b64decode(json.loads(made.text)["Sig"])
    calls: dict[str, tuple[Callable[[int], Any], int]] = {
        "create, JSON, from the pool": (
            lambda turn: own.create_order(turn, EXPIRY, *ORDER, EXPIRY), 128),
        "create, form, from the pool": (
            lambda turn: own.create_order(
                turn, EXPIRY, *ORDER, EXPIRY, 0, 2, False, 0, None, True), 64),
        "cancel, JSON, from the pool": (lambda turn: own.cancel_order(turn, EXPIRY, 1, 42), 64),
        "create, JSON, no pool": (
            lambda turn: own.create_order(turn, EXPIRY, *ORDER, EXPIRY), 50),
        "fill one pair": (lambda _: own.fill(1), 100),
        "verify": (lambda _: schnorr.verify(own.public_key, message, signature), 50),
        MANY: (lambda _: schnorr.verify_many(own.public_key, [(message, signature)] * 1000), 1),
    }  # fmt: skip
    official = "official signer, create"
    jobs: queue.Queue[Any] = queue.Queue()
    results: queue.Queue[list[int]] = queue.Queue()
    if sdk.shared_object():
        before = memory_kb(), threads()
        theirs = sdk.Sdk(key_of(1))
        worker = threading.Thread(target=in_worker, args=(jobs, results), daemon=True)
        worker.start()

        def create(turn: int) -> Any:
            return theirs.create(turn, *ORDER, 0, 2, 0, 0, EXPIRY)

        create(0)
        print(
            f"official signer: {memory_kb() - before[0]} kB more, "
            f"{threads() - before[1] - 1} more threads"
        )
    times: dict[str, list[int]] = {name: [] for name in calls}
    folder = tempfile.TemporaryDirectory()
    program, pooled, slow = (
        compiled(folder.name),
        "create from C, from the pool",
        "create from C, no pool",
    )
    times |= {pooled: [], slow: []}
    for _ in range(rounds):
        done = subprocess.run([program, "256"], capture_output=True, text=True, check=True)
        for name, part in zip((pooled, slow), done.stdout.split("\n\n"), strict=False):
            times[name] += [int(line) for line in part.split()]
        own.fill()
        for name, (call, count) in calls.items():
            if name == "fill one pair":
                while own.ready:
                    own.cancel_all(1, EXPIRY)
            # 1000 take longer than a busy machine lets anyone run at a stretch: CPU time
            clock = time.thread_time_ns if name == MANY else time.perf_counter_ns
            times[name] += timed(call, count, clock)
        if sdk.shared_object():
            jobs.put((create, 50))
            times[official] = times.get(official, []) + results.get()
    jobs.put(None)
    folder.cleanup()
    times[MANY] = [t // 1000 for t in times[MANY]]
    assert schnorr.verify(own.public_key, message, signature)
    assert own.counters()["signed"] > 200 * rounds
    return times


def report(times: dict[str, list[int]]) -> dict[str, float]:
    """Print p50 and p99 in microseconds, and how many times the official signer's p50 is ours."""
    p50 = {}
    print(f"{'signing, us':34}{'p50':>9}{'p99':>9}{'calls':>8}")
    for name, found in times.items():
        found.sort()
        p50[name] = found[len(found) // 2] / 1000
        print(f"{name:34}{p50[name]:9.2f}{found[len(found) * 99 // 100] / 1000:9.2f}{len(found):8}")
    if "official signer, create" in p50:
        official = p50["official signer, create"]
        for name in ("create, JSON, from the pool", "create from C, from the pool"):
            print(f"the official signer's p50 is {official / p50[name]:.0f} times: {name}")
        slow = official / p50["create from C, no pool"]
        print(f"the official signer's p50 is {slow:.0f} times: create from C, no pool")
    else:
        print("lighter-sdk is not installed: no official signer in this run")
    there = ", ".join(f"{name} {value} us" for name, value in PUBLISHED.items())
    print(f"NautilusTrader as published, on another machine and without JSON: {there}")
    return p50


def test_signing_beside_the_official_signer(capsys: Any, benchmark: Any) -> None:
    with capsys.disabled():
        print()
        p50 = report(measure(8))
    assert p50
    own = signer_of()
    benchmark(lambda: own.create_order(1, EXPIRY, *ORDER, EXPIRY))


if __name__ == "__main__":
    report(measure())
