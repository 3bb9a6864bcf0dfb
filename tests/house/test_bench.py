"""The benchmarks catch a planted cheat and name it; two of their reports can be compared."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bog._core.types import Verdict

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def benchmark_of() -> Iterator[Callable[[str], ModuleType]]:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        yield importlib.import_module
    finally:
        sys.path.pop(0)


@pytest.fixture
def blocks(benchmark_of: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_of("blocks")


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


# two processes


@pytest.fixture
def crossing(benchmark_of: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_of("crossing")


@contextmanager
def pair(crossing: ModuleType) -> Iterator[Any]:
    """Give a feed and an engine on two cores, with a few round trips only."""
    assert len(os.sched_getaffinity(0)) > 1, "these benchmarks take two cores"
    with crossing.pair_of_cores(2.5, pings=20) as made:
        made.patience_s = 3.0
        yield made


def test_a_tick_crosses_to_the_loop_and_its_commands_come_back(crossing: ModuleType) -> None:
    with pair(crossing) as made:
        found = {
            one.name: crossing.measure(made, one, windows=2, messages=1200, warm=10)
            for one in crossing.CASES
        }
    assert list(found) == ["requote both", "hold", "requote both, ten rows"]
    for one in found.values():
        assert one["messages"] == 2400
        assert 0 < one["stored"]["p50"] <= one["stored"]["p99"]
        assert one["stored"]["p50 trips"] == one["stored"]["p50"] / one["round trip"]["p50"]
    both = found["requote both"]
    assert both["published"]["p50"] < both["seen"]["p50"] and "seen" not in found["hold"]
    # a turn in 512 is looked at, and a command in 256
    assert sum(both["samples"]["order_turn"].values()) >= 2 * 1210
    assert all(both["samples"][stage] for stage in crossing.STAGES)


def test_only_a_lost_connection_is_the_hosts_doing(crossing: ModuleType) -> None:
    """Then a window is taken anew; any other refusal is a quote that was not timed."""
    for denied, kind in (
        ({Verdict.DENY_CONNECTION: 2}, crossing.Stopped),
        ({Verdict.DENY_RATE: 1}, crossing.Cheat),
        ({Verdict.DENY_CONNECTION: 2, Verdict.DENY_STALE: 1}, crossing.Cheat),
        ({}, crossing.Cheat),
    ):
        counts = {int(verdict): n for verdict, n in denied.items()}
        page = {"denied": [counts.get(i, 0) for i in range(int(Verdict.VERDICTS))]}
        assert crossing.kind_of(crossing.refusals(page)) is kind


def test_messages_that_give_fewer_commands_are_caught(crossing: ModuleType) -> None:
    requote, hold, _ = crossing.CASES
    with pair(crossing) as made:
        idle = replace(requote, even=hold.even, odd=hold.odd)
        with pytest.raises(
            crossing.Cheat,
            match=r"^bench: requote both: message 0 was answered by 0 commands, not 2$",
        ):
            made.window(idle, 20, 0)
        # more than it says are caught, too: an amend that nobody takes is counted
        with pytest.raises(crossing.Cheat, match=r"^bench: hold: \d+ amends, not 0"):
            made.window(replace(hold, even=requote.even, odd=requote.odd), 20, 0)


def test_a_message_that_repeats_the_one_before_is_caught(crossing: ModuleType) -> None:
    hold = crossing.CASES[1]
    with pair(crossing) as made, pytest.raises(
        crossing.Cheat, match=r"^bench: hold: \d+ books for 20 messages, \d+ with the same touch$"
    ):  # fmt: skip
        made.window(replace(hold, odd=hold.even), 20, 0)


def test_quotes_that_the_gate_refuses_do_not_cross(crossing: ModuleType) -> None:
    with pair(crossing) as made, pytest.raises(
        crossing.Cheat, match=r"^bench: requote both: no quotes, refused .* for DENY_POSITION"
    ):  # fmt: skip
        made.window(replace(crossing.CASES[0], limits={"max_long": 5, "max_short": 5}), 20, 0)


def test_round_trips_that_are_slow_or_change_are_taken_anew(crossing: ModuleType) -> None:
    class Far:
        """A pair whose cores are apart in the first window, then near."""

        number = 1

        def __init__(self) -> None:
            self.trips = iter([110.0, 460.0, 110.0, 112.0, 111.0])

        def round_trips(self) -> Any:
            return crossing.np.full(3, next(self.trips))

        def window(self, case: Any, messages: int, warm: int) -> dict[str, Any]:
            samples = {stage: {100: 1} for stage in crossing.STAGES}
            return {"ns": crossing.np.full((messages, 3), 165), "samples": samples}

    found = crossing.measure(Far(), crossing.CASES[0], windows=2, messages=5)
    assert (found["far"], found["near"], found["messages"]) == (2, True, 10)
    assert found["round trip"]["p50"] == 111.5 and found["stored"]["p50 trips"] == 165 / 111.5


# one thread, many markets


def test_many_markets_each_do_what_the_case_says(
    benchmark_of: Callable[[str], ModuleType],
) -> None:
    markets = benchmark_of("markets")
    found = markets.collect(rounds=1, counts=(1, 3), messages=markets.LEAST)
    assert list(found) == ["requote both", "hold"]
    assert all(list(by_count) == ["1", "3"] for by_count in found.values())


def test_a_market_that_does_less_than_the_case_says_is_caught(
    benchmark_of: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    markets = benchmark_of("markets")
    requote, hold = markets.CASES
    for number, (cheap, words) in enumerate((
        (replace(requote, even=hold.even, odd=hold.odd), r"0 amends, not \d+$"),
        (replace(requote, limits={"max_long": 5}), "quotes were refused .* for DENY_POSITION"),
        (replace(hold, odd=hold.even), r"\d+ books for 40 messages, \d+ unchanged$"),
    )):  # fmt: skip
        markets.record(tmp_path / f"{number}.tape", cheap, 40)
        with pytest.raises(markets.Cheat, match=f"^bench: {cheap.name}, market 0: {words}"):
            markets.run(tmp_path / str(number), tmp_path / f"{number}.tape", cheap, 2, 40)


# from a socket, and from the start


def test_a_frame_on_a_socket_becomes_commands(
    benchmark_of: Callable[[str], ModuleType],
) -> None:
    wire = benchmark_of("wire")
    found = wire.measure(messages=20, warm=2)
    assert 0 < found["p50"] <= found["p99"]
    with pytest.raises(wire.Cheat, match=r"^bench: requote both: 2 commands for a frame, not 1$"):
        wire.measure(replace(wire.CASES[0], commands=1), messages=2, warm=0)


def test_a_frame_on_a_socket_becomes_a_signed_order_on_another(
    benchmark_of: Callable[[str], ModuleType],
) -> None:
    path = benchmark_of("wire_to_wire")
    found = path.measure(messages=20, warm=2, sdk_messages=5)
    assert 0 < found["whole"]["p50"] <= found["whole"]["p99"]
    assert list(found["stages"]) == list(path.STAGES)
    assert sum(one["p50"] for one in found["stages"].values()) < 4 * found["stamped"]["p99"]
    assert found["official, http"]["times"] > 0 and found["official, socket"]["times"] > 0


def test_frames_that_give_no_order_or_two_are_caught(
    benchmark_of: Callable[[str], ModuleType],
) -> None:
    path = benchmark_of("wire_to_wire")
    hold = path.CASES[1]
    idle = replace(path.CASE, even=hold.even, odd=hold.odd)
    with pytest.raises(path.Cheat, match=r"^bench: one order: a frame was answered by no signed"):
        path.ours(idle, messages=4, warm=0)
    both = replace(path.CASE, strategy={}, pos=0)
    with pytest.raises(path.Cheat, match=r"^bench: one order: a frame was answered by two orders"):
        path.ours(both, messages=4, warm=0)


def test_an_order_that_is_not_well_signed_is_caught(
    benchmark_of: Callable[[str], ModuleType],
) -> None:
    path = benchmark_of("wire_to_wire")
    signer = path.signer_of(path.KEYS["trade"])
    orders = []
    for nonce, px in enumerate((9_995, 10_000, 9_995)):
        signed = signer.modify_order(nonce, 1_800_000_000_000, 1, 5, 10, px)
        orders.append(path.Order(0, signed.type, signed.text.decode()))
    path.check("x", orders, path.KEYS["trade"])
    first, second, third = orders
    forged = second._replace(info=second.info.replace("10000", "10001"))
    for cheat, words in (
        ([first, forged, third], "order 1 is not signed by the key"),
        ([first, third], "order 1 has nonce 2 after 0"),
        ([first, first], "order 1 has nonce 0 after 0"),
    ):
        with pytest.raises(path.Cheat, match=f"^bench: x: {words}$"):
            path.check("x", cheat, path.KEYS["trade"])


def test_bog_live_quotes_on_a_feed_and_its_memory_is_counted(
    benchmark_of: Callable[[str], ModuleType],
) -> None:
    found = benchmark_of("start").measure(rounds=1)
    assert 0 < found["feed to first order"] < found["start to first order"]
    assert 5 < found["engine resident"] < 200


def test_the_operations_guide_finds_its_names(
    benchmark_of: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    bench = benchmark_of("tick_to_trade")
    samples = {stage: {16: 98, 64: 2} for stage in bench.crossing.STAGES}
    report: dict[str, Any] = {"crossing": {"requote both": {"samples": samples}}}
    bench.say_guide(None, report)
    said = capsys.readouterr().out
    for name in ("Huginn read", "Strategy calc", "Risk validation", "Orderbook sync",
                 "Tick-to-trade", "OrderBook (L2)", "Position", "Signal",
                 "Total working set"):  # fmt: skip
        assert f"\n{name} " in said
    assert report["guide"]["latency_ns"]["Tick-to-trade"] == {"p50": 16, "p99": 64}
    assert report["guide"]["bytes"]["Position"] > 0
    assert report["guide"]["bytes"]["Total working set"] < 10_000_000


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
