"""Who may reach whom: the cimport and include lines of the core, the import lines of the shell."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "bog" / "_core"

# 0 nouns and primitives, 1 rooms, 2 the step, 3 contact with the world
NOUNS = {
    "types", "fixed", "memory", "hist", "level", "stats", "atomic", "huginn", "record", "crc32c",
    "flusher", "rng", "json", "exposure",
}  # fmt: skip
ROOMS = {
    "depth",
    "book",
    "strategy",
    "risk",
    "orders",
    "position",
    "measure",
    "paper",
    "volatility",
}
STEP = {"engine"}


def cimports(path: Path) -> set[str]:
    """Return the rooms of bog._core that a Cython file cimports."""
    text = path.read_text()
    found = re.findall(r"^\s*from bog\._core\.(\w+) cimport", text, flags=re.M)
    found += re.findall(r"^\s*cimport bog\._core\.(\w+)", text, flags=re.M)
    for names in re.findall(r"^\s*from bog\._core cimport ([\w, ]+)", text, flags=re.M):
        found += [name.strip() for name in names.split(",")]
    return {name for name in found if name != path.stem}


def includes(path: Path) -> set[str]:
    return set(re.findall(r'^#include "(\w+)\.h"', path.read_text(), flags=re.M))


def test_a_room_shares_nouns_and_depth_with_other_rooms_and_no_verbs() -> None:
    # depth is the memory that paper works in, handed to it by pointer: a noun with verbs
    for name in ROOMS:
        path = CORE / f"{name}.pxd"
        if path.exists():
            assert cimports(path) <= NOUNS | {"depth"}, f"{path.name} reaches into another room"


def test_nouns_reach_nothing_above_them() -> None:
    for name in NOUNS - {"stats"}:
        path = CORE / f"{name}.pxd"
        if path.exists():
            known = NOUNS | {"depth"}
            assert cimports(path) <= known, f"{path.name} is a noun and reaches into a room"


def test_the_step_knows_rooms_and_nothing_of_the_world() -> None:
    assert cimports(CORE / "engine.pxd") <= NOUNS | ROOMS


def test_headers_include_libc_and_each_other() -> None:
    names = {path.stem for path in CORE.glob("*.h")}
    for path in CORE.glob("*.h"):
        assert includes(path) <= names


def test_the_step_reads_no_clock_makes_no_call_and_has_no_float() -> None:
    banned = re.compile(r"\b(clock_gettime|time\(|rand|malloc|printf|double|float|syscall)\b")
    for name in [*(ROOMS - {"measure"}), "engine"]:
        path = CORE / f"{name}.pxd"
        if path.exists():
            lines = [re.sub(r'""".*?"""|#.*', "", line) for line in path.read_text().splitlines()]
            found = [line for line in lines if banned.search(line)]
            assert not found, f"{path.name}: {found}"


def test_hot_verbs_never_touch_python() -> None:
    for name in [*ROOMS, "engine"]:
        path = CORE / f"{name}.pxd"
        if path.exists():
            for line in path.read_text().splitlines():
                if line.startswith("cdef inline"):
                    signature = line
                    if "(" in line and ")" not in line:
                        continue  # the closing line is checked below
                    assert "noexcept nogil" in signature, f"{path.name}: {line}"
            bodies = re.findall(r"cdef inline[^\"]*?:\n", path.read_text())
            assert all("noexcept nogil:" in body for body in bodies), path.name


def test_the_command_line_reaches_no_room() -> None:
    for path in (ROOT / "bog" / "cli").glob("*.py"):
        text = path.read_text()
        reached = set(re.findall(r"bog\._core\.(\w+)", text))
        assert not reached & (ROOMS | STEP), f"{path.name} reaches {reached}"
