"""Which build this is: bog-arm, bog-live and the gateway trade only when they are of one."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).parent


def build_id() -> str:
    """Return the version and a digest of the code, compiled or not: two builds that differ, differ here."""
    digest = hashlib.sha256()
    for path in sorted([*HERE.rglob("*.so"), *HERE.rglob("*.py")]):
        digest.update(str(path.relative_to(HERE)).encode())
        digest.update(path.read_bytes())
    try:
        release = version("bog-mm")
    except PackageNotFoundError:
        release = "0"
    return f"bog-mm {release} {digest.hexdigest()[:12]}"


def digest_of(build: str) -> int:
    """Return the digest in a build's name as a number."""
    return int(build.rpartition(" ")[2], 16)
