"""What the documents say is so: links, commands, options, keys, paths, dependencies, exit codes."""

import re
import shlex
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest

from bog import errors
from tools import configuration

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCS = [
    README, ROOT / "CHANGELOG.md", ROOT / "monitoring" / "runbook.md",
    *sorted((ROOT / "docs").glob("*.md")),
]  # fmt: skip
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# the click object behind each console script
COMMANDS = {
    "bog-live": "bog.cli.live:live_command",
    "bog-arm": "bog.cli.arm:command",
    "bog-feed": "bog.cli.feed:bog_feed",
    "huginn": "bog.cli.feed:huginn_command",
    "bog-backtest": "bog.cli.backtest:command",
    "bog-exchange": "bog.cli.exchange:command",
    "bog-rehearse": "bog.cli.rehearse:command",
    "bog-journal": "bog.cli.journal:cli",
    "bog-ctl": "bog.cli.ctl:cli",
    "bog-tail": "bog.cli.tail:command",
    "orderbook-tui": "bog.cli.tui:command",
    "print-orderbook": "bog.cli.book:command",
    "bog-doctor": "bog.cli.doctor:command",
    "bog-simple-spread-simulated": "bog.cli.live:simulated_command",
    "bog-simple-spread-live": "bog.cli.live:simple_live_command",
}
SECTIONS = ("risk", "strategy", "execution", "venue", "live", "feed", "journal", "host", "monitoring",
            "markets")  # fmt: skip
every_document = pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)


def keys_of(tree: dict[str, Any], above: str = "") -> set[str]:
    """Return every dotted key and every dotted table of a TOML tree."""
    found = set()
    for name, value in tree.items():
        found.add(above + name)
        if isinstance(value, dict):
            found |= keys_of(value, f"{above}{name}.")
    return found


KEYS = keys_of(tomllib.loads((ROOT / "configs" / "default.toml").read_text()))


def shell_lines(text: str) -> list[str]:
    """Return the lines of the document's sh blocks, comments cut, those with a backslash joined."""
    text = text.replace("\\\n", " ")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def commands_of(text: str) -> list[list[str]]:
    """Return the bog commands of blocks and inline code, as words."""
    inline = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    found = []
    for line in shell_lines(text) + inline:
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"BOG_\w+=\S*", words[0]):
            words = words[1:]
        if len(words) > 1 and words[0] in COMMANDS:
            found.append(words)
    return found


def command_of(name: str) -> click.Command:
    module, attribute = COMMANDS[name].split(":")
    found: click.Command = getattr(import_module(module), attribute)
    return found


def parse(words: list[str]) -> None:
    """Let click read the options of a command line and their values; open and run nothing."""
    command, arguments = command_of(words[0]), words[1:]
    if isinstance(command, click.Group):
        above = click.Context(command, info_name=words[0])
        given, arguments, _ = command.make_parser(above).parse_args(list(arguments))
        below = command.commands.get(arguments[0])
        if below is None:
            raise click.NoSuchOption(arguments[0])
        command, arguments = below, arguments[1:]
    context = click.Context(command, info_name=words[0])
    given, _, _ = command.make_parser(context).parse_args(list(arguments))
    for option in command.params:
        if option.name in given and not isinstance(option.type, click.Path):
            value, _ = option.consume_value(context, given)  # an option's value may be left out
            option.type_cast_value(context, value)


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@every_document
def test_links_resolve(path: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        assert "://" not in target, f"{path.name} links outside: {target}"
        name, _, part = target.partition("#")
        file = path.parent / name if name else path
        assert file.exists(), f"{path.name}: {target}"
        if part:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), flags=re.M)
            assert part in map(anchor, headings), f"{path.name}: no heading for #{part}"


@every_document
def test_commands_have_the_options_that_are_written(path: Path) -> None:
    for words in commands_of(path.read_text()):
        parse(words)


def test_a_wrong_option_is_noticed() -> None:
    for line in ("bog-live --markt 1", "bog-journal shw var/x", "bog-feed --market one"):
        with pytest.raises(click.ClickException):
            parse(shlex.split(line))


def test_the_readme_and_the_project_name_the_same_commands() -> None:
    assert set(COMMANDS) == set(PROJECT["scripts"])
    shown = {words[0] for words in commands_of(README.read_text())}
    assert shown == set(PROJECT["scripts"])
    for name, target in PROJECT["scripts"].items():
        module, function = target.split(":")
        assert callable(getattr(import_module(module), function)), name
        assert command_of(name).name == name


@every_document
def test_keys_exist(path: Path) -> None:
    inline = re.findall(r"`([^`\n]+)`", path.read_text())
    sections = "|".join(SECTIONS)
    for code in inline:
        if re.fullmatch(rf"({sections})(\.\w+)+", code) and not code.endswith(
            (".h", ".py", ".pyx", ".pxd")
        ):
            assert code in KEYS, f"{path.name}: no key {code}"
        if re.fullmatch(r"\[[a-z_.]+\]", code):
            assert code[1:-1] in KEYS, f"{path.name}: no table {code}"
    for variable in re.findall(r"\bBOG_[A-Z_]+__[A-Z_]+\b", path.read_text()):
        key = variable.removeprefix("BOG_").lower().replace("__", ".")
        assert key in KEYS, f"{path.name}: no key {key} for {variable}"


