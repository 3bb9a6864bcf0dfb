"""Exit codes and error lines, as a person at a terminal meets them."""

from pathlib import Path

import click
import pytest

from bog import errors

CODES = {
    errors.BogError: 1,
    errors.UsageError: 2,
    errors.OrdersOpenError: 3,
    errors.DataError: 1,
    errors.FeedError: 1,
    errors.JournalDamaged: 75,
    errors.ConfigError: 78,
}


def run(body: object, *args: str) -> int:
    """Return the exit code of a command whose body raises or returns `body`."""

    @click.command("bog-test")
    @click.option("--count", type=int)
    def command(count: int | None) -> object:
        if isinstance(body, BaseException):
            raise body
        return body

    original = command.main
    command.main = lambda **kw: original(args=list(args), **kw)  # type: ignore[method-assign]
    with pytest.raises(SystemExit) as left:
        errors.run(command)
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.mark.parametrize(("kind", "code"), CODES.items())
def test_an_expected_error_is_one_line_and_its_code(
    kind: type[errors.BogError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(kind("price 1.05\nis off \u202e tick")) == code
    assert capsys.readouterr().err == "bog-test: error: price 1.05\\nis off \\u202e tick\n"


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    def subclasses(kind: type) -> set[type]:
        return {kind}.union(*(subclasses(c) for c in kind.__subclasses__()))

    # a command may refine one for itself, as bog-backtest does; its code is the tree's
    tree = {kind for kind in subclasses(errors.BogError) if kind.__module__ == errors.__name__}
    assert tree == set(CODES)
    drawn = Path(errors.__file__).read_text().split('"""')[1]
    for kind in tree:
        line = next(x for x in drawn.splitlines() if kind.__name__ in x)
        assert str(kind.exit_code) in line.split()  # type: ignore[attr-defined]


def test_success_usage_and_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(None) == 0
    assert run(3) == 3
    assert run(None, "--help") == 0
    capsys.readouterr()
    assert run(None, "--count", "x") == 2
    assert run(None, "--what") == 2
    assert capsys.readouterr().err.count("\n") == 2
    assert run(KeyboardInterrupt()) == 1
    assert capsys.readouterr().err.strip() == "bog-test: error: interrupted"


def test_an_unexpected_error_keeps_its_traceback_and_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told: list[BaseException] = []

    @click.command("bog-test")
    def command() -> None:
        raise RuntimeError("a bug")

    original = command.main
    command.main = lambda **kw: original(args=[], **kw)  # type: ignore[method-assign]
    with pytest.raises(SystemExit) as left:
        errors.run(command, unexpected=told.append)
    assert left.value.code == 1
    assert [str(error) for error in told] == ["a bug"]
    assert "Traceback" in capsys.readouterr().err
