"""Every .pxd says what its header says: the same fields in the same order, the same enum members."""

import re
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parents[2] / "bog" / "_core"
HEADERS = sorted([*CORE.glob("*.h"), *CORE.glob("sign/*.h")])
# known to C alone: no Cython file names them
C_ONLY = {
    "bog_frame_level_t", "bog_frame_trade_t", "bog_guard_t",
    "bog_instant_t", "bog_pair_t", "bog_signature_t", "bog_sum_t", "bog_vmclock_t", "bog_writer_t",
}  # fmt: skip
C_ONLY_ENUMS = {"bog_frame_family", "bog_text_form"}
# Cython names only the members that it reads, in their order
PARTIAL = {
    "bog_flusher_t", "bog_frame_draft_t", "bog_frames_t", "bog_signer_t", "bog_vault_t",
}  # fmt: skip

Fields = list[tuple[str, tuple[int, ...]]]  # name and array sizes; -1 for a size not evaluated


def bare(text: str) -> str:
    """Return C without comments, preprocessor lines and alignment."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"^#(?:[^\n]*\\\n)*[^\n]*$", "", text, flags=re.M)
    return re.sub(r"alignas\([^)]*\)|_Alignas\([^)]*\)", "", text)


def bodies(text: str, opening: str) -> list[tuple[str, str]]:
    """Return (name, what stands between its braces) for each match of `opening`."""
    found = []
    for match in re.finditer(opening + r"\s*\{", text):
        depth, at = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        found.append((match[1], text[match.end() : at - 1]))
    return found


def constants() -> dict[str, int]:
    """Return the numbers that headers define, by macro or as enum members."""
    known: dict[str, int] = {}
    for path in HEADERS:
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        pairs = re.findall(r"^\s*#define (\w+) +(\S.*?)\s*$", text, flags=re.M)
        for _, body in bodies(bare(text), r"enum (\w+)"):
            pairs += re.findall(r"(\w+)\s*=\s*([^,]+)", body)
        for name, value in pairs:
            number = evaluate(value, known)
            if number >= 0:
                known[name] = number
    return known


def evaluate(text: str, known: dict[str, int]) -> int:
    """Return a whole number, -1 where the text is not one: sizeof, a type, a string."""
    text = re.sub(r"\b[A-Za-z_]\w*\b", lambda m: str(known.get(m[0], m[0])), text)
    text = re.sub(r"\b(\d+|0[xX][0-9a-fA-F]+)[uUlL]+\b", r"\1", text)
    if not re.fullmatch(r"[\dxXa-fA-F+\-*/()<> ]+", text):
        return -1
    try:
        return int(eval(text.replace("/", "//"), {"__builtins__": {}}))
    except (NameError, SyntaxError):
        return -1


def fields(body: str, known: dict[str, int]) -> Fields:
    """Return the members of a struct's body; those of anonymous parts stand in their place."""
    body = re.sub(r"\b(union|struct)\s*(?=\{)", "", body).replace("{", "").replace("}", ";")
    found = []
    for statement in body.split(";"):
        for part in re.sub(r"\([^)]*\)\s*$", "", " ".join(statement.split())).split(","):
            match = re.search(r"(\w+)\s*\)?\s*((?:\[[^\]]*\]\s*)*)$", part.strip())
            if match:
                sizes = tuple(evaluate(n, known) for n in re.findall(r"\[([^\]]*)\]", match[2]))
                found.append((match[1], sizes))
    return found


def said_in_c() -> tuple[dict[str, Fields], dict[str, list[str]], set[str]]:
    """Return the structs and enums of all headers, and every constant's name."""
    known = constants()
    structs: dict[str, Fields] = {}
    enums: dict[str, list[str]] = {}
    names = set()
    for path in HEADERS:
        text = path.read_text()
        names |= set(re.findall(r"^\s*#define (\w+)", text, flags=re.M))
        for name, body in bodies(bare(text), r"typedef struct (\w+)"):
            assert name + "_t" not in structs, f"{name} is defined twice"
            structs[name + "_t"] = fields(body, known)
        for name, body in bodies(bare(text), r"enum (\w+)"):
            enums[name] = [part.split("=")[0].strip() for part in body.split(",") if part.strip()]
            names |= set(enums[name])
        names |= set(re.findall(r"static const [\w ]+?(\w+)\s*[\[=]", bare(text)))
    return structs, enums, names


