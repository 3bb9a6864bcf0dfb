"""Reading what was signed: the file beside a run's journal, verified with the key that it names.

One line a transaction, byte for byte as it left, sealed by a CRC-32C that continues the line before.
The seal finds damage; the signature finds a change by someone who can compute seals.
docs/formats.md has the same in words.
"""

import base64
import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from bog._core.journal import crc32c
from bog._core.schnorr import verify_many
from bog._core.signer import transaction_hash
from bog.errors import JournalDamaged

MAGIC = "bogsigned"
VERSION = "1"
DAY_NS = 86_400 * 10**9
SPENDS = (14, 17)  # transactions that create or modify an order
BATCH = 4096  # signatures verified with one table of the key's multiples


@dataclass(frozen=True)
class Owner:
    """Whose transactions a file holds: what its first line says."""

    chain_id: int
    account: int
    key_index: int
    public_key: bytes


@dataclass(frozen=True)
class SignedFile:
    """What a file of signed transactions holds, and what does not add up in it.

    `owner` is None in a file whose process died before its first line was whole. `torn` bytes
    behind the last line end are no line. Each finding names its line.
    """

    path: Path
    owner: Owner | None
    count: int
    torn: int
    findings: tuple[str, ...]


def beside(journal: Path) -> Path:
    """Return where the signed transactions of a journal's run stand."""
    return journal.with_suffix(".signed")


def unsealed(data: bytes, path: Path) -> list[str]:
    """Return lines without their seals; raise JournalDamaged at the first that has no right one."""
    lines, crc = [], 0
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        body, _, seal = line.rpartition(b" ")
        crc = crc32c(body, crc)
        if seal != b"%08x" % crc or not body.isascii():
            raise JournalDamaged(f"{path}: line {number} is damaged: its seal is not {crc:08x}")
        lines.append(body.decode())
    return lines


def owner_of(line: str, path: Path) -> Owner:
    """Return whom a file's first line names; raise JournalDamaged when it is of another form."""
    try:
        magic, version, chain_id, account, key_index, public_key = line.split(" ")
        owner = Owner(int(chain_id), int(account), int(key_index), bytes.fromhex(public_key))
    except ValueError:
        magic = version = ""
    if (magic, version) != (MAGIC, VERSION) or len(owner.public_key) != 40:
        raise JournalDamaged(
            f"{path}: line 1 is {line!r}; it needs {MAGIC} {VERSION}, chain id, account, key index "
            "and a public key of 80 hex digits"
        )
    return owner


def tx_info(kind: int, text: str) -> str:
    """Return the JSON of a transaction as it left, from itself or from the body of a form."""
    if text.startswith("{"):
        return text
    fields = parse_qs(text, strict_parsing=True)
    if fields.get("tx_type") != [str(kind)] or len(fields.get("tx_info", [])) != 1:
        raise ValueError(f"the form has no tx_type {kind} with one tx_info")
    return fields["tx_info"][0]


def signed_hash(line: str, owner: Owner) -> tuple[bytes, bytes]:
    """Return the hash of a line's transaction and the signature that it carries, 40 and 80 bytes.

    Raise ValueError when the line is of another form, of another account or key, or names another
    hash than that of its fields.
    """
    words = line.split(" ")
    if len(words) != 4 or not words[1].isdigit():
        raise ValueError(f"{line[:40]!r}... is not a time, a type, a hash and a transaction")
    _, kind, written, text = words
    try:
        info = tx_info(int(kind), text)
        digest = transaction_hash(owner.chain_id, int(kind), info)
        fields = json.loads(info)
        account, key_index = fields["AccountIndex"], fields["ApiKeyIndex"]
        signature = base64.b64decode(fields["Sig"], validate=True)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the transaction has no right {error}") from None
    if (account, key_index) != (owner.account, owner.key_index):
        raise ValueError(f"it is of account {account} and key {key_index}")
    if digest.hex() != written:
        raise ValueError(f"the hash of its fields is {digest.hex()}, not {written}")
    if len(signature) != 80:
        raise ValueError(f"the signature has {len(signature)} bytes; it needs 80")
    return digest, signature


def read(path: Path) -> SignedFile:
    """Return what a file of signed transactions holds, every hash and every signature verified.

    Hashes are computed again from the fields, and the signatures of one key are verified in
    batches, which takes less than half of the time of one by one (benchmarks/bench_sign.py). Raise
    JournalDamaged when the file is damaged: a line with a wrong seal, or another first line.
    """
    data = path.read_bytes()
    torn = len(data) - (data.rfind(b"\n") + 1)
    lines = unsealed(data, path)
    if not lines:
        return SignedFile(path, None, 0, torn, ())
    owner = owner_of(lines[0], path)
    wrong: dict[int, str] = {}
    hashes: dict[int, tuple[bytes, bytes]] = {}
    for number, line in enumerate(lines[1:], 2):
        try:
            hashes[number] = signed_hash(line, owner)
        except ValueError as error:
            wrong[number] = str(error)
    numbers = list(hashes)
    for at in range(0, len(numbers), BATCH):
        batch = numbers[at : at + BATCH]
        right = verify_many(owner.public_key, [hashes[number] for number in batch])
        for number, good in zip(batch, right, strict=True):
            if not good:
                wrong[number] = "the signature is not that of the key over its fields"
    findings = tuple(f"{path}: line {number}: {wrong[number]}" for number in sorted(wrong))
    return SignedFile(path, owner, len(lines) - 1, torn, findings)


def spent(folder: Path, now_ns: int) -> int:
    """Return the quanta that the creates and modifies of this UTC day come to, of every run there."""
    today, total = now_ns // DAY_NS, 0
    for path in folder.glob("*.signed"):
        if path.stat().st_mtime_ns // DAY_NS < today:
            continue
        for line in unsealed(path.read_bytes(), path)[1:]:
            when, kind, _, text = line.split(" ", 3)
            if int(kind) in SPENDS and int(when) // DAY_NS == today:
                fields = json.loads(tx_info(int(kind), text))
                total += fields["BaseAmount"] * fields["Price"]
    return total


class Writer:
    """Writes what one key signed, a line before each transaction leaves.

    A file that a process before this one left is continued, after its torn tail was cut.
    """

    def __init__(self, path: Path, owner: Owner) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self.path, self.crc = path, 0
        self.file = os.open(path, flags, 0o600)
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        lines = unsealed(data, path)
        if lines and owner_of(lines[0], path) != owner:
            os.close(self.file)
            raise JournalDamaged(f"{path} is of another account or key")
        os.ftruncate(self.file, whole)
        for line in lines:
            self.crc = crc32c(line.encode(), self.crc)
        if not lines:
            self._line(
                f"{MAGIC} {VERSION} {owner.chain_id} {owner.account} {owner.key_index} "
                f"{owner.public_key.hex()}".encode()
            )

    def _line(self, body: bytes) -> None:
        self.crc = crc32c(body, self.crc)
        line = b"%b %08x\n" % (body, self.crc)
        if os.write(self.file, line) != len(line):
            raise OSError(errno.ENOSPC, f"{self.path}: a line was cut")

    def add(self, unix_ns: int, kind: int, hash: str, text: bytes) -> None:
        """Write a transaction; OSError when that is not whole, and it must not leave."""
        self._line(b"%d %d %b %b" % (unix_ns, kind, hash.encode(), text))

    def close(self) -> None:
        os.close(self.file)
