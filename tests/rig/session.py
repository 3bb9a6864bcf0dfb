"""One session in this process, as fast as possible: built-in market or recording, on paper."""

from pathlib import Path
from typing import Any

import numpy as np

from bog import config, run
from bog._core.journal import JournalFile
from bog._core.lane import Lane
from bog._core.loop import Session
from bog._core.market import Market
from bog._core.source import Source
from bog._core.stats import StatsPage
from bog.journal import read
from bog.recovery import recover
from bog.spec import SIM_START_NS

RAW = 1_000_001


def trade(
    folder: Path,
    seed: int = 1,
    seconds: int = 20,
    script: str = "",
    flags: dict[str, Any] | None = None,
    source: Source | None = None,
    preset: str = "active",
    clear_halt: int = 0,
    asked: tuple[int, ...] = (),
) -> tuple[dict[str, Any], np.ndarray[Any, Any], int]:
    """Trade market 1 from what `folder` holds; return last page, the run's records, exit code.

    `asked` is a request (kind, id, value, uid) that waits when the engine takes its first look.
    """
    folder.mkdir(exist_ok=True)
    tree = {"feed": {"source": "sim" if source is None else "replay:tape"}, **(flags or {})}
    settings = config.load(flags=tree, environ={})
    recovered = recover(folder / "journal", RAW, segments=folder)
    spec = {
        "market": RAW,
        "run": recovered.next_run,
        "limits": settings.limits(1),
        "strategy": settings.strategy_params(1),
        "venue": settings.venue_params(1),
        "price_decimals": 1,
        "size_decimals": 5,
        "speed_ppm": 0,
        "duration_ns": seconds * 1_000_000_000,
        "spin": False,
        "mode": 0,
    }
    plugs: dict[str, Any] = {"source": source}
    if source is None:
        venue = {name: settings.venue_params(1)[name] for name in run.VENUE_FIELDS_OF_MARKET}
        plugs = {"market": Market(seed, preset, venue=venue, script=script, start_ns=SIM_START_NS)}
    page_file = folder / "page"
    page_file.unlink(missing_ok=True)
    page = StatsPage.create(str(page_file), RAW)
    journal = JournalFile(
        folder / "journal", market=RAW, run=recovered.next_run, price_decimals=1, size_decimals=5,
        segments=folder,
    )  # fmt: skip
    lane = Lane(spec, page, journal, **plugs)
    lane.start(recovered, clear_halt)
    if asked:
        assert page.ask(*asked)
    code = Session([lane]).run()
    assert lane.failed() is None
    journal.close()
    return page.snapshot(), read(journal.path).records, code
