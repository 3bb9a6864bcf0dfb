"""The loop's clock: the processor's time stamp, anchored to the host's clock."""

import platform
import random
import time

import pytest

from bog._core.clock import OFF_NS, ClockProbe

MS = 1_000_000


def off(look: tuple[int, int, int]) -> int:
    """Return how far a look lies outside of the host's two around it, ns; stalls only widen these."""
    before, now, after = look
    return max(before - now, now - after, 0)


def looks(probe: ClockProbe, seconds: float) -> list[int]:
    """Look again and again, now and then after a pause; return how far off each was."""
    dice, found, until = random.Random(1), [], time.monotonic() + seconds
    while time.monotonic() < until:
        found += [off(probe.look(done)) for done in (False, True) for _ in range(200)]
        time.sleep(dice.choice((0, 0, 0.0003, 0.002, 0.02)))
    return found


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere it is the host's clock")
def test_the_clock_tells_the_hosts_time() -> None:
    probe = ClockProbe()
    found = looks(probe, 1.5)
    assert len(found) > 10_000 and max(found) <= OFF_NS
    # most looks were none at the host's clock, or nothing is saved
    assert probe.rate > 0 or any(probe.rate for _ in found[:100] if probe.look())


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere it is the host's clock")
@pytest.mark.parametrize("wrong", [0.5, 1.02, 4.0])
def test_a_rate_that_is_wrong_is_measured_anew(wrong: float) -> None:
    probe = ClockProbe()
    looks(probe, 0.3)
    right, until = probe.rate, time.monotonic() + 5
    while not right and time.monotonic() < until:
        probe.look()
        right = probe.rate
    assert right
    probe.plant(right * wrong)
    # at most one span of a millisecond is told wrongly, by what the rate is wrong
    worst = max(looks(probe, 0.02))
    assert worst <= 2 * MS * max(wrong, 1)
    assert max(looks(probe, 0.5)) <= OFF_NS


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere it is the host's clock")
def test_a_wrong_rate_is_found_though_looks_are_far_apart() -> None:
    probe, worst = ClockProbe(), 0
    for _ in range(5):  # a rate is measured anew each 0.1 s anyway
        until = time.monotonic() + 5
        while not probe.rate and time.monotonic() < until:
            probe.look()
        probe.plant(probe.rate * 1.02)
        time.sleep(0.02)  # longer than from one anchor to the next
        worst = max(worst, *(off(probe.look()) for _ in range(5_000)))
    assert worst <= OFF_NS


def test_a_clock_that_has_only_begun_is_the_hosts() -> None:
    probe = ClockProbe()
    assert off(probe.look()) == 0 and off(probe.look()) == 0
