"""Transactions: hashes, text, limits, pairs and keys of the signer."""

import base64
import json
import os
import pickle
import random
import subprocess
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog._core import schnorr, signer
from bog._core.signer import NotSigned, Signer, SignReason
from tests.rig.signing import (
    CHAIN,
    NOW_MS,
    OPEN,
    ORDER,
    key_file,
    key_of,
    public_of,
    random_signed,
    signer_of,
)

Shared = Callable[[str], Path]
OURS = {14, 15, 16, 17, 20, 28}
EXPIRED = NOW_MS + 599_000
EXPIRY = NOW_MS + 360_000


def load(shared: Shared, name: str) -> Any:
    return json.loads(shared(f"lighter-samples/signing/{name}.json").read_text())


def sign_again(own: Signer, kind: int, info: dict[str, Any], form: bool = False) -> signer.Signed:
    """Return the transaction of a tx_info, signed by us through the public methods."""
    attributes = {int(k): v for k, v in (info["L2TxAttributes"] or {}).items()}
    base, end = (info["Nonce"], info["ExpiredAt"]), (attributes, form)
    match kind:
        case 14:
            names = [
                "MarketIndex",
                "ClientOrderIndex",
                "BaseAmount",
                "Price",
                "IsAsk",
                "OrderExpiry",
                "Type",
            ]
            names += ["TimeInForce", "ReduceOnly", "TriggerPrice"]
            return own.create_order(*base, *(info[name] for name in names), *end)
        case 15:
            return own.cancel_order(*base, info["MarketIndex"], info["Index"], *end)
        case 16:
            return own.cancel_all(*base, info["TimeInForce"], info["Time"], *end)
        case 17:
            names = ["MarketIndex", "Index", "BaseAmount", "Price", "TriggerPrice"]
            return own.modify_order(*base, *(info[name] for name in names), *end)
        case 20:
            names = ["MarketIndex", "InitialMarginFraction", "MarginMode"]
            return own.update_leverage(*base, *(info[name] for name in names), *end)
    return own.create_group(*base, info["GroupingType"], info["Orders"], *end)


def without_signature(text: str) -> str:
    head, _, rest = text.partition('"Sig":"')
    signature, _, tail = rest.partition('"')
    assert len(signature) == 108
    assert len(base64.b64decode(signature)) == 80
    return head + tail


def test_vectors_of_the_sdk_hash_verify_and_are_written_byte_for_byte(shared: Shared) -> None:
    sample = load(shared, "tx_vectors_sdk_1_1_8")
    key = bytes.fromhex(sample["private_key"][2:])
    own = signer_of(key=key, integrator=6)
    assert own.public_key.hex() == sample["public_key"][2:]
    ours = [vector for vector in sample["vectors"] if vector["tx_type"] in OURS]
    assert len(ours) == 18
    for vector in ours:
        kind, text = vector["tx_type"], vector["tx_info"]
        assert signer.transaction_hash(CHAIN, kind, text).hex() == vector["tx_hash"], vector["name"]
        assert signer.verify_transaction(own.public_key, CHAIN, kind, text)
        assert not signer.verify_transaction(own.public_key, 304, kind, text)  # another chain
        again = sign_again(own, kind, json.loads(text))
        assert (again.type, again.hash) == (kind, vector["tx_hash"])
        assert without_signature(again.text.decode()) == without_signature(text)
        assert signer.verify_transaction(own.public_key, CHAIN, kind, again.text)
    assert signer.verify_token(own.public_key, sample["auth_token"])


def test_transactions_that_move_funds_or_keys_are_refused(shared: Shared) -> None:
    sample = load(shared, "tx_vectors_sdk_1_1_8")
    others = [vector for vector in sample["vectors"] if vector["tx_type"] not in OURS]
    assert {vector["tx_type"] for vector in others} == {9, 13, 29, 41}
    for vector in others:
        with pytest.raises(ValueError, match=f"type {vector['tx_type']} is not one"):
            signer.transaction_hash(CHAIN, vector["tx_type"], vector["tx_info"])
        public = bytes.fromhex(sample["public_key"][2:])
        assert not signer.verify_transaction(public, CHAIN, vector["tx_type"], vector["tx_info"])


