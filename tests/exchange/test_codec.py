"""Transactions of the official signer decode, hash and verify; damaged ones are refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bog.exchange import codec, gate
from bog.exchange.refusal import MESSAGES, Refusal
from tests.rig.desk import Desk

Shared = Callable[[str], Path]


@pytest.fixture(scope="module")
def vectors(shared: Shared) -> dict[str, Any]:
    found = json.loads(shared("lighter-samples/signing/tx_vectors_sdk_1_1_8.json").read_text())
    assert isinstance(found, dict)
    return found


def test_the_official_signers_transactions_have_the_hash_and_verify(
    vectors: dict[str, Any],
) -> None:
    public = bytes.fromhex(vectors["public_key"][2:])
    taken = 0
    for vector in vectors["vectors"]:
        if vector["tx_type"] in codec.FIELDS:
            tx = codec.decode(300, vector["tx_type"], vector["tx_info"])
            assert tx.hash == vector["tx_hash"], vector["name"]
            assert tx.is_signed_by(public), vector["name"]
            taken += 1
    assert taken == 17


def test_another_order_of_keys_and_blanks_change_nothing(vectors: dict[str, Any]) -> None:
    vector = vectors["vectors"][5]
    given = json.loads(vector["tx_info"])
    turned = dict(reversed(given.items()))
    assert codec.decode(300, 14, json.dumps(turned, indent=2)).hash == vector["tx_hash"]
    assert codec.decode(300, 14, turned).hash == vector["tx_hash"]


def test_another_chain_or_any_changed_field_does_not_verify(vectors: dict[str, Any]) -> None:
    public = bytes.fromhex(vectors["public_key"][2:])
    vector = vectors["vectors"][0]
    assert not codec.decode(304, 14, vector["tx_info"]).is_signed_by(public)
    given = json.loads(vector["tx_info"])
    for name in (*codec.HEAD, *codec.FIELDS[14]):
        tx = codec.decode(300, 14, {**given, name: 1 if given[name] == 0 else given[name] - 1})
        assert not tx.is_signed_by(public), name


@pytest.mark.parametrize("name", [*codec.HEAD, *codec.FIELDS[14]])
@pytest.mark.parametrize("value", [-1, 2**64, True, 1.5, "1", None])
def test_a_field_that_is_no_number_in_range_is_refused(
    vectors: dict[str, Any], name: str, value: object
) -> None:
    given = json.loads(vectors["vectors"][0]["tx_info"])
    with pytest.raises(Refusal) as caught:
        codec.decode(300, 14, {**given, name: value})
    assert caught.value.code in {21501, codec.RANGES[name][2]}


@pytest.mark.parametrize("kind", [0, 8, 9, 12, 13, 28, 29, 41, 99])
def test_a_type_that_is_not_offered_is_refused_by_name(kind: int) -> None:
    with pytest.raises(Refusal, match="unsupported tx type"):
        codec.decode(300, kind, "{}")


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 5000])
def test_text_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="invalid tx info"):
        codec.decode(300, 14, text)


def test_tokens_of_other_signers_are_taken_until_their_deadline(shared: Shared) -> None:
    found = json.loads(shared("lighter-samples/signing/auth_token_vectors.json").read_text())
    from bog._core import schnorr

    for vector in found["vectors"]:
        public = schnorr.public_key(bytes.fromhex(vector["sk"]))
        text, _, signature = vector["token"].rpartition(":")
        assert codec.is_token_of(public, text, signature)
        assert not codec.is_token_of(public, text + "0", signature)


def test_a_token_is_refused_for_its_reason() -> None:
    desk = Desk()
    client, now_s = desk.clients[0], desk.now_ns // 10**9
    good = client.signer.auth_token(now_s + 600)
    gate.check_token(desk.state, good, 1000)
    for token, why in [
        ("garbage", "invalid auth string"),
        (client.signer.auth_token(now_s - 1), "expired token"),
        (good[:-1] + ("0" if good[-1] != "0" else "1"), "invalid signature"),
        (good.replace(":1000:", ":1001:"), "invalid signature"),
    ]:
        with pytest.raises(Refusal, match=why):
            gate.check_token(desk.state, token, 1000)
    with pytest.raises(Refusal, match="invalid deadline"):
        gate.check_token(desk.state, good, 1000, life_s=60)
    with pytest.raises(Refusal, match="does not match"):
        gate.check_token(desk.state, good, 1001)


def test_every_message_is_the_venues(shared: Shared) -> None:
    rows = json.loads(shared("lighter-samples/errors/error_codes.json").read_text())
    known = {row["code"]: row["message"] for row in rows}
    for code, message in MESSAGES.items():
        if code >= 21100:  # the token and parameter codes are not in the published list
            assert known[code].strip() == message.strip(), code
