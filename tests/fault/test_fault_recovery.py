"""FAULT-55 and 58: a live bot dies inside its recovery, again and again, or its host loses power.

What rested at the exchange at the first death rests on through the others. Whatever a start was killed
in, the next one comes to the same; what the journal has lost with the pages that were not on the disk is
found at the venue, canceled where it rests, and booked where it filled. Pages that are there behind others
that are not may be a damage: a person decides.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

from bog._core.journal import PAGE, segment_name
from bog._core.types import Halt
from bog.recovery import RECORD, Recovered, recover
from tests.rig.fault import Repeats
from tests.rig.live import environment, one_error, runs, wait_for
from tests.rig.rehearsal import arm, configuration
from tests.rig.spoiled import CALM_S, Stage, pause_s

DEPTH = 3
START_S = 3.0  # of a start, in which it is killed somewhere


def recovered(on: Stage) -> Recovered:
    return recover(on.bot.folder, on.bot.raw, segments=on.bot.shm)


def test_fault_55_a_death_inside_recovery_changes_nothing_however_deep(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    on, deaths = stage(), 0
    for _, rng in repeats(55, sample=3, full=100):
        on.busy(rng.randint(1, 4))
        on.kill_all()
        for _ in range(DEPTH):
            on.start()
            pause_s(rng.uniform(0, START_S))
            on.kill_all()
            on.bounded()
            deaths += 1
        once, again = recovered(on), recovered(on)
        assert (once.words, once.open_orders) == (again.words, again.open_orders)
        on.begin()
        on.bounded()
        assert on.halted() == "", on.halted()
    on.settled()
    repeats.note(f"{deaths} deaths inside a start, {DEPTH} in a row")


def test_fault_55_a_loop_of_crashes_does_not_start_without_a_person(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    on = stage()
    on.ask(do="rule", name="limits", value=False)  # of reads in a minute: so many starts need more
    for _ in repeats(55, sample=3, full=100):
        used = Path(f"/proc/{on.bot.pid}/cmdline").read_bytes().decode().split("\0")
        on.kill_all()
        pause_s(0.5)  # what had left before is taken in
        orders = standing(on)
        # what a service manager would do: the same command line once more
        token = used[used.index("--arm") + 1]
        keys = configuration(on.where, on.exchange, **on.keys)
        on.bot = type(on.bot)(
            on.where / "bot", "--config", "rehearsal", "--mode", "live", "--arm", token, **keys
        )
        on.bot.ends(78)
        assert "a token is good for one start" in on.bot.said
        # nothing was sent; the market may have filled what rests
        assert standing(on) <= orders
        on.begin()
        on.bounded()
    on.settled()


def standing(on: Stage) -> set[tuple[int, int, int]]:
    """Return index, price and size of each order that rests at the exchange."""
    return {(order["index"], order["px"], order["size"]) for order in on.god()["orders"]}


def lose_power(on: Stage, durable: int, rng: Random) -> int:
    """Take from the dead bot what was not on the disk; return how many records that were.

    The memory of the host is gone, the journal ends after `durable` records or within the next one, and
    what was signed ends anywhere.
    """
    path = runs(on.bot.folder)[-1]
    size, cut = path.stat().st_size, PAGE + durable * RECORD.size
    run = int(path.stem.split("-r")[1])
    (on.bot.shm / segment_name(on.bot.folder, on.bot.raw, run)).unlink()
    with path.open("r+b") as file:
        file.truncate(min(size, cut + rng.choice((0, rng.randrange(RECORD.size)))))
    for signed in on.bot.folder.glob(f"{path.stem}*.signed"):
        with signed.open("r+b") as file:
            file.truncate(rng.randrange(signed.stat().st_size + 1))
    return max(0, size - cut) // RECORD.size


def started_again(on: Stage) -> tuple[int, bool]:
    """Start a bot whose journal has lost its end: what rests is canceled, what filled is booked.

    Return how many orders rested of which the journal knew nothing, and whether the start halted.
    """
    known = {order.id for order in recovered(on).open_orders}
    left = {order["client"] for order in on.god()["orders"]}
    on.start().bot.ready()
    wait_for(lambda: not left & {o["client"] for o in on.god()["orders"]}, CALM_S)
    on.bounded()
    # fills that the journal had lost are booked, and a person has to look at them
    wait_for(lambda: on.is_quoting() or on.bot.page()["halt"] or on.halted(), CALM_S)
    on.bounded()
    halt, halt_id = on.bot.page()["halt"], on.bot.page()["halt_id"]
    assert halt in (Halt.HALT_NONE, Halt.HALT_VENUE)
    halted = bool(halt or on.halted())
    on.settled()
    if halt:
        on.begin("--clear-halt", halt_id)
        on.busy(1)
        on.settled()
    return len(left - known), halted


def test_fault_58_what_the_journal_lost_with_the_power_is_found_at_the_venue(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    lost = strays = halts = 0
    for n, rng in repeats(58, sample=6, full=100):
        on = stage()
        on.busy(rng.randint(1, 3))
        durable = (runs(on.bot.folder)[-1].stat().st_size - PAGE) // RECORD.size
        begun = {order["client"] for order in on.god()["orders"]}
        on.busy(rng.randint(4, 12))
        if n % 2:  # an order rests of which the journal knows nothing
            wait_for(lambda on=on, begun=begun: {o["client"] for o in on.god()["orders"]} - begun)
        on.kill_all()
        lost += lose_power(on, durable, rng)
        found, halted = started_again(on)
        strays += found
        halts += halted
        on.close()
    repeats.note(f"{lost} records lost, {strays} orders found, {halts} starts halted")


def lose_pages(on: Stage, durable: int, rng: Random) -> int:
    """Take from the dead bot its memory, and from the disk pages that others behind them reached.

    Return the number of the first record that is lost. What was on the disk by `durable` records stays.
    """
    path = runs(on.bot.folder)[-1]
    run = int(path.stem.split("-r")[1])
    (on.bot.shm / segment_name(on.bot.folder, on.bot.raw, run)).unlink()
    data = bytearray(path.read_bytes())
    first = PAGE + durable * RECORD.size
    pages = range(first // PAGE, len(data) // PAGE)  # without the last one, which is there
    gone = rng.sample(pages, rng.randint(1, len(pages)))
    for page in gone:
        begin, end = max(first, page * PAGE), (page + 1) * PAGE
        data[begin:end] = bytes(end - begin)
    path.write_bytes(data)
    return (max(first, min(gone) * PAGE) - PAGE) // RECORD.size + 1


def test_fault_58_pages_that_reached_the_disk_before_those_in_front_of_them_are_found_and_cut(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    lost = strays = halts = 0
    for n, rng in repeats(58, sample=2, full=100):
        on = stage()
        on.busy(rng.randint(1, 3))
        path = runs(on.bot.folder)[-1]
        durable = (path.stat().st_size - PAGE) // RECORD.size
        begun = {order["client"] for order in on.god()["orders"]}
        written = durable // 64 * 64 + 64 * rng.randint(2, 4)  # records of whole pages
        wait_for(lambda path=path, end=PAGE + written * 64: path.stat().st_size > end, CALM_S)
        if n % 2:  # an order rests of which the journal knows nothing
            wait_for(lambda on=on, begun=begun: {o["client"] for o in on.god()["orders"]} - begun)
        on.kill_all()
        first = lose_pages(on, durable, rng)
        damaged = path.read_bytes()
        lost += (len(damaged) - PAGE) // RECORD.size - first + 1
        # it is found before anything is sent, named, and left as it is
        before = standing(on)
        done = arm(on.where / "bot", configuration(on.where, on.exchange, **on.keys))
        assert done.returncode == 75 and path.read_bytes() == damaged
        assert f"{path.name}: record {first} " in one_error(done.stderr), done.stderr
        assert standing(on) <= before
        # a person who knows that the power was lost cuts there; the venue says what followed
        line = [sys.executable, "-m", "bog.cli.journal", "cut", str(path)]
        subprocess.run(line, env=environment(), check=True, capture_output=True)
        assert path.stat().st_size == PAGE + (first - 1) * RECORD.size
        found, halted = started_again(on)
        strays += found
        halts += halted
        on.close()
    repeats.note(f"{lost} records lost, {strays} orders found, {halts} starts halted")
