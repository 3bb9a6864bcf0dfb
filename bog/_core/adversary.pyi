from enum import IntEnum
from typing import Any

class Planted(IntEnum):
    PLANT_NONE = 0
    PLANT_FORGET_CANCEL_SENT = 1
    PLANT_FORGET_UNKNOWN = 2
    PLANT_FORGET_AMEND = 3
    PLANT_NO_LINGER = 4
    PLANT_COUNT_TWICE = 5
    PLANT_OWN_LIMIT = 6

class Why(IntEnum):
    WHY_NOTHING = 0
    WHY_LIMIT = 1
    WHY_BELIEF = 2
    WHY_IDENTITY = 3
    WHY_FAULT = 4
    WHY_RECOUNT = 5
    WHY_SELF_MATCH = 6
    WHY_TOKENS = 7
    WHY_TRUTH = 8
    WHY_COUNT = 9
    WHY_WATCH = 10

def play(
    seed: int, schedules: int, length: int, plant: int = ..., grid: int = 0
) -> dict[str, Any]: ...
