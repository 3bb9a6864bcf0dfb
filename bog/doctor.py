"""What bog-doctor looks at: the host (fitness.py), then what the configuration needs of it.

Nothing is changed and no key is opened: a port is bound and let go, a folder that is not there is
looked for above. What is wrong is a line of the answer, never an exception.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from bog import build, config, credentials, gateway
from bog._core import stats
from bog._core.huginn import FeedState
from bog._core.reader import Reader
from bog._core.shm import object_path
from bog.child_feed import running
from bog.endpoint import Endpoint
from bog.errors import BogError, ConfigError
from bog.fitness import FAIL, OK, WARN, Check, file_system, kernel_clock, of_host, read, serious
from bog.settings import Settings
from bog.spec import DEX, journal_of

PYTHON = (3, 11)
SHARED_MB = 32  # of shared memory for a market: its feed, the journal's segment and the pages
JOURNAL_FILES = 4  # of journal.rotate_mb a market: less is soon full
MB = 1 << 20
CONFIGURATION = "configuration"
NEEDED_LIVE = ("live.quoting_credential", "live.guardian_credential")
NEEDED_BY_NONE = (
    "live.taking_credential", "monitoring.slack_credential", "monitoring.pagerduty_credential",
    "monitoring.bus.server_credential",
)  # fmt: skip
FEEDS_APART = ("huginn",)  # what somebody else publishes


def versions(root: Path) -> Iterator[Check]:
    found = ".".join(map(str, sys.version_info[:3]))
    yield Check(
        "python", OK if sys.version_info >= PYTHON else FAIL, found,
        "" if sys.version_info >= PYTHON else f"want {'.'.join(map(str, PYTHON))} or newer",
    )  # fmt: skip
    yield Check("kernel", OK, read(root, "proc/sys/kernel/osrelease") or "?")
    yield Check("compiler", OK, compiler_of(Path(stats.__file__)))
    yield packages()
    yield Check("build", OK, build.build_id())


def compiler_of(module: Path) -> str:
    """Return the compiler that a compiled module names in its section .comment."""
    found = re.findall(
        rb"(?:GCC: \([^)\0]*\) [\w.]+|(?:\w+ )?clang version [\w.]+)", module.read_bytes()
    )
    return ", ".join(sorted({each.decode() for each in found})) or "the core does not say"


def packages() -> Check:
    """Compare what is installed with what this version was written for."""
    try:
        wanted = [Requirement(each) for each in requires("bog-mm") or []]
    except PackageNotFoundError:
        return Check("packages", WARN, "bog-mm is not installed, only imported", "make setup")
    wanted = [each for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    wrong = []
    for each in wanted:
        try:
            found = version(each.name)
        except PackageNotFoundError:
            found = ""
        if not found or not each.specifier.contains(found, prereleases=True):
            wrong.append(f"{each.name} {found or 'is missing'}, want {each.specifier}")
    if wrong:
        return Check("packages", FAIL, "; ".join(wrong), "make setup, or pip install bog-mm anew")
    return Check("packages", OK, f"{len(wanted)} within their ranges")


def standing(path: Path) -> tuple[Path, os.stat_result]:
    """Return the deepest part of an absolute path that is there."""
    for each in (path, *path.parents):
        try:
            return each, each.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
    raise FileNotFoundError(path)


def folder(name: str, key: str, path: Path, need_mb: int, private: bool) -> Check:
    """Judge a folder that bog writes to, or will make: whose it is, its mode, its free space."""
    try:
        found, seen = standing(path)
    except OSError as error:
        return Check(name, FAIL, f"{path}: {error.strerror}", key)
    mine, mode = seen.st_uid == os.geteuid(), stat.S_IMODE(seen.st_mode)
    said = f"{path}, mode {mode:03o}" if found == path else f"{path} is made at the start"
    if not stat.S_ISDIR(seen.st_mode):
        return Check(name, FAIL, f"{found} is no folder", key)
    if not os.access(found, os.W_OK | os.X_OK):
        return Check(name, FAIL, f"{found} cannot be written to by uid {os.geteuid()}", key)
    if private and found == path and not mine:
        fix = f"chown {os.geteuid()} {path}"
        return Check(name, FAIL, f"{path} belongs to uid {seen.st_uid}, want {os.geteuid()}", fix)
    if private and found == path and mode & 0o022:
        return Check(
            name, FAIL, f"{path} has mode {mode:03o}: others may write", f"chmod go-w {path}"
        )
    free = shutil.disk_usage(found).free // MB
    said += f", {free} MB free"
    if free < need_mb:
        return Check(name, FAIL, f"{said}, want {need_mb}", f"free the disk, or {key}")
    return Check(name, OK, said)


def journal(root: Path, settings: Settings, count: int, live: bool) -> Check:
    path = Path(journal_of(settings)).absolute()
    need = JOURNAL_FILES * settings.journal.rotate_mb * count
    found = folder("journal", "journal.directory", path, need, private=True)
    kind = file_system(root, path)
    if found.state == OK and kind in ("tmpfs", "ramfs"):
        why = f"{path} is in memory ({kind}): position and profit are lost with the host"
        return Check("journal", serious(live), why, "journal.directory: a folder on a disk")
    return found


def log_folder(settings: Settings) -> Check:
    file = settings.monitoring.log_file
    if not file:
        return Check("log", OK, "stderr alone")
    need = settings.monitoring.log_rotation_mb * 2
    return folder("log", "monitoring.log_file", Path(file).absolute().parent, need, private=False)


def shared_memory(root: Path, settings: Settings, count: int) -> Check:
    """Judge where feed and bot meet; /dev/shm is everybody's, and sticky."""
    path, key = Path(settings.feed.directory).absolute(), "feed.directory"
    found = folder("shm", key, path, SHARED_MB * count, private=False)
    if found.state != OK:
        return found
    if not path.is_dir():
        return Check("shm", FAIL, f"{path} is not there", f"install -d -m 700 {path}, or {key}")
    seen = path.stat()
    if seen.st_mode & 0o022 and not seen.st_mode & stat.S_ISVTX:
        return Check("shm", FAIL, f"others may replace files in {path}", f"chmod +t {path}")
    if seen.st_uid not in (0, os.geteuid()):
        return Check("shm", FAIL, f"{path} belongs to uid {seen.st_uid}", key)
    kind = file_system(root, path)
    if kind not in ("tmpfs", "ramfs"):
        return Check(
            "shm", WARN, f"{found.found}; on a disk ({kind})", f"{key}: a folder of a tmpfs"
        )
    return found


