"""Coverage of Cython code whose C files lie in a build folder of their own, not beside the sources.

`tools/coverage.ini` names this module as a plugin; it extends the one that Cython ships.
"""

import os
from pathlib import Path
from typing import Any

from Cython import Coverage

MADE = Path(__file__).resolve().parents[1] / "build" / "cython-trace-none" / "bog" / "_core"


class Plugin(Coverage.Plugin):
    """Finds the C file of a room; a .pxd without one is inlined into some other room's."""

    def _find_source_files(self, filename: str) -> tuple[str | None, str | None]:
        source = Path(filename)
        if source.suffix not in (".pyx", ".pxd"):
            return None, None
        if (made := MADE / f"{source.stem}.c").exists():
            return os.fspath(made), None
        self._find_c_source_files(os.fspath(MADE), filename)
        known = self._c_files_map or {}
        return (known[filename][0], None) if filename in known else (None, None)


def coverage_init(registry: Any, _options: dict[str, Any]) -> None:
    """Entry point that coverage calls."""
    registry.add_file_tracer(Plugin())
