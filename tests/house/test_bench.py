"""The benchmarks catch a planted cheat and name it; two of their reports can be compared."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def blocks() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        yield importlib.import_module("blocks")
    finally:
        sys.path.pop(0)


def case(blocks: ModuleType, name: str) -> Any:
    (found,) = (case for case in blocks.CASES if case.name == name)
    return found


def test_every_case_is_what_its_name_says(blocks: ModuleType) -> None:
    assert [case.name for case in blocks.CASES[:3]] == ["unchanged", "hold", "requote both"]
    for one in blocks.CASES:
        found = blocks.measure(one, 20)
        assert 0 < found["turn"] <= found["turn_p5"] and found["reference"] > 0


def test_a_rejected_quote_is_caught(blocks: ModuleType) -> None:
    cheap = replace(case(blocks, "requote both"), limits={"max_long": 5})
    with pytest.raises(
        blocks.Cheat, match=r"^bench: requote both: quotes were refused for DENY_POSITION$"
    ):
        blocks.measure(cheap, 20)


def test_a_turn_that_gives_no_command_is_caught(blocks: ModuleType) -> None:
    # a move of one tick is not worth a new quote
    idle = replace(case(blocks, "requote both"), first=10_001)
    with pytest.raises(
        blocks.Cheat, match=r"^bench: requote both: 0 commands, not 10240: 2 a turn$"
    ):
        blocks.measure(idle, 20)


def test_a_repeated_input_is_caught(blocks: ModuleType) -> None:
    still = replace(case(blocks, "hold"), book=lambda mid: blocks.around(10_000))
    with pytest.raises(blocks.Cheat, match=r"^bench: hold: the touch moved 0 times in 16 inputs"):
        blocks.measure(still, 20)
    same = replace(case(blocks, "unchanged"), book=lambda mid: blocks.touch(10_000))
    with pytest.raises(
        blocks.Cheat, match=r"^bench: unchanged: 16 of 16 inputs repeat the one before them$"
    ):
        blocks.measure(same, 20)


def test_every_check_of_the_gate_refuses_before_anything_is_timed(blocks: ModuleType) -> None:
    assert blocks.prove() == len(blocks.PROOFS) > 20
    # none of them is asked for by a level alone, or twice
    assert len({(proof.verdict, *proof.limits) for proof in blocks.PROOFS}) == len(blocks.PROOFS)


def test_a_skipped_check_is_caught(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(
        ROOT / "bog", tree / "bog", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    for name in ("setup.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tree / name)
    header = tree / "bog" / "_core" / "risk.h"
    start = "static inline int bog_past_collar(bog_px_t px, bog_px_t mid2, bog_ppm_t ppm)\n{\n"
    text = header.read_text()
    assert text.count(start) == 1
    # a cheat: a quarter of the price counts as no distance
    header.write_text(text.replace(start, f"{start}    if (px > mid2 / 8)\n        return 0;\n"))
    library = tmp_path / "lib"
    done = subprocess.run(
        [
            sys.executable, "setup.py", "-q", "build_ext", "--build-lib", str(library),
            "--build-temp", str(tmp_path / "temp"),
        ],
        cwd=tree, env=os.environ | {"BOG_ROOMS": "bench,types"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    program = (
        f"import sys, bog._core\nbog._core.__path__.insert(0, {str(library / 'bog' / '_core')!r})\n"
        f"sys.path.insert(0, {str(ROOT / 'benchmarks')!r})\nimport blocks\nblocks.prove()"
    )
    caught = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert caught.returncode == 1
    assert caught.stderr.startswith("bench: DENY_COLLAR was not the answer to 2 commands past it")


def test_a_ratio_a_tenth_above_its_baseline_is_named(blocks: ModuleType) -> None:
    table = {"unchanged": 0.1, "hold": 0.3}
    assert blocks.slower(table, {"unchanged": 0.109, "hold": 0.2}) == []
    (line,) = blocks.slower(table, {"unchanged": 0.1, "hold": 0.331})
    assert line.startswith("hold: ratio 0.331")
    assert len(blocks.slower(table, {"unchanged": 0.1, "requote": 1.0})) == 2


def test_a_committed_baseline_has_every_case_and_says_whose_it_is(blocks: ModuleType) -> None:
    found = sorted((ROOT / "benchmarks" / "baselines").glob("*.json"))
    assert found
    for path in found:
        table = json.loads(path.read_text())
        assert table["cpu"] and table["compiler"].startswith("gcc ")
        assert list(table["ratios"]) == [case.name for case in blocks.CASES]


def compare(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "compare_runs.py"), *map(str, arguments)],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_two_reports_are_compared(tmp_path: Path) -> None:
    def report(name: str, ratio: float, median: float, cpu: str = "some") -> Path:
        path = tmp_path / name
        path.write_text(json.dumps({
            "host": {"cpu": cpu, "kernel": "6", "load": "1"}, "blocks": {"hold": {"ratio": ratio}},
            "rooms": {"bench_book.py::test_x": {"median_ns": median}},
        }))  # fmt: skip
        return path

    one, same, slow = report("a", 0.3, 100), report("b", 0.31, 300), report("c", 0.4, 100)
    done = compare(one, same)
    assert done.returncode == 0
    assert "rooms / bench_book.py::test_x / median_ns" in done.stdout and "3.000" in done.stdout
    done = compare(one, slow)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "bench-compare: hold: 1.33 times as long"
    assert "not alike: cpu: some / other" in compare(one, report("d", 0.3, 1, "other")).stdout


def test_a_file_that_is_no_report_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("[]")
    done = compare(tmp_path / "x", tmp_path / "y")
    assert done.returncode == 2 and done.stderr.startswith(f"bench-compare: {tmp_path / 'x'}: ")
    assert compare(tmp_path / "x").returncode == 2
