"""The file of signed transactions beside a journal: what the signer made, and what became of it."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from bog import signed
from bog._core.journal import JournalFile
from bog._core.types import JournalKind
from bog.cli.journal import cli
from bog.errors import JournalDamaged
from tests.rig.signing import OPEN, key_of, public_of, random_signed, seal, signed_lines, signer_of

COUNT = 40


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """Return the unsealed lines of a file with transactions of every type, as JSON and as form."""
    own, rng = signer_of(), random.Random(11)
    own.fill()
    return signed_lines(own, [random_signed(own, rng, bool(n % 2)) for n in range(COUNT)])


@pytest.fixture
def run(tmp_path: Path, shm: Path) -> Callable[..., Path]:
    """Return a function that closes a run's journal, puts bytes beside it, and returns its path."""

    def written(data: bytes | None, account: int = OPEN["account_index"], number: int = 1) -> Path:
        journal = JournalFile(
            tmp_path / "journal", market=1, run=number, price_decimals=1, size_decimals=5,
            segments=shm, capacity=64, account=account,
        )  # fmt: skip
        journal.append(JournalKind.J_RUN, id=number)
        assert journal.close()
        if data is not None:
            signed.beside(Path(journal.path)).write_bytes(data)
        return Path(journal.path)

    return written


def check(path: Path) -> tuple[list[str], str, BaseException | None]:
    """Run the command; return its lines, what it said on stderr, and what it raised."""
    done = CliRunner().invoke(cli, ["check", str(path), "--signatures"])
    return done.stdout.splitlines(), done.stderr, done.exception


def changed(lines: list[str], number: int, old: str, new: str) -> list[str]:
    """Return lines with a text replaced in one of them, which holds it."""
    assert old in lines[number]
    return [line.replace(old, new, 1) if at == number else line for at, line in enumerate(lines)]


def test_what_the_signer_made_is_sound(lines: list[str], run: Callable[..., Path]) -> None:
    path = run(seal(lines))
    said, errors, raised = check(path.parent)
    assert raised is None and not errors
    assert said == [
        f"{signed.beside(path)}: {COUNT} transactions, 0 findings; key 4 of account 123456 on chain "
        f"300, public key {public_of().hex()}",
        f"{path.parent}: sound: 1 runs, 1 records, 0 torn bytes",
    ]


def test_runs_in_which_nothing_was_signed_are_said(
    lines: list[str], run: Callable[..., Path]
) -> None:
    without, dead, fresh = (
        run(None),
        run(b"bogsigned 1 30", number=2),
        run(seal(lines[:1]), number=3),
    )
    said, errors, raised = check(without.parent)
    assert raised is None
    assert said[0] == f"{without}: nothing was signed"
    assert said[1] == f"{signed.beside(dead)}: nothing was signed"
    assert said[2].startswith(f"{signed.beside(fresh)}: 0 transactions, 0 findings; key 4 of")
    assert errors == f"{signed.beside(dead)}: torn tail of 14 bytes passed over\n"


def test_without_the_option_no_signature_is_read(run: Callable[..., Path]) -> None:
    done = CliRunner().invoke(cli, ["check", str(run(b"anything\n"))])
    assert done.exception is None and len(done.stdout.splitlines()) == 1


def test_every_flipped_bit_is_found(lines: list[str], tmp_path: Path) -> None:
    """But that of the last line end, which leaves a torn tail: it could have been cut there."""
    whole, path = seal(lines[:3]), tmp_path / "m1-r00000001.signed"
    for bit in range(8 * (len(whole) - 1)):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(JournalDamaged):
            signed.unsealed(bytes(data), path)
    path.write_bytes(whole[:-1] + b"\x0b")
    found = signed.read(path)
    assert found.torn == len(whole) - len(seal(lines[:2]))
    assert found.count == 1 and not found.findings


def test_a_cut_file_is_its_whole_lines_and_a_torn_tail(lines: list[str], tmp_path: Path) -> None:
    whole, path = seal(lines), tmp_path / "m1-r00000001.signed"
    ends = [at + 1 for at, byte in enumerate(whole) if byte == 10]
    for cut in [*range(0, len(whole), 97), ends[0], ends[5], len(whole)]:
        path.write_bytes(whole[:cut])
        found = signed.read(path)
        before = [end for end in ends if end <= cut]
        assert found.count == max(len(before) - 1, 0)
        assert found.torn == cut - max(before, default=0)
        assert not found.findings and (found.owner is None) == (not before)


