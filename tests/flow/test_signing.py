"""The signer against other implementations, valgrind, sanitizers, and a search for its secrets."""

import base64
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bog._core import schnorr, signer
from tests.rig.signing import CHAIN, key_file, key_of, public_of, random_signed, signer_of

ROOT = Path(__file__).resolve().parents[2]
CI = bool(os.environ.get("CI"))
# `make test` samples; `make signall` runs the whole
FULL = os.environ.get("BOG_SIGN_FULL") == "1"
COUNT = 10_000 if FULL else 400
SOURCES = {".py", ".pyi", ".pyx", ".pxd", ".h"}


def missing(message: str) -> None:
    if CI:
        pytest.fail(message)
    pytest.skip(message)


def compiled(folder: Path, source: str, *flags: str) -> Path:
    program = folder / (Path(source).stem + "".join(flags).replace("/", "_")[-20:])
    subprocess.run(
        ["gcc", "-std=gnu11", "-Wno-unused-function", *flags, f"-I{ROOT}/bog/_core", "-o", program,
         ROOT / "tests/rig" / source],
        check=True,
    )  # fmt: skip
    return program


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", range(2))
def test_what_we_sign_verifies_with_an_independent_implementation(part: int) -> None:
    try:
        from typed_lighter.core.signer import schnorr as theirs
    except ImportError:
        missing("typed-lighter is not installed (the dev extra has it)")
    own, rng = signer_of(10 + part), random.Random(part)
    public = theirs.public_key(int.from_bytes(key_of(10 + part), "little"))
    assert public == own.public_key
    for turn in range(COUNT // 2):
        if turn % 3:
            own.fill(2)  # from the pool, and without it
        made = random_signed(own, rng)
        signature = base64.b64decode(json.loads(made.text)["Sig"])
        digest = bytes.fromhex(made.hash)
        assert theirs.verify(pk=public, msg_hash=digest, sig=signature), made
        if turn % 100 == 0:
            other = bytes([signature[0] ^ 1]) + signature[1:]
            assert not theirs.verify(pk=public, msg_hash=digest, sig=other)


SDK = """
import random, sys
sys.path.insert(0, sys.argv[2])
from tests.rig.sdk import Sdk
sdk, rng = Sdk(bytes.fromhex(sys.argv[3])), random.Random(7)
for turn in range(int(sys.argv[1])):
    print(*sdk.random_signed(rng), flush=False)
"""


@pytest.mark.timeout(1200)
def test_what_the_official_signer_signs_verifies_here() -> None:
    """In a process of its own: the library brings a runtime with threads and signal handlers."""
    from tests.rig import sdk

    if sdk.shared_object() is None:
        missing("lighter-sdk is not installed (the dev extra has it)")
    count = 10_000 if FULL else 1_000
    done = subprocess.run(
        [sys.executable, "-c", SDK, str(count), str(ROOT), key_of(20).hex()],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == count
    pairs, kinds = [], set()
    for line in lines:
        kind, digest, info = line.split(" ", 2)
        kinds.add(int(kind))
        assert signer.transaction_hash(CHAIN, int(kind), info).hex() == digest
        pairs.append((bytes.fromhex(digest), base64.b64decode(json.loads(info)["Sig"])))
    assert kinds == {14, 15, 16, 17, 20}
    public = public_of(20)
    assert schnorr.verify_many(public, pairs) == [True] * count
    for message, signature in pairs[:20]:
        assert schnorr.verify(public, message, signature)
    crossed = [(pairs[at][0], pairs[at - 1][1]) for at in range(count)]
    assert not any(schnorr.verify_many(public, crossed))


@pytest.mark.parametrize("path", ["portable", "fastest"])
def test_no_branch_and_no_address_depends_on_a_secret(path: str, tmp_path: Path) -> None:
    """memcheck follows secrets marked uninitialized; a planted branch on k is reported."""
    if not shutil.which("valgrind") or not Path("/usr/include/valgrind/memcheck.h").exists():
        missing("valgrind is not installed (tools/packages.sh)")
    program = compiled(tmp_path, "sign_secret.c", "-O3", "-g")
    command = ["valgrind", "-q", "--error-exitcode=99"]
    done = subprocess.run(
        [*command, program, path], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "portable" if path == "portable" else schnorr.path(),
        "signed",
    ]
    planted = compiled(tmp_path, "sign_secret.c", "-O3", "-g", "-DPLANT")
    done = subprocess.run(
        [*command, planted, path], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 99
    assert "depends on uninitialised value" in done.stderr


def test_random_work_under_sanitizers(tmp_path: Path) -> None:
    """A short run; `make fuzzsign` is the long one."""
    program = compiled(
        tmp_path, "sign_fuzz.c", "-O1", "-g", "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
    )  # fmt: skip
    done = subprocess.run(
        [program, "200000", str(random.randrange(2**32))], capture_output=True, text=True,
        check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_key_and_no_k_is_where_it_must_not_be(tmp_path: Path) -> None:
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    try:
        key_file(folder, 30)
        done = subprocess.run(
            [sys.executable, ROOT / "tests/rig/sign_scan.py", folder], capture_output=True,
            text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[-1] == "scanned"
        assert "no secret in a forked child" in done.stdout
    finally:
        shutil.rmtree(folder)


ORACLES = {
    "lighter-sdk": "lighter",
    "typed-lighter": "typed_lighter",
}  # package: what it imports as


def oracle_in(source: str) -> str:
    """Return how a source reaches another implementation of signing, empty when it does not."""
    modules = "|".join(ORACLES.values())
    found = re.search(
        rf"^[ \t]*(?:c?import|from)[ \t]+(?:[\w., ]*, *)?(?:{modules})\b(?!-).*"
        rf"|import_module\(.(?:{modules})\b.*|.*lighter-signer.*",
        source,
        flags=re.M,
    )
    return found.group() if found else ""


def test_the_oracles_are_dependencies_of_the_tests_alone() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for name in ORACLES:
        assert not any(line.startswith(name) for line in project["dependencies"])
        assert [extra for extra, lines in extras.items() for line in lines if name in line] == [
            "dev"
        ]
    paths = [path for path in (ROOT / "bog").rglob("*") if path.suffix in SOURCES]
    assert len(paths) > 100
    for path in paths:
        assert not oracle_in(path.read_text()), path


@pytest.mark.parametrize(
    "source",
    ["import lighter\n", "    from lighter import SignerClient\n", "import os, typed_lighter.core\n",
     "from typed_lighter.core.signer import schnorr\n", "import_module('lighter')\n",
     "CDLL('lighter-signer-linux-amd64.so')\n"],
)  # fmt: skip
def test_an_oracle_in_the_program_would_be_noticed(source: str) -> None:
    assert oracle_in("x = 1\n" + source)
    assert not oracle_in("from bog.lighter import client\nimport os, bog.lighter.rest\n")


BARE = """
import importlib, pkgutil, sys
import bog
for name in {names}:
    sys.modules[name] = None  # an import of it fails
for module in pkgutil.walk_packages(bog.__path__, "bog."):
    importlib.import_module(module.name)
print(len(sys.modules))
"""


def test_every_module_of_the_program_imports_without_the_oracles() -> None:
    code = BARE.format(names=sorted(ORACLES.values()))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0 and int(done.stdout) > 100, done.stderr
