"""The official SDK, unmodified, creates, sees, modifies, cancels and trades on bog-exchange."""

import json
import subprocess
import sys
from pathlib import Path

from tests.rig.exchange import ROOT, Exchange


def test_the_official_sdk_passes_a_script_of_operations(tmp_path: Path) -> None:
    options = ("--flow", "none", "--tier-latency", "0", "--account", "1000", "--account", "1001")
    with Exchange(tmp_path, *options) as exchange:
        ran = subprocess.run(
            [sys.executable, "-m", "tests.rig.sdk_script", exchange.url, exchange.ws_url,
             str(tmp_path / "keys")],
            cwd=ROOT, capture_output=True, text=True, timeout=500, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr[-3000:]
        done = json.loads(ran.stdout.splitlines()[-1])
        assert len(done) >= 30, done
        god = exchange.ask(do="god")
        account = god["accounts"]["1000"]
        assert account["positions"]["1"]["lots"] == 0
        assert [order["client"] for order in account["orders"]] == [20, 21, 22]
        assert account["cash"] == account["collateral"]
        assert account["fees"] == sum(
            trade["taker_fee"]
            for trade in god["trades"]
            if 1000 in (trade["ask"][2], trade["bid"][2])
        )
