"""Writes docs/configuration.md, every key of bog from the code: `python tools/configuration.py`."""

import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator

from bog.keys import Pattern, Range
from bog.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "configuration.md"
DEFAULTS = ROOT / "bog" / "configs" / "default.toml"
HEAD = """# Configuration

Every key, its default, what it may be, and what it means. Made by `python tools/configuration.py` from
`bog/keys.py` and `configs/default.toml`; a test keeps it so. A file given by `--config` (a path, or
`development`, `production`, `rehearsal`), then variables such as `BOG_RISK__MAX_POSITION` (two underscores
between the parts), then flags override the defaults. `bog-live --show-config` prints what is in force and
where each value came from. Numbers are read exactly: what is no whole number of ticks or lots of a market
is refused, never rounded.
"""
TABLE = "\n| key | default | may be | meaning |\n|---|---|---|---|\n"
LINE = re.compile(r'([a-z_0-9]+) = ("(?:[^"\\]|\\.)*"|\S+)(?:\s+# (.*))?')
SECTION = re.compile(r"\[([a-z_0-9.]+)\](?:\s+# (.*))?")


def lines_of(text: str) -> tuple[dict[str, tuple[str, str]], dict[str, list[str]]]:
    """Return default and comments of every key, and the comments at the top of each section."""
    keys: dict[str, tuple[str, str]] = {}
    notes: dict[str, list[str]] = {}
    section, above = "", list[str]()
    for line in text.splitlines():
        if found := SECTION.fullmatch(line):
            section, above = found[1], []
            notes[section] = [found[2]] if found[2] else []
        elif found := LINE.fullmatch(line):
            keys[f"{section}.{found[1]}"] = found[2], "; ".join(filter(None, [found[3], *above]))
            above = []
        elif section and line.startswith("# "):
            first = not any(name.rpartition(".")[0] == section for name in keys)
            (notes[section] if first else above).append(line[2:])
        elif line.strip() and section:
            raise SystemExit(f"{DEFAULTS}: what is this line: {line!r}")
    return keys, notes


def model_of(section: str) -> type[BaseModel] | None:
    """Return the model of a section, also of one that is named by an id; None when there is none."""
    kind: Any = Settings
    for name in section.split("."):
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
            continue
        field = kind.model_fields.get(name) if hasattr(kind, "model_fields") else None
        kind = field.annotation if field is not None else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def may_be(section: str, key: str) -> str:
    """Return in words what a key may be."""
    model = model_of(section)
    field = model.model_fields.get(key) if model is not None else None
    if field is None:
        return ""
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(field.annotation))
    for one in field.metadata:
        rule = one.func if isinstance(one, BeforeValidator) else None
        if isinstance(rule, Range):
            return rule.wanted().removeprefix("want ")
        if isinstance(rule, Pattern):
            return rule.wanted
    return "`true`, `false`" if field.annotation is bool else "text"


def page() -> str:
    """Return the whole page."""
    keys, notes = lines_of(DEFAULTS.read_text())
    parts = [HEAD]
    for section, said in notes.items():
        parts.append(f"\n## {section}\n")
        if said:
            parts.append("\n" + "\n".join(said) + "\n")
        own = {name: row for name, row in keys.items() if name.rpartition(".")[0] == section}
        if own:
            rows = [
                f"| `{name.rpartition('.')[2]}` | `{value}` | {may_be(section, name.rpartition('.')[2])}"
                f" | {comment.replace('|', chr(92) + '|')} |\n"
                for name, (value, comment) in own.items()
            ]
            parts.append(TABLE + "".join(rows))
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
