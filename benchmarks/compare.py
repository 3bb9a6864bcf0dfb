"""Every strategy on every recording beside the project, on two tiers: `make compare`.

The numbers of a model (A, k, the lean on imbalance) are fitted on one recording and used on another;
gamma is a choice and fitted to nothing. Each line is one run of bog-live as fast as possible. Its
interval is a bootstrap over blocks of time: 2000 draws of as many blocks, 2.5 to 97.5 percent. Prints
the table of docs/strategies.md, or its data with --json FILE.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from bog._core.calibrate import CalibrationProbe
from bog._core.depth import DepthProbe
from bog._core.signals import imbalance
from bog._core.source import open_source
from bog._core.types import Fit, JournalKind, Side
from bog.journal import read

DATA = Path(__file__).resolve().parents[2] / "shared" / "market-data"
BEAT, SECOND = 100_000_000, 1_000_000_000
DRAWS, SEED = 2000, 1
TIERS = ("standard", "premium")
GAMMA = Decimal("0.01")  # risk aversion per USD and order held: 0.001 per tick of 0.1 USD
TAU_SEC = 10


@dataclass(frozen=True)
class Recording:
    """One data set: where it is, its scale, how long a block of the bootstrap is."""

    name: str
    file: str
    price_decimals: int
    size_decimals: int
    block_sec: int
    fitted_on: str
    flags: tuple[str, ...] = ()


RECORDINGS = [
    Recording("lighter-btc", "lighter-btc/events.csv.gz", 1, 5, 2, "binance-btcusdt-perp"),
    Recording("binance-btcusdt-perp", "binance-btcusdt-perp/events.csv.gz", 1, 3, 10,
              "lighter-btc", ("--config", "binance")),
    Recording("bitstamp-btcusd-l3", "bitstamp-btcusd-l3/orders.csv.gz", 2, 8, 30,
              "binance-btcusdt-perp", ("--price-decimals", "2", "--size-decimals", "8")),
]  # fmt: skip
STRATEGIES = {
    "simple_spread": {},
    "A-S, infinite": {"model": "as_infinite"},
    "A-S, tau 10 s": {"model": "as_tau"},
    "GLFT": {"model": "glft"},
    "GLFT, imbalance": {"model": "glft", "lean": "1"},
    "grid, one order": {"model": "grid"},
    "grid, three orders": {"model": "grid", "orders": "3"},
}


@dataclass(frozen=True)
class Fitted:
    """What one recording says: A per second and side; k and the lean per USD; its mids."""

    arrivals: float
    decay: float
    lean: float
    times: np.ndarray[Any, Any]
    mids2: np.ndarray[Any, Any]


def look(recording: Recording) -> Fitted:
    """Read a recording once: fit A and k as the engine does, and the lean by least squares.

    The lean is the mid's move in the next second, in USD, by the imbalance of the touch; sampled each
    100 ms. A and k are 0 where the fit is refused.
    """
    source = open_source(
        DATA / recording.file, 1, recording.price_decimals, recording.size_decimals
    )
    book, calibration = DepthProbe(), CalibrationProbe()
    tick = 10.0**-recording.price_decimals
    times, mids2, beats, leans, beat_mids2 = [], [], 0, [], []
    mid2, touch = 0, (0, 0)
    for row in source:
        while beats and row.recv_ns >= beats:
            calibration.interval(mid2)
            leans.append(imbalance(*touch) / 1e6)
            beat_mids2.append(mid2)
            beats += BEAT
        if row.kind == "R":
            book.reset()
        elif row.kind == "L":
            book.set(row.side, row.px, row.qty)
        elif row.kind == "T":
            calibration.print(row.side, row.px)
        if row.eom and row.kind in "RL":
            bid, ask = book.best(Side.BID), book.best(Side.ASK)
            if 0 < bid < ask:
                mid2 = bid + ask
                touch = (book.qty(Side.BID, bid), book.qty(Side.ASK, ask))
                times.append(row.recv_ns)
                mids2.append(mid2)
                beats = beats or row.recv_ns + BEAT
    fit, arrivals, decay = calibration.fit()
    if fit != Fit.FIT_GOOD:
        arrivals = decay = 0.0
    lean = np.array(leans[:-10])
    move = np.diff(np.array(beat_mids2), 1)
    ahead = np.array([move[i : i + 10].sum() for i in range(len(lean))]) / 2 * tick
    slope = float(np.cov(lean, ahead)[0, 1] / lean.var()) if lean.size and lean.var() else 0.0
    return Fitted(arrivals, decay / tick, slope, np.array(times), np.array(mids2))


def rounded(number: str | None) -> str:
    """Return a decimal of a report with two places, "-" for none."""
    return "-" if number is None else f"{Decimal(number):.2f}"


def text(value: float, digits: int) -> str:
    """Return a number as the configuration takes it."""
    return f"{value:.{digits}f}"


def variables(recording: Recording, fitted: Fitted, change: dict[str, str]) -> dict[str, str]:
    """Return the settings of one run as BOG_ variables."""
    tick = Decimal(1).scaleb(-recording.price_decimals)
    keys = {
        "gamma": str(GAMMA * tick), "tau_sec": str(TAU_SEC), "calibrate": "false",
        "arrivals": text(fitted.arrivals, 6), "decay": text(fitted.decay * float(tick), 9),
        "model": change.get("model", "glft"),
        "imbalance_ticks": text(fitted.lean / float(tick), 3) if "lean" in change else "0",
    }  # fmt: skip
    orders = change.get("orders", "1")
    keys["grid_orders"] = orders
    found = {f"BOG_STRATEGY__INVENTORY__{key.upper()}": value for key, value in keys.items()}
    if orders != "1":
        found["BOG_RISK__MAX_OPEN_ORDERS"] = str(2 * int(orders))
    return found


def command(recording: Recording, strategy: str, tier: str) -> list[str]:
    """Return the command of one run, without the place of its journal and report."""
    return [
        "bog-live", "--market", "1", "--feed", f"replay:{recording.file}", "--speed", "max",
        "--strategy", strategy, "--tier", tier, *recording.flags,
    ]  # fmt: skip


def run(
    recording: Recording, strategy: str, tier: str, settings: dict[str, str]
) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """Trade one recording; return the report and the journal's records."""
    kind = "simple_spread" if strategy == "simple_spread" else "inventory"
    with tempfile.TemporaryDirectory() as folder:
        report = f"{folder}/report.json"
        line = command(recording, kind, tier)
        line[line.index(f"replay:{recording.file}")] = f"replay:{DATA / recording.file}"
        done = subprocess.run(
            [sys.executable, "-m", "bog.cli.live", *line[1:], "--report", report,
             "--journal", f"{folder}/journal"],
            env={**os.environ, **settings, "BOG_MONITORING__LOG_FILE": f"{folder}/log"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"compare: {' '.join(line)}: exit code {done.returncode}: {done.stderr}")
        (journal,) = Path(folder, "journal").glob("*.journal")
        return json.loads(Path(report).read_text()), read(journal).records


def blocks(
    recording: Recording, seen: Fitted, records: np.ndarray[Any, Any], total: Decimal
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return profit and traded volume of each block of time, in quote money, at the mids.

    SystemExit when the blocks do not add up to the report's total.
    """
    money = 10.0 ** -(recording.price_decimals + recording.size_decimals)
    fills = records[records["kind"] == JournalKind.J_FILL]
    ends = np.arange(
        seen.times[0] + recording.block_sec * SECOND, seen.times[-1] + SECOND * 60,
        recording.block_sec * SECOND,
    )  # fmt: skip
    equity2 = [0]
    volume = [0]
    for end in ends:
        known = fills[fills["time_ns"] <= end]
        sign = np.where(known["side"] == Side.BID, 1, -1).tolist()
        px, qty, fee = (known[name].tolist() for name in ("px", "qty", "val"))
        held = sum(s * q for s, q in zip(sign, qty, strict=True))
        cash = -sum(s * q * p + f for s, q, p, f in zip(sign, qty, px, fee, strict=True))
        at = np.searchsorted(seen.times, end, side="right") - 1
        equity2.append(2 * cash + held * int(seen.mids2[at]))
        volume.append(sum(q * p for q, p in zip(qty, px, strict=True)))
        if end > seen.times[-1]:
            break
    if equity2[-1] != int(total * 2 * 10 ** (recording.price_decimals + recording.size_decimals)):
        sys.exit(f"compare: blocks make {equity2[-1] / 2 * money}, the report {total}")
    return np.diff(np.array(equity2)) / 2 * money, np.diff(np.array(volume)) * money


def intervals(
    profit: np.ndarray[Any, Any], volume: np.ndarray[Any, Any]
) -> tuple[tuple[float, float], tuple[float, float] | None]:
    """Return 2.5 and 97.5 percent, over draws of blocks, of profit and of its bps of volume.

    The second is None when a draw has no volume.
    """
    draw = np.random.default_rng(SEED).integers(0, profit.size, (DRAWS, profit.size))
    gained, traded = profit[draw].sum(axis=1), volume[draw].sum(axis=1)
    low, high = np.percentile(gained, [2.5, 97.5])
    if not (traded > 0).all():
        return (float(low), float(high)), None
    least, most = np.percentile(gained / traded * 10_000, [2.5, 97.5])
    return (float(low), float(high)), (float(least), float(most))


def main() -> int:
    """Print one line a run."""
    if not DATA.is_dir():
        print(f"compare: {DATA} is absent: the recordings beside the project are needed")
        return 1
    seen = {recording.name: look(recording) for recording in RECORDINGS}
    for name, fitted in seen.items():
        print(
            f"{name}: A {fitted.arrivals:.3f} per s and side, k {fitted.decay:.4f} per USD,"
            f" lean {fitted.lean:.4f} USD"
        )
    rows = []
    print("\n| recording | tier | strategy | fills | pnl, USD | 95 % | bps of volume | 95 % |"
          " mean position, BTC | capture, bps | markout after 1 s, bps |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for recording in RECORDINGS:
        for tier in TIERS:
            for name, change in STRATEGIES.items():
                settings = variables(recording, seen[recording.fitted_on], change)
                report, records = run(recording, name, tier, settings)
                total = Decimal(report["pnl"]["total"])
                profit, volume = blocks(recording, seen[recording.name], records, total)
                money, bounds = intervals(profit, volume)
                said = f"{bounds[0]:.2f} to {bounds[1]:.2f}" if bounds else "-"
                traded = float(report["fills"]["volume"])
                gain = float(report["pnl"]["capture"]) / traded * 10_000 if traded else 0
                second = [
                    m["bps"] for m in report["markouts"]
                    if m["horizon_ms"] == 1000 and m["side"] == m["reason"] == "all"
                ]  # fmt: skip
                bps = report["pnl"]["total_bps_of_volume"]
                print(
                    f"| {recording.name} | {tier} | {name} | {report['fills']['count']} |"
                    f" {total:.2f} | {money[0]:.2f} to {money[1]:.2f} |"
                    f" {rounded(bps)} | {said} | {report['inventory']['mean_absolute']:.4f} |"
                    f" {gain:.2f} | {rounded(second[0]) if second else '-'} |",
                    flush=True,
                )
                rows.append(
                    {"recording": recording.name, "tier": tier, "strategy": name,
                     "settings": settings, "interval": money, "interval_bps": bounds, "blocks": profit.size,
                     "report": report}
                )  # fmt: skip
    if "--json" in sys.argv:
        Path(sys.argv[sys.argv.index("--json") + 1]).write_text(json.dumps(rows, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
