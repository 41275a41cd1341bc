# SPDX-License-Identifier: Apache-2.0
"""Sessions: connections to the daemon."""

from __future__ import annotations

import ctypes
import os
import socket as sockets
import weakref
from ctypes import byref, c_int, c_uint64, c_ubyte, c_void_p
from types import TracebackType
from typing import Any, NoReturn

from ._library import CBlock, COptions, CPeerOptions, CPool, CRange, CUsage, FilememError, Kind, Mode, encode, lib, unsigned
from ._range import Holding, Range, Reference
from ._reports import Pool, Usage

_PROT_READ = 1
_PROT_WRITE = 2


class Handle:
    """The filemem_session. It ends when the last variable with this is gone, and every call has one meanwhile:

    so when no call of any thread is under way and no view is left.
    """

    __slots__ = ("pointer", "__weakref__")

    def __init__(self, pointer: int) -> None:
        self.pointer = pointer
        finalize = weakref.finalize(self, lib.filemem_close, pointer)
        finalize.atexit = False  # a thread may still use a view then; the end of the process does the rest


def _open_error(error: int) -> FilememError:
    return FilememError(-error, lib.filemem_open_error().decode(errors="replace") or os.strerror(-error))


def _open_fd(fd: int | sockets.socket, options: COptions, pointer: c_void_p) -> int:
    number = fd.detach() if isinstance(fd, sockets.socket) else fd
    if not -1 <= number < 1 << 31:  # of a larger one ctypes would take the lowest bits
        raise ValueError(f"{number} is no descriptor")
    return int(lib.filemem_open_fd(number, byref(options), byref(pointer)))


