"""Reads the configuration in layers and refuses what is wrong in one line.

default.toml < the file of --config < BOG_* variables < flags. pydantic-settings merges and checks
the layers; this module adds what it lets pass: a missing file, a misspelt variable, a float that
has lost its decimals, and the origin of every value. Text becomes integers in `settings`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError

from bog import keys, units
from bog.errors import ConfigError, one_line
from bog.settings import MASK, Settings, shown

FOLDER = Path(__file__).parent / "configs"  # the checkout's configs/, and its copy in a wheel
RATE_KEYS = tuple(f"risk.rate_limit_{name}" for name in ("orders_per_sec", "burst", "reserve"))
PREFIX = "BOG_"
# variables of the build, which are not configuration
BUILD_VARIABLES = frozenset(
    f"BOG_{name}" for name in ("BUILD", "CAPS", "MARCH", "JOBS", "ANNOTATE", "WERROR", "VARIANT")
)

OWN = ("risk", "strategy", "feed")  # tables that a market may have of its own
# of [live], what no default may decide
LIVE_KEYS = tuple(
    f"live.{name}"
    for name in ("account_index", "chain_id", "rest_url", "ws_url", "quoting_credential",
                 "quoting_index", "guardian_credential", "guardian_index")
)  # fmt: skip
NO_DECISION = (
    *("journal.", "host.", "monitoring.", "feed.directory", "feed.speed", "feed.lighter.", "live."),
)

Tree = dict[str, Any]
Layer = tuple[Tree, dict[str, str]]  # the keys of one layer, and the origin of each dotted key


def load(
    config: str | None = None, flags: Tree | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Return the effective configuration, or raise ConfigError with one line.

    `config` is a file, or the name of one that ships: "development", "production". `flags` is a
    tree of text and integers as in the file, {"risk": {"max_position": "0.5"}}.
    """
    layers = _layers(config, flags, environ)
    settings = _merge(layers)
    own = _own_keys(settings)
    for market, tables in own.items():
        # what a market has of its own stands over every general key, whoever set that one
        origins = {
            key: f"markets.{market}.{key}, {settings.origins[f'markets.{market}.{key}']}"
            for key, _ in _leaves(tables)
        }
        shared = [(_shared(tree), origin) for tree, origin in layers]
        settings.set_own(int(market), _merge([*shared, (tables, origins)]))
    return settings


def said(key: str, config: str | None, flags: Tree | None) -> tuple[Any, str]:
    """Return what the last layer that names a dotted key says, and its origin; check nothing."""
    found: tuple[Any, str] = (None, "unset")
    for tree, origin in _layers(config, flags, None):
        found = next(((v, origin[k]) for k, v in _leaves(tree) if k == key), found)
    return found


def _layers(
    config: str | None, flags: Tree | None, environ: Mapping[str, str] | None
) -> list[Layer]:
    """Return the layers of the configuration, the strongest last."""
    layers = [_file_layer(FOLDER / "default.toml")]
    if config is not None:
        layers.append(_file_layer(_find(config)))
    layers.append(_variable_layer(os.environ if environ is None else environ))
    layers.append((flags or {}, {key: "flag" for key, _ in _leaves(flags or {})}))
    return layers


def _own_keys(settings: Settings) -> dict[str, Tree]:
    """Return the tables that a market has of its own, by market."""
    found = {}
    for market, scale in settings.markets.items():
        tables = {name: getattr(scale, name) for name in OWN if getattr(scale, name)}
        if tables:
            found[market] = tables
    return found


def _shared(tree: Tree) -> Tree:
    """Return a layer without what markets have of their own."""
    if not isinstance(tree.get("markets"), dict):
        return tree
    markets = {
        market: {key: value for key, value in table.items() if key not in OWN}
        for market, table in tree["markets"].items()
    }
    return {**tree, "markets": markets}


def _merge(layers: list[Layer]) -> Settings:
    """Return the settings that the layers make, the last one on top, or raise ConfigError."""
    origins: dict[str, str] = {}
    for _, origin in layers:
        for key in origin:  # a table where a value stood, or the reverse, hides what was there
            for old in [
                k for k in origins if f"{k}.".startswith(f"{key}.") or key.startswith(f"{k}.")
            ]:
                del origins[old]
        origins.update(origin)

    try:
        settings = Settings(layers=[tree for tree, _ in layers])
    except ValidationError as error:
        problems = [_explain(problem, origins) for problem in error.errors(include_url=False)]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ConfigError(problems[0] + more).with_each(problems) from None
    settings.origins.update(origins)
    _check(settings)
    return settings


def _find(config: str) -> Path:
    """Return the path that --config means: a bare name is a file that ships."""
    if "/" in config or config.endswith(".toml"):
        return Path(config)
    return FOLDER / f"{config}.toml"


def _file_layer(path: Path) -> Layer:
    """Return one TOML file, its fractions as exact decimals."""
    try:
        tree = tomllib.loads(path.read_bytes().decode(), parse_float=Decimal)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:  # broken TOML says its line and column
        raise ConfigError(f"{path} is not TOML: {error}") from None
    return tree, {key: path.name for key, _ in _leaves(tree)}


def _variable_layer(environ: Mapping[str, str]) -> Layer:
    """Return the BOG_* variables as a tree: BOG_RISK__MAX_POSITION is risk.max_position.

    Every variable with the prefix is taken, so that a misspelt one is an unknown key, not ignored.
    """
    tree: Tree = {}
    origins: dict[str, str] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in BUILD_VARIABLES:
            continue
        *path, last = name.removeprefix(PREFIX).lower().split("__")
        node: Any = tree
        for part in path:
            node = node.setdefault(part, {}) if isinstance(node, dict) else None
        if not isinstance(node, dict) or last in node:
            raise ConfigError(f"variable {name} contradicts another one for the same key")
        node[last] = environ[name]
        origins[".".join((*path, last))] = f"variable {name}"
    return tree, origins