def port(settings: Settings) -> Check:
    own = settings.monitoring
    if own.prometheus_port == 0:
        return Check("prometheus", OK, "no port, as monitoring.prometheus_port says")
    try:
        endpoint = Endpoint(settings)
    except ConfigError as error:
        why, _, fix = str(error).partition(": want ")
        return Check("prometheus", FAIL, why, fix)
    refused, had = endpoint.refused, endpoint.listener is not None
    endpoint.close()
    if not had:
        return Check("prometheus", WARN, refused[0].partition(": set ")[0],
                     "monitoring.prometheus_port: a free one")  # fmt: skip
    if refused:
        return Check("prometheus", WARN, refused[0].partition("; want ")[0],
                     "monitoring.prometheus_host: 127.0.0.1")  # fmt: skip
    return Check("prometheus", OK, f"{own.prometheus_host} port {own.prometheus_port} is free")


def keys_kept(settings: Settings) -> Iterator[Check]:
    """Judge where each secret is kept, as bog-arm and bog-live will: those of [live] when it is live."""
    needed = NEEDED_LIVE if settings.execution.mode == "live" else ()
    for key in (*needed, *NEEDED_BY_NONE):
        value = settings.value(key)
        if not value and key not in needed:
            continue
        try:
            path = credentials.find(key, value)
        except ConfigError as error:
            yield Check("credential", FAIL, str(error), remedy(str(error), value))
        else:
            yield Check("credential", OK, f"{key}: {path}")