class Session:
    """One connection to the daemon, in one pool. `with` ends it; so does close(), or being garbage."""

    def __init__(
        self,
        socket: str | os.PathLike[str] | None = None,
        *,
        fd: int | sockets.socket | None = None,
        pool: str | None = None,
        label: str | None = None,
        read_only: bool = False,
        private: bool = False,
        no_pool: bool = False,
        fence_released: bool = False,
    ) -> None:
        """Connects.

        socket: the path. None: the inherited session $FILEMEM_FD if that is set, else $FILEMEM_SOCKET, else
        the usual places.
        fd: instead, what Session.open_peer() of somebody made. It is taken over, also if this is refused.
        pool: None is the default one.
        label: what operators see, at most 64 bytes.
        read_only: sees the memory and changes nothing; the kernel enforces it.
        private: in a new pool of one's own, which others get into by open_peer() alone.
        no_pool: in none, for questions.
        fence_released: for finding mistakes: to touch what was given up is a SIGSEGV.
        """
        if fd is not None and socket is not None:
            raise ValueError("a path or a descriptor, not both")
        options = COptions(
            ctypes.sizeof(COptions),
            encode(pool),
            encode(label),
            bool(read_only),
            bool(private),
            bool(no_pool),
            bool(fence_released),
        )
        pointer = c_void_p()
        if fd is not None:
            result = _open_fd(fd, options, pointer)
        else:
            path = None if socket is None else encode(os.fspath(socket))
            result = lib.filemem_open(path, byref(options), byref(pointer))
        if result < 0 or pointer.value is None:
            raise _open_error(result)
        self._handle: Handle | None = Handle(pointer.value)
        self._id = int(lib.filemem_session_id(pointer))
        self._page_size = int(lib.filemem_page_size(pointer))
        self._capacity = int(lib.filemem_capacity(pointer))
        self._read_only = bool(lib.filemem_is_read_only(pointer))
        memfd = lib.filemem_fd(pointer)
        self._pool = os.fstat(memfd).st_ino if memfd >= 0 else 0

    # Constants, also when it has ended.

    @property
    def id(self) -> int:
        return self._id

    @property
    def page_size(self) -> int:
        return self._page_size

    @property
    def capacity(self) -> int:
        return self._capacity

    @property
    def read_only(self) -> bool:
        """Whether it may only read: it asked for that, or whoever opened it as a peer did."""
        return self._read_only

    # ---- ending ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Ends the session, and with it its references, as soon as no view is left. Again: nothing."""
        self._handle = None

    @property
    def closed(self) -> bool:
        return self._handle is None

    def __enter__(self) -> Session:
        self._use()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session belongs to its process: send what open_peer() returns")

    def __repr__(self) -> str:
        return "<filemem.Session closed>" if self.closed else f"<filemem.Session {self.id}>"

    # ---- memory ----------------------------------------------------------------------------------

    def allocate(self, length: int, kind: Kind = Kind.ANONYMOUS, mode: Mode = Mode.LAZY) -> Reference:
        """Memory that reads as zeros, and one reference on it. length: a multiple of page_size; see round_up()."""
        result = CRange()
        handle = self._use()
        unsigned(length, "length")
        self._check(
            handle, lib.filemem_allocate_mode(handle.pointer, length, Kind(kind), Mode(mode), byref(result))
        )
        range = Range(result.start, result.end, self._pool)
        return Reference(self, range, Holding(handle, range))

    def incref(self, range: Range) -> Reference:
        """One more reference on what somebody has, who need not be this session.

        So a process keeps what another one told it of.
        """
        handle = self._use()
        where = self._c_range(range)
        self._check(handle, lib.filemem_incref(handle.pointer, where))
        range = Range(where.start, where.end, self._pool)
        return Reference(self, range, Holding(handle, range))

    def view(self, range: Range, *, read_only: bool = False) -> memoryview:
        """A look at what others keep, for those who cannot keep it (a read-only session has no references).

        The view is good as long as it is there, but the memory may become something else when those others
        give it up. See Reference.view() for the rest.
        """
        return self._view(range, read_only, None)

    def round_up(self, length: int) -> int:
        """The same or more, in whole pages; at least one."""
        page = self.page_size
        return max(1, -(-length // page)) * page

    @property
    def lost_errors(self) -> int:
        """How many releases were refused so far. Not 0: somebody made a mistake with references."""
        handle = self._use()
        return int(lib.filemem_lost_errors(handle.pointer, None, None, 0))

    # ---- others ----------------------------------------------------------------------------------

    def open_peer(
        self, *, read_only: bool = False, label: str | None = None, max_bytes: int = 0, max_ranges: int = 0
    ) -> sockets.socket:
        """A session in the same pool for somebody else, as the socket that makes it.

        - A process of multiprocessing: pass the socket as an argument, there Session(fd=socket).
        - A program: subprocess.Popen(..., pass_fds=[peer.fileno()], env={"FILEMEM_FD": str(peer.fileno())}),
          there Session(), or filemem_open(NULL, ...) in C.
        - Whoever one has a Unix socket to: socket.send_fds().

        Then close one's own copy: the session lasts until the last one is closed.
        max_bytes, max_ranges: what it may hold at most; 0: as any session.
        """
        options = CPeerOptions(
            ctypes.sizeof(CPeerOptions),
            bool(read_only),
            encode(label),
            unsigned(max_bytes, "max_bytes"),
            unsigned(max_ranges, "max_ranges"),
        )
        fd = c_int(-1)
        handle = self._use()
        self._check(handle, lib.filemem_open_peer(handle.pointer, byref(options), byref(fd)))
        return sockets.socket(fileno=fd.value)

    # ---- questions -------------------------------------------------------------------------------

    def fileno(self) -> int:
        """The memfd of the pool, borrowed: open as long as the session."""
        handle = self._use()
        return self._check(handle, lib.filemem_fd(handle.pointer))

    def ping(self) -> None:
        """Asks the daemon for nothing but an answer."""
        handle = self._use()
        self._check(handle, lib.filemem_ping(handle.pointer))

    def usage(self, pool: str | None = None) -> Usage:
        """What the daemon knows, at the cost of one message. pool: None is the own one."""
        return self._usage(lib.filemem_usage_of_sized, pool)

    def update_usage(self, pool: str | None = None) -> Usage:
        """The same after the daemon has asked the kernel, unless it is asked too often: see age_ns."""
        return self._usage(lib.filemem_update_usage_of_sized, pool)

    def total_usage(self) -> int:
        """Committed bytes of the whole pool, asked of the kernel by this process: no message."""
        return self._number(lib.filemem_total_usage)

    def total_size(self) -> int:
        """Bytes of the pool's file in use so far: all ranges lie below."""
        return self._number(lib.filemem_total_size)

    def pool(self, name: str | None = None) -> Pool:
        """One pool; None is the own one."""
        result = CPool()
        handle = self._use()
        size = ctypes.sizeof(result)
        self._check(handle, lib.filemem_pool_info_of_sized(handle.pointer, encode(name), byref(result), size))
        return Pool._from_c(result)

    def pools(self) -> list[Pool]:
        """The pools that this user may ask about."""
        found: list[Pool] = []
        some = (CPool * 16)()
        handle = self._use()
        while True:
            after = found[-1].id if found else 0
            page = lib.filemem_pools_sized(handle.pointer, after, some, len(some), ctypes.sizeof(CPool))
            count = self._check(handle, page)
            if count == 0:
                return found
            found += [Pool._from_c(some[i]) for i in range(count)]

    # ---- inside ----------------------------------------------------------------------------------

    def _use(self) -> Handle:
        handle = self._handle
        if handle is None:
            raise ValueError("the session was closed")
        return handle

    def _check(self, handle: Handle, result: int) -> int:
        if result >= 0:
            return result
        sentence = lib.filemem_last_error(handle.pointer).decode(errors="replace")
        raise FilememError(-result, sentence or os.strerror(-result))

    def _c_range(self, range: Range) -> CRange:
        if range.pool and self._pool and range.pool != self._pool:
            raise ValueError("the range is in another pool than the session")
        return CRange(range.start, range.end)

    def _decommit(self, range: Range, flags: int) -> None:
        handle = self._use()
        self._check(handle, lib.filemem_decommit(handle.pointer, self._c_range(range), flags))

    def _usage(self, function: Any, pool: str | None) -> Usage:
        result = CUsage()
        handle = self._use()
        self._check(handle, function(handle.pointer, encode(pool), byref(result), ctypes.sizeof(result)))
        return Usage._from_c(result)

    def _number(self, function: Any) -> int:
        result = c_uint64()
        handle = self._use()
        self._check(handle, function(handle.pointer, byref(result)))
        return result.value

    def _view(self, range: Range, read_only: bool, holding: Holding | None) -> memoryview:
        handle = self._use()
        read_only = read_only or self._read_only
        address = c_void_p()
        protection = _PROT_READ if read_only else _PROT_READ | _PROT_WRITE
        self._check(handle, lib.filemem_map(handle.pointer, self._c_range(range), protection, byref(address)))
        assert address.value is not None
        return _memory(address.value, range.length, read_only, handle, holding)

    def _views(self, range: Range, read_only: bool, holding: Holding | None) -> list[memoryview]:
        handle = self._use()
        read_only = read_only or self._read_only
        protection = _PROT_READ if read_only else _PROT_READ | _PROT_WRITE
        where = self._c_range(range)
        count = self._check(handle, lib.filemem_map_blocks(handle.pointer, where, protection, None, 0))
        blocks = (CBlock * count)()
        self._check(handle, lib.filemem_map_blocks(handle.pointer, where, protection, blocks, count))
        return [_memory(block.address, block.length, read_only, handle, holding) for block in blocks]


def _memory(address: int, length: int, read_only: bool, handle: Handle, holding: Holding | None) -> memoryview:
    # What exports the memory is an array of ctypes, which can have attributes: whoever has the memoryview, or
    # what was made from it, has the array and with it what keeps the memory.
    array: Any = (c_ubyte * length).from_address(address)
    array.keeps = (holding, handle)
    view = memoryview(array).cast("B")
    return view.toreadonly() if read_only else view
