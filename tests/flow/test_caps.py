"""BOG_CAPS=conservative: a build whose limits no configuration can exceed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bog import config
from tests.rig.live import ROOT, environment

ASK = """
import json, sys
from bog._core.risk import Cap, RiskProbe, caps, over_caps
assert "capped" in sys.modules["bog._core.risk"].__file__
answers = []
for limits in json.loads(sys.argv[1]):
    try:
        RiskProbe(1, 5, **limits)
        refused = 0
    except ValueError as error:
        assert str(error).startswith("limits pass a compiled cap: ")
        refused = int(str(error).rsplit(" ", 1)[1])
    answers.append(Cap(refused).name)
print(json.dumps({"caps": caps(1, 5), "answers": answers}))
"""


@pytest.fixture(scope="module")
def capped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project in which the gate, and only it, is built with the caps."""
    place = tmp_path_factory.mktemp("capped")
    # beside the other rooms as they are built, the gate's source and what it includes
    shutil.copytree(
        ROOT / "bog", place / "bog", ignore=shutil.ignore_patterns("*.pyx", "risk.*.so", "*.pyc")
    )
    shutil.copy(ROOT / "bog/_core/risk.pyx", place / "bog/_core")
    shutil.copy(ROOT / "setup.py", place)
    shutil.copy(ROOT / "pyproject.toml", place)
    done = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--inplace"], cwd=place, capture_output=True,
        env=environment(BOG_CAPS="conservative", PYTHONPATH=str(place), BOG_JOBS="1"), text=True,
        check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return place


def ask(capped: Path, *limits: dict[str, int]) -> dict[str, object]:
    """Return the capped build's caps, and which cap refuses each set of limits."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(limits)], cwd=capped, capture_output=True,
        env=environment(PYTHONPATH=str(capped)), text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_conservative_build_refuses_each_limit_one_step_past_its_cap(capped: Path) -> None:
    # 0.5 base in lots, 0.1 base in lots, 100 USD in quanta
    most = {
        "max_long": 50_000,
        "max_short": 50_000,
        "max_order": 10_000,
        "max_daily_loss": 100_000_000,
    }
    past = [most | {name: value + 1} for name, value in most.items()]
    said = ask(capped, most, *past)
    assert said["caps"] == {"position": 50_000, "order": 10_000, "loss": 100_000_000}
    assert said["answers"] == ["CAP_NONE", "CAP_LONG", "CAP_SHORT", "CAP_ORDER", "CAP_DAILY_LOSS"]


def test_conservative_build_judges_the_shipped_configurations(capped: Path) -> None:
    names = ("max_long", "max_short", "max_order", "max_daily_loss")

    def limits(name: str | None, **variables: str) -> dict[str, int]:
        every = config.load(name, environ=variables).limits(1)
        return {key: every[key] for key in names}

    loss = {
        "BOG_RISK__MAX_DAILY_LOSS": "100",
        "BOG_MONITORING__ALERTS__DAILY_LOSS_ALERT_THRESHOLD": "50",
    }
    said = ask(
        capped, limits(None), limits("development"), limits("production"), limits(None, **loss)
    )
    # the defaults allow 500 USD a day, production 1 base: both say so instead of trading
    assert said["answers"] == ["CAP_DAILY_LOSS", "CAP_DAILY_LOSS", "CAP_LONG", "CAP_NONE"]


def test_default_build_has_no_caps() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from bog._core.risk import caps; print(caps(1, 5))"], cwd=ROOT,
        env=environment(), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "None\n"