def test_only_six_types_exist_in_the_compiled_signer() -> None:
    """Neither a name nor a field of any other transaction is in the machine code's data."""
    assert {kind.value for kind in signer.TxType} == OURS
    text = Path(signer.__file__).read_bytes()
    assert b"InitialMarginFraction" in text
    for word in (b"ithdraw", b"ransfer", b"hangePubKey", b"ToAccountIndex", b"RouteType",
                 b"USDCAmount", b"PubKey", b"SubAccount", b"L1Sig", b"MaxPerpsTakerFee"):  # fmt: skip
        assert word not in text, word
    for kind in range(256):
        if kind not in OURS:
            with pytest.raises(ValueError, match=f"type {kind} is not one"):
                signer.transaction_hash(CHAIN, kind, "{}")


def test_nothing_signs_a_hash_of_the_callers() -> None:
    """The methods of a signer are the transactions, and what is said about it."""
    methods = {name for name in dir(Signer) if not name.startswith("_")}
    assert methods == {
        "auth_token", "cancel_all", "cancel_order", "close", "counters", "create_group",
        "create_order", "fill", "from_file", "modify_order", "public_key", "ready", "spent_today",
        "update_leverage",
    }  # fmt: skip


def test_vectors_of_may_2026(shared: Shared) -> None:
    cases = load(shared, "tx_vectors_2026_05")["vectors"]
    assert len(cases) == 9
    for case in (case for case in cases if case["tx_type"] in OURS):
        key, text = bytes.fromhex(case["sk"]), case["tx_info"]
        own = signer_of(key=key, account_index=12345, key_index=5, integrator=723813)
        found = signer.transaction_hash(case["chain_id"], case["tx_type"], text)
        assert found.hex() == case["tx_hash"]
        assert schnorr.verify(own.public_key, found, bytes.fromhex(case["sig"]))
        again = sign_again(own, case["tx_type"], json.loads(text))
        assert again.hash == case["tx_hash"]
        assert without_signature(again.text.decode()) == without_signature(text)


def test_vectors_of_auth_tokens(shared: Shared) -> None:
    cases = load(shared, "auth_token_vectors")["vectors"]
    assert len(cases) == 6
    for case in cases:
        public = schnorr.public_key(bytes.fromhex(case["sk"]))
        assert signer.verify_token(public, case["token"])
        deadline, _, rest = case["token"].partition(":")
        assert not signer.verify_token(public, f"{int(deadline) + 1}:{rest}")
        assert not signer.verify_token(public, "0" + case["token"])


def test_hashes_of_mainnet_transactions(shared: Shared) -> None:
    text = shared("lighter-samples/captured/mainnet_2025_10_private_session.json").read_text()
    found: list[dict[str, Any]] = []

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            if "info" in value and "hash" in value and value.get("type") == 14:
                found.append(value)
            for part in value.values():
                collect(part)
        elif isinstance(value, list):
            for part in value:
                collect(part)

    collect(json.loads(text))
    assert len(found) == 2
    for tx in found:
        assert signer.transaction_hash(304, 14, tx["info"]).hex() == tx["hash"]
        assert signer.transaction_hash(300, 14, tx["info"]).hex() != tx["hash"]


def test_the_form_body_is_that_of_the_sample(shared: Shared) -> None:
    sample = shared("lighter-samples/constructed/http_sendtx_body.txt").read_text().strip()
    fields = urllib.parse.parse_qs(sample, strict_parsing=True)
    own = signer_of()
    ours = sign_again(own, 14, json.loads(fields["tx_info"][0]), form=True).text.decode()
    read = urllib.parse.parse_qs(ours, strict_parsing=True)
    assert read.keys() == fields.keys()
    assert read["tx_type"] == ["14"]
    assert without_signature(read["tx_info"][0]) == without_signature(fields["tx_info"][0])

    def head(text: str) -> str:
        return text.partition("%22Sig%22")[0]

    assert head(ours) == head(sample)
    assert ours[-60:] == sample[-60:]
    assert signer.verify_transaction(own.public_key, CHAIN, 14, read["tx_info"][0])


