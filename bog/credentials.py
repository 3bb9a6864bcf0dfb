"""Where a key is kept, checked without reading it: a systemd credential, or a private file.

Only the gateway ever opens one of the venue. Everything else knows the path and that nobody else can
read it. A key of the telemetry bus moves no money: bus and bog-tail read theirs.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from bog.errors import ConfigError

CURVE_KEY = re.compile(r"[0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40}")  # of the bus, as Z85 writes it
DIRECTORY = "CREDENTIALS_DIRECTORY"  # systemd's: where it puts what LoadCredential names


def find(key: str, value: str) -> str:
    """Return the absolute path that a credential of the configuration means, or raise ConfigError.

    `value` is a path, or a name in systemd's directory of credentials. What is refused: anything
    but a regular file of ours with one name, mode 0400 or 0600, in a folder that only we or root may
    write to.
    """
    if "/" in value:
        path = Path(value).absolute()
    else:
        folder = os.environ.get(DIRECTORY)
        if not folder:
            raise ConfigError(
                f"{key} = {value!r}: systemd handed over no credentials (LoadCredential={value}:FILE);"
                " want the path of a file, with a slash in it"
            )
        path = Path(folder) / value
    try:
        found, above = path.lstat(), path.parent.stat()
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror}") from None
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise ConfigError(f"{key}: {path} is not a regular file of one name")
    # systemd's own files belong to root, in a folder that this service alone may enter
    if found.st_uid not in ((os.geteuid(),) if "/" in value else (0, os.geteuid())):
        raise ConfigError(f"{key}: {path} belongs to uid {found.st_uid}, want {os.geteuid()}")
    if mode not in (0o400, 0o600) and "/" in value:
        raise ConfigError(f"{key}: {path} has mode {mode:03o}, want 600 or 400")
    if mode & 0o037:
        raise ConfigError(f"{key}: {path} has mode {mode:03o}: others may read it")
    if above.st_uid not in (0, os.geteuid()) or (
        above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX
    ):
        raise ConfigError(f"{key}: others may replace files in {path.parent}")
    return str(path)


def is_curve_key(text: str) -> bool:
    """Return whether this is more likely a key of the bus than the name of a file."""
    return bool(CURVE_KEY.fullmatch(text)) and not re.fullmatch(r"[\w./-]+", text, re.ASCII)


def curve_key(key: str, value: str) -> str:
    """Return the bus key in a private file, or raise ConfigError, which does not show it."""
    path = Path(find(key, value))
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        text = ""
    if not CURVE_KEY.fullmatch(text):
        raise ConfigError(f"{key}: {path} holds no key of 40 characters (bog-tail --new-key)")
    return text
