"""The tables of the built-in market equal their formulas.

`python tests/core/test_market_tables.py > bog/_core/market_tables.h` writes the header anew.
"""

import math
import re
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist

from bog._core.market_model import log2_q16

HEADER = Path(__file__).parents[2] / "bog" / "_core" / "market_tables.h"
CELLS = 1024
ABOUT = """\
/*
 * Tables of the built-in market, 1025 points each, Q16, by test_market_tables.py.
 *
 * normal and exponential: inverse distribution functions at i / 1024. The outermost points are
 * placed so that the mean of the outermost cell is the true one. exp2: 2 to the power of i / 1024.
 */
#ifndef BOG_MARKET_TABLES_H
#define BOG_MARKET_TABLES_H

#include <stdint.h>
"""


def q16(value: float) -> int:
    return math.floor(value * 65536 + 0.5)


def normal() -> list[int]:
    law = NormalDist()
    upper = [law.inv_cdf(i / CELLS) for i in range(CELLS // 2 + 1, CELLS)]
    # the mean beyond the last inner point is its density times 1024; the cell is a straight line
    upper.append(2 * CELLS * law.pdf(upper[-1]) - upper[-1])
    points = [q16(value) for value in upper]
    return [-p for p in reversed(points)] + [0] + points


def exponential() -> list[int]:
    inner = [-math.log1p(-i / CELLS) for i in range(CELLS)]
    return [q16(value) for value in [*inner, inner[-1] + 2]]


def exp2() -> list[int]:
    return [q16(2 ** (i / CELLS)) for i in range(CELLS + 1)]


TABLES = {"normal": normal, "exponential": exponential, "exp2": exp2}


def header() -> str:
    parts = [ABOUT]
    for name, formula in TABLES.items():
        points = formula()
        parts.append(f"static const int32_t bog_{name}[{len(points)}] = {{")
        for at in range(0, len(points), 11):
            parts.append("    " + ", ".join(map(str, points[at : at + 11])) + ",")
        parts.append("};\n")
    return "\n".join([*parts, "#endif\n"])


def test_every_table_has_the_points_of_its_formula() -> None:
    text = HEADER.read_text()
    for name, formula in TABLES.items():
        found = re.search(rf"bog_{name}\[(\d+)\] = \{{([^}}]*)\}}", text)
        assert found, name
        points = [int(p) for p in found[2].replace("\n", " ").strip().rstrip(",").split(",")]
        assert len(points) == int(found[1]) == CELLS + 1
        assert points == formula(), name


def test_tables_have_the_moments_of_their_laws() -> None:
    """A draw is a uniform point on the polygon: its moments follow from the corners alone."""

    def moments(points: list[int]) -> tuple[float, float]:
        values = [p / 65536 for p in points]
        cells = list(pairwise(values))
        mean = sum((a + b) / 2 for a, b in cells) / CELLS
        square = sum((a * a + a * b + b * b) / 3 for a, b in cells) / CELLS
        return mean, square - mean * mean

    mean, variance = moments(normal())
    assert mean == 0
    assert abs(variance - 1) < 0.002
    mean, variance = moments(exponential())
    assert abs(mean - 1) < 0.0002
    assert abs(variance - 1) < 0.005


def test_binary_logarithms_are_exact_to_the_last_place() -> None:
    for near, far in ((1, 5), (6, 15), (16, 40), (101, 250), (2001, 20000), (1, 1), (3, 24)):
        assert log2_q16(far, near) == math.floor(math.log2(far / near) * 65536)


if __name__ == "__main__":
    print(header(), end="")
