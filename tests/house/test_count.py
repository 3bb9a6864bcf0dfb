"""The counts of instructions catch what they are there for, and the counted code is C alone."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
# a stage, its header, and where it begins: a line of a file after which 5 % of a requote's instructions
# are planted
STAGES = {
    "book": ("book.h", "book.h", "static inline int bog_book_full(const bog_record_t *record)\n{\n"),
    "strategy": ("fixed.h", "fixed.h", "static inline int64_t bog_ceil_div(int64_t a, int64_t b)\n{\n"),
    "risk": (
        "risk.h", "risk.pxd",
        '    """Take a token that was seen in this same turn, by whoever allowed the request."""\n',
    ),
    "orders": (
        "orders.h", "orders.pxd",
        '    """Do what orders_amend does to an order that the venue took, where there is something to'
        ' amend."""\n',
    ),
    "journal": (
        "journal.h", "journal.h",
        "static inline uint32_t bog_journal_sealed(const bog_journal_t *journal, uint32_t crc,\n"
        "                                          const bog_journal_rec_t *rec, uint64_t seq,\n"
        "                                          bog_journal_rec_t *slot)\n{\n",
    ),
}  # fmt: skip
PLANTED = """
#include <stdlib.h>
static int planted;
__attribute__((constructor)) static void plant(void)
{
    const char *text = getenv("PLANTED");
    planted = text ? atoi(text) : 0;
}
static inline void slow(int stage)
{
    if (planted == stage)
        for (int i = 0; i < 18; i++)
            __asm__ volatile("nop\\n nop" ::: "memory");
}
"""


def count(folder: Path) -> ModuleType:
    """Import benchmarks/count.py of a tree."""
    spec = importlib.util.spec_from_file_location("count", folder / "benchmarks" / "count.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def need(program: str) -> None:
    if shutil.which(program) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")


def test_the_table_has_every_turn_and_a_turn_off_by_more_than_one_percent_is_named() -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        from scenarios import SCENARIOS
    finally:
        sys.path.pop(0)
    table = json.loads((ROOT / "benchmarks" / "counts.json").read_text())["turns"]
    assert list(table) == [scenario.name for scenario in SCENARIOS]
    changed = count(ROOT).changed
    assert changed(table, table) == []
    for name, was in table.items():
        assert changed(table, table | {name: was * 1.005}) == []
        for slower in (1.05, 0.95):
            (line,) = changed(table, table | {name: was * slower})
            assert line.startswith(f"{name}:")
        assert len(changed(table, {k: v for k, v in table.items() if k != name})) == 1


def test_a_planted_slowdown_of_five_percent_in_any_stage_is_caught(tmp_path: Path) -> None:
    need("valgrind")
    tree = tmp_path / "tree"
    shutil.copytree(
        ROOT / "bog", tree / "bog", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    shutil.copytree(ROOT / "benchmarks", tree / "benchmarks")
    for name in ("setup.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tree / name)
    core = tree / "bog" / "_core"
    (core / "planted.h").write_text(f"#ifndef PLANTED_H\n#define PLANTED_H\n{PLANTED}\n#endif\n")
    for number, (header, name, start) in enumerate(STAGES.values(), start=1):
        text = (core / header).read_text()
        (core / header).write_text(
            re.sub(r"(#define BOG_\w+_H\n)", r'\1#include "planted.h"\n', text)
        )
        text = (core / name).read_text()
        assert text.count(start) == 1, name
        text = text.replace(start, f"{start}    slow({number});\n")
        if name != header:
            extern = f'cdef extern from "{header}" nogil:\n'
            text = text.replace(extern, f"{extern}    void slow(int stage)\n")
        (core / name).write_text(text)
    subject = count(tree)
    subject.build()

    def turns(stage: int) -> dict[str, float]:
        folder = tmp_path / str(stage)
        folder.mkdir()
        os.environ["PLANTED"] = str(stage)
        try:
            totals = subject.counts(folder)
        finally:
            del os.environ["PLANTED"]
        return {str(i): total / subject.TURNS for i, total in enumerate(totals)}

    honest = turns(0)
    assert len(honest) > 20
    for number, stage in enumerate(STAGES, start=1):
        slower = turns(number)
        assert subject.changed(honest, slower), stage
        # what is planted is what is meant: 5 % of a requote, which is turn 2, or more
        assert slower["2"] >= honest["2"] * 1.05, stage


def test_the_counted_functions_call_no_python(tmp_path: Path) -> None:
    """Everything from the step to the journal is C: neither the interpreter nor the GIL is named."""
    done = subprocess.run(
        [
            sys.executable, "-m", "cython", "-3", "--module-name", "bog._core.engine", "-X",
            "boundscheck=False,wraparound=False,cdivision=True,initializedcheck=False",
            str(ROOT / "bog" / "_core" / "engine.pyx"), "-o", str(tmp_path / "engine.c"),
        ],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    source = re.sub(r"/\*.*?\*/", "", (tmp_path / "engine.c").read_text(), flags=re.S)
    hot = re.compile(
        r"^static [^;{}=]*?__pyx_f_3bog_5_core_\d+"
        r"((?:engine|book|risk|strategy|orders|breaker|freshness|position|quota|journal)\w*)"
        r"\([^;{}]*\)\s*\{\n(.*?)^\}",
        flags=re.S | re.M,
    )
    found = {match[1]: match[2] for match in hot.finditer(source)}
    bodies = {name: body for name, body in found.items() if "EngineProbe" not in name}
    for name in ("engine_engine_step", "engine_side_engine_side", "risk_risk_weigh"):
        assert any(each.endswith(name) for each in bodies), (name, sorted(bodies))
    assert "engine_measured_turn" in bodies
    python = re.compile(r"\bPy[A-Z_]\w*|__Pyx_(?!RefNanny)\w+|\bGIL\b")
    assert {
        name: python.findall(body) for name, body in bodies.items() if python.search(body)
    } == {}
