"""Conversions are exact or refused, in both directions."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog import units

DECIMALS = st.integers(0, 12)


def test_prices_sizes_and_money_become_steps() -> None:
    assert units.to_ticks("121043.6", 1) == 1_210_436
    assert units.to_lots("0.001", 5) == 100
    assert units.to_quanta("500", 1, 5) == 500_000_000
    assert units.to_quanta("-0.000001", 1, 5) == -1
    assert units.to_ticks(7, 0) == 7
    assert units.to_ticks("1e5", 1) == 1_000_000


def test_rates_and_durations_become_ppm_and_ns() -> None:
    assert units.bps_to_ppm("0.25") == 25
    assert units.fraction_to_ppm("0.05") == 50_000
    assert units.ms_to_ns("0.5") == 500_000
    assert units.sec_to_ns("1.5") == 1_500_000_000


@pytest.mark.parametrize(
    "value",
    ["", " 1", "1 ", "abc", "NaN", "inf", "-Infinity", "1_000", "0x10", "1e", "1e99999", "٣",
     "1" + "0" * 60, "0." + "0" * 60 + "1", 0.1, True, None, [],
     Decimal("NaN"), Decimal("Infinity")],
)  # fmt: skip
def test_what_is_not_a_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="number"):
        units.scaled(value, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["121043.65", "0.05", "1.0000000000000000000000000000000001"])
def test_a_part_of_a_tick_is_refused_even_behind_28_digits(value: str) -> None:
    with pytest.raises(ValueError, match=r"not a multiple of 0\.1"):
        units.to_ticks(value, 1)


def test_what_does_not_fit_the_core_is_refused() -> None:
    assert units.to_ticks((1 << 40) - 1, 0) == (1 << 40) - 1
    with pytest.raises(ValueError, match="too large"):
        units.to_ticks(1 << 40, 0)
    with pytest.raises(ValueError, match="too large"):
        units.to_lots((1 << 48) + 1, 0)
    with pytest.raises(ValueError, match="too large"):
        units.to_quanta("9223372036854.775808", 1, 5)


def test_steps_print_with_all_their_decimals() -> None:
    assert units.text(1_210_436, 1) == "121043.6"
    assert units.text(-5, 3) == "-0.005"
    assert units.text(7, 0) == "7"
    assert units.text(0, 2) == "0.00"
    assert units.half_text(3, 1) == "0.15"
    assert units.half_text(4, 1) == "0.2"
    assert units.half_text(-3, 0) == "-1.5"


def test_a_decimal_has_one_spelling() -> None:
    spelled = {
        "1.50": "1.5",
        "10": "10",
        "1E+2": "100",
        "-0.0": "0",
        "0.000": "0",
        "1E-7": "0.0000001",
    }
    assert {text: units.plain(Decimal(text)) for text in spelled} == spelled


@given(st.integers(-(2**63) + 1, 2**63 - 1), DECIMALS)
def test_law_text_and_back_is_the_same_number(steps: int, decimals: int) -> None:
    assert units.scaled(units.text(steps, decimals), decimals) == steps


@given(st.integers(-(2**63) + 1, 2**63 - 1), DECIMALS)
def test_law_half_steps_print_exactly(halves: int, decimals: int) -> None:
    assert units.scaled(units.half_text(halves, decimals), decimals + 1, high=2**70) == halves * 5


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=4, max_value=10**12, min_value=-(10**12)
    )
)
def test_law_a_conversion_never_rounds(value: Decimal) -> None:
    try:
        steps = units.scaled(value, 2)
    except ValueError:
        assert value * 100 % 1 != 0
    else:
        assert Decimal(steps) == value * 100
