"""The search for keys that follows each test: what it finds, and that a leak fails the test."""

import base64
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig import leaks
from tests.rig.live import ROOT

KEY = random.Random("leaks").randbytes(40)
OTHER = random.Random("another").randbytes(40)
SPELLINGS = {
    "raw": lambda part: part, "backwards": lambda part: part[::-1],
    "hex": lambda part: part.hex().encode(), "HEX": lambda part: part.hex().upper().encode(),
    "base64": base64.b64encode, "base64url": base64.urlsafe_b64encode,
    "base64 behind one byte": lambda part: base64.b64encode(b"x" + part),
    "base64 behind two bytes": lambda part: base64.b64encode(b"xy" + part),
}  # fmt: skip


@pytest.fixture
def where(tmp_path: Path) -> Path:
    """Return a folder of a test that is no folder of this test's own leaks."""
    (tmp_path / "keys").mkdir()
    for index, key in ((4, KEY), (5, OTHER)):
        (tmp_path / "keys" / f"1000-{index}.key").write_text(key.hex())
    yield tmp_path
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.unlink()


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("begin, end", [(0, 40), (0, 30), (7, 37), (10, 40)])
def test_a_key_or_a_part_of_it_is_found_with_file_and_offset(
    where: Path, spelling: str, begin: int, end: int
) -> None:
    noise = random.Random(spelling).randbytes(1000)
    (where / "var").mkdir()
    (where / "var/bog.log").write_bytes(noise + SPELLINGS[spelling](KEY[begin:end]) + noise)
    found = leaks.search(where)
    assert found and all(line.startswith("var/bog.log, offset 1") for line in found)
    assert all("1000-4.key" in line for line in found)


def test_what_pytest_captured_and_a_token_count_and_public_bytes_do_not(where: Path) -> None:
    (where / "bog.log").write_text('{"message": "' + "ab" * 200 + '"}')
    assert leaks.search(where, "nothing") == []
    (line,) = leaks.search(where, f"xx{OTHER[:20].hex()}")
    assert line == "captured output, offset 2: 1000-5.key, hex 0"
    token = f"1785252530:1000:4:{'0f' * 80}"
    (where / "core.1").write_bytes(bytes(4096) + token.encode())
    assert leaks.search(where) == ["core.1, offset 4096: a token"]


def test_a_folder_without_keys_is_not_searched(tmp_path: Path) -> None:
    (tmp_path / "bog.log").write_text(f"1785252530:1000:4:{'0f' * 80}")
    assert leaks.search(tmp_path) == []


LEAKY = """

def test_{name}(tmp_path):
    (tmp_path / "1000-4.key").write_text("{key}")
    {body}
"""
LEAKS = {
    "a_log": ('(tmp_path / "bog.log").write_text("{key}"[10:70])', "bog.log, offset "),
    "a_journal": ('(tmp_path / "j").write_bytes(bytes(64) + bytes.fromhex("{key}"))', "j, offset 64: "),
    "output": ('print("{key}")', "captured output, offset "),
    "a_traceback": ('raise ValueError("{key}")', "captured output, offset "),
    "nothing": ("pass", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", LEAKS)
def test_a_planted_leak_fails_the_test_that_left_it(tmp_path: Path, name: str) -> None:
    body, says = LEAKS[name]
    test = tmp_path / f"test_{name}.py"
    test.write_text(LEAKY.format(name=name, key=KEY.hex(), body=body.format(key=KEY.hex())))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.conftest", "--rootdir",
         tmp_path, "--basetemp", tmp_path / "base", test],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    test.unlink()
    said = done.stdout
    for path in (tmp_path / "base").rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.unlink()
    assert ("a secret was left where it can be read" in said) == bool(says), said
    assert says in said and (done.returncode == 0) == (not says)
