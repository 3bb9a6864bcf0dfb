"""What a core that sleeps costs who waits there: `python benchmarks/wake.py`.

A byte goes to a process on another core and back, by pipes, 2 ms after the last one: long enough for that
core to fall asleep, as a feed's or a gateway's does between two messages. The sender's core spins
meanwhile. Once as the host is, once with no core allowed to sleep (host.awake), in turns, so that a busy
neighbor meets both alike.
"""

import json
import os
import sys
import time
from typing import Any

import numpy as np
from crossing import quantiles

from bog.host import LATENCY, keep_awake

ROUNDS, TRIPS = 5, 200
APART_NS = 2_000_000


def echo(there: int, back: int, core: int) -> None:
    """Answer each byte until there are no more; never return."""
    os.sched_setaffinity(0, {core})
    while byte := os.read(there, 1):
        os.write(back, byte)
    os._exit(0)


def trips(core: int) -> list[int]:
    """Return the ns of each way to a process on `core` and back."""
    (there_out, there), (back, back_in) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(there)
        echo(there_out, back_in, core)
    took = []
    for _ in range(TRIPS):
        until = time.perf_counter_ns() + APART_NS
        while time.perf_counter_ns() < until:
            pass
        sent = time.perf_counter_ns()
        os.write(there, b"x")
        os.read(back, 1)
        took.append(time.perf_counter_ns() - sent)
    for end in (there, there_out, back, back_in):
        os.close(end)
    os.waitpid(child, 0)
    return took


def measure() -> dict[str, Any]:
    """Return quantiles of both, ns; nothing on one core, "refused" where cores may not be kept awake."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return {}
    found: dict[str, list[int]] = {"as the host is": [], "kept awake": []}
    os.sched_setaffinity(0, {cores[-1]})
    try:
        for _ in range(ROUNDS):
            found["as the host is"] += trips(cores[0])
            held = keep_awake()
            found["kept awake"] += trips(cores[0])
            os.close(held)
    except OSError as error:
        return {"refused": f"{LATENCY}: {error.strerror}"}
    finally:
        os.sched_setaffinity(0, cores)
    return {name: quantiles(np.array(took)) for name, took in found.items()}


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=1)
