"""Writes the table of docs/metrics.md anew from the code: `python tools/metrics.py`."""

from pathlib import Path

from bog.metrics import table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"
HEADING = "## The table\n\n"


def main() -> None:
    """Replace all that follows the heading."""
    above, _, _ = PAGE.read_text().partition(HEADING)
    PAGE.write_text(above + HEADING + table())


if __name__ == "__main__":
    main()
