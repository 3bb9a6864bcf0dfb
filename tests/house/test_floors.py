"""Who may reach whom: the cimport and include lines of the core, the import lines of the shell.

Every file of the core stands on one floor below; one that stands on none fails the first test.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "bog" / "_core"

# what things are; depth and notes are memory with the verbs that keep it whole, as a list has
NOUNS = {
    "apart", "atomic", "clock", "crc32c", "depth", "exposure", "fixed", "guard", "hist", "huginn", "level",
    "memory", "notes", "record", "rng", "types",
}  # fmt: skip
# what must be true in the market: verbs on structs that the engine, or the loop, hands them
ROOMS = {
    "book", "breaker", "connection", "freshness", "measure", "orders", "portfolio", "position",
    "repeats", "risk",
}  # fmt: skip
# what we want resting is a house of its own, each room on top of those before it
STRATEGY = ["quota", "lifecycle", "volatility", "signals", "strategy", "grid", "inventory"]
# the paper venue is four rooms, each on top of those before it; `paper` is its plug
PAPER = ["paper_state", "paper_fills", "paper_orders", "paper"]
# the step: what it remembers, what it watches, the act on a side, and the turn itself
STEP = {
    "engine", "engine_ask", "engine_box", "engine_calm", "engine_grid", "engine_side", "engine_state",
    "engine_strategy", "engine_watch",
}  # fmt: skip
# the built-in market is one house of its own behind the plug `market`
MARKET = {
    "market", "market_flow", "market_match", "market_out", "market_send", "market_step",
    "market_venue",
}  # fmt: skip
# contact with the world: files, shared memory, frames, the page that the shell reads
WORLD = {
    "frames", "journal", "l3", "link", "publisher", "pump", "reader", "recorder", "recording", "refusal",
    "shm", "source", "stats", "stream",
}  # fmt: skip
# numbers in double for the loop, between two turns; the step never reaches them
COLD = ["calibrate", "coefficients"]
# what a lane shows, what it times, the lane, and the loop that turns over lanes: each on those before it
LOOP = ["show", "stages", "lane", "loop"]
# cold drivers of rooms, for tests, recovery and backtests; nothing imports them but Python
DRIVERS = {"adversary", "backtest", "fold"}
# times the step and the ends of the feed; nothing imports it but benchmarks
PROBES = {"bench"}
# keys and signatures: bytes in, bytes out; knows the venue's transactions and nothing of trading
SIGN = {"schnorr", "signer"}
FLOORS = [
    NOUNS, ROOMS, set(STRATEGY), set(PAPER), STEP, MARKET, WORLD, set(COLD), set(LOOP), DRIVERS,
    PROBES, SIGN,
]  # fmt: skip

# what a module of each floor may cimport, itself apart
MAY_REACH = {
    **dict.fromkeys(NOUNS, NOUNS),
    **dict.fromkeys(ROOMS, NOUNS),
    **{name: NOUNS | set(PAPER[:at]) for at, name in enumerate(PAPER)},
    **{name: NOUNS | set(STRATEGY[:at]) for at, name in enumerate(STRATEGY)},
    **{name: NOUNS | set(STRATEGY) | set(COLD[:at]) for at, name in enumerate(COLD)},
    **dict.fromkeys(STEP, NOUNS | ROOMS | set(STRATEGY) | STEP),
    **dict.fromkeys(MARKET, NOUNS | MARKET),
    **dict.fromkeys(WORLD, NOUNS | WORLD),
    **dict.fromkeys(SIGN, SIGN | {"memory"}),
    **{
        name: NOUNS
        | ROOMS
        | {*STRATEGY, *COLD}
        | STEP
        | {"paper", "paper_state", "market"}
        | WORLD
        | set(LOOP[:at])
        for at, name in enumerate(LOOP)
    },
    **dict.fromkeys(DRIVERS, NOUNS | ROOMS | set(STRATEGY) | {"paper", "paper_state", "source"}),
    "bench": NOUNS | STEP | WORLD | {"strategy"},
}
# each with its reason
EXCEPTIONS = {
    ("stats.pxd", "measure"): "the page holds the struct that the loop measures into",
    ("stats.pyx", "measure"): "and shows it",
    ("pump.pyx", "market"): "the pump steps the built-in market of a feed process",
    ("pump.pxd", "market"): "the pump steps the built-in market of a feed process",
    ("engine.pyx", "journal"): "the probe seals records as the loop does, so that a count is whole",
}
PYTHON = {"__init__", "market_frames", "market_model", "market_script", "recording_file"}


def cimports(path: Path) -> set[str]:
    """Return the rooms of bog._core that a Cython file cimports."""
    text = path.read_text()
    found = re.findall(r"^\s*from bog\._core\.(\w+) cimport", text, flags=re.M)
    found += re.findall(r"^\s*cimport bog\._core\.(\w+)", text, flags=re.M)
    for names in re.findall(r"^\s*from bog\._core cimport ([\w, ]+)", text, flags=re.M):
        found += [name.strip() for name in names.split(",")]
    return {name for name in found if name != path.stem}


def code(path: Path) -> str:
    """Return a Cython file without docstrings and comments."""
    return re.sub(r'""".*?"""|#[^\n]*', "", path.read_text(), flags=re.S)


CYTHON = sorted([*CORE.glob("*.pxd"), *CORE.glob("*.pyx")])
HOT = sorted(CORE / f"{name}.pxd" for name in ROOMS | STEP | {*STRATEGY, *PAPER})


def test_every_file_of_the_core_stands_on_one_floor() -> None:
    for path in CYTHON:
        on = [floor for floor in FLOORS if path.stem in floor]
        assert len(on) == 1, f"{path.name} stands on {len(on)} floors: name it in FLOORS"
    assert {path.stem for path in CORE.glob("*.py")} <= PYTHON
    present = {path.stem for path in CYTHON}
    assert set().union(*FLOORS) <= present, "a floor names a file that is not there"


@pytest.mark.parametrize("path", CYTHON, ids=lambda path: path.name)
def test_a_file_reaches_only_what_its_floor_may(path: Path) -> None:
    allowed = MAY_REACH[path.stem] | {name for file, name in EXCEPTIONS if file == path.name}
    assert cimports(path) <= allowed, f"{path.name} reaches {cimports(path) - allowed}"


def test_every_exception_is_in_use() -> None:
    for file, name in EXCEPTIONS:
        assert name in cimports(CORE / file), f"{file} does not reach {name} any more"


def test_headers_include_libc_and_each_other() -> None:
    names = {path.name for path in CORE.glob("*.h")}
    for path in CORE.glob("*.h"):
        assert set(re.findall(r'^#include "([^"]+)"', path.read_text(), flags=re.M)) <= names


def test_the_signers_headers_include_libc_and_each_other() -> None:
    """What can be read without the rest of the house can be judged without it."""
    names = {path.name for path in CORE.glob("sign/*.h")}
    assert names
    for path in CORE.glob("sign/*.h"):
        assert set(re.findall(r'^#include "([^"]+)"', path.read_text(), flags=re.M)) <= names


@pytest.mark.parametrize("path", HOT, ids=lambda path: path.name)
def test_the_step_reads_no_clock_makes_no_call_and_has_no_float(path: Path) -> None:
    banned = r"\b(clock_gettime|time\(|rand|malloc|calloc|realloc|printf|double|float|syscall)\b"
    found = [line for line in code(path).splitlines() if re.search(banned, line)]
    if path.stem == "measure":
        # time integrals of the report, for people to read; no decision comes from them
        found = [line for line in found if "double" not in line]
    if path.stem == "paper_state":
        # its memory is taken once, before the first turn
        found = [line for line in found if "alloc" not in line]
    assert not found, f"{path.name}: {found}"


@pytest.mark.parametrize("path", HOT, ids=lambda path: path.name)
def test_hot_verbs_never_touch_python(path: Path) -> None:
    heads = re.findall(r"^cdef (?:inline )?[\w* ]+\([^)]*\)[^\n]*:$", code(path), flags=re.M | re.S)
    assert heads, f"{path.name} has no verbs"
    for head in heads:
        assert head.endswith("noexcept nogil:"), f"{path.name}: {head}"


def imports(path: Path) -> set[str]:
    """Return the modules that a Python file imports, dotted."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "bog").rglob("*.py")),
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_the_shell_reaches_no_room_and_nothing_imports_the_command_line(path: Path) -> None:
    reached = imports(path)
    rooms = {f"bog._core.{name}" for name in ROOMS | STEP | {*STRATEGY, *PAPER, "adversary"}}
    assert not reached & rooms, f"{path.name} reaches {reached & rooms}"
    if path.parent.name == "exchange":
        assert not {name for name in reached if name.startswith("bog.lighter")}, path.name
        assert not reached & {"bog._core.signer"}, (
            "the exchange has its own layout of a transaction"
        )
    elif path.name != "exchange.py":
        assert not {name for name in reached if name.startswith("bog.exchange")}, path.name
    if path.parent.name != "cli":
        assert not {name for name in reached if name.startswith("bog.cli")}, path.name
