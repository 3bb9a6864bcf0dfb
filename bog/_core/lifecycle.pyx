"""The table of a strategy's life, for tests."""

from bog._core.lifecycle cimport lifecycle_next


def next_state(int state, int truth):
    """Return where a strategy in `state` (StrategyState) goes when `truth` (Truth) holds."""
    return lifecycle_next(state, truth)
