"""What a turn of the step costs: time / TURNS each.

`pytest benchmarks/bench_engine.py`. A requote's figure includes the two turns that answer it, a
repeated event's the copy of the engine that brings its state back.
"""

from typing import Any

import pytest
from scenarios import SCENARIOS, Scenario, play

TURNS = 10_000
ROUNDS = 30
TIMED = [scenario for scenario in SCENARIOS if scenario.target is not None]


@pytest.mark.parametrize("scenario", TIMED, ids=lambda scenario: scenario.name)
def test_turns(benchmark: Any, scenario: Scenario) -> None:
    play(scenario, TURNS)
    rounds = []
    # each round its own engine: its time starts again
    benchmark.pedantic(
        lambda probe: rounds.append(scenario.run(probe, TURNS)[1]),
        setup=lambda: ((scenario.prepare(),), {}),
        rounds=ROUNDS,
    )
    assert rounds == [scenario.commands * TURNS] * ROUNDS
