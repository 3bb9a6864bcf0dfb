"""kill -9 of real engine processes: nothing that was durable is lost, nothing is made up."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KILLS = 1_000


@pytest.mark.timeout(1_200)
def test_a_thousand_kills_leave_no_difference_to_an_unharmed_life(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "rig" / "kill_engine.py"), tmp_path, str(KILLS), "1"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH") or str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    print(done.stdout)
    assert result["differences"] == []
    assert result["kills"] >= KILLS
    # the kills met every part of a life: before it was ready, while trading, and after its end
    assert result["void"] > KILLS // 50
    assert result["ready"] - result["ended"] > KILLS // 10
    assert result["fills"] > KILLS and result["canceled"] > KILLS // 20
