# SPDX-License-Identifier: Apache-2.0
"""libfilemem as ctypes sees it: its structures and functions, as in <filemem/filemem.h>."""

from __future__ import annotations

import ctypes
import enum
import os
from ctypes import POINTER, Structure, c_bool, c_char, c_char_p, c_int, c_size_t, c_uint, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

KIND_PLACES = 8


class Kind(enum.IntEnum):
    """What a range is for. The daemon accounts by kind and treats all alike."""

    SYSTEM = 0
    ANONYMOUS = 1
    PAGE_CACHE = 2
    TMPFS = 3
    RAMDISKFS = 4
    MAPPED = 5


class Mode(enum.IntEnum):
    """What an allocation gets at once."""

    LAZY = 0
    """Nothing. Where memory is short when a page is touched, that ends the process (SIGBUS)."""
    COMMIT = 1
    """The daemon has the kernel store all pages, or refuses."""
    POPULATE = 2
    """This process touches all pages, and pays for them."""


class PoolState(enum.IntEnum):
    OPEN = 0
    DRAINING = 1
    """Gone from the configuration: who is in it goes on, nobody joins."""
    DESTROYED = 2
    """Its sessions are being ended."""


class FilememError(OSError):
    """A refusal: `errno` as in <filemem/filemem.h>, `strerror` the daemon's or the library's sentence."""


# ---- structures, checked against the header by tests/python/test_layout.py -------------------------


class CRange(Structure):
    _fields_ = [("start", c_uint64), ("end", c_uint64)]


class COptions(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("pool", c_char_p),
        ("label", c_char_p),
        ("read_only", c_bool),
        ("private_pool", c_bool),
        ("no_pool", c_bool),
        ("fence_released", c_bool),
    ]


class CPeerOptions(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("read_only", c_bool),
        ("label", c_char_p),
        ("max_bytes", c_uint64),
        ("max_ranges", c_uint64),
    ]


class CBlock(Structure):
    _fields_ = [("address", c_void_p), ("length", c_size_t)]


class CUsage(Structure):
    _fields_ = [
        ("allocated", c_uint64 * KIND_PLACES),
        ("committed", c_uint64 * KIND_PLACES),
        ("reclaimable", c_uint64),
        ("reclaimable_committed", c_uint64),
        ("stray", c_uint64),
        ("total", c_uint64),
        ("swapped", c_uint64),
        ("age_ns", c_uint64),
        ("exact", c_bool),
    ]


class CPool(Structure):
    _fields_ = [
        ("name", c_char * 65),
        ("capacity", c_uint64),
        ("size", c_uint64),
        ("page_size", c_uint64),
        ("hugepage_size", c_uint64),
        ("chunk_size", c_uint64),
        ("exec", c_bool),
        ("zero_verify", c_bool),
        ("huge_advise", c_bool),
        ("entries", c_uint64),
        ("sessions", c_uint64),
        ("metadata", c_uint64),
        ("id", c_uint64),
        ("state", c_int),
        ("private_pool", c_bool),
        ("uid", c_uint32),
        ("allocated", c_uint64),
        ("committed", c_uint64),
        ("leased", c_uint64),
    ]


STRUCTURES = {
    "filemem_range": CRange,
    "filemem_options": COptions,
    "filemem_peer_options": CPeerOptions,
    "filemem_block": CBlock,
    "filemem_usage": CUsage,
    "filemem_pool": CPool,
}

# ---- functions ------------------------------------------------------------------------------------

_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "filemem_open": (c_int, [c_char_p, POINTER(COptions), POINTER(c_void_p)]),
    "filemem_open_fd": (c_int, [c_int, POINTER(COptions), POINTER(c_void_p)]),
    "filemem_open_error": (c_char_p, []),
    "filemem_open_peer": (c_int, [c_void_p, POINTER(CPeerOptions), POINTER(c_int)]),
    "filemem_close": (c_void_p, [c_void_p]),
    "filemem_last_error": (c_char_p, [c_void_p]),
    "filemem_allocate_mode": (c_int, [c_void_p, c_uint64, c_int, c_int, POINTER(CRange)]),
    "filemem_incref": (c_int, [c_void_p, CRange]),
    "filemem_decref": (c_int, [c_void_p, CRange]),
    "filemem_release": (c_int, [c_void_p, CRange]),
    "filemem_lost_errors": (c_uint64, [c_void_p, POINTER(c_int), c_char_p, c_size_t]),
    "filemem_decommit": (c_int, [c_void_p, CRange, c_uint]),
    "filemem_map": (c_int, [c_void_p, CRange, c_int, POINTER(c_void_p)]),
    "filemem_map_blocks": (c_int, [c_void_p, CRange, c_int, POINTER(CBlock), c_size_t]),
    "filemem_fd": (c_int, [c_void_p]),
    "filemem_page_size": (c_size_t, [c_void_p]),
    "filemem_capacity": (c_uint64, [c_void_p]),
    "filemem_session_id": (c_uint64, [c_void_p]),
    "filemem_is_read_only": (c_bool, [c_void_p]),
    "filemem_ping": (c_int, [c_void_p]),
    "filemem_usage_of_sized": (c_int, [c_void_p, c_char_p, POINTER(CUsage), c_size_t]),
    "filemem_update_usage_of_sized": (c_int, [c_void_p, c_char_p, POINTER(CUsage), c_size_t]),
    "filemem_total_usage": (c_int, [c_void_p, POINTER(c_uint64)]),
    "filemem_total_size": (c_int, [c_void_p, POINTER(c_uint64)]),
    "filemem_pool_info_of_sized": (c_int, [c_void_p, c_char_p, POINTER(CPool), c_size_t]),
    "filemem_pools_sized": (c_int, [c_void_p, c_uint64, POINTER(CPool), c_size_t, c_size_t]),
}


def _find() -> str:
    path = os.environ.get("FILEMEM_LIBRARY")
    if path:
        return path
    beside = Path(__file__).with_name("_installed.txt")
    if beside.exists():
        installed = beside.parent / beside.read_text().strip()
        if installed.exists():
            return str(installed)
    return "libfilemem.so.0"


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(_find())
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


lib = _load()


def encode(text: str | None) -> bytes | None:
    """A string for C. ctypes would cut it at a null byte."""
    if text is None:
        return None
    if "\0" in text:
        raise ValueError("embedded null character")
    return text.encode(errors="surrogateescape")


def unsigned(number: int, what: str) -> int:
    """A number for C. ctypes would take its lowest 64 bits."""
    if not 0 <= number < 1 << 64:
        raise ValueError(f"{what} is not in 0..2^64-1")
    return number
