"""Every .pxd says what its header says: the same fields in the same order, the same enum members."""

import re
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parents[2] / "bog" / "_core"
PAIRED = sorted(path.stem for path in CORE.glob("*.h") if (CORE / f"{path.stem}.pxd").exists())


def bare(header: str) -> str:
    return re.sub(r"/\*.*?\*/", "", header, flags=re.S)


def header_structs(text: str) -> dict[str, list[str]]:
    """Return the field names of each typedef struct, anonymous parts flattened."""
    structs = {}
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\n\} \w+_t;", bare(text), re.S):
        body = re.sub(r"alignas\(\w+\)", "", body)
        body = re.sub(r"\b(union|struct) \{", "", body).replace("};", "")
        fields = []
        for statement in body.split(";"):
            for part in " ".join(statement.split()).lstrip("} ").split(","):
                match = re.search(r"(\w+)\s*(\[.*)?$", part.strip())
                if match:
                    fields.append(match[1])
        structs[name + "_t"] = fields
    return structs


def header_enums(text: str) -> dict[str, list[str]]:
    enums = {}
    for name, body in re.findall(r"enum (\w+) \{(.*?)\};", bare(text), re.S):
        enums[name] = [e.split("=")[0].strip() for e in body.split(",") if e.strip()]
    return enums


def cython_blocks(text: str, opening: str) -> dict[str, list[str]]:
    blocks: dict[str, list[str]] = {}
    current = None
    for line in text.splitlines():
        match = re.match(rf'    {opening} \w+ "(\w+)":', line)
        if match:
            current = blocks.setdefault(match[1], [])
        elif current is not None and line.startswith("        "):
            current.append(line.strip())
        elif line.strip():
            current = None
    return blocks


@pytest.mark.parametrize("stem", PAIRED)
def test_structs_agree(stem: str) -> None:
    header = header_structs((CORE / f"{stem}.h").read_text())
    blocks = cython_blocks((CORE / f"{stem}.pxd").read_text(), "ctypedef struct")
    for name, lines in blocks.items():
        fields = [re.sub(r"\[.*", "", line.split()[-1]).lstrip("*") for line in lines]
        assert name in header, f"{stem}.pxd names {name}, which {stem}.h does not define"
        fields = [field for field in fields if not field.startswith("pad")]
        wanted = [field for field in header[name] if not field.startswith("pad")]
        assert fields == wanted, f"{name} differs between {stem}.h and {stem}.pxd"


@pytest.mark.parametrize("stem", PAIRED)
def test_enums_agree(stem: str) -> None:
    header = header_enums((CORE / f"{stem}.h").read_text())
    for opening in ("cpdef enum", "cdef enum"):
        for name, lines in cython_blocks((CORE / f"{stem}.pxd").read_text(), opening).items():
            members = [re.search(r'"(\w+)"', line)[1] for line in lines]  # type: ignore[index]
            assert members == header[name], f"{name} differs between {stem}.h and {stem}.pxd"
