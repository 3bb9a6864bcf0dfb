"""What the engine asks of its host, a core and memory that stays, and what it got."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TypedDict

from bog._core.loop import lock_memory
from bog.errors import ConfigError
from bog.spec import Spec

POLICIES = {
    os.SCHED_OTHER: "other", os.SCHED_BATCH: "batch", os.SCHED_IDLE: "idle",
    os.SCHED_FIFO: "fifo", os.SCHED_RR: "rr",
}  # fmt: skip


class Granted(TypedDict):
    """What the process has when it begins to trade, whoever gave it: `--cpu`, taskset, chrt."""

    cpus: list[int]  # where the hot thread may run
    policy: str  # of the kernel's scheduler
    locked_bytes: int  # memory that is never paged out
    idle: str  # "spin" or "nap": what it does while nothing is due


def settle(spec: Spec) -> list[str]:
    """Pin and lock as asked; return what the host refused, or raise when it must not (host.strict)."""
    refused = []
    if spec["cpu"] >= 0:
        try:
            os.sched_setaffinity(0, {spec["cpu"]})
        except OSError as error:
            allowed = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
            why = f"--cpu {spec['cpu']}: {error.strerror}: want one of {allowed}"
            if spec["strict"] or spec["cpu"] >= (os.cpu_count() or 1):
                raise ConfigError(why) from None
            refused.append(f"not pinned, {why}")
    if not lock_memory():
        soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        why = f"memory is not locked: RLIMIT_MEMLOCK is {soft} bytes, want unlimited (ulimit -l)"
        if spec["strict"]:
            raise ConfigError(f"host.strict = true: {why}, or host.strict = false")
        refused.append(why)
    return refused


def granted(spin: bool) -> Granted:
    """Return what this process has now."""
    locked = 0
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmLck:"):
            locked = int(line.split()[1]) * 1024
    return Granted(
        cpus=sorted(os.sched_getaffinity(0)),
        policy=POLICIES.get(os.sched_getscheduler(0), "unknown"),
        locked_bytes=locked,
        idle="spin" if spin else "nap",
    )


def words(host: Granted) -> str:
    """Return what was granted in one line."""
    cpus = ", ".join(map(str, host["cpus"]))
    one = "cpu" if len(host["cpus"]) == 1 else "cpus"
    return (
        f"{one} {cpus}, policy {host['policy']}, {host['locked_bytes'] / 1e6:.1f} MB locked,"
        f" {host['idle']}s while nothing is due"
    )
