"""Runs a program as a unit of deploy/systemd would: its system calls, no page written and run.

    python -m tests.rig.jail FILE PROGRAM ...

The kernel's own means, set by libseccomp and prctl: every other call is refused with EPERM, as
SystemCallErrorNumber says. What systemd-analyze knows of its groups makes the list.
"""

import ctypes
import ctypes.util
import os
import subprocess
import sys
from pathlib import Path

NO_NEW_PRIVILEGES, MDWE = 38, 65  # of prctl(2)
ALLOW, EPERM = 0x7FFF0000, 0x00050001


def directives(unit: Path) -> list[tuple[str, str]]:
    """Return the settings of a unit in their order, comments left out."""
    rows = [row for row in unit.read_text().splitlines() if "=" in row and row[0] not in "#;"]
    return [(name, value) for name, _, value in (row.partition("=") for row in rows)]


def expand(name: str) -> set[str]:
    """Return the system calls of a group such as @system-service, of one call itself."""
    if not name.startswith("@"):
        return {name}
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True
    ).stdout
    rows = [row.strip() for row in said.splitlines()[1:]]
    return set().union(*(expand(row) for row in rows if row and not row.startswith("#")))


def allowed(unit: Path) -> set[str]:
    """Return the system calls that SystemCallFilter= leaves: a first list, and less by each with ~."""
    found: set[str] = set()
    for name, value in directives(unit):
        if name == "SystemCallFilter":
            calls = set().union(*(expand(word) for word in value.removeprefix("~").split()))
            found = found - calls if value.startswith("~") else found | calls
    return found


def enter(calls: set[str]) -> None:
    """Keep this process, and what it executes, to these calls; OSError where the kernel cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(MDWE, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    seccomp = ctypes.CDLL(ctypes.util.find_library("seccomp") or "libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(EPERM)))
    for call in sorted(calls):
        number = seccomp.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:  # a negative one is of another processor
            seccomp.seccomp_rule_add(rules, ctypes.c_uint32(ALLOW), number, 0)
    if seccomp.seccomp_load(rules):
        raise OSError("seccomp_load")


if __name__ == "__main__":
    enter(allowed(Path(sys.argv[1])))
    os.execvp(sys.argv[2], sys.argv[2:])
