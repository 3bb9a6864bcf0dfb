"""After each test that left keys in its folder: no byte of them stands anywhere else.

A key is known by its file, as a bog-exchange writes it: NAME.key, 80 hexadecimal digits; whatever ends in
.key is a place for one. What is searched
is all that the test's processes left below its folder (logs, journals, captured output, shared memory,
cores), and what pytest captured and says of the test (a traceback among it). A part of a key counts: any
20 of its 40 bytes that begin at a multiple of 10, raw or backwards, in hexadecimal of both cases, or in
base64 of either alphabet at each of its three alignments. A token of the venue counts by its form.
"""

import base64
import mmap
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

PART, STEP = 20, 10  # bytes of a key that are looked for, and where they may begin
KEY = re.compile(rb"\s*(?:0x)?([0-9a-fA-F]{80})\s*")
# deadline, account, index of the key, signature
TOKEN = re.compile(rb"\d{10}:\d{1,15}:\d{1,3}:[0-9a-fA-F]{64,}")


def base64_of(part: bytes) -> Iterator[bytes]:
    """Yield what of a part stands in base64 of a text that holds it, at each alignment."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + part + bytes(2))
        begin = -(-before * 8 // 6)
        inner = text[begin : (before + len(part)) * 8 // 6]
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")


def forms_of(key: bytes) -> dict[str, bytes]:
    """Return how parts of a key may be spelled."""
    forms = {}
    for at in range(0, len(key) - PART + 1, STEP):
        part = key[at : at + PART]
        forms |= {f"raw {at}": part, f"backwards {at}": part[::-1],
                  f"hex {at}": part.hex().encode(), f"HEX {at}": part.hex().upper().encode()}  # fmt: skip
        forms |= {f"base64 {at} {n}": text for n, text in enumerate(base64_of(part))}
    return forms


def keys_below(where: Path) -> dict[Path, bytes]:
    """Return the keys of exchanges below a folder, by their files."""
    found = {}
    for path in where.rglob("*.key"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 200:
            match = KEY.fullmatch(path.read_bytes())
            if match:
                found[path] = bytes.fromhex(match[1].decode())
    return found


def leaks_in(data: "bytes | mmap.mmap", secrets: dict[str, bytes]) -> list[tuple[str, int]]:
    """Return what stands in some bytes, and where."""
    found = [(name, data.find(form)) for name, form in secrets.items()]
    token = TOKEN.search(data)
    if token is not None:
        found.append(("a token", token.start()))
    return [(name, at) for name, at in found if at >= 0]


def search(where: Path, said: str = "") -> list[str]:
    """Return in a line each what of the keys below a folder stands elsewhere; nothing without keys.

    `said` is what was captured outside of the folder.
    """
    keys = keys_below(where)
    if not keys:
        return []
    secrets = {
        f"{path.name}, {form}": text
        for path, key in keys.items()
        for form, text in forms_of(key).items()
    }
    wrong = [
        f"captured output, offset {at}: {name}" for name, at in leaks_in(said.encode(), secrets)
    ]
    for path in where.rglob("*"):
        if path.suffix == ".key" or path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                continue
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                found = leaks_in(data, secrets)
        wrong += [f"{path.relative_to(where)}, offset {at}: {name}" for name, at in found]
    return wrong


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that leaves a secret, once its processes have ended."""
    report = yield
    item.stash.setdefault(SAID, []).append(report.longreprtext)
    where = getattr(item, "funcargs", {}).get("tmp_path")
    if report.when != "teardown" or where is None or not where.is_dir():
        return report
    said = "\n".join([*item.stash[SAID], *(text for _, text in report.sections)])
    wrong = search(where, said)
    if wrong:
        report.outcome = "failed"
        report.longrepr = "a secret was left where it can be read:\n" + "\n".join(wrong[:20])
    return report


SAID = pytest.StashKey[list[str]]()
