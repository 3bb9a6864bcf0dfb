"""What every test may ask for: the recordings beside the project, and private places to work in."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import bog.cli  # noqa: F401  # before any test module does
from tests.rig.fault import pytest_runtest_logreport, pytest_terminal_summary
from tests.rig.gateway import Exchange
from tests.rig.leaks import pytest_runtest_makereport

# the table of the fault rows; the search for keys after each test
__all__ = ["pytest_runtest_logreport", "pytest_runtest_makereport", "pytest_terminal_summary"]

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

# a Ctrl-C ends the tests as pytest ends them, also where they import commands
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("bog", deadline=None, print_blob=True)
settings.load_profile("bog")


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Return a function from a name below ../shared to its path; skips when absent, never in CI."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            message = f"recordings are not beside the project: {path.relative_to(ROOT.parent)}"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find


@pytest.fixture
def shm(tmp_path: Path) -> Path:
    """Return a private directory for shared-memory objects."""
    path = tmp_path / "shm"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    """Start an exchange on which the built-in market's participants trade, too."""
    folder = tmp_path / "exchange"
    folder.mkdir()
    found = Exchange(folder, "--flow", "sim")
    yield found
    found.close()
