"""bog-doctor: each check on made-up hosts and folders, its state, what was found, and its fix."""

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog import arming, config, doctor, fitness
from bog._core.publisher import Publisher
from bog.errors import ConfigError
from bog.fitness import FAIL, OK, WARN, Check, Clock
from bog.settings import Settings

CPUS, HUGE = fitness.CPUS, fitness.HUGE
ROOT = os.geteuid() == 0

# a host as it should be for `--cpu 3`
FIT = {
    f"{CPUS}/online": "0-3",
    f"{CPUS}/isolated": "3",
    f"{CPUS}/nohz_full": "3",
    f"{CPUS}/cpu3/topology/thread_siblings_list": "3",
    f"{CPUS}/cpu3/cpufreq/scaling_governor": "performance",
    f"{CPUS}/intel_pstate/no_turbo": "0",
    f"{CPUS}/cpu3/cpuidle/state0/name": "POLL",
    f"{CPUS}/cpu3/cpuidle/state0/latency": "0",
    f"{CPUS}/cpu3/cpuidle/state1/name": "C1",
    f"{CPUS}/cpu3/cpuidle/state1/latency": "2",
    f"{CPUS}/cpu3/cpuidle/state1/disable": "0",
    f"{CPUS}/cpu3/cpuidle/state2/name": "C6",
    f"{CPUS}/cpu3/cpuidle/state2/latency": "133",
    f"{CPUS}/cpu3/cpuidle/state2/disable": "1",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
    f"{HUGE}/enabled": "always [madvise] never",
    f"{HUGE}/shmem_enabled": "always within_size advise [never] deny force",
    "proc/cmdline": "root=/dev/vda isolcpus=3 nohz_full=3 rcu_nocbs=3 quiet",
    "proc/swaps": "Filename\tType\tSize\tUsed\tPriority",
    "proc/self/status": "Name:\tx\nCapEff:\t0000000000000000",
    "proc/self/limits": "Limit Soft Hard Units\n"
    "Max locked memory         unlimited            unlimited            bytes\n"
    "Max realtime priority     1                    1",
    "proc/sys/kernel/osrelease": "6.1.0",
    "proc/self/mountinfo": "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
    "25 21 0:22 / /dev/shm rw,nosuid - tmpfs tmpfs rw",
}
RIGHT = Clock(0, 800)
Host = Callable[..., Path]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a function that makes the root of a fit host, with changes; None removes a file."""

    def make(**changed: str | None) -> Path:
        root = tmp_path / "host"
        for name, text in {**FIT, **{NAMES[key]: text for key, text in changed.items()}}.items():
            path = root / name
            path.unlink(missing_ok=True)
            if text is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text + "\n")
        return root

    return make


NAMES = {
    "online": f"{CPUS}/online", "isolated": f"{CPUS}/isolated", "nohz_full": f"{CPUS}/nohz_full",
    "siblings": f"{CPUS}/cpu3/topology/thread_siblings_list",
    "governor": f"{CPUS}/cpu3/cpufreq/scaling_governor",
    "no_turbo": f"{CPUS}/intel_pstate/no_turbo", "boost": f"{CPUS}/cpufreq/boost",
    "deep": f"{CPUS}/cpu3/cpuidle/state2/disable",
    "clocksource": "sys/devices/system/clocksource/clocksource0/current_clocksource",
    "huge": f"{HUGE}/enabled", "huge_shared": f"{HUGE}/shmem_enabled", "cmdline": "proc/cmdline",
    "swaps": "proc/swaps", "status": "proc/self/status", "limits": "proc/self/limits",
    "mountinfo": "proc/self/mountinfo",
}  # fmt: skip


def look(root: Path, live: bool = False, cpu: int | None = 3, now: Clock | None = RIGHT,
         ) -> dict[str, Check]:  # fmt: skip
    return {check.name: check for check in fitness.of_host(root, cpu, live, now)}


@pytest.mark.parametrize("live", [False, True])
def test_a_fit_host_is_ok_in_every_line(host: Host, live: bool) -> None:
    found = look(host(), live)
    assert {check.state for check in found.values()} == {OK}, found
    assert not any(check.fix for check in found.values())
    assert found["isolation"].found == "cpu 3: isolcpus, nohz_full, rcu_nocbs"
    assert found["frequency"].found == "cpu 3: governor performance, turbo on"
    assert found["sleep"].found == "POLL 0 us, C1 2 us"  # C6 is disabled


# what is changed; state on paper and live; a word of what is found, and one of the fix
UNFIT: list[tuple[str, dict[str, str | None], str, str, str, str]] = [
    ("cores", {"online": "0-2"}, FAIL, FAIL, "cpu 3 is not there; 3 online: 0-2", "--cpu"),
    ("cores", {"online": "3"}, WARN, WARN, "share it", "two or more"),
    ("smt", {"siblings": "1,3"}, WARN, WARN, "shares its core with cpu 1", "cpu1/online"),
    ("isolation", {"isolated": ""}, WARN, FAIL, "lacks isolcpus", "isolcpus=3"),
    ("isolation", {"isolated": "0-2"}, WARN, FAIL, "lacks isolcpus", "isolcpus=3"),
    ("isolation", {"nohz_full": None, "cmdline": "rcu_nocbs=3"}, WARN, FAIL, "lacks nohz_full",
     "nohz_full=3"),
    ("isolation", {"isolated": "", "nohz_full": "(null)", "cmdline": ""}, WARN, FAIL,
     "lacks isolcpus, nohz_full, rcu_nocbs", "isolcpus=3 nohz_full=3 rcu_nocbs=3"),
    ("frequency", {"governor": "powersave"}, WARN, WARN, "governor powersave, turbo on",
     "frequency-set --governor performance"),
    ("frequency", {"governor": "ondemand", "no_turbo": None, "boost": "0"}, WARN, WARN,
     "governor ondemand, turbo off", "cpupower"),
    ("sleep", {"deep": "0"}, WARN, WARN, "C6 133 us", "--disable-by-latency 10"),
    ("clocksource", {"clocksource": "hpet"}, WARN, WARN, "hpet", "clocksource=tsc"),
    ("memlock", {"limits": "Max locked memory  8388608  8388608  bytes"}, WARN, FAIL, "8388608 bytes",
     "LimitMEMLOCK=infinity"),
    ("memlock", {"limits": ""}, WARN, FAIL, "? bytes", "ulimit -l"),
    ("rtprio", {"limits": "Max realtime priority  0  0"}, WARN, WARN, "0: --realtime", "LimitRTPRIO=1"),
    ("swap", {"swaps": "Filename Type\n/dev/vdb2 partition 1 0 -2\n/file file 1 0 -3"}, WARN, WARN,
     "/dev/vdb2, /file", "swapoff"),
    ("hugepages", {"huge": "[always] madvise never"}, WARN, WARN, "always", "echo madvise > /sys"),
    ("hugepages", {"huge_shared": "[always] never"}, WARN, WARN, "shared memory always", "echo never"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changed", "paper", "live", "found", "fix"), UNFIT)
def test_what_is_unfit_is_one_line_with_its_fix(
    host: Host,
    name: str,
    changed: dict[str, str | None],
    paper: str,
    live: str,
    found: str,
    fix: str,
) -> None:
    for is_live, state in ((False, paper), (True, live)):
        checks = look(host(**changed), is_live)
        check = checks.pop(name)
        assert (check.state, found in check.found, fix in check.fix) == (state, True, True), check
        others = [each for each in checks.values() if each.state != OK]
        # one file has both limits
        assert all("limits" in changed for _ in others), others


@pytest.mark.parametrize(
    ("now", "paper", "live", "found"),
    [
        (Clock(0x40, 16_000_000), WARN, FAIL, "not synchronized"),
        (Clock(0x2040, 500), WARN, FAIL, "not synchronized"),
        (Clock(0x2001, 100_000), OK, OK, "100.0 ms at most"),
        (Clock(0x2001, 100_001), WARN, WARN, "wrong by 100 ms"),
        (None, WARN, WARN, "does not say"),
    ],
)
def test_a_clock_that_nobody_corrects_is_no_clock_to_trade_by(
    now: Clock | None, paper: str, live: str, found: str
) -> None:
    for is_live, state in ((False, paper), (True, live)):
        check = fitness.clock(now, is_live)
        assert check.state == state and found in check.found
        assert bool(check.fix) == (state != OK)


def test_a_host_that_says_nothing_has_no_fault_that_it_did_not_say(tmp_path: Path) -> None:
    """A container may hide /sys: only what cannot be had is said, and nothing raises."""
    found = look(tmp_path, cpu=None)
    bad = {name for name, check in found.items() if check.state != OK}
    assert bad == {"cores", "memlock", "rtprio"}


def test_nohz_full_brings_rcu_nocbs_along(host: Host) -> None:
    assert look(host(cmdline="nohz_full=2-3"), True)["isolation"].state == OK


def test_without_a_core_only_live_is_told_to_name_one(host: Host) -> None:
    paper, live = (look(host(), mode, cpu=None)["isolation"] for mode in (False, True))
    assert (paper.state, paper.fix, live.state, live.fix) == (OK, "", WARN, "--cpu N")


def test_privileges_stand_for_limits(host: Host) -> None:
    limits = "Max locked memory  65536  65536  bytes\nMax realtime priority  0  0"
    for caps, locks, nice in ((1 << 14, OK, WARN), (1 << 23, FAIL, OK), (1 << 15, FAIL, WARN)):
        found = look(host(limits=limits, status=f"CapEff:\t{caps:016x}"), True)
        assert (found["memlock"].state, found["rtprio"].state) == (locks, nice)


@given(st.sets(st.integers(0, 300)))
def test_law_a_list_of_the_kernel_is_read_as_it_is_written(cpus: set[int]) -> None:
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and runs[-1][1] == cpu - 1:
            runs[-1][1] = cpu
        else:
            runs.append([cpu, cpu])
    text = ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
    assert fitness.cpus_of(text) == cpus
    assert fitness.cpus_of(f"managed_irq,domain,{text}") == cpus  # as isolcpus= has it


@given(st.text(max_size=40))
def test_law_no_text_of_a_kernel_stops_the_doctor(text: str) -> None:
    fitness.cpus_of(text)
    fitness.chosen(text)


def test_what_is_installed_is_within_the_ranges_of_the_project() -> None:
    found = {check.name: check for check in doctor.versions(Path("/"))}
    assert {check.state for check in found.values()} == {OK}
    assert "GCC" in found["compiler"].found or "clang" in found["compiler"].found
    assert found["build"].found.startswith("bog-mm ")


def test_a_package_that_is_missing_or_too_new_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["click<2,>=1", "no-such-package>=1", 'pytest>=1; extra == "dev"']
    monkeypatch.setattr(doctor, "requires", lambda name: wanted)
    check = doctor.packages()
    assert check.state == FAIL and "make setup" in check.fix
    assert "click 8" in check.found and "no-such-package is missing" in check.found
    assert "pytest" not in check.found


# what the configuration needs


def settings_of(where: Path, **more: Any) -> Settings:
    tree: dict[str, Any] = {
        "journal": {"directory": str(where / "journal")},
        "feed": {"directory": str(where / "shm"), "source": "huginn"},
        "monitoring": {"log_file": str(where / "log/bog.log"), "prometheus_port": 0},
    }
    for key, value in more.items():
        section, name = key.split("__", 1)
        tree.setdefault(section, {})[name] = value
    return config.load(None, tree, {})


def test_a_folder_that_is_not_there_is_looked_for_above_and_not_made(tmp_path: Path) -> None:
    check = doctor.folder("journal", "k", tmp_path / "a/b/c", 1, private=True)
    assert check.state == OK and "is made at the start" in check.found
    assert not (tmp_path / "a").exists()


def test_a_folder_that_others_may_write_to_is_no_place_for_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.mkdir()
    for mode, state in ((0o700, OK), (0o750, OK), (0o770, FAIL), (0o777, FAIL), (0o702, FAIL)):
        path.chmod(mode)
        check = doctor.folder("journal", "k", path, 1, private=True)
        assert check.state == state, check
        assert check.fix == ("" if state == OK else f"chmod go-w {path}")


def test_a_file_in_the_way_and_a_full_disk_are_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check = doctor.folder("log", "monitoring.log_file", tmp_path / "file/x", 1, private=False)
    assert (check.state, check.fix) == (FAIL, "monitoring.log_file") and "no folder" in check.found
    check = doctor.folder("log", "monitoring.log_file", tmp_path, 1 << 40, private=False)
    assert check.state == FAIL and f"want {1 << 40}" in check.found and "free the disk" in check.fix


@pytest.mark.skipif(not ROOT, reason="only root gives folders away")
def test_a_folder_of_another_user_is_named_with_both_users(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    check = doctor.folder("journal", "k", tmp_path, 1, private=True)
    assert check.state == FAIL and "belongs to uid 12345, want 0" in check.found
    assert check.fix == f"chown 0 {tmp_path}"


def test_a_journal_in_memory_is_lost_with_the_host(host: Host, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert doctor.journal(host(), settings, 1, True).state == OK
    memory = FIT["proc/self/mountinfo"] + f"\n30 21 0:9 / {tmp_path} rw - tmpfs tmpfs rw"
    for live, state in ((False, WARN), (True, FAIL)):
        check = doctor.journal(host(mountinfo=memory), settings, 1, live)
        assert check.state == state and "tmpfs" in check.found and "journal.directory" in check.fix


def test_the_longest_and_newest_mount_point_holds_a_path(host: Host) -> None:
    rows = (
        "1 0 8:1 / / rw - ext4 a rw\n2 1 0:1 / /data rw shared:4 master:1 - xfs b rw\n"
        "3 1 0:2 / /data rw - tmpfs c rw\n4 1 0:3 / /data/a\\040b rw - zfs d rw"
    )
    root = host(mountinfo=rows)
    for path, kind in {
        "/x": "ext4", "/database": "ext4", "/data": "tmpfs", "/data/x": "tmpfs", "/data/a b/c": "zfs",
    }.items():  # fmt: skip
        assert fitness.file_system(root, Path(path)) == kind


def test_shared_memory_is_private_or_sticky_there_and_in_memory(host: Host, tmp_path: Path) -> None:
    settings, shm = settings_of(tmp_path), tmp_path / "shm"
    missing = doctor.shared_memory(host(), settings, 1)
    assert missing.state == FAIL and f"install -d -m 700 {shm}" in missing.fix
    shm.mkdir(mode=0o700)
    disk = doctor.shared_memory(host(), settings, 1)
    assert disk.state == WARN and "on a disk (ext4)" in disk.found
    memory = host(mountinfo=f"1 0 8:1 / / rw - ext4 a rw\n2 1 0:1 / {shm} rw - tmpfs a rw")
    for mode, state in ((0o700, OK), (0o1777, OK), (0o777, FAIL), (0o720, FAIL)):
        shm.chmod(mode)
        check = doctor.shared_memory(memory, settings, 1)
        assert check.state == state and (state == OK or check.fix == f"chmod +t {shm}")


def test_a_port_that_somebody_has_is_a_warning_or_a_fail(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        for required, state in ((False, WARN), (True, FAIL)):
            check = doctor.port(
                settings_of(tmp_path, monitoring__prometheus_port=number,
                            monitoring__prometheus_required=required)
            )  # fmt: skip
            assert check.state == state and f"port {number}: Address already in use" in check.found
            assert "monitoring.prometheus_port" in check.fix
    free = settings_of(tmp_path, monitoring__prometheus_port=number)
    for _ in range(2):  # it is let go again
        assert doctor.port(free) == Check("prometheus", OK, f"127.0.0.1 port {number} is free")
    assert doctor.port(settings_of(tmp_path)).state == OK  # none is wanted
    shown = settings_of(
        tmp_path, monitoring__prometheus_port=number, monitoring__prometheus_host="0.0.0.0"
    )
    assert doctor.port(shown).state == WARN and "127.0.0.1" in doctor.port(shown).fix


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """Return a folder with the keys of an account, which hold no real secret."""
    (tmp_path / "keys").mkdir(mode=0o700)
    for name in ("quoting", "guardian"):
        (tmp_path / "keys" / name).write_text("not a key")
        (tmp_path / "keys" / name).chmod(0o600)
    return tmp_path


def live_settings(where: Path, **more: Any) -> Settings:
    tree = {
        "execution": {"mode": "live"},
        "live": {
            "account_index": 17, "chain_id": 300, "rest_url": "http://127.0.0.1:7",
            "ws_url": "ws://127.0.0.1:7/stream", "quoting_credential": f"{where}/keys/quoting",
            "quoting_index": 2, "guardian_credential": f"{where}/keys/guardian", "guardian_index": 4,
        } | more,
    }  # fmt: skip
    return config.load("production", tree, {})


def test_each_key_is_judged_by_where_it_is_kept_and_never_opened(live: Path) -> None:
    settings, key = live_settings(live), live / "keys" / "quoting"
    before = key.stat().st_atime_ns
    assert [check.state for check in doctor.keys_kept(settings)] == [OK, OK]
    key.chmod(0o644)
    bad, good = doctor.keys_kept(settings)
    assert (bad.state, bad.fix, good.state) == (FAIL, f"chmod 600 {key}", OK)
    assert "has mode 644" in bad.found and "not a key" not in bad.found
    assert key.stat().st_atime_ns == before
    key.unlink()
    assert next(doctor.keys_kept(settings)).fix.startswith("install -m 600")
    (live / "keys").chmod(0o777)
    assert list(doctor.keys_kept(settings))[1].fix == f"chmod go-w {live}/keys"


def test_what_alarms_and_telemetry_need_is_judged_on_paper_too(tmp_path: Path) -> None:
    """A start refuses an open file of Slack's address; the doctor said that all was well."""
    file = tmp_path / "slack"
    file.write_text("https://hooks.test/x")
    file.chmod(0o644)
    settings = config.load(flags={"monitoring": {"slack_credential": str(file)}}, environ={})
    (check,) = doctor.keys_kept(settings)
    assert (check.state, check.fix) == (FAIL, f"chmod 600 {file}")
    file.chmod(0o600)
    assert [check.state for check in doctor.keys_kept(settings)] == [OK]
    assert list(doctor.keys_kept(config.load(environ={}))) == []


