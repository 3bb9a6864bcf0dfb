"""The shim of fault.c: an operating system that refuses or lies, in the processes that load it."""

import mmap
import os
import struct
import subprocess
from pathlib import Path

FIELDS = ("step_ns", "freeze_ns", "alloc_pid", "alloc_at", "alloc_ever", "refuse_pin", "failed")
SOURCE = Path(__file__).with_name("fault.c")


class Shim:
    """Compiles the shim into `where`; `environ` loads it, `set` changes what it does meanwhile."""

    def __init__(self, where: Path) -> None:
        library, control = where / "fault.so", where / "control"
        subprocess.run(
            [os.environ.get("CC", "gcc"), "-O1", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"],
            check=True,
        )
        control.write_bytes(bytes(8 * len(FIELDS)))
        with control.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 8 * len(FIELDS))
        self.environ = {"LD_PRELOAD": str(library), "FAULT_CONTROL": str(control)}

    def set(self, **fields: int) -> None:
        """Give each field its value; see struct fault_control."""
        for name, value in fields.items():
            struct.pack_into("=q", self._page, 8 * FIELDS.index(name), value)

    def get(self, name: str) -> int:
        """Return the value of a field."""
        value: int = struct.unpack_from("=q", self._page, 8 * FIELDS.index(name))[0]
        return value

    def clear(self) -> None:
        self._page[:] = bytes(8 * len(FIELDS))
