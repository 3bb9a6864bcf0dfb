"""Whether a host is fit to trade on: what /proc and /sys say, each held against what bog wants.

Every check reads below a root that it is given, so that a made-up host can be judged as a real one
is, and changes nothing. What a kernel or a hypervisor does not say is no fault of the host.
"""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import NamedTuple

OK, WARN, FAIL = "ok", "warn", "fail"
CPUS = "sys/devices/system/cpu"
HUGE = "sys/kernel/mm/transparent_hugepage"
FAST_CLOCKS = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")
IDLE_MOST_US = 10  # a core that takes longer to wake up is asleep when the tick comes
CLOCK_MOST_MS = 100  # by which the host's clock may be wrong
SYNC_LOST = 0x40  # STA_UNSYNC
CAP_IPC_LOCK, CAP_SYS_NICE = 14, 23


class Check(NamedTuple):
    """One line of the doctor's: what was looked at, how it is, what was found, what to do."""

    name: str
    state: str  # OK, WARN or FAIL
    found: str
    fix: str = ""  # a command or a key; "" when nothing is wrong


class Clock(NamedTuple):
    """What the kernel says of its clock; see adjtimex(2)."""

    status: int
    maxerror_us: int


def read(root: Path, name: str) -> str:
    """Return what a file of the kernel says, "" when there is none."""
    try:
        return (root / name).read_text(errors="replace").strip()
    except OSError:
        return ""


def cpus_of(text: str) -> set[int]:
    """Return the numbers in a list of the kernel: "0-2,5". Words of it that are none are left out."""
    found: set[int] = set()
    for part in text.split(","):
        if match := re.fullmatch(r"\s*(\d+)(?:-(\d+)(?::\d+/\d+)?)?\s*", part):
            found |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    return found


def chosen(text: str) -> str:
    """Return the word in brackets: "always [madvise] never"."""
    match = re.search(r"\[(\w+)\]", text)
    return match[1] if match else ""


def serious(live: bool) -> str:
    """Return how bad it is where the host gives less than live trading should have."""
    return FAIL if live else WARN


def cores(root: Path, cpu: int | None) -> Check:
    online = cpus_of(read(root, f"{CPUS}/online"))
    said = f"{len(online)} online: {read(root, f'{CPUS}/online')}"
    if cpu is not None and cpu not in online:
        return Check("cores", FAIL, f"cpu {cpu} is not there; {said}", "--cpu: want one of these")
    if len(online) < 2:
        return Check(
            "cores",
            WARN,
            f"{said}; engine, journal and bog-live share it",
            "a host with two or more",
        )
    return Check("cores", OK, said)


def sibling(root: Path, cpu: int | None) -> Check:
    if cpu is None:
        return Check("smt", OK, "no core was named: --cpu")
    others = cpus_of(read(root, f"{CPUS}/cpu{cpu}/topology/thread_siblings_list")) - {cpu}
    if not others & cpus_of(read(root, f"{CPUS}/online")):
        return Check("smt", OK, f"cpu {cpu} has its core to itself")
    other = min(others)
    return Check(
        "smt", WARN, f"cpu {cpu} shares its core with cpu {other}",
        f"echo 0 > /{CPUS}/cpu{other}/online",
    )  # fmt: skip


def isolation(root: Path, cpu: int | None, live: bool) -> Check:
    if cpu is None:
        return Check(
            "isolation",
            WARN if live else OK,
            "no core was named: the engine naps",
            "--cpu N" * live,
        )
    line = dict(word.partition("=")[::2] for word in read(root, "proc/cmdline").split())
    has = {
        "isolcpus": cpu in cpus_of(read(root, f"{CPUS}/isolated")),
        "nohz_full": cpu in cpus_of(read(root, f"{CPUS}/nohz_full")),
        # nohz_full brings it along
        "rcu_nocbs": cpu in cpus_of(line.get("rcu_nocbs", "") + "," + line.get("nohz_full", "")),
    }
    lacks = [name for name, yes in has.items() if not yes]
    if not lacks:
        return Check("isolation", OK, f"cpu {cpu}: {', '.join(has)}")
    words = " ".join(f"{name}={cpu}" for name in lacks)
    return Check(
        "isolation", serious(live), f"cpu {cpu} lacks {', '.join(lacks)}",
        f"on the kernel's command line: {words}",
    )  # fmt: skip


def frequency(root: Path, cpu: int | None) -> Check:
    at = f"{CPUS}/cpu{cpu or 0}/cpufreq"
    governor = read(root, f"{at}/scaling_governor")
    if not governor:
        return Check("frequency", OK, "the host does not say: the hypervisor or firmware decides")
    no_turbo, boost = (
        read(root, f"{CPUS}/intel_pstate/no_turbo"),
        read(root, f"{CPUS}/cpufreq/boost"),
    )
    turbo = {"0": "on", "1": "off"}.get(no_turbo) or {"0": "off", "1": "on"}.get(boost)
    said = f"cpu {cpu or 0}: governor {governor}" + (f", turbo {turbo}" if turbo else "")
    if governor == "performance":
        return Check("frequency", OK, said)
    return Check("frequency", WARN, said, "cpupower frequency-set --governor performance")


