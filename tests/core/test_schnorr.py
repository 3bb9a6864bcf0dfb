"""The arithmetic of signatures: every vector of the venue's library, then the laws."""

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog._core import schnorr

P = 2**64 - 2**32 + 1
ORDER = 0x7FFFFFFD800000077FFFFFF1000000167FFFFFE6CFB80639E8885C39D724A09CE80FD996948BFFE1
Shared = Callable[[str], Path]


def vectors(shared: Shared, name: str) -> Any:
    found = json.loads(shared(f"lighter-samples/signing/{name}_vectors.json").read_text())
    return found["vectors"]


def limb(text: str) -> int:
    return int.from_bytes(bytes.fromhex(text), "little")


def limbs(text: str) -> list[int]:
    return [limb(text[at : at + 16]) for at in range(0, len(text), 16)]


def number(value: int) -> bytes:
    return value.to_bytes(40, "little")


def power(value: bytes, exponent: int) -> bytes:
    """Return value ** exponent by the multiplication under test."""
    out = number(1)
    while exponent:
        if exponent & 1:
            out = schnorr.quintic("mul", out, value)
        value = schnorr.quintic("square", value)
        exponent >>= 1
    return out


def sponge(elements: list[int], outputs: int) -> list[int]:
    """Return the hash by the permutation alone; past the rate it is squeezed once more."""
    state = [0] * 12
    for at in range(0, len(elements), 8):
        chunk = elements[at : at + 8]
        state = schnorr.permutation(chunk + state[len(chunk) :])
    return (state[:8] + schnorr.permutation(state))[:outputs]


def test_vectors_of_the_base_field(shared: Shared) -> None:
    cases = vectors(shared, "goldilocks")
    assert len(cases) == 92
    for case in cases:
        a, b = limb(case["a"]), limb(case["b"])
        assert schnorr.base("add", a, b) == limb(case["add"])
        assert schnorr.base("sub", a, b) == limb(case["sub"])
        assert schnorr.base("mul", a, b) == limb(case["mul"])
        assert schnorr.base("neg", a) == limb(case["neg_a"])
        assert schnorr.base("inverse", a) == limb(case["inv_a"])
        assert schnorr.base("pow", a, int(case["e"])) == limb(case["pow_a_e"])


def test_vectors_of_the_quintic_extension(shared: Shared) -> None:
    cases = vectors(shared, "quintic")
    assert len(cases) == 92
    for case in cases:
        a, b = bytes.fromhex(case["a"]), bytes.fromhex(case["b"])
        for op in ("add", "sub", "mul"):
            assert schnorr.quintic(op, a, b).hex() == case[op]
        assert schnorr.quintic("neg", a).hex() == case["neg_a"]
        assert schnorr.quintic("inverse", a).hex() == case["inv_a"]
        assert power(a, int(case["e"])).hex() == case["pow_a_e"]


def test_vectors_of_the_scalars(shared: Shared) -> None:
    cases = vectors(shared, "ecgfp5")["scalar_ops"]
    assert len(cases) == 25
    for case in cases:
        # some inputs are not below the order: the venue's library takes them modulo it
        a, b = (schnorr.scalars("reduce", bytes.fromhex(case[name])) for name in "ab")
        for op in ("add", "sub", "mul"):
            assert schnorr.scalars(op, a, b).hex() == case[op]
        assert schnorr.scalars("sub", bytes(40), a).hex() == case["neg_a"]
        assert (a == bytes(40)) == case["a_is_zero"]


def test_vectors_of_the_curve(shared: Shared) -> None:
    cases = vectors(shared, "ecgfp5")
    assert [len(cases[name]) for name in ("decode", "add", "scalar_mul")] == [14, 9, 13]
    for case in cases["decode"]:
        w = bytes.fromhex(case["w"])
        if case["decodes"]:
            assert schnorr.points("decode", w).hex() == case["encoded_back"]
            assert (w == bytes(40)) == case["is_neutral"]
        else:
            with pytest.raises(ValueError, match="no point is encoded"):
                schnorr.points("decode", w)
    for case in cases["add"]:
        a, b = bytes.fromhex(case["a_w"]), bytes.fromhex(case["b_w"])
        assert schnorr.points("add", a, b).hex() == case["sum_w"]
        assert schnorr.points("double", a).hex() == case["a_double_w"]
    for case in cases["scalar_mul"]:
        k = schnorr.scalars("reduce", bytes.fromhex(case["scalar_le"]))
        assert schnorr.points("mul", bytes.fromhex(case["base_w"]), k).hex() == case["out_w"]


@pytest.mark.parametrize("portable", [False, True], ids=["path in use", "portable"])
def test_vectors_of_the_permutation(shared: Shared, portable: bool) -> None:
    cases = vectors(shared, "poseidon2")["permute"]
    assert len(cases) == 18
    for case in cases:
        assert schnorr.permutation(limbs(case["input"]), portable) == limbs(case["output"])


