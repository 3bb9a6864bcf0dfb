"""Rows 70 to 75: what a signal does to a running bot, whenever and however often it comes."""

import signal
from collections.abc import Callable
from pathlib import Path

from bog._core.types import Level
from tests.rig.fault import Repeats
from tests.rig.live import Bot, K, of_kind, records, wait_for

USR1, USR2, INT, TERM = signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGTERM


def test_fault_72_usr2_toggles_between_run_and_paused_only(
    repeats: Repeats, bots: Callable[..., Bot], place: Callable[[], Path]
) -> None:
    bot = bots(place()).trading()
    done = 0
    for number, _ in repeats(72, full=1_000):
        want = Level.LEVEL_RUN if number % 2 else Level.LEVEL_PAUSED
        bot.signal(USR2)
        wait_for(lambda want=want: bot.page()["level"] == want)
        if want == Level.LEVEL_PAUSED:
            wait_for(lambda: not bot.page()["orders"])
        done += 1
    bot.signal(TERM)
    bot.signal(USR2)
    bot.ends()
    taken = of_kind(records(bot.folder), K.J_LEVEL)["state"].tolist()
    toggles = [Level.LEVEL_PAUSED, Level.LEVEL_RUN] * done
    assert taken == [*toggles[:done], Level.LEVEL_DRAIN]