def sleep(root: Path, cpu: int | None) -> Check:
    slow, known = [], []
    for at in sorted((root / CPUS / f"cpu{cpu or 0}" / "cpuidle").glob("state*")):
        name, latency = read(at, "name"), read(at, "latency")
        if not latency.isdigit() or read(at, "disable") not in ("", "0"):
            continue
        known.append(f"{name} {latency} us")
        if int(latency) > IDLE_MOST_US:
            slow.append(f"{name} {latency} us")
    if slow:
        return Check(
            "sleep", WARN, f"cpu {cpu or 0} may sleep deeply: {', '.join(slow)} to wake up",
            f"cpupower idle-set --disable-by-latency {IDLE_MOST_US}",
        )  # fmt: skip
    return Check("sleep", OK, ", ".join(known) or "the host does not say")


def clocksource(root: Path) -> Check:
    found = read(root, "sys/devices/system/clocksource/clocksource0/current_clocksource")
    if not found:
        return Check("clocksource", OK, "the host does not say")
    if found in FAST_CLOCKS:
        return Check("clocksource", OK, found)
    return Check(
        "clocksource", WARN, f"{found}: each look at the clock is a system call",
        "on the kernel's command line: clocksource=tsc tsc=reliable, or find why dmesg gave it up",
    )  # fmt: skip


def clock(now: Clock | None, live: bool) -> Check:
    if now is None:
        return Check("clock", WARN, "the kernel does not say whether it is right", "timedatectl")
    error_ms = now.maxerror_us / 1000
    if now.status & SYNC_LOST:
        return Check(
            "clock", serious(live), "is not synchronized",
            "timedatectl set-ntp true, or a chronyd; on a guest without either: the host's",
        )  # fmt: skip
    if error_ms > CLOCK_MOST_MS:
        return Check(
            "clock", WARN, f"may be wrong by {error_ms:.0f} ms", "chronyc sources, or timedatectl"
        )
    return Check("clock", OK, f"synchronized, wrong by {error_ms:.1f} ms at most")


def limit_of(root: Path, name: str) -> str:
    """Return the soft limit of this process, as the kernel writes it: "unlimited", or digits."""
    match = re.search(rf"^{name} +(\S+)", read(root, "proc/self/limits"), re.M)
    return match[1] if match else "?"


def capable(root: Path, number: int) -> bool:
    match = re.search(r"^CapEff:\s*([0-9a-f]+)", read(root, "proc/self/status"), re.M)
    return bool(match and int(match[1], 16) >> number & 1)


def memory_lock(root: Path, live: bool) -> Check:
    limit = limit_of(root, "Max locked memory")
    if limit == "unlimited":
        return Check("memlock", OK, "unlimited")
    if capable(root, CAP_IPC_LOCK):
        return Check("memlock", OK, f"{limit} bytes, and CAP_IPC_LOCK")
    return Check(
        "memlock", serious(live), f"{limit} bytes may be locked",
        "LimitMEMLOCK=infinity in the unit, or ulimit -l unlimited",
    )  # fmt: skip


def real_time(root: Path) -> Check:
    limit = limit_of(root, "Max realtime priority")
    if limit == "unlimited" or (limit.isdigit() and int(limit) >= 1):
        return Check("rtprio", OK, limit)
    if capable(root, CAP_SYS_NICE):
        return Check("rtprio", OK, f"{limit}, and CAP_SYS_NICE")
    return Check(
        "rtprio", WARN, f"{limit}: --realtime would be refused",
        "LimitRTPRIO=1 in the unit, or ulimit -r 1",
    )  # fmt: skip


def swap(root: Path) -> Check:
    areas = [row.split()[0] for row in read(root, "proc/swaps").splitlines()[1:] if row.strip()]
    if not areas:
        return Check("swap", OK, "none")
    return Check("swap", WARN, ", ".join(areas), "swapoff --all, and out of /etc/fstab")


def huge_pages(root: Path) -> Check:
    found, shared = (chosen(read(root, f"{HUGE}/{name}")) for name in ("enabled", "shmem_enabled"))
    said = f"{found or 'none'}, of shared memory {shared or 'none'}"
    if found == "always":
        return Check("hugepages", WARN, said, f"echo madvise > /{HUGE}/enabled")
    if shared in ("always", "within_size", "force"):
        return Check("hugepages", WARN, said, f"echo never > /{HUGE}/shmem_enabled")
    return Check("hugepages", OK, said)


def file_system(root: Path, path: Path) -> str:
    """Return the type of the file system that holds an absolute path: of its longest mount point."""
    best, kind = -1, ""
    for row in read(root, "proc/self/mountinfo").splitlines():
        left, _, right = row.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), left.split()[4])
        # of two on one point the later one hides the other
        if path.is_relative_to(point) and len(point) >= best:
            best, kind = len(point), right.split()[0]
    return kind


def kernel_clock() -> Clock | None:
    """Ask the kernel how right its clock is; None where it does not say. Sets nothing (modes 0)."""

    class Timex(ctypes.Structure):
        _fields_ = [
            ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long), ("esterror", ctypes.c_long), ("status", ctypes.c_int),
            ("rest", ctypes.c_long * 32),
        ]  # fmt: skip

    answer = Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(answer)) < 0:
        return None
    return Clock(answer.status, answer.maxerror)


def of_host(root: Path, cpu: int | None, live: bool, now: Clock | None) -> list[Check]:
    """Return every check of the host itself."""
    return [
        cores(root, cpu), sibling(root, cpu), isolation(root, cpu, live), frequency(root, cpu),
        sleep(root, cpu), clocksource(root), clock(now, live), memory_lock(root, live),
        real_time(root), swap(root), huge_pages(root),
    ]  # fmt: skip
