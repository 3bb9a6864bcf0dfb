"""The histograms of the stats page: whole turns, and the sampled parts of a turn."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from bog._core.stats import STAGE_NAMES, StatsPage
from tests.rig.session import trade

NAMES = ("turn", "order_turn", *STAGE_NAMES)
INVENTORY = {"strategy": {"name": "inventory", "inventory": {"warm_samples": 20}}}


def traded(folder: Path, **how: Any) -> tuple[dict[str, Any], StatsPage]:
    page, _, code = trade(folder, **how)
    assert code == 0
    return page, StatsPage.open(str(folder / "page"))


@pytest.mark.parametrize("flags", [{}, INVENTORY], ids=["simple_spread", "inventory"])
def test_parts_of_turns_are_sampled(tmp_path: Path, flags: dict[str, Any]) -> None:
    page, shown = traded(tmp_path, seconds=1200, flags=flags)
    found = shown.histograms()
    count = {name: found[name]["below"][-1] for name in found}
    assert set(count) == set(NAMES)
    assert (
        count["turn"] == page["turn"]["count"]
        and count["order_turn"] == page["order_turn"]["count"]
    )
    # one turn in 512, where it showed a book
    assert 0 < count["book"] <= page["turns"] / 512 + 1
    assert abs(count["book"] - count["turn"] / 512) < 0.5 * count["turn"] / 512
    assert 0 < count["strategy"] <= count["book"]
    assert 0 < count["risk"] <= count["strategy"]
    commands = page["placed"] + page["amended"] + page["canceled"] + page["cancel_all"]
    assert 0 < count["execution"] <= commands / 256 + 1
    assert count["read"] == 0  # there is no feed in shared memory


def test_histograms_add_up(tmp_path: Path) -> None:
    _, shown = traded(tmp_path, seconds=30)
    for name, found in shown.histograms().items():
        below, samples = found["below"], shown.samples(name)
        assert below == sorted(below) and len(below) == 32
        assert below[-1] == sum(samples.values())
        for octave, n in zip(range(4, 35), below[:-1], strict=True):
            assert n == sum(m for floor, m in samples.items() if floor < 2**octave)
        least = sum(floor * n for floor, n in samples.items())
        assert least <= found["sum"] <= 1.125 * least + 1
        assert max(samples, default=0) <= found["max"] <= 1.125 * max(samples, default=0)
        running = list(itertools.accumulate(samples.values()))
        for key, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)):
            at = next(
                (f for f, n in zip(samples, running, strict=True) if n >= share * below[-1]), 0
            )
            assert found[key] == at, (name, key)


def test_a_name_that_is_no_histogram(tmp_path: Path) -> None:
    _, shown = traded(tmp_path, seconds=1)
    with pytest.raises(KeyError, match="execute"):
        shown.samples("execute")
