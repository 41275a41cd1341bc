# SPDX-License-Identifier: Apache-2.0
"""The manual of the library, section 3: complete, true to the headers, and its examples work."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import Daemon

SOURCES = Path(os.environ["FILEMEM_SOURCES"])
PAGES = sorted((SOURCES / "docs/man").glob("*.3"))
LIBRARY = Path(os.environ["FILEMEM_LIBRARY"])
HEAP = Path(os.environ["FILEMEM_HEAP_LIBRARY"])
INCLUDE = SOURCES / "client/include"


def plain(text: str) -> str:
    """Without fonts and escapes."""
    text = re.sub(r"\\f.", "", text)
    return text.replace("\\&", "").replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\")


def section(page: Path, name: str) -> str:
    found = re.search(rf"^\.SH {name}\n(.*?)(?=^\.SH |\Z)", page.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None, f"{page.name} has no {name}"
    return found[1]


def names(page: Path) -> list[str]:
    return plain(section(page, "NAME")).split(" - ")[0].replace(",", "").split()


def functions() -> list[str]:
    """What the libraries export and what the headers have inline: f() is all that is said of f_sized()."""
    maps = [SOURCES / "client/lib/libfilemem.map", SOURCES / "client/heap/libfilemem-heap.map"]
    exported = [name for file in maps for name in re.findall(r"^\s+(filemem_\w+);", file.read_text(), re.MULTILINE)]
    others = [name for name in exported if not name.endswith("_sized")]
    assert {name + "_sized" for name in inlines()} >= {name for name in exported if name.endswith("_sized")}
    return others + inlines()


def declarations() -> dict[str, str]:
    found = {}
    for header in (INCLUDE / "filemem").glob("*.h"):
        text = re.sub(r"/\*.*?\*/|^#.*?$", "", header.read_text(), flags=re.DOTALL | re.MULTILINE)
        text = re.sub(r"__attribute__\(\(.*?\)\)(?=[;\s])", "", text, flags=re.DOTALL)
        for declaration, name in re.findall(r"FILEMEM_(?:API|INLINE)\s+([^;{]*?\b(filemem_\w+)\([^;{]*)[;{]", text):
            found[name] = re.sub(r"\s", "", declaration)
    return found


def inlines() -> list[str]:
    texts = [header.read_text() for header in (INCLUDE / "filemem").glob("*.h")]
    return [name for text in texts for name in re.findall(r"^FILEMEM_INLINE int (\w+)\(", text, re.MULTILINE)]


def test_every_function_is_in_one_page() -> None:
    described = [name for page in PAGES for name in names(page)]
    assert sorted(name for name in described if name in functions()) == sorted(functions())
    others = [name for name in described if name not in functions()]
    assert others == [page.stem for page in PAGES if page.stem not in functions()]


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_synopsis_is_that_of_the_header(page: Path) -> None:
    known = declarations()
    synopsis = plain(section(page, "SYNOPSIS"))
    written = dict((name, all) for all, name in re.findall(r"^(\w[^;]*?\b(filemem_\w+)\([^;]*);", synopsis, re.M))
    assert sorted(written) == sorted(name for name in names(page) if name in functions())
    for name, declaration in written.items():
        assert re.sub(r"\s", "", declaration) == known[name]


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_references_are_to_pages_that_there_are(page: Path) -> None:
    described = {name for other in PAGES for name in names(other)}
    for name in re.findall(r"\b(filemem_\w+)(?:\(3\)| \(3\))", plain(page.read_text())):
        assert name in described, name


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_example_works(page: Path, daemon: Daemon, tmp_path: Path) -> None:
    if page.stem == "filemem_heap" and not HEAP.exists():
        pytest.skip("was built without jemalloc, so there are no heaps")
    found = re.search(r"^\.EX\n(.*?)^\.EE$", section(page, "EXAMPLES"), re.DOTALL | re.MULTILINE)
    assert found is not None
    source = tmp_path / "example.c"
    source.write_text(plain(found[1]))
    environment = {**os.environ, "FILEMEM_SOCKET": daemon.socket}
    environment.pop("LD_PRELOAD", None)
    libraries = [str(library) for library in (HEAP, LIBRARY) if library.exists()]
    command = [os.environ["FILEMEM_CC"], *os.environ["FILEMEM_CFLAGS"].split(), "-std=c11", "-D_GNU_SOURCE"]
    command += ["-Wall", "-Wextra", "-Werror", f"-I{INCLUDE}", str(source), "-o", str(tmp_path / "example")]
    command += [*libraries, *(f"-Wl,-rpath,{Path(library).parent}" for library in libraries)]
    compiled = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stderr
    done = subprocess.run([str(tmp_path / "example")], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
