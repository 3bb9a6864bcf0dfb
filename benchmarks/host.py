"""Where a figure comes from: processor, kernel, compiler, flags, load, and the clock of the ticks."""

import json
import os
import platform
import re
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

from bog._core.bench import ticks

BASELINES = Path(__file__).with_name("baselines")


def cpu() -> str:
    """Return the processor's model, family and number: hypervisors give several one name."""
    text = Path("/proc/cpuinfo").read_text()
    found = {
        key: match[1].strip() if (match := re.search(rf"^{key}\s*: (.*)$", text, re.M)) else "?"
        for key in ("model name", "cpu family", "model", "CPU part")
    }
    if found["model name"] == "?":
        return f"{platform.machine()} part {found['CPU part']}"
    return f"{found['model name']}, family {found['cpu family']} model {found['model']}"


def compiler() -> str:
    """Return the versions of the compilers."""
    gcc = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=False)
    try:
        from Cython import __version__ as cython
    except ImportError:
        cython = "?"
    return f"gcc {gcc.stdout.strip() or '?'}, Cython {cython}"


def pressure() -> str:
    """Return what the kernel says of waiting for processors, "" where it does not."""
    try:
        line = Path("/proc/pressure/cpu").read_text().splitlines()[0]
    except OSError:
        return ""
    return line.partition(" total")[0]


def facts() -> dict[str, str]:
    """Return what a figure depends on, for people and for the comparison of two runs."""
    march = os.environ.get("BOG_MARCH", "")
    return {
        "cpu": cpu(),
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": platform.release(),
        "compiler": compiler(),
        "flags": "-O2" + (f" -march={march}" if march else ", any x86-64 or aarch64"),
        "load": f"{os.getloadavg()[0]:.1f}, pressure {pressure() or 'unknown'}",
    }


def ticks_per_ns() -> float:
    """Return how fast the processor's time stamp runs: the median of five spans of 40 ms."""
    found = []
    for _ in range(5):
        began, first = time.monotonic_ns(), ticks()
        time.sleep(0.04)
        ended, last = time.monotonic_ns(), ticks()
        found.append((last - first) / (ended - began))
    return statistics.median(found)


def baseline_path() -> Path:
    """Return where this processor's baseline is, or would be."""
    return BASELINES / (re.sub(r"[^a-z0-9]+", "-", cpu().lower()).strip("-") + ".json")


def baseline() -> dict[str, Any] | None:
    """Return what this processor and these compilers did before; None when nobody has committed it."""
    path = baseline_path()
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    return found if found["compiler"] == compiler() else None
