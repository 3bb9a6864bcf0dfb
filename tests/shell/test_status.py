"""What bog-ctl status shows a person."""

from bog import status
from bog._core.types import OrderState
from tests.rig.metrics import HandMade
from tests.shell import factory

LIVE_ID = 68_719_607_946  # of a live bot: eleven digits


def test_a_long_order_number_does_not_run_into_its_side() -> None:
    order = {"id": LIVE_ID, "side": 1, "state": int(OrderState.ORDER_RESTING), "px": 1_210_601,
             "qty": 1000, "filled": 0, "sent_ns": 0}  # fmt: skip
    page = HandMade(orders=[order])
    page.level = 0  # type: ignore[attr-defined]
    said = status.table(status.status(page, factory.about(), {}, None, []))  # type: ignore[arg-type]
    assert f"order {LIVE_ID} sell" in said
    # all other lines stand below each other
    assert all(line[11] == " " for line in said.splitlines() if str(LIVE_ID) not in line)