@every_document
def test_paths_exist(path: Path) -> None:
    """Names of sources in inline code exist, from the root, beside the core or the shell."""
    folders = [ROOT, *(ROOT / "bog" / name for name in ("", "_core", "cli", "exchange", "lighter"))]
    for code in re.findall(r"`([^`\n]+)`", path.read_text()):
        name = code.rstrip("/")
        if re.fullmatch(r"[\w./\-]+\.(py|pyx|pxd|pyi|h|md|sh|toml)", name) and "events" not in name:
            names = [folder / name for folder in [*folders, path.parent]]
            # a recording's sidecar is an example of the reader's own
            assert any(p.exists() for p in names) or name == "market.toml", f"{path.name}: {code}"
        elif re.fullmatch(r"(bog|tests|docs|configs|tools|benchmarks)(/[\w.\-]+)+", name):
            assert (ROOT / name).exists(), f"{path.name}: {code}"


def test_the_readme_draws_the_house_that_stands() -> None:
    block = README.read_text().split("## The house")[1].split("```")[1]
    for folder in re.findall(r"^(\S+/)", block, flags=re.M):
        assert (ROOT / folder).is_dir(), folder


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    for path in DOCS:
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", path.read_text(), flags=re.M):
            assert target in targets, f"{path.name}: make {target}"


@every_document
def test_no_path_of_a_machine(path: Path) -> None:
    """Only places that every Linux host has; nobody's home, no working copy."""
    text = path.read_text()
    places = re.findall(
        r"(?<![\w.~/])/(home|root|work|users|mnt|opt|srv|private|tmp)\b", text, flags=re.I
    )
    assert not places, f"{path.name}: {places}"
    assert not re.search(r"[ \t]$", text, flags=re.M), f"{path.name} has blanks at a line's end"


def test_the_exit_codes_are_those_of_the_code() -> None:
    table = README.read_text().split("## Exit codes")[1].split("\n## ")[0]
    written = {int(code) for code in re.findall(r"^\| (\d+) \|", table, flags=re.M)}
    kinds = [errors.BogError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    assert written == {0} | {kind.exit_code for kind in kinds}


def named(requirement: str) -> tuple[str, str]:
    name, ranges = re.fullmatch(r"([\w\-]+(?:\[\w+\])?)(.*)", requirement).groups()  # type: ignore[union-attr]
    return name, ranges


def test_every_dependency_is_described_with_its_range() -> None:
    lines = (ROOT / "docs" / "dependencies.md").read_text().splitlines()
    extras = PROJECT["optional-dependencies"]
    for requirement in [
        *PROJECT["dependencies"],
        *extras["data"],
        *extras["exchange"],
        *extras["terminal"],
        *extras["dev"],
    ]:
        name, ranges = named(requirement)
        rows = [line for line in lines if re.search(rf"[|,] {re.escape(name)}[ ,]", line)]
        assert any(ranges == "" or f"`{ranges}`" in line for line in rows), requirement


def test_the_dependencies_said_to_be_unused_are() -> None:
    """And all the others are imported: a package that comes into use moves to the first table."""
    text = (ROOT / "docs" / "dependencies.md").read_text()
    # the heading goes with its last package
    table = text.partition("used by no code yet:")[2].partition("\n### ")[0]
    unused = set(re.findall(r"^\| ([\w\-]+) \| `", table, flags=re.M))
    modules = {
        "pyzmq": "zmq",
        "prometheus-client": "prometheus_client",
        "pydantic-settings": "pydantic_settings",
    }
    sources = "\n".join(path.read_text() for path in (ROOT / "bog").rglob("*.py"))
    for requirement in PROJECT["dependencies"]:
        name, _ = named(requirement)
        used = re.search(rf"^\s*(import|from) {modules.get(name, name)}\b", sources, flags=re.M)
        assert (used is None) == (name in unused), name


def test_the_reference_of_the_configuration_is_what_the_code_makes() -> None:
    page = configuration.page()
    assert configuration.PAGE.read_text() == page, "run: python tools/configuration.py"
    tree = tomllib.loads(configuration.DEFAULTS.read_text())
    sections = {key for key in keys_of(tree) if f"## {key}\n" in page}
    for key in keys_of(tree) - sections:
        above, _, name = key.rpartition(".")
        # what is neither a section nor a key of one holds sections: venue.tiers, markets
        part = page.partition(f"## {above}\n")[2].partition("\n## ")[0]
        assert f"| `{name}` |" in part or any(s.startswith(f"{key}.") for s in sections), key
    assert "|  | " not in page, "something may be anything"