def remedy(why: str, path: str) -> str:
    """Return the command that puts right what bog.credentials refuses."""
    for part, fix in {
        "has mode": f"chmod 600 {path}",
        "belongs to uid": f"chown {os.geteuid()} {path}",
        "others may replace": f"chmod go-w {Path(path).parent}",
        "no credentials": f"LoadCredential={path}:FILE in the unit, or run this inside of it",
    }.items():
        if part in why:
            return fix
    return "install -m 600 the key there, or name another path"


def feed(settings: Settings, market: int, live: bool) -> Check:
    """Judge the feed of one market in shared memory: fresh, stale or absent."""
    apart = settings.feed.source in FEEDS_APART
    bad = serious(live) if apart else OK
    start = f"bog-feed --market {market}" if apart else ""
    path = object_path(DEX, market, settings.feed.directory)
    if not Path(path).exists():
        said = f"market {market}: absent" + (
            "" if apart else f"; {settings.feed.source} brings its own"
        )
        return Check("feed", bad, said, start)
    try:
        header = Reader(market, directory=settings.feed.directory).header()
    except (BogError, OSError) as error:
        return Check(
            "feed", FAIL, f"market {market}: {error}", f"stop what made it, then {start or 'start'}"
        )
    age_ms = (time.monotonic_ns() - header["heartbeat_ns"]) / 1e6
    said = f"market {market}: process {header['pid']}, last sign of life {age_ms:.0f} ms ago"
    if not running(market, settings.feed.directory):
        how = "dead" if header["state"] == FeedState.HG_OPEN else "closed"
        return Check("feed", bad, f"{said}: stale, its writer is {how}", start)
    if age_ms > settings.risk.stale_after_ms:
        return Check(
            "feed", bad, f"{said}: stale, more than risk.stale_after_ms, {settings.risk.stale_after_ms}",
            f"the log of process {header['pid']}" if apart else "",
        )  # fmt: skip
    return Check("feed", OK, f"{said}: fresh")


def refusals(settings: Settings, markets: list[int], live: bool) -> list[str]:
    """Return what a start would refuse beyond the keys themselves, a line each."""
    looks: list[Callable[[], Any]] = [settings.lighter_urls, settings.speed_ppm]
    if live:
        looks.append(partial(gateway.refuse_missing, settings))
    for market in markets:
        own = settings.of(market)
        looks += [partial(look, market) for look in
                  (own.market, own.limits, own.strategy_params, own.venue_params)]  # fmt: skip
    if markets:
        looks.append(lambda: settings.portfolio_limit(markets))
    found = []
    for look in looks:
        try:
            look()
        except ConfigError as error:
            found.append(str(error))
    return list(dict.fromkeys(found))  # each market would say again what is of all


def of_setup(
    root: Path, markets: list[int], name: str | None, flags: dict[str, Any]
) -> Iterator[Check]:
    """Return every check of the configuration, and of what it names; only those where it is refused."""
    try:
        settings = config.load(name, flags)
    except ConfigError as error:
        for line in error.each or [str(error)]:
            yield Check(CONFIGURATION, FAIL, line, "the key or variable that it names")
        return
    live = settings.execution.mode == "live"
    refused = refusals(settings, markets, live)
    for line in refused:
        yield Check(CONFIGURATION, FAIL, line, "the key or variable that it names")
    if not refused:
        source = f"{name or 'default'}, mode {settings.execution.mode}"
        yield Check(CONFIGURATION, OK, f"{source}, hash {config.config_hash(settings)[:12]}")
    count = max(1, len(markets))
    yield shared_memory(root, settings, count)
    yield journal(root, settings, count, live)
    yield log_folder(settings)
    yield port(settings)
    yield from keys_kept(settings)
    for market in markets:
        yield feed(settings.of(market), market, live)


def examine(
    root: Path, cpu: int | None, markets: list[int], name: str | None, flags: dict[str, Any]
) -> list[Check]:
    """Return all checks, the host's first; `flags` decide over the file `name` what mode is meant."""
    try:
        live = config.said("execution.mode", name, flags)[0] == "live"
    except ConfigError:
        # it is said below what is wrong
        live = flags.get("execution", {}).get("mode") == "live"
    return [
        *of_host(root, cpu, live, kernel_clock()),
        *versions(root),
        *of_setup(root, markets, name, flags),
    ]