def cython_blocks(path: Path, opening: str) -> list[tuple[str, list[str]]]:
    """Return (C name, lines) of each block that `opening` begins in a Cython file."""
    blocks: list[tuple[str, list[str]]] = []
    indent = -1
    for raw in path.read_text().splitlines():
        line = re.sub(r"\s*#.*", "", raw)
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        match = re.match(rf'\s*{opening}(?: \w+ "(\w+)")?:$', line)
        if match:
            blocks.append((match[1] or "", []))
            indent = depth
        elif indent >= 0 and depth > indent:
            blocks[-1][1].append(line.strip())
        else:
            indent = -1
    return blocks


CYTHON = sorted([*CORE.glob("*.pxd"), *CORE.glob("*.pyx")])
STRUCTS, ENUMS, NAMES = said_in_c()


@pytest.mark.parametrize("path", CYTHON, ids=lambda p: p.name)
def test_structs_agree(path: Path) -> None:
    known = constants()
    for name, lines in cython_blocks(path, "(?:c?p?c?def )?(?:ctypedef )?(?:packed )?struct"):
        if not name:
            continue  # of Cython's own: there is no second place to compare with
        assert name in STRUCTS, f"{path.name} names {name}, which no header defines"
        docless = [line for line in lines if not line.startswith('"""')]
        said = [field for line in docless for field in fields(line, known)]
        wanted = STRUCTS[name]
        if name in PARTIAL:
            wanted = [field for field in wanted if field[0] in {f[0] for f in said}]
        assert [f[0] for f in said if not f[0].startswith("pad")] == [
            f[0] for f in wanted if not f[0].startswith("pad")
        ], f"{name} differs between its header and {path.name}"
        sizes = dict(wanted)
        for field, size in said:
            differs = any(a != b for a, b in zip(size, sizes[field], strict=True) if min(a, b) >= 0)
            assert not differs, f"{name}.{field}: {size} in {path.name}, {sizes[field]} in C"


@pytest.mark.parametrize("path", CYTHON, ids=lambda p: p.name)
def test_enums_agree(path: Path) -> None:
    for name, lines in cython_blocks(path, "(?:cp?def )?enum"):
        members = re.findall(r'"(\w+)"', "\n".join(x for x in lines if not x.startswith('"""')))
        if name:
            assert members == ENUMS[name], f"{name} differs between its header and {path.name}"
        else:
            assert set(members) <= NAMES, f"{path.name}: {set(members) - NAMES}"


def test_every_struct_and_enum_of_c_is_said_to_cython() -> None:
    structs, enums = set(), set()
    for path in CYTHON:
        blocks = cython_blocks(path, "(?:c?p?c?def )?(?:ctypedef )?(?:packed )?struct")
        structs |= {name for name, _ in blocks}
        enums |= {name for name, _ in cython_blocks(path, "(?:cp?def )?enum")}
        # an anonymous enum in Cython may take the members that it needs one by one
        for _, lines in cython_blocks(path, "(?:cp?def )?enum"):
            taken = set(re.findall(r'"(\w+)"', "\n".join(lines)))
            enums |= {name for name, members in ENUMS.items() if set(members) <= taken}
    assert set(STRUCTS) - structs == C_ONLY
    assert set(ENUMS) - enums == C_ONLY_ENUMS


def test_the_comparison_sees_a_field_that_is_missing_or_moved() -> None:
    known = {"N": 4}
    body = "int64_t a, b; union { struct { int *c; }; struct { px_t d[N][2]; }; }; uint8_t e;"
    assert fields(body, known) == [
        ("a", ()), ("b", ()), ("c", ()), ("d", (4, 2)), ("e", ()),
    ]  # fmt: skip
    assert fields("void (*turn)(int a, int b); struct bog_x *next", known) == [
        ("turn", ()), ("next", ()),
    ]  # fmt: skip