def test_any_transaction_verifies_in_both_forms_and_only_as_it_is() -> None:
    own, rng = signer_of(), random.Random(5)
    own.fill()
    for turn in range(400):
        made = random_signed(own, rng, form=bool(turn % 2))
        text = made.text.decode()
        if turn % 2:
            fields = urllib.parse.parse_qs(text, strict_parsing=True)
            assert fields["tx_type"] == [str(made.type)]
            text = fields["tx_info"][0]
        info = json.loads(text)
        assert json.dumps(info, separators=(",", ":")) == text  # no byte but JSON's own
        assert signer.verify_transaction(own.public_key, CHAIN, made.type, text)
        assert signer.transaction_hash(CHAIN, made.type, text).hex() == made.hash
        assert not signer.verify_transaction(public_of(2), CHAIN, made.type, text)
        info["Nonce"] += 1
        assert not signer.verify_transaction(own.public_key, CHAIN, made.type, json.dumps(info))
    assert own.counters()["signed"] == 400


FIELDS = st.sampled_from(
    ["AccountIndex", "ApiKeyIndex", "Nonce", "ExpiredAt", "MarketIndex", "Index", "BaseAmount",
     "Price", "TriggerPrice", "TimeInForce", "Time", "GroupingType", "Orders", "L2TxAttributes",
     "Sig", "InitialMarginFraction", "MarginMode", "ClientOrderIndex", "IsAsk", "OrderExpiry"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS | st.text(), inner),
)


@given(st.sampled_from([14, 15, 16, 17, 20, 28]), st.integers(0, 2**32), FIELDS, JSON)
def test_law_whatever_stands_in_a_field_is_refused_and_breaks_nothing(
    kind: int, seed: int, name: str, value: Any
) -> None:
    own, rng = signer_of(), random.Random(seed)
    made = next(tx for tx in iter(lambda: random_signed(own, rng), None) if tx.type == kind)
    info = json.loads(made.text)
    changed = info | {name: value}
    # attributes have several ways to say nothing; all hash alike
    alike = name not in info or info[name] == value or name == "L2TxAttributes"
    text = json.dumps(changed)
    assert signer.verify_transaction(own.public_key, CHAIN, kind, text) <= alike
    assert not signer.verify_transaction(own.public_key, CHAIN, kind, json.dumps(value))
    assert not signer.verify_transaction(own.public_key, CHAIN, kind, text[:-1])


@pytest.mark.parametrize(
    ("name", "value"),
    [("Index", 42.5), ("Index", 42.0), ("Index", "42"), ("Index", 2**64 + 42), ("Nonce", True),
     ("AccountIndex", 123456.0), ("L2TxAttributes", {"4": 1.5}), ("L2TxAttributes", {"+4": 1}),
     ("L2TxAttributes", False)],
)  # fmt: skip
def test_a_number_that_is_no_integer_is_not_cut_to_one(name: str, value: Any) -> None:
    own = signer_of()
    info = json.loads(
        own.cancel_order(1, EXPIRED, 1, 42, {4: 1} if "4" in str(value) else None).text
    )
    with pytest.raises(ValueError, match=f"tx_info of type 15 has no right {name}"):
        signer.transaction_hash(CHAIN, 15, json.dumps(info | {name: value}))
    assert not signer.verify_transaction(
        own.public_key, CHAIN, 15, json.dumps(info | {name: value})
    )


def test_no_k_is_used_twice() -> None:
    """k = s + e sk, so a test that knows the key knows every k."""
    own, key = signer_of(pairs=64), int.from_bytes(key_of(1), "little")
    seen = set()
    for turn in range(300):
        if turn % 97 == 0:
            own.fill()
        info = json.loads(own.cancel_order(turn, EXPIRED, 1, 42).text)
        signature = base64.b64decode(info["Sig"])
        s, e = (int.from_bytes(part, "little") for part in (signature[:40], signature[40:]))
        seen.add((s + e * key) % ORDER)
    assert len(seen) == 300
    counters = own.counters()
    assert (counters["made"], counters["slow"]) == (64 * 4, 300 - 64 * 3 - (300 - 3 * 97))
    # each of its 319 bits is set about half of the time
    for bit in range(318):
        assert 100 < sum(k >> bit & 1 for k in seen) < 200, bit


