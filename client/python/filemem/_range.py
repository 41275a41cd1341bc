# SPDX-License-Identifier: Apache-2.0
"""Ranges, which are values, and references, which keep memory."""

from __future__ import annotations

import struct
import weakref
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from ._library import CRange, lib, unsigned

if TYPE_CHECKING:
    from ._session import Handle, Session

_FORMAT = struct.Struct("<QQQ")


@dataclass(frozen=True)
class Range:
    """A part of a pool's file: bytes [start, end), whole pages.

    A value: it can be compared, pickled and sent to other processes, and it keeps nothing. Who gets one calls
    Session.incref(), while whoever sent it still has a reference.
    """

    start: int
    end: int
    pool: int = 0
    """Tells the pools of this host apart (the inode of the memfd); 0: not known, and not checked."""

    def __post_init__(self) -> None:
        unsigned(self.start, "start")
        unsigned(self.end, "end")
        unsigned(self.pool, "pool")

    @property
    def length(self) -> int:
        return self.end - self.start

    def to_bytes(self) -> bytes:
        """24 bytes, for pipes and for other languages: start, end and pool, little endian."""
        return _FORMAT.pack(self.start, self.end, self.pool)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Range:
        """The reverse. ValueError if that is no range."""
        if len(data) != _FORMAT.size:
            raise ValueError(f"a range has {_FORMAT.size} bytes, not {len(data)}")
        return cls(*_FORMAT.unpack(data))


class Holding:
    """One reference in the daemon. Reference and its views share it; with the last of them it goes."""

    __slots__ = ("__weakref__",)

    def __init__(self, handle: Handle, range: Range) -> None:
        # By a weak reference: when the session has ended there is nothing to be given up.
        finalize = weakref.finalize(self, _give_up, weakref.ref(handle), CRange(range.start, range.end))
        finalize.atexit = False


# weakref.finalize and not __del__: during __del__ another thread could still get hold of the object.
def _give_up(handle: weakref.ref[Handle], range: CRange) -> None:
    alive = handle()
    if alive is not None:
        lib.filemem_release(alive.pointer, range)


class Reference:
    """One reference of a session on a range: what Session.allocate() and Session.incref() return."""

    def __init__(self, session: Session, range: Range, holding: Holding) -> None:
        self._session = session
        self._range = range
        self._holding: Holding | None = holding

    @property
    def range(self) -> Range:
        """Where it is, to be sent to others. Also after the release."""
        return self._range

    @property
    def session(self) -> Session:
        return self._session

    @property
    def released(self) -> bool:
        """Whether this object has let go. The memory is kept until its views are gone too."""
        return self._holding is None or self._session.closed

    def __len__(self) -> int:
        return self._range.length

    def view(self, *, read_only: bool = False) -> memoryview:
        """The memory itself, as bytes; it can be written unless the session or the caller says read_only.

        As long as the view, or anything made from it, is there, so is the memory: also after the release,
        and after the end of the session.

        FilememError with ERANGE where this process could not reserve a window of address space (RLIMIT_AS):
        then views() serves.
        """
        return self._session._view(self._range, read_only, self._held())

    def views(self, *, read_only: bool = False) -> list[memoryview]:
        """The same in pieces that are contiguous in this process, in order; mostly one."""
        return self._session._views(self._range, read_only, self._held())

    def incref(self) -> Reference:
        """One more reference of the same session."""
        self._held()
        return self._session.incref(self._range)

    def decommit(self, *, shared: bool = False) -> None:
        """Gives the memory back to the kernel and keeps the range: it reads as zeros.

        FilememError with EBUSY if others have references too, unless shared: they lose the contents too.
        """
        self._held()
        self._session._decommit(self._range, 1 if shared else 0)

    def release(self) -> None:
        """Gives the reference up, as soon as no view is left. Again, or after the end of the session: nothing."""
        self._holding = None

    def _held(self) -> Holding:
        holding = self._holding
        if holding is None:
            raise ValueError("the reference was released")
        return holding

    def __enter__(self) -> Reference:
        self._held()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a reference belongs to its session: send its range, and incref() that over there")

    def __repr__(self) -> str:
        released = " released" if self.released else ""
        return f"<filemem.Reference {self._range.start:#x}..{self._range.end:#x}{released}>"
