"""What the engine asks of its host: a core, real time, memory that stays. And what it got.

The hot thread is the first of the engine's process. A core is its own when nobody else of ours runs
there: bog-live, what it starts, and the journal's threads stay on the other cores that they may use.
Cores are kept awake by the kernel's own word for it, which all of them heed while the engine lives.
Real time is kept from locking up a core by RLIMIT_RTTIME: the loop rests a sixteenth of the time that
it spins, and a hot thread that has not rested for GUARD_US becomes a usual one (level.h).
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from bog._core import stats
from bog._core.stats import lock_memory, lock_range
from bog.errors import ConfigError

if TYPE_CHECKING:
    from bog.spec import Spec

POLICIES = {
    os.SCHED_OTHER: "other", os.SCHED_BATCH: "batch", os.SCHED_IDLE: "idle",
    os.SCHED_FIFO: "fifo", os.SCHED_RR: "rr",
}  # fmt: skip
REALTIME = ("fifo", "rr")
PRIORITY = 1  # before all that is not real time, behind the kernel's own threads
GUARD_US = 500_000
CORE = f"{Path(stats.__file__).parent}/"  # where the compiled core lies
KERNEL = Path("/proc/sys/kernel")
# https://docs.kernel.org/power/pm_qos_interface.html
LATENCY = Path("/dev/cpu_dma_latency")
LOST = f"real time was lost: no rest within {GUARD_US // 1000} ms; it is a usual thread now"
IDLE = {"spin": "spins", "rest": "spins and rests", "nap": "naps"}


class Granted(TypedDict):
    """What the hot thread has, whoever gave it: flags, taskset, chrt, systemd."""

    cpus: list[int]  # where it may run
    policy: str  # of the kernel's scheduler
    realtime_us: list[int]  # real time that the kernel allows a core, of each so many; -1: all
    locked_bytes: int  # memory of its process that is never paged out
    page_faults: int  # since it began to trade
    idle: str  # "spin", "nap", or "rest": what it does while nothing is due
    awake: bool  # no core of the host sleeps, so that none has to wake up first


class Host:
    """One engine process on its host, from the start to the first turn.

    `refused` says what was asked and not granted, a line each; with host.strict that is a ConfigError.
    """

    def __init__(self, spec: Spec) -> None:
        self.cpu, self.strict = spec["cpu"], spec["strict"]
        self.mask = os.sched_getaffinity(0)  # an outer taskset
        self.given = policy(0) in REALTIME  # an outer chrt
        self.wants_realtime = spec["realtime"] or self.given
        self.wants_awake = spec["awake"]
        self.refused: list[str] = []
        self.pinned = self.realtime = self.awake = False
        self.faults_before = 0

    @property
    def idle(self) -> str:
        """What the hot thread does while nothing is due: only a core that it was given is spun on."""
        if not self.pinned:
            return "nap"
        return "rest" if self.realtime else "spin"

    def settle(self) -> None:
        """Pin, lock, keep awake, and see what real time can be had, before anything is made."""
        if self.cpu >= 0:
            self._pin()
        if self.wants_awake:
            try:
                keep_awake()
                self.awake = True
            except OSError as error:
                self._lacks(
                    f"cores may sleep, host.awake = true: {LATENCY}: {error.strerror}: want it"
                    " writable for us"
                )
        if self.wants_realtime:
            self.realtime = self._may_be_realtime()
        if not lock_memory():
            soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
            self._lacks(
                f"memory is not locked: RLIMIT_MEMLOCK is {soft} bytes, want unlimited (ulimit -l)"
            )

    def begin(self) -> None:
        """All threads and their memory are there: keep the core, the memory and real time."""
        stand_back(self.cpu if self.pinned else -1, self.mask, hot=os.getpid())
        soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        # a process beyond its limit is not held to it: no later mapping fails for that
        if lock_memory(soft == resource.RLIM_INFINITY or locked_bytes(os.getpid()) > soft):
            _fetch()
        if self.realtime and not self.given:
            _schedule(os.getpid(), os.SCHED_FIFO, PRIORITY)
        self.faults_before = page_faults(os.getpid())

    def granted(self) -> Granted:
        """Return what the hot thread has now."""
        return granted(os.getpid(), self.idle, self.faults_before, self.awake)

    def _lacks(self, why: str) -> None:
        if self.strict:
            raise ConfigError(f"host.strict = true: {why}, or host.strict = false")
        self.refused.append(why)

    def _pin(self) -> None:
        try:
            os.sched_setaffinity(0, {self.cpu})
        except OSError as error:
            why = f"--cpu {self.cpu}: {error.strerror}: want one of {_list(self.mask)}"
            if self.cpu >= (os.cpu_count() or 1):
                raise ConfigError(why) from None
            self._lacks(f"not pinned, {why}")
            return
        self.pinned = True
        if self.mask == {self.cpu}:
            self._lacks(
                f"--cpu {self.cpu}: bog-live and the journal share this core, the only one that they"
                " may use: want another one for them (taskset, CPUAffinity=)"
            )

    def _may_be_realtime(self) -> bool:
        """Return whether the hot thread can have real time, and leave it without until it begins."""
        if len(self.mask | ({self.cpu} if self.pinned else set())) < 2:
            self._lacks(
                f"no real time: cpu {_list(self.mask)} is the only one that bog-live and the journal"
                " may use: want two or more"
            )
            _schedule(0, os.SCHED_OTHER)
            return False
        _, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
        soft = GUARD_US if hard == resource.RLIM_INFINITY else min(GUARD_US, hard)
        resource.setrlimit(resource.RLIMIT_RTTIME, (soft, hard))
        if self.given:  # who gave it may not let us take it twice
            _schedule(0, os.sched_getscheduler(0), os.sched_getparam(0).sched_priority)
            return True
        try:
            _schedule(0, os.SCHED_FIFO, PRIORITY)
        except OSError as error:
            most, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
            self._lacks(
                f"no real time, --realtime: {error.strerror}: RLIMIT_RTPRIO is {most}, want"
                f" {PRIORITY} or more (ulimit -r, LimitRTPRIO=)"
            )
            return False
        _schedule(0, os.SCHED_OTHER)
        return True


def _fetch() -> None:
    """Fetch what a turn may touch and has not: the core's own code, and what is shared with others.

    Memory of the core was written once when it was made.
    """
    for row in Path("/proc/self/maps").read_text().splitlines():
        span, rights, *_, path = [*row.split(maxsplit=5), ""][:6]
        if rights[0] == "r" and (rights[3] == "s" or CORE in path or path == "[stack]"):
            start, end = (int(each, 16) for each in span.split("-"))
            lock_range(start, end)


def stand_back(cpu: int, mask: set[int], hot: int = 0) -> None:
    """Keep the threads of this process, but for `hot`, off the hot core and out of real time.

    They stay where they are when `mask` has no other core. -1 is no core.
    """
    others = mask - {cpu}
    for entry in Path("/proc/self/task").iterdir():
        thread = int(entry.name)
        if thread == hot:
            continue
        # it ended, or the host lets nobody choose: the engine says that of its own core
        with contextlib.suppress(OSError):
            if policy(thread) in REALTIME:
                _schedule(thread, os.SCHED_OTHER)
            if cpu >= 0 and others:
                os.sched_setaffinity(thread, others)


def keep_awake() -> int:
    """Let no core of the host sleep until the file is closed that is returned, at the latest with us.

    A core that sleeps takes tens of microseconds to wake up, in a virtual machine above all. Raise
    OSError where the host has no such file or does not let us write it.
    """
    file = os.open(LATENCY, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, (0).to_bytes(4, sys.byteorder))  # us to wake up in
    except OSError:
        os.close(file)
        raise
    return file


def granted(pid: int, idle: str, faults_before: int, awake: bool) -> Granted:
    """Return what the first thread of a process has now; OSError when the process has ended."""
    return Granted(
        cpus=sorted(os.sched_getaffinity(pid)),
        policy=policy(pid),
        realtime_us=[
            int((KERNEL / f"sched_rt_{part}_us").read_text()) for part in ("runtime", "period")
        ],
        locked_bytes=locked_bytes(pid),
        page_faults=page_faults(pid) - faults_before,
        idle=idle,
        awake=awake,
    )


def policy(thread: int) -> str:
    """Return the scheduler's policy for a thread; 0 is this one."""
    number = os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK
    return POLICIES.get(number, "unknown")


