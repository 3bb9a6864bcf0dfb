"""The wire: captured frames become what they say, everything else one line of refusal."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog._core.types import Reject, Side
from bog.lighter import codec, codes, rows
from bog.lighter.codes import Act
from bog.lighter.rows import RowError, Scale

BTC, HYPE = Scale(1, 1, 5), Scale(24, 4, 2)
Shared = Callable[[str], Path]


def sample(shared: Shared, name: str):
    return json.loads(shared(f"lighter-samples/{name}").read_text())


def frames_of(shared: Shared, name: str) -> list[codec.Frame]:
    """Return the frames of a recorded session, in order."""
    found = []
    for entry in sample(shared, name):
        raw = entry.get("ws") or entry.get("frame")
        if raw is not None:
            found.append(codec.frame(json.dumps(raw).encode()))
    return found


# what is sent


def test_the_messages_are_those_of_the_venues_examples(shared: Shared) -> None:
    for one in ("ws_sendtx_request", "ws_sendtxbatch_request"):
        want = sample(shared, f"constructed/{one}.json")
        data = want["data"]
        if "tx_info" in data:
            info = json.dumps(data["tx_info"], separators=(",", ":")).encode()
            made = codec.send_one(int(data["id"]), data["tx_type"], info)
            assert json.loads(made) == want
        else:
            kinds, infos = json.loads(data["tx_types"]), json.loads(data["tx_infos"])
            made = json.loads(
                codec.send_batch(
                    int(data["id"]), [(k, i.encode()) for k, i in zip(kinds, infos, strict=True)]
                )
            )
            assert json.loads(made["data"]["tx_types"]) == kinds
            assert json.loads(made["data"]["tx_infos"]) == infos
            assert made["type"] == want["type"] and made["data"]["id"] == data["id"]


def test_a_form_escapes_what_base64_may_contain(shared: Shared) -> None:
    text = shared("lighter-samples/constructed/http_sendtx_body.txt").read_text().strip()
    fields = parse_qs(text)
    made = codec.send_form(14, fields["tx_info"][0].encode())
    assert text.startswith(made.decode()) and b"%2B" in made


def test_a_batch_has_a_most() -> None:
    with pytest.raises(ValueError, match="want 1 to 15"):
        codec.send_batch(1, [(15, b"{}")] * 16)


# what comes


def test_an_order_is_read_from_its_first_frame_to_its_last(shared: Shared) -> None:
    seen = []
    for frame in frames_of(shared, "captured/testnet_2026_07_30_place_replay_cancel.json"):
        for rows_ in (frame.orders or {}).values():
            seen += [rows.order_view(row, BTC) for row in rows_ or []]
    first, last = seen
    assert first == rows.OrderView(
        424242424242, 844424914280484, 1, Side.BID, 583000, 100, 0, "open", 1785431671836228
    )
    assert last.status == "canceled" and last.version_us > first.version_us


def test_a_taker_session_gives_its_fills_positions_and_transactions(shared: Shared) -> None:
    trades, positions, txs = [], [], []
    for frame in frames_of(shared, "captured/mainnet_2025_10_private_session.json"):
        for each in (frame.trades or {}).values():
            for row in each or []:
                trades += rows.trade_views(row, 225671, HYPE)
        positions += [rows.position_view(p, HYPE) for p in (frame.positions or {}).values()]
        txs += [rows.tx_view(row) for row in frame.txs or []]
    assert [(t.side, t.px, t.qty, t.is_maker) for t in trades] == [
        (Side.ASK, 401342, 100, False), (Side.BID, 401397, 100, False),
    ]  # fmt: skip
    assert [p.pos for p in positions] == [0, -100, 0]
    assert {t.code for t in txs} == {0} and len(txs) == 2


def test_a_makers_fee_is_the_makers_and_a_fraction_counts_against_us(shared: Shared) -> None:
    raw = sample(shared, "ws/account_all_trades_update.json")
    frame = codec.frame(json.dumps(raw).encode())
    (row,) = (frame.trades or {})["0"] or []
    (ours,) = rows.trade_views(row, 91249, Scale(0, 2, 4))
    assert (ours.side, ours.is_maker) == (Side.ASK, True)
    # 314.324728 USDC at 28 ppm is 8801.09 micro-USDC
    assert ours.fee == 8802
    (theirs,) = rows.trade_views(row, 1234, Scale(0, 2, 4))
    assert (theirs.client, theirs.fee) == (7001011966, 61608)
    assert rows.fee(1, 1, -1) == 0 and rows.fee(1_000_000, 1, -1) == -1


def test_every_captured_frame_can_be_read(shared: Shared) -> None:
    for path in sorted(shared("lighter-samples").glob("*/*.json")):
        if path.parent.name not in ("captured", "ws", "constructed"):
            continue
        whole = json.loads(path.read_text())
        for entry in whole if isinstance(whole, list) else [whole]:
            raw = entry.get("ws") or entry.get("frame") or (None if "t" in entry else entry)
            public = json.dumps(raw)
            if raw is None or '"trade"' in public.split(":")[0] or "update/trade" in public:
                continue
            if "subscribed/trade" in public or "http" in path.name or "rest" in path.name:
                continue
            codec.frame(public.encode())


def test_an_applications_refusal_is_found_in_the_json_in_the_json(shared: Shared) -> None:
    raw = json.dumps(sample(shared, "constructed/http_tx_refused_by_application.json")).encode()
    tx = codec.body(raw, codec.Tx)
    assert rows.app_code(tx.event_info) == 21728
    assert codes.meaning(21728).act is Act.LOOK
    assert codes.meaning(21728).reject == Reject.REJ_DUPLICATE


def test_rest_answers_can_be_read(shared: Shared) -> None:
    def read(name: str, kind: type):
        return codec.body(shared(f"lighter-samples/{name}").read_bytes(), kind)

    assert read("rest/next_nonce.json", codec.NextNonce).nonce == 1234567890
    assert read("captured/rest_account_limits.json", codec.Limits).user_tier == "standard"
    (account,) = read("rest/account.json", codec.Accounts).accounts
    assert (account.index, account.cancel_all_time) == (123456, 0)
    (order,) = read("captured/rest_account_active_orders.json", codec.Orders).orders
    assert rows.order_view(order, BTC).px == 566082
    sent = read("constructed/http_sendtx_reply_quota.json", codec.Sent)
    assert sent.volume_quota_remaining == 10780


def test_an_error_of_a_send_has_its_code_and_its_id(shared: Shared) -> None:
    refused = codec.frame(
        shared("lighter-samples/constructed/ws_sendtx_reply_error.json").read_bytes()
    )
    assert (refused.id, refused.refusal.code) == ("7", 21104)
    taken = codec.frame(
        shared("lighter-samples/constructed/ws_sendtxbatch_reply_ok.json").read_bytes()
    )
    assert taken.refusal is None and len(taken.hashes) == 2
    beside = codec.frame(b'{"type":"error","code":30005,"message":"Invalid Channel"}')
    assert beside.refusal == codec.Error(30005, "Invalid Channel")


@pytest.mark.parametrize(
    "wrong",
    [
        b"", b"{", b"[]", b'{"type":7}', b'{"orders":{"1":[{}]}}', b'{"positions":[]}', b"\xff",
        b'{"orders":{"1":[{"order_index":"x"}]}}', b'{"txs":{}}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_frame_is_refused_in_one_line(wrong: bytes) -> None:
    with pytest.raises(RowError, match=r"\Aa frame cannot be read: [^\n]+\Z"):
        codec.frame(wrong)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_law_any_bytes_are_a_frame_or_a_refusal(data: bytes) -> None:
    try:
        codec.frame(data)
    except RowError as error:
        assert "\n" not in str(error)


def order(**changed: object) -> rows.OrderRow:
    fields = {
        "order_index": 5, "client_order_index": 7, "market_index": 1, "initial_base_amount": "0.00100",
        "price": "58300.0", "remaining_base_amount": "0.00100", "filled_base_amount": "0.00000",
        "is_ask": False, "status": "open",
    }  # fmt: skip
    return rows.OrderRow(**fields | changed)


@pytest.mark.parametrize(
    "field, text, why",
    [
        ("price", "58300.05", "not a multiple"), ("price", "NaN", "not a decimal number"),
        ("price", "1e30", "too large"), ("initial_base_amount", "", "not a decimal number"),
        ("filled_base_amount", "-0.00001", "negative"),
    ],
)  # fmt: skip
def test_a_number_that_does_not_fit_is_refused_not_rounded(field: str, text: str, why: str) -> None:
    with pytest.raises(RowError, match=why):
        rows.order_view(order(**{field: text}), BTC)


@pytest.mark.parametrize("sign, size", [(2, "1"), (0, "1"), (1, "-1")])
def test_a_position_without_a_sense_is_refused(sign: int, size: str) -> None:
    with pytest.raises(RowError, match="want a size and 1 or -1"):
        rows.position_view(rows.PositionRow(1, sign, size), BTC)


# codes


def test_a_code_nobody_knows_proves_nothing() -> None:
    assert not codes.meaning(12345).refuses
    assert not codes.meaning_of_status(500, 21104).refuses
    assert not codes.meaning_of_status(400, 0).refuses
    assert codes.meaning_of_status(400, 21104).act is Act.RESYNC
    assert codes.meaning_of_status(405, 0).act is Act.SLOW


def test_every_code_of_the_table_is_the_venues(shared: Shared) -> None:
    published = {row["code"] for row in sample(shared, "errors/error_codes.json")}
    beyond = {20001, 20013, 21136}  # seen, not published
    assert set(codes.MEANINGS) - published <= beyond


@pytest.mark.parametrize(
    "status, reason",
    [
        ("open", None), ("in-progress", None), ("pending", None), ("new-word", None),
        ("filled", Reject.REJ_NONE), ("canceled", Reject.REJ_NONE),
        ("canceled-post-only", Reject.REJ_POST_ONLY), ("canceled-by-comet", Reject.REJ_OTHER),
    ],
)  # fmt: skip
def test_how_an_order_ends(status: str, reason: int | None) -> None:
    assert codes.end_of(status) == reason