def test_vectors_of_the_hash(shared: Shared) -> None:
    cases = vectors(shared, "poseidon2")
    assert [len(cases[name]) for name in ("sponge", "hash_to_quintic", "hash_n_to_one")] == [
        45, 13, 7,
    ]  # fmt: skip
    for case in cases["sponge"]:
        if case["num_outputs"] <= 8:
            found = schnorr.hash_of(limbs(case["input"]), case["num_outputs"])
            assert found == limbs(case["output"])
        assert sponge(limbs(case["input"]), case["num_outputs"]) == limbs(case["output"])
    for case in cases["hash_to_quintic"]:
        assert schnorr.hash_of(limbs(case["input"])) == limbs(case["output"])
    for case in cases["hash_n_to_one"]:
        found = limbs(case["inputs"][0])
        for text in islice(case["inputs"], 1, None):
            found = schnorr.hash_of(found + limbs(text), 4)
        assert found == limbs(case["output"])


def test_vectors_of_keys(shared: Shared) -> None:
    cases = vectors(shared, "schnorr")["keygen"]
    assert len(cases) == 20
    for case in cases:
        assert schnorr.public_key(bytes.fromhex(case["sk"])).hex() == case["pk"]


def test_vectors_of_signatures_with_a_fixed_k(shared: Shared) -> None:
    cases = vectors(shared, "schnorr")["sign"]
    assert len(cases) == 20
    for case in cases:
        key, message, k = (bytes.fromhex(case[name]) for name in ("sk", "hashed_msg", "k"))
        signature = schnorr.sign_with(key, message, k)
        assert signature.hex() == case["sig"]
        assert schnorr.verify(schnorr.public_key(key), message, signature)


def signed(seed: int = 1) -> tuple[bytes, bytes, bytes]:
    """Return a public key, a message and its signature, made from a small number."""
    key, k = number(pow(5, 1000 + seed, ORDER)), number(pow(7, 1000 + seed, ORDER))
    message = b"".join(pow(3, seed + i, P).to_bytes(8, "little") for i in range(5))
    return schnorr.public_key(key), message, schnorr.sign_with(key, message, k)


