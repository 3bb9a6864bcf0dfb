"""The files of deploy/: units that systemd takes, that agree with the code, and that expose little."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from bog import errors, gateway, host
from tests.house.test_docs import COMMANDS, KEYS, PROJECT, parse
from tests.rig.jail import directives

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
LIVE, FEED = (DEPLOY / "systemd" / f"bog-{name}@.service" for name in ("live", "feed"))
UNITS = pytest.mark.parametrize("unit", [LIVE, FEED], ids=lambda path: path.name)
CONTAINERFILE = DEPLOY / "Containerfile"
DRAIN_SEC = 30  # the engine's, lane.pyx
EXPOSED_MOST = 2.0
SECRET = re.compile(r"key|token|secret|password|credential", re.I)


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        why = f"{name} is not installed: apt-get install {package}"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return str(found)


def values(unit: Path, name: str) -> list[str]:
    return [value for key, value in directives(unit) if key == name]


def one(unit: Path, name: str) -> str:
    (found,) = values(unit, name)
    return found


def codes(kind: type[errors.BogError] = errors.BogError) -> set[int]:
    """Return every exit code of the tree of errors."""
    return {kind.exit_code}.union(*(codes(each) for each in kind.__subclasses__()))


@UNITS
def test_a_unit_exposes_little(unit: Path) -> None:
    line = [tool("systemd-analyze", "systemd"), "security", "--offline=true", str(unit)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSED_MOST, done.stdout


def test_systemd_takes_the_units_and_the_user(tmp_path: Path) -> None:
    """Verified on copies whose programs exist; a word that systemd does not know is a warning there."""
    program = tool("systemd-analyze", "systemd")
    for unit in (LIVE, FEED):
        text = re.sub(r"/usr/local/lib/bog/bin/bog-\w+", "/bin/true", unit.read_text())
        text = re.sub(r"^Documentation=.*\n", "", text, flags=re.M)
        (tmp_path / unit.name).write_text(text)
    both = [str(tmp_path / unit.name.replace("@", "@1")) for unit in (LIVE, FEED)]
    for unit, path in zip((LIVE, FEED), both, strict=True):
        shutil.copy(tmp_path / unit.name, path)

    def said(*paths: str) -> str:
        done = subprocess.run(
            [program, "verify", "--man=no", *paths], capture_output=True, text=True, check=False,
            timeout=60, env=os.environ | {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        )  # fmt: skip
        return "\n".join(row for row in done.stderr.splitlines() if "bog-" in row)

    assert said(*both) == ""
    with Path(both[0]).open("a") as file:
        file.write("[Service]\nNoNewPrivilges=yes\n")
    assert "NoNewPrivilges" in said(both[0])
    users = tool("systemd-sysusers", "systemd")
    line = [users, "--dry-run", str(DEPLOY / "sysusers.d" / "bog.conf")]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@UNITS
def test_feed_and_bot_are_one_static_user_who_keeps_shared_memory(unit: Path) -> None:
    """A feed is read by the user who writes it; RemoveIPC=, which DynamicUser= brings, empties /dev/shm."""
    assert (one(unit, "User"), one(unit, "Group")) == ("bog", "bog")
    assert one(unit, "RemoveIPC") == "no" and not values(unit, "DynamicUser")
    (row,) = re.findall(r"^u (\w+) ", (DEPLOY / "sysusers.d/bog.conf").read_text(), flags=re.M)
    assert row == "bog"
    assert one(unit, "UMask") == "0077" and one(unit, "StateDirectoryMode") == "0700"
    # what a bot of its user wants to see in /proc: the limits of real time, other processes of ours
    assert not values(unit, "ProcSubset") and not values(unit, "PrivateIPC")


@UNITS
def test_what_a_person_must_look_at_is_not_started_again(unit: Path) -> None:
    assert one(unit, "Restart") == "on-failure"
    kept = set(map(int, one(unit, "RestartPreventExitStatus").split()))
    if unit == LIVE:
        assert kept == codes() - {errors.BogError.exit_code} == {2, 3, 75, 78}
    else:
        assert kept == {errors.UsageError.exit_code, errors.ConfigError.exit_code}


def test_a_stop_has_the_time_that_a_drain_takes() -> None:
    assert int(one(LIVE, "TimeoutStopSec")) > DRAIN_SEC + gateway.END_SEC
    assert one(LIVE, "KillSignal") == one(FEED, "KillSignal") == "SIGTERM"


def test_a_crash_of_bog_live_leaves_the_gateway_time_to_cancel() -> None:
    """KillMode=mixed killed engine and gateway the moment that bog-live was gone."""
    assert one(LIVE, "KillMode") == "control-group"
    # and a stop reaches bog-live alone, which ends the others in their order
    stop = one(LIVE, "ExecStop")
    assert "kill -TERM $MAINPID" in stop and "tail --pid=$MAINPID" in stop
    assert '[ -z "$MAINPID" ]' in stop


def test_the_hot_thread_can_have_what_it_asks_for() -> None:
    assert one(LIVE, "LimitMEMLOCK") == "infinity"
    assert int(one(LIVE, "LimitRTPRIO")) >= host.PRIORITY
    assert one(LIVE, "RestrictRealtime") == "no"
    assert not any("@resources" in value for value in values(LIVE, "SystemCallFilter"))


@UNITS
def test_the_command_line_and_the_variables_are_those_of_the_code(unit: Path) -> None:
    given = dict(value.split("=", 1) for value in values(unit, "Environment"))
    line = one(unit, "ExecStart").replace("%i", "1")
    line = re.sub(r"\$\{(\w+)\}", lambda match: given[match[1]], line)
    program, *rest = [word for word in shlex.split(line) if not word.startswith("$")]
    name = Path(program).name
    assert Path(program).parent == Path("/usr/local/lib/bog/bin") and name in COMMANDS
    parse([name, *rest])
    for example in re.findall(r"^#\s+OPTIONS=(.*)$", unit.read_text(), flags=re.M):
        parse([name, *rest, *shlex.split(example)])
    for variable in re.findall(r"\bBOG_[A-Z_]+__[A-Z_]*[A-Z]\b", unit.read_text()):
        assert variable.removeprefix("BOG_").lower().replace("__", ".") in KEYS, variable
    # no variable that bog would take for a key of its own
    assert not [each for each in given if each.startswith("BOG_") and "__" not in each]


def test_keys_come_as_credentials_only() -> None:
    text = LIVE.read_text()
    names = re.findall(r"LoadCredential=(\w+):/etc/bog/keys/\1", text)
    assert names == ["quoting", "guardian"]
    assert all(f"live.{name}_credential" in KEYS for name in names)
    assert not any(SECRET.search(value) for value in values(LIVE, "Environment"))


def test_every_line_of_the_sysctl_file_has_its_reason() -> None:
    rows = (DEPLOY / "sysctl.d" / "60-bog.conf").read_text().splitlines()
    found = 0
    for before, row in zip(["", *rows], rows, strict=False):
        if row and not row.startswith("#"):
            assert re.fullmatch(r"(vm|kernel|fs)(\.\w+)+ = \d+", row), row
            assert before.startswith("# ") or "=" in before, row
            found += 1
    assert found > 5


def test_the_image_is_pinned_runs_as_nobody_special_and_holds_no_secret() -> None:
    text = CONTAINERFILE.read_text()
    steps = re.findall(r"^([A-Z]+) (.*)$", re.sub(r"\\\n|^#.*\n", "", text, flags=re.M), flags=re.M)
    bases = [rest.split()[0] for word, rest in steps if word == "FROM"]
    assert len(set(bases)) == 1
    assert re.fullmatch(r"[\w./-]+:3\.\d+\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", bases[0])
    version = tuple(map(int, re.findall(r":(\d+)\.(\d+)", bases[0])[0]))
    assert version >= tuple(map(int, PROJECT["requires-python"].removeprefix(">=").split(".")))
    last = text.rindex("\nFROM ")
    uid, gid = re.findall(r"^USER (\d+):(\d+)$", text[last:], flags=re.M)[-1]
    assert int(uid) > 0 and int(gid) > 0
    assert not [word for word, rest in steps if word == "ADD" or "curl" in rest or "wget" in rest]
    for word, rest in steps:
        if word in ("ENV", "ARG", "COPY"):
            assert not SECRET.search(rest), rest
    copied = {name for word, rest in steps if word == "COPY" for name in rest.split()[:-1]}
    assert {name for name in copied if not name.startswith(("-", "/"))} == {
        "pyproject.toml", "setup.py", "README.md", "configs", "bog",
    }  # fmt: skip
    entry, arguments = (
        re.findall(r'"([^"]+)"', rest) for word, rest in steps if word in ("ENTRYPOINT", "CMD")
    )
    parse([*entry, *arguments])
    assert dict(steps)["STOPSIGNAL"] == "SIGTERM"
    linter = shutil.which("hadolint")
    if linter is not None:
        done = subprocess.run(
            [linter, str(CONTAINERFILE)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
