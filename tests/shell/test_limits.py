"""The limits that an operator may tighten: named and written as in the configuration, exact in the core."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog import config, keys
from bog._core.engine import EngineProbe
from bog._core.types import Limit
from bog.errors import UsageError
from bog.limits import NAMES, UNITS, limit_name, limit_steps, limit_text
from tests.core.test_engine import STRATEGY

VALUES = {
    "max_position": "0.02345", "max_short": "0.03", "max_order_size": "0.021",
    "max_notional": "4321.5", "max_exposure_quote": "98765.000001", "max_daily_loss": "77",
    "max_drawdown": "0.25", "max_open_orders": "3", "rate_limit_orders_per_sec": "7",
    "collar": "0.0125",
}  # fmt: skip


def test_every_limit_has_the_name_of_its_key_and_a_unit() -> None:
    assert set(NAMES) == set(VALUES) <= set(keys.Risk.model_fields)
    assert set(UNITS) == {limit for limit in Limit if 0 < limit < Limit.LIMITS}
    assert [limit_name(NAMES[name]) for name in NAMES] == list(NAMES)
    assert limit_name(77) == "limit 77"


@pytest.mark.parametrize("name", VALUES)
def test_a_limit_is_the_number_that_the_configuration_makes_of_the_same_text(name: str) -> None:
    flags = {"execution": {"tier": "premium"}}  # whose own limits leave room for these
    settings = config.load(flags=flags | {"risk": {name: VALUES[name]}}, environ={})
    probe = EngineProbe(settings.limits(1), STRATEGY)
    others = EngineProbe(config.load(flags=flags, environ={}).limits(1), STRATEGY).limits()
    found = probe.limits()
    assert found[NAMES[name]] == limit_steps(name, VALUES[name], 1, 5)
    assert [a == b for a, b in zip(found, others, strict=True)].index(False) == NAMES[name]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("max_pos", "1", "limit max_pos: want one of max_position, "),
        ("max_position", "0.000001", "max_position 0.000001 is not a multiple of 0.00001"),
        ("max_position", "nan", "max_position nan is not a decimal number"),
        ("max_position", "", "is not a decimal number"),
        ("max_position", "1e99", "a number with too many digits"),
        ("max_position", "99999999999999999", "is too large"),
        ("max_position", "0", "max_position 0 is not above 0: bog-ctl pause"),
        ("max_open_orders", "1.5", "max_open_orders 1.5 is not a multiple of 1"),
        ("max_daily_loss", "-3", "max_daily_loss -3 is not above 0"),
        ("rate_limit_orders_per_sec", "0.01", "is no whole number of requests a minute"),
        ("rate_limit_orders_per_sec", "0.333", "is not a multiple of 0.01"),
    ],
)  # fmt: skip
def test_what_is_no_limit_is_refused(name: str, value: str, why: str) -> None:
    with pytest.raises(UsageError) as found:
        limit_steps(name, value, 1, 5)
    assert why in str(found.value)


@given(st.sampled_from(list(NAMES)), st.integers(1, 10**15))
def test_law_what_is_shown_is_read_back_as_the_same_number(name: str, number: int) -> None:
    steps = 60 * number if name == "rate_limit_orders_per_sec" else number
    assert limit_steps(name, limit_text(NAMES[name], steps, 1, 5), 1, 5) == steps


def test_a_rate_may_be_less_than_one_a_second() -> None:
    steps = limit_steps("rate_limit_orders_per_sec", "0.5", 1, 5)
    assert steps == 30
    assert limit_text(Limit.LIMIT_RATE_LIMIT_ORDERS_PER_SEC, steps, 1, 5) == "0.50"


def test_a_rate_that_a_tier_made_uneven_is_shown_rounded_down() -> None:
    assert limit_text(Limit.LIMIT_RATE_LIMIT_ORDERS_PER_SEC, 23_980, 1, 5) == "399.66"