def _leaves(tree: Tree, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every dotted key with its value."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _explain(problem: Any, origins: dict[str, str]) -> str:
    """Return `key = value (origin): what would be right` for one problem that pydantic has."""
    key = ".".join(str(part) for part in problem["loc"] if part != "[key]")
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "missing":
        return f"{key} is missing"
    if kind == "extra_forbidden":
        why = "unknown key" + _nearest(key)
    elif kind == "value_error":
        why = str(context["error"])
    elif kind == "literal_error":
        why = f"want {context['expected']}"
    elif kind in ("model_type", "dict_type", "model_attributes_type"):
        why = "want a table of keys"
    else:
        why = problem["msg"].replace("Input should be", "want").replace("String should", "should")
    origin = origins.get(key) or next(
        (o for k, o in origins.items() if k.startswith(f"{key}.")), "unset"
    )
    return one_line(f"{key} = {shown(key, problem['input'])} ({origin}): {why}")


def _nearest(key: str) -> str:
    """Return a hint when a key of default.toml looks like this one."""
    known = [name for name, _ in _leaves(_file_layer(FOLDER / "default.toml")[0])]
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.8)
    return f", did you mean {near[0]}?" if near else ""


def _check(s: Settings) -> None:
    """Refuse keys that contradict each other, and live trading on limits that nobody chose."""
    if s.execution.tier not in s.venue.tiers:
        s.refuse("execution.tier", f"want one of {', '.join(s.venue.tiers)}")
    spread = f"strategy.{s.strategy.name}."
    for low, high in (
        ("risk.min_order_size", "risk.max_order_size"),
        ("risk.min_price", "risk.max_price"),
        ("risk.rate_limit_reserve", "risk.rate_limit_burst"),
        (spread + "min_spread_bps", spread + "max_spread_bps"),
        (spread + "min_valid_price", spread + "max_valid_price"),
        (spread + "expiry_margin_sec", spread + "order_life_sec"),  # 0: no order expires
    ):
        if s.value(low) >= s.value(high) and s.value(high) != 0:
            if s.origins[low] != "default.toml":  # name the one that somebody has set
                s.refuse(low, f"want less than {high}, {s.value(high)}")
            s.refuse(high, f"want more than {low}, {s.value(low)}")
    preset = s.risk.rate_limit_preset != "custom"
    for key in RATE_KEYS:
        if preset and s.origins[key] != "default.toml":
            s.refuse(key, "want it unset, or risk.rate_limit_preset = 'custom'")
    if s.monitoring.bus.endpoint.startswith("tcp:"):
        for key in ("monitoring.bus.server_credential", "monitoring.bus.clients"):
            if not s.value(key):
                s.refuse("monitoring.bus.endpoint", f"want {key} as well: TCP only with keys")
    if s.execution.mode != "live":
        return
    unset = [
        key
        for key in (
            *(f"risk.{name}" for name in keys.Risk.model_fields),
            "portfolio.max_exposure_quote",
        )
        if s.origins[key] == "default.toml" and not (preset and key in RATE_KEYS)
    ]
    if unset:
        s.refuse("execution.mode", f"live has no default limits: set {', '.join(unset)}")
    unset = [key for key in LIVE_KEYS if s.origins[key] == "default.toml"]
    if unset:
        s.refuse("execution.mode", f"live has no default account: set {', '.join(unset)}")
    if s.live.account_index < 0:
        s.refuse("live.account_index", "want the number of the account at the venue")
    for key in ("live.quoting_credential", "live.guardian_credential"):
        if not s.value(key):
            s.refuse(key, "want the name of a credential, or the path of a file of mode 0600")
    used = {"quoting": s.live.quoting_index, "guardian": s.live.guardian_index}
    if s.live.taking_credential:
        used["taking"] = s.live.taking_index
    for name, index in used.items():
        if list(used.values()).count(index) > 1:
            s.refuse(f"live.{name}_index", "want another number for each key in use")
    if urlsplit(s.live.rest_url).hostname != urlsplit(s.live.ws_url).hostname:
        s.refuse("live.ws_url", f"want the host of live.rest_url, {s.live.rest_url}")


def effective(settings: Settings) -> dict[str, Any]:
    """Return every dotted key with its value, in the order of default.toml."""
    return dict(_leaves(settings.model_dump()))


def config_hash(settings: Settings) -> str:
    """Return the SHA-256 of what decides a trade: 10 and 10.0 are equal.

    Secrets, places of files and the pace of a replay are left out: they change no decision, so two
    runs that differ in them only have equal journals.
    """
    flat = {
        key: units.plain(value) if isinstance(value, Decimal) else value
        for key, value in effective(settings).items()
        if not isinstance(value, SecretStr)
        and not key.startswith(NO_DECISION)
        and not re.match(r"markets\.\d+\.\w+\.", key)  # Settings.of has merged them
    }
    text = json.dumps(flat, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def show(settings: Settings) -> str:
    """Return the effective configuration as TOML, a key a line with its origin; secrets masked."""
    lines = []
    for key, value in effective(settings).items():
        if isinstance(value, SecretStr):
            text = json.dumps(MASK if value.get_secret_value() else "")
        elif isinstance(value, Decimal):
            text = units.plain(value)
        else:
            text = json.dumps(value)
        lines.append(f"{key} = {text}".ljust(56) + f"  # {settings.origins.get(key, 'unset')}")
    return "\n".join(lines) + "\n"