def test_a_lost_moved_or_doubled_line_is_found(lines: list[str], tmp_path: Path) -> None:
    rows, path = seal(lines).splitlines(keepends=True), tmp_path / "m1-r00000001.signed"
    for order in ([0, 2, 3], [0, 2, 1, 3], [0, 1, 1, 2], [1, 2, 3]):
        path.write_bytes(b"".join(rows[at] for at in order))
        with pytest.raises(JournalDamaged, match="is damaged: its seal is not"):
            signed.read(path)


def test_a_forger_who_can_seal_is_found_by_the_signature(
    lines: list[str], run: Callable[..., Path]
) -> None:
    create = next(at for at, line in enumerate(lines) if " 14 " in line[:30] and '"Price":' in line)
    text = lines[create].split('"Price":')[1].split(",")[0]
    digest, sig = lines[create].split(" ")[2], lines[create].split('"Sig":"')[1][:108]
    other = '"Sig":"' + ("B" if sig[0] == "A" else "A")
    for old, new, why in (
        (f'"Price":{text},', f'"Price":{int(text) ^ 2},', "the hash of its fields is"),
        (digest, digest[::-1], "the hash of its fields is"),
        ('"Sig":"' + sig[0], other, "the signature is not that of the key over its fields"),
        (sig, "", "the signature has 0 bytes; it needs 80"),
        ('"AccountIndex":123456', '"AccountIndex":123457', "it is of account 123457 and key 4"),
        (" 14 ", " 13 ", "type 13 is not one that is signed here"),
        (" 14 ", " ", "is not a time, a type, a hash and a transaction"),
        ('"Nonce"', '"Nonsense"', "tx_info of type 14 has no right 'Nonce'"),
        ('"Sig"', '"sig"', "the transaction has no right 'Sig'"),
    ):
        path = run(seal(changed(lines, create, old, new)))
        said, errors, raised = check(path)
        assert isinstance(raised, JournalDamaged) and str(raised).endswith("1 findings")
        assert f"{COUNT} transactions, 1 findings" in said[0]
        assert errors.startswith(f"{signed.beside(path)}: line {create + 1}: "), errors
        assert why in errors, errors
        path.unlink()


def test_a_form_says_its_own_type(lines: list[str], tmp_path: Path) -> None:
    form = next(at for at, line in enumerate(lines) if "tx_type=14" in line)
    path = tmp_path / "m1-r00000001.signed"
    path.write_bytes(seal(changed(lines, form, "tx_type=14", "tx_type=15")))
    assert signed.read(path).findings == (
        f"{path}: line {form + 1}: the form has no tx_type 14 with one tx_info",
    )


def test_the_wrong_key_signs_nothing_right(lines: list[str], run: Callable[..., Path]) -> None:
    path = run(seal(signed_lines(signer_of(), [], public_of(2)) + lines[1:]))
    _, errors, raised = check(path)
    assert isinstance(raised, JournalDamaged) and f"{COUNT} findings" in str(raised)
    assert "line 2: the signature is not that of the key" in errors


def test_few_signatures_are_verified_as_many_are(lines: list[str], tmp_path: Path) -> None:
    """Below 16 there is no table; one wrong signature stands out in either case."""
    path, stranger = tmp_path / "m1-r00000001.signed", signer_of(key=key_of(2))
    alien = random_signed(stranger, random.Random(1))
    for count in (3, 16, COUNT):
        rows = [*lines[:count], signed_lines(stranger, [alien])[1], lines[count]]
        path.write_bytes(seal(rows))
        found = signed.read(path)
        assert (found.count, len(found.findings)) == (count + 1, 1)
        assert found.findings[0].startswith(f"{path}: line {count + 1}: the signature is not")


def test_another_first_line_is_refused(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "m1-r00000001.signed"
    for head in ("", "bogsigned 2" + lines[0][11:], lines[0][:-2], lines[1], "bogsigned 1 x y z"):
        path.write_bytes(seal([head, *lines[1:]]))
        with pytest.raises(JournalDamaged, match="a public key of 80 hex digits"):
            signed.read(path)


def test_a_file_of_another_account_than_its_journal_is_refused(
    lines: list[str], run: Callable[..., Path]
) -> None:
    path = run(seal(lines), account=5)
    _, errors, raised = check(path)
    assert isinstance(raised, JournalDamaged)
    assert errors == f"{signed.beside(path)}: it is of account 123456, its journal of 5\n"