def test_every_flipped_bit_of_key_message_and_signature_is_refused() -> None:
    public, message, signature = signed()
    whole = public + message + signature
    assert schnorr.verify(public, message, signature)
    for bit in range(8 * len(whole)):
        bad = bytearray(whole)
        bad[bit // 8] ^= 1 << bit % 8
        assert not schnorr.verify(bad[:40], bad[40:80], bad[80:]), bit


def test_numbers_out_of_range_are_refused() -> None:
    """Each stands for the same element or scalar as the good one, so only the form is wrong."""
    public, message, signature = signed(3)
    s, e = (int.from_bytes(part, "little") for part in (signature[:40], signature[40:]))
    for bad_s, bad_e in ((s + ORDER, e), (s, e + ORDER), (ORDER, e), (2**320 - 1, e)):
        if max(bad_s, bad_e) < 2**320:
            assert not schnorr.verify(public, message, number(bad_s) + number(bad_e))
    small = (5).to_bytes(8, "little") + message[8:]
    key = number(12345)
    good = schnorr.sign_with(key, small, number(99))
    other = (5 + P).to_bytes(8, "little") + small[8:]
    assert schnorr.verify(schnorr.public_key(key), small, good)
    assert not schnorr.verify(schnorr.public_key(key), other, good)
    # the public key of 1 is the element 4, which has a second spelling: 4 + p
    one, twice = schnorr.public_key(number(1)), (4 + P).to_bytes(8, "little") + bytes(32)
    good = schnorr.sign_with(number(1), small, number(99))
    assert schnorr.verify(one, small, good)
    assert not schnorr.verify(twice, small, good)


def test_the_neutral_is_no_public_key() -> None:
    """With it every message would verify under s = k, e = hash."""
    message = signed()[1]
    signature = schnorr.sign_with(bytes(40), message, number(99))
    assert schnorr.public_key(bytes(40)) == bytes(40)
    assert not schnorr.verify(bytes(40), message, signature)
    assert schnorr.verify_many(bytes(40), [(message, signature)] * 20) == [False] * 20


def test_many_signatures_verify_as_one_by_one() -> None:
    key = number(pow(5, 77, ORDER))
    public = schnorr.public_key(key)
    pairs = []
    for i in range(40):
        _, message, _ = signed(i)
        signature = bytearray(schnorr.sign_with(key, message, number(1000 + i)))
        if i % 5 == 0:
            signature[i] ^= 1
        pairs.append((message, bytes(signature)))
    one_by_one = [schnorr.verify(public, *pair) for pair in pairs]
    assert one_by_one == [i % 5 != 0 for i in range(40)]
    assert schnorr.verify_many(public, pairs) == one_by_one
    assert schnorr.verify_many(public, pairs[:6]) == one_by_one[:6]
    undecodable = bytes.fromhex("01" * 39 + "00")
    assert schnorr.verify_many(undecodable, pairs[:2]) == [False, False]


def test_a_wrong_length_says_what_is_wrong() -> None:
    public, message, signature = signed()
    with pytest.raises(ValueError, match="signature has 79 bytes; it needs 80"):
        schnorr.verify(public, message, signature[:79])
    with pytest.raises(ValueError, match="public key has 0 bytes; it needs 40"):
        schnorr.verify_many(b"", [])
    with pytest.raises(ValueError, match="private key is not below the order"):
        schnorr.public_key(number(ORDER))


# numbers at the edges of 32 and 64 bits are where a fold goes wrong
edges = st.sampled_from([0, 1, 2, 2**32 - 2, 2**32 - 1, 2**32, 2**32 + 1, 2**63, P - 2, P - 1])
base = edges | st.integers(0, P - 1)
quintics = st.lists(base, min_size=5, max_size=5).map(
    lambda v: b"".join(x.to_bytes(8, "little") for x in v)
)
scalar = (
    st.sampled_from([0, 1, 16, 17, 2**64 - 1, 2**255, ORDER // 2, ORDER - 17, ORDER - 1])
    | st.integers(0, ORDER - 1)
).map(number)


def plain(value: bytes) -> list[int]:
    return [int.from_bytes(value[at : at + 8], "little") for at in range(0, 40, 8)]


@given(base, base)
def test_law_the_base_field_is_arithmetic_modulo_p(a: int, b: int) -> None:
    assert schnorr.base("add", a, b) == (a + b) % P
    assert schnorr.base("sub", a, b) == (a - b) % P
    assert schnorr.base("mul", a, b) == a * b % P
    assert schnorr.base("neg", a) == -a % P
    assert schnorr.base("inverse", a) == pow(a, P - 2, P)
    root = schnorr.base("sqrt", a)
    assert root * root % P == (a if pow(a, (P - 1) // 2, P) <= 1 else 0)


@given(st.integers(0, 2**64 - 1))
def test_law_any_word_has_one_canonical_form(word: int) -> None:
    assert schnorr.base("canonical", word) == word % P


@given(quintics, quintics)
def test_law_the_quintic_extension_is_polynomials_modulo_z5_minus_3(a: bytes, b: bytes) -> None:
    x, y, wide = plain(a), plain(b), [0] * 9
    for i in range(5):
        for j in range(5):
            wide[i + j] += x[i] * y[j]
    product = [(wide[i] + 3 * (wide[i + 5] if i < 4 else 0)) % P for i in range(5)]
    assert plain(schnorr.quintic("mul", a, b)) == product
    assert schnorr.quintic("square", a) == schnorr.quintic("mul", a, a)
    if a != bytes(40):
        assert schnorr.quintic("mul", a, schnorr.quintic("inverse", a)) == number(1)


@given(quintics)
def test_law_a_root_is_found_exactly_for_squares(a: bytes) -> None:
    square = schnorr.quintic("square", a)
    root = schnorr.quintic("sqrt", square)
    assert root in (a, schnorr.quintic("neg", a))
    other = schnorr.quintic("sqrt", a)
    # 7 is no square modulo p, nor in an extension of odd degree
    twisted = schnorr.quintic("sqrt", schnorr.quintic("mul", a, number(7)))
    assert a == bytes(40) or (other is None) != (twisted is None)


@given(scalar, scalar)
def test_law_scalars_are_arithmetic_modulo_the_order(a: bytes, b: bytes) -> None:
    x, y = int.from_bytes(a, "little"), int.from_bytes(b, "little")
    assert schnorr.scalars("add", a, b) == number((x + y) % ORDER)
    assert schnorr.scalars("sub", a, b) == number((x - y) % ORDER)
    assert schnorr.scalars("mul", a, b) == number(x * y % ORDER)


@given(st.binary(min_size=40, max_size=40) | st.just(b"\xff" * 40))
def test_law_any_320_bits_reduce(data: bytes) -> None:
    assert schnorr.scalars("reduce", data) == number(int.from_bytes(data, "little") % ORDER)


@given(scalar, scalar)
def test_law_the_curve_is_a_group_of_that_order(a: bytes, b: bytes) -> None:
    """Two ways to multiply meet here: the table of the generator and the doublings."""
    one = schnorr.public_key(number(1))
    x, y = schnorr.public_key(a), schnorr.public_key(b)
    assert x == schnorr.points("mul", one, a)
    assert schnorr.points("add", x, y) == schnorr.points("add", y, x)
    assert schnorr.points("add", x, y) == schnorr.public_key(schnorr.scalars("add", a, b))
    assert schnorr.points("double", x) == schnorr.points("add", x, x)
    assert schnorr.points("add", x, bytes(40)) == x
    minus = schnorr.public_key(schnorr.scalars("sub", bytes(40), a))
    assert schnorr.points("add", x, minus) == bytes(40)
    assert schnorr.points("mul", x, b) == schnorr.points("mul", y, a)
    assert schnorr.points("decode", x) == x


@given(st.lists(base, min_size=12, max_size=12))
def test_law_both_paths_of_the_permutation_agree(state: list[int]) -> None:
    assert schnorr.permutation(state) == schnorr.permutation(state, True)


@given(scalar, quintics, scalar)
def test_law_what_is_signed_verifies(key: bytes, message: bytes, k: bytes) -> None:
    signature = schnorr.sign_with(key, message, k)
    assert schnorr.verify(schnorr.public_key(key), message, signature) == (key != bytes(40))
