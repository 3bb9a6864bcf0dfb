"""The commands that pyproject.toml promises exist, answer, and find their configuration."""

import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_command_says_how_to_use_it(name: str, tmp_path: Path) -> None:
    module, function = SCRIPTS[name].split(":")
    assert callable(getattr(import_module(module), function))
    program = (
        f"import sys; sys.argv = [{name!r}, '--help']\nfrom {module} import {function}\n"
        f"sys.exit({function}())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert "--" in answer.stdout
    assert answer.stderr == ""


def test_the_readme_names_no_command_that_does_not_exist() -> None:
    readme = ROOT / "README.md"
    text = readme.read_text() if readme.exists() else ""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    blocks = "\n".join(re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, flags=re.M | re.S))
    for line in blocks.splitlines():
        words = line.removeprefix("$ ").split()
        while words and "=" in words[0]:
            words = words[1:]  # a variable before the command
        command = Path(words[0]).name if words else ""
        if command.startswith(("bog", "huginn")):
            assert command in SCRIPTS, f"README: {line}"
        elif command == "make" and len(words) > 1 and "=" not in words[1]:
            assert words[1] in targets, f"README: {line}"


def test_every_target_of_the_makefile_is_documented() -> None:
    text = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, flags=re.M)
    assert set(re.findall(r"^([a-z-]+):.*##", text, flags=re.M)) == set(phony.split())


def test_a_wheel_carries_configuration_headers_and_stubs(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path)], cwd=ROOT,
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    made = tmp_path / "bog"
    assert {p.name for p in (made / "configs").iterdir()} == {
        p.name for p in (ROOT / "configs").glob("*.toml")
    }
    assert not (made / "configs").is_symlink()
    for pattern in ("*.h", "sign/*.h", "*.pxd", "*.pyi"):
        wanted = {p.name for p in (ROOT / "bog" / "_core").glob(pattern)}
        assert {p.name for p in (made / "_core").glob(pattern)} == wanted
    assert (made / "py.typed").exists()


@pytest.mark.parametrize("script", [ROOT / ".ci" / "run", *sorted(ROOT.glob("tools/*.sh"))])
def test_what_the_commands_start_may_be_executed(script: Path) -> None:
    assert os.access(script, os.X_OK)
