# SPDX-License-Identifier: Apache-2.0
"""The structures of the package are those of the header, as the compiler lays them out."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
from pathlib import Path

import filemem
from filemem import _library

HEADERS = Path(os.environ["FILEMEM_HEADERS"])
HEADER = "".join((HEADERS / name).read_text() for name in ("filemem.h", "reports.h"))


def layout() -> list[list[str]]:
    output = subprocess.run([os.environ["FILEMEM_LAYOUT"]], check=True, capture_output=True, text=True).stdout
    return [line.split() for line in output.splitlines()]


def test_structures() -> None:
    of_c = {tuple(words[1:-1]): int(words[-1]) for words in layout() if words[0] == "struct"}
    assert of_c == {(name,): ctypes.sizeof(cls) for name, cls in _library.STRUCTURES.items()}


def test_fields() -> None:
    of_c = {(words[1], words[2]): (int(words[3]), int(words[4])) for words in layout() if words[0] == "field"}
    ours = {}
    for name, cls in _library.STRUCTURES.items():
        for field, *_ in cls._fields_:
            descriptor = getattr(cls, field)
            ours[name, field] = (descriptor.offset, descriptor.size)
    assert of_c == ours


def test_every_field_of_the_header_is_there() -> None:
    """A field that takes the place of padding changes no size."""
    text = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.DOTALL)
    for name, cls in _library.STRUCTURES.items():
        found = re.search(r"struct %s \{(.*?)\};" % name, text, re.DOTALL)
        assert found is not None
        fields = re.findall(r"(\w+)(?:\[\w+\])?;", found[1])
        assert fields == [field for field, *_ in cls._fields_], name


def test_values() -> None:
    of_c = {words[1]: int(words[2]) for words in layout() if words[0] == "value"}
    ours = {"FILEMEM_KINDS": len(filemem.Kind), "FILEMEM_KIND_PLACES": _library.KIND_PLACES, "FILEMEM_DECOMMIT_SHARED": 1}
    ours.update({"FILEMEM_" + kind.name: kind.value for kind in filemem.Kind})
    ours.update({"FILEMEM_" + mode.name: mode.value for mode in filemem.Mode})
    ours.update({"FILEMEM_POOL_" + state.name: state.value for state in filemem.PoolState})
    assert of_c == ours


def test_functions_are_of_the_header() -> None:
    """As many arguments as there, and a result of the same kind."""
    text = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.DOTALL)
    for name, (result, arguments) in _library._FUNCTIONS.items():
        found = re.search(r"FILEMEM_API ([\w ]+?[ *]+)%s\((.*?)\);" % name, text, re.DOTALL)
        assert found is not None, name
        declared = [] if found[2] == "void" else found[2].split(",")
        assert len(arguments) == len(declared), name
        kind = found[1].strip()
        sizes = {"int": ctypes.c_int, "uint64_t": ctypes.c_uint64, "size_t": ctypes.c_size_t, "bool": ctypes.c_bool}
        assert result in ((ctypes.c_char_p, ctypes.c_void_p) if kind.endswith("*") else (sizes[kind],)), name
