"""Builds every room of bog/_core: `python setup.py build_ext --inplace`, or any PEP 517 front end.

BOG_BUILD selects one of four builds (release, trace, asan, ubsan), each in its own folder.
BOG_MARCH=native compiles for this machine only; the default runs on any x86-64 or aarch64.
BOG_CAPS=conservative compiles hard limits that no configuration can exceed.
BOG_ANNOTATE=1 writes Cython's HTML beside the generated C.
BOG_ROOMS=engine,types compiles only these rooms, as benchmarks/count.py does.
BOG_WERROR=1 makes every warning of the C compiler an error; BOG_JOBS is how many run at once.
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

BUILDS = {
    "release": (["-O2", "-g0"], [], {}),
    "trace": (
        ["-O0", "-g0", "-DCYTHON_TRACE_NOGIL=1", "-DCYTHON_USE_SYS_MONITORING=0"],
        [],
        {"linetrace": True},
    ),
    "asan": (
        ["-O1", "-g", "-fsanitize=address", "-fno-omit-frame-pointer"],
        ["-fsanitize=address"],
        {},
    ),
    # CPython's own flags hold -fwrapv, under which signed overflow is defined and never reported
    "ubsan": (
        ["-O1", "-g", "-fsanitize=undefined", "-fno-sanitize-recover=undefined", "-fno-wrapv"],
        ["-fsanitize=undefined"],
        {},
    ),
}
# the step is one function where these compile it: what is seldom done says so itself (apart.h)
HOT = {"engine", "lane", "bench"}
WHOLE = [
    # joins neighboring fields to vectors, only to take them apart again
    "-fno-tree-slp-vectorize",
    # some distributions build every extension with guards of the stack
    "-fno-stack-protector",
    "--param=max-inline-insns-single=1000",
    "--param=max-inline-insns-auto=200",
    "--param=large-function-growth=2000",
    "--param=inline-unit-growth=200",
]
CAPS = {"none": [], "conservative": [("BOG_CAPS_CONSERVATIVE", "1")]}

build = os.environ.get("BOG_BUILD", "release")
if build not in BUILDS:
    sys.exit(f"BOG_BUILD={build!r} is not a build: choose one of {', '.join(BUILDS)}")
caps = os.environ.get("BOG_CAPS", "none")
if caps not in CAPS:
    sys.exit(f"BOG_CAPS={caps!r} is not a set of caps: choose one of {', '.join(CAPS)}")
march = os.environ.get("BOG_MARCH", "")

flags, link, directives = BUILDS[build]
# silenced: what Cython's own C trips over; it writes inline also where apart.h says noinline
WARNINGS = [
    *("-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-unused-function", "-Wno-sign-compare"),
    *("-Wno-missing-field-initializers", "-Wno-cast-function-type", "-Wno-unused-variable"),
    "-Wno-psabi",
    "-Wno-attributes",
]
if os.environ.get("BOG_WERROR") == "1":
    WARNINGS.append("-Werror")

core = Path("bog/_core")
rooms = os.environ.get("BOG_ROOMS", "")
sources = [core / f"{room}.pyx" for room in rooms.split(",")] if rooms else core.glob("*.pyx")
headers = [str(p) for p in [*sorted(core.glob("*.h")), *sorted(core.glob("*.pxd"))]]
# the signer's headers stand alone: only these two modules see them
sign_headers = [str(p) for p in sorted(core.glob("sign/*.h"))]
SIGNING = {"schnorr", "signer"}
extensions = [
    Extension(
        "bog._core." + pyx.stem,
        [str(pyx)],
        include_dirs=[str(core)],
        depends=sign_headers if pyx.stem in SIGNING else headers,
        define_macros=CAPS[caps],
        extra_compile_args=[
            "-std=gnu11",
            *flags,
            # arithmetic in long straight lines: see docs/signing.md for what -O3 is worth
            *(["-O3"] if build == "release" and pyx.stem in SIGNING else []),
            *WARNINGS,
            *([f"-march={march}"] if march else []),
            *(WHOLE if build == "release" and pyx.stem in HOT else []),
        ],
        extra_link_args=link,
    )
    for pyx in sorted(sources)
]

setup(
    ext_modules=cythonize(
        extensions,
        build_dir=f"build/cython-{build}-{caps}",
        nthreads=int(os.environ.get("BOG_JOBS", "2")),
        annotate=os.environ.get("BOG_ANNOTATE") == "1",
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": True,
            **directives,
        },
    )
)
