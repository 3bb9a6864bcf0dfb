"""Compares every compiled module with its .pyi: `python tools/stubs.py`; exits 1 on any difference.

A module without a .pyi is an error. What Cython adds to every module and class is allowed for.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

CORE = Path(__file__).resolve().parents[1] / "bog" / "_core"
ARTEFACTS = r"""
bog\._core\.\w+\.__(test|pyx_capi|reduce_cython|setstate_cython)__
bog\._core\.\w+(\.\w+)?\.__(reduce_cython|setstate_cython|reduce_ex|pyx_vtable|test)__
bog\._core\.\w+\.__pyx_\w+
"""


def main() -> int:
    """Return 0 when every stub says what its module offers."""
    modules = sorted(path.stem for path in CORE.glob("*.pyx"))
    missing = [name for name in modules if not (CORE / f"{name}.pyi").exists()]
    for name in missing:
        print(f"stubs: bog/_core/{name}.pyx has no {name}.pyi")
    orphans = [p.name for p in sorted(CORE.glob("*.pyi")) if p.stem not in modules]
    for orphan in orphans:
        print(f"stubs: bog/_core/{orphan} describes no module")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as allowed:
        allowed.write(ARTEFACTS)
        allowed.flush()
        command = [sys.executable, "-m", "mypy.stubtest", "--concise", "--ignore-unused-allowlist"]
        command += ["--allowlist", allowed.name]
        command += [f"bog._core.{name}" for name in modules if name not in missing]
        found = subprocess.run(command, cwd=CORE.parents[1], check=False)
    return 1 if missing or orphans or found.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
