"""A second run of the same account: what it began with is not what it earned."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def run(tmp_path: Path, report: str) -> dict[str, Any]:
    """Trade twenty seconds, tightly, of the built-in market on the account of `tmp_path`; return the report."""
    (tmp_path / "shm").mkdir(mode=0o700, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "bog.cli.live", "--market", "1", "--speed", "max", "--duration",
         "20s", "--journal", "journal", "--feed-dir", "shm", "--report", report],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BOG_STRATEGY__SIMPLE_SPREAD__SPREAD_BPS": "0.5"},
        capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((tmp_path / report).read_text())
    return found


def test_a_run_that_begins_with_a_position_has_a_report_that_adds_up(tmp_path: Path) -> None:
    first, second = run(tmp_path, "1.json"), run(tmp_path, "2.json")
    assert Decimal(first["inventory"]["position"]) != 0
    assert first["run"]["ended"] == second["run"]["ended"] == "duration"
    # capture + inventory + fees + funding is the change of equity: build() refuses any other report
    pnl = second["pnl"]
    parts = [Decimal(pnl[part]) for part in ("capture", "inventory", "fees", "funding")]
    assert sum(parts) == Decimal(pnl["total"])
