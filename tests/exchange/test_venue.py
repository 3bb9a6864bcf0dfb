"""Nonces, delays, expiry, timers, limits, batches, scripted refusals: on a clock moved by hand."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bog.errors import DataError
from bog.exchange import ledger, store
from bog.exchange.orders import CANCELED, EXPIRED, IOC, OPEN, STATUSES
from bog.exchange.refusal import Refusal
from bog.exchange.store import Store
from tests.rig.desk import MIDDLE, MS, START_NS, Desk

HOUR_MS = 3_600_000
SECOND_NS = 10**9


def bid(desk: Desk, client: int = 0, lots: int = 20) -> tuple[object, ...]:
    return ("create_order", 1, client, lots, MIDDLE - 100, False, desk.now_ns // MS + HOUR_MS)


def test_the_nonce_is_exactly_the_next_one() -> None:
    desk = Desk()
    client = desk.clients[0]
    assert desk.refused(client, *bid(desk), nonce=1) == 21104
    assert desk.refused(client, *bid(desk), nonce=0) == 0
    assert desk.refused(client, *bid(desk), nonce=0) == 21104
    assert client.account.keys[4].nonce == 1


def test_a_refusal_by_the_application_takes_the_nonce_one_by_the_api_leaves_it() -> None:
    desk = Desk()
    client = desk.clients[0]
    client.send(*bid(desk, client=42))
    desk.run()
    assert desk.application(client, *bid(desk, client=42)) == 21728
    assert client.account.keys[4].nonce == 2
    assert desk.refused(client, *bid(desk, lots=1)) == 21706
    assert client.account.keys[4].nonce == 2


def test_an_application_refusal_makes_no_order_and_is_in_the_transaction() -> None:
    desk = Desk()
    client = desk.clients[0]
    client.send(*bid(desk, client=42))
    desk.run()
    desk.batches.clear()
    receipt = client.send(*bid(desk, client=42))
    desk.run()
    assert not any(batch.orders for batch in desk.batches)
    record = desk.state.txs[receipt.hashes[0]]
    assert record.status == 2
    assert json.loads(json.loads(record.event)["ae"])["code"] == 21728


def test_the_god_view_says_which_client_index_took_effect_twice() -> None:
    desk = Desk()
    client = desk.clients[0]
    for index in (42, 43, 0, 0):
        client.send(*bid(desk, client=index))
        desk.run()
    assert desk.application(client, *bid(desk, client=42)) == 21728
    assert ledger.creates(desk.state) == {"created": 4, "twice": []}
    client.send("cancel_order", 1, 42)
    desk.run()
    client.send(*bid(desk, client=42))
    waiting = ledger.god(desk.state)["could_execute"]
    assert [(tx["is_ask"], tx["lots"]) for tx in waiting] == [(False, 20)]
    desk.run()
    assert ledger.creates(desk.state) == {"created": 5, "twice": [42]}
    assert ledger.creates(desk.state, 999) == {"created": 0, "twice": []}


def test_a_client_index_is_free_again_when_its_order_has_ended() -> None:
    desk = Desk()
    client = desk.clients[0]
    client.send(*bid(desk, client=42))
    desk.run()
    client.cancel(42)
    assert desk.application(client, *bid(desk, client=42)) == 0


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=20))
def test_law_nonces_follow_the_rule_and_never_repeat(sends: list[tuple[bool, int]]) -> None:
    desk = Desk()
    client = desk.clients[0]
    expected, used = 0, set()
    for skips, nonce in sends:
        code = desk.refused(client, *bid(desk), nonce=nonce, attributes={4: 1} if skips else None)
        if nonce >= expected if skips else nonce == expected:
            assert code == 0 and nonce not in used
            used.add(nonce)
            expected = nonce + 1
        else:
            assert code == 21104
        desk.run()
        assert client.account.keys[4].nonce == expected


def test_a_wrong_key_a_wrong_chain_and_a_late_transaction_are_refused() -> None:
    desk = Desk()
    mine, other = desk.clients
    kind, text = mine.sign(*bid(desk))
    with pytest.raises(Refusal, match="invalid signature"):
        desk.venue.submit(
            desk.now_ns, [kind], [text.replace('"AccountIndex":1000', '"AccountIndex":1001')]
        )
    desk.state.chain = 304
    assert desk.refused(other, *bid(desk)) == 21120
    desk.state.chain = 300
    assert desk.refused(mine, *bid(desk), expired=desk.now_ns // MS) == 21711
    del mine.account.keys[4]
    assert desk.refused(mine, *bid(desk)) == 21109


def test_delays_are_the_tiers_and_keep_the_order_of_a_key() -> None:
    desk = Desk(delays=True)
    client = desk.clients[0]
    taker = client.send("create_order", 1, 0, 20, MIDDLE, False, 0, time_in_force=IOC)
    assert taker.predicted_ms == START_NS // MS + 140
    maker = client.send(*bid(desk))
    assert maker.predicted_ms == taker.predicted_ms, "it waits behind the taker of its key"
    desk.run(139 * MS)
    assert not client.account.orders
    assert len(ledger.god(desk.state)["could_execute"]) == 2
    desk.run(MS)
    assert len(client.account.orders) == 1
    assert ledger.god(desk.state)["could_execute"] == []


def test_what_waits_past_its_time_is_dead() -> None:
    desk = Desk()
    client = desk.clients[0]
    desk.venue.rules.frozen = True
    receipt = client.send(*bid(desk), expired=desk.now_ns // MS + 10_000)
    desk.run(11 * SECOND_NS)
    assert ledger.god(desk.state)["could_execute"] == []
    desk.venue.rules.frozen = False
    desk.run()
    assert desk.state.txs[receipt.hashes[0]].status == 0
    assert not client.account.orders


def test_orders_expire_and_need_five_minutes() -> None:
    desk = Desk()
    client = desk.clients[0]
    near = desk.now_ns // MS + 300_000
    assert desk.refused(client, "create_order", 1, 0, 20, MIDDLE, False, near - 1) == 21711
    assert (
        desk.refused(client, "create_order", 1, 0, 20, MIDDLE, False, near + 30 * 86_400_000)
        == 21711
    )
    order = client.place("bid", MIDDLE, 20, expiry_ms=near)
    assert order is not None
    desk.run(299 * SECOND_NS)
    assert order.status == OPEN
    desk.run(SECOND_NS)
    assert order.status == EXPIRED


def test_a_scheduled_cancel_all_runs_at_its_time_unless_taken_back() -> None:
    desk = Desk()
    client = desk.clients[0]
    order = client.place("bid", MIDDLE, 20)
    assert order is not None
    at = desk.now_ns // MS + 300_000
    assert desk.refused(client, "cancel_all", 1, at - 1) == 21714
    client.send("cancel_all", 1, at)
    desk.run()
    assert client.account.cancel_all_ms == at
    client.send("cancel_all", 2, 0)
    desk.run(301 * SECOND_NS)
    assert order.status == OPEN and client.account.cancel_all_ms == 0
    client.send("cancel_all", 1, desk.now_ns // MS + 300_000)
    desk.run()
    desk.run(301 * SECOND_NS)
    assert order.status == CANCELED and client.account.cancel_all_ms == 0


def test_cancel_all_is_the_accounts_or_one_markets() -> None:
    desk = Desk()
    client, other = desk.clients
    one, two = client.place("bid", MIDDLE, 20), client.place("bid", 440_000, 100, market=0)
    foreign = other.place("bid", MIDDLE, 20)
    assert one and two and foreign
    client.send("cancel_all", attributes={5: 0})
    desk.run()
    assert (one.status, two.status) == (OPEN, CANCELED)
    client.send("cancel_all")
    desk.run()
    assert (one.status, foreign.status) == (CANCELED, OPEN)


def test_open_orders_are_counted_by_tier() -> None:
    desk = Desk(tier="standard")
    client = desk.clients[0]
    for _ in range(30):
        client.send(*bid(desk))
        desk.run()
    assert desk.application(client, *bid(desk)) == 21718


@pytest.mark.parametrize(("side", "px", "code"), [
    (False, MIDDLE * 106 // 100, 21734), (True, MIDDLE * 94 // 100, 21734),
    (False, MIDDLE * 104 // 100, 0), (True, MIDDLE * 96 // 100, 0),
])  # fmt: skip
def test_a_price_that_takes_too_deep_is_refused(side: bool, px: int, code: int) -> None:
    desk = Desk()
    client = desk.clients[0]
    assert (
        desk.application(client, "create_order", 1, 0, 20, px, side, 0, time_in_force=IOC) == code
    )


def test_minimums_bind_makers_only() -> None:
    desk = Desk()
    maker, taker = desk.clients
    assert desk.refused(maker, *bid(desk, lots=19)) == 21706
    maker.place("ask", MIDDLE, 20)
    order = taker.place("bid", MIDDLE, 1, tif=IOC)
    assert order is not None and order.filled == 1


def test_a_cancel_of_what_is_not_there_is_refused_by_the_application() -> None:
    desk = Desk()
    client = desk.clients[0]
    assert desk.application(client, "cancel_order", 1, 77) == 21600


def test_a_batch_is_taken_whole_or_not_at_all() -> None:
    desk = Desk()
    client, other = desk.clients
    good = client.sign(*bid(desk), nonce=0)
    for second, code in [
        (client.sign(*bid(desk), nonce=0), 21105),
        (client.sign(*bid(desk, lots=1), nonce=1), 21706),
        (other.sign(*bid(desk), nonce=1), 21121),
    ]:
        with pytest.raises(Refusal) as caught:
            desk.venue.submit(desk.now_ns, [14, 14], [good[1], second[1]], batch=True)
        assert caught.value.code == code
        assert client.account.keys[4].nonce == 0
    last = client.sign(*bid(desk), nonce=1)
    receipt = desk.venue.submit(desk.now_ns, [14, 14], [good[1], last[1]], batch=True)
    desk.run()
    assert len(receipt.hashes) == 2 and len(client.account.orders) == 2


def test_quota_is_used_by_creates_and_earned_by_volume() -> None:
    desk = Desk(limits=True)
    client, other = desk.clients
    first = client.send(*bid(desk))
    assert first.remaining is None and "didn't use" in first.message, "the free slot"
    assert client.send(*bid(desk)).remaining == 999
    desk.run()
    order = next(iter(client.account.orders))
    assert client.send("cancel_order", 1, order).remaining is None
    client.account.quota = 0
    assert desk.refused(client, *bid(desk)) == 23000
    desk.now_ns += 15 * SECOND_NS
    assert desk.refused(client, *bid(desk)) == 0
    desk.run()
    other.place("ask", MIDDLE - 100, 20, tif=IOC)
    assert client.account.quota == MIDDLE * 20 // 3_000_000


def test_standard_sends_sixty_a_minute() -> None:
    desk = Desk(tier="standard", limits=True)
    client = desk.clients[0]
    for _ in range(60):
        assert desk.refused(client, "cancel_order", 1, 5) == 0
    assert desk.refused(client, "cancel_order", 1, 5) == 23000
    desk.now_ns += 62 * SECOND_NS
    assert desk.refused(client, "cancel_order", 1, 5) == 0


def test_a_maker_only_key_makes_only() -> None:
    desk = Desk()
    client = desk.clients[0]
    client.account.keys[4].maker_only = True
    assert (
        desk.refused(client, "create_order", 1, 0, 20, MIDDLE, False, 0, time_in_force=IOC) == 21511
    )
    assert desk.refused(client, "update_leverage", 1, 1000) == 21511
    assert desk.refused(client, *bid(desk)) == 0
    assert desk.refused(client, "cancel_all") == 0


def test_leverage_changes_what_a_position_locks() -> None:
    desk = Desk()
    client = desk.clients[0]
    assert desk.application(client, "update_leverage", 1, 1000) == 0
    assert desk.state.markets[1].margin_of(client.account) == 1000
    assert desk.application(client, "update_leverage", 1, 100) == 21113
    assert desk.application(client, "update_leverage", 1, 1000, 1) == 21613


def test_funding_is_paid_by_longs_to_shorts() -> None:
    desk = Desk()
    long, short = desk.clients
    short.place("ask", MIDDLE, 100)
    long.place("bid", MIDDLE, 100, tif=IOC)
    desk.state.markets[1].funding_ppm = 100
    desk.run(2 * 3600 * SECOND_NS)
    paid = -(-MIDDLE * 100 * 100 // 10**6)
    assert long.account.funding in (paid * 2, paid * 3)
    assert 0 <= long.account.funding + short.account.funding <= 6, "rounding is the venue's"


@pytest.mark.parametrize("status", STATUSES[4:13])
def test_a_scripted_end_is_the_orders_status(status: str) -> None:
    desk = Desk()
    client = desk.clients[0]
    desk.venue.rules.refuse.append({"where": "app", "status": status, "left": 1})
    order = client.place("bid", MIDDLE, 20)
    assert order is not None and STATUSES[order.status] == status
    again = client.place("bid", MIDDLE, 20)
    assert again is not None and again.status == OPEN


def test_a_scripted_refusal_takes_the_nonce_or_leaves_it() -> None:
    desk = Desk()
    client = desk.clients[0]
    desk.venue.rules.refuse += [
        {"where": "api", "code": 21506, "left": 1, "type": "create"},
        {"where": "api", "code": 21506, "left": 1, "type": "create", "consume": True},
        {"where": "app", "code": 21739, "left": 1, "type": "create"},
    ]
    assert desk.refused(client, *bid(desk)) == 21506 and client.account.keys[4].nonce == 0
    assert desk.refused(client, *bid(desk)) == 21506 and client.account.keys[4].nonce == 1
    client.nonce = 1
    assert desk.application(client, *bid(desk)) == 21739


def busy(desk: Desk) -> None:
    maker, taker = desk.clients
    maker.place("ask", MIDDLE, 100, client=5)
    taker.place("bid", MIDDLE, 30, tif=IOC)
    maker.place("bid", MIDDLE - 50, 40, client=6)
    maker.send("cancel_all", 1, desk.now_ns // MS + 400_000)
    maker.send("update_leverage", 1, 1000)
    desk.run()


def seen(desk: Desk) -> dict[str, object]:
    found = ledger.god(desk.state)
    for name in ("now_ns", "last_trade"):
        del found[name]
    return found


def test_a_store_brings_everything_back_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "store"
    desk = Desk()
    kept = Store(path)
    kept.open(desk.state)
    desk.venue.listener = lambda batch: kept.keep(desk.state, batch)
    busy(desk)
    with path.open("a") as file:
        file.write('{"k":"order","torn')  # the kill came in the middle of a line
    other = Desk()
    assert Store(path).read(other.state)
    other.venue.apply_tiers()
    assert seen(other) == seen(desk)
    other.run()
    assert desk.state.trade_id < other.state.trade_id, "no number is given twice"
    maker, taker = other.clients
    taker.nonce = taker.account.keys[4].nonce
    order = taker.place("bid", MIDDLE, 70, tif=IOC)
    assert order is not None and order.filled == 70
    assert path.stat().st_mode & 0o077 == 0
    kept.close()


def test_a_damaged_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.write_text('{"k":"account"}\n')
    with pytest.raises(DataError, match="is no store"):
        Store(path).read(Desk().state)


def test_a_rollback_is_the_state_of_the_snapshot() -> None:
    desk = Desk()
    busy(desk)
    before, lines = seen(desk), store.dump(desk.state)
    desk.clients[1].place("bid", MIDDLE, 30, tif=IOC)
    desk.clients[0].send("cancel_all")
    desk.run()
    assert seen(desk) != before
    store.load(desk.state, lines)
    assert seen(desk) == before