BAD = [
    (SignReason.BAD_NONCE, {"nonce": -1}),
    (SignReason.BAD_NONCE, {"nonce": 2**48}),
    (SignReason.BAD_EXPIRED_AT, {"expired_at_ms": 0}),
    (SignReason.BAD_MARKET, {"market": 255}),
    (SignReason.BAD_MARKET, {"market": -1}),
    (SignReason.BAD_CLIENT_INDEX, {"client_index": 2**48}),
    (SignReason.BAD_SIZE, {"size": 0}),
    (SignReason.BAD_SIZE, {"size": 2**48}),
    (SignReason.BAD_PRICE, {"px": 0}),
    (SignReason.BAD_PRICE, {"px": 2**32 + 5}),
    (SignReason.BAD_TRIGGER, {"trigger_px": 5}),
    (SignReason.BAD_TRIGGER, {"type": 3, "trigger_px": 0}),
    (SignReason.BAD_KIND, {"type": 7}),
    (SignReason.BAD_KIND, {"time_in_force": 3}),
    (SignReason.BAD_KIND, {"type": 1, "time_in_force": 2}),
    (SignReason.BAD_ORDER_EXPIRY, {"expiry_ms": 0}),
    (SignReason.BAD_ORDER_EXPIRY, {"expiry_ms": -1}),
    (SignReason.BAD_ORDER_EXPIRY, {"time_in_force": 0}),
    (SignReason.BAD_ATTRIBUTE, {"attributes": {5: 1}}),
    (SignReason.BAD_ATTRIBUTE, {"attributes": {8: 1}}),
    (SignReason.BAD_ATTRIBUTE, {"attributes": {4: 2}}),
    (SignReason.BAD_ATTRIBUTE, {"attributes": {0: 1}}),
    (SignReason.BAD_ATTRIBUTE, {"attributes": {9: 1}}),
    (SignReason.DENY_MARKET, {"market": 7}),
    (SignReason.DENY_SIZE, {"size": 1001}),
    (SignReason.DENY_PRICE, {"px": 99}),
    (SignReason.DENY_PRICE, {"px": 201}),
    (SignReason.DENY_PRICE, {"type": 3, "trigger_px": 300}),
    (SignReason.DENY_DAILY, {"size": 1000, "px": 200}),
    (SignReason.DENY_INTEGRATOR, {"attributes": {1: 7, 2: 10}}),
]
GOOD = {
    "nonce": 1, "expired_at_ms": EXPIRED, "market": 1, "client_index": 42, "size": 10, "px": 150,
    "is_ask": 0, "expiry_ms": EXPIRY,
}  # fmt: skip
TIGHT: dict[str, Any] = {"markets": {1: (1000, 100, 200)}, "daily_notional": 150_000}


@pytest.mark.parametrize(("reason", "change"), BAD, ids=[f"{r.name} {c}" for r, c in BAD])
def test_what_is_wrong_or_forbidden_is_refused_and_counted(
    reason: SignReason, change: dict[str, Any]
) -> None:
    own = signer_of(**TIGHT)
    assert own.create_order(**GOOD).type == 14
    with pytest.raises(NotSigned) as refused:
        own.create_order(**{**GOOD, **change})
    assert refused.value.reason == reason
    assert "\n" not in str(refused.value)
    counters = own.counters()
    assert counters[reason.name] == 1
    assert counters["signed"] == 1
    assert sum(counters[name.name] for name in SignReason if 0 < name < 27) == 1
    assert own.spent_today == 1500


