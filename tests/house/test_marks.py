"""Nothing unfinished and nothing private stands in the project's files."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# spelled in parts, so that this file does not hold what it looks for
LEFT_OVER = re.compile("|".join((r"\bTO" r"DO\b", r"\bFIX" r"ME\b", r"\bXX" r"X\b", r"<<<<" r"<<<")))
PRIVATE = re.compile(
    "|".join((r"/ho" r"me/\w", r"/ro" r"ot/", r"/wo" r"rk/", r"/opt/py" r"pi", r"\.lib" r"rary\b"))
)


def files() -> list[Path]:
    """Return the project's own text files: what git tracks, else what is not built."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.splitlines()]
    else:
        skip = {".venv", "build", "dist", ".git"}
        paths = [p for p in ROOT.rglob("*") if not skip & set(p.relative_to(ROOT).parts)]
    binary = {".so", ".gz", ".png", ".pyc", ".parquet"}
    return [p for p in paths if p.is_file() and not p.is_symlink() and p.suffix not in binary]


def lines(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_the_project_has_files() -> None:
    assert len(files()) > 100


def test_no_marker_of_unfinished_work_is_left() -> None:
    assert lines(LEFT_OVER) == []


def test_no_path_of_one_machine_is_named() -> None:
    assert lines(PRIVATE) == []


def test_no_test_is_skipped_without_a_condition() -> None:
    bare = re.compile(r"@pytest\.mark\.(skip|xfail)\b(?!if)")
    assert [line for line in lines(bare) if line.startswith("tests/")] == []