def locked_bytes(pid: int) -> int:
    """Return how much of a process's memory is never paged out; OSError when it has ended."""
    for row in Path(f"/proc/{pid}/status").read_text().splitlines():
        if row.startswith("VmLck:"):
            return int(row.split()[1]) * 1024
    raise ProcessLookupError(pid)


def page_faults(pid: int) -> int:
    """Return how often the first thread of a process waited for a page, from disk or not."""
    text = Path(f"/proc/{pid}/task/{pid}/stat").read_text()
    fields = text[text.rindex(")") + 2 :].split()  # behind the name, which may hold anything
    return int(fields[7]) + int(fields[9])


def words(host: Granted) -> str:
    """Return what was granted in one line."""
    one = "cpu" if len(host["cpus"]) == 1 else "cpus"
    of, each = host["realtime_us"]
    bound = "" if of < 0 else f" (at most {of} of {each} us by the kernel)"
    return (
        f"{one} {_list(host['cpus'])}, policy {host['policy']}"
        f"{bound if host['policy'] in REALTIME else ''},"
        f" {host['locked_bytes'] / 1e6:.1f} MB locked, {host['page_faults']} page faults,"
        f" {IDLE[host['idle']]} while nothing is due{', cores kept awake' if host['awake'] else ''}"
    )


def _schedule(thread: int, number: int, priority: int = 0) -> None:
    """Give a thread a policy that its children do not inherit."""
    os.sched_setscheduler(thread, number | os.SCHED_RESET_ON_FORK, os.sched_param(priority))


def _list(cpus: set[int] | list[int]) -> str:
    return ", ".join(map(str, sorted(cpus)))