def test_the_other_transactions_have_limits_too() -> None:
    own = signer_of(**TIGHT, min_margin_fraction=1000)
    cases: list[tuple[SignReason, Callable[[], object]]] = [
        (SignReason.BAD_INDEX, lambda: own.cancel_order(1, EXPIRED, 1, 0)),
        (SignReason.BAD_INDEX, lambda: own.modify_order(1, EXPIRED, 1, 2**60, 10, 150)),
        (SignReason.BAD_TIME, lambda: own.cancel_all(1, EXPIRED, 0, 5)),
        (SignReason.BAD_TIME, lambda: own.cancel_all(1, EXPIRED, 1, 0)),
        (SignReason.BAD_KIND, lambda: own.cancel_all(1, EXPIRED, 3)),
        (SignReason.BAD_ATTRIBUTE, lambda: own.cancel_all(1, EXPIRED, 1, EXPIRY, {5: 1})),
        (SignReason.DENY_SIZE, lambda: own.modify_order(1, EXPIRED, 1, 42, 1001, 150)),
        (SignReason.DENY_PRICE, lambda: own.modify_order(1, EXPIRED, 1, 42, 10, 99)),
        (SignReason.BAD_MARGIN, lambda: own.update_leverage(1, EXPIRED, 1, 0)),
        (SignReason.DENY_LEVERAGE, lambda: own.update_leverage(1, EXPIRED, 1, 999)),
        (SignReason.DENY_MARKET, lambda: own.update_leverage(1, EXPIRED, 2, 5000)),
        (SignReason.BAD_GROUP, lambda: own.create_group(1, EXPIRED, 4, [])),
        (SignReason.DENY_DEADLINE, lambda: own.auth_token(int(time.time()) + 8 * 3600 + 60)),
    ]
    for reason, call in cases:
        with pytest.raises(NotSigned) as refused:
            call()
        assert refused.value.reason == reason
    assert own.counters()["signed"] == 0
    # what takes risk away is never denied: cancels know no market, reducing no daily notional
    own.cancel_order(1, EXPIRED, 7, 42)
    own.cancel_all(1, EXPIRED)
    big = {**GOOD, "size": 1000, "px": 200}
    with pytest.raises(NotSigned, match="daily notional"):
        own.create_order(**big)
    own.create_order(**big, reduce_only=True)
    assert own.spent_today == 200_000
    with pytest.raises(NotSigned, match="daily notional"):
        own.create_order(**GOOD)
    # a group reduces only when all of it does
    child = {"MarketIndex": 1, "ClientOrderIndex": 0, "BaseAmount": 1, "Price": 150, "IsAsk": 1,
             "Type": 3, "TimeInForce": 1, "ReduceOnly": 1, "TriggerPrice": 150,
             "OrderExpiry": EXPIRY}  # fmt: skip
    own.create_group(2, EXPIRED, 2, [child, child])
    with pytest.raises(NotSigned, match="daily notional"):
        own.create_group(2, EXPIRED, 2, [child, {**child, "ReduceOnly": 0}])


def test_what_was_spent_before_a_restart_still_counts() -> None:
    own = signer_of(**{**TIGHT, "spent_today": 149_000})
    with pytest.raises(NotSigned, match="daily notional"):
        own.create_order(**GOOD)


def test_notionals_past_64_bits_do_not_wrap() -> None:
    own = signer_of(daily_notional=2**63 - 1)
    big = {**GOOD, "size": 2**47, "px": 2**32 - 1}
    own.create_order(**GOOD)
    with pytest.raises(NotSigned, match="daily notional"):
        own.create_order(**big)


def test_a_key_is_wiped_from_the_buffer_it_came_in() -> None:
    secret = bytearray(key_of(3))
    own = Signer(key=secret, **OPEN)
    assert secret == bytes(40)
    assert own.public_key == public_of(3)
    for bad, why in (
        (bytes(40), "zero, or not below"),
        (ORDER.to_bytes(40, "little"), "zero, or not below"),
        (b"\xff" * 40, "zero, or not below"),
        (b"\x01" * 39, "has 39 bytes; it needs 40"),
    ):
        secret = bytearray(bad)
        with pytest.raises(ValueError, match=why):
            Signer(key=secret, **OPEN)
        assert secret == bytes(len(bad))
    with pytest.raises((BufferError, ValueError), match=r"read-only|not writable"):
        Signer(key=key_of(3), **OPEN)  # type: ignore[arg-type]


