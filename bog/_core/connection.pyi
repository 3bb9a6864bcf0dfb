from enum import IntEnum
from typing import final

class Attempt(IntEnum):
    ATTEMPT_FAILED = 0
    ATTEMPT_DONE = 1
    ATTEMPT_LOST = 2
    ATTEMPT_FOUND = 3

@final
class ConnectionProbe:
    def __new__(cls) -> ConnectionProbe: ...
    def on(self, now: int, attempt: int) -> int: ...
    def state(self, now: int) -> int: ...