def test_a_key_of_systemd_outside_of_its_unit_says_so(
    live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    check = next(doctor.keys_kept(live_settings(live, quoting_credential="quoting")))
    assert check.state == FAIL and "LoadCredential=quoting:FILE" in check.fix


def test_a_token_is_good_where_another_unit_hands_the_same_credential_over(
    live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bog-arm and bog-live have each a directory of credentials: a path of it would never agree."""
    said = []
    for unit in ("arm", "live"):
        (live / unit).mkdir(mode=0o500)
        (live / unit).chmod(0o700)
        (live / "keys/quoting").rename(live / unit / "quoting")
        (live / "keys").mkdir(exist_ok=True)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(live / unit))
        said.append(arming.facts_of(live_settings(live, quoting_credential="quoting"), [1], "b"))
        (live / unit / "quoting").rename(live / "keys/quoting")
    assert said[0] == said[1]
    assert said[0]["quoting key"] == "index 2, systemd credential quoting"
    assert said[0]["guardian key"] == f"index 4, {live}/keys/guardian"


def test_a_feed_is_absent_fresh_stale_dead_or_foreign(shm: Path, tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    for live, state in ((False, WARN), (True, FAIL)):
        absent = doctor.feed(settings, 1, live)
        assert (absent.state, absent.fix) == (state, "bog-feed --market 1")
        assert "market 1: absent" in absent.found
    made = Publisher(1, price_decimals=1, size_decimals=5, directory=shm)
    made.heartbeat()
    fresh = doctor.feed(settings_of(tmp_path, risk__stale_after_ms=60_000), 1, True)
    assert fresh.state == OK and fresh.found.endswith(": fresh")
    time.sleep(0.01)
    stale = doctor.feed(settings_of(tmp_path, risk__stale_after_ms=1), 1, True)
    assert stale.state == FAIL and "stale, more than risk.stale_after_ms, 1" in stale.found
    assert f"process {os.getpid()}" in stale.fix
    made.close()
    closed = doctor.feed(settings, 1, False)
    assert closed.state == WARN and "its writer is closed" in closed.found
    (path,) = shm.glob("hg_*")
    path.chmod(0o666)
    foreign = doctor.feed(settings, 1, False)
    assert foreign.state == FAIL and "mode" in foreign.found
    # a bot that brings its own market needs none
    for source in ("sim", "lighter"):
        path.chmod(0o600)
        assert doctor.feed(settings_of(tmp_path, feed__source=source), 1, True).state == OK


def test_every_refusal_of_the_configuration_is_a_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("[risk]\nmax_positio = 1\nmax_short = -1\n[feed]\nspede = 1\n")
    found = list(doctor.of_setup(tmp_path, [1], str(file), {}))
    assert {check.name for check in found} == {doctor.CONFIGURATION}
    assert {check.state for check in found} == {FAIL}
    keys = {check.found.split(" = ")[0] for check in found}
    assert keys == {"risk.max_positio", "risk.max_short", "feed.spede"}
    with pytest.raises(ConfigError, match=r"\(and 2 more\)"):
        config.load(str(file), {}, {})


def test_a_file_that_cannot_be_read_leaves_the_mode_that_was_asked_for(tmp_path: Path) -> None:
    """A clock or a limit that live trading fails on was only a warning when the file was missing."""
    for mode, state in (("paper", WARN), ("live", FAIL)):
        flags = {"execution": {"mode": mode}}
        found = doctor.examine(tmp_path, None, [], str(tmp_path / "no.toml"), flags)
        checks = {check.name: check for check in found}
        assert checks["memlock"].state == state
        assert "cannot read" in checks[doctor.CONFIGURATION].found


def test_what_only_a_start_would_refuse_is_a_line_each(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, risk__max_position="0.123456789", feed__speed="1.2345678")
    found = doctor.refusals(settings, [1, 7], False)
    assert any("feed.speed" in line for line in found)
    assert any("risk.max_position" in line for line in found)
    assert sum("markets.7 is not configured" in line for line in found) == 1
    assert doctor.refusals(settings_of(tmp_path), [1, 0], False) == []


def test_a_check_is_json_by_its_fields() -> None:
    check = Check("swap", WARN, "/file", "swapoff --all")
    said = json.loads(json.dumps(check._asdict()))
    assert said == {"name": "swap", "state": "warn", "found": "/file", "fix": "swapoff --all"}