def test_a_key_file_must_be_private(tmp_path: Path) -> None:
    path = key_file(tmp_path, 4)
    assert Signer.from_file(path, **OPEN).public_key == public_of(4)
    path.write_bytes(key_of(4))
    assert Signer.from_file(str(path), **OPEN).public_key == public_of(4)
    path.write_text(key_of(4).hex().upper())
    assert Signer.from_file(path, **OPEN).public_key == public_of(4)
    for text in ("", "0x12", "zz" * 40, "0x" + "1" * 79, "1" * 81, "0x" + key_of(4).hex() + "0"):
        path.write_text(text)
        with pytest.raises(ValueError, match="neither 40 bytes nor 80 hex digits"):
            Signer.from_file(path, **OPEN)
    key_file(tmp_path, 4, 0o640)
    with pytest.raises(PermissionError, match="is not private"):
        Signer.from_file(path, **OPEN)
    path.chmod(0o400)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(OSError, match="cannot be read"):
        Signer.from_file(link, **OPEN)
    with pytest.raises(OSError, match="cannot be read"):
        Signer.from_file(tmp_path / "none", **OPEN)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(PermissionError, match="is not private"):
        Signer.from_file(tmp_path / "pipe", **OPEN)


def test_a_closed_signer_signs_nothing() -> None:
    own = signer_of()
    own.fill(4)
    assert own.ready == 4
    own.close()
    assert own.ready == 0
    with pytest.raises(NotSigned, match="has no key"):
        own.create_order(**GOOD)
    assert own.fill() == 0
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(own)


def test_settings_out_of_range_are_refused() -> None:
    for change, why in (
        ({"account_index": -1}, "account_index -1"),
        ({"key_index": 255}, "key_index 255"),
        ({"chain_id": 0}, "chain_id 0"),
        ({"pairs": 0}, "pairs 0"),
        ({"pairs": 513}, "pairs 513"),
        ({"markets": dict.fromkeys(range(17), (1, 1, 1))}, "17 markets"),
        ({"markets": {1: (1, 5, 4)}}, "limits of market 1"),
        ({"daily_notional": -1}, "daily_notional -1"),
    ):
        with pytest.raises(ValueError, match=why):
            signer_of(**change)
    with pytest.raises(ValueError, match="a key or a path"):
        Signer(**OPEN)


def test_a_disruption_kills_the_pool(tmp_path: Path) -> None:
    """A page as the hypervisor's, whose marker moves when the machine is restored or migrated."""
    page = bytearray(4096)
    page[:4] = (0x4B4C4356).to_bytes(4, "little")
    path = tmp_path / "vmclock"
    path.write_bytes(page)
    own = signer_of(vmclock=str(path))
    own.fill(8)
    own.create_order(**GOOD)
    assert (own.ready, own.counters()["died"]) == (7, 0)
    with path.open("r+b") as file:
        file.seek(16)
        file.write(b"\x01")
    made = own.create_order(**GOOD)
    assert signer.verify_transaction(own.public_key, CHAIN, 14, made.text)
    counters = own.counters()
    assert (own.ready, counters["died"], counters["slow"]) == (0, 7, 1)
    assert own.fill(3) == 3


def test_deaths_of_pairs_by_age_and_by_clocks(tmp_path: Path) -> None:
    """In C, with clocks of the test's own: a pair of 60 s, a host that slept, a pool that is empty."""
    root = Path(__file__).resolve().parents[2]
    program = tmp_path / "deaths"
    # the program brings its own sanitizers; one preloaded for a variant of the core is in its way
    plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    subprocess.run(
        ["gcc", "-std=gnu11", "-O1", "-g", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=all", "-Wno-unused-function", f"-I{root}/bog/_core", "-o", program,
         root / "tests/rig/sign_deaths.c"],
        check=True, env=plain,
    )  # fmt: skip
    done = subprocess.run([program], capture_output=True, text=True, check=False, env=plain)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_signer_starts_no_thread_and_takes_little_memory() -> None:
    before = len(os.listdir("/proc/self/task"))
    own = signer_of(pairs=512)
    own.fill()
    assert len(os.listdir("/proc/self/task")) == before
    assert own.ready == 512
