"""Tests of a sanitizer or coverage build run on that build, not on the one in the source tree."""

import os
from pathlib import Path

import bog
from bog._core import types

ROOT = Path(__file__).resolve().parents[2]
VARIANT = os.environ.get("BOG_VARIANT", "")


def test_the_core_that_is_tested_is_the_build_that_was_asked_for() -> None:
    home = ROOT / "build" / VARIANT if VARIANT else ROOT
    assert Path(types.__file__).parent == home / "bog" / "_core"
    assert Path(bog.__file__).parent == home / "bog"


def test_a_sanitizer_build_has_its_sanitizer_in_the_process() -> None:
    loaded = Path("/proc/self/maps").read_text()
    for name in ("asan", "ubsan"):
        assert (f"lib{name}.so" in loaded) == (name == VARIANT), name
