"""The allowance of an account: what may still be sent, and that cancels always find room."""

from hypothesis import given
from hypothesis import strategies as st

from bog._core.types import Reject
from bog.lighter.budget import SPARE, Budget, Tier
from bog.lighter.connection import MINUTE, SECOND

STANDARD = Tier(60, 60, shared=True)
PREMIUM = Tier(4000, 24_000, shared=False, quota=10, quota_reserve=2)


def test_creates_leave_a_cancel_for_every_live_order() -> None:
    budget = Budget(STANDARD)
    sent = 0
    while not budget.refusal(SECOND, live=sent):
        budget.sent(SECOND, 1, 1)
        sent += 1
    assert budget.refusal(SECOND, sent) == Reject.REJ_RATE
    assert 60 - sent >= sent + SPARE - 1
    for _ in range(sent):
        assert budget.may_cancel(SECOND)
        budget.sent(SECOND, 1, 0)
    assert budget.refusal(SECOND + MINUTE, 0) == 0


def test_reads_of_a_shared_bucket_give_way() -> None:
    budget = Budget(STANDARD)
    reads = 0
    while budget.may_read("account", SECOND, live=2):
        budget.read("account", SECOND)
        reads += 1
    assert reads == 60 - 2 - SPARE and budget.may_read("nextNonce", SECOND, 2)
    assert budget.may_cancel(SECOND, 2)


def test_reads_of_their_own_bucket_weigh() -> None:
    budget = Budget(PREMIUM)
    for _ in range(40):
        assert budget.may_read("trades", SECOND, 0)
        budget.read("trades", SECOND)
    assert not budget.may_read("trades", SECOND, 0)
    assert budget.refusal(SECOND, 0) == 0


def test_quota_is_what_the_venue_says_with_one_free_send_in_fifteen_seconds() -> None:
    budget = Budget(PREMIUM)
    budget.said(3)
    assert budget.refusal(SECOND, 0) == 0
    budget.sent(SECOND, 1, 1)  # the free one
    assert budget.quota == 3
    assert budget.refusal(2 * SECOND, 0) == 0
    budget.sent(2 * SECOND, 1, 1)
    assert budget.quota == 2 and budget.refusal(3 * SECOND, 0) == Reject.REJ_QUOTA
    assert budget.refusal(16 * SECOND, 0) == 0
    budget.said(-1)
    assert budget.quota == 2


def test_a_refusal_for_the_rate_makes_creates_wait_longer_each_time_and_cancels_never() -> None:
    budget = Budget(STANDARD)
    now, waits = 0, []
    for _ in range(8):
        budget.cool(now)
        waits.append((budget.cool_until - now) // SECOND)
        assert budget.refusal(now, 0) == Reject.REJ_RATE and budget.may_cancel(now)
        now = budget.cool_until
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    budget.warm()
    budget.cool(now)
    assert budget.cool_until == now + SECOND


@given(st.lists(st.tuples(st.integers(0, 5 * SECOND), st.booleans()), max_size=200))
def test_law_no_minute_has_more_than_it_may(steps: list[tuple[int, bool]]) -> None:
    budget, now, sent = Budget(Tier(20, 20, shared=True)), 0, []
    for wait, cancels in steps:
        now += wait
        if budget.may_cancel(now) if cancels else not budget.refusal(now, 3):
            budget.sent(now, 1, not cancels)
            sent.append(now)
        assert sum(now - MINUTE < at <= now for at in sent) <= 20
