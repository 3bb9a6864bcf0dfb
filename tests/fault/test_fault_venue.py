"""FAULT-19: what the bot does when the venue changes what its numbers mean.

Each repeat runs the real command and its feed on a local venue that plays recorded frames, and lets
the venue change the market's description under it.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from random import Random

from bog._core.types import JournalKind as K
from tests.rig.canary import Canary
from tests.rig.fault import Repeats
from tests.rig.herd import CANCEL_NS
from tests.rig.live import of_kind, records, wait_for
from tests.rig.present import METADATA_S, bot, local

# from the change to the last order gone: the next look, a second for its answer, the cancels
BOUND_NS = int(METADATA_S * 1e9) + CANCEL_NS + 1_000_000_000
CHANGES: tuple[tuple[dict[str, object], str], ...] = (
    ({"supported_size_decimals": 4}, "size_decimals is 4, was 5"),
    ({"supported_size_decimals": 6}, "size_decimals is 6, was 5"),
    ({"supported_price_decimals": 2}, "price_decimals is 2, was 1"),
    ({"supported_price_decimals": 0}, "price_decimals is 0, was 1"),
    ({"min_base_amount": "0.00100"}, "min_base_amount is 0.00100"),
    ({"min_quote_amount": "1000.000000"}, "min_quote_amount is 1000.000000"),
    ({"symbol": "BTC2"}, "symbol is BTC2, was BTC"),
    ({"status": "inactive"}, "its status is 'inactive'"),
    ({"is_frozen": True}, "it is frozen"),
)
AT_A_TIME = 3


def test_fault_19_a_changed_market_is_halted_and_never_scaled(
    shared: Callable[[str], Path], place: Callable[[], Path], canary: Canary, repeats: Repeats
) -> None:
    worst = 0

    def one(where: Path, number: int, rng: Random) -> tuple[int, int]:
        change, says = CHANGES[number % len(CHANGES)]
        with local(shared, rate=40.0) as venue, bot(where, venue) as run:
            run.trading()
            time.sleep(rng.uniform(0, METADATA_S))
            changed = time.monotonic_ns()
            venue.call(lambda: venue.stages[1].details.update(change))
            wait_for(lambda: any(f"HALTED: {says}" in said(line) for line in run.log))
            wait_for(lambda: not run.page()["orders"])
            page = run.page()
            wait_for(lambda: len(records(run.folder)) >= page["journal_seq"])
            rows = records(run.folder)
            gone = int(of_kind(rows, K.J_CANCELED, K.J_FILL, K.J_REJECT)["time_ns"][-1])
            sent = venue.counts["updates"]
            wait_for(lambda: venue.counts["updates"] > sent + 20)
            made = of_kind(records(run.folder), K.J_PLACE, K.J_AMEND)["time_ns"]
            assert len(made) and made[-1] <= gone, f"{change}: an order after the halt"
            run.stop()
        return changed, gone

    def said(line: dict[str, object]) -> str:
        return str(line["message"]).replace("the venue changed it: ", "")

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        each = repeats(19)
        while batch := list(islice(each, AT_A_TIME)):
            lives = [pool.submit(one, place(), *repeat) for repeat in batch]
            for changed, gone in [life.result() for life in lives]:
                took = gone - changed - canary.stalled_ns(changed, gone)
                assert took <= BOUND_NS, f"pulled after {took / 1e6:.0f} ms"
                worst = max(worst, took)
    repeats.note(
        f"{len(CHANGES)} changes; pulled within {worst / 1e6:.0f} ms, bound"
        f" {BOUND_NS / 1e6:.0f} ms of which {METADATA_S * 1000:.0f} ms are the interval of looking"
    )
